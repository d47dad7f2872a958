/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>

#include "macros.h"
#include "status.h"

/* The slowest setting in use needs less for its longest packet. */
#define AIRTIME_PER_PACKET_MAX_S 30

const char *status_layout_to_string(StatusLayout layout) {
        static const char *const table[_STATUS_LAYOUT_MAX] = {
                        [STATUS_REPEATER] = "repeater",
                        [STATUS_REPEATER_OLD] = "repeater_old",
                        [STATUS_ROOM] = "room",
                        [STATUS_BASIC] = "basic",
        };

        if (layout < 0 || layout >= _STATUS_LAYOUT_MAX)
                return NULL;
        return table[layout];
}

/* Two post counters, read as one number of seconds, are soon more than can
 * have been spent on receiving. */
static bool can_be_rx_airtime(const Status *status, uint32_t seconds) {
        return seconds <= status->uptime_s &&
               seconds <= (uint64_t) AIRTIME_PER_PACKET_MAX_S * ((uint64_t) status->packets_recv + 1);
}

static void decode_tail(ByteReader *r, NodeType node_type, Status *status) {
        uint32_t word, recv_errors;

        status->layout = STATUS_BASIC;
        if (reader_left(r) < 4)
                return;

        word = reader_u32le(r);
        recv_errors = reader_left(r) >= 4 ? reader_u32le(r) : 0;

        if (node_type == NODE_ROOM ||
            (node_type != NODE_REPEATER && recv_errors == 0 && !can_be_rx_airtime(status, word))) {
                status->layout = STATUS_ROOM;
                status->posts_stored = (uint16_t) word;
                status->posts_pushed = (uint16_t) (word >> 16);
                return;
        }

        status->layout = recv_errors > 0 ? STATUS_REPEATER : STATUS_REPEATER_OLD;
        status->rx_airtime_s = word;
        status->recv_errors = recv_errors;
}

int status_decode(Slice data, NodeType node_type, Status *ret) {
        Status status = {};
        ByteReader r;

        if (data.size < STATUS_SIZE_MIN)
                return -EBADMSG;

        reader_init(&r, data.data, data.size);
        status.battery_mv = reader_u16le(&r);
        status.tx_queue_len = reader_u16le(&r);
        status.noise_floor = reader_i16le(&r);
        status.last_rssi = reader_i16le(&r);
        status.packets_recv = reader_u32le(&r);
        status.packets_sent = reader_u32le(&r);
        status.tx_airtime_s = reader_u32le(&r);
        status.uptime_s = reader_u32le(&r);
        status.sent_flood = reader_u32le(&r);
        status.sent_direct = reader_u32le(&r);
        status.recv_flood = reader_u32le(&r);
        status.recv_direct = reader_u32le(&r);
        status.err_flags = reader_u16le(&r);
        status.last_snr_x4 = reader_i16le(&r);
        status.direct_dups = reader_u16le(&r);
        status.flood_dups = reader_u16le(&r);
        decode_tail(&r, node_type, &status);

        *ret = status;
        return 0;
}
