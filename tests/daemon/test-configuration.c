/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <check.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

#include "configuration.h"
#include "link.h"
#include "log.h"
#include "macros.h"
#include "settings.h"

#define KEY "0102030405060708090a0b0c0d0e0f10112233445566778899aabbccddeeff00"

static Configuration *config;
static char *directory;

static void setup(void) {
        config = configuration_new();
        directory = g_dir_make_tmp("meshcored-config-XXXXXX", NULL);
        ck_assert_ptr_nonnull(directory);
}

static void remove_tree(const char *path) {
        GDir *dir = g_dir_open(path, 0, NULL);
        const char *name;

        while (dir && (name = g_dir_read_name(dir))) {
                g_autofree char *child = g_build_filename(path, name, NULL);

                remove_tree(child);
        }
        if (dir)
                g_dir_close(dir);
        (void) g_remove(path);
}

static void teardown(void) {
        config = configuration_free(config);
        remove_tree(directory);
        g_clear_pointer(&directory, g_free);
}

static void parse(const char *text) {
        configuration_parse(config, "test.conf", text, strlen(text));
}

static const RadioSettings *radio_at(guint i) {
        ck_assert_uint_lt(i, config->radios->len);
        return config->radios->pdata[i];
}

static const ConfigurationProblem *problem_at(guint i) {
        ck_assert_uint_lt(i, config->problems->len);
        return config->problems->pdata[i];
}

START_TEST(nothing) {
        parse("");
        configuration_finish(config);
        ck_assert_uint_eq(config->radios->len, 0);
        ck_assert_uint_eq(config->problems->len, 0);
        ck_assert_int_lt(config->log_level, 0);
}
END_TEST

START_TEST(defaults) {
        const RadioSettings *radio;

        parse("[Radio sim]\nTransport=tcp://127.0.0.1:5001\n");
        configuration_finish(config);
        ck_assert_uint_eq(config->problems->len, 0);
        radio = radio_at(0);
        ck_assert_str_eq(radio->id, "sim");
        ck_assert_int_eq(radio->transport, TRANSPORT_TCP);
        ck_assert_str_eq(radio->address, "127.0.0.1");
        ck_assert_uint_eq(radio->port, 5001);
        ck_assert(!radio->has_public_key);
        ck_assert_int_lt(radio->serial_lines, 0);
        ck_assert_int_lt(config->discover, 0);
        ck_assert(radio->enabled);
        ck_assert(!radio->trust_clock);
        ck_assert(radio->set_clock);
        ck_assert_uint_eq(radio->backoff_cap_usec, 60 * USEC_PER_SEC);
        ck_assert_uint_eq(radio->poll_usec, 300 * USEC_PER_SEC);
        ck_assert_uint_eq(radio->airtime_percent, 5);
}
END_TEST

START_TEST(every_key) {
        const RadioSettings *radio;
        KeyText key;

        parse("\xEF\xBB\xBF# a comment\r\n"
              "; another\r\n"
              "[Daemon]\r\n"
              "LogLevel = debug\r\n"
              "Discover = yes\r\n"
              "\r\n"
              "  [Radio hut_1-b]  \r\n"
              " Transport = tcp://[fe80::1%eth0]:4000 \r\n"
              "PublicKey=" KEY "\r\n"
              "Enabled=No\r\n"
              "TrustClock=yes\r\n"
              "SetClock=off\r\n"
              "SerialLines=keep\r\n"
              "ReconnectMaxSec=900\r\n"
              "PollIntervalSec=10\n"
              "AirtimeBudgetPercent=100");
        configuration_finish(config);
        ck_assert_uint_eq(config->problems->len, 0);
        ck_assert_int_eq(config->log_level, LOG_DEBUG);
        ck_assert_int_eq(config->discover, 1);
        radio = radio_at(0);
        ck_assert_str_eq(radio->id, "hut_1-b");
        ck_assert_str_eq(radio->address, "fe80::1%eth0");
        ck_assert_uint_eq(radio->port, 4000);
        ck_assert_int_eq(radio->serial_lines, SERIAL_LINES_KEEP);
        ck_assert(radio->has_public_key);
        key = key_to_text(&radio->public_key);
        ck_assert_str_eq(key.text, KEY);
        ck_assert(!radio->enabled);
        ck_assert(radio->trust_clock);
        ck_assert(!radio->set_clock);
        ck_assert_uint_eq(radio->backoff_cap_usec, 900 * USEC_PER_SEC);
        ck_assert_uint_eq(radio->poll_usec, 10 * USEC_PER_SEC);
        ck_assert_uint_eq(radio->airtime_percent, 100);
}
END_TEST

