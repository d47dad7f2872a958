/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <check.h>
#include <errno.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>

#include "macros.h"
#include "serial-ports.h"

static const char *rules_path; /* the udev rules, which say the same as usb_is_radio() */

/* -- which ones are radios --------------------------------------------------------- */

START_TEST(ids) {
        ck_assert(usb_is_radio(0x239A, 0x8029, NULL, NULL));
        ck_assert(usb_is_radio(0x303A, 0x1001, "Espressif", "USB JTAG/serial debug unit"));
        ck_assert(usb_is_radio(0x1209, 0x0001, NULL, "My MESHCORE radio"));
        ck_assert(usb_is_radio(0x1209, 0x0001, "meshcore.co", NULL));

        /* bridges, boot loaders, other things of the same makers */
        ck_assert(!usb_is_radio(0x10C4, 0xEA60, "Silicon Labs", "CP2102N USB to UART Bridge Controller"));
        ck_assert(!usb_is_radio(0x1A86, 0x7523, NULL, "USB Serial"));
        ck_assert(!usb_is_radio(0x1A86, 0x55D4, NULL, "USB Single Serial"));
        ck_assert(!usb_is_radio(0x0403, 0x6001, "FTDI", "FT232R USB UART"));
        ck_assert(!usb_is_radio(0x239A, 0x0029, NULL, NULL));
        ck_assert(!usb_is_radio(0x303A, 0x0002, NULL, NULL));
        ck_assert(!usb_is_radio(0, 0, NULL, NULL));
        ck_assert(!usb_is_radio(0x1209, 0x0001, "Mesh", "Core"));
}
END_TEST

START_TEST(bridges) {
        ck_assert(usb_is_bridge(0x10C4, 0xEA60));
        ck_assert(usb_is_bridge(0x1A86, 0x7523));
        ck_assert(usb_is_bridge(0x1A86, 0x55D4));
        ck_assert(usb_is_bridge(0x0403, 0x6001));
        ck_assert(usb_is_bridge(0x067B, 0x2303));

        ck_assert(!usb_is_bridge(0x239A, 0x8029)); /* a radio */
        ck_assert(!usb_is_bridge(0x10C4, 0x8044));
        ck_assert(!usb_is_bridge(0x0403, 0x1234));
        ck_assert(!usb_is_bridge(0, 0));
}
END_TEST

/* The products that the rules give for a vendor, for one kind of match. */
static GHashTable *products_of(const char *rules, const char *kind, unsigned vendor) {
        g_autofree char *start =
                        g_strdup_printf("\n%s{idVendor}==\"%04x\", %s{idProduct}==\"", kind, vendor, kind);
        const char *found = strstr(rules, start);
        GHashTable *products = g_hash_table_new(NULL, NULL);
        g_autofree char *list = NULL;
        g_auto(GStrv) each = NULL;

        ck_assert_ptr_nonnull(found);
        list = g_strndup(found + strlen(start), strcspn(found + strlen(start), "\""));
        each = g_strsplit(list, "|", -1);
        for (char **e = each; *e; e++)
                g_hash_table_add(products, GUINT_TO_POINTER(strtoul(*e, NULL, 16)));
        return products;
}

START_TEST(ids_of_rules) {
        static const unsigned vendors[] = {0x239A, 0x2886, 0x303A};
        static const char *const kinds[] = {"ATTRS", "ATTR"};
        g_autofree char *rules = NULL;

        ck_assert(g_file_get_contents(rules_path, &rules, NULL, NULL));
        for (size_t i = 0; i < ELEMENTSOF(vendors) * ELEMENTSOF(kinds); i++) {
                unsigned vendor = vendors[i / ELEMENTSOF(kinds)];
                g_autoptr(GHashTable) products = products_of(rules, kinds[i % ELEMENTSOF(kinds)], vendor);

                for (unsigned product = 0; product <= 0xFFFF; product++)
                        ck_assert_msg(usb_is_radio(vendor, product, NULL, NULL) ==
                                                      g_hash_table_contains(products,
                                                                            GUINT_TO_POINTER(product)),
                                      "%04x:%04x", vendor, product);
        }
}
END_TEST

START_TEST(identify) {
        g_autoptr(SerialPort) port = NULL;

        ck_assert_int_eq(serial_port_identify("/dev/meshcored-nothing", &port), -ENOENT);
        ck_assert_int_lt(serial_port_identify("/", &port), 0);
        ck_assert_ptr_null(port);
}
END_TEST

/* -- directories ---------------------------------------------------------------------- */

static sd_event *event;
static SerialPorts *ports;
static char *dir;
static unsigned n_touched;
static char *touched_path;

static void on_added(const SerialPort *port, void *userdata) {
}

