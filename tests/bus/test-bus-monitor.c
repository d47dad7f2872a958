/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The interface Monitor: records through descriptors. */

#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bus-fixture.h"

#define PACKET "{\"TimeUSec\":17,\"Snr\":-7.25"

static Fixture *f;

static void setup(void) {
        f = fixture_new();
        fixture_clear_signals(f);
}

static void teardown(void) {
        f = fixture_free(f);
}

static int open_stream(const char *member) {
        g_autoptr(sd_bus_message) reply = fixture_call(f, RADIO_PATH, BUS_MONITOR, member, "a{sv}", 0);
        int fd;

        assert_reply_ok(reply);
        ck_assert_int_gt(sd_bus_message_read(reply, "h", &fd), 0);
        fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        ck_assert_int_ge(fd, 0);
        return fd;
}

/* The next record, or "" at the end, or NULL when there is none now. */
static char *next(int fd) {
        char record[4096];
        ssize_t n = recv(fd, record, sizeof(record), MSG_DONTWAIT | MSG_TRUNC);

        ck_assert_int_lt(n, (ssize_t) sizeof(record));
        return n < 0 ? NULL : g_strndup(record, (size_t) n);
}

static void close_stream(int fd) {
        (void) close(fd);
        fixture_run(f);
}

START_TEST(packets) {
        g_autofree char *first = NULL, *second = NULL, *third = NULL;
        int one, two;

        ck_assert(!fake_radio_is_watched(f->radio, false));
        one = open_stream("OpenRxLog");
        two = open_stream("OpenRxLog");
        ck_assert(fake_radio_is_watched(f->radio, false));

        fake_radio_tell_record(f->radio, false, PACKET);
        first = next(one);
        second = next(two);
        ck_assert_str_eq(first, second);
        ck_assert_str_eq(first, PACKET "}");

        /* Who closes is forgotten, and with the last one all work ends. */
        close_stream(one);
        fake_radio_tell_record(f->radio, false, PACKET);
        third = next(two);
        ck_assert_str_eq(third, PACKET "}");
        close_stream(two);
        ck_assert(!fake_radio_is_watched(f->radio, false));
}
END_TEST

/* Each kind of stream gets its own. */
START_TEST(kinds) {
        int log = open_stream("OpenRxLog"), frames = open_stream("OpenFrames");
        g_autofree char *packet = NULL, *frame = NULL, *none = NULL;

        fake_radio_tell_record(f->radio, true, "{\"Frame\":\"0a\"");
        frame = next(frames);
        none = next(log);
        ck_assert_str_eq(frame, "{\"Frame\":\"0a\"}");
        ck_assert_ptr_null(none);

        fake_radio_tell_record(f->radio, false, PACKET);
        packet = next(log);
        none = next(frames);
        ck_assert_str_eq(packet, PACKET "}");
        ck_assert_ptr_null(none);

        close_stream(frames);
        ck_assert(!fake_radio_is_watched(f->radio, true));
        ck_assert(fake_radio_is_watched(f->radio, false));
        close_stream(log);
}
END_TEST

/* A slow reader loses the newest, and is told how many; a fast one beside it loses nothing. */
START_TEST(slow_reader) {
        int slow = open_stream("OpenRxLog"), fast = open_stream("OpenRxLog");
        unsigned kept = 0, sent = 0, lost = 0;
        g_autofree char *after = NULL, *again = NULL;

        for (; sent < 5000; sent++) {
                g_autofree char *record = NULL;

                fake_radio_tell_record(f->radio, false, PACKET);
                record = next(fast);
                ck_assert_ptr_nonnull(record);
                ck_assert_ptr_null(strstr(record, "Lost"));
        }
        for (;;) {
                g_autofree char *record = next(slow);

                if (!record)
                        break;
                ck_assert_ptr_null(strstr(record, "Lost"));
                kept++;
        }
        ck_assert_uint_gt(kept, 50);
        ck_assert_uint_lt(kept, sent);

        fake_radio_tell_record(f->radio, false, PACKET);
        after = next(slow);
        ck_assert_ptr_nonnull(after);
        ck_assert_int_eq(sscanf(strstr(after, ",\"Lost\":"), ",\"Lost\":%u}", &lost), 1);
        ck_assert_uint_eq(lost, sent - kept);

        fake_radio_tell_record(f->radio, false, PACKET);
        again = next(slow);
        ck_assert_ptr_null(strstr(again, "Lost"));
        close_stream(slow);
        close_stream(fast);
}
END_TEST

