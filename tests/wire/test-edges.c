/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The edges of every range and the far ends of every table: what vectors and
 * recordings happen not to hold. */

#include <errno.h>
#include <glib.h>
#include <string.h>

#include "blank.h"
#include "card.h"
#include "cipher.h"
#include "command.h"
#include "derive.h"
#include "frame.h"
#include "framer.h"
#include "hex.h"
#include "lpp.h"
#include "macros.h"
#include "packet.h"
#include "path.h"
#include "protocol.h"
#include "reply.h"
#include "status.h"
#include "suite.h"

static Slice unhex(const char *text, uint8_t *buffer, size_t capacity) {
        size_t size = strlen(text) / 2;

        ck_assert_uint_le(size, capacity);
        ck_assert_int_ge(hex_decode(text, 2 * size, buffer, capacity), 0);
        return (Slice){buffer, size};
}

/* A direct text of this frame size may have lost its end, wire reference 7.4. */
#define CUT_SIZE 173

/* -- commands ------------------------------------------------------------------ */

static const PublicKey some_key = {.bytes = {0x42}};

START_TEST(radio_parameters_at_their_limits) {
        static const RadioParams good[] = {
                        {.freq_khz = 150000, .bw_hz = 7000, .sf = 5, .cr = 5},
                        {.freq_khz = 2500000, .bw_hz = 500000, .sf = 12, .cr = 8},
        };
        static const RadioParams bad[] = {
                        {.freq_khz = 149999, .bw_hz = 7000, .sf = 5, .cr = 5},
                        {.freq_khz = 2500001, .bw_hz = 7000, .sf = 5, .cr = 5},
                        {.freq_khz = 150000, .bw_hz = 6999, .sf = 5, .cr = 5},
                        {.freq_khz = 150000, .bw_hz = 500001, .sf = 5, .cr = 5},
                        {.freq_khz = 150000, .bw_hz = 7000, .sf = 4, .cr = 5},
                        {.freq_khz = 150000, .bw_hz = 7000, .sf = 13, .cr = 5},
                        {.freq_khz = 150000, .bw_hz = 7000, .sf = 5, .cr = 4},
                        {.freq_khz = 150000, .bw_hz = 7000, .sf = 5, .cr = 9},
        };
        Command command;

        for (size_t i = 0; i < ELEMENTSOF(good); i++)
                ck_assert_int_eq(command_set_radio_params(&command, &good[i]), 0);
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                ck_assert_int_eq(command_set_radio_params(&command, &bad[i]), -EINVAL);
}
END_TEST

START_TEST(positions_at_their_limits) {
        Command command;

        ck_assert_int_eq(command_set_advert_latlon(&command, 90000000, 180000000, NULL), 0);
        ck_assert_int_eq(command_set_advert_latlon(&command, -90000000, -180000000, NULL), 0);
        ck_assert_int_eq(command_set_advert_latlon(&command, 90000001, 0, NULL), -EINVAL);
        ck_assert_int_eq(command_set_advert_latlon(&command, -90000001, 0, NULL), -EINVAL);
        ck_assert_int_eq(command_set_advert_latlon(&command, 0, 180000001, NULL), -EINVAL);
        ck_assert_int_eq(command_set_advert_latlon(&command, 0, -180000001, NULL), -EINVAL);
}
END_TEST

START_TEST(telemetry_modes_at_their_limits) {
        OtherParams params = {
                        .has_telemetry = true, .telemetry_base = 2, .telemetry_loc = 2, .telemetry_env = 2};
        uint8_t *const modes[] = {&params.telemetry_base, &params.telemetry_loc, &params.telemetry_env};
        Command command;

        ck_assert_int_eq(command_set_other_params(&command, &params), 0);
        for (size_t i = 0; i < ELEMENTSOF(modes); i++) {
                *modes[i] = 3;
                ck_assert_int_eq(command_set_other_params(&command, &params), -EINVAL);
                *modes[i] = 2;
        }
}
END_TEST

START_TEST(neighbours_queries_at_their_limits) {
        const NeighboursQuery good = {.count = 1, .prefix_length = 1};
        NeighboursQuery query = good;
        Command command;

        ck_assert_int_eq(command_request_neighbours(&command, &some_key, &query), 0);
        query.prefix_length = PUBLIC_KEY_SIZE;
        ck_assert_int_eq(command_request_neighbours(&command, &some_key, &query), 0);
        query.prefix_length = PUBLIC_KEY_SIZE + 1;
        ck_assert_int_eq(command_request_neighbours(&command, &some_key, &query), -EINVAL);
        query.prefix_length = 0;
        ck_assert_int_eq(command_request_neighbours(&command, &some_key, &query), -EINVAL);
        query = good;
        query.count = 0;
        ck_assert_int_eq(command_request_neighbours(&command, &some_key, &query), -EINVAL);
        query = good;
        query.order = _NEIGHBOUR_ORDER_MAX;
        ck_assert_int_eq(command_request_neighbours(&command, &some_key, &query), -EINVAL);
        query.order = (NeighbourOrder) -1;
        ck_assert_int_eq(command_request_neighbours(&command, &some_key, &query), -EINVAL);
}
END_TEST

