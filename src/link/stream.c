/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>
#include <sys/epoll.h>

#include "macros.h"
#include "stream-internal.h"

#define OUTPUT_MAX     (64 * 1024) /* link.h, link_send() */
#define READ_SIZE      4096
#define READS_PER_TURN 4   /* then others have their turn */
#define READS_AT_END   256 /* of a link that cannot be written to any more */
#define TIMER_ACCURACY (100 * USEC_PER_MSEC)

void stream_init(Stream *stream, Link *link, const StreamTraits *traits) {
        *stream = (Stream){.link = link, .traits = traits, .fd = -EBADF};
        framer_init(&stream->framer, traits->policy, STREAM_MARKER_RADIO);
}

void stream_stop(Stream *stream) {
        stream->io = sd_event_source_disable_unref(stream->io);
        stream->half_frame = sd_event_source_disable_unref(stream->half_frame);
        stream->failure = sd_event_source_disable_unref(stream->failure);
        stream->fd = stream->traits->close(stream->fd);
        g_clear_pointer(&stream->output, g_byte_array_unref);
}

static void stream_end(Stream *stream, int error) {
        if (error == 0)
                link_ended(stream->link, LINK_END_LOST, 0, "%s", stream->traits->eof_text);
        else
                link_ended(stream->link, LINK_END_LOST, error, "the connection broke: %s",
                           g_strerror(ABS(error)));
}

/* Hands on all whole frames. Returns false when the link is not open any more. */
static bool deliver(Stream *stream) {
        Link *link = stream->link;
        Slice frame;
        int r;

        while ((r = framer_next(&stream->framer, &frame)) > 0) {
                link_received(link, frame.data, frame.size);
                framer_forget(&stream->framer);
                if (link->state != LINK_OPEN)
                        return false;
        }
        if (r < 0) {
                link_ended(link, LINK_END_PROTOCOL, r,
                           "the byte stream is out of step; only a new connection helps");
                return false;
        }

        return true;
}

static bool take(Stream *stream, const uint8_t *data, size_t size) {
        while (size > 0) {
                size_t n = framer_push(&stream->framer, data, size);

                data += n;
                size -= n;
                if (!deliver(stream))
                        return false;
        }
        return true;
}

/* Returns 1 when there may be more, 0 when all is read or the link is not open
 * any more. */
static int read_once(Stream *stream) {
        uint8_t buffer[READ_SIZE];
        ssize_t n;
        bool more;

        n = stream->traits->read(stream->fd, buffer, sizeof(buffer));
        if (n < 0) {
                if (errno == EAGAIN || errno == EINTR)
                        return 0;
                stream_end(stream, errno);
                return 0;
        }
        if (n == 0) {
                stream_end(stream, 0);
                return 0;
        }

        more = take(stream, buffer, (size_t) n) && (size_t) n == sizeof(buffer);
        /* It may have been a key. */
        explicit_bzero(buffer, (size_t) n);
        return more;
}

static int on_half_frame(sd_event_source *source, uint64_t usec, void *userdata) {
        Stream *stream = userdata;
        g_autoptr(LinkRef) link = link_ref(stream->link);

        stream->half_frame_armed = false;
        if (stream->traits->policy == FRAMER_STRICT) {
                link_ended(link, LINK_END_PROTOCOL, ETIMEDOUT, "the rest of a frame did not come within %u s",
                           (unsigned) (stream->traits->half_frame_usec / USEC_PER_SEC));
                return 0;
        }

        framer_expire(&stream->framer);
        if (deliver(stream) && framer_pending(&stream->framer)) {
                /* What stood behind the false marker looks like a frame again. */
                stream->half_frame_armed = true;
                (void) sd_event_source_set_time_relative(source, stream->traits->half_frame_usec);
                (void) sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
        }
        return 0;
}

/* The timer runs only while half a frame lies there, so that a quiet link
 * never wakes anybody. */
