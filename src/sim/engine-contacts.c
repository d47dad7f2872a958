/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine-internal.h"

/* The contact table: at first slots for strangers (level 13), then contacts
 * in the order they came. */

#define FLAG_FAVOURITE          0x01
#define AUTO_ADD_OVERWRITE      0x01
#define CONTACT_RECORD_POSITION 144
#define CONTACT_RECORD_FULL     148

EngineContact *contacts_lookup(Engine *e, const uint8_t *key, size_t size) {
        for (size_t i = 0; i < e->n_contacts; i++)
                if (memcmp(e->contacts[i].key.bytes, key, size) == 0)
                        return &e->contacts[i];

        return NULL;
}

const uint8_t *contact_secret(Engine *e, EngineContact *contact) {
        if (!contact->has_secret) {
                sim_shared_secret(&e->identity, &contact->key, contact->secret);
                contact->has_secret = true;
        }

        return contact->secret;
}

void contacts_changed(Engine *e) {
        e->contacts_dirty = e->now + CONTACTS_WRITE_DELAY_MSEC;
}

void contacts_save(Engine *e) {
        e->n_saved_contacts = 0;
        for (size_t i = 0; i < e->n_contacts; i++)
                if (e->contacts[i].type != NODE_NONE && e->n_saved_contacts < e->max_contacts)
                        e->saved_contacts[e->n_saved_contacts++] = e->contacts[i];

        e->contacts_dirty = ENGINE_TIME_NEVER;
}

void contacts_load(Engine *e) {
        memset(e->contacts, 0, e->traits->anon_contacts * sizeof(*e->contacts));
        e->n_contacts = e->traits->anon_contacts;

        for (size_t i = 0; i < e->n_saved_contacts; i++) {
                EngineContact *contact = &e->contacts[e->n_contacts++];

                *contact = e->saved_contacts[i];
                contact->has_secret = false;
        }
}

static EngineContact *oldest(Engine *e, size_t from, size_t to, bool (*is_candidate)(const EngineContact *)) {
        EngineContact *found = NULL;

        for (size_t i = from; i < to; i++)
                if (is_candidate(&e->contacts[i]) && (!found || e->contacts[i].lastmod < found->lastmod))
                        found = &e->contacts[i];

        return found;
}

static bool is_stranger(const EngineContact *contact) {
        return contact->type == NODE_NONE;
}

static bool is_not_favourite(const EngineContact *contact) {
        return (contact->flags & FLAG_FAVOURITE) == 0;
}

EngineContact *contacts_allocate(Engine *e, bool transient) {
        size_t anon = e->traits->anon_contacts;
        EngineContact *contact;

        if (transient && anon > 0)
                return oldest(e, 0, anon, is_stranger);

        if (e->n_contacts < anon + e->max_contacts)
                return &e->contacts[e->n_contacts++];

        if (!(e->prefs.auto_add & AUTO_ADD_OVERWRITE) || !e->traits->has_auto_add)
                return NULL;

        contact = oldest(e, anon, e->n_contacts, is_not_favourite);
        if (!contact)
                return NULL;

        g_hash_table_remove(e->cards, &contact->key);
        if (engine_app_listens(e)) {
                e->out[0] = PUSH_CONTACT_DELETED;
                memcpy(e->out + 1, contact->key.bytes, PUBLIC_KEY_SIZE);
                engine_write_out(e, 1 + PUBLIC_KEY_SIZE);
        }

        return contact;
}

bool contacts_add(Engine *e, const EngineContact *contact) {
        EngineContact *slot = contacts_allocate(e, contact->type == NODE_NONE);

        if (!slot)
                return false;

        *slot = *contact;
        slot->has_secret = false;
        return true;
}

bool contacts_remove(Engine *e, const uint8_t *key) {
        EngineContact *contact = contacts_lookup(e, key, PUBLIC_KEY_SIZE);
        size_t index;

        if (!contact)
                return false;

        index = (size_t) (contact - e->contacts);
        memmove(contact, contact + 1, (e->n_contacts - index - 1) * sizeof(*contact));
        e->n_contacts--;
        return true;
}

void contacts_write_record(Engine *e, uint8_t code, const EngineContact *contact) {
        uint8_t *p = e->out;
        size_t name = strnlen(contact->name, NAME_FIELD_SIZE - 1);

        *p++ = code;
        memcpy(p, contact->key.bytes, PUBLIC_KEY_SIZE);
        p += PUBLIC_KEY_SIZE;
        *p++ = contact->type;
        *p++ = contact->flags;
        *p++ = contact->out_path_len;
        memcpy(p, contact->out_path, PATH_SIZE_MAX);
        p += PATH_SIZE_MAX;
        memset(p, 0, NAME_FIELD_SIZE);
        memcpy(p, contact->name, name);
        p += NAME_FIELD_SIZE;
        p += put_u32(p, contact->last_advert);
        p += put_u32(p, (uint32_t) contact->lat);
        p += put_u32(p, (uint32_t) contact->lon);
        p += put_u32(p, contact->lastmod);
        engine_write_out(e, (size_t) (p - e->out));
}

