# SPDX-License-Identifier: GPL-3.0-or-later
"""Some days of what soak.py does with a month."""

import os
import random

from fixture import Case
from soak import Soak


class Tests(Case):
    def test_days(self):
        """Traffic, faults, clients and reloads of some days: nothing is lost or doubled, no descriptor is left, and
        memory and store stay within bounds."""
        seed = os.environ.get("MESHCORED_SEED") or str(random.randrange(1 << 32))
        print(f"seed {seed}")
        soak = Soak(self.bed, 4, 4, seed, busy=0.12)
        soak.run()
        wrong = soak.check()
        if os.environ.get("MESHCORED_FAST_CLOCK") != "":  # a sanitizer keeps what was freed
            wrong += soak.check_growth({"anon_kib": 1024, "fds": 1, "store_kib": 1024, "spool_kib": 0})
        self.assertEqual(wrong, [])
        soak.close()
