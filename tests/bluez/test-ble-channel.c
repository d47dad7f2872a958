/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An open link: frames both ways, and its end. */

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ble-fixture.h"
#include "protocol.h"

static BleFixture *f;

static void setup(void) {
        f = ble_fixture_new();
        fake_radio_bond(f->hut);
}

static void teardown(void) {
        f = ble_fixture_free(f);
}

static void open_hut(void) {
        ble_open_link(f, HUT_ADDRESS);
        ble_expect_open(f);
}

static void send_frame(uint8_t first, size_t size) {
        uint8_t frame[512] = {first};

        ck_assert_int_ge(link_send(f->link, frame, size), 0);
}

/* -- sizes ------------------------------------------------------------------------- */

/* The MTU is what bluetoothd negotiated; too small a one is said at once, a larger one is fine. */
START_TEST(mtu) {
        static const struct {
                uint16_t mtu;
                bool good;
        } cases[] = {{23, false}, {0, false},  {171, false}, {172, true},
                     {176, true}, {185, true}, {247, true},  {517, true}};

        f->hut->mtu = cases[_i].mtu;
        ble_open_link(f, HUT_ADDRESS);
        if (cases[_i].good) {
                ble_expect_open(f);
                send_frame(0x16, cases[_i].mtu >= 179 ? 176 : 169);
                ble_settle(f);
                ck_assert_uint_eq(f->hut->n_written, 1);
                ck_assert_uint_eq(f->hut->written->len, cases[_i].mtu >= 179 ? 176 : 169);
                return;
        }
        ck_assert_uint_eq(f->closed, 1);
        ck_assert_int_eq(f->end, LINK_END_PROTOCOL);
        ck_assert_int_eq(f->error, -EMSGSIZE);
        ck_assert(f->hut->paired);
        ck_assert_uint_eq(fake_count(f->fake, "WriteValue"), 0);
}
END_TEST

START_TEST(frames_in) {
        uint8_t data[400] = {};

        open_hut();
        for (unsigned i = 0; i < 30; i++) {
                data[0] = (uint8_t) i;
                fake_radio_notify(f->hut, data, i * 10 + 1);
        }
        fake_radio_notify(f->hut, data, 301); /* no frame is that long: left out */
        fake_radio_notify(f->hut, data, 400);
        data[0] = 0x99;
        fake_radio_notify(f->hut, data, 300);
        ble_settle(f);
        ck_assert_uint_eq(f->frames->len, 31);
        for (unsigned i = 0; i < 30; i++) {
                gsize size;
                const uint8_t *frame = g_bytes_get_data(f->frames->pdata[i], &size);

                ck_assert_uint_eq(size, i * 10 + 1);
                ck_assert_uint_eq(frame[0], i);
        }
        ck_assert_uint_eq(g_bytes_get_size(f->frames->pdata[30]), 300);
        ck_assert_uint_eq(f->closed, 0);
}
END_TEST

START_TEST(frames_out_in_order) {
        open_hut();
        fake_delay(f->fake, "WriteValue", 50 * 1000);
        for (uint8_t i = 1; i <= 5; i++)
                send_frame(i, i);
        ble_settle(f);
        /* one under way at a time: bluetoothd does not promise an order */
        ck_assert_uint_eq(fake_count(f->fake, "WriteValue"), 1);
        ble_pass(f, 400 * 1000);
        ck_assert_uint_eq(fake_count(f->fake, "WriteValue"), 5);
        ck_assert_uint_eq(f->hut->n_written, 5);
        ck_assert_uint_eq(f->hut->written->data[0], 5);
}
END_TEST

START_TEST(too_much_waits) {
        uint8_t frame[176] = {1};
        unsigned n = 0;

        open_hut();
        fake_silence(f->fake, "WriteValue");
        while (link_send(f->link, frame, sizeof(frame)) >= 0)
                n++;
        ck_assert_int_eq(link_send(f->link, frame, sizeof(frame)), -ENOBUFS);
        ck_assert_uint_eq(n, 64 * 1024 / 176);
        ck_assert_uint_eq(f->closed, 0);
}
END_TEST

/* -- without response ----------------------------------------------------------------------- */

/* Only once the radio has answered over the protected link, where its characteristic takes them, and where
 * the longest frame fits. */
START_TEST(descriptor) {
        static const struct {
                uint16_t mtu;
                bool no_write_command, used;
        } cases[] = {{247, false, true}, {179, false, true}, {178, false, false}, {247, true, false}};

        f->hut->mtu = cases[_i].mtu;
        f->hut->no_write_command = cases[_i].no_write_command;
        open_hut();
        send_frame(CMD_DEVICE_QUERY, 2);
        ble_settle(f);
        ck_assert_uint_eq(fake_count(f->fake, "AcquireWrite"), 0);
        send_frame(0x05, 3);
        ble_settle(f);
        ck_assert_uint_eq(fake_count(f->fake, "AcquireWrite"), cases[_i].used);
        for (uint8_t i = 1; i <= 20; i++)
                send_frame(i, i == 20 ? 170 : 9u + i);
        ble_settle(f);
        ble_pass(f, USEC_PER_SEC);
        ck_assert_uint_eq(fake_count(f->fake, "AcquireWrite"), cases[_i].used);
        ck_assert_uint_eq(fake_count(f->fake, "WriteValue"), cases[_i].used ? 1 : 22);
        ck_assert_uint_eq(f->hut->n_written, 22);
        ck_assert_uint_eq(f->hut->written->len, 170);
        ck_assert_uint_eq(f->closed, 0);
}
END_TEST

