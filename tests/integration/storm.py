# SPDX-License-Identifier: GPL-3.0-or-later
"""A storm of faults over one radio, and the count of what it cost.

The simulated radio notes what it handed over completely. The daemon's store,
and a client that comes and goes and pages by id, must have each of it once.
Texts of ours go out at the same time.

What the seed decides is which fault comes when, and what is sent; what each
one meets is up to the machine."""

import collections
import errno
import hashlib
import os
import random
import struct
import subprocess
import time

from companion import channel_frame, text_frame
from fixture import ERROR, BusError, Client, GLib, radio_path
from programs import BUS_NAME, Failure, Program

RADIO = radio_path("sim")
IN_QUEUE = 180  # the radio holds 256 and would drop some itself

# How often each fault comes, in parts.
FAULTS = {
    "kill": 30, "cut": 16, "cut-after": 10, "stall": 8, "disk-full": 10,
    "bus": 6, "terminate": 6, "stop": 6, "leave": 8,
}  # fmt: skip


class Disk:
    """A file system of a few megabytes for the state directory, that outlives the daemon."""

    SCRIPT = 'mount -t tmpfs -o size=24m,mode=0700 tmpfs "$0" && echo mounted && exec sleep infinity'

    def __init__(self, bed):
        os.makedirs(bed.state_dir, exist_ok=True)
        argv = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", self.SCRIPT, bed.state_dir]
        self.holder = Program("disk", argv, bed.directory)
        self.holder.read_line()
        bed.programs.append(self.holder)
        self.through = ["nsenter", "-t", str(self.holder.pid), "--user", "--mount", "--preserve-credentials"]
        self._filler = f"/proc/{self.holder.pid}/root{bed.state_dir}/filler"

    @staticmethod
    def possible():
        """Our identity on the bus must be the same inside."""
        probe = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", "mount -t tmpfs tmpfs /mnt"]
        return os.geteuid() == 0 and subprocess.run(probe, check=False, capture_output=True).returncode == 0

    def fill(self, leave):
        with open(self._filler, "wb") as filler:
            stat = os.statvfs(self._filler)
            size = stat.f_bavail * stat.f_bsize - leave
            while size > 0:
                try:
                    os.posix_fallocate(filler.fileno(), 0, size)
                    break
                except OSError as error:  # the daemon writes there too
                    if error.errno != errno.ENOSPC:
                        raise
                    size -= 65536

    def free(self):
        if os.path.exists(self._filler):
            os.unlink(self._filler)


class Subscriber:
    """A client as they should be: it keeps the id of the last message that it has seen, takes what Received
    tells after it, and pages from there on whenever it or the daemon was away."""

    def __init__(self, bed):
        self.bed = bed
        self.client = None
        self.last = 0
        self.seen = collections.Counter()
        self.records = {}
        self.history = None
        self._position = 0
        self._behind = True

    def _take(self, record):
        if record["Id"] <= self.last:
            return
        self.last = record["Id"]
        if record["State"] == "received":
            self.seen[record["Id"]] += 1
            self.records[record["Id"]] = record

    def leave(self):
        if self.client:
            self.client.close()
        self.client = None

    def step(self):
        """Whatever can be done now without waiting long. Returns whether everything is seen."""
        try:
            if not self.client or self.client.bus.is_closed():
                self.leave()
                self.client = Client(self.bed.bus.address)
                self._position, self._behind = 0, True
            while self.client.context.iteration(False):
                pass
            if self._behind:
                self._catch_up()
            self._read_signals()
        except (BusError, GLib.Error):
            self._behind = True
        return not self._behind

    def _catch_up(self):
        history = self.client.get(RADIO, "Messages", "HistoryId")
        if self.history not in (None, history):
            raise Failure("the history is another one")
        self.history = history
        while page := self.client.list_messages(from_id=self.last, order="newer"):
            for _, record in page:
                self._take(record)
        self._behind = False

    def _read_signals(self):
        while self._position < len(self.client.signals):
            signal = self.client.signals[self._position]
            self._position += 1
            if signal.member == "NameOwnerChanged":
                self._behind = True
                if signal.arguments[2]:
                    self._catch_up()
            elif signal.member == "Received" and not self._behind:
                self._take(signal.arguments[2])


