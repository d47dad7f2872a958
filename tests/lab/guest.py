# SPDX-License-Identifier: GPL-3.0-or-later
"""A guest of the lab: starts it, runs commands in it, plugs things into it.

Only the Python standard library and qemu-system-x86 are needed. All waits are
for an answer or an event, and have a limit.
"""

import contextlib
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time


class LabError(Exception):
    """The guest or its machine did not do what they were told."""


class Line:
    """A unix stream socket read by lines and by counts."""

    def __init__(self, path, timeout):
        self.socket = socket.socket(socket.AF_UNIX)
        end = time.monotonic() + timeout
        while True:
            try:
                self.socket.connect(path)
                break
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.02)
        self._buffer = b""

    def _more(self, timeout):
        self.socket.settimeout(max(0.01, timeout))
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionError("the guest went away")
        self._buffer += data

    def line(self, timeout):
        end = time.monotonic() + timeout
        while b"\n" not in self._buffer:
            self._more(end - time.monotonic())
        line, self._buffer = self._buffer.split(b"\n", 1)
        return line.decode()

    def count(self, n, timeout):
        while len(self._buffer) < n:
            self._more(timeout)
        data, self._buffer = self._buffer[:n], self._buffer[n:]
        return data

    def send(self, value):
        self.socket.sendall(json.dumps(value).encode() + b"\n")

    def close(self):
        self.socket.close()


class Machine:
    """qemu's control socket. Events are kept until somebody waits for them."""

    def __init__(self, path):
        self._line = Line(path, 5)
        self._line.line(5)
        self._events = []
        self.execute("qmp_capabilities")

    def _read(self, timeout):
        message = json.loads(self._line.line(timeout))
        if "event" in message:
            self._events.append(message)
        return message

    def execute(self, command, **arguments):
        self._line.send({"execute": command, "arguments": arguments})
        while True:
            answer = self._read(30)
            if "return" in answer:
                return answer["return"]
            if "error" in answer:
                raise LabError(f"{command}: {answer['error']['desc']}")

    def wait_event(self, name, where, timeout=30):
        """The first event of this name for whose data where() is true; it and all before it are forgotten."""
        end = time.monotonic() + timeout
        while True:
            for i, event in enumerate(self._events):
                if event["event"] == name and where(event.get("data", {})):
                    del self._events[: i + 1]
                    return event
            self._read(end - time.monotonic())

    def close(self):
        self._line.close()


def kvm_works(image):
    """Whether /dev/kvm can really run a guest (it may exist and be useless)."""
    try:
        os.close(os.open("/dev/kvm", os.O_RDWR))
    except OSError:
        return False
    argv = ["qemu-system-x86_64", "-accel", "kvm", "-M", "q35", "-m", "256", "-cpu", "host",
            "-nodefaults", "-display", "none", "-no-reboot", "-serial", "stdio",
            "-kernel", image + "/vmlinuz", "-append", "console=ttyS0 earlyprintk=ttyS0 panic=-1"]  # fmt: skip
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        out, _ = process.communicate(timeout=10)
        return b"Linux version" in out
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return False


