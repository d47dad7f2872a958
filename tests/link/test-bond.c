/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is known of a bond, and the PIN. */

#include <check.h>
#include <errno.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "bond.h"
#include "macros.h"

static Bond *bond;
static unsigned n_changes;
static int source_result;
static uint32_t source_passkey;

static void on_changed(Bond *b, void *userdata) {
        n_changes++;
}

static int source(void *userdata, uint32_t *ret) {
        *ret = source_passkey;
        return source_result;
}

static void setup(void) {
        bond = bond_new();
        bond_set_observer(bond, on_changed, NULL);
        n_changes = 0;
        source_result = 0;
        source_passkey = 123456;
}

static void teardown(void) {
        bond = bond_free(bond);
}

START_TEST(six_digits) {
        static const struct {
                const char *text;
                int result;
                uint32_t passkey;
        } cases[] = {
                        {"123456", 0, 123456},   {"000000", 0, 0},        {"000001", 0, 1},
                        {"999999", 0, 999999},   {"", -EINVAL, 0},        {"12345", -EINVAL, 0},
                        {"1234567", -EINVAL, 0}, {"12345a", -EINVAL, 0},  {" 12345", -EINVAL, 0},
                        {"-12345", -EINVAL, 0},  {"+12345", -EINVAL, 0},  {"12345 ", -EINVAL, 0},
                        {"0x1234", -EINVAL, 0},  {"12\n456", -EINVAL, 0},
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                uint32_t passkey = 7;

                ck_assert_msg(passkey_parse(cases[i].text, &passkey) == cases[i].result, "%s", cases[i].text);
                ck_assert_uint_eq(passkey, cases[i].result < 0 ? 7 : cases[i].passkey);
        }
}
END_TEST

START_TEST(files) {
        g_autofree char *directory = g_dir_make_tmp("meshcored-bond-XXXXXX", NULL);
        g_autofree char *path = g_build_filename(directory, "pin", NULL);
        static const struct {
                const char *content;
                mode_t mode;
                int result;
        } cases[] = {
                        {"123456\n", 0600, 0},         {"123456", 0400, 0},
                        {"123456\r\nnote\n", 0640, 0}, {"123456\n", 0604, -EPERM},
                        {"", 0600, -EINVAL},           {"1234567\n", 0600, -EINVAL},
                        {"\n123456\n", 0600, -EINVAL}, {"12345678901", 0600, -EINVAL},
        };
        uint32_t passkey = 0;

        ck_assert_int_eq(passkey_read_file(path, &passkey), -ENOENT);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                passkey = 7;
                ck_assert(g_file_set_contents(path, cases[i].content, -1, NULL));
                ck_assert_int_eq(chmod(path, cases[i].mode), 0);
                ck_assert_msg(passkey_read_file(path, &passkey) == cases[i].result, "case %zu", i);
                ck_assert_uint_eq(passkey, cases[i].result < 0 ? 7 : 123456);
        }
        ck_assert_int_eq(passkey_read_file(directory, &passkey), -EINVAL);

        /* Nobody waits for the other end of a FIFO. */
        ck_assert_int_eq(g_unlink(path), 0);
        ck_assert_int_eq(mkfifo(path, 0600), 0);
        ck_assert_int_eq(passkey_read_file(path, &passkey), -EINVAL);
        ck_assert_int_eq(g_unlink(path), 0);
        ck_assert_int_eq(g_rmdir(directory), 0);
}
END_TEST

/* Asked without being told the PIN itself. */
START_TEST(has_passkey) {
        ck_assert(!bond_has_passkey(bond));
        bond_offer_passkey(bond, 0);
        ck_assert(bond_has_passkey(bond));
        bond_withdraw_passkey(bond);
        bond_set_source(bond, source, NULL);
        ck_assert(bond_has_passkey(bond));
        bond_passkey_rejected(bond, source_passkey);
        ck_assert(!bond_has_passkey(bond));
        bond_passkey_accepted(bond);
        ck_assert(bond_has_passkey(bond));
        source_result = -ENOENT;
        ck_assert(!bond_has_passkey(bond));
}
END_TEST

START_TEST(states_have_names) {
        for (int i = 0; i < _BOND_STATE_MAX; i++)
                ck_assert_ptr_nonnull(bond_state_to_string((BondState) i));
        for (int i = 0; i < _BOND_REASON_MAX; i++)
                ck_assert_ptr_nonnull(bond_reason_to_string((BondReason) i));
        ck_assert_ptr_null(bond_state_to_string(_BOND_STATE_MAX));
        ck_assert_ptr_null(bond_reason_to_string(_BOND_REASON_INVALID));
}
END_TEST

