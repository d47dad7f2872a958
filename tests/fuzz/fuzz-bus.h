/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The bus room over a store of its own, with the radios of tests/bus, and around it a message bus that has
 * clients of several users and says what the input wants. */

#include "bus-internal.h"
#include "fake-radio.h"
#include "fuzz-message.h"

#define FUZZ_SENDERS 3 /* ":1.1" is our own user's or root's, the others are somebody else's */

typedef struct World {
        char *dir;
        sd_event *event;
        Store *store;
        Manager *manager;
        Radio *radio, *ble; /* "sim" and "tag" */
        Bus *bus;
        sd_bus *ours, *peer; /* the daemon's end, and the message bus */
        uint32_t serial;
        GHashTable *calls;           /* by serial, those that are not answered yet */
        GQueue questions;            /* sd_bus_message: what the daemon asks of others */
        GQueue replies;              /* sd_bus_message: kept for their descriptors */
        bool gone[1 + FUZZ_SENDERS]; /* the first is the call without a sender */
} World;

World *world_new(BusKind kind);
/* Ends the daemon first, or its radios' requests. Every call must have been answered then. */
void world_free(World *w, bool radios_first);

/* Until nothing happens any more. */
void world_run(World *w);
/* Another connection, without a word about the calls of the old one. */
void world_reconnect(World *w);

const char *world_sender(unsigned sender);
/* Sends, and remembers that an answer of this signature is due; NULL: that there may be one. */
void world_call(World *w, FuzzHeader *header, unsigned sender, const GByteArray *body, const char *result);
/* A message of somebody else. */
void world_send(World *w, FuzzHeader *header, const GByteArray *body);
/* A client leaves the bus. */
void world_vanish(World *w, unsigned sender);

PublicKey world_key(unsigned n);
void world_add_contact(World *w, unsigned n, unsigned type, const char *name);
void world_hear(World *w, unsigned n, bool stored);
void world_add_channel(World *w, Radio *radio, unsigned slot, const char *name);
void world_receive(World *w, unsigned from, unsigned slot, const char *text);
/* The oldest request that waits at a radio ends. False: there is none. */
bool world_answer(World *w, unsigned which, OutcomeCode code, FuzzInput *in);
