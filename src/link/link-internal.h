/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What all transports share: the state of a link, its handler, and the rule
 * that nothing is touched after a handler has closed it. */

#include <stdbool.h>

#include "link.h"

typedef struct LinkOps {
        /* Begins to open; everything else follows from the event loop. */
        int (*open)(Link *link);
        int (*send)(Link *link, const uint8_t *frame, size_t size);
        /* Gives back descriptors, event sources and threads; more than once is harmless. */
        void (*stop)(Link *link);
        /* Frees what is left, after stop(). */
        void (*free)(Link *link);
} LinkOps;

typedef enum LinkState {
        LINK_IDLE, /* made, not opened */
        LINK_OPENING,
        LINK_OPEN,
        LINK_ENDED,  /* closed() was called */
        LINK_CLOSED, /* link_close() was called: only event callbacks on the stack still hold it */
} LinkState;

/* The first member of each transport's own structure. */
struct Link {
        const LinkOps *ops;
        unsigned n_ref;
        LinkState state;
        sd_event *event;
        LinkHandler handler;
        void *userdata;
        char *why;
};

void link_init(Link *link, const LinkOps *ops, sd_event *event, const LinkHandler *handler, void *userdata);

/* Every event callback holds a reference while it runs. */
Link *link_ref(Link *link);
Link *link_unref(Link *link);

typedef Link LinkRef;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LinkRef, link_unref)

/* From event callbacks only. Each calls the handler, after which the state
 * may be LINK_CLOSED. */
void link_opened(Link *link);
void link_received(Link *link, const uint8_t *frame, size_t size);
/* Stops the transport first. error with either sign, 0 for an orderly end. */
void link_ended(Link *link, LinkEnd end, int error, const char *format, ...)
                __attribute__((format(printf, 4, 5)));
