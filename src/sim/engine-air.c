/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine-internal.h"

/* Sending: a pool of 16 packets, priorities, air time, duty cycle. */

#define PREAMBLE_SYMBOLS       32
#define DUTY_WINDOW_MSEC       3600000.0
#define BUDGET_RESERVE_MSEC    100.0
#define LOW_RATE_SYMBOL_MSEC   16.0
#define TIMEOUT_BASE_MSEC      500
#define TIMEOUT_FLOOD_FACTOR   16.0F
#define TIMEOUT_DIRECT_FACTOR  6.0F
#define TIMEOUT_DIRECT_PER_HOP 250
#define ERROR_FLAG_POOL_FULL   0x01

uint32_t engine_airtime(const Engine *e, size_t size) {
        double symbol = (double) (1U << e->prefs.sf) / e->prefs.bw, symbols;
        int low_rate = symbol >= LOW_RATE_SYMBOL_MSEC, slow = e->prefs.sf >= 7;
        int bits = 8 * (int) size + 16 - 4 * e->prefs.sf + (slow ? 8 : 0) + 20;
        int per_block = 4 * (e->prefs.sf - 2 * low_rate);
        int blocks = bits > 0 ? (bits + per_block - 1) / per_block : 0;

        symbols = PREAMBLE_SYMBOLS + (slow ? 4.25 : 6.25) + 8 + blocks * e->prefs.cr;
        return (uint32_t) (symbols * symbol / e->speed);
}

static double duty_cycle(const Engine *e) {
        return 1.0 / (1.0 + CLAMP((double) e->prefs.airtime_factor, 0.0, 1e6));
}

static void update_budget(Engine *e) {
        double duty = duty_cycle(e), max = DUTY_WINDOW_MSEC * duty;

        e->budget = MIN(e->budget + (double) (e->now - e->budget_updated) * duty, max);
        e->budget_updated = e->now;
}

void engine_air_reset(Engine *e) {
        g_array_set_size(e->outgoing, 0);
        e->transmitting = false;
        e->has_loopback = false;
        e->next_transmit = e->now;
        e->budget = DUTY_WINDOW_MSEC * duty_cycle(e);
        e->budget_updated = e->now;
        memset(e->seen, 0, sizeof(e->seen));
        e->next_seen = 0;
        e->error_flags = 0;
        e->n_received = e->n_sent = e->n_sent_flood = e->n_sent_direct = 0;
        e->n_received_flood = e->n_received_direct = 0;
        e->tx_air = e->rx_air = 0;
        e->last_snr4 = e->last_rssi = 0;
}

bool engine_pool_has_room(Engine *e) {
        if (e->outgoing->len + (e->transmitting ? 1 : 0) + (e->has_loopback ? 1 : 0) < POOL_SIZE)
                return true;

        e->error_flags |= ERROR_FLAG_POOL_FULL;
        return false;
}

bool engine_was_seen(const Engine *e, const AirPacket *packet) {
        uint8_t hash[AIR_HASH_SIZE];

        air_hash(packet, hash);
        for (size_t i = 0; i < SEEN_SIZE; i++)
                if (memcmp(e->seen[i], hash, sizeof(hash)) == 0)
                        return true;

        return false;
}

void engine_mark_seen(Engine *e, const AirPacket *packet) {
        air_hash(packet, e->seen[e->next_seen]);
        e->next_seen = (e->next_seen + 1) % SEEN_SIZE;
}

void engine_forget_seen(Engine *e, const AirPacket *packet) {
        uint8_t hash[AIR_HASH_SIZE];

        air_hash(packet, hash);
        for (size_t i = 0; i < SEEN_SIZE; i++)
                if (memcmp(e->seen[i], hash, sizeof(hash)) == 0)
                        memset(e->seen[i], 0, sizeof(hash));
}

void engine_send_packet(Engine *e, const AirPacket *packet, uint8_t priority, uint32_t delay) {
        Outgoing outgoing = {.packet = *packet,
                             .priority = priority,
                             .due = e->now + (uint64_t) (delay / e->speed)};

        if (engine_pool_has_room(e))
                g_array_append_val(e->outgoing, outgoing);
}

