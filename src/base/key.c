/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "hex.h"
#include "key.h"
#include "macros.h"

bool key_equal(const PublicKey *a, const PublicKey *b) {
        return memcmp(a, b, sizeof(PublicKey)) == 0;
}

bool key_is_zero(const PublicKey *key) {
        static const PublicKey zero = {};

        return key_equal(key, &zero);
}

KeyText key_to_text(const PublicKey *key) {
        KeyText t;

        hex_encode(key->bytes, sizeof(key->bytes), t.text);
        return t;
}

int key_from_text(const char *text, PublicKey *ret) {
        PublicKey key;
        int r;

        if (strlen(text) != PUBLIC_KEY_DIGITS)
                return -EINVAL;

        r = hex_decode(text, PUBLIC_KEY_DIGITS, key.bytes, sizeof(key.bytes));
        if (r < 0)
                return r;

        *ret = key;
        return 0;
}

guint key_hash_func(gconstpointer key) {
        guint h;

        /* A key is as good as random; its first bytes are the hash. */
        memcpy(&h, ((const PublicKey *) key)->bytes, sizeof(h));
        return h;
}

gboolean key_equal_func(gconstpointer a, gconstpointer b) {
        return key_equal(a, b);
}
