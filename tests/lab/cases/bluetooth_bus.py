# SPDX-License-Identifier: GPL-3.0-or-later
"""What clients of the daemon do with Bluetooth: look for radios, give a PIN when asked, list and remove bonds."""

import json
import os
import re
import shlex
import shutil

from air import ADAPTER, BONDS, PIN, Air, path_of
from guest import LabError

RADIO = path_of("hut")
DISCOVERING = f"busctl get-property org.bluez {ADAPTER} org.bluez.Adapter1 Discovering"


def ctl(lab, *words, stdin="", status=0):
    """What meshcorectl says."""
    command = f"printf %s {shlex.quote(stdin)} | {shlex.join(['meshcorectl', *words])} 2>&1; echo $?"
    text, code = lab.run(command, timeout=150).rstrip("\n").rpartition("\n")[::2]
    if int(code) != status:
        raise LabError(f"meshcorectl {' '.join(words)}: {code}, {text}")
    return text


def ctl_json(lab, *words):
    text = ctl(lab, *words, "--json")
    try:
        return json.loads(text)
    except ValueError as error:
        raise LabError(f"meshcorectl {' '.join(words)}: {text!r}") from error


def case_discover(lab):
    """A radio nobody has configured, one that is connected, and a machine without Bluetooth."""
    air = Air(lab, "nrf52")
    lab.configure({})
    lab.start_daemon()
    found = ctl_json(lab, "discover", "--first", "--timeout", "60s")
    assert len(found) == 1, found
    assert (found[0]["Transport"], found[0]["Address"], found[0]["Name"]) == ("ble", air.address(), "MeshCore-Hut00"), found
    assert (found[0]["Bonded"], found[0]["Connected"], found[0]["Adapter"]) == (False, False, "hci0"), found
    assert -127 <= found[0]["Rssi"] < 0 and "Radio" not in found[0], found
    assert f"ble:{air.address()}" in ctl(lab, "discover", "Hut00", "--timeout", "2s", "--adapter", air.adapter)
    ctl(lab, "discover", "--timeout", "2s", "--adapter", "hci7", status=4)
    ctl(lab, "discover", "Nobody", "--timeout", "2s", status=4)

    # the search ends with the one who asked for it
    lab.run(
        "systemd-run --quiet --collect --unit=lab-discover meshcorectl discover --timeout 100s; "
        f"for i in $(seq 100); do {DISCOVERING} | grep -q true && break; sleep 0.1; done; {DISCOVERING} | grep -q true; "
        f"systemctl stop lab-discover; for i in $(seq 100); do {DISCOVERING} | grep -q false && exit 0; sleep 0.1; done; exit 1"
    )

    lab.run("systemctl stop meshcored.service")
    air.start({"hut": 0})
    found = ctl_json(lab, "discover", "--timeout", "2s")
    assert [(f["Connected"], f["Bonded"], f["Radio"]) for f in found] == [(True, True, RADIO)], found

    lab.run(air.power(False))
    assert "no power" in ctl(lab, "discover", "--transport", "ble", status=7)
    assert ctl_json(lab, "discover") == [], "no error where Bluetooth is one of several ways"


def case_bonds(lab):
    """Listed, and removed: of a radio in the tree, and of one that is no longer there."""
    air = Air(lab)
    air.start({"hut": 0})
    bonds = ctl_json(lab, "bond", "list")
    assert [(b["Address"], b["Adapter"], b["Radio"]) for b in bonds] == [(air.address(), "hci0", RADIO)], bonds
    assert ctl(lab, "bond", "verify") == "verified"
    ctl(lab, "bond", "forget", "C0:00:00:00:22:99", status=4)
    ctl(lab, "bond", "forget", air.address())
    assert ctl_json(lab, "bond", "list") == []
    assert air.now("hut")[0] == "stopped"

    air.after("meshcorectl start hut", "hut state ready none")
    lab.configure({})
    lab.run("systemctl reload meshcored.service")
    bonds = ctl_json(lab, "bond", "list")
    assert [(b["Address"], b.get("Radio")) for b in bonds] == [(air.address(), None)], bonds
    ctl(lab, "bond", "forget", "--all")
    assert ctl_json(lab, "bond", "list") == []
    assert lab.run(f"find {BONDS} -name info").strip() == ""


