/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "clock.h"
#include "macros.h"
#include "setting-internal.h"
#include "utf8.h"

static bool set_text(char **field, Slice text) {
        g_autofree char *repaired = utf8_repair(text.data, text.size);

        if (g_strcmp0(*field, repaired) == 0)
                return false;

        g_free(*field);
        *field = g_steal_pointer(&repaired);
        return true;
}

/* For a variable called what: bit of RadioChange if the value is another one than before. */
#define UPDATE(bit, field, value)          \
        G_STMT_START {                     \
                if ((field) != (value)) {  \
                        (field) = (value); \
                        what |= (bit);     \
                }                          \
        }                                  \
        G_STMT_END
#define UPDATE_TEXT(bit, field, text) what |= set_text(&(field), (text)) ? (bit) : 0

void radio_update_device(Radio *radio, const Frame *frame) {
        RadioInfo *info = &radio->info;
        uint8_t level = frame->device_info.level;
        bool capacities = frame->device_info.has_capacities;
        bool path_hash = frame->device_info.has_path_hash_mode;
        unsigned what = 0;

        UPDATE(RADIO_CHANGED_DEVICE, info->level, level);
        UPDATE(RADIO_CHANGED_DEVICE, info->max_contacts, capacities ? frame->device_info.max_contacts : 0U);
        UPDATE(RADIO_CHANGED_DEVICE, info->max_channels, capacities ? frame->device_info.max_channels : 0U);
        UPDATE(RADIO_CHANGED_DEVICE, info->max_text_bytes,
               MIN((uint32_t) TEXT_SIZE_MAX, (uint32_t) frame_size_max(level) - 13));
        UPDATE_TEXT(RADIO_CHANGED_DEVICE, info->model, frame->device_info.model);
        UPDATE_TEXT(RADIO_CHANGED_DEVICE, info->firmware, frame->device_info.version);
        UPDATE_TEXT(RADIO_CHANGED_DEVICE, info->build, frame->device_info.build);
        UPDATE(RADIO_CHANGED_PATH_HASH, info->path_hash_size,
               (uint8_t) (path_hash ? frame->device_info.path_hash_mode + 1 : 0));
        UPDATE(RADIO_CHANGED_PARAMETERS, info->client_repeat, frame->device_info.repeat != 0);

        radio_notify(radio, what);
}

void radio_update_self(Radio *radio, const Frame *frame) {
        RadioInfo *info = &radio->info;
        uint32_t khz = setting_from_float(frame->self_info.freq_khz);
        uint32_t bw_hz = setting_from_float(frame->self_info.bw_hz);
        unsigned what = 0;

        UPDATE_TEXT(RADIO_CHANGED_NAME, info->name, frame->self_info.name);
        UPDATE(RADIO_CHANGED_PARAMETERS, info->frequency_hz, khz > UINT32_MAX / 1000 ? 0 : khz * 1000);
        UPDATE(RADIO_CHANGED_PARAMETERS, info->bandwidth_hz, bw_hz);
        UPDATE(RADIO_CHANGED_PARAMETERS, info->spreading_factor, frame->self_info.sf);
        UPDATE(RADIO_CHANGED_PARAMETERS, info->coding_rate, frame->self_info.cr);
        UPDATE(RADIO_CHANGED_POWER, info->tx_power, frame->self_info.tx_power);
        UPDATE(RADIO_CHANGED_POWER, info->max_tx_power, frame->self_info.max_tx_power);
        UPDATE(RADIO_CHANGED_LOCATION, info->lat_e6, frame->self_info.lat_e6);
        UPDATE(RADIO_CHANGED_LOCATION, info->lon_e6, frame->self_info.lon_e6);
        UPDATE(RADIO_CHANGED_OTHER, info->telemetry_base, (TelemetryMode) frame->self_info.telemetry_base);
        UPDATE(RADIO_CHANGED_OTHER, info->telemetry_location, (TelemetryMode) frame->self_info.telemetry_loc);
        UPDATE(RADIO_CHANGED_OTHER, info->telemetry_environment,
               (TelemetryMode) frame->self_info.telemetry_env);
        UPDATE(RADIO_CHANGED_OTHER, info->advert_location, frame->self_info.advert_loc_policy != 0);
        UPDATE(RADIO_CHANGED_OTHER, info->multi_acks, frame->self_info.multi_acks != 0);

        radio_update_manual_add(radio, frame->self_info.manual_add & 1);
        radio_notify(radio, what);
}

void radio_update_battery(Radio *radio, const Frame *frame) {
        RadioInfo *info = &radio->info;
        RadioChange what = 0;

        if (info->battery_mv != frame->battery.battery_mv) {
                info->battery_mv = frame->battery.battery_mv;
                what |= RADIO_CHANGED_BATTERY;
        }
        if (frame->battery.has_storage && (info->storage_used_kb != frame->battery.used_kb ||
                                           info->storage_total_kb != frame->battery.total_kb)) {
                info->storage_used_kb = frame->battery.used_kb;
                info->storage_total_kb = frame->battery.total_kb;
                what |= RADIO_CHANGED_STORAGE;
        }

        radio_notify(radio, what);
}

void radio_update_clock(Radio *radio, uint32_t epoch) {
        radio->info.clock_skew_usec =
                        (int64_t) ((uint64_t) epoch * USEC_PER_SEC) - (int64_t) clock_realtime_usec();
        radio_notify(radio, RADIO_CHANGED_CLOCK);
}

uint32_t radio_clock(const Radio *radio) {
        int64_t now = (int64_t) clock_realtime_usec() + radio->info.clock_skew_usec;

        return (uint32_t) CLAMP(now / (int64_t) USEC_PER_SEC, 1, (int64_t) UINT32_MAX);
}
