/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* D-Bus messages as bytes: sd-bus does not let a client of its own say what is wrong. */

#include <glib.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

#include "fuzz-input.h"

#define FUZZ_NO_REPLY 1 /* is wanted */
#define FUZZ_INTERACT 4 /* a person may be asked */

typedef struct FuzzHeader {
        uint8_t type; /* SD_BUS_MESSAGE_SIGNAL … */
        uint8_t flags;
        uint32_t serial, reply_serial;
        const char *path, *interface, *member, *error, *destination, *sender,
                        *signature; /* any may be NULL */
} FuzzHeader;

GByteArray *fuzz_message_new(const FuzzHeader *header, const uint8_t *body, size_t size);

/* What a body is made from: all arrays end with NULL. */
typedef struct FuzzOption {
        const char *key, *types; /* as BusOption has them */
} FuzzOption;

typedef struct FuzzWords {
        const char *const *texts, *const *paths;
        const FuzzOption *options; /* what the method knows; ends with a NULL key */
} FuzzWords;

/* Values for all of signature, mostly as they must be. */
void fuzz_body_append(GByteArray *body, FuzzInput *in, const char *signature, const FuzzWords *words);
