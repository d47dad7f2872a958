# SPDX-License-Identifier: GPL-3.0-or-later
"""Pairing over Bluetooth, and each way in which it can fail: by the daemon, and by meshcore-bond without it."""

from air import ADAPTER, PIN, Air, parse_tool, reason_of

# cheap, and the same on a busy machine
CORE = ("pin",)


def no_entry(air, radio):
    """A pairing that failed leaves nothing behind, at bluetoothd or in its files."""
    lab = air.lab
    lab.run(f"for i in $(seq 50); do busctl tree --list org.bluez | grep -q {air.device(radio)}$ || exit 0; sleep 0.1; done; "
            "echo an entry is left behind; exit 1")  # fmt: skip
    assert not lab.run("find /var/lib/bluetooth -name info").strip()


def pairing(lab, command, air, radio, then):
    """Runs it, and something else while the radio waits for its part of the pairing; returns what it printed."""
    return lab.run(
        f"({command}) >/run/paired & until {air.tell('status', radio=radio).replace('/dev/null', '/run/status')}; "
        "grep -q connected=1 /run/status; do sleep 0.1; done; sleep 1; "
        f"{then}; wait; cat /run/paired", check=False,
    )  # fmt: skip


def case_pin(lab):
    """A wrong PIN is tried once, and told apart from a radio that refuses; a caller's right one helps."""
    air = Air(lab, "esp32", "esp32")
    story = air.start({"hut": 0}, "111111", ["hut bond needs-pin authentication"])
    story.told("hut bond pairing none", "hut bond needs-pin authentication")
    no_entry(air, 0)
    status, text = air.tool("--no-daemon", "--pin", "111111", air.address(1))
    assert (status, reason_of(text)) == (2, "authentication"), text
    no_entry(air, 1)
    air.row("wrong PIN", "hut", story, (status, text))
    assert air.now("hut") == ("waiting", "needs-pin", "needs-pin", "authentication")

    lab.run("sleep 5")  # it would have tried again by now
    assert air.heard("! 0 pairing request") == 1
    assert "exactly six digits" in lab.run(air.pair("hut", "12"), check=False)
    assert "did not accept the PIN" in lab.run(air.pair("hut", "222222"), check=False)
    assert air.heard("! 0 pairing request") == 2

    lab.run(air.tell("set refuse 5") + ";" + air.tell("set refuse 5", radio=1))
    story = air.after(air.pair("hut", PIN) + " || :", "hut bond none rejected")
    assert "refuses to pair" in story.output, story
    status, text = air.tool("--no-daemon", "--pin", PIN, air.address(1))
    assert (status, reason_of(text)) == (2, "rejected"), text
    no_entry(air, 1)
    air.row("refused", "hut", story, (status, text))
    assert air.heard("! 0 pairing request") == 3, "a refusal is not asked again by itself"
    lab.run(air.tell("set refuse 0") + ";" + air.tell("set refuse 0", radio=1))

    story = air.after(air.pair("hut", PIN), "hut bond verified none", "hut state ready none")
    assert '"bonded"' in story.output, story.output
    assert "already-bonded" in lab.run(air.pair("hut", PIN))
    status, text = air.tool("--no-daemon", "--pin", PIN, air.address(1))
    assert status == 0 and "Bond established — ready to connect" in text, text
    air.row("right PIN", "hut", story, (status, text))
    # "--pin" is not needed where there is a bond
    status, text = air.tool("--no-daemon", air.address(1))
    assert status == 0 and "Bond verified — ready to connect" in text, text


def case_cancelled(lab):
    """By somebody at bluetoothd, by Stop, and by a signal to the tool."""
    air = Air(lab, "esp32", radios=["smp-silent=1"])
    tool = air.tool_command("--pin", PIN, air.address())
    status, text = parse_tool(pairing(lab, tool, air, 0, air.call("CancelPairing")))
    assert (status, reason_of(text)) == (2, "cancelled"), text
    no_entry(air, 0)
    output = pairing(lab, "exec " + tool.partition(";")[0], air, 0, "kill -TERM $!")
    assert "Interrupted" in output and reason_of(output) == "cancelled", output
    no_entry(air, 0)

    air.start({"hut": 0}, None, ["hut bond needs-pin no-pin"])
    story = air.after(
        f"({air.pair('hut', PIN)}) & until busctl get-property org.bluez {air.device()} org.bluez.Device1 Connected 2>&1 | "
        f"grep -q true; do sleep 0.1; done; sleep 1; {air.call('CancelPairing')}; wait",
        "hut bond none cancelled",
    )
    story.told("hut bond pairing none", "hut changed opening waiting refused", "hut bond none cancelled")
    assert "somebody cancelled the pairing" in story.output, story.output
    air.row("cancelled", "hut", story, (status, text))
    output = pairing(lab, air.pair("hut", PIN), air, 0,
                     "busctl call org.meshcored1 /org/meshcored1/radio/hut org.meshcored1.Radio Stop")  # fmt: skip
    assert "The radio was stopped" in output, output
    assert air.now("hut")[0] == "stopped"
    no_entry(air, 0)


