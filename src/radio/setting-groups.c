/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Settings of which one command carries several: what is not asked for is
 * written as the radio has it. */

#include <string.h>

#include "setting-internal.h"

static const char *const telemetry_mode_names[_TELEMETRY_MODE_MAX] = {
                [TELEMETRY_DENY] = "deny",
                [TELEMETRY_CONTACT_FLAGS] = "contact-flags",
                [TELEMETRY_ALLOW] = "allow",
};

const char *telemetry_mode_to_string(TelemetryMode mode) {
        return mode >= 0 && mode < _TELEMETRY_MODE_MAX ? telemetry_mode_names[mode] : NULL;
}

TelemetryMode telemetry_mode_from_string(const char *text) {
        for (int i = 0; i < _TELEMETRY_MODE_MAX; i++)
                if (strcmp(telemetry_mode_names[i], text) == 0)
                        return i;
        return _TELEMETRY_MODE_INVALID;
}

/* -- radio parameters ---------------------------------------------------------------- */

#define REPEAT_LEVEL  9
#define FREQUENCY_MIN 150000000
#define FREQUENCY_MAX UINT32_C(2500000000)
#define BANDWIDTH_MIN 7000
#define BANDWIDTH_MAX 500000

typedef struct ParametersSetting {
        Setting setting;
        unsigned set;
        RadioParameters values;
        RadioParams params; /* as the radio has it, then as it shall */
} ParametersSetting;

static bool may_repeat_at(const RadioInfo *info, uint32_t hz) {
        for (size_t i = 0; i < info->n_repeat_ranges; i++)
                if (hz >= info->repeat_ranges[i].low_hz && hz <= info->repeat_ranges[i].high_hz)
                        return true;
        /* Not told, so let the radio decide. */
        return info->n_repeat_ranges == 0;
}

static void parameters_write(ParametersSetting *p) {
        Request *request = &p->setting.request;
        const RadioParameters *v = &p->values;
        int r;

        if (p->set & RADIO_PARAMETER_FREQUENCY)
                p->params.freq_khz = v->frequency_hz / 1000;
        if (p->set & RADIO_PARAMETER_BANDWIDTH)
                p->params.bw_hz = v->bandwidth_hz;
        if (p->set & RADIO_PARAMETER_SPREADING)
                p->params.sf = v->spreading_factor;
        if (p->set & RADIO_PARAMETER_CODING)
                p->params.cr = v->coding_rate;
        if (p->set & RADIO_PARAMETER_REPEAT)
                p->params.repeat = v->client_repeat;

        if (p->params.repeat && !may_repeat_at(&request->radio->info, p->params.freq_khz * 1000)) {
                request_fail(request, OUTCOME_INVALID_ARGUMENTS,
                             "the radio does not repeat for others at %u kHz; AllowedRepeatFrequencies says "
                             "where it does",
                             p->params.freq_khz);
                return;
        }

        r = command_set_radio_params(&p->setting.command, &p->params);
        if (r < 0)
                request_fail(request, OUTCOME_FAILED, "the radio has values now that it would refuse itself");
        else
                setting_write(&p->setting);
}

static void parameters_repeat_read(Request *request, const Frame *frame) {
        ParametersSetting *p = (ParametersSetting *) request;

        radio_update_device(request->radio, frame);
        p->params.has_repeat = true;
        p->params.repeat = frame->device_info.repeat != 0;
        parameters_write(p);
}

static void parameters_read(Request *request, const Frame *frame) {
        ParametersSetting *p = (ParametersSetting *) request;
        Command command;

        radio_update_self(request->radio, frame);
        p->params = (RadioParams){
                        .freq_khz = setting_from_float(frame->self_info.freq_khz),
                        .bw_hz = setting_from_float(frame->self_info.bw_hz),
                        .sf = frame->self_info.sf,
                        .cr = frame->self_info.cr,
        };
        if (request->radio->info.level < REPEAT_LEVEL) {
                parameters_write(p);
                return;
        }

        (void) command_device_query(&command, PROTOCOL_LEVEL_KNOWN);
        request_call(request, &command, parameters_repeat_read);
}

static void parameters_start(Request *request, const Frame *frame) {
        ParametersSetting *p = (ParametersSetting *) request;
        Command command;

        if ((p->set & RADIO_PARAMETER_REPEAT) && request->radio->info.level < REPEAT_LEVEL) {
                request_fail(request, OUTCOME_NOT_SUPPORTED, "ClientRepeat takes firmware 1.13 or newer");
                return;
        }

        (void) command_app_start(&command, APP_NAME);
        request_call(request, &command, parameters_read);
}

static const RequestKind parameters_kind = {
                .what = "cannot set the radio parameters",
                .start = parameters_start,
                .done = setting_done,
};

