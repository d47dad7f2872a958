/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The ciphers of the mesh. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"

#define CIPHER_AES_KEY_SIZE   16
#define CIPHER_AES_BLOCK_SIZE 16
#define CIPHER_HMAC_SIZE      32
#define CIPHER_ED25519_SIZE   32 /* of a public key; a signature has twice as much */

/* AES-128, each block for itself. sealed is whole blocks; ret takes as much. */
void cipher_aes_decrypt(const uint8_t key[CIPHER_AES_KEY_SIZE], Slice sealed, uint8_t *ret);

/* HMAC-SHA256. */
void cipher_hmac(Slice key, Slice text, uint8_t ret[CIPHER_HMAC_SIZE]);

/* Any key and any signature may be given; false for a key that nobody can hold. */
bool cipher_ed25519_verify(const uint8_t key[CIPHER_ED25519_SIZE], Slice text,
                           const uint8_t signature[2 * CIPHER_ED25519_SIZE]);
