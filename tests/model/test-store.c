/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "hex.h"
#include "log.h"
#include "macros.h"
#include "model-fixture.h"
#include "pending.h"
#include "store-internal.h"

static Fixture f;

static void setup(void) {
        fixture_setup(&f);
}

static void teardown(void) {
        fixture_teardown(&f);
}

static void write_at(const char *name, off_t offset, const void *data, size_t size) {
        g_autofree char *path = fixture_path(&f, name);
        _cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);

        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(pwrite(fd, data, size, offset), (ssize_t) size);
}

static off_t size_of(const char *name) {
        g_autofree char *path = fixture_path(&f, name);
        struct stat st;

        return stat(path, &st) < 0 ? -1 : st.st_size;
}

static mode_t mode_of(const char *name) {
        g_autofree char *path = fixture_path(&f, name);
        struct stat st;

        ck_assert_int_ge(stat(path, &st), 0);
        return st.st_mode & 07777;
}

START_TEST(fresh) {
        g_autofree char *history = g_strdup(store_history_id(f.store));
        uint8_t bytes[16];

        ck_assert_uint_eq(strlen(history), 32);
        ck_assert_int_eq(hex_decode(history, 32, bytes, sizeof(bytes)), 16);
        ck_assert_int_eq(store_check_room(f.store), 0);
        receive_text(&f, &own_key, "x", 1);
        ck_assert_int_eq(mode_of("store.db"), 0600);
        ck_assert_int_eq(mode_of("store.db-wal"), 0600);
        ck_assert_int_eq(mode_of("store.db-shm"), 0600);
        ck_assert_int_eq(mode_of("spool"), 0600);
        ck_assert_int_eq(size_of("spool"), 65536);
        fixture_reopen(&f);
        ck_assert_str_eq(store_history_id(f.store), history);
        ck_assert_int_eq(store_check_fd(f.store), -EBADF);
        ck_assert_int_eq(store_check_finish(f.store), 0);
        ck_assert_ptr_null(store_close(NULL));
}
END_TEST

START_TEST(directory) {
        g_autofree char *deep = fixture_path(&f, "a/b");
        g_autofree char *file = fixture_path(&f, "file"), *below = fixture_path(&f, "file/x");
        g_autofree char *database = fixture_path(&f, "a/b/store.db");
        static const char *const made[] = {"a/b/store.db", "a/b/spool", "a/b", "a"};
        Store *store = NULL;

        ck_assert_int_eq(store_open(deep, &store), 0);
        ck_assert_int_eq(mode_of("a"), 0700);
        ck_assert_int_eq(mode_of("a/b"), 0700);
        store = store_close(store);

        /* Somebody opened it to others. */
        ck_assert_int_eq(chmod(database, 0644), 0);
        ck_assert_int_eq(store_open(deep, &store), 0);
        ck_assert_int_eq(mode_of("a/b/store.db"), 0600);
        store = store_close(store);

        /* A link in place of the file leads nowhere. */
        ck_assert_int_eq(unlink(database), 0);
        ck_assert_int_eq(symlink("/dev/null", database), 0);
        ck_assert_int_eq(store_open(deep, &store), -ELOOP);
        ck_assert_int_eq(unlink(database), 0);
        ck_assert_int_eq(mkdir(database, 0700), 0);
        ck_assert_int_eq(store_open(deep, &store), -EISDIR);
        ck_assert_int_eq(rmdir(database), 0);
        ck_assert_int_eq(mkfifo(database, 0600), 0);
        ck_assert_int_eq(store_open(deep, &store), -EINVAL);

        ck_assert(g_file_set_contents(file, "", 0, NULL));
        ck_assert_int_eq(store_open(file, &store), -ENOTDIR);
        ck_assert_int_eq(store_open(below, &store), -ENOTDIR);
        ck_assert_ptr_null(store);

        for (size_t i = 0; i < ELEMENTSOF(made); i++) {
                g_autofree char *path = fixture_path(&f, made[i]);

                (void) remove(path);
        }
}
END_TEST

START_TEST(lock) {
        Store *second = NULL;

        ck_assert_int_eq(store_open(f.dir, &second), -EBUSY);
        ck_assert_ptr_null(second);
        fixture_close(&f);
        ck_assert_int_eq(store_open(f.dir, &second), 0);
        second = store_close(second);
        fixture_open(&f);
}
END_TEST

