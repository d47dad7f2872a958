/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>

#include "macros.h"
#include "packet.h"

enum {
        ADVERT_TYPE_MASK = 0x0F,
        ADVERT_HAS_LOCATION = 0x10,
        ADVERT_HAS_FEATURE1 = 0x20,
        ADVERT_HAS_FEATURE2 = 0x40,
        ADVERT_HAS_NAME = 0x80,
};

int packet_decode(Slice data, Packet *ret) {
        Packet packet = {};
        ByteReader r;
        uint8_t header;

        reader_init(&r, data.data, data.size);
        header = reader_u8(&r);
        if (header >> 6 != 0)
                return -EBADMSG;

        packet.route = (RouteType) (header & 3);
        packet.payload_type = header >> 2 & 15;
        packet.has_transport_codes =
                        packet.route == ROUTE_TRANSPORT_FLOOD || packet.route == ROUTE_TRANSPORT_DIRECT;
        if (packet.has_transport_codes) {
                ByteReader codes;

                packet.transport_bytes = reader_slice(&r, 4);
                reader_init(&codes, packet.transport_bytes.data, packet.transport_bytes.size);
                packet.transport_codes[0] = reader_u16le(&codes);
                packet.transport_codes[1] = reader_u16le(&codes);
        }
        if (path_read(&r, 0, &packet.path) < 0 || !packet.path.known)
                return -EBADMSG;

        packet.payload = reader_rest(&r);
        if (packet.payload.size == 0 || packet.payload.size > PACKET_PAYLOAD_MAX)
                return -EBADMSG;

        *ret = packet;
        return 0;
}

int packet_address(const Packet *packet, PacketAddress *ret) {
        PacketAddress address = {};
        ByteReader r;

        reader_init(&r, packet->payload.data, packet->payload.size);

        switch (packet->payload_type) {
        case PAYLOAD_REQ:
        case PAYLOAD_RESPONSE:
        case PAYLOAD_TXT_MSG:
        case PAYLOAD_PATH:
                address.has_dest = address.has_src = address.has_mac = true;
                address.dest_hash = reader_u8(&r);
                address.src_hash = reader_u8(&r);
                break;
        case PAYLOAD_ANON_REQ:
                address.has_dest = address.has_sender_key = address.has_mac = true;
                address.dest_hash = reader_u8(&r);
                reader_copy(&r, address.sender_key.bytes, sizeof(address.sender_key.bytes));
                break;
        case PAYLOAD_GRP_TXT:
        case PAYLOAD_GRP_DATA:
                address.has_channel = address.has_mac = true;
                address.channel_hash = reader_u8(&r);
                break;
        case PAYLOAD_ACK:
                address.has_ack = true;
                reader_copy(&r, address.ack, sizeof(address.ack));
                break;
        default:
                return -EOPNOTSUPP;
        }

        if (address.has_mac) {
                reader_copy(&r, address.mac, sizeof(address.mac));
                address.cipher = reader_rest(&r);
        }
        if (r.overrun)
                return -EBADMSG;

        *ret = address;
        return 0;
}

int advert_decode(const Packet *packet, Advert *ret) {
        Advert advert = {};
        ByteReader r;
        uint8_t flags;

        if (packet->payload_type != PAYLOAD_ADVERT)
                return -EINVAL;

        reader_init(&r, packet->payload.data, packet->payload.size);
        reader_copy(&r, advert.key.bytes, sizeof(advert.key.bytes));
        advert.timestamp = reader_u32le(&r);
        reader_copy(&r, advert.signature, sizeof(advert.signature));
        if (r.overrun || reader_left(&r) > ADVERT_APP_DATA_MAX)
                return -EBADMSG;

        advert.app_data = (Slice){r.data + r.offset, reader_left(&r)};
        flags = reader_u8(&r);
        advert.type = flags & ADVERT_TYPE_MASK;
        advert.has_location = flags & ADVERT_HAS_LOCATION;
        advert.has_feature1 = flags & ADVERT_HAS_FEATURE1;
        advert.has_feature2 = flags & ADVERT_HAS_FEATURE2;
        advert.has_name = flags & ADVERT_HAS_NAME;
        if (advert.has_location) {
                advert.lat_e6 = reader_i32le(&r);
                advert.lon_e6 = reader_i32le(&r);
        }
        if (advert.has_feature1)
                advert.feature1 = reader_u16le(&r);
        if (advert.has_feature2)
                advert.feature2 = reader_u16le(&r);
        if (advert.has_name)
                advert.name = reader_rest(&r);
        if (r.overrun)
                return -EBADMSG;

        *ret = advert;
        return 0;
}
