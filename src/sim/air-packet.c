/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <glib.h>
#include <string.h>

#include "air-packet.h"
#include "sha256.h"
#include "utf8.h"

#define ADVERT_HEAD_SIZE (PUBLIC_KEY_SIZE + 4 + SIGNATURE_SIZE)
#define ADVERT_POSITION  0x10
#define ADVERT_FEATURE_1 0x20
#define ADVERT_FEATURE_2 0x40
#define ADVERT_NAME      0x80

bool air_is_flood(const AirPacket *packet) {
        return air_route(packet) == ROUTE_FLOOD || air_route(packet) == ROUTE_TRANSPORT_FLOOD;
}

bool air_has_codes(const AirPacket *packet) {
        return air_route(packet) == ROUTE_TRANSPORT_FLOOD || air_route(packet) == ROUTE_TRANSPORT_DIRECT;
}

void air_set_route(AirPacket *packet, RouteType route) {
        packet->header = (uint8_t) ((packet->header & ~3) | route);
}

size_t air_path_hops(uint8_t path_len) {
        return path_len & 63;
}

size_t air_path_hash_size(uint8_t path_len) {
        return (size_t) (path_len >> 6) + 1;
}

size_t air_path_bytes(uint8_t path_len) {
        return air_path_hops(path_len) * air_path_hash_size(path_len);
}

bool air_path_is_valid(uint8_t path_len) {
        return air_path_hash_size(path_len) < 4 && air_path_bytes(path_len) <= PATH_SIZE_MAX;
}

uint8_t air_path_copy(uint8_t *ret, const uint8_t *path, uint8_t path_len) {
        size_t bytes = air_path_bytes(path_len);

        if (bytes > 0 && bytes <= PATH_SIZE_MAX)
                memcpy(ret, path, bytes);

        return path_len;
}

static int parse(const uint8_t *raw, size_t size, bool needs_payload, AirPacket *ret) {
        AirPacket packet = {};
        ByteReader reader;
        Slice payload;

        reader_init(&reader, raw, size);
        packet.header = reader_u8(&reader);
        if (air_has_codes(&packet)) {
                packet.codes[0] = reader_u16le(&reader);
                packet.codes[1] = reader_u16le(&reader);
        }

        packet.path_len = reader_u8(&reader);
        if (!air_path_is_valid(packet.path_len))
                return -EBADMSG;

        reader_copy(&reader, packet.path, air_path_bytes(packet.path_len));
        payload = reader_rest(&reader);
        if (reader.overrun || payload.size > PACKET_PAYLOAD_MAX || (needs_payload && payload.size == 0))
                return -EBADMSG;

        if (payload.size > 0)
                memcpy(packet.payload, payload.data, payload.size);
        packet.payload_len = payload.size;

        *ret = packet;
        return 0;
}

int air_parse(const uint8_t *raw, size_t size, AirPacket *ret) {
        if (size == 0 || raw[0] >> 6 != 0)
                return -EBADMSG;

        return parse(raw, size, false, ret);
}

int air_parse_card(const uint8_t *raw, size_t size, AirPacket *ret) {
        return parse(raw, size, true, ret);
}

size_t air_format(const AirPacket *packet, uint8_t ret[PACKET_SIZE_MAX]) {
        ByteWriter writer;

        writer_init(&writer, ret, PACKET_SIZE_MAX);
        writer_u8(&writer, packet->header);
        if (air_has_codes(packet)) {
                writer_u16le(&writer, packet->codes[0]);
                writer_u16le(&writer, packet->codes[1]);
        }
        writer_u8(&writer, packet->path_len);
        writer_bytes(&writer, packet->path, MIN(air_path_bytes(packet->path_len), (size_t) PATH_SIZE_MAX));
        writer_bytes(&writer, packet->payload, packet->payload_len);
        return writer.size;
}

size_t air_raw_length(const AirPacket *packet) {
        return 2 + air_path_bytes(packet->path_len) + packet->payload_len + (air_has_codes(packet) ? 4 : 0);
}

