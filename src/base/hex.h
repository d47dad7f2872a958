/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Writes 2 * size lower-case digits and a NUL to ret. */
void hex_encode(const void *data, size_t size, char *ret);

/* The same, allocated. */
char *hex_dup(const void *data, size_t size);

/* Decodes digits of either case, digits of them, into ret (capacity bytes).
 * Returns the number of bytes, -EINVAL for an odd count or a foreign
 * character, -E2BIG when ret is too small. */
int hex_decode(const char *text, size_t digits, void *ret, size_t capacity);
