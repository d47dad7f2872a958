/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <string.h>
#include <syslog.h>

#include "clock.h"
#include "delivery-internal.h"
#include "derive.h"
#include "macros.h"
#include "protocol.h"

/* Tries over the known path, then by flood. Four in all: with more, two of
 * them would share an acknowledgement (7.4.5). Where no path is known each one is a
 * flood, which costs everybody's air time. */
#define DIRECT_TRIES     2
#define TRIES            4
#define TRIES_FLOOD_ONLY 3

#define SENT_MARGIN_NUM 5 /* wait 5/4 of the radio's estimate, which leaves out queues and duty cycle */
#define SENT_MARGIN_DEN 4
#define BUSY_TRIES      60

#define outgoing_log(d, o, level, error, ...)                                                      \
        radio_log_about((d)->radio, level, error, (o)->to_channel ? NULL : &(o)->peer, "messages", \
                        __VA_ARGS__)
#define TEXT_HEAD 5 /* time, and type with attempt */

int outgoing_enter_state(Delivery *d, Outgoing *o, MessageState state, MessageUpdate *update) {
        MessageUpdate plain = {};
        int r;

        if (!update)
                update = &plain;
        update->set |= MESSAGE_CHANGED_STATE;
        update->state = state;

        r = identity_update_message(delivery_identity(d), o->id, update);
        if (r == -ENOENT) {
                /* Deleted under our hands: nothing is left to do. */
                delivery_forget(d, o);
                return r;
        }
        if (r < 0) {
                outgoing_log(d, o, LOG_ERR, r,
                             "cannot store that message %" PRIu64 " is %s, trying again later", o->id,
                             message_state_to_string(state));
                o->due_usec = clock_boottime_usec() + radio_timing.store_retry_usec;
                return r;
        }

        o->state = state;
        if (!message_state_is_open(state, o->to_channel))
                delivery_forget(d, o);
        return 0;
}

static void outgoing_fail(Delivery *d, Outgoing *o, const char *why) {
        MessageUpdate update = {.set = MESSAGE_CHANGED_ERROR, .error = why};

        outgoing_log(d, o, LOG_INFO, 0, "message %" PRIu64 " failed: %s", o->id, why);
        (void) outgoing_enter_state(d, o, MESSAGE_FAILED, &update);
}

/* Fixed at the first transmission, never lower than anything that went out
 * before (design, section 4, Send; wire reference 6.1). */
static uint32_t delivery_timestamp(Delivery *d) {
        uint64_t host = clock_realtime_usec();
        uint64_t radio = host;

        if (d->radio->info.clock_skew_usec > 0)
                radio += (uint64_t) d->radio->info.clock_skew_usec;
        return (uint32_t) MAX(MAX(host, radio) / USEC_PER_SEC,
                              (uint64_t) identity_last_timestamp(delivery_identity(d)) + 1);
}

/* -- answers ----------------------------------------------------------------- */

static void outgoing_sent(Delivery *d, Outgoing *o, const Frame *frame) {
        MessageUpdate update = {};

        if (!o->to_channel) {
                uint64_t wait = (uint64_t) frame->sent.est_timeout_ms * USEC_PER_MSEC * SENT_MARGIN_NUM /
                                SENT_MARGIN_DEN;

                o->due_usec = clock_boottime_usec() + MAX(wait, radio_timing.sent_wait_usec);
                d->tries[d->next_try] = o->id;
                d->next_try = (d->next_try + 1) % UNCONFIRMED_MAX;
                if (memcmp(frame->sent.tag, d->calling_ack, 4) != 0) {
                        update.add_attempt = true;
                        update.set |= MESSAGE_CHANGED_ATTEMPTS;
                        update.attempts = o->attempts;
                        memcpy(update.expected_ack, frame->sent.tag, 4);
                }
        }

        o->busy = 0;
        o->uncertain = false;
        (void) outgoing_enter_state(d, o, MESSAGE_SENT, &update);
}

