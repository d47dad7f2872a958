/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What is set on the radio itself: ranges are known before it hears of them,
 * what is not asked for stays, and what it has afterwards is what we tell. */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "macros.h"
#include "radio-fixture.h"
#include "settings-api.h"
#include "telemetry.h"

static Fixture f;
static uint8_t given[RADIO_SIGN_MAX];
static size_t n_given;
static RadioStats stats;
static char variables[256];
static bool clock_set;

static void setup(void) {
        fixture_setup(&f, 2);
}

static void setup_old(void) {
        peer_firmware = ENGINE_FIRMWARE_1_7_4;
        fixture_setup(&f, 2);
}

static void teardown(void) {
        fixture_teardown(&f);
}

static const RadioInfo *info(void) {
        return radio_info(f.radio);
}

static void await(OutcomeCode code, const char *words) {
        fixture_await(&f, code);
        if (words)
                ck_assert_msg(strstr(f.outcome.message, words), "\"%s\" says nothing of %s",
                              f.outcome.message, words);
}

/* Nothing at all reached the radio. */
static void await_unheard(const char *words) {
        await(OUTCOME_INVALID_ARGUMENTS, words);
        ck_assert_uint_eq(f.peer->commands->len, 0);
}

static void on_bytes(Radio *radio, const Outcome *outcome, Slice bytes, void *userdata) {
        on_done(radio, outcome, userdata);
        ck_assert_uint_le(bytes.size, sizeof(given));
        memcpy(given, bytes.data, bytes.size);
        n_given = bytes.size;
}

static void on_stats(Radio *radio, const Outcome *outcome, const RadioStats *told, void *userdata) {
        on_done(radio, outcome, userdata);
        stats = *told;
}

static void on_variables(Radio *radio, const Outcome *outcome, const RadioVariable *list, size_t n,
                         void *userdata) {
        on_done(radio, outcome, userdata);
        variables[0] = '\0';
        for (size_t i = 0; i < n; i++) {
                g_strlcat(variables, list[i].name, sizeof(variables));
                g_strlcat(variables, "=", sizeof(variables));
                g_strlcat(variables, list[i].value, sizeof(variables));
                g_strlcat(variables, " ", sizeof(variables));
        }
}

static void on_clock(Radio *radio, const Outcome *outcome, bool set, void *userdata) {
        on_done(radio, outcome, userdata);
        clock_set = set;
}

/* -- single values ------------------------------------------------------------------ */

START_TEST(own_name) {
        radio_set_name(f.radio, "", on_done, &f);
        await_unheard("1 to 31");
        radio_set_name(f.radio, "12345678901234567890123456789012", on_done, &f);
        await_unheard("32 bytes");
        radio_set_name(f.radio, "caf\xe9", on_done, &f);
        await_unheard("UTF-8");

        radio_set_name(f.radio, "Renamed ✓", on_done, &f);
        await(OUTCOME_OK, NULL);
        ck_assert_str_eq(info()->name, "Renamed ✓");
        ck_assert_str_eq(engine_name(f.peer->engine), "Renamed ✓");

        f.peer->refuse[CMD_SET_ADVERT_NAME] = ERR_FILE_IO_ERROR;
        radio_set_name(f.radio, "Other", on_done, &f);
        await(OUTCOME_FAILED, "flash");
        ck_assert_str_eq(info()->name, "Renamed ✓");
}
END_TEST

START_TEST(location) {
        radio_set_location(f.radio, 90.0001, 0, on_done, &f);
        await_unheard("-90 to 90");
        radio_set_location(f.radio, 0, -180.5, on_done, &f);
        await_unheard("-180 to 180");
        radio_set_location(f.radio, NAN, 0, on_done, &f);
        await_unheard("-90 to 90");

        radio_set_location(f.radio, -48.1371545, 11.5761, on_done, &f);
        await(OUTCOME_OK, NULL);
        ck_assert_mem_eq(peer_command(f.peer, CMD_SET_ADVERT_LATLON, 0),
                         ((const uint8_t[]){14, 0x3d, 0x7c, 0x21, 0xfd, 0x24, 0xa3, 0xb0, 0x00}), 9);
        ck_assert_int_le(abs(info()->lat_e6 + 48137155), 1);
        ck_assert_int_le(abs(info()->lon_e6 - 11576100), 1);
}
END_TEST

