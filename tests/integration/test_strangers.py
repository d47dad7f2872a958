# SPDX-License-Identifier: GPL-3.0-or-later
"""Radios that lie: every frame that there is, cut anywhere and with any byte
changed, floods of strangers, and names that a terminal or a shell would obey."""

import json
import os
import pty
import random
import re
import struct
import subprocess
import termios

from companion import FakeRadio, contact_record
from fixture import Case, radio_path
from programs import find_program

RADIO = radio_path("sim")
TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
SENDER = bytes([0xA0]) * 32
GROWTH = 12 * 1024  # kB, for thousands of strangers

# What must not reach a terminal: C0 but for the line feed, DEL, C1, line and paragraph separator, bidi controls.
RAW = [*map(chr, range(32)), *map(chr, range(0x7F, 0xA0)), "\u2028", "\u2029", *map(chr, range(0x202A, 0x202F)),
       *map(chr, range(0x2066, 0x206A)), "\u200e", "\u200f", "\u061c"]  # fmt: skip
RAW = set(RAW) - {"\n"}


def load_frames():
    """One of every layout: the golden vectors of what a radio says."""
    with open(os.path.join(TOP, "tests", "data", "vectors.json"), encoding="utf-8") as file:
        return sorted({bytes.fromhex(event["frame"]) for event in json.load(file)["events"]} - {b""})


