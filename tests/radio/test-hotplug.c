/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <check.h>
#include <glib/gstdio.h>
#include <pty.h>
#include <string.h>

#include "clock.h"
#include "hotplug.h"
#include "macros.h"
#include "simulator.h"

/* Ports that come and go as the test says: simulated radios on pseudo
 * terminals, and this in place of udev. */

#define PATIENCE (10 * USEC_PER_SEC)

static SerialPortsHandler handler;
static void *handler_userdata;
static GPtrArray *ports;   /* SerialPort, those with is_radio */
static GString *lines_log; /* how each link was opened */
static const char *deaf;   /* with SERIAL_LINES_DEFAULT, what is at this device hears nothing */
static char *deaf_port;    /* nobody is there */

struct SerialPorts {
        unsigned n_watches;
};

/* path is a link, which stays the same when the terminal changes. */
static SerialPort *port_of(const char *path) {
        SerialPort *port = g_new0(SerialPort, 1);
        g_autofree char *real = realpath(path, NULL);

        ck_assert_ptr_nonnull(real);
        *port = (SerialPort){g_strdup(real), g_strdup_printf("usb:%s", path), true};
        return port;
}

SerialPort *serial_port_free(SerialPort *port) {
        if (!port)
                return NULL;

        g_free(port->device);
        g_free(port->id);
        return g_free(port), NULL;
}

int serial_port_identify(const char *path, SerialPort **ret) {
        if (access(path, F_OK) < 0)
                return -errno;
        *ret = port_of(path);
        return 0;
}

int serial_ports_new(sd_event *event, const SerialPortsHandler *h, void *userdata, SerialPorts **ret) {
        handler = *h;
        handler_userdata = userdata;
        *ret = g_new0(SerialPorts, 1);
        return 0;
}

SerialPorts *serial_ports_free(SerialPorts *p) {
        ck_assert_uint_eq(p->n_watches, 0);
        return g_free(p), NULL;
}

const GPtrArray *serial_ports_radios(SerialPorts *p) {
        return ports;
}

int serial_ports_watch(SerialPorts *p, const char *path) {
        p->n_watches++;
        return 0;
}

void serial_ports_unwatch(SerialPorts *p, const char *path) {
        p->n_watches--;
}

int __real_link_new_serial(sd_event *event, const char *path, SerialLines lines, const LinkHandler *h,
                           void *userdata, Link **ret);
int __wrap_link_new_serial(sd_event *event, const char *path, SerialLines lines, const LinkHandler *h,
                           void *userdata, Link **ret);

int __wrap_link_new_serial(sd_event *event, const char *path, SerialLines lines, const LinkHandler *h,
                           void *userdata, Link **ret) {
        g_string_append_printf(lines_log, "%s ", serial_lines_to_string(lines));
        g_autofree char *real = realpath(path, NULL), *deaf_real = deaf ? realpath(deaf, NULL) : NULL;

        if (deaf && g_strcmp0(real, deaf_real) == 0 && lines == SERIAL_LINES_DEFAULT)
                path = deaf_port;
        return __real_link_new_serial(event, path, lines, h, userdata, ret);
}

/* -- the bed ----------------------------------------------------------------------- */

static sd_event *event;
static char *dir;
static Store *store;
static Manager *manager;
static Simulator *sims[3];
static char *devices[3];
static int deaf_master = -EBADF, deaf_slave = -EBADF;

static void start_manager(void) {
        ck_assert_int_eq(store_open(dir, &store), 0);
        ck_assert_int_eq(manager_new(event, store, &manager), 0);
}

static void stop_manager(void) {
        manager = manager_free(manager);
        store = store_close(store);
}

static void drop_port(void *port) {
        serial_port_free(port);
}

static void setup(void) {
        char name[128];

        radio_timing.session.command_usec = 100 * USEC_PER_MSEC;
        radio_timing.session.probe_usec = 20 * USEC_PER_MSEC;
        radio_timing.backoff_first_usec = 5 * USEC_PER_MSEC;

        dir = g_dir_make_tmp("meshcored-hotplug-XXXXXX", NULL);
        ck_assert_ptr_nonnull(dir);
        ck_assert_int_ge(sd_event_new(&event), 0);
        ports = g_ptr_array_new_with_free_func(drop_port);
        lines_log = g_string_new(NULL);
        deaf = NULL;
        ck_assert_int_eq(openpty(&deaf_master, &deaf_slave, name, NULL, NULL), 0);
        deaf_port = g_strdup(name);
        for (size_t i = 0; i < ELEMENTSOF(devices); i++)
                devices[i] = g_strdup_printf("%s/port%zu", dir, i);
        start_manager();
}

