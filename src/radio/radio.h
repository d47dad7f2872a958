/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* One radio: its link, its state, what it told of itself, and what can be asked
 * of it. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "bytes.h"
#include "identity.h"
#include "outcome.h"
#include "settings.h"

typedef struct NodeAnswer NodeAnswer; /* node-answer.h */
typedef struct Radio Radio;

/* Design, section 3. Ordered: "is this allowed now" is one comparison. */
typedef enum RadioState {
        RADIO_STOPPED, /* by Stop() or Enabled=no */
        RADIO_WAITING, /* for the next try; Reason says why the last one ended */
        RADIO_OPENING,
        RADIO_SYNCING,
        RADIO_READY,
        _RADIO_STATE_MAX,
        _RADIO_STATE_INVALID = -22,
} RadioState;

typedef enum RadioReason {
        REASON_NONE,
        REASON_NOT_PLUGGED,
        REASON_REFUSED,
        REASON_UNREACHABLE,
        REASON_LOST,
        REASON_TIMEOUT,
        REASON_PROTOCOL,
        REASON_INHIBITED,
        REASON_STORAGE_FULL,
        REASON_WRONG_RADIO,
        REASON_DUPLICATE,
        REASON_TAKEN_OVER,
        REASON_CLOCK_AHEAD,
        REASON_NEEDS_PIN,
        REASON_ADAPTER_OFF,
        REASON_RESTARTING, /* it was told to, or has another key */
        _REASON_MAX,
        _REASON_INVALID = -22,
} RadioReason;

const char *radio_state_to_string(RadioState state);
const char *radio_reason_to_string(RadioReason reason);

/* Who may have telemetry of one kind. */
typedef enum TelemetryMode {
        TELEMETRY_DENY,
        TELEMETRY_CONTACT_FLAGS, /* whom the flags of the contact allow it */
        TELEMETRY_ALLOW,
        _TELEMETRY_MODE_MAX,
        _TELEMETRY_MODE_INVALID = -22,
} TelemetryMode;

/* "deny", "contact-flags", "allow"; NULL for a mode of later firmware. */
const char *telemetry_mode_to_string(TelemetryMode mode);
TelemetryMode telemetry_mode_from_string(const char *text);

#define RADIO_RANGES_MAX 22 /* as many as fit in a frame */

typedef struct RadioRange {
        uint32_t low_hz, high_hz; /* equal: a single frequency */
} RadioRange;

/* What the radio told of itself, kept while it is away. Strings are valid
 * UTF-8 and never NULL. */
typedef struct RadioInfo {
        char *name, *model, *firmware, *build;
        uint8_t level;                       /* protocol level, wire reference 2.4; 0: never asked */
        uint32_t max_contacts, max_channels; /* 0: not told (level < 3) */
        uint32_t frequency_hz, bandwidth_hz;
        uint8_t spreading_factor, coding_rate;
        bool client_repeat;
        int tx_power, max_tx_power; /* dBm */
        int32_t lat_e6, lon_e6;
        uint8_t path_hash_size; /* bytes a hop; 0: not told (level < 10) */
        TelemetryMode telemetry_base, telemetry_location, telemetry_environment;
        bool advert_location, multi_acks;
        bool has_tuning; /* level >= 7; the next two */
        uint32_t rx_delay_x1000, airtime_factor_x1000;
        char *default_scope; /* region of floods; NULL: none, or not told (level < 11) */
        size_t n_repeat_ranges;
        RadioRange repeat_ranges[RADIO_RANGES_MAX]; /* where it may repeat for others; level >= 9 */
        uint16_t battery_mv;                        /* 0: not told */
        uint32_t storage_used_kb, storage_total_kb;
        int64_t clock_skew_usec;  /* radio minus host */
        uint32_t max_text_bytes;  /* of a direct text now */
        uint64_t round_trip_usec; /* of the last radio_ping() that was answered; 0: none yet */
} RadioInfo;

