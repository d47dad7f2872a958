# SPDX-License-Identifier: GPL-3.0-or-later
"""The mesh around a radio: traces, discoveries, raw bytes, and the budget of air time; against the simulator, and with
the recorded session trace_and_path_discovery: what the app of then did, asked for over D-Bus, reaches the radio as
the same frames, but for tags and times, and what the radio of then said is on the bus."""

import json

from companion import FakeRadio, Transcript, contact_record
from fixture import Case, GLib, contact_path, radio_path
from programs import Program, find_program

RADIO = radio_path("sim")
BOB = bytes.fromhex("a4ca8e5542c96d1a578bdafd13b0d80d1a75d48bd33e5680a0b9999d35f2c713")
REPEATER = bytes.fromhex("54184a546cb67f739cc09872971b525f3c412e6d14d1c2f5eaf51064664f638b")

# What of a command is chosen anew each time: tags, and the time of a text.
VOLATILE = {36: slice(1, 5), 55: slice(3, 7), 2: slice(3, 7)}


def options(**values):
    return {name: GLib.Variant(*value) for name, value in values.items()}


class RecordedMesh(FakeRadio):
    """Answers a command with all that followed it in the recording, with the tag of the command."""

    def __init__(self, name, contacts):
        self.exchanges = []  # command, frames until the next one
        for line in Transcript(name).lines:
            entry = json.loads(line)
            frame = bytes.fromhex(entry["hex"])[3:]
            if entry["dir"] == "app>radio":
                self.exchanges.append((frame, []))
            elif self.exchanges:
                self.exchanges[-1][1].append(frame)
        self.place = 0
        super().__init__(contacts=contacts, answer=self.recorded)

    @staticmethod
    def masked(frame):
        part = VOLATILE.get(frame[0], slice(0, 0))
        return frame[: part.start] + frame[part.stop :], frame[part]

    def recorded(self, frame):
        if frame[0] not in (2, 13, 25, 30, 36, 39, 42, 52, 55, 61):
            return None
        wanted, tag = self.masked(frame)
        order = list(range(self.place, len(self.exchanges))) + list(range(self.place))
        for i in order:
            command, frames = self.exchanges[i]
            recorded, old = self.masked(command)
            if recorded != wanted:
                continue
            self.place = i
            # a text's answers have another tag, that of its acknowledgement
            return [f.replace(old, tag) if tag and frame[0] != 2 else f for f in frames]
        return None

    def sent(self, code):
        return [self.masked(frame)[0] for frame in self.log if frame[0] == code]

    def commands(self, code):
        return [self.masked(command)[0] for command, _ in self.exchanges if command[0] == code]