/* It is not worth the link. */
START_TEST(no_descriptor) {
        static const char *const errors[] = {FAKE_ERROR("NotSupported"), FAKE_ERROR("Failed"),
                                             FAKE_ERROR("NotPermitted")};

        f->hut->mtu = 247;
        fake_fail(f->fake, "AcquireWrite", errors[_i], "No");
        open_hut();
        send_frame(CMD_DEVICE_QUERY, 2);
        ble_settle(f);
        send_frame(0x05, 3);
        send_frame(0x06, 4);
        ble_settle(f);
        ck_assert_uint_eq(fake_count(f->fake, "AcquireWrite"), 1);
        ck_assert_uint_eq(fake_count(f->fake, "WriteValue"), 3);
        ck_assert_uint_eq(f->hut->written->len, 4);
        ck_assert_uint_eq(f->closed, 0);
}
END_TEST

/* bluetoothd gives no answer, then one: meanwhile all wait, in order. */
START_TEST(slow_descriptor) {
        f->hut->mtu = 247;
        fake_delay(f->fake, "AcquireWrite", 50 * 1000);
        open_hut();
        send_frame(CMD_DEVICE_QUERY, 2);
        ble_settle(f);
        send_frame(0x05, 3);
        send_frame(0x06, 4);
        ble_settle(f);
        ck_assert_uint_eq(f->hut->n_written, 1);
        ble_pass(f, 100 * 1000);
        ck_assert_uint_eq(f->hut->n_written, 3);
        ck_assert_uint_eq(f->hut->written->data[0], 6);
}
END_TEST

START_TEST(descriptor_ends) {
        f->hut->mtu = 247;
        open_hut();
        send_frame(CMD_DEVICE_QUERY, 2);
        ble_settle(f);
        send_frame(0x05, 3);
        ble_settle(f);
        fake_radio_end_write(f->hut);
        ble_settle(f);
        ck_assert_uint_eq(f->closed, 1);
        ck_assert_int_eq(f->end, LINK_END_LOST);
}
END_TEST

/* -- proof ------------------------------------------------------------------------------ */

START_TEST(first_frame_is_the_proof) {
        open_hut();
        ble_pass(f, 60 * USEC_PER_SEC);
        ble_expect_bond(f, BOND_BONDED, BOND_REASON_NONE);
        ck_assert_uint_eq(bond_last_verified(f->bond), 0);
        fake_radio_notify(f->hut, "\x0d", 1);
        ble_settle(f);
        ble_expect_bond(f, BOND_VERIFIED, BOND_REASON_NONE);
        ck_assert_uint_gt(bond_last_verified(f->bond), 0);
}
END_TEST

/* -- the end ------------------------------------------------------------------------------ */

static void close_by_observer(Bond *bond, void *userdata) {
        if (bond_state(bond) == BOND_VERIFIED)
                f->link = link_close(f->link);
}

START_TEST(closed_by_observer) {
        open_hut();
        bond_set_observer(f->bond, close_by_observer, NULL);
        fake_radio_notify(f->hut, "\x0d", 1);
        ble_settle(f);
        ck_assert_ptr_null(f->link);
        ck_assert_uint_eq(f->frames->len, 0);
}
END_TEST

/* Nothing is waited for: what was on its way has failed the moment that the link has. */
START_TEST(pending_writes_end_at_once) {
        uint64_t began;

        open_hut();
        fake_silence(f->fake, "WriteValue");
        for (uint8_t i = 1; i <= 5; i++)
                send_frame(i, i);
        ble_settle(f);
        began = ble_now();
        switch (_i) {
        case 0:
                fake_radio_set_connected(f->hut, false, NULL);
                break;
        case 1:
                fake_adapter_set_powered(f->hci0, false);
                break;
        case 2:
                fake_crash(f->fake);
                break;
        case 3:
                fake_bus_drop(f->fake, true);
                break;
        case 4:
                fake_radio_remove(f->hut);
                break;
        default:
                fake_radio_end_notify(f->hut);
                break;
        }
        ble_settle(f);
        ck_assert_uint_eq(f->closed, 1);
        ck_assert_int_eq(f->end, LINK_END_LOST);
        ck_assert_uint_lt(ble_now() - began, USEC_PER_SEC);
        ck_assert_int_eq(link_send(f->link, (const uint8_t *) "x", 1), -ENOTCONN);
        /* the bond has nothing to do with it */
        ck_assert_int_ne(bond_state(f->bond), BOND_STALE);
        ck_assert_int_ne(bond_state(f->bond), BOND_NEEDS_PIN);
}
END_TEST

