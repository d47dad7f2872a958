/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bus-node.h"
#include "log.h"

/* Follows the radios and their identities, and says on the bus what happens to
 * them. */

static const char *const radio_interfaces[] = {BUS_RADIO,    BUS_CONTACTS, BUS_CHANNELS,
                                               BUS_MESSAGES, BUS_MONITOR,  NULL};
static const char *const paired_interfaces[] = {BUS_RADIO,    BUS_PAIRING, BUS_CONTACTS, BUS_CHANNELS,
                                                BUS_MESSAGES, BUS_MONITOR, NULL};
static const char *const contact_interfaces[] = {BUS_CONTACT, NULL};
static const char *const node_interfaces[] = {BUS_CONTACT, BUS_NODE, NULL};
static const char *const channel_interfaces[] = {BUS_CHANNEL, NULL};

static void queue_self(BusRadio *self, const char *interface, const char *property) {
        bus_queue_changed(self->bus, self->path, interface, property);
}

/* -- what happens in an identity ----------------------------------------------- */

static const char *const *interfaces_of(const Contact *contact) {
        return bus_contact_is_node(contact) ? node_interfaces : contact_interfaces;
}

/* Node comes and goes with the type. */
static void contact_type_changed(BusRadio *self, const Contact *contact) {
        g_autofree char *path = bus_path_contact(self, &contact->key);
        int r;

        if (!bus_can_emit(self->bus))
                return;
        r = bus_contact_is_node(contact)
                            ? sd_bus_emit_interfaces_added(self->bus->conn, path, BUS_NODE, NULL)
                            : sd_bus_emit_interfaces_removed(self->bus->conn, path, BUS_NODE, NULL);
        if (r < 0)
                bus_give_up(self->bus, r, "Cannot tell that a contact is another kind of node");
}

static void on_contact_added(Identity *identity, Contact *contact, void *userdata) {
        BusRadio *self = userdata;
        g_autofree char *path = bus_path_contact(self, &contact->key);

        /* It may have gone again in the same transaction. */
        if (identity_get_contact(identity, &contact->key) == contact)
                bus_emit_added(self->bus, path);
        queue_self(self, BUS_CONTACTS, "Count");
        if (contact->on_radio)
                queue_self(self, BUS_CONTACTS, "OnRadio");
}

static void on_contact_changed(Identity *identity, Contact *contact, ContactChange what, void *userdata) {
        BusRadio *self = userdata;

        if (what & CONTACT_CHANGED_TYPE)
                contact_type_changed(self, contact);
        bus_queue_contact(self, contact, what);
        if (what & CONTACT_CHANGED_ON_RADIO)
                queue_self(self, BUS_CONTACTS, "OnRadio");
}

static void on_contact_removed(Identity *identity, Contact *contact, void *userdata) {
        BusRadio *self = userdata;
        g_autofree char *path = bus_path_contact(self, &contact->key);

        bus_emit_removed(self->bus, path, interfaces_of(contact));
        queue_self(self, BUS_CONTACTS, "Count");
        if (contact->on_radio)
                queue_self(self, BUS_CONTACTS, "OnRadio");
}

static void on_channel_added(Identity *identity, Channel *channel, void *userdata) {
        BusRadio *self = userdata;
        g_autofree char *path = bus_path_channel(self, channel);

        if (bus_radio_get_channel(self, (unsigned) channel->slot) == channel)
                bus_emit_added(self->bus, path);
}

static void on_channel_changed(Identity *identity, Channel *channel, ChannelChange what, void *userdata) {
        bus_queue_channel(userdata, channel, what);
}

static void on_channel_removed(Identity *identity, Channel *channel, void *userdata) {
        BusRadio *self = userdata;
        g_autofree char *path = bus_path_channel(self, channel);

        bus_emit_removed(self->bus, path, channel_interfaces);
}

static void on_message_added(Identity *identity, const Message *message, void *userdata) {
        BusRadio *self = userdata;

        if (message->state == MESSAGE_RECEIVED) {
                bus_emit_received(self, message);
                queue_self(self, BUS_MESSAGES, "Unread");
        }

        bus_cache_put(self->cache, message_copy(message));
        queue_self(self, BUS_MESSAGES, "LastId");
        if (message->state == MESSAGE_RECEIVED && !message->read)
                bus_radio_add_to_window(self, message->id);
        else
                bus_radio_mark_window(self);
}

static void on_message_changed(Identity *identity, const Message *message, MessageChange what,
                               void *userdata) {
        BusRadio *self = userdata;

        if (bus_cache_has(self->cache, message->id))
                bus_cache_put(self->cache, message_copy(message));

        if (what & MESSAGE_CHANGED_STATE) {
                bus_emit_message_state(self, message);
                bus_callers_message_changed(self, message);
        }
        if (what & MESSAGE_CHANGED_READ)
                queue_self(self, BUS_MESSAGES, "Unread");
        if (what & (MESSAGE_CHANGED_STATE | MESSAGE_CHANGED_READ))
                bus_radio_mark_window(self);
        bus_queue_message(self, message, what);
}

