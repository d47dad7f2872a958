/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "log.h"
#include "store-internal.h"
#include "utf8.h"

static int map_system_error(int error) {
        switch (error) {
        case ENOSPC:
        case EDQUOT:
                return -ENOSPC;
        case EROFS:
        case EACCES:
        case EMFILE:
        case ENFILE:
                return -error;
        default:
                return -EIO;
        }
}

int store_map_error(sqlite3 *db, int rc) {
        switch (rc & 0xff) {
        case SQLITE_OK:
        case SQLITE_ROW:
        case SQLITE_DONE:
                return 0;
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
                return -EUCLEAN;
        case SQLITE_FULL:
                return -ENOSPC;
        case SQLITE_READONLY:
                return -EROFS;
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
                return -EBUSY;
        case SQLITE_NOMEM:
                return -ENOMEM;
        case SQLITE_PERM:
        case SQLITE_AUTH:
                return -EACCES;
        case SQLITE_INTERRUPT:
                return -EINTR;
        case SQLITE_IOERR:
                if (rc == SQLITE_IOERR_CORRUPTFS)
                        return -EUCLEAN;
                if (rc == SQLITE_IOERR_NOMEM)
                        return -ENOMEM;
                return map_system_error(sqlite3_system_errno(db));
        case SQLITE_CANTOPEN:
                return map_system_error(sqlite3_system_errno(db));
        default:
                /* Constraints, misuse: ours, or damage that the page check does not see. */
                return -EIO;
        }
}

int store_fail(Store *store, int rc, const char *what) {
        int r = store_map_error(store->db, rc);

        if (r == -EUCLEAN)
                store->damaged = true;

        /* A full disk meets every write until somebody makes room: once is enough. */
        if (r != store->last_error)
                (void) log_at(r == -EBUSY ? LOG_WARNING : LOG_ERR, r, "Store %s: %s (%s)", store->path, what,
                              sqlite3_errmsg(store->db));
        store->last_error = r;
        return r;
}

int store_fail_damaged(Store *store, const char *what) {
        log_error("Store %s: %s", store->path, what);
        store->damaged = true;
        return -EUCLEAN;
}

int store_exec(Store *store, const char *sql) {
        int rc;

        rc = sqlite3_exec(store->db, sql, NULL, NULL, NULL);
        /* What is done at the start is good for every file of ours: this one is in no format that SQLite
         * knows, or its tables are not those of its version. */
        if (store->opening && ((rc & 0xff) == SQLITE_ERROR || (rc & 0xff) == SQLITE_CONSTRAINT))
                return store_fail_damaged(store, sqlite3_errmsg(store->db));
        if (rc != SQLITE_OK)
                return store_fail(store, rc, "a statement failed");

        return 0;
}

static void finalize_statement(void *stmt) {
        (void) sqlite3_finalize(stmt);
}

void store_drop_statements(Store *store) {
        g_clear_pointer(&store->statements, g_hash_table_unref);
}

static int prepare(Store *store, const char *sql, sqlite3_stmt **ret) {
        sqlite3_stmt *stmt;
        int rc;

        if (!store->statements)
                store->statements = g_hash_table_new_full(g_direct_hash, g_direct_equal, NULL,
                                                          finalize_statement);

        stmt = g_hash_table_lookup(store->statements, sql);
        if (!stmt) {
                rc = sqlite3_prepare_v3(store->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL);
                /* Each of them is good for our tables: these are not as we made them. */
                if (rc == SQLITE_ERROR)
                        return store_fail_damaged(store, sqlite3_errmsg(store->db));
                if (rc != SQLITE_OK)
                        return store_fail(store, rc, "a statement could not be prepared");
                g_hash_table_insert(store->statements, (gpointer) sql, stmt);
        }

        g_assert(!sqlite3_stmt_busy(stmt));
        *ret = stmt;
        return 0;
}

Query query_begin(Store *store, const char *sql) {
        Query query = {};

        query.error = store_ensure_open(store);
        if (query.error < 0)
                return query;

        query.store = store;
        query.error = prepare(store, sql, &query.stmt);
        store->n_queries++;
        return query;
}

