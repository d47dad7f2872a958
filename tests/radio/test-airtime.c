/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Time on air, and the budget of it. */

#include <check.h>
#include <stdlib.h>

#include "airtime.h"
#include "macros.h"

#define SHARE  0.01 /* 36 s an hour */
#define BUDGET (36 * USEC_PER_SEC)
#define START  (1000 * USEC_PER_SEC)

/* By hand, from the formula in the SX126x's data sheet. */
START_TEST(time_on_air) {
        static const struct {
                uint8_t sf, cr;
                uint32_t bandwidth;
                size_t size;
                uint64_t usec;
        } cases[] = {
                        {8, 5, 62500, 38, 386048},   /* 94.25 symbols of 4.096 ms */
                        {10, 5, 250000, 38, 279552}, /* 68.25 of 4.096 ms: the shorter preamble */
                        {12, 8, 62500, 38, 6045696}, /* 92.25 of 65.536 ms: low data rate */
                        {7, 5, 500000, 0, 12608},    /* 49.25 of 0.256 ms: the header alone */
                        {6, 5, 125000, 20, 44160},   /* 86.25 of 0.512 ms */
                        {10, 5, 0, 38, 0},           /* never told */
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                const RadioInfo info = {.spreading_factor = cases[i].sf,
                                        .bandwidth_hz = cases[i].bandwidth,
                                        .coding_rate = cases[i].cr};

                ck_assert_uint_eq(airtime_of(&info, cases[i].size), cases[i].usec);
        }
}
END_TEST

START_TEST(no_more_than_the_radio_takes) {
        RadioInfo info = {};

        ck_assert_double_eq_tol(airtime_share(&info, 5), 0.05, 1e-9);
        ck_assert_double_eq_tol(airtime_share(&info, 100), 1, 1e-9);
        info.has_tuning = true;
        info.airtime_factor_x1000 = 9000; /* one part on air, nine parts silence */
        ck_assert_double_eq_tol(airtime_share(&info, 5), 0.05, 1e-9);
        ck_assert_double_eq_tol(airtime_share(&info, 50), 0.1, 1e-9);
}
END_TEST

START_TEST(fills_again) {
        Airtime airtime = {};

        ck_assert_uint_eq(airtime_wait(&airtime, SHARE, AIRTIME_PERSON, USEC_PER_SEC, START), 0);
        airtime_spend(&airtime, SHARE, 10 * USEC_PER_SEC, START);
        ck_assert_uint_eq(airtime_used(&airtime, SHARE, START), 10 * USEC_PER_SEC);
        ck_assert_uint_eq(airtime_used(&airtime, SHARE, START + 100 * USEC_PER_SEC), 9 * USEC_PER_SEC);
        ck_assert_uint_eq(airtime_used(&airtime, SHARE, START + 2000 * USEC_PER_SEC), 0);
        airtime_give_back(&airtime, 4 * USEC_PER_SEC);
        ck_assert_uint_eq(airtime_used(&airtime, SHARE, START), 6 * USEC_PER_SEC);
        airtime_give_back(&airtime, 40 * USEC_PER_SEC);
        ck_assert_uint_eq(airtime_used(&airtime, SHARE, START), 0);
}
END_TEST

START_TEST(people_come_first) {
        Airtime airtime = {};
        uint64_t wait;

        /* Polls leave a quarter to people. */
        airtime_spend(&airtime, SHARE, BUDGET / 4 * 3 - USEC_PER_SEC, START);
        ck_assert_uint_eq(airtime_wait(&airtime, SHARE, AIRTIME_POLL, USEC_PER_SEC, START), 0);
        wait = airtime_wait(&airtime, SHARE, AIRTIME_POLL, 2 * USEC_PER_SEC, START);
        ck_assert_uint_gt(wait, 99 * USEC_PER_SEC);
        ck_assert_uint_lt(wait, 101 * USEC_PER_SEC);
        ck_assert_uint_eq(airtime_wait(&airtime, SHARE, AIRTIME_POLL, 2 * USEC_PER_SEC, START + wait), 0);

        /* Who waits may take the last of it, and a packet more. */
        airtime_spend(&airtime, SHARE, BUDGET / 4, START);
        ck_assert_uint_eq(airtime_wait(&airtime, SHARE, AIRTIME_PERSON, 6 * USEC_PER_SEC, START), 0);
        airtime_spend(&airtime, SHARE, 6 * USEC_PER_SEC, START);
        wait = airtime_wait(&airtime, SHARE, AIRTIME_PERSON, 1, START);
        ck_assert_uint_gt(wait, 499 * USEC_PER_SEC);
        ck_assert_uint_lt(wait, 501 * USEC_PER_SEC);
        ck_assert_uint_eq(airtime_wait(&airtime, SHARE, AIRTIME_PERSON, 1, START + wait), 0);
}
END_TEST

START_TEST(longer_than_the_budget) {
        Airtime airtime = {};

        ck_assert_uint_eq(airtime_wait(&airtime, SHARE, AIRTIME_POLL, 10 * BUDGET, START), 0);
        airtime_spend(&airtime, SHARE, 10 * BUDGET, START);
        ck_assert_uint_gt(airtime_wait(&airtime, SHARE, AIRTIME_POLL, 1, START), 9 * AIRTIME_WINDOW_USEC);
        /* the clock stands, or the bucket is newer than it */
        ck_assert_uint_eq(airtime_used(&airtime, SHARE, START - USEC_PER_SEC), 10 * BUDGET);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("airtime");
        TCase *tcase = tcase_create("airtime");
        SRunner *runner;
        int failed;

        tcase_add_test(tcase, time_on_air);
        tcase_add_test(tcase, no_more_than_the_radio_takes);
        tcase_add_test(tcase, fills_again);
        tcase_add_test(tcase, people_come_first);
        tcase_add_test(tcase, longer_than_the_budget);
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
