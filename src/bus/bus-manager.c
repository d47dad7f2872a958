/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bus-internal.h"
#include "config.h"

static int property_get_version(sd_bus *conn, const char *path, const char *interface, const char *property,
                                sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        return sd_bus_message_append(reply, "s", MESHCORED_VERSION);
}

static int method_backup(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        Bus *bus = userdata;
        int fd, r;

        r = sd_bus_message_read(call, "h", &fd);
        if (r < 0)
                return bus_error_arguments(error, r);
        r = bus_authorize(bus, call, error);
        if (r <= 0)
                return r < 0 ? r : 1;

        return bus_backup(bus, call, fd, error);
}

const sd_bus_vtable bus_manager_vtable[] = {
                SD_BUS_VTABLE_START(0),
                SD_BUS_PROPERTY("Version", "s", property_get_version, 0, SD_BUS_VTABLE_PROPERTY_CONST),
                SD_BUS_METHOD_WITH_ARGS("Backup", SD_BUS_ARGS("h", fd), SD_BUS_NO_RESULT, method_backup,
                                        SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_METHOD_WITH_ARGS("Discover", SD_BUS_ARGS("a{sv}", options),
                                        SD_BUS_RESULT("aa{sv}", found), bus_method_discover,
                                        SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_METHOD_WITH_ARGS("ListBonds", SD_BUS_NO_ARGS, SD_BUS_RESULT("aa{sv}", bonds),
                                        bus_method_list_bonds, SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_METHOD_WITH_ARGS("ForgetBond", SD_BUS_ARGS("s", address), SD_BUS_NO_RESULT,
                                        bus_method_forget_bond, SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_METHOD_WITH_ARGS("RegisterAgent", SD_BUS_ARGS("o", agent), SD_BUS_NO_RESULT,
                                        bus_method_register_agent, SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_METHOD_WITH_ARGS("UnregisterAgent", SD_BUS_ARGS("o", agent), SD_BUS_NO_RESULT,
                                        bus_method_unregister_agent, SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_VTABLE_END,
};
