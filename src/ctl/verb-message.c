/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>

#include "autobus.h"
#include "conversation.h"
#include "format.h"
#include "terminal.h"
#include "verbs.h"

/* "2: a1; b2,c3": how many, and who passed it on in each of them. */
static char *repeats_text(JsonNode *value) {
        JsonArray *repeats = JSON_NODE_HOLDS_ARRAY(value) ? json_node_get_array(value) : NULL;
        guint n = repeats ? json_array_get_length(repeats) : 0;
        g_autoptr(GString) out = g_string_new(NULL);

        for (guint i = 0; i < n; i++) {
                JsonArray *path = json_array_get_array_element(repeats, i);

                g_string_append(out, i > 0 ? "; " : "");
                for (guint k = 0; k < json_array_get_length(path); k++)
                        g_string_append_printf(out, "%s%s", k > 0 ? "," : "",
                                               json_array_get_string_element(path, k));
        }
        return n > 0 ? g_strdup_printf("%u: %s", n, out->str) : g_strdup("");
}

static char *value_text(const char *name, JsonNode *value) {
        if (g_str_has_suffix(name, "USec") && strcmp(name, "RoundTripUSec") != 0)
                return format_time(json_node_get_int(value));
        if (strcmp(name, "Repeats") == 0)
                return repeats_text(value);
        if (strcmp(name, "RoundTripUSec") == 0)
                return json_node_get_int(value) > 0 ? format_span(json_node_get_int(value)) : g_strdup("");
        if ((strcmp(name, "Hops") == 0 && json_node_get_int(value) == 255) ||
            (strcmp(name, "DataType") == 0 && json_node_get_int(value) == 0))
                return g_strdup("");
        if (strcmp(name, "Snr") == 0)
                return JSON_NODE_HOLDS_NULL(value) ? g_strdup("")
                                                   : g_strdup_printf("%g dB", json_node_get_double(value));
        if (JSON_NODE_HOLDS_VALUE(value) && json_node_get_value_type(value) == G_TYPE_STRING)
                return g_strdup(json_node_get_string(value));
        if (JSON_NODE_HOLDS_VALUE(value) && json_node_get_value_type(value) == G_TYPE_BOOLEAN)
                return g_strdup(json_node_get_boolean(value) ? "yes" : "no");
        return json_to_text(value, false);
}

/* All fields that say something, in the order of the record. */
static void print_message(JsonObject *message) {
        JsonObjectIter iter;
        const char *name;
        JsonNode *value;

        json_object_iter_init_ordered(&iter, message);
        while (json_object_iter_next_ordered(&iter, &name, &value)) {
                g_autofree char *text = value_text(name, value);
                g_autofree char *shown = terminal_escape(text), *label = terminal_escape(name);

                if (*shown && strcmp(text, "/") != 0)
                        printf("%-20s %s\n", label, shown);
        }
}

static void print_either(const CtlOptions *options, JsonObject *message) {
        if (options->json)
                json_print_document(json_node_init_object(json_node_alloc(), message));
        else
                print_message(message);
}

static ExitCode reload(Client *client, Objects *objects, const char *path, JsonObject **ret) {
        _cleanup_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        r = history_get(client, objects, path, &error, ret);
        return r < 0 ? client_report(client, NULL, &error, r) : EXIT_CODE_OK;
}

static ExitCode resend(const CtlOptions *options, Client *client, Objects *objects, const char *path) {
        _cleanup_message_ sd_bus_message *reply = NULL;
        g_autoptr(JsonObject) message = NULL;
        const char *copy;
        ExitCode code;

        code = client_call(client, CALL_DEFAULT, &reply, path, IFACE_MESSAGE, "Resend", NULL);
        if (code != EXIT_CODE_OK)
                return code;
        if (sd_bus_message_read(reply, "o", &copy) < 0)
                return ctl_fail(EXIT_CODE_FAILED, "the daemon's answer to Resend makes no sense");

        code = reload(client, objects, copy, &message);
        if (code != EXIT_CODE_OK)
                return code;
        if (options->json)
                print_either(options, message);
        else
                printf("%" G_GINT64_FORMAT "\n", json_int(message, "Id"));
        return EXIT_CODE_OK;
}

