# SPDX-License-Identifier: GPL-3.0-or-later
"""What a case of the lab is given: a guest that has our build installed.

    def case_something(lab):
        lab.configure({"hut": "tcp://127.0.0.1:5000"})
        lab.start_daemon()
        with lab.expect("hut", "ready") as ready:
            lab.run("systemctl --no-block start something")
        lab.note(f"ready after {ready.seconds:.2f} s")
"""

import contextlib
import os
import shlex
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "integration"))

from guest import Guest, LabError  # noqa: E402,F401  pylint: disable=wrong-import-position
from programs import Program, config_text  # noqa: E402  pylint: disable=wrong-import-position

# What the start of wait-state takes at most in a guest that has two cores to itself, without KVM.
ARMING_SECONDS = 2.0
KERNEL_COMPLAINTS = r"kernel BUG|general protection fault|Oops|list_del corruption|Call Trace|segfault"


def write_command(path, text):
    """For the shell: a file in the guest."""
    return f"mkdir -p {shlex.quote(os.path.dirname(path))} && printf %s {shlex.quote(text)} >{shlex.quote(path)}"


def configure_command(radios):
    """For the shell; radios as for config_text() of the integration tests, or the text of the file."""
    return write_command("/etc/meshcored/meshcored.conf", radios if isinstance(radios, str) else config_text(radios))


class Skip(Exception):
    """Not possible here; the reason."""


class TooSlow(LabError):
    """The guest did not boot, or not in time: the machine has other things to do."""


class Expectation:
    """A state that is waited for; in seconds how long it took from when it was armed."""

    def __init__(self, command):
        self._command = command
        self._start = time.monotonic()
        self.arming = None  # how long it took until it listened: the same work each time
        self.seconds = None
        self.changes = []  # [path, state, reason], in order, of all radios that were meant

    def armed(self):
        while (line := self._command.line()) != "armed":
            if line is None:
                raise LabError("wait-state did not start")
        self.arming = time.monotonic() - self._start
        self._start = time.monotonic()

    def check(self, limit):
        """Fails when it took longer. The limit is for a guest that has two cores to itself; where the machine
        is busy with other things, the work before it took longer, too."""
        limit *= max(1.0, self.arming / ARMING_SECONDS)
        if self.seconds > limit:
            raise LabError(f"it took {self.seconds:.2f} s, {limit:.2f} s are allowed (armed in {self.arming:.2f} s)")

    def wait(self):
        while (line := self._command.line()) is not None:
            self.seconds = time.monotonic() - self._start
            self.changes.append(line.split(" "))
        if self._command.status != 0:
            raise LabError(f"the state did not come; there was {self.changes}")

    @property
    def path(self):
        """The radio that got there."""
        return self.changes[-1][0]


