/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The rules of a radio's life: whose it is, whether we talk to it, what time
 * it is, and what is left of its table when we have been away. */

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "macros.h"
#include "radio-fixture.h"
#include "store-internal.h"

static Fixture f;

static void setup(void) {
        fixture_setup(&f, 3);
}

static void teardown(void) {
        fixture_teardown(&f);
}

/* The linker leads every call here: clocks that can be moved forth. */
uint64_t __real_clock_realtime_usec(void);
uint64_t __wrap_clock_realtime_usec(void);
uint64_t __real_clock_boottime_usec(void);
uint64_t __wrap_clock_boottime_usec(void);
static int64_t realtime_offset;
static uint64_t boottime_offset;

uint64_t __wrap_clock_realtime_usec(void) {
        return __real_clock_realtime_usec() + (uint64_t) realtime_offset;
}

uint64_t __wrap_clock_boottime_usec(void) {
        return __real_clock_boottime_usec() + boottime_offset;
}

static void set_clock(uint64_t epoch) {
        realtime_offset = (int64_t) (epoch * USEC_PER_SEC) - (int64_t) __real_clock_realtime_usec();
}

static Contact *book(const PublicKey *key) {
        return identity_get_contact(radio_identity(f.radio), key);
}

static void reconnect(void) {
        radio_stop(f.radio);
        radio_start(f.radio);
        fixture_until(&f, radio_state(f.radio) == RADIO_READY);
}

/* From the other peer on, as if somebody had put another board there. */
static Peer *exchange_board(const char *name) {
        Peer *other = peer_new(f.event, name, 10), *first = f.peer;
        const uint16_t port = first->port;
        const int listener = first->listener;
        sd_event_source *source = first->listen_source;

        first->port = other->port;
        first->listener = other->listener;
        other->port = port;
        other->listener = listener;
        first->listen_source = other->listen_source;
        other->listen_source = source;
        (void) sd_event_source_set_userdata(first->listen_source, first);
        (void) sd_event_source_set_userdata(other->listen_source, other);
        peer_drop(first);
        return other;
}

START_TEST(another_board_holds_the_outbox) {
        const PublicKey key = key_of(1), own = *identity_key(radio_identity(f.radio));
        Peer *first = f.peer, *other;
        uint64_t id;

        radio_stop(f.radio);
        id = fixture_send(&f, &key, "for the first board only");
        other = exchange_board("Another");
        (void) engine_put_contact(other->engine, engine_find_contact(first->engine, &key));
        radio_start(f.radio);
        fixture_until(&f, radio_state(f.radio) == RADIO_READY);
        ck_assert_ptr_nonnull(strstr(f.log->str, "identity-changed|"));
        ck_assert(key_equal(identity_key(radio_identity(f.radio)), &other->identity.key));
        fixture_settle(&f);
        ck_assert_uint_eq(peer_count(other, CMD_SEND_TXT_MSG), 0);
        ck_assert_ptr_null(identity_get_message(radio_identity(f.radio), id));

        /* The first one comes back, at another place: its history and outbox with it. */
        f.radio = fixture_add_radio(&f, "second", first);
        fixture_until(&f, radio_state(f.radio) == RADIO_READY);
        ck_assert(key_equal(identity_key(radio_identity(f.radio)), &own));
        fixture_until(&f, peer_count(first, CMD_SEND_TXT_MSG) == 1);
        ck_assert_uint_eq(peer_count(other, CMD_SEND_TXT_MSG), 0);
        peer_free(other);
}
END_TEST

START_TEST(pinned_key) {
        RadioSettings *settings = radio_settings_new("pinned");
        g_autofree char *transport = NULL;
        Peer *other = peer_new(f.event, "Another", 10);
        const char *why;
        Radio *radio;

        transport = g_strdup_printf("tcp://127.0.0.1:%u", other->port);
        ck_assert_int_eq(radio_settings_set_transport(settings, transport, &why), 0);
        settings->enabled = settings->has_public_key = true;
        settings->public_key = key_of(77);
        ck_assert_int_eq(manager_add_radio(f.manager, settings, &radio), 0);
        fixture_until(&f, radio_reason(radio) == REASON_WRONG_RADIO);
        ck_assert_ptr_null(radio_identity(radio));
        ck_assert_uint_eq(peer_count(other, CMD_GET_CONTACTS), 0);
        ck_assert_uint_eq(peer_count(other, CMD_SYNC_NEXT_MESSAGE), 0);
        radio_stop(radio);
        peer_free(other);
}
END_TEST

