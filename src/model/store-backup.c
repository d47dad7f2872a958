/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "store-internal.h"

/* A copy of the store while it is in use, and the way back. The copy is made by a thread on a connection of
 * its own, as of one moment, so that nothing waits for it; it goes by a file beside the store, as SQLite
 * needs a path and the caller has given us a descriptor only. */

#define BACKUP_FILE "backup.tmp"

struct StoreBackup {
        GThread *thread;
        int dir_fd; /* the store's */
        char *from, *to;
        int fd;       /* where it is to go */
        int event_fd; /* readable when the thread is done */

        GMutex lock;
        sqlite3 *db; /* as long as it can be interrupted */
        bool stop;
        int result; /* the thread's, until it is joined */
};

static bool is_stopped(StoreBackup *backup) {
        bool stop;

        g_mutex_lock(&backup->lock);
        stop = backup->stop;
        g_mutex_unlock(&backup->lock);
        return stop;
}

static int copy_database(StoreBackup *backup, sqlite3 *db) {
        sqlite3_stmt *stmt;
        int rc, r;

        rc = sqlite3_prepare_v2(db, "VACUUM INTO ?1", -1, &stmt, NULL);
        if (rc == SQLITE_OK)
                rc = sqlite3_bind_text(stmt, 1, backup->to, -1, SQLITE_STATIC);
        if (rc == SQLITE_OK)
                rc = sqlite3_step(stmt);
        r = store_map_error(db, rc);
        (void) sqlite3_finalize(stmt);
        return r;
}

/* backup NULL: nobody stops it. */
static int copy_bytes(int from, int to, StoreBackup *backup) {
        uint8_t buffer[64 * 1024];

        for (off_t at = 0;;) {
                ssize_t n = read(from, buffer, sizeof(buffer)), written = 0;

                if (n < 0)
                        return -errno;
                if (n == 0)
                        return fsync(to) < 0 ? -errno : 0;
                if (backup && is_stopped(backup))
                        return -EINTR;
                for (ssize_t m; written < n; written += m) {
                        m = pwrite(to, buffer + written, (size_t) (n - written), at + written);
                        if (m < 0)
                                return -errno;
                }
                at += n;
        }
}

static int write_copy(StoreBackup *backup) {
        _cleanup_close_ int fd = open(backup->to, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

        if (fd < 0 || ftruncate(backup->fd, 0) < 0)
                return -errno;
        return copy_bytes(fd, backup->fd, backup);
}

static gpointer backup_thread(gpointer userdata) {
        StoreBackup *backup = userdata;
        sqlite3 *db = NULL;
        int rc, r;

        rc = sqlite3_open_v2(backup->from, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);
        if (rc == SQLITE_OK) {
                (void) sqlite3_extended_result_codes(db, 1);
                (void) sqlite3_busy_timeout(db, 1000);

                g_mutex_lock(&backup->lock);
                backup->db = db;
                g_mutex_unlock(&backup->lock);

                r = is_stopped(backup) ? -EINTR : copy_database(backup, db);

                g_mutex_lock(&backup->lock);
                backup->db = NULL;
                g_mutex_unlock(&backup->lock);
        } else
                r = store_map_error(db, rc);
        (void) sqlite3_close(db);

        if (r >= 0)
                r = write_copy(backup);
        backup->result = r;
        (void) eventfd_write(backup->event_fd, 1);
        return NULL;
}

static StoreBackup *backup_free(StoreBackup *backup) {
        (void) unlinkat(backup->dir_fd, BACKUP_FILE, 0);
        (void) safe_close(backup->fd);
        (void) safe_close(backup->event_fd);
        g_mutex_clear(&backup->lock);
        g_free(backup->from);
        g_free(backup->to);
        g_free(backup);
        return NULL;
}

/* The copy must leave the room without which no message is taken. */
static int check_space(Store *store) {
        struct statvfs fs;
        struct stat st;

        if (fstatat(store->dir_fd, STORE_FILE, &st, 0) < 0 || fstatvfs(store->dir_fd, &fs) < 0)
                return -errno;
        return (uint64_t) fs.f_bavail * fs.f_frsize > (uint64_t) st.st_size + STORE_ROOM_BYTES ? 0 : -ENOSPC;
}

int store_backup_start(Store *store, int fd) {
        StoreBackup *backup;
        struct stat st;
        int flags, r;

        if (store->backup)
                return -EBUSY;
        /* Nothing that could make the thread wait for ever. */
        flags = fcntl(fd, F_GETFL);
        if (flags < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode) || (flags & O_ACCMODE) == O_RDONLY || (flags & O_PATH))
                return -EINVAL;
        r = store_ensure_open(store);
        if (r >= 0)
                r = check_space(store);
        if (r < 0)
                return r;

        (void) unlinkat(store->dir_fd, BACKUP_FILE, 0);
        backup = g_new0(StoreBackup, 1);
        g_mutex_init(&backup->lock);
        backup->dir_fd = store->dir_fd;
        backup->from = g_strdup(store->path);
        backup->to = g_build_filename(store->dir, BACKUP_FILE, NULL);
        backup->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        backup->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (backup->fd >= 0 && backup->event_fd >= 0)
                backup->thread = g_thread_try_new("store-backup", backup_thread, backup, NULL);
        if (!backup->thread) {
                (void) backup_free(backup);
                return -EAGAIN;
        }

        store->backup = backup;
        return 0;
}