START_TEST(power) {
        radio_set_tx_power(f.radio, 23, on_done, &f);
        await_unheard("-9 to 22");
        radio_set_tx_power(f.radio, -10, on_done, &f);
        await_unheard("-9 to 22");
        radio_set_tx_power(f.radio, INT32_MIN, on_done, &f);
        await_unheard("-9 to 22");

        radio_set_tx_power(f.radio, -9, on_done, &f);
        await(OUTCOME_OK, NULL);
        ck_assert_int_eq(info()->tx_power, -9);
        ck_assert_mem_eq(peer_command(f.peer, CMD_SET_RADIO_TX_POWER, 0), "\x0c\xf7", 2);
}
END_TEST

START_TEST(path_hash_and_pin) {
        radio_set_path_hash_size(f.radio, 0, on_done, &f);
        await_unheard("1 to 3");
        radio_set_path_hash_size(f.radio, 4, on_done, &f);
        await_unheard("1 to 3");
        radio_set_device_pin(f.radio, 99999, on_done, &f);
        await_unheard("100000 to 999999");
        radio_set_device_pin(f.radio, 1000000, on_done, &f);
        await_unheard("100000 to 999999");

        ck_assert_uint_eq(info()->path_hash_size, 1);
        radio_set_path_hash_size(f.radio, 3, on_done, &f);
        await(OUTCOME_OK, NULL);
        ck_assert_uint_eq(info()->path_hash_size, 3);
        radio_set_device_pin(f.radio, 123456, on_done, &f);
        await(OUTCOME_OK, NULL);
        ck_assert_mem_eq(peer_command(f.peer, CMD_SET_DEVICE_PIN, 0), "\x25\x40\xe2\x01\x00", 5);
        radio_set_device_pin(f.radio, 0, on_done, &f);
        await(OUTCOME_OK, NULL);
}
END_TEST

/* -- groups ---------------------------------------------------------------------------- */

static void set_parameters(unsigned set, uint32_t hz, uint32_t bw, uint8_t sf, uint8_t cr, bool repeat) {
        const RadioParameters values = {hz, bw, sf, cr, repeat};

        peer_forget(f.peer);
        radio_set_parameters(f.radio, set, &values, on_done, &f);
}

START_TEST(parameters) {
        const unsigned all = RADIO_PARAMETER_FREQUENCY | RADIO_PARAMETER_BANDWIDTH |
                             RADIO_PARAMETER_SPREADING | RADIO_PARAMETER_CODING;

        set_parameters(0, 0, 0, 0, 0, false);
        await_unheard("nothing");
        set_parameters(all, 149999000, 62500, 8, 5, false);
        await_unheard("150000000 to 2500000000");
        set_parameters(all, 868000500, 62500, 8, 5, false);
        await_unheard("whole kHz");
        set_parameters(all, 868000000, 6999, 8, 5, false);
        await_unheard("7000 to 500000");
        set_parameters(all, 868000000, 62500, 4, 5, false);
        await_unheard("5 to 12");
        set_parameters(all, 868000000, 62500, 13, 5, false);
        await_unheard("5 to 12");
        set_parameters(all, 868000000, 62500, 8, 9, false);
        await_unheard("5 to 8");

        set_parameters(all, 869495000, 125000, 9, 6, false);
        await(OUTCOME_OK, NULL);
        ck_assert_uint_eq(info()->frequency_hz, 869495000);
        ck_assert_uint_eq(info()->bandwidth_hz, 125000);
        ck_assert_uint_eq(info()->spreading_factor, 9);
        ck_assert_uint_eq(info()->coding_rate, 6);
        ck_assert(!info()->client_repeat);

        /* The flag is kept, and not forgotten by what changes another value. */
        set_parameters(RADIO_PARAMETER_REPEAT, 0, 0, 0, 0, true);
        await(OUTCOME_OK, NULL);
        ck_assert(info()->client_repeat);
        set_parameters(RADIO_PARAMETER_SPREADING, 0, 0, 7, 0, false);
        await(OUTCOME_OK, NULL);
        ck_assert(info()->client_repeat);
        ck_assert_uint_eq(info()->spreading_factor, 7);
        ck_assert_uint_eq(info()->frequency_hz, 869495000);
        ck_assert_uint_eq(peer_command(f.peer, CMD_SET_RADIO_PARAMS, 0)[11], 1);

        /* Nobody repeats there; the radio need not say so. */
        set_parameters(RADIO_PARAMETER_FREQUENCY, 868000000, 0, 0, 0, false);
        await(OUTCOME_INVALID_ARGUMENTS, "868000 kHz");
        ck_assert_uint_eq(peer_count(f.peer, CMD_SET_RADIO_PARAMS), 0);
        set_parameters(RADIO_PARAMETER_FREQUENCY | RADIO_PARAMETER_REPEAT, 868000000, 0, 0, 0, false);
        await(OUTCOME_OK, NULL);
        ck_assert(!info()->client_repeat);
}
END_TEST

