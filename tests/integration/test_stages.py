# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole daemon, and a link or a bus that fails at some frame of a recorded
session. tests/radio/link-faults tries every frame with the radio room alone;
here some are chosen by dice. $MESHCORED_STAGES: how many, instead of 4."""

import os
import random

from companion import Transcript
from fixture import Case, Client, GLib, radio_path

RADIO = radio_path("sim")
RECORDINGS = ("session_start", "contacts_50", "offline_queue_drain", "channel_msgs", "older_firmware_1.9.0",
              "pushes_between_command_and_reply_wifi")  # fmt: skip
RECEIVED = {"Direction": GLib.Variant("s", "received")}


class Tests(Case):
    counts = {}

    def setUp(self):
        super().setUp()
        seed = os.environ.get("MESHCORED_SEED") or str(random.randrange(1 << 32))
        print(f"MESHCORED_SEED={seed}", flush=True)
        self.dice = random.Random(f"{seed} {self.id()}")

    def frames_of(self, path):
        """How many frames the radio of this recording sends until all is done."""
        if path in self.counts:
            return self.counts[path]
        sim = self.begin(path)
        client = self.client(signals=False)
        client.wait_for_state("ready")
        client.settle()
        count = sim.control("stats")["frames"]
        self.end(client)
        self.counts[path] = count
        return count

    def begin(self, path, pty=None, **fault):
        sim = self.bed.start_sim(arguments=["--replay", path], pty=pty)
        if fault:
            sim.control("drop-after", **fault)
        self.bed.state_dir = os.path.join(self.bed.directory, f"state-{self.dice.getrandbits(32):x}")
        self.bed.start_daemon({"sim": sim})
        return sim

    def end(self, client):
        client.close()
        self.clients.remove(client)
        self.assertEqual(self.bed.stop(), [])
        self.bed.bus = None

    def stages(self, action, during=None, pty=False):
        """Each time: a fresh store, one fault, and no help."""
        for _ in range(int(os.environ.get("MESHCORED_STAGES", "4"))):
            transcript = Transcript(self.dice.choice(RECORDINGS))
            frame = self.dice.randrange(1, self.frames_of(transcript.path) - 1)
            bytes_ = self.dice.choice((0, self.dice.randrange(1, 60), 1000))
            print(f"{transcript.path}: {action} at frame {frame}, byte {bytes_}", flush=True)
            line = os.path.join(self.bed.directory, "radio") if pty else None
            sim = self.begin(transcript.path, line, frames=frame, bytes=bytes_, action=action)
            if during:
                during(sim, frame)
            client = self.client()
            client.wait_owned()
            client.wait(lambda s=sim, n=frame: s.control("stats")["frames"] > n, "more than the frame of the fault")
            client.wait_for_state("ready")
            handed = [bytes.fromhex(f) for f in sim.control("popped")["frames"]]
            client.settle()
            stored = client.all_messages(filter_=RECEIVED)
            # what is sent behind garbage comes to a link that is given up
            lost = 1 if action == "garbage" and not pty else 0
            self.assertIn(len(set(handed)) - len(stored), range(lost + 1))
            heard = [record["Id"] for record in self.received(client)]
            self.assertEqual(len(heard), len(set(heard)))
            self.assertLessEqual(set(transcript.contacts()), set(client.contacts()))
            self.assertTrue(self.bed.daemon.running())
            self.end(client)

    def test_cut(self):
        self.stages("drop")

    def test_garbage(self):
        self.stages("garbage")

    def test_reboot(self):
        self.stages("reboot")

    def test_pty(self):
        """Garbage on a serial line, which is read on."""
        self.stages("garbage", pty=True)

    def test_bus(self):
        """The bus daemon is killed and started again while the radio is in the middle of a frame."""

        def restart_bus(sim, frame):
            client = Client(self.bed.bus.address, signals=False)
            client.wait(lambda: sim.control("stats")["frames"] >= frame, "the frame")
            client.close()
            self.bed.bus.kill()
            self.bed.programs.remove(self.bed.bus)
            if self.dice.random() < 0.5:
                sim.control("link", action="resume")
                self.bed.start_bus()
            else:
                self.bed.start_bus()
                sim.control("link", action="resume")

        self.stages("stall", restart_bus)
