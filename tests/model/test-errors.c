/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "day.h"
#include "faulty-calls.h"
#include "macros.h"
#include "pending.h"
#include "store-internal.h"

/* Every single call that the store makes, to SQLite or to the system, fails once, and each time the answer
 * is typed, nothing is lost, and the same again goes through. */

static Fixture f;

static void setup(void) {
        fixture_setup(&f);
}

static void teardown(void) {
        (void) faulty_calls_disarm();
        fixture_teardown(&f);
}

static void assert_durable(const char *expected) {
        g_autofree char *dump = NULL;

        fixture_reopen(&f);
        dump = fixture_dump(f.identity);
        day_assert_same(expected, dump);
}

/* -- statements ------------------------------------------------------------------ */

/* Returns how often it failed. What is refused has changed nothing, so that one state is enough for all. */
static unsigned fail_step(const DayStep *step, FaultyCall call) {
        for (unsigned nth = 1;; nth++) {
                g_autofree char *before = fixture_dump(f.identity), *after = NULL;
                int r;

                if (call == CALL_SQL_PREPARE)
                        store_drop_statements(f.store);
                faulty_calls_arm(call, nth);
                r = step->run(&f);
                if (!faulty_calls_disarm()) {
                        ck_assert_int_eq(r, 0);
                        return nth - 1;
                }

                ck_assert_msg(r == -EIO || r == -ENOENT, "%s: call %u fails with %i", step->name, nth, r);
                after = fixture_dump(f.identity);
                if (step->run != day_flush)
                        day_assert_same(before, after);
        }
}

START_TEST(every_statement_fails) {
        static const FaultyCall calls[] = {CALL_SQL_STEP, CALL_SQL_PREPARE, CALL_SQL_BIND};
        g_autofree char *dump = NULL;
        unsigned n = 0;

        for (const DayStep *step = day_steps; step->run; step++)
                n += fail_step(step, calls[_i]);
        ck_assert_uint_gt(n, 90);

        dump = fixture_dump(f.identity);
        assert_durable(dump);
        day_assert_done(&f);
        ck_assert_uint_eq(fixture_count_files(&f, "store.db.damaged"), 0);
}
END_TEST

/* What SQLite says comes out as what the rest of the daemon understands. */
START_TEST(results_are_typed) {
        static const struct {
                int rc, error, system_error;
        } results[] = {
                        {SQLITE_FULL, -ENOSPC},
                        {SQLITE_READONLY, -EROFS},
                        {SQLITE_READONLY_DBMOVED, -EROFS},
                        {SQLITE_BUSY, -EBUSY},
                        {SQLITE_LOCKED, -EBUSY},
                        {SQLITE_NOMEM, -ENOMEM},
                        {SQLITE_IOERR_NOMEM, -ENOMEM},
                        {SQLITE_PERM, -EACCES},
                        {SQLITE_AUTH, -EACCES},
                        {SQLITE_INTERRUPT, -EINTR},
                        {SQLITE_CANTOPEN, -EIO},
                        {SQLITE_CANTOPEN, -EMFILE, EMFILE},
                        {SQLITE_CANTOPEN, -EACCES, EACCES},
                        {SQLITE_IOERR_WRITE, -EROFS, EROFS},
                        {SQLITE_IOERR_WRITE, -ENOSPC, EDQUOT},
                        {SQLITE_CONSTRAINT, -EIO},
                        {SQLITE_IOERR_READ, -EIO},
                        {SQLITE_CORRUPT, -EUCLEAN},
                        {SQLITE_NOTADB, -EUCLEAN},
                        {SQLITE_IOERR_CORRUPTFS, -EUCLEAN},
        };
        for (size_t i = 0; i < ELEMENTSOF(results); i++) {
                g_autoptr(Contact) ann = contact_of((uint8_t) i, "Ann");

                faulty_calls_arm_with(CALL_SQL_STEP, 2, results[i].rc); /* the first begins the transaction */
                faulty_calls_set_system_error(results[i].system_error);
                ck_assert_int_eq(identity_put_contact(f.identity, ann), results[i].error);
                ck_assert(faulty_calls_disarm());
                faulty_calls_set_system_error(0);
                ck_assert_ptr_null(identity_get_contact(f.identity, &ann->key));
                ck_assert_uint_eq(fixture_count_damaged(&f), 0); /* the file is fine */
                ck_assert_int_eq(identity_put_contact(f.identity, ann), 0);
        }
}
END_TEST

