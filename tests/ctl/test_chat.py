#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""meshcorectl chat, on a terminal and as a stream, against a stand-in for the daemon."""

import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

from test_verbs import ALICE, NOT_FOUND, OK, RADIO, UNREACHABLE, USAGE, Case, acts_on_terminal, find_program, key  # noqa: E402
from vt import Terminal  # noqa: E402

TEST = f"{RADIO}/channel/1"


# what is not ours to free
os.environ.setdefault(
    "LSAN_OPTIONS", f"print_suppressions=0:suppressions={os.path.join(os.path.dirname(__file__), 'lsan.supp')}"
)


class ChatCase(Case):
    def setUp(self):
        super().setUp()
        self.start_mock()
        self.tell("Set", {})  # so that there is a state to look at

    def environment(self, **more):
        home = self.bed.directory
        return {**self.bed.environment(), "TZ": "UTC", "LC_ALL": "C.UTF-8", "TERM": "xterm", "HOME": home,
                "INPUTRC": "/dev/null", **more}  # fmt: skip

    def own(self):
        with open(self.state, encoding="utf-8") as file:
            return [m for m in json.load(file)["messages"] if m["State"] != "received"]


class OnTerminal(ChatCase):
    def open(self, *arguments, rows=24, columns=80, **environment):
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.before = termios.tcgetattr(slave)
        argv = [find_program("meshcorectl"), "--session", "chat", *arguments]
        self.process = subprocess.Popen(
            argv, env=self.environment(**environment), stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )  # fmt: skip
        self.slave = slave
        self.addCleanup(os.close, slave)
        self.addCleanup(os.close, master)
        self.addCleanup(self.process.wait)
        self.addCleanup(self.process.kill)
        self.terminal = Terminal(master, rows, columns)
        return self.terminal

    def end(self, status=OK):
        """It has ended, and the terminal is as it was."""
        while self.process.poll() is None:
            self.terminal.pump(0.05)
        while self.terminal.pump(0):
            pass
        self.assertEqual(self.process.returncode, status)
        self.assertEqual(termios.tcgetattr(self.slave)[:4], self.before[:4])

    def lines(self):
        return self.terminal.text().splitlines()

    def test_conversation(self):
        """History, what comes, what is sent with its marks, and the end; hostile texts stay texts."""
        self.tell("Delivery", ["sending", "sent"])
        self.receive("before\x1b[2J\u202e")
        t = self.open("Alice")
        t.wait_for("Alice> ")
        self.assertEqual(self.lines()[0], "--- 2026-03-01 ---")
        self.assertEqual(self.lines()[1], "12:00:01    Alice: before\\x1b[2J\\u{202e}")
        t.write("Hällo 日本 $(touch pwned)\r")
        t.wait_for("12:00:02 ✓  me: Hällo 日本 $(touch pwned)")
        t.wait(lambda t: self.lines()[-1] == "Alice>", "the empty line below")
        self.assertNotIn("> H", t.text())
        self.receive("live\nforged")
        t.wait_for("Alice: live\\nforged")
        # the mark changes where it stands, while something is being typed
        t.write("half a tex")
        t.wait_for("Alice> half a tex")
        self.tell("Release", ["delivered"])
        t.wait_for("12:00:02 ✓✓ me: Hällo 日本 $(touch pwned)")
        t.wait(lambda t: self.lines()[-1] == "Alice> half a tex", "the line below")
        self.assertEqual(len([line for line in self.lines() if "me: H" in line]), 1)
        t.write("t\r")
        t.wait_for("me: half a text")
        self.assertEqual([m["Text"] for m in self.own()], ["Hällo 日本 $(touch pwned)", "half a text"])
        self.assertEqual(self.json("messages", "--unread"), [])
        t.write("\x04")
        self.end()

    def test_editing(self):
        """The line is edited by characters, not bytes, and remembered."""
        t = self.open("Alice")
        t.wait_for("Alice> ")
        t.write("aé日b\x7f\x7f\x7fx\r")
        t.wait_for("me: ax")
        t.write("second\x01\x06\x0b")  # to the beginning, one forward, cut the rest
        t.wait(lambda t: self.lines()[-1] == "Alice> s", "the cut line")
        t.write("\x19\r")
        t.wait_for("me: second")
        t.write("\x1b[A\x1b[A")
        t.wait_for("Alice> ax")
        t.write("!\r")
        t.wait_for("me: ax!")
        t.write("\t\ttab\r")
        t.wait_for("me: tab")
        t.write("\x1b[200~two\nlines\x1b[201~")
        t.wait_for("lines")
        t.write("\r")
        t.wait_for("me: two\\nlines")
        self.assertEqual([m["Text"] for m in self.own()], ["ax", "second", "ax!", "tab", "two\nlines"])
        t.write("\x04")
        self.end()

    def test_interrupt(self):
        """Ctrl-C empties the line, then ends; SIGTERM ends at once; the terminal is given back."""
        t = self.open("Alice")
        t.wait_for("Alice> ")
        t.write("not this")
        t.wait_for("Alice> not this")
        t.write("\x03")
        t.wait(lambda t: self.lines()[-1] == "Alice>", "the empty line")
        t.write("\x03")
        self.end()
        self.assertEqual(self.own(), [])
        t = self.open("Alice")
        t.wait_for("Alice> ")
        t.write("neither this")
        t.wait_for("neither")
        self.process.send_signal(signal.SIGTERM)
        self.end()

    def test_hanging_daemon(self):
        """Ctrl-C ends it, too, while a call is not answered, and the terminal is given back."""
        t = self.open("Alice")
        t.wait_for("Alice> ")
        self.tell("Silent", "SendText")
        t.write("hello\r")
        self.assertEqual(self.mock.read_line(), "asked")
        self.process.send_signal(signal.SIGINT)
        self.end()

    def test_refused(self):
        """What is refused stays in the line."""
        t = self.open("Alice")
        t.wait_for("Alice> ")
        t.write("x" * 161 + "\r")
        t.wait_for("1 bytes too long")
        t.wait(lambda t: t.text().endswith("\n" + "x" * 8), "the text in the line")
        t.write("\x7f\r")
        t.wait_for("me: xxx")
        self.assertEqual([len(m["Text"]) for m in self.own()], [160])
        t.write("\x04")
        self.end()

    def test_out_of_reach(self):
        """A mark that scrolled away comes as a line; after that of a resize, too."""
        self.tell("Delivery", ["sending"])
        t = self.open("Alice", rows=8, columns=40)
        t.wait_for("Alice> ")
        t.write("far away\r")
        t.wait_for("→  me: far away")
        for i in range(12):
            self.receive(f"line {i}")
        t.wait_for("line 11")
        self.tell("Release", ["sent"])
        t.wait_for("* sent: far away")
        t.write("near\r")
        t.wait_for("→  me: near")
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", 8, 30, 0, 0))
        self.process.send_signal(signal.SIGWINCH)
        self.receive("after the resize")
        t.wait_for("after the resize")
        self.tell("Release", ["failed"])
        t.wait(lambda t: "failed" in t.text(), "the failure")
        t.write("\x04")
        self.end()

    def test_marks_and_long_lines(self):
        """Lines over several rows of the terminal are counted as such."""
        self.tell("Delivery", ["sending"])
        t = self.open("Alice", rows=20, columns=40)
        t.wait_for("Alice> ")
        t.write("first " + "x" * 60 + "\r")
        t.wait_for("→  me: first")
        self.receive("y" * 90)
        t.wait(lambda t: t.text().count("y") == 90, "the long line")
        t.write("input " + "z" * 50)
        t.wait(lambda t: t.text().count("z") == 50, "the long input")
        self.tell("Release", ["delivered"])
        t.wait_for("✓✓ me: first")
        text = t.text()
        self.assertEqual((text.count("x"), text.count("y"), text.count("z")), (60, 90, 50))
        self.assertEqual(text.count("me: first"), 1)
        t.write("\x03\x04")
        self.end()

    def test_heard_again(self):
        """What others passed on was sent."""
        self.receive("out", State="sent", Peer="/", Channel=TEST, Repeats=[["a1"], ["b2", "c3"]])
        t = self.open("#test")
        t.wait_for("#test> ")
        t.wait_for("✓  me: out")
        t.write("\x04")
        self.end()

    def test_plain_locale(self):
        t = self.open("Alice", LC_ALL="C")
        t.wait_for("Alice> ")
        t.write("hello\r")
        t.wait_for("** me: hello")
        t.write("\x04")
        self.end()

    def test_commands(self):
        t = self.open()
        t.wait_for("/to RECIPIENT chooses")
        t.write("hello\r")
        t.wait_for("nobody is chosen")
        t.write("\x15/to Twin\r")
        t.wait_for("can be any of these")
        t.write("/to nobody\x1b\r")
        t.write("\x15/to #test\r")
        t.wait_for("#test> ")
        t.write("/info\r")
        t.wait_for("* #test, hashtag channel in slot 1")
        t.write("/who lic\r")
        t.wait_for(f"* Alice (chat, {key('alice')[:12]})")
        self.assertIn("* Public (public channel)", t.text())
        t.write("to all\r")
        t.wait_for("✓  me: to all")
        t.write("//slash\r")
        t.wait_for("me: /slash")
        t.write("/fly\r")
        t.wait_for("no command /fly")
        self.tell("Delivery", ["sending", "failed"])
        t.write("/to Alice\r")
        t.wait_for("Alice> ")
        t.write("no luck\r")
        t.wait_for("✗  me: no luck")
        t.wait_for("no acknowledgement after 5 tries")
        t.write("/resend\r")
        t.wait(lambda t: t.text().count("me: no luck") == 2, "the second try")
        t.write("/cancel\r")
        t.wait_for("-  me: no luck")
        t.write("/history 2\r")
        t.wait(lambda t: t.text().count("me: no luck") == 4, "the history")
        t.write("/quit\r")
        self.end()

    def test_elsewhere(self):
        """Others who write are told of, and stay unread."""
        t = self.open("Alice")
        t.wait_for("Alice> ")
        self.tell("Receive", {"Channel": TEST, "Author": "Bob\x1b[1m", "Text": "on the channel"})
        t.wait_for("* elsewhere: [#test] Bob\\x1b[1m: on the channel")
        self.assertEqual([m["Text"] for m in self.json("messages", "--unread")], ["on the channel"])
        self.tell("State", {"old": "ready", "new": "waiting", "reason": "lost"})
        t.wait_for("* radio home is waiting (lost)")
        t.write("\x04")
        self.end()

    def test_restart(self):
        """The daemon goes and comes back: nothing is missed, marks catch up, nothing is sent into nowhere."""
        self.tell("Delivery", ["sending"])
        t = self.open("Alice")
        t.wait_for("Alice> ")
        t.write("one\r")
        t.wait_for("→  me: one")
        self.tell("ReceiveQuietly", {"Peer": ALICE, "PeerPrefix": key("alice")[:12], "Text": "quietly"})
        self.mock.kill()
        t.wait_for("meshcored went away")
        t.write("two\r")
        t.wait_for("nothing was sent")
        t.wait_for("Alice> two")
        with open(self.state, encoding="utf-8") as file:
            state = json.load(file)
        state["messages"][0]["State"] = "delivered"
        with open(self.state, "w", encoding="utf-8") as file:
            json.dump(state, file)
        self.start_mock()
        t.wait_for("meshcored is back")
        t.wait_for("✓✓ me: one")
        t.wait_for("Alice: quietly")
        t.write("\r")
        t.wait_for("me: two")
        self.assertEqual([m["Text"] for m in self.own()], ["one", "two"])
        t.write("\x04")
        self.end()

    def test_slot_with_another_channel(self):
        """What is typed for one channel never goes to another that took its slot."""
        t = self.open("#test")
        t.wait_for("#test> ")
        self.mock.kill()
        t.wait_for("went away")
        with open(self.state, encoding="utf-8") as file:
            state = json.load(file)
        state["channels"][1]["Name"] = "strangers"
        with open(self.state, "w", encoding="utf-8") as file:
            json.dump(state, file)
        self.start_mock()
        t.wait_for("#test is not there any more")
        t.write("secret\r")
        t.wait_for("nobody is chosen")
        self.assertEqual(self.own(), [])
        t.write("\x15\x04")
        self.end()

    def test_hostile_name(self):
        t = self.open(key("escape"))
        t.wait_for("Esc\\x1b[31m\\x1b]0;pwned\\x07\\nforged line\\x9b1m> ")
        t.write("hi\r")
        t.wait_for("me: hi")
        t.write("\x04")
        self.end()

    def test_suspend(self):
        """Ctrl-Z and back."""
        t = self.open("Alice")
        t.wait_for("Alice> ")
        t.write("half")
        t.wait_for("Alice> half")
        self.process.send_signal(signal.SIGSTOP)
        self.process.send_signal(signal.SIGCONT)
        t.write(" whole\r")
        t.wait_for("me: half whole")
        t.write("\x04")
        self.end()


