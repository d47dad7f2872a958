/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The encoded path length byte, wire reference 6.4. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"
#include "protocol.h"

/* Below this level the byte is a plain count of one-byte hashes. */
#define PATH_ENCODING_LEVEL 10

typedef struct Path {
        uint8_t length; /* the byte as on the wire */
        bool known;     /* false: PATH_LEN_NONE, or a byte that means nothing */
        uint8_t hops;
        uint8_t hash_size; /* 1 to 3 */
        Slice hashes;      /* hops * hash_size bytes, borrowed; empty where a frame carries none */
} Path;

/* Takes the byte apart; hashes stays empty. level 0 means the newest. A byte
 * without a meaning gives known = false, all counts 0. */
Path path_from_length(uint8_t length, uint8_t level);

/* hops * hash_size of a known path, 0 otherwise. */
static inline size_t path_size(const Path *path) {
        return path->known ? (size_t) path->hops * path->hash_size : 0;
}

/* The byte for a path. Returns -EINVAL when hash_size is not 1 to 3 or the
 * path is longer than PATH_SIZE_MAX bytes or 63 hops. */
int path_encode_length(size_t hops, size_t hash_size, uint8_t *ret);

/* Reads the length byte and the hashes after it. Returns 0, or -EBADMSG when
 * the byte means nothing or the hashes are cut. With PATH_LEN_NONE no hashes follow. */
int path_read(ByteReader *r, uint8_t level, Path *ret);

/* Copies path->hashes to ret in reverse order of the hops. ret has room for
 * PATH_SIZE_MAX bytes. */
void path_reverse(const Path *path, uint8_t *ret);
