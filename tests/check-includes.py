#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks what the rooms of src/ include.

The build keeps a room from including the headers of a room that it does not
depend on. This catches what the build cannot: paths that climb out of a room,
private headers of others, a header name that exists twice, and libraries
that only some rooms may use.

usage: check-includes.py SOURCE_ROOT
       check-includes.py --self-test
"""

import pathlib
import re
import sys
import tempfile

ROOMS = {
    # room: the rooms whose headers it may include, next to its own
    "base": set(),
    "wire": {"base"},
    "link": {"base", "wire"},
    "model": {"base"},
    "radio": {"base", "wire", "link", "model"},
    "bus": {"base", "model", "radio"},
    "sim": {"base", "wire"},
    "ctl": {"base", "wire"},
    "bond": {"base", "link"},
}
ROOMS["daemon"] = set(ROOMS) | {"daemon"}

# of wire, link needs the framer and what that needs
WIRE_FOR_LINK = {"framer.h", "protocol.h"}

# header pattern: the rooms that may include it
LIBRARIES = {
    r"sqlite3\.h": {"model"},
    r"systemd/sd-bus.*": {"bus", "link", "ctl", "bond", "daemon"},
    r"systemd/sd-event\.h": {"link", "radio", "bus", "daemon", "sim", "ctl", "bond"},
    r"systemd/sd-(daemon|journal|id128)\.h": {"base", "daemon", "bus", "ctl"},
    r"systemd/sd-(device|login)\.h": {"link", "radio"},
    r"libserialport\.h": {"link"},
    r"sodium.*": {"base", "sim"},
    r"gcrypt\.h": {"base", "sim"},
    r"json-glib/.*": {"sim", "ctl", "bond"},
    r"readline/.*": {"ctl"},
    r"gio/.*": set(),
    r"dbus/.*": set(),
    r"glib-unix\.h": set(),
    # wire is pure: bytes in, bytes out
    r"(sys/(socket|epoll|stat|ioctl|types)|fcntl|unistd|time|pthread|stdio|netdb|termios)\.h":
        set(ROOMS) - {"wire"},
}

INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)')
FORBIDDEN_WORDS = re.compile(r"\b(GMainLoop|GMainContext|GDBus\w*|g_main_loop_\w+|g_bus_\w+|DBusConnection)\b")
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
GENERATED = {"config.h"}


def blank_comments(text):
    return COMMENT.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), text)


def find_headers(src):
    """Name to room, and complaints about names that exist twice."""
    owners, problems = {}, []
    for path in sorted(src.glob("*/**/*.h")):
        room = path.relative_to(src).parts[0]
        if path.name in GENERATED:
            problems.append(f"{path}: the build generates a header of this name")
        elif path.name in owners:
            problems.append(f"{path}: {owners[path.name]} has a header of this name, too")
        else:
            owners[path.name] = room
    return owners, problems


def check_project_header(room, name, owners):
    if "/" in name:
        return "headers are included by their plain name"
    if name in GENERATED:
        return None
    owner = owners.get(name)
    if owner is None:
        return "no room has this header; system headers go in angle brackets"
    if owner == room:
        return None
    if owner not in ROOMS[room]:
        return f"{room} may not include headers of {owner}"
    if name.endswith("-internal.h"):
        return f"this header is private to {owner}"
    if room == "link" and owner == "wire" and name not in WIRE_FOR_LINK:
        return "of wire, link may use the framer only"
    return None


def check_system_header(room, name, owners):
    if name.startswith(".") or name.split("/")[-1] in owners and "/" not in name:
        return "headers of the project go in quotes, by their plain name"
    for pattern, rooms in LIBRARIES.items():
        if re.fullmatch(pattern, name) and room not in rooms:
            return f"{room} may not use this header"
    return None


def check_file(path, room, owners):
    text = blank_comments(path.read_text(encoding="utf-8"))
    for number, line in enumerate(text.splitlines(), 1):
        include = INCLUDE.match(line)
        if include:
            quoted, angled = include.groups()
            problem = (check_project_header(room, quoted, owners) if quoted
                       else check_system_header(room, angled, owners))
            if problem:
                yield f"{path}:{number}: {line.strip()}: {problem}"
        word = FORBIDDEN_WORDS.search(line)
        if word:
            yield f"{path}:{number}: {word.group()}: sd-event is the only loop, sd-bus the only D-Bus library"


def check_tree(src):
    owners, problems = find_headers(src)
    files = 0
    for path in sorted(src.glob("*/**/*.[ch]")):
        room = path.relative_to(src).parts[0]
        if room not in ROOMS:
            problems.append(f"{path}: there is no room \"{room}\"")
            continue
        files += 1
        problems.extend(check_file(path, room, owners))
    return files, problems


def self_test():
    """A check that cannot fail is no check: each line must be complained about."""
    bad = {
        "wire/a.c": ['#include "../base/bytes.h"', '#include "radio.h"', "#include <sys/socket.h>",
                     "#include <systemd/sd-event.h>"],
        "link/b.c": ['#include "frame.h"', '#include "store-internal.h"', "#include <sqlite3.h>",
                     '#include "nowhere.h"', "#include <bytes.h>"],
        "bus/c.c": ['#include "framer.h"', '#include "radio-internal.h"', "#include <gio/gio.h>",
                    "static GMainLoop *loop;", '#include "link.h"'],
        "radio/d.c": ["#include <systemd/sd-bus.h>", "# include <libserialport.h>"],
        "model/e.c": ['#include "framer.h"', '#include "radio.h"'],
        "attic/f.c": [""],
        "sim/config.h": [""],
        "daemon/bytes.h": [""],
    }
    good = {
        "base/bytes.h": ["#include <stddef.h>"],
        "wire/framer.h": ['#include "bytes.h"'],
        "wire/frame.h": [],
        "link/link.h": ["#include <systemd/sd-event.h>"],
        "model/store-internal.h": ["#include <sqlite3.h>"],
        "radio/radio.h": ['#include "link.h"', '/* #include "../x.h" and GMainLoop', "#include <gio/gio.h> */"],
        "radio/radio-internal.h": ['#include "framer.h"', '#include "config.h"'],
    }
    with tempfile.TemporaryDirectory() as directory:
        src = pathlib.Path(directory)
        for name, lines in {**bad, **good}.items():
            path = src / name
            path.parent.mkdir(exist_ok=True)
            path.write_text("\n".join(lines) + "\n")
        _, problems = check_tree(src)
        expected = sum(len(lines) for lines in bad.values())
        wrong = [p for p in problems if any(f"/{name}" in p.split(": ")[0] for name in good)]
        if len(problems) != expected or wrong:
            print("\n".join(problems))
            print(f"expected {expected} problems, found {len(problems)}")
            return 1
    return 0


def main(arguments):
    if arguments == ["--self-test"]:
        return self_test()
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    files, problems = check_tree(pathlib.Path(arguments[0]) / "src")
    print("\n".join(problems))
    print(f"{files} files, {len(problems)} problems")
    return 1 if problems or files == 0 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
