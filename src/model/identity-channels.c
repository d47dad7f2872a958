/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>
#include <sys/random.h>

#include "identity-internal.h"
#include "log.h"

size_t identity_n_slots(const Identity *identity) {
        GHashTableIter iter;
        gpointer value;
        size_t n = 0;

        g_hash_table_iter_init(&iter, identity->channels);
        while (g_hash_table_iter_next(&iter, NULL, &value))
                n += ((Channel *) value)->slot >= 0;

        return n;
}

Channel *identity_get_slot(Identity *identity, unsigned slot) {
        return slot < IDENTITY_SLOTS_MAX ? identity->slots[slot] : NULL;
}

Channel *identity_get_channel(Identity *identity, uint64_t id) {
        return g_hash_table_lookup(identity->channels, &id);
}

Channel *identity_find_channel_name(Identity *identity, const char *name, size_t *ret_n) {
        Channel *found = NULL;
        GHashTableIter iter;
        gpointer value;
        size_t n = 0;

        g_hash_table_iter_init(&iter, identity->channels);
        while (g_hash_table_iter_next(&iter, NULL, &value)) {
                Channel *channel = value;

                if (channel->slot < 0 || strcmp(channel->name, name) != 0)
                        continue;
                n++;
                if (!found || channel->slot < found->slot)
                        found = channel;
        }

        if (ret_n)
                *ret_n = n;
        return found;
}

static Channel *find_secret(Identity *identity, const uint8_t secret[CHANNEL_SECRET_SIZE]) {
        GHashTableIter iter;
        gpointer value;

        g_hash_table_iter_init(&iter, identity->channels);
        while (g_hash_table_iter_next(&iter, NULL, &value))
                if (memcmp(((Channel *) value)->secret, secret, CHANNEL_SECRET_SIZE) == 0)
                        return value;

        return NULL;
}

void identity_swap_channel(Channel *a, Channel *b) {
        const Channel old = *a;

        *a = *b;
        *b = old;
}

void identity_place_slot(Identity *identity, unsigned slot, Channel *channel) {
        identity->slots[slot] = channel;
}

static int lowest_slot(const Identity *identity, const Channel *channel) {
        for (unsigned slot = 0; slot < IDENTITY_SLOTS_MAX; slot++)
                if (identity->slots[slot] == channel)
                        return (int) slot;

        return -1;
}

/* What follows from a change of slots for the one slot that names a channel. */
static void move_channel(Identity *identity, Channel *channel) {
        const int slot = lowest_slot(identity, channel);
        Event *event;

        if (slot == channel->slot)
                return;

        event = identity_add_event(identity, EVENT_CHANNEL_MOVED);
        event->channel = channel;
        event->slot_before = channel->slot;
        event->slot_after = slot;
        channel->slot = slot;
}

static void set_slot(Identity *identity, unsigned slot, Channel *channel) {
        Event *event = identity_add_event(identity, EVENT_SLOT_SET);

        event->slot = slot;
        event->channel = identity->slots[slot];
        identity->slots[slot] = channel;
}

/* A secret that is in no slot and has no messages leaves nothing behind, so a radio
 * whose channels change all the time does not fill the store. */
static int forget_channel(Identity *identity, Channel *channel) {
        int r;

        r = store_has_channel_messages(identity->store, channel->id);
        if (r != 0)
                return MIN(r, 0);

        r = store_delete_channel(identity->store, channel->id);
        if (r < 0)
                return r;

        (void) g_hash_table_steal(identity->channels, &channel->id);
        identity_add_event(identity, EVENT_CHANNEL_FORGOTTEN)->channel = channel;
        return 0;
}

static int leave_slot(Identity *identity, unsigned slot) {
        Channel *channel = identity->slots[slot];
        int r;

        r = store_save_slot(identity->store, identity->record.row, slot, 0);
        if (r < 0)
                return r;

        set_slot(identity, slot, NULL);
        move_channel(identity, channel);
        return channel->slot < 0 ? forget_channel(identity, channel) : 0;
}

/* Random, so that it tells nothing of the secret; 63 bits are what SQLite has. */
static uint64_t new_channel_id(Identity *identity) {
        uint64_t id;

        do {
                if (getrandom(&id, sizeof(id), 0) != (ssize_t) sizeof(id))
                        id = (uint64_t) g_random_int() << 32 | g_random_int();
                id &= INT64_MAX;
        } while (id == 0 || identity_get_channel(identity, id));

        return id;
}