static OutcomeCode check_parameters(unsigned set, const RadioParameters *v, Outcome *ret) {
        if (set == 0)
                return outcome_set(ret, OUTCOME_INVALID_ARGUMENTS, "nothing is to be set");
        if ((set & RADIO_PARAMETER_FREQUENCY) &&
            (v->frequency_hz < FREQUENCY_MIN || v->frequency_hz > FREQUENCY_MAX ||
             v->frequency_hz % 1000 != 0))
                return outcome_set(ret, OUTCOME_INVALID_ARGUMENTS,
                                   "FrequencyHz is from %d to %u in whole kHz (steps of 1000)", FREQUENCY_MIN,
                                   FREQUENCY_MAX);
        if ((set & RADIO_PARAMETER_BANDWIDTH) &&
            (v->bandwidth_hz < BANDWIDTH_MIN || v->bandwidth_hz > BANDWIDTH_MAX))
                return outcome_set(ret, OUTCOME_INVALID_ARGUMENTS, "BandwidthHz is from %d to %d",
                                   BANDWIDTH_MIN, BANDWIDTH_MAX);
        if ((set & RADIO_PARAMETER_SPREADING) && (v->spreading_factor < 5 || v->spreading_factor > 12))
                return outcome_set(ret, OUTCOME_INVALID_ARGUMENTS, "SpreadingFactor is from 5 to 12");
        if ((set & RADIO_PARAMETER_CODING) && (v->coding_rate < 5 || v->coding_rate > 8))
                return outcome_set(ret, OUTCOME_INVALID_ARGUMENTS, "CodingRate is from 5 to 8");
        return OUTCOME_OK;
}

void radio_set_parameters(Radio *radio, unsigned set, const RadioParameters *values, radio_done_t done,
                          void *userdata) {
        ParametersSetting *p = setting_new(sizeof(ParametersSetting), done, userdata);
        g_auto(Outcome) outcome = {};

        p->set = set;
        p->values = *values;
        p->setting.read_back = READ_SELF | READ_DEVICE;
        (void) check_parameters(set, values, &outcome);
        setting_submit(radio, &p->setting, &parameters_kind, &outcome);
}

/* -- other parameters ------------------------------------------------------------------ */

#define OTHER_TELEMETRY \
        (RADIO_OTHER_TELEMETRY_BASE | RADIO_OTHER_TELEMETRY_LOCATION | RADIO_OTHER_TELEMETRY_ENVIRONMENT)

typedef struct OtherSetting {
        Setting setting;
        unsigned set;
        RadioOther values;
} OtherSetting;

static void other_read(Request *request, const Frame *frame) {
        OtherSetting *o = (OtherSetting *) request;
        const RadioOther *v = &o->values;
        OtherParams params = {
                        .manual_add = frame->self_info.manual_add & 1,
                        .has_telemetry = true,
                        .telemetry_base = frame->self_info.telemetry_base,
                        .telemetry_loc = frame->self_info.telemetry_loc,
                        .telemetry_env = frame->self_info.telemetry_env,
                        .has_advert_loc_policy = true,
                        .advert_loc_policy = frame->self_info.advert_loc_policy,
                        .has_multi_acks = true,
                        .multi_acks = frame->self_info.multi_acks,
        };

        radio_update_self(request->radio, frame);
        if (o->set & RADIO_OTHER_MANUAL_ADD)
                params.manual_add = v->manual_add;
        if (o->set & RADIO_OTHER_TELEMETRY_BASE)
                params.telemetry_base = (uint8_t) v->telemetry_base;
        if (o->set & RADIO_OTHER_TELEMETRY_LOCATION)
                params.telemetry_loc = (uint8_t) v->telemetry_location;
        if (o->set & RADIO_OTHER_TELEMETRY_ENVIRONMENT)
                params.telemetry_env = (uint8_t) v->telemetry_environment;
        if (o->set & RADIO_OTHER_ADVERT_LOCATION)
                params.advert_loc_policy = v->advert_location;
        if (o->set & RADIO_OTHER_MULTI_ACKS)
                params.multi_acks = v->multi_acks;

        /* 3 means nothing; a radio that has it denies. */
        params.telemetry_base = params.telemetry_base > TELEMETRY_ALLOW ? 0 : params.telemetry_base;
        params.telemetry_loc = params.telemetry_loc > TELEMETRY_ALLOW ? 0 : params.telemetry_loc;
        params.telemetry_env = params.telemetry_env > TELEMETRY_ALLOW ? 0 : params.telemetry_env;
        (void) command_set_other_params(&o->setting.command, &params);
        setting_write(&o->setting);
}

