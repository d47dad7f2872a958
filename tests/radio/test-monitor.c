/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Who looks on: the packet log, the frames, and our own texts that come back. */

#include <string.h>

#include "air-packet.h"
#include "hex.h"
#include "macros.h"
#include "monitor-api.h"
#include "radio-fixture.h"
#include "settings-api.h"

static Fixture f;
static GPtrArray *records;

static void setup(void) {
        fixture_setup(&f, 1);
        records = g_ptr_array_new_with_free_func(g_free);
}

static void teardown(void) {
        g_ptr_array_unref(records);
        fixture_teardown(&f);
}

static void on_record(Radio *radio, const GString *record, void *userdata) {
        ck_assert_ptr_eq(userdata, &f);
        g_ptr_array_add(records, g_strdup(record->str));
}

static void push_hex(const char *digits) {
        uint8_t frame[FRAME_SIZE_MAX];
        int n = hex_decode(digits, strlen(digits), frame, sizeof(frame));

        ck_assert_int_gt(n, 0);
        peer_push(f.peer, frame, (size_t) n);
}

/* The record of what was pushed, without its time. */
static const char *record_of(const char *digits) {
        const char *record;

        g_ptr_array_set_size(records, 0);
        push_hex(digits);
        fixture_settle(&f);
        ck_assert_uint_eq(records->len, 1);
        record = records->pdata[0];
        ck_assert(g_str_has_prefix(record, "{\"TimeUSec\":"));
        ck_assert_uint_lt(strlen(record), 4000);
        return strchr(record, ',') + 1;
}

/* -- the packet log ------------------------------------------------------------ */

#define ADVERT_PAYLOAD                                                                                     \
        "3cc7e5216f5a52124ddb112928a10835e4666fb49f02bf6a25b816ee14f946555f6d006ba84d48d8ccb809bbabb64bc3" \
        "109ba67db477c837fefdf8361385fb2609b31a490d33845f33a5b8f4e0d21320df45f4ae5edb7c1d34dd9364e80e3806" \
        "61df630f92000000000000000051206f6e65"
#define ADVERT_KEY   "3cc7e5216f5a52124ddb112928a10835e4666fb49f02bf6a25b816ee14f94655"
#define TEXT_PAYLOAD "11f5c30be5496611143f7a3437bbbd659014420c9df0d06d6b7060078f025ff69e073b"

