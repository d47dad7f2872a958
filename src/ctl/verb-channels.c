/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "objects.h"
#include "table.h"
#include "verbs.h"

static ExitCode run_channels(const CtlOptions *options, const Args *args) {
        static const char *const headers[] = {">SLOT", "NAME", "KIND", "RADIO", ">UNREAD", NULL};
        g_autoptr(Table) table = table_new(headers);
        g_autoptr(JsonArray) array = json_array_new();
        g_autoptr(GPtrArray) radios = NULL;
        g_autoptr(Objects) objects = NULL;
        g_autoptr(Client) client = NULL;
        ExitCode code;

        code = client_open(options, &client);
        if (code == EXIT_CODE_OK)
                code = objects_load(client, &objects);
        if (code == EXIT_CODE_OK)
                code = objects_radios(objects, options, &radios);
        if (code != EXIT_CODE_OK)
                return code;

        for (guint i = 0; i < radios->len; i++) {
                g_autoptr(GPtrArray) channels = objects_list(objects, radios->pdata[i], IFACE_CHANNEL);

                for (guint j = 0; j < channels->len; j++) {
                        const char *path = channels->pdata[j];
                        JsonObject *channel = objects_get(objects, path, IFACE_CHANNEL);

                        json_array_add_object_element(array, objects_to_json(objects, path, IFACE_CHANNEL));
                        table_add_format(table, "%" G_GINT64_FORMAT, json_int(channel, "Slot"));
                        table_add(table, json_string(channel, "Name"));
                        table_add(table, json_string(channel, "Kind"));
                        table_add(table, radios->len > 1 ? objects_radio_id(objects, path) : NULL);
                        table_add_format(table, "%" G_GINT64_FORMAT, json_int(channel, "Unread"));
                }
        }

        if (options->json)
                json_print_document(json_node_init_array(json_node_alloc(), array));
        else
                table_print_or(table, "there are no channels");
        return EXIT_CODE_OK;
}

static const char channels_description[] =
                "KIND is public (the well-known secret), hashtag (the secret follows from the name) or\n"
                "private. Secrets are never shown.\n"
                "\n"
                "With --json: an array with one object for each channel: Path, Radio, and every\n"
                "property of org.meshcored1.Channel.\n";

static const char channels_examples[] = "  meshcorectl channels\n"
                                        "  meshcorectl channels --json | jq -r '.[].Name'\n";

const Verb verb_channels = {
                .name = "channels",
                .arguments = "",
                .summary = "List the channels",
                .description = channels_description,
                .examples = channels_examples,
                .run = run_channels,
};
