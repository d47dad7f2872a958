/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Preloaded: what the kernel says of the clock is what the test wants it to say. */

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timex.h>

__attribute__((visibility("default"))) int adjtimex(struct timex *tx) {
        const char *wanted = getenv("CLOCK_SHIM");
        bool good = wanted && strcmp(wanted, "synchronised") == 0;

        memset(tx, 0, sizeof(*tx));
        tx->status = good ? 0 : STA_UNSYNC;
        return good ? TIME_OK : TIME_ERROR;
}
