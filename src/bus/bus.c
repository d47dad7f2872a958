/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>
#include <time.h>

#include "bus-internal.h"
#include "events.h"
#include "log.h"

/* The connection: made, exported on, claimed, lost and made again. */

#define RETRY_FIRST_USEC (250 * USEC_PER_MSEC)
#define RETRY_CAP_USEC   (10 * USEC_PER_SEC)

/* Replies of RequestName, D-Bus specification. */
#define NAME_PRIMARY_OWNER 1
#define NAME_ALREADY_OWNER 4

static void bus_connect(Bus *bus);

/* -- trying again ----------------------------------------------------------- */

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata) {
        Bus *bus = userdata;

        bus_detach(bus);
        bus_connect(bus);
        return 0;
}

/* The dead connection is only put away by the timer: this runs inside its
 * callbacks. */
static void bus_retry(Bus *bus) {
        int enabled = SD_EVENT_OFF, r;
        uint64_t delay;

        bus->owned = false;
        if (bus->retry)
                (void) sd_event_source_get_enabled(bus->retry, &enabled);
        if (enabled != SD_EVENT_OFF)
                return;

        delay = backoff_next(&bus->backoff);
        if (bus->retry) {
                r = sd_event_source_set_time_relative(bus->retry, delay);
                if (r >= 0)
                        r = sd_event_source_set_enabled(bus->retry, SD_EVENT_ONESHOT);
        } else {
                r = sd_event_add_time_relative(bus->event, &bus->retry, CLOCK_BOOTTIME, delay, 0, on_retry,
                                               bus);
                if (r >= 0)
                        (void) sd_event_source_set_description(bus->retry, "bus-retry");
        }
        if (r < 0)
                (void) log_error_errno(r, "Cannot schedule another connection to the bus");
}

void bus_give_up(Bus *bus, int error, const char *what) {
        if (!bus->owned)
                return;

        (void) log_error_errno(error, "%s, making a new connection to the bus", what);
        bus_retry(bus);
}

/* -- the name --------------------------------------------------------------- */

void bus_claimed(Bus *bus) {
        bus->owned = true;
        bus->told_waiting = false;
        backoff_reset(&bus->backoff);

        if (bus->ready)
                bus->ready(bus, bus->ready_userdata);
}

static int on_name(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        Bus *bus = userdata;
        const sd_bus_error *e = sd_bus_message_get_error(reply);
        uint32_t answer = 0;
        int r;

        if (!e) {
                r = sd_bus_message_read(reply, "u", &answer);
                if (r >= 0 && (answer == NAME_PRIMARY_OWNER || answer == NAME_ALREADY_OWNER)) {
                        log_info("On the %s bus as " BUS_NAME,
                                 bus->kind == BUS_SYSTEM ? "system" : "session");
                        bus_claimed(bus);
                        return 0;
                }
        }

        if (e && sd_bus_error_has_name(e, SD_BUS_ERROR_NO_REPLY))
                log_debug("The connection to the bus ended early");
        else if (!bus->told_waiting) {
                const LogContext context = {.topic = "bus", .id = EVENT_NO_NAME};

                if (e)
                        (void) log_full(&context, LOG_ERR, 0, __FILE__, __LINE__,
                                        "The bus refuses us the name " BUS_NAME
                                        " (%s): is its policy installed? Trying again",
                                        e->message);
                else
                        (void) log_full(&context, LOG_ERR, 0, __FILE__, __LINE__,
                                        "Somebody else has the name " BUS_NAME " on the bus, trying again");
                bus->told_waiting = true;
        }
        bus_retry(bus);
        return 0;
}

static int on_name_lost(sd_bus_message *signal, void *userdata, sd_bus_error *error) {
        Bus *bus = userdata;
        const char *name;

        if (!bus->owned || sd_bus_message_read(signal, "s", &name) < 0 || strcmp(name, BUS_NAME) != 0)
                return 0;

        log_warning("Lost the name " BUS_NAME " on the bus, making a new connection");
        bus_retry(bus);
        return 0;
}

