/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdarg.h>

#include "request-internal.h"

struct Requests {
        Radio *radio;
        GQueue waiting, apart, ended; /* Request */
        Request *current;
        sd_event_source *wakeup; /* exists all the time, switched on and off */
};

static Requests *requests_of(Request *request) {
        return request->radio->requests;
}

void requests_wake(Requests *q) {
        (void) sd_event_source_set_enabled(q->wakeup, SD_EVENT_ONESHOT);
}

/* -- ending ------------------------------------------------------------------ */

static void request_leave(Request *request) {
        Requests *q = requests_of(request);

        request->timer = sd_event_source_disable_unref(request->timer);
        switch (request->place) {
        case REQUEST_WAITING:
                g_queue_remove(&q->waiting, request);
                break;
        case REQUEST_CURRENT:
                q->current = NULL;
                break;
        case REQUEST_APART:
                g_queue_remove(&q->apart, request);
                break;
        case REQUEST_ENDED:
                g_queue_remove(&q->ended, request);
                break;
        }
}

void request_end(Request *request, const Outcome *outcome) {
        g_auto(Outcome) own = request->outcome;

        g_assert(request->session_calls == 0);
        request_leave(request);
        requests_wake(requests_of(request));
        request->kind->done(request, outcome ?: &own);
}

void request_succeed(Request *request) {
        const Outcome outcome = {};

        request_end(request, &outcome);
}

void request_fail(Request *request, OutcomeCode code, const char *format, ...) {
        g_auto(Outcome) outcome = {};
        g_autofree char *text = NULL;
        va_list ap;

        va_start(ap, format);
        text = g_strdup_vprintf(format, ap);
        va_end(ap);

        (void) outcome_set(&outcome, code, "%s: %s", request->kind->what, text);
        request_end(request, &outcome);
}

void request_fail_errno(Request *request, int error) {
        g_auto(Outcome) outcome = {};

        (void) outcome_set_errno(&outcome, error, request->kind->what);
        request_end(request, &outcome);
}

void request_fail_firmware(Request *request, unsigned error) {
        g_auto(Outcome) outcome = {};

        (void) outcome_set_firmware(&outcome, error, request->kind->what);
        request_end(request, &outcome);
}

/* -- running ----------------------------------------------------------------- */

static void request_fail_closed(Request *request) {
        if (request->radio->state == RADIO_STOPPED)
                request_fail(request, OUTCOME_CANCELLED, "the radio was stopped");
        else
                request_fail(request, OUTCOME_LINK_LOST,
                             "the link was lost; nobody knows whether it was done");
}

static void request_reply(Session *session, const SessionReply *reply, void *userdata) {
        Request *request = userdata;
        bool take_errors = request->take_errors, take_silence = request->take_silence;

        request->session_calls--;
        request->take_errors = request->take_silence = false;
        if (take_silence && !reply->unsent &&
            (reply->result == SESSION_TIMEOUT || reply->result == SESSION_CLOSED)) {
                request->step(request, NULL);
                return;
        }

        switch (reply->result) {
        case SESSION_REPLY:
                if (reply->frame->code == RESP_ERR && !take_errors)
                        request_fail_firmware(request, reply->frame->error.code);
                else
                        request->step(request, reply->frame);
                break;
        case SESSION_MALFORMED:
                request_fail(request, OUTCOME_FAILED, "the radio's answer makes no sense");
                break;
        case SESSION_TIMEOUT:
                request_fail(request, OUTCOME_TIMEOUT,
                             "the radio did not answer; nobody knows whether it was done");
                break;
        case SESSION_CLOSED:
                request_fail_closed(request);
                break;
        }
}

void request_call(Request *request, const Command *command, request_step_t step) {
        int r;

        request->step = step;
        r = request->radio->session ? session_call(request->radio->session, command, SESSION_PERSON,
                                                   request_reply, request)
                                    : -ENOTCONN;
        if (r < 0)
                request_fail_errno(request, r);
        else
                request->session_calls++;
}

void request_call_tolerant(Request *request, const Command *command, request_step_t step) {
        request->take_errors = true;
        request_call(request, command, step);
}

void request_call_unanswered(Request *request, const Command *command, request_step_t step) {
        request->take_silence = true;
        request_call(request, command, step);
}

bool request_require_ready(Request *request) {
        Radio *radio = request->radio;

        if (radio->state == RADIO_READY)
                return true;

        if (radio->state == RADIO_SYNCING)
                request_fail(request, OUTCOME_NOT_READY, "radio %s is not ready yet (%s); try again soon",
                             radio_id(radio), radio_reason_to_string(radio->reason));
        else
                request_fail(request, OUTCOME_NOT_CONNECTED, "radio %s is %s (%s)", radio_id(radio),
                             radio_state_to_string(radio->state), radio_reason_to_string(radio->reason));
        return false;
}

