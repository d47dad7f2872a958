/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Commands that put something on air without asking a server: texts,
 * datagrams, packets; and those of the contact and channel tables. */

#include "command-internal.h"
#include "macros.h"
#include "packet.h"
#include "utf8.h"

#define RAW_DATA_SIZE_MIN       4
#define RAW_DATA_PATH_MAX       63
#define CONTROL_FLAG            0x80
#define CONTROL_DISCOVER        0x80
#define CONTROL_DISCOVER_PREFIX 0x01

/* -- messages -- */

int command_send_text(Command *ret, TextType type, uint8_t attempt, uint32_t timestamp,
                      const uint8_t prefix[KEY_PREFIX_SIZE], const char *text) {
        static const uint8_t nobody[KEY_PREFIX_SIZE];
        size_t size = strlen(text);
        Draft draft;

        if (type != TEXT_PLAIN && type != TEXT_CLI_DATA)
                return -EINVAL;
        if (size == 0 || memcmp(prefix, nobody, sizeof(nobody)) == 0)
                return -EINVAL;
        if (size > (attempt > 3 ? TEXT_SIZE_MAX_RETRY : TEXT_SIZE_MAX))
                return -EMSGSIZE;

        draft_begin(&draft, CMD_SEND_TXT_MSG);
        writer_u8(&draft.w, (uint8_t) type);
        writer_u8(&draft.w, attempt);
        writer_u32le(&draft.w, timestamp);
        writer_bytes(&draft.w, prefix, KEY_PREFIX_SIZE);
        writer_bytes(&draft.w, text, size);
        return draft_finish(&draft, ret);
}

int command_send_channel_text(Command *ret, uint8_t channel, uint32_t timestamp, const char *text) {
        size_t size = strlen(text);
        Draft draft;

        if (size == 0)
                return -EINVAL;
        if (size > TEXT_SIZE_MAX)
                return -EMSGSIZE;

        draft_begin(&draft, CMD_SEND_CHANNEL_TXT_MSG);
        writer_u8(&draft.w, TEXT_PLAIN);
        writer_u8(&draft.w, channel);
        writer_u32le(&draft.w, timestamp);
        writer_bytes(&draft.w, text, size);
        return draft_finish(&draft, ret);
}

int command_send_channel_data(Command *ret, uint8_t channel, const Path *path, uint16_t type, Slice data) {
        Draft draft;

        if (type == 0 || (!path->known && path->length != PATH_LEN_NONE) ||
            path->hashes.size != path_size(path))
                return -EINVAL;
        if (data.size > CHANNEL_DATA_SIZE_MAX)
                return -EMSGSIZE;

        draft_begin(&draft, CMD_SEND_CHANNEL_DATA);
        writer_u8(&draft.w, channel);
        writer_u8(&draft.w, path->length);
        draft_slice(&draft, path->hashes);
        writer_u16le(&draft.w, type);
        draft_slice(&draft, data);
        return draft_finish(&draft, ret);
}

int command_sync_next_message(Command *ret) {
        return command_plain(ret, CMD_SYNC_NEXT_MESSAGE);
}

int command_send_raw_data(Command *ret, Slice path, Slice data) {
        Draft draft;

        if (path.size > RAW_DATA_PATH_MAX || data.size < RAW_DATA_SIZE_MIN)
                return -EINVAL;

        draft_begin(&draft, CMD_SEND_RAW_DATA);
        writer_u8(&draft.w, (uint8_t) path.size);
        draft_slice(&draft, path);
        draft_slice(&draft, data);
        return draft_finish(&draft, ret);
}

int command_send_raw_packet(Command *ret, uint8_t priority, Slice packet) {
        Packet parsed;
        Draft draft;

        if (packet_decode(packet, &parsed) < 0)
                return -EINVAL;

        draft_begin(&draft, CMD_SEND_RAW_PACKET);
        writer_u8(&draft.w, priority);
        draft_slice(&draft, packet);
        return draft_finish(&draft, ret);
}

int command_send_control_data(Command *ret, Slice data) {
        Draft draft;

        if (data.size == 0 || !(data.data[0] & CONTROL_FLAG))
                return -EINVAL;

        draft_begin(&draft, CMD_SEND_CONTROL_DATA);
        draft_slice(&draft, data);
        return draft_finish(&draft, ret);
}

