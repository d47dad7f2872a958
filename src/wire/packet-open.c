/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <string.h>

#include "cipher.h"
#include "derive.h"
#include "macros.h"
#include "packet.h"
#include "sha256.h"

void packet_hash(const Packet *packet, uint8_t ret[PACKET_HASH_SIZE]) {
        const uint8_t type = packet->payload_type;
        /* A trace may come by the same node twice and is another packet each time. */
        const uint8_t length[] = {packet->path.length, 0};
        const Slice parts[] = {
                        {&type, sizeof(type)},
                        {length, type == PAYLOAD_TRACE ? sizeof(length) : 0},
                        packet->payload,
        };
        uint8_t digest[SHA256_SIZE];

        sha256(parts, ELEMENTSOF(parts), digest);
        memcpy(ret, digest, PACKET_HASH_SIZE);
}

bool advert_verify(const Advert *advert) {
        uint8_t text[PUBLIC_KEY_SIZE + sizeof(uint32_t) + ADVERT_APP_DATA_MAX];
        ByteWriter w;

        writer_init(&w, text, sizeof(text));
        writer_bytes(&w, advert->key.bytes, PUBLIC_KEY_SIZE);
        writer_u32le(&w, advert->timestamp);
        writer_bytes(&w, advert->app_data.data, advert->app_data.size);
        return !w.overrun &&
               cipher_ed25519_verify(advert->key.bytes, (Slice){text, w.size}, advert->signature);
}

/* Returns the bytes that the MAC vouches for, still padded, or none. */
static Slice unseal(const PacketAddress *address, const uint8_t secret[SECRET_SIZE], uint8_t *buffer) {
        uint8_t mac[CIPHER_HMAC_SIZE];

        if (address->cipher.size == 0 || address->cipher.size % CIPHER_AES_BLOCK_SIZE != 0)
                return (Slice){};

        cipher_hmac((Slice){secret, SECRET_SIZE}, address->cipher, mac);
        if (memcmp(mac, address->mac, sizeof(address->mac)) != 0)
                return (Slice){};

        cipher_aes_decrypt(secret, address->cipher, buffer);
        return (Slice){buffer, address->cipher.size};
}

int channel_open(const Packet *packet, const uint8_t secret[SECRET_SIZE], ChannelContent *ret) {
        bool is_data = packet->payload_type == PAYLOAD_GRP_DATA;
        PacketAddress address;
        Slice plain;
        ByteReader r;
        int k;

        if (!is_data && packet->payload_type != PAYLOAD_GRP_TXT)
                return -EINVAL;
        k = packet_address(packet, &address);
        if (k < 0)
                return k;
        if (address.channel_hash != derive_channel_hash(secret))
                return -EKEYREJECTED;
        plain = unseal(&address, secret, ret->buffer);
        if (plain.size == 0)
                return -EKEYREJECTED;

        ret->is_data = is_data;
        reader_init(&r, plain.data, plain.size);
        if (is_data) {
                ret->data_type = reader_u16le(&r);
                ret->data = reader_slice(&r, reader_u8(&r));
        } else {
                uint8_t flags;

                ret->timestamp = reader_u32le(&r);
                flags = reader_u8(&r);
                ret->text_type = flags >> 2;
                ret->attempt = flags & 3;
                ret->text = reader_cstr(&r, reader_left(&r));
        }
        return r.overrun ? -EBADMSG : 0;
}

int trace_packet_decode(const Packet *packet, TracePacket *ret) {
        TracePacket trace = {};
        ByteReader r;

        if (packet->payload_type != PAYLOAD_TRACE)
                return -EINVAL;

        reader_init(&r, packet->payload.data, packet->payload.size);
        trace.tag = reader_u32le(&r);
        trace.auth = reader_u32le(&r);
        trace.flags = reader_u8(&r);
        trace.hash_size = (uint8_t) (1U << (trace.flags & 3));
        trace.hashes = reader_rest(&r);
        if (r.overrun || trace.hashes.size % trace.hash_size != 0)
                return -EBADMSG;

        trace.snrs = packet->path.hashes;
        *ret = trace;
        return 0;
}
