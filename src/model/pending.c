/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "pending.h"
#include "store-internal.h"

struct Pending {
        Store *store;
        StoreClient client;
        PublicKey identity;
        GHashTable *adverts; /* &Contact.key → Contact */
        GHashTable *dirty;   /* PublicKey: differs from the store */
        const PendingObserver *observer;
        void *observer_userdata;
};

static void advert_free(gpointer contact) {
        contact_free(contact);
}

static void mark_dirty(Pending *pending, const PublicKey *key) {
        (void) g_hash_table_add(pending->dirty, g_memdup2(key, sizeof(PublicKey)));
}

/* -- the table ------------------------------------------------------------------ */

size_t pending_count(const Pending *pending) {
        return g_hash_table_size(pending->adverts);
}

const Contact *pending_get(Pending *pending, const PublicKey *key) {
        return g_hash_table_lookup(pending->adverts, key);
}

static int compare_heard(gconstpointer a, gconstpointer b) {
        const Contact *x = *(Contact *const *) a, *y = *(Contact *const *) b;

        if (x->last_heard_usec != y->last_heard_usec)
                return x->last_heard_usec > y->last_heard_usec ? -1 : 1;
        return memcmp(&x->key, &y->key, sizeof(PublicKey));
}

GPtrArray *pending_list(Pending *pending) {
        GPtrArray *list = g_ptr_array_sized_new((guint) pending_count(pending));
        GHashTableIter iter;
        gpointer contact;

        g_hash_table_iter_init(&iter, pending->adverts);
        while (g_hash_table_iter_next(&iter, NULL, &contact))
                g_ptr_array_add(list, contact);
        g_ptr_array_sort(list, compare_heard);
        return list;
}

bool pending_remove(Pending *pending, const PublicKey *key) {
        g_autoptr(Contact) contact = g_hash_table_lookup(pending->adverts, key);

        if (!contact)
                return false;

        (void) g_hash_table_steal(pending->adverts, &contact->key);
        mark_dirty(pending, &contact->key);
        if (pending->observer && pending->observer->left)
                pending->observer->left(pending, contact, pending->observer_userdata);
        return true;
}

static void make_room(Pending *pending) {
        while (pending_count(pending) >= PENDING_MAX) {
                const Contact *silent = NULL;
                GHashTableIter iter;
                gpointer value;
                PublicKey key;

                g_hash_table_iter_init(&iter, pending->adverts);
                while (g_hash_table_iter_next(&iter, NULL, &value))
                        if (!silent || compare_heard(&value, &silent) > 0)
                                silent = value;
                key = silent->key;
                (void) pending_remove(pending, &key);
        }
}

void pending_put(Pending *pending, const Contact *heard) {
        Contact *known = g_hash_table_lookup(pending->adverts, &heard->key);
        Contact *contact = contact_copy(heard);

        contact->on_radio = false;
        if (!known)
                make_room(pending);
        (void) g_hash_table_replace(pending->adverts, &contact->key, contact);
        mark_dirty(pending, &contact->key);
        if (pending->observer && pending->observer->heard)
                pending->observer->heard(pending, contact, !known, pending->observer_userdata);
}

void pending_set_observer(Pending *pending, const PendingObserver *observer, void *userdata) {
        pending->observer = observer;
        pending->observer_userdata = userdata;
}

/* -- the store ---------------------------------------------------------------------- */

bool pending_needs_flush(const Pending *pending) {
        return g_hash_table_size(pending->dirty) > 0;
}

static int save_dirty(Pending *pending) {
        IdentityRecord record;
        GHashTableIter iter;
        gpointer key;
        int r;

        r = store_load_identity(pending->store, &pending->identity, &record);
        if (r < 0)
                return r;

        g_hash_table_iter_init(&iter, pending->dirty);
        while (r >= 0 && g_hash_table_iter_next(&iter, &key, NULL)) {
                const Contact *contact = pending_get(pending, key);

                r = contact ? store_save_pending(pending->store, record.row, contact)
                            : store_delete_pending(pending->store, record.row, key);
        }
        return r;
}

int pending_flush(Pending *pending) {
        int r;

        if (!pending_needs_flush(pending))
                return 0;

        r = store_begin(pending->store);
        if (r < 0)
                return r;

        r = save_dirty(pending);
        if (r >= 0)
                r = store_commit(pending->store);
        if (r < 0) {
                store_rollback(pending->store);
                return r;
        }

        g_hash_table_remove_all(pending->dirty);
        return 0;
}

static void on_history_lost(void *userdata) {
        Pending *pending = userdata;
        GHashTableIter iter;
        gpointer key;

        g_hash_table_iter_init(&iter, pending->adverts);
        while (g_hash_table_iter_next(&iter, &key, NULL))
                mark_dirty(pending, key);
}

static void take_advert(Contact *contact, void *userdata) {
        Pending *pending = userdata;

        (void) g_hash_table_replace(pending->adverts, &contact->key, contact);
}

int pending_load(Store *store, const PublicKey *identity, Pending **ret) {
        g_autoptr(Pending) pending = g_new0(Pending, 1);
        IdentityRecord record;
        int r;

        pending->store = store;
        pending->identity = *identity;
        pending->client = (StoreClient){on_history_lost, pending};
        pending->adverts = g_hash_table_new_full(key_hash_func, key_equal_func, NULL, advert_free);
        pending->dirty = g_hash_table_new_full(key_hash_func, key_equal_func, g_free, NULL);
        store_add_client(store, &pending->client);

        r = store_load_identity(store, identity, &record);
        if (r >= 0)
                r = store_load_pending(store, record.row, take_advert, pending);
        if (r < 0)
                return r;

        *ret = g_steal_pointer(&pending);
        return 0;
}

Pending *pending_free(Pending *pending) {
        if (!pending)
                return NULL;

        store_remove_client(pending->store, &pending->client);
        g_hash_table_unref(pending->adverts);
        g_hash_table_unref(pending->dirty);
        g_free(pending);
        return NULL;
}
