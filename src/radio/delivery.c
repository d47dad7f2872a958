/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <string.h>
#include <syslog.h>

#include "clock.h"
#include "contact-internal.h"
#include "derive.h"
#include "macros.h"
#include "protocol.h"

/* The radio remembers the acknowledgements of so many tries, wire reference
 * 7.4.3; with one more it forgets the oldest. */
#define UNCONFIRMED_MAX 8

/* Tries over the known path, then by flood. Four in all: with more, two of
 * them would share an acknowledgement (7.4.5). Where no path is known each one is a
 * flood, which costs everybody's air time. */
#define DIRECT_TRIES     2
#define TRIES            4
#define TRIES_FLOOD_ONLY 3

#define SENT_MARGIN_NUM 5 /* wait 5/4 of the radio's estimate, which leaves out queues and duty cycle */
#define SENT_MARGIN_DEN 4
#define BUSY_TRIES      60
#define STORE_WAIT_USEC (10 * USEC_PER_SEC)

/* One message of ours without a final state. The store has the truth; this is
 * what the next step needs. */
typedef struct Outgoing {
        uint64_t id;
        bool to_channel;
        PublicKey peer;
        MessageState state;
        unsigned attempts; /* begun, the one under way among them */
        bool flood_only;   /* no path was known at the first try */
        bool path_reset;   /* by us, for the tries by flood */
        bool confirmed;    /* but not written down yet */
        uint64_t round_trip_usec;
        bool uncertain;    /* of a channel text: no answer told that it was sent */
        unsigned busy;     /* refusals for want of a packet, in a row */
        uint64_t due_usec; /* boot time of the next step; 0: now */
        uint64_t expires_usec;
} Outgoing;

struct Delivery {
        Radio *radio;
        GQueue queue;     /* Outgoing, by age */
        uint64_t calling; /* message of the command under way; 0: none */
        uint8_t calling_ack[4];
        uint64_t tries[UNCONFIRMED_MAX]; /* messages of the last tries, as the radio remembers them */
        size_t next_try;
        GHashTable *displaced; /* PublicKey: the path that a person set is not in the radio */
        bool restoring;
        sd_event_source *timer;
        sd_event_source *wakeup; /* run at the next turn of the loop */
};

static Identity *delivery_identity(Delivery *d) {
        return d->radio->identity;
}

static Outgoing *delivery_find(Delivery *d, uint64_t id) {
        for (GList *l = d->queue.head; l; l = l->next)
                if (((Outgoing *) l->data)->id == id)
                        return l->data;
        return NULL;
}

static void delivery_forget(Delivery *d, Outgoing *o) {
        g_queue_remove(&d->queue, o);
        g_free(o);
}

/* The one door to a message's state. Returns < 0 when the store could not
 * write it: then nothing has changed and the step is to be repeated. */
static int outgoing_enter_state(Delivery *d, Outgoing *o, MessageState state, MessageUpdate *update) {
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
                radio_log(d->radio, LOG_ERR, r,
                          "cannot store that message %" PRIu64 " is %s, trying again later", o->id,
                          message_state_to_string(state));
                o->due_usec = clock_boottime_usec() + STORE_WAIT_USEC;
                return r;
        }

        o->state = state;
        if (!message_state_is_open(state, o->to_channel))
                delivery_forget(d, o);
        return 0;
}

