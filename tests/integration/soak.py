#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A month in half an hour, and what it leaves behind:

    tests/integration/soak.py [--days N] [--day-seconds S] [--seed SEED] [--csv FILE]

What is accelerated, and what is not: the time of day of the daemon and of the
radio runs as many times faster as a day of 86,400 seconds is longer than S
(fast-clock.c), so that a month of history ages and is deleted. Everything that
happens in a month happens in that time, too: the numbers of a busy radio are
in A_DAY. Timers since boot (deadlines, pauses, the slow poll) run as ever,
since the other end of each is a program on this machine; the slow poll is
asked for more often instead. Nothing is restarted: it is one daemon all along.

Each quarter of a day is a line of the curve: resident and anonymous memory,
descriptors, and the files of the store. At the end the daemon must have handed
each message to a client once, and the second half of the month must not have
grown by more than the limits below. $MESHCORED_BUILD is the build directory,
else "build"."""

import argparse
import collections
import csv
import json
import os
import random
import signal
import sys
import time

from companion import channel_frame, contact_record, text_frame
from fixture import BusError, Client, GLib, radio_path
from programs import BUS_NAME, QUIET, Bed, Failure
from storm import Subscriber

RADIO = radio_path("sim")
SECONDS = 86400
# How often in a day.
A_DAY = {
    "text": 250, "channel-text": 120, "send": 40, "send-to-channel": 10, "advert": 600, "advert-of-strangers": 1500,
    "push-advert": 400, "rx-log": 1500, "cut": 6, "stall": 2, "reboot": 2, "client": 120, "vanish": 60, "stream": 30,
    "read": 60, "reload": 3, "radio-comes-and-goes": 2, "bus": 0.2,
}  # fmt: skip
# Of the history, in days: a third of the month, so that the second half shows whether it is kept to.
KEEP_DAYS = 10
COLUMNS = ["day", "seconds", "rss_kib", "anon_kib", "fds", "store_kib", "wal_kib", "spool_kib",
           "contacts", "pending", "messages", "last_id"]  # fmt: skip


class Soak:
    def __init__(self, bed, days, day_seconds, seed, report=print, busy=1.0):
        self.bed, self.days, self.day_seconds, self.report = bed, days, day_seconds, report
        self.dice = random.Random(f"soak {seed}")
        self.busy = busy
        self.count = collections.Counter()
        self.samples = []
        self.texts = self.strangers = self.sent = self.reloads = self.frames = 0
        self.extra = False
        # the day of the first sample is today, and the rest of the month lies before us
        shim = os.environ.get("MESHCORED_FAST_CLOCK") or os.path.join(
            os.environ.get("MESHCORED_BUILD", "build"), "tests", "integration", "fast-clock.so"
        )
        self.speed = SECONDS / day_seconds
        clock = f"{time.time():.6f} {time.monotonic():.6f} {self.speed:.6f}"
        self.through = [] if os.environ.get("MESHCORED_FAST_CLOCK") == "" else [
            "env", f"LD_PRELOAD={os.path.abspath(shim)}", f"FAST_CLOCK={clock}"]  # fmt: skip
        bed.start_bus()
        self.sim = bed.start_sim()
        # the seed in the scenario makes its key
        scenario = os.path.join(bed.directory, "other.scenario")
        with open(QUIET[1], encoding="utf-8") as file, open(scenario, "w", encoding="utf-8") as copy:
            copy.write(file.read().replace("[Radio]", "[Radio]\nSeed=other", 1))
        self.other = bed.start_sim("other-sim", arguments=["--scenario", scenario])
        self.write_config()
        bed.start_daemon(arguments=["--log-level", "warning"], through=self.through)
        self.client = None
        self.subscriber = Subscriber(bed)
        self.begun = time.monotonic()
        self.wait(lambda: self.state() == "ready", "the first start")
        self.chats = [key for key, c in self.connection().contacts().items() if c["Type"] == "chat"]
        self.names = [c["Name"] for c in self.connection().contacts().values()]
        self.slots = sorted(self.connection().channels())
        overwrite = {"Manual": GLib.Variant("b", False), "Overwrite": GLib.Variant("b", True)}
        self.connection().call(RADIO, "Contacts", "SetAutoAdd", "(a{sv})", overwrite)

    # -- what there is ------------------------------------------------------

    def write_config(self):
        self.reloads += 1
        text = f"[Daemon]\nHistoryMaxDays={KEEP_DAYS}\nHistoryMaxMessages={500000 + self.reloads}\n\n"
        radios = {"sim": self.sim} | ({"other": self.other} if self.extra else {})
        for name, sim in radios.items():
            text += f"[Radio {name}]\nTransport={sim.transport}\nTrustClock=yes\nPollIntervalSec={10 + self.reloads % 2}\n"
        self.bed.write_config(text)

    def connection(self):
        if not self.client or self.client.bus.is_closed():
            if self.client:
                self.client.close()
            self.client = Client(self.bed.bus.address, signals=False)
        return self.client

    def state(self):
        try:
            return self.connection().get_state()[0]
        except (BusError, GLib.Error):
            return None

    def turn(self, seconds):
        end = time.monotonic() + seconds
        while True:
            self.subscriber.step()
            # it keeps a story for the tests; a month of it is too much
            if self.subscriber.client and self.subscriber._position == len(self.subscriber.client.signals):
                self.subscriber.client.signals.clear()
                self.subscriber._position = 0
            left = end - time.monotonic()
            if left <= 0:
                return
            timer = GLib.timeout_source_new(max(1, min(int(left * 1000), 50)))
            timer.set_callback(lambda *_: GLib.SOURCE_REMOVE)
            timer.attach(GLib.MainContext.default())
            GLib.MainContext.default().iteration(True)
            timer.destroy()

    def wait(self, condition, what, timeout=60):
        end = time.monotonic() + timeout
        while not condition():
            if not self.bed.daemon.running():
                raise Failure(f"{what}: the daemon ended; its log:\n{self.bed.daemon.log()[-4000:]}")
            if time.monotonic() > end:
                state = self.connection().get_state()
                raise Failure(f"{what}: not within {timeout} s, state {state}, log:\n{self.bed.daemon.log()[-4000:]}")
            self.turn(0.05)

    def ready(self):
        """It would come back by itself; a month of pauses would be a month."""

        def nudged():
            state = self.state()
            if state == "waiting":
                try:
                    self.connection().call(RADIO, "Radio", "Start")
                except (BusError, GLib.Error):
                    pass
            return state == "ready"

        self.wait(nudged, "ready again")

    # -- what happens ---------------------------------------------------------

    def happen(self, name):
        self.count[name] += 1
        try:
            getattr(self, "do_" + name.replace("-", "_"))()
        except (BusError, GLib.Error) as error:
            self.count[f"refused: {name}"] += 1
            if isinstance(error, BusError) and error.name.endswith((".NoReply", ".Timeout")):
                raise

    def next_time(self):
        self.texts += 1
        return 1700000000 + self.texts

    def do_text(self):
        when = self.next_time()
        self.sim.control("raw-queue", frame=text_frame(self.dice.choice(self.chats), f"message {when}", when).hex())

    def do_channel_text(self):
        when = self.next_time()
        self.sim.control("raw-queue", frame=channel_frame(self.slots[0], "Ann", f"message {when}", when).hex())

    def do_send(self):
        self.sent += 1
        self.connection().call(RADIO, "Radio", "SendText", "(ssa{sv})", self.dice.choice(self.chats), f"text {self.sent}", {})

    def do_send_to_channel(self):
        self.sent += 1
        self.connection().call(RADIO, "Radio", "SendText", "(ssa{sv})", "#test", f"text {self.sent}", {})

    def do_advert(self):
        """Of a node that the radio adds by itself: most are new, its table and our store overflow."""
        number = self.count["advert"] if self.dice.random() < 0.7 else self.dice.randrange(1, self.count["advert"] + 1)
        self.sim.control("advert", name=f"Node {number}")

    def do_advert_of_strangers(self):
        """Of a node that the radio does not add: a pending advert, of which there are too many."""
        self.strangers += self.dice.random() < 0.5
        number = self.strangers - min(self.strangers - 1, int(self.dice.expovariate(1 / 300)))
        key = random.Random(f"stranger {number}").randbytes(32)
        self.sim.control("push", frame=contact_record(key, f"Stranger {number}", 1 + number % 4, 1700000000, code=0x8A).hex())

    def do_push_advert(self):
        self.sim.control("advert", name=self.dice.choice(self.names))

    def do_rx_log(self):
        self.sim.control("push", frame=(b"\x88\x28\xb0" + self.dice.randbytes(self.dice.randrange(2, 100))).hex())

    def do_cut(self):
        self.sim.control("drop-after", frames=self.dice.randrange(1, 30))
        self.turn(0.05)
        self.sim.control("link", action="drop")
        self.ready()

    def do_stall(self):
        self.sim.control("link", action="stall")
        self.turn(0.5)
        self.sim.control("link", action="resume" if self.dice.random() < 0.5 else "drop")
        self.sim.control("link", action="resume")
        self.ready()

    def do_reboot(self):
        self.sim.control("reboot")
        self.turn(0.1)
        self.ready()

    @staticmethod
    def raw_call(client, path, interface, member, arguments=None):
        client.bus.call_sync(BUS_NAME, path, interface, member, arguments, None, 0, 20000, None)

    def do_client(self):
        """Comes, looks at everything, and goes."""
        client = Client(self.bed.bus.address)
        try:
            # its answer is not unpacked here, which would take longer than all the rest
            self.raw_call(client, "/org/meshcored1", "org.freedesktop.DBus.ObjectManager", "GetManagedObjects")
            page = GLib.Variant("(a{sv}tua{sv})", ({}, 0, 100, {}))
            self.raw_call(client, RADIO, "org.meshcored1.Messages", "List", page)
            self.raw_call(client, RADIO, "org.meshcored1.Contacts", "Find", GLib.Variant("(s)", ("Node 1",)))
            if self.dice.random() < 0.3:
                client.get_all(RADIO, "Radio")
                client.call(RADIO, "Contacts", "ListPending")
        finally:
            client.close()

    def do_vanish(self):
        """Asks for much, and is gone before the answers."""
        client = Client(self.bed.bus.address, signals=False)
        for member in ("Ping", "ReadStats", "ReadTelemetry", "Ping"):
            client.bus.call(BUS_NAME, RADIO, BUS_NAME + ".Radio", member, None, None, 0, 20000, None, None)
        client.bus.call(
            BUS_NAME, "/org/meshcored1", "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", None, None, 0, 20000,
            None, None,
        )  # fmt: skip
        client.bus.flush_sync(None)
        client.close()

    def do_stream(self):
        """Opens one, reads nothing, and vanishes."""
        client = Client(self.bed.bus.address, signals=False)
        try:
            _, fds = client.bus.call_with_unix_fd_list_sync(
                BUS_NAME, RADIO, BUS_NAME + ".Monitor", self.dice.choice(("OpenRxLog", "OpenFrames")),
                GLib.Variant("(a{sv})", ({},)), None, 0, 20000, None, None,
            )  # fmt: skip
            self.sim.control("push", frame="880000ff00")
            for fd in fds.steal_fds():
                os.close(fd)
        finally:
            client.close()

    def do_read(self):
        """A person reads what is new."""
        unread = {"Unread": GLib.Variant("b", True)}
        paths = [path for path, _ in self.connection().list_messages(filter_=unread)]
        if paths:
            self.connection().call(RADIO, "Messages", "MarkRead", "(ao)", paths)

    def do_reload(self):
        self.write_config()
        self.bed.daemon.process.send_signal(signal.SIGHUP)
        self.turn(0.2)
        self.ready()

    def do_radio_comes_and_goes(self):
        self.extra = not self.extra
        self.do_reload()

    def do_bus(self):
        self.subscriber.leave()
        self.bed.bus.kill()
        self.bed.programs.remove(self.bed.bus)
        self.bed.start_bus()
        self.wait(lambda: self.state() is not None, "the name on the new bus")
        self.ready()

    # -- the month ------------------------------------------------------------

    def plan(self):
        """What happens in a day, in an order of the seed."""
        names = []
        for name, often in A_DAY.items():
            often *= self.busy
            names += [name] * (int(often) + (self.dice.random() < often - int(often)))
        self.dice.shuffle(names)
        return names

    def sample(self, day):
        self.ready()
        self.connection().settle()
        self.turn(0.1)
        pid = self.bed.daemon.pid
        values = {"day": round(day, 2), "seconds": round(time.monotonic() - self.begun, 1)}
        with open(f"/proc/{pid}/status", encoding="ascii") as status:
            for line in status:
                key, _, value = line.partition(":")
                if key in ("VmRSS", "RssAnon"):
                    values["rss_kib" if key == "VmRSS" else "anon_kib"] = int(value.split()[0])
        values["fds"] = len(os.listdir(f"/proc/{pid}/fd"))
        for name, column in (("store.db", "store_kib"), ("store.db-wal", "wal_kib"), ("spool", "spool_kib")):
            path = os.path.join(self.bed.state_dir, name)
            values[column] = os.path.getsize(path) // 1024 if os.path.exists(path) else 0
        contacts = self.connection().get_all(RADIO, "Contacts")
        values["contacts"], values["pending"] = contacts["Count"], contacts["Pending"]
        values["last_id"] = self.connection().get(RADIO, "Messages", "LastId")
        oldest = self.connection().list_messages(limit=1, order="newer")
        values["messages"] = values["last_id"] - oldest[0][1]["Id"] + 1 if oldest else 0
        self.samples.append(values)
        self.report("  ".join(f"{values[column]:>10}" for column in COLUMNS))

    def run(self):
        self.report("  ".join(f"{column:>10}" for column in COLUMNS))
        self.sample(0)
        start = time.monotonic()
        for day in range(self.days):
            events = self.plan()
            for number, name in enumerate(events):
                due = start + self.day_seconds * (day + number / len(events))
                if due - time.monotonic() > 0.002:
                    self.turn(due - time.monotonic())
                elif number % 20 == 0:
                    self.turn(0)
                self.happen(name)
                if number % (len(events) // 4) == len(events) // 4 - 1:
                    self.sample(day + (number + 1) / len(events))
        self.extra = False
        self.do_reload()
        self.wait(lambda: self.sim.control("stats")["waiting"] == 0, "an empty queue")
        self.wait(self.all_seen, "the rest for the client")
        self.sample(self.days)

    def close(self):
        self.subscriber.leave()
        if self.client:
            self.client.close()

    # -- what came of it ----------------------------------------------------------

    @staticmethod
    def name_of(text):
        return text.rpartition("message ")[2]

    def all_seen(self):
        self.handed = [
            self.name_of(bytes.fromhex(frame).decode("utf-8", "replace")) for frame in self.sim.control("popped")["frames"]
        ]
        return len(self.subscriber.records) >= len(self.handed)

    def growth(self, column):
        """How much the highest of the last quarter is above the highest of the second quarter."""
        n = len(self.samples)
        values = [sample[column] for sample in self.samples]
        return max(values[n * 3 // 4 :]) - max(values[n // 4 : n // 2])

    def check(self):
        """What is wrong, in words."""
        wrong = []
        seen = [self.name_of(record["Text"]) for record in self.subscriber.records.values()]
        if sorted(seen) != sorted(self.handed):
            missing = collections.Counter(self.handed) - collections.Counter(seen)
            doubled = collections.Counter(seen) - collections.Counter(self.handed)
            wrong.append(f"messages: not seen {list(missing)[:5]}, too often {list(doubled)[:5]}")
        if max(self.subscriber.seen.values()) > 1:
            wrong.append("a message was told twice")
        first, last = self.samples[0], self.samples[-1]
        if last["fds"] > first["fds"] + 1:
            wrong.append(f"descriptors: {first['fds']} at first, {last['fds']} in the end")
        return wrong

    def check_growth(self, limits):
        return [f"{column}: grown by {self.growth(column)} since the second quarter, more than {limit}"
                for column, limit in limits.items() if self.growth(column) > limit]  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--day-seconds", type=float, default=64, help="seconds that a day takes (default 64)")
    parser.add_argument("--seed", default=str(random.randrange(1 << 32)), help="of an earlier run")
    parser.add_argument("--csv", help="write the curve there")
    parser.add_argument("--json", help="write curve, counts and findings there")
    options = parser.parse_args()
    print(f"seed {options.seed}, {options.days} days of {options.day_seconds} s", flush=True)
    with Bed() as bed:
        soak = Soak(bed, options.days, options.day_seconds, options.seed, lambda line: print(line, flush=True))
        try:
            soak.run()
        finally:
            if options.csv:
                with open(options.csv, "w", encoding="ascii", newline="") as file:
                    writer = csv.DictWriter(file, COLUMNS)
                    writer.writeheader()
                    writer.writerows(soak.samples)
        wrong = soak.check() + soak.check_growth({"anon_kib": 1024, "fds": 1, "store_kib": 2048, "spool_kib": 0})
        if options.json:
            with open(options.json, "w", encoding="utf-8") as file:
                json.dump({"seed": options.seed, "samples": soak.samples, "count": soak.count, "wrong": wrong}, file)
        soak.close()
        wrong += bed.stop()
    print(json.dumps(soak.count))
    print("\n".join(wrong) or "flat, and nothing lost or doubled")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
