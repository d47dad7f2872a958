/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "hex.h"
#include "macros.h"
#include "rig.h"

#define NEWEST ENGINE_FIRMWARE_1_17_1

static void queue(Rig *rig, const char *hex) {
        uint8_t frame[FRAME_SIZE_MAX];
        int n = hex_decode(hex, strlen(hex), frame, sizeof(frame));

        engine_queue_frame(rig->engine, frame, (size_t) n);
}

START_TEST(queue_evicts_channel_texts) {
        g_autoptr(Rig) rig = rig_new(NEWEST, 3, 10);

        queue(rig, "1001");
        queue(rig, "1102");
        queue(rig, "1003");
        ck_assert_str_eq(rig_frame(rig, 2), "83");
        queue(rig, "1004"); /* in place of the channel text */
        queue(rig, "1105"); /* nothing can go: refused, announced all the same */
        ck_assert_str_eq(rig_frame(rig, 4), "83");
        ck_assert_uint_eq(engine_counters(rig->engine)->evicted, 1);
        ck_assert_uint_eq(engine_counters(rig->engine)->refused, 1);

        ck_assert_int_eq(rig_command(rig, "0a"), 0x10);
        ck_assert_str_eq(rig_frame(rig, 0), "1001");
        (void) rig_command(rig, "0a");
        ck_assert_str_eq(rig_frame(rig, 0), "1003");
        (void) rig_command(rig, "0a");
        ck_assert_str_eq(rig_frame(rig, 0), "1004");
        ck_assert_int_eq(rig_command(rig, "0a"), RESP_NO_MORE_MESSAGES);
}
END_TEST

START_TEST(queue_of_old_firmware_refuses) {
        g_autoptr(Rig) rig = rig_new(ENGINE_FIRMWARE_1_7_4, 2, 10);

        queue(rig, "0801");
        queue(rig, "0802");
        queue(rig, "0703");
        ck_assert_uint_eq(engine_counters(rig->engine)->refused, 1);
        (void) rig_command(rig, "0a");
        ck_assert_str_eq(rig_frame(rig, 0), "0801");
}
END_TEST

/* 7.4: the ninth message takes the place of the first. */
START_TEST(eight_acknowledgements) {
        g_autoptr(Rig) rig = rig_new(NEWEST, 16, 10);
        SimIdentity bob = rig_add_contact(rig, "bob", 0);
        uint32_t acks[9];

        for (uint32_t i = 0; i < ELEMENTSOF(acks); i++) {
                g_autofree char *command = rig_text_command(&bob, 1700000000 + i, "x");
                uint8_t frame[16];

                ck_assert_int_eq(rig_command(rig, command), RESP_SENT);
                (void) hex_decode(rig_frame(rig, 0), 20, frame, sizeof(frame));
                ck_assert_uint_eq(frame[1], 0);
                memcpy(&acks[i], frame + 2, 4);
        }

        for (size_t i = 0; i < ELEMENTSOF(acks); i++) {
                uint8_t raw[6] = {PAYLOAD_ACK << 2 | ROUTE_DIRECT};

                memcpy(raw + 2, &acks[i], 4);
                g_ptr_array_set_size(rig->frames, 0);
                engine_receive(rig->engine, raw, sizeof(raw), 20, -80);
                /* the first is the log of the packet */
                ck_assert_uint_eq(rig->frames->len, i == 0 ? 1 : 2);
        }

        /* once only */
        g_ptr_array_set_size(rig->frames, 0);
        ck_assert_uint_eq(rig->frames->len, 0);
}
END_TEST

