/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The methods of the Python client that vectors.json calls, in our commands. */

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "client-call.h"
#include "data.h"
#include "derive.h"
#include "macros.h"

#define SIGN_CHUNK_SIZE 120
#define APP_NAME        "mccli"

static void send_appstart(Call *c) {
        DO(c, command_app_start, APP_NAME);
}

static void send_device_query(Call *c) {
        DO(c, command_device_query, 3);
}

static void get_bat(Call *c) {
        DO(c, command_get_batt_and_storage);
}

static void get_time(Call *c) {
        DO(c, command_get_device_time);
}

static void reboot_radio(Call *c) {
        DO(c, command_reboot);
}

static void get_self_telemetry(Call *c) {
        DO(c, command_get_self_telemetry);
}

static void get_custom_vars(Call *c) {
        DO(c, command_get_custom_vars);
}

static void export_private_key(Call *c) {
        DO(c, command_export_private_key);
}

static void sign_start(Call *c) {
        DO(c, command_sign_start);
}

static void sign_finish(Call *c) {
        DO(c, command_sign_finish);
}

static void get_tuning(Call *c) {
        DO(c, command_get_tuning_params);
}

static void get_stats_core(Call *c) {
        DO(c, command_get_stats, STATS_CORE);
}

static void get_stats_radio(Call *c) {
        DO(c, command_get_stats, STATS_RADIO);
}

static void get_stats_packets(Call *c) {
        DO(c, command_get_stats, STATS_PACKETS);
}

static void get_allowed_repeat_freq(Call *c) {
        DO(c, command_get_allowed_repeat_freq);
}

static void get_msg(Call *c) {
        DO(c, command_sync_next_message);
}

static void get_contacts_async(Call *c) {
        if (arg(c, 0))
                DO(c, command_get_contacts_since, (uint32_t) arg_int(c, 0));
        else
                DO(c, command_get_contacts);
}

static void get_autoadd_config(Call *c) {
        DO(c, command_get_autoadd_config);
}

static void get_default_flood_scope(Call *c) {
        DO(c, command_get_default_flood_scope);
}

static void send_advert(Call *c) {
        DO(c, command_send_self_advert, arg_int(c, 0) != 0);
}

static void export_contact(Call *c) {
        PublicKey key = arg_key(c);

        DO(c, command_export_contact, arg(c, 0) ? &key : NULL);
}

static void has_connection(Call *c) {
        PublicKey key = arg_key(c);

        DO(c, command_has_connection, &key);
}

static void reset_flood_scope(Call *c) {
        DO(c, command_clear_flood_scope);
}

static void force_unscoped(Call *c) {
        DO(c, command_force_unscoped);
}

static void reset_default_flood_scope(Call *c) {
        DO(c, command_clear_default_flood_scope);
}

static void confirm_factory_reset(Call *c) {
        DO(c, command_factory_reset);
}

static void set_name(Call *c) {
        DO(c, command_set_advert_name, arg_text(c, 0));
}

static void set_coords(Call *c) {
        const int32_t altitude = 0;

        DO(c, command_set_advert_latlon, degrees_e6(arg_double(c, 0)), degrees_e6(arg_double(c, 1)),
           &altitude);
}

static void set_time(Call *c) {
        DO(c, command_set_device_time, (uint32_t) arg_int(c, 0));
}

static void set_tx_power(Call *c) {
        DO(c, command_set_radio_tx_power, (int) arg_int(c, 0), 22);
}

static void set_radio(Call *c) {
        RadioParams params = {
                        .freq_khz = (uint32_t) lround(arg_double(c, 0) * 1000),
                        .bw_hz = (uint32_t) lround(arg_double(c, 1) * 1000),
                        .sf = (uint8_t) arg_int(c, 2),
                        .cr = (uint8_t) arg_int(c, 3),
                        .has_repeat = json_object_has_member(c->kwargs, "repeat"),
                        .repeat = kwarg_int(c, "repeat", 0) != 0,
        };

        DO(c, command_set_radio_params, &params);
}

