/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The state directory: what is opened in it, what is done to it, and what it meets. */

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fault-shim.h"

typedef enum Class { CLASS_OTHER, CLASS_STATE, CLASS_DIRECTORY } Class;

typedef struct File {
        Class class;
        char name[48];
} File;

/* Followed by the name (two, with a zero between, of a rename) and the data. */
struct __attribute__((packed)) Entry {
        char what; /* c: created, w: written, t: truncated, s: synced, f: sync failed, d: directory synced,
                    * r: renamed, u: unlinked */
        uint8_t name_size;
        uint32_t data_size;
        uint64_t inode, offset;
};

static File files[FDS_MAX];
static char state_dir[256];
static size_t state_size;
static int journal_fd = -1;
static bool half;

void fault_state_set_up(void) {
        const char *path = getenv("FAULT_STATE");

        if (path)
                state_size = (size_t) snprintf(state_dir, sizeof(state_dir), "%s", path);
        journal_fd = fault_open_output("FAULT_JOURNAL");
}

static const File *file_of(int fd) {
        static const File none = {CLASS_OTHER, ""};

        return fd >= 0 && fd < FDS_MAX ? &files[fd] : &none;
}

static void name_file(int fd, Class class, const char *name) {
        if (fd < 0 || fd >= FDS_MAX)
                return;
        files[fd].class = class;
        (void) snprintf(files[fd].name, sizeof(files[fd].name), "%s", name);
}

/* The name in the state directory, "" for itself, NULL elsewhere. */
static const char *state_name(int dir, const char *path) {
        if (path[0] != '/')
                return file_of(dir)->class == CLASS_DIRECTORY ? path : NULL;
        if (state_size == 0 || strncmp(path, state_dir, state_size) != 0)
                return NULL;
        if (path[state_size] == '\0')
                return path + state_size;
        return path[state_size] == '/' ? path + state_size + 1 : NULL;
}

static void note(char what, int fd, const char *name, size_t name_size, uint64_t offset, const void *data,
                 size_t size) {
        struct Entry entry = {what, (uint8_t) name_size, (uint32_t) size, 0, offset};
        struct stat st;

        if (journal_fd < 0)
                return;
        if (fd >= 0 && fstat(fd, &st) >= 0)
                entry.inode = st.st_ino;
        fault_put(journal_fd, &entry, sizeof(entry));
        fault_put(journal_fd, name, name_size);
        fault_put(journal_fd, data, size);
}

static int refuses(Counts what, const char *call, const char *name, bool growing) {
        if (!fault_meets(what, "state", call, name))
                return 0;
        if (fault_is("full"))
                return growing ? ENOSPC : 0;
        if (fault_is("enospc"))
                return what == COUNTS_SYNC ? 0 : ENOSPC;
        if (fault_is("erofs"))
                return what == COUNTS_SYNC ? 0 : EROFS;
        return fault_is("eio") || fault_is("fsync") || fault_is("read") ? EIO : 0;
}

static int open_state(int dir, const char *path, const char *name, int flags, mode_t mode) {
        bool made = false;
        int fd, error = 0;

        pthread_mutex_lock(&fault_lock);
        if (flags & O_CREAT)
                made = syscall(SYS_faccessat, dir, path, F_OK) < 0;
        if (made || (flags & (O_WRONLY | O_RDWR)))
                error = refuses(made ? COUNTS_CHANGE : COUNTS_READ, "open", name, true);
        if (error == 0 && !made && fault_is("erofs") && (flags & (O_WRONLY | O_RDWR)) && fault_lasts())
                error = EROFS;
        fd = error == 0 ? (int) syscall(SYS_openat, dir, path, flags, mode) : -1;
        if (fd >= 0) {
                name_file(fd, name[0] == '\0' || (flags & O_DIRECTORY) ? CLASS_DIRECTORY : CLASS_STATE, name);
                if (made)
                        note('c', fd, name, strlen(name), 0, NULL, 0);
        }
        pthread_mutex_unlock(&fault_lock);
        if (error != 0)
                errno = error;
        return fd;
}

