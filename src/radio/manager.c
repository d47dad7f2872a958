/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "manager.h"

#include <string.h>
#include <sys/epoll.h>
#include <syslog.h>

#include "hotplug.h"
#include "log.h"
#include "macros.h"
#include "radio-internal.h"
#include "retention.h"

struct Manager {
        sd_event *event;
        Store *store;
        GPtrArray *radios; /* Radio, in order of addition */
        const RadioObserver *observer;
        void *userdata;
        Hotplug *hotplug;
        Inhibitions *inhibitions;
        Retention *retention;
        Bluez *bluez;
        BluezWatch *adapters;
        GQueue forgets; /* Forget of forget.c */
        const PinAsker *pin_asker;
        void *pin_userdata;
        manager_settled_t settled; /* of manager_settle(), until it is called */
        void *settled_userdata;
        sd_event_source *check; /* the store is read through after an unclean stop */
};

/* -- spool --------------------------------------------------------------------- */

Radio *manager_find_identity(Manager *manager, const PublicKey *key, const Radio *except) {
        for (guint i = 0; i < manager->radios->len; i++) {
                Radio *radio = manager->radios->pdata[i];

                if (radio != except && radio->identity && key_equal(identity_key(radio->identity), key))
                        return radio;
        }
        return NULL;
}

Radio *manager_find_connected(Manager *manager, const PublicKey *key, const Radio *except) {
        Radio *radio = manager_find_identity(manager, key, except);

        return radio && radio->identity_confirmed ? radio : NULL;
}

int manager_import_frame(Manager *manager, const PublicKey *key, uint64_t timestamp_usec, Slice raw) {
        Radio *radio = manager_find_identity(manager, key, NULL);
        g_autoptr(Identity) identity = NULL;
        int r;

        if (radio)
                return receive_import(radio->identity, timestamp_usec, raw);

        r = identity_load(manager->store, key, &identity);
        if (r < 0)
                return r;
        return receive_import(identity, timestamp_usec, raw);
}

static int import_spooled(const PublicKey *key, uint64_t timestamp_usec, Slice raw, void *userdata) {
        return manager_import_frame(userdata, key, timestamp_usec, raw);
}

int manager_import_spool(Manager *manager) {
        return store_spool_import(manager->store, import_spooled, manager);
}

/* -- radios ------------------------------------------------------------------------ */

Radio *manager_get_radio(Manager *manager, const char *id) {
        for (guint i = 0; i < manager->radios->len; i++)
                if (strcmp(radio_id(manager->radios->pdata[i]), id) == 0)
                        return manager->radios->pdata[i];
        return NULL;
}

static int on_first_start(sd_event_source *source, void *userdata) {
        Radio *radio = userdata;

        radio->first_start = sd_event_source_disable_unref(radio->first_start);
        radio_start(radio);
        return 0;
}

int manager_add_radio(Manager *manager, RadioSettings *settings, Radio **ret) {
        const RadioObserver *o = manager->observer;
        PublicKey key;
        Radio *radio;
        int r;

        if (manager_get_radio(manager, settings->id))
                return -EEXIST;

        radio = radio_new(manager, settings);
        g_ptr_array_add(manager->radios, radio);
        if (o && o->added)
                o->added(radio, manager->userdata);

        if (store_get_slot(manager->store, radio_id(radio), &key) >= 0 &&
            !manager_find_identity(manager, &key, radio)) {
                r = radio_load_identity(radio, &key);
                if (r < 0)
                        radio_log(radio, LOG_ERR, r, "cannot load what is stored, it comes with the radio");
        }

        if (settings->enabled) {
                r = sd_event_add_defer(manager->event, &radio->first_start, on_first_start, radio);
                if (r < 0)
                        radio_log(radio, LOG_ERR, r, "cannot start");
        }
        hotplug_add_radio(manager->hotplug, radio);

        if (ret)
                *ret = radio;
        return 0;
}

static void manager_drop_radio(Manager *manager, Radio *radio) {
        const RadioObserver *o = manager->observer;

        radio_enter_state(radio, RADIO_STOPPED, REASON_NONE);
        if (o && o->removed)
                o->removed(radio, manager->userdata);
        g_ptr_array_remove(manager->radios, radio);
        hotplug_remove_radio(manager->hotplug, radio);
        radio_free(radio);
}

int manager_remove_radio(Manager *manager, const char *id) {
        Radio *radio = manager_get_radio(manager, id);

        if (!radio)
                return -ENOENT;

        manager_drop_radio(manager, radio);
        manager_check_settled(manager);
        return 0;
}

static RadioSettings *find_settings(GPtrArray *settings, const char *id) {
        for (guint i = 0; i < settings->len; i++)
                if (strcmp(((RadioSettings *) settings->pdata[i])->id, id) == 0)
                        return settings->pdata[i];
        return NULL;
}

int manager_apply(Manager *manager, GPtrArray *settings) {
        int first_error = 0;

        /* Whom the new set does not know or knows differently goes; the history stays in the
         * store. */
        for (guint i = manager->radios->len; i > 0; i--) {
                Radio *radio = manager->radios->pdata[i - 1];
                const RadioSettings *wanted = find_settings(settings, radio_id(radio));

                if (!wanted && radio->settings->discovered)
                        continue;
                if (!wanted || !radio_settings_equal(wanted, radio->settings))
                        manager_drop_radio(manager, radio);
        }

        while (settings->len > 0) {
                RadioSettings *wanted = g_ptr_array_steal_index(settings, 0);
                int r;

                if (manager_get_radio(manager, wanted->id)) {
                        radio_settings_free(wanted);
                        continue;
                }
                r = manager_add_radio(manager, wanted, NULL);
                if (r < 0) {
                        radio_settings_free(wanted);
                        first_error = first_error ?: r;
                }
        }

        g_ptr_array_unref(settings);
        return first_error;
}

