/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "store-internal.h"

int store_load_identity(Store *store, const PublicKey *key, IdentityRecord *ret) {
        g_auto(Query) query =
                        query_begin(store, "SELECT id, last_timestamp, contacts_since, contacts_radio_count"
                                           " FROM identity WHERE key = ?");
        int r;

        query_bind_key(&query, key);
        r = query_step(&query);
        if (r < 0)
                return r;
        if (r == 0)
                return -ENOENT;

        *ret = (IdentityRecord){
                        .row = query_int(&query, 0),
                        .last_timestamp = (uint32_t) query_int(&query, 1),
                        .contacts_since = (uint32_t) query_int(&query, 2),
                        .contacts_radio_count = (uint32_t) query_int(&query, 3),
        };
        return 0;
}

int store_add_identity(Store *store, const PublicKey *key, IdentityRecord *record) {
        g_auto(Query) query = query_begin(store, "INSERT INTO identity (key, last_timestamp, contacts_since,"
                                                 " contacts_radio_count) VALUES (?, ?, ?, ?)");
        int r;

        query_bind_key(&query, key);
        query_bind_int(&query, record->last_timestamp);
        query_bind_int(&query, record->contacts_since);
        query_bind_int(&query, record->contacts_radio_count);
        r = query_run(&query);
        if (r < 0)
                return r;

        record->row = sqlite3_last_insert_rowid(store->db);
        return 0;
}

int store_save_identity(Store *store, const IdentityRecord *record) {
        g_auto(Query) query = query_begin(store, "UPDATE identity SET last_timestamp = ?, contacts_since = ?,"
                                                 " contacts_radio_count = ? WHERE id = ?");

        query_bind_int(&query, record->last_timestamp);
        query_bind_int(&query, record->contacts_since);
        query_bind_int(&query, record->contacts_radio_count);
        query_bind_int(&query, record->row);
        return query_run(&query);
}

/* SQLite sees nothing wrong with a row that makes no sense to us. */
static int fail_row(Store *store, const char *what) {
        store->damage_confirmed = true;
        return store_fail_damaged(store, what);
}

/* Paths are stored without the zeroes at their end. */
static size_t path_stored_size(const uint8_t path[CONTACT_PATH_MAX]) {
        size_t size = CONTACT_PATH_MAX;

        while (size > 0 && path[size - 1] == 0)
                size--;
        return size;
}

static void path_from_row(Query *query, int column, uint8_t ret[CONTACT_PATH_MAX]) {
        Slice path = query_slice(query, column);

        if (path.data)
                memcpy(ret, path.data, MIN(path.size, (size_t) CONTACT_PATH_MAX));
}

static Contact *contact_from_row(Query *query) {
        g_autoptr(Contact) contact = NULL;
        PublicKey key;

        if (!query_blob(query, 0, key.bytes, PUBLIC_KEY_SIZE))
                return NULL;

        contact = contact_new(&key);
        contact->type = (uint8_t) query_int(query, 1);
        contact->flags = (uint8_t) query_int(query, 2);
        contact->on_radio = query_int(query, 3) != 0;
        contact->path_len = (uint8_t) query_int(query, 4);
        path_from_row(query, 5, contact->path);
        g_free(contact->name);
        contact->name = query_text(query, 6);
        contact->lat_e6 = (int32_t) query_int(query, 7);
        contact->lon_e6 = (int32_t) query_int(query, 8);
        contact->last_advert = (uint32_t) query_int(query, 9);
        contact->lastmod = (uint32_t) query_int(query, 10);
        contact->last_heard_usec = (uint64_t) query_int(query, 11);
        contact->removed_elsewhere = query_int(query, 12) != 0;
        contact->set_path_len = (uint8_t) query_int(query, 13);
        path_from_row(query, 14, contact->set_path);
        contact->path_displaced = query_int(query, 15) != 0;
        contact->path_lent = query_int(query, 16) != 0;
        return g_steal_pointer(&contact);
}

int store_load_contacts(Store *store, int64_t identity, store_contact_t take, void *userdata) {
        g_auto(Query) query = query_begin(
                        store, "SELECT key, type, flags, on_radio, path_len, path, name, lat_e6, lon_e6,"
                               " last_advert, lastmod, last_heard_usec, removed_elsewhere, set_path_len,"
                               " set_path, path_displaced, path_lent FROM contact WHERE identity = ?");
        int r;

        query_bind_int(&query, identity);
        while ((r = query_step(&query)) > 0) {
                Contact *contact = contact_from_row(&query);

                if (!contact)
                        return fail_row(store, "a contact has no key");
                take(contact, userdata);
        }

        return r;
}

