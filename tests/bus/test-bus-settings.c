/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The part of the Radio interface that changes and asks the radio itself. */

#include <check.h>
#include <string.h>

#include "bus-fixture.h"

static void ask(Fixture *f, sd_bus_message **ret_reply, const char *member, const char *types, ...) {
        sd_bus_message *call = fixture_new_call(f, RADIO_PATH, BUS_RADIO, member);
        va_list ap;

        va_start(ap, types);
        if (types)
                ck_assert_int_ge(sd_bus_message_appendv(call, types, ap), 0);
        va_end(ap);
        fixture_call_async(f, call, ret_reply);
}

/* The radio was asked for text, the caller heard nothing until it was done, and then that it worked. */
#define WORKS(f, text, ...)                                             \
        G_STMT_START {                                                  \
                g_autoptr(sd_bus_message) r_ = NULL;                    \
                                                                        \
                ask((f), &r_, __VA_ARGS__);                             \
                ck_assert_ptr_null(r_);                                 \
                ck_assert_ptr_nonnull(fake_radio_request((f)->radio));  \
                ck_assert_str_eq(fake_radio_request((f)->radio), text); \
                fake_radio_answer((f)->radio, OUTCOME_OK);              \
                fixture_run(f);                                         \
                ck_assert_ptr_nonnull(r_);                              \
                assert_reply_ok(r_);                                    \
                ck_assert_int_gt(sd_bus_message_at_end(r_, true), 0);   \
        }                                                               \
        G_STMT_END

#define REFUSED(f, words, ...)                                                                 \
        G_STMT_START {                                                                         \
                g_autoptr(sd_bus_message) r_ = NULL;                                           \
                                                                                               \
                ask((f), &r_, __VA_ARGS__);                                                    \
                ck_assert_ptr_nonnull(r_);                                                     \
                assert_reply_error(r_, "InvalidArguments");                                    \
                ck_assert_ptr_nonnull(strstr(sd_bus_message_get_error(r_)->message, (words))); \
                ck_assert_uint_eq(fake_radio_n_requests((f)->radio), 0);                       \
        }                                                                                      \
        G_STMT_END

START_TEST(setters) {
        g_autoptr(Fixture) f = fixture_new();

        WORKS(f, "set-name Renamed ✓", "SetName", "s", "Renamed ✓");
        WORKS(f, "set-location -48.137155 11.576100", "SetLocation", "dd", -48.1371545001, 11.5761);
        WORKS(f, "set-tx-power -9", "SetTxPower", "i", -9);
        WORKS(f, "set-path-hash-size 3", "SetPathHashSize", "y", 3);
        WORKS(f, "set-pin 123456", "SetDevicePin", "u", 123456);
        WORKS(f, "set-parameters set=0x1f 869525000 250000 11 5 1", "SetRadioParameters", "a{sv}", 5,
              "FrequencyHz", "u", 869525000, "BandwidthHz", "u", 250000, "SpreadingFactor", "y", 11,
              "CodingRate", "y", 5, "ClientRepeat", "b", true);
        WORKS(f, "set-parameters set=0x8 0 0 0 7 0", "SetRadioParameters", "a{sv}", 1, "CodingRate", "y", 7);
        WORKS(f, "set-other set=0x24 0 deny allow deny 0 1", "SetOther", "a{sv}", 2, "TelemetryLocation", "s",
              "allow", "MultiAcks", "b", true);
        WORKS(f, "set-other set=0x1b 1 contact-flags deny deny 1 0", "SetOther", "a{sv}", 4, "ManualAdd", "b",
              true, "TelemetryBase", "s", "contact-flags", "TelemetryEnvironment", "s", "deny",
              "AdvertLocation", "b", true);
        WORKS(f, "set-tuning set=0x2 0.000 1.500", "SetTuning", "a{sv}", 1, "AirtimeFactor", "d", 1.5);
        WORKS(f, "set-scope bergen key=00", "SetFloodScope", "sa{sv}", "bergen", 0);
        WORKS(f, "set-scope bergen key=53 default", "SetFloodScope", "sa{sv}", "bergen", 2, "Default", "b",
              true, "Key", "ay", 16, 0x53, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
        WORKS(f, "set-variable gps 1", "SetVariable", "ss", "gps", "1");
        WORKS(f, "advertise", "Advertise", "a{sv}", 0);
        WORKS(f, "advertise flood", "Advertise", "a{sv}", 1, "Flood", "b", true);
        WORKS(f, "reboot", "Reboot", NULL);
        WORKS(f, "import-key 3 bytes", "ImportKey", "ay", 3, 1, 2, 3);
}
END_TEST

START_TEST(refused) {
        g_autoptr(Fixture) f = fixture_new();

        REFUSED(f, "Unknown key Frequency", "SetRadioParameters", "a{sv}", 1, "Frequency", "u", 1);
        REFUSED(f, "FrequencyHz has type d", "SetRadioParameters", "a{sv}", 1, "FrequencyHz", "d", 869.5);
        REFUSED(f, "instead of deny, contact-flags or allow", "SetOther", "a{sv}", 1, "TelemetryBase", "s",
                "maybe");
        REFUSED(f, "3 bytes instead of 16", "SetFloodScope", "sa{sv}", "x", 1, "Key", "ay", 3, 1, 2, 3);
        REFUSED(f, "core, radio and packets", "GetStats", "s", "weather");
        REFUSED(f, "Unknown key flood", "Advertise", "a{sv}", 1, "flood", "b", true);
}
END_TEST

START_TEST(errors_have_names) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(sd_bus_message) reply = NULL, other = NULL;

        ask(f, &reply, "Advertise", "a{sv}", 1, "Flood", "b", true);
        fake_radio_answer(f->radio, OUTCOME_RATE_LIMITED);
        fixture_run(f);
        assert_reply_error(reply, "RateLimited");
        ask(f, &other, "ExportKey", NULL);
        fake_radio_answer(f->radio, OUTCOME_NOT_SUPPORTED);
        fixture_run(f);
        assert_reply_error(other, "NotSupported");
}
END_TEST

