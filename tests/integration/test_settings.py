# SPDX-License-Identifier: GPL-3.0-or-later
"""What is set on the radio itself and asked of it: against the simulator, and
with the recorded sessions config, signing, stats, private_key,
private_key_disabled and error_replies_unknown_command: the operations of the app of then,
asked for over D-Bus, reach the radio as the same frames."""

import json
import os
import pty
import select
import struct
import subprocess

from companion import FakeRadio, Transcript
from fixture import Case, GLib, radio_path
from programs import find_program

RADIO = radio_path("sim")
OK = b"\0"
QUESTIONS = {1, 20, 22, 40, 43, 59, 60, 64}


def options(**values):
    return {name: GLib.Variant(*value) for name, value in values.items()}


class RecordedRadio(FakeRadio):
    """Answers as the radio of a recording did. The recording is a place in time: a command that is in it moves there,
    a question is answered by what was said next in that step, or last before."""

    def __init__(self, name):
        self.transcript = Transcript(name)
        self.exchanges = []  # command, answer, step
        step, command = "", None
        for line in self.transcript.lines:
            entry = json.loads(line)
            frame = bytes.fromhex(entry["hex"])[3:]
            step = entry.get("step", step)
            if entry["dir"] == "app>radio":
                command = frame
            elif command is not None:
                self.exchanges.append((command, frame, step))
                command = None
        self.place = 0
        super().__init__(answer=self.recorded)

    def find(self, wanted):
        after = [i for i in range(self.place, len(self.exchanges)) if wanted(*self.exchanges[i])]
        before = [i for i in range(self.place) if wanted(*self.exchanges[i])]
        return after, before

    def recorded(self, frame):
        if frame[0] in QUESTIONS:
            here = self.exchanges[self.place][2]
            after, before = self.find(lambda c, a, s: c[0] == frame[0] and a[0] != 1)
            same_step = [i for i in after if self.exchanges[i][2] == here]
            choice = (same_step or before[-1:] or after)[:1]
            return [self.exchanges[choice[0]][1]] if choice else None
        # the repeat flag that newer firmware wants is not in the recording everywhere
        alike = {frame, frame[:-1]} if frame[0] == 11 and frame[-1] == 0 else {frame}
        after, before = self.find(lambda c, a, s: c in alike)
        for i in after + before[::-1]:
            self.place = i
            return [self.exchanges[i][1]]
        return None

    def sent(self, code):
        return [frame for frame in self.log if frame[0] == code]

    def recorded_commands(self, code):
        """Those that the radio of then took."""
        return [c for c, a, _ in self.exchanges if c[0] == code and a[0] != 1]


