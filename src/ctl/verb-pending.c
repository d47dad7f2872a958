/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "autobus.h"
#include "command-line.h"
#include "format.h"
#include "pending-list.h"
#include "table.h"
#include "target.h"
#include "verbs.h"

#define PREFIX_DIGITS_MIN 8

int pending_list_quietly(Client *client, const char *radio, uint64_t timeout_usec, sd_bus_error *error,
                         JsonArray **ret) {
        _cleanup_message_ sd_bus_message *call = NULL, *reply = NULL;
        g_autoptr(JsonNode) node = NULL;
        int r;

        if (client_new_call(client, radio, IFACE_CONTACTS, "ListPending", &call) != EXIT_CODE_OK)
                return -ENOTCONN;
        r = client_send(client, call, timeout_usec, error, &reply);
        if (r >= 0 && sd_bus_message_has_signature(reply, "aa{sv}") <= 0)
                r = -EBADMSG;
        if (r >= 0)
                r = json_from_message(reply, &node);
        if (r < 0)
                return r;

        *ret = json_array_ref(json_node_get_array(node));
        return 0;
}

static ExitCode list_pending(Client *client, const char *radio, JsonArray **ret) {
        _cleanup_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        r = pending_list_quietly(client, radio, CALL_DEFAULT, &error, ret);
        return r < 0 ? client_report(client, NULL, &error, r) : EXIT_CODE_OK;
}

/* -- list ------------------------------------------------------------------- */

static void add_row(Table *table, JsonObject *node, const char *radio) {
        g_autofree char *heard = format_time(json_int(node, "LastHeardUSec"));
        JsonArray *pair = json_array(node, "Location");
        g_autofree char *location = NULL;

        if (pair && json_array_get_length(pair) == 2)
                location = format_location(json_array_get_double_element(pair, 0),
                                           json_array_get_double_element(pair, 1));
        table_add(table, json_string(node, "Name"));
        table_add(table, json_string(node, "Type"));
        table_add_format(table, "%.12s", json_string(node, "Key"));
        table_add(table, radio);
        table_add(table, heard);
        table_add(table, location);
}

static ExitCode run_list(const CtlOptions *options, const Args *args) {
        static const char *const headers[] = {"NAME", "TYPE", "KEY", "RADIO", "LAST HEARD", "LOCATION", NULL};
        g_autoptr(Table) table = table_new(headers);
        g_autoptr(JsonArray) all = json_array_new();
        g_autoptr(GPtrArray) radios = NULL;
        g_autoptr(Objects) objects = NULL;
        g_autoptr(Client) client = NULL;
        ExitCode code;

        code = client_open(options, &client);
        if (code == EXIT_CODE_OK)
                code = objects_load(client, &objects);
        if (code == EXIT_CODE_OK)
                code = objects_radios(objects, options, &radios);

        for (guint i = 0; code == EXIT_CODE_OK && i < radios->len; i++) {
                const char *id = objects_radio_id(objects, radios->pdata[i]);
                g_autoptr(JsonArray) nodes = NULL;

                code = list_pending(client, radios->pdata[i], &nodes);
                for (guint j = 0; code == EXIT_CODE_OK && j < json_array_get_length(nodes); j++) {
                        JsonObject *node = json_array_get_object_element(nodes, j);

                        json_object_set_string_member(node, "Radio", id);
                        json_array_add_object_element(all, json_object_ref(node));
                        add_row(table, node, radios->len > 1 ? id : NULL);
                }
        }
        if (code != EXIT_CODE_OK)
                return code;

        if (options->json)
                json_print_document(json_node_init_array(json_node_alloc(), all));
        else
                table_print_or(table, "nobody is pending: who was heard is a contact already");
        return EXIT_CODE_OK;
}

static const Verb pending_list = {
                .name = "pending list",
                .arguments = "",
                .summary = "List the nodes that were heard and are no contacts",
                .description = "The one heard last first. Anybody can take any name, so nodes are meant by "
                               "their\n"
                               "keys.\n"
                               "\n"
                               "With --json: an array of objects with Radio, Key, Type, Name, Location,\n"
                               "LastAdvertUSec and LastHeardUSec; Name and Location only if the node told "
                               "them.\n",
                .examples = "  meshcorectl pending list\n"
                            "  meshcorectl pending --json | jq -r '.[].Key'\n",
                .run = run_list,
};

/* -- add, dismiss --------------------------------------------------------------- */

