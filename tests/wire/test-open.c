/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What is inside of the packets that real radios heard, and what is left of frames once their secrets are
 * blanked. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "blank.h"
#include "cipher.h"
#include "data.h"
#include "derive.h"
#include "frame.h"
#include "hex.h"
#include "macros.h"
#include "packet.h"
#include "suite.h"

/* -- packets of the recordings -- */

#define SECRETS_MAX 16

typedef struct Heard {
        uint8_t secrets[SECRETS_MAX][SECRET_SIZE];
        size_t n_secrets;
        size_t adverts, texts, data, traces, sealed;
        GHashTable *said; /* "timestamp text" that a radio handed over from a channel */
        GPtrArray *opened;
} Heard;

static void learn_secret(Heard *heard, const uint8_t *secret) {
        for (size_t i = 0; i < heard->n_secrets; i++)
                if (memcmp(heard->secrets[i], secret, SECRET_SIZE) == 0)
                        return;
        ck_assert_uint_lt(heard->n_secrets, SECRETS_MAX);
        memcpy(heard->secrets[heard->n_secrets++], secret, SECRET_SIZE);
}

static bool decode_line(bool from_radio, Slice bytes, Frame *ret) {
        return from_radio && bytes.size > STREAM_HEADER_SIZE &&
               frame_decode(bytes.data + STREAM_HEADER_SIZE, bytes.size - STREAM_HEADER_SIZE, NULL, ret) >= 0;
}

static void learn(const char *file, size_t line, bool from_radio, Slice bytes, const char *note,
                  void *userdata) {
        Heard *heard = userdata;
        Frame frame;

        if (!decode_line(from_radio, bytes, &frame))
                return;
        if (frame.kind == FRAME_CHANNEL_INFO && frame.channel_info.name.size > 0)
                learn_secret(heard, frame.channel_info.secret);
        if (frame.kind == FRAME_CHANNEL_MESSAGE)
                g_hash_table_add(heard->said,
                                 g_strdup_printf("%u %.*s", frame.message.timestamp,
                                                 (int) frame.message.text.size, frame.message.text.data));
}

static void open_channel(Heard *heard, const Packet *packet) {
        ChannelContent content;

        for (size_t i = 0; i < heard->n_secrets; i++) {
                int r = channel_open(packet, heard->secrets[i], &content);

                ck_assert(r == 0 || r == -EKEYREJECTED);
                if (r < 0)
                        continue;
                if (content.is_data)
                        heard->data++;
                else {
                        heard->texts++;
                        ck_assert_uint_eq(content.text_type, TEXT_PLAIN);
                        g_ptr_array_add(heard->opened,
                                        g_strdup_printf("%u %.*s", content.timestamp, (int) content.text.size,
                                                        content.text.data));
                }
                return;
        }
        heard->sealed++;
}

static void hear(const char *file, size_t line, bool from_radio, Slice bytes, const char *note,
                 void *userdata) {
        Heard *heard = userdata;
        const Packet *packet;
        TracePacket trace;
        Advert advert;
        Frame frame;

        if (!decode_line(from_radio, bytes, &frame) || frame.kind != FRAME_RX_LOG)
                return;

        packet = &frame.rx_log.packet;
        if (packet->payload_type == PAYLOAD_ADVERT) {
                ck_assert_int_eq(advert_decode(packet, &advert), 0);
                ck_assert_msg(advert_verify(&advert), "%s:%zu", file, line);
                advert.timestamp++;
                ck_assert(!advert_verify(&advert));
                heard->adverts++;
        } else if (packet->payload_type == PAYLOAD_GRP_TXT || packet->payload_type == PAYLOAD_GRP_DATA)
                open_channel(heard, packet);
        else if (packet->payload_type == PAYLOAD_TRACE) {
                ck_assert_int_eq(trace_packet_decode(packet, &trace), 0);
                ck_assert_uint_gt(trace.hashes.size, 0);
                heard->traces++;
        } else {
                ChannelContent content;

                ck_assert_int_eq(channel_open(packet, public_channel_secret, &content), -EINVAL);
                ck_assert_int_eq(trace_packet_decode(packet, &trace), -EINVAL);
        }
}

