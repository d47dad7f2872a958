/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Preloaded into the daemon: the time from the return of the read that brought the last byte of a received
 * text to the return of its commit. That is the window in which a kill costs the one message that nobody
 * but us has any more. The samples (ns, one a line) are written to $BENCH_WINDOW at the end. */

#include <dlfcn.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define EXPORTED     __attribute__((visibility("default")))
#define SAMPLES_MAX  100000
#define FRAME_FROM   '>'
#define FRAME_HEADER 3
#define CONTACT_TEXT 16 /* the frame that bench_radio_text() makes */

static uint64_t samples[SAMPLES_MAX], read_at;
static size_t n_samples;

static uint64_t now_nsec(void) {
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t) now.tv_sec * 1000000000u + (uint64_t) now.tv_nsec;
}

EXPORTED ssize_t recv(int fd, void *buffer, size_t size, int flags) {
        static ssize_t (*next)(int, void *, size_t, int);
        const unsigned char *bytes = buffer;
        ssize_t n;

        if (!next)
                *(void **) &next = dlsym(RTLD_NEXT, "recv");
        n = next(fd, buffer, size, flags);
        if (n > FRAME_HEADER && bytes[0] == FRAME_FROM && bytes[FRAME_HEADER] == CONTACT_TEXT)
                read_at = now_nsec();
        return n;
}

EXPORTED int sqlite3_step(sqlite3_stmt *stmt) {
        static int (*next)(sqlite3_stmt *);
        int rc;

        if (!next)
                *(void **) &next = dlsym(RTLD_NEXT, "sqlite3_step");
        rc = next(stmt);
        if (read_at > 0 && rc == SQLITE_DONE && strcmp(sqlite3_sql(stmt), "COMMIT") == 0) {
                if (n_samples < SAMPLES_MAX)
                        samples[n_samples++] = now_nsec() - read_at;
                read_at = 0;
        }
        return rc;
}

__attribute__((destructor)) static void write_samples(void) {
        const char *path = getenv("BENCH_WINDOW");
        FILE *file = path && n_samples > 0 ? fopen(path, "we") : NULL;

        if (!file)
                return;
        for (size_t i = 0; i < n_samples; i++)
                fprintf(file, "%" PRIu64 "\n", samples[i]);
        fclose(file);
}
