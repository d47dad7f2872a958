/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "clock.h"
#include "identity-internal.h"
#include "log.h"

/* -- conversations ------------------------------------------------------------- */

/* The only contact with this prefix, if there is exactly one. */
static const PublicKey *find_peer(Identity *identity, const Message *message) {
        GSList *l;

        if (!message->has_peer || message->has_peer_key)
                return NULL;

        l = identity_contacts_of_prefix(identity, message->peer_prefix);
        return l && !l->next ? &((Contact *) l->data)->key : NULL;
}

static void resolve_peer(Identity *identity, Message *message) {
        const PublicKey *key = find_peer(identity, message);

        if (key) {
                message->peer = *key;
                message->has_peer_key = true;
        }
}

/* What the store does not know, or not yet. */
static void complete_message(Identity *identity, Message *message) {
        GByteArray *repeats = g_hash_table_lookup(identity->repeats, &message->id);

        resolve_peer(identity, message);
        if (repeats) {
                g_clear_pointer(&message->repeats, g_byte_array_unref);
                message->repeats = g_byte_array_ref(repeats);
        }
}

/* A whole conversation that is marked as read changes its count once. */
static bool is_counted(Identity *identity, const Contact *contact, const Channel *channel) {
        for (guint i = 0; i < identity->events->len; i++) {
                const Event *event = identity->events->pdata[i];

                if ((event->kind == EVENT_CONTACT_CHANGED && event->contact == contact) ||
                    (event->kind == EVENT_CHANNEL_CHANGED && event->channel == channel))
                        return true;
        }

        return false;
}

static void count_contact(Identity *identity, Contact *contact, int by) {
        if (!is_counted(identity, contact, NULL)) {
                Event *event = identity_add_event(identity, EVENT_CONTACT_CHANGED);

                event->contact = contact;
                event->contact_before = contact_copy(contact);
                event->what = CONTACT_CHANGED_UNREAD;
        }

        contact->unread += (uint64_t) by;
}

static void count_channel(Identity *identity, Channel *channel, int by) {
        if (!is_counted(identity, NULL, channel)) {
                Event *event = identity_add_event(identity, EVENT_CHANNEL_CHANGED);

                event->channel = channel;
                event->channel_before = channel_copy(channel);
                event->what = CHANNEL_CHANGED_UNREAD;
        }

        channel->unread += (uint64_t) by;
}

void identity_count_unread(Identity *identity, const Message *message, int by) {
        Channel *channel;

        identity->unread += (uint64_t) by;

        channel = identity_get_channel(identity, message->channel);
        if (channel)
                count_channel(identity, channel, by);
        if (!message->has_peer)
                return;

        for (GSList *l = identity_contacts_of_prefix(identity, message->peer_prefix); l; l = l->next) {
                Contact *contact = l->data;

                if (!message->has_peer_key || key_equal(&message->peer, &contact->key))
                        count_contact(identity, contact, by);
        }
}

/* -- new ones -------------------------------------------------------------------- */

static int add_message(Identity *identity, Message *message, int64_t digest) {
        uint64_t id = 0;
        int r;

        r = store_add_message(identity->store, identity->record.row, message, digest, &id);
        if (r < 0)
                return r;

        message->id = id;
        identity->last_id = MAX(identity->last_id, id);
        identity_add_event(identity, EVENT_MESSAGE_ADDED)->message = message;
        if (!message->read)
                identity_count_unread(identity, message, 1);
        return 0;
}

static int receive_message(Identity *identity, Message *message, ReceiveResult *ret) {
        const int64_t digest = store_digest(message);
        int r;

        r = store_find_duplicate(identity->store, identity->record.row, message, digest, &message->id);
        if (r < 0)
                return r;
        if (r > 0) {
                *ret = RECEIVE_DUPLICATE;
                return store_count_duplicate(identity->store, message->id);
        }

        return add_message(identity, message, digest);
}

/* After a failure the caller's message is what it was. */
static int restore_message(Message *message, const Message *before, int r) {
        message->id = before->id;
        message->state = before->state;
        message->read = before->read;
        message->timestamp_usec = before->timestamp_usec;
        message->has_peer_key = before->has_peer_key;
        return r;
}