START_TEST(recorded_packets) {
        Heard heard = {
                        .said = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
                        .opened = g_ptr_array_new_with_free_func(g_free),
        };
        size_t same = 0;

        learn_secret(&heard, public_channel_secret);
        (void) data_for_each_line(learn, &heard);
        (void) data_for_each_line(hear, &heard);
        for (guint i = 0; i < heard.opened->len; i++)
                same += g_hash_table_contains(heard.said, heard.opened->pdata[i]);

        printf("%zu adverts, %zu texts (%zu of them handed over too), %zu data, %zu traces; %zu sealed\n",
               heard.adverts, heard.texts, same, heard.data, heard.traces, heard.sealed);
        ck_assert_uint_eq(heard.adverts, 36);
        ck_assert_uint_eq(heard.texts, 9);
        ck_assert_uint_eq(heard.data, 1);
        ck_assert_uint_eq(heard.traces, 3);
        /* noise that a recording made on purpose */
        ck_assert_uint_eq(heard.sealed, 19);
        /* the other two are repeats of what this radio itself had said */
        ck_assert_uint_eq(same, 7);
        g_hash_table_unref(heard.said);
        g_ptr_array_unref(heard.opened);
}
END_TEST

/* -- one of them, and what may befall it -- */

/* "bob: …" on the public channel, of python_client_session. */
#define TEXT_HEX "11f5c30be5496611143f7a3437bbbd659014420c9df0d06d6b7060078f025ff69e073b"

static Packet text_packet(const char *path, GByteArray **ret) {
        g_autofree char *digits = g_strconcat("15", path, TEXT_HEX, NULL);
        Packet packet;

        *ret = data_unhex(digits);
        ck_assert_int_eq(packet_decode(data_slice(*ret), &packet), 0);
        return packet;
}

START_TEST(copies) {
        g_autoptr(GByteArray) straight = NULL, around = NULL;
        const Packet a = text_packet("00", &straight), b = text_packet("022c08", &around);
        uint8_t hash_a[PACKET_HASH_SIZE], hash_b[PACKET_HASH_SIZE];

        packet_hash(&a, hash_a);
        packet_hash(&b, hash_b);
        ck_assert_mem_eq(hash_a, hash_b, PACKET_HASH_SIZE);

        ((uint8_t *) b.payload.data)[9] ^= 1;
        packet_hash(&b, hash_b);
        ck_assert_mem_ne(hash_a, hash_b, PACKET_HASH_SIZE);
}
END_TEST

/* Every bit of it is vouched for, as far as two bytes can, and only whole blocks are. */
START_TEST(changed) {
        g_autoptr(GByteArray) bytes = NULL;
        Packet packet = text_packet("00", &bytes);
        uint8_t *payload = (uint8_t *) packet.payload.data, other[SECRET_SIZE];
        const uint8_t before[] = {payload[1], payload[2]};
        uint8_t mac[CIPHER_HMAC_SIZE];
        const size_t size = packet.payload.size;
        ChannelContent content;

        ck_assert_int_eq(channel_open(&packet, public_channel_secret, &content), 0);
        for (size_t i = 0; i < size * 8; i++) {
                payload[i / 8] ^= (uint8_t) (1 << i % 8);
                ck_assert_int_eq(channel_open(&packet, public_channel_secret, &content), -EKEYREJECTED);
                payload[i / 8] ^= (uint8_t) (1 << i % 8);
        }
        for (packet.payload.size = 3; packet.payload.size < size; packet.payload.size++)
                ck_assert_int_eq(channel_open(&packet, public_channel_secret, &content), -EKEYREJECTED);
        packet.payload.size = 2;
        ck_assert_int_eq(channel_open(&packet, public_channel_secret, &content), -EBADMSG);

        /* Whoever knows the secret may vouch for half a block: there is nothing to decrypt. */
        packet.payload.size = 3 + 17;
        cipher_hmac((Slice){public_channel_secret, SECRET_SIZE}, (Slice){payload + 3, 17}, mac);
        memcpy(payload + 1, mac, 2);
        ck_assert_int_eq(channel_open(&packet, public_channel_secret, &content), -EKEYREJECTED);

        memcpy(payload + 1, before, 2);
        packet.payload.size = size;
        memcpy(other, public_channel_secret, sizeof(other));
        other[15] ^= 1;
        ck_assert_int_eq(channel_open(&packet, other, &content), -EKEYREJECTED);
        ck_assert_int_eq(channel_open(&packet, public_channel_secret, &content), 0);
}
END_TEST

