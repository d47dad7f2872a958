/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "session.h"

#include <string.h>

#include "macros.h"
#include "protocol.h"

#define QUEUE_MAX 256

const SessionTiming session_timing_default = {
                .command_usec = 5 * USEC_PER_SEC,
                .slow_usec = 20 * USEC_PER_SEC,
                .item_usec = 5 * USEC_PER_SEC,
                .probe_usec = 2 * USEC_PER_SEC,
                .probes = 3,
};

typedef struct Call {
        Command command;
        session_item_t item; /* a dump when set */
        session_reply_t reply;
        void *userdata;
} Call;

struct Session {
        SessionHandler handler;
        void *userdata;
        SessionTiming timing;
        sd_event_source *timer;
        FrameContext context;

        GQueue waiting[_SESSION_PRIORITY_MAX]; /* Call */
        Call *current;
        bool dump_started; /* CONTACTS_START of current was seen */
        unsigned probes;   /* outstanding DEVICE_QUERY after a timeout; 0: in step */
        bool closed;
        unsigned depth; /* inside session_input() or on_timer() … */
        bool doomed;    /* … in which session_free() was called */
        uint64_t n_received;
};

/* The responses that answer a command, wire reference 3; -1 ends a row. What
 * isn't listed is answered by OK. ERR answers everything. */
static const int16_t answers[][8] = {
                [CMD_APP_START] = {RESP_SELF_INFO, -1},
                [CMD_SEND_TXT_MSG] = {RESP_SENT, -1},
                [CMD_GET_CONTACTS] = {RESP_CONTACTS_START, RESP_CONTACT, RESP_END_OF_CONTACTS, -1},
                [CMD_GET_DEVICE_TIME] = {RESP_CURR_TIME, -1},
                [CMD_SYNC_NEXT_MESSAGE] = {RESP_CONTACT_MSG_RECV, RESP_CHANNEL_MSG_RECV,
                                           RESP_NO_MORE_MESSAGES, RESP_CONTACT_MSG_RECV_V3,
                                           RESP_CHANNEL_MSG_RECV_V3, RESP_CHANNEL_DATA_RECV, -1},
                [CMD_EXPORT_CONTACT] = {RESP_EXPORT_CONTACT, -1},
                [CMD_GET_BATT_AND_STORAGE] = {RESP_BATT_AND_STORAGE, -1},
                [CMD_DEVICE_QUERY] = {RESP_DEVICE_INFO, -1},
                [CMD_EXPORT_PRIVATE_KEY] = {RESP_PRIVATE_KEY, RESP_DISABLED, -1},
                [CMD_IMPORT_PRIVATE_KEY] = {RESP_DISABLED, RESP_OK, -1},
                [CMD_SEND_LOGIN] = {RESP_SENT, -1},
                [CMD_SEND_STATUS_REQ] = {RESP_SENT, -1},
                [CMD_GET_CONTACT_BY_KEY] = {RESP_CONTACT, -1},
                [CMD_GET_CHANNEL] = {RESP_CHANNEL_INFO, -1},
                [CMD_SIGN_START] = {RESP_SIGN_START, -1},
                [CMD_SIGN_FINISH] = {RESP_SIGNATURE, -1},
                [CMD_SEND_TRACE_PATH] = {RESP_SENT, -1},
                [CMD_SEND_TELEMETRY_REQ] = {RESP_SENT, PUSH_TELEMETRY_RESPONSE, -1},
                [CMD_GET_CUSTOM_VARS] = {RESP_CUSTOM_VARS, -1},
                [CMD_GET_ADVERT_PATH] = {RESP_ADVERT_PATH, -1},
                [CMD_GET_TUNING_PARAMS] = {RESP_TUNING_PARAMS, -1},
                [CMD_SEND_BINARY_REQ] = {RESP_SENT, -1},
                [CMD_SEND_PATH_DISCOVERY_REQ] = {RESP_SENT, -1},
                [CMD_GET_STATS] = {RESP_STATS, -1},
                [CMD_SEND_ANON_REQ] = {RESP_SENT, -1},
                [CMD_GET_AUTOADD_CONFIG] = {RESP_AUTOADD_CONFIG, -1},
                [CMD_GET_ALLOWED_REPEAT_FREQ] = {RESP_ALLOWED_REPEAT_FREQ, -1},
                [CMD_GET_DEFAULT_FLOOD_SCOPE] = {RESP_DEFAULT_FLOOD_SCOPE, -1},
                [CMD_SEND_RAW_PACKET] = {},
};

