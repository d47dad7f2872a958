/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* All that belongs to one radio identity, a public key: contacts, channels
 * and messages. Contacts and channels are held in memory and written through;
 * messages stay in the store. Every change reaches the observer once, after it
 * is durable.
 *
 * Functions that write return 0 or more, or a negative errno of the store
 * (-ENOSPC, -EIO, -EROFS, -EBUSY, -EUCLEAN for damage); then nothing has
 * changed, but for -EUCLEAN, with which the whole history was set aside
 * (history_lost): the same call may be made again and goes to the new one.
 * They are logged already. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "channel.h"
#include "contact.h"
#include "message.h"
#include "store.h"

typedef struct Identity Identity;

typedef struct IdentityObserver {
        void (*contact_added)(Identity *identity, Contact *contact, void *userdata);
        void (*contact_changed)(Identity *identity, Contact *contact, ContactChange what, void *userdata);
        void (*contact_removed)(Identity *identity, Contact *contact, void *userdata); /* still readable */
        void (*channel_added)(Identity *identity, Channel *channel, void *userdata);
        void (*channel_changed)(Identity *identity, Channel *channel, ChannelChange what, void *userdata);
        void (*channel_removed)(Identity *identity, Channel *channel, void *userdata); /* left its slot */
        void (*message_added)(Identity *identity, const Message *message,
                              void *userdata); /* received, or queued by us */
        void (*message_changed)(Identity *identity, const Message *message, MessageChange what,
                                void *userdata);
        void (*messages_deleted)(Identity *identity, const uint64_t *ids, size_t n, void *userdata);
        /* The store was damaged and set aside: all messages are gone, and store_history_id() is another.
         * Contacts and channels stay; contact_changed and channel_changed tell of their unread counts. */
        void (*history_lost)(Identity *identity, void *userdata);
} IdentityObserver;

/* Loads from the store, or begins an empty one. */
int identity_load(Store *store, const PublicKey *key, Identity **ret);
Identity *identity_free(Identity *identity);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Identity, identity_free)

/* One observer; NULL removes it. Not called for what is there already. */
void identity_set_observer(Identity *identity, const IdentityObserver *observer, void *userdata);

const PublicKey *identity_key(const Identity *identity);
Store *identity_store(const Identity *identity);

/* Several writes as one transaction (a contact dump). Observers are called
 * after the commit, not before. They don't nest, and must be over before control goes back to
 * the event loop: the transaction is the store's, and every other writer gets -EBUSY meanwhile, also
 * identity_receive() and the other message functions. After a failed write in between, identity_commit()
 * returns its error and nothing has changed; identity_rollback() after a failed commit is harmless. */
int identity_begin(Identity *identity);
int identity_commit(Identity *identity);
void identity_rollback(Identity *identity);

/* -- contacts ------------------------------------------------------------ */

/* PublicKey → Contact, owned by the identity; read only. */
GHashTable *identity_contacts(Identity *identity);
Contact *identity_get_contact(Identity *identity, const PublicKey *key);

/* How many contacts' keys begin with these bytes; *ret is one of them. */
size_t identity_find_contact_prefix(Identity *identity, const uint8_t *prefix, size_t size, Contact **ret);

/* Adds or updates. unread is kept by the identity and last_heard_usec never goes back. Above the limit
 * (identity_set_contact_limit(), 10,000 at start) a stranger without messages leaves first. */
int identity_put_contact(Identity *identity, const Contact *contact);
int identity_remove_contact(Identity *identity, const PublicKey *key);
void identity_set_contact_limit(Identity *identity, size_t limit);

/* Heard now. Kept in memory, told to the observer, written by identity_flush(), so that a busy mesh does not
 * wear out an SD card. */
void identity_touch_contact(Identity *identity, const PublicKey *key, uint64_t heard_usec);
bool identity_needs_flush(const Identity *identity);
int identity_flush(Identity *identity);

/* The since of the next incremental dump (radio's clock; 0: full) and the
 * radio's own count at the end of the last whole one. */
uint32_t identity_contacts_since(const Identity *identity);
uint32_t identity_contacts_radio_count(const Identity *identity);
int identity_set_contacts_mark(Identity *identity, uint32_t since, uint32_t radio_count);

/* -- channels ------------------------------------------------------------ */

#define IDENTITY_SLOTS_MAX 256

/* Channels that sit in a slot now. A secret that sits in several is one channel: identity_get_slot() gives it
 * for each of them, and its slot is the lowest. */
size_t identity_n_slots(const Identity *identity);
Channel *identity_get_slot(Identity *identity, unsigned slot);  /* NULL: empty */
Channel *identity_get_channel(Identity *identity, uint64_t id); /* also without a slot; may be NULL */
Channel *identity_find_channel_name(Identity *identity, const char *name,
                                    size_t *ret_n); /* in a slot; exact */

/* What the radio says of a slot, below IDENTITY_SLOTS_MAX (-EINVAL). secret NULL, or all zero with an empty
 * name: empty. Another secret in the slot is another channel: channel_removed, then channel_added. A known
 * secret gets its old id back, so that its messages are there again. */