void query_end(Query *query) {
        Store *store = query->store;

        if (!store)
                return;

        if (query->stmt) {
                (void) sqlite3_reset(query->stmt);
                (void) sqlite3_clear_bindings(query->stmt);
        }
        store->n_queries--;
        *query = (Query){};

        store_settle(store);
}

static bool bind_next(Query *query) {
        if (query->error < 0)
                return false;

        query->n_bound++;
        return true;
}

static void check_bound(Query *query, int rc) {
        if (rc != SQLITE_OK)
                query->error = store_fail(query->store, rc, "a value could not be bound");
}

void query_bind_int(Query *query, int64_t value) {
        if (bind_next(query))
                check_bound(query, sqlite3_bind_int64(query->stmt, query->n_bound, value));
}

void query_bind_text(Query *query, const char *text) {
        if (bind_next(query) && text)
                check_bound(query, sqlite3_bind_text(query->stmt, query->n_bound, text, -1, SQLITE_STATIC));
}

void query_bind_blob(Query *query, const void *data, size_t size) {
        if (bind_next(query) && data)
                check_bound(query,
                            sqlite3_bind_blob64(query->stmt, query->n_bound, data, size, SQLITE_STATIC));
}

void query_bind_key(Query *query, const PublicKey *key) {
        query_bind_blob(query, key ? key->bytes : NULL, PUBLIC_KEY_SIZE);
}

int query_step(Query *query) {
        int rc;

        if (query->error < 0)
                return query->error;

        rc = sqlite3_step(query->stmt);
        if (rc == SQLITE_ROW)
                return 1;
        if (rc == SQLITE_DONE)
                return 0;

        query->error = store_fail(query->store, rc, "a statement failed");
        return query->error;
}

int query_run(Query *query) {
        int r;

        do
                r = query_step(query);
        while (r > 0);

        return r;
}

int64_t query_int(Query *query, int column) {
        return sqlite3_column_int64(query->stmt, column);
}

bool query_is_null(Query *query, int column) {
        return sqlite3_column_type(query->stmt, column) == SQLITE_NULL;
}

Slice query_slice(Query *query, int column) {
        /* The order is SQLite's rule: the pointer first, then its size. */
        const void *data = sqlite3_column_blob(query->stmt, column);

        return (Slice){data, data ? (size_t) sqlite3_column_bytes(query->stmt, column) : 0};
}

char *query_text(Query *query, int column) {
        /* What rotted on the disk must not reach the bus as bad UTF-8. */
        const Slice text = query_slice(query, column);

        return utf8_repair(text.data ?: (const uint8_t *) "", text.size);
}

bool query_blob(Query *query, int column, void *ret, size_t size) {
        const Slice blob = query_slice(query, column);

        if (blob.size != size)
                return false;

        memcpy(ret, blob.data, size);
        return true;
}

/* Prepared like all that runs for every message. */
static int run_statement(Store *store, const char *sql) {
        g_auto(Query) query = query_begin(store, sql);

        return query_run(&query);
}

int store_begin(Store *store) {
        int r;

        if (store->in_transaction) {
                log_error("Store %s: a write came in the middle of another one", store->path);
                return -EBUSY;
        }

        r = run_statement(store, "BEGIN IMMEDIATE");
        if (r < 0)
                return r;

        store->in_transaction = true;
        store->last_id_before = store->last_id;
        return 0;
}

int store_commit(Store *store) {
        int r;

        g_assert(store->in_transaction);

        r = run_statement(store, "COMMIT");
        if (r < 0) {
                store->commit_failed = true;
                return r;
        }

        store->in_transaction = false;
        store->last_error = 0;
        return 0;
}

/* A commit whose sync failed has left a whole transaction in the log, which
 * the recovery after a crash would take for done. The next transaction
 * overwrites it; make one now. */
static void overwrite_tail(Store *store) {
        (void) sqlite3_exec(store->db, "UPDATE meta SET value = value + 1 WHERE name = 'failed-commits'",
                            NULL, NULL, NULL);
}

void store_rollback(Store *store) {
        if (!store->in_transaction)
                return;

        store->in_transaction = false;
        store->last_id = store->last_id_before;
        /* Some errors have rolled back already. */
        if (!sqlite3_get_autocommit(store->db))
                (void) sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
        if (store->commit_failed && !store->damaged)
                overwrite_tail(store);
        store->commit_failed = false;
        store_settle(store);
}
