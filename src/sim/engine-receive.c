/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine-internal.h"

/* What the radio does with a packet that it heard. */

#define SEARCH_MAX            8
#define TEXT_HEAD_SIZE        5
#define SIGNED_HEAD_SIZE      9
#define ACK_DELAY_MSEC        200
#define ACK_SPACING_MSEC      300
#define RESPONSE_DELAY_MSEC   300
#define RECIPROCAL_DELAY_MSEC 500
#define RETRY_DELAY_MSEC      3000
#define ADD_CHAT              0x02
#define ADD_REPEATER          0x04
#define ADD_ROOM              0x08
#define ADD_SENSOR            0x10

static bool adds_type(const Engine *e, uint8_t type) {
        static const uint8_t bits[] = {
                        [NODE_CHAT] = ADD_CHAT,
                        [NODE_REPEATER] = ADD_REPEATER,
                        [NODE_ROOM] = ADD_ROOM,
                        [NODE_SENSOR] = ADD_SENSOR,
        };

        if ((e->prefs.manual_add & 1) == 0)
                return true;
        if (!e->traits->has_auto_add || type >= ELEMENTSOF(bits))
                return false;

        return (e->prefs.auto_add & bits[type]) != 0;
}

static void note_advert_path(Engine *e, const PublicKey *key, const AirPacket *packet) {
        AdvertPath *found = NULL;

        for (size_t i = 0; i < ADVERT_PATHS; i++) {
                AdvertPath *path = &e->advert_paths[i];

                if (memcmp(path->prefix, key->bytes, sizeof(path->prefix)) == 0) {
                        found = path;
                        break;
                }
                if (!found || path->received < found->received)
                        found = path;
        }

        memcpy(found->prefix, key->bytes, sizeof(found->prefix));
        found->received = engine_clock(e);
        found->path_len = air_path_copy(found->path, packet->path, packet->path_len);
}

static void announce(Engine *e, const EngineContact *contact, bool is_new, const AirPacket *packet) {
        if (engine_app_listens(e)) {
                if (is_new) {
                        contacts_write_record(e, PUSH_NEW_ADVERT, contact);
                } else {
                        e->out[0] = PUSH_ADVERT;
                        memcpy(e->out + 1, contact->key.bytes, PUBLIC_KEY_SIZE);
                        engine_write_out(e, 1 + PUBLIC_KEY_SIZE);
                }
        }

        note_advert_path(e, &contact->key, packet);
        if (!is_new)
                contacts_changed(e);
}

static void fill_from_advert(Engine *e, EngineContact *contact, const AirAdvert *advert) {
        size_t name = MIN(strlen(advert->name), (size_t) NAME_SIZE_MAX);

        memset(contact->name, 0, sizeof(contact->name));
        memcpy(contact->name, advert->name, name);
        contact->key = advert->key;
        contact->type = advert->type;
        if (advert->has_position) {
                contact->lat = advert->lat;
                contact->lon = advert->lon;
        }
        contact->last_advert = advert->timestamp;
        contact->lastmod = engine_clock(e);
}

/* NULL when the rules say that the radio does not keep this node. */
static EngineContact *admit(Engine *e, const AirAdvert *advert, const AirPacket *packet) {
        EngineContact *contact, heard = {.out_path_len = PATH_LEN_NONE};
        bool full = false;

        contact = NULL;
        if (adds_type(e, advert->type) && (e->prefs.auto_add_hops == 0 || !e->traits->has_hop_limit ||
                                           air_path_hops(packet->path_len) < e->prefs.auto_add_hops)) {
                contact = contacts_allocate(e, false);
                full = !contact;
        }
        if (contact) {
                *contact = heard;
                return contact;
        }

        if (full && !e->traits->announces_overflow)
                return NULL;

        fill_from_advert(e, &heard, advert);
        announce(e, &heard, true, packet);
        if (full && engine_app_listens(e)) {
                const uint8_t push[] = {PUSH_CONTACTS_FULL};

                engine_write(e, push, sizeof(push));
        }

        return NULL;
}

static void keep_card(Engine *e, const PublicKey *key, const AirPacket *packet) {
        AirPacket copy = *packet;
        uint8_t raw[PACKET_SIZE_MAX];

        /* without transport codes */
        if (e->traits->level >= 10)
                air_set_route(&copy, ROUTE_FLOOD);
        engine_put_card(e, key, raw, air_format(&copy, raw));
}

