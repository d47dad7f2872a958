# SPDX-License-Identifier: GPL-3.0-or-later
"""Radios over Bluetooth: real kernel, real bluetoothd, real pairing; only controller and air are played."""

import os
import shlex
import shutil

ADDRESS = "C0:00:00:00:22:01"
RADIO = "/org/meshcored1/radio/hut"
DEVICE = "/org/bluez/hci0/dev_" + ADDRESS.replace(":", "_")
FAMILIES = {
    "esp32": "sc=1,type=0,no-response-write=0,cccd-security=0,mtu=176",
    "nrf52": "sc=0,type=1,no-response-write=1,cccd-security=2",
}


def make_air(lab, family="esp32"):
    """A controller with one radio in its air, and bluetoothd without a memory."""
    shutil.copy(os.path.join(lab.build, "tests", "lab", "vradio"), lab.share)
    lab.at_end("systemctl stop lab-sim lab-vradio bluetooth; rm -rf /var/lib/bluetooth/*; systemctl reset-failed bluetooth")
    lab.run(
        "systemctl stop bluetooth; rm -rf /var/lib/bluetooth/*; modprobe hci_vhci; "
        "systemd-run --quiet --collect --unit=lab-vradio /lab/vradio -v -c /run/vradio.sock "
        f"-r name=MeshCore-Hut,{FAMILIES[family]}; "
        "for i in $(seq 100); do [ -S /run/vradio.sock ] && break; sleep 0.05; done; systemctl start bluetooth; "
        "for i in $(seq 100); do "
        "busctl get-property org.bluez /org/bluez/hci0 org.bluez.Adapter1 Powered 2>/dev/null | grep -q true && break; "
        "sleep 0.1; done; "
        f"systemd-run --quiet --collect --unit=lab-sim meshcore-sim --vradio /run/vradio.sock --ble {family}"
    )


def air(lab, *commands):
    """Tells the controller; every command must be taken."""
    program = (
        "import socket,sys\n"
        "s = socket.socket(socket.AF_UNIX); s.connect('/run/vradio.sock'); f = s.makefile('rw')\n"
        "for c in sys.argv[1:]:\n"
        "    f.write(c + '\\n'); f.flush()\n"
        "    while (l := f.readline()).startswith('!'): pass\n"
        "    assert l.startswith('ok'), (c, l)\n"
    )
    return shlex.join(["python3", "-c", program, *commands])


def start(lab, pin):
    """The PIN is root's: the daemon gets it as a credential."""
    lab.write("/run/credstore/meshcored.pin", pin + "\n")
    lab.run("chmod 600 /run/credstore/meshcored.pin")
    lab.at_end("rm -f /run/credstore/meshcored.pin")
    lab.configure({"hut": f"ble:{ADDRESS}"})
    return lab.wait_state("hut", "ready" if pin == "123456" else "waiting", run="systemctl start meshcored.service")


def bond(lab):
    return tuple(lab.get(RADIO, "Pairing", name).removeprefix('s "').rstrip('"') for name in ("BondState", "Reason"))


def pair(lab, pin):
    return lab.run(
        f"busctl --timeout=100 call org.meshcored1 {RADIO} org.meshcored1.Pairing Pair 'a{{sv}}' 1 Passkey s {pin} 2>&1", check=False
    )


def tool(lab, *arguments):
    """Exit status and output of meshcore-bond."""
    output = lab.run(shlex.join(["meshcore-bond", *arguments]) + " </dev/null 2>&1; echo $?", check=False)
    text, status = output.rstrip("\n").rsplit("\n", 1)
    return int(status), text


def life_of_a_bond(lab, family):
    """Paired by the credential; comes back without asking; forgotten by the radio, repaired by itself."""
    make_air(lab, family)
    paired = start(lab, "123456")
    assert bond(lab) == ("verified", "none"), bond(lab)
    lost = lab.wait_state("hut", "ready", run=air(lab, "drop 0x08"))
    stale = lab.wait_state("hut", "ready", run=air(lab, "forget", "drop 0x13"))
    assert bond(lab) == ("verified", "none"), bond(lab)
    lab.note(f"{family}: start to paired and ready {paired.seconds:.1f} s, link loss to ready {lost.seconds:.1f} s, "
             f"forgotten by the radio to ready {stale.seconds:.1f} s")  # fmt: skip
    journal = lab.run("journalctl --no-pager -u lab-vradio -o cat")
    assert journal.count("pairing request") == 2, journal
    assert "is stale (key-missing)" in lab.run("journalctl --no-pager -u meshcored -o cat")


def case_esp32(lab):
    life_of_a_bond(lab, "esp32")


def case_nrf52(lab):
    life_of_a_bond(lab, "nrf52")


