# SPDX-License-Identifier: GPL-3.0-or-later
"""meshcorectl from end to end: each verb for people and for programs."""

import json
import os
import pty
import signal
import subprocess
import sys

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "ctl"))

from vt import Terminal

from fixture import Case, contact_path, radio_path
from programs import Program, find_program

RADIO = radio_path("sim")
USAGE, UNREACHABLE, NOT_FOUND, NOT_DELIVERED, NOT_CONNECTED = 2, 3, 4, 6, 7


class Tests(Case):
    def chat(self, client):
        return next((k, c["Name"]) for k, c in client.contacts().items() if c["Type"] == "chat")

    def json(self, *arguments):
        return json.loads(self.bed.ctl(*arguments, "--json").stdout)

    def follow(self, *arguments):
        """A verb that runs until it is told to stop."""
        argv = [find_program("meshcorectl"), "--session", *arguments]
        program = Program("meshcorectl", argv, self.bed.directory, self.bed.environment())
        self.bed.programs.append(program)
        return program

    def test_status(self):
        _, client = self.start()
        text = self.bed.ctl("status").stdout
        self.assertIn("ready", text)
        self.assertIn(client.get(RADIO, "Radio", "Name"), text)
        status = self.json("status")
        self.assertIn(client.get("/org/meshcored1", "Manager", "Version"), json.dumps(status))
        self.assertIn(client.get(RADIO, "Radio", "PublicKey"), json.dumps(status))

    def test_radios(self):
        _, client = self.start()
        self.assertIn("ready", self.bed.ctl("radios").stdout)
        (radio,) = self.json("radios")
        properties = client.get_all(RADIO, "Radio")
        for name in ("Id", "State", "Reason", "PublicKey", "Name", "Firmware", "FrequencyHz"):
            self.assertEqual(radio[name], properties[name])

    def test_contacts(self):
        _, client = self.start()
        text = self.bed.ctl("contacts").stdout
        contacts = client.contacts()
        shown = {c["Key"]: c for c in self.json("contacts")}
        self.assertEqual(set(shown), set(contacts))
        for key, contact in contacts.items():
            self.assertIn(contact["Name"], text)
            for name in ("Name", "Type", "OnRadio", "Favourite", "Unread"):
                self.assertEqual(shown[key][name], contact[name])

    def test_channels(self):
        _, client = self.start()
        text = self.bed.ctl("channels").stdout
        channels = client.channels()
        shown = {c["Slot"]: c for c in self.json("channels")}
        self.assertEqual(set(shown), set(channels))
        for slot, channel in channels.items():
            self.assertIn(channel["Name"], text)
            self.assertEqual((shown[slot]["Name"], shown[slot]["Kind"]), (channel["Name"], channel["Kind"]))

    def test_messages(self):
        sim, client = self.start()
        _, name = self.chat(client)
        for i in range(3):
            sim.control("text", from_=name, text=f"listed {i}")
        client.wait_signal("Received", "Messages", count=3)
        text = self.bed.ctl("messages").stdout
        for i in range(3):
            self.assertIn(f"listed {i}", text)
        shown = self.json("messages")
        self.assertEqual({m["Text"] for m in shown}, {f"listed {i}" for i in range(3)})
        self.assertEqual({m["Id"] for m in shown}, {r["Id"] for r in client.all_messages()})
        self.assertEqual(len(self.json("messages", "--limit", "2")), 2)

    def test_send(self):
        sim, client = self.start()
        key, name = self.chat(client)
        self.bed.ctl("send", key, "hello from the shell", "--wait", "delivered")
        self.assertEqual([t["text"] for t in sim.control("stats")["sent_texts"]], ["hello from the shell"])
        (record,) = client.all_messages()
        self.assertEqual((record["State"], record["Peer"]), ("delivered", contact_path("sim", key)))
        shown = self.json("send", name, "and once more", "--wait", "sent")
        self.assertIn("and once more", json.dumps(shown))
        channel = next(iter(client.channels().values()))["Name"]
        self.bed.ctl("send", channel, "to all", "--wait", "sent")
        self.assertEqual(client.all_messages()[-1]["State"], "sent")

    def test_send_failures(self):
        """Exit status and one line that says what to do."""
        sim, client = self.start()
        key, _ = self.chat(client)
        result = self.bed.ctl("send", "nobody of this name", "x", check=False)
        self.assertEqual((result.returncode, result.stdout), (NOT_FOUND, ""))
        self.assertEqual(len(result.stderr.splitlines()), 1)
        result = self.bed.ctl("send", key, "x" * 500, check=False)
        self.assertEqual(result.returncode, USAGE)
        sim.control("link", action="refuse")
        sim.control("link", action="drop")
        client.wait_for_state("waiting")
        result = self.bed.ctl("ping", check=False)
        self.assertEqual(result.returncode, NOT_CONNECTED)
        self.assertNotEqual(result.stderr, "")

    def test_monitor(self):
        """What happens is shown as it happens, one line or one object each, until Ctrl-C."""
        sim, client = self.start()
        _, name = self.chat(client)
        plain, stream = self.follow("monitor"), self.follow("monitor", "--json")
        self.assertEqual(json.loads(stream.read_line())["Event"], "daemon")
        # the one for people says nothing before the first event
        found = {"plain": [], "json": []}
        count = 0
        while not (any("watched" in line for line in found["plain"]) and any("watched" in s for s in found["json"])):
            sim.control("text", from_=name, text=f"watched {count}")
            count += 1
            client.wait_signal("Received", "Messages", count=count)
            self.assertLess(count, 200)
            for kind, program in (("plain", plain), ("json", stream)):
                try:
                    found[kind].append(program.read_line(1))
                except AssertionError:
                    pass
        while "watched" not in found["json"][-1]:
            found["json"].append(stream.read_line())
        for line in found["json"]:
            json.loads(line)
        for program in (plain, stream):
            program.process.send_signal(signal.SIGINT)
            self.assertEqual(program.wait(), 0)

    def test_follow(self):
        """Through the death of the daemon: every message once, in order, and those on their way too."""
        sim, client = self.start()
        key, name = self.chat(client)
        sim.control("text", from_=name, text="before")
        client.wait_signal("Received", "Messages")
        follower = self.follow("messages", "--follow", "--json", "--with", key)
        seen = [json.loads(follower.read_line())]
        for i in range(3):
            self.bed.daemon.kill()
            sim.control("text", from_=name, text=f"while away {i}")
            self.bed.start_daemon()
            seen.append(json.loads(follower.read_line()))
            sim.control("text", from_=name, text=f"live {i}")
            seen.append(json.loads(follower.read_line()))
        texts = ["before"] + [f"{when} {i}" for i in range(3) for when in ("while away", "live")]
        self.assertEqual([m["Text"] for m in seen], texts)
        follower.process.send_signal(signal.SIGINT)
        self.assertEqual(follower.wait(), 0)

    def test_chat(self):
        """A conversation in a terminal: history, marks that change by themselves, an answer, the end."""
        sim, client = self.start()
        key, name = self.chat(client)
        sim.control("text", from_=name, text="are you there?")
        client.wait_signal("Received", "Messages")
        sim.control("link", action="refuse")
        sim.control("link", action="drop")
        client.wait_for_state("waiting")

        master, slave = pty.openpty()
        env = {**self.bed.environment(), "TERM": "xterm", "LC_ALL": "C.UTF-8", "INPUTRC": "/dev/null"}
        with subprocess.Popen([find_program("meshcorectl"), "--session", "chat", name], env=env, stdin=slave,
                              stdout=slave, stderr=slave) as process:  # fmt: skip
            os.close(slave)
            terminal = Terminal(master, 24, 80)
            terminal.wait_for(f"{name}: are you there?")
            terminal.write("jawohl ✓\r")
            terminal.wait_for("·  me: jawohl ✓")
            sim.control("link", action="accept")
            terminal.wait_for("✓✓ me: jawohl ✓")
            self.assertNotIn("·  me", terminal.text())
            sim.control("text", from_=name, text="good")
            terminal.wait_for(f"{name}: good")
            terminal.write("\x04")
            while terminal.pump(0.05) or process.poll() is None:
                pass
            self.assertEqual(process.returncode, 0)
        os.close(master)
        self.assertEqual(client.get(contact_path("sim", key), "Contact", "Unread"), 0)

        result = subprocess.run([find_program("meshcorectl"), "--session", "chat", key, "--json"], env=env,
                                input="from a program\n", capture_output=True, text=True, check=True, timeout=60)  # fmt: skip
        shown = [json.loads(line) for line in result.stdout.splitlines()]
        self.assertEqual([m["Text"] for m in shown[:4]], ["are you there?", "jawohl ✓", "good", "from a program"])

    def test_doctor(self):
        """Healthy, then each thing that goes wrong with the radio is found, with the status that tells."""
        sim, client = self.start()
        levels = lambda report: {f["Check"]: f["Level"] for f in report["Findings"]}  # noqa: E731
        report = self.json("doctor")
        self.assertTrue(report["Healthy"], report)
        self.assertEqual(levels(report)["link"], "ok")

        key, _ = self.chat(client)
        sim.control("ack", mode="none")
        message = client.call(contact_path("sim", key), "Contact", "SendText", "(sa{sv})", "to nobody", {})
        client.wait_message_state(message, "failed")
        sim.control("link", action="refuse")
        sim.control("link", action="drop")
        client.wait_for_state("waiting")
        client.call(contact_path("sim", key), "Contact", "SendText", "(sa{sv})", "later", {})
        result = self.bed.ctl("doctor", check=False)
        self.assertEqual(result.returncode, 1)
        for line in ("  problem  link      waiting (", "  warning  queue     1 text waits", "  warning  failed    1 text was"):
            self.assertIn(line, result.stdout)
        self.assertEqual(len(result.stderr.splitlines()), 1)
        sim.control("link", action="accept")

    def test_start_stop_ping(self):
        _, client = self.start()
        answer = json.loads(self.bed.ctl("ping", "--json").stdout)
        self.assertGreater(answer["RoundTripUSec"], 0)
        self.assertEqual(client.get(RADIO, "Radio", "RoundTripUSec"), answer["RoundTripUSec"])
        self.bed.ctl("stop")
        client.wait_for_state("stopped")
        self.bed.ctl("start")
        client.wait_for_state("ready")

    def test_decode(self):
        """Without a daemon and without a bus."""
        if self.bed.bus is None:
            self.bed.start_bus()
        text = self.bed.run("meshcorectl", "decode", "0106", "83").stdout
        self.assertEqual(len(text.splitlines()) >= 2, True)
        lines = self.bed.run("meshcorectl", "decode", "--json", "0106", "83").stdout.splitlines()
        objects = [json.loads(line) for line in lines]
        self.assertEqual([o["code"] for o in objects], [1, 0x83])
        for o in objects:
            self.assertEqual(set(o), {"code", "name", "fields"})
        result = self.bed.run("meshcorectl", "decode", "--json", "0106", "zz", "83", check=False)
        self.assertEqual(result.returncode, 1)
        self.assertEqual(["error" in json.loads(line) for line in result.stdout.splitlines()], [False, True, False])

    def test_decode_vectors(self):
        """Every event of the golden vectors: exactly the keys, spellings and units that they have, once
        with what a client knows of its pending request, once from the bytes alone."""
        self.bed.start_bus()
        path = os.path.join(os.path.dirname(__file__), "..", "data", "vectors.json")
        with open(path, encoding="utf-8") as file:
            vectors = json.load(file)
        entries = [e for e in vectors["events"] if "fields" in e]
        self.assertGreater(len(entries), 50)
        for entry in entries:
            for options in ([], self.decode_options(entry)):
                self.check_decoded(entry, options)

    @staticmethod
    def decode_options(entry):
        pending = entry.get("pending_request")
        if pending is None:
            return []
        options = ["--request", pending["type"].lower()]
        if "pubkey_prefix_length" in pending["context"]:
            options += ["--prefix-length", str(pending["context"]["pubkey_prefix_length"])]
        return options

    def check_decoded(self, entry, options):
        malformed = entry["id"] in ("chan-data-short", "tuning-short", "contact-deleted-short")
        result = self.bed.run("meshcorectl", "decode", "--json", *options, "--", entry["frame"], check=False)
        record = json.loads(result.stdout)
        self.assertEqual(result.returncode, 1 if malformed else 0, entry["id"])
        self.assertEqual("error" in record, malformed, entry["id"])
        record.pop("error", None)
        if entry["id"] == "telemetry-self-negative":
            # twelve bytes need no padding: nothing in the frame tells that they did not come over the air
            self.assertEqual(record["fields"].pop("padding"), 0)
        expected = {"code": entry["code"], "name": entry["name"], "fields": entry["fields"]}
        self.assertEqual(record, expected, entry["id"])

    def test_decode_options(self):
        self.bed.start_bus()

        def decode(*words, **options):
            return self.bed.run("meshcorectl", "decode", *words, check=False, **options)

        # bytes of a stream, cut anywhere, from both sides
        result = decode("--stream", "--json", "3c0200", "1603", "3e:01:00:83 3e", "01000a")
        records = [json.loads(line) for line in result.stdout.splitlines()]
        self.assertEqual(result.returncode, 0)
        self.assertEqual([r["name"] for r in records], ["DEVICE_QUERY", "MSG_WAITING", "NO_MORE_MESSAGES"])
        self.assertEqual(records[0]["direction"], "app>radio")
        result = decode("--stream", "--json", "3e0500")
        self.assertEqual(result.returncode, 1)
        self.assertIn("error", json.loads(result.stdout))

        result = decode("--stream", "--json", "0a83", "3e01000a")
        self.assertEqual(result.returncode, 1)
        self.assertEqual(["error" in json.loads(line) for line in result.stdout.splitlines()], [False, True])

        # what the bytes do not tell: 100 s of receiving, or 100 posts
        status = "8700" + "c524c5c0cc02" + "1010" + "00" * 6 + "32" + "00" * 11 + "c8" + "00" * 27 + "64" + "00" * 11
        for node, layout in (("repeater", "repeater_old"), ("room", "room")):
            record = json.loads(decode("--json", "--node-type", node, status).stdout)
            self.assertEqual(record["fields"]["layout"], layout)
        old = json.loads(decode("--json", "--level", "9", "1680ea8b6840" + "aa" * 64).stdout)
        self.assertEqual(old["fields"]["path_hops"], 64)
        raw = json.loads(decode("--json", "--request", "none", "8c00aabbccdd017401730000").stdout)
        self.assertEqual(raw["fields"]["data"], "017401730000")

        # a text that would clear the screen and turn the direction round
        text = "\x1b[2J\u202e\\".encode().hex()
        shown = decode("0742dd21cb506fff0080ea8b68" + text).stdout
        self.assertNotIn("\x1b", shown)
        self.assertNotIn("\u202e", shown)
        self.assertIn("\\x1b[2J\\u{202e}\\\\", shown)

        for wrong in (["--request", "x", "00"], ["--node-type", "x", "00"], ["--level", "256", "00"],
                      ["--prefix-length", "33", "00"], ["--nonsense", "00"], []):
            self.assertEqual(decode(*wrong).returncode, 2, wrong)

    def test_help(self):
        """Every verb explains itself with an example."""
        self.bed.start_bus()
        overview = self.bed.run("meshcorectl", "--help").stdout
        for verb in ("status", "radios", "contacts", "channels", "messages", "send", "monitor", "decode"):
            self.assertIn(verb, overview)
            text = self.bed.run("meshcorectl", verb, "--help").stdout
            self.assertIn("meshcorectl " + verb, text)
        self.assertEqual(self.bed.run("meshcorectl", "fly", check=False).returncode, USAGE)
        # the status, on the system bus
        self.assertIn(self.bed.run("meshcorectl", check=False).returncode, (0, UNREACHABLE))

    def test_no_daemon(self):
        self.bed.start_bus()
        result = self.bed.ctl("status", check=False)
        self.assertEqual(result.returncode, UNREACHABLE)
        self.assertIn("meshcored", result.stderr)

    def test_closed_output(self):
        """A pipe that closes early is no crash."""
        _, _ = self.start()
        argv = [find_program("meshcorectl"), "--session", "contacts"]
        with subprocess.Popen(argv, env=self.bed.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as ctl:
            ctl.stdout.close()
            ctl.wait(60)
            self.assertIn(ctl.returncode, (0, 1, -signal.SIGPIPE))
