/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "macros.h"
#include "stream-internal.h"
#include "tty-internal.h"

#define INTER_BYTE_LIMIT USEC_PER_SEC /* wire reference 1.2 */

/* A client that died in the middle of a frame leaves the radio waiting for
 * the rest: of a length, the second byte, then that many. Zeroes complete it,
 * and an idle radio takes no notice of them. */
#define ZEROES_AT_START 264

typedef struct LinkSerial {
        Link link;
        char *path;
        SerialLines lines;
        sd_event_source *step;
        Stream stream;
} LinkSerial;

static LinkSerial *SERIAL(Link *link) {
        return (LinkSerial *) link;
}

static ssize_t tty_read(int fd, void *buffer, size_t size) {
        return read(fd, buffer, size);
}

static ssize_t tty_write(int fd, const void *data, size_t size) {
        return write(fd, data, size);
}

static const StreamTraits serial_traits = {
                .policy = FRAMER_RESYNC,
                .half_frame_usec = INTER_BYTE_LIMIT,
                .read = tty_read,
                .write = tty_write,
                .close = tty_close,
                .eof_text = "the port is gone: was the radio unplugged?",
};

static int on_step(sd_event_source *source, void *userdata) {
        static const uint8_t zeroes[ZEROES_AT_START];
        LinkSerial *serial = userdata;
        g_autoptr(LinkRef) link = link_ref(&serial->link);
        g_autofree char *why = NULL;
        LinkEnd end;
        int fd, r;

        serial->step = sd_event_source_disable_unref(serial->step);
        r = tty_open(serial->path, serial->lines, &fd, &end, &why);
        if (r < 0) {
                link_ended(link, end, r, "%s", why);
                return 0;
        }

        r = stream_start(&serial->stream, fd);
        if (r >= 0)
                r = stream_send_raw(&serial->stream, zeroes, sizeof(zeroes));
        if (r < 0) {
                link_ended(link, LINK_END_REFUSED, r, "cannot watch %s: %s", serial->path, g_strerror(-r));
                return 0;
        }

        link_opened(link);
        return 0;
}

static int serial_open(Link *link) {
        LinkSerial *serial = SERIAL(link);
        int r;

        r = sd_event_add_defer(link->event, &serial->step, on_step, serial);
        if (r < 0)
                return r;

        return sd_event_source_set_enabled(serial->step, SD_EVENT_ONESHOT);
}

static int serial_send(Link *link, const uint8_t *frame, size_t size) {
        return stream_send(&SERIAL(link)->stream, frame, size);
}

static void serial_stop(Link *link) {
        LinkSerial *serial = SERIAL(link);

        serial->step = sd_event_source_disable_unref(serial->step);
        stream_stop(&serial->stream);
}

static void serial_free(Link *link) {
        g_free(SERIAL(link)->path);
        g_free(SERIAL(link));
}

static const LinkOps serial_ops = {
                .open = serial_open,
                .send = serial_send,
                .stop = serial_stop,
                .free = serial_free,
};

int link_new_serial(sd_event *event, const char *path, SerialLines lines, const LinkHandler *handler,
                    void *userdata, Link **ret) {
        LinkSerial *serial;

        if (path[0] != '/' || lines < 0 || lines >= _SERIAL_LINES_MAX)
                return -EINVAL;

        serial = g_new0(LinkSerial, 1);
        link_init(&serial->link, &serial_ops, event, handler, userdata);
        serial->path = g_strdup(path);
        serial->lines = lines;
        stream_init(&serial->stream, &serial->link, &serial_traits);

        *ret = &serial->link;
        return 0;
}
