/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "json-text.h"

#include <inttypes.h>
#include <math.h>

#include "hex.h"
#include "terminal.h"
#include "utf8.h"

static void add_key(GString *json, const char *key) {
        char last = json->len > 0 ? json->str[json->len - 1] : '[';

        if (last != '{' && last != '[')
                g_string_append_c(json, ',');
        if (key)
                g_string_append_printf(json, "\"%s\":", key);
}

void json_text_open(GString *json, const char *key, char bracket) {
        add_key(json, key);
        g_string_append_c(json, bracket);
}

void json_text_close(GString *json, char bracket) {
        g_string_append_c(json, bracket);
}

static void add_character(GString *json, gunichar c) {
        if (c == '"' || c == '\\') {
                g_string_append_c(json, '\\');
                g_string_append_c(json, (char) c);
        } else if (c == '\n')
                g_string_append(json, "\\n");
        else if (terminal_character_is_unsafe(c)) /* none of them is above the first plane */
                g_string_append_printf(json, "\\u%04x", c);
        else
                g_string_append_unichar(json, c);
}

void json_text_string(GString *json, const char *key, const char *text) {
        add_key(json, key);
        g_string_append_c(json, '"');
        for (; *text; text = g_utf8_next_char(text))
                add_character(json, g_utf8_get_char(text));
        g_string_append_c(json, '"');
}

void json_text_repaired(GString *json, const char *key, Slice text) {
        g_autofree char *repaired = utf8_repair(text.data, text.size);

        json_text_string(json, key, repaired);
}

void json_text_hex(GString *json, const char *key, Slice bytes) {
        g_autofree char *digits = hex_dup(bytes.data, bytes.size);

        json_text_string(json, key, digits);
}

void json_text_int(GString *json, const char *key, int64_t value) {
        add_key(json, key);
        g_string_append_printf(json, "%" PRIi64, value);
}

void json_text_bool(GString *json, const char *key, bool value) {
        add_key(json, key);
        g_string_append(json, value ? "true" : "false");
}

void json_text_double(GString *json, const char *key, double value) {
        char digits[G_ASCII_DTOSTR_BUF_SIZE];

        g_assert(isfinite(value));

        add_key(json, key);
        g_string_append(json, g_ascii_formatd(digits, sizeof(digits), "%.10g", value));
}
