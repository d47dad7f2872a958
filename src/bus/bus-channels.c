/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bus-internal.h"

BUS_GETTER(capacity) {
        const BusRadio *self = userdata;

        return sd_bus_message_append(reply, "u", radio_info(self->radio)->max_channels);
}

const sd_bus_vtable bus_channels_vtable[] = {
                SD_BUS_VTABLE_START(0),
                BUS_PROPERTY("Capacity", "u", capacity, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
                SD_BUS_VTABLE_END,
};
