/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Recorded sessions between an app and a radio: JSON lines, as in
 * tests/data/transcripts. */

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine.h"

#define TRANSCRIPT_DATA_MAX 512

typedef struct TranscriptRecord {
        double t;
        bool from_app;
        int64_t connection;
        uint8_t data[TRANSCRIPT_DATA_MAX]; /* all bytes, header included */
        size_t size;
        uint8_t *frame; /* in data; size 0 when the bytes are no frame */
        size_t frame_size;
} TranscriptRecord;

typedef struct Transcript Transcript;

/* Logs. */
int transcript_load(const char *path, Transcript **ret);
Transcript *transcript_free(Transcript *transcript);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Transcript, transcript_free)

size_t transcript_length(const Transcript *transcript);
const TranscriptRecord *transcript_at(const Transcript *transcript, size_t index);
/* The first frame of the radio with that code, or NULL. */
const TranscriptRecord *transcript_find(const Transcript *transcript, uint8_t code);

/* A frame of the radio with that code. */
bool transcript_is(const TranscriptRecord *record, uint8_t code);
/* A message that the radio handed over. */
bool transcript_is_message(const TranscriptRecord *record);

/* The radio that was recorded: name (newly allocated), key, sizes and clock,
 * as far as the recording tells. Its private key is another's unless it was
 * exported. */
void transcript_configure(const Transcript *transcript, EngineConfig *config, char **ret_name);

/* What that radio held when the recording began. */
void transcript_teach_settings(const Transcript *transcript, Engine *engine);
void transcript_teach_channels(const Transcript *transcript, Engine *engine);
/* Of the first whole dump, or of every contact that is told. */
void transcript_teach_contacts(const Transcript *transcript, Engine *engine, bool all);
void transcript_teach_cards(const Transcript *transcript, Engine *engine);