/* -- what tells something ------------------------------------------------------------- */

static sd_bus_message *answered(Fixture *f, const void *bytes, size_t size, const char *member,
                                const char *argument) {
        sd_bus_message *reply = NULL;

        ask(f, &reply, member, argument ? "s" : NULL, argument);
        ck_assert_ptr_null(reply);
        fake_radio_answer_card(f->radio, bytes, size, NULL);
        fixture_run(f);
        ck_assert_ptr_nonnull(reply);
        assert_reply_ok(reply);
        return reply;
}

START_TEST(statistics) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(sd_bus_message) core = answered(f, NULL, 0, "GetStats", "core");
        g_autoptr(sd_bus_message) radio = answered(f, NULL, 0, "GetStats", "radio");
        g_autoptr(sd_bus_message) packets = answered(f, NULL, 0, "GetStats", "packets");
        g_autoptr(sd_bus_message) newer = answered(f, "x", 1, "GetStats", "packets");
        const char *first, *second;
        uint64_t usec;
        uint32_t n;
        double snr;
        int dbm;

        ck_assert(enter_key(core, "UptimeUSec", "t"));
        ck_assert_int_gt(sd_bus_message_read(core, "t", &usec), 0);
        ck_assert_uint_eq(usec, 119000000);
        ck_assert_int_ge(sd_bus_message_rewind(core, true), 0);
        ck_assert(enter_key(core, "Errors", "as"));
        ck_assert_int_gt(sd_bus_message_read(core, "as", 2, &first, &second), 0);
        ck_assert_str_eq(first, "pool-full");
        ck_assert_str_eq(second, "rx-start-timeout");

        ck_assert(enter_key(radio, "NoiseFloor", "i"));
        ck_assert_int_gt(sd_bus_message_read(radio, "i", &dbm), 0);
        ck_assert_int_eq(dbm, -117);
        ck_assert_int_ge(sd_bus_message_rewind(radio, true), 0);
        ck_assert(enter_key(radio, "LastSnr", "d"));
        ck_assert_int_gt(sd_bus_message_read(radio, "d", &snr), 0);
        ck_assert_double_eq(snr, 7.5);

        ck_assert(!enter_key(packets, "ReceiveErrors", "u"));
        ck_assert(enter_key(newer, "ReceiveErrors", "u"));
        ck_assert_int_gt(sd_bus_message_read(newer, "u", &n), 0);
        ck_assert_uint_eq(n, 1);
}
END_TEST

START_TEST(telemetry) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(sd_bus_message) reply = answered(f, NULL, 0, "GetTelemetry", NULL);
        const char *signature;

        signature = sd_bus_message_get_signature(reply, true);
        ck_assert_str_eq(signature, "aa{sv}");
        ck_assert_int_gt(sd_bus_message_enter_container(reply, 'a', "a{sv}"), 0);
        for (unsigned i = 0; i < 3; i++)
                ck_assert_int_gt(sd_bus_message_skip(reply, "a{sv}"), 0);
        ck_assert_int_gt(sd_bus_message_at_end(reply, false), 0);
}
END_TEST

START_TEST(variables_and_clock) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(sd_bus_message) variables = answered(f, NULL, 0, "GetVariables", NULL);
        g_autoptr(sd_bus_message) set = answered(f, NULL, 0, "SyncTime", NULL);
        g_autoptr(sd_bus_message) ahead = answered(f, "x", 1, "SyncTime", NULL);
        const char *n1, *v1, *n2, *v2, *text;

        ck_assert_int_gt(sd_bus_message_read(variables, "a{ss}", 2, &n1, &v1, &n2, &v2), 0);
        ck_assert_str_eq(n1, "gps");
        ck_assert_str_eq(v2, "300");
        ck_assert_int_gt(sd_bus_message_read(set, "s", &text), 0);
        ck_assert_str_eq(text, "set");
        ck_assert_int_gt(sd_bus_message_read(ahead, "s", &text), 0);
        ck_assert_str_eq(text, "radio-ahead");
}
END_TEST

