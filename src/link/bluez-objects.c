/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "bluez-internal.h"
#include "log.h"
#include "macros.h"

/* The cache of bluetoothd's objects. */

#define NAME_PREFIX     "MeshCore-" /* wire reference 1.3 */
#define MONITOR_MANAGER "org.bluez.AdvertisementMonitorManager1"

typedef enum PropertyKind {
        PROPERTY_STRING,
        PROPERTY_BOOLEAN,
        PROPERTY_RSSI,
        PROPERTY_UUIDS,
        PROPERTY_FLAGS,
        PROPERTY_MONITORS,
} PropertyKind;

typedef struct Property {
        const char *name, *type;
        PropertyKind kind;
        size_t offset;
} Property;

static const Property adapter_properties[] = {
                {"Address", "s", PROPERTY_STRING, offsetof(BluezAdapter, address)},
                {"Alias", "s", PROPERTY_STRING, offsetof(BluezAdapter, alias)},
                {"Modalias", "s", PROPERTY_STRING, offsetof(BluezAdapter, modalias)},
                {"Powered", "b", PROPERTY_BOOLEAN, offsetof(BluezAdapter, powered)},
                {"Pairable", "b", PROPERTY_BOOLEAN, offsetof(BluezAdapter, pairable)},
                {"Discovering", "b", PROPERTY_BOOLEAN, offsetof(BluezAdapter, discovering)},
                {},
};

/* On the object of an adapter, too. */
static const Property monitor_properties[] = {
                {"SupportedMonitorTypes", "as", PROPERTY_MONITORS, 0},
                {},
};

/* What the table of properties writes to; has_bonded tells apart who has no such property. */
typedef struct Device {
        BluezDevice public;
        bool has_bonded;
} Device;

static const Property device_properties[] = {
                {"Adapter", "o", PROPERTY_STRING, offsetof(BluezDevice, adapter)},
                {"Address", "s", PROPERTY_STRING, offsetof(BluezDevice, address)},
                {"AddressType", "s", PROPERTY_STRING, offsetof(BluezDevice, address_type)},
                {"Name", "s", PROPERTY_STRING, offsetof(BluezDevice, name)},
                {"Paired", "b", PROPERTY_BOOLEAN, offsetof(BluezDevice, paired)},
                {"Bonded", "b", PROPERTY_BOOLEAN, offsetof(BluezDevice, bonded)},
                {"Trusted", "b", PROPERTY_BOOLEAN, offsetof(BluezDevice, trusted)},
                {"Connected", "b", PROPERTY_BOOLEAN, offsetof(BluezDevice, connected)},
                {"ServicesResolved", "b", PROPERTY_BOOLEAN, offsetof(BluezDevice, services_resolved)},
                {"RSSI", "n", PROPERTY_RSSI, 0},
                {"UUIDs", "as", PROPERTY_UUIDS, 0},
                {},
};

static const Property characteristic_properties[] = {
                {"UUID", "s", PROPERTY_STRING, offsetof(BluezCharacteristic, uuid)},
                {"Flags", "as", PROPERTY_FLAGS, 0},
                {},
};

/* -- making and freeing --------------------------------------------------------- */

static void adapter_free(void *p) {
        BluezAdapter *a = p;

        g_free(a->path);
        g_free(a->address);
        g_free(a->alias);
        g_free(a->modalias);
        g_free(a);
}

static void device_free(void *p) {
        BluezDevice *d = p;

        g_free(d->path);
        g_free(d->adapter);
        g_free(d->address);
        g_free(d->address_type);
        g_free(d->name);
        g_free(d->lost_reason);
        g_free(d);
}

static void characteristic_free(void *p) {
        BluezCharacteristic *c = p;

        g_free(c->path);
        g_free(c->uuid);
        g_free(c);
}

void bluez_objects_init(Bluez *bluez) {
        bluez->adapters = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, adapter_free);
        bluez->devices = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, device_free);
        bluez->characteristics = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, characteristic_free);
}

