/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* An input as a row of choices. After its end all are 0, so that a short one is a simple one. */

#include <glib.h>
#include <stdint.h>
#include <string.h>

typedef struct FuzzInput {
        const uint8_t *data;
        size_t size;
} FuzzInput;

/* At most n bytes; fewer at the end. */
static inline const uint8_t *fuzz_bytes(FuzzInput *in, size_t n, size_t *ret_size) {
        const uint8_t *data = in->data;

        *ret_size = MIN(n, in->size);
        if (*ret_size == 0)
                return (const uint8_t *) "";
        in->data += *ret_size;
        in->size -= *ret_size;
        return data;
}

/* Little endian, of size bytes. */
static inline uint64_t fuzz_number(FuzzInput *in, size_t size) {
        uint64_t number = 0;
        size_t n;
        const uint8_t *data = fuzz_bytes(in, size, &n);

        for (size_t i = 0; i < n; i++)
                number |= (uint64_t) data[i] << 8 * i;
        return number;
}

static inline uint8_t fuzz_byte(FuzzInput *in) {
        return (uint8_t) fuzz_number(in, 1);
}

/* Below n. */
static inline unsigned fuzz_choice(FuzzInput *in, size_t n) {
        return fuzz_byte(in) % (unsigned) n;
}
