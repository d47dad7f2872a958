/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bus-internal.h"
#include "log.h"

/* Calls that are answered later. Whoever calls gets one reply, and what
 * belongs to a caller ends when the caller is gone. */

struct BusCaller {
        Bus *bus; /* NULL once the connection is gone */
        GList link;
        sd_bus_message *call;
        sd_bus_track *track;
        uid_t uid;

        /* While it waits for a message. */
        BusRadio *radio;
        uint64_t message;
        BusWait wait;

        void (*gone)(void *userdata);
        void *gone_userdata;
};

BusCaller *bus_caller_free(BusCaller *caller) {
        if (!caller)
                return NULL;

        if (caller->bus)
                g_queue_unlink(&caller->bus->callers, &caller->link);
        sd_bus_track_unref(caller->track);
        sd_bus_message_unref(caller->call);
        g_free(caller);
        return NULL;
}

static int on_vanished(sd_bus_track *track, void *userdata) {
        BusCaller *caller = userdata;

        /* One that waits for the radio still counts until the radio is done with it. */
        if (caller->radio)
                bus_caller_free(caller);
        else {
                caller->call = sd_bus_message_unref(caller->call);
                if (caller->gone)
                        caller->gone(caller->gone_userdata);
        }
        return 1;
}

void bus_caller_set_gone(BusCaller *caller, void (*gone)(void *userdata), void *userdata) {
        caller->gone = gone;
        caller->gone_userdata = userdata;
}

static unsigned count_callers(Bus *bus, uid_t uid) {
        unsigned n = 0;

        for (GList *l = bus->callers.head; l; l = l->next)
                n += ((BusCaller *) l->data)->uid == uid;
        return n;
}

int bus_caller_new(Bus *bus, sd_bus_message *call, BusCaller **ret, sd_bus_error *error) {
        g_autoptr(BusCaller) caller = NULL;
        uid_t uid;
        int r;

        r = bus_caller_uid(bus, call, &uid, error);
        if (r < 0)
                return r;
        if (count_callers(bus, uid) >= BUS_CALLERS_MAX)
                return bus_error_set(error, OUTCOME_IN_PROGRESS, "Already %i calls of this user are waiting",
                                     BUS_CALLERS_MAX);

        caller = g_new(BusCaller, 1);
        *caller = (BusCaller){
                        .bus = bus,
                        .call = sd_bus_message_ref(call),
                        .uid = uid,
                        .link = {.data = caller},
        };
        g_queue_push_tail_link(&bus->callers, &caller->link);

        /* Without a bus daemon between, the connection ends with the caller. */
        if (sd_bus_message_get_sender(call)) {
                r = sd_bus_track_new(sd_bus_message_get_bus(call), &caller->track, on_vanished, caller);
                if (r >= 0)
                        r = sd_bus_track_add_sender(caller->track, call);
                if (r < 0)
                        return r;
        }

        *ret = g_steal_pointer(&caller);
        return 0;
}

sd_bus_message *bus_caller_call(BusCaller *caller) {
        return caller->call;
}

Bus *bus_caller_bus(BusCaller *caller) {
        return caller->bus;
}

static void reply_end(BusCaller *caller, OutcomeCode code, const char *what, const char *why) {
        g_auto(Outcome) outcome = {};

        (void) outcome_set(&outcome, code, "Message %" PRIu64 " %s%s%s", caller->message, what,
                           why ? ": " : "", why ?: "");
        bus_reply_outcome(caller->call, &outcome);
        bus_caller_free(caller);
}

static void reply_message(BusCaller *caller) {
        g_autofree char *path = bus_path_message(caller->radio, caller->message);
        int r;

        r = sd_bus_reply_method_return(caller->call, "o", path);
        if (r < 0)
                (void) log_debug_errno(r, "Cannot answer a caller, ignoring");
        bus_caller_free(caller);
}

/* Answers and frees the caller once there is something to say. */
static void caller_settle(BusCaller *caller, const Message *message) {
        switch (message->state) {
        case MESSAGE_DELIVERED:
        case MESSAGE_RECEIVED:
                reply_message(caller);
                return;
        case MESSAGE_SENT:
                if (caller->wait == BUS_WAIT_SENT)
                        reply_message(caller);
                return;
        case MESSAGE_FAILED:
                reply_end(caller, OUTCOME_FAILED, "failed", message->error);
                return;
        case MESSAGE_CANCELLED:
                reply_end(caller, OUTCOME_CANCELLED, "was cancelled", NULL);
                return;
        case MESSAGE_EXPIRED:
                reply_end(caller, OUTCOME_TIMEOUT, "expired before it was sent", NULL);
                return;
        default:
                return;
        }
}

void bus_caller_wait(BusCaller *caller, BusRadio *radio, const Message *message, BusWait wait) {
        caller->radio = radio;
        caller->message = message->id;
        caller->wait = wait;
        caller_settle(caller, message);
}

void bus_callers_message_changed(BusRadio *radio, const Message *message) {
        for (GList *l = radio->bus->callers.head, *next; l; l = next) {
                BusCaller *caller = l->data;

                next = l->next;
                if (caller->radio == radio && caller->message == message->id)
                        caller_settle(caller, message);
        }
}

void bus_callers_radio_gone(BusRadio *radio) {
        for (GList *l = radio->bus->callers.head, *next; l; l = next) {
                BusCaller *caller = l->data;

                next = l->next;
                if (caller->radio == radio)
                        reply_end(caller, OUTCOME_CANCELLED, "is no longer watched: its radio went away",
                                  NULL);
        }
}

void bus_callers_detach(Bus *bus, bool answer) {
        BusCaller *caller;

        while ((caller = g_queue_peek_head(&bus->callers))) {
                if (answer && caller->call) {
                        g_auto(Outcome) outcome = {};

                        (void) outcome_set(&outcome, OUTCOME_CANCELLED, "The daemon stops");
                        bus_reply_outcome(caller->call, &outcome);
                }

                if (caller->radio) {
                        bus_caller_free(caller);
                        continue;
                }

                /* The radio still holds this one, and frees it. */
                g_queue_unlink(&bus->callers, &caller->link);
                caller->bus = NULL;
                caller->call = sd_bus_message_unref(caller->call);
                caller->track = sd_bus_track_unref(caller->track);
        }
}
