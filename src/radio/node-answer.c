/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "node-api.h"
#include "utf8.h"

const char *node_operation_to_string(NodeOperation operation) {
        static const char *const names[_NODE_OPERATION_MAX] = {
                        [NODE_OPERATION_LOGIN] = "login",
                        [NODE_OPERATION_LOGOUT] = "logout",
                        [NODE_OPERATION_STATUS] = "status",
                        [NODE_OPERATION_TELEMETRY] = "telemetry",
                        [NODE_OPERATION_MIN_MAX_AVG] = "min-max-avg",
                        [NODE_OPERATION_ACCESS_LIST] = "access-list",
                        [NODE_OPERATION_NEIGHBOURS] = "neighbours",
                        [NODE_OPERATION_OWNER] = "owner",
                        [NODE_OPERATION_REGIONS] = "regions",
                        [NODE_OPERATION_BASIC] = "basic",
                        [NODE_OPERATION_COMMAND] = "command",
                        [NODE_OPERATION_REQUEST] = "request",
                        [NODE_OPERATION_PATH] = "path",
                        [NODE_OPERATION_TRACE] = "trace",
                        [NODE_OPERATION_DISCOVER] = "discover",
        };

        return operation >= 0 && operation < _NODE_OPERATION_MAX ? names[operation] : NULL;
}

bool node_operation_is_general(NodeOperation operation) {
        return operation == NODE_OPERATION_TRACE || operation == NODE_OPERATION_DISCOVER;
}

const char *node_request_state_to_string(NodeRequestState state) {
        static const char *const names[_NODE_REQUEST_STATE_MAX] = {
                        [NODE_REQUEST_QUEUED] = "queued",
                        [NODE_REQUEST_RUNNING] = "running",
        };

        return state >= 0 && state < _NODE_REQUEST_STATE_MAX ? names[state] : NULL;
}

static void value_clear(void *p) {
        NodeValue *value = p;

        switch (value->kind) {
        case NODE_VALUE_TEXT:
                g_free(value->text);
                break;
        case NODE_VALUE_TEXTS:
                g_strfreev(value->texts);
                break;
        case NODE_VALUE_BYTES:
        case NODE_VALUE_KEY:
                g_bytes_unref(value->bytes);
                break;
        default:
                break;
        }
}

static NodeRecord *record_new(void) {
        NodeRecord *record = g_new(NodeRecord, 1);

        record->values = g_array_new(false, false, sizeof(NodeValue));
        g_array_set_clear_func(record->values, value_clear);
        return record;
}

static void record_free(void *p) {
        NodeRecord *record = p;

        g_array_unref(record->values);
        g_free(record);
}

NodeAnswer *node_answer_new(NodeOperation operation, bool is_list) {
        NodeAnswer *answer = g_new0(NodeAnswer, 1);

        answer->operation = operation;
        answer->n_ref = 1;
        answer->record = record_new();
        if (is_list)
                answer->list = g_ptr_array_new_with_free_func(record_free);
        return answer;
}

NodeAnswer *node_answer_ref(NodeAnswer *answer) {
        answer->n_ref++;
        return answer;
}

NodeAnswer *node_answer_unref(NodeAnswer *answer) {
        if (!answer || --answer->n_ref > 0)
                return NULL;

        record_free(answer->record);
        g_clear_pointer(&answer->list, g_ptr_array_unref);
        return g_free(answer), NULL;
}

NodeRecord *node_answer_add(NodeAnswer *answer) {
        NodeRecord *record = record_new();

        g_ptr_array_add(answer->list, record);
        return record;
}

static void record_add(NodeRecord *record, NodeValue value) {
        g_array_append_val(record->values, value);
}

void node_record_add_bool(NodeRecord *record, const char *name, bool value) {
        record_add(record, (NodeValue){.name = name, .kind = NODE_VALUE_BOOL, .boolean = value});
}

void node_record_add_uint(NodeRecord *record, const char *name, uint32_t value) {
        record_add(record, (NodeValue){.name = name, .kind = NODE_VALUE_UINT, .number = value});
}

void node_record_add_int(NodeRecord *record, const char *name, int value) {
        record_add(record, (NodeValue){.name = name, .kind = NODE_VALUE_INT, .integer = value});
}

void node_record_add_usec(NodeRecord *record, const char *name, uint64_t value) {
        record_add(record, (NodeValue){.name = name, .kind = NODE_VALUE_USEC, .number = value});
}

void node_record_add_double(NodeRecord *record, const char *name, double value) {
        record_add(record, (NodeValue){.name = name, .kind = NODE_VALUE_DOUBLE, .real = value});
}

void node_record_add_text(NodeRecord *record, const char *name, const void *text, size_t size) {
        record_add(record,
                   (NodeValue){.name = name, .kind = NODE_VALUE_TEXT, .text = utf8_repair(text, size)});
}

void node_record_add_bytes(NodeRecord *record, const char *name, NodeValueKind kind, const void *data,
                           size_t size) {
        record_add(record, (NodeValue){.name = name, .kind = kind, .bytes = g_bytes_new(data, size)});
}

const NodeValue *node_record_get(const NodeRecord *record, const char *name) {
        for (guint i = 0; i < record->values->len; i++) {
                const NodeValue *value = &g_array_index(record->values, NodeValue, i);

                if (strcmp(value->name, name) == 0)
                        return value;
        }
        return NULL;
}
