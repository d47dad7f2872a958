/* SPDX-License-Identifier: GPL-3.0-or-later */

/* SendText and what follows, and calls that wait. */

#include <check.h>
#include <string.h>

#include "bus-fixture.h"

static char *contact_path(uint8_t first) {
        PublicKey key = test_key(first);

        return g_strdup_printf(RADIO_PATH "/contact/%s", key_to_text(&key).text);
}

static Fixture *new_with_people(void) {
        Fixture *f = fixture_new();

        fixture_add_contact(f, 2, "Ann");
        fixture_add_contact(f, 3, "Bob");
        fixture_add_channel(f, 3, "#test", 7);
        fixture_clear_signals(f);
        return f;
}

static const char *reply_path(sd_bus_message *reply) {
        const char *path;

        assert_reply_ok(reply);
        ck_assert_int_ge(sd_bus_message_rewind(reply, true), 0);
        ck_assert_int_gt(sd_bus_message_read(reply, "o", &path), 0);
        return path;
}

static uint64_t path_id(const char *path) {
        return g_ascii_strtoull(strrchr(path, '/') + 1, NULL, 10);
}

#define SEND(f, to, text, ...) \
        fixture_call(f, RADIO_PATH, BUS_RADIO, "SendText", "ssa{sv}", to, text, __VA_ARGS__)

START_TEST(recipients) {
        g_autoptr(Fixture) f = new_with_people();
        g_autofree char *ann = contact_path(2);
        PublicKey key = test_key(2);
        const struct {
                const char *to, *peer, *channel, *error;
        } cases[] = {
                        {ann, ann, "/", ""},
                        {key_to_text(&key).text, ann, "/", ""},
                        {"02030405", ann, "/", ""},
                        {"Ann", ann, "/", ""},
                        {"#test", "/", RADIO_PATH "/channel/3", ""},
                        {RADIO_PATH "/channel/3", "/", RADIO_PATH "/channel/3", ""},
                        {RADIO_PATH "/channel/4", NULL, NULL, "NotFound"},
                        {RADIO_PATH "/channel/03", NULL, NULL, "NotFound"},
                        {RADIO_PATH, NULL, NULL, "NotFound"},
                        {"/org/meshcored1/radio/other/channel/3", NULL, NULL, "NotFound"},
                        {"Eve", NULL, NULL, "NotFound"},
                        {"", NULL, NULL, "NotFound"},
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                g_autoptr(sd_bus_message) reply = SEND(f, cases[i].to, "hello", 0);
                g_autofree char *peer = NULL, *channel = NULL;

                assert_reply_error(reply, cases[i].error);
                if (!cases[i].peer)
                        continue;
                peer = fixture_get_string(f, reply_path(reply), BUS_MESSAGE, "Peer");
                channel = fixture_get_string(f, reply_path(reply), BUS_MESSAGE, "Channel");
                ck_assert_str_eq(peer, cases[i].peer);
                ck_assert_str_eq(channel, cases[i].channel);
        }
}
END_TEST

START_TEST(life_of_a_message) {
        g_autoptr(Fixture) f = new_with_people();
        g_autofree char *ann = contact_path(2), *changed = NULL, *added = NULL, *removed = NULL,
                        *error = NULL;
        g_autoptr(sd_bus_message) reply = fixture_call(f, ann, BUS_CONTACT, "SendText", "sa{sv}", "hello", 0);
        const char *path = reply_path(reply);

        added = g_strdup_printf("InterfacesAdded %s Message", path);
        removed = g_strdup_printf("InterfacesRemoved %s Message", path);
        changed = g_strdup_printf("PropertiesChanged %s Message Error,State", path);
        ck_assert(fixture_has_signal(f, added));
        ck_assert_uint_eq(fixture_count_signals(f, "Received"), 0);

        fixture_clear_signals(f);
        fake_radio_move_message(f->radio, path_id(path), MESSAGE_SENDING, NULL);
        fake_radio_move_message(f->radio, path_id(path), MESSAGE_FAILED, "nobody answered");
        ck_assert_uint_eq(fixture_count_signals(f, "Changed"), 2);
        ck_assert_uint_eq(fixture_count_signals(f, "PropertiesChanged"), 1);
        ck_assert(fixture_has_signal(f, changed));
        ck_assert(fixture_has_signal(f, removed));
        error = fixture_get_string(f, path, BUS_MESSAGE, "Error");
        ck_assert_str_eq(error, "nobody answered");

        /* A late acknowledgement reaches also those who look at a message that is not announced. */
        fixture_clear_signals(f);
        fake_radio_move_message(f->radio, path_id(path), MESSAGE_DELIVERED, NULL);
        ck_assert_uint_eq(fixture_count_signals(f, "Changed"), 1);
        ck_assert(fixture_has_signal(f, changed));
        ck_assert_uint_eq(fixture_count_signals(f, "Interfaces"), 0);
}
END_TEST

