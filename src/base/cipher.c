/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cipher.h"

#include <gcrypt.h>
#include <glib.h>
#include <sodium.h>

/* libsystemd may have done it before us. */
static void start(void) {
        if (gcry_control(GCRYCTL_INITIALIZATION_FINISHED_P))
                return;

        (void) gcry_check_version(NULL);
        gcry_control(GCRYCTL_DISABLE_SECMEM, 0);
        gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
}

void cipher_aes_decrypt(const uint8_t key[CIPHER_AES_KEY_SIZE], Slice sealed, uint8_t *ret) {
        gcry_cipher_hd_t cipher;

        g_assert(sealed.size % CIPHER_AES_BLOCK_SIZE == 0);

        start();
        if (gcry_cipher_open(&cipher, GCRY_CIPHER_AES128, GCRY_CIPHER_MODE_ECB, 0) != 0 ||
            gcry_cipher_setkey(cipher, key, CIPHER_AES_KEY_SIZE) != 0 ||
            gcry_cipher_decrypt(cipher, ret, sealed.size, sealed.data, sealed.size) != 0)
                g_error("libgcrypt has no AES-128");
        gcry_cipher_close(cipher);
}

void cipher_hmac(Slice key, Slice text, uint8_t ret[CIPHER_HMAC_SIZE]) {
        GHmac *hmac = g_hmac_new(G_CHECKSUM_SHA256, key.data, key.size);
        gsize size = CIPHER_HMAC_SIZE;

        g_hmac_update(hmac, text.data, (gssize) text.size);
        g_hmac_get_digest(hmac, ret, &size);
        g_hmac_unref(hmac);
}

/* Not libgcrypt: its 1.10 ends the program on some keys, and these come from the air. */
bool cipher_ed25519_verify(const uint8_t key[CIPHER_ED25519_SIZE], Slice text,
                           const uint8_t signature[2 * CIPHER_ED25519_SIZE]) {
        return crypto_sign_ed25519_verify_detached(signature, text.data, text.size, key) == 0;
}