class Guest:
    """state is a directory for sockets and logs, one for each guest; share becomes /lab."""

    def __init__(self, image, state, share=".", accel="auto"):
        self.image = os.path.abspath(image)
        self.state = os.path.abspath(state)
        self.share = os.path.abspath(share)
        self.accel = accel
        self._process = None
        self._agent = None
        self._machine = None
        self.times = None  # a list: (seconds, command) of each goes into it

    def path(self, name):
        return os.path.join(self.state, name)

    # -- life ------------------------------------------------------------

    def _argv(self, accel, cpus, mem, append, watchdog, more):
        argv = ["qemu-system-x86_64",
                "-accel", "kvm" if accel == "kvm" else "tcg,thread=multi,tb-size=512",
                "-cpu", "host" if accel == "kvm" else "max",
                "-M", "q35", "-smp", str(cpus), "-m", str(mem),
                "-nodefaults", "-display", "none", "-no-user-config",
                "-kernel", self.image + "/vmlinuz", "-initrd", self.image + "/initrd",
                # an emulated processor may be left without time for long: no alarm of the kernel about that
                "-append", "console=ttyS0 quiet panic=-1 mitigations=off random.trust_cpu=on nowatchdog "
                           "rcupdate.rcu_cpu_stall_suppress=1 workqueue.watchdog_thresh=0 "
                           "systemd.show_status=error net.ifnames=0 " + append,
                "-serial", "file:" + self.path("console.log"),
                "-qmp", f"unix:{self.path('qmp.sock')},server=on,wait=off",
                "-drive", f"file={self.image}/root.img,format=raw,if=virtio,snapshot=on",
                "-device", "virtio-rng-pci",
                "-device", "virtio-serial-pci",
                "-chardev", f"socket,id=agent,path={self.path('agent.sock')},server=on,wait=off",
                "-device", "virtserialport,chardev=agent,name=lab.agent",
                "-device", "qemu-xhci,id=usb",
                "-fsdev", f"local,id=lab,path={self.share},security_model=none,multidevs=remap",
                "-device", "virtio-9p-pci,fsdev=lab,mount_tag=lab"]  # fmt: skip
        if watchdog:
            argv += ["-device", "i6300esb", "-watchdog-action", "reset"]
        return argv + shlex.split(more)

    def start(self, cpus=2, mem=768, append="", watchdog=False, more="", timeout=120):
        """Boots; returns the accelerator used and the guest's uptime when it was ready."""
        os.makedirs(self.state, exist_ok=True)
        for name in os.listdir(self.state):
            if name.endswith(".sock"):
                os.unlink(self.path(name))
        accel = self.accel
        if accel == "auto":
            accel = "kvm" if kvm_works(self.image) else "tcg"
        argv = self._argv(accel, cpus, mem, append, watchdog, more)
        with open(self.path("qemu.log"), "wb") as log:
            self._process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        with open(self.path("pid"), "w", encoding="ascii") as file:
            file.write(str(self._process.pid))
        try:
            uptime = self.wait_ready(timeout)
        except (OSError, ValueError) as error:
            story = f"no answer from the guest ({error!r})\n{self.logs()}"
            self.stop()
            raise LabError(story) from error
        return accel, uptime

    def logs(self):
        story = ""
        for name in ("qemu.log", "console.log"):
            with contextlib.suppress(OSError):
                with open(self.path(name), encoding="utf-8", errors="replace") as log:
                    story += log.read()[-4000:]
        return story

    def _get_agent(self):
        if self._agent is None:
            self._agent = Line(self.path("agent.sock"), 5)
        return self._agent

    def wait_ready(self, timeout=120):
        while True:
            words = self._get_agent().line(timeout).split()
            if words and words[0] == "R":
                return float(words[1])

    def reboot(self, timeout=120):
        self._get_agent().send({"cmd": "systemctl reboot"})
        return self.wait_ready(timeout)

    def stop(self):
        """Switches the machine off at once."""
        with contextlib.suppress(OSError, LabError, ValueError):
            self.machine().execute("quit")
        for connection in (self._agent, self._machine):
            if connection is not None:
                connection.close()
        self._agent = self._machine = None
        with open(self.path("pid"), encoding="ascii") as file:
            pid = int(file.read())
        for _ in range(100):
            try:
                if self._process is not None:
                    if self._process.poll() is not None:
                        return
                else:
                    os.kill(pid, 0)
            except ProcessLookupError:
                return
            time.sleep(0.05)
        os.kill(pid, signal.SIGKILL)

    # -- commands --------------------------------------------------------

    def begin(self, command, timeout=60):
        """Starts a shell command; one at a time."""
        return Command(self._get_agent(), command, timeout)

    def execute(self, command, timeout=300, out=None):
        """Runs a command to its end, its output to out as it comes; returns its status."""
        running = self.begin(command, timeout)
        for piece in running.output():
            (out or sys.stdout.buffer).write(piece)
            (out or sys.stdout.buffer).flush()
        return running.status

    def run(self, command, timeout=60, check=True):
        """Runs a command; returns its output, standard error included. A status but 0 is an error."""
        start = time.monotonic()
        running = self.begin(command, timeout)
        text = b"".join(running.output()).decode("utf-8", "replace")
        if self.times is not None:
            self.times.append((time.monotonic() - start, command))
        if check and running.status != 0:
            raise LabError(f"{command!r} ended with {running.status} in the guest:\n{text}")
        return text

    # -- the machine -------------------------------------------------------

    def machine(self):
        if self._machine is None:
            self._machine = Machine(self.path("qmp.sock"))
        return self._machine

    def add_cable(self, name):
        """The far end of a serial adapter that may be plugged in; returns the path of its socket."""
        path = self.path(name + ".sock")
        self.machine().execute(
            "chardev-add", id="c-" + name,
            backend={"type": "socket", "data": {
                "addr": {"type": "unix", "data": {"path": path}}, "server": True, "wait": False}},
        )  # fmt: skip
        return path

    def remove_cable(self, name):
        self.machine().execute("chardev-remove", id="c-" + name)

    def plug(self, name, serial="0001", port=None):
        """The adapter (an FTDI, 0403:6001) at the end of the cable goes into a USB socket, 1 to 4."""
        arguments = {"port": str(port)} if port else {}
        self.machine().execute(
            "device_add", driver="usb-serial", id=name, chardev="c-" + name, bus="usb.0", serial=serial,
            **{"always-plugged": True}, **arguments,
        )  # fmt: skip

    def unplug(self, name):
        self.machine().execute("device_del", id=name)
        self.machine().wait_event("DEVICE_DELETED", lambda data: data.get("device") == name)


class Command:
    """A command in the guest while it runs."""

    def __init__(self, agent, command, timeout):
        self._agent = agent
        self._timeout = timeout
        self._text = b""
        self.status = None
        agent.send({"cmd": command, "timeout": timeout})

    def _piece(self, timeout):
        """More output, or None at the end."""
        kind, argument = self._agent.line(timeout).split()
        if kind == "O":
            return self._agent.count(int(argument), 60)
        self.status = int(argument)
        return None

    def output(self):
        """Pieces of output, to the end."""
        if self._text:
            yield self._text
            self._text = b""
        while self.status is None:
            piece = self._piece(self._timeout + 60)
            if piece:
                yield piece

    def line(self, timeout=60):
        """The next line of output; None at the end."""
        end = time.monotonic() + timeout
        while b"\n" not in self._text and self.status is None:
            self._text += self._piece(end - time.monotonic()) or b""
        if not self._text:
            return None
        line, _, self._text = self._text.partition(b"\n")
        return line.decode("utf-8", "replace")
