/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Opening a link to a radio: each situation that bluetoothd was seen in, and whose matter it is said to be.
 */

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ble-fixture.h"

static BleFixture *f;

static void setup(void) {
        f = ble_fixture_new();
}

static void teardown(void) {
        f = ble_fixture_free(f);
}

/* The radio answers a question: the only proof. */
static void expect_proof(void) {
        ble_expect_open(f);
        ck_assert_int_ge(link_ble_probe(f->link), 0);
        ble_settle(f);
        ck_assert_uint_eq(f->frames->len, 1);
        ble_expect_bond(f, BOND_VERIFIED, BOND_REASON_NONE);
}

static void expect_bond_left_alone(void) {
        ck_assert(f->hut->paired);
        ck_assert_uint_eq(fake_count(f->fake, "RemoveDevice"), 0);
        ck_assert_uint_eq(fake_count(f->fake, "Pair"), 0);
        ck_assert_uint_eq(fake_count(f->fake, "CancelPairing"), 0);
}

/* -- a bond that works ------------------------------------------------------------- */

START_TEST(with_bond) {
        fake_radio_bond(f->hut);
        f->has_pin = _i == 0; /* nobody asks for it */
        f->fake->modern = _i == 1;
        f->fake->no_bonded = _i == 2;
        ble_open_link(f, HUT_ADDRESS);
        ble_expect_open(f);
        ble_expect_bond(f, BOND_BONDED, BOND_REASON_NONE);
        expect_proof();
        expect_bond_left_alone();
        ck_assert_uint_eq(fake_count(f->fake, "Connect"), 1);
        ck_assert_uint_eq(fake_count(f->fake, "StartDiscovery"), 0);
        ck_assert_uint_eq(fake_count(f->fake, "RegisterAgent"), 0);

        f->link = link_close(f->link);
        ble_pass(f, 3 * USEC_PER_SEC);
        ck_assert_uint_eq(fake_count(f->fake, "Disconnect"), 1);
        ck_assert(!f->hut->connected);
}
END_TEST

START_TEST(no_subscription_before_services) {
        fake_radio_bond(f->hut);
        f->fake->times.resolve = 5 * USEC_PER_SEC;
        ck_assert_int_ge(link_new_ble(f->bluez, f->bond, HUT_ADDRESS, &f->options, &ble_handler, f, &f->link),
                         0);
        ck_assert_int_ge(link_open(f->link), 0);
        ble_pass(f, 4 * USEC_PER_SEC);
        ck_assert(f->hut->connected && !f->hut->resolved);
        ck_assert_uint_eq(fake_count(f->fake, "AcquireNotify"), 0);
        ck_assert_uint_eq(f->opened, 0);
        ck_assert_int_eq(link_send(f->link, (const uint8_t *) "x", 1), -ENOTCONN);
        ble_pass(f, 2 * USEC_PER_SEC);
        ck_assert_uint_eq(fake_count(f->fake, "AcquireNotify"), 1);
        expect_proof();
}
END_TEST

/* By name, with and without the prefix, by nothing, and by an address in small letters. */
START_TEST(targets) {
        static const char *const names[] = {"MeshCore-Hut", "Hut", "", "c0:00:00:00:22:01"};

        fake_radio_bond(f->hut);
        ble_open_link(f, names[_i]);
        expect_proof();
}
END_TEST

/* One that BlueZ holds already sends no advertisements: a scan would never see it. */
START_TEST(connected_before) {
        fake_radio_bond(f->hut);
        f->hut->connected = f->hut->resolved = true;
        ble_open_link(f, _i == 0 ? HUT_ADDRESS : "Hut");
        expect_proof();
        ck_assert_uint_eq(fake_count(f->fake, "StartDiscovery"), 0);
        ck_assert_uint_eq(fake_count(f->fake, "Connect"), 0);
        f->link = link_close(f->link);
        ble_pass(f, 3 * USEC_PER_SEC);
        ck_assert(f->hut->connected);
        ck_assert_uint_eq(fake_count(f->fake, "Disconnect"), 0);
}
END_TEST

