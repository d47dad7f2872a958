/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Derived values of vectors.json, and the formats inside frames. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "card.h"
#include "data.h"
#include "derive.h"
#include "frame.h"
#include "hex.h"
#include "lpp.h"
#include "macros.h"
#include "packet.h"
#include "path.h"
#include "reply.h"
#include "status.h"
#include "suite.h"

static void assert_hex(const char *id, const uint8_t *data, size_t size, const char *want) {
        g_autofree char *got = hex_dup(data, size);

        ck_assert_msg(strcmp(got, want) == 0, "%s: got %s, want %s", id, got, want);
}

static void check_ack(const char *id, JsonObject *o) {
        g_autoptr(GByteArray) text = data_unhex_member(o, "text_bytes");
        g_autofree char *string = g_strndup((const char *) text->data, text->len);
        uint8_t ack[TAG_SIZE];
        PublicKey own;

        ck_assert_int_eq(key_from_text(data_string(o, "own_public_key"), &own), 0);
        derive_expected_ack((uint32_t) data_int(o, "timestamp"), (uint8_t) data_int(o, "attempt"), string,
                            &own, ack);
        assert_hex(id, ack, sizeof(ack), data_string(o, "ack"));
}

static void check_secret(const char *id, JsonObject *o) {
        uint8_t secret[SECRET_SIZE];

        ck_assert_int_eq(derive_hashtag_secret(data_string(o, "name"), secret), 0);
        assert_hex(id, secret, sizeof(secret), data_string(o, "secret"));
        ck_assert_int_eq(derive_channel_hash(secret), data_int(o, "channel_hash"));
}

static void check_channel_hash(const char *id, JsonObject *o) {
        g_autoptr(GByteArray) secret = data_unhex_member(o, "secret");

        ck_assert_int_eq(derive_channel_hash(secret->data), data_int(o, "channel_hash"));
}

static void check_scope(const char *id, JsonObject *o) {
        const char *name = data_string(o, "name");
        uint8_t key[SECRET_SIZE];

        ck_assert_int_eq(derive_scope_key(name, key), 0);
        assert_hex(id, key, sizeof(key), data_string(o, "key"));
        ck_assert_int_eq(derive_scope_key(name + 1, key), 0);
        assert_hex(id, key, sizeof(key), data_string(o, "key"));
}

static void check_path_length(const char *id, JsonObject *o) {
        uint8_t byte = (uint8_t) data_int(o, "byte"), again;
        Path path = path_from_length(byte, 0);

        ck_assert_msg(path.known == json_object_get_boolean_member(o, "valid"), "%s", id);
        if (!path.known)
                return;
        ck_assert_int_eq(path.hops, data_int(o, "hops"));
        ck_assert_int_eq(path.hash_size, data_int(o, "hash_size"));
        ck_assert_int_eq((gint64) path_size(&path), data_int(o, "bytes"));
        ck_assert_int_eq(path_encode_length(path.hops, path.hash_size, &again), 0);
        ck_assert_int_eq(again, byte);
}

START_TEST(every_derived_value) {
        static const struct {
                const char *kind;
                void (*check)(const char *id, JsonObject *o);
        } checks[] = {
                        {"expected_ack", check_ack},          {"channel_secret", check_secret},
                        {"channel_hash", check_channel_hash}, {"scope_key", check_scope},
                        {"path_len_byte", check_path_length},
        };
        JsonArray *entries = json_node_get_array(data_vectors("derived"));
        guint n = json_array_get_length(entries);

        for (guint i = 0; i < n; i++) {
                JsonObject *o = json_array_get_object_element(entries, i);
                bool checked = false;

                for (size_t j = 0; j < ELEMENTSOF(checks); j++)
                        if (strcmp(checks[j].kind, data_string(o, "kind")) == 0) {
                                checks[j].check(data_string(o, "id"), o);
                                checked = true;
                        }
                ck_assert_msg(checked, "%s", data_string(o, "id"));
        }

        printf("%u derived values of vectors.json\n", n);
        ck_assert_uint_gt(n, 0);
        assert_hex("public", public_channel_secret, SECRET_SIZE, "8b3387e9c5cdea6ac9e5edbaa115cd72");
}
END_TEST

