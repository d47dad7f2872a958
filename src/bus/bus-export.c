/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bus-node.h"

/* The objects of one radio on a connection: its own interfaces are
 * registered, contacts, channels and messages are looked up when somebody asks. */

/* -- lookup --------------------------------------------------------------- */

static int find_contact(sd_bus *conn, const char *path, const char *interface, void *userdata,
                        void **ret_found, sd_bus_error *error) {
        BusRadio *self = userdata;
        Contact *contact;
        PublicKey key;

        if (!self->identity || bus_path_parse_contact(self, path, &key) < 0)
                return 0;
        contact = identity_get_contact(self->identity, &key);
        if (!contact)
                return 0;

        self->found_contact = (BusContact){.radio = self, .contact = contact};
        *ret_found = &self->found_contact;
        return 1;
}

Channel *bus_radio_get_channel(BusRadio *self, unsigned slot) {
        Channel *channel = self->identity ? identity_get_slot(self->identity, slot) : NULL;

        return channel && channel->slot == (int) slot ? channel : NULL;
}

static int find_channel(sd_bus *conn, const char *path, const char *interface, void *userdata,
                        void **ret_found, sd_bus_error *error) {
        BusRadio *self = userdata;
        Channel *channel;
        unsigned slot;

        if (bus_path_parse_channel(self, path, &slot) < 0)
                return 0;
        channel = bus_radio_get_channel(self, slot);
        if (!channel)
                return 0;

        self->found_channel = (BusChannel){.radio = self, .channel = channel};
        *ret_found = &self->found_channel;
        return 1;
}

const Message *bus_radio_get_message(BusRadio *self, uint64_t id) {
        const Message *message = bus_cache_get(self->cache, id);
        Message *stored;

        if (message || !self->identity)
                return message;

        stored = identity_get_message(self->identity, id);
        return stored ? bus_cache_put(self->cache, stored) : NULL;
}

static int find_message(sd_bus *conn, const char *path, const char *interface, void *userdata,
                        void **ret_found, sd_bus_error *error) {
        BusRadio *self = userdata;
        const Message *message;
        uint64_t id;

        if (bus_path_parse_message(self, path, &id) < 0)
                return 0;
        message = bus_radio_get_message(self, id);
        if (!message)
                return 0;

        self->found_message = (BusMessage){.radio = self, .message = message};
        *ret_found = &self->found_message;
        return 1;
}

/* -- enumeration ---------------------------------------------------------- */

/* sd-bus frees the array and the paths in it. */
static char **take_paths(GPtrArray *paths) {
        g_ptr_array_add(paths, NULL);
        return (char **) g_ptr_array_free(paths, false);
}

static int find_node(sd_bus *conn, const char *path, const char *interface, void *userdata, void **ret_found,
                     sd_bus_error *error) {
        int r = find_contact(conn, path, interface, userdata, ret_found, error);

        return r > 0 && !bus_contact_is_node(((BusContact *) *ret_found)->contact) ? 0 : r;
}

static int enumerate_contacts(sd_bus *conn, const char *prefix, void *userdata, char ***ret_nodes,
                              sd_bus_error *error) {
        BusRadio *self = userdata;
        GPtrArray *paths = g_ptr_array_new();

        if (self->identity) {
                GHashTableIter iter;
                gpointer contact;

                g_hash_table_iter_init(&iter, identity_contacts(self->identity));
                while (g_hash_table_iter_next(&iter, NULL, &contact))
                        g_ptr_array_add(paths, bus_path_contact(self, &((const Contact *) contact)->key));
        }

        *ret_nodes = take_paths(paths);
        return 0;
}

static int enumerate_channels(sd_bus *conn, const char *prefix, void *userdata, char ***ret_nodes,
                              sd_bus_error *error) {
        BusRadio *self = userdata;
        GPtrArray *paths = g_ptr_array_new();

        for (unsigned slot = 0; slot < IDENTITY_SLOTS_MAX; slot++) {
                Channel *channel = bus_radio_get_channel(self, slot);

                if (channel)
                        g_ptr_array_add(paths, bus_path_channel(self, channel));
        }

        *ret_nodes = take_paths(paths);
        return 0;
}

