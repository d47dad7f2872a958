/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* A message as it is stored, received or sent. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "key.h"

typedef enum MessageKind {
        MESSAGE_TEXT,    /* "text": to or from a contact, or on a channel */
        MESSAGE_COMMAND, /* "command": CLI data to or from a server (txt_type 1) */
        MESSAGE_POST,    /* "post": signed plain, a room's post (txt_type 2) */
        MESSAGE_DATA,    /* "data": a channel datagram */
        MESSAGE_RAW,     /* "raw": a frame from the radio's queue that nobody could decode */
        _MESSAGE_KIND_MAX,
        _MESSAGE_KIND_INVALID = -22,
} MessageKind;

/* Design, section 3. Order: everything below MESSAGE_DELIVERED still moves. */
typedef enum MessageState {
        MESSAGE_QUEUED,
        MESSAGE_SENDING,
        MESSAGE_SENT,
        MESSAGE_DELIVERED,
        MESSAGE_FAILED,
        MESSAGE_CANCELLED,
        MESSAGE_EXPIRED,
        MESSAGE_RECEIVED,
        _MESSAGE_STATE_MAX,
        _MESSAGE_STATE_INVALID = -22,
} MessageState;

const char *message_kind_to_string(MessageKind kind);
MessageKind message_kind_from_string(const char *s);
const char *message_state_to_string(MessageState state);
MessageState message_state_from_string(const char *s);

/* An outgoing message that has not reached its end. A channel text has its
 * end in "sent": nobody acknowledges it. */
bool message_state_is_open(MessageState state, bool to_channel);

#define MESSAGE_PATH_DIRECT 0xFF /* wire reference 6.4 */

typedef struct Message {
        uint64_t id; /* grows, unique over all radios, never used again; 0: not stored yet */
        MessageKind kind;
        MessageState state; /* MESSAGE_RECEIVED tells a received one from our own */

        /* One of the two conversations, or neither for MESSAGE_RAW. */
        bool has_peer;
        uint8_t peer_prefix[KEY_PREFIX_SIZE];
        bool has_peer_key;
        PublicKey peer;   /* valid if has_peer_key */
        uint64_t channel; /* Channel.id, 0: not a channel message */

        char *author; /* name claimed on a channel, or "" ; valid UTF-8 */
        bool has_author_prefix;
        uint8_t author_prefix[4]; /* of a room's post */
        char *text;               /* valid UTF-8, "" for data */
        uint8_t *data;            /* datagram, or the whole raw frame; NULL when none */
        size_t data_size;
        uint16_t data_type; /* of a datagram */

        uint32_t sender_timestamp; /* s, the sender's clock, as on the wire */
        uint64_t timestamp_usec;   /* our clock: received, or given to us for sending */
        bool has_snr;
        int8_t snr_x4;
        uint8_t path_len;    /* as received; MESSAGE_PATH_DIRECT: direct */
        bool maybe_cut;      /* a 173-byte V3 frame, wire reference 7.3 */
        uint64_t duplicates; /* how many more times it came */

        bool read;                /* own messages are read */
        unsigned attempts;        /* transmissions begun */
        uint64_t round_trip_usec; /* 0: unknown */
        bool uncertain;           /* sent, but nobody knows whether it went on air */
        uint64_t expires_usec;    /* CLOCK_REALTIME; 0: never */
        char *error;              /* why failed, for people; NULL otherwise */
        GByteArray *repeats;      /* for message_next_repeat(); NULL: none */
} Message;

Message *message_new(void);
Message *message_copy(const Message *message);
Message *message_free(Message *message);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Message, message_free)

/* A way on which an own channel text was heard again: the nodes that passed it on. */
typedef struct MessageRepeat {
        size_t n_hops;
        size_t hash_size;      /* 1 to 3 */
        const uint8_t *hashes; /* n_hops * hash_size; borrowed */
} MessageRepeat;

#define MESSAGE_REPEATS_MAX     32 /* what comes after that is not kept */
#define MESSAGE_REPEAT_SIZE_MAX 64 /* bytes of hashes */

/* Returns whether it was not known, is well formed, and there was room. */
bool message_add_repeat(Message *message, const MessageRepeat *repeat);
/* Begins with *offset 0; false at the end. */
bool message_next_repeat(const Message *message, size_t *offset, MessageRepeat *ret);

typedef enum MessageChange {
        MESSAGE_CHANGED_STATE = 1 << 0,
        MESSAGE_CHANGED_READ = 1 << 1,
        MESSAGE_CHANGED_SENDER_TIMESTAMP = 1 << 2,
        MESSAGE_CHANGED_ATTEMPTS = 1 << 3,
        MESSAGE_CHANGED_ROUND_TRIP = 1 << 4,
        MESSAGE_CHANGED_UNCERTAIN = 1 << 5,
        MESSAGE_CHANGED_ERROR = 1 << 6,
        MESSAGE_CHANGED_REPEATS = 1 << 7, /* not for MessageUpdate */
} MessageChange;
