/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Every write goes the same way: identity_write_begin(), records to the store
 * and, event by event, changes to the memory, identity_write_end(). The events
 * are at once what is undone when the commit fails and what the observer is told when it does not. */

#include "identity.h"
#include "store-internal.h"

#define IDENTITY_CONTACTS_DEFAULT 10000

typedef enum EventKind {
        EVENT_CONTACT_ADDED,
        EVENT_CONTACT_CHANGED,
        EVENT_CONTACT_REMOVED,
        EVENT_CHANNEL_LEARNT, /* a new secret */
        EVENT_CHANNEL_FORGOTTEN,
        EVENT_CHANNEL_CHANGED,
        EVENT_CHANNEL_MOVED, /* out of one slot, into another, or both */
        EVENT_SLOT_SET,
        EVENT_MESSAGE_ADDED,
        EVENT_MESSAGE_CHANGED,
        EVENT_MESSAGES_DELETED,
} EventKind;

typedef struct Event {
        EventKind kind;
        unsigned what; /* ContactChange, ChannelChange or MessageChange */
        Contact *contact, *contact_before;
        Channel *channel, *channel_before;
        unsigned slot;
        int slot_before, slot_after;
        const Message *message; /* borrowed */
        Message *message_own;
        GArray *ids;
} Event;

struct Identity {
        Store *store;
        StoreClient client;
        PublicKey key;
        IdentityRecord record;
        bool stored; /* false after the history was lost, until all is written to the new one */

        const IdentityObserver *observer;
        void *observer_userdata;

        GHashTable *contacts; /* &Contact.key → Contact */
        GHashTable *prefixes; /* first 6 bytes, as uint64_t → GSList of Contact */
        GHashTable *heard;    /* set of Contact whose last_heard_usec is not written */
        GHashTable *talkers;  /* set of Contact found to have messages */
        size_t contact_limit;

        GHashTable *channels; /* &Channel.id → Channel */
        Channel *slots[IDENTITY_SLOTS_MAX];

        uint64_t unread;
        uint64_t last_id;
        GHashTable *repeats; /* id of a message → GByteArray that is not written */

        /* The write under way. */
        GPtrArray *events;
        GPtrArray *written_heard;
        IdentityRecord record_before;
        uint64_t unread_before, last_id_before;
        bool batch;
        int batch_error;
};

/* -- identity.c ----------------------------------------------------------- */

/* Inside a batch both only pass on its error. */
int identity_write_begin(Identity *identity);
/* r is how it went so far. Commits, or undoes everything; tells the observer; returns r or the error. */
int identity_write_end(Identity *identity, int r);
/* The same for what must be a transaction of its own: -EBUSY inside a batch. */
int identity_write_begin_alone(Identity *identity);

/* The store is open and knows us. */
int identity_ready(Identity *identity);

/* -- identity-events.c ------------------------------------------------------- */

GPtrArray *identity_new_events(void);
Event *identity_add_event(Identity *identity, EventKind kind);
/* The write is durable: tells the observer. */
void identity_finish_events(Identity *identity);
/* It is not: the memory is what it was at its begin. */
void identity_undo_events(Identity *identity);

/* -- identity-contacts.c --------------------------------------------------- */

void identity_link_contact(Identity *identity, Contact *contact);
void identity_unlink_contact(Identity *identity, Contact *contact);
/* All contacts whose keys begin with these 6 bytes; owned by the identity. */
GSList *identity_contacts_of_prefix(Identity *identity, const uint8_t prefix[KEY_PREFIX_SIZE]);
/* Exchanges all but the key: does and undoes a change. */
void identity_swap_contact(Contact *a, Contact *b);

/* -- identity-channels.c ----------------------------------------------------- */

void identity_swap_channel(Channel *a, Channel *b);
void identity_place_slot(Identity *identity, unsigned slot, Channel *channel);

/* -- identity-messages.c ------------------------------------------------------ */

/* Adds to the unread counts of all that a message, as stored, belongs to. */
void identity_count_unread(Identity *identity, const Message *message, int by);
