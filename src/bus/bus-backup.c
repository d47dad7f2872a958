/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <sys/epoll.h>

#include "bus-internal.h"
#include "log.h"

/* Manager.Backup: the store makes the copy, the caller is told how it went. */

static int on_done(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        Bus *bus = userdata;
        BusCaller *caller = g_steal_pointer(&bus->backup_caller);
        g_auto(Outcome) outcome = {};
        int r;

        r = store_backup_finish(manager_store(bus->manager));
        if (r == -EAGAIN) {
                bus->backup_caller = caller;
                return 0;
        }
        bus->backup = sd_event_source_disable_unref(bus->backup);

        if (r < 0)
                (void) log_warning_errno(r, "A backup failed");
        else
                log_info("A backup was made");
        if (bus_caller_call(caller)) {
                if (r < 0) {
                        (void) outcome_set(&outcome, r == -ENOSPC ? OUTCOME_STORAGE_FULL : OUTCOME_FAILED,
                                           "The backup failed: %s", g_strerror(-r));
                        bus_reply_outcome(bus_caller_call(caller), &outcome);
                } else
                        (void) sd_bus_reply_method_return(bus_caller_call(caller), NULL);
        }
        bus_caller_free(caller);
        return 0;
}

int bus_backup(Bus *bus, sd_bus_message *call, int fd, sd_bus_error *error) {
        Store *store = manager_store(bus->manager);
        g_autoptr(BusCaller) caller = NULL;
        int r;

        if (bus->backup)
                return bus_error_set(error, OUTCOME_IN_PROGRESS, "A backup is being made");
        r = bus_caller_new(bus, call, &caller, error);
        if (r < 0)
                return r;

        r = store_backup_start(store, fd);
        if (r == -EINVAL)
                return bus_error_set(error, OUTCOME_INVALID_ARGUMENTS,
                                     "A backup goes to a regular file that is open for writing");
        if (r == -ENOSPC)
                return bus_error_set(error, OUTCOME_STORAGE_FULL,
                                     "The state directory has no room for a second copy");
        if (r >= 0)
                r = sd_event_add_io(bus->event, &bus->backup, store_backup_fd(store), EPOLLIN, on_done, bus);
        if (r < 0) {
                store_backup_stop(store);
                return bus_error_errno(error, r, "Cannot make a backup");
        }

        bus->backup_caller = g_steal_pointer(&caller);
        return 1;
}

void bus_backup_stop(Bus *bus) {
        if (!bus->backup)
                return;

        bus->backup = sd_event_source_disable_unref(bus->backup);
        bus->backup_caller = bus_caller_free(bus->backup_caller);
        store_backup_stop(manager_store(bus->manager));
}
