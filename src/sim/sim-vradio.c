/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim-vradio.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "hex.h"
#include "log.h"
#include "macros.h"

#define LINE_MAX_SIZE  4096
#define FRAME_MAX_SIZE 512

struct SimVradio {
        SimLinkCallbacks callbacks;
        void *userdata;
        unsigned radio;
        int fd;
        sd_event_source *source;
        GByteArray *input;
        bool encrypted, subscribed, has_client;
        GQueue sizes; /* of notifications that vradio has not answered for */
        size_t pending;
        uint64_t written;
};

/* The firmware takes an app for connected when the link is secure; what it says before somebody has
 * subscribed is lost. */
static void update_client(SimVradio *v) {
        bool has_client = v->encrypted && v->subscribed;

        if (has_client == v->has_client)
                return;

        v->has_client = has_client;
        if (has_client) {
                v->written = 0;
                v->pending = 0;
                v->callbacks.connected(v->userdata);
        } else
                v->callbacks.disconnected(v->userdata);
}

static void tell(SimVradio *v, const char *command) {
        g_autofree char *line = g_strdup_printf("@%u %s\n", v->radio, command);
        size_t size = strlen(line);

        /* Some hundred kilobytes fit into the socket: vradio reads all the time. */
        if (send(v->fd, line, size, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t) size)
                (void) log_warning_errno(errno, "Cannot tell vradio");
}

static void take_answer(SimVradio *v, bool good) {
        size_t size = GPOINTER_TO_SIZE(g_queue_pop_head(&v->sizes));

        if (size == 0)
                return; /* of another command */
        v->pending -= MIN(v->pending, size);
        if (!good)
                return;
        v->written += size;
        v->callbacks.written(v->userdata, v->written);
}

static void take_frame(SimVradio *v, const char *digits) {
        uint8_t frame[FRAME_MAX_SIZE];
        int n = hex_decode(digits, strlen(digits), frame, sizeof(frame));

        if (n > 0 && v->has_client)
                v->callbacks.input(v->userdata, frame, (size_t) n);
}

static void take_line(SimVradio *v, const char *line) {
        g_autofree char *prefix = g_strdup_printf("! %u ", v->radio);

        if (line[0] != '!') {
                take_answer(v, g_str_has_prefix(line, "ok"));
                return;
        }
        if (!g_str_has_prefix(line, prefix))
                return;

        line += strlen(prefix);
        if (g_str_has_prefix(line, "rx "))
                take_frame(v, line + strlen("rx "));
        else if (g_str_has_prefix(line, "encrypted"))
                v->encrypted = true;
        else if (g_str_has_prefix(line, "subscribed "))
                v->subscribed = line[strlen("subscribed ")] != '0';
        else if (g_str_has_prefix(line, "connected") || g_str_has_prefix(line, "disconnected"))
                v->encrypted = v->subscribed = false;
        update_client(v);
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        SimVradio *v = userdata;
        uint8_t data[LINE_MAX_SIZE];
        uint8_t *end;
        ssize_t n;

        n = recv(fd, data, sizeof(data), MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return 0;
        if (n <= 0) {
                log_error("vradio is gone");
                return sd_event_exit(sd_event_source_get_event(source), 1);
        }

        g_byte_array_append(v->input, data, (guint) n);
        while ((end = memchr(v->input->data, '\n', v->input->len))) {
                size_t size = (size_t) (end - v->input->data);
                g_autofree char *line = g_strndup((const char *) v->input->data, size);

                g_byte_array_remove_range(v->input, 0, (guint) size + 1);
                take_line(v, line);
        }
        if (v->input->len > LINE_MAX_SIZE)
                g_byte_array_set_size(v->input, 0);
        return 0;
}

int sim_vradio_new(sd_event *event, const char *path, unsigned radio, const SimLinkCallbacks *callbacks,
                   void *userdata, SimVradio **ret) {
        g_autoptr(SimVradio) v = g_new0(SimVradio, 1);
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int r;

        v->callbacks = *callbacks;
        v->userdata = userdata;
        v->radio = radio;
        v->input = g_byte_array_new();
        g_queue_init(&v->sizes);

        if (strlen(path) >= sizeof(address.sun_path))
                return log_at(LOG_ERR, ENAMETOOLONG, "%s", path);
        (void) g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
        v->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (v->fd < 0 || connect(v->fd, (struct sockaddr *) &address, sizeof(address)) < 0)
                return log_error_errno(errno, "Cannot reach vradio at %s", path);

        r = sd_event_add_io(event, &v->source, v->fd, EPOLLIN, on_io, v);
        if (r < 0)
                return log_error_errno(r, "Cannot watch vradio");

        *ret = g_steal_pointer(&v);
        return 0;
}

SimVradio *sim_vradio_free(SimVradio *v) {
        if (!v)
                return NULL;

        sd_event_source_disable_unref(v->source);
        (void) safe_close(v->fd);
        g_byte_array_unref(v->input);
        g_queue_clear(&v->sizes);
        g_free(v);
        return NULL;
}

bool sim_vradio_has_client(const SimVradio *v) {
        return v->has_client;
}

void sim_vradio_write(SimVradio *v, const uint8_t *frame, size_t size) {
        g_autofree char *hex = hex_dup(frame, size);
        g_autofree char *command = g_strconcat("notify ", hex, NULL);

        if (!v->has_client)
                return;

        g_queue_push_tail(&v->sizes, GSIZE_TO_POINTER(size));
        v->pending += size;
        tell(v, command);
}

size_t sim_vradio_pending(const SimVradio *v) {
        return v->pending;
}

uint64_t sim_vradio_written(const SimVradio *v) {
        return v->written;
}

static void command(SimVradio *v, const char *text) {
        g_queue_push_tail(&v->sizes, GSIZE_TO_POINTER(0));
        tell(v, text);
}

void sim_vradio_drop(SimVradio *v) {
        command(v, "drop 0x08");
}

void sim_vradio_stall(SimVradio *v, bool stalled) {
        command(v, stalled ? "set mute 1" : "set mute 0");
}

void sim_vradio_refuse(SimVradio *v, bool refuse) {
        command(v, refuse ? "set advertise 0" : "set advertise 1");
}
