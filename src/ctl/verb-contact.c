/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "autobus.h"
#include "format.h"
#include "target.h"
#include "terminal.h"
#include "verb-contact-internal.h"

/* -- list ------------------------------------------------------------------- */

static ExitCode run_list(const CtlOptions *options, const Args *args) {
        return verb_contacts.run(options, args);
}

static const Verb contact_list = {
                .name = "contact list",
                .arguments = "[PATTERN]",
                .summary = "List the contacts, as \"contacts\" does",
                .description = "See: meshcorectl contacts --help\n",
                .examples = "  meshcorectl contact list\n",
                .max_words = 1,
                .word = WORD_CONTACT,
                .run = run_list,
};

/* -- show ------------------------------------------------------------------- */

static void print_fact(const char *name, const char *value) {
        g_autofree char *shown = terminal_escape(value);

        if (*value)
                printf("%-13s %s\n", name, shown);
}

static void print_fact_owned(const char *name, char *value) {
        print_fact(name, value);
        g_free(value);
}

static char *path_text(JsonObject *contact) {
        JsonArray *path = json_array(contact, "Path");
        GString *text = g_string_new(NULL);

        if (!json_bool(contact, "PathKnown"))
                g_string_append(text, "unknown: texts go by flood");
        else if (!path || json_array_get_length(path) == 0)
                g_string_append(text, "direct: a neighbour");
        else
                for (guint i = 0; i < json_array_get_length(path); i++)
                        g_string_append_printf(text, "%s%s", i > 0 ? "," : "",
                                               json_array_get_string_element(path, i));
        return g_string_free(text, FALSE);
}

static char *location_text(JsonObject *contact) {
        JsonArray *pair = json_array(contact, "Location");

        if (!pair || json_array_get_length(pair) != 2)
                return g_strdup("");
        return format_location(json_array_get_double_element(pair, 0),
                               json_array_get_double_element(pair, 1));
}

static ExitCode run_show(const CtlOptions *options, const Args *args) {
        g_auto(Target) target = {};
        JsonObject *contact;
        const char *path;
        ExitCode code;

        code = target_open_contact(options, args_word(args, 0), &target, &path);
        if (code != EXIT_CODE_OK)
                return code;
        if (options->json)
                return target_print(&target, path, IFACE_CONTACT, NULL);

        contact = objects_get(target.objects, path, IFACE_CONTACT);
        print_fact("Name:", json_string(contact, "Name"));
        print_fact("Key:", json_string(contact, "Key"));
        print_fact("Type:", json_string(contact, "Type"));
        print_fact("Favourite:", json_bool(contact, "Favourite") ? "yes" : "no");
        print_fact_owned("Flags:", g_strdup_printf("%#" PRIx64, (uint64_t) json_int(contact, "Flags")));
        print_fact("In the radio:", json_bool(contact, "OnRadio") ? "yes" : "no");
        print_fact_owned("Path:", path_text(contact));
        print_fact_owned("Last heard:", format_time(json_int(contact, "LastHeardUSec")));
        print_fact_owned("Last advert:", format_time(json_int(contact, "LastAdvertUSec")));
        print_fact_owned("Location:", location_text(contact));
        print_fact_owned("Unread:", g_strdup_printf("%" G_GINT64_FORMAT, json_int(contact, "Unread")));
        return EXIT_CODE_OK;
}

static const Verb contact_show = {
                .name = "contact show",
                .arguments = "CONTACT",
                .summary = "Show everything about one contact",
                .description = "The time of the last advert is by the clock of the node.\n"
                               "\n"
                               "With --json: one object as in \"contacts --json\".\n",
                .examples = "  meshcorectl contact show Alice\n",
                .min_words = 1,
                .max_words = 1,
                .word = WORD_CONTACT,
                .run = run_show,
};

/* -- find ------------------------------------------------------------------- */

static void print_found(const Target *t, GPtrArray *paths) {
        for (guint i = 0; i < paths->len; i++) {
                JsonObject *contact = objects_get(t->objects, paths->pdata[i], IFACE_CONTACT);
                g_autofree char *name = terminal_escape(json_string(contact, "Name"));

                printf("%s  %s\n", json_string(contact, "Key"), name);
        }
}

static ExitCode run_find(const CtlOptions *options, const Args *args) {
        _cleanup_message_ sd_bus_message *reply = NULL;
        g_autoptr(GPtrArray) paths = g_ptr_array_new();
        g_autoptr(JsonArray) array = NULL;
        g_auto(Target) target = {};
        const char *path;
        ExitCode code;
        int r;

        code = target_open(options, NULL, &target);
        if (code == EXIT_CODE_OK)
                code = target_call(&target, &reply, target.radio, IFACE_CONTACTS, "Find", "s",
                                   args_word(args, 0));
        if (code != EXIT_CODE_OK)
                return code;

        r = sd_bus_message_enter_container(reply, 'a', "o");
        while (r >= 0 && (r = sd_bus_message_read(reply, "o", &path)) > 0)
                if (objects_get(target.objects, path,
                                IFACE_CONTACT)) /* who came after we asked is left out */
                        g_ptr_array_add(paths, (char *) path);
        if (r < 0)
                return ctl_fail(EXIT_CODE_FAILED, "the daemon's answer to Find makes no sense");
        if (!options->json && paths->len == 0)
                return ctl_fail(EXIT_CODE_NOT_FOUND, "no contact fits %s", args_word(args, 0));

        if (!options->json) {
                print_found(&target, paths);
                return EXIT_CODE_OK;
        }
        array = json_array_new();
        for (guint i = 0; i < paths->len; i++)
                json_array_add_object_element(
                                array, objects_to_json(target.objects, paths->pdata[i], IFACE_CONTACT));
        json_print_document(json_node_init_array(json_node_alloc(), array));
        return EXIT_CODE_OK;
}

static const Verb contact_find = {
                .name = "contact find",
                .arguments = "TEXT",
                .summary = "Look up contacts by name, part of a name, or first digits of a key",
                .description = "First those of exactly this name, then those whose name contains the text in "
                               "any\n"
                               "case, then those whose key begins with it. Prints a line for each: the key, "
                               "two\n"
                               "spaces and the name.\n"
                               "\n"
                               "With --json: an array of objects as in \"contacts --json\", in the same "
                               "order;\n"
                               "empty when nobody fits.\n",
                .examples = "  meshcorectl contact find ali\n"
                            "  meshcorectl contact find 3f5a\n",
                .min_words = 1,
                .max_words = 1,
                .word = WORD_CONTACT,
                .run = run_find,
};

/* -- the group ---------------------------------------------------------------- */

static const Verb *const parts[] = {
                &contact_list,        &contact_show,     &contact_find,
                &contact_add,         &contact_update,   &contact_favourite,
                &contact_remove,      &contact_set_path, &contact_reset_path,
                &contact_advert_path, &contact_refresh,  &contact_share,
                &contact_export,      &contact_import,   NULL,
};

const Verb verb_contact = {
                .name = "contact",
                .summary = "Look up, add, change, share and remove contacts",
                .description = "CONTACT is an object path, a key of 64 hex digits, the exact name, or the "
                               "first\n"
                               "digits of a key, at least 8. What fits more than one is refused.\n",
                .examples = "  meshcorectl contact find ali\n"
                            "  meshcorectl contact favourite Alice\n"
                            "  meshcorectl contact import 'meshcore://contact/add?name=…'\n",
                .parts = parts,
};
