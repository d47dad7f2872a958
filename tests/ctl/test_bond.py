#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verbs of meshcorectl that look for radios and are about bonds, against a stand-in for the daemon."""

import os
import pty
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

from test_book import BookCase  # noqa: E402
from test_verbs import FAILED, NOT_CONNECTED, NOT_FOUND, REFUSED, USAGE, find_program  # noqa: E402

HUT = "C0:00:00:00:22:01"


class QuietCase(BookCase):
    def json(self, *arguments, **options):
        """A library that complains does it on standard error."""
        found = super().json(*arguments, **options)
        if "stdin" not in options:
            self.assertEqual(self.stderr, "")
        return found


class Discover(QuietCase):
    def test_table(self):
        lines = self.ctl("discover").splitlines()
        self.assertEqual(lines[0].split(), ["TRANSPORT", "NAME", "SIGNAL", "BOND", "LINK", "ADAPTER", "RADIO"])
        self.assertEqual(lines[1].split(), ["serial:/dev/serial/by-id/usb-RAK-if00", "Wis\\x1bBlock", "yes", "home"])
        self.assertEqual(lines[2].split(), [f"ble:{HUT}", "MeshCore-Hut", "-71", "dBm", "yes", "hci1"])
        self.assertEqual(lines[3].split(), ["serial:/dev/ttyUSB0", "(?)", "CP2102"])
        self.assertEqual(self.calls(), [["Discover", {"TimeoutUSec": 10000000}]])

    def test_options(self):
        found = self.json("discover", "Hut", "--first", "--transport", "ble", "--adapter", "hci1", "--timeout", "90s")
        self.assertEqual(self.calls(), [["Discover", {"Transport": "ble", "Name": "Hut", "Adapter": "hci1", "First": True,
                                                      "TimeoutUSec": 90000000}]])  # fmt: skip
        self.assertEqual((found[0]["Radio"], found[1]["Rssi"]), ("/org/meshcored1/radio/home", -71))
        self.ctl("discover", "--timeout", "soon", status=USAGE)
        self.ctl("discover", "a", "b", status=USAGE)
        self.assertEqual(self.calls(), [])

    def test_nothing(self):
        self.ctl("discover", "nobody", status=NOT_FOUND)
        self.assertEqual(self.json("discover", "nobody"), [])
        self.tell("Error", {"Discover": ["org.meshcored1.Error.NotConnected", "there is no Bluetooth adapter"]})
        self.ctl("discover", status=NOT_CONNECTED)


class BleCase(QuietCase):
    def setUp(self):
        super().setUp()
        self.tell("Set", {"pairing": True})


class Bond(BleCase):
    def test_list(self):
        self.assertEqual([line.split()[-1] for line in self.ctl("bond").splitlines()], ["ADAPTER", "hci1", "hci0"])
        self.assertEqual([bond["Address"] for bond in self.json("bond", "list")], [HUT, HUT])

    def test_verify(self):
        self.assertEqual(self.ctl("bond", "verify"), "verified\n")
        self.assertEqual(self.json("bond", "verify", "home"), {"BondState": "verified"})
        self.tell("Set", {"bond": "stale"})
        self.ctl("bond", "verify", status=FAILED)
        self.assertIn("stale", self.stderr)
        self.assertEqual(self.json("bond", "verify"), {"BondState": "stale"})

    def test_forget(self):
        self.expect("bond", "forget", HUT, call=["ForgetBond", HUT])
        self.expect("bond", "forget", "--all", call=["ForgetBond", HUT])
        self.ctl("bond", "forget", status=USAGE)
        self.ctl("bond", "forget", HUT, "--all", status=USAGE)
        self.tell("Error", {"ForgetBond": ["org.freedesktop.DBus.Error.AccessDenied", "not you"]})
        self.ctl("bond", "forget", HUT, status=REFUSED)


class Pair(BleCase):
    def test_asked(self):
        """The daemon asks back over the same connection; a wrong PIN is asked for again."""
        self.assertEqual(self.ctl("pair", stdin=b"123456\n"), "bonded\n")
        self.assertEqual(self.ctl("pair", "home", stdin=b"000000\n123456\n"), "bonded\n")
        self.assertIn("did not accept", self.stderr)
        self.assertEqual(self.json("pair", stdin=b"123456\n"), {"Result": "bonded"})
        self.ctl("pair", stdin=b"12345\n", status=USAGE)
        self.ctl("pair", stdin=b"", status=USAGE)
        self.ctl("pair", "cellar", stdin=b"123456\n", status=NOT_FOUND)

    def test_file(self):
        path = os.path.join(self.bed.directory, "pin")
        for pin, options in (("123456", {}), ("654321", {"status": REFUSED}), ("1234567", {"status": USAGE})):
            with open(path, "w", encoding="ascii") as file:
                file.write(pin + "\n")
            self.ctl("pair", "--pin-file", path, **options)

    def test_unseen(self):
        """On a terminal the PIN is asked for, and is not shown."""
        primary, secondary = pty.openpty()
        self.addCleanup(os.close, primary)
        pair = subprocess.Popen([find_program("meshcorectl"), "--session", "pair"], stdin=secondary, stdout=secondary,
                                stderr=secondary, env=self.bed.environment(), start_new_session=True)  # fmt: skip
        self.addCleanup(pair.wait)
        os.close(secondary)
        shown = b""
        while not shown.endswith(b"six digits: "):
            shown += os.read(primary, 4096)
        self.assertIn(b"PIN of home", shown)
        os.write(primary, b"123456\n")
        try:
            while part := os.read(primary, 4096):
                shown += part
        except OSError:
            pass  # its end is closed
        self.assertEqual(pair.wait(), 0)
        self.assertIn(b"bonded", shown)
        self.assertNotIn(b"123456", shown)


if __name__ == "__main__":
    unittest.main(verbosity=2)
