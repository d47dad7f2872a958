/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "packet-record.h"
#include "json-text.h"
#include "macros.h"

/* -- contents --------------------------------------------------------------- */

static void add_address(GString *record, const Packet *packet) {
        PacketAddress address;

        if (packet_address(packet, &address) < 0)
                return;

        if (address.has_dest)
                json_text_hex(record, "Destination", (Slice){&address.dest_hash, 1});
        if (address.has_src)
                json_text_hex(record, "Source", (Slice){&address.src_hash, 1});
        if (address.has_sender_key)
                json_text_string(record, "SenderKey", key_to_text(&address.sender_key).text);
        if (address.has_channel)
                json_text_hex(record, "ChannelHash", (Slice){&address.channel_hash, 1});
        if (address.has_ack)
                json_text_hex(record, "Ack", (Slice){address.ack, sizeof(address.ack)});
}

static void add_advert(GString *record, const Packet *packet) {
        Advert advert;

        if (advert_decode(packet, &advert) < 0)
                return;

        json_text_open(record, "Advert", '{');
        json_text_string(record, "Key", key_to_text(&advert.key).text);
        json_text_bool(record, "Verified", advert_verify(&advert));
        json_text_string(record, "Type", node_type_to_string(advert.type));
        json_text_int(record, "TimestampUSec", (int64_t) (advert.timestamp * USEC_PER_SEC));
        if (advert.has_name)
                json_text_repaired(record, "Name", advert.name);
        if (advert.has_location) {
                json_text_open(record, "Location", '[');
                json_text_double(record, NULL, advert.lat_e6 / 1e6);
                json_text_double(record, NULL, advert.lon_e6 / 1e6);
                json_text_close(record, ']');
        }
        json_text_close(record, '}');
}

static void add_trace(GString *record, const Packet *packet) {
        TracePacket trace;

        if (trace_packet_decode(packet, &trace) < 0)
                return;

        json_text_open(record, "Trace", '{');
        json_text_int(record, "Tag", trace.tag);
        json_text_open(record, "Path", '[');
        for (size_t i = 0; i < trace.hashes.size; i += trace.hash_size)
                json_text_hex(record, NULL, (Slice){trace.hashes.data + i, trace.hash_size});
        json_text_close(record, ']');
        json_text_open(record, "Snrs", '[');
        for (size_t i = 0; i < trace.snrs.size; i++)
                json_text_double(record, NULL, (int8_t) trace.snrs.data[i] / 4.0);
        json_text_close(record, ']');
        json_text_close(record, '}');
}

Channel *packet_find_channel(Identity *identity, const Packet *packet, ChannelContent *ret) {
        for (unsigned slot = 0; identity && slot < IDENTITY_SLOTS_MAX; slot++) {
                Channel *channel = identity_get_slot(identity, slot);

                if (channel && channel_open(packet, channel->secret, ret) >= 0)
                        return channel;
        }
        return NULL;
}

static void add_channel(GString *record, Radio *radio, const Packet *packet) {
        ChannelContent content;
        Channel *channel;

        if (packet->payload_type != PAYLOAD_GRP_TXT && packet->payload_type != PAYLOAD_GRP_DATA)
                return;
        channel = packet_find_channel(radio->identity, packet, &content);
        if (!channel)
                return;

        json_text_open(record, "Channel", '{');
        json_text_int(record, "Slot", channel->slot);
        json_text_string(record, "Name", channel->name);
        if (content.is_data) {
                json_text_int(record, "DataType", content.data_type);
                json_text_hex(record, "Data", content.data);
        } else {
                Slice author, text;

                translate_split_channel_text(content.text, &author, &text);
                json_text_int(record, "TimestampUSec", (int64_t) (content.timestamp * USEC_PER_SEC));
                json_text_int(record, "TextType", content.text_type);
                json_text_repaired(record, "Author", author);
                json_text_repaired(record, "Text", text);
        }
        json_text_close(record, '}');
}

/* -- the packet --------------------------------------------------------------- */

static void add_path(GString *record, const Path *path) {
        json_text_open(record, "Path", '[');
        for (size_t i = 0; i < path->hops; i++)
                json_text_hex(record, NULL,
                              (Slice){path->hashes.data + i * path->hash_size, path->hash_size});
        json_text_close(record, ']');
}

static void add_packet(GString *record, Radio *radio, const Packet *packet) {
        uint8_t hash[PACKET_HASH_SIZE];

        packet_hash(packet, hash);
        json_text_string(record, "Route", route_type_to_string(packet->route));
        json_text_string(record, "Type", payload_type_to_string(packet->payload_type));
        json_text_hex(record, "Hash", (Slice){hash, sizeof(hash)});
        if (packet->has_transport_codes) {
                json_text_open(record, "TransportCodes", '[');
                json_text_int(record, NULL, packet->transport_codes[0]);
                json_text_int(record, NULL, packet->transport_codes[1]);
                json_text_close(record, ']');
        }
        if (packet->payload_type != PAYLOAD_TRACE)
                add_path(record, &packet->path);
        json_text_hex(record, "Payload", packet->payload);

        add_address(record, packet);
        add_advert(record, packet);
        add_trace(record, packet);
        add_channel(record, radio, packet);
}

void packet_record(GString *record, Radio *radio, const Frame *frame) {
        json_text_double(record, "Snr", frame->rx_log.snr_x4 / 4.0);
        json_text_int(record, "Rssi", frame->rx_log.rssi);
        json_text_hex(record, "Packet", frame->rx_log.data);
        if (frame->rx_log.has_packet)
                add_packet(record, radio, &frame->rx_log.packet);
}
