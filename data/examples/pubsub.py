#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Prints what happens on the mesh, as it happens.

    ./pubsub.py [--session]

Shows the order that loses nothing: subscribe first, then ask for what is
there, and ask again each time the daemon has (re)appeared. Needs python3-gi.
"""

import argparse

from gi.repository import Gio, GLib

NAME, ROOT = "org.meshcored1", "/org/meshcored1"


def say(*words):
    # Names and texts come from strangers: repr() keeps control characters from the terminal.
    print(*(repr(w)[1:-1] if isinstance(w, str) else w for w in words), flush=True)


def on_signal(_bus, _sender, path, interface, signal, arguments):
    arguments = arguments.unpack()
    match interface.removeprefix(NAME + "."), signal:
        case "Messages", "Received":
            _conversation, _message, record = arguments
            where = "channel" if record["Channel"] != "/" else "direct"
            say("message", record["Id"], where, record["Author"] or record["PeerPrefix"], record["Text"])
        case "Messages", "Changed":
            message, state = arguments
            say("delivery", message, state)
        case "Contacts", "AdvertHeard":
            key, advert = arguments
            say("advert", key, advert.get("Name", ""))
        case "Radio", "StateChanged":
            old, new, reason, _details = arguments
            say("radio", path, f"{old} -> {new}", reason)


def on_appeared(bus, _name, _owner):
    """The daemon is there: the signals of a change after this answer come after it."""
    objects = bus.call_sync(
        NAME, ROOT, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", None, None, 0, -1, None
    ).unpack()[0]
    for path, interfaces in sorted(objects.items()):
        if radio := interfaces.get(NAME + ".Radio"):
            say("radio", path, radio["State"], radio["Name"])
        if contact := interfaces.get(NAME + ".Contact"):
            say("contact", contact["Key"], contact["Type"], contact["Name"])


def main():
    parser = argparse.ArgumentParser(description="Print what happens on the mesh.")
    parser.add_argument("--session", action="store_true", help="use the session bus")
    arguments = parser.parse_args()

    kind = Gio.BusType.SESSION if arguments.session else Gio.BusType.SYSTEM
    bus = Gio.bus_get_sync(kind)
    bus.signal_subscribe(NAME, None, None, None, None, Gio.DBusSignalFlags.NONE, on_signal)
    Gio.bus_watch_name_on_connection(
        bus, NAME, Gio.BusNameWatcherFlags.AUTO_START, on_appeared, lambda *_: say("daemon away")
    )
    try:
        GLib.MainLoop().run()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
