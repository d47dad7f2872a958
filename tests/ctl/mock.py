#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for meshcored: the objects of one or two radios, typed by the XML
in dbus/, with names as hostile as the mesh can make them. What it holds
is in a file, so that it can be killed and started again.

    mock.py ADDRESS XML-DIRECTORY STATE-FILE

The tests tell it what happens through methods of org.meshcored1.Mock at /mock,
each with one JSON text as argument.
"""

import glob
import json
import os
import sys
import xml.etree.ElementTree

import dbus
import dbus.bus
import dbus.lowlevel
import dbus.mainloop.glib
from gi.repository import GLib

NAME = "org.meshcored1"
ROOT = "/org/meshcored1"
PROPERTIES = "org.freedesktop.DBus.Properties"
OBJECT_MANAGER = "org.freedesktop.DBus.ObjectManager"
USEC = 1000000
NOON = 1772366400 * USEC  # 2026-03-01 12:00:00 UTC


def key(text):
    return (text.encode().hex() + "5a" * 32)[:64]


CONTACTS = [
    {"Key": key("alice"), "Name": "Alice", "Type": "chat"},
    {"Key": key("twin-one"), "Name": "Twin", "Type": "chat"},
    {"Key": key("twin-two"), "Name": "Twin", "Type": "chat"},
    {"Key": key("relay"), "Name": "Relay north", "Type": "repeater", "PathKnown": True, "Path": ["a1", "b2"]},
    {"Key": key("wide"), "Name": "日本語の名前", "Type": "chat", "PathKnown": True, "Location": [48.2, 16.37]},
    {"Key": key("escape"), "Name": "Esc\x1b[31m\x1b]0;pwned\x07\nforged line\x9b1m", "Type": "chat"},
    {"Key": key("bidi"), "Name": "bidi\u202egnp\u2066.exe", "Type": "chat"},
    {"Key": key("shell"), "Name": "$(touch pwned)`touch pwned`;touch pwned", "Type": "chat"},
    {"Key": key("option"), "Name": "-rf", "Type": "chat"},
    {"Key": key("glob"), "Name": "*", "Type": "room"},
    {"Key": "abcdef0123456789" * 4, "Name": "Hex", "Type": "sensor", "Unread": 2},
]
CHANNELS = [
    {"Slot": 0, "Name": "Public", "Kind": "public"},
    {"Slot": 1, "Name": "#test", "Kind": "hashtag", "Unread": 1},
    {"Slot": 3, "Name": "secret\x1b[2J club", "Kind": "private"},
]


PENDING = [
    {"Key": key("stranger"), "Type": "chat", "Name": "Str\x1b[31manger\u202e"},
    {"Key": key("strange-too"), "Type": "repeater", "Location": [1.5, -2.5]},
]
AUTO_ADD = {"Manual": True, "Chat": True, "Repeater": False, "MaxHops": 4}
SECRET = "8b3387e9c5cdea6ac9e5edbaa115cd72"


def plain(value):
    """JSON of what came over the bus; bytes as hex."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (bytes, dbus.ByteArray)):
        return bytes(value).hex()
    if isinstance(value, dbus.Array) and value.signature == "y":
        return bytes(value).hex()
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, (dbus.Boolean, bool)):
        return bool(value)
    if isinstance(value, (dbus.Double, float)):
        return float(value)
    return int(value) if isinstance(value, int) else str(value)


class Failure(Exception):
    def __init__(self, name, text):
        self.name = name if "." in name else f"{NAME}.Error.{name}"
        super().__init__(text)


