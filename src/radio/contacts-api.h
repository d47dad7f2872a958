/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What can be asked of a radio's contacts (design, section 4, Contacts). The
 * radio's own table is small and other programs write to it too; our address book is
 * larger and keeps what the radio had to give up.
 *
 * Every request keeps the contract of radio.h: done runs exactly once, never from inside the call, also
 * when the link dies (LinkLost), the radio is stopped or removed (Cancelled). Ranges are checked before the
 * radio hears of it (InvalidArguments, the text says the range). What needs the radio and
 * finds it not ready fails with NotConnected or NotReady. Requests of one radio run one after the other,
 * so that no two of them read and write the same record at once; of more than 64 waiting ones the
 * next fails with InProgress. */

#include "contact.h"
#include "pending.h"
#include "radio.h"

#define CONTACT_NAME_MAX      31 /* bytes of UTF-8 */
#define CONTACT_PATH_HASH_MAX 3  /* bytes of one hop */
#define CONTACT_PATH_HOPS_MAX 63
#define CONTACT_TYPE_MAX      15
#define CONTACT_LAT_E6_MAX    90000000
#define CONTACT_LON_E6_MAX    180000000
#define AUTO_ADD_MAX_HOPS_MAX 64

/* contact is NULL unless it worked, and borrowed for the call. */
typedef void (*radio_contact_done_t)(Radio *radio, const Outcome *outcome, Contact *contact, void *userdata);

typedef enum ContactField {
        CONTACT_FIELD_TYPE = 1 << 0,
        CONTACT_FIELD_NAME = 1 << 1,
        CONTACT_FIELD_FLAGS = 1 << 2,     /* all of them, as given */
        CONTACT_FIELD_FAVOURITE = 1 << 3, /* only that bit, the others stay */
        CONTACT_FIELD_PATH = 1 << 4,
        CONTACT_FIELD_LOCATION = 1 << 5,
        CONTACT_FIELD_LAST_ADVERT = 1 << 6,
} ContactField;

/* A hop: the first size bytes (1 to 3) of a repeater's key. */
typedef struct PathHop {
        uint8_t size;
        uint8_t bytes[CONTACT_PATH_HASH_MAX];
} PathHop;

/* What a person says of a contact; only the fields named in set count. */
typedef struct ContactFields {
        unsigned set;     /* ContactField */
        uint8_t type;     /* 1 to 15 */
        const char *name; /* valid UTF-8, at most CONTACT_NAME_MAX bytes */
        uint8_t flags;
        bool favourite;
        const PathHop *path; /* nearest to us first, all of one size, at most 64 bytes and 63 hops */
        size_t n_path;       /* 0: a neighbour */
        int32_t lat_e6, lon_e6;
        uint32_t last_advert;
} ContactFields;

/* Into the radio and the book. What fields leaves out comes from the book, else from the pending adverts;
 * for a key that is known to neither, type and name are needed. A full radio gives up its least
 * recently heard contact, never a favourite, a room or somebody with unconfirmed messages (TableFull if there
 * are no others); it stays in the book. InvalidArguments when the contact is in the radio already. */
void radio_add_contact(Radio *radio, const PublicKey *key, const ContactFields *fields,
                       radio_contact_done_t done, void *userdata);

/* Name, flags, favourite and location; type and path are not among them
 * (InvalidArguments). In the radio its fresh record is read and written back with these
 * changes, so that nothing else is touched, unknown flag bits among it; the book alone when it is only
 * there. A later advert of the node brings its own name back. NotFound: no such contact, or another program
 * took it out of the radio in the meantime. */
void radio_update_contact(Radio *radio, const PublicKey *key, const ContactFields *fields,
                          radio_contact_done_t done, void *userdata);

/* A path that a person set is used first for every message, and written back after tries by flood replaced
 * it. Hops of 2 or 3 bytes take a radio of protocol level 10 (NotSupported). */
