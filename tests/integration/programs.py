# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs of a test or a demonstration: a bus of our own, simulated
radios, the daemon. Plain processes, nothing but Python's standard library;
clients of the bus are in fixture.py.

Everything lives in one temporary directory and ends with its Bed:

    with Bed() as bed:
        sim = bed.start_sim()
        bed.start_daemon({"sim": sim})
        ...

Nothing here sleeps: a wait is for a line, for bytes or for the end of a
process, and has a limit that fails loudly.
"""

import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time

# Generous: sanitizers, two slow cores, and other tests beside us.
TIMEOUT = float(os.environ.get("MESHCORED_TEST_TIMEOUT", "60"))

BUS_NAME = "org.meshcored1"

# A mesh in which nothing happens by itself, and whose air is fast.
QUIET = ("--scenario", os.path.join(os.path.dirname(os.path.abspath(__file__)), "mesh.scenario"), "--speed", "100")

BUS_CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
  <limit name="max_incoming_bytes">1000000000</limit>
  <limit name="max_outgoing_bytes">1000000000</limit>
  <limit name="max_message_size">1000000000</limit>
  <limit name="max_completed_connections">1000</limit>
  <limit name="max_match_rules_per_connection">50000</limit>
  <limit name="max_replies_per_connection">50000</limit>
</busconfig>
"""


class Failure(AssertionError):
    """A program did not do what a test can rely on."""


def find_program(name):
    """Where the build put it: $MESHCORED, $MESHCORECTL, $MESHCORE_SIM, else the build directory."""
    path = os.environ.get(name.upper().replace("-", "_"))
    if path:
        return path
    rooms = {"meshcored": "daemon", "meshcorectl": "ctl", "meshcore-sim": "sim"}
    top = os.environ.get("MESHCORED_BUILD", "build")
    return os.path.abspath(os.path.join(top, "src", rooms[name], name))


class Program:
    """A process in the background whose stderr goes to a file."""

    def __init__(self, name, argv, directory, env=None, stdout=None):
        self.name = name
        self.argv = argv
        self.log_path = os.path.join(directory, name + ".log")
        self._log = open(self.log_path, "ab")
        self.process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if stdout is None else stdout,
            stderr=self._log,
            env=env,
        )
        self._buffer = b""

    @property
    def pid(self):
        return self.process.pid

    def log(self):
        with open(self.log_path, "rb") as log:
            return log.read().decode("utf-8", "replace")

    def running(self):
        return self.process.poll() is None

    def read_line(self, timeout=TIMEOUT):
        """The next line of stdout, without its end."""
        deadline = time.monotonic() + timeout
        fd = self.process.stdout.fileno()
        while b"\n" not in self._buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([fd], [], [], left)[0]:
                raise Failure(f"{self.name} said nothing in {timeout} s; its log:\n{self.log()}")
            piece = os.read(fd, 65536)
            if not piece:
                raise Failure(f"{self.name} ended, status {self.process.wait()}; its log:\n{self.log()}")
            self._buffer += piece
        line, self._buffer = self._buffer.split(b"\n", 1)
        return line.decode("utf-8", "replace")

    def wait(self, timeout=TIMEOUT):
        """Waits for the end; returns the exit status as Popen gives it."""
        if self.process.poll() is None:
            fd = os.pidfd_open(self.process.pid)
            try:
                if not select.select([fd], [], [], timeout)[0]:
                    raise Failure(f"{self.name} did not end in {timeout} s; its log:\n{self.log()}")
            finally:
                os.close(fd)
        return self.process.wait()

    def terminate(self, timeout=TIMEOUT):
        """SIGTERM, then the exit status and the seconds that it took."""
        start = time.monotonic()
        if self.running():
            self.process.terminate()
        status = self.wait(timeout)
        self._close()
        return status, time.monotonic() - start

    def kill(self):
        """SIGKILL, and gone when this returns."""
        if self.running():
            self.process.kill()
        self.process.wait()
        self._close()

    def _close(self):
        self._log.close()
        if self.process.stdout:
            self.process.stdout.close()


class Bus(Program):
    """A dbus-daemon that nobody else uses. Its address stays when it is started again."""

    def __init__(self, directory):
        config = os.path.join(directory, "bus.conf")
        path = os.path.join(directory, "bus")
        with open(config, "w", encoding="utf-8") as file:
            file.write(BUS_CONFIG.format(socket=path))
        if os.path.exists(path):
            os.unlink(path)
        super().__init__(
            "dbus-daemon",
            ["dbus-daemon", "--nofork", "--nopidfile", f"--config-file={config}", "--print-address=1"],
            directory,
        )
        # without the guid, which is new each time
        self.address = self.read_line().split(",guid=")[0]


