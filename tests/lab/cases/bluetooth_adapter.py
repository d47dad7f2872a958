# SPDX-License-Identifier: GPL-3.0-or-later
"""What may befall everything between us and a radio on Bluetooth: the adapter, bluetoothd, the machine. The bond is left
alone, each is told by its name, and it comes back by itself."""

from air import Air, reason_of
from labcase import Skip

# cheap, and the same on a busy machine
CORE = ("pulled",)
# bluetoothd tells of the end of the link before it tells of its cause, which the next try meets.
FIRST = "hut changed ready waiting (lost|adapter-off|not-plugged)"


def case_power(lab):
    """Switched off; the daemon does not switch it on, and neither does who only wants to know."""
    air = Air(lab, "esp32")
    air.start({"hut": 0})
    story = air.after(air.power(False), "hut state waiting adapter-off")
    story.told(FIRST, "hut state waiting adapter-off")
    assert air.now("hut") == ("waiting", "adapter-off", "unreachable", "adapter"), air.now("hut")
    tool = air.tool("--no-daemon", "--check-only", air.address())
    assert (tool[0], reason_of(tool[1])) == (3, "adapter"), tool
    air.row("adapter off", "hut", story, tool)
    lab.run("busctl get-property org.bluez /org/bluez/hci0 org.bluez.Adapter1 Powered | grep false")
    story = air.after(air.power(True), "hut state ready none", timeout=90)
    lab.note(f"adapter on to ready: {story.seconds('hut state ready none'):.1f} s")
    assert air.heard("pairing request") == 1


def case_pulled(lab):
    """Pulled out, and put back."""
    air = Air(lab, "nrf52")
    air.start({"hut": 0})
    story = air.after(air.tell("adapter remove"), "hut state waiting not-plugged")
    story.told(FIRST, "hut state waiting not-plugged")
    assert air.now("hut") == ("waiting", "not-plugged", "unreachable", "adapter"), air.now("hut")
    tool = air.tool("--no-daemon", "--check-only", air.address())
    assert (tool[0], reason_of(tool[1])) == (3, "adapter"), tool
    air.row("adapter pulled", "hut", story, tool)
    story = air.after(air.tell("adapter add"), "hut state ready none", timeout=90)
    lab.note(f"adapter put back to ready: {story.seconds('hut state ready none'):.1f} s")
    assert air.heard("pairing request") == 1


def case_bluetoothd(lab):
    """Killed and started again by systemd; stopped for a while."""
    air = Air(lab, "esp32")
    air.start({"hut": 0})
    story = air.after("systemctl kill -s KILL bluetooth", "hut changed ready waiting .*", "hut state ready none", timeout=90)
    story.told("hut changed ready waiting (lost|not-plugged)", "hut changed .* ready none")
    if lab.run("systemctl is-active bluetooth", check=False).strip() != "active":
        lab.note("systemd did not start it again; the daemon did")
    lab.note(f"bluetoothd killed to ready: {story.seconds('hut state ready none'):.1f} s")
    lab.run("systemctl mask --runtime --quiet bluetooth")
    lab.at_end("systemctl unmask --runtime --quiet bluetooth")
    story = air.after("systemctl stop bluetooth", "hut state waiting not-plugged")
    tool = air.tool("--no-daemon", "--check-only", air.address())
    assert (tool[0], reason_of(tool[1])) == (3, "adapter"), tool
    air.row("no bluetoothd", "hut", story, tool)
    assert air.now("hut")[2:] == ("unreachable", "adapter"), air.now("hut")
    air.after("systemctl unmask --runtime --quiet bluetooth; systemctl start bluetooth", "hut state ready none", timeout=90)
    assert air.heard("pairing request") == 1


def case_suspend(lab):
    """Through logind and the kernel's own preparations, which end all links; the machine itself goes on after a while."""
    test = "/sys/power/pm_test"
    if "freezer" not in lab.run(f"cat {test}", check=False):
        raise Skip("this kernel cannot rehearse a suspend")
    air = Air(lab, "esp32")
    air.start({"hut": 0})
    lab.run(f"echo freezer >{test}; echo 3 >/sys/module/suspend/parameters/pm_test_delay")
    lab.at_end(f"echo none >{test}")
    story = air.after("systemctl suspend", "hut state waiting inhibited", "hut state ready none", timeout=90)
    story.told("hut changed ready waiting inhibited", "hut changed waiting opening none", "hut changed .* ready none")
    journal = lab.run("journalctl --no-pager -o cat")
    assert "The machine is awake again" in journal
    lab.run("dmesg | grep -q 'PM: suspend debug'")
    asleep = story.seconds("hut changed ready waiting inhibited", first=True)
    awake = story.seconds("hut changed waiting opening none", first=True)
    air.row("suspend", "hut", story)
    lab.note(f"suspend: told after {asleep:.1f} s, tries again after {awake:.1f} s, ready after {story.seconds('hut state ready none'):.1f} s")
    status, text = air.tool("--check-only", air.address())
    assert status == 0, text
    assert air.heard("pairing request") == 1
