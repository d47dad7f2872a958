# SPDX-License-Identifier: GPL-3.0-or-later
"""The demonstration of the README is a test, too."""

import glob
import os
import subprocess
import sys
import tempfile
import unittest


class Tests(unittest.TestCase):
    def test_demo(self):
        with tempfile.TemporaryDirectory(prefix="demo-") as directory:
            result = subprocess.run(
                [sys.executable, os.path.join(os.path.dirname(os.path.abspath(__file__)), "demo.py")],
                env=dict(os.environ, TMPDIR=directory),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
            self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
            self.assertIn("Hello from the mesh!", result.stdout)
            self.assertEqual(glob.glob(directory + "/*"), [])
