/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>

#include "decode-internal.h"
#include "derive.h"
#include "hex.h"
#include "macros.h"
#include "utf8.h"

#define CARD_SCHEME "meshcore://"

void set_int(JsonObject *fields, const char *key, gint64 value) {
        json_object_set_int_member(fields, key, value);
}

void set_optional(JsonObject *fields, const char *key, bool present, gint64 value) {
        if (present)
                json_object_set_int_member(fields, key, value);
        else
                json_object_set_null_member(fields, key);
}

void set_hex(JsonObject *fields, const char *key, const void *data, size_t size) {
        g_autofree char *digits = hex_dup(data, size);

        json_object_set_string_member(fields, key, digits);
}

void set_slice(JsonObject *fields, const char *key, Slice slice) {
        set_hex(fields, key, slice.data, slice.size);
}

static void set_text(JsonObject *fields, const char *key, Slice text) {
        g_autofree char *repaired = utf8_repair(text.data, text.size);

        json_object_set_string_member(fields, key, repaired);
}

static void set_key(JsonObject *fields, const PublicKey *key) {
        set_hex(fields, "public_key", key->bytes, sizeof(key->bytes));
}

static void set_prefix(JsonObject *fields, const uint8_t prefix[KEY_PREFIX_SIZE]) {
        set_hex(fields, "pubkey_prefix", prefix, KEY_PREFIX_SIZE);
}

/* The four members that describe a path, each behind the name of the path. */
static void set_path(JsonObject *fields, const char *name, const Path *path) {
        char key[40];

        (void) snprintf(key, sizeof(key), "%s_len_byte", name);
        set_int(fields, key, path->length);
        (void) snprintf(key, sizeof(key), "%s_hops", name);
        set_optional(fields, key, path->known, path->hops);
        (void) snprintf(key, sizeof(key), "%s_hash_size", name);
        set_optional(fields, key, path->known, path->hash_size);
        set_slice(fields, name, path->hashes);
}

static void contact_fields(const Frame *frame, JsonObject *fields) {
        set_key(fields, &frame->contact.public_key);
        set_int(fields, "type", frame->contact.type);
        set_int(fields, "flags", frame->contact.flags);
        set_slice(fields, "name_bytes", frame->contact.name);
        set_int(fields, "last_advert", frame->contact.last_advert);
        set_int(fields, "lat_e6", frame->contact.lat_e6);
        set_int(fields, "lon_e6", frame->contact.lon_e6);
        set_int(fields, "lastmod", frame->contact.lastmod);
        set_path(fields, "out_path", &frame->contact.path);
}

static void self_info_fields(const Frame *frame, JsonObject *fields) {
        set_int(fields, "tx_power_dbm", frame->self_info.tx_power);
        set_int(fields, "max_tx_power_dbm", frame->self_info.max_tx_power);
        set_key(fields, &frame->self_info.public_key);
        set_int(fields, "lat_e6", frame->self_info.lat_e6);
        set_int(fields, "lon_e6", frame->self_info.lon_e6);
        set_int(fields, "multi_acks", frame->self_info.multi_acks);
        set_int(fields, "advert_loc_policy", frame->self_info.advert_loc_policy);
        set_int(fields, "telemetry_base", frame->self_info.telemetry_base);
        set_int(fields, "telemetry_loc", frame->self_info.telemetry_loc);
        set_int(fields, "telemetry_env", frame->self_info.telemetry_env);
        set_int(fields, "manual_add", frame->self_info.manual_add);
        set_int(fields, "freq_khz", frame->self_info.freq_khz);
        set_int(fields, "bw_hz", frame->self_info.bw_hz);
        set_int(fields, "sf", frame->self_info.sf);
        set_int(fields, "cr", frame->self_info.cr);
        set_slice(fields, "name_bytes", frame->self_info.name);
}

