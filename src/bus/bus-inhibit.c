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
        sd_bus_message *call; /* to be answered with … */
        int theirs;           /* … when the port is free */
};

static void inhibition_log(const char *id, int level, const char *what) {
        const LogContext context = {.radio = id, .topic = "inhibit", .id = EVENT_INHIBITED};

        (void) log_full(&context, level, 0, __FILE__, __LINE__, "%s", what);
}

static void inhibition_free(BusInhibition *self) {
        g_queue_unlink(&self->bus->inhibitions, &self->link);
        sd_event_source_disable_unref(self->source);
        (void) close(self->fd);
        if (self->theirs >= 0)
                (void) close(self->theirs);
        sd_bus_message_unref(self->call);
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
        BusInhibition *self;
        int fds[2], r;

        if (g_queue_get_length(&bus->inhibitions) >= BUS_INHIBITIONS_MAX)
                return bus_error_set(error, OUTCOME_IN_PROGRESS, "Radios are handed over %i times already",
                                     BUS_INHIBITIONS_MAX);
        if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
                return bus_error_errno(error, -errno, "Cannot make a pipe");

        self = g_new(BusInhibition, 1);
        *self = (BusInhibition){
                        .bus = bus,
                        .link = {.data = self},
                        .id = g_strdup(radio_id(radio->radio)),
                        .fd = fds[0],
                        .theirs = fds[1],
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

        manager_inhibit(bus->manager, self->id);
        self->call = sd_bus_message_ref(call);
        bus_inhibitions_answer(bus);
        return 1;
}

void bus_inhibitions_answer(Bus *bus) {
        GList *after;

        for (GList *l = bus->inhibitions.head; l; l = after) {
                BusInhibition *self = l->data;
                g_autoptr(sd_bus_message) call = NULL;
                int r;

                after = l->next;
                if (!self->call || !manager_is_handed_over(bus->manager, self->id))
                        continue;

                call = g_steal_pointer(&self->call);
                r = sd_bus_reply_method_return(call, "h", self->theirs);
                if (r < 0)
                        (void) log_debug_errno(r, "Cannot answer who wants a radio, taking it back");
                /* The reply has a copy; when it could not be sent, this was the last one. */
                (void) close(self->theirs);
                self->theirs = -EBADF;
        }
}

void bus_inhibitions_detach(Bus *bus, bool tell) {
        g_auto(Outcome) outcome = {};

        (void) outcome_set(&outcome, OUTCOME_CANCELLED, "The daemon stops");
        for (GList *l = bus->inhibitions.head; l; l = l->next) {
                BusInhibition *self = l->data;

                if (!self->call)
                        continue;
                if (tell)
                        bus_reply_outcome(self->call, &outcome);
                self->call = sd_bus_message_unref(self->call);
                (void) close(self->theirs);
                self->theirs = -EBADF;
        }
}

void bus_inhibitions_clear(Bus *bus) {
        BusInhibition *self;

        while ((self = g_queue_peek_head(&bus->inhibitions)))
                inhibition_free(self);
}
