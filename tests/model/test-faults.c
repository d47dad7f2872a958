/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <string.h>

#include "faulty-vfs.h"
#include "macros.h"
#include "model-fixture.h"
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

/* Where two dumps part; they are too long to print whole. */
static void assert_same(const char *a, const char *b) {
        size_t at = 0;

        while (a[at] != '\0' && a[at] == b[at])
                at++;
        if (a[at] == b[at])
                return;
        while (at > 0 && a[at - 1] != '\n')
                at--;
        ck_abort_msg("one says: %.300s; the other: %.300s", a + at, b + at);
}

static int do_put_contact(void) {
        g_autoptr(Contact) contact = contact_of(1, "Ann");

        contact->last_advert = 5;
        return identity_put_contact(f.identity, contact);
}

static int receive_one(const char *text, uint32_t timestamp) {
        const PublicKey ann = key_of(1, 1);
        g_autoptr(Message) message = text_from(&ann, text, timestamp);
        ReceiveResult result;
        int r;

        r = identity_receive(f.identity, message, &result);
        if (r < 0)
                ck_assert_uint_eq(message->id, 0);
        return r;
}

static int do_receive(void) {
        return receive_one("hello", 1);
}

static int do_receive_more(void) {
        g_autofree char *text = g_strnfill(9000, 'x'); /* overflow pages */

        return receive_one(text, 2);
}

static int do_receive_again(void) {
        return receive_one("hello", 1);
}

static int do_queue(void) {
        const PublicKey ann = key_of(1, 1);
        g_autoptr(Message) message = text_from(&ann, "answer", 0);
        int r;

        r = identity_queue(f.identity, message, 1000, "token");
        if (r < 0) {
                ck_assert_uint_eq(message->id, 0);
                ck_assert(!message->read);
        }
        return MIN(r, 0);
}

static int do_update(void) {
        const MessageUpdate update = {
                        .set = MESSAGE_CHANGED_STATE | MESSAGE_CHANGED_SENDER_TIMESTAMP |
                               MESSAGE_CHANGED_ATTEMPTS,
                        .state = MESSAGE_SENDING,
                        .sender_timestamp = 1700000000,
                        .attempts = 1,
                        .add_attempt = true,
                        .expected_ack = {1, 2, 3, 4},
        };

        return identity_update_message(f.identity, identity_last_message_id(f.identity), &update);
}

static int do_slot(void) {
        static const uint8_t secret[CHANNEL_SECRET_SIZE] = {1};

        return identity_set_slot(f.identity, 0, "Public", secret, CHANNEL_PUBLIC);
}

static int do_other_slot(void) {
        static const uint8_t secret[CHANNEL_SECRET_SIZE] = {2};

        return identity_set_slot(f.identity, 0, "other", secret, CHANNEL_PRIVATE);
}

static int do_batch(void) {
        const PublicKey ann = key_of(1, 1);
        int r;

        r = identity_begin(f.identity);
        if (r < 0)
                return r;

        for (unsigned i = 2; i < 30; i++) {
                g_autoptr(Contact) contact = contact_of((uint8_t) i, "somebody");

                (void) identity_put_contact(f.identity, contact);
        }
        (void) identity_remove_contact(f.identity, &ann);
        (void) identity_set_contacts_mark(f.identity, 99, 28);
        return identity_commit(f.identity);
}

static int do_mark_read(void) {
        const uint64_t ids[] = {1, 2};
        const int r = identity_mark_read(f.identity, ids, 2);

        return MIN(r, 0);
}

static int do_flush(void) {
        const PublicKey key = key_of(2, 2);

        identity_touch_contact(f.identity, &key, 77);
        return identity_flush(f.identity);
}

static int do_delete(void) {
        const uint64_t id = 1;
        const int r = identity_delete_messages(f.identity, &id, 1);

        return MIN(r, 0);
}

static int do_radio(void) {
        return store_set_slot(f.store, "sim", &own_key);
}

static int (*const steps[])(void) = {
                do_put_contact, do_receive, do_receive_more, do_receive_again, do_queue,  do_update, do_slot,
                do_other_slot,  do_batch,   do_mark_read,    do_flush,         do_delete, do_radio,
};

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
        assert_same(here, there);
        fixture_teardown(&copy);
}

static void assert_same_after_stop(void) {
        g_autofree char *here = fixture_dump(f.identity), *there = NULL;

        fixture_reopen(&f);
        there = fixture_dump(f.identity);
        assert_same(here, there);
}

/* Returns whether the nth call of this kind happened at all. */
static bool run_day(FaultKind kind, unsigned nth, bool sticky) {
        static const int expected[_FAULT_KIND_MAX] = {
                        [FAULT_WRITE_EIO] = -EIO, [FAULT_WRITE_FULL] = -ENOSPC, [FAULT_WRITE_TORN] = -EIO,
                        [FAULT_SYNC_EIO] = -EIO,  [FAULT_READ_EIO] = -EIO,      [FAULT_READ_BAD] = -EUCLEAN,
        };
        bool happened = false;

        for (size_t i = 0; i < ELEMENTSOF(steps); i++) {
                g_autofree char *before = NULL;
                int r;

                faulty_vfs_pause(true);
                before = fixture_dump(f.identity);
                faulty_vfs_pause(false);
                if (i == 0)
                        faulty_vfs_arm(kind, nth, sticky);
                if (kind == FAULT_READ_EIO || kind == FAULT_READ_BAD)
                        (void) sqlite3_db_release_memory(f.store->db); /* or nothing would be read */
                r = steps[i]();
                if (faulty_vfs_fired() && !happened) {
                        g_autofree char *after = NULL;

                        happened = true;
                        faulty_vfs_arm(kind, 0, false);
                        after = fixture_dump(f.identity);
                        if (r < 0) {
                                ck_assert_int_eq(r, expected[kind]);
                                /* When somebody was heard may be forgotten. */
                                if (steps[i] != do_flush) {
                                        assert_same(before, after);
                                        if (!sticky)
                                                assert_same_after_crash();
                                }

                                /* The same again goes through now. */
                                ck_assert_int_eq(steps[i](), 0);
                        }
                } else
                        ck_assert_int_eq(r, 0);
        }

        faulty_vfs_arm(kind, 0, false);
        assert_same_after_crash();
        assert_same_after_stop();
        ck_assert_uint_eq(fixture_count_files(&f, "store.db.damaged"), 0);
        ck_assert_int_eq(fixture_sql(&f, "SELECT count(*) FROM message"), 2);
        ck_assert_int_eq(fixture_sql(&f, "SELECT count(*) FROM token"), 1);
        ck_assert_int_eq(fixture_sql(&f, "SELECT count(*) FROM attempt"), 1);
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

        for (size_t i = 0; i < ELEMENTSOF(steps); i++)
                ck_assert_int_eq(steps[i](), 0);
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
                assert_same(before, after);
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
                ck_assert_int_eq(do_receive(), 0);
                assert_same_after_stop();
                if (!happened)
                        break;
        }
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
        suite_add_tcase(suite, tc);
        return fixture_run(suite);
}
