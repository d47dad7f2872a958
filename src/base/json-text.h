/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* JSON written in one go, for records that the daemon hands out: a few members
 * need no tree of objects, and no library that brings an object system with it.
 *
 * Every function adds one value to json, with a comma where one is due. key is the name of a member, in ASCII
 * and without anything to escape, or NULL in an array and at the top. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "bytes.h"

/* bracket: '{' or '[', and its counterpart to close. */
void json_text_open(GString *json, const char *key, char bracket);
void json_text_close(GString *json, char bracket);

/* text is valid UTF-8. Escaped is also what could do harm on a terminal, see terminal.h. */
void json_text_string(GString *json, const char *key, const char *text);
/* Foreign bytes that are meant to be text, repaired first. */
void json_text_repaired(GString *json, const char *key, Slice text);
/* Bytes as lower-case digits. */
void json_text_hex(GString *json, const char *key, Slice bytes);
void json_text_int(GString *json, const char *key, int64_t value);
void json_text_bool(GString *json, const char *key, bool value);
/* finite */
void json_text_double(GString *json, const char *key, double value);
