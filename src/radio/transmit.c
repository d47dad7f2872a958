/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "clock.h"
#include "macros.h"
#include "mesh-api.h"
#include "setting-internal.h"

/* What a client has the radio send once, without an answer: adverts, raw data, control data, packets. */

#define PACKET_HEAD    2
#define ADVERT_FIXED   (PUBLIC_KEY_SIZE + 4 + 64 + 1) /* key, time, signature, flags */
#define ADVERT_PLACE   8
#define CONTROL_LEVEL  8
#define PACKET_LEVEL   13
#define RAW_HOPS_MAX   63
#define RAW_HEAD       2 /* code and length of the path */
#define CONTROL_HEAD   1
#define PACKET_COMMAND 2 /* code and priority */

typedef struct Transmission {
        Setting setting;
        size_t size; /* on air */
        bool floods_advert, on_air;
} Transmission;

static void transmit_start(Request *request, const Frame *frame) {
        Transmission *t = (Transmission *) request;
        Radio *radio = request->radio;
        uint64_t now = clock_boottime_usec();
        uint64_t next = radio->flood_advert_usec + radio_timing.flood_advert_usec;
        g_auto(Outcome) outcome = {};

        if (t->floods_advert && radio->flood_advert_usec > 0 && now < next) {
                request_fail(request, OUTCOME_RATE_LIMITED,
                             "a flood costs air time everywhere; the next one may go in %" PRIu64 " s",
                             (next - now + USEC_PER_SEC - 1) / USEC_PER_SEC);
                return;
        }
        if (!setting_check_level(&t->setting))
                return;
        if (governor_check(radio, AIRTIME_PERSON, t->size, &outcome) != OUTCOME_OK) {
                request_fail(request, outcome.code, "%s", outcome.message);
                return;
        }

        t->on_air = true;
        governor_spend(radio, t->size);
        setting_write(&t->setting);
}

static void transmit_done(Request *request, const Outcome *outcome) {
        Transmission *t = (Transmission *) request;
        Radio *radio = request->radio;
        /* After a timeout or a lost link it may well have gone out. */
        bool sent = outcome->code == OUTCOME_OK || outcome->code == OUTCOME_TIMEOUT ||
                    outcome->code == OUTCOME_LINK_LOST;

        if (t->on_air && !sent)
                governor_give_back(radio, t->size);
        if (t->floods_advert && sent)
                radio->flood_advert_usec = clock_boottime_usec();
        setting_done(request, outcome);
}

/* -- adverts --------------------------------------------------------------------- */

static const RequestKind advert_kind = {
                .what = "cannot advertise",
                .start = transmit_start,
                .done = transmit_done,
};

void radio_advertise(Radio *radio, bool flood, radio_done_t done, void *userdata) {
        Transmission *t = setting_new(sizeof(Transmission), done, userdata);

        t->floods_advert = flood;
        t->size = PACKET_HEAD + ADVERT_FIXED + (radio->info.advert_location ? ADVERT_PLACE : 0) +
                  strlen(radio->info.name);
        (void) command_send_self_advert(&t->setting.command, flood);
        request_submit(radio, &t->setting.request, &advert_kind);
}

/* -- bytes ------------------------------------------------------------------------ */

/* r: of the encoder. head: what the command has before the bytes; least: how many there must be. */
static void transmit(Radio *radio, Transmission *t, const RequestKind *kind, int r, size_t head, size_t least,
                     Outcome *outcome) {
        size_t most = frame_size_max(radio->info.level) - head;

        if (outcome->code == OUTCOME_OK && r >= 0)
                r = command_check_size(&t->setting.command, radio->info.level);
        if (outcome->code == OUTCOME_OK && r == -EMSGSIZE)
                (void) outcome_set(outcome, OUTCOME_INVALID_ARGUMENTS, "%s: there can be %zu to %zu bytes",
                                   kind->what, least, most);
        setting_submit(radio, &t->setting, kind, outcome);
}

static const RequestKind raw_kind = {
                .what = "cannot send raw data",
                .start = transmit_start,
                .done = transmit_done,
};

void radio_send_raw(Radio *radio, const PathHop *path, size_t n_path, Slice data, radio_done_t done,
                    void *userdata) {
        Transmission *t = setting_new(sizeof(Transmission), done, userdata);
        uint8_t hashes[RAW_HOPS_MAX];
        g_auto(Outcome) outcome = {};
        int r = 0;

        if (n_path > RAW_HOPS_MAX || (n_path > 0 && path[0].size != 1))
                (void) outcome_set(&outcome, OUTCOME_INVALID_ARGUMENTS,
                                   "%s: the path has at most %d hops of 1 byte each", raw_kind.what,
                                   RAW_HOPS_MAX);
        else if (data.size < RADIO_RAW_MIN)
                r = -EMSGSIZE;
        else {
                for (size_t i = 0; i < n_path; i++)
                        hashes[i] = path[i].bytes[0];
                r = command_send_raw_data(&t->setting.command, (Slice){hashes, n_path}, data);
        }
        t->size = PACKET_HEAD + n_path + data.size;
        transmit(radio, t, &raw_kind, r, RAW_HEAD + n_path, RADIO_RAW_MIN, &outcome);
}

static const RequestKind control_kind = {
                .what = "cannot send control data",
                .start = transmit_start,
                .done = transmit_done,
};

void radio_send_control(Radio *radio, Slice data, radio_done_t done, void *userdata) {
        Transmission *t = setting_new(sizeof(Transmission), done, userdata);
        g_auto(Outcome) outcome = {};
        int r = command_send_control_data(&t->setting.command, data);

        if (r == -EINVAL)
                (void) outcome_set(&outcome, OUTCOME_INVALID_ARGUMENTS, "%s: the first byte is 0x80 to 0xff",
                                   control_kind.what);
        t->setting.level = CONTROL_LEVEL;
        t->setting.release = "1.10";
        t->size = PACKET_HEAD + data.size;
        transmit(radio, t, &control_kind, r, CONTROL_HEAD, 1, &outcome);
}

static const RequestKind packet_kind = {
                .what = "cannot send the packet",
                .start = transmit_start,
                .done = transmit_done,
};

void radio_send_packet(Radio *radio, uint8_t priority, Slice packet, radio_done_t done, void *userdata) {
        Transmission *t = setting_new(sizeof(Transmission), done, userdata);
        g_auto(Outcome) outcome = {};
        int r = command_send_raw_packet(&t->setting.command, priority, packet);

        if (r == -EINVAL)
                (void) outcome_set(&outcome, OUTCOME_INVALID_ARGUMENTS,
                                   "%s: the bytes are no packet of the mesh", packet_kind.what);
        t->setting.level = PACKET_LEVEL;
        t->setting.release = "1.16";
        t->size = packet.size;
        transmit(radio, t, &packet_kind, r, PACKET_COMMAND, 2, &outcome);
}