/* It never went on air: the attempt does not count. */
static void outgoing_put_back(Delivery *d, Outgoing *o) {
        MessageUpdate update = {.set = MESSAGE_CHANGED_ATTEMPTS, .attempts = o->attempts - 1};

        if (outgoing_enter_state(d, o, o->attempts > 1 ? MESSAGE_SENT : MESSAGE_QUEUED, &update) < 0)
                return;
        o->attempts--;
        o->due_usec = clock_boottime_usec() + radio_timing.busy_wait_usec;
}

static void outgoing_refused(Delivery *d, Outgoing *o, unsigned error) {
        g_autofree char *why = NULL;

        if (error == ERR_TABLE_FULL && ++o->busy < BUSY_TRIES) {
                outgoing_put_back(d, o);
                return;
        }

        if (error == ERR_NOT_FOUND && !o->to_channel) {
                (void) book_note_removed(d->radio, &o->peer);
                why = g_strdup(REMOVED_ELSEWHERE);
        } else
                why = g_strdup_printf("the radio refused it: %s", error_code_to_string(error));
        outgoing_fail(d, o, why);
}

void outgoing_end_channel(Delivery *d, Outgoing *o) {
        MessageUpdate update = {.set = MESSAGE_CHANGED_UNCERTAIN, .uncertain = o->uncertain};

        (void) outgoing_enter_state(d, o, MESSAGE_SENT, &update);
}

static void outgoing_answered(Delivery *d, Outgoing *o, const SessionReply *reply) {
        if (o->repeated_size > 0 && !reply->unsent &&
            (reply->result != SESSION_REPLY || reply->frame->code != RESP_ERR))
                governor_spend(d->radio, o->repeated_size);

        if (reply->result == SESSION_REPLY && reply->frame->code != RESP_ERR) {
                outgoing_sent(d, o, reply->frame);
                return;
        }
        if (reply->result == SESSION_REPLY) {
                outgoing_refused(d, o, reply->frame->error.code);
                return;
        }

        if (reply->unsent) {
                outgoing_put_back(d, o);
                return;
        }

        /* Nobody knows whether it went on air. A direct text goes on with the next
         * attempt; a channel text has no receiver who would tell a second one apart. */
        if (o->to_channel)
                outgoing_end_channel(d, o);
        else
                o->due_usec = clock_boottime_usec() + radio_timing.resume_wait_usec;
}

static void send_reply(Session *session, const SessionReply *reply, void *userdata) {
        Delivery *d = userdata;
        Outgoing *o = delivery_find(d, d->calling);

        d->calling = 0;
        if (reply->result != SESSION_CLOSED)
                delivery_wake(d);
        /* Else delivered, cancelled or deleted in the meantime. */
        if (o && o->state == MESSAGE_SENDING)
                outgoing_answered(d, o, reply);
        radio_check_finished(d->radio);
}

/* path_len as it is now, or CONTACT_PATH_UNKNOWN. Either way the path that a person set has left the
 * radio or is about to. */
static int delivery_put_path(Delivery *d, const PublicKey *peer, uint8_t path_len) {
        const Contact *contact = identity_get_contact(delivery_identity(d), peer);
        g_autoptr(Contact) changed = NULL;

        if (!contact)
                return 0;

        changed = contact_copy(contact);
        if (path_len == CONTACT_PATH_UNKNOWN) {
                changed->path_len = CONTACT_PATH_UNKNOWN;
                memset(changed->path, 0, sizeof(changed->path));
        }
        if (changed->set_path_len != CONTACT_PATH_UNKNOWN) {
                changed->path_displaced = true;
                delivery_path_displaced(d, peer);
        }
        return identity_put_contact(delivery_identity(d), changed);
}

static void reset_path_reply(Session *session, const SessionReply *reply, void *userdata) {
        Delivery *d = userdata;
        Outgoing *o = delivery_find(d, d->calling);

        d->calling = 0;
        if (reply->result == SESSION_CLOSED)
                return;
        delivery_wake(d);
        if (!o || reply->result != SESSION_REPLY)
                return;

        if (reply->frame->code == RESP_OK)
                (void) delivery_put_path(d, &o->peer, CONTACT_PATH_UNKNOWN);
        else if (reply->frame->error.code == ERR_NOT_FOUND) {
                (void) book_note_removed(d->radio, &o->peer);
                outgoing_fail(d, o, REMOVED_ELSEWHERE);
        }
}