/* The frequency goes through a 32-bit float in the radio, which costs some values a kHz each time. */
START_TEST(frequency_does_not_creep) {
        for (uint32_t khz = 863000; khz < 863060; khz++) {
                set_parameters(RADIO_PARAMETER_FREQUENCY, khz * 1000, 0, 0, 0, false);
                await(OUTCOME_OK, NULL);
                ck_assert_uint_eq(info()->frequency_hz, khz * 1000);
                for (unsigned i = 0; i < 3; i++) {
                        set_parameters(RADIO_PARAMETER_CODING, 0, 0, 0, (uint8_t) (5 + i), false);
                        await(OUTCOME_OK, NULL);
                }
                ck_assert_uint_eq(info()->frequency_hz, khz * 1000);
        }
}
END_TEST

static void set_other(unsigned set, RadioOther values) {
        peer_forget(f.peer);
        radio_set_other(f.radio, set, &values, on_done, &f);
        await(OUTCOME_OK, NULL);
        ck_assert_uint_eq(peer_count(f.peer, CMD_SET_OTHER_PARAMS), 1);
}

START_TEST(other_parameters) {
        set_other(RADIO_OTHER_TELEMETRY_LOCATION,
                  (RadioOther){.telemetry_location = TELEMETRY_CONTACT_FLAGS});
        set_other(RADIO_OTHER_TELEMETRY_BASE | RADIO_OTHER_TELEMETRY_ENVIRONMENT,
                  (RadioOther){.telemetry_base = TELEMETRY_ALLOW, .telemetry_environment = TELEMETRY_ALLOW});
        set_other(RADIO_OTHER_ADVERT_LOCATION, (RadioOther){.advert_location = true});
        set_other(RADIO_OTHER_MULTI_ACKS, (RadioOther){.multi_acks = true});
        set_other(RADIO_OTHER_MANUAL_ADD, (RadioOther){.manual_add = true});
        ck_assert_mem_eq(peer_command(f.peer, CMD_SET_OTHER_PARAMS, 0), "\x26\x01\x26\x01\x01", 5);
        ck_assert_int_eq(info()->telemetry_base, TELEMETRY_ALLOW);
        ck_assert_int_eq(info()->telemetry_location, TELEMETRY_CONTACT_FLAGS);
        ck_assert_int_eq(info()->telemetry_environment, TELEMETRY_ALLOW);
        ck_assert(info()->advert_location);
        ck_assert(info()->multi_acks);
        ck_assert(radio_auto_add(f.radio)->manual);

        peer_forget(f.peer);
        radio_set_other(f.radio, 0, &(RadioOther){}, on_done, &f);
        await_unheard("nothing");
}
END_TEST

START_TEST(tuning) {
        radio_set_tuning(f.radio, RADIO_TUNING_RX_DELAY, 20.001, 0, on_done, &f);
        await_unheard("0 to 20");
        radio_set_tuning(f.radio, RADIO_TUNING_AIRTIME_FACTOR, 0, -0.1, on_done, &f);
        await_unheard("0 to 9");
        radio_set_tuning(f.radio, RADIO_TUNING_AIRTIME_FACTOR, 0, NAN, on_done, &f);
        await_unheard("0 to 9");

        ck_assert(info()->has_tuning);
        radio_set_tuning(f.radio, RADIO_TUNING_RX_DELAY | RADIO_TUNING_AIRTIME_FACTOR, 2.5, 1.5, on_done, &f);
        await(OUTCOME_OK, NULL);
        radio_set_tuning(f.radio, RADIO_TUNING_RX_DELAY, 0.125, 0, on_done, &f);
        await(OUTCOME_OK, NULL);
        ck_assert_uint_eq(info()->rx_delay_x1000, 125);
        ck_assert_uint_eq(info()->airtime_factor_x1000, 1500);
}
END_TEST

