/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "clock.h"
#include "events.h"
#include "macros.h"
#include "protocol.h"
#include "radio-internal.h"
#include <syslog.h>

/* Stray message frames that came before SELF_INFO told whose they are. */
#define EARLY_MAX 16
/* Frames that neither store nor spool could take. */
#define HELD_MAX 64

/* One frame that neither the store nor the spool could take. Nothing is
 * popped while it waits here. */
typedef struct Held {
        uint64_t timestamp_usec;
        bool has_identity; /* else: whoever SELF_INFO names */
        PublicKey identity;
        GBytes *frame;
} Held;

struct Receive {
        Radio *radio;
        bool started;        /* the identity is known and the session is up */
        bool popping;        /* a pop is outstanding */
        bool again;          /* MSG_WAITING came while popping */
        bool waits_for_slot; /* the spool has a message of a channel that must be asked for first */
        bool holding;        /* nothing is popped */
        size_t announced;    /* MSG_WAITING since then */
        size_t left;         /* of those, still to be popped */
        receive_done_t done; /* of receive_hold() or receive_settle() */
        void *done_userdata;
        GQueue held;            /* Held: stray frames too early, or what no disk would take */
        sd_event_source *retry; /* store full */
        sd_event_source *poll;  /* the slow drain */
};

static void receive_pop(Receive *rx);

static void receive_remember(Receive *rx, const PublicKey *identity, uint64_t timestamp_usec, Slice raw) {
        Held *held = g_new0(Held, 1);

        held->timestamp_usec = timestamp_usec;
        held->frame = g_bytes_new(raw.data, raw.size);
        if (identity) {
                held->has_identity = true;
                held->identity = *identity;
        }
        g_queue_push_tail(&rx->held, held);
}

static void held_free(gpointer p) {
        Held *held = p;

        g_bytes_unref(held->frame);
        g_free(held);
}

bool raw_is_message(Slice raw) {
        switch (raw.size > 0 ? raw.data[0] : 0) {
        case RESP_CONTACT_MSG_RECV:
        case RESP_CHANNEL_MSG_RECV:
        case RESP_CONTACT_MSG_RECV_V3:
        case RESP_CHANNEL_MSG_RECV_V3:
        case RESP_CHANNEL_DATA_RECV:
                return true;
        default:
                return false;
        }
}

static int on_store_retry(sd_event_source *source, uint64_t usec, void *userdata) {
        Receive *rx = userdata;

        rx->retry = sd_event_source_disable_unref(rx->retry);
        receive_drain(rx);
        return 0;
}

static void receive_tell(Receive *rx, int r) {
        receive_done_t done = g_steal_pointer(&rx->done);

        rx->left = 0;
        if (!done)
                return;
        rx->holding = r >= 0;
        rx->announced = 0;
        done(r, rx->done_userdata);
}

/* The store cannot take anything now. The radio keeps its messages until we
 * ask, so the rule is just not to ask. */
static void receive_pause(Receive *rx, int error) {
        Radio *radio = rx->radio;

        if (radio->reason != REASON_STORAGE_FULL)
                radio_log_event(radio, EVENT_STORAGE_FULL, LOG_ERR, error,
                                "cannot store messages, leaving them in the radio; make room in the state "
                                "directory");
        if (radio->state == RADIO_READY || radio->state == RADIO_SYNCING)
                radio_enter_state(radio, RADIO_SYNCING, REASON_STORAGE_FULL);
        if (!rx->retry)
                (void) sd_event_add_time_relative(manager_event(radio->manager), &rx->retry, CLOCK_BOOTTIME,
                                                  radio_timing.store_retry_usec, 0, on_store_retry, rx);
        receive_tell(rx, error);
}

static int receive_commit(Identity *identity, const Frame *frame, Slice raw, uint64_t timestamp_usec) {
        g_autoptr(Message) message = translate_message(identity, frame, raw, timestamp_usec);
        ReceiveResult result;
        int r;

        r = identity_receive(identity, message, &result);
        if (r == -EUCLEAN) /* the damaged history was set aside, the new one takes it */
                r = identity_receive(identity, message, &result);
        if (r < 0)
                return r;
        if (message->has_peer_key && result == RECEIVE_NEW)
                identity_touch_contact(identity, &message->peer, timestamp_usec);

        return 0;
}

int receive_import(Identity *identity, uint64_t timestamp_usec, Slice raw) {
        Frame decoded;
        bool ok = frame_decode(raw.data, raw.size, NULL, &decoded) >= 0;

        return receive_commit(identity, ok ? &decoded : NULL, raw, timestamp_usec);
}

/* From here on the frame exists nowhere else: store, else spool, else memory.
 * Returns 0 when it is on the disk. */
