# SPDX-License-Identifier: GPL-3.0-or-later
"""The service on a booted system."""


def case_boots_to_active(lab):
    """Enabled, it is started by systemd at boot, as its own user, and is active when the name is there."""
    lab.run("systemctl enable --quiet meshcored.service")
    lab.reboot()
    lab.run("systemctl is-system-running --wait", check=False)
    assert lab.run("systemctl is-active meshcored.service").strip() == "active"
    assert lab.run("ps -o user= -p $(systemctl show -P MainPID meshcored.service)").strip() == "meshcored"
    owner = lab.run("busctl call org.freedesktop.DBus /org/freedesktop/DBus org.freedesktop.DBus NameHasOwner s "
                    "org.meshcored1")  # fmt: skip
    assert owner.strip() == "b true", owner
    assert "0.1" in lab.get("/org/meshcored1", "Manager", "Version")
    assert lab.run("stat -c '%U %a' /var/lib/meshcored").split() == ["meshcored", "700"]
    lab.run("systemctl disable --quiet meshcored.service")


def case_starts_and_stops(lab):
    """Started means ready (Type=notify), stopped means a clean end."""
    lab.start_daemon()
    version = lab.run("meshcorectl status")
    assert version, version
    lab.run("systemctl stop meshcored.service")
    assert lab.run("systemctl show -P Result meshcored.service").strip() == "success"
