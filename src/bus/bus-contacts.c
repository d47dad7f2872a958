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

/* Anybody within reach of the radio can make these two. */

void bus_emit_advert_heard(BusRadio *self, const Contact *contact, bool stored) {
        sd_bus_message *signal = bus_optional_signal_new(self->bus, self->path, BUS_CONTACTS, "AdvertHeard");
        int r;

        if (!signal)
                return;

        r = sd_bus_message_append(signal, "s", key_to_text(&contact->key).text);
        if (r >= 0)
                r = sd_bus_message_open_container(signal, 'a', "{sv}");
        if (r >= 0)
                r = bus_append_entry(signal, "Stored", "b", (int) stored);
        if (r >= 0)
                r = bus_append_advert(signal, contact);
        if (r >= 0)
                r = sd_bus_message_close_container(signal);
        bus_signal_send(self->bus, signal, r);
}

void bus_emit_pending_removed(BusRadio *self, const Contact *contact) {
        sd_bus_message *signal =
                        bus_optional_signal_new(self->bus, self->path, BUS_CONTACTS, "PendingRemoved");

        if (signal)
                bus_signal_send(self->bus, signal,
                                sd_bus_message_append(signal, "s", key_to_text(&contact->key).text));
}

void bus_emit_full(BusRadio *self) {
        sd_bus_message *signal = bus_signal_new(self->bus, self->path, BUS_CONTACTS, "Full");

        if (signal)
                bus_signal_send(self->bus, signal, 0);
}

/* -- methods -------------------------------------------------------------- */

static int method_add(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        BusRadio *self = userdata;
        g_autoptr(BusCaller) caller = NULL;
        BusContactFields contact;
        int r;

        r = bus_read_contact_fields(call, true, &contact, error);
        if (r < 0)
                return r;
        r = bus_answer_later(self->bus, call, &caller, error);
        if (r <= 0)
                return r < 0 ? r : 1;
        if (!contact.has_key)
                return bus_error_set(error, OUTCOME_INVALID_ARGUMENTS, "Key is missing");

        radio_add_contact(self->radio, &contact.key, &contact.fields, bus_answer_contact,
                          g_steal_pointer(&caller));
        return 1;
}

static int method_import(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        BusRadio *self = userdata;
        g_autoptr(BusCaller) caller = NULL;
        const char *uri;
        int r;

        r = bus_answer_later_read(self->bus, call, &caller, error, "s", &uri);
        if (r <= 0)
                return r < 0 ? r : 1;
        if (bus_is_channel_uri(uri))
                return bus_error_set(error, OUTCOME_INVALID_ARGUMENTS,
                                     "This is a channel: Import of " BUS_CHANNELS " takes it");

        radio_import_uri(self->radio, uri, bus_answer_import, g_steal_pointer(&caller));
        return 1;
}

static int method_import_card(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        BusRadio *self = userdata;
        BusCaller *caller;
        const void *bytes;
        size_t size;
        int r;

        r = sd_bus_message_read_array(call, 'y', &bytes, &size);
        if (r < 0)
                return bus_error_arguments(error, r);
        r = bus_answer_later(self->bus, call, &caller, error);
        if (r <= 0)
                return r < 0 ? r : 1;

        radio_import_card(self->radio, (Slice){bytes, size}, bus_answer_contact, caller);
        return 1;
}

static int method_export_self(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        return bus_export_contact(userdata, NULL, call, error);
}

static int method_export_self_card(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        return bus_export_card(userdata, NULL, call, error);
}

static int method_find(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        BusRadio *self = userdata;
        g_autoptr(sd_bus_message) reply = NULL;
        g_autoptr(GPtrArray) found = NULL;
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

        found = radio_find_contacts(self->radio, text);
        for (guint i = 0; i < found->len; i++) {
                g_autofree char *path = bus_path_contact(self, &((const Contact *) found->pdata[i])->key);

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
                SD_BUS_PROPERTY("Pending", "u", bus_property_get_pending, 0,
                                SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
                SD_BUS_PROPERTY("AutoAdd", "a{sv}", bus_property_get_auto_add, 0,
                                SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
                SD_BUS_METHOD_WITH_ARGS("Add", SD_BUS_ARGS("a{sv}", contact), SD_BUS_RESULT("o", path),
                                        method_add, SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_METHOD_WITH_ARGS("Import", SD_BUS_ARGS("s", uri), SD_BUS_RESULT("o", path),
                                        method_import, SD_BUS_VTABLE_UNPRIVILEGED | SD_BUS_VTABLE_SENSITIVE),
                SD_BUS_METHOD_WITH_ARGS("ImportCard", SD_BUS_ARGS("ay", packet), SD_BUS_RESULT("o", path),
                                        method_import_card, SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_METHOD_WITH_ARGS("ExportSelf", SD_BUS_ARGS("a{sv}", options), SD_BUS_RESULT("s", uri),
                                        method_export_self, SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_METHOD_WITH_ARGS("ExportSelfCard", SD_BUS_NO_ARGS, SD_BUS_RESULT("ay", packet),
                                        method_export_self_card, SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_METHOD_WITH_ARGS("Find", SD_BUS_ARGS("s", name_or_prefix),
                                        SD_BUS_RESULT("ao", contacts), method_find,
                                        SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_METHOD_WITH_ARGS("SetAutoAdd", SD_BUS_ARGS("a{sv}", settings), SD_BUS_NO_RESULT,
                                        bus_method_set_auto_add, SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_METHOD_WITH_ARGS("ListPending", SD_BUS_NO_ARGS, SD_BUS_RESULT("aa{sv}", pending),
                                        bus_method_list_pending, SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_METHOD_WITH_ARGS("DismissPending", SD_BUS_ARGS("s", key), SD_BUS_NO_RESULT,
                                        bus_method_dismiss_pending, SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_SIGNAL_WITH_ARGS("AdvertHeard", SD_BUS_ARGS("s", key, "a{sv}", advert), 0),
                SD_BUS_SIGNAL("Full", NULL, 0),
                SD_BUS_SIGNAL_WITH_ARGS("PendingRemoved", SD_BUS_ARGS("s", key), 0),
                SD_BUS_VTABLE_END,
};
