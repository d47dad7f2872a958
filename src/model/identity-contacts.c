/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "identity-internal.h"

/* -- tables ------------------------------------------------------------------- */

static uint64_t prefix_number(const uint8_t *bytes) {
        uint64_t n = 0;

        memcpy(&n, bytes, KEY_PREFIX_SIZE);
        return n;
}

GSList *identity_contacts_of_prefix(Identity *identity, const uint8_t prefix[KEY_PREFIX_SIZE]) {
        const uint64_t n = prefix_number(prefix);

        return g_hash_table_lookup(identity->prefixes, &n);
}

static void set_prefix_list(Identity *identity, uint64_t n, GSList *list) {
        if (list)
                (void) g_hash_table_insert(identity->prefixes, g_memdup2(&n, sizeof(n)), list);
        else
                (void) g_hash_table_remove(identity->prefixes, &n);
}

void identity_link_contact(Identity *identity, Contact *contact) {
        const uint64_t n = prefix_number(contact->key.bytes);
        GSList *list = g_hash_table_lookup(identity->prefixes, &n);

        (void) g_hash_table_insert(identity->contacts, &contact->key, contact);
        set_prefix_list(identity, n, g_slist_prepend(list, contact));
}

void identity_unlink_contact(Identity *identity, Contact *contact) {
        const uint64_t n = prefix_number(contact->key.bytes);
        GSList *list = g_hash_table_lookup(identity->prefixes, &n);

        (void) g_hash_table_remove(identity->contacts, &contact->key);
        (void) g_hash_table_remove(identity->heard, contact);
        (void) g_hash_table_remove(identity->talkers, contact);
        set_prefix_list(identity, n, g_slist_remove(list, contact));
}

void identity_swap_contact(Contact *a, Contact *b) {
        const Contact old = *a;

        *a = *b;
        *b = old;
}

GHashTable *identity_contacts(Identity *identity) {
        return identity->contacts;
}

Contact *identity_get_contact(Identity *identity, const PublicKey *key) {
        return g_hash_table_lookup(identity->contacts, key);
}

size_t identity_find_contact_prefix(Identity *identity, const uint8_t *prefix, size_t size, Contact **ret) {
        GHashTableIter iter;
        gpointer value;
        size_t n = 0;

        size = MIN(size, (size_t) PUBLIC_KEY_SIZE);

        if (size >= KEY_PREFIX_SIZE) {
                for (GSList *l = identity_contacts_of_prefix(identity, prefix); l; l = l->next) {
                        Contact *contact = l->data;

                        if (memcmp(contact->key.bytes, prefix, size) == 0 && n++ == 0)
                                *ret = contact;
                }
                return n;
        }

        g_hash_table_iter_init(&iter, identity->contacts);
        while (g_hash_table_iter_next(&iter, NULL, &value)) {
                Contact *contact = value;

                if (memcmp(contact->key.bytes, prefix, size) == 0 && n++ == 0)
                        *ret = contact;
        }

        return n;
}

/* -- the limit ------------------------------------------------------------------ */

void identity_set_contact_limit(Identity *identity, size_t limit) {
        identity->contact_limit = MAX(limit, (size_t) 1);
}

static bool is_stranger(const Contact *contact) {
        return !contact->on_radio && !(contact->flags & CONTACT_FLAG_FAVOURITE);
}

static int compare_heard(gconstpointer a, gconstpointer b) {
        const Contact *x = *(Contact *const *) a, *y = *(Contact *const *) b;

        if (x->last_heard_usec != y->last_heard_usec)
                return x->last_heard_usec < y->last_heard_usec ? -1 : 1;
        return memcmp(&x->key, &y->key, sizeof(PublicKey));
}

/* The stranger without messages that was silent longest: 1, or 0 when there
 * is none. Those found to have messages are remembered, so that a full table
 * asks the store about each of them once. */
static int find_silent_stranger(Identity *identity, Contact **ret) {
        g_autoptr(GPtrArray) candidates = g_ptr_array_new();
        GHashTableIter iter;
        gpointer value;

        g_hash_table_iter_init(&iter, identity->contacts);
        while (g_hash_table_iter_next(&iter, NULL, &value))
                if (is_stranger(value) && !g_hash_table_contains(identity->talkers, value))
                        g_ptr_array_add(candidates, value);
        g_ptr_array_sort(candidates, compare_heard);

        for (guint i = 0; i < candidates->len; i++) {
                Contact *contact = candidates->pdata[i];
                int r;

                r = store_has_peer_messages(identity->store, identity->record.row, &contact->key);
                if (r < 0)
                        return r;
                if (r == 0) {
                        *ret = contact;
                        return 1;
                }
                (void) g_hash_table_add(identity->talkers, contact);
        }

        return 0;
}

