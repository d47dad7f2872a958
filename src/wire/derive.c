/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <string.h>

#include "derive.h"
#include "macros.h"
#include "sha256.h"

const uint8_t public_channel_secret[SECRET_SIZE] = {
                0x8b, 0x33, 0x87, 0xe9, 0xc5, 0xcd, 0xea, 0x6a,
                0xc9, 0xe5, 0xed, 0xba, 0xa1, 0x15, 0xcd, 0x72,
};

static Slice text_slice(const char *text) {
        return (Slice){(const uint8_t *) text, strlen(text)};
}

void derive_expected_ack(uint32_t timestamp, uint8_t attempt, const char *text, const PublicKey *own,
                         uint8_t ret[TAG_SIZE]) {
        uint8_t header[5], digest[SHA256_SIZE];
        ByteWriter w;

        writer_init(&w, header, sizeof(header));
        writer_u32le(&w, timestamp);
        writer_u8(&w, attempt & 3);

        const Slice parts[] = {
                        {header, sizeof(header)},
                        text_slice(text),
                        {own->bytes, sizeof(own->bytes)},
        };

        sha256(parts, ELEMENTSOF(parts), digest);
        memcpy(ret, digest, TAG_SIZE);
}

static void derive_secret(const Slice *parts, size_t n_parts, uint8_t ret[SECRET_SIZE]) {
        uint8_t digest[SHA256_SIZE];

        sha256(parts, n_parts, digest);
        memcpy(ret, digest, SECRET_SIZE);
}

int derive_hashtag_secret(const char *name, uint8_t ret[SECRET_SIZE]) {
        if (name[0] != '#' || name[1] == '\0')
                return -EINVAL;

        derive_secret(&(Slice){(const uint8_t *) name, strlen(name)}, 1, ret);
        return 0;
}

uint8_t derive_channel_hash(const uint8_t secret[SECRET_SIZE]) {
        uint8_t digest[SHA256_SIZE];

        sha256(&(Slice){secret, SECRET_SIZE}, 1, digest);
        return digest[0];
}

int derive_scope_key(const char *name, uint8_t ret[SECRET_SIZE]) {
        if (name[0] == '#')
                name++;
        if (name[0] == '\0' || strcmp(name, "*") == 0)
                return -EINVAL;

        const Slice parts[] = {text_slice("#"), text_slice(name)};

        derive_secret(parts, ELEMENTSOF(parts), ret);
        return 0;
}
