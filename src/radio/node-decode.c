/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "clock.h"
#include "lpp.h"
#include "macros.h"
#include "node-internal.h"
#include "telemetry.h"

/* From the bytes of an answer to its record. */

static void add_string(NodeRecord *record, const char *name, const char *text) {
        node_record_add_text(record, name, text, strlen(text));
}

static void add_snr(NodeRecord *record, const char *name, int snr_x4) {
        node_record_add_double(record, name, snr_x4 / 4.0);
}

static void add_seconds(NodeRecord *record, const char *name, uint32_t seconds) {
        node_record_add_usec(record, name, seconds * USEC_PER_SEC);
}

const char *node_permissions_to_string(uint8_t acl) {
        static const char *const names[] = {"guest", "read-only", "read-write", "admin"};

        return names[acl & 3];
}

/* -- login ----------------------------------------------------------------- */

NodeAnswer *node_decode_login(const Frame *frame, unsigned type) {
        NodeAnswer *answer = node_answer_new(NODE_OPERATION_LOGIN, false);
        const char *permissions;

        if (frame->login.has_acl)
                permissions = node_permissions_to_string(frame->login.acl);
        else if (frame->login.permissions == 1)
                permissions = "admin";
        else
                permissions = type == CONTACT_ROOM && frame->login.permissions == 0 ? "read-write" : "guest";

        add_string(answer->record, "Permissions", permissions);
        if (frame->login.has_server_time)
                add_seconds(answer->record, "ServerTimeUSec", frame->login.server_time);
        if (frame->login.has_ver_level)
                node_record_add_uint(answer->record, "FeatureLevel", frame->login.ver_level);
        return answer;
}

/* -- status ---------------------------------------------------------------- */

static NodeAnswer *status_answer(const Status *s) {
        NodeAnswer *answer = node_answer_new(NODE_OPERATION_STATUS, false);
        NodeRecord *record = answer->record;

        node_record_add_uint(record, "BatteryMillivolts", s->battery_mv);
        node_record_add_uint(record, "QueueLength", s->tx_queue_len);
        node_record_add_int(record, "NoiseFloor", s->noise_floor);
        node_record_add_int(record, "LastRssi", s->last_rssi);
        add_snr(record, "LastSnr", s->last_snr_x4);
        add_seconds(record, "UptimeUSec", s->uptime_s);
        add_seconds(record, "TxAirtimeUSec", s->tx_airtime_s);
        node_record_add_uint(record, "Received", s->packets_recv);
        node_record_add_uint(record, "Sent", s->packets_sent);
        node_record_add_uint(record, "SentFlood", s->sent_flood);
        node_record_add_uint(record, "SentDirect", s->sent_direct);
        node_record_add_uint(record, "ReceivedFlood", s->recv_flood);
        node_record_add_uint(record, "ReceivedDirect", s->recv_direct);
        node_record_add_uint(record, "DuplicatesDirect", s->direct_dups);
        node_record_add_uint(record, "DuplicatesFlood", s->flood_dups);
        node_record_add_uint(record, "ErrorFlags", s->err_flags);
        switch (s->layout) {
        case STATUS_ROOM:
                node_record_add_uint(record, "PostsStored", s->posts_stored);
                node_record_add_uint(record, "PostsPushed", s->posts_pushed);
                break;
        case STATUS_REPEATER:
                node_record_add_uint(record, "ReceiveErrors", s->recv_errors);
                add_seconds(record, "RxAirtimeUSec", s->rx_airtime_s);
                break;
        case STATUS_REPEATER_OLD:
                add_seconds(record, "RxAirtimeUSec", s->rx_airtime_s);
                break;
        default:
                break;
        }
        return answer;
}

NodeAnswer *node_decode_status(Slice data, unsigned type) {
        Status status;

        return status_decode(data, type <= NODE_SENSOR ? (NodeType) type : NODE_NONE, &status) < 0
                               ? NULL
                               : status_answer(&status);
}

/* -- telemetry ---------------------------------------------------------------- */

static void add_quantity(NodeRecord *record, uint8_t channel, unsigned type, const char *unit) {
        g_autofree char *unknown = g_strdup_printf("type %u", type);

        node_record_add_uint(record, "Channel", channel);
        add_string(record, "Quantity", lpp_type_to_string(type) ?: unknown);
        add_string(record, "Unit", unit);
}

NodeAnswer *node_decode_telemetry(Slice data) {
        NodeAnswer *answer = node_answer_new(NODE_OPERATION_TELEMETRY, true);
        g_autoptr(GArray) values = telemetry_parse(data);

        for (guint i = 0; i < values->len; i++) {
                const TelemetryValue *value = &g_array_index(values, TelemetryValue, i);
                NodeRecord *record = node_answer_add(answer);

                add_quantity(record, value->channel, value->type, value->unit);
                if (value->component)
                        add_string(record, "Component", value->component);
                if (value->data.data)
                        node_record_add_bytes(record, "Data", NODE_VALUE_BYTES, value->data.data,
                                              value->data.size);
                else
                        node_record_add_double(record, "Value", value->value);
        }
        return answer;
}

/* -- the others -------------------------------------------------------------- */

