/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* One life of a radio of a recorded session whose link fails at one place, and
 * what must be true afterwards. */

#include <stdbool.h>
#include <stdint.h>

typedef enum LinkFault {
        FAULT_NONE,
        FAULT_CUT,     /* the radio closes the connection */
        FAULT_RESET,   /* … and the line says so at once */
        FAULT_STALL,   /* never another byte on this connection, and none is read */
        FAULT_PAUSE,   /* the same for some time, from short to longer than anybody waits */
        FAULT_GARBAGE, /* bytes that are no frame, before this one */
        FAULT_REBOOT,  /* closed, nobody listens, and all that was in memory is gone */
        _FAULT_MAX,
        _FAULT_INVALID = -22,
} LinkFault;

typedef enum FaultPlace {
        FAULT_BEFORE, /* the frame */
        FAULT_INSIDE, /* behind some of its bytes, of the header perhaps */
        FAULT_BEHIND,
        _FAULT_PLACE_MAX,
        _FAULT_PLACE_INVALID = -22,
} FaultPlace;

typedef struct FaultPoint {
        const char *transcript; /* path */
        bool warm;              /* all is known from an earlier day, and texts wait to be sent */
        LinkFault fault;
        FaultPlace place;
        unsigned frame; /* of the radio, from 1 */
        uint32_t seed;  /* of what is left open above */
} FaultPoint;

typedef struct FaultResult {
        unsigned n_frames; /* that the radio had sent when all was done */
        char digest[65];   /* of contacts and channels as they were in the end */
} FaultResult;

const char *link_fault_to_string(LinkFault fault);
LinkFault link_fault_from_string(const char *text);
const char *fault_place_to_string(FaultPlace place);
FaultPlace fault_place_from_string(const char *text);

/* In a test of check. expected: the digest of the life without a fault, or NULL. */
void fault_run(const FaultPoint *point, const char *expected, FaultResult *ret);