START_TEST(anonymous_requests_go_along_known_paths) {
        Path path = path_from_length(0, 0);
        Command command;

        ck_assert_int_eq(command_send_anon_req(&command, &some_key, ANON_REGIONS, &path), 0);
        ck_assert_int_eq(command_send_anon_req(&command, &some_key, ANON_BASIC, &path), 0);
        ck_assert_int_eq(command_send_anon_req(&command, &some_key, ANON_BASIC + 1, &path), -EINVAL);
        ck_assert_int_eq(command_send_anon_req(&command, &some_key, (AnonRequestType) (ANON_REGIONS - 1),
                                               &path),
                         -EINVAL);
        /* two hops are told, and their hashes are missing */
        path = path_from_length(2, 0);
        ck_assert_int_eq(command_send_anon_req(&command, &some_key, ANON_REGIONS, &path), -EINVAL);
        path = path_from_length(PATH_LEN_NONE, 0);
        ck_assert_int_eq(command_send_anon_req(&command, &some_key, ANON_REGIONS, &path), -EINVAL);
}
END_TEST

START_TEST(only_adverts_are_imported) {
        uint8_t packet[ADVERT_PACKET_SIZE_MIN] = {PAYLOAD_ADVERT << 2 | ROUTE_FLOOD};
        Command command;

        ck_assert_int_eq(command_import_contact(&command, (Slice){packet, sizeof(packet)}), 0);
        ck_assert_int_eq(command_import_contact(&command, (Slice){packet, sizeof(packet) - 1}), -EINVAL);
        packet[1] = 0xFF; /* no path has this length */
        ck_assert_int_eq(command_import_contact(&command, (Slice){packet, sizeof(packet)}), -EINVAL);
        packet[1] = 0;
        packet[0] = PAYLOAD_ACK << 2 | ROUTE_FLOOD;
        ck_assert_int_eq(command_import_contact(&command, (Slice){packet, sizeof(packet)}), -EINVAL);
}
END_TEST

START_TEST(variables_have_a_name_and_a_value) {
        Command command;

        ck_assert_int_eq(command_set_custom_var(&command, "gps", "1"), 0);
        ck_assert_int_eq(command_set_custom_var(&command, "", "1"), -EINVAL);
        ck_assert_int_eq(command_set_custom_var(&command, "g:ps", "1"), -EINVAL);
        ck_assert_int_eq(command_set_custom_var(&command, "gps", ""), -EINVAL);
}
END_TEST

START_TEST(a_path_without_its_hashes_is_not_turned_round) {
        const Path path = path_from_length(3, 0);
        uint8_t reversed[PATH_SIZE_MAX] = {1, 2, 3};

        path_reverse(&path, reversed);
        ck_assert_int_eq(memcmp(reversed, (uint8_t[]){1, 2, 3}, 3), 0);
}
END_TEST

/* -- frames ---------------------------------------------------------------------- */

