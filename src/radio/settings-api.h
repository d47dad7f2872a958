/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What can be set on a radio itself, and what it tells of itself on request.
 * The contract of contacts-api.h holds here too: done runs exactly once, never
 * from inside the call. What is out of range ends with InvalidArguments and the range
 * before the radio hears of it; what the radio's firmware is too old for ends with
 * NotSupported. What a setting changed is read back, so that RadioInfo says what the radio
 * has, not what it was asked for. */

#include "bytes.h"
#include "radio.h"

#define RADIO_NAME_MAX     31   /* bytes of UTF-8 */
#define RADIO_SCOPE_MAX    30   /* bytes of UTF-8 */
#define RADIO_VARIABLE_MAX 160  /* bytes of name and value together */
#define RADIO_SIGN_MAX     8192 /* bytes */
#define RADIO_KEY_SIZE     64
#define RADIO_SCOPE_KEY    16 /* bytes */

/* -- settings -- */

void radio_set_name(Radio *radio, const char *name, radio_done_t done, void *userdata);
/* Degrees; (0, 0) is none. */
void radio_set_location(Radio *radio, double latitude, double longitude, radio_done_t done, void *userdata);
/* -9 to RadioInfo.max_tx_power dBm; from 0 on firmware before 1.14. */
void radio_set_tx_power(Radio *radio, int dbm, radio_done_t done, void *userdata);
/* Bytes of each hop's hash in the paths of our own packets, 1 to 3. Level 10. */
void radio_set_path_hash_size(Radio *radio, unsigned size, radio_done_t done, void *userdata);
/* 0 (the build's own or a random one) or six digits; in effect from the next start of the radio. */
void radio_set_device_pin(Radio *radio, uint32_t pin, radio_done_t done, void *userdata);

enum {
        RADIO_PARAMETER_FREQUENCY = 1 << 0,
        RADIO_PARAMETER_BANDWIDTH = 1 << 1,
        RADIO_PARAMETER_SPREADING = 1 << 2,
        RADIO_PARAMETER_CODING = 1 << 3,
        RADIO_PARAMETER_REPEAT = 1 << 4, /* level 9 */
};

typedef struct RadioParameters {
        uint32_t frequency_hz; /* 150 to 2500 MHz, whole kHz */
        uint32_t bandwidth_hz; /* 7 to 500 kHz */
        uint8_t spreading_factor, coding_rate;
        bool client_repeat; /* only on the frequencies of RadioInfo.repeat_ranges */
} RadioParameters;

/* What is not set stays as the radio has it, the repeat flag among it. */
void radio_set_parameters(Radio *radio, unsigned set, const RadioParameters *values, radio_done_t done,
                          void *userdata);

enum {
        RADIO_OTHER_MANUAL_ADD = 1 << 0,
        RADIO_OTHER_TELEMETRY_BASE = 1 << 1,
        RADIO_OTHER_TELEMETRY_LOCATION = 1 << 2,
        RADIO_OTHER_TELEMETRY_ENVIRONMENT = 1 << 3,
        RADIO_OTHER_ADVERT_LOCATION = 1 << 4,
        RADIO_OTHER_MULTI_ACKS = 1 << 5,
};

typedef struct RadioOther {
        bool manual_add;
        TelemetryMode telemetry_base, telemetry_location, telemetry_environment;
        bool advert_location, multi_acks;
} RadioOther;

/* One command of the radio carries all of these: read, changed and written at once. */
void radio_set_other(Radio *radio, unsigned set, const RadioOther *values, radio_done_t done, void *userdata);

enum {
        RADIO_TUNING_RX_DELAY = 1 << 0,
        RADIO_TUNING_AIRTIME_FACTOR = 1 << 1,
};

/* 0 to 20, and 0 to 9. */
void radio_set_tuning(Radio *radio, unsigned set, double rx_delay, double airtime_factor, radio_done_t done,
                      void *userdata);

typedef struct RadioScope {
        const char *name;   /* "": none; "*": none and, as override, not the default either; else a region */
        const uint8_t *key; /* RADIO_SCOPE_KEY bytes; NULL: derived from the name */
        bool is_default;    /* written to flash, level 11; else an override until the radio restarts */
} RadioScope;

