/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Commands after which the radio is gone for a while: it has no answer to
 * them. */

#include <string.h>
#include <sys/random.h>
#include <syslog.h>

#include "clock.h"
#include "events.h"
#include "hex.h"
#include "macros.h"
#include "setting-internal.h"

#define RESET_LEVEL      7
#define RESET_TOKEN_USEC USEC_PER_MINUTE

/* -- both ---------------------------------------------------------------------------- */

/* The link went, or nothing came back: also a port that stays open as the radio restarts behind it. */
static void restarted(Request *request, const Frame *frame) {
        Radio *radio = request->radio;
        bool gone = !radio->session;

        request_succeed(request);
        if (!gone)
                radio_fail(radio, REASON_RESTARTING, OUTCOME_LINK_LOST,
                           "the radio restarts, as it was told to");
}

static void restart_start(Request *request, const Frame *frame) {
        Setting *s = (Setting *) request;

        if (!setting_check_level(s))
                return;

        request->radio->restarting = true;
        request_call_unanswered(request, &s->command, restarted);
}

static void restart_done(Request *request, const Outcome *outcome) {
        request->radio->restarting = false;
        setting_done(request, outcome);
}

/* -- reboot ---------------------------------------------------------------------------- */

static const RequestKind reboot_kind = {
                .what = "cannot restart the radio",
                .start = restart_start,
                .done = restart_done,
};

void radio_reboot(Radio *radio, radio_done_t done, void *userdata) {
        Setting *s = setting_new(sizeof(Setting), done, userdata);

        (void) command_reboot(&s->command);
        request_submit(radio, &s->request, &reboot_kind);
}

/* -- factory reset ------------------------------------------------------------------------ */

static const RequestKind reset_kind = {
                .what = "cannot reset the radio",
                .start = restart_start,
                .done = restart_done,
};

OutcomeCode radio_prepare_factory_reset(Radio *radio, char **ret_token, Outcome *ret_outcome) {
        uint8_t random[RESET_TOKEN_SIZE];

        if (radio->state != RADIO_READY)
                return outcome_set(ret_outcome, OUTCOME_NOT_CONNECTED, "%s: radio %s is %s", reset_kind.what,
                                   radio_id(radio), radio_state_to_string(radio->state));
        if (radio->info.level < RESET_LEVEL)
                return outcome_set(ret_outcome, OUTCOME_NOT_SUPPORTED,
                                   "%s: that takes firmware 1.7.3 or newer", reset_kind.what);
        if (getrandom(random, sizeof(random), 0) != (ssize_t) sizeof(random))
                return outcome_set(ret_outcome, OUTCOME_FAILED, "the system gives no random numbers");

        hex_encode(random, sizeof(random), radio->reset_token);
        radio->reset_until_usec = clock_boottime_usec() + RESET_TOKEN_USEC;
        *ret_token = g_strdup(radio->reset_token);
        return OUTCOME_OK;
}

void radio_factory_reset(Radio *radio, const char *token, radio_done_t done, void *userdata) {
        Setting *s = setting_new(sizeof(Setting), done, userdata);
        g_auto(Outcome) outcome = {};

        if (radio->reset_token[0] == '\0' || strcmp(radio->reset_token, token) != 0 ||
            clock_boottime_usec() > radio->reset_until_usec)
                (void) outcome_set(
                                &outcome, OUTCOME_INVALID_ARGUMENTS,
                                "%s: this is not the token, or it is older than a minute; ask for a new one",
                                reset_kind.what);
        else
                radio_log_event(radio, EVENT_ERASED, LOG_WARNING, 0,
                                "erasing everything in the radio, as somebody asked twice");
        /* Nobody tries twice. */
        explicit_bzero(radio->reset_token, sizeof(radio->reset_token));

        s->level = RESET_LEVEL;
        s->release = "1.7.3";
        (void) command_factory_reset(&s->command);
        setting_submit(radio, s, &reset_kind, &outcome);
}
