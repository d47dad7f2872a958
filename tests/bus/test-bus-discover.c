/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Radios that are there, and bonds, as a client of the Manager sees them. */

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "bus-fixture.h"
#include "fake-discover.h"

static Fixture *f;

static void setup(void) {
        f = fixture_new();
}

static void teardown(void) {
        f = fixture_free(f);
}

static Found port = {
                .transport = TRANSPORT_SERIAL,
                .address = (char *) "/dev/serial/by-id/usb-RAK-if00",
                .device = (char *) "/dev/ttyACM0",
                .name = (char *) "WisBlock",
                .has_key = true,
};
static Found hut = {
                .transport = TRANSPORT_BLE,
                .address = (char *) "C0:00:00:00:22:01",
                .name = (char *) "MeshCore-H\xffut",
                .adapter = (char *) "hci1",
                .bonded = true,
                .has_rssi = true,
                .rssi = -71,
};

static Found bridge = {
                .transport = TRANSPORT_SERIAL,
                .address = (char *) "/dev/ttyUSB0",
                .device = (char *) "/dev/ttyUSB0",
                .name = (char *) "CP2102 USB to UART Bridge Controller",
                .candidate = true,
};

static void ask(const char *member, const char *key, const char *type, const void *value,
                sd_bus_message **ret_reply) {
        sd_bus_message *call = fixture_new_call(f, BUS_ROOT, BUS_MANAGER, member);
        int r;

        r = sd_bus_message_open_container(call, 'a', "{sv}");
        if (r >= 0 && key) {
                r = sd_bus_message_open_container(call, 'e', "sv");
                if (r >= 0)
                        r = sd_bus_message_append_basic(call, 's', key);
                if (r >= 0)
                        r = sd_bus_message_open_container(call, 'v', type);
                if (r >= 0)
                        r = sd_bus_message_append_basic(call, type[0], value);
                if (r >= 0)
                        r = sd_bus_message_close_container(call);
                if (r >= 0)
                        r = sd_bus_message_close_container(call);
        }
        if (r >= 0)
                r = sd_bus_message_close_container(call);
        ck_assert_int_ge(r, 0);
        fixture_call_async(f, call, ret_reply);
        fixture_run(f);
}

/* Rewound to the nth record. */
static void enter_record(sd_bus_message *reply, unsigned n) {
        ck_assert_int_ge(sd_bus_message_rewind(reply, true), 0);
        ck_assert_int_gt(sd_bus_message_enter_container(reply, 'a', "a{sv}"), 0);
        while (n-- > 0)
                ck_assert_int_gt(sd_bus_message_skip(reply, "a{sv}"), 0);
}

static const char *text_of(sd_bus_message *reply, unsigned n, const char *key, const char *type) {
        const char *text;

        enter_record(reply, n);
        if (!enter_key(reply, key, type))
                return NULL;
        ck_assert_int_gt(sd_bus_message_read_basic(reply, type[0], &text), 0);
        return text;
}

static bool is_certain(sd_bus_message *reply, unsigned n) {
        int certain;

        enter_record(reply, n);
        ck_assert(enter_key(reply, "Certain", "b"));
        ck_assert_int_gt(sd_bus_message_read_basic(reply, 'b', &certain), 0);
        return certain;
}

START_TEST(records) {
        g_autoptr(GPtrArray) found = g_ptr_array_new();
        g_autoptr(sd_bus_message) reply = NULL;
        int16_t rssi;

        port.radio = f->radio;
        port.key = test_key(1);
        g_ptr_array_add(found, &port);
        g_ptr_array_add(found, &hut);
        g_ptr_array_add(found, &bridge);

        ask("Discover", NULL, NULL, NULL, &reply);
        ck_assert_ptr_nonnull(fake_discovery());
        ck_assert_int_eq(fake_discovery()->transport, _TRANSPORT_INVALID);
        ck_assert_uint_eq(fake_discovery()->timeout_usec, 10 * USEC_PER_SEC);
        ck_assert(!fake_discovery()->first && !fake_discovery()->bonds);
        ck_assert_ptr_null(reply);

        fake_discovery_answer(OUTCOME_OK, found);
        fixture_run(f);
        assert_reply_ok(reply);
        ck_assert_ptr_null(fake_discovery());
        ck_assert_str_eq(text_of(reply, 0, "Transport", "s"), "serial");
        ck_assert_str_eq(text_of(reply, 0, "Address", "s"), port.address);
        ck_assert_str_eq(text_of(reply, 0, "Device", "s"), port.device);
        ck_assert_str_eq(text_of(reply, 0, "Radio", "o"), RADIO_PATH);
        ck_assert_str_eq(text_of(reply, 0, "PublicKey", "s"), key_to_text(&port.key).text);
        ck_assert_ptr_null(text_of(reply, 0, "Adapter", "s"));

        ck_assert(is_certain(reply, 0) && is_certain(reply, 1) && !is_certain(reply, 2));
        ck_assert_str_eq(text_of(reply, 2, "Device", "s"), bridge.device);

        ck_assert_str_eq(text_of(reply, 1, "Transport", "s"), "ble");
        ck_assert_str_eq(text_of(reply, 1, "Name", "s"), "MeshCore-H\xef\xbf\xbdut");
        ck_assert_str_eq(text_of(reply, 1, "Adapter", "s"), "hci1");
        ck_assert_ptr_null(text_of(reply, 1, "Radio", "o"));
        ck_assert_ptr_null(text_of(reply, 1, "PublicKey", "s"));
        enter_record(reply, 1);
        ck_assert(enter_key(reply, "Rssi", "n"));
        ck_assert_int_gt(sd_bus_message_read_basic(reply, 'n', &rssi), 0);
        ck_assert_int_eq(rssi, -71);
}
END_TEST

