/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <check.h>
#include <string.h>
#include <sys/socket.h>

#include "link-fixture.h"
#include "macros.h"
#include "stream-internal.h"

/* The part that TCP and serial share, over a socket pair and with a patience
 * short enough for a test. */

typedef struct LinkPair {
        Link link;
        int fd;
        sd_event_source *step;
        StreamTraits traits;
        Stream stream;
} LinkPair;

static Fixture f;
static int peer = -EBADF;

static int on_step(sd_event_source *source, void *userdata) {
        LinkPair *pair = userdata;
        g_autoptr(LinkRef) link = link_ref(&pair->link);

        ck_assert_int_eq(stream_start(&pair->stream, steal_fd(&pair->fd)), 0);
        link_opened(link);
        return 0;
}

static int pair_open(Link *link) {
        LinkPair *pair = (LinkPair *) link;

        return sd_event_add_defer(link->event, &pair->step, on_step, pair);
}

static int pair_send(Link *link, const uint8_t *frame, size_t size) {
        return stream_send(&((LinkPair *) link)->stream, frame, size);
}

static void pair_stop(Link *link) {
        LinkPair *pair = (LinkPair *) link;

        pair->step = sd_event_source_disable_unref(pair->step);
        pair->fd = safe_close(pair->fd);
        stream_stop(&pair->stream);
}

static void pair_free(Link *link) {
        g_free(link);
}

static const LinkOps pair_ops = {
                .open = pair_open,
                .send = pair_send,
                .stop = pair_stop,
                .free = pair_free,
};

static ssize_t pair_read(int fd, void *buffer, size_t size) {
        return recv(fd, buffer, size, 0);
}

static ssize_t pair_write(int fd, const void *data, size_t size) {
        return send(fd, data, size, MSG_NOSIGNAL);
}

static ssize_t broken_write(int fd, const void *data, size_t size) {
        errno = ENETDOWN;
        return -1;
}

/* Takes a few bytes and then claims to be interrupted, full, or neither. */
static ssize_t reluctant_write(int fd, const void *data, size_t size) {
        static unsigned turn;

        switch (turn++ % 3) {
        case 0:
                errno = EINTR;
                return -1;
        case 1:
                return send(fd, data, MIN(size, 7U), MSG_NOSIGNAL);
        default:
                errno = EAGAIN;
                return -1;
        }
}

static void open_pair(FramerPolicy policy, ssize_t (*write)(int, const void *, size_t)) {
        LinkPair *pair = g_new0(LinkPair, 1);
        int fds[2];

        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
        peer = fds[1];

        link_init(&pair->link, &pair_ops, f.event, &fixture_handler, &f);
        pair->fd = fds[0];
        pair->traits = (StreamTraits){
                        .policy = policy,
                        .half_frame_usec = 20 * USEC_PER_MSEC,
                        .read = pair_read,
                        .write = write,
                        .close = safe_close,
                        .eof_text = "the test closed it",
        };
        stream_init(&pair->stream, &pair->link, &pair->traits);
        f.link = &pair->link;
        ck_assert_int_eq(fixture_open(&f), 0);
        fixture_run_until(&f, f.opened > 0);
}

static void setup(void) {
        fixture_init(&f);
}

static void teardown(void) {
        fixture_done(&f);
        peer = safe_close(peer);
}

static void peer_says(const void *data, size_t size) {
        ck_assert_int_eq(send(peer, data, size, MSG_NOSIGNAL), (ssize_t) size);
}

START_TEST(strict_half_frame) {
        open_pair(FRAMER_STRICT, pair_write);
        peer_says(">\1\0a>\5\0bc", 9);
        fixture_run_until(&f, f.closed > 0);
        ck_assert_uint_eq(f.frames->len, 1);
        assert_ended(&f, LINK_END_PROTOCOL, -ETIMEDOUT);
}
END_TEST