/* -- scope, variables, clock ------------------------------------------------------------- */

static void set_scope(const char *name, const uint8_t *key, bool is_default) {
        peer_forget(f.peer);
        radio_set_flood_scope(f.radio, &(RadioScope){name, key, is_default}, on_done, &f);
}

START_TEST(scope) {
        static const uint8_t key[16] = {0x53, 1}, zeroes[16];

        set_scope("1234567890123456789012345678901", NULL, true);
        await_unheard("1 to 30");
        set_scope("x\xff", NULL, false);
        await_unheard("UTF-8");
        set_scope("bergen", zeroes, false);
        await_unheard("zeroes");
        set_scope("", key, false);
        await_unheard("name");

        set_scope("bergen", key, false);
        await(OUTCOME_OK, NULL);
        ck_assert_mem_eq(peer_command(f.peer, CMD_SET_FLOOD_SCOPE_KEY, 0), "\x36\x00\x53\x01", 4);
        set_scope("*", NULL, false);
        await(OUTCOME_OK, NULL);
        ck_assert_mem_eq(peer_command(f.peer, CMD_SET_FLOOD_SCOPE_KEY, 0), "\x36\x01", 2);
        set_scope("", NULL, false);
        await(OUTCOME_OK, NULL);
        ck_assert_mem_eq(peer_command(f.peer, CMD_SET_FLOOD_SCOPE_KEY, 0), "\x36\x00", 2);

        ck_assert_ptr_null(info()->default_scope);
        set_scope("bergen", NULL, true);
        await(OUTCOME_OK, NULL);
        ck_assert_str_eq(info()->default_scope, "bergen");
        set_scope("*", NULL, true);
        await(OUTCOME_OK, NULL);
        ck_assert_ptr_null(info()->default_scope);
}
END_TEST

START_TEST(custom_variables) {
        radio_set_variable(f.radio, "", "1", on_done, &f);
        await_unheard("name");
        radio_set_variable(f.radio, "a:b", "1", on_done, &f);
        await_unheard("':'");
        radio_set_variable(f.radio, "gps", "", on_done, &f);
        await_unheard("value");

        radio_get_variables(f.radio, on_variables, &f);
        await(OUTCOME_OK, NULL);
        ck_assert_str_eq(variables, "gps=0 gps_interval=0 ");
        radio_set_variable(f.radio, "gps", "1", on_done, &f);
        await(OUTCOME_OK, NULL);
        radio_set_variable(f.radio, "nope", "1", on_done, &f);
        await(OUTCOME_INVALID_ARGUMENTS, NULL);
        radio_get_variables(f.radio, on_variables, &f);
        await(OUTCOME_OK, NULL);
        ck_assert_str_eq(variables, "gps=1 gps_interval=0 ");
}
END_TEST

START_TEST(clock_is_set_or_ahead) {
        f.radio->settings->trust_clock = true;
        radio_sync_time(f.radio, on_clock, &f);
        await(OUTCOME_OK, NULL);
        ck_assert(clock_set);
        /* Each command takes a minute of the clock of this radio. */
        ck_assert_int_lt(llabs(info()->clock_skew_usec), 100 * (long long) USEC_PER_SEC);

        engine_set_clock(f.peer->engine, engine_clock(f.peer->engine) + 1000);
        radio_sync_time(f.radio, on_clock, &f);
        await(OUTCOME_OK, NULL);
        ck_assert(!clock_set);
        ck_assert_int_gt(info()->clock_skew_usec, 900 * (long long) USEC_PER_SEC);
}
END_TEST

/* -- what it tells ------------------------------------------------------------------------- */

START_TEST(told_after_ready) {
        ck_assert_uint_eq(info()->n_repeat_ranges, 3);
        ck_assert_uint_eq(info()->repeat_ranges[1].low_hz, 869495000);
        ck_assert_uint_eq(info()->repeat_ranges[1].high_hz, 869495000);
        ck_assert(info()->has_tuning);
}
END_TEST

