/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A record of decode for people: one line a field, with what the number means beside it. */

#include <inttypes.h>
#include <string.h>

#include "decode-internal.h"
#include "hex.h"
#include "macros.h"
#include "terminal.h"
#include "utf8.h"

#define TEXT_SUFFIX "_bytes"
#define BYTES_MAX   1024
#define INDENT      "  "
#define LIST_INDENT "    "

typedef enum Meaning {
        MEANING_TIME,
        MEANING_SNR,
        MEANING_DEGREES,
        MEANING_DBM,
        MEANING_MILLIVOLT,
        MEANING_ERROR,
        MEANING_NODE_TYPE,
        MEANING_ROUTE,
        MEANING_PAYLOAD_TYPE,
} Meaning;

/* code 0: in every frame. */
static const struct {
        const char *key;
        unsigned code;
        Meaning meaning;
} meanings[] = {
                {"time", 0, MEANING_TIME},
                {"timestamp", 0, MEANING_TIME},
                {"server_time", 0, MEANING_TIME},
                {"recv_time", 0, MEANING_TIME},
                {"last_advert", 0, MEANING_TIME},
                {"lastmod", 0, MEANING_TIME},
                {"most_recent_lastmod", 0, MEANING_TIME},
                {"snr_x4", 0, MEANING_SNR},
                {"snr_in_x4", 0, MEANING_SNR},
                {"last_snr_x4", 0, MEANING_SNR},
                {"final_snr_x4", 0, MEANING_SNR},
                {"lat_e6", 0, MEANING_DEGREES},
                {"lon_e6", 0, MEANING_DEGREES},
                {"rssi", 0, MEANING_DBM},
                {"last_rssi", 0, MEANING_DBM},
                {"noise_floor", 0, MEANING_DBM},
                {"battery_mv", 0, MEANING_MILLIVOLT},
                {"error", RESP_ERR, MEANING_ERROR},
                {"type", RESP_CONTACT, MEANING_NODE_TYPE},
                {"type", PUSH_NEW_ADVERT, MEANING_NODE_TYPE},
                {"node_type", PUSH_CONTROL_DATA, MEANING_NODE_TYPE},
                {"route", PUSH_LOG_RX_DATA, MEANING_ROUTE},
                {"payload_type", PUSH_LOG_RX_DATA, MEANING_PAYLOAD_TYPE},
};

static void append_time(GString *out, gint64 value) {
        g_autoptr(GDateTime) time = g_date_time_new_from_unix_utc(value);
        g_autofree char *text = time ? g_date_time_format(time, "%Y-%m-%d %H:%M:%S UTC") : NULL;

        if (value != 0 && text)
                g_string_append_printf(out, " (%s)", text);
}

static void append_meaning(GString *out, Meaning meaning, gint64 value) {
        switch (meaning) {
        case MEANING_TIME:
                append_time(out, value);
                break;
        case MEANING_SNR:
                g_string_append_printf(out, " (%.2f dB)", (double) value / 4);
                break;
        case MEANING_DEGREES:
                g_string_append_printf(out, " (%.6f°)", (double) value / 1e6);
                break;
        case MEANING_DBM:
                g_string_append(out, " dBm");
                break;
        case MEANING_MILLIVOLT:
                g_string_append_printf(out, " (%.3f V)", (double) value / 1000);
                break;
        case MEANING_ERROR:
                g_string_append_printf(out, " (%s)", error_code_to_string((unsigned) value));
                break;
        case MEANING_NODE_TYPE:
                g_string_append_printf(out, " (%s)", node_type_to_string((unsigned) value));
                break;
        case MEANING_ROUTE:
                g_string_append_printf(out, " (%s)", route_type_to_string((unsigned) value));
                break;
        case MEANING_PAYLOAD_TYPE:
                g_string_append_printf(out, " (%s)", payload_type_to_string((unsigned) value));
                break;
        }
}

static void append_quoted(GString *out, const char *text) {
        g_autofree char *shown = terminal_escape(text);

        g_string_append_printf(out, "\"%s\"", shown);
}

static void append_number(GString *out, const char *key, unsigned code, JsonNode *node) {
        gint64 value = json_node_get_int(node);

        g_string_append_printf(out, "%" PRId64, (int64_t) value);
        for (size_t i = 0; i < ELEMENTSOF(meanings); i++)
                if ((meanings[i].code == 0 || meanings[i].code == code) && strcmp(meanings[i].key, key) == 0)
                        append_meaning(out, meanings[i].meaning, value);
}

/* Hex of foreign text, or of something that is mostly text. */
static void append_hex_text(GString *out, const char *digits) {
        uint8_t bytes[BYTES_MAX];
        int n = hex_decode(digits, strlen(digits), bytes, sizeof(bytes));

        if (n >= 0) {
                g_autofree char *text = utf8_repair(bytes, (size_t) n);

                append_quoted(out, text);
        }
}

static void append_value(GString *out, const char *key, unsigned code, JsonNode *node);

static void append_members(GString *out, unsigned code, JsonObject *object) {
        const char *separator = "";
        JsonObjectIter iter;
        const char *key;
        JsonNode *node;

        json_object_iter_init_ordered(&iter, object);
        while (json_object_iter_next_ordered(&iter, &key, &node)) {
                g_autofree char *shown = terminal_escape(key);

                g_string_append_printf(out, "%s%s ", separator, shown);
                append_value(out, key, code, node);
                separator = ", ";
        }
}