START_TEST(options) {
        g_autoptr(Fixture) f = new_with_people();
        g_autofree char *long_token = g_strnfill(IDENTITY_TOKEN_MAX + 1, 't');
        g_autofree char *long_text = g_strnfill(161, 'x');
        g_autoptr(sd_bus_message) unknown = SEND(f, "Ann", "x", 1, "queue", "b", false);
        g_autoptr(sd_bus_message) type = SEND(f, "Ann", "x", 1, "Queue", "s", "no");
        g_autoptr(sd_bus_message) wait = SEND(f, "Ann", "x", 1, "Wait", "s", "forever");
        g_autoptr(sd_bus_message) none = SEND(f, "Ann", "x", 1, "Token", "s", "");
        g_autoptr(sd_bus_message) too_long = SEND(f, "Ann", "x", 1, "Token", "s", long_token);
        g_autoptr(sd_bus_message) channel = SEND(f, "#test", "x", 1, "Wait", "s", "delivered");
        g_autoptr(sd_bus_message) away = SEND(f, "Ann", "x", 1, "Queue", "b", false);
        g_autoptr(sd_bus_message) text = SEND(f, "Ann", long_text, 0);
        g_autoptr(sd_bus_message) empty = SEND(f, "Ann", "", 0);

        assert_reply_error(unknown, "InvalidArguments");
        ck_assert_ptr_nonnull(strstr(sd_bus_message_get_error(unknown)->message, "queue"));
        assert_reply_error(type, "InvalidArguments");
        assert_reply_error(wait, "InvalidArguments");
        assert_reply_error(none, "InvalidArguments");
        assert_reply_error(too_long, "InvalidArguments");
        assert_reply_error(channel, "InvalidArguments");
        assert_reply_error(away, "NotConnected");
        assert_reply_error(text, "InvalidArguments");
        assert_reply_error(empty, "InvalidArguments");
        ck_assert_uint_eq(identity_last_message_id(fixture_identity(f)), 0);
}
END_TEST

START_TEST(expiry_and_token) {
        g_autoptr(Fixture) f = new_with_people();
        uint64_t expires = UINT64_C(4000000000000000);
        g_autoptr(sd_bus_message) first =
                        SEND(f, "Ann", "x", 2, "Token", "s", "t1", "ExpiresUSec", "t", expires);
        g_autoptr(sd_bus_message) second = SEND(f, "Ann", "x", 1, "Token", "s", "t1");
        g_autoptr(sd_bus_message) other = SEND(f, "Ann", "x", 1, "Token", "s", "t2");

        ck_assert_str_eq(reply_path(first), reply_path(second));
        ck_assert_str_ne(reply_path(first), reply_path(other));
        ck_assert_uint_eq(fixture_get_number(f, reply_path(first), BUS_MESSAGE, "ExpiresUSec", "t"), expires);
}
END_TEST

/* Sends a text to Ann that waits for wait. */
static void send_and_wait(Fixture *f, const char *to, const char *wait, sd_bus_message **ret_reply) {
        sd_bus_message *call = fixture_new_call(f, RADIO_PATH, BUS_RADIO, "SendText");

        ck_assert_int_ge(sd_bus_message_append(call, "ssa{sv}", to, "x", 1, "Wait", "s", wait), 0);
        fixture_call_async(f, call, ret_reply);
}