static void on_removed(const char *device, void *userdata) {
}

static void on_touched(const char *path, void *userdata) {
        n_touched++;
        g_free(touched_path);
        touched_path = g_strdup(path);
}

static const SerialPortsHandler handler = {on_added, on_removed, on_touched};

static void setup(void) {
        dir = g_dir_make_tmp("meshcored-ports-XXXXXX", NULL);
        ck_assert_ptr_nonnull(dir);
        ck_assert_int_ge(sd_event_new(&event), 0);
        ck_assert_int_eq(serial_ports_new(event, &handler, NULL, &ports), 0);
        n_touched = 0;
}

static void teardown(void) {
        g_autofree char *command = g_strdup_printf("rm -rf '%s'", dir);

        ports = serial_ports_free(ports);
        event = sd_event_unref(event);
        ck_assert_int_eq(system(command), 0);
        g_clear_pointer(&dir, g_free);
        g_clear_pointer(&touched_path, g_free);
}

static void assert_touched(const char *path) {
        while (n_touched == 0)
                ck_assert_int_gt(sd_event_run(event, 4 * USEC_PER_SEC), 0);
        ck_assert_str_eq(touched_path, path);
        while (sd_event_run(event, 0) > 0)
                ;
        n_touched = 0;
}

static void assert_untouched(void) {
        while (sd_event_run(event, 0) > 0)
                ;
        ck_assert_uint_eq(n_touched, 0);
}

START_TEST(comes_and_goes) {
        g_autofree char *path = g_build_filename(dir, "radio", NULL);
        g_autofree char *other = g_build_filename(dir, "radio2", NULL);
        g_autofree char *moved = g_build_filename(dir, "elsewhere", NULL);

        ck_assert_int_eq(serial_ports_watch(ports, path), 0);
        assert_untouched();
        ck_assert_int_eq(symlink("/dev/null", other), 0);
        assert_untouched();
        ck_assert_int_eq(symlink("/dev/null", path), 0);
        assert_touched(path);
        ck_assert_int_eq(unlink(path), 0);
        assert_touched(path);
        ck_assert_int_eq(rename(other, path), 0);
        assert_touched(path);
        ck_assert_int_eq(rename(path, moved), 0);
        assert_touched(path);

        serial_ports_unwatch(ports, path);
        ck_assert_int_eq(symlink("/dev/null", path), 0);
        assert_untouched();
        serial_ports_unwatch(ports, path);
}
END_TEST

START_TEST(directories_come_and_go) {
        g_autofree char *one = g_build_filename(dir, "one", NULL);
        g_autofree char *two = g_build_filename(one, "two", NULL);
        g_autofree char *path = g_build_filename(two, "radio", NULL);

        ck_assert_int_eq(serial_ports_watch(ports, path), 0);
        for (unsigned i = 0; i < 3; i++) {
                /* all at once, before the loop runs: nothing may be missed */
                ck_assert_int_eq(g_mkdir_with_parents(two, 0700), 0);
                assert_touched(path);
                ck_assert_int_eq(symlink("/dev/null", path), 0);
                assert_touched(path);
                ck_assert_int_eq(unlink(path), 0);
                ck_assert_int_eq(rmdir(two), 0);
                assert_touched(path);
                ck_assert_int_eq(rmdir(one), 0);
                assert_touched(path);
        }
        serial_ports_unwatch(ports, path);
}
END_TEST

START_TEST(two_users) {
        g_autofree char *path = g_build_filename(dir, "radio", NULL);

        ck_assert_int_eq(serial_ports_watch(ports, path), 0);
        ck_assert_int_eq(serial_ports_watch(ports, path), 0);
        serial_ports_unwatch(ports, path);
        ck_assert_int_eq(symlink("/dev/null", path), 0);
        assert_touched(path);
        serial_ports_unwatch(ports, path);
        ck_assert_int_eq(unlink(path), 0);
        assert_untouched();
}
END_TEST

int main(int argc, char **argv) {
        Suite *suite = suite_create("serial-ports");
        TCase *tc = tcase_create("radios"), *directories = tcase_create("directories");
        SRunner *runner;
        int failed;

        rules_path = argc > 1 ? argv[1] : "data/udev/70-meshcored.rules.in";
        tcase_add_test(tc, ids);
        tcase_add_test(tc, bridges);
        tcase_add_test(tc, ids_of_rules);
        tcase_add_test(tc, identify);
        suite_add_tcase(suite, tc);
        tcase_add_checked_fixture(directories, setup, teardown);
        tcase_add_test(directories, comes_and_goes);
        tcase_add_test(directories, directories_come_and_go);
        tcase_add_test(directories, two_users);
        suite_add_tcase(suite, directories);

        runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed == 0 ? 0 : 1;
}
