/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <sys/timex.h>
#include <time.h>

#include "clock.h"
#include "macros.h"

static uint64_t clock_usec(clockid_t id) {
        struct timespec ts;

        if (clock_gettime(id, &ts) < 0)
                return 0;
        return (uint64_t) ts.tv_sec * USEC_PER_SEC + (uint64_t) ts.tv_nsec / 1000;
}

uint64_t clock_realtime_usec(void) {
        return clock_usec(CLOCK_REALTIME);
}

uint64_t clock_boottime_usec(void) {
        return clock_usec(CLOCK_BOOTTIME);
}

bool clock_is_synchronised(void) {
        struct timex tx = {};
        int r = adjtimex(&tx);

        return r >= 0 && r != TIME_ERROR && !(tx.status & STA_UNSYNC);
}
