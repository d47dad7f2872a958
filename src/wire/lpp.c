/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lpp.h"
#include "macros.h"

typedef struct LppFormat {
        const char *name, *unit;
        uint8_t sizes[LPP_VALUES_MAX]; /* bytes of each value, 0: no more values */
        uint32_t scales[LPP_VALUES_MAX];
        bool is_signed;
} LppFormat;

#define ONE(s, k) \
        {s}, {    \
                k \
        }
#define THREE(s, k)     \
        {s, s, s}, {    \
                k, k, k \
        }

static const LppFormat formats[] = {
                [LPP_DIGITAL_INPUT] = {"digital input", "", ONE(1, 1), false},
                [LPP_DIGITAL_OUTPUT] = {"digital output", "", ONE(1, 1), false},
                [LPP_ANALOG_INPUT] = {"analog input", "", ONE(2, 100), true},
                [LPP_ANALOG_OUTPUT] = {"analog output", "", ONE(2, 100), true},
                [LPP_GENERIC_SENSOR] = {"generic sensor", "", ONE(4, 1), false},
                [LPP_ILLUMINANCE] = {"illuminance", "lux", ONE(2, 1), false},
                [LPP_PRESENCE] = {"presence", "", ONE(1, 1), false},
                [LPP_TEMPERATURE] = {"temperature", "°C", ONE(2, 10), true},
                [LPP_HUMIDITY] = {"humidity", "%", ONE(1, 2), false},
                [LPP_ACCELEROMETER] = {"accelerometer", "g", THREE(2, 1000), true},
                [LPP_BAROMETER] = {"barometer", "hPa", ONE(2, 10), false},
                [LPP_VOLTAGE] = {"voltage", "V", ONE(2, 100), true},
                [LPP_CURRENT] = {"current", "A", ONE(2, 1000), true},
                [LPP_FREQUENCY] = {"frequency", "Hz", ONE(4, 1), false},
                [LPP_PERCENTAGE] = {"percentage", "%", ONE(1, 1), false},
                [LPP_ALTITUDE] = {"altitude", "m", ONE(2, 1), true},
                [LPP_LOAD] = {"load", "kg", ONE(3, 1000), true},
                [LPP_CONCENTRATION] = {"concentration", "ppm", ONE(2, 1), false},
                [LPP_POWER] = {"power", "W", ONE(2, 1), false},
                [LPP_DISTANCE] = {"distance", "m", ONE(4, 1000), false},
                [LPP_ENERGY] = {"energy", "kWh", ONE(4, 1000), false},
                [LPP_DIRECTION] = {"direction", "°", ONE(2, 1), false},
                [LPP_TIME] = {"time", "s", ONE(4, 1), false},
                [LPP_GYROMETER] = {"gyrometer", "°/s", THREE(2, 100), true},
                [LPP_COLOUR] = {"colour", "", THREE(1, 1), false},
                [LPP_GPS] = {"gps", "", {3, 3, 3}, {10000, 10000, 100}, true},
                [LPP_SWITCH] = {"switch", "", ONE(1, 1), false},
                [LPP_POLYLINE] = {"polyline", "", {0}, {0}, false},
};

static const LppFormat *find_format(unsigned type) {
        if (type >= ELEMENTSOF(formats) || !formats[type].name)
                return NULL;
        return &formats[type];
}

const char *lpp_type_to_string(unsigned type) {
        const LppFormat *format = find_format(type);

        return format ? format->name : NULL;
}

const char *lpp_type_unit(unsigned type) {
        const LppFormat *format = find_format(type);

        return format ? format->unit : "";
}

void lpp_init(LppReader *reader, Slice data) {
        *reader = (LppReader){.data = data, .end = LPP_END_DATA};
}

static LppEnd end_at_channel_zero(Slice data, size_t offset) {
        for (size_t i = offset; i < data.size; i++)
                if (data.data[i] != 0)
                        return LPP_END_GARBAGE;
        return LPP_END_PADDING;
}

/* The first byte of a polyline counts all of its bytes, itself included. */
static void read_polyline(ByteReader *r, LppItem *item) {
        uint8_t size = reader_u8(r);

        if (size == 0)
                r->overrun = true;
        else
                reader_skip(r, size - 1U);
        item->n_values = 0;
}

static void read_values(ByteReader *r, const LppFormat *format, LppItem *item) {
        size_t n = 0;

        while (n < LPP_VALUES_MAX && format->sizes[n] > 0) {
                if (format->is_signed)
                        item->values[n] = reader_ibe(r, format->sizes[n]);
                else
                        item->values[n] = reader_ube(r, format->sizes[n]);
                item->scales[n] = format->scales[n];
                n++;
        }
        item->n_values = (uint8_t) n;
}

bool lpp_next(LppReader *reader, LppItem *ret) {
        const LppFormat *format;
        LppItem item = {};
        ByteReader r;
        size_t start;

        reader_init(&r, reader->data.data, reader->data.size);
        reader_skip(&r, reader->offset);
        if (reader_left(&r) == 0) {
                reader->end = LPP_END_DATA;
                return false;
        }

        item.channel = reader_u8(&r);
        if (item.channel == 0) {
                reader->end = end_at_channel_zero(reader->data, reader->offset);
                return false;
        }

        item.type = reader_u8(&r);
        format = find_format(item.type);
        if (r.overrun || !format) {
                reader->end = LPP_END_UNKNOWN;
                return false;
        }

        start = r.offset;
        if (item.type == LPP_POLYLINE)
                read_polyline(&r, &item);
        else
                read_values(&r, format, &item);
        if (r.overrun) {
                reader->end = LPP_END_UNKNOWN;
                return false;
        }

        item.raw = (Slice){reader->data.data + start, r.offset - start};
        reader->offset = r.offset;
        *ret = item;
        return true;
}
