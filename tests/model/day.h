/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Some of all that a store is asked for, for tests in which something under it fails. */

#include "model-fixture.h"

/* Returns 0, or a negative errno: -ENOENT where a message that cannot be read is none. What was refused can
 * be asked for again. */
typedef struct DayStep {
        const char *name;
        int (*run)(Fixture *f);
} DayStep;

extern const DayStep day_steps[]; /* in this order; the last one has no function */

/* The step after whose failure somebody may be forgotten to have been heard. */
int day_flush(Fixture *f);

void day_work(Fixture *f);
/* All of it is in the store, and once. */
void day_assert_done(Fixture *f);

/* Of two dumps: they are too long to print whole. */
void day_assert_same(const char *a, const char *b);
