/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <string.h>

#include "macros.h"
#include "reply.h"

#define PADDING_MAX        15
#define ACCESS_PREFIX_SIZE 6
#define PREFIX_LENGTH_MAX  32
#define SECS_AGO_MAX       (UINT32_C(10) * 366 * 86400)

static const char *const kind_names[_REPLY_KIND_MAX] = {
                [REPLY_NONE] = "none",
                [REPLY_STATUS] = "status",
                [REPLY_TELEMETRY] = "telemetry",
                [REPLY_MMA] = "mma",
                [REPLY_ACCESS_LIST] = "acl",
                [REPLY_NEIGHBOURS] = "neighbours",
                [REPLY_OWNER_INFO] = "owner-info",
                [REPLY_REGIONS] = "regions",
                [REPLY_OWNER] = "owner",
                [REPLY_BASIC] = "basic",
};

const char *reply_kind_to_string(ReplyKind kind) {
        if (kind < 0 || kind >= _REPLY_KIND_MAX)
                return NULL;
        return kind_names[kind];
}

ReplyKind reply_kind_from_string(const char *s) {
        for (ReplyKind kind = 0; kind < _REPLY_KIND_MAX; kind++)
                if (strcmp(kind_names[kind], s) == 0)
                        return kind;
        return _REPLY_KIND_INVALID;
}

static bool all_zero(const uint8_t *data, size_t size) {
        for (size_t i = 0; i < size; i++)
                if (data[i] != 0)
                        return false;
        return true;
}

size_t reply_padding(Slice data) {
        size_t n = 0;

        while (n < PADDING_MAX && n < data.size && data.data[data.size - 1 - n] == 0)
                n++;
        return n;
}

static int decode_telemetry(Slice data, Reply *ret) {
        LppReader reader;
        LppItem item;

        lpp_init(&reader, data);
        while (lpp_next(&reader, &item))
                ret->n_entries++;

        ret->lpp_end = reader.end;
        ret->body = (Slice){data.data, reader.offset};
        if (reader.end == LPP_END_PADDING)
                ret->padding = data.size - reader.offset;
        return 0;
}

/* How a sensor writes the numbers of BINARY_MMA: a table of its own, other than
 * that of plain telemetry, reference 6.8. What it does not list takes one byte. */
typedef struct MmaFormat {
        uint8_t size;
        uint32_t scale;
        bool is_signed;
} MmaFormat;

static MmaFormat mma_format(uint8_t type) {
        switch (type) {
        case LPP_GPS:
                return (MmaFormat){9, 1, true};
        case LPP_POLYLINE:
                return (MmaFormat){8, 1, false};
        case LPP_GYROMETER:
        case LPP_ACCELEROMETER:
                return (MmaFormat){6, 1, true};
        case LPP_GENERIC_SENSOR:
        case LPP_FREQUENCY:
        case LPP_TIME:
                return (MmaFormat){4, 1, false};
        case LPP_DISTANCE:
        case LPP_ENERGY:
                return (MmaFormat){4, 1000, false};
        case LPP_COLOUR:
                return (MmaFormat){3, 1, false};
        case LPP_ANALOG_INPUT:
        case LPP_ANALOG_OUTPUT:
                return (MmaFormat){2, 100, true};
        case LPP_VOLTAGE:
                return (MmaFormat){2, 100, false};
        case LPP_CURRENT:
                return (MmaFormat){2, 1000, false};
        case LPP_TEMPERATURE:
                return (MmaFormat){2, 10, true};
        case LPP_BAROMETER:
        case LPP_HUMIDITY:
                return (MmaFormat){2, 10, false};
        case LPP_ALTITUDE:
                return (MmaFormat){2, 1, true};
        case LPP_ILLUMINANCE:
        case LPP_CONCENTRATION:
        case LPP_DIRECTION:
        case LPP_POWER:
                return (MmaFormat){2, 1, false};
        default:
                return (MmaFormat){1, 1, false};
        }
}

/* Wide fields hold a 32-bit number in their last bytes. */
static int64_t read_mma_value(ByteReader *r, const MmaFormat *format) {
        size_t size = MIN(format->size, 4U);

        reader_skip(r, format->size - size);
        return format->is_signed ? reader_ibe(r, size) : (int64_t) reader_ube(r, size);
}

static int decode_mma(ByteReader *r, Reply *ret) {
        ret->lpp_end = LPP_END_DATA;

        while (reader_left(r) > 0 && ret->n_entries < ELEMENTSOF(ret->series)) {
                MmaSeries series = {};
                MmaFormat format;

                if (r->data[r->offset] == 0) {
                        bool padded = all_zero(r->data + r->offset, reader_left(r));

                        ret->lpp_end = padded ? LPP_END_PADDING : LPP_END_GARBAGE;
                        ret->padding = padded ? reader_left(r) : 0;
                        return 0;
                }

                series.channel = reader_u8(r);
                series.type = reader_u8(r);
                format = mma_format(series.type);
                series.scale = format.scale;
                series.min = read_mma_value(r, &format);
                series.max = read_mma_value(r, &format);
                series.avg = read_mma_value(r, &format);
                if (r->overrun || !lpp_type_to_string(series.type)) {
                        ret->lpp_end = LPP_END_UNKNOWN;
                        return 0;
                }

                ret->series[ret->n_entries++] = series;
        }

        return 0;
}

