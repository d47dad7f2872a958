# SPDX-License-Identifier: GPL-3.0-or-later
"""The service on a booted system."""

# cheap, and the same on a busy machine
CORE = ("starts_and_stops",)


def case_starts_and_stops(lab):
    """Started means ready (Type=notify), stopped means a clean end."""
    lab.start_daemon()
    version = lab.run("meshcorectl status")
    assert version, version
    lab.run("systemctl stop meshcored.service")
    assert lab.run("systemctl show -P Result meshcored.service").strip() == "success"
