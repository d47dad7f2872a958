/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <json-glib/json-glib.h>

#include "frame.h"
#include "reply.h"

#define NAME_EMPTY   "(empty)"
#define NAME_UNKNOWN "(unknown)"

/* {"code":…, "name":…, "fields":{…}}: keys, spellings and units are those of
 * the golden vectors (tests/data/vectors.json). Bytes and keys are hex, numbers
 * are unscaled, an optional field that is absent is null. With a context whose
 * request is REPLY_NONE, what a BINARY_RESPONSE answers is guessed when guess is set. A frame
 * that cannot be decoded gets "error", and no fields. */
JsonObject *decode_record(const uint8_t *data, size_t size, const FrameContext *context, bool guess);

/* {"error":…} */
JsonObject *decode_error(const char *text);

/* For people: several lines, each ended, with foreign text escaped. */
char *decode_record_to_text(JsonObject *record);

/* For decode-reply.c. */
void set_int(JsonObject *fields, const char *key, gint64 value);
void set_optional(JsonObject *fields, const char *key, bool present, gint64 value);
void set_hex(JsonObject *fields, const char *key, const void *data, size_t size);
void set_slice(JsonObject *fields, const char *key, Slice slice);

void decode_status_fields(const Status *status, Slice data, JsonObject *fields);
void decode_telemetry_fields(Slice data, bool always_padded, JsonObject *fields);
void decode_binary_fields(Slice data, const FrameContext *context, bool guess, JsonObject *fields);
