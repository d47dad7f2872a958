/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "faulty-vfs.h"

typedef struct FaultyFile {
        sqlite3_file base;
        sqlite3_file *real; /* behind us in the same block */
} FaultyFile;

static sqlite3_vfs *real_vfs;
static sqlite3_vfs faulty_vfs;
static FaultKind armed_kind;
static unsigned countdown;
static bool armed_sticky, paused, fired;

void faulty_vfs_arm(FaultKind kind, unsigned nth, bool sticky) {
        armed_kind = kind;
        countdown = nth;
        armed_sticky = sticky;
        fired = false;
}

void faulty_vfs_pause(bool pause) {
        paused = pause;
}

bool faulty_vfs_fired(void) {
        return fired;
}

static bool fails(FaultKind kind) {
        if (kind != armed_kind || countdown == 0 || paused)
                return false;
        if (countdown > 1) {
                countdown--;
                return false;
        }

        fired = true;
        if (!armed_sticky)
                countdown = 0;
        return true;
}

static sqlite3_file *real_of(sqlite3_file *file) {
        return ((FaultyFile *) (void *) file)->real;
}

static int faulty_close(sqlite3_file *file) {
        return real_of(file)->pMethods->xClose(real_of(file));
}

static int faulty_read(sqlite3_file *file, void *data, int size, sqlite3_int64 offset) {
        if (fails(FAULT_READ_EIO))
                return SQLITE_IOERR_READ;
        if (fails(FAULT_READ_BAD))
                return SQLITE_IOERR_CORRUPTFS;

        return real_of(file)->pMethods->xRead(real_of(file), data, size, offset);
}

static int faulty_write(sqlite3_file *file, const void *data, int size, sqlite3_int64 offset) {
        sqlite3_file *real = real_of(file);

        if (fails(FAULT_WRITE_EIO))
                return SQLITE_IOERR_WRITE;
        if (fails(FAULT_WRITE_FULL))
                return SQLITE_FULL;
        if (fails(FAULT_WRITE_TORN)) {
                (void) real->pMethods->xWrite(real, data, size / 2, offset);
                return SQLITE_IOERR_WRITE;
        }

        return real->pMethods->xWrite(real, data, size, offset);
}

static int faulty_truncate(sqlite3_file *file, sqlite3_int64 size) {
        return real_of(file)->pMethods->xTruncate(real_of(file), size);
}

static int faulty_sync(sqlite3_file *file, int flags) {
        return fails(FAULT_SYNC_EIO) ? SQLITE_IOERR_FSYNC : SQLITE_OK;
}

static int faulty_size(sqlite3_file *file, sqlite3_int64 *ret) {
        return real_of(file)->pMethods->xFileSize(real_of(file), ret);
}

static int faulty_lock(sqlite3_file *file, int level) {
        return real_of(file)->pMethods->xLock(real_of(file), level);
}

static int faulty_unlock(sqlite3_file *file, int level) {
        return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

static int faulty_check_lock(sqlite3_file *file, int *ret) {
        return real_of(file)->pMethods->xCheckReservedLock(real_of(file), ret);
}

static int faulty_control(sqlite3_file *file, int op, void *arg) {
        return real_of(file)->pMethods->xFileControl(real_of(file), op, arg);
}

static int faulty_sector_size(sqlite3_file *file) {
        return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int faulty_characteristics(sqlite3_file *file) {
        return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

static int faulty_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **ret) {
        return real_of(file)->pMethods->xShmMap(real_of(file), page, size, extend, ret);
}

static int faulty_shm_lock(sqlite3_file *file, int offset, int n, int flags) {
        return real_of(file)->pMethods->xShmLock(real_of(file), offset, n, flags);
}

static void faulty_shm_barrier(sqlite3_file *file) {
        real_of(file)->pMethods->xShmBarrier(real_of(file));
}

static int faulty_shm_unmap(sqlite3_file *file, int delete) {
        return real_of(file)->pMethods->xShmUnmap(real_of(file), delete);
}

static const sqlite3_io_methods faulty_methods = {
                .iVersion = 2,
                .xClose = faulty_close,
                .xRead = faulty_read,
                .xWrite = faulty_write,
                .xTruncate = faulty_truncate,
                .xSync = faulty_sync,
                .xFileSize = faulty_size,
                .xLock = faulty_lock,
                .xUnlock = faulty_unlock,
                .xCheckReservedLock = faulty_check_lock,
                .xFileControl = faulty_control,
                .xSectorSize = faulty_sector_size,
                .xDeviceCharacteristics = faulty_characteristics,
                .xShmMap = faulty_shm_map,
                .xShmLock = faulty_shm_lock,
                .xShmBarrier = faulty_shm_barrier,
                .xShmUnmap = faulty_shm_unmap,
};

static const sqlite3_io_methods *methods = &faulty_methods;

static const sqlite3_io_methods lonely_methods = {
                .iVersion = 1,
                .xClose = faulty_close,
                .xRead = faulty_read,
                .xWrite = faulty_write,
                .xTruncate = faulty_truncate,
                .xSync = faulty_sync,
                .xFileSize = faulty_size,
                .xLock = faulty_lock,
                .xUnlock = faulty_unlock,
                .xCheckReservedLock = faulty_check_lock,
                .xFileControl = faulty_control,
                .xSectorSize = faulty_sector_size,
                .xDeviceCharacteristics = faulty_characteristics,
};

void faulty_vfs_share_nothing(bool nothing) {
        methods = nothing ? &lonely_methods : &faulty_methods;
}

static int faulty_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *ret_flags) {
        FaultyFile *faulty = (FaultyFile *) (void *) file;
        int rc;

        faulty->real = (sqlite3_file *) (void *) (faulty + 1);
        rc = real_vfs->xOpen(real_vfs, name, faulty->real, flags, ret_flags);
        faulty->base.pMethods = rc == SQLITE_OK ? methods : NULL;
        return rc;
}

void faulty_vfs_register(void) {
        if (real_vfs)
                return;

        real_vfs = sqlite3_vfs_find(NULL);
        faulty_vfs = *real_vfs;
        faulty_vfs.szOsFile = (int) sizeof(FaultyFile) + real_vfs->szOsFile;
        faulty_vfs.zName = "faulty";
        faulty_vfs.xOpen = faulty_open;
        if (sqlite3_vfs_register(&faulty_vfs, 1) != SQLITE_OK)
                abort();
}
