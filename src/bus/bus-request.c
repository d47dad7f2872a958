/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "bus-node.h"
#include "clock.h"
#include "log.h"

/* Calls that wait for another node, each with an object that shows how far it
 * is and lets its owner give it up. */

#define TOKEN_MAX 64 /* bytes */

static const char *const request_interfaces[] = {BUS_REQUEST, NULL};

struct BusRequest {
        Bus *bus; /* NULL once the connection is gone */
        BusCaller *caller;
        NodeRequest *request;
        NodeOperation operation;
        sd_bus_slot *slot;
        char *path, *radio, *target;
        uid_t uid;
        uint64_t started_usec;
        bool told_running;
};

/* -- properties ------------------------------------------------------------ */

BUS_GETTER(radio) {
        return sd_bus_message_append(reply, "o", ((const BusRequest *) userdata)->radio);
}

BUS_GETTER(target) {
        return sd_bus_message_append(reply, "o", ((const BusRequest *) userdata)->target);
}

BUS_GETTER(operation) {
        const BusRequest *self = userdata;

        return sd_bus_message_append(reply, "s", node_operation_to_string(self->operation));
}

BUS_GETTER(owner_uid) {
        return sd_bus_message_append(reply, "u", (uint32_t) ((const BusRequest *) userdata)->uid);
}

BUS_GETTER(started) {
        return sd_bus_message_append(reply, "t", ((const BusRequest *) userdata)->started_usec);
}

BUS_GETTER(state) {
        const BusRequest *self = userdata;

        return sd_bus_message_append(reply, "s",
                                     node_request_state_to_string(node_request_state(self->request)));
}

BUS_GETTER(deadline) {
        return sd_bus_message_append(reply, "t",
                                     node_request_deadline(((const BusRequest *) userdata)->request));
}

/* -- methods --------------------------------------------------------------- */

static int method_cancel(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        BusRequest *self = userdata;
        uid_t uid;
        int r;

        r = bus_authorize(self->bus, call, error);
        if (r <= 0)
                return r < 0 ? r : 1;
        r = bus_caller_uid(self->bus, call, &uid, error);
        if (r < 0)
                return r;
        if (uid != 0 && uid != self->uid)
                return sd_bus_error_set(error, SD_BUS_ERROR_ACCESS_DENIED,
                                        "Only its owner and root may cancel a request");

        node_request_cancel(self->request);
        return sd_bus_reply_method_return(call, NULL);
}

#define FIXED(name, type, getter)   BUS_PROPERTY(name, type, getter, SD_BUS_VTABLE_PROPERTY_CONST)
#define CHANGES(name, type, getter) BUS_PROPERTY(name, type, getter, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE)

