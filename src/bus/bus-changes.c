/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "bus-internal.h"
#include "log.h"

/* PropertiesChanged leaves once per turn of the event loop for each object,
 * with all names that changed meanwhile. Announcements leave at once, so that nothing changes on
 * the bus before it is there. */

/* An object has at most this many interfaces of ours (a radio that can be paired), and an interface this many
 * properties. */
#define INTERFACES_MAX 6
#define PROPERTIES_MAX 64

typedef struct Changes {
        const char *interface;
        size_t n;
        const char *names[PROPERTIES_MAX + 1]; /* NULL-terminated */
} Changes;

typedef struct ObjectChanges {
        char *path;
        size_t n;
        Changes *interfaces[INTERFACES_MAX];
        GList link;
} ObjectChanges;

static void object_changes_free(ObjectChanges *object) {
        for (size_t i = 0; i < object->n; i++)
                g_free(object->interfaces[i]);
        g_free(object->path);
        g_free(object);
}

bool bus_can_emit(const Bus *bus) {
        return bus->conn && bus->owned;
}

/* -- announcements -------------------------------------------------------- */

void bus_emit_added(Bus *bus, const char *path) {
        int r;

        if (!bus_can_emit(bus))
                return;

        r = sd_bus_emit_object_added(bus->conn, path);
        if (r < 0)
                bus_give_up(bus, r, "Cannot announce an object");
}

void bus_emit_removed(Bus *bus, const char *path, const char *const *interfaces) {
        /* What sd-bus announced along with ours; a client keeps an object until all of
         * it is gone. The object itself may be gone already, so it is not asked. */
        g_autoptr(GPtrArray) names = g_ptr_array_new();
        int r;

        bus_forget_changes(bus, path);
        if (!bus_can_emit(bus))
                return;

        g_ptr_array_add(names, (char *) "org.freedesktop.DBus.Peer");
        g_ptr_array_add(names, (char *) "org.freedesktop.DBus.Introspectable");
        g_ptr_array_add(names, (char *) "org.freedesktop.DBus.Properties");
        for (; *interfaces; interfaces++)
                g_ptr_array_add(names, (char *) *interfaces);
        g_ptr_array_add(names, NULL);

        r = sd_bus_emit_interfaces_removed_strv(bus->conn, path, (char **) names->pdata);
        if (r < 0)
                bus_give_up(bus, r, "Cannot withdraw an object");
}

/* -- signals -------------------------------------------------------------- */

sd_bus_message *bus_signal_new(Bus *bus, const char *path, const char *interface, const char *member) {
        sd_bus_message *signal;
        int r;

        if (!bus_can_emit(bus))
                return NULL;

        r = sd_bus_message_new_signal(bus->conn, &signal, path, interface, member);
        if (r < 0) {
                bus_give_up(bus, r, "Cannot make a signal");
                return NULL;
        }
        return signal;
}

sd_bus_message *bus_optional_signal_new(Bus *bus, const char *path, const char *interface,
                                        const char *member) {
        uint64_t queued;

        if (!bus_can_emit(bus) || sd_bus_get_n_queued_write(bus->conn, &queued) < 0 ||
            queued > BUS_QUEUE_HIGH)
                return NULL;

        return bus_signal_new(bus, path, interface, member);
}

void bus_signal_send(Bus *bus, sd_bus_message *signal, int r) {
        if (r >= 0)
                r = sd_bus_send(bus->conn, signal, NULL);
        if (r < 0)
                bus_give_up(bus, r, "Cannot send a signal");
        sd_bus_message_unref(signal);
}

/* -- changes -------------------------------------------------------------- */

static int on_flush(sd_event_source *source, void *userdata) {
        Bus *bus = userdata;
        ObjectChanges *object;

        while ((object = g_queue_peek_head(&bus->changes))) {
                g_queue_unlink(&bus->changes, &object->link);
                g_hash_table_remove(bus->changed, object->path);

                for (size_t i = 0; i < object->n && bus_can_emit(bus); i++) {
                        Changes *changes = object->interfaces[i];
                        int r = sd_bus_emit_properties_changed_strv(bus->conn, object->path,
                                                                    changes->interface,
                                                                    (char **) changes->names);

                        /* -ENOENT: a message that was deleted meanwhile */
                        if (r < 0 && r != -ENOENT)
                                bus_give_up(bus, r, "Cannot tell of a change");
                }
                object_changes_free(object);
        }

        /* Afterwards, so that a message tells its last change before it leaves. */
        for (guint i = 0; i < bus->radios->len; i++)
                bus_radio_refresh_window(bus->radios->pdata[i]);
        return 0;
}

void bus_schedule_flush(Bus *bus) {
        int r = sd_event_source_set_enabled(bus->flush, SD_EVENT_ONESHOT);

        if (r < 0)
                (void) log_error_errno(r, "Cannot schedule the signals of changes");
}

static Changes *changes_of(Bus *bus, const char *path, const char *interface) {
        ObjectChanges *object = g_hash_table_lookup(bus->changed, path);
        Changes *changes;

        if (!object) {
                object = g_new(ObjectChanges, 1);
                *object = (ObjectChanges){.path = g_strdup(path), .link = {.data = object}};
                g_hash_table_insert(bus->changed, object->path, object);
                g_queue_push_tail_link(&bus->changes, &object->link);
        }

        for (size_t i = 0; i < object->n; i++)
                if (strcmp(object->interfaces[i]->interface, interface) == 0)
                        return object->interfaces[i];

        g_assert(object->n < INTERFACES_MAX);
        changes = g_new0(Changes, 1);
        changes->interface = interface;
        object->interfaces[object->n++] = changes;
        return changes;
}

void bus_queue_changed(Bus *bus, const char *path, const char *interface, const char *property) {
        Changes *changes;

        if (!bus_can_emit(bus))
                return;

        changes = changes_of(bus, path, interface);
        for (size_t i = 0; i < changes->n; i++)
                if (strcmp(changes->names[i], property) == 0)
                        return;

        g_assert(changes->n < PROPERTIES_MAX);
        changes->names[changes->n++] = property;
        bus_schedule_flush(bus);
}

void bus_forget_changes(Bus *bus, const char *path) {
        ObjectChanges *object = g_hash_table_lookup(bus->changed, path);

        if (!object)
                return;

        g_hash_table_remove(bus->changed, path);
        g_queue_unlink(&bus->changes, &object->link);
        object_changes_free(object);
}

void bus_changes_init(Bus *bus) {
        int r;

        bus->changes = (GQueue) G_QUEUE_INIT;
        bus->changed = g_hash_table_new(g_str_hash, g_str_equal);

        r = sd_event_add_defer(bus->event, &bus->flush, on_flush, bus);
        g_assert(r >= 0); /* it can only run out of memory */
        (void) sd_event_source_set_enabled(bus->flush, SD_EVENT_OFF);
        (void) sd_event_source_set_description(bus->flush, "bus-changes");
}

void bus_changes_clear(Bus *bus) {
        ObjectChanges *object;

        g_hash_table_remove_all(bus->changed);
        while ((object = g_queue_peek_head(&bus->changes))) {
                g_queue_unlink(&bus->changes, &object->link);
                object_changes_free(object);
        }
}
