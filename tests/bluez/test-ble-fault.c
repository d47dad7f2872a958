/* SPDX-License-Identifier: GPL-3.0-or-later */
/* bluetoothd silent, dead or without the object in any call, and each step of a teardown that fails: a link
 * ends in a time that is known, says why, leaves nothing behind, and the next one works. */

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

/* Calls on the way to an open link, and whether it takes a bond to come there. */
static const struct {
        const char *member;
        bool bonded;
        unsigned limit; /* s, until the link ends when there is no answer */
} calls[] = {
                {"GetManagedObjects", true, 20}, {"StartDiscovery", false, 40},
                {"RegisterAgent", false, 30},    {"Pair", false, 90},
                {"Connect", true, 120},          {"AcquireNotify", true, 30},
                {"WriteValue", true, 30},
};

static void begin(void) {
        f->link = link_close(f->link);
        f->opened = f->closed = 0;
        ck_assert_int_ge(link_new_ble(f->bluez, f->bond, HUT_ADDRESS, &f->options, &ble_handler, f, &f->link),
                         0);
        ck_assert_int_ge(link_open(f->link), 0);
}

/* Until the link has ended; asks a question where one is needed for it. */
static void run_to_the_end(unsigned limit) {
        ble_run_until(f, limit * USEC_PER_SEC, f->opened > 0 || f->closed > 0);
        if (f->opened && !f->closed) {
                ck_assert_int_ge(link_ble_probe(f->link), 0);
                ble_run_until(f, limit * USEC_PER_SEC, f->closed > 0);
        }
        ck_assert_uint_eq(f->closed, 1);
        ck_assert_int_ne(bond_state(f->bond), BOND_VERIFIED);
        ck_assert_int_ne(bond_state(f->bond), BOND_STALE);
        ck_assert_int_ne(bond_state(f->bond), BOND_NEEDS_PIN);
}

static void expect_works(void) {
        ble_open_link(f, HUT_ADDRESS);
        ble_expect_open(f);
        ck_assert_int_ge(link_ble_probe(f->link), 0);
        ble_settle(f);
        ble_expect_bond(f, BOND_VERIFIED, BOND_REASON_NONE);
}

START_TEST(never_answered) {
        const char *member = calls[_i].member;

        if (calls[_i].bonded)
                fake_radio_bond(f->hut);
        fake_silence(f->fake, member);
        begin();
        run_to_the_end(calls[_i].limit);
        ck_assert_uint_ge(fake_count(f->fake, member), 1);
        if (calls[_i].bonded)
                ck_assert_uint_eq(fake_count(f->fake, "RemoveDevice"), 0);

        f->link = link_close(f->link);
        ble_pass(f, 20 * USEC_PER_SEC);
        fake_heal(f->fake, member);
        expect_works();
}
END_TEST

START_TEST(dies_in_a_call) {
        const char *member = calls[_i].member;

        if (calls[_i].bonded)
                fake_radio_bond(f->hut);
        fake_crash_in(f->fake, member);
        begin();
        run_to_the_end(5);
        ck_assert(!f->fake->running);
        /* an open link hears first that its radio is away */
        ck_assert_int_eq(bond_reason(f->bond), f->opened ? BOND_REASON_NONE : BOND_REASON_ADAPTER);

        fake_heal(f->fake, member);
        fake_start(f->fake);
        ble_settle(f);
        expect_works();
}
END_TEST

/* Restarted by systemd before the link is closed: the old link does not wake up again. */
START_TEST(dies_and_is_back) {
        const char *member = calls[_i].member;

        if (calls[_i].bonded)
                fake_radio_bond(f->hut);
        fake_crash_in(f->fake, member);
        begin();
        run_to_the_end(5);
        fake_heal(f->fake, member);
        fake_log_clear(f->fake);
        fake_start(f->fake);
        ble_pass(f, 60 * USEC_PER_SEC);
        ck_assert_ptr_null(fake_first_change(f->fake));
        ck_assert_uint_eq(fake_count(f->fake, "Connect"), 0);
        expect_works();
}
END_TEST

START_TEST(bus_dies_in_a_call) {
        const char *member = calls[_i].member;

        if (calls[_i].bonded)
                fake_radio_bond(f->hut);
        fake_silence(f->fake, member);
        begin();
        ble_run_until(f, 10 * USEC_PER_SEC, fake_count(f->fake, member) > 0 || f->opened > 0);
        if (f->opened) {
                ck_assert_int_ge(link_ble_probe(f->link), 0);
                ble_settle(f);
        }
        fake_bus_drop(f->fake, true);
        ble_settle(f);
        ck_assert_uint_eq(f->closed, 1);

        fake_heal(f->fake, member);
        fake_start(f->fake);
        expect_works();
        ck_assert_uint_eq(f->fake->n_connections, 2);
}
END_TEST

START_TEST(object_vanishes_in_a_call) {
        const char *member = calls[_i].member;

        if (strcmp(member, "GetManagedObjects") == 0)
                return;
        if (calls[_i].bonded)
                fake_radio_bond(f->hut);
        fake_silence(f->fake, member);
        begin();
        ble_run_until(f, 10 * USEC_PER_SEC, fake_count(f->fake, member) > 0 || f->opened > 0);
        if (f->opened) {
                ck_assert_int_ge(link_ble_probe(f->link), 0);
                ble_settle(f);
        }
        f->has_pin = false;
        fake_radio_remove(f->hut);
        ble_settle(f);
        fake_heal(f->fake, member);
        /* either an end, or the search from its beginning, which finds an unpaired radio */
        ble_run_until(f, 120 * USEC_PER_SEC, f->closed > 0 || f->opened > 0);

        f->has_pin = true;
        f->link = link_close(f->link);
        ble_pass(f, 5 * USEC_PER_SEC);
        bond_offer_passkey(f->bond, 123456);
        expect_works();
}
END_TEST

