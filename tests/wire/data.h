/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The golden vectors and recorded sessions of tests/data. Every function
 * fails the test rather than return an error. */

#include <glib.h>
#include <json-glib/json-glib.h>

#include "bytes.h"

/* A member of vectors.json; kept for the life of the program. */
JsonNode *data_vectors(const char *section);

/* Bytes of hex digits. */
GByteArray *data_unhex(const char *digits);
GByteArray *data_unhex_member(JsonObject *o, const char *key);

/* NULL when absent or null. */
const char *data_string(JsonObject *o, const char *key);
gint64 data_int(JsonObject *o, const char *key);

static inline Slice data_slice(const GByteArray *bytes) {
        return (Slice){bytes->data, bytes->len};
}

/* Calls each for every line of every transcript: the name of its file, its line
 * number, who sent it, its bytes and its note. Returns the number of lines. */
typedef void (*data_line_t)(const char *file, size_t line, bool from_radio, Slice bytes, const char *note,
                            void *userdata);
size_t data_for_each_line(data_line_t each, void *userdata);
/* Begin of a file, for those who keep state. */
size_t data_for_each_file(void (*begin)(const char *file, void *userdata), data_line_t each,
                          void (*end)(const char *file, void *userdata), void *userdata);