START_TEST(derive_refuses) {
        uint8_t ret[SECRET_SIZE];

        ck_assert_int_eq(derive_hashtag_secret("name", ret), -EINVAL);
        ck_assert_int_eq(derive_hashtag_secret("#", ret), -EINVAL);
        ck_assert_int_eq(derive_scope_key("", ret), -EINVAL);
        ck_assert_int_eq(derive_scope_key("#", ret), -EINVAL);
        ck_assert_int_eq(derive_scope_key("*", ret), -EINVAL);
}
END_TEST

/* Below level 10 the byte is a count: 64 is 64 hops there, none of two bytes now. */
START_TEST(path_of_old_radios) {
        Path path = path_from_length(64, 9);
        uint8_t byte;

        ck_assert(path.known);
        ck_assert_int_eq(path.hops, 64);
        ck_assert_int_eq(path.hash_size, 1);
        ck_assert(!path_from_length(65, 9).known);
        ck_assert(!path_from_length(PATH_LEN_NONE, 9).known);
        path = path_from_length(64, 10);
        ck_assert_int_eq(path.hops, 0);
        ck_assert_int_eq(path.hash_size, 2);
        ck_assert_int_eq(path_encode_length(64, 1, &byte), -EINVAL);
        ck_assert_int_eq(path_encode_length(33, 2, &byte), -EINVAL);
        ck_assert_int_eq(path_encode_length(1, 4, &byte), -EINVAL);
        ck_assert_int_eq(path_encode_length(1, 0, &byte), -EINVAL);
}
END_TEST

/* -- telemetry -- */

typedef struct LppCase {
        const char *digits;
        unsigned channel, type;
        size_t n;
        double values[LPP_VALUES_MAX];
} LppCase;

START_TEST(lpp_types) {
        static const LppCase cases[] = {
                        {"040001", 4, LPP_DIGITAL_INPUT, 1, {1}},
                        {"040100", 4, LPP_DIGITAL_OUTPUT, 1, {0}},
                        {"0402ff85", 4, LPP_ANALOG_INPUT, 1, {-1.23}},
                        {"040301c8", 4, LPP_ANALOG_OUTPUT, 1, {4.56}},
                        {"0564deb7fc55", 5, LPP_GENERIC_SENSOR, 1, {3736599637.0}},
                        {"0365ffff", 3, LPP_ILLUMINANCE, 1, {65535}},
                        {"056601", 5, LPP_PRESENCE, 1, {1}},
                        {"0267ffd6", 2, LPP_TEMPERATURE, 1, {-4.2}},
                        {"026868", 2, LPP_HUMIDITY, 1, {52}},
                        {"0771fc1801f403d4", 7, LPP_ACCELEROMETER, 3, {-1.0, 0.5, 0.98}},
                        {"02732794", 2, LPP_BAROMETER, 1, {1013.2}},
                        {"0174ff9c", 1, LPP_VOLTAGE, 1, {-1}},
                        {"0275ffd8", 2, LPP_CURRENT, 1, {-0.04}},
                        {"057633be27a0", 5, LPP_FREQUENCY, 1, {868100000}},
                        {"05784d", 5, LPP_PERCENTAGE, 1, {77}},
                        {"0279ffd6", 2, LPP_ALTITUDE, 1, {-42}},
                        {"057afffc18", 5, LPP_LOAD, 1, {-1}},
                        {"067d01a4", 6, LPP_CONCENTRATION, 1, {420}},
                        {"03800011", 3, LPP_POWER, 1, {17}},
                        {"068200003039", 6, LPP_DISTANCE, 1, {12.345}},
                        {"06830000 1a85", 6, LPP_ENERGY, 1, {6.789}},
                        {"0684010e", 6, LPP_DIRECTION, 1, {270}},
                        {"0685688bea80", 6, LPP_TIME, 1, {1754000000}},
                        {"0786ff9c00640000", 7, LPP_GYROMETER, 3, {-1, 1, 0}},
                        {"07870102ff", 7, LPP_COLOUR, 3, {1, 2, 255}},
                        {"0188fad50017129dfffadf", 1, LPP_GPS, 3, {-33.8688, 151.2093, -13.13}},
                        {"068e01", 6, LPP_SWITCH, 1, {1}},
                        {"08f0050a0b0c0d", 8, LPP_POLYLINE, 0, {0}},
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                g_auto(GStrv) parts = g_strsplit(cases[i].digits, " ", -1);
                g_autofree char *digits = g_strjoinv("", parts);
                g_autoptr(GByteArray) bytes = data_unhex(digits);
                LppReader reader;
                LppItem item;

                lpp_init(&reader, data_slice(bytes));
                ck_assert_msg(lpp_next(&reader, &item), "%s", cases[i].digits);
                ck_assert_uint_eq(item.channel, cases[i].channel);
                ck_assert_uint_eq(item.type, cases[i].type);
                ck_assert_uint_eq(item.n_values, cases[i].n);
                for (size_t j = 0; j < item.n_values; j++)
                        ck_assert_double_eq_tol((double) item.values[j] / item.scales[j], cases[i].values[j],
                                                1e-9);
                ck_assert_uint_eq(item.raw.size, bytes->len - 2);
                ck_assert(!lpp_next(&reader, &item));
                ck_assert_int_eq(reader.end, LPP_END_DATA);
                ck_assert_ptr_nonnull(lpp_type_to_string(cases[i].type));

                /* cut anywhere: no item */
                for (size_t size = 1; size < bytes->len; size++) {
                        lpp_init(&reader, (Slice){bytes->data, size});
                        ck_assert(!lpp_next(&reader, &item));
                        ck_assert_int_eq(reader.end, LPP_END_UNKNOWN);
                        ck_assert_uint_eq(reader.offset, 0);
                }
        }
}
END_TEST

