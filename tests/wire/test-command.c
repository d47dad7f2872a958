/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The limits of the encoders that the golden vectors do not reach. */

#include <errno.h>
#include <string.h>

#include "command.h"
#include "macros.h"
#include "suite.h"

static const uint8_t prefix[KEY_PREFIX_SIZE] = {1, 2, 3, 4, 5, 6};
static const PublicKey key = {{1}};
static const uint8_t zeroes[512];

static Slice bytes(size_t size) {
        return (Slice){zeroes, size};
}

static char *text_of(size_t size) {
        return g_strnfill(size, 'x');
}

/* Encoders that refuse leave what was there. */
START_TEST(refusal_changes_nothing) {
        Command command, before;

        memset(&command, 0x5A, sizeof(command));
        before = command;
        ck_assert_int_eq(command_send_text(&command, TEXT_PLAIN, 0, 1, prefix, ""), -EINVAL);
        ck_assert_int_eq(command_sign_data(&command, bytes(176)), -EMSGSIZE);
        ck_assert_int_eq(command_set_device_pin(&command, 1), -EINVAL);
        ck_assert_int_eq(command_get_stats(&command, 3), -EINVAL);
        ck_assert_int_eq(command_set_path_hash_mode(&command, 3), -EINVAL);
        ck_assert_mem_eq(&command, &before, sizeof(command));
}
END_TEST

START_TEST(text_limits) {
        static const uint8_t nobody[KEY_PREFIX_SIZE];
        g_autofree char *t158 = text_of(158), *t159 = text_of(159), *t160 = text_of(160),
                        *t161 = text_of(161);
        Command command;

        ck_assert_int_eq(command_send_text(&command, TEXT_PLAIN, 3, 1, prefix, t160), 0);
        ck_assert_uint_eq(command.size, 173);
        ck_assert_int_eq(command_check_size(&command, 12), -EMSGSIZE);
        ck_assert_int_eq(command_check_size(&command, 13), 0);
        ck_assert_int_eq(command_send_text(&command, TEXT_PLAIN, 3, 1, prefix, t161), -EMSGSIZE);
        ck_assert_int_eq(command_send_text(&command, TEXT_PLAIN, 4, 1, prefix, t158), 0);
        ck_assert_int_eq(command_send_text(&command, TEXT_PLAIN, 4, 1, prefix, t159), -EMSGSIZE);
        ck_assert_int_eq(command_send_text(&command, TEXT_PLAIN, 0, 1, prefix, t159), 0);
        ck_assert_int_eq(command_check_size(&command, 0), 0);
        ck_assert_int_eq(command_send_text(&command, TEXT_SIGNED_PLAIN, 0, 1, prefix, "x"), -EINVAL);
        ck_assert_int_eq(command_send_text(&command, TEXT_PLAIN, 0, 1, nobody, "x"), -EINVAL);

        ck_assert_int_eq(command_send_channel_text(&command, 0, 1, ""), -EINVAL);
        ck_assert_int_eq(command_send_channel_text(&command, 0, 1, t160), 0);
        ck_assert_int_eq(command_send_channel_text(&command, 0, 1, t161), -EMSGSIZE);
}
END_TEST

START_TEST(names) {
        g_autofree char *t30 = text_of(30), *t31 = text_of(31), *t32 = text_of(32), *t300 = text_of(300);
        ContactRecord contact = {.type = NODE_CHAT, .path_len = PATH_LEN_NONE};
        Command command;

        ck_assert_int_eq(command_set_advert_name(&command, t31), 0);
        ck_assert_int_eq(command_set_advert_name(&command, t32), -EMSGSIZE);
        ck_assert_int_eq(command_set_advert_name(&command, ""), -EINVAL);
        ck_assert_int_eq(command_set_channel(&command, 0, t31, zeroes), 0);
        ck_assert_int_eq(command_set_channel(&command, 0, t32, zeroes), -EMSGSIZE);
        ck_assert_int_eq(command_set_default_flood_scope(&command, t30, zeroes), 0);
        ck_assert_uint_eq(command.size, 48);
        ck_assert_int_eq(command_set_default_flood_scope(&command, t31, zeroes), -EMSGSIZE);
        ck_assert_int_eq(command_set_default_flood_scope(&command, "", zeroes), -EINVAL);
        ck_assert_int_eq(command_app_start(&command, t300), -EMSGSIZE);
        ck_assert_int_eq(command_set_custom_var(&command, "gps", t300), -EMSGSIZE);
        ck_assert_int_eq(command_set_custom_var(&command, "a:b", "1"), -EINVAL);
        ck_assert_int_eq(command_set_custom_var(&command, "", "1"), -EINVAL);

        /* A contact's name is cut between characters: 30 bytes and one of two. */
        contact.name = "123456789012345678901234567890\xc3\xbc";
        ck_assert_int_eq(command_add_update_contact(&command, &contact), 0);
        ck_assert_uint_eq(command.size, 144);
        ck_assert_int_eq(command.data[100 + 29], '0');
        ck_assert_int_eq(command.data[100 + 30], 0);
        contact.has_lastmod = true;
        ck_assert_int_eq(command_add_update_contact(&command, &contact), 0);
        ck_assert_uint_eq(command.size, 148);
        contact.path_len = 0xC1;
        ck_assert_int_eq(command_add_update_contact(&command, &contact), -EINVAL);
        contact.path_len = 0;
        contact.type = NODE_NONE;
        ck_assert_int_eq(command_add_update_contact(&command, &contact), -EINVAL);
}
END_TEST

