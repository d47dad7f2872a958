# SPDX-License-Identifier: GPL-3.0-or-later
"""The few layouts of the companion protocol that the tests need, read from
the wire reference (4.1) and not from our codec, recorded sessions (see
tests/data/transcripts/README.md), and a radio written in Python for what the
simulator would never do."""

import codecs
import collections
import json
import os
import re
import socket
import struct
import threading
import time

TRANSCRIPTS = os.environ.get(
    "MESHCORED_TRANSCRIPTS", os.path.join(os.path.dirname(__file__), "..", "data", "transcripts")
)

Contact = collections.namedtuple("Contact", "key type flags path name last_advert lat lon lastmod")
Text = collections.namedtuple("Text", "kind prefix slot author text timestamp snr hops data_type data")
TYPES = {0: "none", 1: "chat", 2: "repeater", 3: "room", 4: "sensor"}


def repaired(data):
    """What must be on the bus for these bytes; runs of U+FFFD count as one."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    text = decoder.decode(data.rstrip(b"\0").replace(b"\0", b"\xff"), False)
    return collapse("".join("\ufffd" if ord(c) & 0xFFFE == 0xFFFE or 0xFDD0 <= ord(c) <= 0xFDEF else c for c in text))


def collapse(text):
    return re.sub("\ufffd+", "\ufffd", text)


def cstring(field):
    return repaired(field.split(b"\0", 1)[0])


def parse_path(length, field):
    """None when unknown, else the hops (wire reference 6.4)."""
    if length == 0xFF:
        return None
    size, hops = (length >> 6) + 1, length & 0x3F
    return [field[i * size : (i + 1) * size] for i in range(hops)]


def parse_contact(frame):
    kind, flags, path_len = frame[33], frame[34], frame[35]
    last_advert, lat, lon, lastmod = struct.unpack_from("<IiiI", frame, 132)
    return Contact(
        frame[1:33].hex(), TYPES.get(kind, "unknown"), flags, parse_path(path_len, frame[36:100]),
        cstring(frame[100:132]), last_advert, lat / 1e6, lon / 1e6, lastmod,
    )  # fmt: skip


def split_author(data):
    author, separator, rest = data.partition(b": ")
    return (repaired(author), repaired(rest)) if separator else ("", repaired(data))


def hops(path_len):
    return 255 if path_len == 0xFF else path_len & 0x3F


def parse_message(frame):
    """A frame from the radio's queue: codes 7, 8, 16, 17, 27."""
    code, snr = frame[0], None
    body = frame[1:]
    if code in (16, 17, 27):
        snr = struct.unpack_from("<b", body)[0] / 4
        body = body[3:]
    if code in (7, 16):
        prefix, path_len, text_type, timestamp = body[:6].hex(), body[6], body[7], struct.unpack_from("<I", body, 8)[0]
        text = body[12:]
        kind = {0: "text", 1: "command", 2: "post"}[text_type]
        if text_type == 2:
            text = text[4:]
        return Text(kind, prefix, None, "", repaired(text), timestamp, snr, hops(path_len), 0, b"")
    if code in (8, 17):
        slot, path_len, timestamp = body[0], body[1], struct.unpack_from("<I", body, 3)[0]
        author, text = split_author(body[7:])
        return Text("text", "", slot, author, text, timestamp, snr, hops(path_len), 0, b"")
    if code == 27:
        slot, path_len, data_type, size = body[0], body[1], struct.unpack_from("<H", body, 2)[0], body[4]
        return Text("data", "", slot, "", "", 0, snr, hops(path_len), data_type, body[5 : 5 + size])
    raise ValueError(f"not a message: {frame.hex()}")


class Transcript:
    """One recorded session: what the radio said, and when."""

    def __init__(self, name):
        self.path = os.path.join(TRANSCRIPTS, name + ".jsonl")
        self.commands, self.answers, self.lines = [], [], []
        with open(self.path, encoding="utf-8") as file:
            for line in file:
                self.lines.append(line)
                entry = json.loads(line)
                raw = bytes.fromhex(entry["hex"])
                if len(raw) < 4 or raw[:1] not in (b"<", b">") or len(raw) != 3 + raw[1] + 256 * raw[2]:
                    continue
                if entry["dir"] == "app>radio":
                    self.commands.append(raw[3:])
                else:
                    self.answers.append(raw[3:])

    def first(self, code):
        return next(frame for frame in self.answers if frame[0] == code)

    def lines_of_contacts(self):
        """The request for all contacts and the answer to it, as recorded."""
        return [line for line in self.lines if re.search(r"GET_CONTACTS|CONTACTS_START|reply CONTACT\"|END_OF_CONT", line)]

    def self_info(self):
        frame = self.first(5)
        frequency, bandwidth = struct.unpack_from("<II", frame, 48)
        lat, lon = struct.unpack_from("<ii", frame, 36)
        return {
            "PublicKey": frame[4:36].hex(),
            "TxPower": struct.unpack_from("<b", frame, 2)[0],
            "MaxTxPower": struct.unpack_from("<b", frame, 3)[0],
            "Location": (lat / 1e6, lon / 1e6),
            "FrequencyHz": frequency * 1000,
            "BandwidthHz": bandwidth,
            "SpreadingFactor": frame[56],
            "CodingRate": frame[57],
            "Name": repaired(frame[58:]),
        }

    def device_info(self):
        frame = self.first(13)
        return {
            "ProtocolVersion": frame[1],
            "Model": cstring(frame[20:60]),
            "Firmware": cstring(frame[60:80]),
        }, {"contacts": frame[2] * 2, "channels": frame[3]}

    def contacts(self):
        """key → Contact, as the radio said it last."""
        return {c.key: c for c in map(parse_contact, (f for f in self.answers if f[0] == 3))}

    def channels(self):
        """slot → name, of those that are not empty."""
        found = {}
        for frame in self.answers:
            if frame[0] == 18:
                name, secret = cstring(frame[2:34]), frame[34:50]
                if name or any(secret):
                    found[frame[1]] = name
                else:
                    found.pop(frame[1], None)
        return found

    def messages(self):
        return [parse_message(frame) for frame in self.answers if frame[0] in (7, 8, 16, 17, 27)]


