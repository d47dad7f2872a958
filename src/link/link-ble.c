/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>
#include <time.h>

#include "ble-internal.h"
#include "log.h"
#include "macros.h"

/* The link to one radio over bluetoothd: its steps, and what moves it from one to the next. */

#define SERVICE_USEC (15 * USEC_PER_SEC)

static LinkBle *BLE(Link *link) {
        return (LinkBle *) link;
}

static uint64_t monotonic_usec(void) {
        struct timespec now;

        g_assert(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
        return (uint64_t) now.tv_sec * USEC_PER_SEC + (uint64_t) now.tv_nsec / 1000;
}

const BluezDevice *ble_device(const LinkBle *ble) {
        return bluez_device(ble->bluez, ble->device);
}

/* -- steps ---------------------------------------------------------------------------- */

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata);

void ble_enter(LinkBle *ble, BleStep step, uint64_t usec) {
        int r = 0;

        ble->step = step;
        ble->step_began = monotonic_usec();
        ble->call = sd_bus_slot_unref(ble->call);
        ble->timer = sd_event_source_disable_unref(ble->timer);
        if (step != BLE_SEARCHING) {
                ble->scan = bluez_scan_free(ble->scan);
                ble->monitor = bluez_monitor_free(ble->monitor);
        }
        if (usec > 0)
                r = sd_event_add_time_relative(ble->link.event, &ble->timer, CLOCK_MONOTONIC, usec, 0,
                                               on_timer, ble);
        /* A step without its limit could last for ever. */
        if (r < 0)
                ble_end_errno(ble, r, "cannot arm a timer");
}

uint64_t ble_step_age(const LinkBle *ble) {
        return monotonic_usec() - ble->step_began;
}

/* -- what happens ----------------------------------------------------------------------------- */

static void device_changed(LinkBle *ble) {
        const BluezDevice *d = ble_device(ble);
        bool lost;

        if (!d) {
                if (ble->step == BLE_LEAVING)
                        return; /* there is a change of its own for it */
                if (ble->step == BLE_OPEN || ble->step == BLE_SUBSCRIBING)
                        ble_end(ble, LINK_END_LOST, ENODEV, BOND_NONE, BOND_REASON_NOT_FOUND,
                                "the radio was removed from the Bluetooth service");
                else if (ble->step > BLE_LEAVING && ble->step != BLE_PAIRING && ble->step != BLE_CONNECTING)
                        ble_begin(ble);
                return;
        }

        lost = d->n_lost != ble->n_lost;
        ble->n_lost = d->n_lost;
        ble->was_paired = d->paired;
        switch (ble->step) {
        case BLE_CONNECTING:
        case BLE_RESOLVING:
                if (lost)
                        ble_dropped(ble, d);
                else if (ble->step == BLE_RESOLVING && !d->connected &&
                         strcmp(d->lost_reason, BLE_REASON_AUTH) == 0)
                        ble_stale(ble, BOND_REASON_KEY_MISSING);
                else if (ble->step == BLE_RESOLVING && d->services_resolved) {
                        bond_forget_drops(ble->bond);
                        ble_subscribe(ble);
                }
                break;
        case BLE_PAUSE:
                if (lost)
                        ble_dropped(ble, d);
                else if (d->connected)
                        ble_resolve(ble);
                break;
        case BLE_SUBSCRIBING:
        case BLE_OPEN:
                if (lost || !d->connected)
                        ble_end(ble, LINK_END_LOST, ECONNRESET, _BOND_STATE_INVALID, BOND_REASON_NONE,
                                "the radio is out of reach, or switched off%s%s", *d->lost_reason ? ": " : "",
                                d->lost_reason);
                break;
        default:
                break;
        }
}

static void adapter_changed(LinkBle *ble) {
        const BluezAdapter *a = ble->adapter ? bluez_adapter(ble->bluez, ble->adapter) : NULL;

        if (ble->step <= BLE_SERVICE)
                return;
        if (!a)
                ble_end_adapter(ble, false);
        else if (ble->step == BLE_POWER && a->powered)
                ble_begin(ble);
        else if (ble->step != BLE_POWER && !a->powered)
                ble_end_adapter(ble, true);
}

