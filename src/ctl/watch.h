/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Following the daemon: its signals, and its going and coming back. */

#include <systemd/sd-event.h>

#include "client.h"

typedef struct Watch Watch;

typedef struct WatchHandlers {
        /* The daemon is there: at the beginning, and again after each absence. Its signals are
         * subscribed already, so that there is no gap between what is read now and what they tell. */
        void (*came)(Watch *watch, void *userdata);
        /* A signal of the daemon, in order. */
        void (*signal)(Watch *watch, sd_bus_message *signal, void *userdata);
        /* It went. Optional: without it, watch_run() itself tells standard error of going and coming. */
        void (*went)(Watch *watch, void *userdata);
        /* SIGINT. Optional: returns whether to go on nevertheless. */
        bool (*interrupt)(Watch *watch, void *userdata);
        ExitCode interrupted; /* what SIGINT and SIGTERM end with */
} WatchHandlers;

/* Subscribes and begins with came(). Ends on SIGINT and SIGTERM, with the code of watch_end(), or with
 * UNREACHABLE when there is no daemon at the beginning or the bus itself ends. */
ExitCode watch_run(Client *client, const WatchHandlers *handlers, void *userdata);

/* The loop that it runs, from the first came() on. */
sd_event *watch_event(Watch *watch);

/* Makes watch_run() return code after the handler that calls this. */
void watch_end(Watch *watch, ExitCode code);
/* It was called: nothing is begun any more. */
bool watch_has_ended(const Watch *watch);
