/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Calls of the store, to the system and to SQLite, of which one fails when a test wants it. The linker leads
 * them here, so this is for programs that are linked with faulty_calls of meson.build. */

#include <stdbool.h>

typedef enum FaultyCall {
        CALL_SQL_OPEN,
        CALL_SQL_PREPARE,
        CALL_SQL_BIND,
        CALL_SQL_STEP,
        CALL_SQL_EXEC, /* but for ROLLBACK, which has nothing left to fail */
        CALL_OPEN,
        CALL_STAT,
        CALL_STATVFS,
        CALL_READ,
        CALL_WRITE,
        CALL_SYNC,
        CALL_RENAME,
        CALL_CHMOD, /* and chown */
        CALL_TRUNCATE,
        CALL_LOCK,
        CALL_MKDIR,
        CALL_EVENTFD,
        CALL_THREAD,
        CALL_POLL,
        CALL_RANDOM,
        _FAULTY_CALL_MAX,
} FaultyCall;

/* The nth call of this kind from now on fails, with this result code of SQLite or errno. 0: none. */
void faulty_calls_arm_with(FaultyCall call, unsigned nth, int error);
/* With an error of input or output. */
void faulty_calls_arm(FaultyCall call, unsigned nth);
/* What SQLite takes for the reason from now on. 0: what it is. */
void faulty_calls_set_system_error(int error);
/* Meanwhile nothing fails, and nothing is counted. */
void faulty_calls_pause(bool pause);
/* Whether a call has failed since. */
bool faulty_calls_fired(void);
/* The same, and nothing fails any more. */
bool faulty_calls_disarm(void);