def case_pin(lab):
    """A wrong PIN is tried once, and told apart from a radio that refuses; a caller's one helps."""
    make_air(lab)
    start(lab, "111111")
    assert bond(lab) == ("needs-pin", "authentication"), bond(lab)
    lab.run("sleep 5")
    assert lab.run("journalctl --no-pager -u lab-vradio -o cat").count("pairing request") == 1
    assert "exactly six digits" in pair(lab, "12")
    assert "did not accept the PIN" in pair(lab, "222222")
    lab.run(air(lab, "set refuse 5"))
    assert "refuses to pair" in pair(lab, "123456")
    lab.run(air(lab, "set refuse 0"))
    assert "bonded" in pair(lab, "123456")
    assert bond(lab) == ("verified", "none"), bond(lab)


def case_adapter(lab):
    """Off, pulled, and bluetoothd killed: a reason each, the bond is left alone, and it comes back."""
    make_air(lab)
    start(lab, "123456")
    power = "busctl set-property org.bluez /org/bluez/hci0 org.bluez.Adapter1 Powered b"
    lab.wait_state("hut", "waiting", "adapter-off", run=f"{power} false")
    lab.wait_state("hut", "ready", run=f"{power} true", timeout=90)
    lab.wait_state("hut", "waiting", "not-plugged", run=air(lab, "adapter remove"))
    lab.wait_state("hut", "ready", run=air(lab, "adapter add"), timeout=90)
    lab.wait_state("hut", "ready", run="systemctl kill -s KILL bluetooth", timeout=90)
    assert lab.run("journalctl --no-pager -u lab-vradio -o cat").count("pairing request") == 1


def case_tool(lab):
    """meshcore-bond without a daemon: what it answers in each situation, and what it leaves as it was."""
    make_air(lab)
    assert tool(lab, "--check-only", ADDRESS)[0] == 1
    assert tool(lab, "--pin", "12345", ADDRESS)[0] == 2
    assert tool(lab, "--check-only", "--force-repair", ADDRESS)[0] == 2
    assert tool(lab, "C0:00:00:00:22")[0] == 2
    status, text = tool(lab, "--pin", "111111", ADDRESS)
    assert status == 2 and "authentication" in text, text
    assert DEVICE not in lab.run("busctl tree --list org.bluez"), "a failed pairing leaves an entry behind"
    status, text = tool(lab, "--pin", "123456", ADDRESS)
    assert status == 0 and "Bond established — ready to connect" in text, text

    snapshot = (
        "busctl tree --list org.bluez; busctl introspect org.bluez /org/bluez/hci0 | grep property; "
        f"busctl introspect org.bluez {DEVICE} org.bluez.Device1 | grep property; "
        "find /var/lib/bluetooth -type f | sort | xargs md5sum"
    )
    before = lab.run(snapshot)
    status, text = tool(lab, "--check-only", ADDRESS)
    assert status == 0 and "Bond verified" in text, text
    assert lab.run(snapshot) == before

    # the radio has forgotten: told, and left for somebody with the PIN
    lab.run(air(lab, "forget"))
    status, text = tool(lab, "--check-only", ADDRESS)
    assert status == 1 and "key-missing" in text, text
    assert lab.run("ls /var/lib/bluetooth/*/").count(ADDRESS) == 1
    assert tool(lab, ADDRESS)[0] == 2
    assert tool(lab, "--pin", "123456", ADDRESS)[0] == 0

    # it holds another key
    lab.run(air(lab, "rekey"))
    status, text = tool(lab, "--check-only", ADDRESS)
    assert status == 1 and "Reason:" in text, text
    assert tool(lab, "--force-repair", "--pin", "123456", ADDRESS)[0] == 0

    # not there: that is no evidence
    lab.run(air(lab, "set advertise 0"))
    status, text = tool(lab, "--check-only", ADDRESS)
    assert status == 2 and "unreachable" in text, text
    lab.run(air(lab, "set advertise 1"))
    assert tool(lab, "--check-only", ADDRESS)[0] == 0

    # a link of somebody else's is used, and stays
    lab.run(f"busctl --timeout=60 call org.bluez {DEVICE} org.bluez.Device1 Connect")
    assert tool(lab, "--check-only", "Hut")[0] == 0
    assert "true" in lab.run(f"busctl get-property org.bluez {DEVICE} org.bluez.Device1 Connected")

    lab.run("busctl set-property org.bluez /org/bluez/hci0 org.bluez.Adapter1 Powered b false")
    assert tool(lab, "--check-only", ADDRESS)[0] == 3
    assert "false" in lab.run("busctl get-property org.bluez /org/bluez/hci0 org.bluez.Adapter1 Powered")
    assert tool(lab, "--adapter", "hci7", "--check-only", ADDRESS)[0] == 3
    assert tool(lab, ADDRESS)[0] == 0, "it gives power where it may change something"
    lab.run("systemctl stop bluetooth")
    assert tool(lab, "--check-only", ADDRESS)[0] == 3
    assert "inactive" in lab.run("systemctl is-active bluetooth", check=False)
    status = lab.run(f"DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nonexistent meshcore-bond --check-only {ADDRESS} 2>&1; echo $?", check=False)
    assert status.rstrip().endswith("4"), status
