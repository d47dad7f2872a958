#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fails when acceptance.tsv claims a row without a proof that exists:
check-acceptance.py ACCEPTANCE.TSV INTRO-TESTS.JSON

A line of the table: row id, the tests that fail without it (meson's names, or
lab.MODULE.CASE, separated by spaces), where a user finds it documented;
separated by tabs."""

import glob
import json
import os
import re
import sys

table, introspection = sys.argv[1:3]
with open(introspection, encoding="utf-8") as file:
    known = {test["name"] for test in json.load(file)}
top = os.path.join(os.path.dirname(os.path.abspath(table)), "..")
for path in glob.glob(os.path.join(top, "tests", "lab", "cases", "*.py")):
    with open(path, encoding="utf-8") as file:
        module = os.path.basename(path).removesuffix(".py")
        known |= {f"lab.{module}.{name}" for name in re.findall(r"^def case_(\w+)\(", file.read(), re.M)}

wrong = []
seen = set()
with open(table, encoding="utf-8") as file:
    for number, line in enumerate(file, 1):
        if line.startswith("#") or not line.strip():
            continue
        fields = line.rstrip("\n").split("\t")
        if len(fields) != 3:
            wrong.append(f"line {number}: three fields, separated by tabs")
            continue
        row, tests, document = fields
        if not re.fullmatch(r"[CKHVNBSE][0-9]{2}", row):
            wrong.append(f"line {number}: no row has the id {row!r}")
        if row in seen:
            wrong.append(f"line {number}: {row} again")
        seen.add(row)
        if not tests.split():
            wrong.append(f"{row}: no test")
        wrong += [f"{row}: there is no test {test}" for test in tests.split() if test not in known]
        for path in document.split():
            if not os.path.exists(os.path.join(top, path)):
                wrong.append(f"{row}: there is no file {path}")
        if not document.split():
            wrong.append(f"{row}: not documented")

for text in wrong:
    print(text)
print(f"{len(seen)} rows claimed")
sys.exit(bool(wrong))
