/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>

#include "macros.h"
#include "resolver-internal.h"

/* Shared by the thread and the loop; the last of them frees it. The thread
 * writes the results, then the eventfd; the loop reads in the other order. */
typedef struct Lookup {
        gatomicrefcount n_ref;
        int fd;
        char *host;
        char port[sizeof("65535")];
        int error;
        int saved_errno;
        struct addrinfo *addresses;
} Lookup;

struct Resolver {
        Lookup *lookup;
        sd_event_source *source;
        resolver_done_t done;
        void *userdata;
};

static void lookup_unref(Lookup *lookup) {
        if (!lookup || !g_atomic_ref_count_dec(&lookup->n_ref))
                return;

        if (lookup->addresses)
                freeaddrinfo(lookup->addresses);
        safe_close(lookup->fd);
        g_free(lookup->host);
        g_free(lookup);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Lookup, lookup_unref)

static void *lookup_run(void *userdata) {
        const struct addrinfo hints = {
                        .ai_family = AF_UNSPEC,
                        .ai_socktype = SOCK_STREAM,
                        .ai_flags = AI_NUMERICSERV,
        };
        g_autoptr(Lookup) lookup = userdata;

        lookup->error = getaddrinfo(lookup->host, lookup->port, &hints, &lookup->addresses);
        lookup->saved_errno = errno;
        if (lookup->error != 0)
                lookup->addresses = NULL;

        (void) eventfd_write(lookup->fd, 1);
        return NULL;
}

/* Detached, and with all signals blocked: they are for the event loop. */
static int start_thread(Lookup *lookup) {
        pthread_attr_t attributes;
        sigset_t all, saved;
        pthread_t thread;
        int r;

        r = pthread_attr_init(&attributes);
        if (r != 0)
                return -r;
        (void) pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);

        (void) sigfillset(&all);
        (void) pthread_sigmask(SIG_SETMASK, &all, &saved);
        g_atomic_ref_count_inc(&lookup->n_ref);
        r = pthread_create(&thread, &attributes, lookup_run, lookup);
        if (r != 0)
                lookup_unref(lookup);
        (void) pthread_sigmask(SIG_SETMASK, &saved, NULL);

        (void) pthread_attr_destroy(&attributes);
        return -r;
}

static int on_answer(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        Resolver *resolver = userdata;
        Lookup *lookup = resolver->lookup;
        eventfd_t value;

        if (eventfd_read(fd, &value) < 0)
                return 0;

        resolver->source = sd_event_source_disable_unref(resolver->source);
        resolver->done(resolver, lookup->error, lookup->saved_errno, g_steal_pointer(&lookup->addresses),
                       resolver->userdata);
        return 0;
}

int resolver_new(sd_event *event, const char *host, uint16_t port, resolver_done_t done, void *userdata,
                 Resolver **ret) {
        g_autoptr(Resolver) resolver = NULL;
        Lookup *lookup;
        int r;

        lookup = g_new0(Lookup, 1);
        g_atomic_ref_count_init(&lookup->n_ref);
        lookup->host = g_strdup(host);
        (void) g_snprintf(lookup->port, sizeof(lookup->port), "%u", port);
        lookup->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

        resolver = g_new0(Resolver, 1);
        *resolver = (Resolver){.lookup = lookup, .done = done, .userdata = userdata};
        if (lookup->fd < 0)
                return -errno;

        r = sd_event_add_io(event, &resolver->source, lookup->fd, EPOLLIN, on_answer, resolver);
        if (r < 0)
                return r;

        r = start_thread(lookup);
        if (r < 0)
                return r;

        *ret = g_steal_pointer(&resolver);
        return 0;
}

Resolver *resolver_free(Resolver *resolver) {
        if (!resolver)
                return NULL;

        sd_event_source_disable_unref(resolver->source);
        lookup_unref(resolver->lookup);
        g_free(resolver);
        return NULL;
}
