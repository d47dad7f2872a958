/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <check.h>
#include <stdlib.h>

#include "command-line.h"
#include "macros.h"

static ExitCode parse(CommandLine *ret, const char *line) {
        /* The parser borrows from argv, which therefore stays. */
        static char *argv[32];
        static GStrv words;
        int argc;

        g_strfreev(words);
        words = g_strsplit(line, " ", -1);
        argc = (int) g_strv_length(words);
        for (int i = 0; i <= argc; i++)
                argv[i] = words[i];
        return command_line_parse(argc, argv, ret);
}

START_TEST(test_globals) {
        static const char *const lines[] = {
                        "x -j --radio a contacts pattern",
                        "x contacts --json pattern -r a",
                        "x --radio=a contacts pattern -j",
                        "x -jr a contacts pattern",
        };

        for (size_t i = 0; i < ELEMENTSOF(lines); i++) {
                g_auto(CommandLine) line = {};

                ck_assert_int_eq(parse(&line, lines[i]), EXIT_CODE_OK);
                ck_assert_ptr_eq(line.verb, &verb_contacts);
                ck_assert(line.options.json);
                ck_assert_int_eq(line.options.bus, BUS_SYSTEM);
                ck_assert_str_eq(line.options.radio, "a");
                ck_assert_uint_eq(args_count(line.args), 1);
                ck_assert_str_eq(args_word(line.args, 0), "pattern");
                ck_assert_ptr_null(args_word(line.args, 1));
        }
}
END_TEST

START_TEST(test_separator) {
        static const struct {
                const char *line, *words;
        } cases[] = {
                        {"x send a b c", "a|b|c"},          {"x send a -- -b --json", "a|-b|--json"},
                        {"x send -- a -b", "a|-b"},         {"x send -- -a b", "-a|b"},
                        {"x send a -- b -- c", "a|b|--|c"}, {"x send --wait sent a -", "a|-"},
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                g_autoptr(GString) words = g_string_new(NULL);
                g_auto(CommandLine) line = {};

                ck_assert_int_eq(parse(&line, cases[i].line), EXIT_CODE_OK);
                for (unsigned j = 0; j < args_count(line.args); j++)
                        g_string_append_printf(words, "%s%s", j > 0 ? "|" : "", args_word(line.args, j));
                ck_assert_str_eq(words->str, cases[i].words);
                ck_assert(!line.options.json);
        }
}
END_TEST

START_TEST(test_verb_options) {
        g_auto(CommandLine) line = {};
        uint64_t n = 20, other = 7;

        ck_assert_int_eq(parse(&line, "x messages -fn 5 --with a --after=9"), EXIT_CODE_OK);
        ck_assert(args_has(line.args, "follow"));
        ck_assert(!args_has(line.args, "unread"));
        ck_assert_str_eq(args_get(line.args, "with"), "a");
        ck_assert_int_eq(args_get_number(line.args, "limit", 100, &n), EXIT_CODE_OK);
        ck_assert_uint_eq(n, 5);
        ck_assert_int_eq(args_get_number(line.args, "before", 100, &other), EXIT_CODE_OK);
        ck_assert_uint_eq(other, 7);
        ck_assert_int_eq(args_get_number(line.args, "after", 8, &n), EXIT_CODE_USAGE);
}
END_TEST

START_TEST(test_help) {
        g_auto(CommandLine) none = {}, help = {}, decode = {};

        ck_assert_int_eq(parse(&none, "x"), EXIT_CODE_OK);
        ck_assert_ptr_null(none.verb);
        /* help is given whatever else is wrong */
        ck_assert_int_eq(parse(&help, "x message --help"), EXIT_CODE_OK);
        ck_assert(help.help);
        ck_assert_int_eq(parse(&decode, "x --json complete -- --frob"), EXIT_CODE_OK);
        ck_assert(decode.options.json);
        ck_assert_uint_eq(args_count(decode.args), 2);
}
END_TEST

START_TEST(test_duration) {
        static const struct {
                const char *text;
                uint64_t seconds;
        } good[] = {
                        {"90", 90},        {"90s", 90},    {"1m", 60},
                        {"15min", 900},    {"2h", 7200},   {"1d", 86400},
                        {"1h30min", 5400}, {"1h30", 3630}, {"3650d", UINT64_C(315360000)},
        };
        static const char *const bad[] = {
                        "",     "0", "s", "-1", "1w", "1.5h", "1 h", "h1", "3651d", "99999999999999999999999",
                        "0s0h",
        };
        uint64_t usec = 7;

        for (size_t i = 0; i < ELEMENTSOF(good); i++) {
                ck_assert_int_eq(parse_duration(good[i].text, &usec), 0);
                ck_assert_uint_eq(usec, good[i].seconds * USEC_PER_SEC);
        }
        usec = 7;
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                ck_assert_int_eq(parse_duration(bad[i], &usec), -EINVAL);
        ck_assert_uint_eq(usec, 7);
}
END_TEST

START_TEST(test_number) {
        static const char *const bad[] = {
                        "", "-1", "+1", " 1", "1 ", "1x", "0x1", "101", "18446744073709551616"};
        uint64_t n = 7;

        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                ck_assert_int_eq(parse_number(bad[i], 100, &n), -EINVAL);
        ck_assert_uint_eq(n, 7);
        ck_assert_int_eq(parse_number("100", 100, &n), 0);
        ck_assert_uint_eq(n, 100);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("command-line");
        TCase *tc = tcase_create("command-line");
        SRunner *runner;
        int failed;

        tcase_add_test(tc, test_globals);
        tcase_add_test(tc, test_separator);
        tcase_add_test(tc, test_verb_options);
        tcase_add_test(tc, test_help);
        tcase_add_test(tc, test_duration);
        tcase_add_test(tc, test_number);
        suite_add_tcase(suite, tc);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
