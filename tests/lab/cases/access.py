# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may do what, with the real polkit and both implementations of the bus."""

import contextlib
import os
import shutil

import labcase

DENIED = "org.freedesktop.DBus.Error.AccessDenied"
PASSWORD = "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired"
RULES = "/etc/polkit-1/rules.d/50-lab.rules"


USERS = ("stranger", "member", "root")
NO = """polkit.addRule(function(action, subject) {
        if (action.id.indexOf("org.meshcored1.") == 0)
                return polkit.Result.NO;
});
"""
YES = """polkit.addRule(function(action, subject) {
        if (action.id == "org.meshcored1.administer" && subject.isInGroup("meshcore"))
                return polkit.Result.YES;
});
"""


@contextlib.contextmanager
def radio(lab):
    """A radio called sim in the guest, ready, a member and a stranger."""
    shutil.copy(os.path.join(labcase.HERE, "..", "integration", "rights.py"), os.path.join(lab.share, "tools"))
    shutil.copytree(os.path.join(labcase.HERE, "..", "..", "dbus"), os.path.join(lab.share, "dbus"), dirs_exist_ok=True)
    lab.run(
        "id member >/dev/null 2>&1 || useradd -M -G meshcore member; id stranger >/dev/null 2>&1 || useradd -M stranger"
    )
    # the second for the interface that only radios on Bluetooth have; objects are taken from the first otherwise
    lab.configure({"sim": "tcp://127.0.0.1:5001", "tooth": "ble:AA:BB:CC:DD:EE:FF"})
    start(lab)
    try:
        yield
    finally:
        lab.run(f"rm -f {RULES}; systemctl stop sim.service meshcored.service; systemctl unmask --runtime polkit.service",
                check=False)  # fmt: skip


def start(lab):
    lab.run("systemd-run --quiet --collect --unit=sim meshcore-sim --tcp 127.0.0.1:5001 --control /run/sim.socket")
    lab.start_daemon()
    lab.wait_state("sim", "ready")


def set_polkit(lab, situation):
    if situation == "absent":
        lab.run(f"rm -f {RULES}; systemctl mask --runtime --now --quiet polkit.service")
        return
    if situation == "default":
        lab.run(f"rm -f {RULES}")
    else:
        lab.write(RULES, {"no": NO, "yes": YES}[situation])
    # polkitd watches the directory, but a test should not guess when it has looked
    lab.run("systemctl unmask --runtime --quiet polkit.service; systemctl restart polkit.service; "
            "busctl --quiet call org.freedesktop.PolicyKit1 /org/freedesktop/PolicyKit1/Authority "
            "org.freedesktop.PolicyKit1.Authority EnumerateActions s ''")  # fmt: skip


def expected(user, kind, action, polkit):
    """"yes", "no" or "password": what this user is told about a member that needs this right."""
    if user == "root":
        return "yes"
    if user == "stranger" or action == "root":
        return "no"
    if kind != "method":
        return "yes"  # the bus decides about it, polkit is not asked
    if polkit == "no":
        return "no"
    if action == "administer":
        return {"default": "password", "yes": "yes", "absent": "no"}[polkit]
    return "yes"


def try_everything(lab):
    """The table of rights, and that it is as it should be."""
    cells, actions = {}, {}
    wrong = []
    for polkit in ("default", "no", "yes", "absent"):
        set_polkit(lab, polkit)
        # what only the bus decides about need not be tried in each situation: polkit says no, and is not asked
        kinds = "all" if polkit == "no" else "methods"
        for line in lab.run(f"/lab/tools/rights-table {kinds} {' '.join(USERS)}", timeout=240).splitlines():
            user, kind, name, action, error = line.split(" ", 4)
            result = {DENIED: "no", PASSWORD: "password"}.get(error, "yes")
            actions[kind, name] = action
            cells[kind, name, user, polkit] = result
            if result != expected(user, kind, action, polkit):
                wrong.append(f"{user}, polkit {polkit}: {kind} {name} ({action}): {error}")
    assert not wrong, "\n".join(wrong)
    methods = sum(kind == "method" for kind, _ in actions)
    assert len(cells) == 12 * methods + 3 * (len(actions) - methods), (len(cells), len(actions), methods)

    lab.note("kind      member                                      right      root  member; polkit: default no  yes absent"
             "  stranger")  # fmt: skip
    for kind, name in sorted(actions):
        columns = " ".join(f"{cells.get((kind, name, 'member', polkit), ''):8}" for polkit in ("default", "no", "yes", "absent"))
        root, stranger = (cells[kind, name, user, "no"] for user in ("root", "stranger"))
        lab.note(f"{kind:9} {name:43} {actions[kind, name]:10} {root:5} {columns} {stranger}")
    set_polkit(lab, "default")


def case_rights(lab):
    """Every member as root, as a member of the group and as a stranger, with polkit as installed, saying no, saying
    yes, and absent."""
    with radio(lab):
        try_everything(lab)


def check_signals(lab):
    """Both listen since before the name is owned, while it is, over a crash and a restart, and to the end."""
    lab.run("systemctl stop meshcored.service sim.service; rm -f /run/ear-*", check=False)
    for user in ("stranger", "member"):
        lab.run(f"systemd-run --quiet --collect --unit=ear-{user} --uid={user} -p StandardOutput=file:/run/ear-{user} "
                f"/lab/tools/listen; until grep -q listening /run/ear-{user}; do sleep 0.1; done")  # fmt: skip
    start(lab)
    lab.run("meshcorectl --radio sim send Public 'for members only'")
    lab.run("systemctl kill --signal=KILL meshcored.service; until busctl status org.meshcored1 >/dev/null 2>&1; "
            "do sleep 0.1; done")  # fmt: skip
    lab.wait_state("sim", "ready")
    lab.run("systemctl stop meshcored.service")
    lab.run("busctl emit /org/example/End org.meshcored1.End End; "
            "while systemctl --quiet is-active 'ear-*.service'; do sleep 0.1; done")  # fmt: skip
    stranger, member = (lab.run(f"cat /run/ear-{user}; rm /run/ear-{user}") for user in ("stranger", "member"))
    assert stranger.split() == ["listening"], stranger
    # who may listen hears what the other one does not
    for signal in ("StateChanged", "PropertiesChanged", "InterfacesAdded"):
        assert signal in member, member
    lab.note(f"the member heard {member.count(chr(10)) - 1} signals, the stranger none")


def case_stranger_hears_nothing(lab):
    """Not before the name is owned, not while, not after; a member does."""
    with radio(lab):
        check_signals(lab)


def case_dbus_broker(lab):
    """The same on the other implementation of the bus."""
    lab.run("systemctl enable --quiet dbus-broker.service")
    lab.reboot()
    try:
        owner = lab.run("systemctl show -P Id dbus.service").strip()
        assert owner == "dbus-broker.service", owner
        # it starts services by systemd, too
        assert "0.1" in lab.get("/org/meshcored1", "Manager", "Version")
        assert lab.run("systemctl is-active meshcored.service").strip() == "active"
        lab.run("systemctl stop meshcored.service")
        with radio(lab):
            try_everything(lab)
            check_signals(lab)
    finally:
        lab.run("systemctl disable --quiet dbus-broker.service; systemctl enable --quiet dbus.service || :", check=False)
        lab.reboot()