START_TEST(packets) {
        static const struct {
                const char *frame, *record;
        } cases[] = {
                        /* of the recordings */
                        {"882ec21200" ADVERT_PAYLOAD,
                         "\"Snr\":11.5,\"Rssi\":-62,\"Packet\":\"1200" ADVERT_PAYLOAD
                         "\",\"Route\":\"direct\","
                         "\"Type\":\"advert\",\"Hash\":\"HASH\",\"Path\":[],\"Payload\":\"" ADVERT_PAYLOAD
                         "\","
                         "\"Advert\":{\"Key\":\"" ADVERT_KEY "\",\"Verified\":true,\"Type\":\"repeater\","
                         "\"TimestampUSec\":1795190111000000,\"Name\":\"Q one\",\"Location\":[0,0]}"},
                        {"882ec215022c08" TEXT_PAYLOAD,
                         "\"Snr\":11.5,\"Rssi\":-62,\"Packet\":\"15022c08" TEXT_PAYLOAD
                         "\",\"Route\":\"flood\","
                         "\"Type\":\"channel-text\",\"Hash\":\"HASH\",\"Path\":[\"2c\",\"08\"],"
                         "\"Payload\":\"" TEXT_PAYLOAD "\",\"ChannelHash\":\"11\","
                         "\"Channel\":{\"Slot\":0,\"Name\":\"Public\",TEXT}"},
                        {"8818b90e00c05a879c003d",
                         "\"Snr\":6,\"Rssi\":-71,\"Packet\":\"0e00c05a879c003d\",\"Route\":\"direct\","
                         "\"Type\":\"ack\",\"Hash\":\"HASH\",\"Path\":[],\"Payload\":\"c05a879c003d\","
                         "\"Ack\":\"c05a879c\""},
                        {"8820c2010108b41b98e97bf4a2c393384e3a605dfc10db724f08",
                         "\"Snr\":8,\"Rssi\":-62,\"Packet\":"
                         "\"010108b41b98e97bf4a2c393384e3a605dfc10db724f08\","
                         "\"Route\":\"flood\",\"Type\":\"request\",\"Hash\":\"HASH\",\"Path\":[\"08\"],"
                         "\"Payload\":\"b41b98e97bf4a2c393384e3a605dfc10db724f08\",\"Destination\":\"b4\","
                         "\"Source\":\"1b\""},
                        {"8820c22601204d000000000000000008",
                         "\"Snr\":8,\"Rssi\":-62,\"Packet\":\"2601204d000000000000000008\",\"Route\":"
                         "\"direct\","
                         "\"Type\":\"trace\",\"Hash\":\"HASH\",\"Payload\":\"4d000000000000000008\","
                         "\"Trace\":{\"Tag\":77,\"Path\":[\"08\"],\"Snrs\":[8]}"},
                        /* a channel that the radio does not know; codes; two bytes a hop; an anonymous one */
                        {"88fcc21500d9903942a20b6534e81da3c3e9ca94552e6419",
                         "\"Snr\":-1,\"Rssi\":-62,\"Packet\":\"1500d9903942a20b6534e81da3c3e9ca94552e6419\","
                         "\"Route\":\"flood\",\"Type\":\"channel-text\",\"Hash\":\"HASH\",\"Path\":[],"
                         "\"Payload\":\"d9903942a20b6534e81da3c3e9ca94552e6419\",\"ChannelHash\":\"d9\""},
                        {"8800002c010002ff4201020304aa",
                         "\"Snr\":0,\"Rssi\":0,\"Packet\":\"2c010002ff4201020304aa\",\"Route\":\"transport-"
                         "flood\","
                         "\"Type\":\"control\",\"Hash\":\"HASH\",\"TransportCodes\":[1,65282],"
                         "\"Path\":[\"0102\",\"0304\"],\"Payload\":\"aa\""},
                        /* no packet of ours, and one whose text is cut */
                        {"88000055", "\"Snr\":0,\"Rssi\":0,\"Packet\":\"55\""},
                        {"880000110000",
                         "\"Snr\":0,\"Rssi\":0,\"Packet\":\"110000\",\"Route\":\"flood\","
                         "\"Type\":\"advert\",\"Hash\":\"HASH\",\"Path\":[],\"Payload\":\"00\""},
        };

        radio_watch_packets(f.radio, on_record, &f);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                g_autoptr(GString) got = g_string_new(record_of(cases[i].frame));
                char *hash = strstr(got->str, "\"Hash\":\""),
                     *text = strstr(got->str, "\"TimestampUSec\":18");

                /* Their values have tests of their own. */
                if (hash)
                        memcpy(g_string_erase(got, hash - got->str + 8, 12)->str + (hash - got->str) + 8,
                               "HASH", 4);
                text = strstr(got->str, "\"TextType\":0");
                if (text) {
                        ck_assert_ptr_nonnull(strstr(text, "\"Author\":\""));
                        ck_assert_ptr_nonnull(strstr(text, "\"Text\":\""));
                        text = strstr(got->str, "\"TimestampUSec\"");
                        g_string_truncate(got, (gsize) (text - got->str));
                        g_string_append(got, "TEXT}");
                }
                ck_assert_str_eq(got->str, cases[i].record);
        }

        radio_watch_packets(f.radio, NULL, NULL);
        g_ptr_array_set_size(records, 0);
        push_hex(cases[0].frame);
        fixture_settle(&f);
        ck_assert_uint_eq(records->len, 0);
}
END_TEST

/* A signature that does not fit, a name that would clear the screen. */
START_TEST(hostile_packets) {
        char frame[] = "882ec21200" ADVERT_PAYLOAD;
        const char *record;

        radio_watch_packets(f.radio, on_record, &f);
        memcpy(frame + sizeof(frame) - 11, "1b5b324aff", 10);
        record = record_of(frame);
        ck_assert_ptr_nonnull(strstr(record, "\"Verified\":false"));
        ck_assert_ptr_nonnull(strstr(record, "\"Name\":\"\\u001b[2J\xef\xbf\xbd\""));
}
END_TEST

/* -- frames -------------------------------------------------------------------- */

