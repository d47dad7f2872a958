/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "command-internal.h"
#include "macros.h"

#define APP_START_RESERVED "\x03      " /* ignored by the radio; what other apps send */

int command_plain(Command *ret, CommandCode code) {
        ret->data[0] = (uint8_t) code;
        ret->size = 1;
        return 0;
}

int command_byte(Command *ret, CommandCode code, uint8_t value) {
        ret->data[0] = (uint8_t) code;
        ret->data[1] = value;
        ret->size = 2;
        return 0;
}

int command_key(Command *ret, CommandCode code, size_t zeroes, const PublicKey *key) {
        Draft draft;

        draft_begin(&draft, code);
        writer_zeroes(&draft.w, zeroes);
        writer_bytes(&draft.w, key->bytes, sizeof(key->bytes));
        return draft_finish(&draft, ret);
}

int command_check_size(const Command *command, uint8_t level) {
        return command->size > frame_size_max(level) ? -EMSGSIZE : 0;
}

/* -- session -- */

int command_device_query(Command *ret, uint8_t app_level) {
        return command_byte(ret, CMD_DEVICE_QUERY, app_level);
}

int command_app_start(Command *ret, const char *app_name) {
        Draft draft;

        draft_begin(&draft, CMD_APP_START);
        writer_bytes(&draft.w, APP_START_RESERVED, strlen(APP_START_RESERVED));
        writer_bytes(&draft.w, app_name, strlen(app_name));
        return draft_finish(&draft, ret);
}

int command_get_device_time(Command *ret) {
        return command_plain(ret, CMD_GET_DEVICE_TIME);
}

int command_set_device_time(Command *ret, uint32_t epoch) {
        Draft draft;

        draft_begin(&draft, CMD_SET_DEVICE_TIME);
        writer_u32le(&draft.w, epoch);
        return draft_finish(&draft, ret);
}

int command_get_batt_and_storage(Command *ret) {
        return command_plain(ret, CMD_GET_BATT_AND_STORAGE);
}

int command_reboot(Command *ret) {
        Draft draft;

        draft_begin(&draft, CMD_REBOOT);
        writer_bytes(&draft.w, "reboot", strlen("reboot"));
        return draft_finish(&draft, ret);
}

int command_factory_reset(Command *ret) {
        Draft draft;

        draft_begin(&draft, CMD_FACTORY_RESET);
        writer_bytes(&draft.w, "reset", strlen("reset"));
        return draft_finish(&draft, ret);
}

int command_get_stats(Command *ret, StatsType type) {
        if (type < STATS_CORE || type > STATS_PACKETS)
                return -EINVAL;
        return command_byte(ret, CMD_GET_STATS, (uint8_t) type);
}

/* -- the radio itself -- */

int command_send_self_advert(Command *ret, bool flood) {
        if (flood)
                return command_byte(ret, CMD_SEND_SELF_ADVERT, 1);
        return command_plain(ret, CMD_SEND_SELF_ADVERT);
}

int command_set_advert_name(Command *ret, const char *name) {
        size_t size = strlen(name);
        Draft draft;

        if (size == 0)
                return -EINVAL;
        if (size > NAME_SIZE_MAX)
                return -EMSGSIZE;

        draft_begin(&draft, CMD_SET_ADVERT_NAME);
        writer_bytes(&draft.w, name, size);
        return draft_finish(&draft, ret);
}

int command_set_advert_latlon(Command *ret, int32_t lat_e6, int32_t lon_e6, const int32_t *altitude) {
        Draft draft;

        if (lat_e6 < -90000000 || lat_e6 > 90000000 || lon_e6 < -180000000 || lon_e6 > 180000000)
                return -EINVAL;

        draft_begin(&draft, CMD_SET_ADVERT_LATLON);
        writer_u32le(&draft.w, (uint32_t) lat_e6);
        writer_u32le(&draft.w, (uint32_t) lon_e6);
        if (altitude)
                writer_u32le(&draft.w, (uint32_t) *altitude);
        return draft_finish(&draft, ret);
}

int command_set_radio_params(Command *ret, const RadioParams *params) {
        Draft draft;

        if (params->freq_khz < 150000 || params->freq_khz > 2500000 || params->bw_hz < 7000 ||
            params->bw_hz > 500000 || params->sf < 5 || params->sf > 12 || params->cr < 5 || params->cr > 8)
                return -EINVAL;

        draft_begin(&draft, CMD_SET_RADIO_PARAMS);
        writer_u32le(&draft.w, params->freq_khz);
        writer_u32le(&draft.w, params->bw_hz);
        writer_u8(&draft.w, params->sf);
        writer_u8(&draft.w, params->cr);
        if (params->has_repeat)
                writer_u8(&draft.w, params->repeat);
        return draft_finish(&draft, ret);
}

int command_set_radio_tx_power(Command *ret, int dbm, int max_dbm) {
        if (dbm < TX_POWER_MIN || dbm > MIN(max_dbm, INT8_MAX))
                return -EINVAL;
        return command_byte(ret, CMD_SET_RADIO_TX_POWER, (uint8_t) dbm);
}

int command_set_tuning_params(Command *ret, uint32_t rx_delay_x1000, uint32_t airtime_factor_x1000) {
        Draft draft;

        if (rx_delay_x1000 > 20000 || airtime_factor_x1000 > 9000)
                return -EINVAL;

        draft_begin(&draft, CMD_SET_TUNING_PARAMS);
        writer_u32le(&draft.w, rx_delay_x1000);
        writer_u32le(&draft.w, airtime_factor_x1000);
        return draft_finish(&draft, ret);
}

int command_get_tuning_params(Command *ret) {
        return command_plain(ret, CMD_GET_TUNING_PARAMS);
}