int identity_receive(Identity *identity, Message *message, ReceiveResult *ret) {
        const Message before = *message;
        ReceiveResult result = RECEIVE_NEW;
        int r;

        r = identity_write_begin_alone(identity);
        if (r < 0)
                return r;

        message->state = MESSAGE_RECEIVED;
        resolve_peer(identity, message);
        r = receive_message(identity, message, &result);
        r = identity_write_end(identity, r);
        if (r < 0)
                return restore_message(message, &before, r);

        *ret = result;
        return 0;
}

static int queue_message(Identity *identity, Message *message, uint32_t uid, const char *token) {
        const uint64_t now = message->timestamp_usec;
        int r;

        if (token) {
                r = store_find_token(identity->store, identity->record.row, uid, token, now, &message->id);
                if (r != 0)
                        return r;
        }

        r = add_message(identity, message, store_digest(message));
        if (r >= 0 && token)
                r = store_add_token(identity->store, identity->record.row, uid, token, now, message->id);

        return r;
}

int identity_queue(Identity *identity, Message *message, uint32_t uid, const char *token) {
        const Message before = *message;
        int r;

        if (token && (token[0] == '\0' || strlen(token) > IDENTITY_TOKEN_MAX))
                return -EINVAL;

        r = identity_write_begin_alone(identity);
        if (r < 0)
                return r;

        message->state = MESSAGE_QUEUED;
        message->read = true;
        if (message->timestamp_usec == 0)
                message->timestamp_usec = clock_realtime_usec();
        resolve_peer(identity, message);
        r = queue_message(identity, message, uid, token);
        r = identity_write_end(identity, r);
        if (r < 0)
                return restore_message(message, &before, r);

        return r;
}

bool identity_has_token(Identity *identity, uint32_t uid, const char *token) {
        uint64_t id;

        return store_find_token(identity->store, identity->record.row, uid, token, clock_realtime_usec(),
                                &id) > 0;
}

/* -- changes --------------------------------------------------------------------- */

/* Puts in what is named and really differs. */
static MessageChange apply_update(Message *message, const MessageUpdate *update) {
        MessageChange what = 0;

        if ((update->set & MESSAGE_CHANGED_STATE) && message->state != update->state) {
                message->state = update->state;
                what |= MESSAGE_CHANGED_STATE;
        }
        if ((update->set & MESSAGE_CHANGED_READ) && message->read != update->read) {
                message->read = update->read;
                what |= MESSAGE_CHANGED_READ;
        }
        if ((update->set & MESSAGE_CHANGED_SENDER_TIMESTAMP) &&
            message->sender_timestamp != update->sender_timestamp) {
                message->sender_timestamp = update->sender_timestamp;
                what |= MESSAGE_CHANGED_SENDER_TIMESTAMP;
        }
        if ((update->set & MESSAGE_CHANGED_ATTEMPTS) && message->attempts != update->attempts) {
                message->attempts = update->attempts;
                what |= MESSAGE_CHANGED_ATTEMPTS;
        }
        if ((update->set & MESSAGE_CHANGED_ROUND_TRIP) &&
            message->round_trip_usec != update->round_trip_usec) {
                message->round_trip_usec = update->round_trip_usec;
                what |= MESSAGE_CHANGED_ROUND_TRIP;
        }
        if ((update->set & MESSAGE_CHANGED_UNCERTAIN) && message->uncertain != update->uncertain) {
                message->uncertain = update->uncertain;
                what |= MESSAGE_CHANGED_UNCERTAIN;
        }
        if ((update->set & MESSAGE_CHANGED_ERROR) && g_strcmp0(message->error, update->error) != 0) {
                g_free(message->error);
                message->error = g_strdup(update->error);
                what |= MESSAGE_CHANGED_ERROR;
        }

        return what;
}

/* Takes the message, in its new form, for the observer. */
static void add_change_event(Identity *identity, Message *message, MessageChange what) {
        Event *event = identity_add_event(identity, EVENT_MESSAGE_CHANGED);

        event->message = event->message_own = message;
        event->what = what;
        if (what & MESSAGE_CHANGED_READ)
                identity_count_unread(identity, message, message->read ? -1 : 1);

        /* Last: the counts go by what is stored. */
        complete_message(identity, message);
}

