/* SPDX-License-Identifier: MIT */
/* Prints what the radios themselves tell: board, firmware, battery, counters and sensors.
 *
 *     cc -o device-infos device-infos.c $(pkg-config --cflags --libs gio-2.0)
 *     ./device-infos [--session]
 *
 * Nothing goes on air. */
#include <gio/gio.h>
#include <stdlib.h>

#define NAME "org.meshcored1"
#define ROOT "/org/meshcored1"

/* Names and values of an a{sv}, one a line, the names behind a prefix. What strangers can choose is in
 * quotation marks and escaped. */
static void print_values(const char *prefix, GVariant *values) {
        GVariantIter iter;
        const char *name;
        GVariant *value;

        g_variant_iter_init(&iter, values);
        while (g_variant_iter_loop(&iter, "{&sv}", &name, &value)) {
                g_autofree char *text = g_variant_print(value, FALSE);

                g_print("    %s%s = %s\n", prefix, name, text);
        }
}

static void print_properties(GVariant *radio) {
        static const char *const names[] = {"State",          "Name",          "Model",
                                            "Firmware",       "PublicKey",     "BatteryMillivolts",
                                            "BatteryPercent", "StorageUsedKB", "StorageTotalKB"};

        for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
                g_autoptr(GVariant) value = g_variant_lookup_value(radio, names[i], NULL);
                g_autofree char *text = value ? g_variant_print(value, FALSE) : NULL;

                if (text)
                        g_print("    %s = %s\n", names[i], text);
        }
}

/* An error here is no reason to stop: old firmware cannot tell everything, and a radio may be away. */
static GVariant *ask(GDBusConnection *bus, const char *radio, const char *method, GVariant *arguments) {
        g_autoptr(GError) error = NULL;
        GVariant *reply;

        reply = g_dbus_connection_call_sync(bus, NAME, radio, NAME ".Radio", method, arguments, NULL,
                                            G_DBUS_CALL_FLAGS_NONE, 60 * 1000, NULL, &error);
        if (!reply) {
                g_dbus_error_strip_remote_error(error);
                g_print("    %s: %s\n", method, error->message);
        }
        return reply;
}

static void print_radio(GDBusConnection *bus, const char *path, GVariant *radio) {
        static const char *const kinds[] = {"core", "radio", "packets"};
        g_autoptr(GVariant) telemetry = NULL;

        g_print("%s\n", path);
        print_properties(radio);
        for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
                g_autoptr(GVariant) reply = ask(bus, path, "GetStats", g_variant_new("(s)", kinds[i]));
                g_autofree char *prefix = g_strconcat(kinds[i], ".", NULL);

                if (reply) {
                        g_autoptr(GVariant) values = g_variant_get_child_value(reply, 0);

                        print_values(prefix, values);
                }
        }

        telemetry = ask(bus, path, "GetTelemetry", NULL);
        if (telemetry) {
                g_autoptr(GVariant) list = g_variant_get_child_value(telemetry, 0);

                for (gsize i = 0; i < g_variant_n_children(list); i++) {
                        g_autoptr(GVariant) values = g_variant_get_child_value(list, i);

                        print_values("sensor.", values);
                }
        }
}

static gboolean run(gboolean session, GError **error) {
        g_autoptr(GDBusConnection) bus = NULL;
        g_autoptr(GVariantIter) objects = NULL;
        g_autoptr(GVariant) reply = NULL;
        GVariant *interfaces;
        const char *path;

        bus = g_bus_get_sync(session ? G_BUS_TYPE_SESSION : G_BUS_TYPE_SYSTEM, NULL, error);
        if (bus)
                reply = g_dbus_connection_call_sync(bus, NAME, ROOT, "org.freedesktop.DBus.ObjectManager",
                                                    "GetManagedObjects", NULL,
                                                    G_VARIANT_TYPE("(a{oa{sa{sv}}})"), G_DBUS_CALL_FLAGS_NONE,
                                                    -1, NULL, error);
        if (!reply)
                return FALSE;

        g_variant_get(reply, "(a{oa{sa{sv}}})", &objects);
        while (g_variant_iter_loop(objects, "{&o@a{sa{sv}}}", &path, &interfaces)) {
                g_autoptr(GVariant) radio = NULL;

                radio = g_variant_lookup_value(interfaces, NAME ".Radio", G_VARIANT_TYPE_VARDICT);
                if (radio)
                        print_radio(bus, path, radio);
        }
        return TRUE;
}

int main(int argc, char *argv[]) {
        gboolean session = FALSE;
        const GOptionEntry entries[] = {
                        {"session", 0, 0, G_OPTION_ARG_NONE, &session, "Use the session bus", NULL},
                        {NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL},
        };
        g_autoptr(GOptionContext) context = g_option_context_new(NULL);
        g_autoptr(GError) error = NULL;

        g_option_context_add_main_entries(context, entries, NULL);
        if (!g_option_context_parse(context, &argc, &argv, &error)) {
                g_printerr("%s; see --help\n", error->message);
                return 2;
        }
        if (!run(session, &error)) {
                g_printerr("%s\n", error->message);
                return EXIT_FAILURE;
        }
        return EXIT_SUCCESS;
}
