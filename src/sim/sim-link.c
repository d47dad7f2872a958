/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim-link.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pty.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>

#include "log.h"
#include "macros.h"
#include "sim-vradio.h"

#define READ_SIZE      4096
#define PTY_POLL_USEC  (50 * USEC_PER_MSEC)
#define PTY_POLL_SLACK (10 * USEC_PER_MSEC)

typedef enum LinkKind {
        LINK_TCP,
        LINK_PTY,
        LINK_WIRE, /* a serial port, or the socket of one that a virtual machine has */
} LinkKind;

struct SimLink {
        sd_event *event;
        SimLinkCallbacks callbacks;
        void *userdata;
        char *name;
        char *address; /* TCP, as bound */
        LinkKind kind;
        SimVradio *vradio; /* then nothing below */
        int listen_fd, fd;
        sd_event_source *listen_source, *source, *timer;
        GByteArray *output;
        uint64_t written;
        bool stalled, refusing, has_client;
};

static int update_events(SimLink *link) {
        uint32_t events = EPOLLIN;

        if (!link->source)
                return 0;
        if (link->output->len > 0)
                events |= EPOLLOUT;

        return sd_event_source_set_io_events(link->source, link->stalled ? 0 : events);
}

/* Nobody has the terminal open: the kernel would report a hang-up for ever.
 * And the other end of a wire tells nobody when it comes back. */
static void watch_for_client(SimLink *link) {
        uint64_t now = 0;

        if (link->source)
                (void) sd_event_source_set_enabled(link->source, SD_EVENT_OFF);
        (void) sd_event_now(link->event, CLOCK_MONOTONIC, &now);
        (void) sd_event_source_set_time(link->timer, now + PTY_POLL_USEC);
        (void) sd_event_source_set_enabled(link->timer, SD_EVENT_ONESHOT);
}

static void client_gone(SimLink *link) {
        if (!link->has_client)
                return;

        link->has_client = false;
        g_byte_array_set_size(link->output, 0);
        if (link->kind != LINK_PTY) {
                link->source = sd_event_source_disable_unref(link->source);
                link->fd = safe_close(link->fd);
        }
        if (link->kind == LINK_WIRE)
                watch_for_client(link);
        link->callbacks.disconnected(link->userdata);
}

static void flush(SimLink *link) {
        while (link->output->len > 0 && !link->stalled && link->fd >= 0) {
                ssize_t n = link->kind == LINK_TCP ? send(link->fd, link->output->data, link->output->len,
                                                          MSG_NOSIGNAL)
                                                   : write(link->fd, link->output->data, link->output->len);

                if (n < 0) {
                        if (errno == EINTR)
                                continue;
                        if (errno != EAGAIN)
                                client_gone(link);
                        break;
                }

                g_byte_array_remove_range(link->output, 0, (guint) n);
                link->written += (uint64_t) n;
        }

        (void) update_events(link);
        link->callbacks.written(link->userdata, link->written);
}

void sim_link_write(SimLink *link, const uint8_t *data, size_t size) {
        if (link->vradio) {
                sim_vradio_write(link->vradio, data, size);
                return;
        }
        if (!link->has_client)
                return;

        g_byte_array_append(link->output, data, (guint) size);
        flush(link);
}

uint64_t sim_link_written(const SimLink *link) {
        return link->vradio ? sim_vradio_written(link->vradio) : link->written;
}

size_t sim_link_pending(const SimLink *link) {
        return link->vradio ? sim_vradio_pending(link->vradio) : link->output->len;
}

static void client_came(SimLink *link) {
        link->has_client = true;
        link->written = 0;
        g_byte_array_set_size(link->output, 0);
        link->callbacks.connected(link->userdata);
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        SimLink *link = userdata;
        uint8_t data[READ_SIZE];
        ssize_t n = 0;

        if (link->stalled && !(revents & (EPOLLHUP | EPOLLERR)))
                return 0;
        if (revents & EPOLLOUT)
                flush(link);
        if (!(revents & (EPOLLIN | EPOLLHUP | EPOLLERR)) || link->fd < 0)
                return 0;

        n = read(fd, data, sizeof(data));
        if (n > 0) {
                link->callbacks.input(link->userdata, data, (size_t) n);
                return 0;
        }
        if (n < 0 && (errno == EAGAIN || errno == EINTR) && !(revents & EPOLLHUP))
                return 0;

        client_gone(link);
        if (link->kind == LINK_PTY)
                watch_for_client(link);
        return 0;
}

