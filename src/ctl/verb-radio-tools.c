/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "autobus.h"
#include "format.h"
#include "hex.h"
#include "table.h"
#include "target.h"
#include "terminal.h"
#include "verb-radio-internal.h"

/* -- on air and restarts -------------------------------------------------------------- */

static ExitCode run_advertise(const CtlOptions *options, const Args *args) {
        g_auto(Target) target = {};
        ExitCode code = target_open(options, NULL, &target);

        if (code == EXIT_CODE_OK)
                code = target_call(&target, NULL, target.radio, IFACE_RADIO, "Advertise", "a{sv}", 1, "Flood",
                                   "b", (int) args_has(args, "flood"));
        return code;
}

static const VerbOption advertise_options[] = {
                {"flood", 'f', NULL, "let repeaters pass it on; at most once in 5 minutes", WORD_ANY, NULL},
                {},
};

const Verb radio_advertise = {
                .name = "radio advertise",
                .arguments = "",
                .summary = "Tell others of this radio: name, key and position",
                .description = "Without --flood only those in direct reach hear it. Prints nothing, also "
                               "with\n"
                               "--json.\n",
                .examples = "  meshcorectl radio advertise\n"
                            "  meshcorectl radio advertise --flood\n",
                .options = advertise_options,
                .run = run_advertise,
};

static ExitCode run_reboot(const CtlOptions *options, const Args *args) {
        g_auto(Target) target = {};
        ExitCode code = target_open(options, NULL, &target);

        if (code == EXIT_CODE_OK)
                code = target_call(&target, NULL, target.radio, IFACE_RADIO, "Reboot", NULL);
        return code;
}

const Verb radio_reboot = {
                .name = "radio reboot",
                .arguments = "",
                .summary = "Restart the radio",
                .description = "Ends as soon as the radio is gone; \"status\" and \"monitor\" tell when it "
                               "is back.\n"
                               "Prints nothing, also with --json.\n",
                .examples = "  meshcorectl radio reboot\n",
                .run = run_reboot,
};

static ExitCode run_factory_reset(const CtlOptions *options, const Args *args) {
        _cleanup_message_ sd_bus_message *reply = NULL;
        const char *confirm = args_count(args) > 0 ? args_word(args, 0) : "", *token;
        g_auto(Target) target = {};
        ExitCode code;

        if (args_count(args) > 0 && !*confirm)
                return ctl_fail(EXIT_CODE_USAGE, "the token is empty");
        code = target_open(options, NULL, &target);
        if (code == EXIT_CODE_OK)
                code = target_call(&target, &reply, target.radio, IFACE_RADIO, "FactoryReset", "s", confirm);
        if (code != EXIT_CODE_OK || *confirm)
                return code;

        if (sd_bus_message_read(reply, "s", &token) < 0)
                return ctl_fail(EXIT_CODE_FAILED, "the daemon's answer to FactoryReset makes no sense");
        if (!options->json)
                ctl_note("this erases everything in radio %s, its key too; to do it, within a minute: "
                         "%s radio factory-reset TOKEN, where TOKEN is",
                         objects_radio_id(target.objects, target.radio), CTL_NAME);
        target_print_text(&target, "Token", token);
        return EXIT_CODE_OK;
}

const Verb radio_factory_reset = {
                .name = "radio factory-reset",
                .arguments = "[TOKEN]",
                .summary = "Erase everything in the radio",
                .description = "Without a word it changes nothing and prints a token; with that token, "
                               "within a "
                               "minute,\n"
                               "it erases settings, contacts, channels, messages and the key: the radio will "
                               "be\n"
                               "another node. What the daemon has stored stays. Takes the right to "
                               "administer.\n"
                               "\n"
                               "With --json, without a word: {\"Token\"}.\n",
                .examples = "  meshcorectl radio factory-reset\n"
                            "  meshcorectl radio factory-reset 0123456789abcdef\n",
                .max_words = 1,
                .run = run_factory_reset,
};

static ExitCode run_time_sync(const CtlOptions *options, const Args *args) {
        _cleanup_message_ sd_bus_message *reply = NULL;
        g_auto(Target) target = {};
        const char *result;
        ExitCode code;

        code = target_open(options, NULL, &target);
        if (code == EXIT_CODE_OK)
                code = target_call(&target, &reply, target.radio, IFACE_RADIO, "SyncTime", NULL);
        if (code != EXIT_CODE_OK)
                return code;
        if (sd_bus_message_read(reply, "s", &result) < 0)
                return ctl_fail(EXIT_CODE_FAILED, "the daemon's answer to SyncTime makes no sense");

        target_print_text(&target, "Result", result);
        if (!options->json && strcmp(result, "radio-ahead") == 0)
                ctl_note("the radio's clock is ahead and never goes back; restart the radio, if it has no "
                         "battery "
                         "for its clock");
        return EXIT_CODE_OK;
}

const Verb radio_time_sync = {
                .name = "radio time-sync",
                .arguments = "",
                .summary = "Set the clock of the radio by this computer's",
                .description = "Prints \"set\", or \"radio-ahead\" when the radio's clock is ahead: that "
                               "never goes "
                               "back.\n"
                               "\n"
                               "With --json: {\"Result\"}.\n",
                .examples = "  meshcorectl radio time-sync\n",
                .run = run_time_sync,
};

