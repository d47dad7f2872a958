/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "hotplug.h"
#include "log.h"

/* Only what is not the default is kept. */
SerialLines lines_choose(Manager *manager, const char *port_id, bool other) {
        g_autofree char *known = NULL;

        if (*port_id && store_get_lines(manager_store(manager), port_id, &known) >= 0 &&
            strcmp(known, serial_lines_to_string(SERIAL_LINES_OTHER)) == 0)
                other = !other;
        return other ? SERIAL_LINES_OTHER : SERIAL_LINES_DEFAULT;
}

void lines_remember(Manager *manager, const char *port_id, bool other) {
        SerialLines worked = lines_choose(manager, port_id, other);
        int r;

        if (!*port_id)
                return;

        r = store_set_lines(manager_store(manager), port_id,
                            worked == SERIAL_LINES_OTHER ? serial_lines_to_string(worked) : NULL);
        if (r < 0)
                (void) log_warning_errno(r, "Cannot keep how the lines of a serial port have to be set");
}
