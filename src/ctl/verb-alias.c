/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "alias.h"
#include "json-out.h"
#include "table.h"
#include "verbs.h"

static ExitCode run_alias(const CtlOptions *options, const Args *args) {
        static const char *const headers[] = {"ALIAS", "STANDS FOR", NULL};
        g_autoptr(JsonObject) object = json_object_new();
        g_autoptr(Table) table = table_new(headers);
        g_autofree char *path = alias_path();
        g_autoptr(GKeyFile) file = NULL;
        g_auto(GStrv) names = NULL;
        ExitCode code;

        code = alias_load(&file);
        if (code != EXIT_CODE_OK)
                return code;

        names = alias_names(file);
        for (char **name = names; *name; name++) {
                g_autofree char *line = g_key_file_get_value(file, "Alias", *name, NULL);

                if (verb_find(*name))
                        ctl_note("the alias %s is never used: there is a verb of this name", *name);
                json_object_set_string_member(object, *name, line);
                table_add(table, *name);
                table_add(table, line);
        }

        if (options->json)
                json_print_document(json_node_init_object(json_node_alloc(), object));
        else if (table_rows(table) == 0)
                ctl_note("there are no aliases; they go into %s", path);
        else
                table_print(table);
        return EXIT_CODE_OK;
}

const Verb verb_alias = {
                .name = "alias",
                .arguments = "",
                .summary = "List your own names for command lines",
                .description = "They stand in ~/.config/meshcored/meshcorectl.conf:\n"
                               "\n"
                               "    [Alias]\n"
                               "    home=--radio home\n"
                               "    sos=send --channel '#family' --wait sent\n"
                               "    hill=node status Hilltop\n"
                               "\n"
                               "What stands after an alias is added to it. Words are quoted as in a shell, "
                               "and "
                               "nothing\n"
                               "is expanded; an alias hides no verb, and stands for no other alias.\n"
                               "\n"
                               "With --json: an object of names and command lines.\n",
                .examples = "  meshcorectl alias\n"
                            "  meshcorectl sos I am stuck at the pass\n",
                .run = run_alias,
};
