/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What the limits of the history delete, and what they leave. */

#include <string.h>

#include "clock.h"
#include "macros.h"
#include "radio-fixture.h"
#include "retention.h"

static Fixture f;
static uint32_t n_texts;

static void setup(void) {
        fixture_setup(&f, 3);
        radio_stop(f.radio);
        fixture_until(&f, radio_state(f.radio) == RADIO_STOPPED);
        retention_first_usec = USEC_PER_MSEC;
        n_texts = 0;
}

static void teardown(void) {
        fixture_teardown(&f);
}

static Message *make(unsigned days) {
        Message *m = message_new();

        m->kind = MESSAGE_TEXT;
        m->has_peer = m->has_peer_key = true;
        m->peer = key_of(1);
        memcpy(m->peer_prefix, m->peer.bytes, KEY_PREFIX_SIZE);
        g_free(m->text);
        m->text = g_strdup_printf("number %u", ++n_texts);
        m->sender_timestamp = 1700000000 + n_texts;
        m->timestamp_usec = clock_realtime_usec() - days * USEC_PER_DAY;
        return m;
}

/* n of them, as old as that; the id of the first. */
static uint64_t receive(unsigned n, unsigned days, bool read) {
        uint64_t first = 0;

        for (unsigned i = 0; i < n; i++) {
                g_autoptr(Message) m = make(days);
                ReceiveResult result;

                m->state = MESSAGE_RECEIVED;
                ck_assert_int_eq(identity_receive(radio_identity(f.radio), m, &result), 0);
                ck_assert_int_eq(result, RECEIVE_NEW);
                if (read)
                        ck_assert_int_ge(identity_mark_read(radio_identity(f.radio), &m->id, 1), 0);
                first = first ?: m->id;
        }
        return first;
}

/* One of ours, in this state. */
static uint64_t send(unsigned days, MessageState state) {
        const MessageUpdate update = {.set = MESSAGE_CHANGED_STATE, .state = state};
        g_autoptr(Message) m = make(days);

        ck_assert_int_ge(identity_queue(radio_identity(f.radio), m, 0, NULL), 0);
        ck_assert_int_eq(identity_update_message(radio_identity(f.radio), m->id, &update), 0);
        return m->id;
}

static bool is_there(uint64_t id) {
        g_autoptr(Message) m = identity_get_message(radio_identity(f.radio), id);

        return m;
}

static unsigned count(uint64_t first, unsigned n) {
        unsigned found = 0;

        for (unsigned i = 0; i < n; i++)
                found += is_there(first + i);
        return found;
}

START_TEST(by_age) {
        uint64_t old = receive(150, 30, true), unread = receive(1, 30, false), nine = receive(20, 9, true);
        uint64_t queued = send(30, MESSAGE_QUEUED), sent = send(30, MESSAGE_SENT);
        uint64_t delivered = send(30, MESSAGE_DELIVERED), failed = send(30, MESSAGE_FAILED);

        manager_set_retention(f.manager, 10 * USEC_PER_DAY, 0);
        /* It goes from the oldest to the newest. */
        fixture_until(&f, !is_there(failed));
        ck_assert_uint_eq(count(old, 150), 0);
        ck_assert_uint_eq(count(nine, 20), 20);
        /* Nobody has seen it; nobody knows yet what becomes of it. */
        ck_assert(is_there(unread) && is_there(queued) && is_there(sent));
        ck_assert(!is_there(delivered));
}
END_TEST

START_TEST(by_number) {
        uint64_t old = receive(220, 30, true), unread = receive(1, 30, false), young = receive(20, 1, true);

        manager_set_retention(f.manager, 0, 61);
        /* The unread one, the young ones, and the newest forty of the old. */
        fixture_until(&f, count(old, 220) == 40);
        fixture_settle(&f);
        ck_assert_uint_eq(count(old + 180, 40), 40);
        ck_assert(is_there(unread));
        ck_assert_uint_eq(count(young, 20), 20);
}
END_TEST

START_TEST(last_days_stay_whatever_the_limits) {
        uint64_t old = receive(1, 30, true), seven = receive(30, 7, true);

        manager_set_retention(f.manager, USEC_PER_DAY, 10);
        fixture_until(&f, !is_there(old));
        fixture_settle(&f);
        ck_assert_uint_eq(count(seven, 30), 30);
}
END_TEST

START_TEST(no_limit_keeps_all) {
        uint64_t old = receive(30, 400, true);

        manager_set_retention(f.manager, 10 * USEC_PER_DAY, 0);
        manager_set_retention(f.manager, 0, 0);
        fixture_settle(&f);
        ck_assert_uint_eq(count(old, 30), 30);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("retention");
        TCase *tc = tcase_create("all");

        tcase_add_checked_fixture(tc, setup, teardown);
        tcase_add_test(tc, by_age);
        tcase_add_test(tc, by_number);
        tcase_add_test(tc, last_days_stay_whatever_the_limits);
        tcase_add_test(tc, no_limit_keeps_all);
        suite_add_tcase(suite, tc);
        return fixture_run(suite);
}
