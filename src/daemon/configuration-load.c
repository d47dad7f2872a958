/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "configuration.h"
#include "events.h"
#include "log.h"
#include "macros.h"

/* The whole of a regular file that is not too large. */
static int read_file(const char *path, char **ret, size_t *ret_size) {
        _cleanup_close_ int fd = -EBADF;
        g_autofree char *text = NULL;
        size_t size = 0;
        struct stat st;

        /* O_NONBLOCK: somebody's FIFO must not hold up the start. */
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd < 0)
                return -errno;
        if (fstat(fd, &st) < 0)
                return -errno;
        if (S_ISDIR(st.st_mode))
                return -EISDIR;
        if (!S_ISREG(st.st_mode))
                return -EINVAL;
        if (st.st_size > CONFIGURATION_FILE_SIZE_MAX)
                return -EFBIG;

        /* One byte more than allowed tells a file that grows meanwhile. */
        text = g_malloc(CONFIGURATION_FILE_SIZE_MAX + 1);
        for (;;) {
                ssize_t n = read(fd, text + size, CONFIGURATION_FILE_SIZE_MAX + 1 - size);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        break;
                size += (size_t) n;
                if (size > CONFIGURATION_FILE_SIZE_MAX)
                        return -EFBIG;
        }

        *ret = g_steal_pointer(&text);
        *ret_size = size;
        return 0;
}

static int load_file(Configuration *config, const char *path) {
        g_autofree char *text = NULL;
        size_t size = 0;
        int r;

        r = read_file(path, &text, &size);
        if (r < 0) {
                if (r == -EFBIG)
                        configuration_add_problem(config, LOG_ERR,
                                                  "%s: larger than %i KiB; the file is left out", path,
                                                  CONFIGURATION_FILE_SIZE_MAX / 1024);
                else if (r == -EINVAL)
                        configuration_add_problem(config, LOG_ERR, "%s: not a regular file; it is left out",
                                                  path);
                else if (r != -ENOENT)
                        configuration_add_problem(config, LOG_ERR, "%s: %s; the file is left out", path,
                                                  g_strerror(-r));
                return r;
        }

        configuration_parse(config, path, text, size);
        return 0;
}

static int is_dropin(const struct dirent *entry) {
        return entry->d_name[0] != '.' && g_str_has_suffix(entry->d_name, ".conf");
}

/* Not alphasort(): the order must not depend on anybody's language. */
static int compare_names(const struct dirent **a, const struct dirent **b) {
        return strcmp((*a)->d_name, (*b)->d_name);
}

static void load_dropins(Configuration *config, const char *directory) {
        struct dirent **names;
        int n;

        n = scandir(directory, &names, is_dropin, compare_names);
        if (n < 0) {
                if (errno != ENOENT)
                        configuration_add_problem(config, LOG_ERR, "%s: %s; no drop-ins are read", directory,
                                                  g_strerror(errno));
                return;
        }

        if (n > CONFIGURATION_DROPINS_MAX)
                configuration_add_problem(config, LOG_ERR,
                                          "%s: more than %i files; the last ones are left out", directory,
                                          CONFIGURATION_DROPINS_MAX);
        for (int i = 0; i < n; i++) {
                g_autofree char *path = g_build_filename(directory, names[i]->d_name, NULL);

                if (i < CONFIGURATION_DROPINS_MAX)
                        (void) load_file(config, path);
                free(names[i]);
        }
        free(names);
}

int configuration_load(const char *path, bool must_exist, Configuration **ret) {
        g_autoptr(Configuration) config = configuration_new();
        g_autofree char *directory = g_strconcat(path, ".d", NULL);
        int r;

        r = load_file(config, path);
        if (r == -ENOENT && must_exist)
                return r;

        load_dropins(config, directory);
        configuration_finish(config);

        *ret = g_steal_pointer(&config);
        return 0;
}

void configuration_log_problems(const Configuration *config) {
        const LogContext context = {.topic = "configuration", .id = EVENT_CONFIGURATION};

        for (guint i = 0; i < config->problems->len; i++) {
                const ConfigurationProblem *problem = config->problems->pdata[i];

                (void) log_full(&context, problem->level, 0, __FILE__, __LINE__, "%s", problem->text);
        }
        if (config->n_dropped > 0)
                log_warning("%u more problems in the configuration", config->n_dropped);
}