START_TEST(only_some_frames_are_messages) {
        static const struct {
                FrameKind kind;
                bool message;
        } cases[] = {
                        {FRAME_CONTACT_MESSAGE, true},
                        {FRAME_CHANNEL_MESSAGE, true},
                        {FRAME_CHANNEL_DATA, true},
                        {FRAME_CONTACT, false},
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                ck_assert_int_eq(frame_is_message(&(Frame){.kind = cases[i].kind}), cases[i].message);
}
END_TEST

START_TEST(only_long_direct_texts_may_be_cut) {
        uint8_t frame[CUT_SIZE + 1] = {RESP_CONTACT_MSG_RECV_V3};

        ck_assert(frame_maybe_cut(frame, CUT_SIZE));
        ck_assert(!frame_maybe_cut(frame, CUT_SIZE + 1));
        ck_assert(!frame_maybe_cut(frame, CUT_SIZE - 1));
        frame[0] = RESP_CHANNEL_MSG_RECV_V3;
        ck_assert(!frame_maybe_cut(frame, CUT_SIZE));
}
END_TEST

START_TEST(zeroes_after_a_text_are_not_text) {
        uint8_t data[64];
        Slice raw = unhex("07"
                          "010203040506"
                          "ff"
                          "00"
                          "10203040"
                          "68690000",
                          data, sizeof(data));
        Frame frame;

        ck_assert_int_eq(frame_decode(raw.data, raw.size, NULL, &frame), 0);
        ck_assert_int_eq(frame.kind, FRAME_CONTACT_MESSAGE);
        ck_assert_uint_eq(frame.message.text.size, 2);
        /* nothing but zeroes */
        raw = unhex("07"
                    "010203040506"
                    "ff"
                    "00"
                    "10203040"
                    "0000",
                    data, sizeof(data));
        ck_assert_int_eq(frame_decode(raw.data, raw.size, NULL, &frame), 0);
        ck_assert_uint_eq(frame.message.text.size, 0);
}
END_TEST

START_TEST(nothing_is_blanked_where_nothing_is) {
        uint8_t line[] = {RESP_CONTACT_MSG_RECV, 0, 0, 0, 0, 0, 0, 0, TEXT_CLI_DATA, 0, 0, 0, 0, 'x'};
        uint8_t none[1] = {CMD_SEND_LOGIN};

        ck_assert(!frame_blank(none, 0, true));
        /* the head of a line alone holds nothing of it */
        ck_assert(!frame_blank(line, sizeof(line) - 1, false));
        ck_assert_int_eq(line[13], 'x');
        ck_assert(frame_blank(line, sizeof(line), false));
        ck_assert_int_eq(line[13], '*');
}
END_TEST

START_TEST(a_key_does_not_stay_in_the_buffer) {
        static const uint8_t stream[] = {STREAM_MARKER_RADIO, 3, 0, 0xAB, 0xCD, 0xEF, STREAM_MARKER_RADIO, 9};
        Framer framer;
        Slice frame;

        framer_init(&framer, FRAMER_STRICT, STREAM_MARKER_RADIO);
        ck_assert_uint_eq(framer_push(&framer, stream, sizeof(stream)), sizeof(stream));
        ck_assert_int_eq(framer_next(&framer, &frame), 1);
        framer_forget(&framer);
        ck_assert_ptr_null(memmem(framer.buffer, sizeof(framer.buffer), stream + 3, 3));
        /* the next frame, which has begun, is whole */
        ck_assert_int_eq(framer_next(&framer, &frame), 0);
        ck_assert(framer_pending(&framer));
        ck_assert_uint_eq(framer_push(&framer,
                                      "\0"
                                      "012345678",
                                      10),
                          10);
        ck_assert_int_eq(framer_next(&framer, &frame), 1);
        ck_assert_mem_eq(frame.data, "012345678", 9);
}
END_TEST

/* -- cards ------------------------------------------------------------------------ */

#define CONTACT_URI(name, type)             \
        "meshcore://contact/add?name=" name \
        "&public_key=42000000000000000000000000000000000000000000000000000000000000ff&type=" type
#define CHANNEL_URI(name, secret) "meshcore://channel/add?name=" name "&secret=" secret

START_TEST(cards_at_their_limits) {
        Card card;

        ck_assert_int_eq(card_parse(CONTACT_URI("a", "15"), &card), 0);
        ck_assert_int_eq(card.type, 15);
        ck_assert_int_eq(card_parse(CONTACT_URI("a", ""), &card), -EINVAL);
        ck_assert_int_eq(card_parse(CONTACT_URI("a", "001"), &card), -EINVAL);
        ck_assert_int_eq(card_parse(CONTACT_URI("a", "0"), &card), -EINVAL);
        ck_assert_int_eq(card_parse(CONTACT_URI("a", "16"), &card), -EINVAL);
        ck_assert_int_eq(card_parse(CONTACT_URI("a", "x"), &card), -EINVAL);
        ck_assert_int_eq(card_parse(CHANNEL_URI("a", "000102030405060708090a0b0c0d0e0f"), &card), 0);
        ck_assert_int_eq(card_parse(CHANNEL_URI("a", "000102030405060708090a0b0c0d0e0g"), &card), -EINVAL);
        ck_assert_int_eq(card_parse(CHANNEL_URI("a", "00"), &card), -EINVAL);
}
END_TEST

static void cannot_print(const Card *card) {
        char uri[CARD_URI_SIZE_MAX];

        ck_assert_int_eq(card_print(card, uri, sizeof(uri)), -EINVAL);
}

START_TEST(cards_that_cannot_be_are_not_printed) {
        char uri[CARD_URI_SIZE_MAX];
        Card card;

        ck_assert_int_eq(card_parse(CONTACT_URI("%C3%84-._~", "2"), &card), 0);
        ck_assert_int_gt(card_print(&card, uri, sizeof(uri)), 0);
        ck_assert_str_eq(uri, CONTACT_URI("%C3%84-._~", "2"));
        ck_assert_int_eq(card_print(&card, uri, strlen(uri)), -EMSGSIZE);

        card.type = 0;
        cannot_print(&card);
        card.type = 16;
        cannot_print(&card);
        card.type = 1;
        memcpy(card.name, "\xff", 2);
        cannot_print(&card);
        card.kind = CARD_CHANNEL;
        cannot_print(&card);
        memcpy(card.name, "a", 2);
        memcpy(card.region_scope, "\n", 2);
        cannot_print(&card);
        card.kind = CARD_ADVERT;
        card.packet_size = 0;
        cannot_print(&card);
        card.packet_size = sizeof(card.packet) + 1;
        cannot_print(&card);
        card.kind = _CARD_KIND_MAX;
        cannot_print(&card);
}
END_TEST

/* -- packets ------------------------------------------------------------------------ */

START_TEST(packets_cut_in_their_path) {
        Packet packet;
        uint8_t data[8];

        /* the length tells three hops, and one is there */
        ck_assert_int_eq(packet_decode(unhex("0503aa", data, sizeof(data)), &packet), -EBADMSG);
        /* this length means nothing, and "no path" is none on air */
        ck_assert_int_eq(packet_decode(unhex("05c1aa", data, sizeof(data)), &packet), -EBADMSG);
        ck_assert_int_eq(packet_decode(unhex("05ffaa", data, sizeof(data)), &packet), -EBADMSG);
}
END_TEST

START_TEST(traces_cut_and_odd) {
        TracePacket trace;
        Packet packet;
        uint8_t data[16];

        /* tag and auth, and the flags are missing */
        ck_assert_int_eq(packet_decode(unhex("2600"
                                             "01020304"
                                             "05060708",
                                             data, sizeof(data)),
                                       &packet),
                         0);
        ck_assert_int_eq(trace_packet_decode(&packet, &trace), -EBADMSG);
        /* hashes of two bytes, and there are three */
        ck_assert_int_eq(packet_decode(unhex("2600"
                                             "01020304"
                                             "05060708"
                                             "01"
                                             "aabbcc",
                                             data, sizeof(data)),
                                       &packet),
                         0);
        ck_assert_int_eq(trace_packet_decode(&packet, &trace), -EBADMSG);
        packet.payload.size--;
        ck_assert_int_eq(trace_packet_decode(&packet, &trace), 0);
        ck_assert_int_eq(trace.hash_size, 2);
        packet.payload_type = PAYLOAD_ACK;
        ck_assert_int_eq(trace_packet_decode(&packet, &trace), -EINVAL);
}
END_TEST

/* A member of the channel seals it, so that the MAC is right; what is inside is whatever the key makes of it.
 */
static void seal(uint8_t type, uint8_t fill, uint8_t *payload, Packet *ret) {
        uint8_t mac[CIPHER_HMAC_SIZE];

        payload[0] = derive_channel_hash(public_channel_secret);
        memset(payload + 3, fill, CIPHER_AES_BLOCK_SIZE);
        cipher_hmac((Slice){public_channel_secret, SECRET_SIZE}, (Slice){payload + 3, CIPHER_AES_BLOCK_SIZE},
                    mac);
        memcpy(payload + 1, mac, 2);
        *ret = (Packet){.payload_type = type, .payload = {payload, 3 + CIPHER_AES_BLOCK_SIZE}};
}

START_TEST(data_longer_than_what_holds_it) {
        uint8_t payload[3 + CIPHER_AES_BLOCK_SIZE];
        size_t good = 0, bad = 0;

        for (unsigned fill = 0; fill < 256; fill++) {
                ChannelContent content;
                Packet packet;
                int r;

                seal(PAYLOAD_GRP_DATA, (uint8_t) fill, payload, &packet);
                r = channel_open(&packet, public_channel_secret, &content);
                ck_assert(r == 0 || r == -EBADMSG);
                if (r < 0)
                        bad++;
                else {
                        ck_assert_uint_le(content.data.size, CIPHER_AES_BLOCK_SIZE - 3);
                        good++;
                }
                seal(PAYLOAD_GRP_TXT, (uint8_t) fill, payload, &packet);
                ck_assert_int_eq(channel_open(&packet, public_channel_secret, &content), 0);
                ck_assert_uint_le(content.text.size, CIPHER_AES_BLOCK_SIZE - 5);
        }
        ck_assert_uint_gt(good, 0);
        ck_assert_uint_gt(bad, 0);
}
END_TEST

START_TEST(strangers_show_their_key) {
        uint8_t payload[1 + PUBLIC_KEY_SIZE + 2 + 1] = {0x11, 0x22};
        Packet packet = {.payload_type = PAYLOAD_ANON_REQ, .payload = {payload, sizeof(payload)}};
        PacketAddress address;

        ck_assert_int_eq(packet_address(&packet, &address), 0);
        ck_assert(address.has_dest && address.has_sender_key && address.has_mac && !address.has_src);
        ck_assert_uint_eq(address.dest_hash, 0x11);
        ck_assert_uint_eq(address.sender_key.bytes[0], 0x22);
        ck_assert_uint_eq(address.cipher.size, 1);
        packet.payload.size = 1 + PUBLIC_KEY_SIZE + 1;
        ck_assert_int_eq(packet_address(&packet, &address), -EBADMSG);
        packet.payload_type = PAYLOAD_RAW_CUSTOM;
        ck_assert_int_eq(packet_address(&packet, &address), -EOPNOTSUPP);
}
END_TEST

START_TEST(the_hash_of_a_trace_knows_its_way) {
        uint8_t payload[9] = {};
        Packet packet = {.payload_type = PAYLOAD_TRACE, .payload = {payload, sizeof(payload)}};
        uint8_t before[PACKET_HASH_SIZE], after[PACKET_HASH_SIZE];

        packet_hash(&packet, before);
        packet.path = path_from_length(1, 0);
        packet_hash(&packet, after);
        ck_assert_int_ne(memcmp(before, after, sizeof(before)), 0);
        packet.payload_type = PAYLOAD_ACK;
        packet_hash(&packet, before);
        packet.path = path_from_length(2, 0);
        packet_hash(&packet, after);
        ck_assert_int_eq(memcmp(before, after, sizeof(before)), 0);
}
END_TEST

START_TEST(adverts_cut_and_long) {
        uint8_t payload[PUBLIC_KEY_SIZE + 4 + SIGNATURE_SIZE + ADVERT_APP_DATA_MAX + 1] = {};
        Packet packet = {.payload_type = PAYLOAD_ADVERT, .payload = {payload, sizeof(payload)}};
        Advert advert;

        ck_assert_int_eq(advert_decode(&packet, &advert), -EBADMSG);
        packet.payload.size--;
        ck_assert_int_eq(advert_decode(&packet, &advert), 0);
        ck_assert(!advert_verify(&advert));
        /* nobody can have signed more than an advert holds */
        advert.app_data = packet.payload;
        ck_assert(!advert_verify(&advert));
        packet.payload.size = PUBLIC_KEY_SIZE + 4 + SIGNATURE_SIZE - 1;
        ck_assert_int_eq(advert_decode(&packet, &advert), -EBADMSG);
}
END_TEST

/* -- answers ----------------------------------------------------------------------- */

/* Three values of each type, all that is wider than four bytes with the number at its end. */
static const struct {
        uint8_t type, size;
        uint32_t scale;
        bool is_signed;
} mma_types[] = {
                {LPP_GPS, 9, 1, true},
                {LPP_POLYLINE, 8, 1, false},
                {LPP_GYROMETER, 6, 1, true},
                {LPP_ACCELEROMETER, 6, 1, true},
                {LPP_GENERIC_SENSOR, 4, 1, false},
                {LPP_FREQUENCY, 4, 1, false},
                {LPP_TIME, 4, 1, false},
                {LPP_DISTANCE, 4, 1000, false},
                {LPP_ENERGY, 4, 1000, false},
                {LPP_COLOUR, 3, 1, false},
                {LPP_ANALOG_INPUT, 2, 100, true},
                {LPP_ANALOG_OUTPUT, 2, 100, true},
                {LPP_VOLTAGE, 2, 100, false},
                {LPP_CURRENT, 2, 1000, false},
                {LPP_TEMPERATURE, 2, 10, true},
                {LPP_BAROMETER, 2, 10, false},
                {LPP_HUMIDITY, 2, 10, false},
                {LPP_ALTITUDE, 2, 1, true},
                {LPP_ILLUMINANCE, 2, 1, false},
                {LPP_CONCENTRATION, 2, 1, false},
                {LPP_DIRECTION, 2, 1, false},
                {LPP_POWER, 2, 1, false},
                {LPP_DIGITAL_INPUT, 1, 1, false},
};

START_TEST(series_of_every_type) {
        const FrameContext context = {.request = REPLY_MMA};
        const size_t size = mma_types[_i].size;
        uint8_t data[4 + 2 + 3 * 9];
        ByteWriter w;
        Reply reply;

        writer_init(&w, data, sizeof(data));
        writer_u32le(&w, 1700000000);
        writer_u8(&w, 3);
        writer_u8(&w, mma_types[_i].type);
        for (uint8_t value = 0xF1; value <= 0xF3; value++)
                for (size_t i = 0; i < size; i++)
                        writer_u8(&w, i + 1 < size ? 0xFF : value);

        ck_assert_int_eq(reply_decode((Slice){data, w.size}, &context, &reply), 0);
        ck_assert_uint_eq(reply.n_entries, 1);
        ck_assert_int_eq(reply.lpp_end, LPP_END_DATA);
        ck_assert_uint_eq(reply.series[0].scale, mma_types[_i].scale);
        if (mma_types[_i].is_signed) {
                ck_assert_int_eq(reply.series[0].min, -15);
                ck_assert_int_eq(reply.series[0].avg, -13);
        } else {
                const int64_t all = (INT64_C(1) << 8 * MIN(size, (size_t) 4)) - 1;

                ck_assert_int_eq(reply.series[0].min, all - 14);
                ck_assert_int_eq(reply.series[0].max, all - 13);
        }

        /* cut in the last value */
        ck_assert_int_eq(reply_decode((Slice){data, w.size - 1}, &context, &reply), 0);
        ck_assert_uint_eq(reply.n_entries, 0);
        ck_assert_int_eq(reply.lpp_end, LPP_END_UNKNOWN);
}
END_TEST

START_TEST(series_after_a_channel_zero) {
        const FrameContext context = {.request = REPLY_MMA};
        uint8_t data[32];
        Reply reply;

        ck_assert_int_eq(reply_decode(unhex("00e1f505"
                                            "0001",
                                            data, sizeof(data)),
                                      &context, &reply),
                         0);
        ck_assert_int_eq(reply.lpp_end, LPP_END_GARBAGE);
        ck_assert_uint_eq(reply.padding, 0);
        ck_assert_int_eq(reply_decode(unhex("00e1f505"
                                            "0000",
                                            data, sizeof(data)),
                                      &context, &reply),
                         0);
        ck_assert_int_eq(reply.lpp_end, LPP_END_PADDING);
        ck_assert_uint_eq(reply.padding, 2);
}
END_TEST

/* More than an answer can hold on air, but what a frame can carry is not for the radio to decide. */
START_TEST(no_answer_overruns_its_table) {
        uint8_t data[4 + (REPLY_ENTRIES_MAX + 2) * 12];
        Reply reply;
        ByteWriter w;

        writer_init(&w, data, sizeof(data));
        writer_u32le(&w, 1700000000);
        for (size_t i = 0; i < REPLY_ENTRIES_MAX + 2; i++) {
                writer_bytes(&w, (uint8_t[]){1, LPP_DIGITAL_INPUT, 1, 2, 3}, 5);
        }
        ck_assert_int_eq(reply_decode((Slice){data, w.size}, &(FrameContext){.request = REPLY_MMA}, &reply),
                         0);
        ck_assert_uint_eq(reply.n_entries, REPLY_ENTRIES_MAX);

        writer_init(&w, data, sizeof(data));
        for (size_t i = 0; i < REPLY_ENTRIES_MAX; i++)
                writer_bytes(&w, (uint8_t[]){1, 2, 3, 4, 5, 6, 3}, 7);
        ck_assert_int_eq(reply_decode((Slice){data, w.size}, &(FrameContext){.request = REPLY_ACCESS_LIST},
                                      &reply),
                         0);
        ck_assert_uint_eq(reply.n_entries, REPLY_ENTRIES_MAX);
        writer_bytes(&w, (uint8_t[]){1, 2, 3, 4, 5, 6, 3}, 7);
        ck_assert_int_eq(reply_decode((Slice){data, w.size}, &(FrameContext){.request = REPLY_ACCESS_LIST},
                                      &reply),
                         -EBADMSG);

        writer_init(&w, data, sizeof(data));
        writer_u16le(&w, REPLY_ENTRIES_MAX + 2);
        writer_u16le(&w, REPLY_ENTRIES_MAX + 2);
        for (size_t i = 0; i < REPLY_ENTRIES_MAX + 2; i++)
                writer_bytes(&w, (uint8_t[]){1, 2, 3, 4, 1, 0, 0, 0, 5}, 9);
        ck_assert_int_eq(reply_decode((Slice){data, w.size},
                                      &(FrameContext){.request = REPLY_NEIGHBOURS, .prefix_length = 4},
                                      &reply),
                         0);
        ck_assert_uint_eq(reply.n_entries, REPLY_ENTRIES_MAX);
        ck_assert_uint_eq(reply.neighbours_returned, REPLY_ENTRIES_MAX + 2);
}
END_TEST

START_TEST(neighbours_that_no_length_explains) {
        const FrameContext context = {.request = REPLY_NEIGHBOURS};
        uint8_t data[32];
        Reply reply;

        /* heard in the far past, whatever the length of the prefixes */
        ck_assert_int_eq(reply_decode(unhex("0100"
                                            "0100"
                                            "01020304"
                                            "ffffffff"
                                            "05",
                                            data, sizeof(data)),
                                      &context, &reply),
                         -EBADMSG);
        /* a prefix of zeroes */
        ck_assert_int_eq(reply_decode(unhex("0100"
                                            "0100"
                                            "00000000"
                                            "00000000"
                                            "05",
                                            data, sizeof(data)),
                                      &context, &reply),
                         -EBADMSG);
        ck_assert_int_eq(reply_decode(unhex("0100"
                                            "0100"
                                            "01020304"
                                            "01000000"
                                            "05",
                                            data, sizeof(data)),
                                      &context, &reply),
                         0);
        ck_assert_uint_eq(reply.n_entries, 1);
        /* five bytes, which nobody asks for but we could have */
        ck_assert_int_eq(reply_decode(unhex("0100"
                                            "0100"
                                            "0102030405"
                                            "01000000"
                                            "05",
                                            data, sizeof(data)),
                                      &context, &reply),
                         0);
        ck_assert_uint_eq(reply.neighbours[0].prefix.size, 5);
        ck_assert_int_eq(reply_decode((Slice){data, 14}, NULL, &reply), 0);
        ck_assert_int_eq(reply.kind, REPLY_NONE);
}
END_TEST

/* A status that a person would believe, with one number at a time that nobody would. */
START_TEST(a_status_is_guessed_from_all_its_numbers) {
        static const struct {
                size_t offset, size;
                int64_t value;
        } lies[] = {
                        {0, 2, 20001}, {4, 2, 1},    {4, 2, -151},  {6, 2, 21},
                        {6, 2, -151},  {42, 2, 128}, {42, 2, -129}, {20, 4, 0}, /* uptime */
                        {16, 4, 1001},                                          /* air time above it */
        };
        uint8_t status[STATUS_SIZE_MIN] = {};

        status[1] = 0x10; /* 4.1 V */
        status[4] = 0x88; /* -120 dBm */
        status[5] = 0xFF;
        status[6] = 0xA6; /* -90 dBm */
        status[7] = 0xFF;
        status[20] = 0xE8; /* 1,000 s */
        status[21] = 0x03;
        status[42] = 0x20; /* 8 dB */
        ck_assert_int_eq(reply_guess((Slice){status, sizeof(status)}), REPLY_STATUS);

        for (size_t i = 0; i < ELEMENTSOF(lies); i++) {
                uint8_t lie[STATUS_SIZE_MIN];

                memcpy(lie, status, sizeof(lie));
                for (size_t k = 0; k < lies[i].size; k++)
                        lie[lies[i].offset + k] = (uint8_t) ((uint64_t) lies[i].value >> 8 * k);
                ck_assert_msg(reply_guess((Slice){lie, sizeof(lie)}) != REPLY_STATUS, "lie %zu is believed",
                              i);
        }
}
END_TEST

START_TEST(guesses_at_what_is_nothing) {
        static const struct {
                const char *data;
                ReplyKind kind;
        } cases[] = {
                        {"017401a0", REPLY_TELEMETRY},
                        {"0174", REPLY_NONE},
                        {"00f15365", REPLY_NONE}, /* a time and nothing else */
                        {"017501a0", REPLY_NONE},
                        {"017401a0"
                         "02",
                         REPLY_NONE}, /* cut in its second value */
                        {"00f15365"
                         "0374"
                         "01a0"
                         "01a0"
                         "01a0",
                         REPLY_MMA},
                        {"00f15365"
                         "0374"
                         "01a0"
                         "01a0"
                         "01a0"
                         "0001",
                         REPLY_NONE},
                        {"00f15365"
                         "0374"
                         "01a0"
                         "01a0"
                         "01a0"
                         "0000",
                         REPLY_MMA},
                        {"00f15365"
                         "0374"
                         "01a1"
                         "01a2"
                         "01a0",
                         REPLY_NONE}, /* the mean is below the least */
                        {"00f15365"
                         "0374"
                         "01a0"
                         "01a1"
                         "01a2",
                         REPLY_NONE},
                        {"010203040506"
                         "03"
                         "020304050607"
                         "00",
                         REPLY_ACCESS_LIST},
                        {"ff0203040506"
                         "03"
                         "020304050607"
                         "01",
                         REPLY_NONE},
                        {"000203040506"
                         "03"
                         "020304050607"
                         "01",
                         REPLY_NONE},
                        {"01ff01a0", REPLY_NONE}, /* no such type */
                        {"312e310a4e616d650a4f776e6572", REPLY_OWNER_INFO},
                        {"312e310a4e616d650a4f776e65727f", REPLY_NONE}, /* DEL is not in a text */
                        {"312e310a4e616d65094f776e6572", REPLY_NONE},
                        {"00f15365"
                         "03"
                         "010203"
                         "05",
                         REPLY_NONE}, /* a series that is cut */
                        {"0100"
                         "0200"
                         "01020304"
                         "01000000"
                         "05"
                         "02020304"
                         "01000000"
                         "05",
                         REPLY_NONE},
        };
        uint8_t data[72];

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                Slice raw = unhex(cases[i].data, data, sizeof(data));

                ck_assert_msg(reply_guess(raw) == cases[i].kind, "case %zu: %s", i,
                              reply_kind_to_string(reply_guess(raw)));
        }

        /* no status has so many bytes that say something */
        memset(data, 0x81, sizeof(data));
        ck_assert_int_eq(reply_guess((Slice){data, sizeof(data)}), REPLY_NONE);
}
END_TEST

