/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What every verb of meshcorectl shares: exit codes, global options and the
 * words of the command line.
 *
 * Functions that return an ExitCode have already told standard error why when
 * it is not EXIT_CODE_OK; nobody above says it again. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define CTL_NAME    "meshcorectl"
#define CTL_SERVICE "org.meshcored1"
#define CTL_ROOT    "/org/meshcored1"

/* Documented in meshcorectl(1) and "meshcorectl help"; scripts rely on the
 * numbers. */
typedef enum ExitCode {
        EXIT_CODE_OK = 0,
        EXIT_CODE_FAILED = 1,        /* anything without a number of its own */
        EXIT_CODE_USAGE = 2,         /* the command line, or a value in it, cannot be */
        EXIT_CODE_UNREACHABLE = 3,   /* no bus, or no daemon on it */
        EXIT_CODE_NOT_FOUND = 4,     /* no such radio, contact, channel or message */
        EXIT_CODE_REFUSED = 5,       /* the caller lacks the right */
        EXIT_CODE_NOT_DELIVERED = 6, /* failed, expired, cancelled, or no answer in time */
        EXIT_CODE_NOT_CONNECTED = 7, /* the daemon has no link to the radio now */
        _EXIT_CODE_MAX,
} ExitCode;

typedef enum BusKind {
        BUS_SYSTEM,
        BUS_SESSION,
} BusKind;

typedef struct CtlOptions {
        BusKind bus;
        bool json;
        const char *radio; /* --radio, NULL: all, or the only one */
} CtlOptions;

/* The words after the verb: options by their long name, then the rest. */
typedef struct Args Args;

bool args_has(const Args *args, const char *option);
/* NULL when not given. Borrowed. */
const char *args_get(const Args *args, const char *option);
unsigned args_count(const Args *args);
const char *args_word(const Args *args, unsigned i);

/* Prints one line, "meshcorectl: …", to standard error, escaped by the rule
 * for foreign text (terminal.h), and returns code. */
ExitCode ctl_fail(ExitCode code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same without being a failure: what a person at the terminal should know. */
void ctl_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
