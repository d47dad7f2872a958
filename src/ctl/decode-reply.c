/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "decode-internal.h"
#include "macros.h"

#define CIPHER_BLOCK_SIZE 16

void decode_status_fields(const Status *status, Slice data, JsonObject *fields) {
        set_int(fields, "battery_mv", status->battery_mv);
        set_int(fields, "tx_queue_len", status->tx_queue_len);
        set_int(fields, "noise_floor", status->noise_floor);
        set_int(fields, "last_rssi", status->last_rssi);
        set_int(fields, "packets_recv", status->packets_recv);
        set_int(fields, "packets_sent", status->packets_sent);
        set_int(fields, "tx_airtime_s", status->tx_airtime_s);
        set_int(fields, "uptime_s", status->uptime_s);
        set_int(fields, "sent_flood", status->sent_flood);
        set_int(fields, "sent_direct", status->sent_direct);
        set_int(fields, "recv_flood", status->recv_flood);
        set_int(fields, "recv_direct", status->recv_direct);
        set_int(fields, "err_flags", status->err_flags);
        set_int(fields, "last_snr_x4", status->last_snr_x4);
        set_int(fields, "direct_dups", status->direct_dups);
        set_int(fields, "flood_dups", status->flood_dups);

        switch (status->layout) {
        case STATUS_REPEATER:
                set_int(fields, "rx_airtime_s", status->rx_airtime_s);
                set_int(fields, "recv_errors", status->recv_errors);
                break;
        case STATUS_REPEATER_OLD:
                set_int(fields, "rx_airtime_s", status->rx_airtime_s);
                break;
        case STATUS_ROOM:
                set_int(fields, "posts_stored", status->posts_stored);
                set_int(fields, "posts_pushed", status->posts_pushed);
                break;
        default:
                break;
        }

        json_object_set_string_member(fields, "layout", status_layout_to_string(status->layout));
        set_int(fields, "padded_len", (gint64) data.size);
}

/* What came over the air fills whole cipher blocks, together with a tag of four
 * bytes; our own telemetry is not padded. */
void decode_telemetry_fields(Slice data, bool always_padded, JsonObject *fields) {
        Reply reply;

        if (reply_decode(data, &(FrameContext){.request = REPLY_TELEMETRY}, &reply) < 0 ||
            reply.lpp_end == LPP_END_UNKNOWN)
                return;

        set_slice(fields, "lpp", reply.body);
        if (always_padded || reply.padding > 0 || (data.size + TAG_SIZE) % CIPHER_BLOCK_SIZE == 0)
                set_int(fields, "padding", (gint64) reply.padding);
}

static void mma_fields(const Reply *reply, JsonObject *fields) {
        g_autoptr(JsonArray) array = json_array_new();

        for (size_t i = 0; i < reply->n_entries; i++) {
                const MmaSeries *series = &reply->series[i];
                double scale = series->scale;
                JsonObject *o = json_object_new();

                set_int(o, "channel", series->channel);
                set_int(o, "type", series->type);
                json_object_set_double_member(o, "min", (double) series->min / scale);
                json_object_set_double_member(o, "max", (double) series->max / scale);
                json_object_set_double_member(o, "avg", (double) series->avg / scale);
                json_array_add_object_element(array, o);
        }
        json_object_set_array_member(fields, "series", g_steal_pointer(&array));
}

static void access_list_fields(const Reply *reply, JsonObject *fields) {
        g_autoptr(JsonArray) array = json_array_new();

        for (size_t i = 0; i < reply->n_entries; i++) {
                JsonObject *o = json_object_new();

                set_slice(o, "prefix", reply->access[i].prefix);
                set_int(o, "permissions", reply->access[i].permissions);
                json_array_add_object_element(array, o);
        }
        json_object_set_array_member(fields, "acl", g_steal_pointer(&array));
}

static void neighbours_fields(const Reply *reply, JsonObject *fields) {
        g_autoptr(JsonArray) array = json_array_new();

        for (size_t i = 0; i < reply->n_entries; i++) {
                JsonObject *o = json_object_new();

                set_slice(o, "prefix", reply->neighbours[i].prefix);
                set_int(o, "secs_ago", reply->neighbours[i].secs_ago);
                set_int(o, "snr_x4", reply->neighbours[i].snr_x4);
                json_array_add_object_element(array, o);
        }

        set_int(fields, "total", reply->neighbours_total);
        set_int(fields, "returned", reply->neighbours_returned);
        json_object_set_array_member(fields, "neighbours", g_steal_pointer(&array));
}

static void reply_fields(const Reply *reply, JsonObject *fields) {
        if (reply->has_server_time)
                set_int(fields, "server_time", reply->server_time);

        switch (reply->kind) {
        case REPLY_STATUS:
                decode_status_fields(&reply->status, reply->data, fields);
                break;
        case REPLY_TELEMETRY:
                decode_telemetry_fields(reply->data, true, fields);
                break;
        case REPLY_MMA:
                mma_fields(reply, fields);
                break;
        case REPLY_ACCESS_LIST:
                access_list_fields(reply, fields);
                break;
        case REPLY_NEIGHBOURS:
                neighbours_fields(reply, fields);
                break;
        case REPLY_OWNER_INFO:
                set_slice(fields, "text_bytes", reply->body);
                break;
        case REPLY_REGIONS:
        case REPLY_OWNER:
        case REPLY_BASIC:
                set_slice(fields, "body", reply->body);
                break;
        default:
                set_slice(fields, "data", reply->data);
                break;
        }
}

void decode_binary_fields(Slice data, const FrameContext *context, bool guess, JsonObject *fields) {
        FrameContext known = *context;
        Reply reply;

        if (known.request == REPLY_NONE && guess)
                known.request = reply_guess(data);
        if (reply_decode(data, &known, &reply) < 0) {
                set_slice(fields, "data", data);
                return;
        }

        reply_fields(&reply, fields);
}
