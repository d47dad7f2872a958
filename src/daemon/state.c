/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <fcntl.h>
#include <ftw.h>
#include <glib.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "log.h"
#include "macros.h"
#include "state.h"
#include "store.h"

static const char *const storage_names[] = {
                [STORAGE_PERSISTENT] = "persistent",
                [STORAGE_EXISTING] = "existing",
                [STORAGE_VOLATILE] = "volatile",
};

Storage storage_from_string(const char *text) {
        for (size_t i = 0; text && i < ELEMENTSOF(storage_names); i++)
                if (strcmp(storage_names[i], text) == 0)
                        return (Storage) i;
        return _STORAGE_INVALID;
}

/* Who can write to the directory can put another store in the place of ours. */
static int check_owner(int fd, const char *dir) {
        struct stat st;

        if (fstat(fd, &st) < 0)
                return log_error_errno(errno, "Cannot look at the state directory %s", dir);
        if (st.st_uid != 0 && st.st_uid != geteuid())
                return log_error_errno(EPERM, "The state directory %s belongs to another user", dir);
        if (st.st_mode & S_IWOTH)
                return log_error_errno(EPERM, "Every user can write to the state directory %s", dir);
        return 0;
}

static int check_store(int fd, const char *dir, bool needed) {
        struct stat st;

        if (fstatat(fd, STORE_FILE, &st, AT_SYMLINK_NOFOLLOW) < 0) {
                if (errno == ENOENT && !needed)
                        return 0;
                return log_error_errno(errno, "There is no store in %s", dir);
        }
        if (!S_ISREG(st.st_mode))
                return log_error_errno(EINVAL, "%s/" STORE_FILE " is no regular file", dir);
        return 0;
}

/* The first of RuntimeDirectory= when systemd started us, else that of the user. */
static char *runtime_dir(void) {
        static const char *const variables[] = {"RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR"};

        for (size_t i = 0; i < ELEMENTSOF(variables); i++) {
                const char *given = getenv(variables[i]);

                if (given && *given == '/')
                        return g_strndup(given, i == 0 ? strcspn(given, ":") : strlen(given));
        }
        return g_strdup(g_get_tmp_dir());
}

static int make_volatile(char **ret_dir) {
        g_autofree char *parent = runtime_dir();
        g_autofree char *dir = g_build_filename(parent, "meshcored-XXXXXX", NULL);
        struct statfs fs;

        if (!mkdtemp(dir))
                return log_error_errno(errno, "Cannot make a directory in %s", parent);

        log_notice("What comes from the radios is kept in %s, and is gone when the daemon ends", dir);
        if (statfs(dir, &fs) >= 0 && fs.f_type != TMPFS_MAGIC && fs.f_type != RAMFS_MAGIC)
                log_warning("%s is on a disk, where a crash would leave it: run with $XDG_RUNTIME_DIR set",
                            dir);
        *ret_dir = g_steal_pointer(&dir);
        return 0;
}

int state_prepare(Storage storage, const char *dir, char **ret_dir) {
        _cleanup_close_ int fd = -EBADF;
        int r;

        if (storage == STORAGE_VOLATILE)
                return make_volatile(ret_dir);

        if (storage == STORAGE_PERSISTENT && g_mkdir_with_parents(dir, 0700) < 0)
                return log_error_errno(errno, "Cannot make the state directory %s", dir);
        fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return log_error_errno(errno, "Cannot open the state directory %s", dir);

        r = check_owner(fd, dir);
        if (r >= 0)
                r = check_store(fd, dir, storage == STORAGE_EXISTING);
        if (r >= 0)
                *ret_dir = g_strdup(dir);
        return r;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where) {
        if (remove(path) < 0)
                (void) log_warning_errno(errno, "Cannot remove %s, ignoring", path);
        return 0;
}

void state_remove(const char *dir) {
        if (dir)
                (void) nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}
