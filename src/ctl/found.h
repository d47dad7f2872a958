/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Records of Discover and ListBonds. */

#include "objects.h"

/* An array of them out of the answer to method. */
ExitCode found_read(sd_bus_message *reply, const char *method, JsonNode **ret);
/* As a table, with the ids of the radios that objects knows (may be NULL). */
void found_print(JsonArray *records, Objects *objects);
/* As a table or, with --json, as they are. Takes the node. */
ExitCode found_show(const CtlOptions *options, Client *client, JsonNode *taken);