START_TEST(newer_schema) {
        g_autofree char *own_version = g_strdup_printf("PRAGMA user_version = %i", store_schema_version);
        g_autofree char *path = fixture_path(&f, "store.db"), *wal = fixture_path(&f, "store.db-wal");
        g_autofree char *before = NULL, *after = NULL, *log = NULL;
        gsize size, size_after, log_size;
        Store *store = NULL;

        receive_text(&f, &own_key, "x", 1);
        fixture_sql(&f, "PRAGMA user_version = 1000");
        /* In the log only: taken away in this state, the file does not say it itself. */
        ck_assert(g_file_get_contents(wal, &log, &log_size, NULL));
        ck_assert(g_file_get_contents(path, &before, &size, NULL));
        fixture_close(&f);
        ck_assert(g_file_set_contents(path, before, (gssize) size, NULL));
        ck_assert(g_file_set_contents(wal, log, (gssize) log_size, NULL));
        g_clear_pointer(&before, g_free);
        ck_assert(g_file_get_contents(path, &before, &size, NULL));
        ck_assert_int_eq(store_open(f.dir, &store), -EPROTONOSUPPORT);
        ck_assert_ptr_null(store);
        ck_assert(g_file_get_contents(path, &after, &size_after, NULL));
        ck_assert_uint_eq(size, size_after);
        ck_assert_mem_eq(before, after, size);
        g_clear_pointer(&after, g_free);
        ck_assert(g_file_get_contents(wal, &after, &size_after, NULL));
        ck_assert_uint_eq(log_size, size_after);
        ck_assert_mem_eq(log, after, log_size);

        /* In the file. */
        fixture_sql(&f, "PRAGMA wal_checkpoint(TRUNCATE)");
        ck_assert_int_eq(store_open(f.dir, &store), -EPROTONOSUPPORT);
        ck_assert_uint_eq(fixture_count_files(&f, "store.db.damaged"), 0);

        fixture_sql(&f, own_version);
        fixture_open(&f);
        ck_assert_uint_eq(identity_last_message_id(f.identity), 1);
}
END_TEST

static void must_exec(sqlite3 *db, const char *sql) {
        ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, "%s: %s", sql,
                      sqlite3_errmsg(db));
}

/* In the place of the store, which is closed then: a file of an older version, with what the SQL puts in. */
static void make_old_store(int version, const char *sql) {
        g_autofree char *path = fixture_path(&f, "store.db");
        sqlite3 *db = NULL;

        fixture_close(&f);
        ck_assert_int_eq(unlink(path), 0);
        ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
        for (int step = 0; step < version; step++) {
                g_autofree char *mark = g_strdup_printf("PRAGMA user_version = %i", step + 1);

                must_exec(db, store_schema_steps[step]);
                must_exec(db, mark);
        }
        if (sql)
                must_exec(db, sql);
        ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}

/* A file of each older version, made by the steps up to it, is brought to ours. */
START_TEST(migration) {
        for (int version = 0; version <= store_schema_version; version++) {
                make_old_store(version, NULL);
                fixture_open(&f);
                ck_assert_int_eq(fixture_sql(&f, "PRAGMA user_version"), store_schema_version);
                receive_text(&f, &own_key, "x", 1);
                ck_assert_uint_eq(fixture_count_files(&f, "store.db.damaged"), 0);
        }
}
END_TEST

/* Version 5 counted each unread message at once, and SQLite gave the ids. */
START_TEST(migration_of_counters) {
        g_autofree char *key = g_strdup(key_to_text(&own_key).text);
        g_autofree char *sql = g_strdup_printf(
                        "INSERT INTO identity VALUES (1, x'%s', 0, 0, 0);"
                        "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 300)"
                        " INSERT INTO message SELECT i, 1, 0, 7, x'%.12s', x'%s', 0, '', NULL, 'text ' || i,"
                        " NULL, 0, i, i, NULL, 255, 0, 0, 0, 0, 0, 0, 0, NULL, i, NULL FROM n;"
                        "INSERT INTO unread VALUES (1, x'%.12s', x'%s', 0, 300);"
                        "DELETE FROM message WHERE id > 290",
                        key, key, key, key, key);
        uint64_t ids[] = {1, 290, 0};

        make_old_store(5, sql);
        ck_assert_int_eq(fixture_sql(&f, "SELECT n FROM unread"), 290);
        fixture_open(&f);
        ck_assert_uint_eq(identity_unread(f.identity), 290);
        ck_assert_int_eq(fixture_sql(&f, "SELECT count(*) FROM sqlite_schema"
                                         " WHERE sql LIKE '%AUTOINCREMENT%'"),
                         0);

        /* The deleted ones were known to somebody: their ids are not used again. */
        ids[2] = receive_text(&f, &own_key, "new", 1000);
        ck_assert_uint_eq(ids[2], 301);
        ck_assert_int_eq(identity_mark_read(f.identity, ids, ELEMENTSOF(ids)), 3);
        ck_assert_uint_eq(identity_unread(f.identity), 288);
        fixture_reopen(&f);
        ck_assert_uint_eq(identity_unread(f.identity), 288);
        ck_assert_int_eq(identity_delete_messages(f.identity, ids, ELEMENTSOF(ids)), 3);
        fixture_reopen(&f);
        ck_assert_uint_eq(identity_unread(f.identity), 288);
        ck_assert_uint_eq(receive_text(&f, &own_key, "newer", 1001), 302);
        ck_assert_int_eq(fixture_sql(&f, "SELECT count(*) FROM pragma_integrity_check"
                                         " WHERE integrity_check <> 'ok'"),
                         0);
        ck_assert_uint_eq(fixture_count_files(&f, "store.db.damaged"), 0);
}
END_TEST