int store_save_contact(Store *store, int64_t identity, const Contact *contact) {
        g_auto(Query) query = query_begin(
                        store,
                        "INSERT INTO contact (identity, key, type, flags, on_radio, path_len, path, name,"
                        " lat_e6, lon_e6, last_advert, lastmod, last_heard_usec, removed_elsewhere,"
                        " set_path_len, set_path, path_displaced, path_lent)"
                        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15,"
                        " ?16, ?17, ?18)"
                        " ON CONFLICT (identity, key) DO UPDATE SET type = ?3, flags = ?4, on_radio = ?5,"
                        " path_len = ?6, path = ?7, name = ?8, lat_e6 = ?9, lon_e6 = ?10,"
                        " last_advert = ?11, lastmod = ?12, last_heard_usec = ?13,"
                        " removed_elsewhere = ?14, set_path_len = ?15, set_path = ?16,"
                        " path_displaced = ?17, path_lent = ?18");

        query_bind_int(&query, identity);
        query_bind_key(&query, &contact->key);
        query_bind_int(&query, contact->type);
        query_bind_int(&query, contact->flags);
        query_bind_int(&query, contact->on_radio);
        query_bind_int(&query, contact->path_len);
        query_bind_blob(&query, contact->path, path_stored_size(contact->path));
        query_bind_text(&query, contact->name);
        query_bind_int(&query, contact->lat_e6);
        query_bind_int(&query, contact->lon_e6);
        query_bind_int(&query, contact->last_advert);
        query_bind_int(&query, contact->lastmod);
        query_bind_int(&query, (int64_t) contact->last_heard_usec);
        query_bind_int(&query, contact->removed_elsewhere);
        query_bind_int(&query, contact->set_path_len);
        query_bind_blob(&query, contact->set_path, path_stored_size(contact->set_path));
        query_bind_int(&query, contact->path_displaced);
        query_bind_int(&query, contact->path_lent);
        return query_run(&query);
}

int store_save_heard(Store *store, int64_t identity, const Contact *contact) {
        g_auto(Query) query = query_begin(store, "UPDATE contact SET last_heard_usec = ?"
                                                 " WHERE identity = ? AND key = ?");

        query_bind_int(&query, (int64_t) contact->last_heard_usec);
        query_bind_int(&query, identity);
        query_bind_key(&query, &contact->key);
        return query_run(&query);
}

int store_delete_contact(Store *store, int64_t identity, const PublicKey *key) {
        g_auto(Query) query = query_begin(store, "DELETE FROM contact WHERE identity = ? AND key = ?");

        query_bind_int(&query, identity);
        query_bind_key(&query, key);
        return query_run(&query);
}

int store_load_channels(Store *store, int64_t identity, store_channel_t take, void *userdata) {
        g_auto(Query) query =
                        query_begin(store, "SELECT id, secret, name, kind FROM channel WHERE identity = ?");
        int r;

        query_bind_int(&query, identity);
        while ((r = query_step(&query)) > 0) {
                uint8_t secret[CHANNEL_SECRET_SIZE];
                int64_t kind = query_int(&query, 3);
                Channel *channel;

                if (!query_blob(&query, 1, secret, sizeof(secret)))
                        return fail_row(store, "a channel has no secret");

                channel = channel_new(secret);
                explicit_bzero(secret, sizeof(secret));
                channel->id = (uint64_t) query_int(&query, 0);
                g_free(channel->name);
                channel->name = query_text(&query, 2);
                channel->kind = kind >= 0 && kind < _CHANNEL_KIND_MAX ? (ChannelKind) kind : CHANNEL_PRIVATE;
                take(channel, userdata);
        }

        return r;
}

int store_save_channel(Store *store, int64_t identity, const Channel *channel) {
        g_auto(Query) query = query_begin(store, "INSERT INTO channel (id, identity, secret, name, kind)"
                                                 " VALUES (?1, ?2, ?3, ?4, ?5)"
                                                 " ON CONFLICT (id) DO UPDATE SET name = ?4, kind = ?5");

        query_bind_int(&query, (int64_t) channel->id);
        query_bind_int(&query, identity);
        query_bind_blob(&query, channel->secret, sizeof(channel->secret));
        query_bind_text(&query, channel->name);
        query_bind_int(&query, channel->kind);
        return query_run(&query);
}

int store_delete_channel(Store *store, uint64_t id) {
        g_auto(Query) query = query_begin(store, "DELETE FROM channel WHERE id = ?");

        query_bind_int(&query, (int64_t) id);
        return query_run(&query);
}

