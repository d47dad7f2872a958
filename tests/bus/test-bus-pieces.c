/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Paths and the cache, without a bus. */

#include <check.h>
#include <string.h>

#include "bus-internal.h"

static BusRadio radio = {.path = (char *) "/org/meshcored1/radio/sim"};

START_TEST(path_of_radio) {
        static const struct {
                const char *id, *path;
        } cases[] = {
                        {"sim", "/org/meshcored1/radio/sim"},
                        {"2nd", "/org/meshcored1/radio/_32nd"},
                        {"a-b_c", "/org/meshcored1/radio/a_2db_5fc"},
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                g_autofree char *path = bus_path_radio(cases[i].id);

                ck_assert_str_eq(path, cases[i].path);
        }
}
END_TEST

START_TEST(path_of_message) {
        static const struct {
                const char *path;
                int r;
                uint64_t id;
        } cases[] = {
                        {"/org/meshcored1/radio/sim/message/1", 0, 1},
                        {"/org/meshcored1/radio/sim/message/0", 0, 0},
                        {"/org/meshcored1/radio/sim/message/18446744073709551615", 0, UINT64_MAX},
                        {"/org/meshcored1/radio/sim/message/18446744073709551616", -EINVAL, 0},
                        {"/org/meshcored1/radio/sim/message/01", -EINVAL, 0},
                        {"/org/meshcored1/radio/sim/message/1/2", -EINVAL, 0},
                        {"/org/meshcored1/radio/sim/message/", -EINVAL, 0},
                        {"/org/meshcored1/radio/sim/message", -EINVAL, 0},
                        {"/org/meshcored1/radio/sim2/message/1", -EINVAL, 0},
                        {"/org/meshcored1/radio/sim", -EINVAL, 0},
                        {"/", -EINVAL, 0},
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                uint64_t id;

                ck_assert_int_eq(bus_path_parse_message(&radio, cases[i].path, &id), cases[i].r);
                if (cases[i].r >= 0)
                        ck_assert_uint_eq(id, cases[i].id);
        }
}
END_TEST

START_TEST(path_of_contact) {
        PublicKey key = {.bytes = {0xAB, 0xCD}}, parsed;
        g_autofree char *path = bus_path_contact(&radio, &key);
        g_autofree char *upper = g_ascii_strup(path, -1), *mixed = g_strdup(path);

        ck_assert_int_eq(bus_path_parse_contact(&radio, path, &parsed), 0);
        ck_assert(key_equal(&key, &parsed));

        /* One spelling only. */
        *strstr(mixed, "abcd") = 'A';
        ck_assert_int_eq(bus_path_parse_contact(&radio, mixed, &parsed), -EINVAL);
        ck_assert_int_eq(bus_path_parse_contact(&radio, upper, &parsed), -EINVAL);
        mixed[strlen(mixed) - 1] = '\0';
        ck_assert_int_eq(bus_path_parse_contact(&radio, mixed, &parsed), -EINVAL);
}
END_TEST

START_TEST(path_of_channel) {
        unsigned slot;

        ck_assert_int_eq(bus_path_parse_channel(&radio, "/org/meshcored1/radio/sim/channel/255", &slot), 0);
        ck_assert_uint_eq(slot, 255);
        ck_assert_int_eq(bus_path_parse_channel(&radio, "/org/meshcored1/radio/sim/channel/256", &slot),
                         -EINVAL);
        ck_assert_int_eq(bus_path_parse_channel(&radio, "/org/meshcored1/radio/sim/message/1", &slot),
                         -EINVAL);
}
END_TEST

static void put(BusCache *cache, uint64_t id) {
        Message *message = message_new();

        message->id = id;
        ck_assert_uint_eq(bus_cache_put(cache, message)->id, id);
}

START_TEST(least_recent_leaves) {
        BusCache *cache = bus_cache_new(3);

        ck_assert_ptr_null(bus_cache_get(cache, 1));
        for (uint64_t id = 1; id <= 3; id++)
                put(cache, id);
        ck_assert_uint_eq(bus_cache_get(cache, 1)->id, 1);
        put(cache, 4); /* 2 was used least recently */
        ck_assert(bus_cache_has(cache, 1));
        ck_assert(!bus_cache_has(cache, 2));
        ck_assert(bus_cache_has(cache, 3));
        put(cache, 3); /* replaced, nobody leaves */
        ck_assert(bus_cache_has(cache, 1));
        ck_assert(bus_cache_has(cache, 4));
        bus_cache_drop(cache, 3);
        bus_cache_drop(cache, 3);
        ck_assert(!bus_cache_has(cache, 3));
        bus_cache_clear(cache);
        ck_assert(!bus_cache_has(cache, 1));
        put(cache, 5);
        ck_assert_uint_eq(bus_cache_get(cache, 5)->id, 5);
        ck_assert_ptr_null(bus_cache_free(cache));
        ck_assert_ptr_null(bus_cache_free(NULL));
}
END_TEST

int main(void) {
        Suite *suite = suite_create("bus-pieces");
        TCase *tcase = tcase_create("all");
        SRunner *runner;
        int failed;

        tcase_add_test(tcase, path_of_radio);
        tcase_add_test(tcase, path_of_message);
        tcase_add_test(tcase, path_of_contact);
        tcase_add_test(tcase, path_of_channel);
        tcase_add_test(tcase, least_recent_leaves);
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed > 0;
}
