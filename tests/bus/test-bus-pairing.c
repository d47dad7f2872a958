/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The bond of a radio on the bus. */

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "bus-fixture.h"

#define BLE_PATH "/org/meshcored1/radio/ble"

static Fixture *f;
static Radio *radio;

static void setup(void) {
        f = fixture_new();
        radio = fake_radio_add_ble(f->manager, "ble");
        fixture_run(f);
        fixture_clear_signals(f);
}

static void teardown(void) {
        f = fixture_free(f);
}

/* Sends Pair with a passkey, or without. */
static void call_pair(const char *key, const char *passkey, sd_bus_message **ret_reply) {
        sd_bus_message *call = fixture_new_call(f, BLE_PATH, BUS_PAIRING, "Pair");
        int r = key ? sd_bus_message_append(call, "a{sv}", 1, key, "s", passkey)
                    : sd_bus_message_append(call, "a{sv}", 0);

        ck_assert_int_ge(r, 0);
        fixture_call_async(f, call, ret_reply);
        fixture_run(f);
}

static const char *reply_text(sd_bus_message *reply) {
        const char *text;

        assert_reply_ok(reply);
        ck_assert_int_gt(sd_bus_message_read(reply, "s", &text), 0);
        return text;
}

START_TEST(state_follows) {
        g_autofree char *none = fixture_get_string(f, BLE_PATH, BUS_PAIRING, "BondState"), *state = NULL,
                        *reason = NULL;

        ck_assert_str_eq(none, "none");
        fake_radio_set_bond(radio, "stale", "key-missing", 5);
        fixture_run(f);
        state = fixture_get_string(f, BLE_PATH, BUS_PAIRING, "BondState");
        reason = fixture_get_string(f, BLE_PATH, BUS_PAIRING, "Reason");
        ck_assert_str_eq(state, "stale");
        ck_assert_str_eq(reason, "key-missing");
        ck_assert_uint_eq(fixture_get_number(f, BLE_PATH, BUS_PAIRING, "LastVerifiedUSec", "t"), 5);
        ck_assert_uint_eq(fixture_count_signals(f, "PropertiesChanged " BLE_PATH), 1);
}
END_TEST

/* More than any other object has: each interface but one without properties, in one turn. */
START_TEST(all_interfaces_change_at_once) {
        PublicKey key = test_key(9);

        fake_radio_set_identity(radio, &key);
        fake_radio_set_bond(radio, "verified", "none", 5);
        fake_radio_notify(radio, RADIO_CHANGED_DEVICE | RADIO_CHANGED_STATE);
        fixture_run(f);
        ck_assert_uint_eq(fixture_count_signals(f, "PropertiesChanged " BLE_PATH " "), 5);
        ck_assert_uint_eq(fixture_count_signals(f, "PropertiesChanged " BLE_PATH " Pairing "), 1);
        ck_assert_uint_eq(fixture_count_signals(f, "PropertiesChanged " BLE_PATH " Channels "), 1);
        ck_assert_uint_eq(fixture_count_signals(f, "PropertiesChanged " BLE_PATH " Messages "), 1);
}
END_TEST

START_TEST(only_bluetooth_has_it) {
        g_autoptr(sd_bus_message) reply = fixture_call(f, RADIO_PATH, BUS_PAIRING, "Verify", "");

        ck_assert_int_eq(sd_bus_message_is_method_error(reply, SD_BUS_ERROR_UNKNOWN_INTERFACE) ||
                                         sd_bus_message_is_method_error(reply, SD_BUS_ERROR_UNKNOWN_METHOD),
                         1);
}
END_TEST

START_TEST(pair) {
        g_autoptr(sd_bus_message) first = NULL, second = NULL, third = NULL, fourth = NULL;

        call_pair("Passkey", "012345", &first);
        ck_assert_ptr_null(first);
        ck_assert_str_eq(fake_radio_bond_request(radio), "pair 012345");
        fake_radio_answer_bond(radio, OUTCOME_OK, false);
        fixture_run(f);
        ck_assert_str_eq(reply_text(first), "bonded");

        call_pair(NULL, NULL, &second);
        ck_assert_str_eq(fake_radio_bond_request(radio), "pair");
        fake_radio_answer_bond(radio, OUTCOME_OK, true);
        fixture_run(f);
        ck_assert_str_eq(reply_text(second), "already-bonded");

        call_pair("Passkey", "654321", &third);
        fake_radio_answer_bond(radio, OUTCOME_LOGIN_FAILED, false);
        fixture_run(f);
        assert_reply_error(third, "LoginFailed");

        call_pair("Pin", "654321", &fourth);
        assert_reply_error(fourth, "InvalidArguments");
        ck_assert_ptr_null(fake_radio_bond_request(radio));
}
END_TEST

START_TEST(verify_and_forget) {
        sd_bus_message *verify = fixture_new_call(f, BLE_PATH, BUS_PAIRING, "Verify");
        sd_bus_message *forget = fixture_new_call(f, BLE_PATH, BUS_PAIRING, "Forget");
        g_autoptr(sd_bus_message) verified = NULL, forgotten = NULL;

        fixture_call_async(f, verify, &verified);
        fixture_run(f);
        ck_assert_str_eq(fake_radio_bond_request(radio), "verify");
        fake_radio_set_bond(radio, "unreachable", "unreachable", 0);
        fake_radio_answer_bond(radio, OUTCOME_OK, false);
        fixture_run(f);
        ck_assert_str_eq(reply_text(verified), "unreachable");

        fixture_call_async(f, forget, &forgotten);
        fixture_run(f);
        ck_assert_str_eq(fake_radio_bond_request(radio), "forget");
        fake_radio_answer_bond(radio, OUTCOME_NOT_FOUND, false);
        fixture_run(f);
        assert_reply_error(forgotten, "NotFound");
}
END_TEST

/* Its caller is answered, and its interface goes with it. */
START_TEST(radio_goes_while_pairing) {
        g_autoptr(sd_bus_message) reply = NULL;

        call_pair("Passkey", "123456", &reply);
        fake_radio_remove(f->manager, radio);
        fixture_run(f);
        assert_reply_error(reply, "Cancelled");
        ck_assert_uint_eq(fixture_count_signals(f, "InterfacesRemoved " BLE_PATH), 1);
        for (guint i = 0; i < fixture_signals(f)->len; i++)
                if (g_str_has_prefix(fixture_signals(f)->pdata[i], "InterfacesRemoved " BLE_PATH))
                        ck_assert_ptr_nonnull(strstr(fixture_signals(f)->pdata[i], "Pairing"));
}
END_TEST

int main(void) {
        Suite *suite = suite_create("bus-pairing");
        TCase *tcase = tcase_create("all");
        SRunner *runner;
        int failed;

        tcase_add_checked_fixture(tcase, setup, teardown);
        tcase_add_test(tcase, state_follows);
        tcase_add_test(tcase, all_interfaces_change_at_once);
        tcase_add_test(tcase, only_bluetooth_has_it);
        tcase_add_test(tcase, pair);
        tcase_add_test(tcase, verify_and_forget);
        tcase_add_test(tcase, radio_goes_while_pairing);
        suite_add_tcase(suite, tcase);

        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
