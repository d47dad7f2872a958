/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Finding out which messages a command means. */

#include "history.h"

/* The conversation called name in one radio: a recipient, or with channel_only a channel by name or slot.
 * Returns 1, 0 when it has none, or -ENOTUNIQ with the candidates. Strings in ret are borrowed from objects
 * and name. */
int conversation_find(Objects *objects, const char *radio, const char *name, bool channel_only,
                      HistoryFilter *ret, char **ret_candidates);

/* The message with this number, in the radios that --radio means. */
ExitCode message_find(Client *client, Objects *objects, const CtlOptions *options, const char *number,
                      JsonObject **ret);
