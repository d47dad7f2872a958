/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The floor for all that has to be durable: bare SQLite commits of one short row. */
#include <err.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench-util.h"

#define WARM_UP 1000 /* until the log is written over and grows no more */

static void execute(sqlite3 *db, const char *sql) {
        if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
                errx(1, "%s: %s", sql, sqlite3_errmsg(db));
}

static uint64_t commit_one(sqlite3 *db, sqlite3_stmt *insert) {
        uint64_t start = bench_now();

        sqlite3_bind_text(insert, 1, "message number 1 of the bench", -1, SQLITE_STATIC);
        if (sqlite3_step(insert) != SQLITE_DONE)
                errx(1, "insert: %s", sqlite3_errmsg(db));
        sqlite3_reset(insert);
        return bench_now() - start;
}

int main(int argc, char **argv) {
        size_t n = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
        uint64_t *samples = calloc(n, sizeof(*samples));
        sqlite3_stmt *insert = NULL;
        sqlite3 *db = NULL;

        if (n == 0 || !samples)
                errx(1, "usage: %s DATABASE SAMPLES", argv[0]);
        if (sqlite3_open(argv[1], &db) != SQLITE_OK)
                errx(1, "%s: %s", argv[1], sqlite3_errmsg(db));
        execute(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                    "CREATE TABLE message (id INTEGER PRIMARY KEY, text TEXT)");
        if (sqlite3_prepare_v2(db, "INSERT INTO message (text) VALUES (?)", -1, &insert, NULL) != SQLITE_OK)
                errx(1, "prepare: %s", sqlite3_errmsg(db));

        for (size_t i = 0; i < WARM_UP; i++)
                (void) commit_one(db, insert);
        for (size_t i = 0; i < n; i++)
                samples[i] = commit_one(db, insert);
        printf("[%.3f, %.3f]\n", (double) bench_quantile(samples, n, 0.5) / 1e3,
               (double) bench_quantile(samples, n, 0.99) / 1e3);

        sqlite3_finalize(insert);
        sqlite3_close(db);
        free(samples);
        return 0;
}
