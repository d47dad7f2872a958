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
    stamp.write_text("", encoding="utf-8")


if __name__ == "__main__":
    main()