static LppEnd lpp_end_of(const char *digits, size_t *ret_used) {
        g_autoptr(GByteArray) bytes = data_unhex(digits);
        LppReader reader;
        LppItem item;

        lpp_init(&reader, data_slice(bytes));
        while (lpp_next(&reader, &item))
                ;
        *ret_used = reader.offset;
        return reader.end;
}

START_TEST(lpp_ends) {
        size_t used;

        ck_assert_int_eq(lpp_end_of("01740173", &used), LPP_END_DATA);
        ck_assert_int_eq(lpp_end_of("01740173000000", &used), LPP_END_PADDING);
        ck_assert_uint_eq(used, 4);
        ck_assert_int_eq(lpp_end_of("01740173000001", &used), LPP_END_GARBAGE);
        ck_assert_int_eq(lpp_end_of("0174017302c80102", &used), LPP_END_UNKNOWN);
        ck_assert_uint_eq(used, 4);
        ck_assert_int_eq(lpp_end_of("01f000", &used), LPP_END_UNKNOWN); /* a polyline of no bytes */
        ck_assert_int_eq(lpp_end_of("", &used), LPP_END_DATA);
}
END_TEST

/* -- status -- */

START_TEST(status_layouts) {
        uint8_t data[60] = {};
        ByteWriter w;
        Status status;

        data[0] = 0x10; /* battery */
        data[20] = 200; /* uptime */
        data[8] = 50;   /* packets received */
        writer_init(&w, data + 48, 8);
        writer_u32le(&w, 100);
        ck_assert_int_eq(status_decode((Slice){data, 60}, NODE_NONE, &status), 0);
        ck_assert_int_eq(status.layout, STATUS_REPEATER_OLD);
        ck_assert_uint_eq(status.rx_airtime_s, 100);

        ck_assert_int_eq(status_decode((Slice){data, 60}, NODE_ROOM, &status), 0);
        ck_assert_int_eq(status.layout, STATUS_ROOM);
        ck_assert_uint_eq(status.posts_stored, 100);

        writer_u32le(&w, 7);
        ck_assert_int_eq(status_decode((Slice){data, 60}, NODE_NONE, &status), 0);
        ck_assert_int_eq(status.layout, STATUS_REPEATER);
        ck_assert_uint_eq(status.recv_errors, 7);

        memset(data + 52, 0, 8);
        data[50] = 1; /* 65636 s of receiving in 200 s */
        ck_assert_int_eq(status_decode((Slice){data, 60}, NODE_NONE, &status), 0);
        ck_assert_int_eq(status.layout, STATUS_ROOM);
        ck_assert_uint_eq(status.posts_pushed, 1);
        ck_assert_int_eq(status_decode((Slice){data, 60}, NODE_REPEATER, &status), 0);
        ck_assert_int_eq(status.layout, STATUS_REPEATER_OLD);

        ck_assert_int_eq(status_decode((Slice){data, 48}, NODE_NONE, &status), 0);
        ck_assert_int_eq(status.layout, STATUS_BASIC);
        ck_assert_int_eq(status_decode((Slice){data, 47}, NODE_NONE, &status), -EBADMSG);
}
END_TEST

