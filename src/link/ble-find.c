/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <string.h>

#include "ble-internal.h"
#include "macros.h"

/* Which adapter and which device: known to bluetoothd already, or to be searched for. */

#define POWER_USEC   (5 * USEC_PER_SEC)
#define SEARCH_USEC  (15 * USEC_PER_SEC)
#define LEAVING_USEC (12 * USEC_PER_SEC)

bool ble_is_target(const LinkBle *ble, const BluezDevice *d) {
        if (ble->adapter && strcmp(d->adapter, ble->adapter) != 0)
                return false;
        if (!*ble->target)
                return bluez_device_is_radio(d);
        return bluez_device_is_called(d, ble->target);
}

/* A link that exists, then a bond, then who is near. */
static int score(const LinkBle *ble, const BluezDevice *d) {
        const BluezAdapter *a = bluez_adapter(ble->bluez, d->adapter);

        return (d->connected ? 8 : 0) + (d->paired ? 4 : 0) + (a && a->powered ? 2 : 0) +
               (d->has_rssi ? 1 : 0);
}

static const BluezDevice *find_device(const LinkBle *ble) {
        g_autoptr(GPtrArray) devices = bluez_devices(ble->bluez);
        const BluezDevice *best = NULL;

        for (guint i = 0; i < devices->len; i++) {
                const BluezDevice *d = devices->pdata[i];

                if (!ble_is_target(ble, d))
                        continue;
                if (!best || score(ble, d) > score(ble, best) ||
                    (score(ble, d) == score(ble, best) && d->rssi > best->rssi))
                        best = d;
        }
        return best;
}

static void on_scan_failed(BluezScan *scan, int error, void *userdata) {
        LinkBle *ble = userdata;
        g_autoptr(LinkRef) link = link_ref(&ble->link);

        if (error == -ENETDOWN)
                ble_end_adapter(ble, true);
        else
                ble_end_errno(ble, error, "the Bluetooth service refuses to scan");
}

/* A radio that would have to be paired. */
static bool end_cancelled(LinkBle *ble) {
        if (!bond_is_cancelled(ble->bond))
                return false;

        ble_end(ble, LINK_END_REFUSED, ECANCELED, _BOND_STATE_INVALID, BOND_REASON_NONE,
                "somebody cancelled the pairing: it waits to be asked for again");
        return true;
}

/* What bluetoothd finds here is the same, but it takes the air, and the time of the adapter, of others. */
static void scan(LinkBle *ble, uint64_t usec) {
        int r;

        ble->monitor = bluez_monitor_free(ble->monitor);
        ble_enter(ble, BLE_SEARCHING, usec);
        if (ble->link.state != LINK_OPENING)
                return;
        r = bluez_scan_new(ble->bluez, ble->adapter, on_scan_failed, ble, &ble->scan);
        if (r < 0)
                ble_end_errno(ble, r, "cannot scan");
}

static uint64_t search_usec(const LinkBle *ble) {
        return ble->options.search_usec ?: SEARCH_USEC;
}

static void on_monitor_failed(BluezMonitor *monitor, void *userdata) {
        LinkBle *ble = userdata;
        g_autoptr(LinkRef) link = link_ref(&ble->link);

        scan(ble, search_usec(ble));
}

/* A name is in the answer to a scanner only. */
static bool can_monitor(const LinkBle *ble) {
        const BluezAdapter *a = bluez_adapter(ble->bluez, ble->adapter);

        return a && a->can_monitor && (!*ble->target || bluez_is_address(ble->target));
}

static void search(LinkBle *ble) {
        if (end_cancelled(ble))
                return;

        /* A radio that nobody hears, because it has more to advertise than that, should be found all the
         * same: the last third is a scan. */
        if (can_monitor(ble) &&
            bluez_monitor_new(ble->bluez, ble->adapter, on_monitor_failed, ble, &ble->monitor) >= 0)
                ble_enter(ble, BLE_SEARCHING, search_usec(ble) / 3 * 2);
        else
                scan(ble, search_usec(ble));
}

