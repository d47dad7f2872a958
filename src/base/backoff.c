/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "backoff.h"
#include "macros.h"

void backoff_init(Backoff *b, uint64_t first_usec, uint64_t cap_usec) {
        *b = (Backoff){.first_usec = first_usec, .cap_usec = MAX(first_usec, cap_usec)};
}

uint64_t backoff_next(Backoff *b) {
        uint64_t delay = b->first_usec;

        for (unsigned i = 0; i < b->failures && delay < b->cap_usec; i++)
                delay *= 2;
        delay = MIN(delay, b->cap_usec);

        if (b->failures < UINT16_MAX)
                b->failures++;

        return delay - (uint64_t) (g_random_double() * 0.25 * (double) delay);
}

void backoff_reset(Backoff *b) {
        b->failures = 0;
}
