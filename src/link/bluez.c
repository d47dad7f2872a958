/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bluez.h"

#include <string.h>

#include "bluez-internal.h"
#include "log.h"
#include "macros.h"

#define OBJECTS_USEC    (10 * USEC_PER_SEC)
#define LEAVE_USEC      (10 * USEC_PER_SEC)
#define SYNC_USEC       USEC_PER_SEC
#define DISCONNECT_USEC (3 * USEC_PER_SEC) /* bluetoothd takes 2 s */
#define GONE_USEC       (5 * USEC_PER_SEC)

#define DBUS_NAME            "org.freedesktop.DBus"
#define DBUS_OBJECT_MANAGER  "org.freedesktop.DBus.ObjectManager"
#define DBUS_PROPERTIES_NAME "org.freedesktop.DBus.Properties"

struct BluezWatch {
        Bluez *bluez;
        bluez_changed_t changed; /* NULL: freed while watches are told */
        void *userdata;
        bool telling;
};

/* -- watches ----------------------------------------------------------------------- */

BluezWatch *bluez_watch(Bluez *bluez, bluez_changed_t changed, void *userdata) {
        BluezWatch *watch = g_new(BluezWatch, 1);

        *watch = (BluezWatch){.bluez = bluez, .changed = changed, .userdata = userdata};
        g_ptr_array_add(bluez->watches, watch);
        return watch;
}

BluezWatch *bluez_unwatch(BluezWatch *watch) {
        if (!watch)
                return NULL;

        g_ptr_array_remove(watch->bluez->watches, watch);
        if (watch->telling)
                watch->changed = NULL;
        else
                g_free(watch);
        return NULL;
}

void bluez_tell_changed(Bluez *bluez, BluezChange what, const char *path) {
        g_autoptr(Bluez) hold = bluez_ref(bluez);
        g_autoptr(GPtrArray) all = g_ptr_array_new();

        /* Watches of an outer round are told by it; who is added now has seen the change. */
        for (guint i = 0; i < bluez->watches->len; i++) {
                BluezWatch *watch = bluez->watches->pdata[i];

                if (watch->telling)
                        continue;
                watch->telling = true;
                g_ptr_array_add(all, watch);
        }

        for (guint i = 0; i < all->len; i++) {
                BluezWatch *watch = all->pdata[i];

                if (watch->changed)
                        watch->changed(bluez, what, path, watch->userdata);
                watch->telling = false;
                if (!watch->changed)
                        g_free(watch);
        }
}

/* -- bluetoothd comes and goes -------------------------------------------------------- */

static void lose_objects(Bluez *bluez) {
        bool was_ready = bluez->ready;

        bluez->ready = false;
        bluez->objects = sd_bus_slot_unref(bluez->objects);
        g_clear_pointer(&bluez->owner, g_free);
        bluez_objects_clear(bluez);
        g_hash_table_remove_all(bluez->leaving);
        bluez_scans_lost(bluez);
        bluez_agents_lost(bluez);
        if (was_ready)
                log_info("Bluetooth service is gone");
}

static int on_objects(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        Bluez *bluez = userdata;
        const sd_bus_error *e = sd_bus_message_get_error(reply);
        int r;

        bluez->objects = sd_bus_slot_unref(bluez->objects);
        bluez_objects_clear(bluez);
        if (e)
                r = -sd_bus_error_get_errno(e);
        else
                r = bluez_objects_read(bluez, reply);
        if (e && sd_bus_error_has_names(e, SD_BUS_ERROR_SERVICE_UNKNOWN, SD_BUS_ERROR_NAME_HAS_NO_OWNER))
                r = -ENOENT;

        if (r < 0) {
                (void) log_debug_errno(r, "Cannot learn what the Bluetooth service knows");
                bluez_objects_clear(bluez);
                bluez->error = r;
        } else {
                bluez->ready = true;
                bluez->error = 0;
                g_free(bluez->owner);
                bluez->owner = g_strdup(sd_bus_message_get_sender(reply));
        }

        bluez_tell_changed(bluez, BLUEZ_CHANGED_SERVICE, "");
        return 0;
}

static int ask_objects(Bluez *bluez, bool activate) {
        g_autoptr(sd_bus_message) m = NULL;
        int r;

        r = sd_bus_message_new_method_call(bluez->bus, &m, BLUEZ_NAME, "/", DBUS_OBJECT_MANAGER,
                                           "GetManagedObjects");
        if (r >= 0)
                r = sd_bus_message_set_auto_start(m, activate);
        if (r >= 0)
                r = sd_bus_call_async(bluez->bus, &bluez->objects, m, on_objects, bluez, OBJECTS_USEC);
        return r;
}

