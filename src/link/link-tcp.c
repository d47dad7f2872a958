/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "log.h"
#include "macros.h"
#include "resolver-internal.h"
#include "stream-internal.h"

#define OPEN_TIMEOUT     (10 * USEC_PER_SEC) /* link.h, link_open() */
#define TIMER_ACCURACY   (50 * USEC_PER_MSEC)
#define ADDRESSES_MAX    8 /* of one name; a resolver may say anything */
#define HALF_FRAME_LIMIT (10 * USEC_PER_SEC)

#define KEEPALIVE_IDLE_SEC     60
#define KEEPALIVE_INTERVAL_SEC 15
#define KEEPALIVE_PROBES       4
/* The kernel measures keep-alive by this, too, once it is set: so it is the
 * time after which the probes give up. */
#define USER_TIMEOUT_MSEC (1000 * (KEEPALIVE_IDLE_SEC + KEEPALIVE_INTERVAL_SEC * KEEPALIVE_PROBES))

typedef struct Address {
        struct sockaddr_storage sockaddr;
        socklen_t size;
} Address;

typedef struct LinkTcp {
        Link link;
        char *host;
        uint16_t port;

        /* while opening */
        sd_event_source *step, *timer, *connecting;
        Resolver *resolver;
        Address addresses[ADDRESSES_MAX];
        size_t n_addresses, next;
        uint64_t deadline; /* CLOCK_MONOTONIC, of the whole attempt */
        int fd;
        bool refused; /* by at least one address */
        int error;    /* of the last address */

        Stream stream;
} LinkTcp;

static LinkTcp *TCP(Link *link) {
        return (LinkTcp *) link;
}

static int try_next(LinkTcp *tcp);

static void stop_opening(LinkTcp *tcp) {
        tcp->step = sd_event_source_disable_unref(tcp->step);
        tcp->timer = sd_event_source_disable_unref(tcp->timer);
        tcp->connecting = sd_event_source_disable_unref(tcp->connecting);
        tcp->resolver = resolver_free(tcp->resolver);
        tcp->fd = safe_close(tcp->fd);
}

static void tcp_stop(Link *link) {
        stop_opening(TCP(link));
        stream_stop(&TCP(link)->stream);
}

static void tcp_free(Link *link) {
        g_free(TCP(link)->host);
        g_free(TCP(link));
}

static int tcp_send(Link *link, const uint8_t *frame, size_t size) {
        return stream_send(&TCP(link)->stream, frame, size);
}

/* -- the socket ------------------------------------------------------------ */

static ssize_t socket_read(int fd, void *buffer, size_t size) {
        return recv(fd, buffer, size, 0);
}

static ssize_t socket_write(int fd, const void *data, size_t size) {
        return send(fd, data, size, MSG_NOSIGNAL);
}

static const StreamTraits tcp_traits = {
                .policy = FRAMER_STRICT,
                .half_frame_usec = HALF_FRAME_LIMIT,
                .read = socket_read,
                .write = socket_write,
                .close = safe_close,
                .eof_text = "the other side closed the connection",
};

static void set_option(int fd, int level, int option, int value, const char *name) {
        if (setsockopt(fd, level, option, &value, sizeof(value)) < 0)
                (void) log_debug_errno(errno, "Cannot set %s, ignoring", name);
}

static void set_options(int fd) {
        set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1, "TCP_NODELAY");
        set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1, "SO_KEEPALIVE");
        set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_SEC, "TCP_KEEPIDLE");
        set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_SEC, "TCP_KEEPINTVL");
        set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES, "TCP_KEEPCNT");
        set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, USER_TIMEOUT_MSEC, "TCP_USER_TIMEOUT");
}

/* A connect to a free port of this host can meet itself: both ends are then
 * the same socket. */
static bool is_connected_to_itself(int fd) {
        struct sockaddr_storage own = {}, peer = {};
        socklen_t own_size = sizeof(own), peer_size = sizeof(peer);

        return getsockname(fd, (struct sockaddr *) &own, &own_size) >= 0 &&
               getpeername(fd, (struct sockaddr *) &peer, &peer_size) >= 0 && own_size == peer_size &&
               memcmp(&own, &peer, own_size) == 0;
}