int store_backup_fd(const Store *store) {
        return store->backup ? store->backup->event_fd : -EBADF;
}

int store_backup_finish(Store *store) {
        struct pollfd done;
        int r;

        if (!store->backup)
                return -ECANCELED;

        done = (struct pollfd){.fd = store->backup->event_fd, .events = POLLIN};
        if (poll(&done, 1, 0) <= 0)
                return -EAGAIN;

        (void) g_thread_join(store->backup->thread);
        r = store->backup->result;
        store->backup = backup_free(store->backup);
        return r;
}

void store_backup_stop(Store *store) {
        StoreBackup *backup = g_steal_pointer(&store->backup);

        if (!backup)
                return;

        g_mutex_lock(&backup->lock);
        backup->stop = true;
        if (backup->db)
                sqlite3_interrupt(backup->db);
        g_mutex_unlock(&backup->lock);
        (void) g_thread_join(backup->thread);
        (void) backup_free(backup);
}

/* -- the way back ------------------------------------------------------------- */

static int read_number(sqlite3 *db, const char *sql, int64_t *ret) {
        sqlite3_stmt *stmt;
        int rc;

        rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
        if (rc == SQLITE_OK)
                rc = sqlite3_step(stmt);
        if (rc == SQLITE_ROW)
                *ret = sqlite3_column_int64(stmt, 0);
        (void) sqlite3_finalize(stmt);
        return rc == SQLITE_ROW ? 0 : store_map_error(db, rc);
}

static int check_database(sqlite3 *db, const char *path, int64_t *ret_messages) {
        int64_t number, wrong;
        int r;

        r = read_number(db, "PRAGMA application_id", &number);
        if (r < 0)
                return log_error_errno(r, "Cannot read %s", path);
        if (number != STORE_APPLICATION_ID)
                return log_at(LOG_ERR, EINVAL, "%s is no store of meshcored", path);
        r = read_number(db, "PRAGMA user_version", &number);
        if (r < 0)
                return log_error_errno(r, "Cannot read %s", path);
        if (number > store_schema_version)
                return log_at(LOG_ERR, EPROTONOSUPPORT, "%s was made by a newer version of meshcored", path);

        r = read_number(db, "SELECT count(*) FROM pragma_integrity_check(1) WHERE integrity_check <> 'ok'",
                        &wrong);
        if (r >= 0 && wrong > 0)
                r = -EUCLEAN;
        if (r >= 0)
                r = read_number(db, "SELECT count(*) FROM message", ret_messages);
        return r < 0 ? log_error_errno(r, "%s is damaged", path) : 0;
}

