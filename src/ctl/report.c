/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ctl.h"
#include "terminal.h"
#include "utf8.h"

__attribute__((format(printf, 1, 0))) static void say(const char *format, va_list ap) {
        g_autofree char *text = g_strdup_vprintf(format, ap);
        g_autofree char *valid = utf8_repair(text, strlen(text));
        g_autofree char *shown = terminal_escape(valid);

        (void) fflush(stdout);
        (void) fprintf(stderr, CTL_NAME ": %s\n", shown);
}

ExitCode ctl_fail(ExitCode code, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        say(format, ap);
        va_end(ap);
        return code;
}

void ctl_note(const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        say(format, ap);
        va_end(ap);
}