static int decode_access_list(ByteReader *r, Reply *ret) {
        while (reader_left(r) >= ACCESS_PREFIX_SIZE + 1 && ret->n_entries < ELEMENTSOF(ret->access)) {
                AccessEntry entry;

                entry.prefix = reader_slice(r, ACCESS_PREFIX_SIZE);
                entry.permissions = reader_u8(r);
                if (!all_zero(entry.prefix.data, entry.prefix.size))
                        ret->access[ret->n_entries++] = entry;
        }

        if (!all_zero(r->data + r->offset, reader_left(r)))
                return -EBADMSG;
        ret->padding = reply_padding(ret->data);
        return 0;
}

/* Whether count entries with this length of prefix fill the bytes, but for padding, and make sense. */
static bool prefix_length_fits(Slice entries, size_t count, size_t length) {
        size_t size = count * (length + 5);

        if (size > entries.size || entries.size - size > PADDING_MAX ||
            !all_zero(entries.data + size, entries.size - size))
                return false;

        for (size_t i = 0; i < count; i++) {
                ByteReader r;

                reader_init(&r, entries.data + i * (length + 5), length + 5);
                if (all_zero(reader_slice(&r, length).data, length) || reader_u32le(&r) > SECS_AGO_MAX)
                        return false;
        }
        return true;
}

/* 0 when no length fits. Clients ask for 4, 6, 8 or 32 bytes. */
static uint8_t find_prefix_length(Slice entries, size_t count) {
        static const uint8_t usual[] = {4, 6, 8, PREFIX_LENGTH_MAX};

        for (size_t i = 0; i < ELEMENTSOF(usual); i++)
                if (prefix_length_fits(entries, count, usual[i]))
                        return usual[i];
        for (uint8_t length = 1; length <= PREFIX_LENGTH_MAX; length++)
                if (prefix_length_fits(entries, count, length))
                        return length;
        return 0;
}

static int decode_neighbours(ByteReader *r, uint8_t prefix_length, Reply *ret) {
        ret->neighbours_total = reader_u16le(r);
        ret->neighbours_returned = reader_u16le(r);
        if (r->overrun)
                return -EBADMSG;
        if (ret->neighbours_returned > 0 && prefix_length == 0) {
                Slice entries = {r->data + r->offset, reader_left(r)};

                prefix_length = find_prefix_length(entries, ret->neighbours_returned);
                if (prefix_length == 0)
                        return -EBADMSG;
        }

        for (size_t i = 0; i < ret->neighbours_returned && reader_left(r) >= prefix_length + 5U &&
                           ret->n_entries < ELEMENTSOF(ret->neighbours);
             i++) {
                NeighbourEntry *entry = &ret->neighbours[ret->n_entries++];

                entry->prefix = reader_slice(r, prefix_length);
                entry->secs_ago = reader_u32le(r);
                entry->snr_x4 = reader_i8(r);
        }

        ret->padding = MIN(reply_padding(ret->data), reader_left(r));
        return 0;
}

static int decode_text(ByteReader *r, Reply *ret) {
        Slice rest = reader_rest(r);

        ret->padding = reply_padding(rest);
        ret->body = (Slice){rest.data, rest.size - ret->padding};
        return 0;
}

static int decode_basic(ByteReader *r, Reply *ret) {
        ret->body = reader_slice(r, 1);
        if (r->overrun)
                return -EBADMSG;

        ret->features = ret->body.data[0];
        ret->padding = MIN(reply_padding(ret->data), reader_left(r));
        return 0;
}

static bool has_server_time(ReplyKind kind) {
        return kind == REPLY_MMA || kind == REPLY_REGIONS || kind == REPLY_OWNER || kind == REPLY_BASIC;
}

static int decode_kind(ByteReader *r, const FrameContext *context, Reply *ret) {
        switch (ret->kind) {
        case REPLY_STATUS:
                ret->padding = reply_padding(ret->data);
                return status_decode(ret->data, context->node_type, &ret->status);
        case REPLY_TELEMETRY:
                return decode_telemetry(ret->data, ret);
        case REPLY_MMA:
                return decode_mma(r, ret);
        case REPLY_ACCESS_LIST:
                return decode_access_list(r, ret);
        case REPLY_NEIGHBOURS:
                return decode_neighbours(r, context->prefix_length, ret);
        case REPLY_OWNER_INFO:
        case REPLY_REGIONS:
        case REPLY_OWNER:
                return decode_text(r, ret);
        case REPLY_BASIC:
                return decode_basic(r, ret);
        default:
                return 0;
        }
}

int reply_decode(Slice data, const FrameContext *context, Reply *ret) {
        static const FrameContext nothing;
        ByteReader r;

        context = context ?: &nothing;
        if (context->prefix_length > PREFIX_LENGTH_MAX)
                return -EBADMSG;

        /* The array of entries stays as it is: n_entries says how much of it counts. */
        memset(ret, 0, offsetof(Reply, status));
        ret->kind = context->request;
        ret->data = data;

        reader_init(&r, data.data, data.size);
        if (has_server_time(ret->kind)) {
                ret->has_server_time = true;
                ret->server_time = reader_u32le(&r);
                if (r.overrun)
                        return -EBADMSG;
        }

        return decode_kind(&r, context, ret);
}