void bluez_objects_free(Bluez *bluez) {
        g_hash_table_unref(bluez->adapters);
        g_hash_table_unref(bluez->devices);
        g_hash_table_unref(bluez->characteristics);
}

void bluez_objects_clear(Bluez *bluez) {
        g_hash_table_remove_all(bluez->characteristics);
        g_hash_table_remove_all(bluez->devices);
        g_hash_table_remove_all(bluez->adapters);
}

static BluezAdapter *need_adapter(Bluez *bluez, const char *path) {
        BluezAdapter *a = g_hash_table_lookup(bluez->adapters, path);

        if (a)
                return a;

        a = g_new(BluezAdapter, 1);
        *a = (BluezAdapter){.path = g_strdup(path),
                            .address = g_strdup(""),
                            .alias = g_strdup(""),
                            .modalias = g_strdup("")};
        g_hash_table_insert(bluez->adapters, a->path, a);
        return a;
}

static gboolean is_passer_by(gpointer path, gpointer value, gpointer userdata) {
        const BluezDevice *d = value;

        return !d->paired && !d->connected;
}

static BluezDevice *need_device(Bluez *bluez, const char *path) {
        Device *d = g_hash_table_lookup(bluez->devices, path);

        if (d)
                return &d->public;

        if (g_hash_table_size(bluez->devices) >= BLUEZ_OBJECTS_MAX)
                (void) g_hash_table_foreach_remove(bluez->devices, is_passer_by, NULL);

        d = g_new(Device, 1);
        *d = (Device){
                        .public = {.path = g_strdup(path),
                                   .adapter = g_strdup(""),
                                   .address = g_strdup(""),
                                   .address_type = g_strdup(""),
                                   .name = g_strdup(""),
                                   .lost_reason = g_strdup("")},
        };
        g_hash_table_insert(bluez->devices, d->public.path, d);
        return &d->public;
}

static BluezCharacteristic *need_characteristic(Bluez *bluez, const char *path) {
        BluezCharacteristic *c = g_hash_table_lookup(bluez->characteristics, path);

        if (c)
                return c;
        if (g_hash_table_size(bluez->characteristics) >= BLUEZ_OBJECTS_MAX)
                return NULL;

        c = g_new(BluezCharacteristic, 1);
        *c = (BluezCharacteristic){.path = g_strdup(path), .uuid = g_strdup("")};
        g_hash_table_insert(bluez->characteristics, c->path, c);
        return c;
}

/* -- reading properties ------------------------------------------------------------ */

static int read_strings(sd_bus_message *m, const Property *property, void *object) {
        const char *text;
        int r;

        r = sd_bus_message_enter_container(m, 'a', "s");
        if (r < 0)
                return r;

        if (property->kind == PROPERTY_UUIDS)
                ((BluezDevice *) object)->has_nus = false;
        while ((r = sd_bus_message_read(m, "s", &text)) > 0) {
                if (property->kind == PROPERTY_UUIDS) {
                        if (g_ascii_strcasecmp(text, NUS_SERVICE_UUID) == 0)
                                ((BluezDevice *) object)->has_nus = true;
                } else if (property->kind == PROPERTY_MONITORS) {
                        if (strcmp(text, "or_patterns") == 0)
                                ((BluezAdapter *) object)->can_monitor = true;
                } else if (strcmp(text, "write-without-response") == 0)
                        ((BluezCharacteristic *) object)->can_write_command = true;
                else if (strcmp(text, "notify") == 0)
                        ((BluezCharacteristic *) object)->can_notify = true;
        }
        if (r < 0)
                return r;

        return sd_bus_message_exit_container(m);
}