/* The link of another program: whatever goes wrong with ours, it stays. */
START_TEST(borrowed_and_bad) {
        fake_radio_bond(f->hut);
        f->hut->connected = f->hut->resolved = true;
        f->has_pin = false;
        switch (_i) {
        case 0:
                f->hut->mtu = 23;
                break;
        case 1:
                f->hut->refuses_notify = true;
                break;
        case 2:
                fake_fail(f->fake, "AcquireNotify", FAKE_ERROR("NotPermitted"), "Notify acquired");
                break;
        case 3:
                fake_silence(f->fake, "AcquireNotify");
                break;
        case 4:
                f->hut->has_services = false;
                break;
        default:
                fake_fail(f->fake, "WriteValue", FAKE_ERROR("Failed"),
                          "Operation failed with ATT error: 0x0e");
                ble_open_link(f, HUT_ADDRESS);
                ble_expect_open(f);
                ck_assert_int_ge(link_ble_probe(f->link), 0);
                ble_settle(f);
                ck_assert_uint_eq(f->closed, 1);
                break;
        }
        if (_i < 5)
                ble_open_link(f, HUT_ADDRESS);
        ck_assert_uint_eq(f->closed, 1);
        f->link = link_close(f->link);
        ble_pass(f, 5 * USEC_PER_SEC);
        ck_assert(f->hut->connected);
        ck_assert_uint_eq(fake_count(f->fake, "Disconnect"), 0);
        expect_bond_left_alone();
}
END_TEST

/* Somebody else's subscription is not taken away, and no fault of the bond. */
START_TEST(held_by_another_program) {
        fake_radio_bond(f->hut);
        f->hut->connected = f->hut->resolved = true;
        fake_fail(f->fake, "AcquireNotify", FAKE_ERROR("NotPermitted"), "Notify acquired");
        ble_open_link(f, HUT_ADDRESS);
        ck_assert_uint_eq(f->closed, 1);
        ck_assert_int_eq(f->end, LINK_END_REFUSED);
        ck_assert_int_eq(f->error, -EBUSY);
        ck_assert_int_ne(bond_state(f->bond), BOND_STALE);
        expect_bond_left_alone();
}
END_TEST

/* Another program's Connect is under way. */
START_TEST(connect_in_progress) {
        fake_radio_bond(f->hut);
        fake_fail(f->fake, "Connect", FAKE_ERROR("InProgress"), "In Progress");
        ck_assert_int_ge(link_new_ble(f->bluez, f->bond, HUT_ADDRESS, &f->options, &ble_handler, f, &f->link),
                         0);
        ck_assert_int_ge(link_open(f->link), 0);
        ble_pass(f, USEC_PER_SEC);
        ck_assert_uint_eq(f->closed, 0);
        fake_radio_set_connected(f->hut, true, NULL);
        fake_radio_set_resolved(f->hut, true);
        ble_settle(f);
        expect_proof();
        expect_bond_left_alone();
}
END_TEST

/* What BlueZ may say of a connection that is there. */
START_TEST(connected_already) {
        fake_radio_bond(f->hut);
        if (_i == 0)
                fake_fail(f->fake, "Connect", FAKE_ERROR("AlreadyConnected"), "Already Connected");
        else
                fake_fail(f->fake, "Connect", FAKE_ERROR("Failed"), "le-connection-already-connected");
        ck_assert_int_ge(link_new_ble(f->bluez, f->bond, HUT_ADDRESS, &f->options, &ble_handler, f, &f->link),
                         0);
        ck_assert_int_ge(link_open(f->link), 0);
        ble_pass(f, 100 * 1000);
        fake_radio_set_connected(f->hut, true, NULL);
        fake_radio_set_resolved(f->hut, true);
        ble_settle(f);
        expect_proof();
}
END_TEST

/* -- silence and absence say nothing of a bond ------------------------------------------- */

START_TEST(absent) {
        uint64_t began = ble_now();

        fake_radio_bond(f->hut);
        f->hut->near = false;
        ble_open_link(f, HUT_ADDRESS);
        ble_expect_end(f, LINK_END_UNREACHABLE, BOND_UNREACHABLE, BOND_REASON_UNREACHABLE);
        expect_bond_left_alone();
        ck_assert_uint_ge(ble_now() - began, 41 * USEC_PER_SEC);
        ck_assert_uint_lt(ble_now() - began, 60 * USEC_PER_SEC);
}
END_TEST

