/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hotplug.h"

#include <string.h>

#include "log.h"
#include "macros.h"
#include "scout.h"

#define DISCOVERED_ID_DIGITS 16  /* of the key, design, section 4, Identity */
#define RADIOS_MAX           256 /* beyond that, what is plugged in stays alone */

/* Who answers at a port, since it was plugged in. */
typedef struct Resident {
        PublicKey key;
        bool left_alone; /* nobody wanted it then: whose own radio is pulled later does not take it */
} Resident;

struct Hotplug {
        Manager *manager;
        SerialPorts *ports; /* NULL: the back-off has to do */
        bool discover;
        GHashTable *scouts;      /* device → Scout */
        GHashTable *residents;   /* device → Resident */
        sd_event_source *settle; /* ports and radios are brought together at the next turn */
};

/* -- who is who ------------------------------------------------------------------- */

static bool is_auto(const Radio *radio) {
        return radio->settings->transport == TRANSPORT_SERIAL &&
               strcmp(radio->settings->address, "auto") == 0;
}

static bool is_serial_path(const Radio *radio) {
        return radio->settings->transport == TRANSPORT_SERIAL && radio->settings->address[0] == '/';
}

static bool leads_to(const char *path, const char *device) {
        g_autofree char *real = realpath(path, NULL);

        return real && strcmp(real, device) == 0;
}

/* Whether this radio, and no other, should talk to that key. */
static bool is_home_of(const Radio *radio, const PublicKey *key) {
        if (radio->settings->has_public_key)
                return key_equal(&radio->settings->public_key, key);
        return radio->identity && key_equal(identity_key(radio->identity), key);
}

static Radio *find_home(Hotplug *hotplug, const PublicKey *key) {
        GPtrArray *radios = manager_radios(hotplug->manager);

        for (guint i = 0; i < radios->len; i++)
                if (is_home_of(radios->pdata[i], key))
                        return radios->pdata[i];
        return NULL;
}

/* A link or the configuration has it. */
static Radio *find_holder(Hotplug *hotplug, const char *device) {
        GPtrArray *radios = manager_radios(hotplug->manager);

        for (guint i = 0; i < radios->len; i++) {
                Radio *radio = radios->pdata[i];

                if (radio->link && g_strcmp0(radio->device, device) == 0)
                        return radio;
                if (is_serial_path(radio) && leads_to(radio->settings->address, device))
                        return radio;
        }
        return NULL;
}

static bool is_taken(Hotplug *hotplug, const char *device) {
        return find_holder(hotplug, device);
}

static bool is_scouting(Hotplug *hotplug) {
        GHashTableIter iter;
        void *scout;

        g_hash_table_iter_init(&iter, hotplug->scouts);
        while (g_hash_table_iter_next(&iter, NULL, &scout))
                if (scout_is_first_round(scout))
                        return true;
        return false;
}

/* -- bringing together -------------------------------------------------------------- */

/* Now, instead of after the back-off. */
static void reopen(Radio *radio) {
        if (radio->state != RADIO_WAITING || radio->reason == REASON_INHIBITED)
                return;

        radio_start(radio);
}

static void forget_device(Hotplug *hotplug, const char *device) {
        (void) g_hash_table_remove(hotplug->scouts, device);
        (void) g_hash_table_remove(hotplug->residents, device);
}

static void add_resident(Hotplug *hotplug, const char *device, const PublicKey *key) {
        Resident *resident = g_new0(Resident, 1);

        resident->key = *key;
        g_hash_table_insert(hotplug->residents, g_strdup(device), resident);
}

static void add_discovered(Hotplug *hotplug, const PublicKey *key) {
        KeyText text = key_to_text(key);
        RadioSettings *settings;
        const char *why;
        int r;

        if (manager_radios(hotplug->manager)->len >= RADIOS_MAX)
                return;

        text.text[DISCOVERED_ID_DIGITS] = '\0';
        settings = radio_settings_new(text.text);
        (void) radio_settings_set_transport(settings, "serial:auto", &why);
        settings->has_public_key = true;
        settings->public_key = *key;
        settings->discovered = true;
        r = manager_add_radio(hotplug->manager, settings, NULL);
        if (r < 0) {
                radio_settings_free(settings);
                if (r != -EEXIST)
                        (void) log_warning_errno(r, "Cannot add the radio that was plugged in");
        }
}

static void scout_told(Scout *scout, const PublicKey *key, void *userdata) {
        Hotplug *hotplug = userdata;

        if (key) {
                add_resident(hotplug, scout_device(scout), key);
                (void) g_hash_table_remove(hotplug->scouts, scout_device(scout));
        }
        hotplug_update(hotplug);
}

static bool is_unplugged(const Radio *radio) {
        return radio->state == RADIO_WAITING && radio->reason == REASON_NOT_PLUGGED;
}

