/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "contact-filter.h"
#include "format.h"
#include "objects.h"
#include "table.h"
#include "verbs.h"

static char *path_text(JsonObject *contact) {
        JsonArray *path = json_array(contact, "Path");
        guint n = path ? json_array_get_length(path) : 0;

        if (!json_bool(contact, "PathKnown"))
                return g_strdup("flood");
        if (n == 0)
                return g_strdup("direct");
        return g_strdup_printf("%u hop%s", n, n == 1 ? "" : "s");
}

static char *location_text(JsonObject *contact) {
        JsonArray *pair = json_array(contact, "Location");

        if (!pair || json_array_get_length(pair) != 2)
                return g_strdup("");
        return format_location(json_array_get_double_element(pair, 0),
                               json_array_get_double_element(pair, 1));
}

static void add_row(Table *table, Objects *objects, const char *path, bool several) {
        JsonObject *contact = objects_get(objects, path, IFACE_CONTACT);
        g_autofree char *heard = format_time(json_int(contact, "LastHeardUSec"));
        g_autofree char *way = path_text(contact), *location = location_text(contact);
        int64_t unread = json_int(contact, "Unread");

        table_add(table, json_string(contact, "Name"));
        table_add(table, json_string(contact, "Type"));
        table_add_format(table, "%.12s", json_string(contact, "Key"));
        table_add(table, several ? objects_radio_id(objects, path) : NULL);
        if (unread > 0)
                table_add_format(table, "%" G_GINT64_FORMAT, unread);
        else
                table_add(table, NULL);
        table_add(table, way);
        table_add(table, heard);
        table_add(table, location);
}

static ExitCode run_contacts(const CtlOptions *options, const Args *args) {
        static const char *const headers[] = {"NAME", "TYPE",       "KEY",      "RADIO", ">UNREAD",
                                              "PATH", "LAST HEARD", "LOCATION", NULL};
        g_autoptr(Table) table = table_new(headers);
        g_autoptr(JsonArray) array = json_array_new();
        g_autoptr(GPtrArray) radios = NULL;
        g_autoptr(Objects) objects = NULL;
        g_autoptr(Client) client = NULL;
        const char *pattern = args_word(args, 0);
        ExitCode code;

        code = client_open(options, &client);
        if (code == EXIT_CODE_OK)
                code = objects_load(client, &objects);
        if (code == EXIT_CODE_OK)
                code = objects_radios(objects, options, &radios);
        if (code != EXIT_CODE_OK)
                return code;

        for (guint i = 0; i < radios->len; i++) {
                g_autoptr(GPtrArray) contacts = objects_list(objects, radios->pdata[i], IFACE_CONTACT);

                for (guint j = 0; j < contacts->len; j++) {
                        const char *path = contacts->pdata[j];

                        if (pattern && !contact_fits(objects_get(objects, path, IFACE_CONTACT), pattern))
                                continue;
                        if (options->json)
                                json_array_add_object_element(array,
                                                              objects_to_json(objects, path, IFACE_CONTACT));
                        else
                                add_row(table, objects, path, radios->len > 1);
                }
        }

        if (options->json)
                json_print_document(json_node_init_array(json_node_alloc(), array));
        else if (table_rows(table) == 0 && pattern)
                return ctl_fail(EXIT_CODE_NOT_FOUND, "no contact fits %s", pattern);
        else
                table_print_or(table,
                               "there are no contacts yet: they come from adverts, see " CTL_NAME " pending");
        return EXIT_CODE_OK;
}

static const char contacts_description[] =
                "PATTERN is a part of the name in any case, a pattern with * and ? for the whole name,\n"
                "or the beginning of a key. PATH is how texts go there: by a known path of so many\n"
                "repeaters, directly, or by flood. Names are not unique: scripts use keys, which\n"
                "--json prints in full.\n"
                "\n"
                "With --json: an array with one object for each contact: Path, Radio, and every\n"
                "property of org.meshcored1.Contact; empty when none fits.\n";

static const char contacts_examples[] =
                "  meshcorectl contacts\n"
                "  meshcorectl contacts ali\n"
                "  meshcorectl contacts 'Relay*'\n"
                "  meshcorectl contacts --json | jq -r '.[] | select(.Unread > 0) | .Key'\n";

const Verb verb_contacts = {
                .name = "contacts",
                .arguments = "[PATTERN]",
                .summary = "List the contacts",
                .description = contacts_description,
                .examples = contacts_examples,
                .max_words = 1,
                .word = WORD_RECIPIENT,
                .run = run_contacts,
};
