/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The command line, meshcored(8). */

#include <glib.h>
#include <stdbool.h>

#include "state.h"

typedef struct Arguments {
        bool session;
        bool config_given; /* then the file must be there */
        char *config;
        char *state_dir;             /* not used with STORAGE_VOLATILE */
        Storage storage;             /* the zero is the default */
        char *check_store, *restore; /* a file: do this and end */
        int log_level;               /* a syslog level, or -EINVAL when not given */
} Arguments;

void arguments_clear(Arguments *arguments);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Arguments, arguments_clear)

/* 1: *ret is filled. 0: --help or --version was answered. -EINVAL: a wrong
 * command line, which was complained about. */
int arguments_parse(int argc, char *argv[], Arguments *ret);