START_TEST(data_limits) {
        Path flood = {.length = PATH_LEN_NONE}, impossible = {.length = 0xC1},
             direct = path_from_length(2, 0);
        Command command;

        ck_assert_int_eq(command_send_channel_data(&command, 0, &flood, 1, bytes(165)), 0);
        ck_assert_int_eq(command_send_channel_data(&command, 0, &flood, 1, bytes(166)), -EMSGSIZE);
        ck_assert_int_eq(command_send_channel_data(&command, 0, &flood, 1, bytes(0)), 0);
        ck_assert_int_eq(command_send_channel_data(&command, 0, &flood, 0, bytes(1)), -EINVAL);
        ck_assert_int_eq(command_send_channel_data(&command, 0, &impossible, 1, bytes(1)), -EINVAL);
        ck_assert_int_eq(command_send_channel_data(&command, 0, &direct, 1, bytes(1)),
                         -EINVAL); /* no hashes */
        direct.hashes = bytes(2);
        ck_assert_int_eq(command_send_channel_data(&command, 0, &direct, 1, bytes(1)), 0);
        ck_assert_uint_eq(command.size, 3 + 2 + 2 + 1);

        ck_assert_int_eq(command_send_raw_data(&command, bytes(63), bytes(4)), 0);
        ck_assert_int_eq(command_send_raw_data(&command, bytes(64), bytes(4)), -EINVAL);
        ck_assert_int_eq(command_send_raw_data(&command, bytes(0), bytes(3)), -EINVAL);
        ck_assert_int_eq(command_send_raw_data(&command, bytes(0), bytes(175)), -EMSGSIZE);
        ck_assert_int_eq(command_sign_data(&command, bytes(175)), 0);
        ck_assert_int_eq(command_sign_data(&command, bytes(0)), -EINVAL);
        ck_assert_int_eq(command_send_binary_req(&command, &key, 1, bytes(142)), 0);
        ck_assert_int_eq(command_send_binary_req(&command, &key, 1, bytes(143)), -EMSGSIZE);
        ck_assert_int_eq(command_send_control_data(&command, bytes(1)), -EINVAL);
        ck_assert_int_eq(command_send_control_data(&command, bytes(0)), -EINVAL);
}
END_TEST

