/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <string.h>

#include "protocol.h"
#include "sync-internal.h"
#include "utf8.h"

/* What the slots of the radio hold. */

/* The next slot that is to be read in this round; -1: none. */
static int next_slot(const Sync *sync) {
        for (unsigned slot = 0; slot < sync_count_slots(sync); slot++)
                if (!sync->slot_read[slot] &&
                    (!sync->known_first || identity_get_slot(sync->radio->identity, slot)))
                        return (int) slot;
        return -1;
}

static void end_channels(Sync *sync) {
        if (sync->early)
                sync_finish_early(sync);
        else
                sync_next(sync, SYNC_BATTERY);
}

void sync_go_on_with_channels(Sync *sync) {
        int slot = next_slot(sync);

        if (slot < 0 && sync->known_first) {
                sync->known_first = false;
                slot = next_slot(sync);
                if (sync->as_known && slot >= 0) {
                        sync->early = true;
                        sync_next(sync, SYNC_DRAIN);
                        return;
                }
        }
        if (slot < 0) {
                sync->known_key = *identity_key(sync->radio->identity);
                sync->known_slots = sync_count_slots(sync);
                end_channels(sync);
                return;
        }

        sync->slot = (unsigned) slot;
        sync_next(sync, SYNC_CHANNELS);
}

static unsigned count_read(const Sync *sync) {
        unsigned n = 0;

        for (unsigned slot = 0; slot < sync_count_slots(sync); slot++)
                n += sync->slot_read[slot];
        return n;
}

static int store_slot(Sync *sync, unsigned slot, const Frame *frame) {
        g_autofree char *name = NULL;
        int r;

        name = utf8_repair(frame->channel_info.name.data, frame->channel_info.name.size);
        r = identity_set_slot(sync->radio->identity, slot, name, frame->channel_info.secret,
                              translate_channel_kind(name, frame->channel_info.secret));
        if (r < 0) {
                radio_fail(sync->radio, REASON_STORAGE_FULL, OUTCOME_STORAGE_FULL,
                           "cannot store the channels: %s", g_strerror(-r));
                return r;
        }

        sync->slot_read[slot] = true;
        return 0;
}

static uint64_t channel_in(const Sync *sync, unsigned slot) {
        const Channel *channel = identity_get_slot(sync->radio->identity, slot);

        return channel ? channel->id : 0;
}

static void channel_reply(Session *session, const SessionReply *reply, void *userdata) {
        Sync *sync = userdata;
        uint64_t before = channel_in(sync, sync->slot);

        if (reply->result == SESSION_REPLY && reply->frame->code == RESP_ERR) {
                /* Fewer slots than thought, or a firmware before channels. */
                end_channels(sync);
                return;
        }
        if (!sync_check(sync, reply, "the list of channels") ||
            store_slot(sync, sync->slot, reply->frame) < 0)
                return;

        sync->as_known = sync->as_known && channel_in(sync, sync->slot) == before;
        sync_advance(sync, sync->announced + count_read(sync));
        sync_go_on_with_channels(sync);
}

void sync_ask_channel(Sync *sync) {
        Command command;

        (void) command_get_channel(&command, (uint8_t) sync->slot);
        sync_call(sync, &command, channel_reply);
}

void sync_begin_channels(Sync *sync) {
        memset(sync->slot_read, 0, sizeof(sync->slot_read));
        sync->known_first = sync->known_slots == sync_count_slots(sync) &&
                            key_equal(&sync->known_key, identity_key(sync->radio->identity));
        sync->as_known = true;
        if (!sync->known_first)
                sync->known_slots = 0;
        sync_go_on_with_channels(sync);
}

/* -- out of turn ------------------------------------------------------------------ */

bool sync_knows_slot(const Sync *sync, unsigned slot) {
        return !sync->early || slot >= sync_count_slots(sync) || sync->slot_read[slot];
}

static void slot_reply(Session *session, const SessionReply *reply, void *userdata) {
        Sync *sync = userdata;

        if (reply->result == SESSION_CLOSED)
                return;
        if (reply->result == SESSION_REPLY && reply->frame->kind == FRAME_CHANNEL_INFO &&
            store_slot(sync, reply->frame->channel_info.channel, reply->frame) < 0)
                return;
        receive_slot_told(sync->radio->receive);
}

int sync_read_slot(Sync *sync, unsigned slot) {
        Command command;

        (void) command_get_channel(&command, (uint8_t) slot);
        return session_call(sync->radio->session, &command, SESSION_PERSON, slot_reply, sync);
}