class Lab(Guest):
    def __init__(self, image, build, state, accel):
        super().__init__(image, os.path.join(state, "vm"), os.path.join(state, "share"), accel)
        self.build = build
        self.boot_limit = None  # seconds
        self.boot_seconds = self.install_seconds = 0
        self.notes = []
        self._cables = {}
        self._programs = []
        self._at_end = []
        self._running = False

    # -- the whole ---------------------------------------------------------

    def set_up(self):
        """Our build into a directory that the guest sees, and from there to where it belongs."""
        root = os.path.join(self.share, "root")
        shutil.rmtree(root, ignore_errors=True)
        os.makedirs(root)
        os.makedirs(self.state, exist_ok=True)
        shutil.copytree(os.path.join(HERE, "tools"), os.path.join(self.share, "tools"), dirs_exist_ok=True)
        result = subprocess.run(
            ["meson", "install", "-C", self.build, "--no-rebuild", "--quiet", "--strip"],
            env=dict(os.environ, DESTDIR=root), capture_output=True, text=True, check=False,
        )  # fmt: skip
        if result.returncode != 0:
            raise LabError(f"cannot install:\n{result.stdout}{result.stderr}")
        if not os.path.exists(os.path.join(root, "usr", "bin", "meshcored")):
            raise LabError("the lab needs a build with --prefix=/usr")

        start = time.monotonic()
        try:
            self.start()
        except LabError as error:
            raise TooSlow(str(error)) from error
        self._running = True
        self.boot_seconds = time.monotonic() - start
        if self.boot_limit is not None and self.boot_seconds > self.boot_limit:
            raise TooSlow(f"the guest was ready after {self.boot_seconds:.0f} s")
        start = time.monotonic()
        # The name of bluetoothd's adapters comes from another service, at some time later: what is compared is ours.
        self.run(
            "set -e; "
            + write_command("/etc/systemd/system/bluetooth.service.d/lab.conf",
                            "[Service]\nExecStart=\nExecStart=/usr/libexec/bluetooth/bluetoothd --noplugin=hostname,sap\n")
            # as a package would
            + "; tar -C /lab/root -c . | tar -x -C / --no-same-owner --keep-directory-symlink; systemd-sysusers; systemctl daemon-reload; "
            "udevadm control --reload; busctl --quiet call org.freedesktop.DBus /org/freedesktop/DBus "
            "org.freedesktop.DBus ReloadConfig",
            timeout=180,
        )  # fmt: skip
        self.install_seconds = time.monotonic() - start

    def close(self):
        self._stop_programs()
        if self._running:
            self._running = False
            self.stop()

    def revive(self):
        """After a failure: a guest that does not answer any more is replaced by a new one."""
        with contextlib.suppress(OSError, LabError, ValueError):
            self.run("true", timeout=20)
            return
        self.close()
        self._cables, self._at_end = {}, []
        self.set_up()

    def begin_case(self):
        self.notes = []
        self.run("dmesg --clear; journalctl --rotate --quiet; journalctl --vacuum-time=1s --quiet || :")

    def end_case(self):
        """Everything as it was before; a crash of anything in the guest is a failure."""
        crashed = self._clean_up()
        if crashed:
            raise LabError("the kernel complains:\n" + crashed)

    def _clean_up(self):
        """Returns the complaints of the kernel."""
        ends, self._at_end = reversed(self._at_end), []
        crashed = self.run(
            f"dmesg | grep -B 8 -A 12 -E {shlex.quote(KERNEL_COMPLAINTS)}; exec >/dev/null 2>&1; "
            + "".join(f"( {command} ); " for command in ends) + "systemctl stop meshcored.service; systemctl reset-failed meshcored.service 2>/dev/null; "
            "rm -rf /var/lib/meshcored/* /etc/meshcored/meshcored.conf.d/*; d=/run/systemd/system/meshcored.service.d; "
            # these take seconds, and are seldom needed
            "[ ! -e $d ] || { rm -rf $d; systemctl daemon-reload; }; "
            "[ -z \"$(ls /run/udev/rules.d 2>/dev/null)\" ] || { rm -rf /run/udev/rules.d/*; udevadm control --reload; }; "
            "cp /lab/root/etc/meshcored/meshcored.conf /etc/meshcored/meshcored.conf",
            timeout=180, check=False,
        )  # fmt: skip
        for name, plugged in list(self._cables.items()):
            if plugged:
                self.pull(name)
        self._stop_programs()
        for name in self._cables:
            self.remove_cable(name)
        self._cables = {}
        return crashed

    def at_end(self, command):
        """Run in the guest after the case, however it ends; the last one first."""
        self._at_end.append(command)

    def story(self):
        """For a failure: what happened in the guest. Cleans up, too."""
        text = ""
        with contextlib.suppress(OSError, LabError, ConnectionError):
            text = self.run("journalctl --no-pager --quiet -o short-monotonic | tail -n 80", check=False)
        for program in self._programs:
            text += f"--- {program.name}\n{program.log()[-2000:]}\n"
        with contextlib.suppress(OSError, LabError, ConnectionError):
            self._clean_up()
        return text

    def note(self, text):
        """For who reads the results."""
        self.notes.append(text)

    # -- the daemon in the guest ---------------------------------------------

    def write(self, path, text):
        """A file in the guest."""
        self.run(write_command(path, text))

    def configure(self, radios):
        self.run(configure_command(radios))

    def start_daemon(self):
        self.run("systemctl start meshcored.service")

    def get(self, path, interface, name):
        """A property, as busctl writes it."""
        command = f"busctl get-property org.meshcored1 {path} org.meshcored1.{interface} {name}"
        return self.run(command).strip()

    @contextlib.contextmanager
    def expect(self, radio, state, reason=None, timeout=60, run=None):
        """What is in the block, or the command to run in the guest, makes the radio change into this state;
        no other command runs in the guest meanwhile."""
        words = ["/lab/tools/wait-state", "--timeout", str(timeout)]
        words += ["--run", run] if run else []
        words += [radio, state] + ([reason] if reason else [])
        expectation = Expectation(self.begin(shlex.join(words), timeout + 30))
        expectation.armed()
        yield expectation
        expectation.wait()

    def wait_state(self, radio, state, reason=None, timeout=60, run=None):
        with self.expect(radio, state, reason, timeout, run) as expectation:
            pass
        return expectation

    # -- radios ----------------------------------------------------------------

    def start_program(self, name, argv):
        """On the host."""
        program = Program(name, argv, self.state)
        self._programs.append(program)
        return program

    def _stop_programs(self):
        for program in reversed(self._programs):
            program.terminate()
        self._programs = []

    def make_radio(self, name, *arguments):
        """A simulated radio with a USB serial adapter, not plugged in."""
        path = self.add_cable(name)
        self._cables[name] = False
        sim = os.path.join(self.build, "src", "sim", "meshcore-sim")
        self.start_program(name, [sim, "--serial", path, *arguments]).read_line()

    def plug_in(self, name, port=None):
        self.plug(name, serial="MESH" + name.upper(), port=port)
        self._cables[name] = True

    def pull(self, name):
        self.unplug(name)
        self._cables[name] = False
