/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <string.h>

#include "day.h"
#include "faulty-vfs.h"
#include "macros.h"
#include "store-internal.h"

/* Every write, sync and read of a whole day's work fails once. What was
 * refused has changed nothing, neither in memory nor on the disk; what was
 * accepted is there, also if the machine stops at the end. */

static Fixture f;

static void setup(void) {
        faulty_vfs_register();
        faulty_vfs_arm(FAULT_WRITE_EIO, 0, false);
        fixture_setup(&f);
}

static void teardown(void) {
        faulty_vfs_arm(FAULT_WRITE_EIO, 0, false);
        fixture_teardown(&f);
}

/* As the disk would be after a power cut now, had every sync been real. */
static void copy_as_crashed(Fixture *copy) {
        static const char *const names[] = {"store.db", "store.db-wal", "spool"};

        *copy = (Fixture){.dir = g_dir_make_tmp("meshcored-crashed-XXXXXX", NULL), .log = g_string_new(NULL)};
        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                g_autofree char *from = fixture_path(&f, names[i]), *to = fixture_path(copy, names[i]);
                g_autofree char *data = NULL;
                gsize size;

                if (g_file_get_contents(from, &data, &size, NULL))
                        ck_assert(g_file_set_contents(to, data, (gssize) size, NULL));
        }
}

static void assert_same_after_crash(void) {
        g_autofree char *here = fixture_dump(f.identity), *there = NULL;
        Fixture copy;

        copy_as_crashed(&copy);
        fixture_open(&copy);
        there = fixture_dump(copy.identity);
        day_assert_same(here, there);
        fixture_teardown(&copy);
}

static void assert_same_after_stop(void) {
        g_autofree char *here = fixture_dump(f.identity), *there = NULL;

        fixture_reopen(&f);
        there = fixture_dump(f.identity);
        day_assert_same(here, there);
}

/* Returns whether the nth call of this kind happened at all. */
static bool run_day(FaultKind kind, unsigned nth, bool sticky) {
        static const int expected[_FAULT_KIND_MAX] = {
                        [FAULT_WRITE_EIO] = -EIO, [FAULT_WRITE_FULL] = -ENOSPC, [FAULT_WRITE_TORN] = -EIO,
                        [FAULT_SYNC_EIO] = -EIO,  [FAULT_READ_EIO] = -EIO,      [FAULT_READ_BAD] = -EUCLEAN,
        };
        bool happened = false;

        for (const DayStep *step = day_steps; step->run; step++) {
                g_autofree char *before = NULL;
                int r;

                faulty_vfs_pause(true);
                before = fixture_dump(f.identity);
                faulty_vfs_pause(false);
                if (step == day_steps)
                        faulty_vfs_arm(kind, nth, sticky);
                if (kind == FAULT_READ_EIO || kind == FAULT_READ_BAD)
                        (void) sqlite3_db_release_memory(f.store->db); /* or nothing would be read */
                r = step->run(&f);
                if (faulty_vfs_fired() && !happened) {
                        g_autofree char *after = NULL;

                        happened = true;
                        faulty_vfs_arm(kind, 0, false);
                        after = fixture_dump(f.identity);
                        if (r < 0) {
                                ck_assert(r == expected[kind] || r == -ENOENT);
                                /* When somebody was heard may be forgotten. */
                                if (step->run != day_flush) {
                                        day_assert_same(before, after);
                                        if (!sticky)
                                                assert_same_after_crash();
                                }

                                /* The same again goes through now. */
                                ck_assert_int_eq(step->run(&f), 0);
                        }
                } else
                        ck_assert_int_eq(r, 0);
        }

        faulty_vfs_arm(kind, 0, false);
        assert_same_after_crash();
        assert_same_after_stop();
        ck_assert_uint_eq(fixture_count_files(&f, "store.db.damaged"), 0);
        day_assert_done(&f);
        return happened;
}

START_TEST(every_call_fails_once) {
        static const unsigned enough[_FAULT_KIND_MAX] = {
                        [FAULT_WRITE_EIO] = 50, [FAULT_WRITE_FULL] = 50, [FAULT_WRITE_TORN] = 50,
                        [FAULT_SYNC_EIO] = 10,  [FAULT_READ_EIO] = 50,   [FAULT_READ_BAD] = 50,
        };
        unsigned nth = 1;

        while (run_day((FaultKind) _i, nth, false)) {
                teardown();
                setup();
                nth++;
        }
        ck_assert_uint_gt(nth, enough[_i]);
}
END_TEST

START_TEST(every_call_fails_from_then_on) {
        unsigned nth = 1;

        while (run_day((FaultKind) _i, nth, true)) {
                teardown();
                setup();
                nth += 7;
        }
}
END_TEST

START_TEST(every_call_fails_at_open) {
        g_autofree char *before = NULL;

        day_work(&f);
        before = fixture_dump(f.identity);

        for (unsigned nth = 1;; nth++) {
                g_autofree char *after = NULL;
                bool happened;
                int r;

                fixture_close(&f);
                faulty_vfs_arm((FaultKind) _i, nth, false);
                r = store_open(f.dir, &f.store);
                if (r >= 0)
                        r = identity_load(f.store, &own_key, &f.identity);
                happened = faulty_vfs_fired();
                faulty_vfs_arm((FaultKind) _i, 0, false);
                fixture_reopen(&f);
                after = fixture_dump(f.identity);
                day_assert_same(before, after);
                ck_assert_uint_eq(fixture_count_files(&f, "store.db.damaged"), 0);
                if (!happened)
                        break;
        }
}
END_TEST

START_TEST(every_call_fails_at_first_open) {
        for (unsigned nth = 1;; nth++) {
                bool happened;

                teardown();
                f = (Fixture){.dir = g_dir_make_tmp("meshcored-model-XXXXXX", NULL),
                              .log = g_string_new(NULL)};
                faulty_vfs_arm((FaultKind) _i, nth, false);
                if (store_open(f.dir, &f.store) >= 0)
                        (void) identity_load(f.store, &own_key, &f.identity);
                happened = faulty_vfs_fired();
                faulty_vfs_arm((FaultKind) _i, 0, false);
                fixture_reopen(&f);
                ck_assert_int_eq(day_steps->run(&f), 0);
                assert_same_after_stop();
                if (!happened)
                        break;
        }
}
END_TEST

/* Where no write-ahead log can be, there is no store. */
START_TEST(no_log_possible) {
        teardown();
        f = (Fixture){.dir = g_dir_make_tmp("meshcored-model-XXXXXX", NULL), .log = g_string_new(NULL)};
        faulty_vfs_share_nothing(true);
        ck_assert_int_eq(store_open(f.dir, &f.store), -EOPNOTSUPP);
        ck_assert_ptr_null(f.store);
        faulty_vfs_share_nothing(false);
        fixture_open(&f);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("faults");
        TCase *tc = tcase_create("faults");

        tcase_set_timeout(tc, 60);
        tcase_add_checked_fixture(tc, setup, teardown);
        tcase_add_loop_test(tc, every_call_fails_once, 0, _FAULT_KIND_MAX);
        tcase_add_loop_test(tc, every_call_fails_from_then_on, 0, FAULT_READ_BAD); /* which would be damage */
        tcase_add_loop_test(tc, every_call_fails_at_open, 0, _FAULT_KIND_MAX);
        tcase_add_loop_test(tc, every_call_fails_at_first_open, 0, _FAULT_KIND_MAX);
        tcase_add_test(tc, no_log_possible);
        suite_add_tcase(suite, tc);
        return fixture_run(suite);
}
