/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Scope-bound cleanup of sd-bus objects. */

#include <systemd/sd-bus.h>

static inline void autobus_message_unref(sd_bus_message **m) {
        sd_bus_message_unref(*m);
}

#define _cleanup_message_ __attribute__((cleanup(autobus_message_unref)))
#define _cleanup_error_   __attribute__((cleanup(sd_bus_error_free)))
