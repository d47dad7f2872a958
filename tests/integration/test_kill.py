# SPDX-License-Identifier: GPL-3.0-or-later
"""No message is lost by us: kill -9 again and again while the queue is drained.

The radio has no second read, so the one message that it had handed over and
that was not committed when the kill came is gone: at most one a kill, and
always the last one handed over. The simulator tells what it handed over."""

import os
import random
import time

from companion import channel_frame, parse_message, text_frame
from fixture import Case, radio_path

RADIO = radio_path("sim")
KILLS = int(os.environ.get("MESHCORED_KILLS", "100"))
MESSAGES = 500
IN_QUEUE = 200  # below the radio's 256, so that the radio itself drops none


class Tests(Case):
    def popped(self, sim):
        return [parse_message(bytes.fromhex(frame)).text for frame in sim.control("popped")["frames"]]

    def test_drain(self):
        dice = random.Random(os.environ.get("MESHCORED_SEED", "5"))
        sim, client = self.start()
        senders = [key for key, c in client.contacts().items() if c["Type"] == "chat"]
        slot = next(iter(client.channels()))
        sim.control("delay", ms=1)

        added = 0

        def refill():
            nonlocal added
            queued = sim.control("stats")["waiting"]
            while added < MESSAGES and queued < IN_QUEUE:
                text, when = f"message {added}", 1700000000 + added
                if added % 5 == 4:
                    frame = channel_frame(slot, "Ann", text, when)
                else:
                    frame = text_frame(dice.choice(senders), text, when)
                sim.control("raw-queue", frame=frame.hex())
                added, queued = added + 1, queued + 1

        # how long one life takes until it has received something
        refill()
        client.wait_signal("Received", "Messages", RADIO)
        begun = time.monotonic()
        mark = len(client.signals)
        self.bed.daemon.kill()
        self.bed.programs.remove(self.bed.daemon)
        client.wait_owned(False)
        last_of_life = [len(self.popped(sim)) - 1]
        self.bed.start_daemon()
        client.wait_signal("Received", "Messages", RADIO, since=mark)
        life = time.monotonic() - begun

        for kill in range(1, KILLS):
            refill()
            if kill % 10 == 0:
                # now and then sure to be in the middle of the drain
                mark = len(client.signals)
                if sim.control("stats")["waiting"]:
                    client.wait_signal("Received", "Messages", RADIO, since=mark)
            else:
                moment = dice.uniform(0, 1.3 * life)
                timer = time.monotonic() + moment
                client.wait_until(timer)
            self.bed.daemon.kill()
            self.bed.programs.remove(self.bed.daemon)
            last_of_life.append(len(self.popped(sim)) - 1)
            self.bed.start_daemon()

        while added < MESSAGES or sim.control("stats")["waiting"]:
            refill()
            mark = len(client.signals)
            client.wait(
                lambda: client.find_signals("Received", since=mark) or not sim.control("stats")["waiting"], "the drain"
            )
        client.wait_for_state("ready")
        client.wait(lambda: client.get(RADIO, "Messages", "LastId") is not None, "the end")
        client.call(RADIO, "Radio", "Ping")
        client.settle()

        handed = self.popped(sim)
        stats = sim.control("stats")
        self.assertEqual(stats["evicted"], 0)
        self.assertEqual(sorted(handed), sorted(f"message {i}" for i in range(MESSAGES)))
        stored = [record["Text"] for record in client.all_messages()]
        told = [record["Text"] for record in self.received(client)]
        self.assertEqual(len(stored), len(set(stored)), "stored twice")
        self.assertEqual(len(told), len(set(told)), "told twice")
        self.assertLessEqual(set(told), set(stored), "told and not stored")
        lost = [i for i, text in enumerate(handed) if text not in set(stored)]
        in_flight = [i for i in lost if i in last_of_life]
        print(f"{KILLS} kills, {MESSAGES} messages, {len(stored)} stored, {len(in_flight)} in flight at a kill, "
              f"{len(lost) - len(in_flight)} lost, one life {life * 1000:.0f} ms")  # fmt: skip
        self.assertEqual(lost, in_flight, "lost although there was time to commit")
        order = {text: i for i, text in enumerate(handed)}
        self.assertEqual([order[text] for text in stored], sorted(order[text] for text in stored), "order")
