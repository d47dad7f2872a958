/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <glib.h>
#include <string.h>

#include "reencode.h"

static char *slice_dup(Slice slice) {
        return g_strndup(slice.size > 0 ? (const char *) slice.data : "", slice.size);
}

static char *take_text(ByteReader *r) {
        return slice_dup(reader_rest(r));
}

static PublicKey take_key(ByteReader *r) {
        PublicKey key;

        reader_copy(r, key.bytes, sizeof(key.bytes));
        return key;
}

static bool take_guard(ByteReader *r, const char *word) {
        Slice rest = reader_rest(r);

        return rest.size == strlen(word) && memcmp(rest.data, word, rest.size) == 0;
}

static int text(ByteReader *r, Command *ret) {
        uint8_t type = reader_u8(r), attempt = reader_u8(r), prefix[KEY_PREFIX_SIZE];
        uint32_t timestamp = reader_u32le(r);
        g_autofree char *body = NULL;

        reader_copy(r, prefix, sizeof(prefix));
        body = take_text(r);
        return command_send_text(ret, (TextType) type, attempt, timestamp, prefix, body);
}

static int channel_text(ByteReader *r, Command *ret) {
        uint8_t type = reader_u8(r), channel = reader_u8(r);
        uint32_t timestamp = reader_u32le(r);
        g_autofree char *body = take_text(r);

        if (type != TEXT_PLAIN)
                return -ENOMSG;
        return command_send_channel_text(ret, channel, timestamp, body);
}

static int contact(ByteReader *r, Command *ret) {
        ContactRecord record = {.key = take_key(r)};
        g_autofree char *name = NULL;
        Slice field;

        record.type = reader_u8(r);
        record.flags = reader_u8(r);
        record.path_len = reader_u8(r);
        reader_copy(r, record.path, sizeof(record.path));
        field = reader_cstr(r, NAME_FIELD_SIZE);
        name = slice_dup(field);
        record.name = name;
        record.last_advert = reader_u32le(r);
        if (reader_left(r) > 0) { /* else 0, 0: a position always goes with a contact */
                record.lat_e6 = reader_i32le(r);
                record.lon_e6 = reader_i32le(r);
        }
        record.has_lastmod = reader_left(r) > 0;
        record.lastmod = record.has_lastmod ? reader_u32le(r) : 0;
        return command_add_update_contact(ret, &record);
}

static int radio_params(ByteReader *r, Command *ret) {
        RadioParams params = {.freq_khz = reader_u32le(r), .bw_hz = reader_u32le(r)};

        params.sf = reader_u8(r);
        params.cr = reader_u8(r);
        params.has_repeat = reader_left(r) > 0;
        params.repeat = params.has_repeat && reader_u8(r);
        return command_set_radio_params(ret, &params);
}

static int other_params(ByteReader *r, Command *ret) {
        OtherParams params = {.manual_add = reader_u8(r)};

        if (reader_left(r) > 0) {
                uint8_t telemetry = reader_u8(r);

                params.has_telemetry = true;
                params.telemetry_base = telemetry & 3;
                params.telemetry_loc = telemetry >> 2 & 3;
                params.telemetry_env = telemetry >> 4 & 3;
        }
        if (reader_left(r) > 0) {
                params.has_advert_loc_policy = true;
                params.advert_loc_policy = reader_u8(r);
        }
        if (reader_left(r) > 0) {
                params.has_multi_acks = true;
                params.multi_acks = reader_u8(r);
        }
        return command_set_other_params(ret, &params);
}

static int latlon(ByteReader *r, Command *ret) {
        int32_t lat = reader_i32le(r), lon = reader_i32le(r), altitude;
        bool has_altitude = reader_left(r) > 0;

        altitude = has_altitude ? reader_i32le(r) : 0;
        return command_set_advert_latlon(ret, lat, lon, has_altitude ? &altitude : NULL);
}