START_TEST(a_request_forgets_the_one_before) {
        g_autoptr(Rig) rig = rig_new(NEWEST, 16, 10);
        SimIdentity bob = rig_add_contact(rig, "bob", 0);
        KeyText key = key_to_text(&bob.key);
        uint8_t first[16], secret[SIM_SECRET_SIZE], plain[16] = {}, raw[PACKET_SIZE_MAX];
        g_autofree char *command = g_strdup_printf("32%s01", key.text);
        AirPacket packet;

        ck_assert_int_eq(rig_command(rig, command), RESP_SENT);
        (void) hex_decode(rig_frame(rig, 0), 20, first, sizeof(first));
        ck_assert_int_eq(rig_command(rig, command), RESP_SENT);

        /* the answer to the first, which nobody waits for any more */
        memcpy(plain, first + 2, 4);
        sim_shared_secret(&bob, &engine_identity(rig->engine)->key, secret);
        ck_assert_int_eq(air_make_datagram(&packet, PAYLOAD_RESPONSE,
                                           engine_identity(rig->engine)->key.bytes[0], bob.key.bytes[0],
                                           secret, (Slice){plain, sizeof(plain)}),
                         0);
        air_set_route(&packet, ROUTE_DIRECT);
        g_ptr_array_set_size(rig->frames, 0);
        engine_receive(rig->engine, raw, air_format(&packet, raw), 20, -80);
        ck_assert_uint_eq(rig->frames->len, 1);

        /* and that to the second, with the next tag */
        plain[0]++;
        ck_assert_int_eq(air_make_datagram(&packet, PAYLOAD_RESPONSE,
                                           engine_identity(rig->engine)->key.bytes[0], bob.key.bytes[0],
                                           secret, (Slice){plain, sizeof(plain)}),
                         0);
        air_set_route(&packet, ROUTE_DIRECT);
        g_ptr_array_set_size(rig->frames, 0);
        engine_receive(rig->engine, raw, air_format(&packet, raw), 20, -80);
        ck_assert_uint_eq(rig->frames->len, 2);
        ck_assert(g_str_has_prefix(rig_frame(rig, 1), "8c00"));
}
END_TEST

START_TEST(pool_of_sixteen) {
        g_autoptr(Rig) rig = rig_new(NEWEST, 16, 10);

        for (unsigned i = 0; i < 16; i++)
                ck_assert_int_eq(rig_command(rig, "07"), RESP_OK);
        ck_assert_int_eq(rig_error(rig, "07"), ERR_TABLE_FULL);
        /* all leave the antenna in time, one after the other */
        engine_advance(rig->engine, 60000);
        ck_assert_uint_eq(rig->packets->len, 16);
        ck_assert_uint_eq(engine_next_time(rig->engine), ENGINE_TIME_NEVER);
        ck_assert_int_eq(rig_command(rig, "07"), RESP_OK);
}
END_TEST

START_TEST(short_frames_read_what_was_there) {
        g_autoptr(Rig) rig = rig_new(NEWEST, 16, 10);

        /* 3.1: 51 without its guard word, behind a frame that had it */
        ck_assert_int_eq(rig_error(rig, "637265736574"), ERR_UNSUPPORTED_CMD);
        ck_assert_int_eq(rig_command(rig, "33"), -1);
        ck_assert_uint_eq(rig->restarts, 1);
        /* memory is clean after the restart */
        ck_assert_int_eq(rig_error(rig, "33"), ERR_UNSUPPORTED_CMD);
}
END_TEST

START_TEST(contacts_full) {
        g_autoptr(Rig) rig = rig_new(NEWEST, 16, 2);
        g_autofree char *add = NULL, *zeroes = g_strnfill(2 * 111, '0');

        (void) rig_add_contact(rig, "a", 0);
        (void) rig_add_contact(rig, "b", 0);
        add = g_strdup_printf("09%064d01%s", 42, zeroes);
        ck_assert_int_eq(rig_error(rig, add), ERR_TABLE_FULL);
        /* auto-add bit 0 allows the oldest to go, and says which */
        ck_assert_int_eq(rig_command(rig, "3a01"), RESP_OK);
        ck_assert_int_eq(rig_command(rig, add), PUSH_CONTACT_DELETED);
        ck_assert_str_eq(rig_frame(rig, 1), "00");
        ck_assert_uint_eq(engine_n_contacts(rig->engine), 2);
}
END_TEST

START_TEST(clock_goes_on) {
        g_autoptr(Rig) rig = rig_new(NEWEST, 16, 2);

        engine_advance(rig->engine, 5000);
        ck_assert_int_eq(rig_command(rig, "05"), RESP_CURR_TIME);
        ck_assert_str_eq(rig_frame(rig, 0), "0905f15365");
        ck_assert_int_eq(rig_error(rig, "0604f15365"), ERR_ILLEGAL_ARG);
        ck_assert_int_eq(rig_command(rig, "0605f15365"), RESP_OK);
}
END_TEST

START_TEST(levels) {
        static const struct {
                EngineFirmware firmware;
                uint8_t level;
                size_t info;
                const char *unknown; /* a command that comes later */
        } cases[] = {
                        {ENGINE_FIRMWARE_1_7_4, 7, 80,
                         "34000000000000000000000000000000000000000000000000000000"
                         "00000000000000000000"},
                        {ENGINE_FIRMWARE_1_9_0, 7, 80, "3800"},
                        {ENGINE_FIRMWARE_1_14_1, 10, 82, "40"},
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                g_autoptr(Rig) rig = rig_new(cases[i].firmware, 16, 10);
                uint8_t frame[FRAME_SIZE_MAX];

                ck_assert_int_eq(rig_command(rig, "1603"), RESP_DEVICE_INFO);
                ck_assert_uint_eq(strlen(rig_frame(rig, 0)), 2 * cases[i].info);
                (void) hex_decode(rig_frame(rig, 0), 4, frame, sizeof(frame));
                ck_assert_uint_eq(frame[1], cases[i].level);
                ck_assert_int_eq(rig_error(rig, cases[i].unknown), ERR_UNSUPPORTED_CMD);
        }
}
END_TEST

