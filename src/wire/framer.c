/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <string.h>

#include "framer.h"
#include "macros.h"

/* The longest frame fits beside the start of another one, so that a framer that
 * was drained always has room. */
G_STATIC_ASSERT(FRAMER_BUFFER_SIZE >= 2 * (STREAM_HEADER_SIZE + FRAME_SIZE_ACCEPTED));

void framer_init(Framer *framer, FramerPolicy policy, uint8_t marker) {
        framer->policy = policy;
        framer->marker = marker;
        framer_reset(framer);
}

void framer_reset(Framer *framer) {
        framer->synced = false;
        framer->failed = false;
        framer->noise = 0;
        framer->start = framer->end = 0;
}

size_t framer_noise(const Framer *framer) {
        return framer->noise;
}

bool framer_pending(const Framer *framer) {
        return framer->end > framer->start;
}

size_t framer_push(Framer *framer, const void *data, size_t size) {
        if (framer->start > 0) {
                memmove(framer->buffer, framer->buffer + framer->start, framer->end - framer->start);
                framer->end -= framer->start;
                explicit_bzero(framer->buffer + framer->end, framer->start);
                framer->start = 0;
        }

        size = MIN(size, sizeof(framer->buffer) - framer->end);
        if (size > 0)
                memcpy(framer->buffer + framer->end, data, size);
        framer->end += size;
        return size;
}

static bool out_of_step(const Framer *framer) {
        return framer->policy == FRAMER_STRICT && (framer->synced || framer->noise > FRAMER_NOISE_MAX);
}

/* Throws away count bytes that are no frame. */
static int discard(Framer *framer, size_t count) {
        framer->start += count;
        framer->noise += count;
        if (count == 0 || !out_of_step(framer))
                return 0;

        framer->failed = true;
        return -EBADMSG;
}

static int find_marker(Framer *framer) {
        const uint8_t *p = framer->buffer + framer->start;
        size_t left = framer->end - framer->start;
        const uint8_t *marker = left > 0 ? memchr(p, framer->marker, left) : NULL;

        return discard(framer, marker ? (size_t) (marker - p) : left);
}

void framer_forget(Framer *framer) {
        explicit_bzero(framer->buffer, framer->start);
}

int framer_next(Framer *framer, Slice *ret) {
        while (!framer->failed) {
                const uint8_t *p;
                size_t left, size;

                if (find_marker(framer) < 0)
                        break;

                p = framer->buffer + framer->start;
                left = framer->end - framer->start;
                if (left < STREAM_HEADER_SIZE)
                        return 0;

                size = p[1] | (size_t) p[2] << 8;
                if (size == 0) {
                        framer->start += STREAM_HEADER_SIZE;
                        continue;
                }
                if (size > FRAME_SIZE_ACCEPTED) {
                        (void) discard(framer, 1);
                        continue;
                }
                if (left < STREAM_HEADER_SIZE + size)
                        return 0;

                framer->start += STREAM_HEADER_SIZE + size;
                framer->synced = true;
                *ret = (Slice){p + STREAM_HEADER_SIZE, size};
                return 1;
        }

        return -EBADMSG;
}

void framer_expire(Framer *framer) {
        if (framer_pending(framer))
                (void) discard(framer, 1);
}

int stream_encode(uint8_t marker, const void *payload, size_t size, uint8_t *ret, size_t capacity) {
        if (size == 0)
                return -EINVAL;
        if (size > FRAME_SIZE_ACCEPTED || capacity < STREAM_HEADER_SIZE + size)
                return -EMSGSIZE;

        ret[0] = marker;
        ret[1] = (uint8_t) size;
        ret[2] = (uint8_t) (size >> 8);
        memcpy(ret + STREAM_HEADER_SIZE, payload, size);
        return (int) (STREAM_HEADER_SIZE + size);
}
