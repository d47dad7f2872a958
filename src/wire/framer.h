/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Frames in a byte stream (serial and TCP), wire reference 1.2: a marker, the
 * length in two bytes, the payload. No input makes it allocate or fail to make
 * progress. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"
#include "protocol.h"

typedef enum FramerPolicy {
        /* Serial: boot text and a radio's debug lines stand between frames and can
         * hold the marker. An impossible length means that the marker was not one,
         * and the search goes on at the byte after it. */
        FRAMER_RESYNC,
        /* TCP: nothing is lost on the way and a radio's stream begins with a whole
         * frame, so after the first frame every byte at a frame's place that is
         * not the marker, and every impossible length, means that both sides are out of
         * step: -EBADMSG, connect again. Before the first frame it searches as
         * FRAMER_RESYNC does, through FRAMER_NOISE_MAX bytes at most, because a
         * serial-to-TCP bridge lets us in between two bytes. */
        FRAMER_STRICT,
} FramerPolicy;

#define FRAMER_NOISE_MAX   4096
#define FRAMER_BUFFER_SIZE 1024

/* The fields are the framer's own. */
typedef struct Framer {
        FramerPolicy policy;
        uint8_t marker;
        bool synced;  /* a frame was found */
        bool failed;  /* strict: out of step */
        size_t noise; /* bytes thrown away since the start, or since reset */
        size_t start, end;
        uint8_t buffer[FRAMER_BUFFER_SIZE];
} Framer;

/* marker: STREAM_MARKER_RADIO for the app's side, STREAM_MARKER_APP for the
 * radio's side. */
void framer_init(Framer *framer, FramerPolicy policy, uint8_t marker);

/* Takes as much of the data as there is room for, and returns how much. It
 * takes at least one byte whenever framer_next() was called until it returned
 * 0. Slices from framer_next() are dead afterwards. */
size_t framer_push(Framer *framer, const void *data, size_t size);

/* 1: *ret is the payload of the next frame, 1 to FRAME_SIZE_ACCEPTED bytes,
 * valid until the next call that takes a non-const framer. 0: more bytes
 * needed. -EBADMSG: out of step, until framer_reset(). Empty frames are
 * skipped. */
int framer_next(Framer *framer, Slice *ret);

/* Wipes what was taken, the last frame too: it may have been a key. */
void framer_forget(Framer *framer);

/* A frame has begun and its end is missing: the time for the caller's timer
 * (about 1 s without a byte on serial) to run. */
bool framer_pending(const Framer *framer);

/* The timer ran off: the marker of the half frame was not one, or its rest
 * will not come. Drops the marker, not what follows it: frames swallowed by a
 * false header are found by the framer_next() that must follow. */
void framer_expire(Framer *framer);

/* Forgets everything, for a new connection. */
void framer_reset(Framer *framer);

/* Bytes thrown away between frames since framer_init() or framer_reset(). */
size_t framer_noise(const Framer *framer);

/* Writes header and payload to ret. Returns the number of bytes, -EINVAL for
 * an empty payload, -EMSGSIZE for one above FRAME_SIZE_ACCEPTED or a ret too
 * small. */
int stream_encode(uint8_t marker, const void *payload, size_t size, uint8_t *ret, size_t capacity);
