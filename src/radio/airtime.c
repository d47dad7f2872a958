/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "airtime.h"
#include "macros.h"

#define PREAMBLE_FAST       32 /* symbols, up to SF8 */
#define PREAMBLE_SLOW       16
#define LOW_RATE_SYMBOL     0.016 /* s; from here on the low data rate optimisation is on */
#define POLLS_NUM           3     /* of the budget, at most */
#define POLLS_DEN           4
#define SPREADING_FACTOR_LO 7 /* below it the SX126x has other constants */

uint64_t airtime_of(const RadioInfo *info, size_t size) {
        int sf = info->spreading_factor, bits, per_block, blocks;
        double symbol, symbols;
        bool low_rate;

        if (info->bandwidth_hz == 0 || sf < 5 || sf > 12)
                return 0;

        symbol = (double) (1U << sf) / info->bandwidth_hz;
        low_rate = symbol >= LOW_RATE_SYMBOL;
        bits = 8 * (int) size + 16 + 20 - 4 * sf + (sf >= SPREADING_FACTOR_LO ? 8 : 0);
        per_block = 4 * (sf - 2 * low_rate);
        blocks = bits > 0 ? (bits + per_block - 1) / per_block : 0;

        symbols = (sf <= 8 ? PREAMBLE_FAST : PREAMBLE_SLOW) + (sf >= SPREADING_FACTOR_LO ? 4.25 : 6.25) + 8 +
                  blocks * info->coding_rate;
        return (uint64_t) (symbols * symbol * USEC_PER_SEC + 0.5);
}

double airtime_share(const RadioInfo *info, unsigned percent) {
        double share = percent / 100.0;

        if (info->has_tuning)
                share = MIN(share, 1000.0 / (1000.0 + info->airtime_factor_x1000));
        return share;
}

static uint64_t budget(double share) {
        return (uint64_t) ((double) AIRTIME_WINDOW_USEC * share);
}

uint64_t airtime_used(const Airtime *airtime, double share, uint64_t now) {
        uint64_t back = (uint64_t) ((double) (now - MIN(airtime->updated_usec, now)) * share);

        return airtime->used_usec - MIN(airtime->used_usec, back);
}

uint64_t airtime_wait(const Airtime *airtime, double share, AirtimeRank rank, uint64_t cost, uint64_t now) {
        uint64_t used = airtime_used(airtime, share, now), limit = budget(share), room;

        if (rank == AIRTIME_POLL)
                limit = limit / POLLS_DEN * POLLS_NUM;
        else
                cost = 1; /* the last one may be as long as it is */
        /* What is longer than the whole budget goes when nothing else does. */
        room = limit - MIN(cost, limit);
        return used <= room ? 0 : (uint64_t) ((double) (used - room) / share) + 1;
}

void airtime_spend(Airtime *airtime, double share, uint64_t cost, uint64_t now) {
        airtime->used_usec = airtime_used(airtime, share, now) + cost;
        airtime->updated_usec = now;
}

void airtime_give_back(Airtime *airtime, uint64_t cost) {
        airtime->used_usec -= MIN(airtime->used_usec, cost);
}
