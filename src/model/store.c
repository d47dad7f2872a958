/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "bytes.h"
#include "clock.h"
#include "events.h"
#include "log.h"
#include "store-internal.h"

#define BUSY_LIMIT_MSEC 100 /* somebody looks into the file with another program */
#define DOUBTS_MAX      3   /* damage that nobody else finds is damage all the same */

static const char *const companions[] = {"-wal", "-shm", "-journal"};

static int open_directory(Store *store) {
        g_autofree char *parent = NULL;
        bool made = false;

        if (g_mkdir_with_parents(store->dir, 0700) < 0)
                return log_error_errno(errno, "Cannot make the directory %s", store->dir);

        store->dir_fd = open(store->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (store->dir_fd < 0)
                return log_error_errno(errno, "Cannot open the directory %s", store->dir);

        if (flock(store->dir_fd, LOCK_EX | LOCK_NB) < 0) {
                if (errno == EWOULDBLOCK)
                        return log_error_errno(EBUSY, "Another daemon holds the directory %s", store->dir);
                return log_error_errno(errno, "Cannot lock the directory %s", store->dir);
        }

        made = faccessat(store->dir_fd, STORE_FILE, F_OK, 0) < 0;
        if (made) {
                _cleanup_close_ int fd = -EBADF;

                parent = g_path_get_dirname(store->dir);
                fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                if (fd < 0 || fsync(fd) < 0)
                        (void) log_debug_errno(errno, "Cannot sync %s, ignoring", parent);
        }

        return 0;
}

/* A name of which nothing exists yet. */
static char *damaged_name(Store *store) {
        const uint64_t now = clock_realtime_usec() / USEC_PER_SEC;

        for (unsigned i = 0;; i++) {
                g_autofree char *name =
                                i == 0 ? g_strdup_printf(STORE_FILE ".damaged-%" PRIu64, now)
                                       : g_strdup_printf(STORE_FILE ".damaged-%" PRIu64 ".%u", now, i);
                g_autofree char *wal = g_strconcat(name, "-wal", NULL);

                if (faccessat(store->dir_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0 &&
                    faccessat(store->dir_fd, wal, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
                        return g_steal_pointer(&name);
        }
}

static int move_companions(Store *store, const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(companions); i++) {
                g_autofree char *from = g_strconcat(STORE_FILE, companions[i], NULL);
                g_autofree char *to = g_strconcat(name, companions[i], NULL);

                if (renameat(store->dir_fd, from, store->dir_fd, to) < 0 && errno != ENOENT)
                        return log_error_errno(errno, "Cannot set %s/%s aside", store->dir, from);
        }

        if (fsync(store->dir_fd) < 0)
                return log_error_errno(errno, "Cannot sync the directory %s", store->dir);

        return 0;
}

static void close_database(Store *store, bool keep_log) {
        int on = 1;

        store_drop_statements(store);
        if (!store->db)
                return;

        if (keep_log)
                (void) sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, on, NULL);
        if (sqlite3_close(store->db) != SQLITE_OK)
                log_error("Store %s: closed with statements in use", store->path);
        store->db = NULL;
}

static int set_aside(Store *store) {
        g_autofree char *name = NULL;
        int r;

        store->damaged = store->damage_confirmed = true; /* until all of this is done */
        (void) store_check_stop(store);
        close_database(store, true); /* nothing is written to it any more, for whoever wants to repair it */

        name = damaged_name(store);
        /* The file first: a log without its file is recognised at the next open, a file without
         * its log would be taken for whole. */
        if (renameat(store->dir_fd, STORE_FILE, store->dir_fd, name) < 0 && errno != ENOENT)
                return log_error_errno(errno, "Store %s is damaged and cannot be set aside", store->path);
        r = move_companions(store, name);
        if (r < 0)
                return r;

        store->damaged = store->damage_confirmed = false;
        store->n_doubts = 0;
        (void) log_full(&(LogContext){.topic = "store", .id = EVENT_STORE_DAMAGED}, LOG_CRIT, 0, __FILE__,
                        __LINE__,
                        "Store %s was damaged. It is kept as %s/%s, and a new, empty history begins. "
                        "Contacts and channels come back from memory or from the radio",
                        store->path, store->dir, name);
        return 0;
}

/* A crash in the middle of set_aside(), or somebody who removed the file: SQLite would delete the log. */
static int rescue_log(Store *store) {
        g_autofree char *name = NULL;

        if (faccessat(store->dir_fd, STORE_FILE, F_OK, 0) >= 0 ||
            faccessat(store->dir_fd, STORE_FILE "-wal", F_OK, 0) < 0)
                return 0;

        name = damaged_name(store);
        log_warning("Store %s is gone, but its log is there; kept as %s-wal", store->path, name);
        return move_companions(store, name);
}

/* Returns whether a part of the history is lost with the log. */
static int check_log(Store *store) {
        g_autofree char *name = damaged_name(store), *copy = g_strconcat(name, "-wal", NULL);
        int r;

        r = store_log_keep_damaged(store->dir_fd, STORE_FILE "-wal", copy);
        if (r < 0)
                return log_error_errno(r, "Cannot check the log of the store %s", store->path);
        if (r > 0)
                (void) log_full(&(LogContext){.topic = "store", .id = EVENT_STORE_DAMAGED}, LOG_CRIT, 0,
                                __FILE__, __LINE__,
                                "The log of store %s was damaged, and what was written last is lost with it. "
                                "It is kept as %s/%s, and a new history begins with what is left",
                                store->path, store->dir, copy);
        return r;
}

/* Makes the file if need be, and looks at its header without SQLite, which
 * would begin to recover a log. 0, -EPROTONOSUPPORT, -EUCLEAN. */
static int prepare_file(Store *store) {
        _cleanup_close_ int fd = -EBADF;
        uint32_t application_id;
        uint8_t header[100];
        struct stat st;
        ByteReader r;
        ssize_t n;

        fd = openat(store->dir_fd, STORE_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
        if (fd < 0)
                return log_error_errno(errno, "Cannot open the store %s", store->path);
        if (fstat(fd, &st) < 0)
                return log_error_errno(errno, "Cannot stat the store %s", store->path);
        if (!S_ISREG(st.st_mode))
                return log_error_errno(EINVAL, "The store %s is not a regular file", store->path);
        if ((st.st_mode & 0077) && fchmod(fd, 0600) < 0)
                return log_error_errno(errno, "Cannot close the store %s to others", store->path);

        if (st.st_size == 0) {
                if (fsync(fd) < 0 || fsync(store->dir_fd) < 0)
                        return log_error_errno(errno, "Cannot sync the directory %s", store->dir);
                return 0;
        }

        /* A crash while the file was made, before there was a log: SQLite takes it back first. */
        if (faccessat(store->dir_fd, STORE_FILE "-journal", F_OK, 0) >= 0)
                return 0;

        n = pread(fd, header, sizeof(header), 0);
        if (n < 0)
                return log_error_errno(errno, "Cannot read the store %s", store->path);
        if (n < (ssize_t) sizeof(header) || memcmp(header, "SQLite format 3", 16) != 0)
                return store_fail_damaged(store, "the header is damaged");

        /* Versions of the format above 2 SQLite would open for reading only, or not at all. */
        if (header[18] < 1 || header[18] > 2 || header[19] < 1 || header[19] > 2)
                return store_fail_damaged(store, "the header is damaged");

        reader_init(&r, header, sizeof(header));
        reader_skip(&r, 60);
        if (reader_ibe(&r, 4) > store_schema_version) {
                (void) log_full(&(LogContext){.topic = "store", .id = EVENT_STORE_NEWER}, LOG_ERR, 0,
                                __FILE__, __LINE__,
                                "Store %s was made by a newer version of meshcored; it is left as it is",
                                store->path);
                return -EPROTONOSUPPORT;
        }
        reader_skip(&r, 4);
        application_id = reader_ube(&r, 4);
        if (application_id != 0 && application_id != STORE_APPLICATION_ID)
                return store_fail_damaged(store, "the file belongs to another program");

        return 0;
}

static int query_journal_mode(Store *store) {
        g_auto(Query) query = query_begin(store, "PRAGMA journal_mode = WAL");
        g_autofree char *mode = NULL;
        int r;

        r = query_step(&query);
        if (r < 0)
                return r;

        mode = query_text(&query, 0);
        if (strcmp(mode, "wal") != 0)
                return log_error_errno(EOPNOTSUPP, "Store %s: this file system cannot hold a write-ahead log",
                                       store->path);

        /* The row comes before the commit that makes it true. */
        return query_run(&query);
}

static int configure(Store *store) {
        (void) sqlite3_extended_result_codes(store->db, 1);
        (void) sqlite3_busy_timeout(store->db, BUSY_LIMIT_MSEC);
        (void) sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
        (void) sqlite3_db_config(store->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);

        /* 0.5 MiB of cache; sorting and statement journals never in files; a page that makes no sense
         * is damage at once. A message is seven pages of log, so that one commit in three hundred
         * moves the log into the file, which takes a millisecond or more. */
        return store_exec(store, "PRAGMA cache_size = -512;"
                                 "PRAGMA mmap_size = 0;"
                                 "PRAGMA temp_store = MEMORY;"
                                 "PRAGMA cell_size_check = 1;"
                                 "PRAGMA synchronous = FULL;"
                                 "PRAGMA wal_autocheckpoint = 2000;"
                                 "PRAGMA journal_size_limit = 16777216;");
}

static int open_database(Store *store) {
        bool unclean, incomplete;
        int r, rc;

        r = rescue_log(store);
        if (r < 0)
                return r;
        r = prepare_file(store);
        if (r < 0)
                return r;

        unclean = faccessat(store->dir_fd, STORE_FILE "-wal", F_OK, 0) >= 0;
        r = check_log(store);
        if (r < 0)
                return r;
        incomplete = r > 0;

        rc = sqlite3_open_v2(store->path, &store->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
        if (rc != SQLITE_OK) {
                r = store_fail(store, rc, "cannot be opened");
                close_database(store, true);
                return r;
        }

        r = configure(store);
        if (r >= 0)
                r = store_schema_check_version(store);
        if (r >= 0)
                r = query_journal_mode(store);
        if (r >= 0)
                r = store_schema_migrate(store);
        if (r >= 0)
                r = store_schema_verify(store);
        if (r >= 0 && incomplete)
                r = store_schema_renew_history(store);
        if (r < 0) {
                close_database(store, true);
                return r;
        }

        store_drop_statements(store); /* those of the start are not needed again */
        if (unclean)
                store_check_start(store);

        return 0;
}

/* SQLite takes a read that failed for damage. What is damaged is so when it is looked at again, and a disk
 * that is away altogether says nothing about the store. 0, -EUCLEAN, -EIO. */
static int confirm_damage(Store *store) {
        int r;

        if (store->damage_confirmed || store->n_doubts >= DOUBTS_MAX)
                return -EUCLEAN;

        store->n_doubts++;
        store->damaged = false;
        (void) store_check_stop(store);
        r = store_check_now(store);
        if (r == -EUCLEAN && !store_check_readable(store))
                return log_error_errno(EIO, "Store %s cannot be read", store->path);
        if (r == 0)
                log_warning("Store %s was read through, and nothing is wrong with it", store->path);
        return r == -EUCLEAN ? r : open_database(store);
}

int store_ensure_open(Store *store) {
        int r;

        if (store->db)
                return 0;

        store->opening = true;
        r = store->damaged ? -EUCLEAN : open_database(store);
        if (r == -EUCLEAN)
                r = confirm_damage(store);
        if (r == -EUCLEAN) {
                r = set_aside(store);
                if (r >= 0) {
                        store->history_pending = true;
                        r = open_database(store);
                }
        }
        if (r >= 0 && store->history_pending) {
                r = store_schema_seed(store);
                if (r < 0)
                        close_database(store, true);
        }
        store->opening = false;
        if (r < 0)
                return r;

        if (store->history_pending) {
                store->history_pending = false;
                for (guint i = 0; i < store->clients->len; i++) {
                        StoreClient *client = store->clients->pdata[i];

                        client->history_lost(client->userdata);
                }
        }

        return 0;
}

void store_settle(Store *store) {
        if (!store->damaged || store->opening || store->in_transaction || store->n_queries > 0)
                return;

        close_database(store, true);
        (void) store_ensure_open(store);
}

int store_open(const char *state_dir, Store **ret) {
        g_autoptr(Store) store = g_new0(Store, 1);
        int r;

        /* Nobody reads SQLite's statistics of memory, and each allocation would take a lock for them. Too
         * late, and harmless, when it was used before. */
        (void) sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);

        store->dir_fd = -EBADF;
        store->spool.fd = -EBADF;
        store->dir = g_strdup(state_dir);
        store->path = g_build_filename(state_dir, STORE_FILE, NULL);
        store->clients = g_ptr_array_new();

        r = open_directory(store);
        if (r < 0)
                return r;

        r = store_ensure_open(store);
        if (r < 0)
                return r;

        r = store_spool_open(store);
        if (r < 0)
                return r;

        *ret = g_steal_pointer(&store);
        return 0;
}

Store *store_close(Store *store) {
        if (!store)
                return NULL;

        store_backup_stop(store);
        if (!store_check_stop(store)) {
                int on = 1;

                /* The log stays, so that the next start checks what this one could not. */
                (void) sqlite3_file_control(store->db, "main", SQLITE_FCNTL_PERSIST_WAL, &on);
        }
        store_rollback(store);
        close_database(store, store->damaged);
        store_spool_close(store);
        g_ptr_array_unref(store->clients);
        (void) safe_close(store->dir_fd);
        g_free(store->dir);
        g_free(store->path);
        g_free(store);
        return NULL;
}

const char *store_history_id(const Store *store) {
        return store->history_id;
}

void store_add_client(Store *store, StoreClient *client) {
        g_ptr_array_add(store->clients, client);
}

void store_remove_client(Store *store, StoreClient *client) {
        (void) g_ptr_array_remove(store->clients, client);
}

int store_check_room(Store *store) {
        struct statvfs st;
        int r;

        r = store_ensure_open(store);
        if (r < 0)
                return r;
        if (store->spool.n_used > 0)
                return -EBUSY;

        if (fstatvfs(store->dir_fd, &st) < 0)
                return log_error_errno(errno, "Cannot ask how much room there is in %s", store->dir);

        if (st.f_flag & ST_RDONLY) /* what a file system does after an error of its own */
                return -EROFS;
        return (uint64_t) st.f_bavail * st.f_frsize >= STORE_ROOM_BYTES ? 0 : -ENOSPC;
}
