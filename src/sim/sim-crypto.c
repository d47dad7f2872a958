/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <gcrypt.h>
#include <glib.h>
#include <sodium.h>
#include <string.h>

#include "macros.h"
#include "sha256.h"
#include "sim-crypto.h"

void sim_crypto_init(void) {
        if (sodium_init() < 0)
                g_error("libsodium does not start");

        if (!gcry_control(GCRYCTL_INITIALIZATION_FINISHED_P)) {
                (void) gcry_check_version(NULL);
                gcry_control(GCRYCTL_DISABLE_SECMEM, 0);
                gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
        }
}

static void clamp(uint8_t scalar[32]) {
        scalar[0] &= 248;
        scalar[31] &= 63;
        scalar[31] |= 64;
}

static int derive_public(SimIdentity *identity) {
        return crypto_scalarmult_ed25519_base_noclamp(identity->key.bytes, identity->private_key) < 0
                               ? -EINVAL
                               : 0;
}

/* 00 and FF are reserved as first byte. */
static bool key_is_allowed(const PublicKey *key) {
        return key->bytes[0] != 0x00 && key->bytes[0] != 0xFF;
}

SimIdentity sim_identity_from_text(const char *seed) {
        SimIdentity identity;

        for (uint8_t round = 0;; round++) {
                uint8_t digest[SHA256_SIZE];
                const Slice parts[] = {
                                {(const uint8_t *) seed, strlen(seed)},
                                {&round, 1},
                };

                sha256(parts, ELEMENTSOF(parts), digest);
                crypto_hash_sha512(identity.private_key, digest, sizeof(digest));
                clamp(identity.private_key);

                if (derive_public(&identity) >= 0 && key_is_allowed(&identity.key))
                        return identity;
        }
}

int sim_identity_from_private(const uint8_t private_key[PRIVATE_KEY_SIZE], bool check, SimIdentity *ret) {
        SimIdentity identity;

        /* The firmware compares both directions of a key exchange, which only
         * a clamped scalar passes. */
        if (check && ((private_key[0] & 7) != 0 || (private_key[31] & 0xC0) != 0x40))
                return -EINVAL;

        memcpy(identity.private_key, private_key, PRIVATE_KEY_SIZE);
        if (derive_public(&identity) < 0 || (check && !key_is_allowed(&identity.key)))
                return -EINVAL;

        *ret = identity;
        return 0;
}

void sim_sign(const SimIdentity *identity, Slice message, uint8_t ret[SIGNATURE_SIZE]) {
        uint8_t digest[crypto_hash_sha512_BYTES], nonce[32], challenge[32], product[32];
        crypto_hash_sha512_state state;

        crypto_hash_sha512_init(&state);
        crypto_hash_sha512_update(&state, identity->private_key + 32, 32);
        crypto_hash_sha512_update(&state, message.data, message.size);
        crypto_hash_sha512_final(&state, digest);
        crypto_core_ed25519_scalar_reduce(nonce, digest);
        (void) crypto_scalarmult_ed25519_base_noclamp(ret, nonce);

        crypto_hash_sha512_init(&state);
        crypto_hash_sha512_update(&state, ret, 32);
        crypto_hash_sha512_update(&state, identity->key.bytes, PUBLIC_KEY_SIZE);
        crypto_hash_sha512_update(&state, message.data, message.size);
        crypto_hash_sha512_final(&state, digest);
        crypto_core_ed25519_scalar_reduce(challenge, digest);

        crypto_core_ed25519_scalar_mul(product, challenge, identity->private_key);
        crypto_core_ed25519_scalar_add(ret + 32, product, nonce);
}

bool sim_verify(const PublicKey *key, Slice message, const uint8_t signature[SIGNATURE_SIZE]) {
        return crypto_sign_verify_detached(signature, message.data, message.size, key->bytes) == 0;
}

void sim_shared_secret(const SimIdentity *own, const PublicKey *peer, uint8_t ret[SIM_SECRET_SIZE]) {
        uint8_t point[crypto_scalarmult_BYTES];

        memset(ret, 0, SIM_SECRET_SIZE);
        if (crypto_sign_ed25519_pk_to_curve25519(point, peer->bytes) < 0)
                return;
        if (crypto_scalarmult(ret, own->private_key, point) < 0)
                memset(ret, 0, SIM_SECRET_SIZE);
}

