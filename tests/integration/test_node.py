# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of other nodes: the simulator's repeater, room and sensor answer as servers do, and a
recording of real ones."""

import json
import os
import subprocess

from companion import Transcript, contact_record
from fixture import BusError, Case, Gio, GLib, contact_path, radio_path
from programs import BUS_NAME, TIMEOUT, find_program

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

        client.call(self.node("Hilltop"), "Node", "Logout")
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

    def test_refused_password(self):
        """Few servers say no; then nobody waits, and the same password is not sent again."""
        sim, client = self.begin()
        login = Pending(client, self.node("Hilltop"), "Node", "Login", "(sa{sv})", "guess", {})
        client.wait(lambda: [i for p, i in client.tree().items() if i.get("Request", {}).get("DeadlineUSec")], "it is sent")
        sim.control("push", frame="8600" + self.keys["Hilltop"][:12])
        with self.assertRaises(BusError) as caught:
            login.wait(client)
        self.assertTrue(caught.exception.name.endswith(".LoginFailed"), caught.exception)
        again = (client.call, self.node("Hilltop"), "Node", "Login", "(sa{sv})", "guess")
        self.assert_bus_error("LoginFailed", *again, {})
        self.assertEqual(sim.control("stats")["commands"]["26"], 1)
        self.assert_bus_error("Timeout", *again, {"Force": GLib.Variant("b", True)})
        self.assertEqual(sim.control("stats")["commands"]["26"], 2)

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

    def test_neighbours_over_pages(self):
        scenario = os.path.join(self.bed.directory, "many.scenario")
        with open(scenario, "w", encoding="utf-8") as file:
            file.write("[Radio]\nName=Test radio\n\n")
            for i in range(26):
                file.write(f"[Node Repeater {i:02}]\nType=repeater\n\n")
        sim, client = self.begin(["--scenario", scenario])
        name = "Repeater 00"
        self.ask(client, name, "Login", "(sa{sv})", "password", {})
        before = sim.control("stats")["commands"].get("50", 0)
        found = self.ask(client, name, "GetNeighbours")
        # 130 bytes are ten of them, each once
        self.assertEqual(sim.control("stats")["commands"]["50"] - before, 3)
        others = {contact_path("sim", key) for other, key in self.keys.items() if other != name}
        self.assertEqual(len(found), 25)
        self.assertEqual({neighbour["Contact"] for neighbour in found}, others)
        heard = [neighbour["LastHeardUSec"] for neighbour in found]
        self.assertEqual(heard, sorted(heard, reverse=True))
        some = self.ask(client, name, "GetNeighbours", "(a{sv})", {"Limit": GLib.Variant("y", 12)})
        self.assertEqual([n["Key"] for n in some], [n["Key"] for n in found[:12]])
        self.assertEqual(sim.control("stats")["commands"]["50"] - before, 5)

    def test_lent_path_survives_a_kill(self):
        """An anonymous request to a contact without a path gives the radio an empty one meanwhile."""
        sim, client = self.begin()
        hilltop = self.node("Hilltop")
        client.call(hilltop, "Contact", "ResetPath")
        before = sim.control("stats")["commands"]
        sim.control("mute", codes=[57])
        client.bus.call(BUS_NAME, hilltop, IFACE + "Node", "GetBasic", GLib.Variant("(a{sv})", ({},)), None,
                        Gio.DBusCallFlags.NONE, 60000, None, None)  # fmt: skip
        client.wait(lambda: sim.control("stats")["commands"].get("9", 0) > before.get("9", 0), "the empty path")
        self.restart_daemon(client, "kill")
        client.wait(lambda: sim.control("stats")["commands"].get("13", 0) > before.get("13", 0), "the path as it was")
        client.wait(lambda: not client.get(hilltop, "Contact", "PathKnown"), "and in the book")

    # -- recordings ------------------------------------------------------------------

    def play(self, name, contacts):
        """The recording has no list of contacts: one goes before it."""
        lines = []

        def add(direction, frame):
            data = (b"<" if direction == "app>radio" else b">") + len(frame).to_bytes(2, "little") + frame
            lines.append(json.dumps({"t": 0.1, "dir": direction, "hex": data.hex(), "conn": 1}) + "\n")

        add("app>radio", b"\x04")
        add("radio>app", b"\x02" + len(contacts).to_bytes(4, "little"))
        for contact in contacts:
            add("radio>app", contact)
        add("radio>app", b"\x04\x01\x00\x00\x00")
        for contact in contacts:
            add("app>radio", b"\x1e" + contact[1:33])
            add("radio>app", contact)
        path = os.path.join(self.bed.directory, "both.jsonl")
        with open(path, "w", encoding="utf-8") as both:
            both.writelines(lines + Transcript(name).lines)
        return self.begin(["--replay", path])[1]

    def test_replay_repeater(self):
        key = bytes.fromhex("54184a546cb67f739cc09872971b525f3c412e6d14d1c2f5eaf51064664f638b")
        client = self.play("repeater_login_status_telemetry_neighbours",
                           [contact_record(key, b"Repeater One", type_=2, path_len=0)])  # fmt: skip
        name = "Repeater One"
        login = self.ask(client, name, "Login", "(sa{sv})", "password", {})
        self.assertEqual(login, {"Permissions": "admin", "ServerTimeUSec": 0x6B006A5F * 10**6, "FeatureLevel": 2})
        legacy = {"Legacy": GLib.Variant("b", True)}
        old, new = self.ask(client, name, "GetStatus", "(a{sv})", legacy), self.ask(client, name, "GetStatus")
        self.assertEqual((old["Received"], new["Received"]), (20, 22))
        self.assertEqual(
            (new["BatteryMillivolts"], new["NoiseFloor"], new["LastRssi"], new["LastSnr"], new["UptimeUSec"], new["Sent"]),
            (4021, -117, -71, 9.25, 59 * 10**6, 15),
        )
        expected = [(1, "voltage", 4.02), (2, "temperature", 21.4), (2, "humidity", 48.5), (2, "barometer", 1013.2),
                    (1, "temperature", 31.0)]  # fmt: skip
        for options in (legacy, {}):
            values = self.ask(client, name, "GetTelemetry", "(a{sv})", options)
            self.assertEqual([(v["Channel"], v["Quantity"], round(v["Value"], 2)) for v in values], expected)
        entries = self.ask(client, name, "GetAccessList")
        self.assertEqual([(e["Key"], e["Permissions"]) for e in entries], [("d1575d409428", "admin")])
        neighbours = self.ask(client, name, "GetNeighbours", "(a{sv})", {"PrefixBytes": GLib.Variant("y", 6)})
        self.assertEqual([(n["Key"], n["Snr"]) for n in neighbours], [("570ceb8dd94f", 6.75), ("e29b9797f9e6", -3.5)])
        self.assertEqual(neighbours[0]["LastHeardUSec"] // 10**6 - neighbours[1]["LastHeardUSec"] // 10**6, 3)
        owner = self.ask(client, name, "GetOwner", "(a{sv})", {"Full": GLib.Variant("b", True)})
        self.assertEqual(owner, {"Firmware": "v1.17.1", "Name": name, "Owner": "run by the club"})
        basic = self.ask(client, name, "GetBasic")
        self.assertEqual((basic["ServerTimeUSec"], basic["Forwarding"]), (0x6B006A69 * 10**6, True))
        self.assertEqual(self.ask(client, name, "GetOwner")["Owner"], "run by the club")
        self.assertEqual(self.ask(client, name, "GetRegions")["Regions"], ["*"])
        texts = [m["Text"] for m in client.all_messages() if m["Kind"] == "command"]
        self.assertEqual(texts, ["v1.17.1 (Build: 14 Aug 2026)", "> 869.6179809,62.5,8,5"])

    def test_replay_room(self):
        key = bytes.fromhex("79c54e1a1b6a468f11f762a0018f8c27c3a23efa9f1a6cf0da635f3084d1aa51")
        author = bytes.fromhex("a4ca8e55") + bytes(range(28))
        client = self.play("room_login_posts", [contact_record(key, b"Room", type_=3, path_len=0),
                                                contact_record(author, b"Bob")])  # fmt: skip
        login = self.ask(client, "Room", "Login", "(sa{sv})", "hello", {})
        self.assertEqual(login["Permissions"], "read-write")
        status = self.ask(client, "Room", "GetStatus", "(a{sv})", {"Legacy": GLib.Variant("b", True)})
        self.assertEqual((status["PostsStored"], status["PostsPushed"]), (3, 3))
        self.assertNotIn("RxAirtimeUSec", status)
        client.wait(lambda: len(client.all_messages()) == 3, "the posts")
        posts = [(m["Kind"], m["Author"], m["AuthorKeyPrefix"], m["Text"]) for m in client.all_messages()]
        self.assertIn(("post", "Bob", "a4ca8e55", "posted while the app was away"), posts)

    # -- the command line tool ---------------------------------------------------------

    def ctl(self, *arguments, status=0):
        result = self.bed.run("meshcorectl", "--session", *arguments, check=False)
        self.assertEqual(result.returncode, status, result.stderr)
        return result.stdout

    def test_ctl(self):
        _, client = self.begin()
        self.ask(client, "Hilltop", "Login", "(sa{sv})", "password", {})
        self.assertRegex(self.ctl("node"), r"(?m)^Hilltop +repeater +[0-9a-f]{12} +admin")
        self.assertRegex(self.ctl("node", "status", "Hilltop"), r"(?m)^BatteryMillivolts +4021$")
        self.assertEqual(json.loads(self.ctl("node", "status", "Hilltop", "--json"))["NoiseFloor"], -117)
        self.assertRegex(self.ctl("node", "telemetry", "Hilltop"), r"(?m)^1 +voltage +V +4\.02$")
        self.assertEqual(json.loads(self.ctl("node", "acl", "Hilltop", "--json"))[0]["Permissions"], "admin")
        self.assertEqual(json.loads(self.ctl("node", "neighbours", "Hilltop", "--json", "-o", "strongest")), [])
        self.assertRegex(self.ctl("node", "owner", "Hilltop", "--full"), r"(?m)^Firmware +v1\.")
        self.assertEqual(json.loads(self.ctl("node", "regions", "Hilltop", "--json"))["Regions"], ["*"])
        self.assertRegex(self.ctl("node", "basic", "Hilltop"), r"(?m)^Forwarding +yes$")
        self.assertEqual(self.ctl("node", "command", "Hilltop", "get", "name"), "> Hilltop\n")
        self.assertTrue(bytes.fromhex(json.loads(self.ctl("node", "request", "Hilltop", "07", "--json"))))
        self.assertRegex(self.ctl("node", "path", "Bob"), rf"there +{self.keys['Hilltop'][:2]}\n")
        self.assertRegex(self.ctl("node", "login", "Greenhouse", "--blank"), r"(?m)^Permissions +guest$")
        self.ctl("node", "status", "Anna", status=2)
        password = os.path.join(self.bed.directory, "password")
        with open(password, "w", encoding="utf-8") as file:
            file.write("password\n")
        self.assertRegex(self.ctl("node", "login", "Greenhouse", "-p", password), r"(?m)^Permissions +admin$")
        series = json.loads(self.ctl("node", "mma", "Greenhouse", "--since", "2h", "--json"))
        self.assertEqual(series[0]["Average"], 21.4)
        self.ctl("node", "logout", "Greenhouse")
        console = subprocess.run(
            [find_program("meshcorectl"), "--session", "console", "Hilltop"], env=self.bed.environment(),
            input="get name\n\nget role\n", capture_output=True, text=True, timeout=TIMEOUT, check=True,
        )  # fmt: skip
        self.assertEqual(console.stdout, "> Hilltop\n> repeater\n")
        # the end of a line that is too long is no command
        for line in ("x" * 255 + "get role", "get role \udcff"):
            console = subprocess.run(
                [find_program("meshcorectl"), "--session", "console", "Hilltop"], env=self.bed.environment(),
                input=f"{line}\nget name\n{line}\n\n".encode(errors="surrogateescape"), capture_output=True,
                timeout=TIMEOUT, check=False,
            )  # fmt: skip
            self.assertEqual((console.returncode, console.stdout), (2, b"> Hilltop\n"), console.stderr)
        watch = subprocess.Popen(
            [find_program("meshcorectl"), "--session", "node", "status", "Hilltop", "--watch", "10s", "--json"],
            env=self.bed.environment(), stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            self.assertEqual(json.loads(watch.stdout.readline())["BatteryMillivolts"], 4021)
        finally:
            watch.terminate()
            watch.communicate()
