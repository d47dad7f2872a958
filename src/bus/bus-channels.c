/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "bus-internal.h"

BUS_GETTER(capacity) {
        const BusRadio *self = userdata;

        return sd_bus_message_append(reply, "u", radio_info(self->radio)->max_channels);
}

/* -- methods -------------------------------------------------------------- */

#define SLOT_FREE UINT8_MAX

static int take_secret(const void *secret, size_t size, const char *source, ChannelFields *fields,
                       sd_bus_error *error) {
        static const struct {
                const char *name;
                ChannelSecret source;
        } table[] = {
                        {"hashtag", CHANNEL_SECRET_DERIVED},
                        {"public", CHANNEL_SECRET_PUBLIC},
                        {"random", CHANNEL_SECRET_RANDOM},
        };

        if (!source) {
                if (size != CHANNEL_SECRET_SIZE)
                        return bus_error_set(
                                        error, OUTCOME_INVALID_ARGUMENTS,
                                        "The secret has %zu bytes instead of %i; without one, Source says "
                                        "hashtag, public or random",
                                        size, CHANNEL_SECRET_SIZE);
                fields->source = CHANNEL_SECRET_GIVEN;
                memcpy(fields->secret, secret, CHANNEL_SECRET_SIZE);
                return 0;
        }

        if (size > 0)
                return bus_error_set(error, OUTCOME_INVALID_ARGUMENTS,
                                     "Either a secret or Source is given, not both");
        for (size_t i = 0; i < ELEMENTSOF(table); i++)
                if (strcmp(table[i].name, source) == 0) {
                        fields->source = table[i].source;
                        return 0;
                }
        return bus_error_set(error, OUTCOME_INVALID_ARGUMENTS,
                             "Source is \"%s\" instead of hashtag, public or random", source);
}

static int method_set(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        BusRadio *self = userdata;
        const char *name, *source = NULL;
        const BusOption options[] = {{"Source", "s", &source}};
        g_autoptr(BusCaller) caller = NULL;
        ChannelFields fields = {};
        const void *secret;
        uint8_t slot;
        size_t size;
        int r;

        r = sd_bus_message_read(call, "ys", &slot, &name);
        if (r < 0)
                return bus_error_arguments(error, r);
        r = sd_bus_message_read_array(call, 'y', &secret, &size);
        if (r < 0)
                return bus_error_arguments(error, r);
        r = bus_read_options(call, options, ELEMENTSOF(options), error);
        if (r < 0)
                return r;
        r = bus_answer_later(self->bus, call, &caller, error);
        if (r <= 0)
                return r < 0 ? r : 1;
        r = take_secret(secret, size, source, &fields, error);
        if (r < 0)
                return r;

        fields.slot = slot == SLOT_FREE ? CHANNEL_SLOT_ANY : slot;
        fields.name = *name || fields.source != CHANNEL_SECRET_PUBLIC ? name : NULL;
        radio_set_channel(self->radio, &fields, bus_answer_channel, g_steal_pointer(&caller));
        explicit_bzero(&fields, sizeof(fields));
        return 1;
}

bool bus_is_channel_uri(const char *uri) {
        static const char beginning[] = "meshcore://channel/";

        return g_ascii_strncasecmp(uri, beginning, strlen(beginning)) == 0;
}

static int method_import(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        BusRadio *self = userdata;
        g_autoptr(BusCaller) caller = NULL;
        const char *uri;
        int r;

        r = bus_answer_later_read(self->bus, call, &caller, error, "s", &uri);
        if (r <= 0)
                return r < 0 ? r : 1;
        if (!bus_is_channel_uri(uri))
                return bus_error_set(error, OUTCOME_INVALID_ARGUMENTS,
                                     "A channel begins with meshcore://channel/; Import of " BUS_CONTACTS
                                     " takes contacts");

        radio_import_uri(self->radio, uri, bus_answer_import, g_steal_pointer(&caller));
        return 1;
}

const sd_bus_vtable bus_channels_vtable[] = {
                SD_BUS_VTABLE_START(0),
                BUS_PROPERTY("Capacity", "u", capacity, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
                SD_BUS_METHOD_WITH_ARGS("Set",
                                        SD_BUS_ARGS("y", slot, "s", name, "ay", secret, "a{sv}", options),
                                        SD_BUS_RESULT("o", channel), method_set,
                                        SD_BUS_VTABLE_UNPRIVILEGED | SD_BUS_VTABLE_SENSITIVE),
                SD_BUS_METHOD_WITH_ARGS("Import", SD_BUS_ARGS("s", uri), SD_BUS_RESULT("o", channel),
                                        method_import, SD_BUS_VTABLE_UNPRIVILEGED | SD_BUS_VTABLE_SENSITIVE),
                SD_BUS_VTABLE_END,
};