/* -- packets -- */

static int decode_packet(const char *digits, Packet *ret, GByteArray **ret_bytes) {
        *ret_bytes = data_unhex(digits);
        return packet_decode(data_slice(*ret_bytes), ret);
}

START_TEST(packets) {
        static const struct {
                const char *digits;
                bool good;
        } cases[] = {
                        {"1100aa", true},      {"1100", false},        {"11", false},
                        {"", false},           {"5100aa", false}, /* version 1 */
                        {"11c0aa", false},                        /* path mode 3 */
                        {"1102aa", false},                        /* path cut */
                        {"1161aa", false},                        /* path too long */
                        {"1001020304", false}, {"10010203040", false}, {"100102030400aa", true},
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                g_autoptr(GByteArray) bytes = NULL;
                Packet packet;

                if (strlen(cases[i].digits) % 2 != 0)
                        continue;
                ck_assert_msg((decode_packet(cases[i].digits, &packet, &bytes) == 0) == cases[i].good, "%s",
                              cases[i].digits);
        }
}
END_TEST

START_TEST(packet_limits) {
        uint8_t data[2 + PACKET_PAYLOAD_MAX + 1] = {0x11, 0x00};
        Packet packet;

        ck_assert_int_eq(packet_decode((Slice){data, sizeof(data) - 1}, &packet), 0);
        ck_assert_uint_eq(packet.payload.size, PACKET_PAYLOAD_MAX);
        ck_assert_int_eq(packet_decode((Slice){data, sizeof(data)}, &packet), -EBADMSG);
}
END_TEST

START_TEST(packet_addresses) {
        g_autoptr(GByteArray) text = NULL, group = NULL, ack = NULL, control = NULL, cut = NULL;
        PacketAddress address;
        Packet packet;

        ck_assert_int_eq(decode_packet("0a0013d2aabbcc", &packet, &text), 0);
        ck_assert_int_eq(packet_address(&packet, &address), 0);
        ck_assert(address.has_dest && address.has_src && address.has_mac && !address.has_channel);
        ck_assert_int_eq(address.dest_hash, 0x13);
        ck_assert_int_eq(address.src_hash, 0xd2);
        ck_assert_uint_eq(address.cipher.size, 1);

        ck_assert_int_eq(decode_packet("15004caabb", &packet, &group), 0);
        ck_assert_int_eq(packet_address(&packet, &address), 0);
        ck_assert(address.has_channel);
        ck_assert_int_eq(address.channel_hash, 0x4c);

        ck_assert_int_eq(decode_packet("0d00010203040506", &packet, &ack), 0);
        ck_assert_int_eq(packet_address(&packet, &address), 0);
        ck_assert(address.has_ack && !address.has_mac);
        ck_assert_int_eq(address.ack[3], 4);

        ck_assert_int_eq(decode_packet("2e0081", &packet, &control), 0);
        ck_assert_int_eq(packet_address(&packet, &address), -EOPNOTSUPP);
        ck_assert_int_eq(decode_packet("0d00010203", &packet, &cut), 0);
        ck_assert_int_eq(packet_address(&packet, &address), -EBADMSG);
}
END_TEST