static void message_fields(const Frame *frame, JsonObject *fields) {
        if (frame->kind == FRAME_CONTACT_MESSAGE)
                set_prefix(fields, frame->message.sender);
        else
                set_int(fields, "channel_idx", frame->message.channel);
        set_int(fields, "path_len_byte", frame->message.path.length);
        set_optional(fields, "hops", frame->message.path.known, frame->message.path.hops);
        json_object_set_boolean_member(fields, "direct", frame->message.direct);
        set_int(fields, "txt_type", frame->message.text_type);
        set_int(fields, "timestamp", frame->message.timestamp);
        if (frame->message.has_author)
                set_hex(fields, "author_prefix", frame->message.author, sizeof(frame->message.author));
        set_slice(fields, "text_bytes", frame->message.text);
        if (frame->message.has_snr)
                set_int(fields, "snr_x4", frame->message.snr_x4);
}

static void channel_data_fields(const Frame *frame, JsonObject *fields) {
        set_int(fields, "snr_x4", frame->message.snr_x4);
        set_int(fields, "channel_idx", frame->message.channel);
        set_int(fields, "path_len_byte", frame->message.path.length);
        set_int(fields, "data_type", frame->message.data_type);
        set_slice(fields, "data", frame->message.data);
}

static void exported_contact_fields(const Frame *frame, JsonObject *fields) {
        Slice packet = frame->exported_contact.packet;
        g_autofree char *digits = hex_dup(packet.data, packet.size);
        g_autofree char *uri = g_strconcat(CARD_SCHEME, digits, NULL);

        json_object_set_string_member(fields, "card", digits);
        json_object_set_string_member(fields, "uri", uri);
}

static void device_info_fields(const Frame *frame, JsonObject *fields) {
        set_int(fields, "level", frame->device_info.level);
        if (frame->device_info.has_capacities) {
                set_int(fields, "max_contacts", frame->device_info.max_contacts);
                set_int(fields, "max_channels", frame->device_info.max_channels);
                set_int(fields, "ble_pin", frame->device_info.ble_pin);
        }
        set_text(fields, "build", frame->device_info.build);
        set_text(fields, "model", frame->device_info.model);
        set_text(fields, "version", frame->device_info.version);
        if (frame->device_info.has_capacities) {
                set_optional(fields, "repeat", frame->device_info.has_repeat, frame->device_info.repeat);
                set_optional(fields, "path_hash_mode", frame->device_info.has_path_hash_mode,
                             frame->device_info.path_hash_mode);
        }
}

static void channel_info_fields(const Frame *frame, JsonObject *fields) {
        set_int(fields, "channel_idx", frame->channel_info.channel);
        set_slice(fields, "name_bytes", frame->channel_info.name);
        set_hex(fields, "secret", frame->channel_info.secret, sizeof(frame->channel_info.secret));
        set_int(fields, "hash", derive_channel_hash(frame->channel_info.secret));
}

static void custom_vars_fields(const Frame *frame, JsonObject *fields) {
        g_autoptr(JsonObject) vars = json_object_new();
        Slice list = frame->custom_vars.list, name, value;

        while (custom_vars_next(&list, &name, &value)) {
                g_autofree char *key = utf8_repair(name.data, name.size);

                set_text(vars, key, value);
        }
        json_object_set_object_member(fields, "vars", g_steal_pointer(&vars));
}

