# SPDX-License-Identifier: GPL-3.0-or-later
"""Recorded sessions of the real firmware, played to the daemon by
meshcore-sim --replay. What must be on the bus is read from the recording
here, without our codec."""

import os

from companion import Transcript, collapse
from fixture import Case, GLib, contact_path, radio_path

RADIO = radio_path("sim")


class Tests(Case):
    def play(self, name):
        transcript = Transcript(name)
        _, client = self.start(["--replay", transcript.path])
        self.assert_radio(client, transcript)
        return transcript, client

    def assert_radio(self, client, transcript):
        properties = client.get_all(RADIO, "Radio")
        device, capacity = transcript.device_info()
        expected = transcript.self_info() | device
        expected["Location"] = tuple(expected["Location"])
        self.assertEqual({key: properties[key] for key in expected}, expected)
        self.assertEqual(client.get(RADIO, "Contacts", "Capacity"), capacity["contacts"])
        self.assertEqual(client.get(RADIO, "Channels", "Capacity"), capacity["channels"])

    def assert_contacts(self, client, transcript):
        expected = transcript.contacts()
        found = client.contacts()
        self.assertEqual(set(found), set(expected))
        for key, contact in expected.items():
            properties = found[key]
            self.assertEqual(
                (properties["Type"], collapse(properties["Name"]), properties["Flags"], properties["OnRadio"]),
                (contact.type, contact.name, contact.flags, True),
                key,
            )
            self.assertEqual(properties["Favourite"], bool(contact.flags & 1))
            self.assertEqual(properties["PathKnown"], contact.path is not None)
            self.assertEqual([bytes(hop) for hop in properties["Path"]], contact.path or [])
            self.assertEqual(properties["LastAdvertUSec"], contact.last_advert * 1000000)
            self.assertAlmostEqual(properties["Location"][0], contact.lat, places=6)
            self.assertAlmostEqual(properties["Location"][1], contact.lon, places=6)

    def assert_channels(self, client, transcript):
        found = {slot: channel["Name"] for slot, channel in client.channels().items()}
        self.assertLessEqual(transcript.channels().items(), found.items())

    def assert_messages(self, client, transcript):
        expected = transcript.messages()
        only = {"Direction": GLib.Variant("s", "received")}
        client.wait(lambda: len(client.all_messages(filter_=only)) == len(expected), "all messages")
        client.settle()
        heard, stored = self.received(client), client.all_messages(filter_=only)
        # A radio at hand can be read before the name is on the bus: what came then is found by id.
        before = len(stored) - len(heard)
        self.assertEqual([record["Id"] for record in heard], [record["Id"] for record in stored[before:]])
        for records, wanted in ((heard, expected[before:]), (stored, expected)):
            self.assertEqual(len(records), len(wanted))
            for record, message in zip(records, wanted):
                self.assertEqual(
                    (record["Kind"], record["PeerPrefix"], record["Author"], collapse(record["Text"])),
                    (message.kind, message.prefix, message.author, message.text),
                )
                self.assertEqual(record["SenderTimestampUSec"], message.timestamp * 1000000)
                self.assertEqual(record["Hops"], message.hops)
                if message.snr is not None:
                    self.assertEqual(record["Snr"], message.snr)
                self.assertEqual((bytes(record["Data"]), record["DataType"]), (message.data, message.data_type))
                self.assertEqual((record["State"], record["Read"]), ("received", False))

    def send_as_recorded(self, client, transcript, answered):
        """Sends what the app of the recording sent, and expects the states that the answers meant."""
        for frame in transcript.commands:
            if frame[0] == 2 and answered(frame):
                recipient, text = frame[7:13].hex(), frame[13:].decode()
                message = client.call(RADIO, "Radio", "SendText", "(ssa{sv})", recipient, text, {})
                client.wait_message_state(message, "delivered")
                self.assertEqual(client.get(message, "Message", "Text"), text)

    def test_session_start(self):
        transcript, client = self.play("session_start")
        self.assertEqual(len(transcript.contacts()), 5)
        self.assert_contacts(client, transcript)
        self.assert_channels(client, transcript)
        self.assertEqual(client.channels()[0]["Kind"], "public")
        self.assertEqual(client.all_messages(), [])
        battery = transcript.first(12)
        self.assertEqual(client.get(RADIO, "Radio", "BatteryMillivolts"), battery[1] + 256 * battery[2])

    def contacts(self, count):
        transcript, client = self.play(f"contacts_{count}")
        self.assertEqual(len(transcript.contacts()), count)
        self.assert_contacts(client, transcript)
        # all of it is known from the store, before the radio
        self.restart_daemon(client, "kill")
        self.assert_contacts(client, transcript)

    def test_contacts_0(self):
        self.contacts(0)

    def test_contacts_1(self):
        self.contacts(1)

    def test_contacts_50(self):
        self.contacts(50)

    def test_contacts_350(self):
        self.contacts(350)

    def test_offline_queue_drain(self):
        transcript, client = self.play("offline_queue_drain")
        self.assertEqual(len(transcript.messages()), 10)
        self.assert_messages(client, transcript)

    def test_dm_send_ack(self):
        """The recording has no list of contacts; that of another recording of the same radio goes before it."""
        other, transcript = Transcript("session_start"), Transcript("dm_send_ack")
        self.assertEqual(other.self_info(), transcript.self_info())
        path = os.path.join(self.bed.directory, "both.jsonl")
        with open(path, "w", encoding="utf-8") as both:
            both.writelines(other.lines_of_contacts() + transcript.lines)
        _, client = self.start(["--replay", path])
        self.assert_radio(client, transcript)
        self.assert_contacts(client, other)

        messages = []  # all at once: the recording has two that were confirmed only after the second was sent
        for frame in transcript.commands:
            text = frame[13:]
            if frame[0] != 2 or frame[1] != 0 or not 1 <= len(text) <= 160:
                continue
            keys = [key for key in client.contacts() if key.startswith(frame[7:13].hex())]
            if not keys:
                continue  # the recording tries an unknown recipient, too
            messages.append(
                client.call(contact_path("sim", keys[0]), "Contact", "SendText", "(sa{sv})", text.decode(), {})
            )
        for message in messages:
            client.wait_message_state(message, "delivered")
            self.assertGreater(client.get(message, "Message", "RoundTripUSec"), 0)
        self.assertEqual(len(messages), len([frame for frame in transcript.answers if frame[0] == 0x82]))
        self.assert_messages(client, transcript)

    def test_channel_msgs(self):
        transcript, client = self.play("channel_msgs")
        self.assertEqual({m.kind for m in transcript.messages()}, {"text", "data"})
        self.assert_messages(client, transcript)
        for slot in client.channels():
            message = client.call(
                f"{RADIO}/channel/{slot}", "Channel", "SendText", "(sa{sv})", "hello channel",
                {"Wait": GLib.Variant("s", "sent")},
            )  # fmt: skip
            self.assertEqual(client.get(message, "Message", "State"), "sent")

    def test_older_firmware(self):
        transcript, client = self.play("older_firmware_1.9.0")
        self.assertEqual(client.get(RADIO, "Radio", "ProtocolVersion"), 7)
        self.assert_contacts(client, transcript)
        self.assert_channels(client, transcript)
        self.send_as_recorded(client, transcript, lambda frame: True)
        self.assert_messages(client, transcript)
