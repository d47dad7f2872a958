/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "macros.h"
#include "message.h"

static const char *const kind_names[_MESSAGE_KIND_MAX] = {
                [MESSAGE_TEXT] = "text", [MESSAGE_COMMAND] = "command", [MESSAGE_POST] = "post",
                [MESSAGE_DATA] = "data", [MESSAGE_RAW] = "raw",
};

static const char *const state_names[_MESSAGE_STATE_MAX] = {
                [MESSAGE_QUEUED] = "queued",   [MESSAGE_SENDING] = "sending",
                [MESSAGE_SENT] = "sent",       [MESSAGE_DELIVERED] = "delivered",
                [MESSAGE_FAILED] = "failed",   [MESSAGE_CANCELLED] = "cancelled",
                [MESSAGE_EXPIRED] = "expired", [MESSAGE_RECEIVED] = "received",
};

const char *message_kind_to_string(MessageKind kind) {
        return kind >= 0 && kind < _MESSAGE_KIND_MAX ? kind_names[kind] : NULL;
}

MessageKind message_kind_from_string(const char *s) {
        for (MessageKind kind = 0; kind < _MESSAGE_KIND_MAX; kind++)
                if (strcmp(kind_names[kind], s) == 0)
                        return kind;
        return _MESSAGE_KIND_INVALID;
}

const char *message_state_to_string(MessageState state) {
        return state >= 0 && state < _MESSAGE_STATE_MAX ? state_names[state] : NULL;
}

MessageState message_state_from_string(const char *s) {
        for (MessageState state = 0; state < _MESSAGE_STATE_MAX; state++)
                if (strcmp(state_names[state], s) == 0)
                        return state;
        return _MESSAGE_STATE_INVALID;
}

bool message_state_is_open(MessageState state, bool to_channel) {
        return to_channel ? state < MESSAGE_SENT : state < MESSAGE_DELIVERED;
}

Message *message_new(void) {
        Message *message = g_new(Message, 1);

        *message = (Message){
                        .author = g_strdup(""),
                        .text = g_strdup(""),
                        .path_len = MESSAGE_PATH_DIRECT,
        };
        return message;
}

Message *message_copy(const Message *message) {
        Message *copy = g_new(Message, 1);

        *copy = *message;
        copy->author = g_strdup(message->author);
        copy->text = g_strdup(message->text);
        copy->data = g_memdup2(message->data, message->data_size);
        copy->error = g_strdup(message->error);
        if (message->repeats)
                copy->repeats = g_byte_array_ref(message->repeats);
        return copy;
}

Message *message_free(Message *message) {
        if (!message)
                return NULL;

        g_free(message->author);
        g_free(message->text);
        g_free(message->data);
        g_free(message->error);
        g_clear_pointer(&message->repeats, g_byte_array_unref);
        g_free(message);
        return NULL;
}

static bool repeat_is_valid(const MessageRepeat *repeat) {
        return repeat->n_hops > 0 && repeat->hash_size > 0 && repeat->hash_size <= 3 &&
               repeat->n_hops * repeat->hash_size <= MESSAGE_REPEAT_SIZE_MAX;
}

/* Each as the number of its hops, the size of a hash, and the hashes. The bytes may come from a damaged
 * store. */
bool message_next_repeat(const Message *message, size_t *offset, MessageRepeat *ret) {
        const GByteArray *all = message->repeats;
        MessageRepeat repeat;

        if (!all || *offset + 2 > all->len)
                return false;

        repeat.n_hops = all->data[*offset];
        repeat.hash_size = all->data[*offset + 1];
        repeat.hashes = all->data + *offset + 2;
        if (!repeat_is_valid(&repeat) || repeat.n_hops * repeat.hash_size > all->len - *offset - 2)
                return false;

        *offset += 2 + repeat.n_hops * repeat.hash_size;
        *ret = repeat;
        return true;
}

bool message_add_repeat(Message *message, const MessageRepeat *repeat) {
        const size_t size = repeat->n_hops * repeat->hash_size;
        const uint8_t head[] = {(uint8_t) repeat->n_hops, (uint8_t) repeat->hash_size};
        size_t n = 0, offset = 0;
        MessageRepeat known;
        GByteArray *all;

        if (!repeat_is_valid(repeat))
                return false;
        while (message_next_repeat(message, &offset, &known)) {
                if (known.n_hops == repeat->n_hops && known.hash_size == repeat->hash_size &&
                    memcmp(known.hashes, repeat->hashes, size) == 0)
                        return false;
                n++;
        }
        if (n >= MESSAGE_REPEATS_MAX)
                return false;

        /* Copies of the message share the old ones. */
        all = g_byte_array_new();
        if (message->repeats)
                g_byte_array_append(all, message->repeats->data, (guint) offset);
        g_byte_array_append(all, head, sizeof(head));
        g_byte_array_append(all, repeat->hashes, (guint) size);
        g_clear_pointer(&message->repeats, g_byte_array_unref);
        message->repeats = all;
        return true;
}