/* Which properties changed; the bus maps bits to names. */
typedef enum RadioChange {
        RADIO_CHANGED_STATE = 1 << 0,    /* State, Reason, LastError, LastErrorMessage */
        RADIO_CHANGED_IDENTITY = 1 << 1, /* PublicKey */
        RADIO_CHANGED_NAME = 1 << 2,
        RADIO_CHANGED_DEVICE = 1 << 3,     /* Model, Firmware, ProtocolVersion, capacities, MaxTextBytes */
        RADIO_CHANGED_PARAMETERS = 1 << 4, /* frequency … client repeat */
        RADIO_CHANGED_POWER = 1 << 5,      /* TxPower, MaxTxPower */
        RADIO_CHANGED_LOCATION = 1 << 6,
        RADIO_CHANGED_BATTERY = 1 << 7,
        RADIO_CHANGED_STORAGE = 1 << 8,
        RADIO_CHANGED_CLOCK = 1 << 9,
        RADIO_CHANGED_AUTO_ADD = 1 << 10, /* radio_auto_add() of contacts-api.h */
        RADIO_CHANGED_BOND = 1 << 11,
        RADIO_CHANGED_OTHER = 1 << 16, /* telemetry modes, advert location, multiple acknowledgements */
        RADIO_CHANGED_PATH_HASH = 1 << 17,
        RADIO_CHANGED_TUNING = 1 << 18,
        RADIO_CHANGED_SCOPE = 1 << 19,  /* the default one */
        RADIO_CHANGED_REPEAT = 1 << 20, /* the frequencies */
        RADIO_CHANGED_ROUND_TRIP = 1 << 22,
        RADIO_CHANGED_SYNC = 1 << 24, /* radio_sync_progress() */
} RadioChange;

/* Bytes that another node sent to whoever listens. */
typedef struct HeardData {
        bool control; /* else raw data */
        double snr;   /* dB */
        int rssi;     /* dBm */
        Slice bytes;
} HeardData;

/* Observers must not call back into functions that change the radio. */
typedef struct RadioObserver {
        void (*added)(Radio *radio, void *userdata);
        void (*removed)(Radio *radio, void *userdata); /* still readable */
        void (*changed)(Radio *radio, RadioChange what, void *userdata);
        void (*state_changed)(Radio *radio, RadioState from, RadioState to, RadioReason reason,
                              void *userdata);
        /* radio_identity() is there from the first on, and still there in the second. */
        void (*identity_loaded)(Radio *radio, void *userdata);
        void (*identity_unloading)(Radio *radio, void *userdata);
        void (*identity_changed)(Radio *radio, const PublicKey *from, const PublicKey *to, void *userdata);
        /* An advert came; contact is in the identity if stored, else heard only (a
         * pending advert) and borrowed for the call. */
        void (*advert_heard)(Radio *radio, const Contact *contact, bool stored, void *userdata);
        void (*contacts_full)(Radio *radio, void *userdata);
        /* radio_node_state() of this contact is another one; what: NodeChange. */
        void (*node_changed)(Radio *radio, const PublicKey *key, unsigned what, void *userdata);
        /* A node answered somebody; borrowed. */
        void (*node_answered)(Radio *radio, const PublicKey *key, const NodeAnswer *answer, void *userdata);
        /* A frame of later firmware; rest is what follows its code, borrowed. */
        void (*unknown_frame)(Radio *radio, uint8_t code, Slice rest, void *userdata);
        /* Borrowed. */
        void (*data_heard)(Radio *radio, const HeardData *data, void *userdata);
        /* A trace came back that nobody waits for (any more); NODE_OPERATION_TRACE. */
        void (*trace_heard)(Radio *radio, const NodeAnswer *answer, void *userdata);
} RadioObserver;

const char *radio_id(const Radio *radio);
const RadioSettings *radio_settings(const Radio *radio);
const RadioInfo *radio_info(const Radio *radio);
RadioState radio_state(const Radio *radio);
RadioReason radio_reason(const Radio *radio);
/* The serial port that was opened last, without links; NULL when none was. Changes with the state. */
const char *radio_port(const Radio *radio);
/* Of the last failure, "" when none since ready: an OutcomeCode and its text. */
OutcomeCode radio_last_error(const Radio *radio, const char **ret_message);
/* How many contacts and channels were read since the link was opened, of how many; both 0 but in
 * RADIO_SYNCING, and while that is not known. Told four times a second at most. */
void radio_sync_progress(const Radio *radio, unsigned *ret_done, unsigned *ret_total);
/* Tries since the last ready. */
unsigned radio_attempts(const Radio *radio);
/* NULL while the public key is not known. Loaded from the store, it stays while the radio is away. */
Identity *radio_identity(Radio *radio);

