/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "bond-tool.h"
#include "macros.h"

#define SCAN_USEC   (10 * USEC_PER_SEC)
#define FORGET_USEC (12 * USEC_PER_SEC)

/* Turns until the time is up; ends early when *over. */
static void turn(sd_event *event, uint64_t usec, const bool *over) {
        uint64_t now = 0, until;

        (void) sd_event_now(event, CLOCK_MONOTONIC, &now);
        until = now + usec;
        while (!*over && now < until)
                if (sd_event_run(event, until - now) < 0 || sd_event_now(event, CLOCK_MONOTONIC, &now) < 0)
                        break;
}

/* -- list and scan ------------------------------------------------------------------ */

static int compare_devices(gconstpointer a, gconstpointer b) {
        const BluezDevice *x = *(const BluezDevice *const *) a, *y = *(const BluezDevice *const *) b;

        if (x->has_rssi && y->has_rssi && x->rssi != y->rssi)
                return y->rssi - x->rssi;
        return strcmp(x->path, y->path);
}

typedef struct Scan {
        bool over;
        int error;
} Scan;

static void on_scan_failed(BluezScan *scan, int error, void *userdata) {
        Scan *s = userdata;

        s->error = error;
        s->over = true;
}

static Exit scan(sd_event *event, Bluez *bluez, const BluezAdapter *adapter, BluezScan **ret) {
        Scan s = {};
        int r;

        if (!adapter->powered) {
                print_error("The Bluetooth adapter has no power");
                return EXIT_ADAPTER;
        }
        r = bluez_scan_new(bluez, adapter->path, on_scan_failed, &s, ret);
        if (r >= 0)
                turn(event, SCAN_USEC, &s.over);
        if (r < 0 || s.error < 0) {
                print_error("Cannot scan: %s", g_strerror(r < 0 ? -r : -s.error));
                return EXIT_ADAPTER;
        }
        return EXIT_GOOD;
}

Exit run_list(sd_event *event, Bluez *bluez, const Options *options) {
        const BluezAdapter *adapter = bluez_find_adapter(bluez, options->adapter);
        g_autofree char *path = g_strdup(adapter->path);
        g_autoptr(BluezScan) session = NULL;
        g_autoptr(GPtrArray) devices = NULL;
        Exit code = EXIT_GOOD;

        if (options->mode == MODE_SCAN)
                code = scan(event, bluez, adapter, &session);

        devices = bluez_devices(bluez);
        g_ptr_array_sort(devices, compare_devices);
        for (guint i = 0; code == EXIT_GOOD && i < devices->len; i++) {
                const BluezDevice *d = devices->pdata[i];
                bool wanted = options->mode == MODE_SCAN ? d->has_rssi || d->connected : d->paired;

                if (wanted && bluez_device_is_radio(d) &&
                    (!options->adapter || strcmp(d->adapter, path) == 0))
                        print_radio(d, bluez_adapter(bluez, d->adapter));
        }
        (void) print_result(code, _BOND_STATE_INVALID,
                            code == EXIT_GOOD ? BOND_REASON_NONE : BOND_REASON_ADAPTER, NULL);
        return code;
}

/* -- forget ------------------------------------------------------------------------------ */

static void on_changed(Bluez *bluez, BluezChange what, const char *path, void *userdata) {
        if (what == BLUEZ_CHANGED_LEFT || what == BLUEZ_CHANGED_SERVICE)
                *(bool *) userdata = true;
}

Exit run_forget(sd_event *event, Bluez *bluez, const Options *options) {
        const BluezAdapter *adapter = options->adapter ? bluez_find_adapter(bluez, options->adapter) : NULL;
        g_autoptr(GPtrArray) devices = bluez_devices(bluez);
        g_autofree char *path = NULL;
        const BluezDevice *d;
        BluezWatch *watch;
        bool over = false;

        print_fact("Device", options->target);
        for (guint i = 0; i < devices->len && !path; i++) {
                d = devices->pdata[i];
                if ((g_ascii_strcasecmp(d->address, options->target) == 0 ||
                     strcmp(d->name, options->target) == 0) &&
                    d->paired && (!adapter || strcmp(d->adapter, adapter->path) == 0))
                        path = g_strdup(d->path);
        }
        if (!path) {
                print_error("There is no bond with %s", options->target);
                (void) print_result(EXIT_FAILED, BOND_NONE, BOND_REASON_NOT_FOUND, NULL);
                return EXIT_FAILED;
        }

        watch = bluez_watch(bluez, on_changed, &over);
        bluez_leave(bluez, path, true);
        turn(event, FORGET_USEC, &over);
        watch = bluez_unwatch(watch);

        d = bluez_device(bluez, path);
        if ((d && d->paired) || !bluez_is_ready(bluez)) {
                print_error("The Bluetooth service did not remove the bond");
                (void) print_result(EXIT_FAILED, BOND_BONDED, BOND_REASON_STACK, NULL);
                return EXIT_FAILED;
        }
        (void) print_result(EXIT_GOOD, BOND_NONE, BOND_REASON_NONE, "Bond removed");
        return EXIT_GOOD;
}
