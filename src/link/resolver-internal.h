/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* A host name to addresses, in a thread of its own: getaddrinfo() can block
 * for half a minute, and the event loop must not. */

#include <glib.h>
#include <netdb.h>
#include <stdint.h>
#include <systemd/sd-event.h>

typedef struct Resolver Resolver;

/* error is 0 and addresses the list, which the callee frees with
 * freeaddrinfo(); or addresses is NULL, error an EAI_ code and saved_errno
 * what belongs to EAI_SYSTEM. Runs once, from the event loop. */
typedef void (*resolver_done_t)(Resolver *resolver, int error, int saved_errno, struct addrinfo *addresses,
                                void *userdata);

/* Begins to look up host for TCP connections to port. */
int resolver_new(sd_event *event, const char *host, uint16_t port, resolver_done_t done, void *userdata,
                 Resolver **ret);

/* Forgets the question; the thread ends by itself when the answer comes, and
 * nobody hears of it. Safe from inside done. NULL is allowed; returns NULL. */
Resolver *resolver_free(Resolver *resolver);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Resolver, resolver_free)