/* When everybody has written once: who is least ours, then who was silent longest. */
static Contact *find_last_resort(Identity *identity) {
        Contact *found = NULL;
        unsigned found_rank = 0;
        GHashTableIter iter;
        gpointer value;

        g_hash_table_iter_init(&iter, identity->contacts);
        while (g_hash_table_iter_next(&iter, NULL, &value)) {
                Contact *contact = value;
                const unsigned rank = (contact->flags & CONTACT_FLAG_FAVOURITE ? 2 : 0) +
                                      (contact->on_radio ? 1 : 0);

                if (!found || rank < found_rank ||
                    (rank == found_rank && compare_heard(&contact, &found) < 0)) {
                        found = contact;
                        found_rank = rank;
                }
        }

        return found;
}

static int drop_contact(Identity *identity, Contact *contact) {
        int r;

        r = store_delete_contact(identity->store, identity->record.row, &contact->key);
        if (r < 0)
                return r;

        identity_unlink_contact(identity, contact);
        identity_add_event(identity, EVENT_CONTACT_REMOVED)->contact = contact;
        return 0;
}

static int make_room(Identity *identity) {
        while (g_hash_table_size(identity->contacts) >= identity->contact_limit) {
                Contact *contact = NULL;
                int r;

                r = find_silent_stranger(identity, &contact);
                if (r < 0)
                        return r;
                if (r == 0)
                        contact = find_last_resort(identity);

                r = drop_contact(identity, contact);
                if (r < 0)
                        return r;
        }

        return 0;
}

/* -- changes --------------------------------------------------------------------- */

static int add_contact(Identity *identity, const Contact *given) {
        g_autoptr(Contact) contact = contact_copy(given);
        int r;

        r = make_room(identity);
        if (r >= 0)
                r = store_save_contact(identity->store, identity->record.row, contact);
        if (r >= 0)
                r = store_count_peer_unread(identity->store, identity->record.row, &contact->key,
                                            &contact->unread);
        if (r < 0)
                return r;

        identity_link_contact(identity, contact);
        identity_add_event(identity, EVENT_CONTACT_ADDED)->contact = contact;
        g_steal_pointer(&contact);
        return 0;
}

static int change_contact(Identity *identity, Contact *contact, Contact *next, ContactChange what) {
        Event *event;
        int r;

        r = store_save_contact(identity->store, identity->record.row, next);
        if (r < 0)
                return r;

        event = identity_add_event(identity, EVENT_CONTACT_CHANGED);
        event->contact = contact;
        event->contact_before = contact_copy(next);
        event->what = what;
        identity_swap_contact(contact, event->contact_before);
        g_ptr_array_add(identity->written_heard, contact);
        return 0;
}

int identity_put_contact(Identity *identity, const Contact *given) {
        g_autoptr(Contact) next = NULL;
        ContactChange what;
        Contact *contact;
        int r;

        contact = identity_get_contact(identity, &given->key);
        if (contact) {
                next = contact_copy(given);
                next->unread = contact->unread;
                next->last_heard_usec = MAX(next->last_heard_usec, contact->last_heard_usec);
                what = contact_compare(contact, next);
                if (what == 0)
                        return 0;
                if (what == CONTACT_CHANGED_LAST_HEARD) {
                        identity_touch_contact(identity, &given->key, next->last_heard_usec);
                        return 0;
                }
        }

        r = identity_write_begin(identity);
        if (r < 0)
                return r;

        r = contact ? change_contact(identity, contact, next, what) : add_contact(identity, given);
        return identity_write_end(identity, r);
}

int identity_remove_contact(Identity *identity, const PublicKey *key) {
        Contact *contact;
        int r;

        contact = identity_get_contact(identity, key);
        if (!contact)
                return 0;

        r = identity_write_begin(identity);
        if (r < 0)
                return r;

        r = drop_contact(identity, contact);
        return identity_write_end(identity, r);
}

void identity_touch_contact(Identity *identity, const PublicKey *key, uint64_t heard_usec) {
        Contact *contact;

        contact = identity_get_contact(identity, key);
        if (!contact || contact->last_heard_usec >= heard_usec)
                return;

        contact->last_heard_usec = heard_usec;
        (void) g_hash_table_add(identity->heard, contact);

        if (identity->observer && identity->observer->contact_changed)
                identity->observer->contact_changed(identity, contact, CONTACT_CHANGED_LAST_HEARD,
                                                    identity->observer_userdata);
}
