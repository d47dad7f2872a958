/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "identity-internal.h"
#include "log.h"

/* -- writing ----------------------------------------------------------------- */

static int save_all(Identity *identity) {
        GHashTableIter iter;
        gpointer value;
        int r;

        r = store_add_identity(identity->store, &identity->key, &identity->record);
        if (r < 0)
                return r;

        g_hash_table_iter_init(&iter, identity->contacts);
        while (g_hash_table_iter_next(&iter, NULL, &value)) {
                r = store_save_contact(identity->store, identity->record.row, value);
                if (r < 0)
                        return r;
        }

        g_hash_table_iter_init(&iter, identity->channels);
        while (g_hash_table_iter_next(&iter, NULL, &value)) {
                r = store_save_channel(identity->store, identity->record.row, value);
                if (r < 0)
                        return r;
        }

        for (unsigned slot = 0; slot < IDENTITY_SLOTS_MAX; slot++) {
                if (!identity->slots[slot])
                        continue;
                r = store_save_slot(identity->store, identity->record.row, slot, identity->slots[slot]->id);
                if (r < 0)
                        return r;
        }

        return 0;
}

/* Begins us in a store that does not know us: all that we have in memory. */
static int save_from_memory(Identity *identity) {
        int r;

        r = store_begin(identity->store);
        if (r < 0)
                return r;

        r = save_all(identity);
        if (r >= 0)
                r = store_commit(identity->store);
        if (r < 0) {
                store_rollback(identity->store);
                return r;
        }

        identity->stored = true;
        g_hash_table_remove_all(identity->heard);
        return 0;
}

int identity_ready(Identity *identity) {
        int r;

        /* This can find out that the history is lost. */
        r = store_ensure_open(identity->store);
        if (r < 0)
                return r;

        return identity->stored ? 0 : save_from_memory(identity);
}

int identity_write_begin(Identity *identity) {
        int r;

        if (identity->batch)
                return identity->batch_error;

        r = identity_ready(identity);
        if (r < 0)
                return r;

        r = store_begin(identity->store);
        if (r < 0)
                return r;

        identity->record_before = identity->record;
        identity->unread_before = identity->unread;
        identity->last_id_before = identity->last_id;
        return 0;
}

int identity_write_begin_alone(Identity *identity) {
        if (identity->batch) {
                log_error("A message came in the middle of a batch");
                return -EBUSY;
        }

        return identity_write_begin(identity);
}

static int save_heard(Identity *identity) {
        GHashTableIter iter;
        gpointer contact;
        int r;

        g_hash_table_iter_init(&iter, identity->heard);
        while (g_hash_table_iter_next(&iter, &contact, NULL)) {
                r = store_save_heard(identity->store, identity->record.row, contact);
                if (r < 0)
                        return r;
                g_ptr_array_add(identity->written_heard, contact);
        }

        return 0;
}

static int save_repeats(Identity *identity) {
        GHashTableIter iter;
        gpointer id, repeats;
        int r;

        g_hash_table_iter_init(&iter, identity->repeats);
        while (g_hash_table_iter_next(&iter, &id, &repeats)) {
                r = store_save_repeats(identity->store, *(const uint64_t *) id, repeats);
                if (r < 0)
                        return r;
        }

        return 0;
}

static int finish_write(Identity *identity, int r) {
        int k;

        if (r >= 0) {
                k = store_commit(identity->store);
                if (k < 0)
                        r = k;
        }

        if (r < 0) {
                /* The memory first: a rollback can find damage and begin a new history. */
                identity_undo_events(identity);
                store_rollback(identity->store);
                return r;
        }

        identity_finish_events(identity);
        return r;
}

int identity_write_end(Identity *identity, int r) {
        if (identity->batch) {
                if (r < 0 && identity->batch_error == 0)
                        identity->batch_error = r;
                return r;
        }

        return finish_write(identity, r);
}

int identity_begin(Identity *identity) {
        int r;

        r = identity_write_begin_alone(identity);
        if (r < 0)
                return r;

        identity->batch = true;
        identity->batch_error = 0;
        return 0;
}

int identity_commit(Identity *identity) {
        if (!identity->batch)
                return 0;

        identity->batch = false;
        return finish_write(identity, identity->batch_error);
}

