/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "contacts-api.h"
#include "macros.h"
#include "request-internal.h"

/* Wire reference 6.14. */
#define FLAG_OVERWRITE 0x01
#define FLAG_CHAT      0x02
#define FLAG_REPEATER  0x04
#define FLAG_ROOM      0x08
#define FLAG_SENSOR    0x10
#define FIELDS_KINDS \
        (AUTO_ADD_CHAT | AUTO_ADD_REPEATER | AUTO_ADD_ROOM | AUTO_ADD_SENSOR | AUTO_ADD_OVERWRITE)

typedef struct AutoAddRequest {
        Request request;
        unsigned set;
        AutoAdd values;
        uint8_t flags; /* as sent, to be remembered when the radio took them */
        int max_hops;
        radio_done_t done;
        void *userdata;
} AutoAddRequest;

const AutoAdd *radio_auto_add(const Radio *radio) {
        return &radio->auto_add;
}

void radio_update_manual_add(Radio *radio, bool manual) {
        if (radio->auto_add.manual == manual && (radio->auto_add.known & AUTO_ADD_MANUAL))
                return;

        radio->auto_add.known |= AUTO_ADD_MANUAL;
        radio->auto_add.manual = manual;
        radio_notify(radio, RADIO_CHANGED_AUTO_ADD);
}

void radio_update_auto_add(Radio *radio, uint8_t flags, int max_hops) {
        AutoAdd *a = &radio->auto_add;

        a->known |= FIELDS_KINDS;
        a->overwrite = flags & FLAG_OVERWRITE;
        a->chat = flags & FLAG_CHAT;
        a->repeater = flags & FLAG_REPEATER;
        a->room = flags & FLAG_ROOM;
        a->sensor = flags & FLAG_SENSOR;
        if (max_hops >= 0) {
                a->known |= AUTO_ADD_MAX_HOPS;
                a->max_hops = (uint8_t) max_hops;
        }
        radio_notify(radio, RADIO_CHANGED_AUTO_ADD);
}

/* -- change ---------------------------------------------------------------------------- */

static void config_written(Request *request, const Frame *frame) {
        AutoAddRequest *a = (AutoAddRequest *) request;

        radio_update_auto_add(request->radio, a->flags, a->max_hops);
        request_succeed(request);
}

static uint8_t patch_flags(const AutoAddRequest *a, uint8_t flags) {
        const struct {
                unsigned field;
                uint8_t flag;
                bool value;
        } table[] = {
                        {AUTO_ADD_OVERWRITE, FLAG_OVERWRITE, a->values.overwrite},
                        {AUTO_ADD_CHAT, FLAG_CHAT, a->values.chat},
                        {AUTO_ADD_REPEATER, FLAG_REPEATER, a->values.repeater},
                        {AUTO_ADD_ROOM, FLAG_ROOM, a->values.room},
                        {AUTO_ADD_SENSOR, FLAG_SENSOR, a->values.sensor},
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++)
                if (a->set & table[i].field)
                        flags = table[i].value ? flags | table[i].flag : flags & (uint8_t) ~table[i].flag;
        return flags;
}

static void config_read(Request *request, const Frame *frame) {
        AutoAddRequest *a = (AutoAddRequest *) request;
        Command command;
        int r;

        a->flags = patch_flags(a, frame->autoadd.flags);
        a->max_hops = frame->autoadd.has_max_hops ? frame->autoadd.max_hops : -1;
        if (a->set & AUTO_ADD_MAX_HOPS) {
                if (a->max_hops < 0) {
                        request_fail(request, OUTCOME_NOT_SUPPORTED,
                                     "a limit of hops takes firmware 1.14 or newer");
                        return;
                }
                a->max_hops = a->values.max_hops;
        }

        r = command_set_autoadd_config(&command, a->flags, a->max_hops);
        if (r < 0)
                request_fail_errno(request, r);
        else
                request_call(request, &command, config_written);
}

static void ask_config(Request *request) {
        AutoAddRequest *a = (AutoAddRequest *) request;
        Command command;

        if ((a->set & ~(unsigned) AUTO_ADD_MANUAL) == 0) {
                request_succeed(request);
                return;
        }

        (void) command_get_autoadd_config(&command);
        request_call(request, &command, config_read);
}

static void manual_written(Request *request, const Frame *frame) {
        AutoAddRequest *a = (AutoAddRequest *) request;

        radio_update_manual_add(request->radio, a->values.manual);
        ask_config(request);
}

static void self_read(Request *request, const Frame *frame) {
        AutoAddRequest *a = (AutoAddRequest *) request;
        OtherParams params;
        Command command;
        int r;

        radio_update_self(request->radio, frame);
        if (frame->self_info.manual_add == a->values.manual) {
                ask_config(request);
                return;
        }

        params = (OtherParams){
                        .manual_add = a->values.manual,
                        .has_telemetry = true,
                        .telemetry_base = frame->self_info.telemetry_base,
                        .telemetry_loc = frame->self_info.telemetry_loc,
                        .telemetry_env = frame->self_info.telemetry_env,
                        .has_advert_loc_policy = true,
                        .advert_loc_policy = frame->self_info.advert_loc_policy,
                        .has_multi_acks = true,
                        .multi_acks = frame->self_info.multi_acks,
        };
        r = command_set_other_params(&command, &params);
        if (r < 0)
                request_fail_errno(request, r);
        else
                request_call(request, &command, manual_written);
}

static void set_start(Request *request, const Frame *frame) {
        AutoAddRequest *a = (AutoAddRequest *) request;
        unsigned missing = a->set & ~request->radio->auto_add.known;
        Command command;

        if (missing != 0) {
                request_fail(request, OUTCOME_NOT_SUPPORTED, "%s",
                             missing == AUTO_ADD_MAX_HOPS
                                             ? "a limit of hops takes firmware 1.14 or newer"
                                             : "the radio's firmware cannot tell kinds of contacts apart; "
                                               "that takes 1.12 or newer");
                return;
        }
        if (!(a->set & AUTO_ADD_MANUAL)) {
                ask_config(request);
                return;
        }

        (void) command_app_start(&command, APP_NAME);
        request_call(request, &command, self_read);
}

static void set_done(Request *request, const Outcome *outcome) {
        AutoAddRequest *a = (AutoAddRequest *) request;

        a->done(request->radio, outcome, a->userdata);
        g_free(a);
}

static const RequestKind set_kind = {
                .what = "cannot change automatic adding",
                .start = set_start,
                .done = set_done,
};

void radio_set_auto_add(Radio *radio, unsigned set, const AutoAdd *values, radio_done_t done,
                        void *userdata) {
        AutoAddRequest *a = g_new0(AutoAddRequest, 1);
        g_auto(Outcome) outcome = {};

        a->set = set;
        a->values = *values;
        a->done = done;
        a->userdata = userdata;
        if ((set & AUTO_ADD_MAX_HOPS) && values->max_hops > AUTO_ADD_MAX_HOPS_MAX)
                (void) outcome_set(&outcome, OUTCOME_INVALID_ARGUMENTS,
                                   "the limit of hops is from 0 (none) to %d", AUTO_ADD_MAX_HOPS_MAX);

        if (outcome.code != OUTCOME_OK)
                request_submit_failed(radio, &a->request, &set_kind, &outcome);
        else
                request_submit(radio, &a->request, &set_kind);
}
