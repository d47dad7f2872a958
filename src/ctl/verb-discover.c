/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "autobus.h"
#include "command-line.h"
#include "format.h"
#include "found.h"
#include "table.h"
#include "verbs.h"

#define TIMEOUT_DEFAULT_USEC ((uint64_t) 10 * 1000 * 1000)

/* -- records of radios that are there, and of bonds ------------------------------------ */

static char *signal_text(JsonObject *record) {
        return json_object_has_member(record, "Rssi")
                               ? g_strdup_printf("%" G_GINT64_FORMAT " dBm", json_int(record, "Rssi"))
                               : g_strdup("");
}

/* The last part of the object's path is the escaped id; the daemon says what it is. */
static const char *radio_of(Objects *objects, JsonObject *record) {
        const char *path = json_string(record, "Radio");

        return *path && objects ? objects_radio_id(objects, path) : "";
}

void found_print(JsonArray *records, Objects *objects) {
        static const char *const headers[] = {"TRANSPORT", "NAME",    ">SIGNAL", "BOND",
                                              "LINK",      "ADAPTER", "RADIO",   NULL};
        g_autoptr(Table) table = table_new(headers);

        for (guint i = 0; i < json_array_get_length(records); i++) {
                JsonObject *record = json_array_get_object_element(records, i);
                g_autofree char *signal = signal_text(record);

                bool maybe = json_object_has_member(record, "Certain") && !json_bool(record, "Certain");

                table_add_format(table, "%s:%s%s", json_string(record, "Transport"),
                                 json_string(record, "Address"), maybe ? " (?)" : "");
                table_add(table, json_string(record, "Name"));
                table_add(table, signal);
                table_add(table, json_bool(record, "Bonded") ? "yes" : "");
                table_add(table, json_bool(record, "Connected") ? "yes" : "");
                table_add(table, json_string(record, "Adapter"));
                table_add(table, radio_of(objects, record));
        }
        table_print(table);
}

ExitCode found_read(sd_bus_message *reply, const char *method, JsonNode **ret) {
        g_autoptr(JsonNode) node = NULL;

        if (json_from_message(reply, &node) < 0 || !JSON_NODE_HOLDS_ARRAY(node))
                return ctl_fail(EXIT_CODE_FAILED, "the daemon's answer to %s makes no sense", method);

        *ret = g_steal_pointer(&node);
        return EXIT_CODE_OK;
}

ExitCode found_show(const CtlOptions *options, Client *client, JsonNode *taken) {
        g_autoptr(JsonNode) records = taken;
        g_autoptr(Objects) objects = NULL;
        ExitCode code;

        if (options->json) {
                json_print_document(g_steal_pointer(&records));
                return EXIT_CODE_OK;
        }

        code = objects_load(client, &objects);
        if (code == EXIT_CODE_OK)
                found_print(json_node_get_array(records), objects);
        return code;
}

/* -- discover --------------------------------------------------------------------------- */

static int append_text(sd_bus_message *call, const char *key, const char *value) {
        return value ? sd_bus_message_append(call, "{sv}", key, "s", value) : 0;
}

static int append_options(sd_bus_message *call, const Args *args, uint64_t usec) {
        int r;

        r = sd_bus_message_open_container(call, 'a', "{sv}");
        if (r >= 0)
                r = append_text(call, "Transport", args_get(args, "transport"));
        if (r >= 0)
                r = append_text(call, "Name", args_count(args) > 0 ? args_word(args, 0) : NULL);
        if (r >= 0)
                r = append_text(call, "Adapter", args_get(args, "adapter"));
        if (r >= 0 && args_has(args, "first"))
                r = sd_bus_message_append(call, "{sv}", "First", "b", 1);
        if (r >= 0)
                r = sd_bus_message_append(call, "{sv}", "TimeoutUSec", "t", usec);
        if (r >= 0)
                r = sd_bus_message_close_container(call);
        return r;
}

static ExitCode run_discover(const CtlOptions *options, const Args *args) {
        _cleanup_message_ sd_bus_message *call = NULL, *reply = NULL;
        _cleanup_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        const char *timeout = args_get(args, "timeout");
        g_autoptr(JsonNode) records = NULL;
        g_autoptr(Client) client = NULL;
        uint64_t usec = TIMEOUT_DEFAULT_USEC;
        ExitCode code;
        int r;

        if (timeout && parse_duration(timeout, &usec) < 0)
                return ctl_fail(EXIT_CODE_USAGE, "%s is no span of time, such as 10s", timeout);
        code = client_open(options, &client);
        if (code == EXIT_CODE_OK)
                code = client_new_call(client, CTL_ROOT, IFACE_MANAGER, "Discover", &call);
        if (code != EXIT_CODE_OK)
                return code;

        if (isatty(STDERR_FILENO) && g_strcmp0(args_get(args, "transport"), "serial") != 0) {
                g_autofree char *span = format_span((int64_t) usec);

                ctl_note("looking around for %s", span);
        }
        r = append_options(call, args, usec);
        if (r >= 0)
                r = client_send(client, call, CALL_FOREVER, &error, &reply);
        if (r < 0)
                return client_report(client, call, &error, r);

        code = found_read(reply, "Discover", &records);
        if (code != EXIT_CODE_OK)
                return code;
        if (!options->json && json_array_get_length(json_node_get_array(records)) == 0)
                return ctl_fail(EXIT_CODE_NOT_FOUND,
                                "no radio was found: is it on, near, and not connected to a phone?");
        return found_show(options, client, g_steal_pointer(&records));
}

static const VerbOption discover_options[] = {
                {"transport", 't', "TRANSPORT", "only serial or ble", WORD_CHOICE, "serial ble"},
                {"adapter", 'a', "ADAPTER", "only this Bluetooth adapter, as in hci0 or its address",
                 WORD_ANY, NULL},
                {"first", '1', NULL, "end as soon as there is one", WORD_ANY, NULL},
                {"timeout", 0, "SPAN", "how long to scan, 10s by default", WORD_ANY, NULL},
                {},
};

const Verb verb_discover = {
                .name = "discover",
                .arguments = "[NAME]",
                .summary = "Look for radios that are plugged in or near",
                .description = "Serial ports that look like a radio, and Bluetooth devices with the service "
                               "or the\n"
                               "name of one, whether or not they are configured. TRANSPORT is what "
                               "Transport= in\n"
                               "the configuration wants. A radio on TCP does not announce itself. With NAME "
                               "only\n"
                               "Bluetooth devices of this name, with or without \"MeshCore-\", or address.\n"
                               "\n"
                               "(?) marks a serial port that may be a radio or something else: behind a "
                               "chip that\n"
                               "many devices have (CP210x, CH34x, FTDI). None is opened to find out.\n"
                               "\n"
                               "With --json: an array of objects as Discover of org.meshcored1.Manager has "
                               "them.\n"
                               "Without it the exit status is 4 when nothing was found.\n",
                .examples = "  meshcorectl discover\n"
                            "  meshcorectl discover --transport ble --timeout 30s\n"
                            "  meshcorectl discover Hut --first --json | jq -r '.[0].Address'\n",
                .options = discover_options,
                .max_words = 1,
                .run = run_discover,
};
