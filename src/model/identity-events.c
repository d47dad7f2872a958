/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "identity-internal.h"

static void event_free(gpointer p) {
        Event *event = p;

        (void) contact_free(event->contact_before);
        (void) channel_free(event->channel_before);
        (void) message_free(event->message_own);
        g_clear_pointer(&event->ids, g_array_unref);
        g_free(event);
}

Event *identity_add_event(Identity *identity, EventKind kind) {
        Event *event = g_new0(Event, 1);

        event->kind = kind;
        g_ptr_array_add(identity->events, event);
        return event;
}

static void undo_event(Identity *identity, Event *event) {
        switch (event->kind) {
        case EVENT_CONTACT_ADDED:
                identity_unlink_contact(identity, event->contact);
                (void) contact_free(event->contact);
                break;
        case EVENT_CONTACT_CHANGED:
                identity_swap_contact(event->contact, event->contact_before);
                break;
        case EVENT_CONTACT_REMOVED:
                identity_link_contact(identity, event->contact);
                (void) g_hash_table_add(identity->heard, event->contact); /* it may have been in there */
                break;
        case EVENT_CHANNEL_LEARNT:
                (void) g_hash_table_steal(identity->channels, &event->channel->id);
                (void) channel_free(event->channel);
                break;
        case EVENT_CHANNEL_FORGOTTEN:
                (void) g_hash_table_insert(identity->channels, &event->channel->id, event->channel);
                break;
        case EVENT_CHANNEL_CHANGED:
                identity_swap_channel(event->channel, event->channel_before);
                break;
        case EVENT_CHANNEL_MOVED:
                event->channel->slot = event->slot_before;
                break;
        case EVENT_SLOT_SET:
                identity_place_slot(identity, event->slot, event->channel);
                break;
        case EVENT_MESSAGE_ADDED:
        case EVENT_MESSAGE_CHANGED:
        case EVENT_MESSAGES_DELETED:
                break; /* nothing of them is in memory */
        }
}

static void tell_channel_moved(Identity *identity, const Event *event) {
        const IdentityObserver *o = identity->observer;
        Channel *channel = event->channel;
        const int slot = channel->slot;

        if (event->slot_before >= 0 && o->channel_removed) {
                channel->slot = event->slot_before;
                o->channel_removed(identity, channel, identity->observer_userdata);
        }
        if (event->slot_after >= 0 && o->channel_added) {
                channel->slot = event->slot_after;
                o->channel_added(identity, channel, identity->observer_userdata);
        }
        channel->slot = slot;
}

static void tell_event(Identity *identity, const Event *event) {
        const IdentityObserver *o = identity->observer;
        void *userdata = identity->observer_userdata;

        if (!o)
                return;

        switch (event->kind) {
        case EVENT_CONTACT_ADDED:
                if (o->contact_added)
                        o->contact_added(identity, event->contact, userdata);
                break;
        case EVENT_CONTACT_CHANGED:
                if (o->contact_changed)
                        o->contact_changed(identity, event->contact, event->what, userdata);
                break;
        case EVENT_CONTACT_REMOVED:
                if (o->contact_removed)
                        o->contact_removed(identity, event->contact, userdata);
                break;
        case EVENT_CHANNEL_CHANGED:
                if (o->channel_changed && event->what != 0 && event->channel->slot >= 0)
                        o->channel_changed(identity, event->channel, event->what, userdata);
                break;
        case EVENT_CHANNEL_MOVED:
                tell_channel_moved(identity, event);
                break;
        case EVENT_MESSAGE_ADDED:
                if (o->message_added)
                        o->message_added(identity, event->message, userdata);
                break;
        case EVENT_MESSAGE_CHANGED:
                if (o->message_changed)
                        o->message_changed(identity, event->message, event->what, userdata);
                break;
        case EVENT_MESSAGES_DELETED:
                if (o->messages_deleted)
                        o->messages_deleted(identity, (const uint64_t *) (const void *) event->ids->data,
                                            event->ids->len, userdata);
                break;
        case EVENT_CHANNEL_LEARNT:
        case EVENT_CHANNEL_FORGOTTEN:
        case EVENT_SLOT_SET:
                break;
        }
}

GPtrArray *identity_new_events(void) {
        return g_ptr_array_new_with_free_func(event_free);
}

/* An observer may write again from inside, so the list is taken away first;
 * what was removed is freed last. */
void identity_finish_events(Identity *identity) {
        g_autoptr(GPtrArray) events = g_steal_pointer(&identity->events);

        identity->events = identity_new_events();

        for (guint i = 0; i < identity->written_heard->len; i++)
                (void) g_hash_table_remove(identity->heard, identity->written_heard->pdata[i]);
        g_ptr_array_set_size(identity->written_heard, 0);

        for (guint i = 0; i < events->len; i++)
                tell_event(identity, events->pdata[i]);

        for (guint i = 0; i < events->len; i++) {
                Event *event = events->pdata[i];

                if (event->kind == EVENT_CONTACT_REMOVED)
                        (void) contact_free(event->contact);
                else if (event->kind == EVENT_CHANNEL_FORGOTTEN)
                        (void) channel_free(event->channel);
        }
}

void identity_undo_events(Identity *identity) {
        for (guint i = identity->events->len; i > 0; i--)
                undo_event(identity, identity->events->pdata[i - 1]);
        g_ptr_array_set_size(identity->events, 0);
        g_ptr_array_set_size(identity->written_heard, 0);

        identity->record = identity->record_before;
        identity->unread = identity->unread_before;
        identity->last_id = identity->last_id_before;
}