static int save_attempt(Identity *identity, const Message *message, const MessageUpdate *update) {
        if (!update->add_attempt)
                return 0;

        return store_add_attempt(identity->store, message->id,
                                 update->attempts > 0 ? update->attempts - 1 : 0, update->expected_ack);
}

static int raise_last_timestamp(Identity *identity, uint32_t timestamp) {
        if (timestamp <= identity->record.last_timestamp)
                return 0;

        identity->record.last_timestamp = timestamp;
        return store_save_identity(identity->store, &identity->record);
}

static int update_message(Identity *identity, Message **message, const MessageUpdate *update) {
        MessageChange what;
        int r;

        what = apply_update(*message, update);
        r = save_attempt(identity, *message, update);
        if (r >= 0 && what != 0)
                r = store_save_message(identity->store, *message);
        if (r >= 0 && (update->set & MESSAGE_CHANGED_SENDER_TIMESTAMP) &&
            (*message)->state != MESSAGE_RECEIVED)
                r = raise_last_timestamp(identity, update->sender_timestamp);
        if (r >= 0 && what != 0)
                add_change_event(identity, g_steal_pointer(message), what);

        return r;
}

int identity_update_message(Identity *identity, uint64_t id, const MessageUpdate *update) {
        g_autoptr(Message) message = NULL;
        int r;

        r = identity_write_begin_alone(identity);
        if (r < 0)
                return r;

        r = store_get_message(identity->store, identity->record.row, id, &message);
        if (r == 0)
                r = -ENOENT;
        if (r > 0)
                r = update_message(identity, &message, update);

        return identity_write_end(identity, r);
}

int identity_add_repeat(Identity *identity, uint64_t id, const MessageRepeat *repeat) {
        g_autoptr(Message) message = identity_get_message(identity, id);

        if (!message)
                return -ENOENT;
        if (!message_add_repeat(message, repeat))
                return 0;

        g_hash_table_replace(identity->repeats, g_memdup2(&id, sizeof(id)),
                             g_byte_array_ref(message->repeats));
        if (identity->observer && identity->observer->message_changed)
                identity->observer->message_changed(identity, message, MESSAGE_CHANGED_REPEATS,
                                                    identity->observer_userdata);
        return 1;
}

static int mark_one_read(Identity *identity, uint64_t id) {
        g_autoptr(Message) message = NULL;
        int r;

        r = store_get_message(identity->store, identity->record.row, id, &message);
        if (r <= 0)
                return r;
        if (message->read)
                return 0;

        message->read = true;
        r = store_save_message(identity->store, message);
        if (r < 0)
                return r;

        add_change_event(identity, g_steal_pointer(&message), MESSAGE_CHANGED_READ);
        return 1;
}

int identity_mark_read(Identity *identity, const uint64_t *ids, size_t n) {
        int r, changed = 0;

        r = identity_write_begin_alone(identity);
        if (r < 0)
                return r;

        for (size_t i = 0; i < n && r >= 0; i++) {
                r = mark_one_read(identity, ids[i]);
                if (r > 0)
                        changed++;
        }

        r = identity_write_end(identity, r);
        return r < 0 ? r : changed;
}

static int delete_one(Identity *identity, uint64_t id) {
        g_autoptr(Message) message = NULL;
        int r;

        r = store_get_message(identity->store, identity->record.row, id, &message);
        if (r <= 0)
                return r;
        if (message_state_is_open(message->state, message->channel != 0))
                return -EBUSY;

        r = store_delete_message(identity->store, id);
        if (r < 0)
                return r;

        if (!message->read)
                identity_count_unread(identity, message, -1);
        return 1;
}

static int delete_messages(Identity *identity, const uint64_t *ids, size_t n, GArray *gone) {
        for (size_t i = 0; i < n; i++) {
                int r;

                r = delete_one(identity, ids[i]);
                if (r < 0)
                        return r;
                if (r > 0)
                        g_array_append_val(gone, ids[i]);
        }

        return 0;
}

