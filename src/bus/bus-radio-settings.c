/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "bus-internal.h"
#include "settings-api.h"

/* The part of the Radio interface that is about settings: what they are, and
 * the methods that change them. */

#define INFO_GETTER(name, type, value)                                \
        BUS_GETTER(name) {                                            \
                const BusRadio *self = userdata;                      \
                const RadioInfo *info = radio_info(self->radio);      \
                                                                      \
                return sd_bus_message_append(reply, (type), (value)); \
        }

static const char *mode_text(TelemetryMode mode) {
        return telemetry_mode_to_string(mode) ?: "unknown";
}

static double thousandths(const RadioInfo *info, uint32_t value) {
        return info->has_tuning ? value / 1000.0 : -1;
}

INFO_GETTER(path_hash_size, "y", info->path_hash_size)
INFO_GETTER(telemetry_base, "s", mode_text(info->telemetry_base))
INFO_GETTER(telemetry_location, "s", mode_text(info->telemetry_location))
INFO_GETTER(telemetry_environment, "s", mode_text(info->telemetry_environment))
INFO_GETTER(advert_location, "b", (int) info->advert_location)
INFO_GETTER(multi_acks, "b", (int) info->multi_acks)
INFO_GETTER(rx_delay, "d", thousandths(info, info->rx_delay_x1000))
INFO_GETTER(airtime_factor, "d", thousandths(info, info->airtime_factor_x1000))
INFO_GETTER(default_scope, "s", bus_text(info->default_scope ?: ""))

BUS_GETTER(repeat_frequencies) {
        const BusRadio *self = userdata;
        const RadioInfo *info = radio_info(self->radio);
        int r;

        r = sd_bus_message_open_container(reply, 'a', "(uu)");
        for (size_t i = 0; r >= 0 && i < info->n_repeat_ranges; i++)
                r = sd_bus_message_append(reply, "(uu)", info->repeat_ranges[i].low_hz,
                                          info->repeat_ranges[i].high_hz);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        return r;
}

/* -- single values ----------------------------------------------------------------- */

static int method_set_name(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        BusRadio *self = userdata;
        BusCaller *caller;
        const char *name;
        int r;

        r = bus_answer_later_read(self->bus, call, &caller, error, "s", &name);
        if (r > 0)
                radio_set_name(self->radio, name, bus_answer, caller);
        return r < 0 ? r : 1;
}

static int method_set_location(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        BusRadio *self = userdata;
        double latitude, longitude;
        BusCaller *caller;
        int r;

        r = bus_answer_later_read(self->bus, call, &caller, error, "dd", &latitude, &longitude);
        if (r > 0)
                radio_set_location(self->radio, latitude, longitude, bus_answer, caller);
        return r < 0 ? r : 1;
}

static int method_set_tx_power(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        BusRadio *self = userdata;
        BusCaller *caller;
        int32_t dbm;
        int r;

        r = bus_answer_later_read(self->bus, call, &caller, error, "i", &dbm);
        if (r > 0)
                radio_set_tx_power(self->radio, dbm, bus_answer, caller);
        return r < 0 ? r : 1;
}

static int method_set_path_hash_size(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        BusRadio *self = userdata;
        BusCaller *caller;
        uint8_t size;
        int r;

        r = bus_answer_later_read(self->bus, call, &caller, error, "y", &size);
        if (r > 0)
                radio_set_path_hash_size(self->radio, size, bus_answer, caller);
        return r < 0 ? r : 1;
}

static int method_set_device_pin(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        BusRadio *self = userdata;
        BusCaller *caller;
        uint32_t pin;
        int r;

        r = bus_answer_later_read(self->bus, call, &caller, error, "u", &pin);
        if (r > 0)
                radio_set_device_pin(self->radio, pin, bus_answer, caller);
        return r < 0 ? r : 1;
}

/* -- groups: a{sv} of what is to change ------------------------------------------------ */

static int method_set_radio_parameters(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        BusRadio *self = userdata;
        RadioParameters values = {};
        int repeat = false;
        /* In the order of RADIO_PARAMETER_…. */
        const BusOption options[] = {
                        {"FrequencyHz", "u", &values.frequency_hz},
                        {"BandwidthHz", "u", &values.bandwidth_hz},
                        {"SpreadingFactor", "y", &values.spreading_factor},
                        {"CodingRate", "y", &values.coding_rate},
                        {"ClientRepeat", "b", &repeat},
        };
        BusCaller *caller;
        unsigned set;
        int r;

        r = bus_read_options(call, options, ELEMENTSOF(options), error);
        if (r < 0)
                return r;
        set = (unsigned) r;
        r = bus_answer_later(self->bus, call, &caller, error);
        if (r <= 0)
                return r < 0 ? r : 1;

        values.client_repeat = repeat;
        radio_set_parameters(self->radio, set, &values, bus_answer, caller);
        return 1;
}

