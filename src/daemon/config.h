/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The configuration file and its drop-ins, meshcored.conf(5). */

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

/* Something that the administrator should know of. */
typedef struct ConfigProblem {
        int level;  /* LOG_ERR: the section or file is left out; LOG_WARNING: a value is ignored */
        char *text; /* file, line, section, key, what is wrong and what is expected */
} ConfigProblem;

typedef struct Config {
        GPtrArray *radios;   /* RadioSettings, in order of appearance; sorted out by config_finish() */
        int log_level;       /* a syslog level, or -EINVAL when not set */
        GPtrArray *problems; /* ConfigProblem, at most CONFIG_PROBLEMS_MAX */
        unsigned n_dropped;  /* problems beyond that */
        GHashTable *broken;  /* id to what is wrong, of radios that must not run */
} Config;

#define CONFIG_FILE_SIZE_MAX (1024 * 1024)
#define CONFIG_RADIOS_MAX    64
#define CONFIG_DROPINS_MAX   256
#define CONFIG_PROBLEMS_MAX  100

Config *config_new(void);
Config *config_free(Config *config);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Config, config_free)

/* Adds the text of one file to what is there: later assignments win. name
 * is for the messages. Never fails; what is wrong becomes a problem. */
void config_parse(Config *config, const char *name, const char *text, size_t size);

void config_add_problem(Config *config, int level, const char *format, ...)
                __attribute__((format(printf, 3, 4)));

/* After the last file: leaves out the radios that cannot run. */
void config_finish(Config *config);

/* Reads path and then the files of path.d that end in ".conf", in the order of their names.
 * No file at all is a configuration, too, unless must_exist. Always gives a
 * Config with what could be read; -ENOENT only when path must exist and does
 * not. Logs nothing. */
int config_load(const char *path, bool must_exist, Config **ret);

/* Logs the problems, one line each. */
void config_log_problems(const Config *config);