static int on_owner(sd_bus_message *signal, void *userdata, sd_bus_error *error) {
        Bluez *bluez = userdata;
        const char *name, *from, *to;
        int r;

        r = sd_bus_message_read(signal, "sss", &name, &from, &to);
        if (r < 0 || strcmp(name, BLUEZ_NAME) != 0)
                return 0;

        lose_objects(bluez);
        bluez->error = *to ? 0 : -ENOENT;
        bluez_tell_changed(bluez, BLUEZ_CHANGED_SERVICE, "");
        if (*to && bluez->bus && !bluez->objects && !bluez->ready)
                (void) ask_objects(bluez, false);
        return 0;
}

static int on_signal(sd_bus_message *signal, void *userdata, sd_bus_error *error) {
        Bluez *bluez = userdata;
        const char *name, *text;
        int r = 0;

        /* Before the answer to GetManagedObjects they tell nothing that it will not. */
        if (!bluez->ready || g_strcmp0(sd_bus_message_get_sender(signal), bluez->owner) != 0)
                return 0;

        if (sd_bus_message_is_signal(signal, DBUS_PROPERTIES_NAME, "PropertiesChanged"))
                r = bluez_objects_change(bluez, sd_bus_message_get_path(signal), signal);
        else if (sd_bus_message_is_signal(signal, DBUS_OBJECT_MANAGER, "InterfacesAdded"))
                r = bluez_objects_add(bluez, signal, true);
        else if (sd_bus_message_is_signal(signal, DBUS_OBJECT_MANAGER, "InterfacesRemoved"))
                r = bluez_objects_remove(bluez, signal);
        else if (sd_bus_message_is_signal(signal, BLUEZ_DEVICE, "Disconnected")) {
                r = sd_bus_message_read(signal, "ss", &name, &text);
                if (r >= 0)
                        bluez_objects_lost_reason(bluez, sd_bus_message_get_path(signal), name);
        }
        if (r < 0)
                (void) log_debug_errno(r, "Cannot read a signal of the Bluetooth service, ignoring");
        return 0;
}

/* -- the bus --------------------------------------------------------------------------- */

static void drop_bus(Bluez *bluez) {
        lose_objects(bluez);
        bluez->names = sd_bus_slot_unref(bluez->names);
        bluez->disconnected = sd_bus_slot_unref(bluez->disconnected);
        bluez->signals = sd_bus_slot_unref(bluez->signals);
        bluez->agent_object = sd_bus_slot_unref(bluez->agent_object);
        if (bluez->bus) {
                (void) sd_bus_detach_event(bluez->bus);
                bluez->bus = sd_bus_close_unref(bluez->bus);
        }
}

/* Not from within the callbacks of the connection. */
static int on_deferred(sd_event_source *source, void *userdata) {
        Bluez *bluez = userdata;

        bluez->deferred = sd_event_source_disable_unref(bluez->deferred);
        if (!bluez->ready)
                drop_bus(bluez);
        bluez->error = -ENOTCONN;
        bluez_tell_changed(bluez, BLUEZ_CHANGED_SERVICE, "");
        return 0;
}

static int on_disconnected(sd_bus_message *signal, void *userdata, sd_bus_error *error) {
        Bluez *bluez = userdata;

        lose_objects(bluez);
        if (!bluez->deferred)
                (void) sd_event_add_defer(bluez->event, &bluez->deferred, on_deferred, bluez);
        return 0;
}

static int add_matches(Bluez *bluez) {
        int r;

        r = sd_bus_match_signal_async(bluez->bus, &bluez->disconnected, NULL, "/org/freedesktop/DBus/Local",
                                      "org.freedesktop.DBus.Local", "Disconnected", on_disconnected, NULL,
                                      bluez);
        if (r >= 0)
                r = sd_bus_add_match_async(bluez->bus, &bluez->names,
                                           "type='signal',sender='" DBUS_NAME "',interface='" DBUS_NAME
                                           "',member='NameOwnerChanged',arg0='" BLUEZ_NAME "'",
                                           on_owner, NULL, bluez);
        if (r >= 0)
                r = sd_bus_add_match_async(bluez->bus, &bluez->signals,
                                           "type='signal',sender='" BLUEZ_NAME "'", on_signal, NULL, bluez);
        return r;
}