/* Who wants to know soon: Connect is ended by us, and bluetoothd told so. */
START_TEST(absent_and_impatient) {
        uint64_t began = ble_now();

        fake_radio_bond(f->hut);
        f->hut->near = false;
        f->options = (BleOptions){.tries = 5, .connect_usec = 10 * USEC_PER_SEC};
        ble_open_link(f, HUT_ADDRESS);
        ble_expect_end(f, LINK_END_UNREACHABLE, BOND_UNREACHABLE, BOND_REASON_UNREACHABLE);
        expect_bond_left_alone();
        ck_assert_uint_eq(fake_count(f->fake, "Connect"), 5);
        ck_assert_uint_lt(ble_now() - began, 75 * USEC_PER_SEC);
}
END_TEST

START_TEST(transient_errors) {
        static const char *const texts[] = {"le-connection-abort-by-local",
                                            "le-connection-abort-by-remote",
                                            "le-connection-timeout",
                                            "le-connection-refused",
                                            "le-connection-busy",
                                            "le-connection-concurrent-connection-limit",
                                            "le-connection-link-layer-protocol-error",
                                            "le-connection-unknown",
                                            "Software caused connection abort",
                                            "Operation already in progress"};

        fake_radio_bond(f->hut);
        f->options = (BleOptions){.tries = 5, .connect_usec = 10 * USEC_PER_SEC};
        fake_fail(f->fake, "Connect", FAKE_ERROR("Failed"), texts[_i]);
        ble_open_link(f, HUT_ADDRESS);
        ble_expect_end(f, LINK_END_UNREACHABLE, BOND_UNREACHABLE, BOND_REASON_UNREACHABLE);
        ck_assert_uint_eq(fake_count(f->fake, "Connect"), 5);
        expect_bond_left_alone();

        /* and it passes */
        fake_heal(f->fake, "Connect");
        ble_open_link(f, HUT_ADDRESS);
        expect_proof();
}
END_TEST

/* bluetoothd answers from memory after half a minute; the radio itself never does. */
START_TEST(mute) {
        fake_radio_bond(f->hut);
        f->hut->mute = true;
        ble_open_link(f, HUT_ADDRESS);
        ble_run_until(f, 60 * USEC_PER_SEC, f->closed > 0);
        ck_assert_int_ne(bond_state(f->bond), BOND_VERIFIED);
        ck_assert_int_ne(bond_state(f->bond), BOND_STALE);
        expect_bond_left_alone();
}
END_TEST

/* A link, and never a service. */
START_TEST(never_resolved) {
        uint64_t began = ble_now();

        fake_radio_bond(f->hut);
        f->fake->times.resolve = 1000 * USEC_PER_SEC;
        ble_open_link(f, HUT_ADDRESS);
        ble_expect_end(f, LINK_END_UNREACHABLE, BOND_UNREACHABLE, BOND_REASON_TIMEOUT);
        ck_assert_uint_lt(ble_now() - began, 60 * USEC_PER_SEC);
        expect_bond_left_alone();
}
END_TEST

/* AcquireNotify was seen to get no answer at all when the link dies meanwhile. */
START_TEST(lost_while_subscribing) {
        fake_radio_bond(f->hut);
        fake_silence(f->fake, "AcquireNotify");
        ck_assert_int_ge(link_new_ble(f->bluez, f->bond, HUT_ADDRESS, &f->options, &ble_handler, f, &f->link),
                         0);
        ck_assert_int_ge(link_open(f->link), 0);
        ble_pass(f, USEC_PER_SEC);
        ck_assert_uint_eq(fake_count(f->fake, "AcquireNotify"), 1);
        fake_radio_set_connected(f->hut, false, NULL);
        ble_settle(f);
        ck_assert_uint_eq(f->closed, 1);
        ck_assert_int_eq(f->end, LINK_END_LOST);
        expect_bond_left_alone();
}
END_TEST

