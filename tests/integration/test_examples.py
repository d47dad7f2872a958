# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs in data/examples, each run as its first lines say, and what the documents show."""

import os
import re
import select
import shlex
import signal
import stat
import subprocess
import time

from gi.repository import Gio, GLib

from fixture import IFACE, OBJECT_MANAGER, ROOT, Case, contact_path, radio_path
from programs import Program, find_program

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
EXAMPLES = os.path.join(TOP, "data", "examples")
TRANSCRIPTS = os.path.join(TOP, "tests", "data", "transcripts")

MESH = """[Radio]
Channels=Public;#test
[Node Alice]
"""

PAIRING = """<node>
  <interface name="org.freedesktop.DBus.ObjectManager">
    <method name="GetManagedObjects"><arg type="a{oa{sa{sv}}}" direction="out"/></method>
  </interface>
  <interface name="org.meshcored1.Pairing">
    <method name="Pair"><arg type="a{sv}" direction="in"/><arg type="s" direction="out"/></method>
  </interface>
</node>"""


def example(name):
    """Scripts lie in the tree, C is built as example-NAME."""
    if name.endswith(".c"):
        return os.path.join(os.environ["MESHCORED_BUILD"], "data", "examples", "example-" + name.removesuffix(".c"))
    return os.path.join(EXAMPLES, name)


class FakeRadio:
    """A daemon with one radio on Bluetooth, played by a client of the test."""

    def __init__(self, client, result=None, error=None):
        self.passkeys = []
        self.result, self.error = result, error
        node = Gio.DBusNodeInfo.new_for_xml(PAIRING)
        for path, interface in ((ROOT, node.interfaces[0]), (radio_path("tooth"), node.interfaces[1])):
            client.bus.register_object(path, interface, self.on_call, None, None)
        client.call(
            "/org/freedesktop/DBus", "org.freedesktop.DBus", "RequestName", "(su)", IFACE[:-1], 4,
            name="org.freedesktop.DBus",
        )  # fmt: skip

    def on_call(self, _bus, _sender, _path, _interface, method, arguments, invocation):
        if method == "GetManagedObjects":
            radio = {IFACE + "Radio": {"Id": GLib.Variant("s", "tooth")}, IFACE + "Pairing": {}}
            invocation.return_value(GLib.Variant("(a{oa{sa{sv}}})", ({radio_path("tooth"): radio},)))
            return
        self.passkeys.append(arguments.unpack()[0])
        if self.error:
            invocation.return_dbus_error(IFACE + "Error." + self.error, "as the test wants it")
        else:
            invocation.return_value(GLib.Variant("(s)", (self.result,)))