START_TEST(keys) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(sd_bus_message) key = answered(f, "secret", 6, "ExportKey", NULL), signature = NULL;
        const void *bytes;
        size_t size;

        ck_assert_int_gt(sd_bus_message_read_array(key, 'y', &bytes, &size), 0);
        ck_assert_uint_eq(size, 6);
        ck_assert_mem_eq(bytes, "secret", 6);

        ask(f, &signature, "Sign", "ay", 3, 1, 2, 3);
        ck_assert_str_eq(fake_radio_request(f->radio), "sign 3 bytes");
        fake_radio_answer_card(f->radio, "signature", 9, NULL);
        fixture_run(f);
        assert_reply_ok(signature);
        ck_assert_int_gt(sd_bus_message_read_array(signature, 'y', &bytes, &size), 0);
        ck_assert_mem_eq(bytes, "signature", 9);
}
END_TEST

START_TEST(factory_reset) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(sd_bus_message) away = NULL, first = NULL, second = NULL;
        const char *text;

        ask(f, &away, "FactoryReset", "s", "");
        assert_reply_error(away, "NotConnected");
        fake_radio_enter_state(f->radio, RADIO_READY, REASON_NONE);
        ask(f, &first, "FactoryReset", "s", "");
        ck_assert_ptr_nonnull(first);
        assert_reply_ok(first);
        ck_assert_int_gt(sd_bus_message_read(first, "s", &text), 0);
        ck_assert_str_eq(text, "a-token");
        ck_assert_uint_eq(fake_radio_n_requests(f->radio), 0);
        ask(f, &second, "FactoryReset", "s", "a-token");
        ck_assert_ptr_null(second);
        ck_assert_str_eq(fake_radio_request(f->radio), "factory-reset a-token");
        fake_radio_answer(f->radio, OUTCOME_OK);
        fixture_run(f);
        assert_reply_ok(second);
}
END_TEST

/* -- properties -------------------------------------------------------------------------- */

START_TEST(properties) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(sd_bus_message) ranges = NULL, delay = NULL;
        g_autofree char *base = NULL, *scope = NULL;
        RadioInfo *info = fake_radio_info(f->radio);
        uint32_t low, high;
        double value;

        delay = fixture_get(f, RADIO_PATH, BUS_RADIO, "RxDelay", "d");
        ck_assert_int_gt(sd_bus_message_read(delay, "d", &value), 0);
        ck_assert_double_eq(value, -1);
        delay = sd_bus_message_unref(delay);

        info->telemetry_base = TELEMETRY_ALLOW;
        info->path_hash_size = 2;
        info->has_tuning = true;
        info->rx_delay_x1000 = 1250;
        info->default_scope = g_strdup("bergen");
        info->n_repeat_ranges = 1;
        info->repeat_ranges[0] = (RadioRange){433000000, 433500000};
        fixture_clear_signals(f);
        fake_radio_notify(f->radio, RADIO_CHANGED_OTHER | RADIO_CHANGED_PATH_HASH | RADIO_CHANGED_TUNING |
                                                    RADIO_CHANGED_SCOPE | RADIO_CHANGED_REPEAT);
        fixture_run(f);
        ck_assert(fixture_has_signal(f, "PropertiesChanged " RADIO_PATH
                                        " Radio AdvertLocation,AirtimeFactor,AllowedRepeatFrequencies,"
                                        "DefaultFloodScope,MultiAcks,PathHashSize,RxDelay,TelemetryBase,"
                                        "TelemetryEnvironment,TelemetryLocation"));

        base = fixture_get_string(f, RADIO_PATH, BUS_RADIO, "TelemetryBase");
        ck_assert_str_eq(base, "allow");
        scope = fixture_get_string(f, RADIO_PATH, BUS_RADIO, "DefaultFloodScope");
        ck_assert_str_eq(scope, "bergen");
        ck_assert_uint_eq(fixture_get_number(f, RADIO_PATH, BUS_RADIO, "PathHashSize", "y"), 2);
        delay = fixture_get(f, RADIO_PATH, BUS_RADIO, "RxDelay", "d");
        ck_assert_int_gt(sd_bus_message_read(delay, "d", &value), 0);
        ck_assert_double_eq(value, 1.25);
        ranges = fixture_get(f, RADIO_PATH, BUS_RADIO, "AllowedRepeatFrequencies", "a(uu)");
        ck_assert_int_gt(sd_bus_message_read(ranges, "a(uu)", 1, &low, &high), 0);
        ck_assert_uint_eq(low, 433000000);
        ck_assert_uint_eq(high, 433500000);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("bus-settings");
        TCase *tcase = tcase_create("all");
        SRunner *runner;
        int failed;

        tcase_add_test(tcase, setters);
        tcase_add_test(tcase, refused);
        tcase_add_test(tcase, errors_have_names);
        tcase_add_test(tcase, statistics);
        tcase_add_test(tcase, telemetry);
        tcase_add_test(tcase, variables_and_clock);
        tcase_add_test(tcase, keys);
        tcase_add_test(tcase, factory_reset);
        tcase_add_test(tcase, properties);
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed > 0;
}
