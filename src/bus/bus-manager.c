/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bus-internal.h"
#include "config.h"

static int property_get_version(sd_bus *conn, const char *path, const char *interface, const char *property,
                                sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        return sd_bus_message_append(reply, "s", MESHCORED_VERSION);
}

const sd_bus_vtable bus_manager_vtable[] = {
                SD_BUS_VTABLE_START(0),
                SD_BUS_PROPERTY("Version", "s", property_get_version, 0, SD_BUS_VTABLE_PROPERTY_CONST),
                SD_BUS_VTABLE_END,
};
