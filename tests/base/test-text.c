/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <check.h>
#include <string.h>
#include <unistd.h>

#include "hex.h"
#include "key.h"
#include "log.h"
#include "macros.h"
#include "sha256.h"
#include "terminal.h"

/* Hex digits, keys, digests, and foreign text on a terminal. */

START_TEST(hex_both_ways) {
        uint8_t bytes[256], back[256];
        g_autofree char *text = NULL;

        for (unsigned i = 0; i < sizeof(bytes); i++)
                bytes[i] = (uint8_t) i;
        text = hex_dup(bytes, sizeof(bytes));
        ck_assert_uint_eq(strlen(text), 2 * sizeof(bytes));
        ck_assert_mem_eq(text, "000102", 6);
        ck_assert_str_eq(text + 508, "feff");
        ck_assert_int_eq(hex_decode(text, strlen(text), back, sizeof(back)), 256);
        ck_assert_mem_eq(back, bytes, sizeof(bytes));
}
END_TEST

START_TEST(hex_refuses) {
        uint8_t out[2] = {9, 9};

        ck_assert_int_eq(hex_decode("", 0, out, sizeof(out)), 0);
        ck_assert_int_eq(hex_decode("aBCd", 4, out, sizeof(out)), 2);
        ck_assert_uint_eq(out[0], 0xAB);
        ck_assert_int_eq(hex_decode("abc", 3, out, sizeof(out)), -EINVAL);
        ck_assert_int_eq(hex_decode("zz", 2, out, sizeof(out)), -EINVAL);
        ck_assert_int_eq(hex_decode("a ", 2, out, sizeof(out)), -EINVAL);
        ck_assert_int_eq(hex_decode("\xC3\xA9", 2, out, sizeof(out)), -EINVAL);
        ck_assert_int_eq(hex_decode("abcdef", 6, out, sizeof(out)), -E2BIG);
}
END_TEST

#define KEY_TEXT "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

START_TEST(key_text) {
        PublicKey key, other, untouched;
        KeyText text;

        ck_assert_int_eq(key_from_text(KEY_TEXT, &key), 0);
        text = key_to_text(&key);
        ck_assert_str_eq(text.text, KEY_TEXT);
        ck_assert(!key_is_zero(&key));

        ck_assert_int_eq(key_from_text("00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF",
                                       &other),
                         0);
        ck_assert(key_equal(&key, &other));
        ck_assert(key_equal_func(&key, &other));
        ck_assert_uint_eq(key_hash_func(&key), key_hash_func(&other));
        other.bytes[31] ^= 1;
        ck_assert(!key_equal(&key, &other));

        memset(&untouched, 7, sizeof(untouched));
        other = untouched;
        ck_assert_int_eq(key_from_text("", &other), -EINVAL);
        ck_assert_int_eq(key_from_text(KEY_TEXT "0", &other), -EINVAL);
        ck_assert_int_eq(key_from_text(KEY_TEXT + 1, &other), -EINVAL);
        ck_assert_int_eq(key_from_text("x" KEY_TEXT, &other), -EINVAL);
        ck_assert_int_eq(key_from_text("zz112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
                                       &other),
                         -EINVAL);
        ck_assert_mem_eq(&other, &untouched, sizeof(other));

        memset(&other, 0, sizeof(other));
        ck_assert(key_is_zero(&other));
}
END_TEST