static int take_mode(const char *key, const char *text, TelemetryMode *ret, sd_bus_error *error) {
        TelemetryMode mode = text ? telemetry_mode_from_string(text) : TELEMETRY_DENY;

        if (mode < 0)
                return bus_error_set(error, OUTCOME_INVALID_ARGUMENTS,
                                     "%s is \"%s\" instead of deny, contact-flags or allow", key, text);
        *ret = mode;
        return 0;
}

static int method_set_other(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        BusRadio *self = userdata;
        const char *base = NULL, *location = NULL, *environment = NULL;
        int manual_add = false, advert_location = false, multi_acks = false;
        /* In the order of RADIO_OTHER_…. */
        const BusOption options[] = {
                        {"ManualAdd", "b", &manual_add},
                        {"TelemetryBase", "s", &base},
                        {"TelemetryLocation", "s", &location},
                        {"TelemetryEnvironment", "s", &environment},
                        {"AdvertLocation", "b", &advert_location},
                        {"MultiAcks", "b", &multi_acks},
        };
        g_autoptr(BusCaller) caller = NULL;
        RadioOther values = {};
        unsigned set;
        int r;

        r = bus_read_options(call, options, ELEMENTSOF(options), error);
        if (r < 0)
                return r;
        set = (unsigned) r;
        r = bus_answer_later(self->bus, call, &caller, error);
        if (r <= 0)
                return r < 0 ? r : 1;

        r = take_mode("TelemetryBase", base, &values.telemetry_base, error);
        if (r >= 0)
                r = take_mode("TelemetryLocation", location, &values.telemetry_location, error);
        if (r >= 0)
                r = take_mode("TelemetryEnvironment", environment, &values.telemetry_environment, error);
        if (r < 0)
                return r;

        values.manual_add = manual_add;
        values.advert_location = advert_location;
        values.multi_acks = multi_acks;
        radio_set_other(self->radio, set, &values, bus_answer, g_steal_pointer(&caller));
        return 1;
}

static int method_set_tuning(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        BusRadio *self = userdata;
        double rx_delay = 0, airtime_factor = 0;
        /* In the order of RADIO_TUNING_…. */
        const BusOption options[] = {
                        {"RxDelay", "d", &rx_delay},
                        {"AirtimeFactor", "d", &airtime_factor},
        };
        BusCaller *caller;
        unsigned set;
        int r;

        r = bus_read_options(call, options, ELEMENTSOF(options), error);
        if (r < 0)
                return r;
        set = (unsigned) r;
        r = bus_answer_later(self->bus, call, &caller, error);
        if (r > 0)
                radio_set_tuning(self->radio, set, rx_delay, airtime_factor, bus_answer, caller);
        return r < 0 ? r : 1;
}

/* -- flood scope ------------------------------------------------------------------------- */

static int read_bytes(sd_bus_message *m, const char *signature, void *ret, sd_bus_error *error) {
        Slice *bytes = ret;
        const void *data;
        int r;

        r = sd_bus_message_read_array(m, 'y', &data, &bytes->size);
        if (r < 0)
                return bus_error_arguments(error, r);
        bytes->data = data;
        return 0;
}

static int method_set_flood_scope(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        BusRadio *self = userdata;
        int is_default = false;
        Slice key = {};
        const BusOption options[] = {
                        {"Default", "b", &is_default},
                        {"Key", "ay", &key, read_bytes},
        };
        g_autoptr(BusCaller) caller = NULL;
        RadioScope scope = {};
        bool with_key;
        int r;

        r = sd_bus_message_read(call, "s", &scope.name);
        if (r < 0)
                return bus_error_arguments(error, r);
        r = bus_read_options(call, options, ELEMENTSOF(options), error);
        if (r < 0)
                return r;
        with_key = r & 2;
        r = bus_answer_later(self->bus, call, &caller, error);
        if (r <= 0)
                return r < 0 ? r : 1;
        if (with_key && key.size != RADIO_SCOPE_KEY)
                return bus_error_set(error, OUTCOME_INVALID_ARGUMENTS, "Key has %zu bytes instead of %i",
                                     key.size, RADIO_SCOPE_KEY);

        scope.is_default = is_default;
        scope.key = with_key ? key.data : NULL;
        radio_set_flood_scope(self->radio, &scope, bus_answer, g_steal_pointer(&caller));
        return 1;
}

/* -- custom variables ----------------------------------------------------------------------- */

static void variables_done(Radio *radio, const Outcome *outcome, const RadioVariable *variables, size_t n,
                           void *userdata) {
        g_autoptr(sd_bus_message) reply = NULL;
        g_autoptr(BusCaller) caller = userdata;
        int r;

        r = bus_answer_new(caller, outcome, &reply);
        if (r <= 0)
                return;

        r = sd_bus_message_open_container(reply, 'a', "{ss}");
        for (size_t i = 0; r >= 0 && i < n; i++)
                r = sd_bus_message_append(reply, "{ss}", bus_text(variables[i].name),
                                          bus_text(variables[i].value));
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        bus_answer_send(reply, r);
}

