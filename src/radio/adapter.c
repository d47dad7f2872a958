/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "radio-internal.h"

/* Radios that wait for bluetoothd, an adapter, or its power, try again when that comes. */

bool radio_waits_for_adapter(const Radio *radio) {
        return radio->settings->transport == TRANSPORT_BLE && radio->state == RADIO_WAITING &&
               (radio->reason == REASON_NOT_PLUGGED || radio->reason == REASON_ADAPTER_OFF);
}

static void on_changed(Bluez *bluez, BluezChange what, const char *path, void *userdata) {
        Manager *manager = userdata;
        GPtrArray *radios = manager_radios(manager);

        if ((what != BLUEZ_CHANGED_ADAPTER && what != BLUEZ_CHANGED_SERVICE) || !bluez_is_ready(bluez))
                return;

        for (guint i = 0; i < radios->len; i++) {
                Radio *radio = radios->pdata[i];
                const BluezAdapter *a;

                if (!radio_waits_for_adapter(radio))
                        continue;
                a = bluez_find_adapter(bluez, radio->settings->adapter);
                if (a && a->powered)
                        radio_start(radio);
        }
}

BluezWatch *adapter_watch(Manager *manager, Bluez *bluez) {
        return bluez_watch(bluez, on_changed, manager);
}