START_TEST(statistics) {
        engine_set_battery(f.peer->engine, 4021);
        radio_get_stats(f.radio, RADIO_STATS_CORE, on_stats, &f);
        await(OUTCOME_OK, NULL);
        ck_assert_uint_eq(stats.core.battery_mv, 4021);
        radio_get_stats(f.radio, RADIO_STATS_RADIO, on_stats, &f);
        await(OUTCOME_OK, NULL);
        ck_assert_int_eq(stats.radio.noise_floor, -117);
        radio_get_stats(f.radio, RADIO_STATS_PACKETS, on_stats, &f);
        await(OUTCOME_OK, NULL);
        ck_assert(stats.packets.has_errors);
        ck_assert_int_eq(radio_stats_kind_from_string("radio"), RADIO_STATS_RADIO);
        ck_assert_int_lt(radio_stats_kind_from_string("weather"), 0);
}
END_TEST

static void on_telemetry(Radio *radio, const Outcome *outcome, const TelemetryValue *values, size_t n,
                         void *userdata) {
        on_done(radio, outcome, userdata);
        ck_assert_uint_gt(n, 0);
        ck_assert_uint_eq(values[0].channel, 1);
        ck_assert_str_eq(values[0].quantity, "voltage");
        ck_assert_str_eq(values[0].unit, "V");
        ck_assert_double_eq_tol(values[0].value, 4.02, 0.011);
}

START_TEST(telemetry) {
        engine_set_battery(f.peer->engine, 4021);
        radio_get_telemetry(f.radio, on_telemetry, &f);
        await(OUTCOME_OK, NULL);
}
END_TEST

START_TEST(telemetry_of_many_kinds) {
        static const uint8_t list[] = {1,    116,  0xFF, 0x9C, 2, 103, 0xFF, 0xF6, 1,  136, 0x07, 0x58,
                                       0x91, 0xFE, 0x3C, 0x2B, 0, 0,   200,  3,    99, 1,   2};
        g_autoptr(GArray) values = telemetry_parse((Slice){list, sizeof(list)});
        const TelemetryValue *v = (const TelemetryValue *) (void *) values->data;

        ck_assert_uint_eq(values->len, 6);
        ck_assert_double_eq_tol(v[0].value, -1.0, 1e-9);
        ck_assert_ptr_null(v[0].component);
        ck_assert_str_eq(v[1].unit, "°C");
        ck_assert_double_eq_tol(v[1].value, -1.0, 1e-9);
        ck_assert_str_eq(v[2].component, "latitude");
        ck_assert_str_eq(v[4].component, "altitude");
        ck_assert_str_eq(v[4].unit, "m");
        ck_assert_double_eq_tol(v[4].value, 2.0, 1e-9);
        /* A later kind makes the rest unreadable, not the beginning. */
        ck_assert_ptr_null(v[5].quantity);
        ck_assert_uint_eq(v[5].channel, 3);
        ck_assert_uint_eq(v[5].type, 99);
        ck_assert_uint_eq(v[5].data.size, 2);
}
END_TEST

/* -- on air and restarts ------------------------------------------------------------------------ */

START_TEST(adverts) {
        radio_advertise(f.radio, false, on_done, &f);
        await(OUTCOME_OK, NULL);
        ck_assert_mem_eq(peer_command(f.peer, CMD_SEND_SELF_ADVERT, 0), "\x07", 1);
        radio_advertise(f.radio, false, on_done, &f);
        await(OUTCOME_OK, NULL);

        f.peer->refuse[CMD_SEND_SELF_ADVERT] = ERR_TABLE_FULL;
        radio_advertise(f.radio, true, on_done, &f);
        await(OUTCOME_TABLE_FULL, NULL);
        f.peer->refuse[CMD_SEND_SELF_ADVERT] = 0;
        peer_forget(f.peer);
        radio_advertise(f.radio, true, on_done, &f); /* the refused one did not count */
        await(OUTCOME_OK, NULL);
        ck_assert_mem_eq(peer_command(f.peer, CMD_SEND_SELF_ADVERT, 0), "\x07\x01", 2);
        radio_advertise(f.radio, true, on_done, &f);
        await(OUTCOME_RATE_LIMITED, "in 300 s");
        ck_assert_uint_eq(peer_count(f.peer, CMD_SEND_SELF_ADVERT), 1);
        radio_timing.flood_advert_usec = 0;
        radio_advertise(f.radio, true, on_done, &f);
        await(OUTCOME_OK, NULL);
}
END_TEST

