/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Each statement of the store, and each call of the spool, fails once while messages come and go: nothing is
 * lost or doubled, and all comes to its end without a hand. */

#include "faulty-calls.h"
#include "radio-fixture.h"
#include "store-internal.h"

static Fixture f;

static void setup(void) {
        fixture_setup(&f, 2);
}

static void teardown(void) {
        (void) faulty_calls_disarm();
        fixture_teardown(&f);
}

/* What the test itself reads does not count. */
static MessageState state_of(uint64_t id) {
        MessageState state;

        faulty_calls_pause(true);
        state = fixture_state(&f, id);
        faulty_calls_pause(false);
        return state;
}

static uint64_t count_messages(MessageState state) {
        g_autoptr(GPtrArray) list = NULL;
        MessageFilter filter;

        faulty_calls_pause(true);
        message_filter_init(&filter);
        filter.state = (int) state;
        ck_assert_int_eq(identity_list_messages(radio_identity(f.radio), &filter, 0, false, 100, &list), 0);
        faulty_calls_pause(false);
        return list->len;
}

/* As a node would that hears every try. */
static void confirm_all(guint *n) {
        for (; *n < f.peer->acks->len; (*n)++)
                peer_confirm(f.peer, *n);
}

static void assert_one_message(void) {
        const unsigned n = peer_count(f.peer, CMD_SEND_TXT_MSG);

        for (unsigned i = 1; i < n; i++) {
                const uint8_t *first = peer_command(f.peer, CMD_SEND_TXT_MSG, 0);
                const uint8_t *next = peer_command(f.peer, CMD_SEND_TXT_MSG, i);

                ck_assert_mem_eq(first + 3, next + 3, 4 + 6); /* its time, and to whom */
        }
}

START_TEST(sending) {
        const PublicKey key = key_of(1);
        uint64_t sent = 0;

        for (unsigned nth = 1;; nth++) {
                const Recipient to = {.contact = identity_get_contact(radio_identity(f.radio), &key)};
                const SendOptions options = {.queue = true};
                g_autofree char *text = g_strdup_printf("number %u", nth);
                guint n_confirmed = 0;
                OutcomeCode code;
                uint64_t id;

                g_ptr_array_set_size(f.peer->acks, 0);
                peer_forget(f.peer);
                faulty_calls_arm(CALL_SQL_STEP, nth);
                code = radio_send_text(f.radio, &to, text, &options, &id, NULL);
                if (code == OUTCOME_OK) {
                        sent++;
                        while (state_of(id) != MESSAGE_DELIVERED) {
                                ck_assert_int_ne(state_of(id), MESSAGE_FAILED);
                                fixture_turn(&f);
                                confirm_all(&n_confirmed);
                        }
                        assert_one_message();
                } else
                        ck_assert_int_eq(code, OUTCOME_FAILED);
                fixture_settle(&f);
                ck_assert_uint_eq(count_messages(MESSAGE_DELIVERED), sent);
                ck_assert_uint_eq(count_messages(MESSAGE_QUEUED), 0);
                if (!faulty_calls_disarm())
                        break;
                ck_assert_uint_lt(nth, 200);
        }
        ck_assert_uint_gt(sent, 10);
}
END_TEST

/* Once on air, or refused, whatever the store says. */
START_TEST(sending_to_a_channel) {
        uint64_t sent = 0;

        for (unsigned nth = 1;; nth++) {
                const Recipient to = {.channel = identity_get_slot(radio_identity(f.radio), 0)};
                const SendOptions options = {.queue = true};
                OutcomeCode code;
                uint64_t id;

                peer_forget(f.peer);
                faulty_calls_arm(CALL_SQL_STEP, nth);
                code = radio_send_text(f.radio, &to, "to all", &options, &id, NULL);
                if (code == OUTCOME_OK) {
                        sent++;
                        fixture_until(&f, state_of(id) == MESSAGE_SENT);
                        ck_assert_uint_eq(peer_count(f.peer, CMD_SEND_CHANNEL_TXT_MSG), 1);
                } else
                        ck_assert_int_eq(code, OUTCOME_FAILED);
                fixture_settle(&f);
                ck_assert_uint_eq(count_messages(MESSAGE_SENT), sent);
                if (!faulty_calls_disarm())
                        break;
                ck_assert_uint_lt(nth, 200);
        }
        ck_assert_uint_gt(sent, 5);
}
END_TEST

START_TEST(receiving) {
        static const FaultyCall calls[] = {CALL_SQL_STEP, CALL_STATVFS};
        const PublicKey key = key_of(1);
        uint32_t timestamp = 0;

        for (unsigned nth = 1;; nth++) {
                const uint64_t before = count_messages(MESSAGE_RECEIVED);
                bool happened;

                faulty_calls_arm(calls[_i], nth);
                for (unsigned i = 0; i < 3; i++)
                        peer_queue_text(f.peer, &key, ++timestamp, "hello");
                fixture_until(&f, engine_queue_length(f.peer->engine) == 0 &&
                                                  radio_state(f.radio) == RADIO_READY &&
                                                  count_messages(MESSAGE_RECEIVED) >= before + 3);
                fixture_settle(&f);
                ck_assert_uint_eq(count_messages(MESSAGE_RECEIVED), before + 3);
                happened = faulty_calls_disarm();
                ck_assert_int_eq(store_check_room(f.store), 0);
                if (!happened)
                        break;
                ck_assert_uint_lt(nth, 200);
        }
}
END_TEST

