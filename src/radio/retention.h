/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* How much of the history stays, meshcored.conf(5). */

#include "manager.h"

typedef struct Retention Retention;

/* How long after a change of the limits the first look comes; a test may shorten it. */
extern uint64_t retention_first_usec;

Retention *retention_new(Manager *manager);
Retention *retention_free(Retention *self);
/* The manager's. */
Retention *manager_retention(Manager *manager);
