/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "discover.h"

#include <string.h>

#include "hotplug.h"
#include "macros.h"
#include "radio-internal.h"

#define SERVICE_USEC (10 * USEC_PER_SEC)
/* Whoever makes up addresses must not fill our memory, or a reply. */
#define FOUND_MAX 512u

struct Discovery {
        Manager *manager;
        DiscoverOptions options; /* name and adapter are ours */
        char *name, *adapter;
        discovery_done_t done;
        void *userdata;
        Bluez *bluez; /* while Bluetooth is looked at */
        BluezWatch *watch;
        GPtrArray *scans; /* BluezScan */
        bool looking;     /* the objects of bluetoothd are there */
        sd_event_source *timer, *end;
        Outcome outcome;
};

/* -- what there is ------------------------------------------------------------------- */

static void found_free(void *p) {
        Found *found = p;

        g_free(found->address);
        g_free(found->device);
        g_free(found->name);
        g_free(found->adapter);
        g_free(found);
}

static bool wants(const Discovery *discovery, Transport transport) {
        const DiscoverOptions *o = &discovery->options;

        if (transport == TRANSPORT_SERIAL && (o->bonds || o->name || o->adapter))
                return false;
        return o->transport == transport || o->transport == _TRANSPORT_INVALID;
}

static void add_port(Discovery *discovery, const SerialPort *port, bool candidate, GPtrArray *all) {
        g_autofree char *link = NULL;
        const PublicKey *key;
        Found *found;

        if (all->len >= FOUND_MAX)
                return;

        found = g_new(Found, 1);
        *found = (Found){
                        .transport = TRANSPORT_SERIAL,
                        .device = g_strdup(port->device),
                        .radio = hotplug_find_radio(manager_hotplug(discovery->manager), port->device, &key),
        };
        serial_port_describe(port->device, &found->name, &link);
        found->address = link ? g_steal_pointer(&link) : g_strdup(port->device);
        found->connected = found->radio && found->radio->link && found->radio->state > RADIO_OPENING;
        if (!key && found->radio && found->radio->identity)
                key = identity_key(found->radio->identity);
        if (key) {
                found->has_key = true;
                found->key = *key;
        }
        if (!found->name)
                found->name = g_strdup("");
        found->candidate = candidate && !found->has_key;
        g_ptr_array_add(all, found);
}

static Radio *find_radio(Manager *manager, const BluezDevice *d) {
        GPtrArray *radios = manager_radios(manager);

        for (guint i = 0; i < radios->len; i++) {
                Radio *radio = radios->pdata[i];

                if (radio->settings->transport != TRANSPORT_BLE)
                        continue;
                if (bluez_device_is_called(d, radio->ble_address ?: radio->settings->address))
                        return radio;
        }
        return NULL;
}

static bool is_wanted(const Discovery *discovery, const BluezDevice *d) {
        const BluezAdapter *a = bluez_adapter(discovery->bluez, d->adapter);

        if (!bluez_device_is_radio(d) || !a)
                return false;
        if (discovery->name && !bluez_device_is_called(d, discovery->name))
                return false;
        if (discovery->adapter && a != bluez_find_adapter(discovery->bluez, discovery->adapter))
                return false;
        if (discovery->options.bonds)
                return d->paired;
        /* The rest is what bluetoothd remembers of former times. */
        return d->paired || d->connected || d->has_rssi;
}

/* The same radio may be near several adapters: a link that exists, then a bond, then the better signal. */
static int compare_found(const void *a, const void *b) {
        const Found *x = *(const Found *const *) a, *y = *(const Found *const *) b;

        if (x->connected != y->connected)
                return x->connected ? -1 : 1;
        if (x->has_rssi != y->has_rssi)
                return x->has_rssi ? -1 : 1;
        if (x->rssi != y->rssi)
                return x->rssi > y->rssi ? -1 : 1;
        if (x->bonded != y->bonded)
                return x->bonded ? -1 : 1;
        return strcmp(x->address, y->address);
}

