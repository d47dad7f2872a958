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
                RadioReason reason;

                if (!radio_waits_for_adapter(radio))
                        continue;
                /* Also for another reason to wait: one that is pulled out loses its power first. */
                a = bluez_find_adapter(bluez, radio->settings->adapter);
                reason = !a ? REASON_NOT_PLUGGED : a->powered ? REASON_NONE : REASON_ADAPTER_OFF;
                if (reason != radio->reason)
                        radio_start(radio);
        }
}

BluezWatch *adapter_watch(Manager *manager, Bluez *bluez) {
        return bluez_watch(bluez, on_changed, manager);
}