static int read_value(sd_bus_message *m, const Property *property, void *object) {
        void *field = (char *) object + property->offset;
        const char *text;
        int16_t rssi;
        int flag, r;

        switch (property->kind) {
        case PROPERTY_STRING:
                r = sd_bus_message_read_basic(m, property->type[0], &text);
                if (r < 0)
                        return r;
                g_free(*(char **) field);
                *(char **) field = g_strdup(text);
                return 0;
        case PROPERTY_BOOLEAN:
                r = sd_bus_message_read_basic(m, 'b', &flag);
                if (r < 0)
                        return r;
                *(bool *) field = flag;
                return 0;
        case PROPERTY_RSSI:
                r = sd_bus_message_read_basic(m, 'n', &rssi);
                if (r < 0)
                        return r;
                ((BluezDevice *) object)->rssi = rssi;
                ((BluezDevice *) object)->has_rssi = true;
                return 0;
        default:
                return read_strings(m, property, object);
        }
}

/* Reads a{sv}. What is unknown, or of another type than documented, is left out. */
static int read_properties(sd_bus_message *m, const Property *table, void *object, bool *ret_bonded) {
        const char *name, *type;
        int r;

        r = sd_bus_message_enter_container(m, 'a', "{sv}");
        if (r < 0)
                return r;

        while ((r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                const Property *property = table;

                r = sd_bus_message_read(m, "s", &name);
                if (r >= 0)
                        r = sd_bus_message_peek_type(m, NULL, &type);
                if (r < 0)
                        return r;

                while (property->name && strcmp(property->name, name) != 0)
                        property++;
                if (!property->name || strcmp(property->type, type) != 0) {
                        r = sd_bus_message_skip(m, "v");
                } else {
                        if (ret_bonded && strcmp(name, "Bonded") == 0)
                                *ret_bonded = true;
                        r = sd_bus_message_enter_container(m, 'v', property->type);
                        if (r >= 0)
                                r = read_value(m, property, object);
                        if (r >= 0)
                                r = sd_bus_message_exit_container(m);
                }
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return r;
        }
        if (r < 0)
                return r;

        return sd_bus_message_exit_container(m);
}

/* -- changes -------------------------------------------------------------------------- */

static int read_device(Bluez *bluez, const char *path, sd_bus_message *m) {
        BluezDevice *d = need_device(bluez, path);
        Device *device = (Device *) d;
        bool was_connected = d->connected;
        int r;

        r = read_properties(m, device_properties, d, &device->has_bonded);
        if (!device->has_bonded)
                d->bonded = d->paired;
        if (was_connected && !d->connected)
                d->n_lost++;
        if (!was_connected && d->connected) {
                g_free(d->lost_reason);
                d->lost_reason = g_strdup("");
        }
        return r;
}

static int read_characteristic(Bluez *bluez, const char *path, sd_bus_message *m) {
        BluezCharacteristic *c = need_characteristic(bluez, path);
        g_autofree char *lower = NULL;
        int r;

        if (!c)
                return sd_bus_message_skip(m, "a{sv}");

        r = read_properties(m, characteristic_properties, c, NULL);
        lower = g_ascii_strdown(c->uuid, -1);
        g_free(c->uuid);
        c->uuid = g_steal_pointer(&lower);
        return r;
}

/* A path below that of a device, cut to the device's. */
static char *device_of(const char *path) {
        const char *p = strstr(path, "/dev_");
        const char *slash = p ? strchr(p + 1, '/') : NULL;

        return slash ? g_strndup(path, (gsize) (slash - path)) : g_strdup(path);
}

static int read_interface(Bluez *bluez, const char *path, const char *interface, sd_bus_message *m,
                          bool tell) {
        BluezChange what;
        int r;

        if (strcmp(interface, BLUEZ_ADAPTER) == 0) {
                r = read_properties(m, adapter_properties, need_adapter(bluez, path), NULL);
                what = BLUEZ_CHANGED_ADAPTER;
        } else if (strcmp(interface, MONITOR_MANAGER) == 0) {
                r = read_properties(m, monitor_properties, need_adapter(bluez, path), NULL);
                what = BLUEZ_CHANGED_ADAPTER;
        } else if (strcmp(interface, BLUEZ_DEVICE) == 0) {
                r = read_device(bluez, path, m);
                what = BLUEZ_CHANGED_DEVICE;
        } else if (strcmp(interface, BLUEZ_CHARACTERISTIC) == 0) {
                r = read_characteristic(bluez, path, m);
                what = BLUEZ_CHANGED_DEVICE;
        } else
                return sd_bus_message_skip(m, "a{sv}");

        if (r >= 0 && tell) {
                g_autofree char *device = device_of(path);

                bluez_tell_changed(bluez, what, device);
        }
        return r;
}

int bluez_objects_add(Bluez *bluez, sd_bus_message *m, bool tell) {
        const char *path, *interface;
        int r;

        r = sd_bus_message_read(m, "o", &path);
        if (r >= 0)
                r = sd_bus_message_enter_container(m, 'a', "{sa{sv}}");
        if (r < 0)
                return r;

        while ((r = sd_bus_message_enter_container(m, 'e', "sa{sv}")) > 0) {
                r = sd_bus_message_read(m, "s", &interface);
                if (r >= 0)
                        r = read_interface(bluez, path, interface, m, tell);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return r;
        }
        if (r < 0)
                return r;

        return sd_bus_message_exit_container(m);
}

int bluez_objects_read(Bluez *bluez, sd_bus_message *reply) {
        int r;

        r = sd_bus_message_enter_container(reply, 'a', "{oa{sa{sv}}}");
        if (r < 0)
                return r;

        while ((r = sd_bus_message_enter_container(reply, 'e', "oa{sa{sv}}")) > 0) {
                r = bluez_objects_add(bluez, reply, false);
                if (r >= 0)
                        r = sd_bus_message_exit_container(reply);
                if (r < 0)
                        return r;
        }
        return r;
}

int bluez_objects_remove(Bluez *bluez, sd_bus_message *m) {
        const char *path, *interface;
        int r;

        r = sd_bus_message_read(m, "o", &path);
        if (r >= 0)
                r = sd_bus_message_enter_container(m, 'a', "s");
        if (r < 0)
                return r;

        while ((r = sd_bus_message_read(m, "s", &interface)) > 0) {
                g_autofree char *device = device_of(path);

                if (strcmp(interface, BLUEZ_ADAPTER) == 0) {
                        (void) g_hash_table_remove(bluez->adapters, path);
                        bluez_tell_changed(bluez, BLUEZ_CHANGED_ADAPTER, path);
                } else if (strcmp(interface, BLUEZ_DEVICE) == 0) {
                        (void) g_hash_table_remove(bluez->devices, path);
                        bluez_tell_changed(bluez, BLUEZ_CHANGED_DEVICE, path);
                        bluez_device_gone(bluez, path);
                } else if (strcmp(interface, BLUEZ_CHARACTERISTIC) == 0) {
                        (void) g_hash_table_remove(bluez->characteristics, path);
                        bluez_tell_changed(bluez, BLUEZ_CHANGED_DEVICE, device);
                }
        }
        return r;
}

/* Of these only RSSI is ever taken back, when nobody scans any more. */
static int read_invalidated(Bluez *bluez, const char *path, sd_bus_message *m) {
        BluezDevice *d = g_hash_table_lookup(bluez->devices, path);
        const char *name;
        int r;

        r = sd_bus_message_enter_container(m, 'a', "s");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_read(m, "s", &name)) > 0)
                if (d && strcmp(name, "RSSI") == 0)
                        d->has_rssi = false;
        return r;
}

