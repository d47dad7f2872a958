/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "bus-internal.h"

/* -- properties ----------------------------------------------------------- */

BUS_GETTER(count) {
        const BusRadio *self = userdata;
        uint32_t n = self->identity ? g_hash_table_size(identity_contacts(self->identity)) : 0;

        return sd_bus_message_append(reply, "u", n);
}

BUS_GETTER(capacity) {
        const BusRadio *self = userdata;

        return sd_bus_message_append(reply, "u", radio_info(self->radio)->max_contacts);
}

BUS_GETTER(on_radio) {
        const BusRadio *self = userdata;
        uint32_t n = 0;

        if (self->identity) {
                GHashTableIter iter;
                gpointer contact;

                g_hash_table_iter_init(&iter, identity_contacts(self->identity));
                while (g_hash_table_iter_next(&iter, NULL, &contact))
                        n += ((const Contact *) contact)->on_radio;
        }

        return sd_bus_message_append(reply, "u", n);
}

/* -- signals -------------------------------------------------------------- */

void bus_emit_advert_heard(BusRadio *self, const Contact *contact, bool stored) {
        sd_bus_message *signal;
        uint64_t queued;
        int r;

        /* Anybody within reach of the radio can make these. */
        if (!bus_can_emit(self->bus) || sd_bus_get_n_queued_write(self->bus->conn, &queued) < 0 ||
            queued > BUS_QUEUE_HIGH)
                return;

        signal = bus_signal_new(self->bus, self->path, BUS_CONTACTS, "AdvertHeard");
        if (!signal)
                return;

        r = sd_bus_message_append(signal, "s", key_to_text(&contact->key).text);
        if (r >= 0)
                r = bus_append_advert(signal, contact, stored);
        bus_signal_send(self->bus, signal, r);
}

void bus_emit_full(BusRadio *self) {
        sd_bus_message *signal = bus_signal_new(self->bus, self->path, BUS_CONTACTS, "Full");

        if (signal)
                bus_signal_send(self->bus, signal, 0);
}

/* -- methods -------------------------------------------------------------- */

typedef struct Found {
        const Contact *contact;
        bool by_name;
} Found;

static int found_compare(const void *a, const void *b) {
        const Found *x = a, *y = b;

        if (x->by_name != y->by_name)
                return x->by_name ? -1 : 1;
        return memcmp(x->contact->key.bytes, y->contact->key.bytes, PUBLIC_KEY_SIZE);
}

static GArray *find_contacts(BusRadio *self, const char *text) {
        GArray *found = g_array_new(false, false, sizeof(Found));
        g_autofree char *digits = g_ascii_strdown(text, -1);
        GHashTableIter iter;
        gpointer p;

        if (!self->identity)
                return found;

        g_hash_table_iter_init(&iter, identity_contacts(self->identity));
        while (g_hash_table_iter_next(&iter, NULL, &p)) {
                Found one = {.contact = p, .by_name = strcmp(((Contact *) p)->name, text) == 0};

                if (one.by_name || g_str_has_prefix(key_to_text(&one.contact->key).text, digits))
                        g_array_append_val(found, one);
        }

        g_array_sort(found, found_compare);
        return found;
}

static int method_find(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        BusRadio *self = userdata;
        g_autoptr(sd_bus_message) reply = NULL;
        g_autoptr(GArray) found = NULL;
        const char *text;
        int r;

        r = sd_bus_message_read(call, "s", &text);
        if (r < 0)
                return bus_error_arguments(error, r);
        r = bus_authorize(self->bus, call, error);
        if (r <= 0)
                return r < 0 ? r : 1;
        if (!*text)
                return bus_error_set(error, OUTCOME_INVALID_ARGUMENTS, "The name is empty");

        r = sd_bus_message_new_method_return(call, &reply);
        if (r < 0)
                return r;
        r = sd_bus_message_open_container(reply, 'a', "o");
        if (r < 0)
                return r;

        found = find_contacts(self, text);
        for (guint i = 0; i < found->len; i++) {
                g_autofree char *path = bus_path_contact(self, &g_array_index(found, Found, i).contact->key);

                r = sd_bus_message_append(reply, "o", path);
                if (r < 0)
                        return r;
        }

        r = sd_bus_message_close_container(reply);
        if (r < 0)
                return r;
        return sd_bus_message_send(reply);
}

#define CHANGES(name, type, getter) BUS_PROPERTY(name, type, getter, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE)

const sd_bus_vtable bus_contacts_vtable[] = {
                SD_BUS_VTABLE_START(0),
                CHANGES("Count", "u", count),
                CHANGES("Capacity", "u", capacity),
                CHANGES("OnRadio", "u", on_radio),
                SD_BUS_METHOD_WITH_ARGS("Find", SD_BUS_ARGS("s", name_or_prefix),
                                        SD_BUS_RESULT("ao", contacts), method_find,
                                        SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_SIGNAL_WITH_ARGS("AdvertHeard", SD_BUS_ARGS("s", key, "a{sv}", advert), 0),
                SD_BUS_SIGNAL("Full", NULL, 0),
                SD_BUS_VTABLE_END,
};
