/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What host and radio compute alike, wire reference 6.17 and 6.18. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "key.h"
#include "protocol.h"

/* Of the channel "Public", known to everybody. */
extern const uint8_t public_channel_secret[SECRET_SIZE];

/* The acknowledgement that the recipient of a plain text will send. Attempts
 * with equal low two bits share it. */
void derive_expected_ack(uint32_t timestamp, uint8_t attempt, const char *text, const PublicKey *own,
                         uint8_t ret[TAG_SIZE]);

/* name with its '#', at least one character after it. Returns 0 or -EINVAL. */
int derive_hashtag_secret(const char *name, uint8_t ret[SECRET_SIZE]);

/* The byte that marks the channel's packets on air. */
uint8_t derive_channel_hash(const uint8_t secret[SECRET_SIZE]);

/* Flood scope (region) key; the '#' is added when name lacks it. Returns 0, or
 * -EINVAL for an empty name or "*". */
int derive_scope_key(const char *name, uint8_t ret[SECRET_SIZE]);