/* -- the start ----------------------------------------------------------------------- */

static const FaultyCall start_calls[] = {
                CALL_SQL_OPEN, CALL_SQL_PREPARE, CALL_SQL_STEP, CALL_SQL_EXEC, CALL_OPEN,  CALL_STAT,
                CALL_READ,     CALL_WRITE,       CALL_SYNC,     CALL_CHMOD,    CALL_MKDIR, CALL_LOCK,
};

static int start(void) {
        int r;

        r = store_open(f.dir, &f.store);
        if (r < 0)
                ck_assert_ptr_null(f.store);
        else {
                r = identity_load(f.store, &own_key, &f.identity);
                if (r < 0)
                        ck_assert_ptr_null(f.identity);
        }
        return r;
}

START_TEST(every_call_fails_at_start) {
        g_autofree char *before = NULL, *history = NULL;
        g_autofree char *path = fixture_path(&f, "store.db"), *spool = fixture_path(&f, "spool");

        day_work(&f);
        before = fixture_dump(f.identity);
        history = g_strdup(store_history_id(f.store));

        for (unsigned nth = 1;; nth++) {
                bool happened;
                int r;

                fixture_close(&f);
                ck_assert_int_eq(chmod(path, 0644), 0);
                ck_assert_int_eq(unlink(spool), 0);
                faulty_calls_arm(start_calls[_i], nth);
                r = start();
                happened = faulty_calls_disarm();
                ck_assert_int_eq(r, happened ? -EIO : 0);
                assert_durable(before);
                ck_assert_str_eq(store_history_id(f.store), history);
                ck_assert_uint_eq(fixture_count_files(&f, "store.db.damaged"), 0);
                if (!happened)
                        break;
                ck_assert_uint_lt(nth, 100);
        }
}
END_TEST

START_TEST(every_call_fails_at_first_start) {
        for (unsigned nth = 1;; nth++) {
                bool happened;
                int r;

                teardown();
                f = (Fixture){.dir = g_dir_make_tmp("meshcored-model-XXXXXX", NULL),
                              .log = g_string_new(NULL)};
                faulty_calls_arm(start_calls[_i], nth);
                r = start();
                happened = faulty_calls_disarm();
                /* Only that of the directory above is not asked for. */
                ck_assert(r == 0 || (happened && r == -EIO));
                ck_assert(happened || r == 0);
                fixture_reopen(&f);
                ck_assert_int_eq(day_steps->run(&f), 0);
                if (!happened)
                        break;
                ck_assert_uint_lt(nth, 100);
        }
}
END_TEST

static int import(const PublicKey *identity, uint64_t timestamp_usec, Slice frame, void *userdata) {
        g_string_append_printf(userdata, "%.*s ", (int) frame.size, (const char *) frame.data);
        return 0;
}

static void assert_import(const char *expected, int result) {
        g_autoptr(GString) seen = g_string_new(NULL);

        ck_assert_int_eq(store_spool_import(f.store, import, seen), result);
        ck_assert_str_eq(seen->str, expected);
}

static int append(const char *text) {
        return store_spool_append(f.store, &own_key, 1, (Slice){(const uint8_t *) text, strlen(text)});
}

/* -- damage ---------------------------------------------------------------------------- */

static void damage(void) {
        g_autofree char *path = fixture_path(&f, "store.db");
        _cleanup_close_ int fd = -EBADF;
        uint8_t noise[4096];
        struct stat st;

        fixture_sql(&f, "PRAGMA wal_checkpoint(TRUNCATE)");
        memset(noise, 0xee, sizeof(noise));
        fd = open(path, O_WRONLY | O_CLOEXEC);
        ck_assert_int_eq(fstat(fd, &st), 0);
        for (off_t at = 4096; at < st.st_size; at += 4096)
                ck_assert_int_eq(pwrite(fd, noise, sizeof(noise), at), sizeof(noise));
        (void) sqlite3_db_release_memory(f.store->db);
}

