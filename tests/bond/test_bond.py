#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""meshcore-bond: test_bond.py GROUP. What callers of meshcore-ble-connect rely on, and the ten defects of that which ours
must not have: class Defects, in their order."""

import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import termios
import time
import unittest

from bond_bed import ADDRESS, OTHER, PIN, TOOL, Case, Program, find_program

HERE = os.path.dirname(os.path.abspath(__file__))


class Flags(Case):
    """Arguments: all of this is said before anything is done."""

    def refused(self, *arguments, **options):
        result = self.tool(*arguments, **options)
        self.assertEqual((result.status, result.out), (2, ""), result)
        self.assertTrue(result.err.startswith("Error:    "), result)
        self.assertEqual(self.bluez.log(), [])
        return result.err

    def test_version_and_help(self):
        result = self.tool("--version")
        self.assertEqual(result.status, 0)
        self.assertRegex(result.out, r"\Ameshcore-bond v\d+\.\d+\.\d+\S*\n\Z")
        for option in ("-h", "--help"):
            result = self.tool(option)
            self.assertEqual(result.status, 0)
            for word in ("--pin", "--pin-file", "--check-only", "--force-repair", "--forget", "--list", "--scan",
                         "--adapter", "--json", "--verbose", "--no-daemon", "--version"):  # fmt: skip
                self.assertIn(word, result.out)
        self.assertEqual(self.bluez.log(), [])

    def test_address(self):
        for bad in ("C0:00:00:00:22", "C0:00:00:00:22:01:02", "c0:00:00:00:22:0", "C0-00:00:00:22:01", ":", "", "/",
                    "/org/bluez/hci0", "/org/bluez/hci0/dev_C0_00_00_00_22", "/org/bluez/hci0/dev_C0_00_00_00_22_01/service0010"):
            err = self.refused("--check-only", bad)
            self.assertRegex(err, r"\AError:    Invalid MAC address: .*\nExpected format: AA:BB:CC:DD:EE:FF")
        err = self.refused("--check-only", "\x1b" * 300)
        self.assertNotIn("\x1b", err)

    def test_address_in_small_letters(self):
        self.bond()
        result = self.tool("--check-only", ADDRESS.lower())
        self.assertEqual(result.status, 0, result)
        self.assertEqual(result.line("Device"), ADDRESS)

    def test_object_path(self):
        """Of the device: it names the adapter, too."""
        self.bond()
        self.bluez.tell("adapter hci1 00:AA:01:00:00:43")
        result = self.tool("--check-only", "/org/bluez/hci0/dev_C0_00_00_00_22_01")
        self.assertEqual((result.status, result.line("Device")), (0, ADDRESS), result)
        self.assertEqual(self.tool("--check-only", "/org/bluez/hci1/dev_C0_00_00_00_22_01").status, 1)
        for arguments in ((), ("--no-daemon",)):
            result = self.tool("--check-only", *arguments, "/org/meshcored1/radio/hut")
            self.assertEqual((result.status, result.line("Reason")), (2, "not-found"), result)

    def test_usage(self):
        self.refused()
        self.refused("--check-only")
        self.refused("--check-only", ADDRESS, OTHER)
        self.refused("--nonsense", ADDRESS)
        self.refused("--list", ADDRESS)
        for a, b in (("--check-only", "--force-repair"), ("--check-only", "--forget"), ("--list", "--scan")):
            self.assertIn("mutually exclusive", self.refused(a, b, *([ADDRESS] if a != "--list" else [])))
        self.assertIn("mutually exclusive", self.refused("--pin", PIN, "--pin-file", "x", ADDRESS))

    def test_pin_is_checked_first(self):
        for bad in ("", "12345", "1234567", "abcdef", "12345 ", "-12345", "１２３４５６"):
            self.assertIn("exactly six digits", self.refused("--pin", bad, ADDRESS))
            self.assertIn("exactly six digits", self.refused(ADDRESS, env={"MESHCORE_BLE_PIN": bad}))
            self.assertIn("exactly six digits", self.refused("--pin-file", "-", ADDRESS, stdin=bad + "\n"))
        self.refused("--pin-file", "-", ADDRESS)  # end of input
        self.assertIn("others can read it", self.refused("--pin-file", self.pin_file(mode=0o644), ADDRESS))
        self.refused("--pin-file", os.path.join(self.directory, "missing"), ADDRESS)
        self.refused("--pin-file", self.directory, ADDRESS)
        self.assertIn("exactly six digits", self.refused("--pin-file", self.pin_file("no pin\n"), ADDRESS))

    def test_verbose(self):
        self.bond()
        result = self.tool("--check-only", "--verbose", ADDRESS)
        self.assertEqual(result.status, 0)
        self.assertRegex(result.out, r"(?m)^  \[.+\]$")
        self.assertNotRegex(self.tool("--check-only", ADDRESS).out, r"(?m)^  \[")


class Exits(Case):
    """Exit codes, and the reason that each gives beside."""

    def test_0_verified(self):
        self.bond()
        result = self.tool("--check-only", ADDRESS)
        self.assertEqual(result.status, 0, result)
        self.assertEqual(result.line("Result"), "✅ Bond verified — ready to connect")
        self.assertIsNone(result.line("Reason"))
        self.assertEqual(result.err, "")

    def test_0_paired(self):
        result = self.tool("--pin", PIN, ADDRESS)
        self.assertEqual(result.status, 0, result)
        self.assertEqual(result.line("Result"), "✅ Bond established — ready to connect")
        self.assert_radio("paired=1 trusted=1 connected=0 agents=0")

    def test_0_kept(self):
        """A good bond is checked and trusted, without a PIN and without pairing."""
        self.bond()
        self.bluez.set(trusted=0)
        result = self.tool(ADDRESS)
        self.assertEqual(result.status, 0, result)
        self.assertEqual(result.line("Result"), "✅ Bond verified — ready to connect")
        self.assertEqual(self.bluez.calls("Pair"), [])
        self.assert_radio("paired=1 trusted=1")

    def test_0_repaired(self):
        self.bond()
        result = self.tool("--force-repair", "--pin", PIN, ADDRESS)
        self.assertEqual(result.status, 0, result)
        self.assertEqual(result.line("Result"), "✅ Re-paired — ready to connect")
        self.assertEqual(len(self.bluez.calls("RemoveDevice")), 1)
        self.assertEqual(len(self.bluez.calls("Pair")), 1)
        self.assert_radio("paired=1 trusted=1")

    def test_1_no_bond(self):
        for known in (0, 1):
            self.bluez.set(known=known)
            result = self.tool("--check-only", ADDRESS)
            self.assertEqual(result.status, 1, result)
            self.assertEqual(result.line("Result"), "No valid bond present")

    def test_1_stale(self):
        for key, modern in (("none", 0), ("none", 1), ("other", 0)):
            self.bond()
            self.bluez.tell(f"modern {modern}")
            self.bluez.set(key=key)
            result = self.tool("--check-only", ADDRESS)
            self.assertEqual(result.status, 1, (key, modern, result))
            self.assertIn(result.line("Reason"), ("key-missing", "encryption"))
            self.assert_radio("paired=1")

    def test_2_pairing(self):
        cases = (({"pin": 654321}, "authentication"), ({"refuses": 1}, "rejected"), ({"loses_pairing": 1}, "link-lost"))
        for settings, reason in cases:
            self.bluez.set(**settings)
            result = self.tool("--pin", PIN, ADDRESS)
            self.assertEqual((result.status, result.line("Reason")), (2, reason), result)
            self.assertRegex(result.err, r"\AError:    \S")
            self.bluez.set(**{key: 123456 if key == "pin" else 0 for key in settings})

    def test_2_no_pin(self):
        result = self.tool(ADDRESS)
        self.assertEqual((result.status, result.line("Reason")), (2, "no-pin"), result)

    def test_3_adapter(self):
        self.bond()
        self.bluez.tell("power hci0 0")
        result = self.tool("--check-only", ADDRESS)
        self.assertEqual((result.status, result.line("Reason")), (3, "adapter"), result)
        self.assertEqual(result.line("Adapter"), "hci0 (inactive)")
        result = self.tool("--check-only", "--adapter", "hci7", ADDRESS)
        self.assertEqual((result.status, result.line("Reason")), (3, "adapter"), result)
        self.bluez.tell("present hci0 0")
        result = self.tool("--check-only", ADDRESS)
        self.assertEqual((result.status, result.line("Reason")), (3, "adapter"), result)

    def test_3_service(self):
        self.bluez.tell("crash")
        for arguments in (("--check-only", ADDRESS), ("--pin", PIN, ADDRESS), ("--list",), ("--scan",), ("--forget", ADDRESS)):
            result = self.tool(*arguments)
            self.assertEqual(result.status, 3, result)

    def test_3_dies(self):
        """bluetoothd dies in any call."""
        for member in ("GetManagedObjects", "Connect", "AcquireNotify"):
            self.bluez.tell("start")
            self.bond()
            self.bluez.tell(f"crash-in {member}")
            result = self.tool("--check-only", ADDRESS)
            self.assertEqual((result.status, result.line("Reason")), (3, "adapter"), (member, result))
            self.bluez.tell(f"heal {member}")

    def test_4_bus(self):
        result = self.tool("--check-only", ADDRESS, env={"DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/nonexistent"})
        self.assertEqual(result.status, 4, result)
        self.assertRegex(result.err, r"\AError:    Cannot connect to the system bus")


class Output(Case):
    """What scripts may grep for."""

    def labels(self, text):
        name, *lines = text.splitlines()
        self.assertRegex(name, r"\Ameshcore-bond v\d\S*\Z")
        for line in lines:
            self.assertRegex(line, r"\A(\S+: {1,9}\S|\S+:\S)", line)
            self.assertEqual(line.index(line.split(":", 1)[1].lstrip()), max(10, line.index(":") + 1), line)
        return [line.split(":")[0] for line in lines]

    def test_order(self):
        result = self.tool("--pin", PIN, ADDRESS)
        self.assertEqual(self.labels(result.out),
                         ["BlueZ", "Adapter", "Device", "Bond", "Agent", "Pairing", "Trusted", "Verify", "Result"])  # fmt: skip
        self.assertEqual(result.line("BlueZ"), "5.66")
        self.assertEqual(result.line("Device"), ADDRESS)
        self.assertEqual(result.line("Bond"), "not found — pairing required")
        result = self.tool("--check-only", ADDRESS)
        self.assertEqual(self.labels(result.out),
                         ["BlueZ", "Adapter", "Device", "Mode", "Bond", "Verify", "Verify", "Result"])  # fmt: skip
        self.assertEqual(result.line("Mode"), "check-only")

    def lines(self, *arguments, **environment):
        """The words after the address, but for what is ours alone."""
        out = self.tool(*arguments, ADDRESS, **environment).out
        return [line for line in out[out.index("Device:"):].splitlines()[1:] if not line.startswith(("Mode", "Reason"))]

    def test_words(self):
        """Line for line what meshcore-ble-connect says, with more behind it here and there."""
        self.assertEqual(self.lines("--check-only"), ["Bond:     not found — pairing required", "Result:   No valid bond present"])
        made = ["Agent:    registered (KeyboardDisplay)", "Pairing:  success", "Trusted:  set", "Verify:   test connect OK, the radio answered"]
        self.assertEqual(self.lines("--pin", PIN),
                         ["Bond:     not found — pairing required", *made, "Result:   ✅ Bond established — ready to connect"])  # fmt: skip
        good = ["Bond:     found (paired + trusted)", "Verify:   testing connection...", "Verify:   test connect OK, the radio answered",
                "Result:   ✅ Bond verified — ready to connect"]  # fmt: skip
        self.assertEqual(self.lines(), good)
        self.assertEqual(self.lines("--check-only"), good)
        self.assertEqual(self.lines("--force-repair", "--pin", PIN),
                         ["Bond:     found (paired + trusted)", "Cleanup:  removed existing bond", *made,
                          "Result:   ✅ Re-paired — ready to connect"])  # fmt: skip
        self.bluez.set(trusted=0)
        self.assertEqual(self.lines(),
                         ["Bond:     found (paired, not trusted)", *good[1:3], "Trusted:  set", good[-1]])  # fmt: skip
        self.bluez.set(key="none")
        invalid = ["Verify:   testing connection...", "Verify:   test connect FAILED — bond is invalid (key-missing)"]
        self.assertEqual(self.lines("--check-only"), [good[0], *invalid, "Result:   No valid bond present"])
        self.assertEqual(self.lines("--pin", PIN),
                         [good[0], *invalid, "Cleanup:  removed invalid bond", *made,
                          "Result:   ✅ Bond established — ready to connect"])  # fmt: skip

    def test_bond(self):
        self.bond()
        self.assertEqual(self.tool("--check-only", ADDRESS).line("Bond"), "found (paired + trusted)")
        self.bluez.set(trusted=0)
        self.assertEqual(self.tool("--check-only", ADDRESS).line("Bond"), "found (paired, not trusted)")
        self.bluez.tell("remove")
        self.bluez.set(known=1)
        self.assertEqual(self.tool("--check-only", ADDRESS).line("Bond"), "found (not paired)")
        self.bluez.set(known=0)
        self.assertEqual(self.tool("--check-only", ADDRESS).line("Bond"), "not found — pairing required")

    def test_adapter(self):
        self.assertEqual(self.tool("--check-only", ADDRESS).line("Adapter"), "hci0 (powered)")
        self.tool("--pin", PIN, ADDRESS)
        self.assertEqual(self.tool("--check-only", ADDRESS).line("Adapter"), "hci0 (powered, pairable)")

    def test_json(self):
        self.bond()
        good = self.tool("--json", "--check-only", ADDRESS).json()
        self.assertEqual((good["Exit"], good["State"], good["Reason"], good["Device"]), (0, "verified", "none", ADDRESS))
        self.assertEqual(good["Result"], "Bond verified — ready to connect")
        self.bluez.set(key="none")
        stale = self.tool("--json", "--check-only", ADDRESS)
        self.assertEqual((stale.status, stale.json()["State"], stale.json()["Reason"]), (1, "stale", "key-missing"))
        self.assertEqual(stale.err, "")
        self.bluez.tell("remove")
        failed = self.tool("--json", ADDRESS)
        self.assertEqual((failed.status, failed.json()["Exit"], failed.json()["Reason"]), (2, 2, "no-pin"))
        self.assertIn("PIN", failed.json()["Error"])
        self.bluez.tell("crash")
        self.assertEqual(self.tool("--json", "--list").json()["Exit"], 3)

    def test_list(self):
        self.bond()
        self.bluez.tell(f"radio hci0 {OTHER} MeshCore-Other")
        self.bluez.set(radio=1, known=1, rssi=1)
        before = self.bluez.state()
        result = self.tool("--list")
        self.assertEqual(result.status, 0)
        self.assertIn(f"{ADDRESS}  hci0", result.out)
        self.assertNotIn(OTHER, result.out)
        radios = self.tool("--list", "--json").json()["Radios"]
        self.assertEqual([(r["Address"], r["Name"], r["Bonded"], r["Trusted"]) for r in radios],
                         [(ADDRESS, "MeshCore-Hut", True, True)])  # fmt: skip
        self.assert_nothing_changed(before)

    def test_list_of_hostile_names(self):
        """JSON has the name itself, and a terminal gets to see none of it."""
        name = "MeshCore-\x9b31m\\\u202e"
        self.bluez.tell(f"radio hci0 {OTHER} '{name}'")
        self.bond(radio=1)
        listed = self.tool("--list", "--json")
        self.assertEqual([r["Name"] for r in listed.json()["Radios"]], [name])
        for result in (listed, self.tool("--list")):
            self.assertNotIn("\x9b", result.out)
            self.assertNotIn("\u202e", result.out)

    def test_scan(self):
        self.bluez.tell(f"radio hci0 {OTHER} 'MeshCore-\x1b[31mOther'")
        self.bluez.tell("radio hci0 C0:00:00:00:22:03 Headphones")
        self.bluez.set(radio=2, near=0)
        start = time.monotonic()
        result = self.tool("--scan")
        self.assertLess(time.monotonic() - start, 20)
        self.assertEqual(result.status, 0)
        self.assertIn(ADDRESS, result.out)
        self.assertIn(OTHER, result.out)
        self.assertNotIn("C0:00:00:00:22:03", result.out)
        self.assertNotIn("\x1b", result.out)
        self.wait_adapter("discovering=0")

    def test_forget(self):
        self.bond()
        result = self.tool("--forget", ADDRESS)
        self.assertEqual((result.status, result.line("Result")), (0, "✅ Bond removed"), result)
        self.assert_radio("known=0 paired=0")
        result = self.tool("--forget", ADDRESS)
        self.assertEqual((result.status, result.line("Reason")), (2, "not-found"), result)
        self.bond()
        self.assertEqual(self.tool("--forget", "MeshCore-Hut").status, 0)
        self.bond()
        self.bluez.tell("fail", "RemoveDevice", "org.bluez.Error.Failed", "no")
        result = self.tool("--forget", ADDRESS)
        self.assertEqual((result.status, result.line("Reason")), (2, "stack"), result)


class Flow(Case):
    """The order of what is done, and its limits."""

    def test_power_and_pairable(self):
        """Given where something may be changed, once."""
        self.bond()
        self.bluez.tell("power hci0 0")
        self.assertEqual(self.tool(ADDRESS).status, 0)
        self.assertIn("powered=1 pairable=1", self.bluez.state()[0])
        self.bluez.tell("clear")
        self.assertEqual(self.tool(ADDRESS).status, 0)
        self.assertEqual(self.bluez.calls("Set:Powered") + self.bluez.calls("Set:Pairable"), [])

    def test_pairing_in_order(self):
        self.assertEqual(self.tool("--pin", PIN, ADDRESS).status, 0)
        members = [line.split()[0] for line in self.bluez.log()]
        order = ["SetDiscoveryFilter", "StartDiscovery", "StopDiscovery", "RegisterAgent", "Pair", "UnregisterAgent",
                 "Set:Trusted", "AcquireNotify", "WriteValue", "Disconnect"]  # fmt: skip
        self.assertEqual([m for m in members if m in order and m != "Set:Trusted"],
                         [m for m in order if m != "Set:Trusted"])  # fmt: skip
        self.assertEqual(members.count("Set:Trusted"), 1)
        self.assertEqual(members.count("RequestDefaultAgent"), 0)

    def test_known_but_not_paired(self):
        """An entry that is left over: looked for anew, and paired."""
        self.bluez.set(known=1)
        self.assertEqual(self.tool("--pin", PIN, ADDRESS).status, 0)
        self.assertEqual(len(self.bluez.calls("StartDiscovery")), 1)

    def test_five_tries(self):
        self.bond()
        self.bluez.tell("fail", "Connect", "org.bluez.Error.Failed", "le-connection-abort-by-local")
        start = time.monotonic()
        result = self.tool(ADDRESS)
        self.assertEqual((result.status, result.line("Reason")), (2, "unreachable"), result)
        self.assertEqual(len(self.bluez.calls("Connect")), 5)
        self.assertGreaterEqual(time.monotonic() - start, 1 + 2 + 3 + 4)
        self.assert_radio("paired=1")

    def test_not_found(self):
        """Half a minute of searching, then an end."""
        self.bluez.set(near=0)
        start = time.monotonic()
        result = self.tool("--pin", PIN, ADDRESS)
        self.assertEqual((result.status, result.line("Reason")), (2, "not-found"), result)
        self.assertTrue(29 <= time.monotonic() - start <= 45)
        self.wait_adapter("discovering=0")

    def test_trusted_is_not_vital(self):
        self.bluez.tell("fail", "Set:Trusted", "org.bluez.Error.Failed", "no")
        self.assertEqual(self.tool("--pin", PIN, ADDRESS).status, 0)

    def test_wrong_key_is_replaced(self):
        """Evidence, and a PIN at hand: removed, and made anew."""
        self.bond()
        self.bluez.set(key="none")
        result = self.tool("--pin", PIN, ADDRESS)
        self.assertEqual(result.status, 0, result)
        self.assertEqual(result.line("Result"), "✅ Bond established — ready to connect")
        self.assertEqual(len(self.bluez.calls("RemoveDevice")), 1)

    def test_two_seconds(self):
        """A check of a good bond: the result is out long before, and the end follows when bluetoothd has ended the link,
        for which it takes 2 s: who connects next finds no dying link."""
        self.bond()
        self.bluez.tell("time leave 2000000")
        start = time.monotonic()
        with subprocess.Popen([TOOL, "--check-only", ADDRESS], env=self.environment(), stdout=subprocess.PIPE, text=True) as process:
            for line in process.stdout:
                if line.startswith("Result:"):
                    break
            said = time.monotonic() - start
            process.stdout.read()
        self.assertEqual(process.returncode, 0)
        self.assert_radio("connected=0")
        print(f"result after {said:.2f} s, end after {time.monotonic() - start:.2f} s")
        self.assertLess(said, 2)

    def test_two_seconds_connected(self):
        """With a link that was there before there is nothing to wait for."""
        self.bond()
        self.bluez.tell("connect")
        start = time.monotonic()
        self.assertEqual(self.tool("--check-only", ADDRESS).status, 0)
        print(f"{time.monotonic() - start:.2f} s")
        self.assertLess(time.monotonic() - start, 2)

    def test_ended_by_a_signal(self):
        """Nothing of ours stays behind in bluetoothd."""
        self.bluez.set(near=0)
        with subprocess.Popen([TOOL, "--pin", PIN, ADDRESS], env=self.environment(), stdout=subprocess.DEVNULL) as process:
            self.wait(lambda: self.bluez.calls("StartDiscovery"), "a scan")
            process.send_signal(signal.SIGTERM)
        self.wait_adapter("discovering=0")
        self.assert_radio("agents=0")


class Defects(Case):
    """Of meshcore-ble-connect 1.0.0, in the order of their list."""

    def test_01_check_only_changes_nothing(self):
        situations = (
            ({}, 0), ({"key": "none"}, 1), ({"key": "other"}, 1), ({"near": 0}, 2), ({"refuses_notify": 1}, 1),
            ({"refuses_write": 1}, 1), ({"trusted": 0}, 0),
        )  # fmt: skip
        self.bluez.tell("time absent 300000")
        for settings, status in situations:
            with self.subTest(settings=settings):
                self.bond()
                self.bluez.set(**settings)
                self.bluez.tell("clear")
                before = self.bluez.state()
                result = self.tool("--check-only", ADDRESS)
                self.assertEqual(result.status, status, result)
                self.assert_nothing_changed(before)
                self.bluez.set(near=1, refuses_notify=0, refuses_write=0)

        for prepare in ("power hci0 0", "remove", "set known 1"):
            with self.subTest(prepare=prepare):
                self.bluez.tell(prepare)
                self.bluez.tell("clear")
                before = self.bluez.state()
                self.assertIn(self.tool("--check-only", ADDRESS).status, (1, 3))
                self.assert_nothing_changed(before)
                self.bluez.tell("power hci0 1")

    def test_01_check_only_starts_no_service(self):
        """The bus could start bluetoothd; only to look, it isn't."""
        directory = os.path.join(self.directory, "services")
        os.mkdir(directory)
        mark = os.path.join(self.directory, "started")
        with open(os.path.join(directory, "org.bluez.service"), "w", encoding="ascii") as file:
            file.write(f"[D-BUS Service]\nName=org.bluez\nExec=/usr/bin/touch {mark}\n")
        config = os.path.join(self.directory, "bus.conf")
        with open(config, encoding="utf-8") as file:
            text = file.read()
        path = os.path.join(self.directory, "bus2")
        text = re.sub(r"<listen>.*</listen>", f"<listen>unix:path={path}</listen><servicedir>{directory}</servicedir>", text)
        with open(config + "2", "w", encoding="utf-8") as file:
            file.write(text)
        self.add(Program("bus2", ["dbus-daemon", "--nofork", "--nopidfile", f"--config-file={config}2", "--print-address=1"],
                         self.directory)).read_line()  # fmt: skip
        env = {"DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={path}"}
        for arguments in (("--check-only", ADDRESS), ("--list",)):
            self.assertEqual(self.tool(*arguments, env=env).status, 3)
        self.assertFalse(os.path.exists(mark))
        self.tool("--pin", PIN, ADDRESS, env=env)
        self.assertTrue(os.path.exists(mark))

    def test_02_unreachable_is_not_invalid(self):
        self.bond()
        self.bluez.tell("time absent 300000")
        self.bluez.set(near=0)
        for arguments in (("--check-only",), ("--pin", PIN), ()):
            result = self.tool(*arguments, ADDRESS)
            self.assertEqual((result.status, result.line("Reason")), (2, "unreachable"), result)
            self.assert_radio("paired=1 key=1")
        for text in ("le-connection-abort-by-remote", "le-connection-timeout", "le-connection-busy", "le-connection-unknown"):
            self.bluez.tell("fail", "Connect", "org.bluez.Error.Failed", text)
            self.assertEqual(self.tool("--check-only", ADDRESS).status, 2)
        self.assertEqual(self.bluez.calls("RemoveDevice"), [])

    def test_03_foreign_session_stays(self):
        self.bond()
        self.bluez.tell("connect")
        for arguments in (("--check-only",), ("--pin", PIN), ("--verbose",)):
            result = self.tool(*arguments, ADDRESS)
            self.assertEqual(result.status, 0, result)
            self.assert_radio("connected=1")
        # another program has taken the notifications: its session is not in question
        self.bluez.tell("fail", "AcquireNotify", "org.bluez.Error.NotPermitted", "Notify acquired")
        result = self.tool("--check-only", ADDRESS)
        self.assertEqual(result.status, 0, result)
        self.assertIn("another program", result.out)
        self.assertEqual(self.bluez.calls("Disconnect") + self.bluez.calls("Connect"), [])

    def test_04_only_an_answer_is_a_proof(self):
        """Connected, subscribed, and mute: no bond is verified by that."""
        self.bond()
        # bluetoothd has waited 30 s for it, and has the services from before
        self.bluez.tell("fail", "AcquireNotify", "org.bluez.Error.Failed", "Not connected")
        result = self.tool("--check-only", ADDRESS)
        self.assertEqual((result.status, result.line("Reason")), (2, "timeout"), result)
        self.assertIn("The radio is connected but does not answer", result.err)
        self.bluez.tell("heal", "AcquireNotify")
        self.bluez.tell("simulated")  # nobody answers
        result = self.tool("--check-only", ADDRESS)
        self.assertEqual((result.status, result.line("Reason")), (2, "timeout"), result)
        self.assertEqual(len(self.bluez.calls("WriteValue")), 1)
        self.bluez.set(refuses_write=1)
        self.assertEqual(self.tool("--check-only", ADDRESS).status, 1)

    def test_05_appeared_before_we_listened(self):
        """Somebody else's scan has found it: there will be no signal for us."""
        self.bluez.set(known=1, rssi=1)
        start = time.monotonic()
        self.assertEqual(self.tool("--pin", PIN, ADDRESS).status, 0)
        self.assertLess(time.monotonic() - start, 20)

    def test_06_agent_for_one_device(self):
        """While ours is being paired, bluetoothd asks about another one. (The answers of the agent, and Cancel, are tried
        in tests/bluez/test-ble-pair.c.)"""
        import dbus
        import dbus.bus

        self.bluez.tell(f"radio hci0 {OTHER} MeshCore-Other")
        self.bluez.set(pairs_silently=1)
        connection = dbus.bus.BusConnection(self.bus.address)
        try:
            with subprocess.Popen([TOOL, "--pin", PIN, ADDRESS], env=self.environment(), stdout=subprocess.DEVNULL) as process:
                self.wait(lambda: self.bluez.calls("Pair"), "a pairing")
                owners = [n for n in connection.list_names() if n.startswith(":")]
                answers = set()
                for owner in owners:
                    agent = connection.get_object(owner, "/org/meshcored1/agent", introspect=False)
                    try:
                        answers.add(int(agent.RequestPasskey(dbus.ObjectPath("/org/bluez/hci0/dev_C0_00_00_00_22_02"),
                                                             timeout=5, dbus_interface="org.bluez.Agent1")))  # fmt: skip
                    except dbus.DBusException as error:
                        answers.add(error.get_dbus_name())
                process.terminate()
        finally:
            connection.close()
        self.assertNotIn(int(PIN), answers)
        self.assertIn("org.freedesktop.DBus.Error.AccessDenied", answers)

    def test_07_pin_by_other_ways(self):
        directory = os.path.join(self.directory, "credentials")
        os.mkdir(directory)
        ways = (
            (("--pin-file", self.pin_file()), {}, ""),
            (("--pin-file", "-"), {}, PIN + "\n"),
            ((), {"MESHCORE_BLE_PIN": PIN}, ""),
            ((), {"CREDENTIALS_DIRECTORY": directory, "MESHCORE_BLE_PIN": "000000"}, ""),
        )
        shutil.copy(self.pin_file(), os.path.join(directory, "meshcore-bond.pin"))
        for arguments, env, stdin in ways:
            with self.subTest(arguments=arguments, env=env):
                result = self.tool(*arguments, ADDRESS, env=env, stdin=stdin)
                self.assertEqual(result.status, 0, result)
                self.assertNotIn(PIN, result.out + result.err)
                self.bluez.tell("remove")
        # wrong in one place is said, and no other place is looked at
        with open(os.path.join(directory, "meshcore-bond.pin"), "w", encoding="ascii") as file:
            file.write("12\n")
        result = self.tool(ADDRESS, env={"CREDENTIALS_DIRECTORY": directory, "MESHCORE_BLE_PIN": PIN})
        self.assertEqual(result.status, 2)
        # for all radios of this computer
        os.rename(os.path.join(directory, "meshcore-bond.pin"), os.path.join(directory, "meshcored.pin"))
        self.pin_file()
        shutil.copy(os.path.join(self.directory, "pin"), os.path.join(directory, "meshcored.pin"))
        self.assertEqual(self.tool(ADDRESS, env={"CREDENTIALS_DIRECTORY": directory}).status, 0)

    def test_07_unit_has_no_pin(self):
        with open(os.path.join(HERE, "..", "..", "systemd", "meshcore-bond@.service.in"), encoding="utf-8") as file:
            unit = file.read()
        self.assertNotIn("--pin", unit)
        self.assertIn("LoadCredential=meshcore-bond.pin", unit)
        self.assertIn("Type=oneshot", unit)
        self.assertIn("RemainAfterExit=yes", unit)
        if not shutil.which("systemd-analyze"):
            return
        path = os.path.join(self.directory, "meshcore-bond@.service")
        with open(path, "w", encoding="utf-8") as file:
            file.write(unit.replace("@bindir@/meshcore-bond", TOOL))
        result = subprocess.run(["systemd-analyze", "verify", "--man=no", path], capture_output=True, text=True, check=False,
                                env=self.environment(XDG_RUNTIME_DIR=self.directory))  # fmt: skip
        self.assertEqual((result.returncode, result.stderr), (0, ""))

    def test_08_machine_readable_reason(self):
        cases = {
            "authentication": lambda: self.bluez.set(pin=1),
            "rejected": lambda: self.bluez.set(refuses=1),
            "link-lost": lambda: (self.bluez.set(refuses=0), self.bluez.set(loses_pairing=1)),
            "adapter": lambda: self.bluez.tell("present hci0 0"),
        }
        for reason, prepare in cases.items():
            prepare()
            result = self.tool("--json", "--pin", PIN, ADDRESS)
            self.assertEqual(result.json()["Reason"], reason)
            self.assertEqual(result.json()["Exit"], result.status)

    def test_09_adapter_name_and_limits(self):
        self.bluez.tell("adapter hci1 00:AA:01:00:00:43")
        self.bluez.tell(f"radio hci1 {OTHER} MeshCore-Far")
        self.bond(1)
        for adapter in ("hci1", "00:AA:01:00:00:43", "00:aa:01:00:00:43"):
            self.assertEqual(self.tool("--check-only", "--adapter", adapter, OTHER).status, 0)
        self.assertEqual(self.tool("--check-only", "--adapter", "hci0", OTHER).status, 1)
        for name in ("MeshCore-Far", "Far"):
            result = self.tool("--check-only", name)
            self.assertEqual(result.status, 0, result)
        self.assertEqual(self.tool("--check-only", "Nobody").status, 1)

    def test_09_pairing_has_a_limit(self):
        self.bluez.tell("silence Pair")
        start = time.monotonic()
        result = self.tool("--pin", PIN, ADDRESS, timeout=150)
        self.assertEqual((result.status, result.line("Reason")), (2, "timeout"), result)
        self.assertLess(time.monotonic() - start, 90)

    def test_10_failed_pairing_leaves_nothing(self):
        for settings in ({"pin": 1}, {"refuses": 1}, {"loses_pairing": 1}):
            self.bluez.set(**settings)
            self.assertEqual(self.tool("--pin", PIN, ADDRESS).status, 2)
            self.assert_radio("known=0 connected=0 paired=0 agents=0")