START_TEST(never_seen) {
        f->hut->near = false;
        ble_open_link(f, HUT_ADDRESS);
        ble_expect_end(f, LINK_END_UNREACHABLE, BOND_NONE, BOND_REASON_NOT_FOUND);
        ck_assert_uint_eq(fake_count(f->fake, "StartDiscovery"), 1);
        ck_assert_uint_eq(fake_count(f->fake, "StopDiscovery"), 1);
        ck_assert_uint_eq(f->hci0->n_discovering, 0);
}
END_TEST

/* Where bluetoothd can do that, nobody is asked for more than he advertises by himself. */
START_TEST(heard_by_a_monitor) {
        f->hci0->monitors = true;
        f->hut->near = _i == 0;
        ble_open_link(f, _i == 2 ? "Hut" : HUT_ADDRESS);
        if (_i == 0) {
                ble_expect_open(f);
                ck_assert_uint_eq(fake_count(f->fake, "RegisterMonitor"), 1);
                ck_assert_uint_eq(fake_count(f->fake, "StartDiscovery"), 0);
        } else {
                /* not heard, or not by its name: it is scanned for after all, and the end comes no later */
                ck_assert_int_eq(f->end, LINK_END_UNREACHABLE);
                ck_assert_uint_eq(fake_count(f->fake, "RegisterMonitor"), _i == 1);
                ck_assert_uint_eq(fake_count(f->fake, "StartDiscovery"), 1);
        }
        ble_settle(f);
        ck_assert_ptr_null(f->hci0->monitor);
        ck_assert_uint_eq(fake_count(f->fake, "UnregisterMonitor"), fake_count(f->fake, "RegisterMonitor"));
}
END_TEST

/* It is not wanted at once, or later: a scan. */
START_TEST(monitor_that_fails) {
        f->hci0->monitors = true;
        if (_i == 0)
                fake_fail(f->fake, "RegisterMonitor", FAKE_ERROR("NotReady"), "Resource Not Ready");
        else
                f->fake->times.discover = 3 * USEC_PER_SEC;
        ck_assert_int_ge(link_new_ble(f->bluez, f->bond, HUT_ADDRESS, &f->options, &ble_handler, f, &f->link),
                         0);
        ck_assert_int_ge(link_open(f->link), 0);
        ble_pass(f, USEC_PER_SEC);
        if (_i > 0) {
                ck_assert_ptr_nonnull(f->hci0->monitor);
                ck_assert_uint_eq(f->hci0->n_discovering, 0);
                fake_adapter_release_monitor(f->hci0);
                ble_settle(f);
        }
        ble_run_until(f, 20 * USEC_PER_SEC, f->opened > 0 || f->closed > 0);
        ble_expect_open(f);
        ck_assert_uint_eq(fake_count(f->fake, "StartDiscovery"), 1);
        ck_assert_ptr_null(f->hci0->monitor);
}
END_TEST

/* Between looking at the objects and scanning: it was there all the time, and no signal comes. */
START_TEST(seen_by_somebody_elses_scan) {
        f->hut->known = f->hut->has_rssi = true;
        f->hci0->n_discovering = 1;
        ble_open_link(f, HUT_ADDRESS);
        expect_proof();
        ck_assert_uint_eq(f->hci0->n_discovering, 1);
}
END_TEST

/* Somebody scans, so that ours is refused as already under way: as good as ours. */
START_TEST(scan_in_progress) {
        f->hci0->n_discovering = 1;
        ck_assert_int_ge(link_new_ble(f->bluez, f->bond, HUT_ADDRESS, &f->options, &ble_handler, f, &f->link),
                         0);
        ck_assert_int_ge(link_open(f->link), 0);
        ble_pass(f, USEC_PER_SEC);
        ck_assert_uint_eq(fake_count(f->fake, "StartDiscovery"), 1);
        fake_radio_discover(f->hut);
        ble_run_until(f, 5 * USEC_PER_SEC, f->opened > 0);
        expect_proof();
}
END_TEST

/* -- the bond is no good: evidence ----------------------------------------------------------- */