void radio_set_flood_scope(Radio *radio, const RadioScope *scope, radio_done_t done, void *userdata);

/* set says whether the clock was set; false: the radio is ahead and never goes back. Failed: our own clock
 * is not to be trusted. */
typedef void (*radio_sync_time_done_t)(Radio *radio, const Outcome *outcome, bool set, void *userdata);
void radio_sync_time(Radio *radio, radio_sync_time_done_t done, void *userdata);

typedef struct RadioVariable {
        char *name, *value; /* valid UTF-8 */
} RadioVariable;

/* variables is borrowed for the call. */
typedef void (*radio_variables_done_t)(Radio *radio, const Outcome *outcome, const RadioVariable *variables,
                                       size_t n, void *userdata);
void radio_get_variables(Radio *radio, radio_variables_done_t done, void *userdata);
void radio_set_variable(Radio *radio, const char *name, const char *value, radio_done_t done, void *userdata);

/* -- on air, and restarts -- */

/* RateLimited, and when it may be done again: a flood costs everybody's air time. */
void radio_advertise(Radio *radio, bool flood, radio_done_t done, void *userdata);

/* Both succeed when the link went or the radio keeps silent, as it has no answer to this; the link is made
 * anew. */
void radio_reboot(Radio *radio, radio_done_t done, void *userdata);
/* Erases all that the radio has, its key too. The token is that of radio_prepare_factory_reset(), used once
 * and within a minute; InvalidArguments otherwise. */
void radio_factory_reset(Radio *radio, const char *token, radio_done_t done, void *userdata);
/* *ret_token is the caller's. An older token is void then. */
OutcomeCode radio_prepare_factory_reset(Radio *radio, char **ret_token, Outcome *ret_outcome);

/* -- what it tells -- */

typedef enum RadioStatsKind {
        RADIO_STATS_CORE,
        RADIO_STATS_RADIO,
        RADIO_STATS_PACKETS,
        _RADIO_STATS_KIND_MAX,
        _RADIO_STATS_KIND_INVALID = -22,
} RadioStatsKind;

/* "core", "radio", "packets". */
const char *radio_stats_kind_to_string(RadioStatsKind kind);
RadioStatsKind radio_stats_kind_from_string(const char *text);

enum {
        RADIO_ERROR_POOL_FULL = 1 << 0, /* no packet was free */
        RADIO_ERROR_CAD_TIMEOUT = 1 << 1,
        RADIO_ERROR_RX_TIMEOUT = 1 << 2,
};

typedef struct RadioStats {
        RadioStatsKind kind;
        union {
                struct {
                        uint16_t battery_mv;
                        uint32_t uptime_s;
                        uint16_t errors; /* RADIO_ERROR_…, and bits of later firmware */
                        uint8_t queue_length;
                } core;
                struct {
                        int noise_floor, last_rssi; /* dBm */
                        double last_snr;            /* dB */
                        uint32_t tx_air_s, rx_air_s;
                } radio;
                struct {
                        uint32_t received, sent, sent_flood, sent_direct, received_flood, received_direct;
                        bool has_errors; /* firmware 1.13 */
                        uint32_t errors;
                } packets;
        };
} RadioStats;

typedef void (*radio_stats_done_t)(Radio *radio, const Outcome *outcome, const RadioStats *stats,
                                   void *userdata);
void radio_get_stats(Radio *radio, RadioStatsKind kind, radio_stats_done_t done, void *userdata);

/* -- keys -- */

/* bytes is borrowed for the call, empty unless it worked. */
typedef void (*radio_bytes_done_t)(Radio *radio, const Outcome *outcome, Slice bytes, void *userdata);

/* At most RADIO_SIGN_MAX bytes; gives the 64 bytes of an Ed25519 signature by the radio's key. */
void radio_sign(Radio *radio, Slice data, radio_bytes_done_t done, void *userdata);
/* The expanded Ed25519 private key, RADIO_KEY_SIZE bytes. NotSupported: not in this build of firmware. */
void radio_export_key(Radio *radio, radio_bytes_done_t done, void *userdata);
/* The radio is another node then; messages that wait in it are fetched for the old one before, and the link
 * is made anew. */
void radio_import_key(Radio *radio, Slice key, radio_done_t done, void *userdata);
