/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <check.h>

#include "backoff.h"
#include "clock.h"
#include "macros.h"

static void assert_between(uint64_t delay, uint64_t most) {
        ck_assert_uint_le(delay, most);
        ck_assert_uint_ge(delay, most - most / 4);
}

/* 1, 2, 4, 8 … s up to the cap, and from there on the cap for ever. */
START_TEST(doubles_to_the_cap) {
        for (unsigned round = 0; round < 200; round++) {
                Backoff b;

                backoff_init(&b, USEC_PER_SEC, 60 * USEC_PER_SEC);
                for (unsigned i = 0; i < 6; i++)
                        assert_between(backoff_next(&b), USEC_PER_SEC << i);
                for (unsigned i = 0; i < 100; i++)
                        assert_between(backoff_next(&b), 60 * USEC_PER_SEC);
        }
}
END_TEST

START_TEST(never_overflows) {
        Backoff b;

        backoff_init(&b, USEC_PER_SEC, USEC_PER_DAY);
        for (unsigned i = 0; i < 70000; i++)
                ck_assert_uint_le(backoff_next(&b), USEC_PER_DAY);
        assert_between(backoff_next(&b), USEC_PER_DAY);
}
END_TEST

START_TEST(reset) {
        Backoff b;

        backoff_init(&b, USEC_PER_SEC, 60 * USEC_PER_SEC);
        for (unsigned i = 0; i < 10; i++)
                (void) backoff_next(&b);
        ck_assert_uint_eq(b.failures, 10);
        backoff_reset(&b);
        assert_between(backoff_next(&b), USEC_PER_SEC);
}
END_TEST

START_TEST(cap_below_first) {
        Backoff b;

        backoff_init(&b, 5 * USEC_PER_SEC, USEC_PER_SEC);
        assert_between(backoff_next(&b), 5 * USEC_PER_SEC);
        assert_between(backoff_next(&b), 5 * USEC_PER_SEC);
}
END_TEST

/* Not everybody at the same moment. */
START_TEST(jitter) {
        uint64_t least = UINT64_MAX, most = 0;

        for (unsigned i = 0; i < 1000; i++) {
                uint64_t delay;
                Backoff b;

                backoff_init(&b, USEC_PER_SEC, USEC_PER_SEC);
                delay = backoff_next(&b);
                least = MIN(least, delay);
                most = MAX(most, delay);
        }
        ck_assert_uint_gt(most - least, 100 * USEC_PER_MSEC);
}
END_TEST

START_TEST(clocks) {
        uint64_t a = clock_boottime_usec(), b = clock_boottime_usec();

        ck_assert_uint_gt(a, 0);
        ck_assert_uint_ge(b, a);
        ck_assert_uint_gt(clock_realtime_usec(), 0);
        (void) clock_is_synchronised();
}
END_TEST

int main(void) {
        Suite *suite = suite_create("backoff");
        TCase *tcase = tcase_create("backoff");
        SRunner *runner;
        int failed;

        tcase_add_test(tcase, doubles_to_the_cap);
        tcase_add_test(tcase, never_overflows);
        tcase_add_test(tcase, reset);
        tcase_add_test(tcase, cap_below_first);
        tcase_add_test(tcase, jitter);
        tcase_add_test(tcase, clocks);
        suite_add_tcase(suite, tcase);

        runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed > 0;
}