static bool drop_when_told(Peer *peer, const uint8_t *frame, size_t size, void *userdata) {
        if (frame[0] != CMD_REBOOT && frame[0] != CMD_FACTORY_RESET)
                return true;

        peer_drop(peer);
        return false;
}

static void assert_restarted(void) {
        ck_assert_ptr_nonnull(strstr(f.log->str, "sim:waiting/restarting|"));
        fixture_until(&f, radio_state(f.radio) == RADIO_READY);
        ck_assert_uint_eq(f.peer->connections, 2);
}

START_TEST(reboot) {
        f.peer->on_command = drop_when_told;
        radio_reboot(f.radio, on_done, &f);
        await(OUTCOME_OK, NULL);
        assert_restarted();
        ck_assert_mem_eq(peer_command(f.peer, CMD_REBOOT, 0), "\x13reboot", 7);
}
END_TEST

/* A port that stays open while the radio restarts behind it. */
START_TEST(reboot_without_a_drop) {
        radio_timing.session.probe_usec = 50 * USEC_PER_MSEC;
        f.peer->mute[CMD_REBOOT] = true;
        peer_drop(f.peer);
        fixture_until(&f, f.peer->connections == 2 && radio_state(f.radio) == RADIO_READY);
        g_string_truncate(f.log, 0);
        radio_reboot(f.radio, on_done, &f);
        await(OUTCOME_OK, NULL);
        fixture_until(&f, f.peer->connections == 3 && radio_state(f.radio) == RADIO_READY);
        ck_assert_ptr_nonnull(strstr(f.log->str, "sim:waiting/restarting|"));
}
END_TEST

START_TEST(reboot_refused) {
        f.peer->refuse[CMD_REBOOT] = ERR_UNSUPPORTED_CMD;
        radio_reboot(f.radio, on_done, &f);
        await(OUTCOME_NOT_SUPPORTED, NULL);
        ck_assert_int_eq(radio_state(f.radio), RADIO_READY);
        peer_drop(f.peer);
        fixture_until(&f, strstr(f.log->str, "sim:waiting/lost|"));
}
END_TEST

START_TEST(factory_reset) {
        g_autofree char *old = NULL, *token = NULL;
        g_auto(Outcome) outcome = {};

        f.peer->on_command = drop_when_told;
        radio_factory_reset(f.radio, "", on_done, &f);
        await_unheard("token");
        ck_assert_int_eq(radio_prepare_factory_reset(f.radio, &old, &outcome), OUTCOME_OK);
        ck_assert_int_eq(radio_prepare_factory_reset(f.radio, &token, &outcome), OUTCOME_OK);
        ck_assert_str_ne(old, token);
        radio_factory_reset(f.radio, old, on_done, &f);
        await_unheard("token");
        /* One wrong try voids it, and so does the time. */
        radio_factory_reset(f.radio, token, on_done, &f);
        await_unheard("token");
        g_free(token);
        ck_assert_int_eq(radio_prepare_factory_reset(f.radio, &token, &outcome), OUTCOME_OK);
        f.radio->reset_until_usec = 1;
        radio_factory_reset(f.radio, token, on_done, &f);
        await_unheard("token");

        g_free(token);
        ck_assert_int_eq(radio_prepare_factory_reset(f.radio, &token, &outcome), OUTCOME_OK);
        radio_factory_reset(f.radio, token, on_done, &f);
        await(OUTCOME_OK, NULL);
        ck_assert_mem_eq(peer_command(f.peer, CMD_FACTORY_RESET, 0), "\x33reset", 6);
        assert_restarted();
}
END_TEST

/* -- keys ------------------------------------------------------------------------------------- */

START_TEST(sign) {
        uint8_t data[301], expected[SIGNATURE_SIZE];

        for (size_t i = 0; i < sizeof(data); i++)
                data[i] = (uint8_t) i;
        sim_sign(engine_identity(f.peer->engine), (Slice){data, sizeof(data)}, expected);
        radio_sign(f.radio, (Slice){data, sizeof(data)}, on_bytes, &f);
        await(OUTCOME_OK, NULL);
        ck_assert_uint_eq(n_given, SIGNATURE_SIZE);
        ck_assert_mem_eq(given, expected, SIGNATURE_SIZE);
        ck_assert_uint_eq(peer_count(f.peer, CMD_SIGN_DATA), 3);
}
END_TEST

static unsigned n_signed;

