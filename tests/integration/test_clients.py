# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients that are wrong, rude or away, and the others beside them."""

import collections
import os
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ElementTree

from companion import FakeRadio, contact_record, text_frame
from fixture import ERROR, IFACE, ROOT, BusError, Case, GLib, contact_path, radio_path
from storm import Subscriber

RADIO = radio_path("sim")
CALLS = 3000

# Many calls at once over a connection of its own: argv is the address of the bus and how many.
FLOOD = """
import sys, time
from gi.repository import Gio, GLib
bus = Gio.DBusConnection.new_for_address_sync(sys.argv[1], Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT
                                              | Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION, None, None)
radio, total = "/org/meshcored1/radio/sim", int(sys.argv[2])
calls = [
    ("org.freedesktop.DBus.Properties", "GetAll", GLib.Variant("(s)", ("org.meshcored1.Radio",))),
    ("org.meshcored1.Contacts", "Find", GLib.Variant("(s)", ("a",))),
    ("org.meshcored1.Messages", "List", GLib.Variant("(a{sv}tua{sv})", ({}, 0, 50, {}))),
    ("org.meshcored1.Radio", "SendText", GLib.Variant("(ssa{sv})", ("nobody", "x", {}))),
    ("org.meshcored1.Radio", "Nonsense", None),
]
left, begun = total, time.monotonic()
def answered(bus, result):
    global left
    try:
        bus.call_finish(result)
    except GLib.Error:
        pass
    left -= 1
print("go", flush=True)
for n in range(total):
    interface, member, arguments = calls[n % len(calls)]
    bus.call("org.meshcored1", radio, interface, member, arguments, None, 0, 60000, None, answered)
    # a thousand a second, as far as the machine goes along
    while time.monotonic() < begun + n / 1000:
        GLib.MainContext.default().iteration(False)
while left:
    GLib.MainContext.default().iteration(True)
print(total / (time.monotonic() - begun), flush=True)
"""


def sample(signature):
    """A value of one complete type."""
    fixed = {"s": "x", "o": "/nowhere", "y": 1, "b": True, "q": 1, "u": 1, "i": 1, "t": 1, "x": 1, "d": 1.0,
             "ay": b"x", "ao": ["/nowhere"], "a{sv}": {}, "(dd)": (1.0, 1.0), "aay": [b"x"]}  # fmt: skip
    return fixed[signature]


