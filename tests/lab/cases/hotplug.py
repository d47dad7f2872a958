# SPDX-License-Identifier: GPL-3.0-or-later
"""Radios on USB: plugged in, pulled, and plugged in elsewhere."""

import json
import re

# cheap, and the same on a busy machine
CORE = ("rules",)
READY_LIMIT = 3.0  # design, section 7
SCENARIO = "[Radio]\nName={name}\nSeed={name}\n"
BY_ID = "/dev/serial/by-id/usb-QEMU_QEMU_USB_SERIAL_MESHHUT-if00-port0"


def case_path(lab):
    """A port that the configuration names: ready soon after plugging, waiting at once after pulling, the
    same object on another socket."""
    lab.make_radio("hut")
    lab.configure({"hut": f"serial:{BY_ID}"})
    lab.start_daemon()
    lab.wait_state("hut", "waiting", "not-plugged")

    with lab.expect("hut", "ready") as ready:
        lab.plug_in("hut", port=1)
    lab.note(f"plug to ready: {ready.seconds:.2f} s (listening after {ready.arming:.2f} s)")
    ready.check(READY_LIMIT)
    key = lab.get("/org/meshcored1/radio/hut", "Radio", "PublicKey")

    with lab.expect("hut", "waiting", "not-plugged") as pulled:
        lab.pull("hut")
    lab.note(f"pull to waiting: {pulled.seconds:.2f} s")
    pulled.check(1.0)

    with lab.expect("hut", "ready") as again:
        lab.plug_in("hut", port=3)
    lab.note(f"replug on another port to ready: {again.seconds:.2f} s")
    again.check(READY_LIMIT)
    assert lab.get("/org/meshcored1/radio/hut", "Radio", "PublicKey") == key

def make_gadget(lab, name, *ids):
    """A simulated radio with USB of its own and a key of its own, in the guest, not plugged in."""
    port = lab.run(f"/lab/tools/gadget make {name} {' '.join(ids)}").strip()
    lab.write(f"/run/lab/{name}.scenario", SCENARIO.format(name=name))
    lab.run(f"systemd-run --quiet --collect --unit=lab-sim-{name} "
            f"meshcore-sim --serial {port} --scenario /run/lab/{name}.scenario")  # fmt: skip
    lab.at_end(f"systemctl stop lab-sim-{name}; /lab/tools/gadget remove {name}")


def plug(lab, gadget, radio, socket=0):
    return lab.wait_state(radio, "ready", run=f"/lab/tools/gadget plug {gadget} {socket}")


def pull(lab, gadget, radio):
    return lab.wait_state(radio, "waiting", "not-plugged", run=f"/lab/tools/gadget pull {gadget}")


def own_key(lab, radio):
    path = radio if radio.startswith("/") else f"/org/meshcored1/radio/{radio}"
    return lab.get(path, "Radio", "PublicKey")


def case_rules(lab):
    """What udev makes of a known radio, of one that an administrator tags, and of a bridge."""
    make_gadget(lab, "known", "239a", "8029", "MESHKNOWN")
    lab.run("/lab/tools/gadget plug known && udevadm wait --timeout=20 /dev/meshcore/MESHKNOWN")
    properties = lab.run("udevadm info --query=property /dev/meshcore/MESHKNOWN").splitlines()
    for wanted in ("ID_MESHCORE=1", "ID_MM_PORT_IGNORE=1"):
        assert wanted in properties, properties
    assert lab.run("stat -L -c '%G %a' /dev/meshcore/MESHKNOWN").split() == ["dialout", "660"]
    usb = lab.run("udevadm info --query=property -p $(realpath /sys/class/tty/$(basename $(realpath "
                  "/dev/meshcore/MESHKNOWN))/device/..)").splitlines()  # fmt: skip
    assert "ID_MM_DEVICE_IGNORE=1" in usb, usb

    make_gadget(lab, "named", "1209", "0001", "MESHNAMED", "'My MeshCore thing'")
    lab.run("/lab/tools/gadget plug named && udevadm wait --timeout=20 /dev/meshcore/MESHNAMED")
    assert "meshcore/MESHNAMED" in lab.run("ls -d /dev/meshcore/MESHNAMED")

    lab.make_radio("bridge")
    lab.plug_in("bridge")
    lab.run("udevadm wait --timeout=20 /dev/serial/by-id/usb-QEMU_QEMU_USB_SERIAL_MESHBRIDGE-if00-port0")
    assert "ID_MESHCORE" not in lab.run("udevadm info --query=property /dev/ttyUSB0")
    assert lab.run("ls /dev/meshcore").split() == ["MESHKNOWN", "MESHNAMED"]

    # to be seen by who asks, after the radios, and not opened
    lab.configure("[Daemon]\nDiscover=no\n")
    lab.start_daemon()
    found = json.loads(lab.run("meshcorectl discover --transport serial --json"))
    assert [(f["Name"], f["Certain"]) for f in found][-1] == ("QEMU USB SERIAL", False), found
    assert [f["Certain"] for f in found] == [True, True, False], found
    assert found[-1]["Address"].endswith("usb-QEMU_QEMU_USB_SERIAL_MESHBRIDGE-if00-port0"), found
    assert "(?)" in lab.run("meshcorectl discover --transport serial | grep BRIDGE")
    assert lab.run("find /proc/[0-9]*/fd -lname '/dev/ttyUSB*' 2>/dev/null || :").strip() == ""
    lab.pull("bridge")

    lab.write("/run/udev/rules.d/65-mine.rules",
              'SUBSYSTEM=="tty", ATTRS{serial}=="MESHBRIDGE", ENV{ID_MESHCORE}="1"\n')  # fmt: skip
    lab.run("udevadm control --reload")
    lab.plug_in("bridge")
    lab.run("udevadm wait --timeout=20 /dev/meshcore/MESHBRIDGE")