/* One end of a connection is an accident, two are evidence, and whatever works makes them forgotten. */
START_TEST(two_drops_are_evidence) {
        ck_assert(!bond_has_drops(bond));
        ck_assert(!bond_count_drop(bond));
        ck_assert(bond_has_drops(bond));
        ck_assert(bond_count_drop(bond));

        bond_forget_drops(bond);
        ck_assert(!bond_count_drop(bond));
        bond_set_verified(bond);
        ck_assert(!bond_has_drops(bond));
        ck_assert(!bond_count_drop(bond));
        ck_assert(bond_count_drop(bond));
}
END_TEST

START_TEST(verified) {
        ck_assert_uint_eq(bond_last_verified(bond), 0);
        bond_set_verified(bond);
        ck_assert_int_eq(bond_state(bond), BOND_VERIFIED);
        ck_assert_uint_gt(bond_last_verified(bond), 0);
        bond_set(bond, BOND_UNREACHABLE, BOND_REASON_TIMEOUT);
        ck_assert_uint_gt(bond_last_verified(bond), 0);
        ck_assert_uint_eq(n_changes, 2);
        bond_set(bond, BOND_UNREACHABLE, BOND_REASON_TIMEOUT);
        ck_assert_uint_eq(n_changes, 2);
}
END_TEST

START_TEST(refused_pin_is_not_tried_again) {
        uint32_t passkey;

        ck_assert_int_eq(bond_get_passkey(bond, &passkey), -ENOENT);
        bond_set_source(bond, source, NULL);
        ck_assert_int_eq(bond_get_passkey(bond, &passkey), 0);
        ck_assert_uint_eq(passkey, 123456);

        bond_passkey_rejected(bond, 123456);
        ck_assert_int_eq(bond_get_passkey(bond, &passkey), -EACCES);

        /* Another one in the file, or the same from a person, is worth a try. */
        source_passkey = 654321;
        ck_assert_int_eq(bond_get_passkey(bond, &passkey), 0);
        source_passkey = 123456;
        bond_offer_passkey(bond, 123456);
        ck_assert_int_eq(bond_get_passkey(bond, &passkey), 0);
        bond_passkey_rejected(bond, 123456);
        ck_assert_int_eq(bond_get_passkey(bond, &passkey), -EACCES);

        /* A person's mistake does not make it worth another try. */
        bond_offer_passkey(bond, 1);
        bond_passkey_rejected(bond, 1);
        ck_assert_int_eq(bond_get_passkey(bond, &passkey), -EACCES);
        bond_offer_passkey(bond, 2);
        bond_withdraw_passkey(bond);
        ck_assert_int_eq(bond_get_passkey(bond, &passkey), -EACCES);

        bond_offer_passkey(bond, 1);
        bond_passkey_accepted(bond);
        ck_assert_int_eq(bond_get_passkey(bond, &passkey), 0);
        ck_assert_uint_eq(passkey, 123456);

        source_result = -EPERM;
        ck_assert_int_eq(bond_get_passkey(bond, &passkey), -EPERM);
}
END_TEST

START_TEST(waits_for_a_person) {
        ck_assert(!bond_is_waiting(bond));
        bond_set(bond, BOND_NEEDS_PIN, BOND_REASON_NO_PIN);
        ck_assert(bond_is_waiting(bond));
        bond_offer_passkey(bond, 123456);
        ck_assert(!bond_is_waiting(bond));
        bond_passkey_rejected(bond, 123456);
        ck_assert(bond_is_waiting(bond));
        bond_set(bond, BOND_UNREACHABLE, BOND_REASON_UNREACHABLE);
        ck_assert(!bond_is_waiting(bond));
}
END_TEST

int main(void) {
        Suite *suite = suite_create("link-bond");
        TCase *tcase = tcase_create("all");
        SRunner *runner;
        int failed;

        tcase_add_checked_fixture(tcase, setup, teardown);
        tcase_add_test(tcase, six_digits);
        tcase_add_test(tcase, files);
        tcase_add_test(tcase, has_passkey);
        tcase_add_test(tcase, states_have_names);
        tcase_add_test(tcase, two_drops_are_evidence);
        tcase_add_test(tcase, verified);
        tcase_add_test(tcase, refused_pin_is_not_tried_again);
        tcase_add_test(tcase, waits_for_a_person);
        suite_add_tcase(suite, tcase);

        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