static int on_disconnected(sd_bus_message *signal, void *userdata, sd_bus_error *error) {
        Bus *bus = userdata;

        if (bus->owned)
                log_warning("The bus ended the connection, making a new one");
        else
                log_debug("Cannot get on the bus");
        bus_retry(bus);
        return 0;
}

/* -- connecting ------------------------------------------------------------- */

static void slot_free(void *slot) {
        sd_bus_slot_unref(slot);
}

static void radio_free(void *radio) {
        bus_radio_free(radio);
}

static int keep(Bus *bus, sd_bus_slot *slot, int r) {
        if (r >= 0)
                g_ptr_array_add(bus->slots, slot);
        return r;
}

static int export_root(Bus *bus) {
        sd_bus_slot *slot = NULL;
        int r;

        r = sd_bus_add_object_manager(bus->conn, &slot, BUS_ROOT);
        r = keep(bus, slot, r);
        if (r < 0)
                return r;

        r = sd_bus_add_object_vtable(bus->conn, &slot, BUS_ROOT, BUS_MANAGER, bus_manager_vtable, bus);
        r = keep(bus, slot, r);
        if (r < 0)
                return r;

        r = sd_bus_add_object_vtable(bus->conn, &slot, BUS_LOG_PATH, BUS_LOG, bus_log_vtable, NULL);
        r = keep(bus, slot, r);
        if (r < 0)
                return r;

        return 0;
}

int bus_attach(Bus *bus, sd_bus *conn) {
        int r;

        bus->conn = sd_bus_ref(conn);

        r = export_root(bus);
        for (guint i = 0; r >= 0 && i < bus->radios->len; i++) {
                BusRadio *radio = bus->radios->pdata[i];

                r = bus_radio_export(radio);
                if (r >= 0)
                        bus_radio_refresh_window(radio);
        }
        if (r >= 0)
                r = sd_bus_attach_event(bus->conn, bus->event, SD_EVENT_PRIORITY_NORMAL);
        if (r < 0)
                bus_detach(bus);
        return r;
}

void bus_detach(Bus *bus) {
        bus->owned = false;
        bus_discoveries_stop(bus);
        bus_agents_detach(bus);
        bus_callers_detach(bus, false);
        bus_requests_detach(bus);
        bus_checks_detach(bus, false);
        bus_inhibitions_detach(bus, false);
        bus_sleep_forget(bus);
        bus_changes_clear(bus);
        g_hash_table_remove_all(bus->uids);

        for (guint i = 0; i < bus->radios->len; i++)
                bus_radio_unexport(bus->radios->pdata[i]);
        g_ptr_array_set_size(bus->slots, 0);

        if (bus->conn) {
                (void) sd_bus_detach_event(bus->conn);
                bus->conn = sd_bus_close_unref(bus->conn);
        }
}

static int open_connection(Bus *bus) {
        sd_bus *conn = NULL;
        sd_bus_slot *slot = NULL;
        int r;

        r = bus->kind == BUS_SYSTEM ? sd_bus_open_system_with_description(&conn, "meshcored")
                                    : sd_bus_open_user_with_description(&conn, "meshcored");
        if (r < 0)
                return r;

        r = bus_attach(bus, conn);
        sd_bus_unref(conn);
        if (r < 0)
                return r;

        r = sd_bus_match_signal_async(bus->conn, &slot, NULL, "/org/freedesktop/DBus/Local",
                                      "org.freedesktop.DBus.Local", "Disconnected", on_disconnected, NULL,
                                      bus);
        r = keep(bus, slot, r);
        if (r < 0)
                return r;

        r = sd_bus_match_signal_async(bus->conn, &slot, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                      "org.freedesktop.DBus", "NameLost", on_name_lost, NULL, bus);
        r = keep(bus, slot, r);
        if (r < 0)
                return r;

        if (bus->kind == BUS_SYSTEM) {
                r = bus_sleep_watch(bus, &slot);
                r = keep(bus, slot, r);
                if (r < 0)
                        return r;
        }

        /* The tree is there before the name is. */
        r = sd_bus_request_name_async(bus->conn, &slot, BUS_NAME, 0, on_name, bus);
        return keep(bus, slot, r);
}

