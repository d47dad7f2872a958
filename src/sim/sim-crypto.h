/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The cryptography of the mesh, wire reference 6.11 and 6.18: Ed25519 with
 * expanded private keys, X25519 between Ed25519 keys, AES-128-ECB with a two
 * byte HMAC. All of it is weak by today's standards and fixed by the protocol. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"
#include "key.h"
#include "protocol.h"

#define SIM_SECRET_SIZE 32
#define SIM_MAC_SIZE    2
#define SIM_BLOCK_SIZE  16

/* Must be called once before anything else here; harmless to repeat. */
void sim_crypto_init(void);

typedef struct SimIdentity {
        uint8_t private_key[PRIVATE_KEY_SIZE]; /* expanded: scalar, then prefix */
        PublicKey key;
} SimIdentity;

/* The identity that belongs to a text seed. Never one that the mesh reserves
 * (public key starting with 00 or FF). */
SimIdentity sim_identity_from_text(const char *seed);

/* From the 64 byte form that commands 23 and 24 carry. Returns 0, or -EINVAL:
 * with check for what newer firmware refuses, else only for what is no key. */
int sim_identity_from_private(const uint8_t private_key[PRIVATE_KEY_SIZE], bool check, SimIdentity *ret);

void sim_sign(const SimIdentity *identity, Slice message, uint8_t ret[SIGNATURE_SIZE]);
bool sim_verify(const PublicKey *key, Slice message, const uint8_t signature[SIGNATURE_SIZE]);

/* The secret that two nodes share. A peer key that is no point of the curve
 * gives a secret of zeroes. */
void sim_shared_secret(const SimIdentity *own, const PublicKey *peer, uint8_t ret[SIM_SECRET_SIZE]);

/* MAC and ciphertext of plain into ret, which needs room for SIM_MAC_SIZE and
 * plain rounded up to whole blocks. Returns the bytes written. */
size_t sim_encrypt(const uint8_t secret[SIM_SECRET_SIZE], Slice plain, uint8_t *ret);

/* The reverse. Returns the length of the plain text, padding included, or 0
 * when the MAC is another's. ret needs as many bytes as sealed has. */
size_t sim_decrypt(const uint8_t secret[SIM_SECRET_SIZE], Slice sealed, uint8_t *ret);

/* First byte of SHA-256 of a channel's secret. */
uint8_t sim_channel_hash(const uint8_t secret[16]);

/* The four bytes that acknowledge a message: header and text, then a key. */
uint32_t sim_ack_hash(Slice message, const PublicKey *key);

/* Transport code of a flood scope, never 0000 or FFFF. */
uint16_t sim_transport_code(const uint8_t scope[16], uint8_t payload_type, Slice payload);

/* Reproducible random bytes. */
typedef struct SimRandom {
        uint64_t state;
} SimRandom;

void sim_random_bytes(SimRandom *random, void *ret, size_t size);
uint32_t sim_random_below(SimRandom *random, uint32_t bound);