static void append_elements(GString *out, const char *key, unsigned code, JsonArray *array) {
        if (json_array_get_length(array) == 0)
                g_string_append(out, "none");

        for (guint i = 0; i < json_array_get_length(array); i++) {
                JsonNode *element = json_array_get_element(array, i);

                g_string_append(out, "\n" LIST_INDENT);
                if (JSON_NODE_HOLDS_ARRAY(element)) {
                        JsonArray *range = json_node_get_array(element);

                        g_string_append_printf(out, "%" PRId64 " to %" PRId64,
                                               (int64_t) json_array_get_int_element(range, 0),
                                               (int64_t) json_array_get_int_element(range, 1));
                } else
                        append_value(out, key, code, element);
        }
}

static void append_value(GString *out, const char *key, unsigned code, JsonNode *node) {
        if (JSON_NODE_HOLDS_NULL(node))
                g_string_append(out, "absent");
        else if (JSON_NODE_HOLDS_OBJECT(node))
                append_members(out, code, json_node_get_object(node));
        else if (JSON_NODE_HOLDS_ARRAY(node))
                append_elements(out, key, code, json_node_get_array(node));
        else if (json_node_get_value_type(node) == G_TYPE_INT64)
                append_number(out, key, code, node);
        else if (json_node_get_value_type(node) == G_TYPE_DOUBLE)
                g_string_append_printf(out, "%g", json_node_get_double(node));
        else if (json_node_get_value_type(node) == G_TYPE_BOOLEAN)
                g_string_append(out, json_node_get_boolean(node) ? "yes" : "no");
        else if (g_str_has_suffix(key, TEXT_SUFFIX))
                append_hex_text(out, json_node_get_string(node));
        else {
                g_autofree char *shown = terminal_escape(json_node_get_string(node));

                g_string_append(out, shown[0] != '\0' ? shown : "empty");
        }
}

static void append_field(GString *out, const char *key, unsigned code, JsonNode *node) {
        size_t size = strlen(key);

        /* The text stands there, not its bytes. */
        if (g_str_has_suffix(key, TEXT_SUFFIX))
                size -= strlen(TEXT_SUFFIX);
        g_string_append_printf(out, INDENT "%.*s: ", (int) size, key);
        append_value(out, key, code, node);
        g_string_append_c(out, '\n');
}

static void append_telemetry(GString *out, const char *digits) {
        uint8_t bytes[BYTES_MAX];
        int n = hex_decode(digits, strlen(digits), bytes, sizeof(bytes));
        LppReader reader;
        LppItem item;

        if (n < 0)
                return;

        lpp_init(&reader, (Slice){bytes, (size_t) n});
        while (lpp_next(&reader, &item)) {
                g_string_append_printf(out, LIST_INDENT "channel %u %s:", item.channel,
                                       lpp_type_to_string(item.type));
                for (size_t i = 0; i < item.n_values; i++)
                        g_string_append_printf(out, " %g", (double) item.values[i] / item.scales[i]);
                g_string_append_printf(out, " %s\n", lpp_type_unit(item.type));
        }
}

static void append_advert(GString *out, const char *digits) {
        uint8_t bytes[BYTES_MAX];
        int n = hex_decode(digits, strlen(digits), bytes, sizeof(bytes));
        Packet packet = {.payload_type = PAYLOAD_ADVERT};
        g_autofree char *name = NULL;
        Advert advert;
        KeyText key;

        if (n < 0)
                return;

        packet.payload = (Slice){bytes, (size_t) n};
        if (advert_decode(&packet, &advert) < 0)
                return;

        key = key_to_text(&advert.key);
        name = utf8_repair(advert.name.data, advert.name.size);
        g_string_append_printf(out, LIST_INDENT "advert of %s ", node_type_to_string(advert.type));
        append_quoted(out, name);
        g_string_append_printf(out, ", key %s", key.text);
        if (advert.has_location)
                g_string_append_printf(out, ", at %.6f° %.6f°", advert.lat_e6 / 1e6, advert.lon_e6 / 1e6);
        g_string_append_c(out, '\n');
}

static void append_fields(GString *out, unsigned code, JsonObject *fields) {
        JsonObjectIter iter;
        const char *key;
        JsonNode *node;

        json_object_iter_init_ordered(&iter, fields);
        while (json_object_iter_next_ordered(&iter, &key, &node)) {
                append_field(out, key, code, node);
                if (strcmp(key, "lpp") == 0)
                        append_telemetry(out, json_node_get_string(node));
                else if (strcmp(key, "body") == 0) {
                        g_string_append(out, LIST_INDENT);
                        append_hex_text(out, json_node_get_string(node));
                        g_string_append_c(out, '\n');
                }
        }

        if (code == PUSH_LOG_RX_DATA && json_object_has_member(fields, "payload_type") &&
            json_object_get_int_member(fields, "payload_type") == PAYLOAD_ADVERT)
                append_advert(out, json_object_get_string_member(fields, "payload"));
}

char *decode_record_to_text(JsonObject *record) {
        GString *out = g_string_new(NULL);
        unsigned code = 0;

        if (json_object_has_member(record, "name"))
                g_string_append(out, json_object_get_string_member(record, "name"));
        if (json_object_has_member(record, "code") && !json_object_get_null_member(record, "code")) {
                code = (unsigned) json_object_get_int_member(record, "code");
                g_string_append_printf(out, " (code %u)", code);
        }
        if (json_object_has_member(record, "error"))
                g_string_append_printf(out, "%serror: %s", out->len > 0 ? ": " : "",
                                       json_object_get_string_member(record, "error"));
        g_string_append_c(out, '\n');

        if (json_object_has_member(record, "fields"))
                append_fields(out, code, json_object_get_object_member(record, "fields"));
        return g_string_free(out, FALSE);
}
