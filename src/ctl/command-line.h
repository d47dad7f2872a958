/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "verbs.h"

/* What the command line asks for. */
typedef struct CommandLine {
        CtlOptions options;
        const Verb *verb; /* NULL: none was given */
        Args *args;
        char **words;   /* of an alias, which the rest borrows from */
        char **storage; /* argv with them in it */
        bool help, version;
} CommandLine;

/* Takes argv apart; global options may stand before and after the verb, and add to those that
 * ret->options has already. A verb that there is none of may be an alias (alias.h). Borrows from argv,
 * which it reorders. */
ExitCode command_line_parse(int argc, char *argv[], CommandLine *ret);
void command_line_done(CommandLine *line);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(CommandLine, command_line_done)

/* "90", "90s", "15min", "2h", "1d", with sums like "1h30min". Returns 0 or -EINVAL; more than 0 µs and at
 * most ten years. */
int parse_duration(const char *text, uint64_t *ret_usec);

/* Decimal, nothing else around it. Returns 0 or -EINVAL. */
int parse_number(const char *text, uint64_t max, uint64_t *ret);

/* The same for an option that may be absent (then *ret stays); tells standard error. */
ExitCode args_get_number(const Args *args, const char *option, uint64_t max, uint64_t *ret);
/* yes or no; as args_get_number(). */
ExitCode args_get_bool(const Args *args, const char *option, bool *ret);