START_TEST(waits) {
        static const struct {
                const char *to, *wait;
                MessageState through, to_state;
                const char *error;
        } cases[] = {
                        {"Ann", "sent", MESSAGE_SENDING, MESSAGE_SENT, ""},
                        {"#test", "sent", MESSAGE_SENDING, MESSAGE_SENT, ""},
                        {"Ann", "delivered", MESSAGE_SENT, MESSAGE_DELIVERED, ""},
                        {"Ann", "sent", MESSAGE_SENDING, MESSAGE_DELIVERED, ""},
                        {"Ann", "delivered", MESSAGE_SENT, MESSAGE_FAILED, "Failed"},
                        {"Ann", "delivered", MESSAGE_SENDING, MESSAGE_CANCELLED, "Cancelled"},
                        {"Ann", "sent", MESSAGE_SENDING, MESSAGE_EXPIRED, "Timeout"},
        };
        g_autoptr(Fixture) f = new_with_people();

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                g_autoptr(sd_bus_message) reply = NULL;
                uint64_t id;

                send_and_wait(f, cases[i].to, cases[i].wait, &reply);
                id = identity_last_message_id(fixture_identity(f));
                ck_assert_ptr_null(reply);
                fake_radio_move_message(f->radio, id, cases[i].through, NULL);
                fixture_run(f);
                ck_assert_ptr_null(reply);
                fake_radio_move_message(f->radio, id, cases[i].to_state, "so it is");
                fixture_run(f);
                ck_assert_ptr_nonnull(reply);
                assert_reply_error(reply, cases[i].error);
        }
        ck_assert_uint_eq(g_queue_get_length(&f->bus->callers), 0);
}
END_TEST

/* A token whose message is there already: the answer comes at once. */
START_TEST(wait_with_token) {
        g_autoptr(Fixture) f = new_with_people();
        g_autoptr(sd_bus_message) first = SEND(f, "Ann", "x", 1, "Token", "s", "t");
        g_autoptr(sd_bus_message) second = NULL;

        fake_radio_move_message(f->radio, path_id(reply_path(first)), MESSAGE_DELIVERED, NULL);
        second = SEND(f, "Ann", "x", 2, "Token", "s", "t", "Wait", "s", "delivered");
        ck_assert_str_eq(reply_path(second), reply_path(first));
}
END_TEST

START_TEST(at_most_16_wait) {
        g_autoptr(Fixture) f = new_with_people();
        sd_bus_message *replies[BUS_CALLERS_MAX] = {};
        g_autoptr(sd_bus_message) refused = NULL, ping = NULL, plain = NULL;
        uint64_t last;

        for (size_t i = 0; i < ELEMENTSOF(replies); i++) {
                send_and_wait(f, "Ann", "sent", &replies[i]);
                ck_assert_ptr_null(replies[i]);
        }
        last = identity_last_message_id(fixture_identity(f));

        /* Refused, and nothing was queued: or the client would send it twice. */
        send_and_wait(f, "Ann", "sent", &refused);
        ck_assert_ptr_nonnull(refused);
        assert_reply_error(refused, "InProgress");
        ck_assert_uint_eq(identity_last_message_id(fixture_identity(f)), last);
        ping = fixture_call(f, RADIO_PATH, BUS_RADIO, "Ping", NULL);
        assert_reply_error(ping, "InProgress");
        ck_assert_uint_eq(fake_radio_n_pings(f->radio), 0);

        plain = SEND(f, "Ann", "x", 0);
        assert_reply_ok(plain);

        /* The identity goes: all are told. */
        fake_radio_set_identity(f->radio, NULL);
        fixture_run(f);
        for (size_t i = 0; i < ELEMENTSOF(replies); i++) {
                ck_assert_ptr_nonnull(replies[i]);
                assert_reply_error(replies[i], "Cancelled");
                sd_bus_message_unref(replies[i]);
        }
}
END_TEST

START_TEST(ping) {
        g_autoptr(Fixture) f = new_with_people();
        g_autoptr(sd_bus_message) one = NULL, two = NULL;
        uint64_t usec;

        fixture_call_async(f, fixture_new_call(f, RADIO_PATH, BUS_RADIO, "Ping"), &one);
        fixture_call_async(f, fixture_new_call(f, RADIO_PATH, BUS_RADIO, "Ping"), &two);
        ck_assert_ptr_null(one);
        fake_radio_answer_ping(f->radio, OUTCOME_OK, 1234);
        fake_radio_answer_ping(f->radio, OUTCOME_LINK_LOST, 0);
        fixture_run(f);
        assert_reply_ok(one);
        ck_assert_int_gt(sd_bus_message_read(one, "t", &usec), 0);
        ck_assert_uint_eq(usec, 1234);
        assert_reply_error(two, "LinkLost");
}
END_TEST

/* The radio answers after the connection is gone. */
START_TEST(ping_outlives_the_connection) {
        g_autoptr(Fixture) f = new_with_people();
        g_autoptr(sd_bus_message) one = NULL, two = NULL;

        fixture_call_async(f, fixture_new_call(f, RADIO_PATH, BUS_RADIO, "Ping"), &one);
        send_and_wait(f, "Ann", "sent", &two);
        bus_detach(f->bus);
        fake_radio_answer_ping(f->radio, OUTCOME_OK, 1234);
        fixture_run(f);
        fake_radio_move_message(f->radio, identity_last_message_id(fixture_identity(f)), MESSAGE_SENT, NULL);
        fixture_run(f);
        fixture_reconnect(f);
}
END_TEST

