#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""meshcored and meshcorectl with radios over a played bluetoothd: test_daemon.py GROUP."""

import json
import os
import signal
import subprocess
import unittest

from gi.repository import Gio, GLib

from bond_bed import ADDRESS, OTHER, PIN, Case, Program, find_program

HCI1 = "00:AA:01:00:00:43"
HEADSET = "11:22:33:44:55:66"
RADIO = "/org/meshcored1/radio/hut"


class DaemonCase(Case):
    def setUp(self):
        super().setUp()
        self.bluez.tell("simulated")
        self.simulate(0)

    def simulate(self, number):
        """Radios are told apart by their keys, which come from the seed."""
        path = os.path.join(self.directory, f"scenario{number}")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"[Radio]\nName=Hut{number}\nSeed=hut{number}\n")
        argv = [find_program("meshcore-sim"), "--vradio", self.bluez.path, "--radio", str(number), "--ble", "nrf52", "--scenario", path]
        self.add(Program(f"sim{number}", argv, self.directory)).read_line()

    def start_daemon(self, config=None, arguments=()):
        """config: the lines of the section "hut", or the sections by name."""
        if not isinstance(config, dict):
            config = {"hut": config or [f"Transport=ble:{ADDRESS}"]}
        path = os.path.join(self.directory, "meshcored.conf")
        with open(path, "w", encoding="utf-8") as file:
            for name, lines in config.items():
                file.write(f"[Radio {name}]\n" + "".join(line + "\n" for line in lines))
        argv = [find_program("meshcored"), "--config", path, "--state-dir", os.path.join(self.directory, "state"), *arguments]
        self.daemon = self.add(Program("meshcored", argv, self.directory, self.environment(), subprocess.DEVNULL))
        self.addCleanup(self.stop_daemon, self.daemon)
        self.wait(lambda: "Version" in self.get("Manager", "Version", path="/org/meshcored1", raw=True), "the daemon's name")

    def stop_daemon(self, daemon):
        """Its end is a part of every test."""
        if daemon.running():
            self.assertEqual(daemon.terminate()[0], 0)
        self.assertNotRegex(daemon.log(), "AddressSanitizer|LeakSanitizer|runtime error:|CRITICAL|BUG")

    def get(self, interface, name, path=RADIO, raw=False):
        result = subprocess.run(
            ["busctl", "--json=short", "--address=" + self.bus.address, "get-property", "org.meshcored1", path,
             "org.meshcored1." + interface, name], capture_output=True, text=True, check=False)  # fmt: skip
        if raw:
            return name if result.returncode == 0 else ""
        return json.loads(result.stdout)["data"] if result.returncode == 0 else None

    def wait_for(self, state, reason=None, radio="hut", timeout=20):
        path = f"/org/meshcored1/radio/{radio}"
        self.wait(lambda: self.get("Radio", "State", path) == state and reason in (None, self.get("Radio", "Reason", path)),
                  f"{radio} {state} {reason}", timeout)  # fmt: skip

    def bond_state(self):
        return self.get("Pairing", "BondState"), self.get("Pairing", "Reason")

    def ctl(self, *arguments, status=0, stdin=""):
        result = subprocess.run([find_program("meshcorectl"), *arguments], env=self.environment(), input=stdin,
                                capture_output=True, text=True, timeout=60, check=False)  # fmt: skip
        self.assertEqual(result.returncode, status, (arguments, result.stdout, result.stderr))
        self.assertNotRegex(result.stderr, "AddressSanitizer|LeakSanitizer|runtime error:|CRITICAL|WARNING")
        self.stderr = result.stderr
        return result.stdout

    def json(self, *arguments):
        return json.loads(self.ctl("--json", *arguments))

    def log(self):
        return self.daemon.log()