void take_get_contacts(Engine *e, size_t size) {
        uint8_t reply[5] = {RESP_CONTACTS_START};

        if (e->dumping) {
                engine_error(e, ERR_BAD_STATE);
                return;
        }

        e->dump_since = size >= 5 ? get_u32(e->cmd + 1) : 0;
        put_u32(reply + 1, (uint32_t) (e->n_contacts - e->traits->anon_contacts));
        engine_write(e, reply, sizeof(reply));

        e->dump_index = e->traits->anon_contacts;
        e->dump_lastmod = 0;
        e->dumping = true;
}

bool engine_step(Engine *e) {
        const EngineContact *contact;

        engine_advance(e, e->now);
        if (!e->dumping)
                return false;

        if (e->dump_index >= e->n_contacts) {
                e->out[0] = RESP_END_OF_CONTACTS;
                put_u32(e->out + 1, e->dump_lastmod);
                engine_write_out(e, 5);
                e->dumping = false;
                return true;
        }

        contact = &e->contacts[e->dump_index++];
        if (contact->lastmod > e->dump_since) {
                contacts_write_record(e, RESP_CONTACT, contact);
                e->dump_lastmod = MAX(e->dump_lastmod, contact->lastmod);
        }

        return true;
}

static void read_record(Engine *e, size_t size, EngineContact *contact, uint32_t *lastmod) {
        const uint8_t *p = e->cmd + 1;

        memcpy(contact->key.bytes, p, PUBLIC_KEY_SIZE);
        p += PUBLIC_KEY_SIZE;
        contact->type = *p++;
        contact->flags = *p++;
        contact->out_path_len = *p++;
        memcpy(contact->out_path, p, PATH_SIZE_MAX);
        p += PATH_SIZE_MAX;
        memcpy(contact->name, p, NAME_FIELD_SIZE);
        p += NAME_FIELD_SIZE;
        contact->last_advert = get_u32(p);
        if (size >= CONTACT_RECORD_POSITION) {
                contact->lat = (int32_t) get_u32(p + 4);
                contact->lon = (int32_t) get_u32(p + 8);
        }
        if (size >= CONTACT_RECORD_FULL)
                *lastmod = get_u32(p + 12);
}

void take_put_contact(Engine *e, size_t size) {
        EngineContact *known = contacts_lookup(e, e->cmd + 1, PUBLIC_KEY_SIZE), contact = {};
        uint32_t lastmod = engine_clock(e);

        if (known) {
                read_record(e, size, known, &lastmod);
                if (!e->traits->keeps_lastmod)
                        known->lastmod = lastmod;
        } else {
                read_record(e, size, &contact, &lastmod);
                contact.lastmod = e->traits->keeps_lastmod ? engine_clock(e) : lastmod;
                if (!contacts_add(e, &contact)) {
                        engine_error(e, ERR_TABLE_FULL);
                        return;
                }
        }

        contacts_changed(e);
        engine_ok(e);
}

void take_reset_path(Engine *e, size_t size) {
        EngineContact *contact = contacts_lookup(e, e->cmd + 1, PUBLIC_KEY_SIZE);

        if (!contact) {
                engine_error(e, ERR_NOT_FOUND);
                return;
        }

        contact->out_path_len = PATH_LEN_NONE;
        contacts_changed(e);
        engine_ok(e);
}

void take_remove_contact(Engine *e, size_t size) {
        PublicKey key;

        memcpy(key.bytes, e->cmd + 1, PUBLIC_KEY_SIZE);
        if (!contacts_remove(e, key.bytes)) {
                engine_error(e, ERR_NOT_FOUND);
                return;
        }

        g_hash_table_remove(e->cards, &key);
        contacts_changed(e);
        engine_ok(e);
}

void take_get_contact(Engine *e, size_t size) {
        const EngineContact *contact = contacts_lookup(e, e->cmd + 1, PUBLIC_KEY_SIZE);

        if (contact)
                contacts_write_record(e, RESP_CONTACT, contact);
        else
                engine_error(e, ERR_NOT_FOUND);
}

void take_share_contact(Engine *e, size_t size) {
        static const uint16_t nowhere[2] = {0, 0};
        EngineContact *contact = contacts_lookup(e, e->cmd + 1, PUBLIC_KEY_SIZE);
        AirPacket packet;
        const uint8_t *raw;
        GBytes *card;
        size_t raw_size;

        if (!contact) {
                engine_error(e, ERR_NOT_FOUND);
                return;
        }

        card = g_hash_table_lookup(e->cards, &contact->key);
        raw = card ? g_bytes_get_data(card, &raw_size) : NULL;
        if (!raw || !engine_pool_has_room(e) || air_parse_card(raw, raw_size, &packet) < 0) {
                engine_error(e, ERR_TABLE_FULL);
                return;
        }

        engine_send_zero_hop(e, &packet, nowhere);
        engine_ok(e);
}