static void set_tuning(Call *c) {
        DO(c, command_set_tuning_params, (uint32_t) arg_int(c, 0), (uint32_t) arg_int(c, 1));
}

/* manual, base, location, environment, location policy */
static void set_other_params(Call *c) {
        OtherParams params = {
                        .manual_add = arg_int(c, 0) != 0,
                        .has_telemetry = true,
                        .telemetry_base = (uint8_t) arg_int(c, 1),
                        .telemetry_loc = (uint8_t) arg_int(c, 2),
                        .telemetry_env = (uint8_t) arg_int(c, 3),
                        .has_advert_loc_policy = true,
                        .advert_loc_policy = (uint8_t) arg_int(c, 4),
        };

        DO(c, command_set_other_params, &params);
}

static OtherParams params_from_info(JsonObject *info) {
        return (OtherParams){
                        .manual_add = json_object_get_boolean_member(info, "manual_add_contacts"),
                        .has_telemetry = true,
                        .telemetry_base = (uint8_t) data_int(info, "telemetry_mode_base"),
                        .telemetry_loc = (uint8_t) data_int(info, "telemetry_mode_loc"),
                        .telemetry_env = (uint8_t) data_int(info, "telemetry_mode_env"),
                        .has_advert_loc_policy = true,
                        .advert_loc_policy = (uint8_t) data_int(info, "adv_loc_policy"),
                        .has_multi_acks = true,
                        .multi_acks = (uint8_t) data_int(info, "multi_acks"),
        };
}

static void set_other_params_from_infos(Call *c) {
        OtherParams params = params_from_info(json_node_get_object(arg(c, 0)));

        DO(c, command_set_other_params, &params);
}

/* One of the read-modify-write setters: SELF_INFO is asked for first. */
static void set_one_param(Call *c) {
        OtherParams params = params_from_info(json_object_get_object_member(c->entry, "self_info"));
        const char *method = data_string(c->entry, "method");
        uint8_t value = (uint8_t) arg_int(c, 0);

        if (strcmp(method, "set_telemetry_mode_base") == 0)
                params.telemetry_base = value;
        else if (strcmp(method, "set_telemetry_mode_loc") == 0)
                params.telemetry_loc = value;
        else if (strcmp(method, "set_telemetry_mode_env") == 0)
                params.telemetry_env = value;
        else if (strcmp(method, "set_manual_add_contacts") == 0)
                params.manual_add = value != 0;
        else if (strcmp(method, "set_advert_loc_policy") == 0)
                params.advert_loc_policy = value;
        else
                params.multi_acks = value;

        DO(c, command_app_start, APP_NAME);
        DO(c, command_set_other_params, &params);
}

static void set_devicepin(Call *c) {
        DO(c, command_set_device_pin, (uint32_t) arg_int(c, 0));
}

static void set_custom_var(Call *c) {
        DO(c, command_set_custom_var, arg_text(c, 0), arg_text(c, 1));
}

static void get_channel(Call *c) {
        DO(c, command_get_channel, (uint8_t) arg_int(c, 0));
}

/* The Python client derives the secret of every name with a '#'. */
static void set_channel(Call *c) {
        uint8_t secret[SECRET_SIZE] = {};
        const char *name = arg_text(c, 1);

        if (name[0] == '#')
                ck_assert_int_eq(derive_hashtag_secret(name, secret), 0);
        else {
                g_autoptr(GByteArray) given = arg_bytes(c, 2);

                ck_assert_uint_eq(given->len, sizeof(secret));
                memcpy(secret, given->data, sizeof(secret));
        }
        DO(c, command_set_channel, (uint8_t) arg_int(c, 0), name, secret);
}

static void import_private_key(Call *c) {
        g_autoptr(GByteArray) key = arg_bytes(c, 0);

        ck_assert_uint_eq(key->len, PRIVATE_KEY_SIZE);
        DO(c, command_import_private_key, key->data);
}

