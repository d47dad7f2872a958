/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Traces, discoveries and bytes of one's own on the bus. */

#include <check.h>
#include <stdlib.h>

#include "bus-fixture.h"

static Fixture *f;

static void setup(void) {
        f = fixture_new();
        fixture_clear_signals(f);
}

static void teardown(void) {
        f = fixture_free(f);
}

static sd_bus_message *new_call(const char *member) {
        return fixture_new_call(f, RADIO_PATH, BUS_MONITOR, member);
}

/* hops of two bytes each, ended by 0 */
static void append_path(sd_bus_message *call, const uint16_t *hops) {
        ck_assert_int_ge(sd_bus_message_open_container(call, 'a', "ay"), 0);
        for (; *hops; hops++)
                ck_assert_int_ge(sd_bus_message_append_array(call, 'y', hops, sizeof(*hops)), 0);
        ck_assert_int_ge(sd_bus_message_close_container(call), 0);
}

START_TEST(trace) {
        static const uint16_t path[] = {0x0101, 0x0202, 0};
        g_autoptr(NodeAnswer) answer = node_answer_new(NODE_OPERATION_TRACE, true);
        g_autoptr(sd_bus_message) reply = NULL;
        sd_bus_message *call = new_call("TracePath");
        const NodeQuery *query;
        PublicKey key = test_key(1);

        append_path(call, path);
        ck_assert_int_ge(sd_bus_message_append(call, "a{sv}", 2, "AuthCode", "u", 7, "Poll", "b", 1), 0);
        fixture_call_async(f, call, &reply);
        fixture_run(f);
        ck_assert_uint_eq(fake_radio_n_node_requests(f->radio), 1);
        query = fake_radio_node_query(f->radio);
        ck_assert_int_eq(query->operation, NODE_OPERATION_TRACE);
        ck_assert(query->poll);
        ck_assert_uint_eq(query->auth, 7);
        ck_assert_uint_eq(query->hash_size, 2);
        ck_assert_uint_eq(query->data.size, 4);
        ck_assert_mem_eq(query->data.data, path, 4);

        node_record_add_bytes(node_answer_add(answer), "Hash", NODE_VALUE_KEY, key.bytes, 2);
        node_record_add_double(answer->list->pdata[0], "Snr", 7.5);
        fake_radio_answer_node(f->radio, OUTCOME_OK, answer);
        fixture_run(f);
        assert_reply_ok(reply);
        ck_assert_int_gt(sd_bus_message_enter_container(reply, 'a', "a{sv}"), 0);
        ck_assert(enter_key(reply, "Snr", "d"));
}
END_TEST

START_TEST(target_is_the_radio) {
        g_autoptr(sd_bus_message) reply = NULL;
        g_autofree char *path = g_strdup_printf("/org/meshcored1/request/%u_x", (unsigned) getuid());
        g_autofree char *target = NULL, *operation = NULL;
        sd_bus_message *call = new_call("DiscoverNodes");

        ck_assert_int_ge(sd_bus_message_append(call, "a{sv}", 1, "RequestToken", "s", "x"), 0);
        fixture_call_async(f, call, &reply);
        fixture_run(f);
        target = fixture_get_string(f, path, BUS_REQUEST, "Target");
        ck_assert_str_eq(target, RADIO_PATH);
        operation = fixture_get_string(f, path, BUS_REQUEST, "Operation");
        ck_assert_str_eq(operation, "discover");
        fake_radio_answer_node(f->radio, OUTCOME_RATE_LIMITED, NULL);
        fixture_run(f);
        assert_reply_error(reply, "RateLimited");
}
END_TEST

START_TEST(discovery_options) {
        g_autoptr(sd_bus_message) reply = NULL, wrong = NULL;
        sd_bus_message *call = new_call("DiscoverNodes");
        const NodeQuery *query;

        ck_assert_int_ge(sd_bus_message_append(call, "a{sv}", 4, "Types", "as", 2, "chat", "sensor",
                                               "PrefixOnly", "b", 1, "SinceUSec", "t", (uint64_t) 5000000,
                                               "WaitUSec", "t", (uint64_t) 2000000),
                         0);
        fixture_call_async(f, call, &reply);
        fixture_run(f);
        query = fake_radio_node_query(f->radio);
        ck_assert_uint_eq(query->types, 1 << CONTACT_CHAT | 1 << CONTACT_SENSOR);
        ck_assert(query->prefix_only);
        ck_assert_uint_eq(query->since, 5);
        ck_assert_uint_eq(query->collect_usec, 2000000);
        fake_radio_answer_node(f->radio, OUTCOME_TIMEOUT, NULL);

        call = new_call("DiscoverNodes");
        ck_assert_int_ge(sd_bus_message_append(call, "a{sv}", 1, "Types", "as", 1, "router"), 0);
        fixture_call_async(f, call, &wrong);
        fixture_run(f);
        assert_reply_error(wrong, "InvalidArguments");
}
END_TEST

START_TEST(mixed_hops) {
        g_autoptr(sd_bus_message) reply = NULL;
        sd_bus_message *call = new_call("TracePath");

        ck_assert_int_ge(sd_bus_message_append(call, "aay", 2, 1, 0x11, 2, 0x22, 0x33), 0);
        ck_assert_int_ge(sd_bus_message_append(call, "a{sv}", 0), 0);
        fixture_call_async(f, call, &reply);
        fixture_run(f);
        assert_reply_error(reply, "InvalidArguments");
        ck_assert_uint_eq(fake_radio_n_node_requests(f->radio), 0);
}
END_TEST