void identity_rollback(Identity *identity) {
        if (!identity->batch)
                return;

        identity->batch = false;
        (void) finish_write(identity, -ECANCELED);
}

bool identity_needs_flush(const Identity *identity) {
        return g_hash_table_size(identity->heard) > 0 || g_hash_table_size(identity->repeats) > 0;
}

int identity_flush(Identity *identity) {
        int r;

        if (!identity_needs_flush(identity))
                return 0;

        r = identity_write_begin_alone(identity);
        if (r < 0)
                return r;

        r = save_heard(identity);
        if (r >= 0)
                r = save_repeats(identity);
        r = finish_write(identity, r);
        if (r >= 0)
                g_hash_table_remove_all(identity->repeats);
        return r;
}

/* -- loading ------------------------------------------------------------------ */

static void take_contact(Contact *contact, void *userdata) {
        identity_link_contact(userdata, contact);
}

static void take_channel(Channel *channel, void *userdata) {
        Identity *identity = userdata;

        (void) g_hash_table_insert(identity->channels, &channel->id, channel);
}

static void take_slot(unsigned slot, uint64_t id, void *userdata) {
        Identity *identity = userdata;
        Channel *channel = g_hash_table_lookup(identity->channels, &id);

        if (!channel)
                return;

        identity->slots[slot] = channel;
        if (channel->slot < 0)
                channel->slot = (int) slot;
}

static void take_unread(const uint8_t *prefix, const PublicKey *peer, uint64_t id, uint64_t n,
                        void *userdata) {
        Identity *identity = userdata;
        Channel *channel = g_hash_table_lookup(identity->channels, &id);

        identity->unread += n;
        if (channel)
                channel->unread += n;
        if (!prefix)
                return;

        for (GSList *l = identity_contacts_of_prefix(identity, prefix); l; l = l->next) {
                Contact *contact = l->data;

                if (!peer || key_equal(peer, &contact->key))
                        contact->unread += n;
        }
}

static int load_records(Identity *identity) {
        Store *store = identity->store;
        int64_t row;
        int r;

        r = store_load_identity(store, &identity->key, &identity->record);
        if (r == -ENOENT)
                return save_from_memory(identity);
        if (r < 0)
                return r;

        row = identity->record.row;
        r = store_load_contacts(store, row, take_contact, identity);
        if (r >= 0)
                r = store_load_channels(store, row, take_channel, identity);
        if (r >= 0)
                r = store_load_slots(store, row, take_slot, identity);
        if (r >= 0)
                r = store_load_unread(store, row, take_unread, identity);
        if (r >= 0)
                r = store_last_message(store, row, &identity->last_id);
        if (r < 0)
                return r;

        identity->stored = true;
        return 0;
}

static void forget_unread(Identity *identity) {
        GHashTableIter iter;
        gpointer value;

        identity->unread = 0;
        g_hash_table_remove_all(identity->talkers);

        g_hash_table_iter_init(&iter, identity->contacts);
        while (g_hash_table_iter_next(&iter, NULL, &value)) {
                Contact *contact = value;
                Event *event;

                if (contact->unread == 0)
                        continue;
                contact->unread = 0;
                event = identity_add_event(identity, EVENT_CONTACT_CHANGED);
                event->contact = contact;
                event->what = CONTACT_CHANGED_UNREAD;
        }

        g_hash_table_iter_init(&iter, identity->channels);
        while (g_hash_table_iter_next(&iter, NULL, &value)) {
                Channel *channel = value;
                Event *event;

                if (channel->unread == 0)
                        continue;
                channel->unread = 0;
                event = identity_add_event(identity, EVENT_CHANNEL_CHANGED);
                event->channel = channel;
                event->what = CHANNEL_CHANGED_UNREAD;
        }
}

static void on_history_lost(void *userdata) {
        Identity *identity = userdata;

        /* The last timestamp is the one thing that the mesh would notice; it goes on. What
         * the radio holds is asked for again. */
        identity->stored = false;
        identity->record.row = 0;
        identity->record.contacts_since = 0;
        identity->record.contacts_radio_count = 0;
        forget_unread(identity);
        g_hash_table_remove_all(identity->repeats);

        /* If it fails, the next write tries again; the failure is logged. */
        (void) save_from_memory(identity);

        if (identity->observer && identity->observer->history_lost)
                identity->observer->history_lost(identity, identity->observer_userdata);
        identity_finish_events(identity);
}