int bluez_objects_change(Bluez *bluez, const char *path, sd_bus_message *m) {
        const char *interface;
        int r;

        r = sd_bus_message_read(m, "s", &interface);
        if (r < 0)
                return r;
        /* Changes of what we never heard of: its announcement is still to come. */
        if (!g_hash_table_contains(bluez->adapters, path) && !g_hash_table_contains(bluez->devices, path))
                return 0;

        if (strcmp(interface, BLUEZ_DEVICE) != 0)
                return read_interface(bluez, path, interface, m, true);

        r = read_device(bluez, path, m);
        if (r >= 0)
                r = read_invalidated(bluez, path, m);
        if (r >= 0)
                bluez_tell_changed(bluez, BLUEZ_CHANGED_DEVICE, path);
        return r;
}

void bluez_objects_lost_reason(Bluez *bluez, const char *path, const char *reason) {
        BluezDevice *d = g_hash_table_lookup(bluez->devices, path);

        if (!d)
                return;

        g_free(d->lost_reason);
        d->lost_reason = g_strdup(reason);
        bluez_tell_changed(bluez, BLUEZ_CHANGED_DEVICE, path);
}

/* -- looking -------------------------------------------------------------------------- */

const BluezAdapter *bluez_adapter(const Bluez *bluez, const char *path) {
        return g_hash_table_lookup(bluez->adapters, path);
}

