# SPDX-License-Identifier: GPL-3.0-or-later
"""What systemd does with the service: activation, credentials, watchdog, log level, reload, a full disk."""

import contextlib
import json
import re
import shlex

import labcase

# cheap, and the same on a busy machine
CORE = ("bus_activation", "credentials", "reload")
UNIT = "meshcored.service"
DROPIN = "/run/systemd/system/meshcored.service.d/lab.conf"


@contextlib.contextmanager
def simulator(lab, *names):
    """Radios in the guest, from port 5001 on."""
    try:
        for i, name in enumerate(names):
            # the first with the built-in mesh; two radios must not have the same key
            lab.write(f"/run/sim-{name}.conf", f"[Radio]\nName={name}\nSeed={name}\n")
            scenario = f"--scenario /run/sim-{name}.conf" if i > 0 else ""
            lab.run(f"systemd-run --quiet --collect --unit=sim-{name} meshcore-sim --tcp 127.0.0.1:{5001 + i} {scenario} "
                    f"--control /run/sim-{name}.socket")  # fmt: skip
        yield
    finally:
        lab.run("systemctl stop 'sim-*.service'", check=False)


def control(lab, radio, /, **command):
    """A verb of the simulator's control socket."""
    script = ("import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); "
              "s.sendall(sys.argv[2].encode() + b'\\n'); print(s.recv(65536).decode())")  # fmt: skip
    answer = lab.run(f"python3 -c {shlex.quote(script)} /run/sim-{radio}.socket {shlex.quote(json.dumps(command))}")
    assert json.loads(answer)["ok"], answer


def show(lab, name, unit=UNIT):
    return lab.run(f"systemctl show -P {name} {unit}").strip()


def drop_in(lab, text):
    lab.write(DROPIN, text)
    lab.run("systemctl daemon-reload")


def case_boot_to_ready(lab):
    """Enabled, it is started by systemd at boot, as its own user; active when the name is there, and the radio is ready
    soon after."""
    lab.write("/etc/systemd/system/lab-radio.service",
              "[Service]\nExecStart=/usr/bin/meshcore-sim --tcp 127.0.0.1:5001\n[Install]\nWantedBy=multi-user.target\n")
    lab.configure({"a": "tcp://127.0.0.1:5001"})
    lab.run(f"systemctl enable --quiet {UNIT} lab-radio.service")
    try:
        lab.reboot()
        lab.wait_state("a", "ready")
        start, active = int(show(lab, "InactiveExitTimestampMonotonic")), int(show(lab, "ActiveEnterTimestampMonotonic"))
        entry = lab.run("journalctl --no-pager -b -o json MESSAGE_ID=9e2ce5c985314b0cac626d927b0a513b | head -n 1")
        ready = int(json.loads(entry)["__MONOTONIC_TIMESTAMP"])
        assert 0 < start < active and start < ready
        lab.note(f"active {(active - start) / 1e3:.0f} ms after the start of the unit, {active / 1e6:.1f} s after power on; "
                 f"the radio is ready {(ready - start) / 1e3:.0f} ms after the start of the unit")
        assert lab.run(f"ps -o user= -p {show(lab, 'MainPID')}").strip() == "meshcored"
        assert "0.1" in lab.get("/org/meshcored1", "Manager", "Version")
        assert lab.run("stat -c '%U %a' /var/lib/meshcored").split() == ["meshcored", "700"]
        assert lab.run("systemctl is-system-running --wait").strip() == "running"
    finally:
        lab.run(f"systemctl disable --quiet --now {UNIT} lab-radio.service; rm /etc/systemd/system/lab-radio.service",
                check=False)  # fmt: skip


def case_bus_activation(lab):
    """The first call starts it, and is answered."""
    assert show(lab, "ActiveState") == "inactive"
    version = lab.run(
        "busctl get-property org.meshcored1 /org/meshcored1 org.meshcored1.Manager Version"
    )
    assert version.startswith('s "'), version
    assert show(lab, "ActiveState") == "active"


