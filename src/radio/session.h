/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The companion dialogue over one open link: one command outstanding, replies
 * matched by kind, pushes at any time, a deadline for each command (wire
 * reference 2.5). Knows frames, not links: bytes come and go through the
 * handler. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "command.h"
#include "frame.h"

typedef struct Session Session;

typedef enum SessionPriority {
        SESSION_PERSON,     /* somebody waits for it */
        SESSION_BACKGROUND, /* syncs and polls */
        _SESSION_PRIORITY_MAX,
} SessionPriority;

typedef enum SessionResult {
        SESSION_REPLY,     /* frame and raw are the answer, an ERR frame among them */
        SESSION_MALFORMED, /* an answer by its code, but undecodable: only raw */
        SESSION_TIMEOUT,
        SESSION_CLOSED, /* session_close(): the link went */
} SessionResult;

typedef struct SessionReply {
        SessionResult result;
        const Frame *frame; /* borrowed, SESSION_REPLY only */
        Slice raw;          /* borrowed */
        bool unsent;        /* SESSION_CLOSED: the radio never got the command */
} SessionReply;

/* Runs exactly once for each session_call() that returned 0, never from inside
 * it. */
typedef void (*session_reply_t)(Session *session, const SessionReply *reply, void *userdata);

/* One frame of a dump before its last. */
typedef void (*session_item_t)(Session *session, const Frame *frame, void *userdata);

typedef struct SessionHandler {
        int (*send)(const uint8_t *frame, size_t size, void *userdata);
        /* A push, or a response that nobody asked for. frame is NULL when it could not be decoded. */
        void (*unsolicited)(Session *session, const Frame *frame, Slice raw, void *userdata);
        /* The radio has stopped to answer; the owner closes the session. */
        void (*dead)(Session *session, void *userdata);
} SessionHandler;

/* Deadlines in µs. After a timeout nobody knows whether a late answer is still
 * on its way and would be taken for the next command's, so the session asks DEVICE_QUERY
 * until it is answered and treats all before that as unsolicited; after
 * probes unanswered ones it is dead. */
typedef struct SessionTiming {
        uint64_t command_usec; /* 5 s */
        uint64_t slow_usec;    /* commands that write flash or sign: 20 s */
        uint64_t item_usec;    /* between two frames of a dump: 5 s */
        uint64_t probe_usec;   /* 2 s */
        unsigned probes;       /* 3 */
} SessionTiming;

extern const SessionTiming session_timing_default;

int session_new(sd_event *event, const SessionHandler *handler, void *userdata, const SessionTiming *timing,
                Session **ret);

/* Completes everything with SESSION_CLOSED; calls fail from then on. */
void session_close(Session *session);
Session *session_free(Session *session); /* closes first */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Session, session_free)

/* A frame from the link. */
void session_input(Session *session, const uint8_t *frame, size_t size);

/* What to decode with, once DEVICE_INFO has told. */
void session_set_level(Session *session, uint8_t level);

/* Queues the command. Returns 0, -ENOTCONN after session_close(), or -ENOBUFS
 * when 256 wait already. */
int session_call(Session *session, const Command *command, SessionPriority priority, session_reply_t reply,
                 void *userdata);

/* GET_CONTACTS: item for CONTACTS_START and every CONTACT, reply with
 * END_OF_CONTACTS (or ERR). */
int session_call_dump(Session *session, const Command *command, session_item_t item, session_reply_t reply,
                      void *userdata);

/* Frames received since session_new(). */
uint64_t session_n_received(const Session *session);
