/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "bus-internal.h"
#include "log.h"

/* Records for who reads them, one datagram each. Nobody is waited for: what does not fit into the socket is
 * lost, and the next record that fits says how many were. */

/* What a reader may be behind, bytes of the kernel's memory. */
#define STREAM_BUFFER (128 * 1024)

typedef struct BusStream {
        BusRadio *radio;
        GList link;
        BusStreamKind kind;
        uid_t uid;
        int fd;
        sd_event_source *source;
        uint64_t lost; /* since the last record that got through */
} BusStream;

static bool has_kind(const BusRadio *self, BusStreamKind kind) {
        for (GList *l = self->streams.head; l; l = l->next)
                if (((BusStream *) l->data)->kind == kind)
                        return true;
        return false;
}

static void stream_free(BusStream *stream) {
        BusRadio *radio = stream->radio;

        g_queue_unlink(&radio->streams, &stream->link);
        if (!has_kind(radio, stream->kind))
                bus_monitor_watch(radio, stream->kind, false);

        sd_event_source_disable_unref(stream->source);
        if (stream->fd >= 0)
                (void) close(stream->fd);
        g_free(stream);
}

static int on_closed(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        stream_free(userdata);
        return 0;
}

static int check_room(const Bus *bus, uid_t uid, sd_bus_error *error) {
        unsigned of_uid = 0, all = 0;

        for (guint i = 0; i < bus->radios->len; i++) {
                const BusRadio *radio = bus->radios->pdata[i];

                for (GList *l = radio->streams.head; l; l = l->next) {
                        of_uid += ((BusStream *) l->data)->uid == uid;
                        all++;
                }
        }

        if (of_uid >= BUS_STREAMS_PER_UID)
                return bus_error_set(error, OUTCOME_IN_PROGRESS, "%i streams of this user are open already",
                                     BUS_STREAMS_PER_UID);
        if (all >= BUS_STREAMS_MAX)
                return bus_error_set(error, OUTCOME_IN_PROGRESS, "%i streams are open already",
                                     BUS_STREAMS_MAX);
        return 0;
}

int bus_stream_open(BusRadio *self, BusStreamKind kind, sd_bus_message *call, sd_bus_error *error) {
        Bus *bus = self->bus;
        _cleanup_close_ int theirs = -EBADF;
        BusStream *stream;
        int fds[2], size = STREAM_BUFFER, r;
        uid_t uid;

        r = bus_caller_uid(bus, call, &uid, error);
        if (r < 0)
                return r;
        r = check_room(bus, uid, error);
        if (r < 0)
                return r;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
                return bus_error_errno(error, -errno, "Cannot make a socket");

        theirs = fds[1];
        stream = g_new(BusStream, 1);
        *stream = (BusStream){
                        .radio = self,
                        .link = {.data = stream},
                        .kind = kind,
                        .uid = uid,
                        .fd = fds[0],
        };
        if (!has_kind(self, kind))
                bus_monitor_watch(self, kind, true);
        g_queue_push_tail_link(&self->streams, &stream->link);

        /* They have nothing to say; the system's limit does where ours cannot be set. */
        (void) shutdown(stream->fd, SHUT_RD);
        (void) setsockopt(stream->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));

        r = sd_event_add_io(bus->event, &stream->source, stream->fd, 0, on_closed, stream);
        if (r < 0) {
                stream_free(stream);
                return bus_error_errno(error, r, "Cannot watch a socket");
        }

        return sd_bus_reply_method_return(call, "h", theirs);
}

static void stream_send(BusStream *stream, const GString *record) {
        char lost[64] = "";
        struct iovec parts[] = {
                        {record->str, record->len},
                        {lost, 0},
                        {(char *) "}", 1},
        };
        const struct msghdr message = {.msg_iov = parts, .msg_iovlen = ELEMENTSOF(parts)};

        if (stream->lost > 0)
                parts[1].iov_len = (size_t) snprintf(lost, sizeof(lost), ",\"Lost\":%" PRIu64, stream->lost);

        /* One who is gone is told by an event of its own. */
        if (sendmsg(stream->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
                stream->lost++;
        else
                stream->lost = 0;
}

void bus_streams_send(BusRadio *self, BusStreamKind kind, const GString *record) {
        for (GList *l = self->streams.head; l; l = l->next)
                if (((BusStream *) l->data)->kind == kind)
                        stream_send(l->data, record);
}

void bus_streams_clear(BusRadio *self) {
        BusStream *stream;

        while ((stream = g_queue_peek_head(&self->streams)))
                stream_free(stream);
}