class Tests(Case):
    def methods(self, client):
        """(path, interface, method, [signatures of its arguments]) of all objects, one of each kind."""
        seen = set()
        for path, interfaces in {ROOT: {}, **client.tree()}.items():
            kind = tuple(sorted(interfaces))
            if kind in seen:
                continue
            seen.add(kind)
            text = client.call(path, "org.freedesktop.DBus.Introspectable", "Introspect")
            for interface in ElementTree.fromstring(text).findall("interface"):
                if not interface.get("name").startswith(IFACE):
                    continue
                for method in interface.findall("method"):
                    arguments = [a.get("type") for a in method.findall("arg") if a.get("direction", "in") == "in"]
                    yield path, interface.get("name"), method.get("name"), arguments

    def assert_well(self, client):
        self.assertTrue(self.bed.daemon.running())
        client.wait_for_state("ready")
        self.assertGreater(client.call(RADIO, "Radio", "Ping"), 0)

    def test_wrong_types(self):
        """Every method of every object with arguments of the wrong types: an error each time."""
        sim, client = self.start()
        name = next(c["Name"] for c in client.contacts().values() if c["Type"] == "chat")
        sim.control("text", from_=name, text="so that there is a message")
        client.wait_signal("Received", "Messages", RADIO)
        tried = 0
        for path, interface, member, arguments in list(self.methods(client)):
            right = "".join(arguments)
            wrong = ["(v)", "(aas)", "(sss)", "(tttt)", "(a{sv}a{sv}a{sv})"]
            values = {"(v)": (GLib.Variant("s", "x"),), "(aas)": ([["x"]],), "(sss)": ("x", "y", "z"),
                      "(tttt)": (1, 2, 3, 4), "(a{sv}a{sv}a{sv})": ({}, {}, {})}  # fmt: skip
            for signature in wrong:
                if signature == f"({right})":
                    continue
                with self.assertRaises(BusError, msg=f"{interface}.{member}{signature}") as caught:
                    client.call(path, interface, member, signature, *values[signature])
                self.assertIn(
                    caught.exception.name.rpartition(".")[2], ("InvalidArgs", "InvalidArguments", "InvalidSignature")
                )
                tried += 1
        self.assertGreater(tried, 100)
        self.assert_well(client)

    def test_unknown_options(self):
        """Every method with options refuses a key that it does not know, and says which."""
        _, client = self.start()
        tried = 0
        for path, interface, member, arguments in list(self.methods(client)):
            if not arguments or arguments[-1] != "a{sv}":
                continue
            values = [sample(a) for a in arguments]
            values[-1] = {"Misspelt": GLib.Variant("b", True)}
            with self.assertRaises(BusError, msg=f"{interface}.{member}") as caught:
                client.call(path, interface, member, "(" + "".join(arguments) + ")", *values)
            self.assertEqual(caught.exception.name, ERROR + "InvalidArguments", f"{interface}.{member}")
            tried += "Misspelt" in caught.exception.text
        self.assertGreaterEqual(tried, 5)
        self.assert_well(client)

    def test_huge_strings(self):
        """A megabyte in every text argument: refused or harmless, and not kept."""
        _, client = self.start()
        for path, interface, member, arguments in list(self.methods(client)):
            if "s" not in arguments:
                continue
            values = ["x" * 1000000 if a == "s" else sample(a) for a in arguments]
            if member == "Inhibit":  # takes any reason, and logs the beginning of it
                continue
            if member == "Find":
                self.assertEqual(client.call(path, interface, member, "(s)", *values), [])
                continue
            with self.assertRaises(BusError, msg=f"{interface}.{member}"):
                client.call(path, interface, member, "(" + "".join(arguments) + ")", *values)
        self.assertEqual(client.all_messages(), [])
        self.assert_well(client)

    def test_vanished_objects(self):
        """Calls for what was there a moment ago, on every interface."""
        sim, client = self.start()
        key, name = next((k, c["Name"]) for k, c in client.contacts().items() if c["Type"] == "chat")
        sim.control("text", from_=name, text="short-lived")
        message = client.wait_signal("Received", "Messages", RADIO).arguments[1]
        client.call(message, "Message", "Delete")
        client.call(contact_path("sim", key), "Contact", "Remove", "(a{sv})", {})
        for path, interface, member, signature, values in (
            (message, "Message", "MarkRead", None, ()),
            (message, "Message", "Resend", None, ()),
            (message, "Message", "Delete", None, ()),
            (contact_path("sim", key), "Contact", "SendText", "(sa{sv})", ("x", {})),
            (contact_path("sim", key), "Contact", "Remove", "(a{sv})", ({},)),
            (contact_path("sim", key), "org.freedesktop.DBus.Properties", "GetAll", "(s)", (IFACE + "Contact",)),
            (RADIO + "/channel/39", "Channel", "Clear", None, ()),
            (ROOT + "/radio/gone", "Radio", "Stop", None, ()),
        ):
            with self.assertRaises(BusError, msg=f"{path} {member}") as caught:
                client.call(path, interface, member, signature, *values)
            self.assertRegex(caught.exception.name, r"^org\.freedesktop\.DBus\.Error\.Unknown|NotFound$")
        self.assert_bus_error("NotFound", client.call, RADIO, "Radio", "SendText", "(ssa{sv})", contact_path("sim", key), "x", {})
        self.assert_well(client)

    def test_flood(self):
        """A thousand calls a second by one client: all are answered, and another one hardly notices."""
        sim, client = self.start()
        _, name = next((k, c["Name"]) for k, c in client.contacts().items() if c["Type"] == "chat")
        with subprocess.Popen(
            [sys.executable, "-c", FLOOD, self.bed.bus.address, str(CALLS)], stdout=subprocess.PIPE, text=True
        ) as flood:
            self.addCleanup(flood.kill)
            self.assertEqual(flood.stdout.readline(), "go\n")
            rate = []
            reader = threading.Thread(target=lambda: rate.append(float(flood.stdout.readline())))
            reader.start()
            latencies, sent = [], 0
            while reader.is_alive():
                begun = time.monotonic()
                client.get(RADIO, "Radio", "State")
                latencies.append(time.monotonic() - begun)
                if len(latencies) % 50 == 1:
                    sim.control("text", from_=name, text=f"in the flood {sent}")
                    sent += 1
            reader.join()
        latencies.sort()
        p50, p99 = latencies[len(latencies) // 2], latencies[len(latencies) * 99 // 100]
        print(f"{rate[0]:.0f} calls a second beside {len(latencies)}: p50 {p50 * 1e3:.2f} ms, p99 {p99 * 1e3:.1f} ms")
        self.assertGreater(len(latencies), 20)
        self.assertLess(p99, 1)
        client.wait_signal("Received", "Messages", RADIO, count=sent)
        self.assert_well(client)

    def test_thousand_calls(self):
        """A thousand calls of each kind by one client, while the radio is silent: sixteen wait, the others are
        refused at once, what reads is answered meanwhile, and each call has exactly one answer."""
        sim, client = self.start()
        key = next(k for k, c in client.contacts().items() if c["Type"] == "chat")
        node = next(k for k, c in client.contacts().items() if c["Type"] == "repeater")
        wait = {"Wait": GLib.Variant("s", "delivered")}
        calls = {
            "Ping": (RADIO, "Radio", None),
            "GetVariables": (RADIO, "Radio", None),
            "Refresh": (contact_path("sim", key), "Contact", None),
            "GetStatus": (contact_path("sim", node), "Node", GLib.Variant("(a{sv})", ({},))),
            "SendText": (RADIO, "Radio", GLib.Variant("(ssa{sv})", (key, "x", wait))),
        }
        sim.control("link", action="stall")
        answers = {member: collections.Counter() for member in calls}

        def answered(bus, result, member):
            try:
                bus.call_finish(result)
                answers[member]["ok"] += 1
            except GLib.Error as error:
                answers[member][BusError(error).name.removeprefix(ERROR)] += 1

        rude = self.client(signals=False)
        for member, (path, interface, arguments) in calls.items():
            for _ in range(1000):
                rude.bus.call(
                    "org.meshcored1", path, IFACE + interface, member, arguments, None, 0, 120000, None, answered, member
                )
        # nothing is answered by the radio, so these are the refused ones
        client.wait(lambda: sum(c["InProgress"] for c in answers.values()) == 5000 - 16, "all but sixteen are refused")
        begun = time.monotonic()
        client.get(RADIO, "Radio", "State")
        self.assertLess(time.monotonic() - begun, 5)
        for member, count in answers.items():
            self.assertLessEqual(set(count), {"InProgress"}, member)
        sim.control("link", action="resume")
        client.wait(lambda: all(sum(c.values()) == 1000 for c in answers.values()), "an answer to each")
        self.assert_well(client)

    def test_tree_is_not_kept(self):
        """Whoever asks for the objects of thousands of contacts, again and again, leaves no memory behind."""
        if os.environ.get("MESHCORED_CLOCK_SHIM") == "":
            self.skipTest("a sanitizer keeps what was freed")
        radio = FakeRadio([contact_record(n.to_bytes(2, "big") * 16, f"Node {n}", lastmod=n) for n in range(1, 4001)])
        self.addCleanup(radio.close)
        client = self.client(signals=False)
        self.bed.start_daemon({"sim": radio.transport})
        client.wait_for_state("ready")

        def anonymous():
            with open(f"/proc/{self.bed.daemon.pid}/status", encoding="ascii") as status:
                return next(int(line.split()[1]) for line in status if line.startswith("RssAnon"))

        before = anonymous()
        for _ in range(6):
            client.bus.call_sync("org.meshcored1", ROOT, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects",
                                 None, None, 0, 60000, None)  # fmt: skip
        client.settle()
        self.assertLess(anonymous() - before, 1500, "KiB")

    def test_filters(self):
        """One conversation alone: the bus filters by its path, and the others never reach the client."""
        sim, client = self.start()
        chats = [(k, c["Name"]) for k, c in client.contacts().items() if c["Type"] == "chat"][:2]
        slot = next(iter(client.channels()))
        heard = []
        for conversation in (contact_path("sim", chats[0][0]), f"{RADIO}/channel/{slot}"):
            single = self.client(signals=False)
            signals = []
            rule = (f"type='signal',sender='org.meshcored1',interface='{IFACE}Messages',member='Received',"
                    f"path='{RADIO}',arg0path='{conversation}'")  # fmt: skip
            single.call("/org/freedesktop/DBus", "org.freedesktop.DBus", "AddMatch", "(s)", rule,
                        name="org.freedesktop.DBus")  # fmt: skip
            # every message that arrives at this connection, whether or not anybody here wants it
            single.bus.add_filter(
                lambda _bus, message, incoming, found=signals: incoming
                and message.get_member() == "Received"
                and found.append(message.get_body().unpack()[2]["Text"])
                or message
            )
            heard.append((single, signals))
        for number in range(3):
            for _, name in chats:
                sim.control("text", from_=name, text=f"{number} of {name}")
            sim.control("channel-text", channel=slot, author="Ann", text=f"{number} to all")
        client.wait_signal("Received", "Messages", RADIO, count=9)
        for single, _ in heard:
            single.settle()
        self.assertEqual([found for _, found in heard],
                         [[f"{n} of {chats[0][1]}" for n in range(3)], [f"{n} to all" for n in range(3)]])  # fmt: skip

    def test_catch_up(self):
        """Two programs each see every message, and one that was away for a while gets the rest by id."""
        sim, client = self.start()
        key = next(k for k, c in client.contacts().items() if c["Type"] == "chat")
        one, two = Subscriber(self.bed), Subscriber(self.bed)
        for round_ in range(6):
            for number in range(20):
                frame = text_frame(key, f"{round_} {number}", 1700000000 + 100 * round_ + number)
                sim.control("raw-queue", frame=frame.hex())
            if round_ == 3:
                self.restart_daemon(client)
            for subscriber in (one, two) if round_ % 2 == 0 else (one,):
                client.wait(lambda s=subscriber: s.step() and len(s.seen) == 20 * (round_ + 1), "all for a subscriber")
            if round_ % 2 == 0:
                two.leave()
        client.wait(lambda: two.step() and len(two.seen) == 120, "all for the one that was away")
        self.assertEqual(one.records, two.records)
        self.assertEqual(max(one.seen.values()), 1)
        self.assertEqual([r["Text"] for r in two.records.values()], [f"{r} {n}" for r in range(6) for n in range(20)])
        one.leave()
        two.leave()