static const sd_bus_vtable request_vtable[] = {
                SD_BUS_VTABLE_START(0),
                FIXED("Radio", "o", radio),
                FIXED("Target", "o", target),
                FIXED("Operation", "s", operation),
                FIXED("OwnerUID", "u", owner_uid),
                FIXED("StartedUSec", "t", started),
                CHANGES("State", "s", state),
                CHANGES("DeadlineUSec", "t", deadline),
                SD_BUS_METHOD_WITH_ARGS("Cancel", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method_cancel,
                                        SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_VTABLE_END,
};

/* -- life ------------------------------------------------------------------- */

static void request_free(BusRequest *self) {
        sd_bus_slot_unref(self->slot);
        bus_caller_free(self->caller);
        g_free(self->path);
        g_free(self->radio);
        g_free(self->target);
        g_free(self);
}

static void on_changed(void *userdata) {
        BusRequest *self = userdata;

        if (!self->bus)
                return;
        if (!self->told_running && node_request_state(self->request) == NODE_REQUEST_RUNNING) {
                self->told_running = true;
                bus_queue_changed(self->bus, self->path, BUS_REQUEST, "State");
        }
        if (node_request_deadline(self->request) > 0)
                bus_queue_changed(self->bus, self->path, BUS_REQUEST, "DeadlineUSec");
}

static void on_done(Radio *radio, const Outcome *outcome, NodeAnswer *answer, void *userdata) {
        BusRequest *self = userdata;
        sd_bus_message *call = bus_caller_call(self->caller);

        if (call && outcome->code == OUTCOME_OK)
                bus_reply_node(call, bus_find_radio(self->bus, radio), answer);
        else if (call)
                bus_reply_outcome(call, outcome);

        if (self->bus) {
                self->slot = sd_bus_slot_unref(self->slot);
                g_hash_table_remove(self->bus->requests, self->path);
                bus_emit_removed(self->bus, self->path, request_interfaces);
        }
        request_free(self);
}

/* The caller is gone, so what it asked for is wanted no more. */
static void on_gone(void *userdata) {
        node_request_cancel(((BusRequest *) userdata)->request);
}

void bus_requests_detach(Bus *bus) {
        GHashTableIter iter;
        gpointer value;

        g_hash_table_iter_init(&iter, bus->requests);
        while (g_hash_table_iter_next(&iter, NULL, &value)) {
                BusRequest *self = value;

                self->bus = NULL;
                self->slot = sd_bus_slot_unref(self->slot);
                node_request_cancel(self->request);
        }
        g_hash_table_remove_all(bus->requests);
}

static int request_path(Bus *bus, uid_t uid, const char *token, char **ret, sd_bus_error *error) {
        g_autofree char *path = NULL;

        if (!token) {
                *ret = g_strdup_printf(BUS_REQUESTS_PATH "/%" PRIu64, ++bus->n_requests);
                return 0;
        }

        if (token[0] == 0 || strlen(token) > TOKEN_MAX ||
            strspn(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") != strlen(token))
                return bus_error_set(error, OUTCOME_INVALID_ARGUMENTS,
                                     "RequestToken has 1 to %d letters, digits and underscores", TOKEN_MAX);

        path = g_strdup_printf(BUS_REQUESTS_PATH "/%u_%s", (unsigned) uid, token);
        if (g_hash_table_contains(bus->requests, path))
                return bus_error_set(error, OUTCOME_IN_PROGRESS,
                                     "A request with this RequestToken is running");
        *ret = g_steal_pointer(&path);
        return 0;
}

int bus_request_begin(BusRadio *radio, sd_bus_message *call, NodeQuery *query, const char *token,
                      sd_bus_error *error) {
        Bus *bus = radio->bus;
        g_autoptr(BusCaller) caller = NULL;
        BusRequest *self;
        char *path = NULL;
        uid_t uid;
        int r;

        r = bus_answer_later(bus, call, &caller, error);
        if (r <= 0)
                return r < 0 ? r : 1;
        r = bus_caller_uid(bus, call, &uid, error);
        if (r < 0)
                return r;
        r = request_path(bus, uid, token, &path, error);
        if (r < 0)
                return r;

        self = g_new(BusRequest, 1);
        *self = (BusRequest){
                        .bus = bus,
                        .caller = g_steal_pointer(&caller),
                        .operation = query->operation,
                        .path = path,
                        .radio = g_strdup(radio->path),
                        .target = node_operation_is_general(query->operation)
                                                  ? g_strdup(radio->path)
                                                  : bus_path_contact(radio, &query->key),
                        .uid = uid,
                        .started_usec = clock_realtime_usec(),
        };
        r = sd_bus_add_object_vtable(bus->conn, &self->slot, self->path, BUS_REQUEST, request_vtable, self);
        if (r < 0) {
                request_free(self);
                return r;
        }

        query->uid = uid;
        query->client = sd_bus_message_get_sender(call);
        query->changed = on_changed;
        bus_caller_set_gone(self->caller, on_gone, self);
        self->request = radio_request_node(radio->radio, query, on_done, self);

        g_hash_table_insert(bus->requests, self->path, self);
        bus_emit_added(bus, self->path);
        return 1; /* answered later */
}