class Prompt(Case):
    """On a terminal of its own."""

    def spawn(self, *arguments):
        pid, fd = pty.fork()
        if pid == 0:
            os.execve(TOOL, [TOOL, *arguments], self.environment())
        self.addCleanup(os.close, fd)
        return pid, fd

    def read(self, fd, until, timeout=30):
        text, deadline = "", time.monotonic() + timeout
        while until not in text:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([fd], [], [], left)[0]:
                self.fail(f"no {until!r} in {text!r}")
            try:
                piece = os.read(fd, 4096)
            except OSError:
                break
            text += piece.decode()
        return text

    def rest(self, fd):
        text = ""
        while True:
            try:
                piece = os.read(fd, 4096)
            except OSError:
                return text
            if not piece:
                return text
            text += piece.decode()

    def status(self, pid):
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def test_asked_once_the_radio_was_seen(self):
        self.bluez.set(near=0)
        pid, fd = self.spawn(ADDRESS)
        self.read(fd, "pairing required")
        self.wait(lambda: self.bluez.calls("StartDiscovery"), "a scan")
        self.assertFalse(select.select([fd], [], [], 0.5)[0] and b"PIN" in os.read(fd, 4096))
        self.bluez.set(near=1)
        self.bluez.tell("discover")
        self.read(fd, "Enter PIN: ")
        self.assertEqual(termios.tcgetattr(fd)[3] & termios.ECHO, 0, "the terminal shows what is typed")
        os.write(fd, PIN.encode() + b"\n")
        text = self.rest(fd)
        self.assertEqual(self.status(pid), 0, text)
        self.assertNotIn(PIN, text)
        self.assertIn("Bond established", text)

    def test_echo_comes_back(self):
        pid, fd = self.spawn(ADDRESS)
        self.read(fd, "Enter PIN: ")
        self.assertEqual(termios.tcgetattr(fd)[3] & termios.ECHO, 0, "asked before the terminal is silent")
        os.write(fd, b"12\n")
        text = self.read(fd, "exactly six digits")
        self.assertNotEqual(termios.tcgetattr(fd)[3] & termios.ECHO, 0)
        text += self.rest(fd)
        self.assertEqual(self.status(pid), 2, text)
        self.assertEqual(self.bluez.calls("Pair"), [])

    def test_end_of_input(self):
        pid, fd = self.spawn(ADDRESS)
        self.read(fd, "Enter PIN: ")
        os.write(fd, b"\x04")
        text = self.rest(fd)
        self.assertEqual(self.status(pid), 2, text)
        self.assertIn("Error:", text)
        self.assertEqual(self.bluez.calls("Pair"), [])

    def test_not_asked_without_need(self):
        self.bond()
        for arguments in ((ADDRESS,), ("--check-only", ADDRESS), ("--list",)):
            pid, fd = self.spawn(*arguments)
            text = self.rest(fd)
            self.assertEqual(self.status(pid), 0, text)
            self.assertNotIn("PIN", text)
        for arguments in (("--json", OTHER), ("--check-only", OTHER)):
            self.bluez.tell(f"radio hci0 {OTHER} MeshCore-Other") if arguments[0] == "--json" else None
            pid, fd = self.spawn(*arguments)
            text = self.rest(fd)
            self.assertNotEqual(self.status(pid), 0)
            self.assertNotIn("Enter PIN", text)


