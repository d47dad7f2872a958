/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <arpa/inet.h>
#include <check.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "link-fixture.h"
#include "macros.h"

static Fixture f;
static int listener = -EBADF, peer = -EBADF;
static uint16_t port;

static int listen_on(int family, uint16_t *ret_port) {
        struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
        struct sockaddr *address = family == AF_INET ? (struct sockaddr *) &v4 : (struct sockaddr *) &v6;
        socklen_t size = family == AF_INET ? sizeof(v4) : sizeof(v6);
        _cleanup_close_ int fd = -EBADF;

        fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || bind(fd, address, size) < 0 || listen(fd, 4) < 0 || getsockname(fd, address, &size) < 0)
                return -errno;

        *ret_port = ntohs(family == AF_INET ? v4.sin_port : v6.sin6_port);
        return steal_fd(&fd);
}

static void setup(void) {
        fixture_init(&f);
        listener = listen_on(AF_INET, &port);
        ck_assert_int_ge(listener, 0);
}

static void teardown(void) {
        fixture_done(&f);
        peer = safe_close(peer);
        listener = safe_close(listener);
}

static void open_to(const char *host, uint16_t to) {
        ck_assert_int_eq(link_new_tcp(f.event, host, to, &fixture_handler, &f, &f.link), 0);
        ck_assert_int_eq(fixture_open(&f), 0);
}

static void accept_peer(void) {
        peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        ck_assert_int_ge(peer, 0);
}

static void open_link(void) {
        open_to("127.0.0.1", port);
        ck_assert_uint_eq(f.opened, 0);
        fixture_run_until(&f, f.opened > 0);
        accept_peer();
}

static void peer_says(const void *data, size_t size) {
        ck_assert_int_eq(send(peer, data, size, MSG_NOSIGNAL), (ssize_t) size);
}

static void peer_resets(void) {
        struct linger now = {.l_onoff = 1};

        ck_assert_int_eq(setsockopt(peer, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
        peer = safe_close(peer);
}

START_TEST(opens_and_carries_both_ways) {
        uint8_t got[16];

        open_link();
        ck_assert_str_eq(link_why(f.link), "");
        peer_says(">\3\0abc", 6);
        fixture_run_until(&f, f.frames->len > 0);
        assert_frame(&f, 0, "abc", 3);

        ck_assert_int_eq(fixture_send(&f, "hello", 5), 0);
        ck_assert_int_eq(recv(peer, got, sizeof(got), 0), 8);
        ck_assert_mem_eq(got, "<\5\0hello", 8);
}
END_TEST

START_TEST(socket_options) {
        int value, fd = -EBADF;
        socklen_t size = sizeof(value);

        open_link();

        /* Ours is the only connected socket that is not the peer's. */
        for (int i = 3; i < 64 && fd < 0; i++) {
                struct sockaddr_in a;
                socklen_t n = sizeof(a);

                if (i != peer && getpeername(i, (struct sockaddr *) &a, &n) >= 0 && ntohs(a.sin_port) == port)
                        fd = i;
        }
        ck_assert_int_ge(fd, 0);
        ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
        ck_assert_int_ne(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
        ck_assert_int_eq(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &size), 0);
        ck_assert_int_ne(value, 0);
        ck_assert_int_eq(getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, &size), 0);
        ck_assert_int_ne(value, 0);
        ck_assert_int_eq(getsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &value, &size), 0);
        ck_assert_int_eq(value, 60);
        ck_assert_int_eq(getsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &value, &size), 0);
        ck_assert_int_eq(value, 15);
        ck_assert_int_eq(getsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &value, &size), 0);
        ck_assert_int_eq(value, 4);
        ck_assert_int_eq(getsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &value, &size), 0);
        ck_assert_int_eq(value, 120000);
}
END_TEST

START_TEST(refused) {
        listener = safe_close(listener);
        open_to("127.0.0.1", port);
        fixture_run_until(&f, f.closed > 0);
        assert_ended(&f, LINK_END_REFUSED, -ECONNREFUSED);
        ck_assert_uint_eq(f.opened, 0);
        ck_assert_ptr_nonnull(strstr(f.why, "127.0.0.1"));
        ck_assert_int_eq(fixture_open(&f), -EALREADY);
}
END_TEST

/* The linker leads every call of ours here: a resolver that knows a name by so many addresses. */
int __real_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                       struct addrinfo **ret);
int __wrap_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                       struct addrinfo **ret);
int __real_connect(int fd, const struct sockaddr *address, socklen_t size);
int __wrap_connect(int fd, const struct sockaddr *address, socklen_t size);
static unsigned n_addresses, n_connects;

