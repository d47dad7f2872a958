/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "watchdog.h"

#include <systemd/sd-daemon.h>
#include <time.h>

#include "events.h"
#include "log.h"
#include "macros.h"

/* Half the time that systemd waits; the rest is for a machine that is busy. */
static uint64_t interval(void) {
        uint64_t usec;

        return sd_watchdog_enabled(false, &usec) > 0 ? usec / 2 : 0;
}

static int on_time(sd_event_source *source, uint64_t usec, void *userdata) {
        Manager *manager = userdata;
        const char *stuck = manager_find_stuck(manager);
        int r;

        if (stuck)
                (void) log_full(&(LogContext){.radio = stuck, .topic = "watchdog", .id = EVENT_STUCK},
                                LOG_CRIT, 0, __FILE__, __LINE__,
                                "nothing moves this radio any more, waiting for the watchdog");
        else
                (void) sd_notify(false, "WATCHDOG=1");

        r = sd_event_source_set_time_relative(source, interval());
        if (r >= 0)
                r = sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
        return r;
}

int watchdog_new(sd_event *event, Manager *manager, sd_event_source **ret) {
        uint64_t usec = interval();
        int r;

        *ret = NULL;
        if (usec == 0)
                return 0;

        /* CLOCK_MONOTONIC stands still while the machine sleeps, as systemd's does. */
        r = sd_event_add_time_relative(event, ret, CLOCK_MONOTONIC, usec, usec / 4, on_time, manager);
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(*ret, "watchdog");
        return 0;
}