@unittest.skipUnless(os.geteuid() == 0, "nobody else may administer without polkit")
class WithDaemon(Case):
    """A running meshcored has the radio: it is asked, and its link is left alone."""

    def setUp(self):
        super().setUp()
        self.bluez.tell("simulated")
        self.add(Program("meshcore-sim", [find_program("meshcore-sim"), "--vradio", self.bluez.path, "--ble", "esp32"],
                         self.directory)).read_line()  # fmt: skip

    def start_daemon(self, *lines):
        config = os.path.join(self.directory, "meshcored.conf")
        with open(config, "w", encoding="utf-8") as file:
            file.write("[Radio hut]\n" + "".join(line + "\n" for line in (f"Transport=ble:{ADDRESS}", *lines)))
        state = os.path.join(self.directory, "state")
        self.add(Program("meshcored", [find_program("meshcored"), "--config", config, "--state-dir", state], self.directory,
                         self.environment(), subprocess.DEVNULL))  # fmt: skip

    def get(self, interface, name):
        result = subprocess.run(
            ["busctl", "--address=" + self.bus.address, "get-property", "org.meshcored1", "/org/meshcored1/radio/hut",
             "org.meshcored1." + interface, name], capture_output=True, text=True, check=False)  # fmt: skip
        return result.stdout.strip().removeprefix('s "').rstrip('"')

    def wait_for(self, interface, name, value):
        self.wait(lambda: self.get(interface, name) == value, f"{name}: {value}")

    def test_check(self):
        self.bond()
        self.start_daemon()
        self.wait_for("Radio", "State", "ready")
        before = self.bluez.state()
        n = len(self.bluez.log())
        start = time.monotonic()
        name = self.get("Radio", "Name")
        for target in (ADDRESS, name, "MeshCore-" + name, "/org/meshcored1/radio/hut"):
            result = self.tool("--check-only", target)
            self.assertEqual(result.status, 0, result)
            self.assertEqual(result.line("Daemon"), "meshcored has this radio (ready)")
            self.assertEqual(result.line("Bond"), "found (verified)")
            self.assertEqual(result.line("Result"), "✅ Bond verified — ready to connect")
        self.assertLess(time.monotonic() - start, 8)
        self.assertEqual(self.bluez.log()[n:], [])
        self.assertEqual(self.bluez.state(), before)
        answer = self.tool("--json", "--check-only", ADDRESS).json()
        self.assertEqual((answer["Exit"], answer["State"], answer["Daemon"]), (0, "verified", "ready"))

    def test_pair(self):
        self.start_daemon()
        self.wait_for("Pairing", "BondState", "needs-pin")
        self.assertEqual(self.tool("--check-only", ADDRESS).status, 1)
        result = self.tool("--pin", "111111", ADDRESS)
        self.assertEqual((result.status, result.line("Reason")), (2, "authentication"), result)
        self.assertRegex(result.err, r"\AError:    meshcored: ")
        result = self.tool("--pin", PIN, ADDRESS)
        self.assertEqual((result.status, result.line("Result")), (0, "✅ Bond established — ready to connect"), result)
        self.wait_for("Radio", "State", "ready")
        self.assertEqual(len(self.bluez.calls("Pair")), 2)
        result = self.tool("--pin", PIN, ADDRESS)
        self.assertEqual((result.status, result.line("Result")), (0, "✅ Bond verified — ready to connect"), result)
        self.assertEqual(len(self.bluez.calls("Pair")), 2)

    def test_repair_and_forget(self):
        self.bond()
        self.start_daemon()
        self.wait_for("Radio", "State", "ready")
        result = self.tool("--force-repair", "--pin", PIN, ADDRESS)
        self.assertEqual((result.status, result.line("Result")), (0, "✅ Re-paired — ready to connect"), result)
        self.assertEqual((len(self.bluez.calls("RemoveDevice")), len(self.bluez.calls("Pair"))), (1, 1))
        self.wait_for("Radio", "State", "ready")
        result = self.tool("--forget", ADDRESS)
        self.assertEqual((result.status, result.line("Result")), (0, "✅ Bond removed"), result)
        self.assert_radio("paired=0")

    def test_out_of_reach(self):
        self.bond()
        self.bluez.tell("time absent 300000")
        self.bluez.set(near=0)
        self.start_daemon()
        self.wait_for("Pairing", "BondState", "unreachable")
        result = self.tool("--check-only", ADDRESS)
        self.assertEqual((result.status, result.line("Reason")), (2, "unreachable"), result)
        self.assert_radio("paired=1")

    def test_not_its_radio(self):
        """One that it does not have, or when told to leave it out of it."""
        self.bond()
        self.bluez.tell(f"radio hci0 {OTHER} MeshCore-Other")
        self.bond(1)
        self.start_daemon()
        self.wait_for("Radio", "State", "ready")
        result = self.tool("--check-only", OTHER)
        self.assertIsNone(result.line("Daemon"))
        result = self.tool("--check-only", "--no-daemon", ADDRESS)
        self.assertIsNone(result.line("Daemon"))
        self.assertEqual(result.status, 0, result)
        self.assertIn("another program", result.out)
        self.assertEqual(self.get("Radio", "State"), "ready")
        self.assert_radio("connected=1")


