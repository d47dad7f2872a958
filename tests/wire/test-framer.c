/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "data.h"
#include "framer.h"
#include "hex.h"
#include "macros.h"
#include "suite.h"

/* Takes the whole of data, in pieces of at most step bytes; frames come out as hex. Returns what
 * framer_next() said last. */
static int feed(Framer *framer, const uint8_t *data, size_t size, size_t step, GPtrArray *ret_frames) {
        int r = 0;

        while (size > 0 && r >= 0) {
                size_t taken = framer_push(framer, data, MIN(size, step));
                Slice frame;

                ck_assert_uint_gt(taken, 0);
                data += taken;
                size -= taken;
                while ((r = framer_next(framer, &frame)) > 0) {
                        ck_assert_uint_gt(frame.size, 0);
                        ck_assert_uint_le(frame.size, FRAME_SIZE_ACCEPTED);
                        g_ptr_array_add(ret_frames, hex_dup(frame.data, frame.size));
                }
        }
        return r;
}

static GPtrArray *new_frames(void) {
        return g_ptr_array_new_with_free_func(g_free);
}

static void assert_frames(const char *id, const GPtrArray *got, JsonArray *want) {
        ck_assert_msg(got->len == json_array_get_length(want), "%s: %u frames", id, got->len);
        for (guint i = 0; i < got->len; i++)
                ck_assert_msg(strcmp(got->pdata[i], json_array_get_string_element(want, i)) == 0,
                              "%s: %u: %s", id, i, (char *) got->pdata[i]);
}

static JsonArray *framing(const char *section) {
        return json_object_get_array_member(json_node_get_object(data_vectors("framing")), section);
}

START_TEST(every_stream) {
        JsonArray *entries = framing("decode");
        guint n = json_array_get_length(entries);

        for (guint i = 0; i < n; i++) {
                JsonObject *entry = json_array_get_object_element(entries, i);
                JsonArray *chunks = json_object_get_array_member(entry, "chunks");
                g_autoptr(GPtrArray) frames = new_frames();
                g_autoptr(GByteArray) whole = g_byte_array_new();
                const char *id = data_string(entry, "id");
                Framer framer;

                framer_init(&framer, FRAMER_RESYNC, STREAM_MARKER_RADIO);
                for (guint j = 0; j < json_array_get_length(chunks); j++) {
                        g_autoptr(GByteArray) chunk = data_unhex(json_array_get_string_element(chunks, j));

                        ck_assert_int_eq(feed(&framer, chunk->data, chunk->len, chunk->len, frames), 0);
                        g_byte_array_append(whole, chunk->data, chunk->len);
                }
                assert_frames(id, frames, json_object_get_array_member(entry, "frames"));

                for (size_t step = 1; step <= 7; step++) {
                        g_autoptr(GPtrArray) again = new_frames();

                        framer_reset(&framer);
                        ck_assert_int_eq(feed(&framer, whole->data, whole->len, step, again), 0);
                        assert_frames(id, again, json_object_get_array_member(entry, "frames"));
                }
        }

        printf("%u streams of vectors.json\n", n);
        ck_assert_uint_gt(n, 0);
}
END_TEST

START_TEST(every_encoding) {
        JsonArray *entries = framing("encode");
        guint n = json_array_get_length(entries);

        for (guint i = 0; i < n; i++) {
                JsonObject *entry = json_array_get_object_element(entries, i);
                g_autoptr(GByteArray) payload = data_unhex_member(entry, "payload");
                uint8_t wire[STREAM_HEADER_SIZE + FRAME_SIZE_ACCEPTED];
                g_autofree char *got = NULL;
                int size;

                size = stream_encode(STREAM_MARKER_APP, payload->data, payload->len, wire, sizeof(wire));
                ck_assert_int_gt(size, 0);
                got = hex_dup(wire, (size_t) size);
                ck_assert_str_eq(got, data_string(entry, "wire"));
                ck_assert_int_eq(stream_encode(STREAM_MARKER_APP, payload->data, payload->len, wire,
                                               (size_t) size - 1),
                                 -EMSGSIZE);
        }

        printf("%u encodings of vectors.json\n", n);
        ck_assert_uint_gt(n, 0);
}
END_TEST

START_TEST(encoding_refuses) {
        uint8_t payload[FRAME_SIZE_ACCEPTED + 1] = {}, wire[400];

        ck_assert_int_eq(stream_encode('<', payload, 0, wire, sizeof(wire)), -EINVAL);
        ck_assert_int_eq(stream_encode('<', payload, sizeof(payload), wire, sizeof(wire)), -EMSGSIZE);
        ck_assert_int_eq(stream_encode('<', payload, FRAME_SIZE_ACCEPTED, wire, sizeof(wire)), 303);
}
END_TEST

/* A frame between good ones: 301 bytes, impossible. */
static const uint8_t impossible[] = {'>', 0x01, 0x00, 0x83, '>', 0x2D, 0x01, 0x00, '>', 0x01, 0x00, 0x0A};

START_TEST(impossible_length) {
        g_autoptr(GPtrArray) frames = new_frames(), strict = new_frames();
        Framer framer;
        Slice frame;

        framer_init(&framer, FRAMER_RESYNC, STREAM_MARKER_RADIO);
        ck_assert_int_eq(feed(&framer, impossible, sizeof(impossible), 64, frames), 0);
        ck_assert_uint_eq(frames->len, 2);
        ck_assert_str_eq(frames->pdata[1], "0a");
        ck_assert_uint_eq(framer_noise(&framer), 4);

        framer_init(&framer, FRAMER_STRICT, STREAM_MARKER_RADIO);
        ck_assert_int_eq(feed(&framer, impossible, sizeof(impossible), 64, strict), -EBADMSG);
        ck_assert_uint_eq(strict->len, 1);
        ck_assert_int_eq(framer_next(&framer, &frame), -EBADMSG); /* it stays */
        framer_reset(&framer);
        ck_assert_int_eq(framer_next(&framer, &frame), 0);
}
END_TEST

