# SPDX-License-Identifier: GPL-3.0-or-later
"""What every case is made from: a Bed of programs and clients of the bus that
share no code with ours (GDBus here, libdbus through dbus-python in the cases
that compare readers).

A wait runs the main loop until a condition holds, looks again after every
event (and now and then, for what no event of this process tells), and fails
with the story of the signals so far when its time is over.
"""

import contextlib
import os
import time
import unittest

import gi

gi.require_version("Gio", "2.0")
from gi.repository import Gio, GLib  # noqa: E402  pylint: disable=wrong-import-position

from programs import BUS_NAME, TIMEOUT, Bed, Failure  # noqa: E402

ROOT = "/org/meshcored1"
IFACE = BUS_NAME + "."
PROPERTIES = "org.freedesktop.DBus.Properties"
OBJECT_MANAGER = "org.freedesktop.DBus.ObjectManager"
ERROR = BUS_NAME + ".Error."
ACCESS_DENIED = "org.freedesktop.DBus.Error.AccessDenied"


def radio_path(radio):
    return f"{ROOT}/radio/{radio}"


def contact_path(radio, key):
    return f"{ROOT}/radio/{radio}/contact/{key}"


def channel_path(radio, slot):
    return f"{ROOT}/radio/{radio}/channel/{slot}"


class BusError(Exception):
    """An error reply, by name."""

    def __init__(self, error):
        self.name = Gio.DBusError.get_remote_error(error) or ""
        Gio.DBusError.strip_remote_error(error)
        self.text = error.message
        super().__init__(f"{self.name}: {self.text}")


class Signal:
    """One signal as it came."""

    def __init__(self, path, interface, member, arguments):
        self.path = path
        self.interface = interface
        self.member = member
        self.arguments = arguments

    def __repr__(self):
        return f"{self.path} {self.interface.removeprefix(IFACE)}.{self.member}{self.arguments!r}"[:400]


