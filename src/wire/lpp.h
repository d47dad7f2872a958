/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Telemetry as a CayenneLPP list, wire reference 6.5. The only big-endian
 * numbers of the protocol. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"

#define LPP_VALUES_MAX   3
#define LPP_CHANNEL_SELF 1 /* the node itself; sensors use 2 and up */

typedef enum LppType {
        LPP_DIGITAL_INPUT = 0,
        LPP_DIGITAL_OUTPUT = 1,
        LPP_ANALOG_INPUT = 2,
        LPP_ANALOG_OUTPUT = 3,
        LPP_GENERIC_SENSOR = 100,
        LPP_ILLUMINANCE = 101,
        LPP_PRESENCE = 102,
        LPP_TEMPERATURE = 103,
        LPP_HUMIDITY = 104,
        LPP_ACCELEROMETER = 113,
        LPP_BAROMETER = 115,
        LPP_VOLTAGE = 116,
        LPP_CURRENT = 117,
        LPP_FREQUENCY = 118,
        LPP_PERCENTAGE = 120,
        LPP_ALTITUDE = 121,
        LPP_LOAD = 122,
        LPP_CONCENTRATION = 125,
        LPP_POWER = 128,
        LPP_DISTANCE = 130,
        LPP_ENERGY = 131,
        LPP_DIRECTION = 132,
        LPP_TIME = 133,
        LPP_GYROMETER = 134,
        LPP_COLOUR = 135,
        LPP_GPS = 136,
        LPP_SWITCH = 142,
        LPP_POLYLINE = 240,
} LppType;

/* values[i] / scales[i] is the value in the unit of the type. */
typedef struct LppItem {
        uint8_t channel; /* never 0 */
        uint8_t type;
        uint8_t n_values; /* 0 for LPP_POLYLINE, whose bytes are in raw only */
        int64_t values[LPP_VALUES_MAX];
        uint32_t scales[LPP_VALUES_MAX];
        Slice raw; /* the value's bytes, borrowed */
} LppItem;

/* How a list can end. */
typedef enum LppEnd {
        LPP_END_DATA,    /* at the last byte */
        LPP_END_PADDING, /* at channel 0, and only zeroes follow */
        LPP_END_GARBAGE, /* at channel 0, with other bytes after it */
        LPP_END_UNKNOWN, /* at a type that this list does not know, or at a cut value */
} LppEnd;

typedef struct LppReader {
        Slice data;
        size_t offset; /* of the next item, after the end: how many bytes were items */
        LppEnd end;    /* valid once lpp_next() said false */
} LppReader;

void lpp_init(LppReader *reader, Slice data);

/* False at the end of the list; reader->end says which. */
bool lpp_next(LppReader *reader, LppItem *ret);

/* "temperature"; NULL for an unknown type. */
const char *lpp_type_to_string(unsigned type);
/* "°C", "" where there is none, or for an unknown type. */
const char *lpp_type_unit(unsigned type);
