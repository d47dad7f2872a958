# SPDX-License-Identifier: GPL-3.0-or-later
"""The daemon as a service: command line, service manager, reload, the policy
of the system bus, and a radio on a serial port."""

import contextlib
import json
import os
import select
import signal
import socket
import sqlite3
import subprocess
import time
import unittest

from gi.repository import Gio, GLib

from fixture import PROPERTIES, ROOT, Case, radio_path
from programs import TIMEOUT, Daemon, Program, find_program
from systembus import PolicyBus, Polkit

USAGE, NEWER = 2, 3
NOBODY = 65534


class Notify:
    """The service manager's end of NOTIFY_SOCKET."""

    def __init__(self, directory):
        self.path = os.path.join(directory, "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)

    def next(self, timeout=TIMEOUT):
        """One message, as a dictionary."""
        if not select.select([self.socket], [], [], timeout)[0]:
            raise AssertionError(f"nothing was notified in {timeout} s")
        lines = self.socket.recv(65536).decode().splitlines()
        return dict(line.split("=", 1) for line in lines if line)

    def wait(self, key):
        while key not in (message := self.next()):
            pass
        return message

    def close(self):
        self.socket.close()


class Tests(Case):
    def run_daemon(self, *arguments):
        return subprocess.run(
            [find_program("meshcored"), *arguments], capture_output=True, text=True, timeout=TIMEOUT, check=False,
            env={"PATH": os.environ["PATH"], "HOME": self.bed.directory},
        )  # fmt: skip

    def start_notified(self, radios, **environment):
        """The daemon with a service manager that listens; returns its end."""
        notify = Notify(self.bed.directory)
        self.addCleanup(notify.close)
        settings = [f"NOTIFY_SOCKET={notify.path}"] + [f"{k}={v}" for k, v in environment.items()]
        self.bed.start_daemon(radios, through=["env", *settings])
        return notify

    def test_command_line(self):
        version = self.run_daemon("--version")
        self.assertEqual(version.returncode, 0)
        self.assertRegex(version.stdout, r"^meshcored [0-9.]+\n$")
        help_text = self.run_daemon("--help")
        self.assertEqual(help_text.returncode, 0)
        for word in ("--session", "--config", "--state-dir", "--storage", "--log-level", "meshcorectl", "SIGHUP", "Exit status"):
            self.assertIn(word, help_text.stdout)

        nowhere = os.path.join(self.bed.directory, "nowhere.conf")
        for arguments in (["--nonsense"], ["extra"], ["--log-level", "loud"], ["--config", nowhere], ["--state-dir", ""],
                          ["--storage", "loud"], ["--storage", "volatile", "--state-dir", nowhere],
                          ["--storage", "existing", "--restore", nowhere]):  # fmt: skip
            with self.subTest(arguments=arguments):
                wrong = self.run_daemon(*arguments)
                self.assertEqual(wrong.returncode, USAGE)
                self.assertEqual(wrong.stdout, "")
                self.assertNotEqual(wrong.stderr, "")

    def test_newer_store(self):
        client = self.client()
        self.bed.start_daemon({})
        client.wait_owned()
        self.assertEqual(self.bed.daemon.terminate()[0], 0)
        self.bed.programs.remove(self.bed.daemon)
        path = os.path.join(self.bed.state_dir, "store.db")
        with open(path, "r+b") as file:
            file.seek(60)  # user_version, SQLite file format, 1.3
            file.write((0x7FFFFFF).to_bytes(4, "big"))
        with open(path, "rb") as file:
            before = file.read()
        daemon = Daemon(self.bed.directory, self.bed.bus, self.bed.config, self.bed.state_dir)
        self.assertEqual(daemon.wait(), NEWER)
        with open(path, "rb") as file:
            self.assertEqual(file.read(), before)

    def test_notify(self):
        client = self.client()
        notify = self.start_notified({})
        ready = notify.next()
        self.assertEqual(ready["READY"], "1")
        self.assertIn("org.meshcored1", ready["STATUS"])
        self.assertTrue(client.owned())

        before = time.clock_gettime(time.CLOCK_MONOTONIC) * 1e6
        self.bed.daemon.process.send_signal(signal.SIGHUP)
        reloading = notify.wait("RELOADING")
        self.assertLessEqual(before, int(reloading["MONOTONIC_USEC"]))
        self.assertLessEqual(int(reloading["MONOTONIC_USEC"]), time.clock_gettime(time.CLOCK_MONOTONIC) * 1e6)
        self.assertEqual(notify.wait("READY")["READY"], "1")

        self.bed.daemon.process.terminate()
        notify.wait("STOPPING")
        self.assertEqual(self.bed.daemon.wait(), 0)

    def test_watchdog(self):
        self.client()
        notify = self.start_notified({}, WATCHDOG_USEC=200000)
        for _ in range(3):
            notify.wait("WATCHDOG")

    def test_log_control(self):
        """systemctl service-log-level, as busctl speaks it."""
        client = self.client()
        self.bed.start_daemon({"sim": "tcp://127.0.0.1:1"})
        client.wait_for_state("waiting", "refused")
        path, interface = "/org/freedesktop/LogControl1", "org.freedesktop.LogControl1"

        def get(name):
            return client.call(path, PROPERTIES, "Get", "(ss)", interface, name)

        def set_(name, value):
            client.call(path, PROPERTIES, "Set", "(ssv)", interface, name, GLib.Variant("s", value))

        self.assertEqual([get(n) for n in ("LogLevel", "LogTarget", "SyslogIdentifier")],
                         ["info", "console", "meshcored"])  # fmt: skip
        self.assertNotIn("sim: waiting -> opening", self.bed.daemon.log())
        set_("LogLevel", "debug")
        self.assertEqual(get("LogLevel"), "debug")
        client.call(radio_path("sim"), "Radio", "Start")
        client.wait(lambda: "sim: waiting -> opening" in self.bed.daemon.log(), "lines of the level debug")
        set_("LogLevel", "info")
        client.call(radio_path("sim"), "Radio", "Stop")
        client.settle()
        self.assertNotIn("-> stopped", self.bed.daemon.log())
        set_("LogTarget", "auto")
        self.assertEqual(get("LogTarget"), "console")
        for name, wrong in (("LogLevel", "loud"), ("LogTarget", "printer")):
            self.assert_bus_error("org.freedesktop.DBus.Error.InvalidArgs", set_, name, wrong)
        self.assert_bus_error("org.freedesktop.DBus.Error.PropertyReadOnly", set_, "SyslogIdentifier", "x")

    def test_backup_and_restore(self):
        """A copy while the daemon runs; put back later it is the history of then, under another id."""
        client = self.client()
        sim = self.bed.start_sim()
        self.bed.start_daemon({"sim": sim})
        client.wait_for_state("ready")
        for i in range(20):
            client.call(radio_path("sim"), "Radio", "SendText", "(ssa{sv})", "Public", f"before {i}", {})
        path = os.path.join(self.bed.directory, "backup.db")
        # of one that was broken off, under another umask
        with open(os.open(path + ".part", os.O_WRONLY | os.O_CREAT, 0o644), "w") as left:
            left.write("left over")
        self.bed.ctl("backup", path)
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        self.assertEqual(os.path.exists(path + ".part"), False)
        copied = {m["Text"] for m in client.all_messages()}
        history = client.get(radio_path("sim"), "Messages", "HistoryId")
        client.call(radio_path("sim"), "Radio", "SendText", "(ssa{sv})", "Public", "after", {})

        # a pipe could make us wait for ever, a directory is no file; a file that is open for reading only
        for argument in ("/dev/null", self.bed.directory):
            fd = os.open(argument, os.O_RDONLY)
            fds = Gio.UnixFDList.new_from_array([fd])
            with self.assertRaises(GLib.Error) as caught:
                client.bus.call_with_unix_fd_list_sync(
                    "org.meshcored1", ROOT, "org.meshcored1.Manager", "Backup", GLib.Variant("(h)", (0,)), None,
                    Gio.DBusCallFlags.NONE, -1, fds, None,
                )  # fmt: skip
            self.assertIn("InvalidArguments", str(caught.exception))

        check = self.run_daemon("--check-store", path)
        self.assertEqual((check.returncode, check.stderr), (0, ""))
        self.assertRegex(check.stdout, r"\d+ messages, nothing wrong")
        refused = self.run_daemon("--restore", path, "--state-dir", self.bed.state_dir)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("stop it first", refused.stderr)

        self.assertEqual(self.bed.daemon.terminate()[0], 0)
        self.bed.programs.remove(self.bed.daemon)
        restored = self.run_daemon("--restore", path, "--state-dir", self.bed.state_dir)
        self.assertEqual(restored.returncode, 0, restored.stderr)
        kept = [name for name in os.listdir(self.bed.state_dir) if ".replaced-" in name]
        self.assertTrue(kept)
        for name in kept:
            os.unlink(os.path.join(self.bed.state_dir, name))
        client.wait_owned(False)
        self.bed.start_daemon()
        client.wait_for_state("ready")
        texts = {m["Text"] for m in client.all_messages()}
        self.assertLessEqual(copied, texts)
        self.assertNotIn("after", texts)
        self.assertNotEqual(client.get(radio_path("sim"), "Messages", "HistoryId"), history)

        lines = self.bed.ctl("export").stdout.splitlines()
        self.assertEqual([json.loads(line)["Id"] for line in lines], [m["Id"] for m in client.all_messages()])
        self.assertEqual(self.bed.ctl("export", "--after", str(json.loads(lines[-2])["Id"])).stdout.splitlines(), lines[-1:])

    def test_history_limits(self):
        """What is old goes, in batches and with Deleted; unread messages, those on their way and the last days stay."""
        client = self.client()
        sim = self.bed.start_sim()
        self.bed.start_daemon({"sim": sim})
        client.wait_for_state("ready")
        slot = next(iter(client.channels()))
        before = client.get(radio_path("sim"), "Messages", "LastId")
        sim.control("channel-text", channel=slot, author="Ann", text="tick", count=250)
        client.wait(lambda: client.get(radio_path("sim"), "Messages", "LastId") >= before + 250, "250 messages")
        self.assertEqual(self.bed.daemon.terminate()[0], 0)
        self.bed.programs.remove(self.bed.daemon)
        client.wait_owned(False)

        with contextlib.closing(sqlite3.connect(os.path.join(self.bed.state_dir, "store.db"))) as store, store:
            store.execute("PRAGMA journal_mode = WAL")
            ids = [row[0] for row in store.execute("SELECT id FROM message ORDER BY id")]
            old, unread, young = ids[:200], set(ids[10:15]), ids[200:]
            store.execute("UPDATE message SET timestamp_usec = timestamp_usec - 30 * 86400000000 WHERE id <= ?", (old[-1],))
            store.execute("UPDATE message SET read = 1")
            store.execute(f"UPDATE message SET read = 0 WHERE id IN ({','.join(map(str, unread))})")
        self.bed.write_config(f"[Daemon]\nHistoryMaxDays=10\n\n[Radio sim]\nTransport={sim.transport}\n")
        since = len(client.signals)
        self.bed.start_daemon()
        client.wait_for_state("ready")
        expected = sorted(unread) + young

        def pruned():
            return [m["Id"] for m in client.all_messages() if m["Id"] <= ids[-1]] == expected

        client.wait(pruned, "old messages leave")
        client.settle()
        deleted = [path for s in client.find_signals("Deleted", "Messages", since=since) for path in s.arguments[0]]
        self.assertEqual(sorted(int(path.rpartition("/")[2]) for path in deleted),
                         [i for i in old if i not in unread])  # fmt: skip

    def test_damaged_backup(self):
        path = os.path.join(self.bed.directory, "backup.db")
        for content in (b"", b"nonsense" * 1000, b"SQLite format 3\0" + b"\xff" * 4080):
            with open(path, "wb") as file:
                file.write(content)
            for option in ("--check-store", "--restore"):
                wrong = self.run_daemon(option, path, "--state-dir", self.bed.state_dir)
                self.assertEqual(wrong.returncode, 1, content[:16])
                self.assertNotEqual(wrong.stderr, "")
        self.assertFalse(os.path.exists(os.path.join(self.bed.state_dir, "store.db")))

    @unittest.skipUnless(os.geteuid() == 0, "only root has the names of services")
    def test_sleep(self):
        """Before the machine sleeps the radio is left in good order, and it is taken up at once afterwards."""
        self.bed.bus = self.bed._add(PolicyBus(self.bed.directory))
        self.bed._add(Polkit(self.bed.bus, self.bed.directory))
        client = self.client()
        sim = self.bed.start_sim()
        self.bed.write_config({"sim": sim})
        env = dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=self.bed.bus.address)
        argv = [find_program("meshcored"), "--config", self.bed.config, "--state-dir", self.bed.state_dir]
        self.bed.daemon = self.bed._add(Program("meshcored", argv, self.bed.directory, env))
        client.wait_for_state("ready")

        def logind(member, *arguments):
            return client.call("/org/freedesktop/PolicyKit1/Authority", "org.meshcored1.Test", member, *arguments,
                               name="org.freedesktop.login1")  # fmt: skip

        client.wait(lambda: logind("Delays") == 1, "sleep is delayed")
        for _ in range(2):
            logind("Sleep", "(b)", True)  # comes back as soon as nobody delays it any more
            self.assertEqual(client.get_state(), ("waiting", "inhibited"))
            start = time.monotonic()
            logind("Sleep", "(b)", False)
            client.wait_for_state("ready")
            print(f"ready {time.monotonic() - start:.2f} s after waking")
            client.wait(lambda: logind("Delays") == 1, "sleep is delayed again")

        # What is on its way comes first.
        sim.control("delay", ms=900)  # before whatever follows the next answer
        client.call(radio_path("sim"), "Radio", "Ping")
        message = client.call(radio_path("sim"), "Radio", "SendText", "(ssa{sv})", "Public", "good night", {})
        client.wait_message_state(message, "sending")
        logind("Sleep", "(b)", True)
        self.assertEqual(client.get_state(), ("waiting", "inhibited"))
        properties = client.get_all(message, "Message")
        self.assertEqual((properties["State"], properties["Uncertain"]), ("sent", False))

    def test_ready_needs_the_name(self):
        """No READY while the bus is away; the radios do not wait for it."""
        bus = self.bed.start_bus()
        sim = self.bed.start_sim()
        bus.terminate()
        self.bed.programs.remove(bus)
        notify = self.start_notified({"sim": sim})
        while sim.control("stats")["connections"] == 0:
            self.assertTrue(self.bed.daemon.running())
        with self.assertRaises(AssertionError):
            notify.next(0)
        self.bed.start_bus()
        self.assertEqual(notify.wait("READY")["READY"], "1")

    def test_reload(self):
        client = self.client()
        sim = self.bed.start_sim()
        notify = self.start_notified({"sim": sim})
        client.wait_for_state("ready")
        notify.wait("READY")
        connections = sim.control("stats")["connections"]

        def reload(radios):
            self.bed.write_config(radios)
            self.bed.daemon.process.send_signal(signal.SIGHUP)
            notify.wait("RELOADING")
            notify.wait("READY")

        reload({"sim": sim, "other": "tcp://127.0.0.1:1"})
        client.wait_for_state("waiting", "refused", radio="other")
        reload({"sim": sim})
        self.assertEqual(client.get_state("other"), (None, None))
        # what is wrong in the file does not stop what runs
        reload(f"[Radio sim\n[Radio sim]\nTransport={sim.transport}\nEnabled=perhaps\n")
        self.assertIn("[Radio sim] Enabled: expected yes or no", self.bed.daemon.log())
        self.assertEqual(client.get_state("sim")[0], "ready")
        self.assertEqual(sim.control("stats")["connections"], connections)

        reload({"sim": {"Transport": sim.transport, "Enabled": "no"}})
        self.assertEqual(client.get_state("sim")[0], "stopped")

    def test_directories(self):
        """Without options, --session keeps to the user's directories."""
        client = self.client()
        home = os.path.join(self.bed.directory, "home")
        config = os.path.join(home, "config", "meshcored", "meshcored.conf.d")
        os.makedirs(config)
        with open(os.path.join(config, "a.conf"), "w", encoding="utf-8") as file:
            file.write("[Radio dropin]\nTransport=tcp://127.0.0.1:1\n")
        env = self.bed.environment()
        env.update(HOME=home, XDG_CONFIG_HOME=os.path.join(home, "config"), XDG_STATE_HOME=os.path.join(home, "state"))
        program = Program("meshcored", [find_program("meshcored"), "--session"], self.bed.directory, env)
        self.bed.programs.append(program)
        client.wait_for_state("waiting", radio="dropin")
        state = os.path.join(home, "state", "meshcored")
        self.assertTrue(os.path.exists(os.path.join(state, "store.db")))
        self.assertEqual(os.stat(state).st_mode & 0o077, 0)
        self.assertEqual(os.stat(os.path.join(state, "store.db")).st_mode & 0o077, 0)

    def refused_storage(self, *arguments):
        """What a daemon says that does not start for want of a good directory."""
        daemon = Daemon(self.bed.directory, self.bed.bus, self.bed.config, self.bed.state_dir, arguments=arguments)
        self.assertEqual(daemon.wait(), 1)
        return daemon.log()

    def test_storage(self):
        """Directories that are none, or others', are refused; "existing" begins nothing anew."""
        client = self.client()
        self.bed.write_config({})
        state = self.bed.state_dir
        self.assertIn("No such file", self.refused_storage("--storage", "existing"))
        self.assertFalse(os.path.exists(state))
        with open(state, "w", encoding="ascii"):
            pass
        for kind in ("persistent", "existing"):
            self.assertIn("Not a directory", self.refused_storage("--storage", kind))
        os.unlink(state)

        os.mkdir(state, 0o700)
        self.assertIn("There is no store", self.refused_storage("--storage", "existing"))
        self.assertEqual(os.listdir(state), [])
        os.chmod(state, 0o1777)
        self.assertIn("Every user can write", self.refused_storage())
        os.chmod(state, 0o700)
        os.symlink("/dev/null", os.path.join(state, "store.db"))
        self.assertIn("no regular file", self.refused_storage())
        os.unlink(os.path.join(state, "store.db"))
        if os.geteuid() == 0:
            os.chown(state, NOBODY, NOBODY)
            self.assertIn("another user", self.refused_storage())
            os.chown(state, 0, 0)

        for kind in ("persistent", "existing"):
            self.bed.start_daemon(arguments=["--storage", kind])
            client.wait_owned()
            self.assertTrue(os.path.exists(os.path.join(state, "store.db")))
            self.assertEqual(self.bed.daemon.terminate()[0], 0)
            self.bed.programs.remove(self.bed.daemon)
            client.wait_owned(False)

    def test_storage_volatile(self):
        """In the runtime directory while the daemon runs, private, and gone with it; the state directory is not touched."""
        client = self.client()
        runtime = os.path.join(self.bed.directory, "run")
        os.makedirs(runtime)
        env = self.bed.environment()
        env.update(XDG_STATE_HOME=self.bed.state_dir, XDG_RUNTIME_DIR=runtime)
        for variable in ("RUNTIME_DIRECTORY", "STATE_DIRECTORY"):
            env.pop(variable, None)
        sim = self.bed.start_sim()
        self.bed.write_config({"sim": sim})
        argv = [find_program("meshcored"), "--session", "--config", self.bed.config, "--storage", "volatile"]
        for _ in range(2):
            daemon = Program("meshcored", argv, self.bed.directory, env)
            self.bed.programs.append(daemon)
            client.wait_for_state("ready")
            made = os.listdir(runtime)
            self.assertEqual(len(made), 1, made)
            self.assertEqual(os.stat(os.path.join(runtime, made[0])).st_mode & 0o077, 0)
            self.assertIn("store.db", os.listdir(os.path.join(runtime, made[0])))
            self.assertEqual(daemon.terminate()[0], 0)
            self.bed.programs.remove(daemon)
            client.wait_owned(False)
            self.assertEqual(os.listdir(runtime), [])
            self.assertFalse(os.path.exists(self.bed.state_dir))
            self.assertIn("is gone when the daemon ends", daemon.log())

    @unittest.skipUnless(os.geteuid() == 0, "needs root to become somebody else")
    def test_policy(self):
        """A user who is neither root nor in the group gets nothing: not before the
        name is owned, not while it is, not after."""
        self.bed.bus = PolicyBus(self.bed.directory)
        self.bed.programs.append(self.bed.bus)
        os.seteuid(NOBODY)
        try:
            stranger = self.client()
        finally:
            os.seteuid(0)
        client = self.client()

        sim = self.bed.start_sim()
        self.bed.write_config({"sim": sim})
        env = dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=self.bed.bus.address)
        argv = [find_program("meshcored"), "--config", self.bed.config, "--state-dir", self.bed.state_dir]
        daemon = Program("meshcored", argv, self.bed.directory, env)
        self.bed.programs.append(daemon)

        client.wait_for_state("ready")
        self.assert_bus_error("org.freedesktop.DBus.Error.AccessDenied", stranger.get, ROOT, "Manager", "Version")
        client.call(radio_path("sim"), "Radio", "Stop")
        client.wait_signal("PropertiesChanged", path=radio_path("sim"))
        self.assertEqual(daemon.terminate()[0], 0)
        client.wait_owned(False)

        # a bus delivers in order: what was meant for the stranger came before this answer
        stranger.wait_owned(False)
        self.assertEqual([s for s in stranger.signals if s.member != "NameOwnerChanged"], [])

    def test_serial(self):
        """The simulator on a pseudo terminal, through a symbolic link."""
        client = self.client()
        path = os.path.join(self.bed.directory, "radio")
        argv = [find_program("meshcore-sim"), "--pty", path]
        sim = Program("serial-sim", argv, self.bed.directory)
        self.bed.programs.append(sim)
        sim.read_line()
        self.bed.start_daemon({"sim": f"serial:{path}"})
        client.wait_for_state("ready")
        self.assertEqual(client.get(radio_path("sim"), "Radio", "Transport"), "serial")
        self.assertNotEqual(client.contacts(), {})
        sim.kill()
        client.wait_for_state("waiting")
        sim = Program("second-serial-sim", argv, self.bed.directory)
        self.bed.programs.append(sim)
        sim.read_line()
        client.wait_for_state("ready")
