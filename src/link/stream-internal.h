/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Frames over a descriptor that carries bytes: what TCP and serial have in
 * common once they are open. */

#include "framer.h"
#include "link-internal.h"

typedef struct StreamTraits {
        FramerPolicy policy;
        /* How long half a frame may lie without a further byte. FRAMER_RESYNC drops it
         * then, FRAMER_STRICT ends the link. */
        uint64_t half_frame_usec;
        /* As send() and recv(), without flags. */
        ssize_t (*read)(int fd, void *buffer, size_t size);
        ssize_t (*write)(int fd, const void *data, size_t size);
        int (*close)(int fd); /* as safe_close() */
        const char *eof_text; /* for link_why() */
} StreamTraits;

typedef struct Stream {
        Link *link; /* whose member this is */
        const StreamTraits *traits;
        int fd;
        sd_event_source *io, *half_frame, *failure;
        bool half_frame_armed, want_write;
        int write_error;
        GByteArray *output;
        Framer framer;
} Stream;

/* Before anything else; fd is then -EBADF. */
void stream_init(Stream *stream, Link *link, const StreamTraits *traits);

/* Takes the non-blocking descriptor (also on failure) and begins to read at
 * the next turn of the loop. */
int stream_start(Stream *stream, int fd);

/* As link_send(). */
int stream_send(Stream *stream, const uint8_t *frame, size_t size);

/* Bytes outside of any frame; same limits. */
int stream_send_raw(Stream *stream, const void *data, size_t size);

/* Closes the descriptor. More than once is harmless. */
void stream_stop(Stream *stream);