class Sim(Program):
    """meshcore-sim on TCP, or at a pseudo terminal, with its control socket."""

    def __init__(self, directory, name="meshcore-sim", port=0, arguments=(), pty=None, ble=None):
        """ble: (the arguments that make it a radio over Bluetooth, where that is)."""
        self.control_path = os.path.join(directory, name + ".control")
        if os.path.exists(self.control_path):
            os.unlink(self.control_path)
        line = ble[0] if ble else ("--pty", pty) if pty else ("--tcp", f"127.0.0.1:{port}")
        argv = [find_program("meshcore-sim"), *line, "--control", self.control_path]
        super().__init__(name, argv + list(arguments), directory)
        place = self.read_line().removeprefix("listening on ")
        if ble:
            self.port, self.transport = 0, ble[1]
        elif pty:
            self.port, self.transport = 0, f"serial:{pty}"
        elif found := re.fullmatch(r"(\S+):(\d+)", place):
            self.port = int(found[2])
            self.transport = f"tcp://127.0.0.1:{self.port}"
        else:
            raise Failure(f"{name} said {place!r}")
        self._control = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._control.settimeout(TIMEOUT)
        self._control.connect(self.control_path)
        self._answers = self._control.makefile("r", encoding="utf-8")

    def control(self, cmd, **arguments):
        """One verb; returns the answer, fails unless ok."""
        request = {"cmd": cmd}
        request.update({key.rstrip("_"): value for key, value in arguments.items()})
        self._control.sendall(json.dumps(request).encode() + b"\n")
        answer = json.loads(self._answers.readline())
        if answer.get("ok") is not True:
            raise Failure(f"{self.name} refused {request}: {answer}")
        return answer

    def _close(self):
        self._answers.close()
        self._control.close()
        super()._close()


class Daemon(Program):
    """meshcored --session."""

    def __init__(self, directory, bus, config, state_dir, name="meshcored", arguments=(), through=()):
        env = dict(os.environ)
        env["DBUS_SESSION_BUS_ADDRESS"] = bus.address
        for variable in ("DBUS_SYSTEM_BUS_ADDRESS", "NOTIFY_SOCKET", "JOURNAL_STREAM"):
            env.pop(variable, None)
        argv = [find_program("meshcored"), "--session", "--config", config, "--state-dir", state_dir]
        super().__init__(name, [*through, *argv, *arguments], directory, env, subprocess.DEVNULL)


def config_text(radios):
    """One section for each radio: a Sim, a transport, or a dictionary of keys."""
    text = ""
    for name, radio in radios.items():
        if isinstance(radio, str):
            radio = {"Transport": radio}
        elif not isinstance(radio, dict):
            radio = {"Transport": radio.transport}
        text += f"[Radio {name}]\n" + "".join(f"{key}={value}\n" for key, value in radio.items()) + "\n"
    return text


class Bed:
    """A directory, the programs in it, and their end."""

    def __init__(self):
        # short: the path of a socket has at most 107 bytes
        self.directory = tempfile.mkdtemp(prefix="meshcored-")
        self.state_dir = os.path.join(self.directory, "state")
        self.config = os.path.join(self.directory, "meshcored.conf")
        self.bus = None
        self.daemon = None
        self.programs = []

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self.close()

    def _add(self, program):
        self.programs.append(program)
        return program

    def start_bus(self):
        self.bus = self._add(Bus(self.directory))
        return self.bus

    def start_sim(self, name="meshcore-sim", port=0, arguments=(), pty=None, ble=None):
        """In the quiet mesh of the tests, unless the arguments name another; None for the mesh that is built in."""
        if arguments is None:
            arguments = ()
        elif not {"--scenario", "--replay"}.intersection(arguments):
            arguments = (*QUIET, *arguments)
        return self._add(Sim(self.directory, name, port, arguments, pty, ble))

    def write_config(self, radios):
        text = radios if isinstance(radios, str) else config_text(radios)
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(text)

    def start_daemon(self, radios=None, arguments=(), through=()):
        """radios as for config_text(); None keeps the file of before. through: a command
        that executes the daemon given to it."""
        if self.bus is None:
            self.start_bus()
        if radios is not None:
            self.write_config(radios)
        self.daemon = self._add(
            Daemon(self.directory, self.bus, self.config, self.state_dir, arguments=arguments, through=through)
        )
        return self.daemon

    def environment(self):
        """For a client that looks for the session bus."""
        env = dict(os.environ)
        env["DBUS_SESSION_BUS_ADDRESS"] = self.bus.address
        # whose aliases are not ours
        env["XDG_CONFIG_HOME"] = os.path.join(self.directory, "config")
        return env

    def run(self, program, *arguments, timeout=TIMEOUT, check=True, text=None):
        """A client program to its end, with text as its input; returns CompletedProcess with text."""
        argv = [find_program(program) if program.startswith("meshcore") else program, *arguments]
        result = subprocess.run(
            argv,
            env=self.environment(),
            input=text,
            stdin=subprocess.DEVNULL if text is None else None,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if check and result.returncode != 0:
            raise Failure(f"{argv} ended with {result.returncode}\n{result.stdout}\n{result.stderr}")
        return result

    def ctl(self, *arguments, **options):
        return self.run("meshcorectl", "--session", *arguments, **options)

    def stop(self):
        """Ends all programs, the youngest first. Returns what went wrong."""
        wrong = []
        for program in reversed(self.programs):
            if program.running():
                try:
                    status, _ = program.terminate(TIMEOUT)
                except Failure as failure:
                    wrong.append(str(failure))
                    program.kill()
                    continue
                if isinstance(program, (Daemon, Sim)) and status not in (0, -signal.SIGTERM):
                    wrong.append(f"{program.name} ended with {status}; its log:\n{program.log()}")
        for path in {program.log_path for program in self.programs}:
            with open(path, "rb") as file:
                log = file.read().decode("utf-8", "replace")
            if re.search(r"AddressSanitizer|LeakSanitizer|runtime error:|g_log|-CRITICAL \*\*|-WARNING \*\*", log):
                wrong.append(f"{os.path.basename(path)}:\n{log}")
        self.programs = []
        return wrong

    def close(self):
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)