/* While the damaged file is set aside and a new one is made: it is kept, once, and message ids go on above
 * those that were given. */
START_TEST(every_call_fails_while_damage_is_set_aside) {
        static const FaultyCall calls[] = {
                        CALL_SQL_OPEN, CALL_SQL_PREPARE, CALL_SQL_STEP, CALL_SQL_EXEC, CALL_OPEN,
                        CALL_STAT,     CALL_READ,        CALL_SYNC,     CALL_RENAME,
        };
        const PublicKey ann = key_of(4, 4);

        for (unsigned nth = 2;; nth++) {
                g_autoptr(Message) message = text_from(&ann, "after", 9);
                ReceiveResult result;
                uint64_t last;
                bool happened;
                int r;

                day_work(&f);
                last = identity_last_message_id(f.identity);
                damage();
                /* The first statement is the one that finds the damage. */
                faulty_calls_arm(calls[_i], calls[_i] == CALL_SQL_STEP ? nth : nth - 1);
                r = identity_receive(f.identity, message, &result);
                ck_assert(r == -EUCLEAN || r == -EIO);
                happened = faulty_calls_disarm();
                for (unsigned tries = 0; r < 0 && tries < 3; tries++)
                        r = identity_receive(f.identity, message, &result);
                ck_assert_int_eq(r, 0);
                ck_assert_uint_gt(message->id, last);
                ck_assert_ptr_nonnull(identity_get_contact(f.identity, &ann));
                ck_assert_uint_eq(fixture_count_damaged(&f), 1);
                fixture_reopen(&f);
                ck_assert_uint_eq(identity_last_message_id(f.identity), message->id);
                ck_assert_ptr_nonnull(identity_get_contact(f.identity, &ann));
                if (!happened)
                        break;
                ck_assert_uint_lt(nth, 200);
                teardown();
                setup();
        }
}
END_TEST

/* As long as no file can be opened everything is refused, and the spool takes what comes. */
START_TEST(store_away) {
        const PublicKey ann = key_of(4, 4);
        const uint8_t ack[4] = {1, 2, 3, 4};
        static const int errors[] = {EIO, EROFS};
        g_autoptr(GPtrArray) list = NULL;
        MessageFilter filter;
        uint64_t last;

        day_work(&f);
        last = identity_last_message_id(f.identity);
        damage();
        faulty_calls_arm(CALL_RENAME, 1);
        ck_assert_int_eq(day_steps->run(&f), -EUCLEAN);

        for (size_t i = 0; i < ELEMENTSOF(errors); i++)
                for (const DayStep *step = day_steps; step->run; step++) {
                        int r;

                        faulty_calls_arm_with(CALL_RENAME, 1, errors[i]);
                        r = step->run(&f);
                        if (!faulty_calls_disarm()) /* what is known already is not written */
                                ck_assert_int_eq(r, 0);
                        else
                                ck_assert_msg(r == -EIO || r == -EROFS || r == -ENOENT, "%s says %i",
                                              step->name, r);
                }

        message_filter_init(&filter);
        faulty_calls_arm(CALL_RENAME, 1);
        ck_assert_int_eq(identity_list_messages(f.identity, &filter, 0, false, 1, &list), -EIO);
        faulty_calls_arm(CALL_RENAME, 1);
        ck_assert_ptr_null(identity_get_message(f.identity, last));
        faulty_calls_arm(CALL_RENAME, 1);
        ck_assert_uint_eq(identity_find_ack(f.identity, ack), 0);
        faulty_calls_arm(CALL_RENAME, 1);
        ck_assert_int_eq(store_check_room(f.store), -EIO);
        ck_assert_ptr_nonnull(identity_get_contact(f.identity, &ann));
        ck_assert_int_eq(append("frame"), 0);

        /* Told once it is known. */
        (void) g_string_truncate(f.log, 0);
        ck_assert_int_eq(store_check_room(f.store), -EBUSY);
        {
                g_autofree char *told = fixture_told(&f);

                ck_assert(g_str_has_prefix(told, "!history|"));
        }
        assert_import("frame ", 0);
        ck_assert_int_eq(store_check_room(f.store), 0);
        ck_assert_uint_eq(fixture_count_damaged(&f), 1);
        day_work(&f);
}
END_TEST

