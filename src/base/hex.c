/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hex.h"
#include "macros.h"

void hex_encode(const void *data, size_t size, char *ret) {
        static const char digits[] = "0123456789abcdef";
        const uint8_t *p = data;

        for (size_t i = 0; i < size; i++) {
                ret[2 * i] = digits[p[i] >> 4];
                ret[2 * i + 1] = digits[p[i] & 15];
        }
        ret[2 * size] = '\0';
}

char *hex_dup(const void *data, size_t size) {
        char *s = g_malloc(2 * size + 1);

        hex_encode(data, size, s);
        return s;
}

int hex_decode(const char *text, size_t digits, void *ret, size_t capacity) {
        uint8_t *out = ret;

        if (digits % 2 != 0)
                return -EINVAL;
        if (digits / 2 > capacity || digits / 2 > INT32_MAX)
                return -E2BIG;

        for (size_t i = 0; i < digits / 2; i++) {
                int high = g_ascii_xdigit_value(text[2 * i]);
                int low = g_ascii_xdigit_value(text[2 * i + 1]);

                if (high < 0 || low < 0)
                        return -EINVAL;
                out[i] = (uint8_t) (high << 4 | low);
        }

        return (int) (digits / 2);
}
