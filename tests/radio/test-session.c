/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The dialogue against a scripted radio: what was sent is compared, answers
 * are fed by hand. */

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "hex.h"
#include "macros.h"
#include "protocol.h"
#include "session.h"

typedef struct Fixture {
        sd_event *event;
        Session *session;
        GString *log;        /* what happened, in order */
        const uint8_t *sent; /* the last frame, for as long as it is there */
        bool free_in_reply;
} Fixture;

static int on_send(const uint8_t *frame, size_t size, void *userdata) {
        Fixture *f = userdata;
        g_autofree char *hex = hex_dup(frame, size);

        f->sent = frame;

        g_string_append_printf(f->log, ">%s ", hex);
        return 0;
}

static void on_unsolicited(Session *session, const Frame *frame, Slice raw, void *userdata) {
        Fixture *f = userdata;

        g_string_append_printf(f->log, "?%02x ", raw.data[0]);
}

static void on_dead(Session *session, void *userdata) {
        Fixture *f = userdata;

        g_string_append(f->log, "dead ");
}

static const SessionHandler handler = {
                .send = on_send,
                .unsolicited = on_unsolicited,
                .dead = on_dead,
};

/* Short, so that a test of a deadline is over at once. */
static const SessionTiming timing = {
                .command_usec = 20 * USEC_PER_MSEC,
                .slow_usec = 40 * USEC_PER_MSEC,
                .item_usec = 20 * USEC_PER_MSEC,
                .probe_usec = 20 * USEC_PER_MSEC,
                .probes = 3,
};

static void fixture_setup(Fixture *f, const SessionTiming *t) {
        *f = (Fixture){.log = g_string_new(NULL)};
        ck_assert_int_ge(sd_event_new(&f->event), 0);
        ck_assert_int_ge(session_new(f->event, &handler, f, t, &f->session), 0);
}

static void fixture_teardown(Fixture *f) {
        f->session = session_free(f->session);
        sd_event_unref(f->event);
        g_string_free(f->log, TRUE);
}

static void assert_log(Fixture *f, const char *expected) {
        ck_assert_str_eq(f->log->str, expected);
        g_string_truncate(f->log, 0);
}

static void input(Fixture *f, const char *hex) {
        uint8_t frame[300];
        int size = hex_decode(hex, strlen(hex), frame, sizeof(frame));

        ck_assert_int_ge(size, 0);
        session_input(f->session, frame, (size_t) size);
}

static void run_until(Fixture *f, const char *word) {
        for (unsigned i = 0; i < 100 && !strstr(f->log->str, word); i++)
                ck_assert_int_ge(sd_event_run(f->event, 100 * USEC_PER_MSEC), 0);
        ck_assert_ptr_nonnull(strstr(f->log->str, word));
}

static void on_reply(Session *session, const SessionReply *reply, void *userdata) {
        static const char *const names[] = {"reply", "malformed", "timeout", "closed"};
        Fixture *f = userdata;

        g_string_append_printf(f->log, "%s", names[reply->result]);
        if (reply->raw.size > 0)
                g_string_append_printf(f->log, ":%02x", reply->raw.data[0]);
        g_string_append_c(f->log, ' ');
        if (f->free_in_reply)
                f->session = session_free(session);
}

static void on_item(Session *session, const Frame *frame, void *userdata) {
        Fixture *f = userdata;

        g_string_append_printf(f->log, "item:%02x ", frame->code);
}

static void call_time(Fixture *f, SessionPriority priority) {
        Command command;

        ck_assert_int_ge(command_get_device_time(&command), 0);
        ck_assert_int_eq(session_call(f->session, &command, priority, on_reply, f), 0);
}

static void call_pop(Fixture *f) {
        Command command;

        ck_assert_int_ge(command_sync_next_message(&command), 0);
        ck_assert_int_eq(session_call(f->session, &command, SESSION_BACKGROUND, on_reply, f), 0);
}

static void call_dump(Fixture *f) {
        Command command;

        ck_assert_int_ge(command_get_contacts(&command), 0);
        ck_assert_int_eq(session_call_dump(f->session, &command, on_item, on_reply, f), 0);
}

START_TEST(one_outstanding_and_priority) {
        Fixture f;

        fixture_setup(&f, NULL);
        call_time(&f, SESSION_BACKGROUND);
        call_pop(&f);
        call_time(&f, SESSION_PERSON);
        assert_log(&f, ">05 ");
        input(&f, "0901000000");
        assert_log(&f, "reply:09 >05 "); /* the person's, though the pop was asked first */
        input(&f, "0901000000");
        assert_log(&f, "reply:09 >0a ");
        input(&f, "0a");
        assert_log(&f, "reply:0a ");
        fixture_teardown(&f);
}
END_TEST

START_TEST(pushes_and_strangers_in_between) {
        Fixture f;

        fixture_setup(&f, NULL);
        input(&f, "0901000000"); /* of a former client */
        assert_log(&f, "?09 ");
        call_time(&f, SESSION_BACKGROUND);
        input(&f, "83");
        input(&f, "00");
        input(&f, "10000000005d1f8a9f0b3cff0000000000416c6c");
        assert_log(&f, ">05 ?83 ?00 ?10 ");
        input(&f, "0106");
        assert_log(&f, "reply:01 ");
        fixture_teardown(&f);
}
END_TEST

