# SPDX-License-Identifier: GPL-3.0-or-later
"""Every member of every interface with the right that it needs, read from dbus/*.xml, and arguments to call
methods with. Nothing of the test fixture here: the lab uses this, too."""

import os
import re
import xml.etree.ElementTree as ElementTree

DBUS = os.environ.get("MESHCORED_XML", os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "dbus"))
ACTIONS = ("read", "send", "configure", "administer")
ACCESS_DENIED = "org.freedesktop.DBus.Error.AccessDenied"
REQUEST = "org.meshcored1.Request"

# What the types alone do not tell: a call whose arguments make no sense may be refused before the rights are looked at.
ARGUMENTS = {
    "Messages.List": ({}, 0, 10, {}),
}
BASIC = {"s": "nobody", "o": "/", "g": "", "b": False, "y": 7, "d": 0.0, "h": 0}


def default(types):
    """Some value of this complete type."""
    if types == "ay":
        return b"\0" * 16
    if types.startswith("a{"):
        return {}
    if types.startswith("a"):
        return []
    if types.startswith("("):
        # the next complete type, and what is left
        rest, values = types[1:-1], []
        while rest:
            size = next(n for n in range(1, len(rest) + 1) if rest[n - 1] != "a" and balanced(rest[:n]))
            values.append(default(rest[:size]))
            rest = rest[size:]
        return tuple(values)
    return BASIC.get(types, 0)


def balanced(text):
    return text.count("(") == text.count(")") and text.count("{") == text.count("}")


class Member:
    """kind: method, property or signal; access: of a property."""

    def __init__(self, kind, interface, element):
        actions = [a.get("value") for a in element.findall("annotation") if a.get("name") == "org.meshcored1.Action"]
        self.kind = kind
        self.interface = interface
        self.name = element.get("name")
        self.access = element.get("access")
        assert len(actions) == 1 and actions[0] in ACTIONS, self.short
        self.action = actions[0]
        self.types = [a.get("type") for a in element.iter("arg") if a.get("direction") == "in"]

    @property
    def short(self):
        return f"{self.interface.rpartition('.')[2]}.{self.name}"

    def arguments(self):
        return ARGUMENTS.get(self.short) or tuple(map(default, self.types))

    @property
    def signature(self):
        return "(" + "".join(self.types) + ")"


def members(*kinds):
    """All of these kinds; one without an action fails."""
    found = []
    for name in sorted(os.listdir(DBUS)):
        if not re.fullmatch(r"org\.meshcored1\..*\.xml", name):
            continue
        for interface in ElementTree.parse(os.path.join(DBUS, name)).getroot().iter("interface"):
            for kind in kinds:
                found += [Member(kind, interface.get("name"), element) for element in interface.findall(kind)]
    return found


def methods():
    """All methods but those of a Request, which is there only while somebody waits."""
    return [m for m in members("method") if m.interface != REQUEST]


def paths(tree):
    """interface → a path that has it; tree as GetManagedObjects gives it."""
    result = {"org.meshcored1.Manager": "/org/meshcored1"}
    for path, interfaces in sorted(tree.items()):
        for interface in interfaces:
            result.setdefault(interface, path)
    return result