/* The firmware's signatures are those of everybody else. */
START_TEST(signatures) {
        SimIdentity identity = sim_identity_from_text("signer"), again;
        const Slice message = {(const uint8_t *) "message", 7};
        uint8_t signature[SIGNATURE_SIZE];

        sim_crypto_init();
        sim_sign(&identity, message, signature);
        ck_assert(sim_verify(&identity.key, message, signature));
        ck_assert(!sim_verify(&identity.key, (Slice){message.data, 6}, signature));
        ck_assert_int_eq(sim_identity_from_private(identity.private_key, true, &again), 0);
        ck_assert(key_equal(&identity.key, &again.key));
}
END_TEST

static void add_quietly(Rig *rig, const char *name) {
        EngineContact contact = {.type = NODE_CHAT, .out_path_len = name[0] % 2 ? 0 : PATH_LEN_NONE};

        memset(contact.key.bytes, name[0], sizeof(contact.key.bytes));
        (void) engine_put_contact(rig->engine, &contact);
}

/* Whatever comes in by the port or by the air, nothing is read or written
 * beyond its place; what it answers is not the point here. */
START_TEST(survives_anything) {
        g_autoptr(Rig) rig = rig_new((EngineFirmware) _i, 8, 6);
        SimRandom random = {.state = 4711};
        uint8_t data[PACKET_SIZE_MAX];
        const unsigned rounds = 20000;
        uint64_t total = 0, sent = 0;

        for (unsigned i = 0; i < rounds; i++) {
                char name[] = {(char) ('a' + i % 6), 0};
                size_t size = 1 + sim_random_below(&random, i % 3 == 0 ? 12 : FRAME_SIZE_MAX);
                const EngineContact *contact;

                if (engine_n_contacts(rig->engine) < 6)
                        add_quietly(rig, name);
                contact = engine_contact_at(rig->engine, sim_random_below(&random, 6));

                sim_random_bytes(&random, data, sizeof(data));
                data[0] = (uint8_t) sim_random_below(&random, _CMD_MAX + 3U);
                /* this one would end all sending for hours */
                if (data[0] == CMD_SET_TUNING_PARAMS)
                        data[0] = CMD_SEND_TXT_MSG;
                if (contact && i % 2 == 0)
                        memcpy(data + 1 + sim_random_below(&random, 8), contact->key.bytes, PUBLIC_KEY_SIZE);
                engine_command(rig->engine, data, size);

                sim_random_bytes(&random, data, sizeof(data));
                data[0] &= 0x3F;
                data[1] &= i % 2 ? 0x00 : 0x43;
                if (i % 4 == 0)
                        data[2] = engine_identity(rig->engine)->key.bytes[0];
                engine_receive(rig->engine, data, 1 + sim_random_below(&random, PACKET_SIZE_MAX), 10, -90);

                while (engine_step(rig->engine))
                        continue;
                engine_advance(rig->engine, rig->now += 20000);
                g_ptr_array_set_size(rig->frames, 0);
                sent += rig->packets->len;
                g_ptr_array_set_size(rig->packets, 0);
        }

        for (size_t i = 0; i < 256; i++)
                total += engine_counters(rig->engine)->commands[i];
        ck_assert_uint_eq(total, rounds);
        ck_assert_uint_gt(sent, rounds / 50);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("engine");
        TCase *tcase = tcase_create("engine");
        SRunner *runner;
        int failed;

        tcase_add_test(tcase, queue_evicts_channel_texts);
        tcase_add_test(tcase, queue_of_old_firmware_refuses);
        tcase_add_test(tcase, eight_acknowledgements);
        tcase_add_test(tcase, a_request_forgets_the_one_before);
        tcase_add_test(tcase, pool_of_sixteen);
        tcase_add_test(tcase, short_frames_read_what_was_there);
        tcase_add_test(tcase, contacts_full);
        tcase_add_test(tcase, clock_goes_on);
        tcase_add_test(tcase, levels);
        tcase_add_test(tcase, signatures);
        tcase_add_loop_test(tcase, survives_anything, 0, _ENGINE_FIRMWARE_MAX);
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
