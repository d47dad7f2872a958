/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "control-socket.h"

#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "log.h"
#include "macros.h"

#define LINE_MAX_BYTES (1024 * 1024)
#define CLIENTS_MAX    16

typedef struct ControlClient {
        ControlSocket *owner;
        int fd;
        sd_event_source *source;
        GString *input, *output;
} ControlClient;

struct ControlSocket {
        sd_event *event;
        Simulator *sim;
        char *path;
        int fd;
        sd_event_source *source;
        GPtrArray *clients;
};

static void client_free(ControlClient *client) {
        sd_event_source_disable_unref(client->source);
        (void) safe_close(client->fd);
        g_string_free(client->input, TRUE);
        g_string_free(client->output, TRUE);
        g_free(client);
}

static char *answer_line(ControlSocket *socket, const char *line, gsize size) {
        g_autoptr(JsonParser) parser = json_parser_new();
        JsonNode *root;
        JsonObject *answer;
        g_autoptr(JsonNode) node = NULL;

        if (json_parser_load_from_data(parser, line, (gssize) size, NULL) &&
            (root = json_parser_get_root(parser)) && JSON_NODE_HOLDS_OBJECT(root)) {
                answer = simulator_control(socket->sim, json_node_get_object(root));
        } else {
                answer = json_object_new();
                json_object_set_boolean_member(answer, "ok", FALSE);
                json_object_set_string_member(answer, "error", "this is no JSON object");
        }

        node = json_node_new(JSON_NODE_OBJECT);
        json_node_take_object(node, answer);
        return json_to_string(node, FALSE);
}

/* Returns false when the client is gone. */
static bool send_output(ControlClient *client) {
        while (client->output->len > 0) {
                ssize_t n = send(client->fd, client->output->str, client->output->len, MSG_NOSIGNAL);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0 && errno == EAGAIN)
                        break;
                if (n < 0)
                        return false;
                g_string_erase(client->output, 0, n);
        }

        return sd_event_source_set_io_events(client->source,
                                             client->output->len > 0 ? EPOLLIN | EPOLLOUT : EPOLLIN) >= 0;
}

static bool read_input(ControlClient *client) {
        char data[4096], *end;
        ssize_t n = read(client->fd, data, sizeof(data));

        if (n < 0)
                return errno == EAGAIN || errno == EINTR;
        if (n == 0)
                return false;

        g_string_append_len(client->input, data, n);
        while ((end = memchr(client->input->str, '\n', client->input->len))) {
                gsize size = (gsize) (end - client->input->str);
                g_autofree char *answer = NULL;

                if (size > 0) {
                        answer = answer_line(client->owner, client->input->str, size);
                        g_string_append(client->output, answer);
                        g_string_append_c(client->output, '\n');
                }
                g_string_erase(client->input, 0, (gssize) size + 1);
        }

        return client->input->len <= LINE_MAX_BYTES;
}

static int on_client(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        ControlClient *client = userdata;

        if ((revents & (EPOLLIN | EPOLLHUP) && !read_input(client)) || !send_output(client))
                g_ptr_array_remove(client->owner->clients, client);

        return 0;
}

static int on_listen(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        ControlSocket *socket = userdata;
        _cleanup_close_ int accepted = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        ControlClient *client;

        if (accepted < 0 || socket->clients->len >= CLIENTS_MAX)
                return 0;

        client = g_new0(ControlClient, 1);
        client->owner = socket;
        client->fd = steal_fd(&accepted);
        client->input = g_string_new(NULL);
        client->output = g_string_new(NULL);
        if (sd_event_add_io(socket->event, &client->source, client->fd, EPOLLIN, on_client, client) < 0)
                client_free(client);
        else
                g_ptr_array_add(socket->clients, client);

        return 0;
}

ControlSocket *control_socket_free(ControlSocket *socket) {
        if (!socket)
                return NULL;

        if (socket->fd >= 0)
                (void) unlink(socket->path);
        g_ptr_array_unref(socket->clients);
        sd_event_source_disable_unref(socket->source);
        (void) safe_close(socket->fd);
        sd_event_unref(socket->event);
        g_free(socket->path);
        g_free(socket);
        return NULL;
}

static int open_socket(const char *path) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        _cleanup_close_ int fd = -EBADF;
        struct stat st;

        if (strlen(path) >= sizeof(address.sun_path))
                return log_at(LOG_ERR, ENAMETOOLONG, "%s is too long for a socket", path);
        memcpy(address.sun_path, path, strlen(path) + 1);

        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return log_error_errno(errno, "Cannot make a socket");

        if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode)) {
                /* One that nobody listens on was left behind. */
                if (connect(fd, (struct sockaddr *) &address, sizeof(address)) >= 0)
                        return log_at(LOG_ERR, EADDRINUSE, "%s is in use", path);
                (void) unlink(path);
        }
        if (bind(fd, (struct sockaddr *) &address, sizeof(address)) < 0 || listen(fd, 16) < 0)
                return log_error_errno(errno, "Cannot listen on %s", path);

        return steal_fd(&fd);
}

int control_socket_new(sd_event *event, const char *path, Simulator *sim, ControlSocket **ret) {
        g_autoptr(ControlSocket) socket = g_new0(ControlSocket, 1);
        int r;

        socket->event = sd_event_ref(event);
        socket->sim = sim;
        socket->path = g_strdup(path);
        socket->clients = g_ptr_array_new_with_free_func((GDestroyNotify) client_free);
        socket->fd = open_socket(path);
        if (socket->fd < 0)
                return socket->fd;

        r = sd_event_add_io(event, &socket->source, socket->fd, EPOLLIN, on_listen, socket);
        if (r < 0)
                return log_error_errno(r, "Cannot watch %s", path);

        *ret = g_steal_pointer(&socket);
        return 0;
}
