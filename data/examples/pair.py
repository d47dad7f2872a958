#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Pairs a radio on Bluetooth with the PIN that it shows.

    ./pair.py [--session] [RADIO]

RADIO is the identifier of a radio in the configuration; it may be left out
when there is only one on Bluetooth. The PIN is asked for, or read from
standard input; it is no argument, because every user of the computer sees
those. Needs python3-gi, and the right to administer.
"""

import argparse
import getpass
import re
import sys

from gi.repository import Gio, GLib

NAME, ROOT = "org.meshcored1", "/org/meshcored1"


def find_radio(bus, wanted):
    objects = bus.call_sync(
        NAME, ROOT, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", None, None, 0, -1, None
    ).unpack()[0]
    radios = {i[NAME + ".Radio"]["Id"]: (path, i) for path, i in objects.items() if NAME + ".Radio" in i}
    if wanted is not None and wanted not in radios:
        sys.exit(f"there is no radio {wanted}; there are: {', '.join(sorted(radios)) or 'none'}")
    # A radio that can be paired has the interface; one on TCP or serial has not.
    able = {name: path for name, (path, i) in radios.items() if NAME + ".Pairing" in i}
    if wanted is not None and wanted not in able:
        sys.exit(f"{wanted} is not a radio on Bluetooth")
    if wanted is None and len(able) != 1:
        sys.exit(f"name one of these radios: {', '.join(sorted(able))}" if able else "no radio is on Bluetooth")
    return able[wanted or next(iter(able))]


def read_pin():
    pin = getpass.getpass("PIN: ") if sys.stdin.isatty() else sys.stdin.readline()
    if not re.fullmatch(r"[0-9]{6}", pin.strip()):
        sys.exit("a PIN has six digits")
    return pin.strip()


def main():
    parser = argparse.ArgumentParser(description="Pair a radio on Bluetooth.")
    parser.add_argument("--session", action="store_true", help="use the session bus")
    parser.add_argument("radio", nargs="?", metavar="RADIO")
    arguments = parser.parse_args()

    bus = Gio.bus_get_sync(Gio.BusType.SESSION if arguments.session else Gio.BusType.SYSTEM)
    try:
        path = find_radio(bus, arguments.radio)
        options = {"Passkey": GLib.Variant("s", read_pin())}
        # Pairing takes as long as a person does; polkit may want to ask for a password.
        reply = bus.call_sync(
            NAME, path, NAME + ".Pairing", "Pair", GLib.Variant("(a{sv})", (options,)), None,
            Gio.DBusCallFlags.ALLOW_INTERACTIVE_AUTHORIZATION, GLib.MAXINT32, None,
        )  # fmt: skip
    except GLib.Error as error:
        cause = Gio.DBusError.get_remote_error(error) or "error"
        Gio.DBusError.strip_remote_error(error)
        sys.exit(f"{cause}: {error.message}")
    print(reply.unpack()[0])


if __name__ == "__main__":
    main()
