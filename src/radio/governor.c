/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "clock.h"
#include "macros.h"
#include "protocol.h"
#include "radio-internal.h"

/* The radio's budget of air time: when what may go, and what it cost. */

#define PACKET_HEAD    2 /* header and length of the path */
#define DATAGRAM_HEAD  4 /* hashes of both ends, and the code against forgery */
#define CIPHER_BLOCK   16
#define SMALL_DATAGRAM (PACKET_HEAD + DATAGRAM_HEAD + CIPHER_BLOCK)

size_t packet_to(const Contact *contact, size_t body) {
        const Path path = path_from_length(contact ? contact->path_len : PATH_LEN_NONE, 0);

        return PACKET_HEAD + path_size(&path) + DATAGRAM_HEAD +
               (body + CIPHER_BLOCK - 1) / CIPHER_BLOCK * CIPHER_BLOCK;
}

static double share(const Radio *radio) {
        return airtime_share(&radio->info, radio->settings->airtime_percent);
}

uint64_t governor_wait(const Radio *radio, AirtimeRank rank, size_t size) {
        if (size == 0)
                return 0;
        return airtime_wait(&radio->airtime, share(radio), rank, airtime_of(&radio->info, size),
                            clock_boottime_usec());
}

OutcomeCode governor_check(const Radio *radio, AirtimeRank rank, size_t size, Outcome *ret) {
        uint64_t wait = governor_wait(radio, rank, size);

        if (wait == 0)
                return OUTCOME_OK;
        return outcome_set(ret, OUTCOME_RATE_LIMITED,
                           "the air time for %s is used up; try again in %" PRIu64 " s",
                           rank == AIRTIME_POLL ? "polls" : "requests and adverts",
                           (wait + USEC_PER_SEC - 1) / USEC_PER_SEC);
}

void governor_spend(Radio *radio, size_t size) {
        airtime_spend(&radio->airtime, share(radio), airtime_of(&radio->info, size), clock_boottime_usec());
}

void governor_give_back(Radio *radio, size_t size) {
        airtime_give_back(&radio->airtime, airtime_of(&radio->info, size));
}

void radio_airtime(const Radio *radio, RadioAirtime *ret) {
        double refill = share(radio);
        uint64_t wait = governor_wait(radio, AIRTIME_POLL, SMALL_DATAGRAM);

        *ret = (RadioAirtime){
                        .budget_usec = (uint64_t) ((double) AIRTIME_WINDOW_USEC * refill),
                        .used_usec = airtime_used(&radio->airtime, refill, clock_boottime_usec()),
                        .refill = refill,
                        .next_usec = wait > 0 ? clock_realtime_usec() + wait : 0,
        };
}
