/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <string.h>

#include "bus-internal.h"
#include "discover.h"
#include "utf8.h"

/* Manager.Discover, ListBonds and ForgetBond: radios that are there, and bonds, whether or not they are in
 * the tree. A search ends with the one who asked for it. */

#define TIMEOUT_DEFAULT_USEC (10 * USEC_PER_SEC)
#define TIMEOUT_MAX_USEC     (120 * USEC_PER_SEC)

struct BusDiscovery {
        Bus *bus;
        GList link;
        BusCaller *caller;
        Discovery *discovery;
};

static void bus_discovery_free(BusDiscovery *self) {
        g_queue_unlink(&self->bus->discoveries, &self->link);
        discovery_free(self->discovery);
        bus_caller_free(self->caller);
        g_free(self);
}

static void on_gone(void *userdata) {
        bus_discovery_free(userdata);
}

void bus_discoveries_stop(Bus *bus) {
        BusDiscovery *self;

        while ((self = g_queue_peek_head(&bus->discoveries)))
                bus_discovery_free(self);
}

/* -- answering ---------------------------------------------------------------- */

/* What a stranger calls its device. */
static int append_name(sd_bus_message *m, const char *name) {
        g_autofree char *valid = utf8_repair(name, strlen(name));

        return bus_append_entry(m, "Name", "s", bus_text(valid));
}

static int append_bluetooth(sd_bus_message *m, const Found *found) {
        int r;

        r = bus_append_entry(m, "Adapter", "s", found->adapter);
        if (r >= 0)
                r = bus_append_entry(m, "Bonded", "b", (int) found->bonded);
        if (r >= 0 && found->has_rssi)
                r = bus_append_entry(m, "Rssi", "n", found->rssi);
        return r;
}

static int append_found(sd_bus_message *m, const Found *found) {
        int r;

        r = sd_bus_message_open_container(m, 'a', "{sv}");
        if (r >= 0)
                r = bus_append_entry(m, "Transport", "s", transport_to_string(found->transport));
        if (r >= 0)
                r = bus_append_entry(m, "Address", "s", bus_text(found->address));
        if (r >= 0)
                r = append_name(m, found->name);
        if (r >= 0)
                r = bus_append_entry(m, "Connected", "b", (int) found->connected);
        if (r >= 0)
                r = bus_append_entry(m, "Certain", "b", (int) !found->candidate);
        if (r >= 0 && found->device)
                r = bus_append_entry(m, "Device", "s", found->device);
        if (r >= 0 && found->transport == TRANSPORT_BLE)
                r = append_bluetooth(m, found);
        if (r >= 0 && found->has_key)
                r = bus_append_entry(m, "PublicKey", "s", key_to_text(&found->key).text);
        if (r >= 0 && found->radio) {
                g_autofree char *path = bus_path_radio(radio_id(found->radio));

                r = bus_append_entry(m, "Radio", "o", path);
        }
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r;
}

static void on_found(const Outcome *outcome, const GPtrArray *found, void *userdata) {
        BusDiscovery *self = userdata;
        g_autoptr(sd_bus_message) reply = NULL;
        int r;

        if (bus_answer_new(self->caller, outcome, &reply) > 0) {
                r = sd_bus_message_open_container(reply, 'a', "a{sv}");
                for (guint i = 0; r >= 0 && i < found->len; i++)
                        r = append_found(reply, found->pdata[i]);
                if (r >= 0)
                        r = sd_bus_message_close_container(reply);
                bus_answer_send(reply, r);
        }
        bus_discovery_free(self);
}

static int discover(Bus *bus, sd_bus_message *call, const DiscoverOptions *options, sd_bus_error *error) {
        BusDiscovery *self;
        BusCaller *caller;
        int r;

        r = bus_caller_new(bus, call, &caller, error);
        if (r < 0)
                return r;

        self = g_new(BusDiscovery, 1);
        *self = (BusDiscovery){.bus = bus, .link = {.data = self}, .caller = caller};
        g_queue_push_tail_link(&bus->discoveries, &self->link);
        bus_caller_set_gone(caller, on_gone, self);

        r = discovery_new(bus->manager, options, on_found, self, &self->discovery);
        if (r < 0) {
                bus_discovery_free(self);
                return bus_error_errno(error, r, "Cannot look for radios");
        }
        return 1;
}

/* -- asking ---------------------------------------------------------------------- */

static int read_transport(const char *text, Transport *ret, sd_bus_error *error) {
        if (strcmp(text, "serial") == 0)
                *ret = TRANSPORT_SERIAL;
        else if (strcmp(text, "ble") == 0)
                *ret = TRANSPORT_BLE;
        else
                return bus_error_set(error, OUTCOME_INVALID_ARGUMENTS,
                                     "Radios can be found with the transports serial and ble");
        return 0;
}

int bus_method_discover(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        Bus *bus = userdata;
        DiscoverOptions options = {.transport = _TRANSPORT_INVALID, .timeout_usec = TIMEOUT_DEFAULT_USEC};
        const char *transport = NULL;
        int first = 0, r;
        const BusOption table[] = {
                        {"Transport", "s", &transport},
                        {"Name", "s", &options.name},
                        {"Adapter", "s", &options.adapter},
                        {"First", "b", &first},
                        {"TimeoutUSec", "t", &options.timeout_usec},
        };

        r = bus_authorize(bus, call, error);
        if (r <= 0)
                return r < 0 ? r : 1;
        r = bus_read_options(call, table, ELEMENTSOF(table), error);
        if (r < 0)
                return r;
        if (transport) {
                r = read_transport(transport, &options.transport, error);
                if (r < 0)
                        return r;
        }
        if (options.timeout_usec == 0 || options.timeout_usec > TIMEOUT_MAX_USEC)
                return bus_error_set(error, OUTCOME_INVALID_ARGUMENTS, "TimeoutUSec must be 1 to %" PRIu64,
                                     TIMEOUT_MAX_USEC);
        options.first = first;
        return discover(bus, call, &options, error);
}

int bus_method_list_bonds(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        static const DiscoverOptions options = {.transport = TRANSPORT_BLE, .bonds = true};
        Bus *bus = userdata;
        int r;

        r = bus_authorize(bus, call, error);
        if (r <= 0)
                return r < 0 ? r : 1;

        return discover(bus, call, &options, error);
}

static void on_forgotten(const Outcome *outcome, void *userdata) {
        bus_answer(NULL, outcome, userdata);
}

int bus_method_forget_bond(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        Bus *bus = userdata;
        BusCaller *caller;
        const char *address;
        int r;

        r = bus_answer_later_read(bus, call, &caller, error, "s", &address);
        if (r > 0)
                manager_forget_bond(bus->manager, address, on_forgotten, caller);
        return r < 0 ? r : 1;
}