/* The log of a file that is gone is kept, or the start fails. */
START_TEST(orphaned_log_cannot_be_kept) {
        g_autofree char *path = fixture_path(&f, "store.db");
        int on = 1;

        day_work(&f);
        (void) sqlite3_file_control(f.store->db, "main", SQLITE_FCNTL_PERSIST_WAL, &on);
        fixture_close(&f);
        ck_assert_int_eq(unlink(path), 0);
        faulty_calls_arm(CALL_RENAME, 1);
        ck_assert_int_eq(start(), -EIO);
        ck_assert(faulty_calls_disarm());
        ck_assert_uint_eq(fixture_count_files(&f, "store.db-wal"), 1);
        fixture_open(&f);
        ck_assert_uint_ge(fixture_count_files(&f, "store.db.damaged"), 1);
}
END_TEST

/* Adverts that wait are kept in memory, and written to the new file. */
START_TEST(pending_adverts_outlive_a_history) {
        g_autoptr(Contact) one = contact_of(60, "one"), two = contact_of(61, "two");
        g_autoptr(Pending) pending = NULL;

        ck_assert_int_eq(pending_load(f.store, &own_key, &pending), 0);
        ck_assert_int_eq(pending_flush(pending), 0);
        pending_put(pending, one);
        pending_put(pending, two);
        pending_put(pending, one);
        ck_assert_int_eq(pending_flush(pending), 0);
        damage();
        ck_assert_int_eq(day_steps->run(&f), -EUCLEAN);
        ck_assert(pending_needs_flush(pending));
        ck_assert_int_eq(pending_flush(pending), 0);
        pending = pending_free(pending);

        fixture_reopen(&f);
        ck_assert_int_eq(pending_load(f.store, &own_key, &pending), 0);
        ck_assert_uint_eq(pending_count(pending), 2);
}
END_TEST

/* Nobody has to listen. */
START_TEST(observers_are_optional) {
        static const IdentityObserver deaf;
        const PublicKey ann = key_of(4, 4);

        identity_set_observer(f.identity, _i == 0 ? NULL : &deaf, NULL);
        day_work(&f);
        identity_touch_contact(f.identity, &ann, 99);
        ck_assert_int_eq(identity_set_slot(f.identity, 0, NULL, NULL, CHANNEL_PRIVATE), 0);
        ck_assert_int_eq(identity_remove_contact(f.identity, &ann), 0);
        damage();
        ck_assert_int_eq(day_steps->run(&f), -EUCLEAN);
        ck_assert_int_eq(day_steps->run(&f), 0);
}
END_TEST

/* The ids of channels need not be secret, only apart. */
START_TEST(no_random_numbers) {
        static const uint8_t secrets[2][CHANNEL_SECRET_SIZE] = {{1}, {2}};

        for (unsigned slot = 0; slot < 2; slot++) {
                faulty_calls_arm(CALL_RANDOM, 1);
                ck_assert_int_eq(identity_set_slot(f.identity, slot, "x", secrets[slot], CHANNEL_PRIVATE), 0);
                ck_assert(faulty_calls_disarm());
                ck_assert_uint_gt(identity_get_slot(f.identity, slot)->id, 0);
                ck_assert_uint_le(identity_get_slot(f.identity, slot)->id, INT64_MAX);
        }
        ck_assert_uint_ne(identity_get_slot(f.identity, 0)->id, identity_get_slot(f.identity, 1)->id);
}
END_TEST

