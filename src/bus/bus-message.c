/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bus-internal.h"

/* -- properties ----------------------------------------------------------- */

static int property_get(sd_bus *conn, const char *path, const char *interface, const char *property,
                        sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const BusMessage *found = userdata;

        return bus_record_append_field(reply, found->radio, found->message, property);
}

/* -- changes -------------------------------------------------------------- */

void bus_queue_message(BusRadio *self, const Message *message, MessageChange what) {
        static const struct {
                MessageChange what;
                const char *property;
        } table[] = {
                        {MESSAGE_CHANGED_STATE, "State"},
                        {MESSAGE_CHANGED_READ, "Read"},
                        {MESSAGE_CHANGED_SENDER_TIMESTAMP, "SenderTimestampUSec"},
                        {MESSAGE_CHANGED_ATTEMPTS, "Attempts"},
                        {MESSAGE_CHANGED_ROUND_TRIP, "RoundTripUSec"},
                        {MESSAGE_CHANGED_UNCERTAIN, "Uncertain"},
                        {MESSAGE_CHANGED_ERROR, "Error"},
                        {MESSAGE_CHANGED_REPEATS, "Repeats"},
        };
        g_autofree char *path = NULL;

        if (!bus_can_emit(self->bus))
                return;

        path = bus_path_message(self, message->id);
        for (size_t i = 0; i < ELEMENTSOF(table); i++)
                if (what & table[i].what)
                        bus_queue_changed(self->bus, path, BUS_MESSAGE, table[i].property);
}

/* -- methods -------------------------------------------------------------- */

static int method_mark_read(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        BusMessage *found = userdata;
        uint64_t id = found->message->id;
        int r;

        r = bus_authorize(found->radio->bus, call, error);
        if (r <= 0)
                return r < 0 ? r : 1;

        r = identity_mark_read(found->radio->identity, &id, 1);
        if (r < 0)
                return bus_error_errno(error, r, "Cannot mark the message");
        return sd_bus_reply_method_return(call, NULL);
}

static int method_resend(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        BusMessage *found = userdata;
        BusRadio *self = found->radio;
        uint64_t id = found->message->id;
        SendOptions options = {.queue = true};
        g_auto(Outcome) outcome = {};
        g_autofree char *path = NULL;
        uid_t uid;
        int r;

        r = bus_authorize(self->bus, call, error);
        if (r <= 0)
                return r < 0 ? r : 1;
        r = bus_caller_uid(self->bus, call, &uid, error);
        if (r < 0)
                return r;

        options.uid = uid;
        if (radio_resend_message(self->radio, id, &options, &id, &outcome) != OUTCOME_OK)
                return bus_error_outcome(error, &outcome);

        path = bus_path_message(self, id);
        return sd_bus_reply_method_return(call, "o", path);
}

static int method_cancel(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        BusMessage *found = userdata;
        g_auto(Outcome) outcome = {};
        int r;

        r = bus_authorize(found->radio->bus, call, error);
        if (r <= 0)
                return r < 0 ? r : 1;

        if (radio_cancel_message(found->radio->radio, found->message->id, &outcome) != OUTCOME_OK)
                return bus_error_outcome(error, &outcome);
        return sd_bus_reply_method_return(call, NULL);
}

static int method_delete(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        BusMessage *found = userdata;
        uint64_t id = found->message->id;
        int r;

        r = bus_authorize(found->radio->bus, call, error);
        if (r <= 0)
                return r < 0 ? r : 1;

        r = identity_delete_messages(found->radio->identity, &id, 1);
        if (r == -EBUSY)
                return bus_error_set(error, OUTCOME_IN_PROGRESS,
                                     "The message is still being sent: cancel it first");
        if (r < 0)
                return bus_error_errno(error, r, "Cannot delete the message");
        return sd_bus_reply_method_return(call, NULL);
}

#define FIXED(name, type)   SD_BUS_PROPERTY(name, type, property_get, 0, SD_BUS_VTABLE_PROPERTY_CONST)
#define CHANGES(name, type) SD_BUS_PROPERTY(name, type, property_get, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE)
#define SILENT(name, type)  SD_BUS_PROPERTY(name, type, property_get, 0, 0)

const sd_bus_vtable bus_message_vtable[] = {
                SD_BUS_VTABLE_START(0),
                FIXED("Id", "t"),
                SILENT("Peer", "o"),
                FIXED("PeerPrefix", "s"),
                SILENT("Channel", "o"),
                FIXED("Author", "s"),
                FIXED("AuthorKeyPrefix", "s"),
                FIXED("Text", "s"),
                FIXED("Data", "ay"),
                FIXED("DataType", "q"),
                FIXED("Kind", "s"),
                CHANGES("State", "s"),
                CHANGES("Read", "b"),
                FIXED("TimestampUSec", "t"),
                CHANGES("SenderTimestampUSec", "t"),
                FIXED("Snr", "d"),
                FIXED("Hops", "y"),
                CHANGES("Attempts", "u"),
                CHANGES("RoundTripUSec", "t"),
                CHANGES("Uncertain", "b"),
                FIXED("ExpiresUSec", "t"),
                CHANGES("Error", "s"),
                CHANGES("Repeats", "aaay"),
                SD_BUS_METHOD_WITH_ARGS("MarkRead", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method_mark_read,
                                        SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_METHOD_WITH_ARGS("Resend", SD_BUS_NO_ARGS, SD_BUS_RESULT("o", message), method_resend,
                                        SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_METHOD_WITH_ARGS("Cancel", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method_cancel,
                                        SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_METHOD_WITH_ARGS("Delete", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method_delete,
                                        SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_VTABLE_END,
};
