#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Seeds for the fuzz targets, from the golden vectors and the recorded sessions.

usage: make-corpus.py DATA_DIR OUTPUT_DIR STAMP

OUTPUT_DIR gets one directory a target. What a target reads before the bytes
proper (policy, level, kind of request) is put in front as the target says.
"""

import hashlib
import json
import pathlib
import sys

KINDS = ["NONE", "STATUS", "TELEMETRY", "MMA", "ACL", "NEIGHBOURS", "OWNER_INFO", "REGIONS", "OWNER", "BASIC"]
PER_CODE = 6  # recorded frames of one code; more teach a fuzzer nothing

URIS = [
    "meshcore://contact/add?name=Z%C3%BCrich&public_key=" + "35" * 32 + "&type=1",
    "meshcore://contact/add?type=3&name=a+b&public_key=" + "ab" * 32,
    "meshcore://channel/add?name=%23over&secret=" + "8b" * 16,
    "meshcore://channel/add?name=x&secret=" + "00" * 16 + "&region_scope=%23europe",
]

CONFIGURATION = """# comment
[Daemon]
LogLevel=debug
[Radio hut]
Transport=tcp://[fe80::1%eth0]:5000
PublicKey=""" + "1f" * 32 + """
Enabled=yes
TrustClock=off
SetClock=1
ReconnectMaxSec=900
PollIntervalSec=10
AirtimeBudgetPercent=7
[Radio b_2]
Transport=serial:/dev/serial/by-id/usb-x
[Radio c-3]
Transport=ble:AA:BB:CC:DD:EE:FF
[Nonsense
"""

TEXTS = [
    "Grüße aus Zürich 📡🏔 한글",
    "a\x1b[2J\u202e\u2028\n\t\\",
]


class Corpus:
    def __init__(self, directory):
        self.directory = pathlib.Path(directory)

    def add(self, target, data):
        directory = self.directory / target
        directory.mkdir(parents=True, exist_ok=True)
        (directory / hashlib.sha1(data).hexdigest()[:16]).write_bytes(data)


def add_frame(corpus, frame, kind=0, prefix_length=0):
    corpus.add("frame", bytes([0, 0]) + frame)
    corpus.add("frame", bytes([9, 3]) + frame)
    corpus.add("decode", bytes([kind, 13]) + frame)
    if not frame:
        return
    if frame[0] == 0x8C:
        corpus.add("reply", bytes([kind, prefix_length]) + frame[6:])
        corpus.add("status", frame[6:])
        corpus.add("lpp", frame[6:])
    elif frame[0] == 0x87:
        corpus.add("status", frame[8:])
        corpus.add("reply", bytes([1, 0]) + frame[8:])
    elif frame[0] == 0x8B:
        corpus.add("lpp", frame[8:])
        corpus.add("reply", bytes([2, 0]) + frame[8:])
    elif frame[0] == 0x88:
        corpus.add("packet", frame[3:])
    elif frame[0] == 0x0B:
        corpus.add("packet", frame[1:])
        corpus.add("card", b"meshcore://" + frame[1:].hex().encode())


def add_vectors(corpus, vectors):
    for event in vectors["events"]:
        pending = event.get("pending_request") or {"type": "NONE", "context": {}}
        add_frame(corpus, bytes.fromhex(event["frame"]), KINDS.index(pending["type"]),
                  pending["context"].get("pubkey_prefix_length", 0))
    for stream in vectors["framing"]["decode"]:
        data = bytes.fromhex("".join(stream["chunks"]))
        for first in (0, 1, 255):
            corpus.add("framer", bytes([first]) + data)


def add_transcripts(corpus, directory):
    seen = {}
    for path in sorted(directory.glob("*.jsonl")):
        stream = b""
        for line in path.read_text(encoding="utf-8").splitlines():
            record = json.loads(line)
            data = bytes.fromhex(record["hex"])
            if record["dir"] != "radio>app":
                continue
            stream += data
            code = data[3]
            seen[code] = seen.get(code, 0) + 1
            if seen[code] <= PER_CODE:
                add_frame(corpus, data[3:])
        corpus.add("framer", b"\x21" + stream[:4096])


class Body:
    """The body of a D-Bus message, little-endian, of what is written one after the other."""

    def __init__(self):
        self.data = bytearray()

    def pad(self, size):
        self.data += bytes(-len(self.data) % size)

    def number(self, value, size=4):
        self.pad(size)
        self.data += (value & ((1 << 8 * size) - 1)).to_bytes(size, "little")

    def text(self, value):
        encoded = value.encode()
        self.number(len(encoded))
        self.data += encoded + b"\0"

    def array(self, items, write, align):
        self.number(0)
        at = len(self.data)
        self.pad(align)
        start = len(self.data)
        for item in items:
            self.pad(align)
            write(item)
        self.data[at - 4 : at] = (len(self.data) - start).to_bytes(4, "little")

    def texts(self, values):
        self.array(values, self.text, 4)

    def variant(self, value):
        signature = {bool: "b", int: "n", list: "as"}.get(type(value), "o" if str(value).startswith("/") else "s")
        self.data += bytes([len(signature)]) + signature.encode() + b"\0"
        if signature == "b":
            self.number(value)
        elif signature == "n":
            self.number(value, 2)
        elif signature == "as":
            self.texts(value)
        else:
            self.text(value)

    def pair(self, item):
        self.text(item[0])
        self.variant(item[1])

    def properties(self, values):
        self.array(values.items(), self.pair, 8)

    def interface(self, item):
        self.text(item[0])
        self.properties(item[1])

    def object(self, item):
        self.text(item[0])
        self.array(item[1].items(), self.interface, 8)

    def objects(self, values):
        self.array(values.items(), self.object, 8)


HCI0 = "/org/bluez/hci0"
HUT = HCI0 + "/dev_C0_00_00_00_22_01"
UART = "6e40000{}-b5a3-f393-e0a9-e50e24dcca9e"
BLUEZ = {
    "/org/bluez": {"org.bluez.AgentManager1": {}},
    HCI0: {"org.bluez.Adapter1": {"Address": "00:AA:01:00:00:42", "Alias": "host", "Modalias": "usb:v1D6Bp0246d0542",
                                  "Powered": True, "Pairable": False, "Discovering": True, "UUIDs": ["180f"]}},
    HUT: {"org.bluez.Device1": {"Adapter": HCI0, "Address": "C0:00:00:00:22:01", "AddressType": "random",
                                "Name": "MeshCore-Hütte", "Paired": True, "Bonded": True, "Trusted": False,
                                "Connected": True, "ServicesResolved": True, "RSSI": -60, "UUIDs": [UART.format(1)]}},
    HUT + "/service0010/char0011": {"org.bluez.GattCharacteristic1": {"UUID": UART.format(2), "Flags": ["write"]}},
    HUT + "/service0010/char0013": {"org.bluez.GattCharacteristic1": {"UUID": UART.format(3), "Flags": ["notify"]}},
}  # fmt: skip


def add_bluez(corpus):
    """Messages in the order of the target's kinds: all, added, removed, changed, disconnected; about the radio."""

    def record(kind, write):
        body = Body()
        write(body)
        return bytes([kind + 5]) + len(body.data).to_bytes(2, "little") + bytes(body.data)

    def change(values, gone=()):
        return record(3, lambda b: (b.text("org.bluez.Device1"), b.properties(values), b.texts(gone)))

    everything = record(0, lambda b: b.objects(BLUEZ))
    added = [record(1, lambda b, path=path: b.object((path, BLUEZ[path]))) for path in BLUEZ]
    lost = [record(4, lambda b: (b.text("org.bluez.Reason.Timeout"), b.text("Connection timeout"))),
            change({"Connected": False, "ServicesResolved": False}, ["RSSI"])]  # fmt: skip
    removed = [record(2, lambda b, path=path: (b.text(path), b.texts(BLUEZ[path]))) for path in reversed(BLUEZ)]
    corpus.add("bluez", everything)
    corpus.add("bluez", b"".join(added))
    corpus.add("bluez", everything + b"".join(lost))
    corpus.add("bluez", added[1] + added[2] + b"".join(lost) + b"".join(removed))
    corpus.add("bluez", added[2] + change({"Name": 7, "Paired": "yes", "UUIDs": "x", "RSSI": True, "Address": [""]}))


def add_bus(corpus):
    """Each method once by our own user, with arguments that are something, and then what waits at the radio."""
    for member in range(112):
        corpus.add("bus", bytes([0, 0, member, 1, 0, 0]) + bytes([1] * 12) + bytes([8, 0]))


def add_store(corpus):
    """Stores of every age, whole; then one thing that is wrong: a column, bytes of the header, a lost page."""
    for which in range(9):
        corpus.add("store", bytes([which]))
    for column in range(68):
        corpus.add("store", bytes([1, 6, column, (1, 14, 21, 6)[column % 4]]) + bytes([0xFF] * 8))
    for at in (0, 16, 18, 28, 60, 63, 68, 100, 105):
        corpus.add("store", bytes([6, 4, 0, at, 0, 0, 1, 0xFF]))
    for name in range(4):
        corpus.add("store", bytes([1, 0, name]))
        corpus.add("store", bytes([1, 1, name, 0, 2, 0, 3]) + b"cut")
        corpus.add("store", bytes([1, 5, name, 0, 0, 0, 6]) + b"MSP1\xff\xff")
        corpus.add("store", bytes([1, 3, name, 0, 0x10, 0, 1, 0]))


def add_radio(corpus):
    """A radio that tells the truth, then one lie each in the first frames; and each question once."""
    corpus.add("radio", bytes(400))
    for frame in range(0, 24, 2):
        corpus.add("radio", bytes(2 * frame) + bytes([200, frame, 0xFF, 0xFF, 0, 240, 0x55]) + bytes(200))
    for question in range(0, 256, 17):
        corpus.add("radio", bytes(160) + bytes([1, question, 0, 0, 0, 0]) + bytes(60))


def main():
    data, output, stamp = (pathlib.Path(a) for a in sys.argv[1:4])
    corpus = Corpus(output)
    with open(data / "vectors.json", encoding="utf-8") as file:
        add_vectors(corpus, json.load(file))
    add_transcripts(corpus, data / "transcripts")
    for uri in URIS:
        corpus.add("card", uri.encode())
    corpus.add("configuration", CONFIGURATION.encode())
    for text in TEXTS:
        corpus.add("utf8", text.encode())
    corpus.add("utf8", bytes(range(0x70, 0x100)))
    add_bluez(corpus)
    add_bus(corpus)
    add_store(corpus)
    add_radio(corpus)
    stamp.write_text("", encoding="utf-8")


if __name__ == "__main__":
    main()
