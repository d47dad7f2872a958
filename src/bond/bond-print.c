/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <json-glib/json-glib.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "bond-tool.h"
#include "terminal.h"

#define LABEL_WIDTH 10

static bool json, verbose;
static JsonObject *facts;
static JsonArray *radios;

void print_init(const Options *options) {
        json = options->json;
        verbose = options->verbose;
        if (json)
                facts = json_object_new();
        if (json && (options->mode == MODE_LIST || options->mode == MODE_SCAN))
                radios = json_array_new();
}

void print_line(const char *label, const char *format, ...) {
        g_autofree char *name = g_strconcat(label, ":", NULL), *text = NULL;
        va_list ap;

        if (json)
                return;

        va_start(ap, format);
        text = g_strdup_vprintf(format, ap);
        va_end(ap);
        (void) printf("%-*s%s\n", LABEL_WIDTH, name, text);
        (void) fflush(stdout);
}

void print_verbose(const char *format, ...) {
        g_autofree char *text = NULL;
        va_list ap;

        if (json || !verbose)
                return;

        va_start(ap, format);
        text = g_strdup_vprintf(format, ap);
        va_end(ap);
        (void) printf("  [%s]\n", text);
        (void) fflush(stdout);
}

void print_error(const char *format, ...) {
        g_autofree char *text = NULL;
        va_list ap;

        va_start(ap, format);
        text = g_strdup_vprintf(format, ap);
        va_end(ap);
        if (json)
                print_fact("Error", text);
        else {
                (void) fflush(stdout);
                (void) fprintf(stderr, "%-*s%s\n", LABEL_WIDTH, "Error:", text);
        }
}

void print_fact(const char *name, const char *value) {
        if (facts)
                json_object_set_string_member(facts, name, value);
}

static const char *bond_of(const BluezDevice *device) {
        if (!device->paired)
                return "none";
        return device->trusted ? "bonded" : "bonded, not trusted";
}

static const char *adapter_name(const BluezAdapter *adapter) {
        const char *slash = adapter ? strrchr(adapter->path, '/') : NULL;

        return slash ? slash + 1 : "?";
}

void print_radio(const BluezDevice *device, const BluezAdapter *adapter) {
        g_autofree char *name = NULL, *rssi = NULL;

        if (json) {
                JsonObject *radio = json_object_new();

                json_object_set_string_member(radio, "Address", device->address);
                json_object_set_string_member(radio, "Name", device->name);
                json_object_set_string_member(radio, "Adapter", adapter_name(adapter));
                json_object_set_boolean_member(radio, "Bonded", device->paired);
                json_object_set_boolean_member(radio, "Trusted", device->trusted);
                json_object_set_boolean_member(radio, "Connected", device->connected);
                if (device->has_rssi)
                        json_object_set_int_member(radio, "Rssi", device->rssi);
                json_array_add_object_element(radios, radio);
                return;
        }

        name = terminal_escape(device->name);
        rssi = device->has_rssi ? g_strdup_printf("%4i dBm", device->rssi) : g_strdup("        ");
        (void) printf("%s  %-6s %s  %-9s  %-20s %s\n", device->address, adapter_name(adapter), rssi,
                      device->connected ? "connected" : "", bond_of(device), name);
}

static void print_json(void) {
        JsonNode *node = json_node_init_object(json_node_alloc(), facts);
        g_autofree char *text = json_to_string(node, true), *shown = terminal_escape_json(text);

        (void) printf("%s\n", shown);
        (void) fflush(stdout);
        json_node_free(node);
        g_clear_pointer(&facts, json_object_unref);
}

int print_result(Exit code, BondState state, BondReason reason, const char *text) {
        if (json) {
                if (state >= 0)
                        json_object_set_string_member(facts, "State", bond_state_to_string(state));
                json_object_set_string_member(facts, "Reason", bond_reason_to_string(reason));
                if (text)
                        json_object_set_string_member(facts, "Result", text);
                if (radios)
                        json_object_set_array_member(facts, "Radios", g_steal_pointer(&radios));
                json_object_set_int_member(facts, "Exit", code);
                print_json();
                return (int) code;
        }

        if (reason != BOND_REASON_NONE)
                print_line("Reason", "%s", bond_reason_to_string(reason));
        if (text)
                print_line("Result", "%s%s", code == EXIT_GOOD ? "✅ " : "", text);
        (void) fflush(stdout);
        return (int) code;
}