static int open_any(int dir, const char *path, int flags, va_list ap) {
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? (mode_t) va_arg(ap, int) : 0;
        const char *name = state_name(dir, path);
        int fd;

        if (name)
                return open_state(dir, path, name, flags, mode);
        fd = (int) syscall(SYS_openat, dir, path, flags, mode);
        name_file(fd, CLASS_OTHER, "");
        return fd;
}

EXPORTED int open(const char *path, int flags, ...) {
        va_list ap;
        int fd;

        va_start(ap, flags);
        fd = open_any(AT_FDCWD, path, flags, ap);
        va_end(ap);
        return fd;
}

EXPORTED int openat(int dir, const char *path, int flags, ...) {
        va_list ap;
        int fd;

        va_start(ap, flags);
        fd = open_any(dir, path, flags, ap);
        va_end(ap);
        return fd;
}

void fault_state_forget(int fd) {
        name_file(fd, CLASS_OTHER, "");
}

/* offset < 0: where the file stands. */
static ssize_t write_state(int fd, const void *data, size_t size, off_t offset) {
        const File *file = file_of(fd);
        struct stat st = {};
        ssize_t n;
        int error;

        pthread_mutex_lock(&fault_lock);
        if (offset < 0)
                offset = lseek(fd, 0, SEEK_CUR);
        (void) fstat(fd, &st);
        error = refuses(COUNTS_WRITE, "write", file->name, offset + (off_t) size > st.st_size);
        if (error == 0 && fault_holds()) {
                if (fault_is("short") && half)
                        error = ENOSPC;
                else if (fault_is("short"))
                        size = size > 1 ? size / 2 : size;
                half = fault_is("short") && !half && fault_lasts();
        }
        if (error == 0 && fault_is("torn") && fault_holds()) {
                (void) syscall(SYS_pwrite64, fd, data, (size_t) fault_value() % (size + 1), offset);
                fault_die();
        }
        n = error == 0 ? syscall(SYS_pwrite64, fd, data, size, offset) : -1;
        if (n > 0)
                note('w', fd, file->name, strlen(file->name), (uint64_t) offset, data, (size_t) n);
        pthread_mutex_unlock(&fault_lock);
        if (error != 0)
                errno = error;
        return n;
}

static int sync_state(int fd, const char *call) {
        const File *file = file_of(fd);
        bool directory = file->class == CLASS_DIRECTORY;
        int error;

        pthread_mutex_lock(&fault_lock);
        error = refuses(COUNTS_SYNC, call, directory ? "directory" : file->name, false);
        /* The disk is a journal here: nothing has to be waited for. */
        note(error != 0 ? 'f' : directory ? 'd' : 's', fd, file->name, strlen(file->name), 0, NULL, 0);
        pthread_mutex_unlock(&fault_lock);
        if (error == 0)
                return 0;
        errno = error;
        return -1;
}

EXPORTED ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) {
        if (file_of(fd)->class == CLASS_STATE)
                return write_state(fd, data, size, offset);
        return syscall(SYS_pwrite64, fd, data, size, offset);
}

EXPORTED ssize_t pread(int fd, void *data, size_t size, off_t offset) {
        int error = 0;

        if (file_of(fd)->class == CLASS_STATE) {
                pthread_mutex_lock(&fault_lock);
                error = refuses(COUNTS_READ, "read", file_of(fd)->name, false);
                pthread_mutex_unlock(&fault_lock);
        }
        if (error != 0) {
                errno = error;
                return -1;
        }
        return syscall(SYS_pread64, fd, data, size, offset);
}

EXPORTED int fsync(int fd) {
        NEXT(fsync);
        return file_of(fd)->class >= CLASS_STATE && file_of(fd)->class <= CLASS_DIRECTORY
                               ? sync_state(fd, "fsync")
                               : next(fd);
}