void air_hash(const AirPacket *packet, uint8_t ret[AIR_HASH_SIZE]) {
        uint8_t type = (uint8_t) air_type(packet), digest[SHA256_SIZE];
        Slice parts[3] = {{&type, 1}};
        size_t n = 1;

        /* A trace may pass the same node on its way back. */
        if (air_type(packet) == PAYLOAD_TRACE)
                parts[n++] = (Slice){&packet->path_len, 1};
        parts[n++] = (Slice){packet->payload, packet->payload_len};

        sha256(parts, n, digest);
        memcpy(ret, digest, AIR_HASH_SIZE);
}

static void begin(AirPacket *packet, PayloadType type) {
        *packet = (AirPacket){.header = (uint8_t) (type << 2)};
}

int air_make_datagram(AirPacket *ret, PayloadType type, uint8_t dest_hash, uint8_t src_hash,
                      const uint8_t *secret, Slice plain) {
        if (plain.size + SIM_MAC_SIZE + SIM_BLOCK_SIZE - 1 > PACKET_PAYLOAD_MAX)
                return -EMSGSIZE;

        begin(ret, type);
        ret->payload[0] = dest_hash;
        ret->payload[1] = src_hash;
        ret->payload_len = 2 + sim_encrypt(secret, plain, ret->payload + 2);
        return 0;
}

int air_make_anon(AirPacket *ret, uint8_t dest_hash, const PublicKey *sender, const uint8_t *secret,
                  Slice plain) {
        if (plain.size + 1 + PUBLIC_KEY_SIZE + SIM_BLOCK_SIZE - 1 > PACKET_PAYLOAD_MAX)
                return -EMSGSIZE;

        begin(ret, PAYLOAD_ANON_REQ);
        ret->payload[0] = dest_hash;
        memcpy(ret->payload + 1, sender->bytes, PUBLIC_KEY_SIZE);
        ret->payload_len =
                        1 + PUBLIC_KEY_SIZE + sim_encrypt(secret, plain, ret->payload + 1 + PUBLIC_KEY_SIZE);
        return 0;
}

int air_make_group(AirPacket *ret, PayloadType type, const uint8_t secret[SIM_SECRET_SIZE], Slice plain) {
        if (plain.size + 1 + SIM_BLOCK_SIZE - 1 > PACKET_PAYLOAD_MAX)
                return -EMSGSIZE;

        begin(ret, type);
        ret->payload[0] = sim_channel_hash(secret);
        ret->payload_len = 1 + sim_encrypt(secret, plain, ret->payload + 1);
        return 0;
}

int air_make_path(AirPacket *ret, uint8_t dest_hash, uint8_t src_hash, const uint8_t *secret,
                  const uint8_t *path, uint8_t path_len, uint8_t extra_type, Slice extra, SimRandom *random) {
        uint8_t plain[PACKET_PAYLOAD_MAX], noise[4];
        ByteWriter writer;

        if (air_path_bytes(path_len) + extra.size + 5 > PACKET_PAYLOAD_MAX - 2 - SIM_BLOCK_SIZE)
                return -EMSGSIZE;

        writer_init(&writer, plain, sizeof(plain));
        writer_u8(&writer, path_len);
        writer_bytes(&writer, path, air_path_bytes(path_len));
        if (extra.size > 0) {
                writer_u8(&writer, extra_type);
                writer_bytes(&writer, extra.data, extra.size);
        } else {
                sim_random_bytes(random, noise, sizeof(noise));
                writer_u8(&writer, 0xFF);
                writer_bytes(&writer, noise, sizeof(noise));
        }

        begin(ret, PAYLOAD_PATH);
        ret->payload[0] = dest_hash;
        ret->payload[1] = src_hash;
        ret->payload_len = 2 + sim_encrypt(secret, (Slice){plain, writer.size}, ret->payload + 2);
        return 0;
}

int air_make_plain(AirPacket *ret, PayloadType type, Slice payload) {
        if (payload.size > PACKET_PAYLOAD_MAX)
                return -EMSGSIZE;

        begin(ret, type);
        if (payload.size > 0)
                memcpy(ret->payload, payload.data, payload.size);
        ret->payload_len = payload.size;
        return 0;
}