int store_check_file(const char *path, uint64_t *ret_messages) {
        g_autofree char *uri = NULL, *escaped = g_uri_escape_string(path, "/", false);
        sqlite3 *db = NULL;
        int64_t n = 0;
        int rc, r;

        /* Read as it is, without a log beside it: looking leaves no trace. */
        uri = g_strdup_printf("file:%s?mode=ro&immutable=1", escaped);
        rc = sqlite3_open_v2(uri, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, NULL);
        r = rc == SQLITE_OK ? check_database(db, path, &n)
                            : log_error_errno(store_map_error(db, rc), "Cannot open %s", path);
        (void) sqlite3_close(db);
        if (r >= 0)
                *ret_messages = (uint64_t) n;
        return r;
}

static int copy_file(const char *from, const char *to) {
        _cleanup_close_ int in = open(from, O_RDONLY | O_CLOEXEC),
                            out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

        if (in < 0 || out < 0)
                return -errno;
        return copy_bytes(in, out, NULL);
}

/* Ids of messages that came after the backup will be used again: positions that clients saved must not be
 * taken for those. */
static int renew_history(const char *path) {
        sqlite3 *db = NULL;
        int rc, r = 0;

        rc = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
        if (rc == SQLITE_OK)
                rc = sqlite3_exec(db,
                                  "UPDATE meta SET value = lower(hex(randomblob(16))) WHERE name = 'history'",
                                  NULL, NULL, NULL);
        if (rc != SQLITE_OK)
                r = store_map_error(db, rc);
        (void) sqlite3_close(db);
        return r;
}

static int move_store(const char *from, const char *to) {
        static const char *const suffixes[] = {"", "-wal", "-shm"};

        for (size_t i = 0; i < ELEMENTSOF(suffixes); i++) {
                g_autofree char *old = g_strconcat(from, suffixes[i], NULL);
                g_autofree char *new = g_strconcat(to, suffixes[i], NULL);

                if (rename(old, new) < 0 && errno != ENOENT)
                        return -errno;
        }

        return 0;
}

/* After a failure the old store is where it was. */
static int put_in_place(int dir, const char *copy, const char *store, char **ret_kept) {
        g_autofree char *kept = g_strdup_printf("%s.replaced-%" PRIi64, store, (int64_t) time(NULL));
        const bool had = access(store, F_OK) >= 0;
        int r;

        if (access(kept, F_OK) >= 0)
                return -EEXIST;

        r = move_store(store, kept);
        if (r >= 0 && rename(copy, store) < 0)
                r = -errno;
        if (r >= 0 && fsync(dir) < 0) {
                r = -errno;
                (void) rename(store, copy);
        }
        if (r < 0) {
                (void) move_store(kept, store);
                return r;
        }

        *ret_kept = had ? g_steal_pointer(&kept) : NULL;
        return 0;
}

int store_restore(const char *state_dir, const char *path, uint64_t *ret_messages, char **ret_kept) {
        g_autofree char *copy = g_build_filename(state_dir, BACKUP_FILE, NULL);
        g_autofree char *store = g_build_filename(state_dir, STORE_FILE, NULL);
        _cleanup_close_ int dir = -EBADF;
        struct stat st;
        int r;

        r = store_check_file(path, ret_messages);
        if (r < 0)
                return r;

        if (g_mkdir_with_parents(state_dir, 0700) < 0)
                return log_error_errno(errno, "Cannot make the directory %s", state_dir);
        dir = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (dir < 0)
                return log_error_errno(errno, "Cannot open the directory %s", state_dir);
        if (flock(dir, LOCK_EX | LOCK_NB) < 0)
                return log_error_errno(EBUSY, "A daemon holds the directory %s; stop it first", state_dir);

        (void) unlink(copy);
        r = copy_file(path, copy);
        if (r >= 0)
                r = renew_history(copy);
        /* The daemon's, whoever does this. */
        if (r >= 0 && stat(state_dir, &st) >= 0 && geteuid() == 0 && chown(copy, st.st_uid, st.st_gid) < 0)
                r = -errno;
        if (r >= 0)
                r = put_in_place(dir, copy, store, ret_kept);
        if (r < 0) {
                (void) unlink(copy);
                return log_error_errno(r, "Cannot put %s in place as %s", path, store);
        }
        return 0;
}
