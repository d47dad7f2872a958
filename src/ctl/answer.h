/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Answers of the mesh: open sets of named values, shown by their form as one value a line or as a table. */

#include "target.h"

/* Sends a call, r being how putting it together went, and prints what comes. stream: with --json one line. */
ExitCode answer_ask(const Target *target, sd_bus_message *call, int r, bool stream);
/* The hops of a path, separated by commas; allocated. */
char *answer_hops_text(JsonArray *hops);
/* Adds bytes written as hex digits as an ay. Returns -EINVAL when they are not. */
int answer_append_hex(sd_bus_message *call, const char *text);
