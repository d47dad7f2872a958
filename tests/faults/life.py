# SPDX-License-Identifier: GPL-3.0-or-later
"""One life of a radio with its daemon, in which one fault happens, and the account of it.

The simulated radio has messages in its queue; the daemon starts, fetches them,
is asked to send, to mark and to delete, receives one more and is stopped. If
the fault ends the daemon, it is started again as systemd would, and the same
goes on. Nobody helps it otherwise. At the end everything that the radio handed
over, and everything that was told to a client, must be there once."""

import collections
import json
import os
import shutil
import signal
import socket
import subprocess
import time

from account import Account
from companion import channel_frame, text_frame
from damage import make_old_store, schema_steps
from disk import Disk
from fixture import ERROR, BusError, Client, Gio, GLib, radio_path
from programs import BUS_NAME, Bed, Failure

RADIO = radio_path("sim")
HERE = os.path.dirname(os.path.abspath(__file__))
PATIENCE = float(os.environ.get("MESHCORED_FAULT_PATIENCE", "30"))  # of real time for one goal
IDLE = 0.05  # real seconds without any event: the daemon waits for a timer
JUMP = 3  # then time goes on by so many seconds
STARTS_MAX = 3

# Codes of frames that decide in which phase a life is.
MESSAGES = {"7", "8", "16", "17", "27"}


class Fault:
    """What happens, where: a kind of the shim, the number of the call, and what goes with it."""

    def __init__(self, kind, at=0, *, last=False, value=0, kill=0, power=False, schema=None, seed=0, damage=None, silent=False,
                 radio_clock=None):
        self.kind, self.at, self.last, self.value, self.kill = kind, at, last, value, kill
        self.power, self.schema, self.seed, self.damage = power, schema, seed, damage
        self.silent = silent  # nobody can know what is missing
        self.radio_clock = radio_clock  # the goal before which it jumps, and by how many seconds

    def environment(self):
        env = {"FAULT_KIND": self.kind, "FAULT_AT": str(self.at), "FAULT_VALUE": str(self.value)}
        if self.last:
            env["FAULT_LAST"] = "1"
        if self.kill:
            env["FAULT_KILL"] = str(self.kill)
        return env


def phase_of(trace, at):
    """In which phase the at-th call that counts was made, from the lines of a trace; 0: the last one."""
    phase, asked = "start", False
    for line in trace:
        _, mine, class_, call, *about = line.split()
        codes = set(about)
        if class_ == "link" and call == "close":
            phase = "stop"
        elif class_ == "link" and call == "send":
            if "10" in codes:
                phase = "receive"
            elif codes & {"2", "3"}:
                phase = "send"
            elif phase in ("start", "stop"):
                phase = "sync"
        elif class_ == "link" and call == "got":
            if codes & MESSAGES:
                phase = "receive"
            elif "130" in codes:
                phase = "ack"
        elif class_ == "state" and phase == "receive":
            phase = "store"
        elif class_ == "state" and phase in ("signal", "sync", "ack", "send") and asked:
            phase = "call"
        elif class_ == "bus" and call == "sendmsg" and phase == "store":
            phase = "signal"
        asked = class_ == "bus" and call == "recvmsg"
        if int(mine) == at and at > 0:
            break
    return phase


class Control:
    """The plan's end of the shim's socket."""

    def __init__(self, path):
        self.path = path
        if os.path.exists(path):
            os.unlink(path)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(1)
        self.listener.settimeout(20)
        self.peer = None

    def accept(self):
        self.drop()
        self.peer, _ = self.listener.accept()
        self.peer.settimeout(20)

    def tell(self, line):
        try:
            self.peer.sendall(line.encode() + b"\n")
            return self.peer.recv(5) == b"done\n"
        except OSError:
            return False  # it has just ended

    def drop(self):
        if self.peer:
            self.peer.close()
        self.peer = None


