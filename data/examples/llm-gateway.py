#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Lets a program on this computer answer direct texts: a language model, for example.

    ./llm-gateway.py [--session] [--parts N] -- COMMAND [ARGUMENT...]
    ./llm-gateway.py -- llama-cli --model small.gguf --file /dev/stdin

COMMAND is started once for each text, one at a time. It reads the text on its
standard input and writes the answer to its standard output. The text of a
stranger is never part of the command line, where a shell might read it; who
wrote is in the environment, as MESHCORE_KEY and MESHCORE_NAME. The answer goes
out in up to N messages (2), each as long as the radio takes. Needs python3-gi.
"""

import argparse
import collections

from gi.repository import Gio, GLib

NAME, ROOT = "org.meshcored1", "/org/meshcored1"
WAITING = 20  # texts; more than that are not answered
SECONDS = 120  # for one answer


def split(text, size, count):
    """At most count pieces of at most size bytes, between words where that is possible."""
    pieces = []
    words = " ".join(text.split())
    while words and len(pieces) < count:
        piece = words.encode()[:size].decode(errors="ignore")
        if len(piece) < len(words) and " " in piece and words[len(piece)] != " ":
            piece = piece[: piece.rindex(" ")]
        pieces.append(piece)
        words = words[len(piece) :].lstrip()
    return pieces


class Gateway:
    def __init__(self, bus, command, parts):
        self.bus = bus
        self.command = command
        self.parts = parts
        self.waiting = collections.deque()
        self.process = None
        bus.signal_subscribe(NAME, NAME + ".Messages", "Received", None, None, 0, self.on_received)

    def get(self, path, interface, name):
        arguments = GLib.Variant("(ss)", (f"{NAME}.{interface}", name))
        reply = self.bus.call_sync(
            NAME, path, "org.freedesktop.DBus.Properties", "Get", arguments, None, 0, -1, None
        )
        return reply.unpack()[0]

    def on_received(self, _bus, _sender, radio, _interface, _signal, arguments):
        conversation, _message, record = arguments.unpack()
        if "/contact/" in conversation and record["Kind"] == "text" and len(self.waiting) < WAITING:
            self.waiting.append((radio, conversation, record))
            self.next()

    def next(self):
        if self.process or not self.waiting:
            return
        radio, contact, record = self.waiting.popleft()
        try:
            launcher = Gio.SubprocessLauncher.new(
                Gio.SubprocessFlags.STDIN_PIPE | Gio.SubprocessFlags.STDOUT_PIPE
            )
            launcher.setenv("MESHCORE_KEY", self.get(contact, "Contact", "Key"), True)
            launcher.setenv("MESHCORE_NAME", self.get(contact, "Contact", "Name"), True)
            size = self.get(radio, "Radio", "MaxTextBytes")
            self.process = launcher.spawnv(self.command)
        except GLib.Error as error:
            print("not answered:", error.message, flush=True)
            return
        timer = GLib.timeout_add_seconds(SECONDS, self.process.force_exit)
        text = GLib.Bytes.new(record["Text"].encode())
        self.process.communicate_async(text, None, self.on_answer, (contact, record["Id"], size, timer))

    def on_answer(self, process, result, data):
        contact, message_id, size, timer = data
        # It fires once: force_exit() returns nothing.
        if source := GLib.MainContext.default().find_source_by_id(timer):
            source.destroy()
        self.process = None
        try:
            _, output, _ = process.communicate_finish(result)
            answer = output.get_data() or b""
            if not process.get_successful():
                answer = b""
        except GLib.Error:
            answer = b""
        if not answer:
            print("no answer for", message_id, flush=True)
        answer = answer.decode(errors="replace").replace("\0", "")
        for part, text in enumerate(split(answer, size, self.parts)):
            options = {"Token": GLib.Variant("s", f"llm-gateway-{message_id}-{part}")}
            self.bus.call(
                NAME, contact, NAME + ".Contact", "SendText", GLib.Variant("(sa{sv})", (text, options)),
                None, 0, -1, None, self.on_sent,
            )  # fmt: skip
        self.next()

    @staticmethod
    def on_sent(bus, result):
        try:
            print("answered", bus.call_finish(result).unpack()[0], flush=True)
        except GLib.Error as error:
            print("not answered:", error.message, flush=True)


def main():
    parser = argparse.ArgumentParser(description="Let a program answer direct texts.")
    parser.add_argument("--session", action="store_true", help="use the session bus")
    parser.add_argument("--parts", type=int, default=2, help="most messages for one answer (2)")
    parser.add_argument("command", nargs="+", metavar="COMMAND")
    arguments = parser.parse_args()

    kind = Gio.BusType.SESSION if arguments.session else Gio.BusType.SYSTEM
    _gateway = Gateway(Gio.bus_get_sync(kind), arguments.command, arguments.parts)
    print("listening", flush=True)
    try:
        GLib.MainLoop().run()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
