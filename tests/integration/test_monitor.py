# SPDX-License-Identifier: GPL-3.0-or-later
"""What the radio hears and what is said on the link, through descriptors; and recordings of it that play again."""

import json
import os
import signal
import socket

from fixture import Case, Gio, GLib, contact_path, radio_path
from programs import BUS_NAME, TIMEOUT, Program, find_program

RADIO = radio_path("sim")
SECRET = bytes(range(0xC0, 0xD0))
SCOPE = b"\x4b" * 16
PIN = 654321


class Stream:
    """The read end."""

    def __init__(self, case, client, member):
        _, fds = client.bus.call_with_unix_fd_list_sync(
            BUS_NAME, RADIO, BUS_NAME + ".Monitor", member, GLib.Variant("(a{sv})", ({},)), None,
            Gio.DBusCallFlags.NONE, int(TIMEOUT * 1000), None, None,
        )  # fmt: skip
        self.socket = socket.socket(fileno=fds.get(0))
        self.socket.settimeout(TIMEOUT)
        case.addCleanup(self.socket.close)

    def next(self):
        """The next record; None at the end."""
        data = self.socket.recv(65536)
        if data:
            assert len(data) < 4096, data
            return json.loads(data)
        return None

    def until(self, condition):
        """All records up to the one that meets it."""
        records = []
        while not (records and condition(records[-1])):
            records.append(self.next())
        return records

    def waiting(self):
        """What is there already."""
        records = []
        self.socket.setblocking(False)
        try:
            while True:
                records.append(self.next())
        except BlockingIOError:
            return records
        finally:
            self.socket.settimeout(TIMEOUT)


