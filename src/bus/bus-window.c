/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bus-internal.h"
#include "log.h"

/* The messages that are announced: our own that are still on their way, and the newest unread ones, at most
 * BUS_WINDOW_MAX together. A received message is the newest of all, so that the window moves on without a
 * look into the store; whatever else happens makes it stale. */

static const char *const message_interfaces[] = {BUS_MESSAGE, NULL};

static GArray *ids_new(void) {
        return g_array_new(false, false, sizeof(uint64_t));
}

static uint64_t get_id(const GArray *ids, guint i) {
        return g_array_index(ids, uint64_t, i);
}

void bus_window_init(BusWindow *window) {
        *window = (BusWindow){
                        .ids = ids_new(),
                        .open = ids_new(),
                        .added = ids_new(),
                        .stale = true,
        };
}

void bus_window_done(BusWindow *window) {
        g_clear_pointer(&window->ids, g_array_unref);
        g_clear_pointer(&window->open, g_array_unref);
        g_clear_pointer(&window->added, g_array_unref);
}

static void announce(BusRadio *self, uint64_t id) {
        g_autofree char *path = bus_path_message(self, id);

        bus_emit_added(self->bus, path);
}

static void withdraw(BusRadio *self, uint64_t id) {
        g_autofree char *path = bus_path_message(self, id);

        bus_emit_removed(self->bus, path, message_interfaces);
}

void bus_radio_clear_window(BusRadio *self) {
        g_autoptr(GArray) old = g_steal_pointer(&self->window.ids);

        self->window.ids = ids_new();
        self->window.stale = true;
        for (guint i = 0; i < old->len; i++)
                withdraw(self, get_id(old, i));
}

void bus_radio_mark_window(BusRadio *self) {
        self->window.stale = true;
        if (self->bus->conn)
                bus_schedule_flush(self->bus);
}

void bus_radio_add_to_window(BusRadio *self, uint64_t id) {
        /* Without a connection nobody would look at them. */
        if (!self->bus->conn)
                self->window.stale = true;
        if (self->window.stale) {
                bus_radio_mark_window(self);
                return;
        }

        g_array_append_val(self->window.added, id);
        bus_schedule_flush(self->bus);
}

static int compare_ids(const void *a, const void *b) {
        const uint64_t *x = a, *y = b;

        return *x < *y ? -1 : *x > *y;
}

static int read_window(BusRadio *self, GArray **ret) {
        g_autoptr(GArray) ids = NULL;
        size_t n_open;
        int r;

        r = identity_window(self->identity, BUS_WINDOW_MAX, &ids, &n_open);
        if (r < 0)
                return r;

        g_array_set_size(self->window.open, 0);
        g_array_append_vals(self->window.open, ids->data, (guint) n_open);
        g_array_sort(ids, compare_ids);
        *ret = g_steal_pointer(&ids);
        return 0;
}

/* What was there and what came, without the oldest of those that are not open. */
static GArray *move_window(const BusWindow *window) {
        const guint n = window->ids->len, all = n + window->added->len;
        guint drop = all > BUS_WINDOW_MAX ? all - BUS_WINDOW_MAX : 0, open = 0;
        GArray *ids = ids_new();

        for (guint i = 0; i < all; i++) {
                const uint64_t id = i < n ? get_id(window->ids, i) : get_id(window->added, i - n);

                while (open < window->open->len && get_id(window->open, open) < id)
                        open++;
                if (drop > 0 && (open == window->open->len || get_id(window->open, open) != id))
                        drop--;
                else
                        g_array_append_val(ids, id);
        }

        return ids;
}

/* For each of the ids that the others have not; both are in order. */
static void for_missing(BusRadio *self, const GArray *ids, const GArray *others,
                        void (*function)(BusRadio *self, uint64_t id)) {
        guint other = 0;

        for (guint i = 0; i < ids->len; i++) {
                const uint64_t id = get_id(ids, i);

                while (other < others->len && get_id(others, other) < id)
                        other++;
                if (other == others->len || get_id(others, other) != id)
                        function(self, id);
        }
}

void bus_radio_refresh_window(BusRadio *self) {
        g_autoptr(GArray) ids = NULL, old = NULL;
        BusWindow *window = &self->window;
        int r;

        if (!self->identity || (!window->stale && window->added->len == 0))
                return;

        if (window->stale) {
                r = read_window(self, &ids);
                if (r < 0) {
                        (void) log_error_errno(
                                        r, "Cannot tell which messages to announce, keeping those of before");
                        return;
                }
                window->stale = false;
        } else
                ids = move_window(window);
        g_array_set_size(window->added, 0);

        /* All of the new set first: who looks at the first signal finds it as it
         * will be. */
        old = g_steal_pointer(&window->ids);
        window->ids = g_array_ref(ids);

        for_missing(self, old, ids, withdraw);
        for_missing(self, ids, old, announce);
}
