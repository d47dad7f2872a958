/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Questions to other nodes: exactly one answer each, and objects that show them. */

#include <check.h>
#include <stdlib.h>
#include <unistd.h>

#include "bus-fixture.h"

static char node_path[128];

static void add_node(Fixture *f, uint8_t first, uint8_t type) {
        g_autoptr(Contact) contact = test_contact(first, "Hill");
        PublicKey key = test_key(first);

        contact->type = type;
        ck_assert_int_ge(identity_put_contact(fixture_identity(f), contact), 0);
        g_snprintf(node_path, sizeof(node_path), RADIO_PATH "/contact/%s", key_to_text(&key).text);
        fixture_run(f);
}

static Fixture *fixture_with_node(void) {
        Fixture *f = fixture_new();

        add_node(f, 2, CONTACT_REPEATER);
        fixture_clear_signals(f);
        return f;
}

static void ask(Fixture *f, sd_bus_message **ret_reply, const char *member, const char *types, ...) {
        sd_bus_message *call = fixture_new_call(f, node_path, BUS_NODE, member);
        va_list ap;

        va_start(ap, types);
        if (types)
                ck_assert_int_ge(sd_bus_message_appendv(call, types, ap), 0);
        va_end(ap);
        fixture_call_async(f, call, ret_reply);
        fixture_run(f);
}

static char *request_path(const char *token) {
        return g_strdup_printf("/org/meshcored1/request/%u_%s", (unsigned) getuid(), token);
}

static bool tree_has_requests(Fixture *f) {
        g_autoptr(sd_bus_message) reply = fixture_call(
                        f, "/org/meshcored1", "org.freedesktop.DBus.Introspectable", "Introspect", NULL);
        const char *xml;

        ck_assert_int_gt(sd_bus_message_read(reply, "s", &xml), 0);
        return strstr(xml, "<node name=\"request\"");
}

START_TEST(answer_reaches_the_caller_once) {
        g_autoptr(Fixture) f = fixture_with_node();
        g_autoptr(NodeAnswer) answer = node_answer_new(NODE_OPERATION_STATUS, false);
        g_autoptr(sd_bus_message) reply = NULL, state = NULL;
        g_autofree char *path = request_path("a1"), *queued = NULL, *running = NULL;

        ck_assert(!tree_has_requests(f));
        ask(f, &reply, "GetStatus", "a{sv}", 2, "RequestToken", "s", "a1", "Poll", "b", 1);
        ck_assert_ptr_null(reply);
        ck_assert(tree_has_requests(f));
        ck_assert_uint_eq(fake_radio_n_node_requests(f->radio), 1);
        ck_assert_int_eq(fake_radio_node_query(f->radio)->operation, NODE_OPERATION_STATUS);
        ck_assert(fake_radio_node_query(f->radio)->poll);
        ck_assert_uint_eq(fake_radio_node_query(f->radio)->uid, getuid());

        queued = fixture_get_string(f, path, BUS_REQUEST, "State");
        ck_assert_str_eq(queued, "queued");
        fake_radio_run_node_request(f->radio);
        fixture_run(f);
        running = fixture_get_string(f, path, BUS_REQUEST, "State");
        ck_assert_str_eq(running, "running");
        ck_assert_uint_eq(fixture_get_number(f, path, BUS_REQUEST, "DeadlineUSec", "t"), 1234567);

        node_record_add_uint(answer->record, "BatteryMillivolts", 4021);
        fake_radio_answer_node(f->radio, OUTCOME_OK, answer);
        fixture_run(f);
        ck_assert_ptr_nonnull(reply);
        assert_reply_ok(reply);
        ck_assert(enter_key(reply, "BatteryMillivolts", "u"));
        state = fixture_call(f, path, "org.freedesktop.DBus.Properties", "Get", "ss", BUS_REQUEST, "State");
        ck_assert_str_ne(reply_error(state), "");
        ck_assert(!tree_has_requests(f));
        ck_assert_uint_eq(fixture_count_signals(f, "Result"), 1);
}
END_TEST

