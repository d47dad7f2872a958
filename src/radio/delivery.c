/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <string.h>
#include <syslog.h>

#include "clock.h"
#include "delivery-internal.h"
#include "macros.h"

Outgoing *delivery_find(Delivery *d, uint64_t id) {
        for (GList *l = d->queue.head; l; l = l->next)
                if (((Outgoing *) l->data)->id == id)
                        return l->data;
        return NULL;
}

void delivery_forget(Delivery *d, Outgoing *o) {
        g_queue_remove(&d->queue, o);
        g_free(o);
}

static bool outgoing_is_unconfirmed(const Outgoing *o) {
        return !o->to_channel && o->state != MESSAGE_QUEUED;
}

unsigned delivery_unconfirmed(Delivery *d) {
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

bool delivery_has_slot(Delivery *d, const Outgoing *next) {
        const Outgoing *oldest = delivery_find(d, d->tries[d->next_try]);

        if (!oldest || oldest == next || oldest->due_usec <= clock_boottime_usec())
                return true;

        /* Unless a later try of that message is remembered too. */
        for (size_t i = 0; i < UNCONFIRMED_MAX; i++)
                if (i != d->next_try && d->tries[i] == oldest->id)
                        return true;
        return false;
}

bool delivery_floods_to(Delivery *d, const PublicKey *peer) {
        for (GList *l = d->queue.head; l; l = l->next) {
                const Outgoing *o = l->data;

                if (o->path_reset && key_equal(&o->peer, peer))
                        return true;
        }
        return false;
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

        if (d->restoring || d->radio->state != RADIO_READY || d->radio->finish)
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

/* -- what waits ---------------------------------------------------------------- */

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

/* What cannot be read now is looked for again. */
static int delivery_read(Delivery *d, uint64_t id, Outgoing **ret) {
        g_autoptr(Message) m = NULL;
        int r;

        r = identity_read_message(delivery_identity(d), id, &m);
        if (r >= 0)
                *ret = delivery_push(d, m);
        else if (r != -ENOENT)
                d->reload_usec = clock_boottime_usec() + radio_timing.store_retry_usec;
        return r;
}

static void delivery_read_all(Delivery *d) {
        g_autoptr(GArray) ids = NULL;
        int r;

        d->reload_usec = 0;
        r = identity_open_messages(delivery_identity(d), &ids);
        if (r < 0) {
                radio_log(d->radio, LOG_ERR, r,
                          "cannot read the messages that wait to be sent, trying again");
                d->reload_usec = clock_boottime_usec() + radio_timing.store_retry_usec;
                return;
        }

        for (guint i = 0; i < ids->len; i++) {
                const uint64_t id = g_array_index(ids, uint64_t, i);
                Outgoing *o;

                if (delivery_find(d, id))
                        continue;
                r = delivery_read(d, id, &o);
                if (r < 0 && r != -ENOENT)
                        return; /* the later ones with it, so that they keep their order */
                if (r >= 0 && o->to_channel && o->state == MESSAGE_SENDING)
                        outgoing_end_channel(d, o);
        }
}

/* -- steps ------------------------------------------------------------------------- */

/* Every message that is due takes its next step, the oldest first, one command
 * at a time; the timer is set for the next one. */
static void delivery_run(Delivery *d) {
        bool may_begin = d->radio->state == RADIO_READY && !d->radio->finish;
        uint64_t next = UINT64_MAX, now = clock_boottime_usec(), wall = clock_realtime_usec();
        GList *l, *after;

        if (d->reload_usec > 0 && d->reload_usec <= now)
                delivery_read_all(d);
        if (d->reload_usec > 0)
                next = d->reload_usec;
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
                if (!may_begin || d->calling != 0)
                        continue;
                if (o->due_usec <= now)
                        outgoing_step(d, o);
        }
        delivery_restore_paths(d);

        for (l = d->queue.head; l && may_begin; l = l->next) {
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

bool delivery_is_finished(Delivery *d) {
        const Outgoing *o = d->calling != 0 ? delivery_find(d, d->calling) : NULL;

        return !o || o->state != MESSAGE_SENDING;
}

/* -- from outside ------------------------------------------------------------------ */

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

void delivery_heard(Delivery *d, uint64_t id) {
        const MessageUpdate update = {.set = MESSAGE_CHANGED_UNCERTAIN};
        Outgoing *o = delivery_find(d, id);
        g_autoptr(Message) m = NULL;
        int r;

        if (o) {
                o->uncertain = false;
                return;
        }

        m = identity_get_message(delivery_identity(d), id);
        if (!m || !m->uncertain)
                return;
        r = identity_update_message(delivery_identity(d), id, &update);
        if (r < 0)
                radio_log(d->radio, LOG_WARNING, r, "cannot store that message %" PRIu64 " went on air", id);
}

unsigned delivery_count(Delivery *d, uint32_t uid) {
        unsigned n = 0;

        for (GList *l = d->queue.head; l; l = l->next) {
                const Outgoing *o = l->data;

                n += o->has_uid && o->uid == uid;
        }
        return n;
}

void delivery_add(Delivery *d, uint64_t id, uint32_t uid) {
        Outgoing *o = NULL;

        if (!delivery_find(d, id) && delivery_read(d, id, &o) >= 0) {
                o->has_uid = true;
                o->uid = uid;
        }
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
        GHashTableIter iter;
        Contact *contact;

        delivery_read_all(d);
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
        d->reload_usec = 0;
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
        radio_check_finished(d->radio);
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
