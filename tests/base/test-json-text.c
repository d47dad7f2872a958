/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <check.h>
#include <stdlib.h>

#include "json-text.h"

START_TEST(values) {
        g_autoptr(GString) json = g_string_new(NULL);
        const uint8_t bytes[] = {0x00, 0xAB, 0x10};

        json_text_open(json, NULL, '{');
        json_text_int(json, "Int", INT64_MIN);
        json_text_double(json, "Half", -0.5);
        json_text_double(json, "Whole", 3.0);
        json_text_bool(json, "Yes", true);
        json_text_bool(json, "No", false);
        json_text_hex(json, "Bytes", (Slice){bytes, sizeof(bytes)});
        json_text_hex(json, "None", (Slice){});
        json_text_open(json, "List", '[');
        json_text_string(json, NULL, "one");
        json_text_int(json, NULL, 2);
        json_text_open(json, NULL, '{');
        json_text_close(json, '}');
        json_text_open(json, NULL, '[');
        json_text_close(json, ']');
        json_text_close(json, ']');
        json_text_int(json, "Last", 1);
        json_text_close(json, '}');

        ck_assert_str_eq(json->str, "{\"Int\":-9223372036854775808,\"Half\":-0.5,\"Whole\":3,\"Yes\":true,"
                                    "\"No\":false,\"Bytes\":\"00ab10\",\"None\":\"\","
                                    "\"List\":[\"one\",2,{},[]],\"Last\":1}");
}
END_TEST

/* Also a text that ends as an object begins. */
START_TEST(text) {
        g_autoptr(GString) json = g_string_new(NULL);
        const uint8_t foreign[] = {'a', 0xFF, 0xE2, 0x80, 0xAE, 0x00, 'b', 0xC3};

        json_text_open(json, NULL, '[');
        json_text_string(json, NULL, "\"\\/\n\t\x1b\x7f{");
        json_text_string(json, NULL, "ä€😀\xc2\x9b[");
        json_text_repaired(json, NULL, (Slice){foreign, sizeof(foreign)});
        json_text_close(json, ']');

        ck_assert_str_eq(json->str, "[\"\\\"\\\\/\\n\\u0009\\u001b\\u007f{\",\"ä€😀\\u009b[\","
                                    "\"a\xef\xbf\xbd\\u202e\xef\xbf\xbd"
                                    "b\"]");
}
END_TEST

int main(void) {
        Suite *suite = suite_create("json-text");
        TCase *tcase = tcase_create("all");
        SRunner *runner;
        int failed;

        tcase_add_test(tcase, values);
        tcase_add_test(tcase, text);
        suite_add_tcase(suite, tcase);

        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
