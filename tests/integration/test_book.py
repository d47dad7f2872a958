# SPDX-License-Identifier: GPL-3.0-or-later
"""Contacts, channels and automatic adding, over D-Bus and with meshcorectl, down to
what the radio itself has afterwards."""

import json
import os
import shutil

from fixture import Case, GLib, channel_path, contact_path, radio_path

RADIO = radio_path("sim")
NEW = "ab12" * 16
SECRET = bytes(range(1, 17))


def hops(*texts):
    return [bytes.fromhex(t) for t in texts]


def strings(**values):
    return {name: GLib.Variant("s", value) for name, value in values.items()}


class Tests(Case):
    def key_of(self, client, name):
        return next(k for k, c in client.contacts().items() if c["Name"] == name)

    def add(self, client, key=NEW, name="New", type_="chat", **more):
        return client.call(RADIO, "Contacts", "Add", "(a{sv})", {**strings(Key=key, Name=name, Type=type_), **more})

    def forget_and_restart(self, client):
        """The daemon begins with nothing: what it then knows is what the radio has."""
        self.assertEqual(self.bed.daemon.terminate()[0], 0)
        self.bed.programs.remove(self.bed.daemon)
        client.wait_owned(False)
        shutil.rmtree(self.bed.state_dir)
        self.bed.start_daemon()
        client.wait_for_state("ready")
        client.settle()

    def json(self, *arguments):
        return json.loads(self.bed.ctl(*arguments, "--json").stdout)

    def send_and_wait(self, client, key, text="hello"):
        path = client.call(contact_path("sim", key), "Contact", "SendText", "(sa{sv})", text, {})
        client.wait_message_state(path, "delivered")

    def sent(self, sim, text):
        return [t for t in sim.control("stats")["sent_texts"] if t["text"] == text]

    # -- contacts --------------------------------------------------------

    def test_add(self):
        """A contact by hand: announced before the reply, in the radio, and refused a second time."""
        sim, client = self.start()
        before = sim.control("stats")["contacts"]
        path = self.add(client, Favourite=GLib.Variant("b", True), Location=GLib.Variant("(dd)", (48.25, -16.5)),
                        Path=GLib.Variant("aay", hops("a1", "b2")))  # fmt: skip
        self.assertEqual(path, contact_path("sim", NEW))
        client.settle()
        self.assertTrue(client.find_signals("InterfacesAdded", where=lambda p, _: p == path))
        self.assertEqual(sim.control("stats")["contacts"], before + 1)
        self.assert_bus_error("InvalidArguments", self.add, client)
        self.assert_bus_error("InvalidArguments", self.add, client, "cd" * 32, "x" * 32)
        self.assert_bus_error("InvalidArguments", self.add, client, client.get(RADIO, "Radio", "PublicKey"))
        self.assert_bus_error("InvalidArguments", client.call, RADIO, "Contacts", "Add", "(a{sv})", strings(Key="ee" * 32))

        self.forget_and_restart(client)
        contact = client.contacts()[NEW]
        self.assertEqual((contact["Name"], contact["Type"], contact["Favourite"], contact["OnRadio"]), ("New", "chat", True, True))
        self.assertEqual((contact["PathKnown"], contact["Path"]), (True, [[0xA1], [0xB2]]))
        self.assertEqual(contact["Location"], (48.25, -16.5))

        shown = self.json("contact", "add", "cd" * 32, "--name", "Typed", "--type", "repeater")
        self.assertEqual((shown["Name"], shown["OnRadio"]), ("Typed", True))

    def test_update(self):
        _, client = self.start()
        key = self.key_of(client, "Anna")
        path = contact_path("sim", key)
        before = client.get_all(path, "Contact")
        seen = len(client.signals)
        changes = {"Favourite": GLib.Variant("b", True), **strings(Name="Änni")}
        client.call(path, "Contact", "Update", "(a{sv})", changes)
        client.settle()
        changed = {}
        for s in client.find_signals("PropertiesChanged", path=path, since=seen):
            changed.update(s.arguments[1])
        self.assertEqual(changed, {"Favourite": True, "Flags": 1, "Name": "Änni"})
        self.bed.ctl("contact", "update", "Änni", "--location", "1.5,2.5")

        self.forget_and_restart(client)
        contact = client.contacts()[key]
        self.assertEqual(contact, {**before, "Favourite": True, "Flags": 1, "Name": "Änni", "Location": (1.5, 2.5),
                                   "LastHeardUSec": contact["LastHeardUSec"]})  # fmt: skip
        self.bed.ctl("contact", "favourite", key, "--no")
        self.assertFalse(client.get(path, "Contact", "Favourite"))
        self.assert_bus_error("InvalidArguments", client.call, path, "Contact", "Update", "(a{sv})", strings(Type="room"))

    def test_remove(self):
        """Out of the radio, with or without being kept; texts and messages of a removed contact."""
        sim, client = self.start()
        anna, bob = self.key_of(client, "Anna"), self.key_of(client, "Bob")
        sim.control("text", from_="Anna", text="before")
        client.wait_signal("Received", "Messages")
        before = sim.control("stats")["contacts"]
        client.call(contact_path("sim", anna), "Contact", "Remove", "(a{sv})", {})
        client.settle()
        self.assertNotIn(anna, client.contacts())
        self.assertTrue(client.find_signals("InterfacesRemoved", where=lambda p, _: p == contact_path("sim", anna)))
        self.assertEqual(sim.control("stats")["contacts"], before - 1)
        self.assertEqual([m["Text"] for m in client.all_messages()], ["before"])

        self.bed.ctl("contact", "remove", "Bob", "--keep")
        self.assertFalse(client.contacts()[bob]["OnRadio"])
        self.assertEqual(sim.control("stats")["contacts"], before - 2)
        self.send_and_wait(client, bob)
        self.assertTrue(client.contacts()[bob]["OnRadio"])

    def test_remove_while_away(self):
        """What the radio does not have can be changed without it; the rest says why not."""
        sim, client = self.start()
        key = self.key_of(client, "Bob")
        path = contact_path("sim", key)
        client.call(path, "Contact", "Remove", "(a{sv})", {"Keep": GLib.Variant("b", True)})
        client.call(RADIO, "Radio", "Stop")
        client.wait_for_state("stopped")
        client.call(path, "Contact", "Update", "(a{sv})", strings(Name="Robert"))
        self.assertEqual(client.get(path, "Contact", "Name"), "Robert")
        client.call(path, "Contact", "SetPath", "(aay)", hops("a1"))
        client.call(path, "Contact", "ResetPath")
        client.call(path, "Contact", "Remove", "(a{sv})", {})
        self.assertNotIn(key, client.contacts())

        anna = contact_path("sim", self.key_of(client, "Anna"))
        for member, signature, *arguments in (
            ("Update", "(a{sv})", strings(Name="x")), ("SetPath", "(aay)", []), ("ResetPath", None), ("Share", None),
            ("Remove", "(a{sv})", {}), ("ExportCard", None), ("Export", "(a{sv})", strings(Form="card")),
        ):  # fmt: skip
            self.assert_bus_error("NotConnected", client.call, anna, "Contact", member, signature, *arguments)
        self.assertTrue(client.call(anna, "Contact", "Export", "(a{sv})", {}).startswith("meshcore://contact/add?"))
        self.assertEqual(self.bed.ctl("contact", "share", "Anna", check=False).returncode, 7)

    def test_paths(self):
        """A path by hand is used at once, and forgotten on demand."""
        sim, client = self.start()
        hilltop, bob = self.key_of(client, "Hilltop"), self.key_of(client, "Bob")
        path = contact_path("sim", bob)
        client.call(path, "Contact", "SetPath", "(aay)", hops(hilltop[:2]))
        self.assertEqual(client.get(path, "Contact", "Path"), [list(bytes.fromhex(hilltop[:2]))])
        self.send_and_wait(client, bob, "by hand")
        self.assertEqual([t["flood"] for t in self.sent(sim, "by hand")], [False])

        client.call(path, "Contact", "ResetPath")
        self.assertEqual((client.get(path, "Contact", "PathKnown"), client.get(path, "Contact", "Path")), (False, []))
        self.send_and_wait(client, bob, "by flood")
        self.assertEqual([t["flood"] for t in self.sent(sim, "by flood")], [True])

        self.bed.ctl("contact", "set-path", "Bob", hilltop[:4])
        self.assertEqual(client.get(path, "Contact", "Path"), [list(bytes.fromhex(hilltop[:4]))])
        self.bed.ctl("contact", "set-path", "Bob", "direct")
        self.assertEqual((client.get(path, "Contact", "PathKnown"), client.get(path, "Contact", "Path")), (True, []))
        self.bed.ctl("contact", "reset-path", "Bob")
        self.assertFalse(client.get(path, "Contact", "PathKnown"))
        for wrong in (hops("a1", "b2c3"), hops("a1") * 63 + hops("a1"), hops("a1b2") * 33):
            self.assert_bus_error("InvalidArguments", client.call, path, "Contact", "SetPath", "(aay)", wrong)

    def test_older_firmware(self):
        """What 1.7.4 cannot do is said, and the rest works."""
        _, client = self.start(["--firmware", "1.7.4"])
        path = contact_path("sim", self.key_of(client, "Bob"))
        self.assert_bus_error("NotSupported", client.call, path, "Contact", "SetPath", "(aay)", hops("a1b2"))
        client.call(path, "Contact", "SetPath", "(aay)", hops("a1"))
        self.assertEqual(client.get(RADIO, "Contacts", "AutoAdd"), {"Manual": False})
        self.assert_bus_error("NotSupported", client.call, RADIO, "Contacts", "SetAutoAdd", "(a{sv})",
                              {"Chat": GLib.Variant("b", True)})  # fmt: skip
        client.call(RADIO, "Contacts", "SetAutoAdd", "(a{sv})", {"Manual": GLib.Variant("b", True)})
        self.assertEqual(client.get(RADIO, "Contacts", "AutoAdd"), {"Manual": True})

    def test_cards(self):
        """A heard node is exported, forgotten, and imported again, in all forms; ourselves too."""
        sim, client = self.start()
        key = sim.control("advert", name="Nomad")["key"]
        path = contact_path("sim", key)
        client.wait(lambda: key in client.contacts(), "the contact")
        card = client.call(path, "Contact", "Export", "(a{sv})", strings(Form="card"))
        packet = bytes(client.call(path, "Contact", "ExportCard"))
        link = client.call(path, "Contact", "Export", "(a{sv})", {})
        self.assertEqual(card, "meshcore://" + packet.hex().upper() if card.isupper() else card)
        self.assertEqual(bytes.fromhex(card.removeprefix("meshcore://")), packet)
        self.assertIn(f"public_key={key}", link)
        self.assertEqual(self.bed.ctl("contact", "export", key, "--card").stdout.strip(), card)

        for take in (
            lambda: client.call(RADIO, "Contacts", "ImportCard", "(ay)", packet),
            lambda: client.call(RADIO, "Contacts", "Import", "(s)", card),
            lambda: client.call(RADIO, "Contacts", "Import", "(s)", link),
            lambda: contact_path("sim", self.bed.ctl("contact", "import", link).stdout.strip()),
        ):
            client.call(path, "Contact", "Remove", "(a{sv})", {})
            self.assertNotIn(key, client.contacts())
            self.assertEqual(take(), path)
            contact = client.contacts()[key]
            self.assertEqual((contact["Name"], contact["Type"], contact["OnRadio"]), ("Nomad", "chat", True))
        self.assertEqual(client.call(RADIO, "Contacts", "Import", "(s)", link), path)

        forged = packet[:-1] + bytes([packet[-1] ^ 1])
        client.call(path, "Contact", "Remove", "(a{sv})", {})
        self.assert_bus_error("Rejected", client.call, RADIO, "Contacts", "ImportCard", "(ay)", forged)
        self.assertNotIn(key, client.contacts())
        own = client.get(RADIO, "Radio", "PublicKey")
        self.assertIn(own, client.call(RADIO, "Contacts", "ExportSelf", "(a{sv})", {}))
        self.assertIn(own, bytes(client.call(RADIO, "Contacts", "ExportSelfCard")).hex())
        self.assertIn(own, self.bed.ctl("contact", "export").stdout)
        for wrong in ("", "meshcore://", "meshcore://00", "http://x", "meshcore://channel/add?name=x&secret=" + "07" * 16):
            self.assert_bus_error("InvalidArguments", client.call, RADIO, "Contacts", "Import", "(s)", wrong)
        self.assert_bus_error("InvalidArguments", client.call, RADIO, "Contacts", "ImportCard", "(ay)", b"")

    def test_share(self):
        sim, client = self.start()
        key = sim.control("advert", name="Nomad")["key"]
        client.wait(lambda: key in client.contacts(), "the contact")
        client.call(contact_path("sim", key), "Contact", "Share")
        self.add(client)
        self.assert_bus_error("Rejected", client.call, contact_path("sim", NEW), "Contact", "Share")
        self.bed.ctl("contact", "share", "Nomad")

    def test_find(self):
        _, client = self.start()
        self.add(client, name="Joanna")
        anna = self.key_of(client, "Anna")
        find = lambda text: client.call(RADIO, "Contacts", "Find", "(s)", text)  # noqa: E731
        self.assertEqual(find("Anna"), [contact_path("sim", anna), contact_path("sim", NEW)])
        self.assertEqual(set(find("ANNA")), {contact_path("sim", anna), contact_path("sim", NEW)})
        self.assertEqual(find(NEW[:6]), [contact_path("sim", NEW)])
        self.assertEqual(find("ZOË"), [contact_path("sim", self.key_of(client, "Zoë ✓"))])
        self.assertEqual(find("nobody"), [])
        self.assertEqual([c["Name"] for c in self.json("contact", "find", "Anna")], ["Anna", "Joanna"])

    def test_removed_elsewhere(self):
        """What another app takes out of the radio stays in the book, and is not written back unasked."""
        sim, client = self.start()
        bob = self.key_of(client, "Bob")
        path = contact_path("sim", bob)
        sim.control("remove-contact", name="Bob")
        self.assert_bus_error("NotFound", client.call, path, "Contact", "Share")
        self.assertFalse(client.get(path, "Contact", "OnRadio"))
        message = client.call(path, "Contact", "SendText", "(sa{sv})", "not again", {})
        client.wait_message_state(message, "failed")
        self.assertEqual(self.sent(sim, "not again"), [])
        client.call(RADIO, "Contacts", "Add", "(a{sv})", strings(Key=bob))
        self.assertTrue(client.get(path, "Contact", "OnRadio"))
        self.send_and_wait(client, bob, "welcome back")

    def test_full(self):
        """A full radio gives up who was silent longest, but no favourite; then it says that it is full."""
        scenario = os.path.join(self.bed.directory, "small.scenario")
        with open(scenario, "w", encoding="utf-8") as file:
            file.write("[Radio]\nName=Small\nMaxContacts=4\n\n[Node Anna]\n\n[Node Bob]\n\n[Node Carl]\n")
        sim, client = self.start(["--scenario", scenario, "--speed", "100"])
        for key, contact in client.contacts().items():
            if contact["Name"] != "Carl":
                self.bed.ctl("contact", "favourite", key)
        carl = self.key_of(client, "Carl")
        self.add(client, "01" * 32, "One")
        self.assertEqual((client.get(RADIO, "Contacts", "OnRadio"), client.get(RADIO, "Contacts", "Capacity")), (4, 4))
        self.add(client, "02" * 32, "Two", Favourite=GLib.Variant("b", True))
        self.assertEqual(client.get(RADIO, "Contacts", "OnRadio"), 4)
        gone = [k for k, c in client.contacts().items() if not c["OnRadio"]]
        self.assertEqual(len(gone), 1)
        self.assertIn(gone[0], (carl, "01" * 32))
        left = ({carl, "01" * 32} - set(gone)).pop()
        self.bed.ctl("contact", "favourite", left)
        self.assert_bus_error("TableFull", self.add, client, "03" * 32, "Three")
        self.assertEqual(sim.control("stats")["contacts"], 4)
        result = self.bed.ctl("contact", "add", "03" * 32, "--name", "Three", "--type", "chat", check=False)
        self.assertEqual(result.returncode, 1)

        seen = len(client.signals)
        sim.control("advert", name="Somebody")
        client.wait_signal("Full", "Contacts", since=seen)

    # -- what is heard ------------------------------------------------------

    def test_pending(self):
        """With manual adding a node that is heard waits, over a restart, until somebody adds or dismisses it."""
        sim, client = self.start()
        self.bed.ctl("auto-add", "set", "--manual", "yes", "--chat", "no", "--repeater", "no")
        seen = len(client.signals)
        key = sim.control("advert", name="Stranger")["key"]
        other = sim.control("advert", name="Other", type="repeater")["key"]
        heard = client.wait_signal("AdvertHeard", "Contacts", where=lambda k, _: k == key, since=seen)
        self.assertFalse(heard.arguments[1]["Stored"])
        self.assertEqual(heard.arguments[1]["Name"], "Stranger")
        client.wait(lambda: client.get(RADIO, "Contacts", "Pending") == 2, "two pending nodes")
        client.wait_signal("PropertiesChanged", since=seen, where=lambda _, changed, __: changed.get("Pending") == 2)
        self.assertNotIn(key, client.contacts())

        self.restart_daemon(client)
        pending = {p["Key"]: p for p in client.call(RADIO, "Contacts", "ListPending")}
        self.assertEqual(set(pending), {key, other})
        self.assertEqual((pending[key]["Name"], pending[key]["Type"]), ("Stranger", "chat"))
        self.assertEqual(pending[other]["Type"], "repeater")

        seen = len(client.signals)
        self.assertEqual(self.bed.ctl("pending", "add", key[:16]).stdout.strip(), key)
        client.wait_signal("PendingRemoved", "Contacts", where=lambda k: k == key, since=seen)
        self.assertTrue(client.contacts()[key]["OnRadio"])
        self.bed.ctl("pending", "dismiss", other)
        self.assertEqual(client.get(RADIO, "Contacts", "Pending"), 0)
        self.assert_bus_error("NotFound", client.call, RADIO, "Contacts", "DismissPending", "(s)", other)
        sim.control("advert", name="Other")
        client.wait(lambda: client.get(RADIO, "Contacts", "Pending") == 1, "the other one again")

    def test_auto_add(self):
        """The settings are the radio's: told, changed one by one, and kept by it."""
        _, client = self.start()
        self.assertFalse(client.get(RADIO, "Contacts", "AutoAdd")["Manual"])
        seen = len(client.signals)
        settings = {"Manual": GLib.Variant("b", True), "Room": GLib.Variant("b", True), "MaxHops": GLib.Variant("y", 3)}
        client.call(RADIO, "Contacts", "SetAutoAdd", "(a{sv})", settings)
        client.settle()
        self.assertTrue(client.find_signals("PropertiesChanged", path=RADIO, since=seen, where=lambda _, c, __: "AutoAdd" in c))
        client.call(RADIO, "Contacts", "SetAutoAdd", "(a{sv})", {"Sensor": GLib.Variant("b", True)})
        self.forget_and_restart(client)
        now = client.get(RADIO, "Contacts", "AutoAdd")
        self.assertEqual((now["Manual"], now["Room"], now["Sensor"], now["Chat"], now["MaxHops"]), (True, True, True, False, 3))
        self.assertEqual(self.json("auto-add"), now)
        self.assert_bus_error("InvalidArguments", client.call, RADIO, "Contacts", "SetAutoAdd", "(a{sv})",
                              {"MaxHops": GLib.Variant("y", 65)})  # fmt: skip

    # -- channels -------------------------------------------------------------

    def set_channel(self, client, slot, name, secret=b"", **options):
        return client.call(RADIO, "Channels", "Set", "(ysaya{sv})", slot, name, secret, strings(**options))

    def test_channel_set(self):
        """Every source of a secret; what the radio has afterwards; what is refused."""
        _, client = self.start()
        self.assertEqual(self.set_channel(client, 5, "Club", SECRET), channel_path("sim", 5))
        self.assertEqual(self.set_channel(client, 255, "#new", Source="hashtag"), channel_path("sim", 2))
        random = self.set_channel(client, 255, "Random", Source="random")
        secret = bytes(client.call(random, "Channel", "GetSecret"))
        self.assertNotIn(secret, (SECRET, bytes(16)))
        self.assert_bus_error("InvalidArguments", self.set_channel, client, 7, "", Source="public")  # in slot 0 already
        client.call(channel_path("sim", 0), "Channel", "Clear")
        self.assertEqual(self.set_channel(client, 7, "", Source="public"), channel_path("sim", 7))
        self.assertEqual(self.bed.ctl("channel", "add", "#typed").stdout, "0\n")

        self.forget_and_restart(client)
        channels = client.channels()
        self.assertEqual({s: (c["Name"], c["Kind"]) for s, c in channels.items()}, {
            0: ("#typed", "hashtag"), 1: ("#test", "hashtag"), 2: ("#new", "hashtag"), 3: ("Random", "private"),
            5: ("Club", "private"), 7: ("Public", "public"),
        })  # fmt: skip
        self.assertEqual(bytes(client.call(channel_path("sim", 5), "Channel", "GetSecret")), SECRET)
        self.assertEqual(bytes(client.call(channel_path("sim", 3), "Channel", "GetSecret")), secret)
        for arguments, options in (
            ((4, "x", SECRET), {}), ((200, "x", b"\2" * 16), {}), ((4, "", b"\2" * 16), {}), ((4, "x" * 32, b"\2" * 16), {}),
            ((4, "x", bytes(16)), {}), ((4, "x"), {"Source": "hashtag"}), ((4, "#"), {"Source": "hashtag"}),
        ):  # fmt: skip
            self.assert_bus_error("InvalidArguments", self.set_channel, client, *arguments, **options)

    def test_channel_identity(self):
        """Messages belong to the secret: they go with it, wherever it sits, and nothing is mixed up."""
        sim, client = self.start()
        path = self.set_channel(client, 4, "Club", SECRET)
        sim.control("channel-text", channel="Club", author="Anna", text="for the club")
        client.wait_signal("Received", "Messages")
        club = lambda path: [m["Text"] for m in client.all_messages(filter_={"Channel": GLib.Variant("o", path)})]  # noqa: E731
        self.assertEqual(club(path), ["for the club"])

        # more wait in a slow radio while the slot gets another secret
        texts = [f"just before {i}" for i in range(1, 4)]
        sim.control("delay", ms=100)
        sim.control("channel-text", channel="Club", author="Anna", text="just before {n}", count=3)
        stats = lambda: sim.control("stats")  # noqa: E731
        client.wait(lambda: stats()["waiting"] > 1 or stats()["popped"] == 4, "messages that wait in the radio")
        client.wait(lambda: stats()["waiting"] + stats()["popped"] == 4, "all messages in the radio")
        self.set_channel(client, 4, "Other", b"\2" * 16)
        client.settle()
        self.assertEqual([r["Text"] for r in self.received(client)], ["for the club", *texts])
        sim.control("delay", ms=0)
        self.assertEqual(club(path), [])
        self.assertEqual(self.set_channel(client, 6, "Club again", SECRET), channel_path("sim", 6))
        self.assertEqual(club(channel_path("sim", 6)), ["for the club", *texts])

        self.bed.ctl("channel", "clear", "Club again")
        self.assertNotIn(6, client.channels())
        self.assertEqual(len(client.all_messages()), 4)
        self.assertEqual(self.set_channel(client, 255, "Club", SECRET), channel_path("sim", 2))
        self.assertEqual(club(channel_path("sim", 2)), ["for the club", *texts])

    def test_channel_uri(self):
        _, client = self.start()
        path = self.set_channel(client, 5, "Club & Co", SECRET)
        uri = client.call(path, "Channel", "Export")
        self.assertIn(SECRET.hex(), uri.lower())
        self.assertEqual(self.bed.ctl("channel", "export", "5").stdout.strip(), uri)
        self.assertEqual(self.bed.ctl("channel", "secret", "5").stdout.strip(), SECRET.hex())
        self.assertEqual(client.call(RADIO, "Channels", "Import", "(s)", uri), path)  # there already
        client.call(path, "Channel", "Clear")
        self.assertEqual(client.call(RADIO, "Channels", "Import", "(s)", uri), channel_path("sim", 2))
        self.assertEqual(client.channels()[2]["Name"], "Club & Co")
        for wrong in ("", "meshcore://channel/add?name=x", "meshcore://contact/add?name=x", uri + "0"):
            self.assert_bus_error("InvalidArguments", client.call, RADIO, "Channels", "Import", "(s)", wrong)
        # no secret in what everybody sees
        client.settle()
        story = repr(client.signals) + repr(client.tree())
        self.assertNotIn(SECRET.hex(), story.lower())
        self.assertNotIn(repr(list(SECRET)), story)
        self.assertNotIn(SECRET.hex(), self.bed.daemon.log().lower())

    def test_channels_full(self):
        _, client = self.start()
        capacity = client.get(RADIO, "Channels", "Capacity")
        for i in range(capacity - len(client.channels())):
            self.set_channel(client, 255, f"#room{i}", Source="hashtag")
        self.assertEqual(len(client.channels()), capacity)
        self.assert_bus_error("TableFull", self.set_channel, client, 255, "#more", Source="hashtag")

    # -- callers ------------------------------------------------------------

    def test_many_calls(self):
        """One user has 16 calls waiting and no more; a client that leaves disturbs nobody."""
        sim, client = self.start()
        sim.control("delay", ms=300)
        key = self.key_of(client, "Anna")
        leaver = self.client(signals=False)
        replies = []

        def on_reply(bus, result):
            try:
                bus.call_finish(result)
                replies.append("ok")
            except GLib.Error as error:
                replies.append("InProgress" if "InProgress" in error.message else error.message)

        def call(who, count):
            for i in range(count):
                who.bus.call("org.meshcored1", contact_path("sim", key), "org.meshcored1.Contact", "Update",
                             GLib.Variant("(a{sv})", ({"Name": GLib.Variant("s", f"Anna {i}")},)), None, 0, -1, None,
                             on_reply)  # fmt: skip

        call(leaver, 4)
        leaver.call("/org/meshcored1", "org.freedesktop.DBus.Peer", "Ping")
        leaver.close()
        call(client, 20)
        client.wait(lambda: len([r for r in replies if r == "ok"]) >= 12 and len(replies) >= 20, "all replies")
        client.wait(lambda: client.get(contact_path("sim", key), "Contact", "Name") != "Anna", "a change")
        self.assertLessEqual(replies.count("ok"), 16)
        self.assertGreaterEqual(replies.count("InProgress"), 4)
        sim.control("delay", ms=0)
        self.bed.ctl("contact", "update", key, "--name", "Anna")
