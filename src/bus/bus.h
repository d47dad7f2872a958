/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The D-Bus side of the daemon: everything that the manager holds, as objects
 * below /org/meshcored1, and the name org.meshcored1. The interfaces are
 * described in dbus/. */

#include <stdbool.h>
#include <systemd/sd-event.h>

#include "manager.h"

#define BUS_NAME "org.meshcored1"
#define BUS_ROOT "/org/meshcored1"

typedef struct Bus Bus;

typedef enum BusKind {
        BUS_SYSTEM,
        BUS_SESSION, /* the user's own */
} BusKind;

/* The objects are exported and the name is ours. Called once for every
 * connection: again after the bus was away. */
typedef void (*bus_ready_t)(Bus *bus, void *userdata);

/* Becomes the manager's observer and begins to connect. A bus that is not there, or that ends,
 * is no error: new connections are tried for ever, with a back-off, while the radios go on. */
Bus *bus_new(sd_event *event, Manager *manager, BusKind kind);

/* Closes the connection with the name still owned, so that no signal leaves without the protection of the
 * policy. Waiting callers get the error Cancelled. Must come before manager_free(). */
Bus *bus_free(Bus *bus);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Bus, bus_free)

void bus_set_ready(Bus *bus, bus_ready_t ready, void *userdata);

/* Whether the name is ours now. */
bool bus_is_ready(const Bus *bus);