/* -- the check after an unclean stop ----------------------------------------------------- */

/* The log is left behind, as by a stop in the middle. */
static void stop_unclean(void) {
        int on = 1;

        ck_assert_int_eq(sqlite3_file_control(f.store->db, "main", SQLITE_FCNTL_PERSIST_WAL, &on), SQLITE_OK);
        fixture_close(&f);
}

START_TEST(check_cannot_begin) {
        static const FaultyCall calls[] = {CALL_EVENTFD, CALL_THREAD};
        g_autofree char *before = NULL;

        day_work(&f);
        before = fixture_dump(f.identity);
        stop_unclean();
        faulty_calls_arm(calls[_i], 1);
        fixture_open(&f);
        ck_assert(faulty_calls_disarm());
        ck_assert_int_eq(store_check_fd(f.store), -EBADF);
        ck_assert_int_eq(store_check_finish(f.store), 0);
        assert_durable(before);
}
END_TEST

/* A check that could not be made has found no damage. */
START_TEST(check_cannot_be_made) {
        static const int results[] = {SQLITE_CANTOPEN, SQLITE_IOERR, SQLITE_BUSY};
        g_autofree char *before = NULL;
        struct pollfd done = {.events = POLLIN};

        day_work(&f);
        before = fixture_dump(f.identity);
        stop_unclean();
        f.store = NULL;
        /* The second one to be opened is the thread's. */
        faulty_calls_arm_with(CALL_SQL_OPEN, 2, results[_i]);
        ck_assert_int_eq(store_open(f.dir, &f.store), 0);
        done.fd = store_check_fd(f.store);
        ck_assert_int_eq(poll(&done, 1, 5000), 1);
        ck_assert(faulty_calls_disarm());

        faulty_calls_arm(CALL_POLL, 1);
        ck_assert_int_eq(store_check_finish(f.store), -EAGAIN);
        ck_assert_int_eq(store_check_finish(f.store), 0);
        ck_assert_int_eq(store_check_fd(f.store), -EBADF);
        assert_durable(before);
        ck_assert_uint_eq(fixture_count_files(&f, "store.db.damaged"), 0);
}
END_TEST

/* -- the copy ------------------------------------------------------------------------------ */

static int open_copy(void) {
        g_autofree char *path = fixture_path(&f, "copy");

        return open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
}

static int make_copy(int fd) {
        struct pollfd done = {.events = POLLIN};
        int r;

        r = store_backup_start(f.store, fd);
        if (r < 0) {
                ck_assert_int_eq(store_backup_fd(f.store), -EBADF);
                return r;
        }
        ck_assert_int_eq(store_backup_start(f.store, fd), -EBUSY);
        done.fd = store_backup_fd(f.store);
        while (g_poll((GPollFD *) (void *) &done, 1, 5000) != 1)
                ck_abort();
        return store_backup_finish(f.store);
}

START_TEST(copy_of_wrong_things) {
        g_autofree char *path = fixture_path(&f, "copy");
        _cleanup_close_ int made = open_copy();
        _cleanup_close_ int reader = open(path, O_RDONLY | O_CLOEXEC), name = open(path, O_PATH | O_CLOEXEC);
        _cleanup_close_ int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

        ck_assert_int_eq(store_backup_start(f.store, -1), -EBADF);
        ck_assert_int_eq(store_backup_start(f.store, reader), -EINVAL);
        ck_assert_int_eq(store_backup_start(f.store, name), -EINVAL);
        ck_assert_int_eq(store_backup_start(f.store, null), -EINVAL);
        ck_assert_int_eq(store_backup_finish(f.store), -ECANCELED);
        store_backup_stop(f.store);

        faulty_calls_arm(CALL_POLL, 1);
        ck_assert_int_eq(store_backup_start(f.store, made), 0);
        ck_assert_int_eq(store_backup_finish(f.store), -EAGAIN);
        store_backup_stop(f.store);
        ck_assert_int_eq(store_backup_fd(f.store), -EBADF);
        ck_assert_uint_eq(fixture_count_files(&f, "backup.tmp"), 0);
        ck_assert_int_eq(make_copy(made), 0);
}
END_TEST