void engine_on_advert(Engine *e, const AirPacket *packet) {
        EngineContact *contact;
        AirAdvert advert;

        if (air_read_advert(packet, &advert) < 0 || advert.name[0] == 0)
                return;

        contact = contacts_lookup(e, advert.key.bytes, PUBLIC_KEY_SIZE);
        if (contact && advert.timestamp <= contact->last_advert)
                return;
        if (contact && contact->type == NODE_NONE) {
                /* a stranger that was asked something */
                memset(contact, 0, sizeof(*contact));
                contact = NULL;
        }

        if (!contact) {
                contact = admit(e, &advert, packet);
                if (!contact)
                        return;
        }

        keep_card(e, &advert.key, packet);
        fill_from_advert(e, contact, &advert);
        announce(e, contact, false, packet);
}

/* A path back to the sender, with an acknowledgement or an answer inside. */
static void send_path_return(Engine *e, EngineContact *to, const AirPacket *packet, uint8_t extra_type,
                             Slice extra, uint32_t delay) {
        AirPacket reply;

        if (engine_pool_has_room(e) &&
            air_make_path(&reply, to->key.bytes[0], e->identity.key.bytes[0], contact_secret(e, to),
                          packet->path, packet->path_len, extra_type, extra, &e->random) == 0)
                engine_send_flood_scoped(e, &reply, delay);
}

static void send_ack(Engine *e, EngineContact *to, Slice ack) {
        uint32_t delay = ACK_DELAY_MSEC;
        AirPacket packet;

        if (to->out_path_len == PATH_LEN_NONE) {
                if (air_make_plain(&packet, PAYLOAD_ACK, ack) == 0)
                        engine_send_flood_scoped(e, &packet, delay);
                return;
        }

        if (e->prefs.multi_acks > 0) {
                uint8_t payload[8] = {1 << 4 | PAYLOAD_ACK};

                memcpy(payload + 1, ack.data, ack.size);
                if (air_make_plain(&packet, PAYLOAD_MULTIPART, (Slice){payload, 1 + ack.size}) == 0)
                        engine_send_direct(e, &packet, to->out_path, to->out_path_len, delay);
                delay += ACK_SPACING_MSEC;
        }

        if (air_make_plain(&packet, PAYLOAD_ACK, ack) == 0)
                engine_send_direct(e, &packet, to->out_path, to->out_path_len, delay);
}

static void acknowledge(Engine *e, EngineContact *from, const AirPacket *packet, Slice ack) {
        if (air_is_flood(packet))
                send_path_return(e, from, packet, PAYLOAD_ACK, ack, ACK_DELAY_MSEC);
        else
                send_ack(e, from, ack);
}

static void on_plain_text(Engine *e, EngineContact *from, const AirPacket *packet, const uint8_t *data,
                          Slice text) {
        uint8_t ack[6];

        from->lastmod = engine_clock(e);
        queue_text(e, from, TEXT_PLAIN, packet, get_u32(data), (Slice){}, text);

        put_u32(ack, sim_ack_hash((Slice){data, TEXT_HEAD_SIZE + text.size}, &from->key));
        ack[4] = data[TEXT_HEAD_SIZE + text.size + 1];
        sim_random_bytes(&e->random, ack + 5, 1);
        acknowledge(e, from, packet, (Slice){ack, e->traits->ack_has_tail ? 6 : 4});
}

static void on_signed_text(Engine *e, EngineContact *from, const AirPacket *packet, const uint8_t *data,
                           Slice text) {
        uint8_t ack[4];

        from->sync_since = MAX(from->sync_since, get_u32(data));
        from->lastmod = engine_clock(e);
        contacts_changed(e);
        queue_text(e, from, TEXT_SIGNED_PLAIN, packet, get_u32(data), (Slice){data + TEXT_HEAD_SIZE, 4},
                   text);

        put_u32(ack, sim_ack_hash((Slice){data, SIGNED_HEAD_SIZE + text.size}, &e->identity.key));
        acknowledge(e, from, packet, (Slice){ack, sizeof(ack)});
}

/* data has at least two zero bytes behind its size bytes. */
static void on_text(Engine *e, EngineContact *from, const AirPacket *packet, const uint8_t *data,
                    size_t size) {
        Slice text = {data + TEXT_HEAD_SIZE, text_length(data + TEXT_HEAD_SIZE, size - TEXT_HEAD_SIZE)};

        switch (data[4] >> 2) {
        case TEXT_PLAIN:
                on_plain_text(e, from, packet, data, text);
                break;
        case TEXT_CLI_DATA:
                queue_text(e, from, TEXT_CLI_DATA, packet, get_u32(data), (Slice){}, text);
                if (air_is_flood(packet))
                        send_path_return(e, from, packet, 0, (Slice){}, 0);
                break;
        case TEXT_SIGNED_PLAIN:
                if (size < SIGNED_HEAD_SIZE)
                        break;
                text = (Slice){data + SIGNED_HEAD_SIZE,
                               text_length(data + SIGNED_HEAD_SIZE, size - SIGNED_HEAD_SIZE)};
                on_signed_text(e, from, packet, data, text);
                break;
        default:
                break;
        }
}

