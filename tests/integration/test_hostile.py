# SPDX-License-Identifier: GPL-3.0-or-later
"""What strangers send: bytes, names and texts that were made to hurt."""

import json
import random
import struct

import dbus

from companion import FakeRadio, collapse, contact_record, repaired, split_author
from fixture import OBJECT_MANAGER, ROOT, Case, contact_path, radio_path
from programs import BUS_NAME

RADIO = radio_path("sim")

NAMES = [
    b"",
    b"plain",
    b"\xff\xfe\xfd\x80\x81",
    b"cut at the end \xe2\x82",
    b"\xed\xa0\x80 surrogate",
    b"\xc0\xaf overlong",
    b"\xf4\x90\x80\x80 too high",
    b"\x1b]0;title\x07\x1b[2J\x1b[31m",
    b"line\nfeed\r\ttab",
    b"\xe2\x80\xae txet desrever",
    b"\xc2\x9b31m C1",
    b"\xe2\x80\xa8 separator",
    b"$(reboot); `id` && rm -rf / #",
    b"../../../etc/passwd",
    b"' OR 1=1; DROP TABLE messages; -",
    b"%s%n%x%p %d",
    b"\\\\ \"quoted\" {json: [}",
    b"<b>html</b> &amp;",
    "𝕌𝕟𝕚 é".encode(),
    b"\xef\xbf\xbe\xef\xbf\xbf nonchar",
]
SENDER = bytes([0xA0]) * 32


