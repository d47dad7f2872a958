/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <check.h>
#include <string.h>

#include "data.h"
#include "hex.h"

/* TEST_DATA_DIR: from the build. */

JsonNode *data_vectors(const char *section) {
        static JsonParser *parser;
        JsonNode *node;

        if (!parser) {
                g_autoptr(GError) error = NULL;

                parser = json_parser_new();
                if (!json_parser_load_from_file(parser, TEST_DATA_DIR "/vectors.json", &error))
                        ck_abort_msg("vectors.json: %s", error->message);
        }

        node = json_object_get_member(json_node_get_object(json_parser_get_root(parser)), section);
        ck_assert_ptr_nonnull(node);
        return node;
}

GByteArray *data_unhex(const char *digits) {
        GByteArray *bytes = g_byte_array_new();
        int n;

        g_byte_array_set_size(bytes, (guint) strlen(digits) / 2);
        n = hex_decode(digits, strlen(digits), bytes->data, bytes->len);
        ck_assert_msg(n >= 0, "not hex: %s", digits);
        return bytes;
}

GByteArray *data_unhex_member(JsonObject *o, const char *key) {
        return data_unhex(json_object_get_string_member(o, key));
}

const char *data_string(JsonObject *o, const char *key) {
        if (!json_object_has_member(o, key) || json_object_get_null_member(o, key))
                return NULL;
        return json_object_get_string_member(o, key);
}

gint64 data_int(JsonObject *o, const char *key) {
        ck_assert_msg(json_object_has_member(o, key), "no member %s", key);
        return json_object_get_int_member(o, key);
}

static size_t for_each_line_of(const char *name, data_line_t each, void *userdata) {
        g_autofree char *path = g_build_filename(TEST_DATA_DIR, "transcripts", name, NULL), *text = NULL;
        g_autoptr(JsonParser) parser = json_parser_new();
        g_auto(GStrv) lines = NULL;
        size_t n = 0;

        ck_assert(g_file_get_contents(path, &text, NULL, NULL));
        lines = g_strsplit(text, "\n", -1);
        for (size_t i = 0; lines[i]; i++) {
                g_autoptr(GByteArray) bytes = NULL;
                JsonObject *o;

                if (lines[i][0] == '\0')
                        continue;
                ck_assert(json_parser_load_from_data(parser, lines[i], -1, NULL));
                o = json_node_get_object(json_parser_get_root(parser));
                bytes = data_unhex_member(o, "hex");
                each(name, i + 1, strcmp(json_object_get_string_member(o, "dir"), "radio>app") == 0,
                     data_slice(bytes), json_object_get_string_member(o, "note"), userdata);
                n++;
        }
        return n;
}

size_t data_for_each_file(void (*begin)(const char *file, void *userdata), data_line_t each,
                          void (*end)(const char *file, void *userdata), void *userdata) {
        g_autoptr(GDir) dir = g_dir_open(TEST_DATA_DIR "/transcripts", 0, NULL);
        const char *name;
        size_t n = 0;

        ck_assert_ptr_nonnull(dir);
        while ((name = g_dir_read_name(dir))) {
                if (!g_str_has_suffix(name, ".jsonl"))
                        continue;
                if (begin)
                        begin(name, userdata);
                n += for_each_line_of(name, each, userdata);
                if (end)
                        end(name, userdata);
        }
        return n;
}

size_t data_for_each_line(data_line_t each, void *userdata) {
        return data_for_each_file(NULL, each, NULL, userdata);
}