static void outgoing_fail(Delivery *d, Outgoing *o, const char *why) {
        MessageUpdate update = {.set = MESSAGE_CHANGED_ERROR, .error = why};

        radio_log(d->radio, LOG_INFO, 0, "message %" PRIu64 " failed: %s", o->id, why);
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

static bool outgoing_is_unconfirmed(const Outgoing *o) {
        return !o->to_channel && o->state != MESSAGE_QUEUED;
}

static unsigned delivery_unconfirmed(Delivery *d) {
        unsigned n = 0;

        for (GList *l = d->queue.head; l; l = l->next)
                n += outgoing_is_unconfirmed(l->data);
        return n;
}

bool delivery_waits_for(Delivery *d, const PublicKey *peer) {
        for (GList *l = d->queue.head; l; l = l->next) {
                const Outgoing *o = l->data;

                if (outgoing_is_unconfirmed(o) && key_equal(&o->peer, peer))
                        return true;
        }
        return false;
}

/* Whether one more try would make the radio forget one that still waits for its
 * acknowledgement. A message's own earlier try may go. */
static bool delivery_has_slot(Delivery *d, const Outgoing *next) {
        const Outgoing *oldest = delivery_find(d, d->tries[d->next_try]);

        if (!oldest || oldest == next || oldest->due_usec <= clock_boottime_usec())
                return true;

        /* Unless a later try of that message is remembered too. */
        for (size_t i = 0; i < UNCONFIRMED_MAX; i++)
                if (i != d->next_try && d->tries[i] == oldest->id)
                        return true;
        return false;
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

/* A channel text that was tried once is at its end, whatever came of it. */
static void outgoing_end_channel(Delivery *d, Outgoing *o) {
        MessageUpdate update = {.set = MESSAGE_CHANGED_UNCERTAIN, .uncertain = o->uncertain};

        (void) outgoing_enter_state(d, o, MESSAGE_SENT, &update);
}

static void send_reply(Session *session, const SessionReply *reply, void *userdata) {
        Delivery *d = userdata;
        Outgoing *o = delivery_find(d, d->calling);

        d->calling = 0;
        if (reply->result != SESSION_CLOSED)
                delivery_wake(d);
        /* Delivered, cancelled or deleted in the meantime. */
        if (!o || o->state != MESSAGE_SENDING)
                return;

        if (reply->result == SESSION_REPLY && reply->frame->code != RESP_ERR) {
                outgoing_sent(d, o, reply->frame);
                return;
        }
        if (reply->result == SESSION_REPLY) {
                outgoing_refused(d, o, reply->frame->error.code);
                return;
        }

        /* Nobody knows whether it went on air. A direct text goes on with the next
         * attempt; a channel text has no receiver who would tell a second one apart. */
        if (o->to_channel)
                outgoing_end_channel(d, o);
        else
                o->due_usec = clock_boottime_usec() + radio_timing.resume_wait_usec;
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
                radio_log(d->radio, LOG_WARNING, r, "cannot queue message %" PRIu64 " for the radio", o->id);
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
        uint32_t timestamp = m->sender_timestamp ?: delivery_timestamp(d);
        Command command;
        int r;

        if (!channel || channel->slot < 0) {
                outgoing_fail(d, o, "the channel is not in the radio any more");
                return;
        }
        if (channel->slot == d->radio->changing_slot)
                return; /* woken up when it is known what the slot holds */

        r = command_send_channel_text(&command, (uint8_t) channel->slot, timestamp, m->text);
        if (r < 0) {
                outgoing_fail(d, o, "the radio cannot take this text");
                return;
        }
        o->uncertain = true;
        if (outgoing_begin_attempt(d, o, timestamp, NULL) && !delivery_call(d, o, &command, send_reply))
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

/* Whether the contact's path is reset for a message that still tries. */
static bool delivery_floods_to(Delivery *d, const PublicKey *peer) {
        for (GList *l = d->queue.head; l; l = l->next) {
                const Outgoing *o = l->data;

                if (o->path_reset && key_equal(&o->peer, peer))
                        return true;
        }
        return false;
}

/* The path leads nowhere: let the next try find another one. That a person's path
 * is to come back is on the disk before it goes. */
static void outgoing_reset_path(Delivery *d, Outgoing *o) {
        Command command;
        int r;

        r = delivery_put_path(d, &o->peer, 0);
        if (r < 0) {
                o->due_usec = clock_boottime_usec() + STORE_WAIT_USEC;
                return;
        }

        o->path_reset = true;
        (void) command_reset_path(&command, &o->peer);
        (void) delivery_call(d, o, &command, reset_path_reply);
}

static void outgoing_transmit_direct(Delivery *d, Outgoing *o, const Message *m) {
        Contact *contact = identity_get_contact(delivery_identity(d), &o->peer);
        uint32_t timestamp = m->sender_timestamp ?: delivery_timestamp(d);
        uint8_t ack[4];
        Command command;
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

        r = command_send_text(&command, TEXT_PLAIN, (uint8_t) o->attempts, timestamp, o->peer.bytes, m->text);
        if (r >= 0)
                r = command_check_size(&command, d->radio->info.level);
        if (r < 0) {
                outgoing_fail(d, o, "the radio cannot take this text");
                return;
        }

        derive_expected_ack(timestamp, (uint8_t) o->attempts, m->text, identity_key(delivery_identity(d)),
                            ack);
        if (outgoing_begin_attempt(d, o, timestamp, ack) && !delivery_call(d, o, &command, send_reply))
                outgoing_put_back(d, o);
}

static void outgoing_transmit(Delivery *d, Outgoing *o) {
        g_autoptr(Message) m = identity_get_message(delivery_identity(d), o->id);

        if (!m)
                delivery_forget(d, o);
        else if (o->to_channel)
                outgoing_transmit_channel(d, o, m);
        else
                outgoing_transmit_direct(d, o, m);
}

static void outgoing_delivered(Delivery *d, Outgoing *o) {
        MessageUpdate update = {
                        .set = MESSAGE_CHANGED_ROUND_TRIP | MESSAGE_CHANGED_ERROR,
                        .round_trip_usec = o->round_trip_usec,
        };

        o->confirmed = true; /* also when the disk is full just now */
        (void) outgoing_enter_state(d, o, MESSAGE_DELIVERED, &update);
}

static void outgoing_step(Delivery *d, Outgoing *o) {
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

/* -- the path that a person set ---------------------------------------------------- */

void delivery_path_displaced(Delivery *d, const PublicKey *peer) {
        (void) g_hash_table_add(d->displaced, g_memdup2(peer, sizeof(PublicKey)));
        delivery_wake(d);
}

static void restored(Radio *radio, const Outcome *outcome, void *userdata) {
        Delivery *d = radio->delivery;

        d->restoring = false;
        if (outcome->code != OUTCOME_OK && radio->state == RADIO_READY) {
                /* Nobody shall wait for it for ever. */
                radio_log(radio, LOG_WARNING, 0, "%s", outcome->message);
                g_hash_table_remove_all(d->displaced);
        }
        delivery_wake(d);
}

static void delivery_restore_paths(Delivery *d) {
        GHashTableIter iter;
        PublicKey *key;

        if (d->restoring || d->radio->state != RADIO_READY)
                return;

        g_hash_table_iter_init(&iter, d->displaced);
        while (g_hash_table_iter_next(&iter, (void **) &key, NULL)) {
                const Contact *contact = identity_get_contact(delivery_identity(d), key);

                if (contact && contact->path_displaced && contact->on_radio && delivery_floods_to(d, key))
                        continue;
                if (contact && contact->path_displaced && contact->on_radio) {
                        d->restoring = true;
                        contact_restore_path(d->radio, key, restored, NULL);
                        return;
                }
                g_hash_table_iter_remove(&iter);
        }
}

/* Every message that is due takes its next step, the oldest first, one command
 * at a time; the timer is set for the next one. */
static void delivery_run(Delivery *d) {
        uint64_t next = UINT64_MAX, now = clock_boottime_usec(), wall = clock_realtime_usec();
        GList *l, *after;

        /* Before, since a first try waits for it; behind, since the last one may be over by then. */
        delivery_restore_paths(d);
        for (l = d->queue.head; l; l = after) {
                Outgoing *o = l->data;

                after = l->next;
                if (o->state == MESSAGE_QUEUED && o->expires_usec > 0) {
                        if (o->expires_usec <= wall) {
                                (void) outgoing_enter_state(d, o, MESSAGE_EXPIRED, NULL);
                                continue;
                        }
                        next = MIN(next, now + (o->expires_usec - wall));
                }
                if (d->radio->state != RADIO_READY || d->calling != 0)
                        continue;
                if (o->due_usec <= now)
                        outgoing_step(d, o);
        }
        delivery_restore_paths(d);

        for (l = d->queue.head; l && d->radio->state == RADIO_READY; l = l->next) {
                const Outgoing *o = l->data;

                if (o->due_usec > now)
                        next = MIN(next, o->due_usec);
        }

        if (next == UINT64_MAX)
                (void) sd_event_source_set_enabled(d->timer, SD_EVENT_OFF);
        else {
                (void) sd_event_source_set_time(d->timer, next);
                (void) sd_event_source_set_enabled(d->timer, SD_EVENT_ONESHOT);
        }
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        delivery_run(userdata);
        return 0;
}

static int on_wakeup(sd_event_source *source, void *userdata) {
        delivery_run(userdata);
        return 0;
}

void delivery_wake(Delivery *d) {
        (void) sd_event_source_set_enabled(d->wakeup, SD_EVENT_ONESHOT);
}

/* -- from outside ------------------------------------------------------------------ */

static Outgoing *delivery_push(Delivery *d, const Message *m) {
        Outgoing *o = g_new0(Outgoing, 1);

        o->id = m->id;
        o->to_channel = m->channel != 0;
        o->peer = m->peer;
        o->state = m->state;
        o->attempts = m->attempts;
        o->expires_usec = m->expires_usec;
        o->uncertain = o->to_channel && o->state == MESSAGE_SENDING;
        g_queue_push_tail(&d->queue, o);
        return o;
}

void delivery_confirmed(Delivery *d, const uint8_t ack[4], uint32_t round_trip_ms) {
        g_autoptr(Message) m = NULL;
        Outgoing *o;
        uint64_t id;

        if (!delivery_identity(d))
                return;
        id = identity_find_ack(delivery_identity(d), ack);
        if (id == 0) {
                radio_log(d->radio, LOG_DEBUG, 0, "an acknowledgement came for no message of ours");
                return;
        }

        o = delivery_find(d, id);
        if (!o) {
                /* Late, after we had given up: it did arrive all the same. */
                m = identity_get_message(delivery_identity(d), id);
                if (!m || m->state == MESSAGE_DELIVERED)
                        return;
                o = delivery_push(d, m);
        }
        o->round_trip_usec = (uint64_t) round_trip_ms * USEC_PER_MSEC;
        outgoing_delivered(d, o);
        delivery_wake(d);
}

void delivery_add(Delivery *d, uint64_t id) {
        g_autoptr(Message) m = identity_get_message(delivery_identity(d), id);

        if (m && !delivery_find(d, id))
                delivery_push(d, m);
        delivery_wake(d);
}

OutcomeCode delivery_cancel(Delivery *d, uint64_t id, Outcome *ret) {
        Outgoing *o = delivery_find(d, id);
        int r;

        if (!o)
                return outcome_set(ret, OUTCOME_NOT_FOUND, "message %" PRIu64 " is not on its way", id);
        if (o->to_channel && o->state == MESSAGE_SENDING)
                return outcome_set(ret, OUTCOME_IN_PROGRESS,
                                   "message %" PRIu64 " is being sent: too late to cancel it", id);

        r = outgoing_enter_state(d, o, MESSAGE_CANCELLED, NULL);
        delivery_wake(d);
        return r < 0 ? outcome_set_errno(ret, r, "cannot store that the message is cancelled") : OUTCOME_OK;
}

void delivery_load(Delivery *d) {
        g_autoptr(GArray) ids = NULL;
        GHashTableIter iter;
        Contact *contact;
        int r;

        r = identity_open_messages(delivery_identity(d), &ids);
        if (r < 0) {
                radio_log(d->radio, LOG_ERR, r, "cannot read the messages that wait to be sent");
                return;
        }

        for (guint i = 0; i < ids->len; i++) {
                uint64_t id = g_array_index(ids, uint64_t, i);
                g_autoptr(Message) m = identity_get_message(delivery_identity(d), id);

                Outgoing *o;

                if (!m)
                        continue;
                o = delivery_push(d, m);
                if (o->to_channel && o->state == MESSAGE_SENDING)
                        outgoing_end_channel(d, o);
        }

        g_hash_table_iter_init(&iter, identity_contacts(delivery_identity(d)));
        while (g_hash_table_iter_next(&iter, NULL, (void **) &contact))
                if (contact->path_displaced)
                        delivery_path_displaced(d, &contact->key);
        delivery_wake(d);
}

void delivery_unload(Delivery *d) {
        g_queue_clear_full(&d->queue, g_free);
        g_hash_table_remove_all(d->displaced);
        memset(d->tries, 0, sizeof(d->tries));
        d->calling = 0;
        (void) sd_event_source_set_enabled(d->timer, SD_EVENT_OFF);
}

void delivery_start(Delivery *d) {
        uint64_t resume = clock_boottime_usec() + radio_timing.resume_wait_usec;

        /* What was under way when the link went may still be acknowledged. */
        for (GList *l = d->queue.head; l; l = l->next) {
                Outgoing *o = l->data;

                if (o->state != MESSAGE_QUEUED && o->due_usec < resume)
                        o->due_usec = resume;
        }
        delivery_wake(d);
}

void delivery_stop(Delivery *d) {
        d->calling = 0;
        delivery_wake(d); /* expiry goes on */
}

Delivery *delivery_new(Radio *radio) {
        sd_event *event = manager_event(radio->manager);
        Delivery *d = g_new0(Delivery, 1);

        d->radio = radio;
        g_queue_init(&d->queue);
        d->displaced = g_hash_table_new_full(key_hash_func, key_equal_func, g_free, NULL);
        /* Both exist for the delivery's whole life and are only switched on and off. */
        if (sd_event_add_time(event, &d->timer, CLOCK_BOOTTIME, UINT64_MAX, radio_timing.sent_wait_usec / 20,
                              on_timer, d) < 0 ||
            sd_event_add_defer(event, &d->wakeup, on_wakeup, d) < 0)
                g_error("cannot create event sources");
        (void) sd_event_source_set_enabled(d->timer, SD_EVENT_OFF);
        (void) sd_event_source_set_enabled(d->wakeup, SD_EVENT_OFF);

        return d;
}

Delivery *delivery_free(Delivery *d) {
        if (!d)
                return NULL;

        delivery_unload(d);
        g_hash_table_unref(d->displaced);
        sd_event_source_disable_unref(d->timer);
        sd_event_source_disable_unref(d->wakeup);
        return g_free(d), NULL;
}