class Discover(DaemonCase):
    def test_near(self):
        """Not configured, found by a scan: with signal and without bond. The scan ends with the answer."""
        self.start_daemon({})
        found = self.json("discover", "--first", "--timeout", "60s")
        self.assertEqual(found, [{"Transport": "ble", "Address": ADDRESS, "Name": "MeshCore-Hut", "Connected": False,
                                  "Certain": True, "Adapter": "hci0", "Bonded": False, "Rssi": -60}])  # fmt: skip
        self.wait_adapter("discovering=0")
        self.assertNotEqual(self.bluez.calls("SetDiscoveryFilter"), [])

    def test_whole_time(self):
        """All of them, the strongest first; a radio with a bond also when it is away, others not."""
        self.bluez.tell(f"radio hci0 {OTHER} MeshCore-Shed")
        self.bond(1)
        self.bluez.set(1, near=0)
        self.bluez.tell(f"radio hci0 {HEADSET} Headset")
        self.bluez.set(2, no_uart=1)
        self.start_daemon({})
        found = self.json("discover", "--timeout", "1s")
        self.assertEqual([(f["Address"], f["Bonded"], "Rssi" in f) for f in found], [(ADDRESS, False, True), (OTHER, True, False)])
        self.assertEqual([f["Address"] for f in self.json("discover", "Shed", "--timeout", "1s")], [OTHER])
        self.assertEqual([f["Address"] for f in self.json("discover", ADDRESS.lower(), "--timeout", "1s")], [ADDRESS])
        self.ctl("discover", "Nobody", "--timeout", "1s", status=4)

    def test_configured(self):
        self.bond()
        self.start_daemon()
        self.wait_for("ready")
        found = self.json("discover", "--first")
        self.assertEqual((found[0]["Radio"], found[0]["Connected"], found[0]["Bonded"]), (RADIO, True, True))
        self.assertEqual(found[0]["PublicKey"], self.get("Radio", "PublicKey"))
        self.assertIn("hut", self.ctl("discover", "--first").splitlines()[1])

    def test_caller_vanishes(self):
        self.start_daemon({})
        program = Program("ctl", [find_program("meshcorectl"), "discover", "--timeout", "100s"], self.directory, self.environment())
        self.add(program)
        self.wait_adapter("discovering=1")
        program.kill()
        self.wait_adapter("discovering=0")
        self.assertEqual(self.get("Manager", "Version", path="/org/meshcored1", raw=True), "Version")

    def test_adapters(self):
        """By name and by address; the same radio near both is one."""
        self.bluez.tell(f"adapter hci1 {HCI1}")
        self.bluez.tell(f"radio hci1 {ADDRESS} MeshCore-Hut")
        self.start_daemon({})
        self.assertEqual([f["Address"] for f in self.json("discover", "--timeout", "1s")], [ADDRESS])
        for adapter, name in (("hci1", "hci1"), (HCI1.lower(), "hci1"), ("hci0", "hci0")):
            found = self.json("discover", "--timeout", "1s", "--adapter", adapter)
            self.assertEqual([f["Adapter"] for f in found], [name])
        self.ctl("discover", "--adapter", "hci7", status=4)

    def test_without(self):
        """An error only where nothing but Bluetooth was asked for."""
        self.start_daemon({})
        self.bluez.tell("power hci0 0")
        self.ctl("discover", "--transport", "ble", status=7)
        self.assertIn("no power", self.stderr)
        self.assertEqual([f for f in self.json("discover") if f["Transport"] == "ble"], [])
        self.json("discover", "--transport", "serial")
        self.bluez.tell("crash")
        self.ctl("discover", "--transport", "ble", status=7)
        self.assertIn("service", self.stderr)


class Bonds(DaemonCase):
    def test_list_and_forget(self):
        self.bluez.tell(f"radio hci0 {OTHER} MeshCore-Shed")
        self.bluez.tell(f"radio hci0 {HEADSET} Headset")
        self.bluez.set(2, no_uart=1)
        for radio in range(3):
            self.bond(radio)
        self.start_daemon()
        self.wait_for("ready")
        bonds = self.json("bond", "list")
        self.assertEqual(sorted((b["Address"], b.get("Radio")) for b in bonds), [(ADDRESS, RADIO), (OTHER, None)])
        self.assertEqual(self.ctl("bond", "verify"), "verified\n")

        # one that is no radio is left alone
        self.ctl("bond", "forget", HEADSET, status=4)
        self.ctl("bond", "forget", "C0:00:00:00:22:09", status=4)
        self.ctl("bond", "forget", OTHER)
        self.assert_radio("paired=0", 1)
        self.assertEqual(self.get("Radio", "State"), "ready")
        self.ctl("bond", "forget", ADDRESS.lower())
        self.assert_radio("paired=0")
        self.assertEqual(self.get("Radio", "State"), "stopped")
        self.assertEqual(self.bond_state(), ("none", "none"))
        self.assertEqual(self.json("bond", "list"), [])
        self.assert_radio("paired=1", 2)

    def test_forget_all(self):
        self.bluez.tell(f"radio hci0 {OTHER} MeshCore-Shed")
        self.bond(0)
        self.bond(1)
        self.start_daemon({})
        self.ctl("bond", "forget", "--all")
        self.assertEqual(self.json("bond", "list"), [])
        self.assert_radio("paired=0", 0)
        self.assert_radio("paired=0", 1)

    def test_failures(self):
        self.bond()
        self.start_daemon({})
        self.bluez.tell("fail", "RemoveDevice", "org.bluez.Error.Failed", "No")
        self.ctl("bond", "forget", ADDRESS, status=1)
        self.assert_radio("paired=1")
        self.bluez.tell("crash")
        self.ctl("bond", "list", status=7)
        self.ctl("bond", "forget", ADDRESS, status=7)