static void on_messages_deleted(Identity *identity, const uint64_t *ids, size_t n, void *userdata) {
        BusRadio *self = userdata;

        for (size_t i = 0; i < n; i++)
                bus_cache_drop(self->cache, ids[i]);

        bus_emit_deleted(self, ids, n);
        queue_self(self, BUS_MESSAGES, "LastId");
        queue_self(self, BUS_MESSAGES, "Unread");
        bus_radio_mark_window(self);
}

static void on_history_lost(Identity *identity, void *userdata) {
        BusRadio *self = userdata;

        bus_cache_clear(self->cache);
        bus_callers_radio_gone(self);
        bus_lists_drop(self);
        bus_radio_clear_window(self);
        queue_self(self, BUS_MESSAGES, "HistoryId");
        queue_self(self, BUS_MESSAGES, "LastId");
        queue_self(self, BUS_MESSAGES, "Unread");
        bus_radio_mark_window(self);
}

static const IdentityObserver identity_observer = {
                .contact_added = on_contact_added,
                .contact_changed = on_contact_changed,
                .contact_removed = on_contact_removed,
                .channel_added = on_channel_added,
                .channel_changed = on_channel_changed,
                .channel_removed = on_channel_removed,
                .message_added = on_message_added,
                .message_changed = on_message_changed,
                .messages_deleted = on_messages_deleted,
                .history_lost = on_history_lost,
};

/* -- identities and radios ----------------------------------------------------- */

static void queue_totals(BusRadio *self) {
        queue_self(self, BUS_RADIO, "PublicKey");
        queue_self(self, BUS_CONTACTS, "Count");
        queue_self(self, BUS_CONTACTS, "OnRadio");
        queue_self(self, BUS_CONTACTS, "Pending");
        queue_self(self, BUS_MESSAGES, "LastId");
        queue_self(self, BUS_MESSAGES, "Unread");
        queue_self(self, BUS_MESSAGES, "HistoryId");
}

typedef void (*announce_t)(BusRadio *self, const char *path, const char *const *interfaces);

static void announce(BusRadio *self, const char *path, const char *const *interfaces) {
        bus_emit_added(self->bus, path);
}

static void withdraw(BusRadio *self, const char *path, const char *const *interfaces) {
        bus_emit_removed(self->bus, path, interfaces);
}

static void for_contacts_and_channels(BusRadio *self, announce_t function) {
        GHashTableIter iter;
        gpointer contact;

        if (!bus_can_emit(self->bus))
                return;

        g_hash_table_iter_init(&iter, identity_contacts(self->identity));
        while (g_hash_table_iter_next(&iter, NULL, &contact)) {
                g_autofree char *path = bus_path_contact(self, &((const Contact *) contact)->key);

                function(self, path, interfaces_of(contact));
        }

        for (unsigned slot = 0; slot < IDENTITY_SLOTS_MAX; slot++) {
                Channel *channel = bus_radio_get_channel(self, slot);
                g_autofree char *path = NULL;

                if (!channel)
                        continue;
                path = bus_path_channel(self, channel);
                function(self, path, channel_interfaces);
        }
}

static void attach_identity(BusRadio *self, Identity *identity) {
        self->identity = identity;
        self->window.stale = true;
        identity_set_observer(identity, &identity_observer, self);

        self->pending = radio_pending(self->radio);
        if (self->pending)
                pending_set_observer(self->pending, &bus_pending_observer, self);
}

static void stop_observing(BusRadio *self) {
        if (self->identity)
                identity_set_observer(self->identity, NULL, NULL);
        if (self->pending)
                pending_set_observer(self->pending, NULL, NULL);
        self->pending = NULL;
}

static void announce_identity(BusRadio *self) {
        if (!self->identity)
                return;

        for_contacts_and_channels(self, announce);
        bus_radio_refresh_window(self);
}

static void detach_identity(BusRadio *self) {
        if (!self->identity)
                return;

        stop_observing(self);
        bus_callers_radio_gone(self);
        bus_lists_drop(self);
        for_contacts_and_channels(self, withdraw);
        bus_radio_clear_window(self);
        bus_cache_clear(self->cache);
        self->identity = NULL;
        queue_totals(self);
}

static void slot_free(void *slot) {
        sd_bus_slot_unref(slot);
}

BusRadio *bus_radio_new(Bus *bus, Radio *radio) {
        BusRadio *self = g_new(BusRadio, 1);

        *self = (BusRadio){
                        .bus = bus,
                        .radio = radio,
                        .path = bus_path_radio(radio_id(radio)),
                        .slots = g_ptr_array_new_with_free_func(slot_free),
                        .cache = bus_cache_new(BUS_WINDOW_MAX + 64),
        };
        bus_window_init(&self->window);
        if (radio_identity(radio))
                attach_identity(self, radio_identity(radio));
        return self;
}