const BluezDevice *bluez_device(const Bluez *bluez, const char *path) {
        return path ? g_hash_table_lookup(bluez->devices, path) : NULL;
}

static GPtrArray *values(GHashTable *table) {
        GPtrArray *array = g_ptr_array_new();
        GHashTableIter iter;
        gpointer value;

        g_hash_table_iter_init(&iter, table);
        while (g_hash_table_iter_next(&iter, NULL, &value))
                g_ptr_array_add(array, value);
        return array;
}

GPtrArray *bluez_adapters(const Bluez *bluez) {
        return values(bluez->adapters);
}

GPtrArray *bluez_devices(const Bluez *bluez) {
        return values(bluez->devices);
}

const char *bluez_adapter_name(const BluezAdapter *adapter) {
        const char *slash = strrchr(adapter->path, '/');

        return slash ? slash + 1 : adapter->path;
}

const BluezAdapter *bluez_find_adapter(const Bluez *bluez, const char *which) {
        const BluezAdapter *best = NULL;
        GHashTableIter iter;
        gpointer value;

        g_hash_table_iter_init(&iter, bluez->adapters);
        while (g_hash_table_iter_next(&iter, NULL, &value)) {
                const BluezAdapter *a = value;

                if (which &&
                    (strcmp(bluez_adapter_name(a), which) == 0 || g_ascii_strcasecmp(a->address, which) == 0))
                        return a;
                if (which)
                        continue;
                if (!best || (a->powered && !best->powered) ||
                    (a->powered == best->powered && strcmp(a->path, best->path) < 0))
                        best = a;
        }
        return best;
}

const BluezCharacteristic *bluez_characteristic(const Bluez *bluez, const char *device, const char *uuid) {
        g_autofree char *prefix = g_strconcat(device, "/", NULL);
        GHashTableIter iter;
        gpointer value;

        g_hash_table_iter_init(&iter, bluez->characteristics);
        while (g_hash_table_iter_next(&iter, NULL, &value)) {
                const BluezCharacteristic *c = value;

                if (strcmp(c->uuid, uuid) == 0 && g_str_has_prefix(c->path, prefix))
                        return c;
        }
        return NULL;
}

bool bluez_device_is_radio(const BluezDevice *device) {
        return device->has_nus || g_str_has_prefix(device->name, "MeshCore");
}

bool bluez_is_address(const char *text) {
        if (strlen(text) != 17)
                return false;
        for (size_t i = 0; i < 17; i++)
                if (i % 3 == 2 ? text[i] != ':' : !g_ascii_isxdigit(text[i]))
                        return false;
        return true;
}

bool bluez_device_is_called(const BluezDevice *device, const char *which) {
        if (bluez_is_address(which))
                return g_ascii_strcasecmp(device->address, which) == 0;
        if (strcmp(device->name, which) == 0)
                return true;
        return g_str_has_prefix(device->name, NAME_PREFIX) &&
               strcmp(device->name + strlen(NAME_PREFIX), which) == 0;
}
