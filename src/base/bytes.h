/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Bounded reading and writing of bytes. Both latch: after the first overrun
 * every further call does nothing (a reader returns zeroes), so that a codec
 * reads all fields and asks once, at the end, whether they were there. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A borrowed piece of somebody else's bytes; never NUL-terminated. */
typedef struct Slice {
        const uint8_t *data;
        size_t size;
} Slice;

typedef struct ByteReader {
        const uint8_t *data;
        size_t size;
        size_t offset;
        bool overrun;
} ByteReader;

void reader_init(ByteReader *r, const void *data, size_t size);
size_t reader_left(const ByteReader *r);
uint8_t reader_u8(ByteReader *r);
int8_t reader_i8(ByteReader *r);
uint16_t reader_u16le(ByteReader *r);
int16_t reader_i16le(ByteReader *r);
uint32_t reader_u32le(ByteReader *r);
int32_t reader_i32le(ByteReader *r);
/* Big-endian unsigned of 1 to 4 bytes. */
uint32_t reader_ube(ByteReader *r, size_t bytes);
/* Two's complement big-endian of 1 to 4 bytes. */
int32_t reader_ibe(ByteReader *r, size_t bytes);
void reader_skip(ByteReader *r, size_t size);
/* The next size bytes, borrowed; an empty slice on overrun. */
Slice reader_slice(ByteReader *r, size_t size);
/* All that is left, borrowed. */
Slice reader_rest(ByteReader *r);
/* A fixed field of size bytes whose text ends at the first NUL or at size. */
Slice reader_cstr(ByteReader *r, size_t size);
/* Copies exactly size bytes; zeroes ret on overrun. */
void reader_copy(ByteReader *r, void *ret, size_t size);

typedef struct ByteWriter {
        uint8_t *data;
        size_t capacity;
        size_t size;
        bool overrun;
} ByteWriter;

void writer_init(ByteWriter *w, void *data, size_t capacity);
void writer_u8(ByteWriter *w, uint8_t v);
void writer_u16le(ByteWriter *w, uint16_t v);
void writer_u32le(ByteWriter *w, uint32_t v);
void writer_ube(ByteWriter *w, uint32_t v, size_t bytes);
void writer_bytes(ByteWriter *w, const void *data, size_t size);
void writer_zeroes(ByteWriter *w, size_t size);
/* size bytes of text into a field of field bytes, zero padded. At most
 * field - 1 bytes are taken, so that the field always ends in a NUL. */
void writer_cstr(ByteWriter *w, const void *text, size_t size, size_t field);