static int enumerate_messages(sd_bus *conn, const char *prefix, void *userdata, char ***ret_nodes,
                              sd_bus_error *error) {
        BusRadio *self = userdata;
        GPtrArray *paths = g_ptr_array_new();

        for (guint i = 0; i < self->window.ids->len; i++)
                g_ptr_array_add(paths, bus_path_message(self, g_array_index(self->window.ids, uint64_t, i)));

        *ret_nodes = take_paths(paths);
        return 0;
}

/* -- registration --------------------------------------------------------- */

static int add_interface(BusRadio *self, const char *interface, const sd_bus_vtable *vtable) {
        sd_bus_slot *slot;
        int r;

        r = sd_bus_add_object_vtable(self->bus->conn, &slot, self->path, interface, vtable, self);
        if (r < 0)
                return r;

        g_ptr_array_add(self->slots, slot);
        return 0;
}

static int add_fallback(BusRadio *self, const char *kind, const char *interface, const sd_bus_vtable *vtable,
                        sd_bus_object_find_t find) {
        g_autofree char *prefix = g_strconcat(self->path, "/", kind, NULL);
        sd_bus_slot *slot;
        int r;

        r = sd_bus_add_fallback_vtable(self->bus->conn, &slot, prefix, interface, vtable, find, self);
        if (r >= 0)
                g_ptr_array_add(self->slots, slot);
        return r;
}

static int add_children(BusRadio *self, const char *kind, const char *interface, const sd_bus_vtable *vtable,
                        sd_bus_object_find_t find, sd_bus_node_enumerator_t enumerate) {
        g_autofree char *prefix = g_strconcat(self->path, "/", kind, NULL);
        sd_bus_slot *slot;
        int r;

        r = add_fallback(self, kind, interface, vtable, find);
        if (r < 0)
                return r;

        r = sd_bus_add_node_enumerator(self->bus->conn, &slot, prefix, enumerate, self);
        if (r < 0)
                return r;
        g_ptr_array_add(self->slots, slot);
        return 0;
}

int bus_radio_export(BusRadio *self) {
        RadioBond bond;
        int r;

        r = add_interface(self, BUS_RADIO, bus_radio_vtable);
        if (r >= 0 && radio_bond(self->radio, &bond))
                r = add_interface(self, BUS_PAIRING, bus_pairing_vtable);
        if (r >= 0)
                r = add_interface(self, BUS_RADIO, bus_radio_settings_vtable);
        if (r >= 0)
                r = add_interface(self, BUS_RADIO, bus_radio_tools_vtable);
        if (r >= 0)
                r = add_interface(self, BUS_CONTACTS, bus_contacts_vtable);
        if (r >= 0)
                r = add_interface(self, BUS_CHANNELS, bus_channels_vtable);
        if (r >= 0)
                r = add_interface(self, BUS_MESSAGES, bus_messages_vtable);
        if (r >= 0)
                r = add_interface(self, BUS_MONITOR, bus_monitor_vtable);
        if (r >= 0)
                r = add_interface(self, BUS_MONITOR, bus_mesh_vtable);
        if (r >= 0)
                r = add_children(self, "contact", BUS_CONTACT, bus_contact_vtable, find_contact,
                                 enumerate_contacts);
        if (r >= 0)
                r = add_fallback(self, "contact", BUS_NODE, bus_node_vtable, find_node);
        if (r >= 0)
                r = add_children(self, "channel", BUS_CHANNEL, bus_channel_vtable, find_channel,
                                 enumerate_channels);
        if (r >= 0)
                r = add_children(self, "message", BUS_MESSAGE, bus_message_vtable, find_message,
                                 enumerate_messages);
        return r;
}

void bus_radio_unexport(BusRadio *self) {
        g_ptr_array_set_size(self->slots, 0);
}