AGENT = """
import sys, dbus, dbus.service, dbus.mainloop.glib
from gi.repository import GLib
dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
class Agent(dbus.service.Object):
    @dbus.service.method("org.meshcored1.PairingAgent", in_signature="osa{sv}", out_signature="u",
                         async_callbacks=("answer", "refuse"))
    def RequestPasskey(self, radio, address, details, answer, refuse):
        for out in sys.stdout, sys.stderr:
            print("asked", radio, address, details["Reason"], file=out, flush=True)
        if sys.argv[2] == "no":
            refuse(dbus.DBusException("no", name="org.meshcored1.Error.Cancelled"))
        elif sys.argv[2] != "wait":
            answer(int(sys.argv[2]))
    @dbus.service.method("org.meshcored1.PairingAgent")
    def Cancel(self):
        print("cancelled", flush=True)
bus = dbus.bus.BusConnection(sys.argv[1])
agent = Agent(bus, "/agent")
bus.call_blocking("org.meshcored1", "/org/meshcored1", "org.meshcored1.Manager", "RegisterAgent", "o", ("/agent",))
print("ready", flush=True)
GLib.MainLoop().run()
"""


class Agent(DaemonCase):
    def agent(self, answer):
        """A desktop."""
        program = Program("agent", ["/usr/bin/python3", "-c", AGENT, self.bus.address, answer], self.directory, self.environment())
        return self.add(program)

    def test_terminal(self):
        """Whoever calls Pair is asked; a wrong PIN is asked for again, and never tried twice."""
        self.start_daemon()
        self.wait_for("waiting", "needs-pin")
        self.assertEqual(self.bond_state(), ("needs-pin", "no-pin"))
        self.assertEqual(self.ctl("pair", stdin=f"111111\n{PIN}\n"), "bonded\n")
        self.assertIn("did not accept that PIN", self.stderr)
        self.assertEqual(self.bond_state(), ("verified", "none"))
        self.assertEqual(len(self.bluez.calls("Pair")), 2)
        self.assertEqual(self.ctl("pair"), "already-bonded\n")
        self.assertNotIn(PIN, self.log())

    def test_three_times(self):
        self.start_daemon()
        self.wait_for("waiting", "needs-pin")
        self.ctl("pair", stdin="111111\n222222\n333333\n444444\n", status=5)
        self.assertEqual(len(self.bluez.calls("Pair")), 3)
        self.assertEqual(self.bond_state(), ("needs-pin", "authentication"))
        self.ctl("pair", stdin="12345\n", status=2)
        self.ctl("pair", stdin="", status=2)
        self.assertEqual(len(self.bluez.calls("Pair")), 3)

    def test_many_agents(self):
        """However often somebody registers: a radio is not tried with one PIN after the other. Pair begins anew."""
        self.start_daemon()
        self.wait_for("waiting", "needs-pin")
        agent = self.agent("111111")
        self.wait(lambda: len(self.bluez.calls("Pair")) == 3, "three tries")
        agent.kill()
        for _ in range(3):
            agent = self.agent(PIN)
            self.assertEqual(agent.read_line(), "ready")
            self.ctl("start")
            self.wait_for("waiting", "needs-pin")
            agent.kill()
        self.assertEqual(agent.log().count("asked"), 3)
        self.assertEqual(len(self.bluez.calls("Pair")), 3)
        self.assertEqual(self.ctl("pair", stdin=f"{PIN}\n"), "bonded\n")

    def test_no_try(self):
        """Who leaves without an answer, or whose question was overtaken, has not used up one of the three."""
        self.start_daemon()
        self.wait_for("waiting", "needs-pin")
        for _ in range(4):
            agent = self.agent("wait")
            self.assertEqual({agent.read_line(), agent.read_line()}, {"ready", f"asked {RADIO} {ADDRESS} no-pin"})
            agent.kill()
        self.ctl("pair", stdin="", status=2)
        agent = self.agent("wait")
        self.assertEqual({agent.read_line(), agent.read_line()}, {"ready", f"asked {RADIO} {ADDRESS} no-pin"})
        self.ctl("pair", "--pin-file", self.pin_file("111111\n"), status=5)  # the count begins anew meanwhile
        agent.kill()
        self.assertEqual(self.ctl("pair", stdin=f"222222\n333333\n{PIN}\n"), "bonded\n")

    def pair_later(self, count):
        """Calls Pair so often, and comes back when all have arrived; what was answered comes into the list."""
        flags = Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT | Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION
        bus = Gio.DBusConnection.new_for_address_sync(self.bus.address, flags, None, None)
        answers = []

        def on_answer(connection, result):
            try:
                answers.append(str(connection.call_finish(result)))
            except GLib.Error as error:
                answers.append(error.message)

        def call(interface, member, arguments, done=None):
            words = ("org.meshcored1", RADIO, interface, member, arguments, None, Gio.DBusCallFlags.NONE, 60000, None)
            return bus.call(*words, done) if done else bus.call_sync(*words)

        for _ in range(count):
            call("org.meshcored1.Pairing", "Pair", GLib.Variant("(a{sv})", ({},)), on_answer)
        call("org.freedesktop.DBus.Peer", "Ping", None)
        return answers

    def test_handed_over_meanwhile(self):
        """Everybody who waits for the person is told when the radio goes to somebody else, or is stopped."""
        self.start_daemon()
        self.wait_for("waiting", "needs-pin")
        for how in ("inhibit", "stop"):
            agent = self.agent("wait")
            self.assertEqual({agent.read_line(), agent.read_line()}, {"ready", f"asked {RADIO} {ADDRESS} no-pin"})
            answers = self.pair_later(2)
            if how == "inhibit":
                argv = [find_program("meshcorectl"), "inhibit", "trying the phone"]
                holder = self.add(Program("holder", argv, self.directory, self.environment()))
                self.wait_for("waiting", "inhibited")
            else:
                self.ctl("stop")
            self.assertEqual(agent.read_line(), "cancelled")
            self.wait(lambda answers=answers: GLib.MainContext.default().iteration(False) * 0 + len(answers) == 2, "answers")
            for answer in answers:
                self.assertIn("handed over" if how == "inhibit" else "was stopped", answer)
            agent.kill()
            if how == "inhibit":
                holder.terminate()
                self.wait_for("waiting", "needs-pin")
        self.assertEqual(self.bluez.calls("Pair"), [])

    def test_desktop(self):
        """Asked when the radio has forgotten us, by the one that came last."""
        self.bond()
        self.bluez.tell("modern 1")
        self.start_daemon()
        self.wait_for("ready")
        first = self.agent("wait")
        self.assertEqual(first.read_line(), "ready")
        second = self.agent(PIN)
        self.assertEqual(second.read_line(), "ready")
        self.bluez.set(key="none")
        self.bluez.tell("@0 drop")
        self.assertEqual(second.read_line(), f"asked {RADIO} {ADDRESS} key-missing")
        self.wait_for("ready")
        self.assertEqual(self.bond_state(), ("verified", "none"))

    def test_comes_later(self):
        """A radio that waits asks whoever comes."""
        self.start_daemon()
        self.wait_for("waiting", "needs-pin")
        agent = self.agent(PIN)
        lines = {agent.read_line(), agent.read_line()}
        self.assertEqual(lines, {"ready", f"asked {RADIO} {ADDRESS} no-pin"})
        self.wait_for("ready")

    def test_vanishes(self):
        """The question goes to the next one."""
        self.start_daemon()
        self.wait_for("waiting", "needs-pin")
        first = self.agent("wait")
        self.assertEqual({first.read_line(), first.read_line()}, {"ready", f"asked {RADIO} {ADDRESS} no-pin"})
        second = self.agent(PIN)
        self.assertEqual(second.read_line(), "ready")
        first.kill()
        self.assertEqual(second.read_line(), f"asked {RADIO} {ADDRESS} no-pin")
        self.wait_for("ready")

    def test_refuses(self):
        """Nobody is pestered: not until somebody wants to pair, or another agent comes."""
        self.start_daemon()
        self.wait_for("waiting", "needs-pin")
        agent = self.agent("no")
        self.assertEqual({agent.read_line(), agent.read_line()}, {"ready", f"asked {RADIO} {ADDRESS} no-pin"})
        self.ctl("start")
        self.wait_for("waiting", "needs-pin")
        self.assertEqual(self.ctl("pair", stdin=PIN + "\n"), "bonded\n")
        self.assertEqual(agent.log().count("asked"), 1)

    def test_no_longer_wanted(self):
        """Somebody else gave the PIN, and the radio was stopped."""
        self.start_daemon()
        self.wait_for("waiting", "needs-pin")
        agent = self.agent("wait")
        self.assertEqual({agent.read_line(), agent.read_line()}, {"ready", f"asked {RADIO} {ADDRESS} no-pin"})
        self.ctl("stop")
        self.assertEqual(agent.read_line(), "cancelled")
        self.ctl("start")
        self.assertEqual(agent.read_line(), f"asked {RADIO} {ADDRESS} no-pin")
        path = self.pin_file()
        self.assertEqual(self.ctl("pair", "--pin-file", path), "bonded\n")
        self.assertEqual(agent.read_line(), "cancelled")


