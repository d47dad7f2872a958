# SPDX-License-Identifier: GPL-3.0-or-later
"""How long things take over Bluetooth, beside the floor: a program of a few lines that asks bluetoothd for the same
over the same link, and what the firmware and the connection events allow at best."""

import json
import re
import shlex

from air import PIN, Air

CONTACTS = 350
# A connection event every 30 ms, which is what both sides agree to, with as many packets as the stacks put into one.
INTERVAL, PER_EVENT = 0.030, {"esp32": 4, "nrf52": 3}
# The firmware leaves that much between two notifications.
SPACING = {"esp32": 0.060, "nrf52": 0}


def control(lab, **command):
    script = ("import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect('/run/sim0-0.socket'); "
              "s.sendall(sys.argv[1].encode() + b'\\n'); print(s.makefile().readline())")  # fmt: skip
    answer = json.loads(lab.run(f"python3 -c {shlex.quote(script)} {shlex.quote(json.dumps(command))}"))
    assert answer["ok"], answer
    return answer


def dump_seconds(lab):
    """From the last request for contacts to the command after the last of them, by the radio's clock; and how many
    commands there were in that session."""
    begun = ended = None
    last = False
    commands = 0
    for line in lab.run("journalctl --no-pager -u lab-sim0-0 -o cat").splitlines():
        found = re.match(r"\s*([0-9.]+) ([<>]) \S+ ([0-9a-f]+)$", line)
        if not found:
            continue
        when, arrow, frame = float(found[1]), found[2], found[3]
        commands = 0 if arrow == ">" and frame.startswith("16") else commands + (arrow == ">")
        if arrow == ">" and last:
            ended = when
        last = arrow == "<" and frame.startswith("04") and len(frame) == 10 or last and arrow == "<"
        if arrow == ">" and frame.startswith("04"):
            begun = when
    return ended - begun, commands


def figures(lab, family):
    air = Air(lab, family, radios=[f"interval={int(INTERVAL * 1000)},per-event={PER_EVENT[family]}"], verbose=True,
              channels=40)  # as the firmware has them
    story = air.start({"hut": 0})
    lab.note(f"{family}: from a start without a bond: paired {story.seconds('hut bond bonded none') - story.seconds('hut bond pairing none'):.2f} s, "
             f"from there to ready {story.seconds('hut state ready none') - story.seconds('hut bond bonded none'):.2f} s")  # fmt: skip
    story = air.after(air.tell("drop 0x08"), "hut state ready none")
    begun = story.seconds("hut state opening none")
    lab.note(f"{family}: reconnect with bond: proven {story.seconds('hut state syncing none') - begun:.2f} s, "
             f"ready {story.seconds('hut state ready none') - begun:.2f} s, nothing new to read")  # fmt: skip

    lab.run(air.stop_daemon() + "; rm -rf /var/lib/meshcored/*")
    have = control(lab, cmd="add-contacts", count=0)["contacts"]
    have = control(lab, cmd="add-contacts", count=CONTACTS - have)["contacts"]
    assert have == CONTACTS, have
    output = lab.run(f"/lab/tools/ble-dump {air.device()}", timeout=120)
    count, floor, question = (float(word) for word in output.split())
    assert count == CONTACTS
    story = air.after("systemctl start meshcored.service", "hut state ready none", timeout=120)
    assert lab.run("busctl tree --list org.meshcored1 | grep -c /contact/").strip() == str(CONTACTS)
    dump, commands = dump_seconds(lab)
    sync = story.seconds("hut state ready none") - story.seconds("hut state syncing none")
    wire = (CONTACTS + 2) * max(SPACING[family], INTERVAL / PER_EVENT[family])
    lab.note(f"{family}: {CONTACTS} contacts: {dump:.2f} s; a bare program {floor:.2f} s, the wire {wire:.2f} s; "
             f"from syncing to ready {sync:.2f} s with {commands} commands of {question * 1000:.0f} ms each")  # fmt: skip
    # the floor is of the same minute and the same machine
    assert dump <= 1.25 * max(floor, wire) + 1, f"{dump:.2f} s for the contacts"


def case_esp32(lab):
    figures(lab, "esp32")


def case_nrf52(lab):
    figures(lab, "nrf52")


def case_bond_check(lab):
    """The answer, and the end of the tool, when all is as it was before; bluetoothd lets go of a link after two seconds,
    which who may not ask the kernel must wait for."""
    air = Air(lab, "nrf52")
    status, text = air.tool("--pin", PIN, air.address())
    assert status == 0, text
    clock = "cut -d' ' -f1 /proc/uptime"
    figures = {}
    for who, prefix in (("as root", ""), ("without CAP_NET_ADMIN", "setpriv --bounding-set=-net_admin --inh-caps=-net_admin ")):
        for _ in range(4):
            before = air.snapshot()
            begun, answered, ended = map(float, lab.run(
                f"{clock}; exec 3< <({prefix}meshcore-bond --check-only {air.address()}); grep -qm1 Result:.*verified <&3 && {clock}; "
                f"cat <&3 >/dev/null; {clock}"
            ).split())  # fmt: skip
            assert air.snapshot() == before
            figures.setdefault(who, []).append((ended - begun, answered - begun))
        lab.note(f"--check-only {who}: " + ", ".join(f"answered after {a:.2f} s, all as before after {e:.2f} s" for e, a in figures[who]))
    # the best of them, for the machine may be busy
    assert min(figures["as root"])[0] < min(figures["without CAP_NET_ADMIN"])[0], figures
    assert min(figures["as root"])[0] <= 2.0, figures
