#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verbs of meshcorectl that change contacts and channels, against a stand-in for the daemon."""

import json
import os
import pty
import re
import subprocess
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

from test_verbs import (  # noqa: E402
    ALICE, FAILED, NOT_CONNECTED, NOT_FOUND, OK, REFUSED, TOP, UNREACHABLE, USAGE, Case, acts_on_terminal, find_program,
    key,
)  # fmt: skip

SECRET = "8b3387e9c5cdea6ac9e5edbaa115cd72"
NEW = "ab" * 32


class BookCase(Case):
    def setUp(self):
        super().setUp()
        self.start_mock()

        self.n_calls = 0

    def calls(self):
        """What was called since the last time: [last part of the path, member, arguments…]."""
        if not os.path.exists(self.state):
            return []
        with open(self.state, encoding="utf-8") as file:
            calls = json.load(file)["calls"]
        seen, self.n_calls = self.n_calls, len(calls)
        return calls[seen:]

    def expect(self, *arguments, call, output="", **options):
        """The command makes exactly this call and prints that."""
        self.calls()
        self.assertEqual(self.ctl(*arguments, **options), output)
        self.assertEqual(self.calls(), [call])


class Contact(BookCase):
    def test_group(self):
        """A group without a word, with options on either side, and its help."""
        self.assertEqual(self.ctl("contact"), self.ctl("contacts"))
        self.assertEqual(self.ctl("contact", "list", "ali"), self.ctl("contacts", "ali"))
        self.assertEqual(self.json("contact", "list"), self.json("contacts"))
        self.assertEqual(self.ctl("contact", "--json", "list", "-r", "home"), self.ctl("contacts", "--json"))
        self.assertEqual(self.ctl("contact", "--json"), self.ctl("contacts", "--json"))
        self.assertIn("contact reset-path", self.ctl("contact", "--help"))
        self.assertEqual(self.ctl("help", "contact", "add"), self.ctl("contact", "add", "--help"))
        for group in ("contact", "channel", "pending", "auto-add"):
            text = self.ctl("help", group)
            self.assertEqual(text, self.ctl(group, "-h"))
            parts = [line.split()[1] for line in text.split("without a word:\n")[1].split("\n\n")[0].splitlines()]
            self.assertGreaterEqual(len(parts), 2)
            for part in parts:
                self.assertIn(f"meshcorectl {group} {part}", self.ctl(group, part, "--help"))
        for wrong in (
            ("contact", "fly"), ("contact", "--fly"), ("help", "contact", "fly"), ("help", "send", "x"),
            ("contact", "show"), ("contact", "show", "a", "b"), ("contact", "--name", "x", "add"),
        ):  # fmt: skip
            self.ctl(*wrong, status=USAGE)

    def test_show(self):
        text = self.ctl("contact", "show", "Relay north")
        self.assertIn(f"Key:          {key('relay')}\n", text)
        self.assertIn("Path:         a1,b2\n", text)
        self.assertIn("Type:         repeater\n", text)
        self.assertIn("Path:         unknown", self.ctl("contact", "show", "Alice"))
        self.assertEqual(self.json("contact", "show", ALICE)["Name"], "Alice")
        self.assertEqual(self.json("contact", "show", key("escape"))["Name"], "Esc\x1b[31m\x1b]0;pwned\x07\nforged line\x9b1m")
        self.assertIn("Esc\\x1b[31m", self.ctl("contact", "show", key("escape")[:12]))
        self.ctl("contact", "show", "Twin", status=USAGE)
        self.assertIn(key("twin-two"), self.stderr)
        for nobody in ("alice", "nobody", key("alice")[:7], "Public", f"{ALICE}x"):
            self.ctl("contact", "show", nobody, status=NOT_FOUND)

    def test_find(self):
        text = self.ctl("contact", "find", "esc")
        self.assertEqual(text, f"{key('escape')}  Esc\\x1b[31m\\x1b]0;pwned\\x07\\nforged line\\x9b1m\n")
        self.assertEqual({c["Key"] for c in self.json("contact", "find", "twin")}, {key("twin-one"), key("twin-two")})
        self.assertEqual(self.json("contact", "find", "nobody"), [])
        self.ctl("contact", "find", "no\x1bbody", status=NOT_FOUND)

    def test_add(self):
        self.expect("contact", "add", NEW, "--name", "New\u202e", "--type", "room", "--favourite", "yes", "--flags", "3",
                    "--location=-48.5,16.25", "--path", "a1,b2c3",
                    call=["home", "Add", {"Key": NEW, "Type": "room", "Name": "New\u202e", "Flags": 3, "Favourite": True,
                                          "Location": [-48.5, 16.25], "Path": ["a1", "b2c3"]}],
                    output=NEW + "\n")  # fmt: skip
        contact = self.json("contact", "add", key("stranger"))
        self.assertEqual((contact["Key"], contact["Radio"]), (key("stranger"), "home"))
        self.assertEqual(self.calls()[-1], ["home", "Add", {"Key": key("stranger")}])
        self.ctl("contact", "add", "cd" * 32, status=USAGE)
        self.assertIn("type and name are needed", self.stderr)
        for wrong in (
            ["abcd"], [NEW, "--favourite", "perhaps"], [NEW, "--flags", "256"], [NEW, "--location", "1"],
            [NEW, "--location", "1,2,3"], [NEW, "--location", "N,E"], [NEW, "--path", "a"], [NEW, "--path", "a1,,b2"],
            [NEW, "--path", "a1b2c3d4"],
        ):  # fmt: skip
            self.calls()
            self.ctl("contact", "add", *wrong, status=USAGE)
            self.assertEqual(self.calls(), [])
        self.tell("Error", {"Add": ["org.meshcored1.Error.TableFull", "nobody may be given up"]})
        self.ctl("contact", "add", NEW, "--name", "x", "--type", "chat", status=FAILED)

    def test_update(self):
        alice = key("alice")
        self.expect("contact", "update", "Alice", "--favourite", "no", "--name", "Al",
                    call=[alice, "Update", {"Name": "Al", "Favourite": False}])  # fmt: skip
        self.expect("contact", "update", alice, "--location", "1e1,-0.5",
                    call=[alice, "Update", {"Location": [10.0, -0.5]}])  # fmt: skip
        self.assertEqual(self.json("contact", "update", "Al", "--flags", "5")["Flags"], 5)
        self.ctl("contact", "update", "Al", status=USAGE)
        self.expect("contact", "favourite", "Al", call=[alice, "Update", {"Favourite": True}])
        self.expect("contact", "favourite", "Al", "--no", call=[alice, "Update", {"Favourite": False}])
        self.expect("contact", "favourite", "--", "-rf", call=[key("option"), "Update", {"Favourite": True}])

    def test_paths(self):
        alice = key("alice")
        self.expect("contact", "set-path", "Alice", "a1", "b2", call=[alice, "SetPath", ["a1", "b2"]])
        self.expect("contact", "set-path", "Alice", "A1b2,c3D4", call=[alice, "SetPath", ["a1b2", "c3d4"]])
        self.expect("contact", "set-path", "Alice", "direct", call=[alice, "SetPath", []])
        self.expect("contact", "reset-path", "Alice", call=[alice, "ResetPath"])
        self.assertEqual(self.json("contact", "set-path", "Alice", "77")["Path"], ["77"])
        for wrong in (["direct", "a1"], ["a"], ["xy"], [""], ["a1b2c3d4"]):
            self.ctl("contact", "set-path", "Alice", *wrong, status=USAGE)

    def test_share_remove(self):
        self.expect("contact", "share", "Hex", call=["abcdef0123456789" * 4, "Share"])
        self.tell("Error", {"Share": ["org.meshcored1.Error.Rejected", "it holds no advert"]})
        self.ctl("contact", "share", "Hex", status=FAILED)
        self.tell("Error", {"Share": ["org.meshcored1.Error.NotConnected", "no link"]})
        self.ctl("contact", "share", "Hex", status=NOT_CONNECTED)
        self.expect("contact", "remove", "Alice", "--keep", call=[key("alice"), "Remove", {"Keep": True}])
        self.expect("contact", "remove", key("shell"), call=[key("shell"), "Remove", {}])
        self.ctl("contact", "remove", key("shell"), status=NOT_FOUND)

    def test_cards(self):
        self.expect("contact", "export", call=["home", "ExportSelf", {"Form": "link"}], output="meshcore://link/self\n")
        self.expect("contact", "export", "--card", call=["home", "ExportSelf", {"Form": "card"}],
                    output="meshcore://card/self\n")  # fmt: skip
        self.expect("contact", "export", key("bidi"), "-c", call=[key("bidi"), "Export", {"Form": "card"}],
                    output="meshcore://card/bidi\\u{202e}gnp\\u{2066}.exe\n")  # fmt: skip
        self.assertEqual(self.json("contact", "export"), {"Uri": "meshcore://link/self"})
        uri = "meshcore://contact/add?name=x"
        self.expect("contact", "import", uri, call=["home", "Import", uri], output=key("imported") + "\n")
        self.ctl("contact", "remove", key("imported"))
        self.calls()
        self.expect("contact", "import", "-", stdin=uri.encode() + b"\r\nmore\n", call=["home", "Import", uri],
                    output=key("imported") + "\n")  # fmt: skip
        for stdin in (b"", b"\xff\n", b"x" * 5000):
            self.ctl("contact", "import", "-", stdin=stdin, status=USAGE)
        self.ctl("contact", "import", "meshcore://channel/add?x", status=USAGE)
        self.assertIn("Channels", self.stderr)

    def test_several_radios(self):
        self.tell("SetRadios", ["home", "attic"])
        self.ctl("contact", "share", "Alice", status=USAGE)
        self.expect("contact", "share", ALICE, call=[key("alice"), "Share"])
        self.expect("contact", "share", "Alice", "-r", "attic", call=[key("alice"), "Share"])
        self.ctl("contact", "share", "Hex", "-r", "attic", status=NOT_FOUND)
        self.ctl("contact", "export", status=USAGE)


