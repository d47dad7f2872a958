/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Which contacts a command means. */

#include "json-out.h"

/* Part of the name in any case, the beginning of the key, or a pattern with * and ? for the whole name. */
bool contact_fits(JsonObject *contact, const char *pattern);
