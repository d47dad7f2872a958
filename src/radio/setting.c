/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "setting-internal.h"

void *setting_new(size_t size, radio_done_t done, void *userdata) {
        Setting *s = g_malloc0(size);

        s->done = done;
        s->userdata = userdata;
        return s;
}

void setting_submit(Radio *radio, Setting *s, const RequestKind *kind, Outcome *outcome) {
        if (outcome->code != OUTCOME_OK)
                request_submit_failed(radio, &s->request, kind, outcome);
        else
                request_submit(radio, &s->request, kind);
}

void setting_done(Request *request, const Outcome *outcome) {
        Setting *s = (Setting *) request;

        s->done(request->radio, outcome, s->userdata);
        if (s->ended)
                s->ended(s);
        explicit_bzero(&s->command, sizeof(s->command));
        g_free(s);
}

bool setting_check_level(Setting *s) {
        if (s->request.radio->info.level >= s->level)
                return true;

        request_fail(&s->request, OUTCOME_NOT_SUPPORTED, "that takes firmware %s or newer", s->release);
        return false;
}

static void read_next(Setting *s);

/* Whatever the answer to a question is, the setting was made. */
static void read_answer(Request *request, const Frame *frame) {
        Radio *radio = request->radio;

        switch (frame->kind) {
        case FRAME_SELF_INFO:
                radio_update_self(radio, frame);
                break;
        case FRAME_DEVICE_INFO:
                radio_update_device(radio, frame);
                break;
        case FRAME_TUNING:
                radio_update_tuning(radio, frame);
                break;
        case FRAME_DEFAULT_SCOPE:
                radio_update_scope(radio, frame);
                break;
        default:
                break;
        }

        read_next((Setting *) request);
}

static void read_next(Setting *s) {
        Command command;

        if (s->read_back & READ_SELF) {
                s->read_back &= ~(unsigned) READ_SELF;
                (void) command_app_start(&command, APP_NAME);
        } else if (s->read_back & READ_DEVICE) {
                s->read_back &= ~(unsigned) READ_DEVICE;
                (void) command_device_query(&command, PROTOCOL_LEVEL_KNOWN);
        } else if (s->read_back & READ_TUNING) {
                s->read_back &= ~(unsigned) READ_TUNING;
                (void) command_get_tuning_params(&command);
        } else if (s->read_back & READ_SCOPE) {
                s->read_back &= ~(unsigned) READ_SCOPE;
                (void) command_get_default_flood_scope(&command);
        } else {
                request_succeed(&s->request);
                return;
        }

        request_call_tolerant(&s->request, &command, read_answer);
}

static void written(Request *request, const Frame *frame) {
        read_next((Setting *) request);
}

void setting_write(Setting *s) {
        request_call(&s->request, &s->command, written);
}

void setting_start(Request *request, const Frame *frame) {
        Setting *s = (Setting *) request;

        if (setting_check_level(s))
                setting_write(s);
}

/* No setting is as large; what is may not fit any more when it comes back. */
#define SETTING_LIMIT (1U << 24)

static uint32_t through_float(uint32_t value) {
        float kept = (float) ((float) value / 1000.0);

        return (uint32_t) (kept * 1000);
}

uint32_t setting_from_float(uint32_t read) {
        if (read >= SETTING_LIMIT)
                return read;
        return through_float(read) != read && through_float(read + 1) == read ? read + 1 : read;
}
