/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "bus-internal.h"

/* -- properties ----------------------------------------------------------- */

#define CHANNEL_GETTER(name, type, expression)                                     \
        BUS_GETTER(name) {                                                         \
                const Channel *channel = ((const BusChannel *) userdata)->channel; \
                                                                                   \
                return sd_bus_message_append(reply, type, expression);             \
        }

CHANNEL_GETTER(slot, "y", (uint8_t) channel->slot)
CHANNEL_GETTER(name, "s", bus_text(channel->name))
CHANNEL_GETTER(kind, "s", channel_kind_to_string(channel->kind))
CHANNEL_GETTER(unread, "u", (uint32_t) MIN(channel->unread, UINT32_MAX))

BUS_GETTER(max_text) {
        const BusChannel *found = userdata;
        Recipient to = {.channel = found->channel};

        return sd_bus_message_append(reply, "u", radio_max_text(found->radio->radio, &to));
}

/* -- changes -------------------------------------------------------------- */

void bus_queue_channel(BusRadio *self, const Channel *channel, ChannelChange what) {
        g_autofree char *path = NULL;

        if (channel->slot < 0 || !bus_can_emit(self->bus))
                return;

        path = bus_path_channel(self, channel);
        if (what & CHANNEL_CHANGED_NAME)
                bus_queue_changed(self->bus, path, BUS_CHANNEL, "Name");
        if (what & CHANNEL_CHANGED_KIND)
                bus_queue_changed(self->bus, path, BUS_CHANNEL, "Kind");
        if (what & CHANNEL_CHANGED_UNREAD)
                bus_queue_changed(self->bus, path, BUS_CHANNEL, "Unread");
}

/* -- methods -------------------------------------------------------------- */

static int method_send_text(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        BusChannel *found = userdata;

        return bus_send_text(found->radio, &(Recipient){.channel = found->channel}, call, error);
}

static int method_send_data(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        BusChannel *found = userdata;
        BusRadio *self = found->radio;
        Recipient to = {.channel = found->channel};
        uint16_t type;
        BusSend send;
        Slice data;
        int r;

        r = sd_bus_message_read(call, "q", &type);
        if (r >= 0)
                r = sd_bus_message_read_array(call, 'y', (const void **) &data.data, &data.size);
        if (r < 0)
                return bus_error_arguments(error, r);
        r = bus_send_begin(self->bus, &send, call, error);
        if (r <= 0)
                return r < 0 ? r : 1;

        send.data_type = type;
        send.data = data;
        return bus_send_finish(&send, self, &to, call, error);
}

static int method_get_secret(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        BusChannel *found = userdata;
        g_autoptr(sd_bus_message) reply = NULL;
        int r;

        r = bus_authorize(found->radio->bus, call, error);
        if (r <= 0)
                return r < 0 ? r : 1;

        /* Wiped when freed: the method is marked as sensitive. */
        r = sd_bus_message_new_method_return(call, &reply);
        if (r < 0)
                return r;
        r = sd_bus_message_append_array(reply, 'y', found->channel->secret, sizeof(found->channel->secret));
        if (r < 0)
                return r;
        return sd_bus_message_send(reply);
}

static int method_export(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        BusChannel *found = userdata;
        g_auto(Outcome) outcome = {};
        char *uri = NULL;
        int r;

        r = bus_authorize(found->radio->bus, call, error);
        if (r <= 0)
                return r < 0 ? r : 1;

        if (radio_channel_uri(found->radio->radio, found->channel, &uri, &outcome) != OUTCOME_OK)
                return bus_error_outcome(error, &outcome);

        r = sd_bus_reply_method_return(call, "s", bus_text(uri));
        explicit_bzero(uri, strlen(uri));
        g_free(uri);
        return r;
}

static int method_clear(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        BusChannel *found = userdata;
        BusCaller *caller;
        int r;

        r = bus_answer_later(found->radio->bus, call, &caller, error);
        if (r > 0)
                radio_clear_channel(found->radio->radio, (unsigned) found->channel->slot, bus_answer, caller);
        return r < 0 ? r : 1;
}

#define CHANGES(name, type, getter) BUS_PROPERTY(name, type, getter, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE)

const sd_bus_vtable bus_channel_vtable[] = {
                SD_BUS_VTABLE_START(0),
                BUS_PROPERTY("Slot", "y", slot, SD_BUS_VTABLE_PROPERTY_CONST),
                CHANGES("Name", "s", name),
                CHANGES("Kind", "s", kind),
                CHANGES("Unread", "u", unread),
                CHANGES("MaxTextBytes", "u", max_text),
                SD_BUS_METHOD_WITH_ARGS("SendText", SD_BUS_ARGS("s", text, "a{sv}", options),
                                        SD_BUS_RESULT("o", message), method_send_text,
                                        SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_METHOD_WITH_ARGS("SendData", SD_BUS_ARGS("q", type, "ay", data, "a{sv}", options),
                                        SD_BUS_RESULT("o", message), method_send_data,
                                        SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_METHOD_WITH_ARGS("GetSecret", SD_BUS_NO_ARGS, SD_BUS_RESULT("ay", secret),
                                        method_get_secret,
                                        SD_BUS_VTABLE_UNPRIVILEGED | SD_BUS_VTABLE_SENSITIVE),
                SD_BUS_METHOD_WITH_ARGS("Export", SD_BUS_NO_ARGS, SD_BUS_RESULT("s", uri), method_export,
                                        SD_BUS_VTABLE_UNPRIVILEGED | SD_BUS_VTABLE_SENSITIVE),
                SD_BUS_METHOD_WITH_ARGS("Clear", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method_clear,
                                        SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_VTABLE_END,
};
