#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""check-units.py PROGRAM UNIT...: systemd finds nothing to complain of in the units, and the system service is exposed
no more than we promise. PROGRAM stands for the one that is not installed yet."""

import os
import re
import shutil
import subprocess
import sys
import tempfile

EXPOSURE_MAX = 2.0


def run(*command):
    result = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C", "XDG_RUNTIME_DIR": "/tmp"})
    return result.returncode, result.stdout + result.stderr


def main():
    program, units = os.path.abspath(sys.argv[1]), sys.argv[2:]
    if not shutil.which("systemd-analyze"):
        return 77
    failed = False
    with tempfile.TemporaryDirectory() as directory:
        for unit in units:
            user = "-user" in unit
            path = os.path.join(directory, "user" if user else "system", "meshcored.service")
            os.makedirs(os.path.dirname(path))
            with open(unit, encoding="utf-8") as source, open(path, "w", encoding="utf-8") as copy:
                copy.write(re.sub(r"(?m)^ExecStart=\S+", "ExecStart=" + program, source.read()))
            status, text = run("systemd-analyze", "verify", "--man=no", *(["--user"] if user else []), path)
            if status != 0 or "meshcored" in text:
                print(f"{unit}: systemd-analyze verify:\n{text}")
                failed = True
            if user:
                continue
            status, text = run("systemd-analyze", "security", "--offline=true", "--no-pager", path)
            found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", text)
            print(found.group(0) if found else text)
            if not found or float(found.group(1)) > EXPOSURE_MAX:
                print(text)
                failed = True
    return 1 if failed else 0


sys.exit(main())
