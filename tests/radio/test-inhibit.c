/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "macros.h"
#include "protocol.h"
#include "radio-fixture.h"

/* Ports handed over: what is on its way comes first, and nothing is lost or sent twice. */

static Fixture f;
static PublicKey peer_key;
static uint8_t kept; /* the command that is held back, once it came */

static void setup(void) {
        fixture_setup(&f, 2);
        peer_key = key_of(1);
        kept = 0;
        /* Nobody acknowledges anything here, and a further try would count. */
        radio_timing.sent_wait_usec = radio_timing.resume_wait_usec = 30 * USEC_PER_SEC;
}

static void teardown(void) {
        fixture_teardown(&f);
}

static bool keep_the_answer(Peer *peer, const uint8_t *frame, size_t size, void *userdata) {
        if (frame[0] != GPOINTER_TO_UINT(peer->userdata))
                return true;

        kept = frame[0];
        return false;
}

/* The radio does not see the next one of this command. */
static void keep(uint8_t command) {
        kept = 0;
        f.peer->userdata = GUINT_TO_POINTER(command);
        f.peer->on_command = keep_the_answer;
}

static void answer_sent(void) {
        const uint8_t sent[] = {RESP_SENT, 0, 1, 2, 3, 4, 10, 0, 0, 0};

        f.peer->on_command = NULL;
        peer_push(f.peer, sent, sizeof(sent));
}

static void answer_ok(void) {
        const uint8_t ok[] = {RESP_OK};

        f.peer->on_command = NULL;
        peer_push(f.peer, ok, sizeof(ok));
}

static bool is_inhibited(void) {
        return radio_state(f.radio) == RADIO_WAITING && radio_reason(f.radio) == REASON_INHIBITED;
}

static void take_back(void) {
        manager_release(f.manager, radio_id(f.radio));
        fixture_until(&f, radio_state(f.radio) == RADIO_READY);
        fixture_settle(&f);
}

START_TEST(at_once_when_nothing_is_on_its_way) {
        manager_inhibit(f.manager, radio_id(f.radio));
        ck_assert(manager_is_handed_over(f.manager, radio_id(f.radio)));
        ck_assert(is_inhibited());
        take_back();
        ck_assert(!manager_is_handed_over(f.manager, radio_id(f.radio)));
}
END_TEST

START_TEST(channel_text_is_not_in_doubt) {
        g_autoptr(Message) m = NULL;
        uint64_t id, next;

        keep(CMD_SEND_CHANNEL_TXT_MSG);
        id = fixture_send_channel(&f, 0, "hello all");
        fixture_until(&f, kept);
        manager_inhibit(f.manager, radio_id(f.radio));
        next = fixture_send_channel(&f, 0, "later");
        fixture_settle(&f);
        ck_assert(!manager_is_handed_over(f.manager, radio_id(f.radio)));
        ck_assert_int_eq(radio_state(f.radio), RADIO_READY);

        answer_ok();
        fixture_until(&f, manager_is_handed_over(f.manager, NULL));
        ck_assert(is_inhibited());
        m = fixture_message(&f, id);
        ck_assert_int_eq(m->state, MESSAGE_SENT);
        ck_assert(!m->uncertain);
        /* The next one was not begun. */
        ck_assert_int_eq(fixture_state(&f, next), MESSAGE_QUEUED);

        take_back();
        fixture_until(&f, fixture_state(&f, next) == MESSAGE_SENT);
        ck_assert_uint_eq(peer_count(f.peer, CMD_SEND_CHANNEL_TXT_MSG), 2);
}
END_TEST

START_TEST(direct_text_is_not_sent_twice) {
        g_autoptr(Message) m = NULL;
        uint64_t id;

        keep(CMD_SEND_TXT_MSG);
        id = fixture_send(&f, &peer_key, "hello");
        fixture_until(&f, kept);
        manager_inhibit(f.manager, radio_id(f.radio));
        fixture_settle(&f);
        ck_assert_int_eq(fixture_state(&f, id), MESSAGE_SENDING);
        answer_sent();
        fixture_until(&f, is_inhibited());

        m = fixture_message(&f, id);
        ck_assert_int_eq(m->state, MESSAGE_SENT);
        ck_assert_uint_eq(m->attempts, 1);
        /* Who acknowledged it meanwhile is not asked again at once. */
        take_back();
        ck_assert_uint_eq(peer_count(f.peer, CMD_SEND_TXT_MSG), 1);
}
END_TEST

static void on_ping(Radio *radio, const Outcome *outcome, uint64_t round_trip_usec, void *userdata) {
}

