/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* A link under test, what its handler saw, and the loop that runs both ends. */

#include <stdbool.h>

#include "link.h"

typedef enum CloseIn {
        CLOSE_NEVER,
        CLOSE_IN_OPENED,
        CLOSE_IN_FRAME,
        CLOSE_IN_CLOSED,
} CloseIn;

typedef struct Fixture {
        sd_event *event;
        Link *link;
        CloseIn close_in;
        bool calling; /* inside link_open() or link_send(): no handler may run */
        unsigned opened, closed;
        GPtrArray *frames; /* GBytes */
        LinkEnd end;
        int error;
        char *why;
} Fixture;

extern const LinkHandler fixture_handler;

void fixture_init(Fixture *f);
void fixture_done(Fixture *f);

int fixture_open(Fixture *f);
int fixture_send(Fixture *f, const void *frame, size_t size);

/* Fails the test when nothing happens for some seconds. */
void fixture_turn(Fixture *f);
/* Turns until nothing is ready. */
void fixture_settle(Fixture *f);

#define fixture_run_until(f, condition)  \
        do {                             \
                while (!(condition))     \
                        fixture_turn(f); \
        } while (false)

void assert_frame(Fixture *f, guint index, const void *frame, size_t size);
void assert_ended(Fixture *f, LinkEnd end, int error);