static int open_bus(Bluez *bluez) {
        int r;

        if (bluez->address) {
                r = sd_bus_new(&bluez->bus);
                if (r >= 0)
                        r = sd_bus_set_address(bluez->bus, bluez->address);
                if (r >= 0)
                        r = sd_bus_set_bus_client(bluez->bus, true);
                if (r >= 0)
                        r = sd_bus_negotiate_fds(bluez->bus, true);
                if (r >= 0)
                        r = sd_bus_start(bluez->bus);
        } else
                r = sd_bus_open_system_with_description(&bluez->bus, "meshcored-bluez");
        if (r >= 0)
                r = add_matches(bluez);
        if (r >= 0)
                r = sd_bus_attach_event(bluez->bus, bluez->event, SD_EVENT_PRIORITY_NORMAL);
        /* Links end after the loop has, and have something to say then. */
        if (r >= 0)
                r = sd_bus_set_close_on_exit(bluez->bus, false);
        if (r < 0)
                drop_bus(bluez);
        return r;
}

int bluez_refresh(Bluez *bluez, bool activate) {
        int r;

        if (bluez->ready || bluez->objects || bluez->deferred)
                return 0;

        if (!bluez->bus) {
                r = open_bus(bluez);
                if (r < 0) {
                        bluez->error = r;
                        return r;
                }
        }

        bluez->error = 0;
        return ask_objects(bluez, activate);
}

bool bluez_is_ready(const Bluez *bluez) {
        return bluez->ready;
}

int bluez_error(const Bluez *bluez) {
        return bluez->ready ? 0 : bluez->error;
}

sd_event *bluez_event(Bluez *bluez) {
        return bluez->event;
}

/* -- calls ------------------------------------------------------------------------------- */

int bluez_message(Bluez *bluez, const char *path, const char *interface, const char *member,
                  sd_bus_message **ret) {
        g_autoptr(sd_bus_message) m = NULL;
        int r;

        if (!bluez->bus || !bluez->owner)
                return -ENOTCONN;

        r = sd_bus_message_new_method_call(bluez->bus, &m, bluez->owner, path, interface, member);
        if (r >= 0)
                r = sd_bus_message_set_auto_start(m, false);
        if (r < 0)
                return r;

        *ret = g_steal_pointer(&m);
        return 0;
}

int bluez_call(Bluez *bluez, sd_bus_slot **ret_slot, sd_bus_message *message, sd_bus_message_handler_t done,
               void *userdata, uint64_t usec) {
        if (!bluez->bus)
                return -ENOTCONN;
        return sd_bus_call_async(bluez->bus, ret_slot, message, done, userdata, usec);
}

void bluez_tell(Bluez *bluez, sd_bus_message *message) {
        int r;

        if (!bluez->bus)
                return;

        r = sd_bus_message_set_expect_reply(message, false);
        if (r >= 0)
                r = sd_bus_send(bluez->bus, message, NULL);
        if (r < 0)
                (void) log_debug_errno(r, "Cannot send to the Bluetooth service, ignoring");
}

int bluez_message_set(Bluez *bluez, const char *path, const char *interface, const char *property, bool value,
                      sd_bus_message **ret) {
        g_autoptr(sd_bus_message) m = NULL;
        int r;

        r = bluez_message(bluez, path, DBUS_PROPERTIES_NAME, "Set", &m);
        if (r >= 0)
                r = sd_bus_message_append(m, "ssv", interface, property, "b", (int) value);
        if (r < 0)
                return r;

        *ret = g_steal_pointer(&m);
        return 0;
}

/* -- leaving -------------------------------------------------------------------------------- */

typedef struct Leaving {
        Bluez *bluez;
        char *device;
        bool forget;
        sd_bus_slot *slot;
        sd_event_source *timer; /* answered, and the object is still to go */
} Leaving;

static void leaving_free(void *p) {
        Leaving *leaving = p;

        sd_bus_slot_unref(leaving->slot);
        sd_event_source_disable_unref(leaving->timer);
        g_free(leaving->device);
        g_free(leaving);
}

static void left(Leaving *leaving) {
        Bluez *bluez = leaving->bluez;
        g_autofree char *device = g_strdup(leaving->device);

        (void) g_hash_table_remove(bluez->leaving, device);
        bluez_tell_changed(bluez, BLUEZ_CHANGED_LEFT, device);
}

static int on_still_there(sd_event_source *source, uint64_t usec, void *userdata) {
        left(userdata);
        return 0;
}

static int on_left(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        Leaving *leaving = userdata;
        Bluez *bluez = leaving->bluez;

        leaving->slot = sd_bus_slot_unref(leaving->slot);
        /* bluetoothd answers when the connection has ended, and removes the object after that. */
        if (leaving->forget && !sd_bus_message_is_method_error(reply, NULL) &&
            bluez_device(bluez, leaving->device) &&
            sd_event_add_time_relative(bluez->event, &leaving->timer, CLOCK_MONOTONIC, GONE_USEC, 0,
                                       on_still_there, leaving) >= 0)
                return 0;

        left(leaving);
        return 0;
}

void bluez_device_gone(Bluez *bluez, const char *device) {
        Leaving *leaving = g_hash_table_lookup(bluez->leaving, device);

        if (leaving && leaving->timer)
                left(leaving);
}

