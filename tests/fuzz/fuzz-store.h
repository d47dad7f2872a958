/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* State directories to begin with, and what befalls them. */

#include <glib.h>

#include "fuzz-input.h"
#include "key.h"

PublicKey files_key(unsigned n);

/* A directory of its own, empty. */
char *files_new_directory(const char *name);
void files_remove(char *dir);

/* One of: nothing, the store of a daemon that was killed, one of each schema version. */
void files_begin(const char *dir, unsigned which);
/* Damage as the input says, on the disk or in the tables. */
void files_damage(const char *dir, FuzzInput *in);
