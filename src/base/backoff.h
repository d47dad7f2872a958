/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdint.h>

/* Delays of 1, 2, 4, 8 … s up to a cap, each with up to 25 % taken off at
 * random so that many radios behind one router don't knock at once. */
typedef struct Backoff {
        uint64_t first_usec;
        uint64_t cap_usec;
        unsigned failures; /* in a row */
} Backoff;

void backoff_init(Backoff *b, uint64_t first_usec, uint64_t cap_usec);

/* Counts a failure and returns how long to wait, µs. */
uint64_t backoff_next(Backoff *b);

void backoff_reset(Backoff *b);