/* Whom a radio that nobody expects may go to: best to one that never had any. */
static Radio *find_taker(Hotplug *hotplug, const Resident *resident) {
        GPtrArray *radios = manager_radios(hotplug->manager);
        Radio *second = NULL;

        for (guint i = 0; i < radios->len; i++) {
                Radio *radio = radios->pdata[i];

                if (!is_auto(radio) || radio->settings->has_public_key || !is_unplugged(radio))
                        continue;
                if (!radio->identity)
                        return radio;
                second = second ?: radio;
        }
        return resident->left_alone ? NULL : second;
}

/* One that has lost its radio takes another that comes, but not while its own may
 * be among those that have not answered yet. */
static bool may_open(Hotplug *hotplug, const Radio *radio, const Resident *resident) {
        return is_home_of(radio, &resident->key) || !radio->identity ||
               (!resident->left_alone && !is_scouting(hotplug));
}

static bool wants_ports(Hotplug *hotplug) {
        GPtrArray *radios = manager_radios(hotplug->manager);

        for (guint i = 0; i < radios->len; i++) {
                const Radio *radio = radios->pdata[i];

                if (is_auto(radio) && is_unplugged(radio))
                        return true;
        }
        return hotplug->discover;
}

static void settle_port(Hotplug *hotplug, const SerialPort *port) {
        Resident *resident = g_hash_table_lookup(hotplug->residents, port->device);
        Scout *scout = NULL;
        Radio *radio;

        if (is_taken(hotplug, port->device)) {
                (void) g_hash_table_remove(hotplug->scouts, port->device);
                return;
        }

        if (!resident) {
                if (wants_ports(hotplug) && !manager_has_inhibitions(hotplug->manager) &&
                    !g_hash_table_contains(hotplug->scouts, port->device) &&
                    scout_new(hotplug->manager, port, scout_told, hotplug, &scout) >= 0)
                        g_hash_table_insert(hotplug->scouts, g_strdup(port->device), scout);
                return;
        }

        radio = find_home(hotplug, &resident->key) ?: find_taker(hotplug, resident);
        if (!radio) {
                resident->left_alone = true;
                if (hotplug->discover)
                        add_discovered(hotplug, &resident->key);
        } else if (is_auto(radio) && is_unplugged(radio) && may_open(hotplug, radio, resident))
                reopen(radio);
}

static int on_settle(sd_event_source *source, void *userdata) {
        Hotplug *hotplug = userdata;
        const GPtrArray *radios = serial_ports_radios(hotplug->ports);

        hotplug->settle = sd_event_source_disable_unref(hotplug->settle);
        for (guint i = 0; i < radios->len; i++)
                settle_port(hotplug, radios->pdata[i]);
        return 0;
}

void hotplug_update(Hotplug *hotplug) {
        int r;

        if (!hotplug->ports || hotplug->settle)
                return;

        /* After radios that were just added have begun. */
        r = sd_event_add_defer(manager_event(hotplug->manager), &hotplug->settle, on_settle, hotplug);
        if (r >= 0)
                r = sd_event_source_set_priority(hotplug->settle, SD_EVENT_PRIORITY_IDLE);
        /* Radios that go after the end of the loop free their ports for nobody. */
        if (r < 0 && r != -ESTALE)
                (void) log_warning_errno(r, "Cannot look at the serial ports");
}

const SerialPort *hotplug_choose_port(Hotplug *hotplug, const Radio *radio) {
        const GPtrArray *ports = hotplug->ports ? serial_ports_radios(hotplug->ports) : NULL;
        const SerialPort *second = NULL;

        for (guint i = 0; ports && i < ports->len; i++) {
                const SerialPort *port = ports->pdata[i];
                const Resident *resident = g_hash_table_lookup(hotplug->residents, port->device);

                if (!resident || is_taken(hotplug, port->device))
                        continue;
                if (is_home_of(radio, &resident->key))
                        return port;
                if (!radio->settings->has_public_key && !find_home(hotplug, &resident->key) &&
                    may_open(hotplug, radio, resident))
                        second = second ?: port;
        }

        if (!second)
                hotplug_update(hotplug); /* perhaps nobody has asked yet who is there */
        return second;
}

const GPtrArray *hotplug_ports(const Hotplug *hotplug) {
        return hotplug->ports ? serial_ports_radios(hotplug->ports) : NULL;
}

Radio *hotplug_find_radio(Hotplug *hotplug, const char *device, const PublicKey **ret_key) {
        const Resident *resident = g_hash_table_lookup(hotplug->residents, device);

        *ret_key = resident ? &resident->key : NULL;
        return find_holder(hotplug, device) ?: (resident ? find_home(hotplug, &resident->key) : NULL);
}

void hotplug_learn(Hotplug *hotplug, const char *device, const PublicKey *key) {
        const Resident *known = g_hash_table_lookup(hotplug->residents, device);

        if (known && key_equal(&known->key, key))
                return;

        add_resident(hotplug, device, key);
        hotplug_update(hotplug);
}

