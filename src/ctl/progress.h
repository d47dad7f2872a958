/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* One line on standard error that tells how far something is, where a person looks at it: only when that is
 * a terminal and standard output is none, or wanted on one. */

#include <stdbool.h>
#include <stdint.h>

typedef struct Progress {
        bool shown, with_output;
        int64_t last_usec;
} Progress;

/* Replaces the line, ten times a second at most. */
void progress_show(Progress *progress, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Takes it away. */
void progress_end(Progress *progress);
