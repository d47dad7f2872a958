/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* AF_UNIX stream: one JSON object a line in, one a line out. */

#include <systemd/sd-event.h>

#include "simulator.h"

typedef struct ControlSocket ControlSocket;

/* Replaces a dead socket at path, nothing else. Logs. */
int control_socket_new(sd_event *event, const char *path, Simulator *sim, ControlSocket **ret);
ControlSocket *control_socket_free(ControlSocket *socket);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ControlSocket, control_socket_free)
