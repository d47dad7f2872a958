/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <check.h>
#include <math.h>
#include <string.h>

#include "client-call.h"
#include "data.h"

Command *plan_next(Plan *plan) {
        ck_assert_uint_lt(plan->n, PLAN_MAX);
        return &plan->commands[plan->n];
}

void plan_done(Plan *plan, int r) {
        if (r < 0 && plan->r == 0)
                plan->r = r;
        if (r >= 0)
                plan->n++;
}

JsonNode *arg(const Call *call, guint i) {
        return i < json_array_get_length(call->args) ? json_array_get_element(call->args, i) : NULL;
}

gint64 arg_int(const Call *call, guint i) {
        JsonNode *node = arg(call, i);

        if (!node)
                return 0;
        if (JSON_NODE_HOLDS_OBJECT(node))
                return data_int(json_node_get_object(node), "value");
        if (json_node_get_value_type(node) == G_TYPE_BOOLEAN)
                return json_node_get_boolean(node);
        return json_node_get_int(node);
}

double arg_double(const Call *call, guint i) {
        return json_node_get_double(arg(call, i));
}

const char *arg_text(const Call *call, guint i) {
        JsonNode *node = arg(call, i);

        return node && JSON_NODE_HOLDS_VALUE(node) ? json_node_get_string(node) : NULL;
}

/* {"bytes": hex}, a hex string, or a contact. */
GByteArray *arg_bytes(const Call *call, guint i) {
        JsonNode *node = arg(call, i);
        JsonObject *o;

        if (!node)
                return g_byte_array_new();
        if (JSON_NODE_HOLDS_VALUE(node))
                return data_unhex(json_node_get_string(node));
        o = json_node_get_object(node);
        return data_unhex_member(o, json_object_has_member(o, "bytes") ? "bytes" : "public_key");
}

PublicKey arg_key(const Call *call) {
        g_autoptr(GByteArray) bytes = arg_bytes(call, 0);
        PublicKey key = {};

        ck_assert_uint_le(bytes->len, sizeof(key.bytes));
        if (bytes->len > 0)
                memcpy(key.bytes, bytes->data, bytes->len);
        return key;
}

gint64 kwarg_int(const Call *call, const char *name, gint64 fallback) {
        JsonNode *node = json_object_get_member(call->kwargs, name);

        if (!node)
                return fallback;
        if (json_node_get_value_type(node) == G_TYPE_BOOLEAN)
                return json_node_get_boolean(node);
        return json_node_get_int(node);
}

int32_t degrees_e6(double degrees) {
        return (int32_t) lround(degrees * 1e6);
}
