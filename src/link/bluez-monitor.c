/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <string.h>

#include "bluez-internal.h"
#include "log.h"
#include "macros.h"

/* Advertisement monitors: the controller listens, asks nobody for more, and only what bears the service of
 * companion radios is told. Found devices come as with a scan, by the objects of bluetoothd. */

#define MONITOR_MANAGER   "org.bluez.AdvertisementMonitorManager1"
#define MONITOR_INTERFACE "org.bluez.AdvertisementMonitor1"
#define MONITOR_ROOT      "/org/meshcored1/monitor"
#define MONITOR_TYPE      "or_patterns"
#define REGISTER_USEC     (5 * USEC_PER_SEC)

/* Bluetooth Core, Supplement, part A: a list of services of 128 bits, which is not or is complete. */
#define AD_UUIDS_SOME 0x06
#define AD_UUIDS_ALL  0x07

/* NUS_SERVICE_UUID as it is on the air. */
static const uint8_t service[] = {0x9e, 0xca, 0xdc, 0x24, 0x0e, 0xe5, 0xa9, 0xe0,
                                  0x93, 0xf3, 0xa3, 0xb5, 0x01, 0x00, 0x40, 0x6e};

struct BluezMonitor {
        Bluez *bluez;
        char *adapter, *root;
        sd_bus_slot *manager, *object, *call;
        bluez_monitor_failed_t failed; /* NULL once it was told */
        void *userdata;
};

static void monitor_failed(BluezMonitor *monitor, const char *why) {
        bluez_monitor_failed_t failed = g_steal_pointer(&monitor->failed);

        log_debug("Bluetooth service does not monitor: %s", why);
        if (failed)
                failed(monitor, monitor->userdata);
}

/* -- our object ----------------------------------------------------------------- */

static int get_type(sd_bus *bus, const char *path, const char *interface, const char *property,
                    sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        return sd_bus_message_append(reply, "s", MONITOR_TYPE);
}

static int append_pattern(sd_bus_message *m, uint8_t type) {
        int r;

        r = sd_bus_message_open_container(m, 'r', "yyay");
        if (r >= 0)
                r = sd_bus_message_append(m, "yy", 0, type);
        if (r >= 0)
                r = sd_bus_message_append_array(m, 'y', service, sizeof(service));
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r;
}

static int get_patterns(sd_bus *bus, const char *path, const char *interface, const char *property,
                        sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        int r;

        r = sd_bus_message_open_container(reply, 'a', "(yyay)");
        if (r >= 0)
                r = append_pattern(reply, AD_UUIDS_ALL);
        if (r >= 0)
                r = append_pattern(reply, AD_UUIDS_SOME);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        return r;
}

static int method_ignored(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        return sd_bus_reply_method_return(call, NULL);
}

/* bluetoothd or the controller does not want it. */
static int method_release(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        BluezMonitor *monitor = userdata;
        int r;

        if (g_strcmp0(sd_bus_message_get_sender(call), monitor->bluez->owner) != 0)
                return sd_bus_error_set(error, SD_BUS_ERROR_ACCESS_DENIED,
                                        "Only the Bluetooth service asks here");

        r = sd_bus_reply_method_return(call, NULL);
        monitor_failed(monitor, "released");
        return r < 0 ? r : 1;
}

static const sd_bus_vtable monitor_vtable[] = {
                SD_BUS_VTABLE_START(0),
                SD_BUS_PROPERTY("Type", "s", get_type, 0, SD_BUS_VTABLE_PROPERTY_CONST),
                SD_BUS_PROPERTY("Patterns", "a(yyay)", get_patterns, 0, SD_BUS_VTABLE_PROPERTY_CONST),
                SD_BUS_METHOD("Activate", "", "", method_ignored, SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_METHOD("Release", "", "", method_release, SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_METHOD("DeviceFound", "o", "", method_ignored, SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_METHOD("DeviceLost", "o", "", method_ignored, SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_VTABLE_END,
};

/* -- life ------------------------------------------------------------------------- */

static int on_registered(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        BluezMonitor *monitor = userdata;
        const sd_bus_error *e = sd_bus_message_get_error(reply);

        monitor->call = sd_bus_slot_unref(monitor->call);
        if (e)
                monitor_failed(monitor, e->message ?: e->name);
        return 0;
}

static int call_manager(BluezMonitor *monitor, const char *member, sd_bus_message **ret) {
        g_autoptr(sd_bus_message) m = NULL;
        int r;

        r = bluez_message(monitor->bluez, monitor->adapter, MONITOR_MANAGER, member, &m);
        if (r >= 0)
                r = sd_bus_message_append(m, "o", monitor->root);
        if (r < 0)
                return r;

        *ret = g_steal_pointer(&m);
        return 0;
}

int bluez_monitor_new(Bluez *bluez, const char *adapter, bluez_monitor_failed_t failed, void *userdata,
                      BluezMonitor **ret) {
        g_autoptr(BluezMonitor) monitor = NULL;
        g_autoptr(sd_bus_message) m = NULL;
        g_autofree char *path = NULL;
        int r;

        if (!bluez->bus)
                return -ENOTCONN;

        monitor = g_new(BluezMonitor, 1);
        *monitor = (BluezMonitor){
                        .bluez = bluez,
                        .adapter = g_strdup(adapter),
                        .root = g_strdup_printf(MONITOR_ROOT "/%" PRIu64, ++bluez->n_monitors),
                        .failed = failed,
                        .userdata = userdata,
        };
        path = g_strconcat(monitor->root, "/service", NULL);
        r = sd_bus_add_object_manager(bluez->bus, &monitor->manager, monitor->root);
        if (r >= 0)
                r = sd_bus_add_object_vtable(bluez->bus, &monitor->object, path, MONITOR_INTERFACE,
                                             monitor_vtable, monitor);
        if (r >= 0)
                r = call_manager(monitor, "RegisterMonitor", &m);
        if (r >= 0)
                r = bluez_call(bluez, &monitor->call, m, on_registered, monitor, REGISTER_USEC);
        if (r < 0)
                return r;

        *ret = g_steal_pointer(&monitor);
        return 0;
}

BluezMonitor *bluez_monitor_free(BluezMonitor *monitor) {
        g_autoptr(sd_bus_message) m = NULL;

        if (!monitor)
                return NULL;

        if (monitor->object && call_manager(monitor, "UnregisterMonitor", &m) >= 0)
                bluez_tell(monitor->bluez, m);
        sd_bus_slot_unref(monitor->call);
        sd_bus_slot_unref(monitor->object);
        sd_bus_slot_unref(monitor->manager);
        g_free(monitor->adapter);
        g_free(monitor->root);
        g_free(monitor);
        return NULL;
}
