/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The connection to the bus, calls to the daemon, and what their errors mean
 * to the one who typed the command. */

#include <systemd/sd-bus.h>

#include "ctl.h"

#define CTL_ERROR_PREFIX CTL_SERVICE ".Error."

/* Timeouts of a call, µs. */
#define CALL_DEFAULT 0          /* sd-bus's own, 25 s: the daemon answers at once */
#define CALL_FOREVER UINT64_MAX /* the daemon answers when the radio has */

typedef struct Client Client;

/* Connects to the bus; does not look for the daemon yet. */
ExitCode client_open(const CtlOptions *options, Client **ret);
Client *client_free(Client *client);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Client, client_free)

sd_bus *client_bus(Client *client);

/* Whether a call may make the bus start the daemon; yes at first. */
void client_set_autostart(Client *client, bool autostart);

/* From now on SIGINT and SIGTERM, which the caller has blocked, end the process with code while a call waits
 * for its answer: a daemon that hangs must not make the tool hang. */
void client_set_interruptible(Client *client, ExitCode code);
/* Runs before that end, in the signal handler; NULL: nothing. */
void client_set_end_hook(void (*hook)(void));

/* Calls a method of the daemon with arguments as in sd_bus_message_append(); types NULL for none. ret_reply
 * may be NULL. */
ExitCode client_call(Client *client, uint64_t timeout_usec, sd_bus_message **ret_reply, const char *path,
                     const char *interface, const char *member, const char *types, ...);

/* The same in three steps, for arguments that one format cannot say. */
ExitCode client_new_call(Client *client, const char *path, const char *interface, const char *member,
                         sd_bus_message **ret);
int client_send(Client *client, sd_bus_message *call, uint64_t timeout_usec, sd_bus_error *error,
                sd_bus_message **ret_reply); /* silent; negative errno */
ExitCode client_report(Client *client, sd_bus_message *call, const sd_bus_error *error, int r);

/* Whether an error means that nobody is there to answer (any more). */
bool client_error_is_absence(const sd_bus_error *error, int r);

/* The exit code that an error of the bus or the daemon stands for. */
ExitCode client_exit_code(const sd_bus_error *error, int r);

/* Where the daemon on that bus reads its radios from, for people. Static. */
const char *config_place(BusKind kind);

/* What the one who runs the tool can do about Radio.Reason; "" when nothing. Static. */
const char *reason_advice(const char *reason);
