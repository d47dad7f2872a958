/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <check.h>
#include <stdlib.h>

/* main() of a test program with one case. */
static inline int suite_run(const char *name, const TTest *const *tests, size_t n_tests) {
        Suite *suite = suite_create(name);
        TCase *tc = tcase_create(name);
        SRunner *runner;
        int failed;

        for (size_t i = 0; i < n_tests; i++)
                tcase_add_test(tc, tests[i]);
        tcase_set_timeout(tc, 60);
        suite_add_tcase(suite, tc);

        runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
