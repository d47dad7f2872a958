/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The air is everybody's. All clients of a radio share one budget for what goes on air by itself or is asked
 * of other nodes: polls, requests, adverts, further tries of a text. It fills again as time goes by, to what
 * may be spent at once: an hour's worth, as the firmware counts its own duty cycle. A text that somebody
 * wrote is neither counted nor held up, only its repetitions are.
 *
 * What is spent is estimated from the size of the packet and the parameters of the radio; what repeaters and
 * answers take is not known and not counted. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "radio.h"

#define AIRTIME_WINDOW_USEC (UINT64_C(3600) * 1000000)

/* Who has to go without first. */
typedef enum AirtimeRank {
        AIRTIME_PERSON, /* somebody waits for it; up to the whole budget, and one packet beyond it */
        AIRTIME_POLL,   /* leaves a quarter to those, and never goes beyond */
        _AIRTIME_RANK_MAX,
} AirtimeRank;

/* A bucket that leaks: what was spent and is not made up for yet. All zero: a full budget. */
typedef struct Airtime {
        uint64_t used_usec;
        uint64_t updated_usec; /* boot time */
} Airtime;

/* How long a packet of so many bytes is on air: Semtech AN1200.13 with explicit header and checksum, and the
 * preamble of the firmware. 0 when the parameters are not known. */
uint64_t airtime_of(const RadioInfo *info, size_t size);

/* The part of the time that may be spent: as configured, but no more than the radio itself takes by its
 * airtime factor. */
double airtime_share(const RadioInfo *info, unsigned percent);

/* What is spent at this boot time. */
uint64_t airtime_used(const Airtime *airtime, double share, uint64_t now_usec);
/* How long until cost_usec may be spent; 0: now. */
uint64_t airtime_wait(const Airtime *airtime, double share, AirtimeRank rank, uint64_t cost_usec,
                      uint64_t now_usec);
void airtime_spend(Airtime *airtime, double share, uint64_t cost_usec, uint64_t now_usec);
/* It did not go on air after all. */
void airtime_give_back(Airtime *airtime, uint64_t cost_usec);
