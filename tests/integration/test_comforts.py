# SPDX-License-Identifier: GPL-3.0-or-later
"""meshcorectl for who works with it all day: scripts, aliases, programs that answer, one command for
many contacts, and a radio that is lent."""

import json
import os
import pty
import re
import signal
import subprocess
import time

from fixture import Case, radio_path
from programs import Program, find_program

RADIO = radio_path("sim")
OK, FAILED, USAGE, UNREACHABLE, NOT_FOUND, NOT_CONNECTED = 0, 1, 2, 3, 4, 7
TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")


class Tests(Case):
    def path(self, name):
        return os.path.join(self.bed.directory, name)

    def write(self, name, text, mode=0o644):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(self.path(name), mode)
        return self.path(name)

    def read(self, name):
        with open(self.path(name), encoding="utf-8") as file:
            return file.read()

    def follow(self, *arguments):
        argv = [find_program("meshcorectl"), "--session", *arguments]
        program = Program("follow", argv, self.bed.directory, self.bed.environment())
        self.bed.programs.append(program)
        return program

    def end(self, program, how=signal.SIGTERM):
        program.process.send_signal(how)
        status = program.wait()
        self.bed.programs.remove(program)
        return status

    def key(self, client, name):
        return next(k for k, c in client.contacts().items() if c["Name"] == name)

    def fails(self, status, *arguments, **options):
        result = self.bed.ctl(*arguments, check=False, **options)
        self.assertEqual(result.returncode, status, result.stderr)
        return result.stderr

    # -- scripts and aliases -------------------------------------------------

    def test_script(self):
        _, client = self.start()
        script = self.write("evening", "#!/usr/bin/meshcorectl script\n\n# a comment\n"
                            "send Anna 'two  words' $(date)   # and another\n"
                            "meshcorectl send --wait sent Public done\n  sleep 1s\nchannels --json\n")  # fmt: skip
        start = time.monotonic()
        lines = self.bed.ctl("script", script).stdout.splitlines()
        self.assertGreaterEqual(time.monotonic() - start, 1)
        self.assertEqual([m["Text"] for m in client.all_messages()], ["two  words $(date)", "done"])
        self.assertEqual(lines[:3], ["1", "2", "sent"])
        self.assertEqual(len(json.loads("\n".join(lines[3:]))), len(client.channels()))

        # global options of the script hold for its lines; what comes after it on the input is no text of theirs
        text = "contacts\nsend Anna -\ncontacts\n"
        result = self.bed.ctl("script", "--json", "-", text=text, check=False)
        self.assertEqual(result.returncode, USAGE)
        self.assertEqual(len(json.loads(result.stdout)), len(client.contacts()))
        self.assertIn("standard input:2: the command ended with status 2", result.stderr)

        # the first failure ends it, unless it shall go on
        script = self.write("wrong", "contact show nobody\nsend Anna after\nnonsense\n")
        self.assertIn("wrong:1: ", self.fails(NOT_FOUND, "script", script))
        self.assertEqual(len(client.all_messages()), 2)
        self.assertIn("wrong:3: ", self.fails(NOT_FOUND, "script", "--keep-going", script))
        self.assertEqual(client.all_messages()[-1]["Text"], "after")
        self.assertIn(":1: ", self.fails(USAGE, "script", self.write("quotes", "send Anna 'open\n")))
        self.fails(NOT_FOUND, "script", self.path("missing"))

    def test_alias(self):
        _, client = self.start()
        self.assertEqual(self.bed.ctl("alias").stdout, "")
        self.write("config/meshcored/meshcorectl.conf", "[Alias]\nhello=send Anna 'hello  there'\nloop=loop\n"
                   "mine=--radio sim --json\ncontacts=channels\nodd=send 'open\n")  # fmt: skip
        self.bed.ctl("hello", "and", "$HOME")
        self.assertEqual([m["Text"] for m in client.all_messages()], ["hello  there and $HOME"])
        self.assertEqual(len(json.loads(self.bed.ctl("mine", "channels").stdout)), len(client.channels()))
        # no verb can be hidden, and no alias stands for another one
        self.assertIn("Anna", self.bed.ctl("contacts").stdout)
        self.assertIn("there is no verb loop", self.fails(USAGE, "loop"))
        self.assertIn("the alias odd", self.fails(USAGE, "odd"))
        listed = json.loads(self.bed.ctl("alias", "--json").stdout)
        self.assertEqual(listed["mine"], "--radio sim --json")
        self.write("config/meshcored/meshcorectl.conf", "no section\n")
        self.assertIn("meshcorectl.conf", self.fails(USAGE, "hello"))
        self.assertIn("Anna", self.bed.ctl("contacts").stdout)

    def test_names_elsewhere(self):
        """Who comes from meshcore-cli is told where things are; each name exists, and the manual has it."""
        self.bed.start_bus()
        with open(os.path.join(TOP, "man", "meshcorectl.1"), encoding="utf-8") as file:
            manual = file.read()
        for name, here in (("infos", "radio show"), ("msg", "send"), ("{", "send"), ("ms", "messages --follow"),
                           ("rs", "node status"), ("at", "apply-to")):  # fmt: skip
            self.assertIn(f"meshcorectl {here}\n", self.fails(USAGE, name))

        # the manual has the same table, and what it names is there
        table = re.findall(r"^\.It Li (.*)\n\.Cm (.*)$", manual.partition("COMING FROM")[2], re.MULTILINE)
        self.assertGreater(len(table), 35)
        for names, here in table:
            words = here.replace("Fl Fl ", "--").replace("...", "…").replace(" Ar channel", " CHANNEL").replace(" Cm ", " ")
            for name in names.split(", "):
                self.assertIn(f"meshcorectl {words}\n", self.fails(USAGE, name))
            verb = [word for word in words.split() if word[0] not in "-0C1" and not word.endswith("…")]
            if verb[-1] != "delivered":
                self.bed.ctl("help", *verb)

    # -- many contacts -------------------------------------------------------

    def test_apply_to(self):
        sim, client = self.start()
        text = self.bed.ctl("apply-to", "--type", "chat", "--", "send", "--wait", "delivered", "{}", "all of you").stdout
        chats = sorted(k for k, c in client.contacts().items() if c["Type"] == "chat")
        self.assertEqual(len(sim.control("stats")["sent_texts"]), len(chats))
        self.assertEqual(text.count("delivered\n"), len(chats))
        lines = [json.loads(line) for line in self.bed.ctl(
            "apply-to", "--json", "--name", "*", "--", "contact", "show").stdout.splitlines()]  # fmt: skip
        self.assertEqual({line["Key"]: line["Output"]["Name"] for line in lines},
                         {k: c["Name"] for k, c in client.contacts().items()})  # fmt: skip
        self.assertEqual({line["Status"] for line in lines}, {0})

        # those that fail do not keep the others from it
        result = self.bed.ctl("apply-to", "--name", "*", "--json", "--", "send", "x", check=False)
        statuses = {json.loads(line)["Name"]: json.loads(line)["Status"] for line in result.stdout.splitlines()}
        self.assertEqual((statuses["Anna"], statuses["Bob"]), (0, 0))
        self.assertNotEqual(statuses["Hilltop"], 0)
        self.assertEqual(result.returncode, statuses["Hilltop"])

        # nobody removes all of them by accident
        self.assertIn("--name '*'", self.fails(USAGE, "apply-to", "--", "contact", "remove"))
        self.assertIn("contact", self.fails(USAGE, "apply-to", "--type", "chat", "--", "contact"))
        self.fails(USAGE, "apply-to", "--type", "chat")
        self.fails(USAGE, "apply-to", "--type", "robot", "--", "send", "x")
        self.fails(NOT_FOUND, "apply-to", "--name", "nobody", "--", "send", "x")
        self.assertEqual(len(client.contacts()), len(lines))

    def test_apply_to_filters(self):
        sim, client = self.start()

        def names(*arguments):
            listed = self.bed.ctl("apply-to", *arguments, "--dry-run", "--json").stdout
            return {contact["Name"] for contact in json.loads(listed)}

        every = {c["Name"] for c in client.contacts().values()}
        self.assertEqual(names("--type", "repeater,room"), {"Hilltop", "Town room"})
        self.assertEqual(names("--name", "an"), {"Anna"})
        self.assertEqual(names("--heard", "1d") | names("--not-heard", "1d"), every)
        self.assertEqual(names("--heard", "1d") & names("--not-heard", "1d"), set())
        self.bed.ctl("contact", "set-path", "Bob", "a1b2", "c3d4")
        self.bed.ctl("contact", "set-path", "Anna", "direct")
        self.assertEqual(names("--direct"), {"Anna"})
        self.assertEqual(names("--max-hops", "1"), {"Anna"})
        self.assertEqual(names("--max-hops", "2"), {"Anna", "Bob"})
        self.assertEqual(names("--flood"), every - {"Anna", "Bob"})
        self.bed.ctl("contact", "favourite", "Bob")
        self.assertEqual(names("--favourite"), {"Bob"})
        sim.control("text", from_="Anna", text="unread")
        client.wait_signal("Received", "Messages")
        self.assertEqual(names("--unread"), {"Anna"})
        self.assertEqual(names("--logged-in"), set())
        self.fails(USAGE, "apply-to", "--direct", "--flood", "--dry-run")
        self.fails(USAGE, "apply-to", "--heard", "never", "--dry-run")

    # -- programs that answer ------------------------------------------------

    def handle(self, client, *arguments, script):
        """on-message with a program that appends to the file log, once it listens."""
        command = ("sh", "-c", script)
        program = self.follow("on-message", *arguments, "--", *command)
        # It asks for the tree after it has subscribed, and for a page when it has begun.
        return program

    def wait_log(self, client, text, name="log"):
        client.wait(lambda: os.path.exists(self.path(name)) and text in self.read(name), f"{text} in {name}")

    def test_on_message(self):
        """Text on standard input, the rest in the environment, nothing of it executed, one after the other."""
        sim, client = self.start()
        evil = f"$(touch {self.path('pwned')}); `touch {self.path('pwned')}`"
        sim.control("text", from_="Anna", text="before")
        client.wait_signal("Received", "Messages")
        script = f'{{ echo "$MESHCORE_FROM|$MESHCORE_KEY|$MESHCORE_CHANNEL|$MESHCORE_KIND|$#"; cat; }} >>{self.path("log")}'
        program = self.handle(client, "--after", "0", script=script)
        self.wait_log(client, "before\n")
        sim.control("text", from_="Zoë ✓", text=evil)
        sim.control("channel-text", channel="#test", author="Bob", text="to all")
        self.wait_log(client, "to all\n")
        self.assertEqual(self.end(program, signal.SIGINT), OK)
        self.assertEqual(self.read("log").splitlines(), [
            f"Anna|{self.key(client, 'Anna')}||text|0", "before",
            f"Zoë ✓|{self.key(client, 'Zoë ✓')}||text|0", evil,
            "Bob||#test|text|0", "to all",
        ])  # fmt: skip
        self.assertFalse(os.path.exists(self.path("pwned")))

        # only some, as JSON, and an end to it; a command that fails is told and does not stop it
        lines = self.bed.ctl("on-message", "--after", "0", "--with", "Anna", "--json", "--count", "1", "--", "cat").stdout
        self.assertEqual([json.loads(line)["Text"] for line in lines.splitlines()], ["before"])
        lines = self.bed.ctl("on-message", "--after", "0", "--channel", "test", "-n", "1", "--", "cat").stdout
        self.assertEqual(lines, "to all\n")
        result = self.bed.ctl("on-message", "--after", "0", "-n", "3", "--", "sh", "-c", "cat; exit 7")
        self.assertEqual(len(result.stdout.splitlines()), 3)
        self.assertEqual(result.stderr.count("ended with status 7"), 3)
        self.fails(NOT_FOUND, "on-message", "--with", "nobody", "--", "cat")
        self.fails(USAGE, "on-message", "--", "no such program")
        self.fails(USAGE, "on-message")

    def test_on_message_reply(self):
        sim, client = self.start()
        program = self.follow("on-message", "--after", "0", "--reply", "--", "sh", "-c",
                              'read -r text; case $text in quiet) ;; *) printf "%s?\\n\\n" "$text" ;; esac')  # fmt: skip
        # Anna and Bob do not wait for each other on the air: one text after the other.
        for n, text in enumerate(("quiet", "one"), 1):
            sim.control("text", from_="Anna", text=text)
            client.wait_signal("Received", "Messages", count=n)
        sim.control("channel-text", channel="#test", author="Bob", text="two")

        def own():
            return [(m["Text"], m["Peer"], m["Channel"]) for m in client.all_messages() if m["State"] != "received"]

        client.wait(lambda: len(own()) == 2, "two answers")
        anna, channel = f"{RADIO}/contact/{self.key(client, 'Anna')}", f"{RADIO}/channel/1"
        self.assertEqual(own(), [("one?", anna, "/"), ("two?", "/", channel)])

        # the history once more, as after a crash: nothing is answered twice
        self.end(program)
        result = self.bed.ctl("on-message", "--after", "0", "--reply", "-n", "3", "--", "sh", "-c", "read -r t; echo again")
        self.assertEqual(result.stderr, "")
        self.assertEqual(len(own()), 3)
        self.assertEqual([text for text, _, _ in own()], ["one?", "two?", "again"])

        # robots that answer each other come to an end
        program = self.follow("on-message", "--reply", "--after", str(client.all_messages()[-1]["Id"]), "--", "cat")
        for i in range(8):
            sim.control("text", from_="Bob", text=f"robot {i}")
        client.wait(lambda: program.log().count("is not answered") == 2, "the limit of answers")
        self.assertEqual(len(own()), 3 + 6)

    def test_on_message_remember(self):
        """None is missed and none handled twice, whatever ends meanwhile."""
        sim, client = self.start()
        place, script = self.path("place"), f"cat >>{self.path('log')}"
        arguments = ("on-message", "--after", "0", "--remember", place, "--", "sh", "-c", script)
        program = self.follow(*arguments)
        sim.control("text", from_="Anna", text="one")
        self.wait_log(client, "one\n")
        client.wait(lambda: os.path.exists(place) and self.read("place").endswith(" 1\n"), "the place")
        self.end(program)
        sim.control("text", from_="Anna", text="two")
        client.wait_signal("Received", "Messages", count=2)
        program = self.follow(*arguments)
        self.wait_log(client, "two\n")
        self.restart_daemon(client)
        sim.control("text", from_="Bob", text="three")
        self.wait_log(client, "three\n")
        self.assertEqual(self.read("log"), "one\ntwo\nthree\n")
        self.end(program)

        # in the middle of one: it is ended too, and its message comes again
        sim.control("text", from_="Anna", text="four")
        client.wait(lambda: len(client.all_messages()) == 4, "the fourth")
        program = self.follow("on-message", "--remember", place, "--", "sh", "-c", "echo $$ >$0; exec sleep 1000",
                              self.path("pid"))  # fmt: skip
        client.wait(lambda: os.path.exists(self.path("pid")) and self.read("pid"), "the command")
        pid = int(self.read("pid"))
        self.end(program)
        self.assertRaises(ProcessLookupError, os.kill, pid, 0)
        result = self.bed.ctl("on-message", "--remember", place, "-n", "1", "--", "cat")
        self.assertEqual(result.stdout, "four\n")

        # one that does not end when it is told to
        program = self.follow("on-message", "--after", "0", "--", "sh", "-c", "trap '' TERM; echo $$ >$0; exec sleep 1000",
                              self.path("stubborn"))  # fmt: skip
        client.wait(lambda: os.path.exists(self.path("stubborn")) and self.read("stubborn"), "the command")
        pid = int(self.read("stubborn"))
        self.end(program)
        self.assertRaises(ProcessLookupError, os.kill, pid, 0)

        # what cannot be noted ends it, before another message is handled
        self.fails(FAILED, "on-message", "--after", "0", "--remember", self.path("no/place"), "--", "sh", "-c",
                   "echo once >>$0; sleep 0.1", self.path("handled"))  # fmt: skip
        self.assertEqual(self.read("handled"), "once\n")

        self.write("place", "not ours\n")
        self.fails(FAILED, "on-message", "--remember", place, "-n", "1", "--", "cat")

    # -- the radio for others ------------------------------------------------

    def test_inhibit(self):
        sim, client = self.start()
        program = self.follow("inhibit", "trying the phone")
        self.assertEqual(program.read_line(), f"127.0.0.1:{sim.port}")
        self.assertEqual(client.get_state(), ("waiting", "inhibited"))
        self.assertEqual(self.end(program, signal.SIGINT), OK)
        client.wait_for_state("ready")

        # as long as the command runs, also when who started it is gone
        command = ("sh", "-c", 'echo "$1 $MESHCORE_PORT"; read -r line; exit 9', "sh", "{}")
        argv = [find_program("meshcorectl"), "--session", "inhibit", "flash", "--", *command]
        with subprocess.Popen(argv, env=self.bed.environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            line = process.stdout.readline().decode()
            self.assertEqual(line, f"127.0.0.1:{sim.port} 127.0.0.1:{sim.port}\n")
            self.assertEqual(client.get_state(), ("waiting", "inhibited"))
            self.assertEqual(self.bed.ctl("status").stdout.count("inhibited"), 1)
            process.stdin.write(b"\n")
            process.stdin.close()
            self.assertEqual(process.wait(), 9)
        client.wait_for_state("ready")
        with subprocess.Popen(argv, env=self.bed.environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            process.stdout.readline()
            process.kill()
            process.wait()
            client.settle()
            self.assertEqual(client.get_state(), ("waiting", "inhibited"))
        client.wait_for_state("ready")

        self.fails(USAGE, "inhibit", "flash", "--", "no such program")
        self.assertEqual(client.get_state(), ("ready", "none"))
        program = self.follow("inhibit", "too long", "--json")
        self.assertEqual(json.loads(program.read_line()), {"Transport": "tcp", "Address": f"127.0.0.1:{sim.port}"})
        self.bed.daemon.terminate()
        self.bed.programs.remove(self.bed.daemon)
        self.assertEqual(program.wait(), UNREACHABLE)
        self.bed.programs.remove(program)

    def test_inhibit_serial(self):
        """The device is told, not the link that leads there."""
        link = self.path("radio")
        client = self.client()
        sim = self.bed.start_sim(pty=link)
        self.bed.start_daemon({"sim": sim})
        client.wait_for_state("ready")
        self.assertEqual(client.get(RADIO, "Radio", "Port"), os.path.realpath(link))
        program = self.follow("inhibit", "flash")
        self.assertEqual(program.read_line(), os.path.realpath(link))
        self.end(program)
        client.wait_for_state("ready")
        self.assertIn(f"serial {link} ({os.path.realpath(link)})\n", self.bed.ctl("status").stdout)

    def test_sync_progress(self):
        """Contacts and channels are counted while they are read, which nobody hears of when it is quick."""
        sim, client = self.start()
        told = lambda: [s.arguments[1] for s in client.find_signals("PropertiesChanged", where=lambda i, c, _: (
            i == "org.meshcored1.Radio" and "SyncDone" in c))]  # fmt: skip # noqa: E731
        self.assertEqual(told(), [])
        properties = client.get_all(RADIO, "Radio")
        self.assertEqual((properties["SyncDone"], properties["SyncTotal"]), (0, 0))

        sim.control("delay", ms=60)
        sim.control("link", action="drop")
        client.wait_for_state("syncing")
        start = time.monotonic()
        client.wait(lambda: len(told()) >= 2, "progress")
        self.assertRegex(self.bed.ctl("status").stdout, r"State: +syncing \([0-9]+ of [0-9]+\)\n")
        pid, terminal = pty.fork()
        if pid == 0:
            os.execve(find_program("meshcorectl"), ["meshcorectl", "--session", "start", "--wait"], self.bed.environment())
        shown = b""
        while True:
            try:
                shown += os.read(terminal, 4096)
            except OSError:
                break
        os.close(terminal)
        self.assertEqual(os.waitpid(pid, 0)[1], 0)
        self.assertEqual(client.get_state()[0], "ready")
        self.assertRegex(shown, rb"\rsim: syncing, [0-9]+ of [0-9]+\x1b\[K")
        client.settle()

        changes = told()
        self.assertLessEqual(len(changes), (time.monotonic() - start) * 4 + 2)
        total = changes[0]["SyncTotal"]
        self.assertGreater(total, len(client.contacts()) + len(client.channels()))
        counts = [change["SyncDone"] for change in changes]
        self.assertEqual((counts[-1], changes[-1]["SyncTotal"]), (0, 0))
        self.assertEqual(counts[:-1], sorted(counts[:-1]))
        self.assertTrue(all(0 < count <= total for count in counts[:-1]), counts)

    def test_start_wait(self):
        sim, client = self.start()
        self.bed.ctl("start", "--wait", "sim")
        self.bed.ctl("stop")
        self.bed.ctl("start", "--wait")
        self.assertEqual(client.get_state()[0], "ready")
        sim.control("link", action="refuse")
        sim.control("link", action="drop")
        client.wait_for_state("waiting")
        error = self.fails(NOT_CONNECTED, "start", "--wait")
        self.assertEqual(len(error.splitlines()), 1)
        self.assertIn("sim is not connected: ", error)

    def test_export_since(self):
        sim, client = self.start()
        for i in range(3):
            sim.control("text", from_="Anna", text=f"text {i}")
        client.wait_signal("Received", "Messages", count=3)
        first, second, _ = (r["TimestampUSec"] for r in client.all_messages())
        self.assertEqual(len(self.bed.ctl("export").stdout.splitlines()), 3)
        lines = self.bed.ctl("export", "--since", "1h", "--after", "1").stdout.splitlines()
        self.assertEqual([json.loads(line)["Text"] for line in lines], ["text 1", "text 2"])
        self.assertEqual(self.bed.ctl("export", "--until", "1h").stdout, "")
        self.assertLessEqual(first, second)
        self.fails(USAGE, "export", "--since", "when")

    def test_completion(self):
        """Files and programs are left to the shell, aliases and applied commands are known."""
        self.start()
        self.write("config/meshcored/meshcorectl.conf", "[Alias]\nhill=node status\n$(x)=send\n")

        def complete(*words):
            return set(self.bed.ctl("complete", "--", "--session", *words).stdout.split("\n")) - {""}

        self.assertEqual(complete("hil"), {"hill"})
        self.assertIn("Hilltop", complete("hill", ""))
        self.assertNotIn("$(x)", complete(""))
        self.assertEqual(complete("apply-to", "--ty"), {"--type"})
        self.assertEqual(complete("apply-to", "--type", "chat", "--", "node", "stat"), {"status"})
        self.assertEqual(complete("script", ""), {":file"})
        self.assertEqual(complete("channel", "import", "--file", ""), {":file"})
        self.assertEqual(complete("on-message", "--", ""), {":command"})
        self.assertEqual(complete("inhibit", "why", ""), {":command"})

        self.write("morning", "status\n")
        code = 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _meshcorectl; printf "%s\\n" "${COMPREPLY[@]}"'
        script = os.path.join(TOP, "data", "completion", "bash", "meshcorectl")
        argv = ["bash", "--norc", "-c", code, "bash", script, find_program("meshcorectl"), "--session", "script", "mor"]
        result = subprocess.run(argv, cwd=self.bed.directory, env=self.bed.environment(), capture_output=True, text=True,
                                check=True)  # fmt: skip
        self.assertEqual((result.stdout, result.stderr), ("morning\n", ""))
