/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "request-internal.h"
#include "settings-api.h"

#define SIGN_LEVEL 3
#define SIGN_CHUNK 120 /* bytes, as every client does */

/* The radio gathers what is to be signed in one buffer: requests of a radio
 * run one after the other, so that nobody's bytes get among another's. */
typedef struct SignRequest {
        Request request;
        GByteArray *data;
        guint sent;
        uint8_t signature[SIGNATURE_SIZE];
        bool has_signature; /* signature is there */
        radio_bytes_done_t done;
        void *userdata;
} SignRequest;

static void signature_came(Request *request, const Frame *frame) {
        SignRequest *s = (SignRequest *) request;

        memcpy(s->signature, frame->signature.bytes, sizeof(s->signature));
        s->has_signature = true;
        request_succeed(request);
}

static void send_chunk(Request *request, const Frame *frame) {
        SignRequest *s = (SignRequest *) request;
        guint size = MIN(s->data->len - s->sent, (guint) SIGN_CHUNK);
        Command command;

        if (size == 0) {
                (void) command_sign_finish(&command);
                request_call(request, &command, signature_came);
                return;
        }

        (void) command_sign_data(&command, (Slice){s->data->data + s->sent, size});
        s->sent += size;
        request_call(request, &command, send_chunk);
}

static void sign_started(Request *request, const Frame *frame) {
        SignRequest *s = (SignRequest *) request;

        if (s->data->len > frame->sign_start.max_size)
                request_fail(request, OUTCOME_INVALID_ARGUMENTS, "this radio signs at most %u bytes",
                             frame->sign_start.max_size);
        else
                send_chunk(request, NULL);
}

static void sign_start(Request *request, const Frame *frame) {
        Command command;

        if (request->radio->info.level < SIGN_LEVEL) {
                request_fail(request, OUTCOME_NOT_SUPPORTED, "that takes firmware 1.4 or newer");
                return;
        }

        (void) command_sign_start(&command);
        request_call(request, &command, sign_started);
}

static void sign_done(Request *request, const Outcome *outcome) {
        SignRequest *s = (SignRequest *) request;

        s->done(request->radio, outcome, (Slice){s->signature, s->has_signature ? sizeof(s->signature) : 0},
                s->userdata);
        if (s->data->len > 0)
                explicit_bzero(s->data->data, s->data->len);
        g_byte_array_unref(s->data);
        g_free(s);
}

static const RequestKind sign_kind = {
                .what = "cannot sign",
                .start = sign_start,
                .done = sign_done,
};

void radio_sign(Radio *radio, Slice data, radio_bytes_done_t done, void *userdata) {
        SignRequest *s = g_new0(SignRequest, 1);
        g_auto(Outcome) outcome = {};

        s->done = done;
        s->userdata = userdata;
        s->data = g_byte_array_sized_new((guint) MIN(data.size, (size_t) RADIO_SIGN_MAX));
        if (data.size > RADIO_SIGN_MAX) {
                (void) outcome_set(&outcome, OUTCOME_INVALID_ARGUMENTS,
                                   "%s: these are %zu bytes, a radio takes at most %d", sign_kind.what,
                                   data.size, RADIO_SIGN_MAX);
                request_submit_failed(radio, &s->request, &sign_kind, &outcome);
                return;
        }

        if (data.size > 0)
                g_byte_array_append(s->data, data.data, (guint) data.size);
        request_submit(radio, &s->request, &sign_kind);
}
