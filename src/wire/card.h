/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Contact cards and the two URIs of the apps, wire reference 6.12. Everything
 * here comes from clipboards and QR codes of strangers. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"
#include "key.h"
#include "protocol.h"

#define CARD_URI_SIZE_MAX   1024
#define CARD_NAME_SIZE_MAX  127 /* of bytes, decoded; what a radio stores is less */
#define CARD_SCOPE_SIZE_MAX 127

typedef enum CardKind {
        CARD_ADVERT,  /* meshcore:// and a raw advert in hex */
        CARD_CONTACT, /* meshcore://contact/add?… */
        CARD_CHANNEL, /* meshcore://channel/add?… */
        _CARD_KIND_MAX,
        _CARD_KIND_INVALID = -22,
} CardKind;

typedef struct Card {
        CardKind kind;
        /* CARD_ADVERT, for command_import_contact() */
        size_t packet_size;
        uint8_t packet[PACKET_SIZE_MAX];
        /* CARD_CONTACT, CARD_CHANNEL: valid UTF-8 without control characters */
        char name[CARD_NAME_SIZE_MAX + 1];
        PublicKey public_key;                       /* CARD_CONTACT */
        uint8_t type;                               /* CARD_CONTACT: NodeType, 1 to 15 */
        uint8_t secret[SECRET_SIZE];                /* CARD_CHANNEL */
        char region_scope[CARD_SCOPE_SIZE_MAX + 1]; /* CARD_CHANNEL; "" when none */
} Card;

/* Returns 0, -EINVAL when the text is none of the three (unknown parameters
 * are ignored, missing or doubled ones are not), -EMSGSIZE when it is too long. The packet
 * of a CARD_ADVERT parses as an advert; its signature is not verified. */
int card_parse(const char *text, Card *ret);

/* Writes the URI and a NUL. Returns its length, -EINVAL for a card that
 * cannot be, -EMSGSIZE when ret is too small (CARD_URI_SIZE_MAX is enough). */
int card_print(const Card *card, char *ret, size_t capacity);