START_TEST(pop_takes_what_it_cannot_read) {
        Fixture f;

        fixture_setup(&f, NULL);
        call_pop(&f);
        input(&f, "1000"); /* cut */
        assert_log(&f, ">0a malformed:10 ");
        call_pop(&f);
        input(&f, "1d0102030405"); /* of later firmware */
        assert_log(&f, ">0a reply:1d ");
        fixture_teardown(&f);
}
END_TEST

START_TEST(dump_in_order) {
        Fixture f;
        g_autofree char *contact = g_strnfill(2 * 147, '0');
        g_autofree char *frame = g_strconcat("03", contact, NULL);

        fixture_setup(&f, NULL);
        call_dump(&f);
        input(&f, frame); /* the tail of a former dump */
        assert_log(&f, ">04 ?03 ");
        input(&f, "0202000000");
        input(&f, frame);
        input(&f, "83");
        input(&f, frame);
        assert_log(&f, "item:02 item:03 ?83 item:03 ");
        input(&f, "0401000000");
        assert_log(&f, "reply:04 ");
        fixture_teardown(&f);
}
END_TEST

/* A late answer must not be taken for the next command's. */
START_TEST(timeout_asks_for_a_sign_of_life_first) {
        Fixture f;

        fixture_setup(&f, &timing);
        input(&f, "83");
        call_time(&f, SESSION_BACKGROUND);
        call_pop(&f);
        run_until(&f, "timeout");
        assert_log(&f, "?83 >05 >160d timeout ");
        input(&f, "0901000000"); /* late */
        assert_log(&f, "?09 ");
        input(&f, "0d0daf28000000003134204175672032303236004e61746976652053696d000000000000000000000000000000"
                  "00000000000000000000000000000076312e31372e31000000000000000000000000000000");
        assert_log(&f, ">0a ");
        input(&f, "0a");
        assert_log(&f, "reply:0a ");
        fixture_teardown(&f);
}
END_TEST

START_TEST(dead_after_unanswered_probes) {
        Fixture f;

        fixture_setup(&f, &timing);
        input(&f, "83");
        call_time(&f, SESSION_BACKGROUND);
        run_until(&f, "dead");
        assert_log(&f, "?83 >05 >160d timeout >160d >160d dead ");
        fixture_teardown(&f);
}
END_TEST

START_TEST(close_completes_everything_once) {
        Fixture f;
        Command command;

        fixture_setup(&f, NULL);
        call_time(&f, SESSION_BACKGROUND);
        call_pop(&f);
        session_close(f.session);
        assert_log(&f, ">05 closed closed ");
        ck_assert_int_ge(command_get_device_time(&command), 0);
        ck_assert_int_eq(session_call(f.session, &command, SESSION_PERSON, on_reply, &f), -ENOTCONN);
        fixture_teardown(&f);
        /* and nothing more when it is freed */
}
END_TEST

START_TEST(free_from_inside_a_reply) {
        Fixture f;

        fixture_setup(&f, NULL);
        f.free_in_reply = true;
        call_time(&f, SESSION_BACKGROUND);
        input(&f, "0901000000");
        assert_log(&f, ">05 reply:09 ");
        fixture_teardown(&f);
}
END_TEST

/* It may be a password, and the answer takes its time. */
START_TEST(what_was_sent_is_wiped) {
        static const uint8_t nothing[PUBLIC_KEY_SIZE + 8];
        const PublicKey key = {{1, 2, 3}};
        Command command;
        Fixture f;

        fixture_setup(&f, &timing);
        ck_assert_int_ge(command_send_login(&command, &key, "password"), 0);
        ck_assert_int_eq(session_call(f.session, &command, SESSION_PERSON, on_reply, &f), 0);
        ck_assert_uint_eq(f.sent[0], CMD_SEND_LOGIN);
        ck_assert_mem_eq(f.sent + 1, nothing, sizeof(nothing));
        g_string_truncate(f.log, 0);
        input(&f, "0600010203040a000000"); /* and it is answered all the same */
        assert_log(&f, "reply:06 ");
        fixture_teardown(&f);
}
END_TEST

START_TEST(queue_is_bounded) {
        Fixture f;
        Command command;
        unsigned n = 0;

        fixture_setup(&f, NULL);
        ck_assert_int_ge(command_get_device_time(&command), 0);
        while (session_call(f.session, &command, SESSION_PERSON, on_reply, &f) == 0)
                ck_assert_uint_lt(n++, 1000);
        ck_assert_int_eq(session_call(f.session, &command, SESSION_PERSON, on_reply, &f), -ENOBUFS);
        fixture_teardown(&f);
}
END_TEST

int main(void) {
        Suite *s = suite_create("session");
        TCase *tc = tcase_create("session");
        SRunner *runner;
        int failed;

        tcase_add_test(tc, one_outstanding_and_priority);
        tcase_add_test(tc, pushes_and_strangers_in_between);
        tcase_add_test(tc, pop_takes_what_it_cannot_read);
        tcase_add_test(tc, dump_in_order);
        tcase_add_test(tc, timeout_asks_for_a_sign_of_life_first);
        tcase_add_test(tc, dead_after_unanswered_probes);
        tcase_add_test(tc, close_completes_everything_once);
        tcase_add_test(tc, free_from_inside_a_reply);
        tcase_add_test(tc, what_was_sent_is_wiped);
        tcase_add_test(tc, queue_is_bounded);
        suite_add_tcase(s, tc);
        runner = srunner_create(s);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
