# SPDX-License-Identifier: GPL-3.0-or-later
"""Radios over Bluetooth for the cases of the lab: real kernel, real bluetoothd, real pairing; only the controller
and what is in its air are played (vradio), with meshcore-sim as the firmware.

    air = Air(lab, "esp32", "nrf52")       a controller, two radios
    air.start({"hut": 0})                  the daemon with the first of them
    story = air.after(air.tell("drop 0x08"), "hut state ready none")
    status, text = air.tool("--check-only", air.address(1))
"""

import json
import os
import re
import shlex
import shutil

from guest import LabError
from labcase import configure_command, write_command

PIN = "123456"
CREDENTIAL = "/run/credstore/meshcored.pin"
ADAPTER = "/org/bluez/hci0"
WATCH = "/run/watch"
BONDS = "/var/lib/bluetooth"
# nobody remembers anything
FORGET = f"rm -rf {BONDS}/* {CREDENTIAL}; systemctl reset-failed bluetooth"
# one for all cases
WATCHER = (f"systemctl is-active --quiet lab-watch || {{ rm -f {WATCH}; "
           f"systemd-run --quiet --collect --unit=lab-watch -p StandardOutput=file:{WATCH} /lab/tools/watch-radios; }}")  # fmt: skip
# A radio has 40 of them, each of which is asked for whenever it is connected.
CHANNELS = 4
# As the firmware of the two families has it.
FAMILIES = {
    "esp32": "sc=1,type=0,no-response-write=0,cccd-security=0,mtu=176,adv-pause=1000",
    "nrf52": "sc=0,type=1,no-response-write=1,cccd-security=2,mtu=247",
}


def path_of(radio):
    return f"/org/meshcored1/radio/{radio}"


class Story:
    """What the daemon told from a command on: a list of "RADIO WHAT WORDS"."""

    def __init__(self, text):
        self.output, _, rest = text.partition("\n=====\n")
        begun, *lines = rest.splitlines()
        self.lines, self.times = [], []
        for line in lines:
            when, _, what = line.partition(" ")
            if re.fullmatch(r"[0-9.]+", when):
                self.lines.append(what)
                self.times.append(float(when) - float(begun))

    def __repr__(self):
        return "\n".join(f"{when:7.3f} {line}" for when, line in zip(self.times, self.lines))

    def seconds(self, pattern, first=False):
        """When this was told, from the command on; the last time, or the first."""
        found = [when for when, line in zip(self.times, self.lines) if re.fullmatch(pattern, line)]
        assert found, f"nobody said {pattern}:\n{self}"
        return found[0] if first else found[-1]

    def last(self, radio, what):
        """The last of this kind, in short."""
        found = [line.removeprefix(f"{radio} {what} ") for line in self.lines if line.startswith(f"{radio} {what} ")]
        return found[-1].replace(" ", "/") if found else "-"

    def told(self, *patterns):
        """All of these, in this order, with anything between."""
        lines = iter(self.lines)
        for pattern in patterns:
            assert any(re.fullmatch(pattern, line) for line in lines), f"nobody said {pattern} in its place:\n{self}"
        return self


