/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The rule for what we send: design, section 4, Send. */

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "derive.h"
#include "macros.h"
#include "radio-fixture.h"

static Fixture f;

static void setup(void) {
        fixture_setup(&f, 10);
}

static void teardown(void) {
        fixture_teardown(&f);
}

static uint32_t get_u32(const uint8_t *p) {
        return (uint32_t) p[0] | (uint32_t) p[1] << 8 | (uint32_t) p[2] << 16 | (uint32_t) p[3] << 24;
}

static unsigned tries(void) {
        return peer_count(f.peer, CMD_SEND_TXT_MSG);
}

static unsigned attempt_of(unsigned n) {
        return peer_command(f.peer, CMD_SEND_TXT_MSG, n)[2];
}

static uint32_t timestamp_of(unsigned n) {
        return get_u32(peer_command(f.peer, CMD_SEND_TXT_MSG, n) + 3);
}

static const EngineContact *radio_has(const PublicKey *key) {
        return engine_find_contact(f.peer->engine, key);
}

static Contact *book(const PublicKey *key) {
        return identity_get_contact(radio_identity(f.radio), key);
}

/* The linker leads every call here. */
int __real_link_send(Link *link, const uint8_t *frame, size_t size);
int __wrap_link_send(Link *link, const uint8_t *frame, size_t size);
static bool looking;
static unsigned looked;

