/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "channel.h"
#include "macros.h"

const char *channel_kind_to_string(ChannelKind kind) {
        static const char *const names[_CHANNEL_KIND_MAX] = {
                        [CHANNEL_PUBLIC] = "public",
                        [CHANNEL_HASHTAG] = "hashtag",
                        [CHANNEL_PRIVATE] = "private",
        };

        return kind >= 0 && kind < _CHANNEL_KIND_MAX ? names[kind] : NULL;
}

Channel *channel_new(const uint8_t secret[CHANNEL_SECRET_SIZE]) {
        Channel *channel = g_new(Channel, 1);

        *channel = (Channel){
                        .slot = -1,
                        .name = g_strdup(""),
                        .kind = CHANNEL_PRIVATE,
        };
        memcpy(channel->secret, secret, sizeof(channel->secret));
        return channel;
}

Channel *channel_copy(const Channel *channel) {
        Channel *copy = g_new(Channel, 1);

        *copy = *channel;
        copy->name = g_strdup(channel->name);
        return copy;
}

Channel *channel_free(Channel *channel) {
        if (!channel)
                return NULL;

        explicit_bzero(channel->secret, sizeof(channel->secret));
        g_free(channel->name);
        g_free(channel);
        return NULL;
}

ChannelChange channel_compare(const Channel *a, const Channel *b) {
        ChannelChange what = 0;

        if (strcmp(a->name, b->name) != 0)
                what |= CHANNEL_CHANGED_NAME;
        if (a->kind != b->kind)
                what |= CHANNEL_CHANGED_KIND;
        if (a->unread != b->unread)
                what |= CHANNEL_CHANGED_UNREAD;
        if (a->slot != b->slot)
                what |= CHANNEL_CHANGED_SLOT;

        return what;
}
