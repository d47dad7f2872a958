/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "bus-internal.h"

char *bus_path_radio(const char *id) {
        char *path;
        int r;

        r = sd_bus_path_encode(BUS_ROOT "/radio", id, &path);
        g_assert(r >= 0); /* it can only run out of memory */
        return path;
}

char *bus_path_contact(const BusRadio *self, const PublicKey *key) {
        return g_strconcat(self->path, "/contact/", key_to_text(key).text, NULL);
}

char *bus_path_channel(const BusRadio *self, const Channel *channel) {
        return g_strdup_printf("%s/channel/%i", self->path, channel->slot);
}

char *bus_path_message(const BusRadio *self, uint64_t id) {
        return g_strdup_printf("%s/message/%" PRIu64, self->path, id);
}

char *bus_path_peer(const BusRadio *self, const Message *message) {
        Contact *contact;

        if (!message->has_peer)
                return g_strdup("/");
        if (message->has_peer_key)
                return bus_path_contact(self, &message->peer);
        if (self->identity && identity_find_contact_prefix(self->identity, message->peer_prefix,
                                                           sizeof(message->peer_prefix), &contact) == 1)
                return bus_path_contact(self, &contact->key);
        return g_strdup("/");
}

char *bus_path_message_channel(const BusRadio *self, const Message *message) {
        Channel *channel = NULL;

        if (self->identity && message->channel != 0)
                channel = identity_get_channel(self->identity, message->channel);
        return channel && channel->slot >= 0 ? bus_path_channel(self, channel) : g_strdup("/");
}

static const char *path_below(const BusRadio *self, const char *path, const char *kind) {
        size_t radio = strlen(self->path), n = strlen(kind);

        if (strncmp(path, self->path, radio) != 0 || strncmp(path + radio, kind, n) != 0)
                return NULL;
        return path + radio + n;
}

/* Only the one spelling that we write: every object has one path. */
static int parse_number(const char *text, uint64_t *ret) {
        uint64_t value = 0;

        if (!g_ascii_isdigit(*text) || (text[0] == '0' && text[1]))
                return -EINVAL;

        for (; *text; text++)
                if (!g_ascii_isdigit(*text) || __builtin_mul_overflow(value, (uint64_t) 10, &value) ||
                    __builtin_add_overflow(value, (uint64_t) (*text - '0'), &value))
                        return -EINVAL;

        *ret = value;
        return 0;
}

int bus_path_parse_contact(const BusRadio *self, const char *path, PublicKey *ret) {
        const char *text = path_below(self, path, "/contact/");
        PublicKey key;
        int r;

        if (!text)
                return -EINVAL;
        r = key_from_text(text, &key);
        if (r < 0)
                return r;
        if (strcmp(key_to_text(&key).text, text) != 0)
                return -EINVAL;

        *ret = key;
        return 0;
}

int bus_path_parse_channel(const BusRadio *self, const char *path, unsigned *ret) {
        const char *text = path_below(self, path, "/channel/");
        uint64_t slot;
        int r;

        if (!text)
                return -EINVAL;
        r = parse_number(text, &slot);
        if (r < 0)
                return r;
        if (slot > UINT8_MAX)
                return -EINVAL;

        *ret = (unsigned) slot;
        return 0;
}

int bus_path_parse_message(const BusRadio *self, const char *path, uint64_t *ret) {
        const char *text = path_below(self, path, "/message/");

        return text ? parse_number(text, ret) : -EINVAL;
}
