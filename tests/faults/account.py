# SPDX-License-Identifier: GPL-3.0-or-later
"""What a life cost: everything that the radio handed over must be stored, everything that a client was told
must be true, and all of it once. The one message that was on its way when the daemon was killed is counted apart."""

import collections
import os
import re
import sqlite3


class Account:
    """The last part of a Life."""

    def account(self):
        """(lost, in flight, doubled); what else is wrong is in self.wrong."""
        records = getattr(self, "records", None)
        if records is None:
            return [], [], []
        stored = collections.Counter(r["Text"] for r in records if r["State"] == "received")
        gone = {self.told[i] for i in self.deleted if i in self.told}
        aside = any("damaged" in name for name in os.listdir(self.bed.state_dir))
        excused = set(self.told.values()) if aside and self.fault.damage else set()  # in what was set aside
        missing = [(n, text) for n, text in enumerate(self.handed) if text not in stored and text not in gone | excused]
        last = {n - 1 for n in self.killed_at if n > 0}
        in_flight = [text for n, text in missing if n in last]
        lost = [text for n, text in missing if n not in last]
        doubled = [text for text, n in stored.items() if n > 1]
        by_id = {r["Id"]: r for r in records}
        for id_, text in self.told.items():
            if id_ in self.deleted:
                if id_ in by_id:
                    self.wrong.append(f"deleted and there: {text}")
            elif text not in excused and (id_ not in by_id or by_id[id_]["Text"] != text):
                lost.append(f"told: {text}")
                in_flight = [t for t in in_flight if t != text]
        for id_ in self.read:
            if id_ in by_id and not by_id[id_]["Read"]:
                self.wrong.append("read, and it is unread again")
        self.account_before(stored, lost, doubled, aside)
        self.account_sent(records, doubled, lost)
        self.account_files()
        return lost, in_flight, doubled

    def account_before(self, stored, lost, doubled, aside):
        """What was in the store that the life began with. Damage may cost what was there, and must be told."""
        missing = [text for text in self.before if stored[text] == 0]
        doubled += [text for text in self.before if stored[text] > 1]
        if not self.fault.damage:
            lost += [f"of before: {text}" for text in missing]
            return
        with open(self.daemon.log_path, "rb") as log:
            log.seek(self.log_at)
            told = re.search(rb"damage|torn|is gone|lost", log.read())
        strange = sum(n for text, n in stored.items() if text not in self.before and text not in self.handed)
        self.notes["set aside" if aside else "not set aside"] += 1
        if aside and not told:
            self.wrong.append("set aside without a word")
        if missing and (aside or told):
            self.notes["history given up"] += 1
        elif len(missing) == strange:
            self.notes["text altered"] += strange
        elif missing and self.fault.silent:
            self.notes["cut off"] += 1
        elif missing:
            lost.append(f"{len(missing)} of before, without a word")

    def account_sent(self, records, doubled, lost):
        air = collections.defaultdict(list)
        for text in self.air:
            air[text["text"].rpartition(": ")[2]].append(text)
        own = [r for r in records if r["State"] != "received"]
        for token, path in self.paths.items():
            if not self.fault.damage and not any(path.endswith(f"/{r['Id']}") and r["Text"] == f"text {token}" for r in own):
                lost.append(f"accepted: {token}")
        for text, n in collections.Counter(r["Text"] for r in own).items():
            if n > 1:
                doubled.append(text)
        if self.fault.damage and self.notes["set aside"]:
            return  # who asked again after the damage was sent again
        for record in own:
            tries = air[record["Text"]]
            if len({(t["to"], t["timestamp"]) for t in tries}) > 1:
                doubled.append(f"on air: {record['Text']}")
            if record["Channel"] != "/":
                if record["State"] != "sent" or len(tries) > 1 or (not tries and not record["Uncertain"]):
                    self.wrong.append(f"channel text {record['State']}, {len(tries)} times on air")
                continue
            attempts = [t["attempt"] for t in tries]
            if len(attempts) != len(set(attempts)):
                self.wrong.append(f"an attempt twice: {attempts}")
            if record["State"] != "delivered" or not tries:
                # a confirmation that was on its way when the daemon ended is gone
                if not (record["State"] == "failed" and len(tries) >= 3 and self.notes["killed"]):
                    self.wrong.append(f"{record['Text']} is {record['State']}, {len(tries)} times on air")

    def account_files(self):
        directory = self.bed.state_dir
        names = sorted(os.listdir(directory))
        if not self.fault.damage and [n for n in names if "damaged" in n or "replaced" in n]:
            self.wrong.append(f"set aside: {names}")
        with sqlite3.connect(f"file:{directory}/store.db?mode=ro", uri=True) as db:
            try:
                result = db.execute("PRAGMA integrity_check").fetchall()
            except sqlite3.DatabaseError as error:
                result = str(error)
            if result != [("ok",)] and self.fault.damage and not any("damaged" in name for name in names):
                self.notes["damage not met"] += 1
            elif result != [("ok",)]:
                self.wrong.append(f"integrity: {result[:2]}")
        db.close()