/* -- steps ----------------------------------------------------------------------- */

static bool delivery_call(Delivery *d, Outgoing *o, const Command *command, session_reply_t reply) {
        int r;

        r = session_call(d->radio->session, command, SESSION_PERSON, reply, d);
        if (r < 0) {
                outgoing_log(d, o, LOG_WARNING, r, "cannot queue message %" PRIu64 " for the radio", o->id);
                o->due_usec = clock_boottime_usec() + radio_timing.busy_wait_usec;
                return false;
        }

        d->calling = o->id;
        return true;
}

/* Timestamp, attempt and expected acknowledgement are on the disk before the
 * bytes leave. */
static bool outgoing_begin_attempt(Delivery *d, Outgoing *o, uint32_t timestamp, const uint8_t *ack) {
        MessageUpdate update = {
                        .set = MESSAGE_CHANGED_SENDER_TIMESTAMP | MESSAGE_CHANGED_ATTEMPTS,
                        .sender_timestamp = timestamp,
                        .attempts = o->attempts + 1,
                        .add_attempt = ack,
        };

        if (ack) {
                memcpy(update.expected_ack, ack, 4);
                memcpy(d->calling_ack, ack, 4);
        }
        if (outgoing_enter_state(d, o, MESSAGE_SENDING, &update) < 0)
                return false;
        o->attempts++;
        return true;
}

static void outgoing_transmit_channel(Delivery *d, Outgoing *o, const Message *m) {
        Channel *channel = identity_get_channel(delivery_identity(d), m->channel);
        /* A datagram has no time of its own. */
        uint32_t timestamp = m->kind == MESSAGE_DATA ? 0 : m->sender_timestamp ?: delivery_timestamp(d);
        const Path flood = {.length = PATH_LEN_NONE};
        Command command;
        int r;

        if (!channel || channel->slot < 0) {
                outgoing_fail(d, o, "the channel is not in the radio any more");
                return;
        }
        if (channel->slot == d->radio->changing_slot)
                return; /* woken up when it is known what the slot holds */

        if (m->kind == MESSAGE_DATA)
                r = command_send_channel_data(&command, (uint8_t) channel->slot, &flood, m->data_type,
                                              (Slice){m->data, m->data_size});
        else
                r = command_send_channel_text(&command, (uint8_t) channel->slot, timestamp, m->text);
        if (r >= 0)
                r = command_check_size(&command, d->radio->info.level);
        if (r < 0) {
                outgoing_fail(d, o,
                              m->kind == MESSAGE_DATA ? "the radio cannot take this datagram"
                                                      : "the radio cannot take this text");
                return;
        }
        o->uncertain = true;
        if (!outgoing_begin_attempt(d, o, timestamp, NULL))
                return;
        if (delivery_call(d, o, &command, send_reply))
                repeats_listen(d->radio->repeats, o->id, m->channel, timestamp);
        else
                outgoing_put_back(d, o);
}

static void swapped_in(Radio *radio, const Outcome *outcome, void *userdata) {
        Delivery *d = radio->delivery;
        Outgoing *o = delivery_find(d, d->calling);

        d->calling = 0;
        delivery_wake(d);
        if (!o)
                return;

        switch (outcome->code) {
        case OUTCOME_OK:
                break;
        case OUTCOME_REJECTED:
        case OUTCOME_TABLE_FULL:
        case OUTCOME_NOT_FOUND:
        case OUTCOME_NOT_SUPPORTED:
        case OUTCOME_INVALID_ARGUMENTS:
                outgoing_fail(d, o, outcome->message);
                break;
        default:
                o->due_usec = clock_boottime_usec() + radio_timing.busy_wait_usec;
        }
}

/* The path leads nowhere: let the next try find another one. That a person's path
 * is to come back is on the disk before it goes. */
static void outgoing_reset_path(Delivery *d, Outgoing *o) {
        Command command;
        int r;

        r = delivery_put_path(d, &o->peer, 0);
        if (r < 0) {
                o->due_usec = clock_boottime_usec() + radio_timing.store_retry_usec;
                return;
        }

        (void) command_reset_path(&command, &o->peer);
        o->path_reset = delivery_call(d, o, &command, reset_path_reply);
}