int store_load_slots(Store *store, int64_t identity, store_slot_t take, void *userdata) {
        g_auto(Query) query = query_begin(store, "SELECT slot, channel FROM channel_slot WHERE identity = ?"
                                                 " ORDER BY slot");
        int r;

        query_bind_int(&query, identity);
        while ((r = query_step(&query)) > 0) {
                int64_t slot = query_int(&query, 0);

                if (slot >= 0 && slot < IDENTITY_SLOTS_MAX)
                        take((unsigned) slot, (uint64_t) query_int(&query, 1), userdata);
        }

        return r;
}

static int delete_slot(Store *store, int64_t identity, unsigned slot) {
        g_auto(Query) query = query_begin(store, "DELETE FROM channel_slot WHERE identity = ? AND slot = ?");

        query_bind_int(&query, identity);
        query_bind_int(&query, slot);
        return query_run(&query);
}

int store_save_slot(Store *store, int64_t identity, unsigned slot, uint64_t channel) {
        g_auto(Query) query = {};

        if (channel == 0)
                return delete_slot(store, identity, slot);

        query = query_begin(store,
                            "INSERT OR REPLACE INTO channel_slot (identity, slot, channel) VALUES (?, ?, ?)");
        query_bind_int(&query, identity);
        query_bind_int(&query, slot);
        query_bind_int(&query, (int64_t) channel);
        return query_run(&query);
}

int store_get_slot(Store *store, const char *id, PublicKey *ret) {
        g_auto(Query) query = query_begin(store, "SELECT key FROM radio WHERE slot = ?");
        PublicKey key;
        int r;

        query_bind_text(&query, id);
        r = query_step(&query);
        if (r < 0)
                return r;
        if (r == 0 || !query_blob(&query, 0, key.bytes, PUBLIC_KEY_SIZE))
                return -ENOENT;

        *ret = key;
        return 0;
}

static int save_radio(Store *store, const char *id, const PublicKey *identity) {
        g_auto(Query) query = query_begin(store, "INSERT OR REPLACE INTO radio (slot, key) VALUES (?, ?)");

        query_bind_text(&query, id);
        query_bind_key(&query, identity);
        return query_run(&query);
}

int store_set_slot(Store *store, const char *id, const PublicKey *identity) {
        PublicKey known;
        int r;

        r = store_get_slot(store, id, &known);
        if (r < 0 && r != -ENOENT)
                return r;
        if (r >= 0 && key_equal(&known, identity))
                return 0;

        r = store_begin(store);
        if (r < 0)
                return r;

        r = save_radio(store, id, identity);
        if (r >= 0)
                r = store_commit(store);
        if (r < 0)
                store_rollback(store);

        return r;
}

/* -- pending adverts ------------------------------------------------------------- */

int store_load_pending(Store *store, int64_t identity, store_contact_t take, void *userdata) {
        g_auto(Query) query = query_begin(store, "SELECT key, type, name, lat_e6, lon_e6, last_advert,"
                                                 " last_heard_usec FROM pending WHERE identity = ?");
        int r;

        query_bind_int(&query, identity);
        while ((r = query_step(&query)) > 0) {
                Contact *contact;
                PublicKey key;

                if (!query_blob(&query, 0, key.bytes, PUBLIC_KEY_SIZE))
                        return fail_row(store, "a pending advert has no key");

                contact = contact_new(&key);
                contact->type = (uint8_t) query_int(&query, 1);
                g_free(contact->name);
                contact->name = query_text(&query, 2);
                contact->lat_e6 = (int32_t) query_int(&query, 3);
                contact->lon_e6 = (int32_t) query_int(&query, 4);
                contact->last_advert = (uint32_t) query_int(&query, 5);
                contact->last_heard_usec = (uint64_t) query_int(&query, 6);
                take(contact, userdata);
        }

        return r;
}

int store_save_pending(Store *store, int64_t identity, const Contact *contact) {
        g_auto(Query) query = query_begin(
                        store, "INSERT OR REPLACE INTO pending (identity, key, type, name, lat_e6, lon_e6,"
                               " last_advert, last_heard_usec) VALUES (?, ?, ?, ?, ?, ?, ?, ?)");

        query_bind_int(&query, identity);
        query_bind_key(&query, &contact->key);
        query_bind_int(&query, contact->type);
        query_bind_text(&query, contact->name);
        query_bind_int(&query, contact->lat_e6);
        query_bind_int(&query, contact->lon_e6);
        query_bind_int(&query, contact->last_advert);
        query_bind_int(&query, (int64_t) contact->last_heard_usec);
        return query_run(&query);
}

int store_delete_pending(Store *store, int64_t identity, const PublicKey *key) {
        g_auto(Query) query = query_begin(store, "DELETE FROM pending WHERE identity = ? AND key = ?");

        query_bind_int(&query, identity);
        query_bind_key(&query, key);
        return query_run(&query);
}
