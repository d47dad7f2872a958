/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What MeshCore's own firmware and its clients really said: every frame of the
 * radio decodes without rest, and comes out of the framer however the
 * stream is cut; every command can be said by our encoders, but for those that a
 * test sent wrong on purpose. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "data.h"
#include "frame.h"
#include "framer.h"
#include "macros.h"
#include "reencode.h"
#include "suite.h"

/* -- radio to app -- */

typedef struct Reader {
        Framer bytewise, strict;
        size_t frames, lines;
        size_t kinds[_FRAME_KIND_MAX];
} Reader;

static void begin_file(const char *file, void *userdata) {
        Reader *reader = userdata;

        framer_init(&reader->bytewise, FRAMER_RESYNC, STREAM_MARKER_RADIO);
        framer_init(&reader->strict, FRAMER_STRICT, STREAM_MARKER_RADIO);
}

/* What the sizes of the reference say about frames of this firmware, and that nothing is left. */
static void assert_whole(const char *file, size_t line, Slice payload, const Frame *frame) {
        static const struct {
                FrameKind kind;
                size_t size;
        } sizes[] = {
                        {FRAME_OK, 1},
                        {FRAME_ERROR, 2},
                        {FRAME_CONTACTS_START, 5},
                        {FRAME_CONTACT, 148},
                        {FRAME_SENT, 10},
                        {FRAME_END_OF_CONTACTS, 5},
                        {FRAME_CURRENT_TIME, 5},
                        {FRAME_BATTERY, 11},
                        {FRAME_CHANNEL_INFO, 50},
                        {FRAME_TUNING, 9},
                        {FRAME_ADVERT, 33},
                        {FRAME_SEND_CONFIRMED, 9},
                        {FRAME_PATH_UPDATED, 33},
                        {FRAME_NEW_ADVERT, 148},
                        {FRAME_PRIVATE_KEY, 65},
                        {FRAME_SIGNATURE, 65},
        };

        ck_assert_msg(frame->kind != FRAME_UNKNOWN && frame->kind != FRAME_EMPTY, "%s:%zu", file, line);
        for (size_t i = 0; i < ELEMENTSOF(sizes); i++)
                if (sizes[i].kind == frame->kind)
                        ck_assert_msg(payload.size == sizes[i].size, "%s:%zu: %zu bytes", file, line,
                                      payload.size);
        if (frame->kind == FRAME_RX_LOG)
                ck_assert_msg(frame->rx_log.has_packet, "%s:%zu: no packet", file, line);
        if (frame->kind == FRAME_CHANNEL_DATA)
                ck_assert_uint_eq(frame->message.data.size + 9, payload.size);
        if (frame->kind == FRAME_TRACE)
                ck_assert_uint_eq(frame->trace.hashes.size + frame->trace.n_hops + 13, payload.size);
        if (frame->kind == FRAME_PATH_DISCOVERY)
                ck_assert_uint_eq(frame->path_discovery.out.hashes.size +
                                                  frame->path_discovery.in.hashes.size + 10,
                                  payload.size);
        if (frame->kind == FRAME_ADVERT_PATH)
                ck_assert_uint_eq(frame->advert_path.path.hashes.size + 6, payload.size);
        if (frame->kind == FRAME_ALLOWED_FREQUENCIES)
                ck_assert_uint_eq(frame->allowed_frequencies.n_ranges * 8 + 1, payload.size);
        if (frame->kind == FRAME_CONTACT || frame->kind == FRAME_NEW_ADVERT)
                ck_assert(frame->contact.path.known || frame->contact.path.length == PATH_LEN_NONE);
}