static int leave_message(Bluez *bluez, const char *device, bool forget, sd_bus_message **ret) {
        const BluezDevice *d = bluez_device(bluez, device);
        g_autoptr(sd_bus_message) m = NULL;
        int r;

        if (!forget)
                return bluez_message(bluez, device, BLUEZ_DEVICE, "Disconnect", ret);
        if (!d)
                return -ENOENT;

        r = bluez_message(bluez, d->adapter, BLUEZ_ADAPTER, "RemoveDevice", &m);
        if (r >= 0)
                r = sd_bus_message_append(m, "o", device);
        if (r < 0)
                return r;

        *ret = g_steal_pointer(&m);
        return 0;
}

void bluez_leave(Bluez *bluez, const char *device, bool forget) {
        g_autoptr(sd_bus_message) m = NULL;
        Leaving *leaving;
        int r;

        /* To be forgotten goes beyond to be left. */
        if (g_hash_table_contains(bluez->leaving, device) && !forget)
                return;

        leaving = g_new(Leaving, 1);
        *leaving = (Leaving){.bluez = bluez, .device = g_strdup(device), .forget = forget};
        r = leave_message(bluez, device, forget, &m);
        if (r >= 0)
                r = bluez_call(bluez, &leaving->slot, m, on_left, leaving, LEAVE_USEC);
        if (r < 0) {
                (void) log_debug_errno(r, "Cannot end a Bluetooth connection, ignoring");
                leaving_free(leaving);
                return;
        }
        (void) g_hash_table_replace(bluez->leaving, leaving->device, leaving);
}

bool bluez_is_leaving(const Bluez *bluez, const char *device) {
        return g_hash_table_contains(bluez->leaving, device);
}

/* -- life ------------------------------------------------------------------------------------ */

int bluez_new(sd_event *event, const char *address, Bluez **ret) {
        Bluez *bluez = g_new(Bluez, 1);

        *bluez = (Bluez){
                        .n_ref = 1,
                        .event = sd_event_ref(event),
                        .address = g_strdup(address),
                        .error = -ENOTCONN,
                        .leaving = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, leaving_free),
                        .watches = g_ptr_array_new(),
                        .sessions = g_ptr_array_new(),
                        .agents = g_ptr_array_new(),
        };
        bluez_objects_init(bluez);

        *ret = bluez;
        return 0;
}

Bluez *bluez_ref(Bluez *bluez) {
        g_assert(bluez->n_ref > 0);
        bluez->n_ref++;
        return bluez;
}

void bluez_sync(Bluez *bluez) {
        g_autoptr(sd_bus_message) ping = NULL;

        if (bluez && bluez->ready &&
            bluez_message(bluez, "/org/bluez", "org.freedesktop.DBus.Peer", "Ping", &ping) >= 0)
                (void) sd_bus_call(bluez->bus, ping, SYNC_USEC, NULL, NULL);
}

void bluez_settle(Bluez *bluez) {
        GHashTableIter iter;
        Leaving *leaving;

        bluez_sync(bluez);
        if (!bluez || !bluez->ready)
                return;

        /* The loop is over, so nobody takes the answer to the first Disconnect. The one to a second comes at
         * the same time, and all of them run side by side. */
        g_hash_table_iter_init(&iter, bluez->leaving);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &leaving)) {
                g_autoptr(sd_bus_message) m = NULL;

                if (leaving->forget || !leaving->slot)
                        continue;
                if (bluez_message(bluez, leaving->device, BLUEZ_DEVICE, "Disconnect", &m) >= 0)
                        (void) sd_bus_call(bluez->bus, m, DISCONNECT_USEC, NULL, NULL);
        }
}

Bluez *bluez_unref(Bluez *bluez) {
        if (!bluez)
                return NULL;

        g_assert(bluez->n_ref > 0);
        if (--bluez->n_ref > 0)
                return NULL;

        /* What links told at their end, such as Disconnect, should not be lost with the connection; but a bus
         * that has not yet let us in has been told nothing, and would be waited for. */
        if (bluez->bus && sd_bus_is_ready(bluez->bus) > 0)
                (void) sd_bus_flush(bluez->bus);
        bluez->ready = false; /* that we go is no news */
        drop_bus(bluez);
        sd_event_source_disable_unref(bluez->deferred);
        g_hash_table_unref(bluez->leaving);
        g_ptr_array_unref(bluez->watches);
        g_ptr_array_unref(bluez->sessions);
        g_ptr_array_unref(bluez->agents);
        bluez_objects_free(bluez);
        sd_event_unref(bluez->event);
        g_free(bluez->address);
        g_free(bluez);
        return NULL;
}