/* What is known of the bond, in static strings: state as in design, section 3, and the reason for it. false
 * where there is nothing to pair: only radios over Bluetooth have bonds. */
typedef struct RadioBond {
        const char *state, *reason;
        uint64_t last_verified_usec; /* CLOCK_REALTIME of the last answer over a protected link; 0: never */
} RadioBond;
bool radio_bond(const Radio *radio, RadioBond *ret);

/* What all clients may take of the air, and have; see airtime.h. */
typedef struct RadioAirtime {
        uint64_t budget_usec; /* at once */
        uint64_t used_usec;   /* of it now */
        double refill;        /* µs that come back in each µs */
        uint64_t next_usec;   /* CLOCK_REALTIME from which a short poll may go; 0: now */
} RadioAirtime;
void radio_airtime(const Radio *radio, RadioAirtime *ret);

/* -- requests ------------------------------------------------------------
 * done runs exactly once, never from inside the call, also when the link
 * dies or the radio is removed. */
typedef void (*radio_done_t)(Radio *radio, const Outcome *outcome, void *userdata);

void radio_start(Radio *radio);
/* A message that is on its way, from the radio or to it, is waited for, a second at most. */
void radio_stop(Radio *radio);

typedef void (*radio_ping_done_t)(Radio *radio, const Outcome *outcome, uint64_t round_trip_usec,
                                  void *userdata);
void radio_ping(Radio *radio, radio_ping_done_t done, void *userdata);

/* Pairs with the PIN, or where passkey is NULL with the one that the configuration knows or a person gives
 * (see PinAsker in manager.h); starts the radio. done when the radio has answered over the protected link.
 * already: there was a bond that works, and nothing was done. Fails with OUTCOME_NOT_SUPPORTED where there is
 * nothing to pair. */
typedef void (*radio_pair_done_t)(Radio *radio, const Outcome *outcome, bool already, void *userdata);
void radio_pair(Radio *radio, const char *passkey, radio_pair_done_t done, void *userdata);

/* Proves the bond by an answer of the radio, opening the link if need be. OUTCOME_OK whatever came of it:
 * radio_bond() says what. */
void radio_verify_bond(Radio *radio, radio_done_t done, void *userdata);

/* Stops the radio, and removes its bond from this computer. */
void radio_forget_bond(Radio *radio, radio_done_t done, void *userdata);

/* Who is meant. */
typedef struct Recipient {
        Contact *contact; /* or … */
        Channel *channel;
} Recipient;

/* 64-hex key, #channel or the exact name of a channel, exact contact name, unique prefix of at least 8 hex
 * digits, in this order (design, section 3). Object paths are the bus's: it passes the object.
 * Ambiguous: OUTCOME_INVALID_ARGUMENTS with the candidates in the text. */
OutcomeCode radio_find_recipient(Radio *radio, const char *name, Recipient *ret, Outcome *ret_outcome);

typedef struct SendOptions {
        bool queue;            /* false: fail with NotConnected unless ready */
        uint64_t expires_usec; /* CLOCK_REALTIME; 0: never */
        uint32_t uid;          /* who asks */
        const char *token;     /* or NULL */
} SendOptions;

/* Commits the text as queued and returns; sending follows. *ret_id is the
 * message. Fails before anything is stored when the text is empty, holds a NUL, or is too long (the error
 * says by how many bytes). */
OutcomeCode radio_send_text(Radio *radio, const Recipient *to, const char *text, const SendOptions *options,
                            uint64_t *ret_id, Outcome *ret_outcome);

/* The same for a datagram of this type, not 0, on a channel. Firmware 1.15. */
OutcomeCode radio_send_data(Radio *radio, Channel *channel, uint16_t type, Slice data,
                            const SendOptions *options, uint64_t *ret_id, Outcome *ret_outcome);

/* Most bytes of text that fit: to a contact, or to a channel after the radio's name. */
uint32_t radio_max_text(Radio *radio, const Recipient *to);

/* Only queued, or sent and not yet delivered (then no further tries). */
OutcomeCode radio_cancel_message(Radio *radio, uint64_t id, Outcome *ret_outcome);
/* A new message with the same text; only from a final state. */
OutcomeCode radio_resend_message(Radio *radio, uint64_t id, const SendOptions *options, uint64_t *ret_id,
                                 Outcome *ret_outcome);
