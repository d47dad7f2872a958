/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The radio's side of a recorded session, for an app that asks in an order of
 * its own: commands are matched by what they ask, and what was recorded once
 * is told once, except for questions, which may be repeated. */

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "transcript.h"

typedef struct Replay Replay;

/* The transcript is borrowed. */
Replay *replay_new(const Transcript *transcript);
Replay *replay_free(Replay *replay);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Replay, replay_free)

/* false: the recording has no answer and somebody else must find one. */
bool replay_command(Replay *replay, const uint8_t *frame, size_t size);

/* The next frame that the app is owed; false when there is none. */
bool replay_next(Replay *replay, const uint8_t **ret_frame, size_t *ret_size);

/* The app is gone: what it was owed is forgotten, and what was told may be
 * asked again, but messages stay handed over. */
void replay_disconnected(Replay *replay);
