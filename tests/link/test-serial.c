/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <check.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <pty.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>

#include "link-fixture.h"
#include "macros.h"
#include "tty-internal.h"

#define ZEROES 264

static Fixture f;
static int radio = -EBADF; /* the pty's master: what the radio would be */
static char *directory, *path;

static void setup(void) {
        char name[64];
        int slave;

        fixture_init(&f);
        directory = g_dir_make_tmp("meshcored-serial-XXXXXX", NULL);
        ck_assert_ptr_nonnull(directory);
        path = g_build_filename(directory, "by-id", NULL);

        ck_assert_int_eq(openpty(&radio, &slave, name, NULL, NULL), 0);
        ck_assert_int_eq(fcntl(radio, F_SETFL, O_NONBLOCK), 0);
        safe_close(slave);
        ck_assert_int_eq(symlink(name, path), 0);
}

static void teardown(void) {
        fixture_done(&f);
        radio = safe_close(radio);
        (void) g_remove(path);
        (void) g_rmdir(directory);
        g_clear_pointer(&path, g_free);
        g_clear_pointer(&directory, g_free);
}

static void open_path(const char *at) {
        ck_assert_int_eq(link_new_serial(f.event, at, SERIAL_LINES_DEFAULT, &fixture_handler, &f, &f.link),
                         0);
        ck_assert_int_eq(fixture_open(&f), 0);
        ck_assert_uint_eq(f.opened + f.closed, 0);
}

/* What the daemon wrote: exactly size bytes, waiting for them. */
static void radio_hears(uint8_t *ret, size_t size) {
        size_t have = 0;

        while (have < size) {
                ssize_t n = read(radio, ret + have, size - have);

                if (n > 0)
                        have += (size_t) n;
                else
                        fixture_turn(&f);
        }
}

static void radio_says(const void *data, size_t size) {
        ck_assert_int_eq(write(radio, data, size), (ssize_t) size);
}

static void open_link(void) {
        uint8_t zeroes[ZEROES], expected[ZEROES] = {};

        open_path(path);
        fixture_run_until(&f, f.opened > 0);
        radio_hears(zeroes, sizeof(zeroes));
        ck_assert_mem_eq(zeroes, expected, sizeof(zeroes));
}

START_TEST(opens_through_a_symbolic_link) {
        uint8_t got[8];

        open_link();
        radio_says(">\3\0abc", 6);
        fixture_run_until(&f, f.frames->len > 0);
        assert_frame(&f, 0, "abc", 3);

        ck_assert_int_eq(fixture_send(&f, "hello", 5), 0);
        radio_hears(got, sizeof(got));
        ck_assert_mem_eq(got, "<\5\0hello", 8);
}
END_TEST

/* No byte may be changed on the way in either direction, nor come back. */
START_TEST(transparent) {
        uint8_t frame[128], stream[131] = {'>', 128, 0}, got[131];

        open_link();
        for (unsigned half = 0; half < 2; half++) {
                for (unsigned i = 0; i < sizeof(frame); i++)
                        frame[i] = stream[i + 3] = (uint8_t) (half * 128 + i);

                radio_says(stream, sizeof(stream));
                fixture_run_until(&f, f.frames->len > half);
                assert_frame(&f, half, frame, sizeof(frame));

                ck_assert_int_eq(fixture_send(&f, frame, sizeof(frame)), 0);
                radio_hears(got, sizeof(got));
                ck_assert_mem_eq(got + 3, frame, sizeof(frame));
        }
        fixture_settle(&f);
        ck_assert_int_lt(read(radio, got, 1), 0);
        ck_assert_int_eq(errno, EAGAIN);
}
END_TEST

START_TEST(settings) {
        struct termios t;

        /* As some program has left it: closing would drop DTR, which resets boards. */
        ck_assert_int_eq(tcgetattr(radio, &t), 0);
        t.c_cflag |= HUPCL | CSTOPB | CRTSCTS;
        t.c_lflag |= ICANON | ECHO;
        ck_assert_int_eq(tcsetattr(radio, TCSANOW, &t), 0);

        open_link();
        ck_assert_int_eq(tcgetattr(radio, &t), 0);
        ck_assert_uint_eq(cfgetospeed(&t), B115200);
        ck_assert_uint_eq(cfgetispeed(&t), B115200);
        ck_assert_uint_eq(t.c_cflag & CSIZE, CS8);
        ck_assert_uint_eq(t.c_cflag & (PARENB | CSTOPB | CRTSCTS | HUPCL), 0);
        ck_assert_uint_eq(t.c_cflag & (CLOCAL | CREAD), CLOCAL | CREAD);
        ck_assert_uint_eq(t.c_lflag & (ICANON | ECHO | ISIG | IEXTEN), 0);
        ck_assert_uint_eq(t.c_iflag & (IXON | IXOFF | ICRNL | INLCR | ISTRIP), 0);
        ck_assert_uint_eq(t.c_oflag & OPOST, 0);
}
END_TEST