class Client:
    """A connection of its own to the bus. Keeps every signal of the daemon, in order."""

    def __init__(self, address, signals=True):
        self.context = GLib.MainContext.default()
        self.bus = Gio.DBusConnection.new_for_address_sync(
            address,
            Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT | Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION,
            None,
            None,
        )
        self.bus.set_exit_on_close(False)
        self.signals = []
        self._subscriptions = []
        if signals:
            self._subscribe(BUS_NAME, None)
            self._subscribe("org.freedesktop.DBus", "NameOwnerChanged", BUS_NAME)

    def _subscribe(self, sender, member, arg0=None):
        self._subscriptions.append(
            self.bus.signal_subscribe(
                sender, None, member, None, arg0, Gio.DBusSignalFlags.NONE, self._on_signal
            )
        )

    def _on_signal(self, _bus, _sender, path, interface, member, arguments):
        self.signals.append(Signal(path, interface, member, arguments.unpack()))

    def close(self):
        for subscription in self._subscriptions:
            self.bus.signal_unsubscribe(subscription)
        self._subscriptions = []
        if not self.bus.is_closed():
            self.bus.close_sync(None)
        while self.context.iteration(False):
            pass

    # -- calls -----------------------------------------------------------

    def call(self, path, interface, member, signature=None, *arguments, name=BUS_NAME, timeout=TIMEOUT):
        """The results as Python values: one value if there is one, else a tuple."""
        parameters = GLib.Variant(signature, arguments) if signature else None
        if "." not in interface:
            interface = IFACE + interface
        try:
            reply = self.bus.call_sync(
                name, path, interface, member, parameters, None,
                Gio.DBusCallFlags.NO_AUTO_START, int(timeout * 1000), None,
            )  # fmt: skip
        except GLib.Error as error:
            raise BusError(error) from None
        values = reply.unpack()
        return values[0] if len(values) == 1 else values

    def get(self, path, interface, name):
        return self.call(path, PROPERTIES, "Get", "(ss)", IFACE + interface, name)

    def get_all(self, path, interface):
        return self.call(path, PROPERTIES, "GetAll", "(s)", IFACE + interface)

    def tree(self):
        """path → interface without prefix → properties."""
        objects = self.call(ROOT, OBJECT_MANAGER, "GetManagedObjects")
        return {
            path: {name.removeprefix(IFACE): values for name, values in interfaces.items() if name.startswith(IFACE)}
            for path, interfaces in objects.items()
        }

    def contacts(self, radio="sim"):
        """key → properties of Contact."""
        prefix = radio_path(radio) + "/contact/"
        return {p[len(prefix) :]: i["Contact"] for p, i in self.tree().items() if p.startswith(prefix)}

    def channels(self, radio="sim"):
        """slot → properties of Channel."""
        prefix = radio_path(radio) + "/channel/"
        return {int(p[len(prefix) :]): i["Channel"] for p, i in self.tree().items() if p.startswith(prefix)}

    def list_messages(self, radio="sim", filter_=None, from_id=0, limit=500, order=None):
        """One page: a list of (path, record)."""
        options = {"Order": GLib.Variant("s", order)} if order else {}
        return self.call(
            radio_path(radio), "Messages", "List", "(a{sv}tua{sv})", filter_ or {}, from_id, limit, options
        )

    def all_messages(self, radio="sim", filter_=None):
        """All records, oldest first, through pages of 500."""
        records, last = [], 0
        while True:
            page = self.list_messages(radio, filter_, last, 500, "newer")
            if not page:
                return records
            records += [record for _, record in page]
            last = records[-1]["Id"]

    # -- waiting ---------------------------------------------------------

    def wait(self, condition, what, timeout=TIMEOUT):
        """Runs the loop until condition() is true; returns what it gave."""
        expired = []
        timer = GLib.timeout_source_new(int(timeout * 1000))
        timer.set_callback(lambda *_: expired.append(True) or GLib.SOURCE_REMOVE)
        timer.attach(self.context)
        tick = GLib.timeout_source_new(50)
        tick.set_callback(lambda *_: GLib.SOURCE_CONTINUE)
        tick.attach(self.context)
        try:
            while True:
                result = condition()
                if result:
                    return result
                if expired:
                    story = "\n".join(map(repr, self.signals[-40:]))
                    raise Failure(f"{what}: not within {timeout} s; signals so far:\n{story}")
                self.context.iteration(True)
        finally:
            timer.destroy()
            tick.destroy()

    def find_signals(self, member, interface=None, path=None, where=None, since=0):
        return [
            s
            for s in self.signals[since:]
            if s.member == member
            and (interface is None or s.interface == (interface if "." in interface else IFACE + interface))
            and (path is None or s.path == path)
            and (where is None or where(*s.arguments))
        ]

    def wait_signal(self, member, interface=None, path=None, where=None, since=0, count=1, timeout=TIMEOUT):
        """The first (or the count-th) signal that fits among those since the given position; waits for it."""

        def found():
            signals = self.find_signals(member, interface, path, where, since)
            return signals[count - 1] if len(signals) >= count else None

        return self.wait(found, f"signal {interface or ''}.{member} #{count}", timeout)

    def owned(self):
        return self.call(
            "/org/freedesktop/DBus", "org.freedesktop.DBus", "NameHasOwner", "(s)", BUS_NAME,
            name="org.freedesktop.DBus",
        )  # fmt: skip

    def wait_owned(self, owned=True, timeout=TIMEOUT):
        self.wait(lambda: self.owned() == owned, f"{BUS_NAME} owned: {owned}", timeout)

    def get_state(self, radio="sim"):
        """(State, Reason), or (None, None) while there is no such object."""
        try:
            properties = self.get_all(radio_path(radio), "Radio")
        except BusError:
            return None, None
        return properties["State"], properties["Reason"]

    def wait_for_state(self, state, reason=None, radio="sim", timeout=TIMEOUT):
        def reached():
            now = self.get_state(radio)
            return now[0] == state and (reason is None or now[1] == reason)

        self.wait(reached, f"radio {radio} in {state} {reason or ''}", timeout)

    def wait_message_state(self, path, *states, timeout=TIMEOUT):
        """Until the message is in one of the states; returns it."""

        def reached():
            state = self.get(path, "Message", "State")
            return state if state in states else None

        return self.wait(reached, f"{path} in {states}", timeout)

    def wait_until(self, moment):
        """Runs the loop until this time of the monotonic clock: for kills at random moments, not for events."""
        while (left := moment - time.monotonic()) > 0:
            timer = GLib.timeout_source_new(max(1, int(left * 1000)))
            timer.set_callback(lambda *_: GLib.SOURCE_REMOVE)
            timer.attach(self.context)
            self.context.iteration(True)
            timer.destroy()

    def settle(self):
        """Everything that the daemon had sent before this call is in signals afterwards."""
        self.call(ROOT, "org.freedesktop.DBus.Peer", "Ping")
        while self.context.iteration(False):
            pass