/* More neighbours than an answer has room for are no neighbours. */
START_TEST(no_guess_overruns_its_table) {
        uint8_t data[4 + 9 * (REPLY_ENTRIES_MAX + 1)];

        for (uint16_t n = REPLY_ENTRIES_MAX; n <= REPLY_ENTRIES_MAX + 1; n++) {
                ByteWriter w;

                writer_init(&w, data, sizeof(data));
                writer_u16le(&w, n);
                writer_u16le(&w, n);
                for (size_t i = 0; i < n; i++)
                        writer_bytes(&w, (uint8_t[]){1, 2, 3, 4, 1, 0, 0, 0, 5}, 9);
                ck_assert_int_eq(reply_guess((Slice){data, w.size}),
                                 n <= REPLY_ENTRIES_MAX ? REPLY_NEIGHBOURS : REPLY_NONE);
        }
}
END_TEST

/* -- names ------------------------------------------------------------------------- */

START_TEST(numbers_without_a_name) {
        ck_assert_ptr_null(status_layout_to_string(_STATUS_LAYOUT_MAX));
        ck_assert_ptr_null(status_layout_to_string(_STATUS_LAYOUT_INVALID));
        ck_assert_ptr_null(reply_kind_to_string(_REPLY_KIND_MAX));
        ck_assert_ptr_null(reply_kind_to_string(_REPLY_KIND_INVALID));
        ck_assert_ptr_null(lpp_type_to_string(250));
        ck_assert_str_eq(lpp_type_unit(250), "");
        ck_assert_str_eq(route_type_to_string(99), "unknown");
        ck_assert_str_eq(payload_type_to_string(99), "unknown");
        ck_assert_str_eq(node_type_to_string(99), "unknown");
}
END_TEST

