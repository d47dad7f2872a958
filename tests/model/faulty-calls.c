/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <glib.h>
#include <poll.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "faulty-calls.h"

static FaultyCall armed;
static unsigned countdown;
static int armed_error;
static int system_error;
static bool fired, paused;

void faulty_calls_arm_with(FaultyCall call, unsigned nth, int error) {
        armed = call;
        armed_error = error;
        countdown = nth;
        fired = false;
}

void faulty_calls_arm(FaultyCall call, unsigned nth) {
        faulty_calls_arm_with(call, nth, call <= CALL_SQL_EXEC ? SQLITE_IOERR : EIO);
}

void faulty_calls_set_system_error(int error) {
        system_error = error;
}

void faulty_calls_pause(bool pause) {
        paused = pause;
}

bool faulty_calls_fired(void) {
        return fired;
}

bool faulty_calls_disarm(void) {
        countdown = 0;
        return fired;
}

static bool fails(FaultyCall call) {
        if (call != armed || countdown == 0 || paused || --countdown > 0)
                return false;

        fired = true;
        errno = armed_error;
        return true;
}

/* The large-file names stand for those without 64: that is what the headers make of them. */
#define WRAP(call, type, name, parameters, arguments, failure) \
        type __real_##name parameters;                         \
        type __wrap_##name parameters;                         \
        type __wrap_##name parameters {                        \
                if (fails(call))                               \
                        return failure;                        \
                return __real_##name arguments;                \
        }

/* clang-format off */
WRAP(CALL_SQL_BIND, int, sqlite3_bind_int64, (sqlite3_stmt *stmt, int n, sqlite3_int64 value), (stmt, n, value), armed_error)
WRAP(CALL_SQL_STEP, int, sqlite3_step, (sqlite3_stmt *stmt), (stmt), armed_error)
WRAP(CALL_OPEN, int, open64, (const char *path, int flags, mode_t mode), (path, flags, mode), -1)
WRAP(CALL_OPEN, int, openat64, (int dir, const char *path, int flags, mode_t mode), (dir, path, flags, mode), -1)
WRAP(CALL_STAT, int, fstat64, (int fd, struct stat *ret), (fd, ret), -1)
WRAP(CALL_STAT, int, fstatat64, (int dir, const char *path, struct stat *ret, int flags), (dir, path, ret, flags), -1)
WRAP(CALL_STATVFS, int, fstatvfs64, (int fd, struct statvfs *ret), (fd, ret), -1)
WRAP(CALL_READ, ssize_t, read, (int fd, void *data, size_t size), (fd, data, size), -1)
WRAP(CALL_READ, ssize_t, pread64, (int fd, void *data, size_t size, off_t offset), (fd, data, size, offset), -1)
WRAP(CALL_WRITE, ssize_t, write, (int fd, const void *data, size_t size), (fd, data, size), -1)
WRAP(CALL_WRITE, ssize_t, pwrite64, (int fd, const void *data, size_t size, off_t offset), (fd, data, size, offset), -1)
WRAP(CALL_SYNC, int, fsync, (int fd), (fd), -1)
WRAP(CALL_SYNC, int, fdatasync, (int fd), (fd), -1)
WRAP(CALL_RENAME, int, rename, (const char *from, const char *to), (from, to), -1)
WRAP(CALL_RENAME, int, renameat, (int from_dir, const char *from, int to_dir, const char *to), (from_dir, from, to_dir, to), -1)
WRAP(CALL_CHMOD, int, fchmod, (int fd, mode_t mode), (fd, mode), -1)
WRAP(CALL_CHMOD, int, chown, (const char *path, uid_t uid, gid_t gid), (path, uid, gid), -1)
WRAP(CALL_TRUNCATE, int, ftruncate64, (int fd, off_t size), (fd, size), -1)
WRAP(CALL_LOCK, int, flock, (int fd, int operation), (fd, operation), -1)
WRAP(CALL_MKDIR, int, g_mkdir_with_parents, (const char *path, int mode), (path, mode), -1)
WRAP(CALL_EVENTFD, int, eventfd, (unsigned value, int flags), (value, flags), -1)
WRAP(CALL_POLL, int, poll, (struct pollfd *fds, nfds_t n, int timeout), (fds, n, timeout), -1)
WRAP(CALL_RANDOM, ssize_t, getrandom, (void *data, size_t size, unsigned flags), (data, size, flags), -1)
/* clang-format on */