START_TEST(radio_slots) {
        const PublicKey other = key_of(8, 8);
        PublicKey key;

        ck_assert_int_eq(store_get_slot(f.store, "sim", &key), -ENOENT);
        ck_assert_int_eq(store_set_slot(f.store, "sim", &own_key), 0);
        ck_assert_int_eq(store_set_slot(f.store, "sim", &own_key), 0);
        ck_assert_int_eq(store_set_slot(f.store, "sim'; DROP TABLE radio; --", &other), 0);
        fixture_reopen(&f);
        ck_assert_int_eq(store_get_slot(f.store, "sim", &key), 0);
        ck_assert(key_equal(&key, &own_key));
        ck_assert_int_eq(store_set_slot(f.store, "sim", &other), 0);
        ck_assert_int_eq(store_get_slot(f.store, "sim", &key), 0);
        ck_assert(key_equal(&key, &other));
}
END_TEST

static bool write_text(const char *path, const char *text) {
        _cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);

        return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t) strlen(text);
}

/* In namespaces of our own: somebody has to be root there. */
static bool mount_small_disk(const char *path) {
        g_autofree char *uid = g_strdup_printf("0 %u 1", getuid()),
                        *gid = g_strdup_printf("0 %u 1", getgid());

        return unshare(CLONE_NEWUSER | CLONE_NEWNS) >= 0 && write_text("/proc/self/setgroups", "deny") &&
               write_text("/proc/self/uid_map", uid) && write_text("/proc/self/gid_map", gid) &&
               mkdir(path, 0700) >= 0 && mount("tmpfs", path, "tmpfs", 0, "size=4M") >= 0;
}

