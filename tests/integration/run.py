#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the cases named on the command line: module.Class.test, or module.
A case that cannot run here ends with 77, which meson counts as skipped."""

import sys
import unittest

suite = unittest.defaultTestLoader.loadTestsFromNames(sys.argv[1:])
result = unittest.TextTestRunner(verbosity=2, stream=sys.stdout).run(suite)
if not result.wasSuccessful():
    sys.exit(1)
if result.testsRun == 0:
    sys.exit("no such case")
sys.exit(77 if len(result.skipped) == result.testsRun else 0)
