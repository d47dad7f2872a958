/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "hex.h"
#include "json-out.h"
#include "macros.h"
#include "terminal.h"

static JsonNode *string_node(const char *s) {
        return json_node_init_string(json_node_alloc(), s);
}

static int read_basic(sd_bus_message *m, char type, JsonNode **ret) {
        JsonNode *node = json_node_alloc();
        union {
                uint8_t y;
                int b, i;
                int16_t n;
                uint16_t q;
                uint32_t u;
                int64_t x;
                uint64_t t;
                double d;
                const char *s;
        } v = {};
        int r;

        r = sd_bus_message_read_basic(m, type, type == 'h' ? NULL : (void *) &v);
        if (r <= 0) {
                json_node_free(node);
                return r < 0 ? r : -EBADMSG;
        }

        switch (type) {
        case 'y':
                *ret = json_node_init_int(node, v.y);
                break;
        case 'b':
                *ret = json_node_init_boolean(node, v.b);
                break;
        case 'n':
                *ret = json_node_init_int(node, v.n);
                break;
        case 'q':
                *ret = json_node_init_int(node, v.q);
                break;
        case 'i':
                *ret = json_node_init_int(node, v.i);
                break;
        case 'u':
                *ret = json_node_init_int(node, v.u);
                break;
        case 'x':
                *ret = json_node_init_int(node, v.x);
                break;
        case 't':
                *ret = json_node_init_int(node, (int64_t) MIN(v.t, (uint64_t) INT64_MAX));
                break;
        case 'd':
                *ret = isfinite(v.d) ? json_node_init_double(node, v.d) : json_node_init_null(node);
                break;
        case 's':
        case 'o':
        case 'g':
                *ret = json_node_init_string(node, v.s);
                break;
        default: /* a file descriptor says nothing outside this process */
                *ret = json_node_init_null(node);
        }

        return 0;
}

static int read_bytes(sd_bus_message *m, JsonNode **ret) {
        g_autofree char *hex = NULL;
        const void *data;
        size_t size;
        int r;

        r = sd_bus_message_read_array(m, 'y', &data, &size);
        if (r < 0)
                return r;

        hex = hex_dup(data, size);
        *ret = string_node(hex);
        return 0;
}

/* The key of a dictionary as the name of a member. */
static char *key_text(JsonNode *key) {
        if (json_node_get_value_type(key) == G_TYPE_STRING)
                return g_strdup(json_node_get_string(key));
        return json_to_text(key, false);
}

static int read_dictionary(sd_bus_message *m, const char *contents, JsonNode **ret) {
        g_autoptr(JsonObject) object = json_object_new();
        g_autofree char *entry = g_strndup(contents + 1, strlen(contents) - 2);
        int r;

        r = sd_bus_message_enter_container(m, 'a', contents);
        if (r < 0)
                return r;

        while ((r = sd_bus_message_enter_container(m, 'e', entry)) > 0) {
                g_autoptr(JsonNode) key = NULL;
                g_autofree char *name = NULL;
                JsonNode *value = NULL;

                r = json_from_message(m, &key);
                if (r >= 0)
                        r = json_from_message(m, &value);
                if (r < 0)
                        return r;

                name = key_text(key);
                json_object_set_member(object, name, value);
                r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return r;
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        if (r < 0)
                return r;

        *ret = json_node_init_object(json_node_alloc(), object);
        return 0;
}

/* Arrays and structs: values until the end of the container. */
static int read_list(sd_bus_message *m, char type, const char *contents, JsonNode **ret) {
        g_autoptr(JsonArray) array = json_array_new();
        int r;

        r = sd_bus_message_enter_container(m, type, contents);
        if (r < 0)
                return r;

        while ((r = sd_bus_message_at_end(m, false)) == 0) {
                JsonNode *value = NULL;

                r = json_from_message(m, &value);
                if (r < 0)
                        return r;
                json_array_add_element(array, value);
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        if (r < 0)
                return r;

        *ret = json_node_init_array(json_node_alloc(), array);
        return 0;
}

static int read_variant(sd_bus_message *m, const char *contents, JsonNode **ret) {
        g_autoptr(JsonNode) value = NULL;
        int r;

        r = sd_bus_message_enter_container(m, 'v', contents);
        if (r >= 0)
                r = json_from_message(m, &value);
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        if (r < 0)
                return r;

        *ret = g_steal_pointer(&value);
        return 0;
}

int json_from_message(sd_bus_message *m, JsonNode **ret) {
        const char *contents;
        char type;
        int r;

        r = sd_bus_message_peek_type(m, &type, &contents);
        if (r <= 0)
                return r < 0 ? r : -EBADMSG;

        switch (type) {
        case 'a':
                if (contents[0] == 'y')
                        return read_bytes(m, ret);
                if (contents[0] == '{')
                        return read_dictionary(m, contents, ret);
                return read_list(m, type, contents, ret);
        case 'r':
                return read_list(m, type, contents, ret);
        case 'v':
                return read_variant(m, contents, ret);
        default:
                return read_basic(m, type, ret);
        }
}

static JsonNode *member(JsonObject *object, const char *name, GType type) {
        JsonNode *node = object ? json_object_get_member(object, name) : NULL;

        return node && JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == type ? node : NULL;
}

const char *json_string(JsonObject *object, const char *name) {
        JsonNode *node = member(object, name, G_TYPE_STRING);

        return node ? json_node_get_string(node) : "";
}

int64_t json_int(JsonObject *object, const char *name) {
        JsonNode *node = member(object, name, G_TYPE_INT64);

        return node ? json_node_get_int(node) : 0;
}

bool json_bool(JsonObject *object, const char *name) {
        JsonNode *node = member(object, name, G_TYPE_BOOLEAN);

        return node && json_node_get_boolean(node);
}

double json_double(JsonObject *object, const char *name, double otherwise) {
        JsonNode *node = member(object, name, G_TYPE_DOUBLE);

        if (node)
                return json_node_get_double(node);
        return member(object, name, G_TYPE_INT64) ? (double) json_int(object, name) : otherwise;
}

JsonArray *json_array(JsonObject *object, const char *name) {
        JsonNode *node = object ? json_object_get_member(object, name) : NULL;

        return node && JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : NULL;
}

JsonObject *json_object(JsonObject *object, const char *name) {
        JsonNode *node = object ? json_object_get_member(object, name) : NULL;

        return node && JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
}

void json_merge(JsonObject *to, JsonObject *from) {
        g_autoptr(GList) names = json_object_get_members(from);

        for (GList *l = names; l; l = l->next)
                json_object_set_member(to, l->data, json_node_copy(json_object_get_member(from, l->data)));
}

char *json_to_text(JsonNode *node, bool pretty) {
        g_autoptr(JsonGenerator) generator = json_generator_new();
        g_autofree char *text = NULL;

        json_generator_set_root(generator, node);
        json_generator_set_pretty(generator, pretty);
        text = json_generator_to_data(generator, NULL);
        return terminal_escape_json(text);
}

void json_print_document(JsonNode *node) {
        g_autofree char *text = json_to_text(node, true);

        (void) puts(text);
        json_node_free(node);
}

void json_print_line(JsonObject *object) {
        JsonNode *node = json_node_init_object(json_node_alloc(), object);
        g_autofree char *text = json_to_text(node, false);

        (void) puts(text);
        (void) fflush(stdout);
        json_node_free(node);
        json_object_unref(object);
}
