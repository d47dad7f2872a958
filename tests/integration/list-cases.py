#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fails unless the cases in the files are exactly those that meson runs:
list-cases.py MODULE.CASE..."""

import ast
import glob
import os
import sys

found = set()
for path in glob.glob(os.path.join(os.path.dirname(os.path.abspath(__file__)), "test_*.py")):
    with open(path, encoding="utf-8") as file:
        tree = ast.parse(file.read())
    module = os.path.basename(path).removeprefix("test_").removesuffix(".py")
    for item in tree.body:
        if isinstance(item, ast.ClassDef) and item.name == "Tests":
            for method in item.body:
                if isinstance(method, ast.FunctionDef) and method.name.startswith("test_"):
                    found.add(f"{module}.{method.name.removeprefix('test_')}")
listed = set(sys.argv[1:])
for case in sorted(found - listed):
    print(f"{case} is not listed in meson.build")
for case in sorted(listed - found):
    print(f"{case} is listed in meson.build and does not exist")
sys.exit(found != listed)
