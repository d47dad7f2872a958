/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>

#include "answer.h"
#include "autobus.h"
#include "format.h"
#include "hex.h"
#include "table.h"
#include "terminal.h"

static char *value_text(const Target *t, const char *name, JsonNode *value) {
        GType type = JSON_NODE_HOLDS_VALUE(value) ? json_node_get_value_type(value) : G_TYPE_INVALID;
        bool is_span = g_str_has_suffix(name, "AirtimeUSec") || strcmp(name, "UptimeUSec") == 0;

        if (g_str_has_suffix(name, "USec"))
                return is_span ? format_span(json_node_get_int(value))
                               : format_time(json_node_get_int(value));
        if (strcmp(name, "Contact") == 0 && type == G_TYPE_STRING) {
                JsonObject *contact = objects_get(t->objects, json_node_get_string(value), IFACE_CONTACT);

                return g_strdup(contact ? json_string(contact, "Name") : "");
        }
        if (type == G_TYPE_STRING)
                return g_strdup(json_node_get_string(value));
        if (type == G_TYPE_BOOLEAN)
                return g_strdup(json_node_get_boolean(value) ? "yes" : "no");
        if (type == G_TYPE_DOUBLE)
                return g_strdup_printf("%g", json_node_get_double(value));
        return json_to_text(value, false);
}

static void print_facts(const Target *t, JsonObject *object) {
        JsonObjectIter iter;
        const char *name;
        JsonNode *value;

        json_object_iter_init_ordered(&iter, object);
        while (json_object_iter_next_ordered(&iter, &name, &value)) {
                g_autofree char *text = value_text(t, name, value);
                g_autofree char *shown = terminal_escape(text), *label = terminal_escape(name);

                printf("%-20s %s\n", label, shown);
        }
}

/* The names in all rows, in the order in which they appear first. */
static GPtrArray *column_names(JsonArray *rows) {
        GPtrArray *names = g_ptr_array_new();

        for (guint i = 0; i < json_array_get_length(rows); i++) {
                JsonObjectIter iter;
                const char *name;

                json_object_iter_init_ordered(&iter, json_array_get_object_element(rows, i));
                while (json_object_iter_next_ordered(&iter, &name, NULL))
                        if (!g_ptr_array_find_with_equal_func(names, name, g_str_equal, NULL))
                                g_ptr_array_add(names, (char *) name);
        }
        g_ptr_array_add(names, NULL);
        return names;
}

static void print_rows(const Target *t, JsonArray *rows) {
        g_autoptr(GPtrArray) names = column_names(rows);
        g_autoptr(Table) table = NULL;

        if (json_array_get_length(rows) == 0) {
                ctl_note("the answer is an empty list");
                return;
        }

        table = table_new((const char *const *) names->pdata);
        for (guint i = 0; i < json_array_get_length(rows); i++) {
                JsonObject *row = json_array_get_object_element(rows, i);

                for (guint j = 0; j + 1 < names->len; j++) {
                        JsonNode *value = json_object_get_member(row, names->pdata[j]);
                        g_autofree char *text = value ? value_text(t, names->pdata[j], value) : NULL;

                        table_add(table, text);
                }
        }
        table_print(table);
}

/* Takes the node. */
static void print_answer(const Target *t, JsonNode *answer, bool stream) {
        if (t->options->json && stream) {
                g_autofree char *line = json_to_text(answer, false);

                puts(line);
                json_node_unref(answer);
        } else if (t->options->json) {
                json_print_document(answer);
                return;
        } else {
                if (JSON_NODE_HOLDS_ARRAY(answer))
                        print_rows(t, json_node_get_array(answer));
                else if (JSON_NODE_HOLDS_OBJECT(answer))
                        print_facts(t, json_node_get_object(answer));
                else {
                        g_autofree char *shown = terminal_escape(json_node_get_string(answer));

                        puts(shown);
                }
                json_node_unref(answer);
        }
        fflush(stdout);
}

ExitCode answer_ask(const Target *t, sd_bus_message *call, int r, bool stream) {
        _cleanup_message_ sd_bus_message *reply = NULL;
        JsonNode *answer;
        ExitCode code;

        code = target_send(t, call, r, &reply);
        if (code != EXIT_CODE_OK)
                return code;
        if (json_from_message(reply, &answer) < 0)
                return ctl_fail(EXIT_CODE_FAILED, "the daemon's answer makes no sense");
        print_answer(t, answer, stream);
        return EXIT_CODE_OK;
}

int answer_append_hex(sd_bus_message *call, const char *text) {
        g_autofree uint8_t *bytes = g_malloc(strlen(text) / 2 + 1);
        int n = hex_decode(text, strlen(text), bytes, strlen(text) / 2);

        return n < 0 ? n : sd_bus_message_append_array(call, 'y', bytes, (size_t) n);
}

char *answer_hops_text(JsonArray *hops) {
        GString *text = g_string_new(NULL);

        for (guint i = 0; i < json_array_get_length(hops); i++)
                g_string_append_printf(text, "%s%s", i > 0 ? "," : "",
                                       json_array_get_string_element(hops, i));
        return g_string_free(text, FALSE);
}
