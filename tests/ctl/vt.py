# SPDX-License-Identifier: GPL-3.0-or-later
"""As much of a terminal as the tests of meshcorectl need: what is on its screen
after the bytes that a program wrote."""

import os
import re
import select
import time
import unicodedata

TIMEOUT = float(os.environ.get("MESHCORED_TEST_TIMEOUT", "60"))
CSI = re.compile(r"\x1b\[([?>0-9;]*)([A-Za-z@])")


def width(character):
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


class Terminal:
    def __init__(self, fd, rows, columns):
        self.fd = fd
        self.rows, self.columns = rows, columns
        self.lines = [[" "] * columns for _ in range(rows)]
        self.scrolled = []
        self.y = self.x = 0
        self.wrap = False
        self.pending = ""
        self.decoder = __import__("codecs").getincrementaldecoder("utf-8")()
        self.closed = False

    def new_line(self):
        if self.y < self.rows - 1:
            self.y += 1
            return
        self.scrolled.append("".join(self.lines.pop(0)).rstrip())
        self.lines.append([" "] * self.columns)

    def put(self, character):
        n = width(character)
        if self.wrap or self.x + n > self.columns:
            self.x, self.wrap = 0, False
            self.new_line()
        for i in range(n):
            self.lines[self.y][self.x + i] = character if i == 0 else ""
        self.x += n
        if self.x >= self.columns:
            self.x, self.wrap = self.columns - 1, True

    def control(self, parameters, final):
        if parameters.startswith(("?", ">")):
            return
        numbers = [int(p) if p else 0 for p in parameters.split(";")]
        n = max(numbers[0], 1)
        line = self.lines[self.y]
        self.wrap = False
        if final == "A":
            self.y = max(self.y - n, 0)
        elif final == "B":
            self.y = min(self.y + n, self.rows - 1)
        elif final == "C":
            self.x = min(self.x + n, self.columns - 1)
        elif final == "D":
            self.x = max(self.x - n, 0)
        elif final == "G":
            self.x = n - 1
        elif final in "Hf":
            self.y, self.x = n - 1, max(numbers[1] if len(numbers) > 1 else 1, 1) - 1
        elif final == "K":
            start, end = {0: (self.x, self.columns), 1: (0, self.x + 1), 2: (0, self.columns)}[numbers[0]]
            line[start:end] = [" "] * (end - start)
        elif final == "J":
            assert numbers[0] in (0, 2)
            first = self.y + 1 if numbers[0] == 0 else 0
            if numbers[0] == 0:
                line[self.x :] = [" "] * (self.columns - self.x)
            for y in range(first, self.rows):
                self.lines[y] = [" "] * self.columns
        elif final == "P":
            del line[self.x : self.x + n]
            line += [" "] * (self.columns - len(line))
        elif final == "@":
            line[self.x : self.x] = [" "] * n
            del line[self.columns :]
        elif final != "m":
            raise AssertionError(f"unknown control sequence {parameters}{final}")

    def feed(self, data):
        text = self.pending + self.decoder.decode(data)
        self.pending = ""
        i = 0
        while i < len(text):
            c = text[i]
            if c == "\x1b":
                found = CSI.match(text, i)
                if not found:
                    if len(text) - i < 20:
                        self.pending = text[i:]
                        return
                    raise AssertionError(f"unknown escape {text[i:i+20]!r}")
                self.control(found[1], found[2])
                i = found.end()
                continue
            if c == "\r":
                self.x, self.wrap = 0, False
            elif c == "\n":
                self.wrap = False
                self.new_line()
            elif c == "\b":
                self.x, self.wrap = max(self.x - 1, 0), False
            elif c == "\x07":
                pass
            elif ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0:
                raise AssertionError(f"control character {c!r} on the terminal")
            else:
                self.put(c)
            i += 1

    # -- what a person sees ------------------------------------------------

    def text(self):
        return "\n".join("".join(line).rstrip() for line in self.lines).rstrip("\n")

    def pump(self, timeout):
        """Takes what comes within that time; returns whether something came."""
        if self.closed or not select.select([self.fd], [], [], timeout)[0]:
            return False
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            data = b""
        self.closed = not data
        self.feed(data)
        return True

    def wait(self, condition, what, timeout=TIMEOUT):
        deadline = time.monotonic() + timeout
        while not condition(self):
            if self.closed or time.monotonic() > deadline:
                raise AssertionError(f"{what}; the screen:\n{self.text()}")
            self.pump(0.05)

    def wait_for(self, piece):
        piece = piece.rstrip()  # as the lines of text()
        self.wait(lambda t: piece in t.text(), f"never seen: {piece!r}")

    def write(self, text):
        os.write(self.fd, text.encode())
