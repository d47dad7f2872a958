# SPDX-License-Identifier: GPL-3.0-or-later
"""Start, the tree of objects, and how others read it."""

import glob
import os
import xml.etree.ElementTree as ElementTree

import dbus

from fixture import OBJECT_MANAGER, ROOT, Case, Gio, channel_path, contact_path, radio_path
from programs import BUS_NAME, QUIET


def plain(value):
    """dbus-python's types as Python's."""
    if isinstance(value, dbus.Dictionary):
        return {plain(k): plain(v) for k, v in value.items()}
    if isinstance(value, (dbus.Array, list)):
        return [plain(v) for v in value]
    if isinstance(value, (dbus.Struct, tuple)):
        return tuple(plain(v) for v in value)
    if isinstance(value, dbus.Boolean):
        return bool(value)
    if isinstance(value, dbus.Byte):
        return int(value)
    if isinstance(value, (dbus.String, dbus.ObjectPath)):
        return str(value)
    if isinstance(value, dbus.Double):
        return "nan" if value != value else float(value)
    return int(value)


def without_nan(value):
    if isinstance(value, dict):
        return {k: without_nan(v) for k, v in value.items()}
    return "nan" if isinstance(value, float) and value != value else value


class Tests(Case):
    def test_ready(self):
        """From start to ready; the state is told in order from when the name is owned; the tree has every kind of object."""
        sim, client = self.start()
        # what happened before the name was owned is not told
        states = [s.arguments[1] for s in client.find_signals("StateChanged", "Radio")]
        order = ["opening", "syncing", "ready"]
        self.assertEqual(states, order[len(order) - len(states) :])
        tree = client.tree()
        self.assertEqual(set(tree[radio_path("sim")]), {"Radio", "Contacts", "Channels", "Messages", "Monitor"})
        radio = tree[radio_path("sim")]["Radio"]
        self.assertEqual(radio["Id"], "sim")
        self.assertEqual(radio["Transport"], "tcp")
        self.assertEqual((radio["State"], radio["Reason"]), ("ready", "none"))
        self.assertEqual((radio["LastError"], radio["LastErrorMessage"]), ("", ""))
        self.assertRegex(radio["PublicKey"], "^[0-9a-f]{64}$")
        self.assertGreater(len(client.contacts()), 0)
        self.assertGreater(len(client.channels()), 0)
        counts = tree[radio_path("sim")]["Contacts"]
        self.assertEqual(counts["Count"], len(client.contacts()))
        for key, contact in client.contacts().items():
            self.assertEqual(contact["Key"], key)
            self.assertIn(contact_path("sim", key), tree)
        for slot, channel in client.channels().items():
            self.assertEqual(channel["Slot"], slot)
            self.assertIn(channel_path("sim", slot), tree)
        version = self.bed.run("meshcored", "--version").stdout
        self.assertIn(client.get(ROOT, "Manager", "Version"), version)
        self.assertEqual(sim.control("stats")["connections"], 1)

    def test_signals_only_with_name(self):
        """Nothing is signalled before the name is owned: the first thing heard is the name."""
        _, client = self.start()
        self.assertEqual(client.signals[0].member, "NameOwnerChanged")

    def test_readers_agree(self):
        """GDBusObjectManagerClient, libdbus and a plain call see the same objects and values."""
        sim, client = self.start()
        sender = next(c["Name"] for c in client.contacts().values() if c["Type"] == "chat")
        sim.control("text", from_=sender, text="for every reader", count=3)
        client.wait_signal("Received", "Messages", count=3)
        client.settle()

        manager = Gio.DBusObjectManagerClient.new_sync(
            client.bus, Gio.DBusObjectManagerClientFlags.DO_NOT_AUTO_START, BUS_NAME, ROOT, None, None, None
        )
        by_gio = {}
        for item in manager.get_objects():
            interfaces = by_gio.setdefault(item.get_object_path(), {})
            for proxy in item.get_interfaces():
                name = proxy.get_interface_name()
                if name.startswith(BUS_NAME):
                    values = {p: proxy.get_cached_property(p) for p in proxy.get_cached_property_names() or []}
                    interfaces[name.removeprefix(BUS_NAME + ".")] = {p: v.unpack() for p, v in values.items()}

        connection = dbus.bus.BusConnection(self.bed.bus.address)
        proxy = connection.get_object(BUS_NAME, ROOT)
        objects = plain(dbus.Interface(proxy, OBJECT_MANAGER).GetManagedObjects())
        by_libdbus = {
            path: {n.removeprefix(BUS_NAME + "."): v for n, v in interfaces.items() if n.startswith(BUS_NAME)}
            for path, interfaces in objects.items()
        }
        connection.close()

        tree = {p: {i: without_nan(v) for i, v in interfaces.items()} for p, interfaces in client.tree().items()}
        self.assertEqual({p: {i: without_nan(v) for i, v in x.items()} for p, x in by_gio.items()}, tree)
        self.assertEqual(by_libdbus, tree)
        self.assertGreaterEqual(len([p for p in tree if "/message/" in p]), 3)

    def test_object_manager_follows(self):
        """A GDBusObjectManagerClient follows what comes and changes afterwards without asking again."""
        sim, client = self.start()
        manager = Gio.DBusObjectManagerClient.new_sync(
            client.bus, Gio.DBusObjectManagerClientFlags.DO_NOT_AUTO_START, BUS_NAME, ROOT, None, None, None
        )
        before = {o.get_object_path() for o in manager.get_objects()}
        sim.control("add-contacts", count=2)
        sim.control("link", action="drop")
        client.wait_signal("StateChanged", "Radio", where=lambda old, new, *_: old == "ready")
        seen = len(client.signals)
        client.wait_signal("StateChanged", "Radio", where=lambda old, new, *_: new == "ready", since=seen - 1)
        client.settle()
        after = {o.get_object_path() for o in manager.get_objects()}
        self.assertEqual(after, set(client.tree()))
        self.assertEqual(len(after - before), 2)
        proxy = manager.get_interface(radio_path("sim"), BUS_NAME + ".Radio")
        self.assertEqual(proxy.get_cached_property("State").unpack(), "ready")

    def every_kind(self):
        sim, client = self.start()
        contact = next(c for c in client.contacts().values() if c["Type"] == "chat")
        repeater = next(c for c in client.contacts().values() if c["Type"] == "repeater")
        sim.control("text", from_=contact["Name"], text="introspect me")
        message = client.wait_signal("Received", "Messages").arguments[1]
        return client, {
            ROOT: {"Manager"},
            radio_path("sim"): {"Radio", "Contacts", "Channels", "Messages"},
            contact_path("sim", contact["Key"]): {"Contact"},
            contact_path("sim", repeater["Key"]): {"Contact", "Node"},
            channel_path("sim", next(iter(client.channels()))): {"Channel"},
            message: {"Message"},
        }

    def test_busctl(self):
        """busctl tree and busctl introspect understand every kind of object."""
        client, kinds = self.every_kind()
        options = ["--address=" + self.bed.bus.address]
        tree = self.bed.run("busctl", *options, "tree", "--list", BUS_NAME).stdout.split()
        self.assertLessEqual(set(client.tree()), set(tree))
        for path, interfaces in kinds.items():
            text = self.bed.run("busctl", *options, "introspect", "--no-pager", BUS_NAME, path).stdout
            for interface in interfaces:
                self.assertRegex(text, rf"(?m)^{BUS_NAME}\.{interface} +interface")
                for name in client.get_all(path, interface):
                    self.assertRegex(text, rf"(?m)^\.{name} +property")

    def test_gdbus(self):
        """gdbus introspect understands every kind of object, and its XML parses with the same members."""
        client, kinds = self.every_kind()
        for path, interfaces in kinds.items():
            options = ["introspect", "--address", self.bed.bus.address, "--dest", BUS_NAME, "--object-path", path]
            text = self.bed.run("gdbus", *options).stdout
            node = ElementTree.fromstring(self.bed.run("gdbus", *options, "--xml").stdout)
            by_name = {i.get("name"): i for i in node.findall("interface")}
            for interface in interfaces:
                self.assertIn(f"interface {BUS_NAME}.{interface} {{", text)
                described = {p.get("name") for p in by_name[f"{BUS_NAME}.{interface}"].findall("property")}
                self.assertEqual(described, set(client.get_all(path, interface)))

    def test_introspection_equals_xml(self):
        """What the live objects introspect is what the files in dbus/ promise."""
        _, kinds = self.every_kind()
        client = self.clients[0]
        promised = {}
        top = os.environ.get("MESHCORED_DBUS_XML", os.path.join(os.path.dirname(__file__), "..", "..", "dbus"))
        for path in glob.glob(os.path.join(top, "org.meshcored1.*.xml")):
            for interface in ElementTree.parse(path).findall("interface"):
                promised[interface.get("name").removeprefix(BUS_NAME + ".")] = self.members(interface)
        self.assertGreaterEqual(len(promised), 10)
        # there only while somebody waits; the unit test of the interfaces compares it
        promised.pop("Request")
        # of Bluetooth radios only; the lab has one
        promised.pop("Pairing")
        live = {}
        for path in kinds:
            node = ElementTree.fromstring(
                client.call(path, "org.freedesktop.DBus.Introspectable", "Introspect")
            )
            for interface in node.findall("interface"):
                if interface.get("name").startswith(BUS_NAME):
                    live[interface.get("name").removeprefix(BUS_NAME + ".")] = self.members(interface)
        self.assertEqual(live, promised)

    @staticmethod
    def members(interface):
        found = {}
        for member in interface:
            if member.tag not in ("method", "signal", "property"):
                continue
            arguments = [
                (a.get("name"), a.get("type"), a.get("direction") or ("in" if member.tag == "method" else "out"))
                for a in member.findall("arg")
            ]
            emits = {
                a.get("value")
                for a in member.findall("annotation")
                if a.get("name") == "org.freedesktop.DBus.Property.EmitsChangedSignal"
            } - {"true"}
            found[member.get("name")] = (member.tag, member.get("type"), member.get("access"), arguments, emits)
        return found

    def test_several_radios(self):
        """Each section of the configuration is a radio of its own, also when one of them is not there."""
        client = self.client()
        first = self.bed.start_sim("sim-first")
        # the seed in the scenario makes its key
        scenario = os.path.join(self.bed.directory, "second.scenario")
        with open(QUIET[1], encoding="utf-8") as file, open(scenario, "w", encoding="utf-8") as copy:
            copy.write(file.read().replace("[Radio]", "[Radio]\nSeed=second", 1))
        second = self.bed.start_sim("sim-second", arguments=["--firmware", "1.9.0", "--scenario", scenario])
        self.bed.start_daemon({"home": first, "2nd-car": second, "off": {"Transport": first.transport, "Enabled": "no"}})
        client.wait_for_state("ready", radio="home")
        path = next(p for p, i in client.tree().items() if "Radio" in i and i["Radio"]["Id"] == "2nd-car")
        self.assertNotIn("2nd-car", path)  # escaped, as in sd_bus_path_encode()
        client.wait(lambda: client.get(path, "Radio", "State") == "ready", "2nd-car ready")
        self.assertEqual(client.get(path, "Radio", "Firmware"), "v1.9.0")
        self.assertNotEqual(client.get(path, "Radio", "PublicKey"), client.get(radio_path("home"), "Radio", "PublicKey"))
        self.assertEqual(client.get_state("off"), ("stopped", "none"))
        radios = {p for p, i in client.tree().items() if "Radio" in i}
        self.assertEqual(len(radios), 3)

    def test_clean_stop(self):
        """SIGTERM: the end within 2 s, status 0, and the name is gone."""
        _, client = self.start()
        status, seconds = self.bed.daemon.terminate()
        self.assertEqual(status, 0)
        self.assertLess(seconds, 2)
        client.wait_owned(False)

    def test_clean_stop_while_connecting(self):
        """The same in the middle of a start: the radio has stopped answering."""
        sim = self.bed.start_sim()
        client = self.client()
        sim.control("link", action="stall")
        self.bed.start_daemon({"sim": sim})
        client.wait(lambda: client.get_state()[0] in ("opening", "syncing"), "a start that hangs")
        status, seconds = self.bed.daemon.terminate()
        self.assertEqual(status, 0)
        self.assertLess(seconds, 2)

    def test_second_daemon(self):
        """A second daemon on the same state directory ends with an error and disturbs nothing."""
        _, client = self.start()
        second = self.bed._add(  # pylint: disable=protected-access
            type(self.bed.daemon)(self.bed.directory, self.bed.bus, self.bed.config, self.bed.state_dir, "second")
        )
        self.assertNotEqual(second.wait(), 0)
        self.assertNotEqual(second.log(), "")
        self.assertEqual(client.get_state(), ("ready", "none"))

    def test_bad_configuration(self):
        """A mistake is told with file, section and key; the rest still runs."""
        sim = self.bed.start_sim()
        client = self.client()
        self.bed.start_daemon(
            f"[Radio broken]\nTransport=carrier-pigeon:home\n\n[Radio sim]\nTransport={sim.transport}\nColour=blue\n"
        )
        client.wait_for_state("ready")
        log = self.bed.daemon.log()
        self.assertIn("meshcored.conf", log)
        self.assertIn("broken", log)
        self.assertIn("Transport", log)
        self.assertIn("Colour", log)
        self.assertEqual({p for p, i in client.tree().items() if "Radio" in i}, {radio_path("sim")})