START_TEST(several_radios_in_order) {
        parse("[Radio b]\nTransport=tcp://b\n[Radio a]\nTransport=tcp://a\n[Radio b]\nEnabled=no\n");
        configuration_finish(config);
        ck_assert_uint_eq(config->radios->len, 2);
        ck_assert_str_eq(radio_at(0)->id, "b");
        ck_assert(!radio_at(0)->enabled);
        ck_assert_str_eq(radio_at(1)->id, "a");
        ck_assert_uint_eq(radio_at(1)->port, 5000);
}
END_TEST

#define GOOD        "[Radio x]\nTransport=tcp://h\n"
#define BAD_SECONDS "expected whole seconds from 10 to 86400, without a unit; ignored"
#define BAD_NAME                                                                                           \
        " is no name for a radio: expected 1 to 32 letters, digits, \"-\" and \"_\"; the section is left " \
        "out"
#define BAD_KEY  "expected a public key of 64 hex digits; the radio is left out"
#define ZERO_KEY "0000000000000000000000000000000000000000000000000000000000000000"

/* One mistake makes one line that says where, and the rest runs. */
static const struct {
        const char *text;
        int level;
        const char *problem;
        bool runs; /* radio x, still */
} mistakes_table[] = {
                {GOOD "PollInterval=5\n", LOG_WARNING,
                 "test.conf:3: [Radio x] unknown key \"PollInterval\"; ignored", true},
                {GOOD "Enabled=maybe\n", LOG_WARNING,
                 "test.conf:3: [Radio x] Enabled: expected yes or no; ignored", true},
                {GOOD "AirtimeBudgetPercent=0\n", LOG_WARNING,
                 "test.conf:3: [Radio x] AirtimeBudgetPercent: expected whole percent from 1 to 100; ignored",
                 true},
                {GOOD "AirtimeBudgetPercent=5%\n", LOG_WARNING,
                 "test.conf:3: [Radio x] AirtimeBudgetPercent: expected whole percent from 1 to 100; ignored",
                 true},
                {GOOD "PollIntervalSec=1min\n", LOG_WARNING,
                 "test.conf:3: [Radio x] PollIntervalSec: " BAD_SECONDS, true},
                {GOOD "PollIntervalSec=9\n", LOG_WARNING,
                 "test.conf:3: [Radio x] PollIntervalSec: " BAD_SECONDS, true},
                {GOOD "PollIntervalSec=-60\n", LOG_WARNING,
                 "test.conf:3: [Radio x] PollIntervalSec: " BAD_SECONDS, true},
                {GOOD "PollIntervalSec=99999999999999999999999\n", LOG_WARNING,
                 "test.conf:3: [Radio x] PollIntervalSec: " BAD_SECONDS, true},
                {"[Daemon]\nLogLevel=loud\n" GOOD, LOG_WARNING,
                 "test.conf:2: [Daemon] LogLevel: expected debug, info, notice, warning or err; ignored",
                 true},
                {"[Daemon]\nDiscover=perhaps\n" GOOD, LOG_WARNING,
                 "test.conf:2: [Daemon] Discover: expected yes or no; ignored", true},
                {GOOD "SerialLines=other\n", LOG_WARNING,
                 "test.conf:3: [Radio x] SerialLines: expected auto, on, off or keep; ignored", true},
                {"[Daemon]\nColour=red\n" GOOD, LOG_WARNING,
                 "test.conf:2: [Daemon] unknown key \"Colour\"; ignored", true},
                {"Enabled=no\n" GOOD, LOG_WARNING,
                 "test.conf:1: \"Enabled\" stands before the first section; ignored", true},
                {"[Bluetooth]\nPin=1\n" GOOD, LOG_WARNING,
                 "test.conf:1: unknown section \"Bluetooth\"; expected [Radio NAME] or [Daemon]", true},
                {GOOD "Transport tcp://h\n", LOG_ERR,
                 "test.conf:3: [Radio x] \"Transport tcp://h\" is neither a section, Key=Value, nor a "
                 "comment; "
                 "ignored",
                 true},
                {GOOD "Name=\xFF\n", LOG_ERR, "test.conf:3: [Radio x] the line is not UTF-8 text; ignored",
                 true},
                {GOOD "[Radio\n", LOG_ERR,
                 "test.conf:3: a section header ends in \"]\"; the section is left out", true},
                {GOOD "[Radio a b]\nTransport=tcp://h\n", LOG_ERR, "test.conf:3: \"a b\"" BAD_NAME, true},
                {GOOD "[Radio \x1B[2J]\nTransport=tcp://h\n", LOG_ERR, "test.conf:3: \"\\x1b[2J\"" BAD_NAME,
                 true},
                {"[Radio x]\nEnabled=yes\n", LOG_ERR, "[Radio x] Transport: missing; the radio is left out",
                 false},
                {"[Radio x]\nTransport=/dev/ttyUSB0\n", LOG_ERR,
                 "test.conf:2: [Radio x] Transport: expected tcp://HOST[:PORT], serial:/dev/…, serial:auto "
                 "or "
                 "ble:ADDRESS; the radio is left out",
                 false},
                {GOOD "PublicKey=abc\n", LOG_ERR, "test.conf:3: [Radio x] PublicKey: " BAD_KEY, false},
                {GOOD "PublicKey=" ZERO_KEY "\n", LOG_ERR, "test.conf:3: [Radio x] PublicKey: " BAD_KEY,
                 false},
};