START_TEST(ranges) {
        RadioParams params = {.freq_khz = 150000, .bw_hz = 7000, .sf = 5, .cr = 5};
        OtherParams gap = {.has_multi_acks = true}, gap2 = {.has_advert_loc_policy = true};
        Command command;

        ck_assert_int_eq(command_set_radio_tx_power(&command, -9, 22), 0);
        ck_assert_int_eq(command.data[1], 0xF7);
        ck_assert_int_eq(command_set_radio_tx_power(&command, -10, 22), -EINVAL);
        ck_assert_int_eq(command_set_radio_tx_power(&command, 22, 22), 0);
        ck_assert_int_eq(command_set_radio_tx_power(&command, 23, 22), -EINVAL);
        ck_assert_int_eq(command_set_radio_tx_power(&command, 128, 500), -EINVAL);

        ck_assert_int_eq(command_set_radio_params(&command, &params), 0);
        ck_assert_uint_eq(command.size, 11);
        params.has_repeat = true;
        ck_assert_int_eq(command_set_radio_params(&command, &params), 0);
        ck_assert_uint_eq(command.size, 12);
        params.freq_khz = 149999;
        ck_assert_int_eq(command_set_radio_params(&command, &params), -EINVAL);
        params = (RadioParams){.freq_khz = 2500000, .bw_hz = 500000, .sf = 12, .cr = 8};
        ck_assert_int_eq(command_set_radio_params(&command, &params), 0);
        params.cr = 9;
        ck_assert_int_eq(command_set_radio_params(&command, &params), -EINVAL);

        ck_assert_int_eq(command_set_advert_latlon(&command, 90000001, 0, NULL), -EINVAL);
        ck_assert_int_eq(command_set_advert_latlon(&command, 0, -180000001, NULL), -EINVAL);
        ck_assert_int_eq(command_set_advert_latlon(&command, INT32_MIN, 0, NULL), -EINVAL);
        ck_assert_int_eq(command_set_tuning_params(&command, 20001, 0), -EINVAL);
        ck_assert_int_eq(command_set_tuning_params(&command, 0, 9001), -EINVAL);
        ck_assert_int_eq(command_set_other_params(&command, &gap), -EINVAL);
        ck_assert_int_eq(command_set_other_params(&command, &gap2), -EINVAL);
        ck_assert_int_eq(command_set_autoadd_config(&command, 0, 65), -EINVAL);
        ck_assert_int_eq(command_set_autoadd_config(&command, 0, -2), -EINVAL);
}
END_TEST

START_TEST(requests) {
        NeighboursQuery query = {.count = 1, .prefix_length = 32};
        Path unknown = {.length = PATH_LEN_NONE}, direct = path_from_length(0, 0);
        Command command;

        ck_assert_int_eq(command_request_neighbours(&command, &key, &query), 0);
        query.prefix_length = 33;
        ck_assert_int_eq(command_request_neighbours(&command, &key, &query), -EINVAL);
        query = (NeighboursQuery){.count = 1, .prefix_length = 4, .order = _NEIGHBOUR_ORDER_MAX};
        ck_assert_int_eq(command_request_neighbours(&command, &key, &query), -EINVAL);

        ck_assert_int_eq(command_request_mma(&command, &key, 10, 20), -EINVAL);
        ck_assert_int_eq(command_send_anon_req(&command, &key, ANON_BASIC, &direct), 0);
        ck_assert_int_eq(command_send_anon_req(&command, &key, ANON_BASIC, &unknown), -EINVAL);
        ck_assert_int_eq(command_send_anon_req(&command, &key, 4, &direct), -EINVAL);

        /* the inverse of what is wanted */
        ck_assert_int_eq(command_request_telemetry(&command, &key, 0x01, 0), 0);
        ck_assert_int_eq(command.data[33], BINARY_TELEMETRY);
        ck_assert_int_eq(command.data[34], 0xFE);
        ck_assert_int_eq(command_request_keep_alive(&command, &key, 0x01020304), 0);
        ck_assert_uint_eq(command.size, 38);

        ck_assert_int_eq(command_send_trace_path(&command, 1, 2, 0, bytes(64)), 0);
        ck_assert_int_eq(command_send_trace_path(&command, 1, 2, 4, bytes(64)), -EINVAL);
        ck_assert_int_eq(command_send_trace_path(&command, 1, 2, 3, bytes(160)), 0);
        ck_assert_int_eq(command_send_trace_path(&command, 1, 2, 3, bytes(168)), -EMSGSIZE);
}
END_TEST

/* Every command that exists has a name. */
START_TEST(code_names) {
        unsigned n = 0;

        for (unsigned code = 0; code < 256; code++)
                n += command_code_to_string(code) != NULL;
        ck_assert_uint_eq(n, 58);
        ck_assert_str_eq(command_code_to_string(CMD_SEND_RAW_PACKET), "SEND_RAW_PACKET");
        ck_assert_ptr_null(command_code_to_string(44));
        ck_assert_ptr_null(command_code_to_string(UINT_MAX));
}
END_TEST

int main(void) {
        const TTest *const tests[] = {refusal_changes_nothing,
                                      text_limits,
                                      names,
                                      data_limits,
                                      ranges,
                                      requests,
                                      code_names};

        return suite_run("command", tests, ELEMENTSOF(tests));
}