class Tests(Case):
    def fake(self, **options):
        radio = FakeRadio(**options)
        self.addCleanup(radio.close)
        client = self.client()
        self.bed.start_daemon({"sim": radio})
        return radio, client

    def keys(self, count):
        return [bytes([0x10 + i]) + bytes([i]) * 31 for i in range(count)]

    def test_names(self):
        """Names made to hurt are on the bus repaired, in every reader, and after a restart."""
        records = [contact_record(k, n, lastmod=i + 1) for i, (k, n) in enumerate(zip(self.keys(len(NAMES)), NAMES))]
        radio, client = self.fake(contacts=records, name=b"radio \xff\xf0\x9f")
        client.wait_for_state("ready")
        for again in (False, True):
            if again:
                self.restart_daemon(client)
            contacts = client.contacts()
            self.assertEqual(len(contacts), len(NAMES))
            for key, name in zip(self.keys(len(NAMES)), NAMES):
                self.assertEqual(collapse(contacts[key.hex()]["Name"]), repaired(name))
            self.assertEqual(collapse(client.get(RADIO, "Radio", "Name")), repaired(radio.name))
        connection = dbus.bus.BusConnection(self.bed.bus.address)
        objects = dbus.Interface(connection.get_object(BUS_NAME, ROOT), OBJECT_MANAGER).GetManagedObjects()
        connection.close()
        self.assertEqual(set(map(str, objects)), set(client.tree()))

    def test_names_in_terminal(self):
        """meshcorectl shows none of those bytes raw, and its JSON gives the names as they are."""
        records = [contact_record(k, n, lastmod=i + 1) for i, (k, n) in enumerate(zip(self.keys(len(NAMES)), NAMES))]
        _, client = self.fake(contacts=records)
        client.wait_for_state("ready")
        table = self.bed.ctl("contacts").stdout
        raw = [c for c in table if (ord(c) < 0x20 and c != "\n") or 0x7F <= ord(c) < 0xA0 or c in "\u2028\u2029\u202e"]
        self.assertEqual(raw, [])
        text = self.bed.ctl("contacts", "--json").stdout
        self.assertTrue(all(ord(c) >= 0x20 or c == "\n" for c in text))
        shown = json.loads(text)
        names = {c["Name"] for c in client.contacts().values()}
        self.assertEqual(len(shown), len(NAMES))
        self.assertTrue(all(any(name in map(str, o.values()) for o in shown) for name in names))

    def test_texts(self):
        """The same for texts and authors, through the store and back."""
        frames = [
            bytes([16, 0, 0, 0]) + SENDER[:6] + b"\xff\x00" + struct.pack("<I", 1700000000 + i) + name
            for i, name in enumerate(NAMES)
        ]
        frames += [
            bytes([17, 0, 0, 0, 0, 0, 0]) + struct.pack("<I", 1700000000 + i) + name + b": " + name
            for i, name in enumerate(NAMES)
        ]
        radio, client = self.fake(
            contacts=[contact_record(SENDER, b"s")], channels={0: (b"#x", bytes(range(16)))}, messages=frames
        )
        client.wait_signal("Received", "Messages", RADIO, count=len(frames))
        self.assertEqual(radio.messages, [])
        for records in (self.received(client), client.all_messages()):
            self.assertEqual([collapse(r["Text"]) for r in records[: len(NAMES)]], [repaired(n) for n in NAMES])
            for record, name in zip(records[len(NAMES) :], NAMES):
                author, text = split_author(name + b": " + name)
                self.assertEqual((collapse(record["Author"]), collapse(record["Text"])), (author, text))

    def test_random_answers(self):
        """A radio whose every answer is noise: no crash, typed reasons, and it is served once it is sane."""
        dice = random.Random(1)
        sane = []

        def answer(_frame):
            if sane:
                return None
            return [dice.randbytes(dice.randint(1, 176)) for _ in range(dice.randint(0, 3))]

        _, client = self.fake(answer=answer)
        for _ in range(30):
            mark = len(client.signals)
            client.wait_signal(
                "StateChanged", "Radio", RADIO,
                lambda old, new, reason, _: new == "waiting" and reason in ("protocol", "timeout", "lost", "taken-over"),
                since=max(0, mark - 1), timeout=120,
            )  # fmt: skip
            client.call(RADIO, "Radio", "Start")
        sane.append(True)
        client.call(RADIO, "Radio", "Start")
        client.wait_for_state("ready", timeout=120)
        self.assertTrue(self.bed.daemon.running())

    def test_random_stream(self):
        """Noise that is no frame at all, in the middle of a session."""
        dice = random.Random(2)
        radio, client = self.fake()
        client.wait_owned()
        for _ in range(20):
            client.call(RADIO, "Radio", "Start")
            client.wait_for_state("ready")
            mark = len(client.signals)
            try:
                radio.send_raw(dice.randbytes(dice.randint(1, 3000)) + b">\xff\xff")
            except OSError:
                pass
            client.wait_signal("StateChanged", "Radio", RADIO, lambda old, new, *_: new == "waiting", since=mark)
        self.assertTrue(self.bed.daemon.running())

    def test_random_pushes(self):
        """Pushes of every code with random bodies; the session goes on."""
        dice = random.Random(3)
        radio, client = self.fake(contacts=[contact_record(k, b"c") for k in self.keys(5)])
        client.wait_for_state("ready")
        for code in range(0x80, 0x100):
            for size in (0, 1, 6, 32, 33, 40, 100, 147, 175):
                radio.send(bytes([code]) + dice.randbytes(size))
        self.assertGreater(client.call(RADIO, "Radio", "Ping"), 0)
        self.assertEqual(client.get_state(), ("ready", "none"))

    def test_unasked_messages(self):
        """Message frames that nobody asked for are kept like all others."""
        radio, client = self.fake(contacts=[contact_record(SENDER, b"s")])
        client.wait_for_state("ready")
        radio.send(bytes([16, 0, 0, 0]) + SENDER[:6] + b"\xff\x00" + struct.pack("<I", 1700000000) + b"unasked")
        record = client.wait_signal("Received", "Messages", RADIO).arguments[2]
        self.assertEqual((record["Text"], record["Peer"]), ("unasked", contact_path("sim", SENDER.hex())))

    def test_endless_contacts(self):
        """A dump that never ends is ended by us, and memory stays bounded."""
        counter = iter(range(1 << 30))

        def answer(frame):
            if frame[0] != 4:
                return None
            return [b"\x02\xff\xff\xff\xff"] + [
                contact_record(struct.pack(">I", 0x11000000 + next(counter)) + bytes(28), b"flood") for _ in range(40000)
            ]

        _, client = self.fake(answer=answer)
        client.wait_signal("StateChanged", "Radio", RADIO, lambda old, new, *_: old == "syncing", timeout=180)
        self.assertTrue(self.bed.daemon.running())
        self.assertLessEqual(len(client.contacts()), 10000)

    def test_wrong_identity(self):
        """Another radio answers in the same place: its own objects, none of the old ones, and no old outbox."""
        radio, client = self.fake(contacts=[contact_record(k, b"of the first") for k in self.keys(3)])
        client.wait_for_state("ready")
        first = client.get(RADIO, "Radio", "PublicKey")
        client.call(RADIO, "Radio", "Stop")
        client.wait_for_state("stopped")
        message = client.call(RADIO, "Radio", "SendText", "(ssa{sv})", self.keys(1)[0].hex(), "for the first", {})
        radio.KEY = bytes(range(33, 65))
        radio.contacts = [contact_record(bytes([0x77]) * 32, b"of the second")]
        radio.log.clear()
        client.call(RADIO, "Radio", "Start")
        client.wait_signal("IdentityChanged", "Radio", RADIO, lambda old, new: old == first and new == radio.KEY.hex())
        client.wait_for_state("ready")
        client.call(RADIO, "Radio", "Ping")
        self.assertEqual([c["Name"] for c in client.contacts().values()], ["of the second"])
        self.assertNotIn(message, client.tree())
        self.assertEqual([frame for frame in radio.log if frame[0] == 2], [])

    def test_pinned_key(self):
        """PublicKey= in the configuration: another radio is refused."""
        radio = FakeRadio()
        self.addCleanup(radio.close)
        client = self.client()
        self.bed.start_daemon({"sim": {"Transport": radio.transport, "PublicKey": "ab" * 32}})
        client.wait_for_state("waiting", "wrong-radio")
        self.assertEqual([frame for frame in radio.log if frame[0] == 10], [])

    def test_client_garbage(self):
        """Calls with wrong types, huge texts and unknown members are answered with errors."""
        _, client = self.start()
        key = next(iter(client.contacts()))
        for member, signature, arguments in (
            ("SendText", "(s)", ("x",)),
            ("SendText", "(ssa{sv})", (key, "x" * 1000000, {})),
            ("NoSuchThing", None, ()),
        ):
            with self.assertRaises(Exception):
                client.call(RADIO, "Radio", member, signature, *arguments)
        self.assertEqual(client.get_state(), ("ready", "none"))