static int custom_var(ByteReader *r, Command *ret) {
        g_autofree char *pair = take_text(r);
        char *colon = strchr(pair, ':');

        if (!colon)
                return -ENOMSG;
        *colon = '\0';
        return command_set_custom_var(ret, pair, colon + 1);
}

static int set_channel(ByteReader *r, Command *ret) {
        uint8_t channel = reader_u8(r), secret[SECRET_SIZE];
        g_autofree char *name = NULL;
        Slice field = reader_cstr(r, NAME_FIELD_SIZE);

        name = slice_dup(field);
        reader_copy(r, secret, sizeof(secret));
        return command_set_channel(ret, channel, name, secret);
}

static int trace(ByteReader *r, Command *ret) {
        uint32_t tag = reader_u32le(r), auth = reader_u32le(r);
        uint8_t flags = reader_u8(r);

        return command_send_trace_path(ret, tag, auth, flags, reader_rest(r));
}

static int channel_data(ByteReader *r, Command *ret) {
        uint8_t channel = reader_u8(r);
        uint16_t type;
        Path path;

        if (path_read(r, 0, &path) < 0)
                return -ENOMSG;
        type = reader_u16le(r);
        return command_send_channel_data(ret, channel, &path, type, reader_rest(r));
}

static int raw_data(ByteReader *r, Command *ret) {
        uint8_t size = reader_u8(r);
        Slice path = reader_slice(r, size);

        if (r->overrun)
                return -ENOMSG;
        return command_send_raw_data(ret, path, reader_rest(r));
}

static int login(ByteReader *r, Command *ret) {
        PublicKey key = take_key(r);
        g_autofree char *password = take_text(r);

        return command_send_login(ret, &key, password);
}

static int binary_req(ByteReader *r, Command *ret) {
        PublicKey key = take_key(r);
        uint8_t type = reader_u8(r);

        return command_send_binary_req(ret, &key, type, reader_rest(r));
}

static int anon_req(ByteReader *r, Command *ret) {
        PublicKey key = take_key(r);
        uint8_t type = reader_u8(r), reversed[PATH_SIZE_MAX];
        Path path;

        if (path_read(r, 0, &path) < 0)
                return -ENOMSG;
        path_reverse(&path, reversed);
        path.hashes.data = reversed;
        return command_send_anon_req(ret, &key, (AnonRequestType) type, &path);
}

static int flood_scope(ByteReader *r, Command *ret) {
        uint8_t kind = reader_u8(r);
        size_t left = reader_left(r);

        if (kind == 0 && left == SECRET_SIZE)
                return command_set_flood_scope_key(ret, reader_rest(r).data);
        if (left > 0)
                return -ENOMSG;
        if (kind == 1)
                return command_force_unscoped(ret);
        return kind == 0 ? command_clear_flood_scope(ret) : -ENOMSG;
}

static int default_scope(ByteReader *r, Command *ret) {
        g_autofree char *name = NULL;
        Slice field;

        if (reader_left(r) == 0)
                return command_clear_default_flood_scope(ret);
        field = reader_cstr(r, SCOPE_NAME_FIELD_SIZE);
        name = slice_dup(field);
        field = reader_slice(r, SECRET_SIZE);
        if (field.size == 0)
                return -ENOMSG;
        return command_set_default_flood_scope(ret, name, field.data);
}

static int raw_packet(ByteReader *r, Command *ret) {
        uint8_t priority = reader_u8(r);

        return command_send_raw_packet(ret, priority, reader_rest(r));
}

static int app_start(ByteReader *r, Command *ret) {
        g_autofree char *name = NULL;

        reader_skip(r, 7);
        name = take_text(r);
        return command_app_start(ret, name);
}

static int advert_name(ByteReader *r, Command *ret) {
        g_autofree char *name = take_text(r);

        return command_set_advert_name(ret, name);
}