static void turn(void) {
        ck_assert_int_gt(sd_event_run(event, PATIENCE), 0);
}

#define until(condition)             \
        do {                         \
                while (!(condition)) \
                        turn();      \
        } while (false)

/* For what must not happen: long enough for a session that begins, with all that it says. The loop is never
 * quiet, for the simulators look for their clients. */
static void settle(void) {
        uint64_t end = clock_boottime_usec() + 150 * USEC_PER_MSEC;

        for (uint64_t now; (now = clock_boottime_usec()) < end;)
                (void) sd_event_run(event, end - now);
}

static void plug_in_silently(size_t i) {
        g_autofree char *text = g_strdup_printf("[Radio]\nSeed=radio %zu\n", i);
        g_autofree char *scenario = g_strdup_printf("%s/scenario%zu", dir, i);
        const SimulatorConfig config = {
                        .pty = devices[i],
                        .firmware = engine_firmware_from_string("1.17.1"),
                        .scenario = scenario,
                        .seed = 1,
                        .speed = 1,
        };

        ck_assert(g_file_set_contents(scenario, text, -1, NULL));
        ck_assert_int_eq(simulator_new(event, &config, &sims[i]), 0);
        g_ptr_array_add(ports, port_of(devices[i]));
}

static void plug_in(size_t i) {
        plug_in_silently(i);
        handler.added(ports->pdata[ports->len - 1], handler_userdata);
}

static void pull(size_t i) {
        g_autofree char *device = realpath(devices[i], NULL);

        for (guint n = 0; n < ports->len; n++)
                if (strcmp(((SerialPort *) ports->pdata[n])->device, device) == 0)
                        g_ptr_array_remove_index(ports, n--);
        sims[i] = simulator_free(sims[i]);
        handler.removed(device, handler_userdata);
}

static void teardown(void) {
        stop_manager();
        for (size_t i = 0; i < ELEMENTSOF(devices); i++) {
                sims[i] = simulator_free(sims[i]);
                g_clear_pointer(&devices[i], g_free);
        }
        g_ptr_array_unref(ports);
        g_string_free(lines_log, TRUE);
        deaf_master = safe_close(deaf_master);
        deaf_slave = safe_close(deaf_slave);
        g_clear_pointer(&deaf_port, g_free);
        event = sd_event_unref(event);

        for (GDir *d = g_dir_open(dir, 0, NULL); d; g_dir_close(d), d = NULL)
                for (const char *name; (name = g_dir_read_name(d));) {
                        g_autofree char *path = g_build_filename(dir, name, NULL);

                        (void) g_remove(path);
                }
        (void) g_rmdir(dir);
        g_clear_pointer(&dir, g_free);
}

static Radio *add(const char *id, const char *address, const PublicKey *pin) {
        g_autofree char *transport = g_strconcat("serial:", address, NULL);
        RadioSettings *settings = radio_settings_new(id);
        const char *why;
        Radio *radio;

        ck_assert_int_eq(radio_settings_set_transport(settings, transport, &why), 0);
        if (pin) {
                settings->has_public_key = true;
                settings->public_key = *pin;
        }
        ck_assert_int_eq(manager_add_radio(manager, settings, &radio), 0);
        return radio;
}

static bool is_waiting(const Radio *radio) {
        return radio->state == RADIO_WAITING && radio->reason == REASON_NOT_PLUGGED;
}

static PublicKey key_of(Radio *radio) {
        ck_assert_ptr_nonnull(radio->identity);
        return *identity_key(radio->identity);
}

#define assert_key(radio, expected)                       \
        do {                                              \
                PublicKey _key = key_of(radio);           \
                ck_assert(key_equal(&_key, &(expected))); \
        } while (false)

/* -- paths -------------------------------------------------------------------------- */

START_TEST(path) {
        Radio *radio = add("hut", devices[0], NULL);

        until(is_waiting(radio));
        /* no event of it, and the next try is far away */
        plug_in_silently(0);
        settle();
        ck_assert(is_waiting(radio));
        handler.touched(devices[0], handler_userdata);
        until(radio->state == RADIO_READY);

        pull(0);
        handler.touched(devices[0], handler_userdata);
        ck_assert(is_waiting(radio));
        plug_in(0);
        until(radio->state == RADIO_READY);
        pull(0);
        ck_assert(is_waiting(radio));
}
END_TEST

