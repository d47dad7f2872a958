/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cipher.h"

#include <gcrypt.h>
#include <glib.h>

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

bool cipher_ed25519_verify(const uint8_t key[CIPHER_ED25519_SIZE], Slice text,
                           const uint8_t signature[2 * CIPHER_ED25519_SIZE]) {
        gcry_sexp_t point = NULL, value = NULL, pair = NULL;
        bool good;

        start();
        good = gcry_sexp_build(&point, NULL, "(public-key (ecc (curve Ed25519) (flags eddsa) (q %b)))",
                               CIPHER_ED25519_SIZE, key) == 0 &&
               gcry_sexp_build(&value, NULL, "(data (flags eddsa) (hash-algo sha512) (value %b))",
                               (int) text.size, text.data) == 0 &&
               gcry_sexp_build(&pair, NULL, "(sig-val (eddsa (r %b) (s %b)))", CIPHER_ED25519_SIZE, signature,
                               CIPHER_ED25519_SIZE, signature + CIPHER_ED25519_SIZE) == 0 &&
               gcry_pk_verify(pair, value, point) == 0;

        gcry_sexp_release(point);
        gcry_sexp_release(value);
        gcry_sexp_release(pair);
        return good;
}
