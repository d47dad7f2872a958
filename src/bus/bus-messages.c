/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "bus-internal.h"

/* -- properties ----------------------------------------------------------- */

BUS_GETTER(last_id) {
        const BusRadio *self = userdata;

        return sd_bus_message_append(reply, "t",
                                     self->identity ? identity_last_message_id(self->identity) : 0);
}

BUS_GETTER(unread) {
        const BusRadio *self = userdata;
        uint64_t n = self->identity ? identity_unread(self->identity) : 0;

        return sd_bus_message_append(reply, "u", (uint32_t) MIN(n, UINT32_MAX));
}

BUS_GETTER(history_id) {
        const BusRadio *self = userdata;

        return sd_bus_message_append(reply, "s", store_history_id(manager_store(self->bus->manager)));
}

/* -- signals -------------------------------------------------------------- */

void bus_emit_received(BusRadio *self, const Message *message) {
        sd_bus_message *signal = bus_signal_new(self->bus, self->path, BUS_MESSAGES, "Received");
        g_autofree char *conversation = NULL, *path = NULL;
        int r;

        if (!signal)
                return;

        conversation = message->channel != 0 ? bus_path_message_channel(self, message)
                                             : bus_path_peer(self, message);
        path = bus_path_message(self, message->id);

        r = sd_bus_message_append(signal, "oo", conversation, path);
        if (r >= 0)
                r = bus_record_append(signal, self, message);
        bus_signal_send(self->bus, signal, r);
}

void bus_emit_message_state(BusRadio *self, const Message *message) {
        sd_bus_message *signal = bus_signal_new(self->bus, self->path, BUS_MESSAGES, "Changed");
        g_autofree char *path = NULL;

        if (!signal)
                return;

        path = bus_path_message(self, message->id);
        bus_signal_send(self->bus, signal,
                        sd_bus_message_append(signal, "os", path, message_state_to_string(message->state)));
}

void bus_emit_deleted(BusRadio *self, const uint64_t *ids, size_t n) {
        sd_bus_message *signal = bus_signal_new(self->bus, self->path, BUS_MESSAGES, "Deleted");
        int r;

        if (!signal)
                return;

        r = sd_bus_message_open_container(signal, 'a', "o");
        for (size_t i = 0; i < n && r >= 0; i++) {
                g_autofree char *path = bus_path_message(self, ids[i]);

                r = sd_bus_message_append(signal, "o", path);
        }
        if (r >= 0)
                r = sd_bus_message_close_container(signal);
        bus_signal_send(self->bus, signal, r);
}

/* -- List ----------------------------------------------------------------- */

/* The filter as it came, borrowed from the call. */
typedef struct FilterText {
        const char *peer, *channel, *state, *kind, *direction;
} FilterText;

static int filter_set_peer(BusRadio *self, MessageFilter *filter, const char *text, PublicKey *key,
                           sd_bus_error *error) {
        g_auto(Outcome) outcome = {};
        Recipient found = {};

        filter->peer = key;
        if (text[0] == '/') {
                if (bus_path_parse_contact(self, text, key) >= 0)
                        return 0;
                return bus_error_set(error, OUTCOME_NOT_FOUND, "%s is no contact of this radio", text);
        }
        /* The contact may be gone while its messages are still there. */
        if (key_from_text(text, key) >= 0)
                return 0;

        if (radio_find_recipient(self->radio, text, &found, &outcome) != OUTCOME_OK)
                return bus_error_outcome(error, &outcome);
        if (!found.contact)
                return bus_error_set(error, OUTCOME_NOT_FOUND, "%s is no contact of this radio", text);
        *key = found.contact->key;
        return 0;
}

static int filter_set_channel(BusRadio *self, MessageFilter *filter, const char *text, sd_bus_error *error) {
        Channel *channel = NULL;
        unsigned slot;
        size_t n = 0;

        if (text[0] != '/')
                channel = identity_find_channel_name(self->identity, text, &n);
        else if (bus_path_parse_channel(self, text, &slot) >= 0)
                channel = bus_radio_get_channel(self, slot);

        if (n > 1)
                return bus_error_set(error, OUTCOME_INVALID_ARGUMENTS,
                                     "%zu channels are called %s: use the object path", n, text);
        if (!channel)
                return bus_error_set(error, OUTCOME_NOT_FOUND, "%s is no channel of this radio", text);

        filter->channel = channel->id;
        return 0;
}