/* -- opening: name, then address after address ------------------------------- */

static void give_up(LinkTcp *tcp) {
        if (tcp->refused)
                link_ended(&tcp->link, LINK_END_REFUSED, ECONNREFUSED,
                           "%s refuses connections to port %u: is the radio's Wi-Fi companion firmware "
                           "running, and the port right?",
                           tcp->host, tcp->port);
        else
                link_ended(&tcp->link, LINK_END_UNREACHABLE, tcp->error, "cannot reach %s port %u: %s",
                           tcp->host, tcp->port, g_strerror(tcp->error));
}

static void connected(LinkTcp *tcp) {
        Link *link = &tcp->link;
        int fd, r;

        fd = steal_fd(&tcp->fd);
        stop_opening(tcp);
        r = stream_start(&tcp->stream, fd);
        if (r < 0) {
                link_ended(link, LINK_END_UNREACHABLE, r, "cannot watch the socket: %s", g_strerror(-r));
                return;
        }

        link_opened(link);
}

static void address_failed(LinkTcp *tcp, int error) {
        int r;

        (void) log_debug_errno(error, "Address %zu of %s does not answer", tcp->next, tcp->host);
        tcp->connecting = sd_event_source_disable_unref(tcp->connecting);
        tcp->fd = safe_close(tcp->fd);
        tcp->error = error;
        if (error == ECONNREFUSED || error == EACCES || error == EPERM)
                tcp->refused = true;

        r = try_next(tcp);
        if (r < 0) {
                tcp->error = -r;
                give_up(tcp);
        }
}

static int on_connecting(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        LinkTcp *tcp = userdata;
        g_autoptr(LinkRef) link = link_ref(&tcp->link);
        socklen_t size = sizeof(int);
        int error = 0;

        if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
                error = errno;
        if (error == 0 && is_connected_to_itself(fd))
                error = ECONNREFUSED;

        if (error == 0)
                connected(tcp);
        else
                address_failed(tcp, error);
        return 0;
}

/* Each address gets its share of what time is left, so that a silent one
 * does not take it all. */
static int arm_timer(LinkTcp *tcp) {
        uint64_t now, left;
        int r;

        r = sd_event_now(tcp->link.event, CLOCK_MONOTONIC, &now);
        if (r < 0)
                return r;

        left = tcp->deadline > now ? tcp->deadline - now : 0;
        r = sd_event_source_set_time(tcp->timer, now + left / (tcp->n_addresses - tcp->next));
        if (r < 0)
                return r;

        return sd_event_source_set_enabled(tcp->timer, SD_EVENT_ONESHOT);
}

