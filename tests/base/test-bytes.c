/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <check.h>
#include <string.h>

#include "bytes.h"
#include "macros.h"

START_TEST(reads_all_kinds) {
        static const uint8_t data[] = {0x01, 0xFF, 0x34, 0x12, 0xFE, 0xFF, 0x78, 0x56, 0x34,
                                       0x12, 0xFD, 0xFF, 0xFF, 0xFF, 0x12, 0x34, 0x56, 0xFF,
                                       0xFE, 'a',  'b',  0,    'x',  0xAA, 0xBB};
        uint8_t copy[1];
        ByteReader r;
        Slice s;

        reader_init(&r, data, sizeof(data));
        ck_assert_uint_eq(reader_u8(&r), 1);
        ck_assert_int_eq(reader_i8(&r), -1);
        ck_assert_uint_eq(reader_u16le(&r), 0x1234);
        ck_assert_int_eq(reader_i16le(&r), -2);
        ck_assert_uint_eq(reader_u32le(&r), 0x12345678);
        ck_assert_int_eq(reader_i32le(&r), -3);
        ck_assert_uint_eq(reader_ube(&r, 3), 0x123456);
        ck_assert_int_eq(reader_ibe(&r, 2), -2);
        s = reader_cstr(&r, 4);
        ck_assert_uint_eq(s.size, 2);
        ck_assert_mem_eq(s.data, "ab", 2);
        ck_assert_uint_eq(reader_left(&r), 2);
        reader_copy(&r, copy, 1);
        ck_assert_uint_eq(copy[0], 0xAA);
        s = reader_rest(&r);
        ck_assert_uint_eq(s.size, 1);
        ck_assert_uint_eq(s.data[0], 0xBB);
        ck_assert(!r.overrun);
        ck_assert_uint_eq(reader_left(&r), 0);
        ck_assert_uint_eq(reader_rest(&r).size, 0);
        ck_assert(!r.overrun);
}
END_TEST

START_TEST(signed_big_endian_widths) {
        static const uint8_t data[] = {0x80, 0x80, 0x00, 0x80, 0x00, 0x00, 0x80, 0x00, 0x00, 0x00};
        ByteReader r;

        reader_init(&r, data, sizeof(data));
        ck_assert_int_eq(reader_ibe(&r, 1), -128);
        ck_assert_int_eq(reader_ibe(&r, 2), -32768);
        ck_assert_int_eq(reader_ibe(&r, 3), -8388608);
        ck_assert_int_eq(reader_ibe(&r, 4), INT32_MIN);
        ck_assert(!r.overrun);
}
END_TEST

/* After one byte too many, everything reads as nothing, also what would fit. */
START_TEST(reader_latches) {
        static const uint8_t data[] = {1, 2, 3};
        uint8_t copy[2] = {9, 9};
        ByteReader r;

        reader_init(&r, data, sizeof(data));
        ck_assert_uint_eq(reader_u32le(&r), 0);
        ck_assert(r.overrun);
        ck_assert_uint_eq(reader_u8(&r), 0);
        ck_assert_uint_eq(reader_slice(&r, 1).size, 0);
        ck_assert_uint_eq(reader_cstr(&r, 1).size, 0);
        ck_assert_uint_eq(reader_rest(&r).size, 0);
        reader_copy(&r, copy, sizeof(copy));
        ck_assert_uint_eq(copy[0], 0);
        ck_assert_uint_eq(copy[1], 0);
        reader_skip(&r, 0);
        ck_assert(r.overrun);
}
END_TEST

START_TEST(reader_huge_sizes) {
        static const uint8_t data[] = {1, 2, 3};
        ByteReader r;

        reader_init(&r, data, sizeof(data));
        reader_skip(&r, 1);
        ck_assert_uint_eq(reader_slice(&r, SIZE_MAX).size, 0);
        ck_assert(r.overrun);

        reader_init(&r, data, sizeof(data));
        reader_skip(&r, 2);
        reader_skip(&r, SIZE_MAX - 1);
        ck_assert(r.overrun);

        reader_init(&r, NULL, 0);
        ck_assert_uint_eq(reader_left(&r), 0);
        ck_assert_uint_eq(reader_u8(&r), 0);
        ck_assert(r.overrun);
}
END_TEST

START_TEST(writes_all_kinds) {
        static const uint8_t expected[] = {0x01, 0x34, 0x12, 0x78, 0x56, 0x34, 0x12, 0x12, 0x34, 0x56,
                                           'h',  'i',  0,    0,    'a',  'b',  0,    'c',  'd'};
        uint8_t data[sizeof(expected)];
        ByteWriter w;

        writer_init(&w, data, sizeof(data));
        writer_u8(&w, 1);
        writer_u16le(&w, 0x1234);
        writer_u32le(&w, 0x12345678);
        writer_ube(&w, 0x123456, 3);
        writer_bytes(&w, "hi", 2);
        writer_zeroes(&w, 2);
        writer_cstr(&w, "abcdef", 6, 3);
        writer_bytes(&w, "cd", 2);
        ck_assert(!w.overrun);
        ck_assert_uint_eq(w.size, sizeof(expected));
        ck_assert_mem_eq(data, expected, sizeof(expected));
}
END_TEST

START_TEST(writer_latches) {
        uint8_t data[4] = {9, 9, 9, 9};
        ByteWriter w;

        writer_init(&w, data, 3);
        writer_u8(&w, 1);
        writer_u32le(&w, 0xFFFFFFFF);
        ck_assert(w.overrun);
        writer_u8(&w, 2);
        ck_assert_uint_eq(w.size, 1);
        ck_assert_uint_eq(data[0], 1);
        ck_assert_uint_eq(data[3], 9);

        writer_init(&w, data, sizeof(data));
        writer_u8(&w, 0);
        writer_zeroes(&w, SIZE_MAX);
        ck_assert(w.overrun);
        ck_assert_uint_eq(w.size, 1);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("bytes");
        TCase *tcase = tcase_create("bytes");
        SRunner *runner;
        int failed;

        tcase_add_test(tcase, reads_all_kinds);
        tcase_add_test(tcase, signed_big_endian_widths);
        tcase_add_test(tcase, reader_latches);
        tcase_add_test(tcase, reader_huge_sizes);
        tcase_add_test(tcase, writes_all_kinds);
        tcase_add_test(tcase, writer_latches);
        suite_add_tcase(suite, tcase);

        runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed > 0;
}