/* The whole key of the one pending node that begins so. */
static ExitCode find_key(const Target *t, const char *text, char **ret) {
        g_autofree char *lower = g_ascii_strdown(text, -1), *found = NULL;
        g_autoptr(JsonArray) nodes = NULL;
        ExitCode code;

        if (strlen(text) < PREFIX_DIGITS_MIN)
                return ctl_fail(EXIT_CODE_USAGE,
                                "a pending node is named by its key or the first %i digits of it, "
                                "not: %s",
                                PREFIX_DIGITS_MIN, text);
        code = list_pending(t->client, t->radio, &nodes);
        if (code != EXIT_CODE_OK)
                return code;

        for (guint i = 0; i < json_array_get_length(nodes); i++) {
                const char *key = json_string(json_array_get_object_element(nodes, i), "Key");

                if (!g_str_has_prefix(key, lower))
                        continue;
                if (found)
                        return ctl_fail(EXIT_CODE_USAGE, "%s can be any of these: %s, %s", text, found, key);
                found = g_strdup(key);
        }
        if (!found)
                return ctl_fail(EXIT_CODE_NOT_FOUND,
                                "no pending node has a key that begins with %s; see: %s pending", text,
                                CTL_NAME);

        *ret = g_steal_pointer(&found);
        return EXIT_CODE_OK;
}

static ExitCode add_one(const Target *t, const char *key, bool favourite) {
        _cleanup_message_ sd_bus_message *reply = NULL;
        const char *path;
        ExitCode code;

        if (favourite)
                code = target_call(t, &reply, t->radio, IFACE_CONTACTS, "Add", "a{sv}", 2, "Key", "s", key,
                                   "Favourite", "b", 1);
        else
                code = target_call(t, &reply, t->radio, IFACE_CONTACTS, "Add", "a{sv}", 1, "Key", "s", key);
        if (code != EXIT_CODE_OK)
                return code;

        if (sd_bus_message_read(reply, "o", &path) < 0)
                return ctl_fail(EXIT_CODE_FAILED, "the daemon's answer to Add makes no sense");
        return target_print(t, path, IFACE_CONTACT, "Key");
}

static ExitCode run_add(const CtlOptions *options, const Args *args) {
        g_autofree char *key = NULL;
        g_auto(Target) target = {};
        ExitCode code;

        code = target_open(options, NULL, &target);
        if (code == EXIT_CODE_OK)
                code = find_key(&target, args_word(args, 0), &key);
        return code == EXIT_CODE_OK ? add_one(&target, key, args_has(args, "favourite")) : code;
}

static const VerbOption add_options[] = {
                {"favourite", 'f', NULL, "and protect it from being overwritten", WORD_ANY, NULL},
                {},
};

static const Verb pending_add = {
                .name = "pending add",
                .arguments = "KEY",
                .summary = "Make a contact of a node that was heard",
                .description = "The key, or its first digits, at least 8. Prints the key; with --json: one "
                               "object as\n"
                               "in \"contacts --json\".\n",
                .examples = "  meshcorectl pending add 3f5a09c1\n",
                .options = add_options,
                .min_words = 1,
                .max_words = 1,
                .word = WORD_PENDING,
                .run = run_add,
};

static ExitCode run_dismiss(const CtlOptions *options, const Args *args) {
        g_autofree char *key = NULL;
        g_auto(Target) target = {};
        ExitCode code;

        code = target_open(options, NULL, &target);
        if (code == EXIT_CODE_OK)
                code = find_key(&target, args_word(args, 0), &key);
        if (code == EXIT_CODE_OK)
                code = target_call(&target, NULL, target.radio, IFACE_CONTACTS, "DismissPending", "s", key);
        return code;
}

static const Verb pending_dismiss = {
                .name = "pending dismiss",
                .arguments = "KEY",
                .summary = "Forget a node until it is heard again",
                .description = "The key, or its first digits, at least 8. Prints nothing, also with "
                               "--json.\n",
                .examples = "  meshcorectl pending dismiss 3f5a09c1\n",
                .min_words = 1,
                .max_words = 1,
                .word = WORD_PENDING,
                .run = run_dismiss,
};

static const Verb *const parts[] = {&pending_list, &pending_add, &pending_dismiss, NULL};

const Verb verb_pending = {
                .name = "pending",
                .summary = "See and add nodes that were heard and are no contacts",
                .description = "Which nodes the radio adds by itself is the matter of \"auto-add\".\n",
                .examples = "  meshcorectl pending\n"
                            "  meshcorectl pending add 3f5a09c1\n",
                .parts = parts,
};
