/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Short names that a person gives to command lines, in the section [Alias] of
 * meshcorectl.conf in their own configuration. */

#include "ctl.h"

/* $XDG_CONFIG_HOME/meshcored/meshcorectl.conf */
char *alias_path(void);

/* Name and command line of each, in the order of the file. *ret is NULL when there is no file. */
ExitCode alias_load(GKeyFile **ret);
/* Keys of a loaded file, never NULL. */
char **alias_names(GKeyFile *file);

/* The words that name stands for, nothing in them expanded; *ret is NULL when it is no alias. */
ExitCode alias_find(const char *name, char ***ret);
