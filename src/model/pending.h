/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Nodes that a radio heard and did not store, of one identity (design,
 * section 4, Contacts): a pending advert is no contact. At most PENDING_MAX;
 * who was not heard for longest leaves. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "contact.h"
#include "store.h"

#define PENDING_MAX 1000

typedef struct Pending Pending;

typedef struct PendingObserver {
        void (*heard)(Pending *pending, const Contact *contact, bool is_new, void *userdata);
        /* Became a contact, was dismissed, or was silent longest; still readable. */
        void (*left)(Pending *pending, const Contact *contact, void *userdata);
} PendingObserver;

/* What the store knows of the identity, which exists there (identity_load()).
 * Returns 0 or a negative errno, logged already. */
int pending_load(Store *store, const PublicKey *identity, Pending **ret);
/* Does not write: pending_flush() first. */
Pending *pending_free(Pending *pending);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Pending, pending_free)

/* One observer; NULL removes it. */
void pending_set_observer(Pending *pending, const PendingObserver *observer, void *userdata);

size_t pending_count(const Pending *pending);
const Contact *pending_get(Pending *pending, const PublicKey *key); /* NULL: not there */
/* Borrowed, the one heard last first. Free the array only. */
GPtrArray *pending_list(Pending *pending);

/* Heard: contact->last_heard_usec says when. In memory at once, in the store with the next flush: an
 * advert comes again, and a busy mesh must not wear out an SD card. */
void pending_put(Pending *pending, const Contact *contact);
/* Returns whether it was there. */
bool pending_remove(Pending *pending, const PublicKey *key);

bool pending_needs_flush(const Pending *pending);
int pending_flush(Pending *pending);
