/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bus-internal.h"

/* Nodes that the radio hears: which of them it adds by itself, and those that
 * it does not. Both belong to the interface Contacts. */

/* -- automatic adding --------------------------------------------------------- */

static const struct {
        const char *key;
        AutoAddField field;
        size_t offset; /* of a bool */
} kinds[] = {
                {"Manual", AUTO_ADD_MANUAL, offsetof(AutoAdd, manual)},
                {"Chat", AUTO_ADD_CHAT, offsetof(AutoAdd, chat)},
                {"Repeater", AUTO_ADD_REPEATER, offsetof(AutoAdd, repeater)},
                {"Room", AUTO_ADD_ROOM, offsetof(AutoAdd, room)},
                {"Sensor", AUTO_ADD_SENSOR, offsetof(AutoAdd, sensor)},
                {"Overwrite", AUTO_ADD_OVERWRITE, offsetof(AutoAdd, overwrite)},
};

int bus_property_get_auto_add(sd_bus *conn, const char *object, const char *interface, const char *property,
                              sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const BusRadio *self = userdata;
        const AutoAdd *auto_add = radio_auto_add(self->radio);
        int r;

        r = sd_bus_message_open_container(reply, 'a', "{sv}");
        if (r < 0)
                return r;

        for (size_t i = 0; i < ELEMENTSOF(kinds); i++) {
                bool value = *(const bool *) ((const char *) auto_add + kinds[i].offset);

                if (!(auto_add->known & kinds[i].field))
                        continue;
                r = bus_append_entry(reply, kinds[i].key, "b", (int) value);
                if (r < 0)
                        return r;
        }
        if (auto_add->known & AUTO_ADD_MAX_HOPS) {
                r = bus_append_entry(reply, "MaxHops", "y", (int) auto_add->max_hops);
                if (r < 0)
                        return r;
        }

        return sd_bus_message_close_container(reply);
}

int bus_method_set_auto_add(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        BusRadio *self = userdata;
        int values[ELEMENTSOF(kinds)] = {};
        BusOption options[ELEMENTSOF(kinds) + 1];
        g_autoptr(BusCaller) caller = NULL;
        AutoAdd auto_add = {};
        unsigned set = 0;
        int given, r;

        for (size_t i = 0; i < ELEMENTSOF(kinds); i++)
                options[i] = (BusOption){kinds[i].key, "b", &values[i]};
        options[ELEMENTSOF(kinds)] = (BusOption){"MaxHops", "y", &auto_add.max_hops};

        given = bus_read_options(call, options, ELEMENTSOF(options), error);
        if (given < 0)
                return given;

        for (size_t i = 0; i < ELEMENTSOF(kinds); i++)
                if (given & (1 << i)) {
                        *(bool *) ((char *) &auto_add + kinds[i].offset) = values[i];
                        set |= kinds[i].field;
                }
        if (given & (1 << ELEMENTSOF(kinds)))
                set |= AUTO_ADD_MAX_HOPS;

        r = bus_answer_later(self->bus, call, &caller, error);
        if (r <= 0)
                return r < 0 ? r : 1;
        if (set == 0)
                return bus_error_set(error, OUTCOME_INVALID_ARGUMENTS, "Nothing is to be changed");

        radio_set_auto_add(self->radio, set, &auto_add, bus_answer, g_steal_pointer(&caller));
        return 1;
}

/* -- pending adverts ------------------------------------------------------------- */

int bus_property_get_pending(sd_bus *conn, const char *object, const char *interface, const char *property,
                             sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const BusRadio *self = userdata;

        return sd_bus_message_append(reply, "u", self->pending ? (uint32_t) pending_count(self->pending) : 0);
}

static void on_heard(Pending *pending, const Contact *contact, bool is_new, void *userdata) {
        BusRadio *self = userdata;

        if (is_new)
                bus_queue_changed(self->bus, self->path, BUS_CONTACTS, "Pending");
}

static void on_left(Pending *pending, const Contact *contact, void *userdata) {
        BusRadio *self = userdata;

        bus_queue_changed(self->bus, self->path, BUS_CONTACTS, "Pending");
        bus_emit_pending_removed(self, contact);
}

const PendingObserver bus_pending_observer = {
                .heard = on_heard,
                .left = on_left,
};

static int append_pending(sd_bus_message *m, const Contact *contact) {
        int r;

        r = sd_bus_message_open_container(m, 'a', "{sv}");
        if (r < 0)
                return r;
        r = bus_append_entry(m, "Key", "s", key_to_text(&contact->key).text);
        if (r < 0)
                return r;
        r = bus_append_advert(m, contact);
        if (r < 0)
                return r;
        r = bus_append_entry(m, "LastHeardUSec", "t", contact->last_heard_usec);
        if (r < 0)
                return r;
        return sd_bus_message_close_container(m);
}

int bus_method_list_pending(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        BusRadio *self = userdata;
        g_autoptr(sd_bus_message) reply = NULL;
        g_autoptr(GPtrArray) list = NULL;
        int r;

        r = bus_authorize(self->bus, call, error);
        if (r <= 0)
                return r < 0 ? r : 1;

        r = sd_bus_message_new_method_return(call, &reply);
        if (r < 0)
                return r;
        r = sd_bus_message_open_container(reply, 'a', "a{sv}");
        if (r < 0)
                return r;

        list = self->pending ? pending_list(self->pending) : g_ptr_array_new();
        for (guint i = 0; i < list->len; i++) {
                r = append_pending(reply, list->pdata[i]);
                if (r < 0)
                        return r;
        }

        r = sd_bus_message_close_container(reply);
        if (r < 0)
                return r;
        return sd_bus_message_send(reply);
}

int bus_method_dismiss_pending(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        BusRadio *self = userdata;
        const char *text;
        PublicKey key;
        int r;

        r = sd_bus_message_read(call, "s", &text);
        if (r < 0)
                return bus_error_arguments(error, r);
        r = bus_authorize(self->bus, call, error);
        if (r <= 0)
                return r < 0 ? r : 1;
        if (key_from_text(text, &key) < 0)
                return bus_error_set(error, OUTCOME_INVALID_ARGUMENTS, "A key is 64 hex digits");
        if (!self->pending || !pending_remove(self->pending, &key))
                return bus_error_set(error, OUTCOME_NOT_FOUND, "%s is not pending", text);
        return sd_bus_reply_method_return(call, NULL);
}
