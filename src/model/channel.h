/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* A group channel. Its identity is the secret, known here by a local id, not
 * the slot of the radio that it sits in (design, section 4, Channels). */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define CHANNEL_SECRET_SIZE 16

typedef enum ChannelKind {
        CHANNEL_PUBLIC,  /* the well-known secret, wire reference 6.17 */
        CHANNEL_HASHTAG, /* secret derived from the name */
        CHANNEL_PRIVATE,
        _CHANNEL_KIND_MAX,
        _CHANNEL_KIND_INVALID = -22,
} ChannelKind;

const char *channel_kind_to_string(ChannelKind kind);

typedef struct Channel {
        uint64_t id; /* local, one per secret and identity; random, never 0 */
        int slot;    /* in the radio, the lowest if it sits in several; -1 when in none now */
        char *name;  /* valid UTF-8, never NULL */
        uint8_t secret[CHANNEL_SECRET_SIZE];
        ChannelKind kind;
        uint64_t unread;
} Channel;

/* name "", slot -1, CHANNEL_PRIVATE; no id yet. */
Channel *channel_new(const uint8_t secret[CHANNEL_SECRET_SIZE]);
Channel *channel_copy(const Channel *channel);
/* Wipes the secret. */
Channel *channel_free(Channel *channel);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Channel, channel_free)

typedef enum ChannelChange {
        CHANNEL_CHANGED_NAME = 1 << 0,
        CHANNEL_CHANGED_KIND = 1 << 1,
        CHANNEL_CHANGED_UNREAD = 1 << 2,
        CHANNEL_CHANGED_SLOT = 1 << 3, /* never published: another slot is another object */
} ChannelChange;

ChannelChange channel_compare(const Channel *a, const Channel *b);