START_TEST(frames) {
        const uint32_t pin = 123456;
        unsigned first;

        radio_watch_frames(f.radio, on_record, &f);
        radio_set_device_pin(f.radio, pin, on_done, &f);
        fixture_await(&f, OUTCOME_OK);
        ck_assert_uint_eq(records->len, 2);
        ck_assert_ptr_nonnull(
                        strstr(records->pdata[0],
                               ",\"Direction\":\"app>radio\",\"Connection\":1,\"Name\":\"SET_DEVICE_PIN\","
                               "\"Blanked\":true,\"Frame\":\"2500000000\""));
        ck_assert_ptr_nonnull(strstr(records->pdata[1], ",\"Direction\":\"radio>app\",\"Connection\":1,"
                                                        "\"Name\":\"OK\",\"Frame\":\"00\""));
        /* The radio got what was meant. */
        ck_assert_uint_eq(peer_command(f.peer, CMD_SET_DEVICE_PIN, 0)[1], pin & 0xFF);

        /* The next connection is told apart, and seen from its first frame. */
        g_ptr_array_set_size(records, 0);
        peer_drop(f.peer);
        fixture_until(&f, radio_state(f.radio) != RADIO_READY);
        fixture_until(&f, radio_state(f.radio) == RADIO_READY);
        ck_assert_uint_gt(records->len, 6);
        ck_assert_ptr_nonnull(strstr(records->pdata[0], "\"Connection\":2,\"Name\":\"DEVICE_QUERY\""));
        for (guint i = 0; i < records->len; i++)
                ck_assert_ptr_null(strstr(records->pdata[i], "8b3387e9c5cdea6ac9e5edbaa115cd72"));

        /* What nobody knows is shown too. */
        fixture_settle(&f);
        first = records->len;
        push_hex("f0010203");
        fixture_settle(&f);
        ck_assert_uint_eq(records->len, first + 1);
        ck_assert_ptr_nonnull(strstr(records->pdata[first], "\"Connection\":2,\"Frame\":\"f0010203\""));

        radio_watch_frames(f.radio, NULL, NULL);
        push_hex("f0010203");
        fixture_settle(&f);
        ck_assert_uint_eq(records->len, first + 1);
}
END_TEST

static void on_unknown(Radio *radio, uint8_t code, Slice rest, void *userdata) {
        g_autofree char *digits = hex_dup(rest.data, rest.size);

        g_ptr_array_add(records, g_strdup_printf("%u:%s", code, digits));
}

START_TEST(unknown_frames) {
        static const RadioObserver observer = {.unknown_frame = on_unknown};

        manager_set_observer(f.manager, &observer, NULL);
        push_hex("f0010203");
        push_hex("60aa");
        fixture_settle(&f);
        ck_assert_uint_eq(records->len, 2);
        ck_assert_str_eq(records->pdata[0], "240:010203");
        ck_assert_str_eq(records->pdata[1], "96:aa");
        manager_set_observer(f.manager, NULL, NULL);
}
END_TEST

/* -- repeats ------------------------------------------------------------------- */

/* What the radio made of the n-th channel text, as somebody passes it on; with another author or time. */
static void push_repeat(unsigned n, const char *path, const char *author, int later) {
        const uint8_t *command = peer_command(f.peer, CMD_SEND_CHANNEL_TXT_MSG, n);
        const Channel *channel = identity_get_slot(radio_identity(f.radio), command[2]);
        uint8_t frame[FRAME_SIZE_MAX] = {PUSH_LOG_RX_DATA, 20, 0xC0, 0x15}, secret[SIM_SECRET_SIZE] = {};
        uint8_t plain[200] = {};
        size_t size = 4;
        int k;

        /* time; type and attempt; the name before the text */
        memcpy(plain, command + 3, 4);
        plain[0] = (uint8_t) (plain[0] + later);
        k = snprintf((char *) plain + 5, sizeof(plain) - 5, "%s: %.*s", author,
                     (int) (g_bytes_get_size(f.peer->commands->pdata[0]) - 7), (const char *) command + 7);

        size += (size_t) hex_decode(path, strlen(path), frame + size, sizeof(frame) - size);
        memcpy(secret, channel->secret, sizeof(channel->secret));
        frame[size++] = sim_channel_hash(secret);
        size += sim_encrypt(secret, (Slice){plain, 5 + (size_t) k}, frame + size);
        peer_push(f.peer, frame, size);
        fixture_settle(&f);
}