static void on_changed(Bluez *bluez, BluezChange what, const char *path, void *userdata) {
        LinkBle *ble = userdata;
        g_autoptr(LinkRef) link = link_ref(&ble->link);
        const BluezDevice *d;

        switch (what) {
        case BLUEZ_CHANGED_SERVICE:
                if (!bluez_is_ready(bluez)) {
                        if (ble->step == BLE_SERVICE && bluez_error(bluez) == 0)
                                break; /* it has just come, and is asked for its objects */
                        ble_end_service(ble);
                } else if (ble->step == BLE_SERVICE)
                        ble_begin(ble);
                break;
        case BLUEZ_CHANGED_ADAPTER:
                adapter_changed(ble);
                break;
        case BLUEZ_CHANGED_LEFT:
                if (ble->step == BLE_LEAVING && g_strcmp0(path, ble->device) == 0)
                        ble_begin(ble);
                break;
        case BLUEZ_CHANGED_DEVICE:
                if (ble->step == BLE_SEARCHING) {
                        d = bluez_device(bluez, path);
                        if (d && (d->has_rssi || d->connected) && ble_is_target(ble, d))
                                ble_begin_device(ble, d);
                } else if (g_strcmp0(path, ble->device) == 0)
                        device_changed(ble);
                break;
        default:
                break;
        }
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        LinkBle *ble = userdata;
        g_autoptr(LinkRef) link = link_ref(&ble->link);
        const BluezDevice *d = ble_device(ble);

        ble->timer = sd_event_source_disable_unref(ble->timer);
        switch (ble->step) {
        case BLE_SERVICE:
                ble_end_service(ble);
                break;
        case BLE_POWER:
                ble_end_adapter(ble, true);
                break;
        case BLE_SEARCHING:
                ble_search_over(ble);
                break;
        case BLE_PAUSE:
                if (d && d->connected)
                        ble_resolve(ble);
                else if (d)
                        ble_connect(ble);
                else
                        ble_begin(ble);
                break;
        case BLE_RESOLVING:
                ble_end(ble, LINK_END_UNREACHABLE, ETIMEDOUT, ble_state_away(ble), BOND_REASON_TIMEOUT,
                        "the radio is connected but does not answer");
                break;
        default:
                ble_end(ble, LINK_END_UNREACHABLE, ETIMEDOUT, ble_state_away(ble), BOND_REASON_TIMEOUT,
                        "the Bluetooth service does not answer");
        }
        return 0;
}

/* -- life ---------------------------------------------------------------------------------------- */

static int on_start(sd_event_source *source, void *userdata) {
        LinkBle *ble = userdata;
        g_autoptr(LinkRef) link = link_ref(&ble->link);
        int r;

        ble->defer = sd_event_source_disable_unref(ble->defer);

        /* A person is asked for; the radio has said all that it has to say. */
        if (bond_is_waiting(ble->bond) && !bond_has_passkey(ble->bond)) {
                ble_end(ble, LINK_END_NEEDS_PIN, ENOKEY, _BOND_STATE_INVALID, BOND_REASON_NONE,
                        "the radio must be paired with its PIN (%s)",
                        bond_reason_to_string(bond_reason(ble->bond)));
                return 0;
        }

        ble->watch = bluez_watch(ble->bluez, on_changed, ble);
        if (bluez_is_ready(ble->bluez)) {
                ble_begin(ble);
                return 0;
        }

        ble_enter(ble, BLE_SERVICE, SERVICE_USEC);
        r = bluez_refresh(ble->bluez, !ble->options.check_only);
        if (r < 0)
                ble_end_service(ble);
        return 0;
}

static int ble_open(Link *link) {
        LinkBle *ble = BLE(link);
        int r;

        r = sd_event_add_defer(link->event, &ble->defer, on_start, ble);
        if (r < 0)
                return r;
        return sd_event_source_set_enabled(ble->defer, SD_EVENT_ONESHOT);
}

static void ble_stop(Link *link) {
        LinkBle *ble = BLE(link);
        const BluezDevice *d = ble_device(ble);

        ble->watch = bluez_unwatch(ble->watch);
        ble->defer = sd_event_source_disable_unref(ble->defer);
        ble->timer = sd_event_source_disable_unref(ble->timer);
        ble_channel_stop(ble);
        ble_pair_stop(ble);
        ble->scan = bluez_scan_free(ble->scan);
        ble->monitor = bluez_monitor_free(ble->monitor);
        ble->call = sd_bus_slot_unref(ble->call);

        /* A pairing that failed leaves an entry without keys behind. */
        if (d && ble->half_done && !d->paired)
                bluez_leave(ble->bluez, ble->device, true);
        else if (d && ble->ours)
                bluez_leave(ble->bluez, ble->device, false);
        if (bond_state(ble->bond) == BOND_PAIRING) /* given up */
                bond_set(ble->bond, d && d->paired ? BOND_BONDED : BOND_NONE, BOND_REASON_NONE);
        ble->half_done = ble->ours = false;
        ble->step = BLE_IDLE;
}

static void ble_free(Link *link) {
        LinkBle *ble = BLE(link);

        g_free(ble->target);
        g_free(ble->adapter_wanted);
        g_free(ble->adapter);
        g_free(ble->device);
        g_free(ble->address);
        g_free(ble->write_path);
        bluez_unref(ble->bluez);
        g_free(ble);
}

static const LinkOps ble_ops = {
                .open = ble_open,
                .send = ble_send,
                .stop = ble_stop,
                .free = ble_free,
};

int link_new_ble(Bluez *bluez, Bond *bond, const char *target, const BleOptions *options,
                 const LinkHandler *handler, void *userdata, Link **ret) {
        LinkBle *ble = g_new0(LinkBle, 1);

        link_init(&ble->link, &ble_ops, bluez_event(bluez), handler, userdata);
        ble->bluez = bluez_ref(bluez);
        ble->bond = bond;
        ble->target = g_strdup(target);
        if (options)
                ble->options = *options;
        ble->adapter_wanted = g_strdup(ble->options.adapter);
        ble->options.adapter = ble->adapter_wanted;
        ble->fd = ble->write_fd = -EBADF;
        g_queue_init(&ble->writes);

        *ret = &ble->link;
        return 0;
}

const char *link_ble_address(const Link *link) {
        return ((const LinkBle *) link)->address ?: "";
}