class Tests(Case):
    def open(self, client, member):
        return Stream(self, client, member)

    def background(self, *arguments):
        argv = [find_program("meshcorectl"), "--session", *arguments]
        program = Program("meshcorectl", argv, self.bed.directory, self.bed.environment())
        self.bed.programs.append(program)
        return program

    def test_packets(self):
        """Packets are decoded as far as this radio may know: an advert, a text of its channel, a text for others."""
        sim, client = self.start()
        stream = self.open(client, "OpenRxLog")
        anna = next(c for c in client.contacts().values() if c["Name"] == "Anna")

        sim.control("channel-text", channel="#test", author="Anna", text="is anybody [31mthere")
        record = stream.until(lambda r: r.get("Type") == "channel-text")[-1]
        channel = record["Channel"]
        self.assertEqual((channel["Name"], channel["Author"]), ("#test", "Anna"))
        self.assertEqual(channel["Text"], "is anybody [31mthere")
        self.assertEqual(bytes.fromhex(record["Packet"])[-len(record["Payload"]) // 2 :].hex(), record["Payload"])

        sim.control("advert", name="Anna")
        record = stream.until(lambda r: r.get("Type") == "advert")[-1]
        self.assertEqual(record["Advert"]["Key"], anna["Key"])
        self.assertEqual((record["Advert"]["Name"], record["Advert"]["Type"]), ("Anna", "chat"))
        self.assertIs(record["Advert"]["Verified"], True)

        sim.control("text", from_="Anna", text="for us alone")
        record = stream.until(lambda r: r.get("Type") == "text")[-1]
        self.assertEqual(record["Source"], anna["Key"][:2])
        self.assertNotIn("for us alone", json.dumps(record))

        # what is no packet of the mesh is told as it is
        sim.control("push", frame="88fcc2ffff")
        record = stream.until(lambda r: r["Packet"] == "ffff")[-1]
        self.assertEqual((record["Snr"], record["Rssi"]), (-1, -62))
        self.assertNotIn("Type", record)

    def test_slow_reader(self):
        """Who does not read loses the newest and is told how many, and nobody waits for him."""
        sim, client = self.start()
        slow, fast = self.open(client, "OpenRxLog"), self.open(client, "OpenRxLog")
        n = 1500
        for i in range(n):
            sim.control("push", frame=f"880000ff{i:04x}")
            self.assertEqual(fast.until(lambda r, i=i: r["Packet"] == f"ff{i:04x}")[-1].get("Lost"), None)
        kept = slow.waiting()
        self.assertEqual([r["Packet"] for r in kept], [f"ff{i:04x}" for i in range(len(kept))])
        self.assertFalse(any("Lost" in r for r in kept))
        self.assertGreater(len(kept), 100)
        self.assertLess(len(kept), n)

        sim.control("push", frame="880000ffee")
        self.assertEqual(slow.next()["Lost"], n - len(kept))
        sim.control("push", frame="880000ffef")
        self.assertNotIn("Lost", slow.next())

    def test_limit(self):
        """Four streams of one user over all radios; whoever closes one makes room."""
        _, client = self.start()
        streams = [self.open(client, member) for member in ("OpenRxLog", "OpenFrames") * 2]
        again = lambda: self.assert_bus_error("InProgress", client.call, RADIO, "Monitor", "OpenRxLog", "(a{sv})", {})
        again()
        streams[0].socket.close()

        def opened():
            try:
                return self.open(client, "OpenFrames")
            except GLib.Error:
                return None

        client.wait(opened, "room for a stream")
        again()
        self.assert_bus_error(
            "InvalidArguments", client.call, RADIO, "Monitor", "OpenRxLog", "(a{sv})", {"X": GLib.Variant("b", True)}
        )

    def test_lifetime(self):
        """A stream outlives link and bus, and ends with the daemon."""
        sim, client = self.start()
        stream = self.open(client, "OpenFrames")
        sim.control("link", action="drop")
        records = stream.until(lambda r: r.get("Name") == "SELF_INFO")
        self.assertEqual({r["Connection"] for r in records}, {2})
        self.assertEqual(records[0]["Name"], "DEVICE_QUERY")
        client.wait_for_state("ready")

        self.bed.daemon.terminate()
        self.bed.programs.remove(self.bed.daemon)
        self.bed.daemon = None
        while stream.next() is not None:
            pass

    def test_secrets(self):
        """No key, PIN, password or secret that passes the link is in the frames, in either direction."""
        sim, client = self.start()
        stream = self.open(client, "OpenFrames")
        hilltop = next(k for k, c in client.contacts().items() if c["Name"] == "Hilltop")
        node = contact_path("sim", hilltop)

        client.call(RADIO, "Channels", "Set", "(ysaya{sv})", 5, "ours", SECRET, {})
        client.call(RADIO, "Radio", "SetDevicePin", "(u)", PIN)
        client.call(RADIO, "Radio", "SetFloodScope", "(sa{sv})", "bergen", {"Key": GLib.Variant("ay", SCOPE)})
        default = {"Key": GLib.Variant("ay", SCOPE), "Default": GLib.Variant("b", True)}
        client.call(RADIO, "Radio", "SetFloodScope", "(sa{sv})", "bergen", default)
        client.call(node, "Node", "Login", "(sa{sv})", "password", {})
        client.call(node, "Node", "Command", "(sa{sv})", "password trustno1", {})
        key = bytes(client.call(RADIO, "Radio", "ExportKey"))
        client.call(RADIO, "Radio", "ImportKey", "(ay)", key)
        sim.control("link", action="drop")
        client.wait_signal("StateChanged", "Radio", where=lambda old, new, *_: old == "ready")
        client.wait_for_state("ready")
        client.settle()

        records = stream.waiting()
        text = "".join(r["Frame"] + " " for r in records)
        public = bytes.fromhex("8b3387e9c5cdea6ac9e5edbaa115cd72")
        for secret in (SECRET, SCOPE, PIN.to_bytes(4, "little"), b"password", b"trustno1", key, key[:8], public):
            self.assertNotIn(secret.hex(), text)
        for name in ("IMPORT_PRIVATE_KEY", "SEND_LOGIN", "SET_CHANNEL", "SET_DEVICE_PIN", "SET_FLOOD_SCOPE_KEY",
                     "SET_DEFAULT_FLOOD_SCOPE", "SEND_TXT_MSG", "DEVICE_INFO", "PRIVATE_KEY", "CHANNEL_INFO",
                     "DEFAULT_FLOOD_SCOPE"):  # fmt: skip
            blanked = [r for r in records if r.get("Name") == name and r.get("Blanked")]
            self.assertNotEqual(blanked, [], name)

    def test_repeats(self):
        """A channel text that a repeater passes on comes back, and says on which way; also after a restart."""
        _, client = self.start()
        hilltop = next(k for k, c in client.contacts().items() if c["Name"] == "Hilltop")
        message = client.call(RADIO, "Radio", "SendText", "(ssa{sv})", "#test", "who hears me?", {})
        client.wait_message_state(message, "sent")
        client.wait(lambda: client.get(message, "Message", "Repeats"), "a repeat")
        repeats = client.get(message, "Message", "Repeats")
        self.assertIn([list(bytes.fromhex(hilltop[:2]))], repeats)
        client.wait_signal("PropertiesChanged", where=lambda _, changed, __: "Repeats" in changed)
        records = {path: record for path, record in client.list_messages()}
        self.assertEqual(records[message]["Repeats"], repeats)
        self.assertRegex(
            self.bed.ctl("message", message.rpartition("/")[2]).stdout, rf"(?m)^Repeats +{len(repeats)}: .*{hilltop[:2]}"
        )

        self.assertRegex(self.bed.ctl("messages").stdout, rf"sent, {len(repeats)} repeats?\b")

        self.restart_daemon(client)
        self.assertEqual(client.get(message, "Message", "Repeats"), repeats)

    def test_unknown_frame(self):
        """What later firmware may say is told, but an answer only by its code."""
        sim, client = self.start()
        stream = self.open(client, "OpenFrames")
        sim.control("push", frame="f0010203")
        sim.control("push", frame="7001")
        first = client.wait_signal("UnknownFrame", "Monitor", RADIO, where=lambda code, _: code == 0xF0)
        second = client.wait_signal("UnknownFrame", "Monitor", RADIO, where=lambda code, _: code == 0x70)
        self.assertEqual(bytes(first.arguments[1]), bytes([1, 2, 3]))
        self.assertEqual(bytes(second.arguments[1]), b"")
        records = stream.until(lambda r: r["Frame"] == "7001")
        self.assertTrue(all("Name" not in r for r in records if r["Frame"] in ("f0010203", "7001")))

    def test_rx_log(self):
        """meshcorectl rx-log, for people and for programs; it ends by number, by time and by signal."""
        sim, client = self.start()
        people = self.background("rx-log")
        self.assertIn("CONTENT", people.read_line())
        sim.control("channel-text", channel="#test", author="Anna", text="hello \x1b[2J")
        line = people.read_line()
        while "channel-text" not in line:
            line = people.read_line()
        self.assertIn("[#test] Anna: hello \\x1b[2J", line)
        status, _ = people.terminate()
        self.assertEqual(status, 0)

        programs = self.background("--json", "rx-log", "--count", "1")
        self.wait_watched(sim, programs, lambda line: json.loads(line)["Packet"] == "ff01")
        self.assertEqual(programs.wait(), 0)
        self.bed.ctl("rx-log", "--duration", "1s")
        result = self.bed.ctl("rx-log", "--duration", "soon", check=False)
        self.assertEqual(result.returncode, 2)

        left = self.background("rx-log")
        left.read_line()
        self.bed.daemon.terminate()
        self.bed.programs.remove(self.bed.daemon)
        self.assertEqual(left.wait(), 3)
        self.assertIn("ended", left.log())

    def wait_watched(self, sim, program, seen):
        """A program that has just been started sees something from some moment on."""
        for _ in range(int(TIMEOUT * 10)):
            sim.control("push", frame="880000ff01")
            try:
                if seen(program.read_line(0.1)):
                    return
            except AssertionError:
                self.assertTrue(program.running(), program.log())
        self.fail("nothing was seen")

    def test_capture(self):
        """A recorded session, played by the simulator to a daemon that knows nothing, is the same on the bus."""
        client = self.client()
        sim = self.bed.start_sim()
        self.bed.start_daemon({"sim": {"Transport": sim.transport, "Enabled": "no"}})
        client.wait_for_state("stopped")
        path = os.path.join(self.bed.directory, "session.jsonl")
        self.assertEqual(self.bed.ctl("capture", "/nowhere/file", check=False).returncode, 1)
        with open(path, "w", encoding="ascii") as file:
            file.write("an older one")
        os.chmod(path, 0o644)
        self.assertEqual(self.bed.ctl("capture", path, "--radio", "other", check=False).returncode, 4)
        self.assertEqual(os.path.getsize(path), len("an older one"))
        sim.control("text", from_="Bob", text="while you were away")
        capture = self.background("capture", path, "--reconnect")
        client.wait_for_state("ready")
        sim.control("text", from_="Anna", text="Grüße")
        sim.control("channel-text", channel="#test", author="Zoë", text="to all")
        client.wait_signal("Received", "Messages", count=3)
        message = client.call(RADIO, "Radio", "SendText", "(ssa{sv})", "Anna", "answer", {})
        client.wait_message_state(message, "delivered")
        client.settle()
        capture.process.send_signal(signal.SIGINT)
        self.assertEqual(capture.wait(), 0)
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)

        with open(path, encoding="utf-8") as file:
            lines = [json.loads(line) for line in file]
        self.assertEqual((lines[0]["t"], lines[0]["conn"], lines[0]["dir"]), (0, 1, "app>radio"))
        self.assertEqual(lines[0]["note"], "command DEVICE_QUERY")
        for line in lines:
            frame = bytes.fromhex(line["hex"])
            self.assertEqual(frame[:1], b"<" if line["dir"] == "app>radio" else b">")
            self.assertEqual(int.from_bytes(frame[1:3], "little") + 3, len(frame))
        self.assertNotIn("8b3387e9c5cdea6ac9e5edbaa115cd72", json.dumps(lines))

        def picture(client):
            key = lambda r: (r["Kind"], r["PeerPrefix"], r["Author"], r["Text"], r["SenderTimestampUSec"])
            contacts = {
                k: {name: c[name] for name in ("Name", "Type", "Flags", "LastAdvertUSec", "OnRadio")}
                for k, c in client.contacts().items()
            }
            channels = {slot: (c["Name"], c["Kind"]) for slot, c in client.channels().items()}
            received = client.all_messages(filter_={"Direction": GLib.Variant("s", "received")})
            return contacts, channels, [key(r) for r in received]

        before = picture(client)
        self.assertEqual(len(before[2]), 3)
        self.bed.daemon.terminate()
        self.bed.programs.remove(self.bed.daemon)
        client.wait_owned(False)
        self.bed.state_dir = os.path.join(self.bed.directory, "fresh")
        player = self.bed.start_sim("player", arguments=["--replay", path])
        self.bed.start_daemon({"sim": player})
        client.wait_for_state("ready")
        client.wait(lambda: len(picture(client)[2]) >= 3, "the messages")
        client.settle()
        after = picture(client)
        self.assertEqual(after[0], before[0])
        self.assertEqual(after[1], before[1])
        self.assertEqual(sorted(after[2]), sorted(before[2]))
        channel = next(r["Channel"] for r in client.all_messages() if r["Author"] == "Zoë")
        self.assertEqual(client.get(channel, "Channel", "Name"), "#test")