int __wrap_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                       struct addrinfo **ret) {
        struct addrinfo *list = NULL;

        if (n_addresses == 0)
                return __real_getaddrinfo(node, service, hints, ret);

        /* As freeaddrinfo() wants it: one block each. */
        for (unsigned i = 0; i < n_addresses; i++) {
                struct addrinfo *info = calloc(1, sizeof(*info) + sizeof(struct sockaddr_in));
                struct sockaddr_in *address = (struct sockaddr_in *) (void *) (info + 1);

                *address = (struct sockaddr_in){.sin_family = AF_INET,
                                                .sin_port = htons((uint16_t) atoi(service)),
                                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
                *info = (struct addrinfo){.ai_family = AF_INET,
                                          .ai_socktype = SOCK_STREAM,
                                          .ai_addr = (struct sockaddr *) address,
                                          .ai_addrlen = sizeof(*address),
                                          .ai_next = list};
                list = info;
        }
        *ret = list;
        return 0;
}

int __wrap_connect(int fd, const struct sockaddr *address, socklen_t size) {
        n_connects++;
        return __real_connect(fd, address, size);
}

START_TEST(host_of_many_addresses) {
        listener = safe_close(listener);
        n_addresses = 20;
        n_connects = 0;
        open_to("many.example", port);
        fixture_run_until(&f, f.closed > 0);
        n_addresses = 0;
        assert_ended(&f, LINK_END_REFUSED, -ECONNREFUSED);
        ck_assert_uint_eq(n_connects, 8);
}
END_TEST

START_TEST(bad_arguments) {
        uint8_t frame[177] = {1};

        ck_assert_int_eq(link_new_tcp(f.event, "", 5000, &fixture_handler, &f, &f.link), -EINVAL);
        ck_assert_int_eq(link_new_tcp(f.event, "127.0.0.1", 0, &fixture_handler, &f, &f.link), -EINVAL);
        ck_assert_ptr_null(f.link);
        ck_assert_ptr_null(link_close(NULL));
        ck_assert_ptr_null(link_end_to_string(_LINK_END_MAX));
        ck_assert_ptr_null(link_end_to_string(_LINK_END_INVALID));

        open_to("127.0.0.1", port);
        ck_assert_int_eq(fixture_open(&f), -EALREADY);
        ck_assert_int_eq(fixture_send(&f, "x", 1), -ENOTCONN);
        fixture_run_until(&f, f.opened > 0);
        ck_assert_int_eq(fixture_send(&f, frame, 0), -EMSGSIZE);
        ck_assert_int_eq(fixture_send(&f, frame, sizeof(frame)), -EMSGSIZE);
        ck_assert_int_eq(fixture_send(&f, frame, sizeof(frame) - 1), 0);
}
END_TEST

START_TEST(never_opened) {
        ck_assert_int_eq(link_new_tcp(f.event, "127.0.0.1", port, &fixture_handler, &f, &f.link), 0);
        ck_assert_int_eq(fixture_send(&f, "x", 1), -ENOTCONN);
}
END_TEST

/* Closed at each step on the way to an open connection. */
START_TEST(closed_while_opening) {
        open_to(_i % 2 ? "localhost" : "127.0.0.1", port);
        for (int i = 0; i < _i / 2 && !f.opened; i++)
                fixture_turn(&f);
        f.link = link_close(f.link);
        fixture_settle(&f);
        ck_assert_uint_eq(f.closed, 0);
}
END_TEST

START_TEST(bytewise) {
        static const uint8_t stream[] = ">\1\0a>\0\0>\2\0bc";
        const int one = 1;

        open_link();
        ck_assert_int_eq(setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)), 0);
        for (size_t i = 0; i < sizeof(stream) - 1; i++) {
                peer_says(stream + i, 1);
                fixture_settle(&f);
        }
        fixture_run_until(&f, f.frames->len == 2);
        assert_frame(&f, 0, "a", 1);
        assert_frame(&f, 1, "bc", 2);
}
END_TEST

START_TEST(merged_and_split) {
        g_autoptr(GByteArray) stream = g_byte_array_new();
        size_t cut = (size_t) _i * 101 + 1;

        /* 200 frames of 1 to 176 bytes, sent in pieces that know nothing of them. */
        for (unsigned i = 0; i < 200; i++) {
                uint8_t size = (uint8_t) (1 + i % 176), header[] = {'>', size, 0}, payload[176];

                memset(payload, (int) i, sizeof(payload));
                g_byte_array_append(stream, header, sizeof(header));
                g_byte_array_append(stream, payload, size);
        }

        open_link();
        for (size_t at = 0; at < stream->len; at += cut) {
                peer_says(stream->data + at, MIN(cut, stream->len - at));
                fixture_settle(&f);
        }
        fixture_run_until(&f, f.frames->len == 200);
        for (unsigned i = 0; i < 200; i++) {
                uint8_t payload[176];

                memset(payload, (int) i, sizeof(payload));
                assert_frame(&f, i, payload, 1 + i % 176);
        }
}
END_TEST

