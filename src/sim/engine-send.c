/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine-internal.h"

/* Texts, datagrams, adverts and raw packets. */

#define TEXT_HEAD_SIZE    5
#define GROUP_DATA_MAX    (PACKET_PAYLOAD_MAX - SIM_BLOCK_SIZE - 3)
#define ADVERT_MODE_FLOOD 1

static void write_sent(Engine *e, bool flood, uint32_t tag, uint32_t timeout) {
        e->out[0] = RESP_SENT;
        e->out[1] = flood;
        put_u32(e->out + 2, tag);
        put_u32(e->out + 6, timeout);
        engine_write_out(e, 10);
}

/* -EMSGSIZE: the text or the packet is too long. */
static int compose_text(Engine *e, EngineContact *contact, uint8_t txt_type, uint8_t attempt,
                        uint32_t timestamp, Slice text, AirPacket *ret, uint32_t *ret_ack) {
        uint8_t plain[TEXT_HEAD_SIZE + TEXT_SIZE_MAX + 2];
        ByteWriter writer;

        if (text.size > TEXT_SIZE_MAX ||
            (txt_type == TEXT_PLAIN && attempt > 3 && text.size > TEXT_SIZE_MAX_RETRY))
                return -EMSGSIZE;

        writer_init(&writer, plain, sizeof(plain));
        writer_u32le(&writer, timestamp);
        writer_u8(&writer, (uint8_t) (txt_type << 2 | (attempt & 3)));
        writer_bytes(&writer, text.data, text.size);
        *ret_ack = sim_ack_hash((Slice){plain, writer.size}, &e->identity.key);
        if (txt_type == TEXT_PLAIN && attempt > 3) {
                /* What the low two bits cannot tell is hidden behind the text. */
                writer_u8(&writer, 0);
                writer_u8(&writer, attempt);
        }

        if (!engine_pool_has_room(e))
                return -ENOBUFS;

        return air_make_datagram(ret, PAYLOAD_TXT_MSG, contact->key.bytes[0], e->identity.key.bytes[0],
                                 contact_secret(e, contact), (Slice){plain, writer.size});
}

void take_send_text(Engine *e, size_t size) {
        uint8_t txt_type = e->cmd[1], attempt = e->cmd[2];
        EngineContact *contact = contacts_lookup(e, e->cmd + 7, KEY_PREFIX_SIZE);
        uint32_t timestamp = get_u32(e->cmd + 3), ack, timeout;
        AirPacket packet;
        Slice text;
        bool flood;

        if (!contact || (txt_type != TEXT_PLAIN && txt_type != TEXT_CLI_DATA)) {
                engine_error(e, contact ? ERR_UNSUPPORTED_CMD : ERR_NOT_FOUND);
                return;
        }

        e->cmd[size] = 0;
        text = (Slice){e->cmd + 13, text_length(e->cmd + 13, size - 13)};
        if (txt_type == TEXT_CLI_DATA && e->traits->uses_own_clock_for_cli)
                timestamp = engine_clock_unique(e);

        if (compose_text(e, contact, txt_type, attempt, timestamp, text, &packet, &ack) < 0) {
                engine_error(e, ERR_TABLE_FULL);
                return;
        }

        timeout = engine_send_to(e, contact, &packet, &flood);
        if (txt_type == TEXT_CLI_DATA)
                ack = 0;
        if (ack != 0) {
                e->acks[e->next_ack] = (ExpectedAck){.ack = ack, .sent = e->now, .contact = contact->key};
                e->next_ack = (e->next_ack + 1) % ACK_SLOTS;
        }

        write_sent(e, flood, ack, timeout);
}

void take_send_channel_text(Engine *e, size_t size) {
        uint8_t plain[TEXT_HEAD_SIZE + TEXT_SIZE_MAX];
        size_t text = size > 7 ? size - 7 : 0, prefix;
        const EngineChannel *channel;
        ByteWriter writer;
        AirPacket packet;

        if (e->cmd[1] != TEXT_PLAIN) {
                engine_error(e, ERR_UNSUPPORTED_CMD);
                return;
        }
        if (e->cmd[2] >= e->max_channels) {
                engine_error(e, ERR_NOT_FOUND);
                return;
        }

        channel = &e->channels[e->cmd[2]];
        writer_init(&writer, plain, sizeof(plain));
        writer_u32le(&writer, get_u32(e->cmd + 3));
        writer_u8(&writer, 0);
        writer_bytes(&writer, e->prefs.name, strlen(e->prefs.name));
        writer_bytes(&writer, ": ", 2);
        prefix = writer.size - TEXT_HEAD_SIZE;
        writer_bytes(&writer, e->cmd + 7, MIN(text, TEXT_SIZE_MAX - prefix));

        if (!engine_pool_has_room(e) ||
            air_make_group(&packet, PAYLOAD_GRP_TXT, channel->secret, (Slice){plain, writer.size}) < 0) {
                engine_error(e, ERR_NOT_FOUND);
                return;
        }

        engine_send_flood_scoped(e, &packet, 0);
        engine_ok(e);
}

