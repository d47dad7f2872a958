/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "ble-internal.h"
#include "macros.h"
#include "terminal.h"

/* The ways in which a link over bluetoothd ends, with what is said of it. */

void ble_end(LinkBle *ble, LinkEnd end, int error, BondState state, BondReason reason, const char *format,
             ...) {
        g_autofree char *text = NULL;
        va_list ap;

        va_start(ap, format);
        text = g_strdup_vprintf(format, ap);
        va_end(ap);

        if (state >= 0)
                bond_set(ble->bond, state, reason);
        link_ended(&ble->link, end, error, "%s", text);
}

BondState ble_state_away(const LinkBle *ble) {
        const BluezDevice *d = ble_device(ble);

        if (d ? d->paired
              : ble->was_paired || bond_state(ble->bond) == BOND_VERIFIED ||
                                            bond_state(ble->bond) == BOND_BONDED ||
                                            bond_state(ble->bond) == BOND_UNREACHABLE)
                return BOND_UNREACHABLE;
        return BOND_NONE;
}

void ble_end_errno(LinkBle *ble, int error, const char *what) {
        ble_end(ble, LINK_END_UNREACHABLE, error, ble_state_away(ble), BOND_REASON_STACK, "%s: %s", what,
                g_strerror(ABS(error)));
}

void ble_end_adapter(LinkBle *ble, bool off) {
        const char *which = ble->adapter_wanted ?: "";

        /* What looked like a lost key was this. */
        bond_forget_drops(ble->bond);
        if (off)
                ble_end(ble, LINK_END_ADAPTER_OFF, ENETDOWN, ble_state_away(ble), BOND_REASON_ADAPTER,
                        "the Bluetooth adapter has no power: switch Bluetooth on (bluetoothctl power on)");
        else
                ble_end(ble, LINK_END_NOT_PLUGGED, ENODEV, ble_state_away(ble), BOND_REASON_ADAPTER,
                        "there is no Bluetooth adapter%s%s", *which ? " " : "", which);
}

void ble_end_service(LinkBle *ble) {
        int r = bluez_error(ble->bluez);

        bond_forget_drops(ble->bond);
        if (r == -EACCES || r == -EPERM)
                ble_end(ble, LINK_END_REFUSED, r, ble_state_away(ble), BOND_REASON_STACK,
                        "the system bus does not let us talk to the Bluetooth service");
        else
                ble_end(ble, ble->step == BLE_OPEN ? LINK_END_LOST : LINK_END_NOT_PLUGGED, ENODEV,
                        ble_state_away(ble), BOND_REASON_ADAPTER, "the Bluetooth service is not running");
}

void ble_end_not_found(LinkBle *ble) {
        g_autofree char *name = terminal_escape(ble->target);

        ble_end(ble, LINK_END_UNREACHABLE, EHOSTUNREACH, BOND_NONE, BOND_REASON_NOT_FOUND,
                "no radio %s%swas seen: is it on, near, and not connected to a phone?", name,
                *name ? " " : "");
}

bool ble_error_is_access(const sd_bus_error *e) {
        static const char *const codes[] = {"0x05", "0x08", "0x0c", "0x0f"};

        if (sd_bus_error_has_name(e, "org.bluez.Error.NotAuthorized"))
                return true;
        if (sd_bus_error_has_name(e, "org.bluez.Error.NotPermitted"))
                return g_strcmp0(e->message, "Not paired") == 0;
        for (size_t i = 0; e->message && i < ELEMENTSOF(codes); i++)
                if (strstr(e->message, "ATT error") && strstr(e->message, codes[i]))
                        return true;
        return false;
}

bool ble_end_common(LinkBle *ble, const sd_bus_error *e) {
        const BluezAdapter *a = ble->adapter ? bluez_adapter(ble->bluez, ble->adapter) : NULL;

        if (!bluez_is_ready(ble->bluez)) {
                ble_end_service(ble);
                return true;
        }
        if (!a || !a->powered || sd_bus_error_has_name(e, "org.bluez.Error.NotReady") ||
            (e->message && strstr(e->message, "adapter-not-powered"))) {
                ble_end_adapter(ble, a != NULL);
                return true;
        }
        if (sd_bus_error_has_name(e, SD_BUS_ERROR_ACCESS_DENIED)) {
                ble_end(ble, LINK_END_REFUSED, EACCES, ble_state_away(ble), BOND_REASON_STACK,
                        "the system bus does not let us talk to the Bluetooth service");
                return true;
        }
        return false;
}