static void stats_fields(const Frame *frame, JsonObject *fields) {
        set_int(fields, "type", frame->stats.type);

        switch (frame->stats.type) {
        case STATS_CORE:
                set_int(fields, "battery_mv", frame->stats.core.battery_mv);
                set_int(fields, "uptime_s", frame->stats.core.uptime_s);
                set_int(fields, "err_flags", frame->stats.core.err_flags);
                set_int(fields, "tx_queue_len", frame->stats.core.tx_queue_len);
                break;
        case STATS_RADIO:
                set_int(fields, "noise_floor", frame->stats.radio.noise_floor);
                set_int(fields, "last_rssi", frame->stats.radio.last_rssi);
                set_int(fields, "last_snr_x4", frame->stats.radio.last_snr_x4);
                set_int(fields, "tx_air_s", frame->stats.radio.tx_air_s);
                set_int(fields, "rx_air_s", frame->stats.radio.rx_air_s);
                break;
        case STATS_PACKETS:
                set_int(fields, "recv", frame->stats.packets.recv);
                set_int(fields, "sent", frame->stats.packets.sent);
                set_int(fields, "flood_tx", frame->stats.packets.flood_tx);
                set_int(fields, "direct_tx", frame->stats.packets.direct_tx);
                set_int(fields, "flood_rx", frame->stats.packets.flood_rx);
                set_int(fields, "direct_rx", frame->stats.packets.direct_rx);
                set_optional(fields, "recv_errors", frame->stats.packets.has_recv_errors,
                             frame->stats.packets.recv_errors);
                break;
        default:
                break;
        }
}

static void allowed_frequencies_fields(const Frame *frame, JsonObject *fields) {
        g_autoptr(JsonArray) ranges = json_array_new();

        for (size_t i = 0; i < frame->allowed_frequencies.n_ranges; i++) {
                JsonArray *range = json_array_new();
                uint32_t low, high;

                frequency_range_get(frame, i, &low, &high);
                json_array_add_int_element(range, low);
                json_array_add_int_element(range, high);
                json_array_add_array_element(ranges, range);
        }
        json_object_set_array_member(fields, "ranges_khz", g_steal_pointer(&ranges));
}

static void default_scope_fields(const Frame *frame, JsonObject *fields) {
        if (frame->default_scope.is_set) {
                set_slice(fields, "name_bytes", frame->default_scope.name);
                set_hex(fields, "key", frame->default_scope.key, sizeof(frame->default_scope.key));
        } else {
                json_object_set_null_member(fields, "name");
                json_object_set_null_member(fields, "key");
        }
}

static void login_fields(const Frame *frame, JsonObject *fields) {
        set_int(fields, "permissions", frame->login.permissions);
        set_prefix(fields, frame->login.prefix);
        set_optional(fields, "server_time", frame->login.has_server_time, frame->login.server_time);
        set_optional(fields, "acl", frame->login.has_acl, frame->login.acl);
        set_optional(fields, "ver_level", frame->login.has_ver_level, frame->login.ver_level);
}

static void rx_log_fields(const Frame *frame, JsonObject *fields) {
        const Packet *packet = &frame->rx_log.packet;

        set_int(fields, "snr_x4", frame->rx_log.snr_x4);
        set_int(fields, "rssi", frame->rx_log.rssi);
        if (!frame->rx_log.has_packet)
                return;

        set_int(fields, "route", packet->route);
        set_int(fields, "payload_type", packet->payload_type);
        set_int(fields, "path_len_byte", packet->path.length);
        set_slice(fields, "path", packet->path.hashes);
        if (packet->has_transport_codes)
                set_slice(fields, "transport_codes", packet->transport_bytes);
        else
                json_object_set_null_member(fields, "transport_codes");
        set_slice(fields, "payload", packet->payload);
}

static void trace_fields(const Frame *frame, JsonObject *fields) {
        g_autoptr(JsonArray) hops = json_array_new();

        for (size_t i = 0; i < frame->trace.n_hops; i++) {
                JsonObject *hop = json_object_new();
                int8_t snr_x4;
                Slice hash;

                trace_hop(frame, i, &hash, &snr_x4);
                set_slice(hop, "hash", hash);
                set_int(hop, "snr_x4", snr_x4);
                json_array_add_object_element(hops, hop);
        }

        set_int(fields, "tag", frame->trace.tag);
        set_int(fields, "auth", frame->trace.auth);
        set_int(fields, "flags", frame->trace.flags);
        set_int(fields, "hash_size", frame->trace.hash_size);
        json_object_set_array_member(fields, "hops", g_steal_pointer(&hops));
        set_int(fields, "final_snr_x4", frame->trace.final_snr_x4);
}