int main(void) {
        Suite *suite = suite_create("edges");
        TCase *tc = tcase_create("edges");
        SRunner *runner;
        int failed;

        static const TTest *const *const tests[] = {
                        &radio_parameters_at_their_limits,
                        &positions_at_their_limits,
                        &telemetry_modes_at_their_limits,
                        &neighbours_queries_at_their_limits,
                        &anonymous_requests_go_along_known_paths,
                        &only_adverts_are_imported,
                        &variables_have_a_name_and_a_value,
                        &a_path_without_its_hashes_is_not_turned_round,
                        &only_some_frames_are_messages,
                        &only_long_direct_texts_may_be_cut,
                        &zeroes_after_a_text_are_not_text,
                        &nothing_is_blanked_where_nothing_is,
                        &a_key_does_not_stay_in_the_buffer,
                        &cards_at_their_limits,
                        &cards_that_cannot_be_are_not_printed,
                        &packets_cut_in_their_path,
                        &traces_cut_and_odd,
                        &data_longer_than_what_holds_it,
                        &strangers_show_their_key,
                        &the_hash_of_a_trace_knows_its_way,
                        &adverts_cut_and_long,
                        &series_after_a_channel_zero,
                        &no_answer_overruns_its_table,
                        &neighbours_that_no_length_explains,
                        &a_status_is_guessed_from_all_its_numbers,
                        &guesses_at_what_is_nothing,
                        &no_guess_overruns_its_table,
                        &numbers_without_a_name,
        };

        for (size_t i = 0; i < ELEMENTSOF(tests); i++)
                tcase_add_test(tc, *tests[i]);
        tcase_add_loop_test(tc, series_of_every_type, 0, ELEMENTSOF(mma_types));
        suite_add_tcase(suite, tc);

        runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
