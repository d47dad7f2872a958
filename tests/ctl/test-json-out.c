/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "json-out.h"

/* A sealed message to read back; no bus is needed for that, only a connection object. */
static sd_bus_message *make(const char *types, ...) {
        sd_bus_message *m = NULL;
        sd_bus *bus = NULL;
        int fds[2];
        va_list ap;

        ck_assert_int_ge(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        ck_assert_int_ge(sd_bus_new(&bus), 0);
        ck_assert_int_ge(sd_bus_set_fd(bus, fds[0], fds[0]), 0);
        ck_assert_int_ge(sd_bus_start(bus), 0);
        ck_assert_int_ge(sd_bus_message_new_signal(bus, &m, "/x", "x.y", "Z"), 0);
        va_start(ap, types);
        ck_assert_int_ge(sd_bus_message_appendv(m, types, ap), 0);
        va_end(ap);
        ck_assert_int_ge(sd_bus_message_seal(m, 1, 0), 0);
        ck_assert_int_ge(sd_bus_message_rewind(m, true), 0);
        sd_bus_unref(bus);
        (void) close(fds[1]);
        return m;
}

static char *first_value(sd_bus_message *m) {
        g_autoptr(JsonNode) node = NULL;

        ck_assert_int_ge(json_from_message(m, &node), 0);
        sd_bus_message_unref(m);
        return json_to_text(node, false);
}

#define ck_value(expected, ...)                                          \
        do {                                                             \
                g_autofree char *text_ = first_value(make(__VA_ARGS__)); \
                ck_assert_str_eq(text_, expected);                       \
        } while (0)

START_TEST(test_values) {
        ck_value("255", "y", 255);
        ck_value("-32768", "n", -32768);
        ck_value("65535", "q", 65535);
        ck_value("-1", "i", -1);
        ck_value("4294967295", "u", UINT32_MAX);
        ck_value("-9223372036854775808", "x", INT64_MIN);
        ck_value("9223372036854775807", "t", UINT64_MAX);
        ck_value("true", "b", 1);
        ck_value("1.5", "d", 1.5);
        ck_value("null", "d", (double) NAN);
        ck_value("null", "d", (double) INFINITY);
        ck_value("\"/a/b\"", "o", "/a/b");
        ck_value("[\"a\",\"b\"]", "as", 2, "a", "b");
        ck_value("[]", "as", 0);
        ck_value("\"0aff\"", "ay", 2, 0x0a, 0xff);
        ck_value("[\"0a\",\"\"]", "aay", 2, 1, 0x0a, 0);
        ck_value("[1,\"x\",[2.5,true]]", "(us(db))", 1, "x", 2.5, 1);
        ck_value("{\"A\":1,\"B\":\"x\"}", "a{sv}", 2, "A", "u", 1, "B", "s", "x");
        ck_value("{\"7\":\"x\"}", "a{us}", 1, 7, "x");
        ck_value("[[\"/m\",{\"Id\":3}]]", "a(oa{sv})", 1, "/m", 1, "Id", "t", (uint64_t) 3);
}
END_TEST

START_TEST(test_escaping) {
        ck_value("\"a\\\"\\\\\\n\\u001b\\u001f\\u007f\\u009b\\u202e\\u2066\\u2028é日\"", "s",
                 "a\"\\\n\x1b\x1f\x7f\xc2\x9b\xe2\x80\xae\xe2\x81\xa6\xe2\x80\xa8é日");
}
END_TEST

START_TEST(test_members) {
        g_autoptr(JsonObject) object = json_object_new(), other = json_object_new();

        json_object_set_string_member(object, "S", "text");
        json_object_set_int_member(object, "I", 7);
        json_object_set_null_member(object, "N");
        ck_assert_str_eq(json_string(object, "S"), "text");
        ck_assert_str_eq(json_string(object, "I"), "");
        ck_assert_str_eq(json_string(object, "N"), "");
        ck_assert_str_eq(json_string(NULL, "S"), "");
        ck_assert_int_eq(json_int(object, "I"), 7);
        ck_assert_int_eq(json_int(object, "S"), 0);
        ck_assert(!json_bool(object, "S"));
        ck_assert_double_eq(json_double(object, "I", -1), 7);
        ck_assert_double_eq(json_double(object, "N", -1), -1);
        ck_assert_ptr_null(json_array(object, "S"));
        ck_assert_ptr_null(json_object(object, "S"));

        json_object_set_int_member(other, "S", 1);
        json_merge(object, other);
        ck_assert_int_eq(json_int(object, "S"), 1);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("json-out");
        TCase *tc = tcase_create("json-out");
        SRunner *runner;
        int failed;

        tcase_add_test(tc, test_values);
        tcase_add_test(tc, test_escaping);
        tcase_add_test(tc, test_members);
        suite_add_tcase(suite, tc);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