class Life(Account):
    """See the top of the file."""

    def __init__(self, rig, fault):
        self.rig, self.fault, self.bed = rig, fault, rig.bed
        self.sim = self.daemon = None
        self.told, self.paths, self.read, self.deleted = {}, {}, set(), set()
        self.frames = 0
        self.unknown = self.fired = False
        self.history = None
        self.wrong, self.notes = [], collections.Counter()
        self.killed_at = []  # how many frames had been handed over
        self.typed = None  # whether the fault was told as a state
        self.starts, self.lives = 0, []
        self.pending = {}
        self.goal = "nothing"
        self.before = {}

    # -- programs ----------------------------------------------------------

    def queue(self, text, channel=False):
        when = 1700000000 + self.frames
        self.frames += 1
        if channel:
            frame = channel_frame(0, "Ann", text, when)
        else:
            frame = text_frame(self.rig.keys["Anna"], text, when)
        self.sim.control("raw-queue", frame=frame.hex())

    def start_daemon(self, fault):
        env = dict(os.environ)
        self.trace_path = os.path.join(self.bed.directory, f"trace{self.starts}")
        os.environ.update(
            {
                "LD_PRELOAD": self.rig.shim,
                "FAULT_STATE": self.bed.state_dir,
                "FAULT_CONTROL": self.rig.control.path,
                "FAULT_TRACE": self.trace_path,
                **fault.environment(),
            }
        )
        if fault.power:
            os.environ["FAULT_JOURNAL"] = os.path.join(self.bed.directory, "journal")
            self.disk = Disk(self.bed.state_dir)
        try:
            self.daemon = self.bed.start_daemon(through=self.rig.through)
        finally:
            os.environ.clear()
            os.environ.update(env)
        self.starts += 1
        self.current = fault
        self.offline = False
        self.rig.control.accept()

    def trace(self):
        with open(self.trace_path, encoding="ascii") as file:
            return [line for line in file if line.endswith("\n")]

    # -- the bus -----------------------------------------------------------

    def ask(self, name, path, interface, member, parameters=None):
        """A call that is made once and asked for until it is answered: None, or ("ok", values) or
        ("error", name). The next one with this name is another call."""
        if name not in self.pending:
            self.pending[name] = None
            self.rig.client.bus.call(
                BUS_NAME, path, interface if "." in interface else f"{BUS_NAME}.{interface}", member, parameters,
                None, Gio.DBusCallFlags.NO_AUTO_START, 60000, None, self._answered, (self, name),
            )  # fmt: skip
        answer = self.pending[name]
        if answer is not None:
            del self.pending[name]
        return answer

    @staticmethod
    def _answered(bus, result, cookie):
        life, name = cookie
        try:
            life.pending[name] = ("ok", bus.call_finish(result).unpack())
        except GLib.Error as error:
            life.pending[name] = ("error", Gio.DBusError.get_remote_error(error) or error.message)
        life.rig.events += not name.startswith("get ") and life.pending[name][0] == "ok"

    def get(self, interface, name, path=RADIO):
        answer = self.ask(f"get {path} {name}", path, "org.freedesktop.DBus.Properties", "Get",
                          GLib.Variant("(ss)", (f"{BUS_NAME}.{interface}", name)))  # fmt: skip
        if answer and answer[0] == "error" and answer[1].endswith(".UnknownObject"):
            self.unknown = path != RADIO
        return answer[1][0] if answer and answer[0] == "ok" else None

    def take_signals(self):
        for signal_ in self.rig.take_signals():
            if signal_.member == "Received" and signal_.path == RADIO:
                record = signal_.arguments[2]
                if record["Id"] in self.told:
                    self.wrong.append(f"told twice: {record['Text']}")
                self.told[record["Id"]] = record["Text"]

    # -- goals: each says whether it is reached -------------------------------

    def drained(self):
        stats = self.sim.control("stats")
        return stats["waiting"] == 0 and stats["popped"] >= self.frames and self.is_ready()

    def is_ready(self):
        return self.get("Radio", "State") == "ready"

    def has_history(self):
        history = self.get("Messages", "HistoryId")
        if history:
            if self.history not in (None, history) and not self.fault.damage:
                self.wrong.append("another history")
            self.history = history
        return bool(history)

    def send(self, token, recipient):
        def asked():
            if token not in self.paths:
                answer = self.ask(token, RADIO, "Radio", "SendText",
                                  GLib.Variant("(ssa{sv})", (recipient, f"text {token}", {"Token": GLib.Variant("s", token)})))  # fmt: skip
                if answer and answer[0] == "ok":
                    self.paths[token] = answer[1][0]
                elif answer and answer[1].startswith(ERROR):
                    self.notes[answer[1].removeprefix(ERROR)] += 1
                    if answer[1].removeprefix(ERROR) not in ("StorageFull", "NotReady", "Failed", "NotFound", "NotConnected"):
                        self.wrong.append(f"SendText: {answer[1]}")
                return False
            state = self.get("Message", "State", self.paths[token])
            if self.fault.damage and self.unknown:
                self.unknown = False
                del self.paths[token]  # it was set aside with the rest
                return False
            return state in ("delivered", "failed", "cancelled", "expired") or (state == "sent" and "channel" in recipient)

        return asked

    def live(self):
        if not getattr(self, "live_sent", False):
            self.live_sent = True
            self.queue("message live")
        return self.drained()

    def calm(self):
        return self.drained() and self.get("Radio", "Reason") in ("none", "clock-ahead")

    def mark(self, member, done):
        def asked():
            ids = [i for i, text in sorted(self.told.items()) if text == ("message 0" if member == "MarkRead" else "message 1")]
            if not ids or done:
                return True
            path = f"{RADIO}/message/{ids[0]}"
            answer = self.ask(member, RADIO, "Messages", member, GLib.Variant("(ao)", ([path],)))
            if answer and answer[0] == "ok":
                done.add(ids[0])
            elif answer and answer[1] == ERROR + "NotFound":
                # It was lost with the kill, and told before: the account says so; or it was deleted unheard.
                done.add(ids[0])
            return bool(done)

        return asked

    def goals(self):
        return [
            ("history", self.has_history),
            ("drain", self.drained),
            ("send a", self.send("a", self.rig.keys["Anna"])),
            ("send b", self.send("b", f"{RADIO}/channel/0")),
            ("send c", self.send("c", self.rig.keys["Bob"])),
            ("live", self.live),
            ("read", self.mark("MarkRead", self.read)),
            ("delete", self.mark("Delete", self.deleted)),
            ("calm", self.calm),
        ]

    # -- time ----------------------------------------------------------------

    def dead(self):
        return not self.daemon.running()

    def stopped(self):
        with open(f"/proc/{self.daemon.pid}/stat", encoding="ascii") as file:
            return file.read().rpartition(")")[2].split()[0] == "T"

    def pump(self, goal):
        """Runs until the goal is reached (True) or the daemon is gone (False)."""
        end = time.monotonic() + PATIENCE
        idle = time.monotonic() + IDLE
        events = self.rig.events
        while True:
            self.take_signals()
            if self.dead():
                return False
            if self.to_be_stopped() and self.stopped():
                self.suspended()
            if goal():
                return True
            now = time.monotonic()
            if self.rig.events != events:
                events, idle = self.rig.events, now + IDLE
            elif now > idle:
                idle = now + IDLE
                self.stuck()
            if now > end:
                raise Failure(f"{self.goal} not reached, {self.story()}")
            self.rig.iterate()

    def story(self):
        if self.dead() or not self.rig.client.owned():
            return "no daemon"
        states = [(r["Text"], r["State"], r["Attempts"]) for r in self.rig.client.all_messages() if r["State"] != "received"]
        return f"{self.rig.client.get_state()}, {states}"

    def suspended(self):
        """The world goes on meanwhile."""
        self.notes["stopped"] += 1
        self.queue("message while stopped")
        self.sim.control("advert", name="Anna")
        time.sleep(0.01)
        self.daemon.process.send_signal(signal.SIGCONT)
        self.fired = True

    def stuck(self):
        """The daemon waits for something. With a fault that lasts, first for its end."""
        if self.current.last and not self.offline and self.current.at > 0 and self.has_fault():
            self.idle_rounds = getattr(self, "idle_rounds", 0) + 1
            if self.idle_rounds == 1:
                self.queue("message in the fault")
            reason = self.get("Radio", "Reason")
            if reason == "storage-full":
                self.typed = True
            elif self.typed is None and self.idle_rounds > 1:
                self.typed = False
            if self.idle_rounds >= 8 or self.typed:
                if not self.typed and "message in the fault" not in self.told.values():
                    self.wrong.append(f"the fault is not told: {self.story()}")
                self.rig.control.tell("off")
                self.offline = True
        self.rig.control.tell(f"boottime {JUMP}")

    def has_fault(self):
        return any(int(line.split()[1]) >= self.current.at for line in self.trace()[-400:])

    # -- the life ---------------------------------------------------------------

    def gone(self):
        """The daemon has ended in the middle."""
        status = self.daemon.process.wait()
        self.bed.programs.remove(self.daemon)
        self.take_signals()
        # the link ends when the radio sees it
        end = time.monotonic() + 10
        while self.sim.control("stats")["connected"] and time.monotonic() < end:
            time.sleep(0.002)
        self.killed_at.append(self.sim.control("popped", from_=1 << 20)["total"])
        expected = self.may_die()
        if expected and status == -signal.SIGKILL:
            self.notes["killed"] += 1
        elif status == 1 and phase_of(self.trace(), 0) == "start":
            self.notes["start refused"] += 1
        else:
            self.wrong.append(f"ended with {status} in {phase_of(self.trace(), 0)}")
        self.lives.append(phase_of(self.trace(), 0))
        if self.current.power:
            self.disk.cut(os.path.join(self.bed.directory, "journal"), self.fault.seed)
        self.pending.clear()

    def run(self):
        rig = self.rig
        shutil.rmtree(self.bed.state_dir, ignore_errors=True)
        if self.fault.schema is not None:
            self.before = rig.make_old_store(self.fault.schema)
        if self.fault.damage:
            self.fault.damage(self)
        rig.reset_signals()
        log = os.path.join(self.bed.directory, "meshcored.log")
        self.log_at = os.path.getsize(log) if os.path.exists(log) else 0
        self.sim = rig.start_sim()
        self.bed.write_config({"sim": self.sim})
        for i in range(4):
            self.queue(f"message {i}", i == 1)
        try:
            self.start_daemon(self.fault)
            while not self.live_once():
                self.gone()
                if self.starts > STARTS_MAX:
                    raise Failure("does not come back")
                self.start_daemon(Fault("none"))
            self.phase = (self.lives or [self.phase_of_fault()])[0]
            self.stop()
        except Failure as failure:
            self.wrong.append(str(failure).split("\n", maxsplit=1)[0])
            self.phase = (self.lives or [self.phase_of_fault()])[0]
        finally:
            if self.daemon and self.daemon.running():
                self.daemon.kill()
            if self.daemon in self.bed.programs:
                self.bed.programs.remove(self.daemon)
            self.finish()

    def make_history(self, texts, kill):
        """Receives these, and ends."""
        shutil.rmtree(self.bed.state_dir, ignore_errors=True)
        self.rig.reset_signals()
        self.sim = self.rig.start_sim()
        self.bed.write_config({"sim": self.sim})
        for number, text in enumerate(texts):
            self.frames += 1
            self.sim.control("raw-queue", frame=self.rig.text_frame(text, number).hex())
        self.start_daemon(self.fault)
        for self.goal, goal in self.goals()[:2]:
            self.pump(goal)
        self.rig.own = bytes.fromhex(self.rig.client.get(RADIO, "Radio", "PublicKey"))
        if kill:
            self.daemon.kill()
        else:
            self.daemon.terminate()
        self.bed.programs.remove(self.daemon)
        self.rig.stop_sim(self.sim)
        self.rig.reset_signals()
        return {text: "received" for text in texts}

    def phase_of_fault(self):
        return phase_of(self.trace(), self.fault.at)

    def live_once(self):
        """Until all goals are reached (True), or the end of the daemon."""
        for number, (self.goal, goal) in enumerate(self.goals()):
            if self.fault.radio_clock and self.fault.radio_clock[0] == number:
                self.sim.control("clock", set=max(0, int(time.time()) + self.fault.radio_clock[1]))
            if not self.pump(goal):
                return False
        if self.may_die() or self.to_be_stopped():
            return self.end_with_fault()
        try:
            self.records = self.rig.client.all_messages()
        except BusError as error:
            if not self.fault.damage and not self.fault.kind == "read":
                raise
            self.notes[f"List: {error.name.removeprefix(ERROR)}"] += 1
            self.paths.clear()
            return self.live_once()  # the damage has just been found
        return True

    def to_be_stopped(self):
        return self.current.kind == "stop" and self.current.at > 0 and not self.fired

    def may_die(self):
        return self.current.at > 0 and (self.current.kind in ("kill", "torn") or self.current.kill > 0)

    def end_with_fault(self):
        """All is done and the fault has not come: it may while it stops."""
        self.daemon.process.terminate()
        end = time.monotonic() + 20
        while self.daemon.running():
            if self.to_be_stopped() and self.stopped():
                self.suspended()
            if time.monotonic() > end:
                self.daemon.kill()
                raise Failure("does not stop")
            time.sleep(0.001)
        status = self.daemon.process.wait()
        if status == 0:
            self.lives.append(phase_of(self.trace(), self.fault.at))
            self.current = Fault("none")
            self.bed.programs.remove(self.daemon)
            self.start_daemon(Fault("none"))
            return self.live_once()
        return False

    def stop(self):
        if self.wrong_state_on_bus():
            self.wrong.append(self.wrong_state_on_bus())
        status, _ = self.daemon.terminate(20)
        self.take_signals()
        if status != 0:
            self.wrong.append(f"the end: status {status}")

    def wrong_state_on_bus(self):
        client = self.rig.client
        unread = client.get(RADIO, "Messages", "Unread")
        really = sum(not r["Read"] for r in self.records)
        if unread != really:
            return f"Unread says {unread}, {really} are"
        state = client.get_state()
        jumped = self.fault.kind == "clock" or self.fault.radio_clock
        reasons = ("none", "clock-ahead") if jumped else ("none",)
        return None if state[0] == "ready" and state[1] in reasons else f"at the end {state}"

    def finish(self):
        self.handed = [bytes.fromhex(f).rpartition(b"message ") for f in self.sim.control("popped")["frames"]]
        self.handed = ["message " + f[2].decode() for f in self.handed]
        self.air = self.sim.control("stats")["sent_texts"]
        self.own = self.sim.control("nodes")
        self.rig.stop_sim(self.sim)
        self.rig.reset_signals()