START_TEST(mistakes) {
        parse(mistakes_table[_i].text);
        configuration_finish(config);
        ck_assert_uint_eq(config->problems->len, 1);
        ck_assert_str_eq(problem_at(0)->text, mistakes_table[_i].problem);
        ck_assert_int_eq(problem_at(0)->level, mistakes_table[_i].level);
        ck_assert_uint_eq(config->radios->len, mistakes_table[_i].runs ? 1 : 0);
        if (mistakes_table[_i].runs) {
                ck_assert_str_eq(radio_at(0)->id, "x");
                ck_assert_str_eq(radio_at(0)->address, "h");
                ck_assert(radio_at(0)->enabled);
                ck_assert_uint_eq(radio_at(0)->poll_usec, 300 * USEC_PER_SEC);
        }
}
END_TEST

START_TEST(nul_bytes) {
        static const char text[] = "[Radio x]\nTransport=tcp://h\0evil\nTransport=tcp://good\n";

        configuration_parse(config, "test.conf", text, sizeof(text) - 1);
        configuration_finish(config);
        ck_assert_str_eq(problem_at(0)->text, "test.conf:2: [Radio x] the line is not UTF-8 text; ignored");
        ck_assert_str_eq(radio_at(0)->address, "good");
}
END_TEST

START_TEST(transports) {
        static const struct {
                const char *value;
                int transport;
                const char *address;
                unsigned port;
        } cases[] = {
                        {"tcp://10.0.0.1", TRANSPORT_TCP, "10.0.0.1", 5000},
                        {"tcp://10.0.0.1:1", TRANSPORT_TCP, "10.0.0.1", 1},
                        {"tcp://hut.example.org:65535", TRANSPORT_TCP, "hut.example.org", 65535},
                        {"tcp://[::1]", TRANSPORT_TCP, "::1", 5000},
                        {"tcp://[::1]:80", TRANSPORT_TCP, "::1", 80},
                        {"serial:auto", TRANSPORT_SERIAL, "auto", 0},
                        {"serial:/dev/serial/by-id/usb-a_b", TRANSPORT_SERIAL, "/dev/serial/by-id/usb-a_b",
                         0},
                        {"ble:AA:BB:CC:DD:EE:FF", TRANSPORT_BLE, "AA:BB:CC:DD:EE:FF", 0},
                        {"ble:MeshCore-Grüße", TRANSPORT_BLE, "MeshCore-Grüße", 0},
                        {"ble:", TRANSPORT_BLE, "", 0},
                        {"", -1, NULL, 0},
                        {"tcp://", -1, NULL, 0},
                        {"tcp://:5000", -1, NULL, 0},
                        {"tcp://host:", -1, NULL, 0},
                        {"tcp://host:0", -1, NULL, 0},
                        {"tcp://host:65536", -1, NULL, 0},
                        {"tcp://host:000080", -1, NULL, 0},
                        {"tcp://host:+80", -1, NULL, 0},
                        {"tcp://host:80/", -1, NULL, 0},
                        {"tcp://::1", -1, NULL, 0},
                        {"tcp://[::1", -1, NULL, 0},
                        {"tcp://[]", -1, NULL, 0},
                        {"tcp://[::1]80", -1, NULL, 0},
                        {"tcp://user@host", -1, NULL, 0},
                        {"tcp://ho st", -1, NULL, 0},
                        {"serial:", -1, NULL, 0},
                        {"serial:ttyUSB0", -1, NULL, 0},
                        {"serial:/dev/tty\n", -1, NULL, 0},
                        {"ble:a\tb", -1, NULL, 0},
                        {"usb:1", -1, NULL, 0},
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                g_autoptr(RadioSettings) settings = radio_settings_new("x");
                const char *why = NULL;
                int r;

                r = radio_settings_set_transport(settings, cases[i].value, &why);
                if (cases[i].transport < 0) {
                        ck_assert_msg(r == -EINVAL, "accepted: %s", cases[i].value);
                        ck_assert_ptr_nonnull(why);
                        ck_assert_ptr_null(settings->address);
                        continue;
                }
                ck_assert_msg(r == 0, "refused: %s", cases[i].value);
                ck_assert_int_eq((int) settings->transport, cases[i].transport);
                ck_assert_str_eq(settings->address, cases[i].address);
                ck_assert_uint_eq(settings->port, cases[i].port);
        }
}
END_TEST