class Types:
    """Signatures from the XML."""

    def __init__(self, directory):
        self.properties = {}
        self.methods = {}
        self.signals = {}
        for path in glob.glob(os.path.join(directory, "*.xml")):
            for interface in xml.etree.ElementTree.parse(path).getroot().iter("interface"):
                name = interface.get("name")
                self.properties[name] = {p.get("name"): p.get("type") for p in interface.iter("property")}
                for method in interface.iter("method"):
                    sides = {"in": "", "out": ""}
                    for arg in method.iter("arg"):
                        sides[arg.get("direction")] += arg.get("type")
                    self.methods[name, method.get("name")] = (sides["in"], sides["out"])
                for signal in interface.iter("signal"):
                    self.signals[name, signal.get("name")] = "".join(a.get("type") for a in signal.iter("arg"))

    def record(self, interface, values):
        """a{sv} of all properties of the interface, absent ones as zero or empty."""
        return dbus.Dictionary(
            {name: self.value(sig, values.get(name)) for name, sig in self.properties[interface].items()},
            signature="sv",
        )

    @staticmethod
    def value(signature, value):
        basic = {
            "y": dbus.Byte, "b": dbus.Boolean, "q": dbus.UInt16, "i": dbus.Int32, "u": dbus.UInt32,
            "x": dbus.Int64, "t": dbus.UInt64, "d": dbus.Double,
        }  # fmt: skip
        if signature in basic:
            return basic[signature](value or 0)
        if signature == "s":
            return dbus.String(value or "")
        if signature == "o":
            return dbus.ObjectPath(value or "/")
        if signature == "ay":
            return dbus.ByteArray(bytes.fromhex(value or ""))
        if signature == "aaay":
            return dbus.Array([Types.value("aay", v) for v in value or []], signature="aay")
        if signature == "aay":
            return dbus.Array([dbus.ByteArray(bytes.fromhex(v)) for v in value or []], signature="ay")
        if signature == "a{sv}":
            entries = {k: dbus.Boolean(v) if isinstance(v, bool) else dbus.Byte(v) for k, v in (value or {}).items()}
            return dbus.Dictionary(entries, signature="sv")
        if signature == "(dd)":
            return dbus.Struct([dbus.Double(v) for v in value or (0, 0)], signature="dd")
        if signature[0] == "a" and not value:
            return dbus.Array([], signature=signature[1:])
        raise ValueError(signature)


