/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Telemetry as named, unit-carrying values, of the radio itself and of other
 * nodes (wire reference 6.5). */

#include "bytes.h"
#include "radio.h"

#define TELEMETRY_VALUES_MAX 3

typedef struct TelemetryValue {
        uint8_t channel;      /* 1: the node itself; sensors from 2 */
        const char *quantity; /* "temperature"; static */
        const char *unit;     /* of all values: "°C", "" where there is none; static */
        size_t n_values; /* 1, or 3: x, y, z; latitude, longitude, altitude in m; 0: polyline, only raw */
        double values[TELEMETRY_VALUES_MAX];
        Slice raw; /* the value's bytes, borrowed from what was parsed */
} TelemetryValue;

typedef struct Telemetry {
        GArray *values; /* TelemetryValue */
        Slice rest;     /* what follows a quantity of later firmware; borrowed; empty: all was understood */
} Telemetry;

/* data is a CayenneLPP list, with the padding of an answer; borrowed by *ret. */
void telemetry_parse(Slice data, Telemetry *ret);
void telemetry_clear(Telemetry *telemetry);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Telemetry, telemetry_clear)

/* telemetry is borrowed for the call; NULL unless it worked. */
typedef void (*radio_telemetry_done_t)(Radio *radio, const Outcome *outcome, const Telemetry *telemetry,
                                       void *userdata);

/* The radio's own; nothing goes on air. */
void radio_get_telemetry(Radio *radio, radio_telemetry_done_t done, void *userdata);