class Completion(Case):
    def complete(self, *words):
        """What bash offers for the last word."""
        path = os.path.join(HERE, "..", "..", "data", "completion", "bash", "meshcore-bond")
        script = (
            'PATH=$1:$PATH; source "$2"; shift 2; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); '
            'compopt() { :; }; _meshcore_bond; printf "%s\\n" "${COMPREPLY[@]}"'
        )
        result = subprocess.run(["bash", "-c", script, "bash", os.path.dirname(TOOL), path, "meshcore-bond", *words],
                                env=self.environment(), capture_output=True, text=True, check=True)  # fmt: skip
        self.assertEqual(result.stderr, "")
        return result.stdout.split()

    def test_bash(self):
        self.bond()
        self.assertEqual(self.complete("--ch"), ["--check-only"])
        self.assertEqual(self.complete("--pin", ""), [])
        self.assertEqual([word.replace("\\", "") for word in self.complete("--check-only", "")], [ADDRESS])

    def test_every_option(self):
        """What --help tells is in both completions and in the manual."""
        options = set(re.findall(r"--[a-z][a-z-]+", self.tool("--help").out)) - {"--help"}
        for path in ("data/completion/bash/meshcore-bond", "data/completion/zsh/_meshcore-bond"):
            with open(os.path.join(HERE, "..", "..", path), encoding="utf-8") as file:
                text = file.read()
            self.assertEqual([o for o in sorted(options) if o not in text], [], path)
        with open(os.path.join(HERE, "..", "..", "man", "meshcore-bond.1"), encoding="utf-8") as file:
            manual = file.read()
        self.assertEqual([o for o in sorted(options) if f"Fl Fl {o[2:]}" not in manual], [])


if __name__ == "__main__":
    names = [f"{name}" if "." in name else name for name in sys.argv[1:]]
    suite = unittest.defaultTestLoader.loadTestsFromNames(names, sys.modules["__main__"])
    result = unittest.TextTestRunner(verbosity=2, stream=sys.stdout).run(suite)
    sys.exit(1 if not result.wasSuccessful() else 77 if result.testsRun == len(result.skipped) else 0)