static void add_device(Discovery *discovery, const BluezDevice *d, GPtrArray *all) {
        const BluezAdapter *a = bluez_adapter(discovery->bluez, d->adapter);
        Found *found = g_new(Found, 1);

        *found = (Found){
                        .transport = TRANSPORT_BLE,
                        .address = g_strdup(d->address),
                        .name = g_strdup(d->name),
                        .adapter = g_strdup(bluez_adapter_name(a)),
                        .bonded = d->paired,
                        .connected = d->connected,
                        .has_rssi = d->has_rssi,
                        .rssi = d->has_rssi ? d->rssi : 0,
                        .radio = find_radio(discovery->manager, d),
        };
        if (found->radio && found->radio->identity) {
                found->has_key = true;
                found->key = *identity_key(found->radio->identity);
        }
        g_ptr_array_add(all, found);
}

static void add_devices(Discovery *discovery, GPtrArray *all) {
        g_autoptr(GPtrArray) devices = bluez_devices(discovery->bluez);
        g_autoptr(GPtrArray) near = g_ptr_array_new();
        g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);

        for (guint i = 0; i < devices->len; i++)
                if (is_wanted(discovery, devices->pdata[i]))
                        add_device(discovery, devices->pdata[i], near);
        g_ptr_array_sort(near, compare_found);

        for (guint i = 0; i < near->len; i++) {
                Found *found = near->pdata[i];

                /* A bond belongs to one adapter, so those are told apart. */
                if (all->len >= FOUND_MAX ||
                    (!discovery->options.bonds && !g_hash_table_add(seen, found->address)))
                        found_free(found);
                else
                        g_ptr_array_add(all, found);
        }
}

static GPtrArray *collect(Discovery *discovery) {
        const GPtrArray *ports = hotplug_ports(manager_hotplug(discovery->manager));
        GPtrArray *all = g_ptr_array_new_with_free_func(found_free);

        for (guint i = 0; ports && wants(discovery, TRANSPORT_SERIAL) && i < ports->len; i++)
                add_port(discovery, ports->pdata[i], false, all);
        if (discovery->looking && bluez_is_ready(discovery->bluez))
                add_devices(discovery, all);
        return all;
}

/* Ports that are looked at only now that somebody asks, and not opened. Who wants the first radio is not
 * helped by what may be none. */
static void add_candidates(Discovery *discovery, GPtrArray *all) {
        g_autoptr(GPtrArray) ports = NULL;

        if (!wants(discovery, TRANSPORT_SERIAL) || (discovery->options.first && all->len > 0))
                return;

        ports = serial_ports_candidates();
        for (guint i = 0; i < ports->len; i++)
                add_port(discovery, ports->pdata[i], true, all);
}

/* -- the end ---------------------------------------------------------------------------- */

static void stop(Discovery *discovery) {
        discovery->watch = bluez_unwatch(discovery->watch);
        g_ptr_array_set_size(discovery->scans, 0);
        discovery->timer = sd_event_source_disable_unref(discovery->timer);
        discovery->end = sd_event_source_disable_unref(discovery->end);
}

static int on_end(sd_event_source *source, void *userdata) {
        Discovery *discovery = userdata;
        g_autoptr(GPtrArray) all = discovery->outcome.code == OUTCOME_OK ? collect(discovery) : NULL;

        stop(discovery);
        if (all)
                add_candidates(discovery, all);
        discovery->done(&discovery->outcome, all, discovery->userdata);
        return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        return on_end(source, userdata);
}

static void end_soon(Discovery *discovery) {
        if (!discovery->end &&
            sd_event_add_defer(manager_event(discovery->manager), &discovery->end, on_end, discovery) < 0)
                g_error("cannot create an event source");
}

/* There is no Bluetooth to look with: that is the answer where it was asked for, else the rest is. */
static void end_without(Discovery *discovery, const char *why) {
        if (!wants(discovery, TRANSPORT_SERIAL) && !discovery->looking)
                (void) outcome_set(&discovery->outcome, OUTCOME_NOT_CONNECTED, "%s", why);
        end_soon(discovery);
}

/* -- looking around ------------------------------------------------------------------------- */

static void free_scan(void *scan) {
        bluez_scan_free(scan);
}

static void on_scan_failed(BluezScan *scan, int error, void *userdata) {
        Discovery *discovery = userdata;

        g_ptr_array_remove(discovery->scans, scan);
        if (discovery->scans->len == 0)
                end_soon(discovery);
}

static void begin_scan(Discovery *discovery, const BluezAdapter *a) {
        BluezScan *scan = NULL;

        if (a->powered && bluez_scan_new(discovery->bluez, a->path, on_scan_failed, discovery, &scan) >= 0)
                g_ptr_array_add(discovery->scans, scan);
}