static void export_self(Engine *e) {
        int32_t position[2] = {(int32_t) (e->prefs.lat * 1e6), (int32_t) (e->prefs.lon * 1e6)};
        AirPacket packet;
        uint8_t raw[PACKET_SIZE_MAX];
        size_t size;

        if (!engine_pool_has_room(e)) {
                engine_error(e, ERR_TABLE_FULL);
                return;
        }

        air_make_advert(&packet, &e->identity, engine_clock(e), NODE_CHAT, e->prefs.name,
                        e->prefs.advert_loc_policy != 0 ? position : NULL);
        air_set_route(&packet, ROUTE_FLOOD);
        size = air_format(&packet, raw);
        e->out[0] = RESP_EXPORT_CONTACT;
        memcpy(e->out + 1, raw, MIN(size, sizeof(e->out) - 1));
        engine_write_out(e, 1 + size);
}

void take_export_contact(Engine *e, size_t size) {
        const EngineContact *contact;
        const uint8_t *raw = NULL;
        GBytes *card;
        size_t raw_size = 0;

        if (size < 1 + PUBLIC_KEY_SIZE) {
                export_self(e);
                return;
        }

        contact = contacts_lookup(e, e->cmd + 1, PUBLIC_KEY_SIZE);
        card = contact ? g_hash_table_lookup(e->cards, &contact->key) : NULL;
        if (card)
                raw = g_bytes_get_data(card, &raw_size);
        if (!raw) {
                engine_error(e, ERR_NOT_FOUND);
                return;
        }

        e->out[0] = RESP_EXPORT_CONTACT;
        memcpy(e->out + 1, raw, MIN(raw_size, sizeof(e->out) - 1));
        engine_write_out(e, 1 + raw_size);
}

void take_import_contact(Engine *e, size_t size) {
        AirPacket packet;

        if (!engine_pool_has_room(e) || air_parse_card(e->cmd + 1, size - 1, &packet) < 0 ||
            air_type(&packet) != PAYLOAD_ADVERT) {
                engine_error(e, ERR_ILLEGAL_ARG);
                return;
        }

        /* The answer comes first; the card is looked at in the next pass, as
         * if it had been heard. */
        packet.header |= ROUTE_FLOOD;
        engine_forget_seen(e, &packet);
        e->loopback = packet;
        e->has_loopback = true;
        engine_ok(e);
}

void take_get_advert_path(Engine *e, size_t size) {
        for (size_t i = 0; i < ADVERT_PATHS; i++) {
                const AdvertPath *path = &e->advert_paths[i];
                size_t bytes = air_path_bytes(path->path_len);

                if (memcmp(path->prefix, e->cmd + 2, sizeof(path->prefix)) != 0)
                        continue;

                e->out[0] = RESP_ADVERT_PATH;
                put_u32(e->out + 1, path->received);
                e->out[5] = path->path_len;
                memcpy(e->out + 6, path->path, bytes);
                engine_write_out(e, 6 + bytes);
                return;
        }

        engine_error(e, ERR_NOT_FOUND);
}

int engine_put_contact(Engine *e, const EngineContact *contact) {
        EngineContact *known = contacts_lookup(e, contact->key.bytes, PUBLIC_KEY_SIZE);

        if (known)
                *known = *contact;
        else if (!contacts_add(e, contact))
                return -ENOSPC;

        contacts_save(e);
        return 0;
}

const EngineContact *engine_find_contact(const Engine *e, const PublicKey *key) {
        for (size_t i = e->traits->anon_contacts; i < e->n_contacts; i++)
                if (key_equal(&e->contacts[i].key, key))
                        return &e->contacts[i];

        return NULL;
}

int engine_remove_contact(Engine *e, const PublicKey *key) {
        if (!contacts_remove(e, key->bytes))
                return -ENOENT;

        g_hash_table_remove(e->cards, key);
        contacts_changed(e);
        return 0;
}

size_t engine_n_contacts(const Engine *e) {
        return e->n_contacts - e->traits->anon_contacts;
}

const EngineContact *engine_contact_at(const Engine *e, size_t index) {
        return index < engine_n_contacts(e) ? &e->contacts[e->traits->anon_contacts + index] : NULL;
}

void engine_put_card(Engine *e, const PublicKey *key, const uint8_t *raw, size_t size) {
        g_hash_table_replace(e->cards, g_memdup2(key, sizeof(*key)), g_bytes_new(raw, size));
}