int __real_sqlite3_system_errno(sqlite3 *db);
int __wrap_sqlite3_system_errno(sqlite3 *db);

int __wrap_sqlite3_system_errno(sqlite3 *db) {
        return system_error > 0 ? system_error : __real_sqlite3_system_errno(db);
}

/* These leave something behind also when they fail. */
int __real_sqlite3_open_v2(const char *name, sqlite3 **ret, int flags, const char *vfs);
int __wrap_sqlite3_open_v2(const char *name, sqlite3 **ret, int flags, const char *vfs);
int __real_sqlite3_prepare_v2(sqlite3 *db, const char *sql, int size, sqlite3_stmt **ret, const char **tail);
int __wrap_sqlite3_prepare_v2(sqlite3 *db, const char *sql, int size, sqlite3_stmt **ret, const char **tail);
int __real_sqlite3_prepare_v3(sqlite3 *db, const char *sql, int size, unsigned flags, sqlite3_stmt **ret,
                              const char **tail);
int __wrap_sqlite3_prepare_v3(sqlite3 *db, const char *sql, int size, unsigned flags, sqlite3_stmt **ret,
                              const char **tail);
int __real_sqlite3_exec(sqlite3 *db, const char *sql, sqlite3_callback row, void *userdata, char **error);
int __wrap_sqlite3_exec(sqlite3 *db, const char *sql, sqlite3_callback row, void *userdata, char **error);
GThread *__real_g_thread_try_new(const char *name, GThreadFunc run, gpointer userdata, GError **error);
GThread *__wrap_g_thread_try_new(const char *name, GThreadFunc run, gpointer userdata, GError **error);

int __wrap_sqlite3_open_v2(const char *name, sqlite3 **ret, int flags, const char *vfs) {
        const int rc = __real_sqlite3_open_v2(name, ret, flags, vfs);

        return fails(CALL_SQL_OPEN) ? armed_error : rc;
}

int __wrap_sqlite3_prepare_v2(sqlite3 *db, const char *sql, int size, sqlite3_stmt **ret, const char **tail) {
        if (fails(CALL_SQL_PREPARE)) {
                *ret = NULL;
                return armed_error;
        }
        return __real_sqlite3_prepare_v2(db, sql, size, ret, tail);
}

int __wrap_sqlite3_prepare_v3(sqlite3 *db, const char *sql, int size, unsigned flags, sqlite3_stmt **ret,
                              const char **tail) {
        if (fails(CALL_SQL_PREPARE)) {
                *ret = NULL;
                return armed_error;
        }
        return __real_sqlite3_prepare_v3(db, sql, size, flags, ret, tail);
}

int __wrap_sqlite3_exec(sqlite3 *db, const char *sql, sqlite3_callback row, void *userdata, char **error) {
        if (strcmp(sql, "ROLLBACK") != 0 && fails(CALL_SQL_EXEC))
                return armed_error;
        return __real_sqlite3_exec(db, sql, row, userdata, error);
}

GThread *__wrap_g_thread_try_new(const char *name, GThreadFunc run, gpointer userdata, GError **error) {
        if (fails(CALL_THREAD)) {
                g_set_error_literal(error, G_THREAD_ERROR, G_THREAD_ERROR_AGAIN, "no room for a thread");
                return NULL;
        }
        return __real_g_thread_try_new(name, run, userdata, error);
}