/* The commit fails and so does the spool: memory is the third place. */
START_TEST(receiving_into_memory) {
        static const FaultyCall calls[] = {CALL_WRITE, CALL_SYNC};
        const PublicKey key = key_of(1);
        g_autofree char *path = g_build_filename(f.dir, "store.db", NULL);
        sqlite3 *db = NULL;

        (void) sqlite3_busy_timeout(f.store->db, 0);
        ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
        ck_assert_int_eq(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
        faulty_calls_arm(calls[_i], 1);
        peer_queue_text(f.peer, &key, 1, "hello");
        fixture_until(&f, radio_reason(f.radio) == REASON_STORAGE_FULL);
        ck_assert(faulty_calls_disarm());
        ck_assert_uint_eq(engine_queue_length(f.peer->engine), 0);
        ck_assert_int_eq(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
        sqlite3_close(db);
        fixture_until(&f, radio_state(f.radio) == RADIO_READY);
        ck_assert_uint_eq(count_messages(MESSAGE_RECEIVED), 1);
}
END_TEST

/* It stays in the radio until the radio hands it out. */
START_TEST(radio_refuses_to_hand_out) {
        const PublicKey key = key_of(1);

        f.peer->refuse[CMD_SYNC_NEXT_MESSAGE] = ERR_BAD_STATE;
        peer_queue_text(f.peer, &key, 1, "hello");
        fixture_until(&f, peer_count(f.peer, CMD_SYNC_NEXT_MESSAGE) > 0);
        fixture_settle(&f);
        ck_assert_int_eq(radio_state(f.radio), RADIO_READY);
        ck_assert_uint_eq(count_messages(MESSAGE_RECEIVED), 0);
        f.peer->refuse[CMD_SYNC_NEXT_MESSAGE] = 0;
        peer_queue_text(f.peer, &key, 2, "hello again");
        fixture_until(&f, engine_queue_length(f.peer->engine) == 0);
        fixture_settle(&f);
        ck_assert_uint_eq(count_messages(MESSAGE_RECEIVED), 2);
}
END_TEST

/* Each answer to who wants to take a message back. */
START_TEST(cancelling) {
        const PublicKey key = key_of(1);
        uint64_t id;

        ck_assert_int_eq(radio_cancel_message(f.radio, 4711, NULL), OUTCOME_NOT_FOUND);
        f.peer->mute[CMD_SEND_CHANNEL_TXT_MSG] = true;
        id = fixture_send_channel(&f, 0, "to all");
        fixture_until(&f, state_of(id) == MESSAGE_SENDING);
        ck_assert_int_eq(radio_cancel_message(f.radio, id, NULL), OUTCOME_IN_PROGRESS);

        radio_stop(f.radio);
        fixture_until(&f, radio_state(f.radio) == RADIO_STOPPED);
        id = fixture_send(&f, &key, "hello");
        for (unsigned nth = 1; nth <= 3; nth++) { /* it is read, and written */
                faulty_calls_arm(CALL_SQL_STEP, nth);
                ck_assert_int_eq(radio_cancel_message(f.radio, id, NULL), OUTCOME_FAILED);
                ck_assert(faulty_calls_disarm());
                ck_assert_int_eq(state_of(id), MESSAGE_QUEUED);
        }
        ck_assert_int_eq(radio_cancel_message(f.radio, id, NULL), OUTCOME_OK);
        ck_assert_int_eq(state_of(id), MESSAGE_CANCELLED);
        ck_assert_int_eq(radio_cancel_message(f.radio, id, NULL), OUTCOME_REJECTED);
}
END_TEST

/* What waited is found after a restart, at the first look or at a later one. */
START_TEST(loading) {
        const PublicKey key = key_of(1);
        uint64_t n = 0;

        for (unsigned nth = 1;; nth++) {
                guint n_confirmed = 0;
                uint64_t id;
                bool happened;

                radio_stop(f.radio);
                fixture_until(&f, radio_state(f.radio) == RADIO_STOPPED);
                id = fixture_send(&f, &key, "waits");
                g_ptr_array_set_size(f.peer->acks, 0);

                f.manager = manager_free(f.manager);
                f.store = store_close(f.store);
                fixture_start_manager(&f);
                faulty_calls_arm(CALL_SQL_STEP, nth);
                f.radio = fixture_add_radio(&f, "sim", f.peer);
                radio_start(f.radio);
                fixture_until(&f, radio_state(f.radio) == RADIO_READY);
                while (state_of(id) != MESSAGE_DELIVERED) {
                        ck_assert_int_ne(state_of(id), MESSAGE_FAILED);
                        fixture_turn(&f);
                        confirm_all(&n_confirmed);
                }
                happened = faulty_calls_disarm();
                ck_assert_uint_eq(count_messages(MESSAGE_DELIVERED), ++n);
                if (!happened || nth > 40)
                        break;
        }
        ck_assert_uint_gt(n, 20);
}
END_TEST

int main(void) {
        Suite *s = suite_create("errors");
        TCase *tc = tcase_create("errors");

        tcase_add_checked_fixture(tc, setup, teardown);
        tcase_add_test(tc, sending);
        tcase_add_test(tc, sending_to_a_channel);
        tcase_add_loop_test(tc, receiving, 0, 2);
        tcase_add_loop_test(tc, receiving_into_memory, 0, 2);
        tcase_add_test(tc, radio_refuses_to_hand_out);
        tcase_add_test(tc, cancelling);
        tcase_add_test(tc, loading);
        suite_add_tcase(s, tc);
        return fixture_run(s);
}