def case_sandbox(lab):
    """Inside the unit's walls: the threads that read a store through after an unclean stop, the clock's state, and
    nothing that the kernel or the filter had to refuse."""
    with simulator(lab, "a"):
        lab.configure({"a": "tcp://127.0.0.1:5001"})
        lab.start_daemon()
        lab.wait_state("a", "ready")
        lab.run(f"systemctl kill --signal=KILL --kill-whom=main {UNIT}; "
                f"while [ $(systemctl show -P NRestarts {UNIT}) = 0 ]; do sleep 0.1; done")  # fmt: skip
        lab.wait_state("a", "ready")
        journal = lab.run(f"journalctl --no-pager -u {UNIT} -o cat")
        for word in ("Operation not permitted", "Cannot"):
            assert word not in journal, journal
    pid = show(lab, "MainPID")
    status = lab.run(f"cat /proc/{pid}/status")
    assert re.search(r"^Seccomp:\s+2$", status, re.M) and re.search(r"^NoNewPrivs:\s+1$", status, re.M), status
    assert re.search(r"^CapBnd:\s+0+$", status, re.M), status
    # the files of others, and devices that are no serial ports
    enter = f"nsenter --mount --target {pid} "
    assert "Read-only" in lab.run(enter + "touch /etc/x 2>&1 || :")
    assert lab.run(enter + "ls -A /home /root").split() == ["/home:", "/root:"]


def case_credentials(lab):
    """A credential that is there is handed over, one that is not is no error."""
    lab.start_daemon()
    assert show(lab, "ActiveState") == "active"
    lab.run(f"systemctl stop {UNIT}; mkdir -m 700 -p /etc/credstore; "
            "(umask 077; printf 123456 >/etc/credstore/meshcored.pin)")  # fmt: skip
    try:
        lab.start_daemon()
        pid = show(lab, "MainPID")
        path = "/run/credentials/meshcored.service/meshcored.pin"
        assert lab.run(f"nsenter --mount --target {pid} cat {path}") == "123456"
        assert lab.run(f"tr '\\0' '\\n' </proc/{pid}/environ | grep CREDENTIALS_DIRECTORY").strip().endswith(
            "/run/credentials/meshcored.service")  # fmt: skip
        assert "123456" not in lab.run(f"cat /proc/{pid}/cmdline; journalctl --no-pager -u {UNIT}")
        # nobody else reads it
        assert "ermission denied" in lab.run(f"setpriv --reuid=nobody --clear-groups cat {path} 2>&1 || :")
    finally:
        lab.run("rm -f /etc/credstore/meshcored.pin")


def case_watchdog(lab):
    """A daemon that hangs is killed and started again, and the radio comes back."""
    with simulator(lab, "a"):
        lab.configure({"a": "tcp://127.0.0.1:5001"})
        drop_in(lab, "[Service]\nWatchdogSec=2\nRestartSec=100ms\n")
        lab.start_daemon()
        lab.wait_state("a", "ready")
        first = show(lab, "MainPID")
        # served: it lives on for longer than the limit
        lab.run("sleep 5")
        assert show(lab, "MainPID") == first
        lab.run(f"kill -STOP {first}; while [ $(systemctl show -P NRestarts {UNIT}) = 0 ]; do sleep 0.1; done")
        lab.run(f"until systemctl --quiet is-active {UNIT}; do sleep 0.1; done")
        assert show(lab, "MainPID") not in (first, "0")
        lab.wait_state("a", "ready")
        assert "Watchdog timeout" in lab.run(f"journalctl --no-pager -u {UNIT}")


def case_restart_policy(lab):
    """A crash is followed by a start, a wrong configuration file on the command line is not."""
    lab.start_daemon()
    first = show(lab, "MainPID")
    lab.run(f"kill -SEGV {first}; while [ $(systemctl show -P NRestarts {UNIT}) = 0 ]; do sleep 0.1; done; "
            f"until systemctl --quiet is-active {UNIT}; do sleep 0.1; done")  # fmt: skip
    lab.run(f"systemctl stop {UNIT}; systemctl reset-failed {UNIT} 2>/dev/null || :")
    drop_in(lab, "[Service]\nExecStart=\nExecStart=/usr/bin/meshcored --config /nowhere.conf\n")
    lab.run(f"systemctl start {UNIT}", check=False)
    assert (show(lab, "ActiveState"), show(lab, "ExecMainStatus"), show(lab, "NRestarts")) == ("failed", "2", "0")


