/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "bus-internal.h"

/* -- properties ----------------------------------------------------------- */

BUS_GETTER(last_id) {
        const BusRadio *self = userdata;

        return sd_bus_message_append(reply, "t",
                                     self->identity ? identity_last_message_id(self->identity) : 0);
}

BUS_GETTER(unread) {
        const BusRadio *self = userdata;
        uint64_t n = self->identity ? identity_unread(self->identity) : 0;

        return sd_bus_message_append(reply, "u", (uint32_t) MIN(n, UINT32_MAX));
}

BUS_GETTER(history_id) {
        const BusRadio *self = userdata;

        return sd_bus_message_append(reply, "s", store_history_id(manager_store(self->bus->manager)));
}

/* -- signals -------------------------------------------------------------- */

void bus_emit_received(BusRadio *self, const Message *message) {
        sd_bus_message *signal = bus_signal_new(self->bus, self->path, BUS_MESSAGES, "Received");
        g_autofree char *conversation = NULL, *path = NULL;
        int r;

        if (!signal)
                return;

        conversation = message->channel != 0 ? bus_path_message_channel(self, message)
                                             : bus_path_peer(self, message);
        path = bus_path_message(self, message->id);

        r = sd_bus_message_append(signal, "oo", conversation, path);
        if (r >= 0)
                r = bus_record_append(signal, self, message);
        bus_signal_send(self->bus, signal, r);
}

void bus_emit_message_state(BusRadio *self, const Message *message) {
        sd_bus_message *signal = bus_signal_new(self->bus, self->path, BUS_MESSAGES, "Changed");
        g_autofree char *path = NULL;

        if (!signal)
                return;

        path = bus_path_message(self, message->id);
        bus_signal_send(self->bus, signal,
                        sd_bus_message_append(signal, "os", path, message_state_to_string(message->state)));
}

void bus_emit_deleted(BusRadio *self, const uint64_t *ids, size_t n) {
        sd_bus_message *signal = bus_signal_new(self->bus, self->path, BUS_MESSAGES, "Deleted");
        int r;

        if (!signal)
                return;

        r = sd_bus_message_open_container(signal, 'a', "o");
        for (size_t i = 0; i < n && r >= 0; i++) {
                g_autofree char *path = bus_path_message(self, ids[i]);

                r = sd_bus_message_append(signal, "o", path);
        }
        if (r >= 0)
                r = sd_bus_message_close_container(signal);
        bus_signal_send(self->bus, signal, r);
}

/* -- MarkRead, Delete ------------------------------------------------------- */

static int read_ids(BusRadio *self, sd_bus_message *call, GArray **ret, sd_bus_error *error) {
        g_autoptr(GArray) ids = g_array_new(false, false, sizeof(uint64_t));
        const char *path;
        uint64_t id;
        int r;

        r = sd_bus_message_enter_container(call, 'a', "o");
        if (r < 0)
                return bus_error_arguments(error, r);

        while ((r = sd_bus_message_read_basic(call, 'o', &path)) > 0) {
                if (bus_path_parse_message(self, path, &id) < 0)
                        return bus_error_set(error, OUTCOME_INVALID_ARGUMENTS,
                                             "%s is no message of this radio", path);
                if (ids->len >= BUS_BATCH_MAX)
                        return bus_error_set(error, OUTCOME_INVALID_ARGUMENTS,
                                             "More than %i messages at once", BUS_BATCH_MAX);
                g_array_append_val(ids, id);
        }
        if (r < 0)
                return bus_error_arguments(error, r);

        r = sd_bus_message_exit_container(call);
        if (r < 0)
                return bus_error_arguments(error, r);
        *ret = g_steal_pointer(&ids);
        return 0;
}

static int change_messages(sd_bus_message *call, BusRadio *self,
                           int (*change)(Identity *identity, const uint64_t *ids, size_t n), const char *what,
                           sd_bus_error *error) {
        g_autoptr(GArray) ids = NULL;
        int r;

        r = read_ids(self, call, &ids, error);
        if (r < 0)
                return r;
        r = bus_authorize(self->bus, call, error);
        if (r <= 0)
                return r < 0 ? r : 1;

        if (self->identity && ids->len > 0) {
                r = change(self->identity, (const uint64_t *) (const void *) ids->data, ids->len);
                if (r == -EBUSY)
                        return bus_error_set(error, OUTCOME_IN_PROGRESS,
                                             "A message is still being sent: cancel it first");
                if (r < 0)
                        return bus_error_errno(error, r, what);
        }

        return sd_bus_reply_method_return(call, NULL);
}

static int method_mark_read(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        return change_messages(call, userdata, identity_mark_read, "Cannot mark the messages", error);
}

static int method_delete(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        return change_messages(call, userdata, identity_delete_messages, "Cannot delete the messages", error);
}

#define CHANGES(name, type, getter) BUS_PROPERTY(name, type, getter, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE)

const sd_bus_vtable bus_messages_vtable[] = {
                SD_BUS_VTABLE_START(0),
                CHANGES("LastId", "t", last_id),
                CHANGES("Unread", "u", unread),
                CHANGES("HistoryId", "s", history_id),
                SD_BUS_METHOD_WITH_ARGS(
                                "List",
                                SD_BUS_ARGS("a{sv}", filter, "t", from_id, "u", limit, "a{sv}", options),
                                SD_BUS_RESULT("a(oa{sv})", messages), bus_method_list,
                                SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_METHOD_WITH_ARGS("MarkRead", SD_BUS_ARGS("ao", messages), SD_BUS_NO_RESULT,
                                        method_mark_read, SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_METHOD_WITH_ARGS("Delete", SD_BUS_ARGS("ao", messages), SD_BUS_NO_RESULT,
                                        method_delete, SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_SIGNAL_WITH_ARGS("Received",
                                        SD_BUS_ARGS("o", conversation, "o", message, "a{sv}", record), 0),
                SD_BUS_SIGNAL_WITH_ARGS("Changed", SD_BUS_ARGS("o", message, "s", state), 0),
                SD_BUS_SIGNAL_WITH_ARGS("Deleted", SD_BUS_ARGS("ao", messages), 0),
                SD_BUS_VTABLE_END,
};