START_TEST(bluetooth_keys) {
        parse("[Radio x]\nTransport=ble:\nAdapter=hci1\nPinFile=/etc/meshcored/pin\n");
        ck_assert_uint_eq(config->problems->len, 0);
        ck_assert_str_eq(radio_at(0)->adapter, "hci1");
        ck_assert_str_eq(radio_at(0)->pin_file, "/etc/meshcored/pin");

        parse("[Radio x]\nAdapter=hci 1\nPinFile=pin\n");
        ck_assert_uint_eq(config->problems->len, 2);
        ck_assert_str_eq(radio_at(0)->adapter, "hci1");
        ck_assert_str_eq(radio_at(0)->pin_file, "/etc/meshcored/pin");

        parse("[Radio x]\nAdapter=\nPinFile=\n");
        ck_assert_ptr_null(radio_at(0)->adapter);
        ck_assert_ptr_null(radio_at(0)->pin_file);
}
END_TEST

/* A drop-in overrides, brings defaults back with an empty value, and mends. */
START_TEST(later_assignments_win) {
        parse("[Daemon]\nLogLevel=debug\n"
              "[Radio a]\nTransport=tcp://a\nPublicKey=" KEY "\nEnabled=no\nReconnectMaxSec=5\n"
              "[Radio b]\nTransport=nonsense\n[Radio c]\nTransport=tcp://c\nPublicKey=short\n");
        parse("[Daemon]\nLogLevel=\n"
              "[Radio a]\nPublicKey=\nEnabled=\nReconnectMaxSec=\nTransport=tcp://z:1\n"
              "[Radio b]\nTransport=tcp://b\n[Radio c]\nPublicKey=" KEY "\n");
        configuration_finish(config);
        ck_assert_int_lt(config->log_level, 0);
        ck_assert_uint_eq(config->radios->len, 3);
        ck_assert_str_eq(radio_at(0)->address, "z");
        ck_assert_uint_eq(radio_at(0)->port, 1);
        ck_assert(!radio_at(0)->has_public_key);
        ck_assert(radio_at(0)->enabled);
        ck_assert_uint_eq(radio_at(0)->backoff_cap_usec, 60 * USEC_PER_SEC);
        ck_assert_str_eq(radio_at(1)->address, "b");
        ck_assert(radio_at(2)->has_public_key);
}
END_TEST