START_TEST(options) {
        static const uint64_t none = 0, much = 121 * USEC_PER_SEC, three = 3 * USEC_PER_SEC;
        static const int yes = 1;
        static const struct {
                const char *key, *type;
                const void *value;
        } bad[] = {
                        {"Transport", "s", "tcp"},   {"Transport", "b", &yes},    {"Adaptor", "s", "hci0"},
                        {"TimeoutUSec", "t", &none}, {"TimeoutUSec", "t", &much},
        };
        g_autoptr(sd_bus_message) serial = NULL, named = NULL, first = NULL, quick = NULL;

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                g_autoptr(sd_bus_message) reply = NULL;

                ask("Discover", bad[i].key, bad[i].type, bad[i].value, &reply);
                assert_reply_error(reply, "InvalidArguments");
                ck_assert_ptr_null(fake_discovery());
        }

        ask("Discover", "Transport", "s", "serial", &serial);
        ck_assert_int_eq(fake_discovery()->transport, TRANSPORT_SERIAL);
        fake_discovery_answer(OUTCOME_NOT_CONNECTED, NULL);
        fixture_run(f);
        assert_reply_error(serial, "NotConnected");

        ask("Discover", "Name", "s", "Hut", &named);
        ck_assert_str_eq(fake_discovery()->name, "Hut");
        fake_discovery_answer(OUTCOME_NOT_FOUND, NULL);
        ask("Discover", "First", "b", &yes, &first);
        ck_assert(fake_discovery()->first);
        fake_discovery_answer(OUTCOME_NOT_FOUND, NULL);
        ask("Discover", "TimeoutUSec", "t", &three, &quick);
        ck_assert_uint_eq(fake_discovery()->timeout_usec, three);
        fake_discovery_answer(OUTCOME_NOT_FOUND, NULL);
        fixture_run(f);
        assert_reply_error(quick, "NotFound");
}
END_TEST

/* Nobody is left to hear of it. */
START_TEST(ends_with_the_connection) {
        g_autoptr(sd_bus_message) reply = NULL;

        ask("Discover", NULL, NULL, NULL, &reply);
        ck_assert_ptr_nonnull(fake_discovery());
        bus_detach(f->bus);
        ck_assert_ptr_null(fake_discovery());
}
END_TEST

START_TEST(bonds) {
        g_autoptr(GPtrArray) found = g_ptr_array_new();
        sd_bus_message *list = fixture_new_call(f, BUS_ROOT, BUS_MANAGER, "ListBonds");
        sd_bus_message *forget = fixture_new_call(f, BUS_ROOT, BUS_MANAGER, "ForgetBond");
        g_autoptr(sd_bus_message) listed = NULL, forgotten = NULL;
        int bonded = 0;

        fixture_call_async(f, list, &listed);
        fixture_run(f);
        ck_assert(fake_discovery()->bonds);
        g_ptr_array_add(found, &hut);
        fake_discovery_answer(OUTCOME_OK, found);
        fixture_run(f);
        assert_reply_ok(listed);
        enter_record(listed, 0);
        ck_assert(enter_key(listed, "Bonded", "b"));
        ck_assert_int_gt(sd_bus_message_read_basic(listed, 'b', &bonded), 0);
        ck_assert_int_eq(bonded, 1);

        ck_assert_int_ge(sd_bus_message_append(forget, "s", hut.address), 0);
        fixture_call_async(f, forget, &forgotten);
        fixture_run(f);
        ck_assert_str_eq(fake_forget(), hut.address);
        ck_assert_ptr_null(forgotten);
        fake_forget_answer(OUTCOME_OK);
        fixture_run(f);
        assert_reply_ok(forgotten);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("bus-discover");
        TCase *tcase = tcase_create("all");
        SRunner *runner;
        int failed;

        tcase_add_checked_fixture(tcase, setup, teardown);
        tcase_add_test(tcase, records);
        tcase_add_test(tcase, options);
        tcase_add_test(tcase, ends_with_the_connection);
        tcase_add_test(tcase, bonds);
        suite_add_tcase(suite, tcase);

        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