static size_t make_app_data(uint8_t ret[AIR_APP_DATA_MAX], uint8_t type, const char *name,
                            const int32_t *position) {
        ByteWriter writer;
        size_t room, size;

        writer_init(&writer, ret, AIR_APP_DATA_MAX);
        writer_u8(&writer, type);
        if (position) {
                ret[0] |= ADVERT_POSITION;
                writer_u32le(&writer, (uint32_t) position[0]);
                writer_u32le(&writer, (uint32_t) position[1]);
        }

        room = AIR_APP_DATA_MAX - writer.size;
        size = strlen(name);
        if (size > room) {
                /* cut between characters */
                size = room;
                while (size > 0 && ((uint8_t) name[size] & 0xC0) == 0x80)
                        size--;
        }
        if (size > 0) {
                ret[0] |= ADVERT_NAME;
                writer_bytes(&writer, name, size);
        }

        return writer.size;
}

/* The bytes that the signature covers. */
static size_t signed_part(const AirPacket *packet, uint8_t ret[PUBLIC_KEY_SIZE + 4 + AIR_APP_DATA_MAX]) {
        size_t app = MIN(packet->payload_len - ADVERT_HEAD_SIZE, (size_t) AIR_APP_DATA_MAX);

        memcpy(ret, packet->payload, PUBLIC_KEY_SIZE + 4);
        memcpy(ret + PUBLIC_KEY_SIZE + 4, packet->payload + ADVERT_HEAD_SIZE, app);
        return PUBLIC_KEY_SIZE + 4 + app;
}

void air_make_advert(AirPacket *ret, const SimIdentity *identity, uint32_t timestamp, uint8_t type,
                     const char *name, const int32_t *position) {
        uint8_t app_data[AIR_APP_DATA_MAX], message[PUBLIC_KEY_SIZE + 4 + AIR_APP_DATA_MAX];
        size_t app_size = make_app_data(app_data, type, name, position), size;
        ByteWriter writer;

        begin(ret, PAYLOAD_ADVERT);
        writer_init(&writer, ret->payload, sizeof(ret->payload));
        writer_bytes(&writer, identity->key.bytes, PUBLIC_KEY_SIZE);
        writer_u32le(&writer, timestamp);
        writer_zeroes(&writer, SIGNATURE_SIZE);
        writer_bytes(&writer, app_data, app_size);
        ret->payload_len = writer.size;

        size = signed_part(ret, message);
        sim_sign(identity, (Slice){message, size}, ret->payload + PUBLIC_KEY_SIZE + 4);
}

int air_read_advert(const AirPacket *packet, AirAdvert *ret) {
        AirAdvert advert = {};
        ByteReader reader;
        uint8_t flags;
        Slice name;

        if (air_type(packet) != PAYLOAD_ADVERT || packet->payload_len < ADVERT_HEAD_SIZE)
                return -EBADMSG;

        reader_init(&reader, packet->payload,
                    MIN(packet->payload_len, (size_t) ADVERT_HEAD_SIZE + AIR_APP_DATA_MAX));
        reader_copy(&reader, advert.key.bytes, PUBLIC_KEY_SIZE);
        advert.timestamp = reader_u32le(&reader);
        reader_skip(&reader, SIGNATURE_SIZE);

        flags = reader_u8(&reader);
        advert.type = flags & 0x0F;
        if (flags & ADVERT_POSITION) {
                advert.has_position = true;
                advert.lat = reader_i32le(&reader);
                advert.lon = reader_i32le(&reader);
        }
        if (flags & ADVERT_FEATURE_1)
                reader_skip(&reader, 2);
        if (flags & ADVERT_FEATURE_2)
                reader_skip(&reader, 2);
        if (reader.overrun)
                return -EBADMSG;

        if (flags & ADVERT_NAME) {
                name = reader_rest(&reader);
                memcpy(advert.name, name.data, name.size);
        }

        *ret = advert;
        return 0;
}

bool air_verify_advert(const AirPacket *packet) {
        uint8_t message[PUBLIC_KEY_SIZE + 4 + AIR_APP_DATA_MAX];
        PublicKey key;
        size_t size;

        if (packet->payload_len < ADVERT_HEAD_SIZE)
                return false;

        memcpy(key.bytes, packet->payload, PUBLIC_KEY_SIZE);
        size = signed_part(packet, message);
        return sim_verify(&key, (Slice){message, size}, packet->payload + PUBLIC_KEY_SIZE + 4);
}