/* The radio has forgotten us: Connect succeeds, and the link ends twice. */
START_TEST(stale_without_pin) {
        fake_radio_bond(f->hut);
        f->hut->key = FAKE_KEY_NONE;
        f->fake->modern = _i == 1;
        f->has_pin = false;
        ble_open_link(f, HUT_ADDRESS);
        ble_expect_end(f, LINK_END_NEEDS_PIN, BOND_STALE, BOND_REASON_KEY_MISSING);
        expect_bond_left_alone();
}
END_TEST

/* Said in so many words: no second try is needed. */
START_TEST(key_missing) {
        fake_radio_bond(f->hut);
        f->has_pin = false;
        fake_fail(f->fake, "Connect", FAKE_ERROR("Failed"), "le-connection-key-missing");
        ble_open_link(f, HUT_ADDRESS);
        ble_expect_end(f, LINK_END_NEEDS_PIN, BOND_STALE, BOND_REASON_KEY_MISSING);
        ck_assert_uint_eq(fake_count(f->fake, "Connect"), 1);
        expect_bond_left_alone();
}
END_TEST

/* The second end comes when the radio advertises again, which may take some seconds. */
START_TEST(stale_and_slow) {
        fake_radio_bond(f->hut);
        f->hut->key = FAKE_KEY_NONE;
        f->fake->times.retry = 4100 * 1000;
        f->has_pin = false;
        ble_open_link(f, HUT_ADDRESS);
        ble_expect_end(f, LINK_END_NEEDS_PIN, BOND_STALE, BOND_REASON_KEY_MISSING);
}
END_TEST

START_TEST(stale_with_pin) {
        fake_radio_bond(f->hut);
        f->hut->key = FAKE_KEY_NONE;
        f->fake->modern = _i == 1;
        ble_open_link(f, HUT_ADDRESS);
        expect_proof();
        ck_assert_uint_eq(fake_count(f->fake, "RemoveDevice"), 1);
        ck_assert_uint_eq(fake_count(f->fake, "StartDiscovery"), 1);
        ck_assert_uint_eq(fake_count(f->fake, "Pair"), 1);
        ck_assert_uint_eq(fake_count(f->fake, "CancelPairing"), 0);
        ck_assert(strstr(f->states->str, "stale pairing bonded verified"));
}
END_TEST

START_TEST(wrong_key) {
        fake_radio_bond(f->hut);
        f->hut->key = FAKE_KEY_OTHER;
        f->has_pin = _i == 1;
        ble_open_link(f, HUT_ADDRESS);
        if (f->has_pin)
                expect_proof();
        else {
                ck_assert_int_eq(f->end, LINK_END_NEEDS_PIN);
                ck_assert_int_eq(bond_state(f->bond), BOND_STALE);
                expect_bond_left_alone();
        }
}
END_TEST

/* Encrypted, and refused all the same: with any of the ways to say so. */
START_TEST(protected_access_refused) {
        static const char *const errors[][2] = {
                        {FAKE_ERROR("NotPermitted"), "Not paired"},
                        {FAKE_ERROR("NotAuthorized"), "Not authorized"},
                        {FAKE_ERROR("Failed"), "Operation failed with ATT error: 0x05"},
                        {FAKE_ERROR("Failed"), "Operation failed with ATT error: 0x0c"},
                        {FAKE_ERROR("Failed"), "Operation failed with ATT error: 0x0f"},
        };

        fake_radio_bond(f->hut);
        f->has_pin = false;
        fake_fail(f->fake, "AcquireNotify", errors[_i][0], errors[_i][1]);
        ble_open_link(f, HUT_ADDRESS);
        ble_expect_end(f, LINK_END_NEEDS_PIN, BOND_STALE, BOND_REASON_ENCRYPTION);
        expect_bond_left_alone();
}
END_TEST

