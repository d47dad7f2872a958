/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sha256.h"
#include "macros.h"

void sha256(const Slice *parts, size_t n_parts, uint8_t ret[SHA256_SIZE]) {
        g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
        gsize size = SHA256_SIZE;

        for (size_t i = 0; i < n_parts; i++)
                g_checksum_update(sum, parts[i].data, (gssize) parts[i].size);
        g_checksum_get_digest(sum, ret, &size);
}
