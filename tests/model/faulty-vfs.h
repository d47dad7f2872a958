/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* A layer under SQLite that lets one chosen call fail, as a bad disk would. */

#include <stdbool.h>

typedef enum FaultKind {
        FAULT_WRITE_EIO,
        FAULT_WRITE_FULL,
        FAULT_WRITE_TORN, /* half of it is written, then EIO */
        FAULT_SYNC_EIO,
        FAULT_READ_EIO,
        FAULT_READ_BAD, /* as SQLite's own layer tells EIO: as damage */
        _FAULT_KIND_MAX,
} FaultKind;

/* Makes it the default of this process. Syncs are counted but not carried out. */
void faulty_vfs_register(void);

/* The nth call of this kind from now on fails; with sticky also all after it. 0: none. */
void faulty_vfs_arm(FaultKind kind, unsigned nth, bool sticky);
/* Meanwhile nothing fails, and nothing is counted. */
void faulty_vfs_pause(bool pause);
/* Files that are opened from now on have no memory to share, as on some network file systems. */
void faulty_vfs_share_nothing(bool nothing);
/* Whether a call has failed since. */
bool faulty_vfs_fired(void);
