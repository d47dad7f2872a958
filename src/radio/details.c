/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Settings that SELF_INFO and DEVICE_INFO do not carry. */

#include "radio-internal.h"
#include "setting-internal.h"
#include "utf8.h"

#define TUNING_LEVEL        7
#define REPEAT_LEVEL        9
#define DEFAULT_SCOPE_LEVEL 11

void radio_update_tuning(Radio *radio, const Frame *frame) {
        RadioInfo *info = &radio->info;
        uint32_t rx_delay = setting_from_float(frame->tuning.rx_delay_x1000);
        uint32_t airtime_factor = setting_from_float(frame->tuning.airtime_factor_x1000);

        if (info->has_tuning && info->rx_delay_x1000 == rx_delay &&
            info->airtime_factor_x1000 == airtime_factor)
                return;

        info->has_tuning = true;
        info->rx_delay_x1000 = rx_delay;
        info->airtime_factor_x1000 = airtime_factor;
        radio_notify(radio, RADIO_CHANGED_TUNING);
}

void radio_update_scope(Radio *radio, const Frame *frame) {
        g_autofree char *name = frame->default_scope.is_set ? utf8_repair(frame->default_scope.name.data,
                                                                          frame->default_scope.name.size)
                                                            : NULL;

        if (g_strcmp0(name, radio->info.default_scope) == 0)
                return;

        g_free(radio->info.default_scope);
        radio->info.default_scope = g_steal_pointer(&name);
        radio_notify(radio, RADIO_CHANGED_SCOPE);
}

static uint32_t to_hz(uint32_t khz) {
        return khz > UINT32_MAX / 1000 ? UINT32_MAX : khz * 1000;
}

static void update_repeat_ranges(Radio *radio, const Frame *frame) {
        RadioInfo *info = &radio->info;
        size_t n = MIN(frame->allowed_frequencies.n_ranges, G_N_ELEMENTS(info->repeat_ranges));
        bool changed = n != info->n_repeat_ranges;

        for (size_t i = 0; i < n; i++) {
                RadioRange range;
                uint32_t low, high;

                frequency_range_get(frame, i, &low, &high);
                range = (RadioRange){to_hz(low), to_hz(high)};
                changed = changed || info->repeat_ranges[i].low_hz != range.low_hz ||
                          info->repeat_ranges[i].high_hz != range.high_hz;
                info->repeat_ranges[i] = range;
        }
        info->n_repeat_ranges = n;
        if (changed)
                radio_notify(radio, RADIO_CHANGED_REPEAT);
}

/* What firmware lacks stays untold. */
static void detail_reply(Session *session, const SessionReply *reply, void *userdata) {
        Radio *radio = userdata;

        if (reply->result != SESSION_REPLY)
                return;

        switch (reply->frame->kind) {
        case FRAME_TUNING:
                radio_update_tuning(radio, reply->frame);
                break;
        case FRAME_DEFAULT_SCOPE:
                radio_update_scope(radio, reply->frame);
                break;
        case FRAME_ALLOWED_FREQUENCIES:
                update_repeat_ranges(radio, reply->frame);
                break;
        default:
                break;
        }
}

void radio_read_details(Radio *radio) {
        Command command;

        if (radio->info.level >= TUNING_LEVEL) {
                (void) command_get_tuning_params(&command);
                (void) session_call(radio->session, &command, SESSION_BACKGROUND, detail_reply, radio);
        }
        if (radio->info.level >= REPEAT_LEVEL) {
                (void) command_get_allowed_repeat_freq(&command);
                (void) session_call(radio->session, &command, SESSION_BACKGROUND, detail_reply, radio);
        }
        if (radio->info.level >= DEFAULT_SCOPE_LEVEL) {
                (void) command_get_default_flood_scope(&command);
                (void) session_call(radio->session, &command, SESSION_BACKGROUND, detail_reply, radio);
        }
}
