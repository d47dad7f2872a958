/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Channels: their identity is the secret, and a message names only the slot
 * that it came in by. */

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "derive.h"
#include "macros.h"
#include "radio-fixture.h"

static Fixture f;
static const uint8_t secret_a[16] = {0xA, 1}, secret_b[16] = {0xB, 2};

static void setup(void) {
        fixture_setup(&f, 2);
}

static void teardown(void) {
        fixture_teardown(&f);
}

static void set(int slot, const char *name, ChannelSecret source, const uint8_t *secret,
                OutcomeCode expected) {
        ChannelFields fields = {.slot = slot, .name = name, .source = source};

        if (secret)
                memcpy(fields.secret, secret, sizeof(fields.secret));
        radio_set_channel(f.radio, &fields, on_channel, &f);
        fixture_await(&f, expected);
}

static void clear(unsigned slot, OutcomeCode expected) {
        radio_clear_channel(f.radio, slot, on_done, &f);
        fixture_await(&f, expected);
}

static const char *radio_name(unsigned slot, const uint8_t **ret_secret) {
        const uint8_t *secret;
        const char *name;

        ck_assert_int_eq(engine_get_channel(f.peer->engine, slot, &name, &secret), 0);
        if (ret_secret)
                *ret_secret = secret;
        return name;
}

static uint64_t id_of(unsigned slot) {
        const Channel *channel = identity_get_slot(radio_identity(f.radio), slot);

        return channel ? channel->id : 0;
}

START_TEST(secrets_of_all_sources) {
        const uint8_t *secret;
        uint8_t derived[16], random[16];

        set(CHANNEL_SLOT_ANY, "Club", CHANNEL_SECRET_GIVEN, secret_a, OUTCOME_OK);
        ck_assert_int_eq(f.done_slot, 1);
        ck_assert_str_eq(radio_name(1, &secret), "Club");
        ck_assert_mem_eq(secret, secret_a, 16);
        set(5, "#town", CHANNEL_SECRET_DERIVED, NULL, OUTCOME_OK);
        ck_assert_int_eq(derive_hashtag_secret("#town", derived), 0);
        (void) radio_name(5, &secret);
        ck_assert_mem_eq(secret, derived, 16);
        ck_assert_int_eq(identity_get_slot(radio_identity(f.radio), 5)->kind, CHANNEL_HASHTAG);
        set(CHANNEL_SLOT_ANY, "New", CHANNEL_SECRET_RANDOM, NULL, OUTCOME_OK);
        ck_assert_int_eq(f.done_slot, 2);
        (void) radio_name(2, &secret);
        memcpy(random, secret, 16);
        set(CHANNEL_SLOT_ANY, "Newer", CHANNEL_SECRET_RANDOM, NULL, OUTCOME_OK);
        (void) radio_name(3, &secret);
        ck_assert_mem_ne(secret, random, 16);
        clear(0, OUTCOME_OK);
        ck_assert_str_eq(radio_name(0, &secret), "");
        set(CHANNEL_SLOT_ANY, NULL, CHANNEL_SECRET_PUBLIC, NULL, OUTCOME_OK);
        ck_assert_int_eq(f.done_slot, 0);
        ck_assert_str_eq(radio_name(0, &secret), "Public");
        ck_assert_mem_eq(secret, public_channel_secret, 16);
}
END_TEST

START_TEST(arguments_are_checked_before_the_radio_hears) {
        static const uint8_t zeroes[16];

        set(8, "Club", CHANNEL_SECRET_GIVEN, secret_a, OUTCOME_INVALID_ARGUMENTS);
        ck_assert_ptr_nonnull(strstr(f.outcome.message, "0 to 7"));
        set(1, "", CHANNEL_SECRET_GIVEN, secret_a, OUTCOME_INVALID_ARGUMENTS);
        set(1, "12345678901234567890123456789012", CHANNEL_SECRET_GIVEN, secret_a, OUTCOME_INVALID_ARGUMENTS);
        set(1, "Club", CHANNEL_SECRET_GIVEN, zeroes, OUTCOME_INVALID_ARGUMENTS);
        set(1, "Club", CHANNEL_SECRET_DERIVED, NULL, OUTCOME_INVALID_ARGUMENTS);
        set(1, "#", CHANNEL_SECRET_DERIVED, NULL, OUTCOME_INVALID_ARGUMENTS);
        set(1, "Again", CHANNEL_SECRET_PUBLIC, NULL, OUTCOME_INVALID_ARGUMENTS); /* in slot 0 */
        ck_assert_ptr_nonnull(strstr(f.outcome.message, "slot 0"));
        clear(3, OUTCOME_NOT_FOUND);
        clear(70000, OUTCOME_INVALID_ARGUMENTS);
        ck_assert_uint_eq(peer_count(f.peer, CMD_SET_CHANNEL), 0);
        for (unsigned n = 1; n < 8; n++)
                set(CHANNEL_SLOT_ANY, "Any", CHANNEL_SECRET_RANDOM, NULL, OUTCOME_OK);
        set(CHANNEL_SLOT_ANY, "Any", CHANNEL_SECRET_RANDOM, NULL, OUTCOME_TABLE_FULL);
}
END_TEST