/* -- settling ---------------------------------------------------------------------- */

void manager_check_settled(Manager *manager) {
        manager_settled_t settled;

        for (guint i = 0; i < manager->radios->len; i++)
                if (!radio_is_finished(manager->radios->pdata[i]))
                        return;

        settled = g_steal_pointer(&manager->settled);
        if (settled)
                settled(manager, manager->settled_userdata);
}

void manager_settle(Manager *manager, manager_settled_t settled, void *userdata) {
        manager->settled = settled;
        manager->settled_userdata = userdata;
        for (guint i = 0; i < manager->radios->len; i++)
                (void) radio_finish(manager->radios->pdata[i]);
        manager_check_settled(manager);
}

bool manager_is_settling(const Manager *manager) {
        return manager->settled;
}

void manager_resume(Manager *manager) {
        manager->settled = NULL;
        for (guint i = 0; i < manager->radios->len; i++)
                radio_go_on(manager->radios->pdata[i]);
}

const char *manager_find_stuck(Manager *manager) {
        for (guint i = 0; i < manager->radios->len; i++)
                if (radio_is_stuck(manager->radios->pdata[i]))
                        return radio_id(manager->radios->pdata[i]);
        return NULL;
}

void manager_set_discover(Manager *manager, bool discover) {
        for (guint i = manager->radios->len; !discover && i > 0; i--) {
                Radio *radio = manager->radios->pdata[i - 1];

                if (radio->settings->discovered)
                        manager_drop_radio(manager, radio);
        }
        hotplug_set_discover(manager->hotplug, discover);
}

/* -- life ------------------------------------------------------------------------------ */

static int on_check(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        Manager *manager = userdata;

        if (store_check_finish(manager->store) == -EAGAIN)
                return 0;

        manager->check = sd_event_source_disable_unref(manager->check);
        return 0;
}

int manager_new(sd_event *event, Store *store, Manager **ret) {
        g_autoptr(Manager) manager = g_new0(Manager, 1);
        int r;

        manager->event = sd_event_ref(event);
        manager->store = store;
        manager->radios = g_ptr_array_new();
        manager->inhibitions = inhibitions_new();
        manager->retention = retention_new(manager);
        manager->hotplug = hotplug_new(manager);

        if (store_check_fd(store) >= 0) {
                r = sd_event_add_io(event, &manager->check, store_check_fd(store), EPOLLIN, on_check,
                                    manager);
                if (r < 0)
                        return r;
        }

        /* What a full disk left behind; if it still is, the next pop tries again. */
        r = manager_import_spool(manager);
        if (r < 0)
                (void) log_warning_errno(r, "Cannot take over all messages from the spool yet");

        *ret = g_steal_pointer(&manager);
        return 0;
}

Manager *manager_free(Manager *manager) {
        if (!manager)
                return NULL;

        while (manager->radios->len > 0)
                manager_drop_radio(manager, manager->radios->pdata[manager->radios->len - 1]);
        g_ptr_array_unref(manager->radios);
        manager_stop_forgets(manager);
        hotplug_free(manager->hotplug);
        inhibitions_free(manager->inhibitions);
        retention_free(manager->retention);
        bluez_unwatch(manager->adapters);
        bluez_settle(manager->bluez);
        bluez_unref(manager->bluez);
        sd_event_source_disable_unref(manager->check);
        sd_event_unref(manager->event);
        return g_free(manager), NULL;
}

void manager_set_observer(Manager *manager, const RadioObserver *observer, void *userdata) {
        manager->observer = observer;
        manager->userdata = userdata;
}

const RadioObserver *manager_observer(Manager *manager, void **ret_userdata) {
        *ret_userdata = manager->userdata;
        return manager->observer;
}

GPtrArray *manager_radios(Manager *manager) {
        return manager->radios;
}

Store *manager_store(Manager *manager) {
        return manager->store;
}

Retention *manager_retention(Manager *manager) {
        return manager->retention;
}

Inhibitions *manager_inhibitions(Manager *manager) {
        return manager->inhibitions;
}

Hotplug *manager_hotplug(Manager *manager) {
        return manager->hotplug;
}

Bluez *manager_bluez(Manager *manager) {
        if (manager->bluez)
                return manager->bluez;
        if (bluez_new(manager->event, NULL, &manager->bluez) < 0)
                return NULL;

        manager->adapters = adapter_watch(manager, manager->bluez);
        return manager->bluez;
}

void manager_set_pin_asker(Manager *manager, const PinAsker *asker, void *userdata) {
        manager->pin_asker = asker;
        manager->pin_userdata = userdata;
}

const PinAsker *manager_pin_asker(Manager *manager, void **ret_userdata) {
        *ret_userdata = manager->pin_userdata;
        return manager->pin_asker;
}

GQueue *manager_forgets(Manager *manager) {
        return &manager->forgets;
}

sd_event *manager_event(Manager *manager) {
        return manager->event;
}
