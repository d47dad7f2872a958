/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Shared by delivery.c, which knows all messages on their way and who is next,
 * and outgoing.c, which knows the steps of one. */

#include "contact-internal.h"

/* The radio remembers the acknowledgements of so many tries, wire reference
 * 7.4.3; with one more it forgets the oldest. */
#define UNCONFIRMED_MAX 8

/* One message of ours without a final state. The store has the truth; this is
 * what the next step needs. */
typedef struct Outgoing {
        uint64_t id;
        bool has_uid; /* not after a restart */
        uint32_t uid; /* who asked */
        bool to_channel;
        PublicKey peer;
        MessageState state;
        unsigned attempts; /* begun, the one under way among them */
        bool flood_only;   /* no path was known at the first try */
        bool path_reset;   /* by us, for the tries by flood */
        bool confirmed;    /* but not written down yet */
        uint64_t round_trip_usec;
        bool uncertain;       /* of a channel text: no answer told that it was sent */
        size_t repeated_size; /* on air, of the try under way; 0: it is the first */
        unsigned busy;        /* refusals for want of a packet, in a row */
        uint64_t due_usec;    /* boot time of the next step; 0: now */
        uint64_t expires_usec;
} Outgoing;

struct Delivery {
        Radio *radio;
        GQueue queue;     /* Outgoing, by age */
        uint64_t calling; /* message of the command under way; 0: none */
        uint8_t calling_ack[4];
        uint64_t tries[UNCONFIRMED_MAX]; /* messages of the last tries, as the radio remembers them */
        size_t next_try;
        uint64_t reload_usec;  /* boot time of a new look for messages that could not be read; 0: none */
        GHashTable *displaced; /* PublicKey: the path that a person set is not in the radio */
        bool restoring;
        sd_event_source *timer;
        sd_event_source *wakeup; /* run at the next turn of the loop */
};

static inline Identity *delivery_identity(Delivery *d) {
        return d->radio->identity;
}

/* -- delivery.c -- */
Outgoing *delivery_find(Delivery *d, uint64_t id);
void delivery_forget(Delivery *d, Outgoing *o);
unsigned delivery_unconfirmed(Delivery *d);
/* Whether one more try would not make the radio forget one that still waits for its
 * acknowledgement. A message's own earlier try may go. */
bool delivery_has_slot(Delivery *d, const Outgoing *next);
/* Whether the contact's path is reset for a message that still tries. */
bool delivery_floods_to(Delivery *d, const PublicKey *peer);

/* -- outgoing.c -- */
/* The one door to a message's state. Returns < 0 when the store could not
 * write it: then nothing has changed and the step is to be repeated. */
int outgoing_enter_state(Delivery *d, Outgoing *o, MessageState state, MessageUpdate *update);
/* What is due now. Any of these may forget o. */
void outgoing_step(Delivery *d, Outgoing *o);
/* It was acknowledged. */
void outgoing_delivered(Delivery *d, Outgoing *o);
/* A channel text that was tried once is at its end, whatever came of it. */
void outgoing_end_channel(Delivery *d, Outgoing *o);