def case_link_lost(lab):
    """The link goes in the middle of it; the daemon tries again by itself, and it works when the radio stays."""
    air = Air(lab, "nrf52", "nrf52", radios=["smp-drop=2", "smp-drop=2"])
    story = air.start({"hut": 0}, until=["hut bond none link-lost"])
    story.told("hut bond pairing none", "hut changed opening waiting lost", "hut bond none link-lost")
    status, text = air.tool("--no-daemon", "--pin", PIN, air.address(1))
    assert (status, reason_of(text)) == (2, "link-lost"), text
    air.row("link lost while pairing", "hut", story, (status, text))
    story = air.after(air.tell("set smp-drop 0"), "hut state ready none")
    story.told("hut bond verified none")


def case_silent(lab):
    """The radio says nothing while pairing, until the limit of the Core specification."""
    air = Air(lab, "esp32", radios=["smp-silent=1"])
    story = air.start({"hut": 0}, until=["hut bond none timeout"])
    story.told("hut bond pairing none", "hut changed opening waiting unreachable", "hut bond none timeout")
    air.row(f"silent while pairing, {story.seconds('hut bond none timeout'):.0f} s", "hut", story)


DESKTOP = """
import sys
from gi.repository import Gio, GLib
bus = Gio.bus_get_sync(Gio.BusType.SYSTEM)
info = Gio.DBusNodeInfo.new_for_xml(
    "<node><interface name='org.bluez.Agent1'><method name='RequestPasskey'><arg type='o' direction='in'/>"
    "<arg type='u' direction='out'/></method><method name='Cancel'/><method name='Release'/></interface></node>")
def on_call(connection, sender, path, interface, member, arguments, invocation):
    print(member, *arguments.unpack(), flush=True)
    if member == "RequestPasskey":
        invocation.return_dbus_error("org.bluez.Error.Rejected", "nobody is there")
    else:
        invocation.return_value(None)
bus.register_object("/desktop", info.interfaces[0], on_call)
def call(member, signature, *arguments):
    bus.call_sync("org.bluez", "/org/bluez", "org.bluez.AgentManager1", member, GLib.Variant(signature, arguments), None, 0, -1)
call("RegisterAgent", "(os)", "/desktop", "KeyboardDisplay")
call("RequestDefaultAgent", "(o)", "/desktop")
print("ready", flush=True)
GLib.MainLoop().run()
"""


def case_desktop(lab):
    """A radio that asks for security as soon as it is connected, beside a desktop whose agent is the default one: that
    one is asked after a Connect of anybody, and ours, which knows the PIN, when we pair without one."""
    air = Air(lab, "esp32", radios=["secreq=1"])
    lab.write("/run/desktop.py", DESKTOP)
    lab.at_end("systemctl stop lab-desktop")
    lab.run("rm -f /run/desktop.log; systemd-run --quiet --collect --unit=lab-desktop -p StandardOutput=file:/run/desktop.log "
            "python3 /run/desktop.py; until grep -q ready /run/desktop.log; do sleep 0.1; done")  # fmt: skip
    lab.run(f"busctl call org.bluez {ADAPTER} org.bluez.Adapter1 SetDiscoveryFilter 'a{{sv}}' 1 Transport s le; "
            f"timeout 20 bash -c 'coproc bluetoothctl; echo scan le >&${{COPROC[1]}}; "
            f"until busctl tree --list org.bluez | grep -q {air.device()}$; do sleep 0.1; done; {air.call('Connect')}' || :; "
            "for i in $(seq 50); do grep -q RequestPasskey /run/desktop.log && exit; sleep 0.1; done; cat /run/desktop.log; exit 1")  # fmt: skip
    lab.run(f"busctl call org.bluez {ADAPTER} org.bluez.Adapter1 RemoveDevice o {air.device()} || :; "
            f"while busctl tree --list org.bluez | grep -q {air.device()}$; do sleep 0.1; done; : >/run/desktop.log")  # fmt: skip
    story = air.start({"hut": 0})
    story.told("hut bond pairing none", "hut bond verified none")
    assert "RequestPasskey" not in lab.run("cat /run/desktop.log")
    lab.note("after a Connect the default agent is asked, after our Pair the one that knows")