static int filter_set_words(MessageFilter *filter, const FilterText *text, sd_bus_error *error) {
        if (text->state) {
                filter->state = message_state_from_string(text->state);
                if (filter->state < 0)
                        return bus_error_set(error, OUTCOME_INVALID_ARGUMENTS, "There is no state %s",
                                             text->state);
        }

        if (text->kind) {
                filter->kind = message_kind_from_string(text->kind);
                if (filter->kind < 0)
                        return bus_error_set(error, OUTCOME_INVALID_ARGUMENTS, "There is no kind %s",
                                             text->kind);
        }

        if (text->direction) {
                if (strcmp(text->direction, "received") == 0)
                        filter->direction = 1;
                else if (strcmp(text->direction, "sent") == 0)
                        filter->direction = 2;
                else
                        return bus_error_set(error, OUTCOME_INVALID_ARGUMENTS,
                                             "Direction is \"%s\" instead of received or sent",
                                             text->direction);
        }

        return 0;
}

static int reply_list(sd_bus_message *call, BusRadio *self, GPtrArray *messages) {
        g_autoptr(sd_bus_message) reply = NULL;
        int r;

        r = sd_bus_message_new_method_return(call, &reply);
        if (r < 0)
                return r;
        r = sd_bus_message_open_container(reply, 'a', "(oa{sv})");

        for (guint i = 0; messages && i < messages->len && r >= 0; i++) {
                const Message *message = messages->pdata[i];
                g_autofree char *path = bus_path_message(self, message->id);

                r = sd_bus_message_open_container(reply, 'r', "oa{sv}");
                if (r >= 0)
                        r = sd_bus_message_append(reply, "o", path);
                if (r >= 0)
                        r = bus_record_append(reply, self, message);
                if (r >= 0)
                        r = sd_bus_message_close_container(reply);
        }

        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        if (r < 0)
                return r;
        return sd_bus_message_send(reply);
}

static int read_filter(sd_bus_message *call, MessageFilter *filter, FilterText *text, sd_bus_error *error) {
        int unread = false;
        const BusOption keys[] = {
                        {"Peer", "so", &text->peer},
                        {"Channel", "so", &text->channel},
                        {"State", "s", &text->state},
                        {"Kind", "s", &text->kind},
                        {"Direction", "s", &text->direction},
                        {"Unread", "b", &unread},
                        {"SinceUSec", "t", &filter->since_usec},
                        {"UntilUSec", "t", &filter->until_usec},
                        {"Text", "s", &filter->text},
        };
        int r;

        r = bus_read_options(call, keys, ELEMENTSOF(keys), error);
        if (r < 0)
                return r;
        filter->unread_only = unread;
        return filter_set_words(filter, text, error);
}

static int read_page(sd_bus_message *call, uint64_t *ret_from, uint32_t *ret_limit, bool *ret_newer,
                     sd_bus_error *error) {
        const char *order = "older";
        const BusOption options[] = {{"Order", "s", &order}};
        int r;

        r = sd_bus_message_read(call, "tu", ret_from, ret_limit);
        if (r < 0)
                return bus_error_arguments(error, r);
        r = bus_read_options(call, options, ELEMENTSOF(options), error);
        if (r < 0)
                return r;

        if (*ret_limit == 0)
                return bus_error_set(error, OUTCOME_INVALID_ARGUMENTS, "The limit is 0");
        if (strcmp(order, "older") != 0 && strcmp(order, "newer") != 0)
                return bus_error_set(error, OUTCOME_INVALID_ARGUMENTS,
                                     "Order is \"%s\" instead of older or newer", order);
        *ret_newer = strcmp(order, "newer") == 0;
        return 0;
}

static int method_list(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        BusRadio *self = userdata;
        g_autoptr(GPtrArray) messages = NULL;
        FilterText text = {};
        MessageFilter filter;
        PublicKey peer;
        uint64_t from;
        uint32_t limit;
        bool newer = false;
        int r;

        message_filter_init(&filter);
        r = read_filter(call, &filter, &text, error);
        if (r < 0)
                return r;
        r = read_page(call, &from, &limit, &newer, error);
        if (r < 0)
                return r;
        r = bus_authorize(self->bus, call, error);
        if (r <= 0)
                return r < 0 ? r : 1;

        if (!self->identity) {
                if (text.peer || text.channel)
                        return bus_error_set(error, OUTCOME_NOT_FOUND, "The radio is not known yet");
                return reply_list(call, self, NULL);
        }

        if (text.peer) {
                r = filter_set_peer(self, &filter, text.peer, &peer, error);
                if (r < 0)
                        return r;
        }
        if (text.channel) {
                r = filter_set_channel(self, &filter, text.channel, error);
                if (r < 0)
                        return r;
        }

        r = identity_list_messages(self->identity, &filter, from, newer, MIN(limit, BUS_LIST_MAX), &messages);
        if (r < 0)
                return bus_error_errno(error, r, "Cannot read the messages");
        return reply_list(call, self, messages);
}

