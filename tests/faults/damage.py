# SPDX-License-Identifier: GPL-3.0-or-later
"""Stores for a life to begin with: of every older schema, and damaged in every place.

A damaged store may be set aside or not; what may not be is a daemon that does
not come up, or messages that are gone without a word."""

import os
import shutil
import sqlite3
import struct
import subprocess
import zlib

PAGE = 4096
WAL_HEADER, WAL_FRAME = 32, 24
LAST_FRAMES = 24  # of the last transactions: they could have been cut off by a crash
SECTOR = 512
SPOOLED = 3


# -- of an older version -----------------------------------------------------------


def schema_steps(program):
    """The statements that lead from each version to the next, as the store has them."""
    return subprocess.run([program], check=True, capture_output=True).stdout.decode().split("\0")[:-1]


def make_old_store(directory, steps, version, own, contacts):
    """A store of this version with a history; returns what is in it: text → state."""
    os.makedirs(directory, mode=0o700)
    path = os.path.join(directory, "store.db")
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    for number, step in enumerate(steps[:version]):
        db.executescript(f"BEGIN; {step}; PRAGMA application_id = {0x4D434431}; PRAGMA user_version = {number + 1}; COMMIT;")
    db.execute("INSERT INTO identity (key, last_timestamp, contacts_since, contacts_radio_count) VALUES (?, 1700000000, 0, 0)", (own,))
    db.execute("INSERT INTO radio VALUES ('sim', ?)", (own,))
    for key in contacts:
        db.execute(
            "INSERT INTO contact (identity, key, type, flags, on_radio, path_len, path, name, lat_e6, lon_e6, last_advert,"
            " lastmod, last_heard_usec) VALUES (1, ?, 1, 0, 0, 255, x'', 'Old', 0, 0, 5, 5, 5)", (key,),
        )  # fmt: skip
    before = {}
    for number in range(12):
        text = f"old {number}"
        before[text] = "received"
        db.execute(
            "INSERT INTO message (identity, kind, state, peer_prefix, peer, channel, author, author_prefix, text, data,"
            " data_type, sender_timestamp, timestamp_usec, snr_x4, path_len, maybe_cut, duplicates, read, attempts,"
            " round_trip_usec, uncertain, expires_usec, error, digest) VALUES"
            " (1, 0, 7, ?, ?, 0, '', NULL, ?, NULL, 0, ?, ?, NULL, 255, 0, 0, ?, 0, 0, 0, 0, NULL, ?)",
            (contacts[0][:6], contacts[0], text, 1600000000 + number, 1600000000000000 + number, number % 2, number),
        )
    if version >= 3:  # which has no trigger for it any more
        db.execute("INSERT INTO unread VALUES (1, ?, ?, 0, 6)", (contacts[0][:6], contacts[0]))
    db.close()
    os.chmod(path, 0o600)
    return before


# -- damage ---------------------------------------------------------------------------


