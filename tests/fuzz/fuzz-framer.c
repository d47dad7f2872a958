/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The first byte chooses the policy and the size of the pieces. */

#include <errno.h>
#include <string.h>

#include "framer.h"
#include "fuzz.h"

static void take_frames(Framer *framer, const FramerPolicy policy) {
        Slice frame;
        int r;

        while ((r = framer_next(framer, &frame)) > 0) {
                FUZZ_ASSERT(frame.size > 0 && frame.size <= FRAME_SIZE_ACCEPTED);
                fuzz_touch(frame.data, frame.size);
        }
        FUZZ_ASSERT(r == 0 || (policy == FRAMER_STRICT && r == -EBADMSG));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        FramerPolicy policy;
        size_t step;
        Framer framer;

        if (size == 0)
                return 0;

        policy = data[0] & 1 ? FRAMER_STRICT : FRAMER_RESYNC;
        step = (data[0] >> 1) + 1U;
        framer_init(&framer, policy, STREAM_MARKER_RADIO);
        for (size_t i = 1; i < size;) {
                size_t piece = size - i < step ? size - i : step;
                size_t taken = framer_push(&framer, data + i, piece);

                FUZZ_ASSERT(taken <= piece);
                take_frames(&framer, policy);
                if (taken == 0) { /* only a framer that gave up stays full */
                        FUZZ_ASSERT(policy == FRAMER_STRICT);
                        return 0;
                }
                i += taken;
        }

        while (framer_pending(&framer)) {
                framer_expire(&framer);
                take_frames(&framer, policy);
                if (policy == FRAMER_STRICT)
                        break;
        }
        return 0;
}