int identity_delete_messages(Identity *identity, const uint64_t *ids, size_t n) {
        g_autoptr(GArray) gone = g_array_new(false, false, sizeof(uint64_t));
        const int wanted = (int) MIN(n, (size_t) G_MAXINT);
        int r, deleted;

        r = identity_write_begin_alone(identity);
        if (r < 0)
                return r;

        r = delete_messages(identity, ids, (size_t) wanted, gone);
        deleted = (int) gone->len;
        if (r >= 0 && deleted > 0) {
                identity_add_event(identity, EVENT_MESSAGES_DELETED)->ids = g_steal_pointer(&gone);
                g_hash_table_remove_all(identity->talkers);
        }

        r = identity_write_end(identity, r);
        return r < 0 ? r : deleted;
}

/* -- reading ----------------------------------------------------------------------- */

uint64_t identity_find_ack(Identity *identity, const uint8_t ack[4]) {
        uint64_t id = 0;

        if (identity_ready(identity) < 0 ||
            store_find_attempt(identity->store, identity->record.row, ack, &id) <= 0)
                return 0;

        return id;
}

int identity_read_message(Identity *identity, uint64_t id, Message **ret) {
        Message *message;
        int r;

        r = identity_ready(identity);
        if (r >= 0)
                r = store_get_message(identity->store, identity->record.row, id, &message);
        if (r <= 0)
                return r < 0 ? r : -ENOENT;

        complete_message(identity, message);
        *ret = message;
        return 0;
}

Message *identity_get_message(Identity *identity, uint64_t id) {
        Message *message;

        return identity_read_message(identity, id, &message) >= 0 ? message : NULL;
}

int identity_nth_newest(Identity *identity, uint64_t n, uint64_t *ret) {
        int r;

        r = identity_ready(identity);
        return r < 0 ? r : store_nth_newest(identity->store, identity->record.row, n, ret);
}

void message_filter_init(MessageFilter *filter) {
        *filter = (MessageFilter){
                        .state = -1,
                        .kind = -1,
        };
}

int identity_search_messages(Identity *identity, const MessageFilter *filter, uint64_t from, bool newer,
                             size_t limit, size_t max_rows, uint64_t *ret_next, GPtrArray **ret) {
        g_autoptr(GPtrArray) list =
                        g_ptr_array_new_with_free_func((GDestroyNotify) (void (*)(void)) message_free);
        uint64_t next = 0;
        int r;

        r = identity_ready(identity);
        /* A message is in one conversation: with both there is nothing to find. */
        if (r >= 0 && !(filter->peer && filter->channel != 0))
                r = store_list_messages(identity->store, identity->record.row, filter, from, newer, limit,
                                        max_rows, &next, list);
        if (r < 0)
                return r;

        for (guint i = 0; i < list->len; i++)
                complete_message(identity, list->pdata[i]);

        *ret_next = next;
        *ret = g_steal_pointer(&list);
        return 0;
}

int identity_list_messages(Identity *identity, const MessageFilter *filter, uint64_t from, bool newer,
                           size_t limit, GPtrArray **ret) {
        uint64_t next;

        return identity_search_messages(identity, filter, from, newer, limit, SIZE_MAX, &next, ret);
}

int identity_open_messages(Identity *identity, GArray **ret) {
        g_autoptr(GArray) ids = g_array_new(false, false, sizeof(uint64_t));
        int r;

        r = identity_ready(identity);
        if (r >= 0)
                r = store_list_open(identity->store, identity->record.row, SIZE_MAX, ids);
        if (r < 0)
                return r;

        *ret = g_steal_pointer(&ids);
        return 0;
}

int identity_window(Identity *identity, size_t limit, GArray **ret, size_t *ret_open) {
        g_autoptr(GArray) ids = g_array_new(false, false, sizeof(uint64_t));
        size_t n_open;
        int r;

        r = identity_ready(identity);
        if (r >= 0)
                r = store_list_open(identity->store, identity->record.row, limit, ids);
        n_open = ids->len;
        if (r >= 0 && n_open < limit)
                r = store_list_unread(identity->store, identity->record.row, limit - n_open, ids);
        if (r < 0)
                return r;

        *ret = g_steal_pointer(&ids);
        *ret_open = n_open;
        return 0;
}