static void sign_data(Call *c) {
        g_autoptr(GByteArray) data = arg_bytes(c, 0);

        DO(c, command_sign_data, data_slice(data));
}

static void sign_all(Call *c) {
        g_autoptr(GByteArray) data = arg_bytes(c, 0);

        DO(c, command_sign_start);
        for (guint i = 0; i < data->len; i += SIGN_CHUNK_SIZE) {
                Slice chunk = {data->data + i, MIN(data->len - i, SIGN_CHUNK_SIZE)};

                DO(c, command_sign_data, chunk);
        }
        DO(c, command_sign_finish);
}

static void set_path_hash_mode(Call *c) {
        DO(c, command_set_path_hash_mode, (uint8_t) arg_int(c, 0));
}

static void share_contact(Call *c) {
        PublicKey key = arg_key(c);

        DO(c, command_share_contact, &key);
}

static void remove_contact(Call *c) {
        PublicKey key = arg_key(c);

        DO(c, command_remove_contact, &key);
}

static void reset_path(Call *c) {
        PublicKey key = arg_key(c);

        DO(c, command_reset_path, &key);
}

static void get_advert_path(Call *c) {
        PublicKey key = arg_key(c);

        DO(c, command_get_advert_path, &key);
}

static void get_contact_by_key(Call *c) {
        PublicKey key = arg_key(c);

        DO(c, command_get_contact_by_key, &key);
}

static void send_logout(Call *c) {
        PublicKey key = arg_key(c);

        DO(c, command_logout, &key);
}

/* Hops of hash_size bytes, in hex. */
static void set_path(ContactRecord *record, const char *digits, size_t hash_size) {
        g_autoptr(GByteArray) path = data_unhex(digits);

        ck_assert_uint_le(path->len, sizeof(record->path));
        memset(record->path, 0, sizeof(record->path));
        if (path->len > 0) /* the data are NULL then */
                memcpy(record->path, path->data, path->len);
        ck_assert_int_eq(path_encode_length(path->len / hash_size, hash_size, &record->path_len), 0);
}

static ContactRecord record_from_json(JsonObject *o) {
        ContactRecord record = {
                        .type = (uint8_t) data_int(o, "type"),
                        .flags = (uint8_t) data_int(o, "flags"),
                        .path_len = PATH_LEN_NONE,
                        .name = data_string(o, "adv_name"),
                        .last_advert = (uint32_t) data_int(o, "last_advert"),
                        .lat_e6 = degrees_e6(json_object_get_double_member(o, "adv_lat")),
                        .lon_e6 = degrees_e6(json_object_get_double_member(o, "adv_lon")),
        };

        ck_assert_int_eq(key_from_text(data_string(o, "public_key"), &record.key), 0);
        if (data_int(o, "out_path_len") >= 0)
                set_path(&record, data_string(o, "out_path"), (size_t) data_int(o, "out_path_hash_mode") + 1);
        return record;
}

static void update_contact(Call *c) {
        ContactRecord record = record_from_json(json_node_get_object(arg(c, 0)));

        DO(c, command_add_update_contact, &record);
}

static void change_contact_flags(Call *c) {
        ContactRecord record = record_from_json(json_node_get_object(arg(c, 0)));

        record.flags = (uint8_t) arg_int(c, 1);
        DO(c, command_add_update_contact, &record);
}

/* The path as "hex", or "hex:mode"; the mode else from the call, or from the device. */
static void change_contact_path(Call *c) {
        ContactRecord record = record_from_json(json_node_get_object(arg(c, 0)));
        g_auto(GStrv) parts = g_strsplit(arg_text(c, 1), ":", 2);
        gint64 mode = kwarg_int(c, "path_hash_mode", -1);

        if (parts[0] && parts[1])
                mode = atoi(parts[1]);
        if (mode < 0) {
                mode = json_object_has_member(c->entry, "device_path_hash_mode")
                                       ? data_int(c->entry, "device_path_hash_mode")
                                       : 0;
                DO(c, command_device_query, 3);
        }

        set_path(&record, parts[0] ?: "", (size_t) mode + 1);
        DO(c, command_add_update_contact, &record);
}

