# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of a radio's life, as a client sees them."""

import os
import struct
import time

from companion import FakeRadio, contact_record, text_frame
from fixture import Case, contact_path, radio_path

RADIO = radio_path("sim")
SHIM = os.environ.get("MESHCORED_CLOCK_SHIM", "")
KEYS = [bytes([0x10 + n]) + bytes([n]) * 31 for n in range(8)]


class Tests(Case):
    def fake(self, state="ready", **options):
        radio = FakeRadio(**options)
        self.addCleanup(radio.close)
        client = self.client()
        self.bed.start_daemon({"sim": radio})
        if state:
            client.wait_for_state(state)
        return radio, client

    def again(self, client):
        client.call(RADIO, "Radio", "Stop")
        client.wait_for_state("stopped")
        client.call(RADIO, "Radio", "Start")
        client.wait_for_state("ready")

    def scenario(self, name):
        path = os.path.join(self.bed.directory, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"[Radio]\nName={name}\nSeed={name}\n\n[Node Friend of {name}]\n")
        return ("--scenario", path, "--speed", "100")

    # -- identity -----------------------------------------------------------

    def test_identity_swaps(self):
        """Another board in the same place: its objects, not the old ones; the outbox waits for the first one."""
        client = self.client()
        one = self.bed.start_sim("one", arguments=self.scenario("one"))
        self.bed.start_daemon({"sim": one})
        client.wait_for_state("ready")
        own = client.get(RADIO, "Radio", "PublicKey")
        (friend,) = client.contacts()
        one.control("text", from_="Friend of one", text="for the first board")
        client.wait_signal("Received", "Messages", RADIO)
        client.call(RADIO, "Radio", "Stop")
        client.wait_for_state("stopped")
        held = client.call(RADIO, "Radio", "SendText", "(ssa{sv})", friend, "from the first board", {})
        one.terminate()

        two = self.bed.start_sim("two", port=one.port, arguments=self.scenario("two"))
        mark = len(client.signals)
        client.call(RADIO, "Radio", "Start")
        changed = client.wait_signal("IdentityChanged", "Radio", RADIO, since=mark)
        client.wait_for_state("ready")
        other = client.get(RADIO, "Radio", "PublicKey")
        self.assertEqual(changed.arguments, (own, other))
        self.assertNotEqual(own, other)
        self.assertEqual([c["Name"] for c in client.contacts().values()], ["Friend of two"])
        client.wait_signal(
            "InterfacesRemoved", "org.freedesktop.DBus.ObjectManager", where=lambda p, _: p == contact_path("sim", friend), since=mark
        )
        self.assertEqual(client.all_messages(), [])
        self.assertNotIn(held, client.tree())
        client.call(RADIO, "Radio", "Ping")
        self.assertEqual(two.control("stats")["sent_texts"], [])
        client.call(RADIO, "Radio", "Stop")
        client.wait_for_state("stopped")
        two.terminate()

        one = self.bed.start_sim("one", port=one.port, arguments=self.scenario("one"))
        client.call(RADIO, "Radio", "Start")
        client.wait_for_state("ready")
        self.assertEqual(client.get(RADIO, "Radio", "PublicKey"), own)
        client.wait_message_state(held, "delivered")
        self.assertEqual([t["text"] for t in one.control("stats")["sent_texts"]], ["from the first board"])
        self.assertEqual([r["Text"] for r in client.all_messages()], ["for the first board", "from the first board"])

    def test_duplicate_link(self):
        """Two links to one radio: the second waits and says so, and takes over when the first one goes."""
        one, two = FakeRadio(), FakeRadio()
        for radio in (one, two):
            self.addCleanup(radio.close)
        client = self.client()
        self.bed.start_daemon({"first": one})
        client.wait_for_state("ready", radio="first")
        self.bed.write_config({"first": one, "second": two})
        self.bed.daemon.process.send_signal(1)
        client.wait_for_state("waiting", "duplicate", radio="second")
        self.assertEqual(client.get_state("first"), ("ready", "none"))
        self.assertNotIn(10, [frame[0] for frame in two.log])
        client.call(radio_path("first"), "Radio", "Stop")
        client.call(radio_path("second"), "Radio", "Start")
        client.wait_for_state("ready", radio="second")

    # -- taken over -------------------------------------------------------------

    def test_taken_over_backs_off(self):
        """Who loses the radio to another client twice does not fight for it."""
        sim, client = self.start()
        for reason in ("lost", "taken-over"):
            client.wait_for_state("ready")
            mark = len(client.signals)
            sim.control("link", action="drop")
            lost = client.wait_signal("StateChanged", "Radio", RADIO, lambda _, new, *__: new == "waiting", since=mark)
            self.assertEqual(lost.arguments[2], reason)
        self.assertIn("another", client.get(RADIO, "Radio", "LastErrorMessage"))
        # the first pause after an ordinary loss is over in a second or two
        mark = len(client.signals)
        client.wait_until(time.monotonic() + 4)
        self.assertEqual(client.find_signals("StateChanged", "Radio", RADIO, since=mark), [])
        self.assertEqual(sim.control("stats")["connections"], 2)
        self.assertEqual(client.get_state(), ("waiting", "taken-over"))

    # -- clock -----------------------------------------------------------------------

    def start_with_clock(self, shim, clock, **keys):
        if not os.path.exists(SHIM):
            self.skipTest("no shim for the clock was built")
        client = self.client()
        sim = self.bed.start_sim()
        sim.control("clock", set=clock)
        self.bed.write_config({"sim": {"Transport": sim.transport, **keys}})
        self.bed.start_daemon(through=["env", f"LD_PRELOAD={SHIM}", f"CLOCK_SHIM={shim}"])
        client.wait_for_state("ready")
        return sim, client, sim.control("stats")["commands"].get("6", 0)

    def test_clock_ahead(self):
        """A radio that is ahead is left so, and said to be."""
        sim, client, n_set = self.start_with_clock("synchronised", int(time.time()) + 3600)
        self.assertEqual(n_set, 0)
        self.assertEqual(client.get_state(), ("ready", "clock-ahead"))
        self.assertAlmostEqual(client.get(RADIO, "Radio", "ClockSkewUSec") / 1e6, 3600, delta=60)
        changed = client.find_signals("StateChanged", "Radio", RADIO, lambda _, new, *__: new == "ready")
        # none when the radio was ready before the name was owned
        for signal in changed[-1:]:
            self.assertEqual(signal.arguments[2], "clock-ahead")
        self.assertGreater(sim.control("clock")["clock"], time.time() + 3000)

    def test_clock_behind(self):
        """A synchronised host sets a radio that is behind; one that is not leaves it alone, unless told to trust it."""
        for shim, keys, sets in (
            ("synchronised", {}, 1),
            ("unsynchronised", {}, 0),
            ("unsynchronised", {"TrustClock": "yes"}, 1),
            ("synchronised", {"SetClock": "no"}, 0),
        ):
            with self.subTest(shim=shim, keys=keys):
                if time.time() < 1793491200:
                    self.skipTest("this machine's clock is before the version")
                sim, client, n_set = self.start_with_clock(shim, 1700000000, **keys)
                self.assertEqual(n_set, sets)
                skew = client.get(RADIO, "Radio", "ClockSkewUSec") / 1e6
                if sets:
                    self.assertAlmostEqual(skew, 0, delta=60)
                else:
                    self.assertLess(skew, -1000000)
                client.close()
                self.clients.remove(client)
                self.assertEqual(self.bed.stop(), [])
                self.bed.bus = None

    # -- sync -------------------------------------------------------------------------

    def dumps(self, radio):
        """since of each list of contacts that was asked for; 0: all of it."""
        return [struct.unpack_from("<I", f, 1)[0] if len(f) >= 5 else 0 for f in radio.log if f[0] == 4]

    def contacts(self, count):
        return [contact_record(k, b"node %d" % n, lastmod=1700000000 + n) for n, k in enumerate(KEYS[:count])]

    def on_radio(self, client):
        return {bytes.fromhex(key) for key, c in client.contacts().items() if c["OnRadio"]}

    def test_sync_missing_end(self):
        """The end of the list gets lost: what came is taken when it is all, else asked for again."""
        lost = []

        def answer(frame):
            if frame[0] != 4:
                return None
            frames = radio.peaceful(frame)
            return frames[: lost.pop(0)] if lost else frames

        lost += [4, 7]  # start and three of six; then all but the end
        radio, client = self.fake(state=None, contacts=self.contacts(6), answer=answer)
        client.wait_for_state("ready", timeout=90)
        self.assertEqual(self.on_radio(client), set(KEYS[:6]))
        self.assertEqual(self.dumps(radio), [0, 0])
        # and the next one goes on from there
        self.again(client)
        self.assertEqual(self.dumps(radio)[2:], [1700000005 - 1])

    def test_sync_app_start_in_the_middle(self):
        """Another client's APP_START ends the list, and its answer comes to us too."""
        hurt = [True]

        def answer(frame):
            if frame[0] != 4 or not hurt:
                return None
            hurt.clear()
            return radio.peaceful(frame)[:3] + radio.peaceful(b"\x01")

        radio, client = self.fake(state=None, contacts=self.contacts(6), answer=answer)
        client.wait_for_state("ready", timeout=90)
        self.assertEqual(self.on_radio(client), set(KEYS[:6]))
        self.assertEqual(len(self.dumps(radio)), 2)

    def test_sync_traps(self):
        """What an incremental list never tells: removals, replacements, another clock."""
        radio, client = self.fake(contacts=self.contacts(5))
        self.again(client)
        self.assertEqual(self.dumps(radio), [0, 1700000004 - 1], "nothing changed: incremental, a second back")
        # one is gone
        del radio.contacts[2]
        self.again(client)
        self.assertEqual(self.on_radio(client), set(KEYS[:5]) - {KEYS[2]})
        # one is gone and another one came: the count is the same
        radio.contacts[0] = contact_record(KEYS[6], b"replacement", lastmod=1700000500)
        self.again(client)
        self.assertEqual(self.on_radio(client), {KEYS[1], KEYS[3], KEYS[4], KEYS[6]})
        # a change in the very second of the last mark
        radio.contacts[2] = contact_record(KEYS[3], b"same second", lastmod=1700000500)
        self.again(client)
        self.assertEqual(client.contacts()[KEYS[3].hex()]["Name"], "same second")
        # the radio's clock jumped back, so that what is new looks old
        radio.clock = 1600000000
        radio.contacts[2] = contact_record(KEYS[3], b"in the past", lastmod=1600000000)
        self.again(client)
        self.assertEqual(client.contacts()[KEYS[3].hex()]["Name"], "in the past")
        self.assertEqual(self.dumps(radio)[-1], 0)

    def test_sync_push_eviction(self):
        """The radio dropped one to make room: it stays with us, and is known to be out."""
        radio, client = self.fake(contacts=self.contacts(3))
        radio.send(b"\x8f" + KEYS[1])
        client.wait(lambda: self.on_radio(client) == {KEYS[0], KEYS[2]}, "one contact less in the radio")
        self.assertEqual(client.contacts()[KEYS[1].hex()]["Name"], "node 1")

    def test_stale_frames(self):
        """What lay in the radio's line for a former client is not taken for ours."""
        former = [
            contact_record(KEYS[7], b"stale", lastmod=1),
            b"\x04" + struct.pack("<I", 99),
            bytes([18, 0]) + b"stale".ljust(32, b"\0") + bytes(range(16)),
            b"\x01\x02",
        ]
        radio, client = self.fake(contacts=self.contacts(3), greeting=former)
        self.assertEqual(self.on_radio(client), set(KEYS[:3]))
        self.assertNotIn(KEYS[7].hex(), client.contacts())
        self.assertEqual(client.channels(), {})
        # a message among them is kept, whoever asked for it
        radio.greeting = [text_frame(KEYS[0].hex(), "for the former client", 1700000000)]
        self.again(client)
        client.wait(lambda: [r["Text"] for r in client.all_messages()] == ["for the former client"], "the stray message")

    def test_drained_by_another(self):
        """On a radio with two lines another client drains the queue: we see what it gets, and find nothing left."""
        radio, client = self.fake(contacts=self.contacts(2))
        for n in range(3):
            radio.send(b"\x83")
            radio.send(text_frame(KEYS[0].hex(), f"to the other one {n}", 1700000000 + n))
        radio.send(b"\x0a")
        client.wait_signal("Received", "Messages", RADIO, count=3)
        self.assertGreater(client.call(RADIO, "Radio", "Ping"), 0)
        self.assertEqual([r["Text"] for r in client.all_messages()], [f"to the other one {n}" for n in range(3)])
        self.assertEqual(client.get_state(), ("ready", "none"))
