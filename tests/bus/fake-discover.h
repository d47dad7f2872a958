/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* discover.h without ports and adapters. */

#include "discover.h"

/* What is looked for now; NULL: nothing. */
const DiscoverOptions *fake_discovery(void);
void fake_discovery_answer(OutcomeCode code, const GPtrArray *found);
/* The address whose bond is to be forgotten; NULL: none. */
const char *fake_forget(void);
void fake_forget_answer(OutcomeCode code);
