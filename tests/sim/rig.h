/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* An engine whose frames and packets are collected. */

#include <glib.h>
#include <stdbool.h>

#include "engine.h"

typedef struct Rig {
        Engine *engine;
        GPtrArray *frames;  /* GBytes, towards the app */
        GPtrArray *packets; /* GBytes, on the air */
        bool connected;
        uint64_t now;
        unsigned restarts;
} Rig;

Rig *rig_new(EngineFirmware firmware, size_t queue_size, size_t max_contacts);
Rig *rig_free(Rig *rig);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Rig, rig_free)

/* Forgets what was collected, gives the command, and returns the first byte of
 * the first answer; -1 if there was none. */
int rig_command(Rig *rig, const char *hex);
/* The same, and the second byte of an answer 1. */
int rig_error(Rig *rig, const char *hex);
/* Frame number index as hex, "" if there is none. Valid until the next call. */
const char *rig_frame(Rig *rig, size_t index);
/* A contact that the radio knows, with the key of seed. */
SimIdentity rig_add_contact(Rig *rig, const char *seed, uint8_t path_len);
/* The command 2 for a text of the app, in hex. */
char *rig_text_command(const SimIdentity *to, uint32_t timestamp, const char *text);
