/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "radio-internal.h"

/* The start sequence, wire reference 2.1, one command after the other. The radio
 * becomes ready when the last step is done, so that nobody sees half of it.
 *
 * Over Bluetooth a command takes some 70 ms, and most of them ask for channel slots that are empty. A radio
 * whose slots were all read before, by this process, is asked for those first that hold a channel. When each
 * holds the one that it did, all that can be sent to is as it was; then its queue is drained, and it is
 * ready. The empty slots follow: another program may have put a channel there. A message of such a slot waits
 * until it was read. */

typedef enum SyncStep {
        SYNC_DEVICE,
        SYNC_SELF,
        SYNC_CLOCK,
        SYNC_SET_CLOCK,
        SYNC_AUTO_ADD,
        SYNC_CONTACTS,
        SYNC_CHANNELS,
        SYNC_BATTERY,
        SYNC_DRAIN,
        SYNC_DONE,
} SyncStep;

struct Sync {
        Radio *radio;
        SyncStep step;
        unsigned tries; /* of this step */

        uint32_t radio_time; /* as the radio said in this session */
        bool full;           /* this dump asked for everything */
        uint32_t announced;  /* CONTACTS_START */
        GPtrArray *dump;     /* Contact, of the dump under way */
        unsigned slot;       /* of the channel that is asked for */
        bool slot_read[IDENTITY_SLOTS_MAX];
        bool known_first;     /* these slots before the empty ones … */
        bool as_known;        /* … and so far they hold what they did */
        bool early;           /* it is ready, or about to be, before all was read */
        PublicKey known_key;  /* whose slots were all read … */
        unsigned known_slots; /* … so many; 0: nobody's */

        unsigned done, total; /* for radio_sync_progress() */
        uint64_t told_usec;   /* boot time */
        bool told;            /* in this session; what is fast is not worth a signal */

        bool polling;
};

/* -- sync.c -- */
void sync_next(Sync *sync, SyncStep step);
void sync_call(Sync *sync, const Command *command, session_reply_t reply);
/* Deals with all that is not the answer hoped for. Returns whether the frame
 * can be used; otherwise the step was repeated or the link given up. */
bool sync_check(Sync *sync, const SessionReply *reply, const char *what);
unsigned sync_count_slots(const Sync *sync);
void sync_advance(Sync *sync, unsigned done);
/* All has been read that was left for after RADIO_READY. */
void sync_finish_early(Sync *sync);

/* -- sync-channels.c -- */
/* From the first slot to SYNC_BATTERY; or to SYNC_DRAIN, and from there to sync_finish_early(). */
void sync_begin_channels(Sync *sync);
void sync_go_on_with_channels(Sync *sync);
void sync_ask_channel(Sync *sync);
