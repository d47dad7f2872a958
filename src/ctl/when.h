/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "ctl.h"

/* An instant as people say it, µs since the epoch: how long ago ("90s", "2h"), "now", "today", "yesterday",
 * "2026-03-01", "2026-03-01 12:30[:05]", "12:30[:05]" (today) or "@" and seconds since the epoch. Local
 * time. Returns 0 or -EINVAL. */
int parse_when(const char *text, uint64_t now_usec, uint64_t *ret_usec);

/* The same for an option that may be absent (then *ret_usec stays); tells standard error. */
ExitCode args_get_when(const Args *args, const char *option, uint64_t *ret_usec);