static int send_group_data(Engine *e, const EngineChannel *channel, const uint8_t *path, uint8_t path_len,
                           uint16_t type, Slice data) {
        uint8_t plain[3 + GROUP_DATA_MAX];
        ByteWriter writer;
        AirPacket packet;
        int r;

        if (data.size > GROUP_DATA_MAX)
                return -EMSGSIZE;
        if (!engine_pool_has_room(e))
                return -ENOBUFS;

        writer_init(&writer, plain, sizeof(plain));
        writer_u16le(&writer, type);
        writer_u8(&writer, (uint8_t) data.size);
        writer_bytes(&writer, data.data, data.size);
        r = air_make_group(&packet, PAYLOAD_GRP_DATA, channel->secret, (Slice){plain, writer.size});
        if (r < 0)
                return r;

        if (path_len == PATH_LEN_NONE)
                engine_send_flood_scoped(e, &packet, 0);
        else
                engine_send_direct(e, &packet, path, path_len, 0);

        return 0;
}

void take_send_channel_data(Engine *e, size_t size) {
        uint8_t path_len = e->cmd[2];
        const uint8_t *path = e->cmd + 3;
        size_t offset = 3;
        uint16_t type;
        Slice data;

        if (size < 4 || (path_len != PATH_LEN_NONE && !air_path_is_valid(path_len))) {
                engine_error(e, ERR_ILLEGAL_ARG);
                return;
        }

        if (path_len != PATH_LEN_NONE)
                offset += air_path_bytes(path_len);
        type = get_u16(e->cmd + offset);
        offset += 2;
        data = (Slice){e->cmd + offset, size > offset ? size - offset : 0};

        if (e->cmd[1] >= e->max_channels)
                engine_error(e, ERR_NOT_FOUND);
        else if (type == 0 || data.size > e->traits->frame_max - 9)
                engine_error(e, ERR_ILLEGAL_ARG);
        else if (send_group_data(e, &e->channels[e->cmd[1]], path, path_len, type, data) < 0)
                engine_error(e, ERR_TABLE_FULL);
        else
                engine_ok(e);
}

void take_send_advert(Engine *e, size_t size) {
        int32_t position[2] = {(int32_t) (e->prefs.lat * 1e6), (int32_t) (e->prefs.lon * 1e6)};
        AirPacket packet;

        if (!engine_pool_has_room(e)) {
                engine_error(e, ERR_TABLE_FULL);
                return;
        }

        air_make_advert(&packet, &e->identity, engine_clock(e), NODE_CHAT, e->prefs.name,
                        e->prefs.advert_loc_policy != 0 ? position : NULL);
        if (size >= 2 && e->cmd[1] == ADVERT_MODE_FLOOD)
                engine_send_flood(e, &packet, e->prefs.scope_key, 0);
        else
                engine_send_zero_hop(e, &packet, NULL);
        engine_ok(e);
}

void take_send_raw(Engine *e, size_t size) {
        int8_t path_len = (int8_t) e->cmd[1];
        AirPacket packet;
        size_t offset = 2;

        /* 3.1: flood is not supported, the payload has at least 4 bytes */
        if (path_len < 0 || offset + (size_t) path_len + 4 > size) {
                engine_error(e, ERR_UNSUPPORTED_CMD);
                return;
        }

        offset += (size_t) path_len;
        if (!engine_pool_has_room(e) ||
            air_make_plain(&packet, PAYLOAD_RAW_CUSTOM, (Slice){e->cmd + offset, size - offset}) < 0) {
                engine_error(e, ERR_TABLE_FULL);
                return;
        }

        engine_send_direct(e, &packet, e->cmd + 2, (uint8_t) path_len, 0);
        engine_ok(e);
}

void take_send_control(Engine *e, size_t size) {
        AirPacket packet;

        if (!(e->cmd[1] & 0x80)) {
                engine_error(e, ERR_UNSUPPORTED_CMD);
                return;
        }
        if (!engine_pool_has_room(e) ||
            air_make_plain(&packet, PAYLOAD_CONTROL, (Slice){e->cmd + 1, size - 1}) < 0) {
                engine_error(e, ERR_TABLE_FULL);
                return;
        }

        engine_send_zero_hop(e, &packet, NULL);
        engine_ok(e);
}

void take_send_packet(Engine *e, size_t size) {
        AirPacket packet;

        if (!engine_pool_has_room(e)) {
                engine_error(e, ERR_TABLE_FULL);
                return;
        }
        if (air_parse(e->cmd + 2, size - 2, &packet) < 0) {
                engine_error(e, ERR_ILLEGAL_ARG);
                return;
        }

        engine_send_packet(e, &packet, e->cmd[1], 0);
        engine_ok(e);
}

void take_send_trace(Engine *e, size_t size) {
        size_t path_len = size - 10, shift = 0, hops;
        uint8_t flags = e->cmd[9], payload[9];
        uint32_t tag = get_u32(e->cmd + 1), airtime;
        AirPacket packet;

        if (e->traits->has_trace_hashes) {
                shift = flags & 3;
                if (path_len >> shift > PATH_SIZE_MAX || path_len % ((size_t) 1 << shift) != 0) {
                        engine_error(e, ERR_ILLEGAL_ARG);
                        return;
                }
        } else if (path_len >= PATH_SIZE_MAX) {
                engine_error(e, ERR_UNSUPPORTED_CMD);
                return;
        }

        memcpy(payload, e->cmd + 1, sizeof(payload));
        if (!engine_pool_has_room(e) ||
            air_make_plain(&packet, PAYLOAD_TRACE, (Slice){payload, sizeof(payload)}) < 0) {
                engine_error(e, ERR_TABLE_FULL);
                return;
        }

        engine_send_direct(e, &packet, e->cmd + 10, (uint8_t) path_len, 0);
        airtime = engine_airtime(e, packet.payload_len + 2);
        hops = path_len >> shift;
        write_sent(e, false, tag, engine_direct_timeout(e, airtime, hops & 63));
}
