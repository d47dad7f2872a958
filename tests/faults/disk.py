# SPDX-License-Identifier: GPL-3.0-or-later
"""The disk as a power cut leaves it: what was synced is there; of what was not, the seed says which sectors
arrived. What a failed sync covered is not written again by the kernel: it counts as never synced."""

import os
import random
import struct

SECTOR = 512
ENTRY = struct.Struct("<cBIQQ")


class File:
    def __init__(self, data=b""):
        self.durable = bytearray(data)
        self.pending = []  # (offset, data) or (size, None)


class Disk:
    """Made from the directory before the daemon starts; cut() makes the directory anew."""

    def __init__(self, directory):
        self.directory = directory
        self.durable = {}  # name → File
        self.names = {}
        self.changes = []  # of the directory, not synced: (name, File or None)
        self.inodes = {}
        if os.path.isdir(directory):
            for name in os.listdir(directory):
                path = os.path.join(directory, name)
                with open(path, "rb") as file:
                    self.names[name] = File(file.read())
                self.inodes[os.stat(path).st_ino] = self.names[name]
        self.durable = dict(self.names)

    def _set(self, name, file):
        if file:
            self.names[name] = file
        else:
            self.names.pop(name, None)
        self.changes.append((name, file))

    def _replay(self, journal):
        with open(journal, "rb") as file:
            data = file.read()
        at = 0
        while at + ENTRY.size <= len(data):
            what, name_size, size, inode, offset = ENTRY.unpack_from(data, at)
            at += ENTRY.size
            name = data[at : at + name_size].decode()
            piece = data[at + name_size : at + name_size + size]
            at += name_size + size
            self._apply(what.decode(), name, piece, inode, offset)

    def _apply(self, what, name, piece, inode, offset):
        file = self.inodes.get(inode)
        if what == "c":
            self.inodes[inode] = File()
            self._set(name, self.inodes[inode])
        elif what == "w":
            file.pending.append((offset, piece))
        elif what == "t":
            file.pending.append((offset, None))
        elif what == "s":
            for change in file.pending:
                self._write(file.durable, *change)
            file.pending.clear()
        elif what == "f" and file:
            file.pending = [(change[0], change[1], "gone") for change in file.pending]
        elif what == "d":
            self.durable = dict(self.names)
            self.changes.clear()
        elif what == "r":
            old, _, new = name.partition("\0")
            moved = self.names.get(old)
            self._set(old, None)
            self._set(new, moved)
        elif what == "u":
            self._set(name, None)

    @staticmethod
    def _write(data, offset, piece, *gone):
        if gone:
            return  # a sync after a failed one does not bring it back
        if piece is None:
            del data[offset:]
            data.extend(bytes(offset - len(data)))
            return
        if offset > len(data):
            data.extend(bytes(offset - len(data)))
        data[offset : offset + len(piece)] = piece

    def cut(self, journal, seed):
        """seed 0: nothing that was not synced arrived."""
        dice = random.Random(seed)
        self._replay(journal)
        names = dict(self.durable)
        arrived = dice.randint(0, len(self.changes)) if seed else 0
        for name, file in self.changes[:arrived]:
            if file:
                names[name] = file
            else:
                names.pop(name, None)
        for name in os.listdir(self.directory):
            os.unlink(os.path.join(self.directory, name))
        for name, file in names.items():
            if name.endswith("-shm"):
                continue
            data = bytearray(file.durable)
            for offset, piece, *_gone in file.pending:
                if seed:
                    self._arrive(data, offset, piece, dice)
            with open(os.path.join(self.directory, name), "wb") as out:
                out.write(data)
            os.chmod(os.path.join(self.directory, name), 0o600)

    def _arrive(self, data, offset, piece, dice):
        if piece is None:
            if dice.random() < 0.5:
                self._write(data, offset, None)
            return
        for start in range(0, len(piece), SECTOR):
            if dice.random() < 0.5:
                self._write(data, offset + start, piece[start : start + SECTOR])