class Tests(Case):
    def radio(self, client, method, signature=None, *arguments):
        return client.call(RADIO, "Radio", method, signature, *arguments)

    def get(self, client, *names):
        values = tuple(client.get(RADIO, "Radio", name) for name in names)
        return values if len(values) > 1 else values[0]

    def refused(self, client, words, method, signature=None, *arguments, error="InvalidArguments"):
        text = self.assert_bus_error(error, self.radio, client, method, signature, *arguments)
        self.assertIn(words, text)

    def play(self, name):
        radio = RecordedRadio(name)
        self.addCleanup(radio.close)
        client = self.client()
        self.bed.start_daemon({"sim": radio.transport})
        client.wait_for_state("ready")
        client.settle()
        return radio, client

    # -- recorded sessions ---------------------------------------------------

    def test_recorded_config(self):
        radio, client = self.play("config")

        def set_(method, signature, *arguments):
            self.radio(client, method, signature, *arguments)

        set_("SetName", "(s)", "Renamed ✓")
        self.assertEqual(self.get(client, "Name"), "Renamed ✓")
        set_("SetName", "(s)", "Alice")
        self.assertEqual(radio.sent(8), radio.recorded_commands(8))
        lat, lon = struct.unpack_from("<ii", radio.recorded_commands(14)[0], 1)
        set_("SetLocation", "(dd)", lat / 1e6, lon / 1e6)
        self.assertEqual(radio.sent(14), radio.recorded_commands(14)[:1])

        # better than then: the repeat flag goes along always, since without it the radio turns it off
        set_("SetRadioParameters", "(a{sv})", options(FrequencyHz=("u", 868000000), BandwidthHz=("u", 125000),
             SpreadingFactor=("y", 9), CodingRate=("y", 6)))  # fmt: skip
        self.assertEqual(self.get(client, "FrequencyHz", "BandwidthHz", "SpreadingFactor", "CodingRate"),
                         (868000000, 125000, 9, 6))  # fmt: skip
        set_("SetRadioParameters", "(a{sv})", options(FrequencyHz=("u", 869495000), BandwidthHz=("u", 62500),
             SpreadingFactor=("y", 8), CodingRate=("y", 5), ClientRepeat=("b", True)))  # fmt: skip
        self.assertTrue(self.get(client, "ClientRepeat"))
        recorded = radio.recorded_commands(11)
        self.assertEqual(radio.sent(11), [recorded[0] + b"\0", recorded[1]])

        for dbm in (10, -9, 22):
            set_("SetTxPower", "(i)", dbm)
        self.assertEqual(radio.sent(12), radio.recorded_commands(12))
        set_("SetTuning", "(a{sv})", options(RxDelay=("d", 2.5), AirtimeFactor=("d", 1.5)))
        self.assertEqual(self.get(client, "RxDelay", "AirtimeFactor"), (2.5, 1.5))
        set_("SetTuning", "(a{sv})", options(RxDelay=("d", 0), AirtimeFactor=("d", 1)))
        self.assertEqual(radio.sent(21), radio.recorded_commands(21))
        # one command for all, as the last two of then
        set_("SetOther", "(a{sv})", options(ManualAdd=("b", False), TelemetryBase=("s", "contact-flags"),
             TelemetryLocation=("s", "deny"), TelemetryEnvironment=("s", "deny"), AdvertLocation=("b", True),
             MultiAcks=("b", True)))  # fmt: skip
        self.assertEqual(self.get(client, "TelemetryBase", "TelemetryLocation", "AdvertLocation", "MultiAcks"),
                         ("contact-flags", "deny", True, True))  # fmt: skip
        set_("SetOther", "(a{sv})", options(TelemetryBase=("s", "deny"), AdvertLocation=("b", False),
             MultiAcks=("b", False)))  # fmt: skip
        self.assertEqual(radio.sent(38), radio.recorded_commands(38)[-2:])
        for pin in (123456, 0):
            set_("SetDevicePin", "(u)", pin)
        self.assertEqual(radio.sent(37), radio.recorded_commands(37))
        set_("SetPathHashSize", "(y)", 3)
        self.assertEqual(self.get(client, "PathHashSize"), 3)
        set_("SetPathHashSize", "(y)", 1)
        self.assertEqual(radio.sent(61), radio.recorded_commands(61))

        # an override of zeroes means none: the short command for that
        set_("SetFloodScope", "(sa{sv})", "bergen", options(Key=("ay", b"\x4b" * 16)))
        set_("SetFloodScope", "(sa{sv})", "*", {})
        set_("SetFloodScope", "(sa{sv})", "", {})
        self.assertEqual(radio.sent(54), radio.recorded_commands(54)[1:])
        set_("SetFloodScope", "(sa{sv})", "bergen", options(Default=("b", True), Key=("ay", b"\x53" * 16)))
        self.assertEqual(self.get(client, "DefaultFloodScope"), "bergen")
        set_("SetFloodScope", "(sa{sv})", "", options(Default=("b", True)))
        self.assertEqual(radio.sent(63), radio.recorded_commands(63))

        for name, value in (("gps", "1"), ("gps_interval", "300"), ("gps", "0")):
            set_("SetVariable", "(ss)", name, value)
            if value != "0":
                self.assertEqual(self.radio(client, "GetVariables")[name], value)
        self.assertEqual(radio.sent(41), radio.recorded_commands(41))
        self.assertEqual(self.get(client, "AllowedRepeatFrequencies"),
                         [(f, f) for f in (433000000, 869495000, 918000000)])  # fmt: skip

    def test_recorded_refusals(self):
        """What the radio of the recording refused does not get that far, and the error says the range."""
        radio, client = self.play("config")
        before = len(radio.log)
        self.refused(client, "1 to 31", "SetName", "(s)", "")
        self.refused(client, "-90 to 90", "SetLocation", "(dd)", 91.0, 0.0)
        self.refused(client, "5 to 12", "SetRadioParameters", "(a{sv})", options(SpreadingFactor=("y", 13)))
        self.refused(client, "-9 to 22", "SetTxPower", "(i)", -10)
        self.refused(client, "-9 to 22", "SetTxPower", "(i)", 23)
        self.refused(client, "100000 to 999999", "SetDevicePin", "(u)", 12345)
        self.refused(client, "1 to 3", "SetPathHashSize", "(y)", 4)
        self.refused(client, "':'", "SetVariable", "(ss)", "no:colon", "1")
        self.refused(client, "core, radio and packets", "GetStats", "(s)", "3")
        self.assertEqual(len(radio.log), before)
        self.refused(client, "868000 kHz", "SetRadioParameters", "(a{sv})",
                     options(FrequencyHz=("u", 868000000), ClientRepeat=("b", True)))  # fmt: skip
        self.assertEqual(radio.sent(11), [])
        # that only the radio knows
        self.refused(client, "range", "SetVariable", "(ss)", "nope", "1")

    def test_recorded_signing(self):
        radio, client = self.play("signing")
        chunks, signatures = [], {}
        for command, answer, _ in radio.exchanges:
            if command[0] == 33:
                chunks = []
            elif command[0] == 34 and answer == OK:
                chunks.append(command[1:])
            elif command[0] == 35 and answer[0] == 20:
                signatures[b"".join(chunks)] = answer[1:]
        self.assertEqual(sorted(map(len, signatures)), [0, 14, 8100])
        held = []

        def answer(frame):
            if frame[0] == 33:
                held.clear()
            elif frame[0] == 34:
                held.append(frame[1:])
                return [OK]
            elif frame[0] == 35:
                return [b"\x14" + signatures[b"".join(held)]]
            return RecordedRadio.recorded(radio, frame)

        radio.answer = answer
        for data, signature in signatures.items():
            self.assertEqual(bytes(self.radio(client, "Sign", "(ay)", data)), signature)
        self.assertEqual(radio.sent(34)[0], b"\x22sign this text")
        # better than then: chunks of 120 bytes fit every firmware
        self.assertLessEqual(max(map(len, radio.sent(34))), 121)
        self.refused(client, "8192", "Sign", "(ay)", b"\1" * 8193)

    def test_recorded_stats(self):
        radio, client = self.play("stats")
        core = self.radio(client, "GetStats", "(s)", "core")
        self.assertEqual((core["BatteryMillivolts"], core["UptimeUSec"], core["Errors"], core["QueueLength"]),
                         (4021, 119000000, [], 0))  # fmt: skip
        values = self.radio(client, "GetStats", "(s)", "radio")
        self.assertEqual((values["NoiseFloor"], values["LastRssi"], values["TxAirtimeUSec"], values["RxAirtimeUSec"]),
                         (-117, -71, 3000000, 4000000))  # fmt: skip
        self.assertEqual(values["LastSnr"], 7.5)
        packets = self.radio(client, "GetStats", "(s)", "packets")
        self.assertEqual(packets, {"Received": 92, "Sent": 81, "SentFlood": 26, "SentDirect": 55, "ReceivedFlood": 32,
                                   "ReceivedDirect": 60, "ReceiveErrors": 0})  # fmt: skip
        self.assertEqual(radio.sent(56), radio.recorded_commands(56))
        self.assertEqual(self.get(client, "BatteryMillivolts", "StorageUsedKB", "StorageTotalKB"), (4021, 4, 1344))

    def test_recorded_private_key(self):
        radio, client = self.play("private_key")
        key = radio.transcript.first(14)[1:]
        self.assertEqual(bytes(self.radio(client, "ExportKey")), key)
        self.refused(client, "64 bytes", "ImportKey", "(ay)", b"abc")
        self.refused(client, "expanded", "ImportKey", "(ay)", bytes(64))
        self.radio(client, "ImportKey", "(ay)", key)
        self.assertEqual(radio.sent(24), radio.recorded_commands(24))
        self.assertEqual(self.get(client, "State"), "ready")
        # nothing of it in what anybody can read
        self.bed.daemon.terminate()
        digits = key.hex()
        log = self.bed.daemon.log()
        self.assertNotIn(digits[:16], log.lower())
        for name in os.listdir(self.bed.state_dir):
            with open(os.path.join(self.bed.state_dir, name), "rb") as file:
                self.assertNotIn(key[:8], file.read(), name)

    def test_recorded_private_key_disabled(self):
        radio, client = self.play("private_key_disabled")
        self.refused(client, "build", "ExportKey", error="NotSupported")
        key = bytearray(b"\x50" * 64)
        key[31] = 0x50

        def answer(frame):
            return [b"\x0f"] if frame[0] == 24 else RecordedRadio.recorded(radio, frame)

        radio.answer = answer
        self.refused(client, "build", "ImportKey", "(ay)", bytes(key), error="NotSupported")
        self.assertEqual(self.get(client, "State"), "ready")

    def test_recorded_unknown_commands(self):
        """A radio that knows none of it: each says so by name, and nothing breaks."""
        radio, client = self.play("error_replies_unknown_command")
        self.assertTrue(all(a == b"\1\1" for c, a, _ in radio.exchanges if len(c) == 1 and c[0] in (0, 44, 53, 127)))
        ordinary = radio.answer
        radio.answer = lambda frame: [b"\1\1"]
        for method, signature, arguments in (
            ("SetName", "(s)", ("Name",)), ("SetLocation", "(dd)", (1.0, 2.0)), ("SetTxPower", "(i)", (10,)),
            ("SetDevicePin", "(u)", (0,)), ("SetPathHashSize", "(y)", (1,)), ("GetVariables", None, ()),
            ("SetVariable", "(ss)", ("a", "b")), ("Advertise", "(a{sv})", ({},)), ("GetStats", "(s)", ("core",)),
            ("GetTelemetry", None, ()), ("Sign", "(ay)", (b"x",)), ("ExportKey", None, ()), ("Reboot", None, ()),
            ("SetFloodScope", "(sa{sv})", ("bergen", {})), ("SetOther", "(a{sv})", (options(ManualAdd=("b", True)),)),
            ("SetTuning", "(a{sv})", (options(RxDelay=("d", 1.0)),)),
            ("SetRadioParameters", "(a{sv})", (options(CodingRate=("y", 6)),)),
        ):  # fmt: skip
            self.refused(client, "does not support", method, signature, *arguments, error="NotSupported")
        radio.answer = ordinary
        self.assertEqual(self.get(client, "State"), "ready")

    # -- the simulator ---------------------------------------------------------

    def test_changes_are_told(self):
        _, client = self.start()
        for method, signature, value, expected in (
            ("SetName", "(s)", "Other", {"Name"}), ("SetTxPower", "(i)", 5, {"TxPower", "MaxTxPower"}),
            ("SetPathHashSize", "(y)", 2, {"PathHashSize"}), ("SetTxPower", "(i)", 5, set()),
        ):  # fmt: skip
            client.settle()
            since = len(client.signals)
            self.radio(client, method, signature, value)
            client.settle()
            names = set()
            for signal in client.signals[since:]:
                if signal.member == "PropertiesChanged" and signal.path == RADIO:
                    names |= set(signal.arguments[1])
            self.assertEqual(names, expected)

    def test_reboot_and_reset(self):
        sim, client = self.start()
        since = len(client.signals)
        self.radio(client, "Reboot")
        client.wait_signal("StateChanged", "Radio", RADIO, lambda old, new, reason, _: reason == "restarting", since)
        client.wait_for_state("ready")
        old = self.get(client, "PublicKey")
        self.refused(client, "token", "FactoryReset", "(s)", "guess")
        token = self.radio(client, "FactoryReset", "(s)", "")
        self.assertEqual(self.get(client, "PublicKey"), old)
        since = len(client.signals)
        self.assertEqual(self.radio(client, "FactoryReset", "(s)", token), "")
        changed = client.wait_signal("IdentityChanged", "Radio", RADIO, since=since)
        self.assertEqual(changed.arguments[0], old)
        client.wait_for_state("ready")
        self.assertEqual(self.get(client, "PublicKey"), changed.arguments[1])

    def test_import_changes_identity(self):
        sim, client = self.start()
        old, key = self.get(client, "PublicKey"), bytearray(self.radio(client, "ExportKey"))
        key[1] ^= 1
        since = len(client.signals)
        self.radio(client, "ImportKey", "(ay)", bytes(key))
        changed = client.wait_signal("IdentityChanged", "Radio", RADIO, since=since)
        self.assertEqual(changed.arguments[0], old)
        client.wait_for_state("ready")
        self.assertNotEqual(self.get(client, "PublicKey"), old)

    def test_advertise_limit(self):
        _, client = self.start()
        self.radio(client, "Advertise", "(a{sv})", {})
        self.radio(client, "Advertise", "(a{sv})", options(Flood=("b", True)))
        text = self.assert_bus_error("RateLimited", self.radio, client, "Advertise", "(a{sv})",
                                     options(Flood=("b", True)))  # fmt: skip
        self.assertRegex(text, r"in \d+ s")

    def test_clock(self):
        sim = self.bed.start_sim()
        client = self.client()
        self.bed.start_daemon({"sim": {"Transport": sim.transport, "TrustClock": "yes"}})
        client.wait_for_state("ready")
        sim.control("clock", set=1700000000)
        self.assertEqual(self.radio(client, "SyncTime"), "set")
        self.assertLess(abs(self.get(client, "ClockSkewUSec")), 3 * 10**6)
        sim.control("clock", set=4000000000)
        self.assertEqual(self.radio(client, "SyncTime"), "radio-ahead")
        self.assertGreater(self.get(client, "ClockSkewUSec"), 10**12)

    def test_telemetry(self):
        _, client = self.start()
        values = self.radio(client, "GetTelemetry")
        voltage = next(v for v in values if v["Quantity"] == "voltage")
        self.assertEqual((voltage["Channel"], voltage["Unit"]), (1, "V"))
        self.assertAlmostEqual(voltage["Value"], self.get(client, "BatteryMillivolts") / 1000, delta=0.02)

    def assert_not_shown(self):
        """A terminal is no place for a key."""
        ours, theirs = pty.openpty()
        try:
            result = subprocess.run([find_program("meshcorectl"), "--session", "radio", "export-key"], stdout=theirs,
                                    stderr=subprocess.PIPE, env=self.bed.environment(), timeout=60, check=False)  # fmt: skip
            self.assertEqual(result.returncode, 2)
            self.assertIn(b"--force", result.stderr)
            self.assertEqual(select.select([ours], [], [], 0)[0], [])
        finally:
            os.close(ours)
            os.close(theirs)

    def test_command_line(self):
        _, client = self.start()
        self.bed.ctl("radio", "set-name", "By hand")
        self.bed.ctl("radio", "set-params", "--frequency", "869.495MHz", "--bandwidth", "62.5k", "-s", "9")
        self.bed.ctl("radio", "set-tx-power", "--", "-3")
        self.bed.ctl("radio", "set-location", "--", "-33.857,151.215")
        self.bed.ctl("radio", "set-other", "--telemetry-base", "allow", "--advert-location", "yes")
        self.bed.ctl("radio", "set-tuning", "--airtime-factor", "2.5")
        self.bed.ctl("radio", "path-hash", "2")
        self.bed.ctl("radio", "scope", "--default", "bergen")
        self.bed.ctl("radio", "vars", "gps", "1")
        shown = json.loads(self.bed.ctl("radio", "show", "--json").stdout)
        for name, value in {
            "Name": "By hand", "FrequencyHz": 869495000, "BandwidthHz": 62500, "SpreadingFactor": 9, "TxPower": -3,
            "TelemetryBase": "allow", "AdvertLocation": True, "AirtimeFactor": 2.5, "PathHashSize": 2,
            "DefaultFloodScope": "bergen",
        }.items():  # fmt: skip
            self.assertEqual(shown[name], value, name)
        self.assertAlmostEqual(shown["Location"][0], -33.857, places=5)
        text = self.bed.ctl("radio").stdout
        for words in ("By hand", "869.495 MHz", "bergen", "allow"):
            self.assertIn(words, text)
        self.assertEqual(self.bed.ctl("radio", "scope").stdout, "bergen\n")
        self.assertIn("gps=1\n", self.bed.ctl("radio", "vars").stdout)
        self.bed.ctl("radio", "advertise", "--flood")
        self.assertEqual(self.bed.ctl("radio", "advertise", "--flood", check=False).returncode, 6)
        self.assertEqual(self.bed.ctl("radio", "set-tx-power", "99", check=False).returncode, 2)
        self.assertIn("NoiseFloor", self.bed.ctl("radio", "stats").stdout)
        self.assertEqual(set(json.loads(self.bed.ctl("radio", "stats", "--json").stdout)), {"core", "radio", "packets"})
        self.assertIn("voltage", self.bed.ctl("radio", "telemetry").stdout)

        signed = os.path.join(self.bed.directory, "letter")
        with open(signed, "w", encoding="ascii") as file:
            file.write("hello")
        signature = self.bed.ctl("radio", "sign", signed).stdout.strip()
        self.assertEqual(bytes.fromhex(signature), bytes(self.radio(client, "Sign", "(ay)", b"hello")))
        key = os.path.join(self.bed.directory, "key")
        self.bed.ctl("radio", "export-key", "--output", key)
        self.assertEqual(os.stat(key).st_mode & 0o777, 0o600)
        with open(key, encoding="ascii") as file:
            self.assertEqual(bytes.fromhex(file.read()), bytes(self.radio(client, "ExportKey")))
        self.bed.ctl("radio", "import-key", "--key-file", key)
        self.assert_not_shown()
        pin = os.path.join(self.bed.directory, "pin")
        with open(pin, "w", encoding="ascii") as file:
            file.write("123456\n")
        self.bed.ctl("radio", "pin", "--pin-file", pin)
        token = json.loads(self.bed.ctl("radio", "factory-reset", "--json").stdout)["Token"]
        self.bed.ctl("radio", "reboot")
        client.wait_for_state("ready")
        self.bed.ctl("radio", "factory-reset", token)
        client.wait_signal("IdentityChanged", "Radio", RADIO)