START_TEST(token_is_taken_while_it_runs) {
        g_autoptr(Fixture) f = fixture_with_node();
        g_autoptr(sd_bus_message) one = NULL, two = NULL, three = NULL;

        ask(f, &one, "GetOwner", "a{sv}", 1, "RequestToken", "s", "a1");
        ask(f, &two, "GetOwner", "a{sv}", 1, "RequestToken", "s", "a1");
        ck_assert_ptr_nonnull(two);
        assert_reply_error(two, "InProgress");
        ask(f, &three, "GetOwner", "a{sv}", 1, "RequestToken", "s", "a/1");
        ck_assert_ptr_nonnull(three);
        assert_reply_error(three, "InvalidArguments");
        sd_bus_message_unref(g_steal_pointer(&three));
        ask(f, &three, "GetOwner", "a{sv}", 1, "RequestToken", "s",
            "12345678901234567890123456789012345678901234567890123456789012345");
        ck_assert_ptr_nonnull(three);
        assert_reply_error(three, "InvalidArguments");
        fake_radio_answer_node(f->radio, OUTCOME_TIMEOUT, NULL);
        fixture_run(f);
        assert_reply_error(one, "Timeout");
}
END_TEST

START_TEST(cancel) {
        g_autoptr(Fixture) f = fixture_with_node();
        g_autoptr(sd_bus_message) reply = NULL, cancelled = NULL;
        g_autofree char *path = request_path("x");

        ask(f, &reply, "Command", "sa{sv}", "ver", 1, "RequestToken", "s", "x");
        ck_assert_str_eq(fake_radio_node_query(f->radio)->text, "ver");
        cancelled = fixture_call(f, path, BUS_REQUEST, "Cancel", NULL);
        assert_reply_ok(cancelled);
        ck_assert(fake_radio_node_cancelled(f->radio));
        fake_radio_answer_node(f->radio, OUTCOME_CANCELLED, NULL);
        fixture_run(f);
        assert_reply_error(reply, "Cancelled");
}
END_TEST

START_TEST(connection_goes) {
        g_autoptr(Fixture) f = fixture_with_node();
        g_autoptr(sd_bus_message) reply = NULL;

        ask(f, &reply, "GetTelemetry", "a{sv}", 0);
        bus_detach(f->bus);
        ck_assert(fake_radio_node_cancelled(f->radio));
        fixture_run(f);
        fixture_reconnect(f);
        fake_radio_answer_node(f->radio, OUTCOME_CANCELLED, NULL);
        fixture_run(f);
        ck_assert_uint_eq(fake_radio_n_node_requests(f->radio), 0);
}
END_TEST

START_TEST(capability_follows_the_type) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(sd_bus_message) reply = NULL;

        add_node(f, 3, CONTACT_CHAT);
        reply = fixture_call(f, node_path, BUS_NODE, "Logout", NULL);
        ck_assert_str_ne(reply_error(reply), "");
        ck_assert_uint_eq(fake_radio_n_node_requests(f->radio), 0);

        fixture_clear_signals(f);
        add_node(f, 3, CONTACT_SENSOR);
        ck_assert_uint_eq(fixture_count_signals(f, "InterfacesAdded"), 1);
        ck_assert_uint_eq(fixture_get_number(f, node_path, BUS_NODE, "StatusUSec", "t"), 0);
        add_node(f, 3, CONTACT_CHAT);
        ck_assert_uint_eq(fixture_count_signals(f, "InterfacesRemoved"), 1);
}
END_TEST

