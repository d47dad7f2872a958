# SPDX-License-Identifier: GPL-3.0-or-later
"""It always comes back: links, radios, the bus, the daemon, a full disk."""

import os
import shutil
import signal
import socket
import subprocess

from companion import text_frame
from fixture import Case, Gio, GLib, channel_path, contact_path, radio_path

RADIO = radio_path("sim")


class Tests(Case):
    def chat(self, client):
        return next((k, c["Name"]) for k, c in client.contacts().items() if c["Type"] == "chat")

    def objects(self, client):
        """What must be the same before and after: paths, and what only the radio or a message could change."""
        same = {}
        for path, interfaces in client.tree().items():
            if "Contact" in interfaces:
                values = dict(interfaces["Contact"])
                values.pop("LastHeardUSec")
                same[path] = values
            elif "Channel" in interfaces:
                same[path] = dict(interfaces["Channel"])
                same[path].pop("MaxTextBytes")  # depends on the radio's name, which only the radio tells
            elif "Message" in interfaces:
                same[path] = {k: repr(v) for k, v in interfaces["Message"].items()}
            else:
                same[path] = None
        return same

    def channels(self, client):
        return [path for path, interfaces in client.tree().items() if "Channel" in interfaces]

    def test_daemon_restart(self):
        """After a restart the same objects, also while the radio is away; unread is kept."""
        sim, client = self.start()
        key, name = self.chat(client)
        for i in range(5):
            sim.control("text", from_=name, text=f"kept {i}")
        client.wait_signal("Received", "Messages", RADIO, count=5)
        client.call(RADIO, "Messages", "MarkRead", "(ao)", [client.find_signals("Received")[0].arguments[1]])
        client.settle()
        before = self.objects(client)
        self.assertEqual(len([p for p in before if "/message/" in p]), 4)
        sim.control("link", action="refuse")
        for how in ("terminate", "kill"):
            self.restart_daemon(client, how, state=None)
            client.wait_for_state("waiting", "refused")
            self.assertEqual(self.objects(client), before)
            self.assertEqual(client.get(RADIO, "Messages", "Unread"), 4)
            self.assertEqual(client.get(contact_path("sim", key), "Contact", "Unread"), 4)
            # the radio's name goes before a channel text, and only the radio tells it: 31 bytes are assumed
            for path in self.channels(client):
                self.assertEqual(client.get(path, "Channel", "MaxTextBytes"), 160 - 31 - 2)
        sim.control("link", action="accept")
        client.wait_for_state("ready")
        self.assertEqual(self.objects(client), before)
        own = len(client.get(RADIO, "Radio", "Name").encode())
        for path in self.channels(client):
            self.assertEqual(client.get(path, "Channel", "MaxTextBytes"), 160 - own - 2)

    def test_link_drop(self):
        """A cut link: the state says why, the objects stay, and it comes back by itself."""
        sim, client = self.start()
        before = set(client.tree())
        client.settle()
        mark = len(client.signals)
        sim.control("link", action="drop")
        lost = client.wait_signal("StateChanged", "Radio", RADIO, lambda old, new, *_: new == "waiting", since=mark)
        self.assertEqual(lost.arguments[2], "lost")
        self.assertEqual(set(client.tree()), before)
        client.wait_signal("StateChanged", "Radio", RADIO, lambda old, new, *_: new == "ready", since=mark)
        self.assertEqual(client.get_state(), ("ready", "none"))
        self.assertEqual(client.find_signals("InterfacesRemoved", since=mark), [])

    def test_back_off(self):
        """A refused port: waiting, refused, growing pauses, no giving up, and Start tries at once."""
        sim, client = self.start()
        sim.control("link", action="refuse")
        mark = len(client.signals)
        sim.control("link", action="drop")
        tries = client.wait_signal(
            "StateChanged", "Radio", RADIO, lambda old, new, reason, _: new == "waiting" and reason == "refused",
            since=mark, count=2,
        )  # fmt: skip
        self.assertGreaterEqual(tries.arguments[3]["Attempts"], 2)
        self.assertEqual(client.get_state(), ("waiting", "refused"))
        self.assertNotEqual(client.get(RADIO, "Radio", "LastError"), "")
        self.assertNotEqual(client.get(RADIO, "Radio", "LastErrorMessage"), "")
        self.assert_bus_error("NotConnected", client.call, RADIO, "Radio", "Ping")
        sim.control("link", action="accept")
        client.call(RADIO, "Radio", "Start")
        client.wait_for_state("ready")
        self.assertGreater(client.call(RADIO, "Radio", "Ping"), 0)
        self.assertEqual(client.get(RADIO, "Radio", "LastError"), "")

    def test_refused_at_start(self):
        """No radio there at all: the daemon runs, and finds it once it comes."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        client = self.client()
        self.bed.start_daemon({"sim": f"tcp://127.0.0.1:{port}"})
        client.wait_for_state("waiting", "refused")
        self.assertEqual(client.get(RADIO, "Radio", "PublicKey"), "")
        self.assert_bus_error(
            "NotReady", client.call, RADIO, "Radio", "SendText", "(ssa{sv})", "somebody", "hello", {}
        )
        self.bed.start_sim(port=port)
        client.call(RADIO, "Radio", "Start")
        client.wait_for_state("ready")
        self.assertNotEqual(client.get(RADIO, "Radio", "PublicKey"), "")

    def test_stop_and_start(self):
        """Stop keeps the objects and the queue; Start brings it back."""
        sim, client = self.start()
        key, name = self.chat(client)
        client.call(RADIO, "Radio", "Stop")
        client.wait_for_state("stopped")
        self.assertIn(contact_path("sim", key), client.tree())
        sim.control("text", from_=name, text="while stopped")
        message = client.call(RADIO, "Radio", "SendText", "(ssa{sv})", key, "also while stopped", {})
        self.assertEqual(client.get(message, "Message", "State"), "queued")
        client.call(RADIO, "Radio", "Start")
        client.wait_for_state("ready")
        client.wait_signal("Received", "Messages", RADIO)
        client.wait_message_state(message, "delivered")

    @staticmethod
    def inhibit(client):
        parameters = GLib.Variant("(s)", ("flashing\x1b[31m",))
        _, fds = client.bus.call_with_unix_fd_list_sync(
            "org.meshcored1", radio_path("sim"), "org.meshcored1.Radio", "Inhibit", parameters, None,
            Gio.DBusCallFlags.NONE, -1, None, None,
        )  # fmt: skip
        return fds.steal_fds()[0]

    def test_inhibit(self):
        """The port is handed over while a descriptor is open, through Start and a reload, and taken back when the last
        copy is closed."""
        sim, client = self.start()
        before = sim.control("stats")["connections"]
        first, second = self.inhibit(client), self.inhibit(client)
        self.assertEqual(client.get_state(), ("waiting", "inhibited"))
        client.call(radio_path("sim"), "Radio", "Start")
        self.assertEqual(client.get_state(), ("waiting", "inhibited"))
        self.bed.write_config({"sim": {"Transport": sim.transport, "PollIntervalSec": "77"}})
        self.bed.daemon.process.send_signal(signal.SIGHUP)
        client.wait_signal("InterfacesAdded", path="/org/meshcored1", where=lambda path, _: path == radio_path("sim"))
        client.settle()
        self.assertEqual(client.get_state(), ("waiting", "inhibited"))
        path = client.call(radio_path("sim"), "Radio", "SendText", "(ssa{sv})", "Public", "later", {})
        os.close(first)
        client.settle()
        self.assertEqual(client.get_state(), ("waiting", "inhibited"))
        self.assertEqual(sim.control("stats")["connections"], before)
        os.close(second)
        client.wait_for_state("ready")
        client.wait_message_state(path, "sent")
        self.assertNotIn("\x1b", self.bed.daemon.log())

        # a stopped radio stays stopped
        client.call(radio_path("sim"), "Radio", "Stop")
        client.wait_for_state("stopped")
        os.close(self.inhibit(client))
        client.settle()
        self.assertEqual(client.get_state()[0], "stopped")

    def test_inhibit_on_the_way(self):
        """What is on its way when the port is asked for comes first: no text is sent twice or left in doubt, no message
        is lost."""
        sim, client = self.start()
        key, name = self.chat(client)
        for recipient in ("Public", key):
            client.call(RADIO, "Radio", "Ping")  # behind the slots that are read when it is ready again
            sim.control("delay", ms=400)  # before whatever follows the next answer
            client.call(RADIO, "Radio", "Ping")
            message = client.call(RADIO, "Radio", "SendText", "(ssa{sv})", recipient, f"to {recipient}", {})
            client.wait_message_state(message, "sending")
            handed_over = self.inhibit(client)
            self.assertEqual(client.get_state(), ("waiting", "inhibited"))
            properties = client.get_all(message, "Message")
            self.assertEqual((properties["State"], properties["Attempts"], properties["Uncertain"]), ("sent", 1, False))
            sim.control("delay", ms=0)
            os.close(handed_over)
            client.wait_for_state("ready")
        sent = [text["text"] for text in sim.control("stats")["sent_texts"]]
        self.assertEqual([sum(t.endswith(f"to {r}") for t in sent) for r in ("Public", key)], [1, 1], sent)

        mark = len(client.signals)
        before = sim.control("popped")["total"]
        sim.control("delay", ms=400)
        sim.control("text", from_=name, text="number", count=3)
        client.wait(lambda: self.received(client, since=mark), "the first message")
        handed_over = self.inhibit(client)  # while the second is on its way
        sim.control("delay", ms=0)
        os.close(handed_over)
        client.wait(lambda: len(self.received(client, since=mark)) == 3, "all messages")
        self.assertEqual(sim.control("popped")["total"], before + 3)

    def test_radio_reboot(self):
        """The radio restarts: its queue is gone, ours is not, and it is served again."""
        sim, client = self.start()
        key, name = self.chat(client)
        before = set(client.tree())
        mark = len(client.signals)
        sim.control("reboot")
        client.wait_signal("StateChanged", "Radio", RADIO, lambda old, new, *_: old == "ready", since=mark)
        client.wait_for_state("ready")
        self.assertEqual(set(client.tree()), before)
        sim.control("text", from_=name, text="after the reboot")
        self.assertEqual(client.wait_signal("Received", "Messages", RADIO).arguments[2]["Text"], "after the reboot")
        message = client.call(
            RADIO, "Radio", "SendText", "(ssa{sv})", key, "and back", {"Wait": GLib.Variant("s", "delivered")}
        )
        self.assertEqual(client.get(message, "Message", "State"), "delivered")

    def test_taken_over(self):
        """Cut twice within a minute of ready, by a host that still accepts: somebody else has the radio."""
        sim, client = self.start()
        for _ in range(2):
            client.wait_for_state("ready")
            mark = len(client.signals)
            sim.control("link", action="drop")
            client.wait_signal("StateChanged", "Radio", RADIO, lambda old, new, *_: new == "waiting", since=mark)
        client.wait_for_state("waiting", "taken-over")
        client.call(RADIO, "Radio", "Start")
        client.wait_for_state("ready")

    def test_cut_in_sync(self):
        """The link is cut after every possible number of frames of the start; each time it recovers."""
        sim = self.bed.start_sim()
        client = self.client()
        self.bed.start_daemon({"sim": sim})
        client.wait_for_state("ready")
        before = set(client.tree())
        for frames in (1, 2, 3, 5, 8, 13, 21):
            client.call(RADIO, "Radio", "Stop")
            client.wait_for_state("stopped")
            sim.control("drop-after", frames=frames)
            mark = len(client.signals)
            client.call(RADIO, "Radio", "Start")
            client.wait_signal(
                "StateChanged", "Radio", RADIO, lambda old, new, *_: new in ("waiting", "ready"), since=mark
            )
            client.call(RADIO, "Radio", "Start")
            client.wait_for_state("ready")
            self.assertEqual(set(client.tree()), before)

    def test_mute_radio(self):
        """A radio that does not answer a command: a typed reason, and a new try."""
        sim, client = self.start()
        client.call(RADIO, "Radio", "Stop")
        client.wait_for_state("stopped")
        sim.control("mute", codes=[1, 22])
        client.call(RADIO, "Radio", "Start")
        client.wait_for_state("waiting", "timeout", timeout=120)
        sim.control("mute", codes=[])
        client.call(RADIO, "Radio", "Start")
        client.wait_for_state("ready")

    def test_bus_restart(self):
        """The bus daemon restarts: the name comes back with the same objects, and nothing was missed."""
        sim, client = self.start()
        _, name = self.chat(client)
        before = set(client.tree())
        client.close()
        self.clients.remove(client)
        self.bed.bus.kill()
        self.bed.programs.remove(self.bed.bus)
        sim.control("text", from_=name, text="nobody heard it")
        self.bed.start_bus()
        client = self.client()
        client.wait_owned()
        client.wait_for_state("ready")
        client.wait(lambda: len(client.all_messages()) == 1, "the message of meanwhile")
        self.assertTrue(self.bed.daemon.running())
        self.assertLessEqual(before, set(client.tree()))
        self.assertEqual(sim.control("stats")["connections"], 1)

    def test_contacts_follow(self):
        """What changed in the radio while we were away is there after the next sync."""
        sim, client = self.start()
        before = client.contacts()
        gone = self.chat(client)[0]
        client.call(RADIO, "Radio", "Stop")
        client.wait_for_state("stopped")
        sim.control("add-contacts", count=5)
        sim.control("remove-contact", name=before[gone]["Name"])
        client.call(RADIO, "Radio", "Start")
        client.wait_for_state("ready")
        after = client.contacts()
        self.assertEqual(len(set(after) - set(before)), 5)
        # ours to keep, but no longer in the radio
        self.assertIn(gone, after)
        self.assertFalse(after[gone]["OnRadio"])
        self.assertEqual(client.get(RADIO, "Contacts", "OnRadio"), len(before) - 1 + 5)

    def test_advert_adds_contact(self):
        """A node that the radio hears for the first time becomes a contact at once."""
        sim, client = self.start()
        before = set(client.contacts())
        sim.control("advert", name="Newcomer")
        client.wait(lambda: set(client.contacts()) - before, "the new contact")
        (key,) = set(client.contacts()) - before
        self.assertEqual(client.contacts()[key]["Name"], "Newcomer")
        client.wait_signal("AdvertHeard", "Contacts", RADIO)

    def test_storage_full(self):
        """No room on the disk: nothing is popped, the reason says so; with room again nothing was lost."""
        if shutil.which("unshare") is None:
            self.skipTest("no unshare")
        probe = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", "mount -t tmpfs tmpfs /mnt"]
        if subprocess.run(probe, check=False, capture_output=True).returncode != 0:
            self.skipTest("no user namespaces with tmpfs here")
        client = self.client()
        sim = self.bed.start_sim()
        self.bed.write_config({"sim": sim})
        os.mkdir(self.bed.state_dir)
        os.environ["STATE"] = self.bed.state_dir
        self.addCleanup(os.environ.pop, "STATE")
        daemon = self.bed.start_daemon(
            through=["unshare", "--user", "--map-root-user", "--mount", "sh", "-c",
                     'mount -t tmpfs -o size=8m,mode=0700 tmpfs "$STATE" && exec "$0" "$@"']
        )  # fmt: skip
        client.wait_for_state("ready")
        inside = f"/proc/{daemon.pid}/root{self.bed.state_dir}"
        key, _ = self.chat(client)
        with open(inside + "/filler", "wb") as filler:
            left = os.statvfs(inside)
            os.posix_fallocate(filler.fileno(), 0, (left.f_bavail * left.f_bsize) - 512 * 1024)
        for i in range(3):
            sim.control("raw-queue", frame=text_frame(key, f"no room {i}", 1700000000 + i).hex())
        client.wait(lambda: client.get_state()[1] == "storage-full", "reason storage-full")
        stats = sim.control("stats")
        self.assertEqual((stats["popped"], stats["waiting"]), (0, 3))
        os.unlink(inside + "/filler")
        client.wait_signal("Received", "Messages", RADIO, count=3, timeout=120)
        self.assertEqual([r["Text"] for r in client.all_messages()], [f"no room {i}" for i in range(3)])
        client.wait(lambda: client.get_state() == ("ready", "none"), "no reason any more")

    def test_channels_of_store(self):
        """Channels keep their messages over a restart."""
        sim, client = self.start()
        slot = next(iter(client.channels()))
        sim.control("channel-text", channel=slot, author="Ann", text="kept with the channel")
        client.wait_signal("Received", "Messages", RADIO)
        self.restart_daemon(client, "kill")
        records = client.all_messages(filter_={"Channel": GLib.Variant("o", channel_path("sim", slot))})
        self.assertEqual([r["Text"] for r in records], ["kept with the channel"])