START_TEST(path_of_another) {
        Radio *radio = add("hut", devices[0], NULL);

        until(is_waiting(radio));
        plug_in(1);
        handler.touched(devices[1], handler_userdata);
        settle();
        ck_assert(is_waiting(radio));
        ck_assert_uint_eq(radio->attempts, 1);
        pull(1);
}
END_TEST

/* -- auto ----------------------------------------------------------------------------- */

START_TEST(each_its_own) {
        Radio *a = add("a", "auto", NULL), *b = add("b", "auto", NULL);
        PublicKey first, second;

        until(is_waiting(a) && is_waiting(b));
        plug_in(0);
        until(a->state == RADIO_READY);
        settle();
        ck_assert(is_waiting(b));
        first = key_of(a);
        plug_in(1);
        until(b->state == RADIO_READY);
        second = key_of(b);
        ck_assert(!key_equal(&first, &second));

        pull(0);
        pull(1);
        ck_assert(is_waiting(a) && is_waiting(b));

        /* The other way round, and a third one that is nobody's. */
        plug_in(1);
        until(b->state == RADIO_READY);
        plug_in(0);
        until(a->state == RADIO_READY);
        plug_in(2);
        settle();
        assert_key(a, first);
        assert_key(b, second);
        ck_assert_int_eq(a->state, RADIO_READY);
        ck_assert_int_eq(b->state, RADIO_READY);
}
END_TEST

START_TEST(own_one_first) {
        Radio *a = add("a", "auto", NULL);
        PublicKey own;

        plug_in(0);
        until(a->state == RADIO_READY);
        own = key_of(a);
        pull(0);

        /* A stranger answers first, but the own one is there, too. */
        plug_in_silently(1);
        plug_in(0);
        until(a->state == RADIO_READY);
        assert_key(a, own);

        /* Nor is it taken because the own one is pulled for a moment … */
        pull(0);
        settle();
        ck_assert(is_waiting(a));

        /* … but as a replacement for it. */
        pull(1);
        plug_in(1);
        until(a->state == RADIO_READY);
        ck_assert(!key_equal(&own, identity_key(a->identity)));
}
END_TEST

START_TEST(pinned) {
        Radio *a = add("a", "auto", NULL), *b;
        PublicKey key;

        plug_in(0);
        until(a->state == RADIO_READY);
        key = key_of(a);
        ck_assert_int_eq(manager_remove_radio(manager, "a"), 0);

        b = add("b", "auto", &key);
        plug_in(1);
        until(b->state == RADIO_READY);
        assert_key(b, key);
        pull(0);
        settle();
        ck_assert(is_waiting(b));
}
END_TEST

START_TEST(named_port_is_left) {
        Radio *a = add("a", "auto", NULL), *b = add("b", devices[0], NULL);

        plug_in(0);
        until(b->state == RADIO_READY);
        settle();
        ck_assert(is_waiting(a));
        radio_stop(b);
        settle();
        ck_assert(is_waiting(a));
}
END_TEST

/* -- discovery -------------------------------------------------------------------------- */

START_TEST(discover) {
        g_autofree char *id = NULL;
        PublicKey key;
        Radio *radio;

        plug_in(0);
        settle();
        ck_assert_uint_eq(manager_radios(manager)->len, 0);
        manager_set_discover(manager, true);
        until(manager_radios(manager)->len == 1);
        radio = manager_radios(manager)->pdata[0];
        until(radio->state == RADIO_READY);
        key = key_of(radio);
        id = g_strndup(key_to_text(&key).text, 16);
        ck_assert_str_eq(radio_id(radio), id);

        /* It stays while it is away, also over a restart and a reload. */
        pull(0);
        ck_assert(is_waiting(radio));
        stop_manager();
        start_manager();
        manager_set_discover(manager, true);
        ck_assert_int_eq(manager_apply(manager, g_ptr_array_new()), 0);
        radio = manager_get_radio(manager, id);
        ck_assert_ptr_nonnull(radio);
        assert_key(radio, key);
        until(is_waiting(radio));
        plug_in(0);
        until(radio->state == RADIO_READY);
        ck_assert_uint_eq(manager_radios(manager)->len, 1);

        manager_set_discover(manager, false);
        ck_assert_uint_eq(manager_radios(manager)->len, 0);
}
END_TEST

