/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <errno.h>
#include <string.h>

#include "command.h"

/* A command being written. It reaches the caller only when it is whole. */
typedef struct Draft {
        Command command;
        ByteWriter w;
} Draft;

static inline void draft_begin(Draft *draft, CommandCode code) {
        writer_init(&draft->w, draft->command.data, sizeof(draft->command.data));
        writer_u8(&draft->w, (uint8_t) code);
}

static inline int draft_finish(const Draft *draft, Command *ret) {
        if (draft->w.overrun)
                return -EMSGSIZE;

        memcpy(ret->data, draft->command.data, draft->w.size);
        ret->size = draft->w.size;
        return 0;
}

static inline void draft_slice(Draft *draft, Slice slice) {
        writer_bytes(&draft->w, slice.data, slice.size);
}

/* The code alone. */
int command_plain(Command *ret, CommandCode code);
/* The code and one byte. */
int command_byte(Command *ret, CommandCode code, uint8_t value);
/* The code and a whole key, after zeroes. */
int command_key(Command *ret, CommandCode code, size_t zeroes, const PublicKey *key);