class Pending(BookCase):
    def test_list(self):
        lines = self.ctl("pending").splitlines()
        self.assertEqual(lines[0].split(), "NAME TYPE KEY LAST HEARD LOCATION".split())
        self.assertIn("Str\\x1b[31manger\\u{202e}", lines[1])
        self.assertIn(key("strange-too")[:12], lines[2])
        nodes = self.json("pending", "list")
        self.assertEqual([n["Key"] for n in nodes], [key("stranger"), key("strange-too")])
        self.assertEqual((nodes[0]["Name"], nodes[1]["Location"]), ("Str\x1b[31manger\u202e", [1.5, -2.5]))
        self.assertEqual(nodes[0]["Radio"], "home")
        self.tell("SetRadios", ["home", "attic"])
        self.assertIn("RADIO", self.ctl("pending").splitlines()[0])

    def test_add(self):
        self.ctl("pending", "add", "strange", status=USAGE)
        self.ctl("pending", "add", key("strange")[:14], status=USAGE)  # both begin so
        self.assertIn(key("strange-too"), self.stderr)
        self.ctl("pending", "add", "00" * 8, status=NOT_FOUND)
        self.ctl("pending", "add", key("stranger")[:7], status=USAGE)
        self.assertEqual(self.ctl("pending", "add", key("stranger")[:16].upper(), "--favourite"), key("stranger") + "\n")
        self.assertEqual(self.calls()[-1], ["home", "Add", {"Key": key("stranger"), "Favourite": True}])
        self.assertEqual(self.json("pending", "add", key("strange-too"))["Type"], "repeater")
        self.assertEqual(self.ctl("pending"), "")
        self.assertEqual(self.json("pending"), [])

    def test_dismiss(self):
        self.assertEqual(self.ctl("pending", "dismiss", key("stranger")[:20]), "")
        self.assertEqual(self.calls()[-1], ["home", "DismissPending", key("stranger")])
        self.ctl("pending", "dismiss", key("stranger")[:20], status=NOT_FOUND)