static const FaultyCall copy_calls[] = {
                CALL_SQL_OPEN, CALL_SQL_PREPARE, CALL_SQL_STEP, CALL_OPEN,    CALL_STAT,   CALL_STATVFS,
                CALL_READ,     CALL_WRITE,       CALL_SYNC,     CALL_EVENTFD, CALL_THREAD, CALL_TRUNCATE,
};

START_TEST(every_call_fails_in_copying) {
        const int expected = copy_calls[_i] == CALL_EVENTFD || copy_calls[_i] == CALL_THREAD ? -EAGAIN : -EIO;
        g_autofree char *path = fixture_path(&f, "copy"), *before = NULL;
        _cleanup_close_ int fd = open_copy();
        uint64_t n = 0;

        day_work(&f);
        before = fixture_dump(f.identity);
        for (unsigned nth = 1;; nth++) {
                bool happened;
                int r;

                faulty_calls_arm(copy_calls[_i], nth);
                r = make_copy(fd);
                happened = faulty_calls_disarm();
                ck_assert_int_eq(r, happened ? expected : 0);
                ck_assert_uint_eq(fixture_count_files(&f, "backup.tmp"), 0);
                if (!happened)
                        break;
                ck_assert_uint_lt(nth, 50);
        }
        ck_assert_int_eq(store_check_file(path, &n), 0);
        ck_assert_uint_eq(n, 3);
        assert_durable(before);
}
END_TEST

/* A copy that is none, or of a newer version, or damaged, touches nothing. */
START_TEST(way_back_of_wrong_things) {
        static const struct {
                const char *statement;
                int expected;
        } cases[] = {
                        {"PRAGMA application_id = 1", -EINVAL},
                        {"PRAGMA user_version = 99", -EPROTONOSUPPORT},
                        {"DROP TABLE message", -EIO},
        };
        g_autofree char *path = fixture_path(&f, "store.db"), *copy = fixture_path(&f, "copy");
        g_autofree char *elsewhere = fixture_path(&f, "elsewhere"), *before = NULL, *kept = NULL;
        g_autofree uint8_t *noise = g_malloc0(4096);
        uint64_t n = 77;
        int fd;

        day_work(&f);
        before = fixture_dump(f.identity);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                fd = open_copy();
                ck_assert_int_eq(make_copy(fd), 0);
                (void) close(fd);
                {
                        sqlite3 *db = NULL;

                        ck_assert_int_eq(sqlite3_open(copy, &db), SQLITE_OK);
                        ck_assert_int_eq(sqlite3_exec(db, cases[i].statement, NULL, NULL, NULL), SQLITE_OK);
                        ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
                }
                fixture_close(&f);
                ck_assert_int_eq(store_restore(f.dir, copy, &n, &kept), cases[i].expected);
                fixture_open(&f);
        }

        fd = open_copy();
        ck_assert_int_eq(make_copy(fd), 0);
        memset(noise, 0xee, 4096);
        ck_assert_int_eq(pwrite(fd, noise, 4096, 4096), 4096);
        fixture_close(&f);
        ck_assert_int_eq(store_restore(f.dir, copy, &n, &kept), -EUCLEAN);
        ck_assert_int_eq(store_restore(f.dir, "/dev/null", &n, &kept), -EINVAL);
        ck_assert_ptr_null(kept);
        ck_assert_uint_eq(n, 77);
        fixture_open(&f);
        assert_durable(before);

        /* Where nothing is, nothing is kept. */
        ck_assert_int_eq(make_copy(fd), 0);
        (void) close(fd);
        ck_assert_int_eq(store_restore(elsewhere, copy, &n, &kept), 0);
        ck_assert_ptr_null(kept);
        ck_assert_uint_eq(n, 3);
        {
                g_autofree char *restored = g_build_filename(elsewhere, "store.db", NULL);

                ck_assert_int_eq(store_check_file(restored, &n), 0);
                ck_assert_int_eq(unlink(restored), 0);
                ck_assert_int_eq(rmdir(elsewhere), 0);
        }
}
END_TEST

