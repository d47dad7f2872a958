/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

#include "log.h"
#include "store-internal.h"

#define PIECE (64 * 1024)

struct StoreCheck {
        GThread *thread;
        char *path;
        int event_fd; /* readable when the thread is done */

        GMutex lock;
        sqlite3 *db; /* as long as it can be interrupted */
        bool stop;
        int result; /* the thread's, until it is joined */
};

static int read_result(sqlite3 *db) {
        sqlite3_stmt *stmt;
        const char *answer;
        int rc, r;

        rc = sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &stmt, NULL);
        if (rc != SQLITE_OK)
                return store_map_error(db, rc);

        rc = sqlite3_step(stmt);
        if (rc == SQLITE_ROW) {
                answer = (const char *) sqlite3_column_text(stmt, 0);
                r = answer && strcmp(answer, "ok") == 0 ? 0 : -EUCLEAN;
                if (r < 0)
                        log_error("The check found: %s", answer ?: "(nothing)");
        } else
                r = store_map_error(db, rc);
        (void) sqlite3_finalize(stmt);

        return r;
}

int store_check_now(Store *store) {
        sqlite3 *db = NULL;
        int rc, r;

        rc = sqlite3_open_v2(store->path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
        if (rc == SQLITE_OK) {
                int on = 1;

                (void) sqlite3_extended_result_codes(db, 1);
                (void) sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, on, NULL);
                r = read_result(db);
        } else
                r = store_map_error(db, rc);
        (void) sqlite3_close(db);

        return r;
}

bool store_check_readable(Store *store) {
        _cleanup_close_ int fd = open(store->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        uint8_t piece[512];
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
                return false;

        for (off_t at = 0; at < st.st_size; at += PIECE)
                if (pread(fd, piece, sizeof(piece), at) >= 0)
                        return true;

        return st.st_size == 0;
}

static gpointer check_thread(gpointer userdata) {
        StoreCheck *check = userdata;
        sqlite3 *db = NULL;
        bool stop;
        int rc;

        rc = sqlite3_open_v2(check->path, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);
        if (rc == SQLITE_OK) {
                (void) sqlite3_extended_result_codes(db, 1);
                (void) sqlite3_exec(db, "PRAGMA cache_size = -256", NULL, NULL, NULL);

                g_mutex_lock(&check->lock);
                check->db = db;
                stop = check->stop;
                g_mutex_unlock(&check->lock);

                check->result = stop ? -EINTR : read_result(db);

                g_mutex_lock(&check->lock);
                check->db = NULL;
                g_mutex_unlock(&check->lock);
        } else
                check->result = store_map_error(db, rc);
        (void) sqlite3_close(db);

        (void) eventfd_write(check->event_fd, 1);
        return NULL;
}

static StoreCheck *check_free(StoreCheck *check) {
        (void) safe_close(check->event_fd);
        g_mutex_clear(&check->lock);
        g_free(check->path);
        g_free(check);
        return NULL;
}

void store_check_start(Store *store) {
        g_autoptr(GError) error = NULL;
        StoreCheck *check;

        g_assert(!store->check);

        check = g_new0(StoreCheck, 1);
        g_mutex_init(&check->lock);
        check->path = g_strdup(store->path);
        check->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (check->event_fd < 0) {
                (void) log_warning_errno(errno, "Cannot check the store %s, ignoring", store->path);
                (void) check_free(check);
                return;
        }

        check->thread = g_thread_try_new("store-check", check_thread, check, &error);
        if (!check->thread) {
                log_warning("Cannot check the store %s, ignoring: %s", store->path, error->message);
                (void) check_free(check);
                return;
        }

        log_info("Store %s was not closed in order; it is being checked", store->path);
        store->check = check;
}

bool store_check_stop(Store *store) {
        StoreCheck *check = g_steal_pointer(&store->check);
        bool done;

        if (!check)
                return true;

        g_mutex_lock(&check->lock);
        check->stop = true;
        if (check->db)
                sqlite3_interrupt(check->db);
        g_mutex_unlock(&check->lock);

        (void) g_thread_join(check->thread);
        done = check->result == 0;
        (void) check_free(check);
        return done;
}

int store_check_fd(const Store *store) {
        return store->check ? store->check->event_fd : -EBADF;
}

int store_check_finish(Store *store) {
        struct pollfd done;
        int r;

        if (!store->check)
                return 0;

        done = (struct pollfd){.fd = store->check->event_fd, .events = POLLIN};
        if (poll(&done, 1, 0) <= 0)
                return -EAGAIN;

        (void) g_thread_join(store->check->thread);
        r = store->check->result;
        store->check = check_free(store->check);

        if (r == -EUCLEAN) {
                store->damage_confirmed = true;
                (void) store_fail_damaged(store, "the check found damage");
                store_settle(store);
                return r;
        }
        if (r < 0)
                (void) log_warning_errno(r, "Store %s could not be checked, ignoring", store->path);
        else
                log_info("Store %s: the check found nothing wrong", store->path);

        return 0;
}