static uint8_t flood_priority(const AirPacket *packet) {
        switch (air_type(packet)) {
        case PAYLOAD_PATH:
                return 2;
        case PAYLOAD_ADVERT:
                return 3;
        default:
                return 1;
        }
}

void engine_send_flood(Engine *e, AirPacket *packet, const uint8_t *scope, uint32_t delay) {
        static const uint8_t none[SECRET_SIZE] = {};

        if (scope && memcmp(scope, none, sizeof(none)) != 0) {
                air_set_route(packet, ROUTE_TRANSPORT_FLOOD);
                packet->codes[0] = sim_transport_code(scope, (uint8_t) air_type(packet),
                                                      (Slice){packet->payload, packet->payload_len});
                packet->codes[1] = 0;
        } else {
                air_set_route(packet, ROUTE_FLOOD);
        }

        packet->path_len = (uint8_t) (e->traits->has_path_hashes ? e->prefs.path_hash_mode << 6 : 0);
        engine_mark_seen(e, packet);
        engine_send_packet(e, packet, flood_priority(packet), delay);
}

void engine_send_flood_scoped(Engine *e, AirPacket *packet, uint32_t delay) {
        static const uint8_t none[SECRET_SIZE] = {};
        const uint8_t *scope = e->prefs.scope_key;

        if (memcmp(e->scope_override, none, sizeof(none)) != 0)
                scope = e->scope_override;

        engine_send_flood(e, packet, e->unscoped ? NULL : scope, delay);
}

void engine_send_direct(Engine *e, AirPacket *packet, const uint8_t *path, uint8_t path_len, uint32_t delay) {
        uint8_t priority = 0;

        air_set_route(packet, ROUTE_DIRECT);
        if (air_type(packet) == PAYLOAD_TRACE) {
                size_t room = sizeof(packet->payload) - packet->payload_len,
                       size = MIN((size_t) path_len, room);

                /* 6.15: hops in the payload, the path collects signal values */
                memcpy(packet->payload + packet->payload_len, path, size);
                packet->payload_len += size;
                packet->path_len = 0;
                priority = 5;
        } else {
                packet->path_len = air_path_copy(packet->path, path, path_len);
                if (air_type(packet) == PAYLOAD_PATH)
                        priority = 1;
        }

        engine_mark_seen(e, packet);
        engine_send_packet(e, packet, priority, delay);
}

void engine_send_zero_hop(Engine *e, AirPacket *packet, const uint16_t *codes) {
        air_set_route(packet, codes ? ROUTE_TRANSPORT_DIRECT : ROUTE_DIRECT);
        if (codes)
                memcpy(packet->codes, codes, sizeof(packet->codes));
        packet->path_len = 0;
        engine_mark_seen(e, packet);
        engine_send_packet(e, packet, 0, 0);
}

uint32_t engine_direct_timeout(const Engine *e, uint32_t airtime, size_t hops) {
        float per_hop = (float) airtime * TIMEOUT_DIRECT_FACTOR + TIMEOUT_DIRECT_PER_HOP;

        return (uint32_t) (TIMEOUT_BASE_MSEC + per_hop * (float) (hops + 1));
}

uint32_t engine_send_to(Engine *e, const EngineContact *contact, AirPacket *packet, bool *ret_flood) {
        uint32_t airtime = engine_airtime(e, air_raw_length(packet));

        *ret_flood = contact->out_path_len == PATH_LEN_NONE;
        if (*ret_flood) {
                engine_send_flood_scoped(e, packet, 0);
                return (uint32_t) (TIMEOUT_BASE_MSEC + TIMEOUT_FLOOD_FACTOR * (float) airtime);
        }

        engine_send_direct(e, packet, contact->out_path, contact->out_path_len, 0);
        return engine_direct_timeout(e, airtime, air_path_hops(contact->out_path_len));
}

/* The most urgent of those that are due, G_MAXUINT if none. */
static guint next_outgoing(const Engine *e) {
        guint best = G_MAXUINT;

        for (guint i = 0; i < e->outgoing->len; i++) {
                const Outgoing *o = &g_array_index(e->outgoing, Outgoing, i);

                if (o->due <= e->now &&
                    (best == G_MAXUINT || o->priority < g_array_index(e->outgoing, Outgoing, best).priority))
                        best = i;
        }

        return best;
}