/* -- events -------------------------------------------------------------------------- */

static void port_added(const SerialPort *port, void *userdata) {
        Hotplug *hotplug = userdata;
        GPtrArray *radios = manager_radios(hotplug->manager);

        for (guint i = 0; i < radios->len; i++) {
                Radio *radio = radios->pdata[i];

                if (is_serial_path(radio) && leads_to(radio->settings->address, port->device))
                        reopen(radio);
        }
        if (port->is_radio)
                hotplug_update(hotplug);
}

/* The kernel has hung up the open port already, or will at once; either way
 * this is why. */
static void radio_pulled(Radio *radio) {
        if (radio->state > RADIO_WAITING)
                radio_fail(radio, REASON_NOT_PLUGGED, OUTCOME_LINK_LOST, "the radio was unplugged");
        else if (radio->state == RADIO_WAITING && radio->reason == REASON_LOST)
                radio_set_reason(radio, REASON_NOT_PLUGGED);
}

static void port_removed(const char *device, void *userdata) {
        Hotplug *hotplug = userdata;
        GPtrArray *radios = manager_radios(hotplug->manager);

        forget_device(hotplug, device);
        for (guint i = 0; i < radios->len; i++) {
                Radio *radio = radios->pdata[i];

                if (g_strcmp0(radio->device, device) == 0)
                        radio_pulled(radio);
        }
}

static void path_touched(const char *path, void *userdata) {
        Hotplug *hotplug = userdata;
        GPtrArray *radios = manager_radios(hotplug->manager);
        bool there = access(path, F_OK) >= 0;

        for (guint i = 0; i < radios->len; i++) {
                Radio *radio = radios->pdata[i];

                if (!is_serial_path(radio) || strcmp(radio->settings->address, path) != 0)
                        continue;
                if (there)
                        reopen(radio);
                else
                        radio_pulled(radio);
        }
}

static const SerialPortsHandler ports_handler = {
                .added = port_added,
                .removed = port_removed,
                .touched = path_touched,
};

/* -- radios ---------------------------------------------------------------------------- */

void hotplug_add_radio(Hotplug *hotplug, const Radio *radio) {
        int r;

        if (hotplug->ports && is_serial_path(radio)) {
                r = serial_ports_watch(hotplug->ports, radio->settings->address);
                if (r < 0)
                        radio_log(radio, LOG_WARNING, r,
                                  "cannot watch for %s, it is tried from time to time instead",
                                  radio->settings->address);
        }
        hotplug_update(hotplug);
}

void hotplug_remove_radio(Hotplug *hotplug, const Radio *radio) {
        if (hotplug->ports && is_serial_path(radio))
                serial_ports_unwatch(hotplug->ports, radio->settings->address);
        hotplug_update(hotplug);
}

static void add_known(const char *id, const PublicKey *key, void *userdata) {
        GPtrArray *keys = userdata;

        if (strlen(id) == DISCOVERED_ID_DIGITS &&
            strncmp(id, key_to_text(key).text, DISCOVERED_ID_DIGITS) == 0)
                g_ptr_array_add(keys, g_memdup2(key, sizeof(*key)));
}

void hotplug_set_discover(Hotplug *hotplug, bool discover) {
        g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func(g_free);
        int r;

        if (hotplug->discover == discover)
                return;

        hotplug->discover = discover;
        if (discover) {
                r = store_list_slots(manager_store(hotplug->manager), add_known, keys);
                if (r < 0)
                        (void) log_warning_errno(r, "Cannot list the radios of former times, "
                                                    "they come when they are plugged in");
                for (guint i = 0; i < keys->len; i++)
                        if (!find_home(hotplug, keys->pdata[i]))
                                add_discovered(hotplug, keys->pdata[i]);
        }
        hotplug_update(hotplug);
}

bool hotplug_has_events(const Hotplug *hotplug) {
        return hotplug->ports;
}

/* -- life ---------------------------------------------------------------------------------- */

static void free_scout(void *scout) {
        scout_free(scout);
}

Hotplug *hotplug_new(Manager *manager) {
        Hotplug *hotplug = g_new0(Hotplug, 1);
        int r;

        hotplug->manager = manager;
        hotplug->scouts = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, free_scout);
        hotplug->residents = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        r = serial_ports_new(manager_event(manager), &ports_handler, hotplug, &hotplug->ports);
        if (r < 0)
                (void) log_warning_errno(r, "Cannot follow serial ports, they are tried from time to time");
        return hotplug;
}

Hotplug *hotplug_free(Hotplug *hotplug) {
        if (!hotplug)
                return NULL;

        sd_event_source_disable_unref(hotplug->settle);
        serial_ports_free(hotplug->ports);
        g_hash_table_unref(hotplug->scouts);
        g_hash_table_unref(hotplug->residents);
        return g_free(hotplug), NULL;
}