START_TEST(two_links_to_one_radio) {
        Peer *twin = peer_new(f.event, "Own", 10); /* the same key */
        Radio *second = fixture_add_radio(&f, "second", twin);

        fixture_until(&f, radio_reason(second) == REASON_DUPLICATE);
        ck_assert_int_eq(radio_state(second), RADIO_WAITING);
        ck_assert_int_eq(radio_state(f.radio), RADIO_READY);
        ck_assert_uint_eq(peer_count(twin, CMD_SYNC_NEXT_MESSAGE), 0);
        radio_stop(f.radio);
        fixture_until(&f, radio_state(second) == RADIO_READY); /* it waited for that */
        ck_assert_ptr_null(radio_identity(f.radio));
        radio_stop(second);
        peer_free(twin);
}
END_TEST

START_TEST(taken_over_by_another_client) {
        peer_drop(f.peer);
        fixture_until(&f, radio_state(f.radio) == RADIO_WAITING);
        ck_assert_int_eq(radio_reason(f.radio), REASON_LOST);
        fixture_until(&f, radio_state(f.radio) == RADIO_READY);
        peer_drop(f.peer);
        fixture_until(&f, radio_state(f.radio) == RADIO_WAITING);
        ck_assert_int_eq(radio_reason(f.radio), REASON_TAKEN_OVER);
}
END_TEST

START_TEST(long_lives_are_not_taken_over) {
        for (unsigned n = 0; n < 3; n++) {
                boottime_offset += 61 * USEC_PER_SEC;
                peer_drop(f.peer);
                fixture_until(&f, radio_state(f.radio) == RADIO_WAITING);
                ck_assert_int_eq(radio_reason(f.radio), REASON_LOST);
                fixture_until(&f, radio_state(f.radio) == RADIO_READY);
        }
}
END_TEST

START_TEST(taken_over_waits_longer_and_longer) {
        static const unsigned minutes[] = {1, 2, 4, 8, 15, 15};

        peer_drop(f.peer);
        fixture_until(&f, radio_state(f.radio) == RADIO_WAITING);
        for (size_t n = 0; n < ELEMENTSOF(minutes); n++) {
                uint64_t at;

                fixture_until(&f, radio_state(f.radio) == RADIO_READY);
                peer_drop(f.peer);
                fixture_until(&f, radio_reason(f.radio) == REASON_TAKEN_OVER);
                ck_assert_int_ge(sd_event_source_get_time(f.radio->retry, &at), 0);
                at = (at - clock_boottime_usec() + 10 * USEC_PER_SEC) / USEC_PER_MINUTE;
                ck_assert_uint_eq(at, minutes[n]);
                (void) sd_event_source_set_time_relative(f.radio->retry, 0);
        }
}
END_TEST

START_TEST(restarting_is_not_taken_over) {
        const uint16_t port = f.peer->port;

        for (unsigned n = 0; n < 3; n++) {
                /* Down, so that nobody accepts. */
                f.peer->listen_source = sd_event_source_disable_unref(f.peer->listen_source);
                safe_close(f.peer->listener);
                peer_drop(f.peer);
                fixture_until(&f, radio_reason(f.radio) == REASON_REFUSED);
                peer_listen(f.peer, port);
                fixture_until(&f, radio_state(f.radio) == RADIO_READY);
        }
}
END_TEST

START_TEST(radio_ahead_is_said_and_left) {
        const uint32_t now = (uint32_t) (clock_realtime_usec() / USEC_PER_SEC);

        engine_set_clock(f.peer->engine, now + 500);
        peer_forget(f.peer);
        reconnect();
        ck_assert_int_eq(radio_reason(f.radio), REASON_CLOCK_AHEAD);
        ck_assert_int_gt(radio_info(f.radio)->clock_skew_usec, 400 * (int64_t) USEC_PER_SEC);
        ck_assert_uint_eq(peer_count(f.peer, CMD_SET_DEVICE_TIME), 0);
}
END_TEST

static bool now_is_after_this_version(void) {
        return clock_realtime_usec() / USEC_PER_SEC > UINT64_C(1793491200);
}