static void start_transmission(Engine *e) {
        double needed = engine_airtime(e, PACKET_SIZE_MAX) / 2.0;
        guint next;

        update_budget(e);
        if (e->budget < needed) {
                e->next_transmit = e->now + 1 + (uint64_t) ((needed - e->budget) / duty_cycle(e));
                return;
        }

        next = next_outgoing(e);
        if (next == G_MAXUINT)
                return;

        e->current = g_array_index(e->outgoing, Outgoing, next);
        g_array_remove_index(e->outgoing, next);
        e->transmitting = true;
        e->transmit_end = e->now + MAX(engine_airtime(e, air_raw_length(&e->current.packet)), 1U);
}

static void finish_transmission(Engine *e) {
        double airtime = engine_airtime(e, air_raw_length(&e->current.packet));
        uint8_t raw[PACKET_SIZE_MAX];
        size_t size = air_format(&e->current.packet, raw);

        e->transmitting = false;
        e->tx_air += airtime;
        update_budget(e);
        e->budget = MAX(e->budget - airtime, 0.0);
        e->next_transmit = e->now;
        if (e->budget < BUDGET_RESERVE_MSEC)
                e->next_transmit += (uint64_t) ((BUDGET_RESERVE_MSEC - e->budget) / duty_cycle(e));

        e->n_sent++;
        if (air_is_flood(&e->current.packet))
                e->n_sent_flood++;
        else
                e->n_sent_direct++;
        if (e->callbacks.transmit)
                e->callbacks.transmit(e->userdata, raw, size);
}

static uint64_t next_transmission(const Engine *e) {
        uint64_t due = ENGINE_TIME_NEVER;

        if (e->transmitting)
                return e->transmit_end;

        for (guint i = 0; i < e->outgoing->len; i++)
                due = MIN(due, g_array_index(e->outgoing, Outgoing, i).due);

        return due == ENGINE_TIME_NEVER ? due : MAX(due, e->next_transmit);
}

uint64_t engine_next_time(const Engine *e) {
        if (e->has_loopback)
                return e->now;

        return MIN(next_transmission(e), e->contacts_dirty);
}

void engine_advance(Engine *e, uint64_t now) {
        for (;;) {
                uint64_t next = engine_next_time(e);

                if (next > now)
                        break;

                e->now = MAX(e->now, next);
                if (e->has_loopback) {
                        e->has_loopback = false;
                        engine_process(e, &e->loopback);
                } else if (e->contacts_dirty <= e->now) {
                        contacts_save(e);
                } else if (e->transmitting) {
                        finish_transmission(e);
                } else {
                        start_transmission(e);
                }
        }

        e->now = MAX(e->now, now);
}

static void log_received(Engine *e, const uint8_t *raw, size_t size) {
        if (!engine_app_listens(e) || size + 3 > e->traits->frame_max)
                return;

        e->out[0] = PUSH_LOG_RX_DATA;
        e->out[1] = (uint8_t) (int8_t) e->last_snr4;
        e->out[2] = (uint8_t) (int8_t) e->last_rssi;
        memcpy(e->out + 3, raw, size);
        engine_write_out(e, 3 + size);
}

void engine_receive(Engine *e, const uint8_t *raw, size_t size, int snr4, int rssi) {
        AirPacket packet;

        if (size == 0 || size > PACKET_SIZE_MAX)
                return;

        e->last_snr4 = CLAMP(snr4, INT8_MIN, INT8_MAX);
        e->last_rssi = CLAMP(rssi, INT8_MIN, INT8_MAX);
        e->n_received++;
        log_received(e, raw, size);
        if (!engine_pool_has_room(e) || air_parse(raw, size, &packet) < 0)
                return;

        packet.snr4 = (int8_t) e->last_snr4;
        e->rx_air += engine_airtime(e, size);
        if (air_is_flood(&packet))
                e->n_received_flood++;
        else
                e->n_received_direct++;
        engine_process(e, &packet);
}
