/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "clock.h"
#include "contact-internal.h"
#include "macros.h"
#include "mesh-api.h"

/* What the radio knows of a contact, asked of the radio and of nobody else. */

typedef struct Question {
        Request request;
        PublicKey key;
        uint64_t heard_usec; /* of an advert */
        PathHop path[CONTACT_PATH_HOPS_MAX];
        size_t n_path;
        bool connected;
        radio_advert_path_done_t advert_path_done; /* one of these */
        radio_has_connection_done_t has_connection_done;
        void *userdata;
} Question;

static void question_done(Request *request, const Outcome *outcome) {
        Question *q = (Question *) request;

        if (q->advert_path_done)
                q->advert_path_done(request->radio, outcome, q->heard_usec, q->path, q->n_path, q->userdata);
        else
                q->has_connection_done(request->radio, outcome, q->connected, q->userdata);
        g_free(q);
}

static Question *question_new(const PublicKey *key, void *userdata) {
        Question *q = g_new0(Question, 1);

        q->key = *key;
        q->userdata = userdata;
        return q;
}

/* -- the path of an advert ---------------------------------------------------------- */

static uint64_t from_radio_clock(const Radio *radio, uint32_t seconds) {
        int64_t usec = (int64_t) seconds * (int64_t) USEC_PER_SEC - radio->info.clock_skew_usec;

        return usec > 0 ? (uint64_t) usec : 0;
}

static void advert_path_answer(Request *request, const Frame *frame) {
        Question *q = (Question *) request;

        if (frame->code == RESP_ERR && frame->error.code == ERR_NOT_FOUND) {
                request_fail(request, OUTCOME_NOT_FOUND,
                             "the radio remembers no advert of this contact; it keeps the last 16 of all");
                return;
        }
        if (frame->code == RESP_ERR) {
                request_fail_firmware(request, frame->error.code);
                return;
        }

        q->heard_usec = from_radio_clock(request->radio, frame->advert_path.recv_time);
        q->n_path = translate_path(&frame->advert_path.path, q->path);
        request_succeed(request);
}

static void advert_path_start(Request *request, const Frame *frame) {
        Command command;

        (void) command_get_advert_path(&command, &((Question *) request)->key);
        request_call_tolerant(request, &command, advert_path_answer);
}

static const RequestKind advert_path_kind = {
                .what = "cannot tell the path of the advert",
                .start = advert_path_start,
                .done = question_done,
};

void radio_get_advert_path(Radio *radio, const PublicKey *key, radio_advert_path_done_t done,
                           void *userdata) {
        Question *q = question_new(key, userdata);

        q->advert_path_done = done;
        request_submit(radio, &q->request, &advert_path_kind);
}

/* -- connections ---------------------------------------------------------------------- */

static void has_connection_answer(Request *request, const Frame *frame) {
        Question *q = (Question *) request;

        if (frame->code == RESP_ERR && frame->error.code != ERR_NOT_FOUND) {
                request_fail_firmware(request, frame->error.code);
                return;
        }
        q->connected = frame->code == RESP_OK;
        request_succeed(request);
}

static void has_connection_start(Request *request, const Frame *frame) {
        Command command;

        (void) command_has_connection(&command, &((Question *) request)->key);
        request_call_tolerant(request, &command, has_connection_answer);
}

static const RequestKind has_connection_kind = {
                .what = "cannot tell whether there is a connection",
                .start = has_connection_start,
                .done = question_done,
};

void radio_has_connection(Radio *radio, const PublicKey *key, radio_has_connection_done_t done,
                          void *userdata) {
        Question *q = question_new(key, userdata);

        q->has_connection_done = done;
        request_submit(radio, &q->request, &has_connection_kind);
}

/* -- the radio's record of a contact ----------------------------------------------------- */

static void refresh_fetched(Request *request, const Frame *frame) {
        ContactRequest *c = (ContactRequest *) request;
        int r;

        r = identity_put_contact(request->radio->identity, c->wanted);
        if (r < 0)
                request_fail_errno(request, r);
        else
                request_succeed(request);
}

static void refresh_start(Request *request, const Frame *frame) {
        contact_request_fetch((ContactRequest *) request, refresh_fetched);
}

static const RequestKind refresh_kind = {
                .what = "cannot read the contact",
                .start = refresh_start,
                .done = contact_request_done,
};

void radio_refresh_contact(Radio *radio, const PublicKey *key, radio_done_t done, void *userdata) {
        ContactRequest *c = contact_request_new(key);

        c->done = done;
        c->userdata = userdata;
        request_submit(radio, &c->request, &refresh_kind);
}