static void control_fields(const Frame *frame, JsonObject *fields) {
        if (frame->control.payload.size == 0) /* says nothing; the vectors give it no fields */
                return;

        set_int(fields, "snr_x4", frame->control.snr_x4);
        set_int(fields, "rssi", frame->control.rssi);
        set_int(fields, "path_len_byte", frame->control.path_length);
        if (frame->control.is_discovery) {
                set_int(fields, "node_type", frame->control.node_type);
                set_int(fields, "snr_in_x4", frame->control.snr_in_x4);
                set_hex(fields, "tag", frame->control.tag, sizeof(frame->control.tag));
                set_slice(fields, "key", frame->control.key);
        } else
                set_slice(fields, "payload", frame->control.payload);
}

static void push_fields(const Frame *frame, const FrameContext *context, bool guess, JsonObject *fields) {
        switch (frame->kind) {
        case FRAME_ADVERT:
        case FRAME_PATH_UPDATED:
        case FRAME_CONTACT_DELETED:
                set_key(fields, &frame->public_key);
                break;
        case FRAME_SEND_CONFIRMED:
                set_hex(fields, "ack", frame->send_confirmed.ack, sizeof(frame->send_confirmed.ack));
                set_optional(fields, "round_trip_ms", frame->send_confirmed.has_round_trip,
                             frame->send_confirmed.round_trip_ms);
                break;
        case FRAME_RAW_DATA:
                set_int(fields, "snr_x4", frame->raw_data.snr_x4);
                set_int(fields, "rssi", frame->raw_data.rssi);
                set_slice(fields, "payload", frame->raw_data.payload);
                break;
        case FRAME_LOGIN_SUCCESS:
                login_fields(frame, fields);
                break;
        case FRAME_LOGIN_FAIL:
                set_prefix(fields, frame->login.prefix);
                break;
        case FRAME_STATUS:
                decode_status_fields(&frame->status.values, frame->status.data, fields);
                set_prefix(fields, frame->status.prefix);
                break;
        case FRAME_RX_LOG:
                rx_log_fields(frame, fields);
                break;
        case FRAME_TRACE:
                trace_fields(frame, fields);
                break;
        case FRAME_NEW_ADVERT:
                contact_fields(frame, fields);
                break;
        case FRAME_TELEMETRY:
                set_prefix(fields, frame->telemetry.prefix);
                decode_telemetry_fields(frame->telemetry.data, false, fields);
                break;
        case FRAME_BINARY:
                set_hex(fields, "tag", frame->binary.tag, sizeof(frame->binary.tag));
                decode_binary_fields(frame->binary.data, context, guess, fields);
                break;
        case FRAME_PATH_DISCOVERY:
                set_prefix(fields, frame->path_discovery.prefix);
                set_path(fields, "out_path", &frame->path_discovery.out);
                set_path(fields, "in_path", &frame->path_discovery.in);
                break;
        case FRAME_CONTROL_DATA:
                control_fields(frame, fields);
                break;
        default: /* the code says it all, or nobody knows */
                break;
        }
}

