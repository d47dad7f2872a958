/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What is known of the bond with one Bluetooth radio, over many links: its state, the evidence for it, and
 * the PIN. Nothing here talks to anybody. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* Design, section 3. */
typedef enum BondState {
        BOND_NONE,        /* not paired, as far as known */
        BOND_PAIRING,     /* under way */
        BOND_BONDED,      /* there are keys; not proven in this run */
        BOND_VERIFIED,    /* the radio answered over the protected link */
        BOND_STALE,       /* evidence that the radio no longer has the keys, or others */
        BOND_UNREACHABLE, /* keys, but the radio did not answer: says nothing about them */
        BOND_NEEDS_PIN,   /* must be paired, and there is no PIN, or a wrong one */
        _BOND_STATE_MAX,
        _BOND_STATE_INVALID = -22,
} BondState;

/* Why the state is what it is; acceptance row S02. */
typedef enum BondReason {
        BOND_REASON_NONE,
        BOND_REASON_AUTHENTICATION, /* the radio did not accept the PIN */
        BOND_REASON_ENCRYPTION,     /* the radio refused protected access, or the keys differ */
        BOND_REASON_KEY_MISSING,    /* the radio no longer has the keys */
        BOND_REASON_REJECTED,       /* the radio refused to pair, before a PIN was asked */
        BOND_REASON_NO_PIN,         /* a PIN is wanted and there is none */
        BOND_REASON_NOT_FOUND,      /* the radio was not seen */
        BOND_REASON_UNREACHABLE,    /* known, but no connection */
        BOND_REASON_LINK_LOST,      /* the link ended while pairing */
        BOND_REASON_TIMEOUT,        /* somebody did not answer */
        BOND_REASON_CANCELLED,
        BOND_REASON_ADAPTER, /* none, without power, or no bluetoothd */
        BOND_REASON_STACK,   /* bluetoothd failed in another way */
        _BOND_REASON_MAX,
        _BOND_REASON_INVALID = -22,
} BondReason;

const char *bond_state_to_string(BondState state);
const char *bond_reason_to_string(BondReason reason);

#define PASSKEY_MAX 999999u

/* Exactly six digits, acceptance row S04. -EINVAL else. Whoever has a copy wipes it (explicit_bzero()) when
 * it has served. */
int passkey_parse(const char *text, uint32_t *ret);
/* The first line of a file that others cannot read. -EPERM when they can, -EINVAL for another content. */
int passkey_read_file(const char *path, uint32_t *ret);

typedef struct Bond Bond;

typedef void (*bond_changed_t)(Bond *bond, void *userdata);
/* -ENOENT when there is none. */
typedef int (*bond_passkey_t)(void *userdata, uint32_t *ret);

Bond *bond_new(void);
Bond *bond_free(Bond *bond);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Bond, bond_free)

/* Called for each change of what the getters below give. */
void bond_set_observer(Bond *bond, bond_changed_t changed, void *userdata);
/* Where a PIN comes from when nobody offers one. */
void bond_set_source(Bond *bond, bond_passkey_t source, void *userdata);

BondState bond_state(const Bond *bond);
BondReason bond_reason(const Bond *bond);
/* CLOCK_REALTIME of the last answer over the protected link; 0: never. */
uint64_t bond_last_verified(const Bond *bond);

void bond_set(Bond *bond, BondState state, BondReason reason);
void bond_set_verified(Bond *bond);

/* -- PIN ---------------------------------------------------------------------- */

/* For the next pairing; goes before the source, and is forgotten when it was used. */
void bond_offer_passkey(Bond *bond, uint32_t passkey);
/* Who offered it has given up. */
void bond_withdraw_passkey(Bond *bond);
/* -ENOENT without one; -EACCES when the radio did not accept this one before, and nobody offered it anew. */
int bond_get_passkey(Bond *bond, uint32_t *ret);
/* Whether that would give one. */
bool bond_has_passkey(Bond *bond);
/* The radio did not accept it. */
void bond_passkey_rejected(Bond *bond, uint32_t passkey);
void bond_passkey_accepted(Bond *bond);

/* -- evidence ------------------------------------------------------------------ */

/* The link of a bonded device ended before its services were there. Two in a row are what a lost key looks
 * like (bluetoothd does not say); returns whether it is so now. */
bool bond_count_drop(Bond *bond);
/* Whether one was counted. */
bool bond_has_drops(const Bond *bond);
/* Something else explains them, or the services came. */
void bond_forget_drops(Bond *bond);

/* Whether a state that only a person can change (stale, needs-pin) was found so lately that the radio should
 * be left in peace. */
bool bond_is_waiting(const Bond *bond);
/* Whether somebody cancelled a pairing so lately that the next one is for a person to begin, although there
 * is a PIN. */
bool bond_is_cancelled(const Bond *bond);
/* A person did. */
void bond_go_on(Bond *bond);
