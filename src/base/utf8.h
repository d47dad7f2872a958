/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Text from the mesh is meant to be UTF-8, but firmware cuts it at byte
 * positions and anybody may send anything. sd-bus refuses a bad string, so
 * nothing goes on before it was repaired here. */

#include <stdbool.h>
#include <stddef.h>

/* A NUL-terminated copy of size bytes. A multi-byte character that the end cuts is dropped;
 * every other invalid byte, every NUL inside and every noncharacter becomes
 * U+FFFD. Trailing NULs are padding and are dropped. */
char *utf8_repair(const void *text, size_t size);

/* The greatest length <= limit at which text (valid UTF-8) can be cut without
 * splitting a character. */
size_t utf8_cut(const char *text, size_t limit);