static void look(Discovery *discovery) {
        g_autoptr(GPtrArray) adapters = bluez_adapters(discovery->bluez);
        const BluezAdapter *only = NULL;
        int r;

        if (discovery->adapter) {
                only = bluez_find_adapter(discovery->bluez, discovery->adapter);
                if (!only) {
                        (void) outcome_set(&discovery->outcome, OUTCOME_NOT_FOUND,
                                           "There is no Bluetooth adapter %s", discovery->adapter);
                        end_soon(discovery);
                        return;
                }
        }
        if (discovery->options.bonds) {
                discovery->looking = true;
                end_soon(discovery);
                return;
        }

        for (guint i = 0; i < adapters->len; i++)
                if (!only || adapters->pdata[i] == only)
                        begin_scan(discovery, adapters->pdata[i]);
        if (discovery->scans->len == 0) {
                end_without(discovery, adapters->len == 0 ? "There is no Bluetooth adapter"
                                                          : "The Bluetooth adapter has no power");
                return;
        }

        discovery->looking = true;
        discovery->timer = sd_event_source_disable_unref(discovery->timer);
        r = sd_event_add_time_relative(manager_event(discovery->manager), &discovery->timer, CLOCK_BOOTTIME,
                                       discovery->options.timeout_usec, 0, on_timer, discovery);
        if (r < 0)
                end_soon(discovery);
}

static void end_at_first(Discovery *discovery) {
        g_autoptr(GPtrArray) all = discovery->options.first ? collect(discovery) : NULL;

        if (all && all->len > 0)
                end_soon(discovery);
}

static void on_changed(Bluez *bluez, BluezChange what, const char *path, void *userdata) {
        Discovery *discovery = userdata;

        if (what == BLUEZ_CHANGED_SERVICE) {
                if (bluez_is_ready(bluez) && !discovery->looking)
                        look(discovery);
                else if (!bluez_is_ready(bluez) && (discovery->looking || bluez_error(bluez) < 0))
                        end_without(discovery, "The Bluetooth service is not running");
        }
        if (discovery->looking && what == BLUEZ_CHANGED_DEVICE)
                end_at_first(discovery);
}

static int on_no_service(sd_event_source *source, uint64_t usec, void *userdata) {
        end_without(userdata, "The Bluetooth service does not answer");
        return 0;
}

static int begin_bluetooth(Discovery *discovery) {
        int r;

        discovery->bluez = manager_bluez(discovery->manager);
        if (!discovery->bluez)
                return -ENOTCONN;

        (void) bluez_ref(discovery->bluez);
        discovery->watch = bluez_watch(discovery->bluez, on_changed, discovery);
        if (bluez_is_ready(discovery->bluez)) {
                look(discovery);
                return 0;
        }

        r = sd_event_add_time_relative(manager_event(discovery->manager), &discovery->timer, CLOCK_BOOTTIME,
                                       SERVICE_USEC, 0, on_no_service, discovery);
        if (r < 0)
                return r;
        if (bluez_refresh(discovery->bluez, true) < 0)
                end_without(discovery, "There is no system bus on which to find the Bluetooth service");
        return 0;
}

int discovery_new(Manager *manager, const DiscoverOptions *options, discovery_done_t done, void *userdata,
                  Discovery **ret) {
        g_autoptr(GPtrArray) all = NULL;
        Discovery *discovery = g_new(Discovery, 1);
        int r = 0;

        *discovery = (Discovery){
                        .manager = manager,
                        .options = *options,
                        .name = g_strdup(options->name),
                        .adapter = g_strdup(options->adapter),
                        .done = done,
                        .userdata = userdata,
                        .scans = g_ptr_array_new_with_free_func(free_scan),
        };

        all = options->first ? collect(discovery) : NULL;
        if (wants(discovery, TRANSPORT_BLE) && !(all && all->len > 0))
                r = begin_bluetooth(discovery);
        else
                end_soon(discovery);
        if (r < 0) {
                discovery_free(discovery);
                return r;
        }

        end_at_first(discovery);
        *ret = discovery;
        return 0;
}

Discovery *discovery_free(Discovery *discovery) {
        if (!discovery)
                return NULL;

        stop(discovery);
        g_ptr_array_unref(discovery->scans);
        bluez_unref(discovery->bluez);
        g_free(discovery->name);
        g_free(discovery->adapter);
        outcome_clear(&discovery->outcome);
        g_free(discovery);
        return NULL;
}
