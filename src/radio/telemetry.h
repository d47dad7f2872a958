/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Telemetry as named, unit-carrying values (wire reference 6.5). */

#include "bytes.h"
#include "radio.h"

typedef struct TelemetryValue {
        uint8_t channel;       /* 1: the node itself; sensors from 2 */
        uint8_t type;          /* as on the wire */
        const char *quantity;  /* "temperature", static; NULL: of later firmware */
        const char *component; /* "latitude", static, of a quantity with several values; else NULL */
        const char *unit;      /* "°C", static; "" where there is none */
        double value;
        Slice data; /* instead of value: what cannot be read; borrowed from what was parsed */
} TelemetryValue;

/* data is a CayenneLPP list, with the padding of an answer; the values borrow from it. What follows a
 * quantity of later firmware is in that one's data. */
GArray *telemetry_parse(Slice data); /* TelemetryValue */

/* values is borrowed for the call, empty unless it worked. */
typedef void (*radio_telemetry_done_t)(Radio *radio, const Outcome *outcome, const TelemetryValue *values,
                                       size_t n, void *userdata);

/* The radio's own; nothing goes on air. */
void radio_get_telemetry(Radio *radio, radio_telemetry_done_t done, void *userdata);