static int receive_keep(Receive *rx, const Frame *frame, Slice raw) {
        Radio *radio = rx->radio;
        uint64_t now = clock_realtime_usec();
        int r, k;

        r = receive_commit(radio->identity, frame, raw, now);
        if (r >= 0) {
                if (frame && frame->kind == FRAME_CONTACT_MESSAGE &&
                    frame->message.text_type == TEXT_CLI_DATA)
                        nodes_cli_reply(radio->nodes, frame);
                if (frame && frame->kind == FRAME_CONTACT_MESSAGE &&
                    frame->message.text_type == TEXT_SIGNED_PLAIN)
                        nodes_post(radio->nodes, frame->message.sender);
                return 0;
        }

        radio_log_about(radio, LOG_ERR, r, NULL, "messages",
                        "cannot commit a message, putting it into the spool");
        k = store_spool_append(manager_store(radio->manager), identity_key(radio->identity), now, raw);
        if (k < 0) {
                radio_log_about(radio, LOG_ERR, k, NULL, "messages",
                                "cannot write the spool either, holding the message in memory");
                receive_remember(rx, identity_key(radio->identity), now, raw);
        }

        return r;
}

/* A message of a slot that was empty the last time: another program may have put a channel there since. The
 * spool has the message until that is known. Should somebody else empty it before, the channel is as unknown
 * as it is. */
static bool wait_for_slot(Receive *rx, const Frame *frame, Slice raw) {
        Radio *radio = rx->radio;

        if (!frame || (frame->kind != FRAME_CHANNEL_MESSAGE && frame->kind != FRAME_CHANNEL_DATA) ||
            sync_knows_slot(radio->sync, frame->message.channel))
                return false;
        if (store_spool_append(manager_store(radio->manager), identity_key(radio->identity),
                               clock_realtime_usec(), raw) < 0)
                return false;

        rx->waits_for_slot = sync_read_slot(radio->sync, frame->message.channel) >= 0;
        if (!rx->waits_for_slot)
                receive_pop(rx);
        return true;
}

void receive_slot_told(Receive *rx) {
        rx->waits_for_slot = false;
        receive_pop(rx);
}

/* Returns 0 when nothing waits any more that can be stored now. */
static int receive_flush_held(Receive *rx) {
        Held *held;

        while ((held = g_queue_peek_head(&rx->held))) {
                Slice raw;
                int r;

                if (!held->has_identity && !rx->started)
                        return 0;
                raw.data = g_bytes_get_data(held->frame, &raw.size);
                r = manager_import_frame(rx->radio->manager,
                                         held->has_identity ? &held->identity
                                                            : identity_key(rx->radio->identity),
                                         held->timestamp_usec, raw);
                if (r < 0)
                        return r;
                held_free(g_queue_pop_head(&rx->held));
        }

        return 0;
}

/* What is held came when the spool was full. */
int receive_catch_up(Receive *rx) {
        int r;

        r = manager_import_spool(rx->radio->manager);
        return r < 0 ? r : receive_flush_held(rx);
}

static void pop_done(Receive *rx, const SessionReply *reply) {
        int r;

        switch (reply->result) {
        case SESSION_CLOSED:
                return;
        case SESSION_TIMEOUT:
                /* Perhaps the radio could not send the answer, wire reference 7.3. The
                 * session finds out whether it lives; if it does, go on. */
                radio_log_about(rx->radio, LOG_WARNING, 0, NULL, "messages",
                                "no answer to the request for the next message, asking again");
                receive_pop(rx);
                return;
        default:
                break;
        }

        if (reply->frame && reply->frame->code == RESP_NO_MORE_MESSAGES) {
                if (rx->again && rx->left == 0)
                        receive_pop(rx);
                else {
                        receive_tell(rx, 0);
                        sync_drained(rx->radio->sync);
                }
                return;
        }
        if (reply->frame && reply->frame->code == RESP_ERR) {
                radio_log_about(rx->radio, LOG_WARNING, 0, NULL, "messages",
                                "the radio refuses to hand out messages (error %u)",
                                reply->frame->error.code);
                receive_tell(rx, -EPROTO);
                sync_drained(rx->radio->sync);
                return;
        }

        if (wait_for_slot(rx, reply->frame, reply->raw))
                return;

        r = receive_keep(rx, reply->frame, reply->raw);
        if (r < 0)
                receive_pause(rx, r);
        else if (rx->left > 0 && --rx->left == 0)
                receive_tell(rx, 0);
        else
                receive_pop(rx);
}

static void pop_reply(Session *session, const SessionReply *reply, void *userdata) {
        Receive *rx = userdata;

        rx->popping = false;
        pop_done(rx, reply);
        radio_check_finished(rx->radio);
}

static void receive_pop(Receive *rx) {
        Radio *radio = rx->radio;
        Command command;
        int r;

        if (!rx->started || !radio->session || radio->finish)
                return;

        r = receive_catch_up(rx);
        if (r >= 0)
                r = store_check_room(manager_store(radio->manager));
        if (r < 0) {
                receive_pause(rx, r);
                return;
        }

        rx->again = false;
        (void) command_sync_next_message(&command);
        r = session_call(radio->session, &command, SESSION_BACKGROUND, pop_reply, rx);
        if (r < 0) {
                radio_log_about(radio, LOG_WARNING, r, NULL, "messages",
                                "cannot ask for the next message, leaving it to the next poll");
                receive_tell(rx, r);
        } else
                rx->popping = true;
}