def case_auto(lab):
    """serial:auto takes a radio on a known USB id, and the same again on another port."""
    make_gadget(lab, "auto", "239a", "8029", "MESHAUTO")
    lab.configure({"hut": "serial:auto"})
    lab.start_daemon()
    lab.wait_state("hut", "waiting", "not-plugged")
    ready = plug(lab, "auto", "hut")
    lab.note(f"plug to ready, with a scout: {ready.seconds:.2f} s")
    ready.check(READY_LIMIT)
    key = own_key(lab, "hut")

    pulled = pull(lab, "auto", "hut")
    lab.note(f"pull to waiting: {pulled.seconds:.2f} s")
    again = plug(lab, "auto", "hut", 1)
    lab.note(f"replug on another port to ready: {again.seconds:.2f} s")
    again.check(READY_LIMIT)
    assert own_key(lab, "hut") == key
    assert lab.run("busctl --list tree org.meshcored1 | grep -c '/radio/[^/]*$'").strip() == "1"


def case_auto_two(lab):
    """Two auto radios never take the same port, and each gets its own radio back, whichever comes first."""
    make_gadget(lab, "first", "239a", "8029", "MESHFIRST")
    make_gadget(lab, "second", "2886", "1667", "MESHSECOND")
    lab.configure({"a": "serial:auto", "b": "serial:auto"})
    lab.start_daemon()
    plug(lab, "first", "a")
    plug(lab, "second", "b")
    keys = [own_key(lab, "a"), own_key(lab, "b")]
    assert keys[0] != keys[1], keys

    pull(lab, "first", "a")
    pull(lab, "second", "b")
    plug(lab, "second", "b")
    assert "waiting" in lab.get("/org/meshcored1/radio/a", "Radio", "State")
    plug(lab, "first", "a")
    assert [own_key(lab, "a"), own_key(lab, "b")] == keys

    # also when both are there at the start
    lab.wait_state("a", "ready", run="systemctl restart meshcored.service")
    lab.wait_state("b", "ready")
    assert [own_key(lab, "a"), own_key(lab, "b")] == keys


def case_discover(lab):
    """Without any configuration a radio on a known USB id becomes an object, which stays."""
    make_gadget(lab, "found", "303a", "1001", "MESHFOUND")
    lab.run("rm -r /etc/meshcored/meshcored.conf")
    lab.start_daemon()
    ready = plug(lab, "found", "*")
    lab.note(f"plug to ready, without configuration: {ready.seconds:.2f} s")
    ready.check(READY_LIMIT)
    key = own_key(lab, ready.path)
    name = re.sub("_(..)", lambda escape: chr(int(escape[1], 16)), ready.path.rsplit("/", 1)[1])
    assert name == key.split('"')[1][:16], (ready.path, key)

    pull(lab, "found", "*")
    lab.run("systemctl restart meshcored.service")
    away = lab.wait_state("*", "waiting", "not-plugged")
    assert away.path == ready.path, (away.path, ready.path)
    assert own_key(lab, ready.path) == key
    again = plug(lab, "found", "*")
    assert again.path == ready.path, (again.path, ready.path)
    again.check(READY_LIMIT)


def case_deaf_port_is_given_back(lab):
    """Something on a known USB id that is no radio gets its port back, and stays without an object."""
    make_gadget(lab, "deaf", "303a", "1001", "MESHDEAF")
    lab.run("systemctl stop lab-sim-deaf")
    lab.start_daemon()
    lab.run("/lab/tools/gadget plug deaf && udevadm wait --timeout=20 /dev/meshcore/MESHDEAF")
    # the daemon answers all the time, also while it lets go of a port that takes no bytes
    lab.run(
        "end=$(($(date +%s) + 80)); until journalctl -u meshcored.service | grep -q 'nothing answers like one'; do "
        "[ $(date +%s) -lt $end ] && timeout 5 busctl --quiet get-property org.meshcored1 /org/meshcored1 "
        "org.meshcored1.Manager Version || exit; done",
        timeout=100,
    )
    lab.run("python3 -c \"import fcntl, os; fcntl.flock(os.open('/dev/meshcore/MESHDEAF', os.O_RDWR | os.O_NONBLOCK), "
            "fcntl.LOCK_EX | fcntl.LOCK_NB)\"")  # fmt: skip
    assert lab.run("busctl --list tree org.meshcored1 | grep -c '/radio/[^/]*$' || :").strip() == "0"
