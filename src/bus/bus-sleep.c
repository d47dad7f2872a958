/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <fcntl.h>
#include <unistd.h>

#include "bus-internal.h"
#include "log.h"

/* Suspend and resume, as logind tells it. A radio on Wi-Fi that is left without a word keeps its one
 * connection for somebody who is gone; one that was told is free at once, and what waits to be written is. */

#define LOGIND_NAME      "org.freedesktop.login1"
#define LOGIND_PATH      "/org/freedesktop/login1"
#define LOGIND_INTERFACE "org.freedesktop.login1.Manager"

static void drop_delay(Bus *bus) {
        if (bus->sleep_delay >= 0)
                (void) close(bus->sleep_delay);
        bus->sleep_delay = -EBADF;
}

static int on_delay(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        Bus *bus = userdata;
        int fd;

        if (sd_bus_message_is_method_error(reply, NULL)) {
                log_debug("No delay of sleep (%s), ignoring", sd_bus_message_get_error(reply)->name);
                return 0;
        }

        if (sd_bus_message_read(reply, "h", &fd) < 0)
                return 0;
        drop_delay(bus);
        bus->sleep_delay = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        return 0;
}

/* Asks to be waited for when the machine is to sleep; logind gives us five seconds by default. */
static void take_delay(Bus *bus) {
        g_autoptr(sd_bus_message) call = NULL;
        int r;

        r = sd_bus_message_new_method_call(bus->conn, &call, LOGIND_NAME, LOGIND_PATH, LOGIND_INTERFACE,
                                           "Inhibit");
        if (r >= 0)
                r = sd_bus_message_set_auto_start(call, false);
        if (r >= 0)
                r = sd_bus_message_append(call, "ssss", "sleep", "meshcored",
                                          "Leave the radios in good order", "delay");
        if (r >= 0)
                r = sd_bus_call_async(bus->conn, NULL, call, on_delay, bus, 0);
        if (r < 0)
                (void) log_debug_errno(r, "Cannot ask for a delay of sleep, ignoring");
}

static int on_sleep(sd_bus_message *signal, void *userdata, sd_bus_error *error) {
        Bus *bus = userdata;
        int asleep;

        if (sd_bus_message_read(signal, "b", &asleep) < 0)
                return 0;

        log_info(asleep ? "The machine goes to sleep, leaving the radios" : "The machine is awake again");
        bus->sleeping = asleep;
        manager_set_asleep(bus->manager, asleep);
        if (asleep)
                bus_sleep_update(bus);
        else
                take_delay(bus);
        return 0;
}

void bus_sleep_update(Bus *bus) {
        if (bus->sleeping && manager_is_handed_over(bus->manager, NULL))
                drop_delay(bus);
}

int bus_sleep_watch(Bus *bus, sd_bus_slot **ret) {
        int r;

        r = sd_bus_match_signal_async(bus->conn, ret, LOGIND_NAME, LOGIND_PATH, LOGIND_INTERFACE,
                                      "PrepareForSleep", on_sleep, NULL, bus);
        if (r >= 0)
                take_delay(bus);
        return r;
}

void bus_sleep_forget(Bus *bus) {
        drop_delay(bus);
        bus->sleeping = false;
        /* Nobody would tell us of the waking. */
        manager_set_asleep(bus->manager, false);
}