static char *repeats_of(uint64_t id) {
        g_autoptr(Message) m = fixture_message(&f, id);
        GString *text = g_string_new(NULL);
        MessageRepeat repeat;
        size_t offset = 0;

        while (message_next_repeat(m, &offset, &repeat)) {
                g_autofree char *digits = hex_dup(repeat.hashes, repeat.n_hops * repeat.hash_size);

                g_string_append_printf(text, "%zux%zu:%s ", repeat.n_hops, repeat.hash_size, digits);
        }
        return g_string_free(text, FALSE);
}

static void assert_repeats(uint64_t id, const char *want) {
        g_autofree char *got = repeats_of(id);

        ck_assert_str_eq(got, want);
}

START_TEST(repeats) {
        uint64_t id = fixture_send_channel(&f, 0, "who hears me");

        fixture_until(&f, fixture_state(&f, id) == MESSAGE_SENT);
        assert_repeats(id, "");

        /* not passed on, somebody else's, of another second */
        push_repeat(0, "00", "Own", 0);
        push_repeat(0, "01a1", "Owner", 0);
        push_repeat(0, "01a1", "Own", 1);
        assert_repeats(id, "");
        ck_assert(!identity_needs_flush(radio_identity(f.radio)));

        push_repeat(0, "01a1", "Own", 0);
        push_repeat(0, "01a1", "Own", 0);
        push_repeat(0, "02a1b2", "Own", 0);
        push_repeat(0, "41a1b2", "Own", 0);
        assert_repeats(id, "1x1:a1 2x1:a1b2 1x2:a1b2 ");

        /* Only in memory so far, which is enough for a reader. */
        ck_assert(identity_needs_flush(radio_identity(f.radio)));
        ck_assert_int_ge(identity_flush(radio_identity(f.radio)), 0);
        ck_assert(!identity_needs_flush(radio_identity(f.radio)));
        assert_repeats(id, "1x1:a1 2x1:a1b2 1x2:a1b2 ");

        push_repeat(0, "01c3", "Own", 0);
        fixture_restart(&f);
        fixture_until(&f, radio_state(f.radio) == RADIO_READY);
        assert_repeats(id, "1x1:a1 2x1:a1b2 1x2:a1b2 1x1:c3 ");
}
END_TEST

START_TEST(too_many_repeats) {
        uint64_t id = fixture_send_channel(&f, 0, "who hears me");
        g_autofree char *text = NULL;

        fixture_until(&f, fixture_state(&f, id) == MESSAGE_SENT);
        for (unsigned i = 0; i < MESSAGE_REPEATS_MAX + 5; i++) {
                g_autofree char *path = g_strdup_printf("01%02x", i);

                push_repeat(0, path, "Own", 0);
        }
        text = repeats_of(id);
        ck_assert_uint_eq(strlen(text), MESSAGE_REPEATS_MAX * strlen("1x1:00 "));
}
END_TEST

/* Nobody answered, but somebody passed it on: so it went on air. */
START_TEST(repeat_makes_certain) {
        g_autoptr(Message) before = NULL, still = NULL, after = NULL;
        uint64_t id;

        f.peer->mute[CMD_SEND_CHANNEL_TXT_MSG] = true;
        id = fixture_send_channel(&f, 0, "hello all");
        fixture_until(&f, peer_count(f.peer, CMD_SEND_CHANNEL_TXT_MSG) == 1);
        peer_drop(f.peer);
        fixture_until(&f, fixture_state(&f, id) == MESSAGE_SENT);
        before = fixture_message(&f, id);
        ck_assert(before->uncertain);

        fixture_until(&f, radio_state(f.radio) == RADIO_READY);
        fixture_settle(&f);
        /* what nobody has passed on proves nothing */
        push_repeat(0, "00", "Own", 0);
        still = fixture_message(&f, id);
        ck_assert(still->uncertain);
        push_repeat(0, "01a1", "Own", 0);
        after = fixture_message(&f, id);
        ck_assert(!after->uncertain);
        assert_repeats(id, "1x1:a1 ");
}
END_TEST

int main(void) {
        Suite *suite = suite_create("radio-monitor");
        TCase *tcase = tcase_create("all");

        tcase_add_checked_fixture(tcase, setup, teardown);
        tcase_add_test(tcase, packets);
        tcase_add_test(tcase, hostile_packets);
        tcase_add_test(tcase, frames);
        tcase_add_test(tcase, unknown_frames);
        tcase_add_test(tcase, repeats);
        tcase_add_test(tcase, too_many_repeats);
        tcase_add_test(tcase, repeat_makes_certain);
        suite_add_tcase(suite, tcase);
        return fixture_run(suite);
}