START_TEST(strict_half_frame_closing) {
        f.close_in = CLOSE_IN_CLOSED;
        open_pair(FRAMER_STRICT, pair_write);
        peer_says(">", 1);
        fixture_run_until(&f, f.closed > 0);
        ck_assert_ptr_null(f.link);
}
END_TEST

/* A false header swallows a frame; the timer gives it back. */
START_TEST(resync_half_frame) {
        open_pair(FRAMER_RESYNC, pair_write);
        peer_says(">\20\0>\1\0a", 7);
        fixture_run_until(&f, f.frames->len > 0);
        assert_frame(&f, 0, "a", 1);
        ck_assert_uint_eq(f.closed, 0);

        peer_says(">\1\0b", 4);
        fixture_run_until(&f, f.frames->len > 1);
        assert_frame(&f, 1, "b", 1);
}
END_TEST

/* One false header in another: each costs one turn of the timer. */
START_TEST(resync_nested) {
        open_pair(FRAMER_RESYNC, pair_write);
        peer_says(">\20\0>\20\0>\1\0a", 10);
        fixture_run_until(&f, f.frames->len > 0);
        assert_frame(&f, 0, "a", 1);
}
END_TEST

START_TEST(resync_close_in_frame) {
        f.close_in = CLOSE_IN_FRAME;
        open_pair(FRAMER_RESYNC, pair_write);
        peer_says(">\20\0>\1\0a", 7);
        fixture_run_until(&f, f.frames->len > 0);
        ck_assert_ptr_null(f.link);
}
END_TEST

/* A quiet link never wakes the loop: after the frame is complete, nothing is
 * pending. */
START_TEST(quiet) {
        open_pair(FRAMER_STRICT, pair_write);
        peer_says(">\2\0a", 4);
        fixture_settle(&f);
        peer_says("b", 1);
        fixture_run_until(&f, f.frames->len > 0);
        ck_assert_int_eq(sd_event_run(f.event, 60 * USEC_PER_MSEC), 0);
        ck_assert_uint_eq(f.closed, 0);
}
END_TEST

START_TEST(write_error) {
        open_pair(FRAMER_STRICT, broken_write);
        peer_says(">\1\0a", 4);
        ck_assert_int_eq(fixture_send(&f, "x", 1), 0);
        ck_assert_int_eq(fixture_send(&f, "y", 1), 0);
        fixture_run_until(&f, f.closed > 0);
        assert_ended(&f, LINK_END_LOST, -ENETDOWN);
        ck_assert_uint_eq(f.frames->len, 1);
}
END_TEST

START_TEST(partial_writes) {
        uint8_t got[8 * 23], *at = got;

        open_pair(FRAMER_STRICT, reluctant_write);
        for (unsigned i = 0; i < 8; i++)
                ck_assert_int_eq(fixture_send(&f, "twenty bytes in here", 20), 0);
        while (at < got + sizeof(got)) {
                ssize_t n = recv(peer, at, (size_t) (got + sizeof(got) - at), MSG_DONTWAIT);

                if (n > 0)
                        at += n;
                else
                        fixture_turn(&f);
        }
        for (unsigned i = 0; i < 8; i++)
                ck_assert_mem_eq(got + i * 23, "<\24\0twenty bytes in here", 23);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("stream");
        TCase *tcase = tcase_create("stream");
        SRunner *runner;
        int failed;

        tcase_add_checked_fixture(tcase, setup, teardown);
        tcase_set_timeout(tcase, 20);
        tcase_add_test(tcase, strict_half_frame);
        tcase_add_test(tcase, strict_half_frame_closing);
        tcase_add_test(tcase, resync_half_frame);
        tcase_add_test(tcase, resync_nested);
        tcase_add_test(tcase, resync_close_in_frame);
        tcase_add_test(tcase, quiet);
        tcase_add_test(tcase, write_error);
        tcase_add_test(tcase, partial_writes);
        suite_add_tcase(suite, tcase);

        runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed > 0;
}