static void on_request(Engine *e, EngineContact *from, const AirPacket *packet, const uint8_t *data,
                       size_t size) {
        uint8_t reply[PACKET_PAYLOAD_MAX];
        size_t n = engine_answer_request(e, from, get_u32(data), (Slice){data + 4, size - 4}, reply);
        AirPacket answer;

        if (n == 0)
                return;

        if (air_is_flood(packet)) {
                send_path_return(e, from, packet, PAYLOAD_RESPONSE, (Slice){reply, n}, RESPONSE_DELAY_MSEC);
                return;
        }

        if (!engine_pool_has_room(e) ||
            air_make_datagram(&answer, PAYLOAD_RESPONSE, from->key.bytes[0], e->identity.key.bytes[0],
                              contact_secret(e, from), (Slice){reply, n}) < 0)
                return;
        if (from->out_path_len != PATH_LEN_NONE)
                engine_send_direct(e, &answer, from->out_path, from->out_path_len, RESPONSE_DELAY_MSEC);
        else
                engine_send_flood_scoped(e, &answer, RESPONSE_DELAY_MSEC);
}

/* The other side still floods although a path is known: tell it again. */
static void retry_path(Engine *e, EngineContact *contact, const AirPacket *packet) {
        AirPacket reply;

        if (engine_pool_has_room(e) &&
            air_make_path(&reply, contact->key.bytes[0], e->identity.key.bytes[0], contact_secret(e, contact),
                          packet->path, packet->path_len, 0, (Slice){}, &e->random) == 0)
                engine_send_direct(e, &reply, contact->out_path, contact->out_path_len, RETRY_DELAY_MSEC);
}

static void on_path(Engine *e, EngineContact *from, const AirPacket *packet, const uint8_t *data,
                    size_t size) {
        uint8_t path_len = data[0];
        AirPacket reply;

        if (!air_path_is_valid(path_len) || 1 + air_path_bytes(path_len) + 1 > size)
                return;
        if (!engine_on_path(e, from, packet, data, size) || !air_is_flood(packet))
                return;

        if (engine_pool_has_room(e) &&
            air_make_path(&reply, packet->payload[1], e->identity.key.bytes[0], contact_secret(e, from),
                          packet->path, packet->path_len, 0, (Slice){}, &e->random) == 0)
                engine_send_direct(e, &reply, data + 1, path_len, RECIPROCAL_DELAY_MSEC);
}

static void on_datagram(Engine *e, const AirPacket *packet) {
        uint8_t data[PACKET_PAYLOAD_MAX + 2] = {};
        Slice sealed = {packet->payload + 2, packet->payload_len - 2};
        size_t tried = 0, size = 0;
        EngineContact *from = NULL;

        if (packet->payload[0] != e->identity.key.bytes[0])
                return;

        for (size_t i = 0; i < e->n_contacts && tried < SEARCH_MAX && size == 0; i++) {
                if (e->contacts[i].key.bytes[0] != packet->payload[1])
                        continue;
                from = &e->contacts[i];
                size = sim_decrypt(contact_secret(e, from), sealed, data);
                tried++;
        }
        if (size == 0)
                return;

        switch (air_type(packet)) {
        case PAYLOAD_PATH:
                on_path(e, from, packet, data, size);
                break;
        case PAYLOAD_TXT_MSG:
                on_text(e, from, packet, data, size);
                break;
        case PAYLOAD_REQ:
                on_request(e, from, packet, data, size);
                break;
        default:
                engine_on_response(e, from, data, size);
                if (air_is_flood(packet) && from->out_path_len != PATH_LEN_NONE)
                        retry_path(e, from, packet);
                break;
        }
}

static void on_group_plain(Engine *e, const AirPacket *packet, int channel, const uint8_t *data,
                           size_t size) {
        if (air_type(packet) == PAYLOAD_GRP_TXT) {
                Slice text;

                if (size < TEXT_HEAD_SIZE || data[4] >> 2 != TEXT_PLAIN)
                        return;
                text = (Slice){data + TEXT_HEAD_SIZE,
                               text_length(data + TEXT_HEAD_SIZE, size - TEXT_HEAD_SIZE)};
                queue_channel_text(e, channel, packet, get_u32(data), text);
        } else if (size >= 3 && data[2] <= size - 3 && e->traits->level >= 11) {
                queue_channel_data(e, channel, packet, get_u16(data), (Slice){data + 3, data[2]});
        }
}

