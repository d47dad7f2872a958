/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What somebody asked of the radio and takes several commands. Requests of one
 * radio run one after the other, since most of them read a record and write it
 * back. Each ends exactly once, by request_end() or by what befalls the
 * radio, and never from inside the call that made it. */

#include "radio-internal.h"

typedef struct Request Request;

/* The request's turn has come, or the answer to its last command. frame is
 * NULL in the first case. */
typedef void (*request_step_t)(Request *request, const Frame *frame);

/* Tells the one who asked, then frees the request and what it embeds. */
typedef void (*request_done_t)(Request *request, const Outcome *outcome);

typedef struct RequestKind {
        const char *what; /* "cannot add the contact", in front of every error */
        request_step_t start;
        request_done_t done;
        bool internal; /* asked by ourselves: has no limit */
        bool offline;  /* starts also while the radio is not ready */
        /* While waiting: a push told of an advert, of a contact in the radio or (heard) one that is not. */
        void (*advert)(Request *request, const PublicKey *key, const Contact *heard);
} RequestKind;

typedef enum RequestPlace {
        REQUEST_WAITING,
        REQUEST_CURRENT,
        REQUEST_APART, /* waits for the radio without holding up others */
        REQUEST_ENDED, /* only to be told */
} RequestPlace;

/* The first member of what the operations make of it. */
struct Request {
        const RequestKind *kind;
        Radio *radio;
        RequestPlace place;
        request_step_t step;
        bool take_errors;  /* the next ERR goes to step too */
        bool take_silence; /* … or the lack of an answer */
        Outcome outcome;   /* REQUEST_ENDED */
        sd_event_source *timer;
        uint64_t session_calls; /* outstanding; never more than 1 */
};

#define REQUESTS_MAX 64

Requests *requests_new(Radio *radio);
/* All that are left end with Cancelled. */
Requests *requests_free(Requests *requests);
/* The link is gone: those apart end. */
void requests_stop(Requests *requests);
/* What they waited for may have come. */
void requests_wake(Requests *requests);
/* Passes a push on to all that wait. */
void requests_advert(Requests *requests, const PublicKey *key, const Contact *heard);

/* request was made with g_new0(); from here on it is owned by the queue. */
void request_submit(Radio *radio, Request *request, const RequestKind *kind);
/* The same for one that is wrong already: ends with the outcome (taken over) at the next turn of the loop. */
void request_submit_failed(Radio *radio, Request *request, const RequestKind *kind, Outcome *outcome);

/* For a request that may start offline: ends it, and returns false, when the radio is needed and not ready.
 */
bool request_require_ready(Request *request);

/* From start and step only; each of these is the last thing that a step does. Sends the command; step gets
 * the answer. ERR, a timeout and the like end the request, but for ERR after take_errors. */
void request_call(Request *request, const Command *command, request_step_t step);
void request_call_tolerant(Request *request, const Command *command, request_step_t step);
/* For commands that the radio obeys in silence: step gets NULL once the link went or the time is over. */
void request_call_unanswered(Request *request, const Command *command, request_step_t step);
void request_end(Request *request, const Outcome *outcome);
void request_succeed(Request *request);
void request_fail(Request *request, OutcomeCode code, const char *format, ...)
                __attribute__((format(printf, 3, 4)));
void request_fail_errno(Request *request, int error);
void request_fail_firmware(Request *request, unsigned error);
/* Lets others go on and waits; timeout is its next step. */
void request_wait(Request *request, uint64_t usec, request_step_t timeout);
/* Back from waiting: is current again as soon as that is free, then step runs. */
void request_resume(Request *request, request_step_t step);
