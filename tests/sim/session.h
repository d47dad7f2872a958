/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Plays the app's side of a recorded session against the engine and compares
 * what the engine answers with what the firmware answered. */

#include <glib.h>
#include <stdbool.h>

#include "engine.h"
#include "port.h"

/* What the recording cannot tell, or what may differ. */
typedef enum SessionFlags {
        SESSION_RECRYPT = 1 << 0,  /* private key unknown: packets for the radio are encrypted anew */
        SESSION_NO_STALE = 1 << 1, /* stale bytes come from before the recording */
        SESSION_NEW_KEY = 1 << 2,  /* the radio makes itself a random key */
        SESSION_RESTARTS = 1 << 3, /* the radio was restarted where two seconds pass between connections */
        SESSION_FULL = 1 << 5,     /* no place is left in the contact table */
        SESSION_EMPTY = 1 << 4,    /* contacts that are told came during the recording */
} SessionFlags;

typedef struct SessionSpec {
        const char *name;
        PortKind kind; /* and with it the size of the queue */
        EngineFirmware firmware;
        const char *contacts; /* recordings that tell the radio's contacts, NULL: this one */
        const char *paths;    /* what it knew of the way to them: "PREFIX=LENGTH AND PATH,…" */
        double speed;         /* 0: 8, as in nearly all recordings */
        SessionFlags flags;
        unsigned until; /* compare so many lines only, 0: all */
        const char *why_until;
} SessionSpec;

/* Returns the number of frames compared; fails the test on the first that differs. */
unsigned session_run(const SessionSpec *spec);
