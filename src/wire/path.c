/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <string.h>

#include "path.h"

#define HOPS_MAX      63
#define HASH_SIZE_MAX 3

Path path_from_length(uint8_t length, uint8_t level) {
        uint8_t hops, hash_size;

        if (level > 0 && level < PATH_ENCODING_LEVEL) {
                hops = length;
                hash_size = 1;
        } else {
                hops = length & HOPS_MAX;
                hash_size = (uint8_t) ((length >> 6) + 1);
        }

        if (length == PATH_LEN_NONE || hash_size > HASH_SIZE_MAX || (size_t) hops * hash_size > PATH_SIZE_MAX)
                return (Path){.length = length};

        return (Path){.length = length, .known = true, .hops = hops, .hash_size = hash_size};
}

int path_encode_length(size_t hops, size_t hash_size, uint8_t *ret) {
        if (hash_size < 1 || hash_size > HASH_SIZE_MAX || hops > HOPS_MAX || hops * hash_size > PATH_SIZE_MAX)
                return -EINVAL;

        *ret = (uint8_t) ((hash_size - 1) << 6 | hops);
        return 0;
}

int path_read(ByteReader *r, uint8_t level, Path *ret) {
        Path path = path_from_length(reader_u8(r), level);

        path.hashes = reader_slice(r, path_size(&path));
        if (r->overrun || (!path.known && path.length != PATH_LEN_NONE))
                return -EBADMSG;

        *ret = path;
        return 0;
}

void path_reverse(const Path *path, uint8_t *ret) {
        size_t size = path->hash_size;

        for (size_t i = 0; i < path->hops && path->hashes.size >= path_size(path); i++)
                memcpy(ret + (path->hops - 1 - i) * size, path->hashes.data + i * size, size);
}
