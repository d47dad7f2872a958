/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* D-Bus values as JSON, which is also what the verbs work on: a table shows
 * the members that --json prints. Names of members are those of the D-Bus
 * properties. */

#include <json-glib/json-glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

/* Reads one complete value at the message's position. Byte arrays become hex
 * digits, dictionaries objects, structs arrays, variants what is in them,
 * numbers beyond int64 the greatest int64, and doubles that JSON cannot say
 * null. Returns a negative errno for a malformed message. */
int json_from_message(sd_bus_message *m, JsonNode **ret);

/* The member, or the fallback when it is missing or of another type. Borrowed. */
const char *json_string(JsonObject *object, const char *name);              /* "" */
int64_t json_int(JsonObject *object, const char *name);                     /* 0 */
bool json_bool(JsonObject *object, const char *name);                       /* false */
double json_double(JsonObject *object, const char *name, double otherwise); /* also from an integer */
JsonArray *json_array(JsonObject *object, const char *name);                /* NULL */
JsonObject *json_object(JsonObject *object, const char *name);              /* NULL */

/* Adds copies of all members of from to to, replacing those of the same name. */
void json_merge(JsonObject *to, JsonObject *from);

/* Valid JSON in which every character that could act on a terminal (terminal.h)
 * is escaped too. Pretty: over many lines; else on one. Without a final newline. */
char *json_to_text(JsonNode *node, bool pretty);

/* Print to standard output: a document, or one line of a stream (flushed). Take the node. */
void json_print_document(JsonNode *node);
void json_print_line(JsonObject *object);
