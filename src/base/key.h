/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The Ed25519 public key that names a node of the mesh, wire reference,
 * conventions. Texts are 64 lower-case hex digits. */

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PUBLIC_KEY_SIZE   32
#define KEY_PREFIX_SIZE   6
#define PUBLIC_KEY_DIGITS (2 * PUBLIC_KEY_SIZE)

typedef struct PublicKey {
        uint8_t bytes[PUBLIC_KEY_SIZE];
} PublicKey;

typedef struct KeyText {
        char text[PUBLIC_KEY_DIGITS + 1];
} KeyText;

bool key_equal(const PublicKey *a, const PublicKey *b);
bool key_is_zero(const PublicKey *key);
KeyText key_to_text(const PublicKey *key);

/* Exactly 64 digits, either case. Returns 0 or -EINVAL. */
int key_from_text(const char *text, PublicKey *ret);

/* For GHashTable, over PublicKey. */
guint key_hash_func(gconstpointer key);
gboolean key_equal_func(gconstpointer a, gconstpointer b);