/* -- cards -- */

/* The packet of event "export-contact-2". */
#define CARD_HEX                                                                                             \
        "110035f25cf2d86ed6a1707e5aabb93517536f9d2c270d76a834910b5fe0b0ef7a9c80ea8b686c4899a5a6630108f08446" \
        "d98687"                                                                                             \
        "cf7d7794ee447603be3fad75da85ce01aa0abd4cc464ad32dd36a561a8f576aec338409bbb3ccf356812a149ea726c31f9" \
        "ce"                                                                                                 \
        "91f7e9d202fe5582005ac3bc726963682d53c3bc"
#define KEY_HEX    "35f25cf2d86ed6a1707e5aabb93517536f9d2c270d76a834910b5fe0b0ef7a9c"
#define SECRET_HEX "8b3387e9c5cdea6ac9e5edbaa115cd72"

START_TEST(adverts) {
        g_autoptr(GByteArray) bytes = NULL;
        Packet packet;
        Advert advert;
        KeyText key;

        ck_assert_int_eq(decode_packet(CARD_HEX, &packet, &bytes), 0);
        ck_assert_int_eq(advert_decode(&packet, &advert), 0);
        key = key_to_text(&advert.key);
        ck_assert_str_eq(key.text, KEY_HEX);
        ck_assert_uint_eq(advert.timestamp, 1754000000);
        ck_assert_int_eq(advert.type, NODE_CHAT);
        ck_assert(advert.has_location && advert.has_name && !advert.has_feature1 && !advert.has_feature2);
        ck_assert_int_eq(advert.lat_e6, 47376887);
        ck_assert_int_eq(advert.lon_e6, 8541694);
        ck_assert_uint_eq(advert.name.size, 11);

        packet.payload_type = PAYLOAD_ACK;
        ck_assert_int_eq(advert_decode(&packet, &advert), -EINVAL);
        packet.payload_type = PAYLOAD_ADVERT;
        for (size_t size = 0; size < 32 + 4 + 64 + 1 + 8; size++) {
                packet.payload.size = size;
                ck_assert_int_eq(advert_decode(&packet, &advert), -EBADMSG);
        }
}
END_TEST

START_TEST(cards) {
        static const char *const good[] = {
                        "meshcore://" CARD_HEX,
                        "meshcore://contact/add?name=Z%C3%BCrich&public_key=" KEY_HEX "&type=1",
                        "meshcore://contact/add?name=a%20b&public_key=" KEY_HEX "&type=15",
                        "meshcore://channel/add?name=%23over&secret=" SECRET_HEX,
                        "meshcore://channel/add?name=&secret=" SECRET_HEX "&region_scope=%23europe",
        };

        for (size_t i = 0; i < ELEMENTSOF(good); i++) {
                char again[CARD_URI_SIZE_MAX];
                Card card;

                ck_assert_msg(card_parse(good[i], &card) == 0, "%s", good[i]);
                ck_assert_int_eq(card_print(&card, again, sizeof(again)), (int) strlen(good[i]));
                ck_assert_str_eq(again, good[i]);
                ck_assert_int_eq(card_print(&card, again, strlen(good[i])), -EMSGSIZE);
        }
}
END_TEST

START_TEST(card_forms) {
        Card card;

        /* order, unknown parameters, '+', upper case, empty pieces */
        ck_assert_int_eq(card_parse("meshcore://contact/add?x=1&type=2&&public_key=" KEY_HEX
                                    "&name=a+b%2B&flag",
                                    &card),
                         0);
        ck_assert_int_eq(card.kind, CARD_CONTACT);
        ck_assert_str_eq(card.name, "a b+");
        ck_assert_int_eq(card.type, NODE_REPEATER);

        /* what belongs to the other form is unknown here */
        ck_assert_int_eq(card_parse("meshcore://channel/add?name=a&type=x&secret=" SECRET_HEX "&public_key=1",
                                    &card),
                         0);
        ck_assert_int_eq(card.type, 0);
}
END_TEST