/* One end before the services are there is an accident; so are those that explain themselves. */
START_TEST(drop_without_evidence) {
        static const char *const reasons[] = {NULL, "org.bluez.Reason.Timeout", "org.bluez.Reason.Local",
                                              "org.bluez.Reason.Suspend"};

        fake_radio_bond(f->hut);
        f->fake->modern = _i > 0;
        f->has_pin = false;
        f->fake->times.resolve = USEC_PER_SEC;
        ck_assert_int_ge(link_new_ble(f->bluez, f->bond, HUT_ADDRESS, &f->options, &ble_handler, f, &f->link),
                         0);
        ck_assert_int_ge(link_open(f->link), 0);
        for (int n = _i == 0 ? 1 : 2; n > 0; n--) {
                ble_run_until(f, 30 * USEC_PER_SEC, f->hut->connected);
                ble_pass(f, 300 * 1000);
                fake_radio_set_connected(f->hut, false, reasons[_i]);
        }
        ble_run_until(f, 60 * USEC_PER_SEC, f->opened > 0 || f->closed > 0);
        expect_proof();
        expect_bond_left_alone();
}
END_TEST

/* Adapter and service gone between two ends of the connection: that explains them. */
START_TEST(drops_that_the_adapter_explains) {
        fake_radio_bond(f->hut);
        f->has_pin = false;
        f->fake->times.resolve = USEC_PER_SEC;
        for (unsigned i = 0; i < 3; i++) {
                f->link = link_close(f->link);
                f->closed = 0;
                ck_assert_int_ge(link_new_ble(f->bluez, f->bond, HUT_ADDRESS, &f->options, &ble_handler, f,
                                              &f->link),
                                 0);
                ck_assert_int_ge(link_open(f->link), 0);
                ble_run_until(f, 60 * USEC_PER_SEC, f->hut->connected);
                ble_settle(f);
                if (_i == 0) {
                        fake_adapter_set_powered(f->hci0, false);
                        ble_settle(f);
                        ble_expect_end(f, LINK_END_ADAPTER_OFF, BOND_UNREACHABLE, BOND_REASON_ADAPTER);
                        fake_adapter_set_powered(f->hci0, true);
                } else {
                        fake_crash(f->fake);
                        ble_settle(f);
                        ble_expect_end(f, LINK_END_NOT_PLUGGED, BOND_UNREACHABLE, BOND_REASON_ADAPTER);
                        fake_start(f->fake);
                }
                ble_settle(f);
        }
        expect_bond_left_alone();
        ble_open_link(f, HUT_ADDRESS);
        expect_proof();
}
END_TEST

/* -- adapters ---------------------------------------------------------------------------------- */

START_TEST(adapter_off) {
        fake_radio_bond(f->hut);
        f->hci0->powered = false;
        f->options.power_on = _i == 1;
        ble_open_link(f, HUT_ADDRESS);
        if (f->options.power_on) {
                expect_proof();
                ck_assert(f->hci0->powered && f->hci0->pairable);
                return;
        }
        ble_expect_end(f, LINK_END_ADAPTER_OFF, BOND_UNREACHABLE, BOND_REASON_ADAPTER);
        ck_assert_ptr_null(fake_first_change(f->fake));
}
END_TEST

START_TEST(no_adapter) {
        f->hci0->present = false;
        ble_open_link(f, HUT_ADDRESS);
        ble_expect_end(f, LINK_END_NOT_PLUGGED, BOND_NONE, BOND_REASON_ADAPTER);
}
END_TEST

/* The dongle by its name or address, and the one that knows the radio when none is wanted. */
START_TEST(second_adapter) {
        FakeAdapter *dongle = fake_adapter_add(f->fake, "hci1", "00:AA:01:00:00:43");
        FakeRadio *there = fake_radio_add(dongle, HUT_ADDRESS, "MeshCore-Hut");
        static const char *const wanted[] = {NULL, "hci1", "00:aa:01:00:00:43", "hci7"};

        f->options.adapter = wanted[_i];
        fake_radio_bond(there);
        ble_open_link(f, HUT_ADDRESS);
        if (_i == 3) {
                ck_assert_int_eq(f->end, LINK_END_NOT_PLUGGED);
                ck_assert_ptr_nonnull(strstr(f->why, "hci7"));
                return;
        }
        expect_proof();
        ck_assert(there->connected && !f->hut->connected);
}
END_TEST