static void frame_fields(const Frame *frame, const FrameContext *context, bool guess, JsonObject *fields) {
        switch (frame->kind) {
        case FRAME_ERROR:
                set_optional(fields, "error", frame->error.has_code, frame->error.code);
                break;
        case FRAME_CONTACTS_START:
                set_int(fields, "count", frame->contacts_start.count);
                break;
        case FRAME_CONTACT:
                contact_fields(frame, fields);
                break;
        case FRAME_END_OF_CONTACTS:
                set_int(fields, "most_recent_lastmod", frame->end_of_contacts.most_recent_lastmod);
                break;
        case FRAME_SELF_INFO:
                self_info_fields(frame, fields);
                break;
        case FRAME_SENT:
                set_int(fields, "flood", frame->sent.flood);
                set_hex(fields, "tag", frame->sent.tag, sizeof(frame->sent.tag));
                set_int(fields, "est_timeout_ms", frame->sent.est_timeout_ms);
                break;
        case FRAME_CONTACT_MESSAGE:
        case FRAME_CHANNEL_MESSAGE:
                message_fields(frame, fields);
                break;
        case FRAME_CHANNEL_DATA:
                channel_data_fields(frame, fields);
                break;
        case FRAME_CURRENT_TIME:
                set_int(fields, "time", frame->current_time.time);
                break;
        case FRAME_EXPORTED_CONTACT:
                exported_contact_fields(frame, fields);
                break;
        case FRAME_BATTERY:
                set_int(fields, "battery_mv", frame->battery.battery_mv);
                set_optional(fields, "used_kb", frame->battery.has_storage, frame->battery.used_kb);
                set_optional(fields, "total_kb", frame->battery.has_storage, frame->battery.total_kb);
                break;
        case FRAME_DEVICE_INFO:
                device_info_fields(frame, fields);
                break;
        case FRAME_PRIVATE_KEY:
                set_hex(fields, "key", frame->private_key.key, PRIVATE_KEY_SIZE);
                break;
        case FRAME_CHANNEL_INFO:
                channel_info_fields(frame, fields);
                break;
        case FRAME_SIGN_START:
                set_int(fields, "max_len", frame->sign_start.max_size);
                break;
        case FRAME_SIGNATURE:
                set_hex(fields, "signature", frame->signature.bytes, SIGNATURE_SIZE);
                break;
        case FRAME_CUSTOM_VARS:
                custom_vars_fields(frame, fields);
                break;
        case FRAME_ADVERT_PATH:
                set_int(fields, "recv_time", frame->advert_path.recv_time);
                set_path(fields, "path", &frame->advert_path.path);
                break;
        case FRAME_TUNING:
                set_int(fields, "rx_delay_x1000", frame->tuning.rx_delay_x1000);
                set_int(fields, "airtime_factor_x1000", frame->tuning.airtime_factor_x1000);
                break;
        case FRAME_STATS:
                stats_fields(frame, fields);
                break;
        case FRAME_AUTOADD:
                set_int(fields, "flags", frame->autoadd.flags);
                set_optional(fields, "max_hops", frame->autoadd.has_max_hops, frame->autoadd.max_hops);
                break;
        case FRAME_ALLOWED_FREQUENCIES:
                allowed_frequencies_fields(frame, fields);
                break;
        case FRAME_DEFAULT_SCOPE:
                default_scope_fields(frame, fields);
                break;
        default:
                push_fields(frame, context, guess, fields);
                break;
        }
}

JsonObject *decode_error(const char *text) {
        g_autoptr(JsonObject) record = json_object_new();

        json_object_set_string_member(record, "error", text);
        return g_steal_pointer(&record);
}

JsonObject *decode_record(const uint8_t *data, size_t size, const FrameContext *context, bool guess) {
        g_autoptr(JsonObject) record = json_object_new(), fields = json_object_new();
        const char *name;
        Frame frame;
        int r;

        r = frame_decode(data, size, context, &frame);
        if (r < 0)
                json_object_set_string_member(record, "error", "the frame is cut or malformed");

        set_optional(record, "code", frame.kind != FRAME_EMPTY, frame.code);
        name = frame.kind == FRAME_EMPTY ? NAME_EMPTY : frame_code_to_string(frame.code);
        json_object_set_string_member(record, "name", name ?: NAME_UNKNOWN);
        if (r >= 0)
                frame_fields(&frame, context, guess, fields);
        json_object_set_object_member(record, "fields", g_steal_pointer(&fields));
        return g_steal_pointer(&record);
}
