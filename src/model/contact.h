/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* A contact: a node of the mesh as we and the radio know it. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "key.h"

/* Wire reference 6.2. */
typedef enum ContactType {
        CONTACT_NONE = 0,
        CONTACT_CHAT = 1,
        CONTACT_REPEATER = 2,
        CONTACT_ROOM = 3,
        CONTACT_SENSOR = 4,
        _CONTACT_TYPE_MAX,
        _CONTACT_TYPE_INVALID = -22,
} ContactType;

/* "none", "chat", "repeater", "room", "sensor"; other numbers give "unknown". */
const char *contact_type_to_string(unsigned type);

#define CONTACT_FLAG_FAVOURITE 0x01 /* wire reference 6.3 */
#define CONTACT_PATH_UNKNOWN   0xFF /* wire reference 6.4: reached by flood */
#define CONTACT_PATH_MAX       64

typedef struct Contact {
        PublicKey key;
        uint8_t type; /* as on the wire; may be above _CONTACT_TYPE_MAX */
        uint8_t flags;
        bool on_radio;    /* in the radio's own table */
        uint8_t path_len; /* encoded, wire reference 6.4 */
        uint8_t path[CONTACT_PATH_MAX];
        char *name; /* valid UTF-8, never NULL */
        int32_t lat_e6, lon_e6;
        uint32_t last_advert;     /* the contact's own clock, s */
        uint32_t lastmod;         /* the radio's clock, s */
        uint64_t last_heard_usec; /* ours; 0 when never */
        uint64_t unread;          /* kept by the identity from the messages */

        /* Of our book only, never on the wire. */
        bool removed_elsewhere; /* another program took it out of the radio: not written there unasked */
        uint8_t set_path_len;   /* the path that a person set; CONTACT_PATH_UNKNOWN: nobody did */
        uint8_t set_path[CONTACT_PATH_MAX];
        bool path_displaced; /* tries by flood displaced that path in the radio; to be written back */
        bool path_lent;      /* the radio has an empty path instead of none, for one request; to be reset */
} Contact;

Contact *contact_new(const PublicKey *key);
Contact *contact_copy(const Contact *contact);
Contact *contact_free(Contact *contact);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Contact, contact_free)

/* What differs between two states of a contact; the bus maps bits to
 * properties. */
typedef enum ContactChange {
        CONTACT_CHANGED_TYPE = 1 << 0,
        CONTACT_CHANGED_NAME = 1 << 1,
        CONTACT_CHANGED_FLAGS = 1 << 2,
        CONTACT_CHANGED_ON_RADIO = 1 << 3,
        CONTACT_CHANGED_PATH = 1 << 4,
        CONTACT_CHANGED_LOCATION = 1 << 5,
        CONTACT_CHANGED_LAST_ADVERT = 1 << 6,
        CONTACT_CHANGED_LAST_HEARD = 1 << 7,
        CONTACT_CHANGED_UNREAD = 1 << 8,
        CONTACT_CHANGED_LASTMOD = 1 << 9, /* not published */
        CONTACT_CHANGED_BOOK = 1 << 10,   /* what only our book holds; not published */
} ContactChange;

ContactChange contact_compare(const Contact *a, const Contact *b);