/* The wanted one is used although another one knows the radio. */
START_TEST(wanted_adapter_pairs_itself) {
        FakeAdapter *dongle = fake_adapter_add(f->fake, "hci1", "00:AA:01:00:00:43");
        FakeRadio *there = fake_radio_add(dongle, HUT_ADDRESS, "MeshCore-Hut");

        fake_radio_bond(f->hut);
        f->options.adapter = "hci1";
        ble_open_link(f, HUT_ADDRESS);
        expect_proof();
        ck_assert(there->connected && there->paired && !f->hut->connected);
        ck_assert_uint_eq(f->hci0->n_discovering, 0);
}
END_TEST

/* Off, pulled, the service dead: in the middle of every step, and back. */
START_TEST(lost_in_every_step) {
        static const uint64_t moments[] = {10, 60, 160, 200, 230, 260, 400, 1000}; /* ms */
        int what = _i / (int) ELEMENTSOF(moments);
        static const LinkEnd ends[] = {LINK_END_ADAPTER_OFF, LINK_END_NOT_PLUGGED, LINK_END_NOT_PLUGGED};

        ck_assert_int_ge(link_new_ble(f->bluez, f->bond, HUT_ADDRESS, &f->options, &ble_handler, f, &f->link),
                         0);
        ck_assert_int_ge(link_open(f->link), 0);
        ble_pass(f, moments[(size_t) _i % ELEMENTSOF(moments)] * 1000);
        switch (what) {
        case 0:
                fake_adapter_set_powered(f->hci0, false);
                break;
        case 1:
                fake_adapter_set_present(f->hci0, false);
                break;
        default:
                fake_crash(f->fake);
                break;
        }
        ble_settle(f);
        ck_assert_uint_eq(f->closed, 1);
        /* an open link tells first that it lost the radio; an adapter that is pulled goes off before it goes
         */
        ck_assert_msg(f->end == ends[what] || f->end == LINK_END_LOST ||
                                      (what == 1 && f->end == LINK_END_ADAPTER_OFF),
                      "%s", f->why);
        ck_assert_int_ne(bond_state(f->bond), BOND_STALE);
        ck_assert_int_ne(bond_state(f->bond), BOND_NEEDS_PIN);

        fake_adapter_set_present(f->hci0, true);
        fake_adapter_set_powered(f->hci0, true);
        fake_start(f->fake);
        ble_settle(f);
        ble_open_link(f, HUT_ADDRESS);
        expect_proof();
}
END_TEST

/* -- the service ---------------------------------------------------------------------------------- */

START_TEST(no_service) {
        fake_radio_bond(f->hut);
        fake_crash(f->fake);
        f->fake->activatable = _i > 0;
        f->options.check_only = _i == 2;
        ble_open_link(f, HUT_ADDRESS);
        if (_i == 1) {
                expect_proof();
                return;
        }
        ble_expect_end(f, LINK_END_NOT_PLUGGED, BOND_NONE, BOND_REASON_ADAPTER);
        ck_assert(!f->fake->running);
}
END_TEST

START_TEST(denied) {
        f->fake->denied = true;
        ble_open_link(f, HUT_ADDRESS);
        ble_expect_end(f, LINK_END_REFUSED, BOND_NONE, BOND_REASON_STACK);
        ck_assert_int_eq(f->error, -EACCES);
}
END_TEST

START_TEST(no_bus) {
        fake_bus_drop(f->fake, false);
        ble_open_link(f, HUT_ADDRESS);
        ck_assert_uint_eq(f->closed, 1);
        ck_assert_int_eq(f->end, LINK_END_NOT_PLUGGED);
}
END_TEST

/* -- only looking --------------------------------------------------------------------------------- */

