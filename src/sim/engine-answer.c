/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine-internal.h"

/* Answers of other nodes become pushes; requests of other nodes get answers. */

#define LOGIN_OK               0
#define PERMISSION_BASE        0x01
#define PERMISSION_LOCATION    0x02
#define PERMISSION_ENVIRONMENT 0x04
#define MODE_FLAGS             1
#define MODE_ALL               2
#define LPP_SELF               1
#define LPP_SENSOR             2
#define LPP_TEMPERATURE        103
#define LPP_HUMIDITY           104
#define LPP_BAROMETER          115
#define LPP_VOLTAGE            116
#define LPP_GPS                136

static size_t put_prefix(uint8_t *p, const PublicKey *key) {
        memcpy(p, key->bytes, KEY_PREFIX_SIZE);
        return KEY_PREFIX_SIZE;
}

static void push_login(Engine *e, const EngineContact *from, const uint8_t *data) {
        uint8_t *p = e->out;

        if (memcmp(data + 4, "OK", 2) == 0) {
                *p++ = PUSH_LOGIN_SUCCESS;
                *p++ = 0;
                p += put_prefix(p, &from->key);
        } else if (data[4] == LOGIN_OK) {
                *p++ = PUSH_LOGIN_SUCCESS;
                *p++ = data[6];
                p += put_prefix(p, &from->key);
                memcpy(p, data, 4);
                p += 4;
                *p++ = data[7];
                *p++ = data[12];
                engine_write_out(e, MIN((size_t) (p - e->out), e->traits->login_size));
                return;
        } else {
                *p++ = PUSH_LOGIN_FAIL;
                *p++ = 0;
                p += put_prefix(p, &from->key);
        }

        engine_write_out(e, (size_t) (p - e->out));
}

static void push_answer(Engine *e, uint8_t code, const uint8_t *id, size_t id_size, const uint8_t *data,
                        size_t size) {
        uint8_t frame[2 + KEY_PREFIX_SIZE + PACKET_PAYLOAD_MAX];

        frame[0] = code;
        frame[1] = 0;
        memcpy(frame + 2, id, id_size);
        memcpy(frame + 2 + id_size, data, size);
        memcpy(e->out, frame, MIN(2 + id_size + size, sizeof(e->out)));
        engine_write(e, frame, 2 + id_size + size);
}

/* Zero bytes follow data. */
void engine_on_response(Engine *e, EngineContact *from, const uint8_t *data, size_t size) {
        uint32_t tag = get_u32(data), prefix = get_u32(from->key.bytes);

        if (size <= 4)
                return;

        if (e->pending.login != 0 && e->pending.login == prefix) {
                e->pending.login = 0;
                push_login(e, from, data);
        } else if (e->pending.status != 0 && e->pending.status == prefix) {
                e->pending.status = 0;
                push_answer(e, PUSH_STATUS_RESPONSE, from->key.bytes, KEY_PREFIX_SIZE, data + 4, size - 4);
        } else if (tag == e->pending.telemetry) {
                e->pending.telemetry = 0;
                push_answer(e, PUSH_TELEMETRY_RESPONSE, from->key.bytes, KEY_PREFIX_SIZE, data + 4, size - 4);
        } else if (tag == e->pending.request) {
                e->pending.request = 0;
                push_answer(e, PUSH_BINARY_RESPONSE, data, 4, data + 4, size - 4);
        }
}

static bool push_discovery(Engine *e, const EngineContact *from, const AirPacket *packet,
                           const uint8_t *data) {
        size_t out_bytes = air_path_bytes(data[0]), in_bytes = air_path_bytes(packet->path_len);
        uint8_t *p = e->out;

        *p++ = PUSH_PATH_DISCOVERY_RESPONSE;
        *p++ = 0;
        p += put_prefix(p, &from->key);
        *p++ = data[0];
        memcpy(p, data + 1, out_bytes);
        p += out_bytes;
        *p++ = packet->path_len;
        memcpy(p, packet->path, in_bytes);
        p += in_bytes;
        engine_write_out(e, (size_t) (p - e->out));
        return false;
}

/* data: path length, path, type and extra. Returns whether the other side is
 * to be told the way back. */
bool engine_on_path(Engine *e, EngineContact *from, const AirPacket *packet, const uint8_t *data,
                    size_t size) {
        size_t head = 1 + air_path_bytes(data[0]), extra_size = size - head - 1;
        uint8_t extra_type = data[head] & 0x0F;
        const uint8_t *extra = data + head + 1;
        uint8_t answer[PACKET_PAYLOAD_MAX + 2] = {};

        if (extra_type == PAYLOAD_RESPONSE && extra_size > 4 && e->pending.discovery != 0 &&
            get_u32(extra) == e->pending.discovery) {
                e->pending.discovery = 0;
                return push_discovery(e, from, packet, data);
        }

        from->out_path_len = air_path_copy(from->out_path, data + 1, data[0]);
        from->lastmod = engine_clock(e);
        e->out[0] = PUSH_PATH_UPDATED;
        memcpy(e->out + 1, from->key.bytes, PUBLIC_KEY_SIZE);
        engine_write_out(e, 1 + PUBLIC_KEY_SIZE);
        contacts_changed(e);

        if (extra_type == PAYLOAD_ACK && extra_size >= 4) {
                (void) engine_on_ack(e, get_u32(extra), NULL);
        } else if (extra_type == PAYLOAD_RESPONSE && extra_size > 0) {
                memcpy(answer, extra, extra_size);
                engine_on_response(e, from, answer, extra_size);
        }

        return true;
}