/* "org.bluez.Reason.…" of those bluetoothds that tell. */
START_TEST(reason_is_told) {
        f->fake->modern = true;
        open_hut();
        fake_radio_set_connected(f->hut, false, "org.bluez.Reason.Suspend");
        ble_settle(f);
        ck_assert_uint_eq(f->closed, 1);
        ck_assert_int_eq(f->end, LINK_END_LOST);
}
END_TEST

START_TEST(write_never_answered) {
        uint64_t began = ble_now();

        open_hut();
        fake_silence(f->fake, "WriteValue");
        send_frame(0x16, 2);
        ble_run_until(f, 60 * USEC_PER_SEC, f->closed > 0);
        ck_assert_int_eq(f->end, LINK_END_LOST);
        ck_assert_uint_lt(ble_now() - began, 30 * USEC_PER_SEC);
}
END_TEST

START_TEST(errors_of_write) {
        static const struct {
                const char *name, *text;
                LinkEnd end;
                bool stale;
        } cases[] = {
                        {FAKE_ERROR("NotPermitted"), "Not paired", LINK_END_NEEDS_PIN, true},
                        {FAKE_ERROR("NotAuthorized"), "Not authorized", LINK_END_NEEDS_PIN, true},
                        {FAKE_ERROR("Failed"), "Operation failed with ATT error: 0x05", LINK_END_NEEDS_PIN,
                         true},
                        {FAKE_ERROR("Failed"), "Operation failed with ATT error: 0x0f", LINK_END_NEEDS_PIN,
                         true},
                        {FAKE_ERROR("NotPermitted"), "Write acquired", LINK_END_LOST, false},
                        {FAKE_ERROR("Failed"), "Operation failed with ATT error: 0x0e", LINK_END_LOST, false},
                        {FAKE_ERROR("Failed"), "Not connected", LINK_END_LOST, false},
                        {FAKE_ERROR("InProgress"), "In Progress", LINK_END_LOST, false},
                        {"org.freedesktop.DBus.Error.UnknownObject", "no such object", LINK_END_LOST, false},
        };

        f->has_pin = false;
        open_hut();
        fake_fail(f->fake, "WriteValue", cases[_i].name, cases[_i].text);
        send_frame(0x16, 2);
        ble_settle(f);
        ck_assert_uint_eq(f->closed, 1);
        ck_assert_msg(f->end == cases[_i].end, "%s", f->why);
        ck_assert((bond_state(f->bond) == BOND_STALE) == cases[_i].stale);
        ck_assert(f->hut->paired);
        ck_assert_uint_eq(fake_count(f->fake, "RemoveDevice"), 0);
}
END_TEST

/* -- strange objects ------------------------------------------------------------------------ */

START_TEST(no_uart) {
        f->hut->no_uart = true;
        f->hut->has_services = false;
        ble_open_link(f, HUT_ADDRESS);
        ck_assert_uint_eq(f->closed, 1);
        ck_assert_int_eq(f->end, LINK_END_PROTOCOL);
        ck_assert_int_eq(f->error, -ENOPROTOOPT);
        ck_assert(f->hut->paired);
}
END_TEST

/* The answer to AcquireNotify holds something else than a descriptor and a number. */
START_TEST(strange_descriptor) {
        f->fake->odd_notify = (unsigned) _i + 1;
        ble_open_link(f, HUT_ADDRESS);
        ck_assert_uint_eq(f->closed, 1);
        ck_assert_int_ne(f->end, LINK_END_NEEDS_PIN);
        ck_assert(f->hut->paired);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("ble-channel");
        TCase *tcase = tcase_create("channel");
        SRunner *runner;
        int failed;

        tcase_add_checked_fixture(tcase, setup, teardown);
        tcase_add_loop_test(tcase, mtu, 0, 8);
        tcase_add_test(tcase, frames_in);
        tcase_add_test(tcase, frames_out_in_order);
        tcase_add_test(tcase, too_much_waits);
        tcase_add_loop_test(tcase, descriptor, 0, 4);
        tcase_add_loop_test(tcase, no_descriptor, 0, 3);
        tcase_add_test(tcase, slow_descriptor);
        tcase_add_test(tcase, descriptor_ends);
        tcase_add_test(tcase, first_frame_is_the_proof);
        tcase_add_test(tcase, closed_by_observer);
        tcase_add_loop_test(tcase, pending_writes_end_at_once, 0, 6);
        tcase_add_test(tcase, reason_is_told);
        tcase_add_test(tcase, write_never_answered);
        tcase_add_loop_test(tcase, errors_of_write, 0, 9);
        tcase_add_test(tcase, no_uart);
        tcase_add_loop_test(tcase, strange_descriptor, 0, 3);
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
