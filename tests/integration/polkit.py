# SPDX-License-Identifier: GPL-3.0-or-later
"""Plays polkit's authority, and logind, on the bus whose address is the argument. The test tells it over the bus what to answer:
yes, no, challenge, error, or wait (until the question is taken back, or another answer is set), and reads what was
asked. Sleep says PrepareForSleep, and comes back when nobody delays it any more."""

import os
import sys

from gi.repository import Gio, GLib

XML = """<node>
  <interface name="org.freedesktop.PolicyKit1.Authority">
    <method name="CheckAuthorization">
      <arg type="(sa{sv})" direction="in"/><arg type="s" direction="in"/><arg type="a{ss}" direction="in"/>
      <arg type="u" direction="in"/><arg type="s" direction="in"/>
      <arg type="(bba{ss})" direction="out"/>
    </method>
    <method name="CancelCheckAuthorization"><arg type="s" direction="in"/></method>
  </interface>
  <interface name="org.freedesktop.login1.Manager">
    <method name="Inhibit">
      <arg type="s" direction="in"/><arg type="s" direction="in"/><arg type="s" direction="in"/>
      <arg type="s" direction="in"/><arg type="h" direction="out"/>
    </method>
    <signal name="PrepareForSleep"><arg type="b"/></signal>
  </interface>
  <interface name="org.meshcored1.Test">
    <method name="Delays"><arg type="u" direction="out"/></method>
    <method name="Sleep"><arg type="b" direction="in"/></method>
    <method name="Answer"><arg type="s" direction="in"/></method>
    <method name="Take"><arg type="a(ssus)" direction="out"/><arg type="as" direction="out"/></method>
  </interface>
</node>"""
PATH = "/org/freedesktop/PolicyKit1/Authority"
LOGIND = "/org/freedesktop/login1"


class Authority:
    def __init__(self):
        self.answer = "yes"
        self.asked = []
        self.cancelled = []
        self.waiting = {}
        self.delays = 0

    def delay(self, invocation):
        """A descriptor as logind gives it; counts until it is closed."""
        ours, theirs = os.pipe()
        fds = Gio.UnixFDList.new_from_array([theirs])
        invocation.return_value_with_unix_fd_list(GLib.Variant("(h)", (0,)), fds)
        del fds
        self.delays += 1

        def closed(fd, _condition):
            self.delays -= 1
            os.close(fd)
            return GLib.SOURCE_REMOVE

        GLib.unix_fd_add_full(GLib.PRIORITY_DEFAULT, ours, GLib.IOCondition.HUP, closed)

    def sleep(self, bus, asleep, invocation):
        bus.emit_signal(None, LOGIND, "org.freedesktop.login1.Manager", "PrepareForSleep", GLib.Variant("(b)", (asleep,)))

        def look():
            if asleep and self.delays:
                return GLib.SOURCE_CONTINUE
            invocation.return_value(None)
            return GLib.SOURCE_REMOVE

        GLib.timeout_add(10, look)

    def reply(self, invocation):
        if self.answer == "error":
            invocation.return_dbus_error("org.freedesktop.PolicyKit1.Error.Failed", "played")
            return
        result = {"yes": (True, False), "no": (False, False), "challenge": (False, True)}[self.answer]
        invocation.return_value(GLib.Variant("((bba{ss}))", ((*result, {}),)))

    def on_call(self, bus, sender, _path, _interface, member, arguments, invocation):
        values = arguments.unpack()
        if member == "CheckAuthorization":
            (kind, details), action, _, flags, cancellation = values
            name = details.get("name", kind)
            self.asked.append((name, action, flags, cancellation))
            if self.answer == "wait":
                self.waiting[sender, cancellation] = invocation
            else:
                self.reply(invocation)
        elif member == "CancelCheckAuthorization":
            self.cancelled.append(values[0])
            waiting = self.waiting.pop((sender, values[0]), None)
            if waiting:
                waiting.return_dbus_error("org.freedesktop.PolicyKit1.Error.Cancelled", "taken back")
            invocation.return_value(None)
        elif member == "Inhibit":
            self.delay(invocation)
        elif member == "Delays":
            invocation.return_value(GLib.Variant("(u)", (self.delays,)))
        elif member == "Sleep":
            self.sleep(bus, values[0], invocation)
        elif member == "Answer":
            self.answer = values[0]
            if self.answer != "wait":
                for waiting in self.waiting.values():
                    self.reply(waiting)
                self.waiting = {}
            invocation.return_value(None)
        else:
            invocation.return_value(GLib.Variant("(a(ssus)as)", (self.asked, self.cancelled)))
            self.asked, self.cancelled = [], []


def main():
    authority = Authority()
    bus = Gio.DBusConnection.new_for_address_sync(
        sys.argv[1],
        Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT | Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION,
        None,
        None,
    )
    for interface in Gio.DBusNodeInfo.new_for_xml(XML).interfaces:
        path = LOGIND if "login1" in interface.name else PATH
        bus.register_object(path, interface, authority.on_call, None, None)
    Gio.bus_own_name_on_connection(bus, "org.freedesktop.login1", Gio.BusNameOwnerFlags.NONE, None, None)
    Gio.bus_own_name_on_connection(
        bus, "org.freedesktop.PolicyKit1", Gio.BusNameOwnerFlags.NONE, lambda *_: print("ready", flush=True), None
    )
    GLib.MainLoop().run()


main()
