/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "hex.h"
#include "macros.h"
#include "port.h"
#include "protocol.h"

typedef struct Fixture {
        Port *port;
        GString *commands, *frames; /* hex, a space after each */
        unsigned steps;             /* passes that have something to say */
} Fixture;

static void append(GString *string, const uint8_t *data, size_t size) {
        g_autofree char *hex = hex_dup(data, size);

        g_string_append_printf(string, "%s ", hex);
}

static void on_command(void *userdata, const uint8_t *frame, size_t size) {
        Fixture *f = userdata;

        append(f->commands, frame, size);
        (void) port_write_frame(f->port, frame, size);
}

static bool on_step(void *userdata) {
        Fixture *f = userdata;
        const uint8_t frame[] = {RESP_CONTACT};

        if (f->steps == 0)
                return false;

        f->steps--;
        (void) port_write_frame(f->port, frame, sizeof(frame));
        return true;
}

static void on_emit(void *userdata, const uint8_t *frame, size_t size) {
        append(((Fixture *) userdata)->frames, frame, size);
}

static bool on_may_emit(void *userdata) {
        return true;
}

static Fixture *fixture_new(PortKind kind) {
        static const PortCallbacks callbacks = {on_command, on_step, on_emit, on_may_emit};
        Fixture *f = g_new0(Fixture, 1);

        f->port = port_new(kind, FRAME_SIZE_MAX, &callbacks, f);
        f->commands = g_string_new(NULL);
        f->frames = g_string_new(NULL);
        port_connect(f->port);
        return f;
}

static void fixture_free(Fixture *f) {
        port_free(f->port);
        g_string_free(f->commands, TRUE);
        g_string_free(f->frames, TRUE);
        g_free(f);
}

static void feed(Fixture *f, const char *hex) {
        uint8_t data[1024];
        int n = hex_decode(hex, strlen(hex), data, sizeof(data));

        ck_assert_int_ge(n, 0);
        port_input(f->port, data, (size_t) n);
        port_pump(f->port);
}

/* The marker, the length and so many times the byte. */
static void feed_long(Fixture *f, size_t length, uint8_t byte) {
        g_autofree uint8_t *data = g_malloc(3 + length);

        data[0] = STREAM_MARKER_APP;
        data[1] = (uint8_t) length;
        data[2] = (uint8_t) (length >> 8);
        memset(data + 3, byte, length);
        port_input(f->port, data, 3 + length);
        port_pump(f->port);
}

START_TEST(serial_looks_for_the_marker) {
        Fixture *f = fixture_new(PORT_SERIAL);

        feed(f, "0000616263"
                "3c0100"
                "05"
                "3c0000"
                "3c02");
        feed(f, "00");
        feed(f, "1603");
        ck_assert_str_eq(f->commands->str, "05 1603 ");
        fixture_free(f);
}
END_TEST

START_TEST(serial_cuts_what_is_too_long) {
        Fixture *f = fixture_new(PORT_SERIAL);

        feed_long(f, FRAME_SIZE_MAX + 100, 0x05);
        ck_assert_uint_eq(f->commands->len, 2 * FRAME_SIZE_MAX + 1);
        feed(f, "3c010006");
        ck_assert(g_str_has_suffix(f->commands->str, " 06 "));
        fixture_free(f);
}
END_TEST

/* 1.2: a client that died in the middle of a frame leaves the parser waiting. */
START_TEST(serial_keeps_its_state) {
        Fixture *f = fixture_new(PORT_SERIAL);

        feed(f, "3c05000102");
        port_disconnect(f->port);
        port_connect(f->port);
        feed(f, "030405"
                "3c010006");
        ck_assert_str_eq(f->commands->str, "0102030405 06 ");
        fixture_free(f);
}
END_TEST

START_TEST(wifi_takes_three_bytes_for_a_header) {
        Fixture *f = fixture_new(PORT_WIFI);

        /* another marker: skipped by its length; zero length: no header */
        feed(f, "780200"
                "ffff"
                "3c0000"
                "3c0100"
                "05");
        ck_assert_str_eq(f->commands->str, "05 ");
        /* too long: thrown away whole */
        feed_long(f, FRAME_SIZE_MAX + 1, 0x05);
        feed(f, "3c010006");
        ck_assert_str_eq(f->commands->str, "05 06 ");
        /* one byte too many: never in step again */
        feed(f, "00"
                "3c0100"
                "07"
                "3c0100"
                "08");
        ck_assert_str_eq(f->commands->str, "05 06 ");
        fixture_free(f);
}
END_TEST

START_TEST(wifi_reads_when_all_is_sent) {
        Fixture *f = fixture_new(PORT_WIFI);

        f->steps = 3;
        feed(f, "3c01000a"
                "3c010005");
        /* the command before the dump, what came during it after */
        ck_assert_str_eq(f->frames->str, "0a 03 03 03 05 ");
        fixture_free(f);
}
END_TEST

START_TEST(wifi_keeps_four_frames) {
        Fixture *f = fixture_new(PORT_WIFI);

        for (uint8_t i = 1; i <= 4; i++)
                ck_assert(port_write_frame(f->port, &i, 1));
        ck_assert(!port_write_frame(f->port, (const uint8_t *) "x", 1));

        /* the next client gets them */
        port_disconnect(f->port);
        ck_assert(!port_write_frame(f->port, (const uint8_t *) "x", 1));
        port_pump(f->port);
        ck_assert_str_eq(f->frames->str, "");
        port_connect(f->port);
        port_pump(f->port);
        ck_assert_str_eq(f->frames->str, "01 02 03 04 ");
        fixture_free(f);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("port");
        TCase *tcase = tcase_create("port");
        SRunner *runner;
        int failed;

        tcase_add_test(tcase, serial_looks_for_the_marker);
        tcase_add_test(tcase, serial_cuts_what_is_too_long);
        tcase_add_test(tcase, serial_keeps_its_state);
        tcase_add_test(tcase, wifi_takes_three_bytes_for_a_header);
        tcase_add_test(tcase, wifi_reads_when_all_is_sent);
        tcase_add_test(tcase, wifi_keeps_four_frames);
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
