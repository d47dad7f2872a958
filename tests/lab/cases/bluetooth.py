# SPDX-License-Identifier: GPL-3.0-or-later
"""The life of a bond over Bluetooth, with the radios of both families, and two radios at once."""

from air import ADAPTER, Air, parse_tool, reason_of

# cheap, and the same on a busy machine
CORE = ("esp32", "nrf52")

def life_of_a_bond(lab, family):
    """Paired by the credential; comes back without asking; forgotten by the radio, repaired by itself."""
    air = Air(lab, family)
    paired = air.start({"hut": 0})
    paired.told("hut bond pairing none", "hut bond bonded none", "hut bond verified none", "hut state ready none")
    paired.told("hut changed .* syncing none", "hut changed .* ready none")
    lost = air.after(air.tell("drop 0x08"), "hut state ready none")
    lost.told("hut changed ready waiting lost", "hut changed waiting opening none", "hut changed .* ready none")
    stale = air.after(air.tell("forget", "drop 0x13"), "hut state ready none", timeout=90)
    stale.told("hut bond stale (key-missing|encryption)", "hut bond pairing none", "hut bond verified none")
    assert air.now("hut") == ("ready", "none", "verified", "none")
    lab.note(f"{family}: start to paired {paired.seconds('hut bond verified none'):.1f} s, and ready "
             f"{paired.seconds('hut state ready none'):.1f} s; link lost to proven {lost.seconds('hut state syncing none'):.1f} s, "
             f"ready {lost.seconds('hut state ready none'):.1f} s; forgotten by the radio to paired again "
             f"{stale.seconds('hut bond verified none'):.1f} s, ready {stale.seconds('hut state ready none'):.1f} s")  # fmt: skip
    assert air.heard("pairing request") == 2
    assert "is stale (" in lab.run("journalctl --no-pager -u meshcored -o cat")


def case_esp32(lab):
    life_of_a_bond(lab, "esp32")


def case_nrf52(lab):
    life_of_a_bond(lab, "nrf52")


def case_two_radios(lab):
    """Both families at one adapter, and a third radio that nobody asked for; what befalls one leaves the other alone."""
    air = Air(lab, "esp32", "nrf52", "nrf52")
    air.start({"hut": 0, "mast": 1})
    story = air.after(air.tell("drop 0x08"), "hut state ready none")
    assert not [line for line in story.lines if line.startswith("mast")], story
    story = air.after(air.tell("drop 0x08", radio=0) + " && " + air.tell("drop 0x13", radio=1),
                      "hut state ready none", "mast state ready none")  # fmt: skip
    story.told("mast changed ready waiting lost", "mast changed .* ready none")
    # a tool beside the daemon, for a third one
    status, text = air.tool("--pin", "123456", air.address(2))
    assert status == 0 and "Bond established" in text, text
    assert air.now("hut")[0] == air.now("mast")[0] == "ready"
    status, text = air.tool("--check-only", air.address(1))
    assert status == 0 and "meshcored talks to the radio" in text, text
    assert air.heard("pairing request") == 3


def case_two_adapters(lab):
    """One radio each, at the adapter that was asked for, by name and by address; one is pulled."""
    near = Air(lab, "esp32")
    far = Air(lab, "nrf52", "nrf52", number=1)
    near.start(
        {
            "hut": 0,
            "mast": {"Transport": f"ble:{far.address()}", "Adapter": "hci1"},
            # in nobody's air there
            "barn": {"Transport": f"ble:{far.address(1)}", "Adapter": near.adapter},
        },
        until=("hut state ready none", "mast state ready none", "barn state waiting unreachable"),
    )
    assert near.now("barn") == ("waiting", "unreachable", "none", "not-found"), near.now("barn")
    assert near.device() in lab.run("busctl tree --list org.bluez") and far.device() in lab.run("busctl tree --list org.bluez")
    story = near.after(far.tell("adapter remove"), "mast state waiting not-plugged")
    assert not [line for line in story.lines if line.startswith("hut")], story
    assert near.now("mast") == ("waiting", "not-plugged", "unreachable", "adapter")
    near.after(far.tell("adapter add"), "mast state ready none", timeout=90)

    status, text = near.tool("--no-daemon", "--adapter", "hci0", "--check-only", far.address(1))
    assert status == 1 and "not found" in text, text
    status, text = near.tool("--no-daemon", "--adapter", far.adapter, "--pin", "123456", far.address(1))
    assert status == 0 and "Bond established" in text, text
    status, text = near.tool("--no-daemon", "--check-only", far.address(1))
    assert status == 0, text
    status, text = near.tool("--no-daemon", "--adapter", "hci7", "--check-only", near.address())
    assert status == 3, text
    assert far.heard("pairing request") == 2 and near.heard("pairing request") == 1


def case_arguments(lab):
    """What meshcore-bond refuses before it does anything, and what it says without Bluetooth and without a bus."""
    air = Air(lab)
    before = air.snapshot()
    for arguments in (["--pin", "12345", air.address()], ["--pin", "1234567", air.address()], ["C0:00:00:00:22"], [],
                      ["--check-only", "--force-repair", air.address()], [air.address(), air.address()]):  # fmt: skip
        status, text = air.tool(*arguments)
        assert status == 2 and "Error:" in text, (arguments, text)
    assert air.tool("--version")[0] == air.tool("--help")[0] == 0
    assert air.snapshot() == before and air.heard("connected from") == 0

    lab.run(air.power(False))
    status, text = air.tool("--check-only", air.address())
    assert status == 3 and reason_of(text) == "adapter", text
    assert "false" in lab.run(f"busctl get-property org.bluez {ADAPTER} org.bluez.Adapter1 Powered")
    status, text = air.tool("--pin", "123456", air.address())
    assert status == 0, "it gives power where it may change something: " + text
    lab.run("systemctl stop bluetooth")
    status, text = air.tool("--check-only", air.address())
    assert status == 3, text
    assert "inactive" in lab.run("systemctl is-active bluetooth", check=False)
    status, text = parse_tool(
        lab.run("export DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nonexistent; " + air.tool_command("--check-only", air.address()), check=False)
    )
    assert status == 4, text


def case_monitor(lab):
    """bluetoothd with what 5.66 has as an experiment: radios that are not known yet are heard without a scan."""
    unit = "/run/systemd/system/bluetooth.service.d"
    lab.at_end(f"rm -rf {unit}; systemctl daemon-reload")
    lab.run(f"mkdir -p {unit}; printf '[Service]\\nExecStart=\\nExecStart=/usr/libexec/bluetooth/bluetoothd -E -d\\n' >{unit}/lab.conf; "
            "systemctl daemon-reload")  # fmt: skip
    air = Air(lab, "esp32", "nrf52")
    since = lab.run("cut -d' ' -f1 /proc/uptime; journalctl --no-pager -n 0 --show-cursor | sed -n 's/-- cursor: //p'").split()[1]
    story = air.start({"hut": 0, "mast": 1})
    for radio in "hut", "mast":
        story.told(f"{radio} bond pairing none", f"{radio} bond verified none")
    log = lab.run(f"journalctl --no-pager -u bluetooth -o cat --after-cursor='{since}'")
    assert "start_discovery()" not in log, log[-3000:]
    lab.note(f"heard, paired and ready without a scan: {story.seconds('hut state ready none'):.1f} s "
             f"and {story.seconds('mast state ready none'):.1f} s")  # fmt: skip
