/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Preloaded into the daemon: counts what is allocated. The number of calls of malloc(), calloc() and
 * realloc() is written to $BENCH_ALLOCATIONS at the end. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define EXPORTED __attribute__((visibility("default")))

/* glibc's own names, so that nothing has to be looked up while the loader itself allocates. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t size);

static _Atomic uint64_t n_calls;

EXPORTED void *malloc(size_t size) {
        n_calls++;
        return __libc_malloc(size);
}

EXPORTED void *calloc(size_t n, size_t size) {
        n_calls++;
        return __libc_calloc(n, size);
}

EXPORTED void *realloc(void *p, size_t size) {
        n_calls++;
        return __libc_realloc(p, size);
}

__attribute__((destructor)) static void write_count(void) {
        const char *path = getenv("BENCH_ALLOCATIONS");
        uint64_t n = n_calls;
        FILE *file = path ? fopen(path, "we") : NULL;

        if (!file)
                return;
        fprintf(file, "%" PRIu64 "\n", n);
        fclose(file);
}
