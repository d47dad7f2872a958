/* SPDX-License-Identifier: MIT */
/* Sends a text, and waits until the other side has acknowledged it:
 *
 *     cc -o send send.c $(pkg-config --cflags --libs gio-2.0)
 *     ./send [--session] [--radio ID] RECIPIENT TEXT
 *
 * RECIPIENT is a key, the first 8 or more digits of one, a name, or the
 * object path of a contact. The text is on the disk of the daemon before the first
 * line is printed; with the token it is sent once, however often the program
 * is started for it. */
#include <gio/gio.h>
#include <stdlib.h>

#define NAME "org.meshcored1"
#define ROOT "/org/meshcored1"

/* The path of the radio with this Id, or of the only one. */
static char *find_radio(GDBusConnection *bus, const char *id, GError **error) {
        g_autoptr(GVariant) reply = NULL;
        g_autoptr(GVariantIter) objects = NULL;
        g_autofree char *found = NULL;
        GVariant *interfaces;
        const char *path;

        reply = g_dbus_connection_call_sync(bus, NAME, ROOT, "org.freedesktop.DBus.ObjectManager",
                                            "GetManagedObjects", NULL, G_VARIANT_TYPE("(a{oa{sa{sv}}})"),
                                            G_DBUS_CALL_FLAGS_NONE, -1, NULL, error);
        if (!reply)
                return NULL;

        g_variant_get(reply, "(a{oa{sa{sv}}})", &objects);
        while (g_variant_iter_loop(objects, "{&o@a{sa{sv}}}", &path, &interfaces)) {
                g_autoptr(GVariant) radio = NULL;
                const char *this_id;

                radio = g_variant_lookup_value(interfaces, NAME ".Radio", G_VARIANT_TYPE_VARDICT);
                if (!radio || !g_variant_lookup(radio, "Id", "&s", &this_id) ||
                    (id && !g_str_equal(id, this_id)))
                        continue;
                if (found) {
                        g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                                    "there are several radios: choose one with --radio");
                        g_variant_unref(interfaces);
                        return NULL;
                }
                found = g_strdup(path);
        }
        if (!found)
                g_set_error(error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "there is no such radio");
        return g_steal_pointer(&found);
}

/* Blocks until the text is delivered. No limit of time: a flood on a slow mesh
 * takes minutes, and the daemon always answers in the end. */
static gboolean send_text(GDBusConnection *bus, const char *radio, const char *recipient, const char *text,
                          const char *token, const char *wait, char **ret_message, GError **error) {
        g_autoptr(GVariant) reply = NULL;
        GVariantBuilder options;

        g_variant_builder_init(&options, G_VARIANT_TYPE_VARDICT);
        g_variant_builder_add(&options, "{sv}", "Token", g_variant_new_string(token));
        g_variant_builder_add(&options, "{sv}", "Wait", g_variant_new_string(wait));
        reply = g_dbus_connection_call_sync(bus, NAME, radio, NAME ".Radio", "SendText",
                                            g_variant_new("(ssa{sv})", recipient, text, &options),
                                            G_VARIANT_TYPE("(o)"), G_DBUS_CALL_FLAGS_NONE, G_MAXINT, NULL,
                                            error);
        if (!reply)
                return FALSE;

        g_variant_get(reply, "(o)", ret_message);
        return TRUE;
}

static gboolean run(gboolean session, const char *id, const char *recipient, const char *text,
                    GError **error) {
        g_autofree char *radio = NULL, *queued = NULL, *delivered = NULL, *token = g_uuid_string_random();
        g_autoptr(GDBusConnection) bus = NULL;

        bus = g_bus_get_sync(session ? G_BUS_TYPE_SESSION : G_BUS_TYPE_SYSTEM, NULL, error);
        if (!bus)
                return FALSE;
        radio = find_radio(bus, id, error);
        if (!radio)
                return FALSE;

        if (!send_text(bus, radio, recipient, text, token, "queued", &queued, error))
                return FALSE;
        g_print("queued %s\n", queued);
        /* The same token: this is the same message, not another one. */
        if (!send_text(bus, radio, recipient, text, token, "delivered", &delivered, error))
                return FALSE;
        g_print("delivered %s\n", delivered);
        return TRUE;
}

int main(int argc, char *argv[]) {
        g_autofree char *id = NULL, *name = NULL;
        gboolean session = FALSE;
        const GOptionEntry entries[] = {
                        {"session", 0, 0, G_OPTION_ARG_NONE, &session, "Use the session bus", NULL},
                        {"radio", 'r', 0, G_OPTION_ARG_STRING, &id, "The radio to send with", "ID"},
                        {NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL},
        };
        g_autoptr(GOptionContext) context = g_option_context_new("RECIPIENT TEXT");
        g_autoptr(GError) error = NULL;

        g_option_context_add_main_entries(context, entries, NULL);
        if (!g_option_context_parse(context, &argc, &argv, &error) || argc != 3) {
                g_printerr("%s; see --help\n", error ? error->message : "RECIPIENT and TEXT are needed");
                return 2;
        }

        if (!run(session, id, argv[1], argv[2], &error)) {
                /* What can be done about it is in the name: org.meshcored1.Error.NotFound, … */
                name = g_dbus_error_get_remote_error(error);
                g_dbus_error_strip_remote_error(error);
                g_printerr("%s%s%s\n", name ?: "", name ? ": " : "", error->message);
                return EXIT_FAILURE;
        }
        return EXIT_SUCCESS;
}
