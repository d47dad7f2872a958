/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine-internal.h"

#define NOISE_FLOOR (-117)

static size_t put_core(const Engine *e, uint8_t *p) {
        const uint8_t *start = p;

        p += put_u16(p, e->battery);
        p += put_u32(p, (uint32_t) ((e->now - e->boot_time) / 1000));
        p += put_u16(p, e->error_flags);
        *p++ = (uint8_t) e->outgoing->len;
        return (size_t) (p - start);
}

static size_t put_radio(const Engine *e, uint8_t *p) {
        const uint8_t *start = p;

        p += put_u16(p, (uint16_t) (int16_t) NOISE_FLOOR);
        *p++ = (uint8_t) (int8_t) e->last_rssi;
        *p++ = (uint8_t) (int8_t) e->last_snr4;
        p += put_u32(p, (uint32_t) (e->tx_air / 1000));
        p += put_u32(p, (uint32_t) (e->rx_air / 1000));
        return (size_t) (p - start);
}

static size_t put_packets(const Engine *e, uint8_t *p) {
        const uint8_t *start = p;

        p += put_u32(p, e->n_received);
        p += put_u32(p, e->n_sent);
        p += put_u32(p, e->n_sent_flood);
        p += put_u32(p, e->n_sent_direct);
        p += put_u32(p, e->n_received_flood);
        p += put_u32(p, e->n_received_direct);
        if (e->traits->has_receive_errors)
                p += put_u32(p, 0);
        return (size_t) (p - start);
}

void take_get_stats(Engine *e, size_t size) {
        size_t length;

        switch (e->cmd[1]) {
        case STATS_CORE:
                length = put_core(e, e->out + 2);
                break;
        case STATS_RADIO:
                length = put_radio(e, e->out + 2);
                break;
        case STATS_PACKETS:
                length = put_packets(e, e->out + 2);
                break;
        default:
                engine_error(e, ERR_ILLEGAL_ARG);
                return;
        }

        e->out[0] = RESP_STATS;
        e->out[1] = e->cmd[1];
        engine_write_out(e, 2 + length);
}