static const FaultyCall restore_calls[] = {
                CALL_SQL_OPEN, CALL_SQL_PREPARE, CALL_SQL_STEP, CALL_SQL_EXEC, CALL_OPEN,  CALL_READ,
                CALL_WRITE,    CALL_SYNC,        CALL_RENAME,   CALL_CHMOD,    CALL_MKDIR, CALL_LOCK,
};

/* Until the copy is in place, what was there stays there. */
START_TEST(every_call_fails_in_the_way_back) {
        g_autofree char *path = fixture_path(&f, "copy"), *before = NULL, *history = NULL, *kept = NULL;
        g_autoptr(Contact) eve = contact_of(77, "Eve");
        _cleanup_close_ int fd = open_copy();
        uint64_t n = 0;

        day_work(&f);
        ck_assert_int_eq(make_copy(fd), 0);
        ck_assert_int_eq(identity_put_contact(f.identity, eve), 0); /* after the copy */
        before = fixture_dump(f.identity);
        history = g_strdup(store_history_id(f.store));

        for (unsigned nth = 1;; nth++) {
                int r;

                stop_unclean(); /* so that there is a log as well */
                faulty_calls_arm(restore_calls[_i], nth);
                r = store_restore(f.dir, path, &n, &kept);
                if (!faulty_calls_disarm()) {
                        ck_assert_int_eq(r, 0);
                        break;
                }
                ck_assert_int_eq(r, restore_calls[_i] == CALL_LOCK ? -EBUSY : -EIO);
                ck_assert_ptr_null(kept);
                ck_assert_uint_eq(fixture_count_files(&f, "backup.tmp"), 0);
                fixture_open(&f);
                assert_durable(before);
                ck_assert_str_eq(store_history_id(f.store), history);
                ck_assert_uint_eq(fixture_count_files(&f, "store.db.replaced"), 0);
                ck_assert_uint_eq(fixture_count_files(&f, "store.db.damaged"), 0);
                ck_assert_uint_lt(nth, 50);
        }

        ck_assert_uint_eq(n, 3);
        ck_assert_ptr_nonnull(kept);
        fixture_open(&f);
        ck_assert_str_ne(store_history_id(f.store), history);
        ck_assert_ptr_null(identity_get_contact(f.identity, &eve->key));
        ck_assert_int_eq(fixture_sql(&f, "SELECT count(*) FROM message"), 3);
}
END_TEST

/* -- the spool ------------------------------------------------------------------------------ */

START_TEST(spool_fails) {
        /* Nothing was said to be taken that is not. */
        faulty_calls_arm(CALL_WRITE, 1);
        ck_assert_int_eq(append("one"), -EIO);
        ck_assert_int_eq(store_check_room(f.store), 0);
        faulty_calls_arm_with(CALL_WRITE, 1, EINTR); /* nobody hears of that */
        ck_assert_int_eq(append("one"), 0);
        ck_assert(faulty_calls_disarm());
        faulty_calls_arm(CALL_SYNC, 1);
        ck_assert_int_eq(append("two"), -EIO);
        ck_assert_int_eq(append("three"), 0);

        faulty_calls_arm(CALL_READ, 2);
        assert_import("", -EIO);
        faulty_calls_arm_with(CALL_READ, 2, EINTR);
        assert_import("one three ", 0);
        ck_assert(faulty_calls_disarm());
        ck_assert_int_eq(store_check_room(f.store), 0);

        /* Imported, but they could not be taken out: they are offered again. */
        ck_assert_int_eq(append("four"), 0);
        ck_assert_int_eq(append("five"), 0);
        faulty_calls_arm(CALL_WRITE, 2);
        assert_import("four five ", -EIO);
        ck_assert_int_eq(store_check_room(f.store), -EBUSY);
        assert_import("five ", 0);
        ck_assert_int_eq(store_check_room(f.store), 0);

        faulty_calls_arm(CALL_STATVFS, 1);
        ck_assert_int_eq(store_check_room(f.store), -EIO);
}
END_TEST