static int method_get_variables(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        BusRadio *self = userdata;
        BusCaller *caller;
        int r;

        r = bus_answer_later(self->bus, call, &caller, error);
        if (r > 0)
                radio_get_variables(self->radio, variables_done, caller);
        return r < 0 ? r : 1;
}

static int method_set_variable(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        BusRadio *self = userdata;
        const char *name, *value;
        BusCaller *caller;
        int r;

        r = bus_answer_later_read(self->bus, call, &caller, error, "ss", &name, &value);
        if (r > 0)
                radio_set_variable(self->radio, name, value, bus_answer, caller);
        return r < 0 ? r : 1;
}

/* -- clock ------------------------------------------------------------------------------------- */

static void sync_time_done(Radio *radio, const Outcome *outcome, bool set, void *userdata) {
        g_autoptr(sd_bus_message) reply = NULL;
        g_autoptr(BusCaller) caller = userdata;
        int r;

        r = bus_answer_new(caller, outcome, &reply);
        if (r > 0)
                bus_answer_send(reply, sd_bus_message_append(reply, "s", set ? "set" : "radio-ahead"));
}

static int method_sync_time(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        BusRadio *self = userdata;
        BusCaller *caller;
        int r;

        r = bus_answer_later(self->bus, call, &caller, error);
        if (r > 0)
                radio_sync_time(self->radio, sync_time_done, caller);
        return r < 0 ? r : 1;
}

#define CHANGES(name, type, getter) BUS_PROPERTY(name, type, getter, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE)

const sd_bus_vtable bus_radio_settings_vtable[] = {
                SD_BUS_VTABLE_START(0),
                CHANGES("PathHashSize", "y", path_hash_size),
                CHANGES("TelemetryBase", "s", telemetry_base),
                CHANGES("TelemetryLocation", "s", telemetry_location),
                CHANGES("TelemetryEnvironment", "s", telemetry_environment),
                CHANGES("AdvertLocation", "b", advert_location),
                CHANGES("MultiAcks", "b", multi_acks),
                CHANGES("RxDelay", "d", rx_delay),
                CHANGES("AirtimeFactor", "d", airtime_factor),
                CHANGES("DefaultFloodScope", "s", default_scope),
                CHANGES("AllowedRepeatFrequencies", "a(uu)", repeat_frequencies),
                SD_BUS_METHOD_WITH_ARGS("SetName", SD_BUS_ARGS("s", name), SD_BUS_NO_RESULT, method_set_name,
                                        SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_METHOD_WITH_ARGS("SetLocation", SD_BUS_ARGS("d", latitude, "d", longitude),
                                        SD_BUS_NO_RESULT, method_set_location, SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_METHOD_WITH_ARGS("SetRadioParameters", SD_BUS_ARGS("a{sv}", parameters),
                                        SD_BUS_NO_RESULT, method_set_radio_parameters,
                                        SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_METHOD_WITH_ARGS("SetTxPower", SD_BUS_ARGS("i", dbm), SD_BUS_NO_RESULT,
                                        method_set_tx_power, SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_METHOD_WITH_ARGS("SetOther", SD_BUS_ARGS("a{sv}", parameters), SD_BUS_NO_RESULT,
                                        method_set_other, SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_METHOD_WITH_ARGS("SetTuning", SD_BUS_ARGS("a{sv}", parameters), SD_BUS_NO_RESULT,
                                        method_set_tuning, SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_METHOD_WITH_ARGS("SetPathHashSize", SD_BUS_ARGS("y", size), SD_BUS_NO_RESULT,
                                        method_set_path_hash_size, SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_METHOD_WITH_ARGS("SetFloodScope", SD_BUS_ARGS("s", scope, "a{sv}", options),
                                        SD_BUS_NO_RESULT, method_set_flood_scope,
                                        SD_BUS_VTABLE_UNPRIVILEGED | SD_BUS_VTABLE_SENSITIVE),
                SD_BUS_METHOD_WITH_ARGS("SetDevicePin", SD_BUS_ARGS("u", pin), SD_BUS_NO_RESULT,
                                        method_set_device_pin,
                                        SD_BUS_VTABLE_UNPRIVILEGED | SD_BUS_VTABLE_SENSITIVE),
                SD_BUS_METHOD_WITH_ARGS("GetVariables", SD_BUS_NO_ARGS, SD_BUS_RESULT("a{ss}", variables),
                                        method_get_variables, SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_METHOD_WITH_ARGS("SetVariable", SD_BUS_ARGS("s", name, "s", value), SD_BUS_NO_RESULT,
                                        method_set_variable, SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_METHOD_WITH_ARGS("SyncTime", SD_BUS_NO_ARGS, SD_BUS_RESULT("s", result),
                                        method_sync_time, SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_VTABLE_END,
};