int command_discover_nodes(Command *ret, bool prefix_only, uint8_t filter, uint32_t tag,
                           const uint32_t *since) {
        Draft draft;

        draft_begin(&draft, CMD_SEND_CONTROL_DATA);
        writer_u8(&draft.w, CONTROL_DISCOVER | (prefix_only ? CONTROL_DISCOVER_PREFIX : 0));
        writer_u8(&draft.w, filter);
        writer_u32le(&draft.w, tag);
        if (since)
                writer_u32le(&draft.w, *since);
        return draft_finish(&draft, ret);
}

/* -- contacts -- */

int command_get_contacts(Command *ret) {
        return command_plain(ret, CMD_GET_CONTACTS);
}

int command_get_contacts_since(Command *ret, uint32_t lastmod) {
        Draft draft;

        draft_begin(&draft, CMD_GET_CONTACTS);
        writer_u32le(&draft.w, lastmod);
        return draft_finish(&draft, ret);
}

int command_get_contact_by_key(Command *ret, const PublicKey *key) {
        return command_key(ret, CMD_GET_CONTACT_BY_KEY, 0, key);
}

int command_add_update_contact(Command *ret, const ContactRecord *contact) {
        Path path = path_from_length(contact->path_len, 0);
        Draft draft;

        if (contact->type == NODE_NONE || (!path.known && contact->path_len != PATH_LEN_NONE))
                return -EINVAL;

        draft_begin(&draft, CMD_ADD_UPDATE_CONTACT);
        writer_bytes(&draft.w, contact->key.bytes, sizeof(contact->key.bytes));
        writer_u8(&draft.w, contact->type);
        writer_u8(&draft.w, contact->flags);
        writer_u8(&draft.w, contact->path_len);
        writer_bytes(&draft.w, contact->path, path_size(&path));
        writer_zeroes(&draft.w, PATH_SIZE_MAX - path_size(&path));
        writer_cstr(&draft.w, contact->name, utf8_cut(contact->name, NAME_SIZE_MAX), NAME_FIELD_SIZE);
        writer_u32le(&draft.w, contact->last_advert);
        writer_u32le(&draft.w, (uint32_t) contact->lat_e6);
        writer_u32le(&draft.w, (uint32_t) contact->lon_e6);
        if (contact->has_lastmod)
                writer_u32le(&draft.w, contact->lastmod);
        return draft_finish(&draft, ret);
}

int command_remove_contact(Command *ret, const PublicKey *key) {
        return command_key(ret, CMD_REMOVE_CONTACT, 0, key);
}

int command_reset_path(Command *ret, const PublicKey *key) {
        return command_key(ret, CMD_RESET_PATH, 0, key);
}

int command_share_contact(Command *ret, const PublicKey *key) {
        return command_key(ret, CMD_SHARE_CONTACT, 0, key);
}

int command_export_contact(Command *ret, const PublicKey *key) {
        if (!key)
                return command_plain(ret, CMD_EXPORT_CONTACT);
        return command_key(ret, CMD_EXPORT_CONTACT, 0, key);
}

int command_import_contact(Command *ret, Slice advert_packet) {
        Packet packet;
        Draft draft;

        if (advert_packet.size < ADVERT_PACKET_SIZE_MIN || packet_decode(advert_packet, &packet) < 0 ||
            packet.payload_type != PAYLOAD_ADVERT)
                return -EINVAL;

        draft_begin(&draft, CMD_IMPORT_CONTACT);
        draft_slice(&draft, advert_packet);
        return draft_finish(&draft, ret);
}

int command_get_advert_path(Command *ret, const PublicKey *key) {
        return command_key(ret, CMD_GET_ADVERT_PATH, 1, key);
}

/* -- channels -- */

int command_get_channel(Command *ret, uint8_t channel) {
        return command_byte(ret, CMD_GET_CHANNEL, channel);
}

int command_set_channel(Command *ret, uint8_t channel, const char *name, const uint8_t secret[SECRET_SIZE]) {
        size_t size = strlen(name);
        Draft draft;

        if (size > NAME_SIZE_MAX)
                return -EMSGSIZE;

        draft_begin(&draft, CMD_SET_CHANNEL);
        writer_u8(&draft.w, channel);
        writer_cstr(&draft.w, name, size, NAME_FIELD_SIZE);
        writer_bytes(&draft.w, secret, SECRET_SIZE);
        return draft_finish(&draft, ret);
}
