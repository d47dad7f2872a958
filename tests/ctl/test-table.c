/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <check.h>
#include <stdlib.h>

#include "table.h"

static const char *const headers[] = {"NAME", ">N", "TEXT", NULL};

START_TEST(test_alignment) {
        g_autoptr(Table) t = table_new(headers);
        g_autofree char *text = NULL;

        table_add(t, "日本");
        table_add(t, "7");
        table_add(t, "a");
        table_add(t, "longer name");
        table_add_format(t, "%i", 100);
        table_add(t, "");
        text = table_to_text(t, 0);
        ck_assert_str_eq(text, "NAME           N  TEXT\n"
                               "日本           7  a\n"
                               "longer name  100\n");
        ck_assert_uint_eq(table_rows(t), 2);
}
END_TEST

START_TEST(test_empty_column) {
        g_autoptr(Table) t = table_new(headers);
        g_autofree char *text = NULL;

        table_add(t, "x");
        table_add(t, NULL);
        table_add(t, "y");
        text = table_to_text(t, 0);
        ck_assert_str_eq(text, "NAME  TEXT\nx     y\n");
}
END_TEST

START_TEST(test_cut) {
        g_autoptr(Table) t = table_new(headers);

        table_add(t, "日本語");
        table_add(t, "1");
        table_add(t, "e\xcc\x81tude"); /* a combining accent takes no column */
        for (unsigned width = 1; width < 30; width++) {
                g_autofree char *text = table_to_text(t, width);
                g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

                ck_assert(g_utf8_validate(text, -1, NULL));
                for (char **line = lines; *line; line++)
                        ck_assert_uint_le(text_width(*line), width);
        }
        ck_assert_uint_eq(text_width("e\xcc\x81tude 日"), 8);
}
END_TEST

START_TEST(test_foreign) {
        g_autoptr(Table) t = table_new(headers);
        g_autofree char *text = NULL;

        table_add(t, "a\nb\x1b[2J");
        table_add(t, "\xe2\x80\xae");
        table_add(t, "\\");
        text = table_to_text(t, 0);
        ck_assert_str_eq(text, "NAME                N  TEXT\na\\nb\\x1b[2J  \\u{202e}  \\\\\n");
}
END_TEST

int main(void) {
        Suite *suite = suite_create("table");
        TCase *tc = tcase_create("table");
        SRunner *runner;
        int failed;

        tcase_add_test(tc, test_alignment);
        tcase_add_test(tc, test_empty_column);
        tcase_add_test(tc, test_cut);
        tcase_add_test(tc, test_foreign);
        suite_add_tcase(suite, tc);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
