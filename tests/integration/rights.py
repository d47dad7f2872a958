# SPDX-License-Identifier: GPL-3.0-or-later
"""Every method of every interface with the right that it needs, read from dbus/*.xml, and arguments to call it
with. Nothing of the test fixture here: the lab uses this, too."""

import os
import re
import xml.etree.ElementTree as ElementTree

DBUS = os.environ.get("MESHCORED_XML", os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "dbus"))
ACTIONS = ("read", "send", "configure", "administer")
ACCESS_DENIED = "org.freedesktop.DBus.Error.AccessDenied"

# What the types alone do not tell: a call whose arguments make no sense may be refused before the rights are looked at.
ARGUMENTS = {
    "Messages.List": ({}, 0, 10, {}),
}
DEFAULTS = {
    "s": "nobody", "o": "/", "b": False, "y": 7, "q": 0, "n": 0, "i": 0, "u": 0, "x": 0, "t": 0, "d": 0.0,
    "ay": b"\0" * 16, "aay": [], "ao": [], "h": 0, "as": [], "a{sv}": {}, "aa{sv}": [], "(dd)": (0.0, 0.0), "(aayaay)": ([], []),
}  # fmt: skip


class Method:
    def __init__(self, interface, name, action, types):
        self.interface = interface
        self.name = name
        self.action = action
        self.types = types

    @property
    def short(self):
        return f"{self.interface.rpartition('.')[2]}.{self.name}"

    def arguments(self):
        return ARGUMENTS.get(self.short) or tuple(DEFAULTS[t] for t in self.types)

    @property
    def signature(self):
        return "(" + "".join(self.types) + ")"


def methods():
    """Each with its action; a method without one fails."""
    found = []
    for name in sorted(os.listdir(DBUS)):
        if not re.fullmatch(r"org\.meshcored1\..*\.xml", name):
            continue
        for interface in ElementTree.parse(os.path.join(DBUS, name)).getroot().iter("interface"):
            for method in interface.iter("method"):
                actions = [a.get("value") for a in method.iter("annotation")
                           if a.get("name") == "org.meshcored1.Action"]  # fmt: skip
                assert len(actions) == 1 and actions[0] in ACTIONS, f"{interface.get('name')}.{method.get('name')}"
                types = [a.get("type") for a in method.iter("arg") if a.get("direction") == "in"]
                found.append(Method(interface.get("name"), method.get("name"), actions[0], types))
    return found


def paths(tree):
    """interface → a path that has it; tree as GetManagedObjects gives it."""
    result = {"org.meshcored1.Manager": "/org/meshcored1"}
    for path, interfaces in sorted(tree.items()):
        for interface in interfaces:
            result.setdefault(interface, path)
    return result
