/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Small helpers that every room uses. Cleanup is scope-bound: g_autofree,
 * g_autoptr(Type) and these. */

#include <errno.h>
#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#define ELEMENTSOF(x) (sizeof(x) / sizeof((x)[0]))

/* Closes fd if it is open and returns -EBADF, so that "fd = safe_close(fd)"
 * leaves nothing to close twice. Keeps errno. */
static inline int safe_close(int fd) {
        if (fd >= 0) {
                int saved = errno;

                (void) close(fd);
                errno = saved;
        }

        return -EBADF;
}

static inline void close_fdp(int *fd) {
        *fd = safe_close(*fd);
}

#define _cleanup_close_ __attribute__((cleanup(close_fdp)))

static inline int steal_fd(int *fd) {
        int taken = *fd;

        *fd = -EBADF;
        return taken;
}

#define USEC_PER_MSEC   ((uint64_t) 1000)
#define USEC_PER_SEC    ((uint64_t) 1000000)
#define USEC_PER_MINUTE (60 * USEC_PER_SEC)
#define USEC_PER_DAY    (86400 * USEC_PER_SEC)
