#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""check-catalog.py TOP: every event of src/base/events.h is logged somewhere and explained in data/meshcored.catalog,
which explains no other."""

import os
import re
import sys


def read(*path):
    with open(os.path.join(*path), encoding="utf-8") as file:
        return file.read()


def main():
    top = sys.argv[1]
    events = dict(re.findall(r"#define (EVENT_\w+)\s+\"([0-9a-f]{32})\"", read(top, "src", "base", "events.h")))
    explained = re.findall(r"(?m)^-- ([0-9a-f]{32})\nSubject: .+\nDefined-By: meshcored\n(?:.+\n)*\n\S",
                           read(top, "data", "meshcored.catalog"))  # fmt: skip
    source = "".join(read(directory, name) for directory, _, names in os.walk(os.path.join(top, "src"))
                     for name in names if name.endswith(".c"))  # fmt: skip
    wrong = [f"{name} is not in the catalogue" for name, id_ in events.items() if id_ not in explained]
    wrong += [f"{name} is never logged" for name in events if not re.search(rf"\b{name}\b", source)]
    wrong += [f"{id_} is in the catalogue, but no event" for id_ in explained if id_ not in events.values()]
    wrong += [f"the catalogue names {page}, which is no page of ours"
              for page in re.findall(r"man:(\S+)\(\d\)", read(top, "data", "meshcored.catalog"))
              if not any(os.path.exists(os.path.join(top, "man", f"{page}.{section}")) for section in "1578")]
    # what is more than a warning is important, and so is what a person has to do something about
    wrong += [f"logged without an event: {line.strip()}" for line in re.findall(r"[^;]*\bLOG_CRIT\b[^;]*;", source)
              if "EVENT_" not in line and "level_names" not in line]
    wrong += ["an id is there twice"] if len(set(explained)) != len(explained) or not events else []
    print("\n".join(wrong))
    return 1 if wrong else 0


sys.exit(main())
