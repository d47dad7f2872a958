# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages in and out, pages, and errors by name."""

import time

from companion import hops, text_frame
from fixture import ROOT, BusError, Case, GLib, channel_path, contact_path, radio_path

RADIO = radio_path("sim")


def options(**values):
    """SendText's options with their types."""
    types = {"Queue": "b", "ExpiresUSec": "t", "Wait": "s", "Token": "s"}
    return {key: GLib.Variant(types.get(key, "s"), value) for key, value in values.items()}


class Tests(Case):
    def chat(self, client):
        """The first chat contact: (key, name)."""
        return next((k, c["Name"]) for k, c in client.contacts().items() if c["Type"] == "chat")

    def queue(self, sim, key, texts, timestamp=1700000000):
        """Texts that wait in the radio, past its mesh, which holds 16 packets only."""
        for i, text in enumerate(texts):
            sim.control("raw-queue", frame=text_frame(key, text, timestamp + i).hex())

    def send(self, client, recipient, text, timeout=60, **opts):
        return client.call(RADIO, "Radio", "SendText", "(ssa{sv})", recipient, text, options(**opts), timeout=timeout)

    def test_received_live(self):
        """Received is the first signal of a message, and its record is the object."""
        sim, client = self.start()
        key, name = self.chat(client)
        client.settle()
        mark, before = len(client.signals), time.time()
        sim.control("text", from_=name, text="Grüße ✓")
        signal = client.wait_signal("Received", "Messages", RADIO)
        client.settle()
        self.assertIs(client.signals[mark], signal)
        conversation, message, record = signal.arguments
        self.assertEqual(conversation, contact_path("sim", key))
        self.assertEqual(message, f"{RADIO}/message/{record['Id']}")
        self.assertEqual(record["Text"], "Grüße ✓")
        self.assertEqual((record["Kind"], record["State"], record["Read"]), ("text", "received", False))
        self.assertEqual(record["Peer"], contact_path("sim", key))
        self.assertEqual(record["PeerPrefix"], key[:12])
        self.assertEqual(record["Channel"], "/")
        self.assertAlmostEqual(record["TimestampUSec"] / 1e6, before, delta=60)
        properties = client.get_all(message, "Message")
        self.assertEqual(set(record), set(properties))
        record["Snr"], properties["Snr"] = repr(record["Snr"]), repr(properties["Snr"])
        self.assertEqual(record, properties)
        added = client.wait_signal("InterfacesAdded", "org.freedesktop.DBus.ObjectManager", where=lambda p, _: p == message)
        self.assertEqual(set(added.arguments[1]["org.meshcored1.Message"]), set(properties))
        client.wait(lambda: client.get(contact_path("sim", key), "Contact", "Unread") == 1, "unread of the contact")
        self.assertEqual(client.get(RADIO, "Messages", "Unread"), 1)
        self.assertEqual(client.get(RADIO, "Messages", "LastId"), record["Id"])

    def test_received_channel(self):
        """A channel text is split into author and text, and counted for the channel."""
        sim, client = self.start()
        slot = next(iter(client.channels()))
        sim.control("channel-text", channel=slot, author="Ann", text="at: the summit")
        signal = client.wait_signal("Received", "Messages", RADIO)
        conversation, _, record = signal.arguments
        self.assertEqual(conversation, channel_path("sim", slot))
        self.assertEqual((record["Author"], record["Text"]), ("Ann", "at: the summit"))
        self.assertEqual((record["Peer"], record["PeerPrefix"]), ("/", ""))
        client.wait(lambda: client.get(channel_path("sim", slot), "Channel", "Unread") == 1, "unread of the channel")

    def test_received_datagram(self):
        """A datagram comes as bytes with its type."""
        sim, client = self.start()
        slot = next(iter(client.channels()))
        sim.control("datagram", channel=slot, type=0x1234, data="00ff10")
        record = client.wait_signal("Received", "Messages", RADIO).arguments[2]
        self.assertEqual((record["Kind"], bytes(record["Data"]), record["DataType"]), ("data", b"\x00\xff\x10", 0x1234))
        self.assertEqual(record["Text"], "")

    def test_received_unknown_sender(self):
        """A text from a node that is no contact is kept with what is known of it."""
        sim, client = self.start()
        frame = bytes([16, 20, 0, 0]) + bytes.fromhex("a1b2c3d4e5f6") + b"\x02\x00" + b"\x10\x20\x30\x60" + b"who am I"
        sim.control("raw-queue", frame=frame.hex())
        conversation, _, record = client.wait_signal("Received", "Messages", RADIO).arguments
        self.assertEqual(conversation, "/")
        self.assertEqual((record["Peer"], record["PeerPrefix"], record["Text"]), ("/", "a1b2c3d4e5f6", "who am I"))
        self.assertEqual((record["Snr"], record["Hops"]), (5.0, hops(2)))
        self.assertEqual(record["SenderTimestampUSec"], 0x60302010 * 1000000)

    def test_received_undecodable(self):
        """A reply to a pop that nobody can decode is kept raw, and the drain goes on."""
        sim, client = self.start()
        _, name = self.chat(client)
        frame = bytes([16, 1, 2, 3])
        sim.control("raw-queue", frame=frame.hex())
        sim.control("text", from_=name, text="after the broken one")
        client.wait_signal("Received", "Messages", RADIO, count=2)
        raw, text = self.received(client)
        self.assertEqual((raw["Kind"], bytes(raw["Data"])), ("raw", frame))
        self.assertEqual(text["Text"], "after the broken one")

    def test_duplicates(self):
        """The same message again (another attempt of the sender) is counted, not told."""
        sim, client = self.start()
        frame = bytes([16, 0, 0, 0]) + bytes.fromhex("a1b2c3d4e5f6") + b"\xff\x00" + b"\x01\x02\x03\x60" + b"twice"
        for _ in range(3):
            sim.control("raw-queue", frame=frame.hex())
        sim.control("raw-queue", frame=(frame[:12] + b"\x02" + frame[13:]).hex())
        client.wait_signal("Received", "Messages", RADIO, count=2)
        sim.control("raw-queue", frame=text_frame("a1b2c3d4e5f6", "the end", 1700000000).hex())
        client.wait_signal("Received", "Messages", RADIO, where=lambda c, m, record: record["Text"] == "the end")
        self.assertEqual([r["Text"] for r in self.received(client)], ["twice", "twice", "the end"])
        self.assertEqual([r["Text"] for r in client.all_messages()], ["twice", "twice", "the end"])

    def test_two_clients(self):
        """Both clients see every message, in the same order."""
        sim, one = self.start()
        two = self.client()
        self.queue(sim, self.chat(one)[0], [f"to all {i}" for i in range(20)])
        for client in (one, two):
            client.wait_signal("Received", "Messages", RADIO, count=20)
        self.assertEqual([r["Id"] for r in self.received(one)], [r["Id"] for r in self.received(two)])
        self.assertEqual([r["Text"] for r in self.received(two)], [f"to all {i}" for i in range(20)])

    def test_send_to_contact(self):
        """queued, sent, delivered: told in order, with the figures of the delivery."""
        sim, client = self.start()
        key, _ = self.chat(client)
        message = self.send(client, key, "hello there")
        client.wait_message_state(message, "delivered")
        client.settle()
        states = [s.arguments[1] for s in client.find_signals("Changed", "Messages", RADIO)]
        order = ["queued", "sending", "sent", "delivered"]
        self.assertEqual(states, sorted(states, key=order.index))
        self.assertIn("sent", states)
        self.assertEqual(states[-1], "delivered")
        properties = client.get_all(message, "Message")
        self.assertEqual(properties["Peer"], contact_path("sim", key))
        self.assertEqual((properties["Attempts"], properties["Read"], properties["Uncertain"]), (1, True, False))
        self.assertGreater(properties["RoundTripUSec"], 0)
        self.assertGreater(properties["SenderTimestampUSec"], 0)
        sent = sim.control("stats")["sent_texts"]
        self.assertEqual([text["text"] for text in sent], ["hello there"])

    def test_send_to_channel(self):
        """A channel text ends in sent."""
        _, client = self.start()
        slot = next(iter(client.channels()))
        message = client.call(
            channel_path("sim", slot), "Channel", "SendText", "(sa{sv})", "to everybody", options(Wait="sent")
        )
        self.assertEqual(client.get(message, "Message", "State"), "sent")
        self.assertEqual(client.get(message, "Message", "Channel"), channel_path("sim", slot))
        text = self.assert_bus_error(
            "InvalidArguments", client.call, channel_path("sim", slot), "Channel", "SendText", "(sa{sv})",
            "x", options(Wait="delivered"),
        )  # fmt: skip
        self.assertNotEqual(text, "")

    def test_send_waits_for_delivery(self):
        """Wait=delivered answers when the other side has acknowledged."""
        _, client = self.start()
        key, _ = self.chat(client)
        message = client.call(
            contact_path("sim", key), "Contact", "SendText", "(sa{sv})", "are you there?", options(Wait="delivered")
        )
        self.assertEqual(client.get(message, "Message", "State"), "delivered")

    def test_send_many(self):
        """More texts than the radio can remember are paced; all are delivered, each once."""
        sim, client = self.start()
        key, _ = self.chat(client)
        paths = [self.send(client, key, f"one of many {i}") for i in range(20)]
        for path in paths:
            client.wait_message_state(path, "delivered", "failed")
        self.assertEqual({client.get(path, "Message", "State") for path in paths}, {"delivered"})
        texts = [t["text"] for t in sim.control("stats")["sent_texts"]]
        self.assertEqual(sorted(set(texts)), sorted(f"one of many {i}" for i in range(20)))

    def test_late_acknowledgement(self):
        """Without an answer the same text goes again with the same timestamp; a late answer counts."""
        sim, client = self.start()
        key, _ = self.chat(client)
        sim.control("ack", mode="none")
        message = self.send(client, key, "anybody?")
        client.wait(lambda: client.get(message, "Message", "Attempts") >= 2, "a second attempt", 120)
        sim.control("ack", mode="all")
        client.wait_message_state(message, "delivered", timeout=120)
        sent = [t for t in sim.control("stats")["sent_texts"] if t["text"] == "anybody?"]
        self.assertEqual(len({t["timestamp"] for t in sent}), 1)
        self.assertEqual([t["attempt"] for t in sent], list(range(len(sent))))

    def test_queue_while_away(self):
        """A text for a radio that is away waits, unless the caller does not want that."""
        sim, client = self.start()
        key, _ = self.chat(client)
        sim.control("link", action="refuse")
        sim.control("link", action="drop")
        client.wait_for_state("waiting")
        self.assert_bus_error("NotConnected", self.send, client, key, "now or never", Queue=False)
        message = self.send(client, key, "when you are back")
        self.assertEqual(client.get(message, "Message", "State"), "queued")
        sim.control("link", action="accept")
        client.wait_message_state(message, "delivered")

    def test_queue_survives_restart(self):
        """What was queued is sent after a kill and a restart, once."""
        sim, client = self.start()
        key, _ = self.chat(client)
        sim.control("link", action="refuse")
        sim.control("link", action="drop")
        client.wait_for_state("waiting")
        message = self.send(client, key, "written before the kill")
        self.restart_daemon(client, "kill", state=None)
        sim.control("link", action="accept")
        client.wait_for_state("ready")
        client.wait_message_state(message, "delivered")
        texts = [t["text"] for t in sim.control("stats")["sent_texts"]]
        self.assertEqual(texts, ["written before the kill"])

    def test_expires(self):
        """A text that could not go in time expires and never goes."""
        sim, client = self.start()
        key, _ = self.chat(client)
        sim.control("link", action="refuse")
        sim.control("link", action="drop")
        client.wait_for_state("waiting")
        message = self.send(client, key, "soon stale", ExpiresUSec=int((time.time() + 0.3) * 1e6))
        client.wait_message_state(message, "expired")
        sim.control("link", action="accept")
        client.wait_for_state("ready")
        client.call(RADIO, "Radio", "Ping")
        self.assertEqual(sim.control("stats")["sent_texts"], [])

    def test_cancel(self):
        """A queued text can be taken back, and sent again as a new one."""
        sim, client = self.start()
        key, _ = self.chat(client)
        sim.control("link", action="refuse")
        sim.control("link", action="drop")
        client.wait_for_state("waiting")
        message = self.send(client, key, "second thoughts")
        client.call(message, "Message", "Cancel")
        self.assertEqual(client.get(message, "Message", "State"), "cancelled")
        self.assert_bus_error("Rejected", client.call, message, "Message", "Cancel")
        again = client.call(message, "Message", "Resend")
        self.assertNotEqual(again, message)
        sim.control("link", action="accept")
        client.wait_message_state(again, "delivered")
        self.assertEqual(client.get(message, "Message", "State"), "cancelled")
        self.assertEqual(len(sim.control("stats")["sent_texts"]), 1)

    def test_token(self):
        """A repeated call with the same token gives the message of then and sends nothing."""
        sim, client = self.start()
        key, _ = self.chat(client)
        first = self.send(client, key, "only once", Token="t-1")
        second = self.send(client, key, "only once", Token="t-1")
        third = self.send(client, key, "only once", Token="t-2")
        self.assertEqual(first, second)
        self.assertNotEqual(first, third)
        for path in (first, third):
            client.wait_message_state(path, "delivered")
        self.assertEqual(len(sim.control("stats")["sent_texts"]), 2)

    def test_recipients(self):
        """Object path, key, channel, exact name, unique prefix; what is ambiguous is refused."""
        sim, client = self.start()
        key, name = self.chat(client)
        slot, channel = next(iter(client.channels().items()))
        contact = contact_path("sim", key)
        for recipient in (contact, key, name, key[:8]):
            self.assertEqual(client.get(self.send(client, recipient, "hi"), "Message", "Peer"), contact)
        for recipient in (channel_path("sim", slot), channel["Name"]):
            path = self.send(client, recipient, "hi")
            self.assertEqual(client.get(path, "Message", "Channel"), channel_path("sim", slot))
        for nobody in ("nobody of this name", "0123456789abcdef" * 4, "#no-such-channel", f"{RADIO}/contact/xyz"):
            self.assert_bus_error("NotFound", self.send, client, nobody, "hi")
        self.assertEqual(client.call(RADIO, "Contacts", "Find", "(s)", name), [contact])
        self.assertEqual(client.call(RADIO, "Contacts", "Find", "(s)", key[:10]), [contact])
        self.assertEqual(client.call(RADIO, "Contacts", "Find", "(s)", "no such thing"), [])

    def test_send_errors(self):
        """Each mistake of a caller has its name and says what to do; nothing is stored."""
        _, client = self.start()
        key, _ = self.chat(client)
        limit = client.get(RADIO, "Radio", "MaxTextBytes")
        self.assertGreater(limit, 100)
        text = self.assert_bus_error("InvalidArguments", self.send, client, key, "é" * (limit // 2 + 2))
        self.assertRegex(text, r"\b[34]\b")  # by how many bytes
        self.assert_bus_error("InvalidArguments", self.send, client, key, "")
        self.assert_bus_error("InvalidArguments", self.send, client, key, "x", Flood="yes")
        self.assert_bus_error("InvalidArguments", self.send, client, key, "x", Wait="eventually")
        self.assert_bus_error("InvalidArguments", self.send, client, key, "x", Token="")
        self.assertEqual(client.all_messages(), [])
        message = self.send(client, key, "x" * limit, Wait="delivered")
        self.assertEqual(client.get(message, "Message", "Text"), "x" * limit)

    def test_call_errors(self):
        """Objects that are not there and arguments out of range, by name."""
        _, client = self.start()
        for path in (f"{RADIO}/message/999999", f"{RADIO}/contact/{'00' * 32}", f"{RADIO}/channel/39", f"{ROOT}/radio/no"):
            with self.assertRaises(BusError) as caught:
                client.get_all(path, "Message")
            self.assertRegex(caught.exception.name, r"^org\.freedesktop\.DBus\.Error\.Unknown")
        self.assert_bus_error("InvalidArguments", client.list_messages, limit=0)
        self.assert_bus_error("InvalidArguments", client.list_messages, filter_={"Colour": GLib.Variant("s", "blue")})
        self.assert_bus_error("InvalidArguments", client.list_messages, order="sideways")
        self.assert_bus_error("NotFound", client.list_messages, filter_={"Peer": GLib.Variant("s", "nobody")})
        client.call(RADIO, "Messages", "MarkRead", "(ao)", [f"{RADIO}/message/9999"])  # gone by now: passed over
        self.assert_bus_error("InvalidArguments", client.call, RADIO, "Messages", "MarkRead", "(ao)", ["/somewhere/else"])
        self.assert_bus_error("InvalidArguments", client.call, RADIO, "Contacts", "Find", "(s)", "")
        # libdbus carries noncharacters, sd-bus does not read them
        self.assert_bus_error("InvalidArguments", self.send, client, "Ann", "\ufffe")
        self.assert_bus_error("InvalidArguments", client.call, RADIO, "Radio", "Inhibit", "(s)", "\ufffe")

    def test_paging(self):
        """List pages in both directions without a gap, filters, and knows messages outside the window."""
        sim, client = self.start()
        (one, _), (two, name) = [(k, c["Name"]) for k, c in client.contacts().items() if c["Type"] == "chat"][:2]
        for i in range(60):
            self.queue(sim, one if i % 3 else two, [f"page {i}"], 1700000000 + i)
        client.wait_signal("Received", "Messages", RADIO, count=60)
        forward = client.all_messages()
        self.assertEqual([r["Text"] for r in forward], [f"page {i}" for i in range(60)])
        backward, last = [], 0
        while True:
            page = client.list_messages(from_id=last, limit=7)
            backward += [record["Id"] for _, record in page]
            if len(page) < 7:
                break
            last = backward[-1]
        self.assertEqual(backward, [r["Id"] for r in reversed(forward)])
        from_two = client.all_messages(filter_={"Peer": GLib.Variant("s", name)})
        self.assertEqual([r["Text"] for r in from_two], [f"page {i}" for i in range(0, 60, 3)])
        found = client.all_messages(filter_={"Text": GLib.Variant("s", "PAGE 5")})
        self.assertEqual([r["Text"] for r in found], ["page 5"] + [f"page {i}" for i in range(50, 60)])

    def test_window(self):
        """At most 256 messages are announced; the others are still objects that can be called."""
        sim, client = self.start()
        key, _ = self.chat(client)
        for start in range(0, 300, 100):
            self.queue(sim, key, [f"window {i}" for i in range(start, start + 100)], 1700000000 + start)
            client.wait_signal("Received", "Messages", RADIO, count=start + 100)
        announced = {p for p in client.tree() if "/message/" in p}
        self.assertEqual(len(announced), 256)
        records = client.all_messages()
        self.assertEqual(len(records), 300)
        oldest = f"{RADIO}/message/{records[0]['Id']}"
        self.assertNotIn(oldest, announced)
        self.assertEqual(client.get(oldest, "Message", "Text"), "window 0")
        self.assertEqual(client.find_signals("Deleted", "Messages"), [])
        client.call(oldest, "Message", "MarkRead")
        self.assertTrue(client.get(oldest, "Message", "Read"))

    def test_mark_read_and_delete(self):
        """Reading and deleting are told to everybody."""
        sim, client = self.start()
        _, name = self.chat(client)
        for i in range(4):
            sim.control("text", from_=name, text=f"m{i}")
        client.wait_signal("Received", "Messages", RADIO, count=4)
        paths = [s.arguments[1] for s in client.find_signals("Received", "Messages")]
        client.call(RADIO, "Messages", "MarkRead", "(ao)", paths[:2])
        client.wait(lambda: client.get(RADIO, "Messages", "Unread") == 2, "two unread")
        self.assertEqual([r["Text"] for r in client.all_messages(filter_={"Unread": GLib.Variant("b", True)})], ["m2", "m3"])
        client.call(paths[3], "Message", "Delete")
        gone = client.wait_signal("Deleted", "Messages", RADIO)
        self.assertEqual(gone.arguments[0], [paths[3]])
        self.assertEqual([r["Text"] for r in client.all_messages()], ["m0", "m1", "m2"])
        self.assertNotIn(paths[3], client.tree())
        # the number is never used again
        sim.control("text", from_=name, text="m4")
        client.wait_signal("Received", "Messages", RADIO, count=5)
        self.assertGreater(self.received(client)[-1]["Id"], self.received(client)[3]["Id"])