START_TEST(text_that_never_left_was_not_tried) {
        g_autoptr(Message) m = NULL;
        uint64_t channel, direct;

        /* Behind a question that the radio does not answer. */
        keep(CMD_DEVICE_QUERY);
        radio_ping(f.radio, on_ping, NULL);
        channel = fixture_send_channel(&f, 0, "hello all");
        direct = fixture_send(&f, &peer_key, "hello");
        fixture_until(&f, kept && fixture_state(&f, channel) == MESSAGE_SENDING);
        manager_inhibit(f.manager, radio_id(f.radio));
        fixture_until(&f, is_inhibited());
        m = fixture_message(&f, channel);
        ck_assert_int_eq(m->state, MESSAGE_QUEUED);
        ck_assert_uint_eq(m->attempts, 0);
        ck_assert(!m->uncertain);

        f.peer->on_command = NULL;
        take_back();
        fixture_until(&f, fixture_state(&f, channel) == MESSAGE_SENT);
        fixture_until(&f, fixture_state(&f, direct) == MESSAGE_SENT);
        ck_assert_uint_eq(peer_count(f.peer, CMD_SEND_CHANNEL_TXT_MSG), 1);
}
END_TEST

START_TEST(no_answer_is_not_waited_for_for_ever) {
        g_autoptr(Message) m = NULL;
        uint64_t id;

        keep(CMD_SEND_CHANNEL_TXT_MSG);
        id = fixture_send_channel(&f, 0, "hello all");
        fixture_until(&f, kept);
        manager_inhibit(f.manager, radio_id(f.radio));
        fixture_until(&f, is_inhibited());
        m = fixture_message(&f, id);
        ck_assert_int_eq(m->state, MESSAGE_SENT);
        ck_assert(m->uncertain);
}
END_TEST

static void begin_pop(void) {
        const uint8_t waiting[] = {PUSH_MSG_WAITING};

        keep(CMD_SYNC_NEXT_MESSAGE);
        peer_push(f.peer, waiting, sizeof(waiting));
        fixture_until(&f, kept);
        peer_forget(f.peer);
}

static void answer_pop(const char *text) {
        uint8_t frame[64] = {RESP_CONTACT_MSG_RECV_V3, 20};

        memcpy(frame + 4, peer_key.bytes, KEY_PREFIX_SIZE);
        frame[10] = 0xFF;
        memcpy(frame + 16, text, strlen(text));
        f.peer->on_command = NULL;
        peer_push(f.peer, frame, 16 + strlen(text));
}

START_TEST(message_from_the_radio_is_kept) {
        begin_pop();
        manager_inhibit(f.manager, radio_id(f.radio));
        fixture_settle(&f);
        ck_assert_int_eq(radio_state(f.radio), RADIO_READY);
        answer_pop("the last one");
        fixture_until(&f, is_inhibited());
        ck_assert_uint_eq(identity_unread(radio_identity(f.radio)), 1);
        ck_assert_uint_eq(peer_count(f.peer, CMD_SYNC_NEXT_MESSAGE), 0);
        take_back();
        ck_assert_uint_ge(peer_count(f.peer, CMD_SYNC_NEXT_MESSAGE), 1);
}
END_TEST

START_TEST(given_back_before_it_was_handed_over) {
        uint64_t id;

        begin_pop();
        manager_inhibit(f.manager, radio_id(f.radio));
        manager_release(f.manager, radio_id(f.radio));
        id = fixture_send_channel(&f, 0, "hello all");
        answer_pop("not the last one");
        fixture_until(&f, fixture_state(&f, id) == MESSAGE_SENT);
        fixture_settle(&f);
        ck_assert_uint_eq(f.peer->connections, 1);
        ck_assert_uint_eq(identity_unread(radio_identity(f.radio)), 1);
        ck_assert_uint_eq(peer_count(f.peer, CMD_SYNC_NEXT_MESSAGE), 1);
}
END_TEST

START_TEST(stop_and_hand_over_in_one) {
        begin_pop();
        manager_inhibit(f.manager, radio_id(f.radio));
        radio_stop(f.radio);
        radio_start(f.radio);
        answer_pop("the last one");
        fixture_until(&f, is_inhibited());
        ck_assert_ptr_nonnull(strstr(f.log->str, "stopped/"));
        take_back();

        begin_pop();
        manager_inhibit(f.manager, radio_id(f.radio));
        radio_stop(f.radio);
        answer_pop("once more");
        fixture_until(&f, radio_state(f.radio) == RADIO_STOPPED);
        manager_release(f.manager, radio_id(f.radio));
        fixture_settle(&f);
        ck_assert_int_eq(radio_state(f.radio), RADIO_STOPPED);
}
END_TEST

