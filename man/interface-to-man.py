#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""interface-to-man.py XML OUTPUT: a manual page in section 5 of one D-Bus interface, from the comments of its XML file.
The text is that of the file, and so is the licence of the page."""

import re
import sys
import xml.etree.ElementTree as ElementTree


def words(text):
    """Text for mdoc: nothing in it is a request or an escape."""
    return text.replace("\\", "\\e").replace("“", '"').replace("”", '"').replace("…", "...").replace("–", "-")


def paragraph(text):
    """Lines that are none of mdoc's: a new one for each sentence, and no dot or quote at the beginning."""
    lines = re.split(r"(?<=[.:;?!]) +(?=[A-Z\"])", " ".join(text.split()))
    return ["\\&" + line if line[:1] in ".'" else line for line in map(words, lines)]


def comment_parts(text):
    """(arguments, paragraphs, since) of a comment in gtk-doc's form."""
    arguments, paragraphs, since, current = {}, [], "", []
    argument = None
    for raw in text.strip().splitlines()[1:] + [""]:
        line = raw.strip()
        found = re.match(r"@(\w+): *(.*)", line)
        if found:
            argument = found[1]
            arguments[argument] = found[2]
        elif line.startswith("Since:"):
            since = line.removeprefix("Since:").strip()
        elif not line:
            argument = None
            if current:
                paragraphs.append(" ".join(current))
            current = []
        elif argument:
            arguments[argument] += " " + line
        else:
            current.append(re.sub(r"@(\w+)", r"\1", line))
    return arguments, paragraphs, since


class Page:
    def __init__(self, path):
        parser = ElementTree.XMLParser(target=ElementTree.TreeBuilder(insert_comments=True))
        root = ElementTree.parse(path, parser).getroot()
        self.interface = root.find("interface")
        self.name = self.interface.get("name")
        self.lines = []
        self.licence = self.read_licence(path)
        self.intro = self.comment_before(root, self.interface)

    @staticmethod
    def read_licence(path):
        with open(path, encoding="utf-8") as file:
            found = re.search(r"SPDX-License-Identifier: (\S+)", file.readline())
        if not found:
            sys.exit(f"{path}: no licence in the first line")
        return found[1]

    @staticmethod
    def comment_before(parent, element):
        text = ""
        for child in parent:
            if child is element:
                return text
            text = child.text if child.tag is ElementTree.Comment else ""
        return ""

    def add(self, *lines):
        self.lines.extend(lines)

    @staticmethod
    def note(element, name):
        return next((a.get("value") for a in element.findall("annotation") if a.get("name") == name), "")

    def arguments(self, element, direction):
        return ", ".join(f"{a.get('type')} {a.get('name')}" for a in element.findall("arg")
                         if direction is None or a.get("direction") == direction)  # fmt: skip

    def signature(self, element):
        kind, name = element.tag, element.get("name")
        if kind == "property":
            return f"{name} {element.get('type')}"
        inside = self.arguments(element, "in" if kind == "method" else None)
        out = self.arguments(element, "out") if kind == "method" else ""
        return f"{name}({inside})" + (f" -> {out}" if out else "")

    def body(self, element):
        arguments, paragraphs, since = comment_parts(self.comment_before(self.interface, element))
        for i, text in enumerate(paragraphs):
            if i:
                self.add(".Pp")
            self.add(*paragraph(text))
        if arguments:
            self.add(".Bl -tag -width Ds -compact")
            for name, text in arguments.items():
                self.add(f".It Fa {name}", *paragraph(text))
            self.add(".El")
        emits = self.note(element, "org.freedesktop.DBus.Property.EmitsChangedSignal")
        action = self.note(element, "org.meshcored1.Action")
        facts = [f"Action: {action}."] if element.tag == "method" and action else []
        facts += {"const": ["It never changes."], "false": ["Changes are not announced."],
                  "invalidates": ["Changes are announced without the value."]}.get(emits, [])  # fmt: skip
        facts += [f"Since {since}."] if since else []
        if facts:
            self.add(".Pp", *facts)

    def section(self, title, tag):
        elements = self.interface.findall(tag)
        if not elements:
            return
        self.add(f".Sh {title}", ".Bl -tag -width Ds")
        for element in elements:
            self.add(f".It Ic \"{words(self.signature(element))}\"")
            self.body(element)
        self.add(".El")

    def text(self):
        short = re.search(r"@short_description: *(.+)", self.intro)
        paragraphs = comment_parts(re.sub(r"@short_description:.*", "", self.intro))[1]
        self.add(f".\\\" SPDX-License-Identifier: {self.licence}", ".\\\" Made from the interface's XML file.",
                 ".Dd November 20, 2026", f".Dt {self.name.upper()} 5", ".Os", ".Sh NAME", f".Nm {self.name}",
                 f".Nd {words((short[1] if short else 'D-Bus interface').strip().rstrip('.'))}", ".Sh DESCRIPTION")  # fmt: skip
        for i, text in enumerate(paragraphs):
            if i:
                self.add(".Pp")
            self.add(*paragraph(text))
        if not paragraphs:
            self.add("A D-Bus interface of", ".Xr meshcored 8 .")
        self.section("METHODS", "method")
        self.section("SIGNALS", "signal")
        self.section("PROPERTIES", "property")
        self.add(".Sh SEE ALSO", ".Xr busctl 1 ,", ".Xr meshcorectl 1 ,", ".Xr meshcored-dbus 7 ,", ".Xr meshcored 8")
        return "\n".join(self.lines) + "\n"


def main():
    with open(sys.argv[2], "w", encoding="utf-8") as out:
        out.write(Page(sys.argv[1]).text())


main()