class Tests(Case):
    def follow(self, name, *arguments):
        """One that runs until it is told to end."""
        program = Program(name, [example(name), "--session", *arguments], self.bed.directory, self.bed.environment())
        self.bed.programs.append(program)
        return program

    def run_example(self, name, *arguments, check=True):
        bus = "--user" if name.endswith(".sh") else "--session"
        return self.bed.run(example(name), bus, *arguments, check=check)

    def read_until(self, program, pattern):
        while True:
            line = program.read_line()
            if re.search(pattern, line):
                return line

    def contact(self, client, name="Anna"):
        return next(k for k, c in client.contacts().items() if c["Name"] == name)

    def test_pubsub(self):
        sim, client = self.start()
        program = self.follow("pubsub.py")
        self.read_until(program, rf"^contact {self.contact(client)} chat Anna$")
        sim.control("text", from_="Anna", text="one \x1b[31m two")
        self.assertRegex(self.read_until(program, "^message"), r"direct \w+ one \\x1b\[31m two$")
        client.call(radio_path("sim"), "Radio", "SendText", "(ssa{sv})", "Anna", "three", {})
        self.read_until(program, "^delivery .* delivered$")
        sim.control("advert", name="Bob")
        self.read_until(program, "^advert .* Bob$")
        self.restart_daemon(client)
        self.read_until(program, "^daemon away$")
        self.read_until(program, rf"^contact {self.contact(client)} chat Anna$")

    def test_infos(self):
        _, client = self.start()
        text = self.run_example("infos.sh").stdout
        self.assertIn('"sim"', text)
        self.assertIn(client.get(radio_path("sim"), "Radio", "PublicKey"), text)
        self.assertRegex(text, rf"Contacts +{len(client.contacts())}\n")
        self.assertRegex(text, rf"Channels +{len(client.channels())}\n")
        self.assertEqual(self.run_example("infos.sh", "sim").stdout, text)
        result = self.run_example("infos.sh", "no.such", check=False)
        self.assertEqual((result.returncode, result.stdout), (1, ""))

    def test_send(self):
        sim, client = self.start()
        lines = self.run_example("send.c", self.contact(client), "hello from C").stdout.split()
        self.assertEqual(lines[::2], ["queued", "delivered"])
        self.assertEqual(lines[1], lines[3])
        self.assertEqual([t["text"] for t in sim.control("stats")["sent_texts"]], ["hello from C"])
        result = self.run_example("send.c", "nobody", "hello", check=False)
        self.assertEqual(result.returncode, 1)
        self.assertIn("org.meshcored1.Error.NotFound: ", result.stderr)
        self.assertEqual(self.run_example("send.c", "--radio", "other", "Anna", "hello", check=False).returncode, 1)
        self.assertEqual(self.run_example("send.c", "Anna", check=False).returncode, 2)

    def test_ping_bot(self):
        sim, client = self.start()
        program = self.follow("ping-bot.py", "--channel", "#test")
        program.read_line()
        sim.control("text", from_="Anna", text="not for a robot")
        sim.control("text", from_="Anna", text="Ping")
        self.read_until(program, "^answered .*/message/")
        sim.control("channel-text", channel="#test", author="Bob", text="ping")
        self.read_until(program, "^answered .*/message/")
        # neither a channel that nobody named nor the same one at once again
        sim.control("channel-text", channel="Public", author="Bob", text="ping")
        sim.control("text", from_="Anna", text="ping")
        sim.control("text", from_="Bob", text="ping")
        self.read_until(program, "^answered .*/message/")
        own = [r for r in client.all_messages() if r["State"] != "received"]
        self.assertEqual([r["Text"][:6] for r in own], ["pong ("] * 3)
        self.assertEqual(own[0]["Peer"], contact_path("sim", self.contact(client)))
        self.assertEqual(own[2]["Peer"], contact_path("sim", self.contact(client, "Bob")))

    def test_llm_gateway(self):
        """The text goes to standard input, and nothing of it is ever executed."""
        sim, client = self.start()
        evil = f"$(touch {self.bed.directory}/pwned) `touch {self.bed.directory}/pwned`"
        program = self.follow("llm-gateway.py", "--", "/bin/sh", "-c", 'echo "$# $MESHCORE_NAME: $(cat)"')
        program.read_line()
        sim.control("text", from_="Anna", text=evil)
        self.read_until(program, "^answered")
        self.assertEqual(client.all_messages()[-1]["Text"], f"0 Anna: {evil}")
        self.assertFalse(os.path.exists(os.path.join(self.bed.directory, "pwned")))
        program.terminate()
        self.bed.programs.remove(program)

        # a long answer in parts between words, and an end to them; a command that fails answers nothing
        words = "twelve-bytes " * 60
        script = f'read -r t; [ "$t" = fail ] && exit 1; echo {words}'
        program = self.follow("llm-gateway.py", "--parts", "2", "--", "/bin/sh", "-c", script)
        program.read_line()
        sim.control("text", from_="Anna", text="fail")
        self.read_until(program, "^no answer")
        sim.control("text", from_="Anna", text="much")
        self.read_until(program, "^answered")
        self.read_until(program, "^answered")
        first, second = [r["Text"] for r in client.all_messages() if r["State"] != "received"][-2:]
        limit = client.get(radio_path("sim"), "Radio", "MaxTextBytes")
        for text in (first, second):
            self.assertRegex(text, r"^(twelve-bytes )+twelve-bytes$")
            self.assertLessEqual(len(text), limit)

    def test_pair(self):
        """What a person can get wrong, against the daemon; pairing itself is done by tests/lab."""
        self.start()
        for arguments, text in ((("sim",), "not a radio on Bluetooth"), (("none",), "there is no radio"), ((), "no radio")):
            result = self.run_example("pair.py", *arguments, check=False)
            self.assertEqual(result.returncode, 1)
            self.assertIn(text, result.stderr)

    def pair(self, client, pin, *arguments):
        process = subprocess.Popen(
            [example("pair.py"), "--session", *arguments], env=self.bed.environment(), text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        process.stdin.write(pin + "\n")
        process.stdin.close()
        client.wait(lambda: process.poll() is not None, "the end of pair.py")
        with process.stdout, process.stderr:
            return process.returncode, process.stdout.read(), process.stderr.read()

    def test_pair_fake(self):
        client = self.client(signals=False)
        fake = FakeRadio(client, "bonded")
        self.assertEqual(self.pair(client, "012345", "tooth"), (0, "bonded\n", ""))
        self.assertEqual(fake.passkeys, [{"Passkey": "012345"}])
        self.assertEqual(self.pair(client, "12345")[:2], (1, ""))
        self.assertEqual(len(fake.passkeys), 1)
        fake.error = "LoginFailed"
        status, _, text = self.pair(client, "999999")
        self.assertEqual(status, 1)
        self.assertIn("org.meshcored1.Error.LoginFailed", text)

    def test_export_key(self):
        replay = ("--replay", os.path.join(TRANSCRIPTS, "private_key.jsonl"))
        _, client = self.start(arguments=replay)
        path = os.path.join(self.bed.directory, "key")
        self.run_example("export-key.sh", "sim", path)
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        with open(path, encoding="ascii") as file:
            key = file.read()
        self.assertRegex(key, "^[0-9a-f]{128}$")
        again = self.run_example("export-key.sh", "sim", path, check=False)
        self.assertNotEqual(again.returncode, 0)
        self.assertEqual(self.run_example("export-key.sh", "sim", check=False).returncode, 2)
        self.assertEqual(self.run_example("export-key.sh", "other", path + "2", check=False).returncode, 1)
        self.assertFalse(os.path.exists(path + "2"))
        del client

    def test_device_infos(self):
        _, client = self.start()
        text = self.run_example("device-infos.c").stdout
        properties = client.get_all(radio_path("sim"), "Radio")
        for name in ("Model", "Firmware", "PublicKey"):
            self.assertIn(f"    {name} = '{properties[name]}'\n", text)
        stats = client.call(radio_path("sim"), "Radio", "GetStats", "(s)", "packets")
        self.assertRegex(text, rf"    packets\.Sent = (uint32 )?{stats['Sent']}\n")
        self.assertRegex(text, r"    sensor\.Quantity = 'voltage'")

    # -- documents -------------------------------------------------------------

    def start_home(self):
        """The bus of the test as the system bus, and a radio as in the documents."""
        client = self.client()
        scenario = os.path.join(self.bed.directory, "scenario")
        with open(scenario, "w", encoding="utf-8") as file:
            file.write(MESH)
        sim = self.bed.start_sim(arguments=("--scenario", scenario, "--speed", "100"))
        self.bed.start_daemon({"home": sim})
        client.wait_for_state("ready", radio="home")
        return sim, client

    def system_environment(self):
        address = self.bed.bus.address
        env = {**self.bed.environment(), "DBUS_SYSTEM_BUS_ADDRESS": address, "DBUS_SESSION_BUS_ADDRESS": "unix:path=/nowhere"}
        env["PATH"] = os.path.dirname(find_program("meshcorectl")) + os.pathsep + env["PATH"]
        return env

    def run_line(self, line):
        result = subprocess.run(
            ["/bin/sh", "-c", line], env=self.system_environment(), stdin=subprocess.DEVNULL, capture_output=True,
            text=True, timeout=60, check=False,
        )  # fmt: skip
        self.assertEqual((result.returncode, result.stderr), (0, ""), line)
        return result.stdout

    def watch_line(self, line):
        """One that goes on for ever."""
        argv = shlex.split(line)
        program = Program(os.path.basename(argv[0]), argv, self.bed.directory, self.system_environment())
        self.bed.programs.append(program)
        return program

    def stop_line(self, program):
        program.process.send_signal(signal.SIGINT)
        program.wait()
        self.bed.programs.remove(program)

    def test_readme(self):
        """Every line that needs nothing but a radio does what it shows."""
        _, client = self.start_home()
        with open(os.path.join(TOP, "README.md"), encoding="utf-8") as file:
            lines = re.findall(r"^    ((?:busctl|meshcorectl) .*)$", file.read(), re.MULTILINE)
        left_out = ("meshcorectl pair", "meshcorectl --session", "meshcorectl on-message")
        run = [line for line in lines if not line.startswith(left_out)]
        self.assertGreater(len(run), 14)
        for line in run:
            if line == "meshcorectl doctor":
                continue  # what it finds here may be a warning
            self.run_line(line)
        texts = [m["Text"] for m in client.all_messages("home")]
        self.assertEqual(texts, ["Hello from Linux", "Hello everybody", "Hello"])
        self.assertEqual(client.get(radio_path("home"), "Radio", "Name"), "Base camp")

    def manual_blocks(self):
        """What meshcored-dbus(7) shows at its end, as it is read there."""
        with open(os.path.join(TOP, "man", "meshcored-dbus.7"), encoding="utf-8") as file:
            blocks = re.findall(r"^\.Bd -literal[^\n]*\n(.*?)^\.Ed", file.read().partition(".Sh EXAMPLES")[2],
                                re.MULTILINE | re.DOTALL)  # fmt: skip
        return [block.replace("\\e\n", " ") for block in blocks]

    def test_manual_shell(self):
        sim, client = self.start_home()
        blocks = [block for block in self.manual_blocks() if "import " not in block]
        lines = [line for block in blocks for line in block.splitlines()]
        self.assertEqual(len(lines), 7)
        for line in lines:
            if " monitor " not in line:
                self.assertNotEqual(self.run_line(line), "")
                continue
            program = self.watch_line(line)
            if line.startswith("gdbus"):
                self.read_until(program, "owned by")
            # nobody tells when a program listens: once more until it has heard one
            received = ""
            while "Received" not in received:
                sim.control("text", from_="Alice", text="look")
                client.wait_until(time.monotonic() + 0.2)
                while self.has_output(program):
                    received += program.read_line()
            self.stop_line(program)
        self.assertEqual([m["Text"] for m in client.all_messages("home") if m["State"] != "received"], ["Hello"])

    def test_manual_python(self):
        sim, client = self.start_home()
        expected = ["'ping'", "{'"]
        for block in (block for block in self.manual_blocks() if "import " in block):
            path = os.path.join(self.bed.directory, "manual.py")
            with open(path, "w", encoding="utf-8") as file:
                file.write(block)
            program = self.watch_line(f"/usr/bin/python3 -u {path}")
            while not self.has_output(program):
                sim.control("text", from_="Alice", text="ping")
                client.wait_until(time.monotonic() + 0.2)
            self.assertTrue(program.read_line().startswith(expected.pop(0)))
            self.stop_line(program)
        self.assertEqual(expected, [])
        client.wait(lambda: any(m["Text"] == "pong" for m in client.all_messages("home")), "the answer")

    @staticmethod
    def has_output(program):
        return bool(select.select([program.process.stdout], [], [], 0)[0])