START_TEST(limit) {
        g_autoptr(sd_bus_message) refused = NULL, unknown = NULL;
        int fds[BUS_STREAMS_PER_UID];

        for (size_t i = 0; i < ELEMENTSOF(fds); i++)
                fds[i] = open_stream("OpenRxLog");
        refused = fixture_call(f, RADIO_PATH, BUS_MONITOR, "OpenRxLog", "a{sv}", 0);
        assert_reply_error(refused, "InProgress");

        close_stream(fds[0]);
        fds[0] = open_stream("OpenRxLog");
        for (size_t i = 0; i < ELEMENTSOF(fds); i++)
                close_stream(fds[i]);

        unknown = fixture_call(f, RADIO_PATH, BUS_MONITOR, "OpenRxLog", "a{sv}", 1, "Filter", "s", "");
        assert_reply_error(unknown, "InvalidArguments");
}
END_TEST

/* The linker leads every call of ours here: whoever calls is somebody else each time, and may all. */
uid_t __real_getuid(void);
uid_t __wrap_getuid(void);
int __real_sd_bus_creds_get_euid(sd_bus_creds *creds, uid_t *ret);
int __wrap_sd_bus_creds_get_euid(sd_bus_creds *creds, uid_t *ret);
static uid_t caller;

uid_t __wrap_getuid(void) {
        return caller ?: __real_getuid();
}

int __wrap_sd_bus_creds_get_euid(sd_bus_creds *creds, uid_t *ret) {
        if (caller == 0)
                return __real_sd_bus_creds_get_euid(creds, ret);
        *ret = caller;
        return 0;
}

START_TEST(limit_of_all) {
        g_autoptr(sd_bus_message) refused = NULL;
        int fds[64];

        for (size_t i = 0; i < ELEMENTSOF(fds); i++) {
                caller = (uid_t) (5000 + i / 4);
                fds[i] = open_stream("OpenRxLog");
        }
        caller = 6000;
        refused = fixture_call(f, RADIO_PATH, BUS_MONITOR, "OpenRxLog", "a{sv}", 0);
        assert_reply_error(refused, "InProgress");
        for (size_t i = 0; i < ELEMENTSOF(fds); i++)
                close_stream(fds[i]);
        caller = 0;
}
END_TEST

/* Neither the bus nor the link matters; the object does. */
START_TEST(lifetime) {
        g_autofree char *record = NULL, *end = NULL;
        int fd = open_stream("OpenRxLog");

        bus_detach(f->bus);
        fixture_reconnect(f);
        fake_radio_enter_state(f->radio, RADIO_WAITING, REASON_LOST);
        fake_radio_tell_record(f->radio, false, PACKET);
        record = next(fd);
        ck_assert_ptr_nonnull(record);

        fake_radio_remove(f->manager, f->radio);
        f->radio = NULL;
        end = next(fd);
        ck_assert_str_eq(end, "");
        (void) close(fd);
}
END_TEST

START_TEST(unknown_frame) {
        g_autofree char *digits = NULL;
        sd_bus_message *signal;
        const void *data;
        uint8_t code;
        size_t size;

        fake_radio_tell_unknown(f->radio, 0xA0, "\x01\x02", 2);
        fake_radio_tell_unknown(f->radio, 0x60, "secret", 6);
        fixture_run(f);
        ck_assert_uint_eq(f->signals->len, 2);

        signal = f->signals->pdata[0];
        ck_assert_str_eq(sd_bus_message_get_member(signal), "UnknownFrame");
        ck_assert_int_gt(sd_bus_message_read(signal, "y", &code), 0);
        ck_assert_uint_eq(code, 0xA0);
        ck_assert_int_gt(sd_bus_message_read_array(signal, 'y', &data, &size), 0);
        ck_assert_uint_eq(size, 2);
        ck_assert_mem_eq(data, "\x01\x02", 2);

        signal = f->signals->pdata[1];
        ck_assert_int_gt(sd_bus_message_read(signal, "y", &code), 0);
        ck_assert_int_ge(sd_bus_message_read_array(signal, 'y', &data, &size), 0);
        ck_assert_uint_eq(code, 0x60);
        ck_assert_uint_eq(size, 0);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("bus-monitor");
        TCase *tcase = tcase_create("all");
        SRunner *runner;
        int failed;

        tcase_add_checked_fixture(tcase, setup, teardown);
        tcase_add_test(tcase, packets);
        tcase_add_test(tcase, kinds);
        tcase_add_test(tcase, slow_reader);
        tcase_add_test(tcase, limit);
        tcase_add_test(tcase, limit_of_all);
        tcase_add_test(tcase, lifetime);
        tcase_add_test(tcase, unknown_frame);
        suite_add_tcase(suite, tcase);

        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
