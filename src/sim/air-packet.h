/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Packets as they are on the air, wire reference 6.4 and 6.11. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim-crypto.h"

#define AIR_HASH_SIZE    8
#define AIR_APP_DATA_MAX 32

typedef struct AirPacket {
        uint8_t header;
        uint16_t codes[2];
        uint8_t path_len; /* encoded, 6.4; a plain count for TRACE */
        uint8_t path[PATH_SIZE_MAX];
        uint8_t payload[PACKET_PAYLOAD_MAX];
        size_t payload_len;
        int8_t snr4; /* how it was heard; not on the air */
} AirPacket;

/* What an advert says. The name is empty when it has none. */
typedef struct AirAdvert {
        PublicKey key;
        uint32_t timestamp;
        uint8_t type;
        char name[AIR_APP_DATA_MAX + 1];
        bool has_position;
        int32_t lat, lon; /* degrees × 1e6 */
} AirAdvert;

static inline RouteType air_route(const AirPacket *packet) {
        return packet->header & 3;
}

static inline PayloadType air_type(const AirPacket *packet) {
        return (packet->header >> 2) & 15;
}

bool air_is_flood(const AirPacket *packet);
bool air_has_codes(const AirPacket *packet);
void air_set_route(AirPacket *packet, RouteType route);

bool air_path_is_valid(uint8_t path_len);
/* Bytes, hops and bytes per hop of an encoded path length. */
size_t air_path_bytes(uint8_t path_len);
size_t air_path_hops(uint8_t path_len);
size_t air_path_hash_size(uint8_t path_len);
/* Copies the path and returns path_len. */
uint8_t air_path_copy(uint8_t *ret, const uint8_t *path, uint8_t path_len);

/* As the dispatcher of the firmware reads what the radio chip hands over, and
 * as it reads a card (6.12), which may not end after its path. 0 or -EBADMSG. */
int air_parse(const uint8_t *raw, size_t size, AirPacket *ret);
int air_parse_card(const uint8_t *raw, size_t size, AirPacket *ret);
/* Returns the length. */
size_t air_format(const AirPacket *packet, uint8_t ret[PACKET_SIZE_MAX]);
size_t air_raw_length(const AirPacket *packet);

/* What the mesh takes for the identity of a packet. */
void air_hash(const AirPacket *packet, uint8_t ret[AIR_HASH_SIZE]);

/* Builders; route and path are set when it is sent. Return 0, or -EMSGSIZE. */
int air_make_datagram(AirPacket *ret, PayloadType type, uint8_t dest_hash, uint8_t src_hash,
                      const uint8_t *secret, Slice plain);
int air_make_anon(AirPacket *ret, uint8_t dest_hash, const PublicKey *sender, const uint8_t *secret,
                  Slice plain);
int air_make_group(AirPacket *ret, PayloadType type, const uint8_t secret[SIM_SECRET_SIZE], Slice plain);
/* extra may be empty; then random bytes take its place. */
int air_make_path(AirPacket *ret, uint8_t dest_hash, uint8_t src_hash, const uint8_t *secret,
                  const uint8_t *path, uint8_t path_len, uint8_t extra_type, Slice extra, SimRandom *random);
int air_make_plain(AirPacket *ret, PayloadType type, Slice payload);
void air_make_advert(AirPacket *ret, const SimIdentity *identity, uint32_t timestamp, uint8_t type,
                     const char *name, const int32_t *position);

/* Reads the payload of an advert without looking at the signature. */
int air_read_advert(const AirPacket *packet, AirAdvert *ret);
bool air_verify_advert(const AirPacket *packet);
