/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <check.h>
#include <string.h>

#include "macros.h"
#include "utf8.h"

#define REPLACEMENT "\xEF\xBF\xBD"

typedef struct Case {
        const char *bytes;
        size_t size;
        const char *expected;
} Case;

#define CASE(literal, result) \
        { literal, sizeof(literal) - 1, result }

static const Case cases[] = {
                CASE("", ""),
                CASE("plain", "plain"),
                CASE("gr\xC3\xBC\xC3\x9F", "grüß"),
                CASE("\xF0\x9F\x93\xA1", "📡"),
                CASE("\xEF\xBB\xBFmark", "\xEF\xBB\xBFmark"),

                /* cut at the end */
                CASE("a\xC3", "a"),
                CASE("a\xE2\x82", "a"),
                CASE("a\xE2", "a"),
                CASE("a\xF0\x9F\x93", "a"),
                CASE("a\xF0\x9F", "a"),
                CASE("a\xF0", "a"),
                CASE("\xF0", ""),
                CASE("a\xC3\0\0", "a"),

                /* cut in the middle */
                CASE("a\xC3z", "a" REPLACEMENT "z"),
                CASE("a\xE2\x82z", "a" REPLACEMENT REPLACEMENT "z"),

                /* stray continuation bytes, and bytes that UTF-8 never has */
                CASE("\x80", REPLACEMENT),
                CASE("a\xBFz", "a" REPLACEMENT "z"),
                CASE("\xFE\xFF", REPLACEMENT REPLACEMENT),
                CASE("\xF8\x88\x80\x80\x80z",
                     REPLACEMENT REPLACEMENT REPLACEMENT REPLACEMENT REPLACEMENT "z"),

                /* overlong forms of '/', of U+07FF and of U+FFFF */
                CASE("\xC0\xAFz", REPLACEMENT REPLACEMENT "z"),
                CASE("\xE0\x80\xAFz", REPLACEMENT REPLACEMENT REPLACEMENT "z"),
                CASE("\xE0\x9F\xBFz", REPLACEMENT REPLACEMENT REPLACEMENT "z"),
                CASE("\xF0\x8F\xBF\xBFz", REPLACEMENT REPLACEMENT REPLACEMENT REPLACEMENT "z"),
                CASE("\xC0\x80z", REPLACEMENT REPLACEMENT "z"),

                /* surrogates, and above U+10FFFF */
                CASE("\xED\xA0\x80z", REPLACEMENT REPLACEMENT REPLACEMENT "z"),
                CASE("\xED\xBF\xBFz", REPLACEMENT REPLACEMENT REPLACEMENT "z"),
                CASE("\xF4\x90\x80\x80z", REPLACEMENT REPLACEMENT REPLACEMENT REPLACEMENT "z"),
                CASE("\xF4\x8F\xBF\xBDz", "\xF4\x8F\xBF\xBDz"),

                /* noncharacters, which sd-bus refuses: U+FDD0, U+FDEF, U+FFFE, U+FFFF, U+10FFFF; and
                   neighbours */
                CASE("a\xEF\xB7\x90z", "a" REPLACEMENT "z"),
                CASE("\xEF\xB7\xAF", REPLACEMENT),
                CASE("\xEF\xBF\xBE\xEF\xBF\xBF", REPLACEMENT REPLACEMENT),
                CASE("\xF4\x8F\xBF\xBFz", REPLACEMENT "z"),
                CASE("\xEF\xB7\x8F\xEF\xB7\xB0\xEF\xBF\xBD", "\xEF\xB7\x8F\xEF\xB7\xB0\xEF\xBF\xBD"),

                /* a NUL inside would hide the rest; at the end it is padding */
                CASE("a\0z", "a" REPLACEMENT "z"),
                CASE("\0z", REPLACEMENT "z"),
                CASE("a\xC3\0z", "a" REPLACEMENT REPLACEMENT "z"),
                CASE("a\xF0\x9F\0z", "a" REPLACEMENT REPLACEMENT REPLACEMENT "z"),
                CASE("a\0\0\0", "a"),
                CASE("\0\0", ""),

                /* control characters are text; whoever shows them escapes them */
                CASE("a\x1B[2Jz\x7F", "a\x1B[2Jz\x7F"),
};

START_TEST(repair_table) {
        const Case *c = &cases[_i];
        g_autofree char *got = utf8_repair(c->bytes, c->size);

        ck_assert_str_eq(got, c->expected);
        ck_assert(g_utf8_validate(got, -1, NULL));
}
END_TEST

/* What firmware does: cut at any byte. Then the whole characters stay. */
START_TEST(repair_every_truncation) {
        static const char text[] = "aé€📡ß한글🏔zя";

        for (size_t size = 0; size < sizeof(text); size++) {
                g_autofree char *got = utf8_repair(text, size);
                g_autofree char *whole = g_strndup(text, utf8_cut(text, size));

                ck_assert_str_eq(got, whole);
                ck_assert_ptr_null(strstr(got, REPLACEMENT));
        }
}
END_TEST

/* All pairs of bytes, alone and around a letter. */
START_TEST(repair_all_pairs) {
        for (unsigned i = 0; i < 0x10000; i++) {
                const char pair[] = {(char) (i >> 8), (char) i};
                const char around[] = {(char) (i >> 8), 'x', (char) i};
                g_autofree char *a = utf8_repair(pair, sizeof(pair));
                g_autofree char *b = utf8_repair(around, sizeof(around));

                ck_assert(g_utf8_validate(a, -1, NULL));
                ck_assert(g_utf8_validate(b, -1, NULL));
                ck_assert_ptr_nonnull(strchr(b, 'x'));
        }
}
END_TEST

/* Nothing beyond size is read: a sanitiser build proves it. */
START_TEST(repair_reads_no_further) {
        for (size_t size = 1; size <= 4; size++) {
                char *text = g_malloc(size);
                g_autofree char *got = NULL;

                memcpy(text, "\xF0\x9F\x93\xA1", size);
                got = utf8_repair(text, size);
                ck_assert_str_eq(got, size == 4 ? "📡" : "");
                g_free(text);
        }
}
END_TEST

START_TEST(cut) {
        ck_assert_uint_eq(utf8_cut("", 0), 0);
        ck_assert_uint_eq(utf8_cut("", 5), 0);
        ck_assert_uint_eq(utf8_cut("abc", 2), 2);
        ck_assert_uint_eq(utf8_cut("abc", 3), 3);
        ck_assert_uint_eq(utf8_cut("abc", 99), 3);
        ck_assert_uint_eq(utf8_cut("é", 1), 0);
        ck_assert_uint_eq(utf8_cut("aé", 2), 1);
        ck_assert_uint_eq(utf8_cut("📡", 3), 0);
        ck_assert_uint_eq(utf8_cut("📡x", 4), 4);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("utf8");
        TCase *tcase = tcase_create("utf8");
        SRunner *runner;
        int failed;

        tcase_add_loop_test(tcase, repair_table, 0, ELEMENTSOF(cases));
        tcase_add_test(tcase, repair_every_truncation);
        tcase_add_test(tcase, repair_all_pairs);
        tcase_add_test(tcase, repair_reads_no_further);
        tcase_add_test(tcase, cut);
        suite_add_tcase(suite, tcase);

        runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed > 0;
}
