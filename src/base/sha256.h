/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "bytes.h"

#define SHA256_SIZE 32

/* The digest of the parts, one after the other. */
void sha256(const Slice *parts, size_t n_parts, uint8_t ret[SHA256_SIZE]);