void radio_set_contact_path(Radio *radio, const PublicKey *key, const PathHop *path, size_t n_path,
                            radio_contact_done_t done, void *userdata);
/* Unknown, for everybody: the next message goes by flood and finds another way. */
void radio_reset_contact_path(Radio *radio, const PublicKey *key, radio_contact_done_t done, void *userdata);

/* Out of the radio and, unless keep, out of the book. Its messages stay in the history. A
 * contact that the radio does not have any more is no error. */
void radio_remove_contact(Radio *radio, const PublicKey *key, bool keep, radio_done_t done, void *userdata);

/* Sends the last advert heard from it to our neighbours, zero hop. NotFound: the radio does not have the
 * contact; Rejected: it holds no advert of it, or is busy. */
void radio_share_contact(Radio *radio, const PublicKey *key, radio_done_t done, void *userdata);

/* The signed card: a raw advert packet, and the same as a meshcore:// URI. NULL and empty unless it worked;
 * borrowed for the call. */
typedef void (*radio_card_done_t)(Radio *radio, const Outcome *outcome, Slice packet, const char *uri,
                                  void *userdata);
/* key NULL: our own. NotFound: the radio keeps no advert of it (radio_contact_uri() works without). */
void radio_export_card(Radio *radio, const PublicKey *key, radio_card_done_t done, void *userdata);

/* meshcore://contact/add?…, unsigned, from the book; key NULL: ourselves. Needs no radio. *ret is the
 * caller's. */
OutcomeCode radio_contact_uri(Radio *radio, const PublicKey *key, char **ret, Outcome *ret_outcome);

/* A raw advert packet. The radio checks it like one from the air; what it then only reports as heard (manual
 * adding) is added. Rejected: the radio took it and did not add it; the text says what may be why. */
void radio_import_card(Radio *radio, Slice packet, radio_contact_done_t done, void *userdata);

/* Either form of a contact's URI, or a channel's (into the first free slot; where it is already, that slot).
 * One of contact and channel is set when it worked. */
typedef void (*radio_import_done_t)(Radio *radio, const Outcome *outcome, Contact *contact, Channel *channel,
                                    void *userdata);
void radio_import_uri(Radio *radio, const char *uri, radio_import_done_t done, void *userdata);

/* Exactly of this name first, then those whose names contain it in any case, then those whose keys begin
 * with these digits (two or more). Contacts are borrowed; never NULL. */
GPtrArray *radio_find_contacts(Radio *radio, const char *text);

/* Heard, not stored by the radio. NULL while the public key is not known. */
Pending *radio_pending(Radio *radio);

/* -- automatic adding, wire reference 6.14 --------------------------------------- */

typedef enum AutoAddField {
        AUTO_ADD_MANUAL = 1 << 0, /* only the kinds below are added by themselves; else everybody is */
        AUTO_ADD_CHAT = 1 << 1,
        AUTO_ADD_REPEATER = 1 << 2,
        AUTO_ADD_ROOM = 1 << 3,
        AUTO_ADD_SENSOR = 1 << 4,
        AUTO_ADD_OVERWRITE = 1 << 5, /* a full radio drops its oldest contact that is no favourite */
        AUTO_ADD_MAX_HOPS = 1 << 6,
} AutoAddField;

typedef struct AutoAdd {
        unsigned known; /* AutoAddField: what the radio has; all but manual since 1.12.0, hops level 10 */
        bool manual, chat, repeater, room, sensor, overwrite;
        uint8_t max_hops; /* 0: any; n: adverts over at most n - 1 hops */
} AutoAdd;

/* As last told; RADIO_CHANGED_AUTO_ADD. Never NULL. */
const AutoAdd *radio_auto_add(const Radio *radio);

/* Changes the fields named in set, out of known; everything else that shares their commands is read fresh
 * and kept. NotSupported for a field that the radio's firmware does not have. */
void radio_set_auto_add(Radio *radio, unsigned set, const AutoAdd *values, radio_done_t done, void *userdata);
