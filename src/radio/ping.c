/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "clock.h"
#include "macros.h"
#include "radio-internal.h"

typedef struct Ping {
        Radio *radio;
        radio_ping_done_t done;
        void *userdata;
        uint64_t start_usec;
        sd_event_source *later; /* of one that could not even be sent */
} Ping;

static void ping_done(Ping *ping, OutcomeCode code, const char *message, uint64_t round_trip_usec) {
        g_auto(Outcome) outcome = {};

        if (code != OUTCOME_OK)
                (void) outcome_set(&outcome, code, "%s", message);
        ping->done(ping->radio, &outcome, round_trip_usec, ping->userdata);
        sd_event_source_disable_unref(ping->later);
        g_free(ping);
}

static void ping_reply(Session *session, const SessionReply *reply, void *userdata) {
        Ping *ping = userdata;

        uint64_t round_trip_usec = clock_boottime_usec() - ping->start_usec;

        switch (reply->result) {
        case SESSION_REPLY:
                ping->radio->info.round_trip_usec = round_trip_usec;
                radio_notify(ping->radio, RADIO_CHANGED_ROUND_TRIP);
                ping_done(ping, OUTCOME_OK, NULL, round_trip_usec);
                break;
        case SESSION_TIMEOUT:
                ping_done(ping, OUTCOME_TIMEOUT, "the radio did not answer in time", 0);
                break;
        case SESSION_MALFORMED:
                ping_done(ping, OUTCOME_FAILED, "the radio's answer makes no sense", 0);
                break;
        case SESSION_CLOSED:
                ping_done(ping, OUTCOME_LINK_LOST, "the link was lost before the radio answered", 0);
                break;
        }
}

static int on_later(sd_event_source *source, void *userdata) {
        Ping *ping = userdata;

        g_queue_remove(&ping->radio->pings, ping);
        ping_done(ping, OUTCOME_NOT_CONNECTED, "the radio is not connected", 0);
        return 0;
}

void radio_ping(Radio *radio, radio_ping_done_t done, void *userdata) {
        Ping *ping = g_new0(Ping, 1);
        Command command;

        *ping = (Ping){.radio = radio,
                       .done = done,
                       .userdata = userdata,
                       .start_usec = clock_boottime_usec()};
        (void) command_device_query(&command, PROTOCOL_LEVEL_KNOWN);
        if (radio->session && session_call(radio->session, &command, SESSION_PERSON, ping_reply, ping) >= 0)
                return;

        g_queue_push_tail(&radio->pings, ping);
        if (sd_event_add_defer(manager_event(radio->manager), &ping->later, on_later, ping) < 0)
                g_error("cannot create an event source");
}

void radio_cancel_pings(Radio *radio) {
        Ping *ping;

        while ((ping = g_queue_pop_head(&radio->pings)))
                ping_done(ping, OUTCOME_CANCELLED, "the radio was removed", 0);
}
