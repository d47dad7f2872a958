# SPDX-License-Identifier: GPL-3.0-or-later
"""meshcore-sim as a program: over TCP, over a terminal, and its control socket."""

import json
import os
import select
import signal
import socket
import struct
import subprocess
import tempfile
import termios
import time
import tty
import unittest

SIM = os.environ.get("MESHCORE_SIM", "meshcore-sim")
DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data", "transcripts")


class Line:
    """Frames over a file descriptor."""

    def __init__(self, fd):
        self.fd = fd
        self.buffer = b""

    def send(self, payload):
        os.write(self.fd, b"<" + struct.pack("<H", len(payload)) + payload)

    def receive(self, timeout=5.0):
        end = time.monotonic() + timeout
        while True:
            if len(self.buffer) >= 3:
                size = 3 + struct.unpack_from("<H", self.buffer, 1)[0]
                if len(self.buffer) >= size:
                    frame, self.buffer = self.buffer[3:size], self.buffer[size:]
                    return frame
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.fd], [], [], left)[0]:
                raise TimeoutError
            data = os.read(self.fd, 65536)
            if not data:
                raise EOFError
            self.buffer += data

    def ask(self, payload):
        """The answer, without the pushes before it."""
        self.send(payload)
        return self.wait(lambda frame: frame[0] < 0x80)

    def wait(self, wanted, timeout=5.0):
        end = time.monotonic() + timeout
        while True:
            frame = self.receive(max(end - time.monotonic(), 0.01))
            if wanted(frame):
                return frame

    def drain(self):
        messages = []
        while (frame := self.ask(b"\x0a")) != b"\x0a":
            messages.append(frame)
        return messages