static int private_key(ByteReader *r, Command *ret) {
        Slice key = reader_slice(r, PRIVATE_KEY_SIZE);

        return key.size > 0 ? command_import_private_key(ret, key.data) : -ENOMSG;
}

static int telemetry(ByteReader *r, Command *ret) {
        PublicKey key;

        reader_skip(r, 3);
        if (reader_left(r) == 0)
                return command_get_self_telemetry(ret);
        key = take_key(r);
        return command_send_telemetry_req(ret, &key);
}

static int path_hash_mode(ByteReader *r, Command *ret) {
        return reader_u8(r) == 0 ? command_set_path_hash_mode(ret, reader_u8(r)) : -ENOMSG;
}

static int autoadd(ByteReader *r, Command *ret) {
        uint8_t flags = reader_u8(r);

        return command_set_autoadd_config(ret, flags, reader_left(r) > 0 ? reader_u8(r) : -1);
}

static int tuning(ByteReader *r, Command *ret) {
        uint32_t delay = reader_u32le(r), factor = reader_u32le(r);

        return command_set_tuning_params(ret, delay, factor);
}

static int with_key(ByteReader *r, Command *ret, int (*encode)(Command *, const PublicKey *)) {
        PublicKey key = take_key(r);

        return encode(ret, &key);
}

/* zeroes: reserved bytes before the key. */
static int with_key_after(ByteReader *r, Command *ret, size_t zeroes,
                          int (*encode)(Command *, const PublicKey *)) {
        for (size_t i = 0; i < zeroes; i++)
                if (reader_u8(r) != 0)
                        return -ENOMSG;
        return with_key(r, ret, encode);
}