START_TEST(bounds) {
        g_autoptr(GString) text = g_string_new(NULL);

        for (unsigned i = 0; i < 2000; i++)
                g_string_append_printf(text, "[Radio r%u]\nTransport=tcp://h\nNonsense=1\n", i);
        parse(text->str);
        configuration_finish(config);
        ck_assert_uint_eq(config->radios->len, CONFIGURATION_RADIOS_MAX);
        ck_assert_uint_eq(config->problems->len, CONFIGURATION_PROBLEMS_MAX);
        ck_assert_uint_gt(config->n_dropped, 1000);
}
END_TEST

START_TEST(long_names_are_cut) {
        g_autofree char *name = g_strnfill(100000, 'a');
        g_autofree char *text = g_strdup_printf("[Radio %s]\n" GOOD "%s=1\n", name, name);

        parse(text);
        configuration_finish(config);
        ck_assert_uint_eq(config->radios->len, 1);
        ck_assert_uint_eq(config->problems->len, 2);
        for (guint i = 0; i < 2; i++)
                ck_assert_uint_lt(strlen(problem_at(i)->text), 300);
}
END_TEST

/* -- files ------------------------------------------------------------------- */

static char *write_file(const char *name, const char *text) {
        g_autofree char *path = g_build_filename(directory, name, NULL);
        g_autofree char *parent = g_path_get_dirname(path);

        ck_assert_int_eq(g_mkdir_with_parents(parent, 0700), 0);
        ck_assert(g_file_set_contents(path, text, -1, NULL));
        return g_steal_pointer(&path);
}

static int load(const char *path, bool must_exist) {
        config = configuration_free(config);
        return configuration_load(path, must_exist, &config);
}

START_TEST(no_file) {
        g_autofree char *path = g_build_filename(directory, "meshcored.conf", NULL);

        ck_assert_int_eq(load(path, true), -ENOENT);
        ck_assert_ptr_null(config);
        ck_assert_int_eq(load(path, false), 0);
        ck_assert_uint_eq(config->radios->len, 0);
        ck_assert_uint_eq(config->problems->len, 0);
}
END_TEST

START_TEST(dropins_in_order) {
        g_autofree char *path = write_file("m.conf", "[Radio a]\nTransport=tcp://main\n");
        g_autofree char *p1 = write_file("m.conf.d/20.conf", "[Radio a]\nTransport=tcp://second\n");
        g_autofree char *p2 =
                        write_file("m.conf.d/10.conf", "[Radio a]\nTransport=tcp://first\nEnabled=no\n");
        g_autofree char *p3 = write_file("m.conf.d/30.conf.dpkg-old", "[Radio a]\nTransport=tcp://old\n");
        g_autofree char *p4 = write_file("m.conf.d/.40.conf", "[Radio a]\nTransport=tcp://hidden\n");

        ck_assert_int_eq(load(path, true), 0);
        ck_assert_uint_eq(config->problems->len, 0);
        ck_assert_str_eq(radio_at(0)->address, "second");
        ck_assert(!radio_at(0)->enabled);
}
END_TEST

START_TEST(dropins_alone) {
        g_autofree char *path = g_build_filename(directory, "m.conf", NULL);
        g_autofree char *p1 = write_file("m.conf.d/a.conf", GOOD);

        ck_assert_int_eq(load(path, false), 0);
        ck_assert_uint_eq(config->radios->len, 1);
}
END_TEST