class Tests(Case):
    def fake(self, **options):
        radio = FakeRadio(**options)
        self.addCleanup(radio.close)
        client = self.client()
        self.bed.start_daemon({"sim": radio})
        client.wait_for_state("ready")
        return radio, client

    def memory(self):
        """Resident kB of the daemon; None when it was built to find mistakes rather than to be small."""
        with open(f"/proc/{self.bed.daemon.pid}/maps", encoding="ascii", errors="replace") as file:
            if "libasan" in file.read():
                return None
        with open(f"/proc/{self.bed.daemon.pid}/status", encoding="ascii") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmRSS:"))

    def assert_small(self, before):
        after = self.memory()
        if before is not None:
            self.assertLess(after - before, GROWTH)

    def assert_well(self, client):
        """It lives, is ready, and serves."""
        self.assertTrue(self.bed.daemon.running())
        client.wait_for_state("ready")
        self.assertGreater(client.call(RADIO, "Radio", "Ping"), 0)
        self.assertEqual(client.get_state(), ("ready", "none"))

    def wait_until_read(self, radio, client):
        """Everything that was sent unasked before is dealt with: so a question is not answered by it."""
        radio.send(bytes([16, 0, 0, 0]) + SENDER[:6] + b"\xff\x00" + struct.pack("<I", 1800000000) + b"the end")
        client.wait_signal("Received", "Messages", RADIO, lambda *a: a[2]["Text"] == "the end")

    # -- frames that nobody asked for ----------------------------------------

    def test_truncated_pushes(self):
        """Every frame, cut after every byte, in the middle of a session."""
        radio, client = self.fake(contacts=[contact_record(SENDER, b"s")])
        before = self.memory()
        for frame in load_frames():
            for size in range(1, len(frame)):
                radio.send(frame[:size])
            radio.send(frame)
        self.wait_until_read(radio, client)
        self.assert_well(client)
        self.assert_small(before)

    def test_lies_in_pushes(self):
        """Every frame with every byte at its limits."""
        radio, client = self.fake(contacts=[contact_record(SENDER, b"s")])
        before = self.memory()
        for frame in load_frames():
            # messages are kept as they are, each one on the disk
            values = (0xFF,) if frame[0] in (7, 8, 16, 17, 27) else (0, 0x7F, 0x80, 0xFF)
            for place in range(1, len(frame)):
                for value in values:
                    radio.send(frame[:place] + bytes([value]) + frame[place + 1 :])
        self.wait_until_read(radio, client)
        self.assert_well(client)
        self.assert_small(before)

    def test_strangers(self):
        """A thousand contacts nobody asked for, and thousands of adverts, of nodes that nobody knows."""
        dice = random.Random(7)

        def answer(frame):
            return [contact_record(frame[1:33], b"stranger")] if frame[0] == 30 and frame[1] == 0x44 else None

        radio, client = self.fake(contacts=[contact_record(SENDER, b"s")], answer=answer)
        before = self.memory()
        for n in range(1000):
            radio.send(contact_record(struct.pack(">I", 0x22000000 + n) + dice.randbytes(28), b"unasked"))
        for n in range(3000):
            radio.send(contact_record(struct.pack(">I", 0x33000000 + n) + dice.randbytes(28), b"new", code=0x8A))
        for n in range(1000):
            radio.send(b"\x80" + struct.pack(">I", 0x44000000 + n) + dice.randbytes(28))
        self.wait_until_read(radio, client)
        self.assert_well(client)
        names = [c["Name"] for c in client.contacts().values()]
        # a record that answers no question says nothing about the radio's table
        self.assertNotIn("unasked", names)
        self.assertNotIn("new", names)
        pending = client.call(RADIO, "Contacts", "ListPending")
        self.assertEqual(len(pending), 1000)
        # who was heard last stays
        self.assertIn(0x33000000 + 2999, [int(p["Key"][:8], 16) for p in pending])
        self.assert_small(before)

    # -- answers ---------------------------------------------------------------

    def try_start(self, client):
        """From stopped to whatever comes of it, which must be typed and say why."""
        mark = len(client.signals)
        client.call(RADIO, "Radio", "Start")
        signal = client.wait_signal(
            "StateChanged", "Radio", RADIO, lambda _, new, *__: new in ("ready", "waiting"), since=mark, timeout=120
        )
        if signal.arguments[1] == "waiting":
            self.assertIn(signal.arguments[2], ("protocol", "timeout", "lost", "taken-over"))
            self.assertNotEqual(client.get(RADIO, "Radio", "LastErrorMessage"), "")
        client.call(RADIO, "Radio", "Stop")
        client.wait_for_state("stopped")

    def spoiled_answers(self, spoil, commands):
        """Each start with one answer spoiled."""
        wrong = []
        contacts = [contact_record(SENDER, b"s", path_len=2, path=b"ab")]
        message = bytes([16, 0, 0, 0]) + SENDER[:6] + b"\xff\x00" + struct.pack("<I", 1700000000) + b"text"

        def answer(frame):
            if not wrong or frame[0] != wrong[0]:
                return None
            frames = radio.peaceful(frame)
            return [wrong[1](f) for f in frames]

        radio, client = self.fake(contacts=contacts, channels={0: (b"#x", bytes(range(16)))}, answer=answer)
        before = self.memory()
        client.call(RADIO, "Radio", "Stop")
        client.wait_for_state("stopped")
        for command in commands:
            for how in spoil(command):
                if command == 10:
                    radio.messages = [message]
                wrong[:] = [command, how]
                self.try_start(client)
        wrong.clear()
        client.call(RADIO, "Radio", "Start")
        self.assert_well(client)
        self.assert_small(before)

    def test_truncated_answers(self):
        """Every answer of the start, cut after every byte."""
        sizes = {22: 82, 1: 62, 5: 5, 20: 11, 4: 12, 31: 50, 10: 20, 59: 2}
        self.spoiled_answers(
            lambda command: [lambda f, n=n: f[:n] for n in range(1, sizes[command])], (22, 1, 5, 59, 4, 31, 20, 10)
        )

    def test_lies_in_answers(self):
        """Every field of the start's answers at its limits."""
        places = {22: (1, 2, 3, 8, 20, 60, 80, 81), 1: (1, 2, 3, 36, 40, 44, 46, 47, 48, 51, 52, 56, 57, 58),
                  5: (1, 4), 20: (1, 3, 7), 4: (1, 2, 4, 33, 34, 35, 100, 132, 139, 144, 147), 31: (1, 2, 34),
                  10: (1, 4, 10, 11, 12, 15)}  # fmt: skip

        def spoil(command):
            return [
                lambda f, p=p, v=v: f[:p] + bytes([v]) + f[p + 1 :] if p < len(f) else f
                for p in places[command]
                for v in (0, 0x80, 0xFF)
            ]

        self.spoiled_answers(spoil, places)

    # -- names -------------------------------------------------------------------

    def commands(self, proof):
        return [f"$(touch {proof})".encode(), f"`touch {proof}`".encode(), f";touch {proof};".encode(),
                f"'; touch {proof} #".encode(), f"\"$(touch {proof})".encode(), b"-rf", b"--json",
                b"\x1b[2J\x1b]0;owned\x07", b"a\nb\r\tc", b"\xe2\x80\xae\xe2\x81\xa6bidi\xd8\x9c", b"\xc2\x9b31m",
                b"\xe2\x80\xa8\xe2\x80\xa9", b"\x7f\x08\x08", b"*", b"a b", b"~", b"$HOME", b"plain-1.0_x"]  # fmt: skip

    def on_terminal(self, *arguments):
        """What meshcorectl writes on a terminal, all of it."""
        master, slave = pty.openpty()
        attributes = termios.tcgetattr(slave)
        attributes[1] &= ~termios.OPOST
        termios.tcsetattr(slave, 0, attributes)
        argv = [find_program("meshcorectl"), "--session", *arguments]
        with subprocess.Popen(argv, env=self.bed.environment(), stdin=slave, stdout=slave, stderr=slave) as program:
            os.close(slave)
            output = b""
            while True:
                try:
                    piece = os.read(master, 65536)
                except OSError:  # the other end is closed
                    break
                if not piece:
                    break
                output += piece
            os.close(master)
            program.wait()
        return output.decode("utf-8")

    def named(self):
        # short: a name has 31 bytes
        self.proof = "/tmp/x%05d" % (os.getpid() % 100000)
        self.addCleanup(lambda: os.path.exists(self.proof) and os.unlink(self.proof))
        names = self.commands(self.proof)
        contacts = [contact_record(bytes([0x10 + i]) + bytes([i]) * 31, n, lastmod=i + 1) for i, n in enumerate(names)]
        messages = [
            bytes([16, 0, 0, 0]) + bytes([0x10 + i]) + bytes([i]) * 5 + b"\xff\x00" + struct.pack("<I", 1700000000 + i) + n
            for i, n in enumerate(names)
        ]
        messages += [
            bytes([17, 0, 0, 0, 0, 0, 0]) + struct.pack("<I", 1700000000 + i) + n + b": " + n for i, n in enumerate(names)
        ]
        radio, client = self.fake(
            contacts=contacts, channels={0: (names[7][:31], bytes(range(16)))}, messages=messages, name=names[7]
        )
        for i, name in enumerate(names):
            radio.send(contact_record(bytes([0x60 + i]) + bytes([i]) * 31, name, code=0x8A))
        self.assert_well(client)
        return names, client

    def test_terminal(self):
        """No verb writes a raw control character on a terminal, and none is lost: they are shown escaped."""
        names, client = self.named()
        client.wait(lambda: len(client.all_messages()) == 2 * len(names), "all messages")
        for verb in (("contacts",), ("messages", "--limit", "100"), ("channels",), ("status",), ("radios",),
                     ("contact", "pending"), ("contact", "find", "x"), ("contact", "show", "10" + "00" * 31),
                     ("doctor",), ("monitor", "--help")):  # fmt: skip
            # our own colours are ours to write
            text = re.sub("\x1b\\[[0-9;]*m", "", self.on_terminal(*verb))
            self.assertEqual({c for c in text if c in RAW}, set(), f"{verb}: {text!r}")
        self.assertFalse(os.path.exists(self.proof))
        self.assertIn("\\x1b", self.on_terminal("contacts"))

    def test_completion(self):
        """bash offers what is harmless by name and the rest by key, and executes nothing."""
        names, _ = self.named()
        program = os.path.dirname(find_program("meshcorectl"))
        script = """
            source "$1"
            COMP_WORDS=(meshcorectl --session send "$2"); COMP_CWORD=3; COMP_LINE="meshcorectl --session send $2"
            COMP_POINT=${#COMP_LINE}
            spec=$(complete -p meshcorectl); function=${spec#*-F }; function=${function%% *}
            $function meshcorectl "$2" send
            printf '%s\\n' "${COMPREPLY[@]}"
        """
        env = dict(self.bed.environment())
        env["PATH"] = program + ":" + env["PATH"]
        file = os.path.join(TOP, "data", "completion", "bash", "meshcorectl")
        offered = []
        for word in ("", "p", "1", "$", "`", "'"):
            result = subprocess.run(
                ["bash", "--norc", "-c", script, "bash", file, word], env=env, capture_output=True, text=True, check=False
            )
            self.assertEqual(result.stderr, "")
            offered += result.stdout.split("\n")
        self.assertIn("plain-1.0_x", [o.strip() for o in offered])
        for word in offered:
            self.assertRegex(word, r"^[A-Za-z0-9._#-]* ?$")
        self.assertFalse(os.path.exists(self.proof))
        self.assertNotEqual(names, [])