class Link(DaemonCase):
    def test_adapter_comes_back(self):
        """At once, and each with its reason and weight."""
        self.bond()
        self.start_daemon()
        self.wait_for("ready")
        for off, on, reason in (("power hci0 0", "power hci0 1", "adapter-off"), ("present hci0 0", "present hci0 1", "not-plugged"),
                                ("crash", "start", "not-plugged")):  # fmt: skip
            self.bluez.tell(off)
            self.wait_for("waiting", reason)
            self.assertEqual(self.bond_state()[0], "unreachable")
            # the first tries are quick in any case
            for _ in range(4):
                self.ctl("start")
                self.wait_for("waiting", reason)
            self.bluez.tell(on)
            self.wait_for("ready", timeout=5)
        self.assertEqual(self.bluez.calls("Pair"), [])

    def test_pulled_without_power(self):
        """The reason is the one of now, whatever came first."""
        self.bond()
        self.start_daemon()
        self.wait_for("ready")
        self.bluez.tell("power hci0 0")
        self.wait_for("waiting", "adapter-off")
        for _ in range(4):  # the first tries are quick in any case
            self.ctl("start")
            self.wait_for("waiting", "adapter-off")
        self.bluez.tell("present hci0 0")
        self.wait_for("waiting", "not-plugged", timeout=5)

    def test_weight(self):
        """Switched off by somebody is worth a notice, a radio that is lost a warning; the reason is in the signal."""
        self.bond()
        monitor = self.add(Program("monitor", ["gdbus", "monitor", "--address", self.bus.address, "--dest", "org.meshcored1"], self.directory))
        self.start_daemon(arguments=["--log-level=warning"])
        self.wait_for("ready")
        self.bluez.tell("power hci0 0")
        self.wait_for("waiting", "adapter-off")
        self.bluez.tell("power hci0 1")
        self.wait_for("ready")
        self.assertNotIn("no power", self.log())
        self.bluez.set(near=0)
        self.bluez.tell("@0 drop")
        self.wait_for("waiting", "lost")
        self.assertIn("out of reach", self.log())
        while "'lost'" not in (line := monitor.read_line()):
            pass
        self.assertIn("Radio.StateChanged ('ready', 'waiting', 'lost', {'Attempts'", line)
        self.assertIn("out of reach", line)

    def test_any_radio(self):
        """Without an address, by name, and with the name's beginning left out."""
        self.bond()
        self.start_daemon({"any": ["Transport=ble:"]})
        self.wait_for("ready", radio="any")
        self.daemon.terminate()
        for name in ("Hut", "MeshCore-Hut"):
            self.start_daemon([f"Transport=ble:{name}"])
            self.wait_for("ready")
            self.daemon.terminate()

    def test_somebody_elses_link(self):
        """Used, and left as it was."""
        self.bond()
        self.bluez.tell("@0 connect")
        self.start_daemon()
        self.wait_for("ready")
        self.ctl("stop")
        self.wait_for("stopped")
        self.daemon.terminate()
        self.assert_radio("connected=1")
        self.assertEqual(self.bluez.calls("Connect") + self.bluez.calls("Disconnect"), [])

    def test_held(self):
        """Another program subscribed, in either way."""
        self.bond()
        for name, text in (("NotPermitted", "Notify acquired"), ("InProgress", "In Progress")):
            self.bluez.tell("fail", "AcquireNotify", f"org.bluez.Error.{name}", text)
            self.start_daemon()
            self.wait_for("waiting", "refused")
            self.assertIn("another program of this computer", self.get("Radio", "LastErrorMessage"))
            self.bluez.tell("heal AcquireNotify")
            self.ctl("start")
            self.wait_for("ready")
            self.daemon.terminate()

    def test_restart(self):
        """The end of the daemon is the end of its connection, so that the next one does not take over one that dies."""
        self.bond()
        self.bluez.tell("time leave 800000")
        self.start_daemon()
        self.wait_for("ready")
        self.daemon.terminate()
        self.assert_radio("connected=0")
        self.start_daemon()
        self.wait_for("ready")
        self.assertEqual(len(self.bluez.calls("Connect")), 2)
        self.assertNotIn("out of reach", self.log())

    def test_cancelled(self):
        """Who cancels a pairing does not want it, although there is a PIN: it waits to be asked for."""
        self.bluez.set(pairs_silently=1)
        self.start_daemon([f"Transport=ble:{ADDRESS}", f"PinFile={self.pin_file()}"])
        self.wait(lambda: self.bluez.calls("Pair"), "a pairing")
        self.wait_radio("connected=1")
        self.bluez.tell("@0 cancel")
        self.wait_for("waiting", "refused")
        self.assertEqual(self.bond_state(), ("none", "cancelled"))
        self.bluez.set(pairs_silently=0)
        for _ in range(2):
            self.ctl("start")
            self.wait_for("waiting", "refused")
        self.assertEqual(self.bond_state(), ("none", "cancelled"))
        self.assertIn("waits to be asked", self.get("Radio", "LastErrorMessage"))
        self.assertEqual(len(self.bluez.calls("Pair")), 1)
        self.assertEqual(self.ctl("pair"), "bonded\n")
        self.wait_for("ready")

    def test_stopped_while_pairing(self):
        """Nothing is under way any more."""
        self.bluez.set(pairs_silently=1)
        self.start_daemon([f"Transport=ble:{ADDRESS}", f"PinFile={self.pin_file()}"])
        self.wait(lambda: self.bluez.calls("Pair"), "a pairing")
        self.ctl("stop")
        self.wait_for("stopped")
        self.assertEqual(self.bond_state(), ("none", "none"))

    def test_security_request(self):
        """Pairs nobody anew, whoever could give a PIN."""
        self.bond()
        self.start_daemon([f"Transport=ble:{ADDRESS}", f"PinFile={self.pin_file()}"])
        self.wait_for("ready")
        self.bluez.tell("@0 secreq")
        self.ctl("ping")
        self.assertEqual(self.bluez.calls("Pair"), [])
        self.assert_radio("asked=0 paired=1 connected=1")
        self.assertEqual(self.get("Radio", "State"), "ready")

    def test_two_adapters(self):
        """One radio each, chosen by name and by address, at once."""
        self.bluez.tell(f"adapter hci1 {HCI1}")
        self.bluez.tell(f"radio hci1 {OTHER} MeshCore-Shed")
        self.bond(0)
        self.bond(1)
        self.simulate(1)
        self.start_daemon({"hut": [f"Transport=ble:{ADDRESS}", "Adapter=hci0"], "shed": [f"Transport=ble:{OTHER}", f"Adapter={HCI1}"],
                           "none": [f"Transport=ble:{OTHER}", "Adapter=hci7"]})  # fmt: skip
        self.wait_for("ready")
        self.wait_for("ready", radio="shed")
        self.wait_for("waiting", "not-plugged", radio="none")
        self.bluez.tell("power hci1 0")
        self.wait_for("waiting", "adapter-off", radio="shed")
        self.assertEqual(self.get("Radio", "State"), "ready")
        self.ctl("ping", "hut")
        self.ctl("ping", "shed", status=7)

    def test_ping(self):
        """The round trip stays."""
        self.bond()
        self.start_daemon()
        self.wait_for("ready")
        self.assertEqual(self.get("Radio", "RoundTripUSec"), 0)
        answer = self.json("ping")
        self.assertEqual(self.get("Radio", "RoundTripUSec"), answer["RoundTripUSec"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