/* With --check-only nothing is changed, whatever is found. */
START_TEST(check_only) {
        static const struct {
                LinkEnd end;
                BondState state;
        } expected[] = {
                        {_LINK_END_INVALID, BOND_VERIFIED},       {LINK_END_NEEDS_PIN, BOND_NONE},
                        {LINK_END_NEEDS_PIN, BOND_NONE},          {LINK_END_NEEDS_PIN, BOND_STALE},
                        {LINK_END_NEEDS_PIN, BOND_STALE},         {LINK_END_UNREACHABLE, BOND_UNREACHABLE},
                        {LINK_END_ADAPTER_OFF, BOND_UNREACHABLE}, {LINK_END_NEEDS_PIN, BOND_STALE},
        };

        f->options.check_only = true;
        if (_i != 1 && _i != 2)
                fake_radio_bond(f->hut);
        switch (_i) {
        case 2:
                f->hut->known = f->hut->has_rssi = true;
                break;
        case 3:
                f->hut->key = FAKE_KEY_NONE;
                break;
        case 4:
                f->hut->key = FAKE_KEY_OTHER;
                break;
        case 5:
                f->hut->near = false;
                break;
        case 6:
                f->hci0->powered = false;
                break;
        case 7:
                f->hut->refuses_notify = true;
                break;
        default:
                break;
        }
        ble_open_link(f, HUT_ADDRESS);
        if (_i == 0)
                expect_proof();
        else {
                ck_assert_msg(f->end == expected[_i].end, "%s", f->why);
                ck_assert_str_eq(bond_state_to_string(bond_state(f->bond)),
                                 bond_state_to_string(expected[_i].state));
        }
        f->link = link_close(f->link);
        ble_pass(f, 5 * USEC_PER_SEC);
        ck_assert_msg(!fake_first_change(f->fake), "%s", fake_first_change(f->fake));
        ck_assert(f->hut->paired == (_i != 1 && _i != 2));
}
END_TEST

int main(void) {
        Suite *suite = suite_create("ble-open");
        TCase *tcase = tcase_create("open");
        SRunner *runner;
        int failed;

        tcase_add_checked_fixture(tcase, setup, teardown);
        tcase_add_loop_test(tcase, with_bond, 0, 3);
        tcase_add_test(tcase, no_subscription_before_services);
        tcase_add_loop_test(tcase, targets, 0, 4);
        tcase_add_loop_test(tcase, connected_before, 0, 2);
        tcase_add_loop_test(tcase, borrowed_and_bad, 0, 6);
        tcase_add_test(tcase, held_by_another_program);
        tcase_add_test(tcase, connect_in_progress);
        tcase_add_loop_test(tcase, connected_already, 0, 2);
        tcase_add_test(tcase, absent);
        tcase_add_test(tcase, absent_and_impatient);
        tcase_add_loop_test(tcase, transient_errors, 0, 10);
        tcase_add_test(tcase, mute);
        tcase_add_test(tcase, never_resolved);
        tcase_add_test(tcase, lost_while_subscribing);
        tcase_add_test(tcase, never_seen);
        tcase_add_loop_test(tcase, heard_by_a_monitor, 0, 3);
        tcase_add_loop_test(tcase, monitor_that_fails, 0, 2);
        tcase_add_test(tcase, seen_by_somebody_elses_scan);
        tcase_add_test(tcase, scan_in_progress);
        tcase_add_loop_test(tcase, stale_without_pin, 0, 2);
        tcase_add_test(tcase, key_missing);
        tcase_add_test(tcase, stale_and_slow);
        tcase_add_loop_test(tcase, stale_with_pin, 0, 2);
        tcase_add_loop_test(tcase, wrong_key, 0, 2);
        tcase_add_loop_test(tcase, protected_access_refused, 0, 5);
        tcase_add_loop_test(tcase, drop_without_evidence, 0, 4);
        tcase_add_loop_test(tcase, drops_that_the_adapter_explains, 0, 2);
        tcase_add_loop_test(tcase, adapter_off, 0, 2);
        tcase_add_test(tcase, no_adapter);
        tcase_add_loop_test(tcase, second_adapter, 0, 4);
        tcase_add_test(tcase, wanted_adapter_pairs_itself);
        tcase_add_loop_test(tcase, lost_in_every_step, 0, 24);
        tcase_add_loop_test(tcase, no_service, 0, 3);
        tcase_add_test(tcase, denied);
        tcase_add_test(tcase, no_bus);
        tcase_add_loop_test(tcase, check_only, 0, 8);
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