void ble_search_over(LinkBle *ble) {
        if (ble->monitor)
                scan(ble, search_usec(ble) / 3);
        else
                ble_end_not_found(ble);
}

static void take_device(LinkBle *ble, const BluezDevice *d) {
        g_free(ble->device);
        ble->device = g_strdup(d->path);
        g_free(ble->address);
        ble->address = g_strdup(d->address);
        ble->n_lost = d->n_lost;
        ble->was_paired = d->paired;
        ble->ours = false;
}

void ble_forget_device(LinkBle *ble) {
        ble->was_paired = false;
        bluez_leave(ble->bluez, ble->device, true);
        ble_enter(ble, BLE_LEAVING, LEAVING_USEC);
}

/* A radio without a bond. */
static void begin_unpaired(LinkBle *ble, const BluezDevice *d) {
        if (ble->options.check_only) {
                ble_end(ble, LINK_END_NEEDS_PIN, ENOKEY, BOND_NONE, BOND_REASON_NONE,
                        "the radio is not paired");
                return;
        }
        if (end_cancelled(ble))
                return;

        /* An old entry says nothing about where the radio is, and could not be paired. */
        if (!d->connected && !d->has_rssi) {
                search(ble);
                return;
        }
        ble_pair(ble);
}

void ble_begin_device(LinkBle *ble, const BluezDevice *d) {
        take_device(ble, d);
        if (bluez_is_leaving(ble->bluez, ble->device)) {
                ble_enter(ble, BLE_LEAVING, LEAVING_USEC);
                return;
        }
        if (ble->options.repair && !ble->repaired) {
                ble->repaired = true;
                if (d->paired) {
                        ble_forget_device(ble);
                        return;
                }
        }

        if (!d->paired)
                begin_unpaired(ble, d);
        else if (d->connected)
                ble_resolve(ble);
        else
                ble_connect(ble);
}

static bool need_power(LinkBle *ble, const BluezAdapter *a) {
        g_autoptr(sd_bus_message) power = NULL, pairable = NULL;

        if (ble->options.power_on && !a->pairable &&
            bluez_message_set(ble->bluez, a->path, BLUEZ_ADAPTER, "Pairable", true, &pairable) >= 0)
                bluez_tell(ble->bluez, pairable);
        if (a->powered)
                return false;
        if (!ble->options.power_on || ble->powered) {
                ble_end_adapter(ble, true);
                return true;
        }

        ble->powered = true;
        ble_enter(ble, BLE_POWER, POWER_USEC);
        if (bluez_message_set(ble->bluez, a->path, BLUEZ_ADAPTER, "Powered", true, &power) >= 0)
                bluez_tell(ble->bluez, power);
        return true;
}

void ble_begin(LinkBle *ble) {
        const BluezAdapter *a;
        const BluezDevice *d;

        ble->adapter = (g_free(ble->adapter), NULL);
        if (ble->adapter_wanted) {
                a = bluez_find_adapter(ble->bluez, ble->adapter_wanted);
                if (!a) {
                        ble_end_adapter(ble, false);
                        return;
                }
                ble->adapter = g_strdup(a->path);
        }

        d = find_device(ble);
        a = d ? bluez_adapter(ble->bluez, d->adapter) : bluez_find_adapter(ble->bluez, ble->adapter_wanted);
        if (!a) {
                ble_end_adapter(ble, false);
                return;
        }
        g_free(ble->adapter);
        ble->adapter = g_strdup(a->path);
        /* Also for what is said of the bond when there is no power. */
        if (d)
                take_device(ble, d);
        if (need_power(ble, a))
                return;

        if (d)
                ble_begin_device(ble, d);
        else if (ble->options.check_only)
                ble_end(ble, LINK_END_NEEDS_PIN, ENOKEY, BOND_NONE, BOND_REASON_NONE,
                        "the radio is not known to the Bluetooth service");
        else
                search(ble);
}
