/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Packets from the air and the adverts in them; and what our own commands make of
 * them. */

#include "command.h"
#include "fuzz.h"
#include "packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        Slice raw = {data, size};
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
                fuzz_touch(advert.name.data, advert.name.size);
        }
        if (command_send_raw_packet(&command, 0, raw) == 0)
                FUZZ_ASSERT(command.size == size + 2 && command.size <= FRAME_SIZE_MAX);
        return 0;
}