static void set_autoadd_config(Call *c) {
        DO(c, command_set_autoadd_config, (uint8_t) arg_int(c, 0), -1);
}

static void import_contact(Call *c) {
        g_autoptr(GByteArray) packet = arg_bytes(c, 0);

        DO(c, command_import_contact, data_slice(packet));
}

static void send_msg(Call *c) {
        PublicKey key = arg_key(c);

        DO(c, command_send_text, TEXT_PLAIN, (uint8_t) kwarg_int(c, "attempt", 0), (uint32_t) arg_int(c, 2),
           key.bytes, arg_text(c, 1));
}

static void send_cmd(Call *c) {
        PublicKey key = arg_key(c);

        DO(c, command_send_text, TEXT_CLI_DATA, 0, (uint32_t) arg_int(c, 2), key.bytes, arg_text(c, 1));
}

static void send_chan_msg(Call *c) {
        uint32_t timestamp;

        if (JSON_NODE_HOLDS_OBJECT(arg(c, 2))) {
                g_autoptr(GByteArray) bytes = arg_bytes(c, 2);
                ByteReader r;

                reader_init(&r, bytes->data, bytes->len);
                timestamp = reader_u32le(&r);
        } else
                timestamp = (uint32_t) arg_int(c, 2);

        DO(c, command_send_channel_text, (uint8_t) arg_int(c, 0), timestamp, arg_text(c, 1));
}

static void send_login(Call *c) {
        PublicKey key = arg_key(c);

        DO(c, command_send_login, &key, arg_text(c, 1));
}

static void send_statusreq(Call *c) {
        PublicKey key = arg_key(c);

        DO(c, command_send_status_req, &key);
}

static void send_telemetry_req(Call *c) {
        PublicKey key = arg_key(c);

        DO(c, command_send_telemetry_req, &key);
}

static void send_path_discovery(Call *c) {
        PublicKey key = arg_key(c);

        DO(c, command_send_path_discovery_req, &key);
}

static void send_binary_req(Call *c) {
        PublicKey key = arg_key(c);

        DO(c, command_send_binary_req, &key, (uint8_t) arg_int(c, 1), (Slice){});
}

static void req_mma_sync(Call *c) {
        PublicKey key = arg_key(c);

        DO(c, command_request_mma, &key, (uint32_t) arg_int(c, 1), (uint32_t) arg_int(c, 2));
}

static void req_acl_sync(Call *c) {
        PublicKey key = arg_key(c);

        DO(c, command_request_access_list, &key);
}

static void req_neighbours_async(Call *c) {
        PublicKey key = arg_key(c);
        NeighboursQuery query = {
                        .count = (uint8_t) kwarg_int(c, "count", 255),
                        .offset = (uint16_t) kwarg_int(c, "offset", 0),
                        .order = (NeighbourOrder) kwarg_int(c, "order_by", 0),
                        .prefix_length = (uint8_t) kwarg_int(c, "pubkey_prefix_length", 4),
                        .random = (uint32_t) data_int(c->entry, "random_value"),
        };

        DO(c, command_request_neighbours, &key, &query);
}

static void anon(Call *c, AnonRequestType type) {
        Path direct = path_from_length(0, 0), path = direct;
        PublicKey key = arg_key(c);
        ContactRecord record;

        if (!json_object_has_member(c->entry, "known_contact")) {
                DO(c, command_send_anon_req, &key, type, &direct);
                return;
        }

        record = record_from_json(json_object_get_object_member(c->entry, "known_contact"));
        path = path_from_length(record.path_len, 0);
        path.hashes = (Slice){record.path, path_size(&path)};
        if (path.known) {
                DO(c, command_send_anon_req, &key, type, &path);
                return;
        }

        /* A server answers direct requests only: call it a neighbour for this once. */
        DO(c, command_device_query, 3);
        record.path_len = 0;
        DO(c, command_add_update_contact, &record);
        DO(c, command_send_anon_req, &key, type, &direct);
        DO(c, command_reset_path, &key);
}

