/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "telemetry.h"
#include "lpp.h"
#include "request-internal.h"

#define TELEMETRY_LEVEL 5 /* firmware 1.6.0 */

void telemetry_parse(Slice data, Telemetry *ret) {
        Telemetry telemetry = {.values = g_array_new(false, true, sizeof(TelemetryValue))};
        LppReader reader;
        LppItem item;

        lpp_init(&reader, data);
        while (lpp_next(&reader, &item)) {
                TelemetryValue value = {
                                .channel = item.channel,
                                .quantity = lpp_type_to_string(item.type),
                                .unit = lpp_type_unit(item.type),
                                .n_values = MIN(item.n_values, TELEMETRY_VALUES_MAX),
                                .raw = item.raw,
                };

                for (size_t i = 0; i < value.n_values; i++)
                        value.values[i] = (double) item.values[i] / item.scales[i];
                g_array_append_val(telemetry.values, value);
        }
        if (reader.end == LPP_END_UNKNOWN || reader.end == LPP_END_GARBAGE)
                telemetry.rest = (Slice){data.data + reader.offset, data.size - reader.offset};

        *ret = telemetry;
}

void telemetry_clear(Telemetry *telemetry) {
        g_clear_pointer(&telemetry->values, g_array_unref);
        telemetry->rest = (Slice){};
}

/* -- the radio's own ------------------------------------------------------------- */

typedef struct TelemetryRequest {
        Request request;
        const Telemetry *telemetry; /* while done runs */
        radio_telemetry_done_t done;
        void *userdata;
} TelemetryRequest;

static void telemetry_answer(Request *request, const Frame *frame) {
        TelemetryRequest *t = (TelemetryRequest *) request;
        g_auto(Telemetry) telemetry = {};

        telemetry_parse(frame->telemetry.data, &telemetry);
        t->telemetry = &telemetry;
        request_succeed(request);
}

static void telemetry_start(Request *request, const Frame *frame) {
        Command command;

        if (request->radio->info.level < TELEMETRY_LEVEL) {
                request_fail(request, OUTCOME_NOT_SUPPORTED, "that takes firmware 1.6 or newer");
                return;
        }

        (void) command_get_self_telemetry(&command);
        request_call(request, &command, telemetry_answer);
}

static void telemetry_done(Request *request, const Outcome *outcome) {
        TelemetryRequest *t = (TelemetryRequest *) request;

        t->done(request->radio, outcome, t->telemetry, t->userdata);
        g_free(t);
}

static const RequestKind telemetry_kind = {
                .what = "cannot read the radio's telemetry",
                .start = telemetry_start,
                .done = telemetry_done,
};

void radio_get_telemetry(Radio *radio, radio_telemetry_done_t done, void *userdata) {
        TelemetryRequest *t = g_new0(TelemetryRequest, 1);

        t->done = done;
        t->userdata = userdata;
        request_submit(radio, &t->request, &telemetry_kind);
}