static int on_pty_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        SimLink *link = userdata;
        struct pollfd p = {.fd = link->fd, .events = POLLIN};

        if (poll(&p, 1, 0) < 0 || p.revents & POLLHUP) {
                watch_for_client(link);
                return 0;
        }

        client_came(link);
        (void) sd_event_source_set_enabled(link->source, SD_EVENT_ON);
        return update_events(link);
}

static int on_client(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        SimLink *link = userdata;
        _cleanup_close_ int client = -EBADF;
        int r, one = 1;

        client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (client < 0) {
                if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
                        (void) log_warning_errno(errno, "Cannot accept a client");
                return 0;
        }
        /* As the firmware: the newcomer wins. */
        client_gone(link);
        (void) setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        link->fd = steal_fd(&client);
        r = sd_event_add_io(link->event, &link->source, link->fd, EPOLLIN, on_io, link);
        if (r < 0) {
                link->fd = safe_close(link->fd);
                return log_warning_errno(r, "Cannot watch a client");
        }

        client_came(link);
        return update_events(link);
}

static SimLink *link_new(sd_event *event, const SimLinkCallbacks *callbacks, void *userdata) {
        SimLink *link = g_new0(SimLink, 1);

        link->event = sd_event_ref(event);
        link->callbacks = *callbacks;
        link->userdata = userdata;
        link->listen_fd = link->fd = -EBADF;
        link->output = g_byte_array_new();
        return link;
}

SimLink *sim_link_free(SimLink *link) {
        if (!link)
                return NULL;

        sim_vradio_free(link->vradio);
        if (link->kind == LINK_PTY && link->name)
                (void) unlink(link->name);
        sd_event_source_disable_unref(link->listen_source);
        sd_event_source_disable_unref(link->source);
        sd_event_source_disable_unref(link->timer);
        (void) safe_close(link->listen_fd);
        (void) safe_close(link->fd);
        g_byte_array_unref(link->output);
        g_free(link->name);
        g_free(link->address);
        sd_event_unref(link->event);
        g_free(link);
        return NULL;
}

const char *sim_link_name(const SimLink *link) {
        return link->name;
}

bool sim_link_has_client(const SimLink *link) {
        return link->vradio ? sim_vradio_has_client(link->vradio) : link->has_client;
}

static int resolve(const char *address, struct addrinfo **ret) {
        const struct addrinfo hints = {
                        .ai_socktype = SOCK_STREAM,
                        .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
        };
        const char *colon = strrchr(address, ':');
        g_autofree char *host = NULL;
        int r;

        if (!colon || colon == address)
                return log_at(LOG_ERR, EINVAL, "%s is not ADDRESS:PORT", address);

        host = address[0] == '[' && colon[-1] == ']' ? g_strndup(address + 1, (gsize) (colon - address - 2))
                                                     : g_strndup(address, (gsize) (colon - address));
        if (g_str_equal(host, "localhost")) {
                g_free(host);
                host = g_strdup("127.0.0.1");
        }

        r = getaddrinfo(host, colon + 1, &hints, ret);
        if (r != 0)
                return log_at(LOG_ERR, EINVAL, "%s: %s", address, gai_strerror(r));

        return 0;
}

static char *bound_name(int fd) {
        struct sockaddr_storage storage;
        socklen_t size = sizeof(storage);
        char host[NI_MAXHOST], port[NI_MAXSERV];

        if (getsockname(fd, (struct sockaddr *) &storage, &size) < 0 ||
            getnameinfo((struct sockaddr *) &storage, size, host, sizeof(host), port, sizeof(port),
                        NI_NUMERICHOST | NI_NUMERICSERV) != 0)
                return NULL;

        return strchr(host, ':') ? g_strdup_printf("[%s]:%s", host, port)
                                 : g_strdup_printf("%s:%s", host, port);
}