static void read_line(const char *file, size_t line, bool from_radio, Slice bytes, const char *note,
                      void *userdata) {
        Reader *reader = userdata;
        size_t frames = 0;
        Frame frame;
        Slice payload;

        if (!from_radio)
                return;

        reader->lines++;
        for (size_t i = 0; i < bytes.size; i++) {
                ck_assert_uint_eq(framer_push(&reader->bytewise, bytes.data + i, 1), 1);
                while (framer_next(&reader->bytewise, &payload) > 0) {
                        ck_assert_msg(frame_decode(payload.data, payload.size, NULL, &frame) == 0,
                                      "%s:%zu: %s", file, line, note);
                        assert_whole(file, line, payload, &frame);
                        ck_assert_uint_eq(payload.size, bytes.size - STREAM_HEADER_SIZE);
                        reader->kinds[frame.kind]++;
                        frames++;
                }
        }
        ck_assert_msg(frames == 1, "%s:%zu: %zu frames", file, line, frames);

        /* The same as one read; a real stream is never out of step. */
        ck_assert_uint_eq(framer_push(&reader->strict, bytes.data, bytes.size), bytes.size);
        ck_assert_int_eq(framer_next(&reader->strict, &payload), 1);
        ck_assert_int_eq(framer_next(&reader->strict, &payload), 0);
        reader->frames += frames;
}

static void end_file(const char *file, void *userdata) {
        Reader *reader = userdata;

        ck_assert_msg(!framer_pending(&reader->bytewise) && framer_noise(&reader->bytewise) == 0, "%s", file);
        ck_assert_msg(!framer_pending(&reader->strict), "%s", file);
}

START_TEST(every_frame_of_the_radio) {
        g_autofree Reader *reader = g_new0(Reader, 1);
        size_t n_kinds = 0;

        (void) data_for_each_file(begin_file, read_line, end_file, reader);
        for (size_t i = 0; i < _FRAME_KIND_MAX; i++)
                n_kinds += reader->kinds[i] > 0;

        printf("%zu frames of %zu kinds from the radio\n", reader->frames, n_kinds);
        ck_assert_uint_gt(reader->frames, 2000);
        ck_assert_uint_eq(reader->frames, reader->lines);
        ck_assert_uint_ge(n_kinds, 40);
}
END_TEST

/* -- app to radio -- */

typedef struct Tally {
        size_t same, spaced, refused, raw;
} Tally;

static void check_command(const char *file, size_t line, bool from_radio, Slice bytes, const char *note,
                          void *userdata) {
        Tally *tally = userdata;
        Command command;
        Slice frame;
        int r;

        if (from_radio)
                return;
        if (g_str_has_prefix(note, "raw bytes")) { /* pieces, for the radio's framer */
                tally->raw++;
                return;
        }

        frame = (Slice){bytes.data + STREAM_HEADER_SIZE, bytes.size - STREAM_HEADER_SIZE};
        r = reencode(frame, &command);
        if (r < 0) {
                ck_assert(r == -EINVAL || r == -EMSGSIZE || r == -ENOMSG);
                tally->refused++;
        } else if (command.size == frame.size && memcmp(command.data, frame.data, frame.size) == 0)
                tally->same++;
        else {
                /* reserved bytes that every app fills in its own way */
                ck_assert_msg(frame.data[0] == CMD_APP_START || frame.data[0] == CMD_SEND_SELF_ADVERT ||
                                              frame.data[0] == CMD_ADD_UPDATE_CONTACT ||
                                              frame.data[0] == CMD_SEND_TELEMETRY_REQ,
                              "%s:%zu: %s", file, line, note);
                tally->spaced++;
        }
}

START_TEST(every_command_of_the_app) {
        Tally tally = {};

        (void) data_for_each_line(check_command, &tally);
        printf("%zu commands the same, %zu but for reserved bytes, %zu refused, %zu raw pieces\n", tally.same,
               tally.spaced, tally.refused, tally.raw);
        ck_assert_uint_gt(tally.same, 500);
        ck_assert_uint_lt(tally.refused, tally.same / 5);
}
END_TEST

int main(void) {
        const TTest *const tests[] = {every_frame_of_the_radio, every_command_of_the_app};

        return suite_run("transcripts", tests, ELEMENTSOF(tests));
}
