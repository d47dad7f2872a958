#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""meshcorectl against a stand-in for the daemon: what it prints, what it calls,
how it ends, and that no hostile name comes through."""

import fcntl
import json
import os
import pty
import select
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
import unicodedata
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "integration"))

import dbus  # noqa: E402
import dbus.bus  # noqa: E402
from programs import Bed, Program, find_program  # noqa: E402

TOP = os.path.join(HERE, "..", "..")
OK, FAILED, USAGE, UNREACHABLE, NOT_FOUND, REFUSED, NOT_DELIVERED, NOT_CONNECTED = range(8)
RADIO = "/org/meshcored1/radio/home"
NOON_LOCAL = "2026-03-01 12:00:01"


def key(text):
    return (text.encode().hex() + "5a" * 32)[:64]


ALICE = f"{RADIO}/contact/{key('alice')}"
HOSTILE = {
    "escape": "Esc\x1b[31m\x1b]0;pwned\x07\nforged line\x9b1m",
    "bidi": "bidi\u202egnp\u2066.exe",
    "shell": "$(touch pwned)`touch pwned`;touch pwned",
}


def acts_on_terminal(character):
    return character != "\n" and (
        unicodedata.category(character) == "Cc" or character in "\u061c\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d"
        "\u202e\u2066\u2067\u2068\u2069"
    )


class Case(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.bed = Bed()
        self.addCleanup(self.tear_down_bed)
        self.bed.start_bus()
        self.state = os.path.join(self.bed.directory, "mock.json")
        self.mock = None

    def tear_down_bed(self):
        wrong = self.bed.stop()
        self.bed.close()
        self.assertEqual(wrong, [])

    def start_mock(self):
        argv = [sys.executable, os.path.join(HERE, "mock.py"), self.bed.bus.address, os.path.join(TOP, "dbus"), self.state]
        self.mock = Program("mock", argv, self.bed.directory)
        self.bed.programs.append(self.mock)
        self.assertEqual(self.mock.read_line(), "ready")

    def tell(self, member, value):
        connection = dbus.bus.BusConnection(self.bed.bus.address)
        try:
            connection.call_blocking(
                "org.meshcored1", "/mock", "org.meshcored1.Mock", member, "s", (json.dumps(value),)
            )
        finally:
            connection.close()

    def receive(self, text, **fields):
        self.tell("Receive", {"Peer": ALICE, "PeerPrefix": key("alice")[:12], "Text": text, **fields})

    def ctl(self, *arguments, status=OK, stdin=None, env=None):
        """stdout, after looking at the exit status and at what reaches the terminal."""
        result = subprocess.run(
            [find_program("meshcorectl"), "--session", *arguments],
            env={**self.bed.environment(), "TZ": "UTC", **(env or {})},
            input=stdin, stdin=None if stdin is not None else subprocess.DEVNULL,
            capture_output=True, timeout=60, check=False,
        )  # fmt: skip
        stdout, self.stderr = result.stdout.decode(), result.stderr.decode()
        self.assertEqual(result.returncode, status, (arguments, stdout, self.stderr))
        for text in (stdout, self.stderr):
            self.assertEqual([c for c in text if acts_on_terminal(c)], [], text)
        if status not in (OK, NOT_DELIVERED):
            self.assertEqual(stdout, "")
        if status != OK:
            self.assertEqual(len(self.stderr.splitlines()), 1, self.stderr)
            self.assertTrue(self.stderr.startswith("meshcorectl: "))
        return stdout

    def json(self, *arguments, **options):
        return json.loads(self.ctl("--json", *arguments, **options))

    def follow(self, *arguments):
        argv = [find_program("meshcorectl"), "--session", *arguments]
        program = Program("follow", argv, self.bed.directory, {**self.bed.environment(), "TZ": "UTC"})
        self.bed.programs.append(program)
        return program

    def interrupt(self, program, status=0):
        program.process.send_signal(signal.SIGINT)
        self.assertEqual(program.wait(), status)


class Lists(Case):
    def test_status(self):
        self.tell_radios()
        text = self.ctl("status")
        self.assertEqual(self.ctl(), text)
        self.assertIn("meshcored 0.1.0-mock, 2 radios", text)
        self.assertIn("State:       ready\n", text)
        self.assertIn("State:       waiting (refused)\n", text)
        self.assertIn("Advice:      check the address and port, the rights on a device", text)
        self.assertIn("Name:        Home\\x1b[1m base\n", text)
        self.assertIn("Battery:     81 % (4.01 V)\n", text)
        self.assertIn("LoRa:        869.525 MHz, 250 kHz, SF11, CR 4/5, 22 dBm\n", text)
        self.assertIn("Clock:       90.0 s ahead of this host\n", text)
        status = self.json("status")
        self.assertEqual(status["Version"], "0.1.0-mock")
        self.assertEqual([r["Id"] for r in status["Radios"]], ["attic", "home"])
        home = status["Radios"][1]
        self.assertEqual(home["Name"], "Home\x1b[1m base")
        self.assertEqual((home["Contacts"], home["Channels"], home["Unread"]), (11, 3, 0))
        self.assertEqual(self.json("status", "--radio", "home")["Radios"], [home])
        self.ctl("status", "-r", "cellar", status=NOT_FOUND)
        self.assertIn("attic, home", self.stderr)
        self.tell("State", {"old": "ready", "new": "stopped", "reason": "none"})
        self.assertIn("Advice:      connect it: meshcorectl start home\n", self.ctl("status", "-r", "home"))

    def tell_radios(self):
        self.start_mock()
        self.tell("SetRadios", ["home", "attic"])

    def test_radios(self):
        self.tell_radios()
        lines = self.ctl("radios").splitlines()
        self.assertEqual(lines[0].split(), "ID STATE NAME MODEL FIRMWARE BATTERY CONTACTS UNREAD ADDRESS".split())
        self.assertEqual(len(lines), 3)
        self.assertIn("81 %", lines[2])
        radios = self.json("radios")
        self.assertEqual(radios[0]["Path"], "/org/meshcored1/radio/attic")
        self.assertEqual(radios[0]["BandwidthHz"], 250000)

    def test_contacts(self):
        self.start_mock()
        text = self.ctl("contacts")
        self.assertEqual(len(text.splitlines()), 12)
        self.assertIn("Esc\\x1b[31m\\x1b]0;pwned\\x07\\nforged line\\x9b1m", text)
        self.assertIn("bidi\\u{202e}gnp\\u{2066}.exe", text)
        # Columns line up by what a terminal makes of the characters.
        ends = set()
        for line in text.splitlines()[1:]:
            before = line[: line.index(next(t for t in ("chat", "repeater", "room", "sensor") if t in line))]
            ends.add(sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in before))
        self.assertEqual(len(ends), 1)
        contacts = {c["Key"]: c for c in self.json("contacts")}
        for name, text in HOSTILE.items():
            self.assertEqual(contacts[key(name)]["Name"], text)
        self.assertEqual(contacts[key("relay")]["Path"][:4], ["a1", "b2"])
        self.assertEqual(contacts[key("wide")]["Location"], [48.2, 16.37])
        self.assertEqual(contacts[key("alice")]["Radio"], "home")

    def test_contact_patterns(self):
        self.start_mock()
        for pattern, expected in (
            ("ALI", {"Alice"}),
            ("Relay*", {"Relay north"}),
            ("?wi*", {"Twin"}),
            ("abcdef01", {"Hex"}),
            ("日本", {"日本語の名前"}),
        ):
            self.assertEqual({c["Name"] for c in self.json("contacts", pattern)}, expected, pattern)
        self.assertEqual(self.json("contacts", "nobody"), [])
        self.ctl("contacts", "no\x1bbody", status=NOT_FOUND)

    def test_channels(self):
        self.start_mock()
        lines = self.ctl("channels").splitlines()
        self.assertEqual([line.split()[0] for line in lines], ["SLOT", "0", "1", "3"])
        self.assertIn("secret\\x1b[2J club", lines[3])
        channels = self.json("channels")
        self.assertEqual([c["Kind"] for c in channels], ["public", "hashtag", "private"])
        self.assertNotIn("Secret", channels[2])

    def test_narrow_terminal(self):
        """Where a table would leave nothing of the texts, each message is a line."""
        self.start_mock()
        self.receive("the text of this message")
        for columns, expected in ((40, "2026-03-01 12:00:01  1  Alice: the text of this message\r\n"), (120, "TEXT")):
            self.assertIn(expected, self.on_terminal(columns, "messages"))

    def test_nothing_to_show(self):
        """Who sits at a terminal is told so; a pipe stays empty."""
        self.start_mock()
        self.assertEqual((self.ctl("messages"), self.stderr), ("", ""))
        self.assertIn("there are no such messages", self.on_terminal(80, "messages"))

    def on_terminal(self, columns, *arguments):
        pid, fd = pty.fork()
        if pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
            argv = [find_program("meshcorectl"), "--session", *arguments]
            os.execve(argv[0], argv, {**self.bed.environment(), "TZ": "UTC"})
        shown = b""
        while True:
            try:
                shown += os.read(fd, 4096)
            except OSError:
                break
        os.close(fd)
        self.assertEqual(os.waitpid(pid, 0)[1], 0)
        return shown.decode()

    def test_terminal_width(self):
        """Lines are cut on a terminal only."""
        self.start_mock()
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 40, 0, 0))
        argv = [find_program("meshcorectl"), "--session", "contacts"]
        with subprocess.Popen(argv, env=self.bed.environment(), stdout=slave, stderr=slave) as process:
            os.close(slave)
            output = b""
            while True:
                self.assertTrue(select.select([master], [], [], 60)[0])
                try:
                    piece = os.read(master, 65536)
                except OSError:
                    break
                if not piece:
                    break
                output += piece
            self.assertEqual(process.wait(60), 0)
        os.close(master)
        lines = output.decode().splitlines()
        self.assertEqual(len(lines), 12)
        widths = [sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line) for line in lines]
        self.assertLessEqual(max(widths), 40)
        self.assertTrue(any(line.endswith("…") for line in lines))
        self.assertGreater(max(map(len, self.ctl("contacts").splitlines())), 40)


class Messages(Case):
    def setUp(self):
        super().setUp()
        self.start_mock()

    def test_list(self):
        for i in range(3):
            self.receive(f"text {i}")
        self.tell("Receive", {"Channel": f"{RADIO}/channel/1", "Author": "Bob\x1b[2J", "Text": "to\nall"})
        self.tell("Receive", {"Channel": "/", "Kind": "raw", "Data": "07ff"})
        self.tell("Receive", {"Channel": f"{RADIO}/channel/0", "Kind": "data", "Data": "0102", "DataType": 9})
        lines = self.ctl("messages").splitlines()
        self.assertEqual(lines[0].split(), ["ID", "TIME", "WITH", "FROM", "STATE", "TEXT"])
        self.assertEqual(lines[1].split(None, 6), ["1", *NOON_LOCAL.split(), "Alice", "Alice", "unread", "text 0"])
        self.assertIn("#test    Bob\\x1b[2J  unread  to\\nall", lines[4])
        self.assertIn("(undecoded frame: 07ff)", lines[5])
        self.assertIn("#Public", lines[6])
        self.assertIn("(data of type 9: 0102)", lines[6])
        messages = self.json("messages")
        self.assertEqual([m["Id"] for m in messages], [1, 2, 3, 4, 5, 6])
        self.assertEqual(messages[0]["PeerName"], "Alice")
        self.assertEqual((messages[3]["ChannelName"], messages[3]["Text"]), ("#test", "to\nall"))
        self.assertEqual(messages[0]["Snr"], 7.5)

    def test_filters(self):
        for i in range(30):
            self.receive(f"text {i}")
        self.tell("Receive", {"Channel": f"{RADIO}/channel/1", "Author": "Bob", "Text": "on channel"})
        ids = lambda *arguments: [m["Id"] for m in self.json("messages", *arguments)]  # noqa: E731
        self.assertEqual(ids(), list(range(12, 32)))
        self.assertEqual(ids("--limit", "3"), [29, 30, 31])
        self.assertEqual(ids("-n", "3", "--before", "10"), [7, 8, 9])
        self.assertEqual(ids("-n", "3", "--after", "10"), [11, 12, 13])
        self.assertEqual(ids("-n", "3", "--after", "0"), [1, 2, 3])
        self.assertEqual(ids("-n", "0"), [])
        for name in ("Alice", key("alice"), key("alice")[:8], ALICE):
            self.assertEqual(ids("--with", name, "-n", "1"), [30])
        for name in ("#test", f"{RADIO}/channel/1"):
            self.assertEqual(ids("--with", name), [31])
        for name in ("#Public", "Public"):
            self.assertEqual(ids("--with", name), [])
        for name in ("test", "1", "#test"):
            self.assertEqual(ids("--channel", name), [31])
        self.ctl("messages", "--with", "Twin", status=USAGE)
        self.assertIn(key("twin-one"), self.stderr)
        self.ctl("messages", "--with", "nobody", status=NOT_FOUND)
        self.ctl("messages", "--channel", "2", status=NOT_FOUND)
        # A peer whose contact was removed is still known by key.
        self.assertEqual(ids("--with", key("nobody")), [])
        for wrong in (
            ("--limit", "x"), ("--limit", "-1"), ("--before", "1", "--after", "1"), ("--before", "1", "--follow"),
            ("--with", "Alice", "--channel", "1"), ("word",), ("--frob",), ("--limit",),
        ):  # fmt: skip
            self.ctl("messages", *wrong, status=USAGE)

    def test_more_filters(self):
        self.receive("One $(x)\x1b")
        self.receive("two", Kind="command")
        self.ctl("send", "Alice", "three")
        self.ctl("send", "Alice", "four")
        ids = lambda *arguments: [m["Id"] for m in self.json("messages", *arguments)]  # noqa: E731
        self.assertEqual(ids("--text", "ONE $(x)\x1b"), [1])
        self.assertEqual(ids("--kind", "command"), [2])
        self.assertEqual(ids("--direction", "received"), [1, 2])
        self.assertEqual(ids("-d", "sent", "-t", "o"), [4])
        self.assertEqual(ids("--state", "received", "-k", "text"), [1])
        self.assertEqual(ids("--state", "failed"), [])
        # they came one second after another, from 12:00:01 on
        self.assertEqual(ids("--since", "2026-03-01 12:00:02"), [2, 3, 4])
        self.assertEqual(ids("--since", "@1772366402", "--until", "@1772366404"), [2, 3])
        self.assertEqual(ids("--until", "2026-03-01"), [])
        self.assertEqual(ids("--since", "2026-03-01T12:00:02", "--direction", "received", "--with", "Alice"), [2])
        for wrong in (
            ("--state", "read"), ("--kind", "texts"), ("--direction", "both"), ("--since", "tomorrow"),
            ("--until", "2026-02-30"), ("--follow", "--state", "queued"), ("--follow", "--until", "now"),
        ):  # fmt: skip
            self.ctl("messages", *wrong, status=USAGE)
        follow = self.follow("messages", "--follow", "--direction", "received", "--text", "live", "--since", "2026-03-01")
        self.receive("not this one")
        self.receive("LIVE")
        self.assertIn("Alice: LIVE", follow.read_line())
        self.interrupt(follow)

    def test_many_pages(self):
        self.tell("Burst", {"peer": ALICE, "count": 1203})
        messages = self.json("messages", "-n", "1100")
        self.assertEqual([m["Id"] for m in messages], list(range(104, 1204)))
        messages = self.json("messages", "-n", "1100", "--after", "50")
        self.assertEqual([m["Id"] for m in messages], list(range(51, 1151)))

    def test_two_radios(self):
        self.tell("SetRadios", ["home", "attic"])
        for i in range(4):
            self.receive(f"text {i}", Radio="home" if i % 2 else "attic", Peer="/")
        self.assertEqual([m["Id"] for m in self.json("messages", "-n", "3")], [2, 3, 4])
        self.assertEqual([m["Id"] for m in self.json("messages", "-n", "3", "--after", "1")], [2, 3, 4])
        self.assertEqual([m["Id"] for m in self.json("messages", "--radio", "attic")], [1, 3])
        self.assertIn("RADIO", self.ctl("messages").splitlines()[0])

    def test_mark_read(self):
        for i in range(3):
            self.receive(f"text {i}")
        self.assertEqual(len(self.json("messages", "--unread", "-n", "2", "--mark-read")), 2)
        self.assertEqual([m["Id"] for m in self.json("messages", "--unread")], [1])
        self.ctl("message", "1", "--read")
        self.assertEqual(self.json("messages", "--unread"), [])
        self.assertEqual(self.ctl("messages", "--unread"), "")

    def test_follow(self):
        self.receive("before")
        follow = self.follow("messages", "--follow")
        self.assertIn("1  Alice: before", follow.read_line())
        self.receive("live\x1b[2J")
        self.assertIn("2  Alice: live\\x1b[2J", follow.read_line())
        self.ctl("send", "Alice", "our", "own")
        self.assertRegex(follow.read_line(), r"3  me to Alice: our own \((queued|sending|sent|delivered)\)")
        self.interrupt(follow)

    def test_follow_restart(self):
        """What came while nobody could signal it is shown, once, and in order."""
        self.receive("one")
        follow = self.follow("messages", "--follow", "--json")
        seen = [json.loads(follow.read_line())]
        self.tell("ReceiveQuietly", {"Peer": ALICE, "Text": "two"})
        self.mock.kill()
        self.start_mock()
        seen.append(json.loads(follow.read_line()))
        self.receive("three")
        self.tell("Burst", {"peer": ALICE, "count": 40})
        while len(seen) < 43:
            seen.append(json.loads(follow.read_line()))
        self.assertEqual([m["Id"] for m in seen], list(range(1, 44)))
        self.assertEqual([m["Text"] for m in seen[:3]], ["one", "two", "three"])
        self.assertRegex(follow.log(), "waiting for it to come back\n.*is back\n")
        self.interrupt(follow)

    def test_follow_hanging_daemon(self):
        """Ctrl-C works while the daemon does not answer, long before D-Bus gives up."""
        follow = self.follow("messages", "--follow", "--json")
        self.receive("one")
        follow.read_line()
        self.tell("Silent", "List")
        self.receive("two")
        self.assertEqual(self.mock.read_line(), "asked")
        follow.process.send_signal(signal.SIGINT)
        self.assertEqual(follow.wait(15), 0)

    def test_follow_renamed_contact(self):
        """A contact is followed, not whoever has the name."""
        follow = self.follow("messages", "--follow", "--json", "--with", "Alice")
        self.receive("one")
        follow.read_line()
        self.mock.kill()
        with open(self.state, encoding="utf-8") as file:
            state = json.load(file)
        with open(self.state, "w", encoding="utf-8") as file:
            json.dump({**state, "names": {"Alice": "Alicia", "Hex": "Alice"}}, file)
        self.start_mock()
        self.tell("Receive", {"Peer": f"{RADIO}/contact/{'abcdef0123456789' * 4}", "Text": "another"})
        self.receive("two")
        message = json.loads(follow.read_line())
        self.assertEqual((message["Text"], message["PeerName"]), ("two", "Alicia"))
        self.interrupt(follow)

    def test_follow_after(self):
        for i in range(30):
            self.receive(f"text {i}")
        follow = self.follow("messages", "--follow", "--json", "--after", "3", "--with", "Alice")
        self.assertEqual([json.loads(follow.read_line())["Id"] for _ in range(27)], list(range(4, 31)))
        beginning = self.follow("messages", "--follow", "--json", "--after", "0")
        self.assertEqual([json.loads(beginning.read_line())["Id"] for _ in range(30)], list(range(1, 31)))
        self.interrupt(beginning)
        self.tell("Receive", {"Channel": f"{RADIO}/channel/1", "Text": "elsewhere"})
        self.receive("here")
        self.assertEqual(json.loads(follow.read_line())["Text"], "here")
        follow.process.send_signal(signal.SIGTERM)
        self.assertEqual(follow.wait(), 0)

    def test_follow_new_history(self):
        for i in range(3):
            self.receive(f"text {i}")
        follow = self.follow("messages", "--follow", "--json", "-n", "1")
        self.assertEqual(json.loads(follow.read_line())["Id"], 3)
        self.tell("SetAside", None)
        self.mock.kill()
        self.start_mock()
        self.receive("begin anew")
        self.assertEqual(json.loads(follow.read_line())["Text"], "begin anew")
        self.assertIn("new history", follow.log())
        self.interrupt(follow)

    def test_message(self):
        self.receive("hello\x1b[2J", Snr=-3.25)
        text = self.ctl("message", "1")
        self.assertRegex(text, r"(?m)^Text +hello\\x1b\[2J$")
        self.assertRegex(text, r"(?m)^Snr +-3.25 dB$")
        self.assertRegex(text, rf"(?m)^TimestampUSec +{NOON_LOCAL}$")
        self.assertEqual(self.json("message", "1")["Text"], "hello\x1b[2J")
        self.ctl("message", "2", status=NOT_FOUND)
        for wrong in ("0", "x", "1x", "99999999999999999999", "-1"):
            self.ctl("message", "--", wrong, status=USAGE)
        self.ctl("message", "1", "--read", "--delete", status=USAGE)
        self.assertEqual(self.json("message", "1", "--delete"), {"Id": 1, "Deleted": True})
        self.ctl("message", "1", status=NOT_FOUND)

    def test_message_actions(self):
        self.tell("Delivery", [])
        self.ctl("send", "Alice", "slow")
        self.assertEqual(self.json("message", "1", "--cancel")["State"], "cancelled")
        self.ctl("message", "1", "--cancel", status=FAILED)
        self.assertEqual(self.ctl("message", "1", "--resend"), "2\n")


class Send(Case):
    def setUp(self):
        super().setUp()
        self.start_mock()

    def last(self):
        with open(self.state, encoding="utf-8") as file:
            return json.load(file)["messages"][-1]

    def test_send(self):
        self.assertEqual(self.ctl("send", "Alice", "Are", "you", "there?"), "1\n")
        self.assertEqual((self.last()["Text"], self.last()["Peer"]), ("Are you there?", ALICE))
        self.assertEqual(self.json("send", key("alice"), "x")["Id"], 2)
        self.ctl("send", "--", key("alice"), "-40", "degrees")
        self.assertEqual(self.last()["Text"], "-40 degrees")
        self.ctl("send", key("alice"), "--", "--json")
        self.assertEqual(self.last()["Text"], "--json")
        self.ctl("send", "--channel", "test", "Hello", "all")
        self.assertEqual((self.last()["Text"], self.last()["Channel"]), ("Hello all", f"{RADIO}/channel/1"))
        for name, slot in (("#test", 1), ("#Public", 0), ("Public", 0)):
            self.ctl("send", name, "x")
            self.assertEqual(self.last()["Channel"], f"{RADIO}/channel/{slot}")

    def test_stdin(self):
        self.ctl("send", "Alice", "-", stdin="two\nlines ü\r\n".encode())
        self.assertEqual(self.last()["Text"], "two\nlines ü")
        self.ctl("send", "--channel", "0", "-", stdin=b"no end of line")
        self.assertEqual(self.last()["Text"], "no end of line")
        self.ctl("send", "Alice", "-", stdin=b"\xff", status=USAGE)
        self.ctl("send", "Alice", "-", stdin=b"a\0b", status=USAGE)
        self.ctl("send", "Alice", "-", stdin=b"x" * 100000, status=USAGE)

    def test_options(self):
        self.ctl("send", "--expires", "1h30min", "Alice", "x")
        self.assertAlmostEqual(self.last()["ExpiresUSec"] / 1e6 - time.time(), 5400, delta=120)
        self.assertEqual(self.ctl("send", "--token", "t", "Alice", "once"), "2\n")
        self.assertEqual(self.ctl("send", "--token", "t", "Alice", "once"), "2\n")
        for wrong in (
            ("Alice",), ("--expires", "soon", "Alice", "x"), ("--expires", "0", "Alice", "x"),
            ("--expires", "99999999999d", "Alice", "x"), ("--wait", "read", "Alice", "x"), (),
        ):  # fmt: skip
            self.ctl("send", *wrong, status=USAGE)

    def test_wait(self):
        self.assertEqual(self.ctl("send", "--wait", "delivered", "Alice", "x"), "1\ndelivered\n")
        self.assertEqual(self.json("send", "-w", "delivered", "Alice", "x")["State"], "delivered")
        self.assertIn(self.ctl("send", "--wait", "sent", "Alice", "x"), ("3\nsent\n", "3\ndelivered\n"))
        self.assertEqual(self.ctl("send", "--wait", "sent", "-c", "test", "x"), "4\nsent\n")
        self.ctl("send", "--wait", "delivered", "-c", "test", "x", status=USAGE)
        self.ctl("send", "--wait", "delivered", "Public", "x", status=USAGE)

    def test_wait_in_vain(self):
        self.tell("Delivery", ["sending", "sent", "failed"])
        self.assertEqual(self.ctl("send", "--wait", "delivered", "Alice", "x", status=NOT_DELIVERED), "1\nfailed\n")
        self.assertIn("no acknowledgement after 5 tries", self.stderr)
        self.tell("Delivery", ["expired"])
        self.assertEqual(self.json("send", "-w", "sent", "Alice", "x", status=NOT_DELIVERED)["State"], "expired")

    def test_wait_through_restart(self):
        self.tell("Delivery", ["sending"])
        follow = self.follow("send", "--wait", "delivered", "Alice", "x")
        self.assertEqual(follow.read_line(), "1")
        self.mock.kill()
        self.start_mock()
        self.tell("Release", ["sent", "delivered"])
        self.assertEqual(follow.read_line(), "delivered")
        self.assertEqual(follow.wait(), 0)

    def test_wait_interrupted(self):
        self.tell("Delivery", ["sending"])
        follow = self.follow("send", "--wait", "delivered", "Alice", "x")
        self.assertEqual(follow.read_line(), "1")
        self.interrupt(follow, NOT_DELIVERED)

    def test_failures(self):
        self.ctl("send", "no\nbody", "x", status=NOT_FOUND)
        self.ctl("send", "Twin", "x", status=USAGE)
        self.ctl("send", "Alice", "x" * 163, status=USAGE)
        self.assertIn("3 bytes too long", self.stderr)
        self.ctl("send", "-c", "nowhere", "x", status=NOT_FOUND)
        self.tell("SetRadios", ["home", "attic"])
        self.ctl("send", "Alice", "x", status=USAGE)
        self.assertIn("--radio: attic, home", self.stderr)
        self.ctl("send", "--radio", "home", "Alice", "x")
        self.ctl("send", ALICE, "x")
        self.ctl("-r", "attic", "send", "--no-queue", "Alice", "x", status=NOT_CONNECTED)
        self.assertIn("the reason is refused", self.stderr)


class Verbs(Case):
    def test_monitor(self):
        self.start_mock()
        plain, stream = self.follow("monitor"), self.follow("monitor", "--json")
        self.assertIn("meshcored is there", plain.read_line())
        self.assertEqual(json.loads(stream.read_line())["Present"], True)

        self.receive("text\x1b[2J")
        self.assertIn("message   home  1  Alice: text\\x1b[2J", plain.read_line())
        event = json.loads(stream.read_line())
        self.assertEqual((event["Event"], event["Radio"], event["Text"]), ("message", "home", "text\x1b[2J"))

        self.tell("Advert", {"name": "New\x1b one"})
        self.assertIn("advert    home  New\\x1b one (chat,", plain.read_line())
        self.assertEqual(json.loads(stream.read_line())["Name"], "New\x1b one")

        self.tell("State", {"old": "ready", "new": "waiting", "reason": "lost"})
        self.assertIn("state     home  ready -> waiting (lost: the link broke", plain.read_line())
        event = json.loads(stream.read_line())
        self.assertEqual((event["New"], event["Reason"], event["Details"]), ("waiting", "lost", {"Attempts": 3}))

        self.tell("Change", {"RoundTripUSec": 12300, "BatteryPercent": 80})
        self.assertIn("radio     home  RoundTripUSec: 12 ms, BatteryPercent: 80", plain.read_line())
        self.assertEqual(json.loads(stream.read_line())["Changed"], {"RoundTripUSec": 12300, "BatteryPercent": 80})

        self.ctl("send", "Alice", "out", "--wait", "delivered")
        self.assertIn("2  to Alice: sending", plain.read_line())
        states = [json.loads(stream.read_line()) for _ in range(3)]
        self.assertEqual([s["State"] for s in states], ["sending", "sent", "delivered"])
        self.assertEqual({s["Id"] for s in states}, {2})

        self.ctl("message", "1", "--delete")
        self.assertEqual(json.loads(stream.read_line())["Paths"], [f"{RADIO}/message/1"])

        self.mock.kill()
        self.assertEqual(json.loads(stream.read_line())["Present"], False)
        self.start_mock()
        self.assertEqual(json.loads(stream.read_line())["Present"], True)
        self.interrupt(plain)
        self.bed.bus.terminate()
        self.assertEqual(stream.wait(), UNREACHABLE)

    def test_monitor_kinds(self):
        self.start_mock()
        monitor = self.follow("monitor", "--json", "--kind", "daemon,advert")
        monitor.read_line()
        self.receive("not shown")
        self.tell("Advert", {"name": "shown"})
        self.assertEqual(json.loads(monitor.read_line())["Name"], "shown")
        self.interrupt(monitor)
        self.ctl("monitor", "--kind", "message,gossip", status=USAGE)

    def test_radio_verbs(self):
        self.start_mock()
        self.assertEqual(self.ctl("ping"), "home answered after 12.3 ms\n")
        self.assertEqual(self.json("ping", "home"), {"Radio": "home", "RoundTripUSec": 12345})
        self.assertEqual(self.ctl("stop") + self.ctl("start", "home"), "")
        self.ctl("start", "cellar", status=NOT_FOUND)

    def test_errors(self):
        """Each error gives its exit status and one line."""
        self.start_mock()
        own, standard = "org.meshcored1.Error.", "org.freedesktop.DBus.Error."
        for name, status in (
            (own + "NotConnected", NOT_CONNECTED), (own + "NotReady", NOT_CONNECTED), (own + "LinkLost", NOT_CONNECTED),
            (own + "Timeout", NOT_DELIVERED), (own + "Cancelled", NOT_DELIVERED), (own + "NotFound", NOT_FOUND),
            (own + "InvalidArguments", USAGE), (own + "StorageFull", FAILED), (own + "Whatever", FAILED),
            (standard + "AccessDenied", REFUSED), (standard + "NoReply", UNREACHABLE),
            (standard + "UnknownObject", NOT_FOUND), (standard + "UnknownMethod", FAILED),
        ):  # fmt: skip
            self.tell("Error", {"Ping": [name, "wrong\x1b[2J\nin \u202e many ways"]})
            self.ctl("ping", status=status)
            self.ctl("ping", "--json", status=status)

    def test_no_daemon(self):
        for verb in (["status"], ["contacts"], ["send", "Alice", "x"], ["monitor"], ["messages", "--follow"], ["ping"]):
            self.ctl(*verb, status=UNREACHABLE)
            self.assertIn("meshcored --session", self.stderr)
        for address in ("unix:path=/nonexistent/bus", "nonsense"):
            self.ctl("status", status=UNREACHABLE, env={"DBUS_SESSION_BUS_ADDRESS": address})

    def test_refused_by_the_bus(self):
        """On the system bus, whose policy decides first."""
        self.start_mock()
        self.tell("Error", {"GetManagedObjects": ["org.freedesktop.DBus.Error.AccessDenied", "Rejected send message"]})
        result = subprocess.run(
            [find_program("meshcorectl"), "--system", "status"], capture_output=True, text=True, check=False,
            env={**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": self.bed.bus.address},
        )  # fmt: skip
        self.assertEqual(result.returncode, REFUSED)
        self.assertIn("group meshcore", result.stderr)

    def test_help(self):
        overview = self.ctl("help")
        self.assertEqual(self.ctl("--help"), overview)
        verbs = [line.split()[0] for line in overview.split("Verbs:\n")[1].split("\n\n")[0].splitlines()]
        self.assertIn("send", verbs)
        for verb in verbs:
            text = self.ctl(verb, "--help")
            self.assertEqual(self.ctl("help", verb), text)
            self.assertIn(f"  meshcorectl {verb}", text.replace("uptime | ", "").replace("sudo ", ""))
        self.assertIn("meshcorectl (meshcored) ", self.ctl("--version"))
        for wrong in (["fly"], ["help", "fly"], ["--fly"], ["--session", "--system"], ["--radio"], ["stat\xff"]):
            self.ctl(*wrong, status=USAGE)

    def test_suggestions(self):
        """What was probably meant, or where to look; a name alone never reaches anybody by accident."""
        self.start_mock()
        for words, hint in (
            (["send", "alice", "x"], "; did you mean Alice?"),
            (["send", "Alcie", "x"], "; did you mean Alice?"),
            (["send", "nort", "x"], "; did you mean Relay north?"),
            (["send", "zzzzzz", "x"], "; see: meshcorectl contacts, meshcorectl channels"),
            (["send", "--channel", "tset", "x"], "; did you mean #test?"),
            (["contact", "show", "alice"], "; did you mean Alice?"),
            (["contact", "show", "test"], "; see: meshcorectl contacts"),
            (["chat", "twin"], "; did you mean Twin or Twin?"),
        ):
            self.ctl(*words, status=NOT_FOUND)
            self.assertTrue(self.stderr.endswith(hint + "\n"), self.stderr)
        for words, hint in (
            (["mesages"], "; did you mean messages or message?"),
            (["statsu"], "; did you mean status?"),
            (["contact", "shwo"], "; did you mean show?"),
            (["stats"], "; did you mean radio stats?"),
            (["qqqqqq"], "; see: meshcorectl help"),
            (["contact", "qqqqqq"], "; see: meshcorectl help contact"),
        ):
            self.ctl(*words, status=USAGE)
            self.assertTrue(self.stderr.endswith(hint + "\n"), self.stderr)
        self.ctl("send", "Alice", "-x", status=USAGE)
        self.assertIn("needs -- before it", self.stderr)
        self.ctl("pair", status=USAGE)
        self.assertIn("home is not on Bluetooth but on tcp", self.stderr)

    def test_options_around_the_verb(self):
        self.start_mock()
        expected = self.json("contacts", "-r", "home")
        for words in (["-j", "contacts"], ["contacts", "--json"], ["-r", "home", "contacts", "-j"], ["contacts", "-jr", "home"]):
            self.assertEqual(json.loads(self.ctl(*words)), expected)

    def test_full_disk(self):
        self.start_mock()
        with open("/dev/full", "w", encoding="utf-8") as full:
            result = subprocess.run(
                [find_program("meshcorectl"), "--session", "contacts"], env=self.bed.environment(),
                stdout=full, stderr=subprocess.PIPE, text=True, check=False,
            )  # fmt: skip
        self.assertEqual(result.returncode, FAILED)
        self.assertIn("No space left", result.stderr)


class Completion(Case):
    def complete(self, *words):
        return set(self.ctl("complete", "--", "--session", *words).split("\n")) - {""}

    def test_candidates(self):
        self.start_mock()
        self.assertIn("messages", self.complete(""))
        self.assertNotIn("complete", self.complete(""))
        self.assertEqual(self.complete("mes"), {"message", "messages"})
        self.assertEqual(self.complete("send", "--w"), {"--wait"})
        self.assertEqual(self.complete("send", "--wait", ""), {"sent", "delivered"})
        self.assertEqual(self.complete("send", "--wait", "=", "s"), {"sent"})
        self.assertEqual(self.complete("--radio", ""), {"home"})
        self.assertEqual(self.complete("stop", ""), {"home"})
        self.assertEqual(self.complete("help", "mon"), {"monitor"})
        self.assertEqual(self.complete("send", "Alice", ""), set())

    def test_names(self):
        """Only what a shell cannot misread is offered as a name."""
        self.start_mock()
        keys = {key(name) for name in ("twin-one", "twin-two", "relay", "wide", "escape", "bidi", "shell", "option", "glob")}
        self.assertEqual(self.complete("send", ""), keys | {"Alice", "Hex", "Public"})
        self.assertEqual(self.complete("messages", "--channel", ""), {"Public", "test", "3"})

    def test_bash(self):
        """The function in a real shell, with the hostile names on the bus."""
        self.start_mock()
        script = os.path.join(TOP, "data", "completion", "bash", "meshcorectl")
        program = find_program("meshcorectl")
        for words, expected in (
            (["--session", "sen"], ["send"]),
            (["--session", "send", "Al"], ["Alice"]),
            (["--session", "send", key("shell")[:10]], [key("shell")]),
            (["--session", "send", "$(touch pwned)"], []),
            (["--session", "messages", "--with", "Hex"], ["Hex"]),
            (["--session", "send", ""], None),
        ):
            code = 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _meshcorectl; printf "%s\\n" "${COMPREPLY[@]}"'
            result = subprocess.run(
                ["bash", "--norc", "-u", "-c", code, "bash", script, program, *words], cwd=self.bed.directory,
                env={**self.bed.environment(), "LC_ALL": "C.UTF-8"}, capture_output=True, text=True, check=True,
            )  # fmt: skip
            self.assertEqual(result.stderr, "")
            replies = [line for line in result.stdout.splitlines() if line]
            if expected is not None:
                self.assertEqual(replies, expected)
            for reply in replies:
                self.assertRegex(reply, r"^[A-Za-z0-9._-]+$")
        self.assertFalse(os.path.exists(os.path.join(self.bed.directory, "pwned")))

    @unittest.skipUnless(shutil.which("zsh"), "needs zsh")
    def test_zsh(self):
        """The same function in zsh, with its completion system replaced by one that prints."""
        self.start_mock()
        script = os.path.join(TOP, "data", "completion", "zsh", "_meshcorectl")
        for words, expected in (
            (["--session", "sen"], {"send"}),
            (["--session", "send", "Al"], {"Alice"}),
            (["--session", "send", "$(touch pwned)"], set()),
            (["--session", "send", ""], None),
        ):
            code = 'compadd() { shift; print -rl -- "$@" }; script=$1; shift; words=("$@"); CURRENT=$#; source $script'
            result = subprocess.run(
                ["zsh", "-f", "-c", code, "zsh", script, find_program("meshcorectl"), *words],
                cwd=self.bed.directory, env=self.bed.environment(), capture_output=True, text=True, check=True,
            )  # fmt: skip
            self.assertEqual(result.stderr, "")
            replies = {line for line in result.stdout.splitlines() if line}
            if expected is not None:
                self.assertEqual(replies, expected)
            for reply in replies:
                self.assertRegex(reply, r"^[A-Za-z0-9._-]+$")
        self.assertFalse(os.path.exists(os.path.join(self.bed.directory, "pwned")))

    def test_no_daemon(self):
        script = os.path.join(TOP, "data", "completion", "bash", "meshcorectl")
        code = 'source "$1"; COMP_WORDS=(meshcorectl --session send A); COMP_CWORD=3; _meshcorectl; echo ${#COMPREPLY[@]}'
        path = os.path.dirname(find_program("meshcorectl")) + os.pathsep + os.environ["PATH"]
        result = subprocess.run(
            ["bash", "--norc", "-c", code, "bash", script], env={**self.bed.environment(), "PATH": path},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        self.assertEqual((result.stdout, result.stderr), ("0\n", ""))


if __name__ == "__main__":
    unittest.main(verbosity=2)