static void on_group(Engine *e, const AirPacket *packet) {
        uint8_t data[PACKET_PAYLOAD_MAX + 2] = {};
        Slice sealed = {packet->payload + 1, packet->payload_len - 1};
        size_t tried = 0;

        for (size_t i = 0; i < e->max_channels && tried < 4; i++) {
                const EngineChannel *channel = &e->channels[i];
                size_t size;

                if (channel->hash != packet->payload[0])
                        continue;
                tried++;
                size = sim_decrypt(channel->secret, sealed, data);
                if (size > 0) {
                        /* told by the secret: two slots may hold the same */
                        on_group_plain(e, packet, channels_find(e, channel->secret), data, size);
                        return;
                }
        }
}

static void on_ack_packet(Engine *e, const AirPacket *packet, uint32_t ack) {
        EngineContact *contact;
        PublicKey key;

        if (!engine_on_ack(e, ack, &key) || !air_is_flood(packet))
                return;

        contact = contacts_lookup(e, key.bytes, PUBLIC_KEY_SIZE);
        if (contact && contact->out_path_len != PATH_LEN_NONE)
                retry_path(e, contact, packet);
}

static void on_multipart(Engine *e, const AirPacket *packet) {
        AirPacket part = *packet;

        if (packet->payload_len < 5 || (packet->payload[0] & 0x0F) != PAYLOAD_ACK)
                return;

        part.payload_len--;
        memcpy(part.payload, packet->payload + 1, part.payload_len);
        if (engine_was_seen(e, &part))
                return;
        engine_mark_seen(e, &part);
        on_ack_packet(e, &part, get_u32(part.payload));
}

/* Control data and raw data, only while somebody listens. */
static void push_payload(Engine *e, uint8_t code, uint8_t path_len, const AirPacket *packet) {
        if (packet->payload_len + 4 > sizeof(e->out) || !engine_app_listens(e))
                return;

        e->out[0] = code;
        e->out[1] = (uint8_t) (int8_t) e->last_snr4;
        e->out[2] = (uint8_t) (int8_t) e->last_rssi;
        e->out[3] = path_len;
        memcpy(e->out + 4, packet->payload, packet->payload_len);
        engine_write_out(e, 4 + packet->payload_len);
}

/* Payload sizes below which a packet of that type is broken. */
static size_t least_payload(PayloadType type) {
        switch (type) {
        case PAYLOAD_ACK:
                return 4;
        case PAYLOAD_PATH:
        case PAYLOAD_REQ:
        case PAYLOAD_RESPONSE:
        case PAYLOAD_TXT_MSG:
                return 2 + SIM_MAC_SIZE + 1;
        case PAYLOAD_GRP_TXT:
        case PAYLOAD_GRP_DATA:
                return 1 + SIM_MAC_SIZE + 1;
        default:
                return 1;
        }
}

static void dispatch(Engine *e, AirPacket *packet) {
        switch (air_type(packet)) {
        case PAYLOAD_ACK:
                on_ack_packet(e, packet, get_u32(packet->payload));
                break;
        case PAYLOAD_PATH:
        case PAYLOAD_REQ:
        case PAYLOAD_RESPONSE:
        case PAYLOAD_TXT_MSG:
                on_datagram(e, packet);
                break;
        case PAYLOAD_GRP_TXT:
        case PAYLOAD_GRP_DATA:
                on_group(e, packet);
                break;
        case PAYLOAD_ADVERT:
                if (memcmp(packet->payload, e->identity.key.bytes, PUBLIC_KEY_SIZE) != 0 &&
                    air_verify_advert(packet))
                        engine_on_advert(e, packet);
                break;
        case PAYLOAD_RAW_CUSTOM:
                if (!air_is_flood(packet))
                        push_payload(e, PUSH_RAW_DATA, PATH_LEN_NONE, packet);
                break;
        default:
                break;
        }
}

void engine_process(Engine *e, AirPacket *packet) {
        bool direct = !air_is_flood(packet);
        PayloadType type = air_type(packet);

        if (direct && type == PAYLOAD_TRACE) {
                engine_on_trace(e, packet);
                return;
        }
        if (packet->payload_len < least_payload(type))
                return;
        if (direct && type == PAYLOAD_CONTROL && (packet->payload[0] & 0x80)) {
                if (air_path_hops(packet->path_len) == 0 && e->traits->level >= 8)
                        push_payload(e, PUSH_CONTROL_DATA, packet->path_len, packet);
                return;
        }
        if (direct && air_path_hops(packet->path_len) > 0) {
                /* on its way to somebody else, but an acknowledgement may be overheard */
                if (type == PAYLOAD_ACK)
                        on_ack_packet(e, packet, get_u32(packet->payload));
                return;
        }

        if (type == PAYLOAD_MULTIPART) {
                on_multipart(e, packet);
                return;
        }
        if (engine_was_seen(e, packet))
                return;
        engine_mark_seen(e, packet);
        dispatch(e, packet);
}
