# SPDX-License-Identifier: GPL-3.0-or-later
"""What a bond may meet later: forgotten by the radio, another key, nobody there, nobody answering, somebody else's
link. The first radio is the daemon's, the next one meshcore-bond's, without the daemon."""

import re

from air import PIN, Air, parse_tool, reason_of

# cheap, and the same on a busy machine
CORE = ("stale", "check_only")
# bluetoothd 5.66 does not tell these two apart: on a busy machine the connection may end before Connect is answered.
STALE = "(key-missing|encryption)"


def both_bonded(lab, *families, **options):
    """Bonds with both, and a daemon that knows no PIN."""
    air = Air(lab, *families, **options)
    air.start({"hut": 0})
    status, text = air.tool("--no-daemon", "--pin", PIN, air.address(1))
    assert status == 0, text
    air.set_pin(None)
    air.after("systemctl restart meshcored.service", "hut state ready none")
    return air


def check(air, radio=1):
    """--check-only; all is as before."""
    before = air.snapshot()
    status, text = air.tool("--no-daemon", "--check-only", air.address(radio))
    after = air.snapshot()
    assert after == before, f"--check-only left\n{after}\nfor\n{before}"
    return status, text


def forgotten(lab, what):
    """The radio forgets, or has other keys: told, left alone without a PIN, made anew with one."""
    air = both_bonded(lab, "esp32", "esp32")
    story = air.after(air.tell(what, radio=1) + "; " + air.tell(what, "drop 0x13"), "hut state waiting needs-pin", timeout=90)
    story.told("hut changed opening waiting needs-pin", f"hut bond stale {STALE}", "hut state waiting needs-pin")
    assert "true" in air.get("Paired"), "a bond is kept until there is a PIN"
    status, text = check(air)
    assert status == 1 and re.fullmatch(STALE, reason_of(text)), text
    air.row({"forget": "stale", "rekey": "wrong key"}[what], "hut", story, (status, text))
    status, text = air.tool("--no-daemon", air.address(1))
    assert status == 2 and re.fullmatch(STALE, reason_of(text)), text
    assert "true" in air.get("Paired", 1)
    status, text = air.tool("--no-daemon", "--pin", PIN, air.address(1))
    assert status == 0 and "Bond established" in text, text
    story = air.after(air.pair("hut", PIN), "hut state ready none", timeout=90)
    assert '"bonded"' in story.output, story.output
    assert air.now("hut") == ("ready", "none", "verified", "none")


def case_stale(lab):
    forgotten(lab, "forget")


def case_wrong_key(lab):
    forgotten(lab, "rekey")


def case_check_only(lab):
    """What it answers, and that nothing changes: unknown, seen, bonded, not trusted, forgotten."""
    air = Air(lab, "nrf52", "nrf52")
    status, text = check(air)
    assert status == 1 and "not found" in text, text
    status, text = air.tool("--pin", "111111", air.address())  # which shows the other one to bluetoothd, too
    assert status == 2, text
    status, text = check(air)
    assert status == 1 and "found (not paired)" in text, text
    assert air.tool("--pin", PIN, air.address(1))[0] == 0
    lab.run(f"busctl set-property org.bluez {air.device(1)} org.bluez.Device1 Trusted b false")
    status, text = check(air)
    assert status == 0 and "Bond verified — ready to connect" in text and "not trusted" in text, text
    assert air.get("Connected", 1) == "false"
    # by name, with what a program can read
    status, text = air.tool("--check-only", "--json", air.name(1))
    assert status == 0 and '"verified"' in text, text


def case_absent_and_mute(lab):
    """Nobody there, and a radio that is connected and says nothing: no evidence against the bond. All at once, for
    bluetoothd takes its time."""
    air = Air(lab, "esp32", "nrf52", "esp32", "nrf52")
    air.start({"hut": 0, "mast": 1})
    for radio in (2, 3):
        status, text = air.tool("--pin", PIN, air.address(radio))
        assert status == 0, text
    bonds = lab.run("find /var/lib/bluetooth -name info | sort | xargs md5sum")
    tools = "".join(f"({air.tool_command('--no-daemon', '--check-only', air.address(i))}) >/run/tool{i} & " for i in (2, 3))
    story = air.after(
        "; ".join((air.tell("set advertise 0", radio=2), air.tell("set mute 1", radio=3), air.tell("set advertise 0", "drop 0x08"),
                   air.tell("set mute 1", "drop 0x08", radio=1), tools + "wait $(jobs -p)")),
        "hut bond unreachable .*", "mast bond unreachable .*", timeout=120,
    )  # fmt: skip
    story.told("hut changed opening waiting unreachable", "hut bond unreachable unreachable")
    story.told("mast changed opening waiting unreachable", "mast bond unreachable .*")
    # which may be trying again by now
    assert air.now("hut")[2:] == ("unreachable", "unreachable"), air.now("hut")
    assert air.now("mast")[2] == "unreachable", air.now("mast")
    for radio, name, reason, words in ((2, "hut", "unreachable", "does not answer: is it on"),
                                       (3, "mast", "timeout", "The radio is connected but does not answer")):  # fmt: skip
        status, text = parse_tool(lab.run(f"cat /run/tool{radio}"))
        assert (status, reason_of(text)) == (2, reason) and words in text, text
        air.row({2: "absent", 3: "mute"}[radio], name, story, (status, text))
    assert lab.run("find /var/lib/bluetooth -name info | sort | xargs md5sum") == bonds
    story = air.after(
        "; ".join((air.tell("set advertise 1", radio=0), air.tell("set mute 0", radio=1), air.tell("set advertise 1", radio=2),
                   air.tell("set mute 0", radio=3))),
        "hut state ready none", "mast state ready none", timeout=120,
    )  # fmt: skip
    lab.note(f"there again to ready: {story.seconds('hut state ready none'):.1f} s, mute no more: {story.seconds('mast state ready none'):.1f} s")
    status, text = air.tool("--check-only", air.address(2))
    assert status == 0, text
    assert air.heard("pairing request") == 4


def case_connected(lab):
    """A link that somebody else has made is used, and stays."""
    air = both_bonded(lab, "nrf52", "nrf52")
    lab.run(air.stop_daemon() + "; " + air.call("Connect") + " && " + air.call("Connect", radio=1))
    links = air.heard("connected from")
    story = air.after("systemctl start meshcored.service", "hut state ready none")
    status, text = check(air)
    assert status == 0 and "Bond verified" in text, text
    air.row("connected by bluetoothd", "hut", story, (status, text))
    status, text = air.tool("--no-daemon", air.address(1))
    assert status == 0, text
    lab.run("systemctl stop meshcored.service; sleep 3")
    assert air.get("Connected") == air.get("Connected", 1) == "true"
    assert air.heard("connected from") == links, "a link was dropped and made anew"


def case_held(lab):
    """Another program has the notifications: told, and ours when it leaves."""
    air = both_bonded(lab, "nrf52", "nrf52")
    lab.run(
        f"{air.stop_daemon()}; systemd-run --quiet --collect --unit=lab-hold -p StandardOutput=file:/run/hold "
        f"/lab/tools/hold-notify {air.device()} {air.device(1)}; until grep -q held /run/hold; do sleep 0.1; done"
    )
    lab.at_end("systemctl stop lab-hold")
    story = air.after("systemctl start meshcored.service", "hut state waiting refused")
    story.told("hut state waiting refused")
    status, text = check(air)
    assert status == 0 and "another program of this computer talks to the radio" in text, text
    air.row("held by another program", "hut", story, (status, text))
    air.after("systemctl stop lab-hold", "hut state ready none")
    assert air.heard("pairing request") == 2
