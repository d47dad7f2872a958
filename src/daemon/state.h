/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The state directory, before the store is opened in it. */

typedef enum Storage {
        STORAGE_PERSISTENT, /* made where there is none */
        STORAGE_EXISTING,   /* with a store in it, or nothing is done */
        STORAGE_VOLATILE,   /* of its own, gone at the end */
        _STORAGE_MAX,
        _STORAGE_INVALID = -22,
} Storage;

Storage storage_from_string(const char *text);

/* Makes dir, or looks whether it is there; refuses one that other users can write to. With STORAGE_VOLATILE
 * dir is not used, and *ret_dir is a new one in the runtime directory, which state_remove() is for. Logs what
 * is wrong. */
int state_prepare(Storage storage, const char *dir, char **ret_dir);

/* With all that is in it. NULL is allowed. */
void state_remove(const char *dir);
