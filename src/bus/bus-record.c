/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "bus-internal.h"
#include "hex.h"

/* A message as the bus sees it. The properties of the Message interface, the
 * record in Received and those in List all come from the one table below. */

const char *bus_text(const char *text) {
        g_assert(g_utf8_validate(text, -1, NULL));
        return text;
}

int bus_append_entry(sd_bus_message *m, const char *key, const char *type, ...) {
        va_list ap;
        int r;

        r = sd_bus_message_open_container(m, 'e', "sv");
        if (r < 0)
                return r;
        r = sd_bus_message_append_basic(m, 's', key);
        if (r < 0)
                return r;
        r = sd_bus_message_open_container(m, 'v', type);
        if (r < 0)
                return r;
        va_start(ap, type);
        r = sd_bus_message_appendv(m, type, ap);
        va_end(ap);
        if (r < 0)
                return r;
        r = sd_bus_message_close_container(m);
        if (r < 0)
                return r;
        return sd_bus_message_close_container(m);
}

static int append_id(sd_bus_message *m, const BusRadio *self, const Message *message) {
        return sd_bus_message_append_basic(m, 't', &message->id);
}

static int append_peer(sd_bus_message *m, const BusRadio *self, const Message *message) {
        g_autofree char *path = bus_path_peer(self, message);

        return sd_bus_message_append_basic(m, 'o', path);
}

static int append_peer_prefix(sd_bus_message *m, const BusRadio *self, const Message *message) {
        char text[2 * KEY_PREFIX_SIZE + 1] = "";

        if (message->has_peer)
                hex_encode(message->peer_prefix, KEY_PREFIX_SIZE, text);
        return sd_bus_message_append_basic(m, 's', text);
}

static int append_channel(sd_bus_message *m, const BusRadio *self, const Message *message) {
        g_autofree char *path = bus_path_message_channel(self, message);

        return sd_bus_message_append_basic(m, 'o', path);
}

static int append_author(sd_bus_message *m, const BusRadio *self, const Message *message) {
        const char *author = message->author;
        Contact *contact;

        /* A room tells only the beginning of the author's key. */
        if (!*author && message->has_author_prefix && self->identity &&
            identity_find_contact_prefix(self->identity, message->author_prefix,
                                         sizeof(message->author_prefix), &contact) == 1)
                author = contact->name;
        return sd_bus_message_append_basic(m, 's', bus_text(author));
}

static int append_author_key_prefix(sd_bus_message *m, const BusRadio *self, const Message *message) {
        char text[2 * sizeof(message->author_prefix) + 1] = "";

        if (message->has_author_prefix)
                hex_encode(message->author_prefix, sizeof(message->author_prefix), text);
        return sd_bus_message_append_basic(m, 's', text);
}

static int append_text(sd_bus_message *m, const BusRadio *self, const Message *message) {
        return sd_bus_message_append_basic(m, 's', bus_text(message->text));
}

static int append_data(sd_bus_message *m, const BusRadio *self, const Message *message) {
        return sd_bus_message_append_array(m, 'y', message->data, message->data ? message->data_size : 0);
}

static int append_data_type(sd_bus_message *m, const BusRadio *self, const Message *message) {
        return sd_bus_message_append_basic(m, 'q', &message->data_type);
}

static int append_kind(sd_bus_message *m, const BusRadio *self, const Message *message) {
        return sd_bus_message_append_basic(m, 's', message_kind_to_string(message->kind));
}

static int append_state(sd_bus_message *m, const BusRadio *self, const Message *message) {
        return sd_bus_message_append_basic(m, 's', message_state_to_string(message->state));
}

static int append_read(sd_bus_message *m, const BusRadio *self, const Message *message) {
        return sd_bus_message_append(m, "b", (int) message->read);
}

static int append_timestamp(sd_bus_message *m, const BusRadio *self, const Message *message) {
        return sd_bus_message_append_basic(m, 't', &message->timestamp_usec);
}

static int append_sender_timestamp(sd_bus_message *m, const BusRadio *self, const Message *message) {
        return sd_bus_message_append(m, "t", message->sender_timestamp * USEC_PER_SEC);
}

static int append_snr(sd_bus_message *m, const BusRadio *self, const Message *message) {
        return sd_bus_message_append(m, "d", message->has_snr ? message->snr_x4 / 4.0 : (double) NAN);
}