static uint32_t crc32_of(const uint8_t *data, size_t size) {
        uint32_t crc = UINT32_MAX;

        for (size_t i = 0; i < size; i++) {
                crc ^= data[i];
                for (unsigned bit = 0; bit < 8; bit++)
                        crc = (crc >> 1) ^ (crc & 1 ? 0xedb88320U : 0);
        }
        return ~crc;
}

/* Whole, but not what this version writes. */
START_TEST(spool_of_another_make) {
        static const struct {
                size_t at;
                uint8_t byte;
        } changes[] = {{0, 'X'}, {5, 0xFF}};
        g_autofree char *path = fixture_path(&f, "spool");
        uint8_t sector[512];

        for (size_t i = 0; i < ELEMENTSOF(changes); i++) {
                _cleanup_close_ int fd = open(path, O_RDWR | O_CLOEXEC);
                uint32_t crc;

                ck_assert_int_eq(append("one"), 0);
                ck_assert_int_eq(append("two"), 0);
                ck_assert_int_eq(pread(fd, sector, sizeof(sector), 0), sizeof(sector));
                sector[changes[i].at] = changes[i].byte;
                crc = GUINT32_TO_LE(crc32_of(sector, sizeof(sector) - 4));
                memcpy(sector + sizeof(sector) - 4, &crc, 4);
                ck_assert_int_eq(pwrite(fd, sector, sizeof(sector), 0), sizeof(sector));
                fixture_reopen(&f);
                assert_import("two ", 0);
        }
}
END_TEST

/* Cut off while it is used. */
START_TEST(spool_cut) {
        g_autofree char *path = fixture_path(&f, "spool");

        ck_assert_int_eq(append("one"), 0);
        ck_assert_int_eq(truncate(path, 100), 0);
        assert_import("", -ENODATA);
        ck_assert_int_eq(store_check_room(f.store), -EBUSY);
        fixture_close(&f);
        ck_assert_int_eq(unlink(path), 0);
        ck_assert_int_eq(mkfifo(path, 0600), 0);
        ck_assert_int_eq(store_open(f.dir, &f.store), -EINVAL);
        ck_assert_ptr_null(f.store);
        ck_assert_int_eq(unlink(path), 0);
        fixture_open(&f);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("errors");
        TCase *tc = tcase_create("errors");

        tcase_set_timeout(tc, 60);
        tcase_add_checked_fixture(tc, setup, teardown);
        tcase_add_loop_test(tc, every_statement_fails, 0, 3);
        tcase_add_test(tc, results_are_typed);
        tcase_add_loop_test(tc, every_call_fails_at_start, 0, ELEMENTSOF(start_calls));
        tcase_add_loop_test(tc, every_call_fails_at_first_start, 0, ELEMENTSOF(start_calls));
        tcase_add_loop_test(tc, every_call_fails_while_damage_is_set_aside, 0, 9);
        tcase_add_test(tc, store_away);
        tcase_add_test(tc, orphaned_log_cannot_be_kept);
        tcase_add_test(tc, pending_adverts_outlive_a_history);
        tcase_add_loop_test(tc, observers_are_optional, 0, 2);
        tcase_add_test(tc, no_random_numbers);
        tcase_add_loop_test(tc, check_cannot_begin, 0, 2);
        tcase_add_loop_test(tc, check_cannot_be_made, 0, 3);
        tcase_add_test(tc, copy_of_wrong_things);
        tcase_add_loop_test(tc, every_call_fails_in_copying, 0, ELEMENTSOF(copy_calls));
        tcase_add_test(tc, way_back_of_wrong_things);
        tcase_add_loop_test(tc, every_call_fails_in_the_way_back, 0, ELEMENTSOF(restore_calls));
        tcase_add_test(tc, spool_fails);
        tcase_add_test(tc, spool_of_another_make);
        tcase_add_test(tc, spool_cut);
        suite_add_tcase(suite, tc);
        return fixture_run(suite);
}
