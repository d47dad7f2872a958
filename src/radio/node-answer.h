/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What another node answered, as records of named values. The sets are open:
 * firmware adds values, and a sensor sends whatever it measures. Names are those of the bus. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "contacts-api.h"

typedef enum NodeOperation {
        NODE_OPERATION_LOGIN,
        NODE_OPERATION_LOGOUT,
        NODE_OPERATION_STATUS,
        NODE_OPERATION_TELEMETRY,
        NODE_OPERATION_MIN_MAX_AVG,
        NODE_OPERATION_ACCESS_LIST,
        NODE_OPERATION_NEIGHBOURS,
        NODE_OPERATION_OWNER,
        NODE_OPERATION_REGIONS,
        NODE_OPERATION_BASIC,
        NODE_OPERATION_COMMAND,
        NODE_OPERATION_REQUEST,
        NODE_OPERATION_PATH,
        NODE_OPERATION_TRACE, /* … and this one ask nobody in particular */
        NODE_OPERATION_DISCOVER,
        _NODE_OPERATION_MAX,
        _NODE_OPERATION_INVALID = -22,
} NodeOperation;

/* "login" … "discover". */
const char *node_operation_to_string(NodeOperation operation);

/* Asks the mesh around, and no contact. */
bool node_operation_is_general(NodeOperation operation);

typedef enum NodeValueKind {
        NODE_VALUE_BOOL,
        NODE_VALUE_UINT, /* 32 bits */
        NODE_VALUE_INT,
        NODE_VALUE_USEC, /* an instant, or a span */
        NODE_VALUE_DOUBLE,
        NODE_VALUE_TEXT,  /* valid UTF-8 */
        NODE_VALUE_TEXTS, /* the same, several */
        NODE_VALUE_BYTES,
        NODE_VALUE_KEY, /* the beginning of a public key */
} NodeValueKind;

typedef struct NodeValue {
        const char *name; /* static */
        NodeValueKind kind;
        union {
                bool boolean;
                uint64_t number; /* UINT, USEC */
                int integer;
                double real;
                char *text;
                char **texts;
                GBytes *bytes; /* BYTES, KEY */
        };
} NodeValue;

typedef struct NodeRecord {
        GArray *values; /* NodeValue */
} NodeRecord;

struct NodeAnswer {
        NodeOperation operation;
        unsigned n_ref;
        NodeRecord *record;
        GPtrArray *list; /* NodeRecord; NULL for operations that answer with one record */
        PathHop out[CONTACT_PATH_HOPS_MAX], in[CONTACT_PATH_HOPS_MAX]; /* NODE_OPERATION_PATH */
        size_t n_out, n_in;
};

NodeAnswer *node_answer_new(NodeOperation operation, bool is_list);
NodeAnswer *node_answer_ref(NodeAnswer *answer);
NodeAnswer *node_answer_unref(NodeAnswer *answer); /* takes NULL, returns NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NodeAnswer, node_answer_unref)

/* A new record of the list. */
NodeRecord *node_answer_add(NodeAnswer *answer);

void node_record_add_bool(NodeRecord *record, const char *name, bool value);
void node_record_add_uint(NodeRecord *record, const char *name, uint32_t value);
void node_record_add_int(NodeRecord *record, const char *name, int value);
void node_record_add_usec(NodeRecord *record, const char *name, uint64_t value);
void node_record_add_double(NodeRecord *record, const char *name, double value);
/* Foreign text: repaired. */
void node_record_add_text(NodeRecord *record, const char *name, const void *text, size_t size);
void node_record_add_bytes(NodeRecord *record, const char *name, NodeValueKind kind, const void *data,
                           size_t size);
/* NULL when there is none of this name. */
const NodeValue *node_record_get(const NodeRecord *record, const char *name);