static NodeAnswer *series_answer(const Reply *reply) {
        NodeAnswer *answer = node_answer_new(NODE_OPERATION_MIN_MAX_AVG, true);

        for (size_t i = 0; i < reply->n_entries; i++) {
                const MmaSeries *s = reply->series + i;
                NodeRecord *record = node_answer_add(answer);

                add_quantity(record, s->channel, s->type, lpp_type_unit(s->type));
                node_record_add_double(record, "Minimum", (double) s->min / s->scale);
                node_record_add_double(record, "Maximum", (double) s->max / s->scale);
                node_record_add_double(record, "Average", (double) s->avg / s->scale);
        }
        add_seconds(answer->record, "ServerTimeUSec", reply->server_time);
        return answer;
}

static NodeAnswer *access_answer(const Reply *reply) {
        NodeAnswer *answer = node_answer_new(NODE_OPERATION_ACCESS_LIST, true);

        for (size_t i = 0; i < reply->n_entries; i++) {
                NodeRecord *record = node_answer_add(answer);

                node_record_add_bytes(record, "Key", NODE_VALUE_KEY, reply->access[i].prefix.data,
                                      reply->access[i].prefix.size);
                add_string(record, "Permissions", node_permissions_to_string(reply->access[i].permissions));
        }
        return answer;
}

void node_decode_neighbours(const Reply *reply, NodeAnswer *answer, size_t max) {
        uint64_t now = clock_realtime_usec();

        for (size_t i = 0; i < reply->n_entries && answer->list->len < max; i++) {
                const NeighbourEntry *n = reply->neighbours + i;
                NodeRecord *record = node_answer_add(answer);

                node_record_add_bytes(record, "Key", NODE_VALUE_KEY, n->prefix.data, n->prefix.size);
                node_record_add_usec(record, "LastHeardUSec", now - MIN(now, n->secs_ago * USEC_PER_SEC));
                add_snr(record, "Snr", n->snr_x4);
        }
}

/* Lines of text, each under its name. */
static NodeAnswer *owner_answer(const Reply *reply, const char *const *names) {
        NodeAnswer *answer = node_answer_new(NODE_OPERATION_OWNER, false);
        const char *p = (const char *) reply->body.data, *end = p + reply->body.size;

        for (; *names; names++) {
                /* What an owner writes of himself may have several lines. */
                const char *line = names[1] && p < end ? memchr(p, '\n', (size_t) (end - p)) : NULL;
                const char *stop = line ?: end;

                node_record_add_text(answer->record, *names, p, (size_t) (stop - p));
                p = line ? line + 1 : end;
        }
        if (reply->has_server_time)
                add_seconds(answer->record, "ServerTimeUSec", reply->server_time);
        return answer;
}

static NodeAnswer *regions_answer(const Reply *reply) {
        NodeAnswer *answer = node_answer_new(NODE_OPERATION_REGIONS, false);
        NodeValue value = {.name = "Regions", .kind = NODE_VALUE_TEXTS};
        g_autofree char *text = NULL;

        node_record_add_text(answer->record, "Text", reply->body.data, reply->body.size);
        text = g_strdup(g_array_index(answer->record->values, NodeValue, 0).text);
        g_array_set_size(answer->record->values, 0);

        value.texts = g_strsplit(text, ",", -1);
        g_array_append_val(answer->record->values, value);
        add_seconds(answer->record, "ServerTimeUSec", reply->server_time);
        return answer;
}

static NodeAnswer *basic_answer(const Reply *reply) {
        NodeAnswer *answer = node_answer_new(NODE_OPERATION_BASIC, false);

        node_record_add_uint(answer->record, "Features", reply->features);
        add_string(answer->record, "Bridge",
                   (reply->features & 3) == 3   ? "esp-now"
                   : (reply->features & 3) == 1 ? "uart"
                                                : "none");
        node_record_add_bool(answer->record, "Forwarding", !(reply->features & 0x80));
        add_seconds(answer->record, "ServerTimeUSec", reply->server_time);
        return answer;
}

NodeAnswer *node_decode_reply(const Reply *reply, NodeOperation operation, unsigned type) {
        static const char *const owner[] = {"Name", "Owner", NULL}, *const full[] = {"Firmware", "Name",
                                                                                     "Owner", NULL};

        switch (reply->kind) {
        case REPLY_STATUS:
                return node_decode_status(reply->data, type);
        case REPLY_TELEMETRY:
                return node_decode_telemetry(reply->data);
        case REPLY_MMA:
                return series_answer(reply);
        case REPLY_ACCESS_LIST:
                return access_answer(reply);
        case REPLY_OWNER_INFO:
                return owner_answer(reply, full);
        case REPLY_OWNER:
                return owner_answer(reply, owner);
        case REPLY_REGIONS:
                return regions_answer(reply);
        case REPLY_BASIC:
                return basic_answer(reply);
        default: {
                NodeAnswer *answer = node_answer_new(operation, false);

                node_record_add_bytes(answer->record, "Data", NODE_VALUE_BYTES, reply->data.data,
                                      reply->data.size);
                return answer;
        }
        }
}

NodeAnswer *node_decode_path(const Frame *frame) {
        NodeAnswer *answer = node_answer_new(NODE_OPERATION_PATH, false);

        answer->n_out = translate_path(&frame->path_discovery.out, answer->out);
        answer->n_in = translate_path(&frame->path_discovery.in, answer->in);
        node_record_add_uint(answer->record, "HopsOut", (uint32_t) answer->n_out);
        node_record_add_uint(answer->record, "HopsIn", (uint32_t) answer->n_in);
        return answer;
}
