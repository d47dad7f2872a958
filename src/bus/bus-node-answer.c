/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bus-node.h"
#include "hex.h"
#include "log.h"

/* Answers of nodes as values of the bus. */

/* The beginning of a key, and the contact if it is the only one that begins so. */
static int append_key(sd_bus_message *m, const BusRadio *radio, const NodeValue *value) {
        char text[2 * PUBLIC_KEY_SIZE + 1];
        Contact *contact;
        const uint8_t *bytes;
        size_t size;
        int r;

        bytes = g_bytes_get_data(value->bytes, &size);
        size = MIN(size, PUBLIC_KEY_SIZE);
        hex_encode(bytes, size, text);
        r = bus_append_entry(m, value->name, "s", text);
        if (r >= 0 && size > 0 && radio && radio->identity &&
            identity_find_contact_prefix(radio->identity, bytes, size, &contact) == 1) {
                g_autofree char *path = bus_path_contact(radio, &contact->key);

                r = bus_append_entry(m, "Contact", "o", path);
        }
        return r;
}

static int append_variant(sd_bus_message *m, const char *name, const char *type) {
        int r;

        r = sd_bus_message_open_container(m, 'e', "sv");
        if (r >= 0)
                r = sd_bus_message_append_basic(m, 's', name);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'v', type);
        return r;
}

static int close_variant(sd_bus_message *m, int r) {
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r;
}

static int append_value(sd_bus_message *m, const BusRadio *radio, const NodeValue *value) {
        const void *bytes;
        size_t size;
        int r;

        switch (value->kind) {
        case NODE_VALUE_BOOL:
                return bus_append_entry(m, value->name, "b", (int) value->boolean);
        case NODE_VALUE_UINT:
                return bus_append_entry(m, value->name, "u", (uint32_t) value->number);
        case NODE_VALUE_INT:
                return bus_append_entry(m, value->name, "i", value->integer);
        case NODE_VALUE_USEC:
                return bus_append_entry(m, value->name, "t", value->number);
        case NODE_VALUE_DOUBLE:
                return bus_append_entry(m, value->name, "d", value->real);
        case NODE_VALUE_TEXT:
                return bus_append_entry(m, value->name, "s", bus_text(value->text));
        case NODE_VALUE_TEXTS:
                r = append_variant(m, value->name, "as");
                if (r >= 0)
                        r = sd_bus_message_append_strv(m, value->texts);
                return close_variant(m, r);
        case NODE_VALUE_BYTES:
                bytes = g_bytes_get_data(value->bytes, &size);
                r = append_variant(m, value->name, "ay");
                if (r >= 0)
                        r = sd_bus_message_append_array(m, 'y', bytes, size);
                return close_variant(m, r);
        case NODE_VALUE_KEY:
                return append_key(m, radio, value);
        }
        g_assert_not_reached();
}

static int append_values(sd_bus_message *m, const BusRadio *radio, const NodeRecord *record) {
        int r = 0;

        for (guint i = 0; r >= 0 && i < record->values->len; i++)
                r = append_value(m, radio, &g_array_index(record->values, NodeValue, i));
        return r;
}

static int append_record(sd_bus_message *m, const BusRadio *radio, const NodeRecord *record) {
        int r;

        r = sd_bus_message_open_container(m, 'a', "{sv}");
        if (r >= 0 && record)
                r = append_values(m, radio, record);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r;
}

int bus_append_node_record(sd_bus_message *m, const BusRadio *radio, const NodeAnswer *answer) {
        return append_record(m, radio, answer ? answer->record : NULL);
}

int bus_append_node_list(sd_bus_message *m, const BusRadio *radio, const NodeAnswer *answer) {
        int r;

        r = sd_bus_message_open_container(m, 'a', "a{sv}");
        for (guint i = 0; r >= 0 && answer && i < answer->list->len; i++)
                r = append_record(m, radio, answer->list->pdata[i]);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r;
}

int bus_append_node_result(sd_bus_message *m, const BusRadio *radio, const NodeAnswer *answer) {
        int r;

        r = sd_bus_message_open_container(m, 'a', "{sv}");
        if (r >= 0)
                r = append_values(m, radio, answer->record);
        if (r >= 0 && answer->list) {
                r = append_variant(m, "List", "aa{sv}");
                if (r >= 0)
                        r = bus_append_node_list(m, radio, answer);
                r = close_variant(m, r);
        }
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r;
}

int bus_append_hops(sd_bus_message *m, const PathHop *hops, size_t n) {
        int r;

        r = sd_bus_message_open_container(m, 'a', "ay");
        for (size_t i = 0; r >= 0 && i < n; i++)
                r = sd_bus_message_append_array(m, 'y', hops[i].bytes, hops[i].size);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r;
}

static int append_reply(sd_bus_message *m, const BusRadio *radio, const NodeAnswer *answer) {
        const NodeValue *value;
        const void *bytes;
        size_t size;
        int r;

        switch (answer->operation) {
        case NODE_OPERATION_LOGOUT:
                return 0;
        case NODE_OPERATION_COMMAND:
                value = node_record_get(answer->record, "Text");
                return sd_bus_message_append(m, "s", bus_text(value->text));
        case NODE_OPERATION_REQUEST:
                value = node_record_get(answer->record, "Data");
                bytes = g_bytes_get_data(value->bytes, &size);
                return sd_bus_message_append_array(m, 'y', bytes, size);
        case NODE_OPERATION_PATH:
                r = bus_append_hops(m, answer->out, answer->n_out);
                return r < 0 ? r : bus_append_hops(m, answer->in, answer->n_in);
        default:
                return answer->list ? bus_append_node_list(m, radio, answer)
                                    : bus_append_node_record(m, radio, answer);
        }
}

void bus_reply_node(sd_bus_message *call, const BusRadio *radio, const NodeAnswer *answer) {
        g_autoptr(sd_bus_message) reply = NULL;
        int r;

        r = sd_bus_message_new_method_return(call, &reply);
        if (r >= 0)
                r = append_reply(reply, radio, answer);
        if (r >= 0)
                r = sd_bus_message_send(reply);
        if (r < 0)
                (void) log_debug_errno(r, "Cannot answer a caller, ignoring");
}