class AutoAdd(BookCase):
    def test_show(self):
        text = self.ctl("auto-add")
        self.assertIn("Only the kinds below yes\n", text)
        self.assertIn("Repeaters            no\n", text)
        self.assertIn("Fewer hops than      4\n", text)
        self.assertNotIn("Sensors", text)
        self.assertEqual(self.json("auto-add", "show"), {"Manual": True, "Chat": True, "Repeater": False, "MaxHops": 4})

    def test_set(self):
        self.expect("auto-add", "set", "--manual", "no", "--overwrite", "on", "--max-hops", "0",
                    call=["home", "SetAutoAdd", {"Manual": False, "Overwrite": True, "MaxHops": 0}])  # fmt: skip
        self.assertFalse(self.json("auto-add")["Manual"])
        self.assertIn("Fewer hops than      any\n", self.ctl("auto-add"))
        for wrong in ([], ["--chat", "maybe"], ["--max-hops", "256"], ["--max-hops", "-1"], ["word"]):
            self.ctl("auto-add", "set", *wrong, status=USAGE)
        self.tell("Error", {"SetAutoAdd": ["org.meshcored1.Error.NotSupported", "takes 1.12 or newer"]})
        self.ctl("auto-add", "set", "--chat", "yes", status=FAILED)


class Channel(BookCase):
    def file(self, text):
        path = os.path.join(self.bed.directory, "secret")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def test_add_and_set(self):
        self.assertEqual(self.ctl("channel"), self.ctl("channels"))
        self.expect("channel", "add", "#new", call=["home", "Set", 255, "#new", "", {"Source": "hashtag"}], output="2\n")
        self.expect("channel", "add", "--public", call=["home", "Set", 255, "", "", {"Source": "public"}], output="2\n")
        self.expect("channel", "add", "Club", "--random", call=["home", "Set", 255, "Club", "", {"Source": "random"}],
                    output="2\n")  # fmt: skip
        self.expect("channel", "set", "7", "Club", "--secret-file", self.file(SECRET.upper() + "\n"),
                    call=["home", "Set", 7, "Club", SECRET, {}], output="7\n")  # fmt: skip
        self.expect("channel", "set", "7", "#x", "-s", "-", stdin=SECRET.encode(),
                    call=["home", "Set", 7, "#x", SECRET, {}], output="7\n")  # fmt: skip
        self.assertEqual(self.json("channel", "set", "5", "#y")["Slot"], 5)

    def test_wrong(self):
        for wrong in (
            ["add"], ["add", "Club"], ["add", "--random"], ["add", "x", "--random", "--public"], ["set", "255", "#x"],
            ["set", "#x"], ["set", "1"], ["add", "x", "--secret-file", "/nonexistent"], ["add", "x", "y"],
            ["add", "x", "--secret-file", self.file("12")], ["add", "x", "--secret-file", self.file("x" * 32)],
            ["add", "x", "--secret-file", self.file(SECRET + "00")],
        ):  # fmt: skip
            self.calls()
            self.ctl("channel", *wrong, status=USAGE)
            self.assertEqual(self.calls(), [])
            self.assertNotIn(SECRET, self.stderr)

    def test_clear(self):
        self.expect("channel", "clear", "test", call=["1", "Clear"])
        self.expect("channel", "clear", "3", call=["3", "Clear"])
        self.ctl("channel", "clear", "3", status=NOT_FOUND)

    def test_secrets(self):
        self.assertEqual(self.ctl("channel", "secret", "test"), SECRET + "\n")
        self.assertEqual(self.json("channel", "secret", "1"), {"Secret": SECRET})
        uri = f"meshcore://channel/add?name=x&secret={SECRET}"
        self.assertEqual(self.ctl("channel", "export", "test"), uri + "\n")
        self.calls()
        self.expect("channel", "import", stdin=uri.encode() + b"\n", call=["home", "Import", uri], output="2\n")
        self.expect("channel", "import", "--file", self.file(uri), call=["home", "Import", uri], output="2\n")
        self.ctl("channel", "import", uri, status=USAGE)
        self.ctl("channel", "import", stdin=b"meshcore://1234\n", status=USAGE)
        self.tell("Error", {"GetSecret": ["org.freedesktop.DBus.Error.AccessDenied", "this needs the right to administer"]})
        self.ctl("channel", "secret", "test", status=REFUSED)

    def test_asked_at_a_terminal(self):
        """A secret is asked for and not shown while it is typed."""
        master, slave = pty.openpty()
        argv = [find_program("meshcorectl"), "--session", "channel", "add", "Club", "--secret-file", "-"]
        with subprocess.Popen(argv, env=self.bed.environment(), stdin=slave, stdout=slave, stderr=slave) as process:
            os.close(slave)
            output = b""
            while b"hex digits: " not in output:
                output += os.read(master, 1000)
            os.write(master, SECRET.encode() + b"\n")
            try:
                while piece := os.read(master, 1000):
                    output += piece
            except OSError:
                pass
            self.assertEqual(process.wait(60), OK)
        os.close(master)
        self.assertNotIn(SECRET.encode(), output)
        self.assertTrue(output.endswith(b"\r\n2\r\n"), output)
        self.assertEqual(self.calls()[-1], ["home", "Set", 255, "Club", SECRET, {}])