START_TEST(strict_noise) {
        static const uint8_t before[] = {'x', 0x00, '>', 0xFF, 0xFF, '>', 0x01, 0x00, 0x83};
        static const uint8_t between[] = {'>', 0x01, 0x00, 0x83, 'x', '>', 0x01, 0x00, 0x0A};
        static const uint8_t empty[] = {'>', 0x01, 0x00, 0x83, '>', 0x00, 0x00, '>', 0x01, 0x00, 0x0A};
        g_autoptr(GPtrArray) frames = new_frames();
        Framer framer;

        framer_init(&framer, FRAMER_STRICT, STREAM_MARKER_RADIO);
        ck_assert_int_eq(feed(&framer, before, sizeof(before), 1, frames), 0);
        ck_assert_uint_eq(frames->len, 1);

        framer_reset(&framer);
        ck_assert_int_eq(feed(&framer, between, sizeof(between), 1, frames), -EBADMSG);
        ck_assert_uint_eq(frames->len, 2);

        framer_reset(&framer);
        ck_assert_int_eq(feed(&framer, empty, sizeof(empty), 1, frames), 0);
        ck_assert_uint_eq(frames->len, 4);
}
END_TEST

/* A host that never sends a frame is not a radio. */
START_TEST(strict_noise_is_bounded) {
        g_autofree uint8_t *noise = g_malloc(2 * FRAMER_NOISE_MAX);
        g_autoptr(GPtrArray) frames = new_frames();
        Framer framer;

        memset(noise, '.', 2 * FRAMER_NOISE_MAX);
        framer_init(&framer, FRAMER_STRICT, STREAM_MARKER_RADIO);
        ck_assert_int_eq(feed(&framer, noise, FRAMER_NOISE_MAX, 100, frames), 0);
        ck_assert_int_eq(feed(&framer, noise, 1, 1, frames), -EBADMSG);

        framer_init(&framer, FRAMER_RESYNC, STREAM_MARKER_RADIO);
        ck_assert_int_eq(feed(&framer, noise, 2 * FRAMER_NOISE_MAX, 100, frames), 0);
        ck_assert_uint_eq(framer_noise(&framer), 2 * FRAMER_NOISE_MAX);
}
END_TEST

/* A marker in noise with a possible length swallows frames, until the timer runs off. */
START_TEST(expire_finds_swallowed_frames) {
        static const uint8_t swallowed[] = {'>',  0x20, 0x00, '>',  0x01, 0x00,
                                            0x83, '>',  0x01, 0x00, 0x0A, '>'};
        g_autoptr(GPtrArray) frames = new_frames();
        Framer framer;
        Slice frame;

        framer_init(&framer, FRAMER_RESYNC, STREAM_MARKER_RADIO);
        ck_assert(!framer_pending(&framer));
        ck_assert_int_eq(feed(&framer, swallowed, sizeof(swallowed), 64, frames), 0);
        ck_assert_uint_eq(frames->len, 0);
        ck_assert(framer_pending(&framer));

        framer_expire(&framer);
        ck_assert_int_eq(framer_next(&framer, &frame), 1);
        ck_assert_int_eq(frame.data[0], 0x83);
        ck_assert_int_eq(framer_next(&framer, &frame), 1);
        ck_assert_int_eq(frame.data[0], 0x0A);
        ck_assert_int_eq(framer_next(&framer, &frame), 0);
        ck_assert(framer_pending(&framer));

        framer_expire(&framer);
        ck_assert(!framer_pending(&framer));
        framer_expire(&framer); /* nothing to do */
        ck_assert_int_eq(framer_next(&framer, &frame), 0);
}
END_TEST

/* Without draining, pushing ends at the buffer and loses nothing. */
START_TEST(push_is_bounded) {
        uint8_t data[3 * 303] = {};
        size_t taken, n = 0;
        Framer framer;
        Slice frame;

        for (size_t i = 0; i < 3; i++) {
                data[i * 303] = '>';
                data[i * 303 + 1] = 0x2C;
                data[i * 303 + 2] = 0x01;
        }
        framer_init(&framer, FRAMER_RESYNC, STREAM_MARKER_RADIO);
        taken = framer_push(&framer, data, sizeof(data));
        taken += framer_push(&framer, data, sizeof(data));
        ck_assert_uint_eq(taken, FRAMER_BUFFER_SIZE);
        ck_assert_uint_eq(framer_push(&framer, data, 1), 0);
        while (framer_next(&framer, &frame) > 0) {
                ck_assert_uint_eq(frame.size, FRAME_SIZE_ACCEPTED);
                n++;
        }
        ck_assert_uint_eq(n, 3);
        ck_assert_uint_eq(framer_push(&framer, data, 1), 1);
}
END_TEST

int main(void) {
        const TTest *const tests[] = {
                        every_stream,
                        every_encoding,
                        encoding_refuses,
                        impossible_length,
                        strict_noise,
                        strict_noise_is_bounded,
                        expire_finds_swallowed_frames,
                        push_is_bounded,
        };

        return suite_run("framer", tests, ELEMENTSOF(tests));
}