START_TEST(identity_stays_across_slots) {
        uint64_t id;

        set(1, "Club", CHANNEL_SECRET_GIVEN, secret_a, OUTCOME_OK);
        id = id_of(1);
        peer_queue_channel_text(f.peer, 1, 1, "Bob: hello");
        fixture_until(&f, identity_last_message_id(radio_identity(f.radio)) > 0);
        clear(1, OUTCOME_OK);
        ck_assert_uint_eq(id_of(1), 0);
        set(4, "Club too", CHANNEL_SECRET_GIVEN, secret_a, OUTCOME_OK);
        ck_assert_uint_eq(id_of(4), id);
        ck_assert_uint_eq(identity_get_slot(radio_identity(f.radio), 4)->unread, 1);
        set(4, "Other", CHANNEL_SECRET_GIVEN, secret_b, OUTCOME_OK);
        ck_assert_uint_ne(id_of(4), id);
}
END_TEST

static uint64_t channel_of_text(const char *text) {
        g_autoptr(GPtrArray) list = NULL;
        MessageFilter filter;
        uint64_t channel = 0;

        message_filter_init(&filter);
        filter.text = text;
        ck_assert_int_ge(identity_list_messages(radio_identity(f.radio), &filter, 0, false, 10, &list), 0);
        for (guint i = 0; i < list->len; i++) {
                channel = ((Message *) list->pdata[i])->channel;
                message_free(list->pdata[i]);
        }
        ck_assert_uint_eq(list->len, 1);
        g_ptr_array_set_free_func(list, NULL);
        return channel;
}

/* Queued without a word, so that nobody has fetched it: the radio was deaf to us. */
static void queue_silently(uint8_t slot, const char *text) {
        int fd = f.peer->fd;

        f.peer->fd = -1;
        peer_queue_channel_text(f.peer, slot, 1, text);
        f.peer->fd = fd;
}

/* One message waits, and another one comes when the radio already has the command. */
static bool one_more_before(Peer *peer, const uint8_t *frame, size_t size, void *userdata) {
        if (frame[0] == CMD_SET_CHANNEL)
                peer_queue_channel_text(peer, 1, 2, "Bob: at the last moment");
        return true;
}

START_TEST(queue_is_drained_before_the_secret_changes) {
        uint64_t old;

        set(1, "Club", CHANNEL_SECRET_GIVEN, secret_a, OUTCOME_OK);
        old = id_of(1);
        queue_silently(1, "Bob: from before");
        f.peer->on_command = one_more_before;
        set(1, "Other", CHANNEL_SECRET_GIVEN, secret_b, OUTCOME_OK);
        f.peer->on_command = NULL;
        peer_queue_channel_text(f.peer, 1, 3, "Bob: to the new one");
        fixture_settle(&f);
        ck_assert_uint_eq(channel_of_text("from before"), old);
        ck_assert_uint_eq(channel_of_text("at the last moment"), old);
        ck_assert_uint_eq(channel_of_text("to the new one"), id_of(1));
}
END_TEST