static int append_hops(sd_bus_message *m, const BusRadio *self, const Message *message) {
        bool known = message->state == MESSAGE_RECEIVED && message->path_len != MESSAGE_PATH_DIRECT;

        return sd_bus_message_append(m, "y", known ? message->path_len & 0x3F : UINT8_MAX);
}

static int append_attempts(sd_bus_message *m, const BusRadio *self, const Message *message) {
        return sd_bus_message_append_basic(m, 'u', &message->attempts);
}

static int append_round_trip(sd_bus_message *m, const BusRadio *self, const Message *message) {
        return sd_bus_message_append_basic(m, 't', &message->round_trip_usec);
}

static int append_uncertain(sd_bus_message *m, const BusRadio *self, const Message *message) {
        return sd_bus_message_append(m, "b", (int) message->uncertain);
}

static int append_expires(sd_bus_message *m, const BusRadio *self, const Message *message) {
        return sd_bus_message_append_basic(m, 't', &message->expires_usec);
}

static int append_error(sd_bus_message *m, const BusRadio *self, const Message *message) {
        return sd_bus_message_append_basic(m, 's', bus_text(message->error ?: ""));
}

static int append_repeat(sd_bus_message *m, const MessageRepeat *repeat) {
        int r;

        r = sd_bus_message_open_container(m, 'a', "ay");
        for (size_t i = 0; i < repeat->n_hops && r >= 0; i++)
                r = sd_bus_message_append_array(m, 'y', repeat->hashes + i * repeat->hash_size,
                                                repeat->hash_size);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_repeats(sd_bus_message *m, const BusRadio *self, const Message *message) {
        MessageRepeat repeat;
        size_t offset = 0;
        int r;

        r = sd_bus_message_open_container(m, 'a', "aay");
        while (r >= 0 && message_next_repeat(message, &offset, &repeat))
                r = append_repeat(m, &repeat);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static const struct {
        const char *name, *type;
        int (*append)(sd_bus_message *m, const BusRadio *self, const Message *message);
} fields[] = {
                {"Id", "t", append_id},
                {"Peer", "o", append_peer},
                {"PeerPrefix", "s", append_peer_prefix},
                {"Channel", "o", append_channel},
                {"Author", "s", append_author},
                {"AuthorKeyPrefix", "s", append_author_key_prefix},
                {"Text", "s", append_text},
                {"Data", "ay", append_data},
                {"DataType", "q", append_data_type},
                {"Kind", "s", append_kind},
                {"State", "s", append_state},
                {"Read", "b", append_read},
                {"TimestampUSec", "t", append_timestamp},
                {"SenderTimestampUSec", "t", append_sender_timestamp},
                {"Snr", "d", append_snr},
                {"Hops", "y", append_hops},
                {"Attempts", "u", append_attempts},
                {"RoundTripUSec", "t", append_round_trip},
                {"Uncertain", "b", append_uncertain},
                {"ExpiresUSec", "t", append_expires},
                {"Error", "s", append_error},
                {"Repeats", "aaay", append_repeats},
};

int bus_record_append_field(sd_bus_message *m, const BusRadio *self, const Message *message,
                            const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(fields); i++)
                if (strcmp(fields[i].name, name) == 0)
                        return fields[i].append(m, self, message);
        return -ENOENT;
}

static int append_entry(sd_bus_message *m, const BusRadio *self, const Message *message, size_t i) {
        int r;

        r = sd_bus_message_open_container(m, 'e', "sv");
        if (r < 0)
                return r;
        r = sd_bus_message_append_basic(m, 's', fields[i].name);
        if (r < 0)
                return r;
        r = sd_bus_message_open_container(m, 'v', fields[i].type);
        if (r < 0)
                return r;
        r = fields[i].append(m, self, message);
        if (r < 0)
                return r;
        r = sd_bus_message_close_container(m);
        if (r < 0)
                return r;
        return sd_bus_message_close_container(m);
}

int bus_record_append(sd_bus_message *m, const BusRadio *self, const Message *message) {
        int r;

        r = sd_bus_message_open_container(m, 'a', "{sv}");
        if (r < 0)
                return r;
        for (size_t i = 0; i < ELEMENTSOF(fields); i++) {
                r = append_entry(m, self, message, i);
                if (r < 0)
                        return r;
        }
        return sd_bus_message_close_container(m);
}
