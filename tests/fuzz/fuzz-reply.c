/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The first byte is the kind of the request, the second the length of prefixes. */

#include <errno.h>

#include "fuzz.h"
#include "reply.h"

static void touch(const Reply *reply, size_t size) {
        fuzz_touch(reply->body.data, reply->body.size);
        FUZZ_ASSERT(reply->padding <= size);

        switch (reply->kind) {
        case REPLY_MMA:
                FUZZ_ASSERT(reply->n_entries <= REPLY_ENTRIES_MAX);
                for (size_t i = 0; i < reply->n_entries; i++)
                        FUZZ_ASSERT(reply->series[i].scale > 0);
                break;
        case REPLY_ACCESS_LIST:
                FUZZ_ASSERT(reply->n_entries <= REPLY_ENTRIES_MAX);
                for (size_t i = 0; i < reply->n_entries; i++)
                        fuzz_touch(reply->access[i].prefix.data, reply->access[i].prefix.size);
                break;
        case REPLY_NEIGHBOURS:
                FUZZ_ASSERT(reply->n_entries <= REPLY_ENTRIES_MAX);
                for (size_t i = 0; i < reply->n_entries; i++)
                        fuzz_touch(reply->neighbours[i].prefix.data, reply->neighbours[i].prefix.size);
                break;
        default:
                break;
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        FrameContext context;
        ReplyKind guess;
        Reply reply;
        Slice body;
        int r;

        if (size < 2)
                return 0;

        body = (Slice){data + 2, size - 2};
        context = (FrameContext){.request = (ReplyKind) (data[0] % _REPLY_KIND_MAX),
                                 .prefix_length = data[1]};
        r = reply_decode(body, &context, &reply);
        FUZZ_ASSERT(r == 0 || r == -EBADMSG);
        if (r == 0)
                touch(&reply, body.size);

        /* What was guessed can be decoded. */
        guess = reply_guess(body);
        FUZZ_ASSERT(reply_kind_to_string(guess));
        FUZZ_ASSERT(reply_decode(body, &(FrameContext){.request = guess}, &reply) == 0);
        return 0;
}
