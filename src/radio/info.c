/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "clock.h"
#include "macros.h"
#include "radio-internal.h"
#include "utf8.h"

static void set_text(char **field, Slice text) {
        g_free(*field);
        *field = utf8_repair(text.data, text.size);
}

void radio_update_device(Radio *radio, const Frame *frame) {
        RadioInfo *info = &radio->info;
        RadioChange what = RADIO_CHANGED_DEVICE;

        info->level = frame->device_info.level;
        info->max_contacts = frame->device_info.has_capacities ? frame->device_info.max_contacts : 0;
        info->max_channels = frame->device_info.has_capacities ? frame->device_info.max_channels : 0;
        info->max_text_bytes = MIN((uint32_t) TEXT_SIZE_MAX, frame_size_max(info->level) - 13);
        set_text(&info->model, frame->device_info.model);
        set_text(&info->firmware, frame->device_info.version);
        set_text(&info->build, frame->device_info.build);
        info->path_hash_mode = frame->device_info.path_hash_mode;
        if (info->client_repeat != (frame->device_info.repeat != 0)) {
                info->client_repeat = frame->device_info.repeat != 0;
                what |= RADIO_CHANGED_PARAMETERS;
        }

        radio_notify(radio, what);
}

void radio_update_self(Radio *radio, const Frame *frame) {
        RadioInfo *info = &radio->info;

        set_text(&info->name, frame->self_info.name);
        info->frequency_hz =
                        frame->self_info.freq_khz > UINT32_MAX / 1000 ? 0 : frame->self_info.freq_khz * 1000;
        info->bandwidth_hz = frame->self_info.bw_hz;
        info->spreading_factor = frame->self_info.sf;
        info->coding_rate = frame->self_info.cr;
        info->tx_power = frame->self_info.tx_power;
        info->max_tx_power = frame->self_info.max_tx_power;
        info->lat_e6 = frame->self_info.lat_e6;
        info->lon_e6 = frame->self_info.lon_e6;

        radio_update_manual_add(radio, frame->self_info.manual_add & 1);
        radio_notify(radio, RADIO_CHANGED_NAME | RADIO_CHANGED_PARAMETERS | RADIO_CHANGED_POWER |
                                            RADIO_CHANGED_LOCATION | RADIO_CHANGED_DEVICE);
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