class Rig:
    """What many lives share: a bus and a client."""

    def __init__(self, shim, through=()):
        self.shim, self.through = shim, through
        self.bed = Bed()
        self.bed.start_bus()
        self.client = Client(self.bed.bus.address)
        self.control = Control(os.path.join(self.bed.directory, "control"))
        self.events = self.position = 0
        self.keys = {}
        self._tick = GLib.timeout_source_new(4)
        self._tick.set_callback(lambda *_: GLib.SOURCE_CONTINUE)
        self._tick.attach(self.client.context)
        self.own = None
        self._templates = {}

    # -- stores to begin with ------------------------------------------------

    def text_frame(self, text, number):
        return text_frame(self.keys["Anna"], text, 1600000000 + number)

    def template(self, how):
        """A store with a history, stopped in order ("clean") or not ("killed"): (directory, its texts)."""
        if how not in self._templates:
            life = Life(self, Fault("none"))
            texts = life.make_history([f"old {n} " + "of a long day " * (n % 9) for n in range(60)], how == "killed")
            self._templates[how] = (os.path.join(self.bed.directory, how), texts)
            shutil.copytree(self.bed.state_dir, self._templates[how][0])
        return self._templates[how]

    def make_old_store(self, version):
        if not self.own:
            self.template("clean")
        shutil.rmtree(self.bed.state_dir, ignore_errors=True)
        steps = schema_steps(os.path.join(os.path.dirname(self.shim), "schema-steps"))
        return make_old_store(self.bed.state_dir, steps, version, self.own, [bytes.fromhex(self.keys["Anna"])])

    def iterate(self):
        self.client.context.iteration(True)

    def take_signals(self):
        while self.position < len(self.client.signals):
            self.events += 1
            yield self.client.signals[self.position]
            self.position += 1

    def reset_signals(self):
        while self.client.context.iteration(False):
            pass
        self.client.signals.clear()
        self.position = 0

    def start_sim(self):
        sim = self.bed.start_sim()
        if not self.keys:
            self.keys = {n["name"]: n["key"] for n in sim.control("nodes")["nodes"]}
        return sim

    def stop_sim(self, sim):
        sim.kill()
        self.bed.programs.remove(sim)

    def close(self):
        self._tick.destroy()
        self.client.close()
        self.bed.close()