/* Negative errno only for what no other address would change. */
static int try_next(LinkTcp *tcp) {
        while (tcp->next < tcp->n_addresses) {
                const Address *a = &tcp->addresses[tcp->next];
                _cleanup_close_ int fd = -EBADF;
                int r;

                r = arm_timer(tcp);
                if (r < 0)
                        return r;
                tcp->next++;

                fd = socket(a->sockaddr.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
                if (fd < 0) {
                        tcp->error = errno;
                        continue;
                }
                set_options(fd);

                if (connect(fd, (const struct sockaddr *) &a->sockaddr, a->size) < 0 &&
                    errno != EINPROGRESS) {
                        tcp->error = errno;
                        tcp->refused = tcp->refused || errno == ECONNREFUSED || errno == EACCES ||
                                       errno == EPERM;
                        continue;
                }

                /* Also when connected at once: the socket is writable then. */
                r = sd_event_add_io(tcp->link.event, &tcp->connecting, fd, EPOLLOUT, on_connecting, tcp);
                if (r < 0)
                        return r;
                tcp->fd = steal_fd(&fd);
                return 0;
        }

        give_up(tcp);
        return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        LinkTcp *tcp = userdata;
        g_autoptr(LinkRef) link = link_ref(&tcp->link);

        if (tcp->resolver) {
                link_ended(link, LINK_END_UNREACHABLE, ETIMEDOUT,
                           "no answer when looking up the host name %s", tcp->host);
                return 0;
        }

        address_failed(tcp, ETIMEDOUT);
        return 0;
}

static void take_addresses(LinkTcp *tcp, const struct addrinfo *list) {
        for (const struct addrinfo *i = list; i && tcp->n_addresses < ADDRESSES_MAX; i = i->ai_next) {
                Address *a = &tcp->addresses[tcp->n_addresses];

                if (i->ai_addrlen > sizeof(a->sockaddr))
                        continue;
                memcpy(&a->sockaddr, i->ai_addr, i->ai_addrlen);
                a->size = i->ai_addrlen;
                tcp->n_addresses++;
        }
}

static void on_resolved(Resolver *resolver, int error, int saved_errno, struct addrinfo *addresses,
                        void *userdata) {
        LinkTcp *tcp = userdata;
        g_autoptr(LinkRef) link = link_ref(&tcp->link);
        int r;

        tcp->resolver = resolver_free(tcp->resolver);
        if (error != 0) {
                link_ended(link, LINK_END_UNREACHABLE, error == EAI_SYSTEM ? saved_errno : EHOSTUNREACH,
                           "cannot look up the host name %s: %s", tcp->host,
                           error == EAI_SYSTEM ? g_strerror(saved_errno) : gai_strerror(error));
                return;
        }

        take_addresses(tcp, addresses);
        freeaddrinfo(addresses);
        tcp->error = EADDRNOTAVAIL;
        r = try_next(tcp);
        if (r < 0) {
                tcp->error = -r;
                give_up(tcp);
        }
}

static int on_step(sd_event_source *source, void *userdata) {
        LinkTcp *tcp = userdata;
        g_autoptr(LinkRef) link = link_ref(&tcp->link);
        const struct addrinfo hints = {
                        .ai_family = AF_UNSPEC,
                        .ai_socktype = SOCK_STREAM,
                        .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
        };
        char port[sizeof("65535")];
        struct addrinfo *literal;
        int r;

        tcp->step = sd_event_source_disable_unref(tcp->step);
        (void) g_snprintf(port, sizeof(port), "%u", tcp->port);
        if (getaddrinfo(tcp->host, port, &hints, &literal) == 0) {
                on_resolved(NULL, 0, 0, literal, tcp);
                return 0;
        }

        r = resolver_new(link->event, tcp->host, tcp->port, on_resolved, tcp, &tcp->resolver);
        if (r < 0)
                link_ended(link, LINK_END_UNREACHABLE, r, "cannot look up the host name %s: %s", tcp->host,
                           g_strerror(-r));
        return 0;
}

static int tcp_open(Link *link) {
        LinkTcp *tcp = TCP(link);
        uint64_t now;
        int r;

        r = sd_event_now(link->event, CLOCK_MONOTONIC, &now);
        if (r < 0)
                return r;

        tcp->deadline = now + OPEN_TIMEOUT;
        r = sd_event_add_time(link->event, &tcp->timer, CLOCK_MONOTONIC, tcp->deadline, TIMER_ACCURACY,
                              on_timer, tcp);
        if (r < 0)
                return r;

        r = sd_event_add_defer(link->event, &tcp->step, on_step, tcp);
        if (r < 0)
                return r;

        return sd_event_source_set_enabled(tcp->step, SD_EVENT_ONESHOT);
}

static const LinkOps tcp_ops = {
                .open = tcp_open,
                .send = tcp_send,
                .stop = tcp_stop,
                .free = tcp_free,
};

int link_new_tcp(sd_event *event, const char *host, uint16_t port, const LinkHandler *handler, void *userdata,
                 Link **ret) {
        LinkTcp *tcp;

        if (!host[0] || port == 0)
                return -EINVAL;

        tcp = g_new0(LinkTcp, 1);
        link_init(&tcp->link, &tcp_ops, event, handler, userdata);
        tcp->host = g_strdup(host);
        tcp->port = port;
        tcp->fd = -EBADF;
        stream_init(&tcp->stream, &tcp->link, &tcp_traits);

        *ret = &tcp->link;
        return 0;
}