/* What a second program that opens the store would read just before the bytes leave. */
static void look_at_disk(const uint8_t *frame) {
        g_autofree char *path = g_build_filename(f.dir, "store.db", NULL);
        sqlite3_stmt *stmt = NULL;
        uint8_t ack[4];
        sqlite3 *db = NULL;

        derive_expected_ack(get_u32(frame + 3), frame[2], "hello", identity_key(radio_identity(f.radio)),
                            ack);
        ck_assert_int_eq(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
        ck_assert_int_eq(sqlite3_prepare_v2(db,
                                            "SELECT state, sender_timestamp, attempts, last_timestamp,"
                                            " (SELECT count(*) FROM attempt WHERE message = message.id AND"
                                            "  number = ?1 AND ack = ?2)"
                                            " FROM message JOIN identity ON identity.id = message.identity"
                                            " WHERE text = 'hello'",
                                            -1, &stmt, NULL),
                         SQLITE_OK);
        sqlite3_bind_int(stmt, 1, frame[2]);
        sqlite3_bind_blob(stmt, 2, ack, 4, SQLITE_STATIC);
        ck_assert_int_eq(sqlite3_step(stmt), SQLITE_ROW);
        ck_assert_int_eq(sqlite3_column_int(stmt, 0), MESSAGE_SENDING);
        ck_assert_uint_eq((uint32_t) sqlite3_column_int64(stmt, 1), get_u32(frame + 3));
        ck_assert_int_eq(sqlite3_column_int(stmt, 2), frame[2] + 1);
        ck_assert_uint_eq((uint32_t) sqlite3_column_int64(stmt, 3), get_u32(frame + 3));
        ck_assert_int_eq(sqlite3_column_int(stmt, 4), 1);
        sqlite3_finalize(stmt);
        sqlite3_close(db);
        looked++;
}

int __wrap_link_send(Link *link, const uint8_t *frame, size_t size) {
        if (looking && frame[0] == CMD_SEND_TXT_MSG)
                look_at_disk(frame);
        return __real_link_send(link, frame, size);
}

START_TEST(all_is_on_disk_before_the_bytes_leave) {
        const PublicKey key = key_of(1);
        uint64_t id;

        looking = true;
        id = fixture_send(&f, &key, "hello");
        fixture_until(&f, fixture_state(&f, id) == MESSAGE_FAILED);
        ck_assert_uint_eq(looked, 4);
}
END_TEST

START_TEST(timestamps_only_grow) {
        uint32_t last = 0;

        for (unsigned n = 1; n <= 5; n++) {
                const PublicKey key = key_of(n);
                uint64_t id = fixture_send(&f, &key, "x");

                fixture_until(&f, fixture_state(&f, id) == MESSAGE_SENT);
                ck_assert_uint_gt(timestamp_of(tries() - 1), last);
                last = timestamp_of(tries() - 1);
                if (n == 3) {
                        fixture_restart(&f);
                        fixture_until(&f, radio_state(f.radio) == RADIO_READY);
                        ck_assert_uint_eq(identity_last_timestamp(radio_identity(f.radio)), last);
                }
                peer_confirm(f.peer, f.peer->acks->len - 1);
                fixture_settle(&f);
                peer_forget(f.peer);
        }
        ck_assert_uint_ge(last, (uint32_t) (clock_realtime_usec() / USEC_PER_SEC));
}
END_TEST

START_TEST(radio_ahead_gives_the_time) {
        const uint32_t ahead = (uint32_t) (clock_realtime_usec() / USEC_PER_SEC) + 5000;
        const PublicKey key = key_of(1);
        uint64_t id;

        engine_set_clock(f.peer->engine, ahead);
        peer_drop(f.peer);
        fixture_until(&f, radio_state(f.radio) != RADIO_READY);
        fixture_until(&f, radio_state(f.radio) == RADIO_READY);
        ck_assert_int_eq(radio_reason(f.radio), REASON_CLOCK_AHEAD);
        id = fixture_send(&f, &key, "x");
        fixture_until(&f, fixture_state(&f, id) == MESSAGE_SENT);
        ck_assert_uint_ge(timestamp_of(0), ahead);
}
END_TEST

/* Two tries by the known way, then its reset and two by flood; the same
 * message in each. */
START_TEST(direct_then_flood) {
        const PublicKey key = key_of(1);
        g_autoptr(Message) m = NULL;
        uint64_t id;

        id = fixture_send(&f, &key, "hello");
        fixture_until(&f, tries() == 2);
        ck_assert_uint_eq(peer_count(f.peer, CMD_RESET_PATH), 0);
        ck_assert_uint_eq(radio_has(&key)->out_path_len, 1);
        fixture_until(&f, tries() == 3);
        ck_assert_uint_eq(peer_count(f.peer, CMD_RESET_PATH), 1);
        ck_assert_uint_eq(radio_has(&key)->out_path_len, PATH_LEN_NONE);
        fixture_until(&f, fixture_state(&f, id) == MESSAGE_FAILED);
        fixture_settle(&f);
        ck_assert_uint_eq(tries(), 4);
        for (unsigned n = 0; n < 4; n++) {
                ck_assert_uint_eq(attempt_of(n), n);
                ck_assert_uint_eq(timestamp_of(n), timestamp_of(0));
        }
        ck_assert_uint_eq(peer_count(f.peer, CMD_RESET_PATH), 1);
        m = fixture_message(&f, id);
        ck_assert_uint_eq(m->attempts, 4);
        ck_assert_str_eq(m->error, "no acknowledgement after 4 tries");
        ck_assert_uint_eq(radio_has(&key)->out_path_len, PATH_LEN_NONE); /* nobody had set it */
}
END_TEST

START_TEST(path_of_a_person_comes_back) {
        const PathHop path[] = {{1, {0xB1}}};
        const PublicKey key = key_of(1);
        uint64_t id;

        radio_set_contact_path(f.radio, &key, path, 1, on_contact, &f);
        fixture_await(&f, OUTCOME_OK);

        /* After the end … */
        id = fixture_send(&f, &key, "hello");
        fixture_until(&f, radio_has(&key)->out_path_len == PATH_LEN_NONE);
        fixture_until(&f, fixture_state(&f, id) == MESSAGE_FAILED);
        fixture_until(&f, !book(&key)->path_displaced);
        ck_assert_uint_eq(radio_has(&key)->out_path_len, 1);
        ck_assert_uint_eq(radio_has(&key)->out_path[0], 0xB1);

        /* … after a delivery … */
        id = fixture_send(&f, &key, "hello");
        fixture_until(&f, radio_has(&key)->out_path_len == PATH_LEN_NONE);
        fixture_until(&f, tries() == 4 + 3);
        fixture_until(&f, fixture_state(&f, id) == MESSAGE_SENT);
        peer_confirm(f.peer, f.peer->acks->len - 1);
        fixture_until(&f, fixture_state(&f, id) == MESSAGE_DELIVERED);
        fixture_until(&f, radio_has(&key)->out_path_len == 1);
        fixture_until(&f, !book(&key)->path_displaced);

        /* … and over a restart in between. */
        f.peer->mute[CMD_ADD_UPDATE_CONTACT] = true;
        id = fixture_send(&f, &key, "hello");
        fixture_until(&f, radio_has(&key)->out_path_len == PATH_LEN_NONE);
        ck_assert_int_eq(radio_cancel_message(f.radio, id, NULL), OUTCOME_OK);
        f.peer->mute[CMD_ADD_UPDATE_CONTACT] = false;
        fixture_restart(&f);
        ck_assert(book(&key)->path_displaced);
        fixture_until(&f, radio_has(&key)->out_path_len == 1);
        ck_assert_uint_eq(radio_has(&key)->out_path[0], 0xB1);
}
END_TEST

START_TEST(refused_path_reset_ends_somewhere) {
        const PublicKey key = key_of(1);
        uint64_t id;

        f.peer->refuse[CMD_RESET_PATH] = ERR_UNSUPPORTED_CMD;
        id = fixture_send(&f, &key, "hello");
        fixture_until(&f, fixture_state(&f, id) == MESSAGE_FAILED);
        ck_assert_uint_eq(tries(), 4);
        ck_assert_uint_eq(peer_count(f.peer, CMD_RESET_PATH), 1);
}
END_TEST

START_TEST(at_most_eight_unconfirmed) {
        uint64_t ids[10];

        /* Nobody gives up during the test. */
        radio_timing.sent_wait_usec = 60 * USEC_PER_SEC;
        for (unsigned n = 0; n < 10; n++) {
                const PublicKey key = key_of(n + 1);

                ids[n] = fixture_send(&f, &key, "x");
        }
        fixture_until(&f, tries() == 8);
        fixture_settle(&f);
        ck_assert_uint_eq(tries(), 8);
        ck_assert_int_eq(fixture_state(&f, ids[8]), MESSAGE_QUEUED);
        peer_confirm(f.peer, 2);
        fixture_until(&f, fixture_state(&f, ids[2]) == MESSAGE_DELIVERED);
        fixture_settle(&f);
        /* The radio overwrites the oldest entry, so it must be one that nobody waits for. */
        ck_assert_uint_eq(tries(), 8);
        peer_confirm(f.peer, 0);
        fixture_until(&f, tries() == 9);
        fixture_settle(&f);
        ck_assert_uint_eq(tries(), 9);

        /* Those of before a restart count too. */
        radio_timing.resume_wait_usec = 60 * USEC_PER_SEC;
        fixture_restart(&f);
        fixture_until(&f, tries() == 10);
        for (unsigned n = 0; n < 3; n++) {
                const PublicKey key = key_of(n + 1);

                ids[n] = fixture_send(&f, &key, "x");
        }
        fixture_settle(&f);
        ck_assert_uint_eq(tries(), 10);
}
END_TEST

START_TEST(any_attempt_and_late_confirm) {
        const PublicKey key = key_of(1);
        g_autoptr(Message) m = NULL;
        uint64_t id;

        id = fixture_send(&f, &key, "hello");
        fixture_until(&f, fixture_state(&f, id) == MESSAGE_FAILED);
        peer_confirm(f.peer, 0); /* of the first try */
        fixture_until(&f, fixture_state(&f, id) == MESSAGE_DELIVERED);
        m = fixture_message(&f, id);
        ck_assert_uint_eq(m->round_trip_usec, 320 * USEC_PER_MSEC);
        ck_assert_ptr_null(m->error);
        peer_confirm(f.peer, 1); /* and again changes nothing */
        fixture_settle(&f);
        ck_assert_int_eq(fixture_state(&f, id), MESSAGE_DELIVERED);
        ck_assert_uint_eq(tries(), 4);
}
END_TEST

START_TEST(resume_after_restart) {
        const PublicKey key = key_of(1);
        uint64_t id;

        f.peer->mute[CMD_SEND_TXT_MSG] = true; /* crash before the answer */
        id = fixture_send(&f, &key, "hello");
        fixture_until(&f, tries() == 1);
        f.peer->mute[CMD_SEND_TXT_MSG] = false;
        fixture_restart(&f);
        fixture_until(&f, tries() == 2);
        ck_assert_uint_eq(attempt_of(1), 1);
        ck_assert_uint_eq(timestamp_of(1), timestamp_of(0));
        fixture_until(&f, fixture_state(&f, id) == MESSAGE_SENT);
        peer_confirm(f.peer, 0);
        fixture_until(&f, fixture_state(&f, id) == MESSAGE_DELIVERED);
}
END_TEST

START_TEST(channel_text_is_uncertain_and_never_again) {
        g_autoptr(Message) m = NULL;
        uint64_t id;

        f.peer->mute[CMD_SEND_CHANNEL_TXT_MSG] = true;
        id = fixture_send_channel(&f, 0, "hello all");
        fixture_until(&f, peer_count(f.peer, CMD_SEND_CHANNEL_TXT_MSG) == 1);
        peer_drop(f.peer);
        fixture_until(&f, fixture_state(&f, id) == MESSAGE_SENT);
        m = fixture_message(&f, id);
        ck_assert(m->uncertain);
        fixture_restart(&f);
        fixture_until(&f, radio_state(f.radio) == RADIO_READY);
        fixture_settle(&f);
        ck_assert_uint_eq(peer_count(f.peer, CMD_SEND_CHANNEL_TXT_MSG), 1);

        f.peer->mute[CMD_SEND_CHANNEL_TXT_MSG] = false;
        id = fixture_send_channel(&f, 0, "hello again");
        fixture_until(&f, fixture_state(&f, id) == MESSAGE_SENT);
        message_free(m);
        m = fixture_message(&f, id);
        ck_assert(!m->uncertain);
}
END_TEST

START_TEST(channel_text_cut_by_a_crash) {
        g_autoptr(Message) m = NULL;
        uint64_t id;

        f.peer->mute[CMD_SEND_CHANNEL_TXT_MSG] = true;
        id = fixture_send_channel(&f, 0, "hello all");
        fixture_until(&f, peer_count(f.peer, CMD_SEND_CHANNEL_TXT_MSG) == 1);
        {
                /* As if nothing of the end had been written down. */
                const MessageUpdate sending = {.set = MESSAGE_CHANGED_STATE | MESSAGE_CHANGED_UNCERTAIN,
                                               .state = MESSAGE_SENDING};

                radio_stop(f.radio);
                fixture_until(&f, radio_state(f.radio) == RADIO_STOPPED);
                ck_assert_int_eq(identity_update_message(radio_identity(f.radio), id, &sending), 0);
        }
        fixture_restart(&f);
        fixture_until(&f, radio_state(f.radio) == RADIO_READY);
        fixture_settle(&f);
        m = fixture_message(&f, id);
        ck_assert_int_eq(m->state, MESSAGE_SENT);
        ck_assert(m->uncertain);
        ck_assert_uint_eq(peer_count(f.peer, CMD_SEND_CHANNEL_TXT_MSG), 1);
}
END_TEST

START_TEST(no_free_packet_is_no_attempt) {
        const PublicKey key = key_of(1);
        uint64_t id;

        f.peer->refuse[CMD_SEND_TXT_MSG] = ERR_TABLE_FULL;
        id = fixture_send(&f, &key, "hello");
        fixture_until(&f, tries() == 3);
        f.peer->refuse[CMD_SEND_TXT_MSG] = 0;
        fixture_until(&f, fixture_state(&f, id) == MESSAGE_SENT);
        for (unsigned n = 0; n < tries(); n++) {
                ck_assert_uint_eq(attempt_of(n), 0);
                ck_assert_uint_eq(timestamp_of(n), timestamp_of(0));
        }
}
END_TEST

START_TEST(cancel_and_expiry) {
        const PublicKey key = key_of(1);
        const Recipient to = {.contact = book(&key)};
        SendOptions options = {.queue = true};
        uint64_t id;

        id = fixture_send(&f, &key, "hello");
        fixture_until(&f, fixture_state(&f, id) == MESSAGE_SENT);
        ck_assert_int_eq(radio_cancel_message(f.radio, id, NULL), OUTCOME_OK);
        fixture_settle(&f);
        ck_assert_uint_eq(tries(), 1);
        ck_assert_int_eq(fixture_state(&f, id), MESSAGE_CANCELLED);

        radio_stop(f.radio);
        options.expires_usec = clock_realtime_usec() + 20 * USEC_PER_MSEC;
        ck_assert_int_eq(radio_send_text(f.radio, &to, "too late", &options, &id, NULL), OUTCOME_OK);
        ck_assert_int_eq(fixture_state(&f, id), MESSAGE_QUEUED);
        fixture_until(&f, fixture_state(&f, id) == MESSAGE_EXPIRED);
        ck_assert_int_eq(radio_send_text(f.radio, &to, "later than too late", &options, &id, NULL),
                         OUTCOME_INVALID_ARGUMENTS);
        options = (SendOptions){};
        ck_assert_int_eq(radio_send_text(f.radio, &to, "now", &options, &id, NULL), OUTCOME_NOT_CONNECTED);
        radio_start(f.radio);
        fixture_until(&f, radio_state(f.radio) == RADIO_READY);
        fixture_settle(&f);
        ck_assert_uint_eq(tries(), 1);
}
END_TEST

START_TEST(outbox_has_a_limit_for_each_user) {
        const PublicKey key = key_of(1);
        const Recipient to = {.contact = book(&key)};
        SendOptions options = {.queue = true, .uid = 1000, .token = "first"};
        uint64_t first, id;

        radio_stop(f.radio);
        ck_assert_int_eq(radio_send_text(f.radio, &to, "hello", &options, &first, NULL), OUTCOME_OK);
        options.token = NULL;
        for (unsigned n = 1; n < 1000; n++)
                ck_assert_int_eq(radio_send_text(f.radio, &to, "hello", &options, &id, NULL), OUTCOME_OK);
        ck_assert_int_eq(radio_send_text(f.radio, &to, "hello", &options, &id, NULL), OUTCOME_IN_PROGRESS);
        /* Who only asks again gets an answer, and so does another one. */
        options.token = "first";
        ck_assert_int_eq(radio_send_text(f.radio, &to, "hello", &options, &id, NULL), OUTCOME_OK);
        ck_assert_uint_eq(id, first);
        options = (SendOptions){.queue = true, .uid = 1001};
        ck_assert_int_eq(radio_send_text(f.radio, &to, "hello", &options, &id, NULL), OUTCOME_OK);
        options.uid = 1000;
        ck_assert_int_eq(radio_cancel_message(f.radio, first, NULL), OUTCOME_OK);
        ck_assert_int_eq(radio_send_text(f.radio, &to, "hello", &options, &id, NULL), OUTCOME_OK);
}
END_TEST

START_TEST(contact_that_the_radio_lost) {
        const PublicKey key = key_of(1);
        g_autoptr(Message) m = NULL;
        uint64_t id;

        ck_assert_int_eq(engine_remove_contact(f.peer->engine, &key), 0);
        id = fixture_send(&f, &key, "hello");
        fixture_until(&f, fixture_state(&f, id) == MESSAGE_FAILED);
        m = fixture_message(&f, id);
        ck_assert_ptr_nonnull(strstr(m->error, "add it again"));
        ck_assert(book(&key)->removed_elsewhere);
}
END_TEST

int main(void) {
        Suite *s = suite_create("delivery");
        TCase *tc = tcase_create("delivery");

        tcase_add_checked_fixture(tc, setup, teardown);
        tcase_add_test(tc, all_is_on_disk_before_the_bytes_leave);
        tcase_add_test(tc, timestamps_only_grow);
        tcase_add_test(tc, radio_ahead_gives_the_time);
        tcase_add_test(tc, direct_then_flood);
        tcase_add_test(tc, path_of_a_person_comes_back);
        tcase_add_test(tc, refused_path_reset_ends_somewhere);
        tcase_add_test(tc, at_most_eight_unconfirmed);
        tcase_add_test(tc, any_attempt_and_late_confirm);
        tcase_add_test(tc, resume_after_restart);
        tcase_add_test(tc, channel_text_is_uncertain_and_never_again);
        tcase_add_test(tc, channel_text_cut_by_a_crash);
        tcase_add_test(tc, no_free_packet_is_no_attempt);
        tcase_add_test(tc, cancel_and_expiry);
        tcase_add_test(tc, outbox_has_a_limit_for_each_user);
        tcase_add_test(tc, contact_that_the_radio_lost);
        suite_add_tcase(s, tc);
        return fixture_run(s);
}
