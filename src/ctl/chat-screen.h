/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Where a conversation is seen and typed. On a terminal there is a line to
 * edit at the bottom and messages go by above it, whose delivery marks change in
 * place; otherwise lines come in and go out as a plain stream. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "ctl.h"

typedef struct Screen Screen;

/* A line that was typed, valid UTF-8; NULL at the end of the input. Returns whether it is done with: a
 * terminal otherwise leaves it in the line to edit, a stream gives it once more with the next
 * screen_set_reading(true). */
typedef bool (*screen_line_t)(const char *line, void *userdata);

/* stream: a plain stream also on a terminal. There can be one that is no stream. */
Screen *screen_new(bool stream, screen_line_t on_line, void *userdata);
/* Gives the terminal back as it was. */
Screen *screen_free(Screen *screen);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Screen, screen_free)

bool screen_is_terminal(const Screen *screen);
/* Of the last line that could not be read. */
ExitCode screen_code(const Screen *screen);

/* Begins to read. */
int screen_attach(Screen *screen, sd_event *event);
/* A stream waits while nobody can take its lines. */
void screen_set_reading(Screen *screen, bool reading);

/* Foreign text, like all that follows. */
void screen_set_prompt(Screen *screen, const char *prompt);
/* A line; for a stream as it is, without the mark. */
void screen_print(Screen *screen, const char *line);
/* A line that can be marked later: before and after stand around the mark, which has two columns. */
void screen_print_marked(Screen *screen, uint64_t id, const char *before, const char *mark,
                         const char *after);
/* Returns false when the line can't be reached any more. */
bool screen_mark(Screen *screen, uint64_t id, const char *mark);

/* Around output of others to the same terminal. */
void screen_suspend(Screen *screen);
void screen_resume(Screen *screen);

/* Returns whether there was something in the line to edit. */
bool screen_discard_input(Screen *screen);