START_TEST(last_answers_are_there_for_everybody) {
        g_autoptr(Fixture) f = fixture_with_node();
        g_autoptr(NodeAnswer) answer = node_answer_new(NODE_OPERATION_TELEMETRY, true);
        g_autoptr(sd_bus_message) value = NULL;
        PublicKey key = test_key(2);
        NodeRecord *record = node_answer_add(answer);

        node_record_add_text(record, "Quantity", "voltage", 7);
        node_record_add_double(record, "Value", 4.02);
        node_record_add_bytes(record, "Key", NODE_VALUE_KEY, key.bytes, 6);
        *fake_radio_node_state() = (NodeState){
                        .logged_in = true,
                        .permissions = "admin",
                        .telemetry = answer,
                        .telemetry_usec = 7,
        };
        fake_radio_tell_node(f->radio, &key, NODE_CHANGED_TELEMETRY | NODE_CHANGED_LOGIN);
        fixture_run(f);
        ck_assert_uint_eq(fixture_count_signals(f, "PropertiesChanged"), 1);
        ck_assert_uint_eq(fixture_get_number(f, node_path, BUS_NODE, "TelemetryUSec", "t"), 7);
        value = fixture_get(f, node_path, BUS_NODE, "Telemetry", "aa{sv}");
        ck_assert_int_gt(sd_bus_message_enter_container(value, 'a', "a{sv}"), 0);
        ck_assert(enter_key(value, "Contact", "o"));
        *fake_radio_node_state() = (NodeState){.permissions = "none"};
}
END_TEST

START_TEST(arguments) {
        g_autoptr(Fixture) f = fixture_with_node();
        g_autoptr(sd_bus_message) login = NULL, neighbours = NULL, unknown = NULL, raw = NULL;
        const uint8_t request[] = {7, 1};
        sd_bus_message *call;

        ask(f, &unknown, "GetBasic", "a{sv}", 1, "Flood", "b", 1);
        assert_reply_error(unknown, "InvalidArguments");

        ask(f, &login, "Login", "sa{sv}", "secret", 1, "Force", "b", 1);
        ck_assert_str_eq(fake_radio_node_query(f->radio)->text, "secret");
        ck_assert(fake_radio_node_query(f->radio)->insist);
        fake_radio_answer_node(f->radio, OUTCOME_LOGIN_FAILED, NULL);
        fixture_run(f);
        assert_reply_error(login, "LoginFailed");

        ask(f, &neighbours, "GetNeighbours", "a{sv}", 2, "Order", "s", "strongest", "Limit", "y", 9);
        ck_assert_uint_eq(fake_radio_node_query(f->radio)->order, 2);
        ck_assert_uint_eq(fake_radio_node_query(f->radio)->max_count, 9);
        fake_radio_answer_node(f->radio, OUTCOME_NOT_FOUND, NULL);
        fixture_run(f);
        assert_reply_error(neighbours, "NotFound");

        call = fixture_new_call(f, node_path, BUS_NODE, "Request");
        ck_assert_int_ge(sd_bus_message_append_array(call, 'y', request, sizeof(request)), 0);
        ck_assert_int_ge(sd_bus_message_append(call, "a{sv}", 0), 0);
        fixture_call_async(f, call, &raw);
        fixture_run(f);
        ck_assert_uint_eq(fake_radio_node_query(f->radio)->data.size, 2);
        fake_radio_answer_node(f->radio, OUTCOME_LINK_LOST, NULL);
        fixture_run(f);
        assert_reply_error(raw, "LinkLost");
}
END_TEST

int main(void) {
        Suite *suite = suite_create("bus-node");
        TCase *tcase = tcase_create("all");
        SRunner *runner;
        int failed;

        tcase_add_test(tcase, answer_reaches_the_caller_once);
        tcase_add_test(tcase, token_is_taken_while_it_runs);
        tcase_add_test(tcase, cancel);
        tcase_add_test(tcase, connection_goes);
        tcase_add_test(tcase, capability_follows_the_type);
        tcase_add_test(tcase, last_answers_are_there_for_everybody);
        tcase_add_test(tcase, arguments);
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