def case_log_level(lab):
    """systemctl changes it while the daemon runs, and the journal has fields and the catalogue's words."""
    with simulator(lab, "a"):
        lab.configure({"a": "tcp://127.0.0.1:5001"})
        lab.start_daemon()
        lab.wait_state("a", "ready")
        assert lab.run(f"systemctl service-log-level {UNIT}").strip() == "info"
        lab.run(f"systemctl service-log-level {UNIT} debug")
        assert lab.run(f"systemctl service-log-level {UNIT}").strip() == "debug"
        assert lab.run(f"systemctl service-log-target {UNIT}").strip() == "journal"
        lab.run("meshcorectl stop a; meshcorectl start a")
        lab.wait_state("a", "ready")
        assert lab.run(f"journalctl --no-pager -p 7..7 -u {UNIT} MESHCORED_RADIO=a").count("\n") > 1
        lab.run("journalctl --update-catalog")
        ready = lab.run("journalctl --no-pager -x MESSAGE_ID=9e2ce5c985314b0cac626d927b0a513b")
        assert "Subject: MeshCore radio a is ready" in ready, ready
        # what is about a contact has the beginning of its key
        key = lab.run("meshcorectl --json contacts | python3 -c 'import json, sys; "
                      "print(next(c[\"Key\"] for c in json.load(sys.stdin) if c[\"Name\"] == \"Anna\"))'").strip()
        control(lab, "a", cmd="remove-contact", name="Anna")
        lab.run("meshcorectl send Anna 'nobody is there' || :")
        about = f"journalctl --no-pager -o cat -u {UNIT} MESHCORED_PEER={key[:16]} MESHCORED_TOPIC=messages"
        lab.run(f"until {about} | grep -q 'message [0-9]* failed'; do sleep 0.1; done")
        lab.write("/etc/meshcored/meshcored.conf.d/wrong.conf", "[Radio a]\nTransprot=serial:auto\n")
        lab.run(f"systemctl reload {UNIT}; "
                "until journalctl --no-pager -x MESSAGE_ID=c82102807dec4e13aa27450574d82be8 | "
                "grep -q 'Subject: Something is wrong in the configuration'; do sleep 0.1; done")  # fmt: skip


def case_reload(lab):
    """Only what changed is touched: the other radio's connection stays."""
    with simulator(lab, "a", "b"):
        lab.configure({"a": "tcp://127.0.0.1:5001", "b": "tcp://127.0.0.1:5002"})
        lab.start_daemon()
        lab.wait_state("a", "ready")
        lab.wait_state("b", "ready")
        pid = show(lab, "MainPID")
        lab.write("/etc/meshcored/meshcored.conf.d/b.conf", "[Radio b]\nPollIntervalSec=60\n")
        lab.run(f"systemctl reload {UNIT}")
        lab.run("until [ $(journalctl --no-pager -o cat -u meshcored | grep -c 'b: ready') = 2 ]; do sleep 0.1; done")
        lab.wait_state("b", "ready")
        assert show(lab, "MainPID") == pid
        lines = lab.run(f"journalctl --no-pager -o cat -u {UNIT}")
        assert lines.count("a: ready") == 1 and lines.count("b: ready") == 2, lines


def case_disk_full(lab):
    """A full state directory stops the fetching, says so, and nothing is lost: it goes on by itself when there is room.
    Full at the start, too."""
    with simulator(lab, "a"):
        lab.configure({"a": "tcp://127.0.0.1:5001"})
        lab.run("mkdir -p /var/lib/meshcored && mount -t tmpfs -o size=8m,mode=700,uid=meshcored tmpfs /var/lib/meshcored")
        try:
            lab.start_daemon()
            lab.wait_state("a", "ready")
            lab.run("head -c 16m /dev/zero >/var/lib/meshcored/ballast 2>/dev/null || :")
            control(lab, "a", cmd="text", **{"from": "Anna", "text": "written to a full disk"})
            lab.wait_state("a", "syncing", "storage-full")
            event = lab.run("journalctl --no-pager -o cat MESSAGE_ID=ac8a607ca8a84de58dde3b7717091559")
            assert "make room" in event, event
            lab.run("rm /var/lib/meshcored/ballast")
            lab.wait_state("a", "ready")
            assert lab.run("meshcorectl --json messages").count("written to a full disk") == 1

            lab.run(f"systemctl stop {UNIT}; head -c 16m /dev/zero >/var/lib/meshcored/ballast 2>/dev/null || :")
            lab.run(f"systemctl start {UNIT}", check=False)
            lab.run(f"while [ $(systemctl show -P NRestarts {UNIT}) -lt 6 ]; do sleep 0.2; done; "
                    "rm /var/lib/meshcored/ballast")  # fmt: skip
            lab.run(f"until systemctl --quiet is-active {UNIT}; do sleep 0.2; done")
            lab.wait_state("a", "ready")
        finally:
            lab.run(f"systemctl stop {UNIT}; umount /var/lib/meshcored", check=False)