START_TEST(last_words_before_the_end) {
        open_link();
        peer_says(">\1\0a>\1\0b>\5\0cd", 13);
        peer = safe_close(peer);
        fixture_run_until(&f, f.closed > 0);
        ck_assert_uint_eq(f.frames->len, 2);
        assert_frame(&f, 1, "b", 1);
        assert_ended(&f, LINK_END_LOST, 0);
}
END_TEST

START_TEST(reset_by_peer) {
        open_link();
        peer_resets();
        fixture_run_until(&f, f.closed > 0);
        assert_ended(&f, LINK_END_LOST, -ECONNRESET);
}
END_TEST

/* The kernel says no inside link_send(): the handler hears of it later, after
 * what had come before. */
START_TEST(send_fails) {
        open_link();
        peer_says(">\1\0a", 4);
        peer = safe_close(peer);
        for (unsigned i = 0; i < 100; i++)
                ck_assert_int_eq(fixture_send(&f, "ping", 4), 0);
        fixture_run_until(&f, f.closed > 0);
        ck_assert_str_eq(link_end_to_string(f.end), "lost");
        ck_assert_uint_eq(f.frames->len, 1);
}
END_TEST

START_TEST(stalled_peer) {
        const int small = 4096;
        uint8_t frame[176];
        size_t sent = 0, got = 0;
        int r;

        ck_assert_int_eq(setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
        open_link();

        /* The kernel's buffers, then 64 KiB of ours, then no more. */
        for (;;) {
                memset(frame, (int) (sent % 251), sizeof(frame));
                r = fixture_send(&f, frame, sizeof(frame));
                if (r < 0)
                        break;
                sent++;
                ck_assert_uint_lt(sent, 1000000);
        }
        ck_assert_int_eq(r, -ENOBUFS);
        ck_assert_uint_ge(sent, 64 * 1024 / 179);
        fixture_settle(&f);
        ck_assert_uint_eq(f.closed, 0);

        /* Read on, and nothing is missing or out of order. */
        while (got < sent) {
                uint8_t expected[179] = {'<', 176, 0}, wire[179];
                size_t have = 0;

                memset(expected + 3, (int) (got % 251), 176);
                while (have < sizeof(wire)) {
                        ssize_t n = recv(peer, wire + have, sizeof(wire) - have, MSG_DONTWAIT);

                        if (n < 0) {
                                ck_assert_int_eq(errno, EAGAIN);
                                fixture_turn(&f);
                                continue;
                        }
                        ck_assert_int_gt(n, 0);
                        have += (size_t) n;
                }
                ck_assert_mem_eq(wire, expected, sizeof(wire));
                got++;
        }
        ck_assert_int_eq(fixture_send(&f, "x", 1), 0);
}
END_TEST

START_TEST(close_in_opened) {
        f.close_in = CLOSE_IN_OPENED;
        open_to("127.0.0.1", port);
        fixture_run_until(&f, f.opened > 0);
        ck_assert_ptr_null(f.link);
        ck_assert_uint_eq(f.closed, 0);
}
END_TEST

START_TEST(close_in_frame) {
        f.close_in = CLOSE_IN_FRAME;
        open_link();
        peer_says(">\1\0a>\1\0b>\1\0c", 12);
        peer = safe_close(peer);
        fixture_run_until(&f, f.frames->len > 0);
        ck_assert_ptr_null(f.link);
        fixture_settle(&f);
        ck_assert_uint_eq(f.frames->len, 1);
        ck_assert_uint_eq(f.closed, 0);
}
END_TEST

START_TEST(close_in_closed) {
        f.close_in = CLOSE_IN_CLOSED;
        open_link();
        peer = safe_close(peer);
        fixture_run_until(&f, f.closed > 0);
        ck_assert_ptr_null(f.link);
}
END_TEST

START_TEST(close_in_closed_after_refusal) {
        f.close_in = CLOSE_IN_CLOSED;
        listener = safe_close(listener);
        open_to(_i ? "localhost" : "127.0.0.1", port);
        fixture_run_until(&f, f.closed > 0);
        ck_assert_ptr_null(f.link);
}
END_TEST

/* A stream that was in step and is not any more cannot be trusted again. */
START_TEST(out_of_step) {
        static const struct {
                const char *bytes;
                size_t size;
        } cases[] = {
                        {"garbage", 7},       {"<\1\0a", 4}, /* the other direction's marker */
                        {">\377\377", 3},                    /* 65535 bytes */
                        {">\55\1", 3},                       /* 301 */
                        {"\0\0\0\0", 4},                     /* zeroes */
                        {"HTTP/1.1 400 ", 13}                /* another service */
        };

        open_link();
        peer_says(">\1\0a", 4);
        peer_says(cases[_i].bytes, cases[_i].size);
        fixture_run_until(&f, f.closed > 0);
        ck_assert_uint_eq(f.frames->len, 1);
        assert_ended(&f, LINK_END_PROTOCOL, -EBADMSG);
}
END_TEST

START_TEST(noise_without_end) {
        uint8_t noise[1024];
        unsigned i;

        memset(noise, 0xA5, sizeof(noise));
        open_link();
        for (i = 0; i < 1024 && !f.closed; i++) {
                (void) send(peer, noise, sizeof(noise), MSG_NOSIGNAL | MSG_DONTWAIT);
                fixture_turn(&f);
        }
        assert_ended(&f, LINK_END_PROTOCOL, -EBADMSG);
        ck_assert_uint_lt(i, 16);
}
END_TEST

START_TEST(largest_frame) {
        uint8_t frame[303] = {'>', 300 & 0xFF, 300 >> 8};

        open_link();
        peer_says(frame, sizeof(frame));
        fixture_run_until(&f, f.frames->len > 0);
        assert_frame(&f, 0, frame + 3, 300);
}
END_TEST

/* Goes through the resolver's thread; ::1 may come first and refuse. */
START_TEST(host_name) {
        open_to("localhost", port);
        fixture_run_until(&f, f.opened > 0);
        accept_peer();
        peer_says(">\1\0a", 4);
        fixture_run_until(&f, f.frames->len > 0);
}
END_TEST

START_TEST(host_name_refused) {
        listener = safe_close(listener);
        open_to("localhost", port);
        fixture_run_until(&f, f.closed > 0);
        assert_ended(&f, LINK_END_REFUSED, -ECONNREFUSED);
}
END_TEST

/* A label of 70 letters cannot be asked of any name server. */
START_TEST(host_name_impossible) {
        g_autofree char *name = g_strnfill(70, 'a');

        open_to(name, port);
        fixture_run_until(&f, f.closed > 0);
        ck_assert_str_eq(link_end_to_string(f.end), "unreachable");
        ck_assert_int_lt(f.error, 0);
        ck_assert_ptr_nonnull(strstr(f.why, name));
}
END_TEST

START_TEST(ipv6_literal) {
        listener = safe_close(listener);
        listener = listen_on(AF_INET6, &port);
        if (listener < 0)
                return; /* no IPv6 on this machine */

        open_to("::1", port);
        fixture_run_until(&f, f.opened > 0);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("tcp");
        TCase *tcase = tcase_create("tcp");
        SRunner *runner;
        int failed;

        tcase_add_checked_fixture(tcase, setup, teardown);
        tcase_set_timeout(tcase, 20);
        tcase_add_test(tcase, opens_and_carries_both_ways);
        tcase_add_test(tcase, socket_options);
        tcase_add_test(tcase, refused);
        tcase_add_test(tcase, bad_arguments);
        tcase_add_test(tcase, never_opened);
        tcase_add_loop_test(tcase, closed_while_opening, 0, 10);
        tcase_add_test(tcase, bytewise);
        tcase_add_loop_test(tcase, merged_and_split, 0, 8);
        tcase_add_test(tcase, last_words_before_the_end);
        tcase_add_test(tcase, reset_by_peer);
        tcase_add_test(tcase, send_fails);
        tcase_add_test(tcase, stalled_peer);
        tcase_add_test(tcase, close_in_opened);
        tcase_add_test(tcase, close_in_frame);
        tcase_add_test(tcase, close_in_closed);
        tcase_add_loop_test(tcase, close_in_closed_after_refusal, 0, 2);
        tcase_add_loop_test(tcase, out_of_step, 0, 6);
        tcase_add_test(tcase, noise_without_end);
        tcase_add_test(tcase, largest_frame);
        tcase_add_test(tcase, host_name);
        tcase_add_test(tcase, host_name_refused);
        tcase_add_test(tcase, host_name_impossible);
        tcase_add_test(tcase, host_of_many_addresses);
        tcase_add_test(tcase, ipv6_literal);
        suite_add_tcase(suite, tcase);

        runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed > 0;
}
