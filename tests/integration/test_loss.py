# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing is lost and nothing is told twice, whatever fails. In full size: loss.py."""

import os
import random

from fixture import Case
from storm import Storm


class Tests(Case):
    def storm(self, link):
        seed = os.environ.get("MESHCORED_SEED") or str(random.randrange(1 << 32))
        messages = int(os.environ.get("MESHCORED_LOSS_MESSAGES", "300"))
        print(f"seed {seed}: again with loss.py --seed {seed} --messages {messages} {link}", flush=True)
        storm = Storm(self, messages, max(20, messages // 20), max(24, messages // 25), seed, link)
        storm.run()
        storm.check()
        for client in (storm.client, storm.subscriber.client):
            client.close()

    def test_tcp(self):
        self.storm("tcp")

    def test_pty(self):
        self.storm("pty")