bool receive_is_finished(const Receive *rx) {
        return !rx->popping;
}

void receive_go_on(Receive *rx) {
        if (rx->done && !rx->popping)
                receive_pop(rx);
        else
                receive_drain(rx);
}

void receive_hold(Receive *rx, receive_done_t done, void *userdata) {
        rx->done = done;
        rx->done_userdata = userdata;
        receive_drain(rx);
}

void receive_settle(Receive *rx, receive_done_t done, void *userdata) {
        rx->done = done;
        rx->done_userdata = userdata;
        rx->left = rx->announced;
        if (rx->left > 0)
                receive_pop(rx);
        else
                receive_tell(rx, 0);
}

void receive_release(Receive *rx) {
        rx->holding = false;
        receive_drain(rx);
}

void receive_drain(Receive *rx) {
        if (rx->holding)
                rx->announced++;
        else if (rx->popping)
                rx->again = true;
        else if (!rx->retry && !rx->waits_for_slot)
                receive_pop(rx);
}

void receive_frame(Receive *rx, const Frame *frame, Slice raw) {
        Radio *radio = rx->radio;
        int r;

        radio_log_about(radio, LOG_DEBUG, 0, NULL, "messages", "a message came that we did not ask for");

        if (rx->started && rx->held.length >= HELD_MAX) {
                radio_fail(radio, REASON_STORAGE_FULL, OUTCOME_STORAGE_FULL,
                           "the radio sends messages unasked, and nothing can be stored");
                return;
        }
        if (!rx->started) {
                if (rx->held.length >= EARLY_MAX) {
                        radio_log_about(radio, LOG_WARNING, 0, NULL, "messages",
                                        "too many messages before the radio said who it is, dropping one");
                        return;
                }
                receive_remember(rx, NULL, clock_realtime_usec(), raw);
                return;
        }

        r = receive_keep(rx, frame, raw);
        if (r < 0)
                receive_pause(rx, r);
}

static int on_poll(sd_event_source *source, uint64_t usec, void *userdata) {
        Receive *rx = userdata;

        if (!rx->holding)
                receive_drain(rx);
        sync_poll(rx->radio->sync);
        radio_flush(rx->radio);
        (void) sd_event_source_set_time_relative(source, rx->radio->settings->poll_usec);
        (void) sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
        return 0;
}

void receive_start(Receive *rx) {
        Radio *radio = rx->radio;
        int r;

        rx->started = true;
        if (!rx->poll) {
                /* Nobody waits for this one: let it share a wake-up. */
                r = sd_event_add_time_relative(manager_event(radio->manager), &rx->poll, CLOCK_BOOTTIME,
                                               radio->settings->poll_usec, radio->settings->poll_usec / 8,
                                               on_poll, rx);
                if (r < 0)
                        radio_log_about(radio, LOG_WARNING, r, NULL, "messages",
                                        "cannot arm the slow poll, ignoring");
        }
        if (receive_flush_held(rx) < 0)
                radio_log_about(radio, LOG_WARNING, 0, NULL, "messages", "cannot store stray messages yet");
}

void receive_stop(Receive *rx) {
        rx->started = false;
        rx->popping = false;
        rx->again = false;
        rx->waits_for_slot = false;
        rx->holding = false;
        rx->left = 0;
        rx->done = NULL;
        rx->retry = sd_event_source_disable_unref(rx->retry);
        rx->poll = sd_event_source_disable_unref(rx->poll);
        radio_check_finished(rx->radio);
}

/* The end of the memory that they are held in. Who sent those that came before SELF_INFO nobody knows for
 * sure; most likely it is who was there the last time. */
void receive_give_up(Receive *rx) {
        const Identity *identity = rx->radio->identity;
        Held *held;

        while ((held = g_queue_pop_head(&rx->held))) {
                const PublicKey *key = held->has_identity ? &held->identity
                                       : identity         ? identity_key(identity)
                                                          : NULL;
                Slice raw;
                int r = -ENOENT;

                raw.data = g_bytes_get_data(held->frame, &raw.size);
                if (key)
                        r = manager_import_frame(rx->radio->manager, key, held->timestamp_usec, raw);
                if (r < 0 && key)
                        r = store_spool_append(manager_store(rx->radio->manager), key, held->timestamp_usec,
                                               raw);
                if (r < 0)
                        radio_log(rx->radio, LOG_ERR, r, "a message is lost that could not be stored");
                held_free(held);
        }
}

Receive *receive_new(Radio *radio) {
        Receive *rx = g_new0(Receive, 1);

        rx->radio = radio;
        g_queue_init(&rx->held);
        return rx;
}

Receive *receive_free(Receive *rx) {
        if (!rx)
                return NULL;

        receive_stop(rx);
        g_queue_clear_full(&rx->held, held_free);
        return g_free(rx), NULL;
}