static void other_start(Request *request, const Frame *frame) {
        static const struct {
                unsigned set;
                uint8_t level;
                const char *text;
        } levels[] = {
                        {RADIO_OTHER_MANUAL_ADD, 4, "ManualAdd takes firmware 1.5 or newer"},
                        {OTHER_TELEMETRY, 5, "telemetry modes take firmware 1.6 or newer"},
                        {RADIO_OTHER_ADVERT_LOCATION, 6, "AdvertLocation takes firmware 1.7.1 or newer"},
                        {RADIO_OTHER_MULTI_ACKS, 7, "MultiAcks takes firmware 1.7.4 or newer"},
        };
        OtherSetting *o = (OtherSetting *) request;
        Command command;

        for (size_t i = 0; i < G_N_ELEMENTS(levels); i++)
                if ((o->set & levels[i].set) && request->radio->info.level < levels[i].level) {
                        request_fail(request, OUTCOME_NOT_SUPPORTED, "%s", levels[i].text);
                        return;
                }

        (void) command_app_start(&command, APP_NAME);
        request_call(request, &command, other_read);
}

static const RequestKind other_kind = {
                .what = "cannot set the other parameters",
                .start = other_start,
                .done = setting_done,
};

void radio_set_other(Radio *radio, unsigned set, const RadioOther *values, radio_done_t done,
                     void *userdata) {
        OtherSetting *o = setting_new(sizeof(OtherSetting), done, userdata);
        g_auto(Outcome) outcome = {};

        o->set = set;
        o->values = *values;
        o->setting.read_back = READ_SELF;
        if (set == 0)
                (void) outcome_set(&outcome, OUTCOME_INVALID_ARGUMENTS, "nothing is to be set");
        setting_submit(radio, &o->setting, &other_kind, &outcome);
}

/* -- tuning ---------------------------------------------------------------------------------- */

#define TUNING_LEVEL 7 /* can be read */

typedef struct TuningSetting {
        Setting setting;
        unsigned set;
        uint32_t rx_delay, airtime_factor; /* thousandths */
} TuningSetting;

static void tuning_write(TuningSetting *t) {
        if (command_set_tuning_params(&t->setting.command, t->rx_delay, t->airtime_factor) < 0)
                request_fail(&t->setting.request, OUTCOME_FAILED,
                             "the radio has a value now that is out of range; set both");
        else
                setting_write(&t->setting);
}

static void tuning_read(Request *request, const Frame *frame) {
        TuningSetting *t = (TuningSetting *) request;

        radio_update_tuning(request->radio, frame);
        if (!(t->set & RADIO_TUNING_RX_DELAY))
                t->rx_delay = setting_from_float(frame->tuning.rx_delay_x1000);
        if (!(t->set & RADIO_TUNING_AIRTIME_FACTOR))
                t->airtime_factor = setting_from_float(frame->tuning.airtime_factor_x1000);
        tuning_write(t);
}

static void tuning_start(Request *request, const Frame *frame) {
        TuningSetting *t = (TuningSetting *) request;
        bool can_read = request->radio->info.level >= TUNING_LEVEL;
        Command command;

        t->setting.read_back = can_read ? READ_TUNING : 0;
        if (t->set == (RADIO_TUNING_RX_DELAY | RADIO_TUNING_AIRTIME_FACTOR))
                tuning_write(t);
        else if (!can_read)
                request_fail(request, OUTCOME_NOT_SUPPORTED,
                             "this firmware does not tell what it has; give RxDelay and AirtimeFactor both");
        else {
                (void) command_get_tuning_params(&command);
                request_call(request, &command, tuning_read);
        }
}

static const RequestKind tuning_kind = {
                .what = "cannot set the tuning",
                .start = tuning_start,
                .done = setting_done,
};

void radio_set_tuning(Radio *radio, unsigned set, double rx_delay, double airtime_factor, radio_done_t done,
                      void *userdata) {
        TuningSetting *t = setting_new(sizeof(TuningSetting), done, userdata);
        g_auto(Outcome) outcome = {};

        t->set = set;
        if (set == 0)
                (void) outcome_set(&outcome, OUTCOME_INVALID_ARGUMENTS, "nothing is to be set");
        else if ((set & RADIO_TUNING_RX_DELAY) && !(rx_delay >= 0 && rx_delay <= 20))
                (void) outcome_set(&outcome, OUTCOME_INVALID_ARGUMENTS, "RxDelay is from 0 to 20");
        else if ((set & RADIO_TUNING_AIRTIME_FACTOR) && !(airtime_factor >= 0 && airtime_factor <= 9))
                (void) outcome_set(&outcome, OUTCOME_INVALID_ARGUMENTS, "AirtimeFactor is from 0 to 9");
        else {
                t->rx_delay = set & RADIO_TUNING_RX_DELAY ? (uint32_t) setting_round(rx_delay * 1000) : 0;
                t->airtime_factor = set & RADIO_TUNING_AIRTIME_FACTOR
                                                    ? (uint32_t) setting_round(airtime_factor * 1000)
                                                    : 0;
        }
        setting_submit(radio, &t->setting, &tuning_kind, &outcome);
}
