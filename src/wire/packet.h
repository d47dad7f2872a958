/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* A packet as it is on air, wire reference 6.11: in LOG_RX_DATA, in cards, in
 * SEND_RAW_PACKET. */

#include <stdbool.h>
#include <stdint.h>

#include "bytes.h"
#include "key.h"
#include "path.h"
#include "protocol.h"

#define PACKET_HASH_SIZE    8
#define ADVERT_APP_DATA_MAX 32

typedef struct Packet {
        RouteType route;
        uint8_t payload_type; /* PayloadType, or a free number up to 15 */
        bool has_transport_codes;
        uint16_t transport_codes[2];
        Slice transport_bytes; /* the same, as on air */
        Path path;             /* of a PAYLOAD_TRACE: hashes are SNR values x 4 */
        Slice payload;         /* borrowed, at most PACKET_PAYLOAD_MAX */
} Packet;

/* Returns 0, or -EBADMSG for another version, a bad or cut path, no payload
 * at all, or one above the limit: what a radio would refuse. */
int packet_decode(Slice data, Packet *ret);

/* The fixed parts of a payload, where the type has them. */
typedef struct PacketAddress {
        bool has_dest, has_src, has_channel, has_sender_key, has_mac, has_ack;
        uint8_t dest_hash, src_hash, channel_hash;
        PublicKey sender_key; /* PAYLOAD_ANON_REQ */
        uint8_t mac[2];
        uint8_t ack[TAG_SIZE]; /* PAYLOAD_ACK */
        Slice cipher;
} PacketAddress;

/* Returns 0, -EBADMSG when the payload is shorter than its type needs,
 * -EOPNOTSUPP for a type without such parts. */
int packet_address(const Packet *packet, PacketAddress *ret);

typedef struct Advert {
        PublicKey key;
        uint32_t timestamp; /* the sender's clock, s */
        uint8_t signature[SIGNATURE_SIZE];
        Slice app_data; /* flags and all after: what is signed, with key and timestamp */
        uint8_t type;   /* NodeType, up to 15 */
        bool has_location, has_feature1, has_feature2, has_name;
        int32_t lat_e6, lon_e6;
        uint16_t feature1, feature2;
        Slice name; /* as sent: not checked, may be cut */
} Advert;

/* Of a packet of type PAYLOAD_ADVERT. The signature is not verified. Returns
 * 0, -EINVAL for another type, -EBADMSG when short or with app data above 32 bytes. */
int advert_decode(const Packet *packet, Advert *ret);

/* Whether the owner of the key has signed it. */
bool advert_verify(const Advert *advert);

/* The same for all copies of a packet, whichever way they came: radios tell duplicates by it. */
void packet_hash(const Packet *packet, uint8_t ret[PACKET_HASH_SIZE]);

/* What was said on a channel. text and data point into buffer. */
typedef struct ChannelContent {
        bool is_data;
        uint32_t timestamp; /* of a text: the sender's clock, s */
        uint8_t text_type;  /* TextType, or one of later firmware */
        uint8_t attempt;
        Slice text;         /* "name: text", as sent: not checked */
        uint16_t data_type; /* of data */
        Slice data;
        uint8_t buffer[PACKET_PAYLOAD_MAX];
} ChannelContent;

/* Of a packet of type PAYLOAD_GRP_TXT or PAYLOAD_GRP_DATA. Returns 0, -EKEYREJECTED when it is not of the
 * channel with this secret or was changed on its way (two bytes of an HMAC say so), -EBADMSG when it
 * makes no sense, -EINVAL for another type. Unless 0 is returned nothing in *ret is valid. */
int channel_open(const Packet *packet, const uint8_t secret[SECRET_SIZE], ChannelContent *ret);

typedef struct TracePacket {
        uint32_t tag, auth;
        uint8_t flags, hash_size; /* 1, 2, 4 or 8 */
        Slice hashes;             /* of those that it shall visit */
        Slice snrs;               /* x 4, at those that it has visited */
} TracePacket;

/* Of a packet of type PAYLOAD_TRACE. Returns 0, -EINVAL for another type, or -EBADMSG. */
int trace_packet_decode(const Packet *packet, TracePacket *ret);