START_TEST(bad_cards) {
        static const char *const bad[] = {
                        "",
                        "meshcore:/",
                        "meshcore://",
                        "http://contact/add?name=a",
                        "meshcore://zz",
                        "meshcore://110",
                        "meshcore://1100aa",
                        "meshcore://contact/add?",
                        "meshcore://contact/add?name=a&type=1",
                        "meshcore://contact/add?name=a&public_key=00&type=1",
                        "meshcore://contact/add?name=a&public_key=" KEY_HEX,
                        "meshcore://contact/add?name=a&public_key=" KEY_HEX "&type=0",
                        "meshcore://contact/add?name=a&public_key=" KEY_HEX "&type=16",
                        "meshcore://contact/add?name=a&public_key=" KEY_HEX "&type=1x",
                        "meshcore://contact/add?name=a&public_key=" KEY_HEX "&type=1&type=1",
                        "meshcore://contact/add?name=%&public_key=" KEY_HEX "&type=1",
                        "meshcore://contact/add?name=%0&public_key=" KEY_HEX "&type=1",
                        "meshcore://contact/add?name=%zz&public_key=" KEY_HEX "&type=1",
                        "meshcore://contact/add?name=%00&public_key=" KEY_HEX "&type=1",
                        "meshcore://contact/add?name=%0A&public_key=" KEY_HEX "&type=1",
                        "meshcore://contact/add?name=%FF&public_key=" KEY_HEX "&type=1",
                        "meshcore://channel/add?name=a",
                        "meshcore://channel/add?name=a&secret=" SECRET_HEX "00",
        };
        g_autofree char *zeroes = g_strnfill(2000, '0'), *name = g_strnfill(200, 'n');
        g_autofree char *huge = g_strconcat("meshcore://", zeroes, NULL);
        g_autofree char *long_packet = g_strndup(huge, 11 + 2 * (PACKET_SIZE_MAX + 1));
        g_autofree char *long_name =
                        g_strconcat("meshcore://channel/add?name=", name, "&secret=" SECRET_HEX, NULL);
        Card card;

        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                ck_assert_msg(card_parse(bad[i], &card) == -EINVAL, "%s", bad[i]);
        ck_assert_int_eq(card_parse(huge, &card), -EMSGSIZE);
        ck_assert_int_eq(card_parse(long_packet, &card), -EMSGSIZE);
        ck_assert_int_eq(card_parse(long_name, &card), -EMSGSIZE);
}
END_TEST

/* -- answers of other nodes -- */

static int decode_reply(GByteArray *bytes, ReplyKind kind, uint8_t prefix_length, Reply *ret) {
        return reply_decode(data_slice(bytes),
                            &(FrameContext){.request = kind, .prefix_length = prefix_length}, ret);
}