/* RFC 4231 case 2, FIPS 197 appendix C.1, RFC 8032 test 2. */
START_TEST(ciphers) {
        g_autoptr(GByteArray) key = data_unhex("000102030405060708090a0b0c0d0e0f");
        g_autoptr(GByteArray) sealed = data_unhex("69c4e0d86a7b0430d8cdb78070b4c55a");
        g_autoptr(GByteArray) owner =
                        data_unhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
        g_autoptr(GByteArray) signature =
                        data_unhex("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
                                   "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");
        uint8_t plain[16], hmac[CIPHER_HMAC_SIZE];
        g_autofree char *plain_digits = NULL, *hmac_digits = NULL;

        cipher_aes_decrypt(key->data, data_slice(sealed), plain);
        plain_digits = hex_dup(plain, sizeof(plain));
        ck_assert_str_eq(plain_digits, "00112233445566778899aabbccddeeff");

        cipher_hmac((Slice){(const uint8_t *) "Jefe", 4},
                    (Slice){(const uint8_t *) "what do ya want for nothing?", 28}, hmac);
        hmac_digits = hex_dup(hmac, sizeof(hmac));
        ck_assert_str_eq(hmac_digits, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");

        ck_assert(cipher_ed25519_verify(owner->data, (Slice){(const uint8_t *) "\x72", 1}, signature->data));
        signature->data[63] ^= 0x20;
        ck_assert(!cipher_ed25519_verify(owner->data, (Slice){(const uint8_t *) "\x72", 1}, signature->data));
        signature->data[63] ^= 0x20;
        ck_assert(!cipher_ed25519_verify(owner->data, (Slice){(const uint8_t *) "\x73", 1}, signature->data));
        memset(owner->data, 0xFF, 32);
        ck_assert(!cipher_ed25519_verify(owner->data, (Slice){(const uint8_t *) "\x72", 1}, signature->data));
}
END_TEST

/* -- secrets -- */

/* For every code of both sides: which bytes of a frame of 0x55 are not told. */
START_TEST(blanked_bytes) {
        static const struct {
                bool command;
                uint8_t code;
                size_t size, from, to; /* from == to: nothing */
        } cases[] = {
                        {true, 13, 33, 0, 0},   {false, 13, 82, 4, 8}, {true, 14, 9, 0, 0},
                        {false, 14, 65, 1, 65}, {true, 18, 120, 0, 0}, {false, 18, 50, 34, 50},
                        {true, 24, 65, 1, 65},  {false, 24, 30, 0, 0}, {true, 26, 48, 33, 48},
                        {false, 26, 25, 0, 0},  {true, 28, 33, 0, 0},  {false, 28, 48, 32, 48},
                        {true, 32, 50, 34, 50}, {false, 32, 50, 0, 0}, {true, 37, 5, 1, 5},
                        {false, 37, 5, 0, 0},   {true, 54, 18, 2, 18}, {false, 54, 18, 0, 0},
                        {true, 63, 48, 32, 48}, {false, 63, 48, 0, 0}, {true, 32, 66, 34, 66},
                        {true, 26, 33, 0, 0},   {true, 54, 2, 0, 0},   {true, 63, 1, 0, 0},
                        {false, 28, 1, 0, 0},   {false, 13, 6, 4, 6},  {false, 13, 4, 0, 0},
                        {false, 14, 2, 1, 2},
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                uint8_t frame[176];

                memset(frame, 0x55, sizeof(frame));
                frame[0] = cases[i].code;
                ck_assert_msg(frame_blank(frame, cases[i].size, cases[i].command) ==
                                              (cases[i].from < cases[i].to),
                              "case %zu", i);
                for (size_t k = 0; k < sizeof(frame); k++) {
                        bool blank = k >= cases[i].from && k < cases[i].to;

                        ck_assert_msg(frame[k] == (k == 0  ? cases[i].code
                                                   : blank ? 0
                                                           : 0x55),
                                      "case %zu, byte %zu is %02x", i, k, frame[k]);
                }
        }
}
END_TEST

/* Passwords are set by command lines: their text is not told, in either direction. */
START_TEST(command_lines) {
        static const struct {
                bool command;
                uint8_t code, type, text;
        } cases[] = {{true, 2, 1, 13}, {false, 7, 8, 13}, {false, 16, 11, 16}};

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                for (uint8_t type = 0; type < 3; type++) {
                        uint8_t frame[40];

                        memset(frame, 'x', sizeof(frame));
                        frame[0] = cases[i].code;
                        frame[cases[i].type] = type;
                        ck_assert(frame_blank(frame, sizeof(frame), cases[i].command) == (type == 1));
                        for (size_t k = cases[i].text; k < sizeof(frame); k++)
                                ck_assert_uint_eq(frame[k], type == 1 ? '*' : 'x');
                        ck_assert_uint_eq(frame[cases[i].text - 1],
                                          cases[i].text - 1 == cases[i].type ? type : 'x');
                }
}
END_TEST

typedef struct Blanked {
        size_t changed, same;
} Blanked;

/* Whatever a recording's frame decodes to, it still does. */
static void blank_line(const char *file, size_t line, bool from_radio, Slice bytes, const char *note,
                       void *userdata) {
        Blanked *blanked = userdata;
        uint8_t copy[512];
        size_t size;
        Frame frame;

        if (!decode_line(from_radio, bytes, &frame))
                return;
        size = bytes.size - STREAM_HEADER_SIZE;
        memcpy(copy, bytes.data + STREAM_HEADER_SIZE, size);
        if (!frame_blank(copy, size, false)) {
                ck_assert_mem_eq(copy, bytes.data + STREAM_HEADER_SIZE, size);
                blanked->same++;
                return;
        }

        blanked->changed++;
        ck_assert_int_eq(frame_decode(copy, size, NULL, &frame), 0);
        if (frame.kind == FRAME_CHANNEL_INFO) {
                static const uint8_t none[SECRET_SIZE];

                ck_assert_mem_eq(frame.channel_info.secret, none, SECRET_SIZE);
        } else if (frame.kind == FRAME_DEVICE_INFO)
                ck_assert_uint_eq(frame.device_info.ble_pin, 0);
        else
                ck_assert_msg(frame.kind == FRAME_PRIVATE_KEY || frame.kind == FRAME_DEFAULT_SCOPE ||
                                              frame.kind == FRAME_CONTACT_MESSAGE,
                              "%s:%zu", file, line);
}

START_TEST(recorded_secrets) {
        Blanked blanked = {};

        (void) data_for_each_line(blank_line, &blanked);
        printf("%zu frames of radios with secrets, %zu without\n", blanked.changed, blanked.same);
        ck_assert_uint_gt(blanked.changed, 50);
        ck_assert_uint_gt(blanked.same, blanked.changed);
}
END_TEST

int main(void) {
        const TTest *const tests[] = {recorded_packets, copies,        changed,         ciphers,
                                      blanked_bytes,    command_lines, recorded_secrets};

        return suite_run("open", tests, ELEMENTSOF(tests));
}
