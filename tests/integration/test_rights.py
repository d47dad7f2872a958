# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may do what on the system bus: every method as root, as a member of the group and as a stranger, with polkit
saying yes and no, with one that is broken, and without any."""

import grp
import os
import pwd
import time
import unittest

from gi.repository import Gio, GLib

import rights
from fixture import ACCESS_DENIED, PROPERTIES, ROOT, TIMEOUT, BusError, Case, radio_path
from programs import Program, find_program
from systembus import Polkit, PolicyBus, user
from test_node import Pending

# any user and group that every Debian has; the policy is made to mean this group
MEMBER = "games"
STRANGER = "nobody"
INTERACTIVE = "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired"
POLKIT = "org.freedesktop.PolicyKit1"
AUTHORITY = "/org/freedesktop/PolicyKit1/Authority"


@unittest.skipUnless(os.geteuid() == 0, "only root can be somebody else")
class Tests(Case):
    def setUp(self):
        super().setUp()
        self.bed.bus = self.bed._add(PolicyBus(self.bed.directory, group=grp.getgrgid(pwd.getpwnam(MEMBER).pw_gid)[0]))
        self.polkit = None

    def client_as(self, name):
        entry = pwd.getpwnam(name)
        with user(entry.pw_uid, entry.pw_gid):
            return self.client()

    def start_polkit(self):
        self.polkit = self.bed._add(Polkit(self.bed.bus, self.bed.directory))

    def start_system(self):
        """The daemon on the system bus with one radio; returns root's client."""
        root = self.client()
        sim = self.bed.start_sim()
        # the second for the interface that only radios on Bluetooth have; objects are taken from the first otherwise
        self.bed.write_config({"sim": sim, "tooth": "ble:AA:BB:CC:DD:EE:FF"})
        self.bed.daemon = self.bed._add(
            Program(
                "meshcored", [find_program("meshcored"), "--config", self.bed.config, "--state-dir", self.bed.state_dir],
                self.bed.directory, dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=self.bed.bus.address),
            )
        )  # fmt: skip
        root.wait_for_state("ready")
        return root

    def test_table_of_defaults(self):
        """What we install: polkit's defaults and the annotation without which a service that isn't root may not
        ask."""
        import xml.etree.ElementTree as ElementTree

        path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "data", "org.meshcored1.policy")
        defaults = {}
        for action in ElementTree.parse(path).getroot().iter("action"):
            values = {element.text for element in action.find("defaults")}
            self.assertEqual(len(action.find("defaults")), 3)
            self.assertEqual([(a.get("key"), a.text) for a in action.iter("annotate")],
                             [("org.freedesktop.policykit.owner", "unix-user:meshcored")])  # fmt: skip
            defaults[action.get("id")] = values
        self.assertEqual(defaults, {
            "org.meshcored1.read": {"yes"}, "org.meshcored1.send": {"yes"}, "org.meshcored1.configure": {"yes"},
            "org.meshcored1.administer": {"auth_admin"},
        })  # fmt: skip

    # -- polkit ------------------------------------------------------------

    def answer(self, root, answer):
        root.call(AUTHORITY, "org.meshcored1.Test", "Answer", "(s)", answer, name=POLKIT)

    def asked(self, root):
        return root.call(AUTHORITY, "org.meshcored1.Test", "Take", name=POLKIT)

    def outcome(self, client, method, path):
        """The name of the error, or "ok"."""
        # a descriptor for those who want one
        with open(os.devnull, "rb") as null:
            fds = Gio.UnixFDList()
            fds.append(null.fileno())
            try:
                # what takes the mesh long is allowed, which is all that is asked here
                client.bus.call_with_unix_fd_list_sync(
                    "org.meshcored1", path, method.interface, method.name,
                    GLib.Variant(method.signature, method.arguments()), None, Gio.DBusCallFlags.NO_AUTO_START, 2000, fds,
                    None,
                )  # fmt: skip
            except GLib.Error as error:
                return Gio.DBusError.get_remote_error(error) or ""
        return "ok"

    def all_objects(self, root):
        objects = root.call(ROOT, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects")
        paths = rights.paths(objects)
        # whatever channel is left: some methods take objects away
        message = root.call(paths["org.meshcored1.Channel"], "Channel", "SendText", "(sa{sv})", "hello", {})
        return {**paths, "org.meshcored1.Message": message}

    @staticmethod
    def stop_first(methods):
        """What asks the mesh has its answer at once while the radio is stopped."""
        return sorted(methods, key=lambda m: m.short != "Radio.Stop")

    def test_every_method(self):
        root = self.start_system()
        member, stranger = self.client_as(MEMBER), self.client_as(STRANGER)
        paths = self.all_objects(root)
        methods = rights.methods()
        self.assertGreater(len(methods), 10)
        self.assertLessEqual({m.interface for m in methods}, set(paths))
        table = {m.short: [m.action] for m in methods}

        # nobody asks polkit about root, the bus stops a stranger
        self.start_polkit()
        self.answer(root, "no")
        for m in methods:
            self.assertEqual(self.outcome(stranger, m, paths[m.interface]), ACCESS_DENIED, m.short)
        self.assertEqual(self.asked(root), ([], []))

        name = member.bus.get_unique_name()
        for m in methods:
            table[m.short].append(self.outcome(member, m, paths[m.interface]))
            self.assertEqual(table[m.short][-1], ACCESS_DENIED, m.short)
            asked = [a[:3] for a in self.asked(root)[0]]
            self.assertEqual(asked, [(name, "org.meshcored1." + m.action, 0)], m.short)

        # a challenge without leave to ask somebody
        self.answer(root, "challenge")
        for m in methods:
            self.assertEqual(self.outcome(member, m, paths[m.interface]), INTERACTIVE, m.short)

        self.answer(root, "error")
        for m in methods:
            self.assertEqual(self.outcome(member, m, paths[m.interface]), ACCESS_DENIED, m.short)

        # Without polkit; what is allowed is only tried once for each, as it acts.
        self.polkit.kill()
        for m in methods:
            if m.action == "administer":
                self.assertEqual(self.outcome(member, m, paths[m.interface]), ACCESS_DENIED, m.short)

        for m in self.stop_first(methods):
            # again each time: it may just have been deleted
            paths = {**paths, **self.all_objects(root)}
            self.assertNotIn(self.outcome(root, m, paths[m.interface]), (ACCESS_DENIED, INTERACTIVE), m.short)
        for name, row in sorted(table.items()):
            print(f"{name:30} {row[0]:12} stranger: never, member: polkit, root: always")

    def test_request_of_another(self):
        """A request is its owner's; who else may look at it may not cancel it."""
        root = self.start_system()
        member = self.client_as(MEMBER)
        stranger = self.client_as(STRANGER)
        call, path = self.ask(root, root)
        self.assert_bus_error(ACCESS_DENIED, member.call, path, "Request", "Cancel")
        self.assert_bus_error(ACCESS_DENIED, stranger.call, path, "Request", "Cancel")
        root.call(path, "Request", "Cancel")
        with self.assertRaises(BusError):
            call.wait(root)
        call, path = self.ask(root, member)
        self.assertEqual(root.get(path, "Request", "OwnerUID"), pwd.getpwnam(MEMBER).pw_uid)
        self.assert_bus_error(ACCESS_DENIED, stranger.call, path, "Request", "Cancel")
        member.call(path, "Request", "Cancel")
        with self.assertRaises(BusError):
            call.wait(member)

    @staticmethod
    def ask(root, client):
        """A question to a node that takes a while: (the call, its request)."""
        node = next(p for p, i in root.tree().items() if i.get("Contact", {}).get("Type") == "room")
        call = Pending(client, node, "Node", "GetStatus", "(a{sv})", {})
        return call, root.wait(lambda: next((p for p in root.tree() if "/request/" in p), None), "the request")

    def test_every_property(self):
        """What is read without a method is for members, whatever polkit says, and for nobody else; the log is
        root's."""
        root = self.start_system()
        member, stranger = self.client_as(MEMBER), self.client_as(STRANGER)
        self.start_polkit()
        self.answer(root, "no")
        call, path = self.ask(root, root)
        paths = {**self.all_objects(root), rights.REQUEST: path}
        properties = rights.members("property")
        self.assertGreater(len(properties), 10)
        for p in properties:
            self.assertEqual((p.access, p.action), ("read", "read"), p.short)
            arguments = (paths[p.interface], PROPERTIES, "Get", "(ss)", p.interface, p.name)
            self.assert_bus_error(ACCESS_DENIED, stranger.call, *arguments)
            for client in (member, root):
                client.call(*arguments)
        log = ("/org/freedesktop/LogControl1", PROPERTIES, "Set", "(ssv)", "org.freedesktop.LogControl1", "LogLevel",
               GLib.Variant("s", "info"))  # fmt: skip
        for client in (member, stranger):
            self.assert_bus_error(ACCESS_DENIED, client.call, *log)
        root.call(*log)
        for path, interface, name in ((ROOT, "ObjectManager", "GetManagedObjects"), (ROOT, "Introspectable", "Introspect"),
                                      (ROOT, "Peer", "Ping")):  # fmt: skip
            self.assert_bus_error(ACCESS_DENIED, stranger.call, path, "org.freedesktop.DBus." + interface, name)
        self.assertEqual(self.asked(root), ([], []))
        root.call(paths[rights.REQUEST], "Request", "Cancel")
        with self.assertRaises(BusError):
            call.wait(root)

    def test_every_method_allowed(self):
        """A member whom polkit allows all is root's equal."""
        root = self.start_system()
        self.start_polkit()
        member = self.client_as(MEMBER)
        for m in self.stop_first(rights.methods()):
            paths = self.all_objects(root)
            self.assertNotIn(self.outcome(member, m, paths[m.interface]), (ACCESS_DENIED, INTERACTIVE), m.short)

    def test_member_without_polkit(self):
        self.start_system()
        member = self.client_as(MEMBER)
        path = member.call(radio_path("sim"), "Radio", "SendText", "(ssa{sv})", "Public", "from a member", {})
        member.call(path, "Message", "MarkRead")
        self.assert_bus_error(ACCESS_DENIED, member.call, radio_path("sim") + "/channel/0", "Channel", "GetSecret")

    def test_texts_in_order(self):
        """Calls that wait for polkit keep their order, and each is done once."""
        root = self.start_system()
        self.start_polkit()
        member = self.client_as(MEMBER)
        self.answer(root, "wait")
        replies = []
        for i in range(20):
            member.bus.call(
                "org.meshcored1", radio_path("sim"), "org.meshcored1.Radio", "SendText",
                GLib.Variant("(ssa{sv})", ("Public", f"number {i}", {})), None, Gio.DBusCallFlags.NONE, -1, None,
                lambda bus, result, i=i: replies.append((i, bus.call_finish(result))),
            )  # fmt: skip
        member.wait(lambda: len(self.peek(root)) == 20, "20 questions to polkit")
        self.answer(root, "yes")
        member.wait(lambda: len(replies) == 20, "20 replies")
        self.assertEqual([i for i, _ in replies], list(range(20)))
        texts = [r["Text"] for r in root.all_messages() if r["Text"].startswith("number")]
        self.assertEqual(texts, [f"number {i}" for i in range(20)])

    def peek(self, root):
        """What polkit was asked, added up."""
        self._asked = getattr(self, "_asked", []) + self.asked(root)[0]
        return self._asked

    def test_person_is_asked(self):
        """The interactive flag is handed on, and a caller who goes takes the question back."""
        root = self.start_system()
        self.start_polkit()
        self.answer(root, "wait")
        member, other = self.client_as(MEMBER), self.client_as(MEMBER)
        done = []
        for client in (member, other):
            client.bus.call(
                "org.meshcored1", radio_path("sim") + "/channel/0", "org.meshcored1.Channel", "GetSecret", None, None,
                Gio.DBusCallFlags.ALLOW_INTERACTIVE_AUTHORIZATION, -1, None,
                lambda bus, result: done.append(bus.call_finish(result)) if not bus.is_closed() else None,
            )  # fmt: skip
        asked = root.wait(lambda: self.peek(root) if len(self.peek(root)) == 2 else None, "two questions to polkit")
        self.assertEqual({a[2] for a in asked}, {1})
        gone = next(a for a in asked if a[0] == other.bus.get_unique_name())
        other.bus.close_sync(None)
        cancelled = []
        root.wait(lambda: cancelled.extend(self.asked(root)[1]) or cancelled, "the question is taken back")
        self.assertEqual(cancelled, [gone[3]])
        self.assertEqual(done, [])

        self.answer(root, "yes")
        member.wait(lambda: done, "the secret")
        self.assertEqual(len(done[0].unpack()[0]), 16)

    def test_stop_while_asking(self):
        """The daemon ends, and a bus that goes away, with questions open."""
        root = self.start_system()
        self.start_polkit()
        self.answer(root, "wait")
        member = self.client_as(MEMBER)
        errors = []

        def failed(bus, result):
            try:
                bus.call_finish(result)
            except GLib.Error as error:
                errors.append(Gio.DBusError.get_remote_error(error))

        member.bus.call(
            "org.meshcored1", radio_path("sim"), "org.meshcored1.Radio", "Ping", None, None, Gio.DBusCallFlags.NONE, -1,
            None, failed,
        )  # fmt: skip
        root.wait(lambda: self.peek(root), "a question to polkit")
        self.assertEqual(self.bed.daemon.terminate(TIMEOUT)[0], 0)
        member.wait(lambda: errors, "an answer")
        self.assertEqual(errors, ["org.meshcored1.Error.Cancelled"])

    def test_questions_have_a_limit(self):
        """While polkit thinks, one user has so many questions open and no more, and others are not kept waiting."""
        root = self.start_system()
        self.start_polkit()
        self.answer(root, "wait")
        # a connection has a limit of its own, which the bus sets
        members = [self.client_as(MEMBER) for _ in range(3)]
        errors = []

        def failed(bus, result):
            try:
                bus.call_finish(result)
            except GLib.Error as error:
                errors.append(Gio.DBusError.get_remote_error(error))

        for member in members * 88:
            member.bus.call(
                "org.meshcored1", radio_path("sim"), "org.meshcored1.Radio", "Ping", None, None, Gio.DBusCallFlags.NONE,
                -1, None, failed,
            )  # fmt: skip
        root.wait(lambda: len(errors) >= 8, "the refusals")
        root.call(radio_path("sim"), "Contacts", "Find", "(s)", "nobody")
        self.assertEqual(errors, ["org.meshcored1.Error.InProgress"] * 8)
        self.answer(root, "no")
        root.wait(lambda: len(errors) == 264, "the answers")
        self.assertEqual(set(errors[8:]), {ACCESS_DENIED})

    def test_polkit_is_quick(self):
        """A member's call costs one question more; shown, not judged."""
        root = self.start_system()
        member = self.client_as(MEMBER)
        self.start_polkit()
        for name, client in (("root", root), ("member", member)):
            start = time.monotonic()
            for _ in range(100):
                client.call(radio_path("sim"), "Contacts", "Find", "(s)", "nobody")
            print(f"{name}: {(time.monotonic() - start) * 10:.2f} ms a call")