static void bus_connect(Bus *bus) {
        int r;

        r = open_connection(bus);
        if (r >= 0)
                return;

        /* At boot we may be earlier than the bus. */
        if (!bus->told_waiting)
                log_info("No %s bus yet (%s), waiting for it", bus->kind == BUS_SYSTEM ? "system" : "session",
                         g_strerror(-r));
        bus->told_waiting = true;
        bus_retry(bus);
}

/* -- life ------------------------------------------------------------------- */

Bus *bus_new_detached(sd_event *event, Manager *manager, BusKind kind) {
        Bus *bus = g_new(Bus, 1);
        GPtrArray *radios = manager_radios(manager);

        *bus = (Bus){
                        .event = sd_event_ref(event),
                        .manager = manager,
                        .kind = kind,
                        .slots = g_ptr_array_new_with_free_func(slot_free),
                        .radios = g_ptr_array_new_with_free_func(radio_free),
                        .uids = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
                        .requests = g_hash_table_new(g_str_hash, g_str_equal),
                        .callers = G_QUEUE_INIT,
                        .checks = G_QUEUE_INIT,
                        .inhibitions = G_QUEUE_INIT,
                        .discoveries = G_QUEUE_INIT,
                        .agents = G_QUEUE_INIT,
                        .questions = G_QUEUE_INIT,
                        .sleep_delay = -EBADF,
        };
        backoff_init(&bus->backoff, RETRY_FIRST_USEC, RETRY_CAP_USEC);
        bus_changes_init(bus);

        for (guint i = 0; i < radios->len; i++)
                g_ptr_array_add(bus->radios, bus_radio_new(bus, radios->pdata[i]));
        manager_set_observer(manager, &bus_radio_observer, bus);
        manager_set_pin_asker(manager, &bus_pin_asker, bus);
        return bus;
}

/* sd-bus closes the connection when the loop ends: those who wait must hear of it before. */
static int on_loop_exit(sd_event_source *source, void *userdata) {
        Bus *bus = userdata;

        bus_callers_detach(bus, true);
        bus_checks_detach(bus, true);
        bus_inhibitions_detach(bus, true);
        return 0;
}

Bus *bus_new(sd_event *event, Manager *manager, BusKind kind) {
        Bus *bus = bus_new_detached(event, manager, kind);
        int r;

        r = sd_event_add_exit(event, &bus->exit, on_loop_exit, bus);
        if (r >= 0)
                r = sd_event_source_set_priority(bus->exit, SD_EVENT_PRIORITY_IMPORTANT);
        if (r < 0)
                (void) log_warning_errno(r, "Waiting calls will not be answered at the end, ignoring");

        bus_connect(bus);
        return bus;
}

Bus *bus_free(Bus *bus) {
        if (!bus)
                return NULL;

        manager_set_observer(bus->manager, NULL, NULL);
        manager_set_pin_asker(bus->manager, NULL, NULL);
        bus_callers_detach(bus, true);
        bus_checks_detach(bus, true);
        bus_backup_stop(bus);
        bus_detach(bus);
        bus_inhibitions_clear(bus);

        g_ptr_array_unref(bus->radios);
        g_ptr_array_unref(bus->slots);
        g_hash_table_unref(bus->uids);
        g_hash_table_unref(bus->requests);
        g_hash_table_unref(bus->changed);
        sd_event_source_disable_unref(bus->flush);
        sd_event_source_disable_unref(bus->retry);
        sd_event_source_disable_unref(bus->exit);
        sd_event_unref(bus->event);
        g_free(bus);
        return NULL;
}

void bus_set_ready(Bus *bus, bus_ready_t ready, void *userdata) {
        bus->ready = ready;
        bus->ready_userdata = userdata;
}

bool bus_is_ready(const Bus *bus) {
        return bus->owned;
}