int command_set_device_pin(Command *ret, uint32_t pin) {
        Draft draft;

        if (pin != 0 && (pin < PIN_MIN || pin > PIN_MAX))
                return -EINVAL;

        draft_begin(&draft, CMD_SET_DEVICE_PIN);
        writer_u32le(&draft.w, pin);
        return draft_finish(&draft, ret);
}

int command_set_other_params(Command *ret, const OtherParams *params) {
        Draft draft;

        if ((params->has_advert_loc_policy && !params->has_telemetry) ||
            (params->has_multi_acks && !params->has_advert_loc_policy))
                return -EINVAL;
        if (params->has_telemetry &&
            (params->telemetry_base > 2 || params->telemetry_loc > 2 || params->telemetry_env > 2))
                return -EINVAL;

        draft_begin(&draft, CMD_SET_OTHER_PARAMS);
        writer_u8(&draft.w, params->manual_add);
        if (params->has_telemetry)
                writer_u8(&draft.w, (uint8_t) (params->telemetry_base | params->telemetry_loc << 2 |
                                               params->telemetry_env << 4));
        if (params->has_advert_loc_policy)
                writer_u8(&draft.w, params->advert_loc_policy);
        if (params->has_multi_acks)
                writer_u8(&draft.w, params->multi_acks);
        return draft_finish(&draft, ret);
}

int command_get_custom_vars(Command *ret) {
        return command_plain(ret, CMD_GET_CUSTOM_VARS);
}

int command_set_custom_var(Command *ret, const char *name, const char *value) {
        Draft draft;

        /* The radio splits at the first colon and wants at least 3 bytes. */
        if (name[0] == '\0' || strchr(name, ':') || value[0] == '\0')
                return -EINVAL;

        draft_begin(&draft, CMD_SET_CUSTOM_VAR);
        writer_bytes(&draft.w, name, strlen(name));
        writer_u8(&draft.w, ':');
        writer_bytes(&draft.w, value, strlen(value));
        return draft_finish(&draft, ret);
}

int command_set_autoadd_config(Command *ret, uint8_t flags, int max_hops) {
        Draft draft;

        if (max_hops < -1 || max_hops > AUTOADD_HOPS_MAX)
                return -EINVAL;

        draft_begin(&draft, CMD_SET_AUTOADD_CONFIG);
        writer_u8(&draft.w, flags);
        if (max_hops >= 0)
                writer_u8(&draft.w, (uint8_t) max_hops);
        return draft_finish(&draft, ret);
}

int command_get_autoadd_config(Command *ret) {
        return command_plain(ret, CMD_GET_AUTOADD_CONFIG);
}

int command_get_allowed_repeat_freq(Command *ret) {
        return command_plain(ret, CMD_GET_ALLOWED_REPEAT_FREQ);
}

int command_set_path_hash_mode(Command *ret, uint8_t mode) {
        Draft draft;

        if (mode > 2)
                return -EINVAL;

        draft_begin(&draft, CMD_SET_PATH_HASH_MODE);
        writer_u8(&draft.w, 0);
        writer_u8(&draft.w, mode);
        return draft_finish(&draft, ret);
}

int command_set_flood_scope_key(Command *ret, const uint8_t key[SECRET_SIZE]) {
        Draft draft;

        draft_begin(&draft, CMD_SET_FLOOD_SCOPE_KEY);
        writer_u8(&draft.w, 0);
        writer_bytes(&draft.w, key, SECRET_SIZE);
        return draft_finish(&draft, ret);
}

int command_clear_flood_scope(Command *ret) {
        return command_byte(ret, CMD_SET_FLOOD_SCOPE_KEY, 0);
}

int command_force_unscoped(Command *ret) {
        return command_byte(ret, CMD_SET_FLOOD_SCOPE_KEY, 1);
}

int command_set_default_flood_scope(Command *ret, const char *name, const uint8_t key[SECRET_SIZE]) {
        size_t size = strlen(name);
        Draft draft;

        if (size == 0)
                return -EINVAL;
        if (size > SCOPE_NAME_SIZE_MAX)
                return -EMSGSIZE;

        draft_begin(&draft, CMD_SET_DEFAULT_FLOOD_SCOPE);
        writer_cstr(&draft.w, name, size, SCOPE_NAME_FIELD_SIZE);
        writer_bytes(&draft.w, key, SECRET_SIZE);
        return draft_finish(&draft, ret);
}

int command_clear_default_flood_scope(Command *ret) {
        return command_plain(ret, CMD_SET_DEFAULT_FLOOD_SCOPE);
}

int command_get_default_flood_scope(Command *ret) {
        return command_plain(ret, CMD_GET_DEFAULT_FLOOD_SCOPE);
}

/* -- keys -- */

int command_export_private_key(Command *ret) {
        return command_plain(ret, CMD_EXPORT_PRIVATE_KEY);
}

int command_import_private_key(Command *ret, const uint8_t key[PRIVATE_KEY_SIZE]) {
        ByteWriter w;

        /* No draft: no copy of the key is left on the stack. */
        writer_init(&w, ret->data, sizeof(ret->data));
        writer_u8(&w, CMD_IMPORT_PRIVATE_KEY);
        writer_bytes(&w, key, PRIVATE_KEY_SIZE);
        ret->size = w.size;
        return 0;
}

int command_sign_start(Command *ret) {
        return command_plain(ret, CMD_SIGN_START);
}

int command_sign_data(Command *ret, Slice data) {
        Draft draft;

        if (data.size == 0)
                return -EINVAL;

        draft_begin(&draft, CMD_SIGN_DATA);
        draft_slice(&draft, data);
        return draft_finish(&draft, ret);
}

int command_sign_finish(Command *ret) {
        return command_plain(ret, CMD_SIGN_FINISH);
}