START_TEST(stop_answers_who_waits) {
        g_autoptr(Fixture) f = new_with_people();
        g_autoptr(sd_bus_message) one = NULL, two = NULL;

        fixture_call_async(f, fixture_new_call(f, RADIO_PATH, BUS_RADIO, "Ping"), &one);
        send_and_wait(f, "Ann", "delivered", &two);
        f->bus = bus_free(f->bus);
        fixture_run(f);
        assert_reply_error(one, "Cancelled");
        assert_reply_error(two, "Cancelled");
        fake_radio_answer_ping(f->radio, OUTCOME_OK, 1);
}
END_TEST

START_TEST(start_and_stop) {
        g_autoptr(Fixture) f = new_with_people();
        g_autoptr(sd_bus_message) start = fixture_call(f, RADIO_PATH, BUS_RADIO, "Start", NULL);
        g_autoptr(sd_bus_message) stop = NULL;

        assert_reply_ok(start);
        ck_assert_int_eq(radio_state(f->radio), RADIO_OPENING);
        stop = fixture_call(f, RADIO_PATH, BUS_RADIO, "Stop", NULL);
        assert_reply_ok(stop);
        ck_assert_int_eq(radio_state(f->radio), RADIO_STOPPED);
        ck_assert_uint_eq(fixture_count_signals(f, "StateChanged"), 2);
}
END_TEST

START_TEST(cancel_resend_delete) {
        g_autoptr(Fixture) f = new_with_people();
        g_autoptr(sd_bus_message) sent = SEND(f, "Ann", "x", 0);
        const char *path = reply_path(sent);
        g_autoptr(sd_bus_message) deleted = fixture_call(f, path, BUS_MESSAGE, "Delete", NULL);
        g_autoptr(sd_bus_message) resent = fixture_call(f, path, BUS_MESSAGE, "Resend", NULL);
        g_autoptr(sd_bus_message) cancelled = fixture_call(f, path, BUS_MESSAGE, "Cancel", NULL);
        g_autoptr(sd_bus_message) again = fixture_call(f, path, BUS_MESSAGE, "Cancel", NULL);
        g_autoptr(sd_bus_message) resent_now = fixture_call(f, path, BUS_MESSAGE, "Resend", NULL);
        g_autoptr(sd_bus_message) many = fixture_call(f, RADIO_PATH, BUS_MESSAGES, "Delete", "ao", 2, path,
                                                      reply_path(resent_now));
        g_autoptr(sd_bus_message) deleted_now = fixture_call(f, path, BUS_MESSAGE, "Delete", NULL);
        g_autofree char *received =
                        g_strdup_printf(RADIO_PATH "/message/%" PRIu64, fixture_receive(f, 2, "hi"));
        g_autoptr(sd_bus_message) foreign = fixture_call(f, received, BUS_MESSAGE, "Cancel", NULL);
        g_autoptr(sd_bus_message) foreign_again = fixture_call(f, received, BUS_MESSAGE, "Resend", NULL);

        assert_reply_error(deleted, "InProgress");
        assert_reply_error(resent, "InProgress");
        assert_reply_ok(cancelled);
        assert_reply_error(again, "Rejected");
        ck_assert_str_ne(reply_path(resent_now), path);
        assert_reply_error(many, "InProgress");
        assert_reply_ok(deleted_now);
        assert_reply_error(foreign, "NotSupported");
        assert_reply_error(foreign_again, "NotSupported");
}
END_TEST

int main(void) {
        Suite *suite = suite_create("bus-send");
        TCase *tcase = tcase_create("all");
        SRunner *runner;
        int failed;

        tcase_set_timeout(tcase, 30);
        tcase_add_test(tcase, recipients);
        tcase_add_test(tcase, life_of_a_message);
        tcase_add_test(tcase, options);
        tcase_add_test(tcase, expiry_and_token);
        tcase_add_test(tcase, waits);
        tcase_add_test(tcase, wait_with_token);
        tcase_add_test(tcase, at_most_16_wait);
        tcase_add_test(tcase, ping);
        tcase_add_test(tcase, ping_outlives_the_connection);
        tcase_add_test(tcase, stop_answers_who_waits);
        tcase_add_test(tcase, start_and_stop);
        tcase_add_test(tcase, cancel_resend_delete);
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed > 0;
}
