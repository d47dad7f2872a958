/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bus-internal.h"
#include "log.h"

/* org.freedesktop.LogControl1(5): systemctl service-log-level. The writable
 * properties lack SD_BUS_VTABLE_UNPRIVILEGED, so sd-bus lets only root and our own user set them. */

BUS_GETTER(log_level) {
        return sd_bus_message_append(reply, "s", log_level_to_string(log_get_level()));
}

static int property_set_log_level(sd_bus *conn, const char *object, const char *interface,
                                  const char *property, sd_bus_message *value, void *userdata,
                                  sd_bus_error *error) {
        const char *text;
        int level, r;

        r = sd_bus_message_read(value, "s", &text);
        if (r < 0)
                return r;
        level = log_level_from_string(text);
        if (level < 0)
                return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS, "No log level is called \"%s\"",
                                         text);

        log_set_level(level);
        return 0;
}

BUS_GETTER(log_target) {
        return sd_bus_message_append(reply, "s", log_get_target());
}

static int property_set_log_target(sd_bus *conn, const char *object, const char *interface,
                                   const char *property, sd_bus_message *value, void *userdata,
                                   sd_bus_error *error) {
        const char *text;
        int r;

        r = sd_bus_message_read(value, "s", &text);
        if (r < 0)
                return r;
        if (log_set_target(text) < 0)
                return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS,
                                         "The log goes to journal, console or auto, not to \"%s\"", text);
        return 0;
}

BUS_GETTER(syslog_identifier) {
        return sd_bus_message_append(reply, "s", "meshcored");
}

const sd_bus_vtable bus_log_vtable[] = {
                SD_BUS_VTABLE_START(0),
                SD_BUS_WRITABLE_PROPERTY("LogLevel", "s", property_get_log_level, property_set_log_level, 0,
                                         0),
                SD_BUS_WRITABLE_PROPERTY("LogTarget", "s", property_get_log_target, property_set_log_target,
                                         0, 0),
                BUS_PROPERTY("SyslogIdentifier", "s", syslog_identifier, SD_BUS_VTABLE_PROPERTY_CONST),
                SD_BUS_VTABLE_END,
};
