/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What the configuration says of one radio. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "key.h"

typedef enum Transport {
        TRANSPORT_SERIAL,
        TRANSPORT_TCP,
        TRANSPORT_BLE,
        _TRANSPORT_MAX,
        _TRANSPORT_INVALID = -22,
} Transport;

const char *transport_to_string(Transport transport);

#define TCP_PORT_DEFAULT 5000 /* wire reference 1.2 */

typedef struct RadioSettings {
        char *id;            /* section name */
        Transport transport; /* _TRANSPORT_INVALID until set */
        /* Host, device path (or "auto"), BLE address or name ("" for the first one found), without the
         * scheme. */
        char *address;
        uint16_t port;       /* tcp */
        bool has_public_key; /* PublicKey=: pinned */
        PublicKey public_key;
        int serial_lines;          /* SerialLines=, of SerialLines in link.h; -EINVAL: learned */
        bool discovered;           /* no section names it: plugged in, and found */
        char *adapter;             /* Adapter=: of Bluetooth, name or address; NULL: any */
        char *pin_file;            /* PinFile=: absolute; NULL: the credential */
        bool enabled;              /* Enabled=no: stays stopped until Start() */
        bool trust_clock;          /* TrustClock= */
        bool set_clock;            /* SetClock=, default yes */
        uint64_t backoff_cap_usec; /* ReconnectMaxSec=, default 60 s */
        unsigned airtime_percent;  /* AirtimeBudgetPercent=, default 5 */
        uint64_t poll_usec;        /* PollIntervalSec=, the slow drain; default 300 s */
} RadioSettings;

RadioSettings *radio_settings_new(const char *id);
RadioSettings *radio_settings_free(RadioSettings *settings);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RadioSettings, radio_settings_free)

/* Takes apart "tcp://host[:port]", "tcp://[v6]:port", "serial:/dev/…", "serial:auto",
 * "ble:…". Returns 0 or -EINVAL with *ret_why (static text saying what is expected). */
int radio_settings_set_transport(RadioSettings *settings, const char *value, const char **ret_why);

/* "auto", "on", "off" or "keep". Returns 0 or -EINVAL. */
int radio_settings_set_serial_lines(RadioSettings *settings, const char *value);

/* Whether nothing differs, so that a reload may leave the radio alone. */
bool radio_settings_equal(const RadioSettings *a, const RadioSettings *b);

/* 1 to 32 of [A-Za-z0-9_-]. */
bool radio_id_is_valid(const char *id);