class Case(unittest.TestCase):
    """A Bed for each test, and no leftovers after it."""

    maxDiff = 4000

    def setUp(self):
        self.bed = Bed()
        self.clients = []
        self.addCleanup(self.tear_down_bed)

    def tear_down_bed(self):
        for client in self.clients:
            with contextlib.suppress(GLib.Error):
                client.close()
        logs = ""
        if self._failed():
            for program in self.bed.programs:
                logs += f"--- {program.name}\n{program.log()[-6000:]}\n"
        try:
            self.assert_no_leftovers()
        finally:
            self.bed.close()
            if logs:
                print(logs)

    def _failed(self):
        outcome = self._outcome
        if hasattr(outcome, "errors"):  # Python before 3.11
            return any(error for _, error in outcome.errors)
        return not outcome.success

    def assert_no_leftovers(self):
        """Every program ends well when told to, and the daemon leaves only its store."""
        daemon_used = self.bed.daemon is not None
        wrong = self.bed.stop()
        self.assertEqual(wrong, [])
        if daemon_used and os.path.isdir(self.bed.state_dir):
            files = {os.path.relpath(os.path.join(d, f), self.bed.state_dir)
                     for d, _, names in os.walk(self.bed.state_dir) for f in names}  # fmt: skip
            self.assertLessEqual(files, {"store.db", "store.db-wal", "store.db-shm", "spool", "lock"})
        left = self._children()
        self.assertEqual(left, [], "child processes are left")

    @staticmethod
    def _children():
        path = f"/proc/self/task/{os.getpid()}/children"
        if not os.path.exists(path):
            return []
        with open(path, encoding="ascii") as file:
            return file.read().split()

    def client(self, signals=True):
        if self.bed.bus is None:
            self.bed.start_bus()
        client = Client(self.bed.bus.address, signals)
        self.clients.append(client)
        return client

    def start(self, arguments=(), radios=None, state="ready"):
        """One simulated radio called sim, the daemon, and a client that listens
        since before the daemon. Returns (sim, client)."""
        client = self.client()
        sim = self.bed.start_sim(arguments=arguments)
        self.bed.start_daemon(radios or {"sim": sim})
        if state:
            client.wait_for_state(state)
            client.settle()
        return sim, client

    def restart_daemon(self, client, how="terminate", radios=None, state="ready"):
        """Ends the daemon ("kill": SIGKILL) and starts it again."""
        if how == "kill":
            self.bed.daemon.kill()
        else:
            status, _ = self.bed.daemon.terminate()
            self.assertEqual(status, 0)
        self.bed.programs.remove(self.bed.daemon)
        client.wait_owned(False)
        self.bed.start_daemon(radios)
        if state:
            client.wait_for_state(state)

    def assert_bus_error(self, name, function, *arguments, **options):
        """The call fails with this error of ours; returns its text."""
        with self.assertRaises(BusError) as caught:
            function(*arguments, **options)
        self.assertEqual(caught.exception.name, name if "." in name else ERROR + name, caught.exception.text)
        self.assertNotEqual(caught.exception.text, "")
        return caught.exception.text

    def received(self, client, radio="sim", since=0):
        """The records of Received so far, in order."""
        return [s.arguments[2] for s in client.find_signals("Received", "Messages", radio_path(radio), since=since)]