static void outgoing_transmit_direct(Delivery *d, Outgoing *o, const Message *m) {
        Contact *contact = identity_get_contact(delivery_identity(d), &o->peer);
        uint32_t timestamp = m->sender_timestamp ?: delivery_timestamp(d);
        uint64_t wait;
        uint8_t ack[4];
        Command command;
        size_t size;
        int r;

        if (!contact) {
                outgoing_fail(d, o, "the contact was removed");
                return;
        }

        if (!contact->on_radio) {
                /* The radio can only send to whom it has in its table. */
                d->calling = o->id;
                contact_swap_in(d->radio, &o->peer, swapped_in, NULL);
                return;
        }
        if (!delivery_has_slot(d, o))
                return; /* until the wait of another one is over */

        if (o->attempts == 0) {
                if (g_hash_table_contains(d->displaced, &o->peer) && !delivery_floods_to(d, &o->peer))
                        return; /* until the path that a person set is back */
                o->flood_only = contact->path_len == CONTACT_PATH_UNKNOWN;
        } else if (!o->flood_only && !o->path_reset && o->attempts >= DIRECT_TRIES &&
                   contact->path_len != CONTACT_PATH_UNKNOWN) {
                outgoing_reset_path(d, o);
                return;
        }

        /* The first try goes at once, its repetitions when there is air for them. */
        size = packet_to(contact, TEXT_HEAD + strlen(m->text));
        wait = o->attempts > 0 ? governor_wait(d->radio, AIRTIME_PERSON, size) : 0;
        if (wait > 0) {
                o->due_usec = clock_boottime_usec() + wait;
                return;
        }

        r = command_send_text(&command, TEXT_PLAIN, (uint8_t) o->attempts, timestamp, o->peer.bytes, m->text);
        if (r >= 0)
                r = command_check_size(&command, d->radio->info.level);
        if (r < 0) {
                outgoing_fail(d, o, "the radio cannot take this text");
                return;
        }

        derive_expected_ack(timestamp, (uint8_t) o->attempts, m->text, identity_key(delivery_identity(d)),
                            ack);
        if (!outgoing_begin_attempt(d, o, timestamp, ack))
                return;
        if (!delivery_call(d, o, &command, send_reply))
                outgoing_put_back(d, o);
        else
                o->repeated_size = o->attempts > 1 ? size : 0;
}

static void outgoing_transmit(Delivery *d, Outgoing *o) {
        g_autoptr(Message) m = NULL;
        int r;

        r = identity_read_message(delivery_identity(d), o->id, &m);
        if (r == -ENOENT)
                delivery_forget(d, o);
        else if (r < 0) /* logged already */
                o->due_usec = clock_boottime_usec() + radio_timing.store_retry_usec;
        else if (o->to_channel)
                outgoing_transmit_channel(d, o, m);
        else
                outgoing_transmit_direct(d, o, m);
}

void outgoing_delivered(Delivery *d, Outgoing *o) {
        MessageUpdate update = {
                        .set = MESSAGE_CHANGED_ROUND_TRIP | MESSAGE_CHANGED_ERROR,
                        .round_trip_usec = o->round_trip_usec,
        };

        o->confirmed = true; /* also when the disk is full just now */
        (void) outgoing_enter_state(d, o, MESSAGE_DELIVERED, &update);
}

void outgoing_step(Delivery *d, Outgoing *o) {
        unsigned tries = o->flood_only ? TRIES_FLOOD_ONLY : TRIES;

        if (o->confirmed)
                outgoing_delivered(d, o);
        else if (o->to_channel && o->state == MESSAGE_SENDING)
                outgoing_end_channel(d, o);
        else if (o->attempts >= tries) {
                g_autofree char *why = g_strdup_printf("no acknowledgement after %u tries", o->attempts);

                outgoing_fail(d, o, why);
        } else if (o->to_channel || o->state != MESSAGE_QUEUED || delivery_unconfirmed(d) < UNCONFIRMED_MAX)
                outgoing_transmit(d, o);
}
