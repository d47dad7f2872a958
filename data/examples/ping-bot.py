#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Answers the text "ping" with what the radio knows of its way here.

    ./ping-bot.py [--session] [--channel NAME]

Direct texts are answered, and those on the channel if one is named. Nobody is
answered more than once in ten seconds, so that two robots do not talk to each
other for ever. Needs python3-dbus and python3-gi.
"""

import argparse
import math
import time

import dbus
from dbus.mainloop.glib import DBusGMainLoop
from gi.repository import GLib

NAME = "org.meshcored1"
PAUSE = 10  # seconds


def describe(record):
    hops, snr = int(record["Hops"]), float(record["Snr"])
    way = "direct path" if hops == 255 else f"{hops} hop{'s' * (hops != 1)}"
    return f"pong ({way})" if math.isnan(snr) else f"pong ({way}, {snr:g} dB)"


class Bot:
    def __init__(self, bus, channel):
        self.bus = bus
        self.channel = channel
        self.answered = {}  # conversation → when
        # dbus-python takes signals from the owner of the name only, also after the daemon was restarted.
        bus.add_signal_receiver(self.on_received, "Received", NAME + ".Messages", NAME)

    def wants(self, conversation, record):
        if str(record["Text"]).strip().lower() != "ping" or record["Kind"] != "text":
            return False
        if "/contact/" in conversation:
            return True
        if conversation == "/" or self.channel is None:
            return False
        channel = dbus.Interface(self.bus.get_object(NAME, conversation), dbus.PROPERTIES_IFACE)
        return channel.Get(NAME + ".Channel", "Name") == self.channel

    def on_received(self, conversation, _message, record):
        now = time.monotonic()
        if not self.wants(conversation, record) or now - self.answered.get(conversation, -PAUSE) < PAUSE:
            return
        self.answered[conversation] = now
        kind = ".Contact" if "/contact/" in conversation else ".Channel"
        # The token makes a second answer to the same message impossible, whatever is restarted.
        options = dbus.Dictionary({"Token": f"ping-bot-{record['Id']}"}, signature="sv")
        self.bus.get_object(NAME, conversation).SendText(
            describe(record), options, dbus_interface=NAME + kind,
            reply_handler=lambda message: print("answered", message, flush=True),
            error_handler=lambda error: print("not answered:", error.get_dbus_name(), flush=True),
        )  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description='Answer "ping".')
    parser.add_argument("--session", action="store_true", help="use the session bus")
    parser.add_argument("--channel", help="answer on this channel too")
    arguments = parser.parse_args()

    DBusGMainLoop(set_as_default=True)
    bus = dbus.SessionBus() if arguments.session else dbus.SystemBus()
    _bot = Bot(bus, arguments.channel)
    print("listening", flush=True)
    try:
        GLib.MainLoop().run()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