START_TEST(link_dies_meanwhile) {
        begin_pop();
        manager_inhibit(f.manager, radio_id(f.radio));
        peer_drop(f.peer);
        fixture_until(&f, is_inhibited());
        fixture_settle(&f);
        ck_assert(manager_is_handed_over(f.manager, NULL));
        ck_assert_uint_eq(f.peer->connections, 1);
        f.peer->on_command = NULL;
        take_back();
}
END_TEST

static void settled(Manager *manager, void *userdata) {
        (*(unsigned *) userdata)++;
}

START_TEST(reload_meanwhile) {
        unsigned n = 0;

        begin_pop();
        manager_inhibit(f.manager, radio_id(f.radio));
        manager_settle(f.manager, settled, &n);
        manager_release(f.manager, radio_id(f.radio));
        ck_assert_uint_eq(n, 0);
        answer_pop("the last one");
        fixture_until(&f, n == 1);
        fixture_settle(&f);
        ck_assert_uint_eq(peer_count(f.peer, CMD_SYNC_NEXT_MESSAGE), 0);
        manager_resume(f.manager);
        fixture_until(&f, peer_count(f.peer, CMD_SYNC_NEXT_MESSAGE) == 1);
        ck_assert_int_eq(radio_state(f.radio), RADIO_READY);
}
END_TEST

START_TEST(all_radios_sleep) {
        Peer *other = peer_new(f.event, "Other", 10);
        Radio *second = fixture_add_radio(&f, "other", other);

        fixture_until(&f, radio_state(second) == RADIO_READY);
        begin_pop();
        manager_set_asleep(f.manager, true);
        fixture_settle(&f);
        ck_assert(manager_is_handed_over(f.manager, "other"));
        ck_assert(!manager_is_handed_over(f.manager, NULL));
        answer_pop("good night");
        fixture_until(&f, manager_is_handed_over(f.manager, NULL));

        manager_set_asleep(f.manager, false);
        fixture_until(&f, radio_state(f.radio) == RADIO_READY && radio_state(second) == RADIO_READY);
        radio_stop(second);
        peer_free(other);
}
END_TEST

static void count_pair(Radio *radio, const Outcome *outcome, bool already, void *userdata) {
        ck_assert_int_eq(outcome->code, OUTCOME_NOT_CONNECTED);
        ++*(unsigned *) userdata;
}

static void count_verify(Radio *radio, const Outcome *outcome, void *userdata) {
        ck_assert_int_eq(outcome->code, OUTCOME_NOT_CONNECTED);
        ++*(unsigned *) userdata;
}

/* Nobody knows for how long. */
START_TEST(who_wants_to_pair_is_told) {
        RadioSettings *settings = radio_settings_new("hut");
        unsigned told = 0;
        const char *why;
        Radio *hut;

        ck_assert_int_eq(radio_settings_set_transport(settings, "ble:C0:00:00:00:22:01", &why), 0);
        manager_inhibit(f.manager, "hut");
        ck_assert_int_eq(manager_add_radio(f.manager, settings, &hut), 0);
        radio_pair(hut, "123456", count_pair, &told);
        radio_pair(hut, NULL, count_pair, &told);
        radio_verify_bond(hut, count_verify, &told);
        fixture_until(&f, told == 3);
        manager_release(f.manager, "hut");
        ck_assert_int_eq(manager_remove_radio(f.manager, "hut"), 0);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("inhibit");
        TCase *tc = tcase_create("all");

        tcase_add_checked_fixture(tc, setup, teardown);
        tcase_add_test(tc, at_once_when_nothing_is_on_its_way);
        tcase_add_test(tc, channel_text_is_not_in_doubt);
        tcase_add_test(tc, direct_text_is_not_sent_twice);
        tcase_add_test(tc, text_that_never_left_was_not_tried);
        tcase_add_test(tc, no_answer_is_not_waited_for_for_ever);
        tcase_add_test(tc, message_from_the_radio_is_kept);
        tcase_add_test(tc, given_back_before_it_was_handed_over);
        tcase_add_test(tc, stop_and_hand_over_in_one);
        tcase_add_test(tc, link_dies_meanwhile);
        tcase_add_test(tc, reload_meanwhile);
        tcase_add_test(tc, all_radios_sleep);
        tcase_add_test(tc, who_wants_to_pair_is_told);
        suite_add_tcase(suite, tc);
        return fixture_run(suite);
}