EXPORTED int fdatasync(int fd) {
        NEXT(fdatasync);
        return file_of(fd)->class == CLASS_STATE ? sync_state(fd, "fdatasync") : next(fd);
}

static int truncate_state(int fd, off_t size) {
        const File *file = file_of(fd);
        struct stat st = {};
        int error, r;

        pthread_mutex_lock(&fault_lock);
        (void) fstat(fd, &st);
        error = refuses(COUNTS_CHANGE, "truncate", file->name, size > st.st_size);
        r = error == 0 ? (int) syscall(SYS_ftruncate, fd, size) : -1;
        if (r >= 0)
                note('t', fd, file->name, strlen(file->name), (uint64_t) size, NULL, 0);
        pthread_mutex_unlock(&fault_lock);
        if (error != 0)
                errno = error;
        return r;
}

EXPORTED int ftruncate(int fd, off_t size) {
        if (file_of(fd)->class == CLASS_STATE)
                return truncate_state(fd, size);
        return (int) syscall(SYS_ftruncate, fd, size);
}

static int unlink_any(int dir, const char *path, int flags) {
        const char *name = state_name(dir, path);
        int error, r;

        if (!name)
                return (int) syscall(SYS_unlinkat, dir, path, flags);
        pthread_mutex_lock(&fault_lock);
        error = syscall(SYS_faccessat, dir, path, F_OK) < 0 ? 0
                                                            : refuses(COUNTS_CHANGE, "unlink", name, false);
        r = error == 0 ? (int) syscall(SYS_unlinkat, dir, path, flags) : -1;
        if (r >= 0)
                note('u', -1, name, strlen(name), 0, NULL, 0);
        pthread_mutex_unlock(&fault_lock);
        if (error != 0)
                errno = error;
        return r;
}

EXPORTED int unlink(const char *path) {
        return unlink_any(AT_FDCWD, path, 0);
}

EXPORTED int unlinkat(int dir, const char *path, int flags) {
        return unlink_any(dir, path, flags);
}

static int rename_any(int from_dir, const char *from, int to_dir, const char *to) {
        const char *a = state_name(from_dir, from), *b = state_name(to_dir, to);
        char names[256];
        int error, r;

        if (!a || !b)
                return (int) syscall(SYS_renameat, from_dir, from, to_dir, to);
        pthread_mutex_lock(&fault_lock);
        error = refuses(COUNTS_CHANGE, "rename", a, false);
        r = error == 0 ? (int) syscall(SYS_renameat, from_dir, from, to_dir, to) : -1;
        if (r >= 0)
                note('r', -1, names, (size_t) snprintf(names, sizeof(names), "%s%c%s", a, '\0', b), 0, NULL,
                     0);
        pthread_mutex_unlock(&fault_lock);
        if (error != 0)
                errno = error;
        return r;
}

EXPORTED int rename(const char *from, const char *to) {
        return rename_any(AT_FDCWD, from, AT_FDCWD, to);
}

EXPORTED int renameat(int from_dir, const char *from, int to_dir, const char *to) {
        return rename_any(from_dir, from, to_dir, to);
}

static void colour(struct statvfs *st) {
        if (!fault_lasts())
                return;
        if (fault_is("full"))
                st->f_bavail = st->f_bfree = 0;
        if (fault_is("erofs"))
                st->f_flag |= ST_RDONLY;
}

EXPORTED int fstatvfs(int fd, struct statvfs *ret) {
        int r;

        NEXT(fstatvfs);
        r = next(fd, ret);
        colour(ret);
        return r;
}

bool fault_state_has(int fd) {
        return file_of(fd)->class == CLASS_STATE;
}

ssize_t fault_state_write(int fd, const void *data, size_t size) {
        ssize_t n = write_state(fd, data, size, -1);

        if (n > 0)
                (void) lseek(fd, n, SEEK_CUR);
        return n;
}
