/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Frames per second that one core decodes and encodes: a mixture of what a
 * radio says in a sync and in a busy mesh, and of what is said to it. */

#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench-util.h"
#include "command.h"
#include "frame.h"
#include "framer.h"
#include "macros.h"

#define ROUNDS   400000
#define BAR      2e6 /* frames a second */
#define N_FRAMES 8

typedef struct Sample {
        uint8_t data[FRAME_SIZE_MAX];
        size_t size;
} Sample;

/* Contacts, messages, pushes and the log of a received packet, at their usual sizes. */
static void make_samples(Sample samples[N_FRAMES]) {
        static const struct {
                uint8_t code;
                size_t size;
        } table[N_FRAMES] = {
                        {RESP_CONTACT, 148},
                        {RESP_CONTACT_MSG_RECV_V3, 90},
                        {RESP_CHANNEL_MSG_RECV_V3, 120},
                        {PUSH_LOG_RX_DATA, 120},
                        {RESP_SELF_INFO, 78},
                        {PUSH_SEND_CONFIRMED, 9},
                        {PUSH_STATUS_RESPONSE, 68},
                        {PUSH_ADVERT, 33},
        };

        for (size_t i = 0; i < N_FRAMES; i++) {
                samples[i].size = table[i].size;
                for (size_t j = 1; j < samples[i].size; j++)
                        samples[i].data[j] = (uint8_t) (j * 7 + i);
                samples[i].data[0] = table[i].code;
        }

        samples[0].data[35] = PATH_LEN_NONE;
        samples[3].data[3] = 0x15; /* flood, channel text */
        samples[3].data[4] = 0x02; /* two hops */
}

static double per_second(uint64_t n, uint64_t start) {
        return (double) n * 1e9 / (double) (bench_now() - start);
}

static double measure_decode(const Sample samples[N_FRAMES]) {
        uint64_t start = bench_now(), good = 0;

        for (size_t i = 0; i < ROUNDS; i++)
                for (size_t j = 0; j < N_FRAMES; j++) {
                        Frame frame;

                        good += frame_decode(samples[j].data, samples[j].size, NULL, &frame) == 0;
                }
        if (good != (uint64_t) ROUNDS * N_FRAMES)
                exit(EXIT_FAILURE);
        return per_second(good, start);
}

/* The same with the framer before it, in reads of 4 KiB. */
static double measure_stream(const Sample samples[N_FRAMES]) {
        g_autoptr(GByteArray) stream = g_byte_array_new();
        uint64_t start, good = 0;
        Framer framer;

        while (stream->len < 4096)
                for (size_t j = 0; j < N_FRAMES; j++) {
                        uint8_t wire[STREAM_HEADER_SIZE + FRAME_SIZE_MAX];
                        int size = stream_encode(STREAM_MARKER_RADIO, samples[j].data, samples[j].size, wire,
                                                 sizeof(wire));

                        g_byte_array_append(stream, wire, (guint) size);
                }

        framer_init(&framer, FRAMER_STRICT, STREAM_MARKER_RADIO);
        start = bench_now();
        while (good < (uint64_t) ROUNDS * N_FRAMES) {
                for (size_t i = 0; i < stream->len;) {
                        Slice payload;

                        i += framer_push(&framer, stream->data + i, stream->len - i);
                        while (framer_next(&framer, &payload) > 0) {
                                Frame frame;

                                good += frame_decode(payload.data, payload.size, NULL, &frame) == 0;
                        }
                }
        }
        return per_second(good, start);
}

static double measure_encode(void) {
        static const uint8_t prefix[KEY_PREFIX_SIZE] = {1, 2, 3, 4, 5, 6};
        ContactRecord contact = {.type = NODE_CHAT, .path_len = PATH_LEN_NONE, .name = "Somebody"};
        uint64_t start = bench_now(), good = 0;
        PublicKey key = {};

        for (size_t i = 0; i < ROUNDS; i++) {
                uint8_t wire[STREAM_HEADER_SIZE + FRAME_SIZE_MAX];
                Command commands[4];

                good += command_sync_next_message(&commands[0]) == 0;
                good += command_send_text(&commands[1], TEXT_PLAIN, 0, (uint32_t) i, prefix,
                                          "a text of the usual length, about fifty bytes") == 0;
                good += command_get_contact_by_key(&commands[2], &key) == 0;
                good += command_add_update_contact(&commands[3], &contact) == 0;
                for (size_t j = 0; j < ELEMENTSOF(commands); j++)
                        if (stream_encode(STREAM_MARKER_APP, commands[j].data, commands[j].size, wire,
                                          sizeof(wire)) < 0)
                                exit(EXIT_FAILURE);
        }
        if (good != (uint64_t) ROUNDS * 4)
                exit(EXIT_FAILURE);
        return per_second(good, start);
}

/* The floor: the bytes of the same frames, copied. */
static double measure_copy(const Sample samples[N_FRAMES]) {
        uint64_t start = bench_now(), sum = 0;

        for (size_t i = 0; i < ROUNDS; i++)
                for (size_t j = 0; j < N_FRAMES; j++) {
                        volatile uint8_t *last;
                        Sample copy;

                        memcpy(copy.data, samples[j].data, samples[j].size);
                        last = &copy.data[samples[j].size - 1];
                        sum += *last;
                }
        return sum > 0 ? per_second((uint64_t) ROUNDS * N_FRAMES, start) : 0;
}

int main(void) {
        Sample samples[N_FRAMES];
        double floor;

        make_samples(samples);
        floor = measure_copy(samples);
        bench_print("wire decode", "frames/s", measure_decode(samples), floor, BAR);
        bench_print("wire stream and decode", "frames/s", measure_stream(samples), floor, BAR);
        bench_print("wire encode", "frames/s", measure_encode(), floor, BAR);
        return EXIT_SUCCESS;
}