class Tests(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.process = None
        self.sockets = []

    def tearDown(self):
        for sock in self.sockets:
            sock.close()
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            self.assertEqual(self.process.wait(10), 0)
            self.process.stdout.close()

    def path(self, name):
        return os.path.join(self.directory.name, name)

    def start(self, *options, pty=False):
        where = ["--pty", self.path("radio")] if pty else ["--tcp", "127.0.0.1:0"]
        self.process = subprocess.Popen(
            [SIM, *where, "--control", self.path("control"), "--speed", "1000", *options],
            stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        self.assertTrue(line.startswith("listening on "), line)
        self.where = line.split(" ", 2)[2].strip()

    def connect(self):
        host, port = self.where.rsplit(":", 1)
        sock = socket.create_connection((host, int(port)))
        self.sockets.append(sock)
        return Line(sock.fileno())

    def control(self, cmd, **members):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(self.path("control"))
            sock.sendall(json.dumps({"cmd": cmd, **{k.replace("_", "-"): v for k, v in members.items()}}).encode())
            sock.sendall(b"\n")
            answer = json.loads(sock.makefile().readline())
        self.assertTrue(answer.pop("ok"), answer)
        return answer

    def contacts(self, line):
        line.send(b"\x04")
        found = {}
        while (frame := line.receive())[0] != 4:
            if frame[0] == 3:
                found[frame[100:132].split(b"\0")[0].decode()] = frame[1:33]
        return found

    def test_session_over_tcp(self):
        self.start()
        line = self.connect()
        self.assertEqual(line.ask(b"\x16\x03")[1], 13)
        self.assertEqual(line.ask(b"\x01" + bytes(7) + b"test")[58:], b"Simulated radio")
        contacts = self.contacts(line)
        self.assertIn("Bob", contacts)
        self.assertEqual(line.ask(b"\x1f\x01")[2:8], b"#test\0")
        self.assertEqual(line.drain(), [])

        sent = line.ask(b"\x02\0\0" + struct.pack("<I", 1800000000) + contacts["Bob"][:6] + b"hello")
        self.assertEqual(sent[0], 6)
        confirmed = line.wait(lambda frame: frame[0] == 0x82)
        self.assertEqual(confirmed[1:5], sent[2:6])
        line.wait(lambda frame: frame[0] == 0x83)
        echo = line.drain()
        self.assertEqual([message[16:] for message in echo if message[4:10] == contacts["Bob"][:6]], [b"hello"])

        stats = self.control("stats")
        self.assertEqual(stats["sent_texts"][0]["text"], "hello")
        self.assertEqual(stats["connections"], 1)

    def test_texts_and_popped(self):
        self.start()
        line = self.connect()
        line.ask(b"\x16\x03")
        self.control("text", **{"from": "Anna"}, text="number {n}", count=20)
        self.control("channel-text", channel="Public", author="Zoe", text="all")
        self.control("datagram", channel=1, type=0x100, data="0102")
        messages = []
        end = time.monotonic() + 5
        while len(messages) < 22 and time.monotonic() < end:
            messages += line.drain()
        texts = [message[16:].decode() for message in messages if message[0] == 16]
        self.assertEqual(texts, [f"number {n}" for n in range(1, 21)])
        self.assertEqual([m[11:] for m in messages if m[0] == 17], [b"Zoe: all"])
        self.assertEqual([m[6:] for m in messages if m[0] == 27], [b"\x00\x01\x02\x01\x02"])
        self.assertEqual(self.control("popped")["frames"], [message.hex() for message in messages])

    def test_faults(self):
        self.start()
        line = self.connect()
        line.ask(b"\x16\x03")
        self.control("mute", codes=[5])
        line.send(b"\x05")
        with self.assertRaises(TimeoutError):
            line.receive(0.2)
        self.control("mute", codes=[])
        self.assertEqual(line.ask(b"\x05")[0], 9)

        self.control("link", action="stall")
        line.send(b"\x05")
        with self.assertRaises(TimeoutError):
            line.receive(0.2)
        self.control("link", action="resume")
        self.assertEqual(line.receive()[0], 9)

        self.control("drop-after", frames=1)
        self.assertEqual(line.ask(b"\x05")[0], 9)
        with self.assertRaises((EOFError, ConnectionResetError)):
            line.receive()

        self.control("link", action="refuse")
        with self.assertRaises(ConnectionRefusedError):
            self.connect()
        self.control("link", action="accept")
        self.assertEqual(self.connect().ask(b"\x05")[0], 9)

        self.control("ack", mode="none")
        self.control("loss", percent=100)
        self.control("add-contacts", count=3)
        self.control("clock", set=1700000000)

    def login(self, line, key, password):
        line.ask(b"\x1a" + key + password)
        return line.wait(lambda frame: frame[0] == 0x85)

    def request(self, line, key, data):
        sent = line.ask(b"\x32" + key + data)
        answer = line.wait(lambda frame: frame[0] == 0x8C)
        self.assertEqual(answer[2:6], sent[2:6])
        return answer[6:]

    def test_servers(self):
        self.start()
        line = self.connect()
        line.ask(b"\x16\x03")
        contacts = self.contacts(line)
        hill, room, sensor = contacts["Hilltop"], contacts["Town room"], contacts["Greenhouse"]

        login = self.login(line, hill, b"password")
        self.assertEqual((len(login), login[1], login[12], login[13]), (14, 1, 3, 2))
        self.assertEqual(struct.unpack_from("<H", self.request(line, hill, b"\x01"))[0], 4021)
        self.assertTrue(self.request(line, hill, b"\x07").startswith(b"v1.17.1\nHilltop\nrun by the club"))
        neighbours = self.request(line, hill, b"\x06\x00\x0a\x00\x00\x00\x06random"[:11])
        self.assertEqual((neighbours[:4], neighbours[4:10]), (b"\x01\0\x01\0", contacts["Far ridge"][:6]))
        self.assertEqual(self.request(line, hill, b"\x05\0\0")[6], 3)

        line.ask(b"\x02\x01\0" + bytes(4) + hill[:6] + b"A1|ver")
        line.wait(lambda frame: frame[0] == 0x83)
        self.assertTrue(line.drain()[-1][16:].startswith(b"A1|v1.17.1"))

        self.assertEqual(self.login(line, sensor, b"password")[1], 1)
        self.assertEqual(self.request(line, sensor, b"\x04" + bytes(10))[4:6], b"\x02\x67")

        self.assertEqual(self.login(line, room, b"hello")[12], 2)
        self.control("post", room="Town room", text="for all", **{"from": "Anna"})
        posts = []
        end = time.monotonic() + 5
        while not posts and time.monotonic() < end:
            posts = [message for message in line.drain() if message[11] == 2]
        self.assertEqual(posts[0][16:], contacts["Anna"][:4] + b"for all")

        line.ask(b"\x24" + b"\x01\x02\x03\x04" + bytes(5) + hill[:1])
        trace = line.wait(lambda frame: frame[0] == 0x89)
        self.assertEqual((trace[4:8], trace[12:13], len(trace)), (b"\x01\x02\x03\x04", hill[:1], 15))

        line.ask(b"\x37\x80\x04" + b"\x05\x06\x07\x08")
        found = line.wait(lambda frame: frame[0] == 0x8E)
        self.assertEqual(found[10:], hill)

        line.ask(b"\x39" + hill + b"\x02\x00")
        owner = line.wait(lambda frame: frame[0] == 0x8C)
        self.assertTrue(owner[10:].startswith(b"Hilltop\nrun by the club"))

    def test_newcomer_wins(self):
        self.start()
        first, second = self.connect(), self.connect()
        self.assertEqual(second.ask(b"\x05")[0], 9)
        with self.assertRaises((EOFError, ConnectionResetError)):
            first.receive()

    def test_reboot(self):
        self.start()
        line = self.connect()
        line.ask(b"\x16\x03")
        line.send(b"\x13reboot")
        with self.assertRaises((EOFError, ConnectionResetError)):
            line.receive()
        end = time.monotonic() + 10
        while True:
            try:
                line = self.connect()
                break
            except ConnectionRefusedError:
                self.assertLess(time.monotonic(), end)
                time.sleep(0.05)
        self.assertEqual(line.ask(b"\x16\x03")[0], 13)

    def test_terminal(self):
        self.start("--firmware", "1.9.0", pty=True)
        fd = os.open(self.path("radio"), os.O_RDWR | os.O_NOCTTY)
        self.addCleanup(os.close, fd)
        tty.setraw(fd, termios.TCSANOW)
        line = Line(fd)
        os.write(fd, bytes(200))  # filler, wire reference 1.2
        info = line.ask(b"\x16\x03")
        self.assertEqual((info[0], info[1], len(info)), (13, 7, 80))
        self.assertIn("Anna", self.contacts(line))

    def test_recording(self):
        self.start("--replay", os.path.join(DATA, "offline_queue_drain.jsonl"))
        line = self.connect()
        self.assertEqual(line.ask(b"\x01" + bytes(7))[58:], b"Bob")
        self.assertEqual(line.ask(b"\x16\x03")[1], 13)
        self.assertEqual(len(line.drain()), 10)

    def test_scenario(self):
        with open(self.path("scenario"), "w", encoding="utf-8") as file:
            file.write("[Radio]\nName=Other\nQueueSize=4\nContacts=2\n[Node R]\nType=repeater\n"
                       "[Node Far]\nVia=R\n[Event one]\nAt=0\nDo=text\nFrom=Far\nText=from afar\n")
        self.start("--scenario", self.path("scenario"))
        line = self.connect()
        self.assertEqual(line.ask(b"\x01" + bytes(7))[58:], b"Other")
        self.assertEqual(set(self.contacts(line)), {"R", "Far", "Contact 1", "Contact 2"})
        messages = []
        end = time.monotonic() + 5
        while not messages and time.monotonic() < end:
            messages = line.drain()
        # over one repeater, in the layout of an app that told no level
        self.assertEqual((messages[0][0], messages[0][7], messages[0][13:]), (7, 1, b"from afar"))

    def test_refusals(self):
        for options in ([], ["--tcp", "nowhere"], ["--tcp", "127.0.0.1:0", "--firmware", "9"],
                        ["--tcp", "127.0.0.1:0", "--scenario", "/nonexistent"], ["extra"]):
            result = subprocess.run([SIM, *options], capture_output=True, text=True, timeout=10, check=False)
            self.assertNotEqual(result.returncode, 0, options)
            self.assertNotEqual(result.stderr, "", options)
            self.assertEqual(result.stdout, "", options)


if __name__ == "__main__":
    unittest.main()