/* -- MarkRead, Delete ------------------------------------------------------- */

static int read_ids(BusRadio *self, sd_bus_message *call, GArray **ret, sd_bus_error *error) {
        g_autoptr(GArray) ids = g_array_new(false, false, sizeof(uint64_t));
        const char *path;
        uint64_t id;
        int r;

        r = sd_bus_message_enter_container(call, 'a', "o");
        if (r < 0)
                return bus_error_arguments(error, r);

        while ((r = sd_bus_message_read_basic(call, 'o', &path)) > 0) {
                if (bus_path_parse_message(self, path, &id) < 0)
                        return bus_error_set(error, OUTCOME_INVALID_ARGUMENTS,
                                             "%s is no message of this radio", path);
                if (ids->len >= BUS_BATCH_MAX)
                        return bus_error_set(error, OUTCOME_INVALID_ARGUMENTS,
                                             "More than %i messages at once", BUS_BATCH_MAX);
                g_array_append_val(ids, id);
        }
        if (r < 0)
                return bus_error_arguments(error, r);

        r = sd_bus_message_exit_container(call);
        if (r < 0)
                return bus_error_arguments(error, r);
        *ret = g_steal_pointer(&ids);
        return 0;
}

static int change_messages(sd_bus_message *call, BusRadio *self,
                           int (*change)(Identity *identity, const uint64_t *ids, size_t n), const char *what,
                           sd_bus_error *error) {
        g_autoptr(GArray) ids = NULL;
        int r;

        r = read_ids(self, call, &ids, error);
        if (r < 0)
                return r;
        r = bus_authorize(self->bus, call, error);
        if (r <= 0)
                return r < 0 ? r : 1;

        if (self->identity && ids->len > 0) {
                r = change(self->identity, (const uint64_t *) (const void *) ids->data, ids->len);
                if (r == -EBUSY)
                        return bus_error_set(error, OUTCOME_IN_PROGRESS,
                                             "A message is still being sent: cancel it first");
                if (r < 0)
                        return bus_error_errno(error, r, what);
        }

        return sd_bus_reply_method_return(call, NULL);
}

static int method_mark_read(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        return change_messages(call, userdata, identity_mark_read, "Cannot mark the messages", error);
}

static int method_delete(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        return change_messages(call, userdata, identity_delete_messages, "Cannot delete the messages", error);
}

#define CHANGES(name, type, getter) BUS_PROPERTY(name, type, getter, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE)

const sd_bus_vtable bus_messages_vtable[] = {
                SD_BUS_VTABLE_START(0),
                CHANGES("LastId", "t", last_id),
                CHANGES("Unread", "u", unread),
                CHANGES("HistoryId", "s", history_id),
                SD_BUS_METHOD_WITH_ARGS(
                                "List",
                                SD_BUS_ARGS("a{sv}", filter, "t", from_id, "u", limit, "a{sv}", options),
                                SD_BUS_RESULT("a(oa{sv})", messages), method_list,
                                SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_METHOD_WITH_ARGS("MarkRead", SD_BUS_ARGS("ao", messages), SD_BUS_NO_RESULT,
                                        method_mark_read, SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_METHOD_WITH_ARGS("Delete", SD_BUS_ARGS("ao", messages), SD_BUS_NO_RESULT,
                                        method_delete, SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_SIGNAL_WITH_ARGS("Received",
                                        SD_BUS_ARGS("o", conversation, "o", message, "a{sv}", record), 0),
                SD_BUS_SIGNAL_WITH_ARGS("Changed", SD_BUS_ARGS("o", message, "s", state), 0),
                SD_BUS_SIGNAL_WITH_ARGS("Deleted", SD_BUS_ARGS("ao", messages), 0),
                SD_BUS_VTABLE_END,
};
