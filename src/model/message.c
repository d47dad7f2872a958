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
        return copy;
}

Message *message_free(Message *message) {
        if (!message)
                return NULL;

        g_free(message->author);
        g_free(message->text);
        g_free(message->data);
        g_free(message->error);
        g_free(message);
        return NULL;
}