START_TEST(clock_is_set_only_when_ours_is_right) {
        RadioSettings *settings = radio_settings_new("trusting");
        g_autofree char *transport = NULL;
        Peer *other = peer_new(f.event, "Another", 10);
        const char *why;
        Radio *radio;

        /* The fixture's radio is behind; whether it was set is the kernel's word. */
        ck_assert_int_eq(engine_clock(f.peer->engine) > 1750000000,
                         clock_is_synchronised() && now_is_after_this_version());
        transport = g_strdup_printf("tcp://127.0.0.1:%u", other->port);
        ck_assert_int_eq(radio_settings_set_transport(settings, transport, &why), 0);
        settings->enabled = settings->trust_clock = true;
        ck_assert_int_eq(manager_add_radio(f.manager, settings, &radio), 0);
        fixture_until(&f, radio_state(radio) == RADIO_READY);
        ck_assert_int_eq(peer_count(other, CMD_SET_DEVICE_TIME) == 1, now_is_after_this_version());
        radio_stop(radio);
        peer_free(other);
}
END_TEST

static void push_message(Peer *peer, const char *text) {
        uint8_t frame[64] = {RESP_CONTACT_MSG_RECV_V3, 20};
        const PublicKey from = key_of(1);

        memcpy(frame + 4, from.bytes, KEY_PREFIX_SIZE);
        frame[10] = 0xFF;
        memcpy(frame + 16, text, strlen(text));
        peer_push(peer, frame, 16 + strlen(text));
}

/* A machine that begins without a clock is not believed, whatever its administrator says. */
START_TEST(clock_before_this_version) {
        ((RadioSettings *) radio_settings(f.radio))->trust_clock = true;
        set_clock(CLOCK_FLOOR_S - 60);
        engine_set_clock(f.peer->engine, 1600000000);
        peer_forget(f.peer);
        reconnect();
        ck_assert_uint_eq(peer_count(f.peer, CMD_SET_DEVICE_TIME), 0);
        ck_assert_uint_lt(engine_clock(f.peer->engine), 1600010000);
        set_clock(CLOCK_FLOOR_S + 60);
        reconnect();
        ck_assert_uint_eq(peer_count(f.peer, CMD_SET_DEVICE_TIME), 1);
        ck_assert_uint_gt(engine_clock(f.peer->engine), CLOCK_FLOOR_S);
}
END_TEST

/* -- storage ---------------------------------------------------------------------------------- */