int identity_set_slot(Identity *identity, unsigned slot, const char *name,
                      const uint8_t secret[CHANNEL_SECRET_SIZE], ChannelKind kind);

/* -- messages ------------------------------------------------------------ */

typedef enum ReceiveResult {
        RECEIVE_NEW,
        RECEIVE_DUPLICATE, /* counted; design, section 4, Duplicates */
} ReceiveResult;

/* Commits one received message with full sync; message_added follows before it
 * returns. message->id is set, to the earlier one for a duplicate. */
int identity_receive(Identity *identity, Message *message, ReceiveResult *ret);

#define IDENTITY_TOKEN_MAX      128  /* bytes */
#define IDENTITY_TOKENS_PER_UID 1024 /* the oldest is forgotten */

/* Commits one outgoing message as queued. A token (may be NULL) that this uid used within
 * 24 h gives the message of then: returns 1, message->id is that of then (it may be deleted by now), and
 * nothing is added. -EINVAL for a token that is empty or too long. */
int identity_queue(Identity *identity, Message *message, uint32_t uid, const char *token);
/* Whether identity_queue() would give an earlier message. */
bool identity_has_token(Identity *identity, uint32_t uid, const char *token);

/* One transaction: the fields named in set, and the attempt if add_attempt. */
typedef struct MessageUpdate {
        MessageChange set;
        MessageState state;
        uint32_t sender_timestamp;
        unsigned attempts;
        uint64_t round_trip_usec;
        bool uncertain;
        const char *error; /* NULL clears */
        bool read;
        bool add_attempt; /* remember expected_ack for attempt number `attempts` - 1 */
        uint8_t expected_ack[4];
} MessageUpdate;

/* Returns 0 (also when nothing differs; then nobody is told), -ENOENT. The sender timestamp also raises
 * identity_last_timestamp(). */
int identity_update_message(Identity *identity, uint64_t id, const MessageUpdate *update);

/* Our channel text was heard again on this way. Kept in memory, told to the observer, written by
 * identity_flush(). Returns 1, 0 when that is known already or there are too many, or -ENOENT. */
int identity_add_repeat(Identity *identity, uint64_t id, const MessageRepeat *repeat);

/* The message any of whose attempts expects this acknowledgement, newest first, within 7 days; 0: none. */
uint64_t identity_find_ack(Identity *identity, const uint8_t ack[4]);

/* The highest timestamp that ever went out under this identity, s. */
uint32_t identity_last_timestamp(const Identity *identity);

/* NULL when unknown, of another identity, or deleted; the caller's. A message that came from a prefix only
 * has its peer key here as soon as exactly one contact begins with it. */
Message *identity_get_message(Identity *identity, uint64_t id);
/* The same for whom it matters why: 0, -ENOENT, or what the store says. */
int identity_read_message(Identity *identity, uint64_t id, Message **ret);

typedef struct MessageFilter {
        const PublicKey *peer; /* NULL: any */
        uint64_t channel;      /* 0: any */
        int state;             /* MessageState, or -1: any */
        int kind;              /* MessageKind, or -1: any */
        int direction;         /* 0 any, 1 received, 2 our own */
        bool unread_only;
        uint64_t since_usec; /* timestamp_usec at or after; 0: any */
        uint64_t until_usec; /* before; 0: any */
        const char *text;    /* substring, ASCII case-insensitive; NULL: any */
} MessageFilter;

void message_filter_init(MessageFilter *filter);

/* Up to limit messages whose id is below (newer: above) from; from 0 is that end: the newest
 * (newer: the oldest). In order of the walk. */
int identity_list_messages(Identity *identity, const MessageFilter *filter, uint64_t from, bool newer,
                           size_t limit, GPtrArray **ret);

/* The same, but looks at no more than max_rows messages, fewer if that takes more than about 4 ms, for
 * filters that few of them pass: peer, channel, unread_only, and direction 2 or a state of our own follow an
 * index, all others are looked at one by one, which takes about 1 µs each. *ret_next is the id to go on from,
 * 0 when there is nothing left. */
int identity_search_messages(Identity *identity, const MessageFilter *filter, uint64_t from, bool newer,
                             size_t limit, size_t max_rows, uint64_t *ret_next, GPtrArray **ret);

/* Ids of our own messages that are still open, oldest first: what to resume after a restart. */
int identity_open_messages(Identity *identity, GArray **ret); /* uint64_t */

/* Ids to announce on the bus: first open own ones, oldest first, whose number is told; then the newest
 * unread; at most limit. */
int identity_window(Identity *identity, size_t limit, GArray **ret, size_t *ret_open); /* uint64_t */

/* The id of the newest message but n; 0 when there are no more than n. */
int identity_nth_newest(Identity *identity, uint64_t n, uint64_t *ret);
uint64_t identity_last_message_id(const Identity *identity);
uint64_t identity_unread(const Identity *identity);

/* Returns how many changed. Unknown ids are passed over. */
int identity_mark_read(Identity *identity, const uint64_t *ids, size_t n);
/* Returns how many went; unknown ids are passed over. If one of them is an own message that is still open,
 * none goes: -EBUSY. */
int identity_delete_messages(Identity *identity, const uint64_t *ids, size_t n);
