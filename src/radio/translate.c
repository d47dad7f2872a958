/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "derive.h"
#include "macros.h"
#include "radio-internal.h"
#include "utf8.h"

Contact *translate_contact(const Frame *frame) {
        Contact *contact = contact_new(&frame->contact.public_key);
        const Path *path = &frame->contact.path;

        contact->type = frame->contact.type;
        contact->flags = frame->contact.flags;
        contact->path_len = CONTACT_PATH_UNKNOWN;
        if (path->known && path->hashes.size <= sizeof(contact->path)) {
                contact->path_len = path->length;
                if (path->hashes.size > 0)
                        memcpy(contact->path, path->hashes.data, path->hashes.size);
        }
        g_free(contact->name);
        contact->name = utf8_repair(frame->contact.name.data, frame->contact.name.size);
        contact->lat_e6 = frame->contact.lat_e6;
        contact->lon_e6 = frame->contact.lon_e6;
        contact->last_advert = frame->contact.last_advert;
        contact->lastmod = frame->contact.lastmod;

        return contact;
}

void translate_record(const Contact *contact, ContactRecord *ret) {
        *ret = (ContactRecord){
                        .key = contact->key,
                        .type = contact->type,
                        .flags = contact->flags,
                        .path_len = contact->path_len,
                        .name = contact->name,
                        .last_advert = contact->last_advert,
                        .lat_e6 = contact->lat_e6,
                        .lon_e6 = contact->lon_e6,
        };
        memcpy(ret->path, contact->path, sizeof(ret->path));
}

size_t translate_path(const Path *path, PathHop *ret) {
        size_t n = path->known ? MIN(path->hops, CONTACT_PATH_HOPS_MAX) : 0;

        for (size_t i = 0; i < n; i++) {
                ret[i].size = path->hash_size;
                memcpy(ret[i].bytes, path->hashes.data + i * path->hash_size, path->hash_size);
        }
        return n;
}

ChannelKind translate_channel_kind(const char *name, const uint8_t secret[CHANNEL_SECRET_SIZE]) {
        uint8_t derived[SECRET_SIZE];

        if (memcmp(secret, public_channel_secret, SECRET_SIZE) == 0)
                return CHANNEL_PUBLIC;
        if (name[0] == '#' && derive_hashtag_secret(name, derived) >= 0 &&
            memcmp(secret, derived, SECRET_SIZE) == 0)
                return CHANNEL_HASHTAG;
        return CHANNEL_PRIVATE;
}

static void message_set_text(Message *m, const char *text, size_t size) {
        g_free(m->text);
        m->text = utf8_repair(text, size);
}

void translate_split_channel_text(Slice whole, Slice *ret_author, Slice *ret_text) {
        const uint8_t *colon = whole.size > 0 ? memmem(whole.data, whole.size, ": ", 2) : NULL;
        size_t author = colon ? (size_t) (colon - whole.data) : 0, skip = colon ? author + 2 : 0;

        *ret_author = (Slice){whole.data, author};
        *ret_text = skip < whole.size ? (Slice){whole.data + skip, whole.size - skip} : (Slice){};
}

static void message_set_channel_text(Message *m, Slice whole) {
        Slice author, text;

        translate_split_channel_text(whole, &author, &text);
        g_free(m->author);
        m->author = utf8_repair(author.data, author.size);
        message_set_text(m, (const char *) text.data, text.size);
}

static void message_set_data(Message *m, Slice data) {
        m->data = g_memdup2(data.data, data.size);
        m->data_size = data.size;
}

static void message_set_slot(Message *m, Identity *identity, uint8_t slot) {
        Channel *channel = identity_get_slot(identity, slot);

        m->channel = channel ? channel->id : 0;
}

/* Returns false for a frame that carries what we cannot keep as a message of its
 * own kind. */
static bool message_fill(Message *m, Identity *identity, const Frame *frame, Slice raw) {
        if (!frame_is_message(frame))
                return false;

        m->has_snr = frame->message.has_snr;
        m->snr_x4 = frame->message.snr_x4;
        m->path_len = frame->message.direct ? MESSAGE_PATH_DIRECT : frame->message.path.length;
        m->sender_timestamp = frame->message.timestamp;

        switch (frame->kind) {
        case FRAME_CONTACT_MESSAGE:
                switch (frame->message.text_type) {
                case TEXT_PLAIN:
                        m->kind = MESSAGE_TEXT;
                        break;
                case TEXT_CLI_DATA:
                        m->kind = MESSAGE_COMMAND;
                        break;
                case TEXT_SIGNED_PLAIN:
                        m->kind = MESSAGE_POST;
                        break;
                default:
                        return false;
                }
                m->has_peer = true;
                memcpy(m->peer_prefix, frame->message.sender, sizeof(m->peer_prefix));
                m->has_author_prefix = frame->message.has_author;
                memcpy(m->author_prefix, frame->message.author, sizeof(m->author_prefix));
                m->maybe_cut = frame_maybe_cut(raw.data, raw.size);
                message_set_text(m, (const char *) frame->message.text.data, frame->message.text.size);
                return true;
        case FRAME_CHANNEL_MESSAGE:
                if (frame->message.text_type != TEXT_PLAIN)
                        return false;
                m->kind = MESSAGE_TEXT;
                message_set_slot(m, identity, frame->message.channel);
                message_set_channel_text(m, frame->message.text);
                return true;
        case FRAME_CHANNEL_DATA:
                m->kind = MESSAGE_DATA;
                message_set_slot(m, identity, frame->message.channel);
                m->data_type = frame->message.data_type;
                message_set_data(m, frame->message.data);
                return true;
        default:
                return false;
        }
}

Message *translate_message(Identity *identity, const Frame *frame, Slice raw, uint64_t timestamp_usec) {
        g_autoptr(Message) m = message_new();

        m->state = MESSAGE_RECEIVED;
        if (frame && message_fill(m, identity, frame, raw)) {
                m->timestamp_usec = timestamp_usec;
                return g_steal_pointer(&m);
        }

        /* Nothing that the radio handed over is thrown away. */
        message_free(m);
        m = message_new();
        m->state = MESSAGE_RECEIVED;
        m->kind = MESSAGE_RAW;
        m->timestamp_usec = timestamp_usec;
        message_set_data(m, raw);
        return g_steal_pointer(&m);
}