static void on_one_signed(Radio *radio, const Outcome *outcome, Slice bytes, void *userdata) {
        ck_assert_int_eq(outcome->code, OUTCOME_OK);
        ck_assert_mem_eq(bytes.data, userdata, SIGNATURE_SIZE);
        n_signed++;
}

/* Two at once: the bytes of one never get among the other's. */
START_TEST(sign_two) {
        static uint8_t a[500], b[500], expected_a[SIGNATURE_SIZE], expected_b[SIGNATURE_SIZE];

        memset(a, 'a', sizeof(a));
        memset(b, 'b', sizeof(b));
        sim_sign(engine_identity(f.peer->engine), (Slice){a, sizeof(a)}, expected_a);
        sim_sign(engine_identity(f.peer->engine), (Slice){b, sizeof(b)}, expected_b);
        radio_sign(f.radio, (Slice){a, sizeof(a)}, on_one_signed, expected_a);
        radio_sign(f.radio, (Slice){b, sizeof(b)}, on_one_signed, expected_b);
        fixture_until(&f, n_signed == 2);
}
END_TEST

START_TEST(sign_sizes) {
        static uint8_t data[RADIO_SIGN_MAX + 1];

        radio_sign(f.radio, (Slice){data, sizeof(data)}, on_bytes, &f);
        await_unheard("8192");
        radio_sign(f.radio, (Slice){data, RADIO_SIGN_MAX}, on_bytes, &f);
        await(OUTCOME_OK, NULL);
        radio_sign(f.radio, (Slice){NULL, 0}, on_bytes, &f);
        await(OUTCOME_OK, NULL);
        f.peer->refuse[CMD_SIGN_DATA] = ERR_BAD_STATE;
        radio_sign(f.radio, (Slice){data, 10}, on_bytes, &f);
        await(OUTCOME_IN_PROGRESS, NULL);
        ck_assert_uint_eq(n_given, 0);
}
END_TEST

START_TEST(export_and_import) {
        SimIdentity other = sim_identity_from_text("another one");
        PublicKey old = *identity_key(radio_identity(f.radio));
        PublicKey sender = key_of(1);
        uint64_t before;

        radio_export_key(f.radio, on_bytes, &f);
        await(OUTCOME_OK, NULL);
        ck_assert_uint_eq(n_given, RADIO_KEY_SIZE);
        ck_assert_mem_eq(given, engine_identity(f.peer->engine)->private_key, RADIO_KEY_SIZE);

        peer_forget(f.peer);
        radio_import_key(f.radio, (Slice){given, 32}, on_done, &f);
        await_unheard("64 bytes");
        given[0] |= 1;
        radio_import_key(f.radio, (Slice){given, RADIO_KEY_SIZE}, on_done, &f);
        await_unheard("expanded");
        given[0] &= 0xF8;

        /* The same again: nothing changes. */
        radio_import_key(f.radio, (Slice){given, RADIO_KEY_SIZE}, on_done, &f);
        await(OUTCOME_OK, NULL);
        fixture_settle(&f);
        ck_assert_int_eq(radio_state(f.radio), RADIO_READY);
        ck_assert_uint_eq(f.peer->connections, 1);

        /* Another: what waits is fetched for the old one, then everything is the new one's. */
        peer_queue_text(f.peer, &sender, 1700000001, "for the old one");
        radio_import_key(f.radio, (Slice){other.private_key, RADIO_KEY_SIZE}, on_done, &f);
        before = identity_last_message_id(radio_identity(f.radio));
        fixture_until(&f, identity_last_message_id(radio_identity(f.radio)) > before);
        ck_assert(key_equal(identity_key(radio_identity(f.radio)), &old));
        await(OUTCOME_OK, NULL);
        fixture_until(&f, radio_state(f.radio) == RADIO_READY && f.peer->connections == 2);
        ck_assert(key_equal(identity_key(radio_identity(f.radio)), &other.key));
        ck_assert_ptr_nonnull(strstr(f.log->str, "sim:waiting/restarting|"));
}
END_TEST

static bool say_disabled(Peer *peer, const uint8_t *frame, size_t size, void *userdata) {
        if (frame[0] != CMD_EXPORT_PRIVATE_KEY && frame[0] != CMD_IMPORT_PRIVATE_KEY)
                return true;

        peer_push(peer, "\x0f", 1);
        return false;
}