/* The frame waited in the spool, and names the slot only. */
START_TEST(spool_is_imported_before_the_slots_are_read) {
        g_autofree char *path = g_build_filename(f.dir, "store.db", NULL);
        sqlite3 *db = NULL;
        uint64_t old;

        set(1, "Club", CHANNEL_SECRET_GIVEN, secret_a, OUTCOME_OK);
        old = id_of(1);
        ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
        ck_assert_int_eq(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
        peer_queue_channel_text(f.peer, 1, 1, "Bob: from before");
        fixture_until(&f, radio_reason(f.radio) == REASON_STORAGE_FULL);
        radio_stop(f.radio);
        ck_assert_int_eq(engine_set_channel(f.peer->engine, 1, "Other", secret_b), 0);
        ck_assert_int_eq(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
        sqlite3_close(db);
        radio_start(f.radio);
        fixture_until(&f, radio_state(f.radio) == RADIO_READY);
        ck_assert_uint_ne(id_of(1), old);
        ck_assert_uint_eq(channel_of_text("from before"), old);
}
END_TEST

/* Asks for no slot from this one on. */
static bool hide_slots(Peer *peer, const uint8_t *frame, size_t size, void *userdata) {
        return frame[0] != CMD_GET_CHANNEL || frame[1] < GPOINTER_TO_UINT(userdata);
}

static void start_again(void) {
        peer_forget(f.peer);
        radio_start(f.radio);
        fixture_until(&f, radio_state(f.radio) == RADIO_READY);
}

static void expect_asked(const char *slots) {
        g_autoptr(GString) asked = g_string_new(NULL);

        for (unsigned n = 0; n < peer_count(f.peer, CMD_GET_CHANNEL); n++)
                g_string_append_c(asked, (char) ('0' + peer_command(f.peer, CMD_GET_CHANNEL, n)[1]));
        ck_assert_msg(g_str_has_prefix(asked->str, slots), "%s", asked->str);
}

/* The second time the radio is ready, and drained, when the slots that hold something were read; then come
 * the others. */
START_TEST(known_slots_come_first) {
        const PublicKey key = key_of(1);

        set(4, "Club", CHANNEL_SECRET_GIVEN, secret_a, OUTCOME_OK);
        radio_stop(f.radio);
        peer_queue_channel_text(f.peer, 4, 1, "Bob: first");
        peer_queue_text(f.peer, &key, 2, "second");
        f.peer->on_command = hide_slots;
        f.peer->userdata = GUINT_TO_POINTER(5);
        start_again();
        ck_assert_uint_eq(channel_of_text("first"), id_of(4));
        ck_assert_uint_eq(identity_unread(radio_identity(f.radio)), 2);
        f.peer->on_command = NULL;
        fixture_until(&f, peer_count(f.peer, CMD_GET_BATT_AND_STORAGE) > 0);
        fixture_settle(&f);
        expect_asked("04123");
        ck_assert_uint_ge(peer_count(f.peer, CMD_GET_CHANNEL), 8);

        /* another board, or the same after a restart of ours, is read from one end to the other */
        fixture_restart(&f);
        peer_forget(f.peer);
        fixture_until(&f, radio_state(f.radio) == RADIO_READY);
        expect_asked("01234567");
}
END_TEST

/* Somebody else used the radio meanwhile, and one of its channels is another one: nothing goes out before all
 * is known. */
START_TEST(changed_slots_are_all_read_before) {
        radio_stop(f.radio);
        ck_assert_int_eq(engine_set_channel(f.peer->engine, 0, "Other", secret_b), 0);
        ck_assert_int_eq(engine_set_channel(f.peer->engine, 6, "Club", secret_a), 0);
        peer_queue_channel_text(f.peer, 6, 1, "Bob: hello");
        start_again();
        expect_asked("01234567");
        ck_assert_uint_eq(channel_of_text("hello"), id_of(6));
        ck_assert_uint_ne(id_of(6), 0);
}
END_TEST

/* A message of a slot that was empty, and is not any more: its channel is asked for first, and the message is
 * on the disk meanwhile. */
START_TEST(message_of_a_slot_that_was_empty) {
        const PublicKey key = key_of(1);

        radio_stop(f.radio);
        ck_assert_int_eq(engine_set_channel(f.peer->engine, 6, "Club", secret_a), 0);
        peer_queue_text(f.peer, &key, 1, "one");
        peer_queue_channel_text(f.peer, 6, 1, "Bob: two");
        peer_queue_text(f.peer, &key, 2, "three");
        if (_i == 0) {
                start_again();
                expect_asked("06");
                ck_assert_uint_eq(identity_unread(radio_identity(f.radio)), 3);
                ck_assert_uint_eq(channel_of_text("two"), id_of(6));
                ck_assert_uint_ne(id_of(6), 0);
                fixture_settle(&f);
                expect_asked("06123457");
                return;
        }

        /* the answer does not come before the end */
        f.peer->on_command = hide_slots;
        f.peer->userdata = GUINT_TO_POINTER(1);
        peer_forget(f.peer);
        radio_start(f.radio);
        fixture_until(&f, peer_count(f.peer, CMD_GET_CHANNEL) > 1);
        expect_asked("06");
        ck_assert_uint_eq(peer_count(f.peer, CMD_SYNC_NEXT_MESSAGE), 2);
        f.peer->on_command = NULL;
        fixture_restart(&f);
        fixture_until(&f, radio_state(f.radio) == RADIO_READY);
        ck_assert_uint_eq(identity_unread(radio_identity(f.radio)), 3);
}
END_TEST

/* A slot that looks free may hold what somebody else put there. */
START_TEST(free_slot_is_looked_at_first) {
        ChannelFields fields = {.slot = CHANNEL_SLOT_ANY, .name = "Mine", .source = CHANNEL_SECRET_RANDOM};

        radio_stop(f.radio);
        ck_assert_int_eq(engine_set_channel(f.peer->engine, 1, "Theirs", secret_b), 0);
        start_again();
        ck_assert_uint_eq(id_of(1), 0);
        radio_set_channel(f.radio, &fields, on_channel, &f);
        fixture_await(&f, OUTCOME_OK);
        ck_assert_int_eq(f.done_slot, 2);
        ck_assert_str_eq(radio_name(1, NULL), "Theirs");

        /* who waits for that is told when the link goes */
        radio_stop(f.radio);
        f.peer->on_command = hide_slots;
        f.peer->userdata = GUINT_TO_POINTER(3);
        start_again();
        f.done = false;
        radio_set_channel(f.radio, &fields, on_channel, &f);
        fixture_settle(&f);
        ck_assert(!f.done);
        radio_stop(f.radio);
        fixture_await(&f, OUTCOME_NOT_CONNECTED);
        f.peer->on_command = NULL;
}
END_TEST

/* A text for the channel that leaves must not go out by the next one's secret. */
START_TEST(text_does_not_leak_into_the_next_channel) {
        ChannelFields fields = {.slot = 1, .name = "Other", .source = CHANNEL_SECRET_GIVEN};
        uint64_t id;

        set(1, "Club", CHANNEL_SECRET_GIVEN, secret_a, OUTCOME_OK);
        memcpy(fields.secret, secret_b, sizeof(fields.secret));
        f.peer->mute[CMD_SET_CHANNEL] = true;
        radio_set_channel(f.radio, &fields, on_channel, &f);
        fixture_until(&f, peer_count(f.peer, CMD_SET_CHANNEL) == 2);
        id = fixture_send_channel(&f, 1, "for the old ones only");
        fixture_settle(&f);
        engine_command(f.peer->engine, peer_command(f.peer, CMD_SET_CHANNEL, 1), 50);
        fixture_await(&f, OUTCOME_OK);
        fixture_settle(&f);
        ck_assert_uint_eq(peer_count(f.peer, CMD_SEND_CHANNEL_TXT_MSG), 0);
        ck_assert_int_eq(fixture_state(&f, id), MESSAGE_FAILED);
}
END_TEST

START_TEST(answer_lost_reads_the_slot_again) {
        radio_timing.session.slow_usec = 30 * USEC_PER_MSEC;
        peer_drop(f.peer);
        fixture_until(&f, radio_state(f.radio) != RADIO_READY);
        fixture_until(&f, radio_state(f.radio) == RADIO_READY);
        f.peer->mute[CMD_SET_CHANNEL] = true;
        set(1, "Club", CHANNEL_SECRET_GIVEN, secret_a, OUTCOME_TIMEOUT);
        ck_assert_int_eq(engine_set_channel(f.peer->engine, 1, "Club", secret_a), 0);
        fixture_until(&f, id_of(1) != 0);
        ck_assert_int_eq(f.radio->changing_slot, -1);
        f.peer->mute[CMD_SET_CHANNEL] = false;
        set(2, "Other", CHANNEL_SECRET_GIVEN, secret_b, OUTCOME_OK);
}
END_TEST

START_TEST(uri_there_and_back) {
        g_auto(Outcome) outcome = {};
        g_autofree char *uri = NULL;

        set(1, "Böse & gut", CHANNEL_SECRET_GIVEN, secret_a, OUTCOME_OK);
        ck_assert_int_eq(radio_channel_uri(f.radio, identity_get_slot(radio_identity(f.radio), 1), &uri,
                                           &outcome),
                         OUTCOME_OK);
        clear(1, OUTCOME_OK);
        radio_import_uri(f.radio, uri, on_import, &f);
        fixture_await(&f, OUTCOME_OK);
        ck_assert_int_eq(f.done_slot, 1);
        ck_assert_str_eq(radio_name(1, NULL), "Böse & gut");
}
END_TEST

int main(void) {
        Suite *s = suite_create("channels");
        TCase *tc = tcase_create("channels");

        tcase_add_checked_fixture(tc, setup, teardown);
        tcase_add_test(tc, secrets_of_all_sources);
        tcase_add_test(tc, arguments_are_checked_before_the_radio_hears);
        tcase_add_test(tc, identity_stays_across_slots);
        tcase_add_test(tc, queue_is_drained_before_the_secret_changes);
        tcase_add_test(tc, spool_is_imported_before_the_slots_are_read);
        tcase_add_test(tc, known_slots_come_first);
        tcase_add_test(tc, changed_slots_are_all_read_before);
        tcase_add_loop_test(tc, message_of_a_slot_that_was_empty, 0, 2);
        tcase_add_test(tc, free_slot_is_looked_at_first);
        tcase_add_test(tc, text_does_not_leak_into_the_next_channel);
        tcase_add_test(tc, answer_lost_reads_the_slot_again);
        tcase_add_test(tc, uri_there_and_back);
        suite_add_tcase(s, tc);
        return fixture_run(s);
}