START_TEST(replies) {
        g_autoptr(GByteArray) acl = data_unhex("21995f5c9e120300000000000000000000000000"),
                              neighbours = data_unhex("0900020001020304100000000805060708200000000900"),
                              claimed = data_unhex("09000500010203041000000008"),
                              junk = data_unhex("0102030405");
        Reply reply;

        ck_assert_int_eq(decode_reply(acl, REPLY_ACCESS_LIST, 0, &reply), 0);
        ck_assert_uint_eq(reply.n_entries, 1);
        ck_assert_int_eq(reply.access[0].permissions, 3);

        for (uint8_t length = 0; length <= 4; length += 4) {
                ck_assert_int_eq(decode_reply(neighbours, REPLY_NEIGHBOURS, length, &reply), 0);
                ck_assert_uint_eq(reply.n_entries, 2);
                ck_assert_uint_eq(reply.neighbours_total, 9);
                ck_assert_uint_eq(reply.neighbours[1].secs_ago, 32);
                ck_assert_int_eq(reply.neighbours[1].snr_x4, 9);
                ck_assert_uint_eq(reply.neighbours[1].prefix.size, 4);
        }
        ck_assert_int_eq(decode_reply(neighbours, REPLY_NEIGHBOURS, 33, &reply), -EBADMSG);

        /* fewer than it says */
        ck_assert_int_eq(decode_reply(claimed, REPLY_NEIGHBOURS, 4, &reply), 0);
        ck_assert_uint_eq(reply.neighbours_returned, 5);
        ck_assert_uint_eq(reply.n_entries, 1);

        ck_assert_int_eq(decode_reply(junk, REPLY_ACCESS_LIST, 0, &reply), -EBADMSG);
        ck_assert_int_eq(decode_reply(junk, REPLY_STATUS, 0, &reply), -EBADMSG);
        g_byte_array_set_size(junk, 3);
        ck_assert_int_eq(decode_reply(junk, REPLY_MMA, 0, &reply), -EBADMSG);
        ck_assert_int_eq(decode_reply(junk, REPLY_REGIONS, 0, &reply), -EBADMSG);
        ck_assert_int_eq(decode_reply(junk, REPLY_NEIGHBOURS, 0, &reply), -EBADMSG);
}
END_TEST

/* The sensor's own scale: humidity in tenths, two bytes; voltage without sign. */
START_TEST(min_max_avg) {
        g_autoptr(GByteArray) bytes = data_unhex("80ea8b68"
                                                 "01680064012c00c8"
                                                 "0274fffeffffffff"
                                                 "0000");
        Reply reply;

        ck_assert_int_eq(decode_reply(bytes, REPLY_MMA, 0, &reply), 0);
        ck_assert_uint_eq(reply.server_time, 1754000000);
        ck_assert_uint_eq(reply.n_entries, 2);
        ck_assert_int_eq(reply.series[0].max, 300);
        ck_assert_uint_eq(reply.series[0].scale, 10);
        ck_assert_int_eq(reply.series[1].min, 65534);
        ck_assert_int_eq(reply.lpp_end, LPP_END_PADDING);
        ck_assert_uint_eq(reply.padding, 2);
}
END_TEST

START_TEST(reply_kinds) {
        for (ReplyKind kind = 0; kind < _REPLY_KIND_MAX; kind++)
                ck_assert_int_eq(reply_kind_from_string(reply_kind_to_string(kind)), kind);
        ck_assert_int_eq(reply_kind_from_string("?"), _REPLY_KIND_INVALID);
        ck_assert_ptr_null(reply_kind_to_string(_REPLY_KIND_MAX));
}
END_TEST

START_TEST(custom_vars) {
        Slice list = {(const uint8_t *) "gps:1,a:b:c,bare,,x:", 20}, name, value;

        ck_assert(custom_vars_next(&list, &name, &value));
        ck_assert_mem_eq(name.data, "gps", 3);
        ck_assert_uint_eq(value.size, 1);
        ck_assert(custom_vars_next(&list, &name, &value));
        ck_assert_mem_eq(value.data, "b:c", 3);
        ck_assert(custom_vars_next(&list, &name, &value));
        ck_assert_uint_eq(name.size, 4);
        ck_assert_uint_eq(value.size, 0);
        ck_assert(custom_vars_next(&list, &name, &value));
        ck_assert_uint_eq(name.size, 0);
        ck_assert(custom_vars_next(&list, &name, &value));
        ck_assert_uint_eq(value.size, 0);
        ck_assert(!custom_vars_next(&list, &name, &value));
}
END_TEST

int main(void) {
        const TTest *const tests[] = {
                        every_derived_value,
                        derive_refuses,
                        path_of_old_radios,
                        lpp_types,
                        lpp_ends,
                        status_layouts,
                        packets,
                        packet_limits,
                        packet_addresses,
                        adverts,
                        cards,
                        card_forms,
                        bad_cards,
                        replies,
                        min_max_avg,
                        reply_kinds,
                        custom_vars,
        };

        return suite_run("nested", tests, ELEMENTSOF(tests));
}
