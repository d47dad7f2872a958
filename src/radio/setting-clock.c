/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "clock.h"
#include "macros.h"
#include "request-internal.h"
#include "settings-api.h"

typedef struct ClockRequest {
        Request request;
        bool set;
        radio_sync_time_done_t done;
        void *userdata;
} ClockRequest;

/* What it is now, whichever way it went. */
static void clock_read(Request *request, const Frame *frame) {
        if (frame->kind == FRAME_CURRENT_TIME)
                radio_update_clock(request->radio, frame->current_time.time);
        request_succeed(request);
}

static void clock_written(Request *request, const Frame *frame) {
        ClockRequest *c = (ClockRequest *) request;
        Command command;

        /* Error 6: it is ahead, and never goes back. */
        if (frame->code == RESP_ERR && frame->error.code != ERR_ILLEGAL_ARG) {
                request_fail_firmware(request, frame->error.code);
                return;
        }

        c->set = frame->code != RESP_ERR;
        (void) command_get_device_time(&command);
        request_call_tolerant(request, &command, clock_read);
}

static void clock_start(Request *request, const Frame *frame) {
        const RadioSettings *settings = request->radio->settings;
        uint64_t now = clock_realtime_usec() / USEC_PER_SEC;
        Command command;

        if ((!settings->trust_clock && !clock_is_synchronised()) || now <= CLOCK_FLOOR_S ||
            now > UINT32_MAX) {
                request_fail(request, OUTCOME_FAILED,
                             "the kernel does not say that this computer's clock is right, and the radio's "
                             "can never be set back; synchronise it, or set TrustClock=yes");
                return;
        }

        (void) command_set_device_time(&command, (uint32_t) now);
        request_call_tolerant(request, &command, clock_written);
}

static void clock_done(Request *request, const Outcome *outcome) {
        ClockRequest *c = (ClockRequest *) request;

        c->done(request->radio, outcome, c->set, c->userdata);
        g_free(c);
}

static const RequestKind clock_kind = {
                .what = "cannot set the radio's clock",
                .start = clock_start,
                .done = clock_done,
};

void radio_sync_time(Radio *radio, radio_sync_time_done_t done, void *userdata) {
        ClockRequest *c = g_new0(ClockRequest, 1);

        c->done = done;
        c->userdata = userdata;
        request_submit(radio, &c->request, &clock_kind);
}