bool engine_on_ack(Engine *e, uint32_t ack, PublicKey *ret_contact) {
        for (size_t i = 0; i < ACK_SLOTS; i++) {
                ExpectedAck *slot = &e->acks[i];

                if (slot->ack != ack)
                        continue;

                e->out[0] = PUSH_SEND_CONFIRMED;
                put_u32(e->out + 1, ack);
                put_u32(e->out + 5, (uint32_t) (e->now - slot->sent));
                engine_write_out(e, 9);
                slot->ack = 0;
                if (ret_contact)
                        *ret_contact = slot->contact;
                return true;
        }

        return false;
}

void engine_on_trace(Engine *e, const AirPacket *packet) {
        uint8_t flags, *p = e->out;
        size_t shift, path_len;

        if (packet->payload_len < 9 || packet->path_len >= PATH_SIZE_MAX)
                return;

        flags = packet->payload[8];
        shift = e->traits->has_trace_hashes ? flags & 3 : 0;
        path_len = packet->payload_len - 9;
        /* Not yet through; repeating it is the work of repeaters. */
        if ((size_t) packet->path_len << shift < path_len)
                return;
        if (12 + path_len + (path_len >> shift) + 1 > sizeof(e->out) || !engine_app_listens(e))
                return;

        *p++ = PUSH_TRACE_DATA;
        *p++ = 0;
        *p++ = (uint8_t) path_len;
        *p++ = flags;
        memcpy(p, packet->payload, 8);
        p += 8;
        memcpy(p, packet->payload + 9, path_len);
        p += path_len;
        memcpy(p, packet->path, path_len >> shift);
        p += path_len >> shift;
        *p++ = (uint8_t) packet->snr4;
        engine_write_out(e, (size_t) (p - e->out));
}

static void lpp_position(ByteWriter *w, double lat, double lon) {
        writer_u8(w, LPP_SELF);
        writer_u8(w, LPP_GPS);
        writer_ube(w, (uint32_t) (int32_t) (lat * 10000), 3);
        writer_ube(w, (uint32_t) (int32_t) (lon * 10000), 3);
        writer_ube(w, 0, 3);
}

static void lpp_value(ByteWriter *w, uint8_t channel, uint8_t type, uint32_t value, size_t size) {
        writer_u8(w, channel);
        writer_u8(w, type);
        writer_ube(w, value, size);
}

size_t engine_telemetry(const Engine *e, bool own, uint8_t permissions, uint8_t *ret, size_t capacity) {
        ByteWriter w;

        writer_init(&w, ret, capacity);
        lpp_value(&w, LPP_SELF, LPP_VOLTAGE, e->battery / 10U, 2);
        if (own && e->traits->has_temperature)
                lpp_value(&w, LPP_SELF, LPP_TEMPERATURE, 310, 2);
        if (permissions & PERMISSION_LOCATION && e->prefs.gps)
                lpp_position(&w, e->prefs.lat, e->prefs.lon);
        if (permissions & PERMISSION_ENVIRONMENT && e->has_sensors) {
                lpp_value(&w, LPP_SENSOR, LPP_TEMPERATURE, 214, 2);
                lpp_value(&w, LPP_SENSOR, LPP_HUMIDITY, 97, 1);
                lpp_value(&w, LPP_SENSOR, LPP_BAROMETER, 10132, 2);
        }
        /* Others get it behind the sensors. */
        if (!own && e->traits->has_temperature)
                lpp_value(&w, LPP_SELF, LPP_TEMPERATURE, 310, 2);

        return w.size;
}

static uint8_t permission(uint8_t mode, uint8_t flags, uint8_t bit) {
        if (mode == MODE_ALL)
                return bit;

        return mode == MODE_FLAGS ? (flags >> 1) & bit : 0;
}

size_t engine_answer_request(Engine *e, const EngineContact *from, uint32_t tag, Slice request,
                             uint8_t ret[PACKET_PAYLOAD_MAX]) {
        uint8_t permissions;

        if (request.size < 2 || request.data[0] != BINARY_TELEMETRY)
                return 0;

        permissions = permission(e->prefs.telemetry_base, from->flags, PERMISSION_BASE) |
                      permission(e->prefs.telemetry_loc, from->flags, PERMISSION_LOCATION) |
                      permission(e->prefs.telemetry_env, from->flags, PERMISSION_ENVIRONMENT);
        permissions &= (uint8_t) ~request.data[1];
        if (!(permissions & PERMISSION_BASE))
                return 0;

        put_u32(ret, tag);
        return 4 + engine_telemetry(e, false, permissions, ret + 4, PACKET_PAYLOAD_MAX - 4);
}