START_TEST(strange_files) {
        g_autofree char *path = write_file("m.conf", GOOD);
        g_autofree char *big = g_strnfill(CONFIGURATION_FILE_SIZE_MAX + 1, '#');
        g_autofree char *p1 = write_file("m.conf.d/10-big.conf", big);
        g_autofree char *p2 = g_build_filename(directory, "m.conf.d/20-directory.conf", NULL);
        g_autofree char *p3 = g_build_filename(directory, "m.conf.d/30-fifo.conf", NULL);
        g_autofree char *p4 = write_file("m.conf.d/40-good.conf", "[Radio b]\nTransport=tcp://h\n");

        ck_assert_int_eq(g_mkdir(p2, 0700), 0);
        ck_assert_int_eq(mkfifo(p3, 0600), 0);
        ck_assert_int_eq(load(path, true), 0);
        ck_assert_uint_eq(config->problems->len, 3);
        ck_assert_uint_eq(config->radios->len, 2);
        for (guint i = 0; i < 3; i++) {
                ck_assert(g_str_has_prefix(problem_at(i)->text, directory));
                ck_assert_int_eq(problem_at(i)->level, LOG_ERR);
        }
}
END_TEST

START_TEST(dropins_without_end) {
        g_autofree char *path = write_file("m.conf", "[Radio a]\nTransport=tcp://main\n");

        for (unsigned n = 0; n < 258; n++) {
                g_autofree char *name = g_strdup_printf("m.conf.d/%03u.conf", n);
                g_autofree char *text = g_strdup_printf("[Radio a]\nTransport=tcp://h%u\n", n);
                g_autofree char *file = write_file(name, text);
        }
        ck_assert_int_eq(load(path, true), 0);
        ck_assert_uint_eq(config->problems->len, 1);
        ck_assert_str_eq(radio_at(0)->address, "h255");
}
END_TEST

START_TEST(equality) {
        g_autoptr(RadioSettings) a = radio_settings_new("x");
        g_autoptr(RadioSettings) b = radio_settings_new("x");
        const char *why;

        ck_assert(radio_settings_equal(a, b));
        ck_assert_int_eq(radio_settings_set_transport(a, "tcp://h", &why), 0);
        ck_assert(!radio_settings_equal(a, b));
        ck_assert_int_eq(radio_settings_set_transport(b, "tcp://h:5000", &why), 0);
        ck_assert(radio_settings_equal(a, b));
        b->public_key.bytes[3] = 1;
        ck_assert(radio_settings_equal(a, b));
        a->has_public_key = b->has_public_key = true;
        ck_assert(!radio_settings_equal(a, b));
}
END_TEST

int main(void) {
        Suite *suite = suite_create("configuration");
        TCase *tcase = tcase_create("configuration");
        SRunner *runner;
        int failed;

        tcase_add_checked_fixture(tcase, setup, teardown);
        tcase_add_test(tcase, nothing);
        tcase_add_test(tcase, defaults);
        tcase_add_test(tcase, every_key);
        tcase_add_test(tcase, several_radios_in_order);
        tcase_add_loop_test(tcase, mistakes, 0, ELEMENTSOF(mistakes_table));
        tcase_add_test(tcase, nul_bytes);
        tcase_add_test(tcase, transports);
        tcase_add_test(tcase, bluetooth_keys);
        tcase_add_test(tcase, later_assignments_win);
        tcase_add_test(tcase, bounds);
        tcase_add_test(tcase, long_names_are_cut);
        tcase_add_test(tcase, no_file);
        tcase_add_test(tcase, dropins_in_order);
        tcase_add_test(tcase, dropins_alone);
        tcase_add_test(tcase, strange_files);
        tcase_add_test(tcase, dropins_without_end);
        tcase_add_test(tcase, equality);
        suite_add_tcase(suite, tcase);

        runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed > 0;
}
