/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What a command that changes something is about: one radio, and a contact
 * or channel of it. */

#include "objects.h"

typedef struct Target {
        const CtlOptions *options;
        Client *client;
        Objects *objects;
        const char *radio; /* path */
} Target;

/* The only radio, the one that --radio means, or the one that name belongs to if it is an object
 * path; name may be NULL. */
ExitCode target_open(const CtlOptions *options, const char *name, Target *ret);
void target_clear(Target *target);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Target, target_clear)

/* Paths, borrowed from the objects or from name. */
ExitCode target_find_contact(const Target *target, const char *name, const char **ret);
ExitCode target_find_channel(const Target *target, const char *name, const char **ret);
/* Fails with USAGE unless the radio is one that can be paired. */
ExitCode target_check_pairing(const Target *target);
/* Both steps. */
ExitCode target_open_contact(const CtlOptions *options, const char *name, Target *ret, const char **ret_path);
ExitCode target_open_channel(const CtlOptions *options, const char *name, Target *ret, const char **ret_path);

/* Asks the daemon for the properties of an object now, with Path and Radio. */
ExitCode target_get(const Target *target, const char *path, const char *interface, JsonObject **ret);
/* What a command that made or changed an object says: with --json the object, else one member of
 * it on a line, or nothing (NULL). */
ExitCode target_print(const Target *target, const char *path, const char *interface, const char *member);

/* Calls a method of path without a limit of time: the daemon answers when the radio has. */
ExitCode target_call(const Target *target, sd_bus_message **ret_reply, const char *path,
                     const char *interface, const char *member, const char *types, ...);
/* The same for a call that was put together, r being how that went. */
ExitCode target_send(const Target *target, sd_bus_message *call, int r, sd_bus_message **ret_reply);

/* Prints text: as it is, or with --json as the only member of an object. */
void target_print_text(const Target *target, const char *member, const char *text);
