#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The loss test in full size, by default with 10,000 messages over TCP and over
a pseudo terminal:

    tests/integration/loss.py [--messages N] [--seed SEED] [tcp] [pty]

$MESHCORED_BUILD is the build directory, else "build". As root also with full
disks, on a small file system of its own."""

import argparse
import os
import sys
import unittest

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--messages", type=int, default=10000)
parser.add_argument("--seed", help="of an earlier run")
parser.add_argument("links", nargs="*", metavar="LINK", help="tcp or pty")
options = parser.parse_args()
if set(options.links) - {"tcp", "pty"}:
    parser.error("a link is tcp or pty")

os.environ["MESHCORED_LOSS_MESSAGES"] = str(options.messages)
if options.seed:
    os.environ["MESHCORED_SEED"] = options.seed
names = [f"test_loss.Tests.test_{link}" for link in options.links or ("tcp", "pty")]
suite = unittest.defaultTestLoader.loadTestsFromNames(names)
sys.exit(not unittest.TextTestRunner(verbosity=2, stream=sys.stdout).run(suite).wasSuccessful())
