/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* How a request ended, for the one who asked. bus-errors maps each code to one
 * D-Bus error; nothing else may. */

#include <glib.h>
#include <stdint.h>

typedef enum OutcomeCode {
        OUTCOME_OK,
        OUTCOME_NOT_CONNECTED, /* no link to the radio now */
        OUTCOME_NOT_READY,     /* a link, but still syncing; or stopped */
        OUTCOME_IN_PROGRESS,
        OUTCOME_INVALID_ARGUMENTS,
        OUTCOME_NOT_FOUND,
        OUTCOME_TABLE_FULL,
        OUTCOME_NOT_SUPPORTED,
        OUTCOME_REJECTED, /* the radio said no */
        OUTCOME_LOGIN_FAILED,
        OUTCOME_TIMEOUT,
        OUTCOME_LINK_LOST,
        OUTCOME_CANCELLED,
        OUTCOME_STORAGE_FULL,
        OUTCOME_RATE_LIMITED, /* too soon after the last time; the text says when */
        OUTCOME_FAILED,
        _OUTCOME_CODE_MAX,
        _OUTCOME_CODE_INVALID = -22,
} OutcomeCode;

typedef struct Outcome {
        OutcomeCode code;
        char *message; /* for people: what is wrong and what to do; NULL with OUTCOME_OK */
} Outcome;

void outcome_clear(Outcome *outcome);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Outcome, outcome_clear)

/* Sets both and returns code. ret may be NULL. */
OutcomeCode outcome_set(Outcome *ret, OutcomeCode code, const char *format, ...)
                __attribute__((format(printf, 3, 4)));

/* A negative errno (store, link) as an outcome. */
OutcomeCode outcome_set_errno(Outcome *ret, int error, const char *what);

/* Code n of an ERR frame, wire reference 5, in answer to what. */
OutcomeCode outcome_set_firmware(Outcome *ret, unsigned error, const char *what);