class Air:
    def __init__(self, lab, *families, number=0, radios=(), sims=True, verbose=False, channels=CHANNELS):
        """radios: settings of vradio for each, beside those of the family. sims: whether somebody plays
        their firmware, with so many channels; verbose: and puts each frame into the journal."""
        self.lab = lab
        self.channels = channels
        self.number = number
        self._verbose = " --verbose" if verbose else ""
        self.families = families or ("esp32",)
        self.socket = f"/run/vradio{number}.sock"
        self.unit = f"lab-vradio{number}"
        self.adapter = f"00:01:AA:00:00:{number + 1:02X}"
        settings = [FAMILIES[family] for family in self.families]
        for i, more in enumerate(radios):
            settings[i] += "," + more
        words = ["systemd-run", "--quiet", "--collect", f"--unit={self.unit}", "/lab/vradio", "-v", "-a", self.adapter]
        words += ["-c", self.socket]
        for i, setting in enumerate(settings):
            words += ["-r", f"name=MeshCore-{self.name(i)},addr={self.address(i)},{setting}"]
        shutil.copy(os.path.join(lab.build, "tests", "lab", "vradio"), lab.share)
        lab.at_end(f"systemctl stop {self.unit} 'lab-sim{number}-*'" + (f" bluetooth; {FORGET}" if number == 0 else ""))
        lab.run(
            (f"systemctl stop bluetooth; {FORGET}; modprobe hci_vhci; {WATCHER}; " if number == 0 else "")
            + f"set -e; rm -f {self.socket}; {shlex.join(words)}; "
            f"for i in $(seq 200); do [ -S {self.socket} ] && break; sleep 0.05; done; "
            + "".join(self._start_sim(i, family) for i, family in enumerate(self.families) if sims)
            + ("systemctl start bluetooth; " if number == 0 else "")
            + "for i in $(seq 200); do "
            f"busctl get-property org.bluez /org/bluez/hci{number} org.bluez.Adapter1 Powered 2>/dev/null | grep -q true && exit; "
            "sleep 0.1; done; exit 1"
        )

    def _start_sim(self, radio, family):
        """Two radios must not have the same key."""
        name = f"sim{self.number}-{radio}"
        scenario = (f"[Radio]\nName={self.name(radio)}\nSeed={name}\nChannels=Public;#test\nMaxChannels={self.channels}\n"
                    "[Node Hilltop]\nType=repeater\n[Node Anna]\n[Node Bob]\nVia=Hilltop\n")  # fmt: skip
        return (f"printf %s {shlex.quote(scenario)} >/run/{name}.conf; rm -f /run/{name}.socket; "
                f"systemd-run --quiet --collect --unit=lab-{name} meshcore-sim --vradio {self.socket} "
                f"--radio {radio} --ble {family} --scenario /run/{name}.conf --control /run/{name}.socket{self._verbose}; ")  # fmt: skip

    # -- who and where ------------------------------------------------------

    def name(self, radio):
        return f"Hut{self.number}{radio}"

    def address(self, radio=0):
        return f"C0:00:00:00:{self.number + 0x22:02X}:{radio + 1:02X}"

    def device(self, radio=0, adapter=None):
        return f"{adapter or ADAPTER.replace('0', str(self.number))}/dev_{self.address(radio).replace(':', '_')}"

    # -- commands for the guest's shell ----------------------------------------

    def tell(self, *commands, radio=0):
        """To the controller; each must be taken."""
        return shlex.join(["/lab/vradio", "-c", self.socket, "-x", *(f"@{radio} {command}" for command in commands)]) + " >/dev/null"

    def call(self, member, *arguments, radio=0, timeout=70):
        """To bluetoothd, about the device."""
        return shlex.join(["busctl", f"--timeout={timeout}", "call", "org.bluez", self.device(radio), "org.bluez.Device1", member,
                           *arguments])  # fmt: skip

    def get(self, name, radio=0):
        return self.lab.run(
            f"busctl get-property org.bluez {self.device(radio)} org.bluez.Device1 {name} 2>&1", check=False
        ).partition(" ")[2].strip()  # fmt: skip

    def stop_daemon(self, radio=0):
        """For the shell; bluetoothd lets go of a link after two seconds."""
        return (f"systemctl stop meshcored.service; until busctl get-property org.bluez {self.device(radio)} org.bluez.Device1 Connected "
                "| grep -q false; do sleep 0.2; done")  # fmt: skip

    def power(self, on):
        return f"busctl set-property org.bluez {ADAPTER} org.bluez.Adapter1 Powered b {'true' if on else 'false'}"

    # -- the daemon ------------------------------------------------------------

    def pin_command(self, pin):
        """For the shell. The PIN is root's: the daemon gets it as a credential."""
        return f"rm -f {CREDENTIAL}" if pin is None else write_command(CREDENTIAL, pin + "\n") + f" && chmod 600 {CREDENTIAL}"

    def set_pin(self, pin):
        self.lab.run(self.pin_command(pin))

    def configure_command(self, radios, pin=PIN):
        """radios: name → number, or what the configuration says."""
        radios = {name: f"ble:{self.address(radio)}" if isinstance(radio, int) else radio for name, radio in radios.items()}
        return f"{self.pin_command(pin)} && {configure_command(radios)}"

    def start(self, radios, pin=PIN, until=None):
        return self.after(f"{self.configure_command(radios, pin)} && systemctl start meshcored.service",
                          *(until or (f"{radio} state ready none" for radio in radios)))  # fmt: skip

    def after(self, command, *patterns, timeout=60):
        """Runs it, and goes on until the daemon has told these, in any order."""
        waits = "".join(
            f"timeout {timeout} bash -c 'grep -qm1 -E \"$1\" <(tail -n +$2 -f --pid=$$ {WATCH})' - "
            f"{shlex.quote(f'^[0-9.]+ {pattern}$')} $((n + 1)) || {{ echo no {shlex.quote(pattern)}; r=1; }}; "
            for pattern in patterns
        )
        text = self.lab.run(
            f"until grep -q watching {WATCH}; do sleep 0.1; done; n=$(wc -l <{WATCH}); "
            f"begun=$(cut -d' ' -f1 /proc/uptime); r=0; {{ {command or ':'}; }} || {{ echo failed; r=1; }}; "
            f"{waits} echo; echo =====; echo $begun; tail -n +$((n + 1)) {WATCH}; exit $r",
            timeout=timeout * max(1, len(patterns)) + 60,
            check=False,
        )
        story = Story(text)
        if re.search(r"^(no .*|failed)$", story.output, re.M):
            raise LabError(f"{command!r}: {story.output}\n{story!r}")
        return story

    def now(self, radio):
        """(state, reason, bond, reason) as the bus has it."""
        text = self.lab.run(
            f"busctl get-property org.meshcored1 {path_of(radio)} org.meshcored1.Radio State Reason; "
            f"busctl get-property org.meshcored1 {path_of(radio)} org.meshcored1.Pairing BondState Reason"
        )
        return tuple(re.findall(r'"(.*)"', text))

    def pair(self, radio, pin=None):
        """Calls Pair; for the shell. Prints the result or the error."""
        words = ["busctl", "--timeout=150", "call", "org.meshcored1", path_of(radio), "org.meshcored1.Pairing", "Pair", "a{sv}"]
        return shlex.join(words + (["1", "Passkey", "s", pin] if pin else ["0"])) + " 2>&1"

    # -- the tool ---------------------------------------------------------------

    def tool_command(self, *arguments):
        """For the shell: prints the output, and the status as the last line."""
        return shlex.join(["meshcore-bond", *arguments]) + " </dev/null 2>&1; echo $?"

    def tool(self, *arguments, timeout=120):
        """Exit status and output of meshcore-bond."""
        return parse_tool(self.lab.run(self.tool_command(*arguments), timeout=timeout, check=False))

    def row(self, what, radio, story, tool=None):
        """Of the table of situations: what the daemon came to, what the tool said."""
        status, text = tool or (None, "")
        said = re.search(r"^(?:Error|Result): +(.*)$", text, re.M)
        self.lab.note(f"{what} | {story.last(radio, 'state')} | {story.last(radio, 'changed')} | bond {story.last(radio, 'bond')} | "
                      + (f"{status} {reason_of(text)}: {said[1]}" if tool else ""))  # fmt: skip

    # -- what was there ------------------------------------------------------------

    def heard(self, text, since=0):
        """How often the radios met this."""
        return self.lab.run(f"journalctl --no-pager -u {self.unit} -o cat").count(text) - since

    def snapshot(self):
        """All that somebody who only looks must leave as it is."""
        text = self.lab.run(
            "busctl --json=short call org.bluez / org.freedesktop.DBus.ObjectManager GetManagedObjects; "
            f"busctl tree --list org.bluez; find {BONDS} -type f | sort | xargs -r md5sum"
        )
        objects, rest = text.split("\n", 1)
        lines = [
            f"{path} {interface.removeprefix('org.bluez.')} {name} {value['data']}"
            for path, interfaces in sorted(json.loads(objects)["data"][0].items())
            for interface, properties in sorted(interfaces.items())
            for name, value in sorted(properties.items())
            # how strong the last advertisement was is no state
            if name != "RSSI"
        ]
        return "\n".join(lines) + "\n" + rest


def parse_tool(output):
    text, status = output.rstrip("\n").rsplit("\n", 1)
    return int(status), text


def reason_of(text):
    """The word after "Reason:"."""
    found = re.search(r"^Reason: +(\S+)$", text, re.M)
    return found[1] if found else "none"
