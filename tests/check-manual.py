#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""check-manual.py SOURCE: every key of the configuration is in its page and in the file that is installed, and every
option of the simulator and command of its socket is in its page."""

import os
import re
import sys

top = sys.argv[1]
wrong = []


def read(*path):
    with open(os.path.join(top, *path), encoding="utf-8") as file:
        return file.read()


def check(what, names, text, form):
    if not names:
        wrong.append(f"{what}: no names were found, so this looks in the wrong place")
    wrong.extend(f"{what}: {name} is missing" for name in names if not re.search(form % re.escape(name), text, re.M))


source = read("src", "daemon", "configuration.c")
keys = re.findall(r'\{"([A-Z]\w+)", set_', source) + re.findall(r'strcmp\(key, "([A-Z]\w+)"\)', source)
check("man/meshcored.conf.5", keys, read("man", "meshcored.conf.5"), r"^\.It Cm %s Ns = ")
check("data/meshcored.conf", keys, read("data", "meshcored.conf"), r"^#%s=")

page = read("man", "meshcore-sim.1")
options = re.findall(r'\{"([a-z]+)", (?:\'\w\'|0), 0, G_OPTION', read("src", "sim", "meshcore-sim.c"))
check("man/meshcore-sim.1", options, page, r"^\.It .*Fl Fl %s\b")
check("man/meshcore-sim.1", re.findall(r'\{"([a-z-]+)", verb_', read("src", "sim", "control.c")), page, r"^\.It Cm %s\b")

sys.exit("\n".join(wrong) or None)