START_TEST(bytewise) {
        static const uint8_t stream[] = ">\1\0a>\0\0>\2\0bc";

        open_link();
        for (size_t i = 0; i < sizeof(stream) - 1; i++) {
                radio_says(stream + i, 1);
                fixture_settle(&f);
        }
        fixture_run_until(&f, f.frames->len == 2);
        assert_frame(&f, 0, "a", 1);
        assert_frame(&f, 1, "bc", 2);
}
END_TEST

/* Boot text, debug lines with the marker in them, impossible lengths. */
START_TEST(noise) {
        static const char boot[] = "ESP-ROM:esp32s3-20210327\r\nrst:0x1 (POWERON)\r\n";
        static const char debug[] = "\0\0\0 -> \377\377 >>\377> rx\r\n";

        open_link();
        radio_says(boot, sizeof(boot) - 1);
        radio_says(">\1\0a", 4);
        fixture_run_until(&f, f.frames->len == 1);
        radio_says(debug, sizeof(debug) - 1);
        radio_says(">\1\0b", 4);
        fixture_run_until(&f, f.frames->len == 2);
        assert_frame(&f, 0, "a", 1);
        assert_frame(&f, 1, "b", 1);
        ck_assert_uint_eq(f.closed, 0);
}
END_TEST

/* A second without a byte, and what the false header swallowed comes out. */
START_TEST(half_frame) {
        open_link();
        radio_says(">\144\0lost>\1\0a", 11);
        fixture_run_until(&f, f.frames->len == 1);
        assert_frame(&f, 0, "a", 1);
        ck_assert_uint_eq(f.closed, 0);
}
END_TEST

START_TEST(hang_up) {
        open_link();
        radio_says(">\1\0a", 4);
        fixture_run_until(&f, f.frames->len == 1);
        radio = safe_close(radio);
        fixture_run_until(&f, f.closed > 0);
        ck_assert_str_eq(link_end_to_string(f.end), "lost");
}
END_TEST

START_TEST(missing) {
        g_autofree char *nowhere = g_build_filename(directory, "nowhere", NULL);

        (void) g_remove(path);
        ck_assert_int_eq(symlink(nowhere, path), 0);
        open_path(_i ? path : nowhere);
        fixture_run_until(&f, f.closed > 0);
        assert_ended(&f, LINK_END_NOT_PLUGGED, -ENOENT);
        ck_assert_ptr_nonnull(strstr(f.why, "plugged in"));
}
END_TEST

START_TEST(not_a_port) {
        g_autofree char *file = g_build_filename(directory, "file", NULL);

        ck_assert(g_file_set_contents(file, "", 0, NULL));
        open_path(_i ? "/dev/null" : file);
        fixture_run_until(&f, f.closed > 0);
        assert_ended(&f, LINK_END_REFUSED, -ENOTTY);
        (void) g_remove(file);
}
END_TEST

START_TEST(in_use) {
        int other = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);

        ck_assert_int_ge(other, 0);
        ck_assert_int_eq(flock(other, LOCK_EX | LOCK_NB), 0);
        open_path(path);
        fixture_run_until(&f, f.closed > 0);
        assert_ended(&f, LINK_END_REFUSED, -EBUSY);
        ck_assert_ptr_nonnull(strstr(f.why, "another program"));
        safe_close(other);
}
END_TEST

/* Ours while it is open, everybody's afterwards. */
START_TEST(exclusive) {
        int other;

        open_link();
        other = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
        ck_assert_int_ge(other, 0);
        ck_assert_int_lt(flock(other, LOCK_EX | LOCK_NB), 0);
        f.link = link_close(f.link);
        ck_assert_int_eq(flock(other, LOCK_EX | LOCK_NB), 0);
        safe_close(other);

        f.opened = 0;
        open_link();
}
END_TEST

START_TEST(no_permission) {
        bool root = geteuid() == 0;

        ck_assert_int_eq(chmod(path, 0060), 0);
        if (root) {
                ck_assert_int_eq(chmod(directory, 0755), 0);
                ck_assert_int_eq(setegid(65534), 0);
                ck_assert_int_eq(seteuid(65534), 0);
        }
        open_path(path);
        fixture_run_until(&f, f.closed > 0);
        if (root) {
                ck_assert_int_eq(seteuid(0), 0);
                ck_assert_int_eq(setegid(0), 0);
        }
        assert_ended(&f, LINK_END_REFUSED, -EACCES);
        ck_assert_ptr_nonnull(strstr(f.why, "must be in the group"));
}
END_TEST

