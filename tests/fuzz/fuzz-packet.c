/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Packets from the air and what is in them, adverts and the public channel among that; and what our own
 * commands make of them. */

#include "command.h"
#include "derive.h"
#include "fuzz.h"
#include "packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        uint8_t hash[PACKET_HASH_SIZE];
        Slice raw = {data, size};
        ChannelContent content;
        TracePacket trace;
        PacketAddress address;
        Command command;
        Packet packet;
        Advert advert;

        if (packet_decode(raw, &packet) < 0) {
                FUZZ_ASSERT(command_send_raw_packet(&command, 0, raw) < 0);
                FUZZ_ASSERT(command_import_contact(&command, raw) < 0);
                return 0;
        }

        FUZZ_ASSERT(packet.path.known && packet.path.hashes.size == path_size(&packet.path));
        FUZZ_ASSERT(packet.payload.size > 0 && packet.payload.size <= PACKET_PAYLOAD_MAX);
        fuzz_touch(packet.path.hashes.data, packet.path.hashes.size);
        fuzz_touch(packet.payload.data, packet.payload.size);
        if (packet_address(&packet, &address) == 0)
                fuzz_touch(address.cipher.data, address.cipher.size);
        if (advert_decode(&packet, &advert) == 0) {
                fuzz_touch(advert.app_data.data, advert.app_data.size);
                (void) advert_verify(&advert);
                fuzz_touch(advert.name.data, advert.name.size);
        }
        if (channel_open(&packet, public_channel_secret, &content) == 0) {
                fuzz_touch(content.text.data, content.is_data ? 0 : content.text.size);
                fuzz_touch(content.data.data, content.is_data ? content.data.size : 0);
        }
        if (trace_packet_decode(&packet, &trace) == 0) {
                fuzz_touch(trace.hashes.data, trace.hashes.size);
                fuzz_touch(trace.snrs.data, trace.snrs.size);
        }
        packet_hash(&packet, hash);
        if (command_send_raw_packet(&command, 0, raw) == 0)
                FUZZ_ASSERT(command.size == size + 2 && command.size <= FRAME_SIZE_MAX);
        return 0;
}
