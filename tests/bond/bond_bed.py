# SPDX-License-Identifier: GPL-3.0-or-later
"""meshcore-bond with a bus of its own and a played bluetoothd on it."""

import json
import os
import re
import select
import shlex
import socket
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))

from programs import TIMEOUT, Bus, Failure, Program, find_program  # noqa: E402  pylint: disable=wrong-import-position

ADDRESS = "C0:00:00:00:22:01"
OTHER = "C0:00:00:00:22:02"
PIN = "123456"
BUILD = os.environ.get("MESHCORED_BUILD", "build")
TOOL = os.path.abspath(os.path.join(BUILD, "src", "bond", "meshcore-bond"))
# what a check may do: a link for the question, and nothing that outlives it
HARMLESS = {"GetManagedObjects", "Get", "GetAll", "Ping", "Connect", "Disconnect", "AcquireNotify", "WriteValue"}


class Bluetoothd(Program):
    """tests/bluez/fake-bluetoothd, and its socket."""

    def __init__(self, directory, bus):
        self.path = os.path.join(directory, "bluetoothd")
        program = os.path.abspath(os.path.join(BUILD, "tests", "bluez", "fake-bluetoothd"))
        super().__init__("fake-bluetoothd", [program, bus.address, self.path], directory)
        self.read_line()
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(TIMEOUT)
        self.socket.connect(self.path)
        self.lines = self.socket.makefile("r", encoding="utf-8")

    def tell(self, *words):
        """One command; the lines that it shows."""
        self.socket.sendall((shlex.join(words) if len(words) > 1 else words[0]).encode() + b"\n")
        shown = []
        while True:
            line = self.lines.readline().rstrip("\n")
            if line.startswith("= "):
                shown.append(line[2:])
            elif not line.startswith("!"):
                if line != "ok":
                    raise Failure(f"fake-bluetoothd: {words}: {line}")
                return shown

    def log(self):  # calls, not its stderr
        return self.tell("log")

    def calls(self, member):
        return [line for line in self.log() if line.split()[0] == member]

    def state(self):
        return self.tell("state")

    def set(self, radio=0, **values):
        for key, value in values.items():
            self.tell(f"@{radio} set {key.replace('_', '-')} {value}")

    def _close(self):
        self.lines.close()
        self.socket.close()
        super()._close()


class Result:
    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err

    def line(self, label):
        """The value behind "label:", or None."""
        found = re.search(rf"(?m)^{label}:\s+(.*)$", self.out)
        return found[1] if found else None

    def json(self):
        return json.loads(self.out)

    def __repr__(self):
        return f"status {self.status}\n{self.out}\n{self.err}"


class Case(unittest.TestCase):
    """A hut with a radio in it, near and unknown, and one adapter with power."""

    def setUp(self):
        import tempfile

        self.directory = tempfile.mkdtemp(prefix="meshcored-bond-")
        self.programs = []
        self.addCleanup(self.tear_down)
        self.bus = self.add(Bus(self.directory))
        self.bluez = self.add(Bluetoothd(self.directory, self.bus))
        self.bluez.tell("adapter hci0 00:AA:01:00:00:42")
        self.bluez.tell(f"radio hci0 {ADDRESS} MeshCore-Hut")
        # bluetoothd's own pause of 2 s before it ends a link is waited for by the tool each time
        self.bluez.tell("time leave 100000")

    def add(self, program):
        self.programs.append(program)
        return program

    def tear_down(self):
        import shutil

        for program in reversed(self.programs):
            if program.running():
                program.terminate()
        shutil.rmtree(self.directory)

    def environment(self, **variables):
        env = {key: value for key, value in os.environ.items()
               if key not in ("MESHCORE_BLE_PIN", "CREDENTIALS_DIRECTORY", "DBUS_SESSION_BUS_ADDRESS")}  # fmt: skip
        return {**env, "DBUS_SYSTEM_BUS_ADDRESS": self.bus.address, "LC_ALL": "C.UTF-8", **variables}

    def tool(self, *arguments, stdin="", env=None, timeout=TIMEOUT):
        result = subprocess.run([TOOL, *arguments], env=self.environment(**(env or {})), input=stdin, capture_output=True,
                                text=True, timeout=timeout, check=False, start_new_session=True)  # fmt: skip
        self.assertNotRegex(result.stderr, "AddressSanitizer|LeakSanitizer|runtime error:|CRITICAL")
        return Result(result.returncode, result.stdout, result.stderr)

    def pin_file(self, text=PIN + "\n", mode=0o600):
        path = os.path.join(self.directory, "pin")
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        os.chmod(path, mode)
        return path

    def bond(self, radio=0):
        self.bluez.tell(f"@{radio} bond")

    def assert_nothing_changed(self, before):
        self.assertEqual(self.bluez.state(), before)
        changes = [line for line in self.bluez.log() if line.split()[0] not in HARMLESS]
        self.assertEqual(changes, [])
        queries = {line.split()[2] for line in self.bluez.calls("WriteValue")}
        self.assertLessEqual(queries, {"1603"}, "only the question what the radio is")

    def wait(self, condition, what, timeout=TIMEOUT):
        """Looks again and again."""
        deadline = time.monotonic() + timeout
        while not condition():
            self.assertLess(time.monotonic(), deadline, what)
            select.select([], [], [], 0.02)

    def wait_adapter(self, text):
        """What the tool tells at its end comes after its end."""
        self.wait(lambda: text in self.bluez.state()[0].split(), text)

    def assert_radio(self, text, radio=0):
        """What bluetoothd has of the radio, such as "paired=1 trusted=1"."""
        line = [line for line in self.bluez.state() if "/dev_" in line][radio]
        for part in text.split():
            self.assertIn(part, line.split(), line)

    def wait_radio(self, text, radio=0):
        def there():
            line = [line for line in self.bluez.state() if "/dev_" in line][radio]
            return set(text.split()) <= set(line.split())

        self.wait(there, text)


__all__ = ["ADDRESS", "OTHER", "PIN", "TOOL", "Bluetoothd", "Bus", "Case", "Failure", "Program", "Result", "find_program"]