static int dispatch(uint8_t code, ByteReader *r, Command *ret) {
        switch (code) {
        case CMD_APP_START:
                return app_start(r, ret);
        case CMD_SEND_TXT_MSG:
                return text(r, ret);
        case CMD_SEND_CHANNEL_TXT_MSG:
                return channel_text(r, ret);
        case CMD_GET_CONTACTS:
                if (reader_left(r) > 0)
                        return command_get_contacts_since(ret, reader_u32le(r));
                return command_get_contacts(ret);
        case CMD_GET_DEVICE_TIME:
                return command_get_device_time(ret);
        case CMD_SET_DEVICE_TIME:
                return command_set_device_time(ret, reader_u32le(r));
        case CMD_SEND_SELF_ADVERT:
                return command_send_self_advert(ret, reader_left(r) > 0 && reader_u8(r) == 1);
        case CMD_SET_ADVERT_NAME:
                return advert_name(r, ret);
        case CMD_ADD_UPDATE_CONTACT:
                return contact(r, ret);
        case CMD_SYNC_NEXT_MESSAGE:
                return command_sync_next_message(ret);
        case CMD_SET_RADIO_PARAMS:
                return radio_params(r, ret);
        case CMD_SET_RADIO_TX_POWER:
                return command_set_radio_tx_power(ret, reader_i8(r), 22);
        case CMD_RESET_PATH:
                return with_key(r, ret, command_reset_path);
        case CMD_SET_ADVERT_LATLON:
                return latlon(r, ret);
        case CMD_REMOVE_CONTACT:
                return with_key(r, ret, command_remove_contact);
        case CMD_SHARE_CONTACT:
                return with_key(r, ret, command_share_contact);
        case CMD_EXPORT_CONTACT:
                if (reader_left(r) == 0)
                        return command_export_contact(ret, NULL);
                return with_key(r, ret, command_export_contact);
        case CMD_IMPORT_CONTACT:
                return command_import_contact(ret, reader_rest(r));
        case CMD_REBOOT:
                return take_guard(r, "reboot") ? command_reboot(ret) : -ENOMSG;
        case CMD_GET_BATT_AND_STORAGE:
                return command_get_batt_and_storage(ret);
        case CMD_SET_TUNING_PARAMS:
                return tuning(r, ret);
        case CMD_DEVICE_QUERY:
                return command_device_query(ret, reader_u8(r));
        case CMD_EXPORT_PRIVATE_KEY:
                return command_export_private_key(ret);
        case CMD_IMPORT_PRIVATE_KEY:
                return private_key(r, ret);
        case CMD_SEND_RAW_DATA:
                return raw_data(r, ret);
        case CMD_SEND_LOGIN:
                return login(r, ret);
        case CMD_SEND_STATUS_REQ:
                return with_key(r, ret, command_send_status_req);
        case CMD_HAS_CONNECTION:
                return with_key(r, ret, command_has_connection);
        case CMD_LOGOUT:
                return with_key(r, ret, command_logout);
        case CMD_GET_CONTACT_BY_KEY:
                return with_key(r, ret, command_get_contact_by_key);
        case CMD_GET_CHANNEL:
                return command_get_channel(ret, reader_u8(r));
        case CMD_SET_CHANNEL:
                return set_channel(r, ret);
        case CMD_SIGN_START:
                return command_sign_start(ret);
        case CMD_SIGN_DATA:
                return command_sign_data(ret, reader_rest(r));
        case CMD_SIGN_FINISH:
                return command_sign_finish(ret);
        case CMD_SEND_TRACE_PATH:
                return trace(r, ret);
        case CMD_SET_DEVICE_PIN:
                return command_set_device_pin(ret, reader_u32le(r));
        case CMD_SET_OTHER_PARAMS:
                return other_params(r, ret);
        case CMD_SEND_TELEMETRY_REQ:
                return telemetry(r, ret);
        case CMD_GET_CUSTOM_VARS:
                return command_get_custom_vars(ret);
        case CMD_SET_CUSTOM_VAR:
                return custom_var(r, ret);
        case CMD_GET_ADVERT_PATH:
                return with_key_after(r, ret, 1, command_get_advert_path);
        case CMD_GET_TUNING_PARAMS:
                return command_get_tuning_params(ret);
        case CMD_SEND_BINARY_REQ:
                return binary_req(r, ret);
        case CMD_FACTORY_RESET:
                return take_guard(r, "reset") ? command_factory_reset(ret) : -ENOMSG;
        case CMD_SEND_PATH_DISCOVERY_REQ:
                return with_key_after(r, ret, 1, command_send_path_discovery_req);
        case CMD_SET_FLOOD_SCOPE_KEY:
                return flood_scope(r, ret);
        case CMD_SEND_CONTROL_DATA:
                return command_send_control_data(ret, reader_rest(r));
        case CMD_GET_STATS:
                return command_get_stats(ret, (StatsType) reader_u8(r));
        case CMD_SEND_ANON_REQ:
                return anon_req(r, ret);
        case CMD_SET_AUTOADD_CONFIG:
                return autoadd(r, ret);
        case CMD_GET_AUTOADD_CONFIG:
                return command_get_autoadd_config(ret);
        case CMD_GET_ALLOWED_REPEAT_FREQ:
                return command_get_allowed_repeat_freq(ret);
        case CMD_SET_PATH_HASH_MODE:
                return path_hash_mode(r, ret);
        case CMD_SEND_CHANNEL_DATA:
                return channel_data(r, ret);
        case CMD_SET_DEFAULT_FLOOD_SCOPE:
                return default_scope(r, ret);
        case CMD_GET_DEFAULT_FLOOD_SCOPE:
                return command_get_default_flood_scope(ret);
        case CMD_SEND_RAW_PACKET:
                return raw_packet(r, ret);
        default:
                return -ENOMSG;
        }
}

int reencode(Slice frame, Command *ret) {
        Command command = {};
        ByteReader r;
        int result;

        reader_init(&r, frame.data, frame.size);
        result = dispatch(reader_u8(&r), &r, &command);
        if (result < 0)
                return result;
        if (r.overrun || reader_left(&r) > 0)
                return -ENOMSG;

        *ret = command;
        return 0;
}
