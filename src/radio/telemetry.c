/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "telemetry.h"
#include "lpp.h"
#include "request-internal.h"

#define TELEMETRY_LEVEL 5 /* firmware 1.6.0 */

/* What the values of a quantity with several are called, and the unit where that differs. */
static const char *component_of(unsigned type, size_t i, const char **unit) {
        static const char *const position[] = {"latitude", "longitude", "altitude"},
                                 *const axes[] = {"x", "y", "z"}, *const colours[] = {"red", "green", "blue"};

        switch (type) {
        case LPP_GPS:
                *unit = i < 2 ? "°" : "m";
                return position[i];
        case LPP_COLOUR:
                return colours[i];
        default:
                return axes[i];
        }
}

GArray *telemetry_parse(Slice data) {
        GArray *values = g_array_new(false, true, sizeof(TelemetryValue));
        LppReader reader;
        LppItem item;

        lpp_init(&reader, data);
        while (lpp_next(&reader, &item)) {
                TelemetryValue value = {
                                .channel = item.channel,
                                .type = item.type,
                                .quantity = lpp_type_to_string(item.type),
                                .unit = lpp_type_unit(item.type),
                };

                for (size_t i = 0; i < item.n_values; i++) {
                        if (item.n_values > 1)
                                value.component = component_of(item.type, i, &value.unit);
                        value.value = (double) item.values[i] / item.scales[i];
                        g_array_append_val(values, value);
                }
                if (item.n_values == 0) {
                        value.data = item.raw;
                        g_array_append_val(values, value);
                }
        }

        if (reader.end == LPP_END_UNKNOWN && reader.offset + 2 <= data.size) {
                TelemetryValue value = {
                                .channel = data.data[reader.offset],
                                .type = data.data[reader.offset + 1],
                                .unit = "",
                                .data = {data.data + reader.offset + 2, data.size - reader.offset - 2},
                };

                value.quantity = lpp_type_to_string(value.type);
                g_array_append_val(values, value);
        }
        return values;
}

/* -- the radio's own ------------------------------------------------------------- */

typedef struct TelemetryRequest {
        Request request;
        const GArray *values; /* while done runs */
        radio_telemetry_done_t done;
        void *userdata;
} TelemetryRequest;

static void telemetry_answer(Request *request, const Frame *frame) {
        TelemetryRequest *t = (TelemetryRequest *) request;
        g_autoptr(GArray) values = telemetry_parse(frame->telemetry.data);

        t->values = values;
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

        t->done(request->radio, outcome, t->values ? (const TelemetryValue *) (void *) t->values->data : NULL,
                t->values ? t->values->len : 0, t->userdata);
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
