/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "command-line.h"
#include "macros.h"
#include "when.h"

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

START_TEST(test_parts) {
        static const struct {
                const char *line, *verb;
                unsigned words;
                bool json;
        } cases[] = {
                        {"x contact", "contact list", 0, false},
                        {"x contact --json", "contact list", 0, true},
                        {"x -j contact show a", "contact show", 1, true},
                        {"x contact -j show a", "contact show", 1, true},
                        {"x contact show a -j", "contact show", 1, true},
                        {"x contact add a --name b", "contact add", 1, false},
                        {"x auto-add set --chat yes", "auto-add set", 0, false},
        };
        g_auto(CommandLine) help = {};

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                g_auto(CommandLine) line = {};

                ck_assert_int_eq(parse(&line, cases[i].line), EXIT_CODE_OK);
                ck_assert_str_eq(line.verb->name, cases[i].verb);
                ck_assert_uint_eq(args_count(line.args), cases[i].words);
                ck_assert(line.options.json == cases[i].json);
        }

        ck_assert_int_eq(parse(&help, "x contact --help show"), EXIT_CODE_OK);
        ck_assert(help.help);
        ck_assert_ptr_eq(help.verb, &verb_contact);
}
END_TEST

/* Whoever runs a verb finds what it needs. */
START_TEST(test_every_verb) {
        for (const Verb *const *v = verbs; *v; v++) {
                ck_assert_ptr_nonnull((*v)->summary);
                ck_assert((*v)->parts ? !(*v)->run && !(*v)->options : (*v)->run != NULL);
                for (const Verb *const *p = (*v)->parts; p && *p; p++) {
                        g_autofree char *prefix = g_strconcat((*v)->name, " ", NULL);

                        ck_assert(g_str_has_prefix((*p)->name, prefix));
                        ck_assert_ptr_eq(verb_find_part(*v, verb_part_name(*p)), *p);
                        ck_assert_ptr_nonnull((*p)->run);
                        ck_assert_ptr_null((*p)->parts);
                }
        }
}
END_TEST

START_TEST(test_bools) {
        g_auto(CommandLine) line = {}, wrong = {};
        bool value = false;

        ck_assert_int_eq(parse(&line, "x auto-add set --chat yes"), EXIT_CODE_OK);
        ck_assert_int_eq(args_get_bool(line.args, "chat", &value), EXIT_CODE_OK);
        ck_assert(value);
        ck_assert_int_eq(args_get_bool(line.args, "room", &value), EXIT_CODE_OK);
        ck_assert(value);
        ck_assert_int_eq(parse(&wrong, "x auto-add set --chat y"), EXIT_CODE_OK);
        ck_assert_int_eq(args_get_bool(wrong.args, "chat", &value), EXIT_CODE_USAGE);
}
END_TEST

START_TEST(test_when) {
        const uint64_t now = UINT64_C(1772368200) * USEC_PER_SEC; /* 2026-03-01 12:30:00 UTC */
        static const struct {
                const char *text;
                int64_t sec; /* -1: refused */
        } cases[] = {
                        {"now", 1772368200},
                        {"2h", 1772361000},
                        {"1d12h", 1772238600},
                        {"@1772366400", 1772366400},
                        {"@0", 0},
                        {"today", 1772323200},
                        {"yesterday", 1772236800},
                        {"2026-02-28", 1772236800},
                        {"2026-02-28 01:02", 1772240520},
                        {"2026-02-28T01:02:03", 1772240523},
                        {"08:15", 1772352900},
                        {"08:15:30", 1772352930},
                        {"", -1},
                        {"tomorrow", -1},
                        {"2026-02-30", -1},
                        {"2026-13-01", -1},
                        {"2026-02-28 01:02 x", -1},
                        {"25:00", -1},
                        {"@-1", -1},
                        {"@99999999999999999999", -1},
                        {"3650d", 1772368200 - 3650 * 86400},
                        {"60000d", -1},
        };

        ck_assert_int_eq(setenv("TZ", "UTC", 1), 0);
        tzset();
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                uint64_t usec = 0;

                if (cases[i].sec < 0)
                        ck_assert_msg(parse_when(cases[i].text, now, &usec) == -EINVAL, "%s", cases[i].text);
                else {
                        ck_assert_msg(parse_when(cases[i].text, now, &usec) >= 0, "%s", cases[i].text);
                        ck_assert_uint_eq(usec, (uint64_t) cases[i].sec * USEC_PER_SEC);
                }
        }

        /* Clocks go forward on that morning: yesterday begins 23 hours before today does. */
        ck_assert_int_eq(setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1), 0);
        tzset();
        {
                const uint64_t later = UINT64_C(1774854000) * USEC_PER_SEC; /* 2026-03-30 09:00 CEST */
                uint64_t today, yesterday;

                ck_assert_int_ge(parse_when("today", later, &today), 0);
                ck_assert_int_ge(parse_when("yesterday", later, &yesterday), 0);
                ck_assert_uint_eq(today - yesterday, 23 * 60 * USEC_PER_MINUTE);
        }
}
END_TEST

int main(void) {
        Suite *suite = suite_create("command-line");
        TCase *tc = tcase_create("command-line");
        SRunner *runner;
        int failed;

        tcase_add_test(tc, test_globals);
        tcase_add_test(tc, test_parts);
        tcase_add_test(tc, test_every_verb);
        tcase_add_test(tc, test_bools);
        tcase_add_test(tc, test_when);
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