/* A real disk that is really full. */
static int fill_small_disk(void) {
        g_autofree char *fill = fixture_path(&f, "disk/fill"), *disk = fixture_path(&f, "disk");
        g_autoptr(Identity) identity = NULL;
        g_autoptr(Message) message = text_from(&own_key, "x", 1);
        Store *store = NULL;
        ReceiveResult result;
        uint8_t block[4096] = {1};
        uint64_t last = 0;
        int fd, r;

        if (!mount_small_disk(disk))
                return 77;

        if (store_open(disk, &store) < 0 || identity_load(store, &own_key, &identity) < 0 ||
            store_check_room(store) < 0 || identity_receive(identity, message, &result) < 0)
                return 1;
        last = message->id;

        fd = open(fill, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        while (write(fd, block, sizeof(block)) > 0)
                ;
        if (store_check_room(store) != -ENOSPC)
                return 2;

        g_free(message->text);
        message->text = g_strnfill(60000, 'y'); /* more than the page that is left in the log's last block */
        message->id = 0;
        r = identity_receive(identity, message, &result);
        if (r != -ENOSPC || message->id != 0 || identity_last_message_id(identity) != last)
                return 3;
        /* What the radio has given away goes to the spool, whose room was reserved. */
        if (store_spool_append(store, &own_key, 1, (Slice){block, 100}) < 0 ||
            store_check_room(store) != -EBUSY)
                return 4;

        if (unlink(fill) < 0 || ftruncate(fd, 0) < 0)
                return 5;
        if (identity_receive(identity, message, &result) < 0 || message->id <= last)
                return 6;
        identity = identity_free(identity);
        return store_close(store) ? 7 : 0;
}

static void take_slot(const char *id, const PublicKey *key, void *userdata) {
        GString *seen = userdata;

        g_string_append_printf(seen, "%s=%02x ", id, key->bytes[0]);
}

START_TEST(lines) {
        g_autoptr(GString) seen = g_string_new(NULL);
        const PublicKey one = key_of(1, 1), two = key_of(2, 2);
        char *known = NULL;

        ck_assert_int_eq(store_get_lines(f.store, "1:2:3", &known), -ENOENT);
        ck_assert_int_eq(store_set_lines(f.store, "1:2:3", NULL), 0);
        ck_assert_int_eq(store_set_lines(f.store, "1:2:3", "other"), 0);
        fixture_reopen(&f);
        ck_assert_int_eq(store_get_lines(f.store, "1:2:3", &known), 0);
        ck_assert_str_eq(known, "other");
        g_free(known);
        ck_assert_int_eq(store_get_lines(f.store, "1:2:4", &known), -ENOENT);
        /* not what else is kept there */
        ck_assert_int_eq(store_get_lines(f.store, "history", &known), -ENOENT);

        for (unsigned i = 1; i < STORE_DEVICES_MAX; i++) {
                g_autofree char *device = g_strdup_printf("device %u", i);

                ck_assert_int_eq(store_set_lines(f.store, device, "other"), 0);
        }
        ck_assert_int_eq(store_set_lines(f.store, "one more", "other"), -E2BIG);
        ck_assert_int_eq(store_set_lines(f.store, "1:2:3", "on"), 0);
        ck_assert_int_eq(store_set_lines(f.store, "1:2:3", NULL), 0);
        ck_assert_int_eq(store_set_lines(f.store, "one more", "other"), 0);
        ck_assert_int_eq(store_get_lines(f.store, "1:2:3", &known), -ENOENT);

        ck_assert_int_eq(store_set_slot(f.store, "b", &two), 0);
        ck_assert_int_eq(store_set_slot(f.store, "a", &one), 0);
        ck_assert_int_eq(store_list_slots(f.store, take_slot, seen), 0);
        ck_assert_str_eq(seen->str, "a=01 b=02 ");
}
END_TEST

START_TEST(full_disk) {
        int status = -1;
        pid_t pid;

        pid = fork();
        if (pid == 0)
                _exit(fill_small_disk());
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert(WIFEXITED(status));
        if (WEXITSTATUS(status) != 77)
                ck_assert_int_eq(WEXITSTATUS(status), 0);
        {
                g_autofree char *disk = fixture_path(&f, "disk");

                (void) rmdir(disk);
        }
}
END_TEST

/* -- the check after an unclean stop ------------------------------------------- */

static void fill(unsigned n) {
        const PublicKey ann = key_of(1, 1);

        for (unsigned i = 1; i <= n; i++) {
                g_autofree char *text = g_strdup_printf("message number %u, and some more words", i);

                receive_text(&f, &ann, text, i);
        }
}

/* As if power had gone: what is on the disk now, opened again. */
static void crash(void) {
        g_autofree char *path = fixture_path(&f, "store.db"), *wal = fixture_path(&f, "store.db-wal");
        g_autofree char *data = NULL, *log = NULL;
        gsize size, log_size;

        ck_assert(g_file_get_contents(path, &data, &size, NULL));
        ck_assert(g_file_get_contents(wal, &log, &log_size, NULL));
        fixture_close(&f);
        ck_assert(g_file_set_contents(path, data, (gssize) size, NULL));
        ck_assert(g_file_set_contents(wal, log, (gssize) log_size, NULL));
}

static int await_check(void) {
        struct pollfd done = {.fd = store_check_fd(f.store), .events = POLLIN};

        ck_assert_int_ge(done.fd, 0);
        ck_assert_int_eq(poll(&done, 1, 5000), 1);
        return store_check_finish(f.store);
}

#define WAL_HEADER 32
#define WAL_FRAME  (24 + 4096)

/* The log of 50 messages with one wrong byte in a page of this frame, counted from the end if negative. */
static void crash_with_bad_frame(int frame) {
        uint8_t byte = 0x5a;
        int n;

        fill(50);
        crash();
        n = (int) ((size_of("store.db-wal") - WAL_HEADER) / WAL_FRAME);
        write_at("store.db-wal", WAL_HEADER + (off_t) (frame < 0 ? n + frame : frame) * WAL_FRAME + 100,
                 &byte, 1);
}

/* What is behind it does not vanish without a word, and is told once. */
START_TEST(damaged_log) {
        g_autofree char *history = g_strdup(store_history_id(f.store)), *renewed = NULL;
        uint64_t last;

        crash_with_bad_frame(100);
        fixture_open(&f);
        renewed = g_strdup(store_history_id(f.store));
        ck_assert_str_ne(renewed, history);
        last = identity_last_message_id(f.identity);
        ck_assert_uint_gt(last, 0);
        ck_assert_uint_lt(last, 50);
        ck_assert_uint_eq(fixture_count_files(&f, "store.db.damaged-"), 1);
        ck_assert_int_eq(await_check(), 0);

        receive_text(&f, &own_key, "behind", 1);
        crash();
        fixture_open(&f);
        ck_assert_str_eq(store_history_id(f.store), renewed);
        ck_assert_uint_eq(identity_last_message_id(f.identity), last + 1);
        ck_assert_uint_eq(fixture_count_files(&f, "store.db.damaged-"), 1);
        ck_assert_uint_eq(fixture_count_damaged(&f), 0);
}
END_TEST

/* The last transaction may have been on its way when the power went. */
START_TEST(torn_log) {
        g_autofree char *history = g_strdup(store_history_id(f.store));

        crash_with_bad_frame(-1 - _i);
        fixture_open(&f);
        ck_assert_str_eq(store_history_id(f.store), history);
        ck_assert_uint_eq(identity_last_message_id(f.identity), 49);
        ck_assert_uint_eq(fixture_count_files(&f, "store.db.damaged-"), 0);
        (void) await_check();
}
END_TEST

START_TEST(check_finds_nothing) {
        fill(50);
        crash();
        fixture_open(&f);
        ck_assert_int_eq(await_check(), 0);
        ck_assert_int_eq(store_check_fd(f.store), -EBADF);
        ck_assert_uint_eq(identity_last_message_id(f.identity), 50);
        fixture_reopen(&f);
        ck_assert_int_eq(store_check_fd(f.store), -EBADF);
}
END_TEST

/* A stop before the check was done leaves it to the next start. */
START_TEST(check_interrupted) {
        fill(200);
        crash();
        fixture_open(&f);
        ck_assert_int_ge(store_check_fd(f.store), 0);
        fixture_close(&f);
        if (size_of("store.db-wal") >= 0) {
                fixture_open(&f);
                ck_assert_int_eq(await_check(), 0);
        } else
                fixture_open(&f);
        ck_assert_uint_eq(identity_last_message_id(f.identity), 200);
}
END_TEST

START_TEST(check_finds_damage) {
        g_autoptr(Contact) ann = contact_of(1, "Ann");
        static const uint8_t secret[CHANNEL_SECRET_SIZE] = {1};
        const MessageUpdate update = {.set = MESSAGE_CHANGED_SENDER_TIMESTAMP, .sender_timestamp = 4711};
        g_autofree char *history = g_strdup(store_history_id(f.store));
        g_autoptr(Message) own = text_from(&ann->key, "mine", 0);
        int64_t page;

        ck_assert_int_eq(identity_put_contact(f.identity, ann), 0);
        ck_assert_int_eq(identity_set_slot(f.identity, 2, "x", secret, CHANNEL_PRIVATE), 0);
        fill(300);
        ck_assert_int_eq(identity_queue(f.identity, own, 0, NULL), 0);
        ck_assert_int_eq(identity_update_message(f.identity, own->id, &update), 0);
        page = fixture_sql(&f,
                           "SELECT pageno FROM dbstat WHERE name = 'message_received' AND pagetype = 'leaf'"
                           " LIMIT 1");
        fixture_sql(&f, "PRAGMA wal_checkpoint(TRUNCATE)");
        crash();
        write_at("store.db", (page - 1) * 4096, "\xff\xff\xff\xff\xff\xff\xff\xff", 8);
        fixture_open(&f);
        (void) g_string_truncate(f.log, 0);
        ck_assert_uint_eq(identity_get_contact(f.identity, &ann->key)->unread, 300);

        ck_assert_int_eq(await_check(), -EUCLEAN);
        assert_told(&f, "!history|~contact Ann 100|");
        ck_assert_str_ne(store_history_id(f.store), history);
        ck_assert_uint_eq(fixture_count_damaged(&f), 1);

        /* What was in memory is there again, and goes on where it was. */
        ck_assert_uint_eq(identity_get_contact(f.identity, &ann->key)->unread, 0);
        ck_assert_uint_eq(identity_unread(f.identity), 0);
        ck_assert_uint_eq(identity_last_timestamp(f.identity), 4711);
        ck_assert_uint_eq(receive_text(&f, &ann->key, "after", 1), own->id + 1);
        fixture_reopen(&f);
        ck_assert_uint_eq(identity_get_contact(f.identity, &ann->key)->unread, 1);
        ck_assert_str_eq(identity_get_slot(f.identity, 2)->name, "x");
        ck_assert_uint_eq(identity_last_timestamp(f.identity), 4711);
}
END_TEST

START_TEST(history_lost_is_told) {
        g_autoptr(Contact) ann = contact_of(1, "Ann");
        g_autoptr(GPtrArray) list = NULL;
        g_autoptr(Message) next = text_from(&ann->key, "next", 9000);
        g_autofree uint8_t *noise = g_malloc(4096);
        ReceiveResult result;
        MessageFilter filter;
        off_t size;

        ck_assert_int_eq(identity_put_contact(f.identity, ann), 0);
        identity_touch_contact(f.identity, &ann->key, 5);
        fill(300);
        fixture_sql(&f, "PRAGMA wal_checkpoint(TRUNCATE)");
        (void) g_string_truncate(f.log, 0);

        /* While it runs. */
        memset(noise, 0xee, 4096);
        size = size_of("store.db");
        for (off_t at = 4096; at < size; at += 4096)
                write_at("store.db", at, noise, 4096);
        (void) sqlite3_db_release_memory(f.store->db);
        message_filter_init(&filter);
        ck_assert_int_eq(identity_list_messages(f.identity, &filter, 0, false, 10, &list), -EUCLEAN);
        ck_assert_ptr_null(list);
        assert_told(&f, "!history|~contact Ann 100|");
        ck_assert_int_eq(identity_receive(f.identity, next, &result), 0);
        ck_assert_uint_eq(next->id, 301);
        assert_told(&f, "+message 301 next|~contact Ann 100|");
        fixture_reopen(&f);
        ck_assert_uint_eq(identity_get_contact(f.identity, &ann->key)->last_heard_usec, 5);

        /* In a write, too: refused, and the same again goes through. */
        fill(300);
        fixture_sql(&f, "PRAGMA wal_checkpoint(TRUNCATE)");
        size = size_of("store.db");
        for (off_t at = 4096; at < size; at += 4096)
                write_at("store.db", at, noise, 4096);
        (void) sqlite3_db_release_memory(f.store->db);
        next->id = 0;
        ck_assert_int_eq(identity_receive(f.identity, next, &result), -EUCLEAN);
        ck_assert_uint_eq(next->id, 0);
        ck_assert_int_eq(identity_receive(f.identity, next, &result), 0);
        ck_assert_uint_eq(next->id, 602);
        ck_assert_uint_eq(fixture_count_damaged(&f), 2);
}
END_TEST

/* The store was closed in order, so that nothing else would look at this page soon. */
START_TEST(last_row_is_looked_at) {
        g_autofree char *log = fixture_path(&f, "log"), *text = NULL;
        int64_t page;
        int saved, fd;

        fill(300);
        page = fixture_sql(&f, "SELECT pageno FROM dbstat WHERE name = 'message' AND pagetype = 'leaf'"
                               " ORDER BY path DESC LIMIT 1");
        fixture_close(&f);
        write_at("store.db", (page - 1) * 4096, "\xff\xff\xff\xff\xff\xff\xff\xff", 8);

        /* And it is said, also to who hears the worst only. */
        fd = open(log, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        saved = dup(STDERR_FILENO);
        ck_assert_int_ge(dup2(fd, STDERR_FILENO), 0);
        log_set_level(LOG_CRIT);
        fixture_open(&f);
        ck_assert_int_ge(dup2(saved, STDERR_FILENO), 0);
        (void) close(fd);
        (void) close(saved);
        ck_assert_uint_eq(fixture_count_damaged(&f), 1);
        ck_assert(g_file_get_contents(log, &text, NULL, NULL));
        ck_assert_ptr_nonnull(strstr(text, "a new, empty history begins"));
}
END_TEST

/* -- damage of any kind ---------------------------------------------------------- */

static void use_everything(void) {
        g_autoptr(Contact) eve = contact_of(9, "Eve");
        g_autoptr(Message) message = text_from(&eve->key, "works", 1);
        g_autoptr(GPtrArray) list = NULL;
        ReceiveResult result;
        MessageFilter filter;
        int r = 0;

        message_filter_init(&filter);
        for (unsigned tries = 0; tries < 3; tries++) {
                r = identity_list_messages(f.identity, &filter, 0, true, G_MAXINT, &list);
                if (r >= 0)
                        r = identity_put_contact(f.identity, eve);
                if (r >= 0)
                        r = identity_receive(f.identity, message, &result);
                if (r >= 0)
                        break;
                g_clear_pointer(&list, g_ptr_array_unref);
                ck_assert(r == -EUCLEAN || r == -EIO);
        }
        ck_assert_int_eq(r, 0);
        fixture_reopen(&f);
        (void) message_free(g_steal_pointer(&message));
        message = identity_get_message(f.identity, identity_last_message_id(f.identity));
        ck_assert_str_eq(message->text, "works");
}

START_TEST(damaged_file) {
        g_autofree char *path = fixture_path(&f, "store.db");
        g_autofree char *good = NULL;
        g_autofree uint8_t *noise = g_malloc(4096);
        unsigned aside = 0;
        gsize size;

        fill(200);
        fixture_close(&f);
        ck_assert(g_file_get_contents(path, &good, &size, NULL));
        memset(noise, 0xa5, 4096);

        for (gsize at = 0; at<size; at += size / 4096> 24 ? 3 * 4096 : 4096) {
                ck_assert(g_file_set_contents(path, good, (gssize) size, NULL));
                write_at("store.db", (off_t) at, noise, 4096);
                fixture_open(&f);
                use_everything();
                fixture_close(&f);
        }
        aside = fixture_count_damaged(&f);
        ck_assert_uint_gt(aside, 3);

        for (gsize cut = 1; cut < size; cut += size / 16) {
                ck_assert(g_file_set_contents(path, good, (gssize) cut, NULL));
                fixture_open(&f);
                use_everything();
                fixture_close(&f);
        }
        ck_assert_uint_gt(fixture_count_damaged(&f), aside + 10);
        fixture_open(&f);
}
END_TEST

START_TEST(foreign_files) {
        static const char *const statements[] = {
                        "PRAGMA application_id = 1",
                        "DROP TABLE meta",
                        "DROP TABLE message",
                        "DELETE FROM meta",
                        "UPDATE meta SET value = 'xyz'",
                        "UPDATE meta SET value = '0123456789abcdef0123456789abcdeg' WHERE name = 'history'",
                        "PRAGMA user_version = -1",
                        "PRAGMA user_version = 2", /* and not the tables of that */
                        "PRAGMA user_version = 5",
        };

        for (size_t i = 0; i < ELEMENTSOF(statements); i++) {
                g_autofree char *history = g_strdup(store_history_id(f.store));

                fixture_close(&f);
                fixture_sql(&f, statements[i]);
                fixture_open(&f);
                ck_assert_str_ne(store_history_id(f.store), history);
                ck_assert_uint_eq(fixture_count_damaged(&f), i + 1);
                receive_text(&f, &own_key, "x", 1);
        }

        /* Formats: one that SQLite would only read, and one that it does not know. */
        for (unsigned i = 1; i <= 2; i++) {
                fixture_close(&f);
                write_at("store.db", i == 1 ? 18 : 47, "\xff", 1);
                fixture_open(&f);
                ck_assert_uint_eq(fixture_count_damaged(&f), ELEMENTSOF(statements) + i);
                receive_text(&f, &own_key, "x", 1);
        }
}
END_TEST

/* Rows that no version of ours writes. */
START_TEST(rows_without_what_names_them) {
        static const char *const statements[] = {
                        "UPDATE contact SET key = x'01'",
                        "UPDATE channel SET secret = x'01'",
        };
        static const uint8_t secret[CHANNEL_SECRET_SIZE] = {1};
        g_autoptr(Contact) ann = contact_of(1, "Ann");
        g_autoptr(Pending) pending = NULL;

        for (unsigned i = 0; i < ELEMENTSOF(statements); i++) {
                ck_assert_int_eq(identity_put_contact(f.identity, ann), 0);
                ck_assert_int_eq(identity_set_slot(f.identity, 1, "x", secret, CHANNEL_PRIVATE), 0);
                fixture_close(&f);
                (void) fixture_sql(&f, statements[i]);
                fixture_open(&f);
                ck_assert_uint_eq(fixture_count_damaged(&f), i + 1);
                ck_assert_ptr_null(identity_get_contact(f.identity, &ann->key));
        }

        ck_assert_int_eq(pending_load(f.store, &own_key, &pending), 0);
        pending_put(pending, ann);
        ck_assert_int_eq(pending_flush(pending), 0);
        pending = pending_free(pending);
        (void) fixture_sql(&f, "UPDATE pending SET key = x'01'");
        ck_assert_int_eq(pending_load(f.store, &own_key, &pending), -EUCLEAN);
        ck_assert_ptr_null(pending);
        ck_assert_uint_eq(fixture_count_damaged(&f), 3);
        ck_assert_int_eq(pending_load(f.store, &own_key, &pending), 0);
}
END_TEST

START_TEST(rows_with_numbers_of_a_newer_version) {
        static const uint8_t secret[CHANNEL_SECRET_SIZE] = {1};
        g_autoptr(GString) seen = g_string_new(NULL);
        g_autoptr(Message) message = NULL;
        PublicKey key;
        uint64_t id;

        ck_assert_int_eq(identity_set_slot(f.identity, 1, "x", secret, CHANNEL_PUBLIC), 0);
        id = receive_text(&f, &own_key, "hello", 1);
        ck_assert_int_eq(store_set_slot(f.store, "a", &own_key), 0);
        (void) fixture_sql(&f, "UPDATE channel SET kind = 99");
        (void) fixture_sql(&f, "UPDATE message SET kind = 99, state = 99");
        (void) fixture_sql(&f, "INSERT INTO channel_slot SELECT id, 999, 1 FROM identity");
        (void) fixture_sql(&f, "INSERT INTO channel_slot SELECT id, 2, 12345 FROM identity");
        (void) fixture_sql(&f, "UPDATE radio SET key = x'01'");
        fixture_reopen(&f);

        ck_assert_int_eq(identity_get_slot(f.identity, 1)->kind, CHANNEL_PRIVATE);
        ck_assert_ptr_null(identity_get_slot(f.identity, 2));
        message = identity_get_message(f.identity, id);
        ck_assert_int_eq(message->kind, MESSAGE_RAW);
        ck_assert_int_eq(message->state, MESSAGE_FAILED);
        ck_assert_int_eq(store_get_slot(f.store, "a", &key), -ENOENT);
        ck_assert_int_eq(store_list_slots(f.store, take_slot, seen), 0);
        ck_assert_str_eq(seen->str, "");

        (void) fixture_sql(&f, "UPDATE channel SET kind = -1");
        (void) fixture_sql(&f, "UPDATE message SET kind = -1, state = -1");
        fixture_reopen(&f);
        ck_assert_int_eq(identity_get_slot(f.identity, 1)->kind, CHANNEL_PRIVATE);
        (void) message_free(g_steal_pointer(&message));
        message = identity_get_message(f.identity, id);
        ck_assert_int_eq(message->kind, MESSAGE_RAW);
        ck_assert_int_eq(message->state, MESSAGE_FAILED);
}
END_TEST

/* A log without its file is kept, not deleted. */
START_TEST(orphaned_log) {
        g_autofree char *path = fixture_path(&f, "store.db");

        fill(3);
        crash();
        ck_assert_int_eq(unlink(path), 0);
        fixture_open(&f);
        ck_assert_uint_eq(fixture_count_files(&f, "store.db.damaged"), 1);
        ck_assert_uint_eq(identity_last_message_id(f.identity), 0);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("store");
        TCase *tc = tcase_create("store");

        tcase_set_timeout(tc, 60);
        tcase_add_checked_fixture(tc, setup, teardown);
        tcase_add_test(tc, fresh);
        tcase_add_test(tc, directory);
        tcase_add_test(tc, lock);
        tcase_add_test(tc, newer_schema);
        tcase_add_test(tc, migration);
        tcase_add_test(tc, migration_of_counters);
        tcase_add_test(tc, radio_slots);
        tcase_add_test(tc, lines);
        tcase_add_test(tc, full_disk);
        tcase_add_test(tc, damaged_log);
        tcase_add_loop_test(tc, torn_log, 0, 3);
        tcase_add_test(tc, check_finds_nothing);
        tcase_add_test(tc, check_interrupted);
        tcase_add_test(tc, check_finds_damage);
        tcase_add_test(tc, history_lost_is_told);
        tcase_add_test(tc, last_row_is_looked_at);
        tcase_add_test(tc, damaged_file);
        tcase_add_test(tc, foreign_files);
        tcase_add_test(tc, rows_without_what_names_them);
        tcase_add_test(tc, rows_with_numbers_of_a_newer_version);
        tcase_add_test(tc, orphaned_log);
        suite_add_tcase(suite, tc);
        return fixture_run(suite);
}