static Identity *identity_new(Store *store, const PublicKey *key) {
        Identity *identity = g_new0(Identity, 1);

        identity->store = store;
        identity->key = *key;
        identity->client = (StoreClient){on_history_lost, identity};
        identity->contacts = g_hash_table_new(key_hash_func, key_equal_func);
        identity->prefixes = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
        identity->heard = g_hash_table_new(NULL, NULL);
        identity->talkers = g_hash_table_new(NULL, NULL);
        identity->channels = g_hash_table_new(g_int64_hash, g_int64_equal);
        identity->contact_limit = IDENTITY_CONTACTS_DEFAULT;
        identity->events = identity_new_events();
        identity->written_heard = g_ptr_array_new();
        identity->repeats = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free,
                                                  (GDestroyNotify) (void (*)(void)) g_byte_array_unref);
        return identity;
}

static void free_lists(gpointer key, gpointer list, gpointer userdata) {
        g_slist_free(list);
}

Identity *identity_free(Identity *identity) {
        GHashTableIter iter;
        gpointer value;

        if (!identity)
                return NULL;

        identity->observer = NULL;
        identity_rollback(identity);
        store_remove_client(identity->store, &identity->client);

        g_hash_table_foreach(identity->prefixes, free_lists, NULL);
        g_hash_table_unref(identity->prefixes);
        g_hash_table_unref(identity->repeats);
        g_hash_table_iter_init(&iter, identity->contacts);
        while (g_hash_table_iter_next(&iter, NULL, &value))
                (void) contact_free(value);
        g_hash_table_unref(identity->contacts);
        g_hash_table_iter_init(&iter, identity->channels);
        while (g_hash_table_iter_next(&iter, NULL, &value))
                (void) channel_free(value);
        g_hash_table_unref(identity->channels);
        g_hash_table_unref(identity->heard);
        g_hash_table_unref(identity->talkers);
        g_ptr_array_unref(identity->events);
        g_ptr_array_unref(identity->written_heard);
        g_free(identity);
        return NULL;
}

int identity_load(Store *store, const PublicKey *key, Identity **ret) {
        int r;

        /* Damage that is found here is set aside by then, and the second try begins anew. */
        for (unsigned tries = 0; tries < 2; tries++) {
                g_autoptr(Identity) identity = identity_new(store, key);

                r = load_records(identity);
                if (r >= 0) {
                        store_add_client(store, &identity->client);
                        *ret = g_steal_pointer(&identity);
                        return 0;
                }
                if (r != -EUCLEAN)
                        break;
        }

        return r;
}

/* -- small things -------------------------------------------------------------- */

void identity_set_observer(Identity *identity, const IdentityObserver *observer, void *userdata) {
        identity->observer = observer;
        identity->observer_userdata = userdata;
}

const PublicKey *identity_key(const Identity *identity) {
        return &identity->key;
}

Store *identity_store(const Identity *identity) {
        return identity->store;
}

uint32_t identity_contacts_since(const Identity *identity) {
        return identity->record.contacts_since;
}

uint32_t identity_contacts_radio_count(const Identity *identity) {
        return identity->record.contacts_radio_count;
}

uint32_t identity_last_timestamp(const Identity *identity) {
        return identity->record.last_timestamp;
}

uint64_t identity_last_message_id(const Identity *identity) {
        return identity->last_id;
}

uint64_t identity_unread(const Identity *identity) {
        return identity->unread;
}

int identity_set_contacts_mark(Identity *identity, uint32_t since, uint32_t radio_count) {
        int r;

        if (identity->record.contacts_since == since && identity->record.contacts_radio_count == radio_count)
                return 0;

        r = identity_write_begin(identity);
        if (r < 0)
                return r;

        identity->record.contacts_since = since;
        identity->record.contacts_radio_count = radio_count;
        r = store_save_identity(identity->store, &identity->record);
        return identity_write_end(identity, r);
}
