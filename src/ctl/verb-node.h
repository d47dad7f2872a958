/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Shared by the verbs node and console. */

#include "target.h"
#include "verbs.h"

#define IFACE_NODE CTL_SERVICE ".Node"

/* Fails with USAGE for a contact that cannot be asked anything. */
ExitCode node_new_call(const Target *target, const char *path, const char *member, sd_bus_message **ret);
/* Runs one line on the node and prints what comes. */
ExitCode node_run_line(const Target *target, const char *path, const char *line);
