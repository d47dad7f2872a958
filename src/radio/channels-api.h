/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What can be asked of a radio's channels (design, section 4, Channels). The
 * contract of contacts-api.h holds here too. */

#include "channel.h"
#include "radio.h"

#define CHANNEL_NAME_MAX 31 /* bytes of UTF-8 */
#define CHANNEL_SLOT_ANY (-1)

/* Where the secret comes from. */
typedef enum ChannelSecret {
        CHANNEL_SECRET_GIVEN,
        CHANNEL_SECRET_DERIVED, /* from a name that begins with '#' */
        CHANNEL_SECRET_PUBLIC,  /* the well-known one */
        CHANNEL_SECRET_RANDOM,  /* a new private channel */
        _CHANNEL_SECRET_MAX,
        _CHANNEL_SECRET_INVALID = -22,
} ChannelSecret;

typedef struct ChannelFields {
        int slot;         /* CHANNEL_SLOT_ANY: the first free one */
        const char *name; /* valid UTF-8, 1 to CHANNEL_NAME_MAX bytes; NULL with CHANNEL_SECRET_PUBLIC:
                             "Public" */
        ChannelSecret source;
        uint8_t secret[CHANNEL_SECRET_SIZE]; /* CHANNEL_SECRET_GIVEN; not all zero */
} ChannelFields;

/* channel is NULL unless it worked, and borrowed for the call. */
typedef void (*radio_channel_done_t)(Radio *radio, const Outcome *outcome, Channel *channel, void *userdata);

/* Sets a slot, also one that holds another channel. What waits in the radio is fetched before the secret of a
 * slot changes, since a message names only the slot it came in by. InvalidArguments when
 * the secret sits in another slot already; TableFull when no slot is free. */
void radio_set_channel(Radio *radio, const ChannelFields *fields, radio_channel_done_t done, void *userdata);

/* Empties the slot. The messages stay, and come back with the secret. NotFound: it is empty. */
void radio_clear_channel(Radio *radio, unsigned slot, radio_done_t done, void *userdata);

/* The lowest slot that is empty; -1 when there is none or the radio has not told its slots. */
int radio_free_channel_slot(Radio *radio);

/* meshcore://channel/add?…: tells the secret to whoever sees it. *ret is the caller's; wipe it. */
OutcomeCode radio_channel_uri(Radio *radio, const Channel *channel, char **ret, Outcome *ret_outcome);