static void send_anon_req(Call *c) {
        anon(c, (AnonRequestType) arg_int(c, 1));
}

static void req_regions_async(Call *c) {
        anon(c, ANON_REGIONS);
}

static void req_owner_async(Call *c) {
        anon(c, ANON_OWNER);
}

static void req_basic_async(Call *c) {
        anon(c, ANON_BASIC);
}

/* auth, tag, flags, path: bytes, or hex hops between commas, whose length gives the flags. */
static void send_trace(Call *c) {
        const char *hops = data_string(c->kwargs, "path");
        uint8_t hash_size_log2 = (uint8_t) arg_int(c, 2);
        g_autoptr(GByteArray) path = NULL;

        if (hops) {
                g_auto(GStrv) parts = g_strsplit(hops, ",", -1);
                g_autofree char *digits = g_strjoinv("", parts);

                for (size_t size = strlen(parts[0]) / 2; size > 1; size /= 2)
                        hash_size_log2++;
                path = data_unhex(digits);
        } else
                path = arg_bytes(c, 3);

        DO(c, command_send_trace_path, (uint32_t) arg_int(c, 1), (uint32_t) arg_int(c, 0), hash_size_log2,
           data_slice(path));
}

static void send_raw_data(Call *c) {
        g_autoptr(GByteArray) data = arg_bytes(c, 0), path = arg_bytes(c, 1);

        DO(c, command_send_raw_data, data_slice(path), data_slice(data));
}

static void set_flood_scope(Call *c) {
        uint8_t key[SECRET_SIZE] = {};
        const char *name = arg_text(c, 0);

        if (name && strcmp(name, "*") == 0) {
                DO(c, command_force_unscoped);
                return;
        }
        if (name && name[0] != '\0' && strcmp(name, "0") != 0)
                ck_assert_int_eq(derive_scope_key(name, key), 0);
        else if (JSON_NODE_HOLDS_OBJECT(arg(c, 0))) {
                g_autoptr(GByteArray) given = arg_bytes(c, 0);

                ck_assert_uint_eq(given->len, sizeof(key));
                memcpy(key, given->data, sizeof(key));
        }
        DO(c, command_set_flood_scope_key, key);
}

static void set_default_flood_scope(Call *c) {
        const char *name = arg_text(c, 0);
        g_autofree char *full = g_strconcat(name[0] == '#' ? "" : "#", name, NULL);
        uint8_t key[SECRET_SIZE];

        if (derive_scope_key(name, key) < 0)
                DO(c, command_clear_default_flood_scope);
        else
                DO(c, command_set_default_flood_scope, full, key);
}

static void send_control_data(Call *c) {
        g_autoptr(GByteArray) data = arg_bytes(c, 1);
        uint8_t first = (uint8_t) arg_int(c, 0);

        g_byte_array_prepend(data, &first, 1);
        DO(c, command_send_control_data, data_slice(data));
}

static void send_node_discover_req(Call *c) {
        uint32_t since = (uint32_t) kwarg_int(c, "since", 0);
        gint64 tag = kwarg_int(c, "tag", -1);

        if (tag < 0)
                tag = data_int(c->entry, "random_value");
        DO(c, command_discover_nodes, kwarg_int(c, "prefix_only", 1) != 0, (uint8_t) arg_int(c, 0),
           (uint32_t) tag, since > 0 ? &since : NULL);
}

