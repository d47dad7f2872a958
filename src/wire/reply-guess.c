/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What an answer most probably is, when nobody remembers the question. Each
 * kind is tried in the order of how much must agree by chance. */

#include <glib.h>
#include <string.h>

#include "macros.h"
#include "reply.h"

#define TIME_MIN            UINT32_C(1577836800) /* 2020 */
#define TIME_MAX            UINT32_C(2524608000) /* 2050 */
#define STATUS_GUESS_MAX    80
#define FEATURES_KNOWN_MASK 0x83

static bool try_decode(Slice data, ReplyKind kind, Reply *ret) {
        return reply_decode(data, &(FrameContext){.request = kind}, ret) >= 0;
}

static bool looks_like_status(Slice data) {
        size_t used = data.size - reply_padding(data);
        Reply reply;
        const Status *s = &reply.status;

        if (data.size > STATUS_GUESS_MAX || used > STATUS_SIZE_MIN + 8 ||
            !try_decode(data, REPLY_STATUS, &reply))
                return false;

        return s->battery_mv <= 20000 && s->noise_floor <= 0 && s->noise_floor >= -150 &&
               s->last_rssi <= 20 && s->last_rssi >= -150 && s->last_snr_x4 >= INT8_MIN &&
               s->last_snr_x4 <= INT8_MAX && s->uptime_s > 0 && s->tx_airtime_s <= s->uptime_s;
}

/* Every server begins with the voltage of its battery. */
static bool looks_like_telemetry(Slice data) {
        Reply reply;

        if (data.size < 4 || data.data[0] != LPP_CHANNEL_SELF || data.data[1] != LPP_VOLTAGE)
                return false;

        (void) try_decode(data, REPLY_TELEMETRY, &reply); /* takes anything */
        return reply.lpp_end == LPP_END_DATA || reply.lpp_end == LPP_END_PADDING;
}

static bool is_text(Slice text, size_t newlines) {
        size_t found = 0;

        if (text.size == 0 || !g_utf8_validate((const char *) text.data, (gssize) text.size, NULL))
                return false;

        for (size_t i = 0; i < text.size; i++) {
                if (text.data[i] == '\n')
                        found++;
                else if (text.data[i] < ' ' || text.data[i] == 0x7F)
                        return false;
        }
        return found >= newlines;
}

static bool looks_like_owner_info(Slice data) {
        return is_text((Slice){data.data, data.size - reply_padding(data)}, 2);
}

static bool has_plausible_time(const Reply *reply) {
        return reply->server_time >= TIME_MIN && reply->server_time <= TIME_MAX;
}

static bool looks_like_mma(Slice data) {
        Reply reply;

        if (!try_decode(data, REPLY_MMA, &reply) || !has_plausible_time(&reply) || reply.n_entries == 0 ||
            (reply.lpp_end != LPP_END_DATA && reply.lpp_end != LPP_END_PADDING))
                return false;

        for (size_t i = 0; i < reply.n_entries; i++)
                if (reply.series[i].min > reply.series[i].avg || reply.series[i].avg > reply.series[i].max)
                        return false;
        return true;
}

static bool looks_like_basic(Slice data) {
        Reply reply;

        return try_decode(data, REPLY_BASIC, &reply) && has_plausible_time(&reply) &&
               (reply.features & ~FEATURES_KNOWN_MASK) == 0 && reply.padding == data.size - 5;
}

static ReplyKind guess_anonymous_text(Slice data) {
        Reply reply;

        if (!try_decode(data, REPLY_REGIONS, &reply) || !has_plausible_time(&reply) ||
            !is_text(reply.body, 0))
                return REPLY_NONE;
        return memchr(reply.body.data, '\n', reply.body.size) ? REPLY_OWNER : REPLY_REGIONS;
}

static bool looks_like_neighbours(Slice data) {
        Reply reply;

        return try_decode(data, REPLY_NEIGHBOURS, &reply) &&
               reply.neighbours_returned <= reply.neighbours_total &&
               reply.neighbours_returned == reply.n_entries &&
               (reply.n_entries > 0 || reply.padding == data.size - 4);
}

/* Roles fill the low two bits of the permissions and little else; keys begin
 * with neither 00 nor FF. */
static bool looks_like_access_list(Slice data) {
        size_t plain = 0;
        Reply reply;

        if (!try_decode(data, REPLY_ACCESS_LIST, &reply) || reply.n_entries < 2)
                return false;

        for (size_t i = 0; i < reply.n_entries; i++) {
                uint8_t first = reply.access[i].prefix.data[0];

                if (first == 0x00 || first == 0xFF)
                        return false;
                if (reply.access[i].permissions <= 3)
                        plain++;
        }
        return 2 * plain > reply.n_entries;
}

ReplyKind reply_guess(Slice data) {
        ReplyKind kind;

        if (looks_like_status(data))
                return REPLY_STATUS;
        if (looks_like_telemetry(data))
                return REPLY_TELEMETRY;
        if (looks_like_owner_info(data))
                return REPLY_OWNER_INFO;
        if (looks_like_basic(data))
                return REPLY_BASIC;
        kind = guess_anonymous_text(data);
        if (kind != REPLY_NONE)
                return kind;
        if (looks_like_mma(data))
                return REPLY_MMA;
        if (looks_like_neighbours(data))
                return REPLY_NEIGHBOURS;
        if (looks_like_access_list(data))
                return REPLY_ACCESS_LIST;
        return REPLY_NONE;
}