static gcry_cipher_hd_t cipher_open(const uint8_t *secret) {
        gcry_cipher_hd_t cipher;

        if (gcry_cipher_open(&cipher, GCRY_CIPHER_AES128, GCRY_CIPHER_MODE_ECB, 0) != 0 ||
            gcry_cipher_setkey(cipher, secret, SIM_BLOCK_SIZE) != 0)
                g_error("libgcrypt has no AES-128");

        return cipher;
}

static void mac_of(const uint8_t *secret, Slice sealed, uint8_t ret[SIM_MAC_SIZE]) {
        uint8_t mac[crypto_auth_hmacsha256_BYTES];

        G_STATIC_ASSERT(crypto_auth_hmacsha256_KEYBYTES == SIM_SECRET_SIZE);
        crypto_auth_hmacsha256(mac, sealed.data, sealed.size, secret);
        memcpy(ret, mac, SIM_MAC_SIZE);
}

size_t sim_encrypt(const uint8_t secret[SIM_SECRET_SIZE], Slice plain, uint8_t *ret) {
        size_t blocks = (plain.size + SIM_BLOCK_SIZE - 1) / SIM_BLOCK_SIZE, size = blocks * SIM_BLOCK_SIZE;
        uint8_t *text = ret + SIM_MAC_SIZE;
        gcry_cipher_hd_t cipher;

        memset(text, 0, size);
        if (plain.size > 0)
                memcpy(text, plain.data, plain.size);

        if (size > 0) {
                cipher = cipher_open(secret);
                (void) gcry_cipher_encrypt(cipher, text, size, NULL, 0);
                gcry_cipher_close(cipher);
        }

        mac_of(secret, (Slice){text, size}, ret);
        return SIM_MAC_SIZE + size;
}

size_t sim_decrypt(const uint8_t secret[SIM_SECRET_SIZE], Slice sealed, uint8_t *ret) {
        uint8_t mac[SIM_MAC_SIZE];
        gcry_cipher_hd_t cipher;
        size_t size;

        if (sealed.size <= SIM_MAC_SIZE)
                return 0;

        size = sealed.size - SIM_MAC_SIZE;
        mac_of(secret, (Slice){sealed.data + SIM_MAC_SIZE, size}, mac);
        if (memcmp(mac, sealed.data, SIM_MAC_SIZE) != 0)
                return 0;

        /* Nobody sends broken blocks; what is left over is cut off. */
        size -= size % SIM_BLOCK_SIZE;
        if (size == 0)
                return 0;

        cipher = cipher_open(secret);
        (void) gcry_cipher_decrypt(cipher, ret, size, sealed.data + SIM_MAC_SIZE, size);
        gcry_cipher_close(cipher);
        return size;
}

uint8_t sim_channel_hash(const uint8_t secret[16]) {
        uint8_t digest[SHA256_SIZE];
        const Slice part = {secret, 16};

        sha256(&part, 1, digest);
        return digest[0];
}

uint32_t sim_ack_hash(Slice message, const PublicKey *key) {
        uint8_t digest[SHA256_SIZE];
        const Slice parts[] = {message, {key->bytes, PUBLIC_KEY_SIZE}};
        ByteReader reader;

        sha256(parts, ELEMENTSOF(parts), digest);
        reader_init(&reader, digest, sizeof(digest));
        return reader_u32le(&reader);
}

uint16_t sim_transport_code(const uint8_t scope[16], uint8_t payload_type, Slice payload) {
        crypto_auth_hmacsha256_state state;
        uint8_t mac[crypto_auth_hmacsha256_BYTES];
        uint16_t code;

        crypto_auth_hmacsha256_init(&state, scope, 16);
        crypto_auth_hmacsha256_update(&state, &payload_type, 1);
        crypto_auth_hmacsha256_update(&state, payload.data, payload.size);
        crypto_auth_hmacsha256_final(&state, mac);

        code = (uint16_t) (mac[0] | mac[1] << 8);
        if (code == 0x0000)
                return 0x0001;
        if (code == 0xFFFF)
                return 0xFFFE;

        return code;
}

static uint64_t random_next(SimRandom *random) {
        uint64_t z = (random->state += UINT64_C(0x9E3779B97F4A7C15));

        z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
        z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
        return z ^ (z >> 31);
}

void sim_random_bytes(SimRandom *random, void *ret, size_t size) {
        uint8_t *p = ret;

        for (size_t i = 0; i < size; i += sizeof(uint64_t)) {
                uint64_t v = random_next(random);

                memcpy(p + i, &v, MIN(sizeof(v), size - i));
        }
}

uint32_t sim_random_below(SimRandom *random, uint32_t bound) {
        return bound == 0 ? 0 : (uint32_t) (random_next(random) % bound);
}