static int watch_half_frame(Stream *stream, bool progress) {
        bool pending = framer_pending(&stream->framer);
        int r;

        if (!pending) {
                if (stream->half_frame_armed)
                        (void) sd_event_source_set_enabled(stream->half_frame, SD_EVENT_OFF);
                stream->half_frame_armed = false;
                return 0;
        }
        if (stream->half_frame_armed && !progress)
                return 0;

        if (!stream->half_frame) {
                r = sd_event_add_time_relative(stream->link->event, &stream->half_frame, CLOCK_MONOTONIC,
                                               stream->traits->half_frame_usec, TIMER_ACCURACY, on_half_frame,
                                               stream);
                if (r < 0)
                        return r;
        } else {
                r = sd_event_source_set_time_relative(stream->half_frame, stream->traits->half_frame_usec);
                if (r < 0)
                        return r;
                r = sd_event_source_set_enabled(stream->half_frame, SD_EVENT_ONESHOT);
                if (r < 0)
                        return r;
        }
        stream->half_frame_armed = true;
        return 0;
}

static int on_failure(sd_event_source *source, void *userdata) {
        Stream *stream = userdata;
        g_autoptr(LinkRef) link = link_ref(stream->link);

        /* A peer that takes no more may still have said something before, and
         * what it said may be the only copy. */
        for (unsigned i = 0; i < READS_AT_END; i++)
                if (read_once(stream) <= 0)
                        break;
        if (link->state == LINK_OPEN)
                stream_end(stream, stream->write_error);
        return 0;
}

/* The handler must not run inside link_send(), so the end waits for the next
 * turn. */
static int fail_later(Stream *stream, int error) {
        int r;

        if (stream->failure)
                return 0;

        stream->write_error = error;
        g_byte_array_set_size(stream->output, 0);
        r = sd_event_add_defer(stream->link->event, &stream->failure, on_failure, stream);
        if (r < 0)
                return r;
        return sd_event_source_set_enabled(stream->failure, SD_EVENT_ONESHOT);
}

static int set_want_write(Stream *stream, bool want) {
        int r;

        if (stream->want_write == want)
                return 0;

        r = sd_event_source_set_io_events(stream->io, want ? EPOLLIN | EPOLLOUT : EPOLLIN);
        if (r < 0)
                return r;
        stream->want_write = want;
        return 0;
}

static int flush(Stream *stream) {
        GByteArray *output = stream->output;

        while (output->len > 0) {
                ssize_t n = stream->traits->write(stream->fd, output->data, output->len);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0 && errno == EAGAIN)
                        break;
                if (n < 0)
                        return fail_later(stream, errno);
                if (n == 0)
                        break;

                g_byte_array_remove_range(output, 0, (guint) n);
                /* It may have been a key. */
                explicit_bzero(output->data + output->len, (size_t) n);
        }

        return set_want_write(stream, output->len > 0);
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        Stream *stream = userdata;
        g_autoptr(LinkRef) link = link_ref(stream->link);
        int r;

        if (revents & EPOLLOUT) {
                r = flush(stream);
                if (r < 0) {
                        stream_end(stream, r);
                        return 0;
                }
        }

        /* Also on a hang-up or an error: first what had arrived before it. */
        if (revents & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
                for (unsigned i = 0; i < READS_PER_TURN; i++)
                        if (read_once(stream) <= 0)
                                break;
                if (link->state == LINK_OPEN) {
                        r = watch_half_frame(stream, true);
                        if (r < 0)
                                stream_end(stream, r);
                }
        }
        return 0;
}

int stream_start(Stream *stream, int fd) {
        int r;

        stream->fd = fd;
        stream->output = g_byte_array_new();
        r = sd_event_add_io(stream->link->event, &stream->io, fd, EPOLLIN, on_io, stream);
        if (r < 0)
                return r;

        (void) sd_event_source_set_description(stream->io, "link-stream");
        return 0;
}

int stream_send_raw(Stream *stream, const void *data, size_t size) {
        /* A failure is known already; its callback comes. */
        if (stream->failure)
                return 0;
        if (stream->output->len + size > OUTPUT_MAX)
                return -ENOBUFS;

        g_byte_array_append(stream->output, data, (guint) size);
        return stream->want_write ? 0 : flush(stream);
}

int stream_send(Stream *stream, const uint8_t *frame, size_t size) {
        uint8_t encoded[STREAM_HEADER_SIZE + FRAME_SIZE_ACCEPTED];
        int n, r;

        n = stream_encode(STREAM_MARKER_APP, frame, size, encoded, sizeof(encoded));
        if (n < 0)
                return n;

        r = stream_send_raw(stream, encoded, (size_t) n);
        explicit_bzero(encoded, (size_t) n);
        return r;
}