class Damage:
    """A place in a file and what becomes of it."""

    def __init__(self, name, source, places):
        self.name, self.source, self.places = name, source, places

    def __call__(self, rig, at, dice):
        def apply(life):
            directory, texts = rig.template(self.source)
            shutil.rmtree(life.bed.state_dir, ignore_errors=True)
            shutil.copytree(directory, life.bed.state_dir)
            life.before = dict(texts)
            getattr(self, "do_" + self.name.replace("-", "_"))(life, at, dice)

        return apply

    @staticmethod
    def path(life, name):
        return os.path.join(life.bed.state_dir, name)

    @staticmethod
    def spoil(path, offset, size, dice):
        """Zeroes, noise, one bit, or bytes of another place."""
        with open(path, "r+b") as file:
            data = bytearray(file.read())
            how = dice.choice(("zeroes", "noise", "bit", "bit", "other"))
            if how == "zeroes":
                piece = bytes(size)
            elif how == "noise":
                piece = dice.randbytes(size)
            elif how == "bit":
                piece = bytearray(data[offset : offset + size])
                piece[dice.randrange(len(piece))] ^= 1 << dice.randrange(8)
            else:
                other = dice.randrange(max(1, len(data) - size))
                piece = data[other : other + size]
            file.seek(offset)
            file.write(piece)

    def do_db_page(self, life, at, dice):
        path = self.path(life, "store.db")
        pages = os.path.getsize(path) // PAGE
        page = (at - 1) % pages
        # the first one mostly in its header
        size = dice.choice((100, PAGE)) if page == 0 else dice.choice((8, 64, PAGE))
        self.spoil(path, page * PAGE, size, dice)

    def do_db_cut(self, life, at, dice):
        path = self.path(life, "store.db")
        pages = os.path.getsize(path) // PAGE
        os.truncate(path, ((at - 1) % pages) * PAGE + dice.choice((0, 1, 99, 2048)))

    def do_wal_frame(self, life, at, dice):
        path = self.path(life, "store.db-wal")
        frames = (os.path.getsize(path) - WAL_HEADER) // (WAL_FRAME + PAGE)
        frame = at * 7 % (frames - LAST_FRAMES)
        self.spoil(path, WAL_HEADER + frame * (WAL_FRAME + PAGE), dice.choice((WAL_FRAME, WAL_FRAME + PAGE)), dice)

    def do_wal_cut(self, life, at, dice):
        path = self.path(life, "store.db-wal")
        frames = (os.path.getsize(path) - WAL_HEADER) // (WAL_FRAME + PAGE)
        os.truncate(path, at * 7 % frames * (WAL_FRAME + PAGE) + dice.choice((0, WAL_HEADER, WAL_HEADER + 5, 900)))

    def do_db_gone(self, life, at, dice):
        os.unlink(self.path(life, "store.db"))

    def do_shm(self, life, at, dice):
        path = self.path(life, "store.db-shm")
        if not os.path.exists(path) or os.path.getsize(path) == 0:
            with open(path, "wb") as file:
                file.write(bytes(32768))
        self.spoil(path, dice.randrange(32768 - 200), 200, dice)

    def do_spool(self, life, at, dice):
        """Records that a full disk left, and one of them damaged; or the file cut, or gone."""
        path = self.path(life, "spool")
        with open(path, "r+b") as file:
            for number in range(SPOOLED):
                file.seek(number * 5 * SECTOR)
                file.write(spool_record(life.rig.own, number, life.rig.text_frame(f"message spooled {number}", 100 + number)))
        spoiled = dice.randrange(SPOOLED)
        for number in range(SPOOLED):
            if number != spoiled:
                life.before[f"message spooled {number}"] = "received"
        how = at % 4
        if how == 0:
            self.spoil(path, spoiled * 5 * SECTOR, dice.choice((4, 60, SECTOR)), dice)
        elif how == 1:
            self.spoil(path, dice.randrange(SPOOLED * 5, 127) * SECTOR, SECTOR, dice)
        elif how == 2:
            os.truncate(path, (SPOOLED - 1) * 5 * SECTOR + SECTOR + dice.randrange(5000))
        else:
            os.unlink(path)
            life.before = {t: s for t, s in life.before.items() if "spooled" not in t}


def spool_record(own, sequence, frame):
    head = struct.pack("<IHHQQ", 0x3150534D, len(frame), 0, sequence, 1700000000000000 + sequence) + own + frame
    body = head.ljust(SECTOR - 4, b"\0")
    return body + struct.pack("<I", zlib.crc32(body))


# name → how, on which template, and how many places
DAMAGES = {
    d.name: d
    for d in (
        Damage("db-page", "clean", 240),
        Damage("db-cut", "clean", 80),
        Damage("wal-frame", "killed", 160),
        Damage("wal-cut", "killed", 80),
        Damage("db-gone", "killed", 1),
        Damage("shm", "killed", 40),
        Damage("spool", "clean", 40),
    )
}
