/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "bus-internal.h"
#include "events.h"
#include "log.h"
#include "terminal.h"

/* Radios handed over. The caller gets one end of a pipe; when the last copy of it is closed, also by the
 * death of everybody who had one, the radio is taken back. This has nothing to do with the connection to the
 * bus. */

#define WHY_LOGGED 100 /* characters */

struct BusInhibition {
        Bus *bus;
        GList link;
        char *id;
        int fd;
        sd_event_source *source;
};

static void inhibition_log(const char *id, int level, const char *what) {
        const LogContext context = {.radio = id, .topic = "inhibit", .id = EVENT_INHIBITED};

        (void) log_full(&context, level, 0, __FILE__, __LINE__, "%s", what);
}

static void inhibition_free(BusInhibition *self) {
        g_queue_unlink(&self->bus->inhibitions, &self->link);
        sd_event_source_disable_unref(self->source);
        if (self->fd >= 0)
                (void) close(self->fd);
        g_free(self->id);
        g_free(self);
}

static int on_closed(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        BusInhibition *self = userdata;
        Manager *manager = self->bus->manager;
        g_autofree char *id = g_steal_pointer(&self->id);

        inhibition_free(self);
        log_full(&(LogContext){.radio = id, .topic = "inhibit"}, LOG_INFO, 0, __FILE__, __LINE__,
                 "given back");
        manager_release(manager, id);
        return 0;
}

int bus_inhibit(BusRadio *radio, sd_bus_message *call, const char *why, sd_bus_error *error) {
        Bus *bus = radio->bus;
        g_autofree char *cut = NULL, *escaped = NULL, *text = NULL;
        _cleanup_close_ int theirs = -EBADF;
        BusInhibition *self;
        int fds[2], r;

        if (g_queue_get_length(&bus->inhibitions) >= BUS_INHIBITIONS_MAX)
                return bus_error_set(error, OUTCOME_IN_PROGRESS, "Radios are handed over %i times already",
                                     BUS_INHIBITIONS_MAX);
        if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
                return bus_error_errno(error, -errno, "Cannot make a pipe");

        theirs = fds[1];
        self = g_new(BusInhibition, 1);
        *self = (BusInhibition){
                        .bus = bus,
                        .link = {.data = self},
                        .id = g_strdup(radio_id(radio->radio)),
                        .fd = fds[0],
        };
        g_queue_push_tail_link(&bus->inhibitions, &self->link);

        r = sd_event_add_io(bus->event, &self->source, self->fd, 0, on_closed, self);
        if (r < 0) {
                inhibition_free(self);
                return bus_error_errno(error, r, "Cannot watch a pipe");
        }

        cut = g_utf8_substring(why, 0, MIN(g_utf8_strlen(why, -1), WHY_LOGGED));
        escaped = terminal_escape(cut);
        text = g_strdup_printf("handed over: %s", *escaped ? escaped : "no reason given");
        inhibition_log(self->id, LOG_NOTICE, text);

        /* The port is closed when this returns. The radio is only looked at, not gone: it stays on the bus.
         */
        manager_inhibit(bus->manager, self->id);
        r = sd_bus_reply_method_return(call, "h", theirs);
        return r;
}

void bus_inhibitions_clear(Bus *bus) {
        BusInhibition *self;

        while ((self = g_queue_peek_head(&bus->inhibitions)))
                inhibition_free(self);
}