/* Obeyed without an answer. */
static bool command_is_last(uint8_t code) {
        return code == CMD_REBOOT || code == CMD_FACTORY_RESET;
}

static bool command_is_slow(uint8_t code) {
        switch (code) {
        case CMD_ADD_UPDATE_CONTACT:
        case CMD_IMPORT_CONTACT:
        case CMD_IMPORT_PRIVATE_KEY:
        case CMD_SET_CHANNEL:
        case CMD_SIGN_FINISH:
                return true;
        default:
                return false;
        }
}

static bool command_is_answered_by(const Command *command, uint8_t code) {
        uint8_t c = command->data[0];

        if (code == RESP_ERR)
                return true;

        /* Our own telemetry is answered by a push, a contact's by SENT: wire reference 2.5 (a). */
        if (c == CMD_SEND_TELEMETRY_REQ)
                return code == (command->size == 4 ? PUSH_TELEMETRY_RESPONSE : RESP_SENT);

        /* A newer firmware may queue messages of a kind that we don't know yet. */
        if (c == CMD_SYNC_NEXT_MESSAGE && code > RESP_DEFAULT_FLOOD_SCOPE && code < PUSH_FIRST)
                return true;

        if (c >= ELEMENTSOF(answers) || answers[c][0] == 0)
                return code == RESP_OK;

        for (size_t i = 0; answers[c][i] >= 0; i++)
                if (answers[c][i] == code)
                        return true;
        return false;
}

static void session_start_next(Session *s);

static void session_arm(Session *s, uint64_t usec) {
        (void) sd_event_source_set_time_relative(s->timer, usec);
        (void) sd_event_source_set_enabled(s->timer, SD_EVENT_ONESHOT);
}

static void session_disarm(Session *s) {
        (void) sd_event_source_set_enabled(s->timer, SD_EVENT_OFF);
}

/* Some commands carry a key or a PIN. */
static void call_free(Call *call) {
        explicit_bzero(&call->command, sizeof(call->command));
        g_free(call);
}

/* Takes current out before the callback runs: that may close the session or
 * queue the next command. */
static void session_tell(Session *s, const SessionReply *reply) {
        Call *call = g_steal_pointer(&s->current);

        session_disarm(s);
        call->reply(s, reply, call->userdata);
        call_free(call);
}

static void session_complete(Session *s, SessionResult result, const Frame *frame, Slice raw) {
        const SessionReply reply = {.result = result, .frame = frame, .raw = raw};

        session_tell(s, &reply);
}

static void session_enter(Session *s) {
        s->depth++;
}

static void session_leave(Session *s) {
        if (--s->depth > 0 || !s->doomed)
                return;

        sd_event_source_disable_unref(s->timer);
        g_free(s);
}

static void session_send_probe(Session *s) {
        static const uint8_t query[] = {CMD_DEVICE_QUERY, PROTOCOL_LEVEL_KNOWN};

        s->probes++;
        (void) s->handler.send(query, sizeof(query), s->userdata);
        session_arm(s, s->timing.probe_usec);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        Session *s = userdata;

        session_enter(s);
        if (s->probes >= s->timing.probes) {
                session_disarm(s);
                s->handler.dead(s, s->userdata);
                session_leave(s);
                return 0;
        }

        /* The probe is out before the caller hears of the timeout, so that whatever it queues
         * waits for the answer. */
        session_send_probe(s);
        if (s->current) {
                Call *call = g_steal_pointer(&s->current);
                SessionReply reply = {.result = SESSION_TIMEOUT};

                call->reply(s, &reply, call->userdata);
                call_free(call);
        }

        session_leave(s);
        return 0;
}

static uint64_t session_deadline(const Session *s) {
        /* A radio that waits for the rest of a former client's frame takes our first query for
         * it: don't wait long to ask again (wire reference 1.2). */
        if (s->n_received == 0)
                return MIN(s->timing.probe_usec, s->timing.command_usec);
        if (command_is_last(s->current->command.data[0]))
                return s->timing.probe_usec;
        return command_is_slow(s->current->command.data[0]) ? s->timing.slow_usec : s->timing.command_usec;
}

