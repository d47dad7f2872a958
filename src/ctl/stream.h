/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Records that the daemon hands out through a descriptor. */

#include "target.h"

#define IFACE_MONITOR CTL_SERVICE ".Monitor"

typedef struct StreamHandlers {
        /* The stream is open. May be NULL. */
        ExitCode (*opened)(const Target *target, void *userdata);
        /* One record; text is the same without what could do harm to a terminal. Anything but
         * EXIT_CODE_OK ends it. */
        ExitCode (*record)(JsonObject *record, const char *text, void *userdata);
} StreamHandlers;

/* The options of verbs that read a stream. */
#define STREAM_OPTIONS                                                                       \
        {"count", 'n', "N", "end after so many", WORD_ANY, NULL}, {                          \
                "duration", 'd', "TIME", "end after so long: 90s, 15min, 2h", WORD_ANY, NULL \
        }

/* Opens the stream by calling member of the interface Monitor, and reads it until the options or a signal
 * say that it is enough (which is success), or until the daemon ends it. */
ExitCode stream_run(const Target *target, const char *member, const Args *args,
                    const StreamHandlers *handlers, void *userdata);