static void send_and_expect(sd_bus_message *call, const char *request) {
        g_autoptr(sd_bus_message) reply = NULL;

        fixture_call_async(f, call, &reply);
        fixture_run(f);
        ck_assert_str_eq(fake_radio_request(f->radio), request);
        ck_assert_ptr_null(reply);
        fake_radio_answer(f->radio, OUTCOME_OK);
        fixture_run(f);
        ck_assert_ptr_nonnull(reply);
        assert_reply_ok(reply);
}

START_TEST(bytes) {
        sd_bus_message *call;

        call = new_call("SendRaw");
        ck_assert_int_ge(sd_bus_message_append(call, "aayay", 2, 1, 0x11, 1, 0x22, 4, 1, 2, 3, 4), 0);
        send_and_expect(call, "send-raw 2 01020304");
        call = new_call("SendControl");
        ck_assert_int_ge(sd_bus_message_append(call, "ay", 2, 0x80, 1), 0);
        send_and_expect(call, "send-control 0 8001");
        call = new_call("SendPacket");
        ck_assert_int_ge(sd_bus_message_append(call, "yay", 3, 2, 0x3E, 0), 0);
        send_and_expect(call, "send-packet 3 3e00");
}
END_TEST

static const void *signal_bytes(unsigned i, const char *member, size_t *ret_size) {
        sd_bus_message *signal = f->signals->pdata[i];
        const void *data;

        ck_assert_str_eq(sd_bus_message_get_member(signal), member);
        ck_assert_int_gt(sd_bus_message_read_array(signal, 'y', &data, ret_size), 0);
        ck_assert(enter_key(signal, "Rssi", "i"));
        return data;
}

START_TEST(signals) {
        g_autoptr(NodeAnswer) answer = node_answer_new(NODE_OPERATION_TRACE, true);
        size_t size;

        node_record_add_double(node_answer_add(answer), "Snr", 7.5);
        fake_radio_hear_data(f->radio, false, "\x01\x02", 2);
        fake_radio_hear_data(f->radio, true, "\x92", 1);
        fake_radio_hear_trace(f->radio, answer);
        fixture_run(f);
        ck_assert_uint_eq(f->signals->len, 3);
        ck_assert_mem_eq(signal_bytes(0, "RawData", &size), "\x01\x02", 2);
        ck_assert_uint_eq(size, 2);
        ck_assert_mem_eq(signal_bytes(1, "ControlData", &size), "\x92", 1);
        ck_assert_str_eq(sd_bus_message_get_member(f->signals->pdata[2]), "Traced");
}
END_TEST

static char *add_node(void) {
        g_autoptr(Contact) contact = test_contact(2, "Hill");
        PublicKey key = test_key(2);

        contact->type = CONTACT_REPEATER;
        ck_assert_int_ge(identity_put_contact(fixture_identity(f), contact), 0);
        return g_strdup_printf(RADIO_PATH "/contact/%s", key_to_text(&key).text);
}

START_TEST(what_the_radio_knows) {
        g_autofree char *path = add_node();
        g_autoptr(sd_bus_message) advert = NULL, connection = NULL, missing = NULL;
        const void *hop;
        uint64_t heard;
        size_t size;
        int connected;

        fixture_call_async(f, fixture_new_call(f, path, BUS_CONTACT, "GetAdvertPath"), &advert);
        fixture_run(f);
        fake_radio_answer(f->radio, OUTCOME_OK);
        fixture_run(f);
        assert_reply_ok(advert);
        ck_assert_int_gt(sd_bus_message_read(advert, "t", &heard), 0);
        ck_assert_uint_eq(heard, 1234567);
        ck_assert_int_gt(sd_bus_message_enter_container(advert, 'a', "ay"), 0);
        ck_assert_int_gt(sd_bus_message_read_array(advert, 'y', &hop, &size), 0);
        ck_assert_uint_eq(size, 2);

        fixture_call_async(f, fixture_new_call(f, path, BUS_NODE, "HasConnection"), &connection);
        fixture_run(f);
        fake_radio_answer(f->radio, OUTCOME_OK);
        fixture_run(f);
        ck_assert_int_gt(sd_bus_message_read(connection, "b", &connected), 0);
        ck_assert(connected);

        fixture_call_async(f, fixture_new_call(f, path, BUS_CONTACT, "Refresh"), &missing);
        fixture_run(f);
        fake_radio_answer(f->radio, OUTCOME_NOT_FOUND);
        fixture_run(f);
        assert_reply_error(missing, "NotFound");
}
END_TEST

START_TEST(air_time) {
        g_autoptr(sd_bus_message) value = fixture_get(f, RADIO_PATH, BUS_RADIO, "AirtimeRefill", "d");
        double refill;

        ck_assert_int_gt(sd_bus_message_read(value, "d", &refill), 0);
        ck_assert_double_eq(refill, 0.05);
        ck_assert_uint_eq(fixture_get_number(f, RADIO_PATH, BUS_RADIO, "AirtimeBudgetUSec", "t"), 180000000);
        ck_assert_uint_eq(fixture_get_number(f, RADIO_PATH, BUS_RADIO, "AirtimeUsedUSec", "t"), 170000000);
        ck_assert_uint_eq(fixture_get_number(f, RADIO_PATH, BUS_RADIO, "AirtimeNextUSec", "t"), 42);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("bus-mesh");
        TCase *tcase = tcase_create("all");
        SRunner *runner;
        int failed;

        tcase_add_checked_fixture(tcase, setup, teardown);
        tcase_add_test(tcase, trace);
        tcase_add_test(tcase, target_is_the_radio);
        tcase_add_test(tcase, discovery_options);
        tcase_add_test(tcase, mixed_hops);
        tcase_add_test(tcase, bytes);
        tcase_add_test(tcase, signals);
        tcase_add_test(tcase, what_the_radio_knows);
        tcase_add_test(tcase, air_time);
        suite_add_tcase(suite, tcase);

        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
