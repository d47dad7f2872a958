/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "bytes.h"
#include "macros.h"

void reader_init(ByteReader *r, const void *data, size_t size) {
        /* Never NULL: adding even zero to that is not defined. */
        *r = (ByteReader){.data = size > 0 ? data : "", .size = size};
}

size_t reader_left(const ByteReader *r) {
        return r->overrun ? 0 : r->size - r->offset;
}

Slice reader_slice(ByteReader *r, size_t size) {
        Slice s;

        if (r->overrun || size > r->size - r->offset) {
                r->overrun = true;
                return (Slice){};
        }

        s = (Slice){r->data + r->offset, size};
        r->offset += size;
        return s;
}

static uint32_t read_le(ByteReader *r, size_t bytes) {
        Slice s = reader_slice(r, bytes);
        uint32_t v = 0;

        for (size_t i = s.size; i > 0; i--)
                v = v << 8 | s.data[i - 1];
        return v;
}

uint8_t reader_u8(ByteReader *r) {
        return (uint8_t) read_le(r, 1);
}

int8_t reader_i8(ByteReader *r) {
        return (int8_t) read_le(r, 1);
}

uint16_t reader_u16le(ByteReader *r) {
        return (uint16_t) read_le(r, 2);
}

int16_t reader_i16le(ByteReader *r) {
        return (int16_t) read_le(r, 2);
}

uint32_t reader_u32le(ByteReader *r) {
        return read_le(r, 4);
}

int32_t reader_i32le(ByteReader *r) {
        return (int32_t) read_le(r, 4);
}

uint32_t reader_ube(ByteReader *r, size_t bytes) {
        Slice s = reader_slice(r, bytes);
        uint32_t v = 0;

        for (size_t i = 0; i < s.size; i++)
                v = v << 8 | s.data[i];
        return v;
}

int32_t reader_ibe(ByteReader *r, size_t bytes) {
        uint32_t v = reader_ube(r, bytes);

        if (bytes < 4 && bytes > 0 && v & UINT32_C(1) << (8 * bytes - 1))
                v |= UINT32_MAX << (8 * bytes);
        return (int32_t) v;
}

void reader_skip(ByteReader *r, size_t size) {
        (void) reader_slice(r, size);
}

Slice reader_rest(ByteReader *r) {
        return reader_slice(r, reader_left(r));
}

Slice reader_cstr(ByteReader *r, size_t size) {
        Slice s = reader_slice(r, size);

        if (s.size > 0)
                s.size = strnlen((const char *) s.data, s.size);
        return s;
}

void reader_copy(ByteReader *r, void *ret, size_t size) {
        Slice s = reader_slice(r, size);

        memset(ret, 0, size);
        if (s.size > 0)
                memcpy(ret, s.data, s.size);
}

void writer_init(ByteWriter *w, void *data, size_t capacity) {
        *w = (ByteWriter){.data = data, .capacity = capacity};
}

static uint8_t *writer_extend(ByteWriter *w, size_t size) {
        uint8_t *p;

        if (w->overrun || size > w->capacity - w->size) {
                w->overrun = true;
                return NULL;
        }

        p = w->data + w->size;
        w->size += size;
        return p;
}

static void write_le(ByteWriter *w, uint32_t v, size_t bytes) {
        uint8_t *p = writer_extend(w, bytes);

        if (!p)
                return;
        for (size_t i = 0; i < bytes; i++)
                p[i] = (uint8_t) (v >> (8 * i));
}

void writer_u8(ByteWriter *w, uint8_t v) {
        write_le(w, v, 1);
}

void writer_u16le(ByteWriter *w, uint16_t v) {
        write_le(w, v, 2);
}

void writer_u32le(ByteWriter *w, uint32_t v) {
        write_le(w, v, 4);
}

void writer_ube(ByteWriter *w, uint32_t v, size_t bytes) {
        uint8_t *p = writer_extend(w, bytes);

        if (!p)
                return;
        for (size_t i = 0; i < bytes; i++)
                p[i] = (uint8_t) (v >> (8 * (bytes - 1 - i)));
}

void writer_bytes(ByteWriter *w, const void *data, size_t size) {
        uint8_t *p = writer_extend(w, size);

        if (p && size > 0)
                memcpy(p, data, size);
}

void writer_zeroes(ByteWriter *w, size_t size) {
        uint8_t *p = writer_extend(w, size);

        if (p && size > 0)
                memset(p, 0, size);
}

void writer_cstr(ByteWriter *w, const void *text, size_t size, size_t field) {
        uint8_t *p = writer_extend(w, field);

        if (!p || field == 0)
                return;
        memset(p, 0, field);
        if (size > 0)
                memcpy(p, text, MIN(size, field - 1));
}