/* The message after a change that leaves it there. */
static ExitCode change(const CtlOptions *options, Client *client, Objects *objects, const char *path,
                       const char *method) {
        g_autoptr(JsonObject) message = NULL;
        ExitCode code;

        code = client_call(client, CALL_DEFAULT, NULL, path, IFACE_MESSAGE, method, NULL);
        if (code != EXIT_CODE_OK || !options->json)
                return code;
        code = reload(client, objects, path, &message);
        if (code == EXIT_CODE_OK)
                print_either(options, message);
        return code;
}

static ExitCode delete (const CtlOptions *options, Client *client, JsonObject *message) {
        JsonObject *gone;
        ExitCode code;

        code = client_call(client, CALL_DEFAULT, NULL, json_string(message, "Path"), IFACE_MESSAGE, "Delete",
                           NULL);
        if (code != EXIT_CODE_OK || !options->json)
                return code;

        gone = json_object_new();
        json_object_set_int_member(gone, "Id", json_int(message, "Id"));
        json_object_set_boolean_member(gone, "Deleted", TRUE);
        json_print_document(json_node_init_object(json_node_alloc(), gone));
        json_object_unref(gone);
        return EXIT_CODE_OK;
}

static ExitCode run_message(const CtlOptions *options, const Args *args) {
        unsigned actions = args_has(args, "cancel") + args_has(args, "resend") + args_has(args, "delete") +
                           args_has(args, "read");
        g_autoptr(JsonObject) message = NULL;
        g_autoptr(Objects) objects = NULL;
        g_autoptr(Client) client = NULL;
        const char *path;
        ExitCode code;

        if (actions > 1)
                return ctl_fail(EXIT_CODE_USAGE,
                                "--cancel, --resend, --delete and --read exclude one another");
        code = client_open(options, &client);
        if (code == EXIT_CODE_OK)
                code = objects_load(client, &objects);
        if (code == EXIT_CODE_OK)
                code = message_find(client, objects, options, args_word(args, 0), &message);
        if (code != EXIT_CODE_OK)
                return code;

        path = json_string(message, "Path");
        if (args_has(args, "cancel"))
                return change(options, client, objects, path, "Cancel");
        if (args_has(args, "read"))
                return change(options, client, objects, path, "MarkRead");
        if (args_has(args, "resend"))
                return resend(options, client, objects, path);
        if (args_has(args, "delete"))
                return delete (options, client, message);
        print_either(options, message);
        return EXIT_CODE_OK;
}

static const VerbOption message_options[] = {
                {"cancel", 0, NULL, "take our own message back: no (further) try", WORD_ANY, NULL},
                {"resend", 0, NULL, "send the text once more, as a new message; prints its number", WORD_ANY,
                 NULL},
                {"delete", 0, NULL, "delete it from the history for good", WORD_ANY, NULL},
                {"read", 0, NULL, "mark it as read", WORD_ANY, NULL},
                {},
};

static const char message_description[] =
                "ID is the number that \"messages\" and \"send\" print. Numbers grow, are unique over all\n"
                "radios, and are never used again.\n"
                "\n"
                "With --json: one object as in \"messages --json\"; after --cancel and --read the\n"
                "message as it is then, after --resend the new one, after --delete\n"
                "{\"Id\", \"Deleted\": true}.\n";

static const char message_examples[] = "  meshcorectl message 1234\n"
                                       "  meshcorectl message 1234 --cancel\n"
                                       "  new=$(meshcorectl message 1234 --resend)\n";

const Verb verb_message = {
                .name = "message",
                .arguments = "ID [--cancel | --resend | --delete | --read]",
                .summary = "Show one message with all its fields, or act on it",
                .description = message_description,
                .examples = message_examples,
                .options = message_options,
                .min_words = 1,
                .max_words = 1,
                .word = WORD_MESSAGE,
                .run = run_message,
};