class Doctor(BookCase):
    def setUp(self):
        super().setUp()
        version = self.ctl("--version").split()[-1]
        self.tell("Set", {"version": version, "radio": {"ClockSkewUSec": 0}})

    def run_doctor(self, *arguments):
        """(status, stdout, stderr), looked at as every output is."""
        result = subprocess.run(
            [find_program("meshcorectl"), "--session", "doctor", *arguments], env={**self.bed.environment(), "TZ": "UTC"},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        for text in (result.stdout, result.stderr):
            self.assertEqual([c for c in text if acts_on_terminal(c)], [], text)
        return result.returncode, result.stdout, result.stderr

    def found(self, check, radio="home"):
        status, stdout, _ = self.run_doctor("--json")
        report = json.loads(stdout)
        self.assertEqual(report["Healthy"], status == OK)
        self.assertEqual(report["Healthy"], not any(f["Level"] in ("warning", "problem") for f in report["Findings"]))
        return next((f for f in report["Findings"] if f["Check"] == check and f["Radio"] == radio), None)

    def test_healthy(self):
        status, stdout, stderr = self.run_doctor()
        self.assertEqual((status, stderr), (OK, ""))
        for line in ("  ok       daemon    meshcored ", "  ok       rights    ", "\nhome\n", "  ok       link      ready, tcp",
                     "  ok       clock     ", "  ok       contacts  11 of 350", "  ok       queue     no text waits",
                     "  note     pending   2 nodes"):  # fmt: skip
            self.assertIn(line, stdout)

    def test_wrong(self):
        """Each thing that can be wrong, with its level and the status that tells."""
        old = self.NOON
        for change, check, level in (
            ({"version": "0.0.1"}, "daemon", "warning"),
            ({"radio": {"ClockSkewUSec": 61 * 10**6}}, "clock", "warning"),
            ({"radio": {"ClockSkewUSec": -61 * 10**6}}, "clock", "warning"),
            ({"radio": {"BatteryPercent": 14}}, "battery", "warning"),
            ({"radio": {"StorageUsedKB": 90, "StorageTotalKB": 100}}, "storage", "warning"),
            ({"capacity": 12}, "contacts", "warning"),
            ({"capacity": 12, "auto-add": {"Overwrite": True}}, "contacts", "note"),
            ({"state": "waiting", "reason": "taken-over"}, "link", "problem"),
            ({"state": "stopped", "reason": "none"}, "link", "note"),
            ({"state": "syncing", "reason": "none"}, "link", "note"),
            ({"radio": {"PublicKey": "", "State": "waiting", "Reason": "refused"}}, "identity", "note"),
            ({"radios": []}, "radios", "problem"),
            ({"messages": [{"Id": 1, "State": "queued", "TimestampUSec": old}]}, "queue", "warning"),
            ({"messages": [{"Id": 1, "State": "queued", "TimestampUSec": old}], "state": "waiting"}, "queue", "warning"),
            ({"messages": [{"Id": 1, "State": "queued", "TimestampUSec": self.now()}]}, "queue", "ok"),
            ({"messages": [{"Id": 1, "State": "failed", "TimestampUSec": self.now()}]}, "failed", "warning"),
            ({"messages": [{"Id": 1, "State": "received", "TimestampUSec": old, "Read": False}]}, "unread", "note"),
        ):  # fmt: skip
            with self.subTest(check=check, change=change):
                with open(self.state, encoding="utf-8") as file:
                    before = json.load(file)
                for message in change.get("messages", []):
                    message.update({"Kind": "text", "Read": message.get("Read", True), "Radio": "home"})
                self.tell("Set", {**change, "radio": {"ClockSkewUSec": 0, **change.get("radio", {})}})
                finding = self.found(check, "" if check in ("daemon", "radios") else "home")
                self.assertEqual(finding["Level"], level, finding)
                self.assertIn(f"{level:8} {check:9} ", self.run_doctor()[1])
                self.tell("Set", {"state": "ready", "reason": "none", "capacity": 350, **before})
        self.assertEqual(self.run_doctor()[0], OK)
        self.assertIsNone(self.found("failed"))

    def test_reasons(self):
        """Each reason that there is, is described, and comes with advice."""
        with open(os.path.join(TOP, "src", "radio", "radio-names.c"), encoding="utf-8") as file:
            reasons = re.findall(r'\[REASON_\w+\] = "([a-z-]+)"', file.read())
        with open(os.path.join(TOP, "dbus", "org.meshcored1.Radio.xml"), encoding="utf-8") as file:
            text = re.search(r"Why the radio is not ready: (.*?)\.\n", file.read(), re.DOTALL)[1]
        self.assertEqual(re.split(r",?\s+(?:or )?", re.sub(r" \([^)]*\)", "", text)), reasons)
        for reason in reasons[1:]:
            self.tell("Set", {"state": "waiting", "reason": reason})
            self.assertNotEqual(self.found("link")["Advice"], "", reason)

    NOON = 1772366400 * 10**6

    @staticmethod
    def now():
        return int(time.time() * 10**6)

    def test_hostile(self):
        self.tell("Set", {"radio": {"State": "waiting", "Reason": "refused", "LastErrorMessage": "\x1b]0;pwned\x07\u202e\n"}})
        status, stdout, _ = self.run_doctor()
        self.assertEqual(status, FAILED)
        self.assertIn("\\x1b]0;pwned", stdout)

    def test_not_there(self):
        self.tell("Error", {"GetManagedObjects": ["org.freedesktop.DBus.Error.AccessDenied", "no"]})
        self.ctl("doctor", status=REFUSED)
        self.mock.kill()
        self.ctl("doctor", status=UNREACHABLE)
        self.assertIn("meshcored --session", self.stderr)


class Words(BookCase):
    def complete(self, *words):
        return set(self.ctl("complete", "--", "--session", *words).split("\n")) - {""}

    def test_completion(self):
        self.assertEqual(self.complete("contact", "re"), {"refresh", "remove", "reset-path"})
        self.assertEqual(self.complete("cont"), {"contact", "contacts"})
        names = {key(n) for n in ("twin-one", "twin-two", "relay", "wide", "escape", "bidi", "shell", "option", "glob")}
        self.assertEqual(self.complete("contact", "show", ""), names | {"Alice", "Hex"})
        self.assertEqual(self.complete("contact", "add", ""), {key("stranger"), key("strange-too")})
        self.assertEqual(self.complete("pending", "add", key("stranger")[:16]), {key("stranger")})
        self.assertEqual(self.complete("channel", "clear", ""), {"Public", "test", "3"})
        self.assertEqual(self.complete("auto-add", "set", "--chat", ""), {"yes", "no"})
        self.assertEqual(self.complete("auto-add", "set", "--m"), {"--manual", "--max-hops"})
        self.assertEqual(self.complete("contact", "add", "--type", "r"), {"repeater", "room"})
        self.assertEqual(self.complete("contact", "show", "Alice", ""), set())
        self.assertEqual(self.complete("help", "auto"), {"auto-add"})


if __name__ == "__main__":
    unittest.main(verbosity=2)