START_TEST(keys_disabled) {
        SimIdentity other = sim_identity_from_text("another one");

        f.peer->on_command = say_disabled;
        radio_export_key(f.radio, on_bytes, &f);
        await(OUTCOME_NOT_SUPPORTED, "build");
        ck_assert_uint_eq(n_given, 0);
        radio_import_key(f.radio, (Slice){other.private_key, RADIO_KEY_SIZE}, on_done, &f);
        await(OUTCOME_NOT_SUPPORTED, "build");
        fixture_settle(&f);
        ck_assert_int_eq(radio_state(f.radio), RADIO_READY);
}
END_TEST

/* -- others ----------------------------------------------------------------------------------- */

START_TEST(old_firmware) {
        ck_assert_uint_eq(info()->n_repeat_ranges, 0);
        radio_set_path_hash_size(f.radio, 2, on_done, &f);
        await(OUTCOME_NOT_SUPPORTED, "1.14");
        set_scope("bergen", NULL, true);
        await(OUTCOME_NOT_SUPPORTED, "1.15");
        set_scope("*", NULL, false);
        await(OUTCOME_NOT_SUPPORTED, "1.16");
        set_parameters(RADIO_PARAMETER_REPEAT, 0, 0, 0, 0, true);
        await(OUTCOME_NOT_SUPPORTED, "1.13");
        radio_get_stats(f.radio, RADIO_STATS_CORE, on_stats, &f);
        await(OUTCOME_NOT_SUPPORTED, "1.11");
        radio_set_tx_power(f.radio, -1, on_done, &f);
        await(OUTCOME_INVALID_ARGUMENTS, "0 to 22");

        set_parameters(RADIO_PARAMETER_CODING, 0, 0, 0, 7, false);
        await(OUTCOME_OK, NULL);
        ck_assert_uint_eq(info()->coding_rate, 7);
}
END_TEST

START_TEST(away) {
        radio_stop(f.radio);
        radio_set_name(f.radio, "Name", on_done, &f);
        await(OUTCOME_NOT_CONNECTED, NULL);
        radio_export_key(f.radio, on_bytes, &f);
        await(OUTCOME_NOT_CONNECTED, NULL);
        radio_reboot(f.radio, on_done, &f);
        await(OUTCOME_NOT_CONNECTED, NULL);
}
END_TEST

START_TEST(lost_in_the_middle) {
        f.peer->mute[CMD_SIGN_FINISH] = true;
        radio_sign(f.radio, (Slice){(const uint8_t *) "abc", 3}, on_bytes, &f);
        fixture_until(&f, peer_count(f.peer, CMD_SIGN_FINISH) == 1);
        peer_drop(f.peer);
        await(OUTCOME_LINK_LOST, NULL);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("radio-settings");
        TCase *now = tcase_create("settings"), *old = tcase_create("old-firmware");

        tcase_add_checked_fixture(now, setup, teardown);
        tcase_add_test(now, own_name);
        tcase_add_test(now, location);
        tcase_add_test(now, power);
        tcase_add_test(now, path_hash_and_pin);
        tcase_add_test(now, parameters);
        tcase_add_test(now, frequency_does_not_creep);
        tcase_add_test(now, other_parameters);
        tcase_add_test(now, tuning);
        tcase_add_test(now, scope);
        tcase_add_test(now, custom_variables);
        tcase_add_test(now, clock_is_set_or_ahead);
        tcase_add_test(now, told_after_ready);
        tcase_add_test(now, statistics);
        tcase_add_test(now, telemetry);
        tcase_add_test(now, telemetry_of_many_kinds);
        tcase_add_test(now, adverts);
        tcase_add_test(now, reboot);
        tcase_add_test(now, reboot_without_a_drop);
        tcase_add_test(now, reboot_refused);
        tcase_add_test(now, factory_reset);
        tcase_add_test(now, sign);
        tcase_add_test(now, sign_two);
        tcase_add_test(now, sign_sizes);
        tcase_add_test(now, export_and_import);
        tcase_add_test(now, keys_disabled);
        tcase_add_test(now, away);
        tcase_add_test(now, lost_in_the_middle);
        suite_add_tcase(suite, now);
        tcase_add_checked_fixture(old, setup_old, teardown);
        tcase_add_test(old, old_firmware);
        suite_add_tcase(suite, old);
        return fixture_run(suite);
}