/* -- the end, step by step ------------------------------------------------------------------ */

static const char *const teardown_calls[] = {"Disconnect", "CancelPairing", "UnregisterAgent",
                                             "StopDiscovery", "RemoveDevice"};
typedef enum Moment {
        WHILE_SCANNING,
        WHILE_PAIRING,
        WHILE_CONNECTING,
        WHILE_RESOLVING,
        WHILE_OPEN,
        _MOMENT_MAX
} Moment;

static void go_to(Moment moment) {
        f->fake->times.resolve = moment == WHILE_RESOLVING ? 20 * USEC_PER_SEC : 150 * 1000;
        f->hut->near = moment != WHILE_SCANNING && moment != WHILE_CONNECTING;
        f->hut->pairs_silently = moment == WHILE_PAIRING;
        if (moment > WHILE_PAIRING)
                fake_radio_bond(f->hut);
        begin();
        ble_pass(f, USEC_PER_SEC);
        ck_assert_uint_eq(f->closed, 0);
        ck_assert_uint_eq(f->opened, moment == WHILE_OPEN);
}

/* Each call of a teardown fails, is never answered or kills bluetoothd: all the others are done, and at once.
 */
START_TEST(teardown_with_failures) {
        const size_t n_calls = ELEMENTSOF(teardown_calls);
        Moment moment = (Moment) ((size_t) _i % _MOMENT_MAX);
        size_t call = (size_t) _i / _MOMENT_MAX % n_calls;
        int how = _i / (int) (_MOMENT_MAX * n_calls);
        uint64_t began;

        go_to(moment);
        if (how == 0)
                fake_fail(f->fake, teardown_calls[call], FAKE_ERROR("Failed"), "Injected");
        else if (how == 1)
                fake_silence(f->fake, teardown_calls[call]);
        else
                fake_crash_in(f->fake, teardown_calls[call]);
        fake_log_clear(f->fake);
        began = ble_now();
        f->link = link_close(f->link);
        ck_assert_uint_lt(ble_now() - began, USEC_PER_SEC);
        ble_pass(f, 15 * USEC_PER_SEC);
        ck_assert(!bluez_is_leaving(f->bluez, HUT));
        ck_assert_uint_eq(f->closed, 0);
        ble_pass(f, 30 * USEC_PER_SEC); /* until bluetoothd gives up a Connect that it was not told to end */

        if (how < 2) {
                ck_assert_uint_eq(fake_count(f->fake, "StopDiscovery"), moment == WHILE_SCANNING);
                ck_assert_uint_eq(fake_count(f->fake, "CancelPairing"), moment == WHILE_PAIRING);
                ck_assert_uint_eq(fake_count(f->fake, "UnregisterAgent"), moment == WHILE_PAIRING);
                ck_assert_uint_eq(fake_count(f->fake, "RemoveDevice"), moment == WHILE_PAIRING);
                ck_assert_uint_eq(fake_count(f->fake, "Disconnect"), moment > WHILE_PAIRING);
        }
        ck_assert(moment <= WHILE_PAIRING || f->hut->paired);

        fake_heal(f->fake, teardown_calls[call]);
        fake_start(f->fake);
        f->hut->near = true;
        f->hut->pairs_silently = false;
        f->fake->times.resolve = 150 * 1000;
        ble_settle(f);
        expect_works();
}
END_TEST

/* The same when bluetoothd has died before, and when the bus has. */
START_TEST(teardown_without_service) {
        go_to((Moment) (_i % _MOMENT_MAX));
        if (_i < (int) _MOMENT_MAX)
                fake_crash(f->fake);
        else
                fake_bus_drop(f->fake, true);
        f->link = link_close(f->link); /* before we hear of it */
        ble_pass(f, 15 * USEC_PER_SEC);
        ck_assert(!bluez_is_leaving(f->bluez, HUT));
        fake_start(f->fake);
        f->hut->near = true;
        f->hut->pairs_silently = false;
        f->fake->times.resolve = 150 * 1000;
        ble_settle(f);
        expect_works();
}
END_TEST

/* The descriptor goes with the link: bluetoothd sees the end of it, and lets others subscribe. */
START_TEST(descriptor_is_given_back) {
        go_to(WHILE_OPEN);
        f->hut->connected = true;
        fake_silence(f->fake, "Disconnect");
        f->link = link_close(f->link);
        ble_settle(f);
        ck_assert(fake_radio_is_given_back(f->hut));
}
END_TEST

int main(void) {
        const int n_calls = (int) ELEMENTSOF(calls);
        Suite *suite = suite_create("ble-fault");
        TCase *tcase = tcase_create("fault");
        SRunner *runner;
        int failed;

        tcase_add_checked_fixture(tcase, setup, teardown);
        tcase_add_loop_test(tcase, never_answered, 0, n_calls);
        tcase_add_loop_test(tcase, dies_in_a_call, 0, n_calls);
        tcase_add_loop_test(tcase, dies_and_is_back, 0, n_calls);
        tcase_add_loop_test(tcase, bus_dies_in_a_call, 0, n_calls);
        tcase_add_loop_test(tcase, object_vanishes_in_a_call, 0, n_calls);
        tcase_add_loop_test(tcase, teardown_with_failures, 0,
                            (int) (_MOMENT_MAX * ELEMENTSOF(teardown_calls) * 3));
        tcase_add_loop_test(tcase, teardown_without_service, 0, 2 * _MOMENT_MAX);
        tcase_add_test(tcase, descriptor_is_given_back);
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