class Stream(ChatCase):
    def test_lines(self):
        """Each line a text; what is printed; the end with the input."""
        self.receive("before\x1b[2J")
        text = self.ctl("chat", "Alice", stdin="one\r\nzw\u00f6lf\n\n//three\nlast".encode())
        lines = text.splitlines()
        self.assertEqual(lines[0], "2026-03-01 12:00:01  1  Alice: before\\x1b[2J")
        self.assertEqual([m["Text"] for m in self.own()], ["one", "zwölf", "/three", "last"])
        self.assertIn("me to Alice: last (", text)
        self.assertEqual(self.ctl("chat", "Alice", "--limit", "0", stdin=b""), "")
        with open(os.path.join(self.bed.directory, "file"), "wb") as file:
            file.write(b"from a file\n")
        with open(file.name, "rb") as file:
            subprocess.run([find_program("meshcorectl"), "--session", "chat", "Alice"], env=self.environment(),
                           stdin=file, stdout=subprocess.DEVNULL, check=True, timeout=60)  # fmt: skip
        self.assertEqual(self.own()[-1]["Text"], "from a file")

    def test_status(self):
        """A text that was refused decides, and half a text is never sent."""
        def chat(stdin):
            result = subprocess.run([find_program("meshcorectl"), "--session", "chat", "Alice"], env=self.environment(),
                                    input=stdin, capture_output=True, timeout=60, check=False)  # fmt: skip
            for out in (result.stdout.decode(), result.stderr.decode()):
                self.assertEqual([c for c in out if acts_on_terminal(c)], [])
            return result.returncode

        self.assertEqual(chat(b"x" * 161 + b"\nfine\n"), USAGE)
        self.assertEqual([m["Text"] for m in self.own()], ["fine"])
        self.assertEqual(chat(b"\xff\xfe\nfine too\n"), USAGE)
        self.assertEqual(chat(b"and\n" + b"x" * 100000), USAGE)
        self.assertEqual([m["Text"] for m in self.own()], ["fine", "fine too", "and"])
        for arguments, status in ((["nobody"], NOT_FOUND), (["Twin"], USAGE), (["Alice", "x"], USAGE), (["-n", "x"], USAGE)):
            self.ctl("chat", *arguments, status=status, stdin=b"")
        self.mock.kill()
        self.ctl("chat", "Alice", status=UNREACHABLE, stdin=b"x\n")

    def start(self, *arguments):
        process = subprocess.Popen([find_program("meshcorectl"), "--session", "chat", *arguments], env=self.environment(),
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        for file in (process.stdin, process.stdout, process.stderr):
            self.addCleanup(file.close)
        return process

    def test_json(self):
        """A program's side: one object for each message and for each new state."""
        self.tell("Delivery", ["sending"])
        process = self.start("Alice", "--json", "-n", "0")
        process.stdin.write(b"hello\n")
        process.stdin.flush()
        seen = []
        while not seen or seen[-1]["State"] != "sending":
            seen.append(json.loads(process.stdout.readline()))
        self.assertTrue(all(m["Id"] == 1 and m["Text"] == "hello" for m in seen))
        self.tell("Release", ["sent", "delivered"])
        while seen[-1]["State"] != "delivered":
            seen.append(json.loads(process.stdout.readline()))
        self.receive("answer\x1b")
        self.assertEqual(json.loads(process.stdout.readline())["Text"], "answer\x1b")
        process.stdin.close()
        self.assertEqual(process.wait(60), OK)

    def test_restart(self):
        """The input waits for the daemon."""
        process = self.start("Alice", "-n", "0")
        process.stdin.write(b"one\n")
        process.stdin.flush()
        self.assertIn(b"me to Alice: one", process.stdout.readline())
        self.mock.kill()
        while b"went away" not in process.stdout.readline():
            pass
        process.stdin.write(b"two\nthree\n")
        process.stdin.flush()
        self.start_mock()
        process.stdin.close()
        self.assertEqual(process.wait(60), OK)
        self.assertEqual([m["Text"] for m in self.own()], ["one", "two", "three"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