class Sender:
    """Asks for texts to be sent, again with the same token until it has an answer."""

    def __init__(self, texts):
        self.todo = collections.deque(texts)  # (token, recipient, text)
        self.done = {}  # token → path
        self.refused = []
        self._asked = {}

    def ask(self, client):
        """One call, without waiting for its answer."""
        if not self.todo:
            return
        item = token, recipient, text = self.todo.popleft()
        arguments = GLib.Variant("(ssa{sv})", (recipient, text, {"Token": GLib.Variant("s", token)}))
        self._asked[token] = item
        client.bus.call(
            BUS_NAME, RADIO, BUS_NAME + ".Radio", "SendText", arguments, None, 0, 20000, None, self._answered, item
        )

    def _answered(self, bus, result, item):
        self._asked.pop(item[0])
        try:
            self.done[item[0]] = bus.call_finish(result).unpack()[0]
        except GLib.Error as error:
            name = BusError(error).name
            if name.startswith(ERROR) and name.removeprefix(ERROR) not in ("StorageFull", "NotReady", "Failed"):
                self.refused.append((item, name))
            else:
                self.todo.append(item)

    def finished(self):
        return not self.todo and not self._asked


class Storm:
    """See the top of the file. case gives the bed; run() ends in the figures, check() in assertions."""

    chances = FAULTS
    # what ended a link on which one message may have been on its way, and nobody knows whether it arrived
    excused = {"tcp": {"kill"}, "pty": {"kill", "cut"}}

    def __init__(self, case, messages, texts, faults, seed, link):
        self.case, self.bed = case, case.bed
        self.messages, self.faults, self.link = messages, faults, link
        self.dice = random.Random(f"{seed}-{link}")
        self.added, self.frames = 0, []
        self.handed, self.causes = [], []  # frames; what ended each link
        self.armed = False
        self.count = collections.Counter()
        self.bed.start_bus()
        self.sim = self.start_sim()
        self.disk = Disk(self.bed) if Disk.possible() else None
        self.bed.write_config({"sim": self.sim})
        self.client = None
        self.subscriber = Subscriber(self.bed)
        self.start_daemon()
        self.wait(lambda: self.state()[0] == "ready", "the first start")
        self.own = self.connection().get(RADIO, "Radio", "PublicKey")
        self.chats = [key for key, c in self.connection().contacts().items() if c["Type"] == "chat"]
        self.slots = sorted(self.connection().channels())
        self.sender = Sender(
            (f"token {i}", f"{RADIO}/channel/{self.slots[0]}" if i % 10 == 9 else self.dice.choice(self.chats), f"text {i}")
            for i in range(texts)
        )
        self.sim.control("delay", ms=2)

    # -- what is there ----------------------------------------------------

    def start_sim(self):
        return self.bed.start_sim(pty=os.path.join(self.bed.directory, "radio") if self.link == "pty" else None)

    def start_daemon(self):
        self.bed.start_daemon(through=self.disk.through if self.disk else ())

    def connection(self):
        """A client without signals; another one when the bus was away."""
        if not self.client or self.client.bus.is_closed():
            if self.client:
                self.client.close()
            self.client = Client(self.bed.bus.address, signals=False)
        return self.client

    def state(self):
        try:
            return self.connection().get_state()
        except (BusError, GLib.Error):
            return None, None

    def nudge(self):
        """The daemon would come back by itself, but the storm does not want to wait for it."""
        if not self.bed.daemon.running():
            # a disk so full that not even the start was possible
            self.count["not started"] += 1
            self.bed.programs.remove(self.bed.daemon)
            self.disk.free()
            self.start_daemon()
        if self.state()[0] == "waiting":
            try:
                self.connection().call(RADIO, "Radio", "Start")
            except (BusError, GLib.Error):
                pass

    def run_loop(self, seconds):
        """Lets time pass in which clients live."""
        end = time.monotonic() + seconds
        while True:
            self.subscriber.step()
            left = end - time.monotonic()
            if left <= 0:
                return
            timer = GLib.timeout_source_new(max(1, min(int(left * 1000), 20)))
            timer.set_callback(lambda *_: GLib.SOURCE_REMOVE)
            timer.attach(GLib.MainContext.default())
            GLib.MainContext.default().iteration(True)
            timer.destroy()

    def wait(self, condition, what, timeout=180):
        end = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > end:
                raise Failure(f"{what}: not within {timeout} s, state {self.state()}")
            self.run_loop(0.02)

    # -- messages -----------------------------------------------------------

    def make_frame(self):
        number, kind = self.added, self.dice.random()
        when, text = 1700000000 + number, f"message {number}"
        if kind < 0.7:
            return text_frame(self.dice.choice(self.chats), text, when)
        if kind < 0.9:
            return channel_frame(self.dice.choice(self.slots), self.dice.choice(("Ann", "Ben")), text, when)
        data = text.encode()
        if kind < 0.95:
            return bytes([27, 8, 0, 0, self.slots[0], 0xFF, 1, 0xFF, len(data)]) + data
        return bytes([27, 8, 0, 0, self.slots[0], 0xFF, 1, 0xFF, 255]) + data  # says more than there is

    def refill(self, quota):
        room = IN_QUEUE - self.sim.control("stats")["waiting"]
        for _ in range(min(quota, room, self.messages - self.added)):
            frame = self.make_frame()
            self.frames.append(frame)
            self.added += 1
            self.sim.control("raw-queue", frame=frame.hex())
            if self.dice.random() < 0.03:  # the same came by another way through the mesh
                self.sim.control("raw-queue", frame=frame.hex())
                self.count["repeats"] += 1

    def note_ends(self, cause):
        """What the radio handed over, and what the links ended of since the last time."""
        answer = self.sim.control("popped", from_=len(self.handed))
        self.handed += [bytes.fromhex(frame) for frame in answer["frames"]]
        self.ends = answer["ends"]
        self.causes += [cause] * (len(self.ends) - len(self.causes))

    def wait_for_end(self, cause):
        """Until the radio knows that the link is down."""
        self.wait(lambda: not self.sim.control("stats")["connected"], "the radio's end of the link")
        self.note_ends(cause)

    # -- faults -------------------------------------------------------------

    def fault(self):
        names = [name for name in self.chances if self.disk or name != "disk-full"]
        name = self.dice.choices(names, [self.chances[name] for name in names])[0]
        self.count[name] += 1
        # what ended between two faults was a cut that waited for its frame, or the daemon's own doing
        self.note_ends("cut" if self.armed else "timeout")
        getattr(self, "fault_" + name.replace("-", "_"))()
        self.nudge()

    def fault_kill(self):
        self.bed.daemon.kill()
        self.bed.programs.remove(self.bed.daemon)
        self.wait_for_end("kill")
        self.start_daemon()

    def fault_terminate(self):
        status, _ = self.bed.daemon.terminate()
        self.case.assertEqual(status, 0)
        self.bed.programs.remove(self.bed.daemon)
        self.wait_for_end("terminate")
        self.start_daemon()

    def fault_stop(self):
        try:
            self.connection().call(RADIO, "Radio", "Stop")
            self.wait_for_end("stop")
            self.connection().call(RADIO, "Radio", "Start")
        except (BusError, GLib.Error):
            pass

    def fault_cut(self):
        self.sim.control("link", action="drop")
        self.note_ends("cut")
        self.run_loop(self.dice.uniform(0, 0.1))

    def fault_cut_after(self):
        self.sim.control("drop-after", frames=self.dice.randint(1, 80))
        self.armed = True

    def fault_stall(self):
        self.sim.control("link", action="stall")
        self.run_loop(16 if self.dice.random() < 0.05 else self.dice.uniform(0, 1))
        self.note_ends("timeout")
        self.sim.control("link", action="resume")

    def fault_disk_full(self):
        self.disk.fill(self.dice.choice((0, 0, 4096, 65536, 262144, 900000)))
        self.refill(10)
        self.run_loop(self.dice.uniform(0, 0.6))
        if self.dice.random() < 0.3:
            self.fault_kill()
            self.run_loop(self.dice.uniform(0, 0.3))
        self.disk.free()
        if self.dice.random() < 0.8:  # else it finds out by itself, after ten seconds
            self.fault_stop()

    def fault_bus(self):
        self.bed.bus.kill()
        self.bed.programs.remove(self.bed.bus)
        self.run_loop(self.dice.uniform(0, 0.3))
        self.bed.start_bus()

    def fault_leave(self):
        self.subscriber.leave()
        moment = time.monotonic() + self.dice.uniform(0, 0.3)
        self.connection().wait_until(moment)

    # -- all of it ------------------------------------------------------------

    def run(self):
        begun = time.monotonic()
        texts = len(self.sender.todo)
        for number in range(self.faults):
            self.refill(-(-self.messages * 11 // (10 * self.faults)))
            self.nudge()
            for _ in range(-(-texts // self.faults)):
                self.sender.ask(self.connection())
            if self.dice.random() < 0.2:
                self.sim.control("ack", mode=self.dice.choice(("all", "all", "none", "late")), ms=300)
                self.sim.control("loss", percent=self.dice.choice((0, 0, 30)))
            if self.dice.random() < 0.6:
                # in the middle of the drain; else anywhere, also in the start
                popped = self.sim.control("stats")["popped"]
                end = time.monotonic() + 3
                while time.monotonic() < end and self.sim.control("stats")["popped"] == popped:
                    self.run_loop(0.005)
                self.run_loop(self.dice.uniform(0, 0.06))
            else:
                self.run_loop(self.dice.uniform(0, 0.5))
            self.fault()
        self.calm()
        self.seconds = time.monotonic() - begun

    def calm(self):
        """The storm is over: everything must come to its end."""
        self.sim.control("drop-after", frames=0)
        self.sim.control("ack", mode="all")
        self.sim.control("loss", percent=0)
        if self.disk:
            self.disk.free()

        def drained():
            self.nudge()
            self.refill(IN_QUEUE)
            return self.added == self.messages and self.sim.control("stats")["waiting"] == 0

        def asked():
            self.nudge()
            if self.state()[0] == "ready":
                self.sender.ask(self.connection())
            return self.sender.finished()

        def ended():
            self.nudge()
            return not [r for r in self.outgoing() if r["State"] in ("queued", "sending", "sent") and r["Peer"] != "/"]

        self.wait(drained, "the drain", 600)
        self.wait(asked, "answers for all who asked to send", 600)
        self.wait(lambda: self.state()[0] == "ready", "ready")
        self.wait(ended, "final states", 600)
        self.connection().call(RADIO, "Radio", "Ping")
        self.wait(self.subscriber.step, "the subscriber")
        self.note_ends("timeout")
        self.stored = [r for r in self.connection().all_messages() if r["State"] == "received"]

    def outgoing(self):
        return [r for r in self.connection().all_messages() if r["State"] != "received"]

    # -- the count --------------------------------------------------------------

    @staticmethod
    def name_of(record):
        """What make_frame() wrote into it."""
        return record["Text"] or bytes(record["Data"]).rpartition(b"message ")[1:] and (
            "message " + bytes(record["Data"]).rpartition(b"message ")[2].decode()
        )

    @staticmethod
    def name_of_frame(frame):
        return "message " + frame.rpartition(b"message ")[2].decode()

    def check(self):
        case = self.case
        stats = self.sim.control("stats")
        case.assertEqual((stats["evicted"], stats["refused"]), (0, 0))
        handed = [self.name_of_frame(frame) for frame in self.handed]
        stored = [self.name_of(record) for record in self.stored]
        seen = [self.name_of(record) for record in self.subscriber.records.values()]

        # the last one before an end: nobody knows whether the daemon had read it
        last = {}
        for count, cause in zip(self.ends, self.causes):
            last.setdefault(count - 1, cause)
        lost = collections.defaultdict(list)
        known = set(stored)
        for index, name in enumerate(handed):
            if name not in known:
                lost[name].append(last.get(index, "none"))
        excused = self.excused[self.link]
        in_flight = {name: causes for name, causes in lost.items() if set(causes) <= excused}
        really = {name: causes for name, causes in lost.items() if name not in in_flight}
        doubled = [name for name, n in collections.Counter(stored).items() if n > 1]
        doubled_seen = [name for name, n in collections.Counter(seen).items() if n > 1]
        doubled_seen += [id_ for id_, n in self.subscriber.seen.items() if n > 1]
        print(
            f"{self.link}: {self.messages} messages, handed over {len(handed)} (repeats {self.count['repeats']}), "
            f"stored {len(stored)}, seen {len(seen)}; faults {dict(self.count)} in {self.seconds:.0f} s; "
            f"in flight at a kill or a pulled line {len(in_flight)} {sorted(sum(in_flight.values(), []))}, "
            f"lost {len(really)}, doubled {len(doubled) + len(doubled_seen)}"
        )
        case.assertEqual(really, {}, "lost")
        case.assertEqual(doubled, [], "stored twice")
        case.assertEqual(doubled_seen, [], "seen twice")
        case.assertEqual(sorted(seen), sorted(stored), "the subscriber missed something")
        case.assertLessEqual(known, set(handed), "stored and never handed over")
        case.assertLessEqual(sum("kill" in c for c in in_flight.values()), self.causes.count("kill"))
        self.check_sent(stats["sent_texts"])

    def check_sent(self, air):
        case = self.case
        case.assertEqual(self.sender.refused, [])
        own = bytes.fromhex(self.own)
        confirmed = {frame[2:10] for frame in self.sim.control("confirmed")["frames"]}
        on_air = collections.defaultdict(list)
        for text in air:
            on_air[text["text"].rpartition(": ")[2]].append(text)
        records = self.outgoing()
        texts = [r["Text"] for r in records]
        case.assertEqual(len(texts), len(set(texts)), "a token was forgotten")
        case.assertEqual(len(texts), len(self.sender.done))
        states, unheard = collections.Counter(), 0
        for record in records:
            text, tries = record["Text"], on_air[record["Text"]]
            stamps = {(t["to"], t["timestamp"]) for t in tries}
            case.assertLessEqual(len(stamps), 1, f"{text} is shown more than once: {tries}")
            states[record["State"] + ("?" if record["Uncertain"] else "")] += 1
            if record["Peer"] == "/":
                case.assertEqual(record["State"], "sent")
                case.assertIn(len(tries), (0, 1) if record["Uncertain"] else (1,), text)
                continue
            attempts = [t["attempt"] for t in tries]
            case.assertEqual(len(attempts), len(set(attempts)), f"{text}: an attempt twice: {tries}")
            stamp = record["SenderTimestampUSec"] // 1000000
            acks = {
                hashlib.sha256(struct.pack("<IB", stamp, n & 3) + text.encode() + own).digest()[:4].hex() for n in range(4)
            }
            case.assertIn(record["State"], ("delivered", "failed"), text)
            if record["State"] == "delivered":
                case.assertTrue(acks & confirmed, f"{text} is delivered, and nobody said so")
            elif acks & confirmed:
                unheard += 1
        print(f"{self.link}: {len(records)} texts: {dict(states)}, {sum(map(len, on_air.values()))} times on air, "
              f"{unheard} confirmations in flight at a kill or a pulled line")  # fmt: skip
        case.assertLessEqual(unheard, self.causes.count("kill") + self.causes.count("cut"))