static int learn_channel(Identity *identity, const char *name, const uint8_t secret[CHANNEL_SECRET_SIZE],
                         ChannelKind kind, Channel **ret) {
        g_autoptr(Channel) channel = channel_new(secret);
        int r;

        channel->id = new_channel_id(identity);
        g_free(channel->name);
        channel->name = g_strdup(name);
        channel->kind = kind;

        r = store_save_channel(identity->store, identity->record.row, channel);
        if (r < 0)
                return r;

        (void) g_hash_table_insert(identity->channels, &channel->id, channel);
        identity_add_event(identity, EVENT_CHANNEL_LEARNT)->channel = channel;
        *ret = g_steal_pointer(&channel);
        return 0;
}

/* Unless it is told, the observer hears of it through a move that follows. */
static int change_channel(Identity *identity, Channel *channel, const char *name, ChannelKind kind,
                          bool tell) {
        g_autoptr(Channel) next = channel_copy(channel);
        ChannelChange what;
        Event *event;
        int r;

        g_free(next->name);
        next->name = g_strdup(name);
        next->kind = kind;
        what = channel_compare(channel, next);
        if (what == 0)
                return 0;

        r = store_save_channel(identity->store, identity->record.row, next);
        if (r < 0)
                return r;

        event = identity_add_event(identity, EVENT_CHANNEL_CHANGED);
        event->channel = channel;
        event->what = tell ? what : 0;
        event->channel_before = g_steal_pointer(&next);
        identity_swap_channel(channel, event->channel_before);
        return 0;
}

static int enter_slot(Identity *identity, unsigned slot, const char *name,
                      const uint8_t secret[CHANNEL_SECRET_SIZE], ChannelKind kind) {
        Channel *channel = find_secret(identity, secret);
        int r;

        /* The lowest slot gives the name. */
        if (!channel)
                r = learn_channel(identity, name, secret, kind, &channel);
        else if (channel->slot < 0 || channel->slot >= (int) slot)
                r = change_channel(identity, channel, name, kind, channel->slot == (int) slot);
        else
                r = 0;
        if (r < 0)
                return r;

        if (identity->slots[slot] == channel)
                return 0;

        r = store_save_slot(identity->store, identity->record.row, slot, channel->id);
        if (r < 0)
                return r;

        set_slot(identity, slot, channel);
        move_channel(identity, channel);
        return 0;
}

static bool is_empty(const char *name, const uint8_t *secret) {
        static const uint8_t zeroes[CHANNEL_SECRET_SIZE];

        return !secret || (memcmp(secret, zeroes, sizeof(zeroes)) == 0 && (!name || name[0] == '\0'));
}

static int apply_slot(Identity *identity, unsigned slot, const char *name,
                      const uint8_t secret[CHANNEL_SECRET_SIZE], ChannelKind kind) {
        const Channel *current = identity->slots[slot];
        const bool empty = is_empty(name, secret);
        int r = 0;

        if (current && (empty || memcmp(current->secret, secret, CHANNEL_SECRET_SIZE) != 0))
                r = leave_slot(identity, slot);
        if (r >= 0 && !empty)
                r = enter_slot(identity, slot, name ?: "", secret, kind);

        return r;
}

/* Most of a sync says what is known already: no transaction for that. */
static bool is_known(const Identity *identity, unsigned slot, const char *name, const uint8_t *secret,
                     ChannelKind kind) {
        const Channel *current = identity->slots[slot];

        if (is_empty(name, secret))
                return !current;

        return current && memcmp(current->secret, secret, CHANNEL_SECRET_SIZE) == 0 &&
               (current->slot != (int) slot ||
                (strcmp(current->name, name ?: "") == 0 && current->kind == kind));
}

int identity_set_slot(Identity *identity, unsigned slot, const char *name,
                      const uint8_t secret[CHANNEL_SECRET_SIZE], ChannelKind kind) {
        int r;

        if (slot >= IDENTITY_SLOTS_MAX || kind < 0 || kind >= _CHANNEL_KIND_MAX)
                return log_error_errno(EINVAL, "There is no channel slot %u", slot);
        if (is_known(identity, slot, name, secret, kind))
                return 0;

        r = identity_write_begin(identity);
        if (r < 0)
                return r;

        r = apply_slot(identity, slot, name, secret, kind);
        return identity_write_end(identity, r);
}