def case_user_unit(lab):
    """The unit of the session bus, started by the manager of a user who has no rights on the system's."""
    if "dbus.socket" not in lab.run("ls /usr/lib/systemd/user"):
        raise labcase.Skip("this image has no session bus")
    lab.run("useradd -m person; id -nG person")
    uid = lab.run("id -u person").strip()

    def person(command, **options):
        return lab.run(f"setpriv --reuid=person --regid=person --init-groups env -i HOME=/home/person PATH=/usr/bin "
                       f"XDG_RUNTIME_DIR=/run/user/{uid} sh -c {shlex.quote(command)}", **options)  # fmt: skip

    try:
        lab.run(f"systemctl start user@{uid}.service")
        with simulator(lab, "a"):
            text = person("systemd-analyze verify --user --man=no /usr/lib/systemd/user/meshcored.service 2>&1")
            assert "meshcored" not in text, text
            person("mkdir -p ~/.config/meshcored && printf '[Radio a]\nTransport=tcp://127.0.0.1:5001\n' "
                   ">~/.config/meshcored/meshcored.conf && systemctl --user start meshcored")  # fmt: skip
            assert person("systemctl --user is-active meshcored").strip() == "active"
            person("until meshcorectl --session status | grep -q ready; do sleep 0.1; done")
            assert person("stat -c '%U %a' ~/.local/state/meshcored").split() == ["person", "700"]
            # it is the session's: the system bus does not know it
            assert "false" in lab.run("busctl call org.freedesktop.DBus /org/freedesktop/DBus org.freedesktop.DBus "
                                      "NameHasOwner s org.meshcored1")  # fmt: skip
            pid = person("systemctl --user show -P MainPID meshcored")
            person("printf 'PollIntervalSec=60\n' >>~/.config/meshcored/meshcored.conf && "
                   "systemctl --user reload meshcored")  # fmt: skip
            lab.run("until journalctl --no-pager -o cat _UID=%s | grep -c 'a: ready' | grep -qx 2; do sleep 0.1; done" % uid)
            assert person("systemctl --user show -P MainPID meshcored") == pid
            person("systemctl --user kill --signal=KILL meshcored; "
                   "until [ $(systemctl --user show -P NRestarts meshcored) = 1 ]; do sleep 0.1; done; "
                   "until meshcorectl --session status | grep -q ready; do sleep 0.1; done")  # fmt: skip
            person("systemctl --user stop meshcored")
            assert person("systemctl --user show -P Result meshcored").strip() == "success"
    finally:
        lab.run(f"systemctl stop user@{uid}.service; userdel -r person 2>/dev/null", check=False)


def case_units(lab):
    """systemd has nothing to say against any unit, and little is left open."""
    units = "meshcored.service meshcore-bond@x.service"
    text = lab.run(f"systemd-analyze verify --man=no {units} 2>&1")
    assert "mesh" not in text, text
    for unit in units.split():
        exposure = lab.run(f"systemd-analyze security --no-pager {unit} | tail -n 1")
        lab.note(exposure.strip())
        assert float(re.search(r": ([0-9.]+)", exposure).group(1)) <= 2.0


def suspend(lab):
    """As "systemctl suspend" on any machine, but that the kernel puts nothing to sleep except processes, for five
    seconds: the devices of the emulated machine do not come back."""
    lab.run("mkdir -p /run/systemd/sleep.conf.d && printf '[Sleep]\nSuspendState=freeze\n' "
            ">/run/systemd/sleep.conf.d/lab.conf && echo freezer >/sys/power/pm_test && systemctl suspend && "
            f"until journalctl --no-pager -o cat -u {UNIT} | grep -q 'awake again'; do sleep 0.1; done")  # fmt: skip


def case_suspend(lab):
    """Before the machine sleeps the radio is left in good order, and it is ready soon after."""
    with simulator(lab, "a"):
        lab.configure({"a": "tcp://127.0.0.1:5001"})
        lab.start_daemon()
        lab.wait_state("a", "ready")
        inhibitors = lab.run("systemd-inhibit --list --no-legend")
        assert re.search(r"^meshcored +.* sleep +.* delay$", inhibitors, re.M), inhibitors
        try:
            suspend(lab)
        finally:
            lab.run("echo none >/sys/power/pm_test; rm -r /run/systemd/sleep.conf.d", check=False)
        lab.wait_state("a", "ready")
        lines = lab.run(f"journalctl --no-pager -o short-monotonic -u {UNIT} -u systemd-suspend.service").splitlines()
        story = [(float(line[1:13]), line[14:]) for line in lines if line.startswith("[")]
        at = [next(i for i, (_, text) in enumerate(story) if word in text)
              for word in ("goes to sleep", "Entering sleep state", "returned from sleep", "awake again")]  # fmt: skip
        assert at == sorted(at), lines
        ready = next(time for time, text in story[at[-1]:] if "a: ready" in text)
        lab.note(f"ready {ready - story[at[-1]][0]:.2f} s after the machine awoke; it slept "
                 f"{story[at[2]][0] - story[at[1]][0]:.1f} s")
        assert re.search(r"^meshcored +.* sleep ", lab.run("systemd-inhibit --list --no-legend"), re.M)