static int start_listening(SimLink *link) {
        struct addrinfo *info = NULL;
        int r, one = 1;

        r = resolve(link->address, &info);
        if (r < 0)
                return r;

        link->listen_fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (link->listen_fd >= 0)
                (void) setsockopt(link->listen_fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
        if (link->listen_fd < 0 || bind(link->listen_fd, info->ai_addr, info->ai_addrlen) < 0 ||
            listen(link->listen_fd, 4) < 0) {
                r = log_error_errno(errno, "Cannot listen on %s", link->address);
                freeaddrinfo(info);
                link->listen_fd = safe_close(link->listen_fd);
                return r;
        }
        freeaddrinfo(info);

        r = sd_event_add_io(link->event, &link->listen_source, link->listen_fd, EPOLLIN, on_client, link);
        return r < 0 ? log_error_errno(r, "Cannot watch for clients") : 0;
}

int sim_link_new_tcp(sd_event *event, const char *address, const SimLinkCallbacks *callbacks, void *userdata,
                     SimLink **ret) {
        g_autoptr(SimLink) link = link_new(event, callbacks, userdata);
        int r;

        link->address = g_strdup(address);
        r = start_listening(link);
        if (r < 0)
                return r;

        link->name = bound_name(link->listen_fd);
        /* Where port 0 led, a pause in listening must come back to. */
        g_free(link->address);
        link->address = g_strdup(link->name);
        *ret = g_steal_pointer(&link);
        return 0;
}

static int make_symlink(const char *target, const char *path) {
        struct stat st;

        if (lstat(path, &st) == 0) {
                if (!S_ISLNK(st.st_mode))
                        return log_at(LOG_ERR, EEXIST, "%s is there and no symbolic link", path);
                if (unlink(path) < 0)
                        return log_error_errno(errno, "Cannot replace %s", path);
        }
        if (symlink(target, path) < 0)
                return log_error_errno(errno, "Cannot make %s", path);

        return 0;
}

static void stop_pty(SimLink *link) {
        client_gone(link);
        link->source = sd_event_source_disable_unref(link->source);
        link->timer = sd_event_source_disable_unref(link->timer);
        link->fd = safe_close(link->fd);
        (void) unlink(link->name);
}

static int start_pty(SimLink *link) {
        _cleanup_close_ int slave = -EBADF;
        struct termios raw = {};
        char target[128];
        int r;

        cfmakeraw(&raw);
        raw.c_cflag |= CREAD | CLOCAL;
        (void) cfsetspeed(&raw, B115200);
        if (openpty(&link->fd, &slave, NULL, &raw, NULL) < 0)
                return log_error_errno(errno, "Cannot make a terminal");
        r = ttyname_r(slave, target, sizeof(target));
        if (r != 0)
                return log_error_errno(r, "Cannot name the terminal");
        (void) fcntl(link->fd, F_SETFD, FD_CLOEXEC);
        (void) fcntl(link->fd, F_SETFL, fcntl(link->fd, F_GETFL) | O_NONBLOCK);

        r = make_symlink(target, link->name);
        if (r < 0)
                return r;

        r = sd_event_add_io(link->event, &link->source, link->fd, EPOLLIN, on_io, link);
        if (r >= 0)
                r = sd_event_add_time(link->event, &link->timer, CLOCK_MONOTONIC, UINT64_MAX, PTY_POLL_SLACK,
                                      on_pty_timer, link);
        if (r < 0)
                return log_error_errno(r, "Cannot watch the terminal");

        watch_for_client(link);
        return 0;
}

int sim_link_new_pty(sd_event *event, const char *path, const SimLinkCallbacks *callbacks, void *userdata,
                     SimLink **ret) {
        g_autoptr(SimLink) link = link_new(event, callbacks, userdata);
        int r;

        link->kind = LINK_PTY;
        link->name = g_strdup(path);
        r = start_pty(link);
        if (r < 0) {
                /* what is in the way is not ours to remove */
                link->name = (g_free(link->name), NULL);
                return r;
        }

        *ret = g_steal_pointer(&link);
        return 0;
}

/* -- wire ---------------------------------------------------------------------- */

static int open_socket(const char *path) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        _cleanup_close_ int fd = -EBADF;

        if (strlen(path) >= sizeof(address.sun_path))
                return -ENAMETOOLONG;
        strcpy(address.sun_path, path);

        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0 || connect(fd, (struct sockaddr *) &address, sizeof(address)) < 0)
                return -errno;
        return steal_fd(&fd);
}

