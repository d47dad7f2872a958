# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may do what, with the real polkit and both implementations of the bus."""

import contextlib
import os
import shutil

import labcase

DENIED = "org.freedesktop.DBus.Error.AccessDenied"
PASSWORD = "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired"
RULES = "/etc/polkit-1/rules.d/50-lab.rules"


@contextlib.contextmanager
def radio(lab):
    """A radio called sim in the guest, ready, a member and a stranger."""
    shutil.copy(os.path.join(labcase.HERE, "..", "integration", "rights.py"), os.path.join(lab.share, "tools"))
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
    lab.run("systemd-run --quiet --collect --unit=sim meshcore-sim --tcp 127.0.0.1:5001")
    lab.start_daemon()
    lab.wait_state("sim", "ready")


def table(lab, *users):
    """(user, action) → the results of all its methods."""
    results, methods = {}, 0
    for line in lab.run("/lab/tools/rights-table " + " ".join(users), timeout=120).splitlines():
        user, _, action, result = line.split(" ", 3)
        results.setdefault((user, action), []).append(result)
        methods += 1
    return results, methods // len(users)


def allowed(results):
    return not {DENIED, PASSWORD} & set(results)


def check_defaults(lab):
    """The same on every bus."""
    results, methods = table(lab, "stranger", "member", "root")
    lab.note(f"{methods} methods as stranger, member and root")
    assert methods > 10
    for action in ("read", "send", "configure", "administer"):
        assert set(results["stranger", action]) == {DENIED}, results["stranger", action]
        assert allowed(results["root", action]), results["root", action]
    for action in ("read", "send", "configure"):
        assert allowed(results["member", action]), results["member", action]
    assert set(results["member", "administer"]) == {PASSWORD}, results["member", "administer"]


def set_rule(lab, text):
    lab.write(RULES, text)
    # polkitd watches the directory, but a test should not guess when it has looked
    lab.run("systemctl restart polkit.service")


def case_defaults(lab):
    with radio(lab):
        check_defaults(lab)


def case_polkit_no(lab):
    """A rule takes everything away from a member."""
    with radio(lab):
        set_rule(lab, 'polkit.addRule(function(action, subject) {\n'
                      ' if (action.id.indexOf("org.meshcored1.") == 0 && subject.user == "member")'
                      ' return polkit.Result.NO; });\n')  # fmt: skip
        results, _ = table(lab, "member", "root")
        for action in ("read", "send", "configure", "administer"):
            assert set(results["member", action]) == {DENIED}, results["member", action]
            assert allowed(results["root", action]), results["root", action]


def case_polkit_yes(lab):
    """A rule gives a member what only root has otherwise."""
    with radio(lab):
        set_rule(lab, 'polkit.addRule(function(action, subject) {\n'
                      ' if (action.id == "org.meshcored1.administer" && subject.isInGroup("meshcore"))'
                      ' return polkit.Result.YES; });\n')  # fmt: skip
        results, _ = table(lab, "stranger", "member")
        for action in ("read", "send", "configure", "administer"):
            assert allowed(results["member", action]), results["member", action]
            assert set(results["stranger", action]) == {DENIED}, results["stranger", action]


def case_polkit_absent(lab):
    """Without polkit administer needs root, and the rest is as ever."""
    with radio(lab):
        lab.run("systemctl mask --runtime --now --quiet polkit.service")
        results, _ = table(lab, "stranger", "member", "root")
        for action in ("read", "send", "configure", "administer"):
            assert set(results["stranger", action]) == {DENIED}, results["stranger", action]
            assert allowed(results["root", action]), results["root", action]
        for action in ("read", "send", "configure"):
            assert allowed(results["member", action]), results["member", action]
        assert set(results["member", "administer"]) == {DENIED}, results["member", "administer"]


def check_stranger_hears_nothing(lab):
    lab.run("systemctl stop meshcored.service sim.service ear.service; rm -f /run/ear", check=False)
    lab.run("systemd-run --quiet --collect --unit=ear --uid=stranger -p StandardOutput=file:/run/ear /lab/tools/listen; "
            "until grep -q listening /run/ear; do sleep 0.1; done")  # fmt: skip
    start(lab)
    lab.run("meshcorectl --radio sim send Public 'for members only'")
    lab.run("systemctl stop meshcored.service")
    lab.run("busctl emit /org/example/End org.meshcored1.End End; "
            "while systemctl --quiet is-active ear.service; do sleep 0.1; done")  # fmt: skip
    heard = lab.run("cat /run/ear; rm /run/ear")
    assert heard.split() == ["listening"], heard


def case_stranger_hears_nothing(lab):
    """Not before the name is owned, not while, not after."""
    with radio(lab):
        check_stranger_hears_nothing(lab)


def case_member_hears(lab):
    """The check above can fail: a member hears a lot."""
    with radio(lab):
        lab.run("systemctl stop meshcored.service ear.service; rm -f /run/ear", check=False)
        lab.run("systemd-run --quiet --collect --unit=ear --uid=member -p StandardOutput=file:/run/ear "
                "/lab/tools/listen; until grep -q listening /run/ear; do sleep 0.1; done")  # fmt: skip
        lab.start_daemon()
        lab.wait_state("sim", "ready")
        lab.run("busctl emit /org/example/End org.meshcored1.End End; "
                "while systemctl --quiet is-active ear.service; do sleep 0.1; done")  # fmt: skip
        assert "StateChanged" in lab.run("cat /run/ear; rm /run/ear")


def case_dbus_broker(lab):
    """The same on the other implementation of the bus."""
    lab.run("systemctl enable --quiet dbus-broker.service")
    lab.reboot()
    try:
        owner = lab.run("systemctl show -P Id dbus.service").strip()
        assert owner == "dbus-broker.service", owner
        with radio(lab):
            check_defaults(lab)
            check_stranger_hears_nothing(lab)
    finally:
        lab.run("systemctl disable --quiet dbus-broker.service; systemctl enable --quiet dbus.service || :", check=False)
        lab.reboot()