class Tests(Case):
    def monitor(self, client, method, signature, *arguments):
        return client.call(RADIO, "Monitor", method, signature, *arguments)

    def trace(self, client, *hops, **values):
        return self.monitor(client, "TracePath", "(aaya{sv})", [bytes.fromhex(hop) for hop in hops], options(**values))

    def begin(self, arguments=()):
        sim, client = self.start(arguments)
        self.keys = {contact["Name"]: key for key, contact in client.contacts().items()}
        return sim, client

    def test_replay(self):
        radio = RecordedMesh("trace_and_path_discovery", [
            contact_record(BOB, b"Bob"), contact_record(REPEATER, b"Repeater One", type_=2, path_len=0)])  # fmt: skip
        self.addCleanup(radio.close)
        client = self.client()
        self.bed.start_daemon({"sim": radio.transport})
        client.wait_for_state("ready")
        client.settle()
        bob, repeater = contact_path("sim", BOB.hex()), contact_path("sim", REPEATER.hex())

        hops = self.trace(client, "54")
        self.assertEqual(hops, [{"Hash": "54", "Contact": repeater, "Snr": 7.5}, {"Snr": 7.5}])
        hops = self.trace(client, "5418", AuthCode=("u", 7))
        self.assertEqual((hops[0]["Hash"], hops[0]["Snr"], hops[1]["Snr"]), ("5418", 7.5, 7.5))
        # better than then: a path of odd length does not go that far
        self.assert_bus_error("InvalidArguments", self.trace, client, "1122", "33")
        self.assertEqual(radio.sent(36), radio.commands(36)[:2])

        out, back = client.call(bob, "Contact", "DiscoverPath", "(a{sv})", {})
        self.assertEqual(([bytes(h) for h in out], [bytes(h) for h in back]), ([b"\x54"], [b"\x54"]))

        def send(text):
            message = client.call(bob, "Contact", "SendText", "(sa{sv})", text, {})
            client.wait_message_state(message, "delivered")

        def path():
            client.call(bob, "Contact", "Refresh")
            return [bytes(hop) for hop in client.get(bob, "Contact", "Path")]

        send("over the hill")
        self.assertEqual(path(), [b"\x54"])
        send("again, direct")
        heard, hops = client.call(bob, "Contact", "GetAdvertPath")
        self.assertEqual([bytes(h) for h in hops], [b"\x54"])
        self.assertGreater(heard, 0)

        values = client.call(bob, "Contact", "DiscoverPath", "(a{sv})", {})
        self.assertEqual(len(values), 2)
        nodes = self.monitor(client, "DiscoverNodes", "(a{sv})",
                             options(Types=("as", ["repeater"]), WaitUSec=("t", 1000000)))  # fmt: skip
        self.assertEqual(nodes, [{"Key": REPEATER.hex(), "Contact": repeater, "Type": "repeater", "Snr": 7.5,
                                  "SnrThere": 7.5, "Rssi": -71}])  # fmt: skip
        told = client.wait_signal("ControlData", "Monitor")
        self.assertEqual((bytes(told.arguments[0][6:]), told.arguments[1]), (REPEATER, {"Snr": 7.5, "Rssi": -71}))
        self.assertEqual(radio.sent(55), radio.commands(55))

        client.call(RADIO, "Radio", "SetPathHashSize", "(y)", 2)
        client.call(bob, "Contact", "ResetPath")
        send("two byte hops")
        self.assertEqual(path(), [b"\x54\x18"])
        # better than then: four is out of the range that the daemon knows
        self.assert_bus_error("InvalidArguments", client.call, RADIO, "Radio", "SetPathHashSize", "(y)", 4)

        self.monitor(client, "SendRaw", "(aayay)", [], b"rawdata!")
        told = client.wait_signal("RawData", "Monitor")
        self.assertEqual((bytes(told.arguments[0]), told.arguments[1]), (b"raw in", {"Snr": 7.5, "Rssi": -71}))
        self.assertEqual(radio.sent(25), radio.commands(25)[:1])
        self.assertEqual(radio.sent(2), radio.commands(2)[:3])
        self.assertEqual(set(radio.sent(52)), set(radio.commands(52)))
        self.assertEqual(radio.sent(42), radio.commands(42)[:1])

    def test_trace(self):
        sim, client = self.begin()
        hilltop = self.keys["Hilltop"]
        for size in (1, 2, 4, 8):
            hops = self.trace(client, hilltop[: 2 * size])
            self.assertEqual([hop.get("Hash") for hop in hops], [hilltop[: 2 * size], None])
            self.assertEqual(hops[0]["Contact"], contact_path("sim", hilltop))
        count = sim.control("stats")["commands"]["36"]
        self.assert_bus_error("InvalidArguments", self.trace, client)
        self.assert_bus_error("InvalidArguments", self.trace, client, "112233")
        self.assertEqual(sim.control("stats")["commands"]["36"], count)
        self.assert_bus_error("Timeout", self.trace, client, "0e")
        # one that nobody waits for
        sim.control("push", frame="89000100" + "01020304" + "00000000" + "54" + "1e" + "14")
        told = client.wait_signal("Traced", "Monitor")
        self.assertEqual(told.arguments[0][-1], {"Snr": 5.0})

    def test_discover(self):
        _, client = self.begin()
        nodes = self.monitor(client, "DiscoverNodes", "(a{sv})", options(WaitUSec=("t", 3000000)))
        found = {node["Contact"]: node["Type"] for node in nodes}
        self.assertEqual(found.get(contact_path("sim", self.keys["Hilltop"])), "repeater")
        self.assert_bus_error("InvalidArguments", self.monitor, client, "DiscoverNodes", "(a{sv})",
                              options(WaitUSec=("t", 1)))  # fmt: skip

    def test_bytes(self):
        sim, client = self.begin()
        self.monitor(client, "SendRaw", "(aayay)", [bytes.fromhex(self.keys["Hilltop"][:2])], b"some bytes")
        self.monitor(client, "SendControl", "(ay)", b"\x80\x04abcd")
        self.monitor(client, "SendPacket", "(yay)", 1, b"\x3e\x00raw in")
        commands = sim.control("stats")["commands"]
        self.assertEqual([commands[code] for code in ("25", "55", "65")], [1, 1, 1])
        self.assert_bus_error("InvalidArguments", self.monitor, client, "SendRaw", "(aayay)", [], b"abc")
        self.assert_bus_error("InvalidArguments", self.monitor, client, "SendControl", "(ay)", b"\x10")
        sim.control("push", frame="841eb9ff" + b"hello".hex())
        self.assertEqual(bytes(client.wait_signal("RawData", "Monitor").arguments[0]), b"hello")

    def test_old_firmware(self):
        _, client = self.begin(["--firmware", "1.9.0"])
        self.assert_bus_error("NotSupported", self.monitor, client, "DiscoverNodes", "(a{sv})", {})
        self.assert_bus_error("NotSupported", self.monitor, client, "SendControl", "(ay)", b"\x80\x04abcd")
        self.assert_bus_error("NotSupported", self.monitor, client, "SendPacket", "(yay)", 1, b"\x3e\x00raw in")
        channel = f"{RADIO}/channel/0"
        self.assert_bus_error("NotSupported", client.call, channel, "Channel", "SendData", "(qaya{sv})", 0xFF01, b"x", {})

    def test_contact(self):
        sim, client = self.begin()
        anna = contact_path("sim", self.keys["Anna"])
        sim.control("advert", name="Anna")
        client.wait_signal("AdvertHeard", "Contacts")
        heard, path = client.call(anna, "Contact", "GetAdvertPath")
        self.assertEqual(path, [])
        self.assertLess(abs(heard - GLib.get_real_time()), 3600 * 10**6)
        client.call(anna, "Contact", "Refresh")
        hilltop = contact_path("sim", self.keys["Hilltop"])
        self.assertFalse(client.call(hilltop, "Node", "HasConnection"))
        sim.control("remove-contact", name="Anna")
        self.assert_bus_error("NotFound", client.call, anna, "Contact", "Refresh")

    def test_datagram(self):
        sim, client = self.begin()
        channel = f"{RADIO}/channel/1"
        message = client.call(channel, "Channel", "SendData", "(qaya{sv})", 0xFF01, b"\x00\x01\x02", {})
        client.wait_message_state(message, "sent")
        record = client.get_all(message, "Message")
        self.assertEqual((record["Kind"], record["DataType"], bytes(record["Data"])), ("data", 0xFF01, b"\0\1\2"))
        self.assertEqual(sim.control("stats")["commands"]["62"], 1)
        again = client.call(message, "Message", "Resend")
        client.wait_message_state(again, "sent")
        self.assertEqual(bytes(client.get(again, "Message", "Data")), b"\0\1\2")
        self.assert_bus_error("InvalidArguments", client.call, channel, "Channel", "SendData", "(qaya{sv})", 0, b"x", {})
        self.assert_bus_error("InvalidArguments", client.call, channel, "Channel", "SendData", "(qaya{sv})", 1,
                              bytes(166), {})  # fmt: skip
        sim.control("datagram", channel="#test", type=0xFF01, data="0304")
        received = client.wait_signal("Received", "Messages").arguments[2]
        self.assertEqual((received["Kind"], received["DataType"], bytes(received["Data"])), ("data", 0xFF01, b"\3\4"))

    def airtime(self, client):
        names = ("AirtimeBudgetUSec", "AirtimeUsedUSec", "AirtimeRefill", "AirtimeNextUSec")
        return [client.get(RADIO, "Radio", name) for name in names]

    def test_air_time(self):
        """So slow that one question uses up an hour's worth: the next ones are refused, a text goes."""
        sim, client = self.begin()
        budget, used, refill, free = self.airtime(client)
        self.assertEqual((budget, used, refill, free), (180 * 10**6, 0, 0.05, 0))
        client.call(RADIO, "Radio", "SetTuning", "(a{sv})", options(AirtimeFactor=("d", 9)))
        client.call(RADIO, "Radio", "SetRadioParameters", "(a{sv})",
                    options(SpreadingFactor=("y", 12), BandwidthHz=("u", 7800)))  # fmt: skip
        quick = options(WaitUSec=("t", 1000000))
        while self.airtime(client)[1] < budget:
            self.monitor(client, "DiscoverNodes", "(a{sv})", quick)
        self.assertGreater(self.airtime(client)[3], GLib.get_real_time())
        other = self.client()  # shared by all
        why = self.assert_bus_error("RateLimited", self.monitor, other, "DiscoverNodes", "(a{sv})", quick)
        self.assertRegex(why, r"try again in [0-9]+ s")
        self.assert_bus_error("RateLimited", client.call, contact_path("sim", self.keys["Hilltop"]), "Node", "GetStatus",
                              "(a{sv})", {})  # fmt: skip
        self.assert_bus_error("RateLimited", client.call, RADIO, "Radio", "Advertise", "(a{sv})", {})
        message = client.call(contact_path("sim", self.keys["Anna"]), "Contact", "SendText", "(sa{sv})", "hello", {})
        client.wait(lambda: client.get(message, "Message", "State") in ("sent", "delivered"), "the text is sent")

    # -- the command line tool ---------------------------------------------------------

    def ctl(self, *arguments, status=0):
        result = self.bed.run("meshcorectl", "--session", *arguments, check=False)
        self.assertEqual(result.returncode, status, result.stderr)
        return result.stdout

    def follow(self, *arguments):
        """A verb that runs until it is told to stop."""
        argv = [find_program("meshcorectl"), "--session", *arguments]
        program = Program("meshcorectl", argv, self.bed.directory, self.bed.environment())
        self.bed.programs.append(program)
        return program

    def test_monitor(self):
        sim, client = self.begin()
        program = self.follow("monitor", "--json", "--kind", "daemon,data")
        program.read_line()
        sim.control("push", frame="841eb9ff" + "68656c6c6f")
        sim.control("push", frame="8e1eb90092" + "1e" + "01020304" + self.keys["Hilltop"])
        sim.control("push", frame="89000100" + "01020304" + "00000000" + "54" + "1e" + "14")
        events = [json.loads(program.read_line()) for _ in range(3)]
        self.assertEqual([(e["Event"], e["Action"]) for e in events],
                         [("data", "raw"), ("data", "control"), ("data", "trace")])  # fmt: skip
        self.assertEqual((events[0]["Data"], events[0]["Snr"], events[0]["Rssi"]), ("68656c6c6f", 7.5, -71))
        self.assertEqual([hop["Snr"] for hop in events[2]["Hops"]], [7.5, 5.0])

    def test_ctl(self):
        sim, client = self.begin()
        hilltop = self.keys["Hilltop"]
        self.assertRegex(self.ctl("radio", "trace", "Hilltop"), rf"(?m)^{hilltop[:2]} +Hilltop +")
        hops = json.loads(self.ctl("radio", "trace", "--bytes", "4", "Hilltop", "--json"))
        self.assertEqual([hop.get("Hash") for hop in hops], [hilltop[:8], None])
        self.ctl("radio", "trace", "aabb", "cc", status=2)
        found = json.loads(self.ctl("radio", "discover", "--wait", "3s", "--types", "repeater", "--json"))
        self.assertEqual([node["Key"] for node in found], [hilltop])
        self.ctl("radio", "send-raw", "Hilltop", "00112233")
        self.ctl("radio", "send-raw", "Hilltop", "0011223", status=2)
        self.ctl("radio", "send-control", "800461626364")
        self.ctl("radio", "send-packet", "--priority", "1", "3e0072617720696e")
        commands = sim.control("stats")["commands"]
        self.assertEqual((commands["25"], commands["65"]), (1, 1))
        self.assertRegex(self.ctl("radio", "show"), r"(?m)^Air time budget: +[0-9.]+ of 180 s used, 5 % of the time$")

        sim.control("advert", name="Anna")
        client.wait_signal("AdvertHeard", "Contacts")
        self.assertRegex(self.ctl("contact", "advert-path", "Anna"), r"(?m)^path +direct$")
        self.assertEqual(json.loads(self.ctl("contact", "advert-path", "Anna", "--json"))["Path"], [])
        self.ctl("contact", "refresh", "Anna")
        self.assertEqual(self.ctl("node", "connection", "Hilltop"), "no\n")
        path = self.ctl("channel", "send-data", "#test", "ff01", "0102").strip()
        client.wait_message_state(path, "sent")
        self.ctl("channel", "send-data", "#test", "zz", "0102", status=2)