static int open_terminal(const char *path) {
        _cleanup_close_ int fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
        struct termios raw;

        if (fd < 0 || tcgetattr(fd, &raw) < 0)
                return -errno;

        cfmakeraw(&raw);
        raw.c_cflag |= CREAD | CLOCAL;
        if (cfsetspeed(&raw, B115200) < 0 || tcsetattr(fd, TCSANOW, &raw) < 0)
                return -errno;
        return steal_fd(&fd);
}

static int open_wire(SimLink *link) {
        struct stat st;
        int r;

        if (stat(link->name, &st) < 0)
                return -errno;

        r = S_ISSOCK(st.st_mode) ? open_socket(link->name) : open_terminal(link->name);
        if (r < 0)
                return r;

        link->fd = r;
        r = sd_event_add_io(link->event, &link->source, link->fd, EPOLLIN, on_io, link);
        if (r < 0) {
                link->fd = safe_close(link->fd);
                return r;
        }

        client_came(link);
        return update_events(link);
}

static int on_wire_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        SimLink *link = userdata;

        if (!link->refusing && open_wire(link) < 0)
                watch_for_client(link);
        return 0;
}

int sim_link_new_wire(sd_event *event, const char *path, const SimLinkCallbacks *callbacks, void *userdata,
                      SimLink **ret) {
        g_autoptr(SimLink) link = link_new(event, callbacks, userdata);
        int r;

        link->kind = LINK_WIRE;
        link->name = g_strdup(path);
        /* Not from inside: the owner has no link yet. */
        r = sd_event_add_time(link->event, &link->timer, CLOCK_MONOTONIC, 0, PTY_POLL_SLACK, on_wire_timer,
                              link);
        if (r < 0)
                return log_error_errno(r, "Cannot watch %s", path);
        *ret = g_steal_pointer(&link);
        return 0;
}

int sim_link_new_vradio(sd_event *event, const char *socket, unsigned radio,
                        const SimLinkCallbacks *callbacks, void *userdata, SimLink **ret) {
        g_autoptr(SimLink) link = link_new(event, callbacks, userdata);
        int r;

        link->name = g_strdup(socket);
        r = sim_vradio_new(event, socket, radio, callbacks, userdata, &link->vradio);
        if (r < 0)
                return r;

        *ret = g_steal_pointer(&link);
        return 0;
}

/* -- faults -------------------------------------------------------------------- */

void sim_link_drop(SimLink *link) {
        if (link->vradio) {
                sim_vradio_drop(link->vradio);
                return;
        }
        if (link->kind == LINK_PTY) {
                /* as pulling the plug and putting it back */
                stop_pty(link);
                if (!link->refusing)
                        (void) start_pty(link);
                return;
        }

        if (link->kind == LINK_TCP && link->fd >= 0) {
                const struct linger linger = {.l_onoff = 1};

                (void) setsockopt(link->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
        }
        client_gone(link);
}

void sim_link_stall(SimLink *link, bool stalled) {
        if (link->vradio) {
                sim_vradio_stall(link->vradio, stalled);
                return;
        }
        link->stalled = stalled;
        if (stalled)
                (void) update_events(link);
        else
                flush(link);
}

void sim_link_refuse(SimLink *link, bool refuse) {
        if (refuse == link->refusing)
                return;

        link->refusing = refuse;
        if (link->vradio)
                sim_vradio_refuse(link->vradio, refuse);
        else if (link->kind == LINK_WIRE) {
                if (refuse)
                        client_gone(link);
                else
                        watch_for_client(link);
        } else if (link->kind == LINK_PTY) {
                if (refuse)
                        stop_pty(link);
                else
                        (void) start_pty(link);
        } else if (refuse) {
                /* so that connecting fails at once */
                link->listen_source = sd_event_source_disable_unref(link->listen_source);
                link->listen_fd = safe_close(link->listen_fd);
        } else {
                (void) start_listening(link);
        }
}