START_TEST(close_in_handlers) {
        f.close_in = (CloseIn) _i;
        open_path(path);
        fixture_run_until(&f, f.opened > 0);
        if (f.link) {
                radio_says(">\1\0a>\1\0b", 8);
                fixture_run_until(&f, f.frames->len > 0);
        }
        if (f.link) {
                radio = safe_close(radio);
                fixture_run_until(&f, f.closed > 0);
        }
        ck_assert_ptr_null(f.link);
}
END_TEST

/* A radio that reads nothing must not hold up link_close(). */
START_TEST(deaf_radio) {
        uint8_t frame[176] = {};
        int r;

        open_path(path);
        fixture_run_until(&f, f.opened > 0);
        do
                r = fixture_send(&f, frame, sizeof(frame));
        while (r == 0);
        ck_assert_int_eq(r, -ENOBUFS);
        fixture_settle(&f);
        f.link = link_close(f.link);
}
END_TEST

START_TEST(bad_arguments) {
        ck_assert_int_eq(link_new_serial(f.event, "ttyUSB0", SERIAL_LINES_DEFAULT, &fixture_handler, &f,
                                         &f.link),
                         -EINVAL);
        ck_assert_int_eq(link_new_serial(f.event, path, _SERIAL_LINES_MAX, &fixture_handler, &f, &f.link),
                         -EINVAL);
        ck_assert_int_eq(link_new_serial(f.event, path, _SERIAL_LINES_INVALID, &fixture_handler, &f, &f.link),
                         -EINVAL);
        ck_assert_ptr_null(f.link);
        ck_assert_ptr_null(serial_lines_to_string(_SERIAL_LINES_MAX));
}
END_TEST

START_TEST(lines_by_device) {
        static const struct {
                const char *driver;
                int vendor, product;
                const char *lines, *other;
        } cases[] = {
                        {"cdc_acm", 0x239A, 0x8029, "on", "off"},  /* nRF52840 board */
                        {"cdc_acm", 0x303A, 0x8123, "on", "off"},  /* ESP32-S3, its own USB stack */
                        {"cdc_acm", 0x303A, 0x1001, "keep", "on"}, /* ESP32-S3, USB-JTAG unit */
                        {"cp210x", 0x10C4, 0xEA60, "off", "on"},   /* Silicon Labs */
                        {"ch341", 0x1A86, 0x7523, "off", "on"},    /* WCH */
                        {"cdc_acm", 0x1A86, 0x55D4, "off", "on"},  /* WCH, as CDC-ACM */
                        {"ftdi_sio", 0x0403, 0x6001, "off", "on"}, /* FTDI */
                        {"something_new", 0x1234, 1, "off", "on"}, /* an unknown bridge */
                        {NULL, 0x1234, 1, "off", "on"},            /* a driver that cannot be told */
                        {"serial8250", -1, -1, "keep", "on"},      /* a port on the board */
                        {NULL, -1, -1, "keep", "on"},
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                SerialLines lines = tty_default_lines(cases[i].driver, cases[i].vendor, cases[i].product);

                ck_assert_str_eq(serial_lines_to_string(lines), cases[i].lines);
                ck_assert_str_eq(serial_lines_to_string(tty_other_lines(lines)), cases[i].other);
        }
}
END_TEST

int main(void) {
        Suite *suite = suite_create("serial");
        TCase *tcase = tcase_create("serial");
        SRunner *runner;
        int failed;

        tcase_add_checked_fixture(tcase, setup, teardown);
        tcase_set_timeout(tcase, 20);
        tcase_add_test(tcase, opens_through_a_symbolic_link);
        tcase_add_test(tcase, transparent);
        tcase_add_test(tcase, settings);
        tcase_add_test(tcase, bytewise);
        tcase_add_test(tcase, noise);
        tcase_add_test(tcase, half_frame);
        tcase_add_test(tcase, hang_up);
        tcase_add_loop_test(tcase, missing, 0, 2);
        tcase_add_loop_test(tcase, not_a_port, 0, 2);
        tcase_add_test(tcase, in_use);
        tcase_add_test(tcase, exclusive);
        tcase_add_test(tcase, no_permission);
        tcase_add_loop_test(tcase, close_in_handlers, CLOSE_IN_OPENED, CLOSE_IN_CLOSED + 1);
        tcase_add_test(tcase, deaf_radio);
        tcase_add_test(tcase, bad_arguments);
        tcase_add_test(tcase, lines_by_device);
        suite_add_tcase(suite, tcase);

        runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed > 0;
}