static const struct {
        const char *method;
        void (*encode)(Call *call);
} methods[] = {
                {"send_appstart", send_appstart},
                {"send_device_query", send_device_query},
                {"get_bat", get_bat},
                {"get_time", get_time},
                {"reboot", reboot_radio},
                {"get_self_telemetry", get_self_telemetry},
                {"get_custom_vars", get_custom_vars},
                {"export_private_key", export_private_key},
                {"sign_start", sign_start},
                {"sign_finish", sign_finish},
                {"get_tuning", get_tuning},
                {"get_stats_core", get_stats_core},
                {"get_stats_radio", get_stats_radio},
                {"get_stats_packets", get_stats_packets},
                {"get_allowed_repeat_freq", get_allowed_repeat_freq},
                {"get_msg", get_msg},
                {"get_contacts_async", get_contacts_async},
                {"get_autoadd_config", get_autoadd_config},
                {"get_default_flood_scope", get_default_flood_scope},
                {"get_path_hash_mode", send_device_query},
                {"send_advert", send_advert},
                {"export_contact", export_contact},
                {"has_connection", has_connection},
                {"reset_flood_scope", reset_flood_scope},
                {"force_unscoped", force_unscoped},
                {"reset_default_flood_scope", reset_default_flood_scope},
                {"confirm_factory_reset", confirm_factory_reset},
                {"set_name", set_name},
                {"set_coords", set_coords},
                {"set_time", set_time},
                {"set_tx_power", set_tx_power},
                {"set_radio", set_radio},
                {"set_tuning", set_tuning},
                {"set_other_params", set_other_params},
                {"set_other_params_from_infos", set_other_params_from_infos},
                {"set_telemetry_mode_base", set_one_param},
                {"set_telemetry_mode_loc", set_one_param},
                {"set_telemetry_mode_env", set_one_param},
                {"set_manual_add_contacts", set_one_param},
                {"set_advert_loc_policy", set_one_param},
                {"set_multi_acks", set_one_param},
                {"set_devicepin", set_devicepin},
                {"set_custom_var", set_custom_var},
                {"get_channel", get_channel},
                {"set_channel", set_channel},
                {"import_private_key", import_private_key},
                {"sign_data", sign_data},
                {"sign", sign_all},
                {"set_path_hash_mode", set_path_hash_mode},
                {"share_contact", share_contact},
                {"remove_contact", remove_contact},
                {"reset_path", reset_path},
                {"get_advert_path", get_advert_path},
                {"get_contact_by_key", get_contact_by_key},
                {"send_logout", send_logout},
                {"update_contact", update_contact},
                {"add_contact", update_contact},
                {"change_contact_flags", change_contact_flags},
                {"change_contact_path", change_contact_path},
                {"set_autoadd_config", set_autoadd_config},
                {"import_contact", import_contact},
                {"send_msg", send_msg},
                {"send_cmd", send_cmd},
                {"send_chan_msg", send_chan_msg},
                {"send_login", send_login},
                {"send_statusreq", send_statusreq},
                {"send_telemetry_req", send_telemetry_req},
                {"send_path_discovery", send_path_discovery},
                {"send_binary_req", send_binary_req},
                {"req_mma_sync", req_mma_sync},
                {"req_acl_sync", req_acl_sync},
                {"req_neighbours_async", req_neighbours_async},
                {"send_anon_req", send_anon_req},
                {"req_regions_async", req_regions_async},
                {"req_owner_async", req_owner_async},
                {"req_basic_async", req_basic_async},
                {"send_trace", send_trace},
                {"send_raw_data", send_raw_data},
                {"set_flood_scope", set_flood_scope},
                {"set_default_flood_scope", set_default_flood_scope},
                {"send_control_data", send_control_data},
                {"send_node_discover_req", send_node_discover_req},
};

void client_encode(Call *call, const char *method) {
        for (size_t i = 0; i < ELEMENTSOF(methods); i++)
                if (strcmp(methods[i].method, method) == 0) {
                        methods[i].encode(call);
                        return;
                }
        ck_abort_msg("no encoder for %s", method);
}