/* FIPS 180-4, "abc" and the empty message. */
START_TEST(digest) {
        const Slice whole[] = {{(const uint8_t *) "abc", 3}};
        const Slice parts[] = {{(const uint8_t *) "a", 1}, {NULL, 0}, {(const uint8_t *) "bc", 2}};
        uint8_t out[SHA256_SIZE];
        g_autofree char *a = NULL, *b = NULL, *c = NULL;

        sha256(whole, ELEMENTSOF(whole), out);
        a = hex_dup(out, sizeof(out));
        ck_assert_str_eq(a, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        sha256(parts, ELEMENTSOF(parts), out);
        b = hex_dup(out, sizeof(out));
        ck_assert_str_eq(b, a);
        sha256(NULL, 0, out);
        c = hex_dup(out, sizeof(out));
        ck_assert_str_eq(c, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}
END_TEST

START_TEST(terminal) {
        static const struct {
                const char *text, *shown;
        } cases[] = {
                        {"", ""},
                        {"plain grüß 📡", "plain grüß 📡"},
                        {"a\nb\tc\rd", "a\\nb\\tc\\x0dd"},
                        {"\x1B[2J", "\\x1b[2J"},
                        {"\x7F", "\\x7f"},
                        {"\xC2\x9B"
                         "31m",
                         "\\x9b31m"},
                        {"a\\nb", "a\\\\nb"},
                        {"\u2028\u2029", "\\u{2028}\\u{2029}"},
                        {"\u202Eexe.txt\u2066x\u2069", "\\u{202e}exe.txt\\u{2066}x\\u{2069}"},
                        {"\u061C\u200E\u200F", "\\u{061c}\\u{200e}\\u{200f}"},
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                g_autofree char *shown = terminal_escape(cases[i].text);

                ck_assert_str_eq(shown, cases[i].shown);
        }
}
END_TEST

START_TEST(terminal_json) {
        g_autofree char *shown = terminal_escape_json("{\n  \"a\\\\b\" : \"grüß\xC2\x9B\u202E\x7F\"\n}");

        ck_assert_str_eq(shown, "{\n  \"a\\\\b\" : \"grüß\\u009b\\u202e\\u007f\"\n}");
}
END_TEST

/* No code point may come through that moves a cursor or turns the direction. */
START_TEST(terminal_every_character) {
        for (gunichar c = 1; c < 0x3000; c++) {
                g_autofree char *shown = NULL;
                char text[8] = {};

                (void) g_unichar_to_utf8(c, text);
                shown = terminal_escape(text);
                for (const char *p = shown; *p; p = g_utf8_next_char(p)) {
                        gunichar s = g_utf8_get_char(p);

                        ck_assert(!g_unichar_iscntrl(s));
                        ck_assert_uint_ne(s, 0x2028);
                        ck_assert_uint_ne(s, 0x2029);
                        ck_assert(!(s >= 0x202A && s <= 0x202E));
                        ck_assert(!(s >= 0x2066 && s <= 0x2069));
                }
        }
}
END_TEST

START_TEST(log_levels) {
        for (int level = LOG_EMERG; level <= LOG_DEBUG; level++)
                ck_assert_int_eq(log_level_from_string(log_level_to_string(level)), level);
        ck_assert_int_eq(log_level_from_string("loud"), -EINVAL);
        ck_assert_int_eq(log_level_from_string(""), -EINVAL);
        ck_assert_ptr_null(log_level_to_string(-1));
        ck_assert_ptr_null(log_level_to_string(LOG_DEBUG + 1));
}
END_TEST

START_TEST(log_lines_are_harmless) {
        static const char evil[] = "\033[2J\nerror: forged \xE2\x80\xAE \xFF C:\\";
        char line[256] = "";
        int fds[2], saved;

        ck_assert_int_eq(pipe(fds), 0);
        saved = dup(STDERR_FILENO);
        ck_assert_int_ge(dup2(fds[1], STDERR_FILENO), 0);
        log_info("bluetoothd says: %s", evil);
        log_info("C:\\ as it is");
        ck_assert_int_ge(dup2(saved, STDERR_FILENO), 0);
        ck_assert_int_gt(read(fds[0], line, sizeof(line) - 1), 0);
        ck_assert_str_eq(line, "bluetoothd says: \\x1b[2J\\nerror: forged \\u{202e} \xEF\xBF\xBD C:\\\\\n"
                               "C:\\ as it is\n");
        (void) close(saved);
        (void) close(fds[0]);
        (void) close(fds[1]);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("text");
        TCase *tcase = tcase_create("text");
        SRunner *runner;
        int failed;

        tcase_add_test(tcase, hex_both_ways);
        tcase_add_test(tcase, hex_refuses);
        tcase_add_test(tcase, key_text);
        tcase_add_test(tcase, digest);
        tcase_add_test(tcase, terminal);
        tcase_add_test(tcase, terminal_every_character);
        tcase_add_test(tcase, terminal_json);
        tcase_add_test(tcase, log_levels);
        tcase_add_test(tcase, log_lines_are_harmless);
        suite_add_tcase(suite, tcase);

        runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed > 0;
}