static void session_start_next(Session *s) {
        if (s->closed || s->current || s->probes > 0)
                return;

        for (size_t i = 0; i < ELEMENTSOF(s->waiting) && !s->current; i++)
                s->current = g_queue_pop_head(&s->waiting[i]);
        if (!s->current)
                return;

        s->dump_started = false;
        /* A link that fails here tells so by its own event. */
        (void) s->handler.send(s->current->command.data, s->current->command.size, s->userdata);
        /* Code and size tell the answer; the rest may be a password, and is the link's business now. */
        explicit_bzero(s->current->command.data + 1, s->current->command.size - 1);
        session_arm(s, session_deadline(s));
}

/* Returns whether the frame belongs to the dump that is running. */
static bool session_input_dump(Session *s, const Frame *frame, uint8_t code, Slice raw) {
        if (code == RESP_CONTACTS_START && !s->dump_started)
                s->dump_started = true;
        else if (!s->dump_started && code != RESP_ERR)
                return false; /* the tail of a former client's dump */
        else if (code == RESP_END_OF_CONTACTS || code == RESP_ERR) {
                session_complete(s, frame ? SESSION_REPLY : SESSION_MALFORMED, frame, raw);
                return true;
        }

        session_arm(s, s->timing.item_usec);
        if (frame)
                s->current->item(s, frame, s->current->userdata);
        return true;
}

void session_input(Session *s, const uint8_t *data, size_t size) {
        Slice raw = {data, size};
        Frame decoded;
        const Frame *frame = NULL;

        if (s->closed || size == 0)
                return;
        s->n_received++;
        if (frame_decode(data, size, &s->context, &decoded) >= 0)
                frame = &decoded;

        session_enter(s);
        if (s->probes > 0 && data[0] == RESP_DEVICE_INFO) {
                s->probes = 0;
                session_disarm(s);
        } else if (!s->current || s->probes > 0 || !command_is_answered_by(&s->current->command, data[0]))
                s->handler.unsolicited(s, frame, raw, s->userdata);
        else if (!s->current->item)
                session_complete(s, frame ? SESSION_REPLY : SESSION_MALFORMED, frame, raw);
        else if (!session_input_dump(s, frame, data[0], raw))
                s->handler.unsolicited(s, frame, raw, s->userdata);

        session_start_next(s);
        session_leave(s);
}

void session_set_level(Session *s, uint8_t level) {
        s->context.level = level;
}

static int session_queue(Session *s, const Command *command, SessionPriority priority, session_item_t item,
                         session_reply_t reply, void *userdata) {
        Call *call;

        if (s->closed)
                return -ENOTCONN;
        if (s->waiting[priority].length >= QUEUE_MAX)
                return -ENOBUFS;

        call = g_new0(Call, 1);
        call->command = *command;
        call->item = item;
        call->reply = reply;
        call->userdata = userdata;
        g_queue_push_tail(&s->waiting[priority], call);
        session_start_next(s);
        return 0;
}

int session_call(Session *s, const Command *command, SessionPriority priority, session_reply_t reply,
                 void *userdata) {
        return session_queue(s, command, priority, NULL, reply, userdata);
}

int session_call_dump(Session *s, const Command *command, session_item_t item, session_reply_t reply,
                      void *userdata) {
        return session_queue(s, command, SESSION_BACKGROUND, item, reply, userdata);
}

uint64_t session_n_received(const Session *s) {
        return s->n_received;
}

int session_new(sd_event *event, const SessionHandler *handler, void *userdata, const SessionTiming *timing,
                Session **ret) {
        g_autoptr(Session) s = g_new0(Session, 1);
        int r;

        s->handler = *handler;
        s->userdata = userdata;
        s->timing = timing ? *timing : session_timing_default;
        r = sd_event_add_time_relative(event, &s->timer, CLOCK_BOOTTIME, UINT64_MAX / 2, 0, on_timer, s);
        if (r < 0)
                return r;
        session_disarm(s);

        *ret = g_steal_pointer(&s);
        return 0;
}

void session_close(Session *s) {
        if (s->closed)
                return;

        s->closed = true;
        session_disarm(s);
        if (s->current)
                session_complete(s, SESSION_CLOSED, NULL, (Slice){});
        for (size_t i = 0; i < ELEMENTSOF(s->waiting); i++)
                while ((s->current = g_queue_pop_head(&s->waiting[i])))
                        session_tell(s, &(SessionReply){.result = SESSION_CLOSED, .unsent = true});
}

Session *session_free(Session *s) {
        if (!s)
                return NULL;

        session_close(s);
        s->doomed = true;
        session_enter(s);
        session_leave(s);
        return NULL;
}