def case_agent(lab):
    """A person gives the PIN: wrong, then right; a radio that waits asks as soon as somebody can be asked."""
    air = Air(lab)
    air.start({"hut": 0}, pin=None, until=["hut state waiting needs-pin"])
    assert air.now("hut")[2:] == ("needs-pin", "no-pin"), air.now("hut")
    text = ctl(lab, "pair", stdin=f"111111\n{PIN}\n")
    assert "did not accept that PIN" in text and text.endswith("bonded"), text
    assert air.now("hut")[2:] == ("verified", "none"), air.now("hut")
    assert ctl(lab, "pair") == "already-bonded"

    # nobody is asked for what the radio forgot until there is somebody
    air.after(air.tell("forget", "drop 0x13"), "hut state waiting needs-pin", timeout=90)
    assert air.now("hut")[2] == "stale", air.now("hut")
    lab.write("/run/agent.py", AGENT)
    lab.at_end("systemctl stop lab-person")
    air.after("systemd-run --quiet --collect --unit=lab-person python3 /run/agent.py", "hut state ready none", timeout=90)
    assert air.now("hut")[2:] == ("verified", "none"), air.now("hut")
    # bluetoothd 5.66 does not tell one from the other
    assert re.search("key-missing|encryption", lab.run("journalctl --no-pager -u lab-person -o cat"))

    # three wrong ones are enough
    ctl(lab, "bond", "forget", air.address())
    lab.run("systemctl stop lab-person")
    before = air.heard("pairing request")
    text = ctl(lab, "pair", stdin="111111\n222222\n333333\n444444\n", status=5)
    assert "did not accept the PIN" in text, text
    assert air.heard("pairing request") == before + 3
    ctl(lab, "pair", stdin="12345\n", status=2)


AGENT = """
import dbus, dbus.service, dbus.mainloop.glib
from gi.repository import GLib
dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
class Agent(dbus.service.Object):
    @dbus.service.method("org.meshcored1.PairingAgent", in_signature="osa{sv}", out_signature="u")
    def RequestPasskey(self, radio, address, details):
        print(radio, address, details["Reason"], flush=True)
        return 123456
    @dbus.service.method("org.meshcored1.PairingAgent")
    def Cancel(self):
        pass
bus = dbus.SystemBus()
agent = Agent(bus, "/agent")
bus.call_blocking("org.meshcored1", "/org/meshcored1", "org.meshcored1.Manager", "RegisterAgent", "o", ("/agent",))
GLib.MainLoop().run()
"""


def case_example(lab):
    """data/examples/pair.py, as its reader would use it: a wrong PIN, the right one, and nothing left to do."""
    shutil.copy(os.path.join(os.path.dirname(__file__), "..", "..", "..", "data", "examples", "pair.py"), lab.share)
    air = Air(lab)
    air.start({"hut": 0}, pin=None, until=["hut state waiting needs-pin"])
    command = "printf '%s\\n' {} | python3 /lab/pair.py hut 2>&1; echo $?"
    text, _, code = lab.run(command.format("111111"), timeout=120).rstrip("\n").rpartition("\n")
    assert code != "0" and "did not accept" in text, (code, text)
    text, _, code = lab.run(command.format(PIN), timeout=120).rstrip("\n").rpartition("\n")
    assert code == "0", (code, text)
    lab.wait_state("hut", "ready")
    assert air.now("hut")[2:] == ("verified", "none"), air.now("hut")
    text, _, code = lab.run(command.format(PIN), timeout=120).rstrip("\n").rpartition("\n")
    assert code == "0", (code, text)
    assert air.heard("pairing request") == 2


def case_security_request(lab):
    """A radio that asks for security over a link that has it gets no new pairing, whoever has a PIN."""
    air = Air(lab)
    air.start({"hut": 0})
    before = air.heard("pairing request")
    lab.run(air.tell("secreq"))
    lab.run("sleep 2")
    ctl(lab, "ping")
    assert air.now("hut")[0] == "ready"
    assert air.heard("pairing request") == before