/* However many are plugged in: beyond 256 radios nobody is taken up by himself. */
START_TEST(discover_has_a_limit) {
        for (unsigned i = 0; i < 255; i++) {
                g_autofree char *id = g_strdup_printf("radio%u", i);
                RadioSettings *settings = radio_settings_new(id);
                const char *why;

                ck_assert_int_eq(radio_settings_set_transport(settings, "tcp://127.0.0.1:1", &why), 0);
                settings->enabled = false;
                ck_assert_int_eq(manager_add_radio(manager, settings, NULL), 0);
        }
        manager_set_discover(manager, true);
        plug_in(0);
        until(manager_radios(manager)->len == 256);
        plug_in(1);
        settle();
        settle();
        ck_assert_uint_eq(manager_radios(manager)->len, 256);
}
END_TEST

/* -- lines --------------------------------------------------------------------------------- */

START_TEST(other_lines_once) {
        Radio *radio;

        radio = add("hut", devices[1], NULL);
        until(is_waiting(radio));
        g_string_truncate(lines_log, 0);

        ck_assert_int_eq(symlink(deaf_port, devices[1]), 0);
        handler.touched(devices[1], handler_userdata);
        until(radio->attempts == 5);
        ck_assert_str_eq(lines_log->str, "default other default default ");
}
END_TEST

START_TEST(other_lines_learned) {
        Radio *radio = add("hut", devices[0], NULL);

        deaf = devices[0];
        plug_in(0);
        until(radio->state == RADIO_READY);
        ck_assert_str_eq(lines_log->str, "default other ");

        /* So from now on, also after a restart. */
        stop_manager();
        start_manager();
        g_string_truncate(lines_log, 0);
        radio = add("hut", devices[0], NULL);
        until(radio->state == RADIO_READY);
        ck_assert_str_eq(lines_log->str, "other ");

        /* Until the other way is right. */
        deaf = NULL;
        lines_remember(manager, radio->port_id, true);
        g_string_truncate(lines_log, 0);
        radio_stop(radio);
        radio_start(radio);
        until(radio->state == RADIO_READY);
        ck_assert_str_eq(lines_log->str, "default ");
}
END_TEST

START_TEST(scout_learns_lines) {
        Radio *radio = add("hut", "auto", NULL);

        deaf = devices[0];
        plug_in(0);
        until(radio->state == RADIO_READY);
        /* the scout's two, and the radio's */
        ck_assert_str_eq(lines_log->str, "default other other ");
}
END_TEST

START_TEST(lines_of_configuration) {
        RadioSettings *settings = radio_settings_new("hut");
        g_autofree char *transport = g_strconcat("serial:", devices[0], NULL);
        const char *why;
        Radio *radio;

        plug_in(0);
        ck_assert_int_eq(radio_settings_set_transport(settings, transport, &why), 0);
        ck_assert_int_eq(radio_settings_set_serial_lines(settings, "other"), -EINVAL);
        ck_assert_int_eq(radio_settings_set_serial_lines(settings, "keep"), 0);
        ck_assert_int_eq(manager_add_radio(manager, settings, &radio), 0);
        until(radio->state == RADIO_READY);
        ck_assert_str_eq(lines_log->str, "keep ");
}
END_TEST

int main(void) {
        Suite *suite = suite_create("hotplug");
        TCase *tc = tcase_create("hotplug");
        SRunner *runner;
        int failed;

        tcase_set_timeout(tc, 30);
        tcase_add_checked_fixture(tc, setup, teardown);
        tcase_add_test(tc, path);
        tcase_add_test(tc, path_of_another);
        tcase_add_test(tc, each_its_own);
        tcase_add_test(tc, own_one_first);
        tcase_add_test(tc, pinned);
        tcase_add_test(tc, named_port_is_left);
        tcase_add_test(tc, discover);
        tcase_add_test(tc, discover_has_a_limit);
        tcase_add_test(tc, other_lines_once);
        tcase_add_test(tc, other_lines_learned);
        tcase_add_test(tc, scout_learns_lines);
        tcase_add_test(tc, lines_of_configuration);
        suite_add_tcase(suite, tc);

        runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed == 0 ? 0 : 1;
}
