/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What others may see of frames that carry secrets. */

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "blank.h"
#include "macros.h"

#define SECRET 0x5C

/* By number, since these are the ones that the design names. What stands before offset is no secret. */
static const struct {
        const char *what;
        bool command;
        uint8_t code;
        size_t offset, size; /* 0: all the rest */
} secrets[] = {
                {"PIN of the device", false, 13, 4, 4},
                {"private key, exported", false, 14, 1, 0},
                {"secret of a channel, read", false, 18, 34, 0},
                {"private key, imported", true, 24, 1, 0},
                {"password of a login", true, 26, 33, 0},
                {"key of the default scope, read", false, 28, 32, 0},
                {"secret of a channel, set", true, 32, 34, 0},
                {"PIN, set", true, 37, 1, 0},
                {"key of a scope", true, 54, 2, 0},
                {"key of the default scope, set", true, 63, 32, 0},
};

START_TEST(secrets_are_zeroes) {
        const size_t from = secrets[_i].offset, n = secrets[_i].size;

        for (size_t size = from + 1; size <= 176; size++) {
                const size_t end = n > 0 ? MIN(from + n, size) : size;
                uint8_t frame[176];

                memset(frame, SECRET, sizeof(frame));
                frame[0] = secrets[_i].code;
                ck_assert_msg(frame_blank(frame, size, secrets[_i].command), "%s", secrets[_i].what);
                ck_assert_uint_eq(frame[0], secrets[_i].code);
                for (size_t i = 1; i < sizeof(frame); i++)
                        ck_assert_msg((frame[i] == 0) == (i >= from && i < end), "%s: byte %zu of %zu",
                                      secrets[_i].what, i, size);
        }
}
END_TEST

/* Command lines carry passwords; other texts do not. */
START_TEST(command_lines_are_stars) {
        static const struct {
                bool command;
                uint8_t code;
                size_t type, text;
        } lines[] = {{true, 2, 1, 13}, {false, 7, 8, 13}, {false, 16, 11, 16}};

        for (size_t i = 0; i < ELEMENTSOF(lines); i++) {
                uint8_t frame[64], before[64];

                memset(frame, SECRET, sizeof(frame));
                frame[0] = lines[i].code;
                frame[lines[i].type] = 0;
                memcpy(before, frame, sizeof(frame));
                ck_assert(!frame_blank(frame, sizeof(frame), lines[i].command));
                ck_assert_mem_eq(frame, before, sizeof(frame));

                frame[lines[i].type] = before[lines[i].type] = 1;
                ck_assert(frame_blank(frame, sizeof(frame), lines[i].command));
                ck_assert_mem_eq(frame, before, lines[i].text);
                for (size_t at = lines[i].text; at < sizeof(frame); at++)
                        ck_assert_uint_eq(frame[at], '*');
        }
}
END_TEST

int main(void) {
        Suite *suite = suite_create("blank");
        TCase *tc = tcase_create("blank");
        SRunner *runner;
        int failed;

        tcase_add_loop_test(tc, secrets_are_zeroes, 0, ELEMENTSOF(secrets));
        tcase_add_test(tc, command_lines_are_stars);
        suite_add_tcase(suite, tc);

        runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