/* -- what it tells ------------------------------------------------------------------------ */

static ExitCode get_stats(const Target *target, const char *kind, JsonNode **ret) {
        _cleanup_message_ sd_bus_message *reply = NULL;
        g_autoptr(JsonNode) node = NULL;
        ExitCode code;

        code = target_call(target, &reply, target->radio, IFACE_RADIO, "GetStats", "s", kind);
        if (code != EXIT_CODE_OK)
                return code;
        if (json_from_message(reply, &node) < 0 || !JSON_NODE_HOLDS_OBJECT(node))
                return ctl_fail(EXIT_CODE_FAILED, "the daemon's answer to GetStats makes no sense");

        *ret = g_steal_pointer(&node);
        return EXIT_CODE_OK;
}

static char *stat_text(JsonObject *stats, const char *name) {
        JsonNode *node = json_object_get_member(stats, name);

        if (g_str_has_suffix(name, "USec"))
                return format_span(json_int(stats, name));
        return JSON_NODE_HOLDS_VALUE(node) || json_array_get_length(json_node_get_array(node)) > 0
                               ? json_to_text(node, false)
                               : g_strdup("none");
}

static void print_stats(JsonObject *stats) {
        g_autoptr(GList) names = json_object_get_members(stats);

        for (GList *l = names; l; l = l->next) {
                g_autofree char *text = stat_text(stats, l->data), *name = terminal_escape(l->data);

                printf("%-20s %s\n", name, text);
        }
}

static ExitCode run_stats(const CtlOptions *options, const Args *args) {
        static const char *const kinds[] = {"core", "radio", "packets"};
        const char *only = args_count(args) > 0 ? args_word(args, 0) : NULL;
        g_autoptr(JsonObject) all = json_object_new();
        g_auto(Target) target = {};
        ExitCode code;

        code = target_open(options, NULL, &target);
        for (size_t i = 0; code == EXIT_CODE_OK && i < G_N_ELEMENTS(kinds); i++) {
                const char *kind = only ?: kinds[i];
                JsonNode *node = NULL;

                code = get_stats(&target, kind, &node);
                if (code != EXIT_CODE_OK)
                        break;
                if (!options->json)
                        print_stats(json_node_get_object(node));
                json_object_set_member(all, kind, node);
                if (only)
                        break;
        }
        if (code == EXIT_CODE_OK && options->json)
                json_print_document(json_node_init_object(json_node_alloc(), all));
        return code;
}

const Verb radio_stats = {
                .name = "radio stats",
                .arguments = "[KIND]",
                .summary = "Show what the radio counted since it started",
                .description = "KIND is core, radio or packets; all without it. NoiseFloor and LastRssi are "
                               "in dBm,\n"
                               "LastSnr in dB.\n"
                               "\n"
                               "With --json: an object with an object for each kind, whose keys are those of "
                               "GetStats\n"
                               "of org.meshcored1.Radio.\n",
                .examples = "  meshcorectl radio stats\n"
                            "  meshcorectl radio stats packets --json\n",
                .max_words = 1,
                .run = run_stats,
};

static void print_telemetry(JsonArray *values) {
        static const char *const headers[] = {">CHANNEL", "QUANTITY", ">VALUE", "UNIT", NULL};
        g_autoptr(Table) table = table_new(headers);

        for (guint i = 0; i < json_array_get_length(values); i++) {
                JsonObject *value = json_array_get_object_element(values, i);
                const char *part = json_string(value, "Component");

                table_add_format(table, "%" G_GINT64_FORMAT, json_int(value, "Channel"));
                table_add_format(table, "%s%s%s", json_string(value, "Quantity"), *part ? " " : "", part);
                if (json_object_has_member(value, "Value"))
                        table_add_format(table, "%.10g", json_double(value, "Value", 0));
                else
                        table_add(table, json_string(value, "Data"));
                table_add(table, json_string(value, "Unit"));
        }
        table_print(table);
}

static ExitCode run_telemetry(const CtlOptions *options, const Args *args) {
        _cleanup_message_ sd_bus_message *reply = NULL;
        g_autoptr(JsonNode) node = NULL;
        g_auto(Target) target = {};
        ExitCode code;

        code = target_open(options, NULL, &target);
        if (code == EXIT_CODE_OK)
                code = target_call(&target, &reply, target.radio, IFACE_RADIO, "GetTelemetry", NULL);
        if (code != EXIT_CODE_OK)
                return code;
        if (json_from_message(reply, &node) < 0 || !JSON_NODE_HOLDS_ARRAY(node))
                return ctl_fail(EXIT_CODE_FAILED, "the daemon's answer to GetTelemetry makes no sense");

        if (options->json)
                json_print_document(g_steal_pointer(&node));
        else
                print_telemetry(json_node_get_array(node));
        return EXIT_CODE_OK;
}

const Verb radio_telemetry = {
                .name = "radio telemetry",
                .arguments = "",
                .summary = "Read the sensors of the radio itself",
                .description = "Nothing goes on air. Channel 1 is the radio, its sensors have 2 and up.\n"
                               "\n"
                               "With --json: an array of objects as GetTelemetry of org.meshcored1.Radio has "
                               "them.\n",
                .examples = "  meshcorectl radio telemetry\n",
                .run = run_telemetry,
};
