/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "request-internal.h"
#include "settings-api.h"

G_STATIC_ASSERT((int) RADIO_STATS_CORE == (int) STATS_CORE);
G_STATIC_ASSERT((int) RADIO_STATS_RADIO == (int) STATS_RADIO);
G_STATIC_ASSERT((int) RADIO_STATS_PACKETS == (int) STATS_PACKETS);

#define STATS_LEVEL 8

static const char *const kind_names[_RADIO_STATS_KIND_MAX] = {
                [RADIO_STATS_CORE] = "core",
                [RADIO_STATS_RADIO] = "radio",
                [RADIO_STATS_PACKETS] = "packets",
};

const char *radio_stats_kind_to_string(RadioStatsKind kind) {
        return kind >= 0 && kind < _RADIO_STATS_KIND_MAX ? kind_names[kind] : NULL;
}

RadioStatsKind radio_stats_kind_from_string(const char *text) {
        for (int i = 0; i < _RADIO_STATS_KIND_MAX; i++)
                if (strcmp(kind_names[i], text) == 0)
                        return i;
        return _RADIO_STATS_KIND_INVALID;
}

typedef struct StatsRequest {
        Request request;
        RadioStats stats;
        radio_stats_done_t done;
        void *userdata;
} StatsRequest;

static void take_stats(RadioStats *stats, const Frame *frame) {
        switch (stats->kind) {
        case RADIO_STATS_CORE:
                stats->core.battery_mv = frame->stats.core.battery_mv;
                stats->core.uptime_s = frame->stats.core.uptime_s;
                stats->core.errors = frame->stats.core.err_flags;
                stats->core.queue_length = frame->stats.core.tx_queue_len;
                break;
        case RADIO_STATS_RADIO:
                stats->radio.noise_floor = frame->stats.radio.noise_floor;
                stats->radio.last_rssi = frame->stats.radio.last_rssi;
                stats->radio.last_snr = frame->stats.radio.last_snr_x4 / 4.0;
                stats->radio.tx_air_s = frame->stats.radio.tx_air_s;
                stats->radio.rx_air_s = frame->stats.radio.rx_air_s;
                break;
        case RADIO_STATS_PACKETS:
                stats->packets.received = frame->stats.packets.recv;
                stats->packets.sent = frame->stats.packets.sent;
                stats->packets.sent_flood = frame->stats.packets.flood_tx;
                stats->packets.sent_direct = frame->stats.packets.direct_tx;
                stats->packets.received_flood = frame->stats.packets.flood_rx;
                stats->packets.received_direct = frame->stats.packets.direct_rx;
                stats->packets.has_errors = frame->stats.packets.has_recv_errors;
                stats->packets.errors = frame->stats.packets.recv_errors;
                break;
        default:
                g_assert_not_reached();
        }
}

static void stats_answer(Request *request, const Frame *frame) {
        StatsRequest *s = (StatsRequest *) request;

        if (frame->stats.type != (uint8_t) s->stats.kind) {
                request_fail(request, OUTCOME_FAILED, "the radio answered another question");
                return;
        }

        take_stats(&s->stats, frame);
        request_succeed(request);
}

static void stats_start(Request *request, const Frame *frame) {
        StatsRequest *s = (StatsRequest *) request;
        Command command;

        /* Some firmware of this level lacks them, too, and says so. */
        if (request->radio->info.level < STATS_LEVEL) {
                request_fail(request, OUTCOME_NOT_SUPPORTED, "that takes firmware 1.11 or newer");
                return;
        }

        (void) command_get_stats(&command, (StatsType) s->stats.kind);
        request_call(request, &command, stats_answer);
}

static void stats_done(Request *request, const Outcome *outcome) {
        StatsRequest *s = (StatsRequest *) request;

        s->done(request->radio, outcome, &s->stats, s->userdata);
        g_free(s);
}

static const RequestKind stats_kind = {
                .what = "cannot read the statistics",
                .start = stats_start,
                .done = stats_done,
};

void radio_get_stats(Radio *radio, RadioStatsKind kind, radio_stats_done_t done, void *userdata) {
        StatsRequest *s = g_new0(StatsRequest, 1);

        s->stats.kind = kind;
        s->done = done;
        s->userdata = userdata;
        request_submit(radio, &s->request, &stats_kind);
}