class Mock:
    def __init__(self, address, xml_directory, state_path):
        self.types = Types(xml_directory)
        self.state_path = state_path
        self.loop = GLib.MainLoop()
        self.errors = {}  # member → [error name, text]
        self.silent = None  # the member that is never answered
        self.delivery = ["sending", "sent", "delivered"]
        self.load()
        self.bus = dbus.bus.BusConnection(address)
        self.bus.add_message_filter(self.on_message)
        self.bus.call_on_disconnection(lambda _bus: self.loop.quit())

    def load(self):
        if os.path.exists(self.state_path):
            with open(self.state_path, encoding="utf-8") as file:
                self.state = json.load(file)
            return
        self.state = {
            "messages": [], "last": 0, "history": "a" * 32, "tokens": {}, "radios": ["home"], "calls": [],
            "contacts": CONTACTS, "channels": CHANNELS, "pending": PENDING, "auto-add": AUTO_ADD,
        }  # fmt: skip

    def save(self):
        with open(self.state_path + ".new", "w", encoding="utf-8") as file:
            json.dump(self.state, file)
        os.rename(self.state_path + ".new", self.state_path)

    def own(self):
        self.bus.request_name(NAME, dbus.bus.NAME_FLAG_DO_NOT_QUEUE)
        print("ready", flush=True)
        self.loop.run()

    # -- objects -----------------------------------------------------------

    @staticmethod
    def radio_path(radio):
        return f"{ROOT}/radio/{radio}"

    def messages_of(self, radio):
        return [m for m in self.state["messages"] if m["Radio"] == radio]

    def radio_properties(self, radio):
        up = radio == "home"
        return {
            "Id": radio, "Transport": "tcp", "Address": "127.0.0.1:5000", "Name": "Home\x1b[1m base",
            "State": self.state.get("state", "ready" if up else "waiting"),
            "Reason": self.state.get("reason", "none" if up else "refused"),
            "LastErrorMessage": "" if up else "Connection refused",
            "PublicKey": key(radio), "Model": "Heltec V3", "Firmware": "v1.9.0", "ProtocolVersion": 7,
            "FrequencyHz": 869525000, "BandwidthHz": 250000, "SpreadingFactor": 11, "CodingRate": 5, "TxPower": 22,
            "BatteryMillivolts": 4012, "BatteryPercent": 81, "ClockSkewUSec": 90 * USEC, "MaxTextBytes": 160,
            **self.state.get("radio", {}),
        }  # fmt: skip

    def message_path(self, message):
        return f"{self.radio_path(message['Radio'])}/message/{message['Id']}"

    def objects(self):
        """path → interface → plain values"""
        tree = {ROOT: {"Manager": {"Version": self.state.get("version", "0.1.0-mock")}}}
        for radio in self.state["radios"]:
            path = self.radio_path(radio)
            messages = self.messages_of(radio)
            contacts = self.state["contacts"][: None if radio == "home" else 1]
            tree[path] = {
                "Radio": self.radio_properties(radio),
                "Contacts": {
                    "Count": len(contacts), "Capacity": self.state.get("capacity", 350), "OnRadio": len(contacts),
                    "Pending": len(self.state["pending"]), "AutoAdd": self.state["auto-add"],
                },  # fmt: skip
                "Channels": {"Capacity": 40},
                "Messages": {
                    "LastId": messages[-1]["Id"] if messages else 0,
                    "Unread": sum(m["State"] == "received" and not m["Read"] for m in messages),
                    "HistoryId": self.state["history"],
                },
            }
            if self.state.get("pairing") and radio == "home":
                tree[path]["Pairing"] = {"BondState": "bonded", "Reason": "none"}
            for contact in contacts:
                names = self.state.get("names", {})
                name = contact.get("Name", "")
                contact = {**contact, "Name": names.get(name, name)}
                values = {"OnRadio": True, "LastHeardUSec": NOON, **contact}
                tree[f"{path}/contact/{contact['Key']}"] = {"Contact": values}
            for channel in self.state["channels"] if radio == "home" else []:
                tree[f"{path}/channel/{channel['Slot']}"] = {"Channel": channel}
        for message in self.state["messages"]:
            if not message["Read"] or message["State"] in ("queued", "sending"):
                tree[self.message_path(message)] = {"Message": message}
        return tree

    def managed(self):
        return dbus.Dictionary(
            {
                dbus.ObjectPath(path): dbus.Dictionary(
                    {
                        f"{NAME}.{name}": self.types.record(f"{NAME}.{name}", values)
                        for name, values in interfaces.items()
                    },
                    signature="sa{sv}",
                )
                for path, interfaces in self.objects().items()
                if path != ROOT  # as sd-bus does
            },
            signature="oa{sa{sv}}",
        )

    def find_message(self, path):
        for message in self.state["messages"]:
            if self.message_path(message) == path:
                return message
        raise Failure("org.freedesktop.DBus.Error.UnknownObject", f"Unknown object '{path}'.")

    # -- signals -----------------------------------------------------------

    def emit(self, path, interface, member, signature, *arguments):
        signal = dbus.lowlevel.SignalMessage(path, interface, member)
        signal.append(*arguments, signature=signature)
        self.bus.send_message(signal)

    def emit_own(self, path, interface, member, *arguments):
        interface = f"{NAME}.{interface}"
        self.emit(path, interface, member, self.types.signals[interface, member], *arguments)

    def emit_last_id(self, radio):
        interface = f"{NAME}.Messages"
        values = self.objects()[self.radio_path(radio)]["Messages"]
        changed = dbus.Dictionary({"LastId": dbus.UInt64(values["LastId"])}, signature="sv")
        self.emit(self.radio_path(radio), PROPERTIES, "PropertiesChanged", "sa{sv}as", interface, changed,
                  dbus.Array([], signature="s"))  # fmt: skip

    def add_message(self, message):
        self.state["last"] += 1
        message = {
            "Id": self.state["last"], "Radio": "home", "Kind": "text", "State": "received", "Read": False,
            "TimestampUSec": NOON + self.state["last"] * USEC, "Snr": 7.5, "Hops": 2, **message,
        }  # fmt: skip
        self.state["messages"].append(message)
        self.save()
        return message

    def receive(self, message, quiet=False):
        message = self.add_message(message)
        if quiet:
            return
        conversation = message.get("Peer") or message.get("Channel") or "/"
        self.emit_own(self.radio_path(message["Radio"]), "Messages", "Received", dbus.ObjectPath(conversation),
                      dbus.ObjectPath(self.message_path(message)),
                      self.types.record(f"{NAME}.Message", message))  # fmt: skip
        self.emit_last_id(message["Radio"])

    def set_state(self, message, state, **fields):
        message.update(State=state, **fields)
        self.save()
        self.emit_own(self.radio_path(message["Radio"]), "Messages", "Changed",
                      dbus.ObjectPath(self.message_path(message)), state)  # fmt: skip

    def deliver(self, message, states):
        if states:
            extra = {"Error": "no acknowledgement after 5 tries"} if states[0] == "failed" else {}
            self.set_state(message, states[0], **extra)
            GLib.idle_add(self.deliver, message, states[1:])
        return False

    # -- calls -------------------------------------------------------------

    def on_message(self, _bus, call):
        if call.get_type() != dbus.lowlevel.MESSAGE_TYPE_METHOD_CALL:
            return dbus.lowlevel.HANDLER_RESULT_NOT_YET_HANDLED
        interface, member, path = call.get_interface(), call.get_member(), call.get_path()
        if interface == "org.freedesktop.DBus.Peer":
            return dbus.lowlevel.HANDLER_RESULT_NOT_YET_HANDLED
        if member == self.silent:
            print("asked", flush=True)
            return dbus.lowlevel.HANDLER_RESULT_HANDLED
        self.sender = call.get_sender()
        try:
            if member in self.errors:
                raise Failure(*self.errors[member])
            if member == "Pair" and "Passkey" not in call.get_args_list()[0]:
                self.ask_agent(call, "no-pin")
                return dbus.lowlevel.HANDLER_RESULT_HANDLED
            signature, results = self.handle(path, interface, member, call.get_args_list(), call.get_signature())
            reply = dbus.lowlevel.MethodReturnMessage(call)
            reply.append(*results, signature=signature)
        except Failure as failure:
            reply = dbus.lowlevel.ErrorMessage(call, failure.name, str(failure))
        self.bus.send_message(reply)
        return dbus.lowlevel.HANDLER_RESULT_HANDLED

    def handle(self, path, interface, member, arguments, signature):
        if interface == f"{NAME}.Mock":
            self.control(member, json.loads(arguments[0]))
            return "", ()
        if interface == OBJECT_MANAGER and path == ROOT:
            return "a{oa{sa{sv}}}", (self.managed(),)
        if interface == PROPERTIES:
            return self.properties(path, member, arguments)

        known = self.types.methods.get((interface, member))
        if known is None:
            raise Failure("org.freedesktop.DBus.Error.UnknownMethod", f"no {member}")
        if known[0] != signature:
            raise Failure("org.freedesktop.DBus.Error.InvalidArgs", f"{member} takes {known[0]}, not {signature}")
        if interface.rpartition(".")[2] in ("Contacts", "Contact", "Channels", "Channel"):
            self.state["calls"].append([path.rpartition("/")[2], member, *map(plain, arguments)])
            self.save()
        function = getattr(self, f"{interface.rpartition('.')[2]}_{member}".lower())
        return known[1], function(path, *arguments)

    def properties(self, path, member, arguments):
        interface = arguments[0]
        if interface == f"{NAME}.Message":
            values = self.find_message(path)
        else:
            values = self.objects().get(path, {}).get(interface.rpartition(".")[2])
        if values is None:
            raise Failure("org.freedesktop.DBus.Error.UnknownObject", f"Unknown object '{path}'.")
        record = self.types.record(interface, values)
        if member == "Get":
            return "v", (record[arguments[1]],)
        return "a{sv}", (record,)

    def control(self, member, value):
        if member == "Receive":
            self.receive(value)
        elif member == "ReceiveQuietly":
            self.receive(value, quiet=True)
        elif member == "Burst":
            for i in range(value["count"]):
                self.receive({"Peer": value["peer"], "Text": f"burst {i}"})
        elif member == "Error":
            self.errors.update(value)
        elif member == "Silent":
            self.silent = value
        elif member == "Delivery":
            self.delivery = value
        elif member == "Release":
            first = next(m for m in self.state["messages"] if m["State"] not in ("received", "delivered"))
            self.deliver(first, value)
        elif member == "State":
            self.state.update(state=value["new"], reason=value["reason"])
            self.emit_own(self.radio_path("home"), "Radio", "StateChanged", value["old"], value["new"],
                          value["reason"], dbus.Dictionary({"Attempts": dbus.UInt32(3)}, signature="sv"))  # fmt: skip
        elif member == "Change":
            self.state.setdefault("radio", {}).update(value)
            interface = f"{NAME}.Radio"
            changed = {n: self.types.value(self.types.properties[interface][n], v) for n, v in value.items()}
            self.emit(self.radio_path("home"), PROPERTIES, "PropertiesChanged", "sa{sv}as", interface,
                      dbus.Dictionary(changed, signature="sv"), dbus.Array([], signature="s"))  # fmt: skip
        elif member == "Advert":
            advert = {"Stored": dbus.Boolean(False), "Type": "chat", "Name": value["name"]}
            self.emit_own(self.radio_path("home"), "Contacts", "AdvertHeard", key("advert"),
                          dbus.Dictionary(advert, signature="sv"))  # fmt: skip
        elif member == "SetAside":
            self.state.update(history="b" * 32, messages=[], last=0)
            self.save()
        elif member == "Set":
            self.state.update(value)
            self.save()
        elif member == "SetRadios":
            self.state["radios"] = value
            self.save()
        else:
            raise Failure("org.freedesktop.DBus.Error.UnknownMethod", member)

    # -- contacts and channels ---------------------------------------------

    def find_contact(self, path):
        return next(c for c in self.state["contacts"] if path.endswith(c["Key"]))

    def contacts_add(self, path, contact):
        contact = plain(contact)
        heard = [p for p in self.state["pending"] if p["Key"] == contact["Key"]]
        if any(c["Key"] == contact["Key"] for c in self.state["contacts"]):
            raise Failure("InvalidArguments", "the radio has this contact already")
        if not heard and not {"Name", "Type"} <= set(contact):
            raise Failure("InvalidArguments", "nobody heard of this key yet, so its type and name are needed")
        self.state["pending"] = [p for p in self.state["pending"] if p not in heard]
        self.state["contacts"] = [*self.state["contacts"], {**(heard or [{}])[0], **contact}]
        self.save()
        return (dbus.ObjectPath(f"{path}/contact/{contact['Key']}"),)

    def contacts_import(self, path, uri):
        if "channel/add" in uri:
            raise Failure("InvalidArguments", "This is a channel: Import of org.meshcored1.Channels takes it")
        return self.contacts_add(path, {"Key": key("imported"), "Name": "Imp\x1bort", "Type": "chat"})

    def contacts_find(self, path, text):
        found = [c for c in self.state["contacts"] if text.lower() in c["Name"].lower() or c["Key"].startswith(text)]
        paths = [dbus.ObjectPath(f"{path}/contact/{c['Key']}") for c in found]
        return (dbus.Array(paths, signature="o"),)

    def contacts_exportself(self, path, options):
        return (f"meshcore://{options['Form']}/self",)

    def contacts_setautoadd(self, _path, settings):
        self.state["auto-add"] = {**self.state["auto-add"], **plain(settings)}
        self.save()
        return ()

    def contacts_listpending(self, _path):
        record = lambda node: dbus.Dictionary(  # noqa: E731
            {
                **{n: node[n] for n in ("Key", "Type", "Name") if n in node},
                **({"Location": self.types.value("(dd)", node["Location"])} if "Location" in node else {}),
                "LastHeardUSec": dbus.UInt64(NOON),
            },
            signature="sv",
        )
        return (dbus.Array([record(node) for node in self.state["pending"]], signature="a{sv}"),)

    def contacts_dismisspending(self, _path, node):
        self.state["pending"] = [p for p in self.state["pending"] if p["Key"] != node]
        self.save()
        return ()

    def contact_update(self, path, changes):
        self.find_contact(path).update(plain(changes))
        self.save()
        return ()

    def contact_setpath(self, path, hops):
        return self.contact_update(path, {"PathKnown": True, "Path": list(hops)})

    def contact_resetpath(self, path):
        return self.contact_update(path, {"PathKnown": False, "Path": []})

    def contact_share(self, _path):
        return ()

    def contact_export(self, path, options):
        return (f"meshcore://{options['Form']}/{self.find_contact(path)['Name']}",)

    def contact_remove(self, path, _options):
        self.state["contacts"] = [c for c in self.state["contacts"] if not path.endswith(c["Key"])]
        self.save()
        return ()

    def channels_set(self, path, slot, name, secret, options):
        if bool(secret) == bool(options):
            raise Failure("InvalidArguments", "Either a secret or Source is given, not both")
        slot = 2 if slot == 255 else int(slot)
        channel = {"Slot": slot, "Name": str(name) or "Public", "Kind": "private"}
        self.state["channels"] = [c for c in self.state["channels"] if c["Slot"] != slot] + [channel]
        self.save()
        return (dbus.ObjectPath(f"{path}/channel/{slot}"),)

    def channels_import(self, path, uri):
        if "channel/add" not in uri:
            raise Failure("InvalidArguments", "A channel begins with meshcore://channel/")
        return self.channels_set(path, 255, "Imported", b"x", {})

    def channel_export(self, _path):
        return (f"meshcore://channel/add?name=x&secret={SECRET}",)

    def channel_getsecret(self, _path):
        return (dbus.ByteArray(bytes.fromhex(SECRET)),)

    def channel_clear(self, path):
        slot = int(path.rpartition("/")[2])
        self.state["channels"] = [c for c in self.state["channels"] if c["Slot"] != slot]
        self.save()
        return ()

    # -- the radio ---------------------------------------------------------

    def radio_start(self, _path):
        return ()

    def radio_stop(self, _path):
        return ()

    FOUND = [
        {"Transport": "serial", "Address": "/dev/serial/by-id/usb-RAK-if00", "Device": "/dev/ttyACM0", "Name": "Wis\x1bBlock",
         "Connected": True, "Radio": dbus.ObjectPath(ROOT + "/radio/home")},
        {"Transport": "ble", "Address": "C0:00:00:00:22:01", "Name": "MeshCore-Hut", "Adapter": "hci1", "Bonded": True,
         "Connected": False, "Rssi": dbus.Int16(-71)},
        {"Transport": "ble", "Address": "C0:00:00:00:22:01", "Name": "MeshCore-Hut", "Adapter": "hci0", "Bonded": True,
         "Connected": False},
    ]  # fmt: skip

    BRIDGE = {"Transport": "serial", "Address": "/dev/ttyUSB0", "Device": "/dev/ttyUSB0", "Name": "CP2102", "Certain": False,
              "Connected": False}  # fmt: skip

    def manager_discover(self, _path, options):
        self.state["calls"].append(["Discover", plain(options)])
        self.save()
        found = [] if options.get("Name") == "nobody" else self.FOUND[:2] + [self.BRIDGE]
        return (dbus.Array(found, signature="a{sv}"),)

    def manager_listbonds(self, _path):
        return (dbus.Array(self.FOUND[1:], signature="a{sv}"),)

    def manager_forgetbond(self, _path, address):
        self.state["calls"].append(["ForgetBond", plain(address)])
        self.save()
        return ()

    def manager_registeragent(self, _path, agent):
        self.agent = (self.sender, agent)
        return ()

    def pairing_pair(self, _path, options):
        if options["Passkey"] != "123456":
            raise Failure("LoginFailed", "the radio did not accept the PIN")
        return ("bonded",)

    def ask_agent(self, call, reason):
        """A wrong PIN is asked for again."""

        def answer(reply, *values):
            reply.append(*values)
            self.bus.send_message(reply)

        def told(passkey):
            if passkey == 123456:
                answer(dbus.lowlevel.MethodReturnMessage(call), "bonded")
            else:
                self.ask_agent(call, "authentication")

        def refused(error):
            name = f"{NAME}.Error.Cancelled" if error.get_dbus_name() == f"{NAME}.Error.Cancelled" else f"{NAME}.Error.Failed"
            answer(dbus.lowlevel.ErrorMessage(call, name, "Nobody has given the PIN"))

        details = dbus.Dictionary({"Id": "home", "Name": "x", "Reason": reason}, signature="sv")
        self.bus.call_async(*self.agent, f"{NAME}.PairingAgent", "RequestPasskey", "osa{sv}",
                            (call.get_path(), "C0:00:00:00:22:01", details), told, refused)  # fmt: skip

    def pairing_verify(self, _path):
        return (self.state.get("bond", "verified"),)

    def radio_ping(self, _path):
        return (dbus.UInt64(12345),)

    def resolve(self, radio, recipient):
        objects = {path: i for path, i in self.objects().items() if path.startswith(radio + "/")}
        for path, interfaces in objects.items():
            if recipient == path and ("Contact" in interfaces or "Channel" in interfaces):
                return path
            if recipient == interfaces.get("Contact", {}).get("Key"):
                return path
        found = [
            path
            for path, interfaces in objects.items()
            if recipient in (interfaces.get("Contact", {}).get("Name"), interfaces.get("Channel", {}).get("Name"))
        ]
        if not found:
            raise Failure("NotFound", f"nobody is called {recipient}")
        if len(found) > 1:
            raise Failure("InvalidArguments", f"{recipient} is ambiguous: " + ", ".join(found))
        return found[0]

    def radio_sendtext(self, path, recipient, text, options):
        unknown = set(options) - {"Queue", "ExpiresUSec", "Wait", "Token"}
        if unknown:
            raise Failure("InvalidArguments", f"unknown option {unknown}")
        if len(text.encode()) > 160:
            raise Failure("InvalidArguments", f"the text is {len(text.encode()) - 160} bytes too long")
        if not options.get("Queue", True) and path.endswith("attic"):
            raise Failure("NotConnected", "the radio is not connected")
        token = str(options.get("Token", ""))
        if token and token in self.state["tokens"]:
            return (dbus.ObjectPath(self.state["tokens"][token]),)

        target = self.resolve(path, recipient)
        message = {"State": "queued", "Read": True, "Text": text, "ExpiresUSec": int(options.get("ExpiresUSec", 0)),
                   "Radio": path.rpartition("/")[2], "Hops": 255}  # fmt: skip
        states = self.delivery
        if "/channel/" in target:
            message["Channel"] = target
            states = [s for s in states if s != "delivered"]
        else:
            message["Peer"] = target
            message["PeerPrefix"] = target.rpartition("/")[2][:12]
        message = self.add_message(message)
        if token:
            self.state["tokens"][token] = self.message_path(message)
            self.save()
        self.emit_last_id(message["Radio"])
        GLib.idle_add(self.deliver, message, states)
        return (dbus.ObjectPath(self.message_path(message)),)

    def contact_sendtext(self, path, text, options):
        return self.radio_sendtext("/".join(path.split("/")[:-2]), path, text, options)

    channel_sendtext = contact_sendtext

    def messages_list(self, path, filters, start, limit, options):
        unknown = set(filters) - {"Peer", "Channel", "State", "Kind", "Direction", "Unread", "Text", "SinceUSec", "UntilUSec"}
        if unknown or set(options) - {"Order"} or limit == 0:
            raise Failure("InvalidArguments", f"unknown {unknown}")
        messages = self.messages_of(path.rpartition("/")[2])
        if filters.get("Unread"):
            messages = [m for m in messages if m["State"] == "received" and not m["Read"]]
        for name in ("State", "Kind"):
            if name in filters:
                messages = [m for m in messages if m[name] == filters[name]]
        if "Direction" in filters:
            messages = [m for m in messages if (m["State"] == "received") == (filters["Direction"] == "received")]
        if "Text" in filters:
            messages = [m for m in messages if filters["Text"].lower() in m.get("Text", "").lower()]
        messages = [
            m for m in messages if filters.get("SinceUSec", 0) <= m["TimestampUSec"] < filters.get("UntilUSec", 1 << 63)
        ]
        for name in ("Peer", "Channel"):
            if name in filters:
                messages = [m for m in messages if filters[name] in (m.get(name), (m.get(name) or "").rpartition("/")[2])]
        if options.get("Order") == "newer":
            messages = [m for m in messages if m["Id"] > start]
        else:
            messages = [m for m in messages[::-1] if start == 0 or m["Id"] < start]
        rows = [
            dbus.Struct((dbus.ObjectPath(self.message_path(m)), self.types.record(f"{NAME}.Message", m)))
            for m in messages[: min(limit, 500)]
        ]
        return (dbus.Array(rows, signature="(oa{sv})"),)

    def messages_markread(self, _path, paths):
        for path in paths:
            self.find_message(path)["Read"] = True
        self.save()
        return ()

    def message_markread(self, path):
        return self.messages_markread(path, [path])

    def message_cancel(self, path):
        message = self.find_message(path)
        if message["State"] not in ("queued", "sending", "sent"):
            raise Failure("Rejected", "the message has reached its final state")
        self.set_state(message, "cancelled")
        return ()

    def message_delete(self, path):
        message = self.find_message(path)
        self.state["messages"].remove(message)
        self.save()
        radio = self.radio_path(message["Radio"])
        self.emit_own(radio, "Messages", "Deleted", dbus.Array([dbus.ObjectPath(path)], signature="o"))
        return ()

    def message_resend(self, path):
        old = self.find_message(path)
        message = self.add_message({**old, "Id": self.state["last"] + 1, "State": "queued"})
        self.emit_last_id(message["Radio"])
        return (dbus.ObjectPath(self.message_path(message)),)


def main():
    dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
    Mock(*sys.argv[1:4]).own()


main()