/* Another writer that does not end stands for a disk that takes nothing. */
START_TEST(storage_full_leaves_the_messages_in_the_radio) {
        g_autofree char *path = g_build_filename(f.dir, "store.db", NULL);
        const PublicKey key = key_of(1);
        sqlite3 *db = NULL;

        ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
        ck_assert_int_eq(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
        for (uint32_t n = 1; n <= 5; n++)
                peer_queue_text(f.peer, &key, n, "hello");
        fixture_until(&f, radio_reason(f.radio) == REASON_STORAGE_FULL);
        ck_assert_int_eq(radio_state(f.radio), RADIO_SYNCING);
        /* One was popped before we knew; it is in the spool. */
        ck_assert_uint_eq(engine_queue_length(f.peer->engine), 4);
        radio_remove_contact(f.radio, &key, false, on_done, &f);
        fixture_await(&f, OUTCOME_NOT_READY);
        for (unsigned n = 0; n < 4; n++)
                fixture_turn(&f); /* it looks again and again, and leaves them where they are */
        ck_assert_uint_eq(engine_queue_length(f.peer->engine), 4);
        ck_assert_int_eq(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
        sqlite3_close(db);
        fixture_until(&f, radio_state(f.radio) == RADIO_READY);
        ck_assert_uint_eq(engine_queue_length(f.peer->engine), 0);
        ck_assert_uint_eq(identity_unread(radio_identity(f.radio)), 5);
}
END_TEST

/* As above, but the spool is full as well. */
static sqlite3 *lock_disks(void) {
        g_autofree char *path = g_build_filename(f.dir, "store.db", NULL);
        const PublicKey *own = identity_key(radio_identity(f.radio));
        sqlite3 *db = NULL;

        (void) sqlite3_busy_timeout(f.store->db, 0);
        ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
        ck_assert_int_eq(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
        for (uint8_t n = 0; n < STORE_SPOOL_FRAMES; n++) {
                const uint8_t frame[] = {99, n};

                ck_assert_int_eq(store_spool_append(f.store, own, 1, (Slice){frame, sizeof(frame)}), 0);
        }
        return db;
}

static void unlock_disks(sqlite3 *db) {
        ck_assert_int_eq(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
        sqlite3_close(db);
        fixture_until(&f, radio_state(f.radio) == RADIO_READY);
}

START_TEST(what_no_disk_takes_waits_in_memory) {
        const PublicKey key = key_of(1);
        g_autoptr(Message) last = NULL;
        sqlite3 *db = lock_disks();

        /* Nothing is popped; what the radio sends all the same is held. */
        peer_queue_text(f.peer, &key, 1, "left in the radio");
        fixture_until(&f, radio_reason(f.radio) == REASON_STORAGE_FULL);
        push_message(f.peer, "held");
        for (unsigned n = 0; n < 4; n++)
                fixture_turn(&f);
        ck_assert_uint_eq(engine_queue_length(f.peer->engine), 1);
        ck_assert_uint_eq(identity_unread(radio_identity(f.radio)), 0);

        unlock_disks(db);
        ck_assert_uint_eq(identity_unread(radio_identity(f.radio)), STORE_SPOOL_FRAMES + 2);
        last = fixture_message(&f, identity_last_message_id(radio_identity(f.radio)));
        ck_assert_str_eq(last->text, "left in the radio");
}
END_TEST

START_TEST(memory_is_emptied_before_the_end) {
        sqlite3 *db = lock_disks();

        push_message(f.peer, "held");
        fixture_until(&f, radio_reason(f.radio) == REASON_STORAGE_FULL);
        ck_assert_int_eq(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
        sqlite3_close(db);
        fixture_restart(&f);
        ck_assert_uint_eq(identity_unread(radio_identity(f.radio)), STORE_SPOOL_FRAMES + 1);
}
END_TEST

/* It came before SELF_INFO could tell whose it is. */
START_TEST(early_ones_are_not_forgotten) {
        f.peer->mute[CMD_DEVICE_QUERY] = true;
        peer_drop(f.peer);
        fixture_until(&f, f.peer->connections == 2 && peer_count(f.peer, CMD_DEVICE_QUERY) == 1);
        push_message(f.peer, "for a former client");
        fixture_settle(&f);
        ck_assert_uint_eq(identity_unread(radio_identity(f.radio)), 0);
        fixture_restart(&f);
        ck_assert_uint_eq(identity_unread(radio_identity(f.radio)), 1);
}
END_TEST

START_TEST(early_ones_have_a_limit) {
        f.peer->mute[CMD_DEVICE_QUERY] = true;
        peer_drop(f.peer);
        fixture_until(&f, f.peer->connections == 2 && peer_count(f.peer, CMD_DEVICE_QUERY) == 1);
        for (unsigned n = 0; n < 40; n++) {
                g_autofree char *text = g_strdup_printf("number %u", n);

                push_message(f.peer, text);
        }
        fixture_settle(&f);
        f.peer->mute[CMD_DEVICE_QUERY] = false;
        fixture_restart(&f);
        fixture_until(&f, radio_state(f.radio) == RADIO_READY);
        ck_assert_uint_eq(identity_unread(radio_identity(f.radio)), 16);
}
END_TEST

START_TEST(memory_has_an_end_too) {
        sqlite3 *db = lock_disks();

        for (unsigned n = 0; radio_state(f.radio) != RADIO_WAITING; n++) {
                g_autofree char *text = g_strdup_printf("number %u", n);

                ck_assert_uint_lt(n, 100);
                push_message(f.peer, text);
                fixture_turn(&f);
        }
        ck_assert_int_eq(radio_reason(f.radio), REASON_STORAGE_FULL);
        unlock_disks(db);
}
END_TEST

START_TEST(nobody_asked_for_it) {
        push_message(f.peer, "came by itself");
        fixture_until(&f, identity_unread(radio_identity(f.radio)) == 1);
        ck_assert_uint_eq(peer_count(f.peer, CMD_SYNC_NEXT_MESSAGE), 0);
}
END_TEST

/* -- the end ---------------------------------------------------------------------------------- */

/* The pop came to the radio; what it gives out for it lies in the test's hands. */
static bool keep_the_answer(Peer *peer, const uint8_t *frame, size_t size, void *userdata) {
        return frame[0] != CMD_SYNC_NEXT_MESSAGE;
}

static void begin_pop(void) {
        static const uint8_t waiting[] = {PUSH_MSG_WAITING};

        f.peer->on_command = keep_the_answer;
        peer_push(f.peer, waiting, sizeof(waiting));
        fixture_until(&f, peer_count(f.peer, CMD_SYNC_NEXT_MESSAGE) == 1);
}

START_TEST(stop_waits_for_the_message_on_its_way) {
        begin_pop();
        radio_stop(f.radio);
        fixture_settle(&f);
        ck_assert_int_eq(radio_state(f.radio), RADIO_READY);
        push_message(f.peer, "the last one");
        fixture_until(&f, radio_state(f.radio) == RADIO_STOPPED);
        ck_assert_uint_eq(identity_unread(radio_identity(f.radio)), 1);
        ck_assert_uint_eq(peer_count(f.peer, CMD_SYNC_NEXT_MESSAGE), 1);
        radio_start(f.radio);
        f.peer->on_command = NULL;
        fixture_until(&f, radio_state(f.radio) == RADIO_READY);
}
END_TEST

START_TEST(stop_and_start_in_one) {
        begin_pop();
        radio_stop(f.radio);
        radio_start(f.radio);
        push_message(f.peer, "the last one");
        f.peer->on_command = NULL;
        fixture_until(&f, f.peer->connections == 2 && radio_state(f.radio) == RADIO_READY);
        ck_assert_uint_eq(identity_unread(radio_identity(f.radio)), 1);
        ck_assert_ptr_nonnull(strstr(f.log->str, "stopped/"));
}
END_TEST

START_TEST(stop_waits_not_for_ever) {
        begin_pop();
        radio_stop(f.radio);
        fixture_until(&f, radio_state(f.radio) == RADIO_STOPPED);
}
END_TEST

static bool give_one(Peer *peer, const uint8_t *frame, size_t size, void *userdata) {
        if (frame[0] != CMD_SYNC_NEXT_MESSAGE)
                return true;

        peer->on_command = NULL;
        push_message(peer, "nobody announced it");
        return false;
}

START_TEST(drained_at_connect) {
        const PublicKey key = key_of(1);

        radio_stop(f.radio);
        for (uint32_t n = 1; n <= 3; n++)
                peer_queue_text(f.peer, &key, n, "hello");
        radio_start(f.radio);
        fixture_until(&f, radio_state(f.radio) == RADIO_READY);
        ck_assert_uint_eq(identity_unread(radio_identity(f.radio)), 3);
}
END_TEST

/* "No more" crosses with the announcement of one that came behind it. */
static bool cross(Peer *peer, const uint8_t *frame, size_t size, void *userdata) {
        static const uint8_t waiting[] = {PUSH_MSG_WAITING}, none[] = {RESP_NO_MORE_MESSAGES};

        if (frame[0] != CMD_SYNC_NEXT_MESSAGE)
                return true;

        peer->on_command = give_one;
        peer_push(peer, waiting, sizeof(waiting));
        peer_push(peer, none, sizeof(none));
        return false;
}

START_TEST(announced_while_popping) {
        static const uint8_t waiting[] = {PUSH_MSG_WAITING};

        f.peer->on_command = cross;
        peer_push(f.peer, waiting, sizeof(waiting));
        fixture_until(&f, identity_unread(radio_identity(f.radio)) == 1);
}
END_TEST

START_TEST(polled_now_and_then) {
        /* Shorter than a person could make it. */
        ((RadioSettings *) radio_settings(f.radio))->poll_usec = 20 * USEC_PER_MSEC;
        reconnect();
        f.peer->on_command = give_one;
        fixture_until(&f, identity_unread(radio_identity(f.radio)) == 1);
}
END_TEST

START_TEST(heard_is_written_now_and_then) {
        const PublicKey key = key_of(1);

        ((RadioSettings *) radio_settings(f.radio))->poll_usec = 20 * USEC_PER_MSEC;
        reconnect();
        for (uint32_t n = 1; n <= 3; n++) {
                peer_forget(f.peer);
                peer_queue_text(f.peer, &key, n, "hello");
                fixture_until(&f, identity_unread(radio_identity(f.radio)) == n);
                fixture_until(&f, peer_count(f.peer, CMD_GET_BATT_AND_STORAGE) >= 2); /* polls */
                if (n == 1) /* the first after a long time */
                        ck_assert(!identity_needs_flush(radio_identity(f.radio)));
                else
                        ck_assert(identity_needs_flush(radio_identity(f.radio)));
        }
        radio_timing.flush_usec = 40 * USEC_PER_MSEC;
        fixture_until(&f, !identity_needs_flush(radio_identity(f.radio)));

        /* An orderly end forgets nothing. */
        radio_timing.flush_usec = 60 * USEC_PER_SEC;
        identity_touch_contact(radio_identity(f.radio), &key, UINT64_C(4102444800000000));
        fixture_restart(&f);
        ck_assert_uint_eq(book(&key)->last_heard_usec, UINT64_C(4102444800000000));
}
END_TEST

static unsigned n_battery;

static void count_battery(Radio *radio, RadioChange what, void *userdata) {
        n_battery += (what & RADIO_CHANGED_BATTERY) != 0;
}

START_TEST(battery_is_polled_and_told_when_it_changes) {
        static const RadioObserver observer = {.changed = count_battery};

        ((RadioSettings *) radio_settings(f.radio))->poll_usec = 20 * USEC_PER_MSEC;
        engine_set_battery(f.peer->engine, 3700);
        reconnect();
        fixture_until(&f, radio_info(f.radio)->battery_mv == 3700);
        n_battery = 0;
        manager_set_observer(f.manager, &observer, NULL);
        peer_forget(f.peer);
        fixture_until(&f, peer_count(f.peer, CMD_GET_BATT_AND_STORAGE) >= 3);
        ck_assert_uint_eq(n_battery, 0);
        engine_set_battery(f.peer->engine, 3600);
        fixture_until(&f, n_battery > 0);
        ck_assert_uint_eq(radio_info(f.radio)->battery_mv, 3600);
        manager_set_observer(f.manager, NULL, NULL);
}
END_TEST

static void settled(Manager *manager, void *userdata) {
        (*(unsigned *) userdata)++;
}

START_TEST(everybody_settles_before_the_end) {
        unsigned n = 0;

        manager_settle(f.manager, settled, &n);
        ck_assert_uint_eq(n, 1);
        manager_resume(f.manager);
        fixture_settle(&f);

        peer_forget(f.peer);
        begin_pop();
        manager_settle(f.manager, settled, &n);
        fixture_settle(&f);
        ck_assert_uint_eq(n, 1);
        push_message(f.peer, "the last one");
        fixture_until(&f, n == 2);
        ck_assert_uint_eq(identity_unread(radio_identity(f.radio)), 1);
        fixture_settle(&f);
        ck_assert_uint_eq(peer_count(f.peer, CMD_SYNC_NEXT_MESSAGE), 1);

        /* It was a reload, and goes on. */
        manager_resume(f.manager);
        fixture_until(&f, peer_count(f.peer, CMD_SYNC_NEXT_MESSAGE) == 2);

        /* The link dies instead of answering. */
        manager_settle(f.manager, settled, &n);
        peer_drop(f.peer);
        fixture_until(&f, n == 3);
}
END_TEST

/* -- sync ------------------------------------------------------------------------------------------ */

START_TEST(incremental_and_full) {
        const PublicKey one = key_of(1), new = key_of(8);
        EngineContact other = *engine_find_contact(f.peer->engine, &one);

        reconnect();
        ck_assert_uint_eq(peer_count(f.peer, CMD_GET_CONTACTS), 1);
        ck_assert_uint_ne(g_bytes_get_size(f.peer->commands->pdata[0]), 1);
        strcpy(other.name, "New name");
        other.lastmod = engine_clock(f.peer->engine);
        ck_assert_int_eq(engine_put_contact(f.peer->engine, &other), 0);
        reconnect();
        ck_assert_str_eq(book(&one)->name, "New name");
        ck_assert_uint_eq(peer_count(f.peer, CMD_GET_CONTACTS), 2);

        /* One left and an old one came: the count alone does not tell, but what left does. */
        ck_assert_int_eq(engine_remove_contact(f.peer->engine, &one), 0);
        reconnect();
        ck_assert_uint_eq(peer_count(f.peer, CMD_GET_CONTACTS), 4); /* incremental, then all */
        ck_assert(!book(&one)->on_radio);
        (void) peer_add_contact(f.peer, 8, CONTACT_CHAT, 0, true); /* with an old mark */
        reconnect();
        ck_assert(book(&new)->on_radio);
}
END_TEST

/* The radio says that there are more than it sends. */
static bool hide_contact(Peer *peer, const uint8_t *frame, size_t size, void *userdata) {
        const uint8_t start[] = {RESP_CONTACTS_START, 3, 0, 0, 0}, end[] = {RESP_END_OF_CONTACTS, 0, 0, 0, 0};

        if (frame[0] != CMD_GET_CONTACTS)
                return true;
        peer_push(peer, start, sizeof(start));
        peer_push(peer, end, sizeof(end));
        return false;
}

static bool begin_endless(Peer *peer, const uint8_t *frame, size_t size, void *userdata) {
        const uint8_t start[] = {RESP_CONTACTS_START, 3, 0, 0, 0};

        if (frame[0] == CMD_GET_CONTACTS)
                peer_push(peer, start, sizeof(start));
        return frame[0] != CMD_GET_CONTACTS;
}

START_TEST(dump_that_never_ends) {
        uint8_t frame[148] = {RESP_CONTACT};
        unsigned n;

        radio_stop(f.radio);
        f.peer->on_command = begin_endless;
        radio_start(f.radio);
        fixture_until(&f, peer_count(f.peer, CMD_GET_CONTACTS) == 1);
        for (n = 0; n < 5000 && radio_state(f.radio) == RADIO_SYNCING; n++) {
                frame[1] = (uint8_t) n;
                frame[2] = (uint8_t) (n >> 8);
                peer_push(f.peer, frame, sizeof(frame));
                if (n % 20 == 0)
                        fixture_turn(&f);
        }
        ck_assert_uint_lt(n, 5000);
        ck_assert_int_eq(radio_reason(f.radio), REASON_PROTOCOL);
        f.peer->on_command = NULL;
        fixture_until(&f, radio_state(f.radio) == RADIO_READY);
}
END_TEST

START_TEST(dump_with_gaps_removes_nobody) {
        const PublicKey one = key_of(1);

        engine_set_clock(f.peer->engine, 1600000000); /* back: everything is asked for again */
        f.peer->on_command = hide_contact;
        reconnect();
        ck_assert_uint_ge(peer_count(f.peer, CMD_GET_CONTACTS), 2);
        ck_assert(book(&one)->on_radio);
        ck_assert(!book(&one)->removed_elsewhere);
}
END_TEST

int main(void) {
        Suite *s = suite_create("rules");
        TCase *tc = tcase_create("rules");

        tcase_add_checked_fixture(tc, setup, teardown);
        tcase_add_test(tc, another_board_holds_the_outbox);
        tcase_add_test(tc, pinned_key);
        tcase_add_test(tc, two_links_to_one_radio);
        tcase_add_test(tc, taken_over_by_another_client);
        tcase_add_test(tc, long_lives_are_not_taken_over);
        tcase_add_test(tc, taken_over_waits_longer_and_longer);
        tcase_add_test(tc, restarting_is_not_taken_over);
        tcase_add_test(tc, clock_before_this_version);
        tcase_add_test(tc, radio_ahead_is_said_and_left);
        tcase_add_test(tc, clock_is_set_only_when_ours_is_right);
        tcase_add_test(tc, storage_full_leaves_the_messages_in_the_radio);
        tcase_add_test(tc, drained_at_connect);
        tcase_add_test(tc, announced_while_popping);
        tcase_add_test(tc, polled_now_and_then);
        tcase_add_test(tc, heard_is_written_now_and_then);
        tcase_add_test(tc, battery_is_polled_and_told_when_it_changes);
        tcase_add_test(tc, what_no_disk_takes_waits_in_memory);
        tcase_add_test(tc, memory_is_emptied_before_the_end);
        tcase_add_test(tc, early_ones_are_not_forgotten);
        tcase_add_test(tc, early_ones_have_a_limit);
        tcase_add_test(tc, memory_has_an_end_too);
        tcase_add_test(tc, nobody_asked_for_it);
        tcase_add_test(tc, stop_waits_for_the_message_on_its_way);
        tcase_add_test(tc, stop_and_start_in_one);
        tcase_add_test(tc, stop_waits_not_for_ever);
        tcase_add_test(tc, everybody_settles_before_the_end);
        tcase_add_test(tc, incremental_and_full);
        tcase_add_test(tc, dump_with_gaps_removes_nobody);
        tcase_add_test(tc, dump_that_never_ends);
        suite_add_tcase(s, tc);
        return fixture_run(s);
}
