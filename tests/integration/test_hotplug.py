# SPDX-License-Identifier: GPL-3.0-or-later
"""Serial radios that come and go, as far as pseudo terminals can show it. USB is in tests/lab."""

import os
import time

from fixture import Case, radio_path
from programs import Program, find_program

# The next try by the clock would come after 60 s; the lab measures how quick it is without it.
AT_ONCE = 20.0


class Tests(Case):
    def setUp(self):
        super().setUp()
        self.path = os.path.join(self.bed.directory, "dev", "radio")

    def plug_in(self, name="serial-sim", path=None, *arguments):
        """A simulated radio at the path."""
        path = path or self.path
        os.makedirs(os.path.dirname(path), exist_ok=True)
        sim = Program(name, [find_program("meshcore-sim"), "--pty", path, *arguments], self.bed.directory)
        self.bed.programs.append(sim)
        sim.read_line()
        return sim

    def pull(self, sim):
        self.assertEqual(sim.terminate()[0], 0)
        self.bed.programs.remove(sim)

    def daemon_that_waits(self):
        """The radio is away, and the next try by the clock is a minute off."""
        client = self.client()
        self.bed.start_daemon({"sim": f"serial:{self.path}"})
        client.wait_for_state("waiting", "not-plugged")
        return client

    def assert_at_once(self, client, start, state, reason=None):
        client.wait_for_state(state, reason)
        self.assertLess(time.monotonic() - start, AT_ONCE)

    def test_link_comes_and_goes(self):
        os.makedirs(os.path.dirname(self.path))
        client = self.daemon_that_waits()
        for _ in range(3):
            start = time.monotonic()
            sim = self.plug_in()
            self.assert_at_once(client, start, "ready")
            start = time.monotonic()
            self.pull(sim)
            self.assert_at_once(client, start, "waiting", "not-plugged")

    def test_directory_comes(self):
        """/dev/serial/by-id is not there before the first device."""
        client = self.daemon_that_waits()
        start = time.monotonic()
        self.plug_in()
        self.assert_at_once(client, start, "ready")

    def test_serial_and_tcp(self):
        """Several radios over both links, none in the way of the other."""
        client = self.client()
        tcp = self.bed.start_sim()
        scenario = os.path.join(self.bed.directory, "second.scenario")
        with open(scenario, "w", encoding="utf-8") as file:
            file.write("[Radio]\nSeed=second\n")
        sim = self.plug_in("serial-sim", None, "--scenario", scenario)
        self.bed.start_daemon({"tcp": tcp, "serial": f"serial:{self.path}"})
        for radio in ("tcp", "serial"):
            client.wait_for_state("ready", radio=radio)
        keys = [client.get(radio_path(radio), "Radio", "PublicKey") for radio in ("tcp", "serial")]
        self.assertNotEqual(*keys)

        self.pull(sim)
        client.wait_for_state("waiting", "not-plugged", radio="serial")
        self.assertEqual(client.get_state("tcp")[0], "ready")
        # what is known of it stays
        self.assertEqual(client.get(radio_path("serial"), "Radio", "PublicKey"), keys[1])
        self.plug_in("serial-sim", None, "--scenario", scenario)
        client.wait_for_state("ready", radio="serial")
        tcp.control("link", action="drop")
        client.wait_for_state("ready", radio="tcp")
        self.assertEqual(client.get_state("serial")[0], "ready")

    def test_no_radio_by_itself(self):
        """serial:auto takes no port that nobody recognises."""
        client = self.client()
        self.plug_in()
        self.bed.start_daemon({"auto": "serial:auto"})
        client.wait_for_state("waiting", "not-plugged", radio="auto")
        client.settle()
        self.assertEqual(client.get_state("auto"), ("waiting", "not-plugged"))