def text_frame(key, text, timestamp):
    """A direct text of the node with this key (hex), as it stands in the radio's queue."""
    return bytes([16, 37, 0, 0]) + bytes.fromhex(key[:12]) + b"\xff\x00" + struct.pack("<I", timestamp) + text.encode()


def channel_frame(slot, author, text, timestamp):
    return bytes([17, 37, 0, 0, slot, 0, 0]) + struct.pack("<I", timestamp) + f"{author}: {text}".encode()


def contact_record(key, name, type_=1, lastmod=1, flags=0, path_len=0xFF, path=b"", code=3):
    name = name if isinstance(name, bytes) else name.encode()
    return (
        bytes([code]) + key + bytes([type_, flags, path_len]) + path.ljust(64, b"\0")
        + name[:32].ljust(32, b"\0") + struct.pack("<IiiI", 1700000000, 0, 0, lastmod)
    )  # fmt: skip


class FakeRadio:
    """A TCP radio in a thread. answer(frame) gives the frames for a command, or
    None for what a peaceful radio of firmware 1.17.1 says. raw bytes go out with send_raw()."""

    KEY = bytes(range(1, 33))

    def __init__(self, contacts=(), channels=None, messages=(), answer=None, name=b"Fake", greeting=()):
        self.contacts = list(contacts)
        self.channels = channels or {}
        self.messages = list(messages)
        self.answer = answer
        self.name = name
        self.clock = None  # the time of day, unless set
        self.greeting = greeting  # frames that lie in the line when somebody comes
        self.log = []
        self.connections = 0
        self.lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.transport = "tcp://127.0.0.1:%d" % self._listener.getsockname()[1]
        self._connection = None
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self):
        for sock in (self._listener, self._connection):
            if sock:
                try:
                    sock.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
                sock.close()
        self._thread.join(10)

    def drop(self):
        self._connection.shutdown(socket.SHUT_RDWR)

    def send_raw(self, data):
        with self.lock:
            self._connection.sendall(data)

    def send(self, frame):
        self.send_raw(b">" + struct.pack("<H", len(frame)) + frame)

    def _serve(self):
        while True:
            try:
                self._connection, _ = self._listener.accept()
                self.connections += 1
                self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for frame in self.greeting:
                    self.send(frame)
                self._serve_one(self._connection)
            except OSError:
                if self._listener.fileno() < 0:
                    return

    def _serve_one(self, connection):
        stream = connection.makefile("rb")
        while True:
            header = stream.read(3)
            if len(header) < 3:
                return
            frame = stream.read(header[1] + 256 * header[2])
            self.log.append(frame)
            answers = self.answer(frame) if self.answer else None
            for reply in self.peaceful(frame) if answers is None else answers:
                self.send(reply)

    def peaceful(self, frame):
        code = frame[0]
        if code == 22:
            return [bytes([13, 13, 175, 40, 0, 0, 0, 0]) + b"1 Jan 2026".ljust(12, b"\0")
                    + b"Fake board".ljust(40, b"\0") + b"v1.17.1".ljust(20, b"\0") + b"\0\0"]  # fmt: skip
        if code == 1:
            return [bytes([5, 1, 22, 22]) + self.KEY + bytes(12) + struct.pack("<IIBB", 869618, 62500, 8, 5) + self.name]
        if code == 5:
            return [b"\x09" + struct.pack("<I", self.clock or int(time.time()))]
        if code == 20:
            return [b"\x0c" + struct.pack("<HII", 4000, 1, 100)]
        if code == 4:
            since = struct.unpack_from("<I", frame, 1)[0] if len(frame) >= 5 else 0
            sent = [c for c in self.contacts if struct.unpack_from("<I", c, 144)[0] > since]
            newest = max((struct.unpack_from("<I", c, 144)[0] for c in sent), default=0)
            return [b"\x02" + struct.pack("<I", len(self.contacts)), *sent, b"\x04" + struct.pack("<I", newest)]
        if code == 31:
            slot = frame[1]
            if slot >= 40:
                return [b"\x01\x02"]
            name, secret = self.channels.get(slot, (b"", bytes(16)))
            return [bytes([18, slot]) + name.ljust(32, b"\0") + secret]
        if code == 10:
            return [self.messages.pop(0)] if self.messages else [b"\x0a"]
        if code in (6, 54):
            return [b"\x00"]
        if code in (2,):
            return [b"\x06\x00" + bytes(4) + struct.pack("<I", 1000)]
        if code in (3, 62):
            return [b"\x00"]
        return [b"\x01\x01"]