/* Nothing is said on the bus. */
BusRadio *bus_radio_free(BusRadio *self) {
        if (!self)
                return NULL;

        bus_lists_drop(self);
        bus_streams_clear(self);
        stop_observing(self);
        g_ptr_array_unref(self->slots);
        g_free(self->pair_caller);
        bus_window_done(&self->window);
        bus_cache_free(self->cache);
        g_free(self->path);
        g_free(self);
        return NULL;
}

BusRadio *bus_find_radio(Bus *bus, Radio *radio) {
        for (guint i = 0; i < bus->radios->len; i++) {
                BusRadio *self = bus->radios->pdata[i];

                if (self->radio == radio)
                        return self;
        }
        return NULL;
}

static void on_added(Radio *radio, void *userdata) {
        Bus *bus = userdata;
        BusRadio *self;
        int r;

        if (bus_find_radio(bus, radio))
                return;

        self = bus_radio_new(bus, radio);
        g_ptr_array_add(bus->radios, self);
        if (!bus->conn)
                return;

        r = bus_radio_export(self);
        if (r < 0) {
                bus_give_up(bus, r, "Cannot export a radio");
                return;
        }
        bus_emit_added(bus, self->path);
        announce_identity(self);
}

static void on_removed(Radio *radio, void *userdata) {
        Bus *bus = userdata;
        BusRadio *self = bus_find_radio(bus, radio);
        RadioBond bond;

        if (!self)
                return;

        detach_identity(self);
        bus_emit_removed(bus, self->path, radio_bond(radio, &bond) ? paired_interfaces : radio_interfaces);
        bus_radio_unexport(self);
        g_ptr_array_remove(bus->radios, self);
        /* Its port is free. */
        bus_inhibitions_answer(bus);
        bus_sleep_update(bus);
}

static void on_changed(Radio *radio, RadioChange what, void *userdata) {
        BusRadio *self = bus_find_radio(userdata, radio);

        if (self)
                bus_queue_radio(self, what);
}

static void on_state_changed(Radio *radio, RadioState from, RadioState to, RadioReason reason,
                             void *userdata) {
        BusRadio *self = bus_find_radio(userdata, radio);

        if (self)
                bus_emit_state_changed(self, from, to, reason);
        bus_inhibitions_answer(userdata);
        bus_sleep_update(userdata);
}

static void on_identity_loaded(Radio *radio, void *userdata) {
        BusRadio *self = bus_find_radio(userdata, radio);

        /* A radio that is new may have come with it. */
        if (!self || self->identity)
                return;

        attach_identity(self, radio_identity(radio));
        announce_identity(self);
        queue_totals(self);
}

static void on_identity_unloading(Radio *radio, void *userdata) {
        BusRadio *self = bus_find_radio(userdata, radio);

        if (self)
                detach_identity(self);
}

static void on_identity_changed(Radio *radio, const PublicKey *from, const PublicKey *to, void *userdata) {
        BusRadio *self = bus_find_radio(userdata, radio);

        if (self)
                bus_emit_identity_changed(self, from, to);
}

static void on_advert_heard(Radio *radio, const Contact *contact, bool stored, void *userdata) {
        BusRadio *self = bus_find_radio(userdata, radio);

        if (self)
                bus_emit_advert_heard(self, contact, stored);
}

static void on_contacts_full(Radio *radio, void *userdata) {
        BusRadio *self = bus_find_radio(userdata, radio);

        if (self)
                bus_emit_full(self);
}

static void on_node_changed(Radio *radio, const PublicKey *key, unsigned what, void *userdata) {
        BusRadio *self = bus_find_radio(userdata, radio);

        if (self)
                bus_node_changed(self, key, what);
}

static void on_node_answered(Radio *radio, const PublicKey *key, const NodeAnswer *answer, void *userdata) {
        BusRadio *self = bus_find_radio(userdata, radio);

        if (self)
                bus_emit_node_result(self, key, answer);
}

static void on_data_heard(Radio *radio, const HeardData *data, void *userdata) {
        BusRadio *self = bus_find_radio(userdata, radio);

        if (self)
                bus_emit_data(self, data);
}

static void on_trace_heard(Radio *radio, const NodeAnswer *answer, void *userdata) {
        BusRadio *self = bus_find_radio(userdata, radio);

        if (self)
                bus_emit_trace(self, answer);
}

static void on_unknown_frame(Radio *radio, uint8_t code, Slice rest, void *userdata) {
        BusRadio *self = bus_find_radio(userdata, radio);

        if (self)
                bus_emit_unknown_frame(self, code, rest);
}

const RadioObserver bus_radio_observer = {
                .added = on_added,
                .removed = on_removed,
                .changed = on_changed,
                .state_changed = on_state_changed,
                .identity_loaded = on_identity_loaded,
                .identity_unloading = on_identity_unloading,
                .identity_changed = on_identity_changed,
                .advert_heard = on_advert_heard,
                .contacts_full = on_contacts_full,
                .node_changed = on_node_changed,
                .node_answered = on_node_answered,
                .unknown_frame = on_unknown_frame,
                .data_heard = on_data_heard,
                .trace_heard = on_trace_heard,
};