static int on_wakeup(sd_event_source *source, void *userdata) {
        Requests *q = userdata;
        Request *request;

        while ((request = g_queue_peek_head(&q->ended)))
                request_end(request, NULL);

        /* The free slots of channels, for one, may not be free any more. */
        if (q->radio->state == RADIO_READY && !sync_is_done(q->radio->sync))
                return 0;

        while (!q->current && (request = g_queue_pop_head(&q->waiting))) {
                request->place = REQUEST_CURRENT;
                q->current = request;
                if ((request->kind->offline && q->radio->identity) || request_require_ready(request))
                        request->step(request, NULL);
        }

        return 0;
}

/* -- waiting for the mesh -------------------------------------------------------- */

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        Request *request = userdata;

        request->timer = sd_event_source_disable_unref(request->timer);
        request->step(request, NULL);
        return 0;
}

void request_wait(Request *request, uint64_t usec, request_step_t timeout) {
        Requests *q = requests_of(request);
        int r;

        request_leave(request);
        request->step = timeout;
        request->place = REQUEST_APART;
        g_queue_push_tail(&q->apart, request);
        requests_wake(q);

        r = sd_event_add_time_relative(manager_event(request->radio->manager), &request->timer,
                                       CLOCK_BOOTTIME, usec, 0, on_timer, request);
        if (r < 0)
                request_fail_errno(request, r);
}

void request_resume(Request *request, request_step_t step) {
        Requests *q = requests_of(request);

        request_leave(request);
        request->step = step;
        request->place = REQUEST_WAITING;
        g_queue_push_head(&q->waiting, request);
        requests_wake(q);
}

/* -- life --------------------------------------------------------------------------- */

static void request_set_up(Radio *radio, Request *request, const RequestKind *kind) {
        request->kind = kind;
        request->radio = radio;
        request->step = kind->start;
        requests_wake(radio->requests);
}

void request_submit_failed(Radio *radio, Request *request, const RequestKind *kind, Outcome *outcome) {
        request_set_up(radio, request, kind);
        request->outcome = *outcome;
        *outcome = (Outcome){};
        request->place = REQUEST_ENDED;
        g_queue_push_tail(&radio->requests->ended, request);
}

void request_submit(Radio *radio, Request *request, const RequestKind *kind) {
        Requests *q = radio->requests;
        g_auto(Outcome) outcome = {};

        if (!kind->internal && q->waiting.length + q->apart.length >= REQUESTS_MAX) {
                (void) outcome_set(&outcome, OUTCOME_IN_PROGRESS,
                                   "%s: %d requests wait for radio %s already; try again later", kind->what,
                                   REQUESTS_MAX, radio_id(radio));
                request_submit_failed(radio, request, kind, &outcome);
                return;
        }

        request_set_up(radio, request, kind);
        request->place = REQUEST_WAITING;
        g_queue_push_tail(&q->waiting, request);
}

void requests_advert(Requests *q, const PublicKey *key, const Contact *heard) {
        GList *next;

        for (GList *l = q->apart.head; l; l = next) {
                Request *request = l->data;

                next = l->next;
                if (request->kind->advert)
                        request->kind->advert(request, key, heard);
        }
}

void requests_stop(Requests *q) {
        Request *request;

        /* What waits for a command's answer has heard of the end by the session. */
        while ((request = g_queue_peek_head(&q->apart) ?: q->current))
                request_fail_closed(request);
        requests_wake(q); /* those that were kept waiting */
}

Requests *requests_new(Radio *radio) {
        Requests *q = g_new0(Requests, 1);

        q->radio = radio;
        g_queue_init(&q->waiting);
        g_queue_init(&q->apart);
        g_queue_init(&q->ended);
        if (sd_event_add_defer(manager_event(radio->manager), &q->wakeup, on_wakeup, q) < 0)
                g_error("cannot create an event source");
        (void) sd_event_source_set_enabled(q->wakeup, SD_EVENT_OFF);
        return q;
}

Requests *requests_free(Requests *q) {
        Request *request;

        if (!q)
                return NULL;

        requests_stop(q);
        while ((request = g_queue_peek_head(&q->ended)))
                request_end(request, NULL);
        while ((request = g_queue_peek_head(&q->waiting)))
                request_fail(request, OUTCOME_CANCELLED, "the radio was removed");

        sd_event_source_disable_unref(q->wakeup);
        return g_free(q), NULL;
}
