/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The configuration file and its drop-ins, meshcored.conf(5). */

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Something that the administrator should know of. */
typedef struct ConfigurationProblem {
        int level;  /* LOG_ERR: the section or file is left out; LOG_WARNING: a value is ignored */
        char *text; /* file, line, section, key, what is wrong and what is expected */
} ConfigurationProblem;

typedef struct Configuration {
        GPtrArray *radios; /* RadioSettings, in order of appearance; sorted out by configuration_finish() */
        uint64_t history_age_usec; /* HistoryMaxDays=; 0: no limit */
        uint64_t history_messages; /* HistoryMaxMessages=; 0: no limit */
        int discover;              /* Discover=; negative: as no radio is named */
        int log_level;             /* a syslog level, or -EINVAL when not set */
        GPtrArray *problems;       /* ConfigurationProblem, at most CONFIGURATION_PROBLEMS_MAX */
        unsigned n_dropped;        /* problems beyond that */
        GHashTable *broken;        /* id to what is wrong, of radios that must not run */
} Configuration;

#define CONFIGURATION_FILE_SIZE_MAX (1024 * 1024)
#define CONFIGURATION_RADIOS_MAX    64
#define CONFIGURATION_DROPINS_MAX   256
#define CONFIGURATION_PROBLEMS_MAX  100

Configuration *configuration_new(void);
Configuration *configuration_free(Configuration *config);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Configuration, configuration_free)

/* Adds the text of one file to what is there: later assignments win. name
 * is for the messages. Never fails; what is wrong becomes a problem. */
void configuration_parse(Configuration *config, const char *name, const char *text, size_t size);

void configuration_add_problem(Configuration *config, int level, const char *format, ...)
                __attribute__((format(printf, 3, 4)));

/* After the last file: leaves out the radios that cannot run. */
void configuration_finish(Configuration *config);

/* Reads path and then the files of path.d that end in ".conf", in the order of their names.
 * No file at all is a configuration, too, unless must_exist. Always gives a
 * Configuration with what could be read; -ENOENT only when path must exist and does
 * not. Logs nothing. */
int configuration_load(const char *path, bool must_exist, Configuration **ret);

/* Logs the problems, one line each. */
void configuration_log_problems(const Configuration *config);
