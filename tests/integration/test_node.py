# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of other nodes: the simulator's repeater, room and sensor answer as servers do, and a
recording of real ones."""

import os

from companion import Transcript
from fixture import PROPERTIES, BusError, Case, Gio, GLib, contact_path, radio_path
from programs import BUS_NAME

RADIO = radio_path("sim")
IFACE = BUS_NAME + "."


class Pending:
    """A call whose answer comes later."""

    def __init__(self, client, path, interface, member, signature, *arguments):
        self.result = self.error = None
        client.bus.call(
            BUS_NAME, path, IFACE + interface, member, GLib.Variant(signature, arguments), None,
            Gio.DBusCallFlags.NO_AUTO_START, 60000, None, self._done,
        )  # fmt: skip

    def _done(self, bus, result):
        try:
            values = bus.call_finish(result).unpack()
            self.result = values[0] if len(values) == 1 else values
        except GLib.Error as error:
            self.error = BusError(error)

    def wait(self, client):
        client.wait(lambda: self.result is not None or self.error, "the answer")
        if self.error:
            raise self.error
        return self.result


class Tests(Case):
    def begin(self, arguments=()):
        sim, client = self.start(arguments)
        self.keys = {contact["Name"]: key for key, contact in client.contacts().items()}
        return sim, client

    def node(self, name):
        return contact_path("sim", self.keys[name])

    def ask(self, client, name, member, signature="(a{sv})", *arguments):
        return client.call(self.node(name), "Node", member, signature, *(arguments or ({},)))

    def test_capability(self):
        _, client = self.begin()
        tree = client.tree()
        nodes = {name for name, key in self.keys.items() if "Node" in tree[contact_path("sim", key)]}
        self.assertEqual(nodes, {"Hilltop", "Town room", "Greenhouse"})
        self.assertEqual(
            client.get_all(self.node("Hilltop"), "Node"),
            {"LoggedIn": False, "Permissions": "none", "Status": {}, "StatusUSec": 0, "Telemetry": [], "TelemetryUSec": 0},
        )  # fmt: skip

    def test_repeater(self):
        _, client = self.begin()
        login = self.ask(client, "Hilltop", "Login", "(sa{sv})", "password", {})
        self.assertEqual(login["Permissions"], "admin")
        self.assertGreater(login["ServerTimeUSec"], 10**15)
        self.assertEqual(client.get(self.node("Hilltop"), "Node", "Permissions"), "admin")
        self.assertTrue(client.get(self.node("Hilltop"), "Node", "LoggedIn"))

        status = self.ask(client, "Hilltop", "GetStatus")
        self.assertEqual((status["BatteryMillivolts"], status["NoiseFloor"]), (4021, -117))
        self.assertIn("RxAirtimeUSec", status)
        self.assertNotIn("PostsStored", status)
        self.assertEqual(client.get(self.node("Hilltop"), "Node", "Status"), status)
        telemetry = self.ask(client, "Hilltop", "GetTelemetry")
        voltage = next(v for v in telemetry if v["Quantity"] == "voltage")
        self.assertEqual((voltage["Channel"], voltage["Unit"]), (1, "V"))
        self.assertAlmostEqual(voltage["Value"], 4.02)
        self.assertEqual(client.get(self.node("Hilltop"), "Node", "Telemetry"), telemetry)
        result = client.wait_signal("Result", "Node", where=lambda operation, _: operation == "telemetry")
        self.assertEqual(result.arguments[1]["List"], telemetry)

        legacy = {"Legacy": GLib.Variant("b", True)}
        self.assertEqual(self.ask(client, "Hilltop", "GetStatus", "(a{sv})", legacy)["BatteryMillivolts"], 4021)
        self.assertEqual(self.ask(client, "Hilltop", "GetTelemetry", "(a{sv})", legacy), telemetry)

        entries = self.ask(client, "Hilltop", "GetAccessList")
        own = client.get(RADIO, "Radio", "PublicKey")
        self.assertEqual([(e["Key"], e["Permissions"]) for e in entries], [(own[:12], "admin")])
        owner = self.ask(client, "Hilltop", "GetOwner", "(a{sv})", {"Full": GLib.Variant("b", True)})
        self.assertEqual((owner["Name"], owner["Firmware"][:1]), ("Hilltop", "v"))
        raw = self.ask(client, "Hilltop", "Request", "(aya{sv})", b"\x07", {})
        self.assertIn(b"\nHilltop\n", bytes(raw))
        self.assertEqual(self.ask(client, "Hilltop", "GetNeighbours"), [])

        self.ask(client, "Hilltop", "Logout", None) if False else client.call(self.node("Hilltop"), "Node", "Logout")
        self.assertFalse(client.get(self.node("Hilltop"), "Node", "LoggedIn"))

    def test_anonymous(self):
        sim, client = self.begin()
        path = self.node("Hilltop")
        before = (client.get(path, "Contact", "PathKnown"), client.get(path, "Contact", "Path"))
        self.assertEqual(self.ask(client, "Hilltop", "GetRegions")["Regions"], ["*"])
        self.assertEqual(self.ask(client, "Hilltop", "GetOwner")["Name"], "Hilltop")
        basic = self.ask(client, "Hilltop", "GetBasic")
        self.assertEqual((basic["Forwarding"], basic["Bridge"], basic["Features"]), (True, "none", 0))
        # its own path again, in the radio too
        client.call(path, "Contact", "Update", "(a{sv})", {"Favourite": GLib.Variant("b", True)})
        self.assertEqual((client.get(path, "Contact", "PathKnown"), client.get(path, "Contact", "Path")), before)

    def test_sensor(self):
        _, client = self.begin()
        self.ask(client, "Greenhouse", "Login", "(sa{sv})", "password", {})
        telemetry = self.ask(client, "Greenhouse", "GetTelemetry")
        self.assertIn((2, "temperature", 21.4, "°C"),
                      [(v["Channel"], v["Quantity"], v["Value"], v["Unit"]) for v in telemetry])  # fmt: skip
        now = GLib.get_real_time()
        series = client.call(self.node("Greenhouse"), "Node", "GetMinMaxAvg", "(tta{sv})", now - 3600 * 10**6, 0, {})
        self.assertEqual([(s["Quantity"], s["Minimum"], s["Maximum"], s["Average"]) for s in series],
                         [("temperature", 18.7, 24.3, 21.4), ("humidity", 43.1, 56.0, 48.5)])  # fmt: skip

    def test_command(self):
        _, client = self.begin()
        self.ask(client, "Hilltop", "Login", "(sa{sv})", "password", {})
        self.assertRegex(self.ask(client, "Hilltop", "Command", "(sa{sv})", "ver", {}), r"^v1\.")
        # two at once: serialised, each has its own answer
        calls = [Pending(client, self.node("Hilltop"), "Node", "Command", "(sa{sv})", c, {}) for c in ("get name", "get role")]
        self.assertEqual([c.wait(client) for c in calls], ["> Hilltop", "> repeater"])
        # the answers are messages, too; the commands are not
        kinds = [m["Kind"] for m in client.all_messages()]
        self.assertEqual(kinds, ["command"] * 3)

    def test_path(self):
        _, client = self.begin()
        out, back = client.call(self.node("Bob"), "Contact", "DiscoverPath", "(a{sv})", {})
        hop = bytes.fromhex(self.keys["Hilltop"][:2])
        self.assertEqual(([bytes(h) for h in out], [bytes(h) for h in back]), ([hop], [hop]))
        out, back = client.call(self.node("Anna"), "Contact", "DiscoverPath", "(a{sv})", {})
        self.assertEqual((out, back), ([], []))

    def test_two_clients_at_once(self):
        sim, one = self.begin()
        two, three = self.client(), self.client()
        self.ask(one, "Hilltop", "Login", "(sa{sv})", "password", {})
        path = self.node("Hilltop")
        calls = [Pending(one, path, "Node", "GetStatus", "(a{sv})", {}),
                 Pending(two, path, "Node", "GetTelemetry", "(a{sv})", {}),
                 Pending(three, path, "Node", "GetAccessList", "(a{sv})", {}),
                 Pending(two, path, "Node", "GetStatus", "(a{sv})", {}),
                 Pending(one, path, "Node", "GetTelemetry", "(a{sv})", {})]  # fmt: skip
        three.bus.flush_sync(None)
        three.close()
        self.clients.remove(three)
        first, second, _, third, fourth = calls
        status = first.wait(one)
        self.assertEqual(status["BatteryMillivolts"], 4021)
        self.assertEqual(third.wait(two), status)
        telemetry = second.wait(two)
        self.assertEqual(telemetry[0]["Quantity"], "voltage")
        self.assertEqual(fourth.wait(one), telemetry)
        one.wait(lambda: not [p for p in one.tree() if "/request/" in p], "all requests gone")
        # one transmission each, and none for the one who left
        self.assertLessEqual(sim.control("stats")["commands"].get("50", 0), 3)

    def test_request_object(self):
        sim, client = self.begin()
        sim.control("mute", codes=[50])
        other = self.client()
        token = {"RequestToken": GLib.Variant("s", "mine")}
        call = Pending(client, self.node("Hilltop"), "Node", "GetStatus", "(a{sv})", token)
        path = f"/org/meshcored1/request/{os.getuid()}_mine"
        client.wait(lambda: path in client.tree(), "the request")
        request = client.get_all(path, "Request")
        self.assertEqual((request["Radio"], request["Target"], request["Operation"], request["OwnerUID"]),
                         (RADIO, self.node("Hilltop"), "status", os.getuid()))  # fmt: skip
        waiting = Pending(client, self.node("Hilltop"), "Node", "GetTelemetry", "(a{sv})", {})
        client.wait(lambda: len([p for p in client.tree() if "/request/" in p]) == 2, "two requests")
        self.assert_bus_error("InProgress", client.call, self.node("Hilltop"), "Node", "GetOwner", "(a{sv})", token)
        other.call(path, "Request", "Cancel")
        with self.assertRaises(BusError) as caught:
            call.wait(client)
        self.assertTrue(caught.exception.name.endswith(".Cancelled"))
        self.assertNotIn(path, client.tree())
        sim.control("link", action="drop")
        with self.assertRaises(BusError) as caught:
            waiting.wait(client)
        self.assertTrue(caught.exception.name.endswith(".LinkLost"), caught.exception)

    def test_wrong_password(self):
        _, client = self.begin()
        wrong = (self.node("Hilltop"), "Node", "Login", "(sa{sv})", "guess", {})
        self.assert_bus_error("Timeout", client.call, *wrong)
        self.assert_bus_error("Timeout", client.call, *wrong)
        self.assert_bus_error("LoginFailed", client.call, *wrong)
        self.assertFalse(client.get(self.node("Hilltop"), "Node", "LoggedIn"))
        # another one is another matter
        self.ask(client, "Hilltop", "Login", "(sa{sv})", "password", {})
        self.assertNotIn("guess", self.bed.daemon.log())
        self.assert_bus_error("InvalidArguments", client.call, self.node("Hilltop"), "Node", "Login", "(sa{sv})",
                              "sixteen letters!", {})  # fmt: skip

    def test_room_resumes(self):
        sim, client = self.begin()
        self.ask(client, "Town room", "Login", "(sa{sv})", "hello", {})
        self.assertEqual(client.get(self.node("Town room"), "Node", "Permissions"), "read-write")
        status = self.ask(client, "Town room", "GetStatus")
        self.assertEqual(status["PostsStored"], 0)
        before = sim.control("stats")["commands"]["26"]
        since = len(client.signals)
        sim.control("link", action="drop")
        client.wait_for_state("ready")
        client.wait(lambda: sim.control("stats")["commands"]["26"] > before, "another login")
        client.wait_signal("Result", "Node", self.node("Town room"), lambda o, _: o == "login", since=since)
        self.assertTrue(client.get(self.node("Town room"), "Node", "LoggedIn"))
