/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <glib.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "progress.h"
#include "terminal.h"

#define INTERVAL_USEC 100000

void progress_show(Progress *progress, const char *format, ...) {
        g_autofree char *text = NULL, *shown = NULL;
        int64_t now = g_get_monotonic_time();
        va_list ap;

        if (!isatty(STDERR_FILENO) || (!progress->with_output && isatty(STDOUT_FILENO)) ||
            now - progress->last_usec < INTERVAL_USEC)
                return;

        va_start(ap, format);
        text = g_strdup_vprintf(format, ap);
        va_end(ap);
        shown = terminal_escape(text);
        fprintf(stderr, "\r%s\x1b[K", shown);
        progress->last_usec = now;
        progress->shown = true;
}

void progress_end(Progress *progress) {
        if (progress->shown)
                fputs("\r\x1b[K", stderr);
        progress->shown = false;
}
