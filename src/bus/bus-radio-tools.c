/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "bus-internal.h"
#include "settings-api.h"
#include "telemetry.h"

/* The part of the Radio interface that does something or asks for something:
 * restarts, adverts, statistics, telemetry, keys. */

/* -- air time ---------------------------------------------------------------------------- */

#define AIRTIME_GETTER(name, type, field)                                      \
        BUS_GETTER(name) {                                                     \
                RadioAirtime airtime;                                          \
                                                                               \
                radio_airtime(((const BusRadio *) userdata)->radio, &airtime); \
                return sd_bus_message_append(reply, type, airtime.field);      \
        }

AIRTIME_GETTER(airtime_budget, "t", budget_usec)
AIRTIME_GETTER(airtime_used, "t", used_usec)
AIRTIME_GETTER(airtime_refill, "d", refill)
AIRTIME_GETTER(airtime_next, "t", next_usec)

/* -- adverts and restarts -------------------------------------------------------------- */

static int method_advertise(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        BusRadio *self = userdata;
        int flood = false;
        const BusOption options[] = {{"Flood", "b", &flood}};
        BusCaller *caller;
        int r;

        r = bus_read_options(call, options, ELEMENTSOF(options), error);
        if (r < 0)
                return r;
        r = bus_answer_later(self->bus, call, &caller, error);
        if (r > 0)
                radio_advertise(self->radio, flood, bus_answer, caller);
        return r < 0 ? r : 1;
}

static int method_reboot(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        BusRadio *self = userdata;
        BusCaller *caller;
        int r;

        r = bus_answer_later(self->bus, call, &caller, error);
        if (r > 0)
                radio_reboot(self->radio, bus_answer, caller);
        return r < 0 ? r : 1;
}

static void reset_done(Radio *radio, const Outcome *outcome, void *userdata) {
        g_autoptr(sd_bus_message) reply = NULL;
        g_autoptr(BusCaller) caller = userdata;
        int r;

        r = bus_answer_new(caller, outcome, &reply);
        if (r > 0)
                bus_answer_send(reply, sd_bus_message_append(reply, "s", ""));
}

static int method_factory_reset(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        BusRadio *self = userdata;
        g_autoptr(BusCaller) caller = NULL;
        g_auto(Outcome) outcome = {};
        g_autofree char *token = NULL;
        const char *confirm;
        int r;

        r = bus_answer_later_read(self->bus, call, &caller, error, "s", &confirm);
        if (r <= 0)
                return r < 0 ? r : 1;

        if (*confirm) {
                radio_factory_reset(self->radio, confirm, reset_done, g_steal_pointer(&caller));
                return 1;
        }
        if (radio_prepare_factory_reset(self->radio, &token, &outcome) != OUTCOME_OK)
                return bus_error_outcome(error, &outcome);
        return sd_bus_reply_method_return(call, "s", token);
}

/* -- statistics --------------------------------------------------------------------------- */

static int append_core(sd_bus_message *m, const RadioStats *stats) {
        static const struct {
                uint16_t bit;
                const char *name;
        } errors[] = {
                        {RADIO_ERROR_POOL_FULL, "pool-full"},
                        {RADIO_ERROR_CAD_TIMEOUT, "cad-timeout"},
                        {RADIO_ERROR_RX_TIMEOUT, "rx-start-timeout"},
        };
        int r;

        r = bus_append_entry(m, "BatteryMillivolts", "q", (unsigned) stats->core.battery_mv);
        if (r >= 0)
                r = bus_append_entry(m, "UptimeUSec", "t", stats->core.uptime_s * USEC_PER_SEC);
        if (r >= 0)
                r = bus_append_entry(m, "QueueLength", "u", (uint32_t) stats->core.queue_length);
        if (r >= 0)
                r = bus_append_entry(m, "ErrorFlags", "u", (uint32_t) stats->core.errors);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'e', "sv");
        if (r >= 0)
                r = sd_bus_message_append_basic(m, 's', "Errors");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'v', "as");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "s");
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(errors); i++)
                if (stats->core.errors & errors[i].bit)
                        r = sd_bus_message_append_basic(m, 's', errors[i].name);
        for (unsigned i = 0; r >= 0 && i < 3; i++)
                r = sd_bus_message_close_container(m);
        return r;
}

static int append_radio(sd_bus_message *m, const RadioStats *stats) {
        int r;

        r = bus_append_entry(m, "NoiseFloor", "i", stats->radio.noise_floor);
        if (r >= 0)
                r = bus_append_entry(m, "LastRssi", "i", stats->radio.last_rssi);
        if (r >= 0)
                r = bus_append_entry(m, "LastSnr", "d", stats->radio.last_snr);
        if (r >= 0)
                r = bus_append_entry(m, "TxAirtimeUSec", "t", stats->radio.tx_air_s * USEC_PER_SEC);
        if (r >= 0)
                r = bus_append_entry(m, "RxAirtimeUSec", "t", stats->radio.rx_air_s * USEC_PER_SEC);
        return r;
}

static int append_packets(sd_bus_message *m, const RadioStats *stats) {
        const struct {
                const char *name;
                uint32_t value;
        } table[] = {
                        {"Received", stats->packets.received},
                        {"Sent", stats->packets.sent},
                        {"SentFlood", stats->packets.sent_flood},
                        {"SentDirect", stats->packets.sent_direct},
                        {"ReceivedFlood", stats->packets.received_flood},
                        {"ReceivedDirect", stats->packets.received_direct},
        };
        int r = 0;

        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(table); i++)
                r = bus_append_entry(m, table[i].name, "u", table[i].value);
        if (r >= 0 && stats->packets.has_errors)
                r = bus_append_entry(m, "ReceiveErrors", "u", stats->packets.errors);
        return r;
}

static void stats_done(Radio *radio, const Outcome *outcome, const RadioStats *stats, void *userdata) {
        static int (*const append[_RADIO_STATS_KIND_MAX])(sd_bus_message *, const RadioStats *) = {
                        [RADIO_STATS_CORE] = append_core,
                        [RADIO_STATS_RADIO] = append_radio,
                        [RADIO_STATS_PACKETS] = append_packets,
        };
        g_autoptr(sd_bus_message) reply = NULL;
        g_autoptr(BusCaller) caller = userdata;
        int r;

        r = bus_answer_new(caller, outcome, &reply);
        if (r <= 0)
                return;

        r = sd_bus_message_open_container(reply, 'a', "{sv}");
        if (r >= 0)
                r = append[stats->kind](reply, stats);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        bus_answer_send(reply, r);
}

static int method_get_stats(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        BusRadio *self = userdata;
        g_autoptr(BusCaller) caller = NULL;
        RadioStatsKind kind;
        const char *text;
        int r;

        r = bus_answer_later_read(self->bus, call, &caller, error, "s", &text);
        if (r <= 0)
                return r < 0 ? r : 1;
        kind = radio_stats_kind_from_string(text);
        if (kind < 0)
                return bus_error_set(error, OUTCOME_INVALID_ARGUMENTS,
                                     "There are statistics of core, radio and packets, not of \"%s\"", text);

        radio_get_stats(self->radio, kind, stats_done, g_steal_pointer(&caller));
        return 1;
}

/* -- telemetry --------------------------------------------------------------------------------- */

static int append_bytes(sd_bus_message *m, const char *name, Slice bytes) {
        int r;

        r = sd_bus_message_open_container(m, 'e', "sv");
        if (r >= 0)
                r = sd_bus_message_append_basic(m, 's', name);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'v', "ay");
        if (r >= 0)
                r = sd_bus_message_append_array(m, 'y', bytes.data, bytes.size);
        for (unsigned i = 0; r >= 0 && i < 2; i++)
                r = sd_bus_message_close_container(m);
        return r;
}

static int append_value(sd_bus_message *m, const TelemetryValue *value) {
        char unknown[] = "type 255";
        int r;

        (void) g_snprintf(unknown, sizeof(unknown), "type %u", value->type);
        r = sd_bus_message_open_container(m, 'a', "{sv}");
        if (r >= 0)
                r = bus_append_entry(m, "Channel", "u", (uint32_t) value->channel);
        if (r >= 0)
                r = bus_append_entry(m, "Quantity", "s", value->quantity ?: unknown);
        if (r >= 0)
                r = bus_append_entry(m, "Unit", "s", value->unit);
        if (r >= 0 && value->component)
                r = bus_append_entry(m, "Component", "s", value->component);
        if (r >= 0)
                r = value->data.data ? append_bytes(m, "Data", value->data)
                                     : bus_append_entry(m, "Value", "d", value->value);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r;
}

static void telemetry_done(Radio *radio, const Outcome *outcome, const TelemetryValue *values, size_t n,
                           void *userdata) {
        g_autoptr(sd_bus_message) reply = NULL;
        g_autoptr(BusCaller) caller = userdata;
        int r;

        r = bus_answer_new(caller, outcome, &reply);
        if (r <= 0)
                return;

        r = sd_bus_message_open_container(reply, 'a', "a{sv}");
        for (size_t i = 0; r >= 0 && i < n; i++)
                r = append_value(reply, values + i);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        bus_answer_send(reply, r);
}

static int method_get_telemetry(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        BusRadio *self = userdata;
        BusCaller *caller;
        int r;

        r = bus_answer_later(self->bus, call, &caller, error);
        if (r > 0)
                radio_get_telemetry(self->radio, telemetry_done, caller);
        return r < 0 ? r : 1;
}

/* -- keys ------------------------------------------------------------------------------------------ */

static void answer_bytes(const Outcome *outcome, Slice bytes, BusCaller *taken, bool sensitive) {
        g_autoptr(sd_bus_message) reply = NULL;
        g_autoptr(BusCaller) caller = taken;
        int r;

        r = bus_answer_new(caller, outcome, &reply);
        if (r <= 0)
                return;

        r = sensitive ? sd_bus_message_sensitive(reply) : 0;
        if (r >= 0)
                r = sd_bus_message_append_array(reply, 'y', bytes.data, bytes.size);
        bus_answer_send(reply, r);
}

static void sign_done(Radio *radio, const Outcome *outcome, Slice bytes, void *userdata) {
        answer_bytes(outcome, bytes, userdata, false);
}

static void export_key_done(Radio *radio, const Outcome *outcome, Slice bytes, void *userdata) {
        answer_bytes(outcome, bytes, userdata, true);
}

/* As bus_answer_later(), for a method that takes bytes, which live as long as the call. */
static int begin_with_bytes(BusRadio *self, sd_bus_message *call, Slice *ret, BusCaller **ret_caller,
                            sd_bus_error *error) {
        const void *data;
        size_t size;
        int r;

        r = sd_bus_message_read_array(call, 'y', &data, &size);
        if (r < 0)
                return bus_error_arguments(error, r);

        *ret = (Slice){data, size};
        return bus_answer_later(self->bus, call, ret_caller, error);
}

static int method_sign(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        BusRadio *self = userdata;
        BusCaller *caller;
        Slice data;
        int r;

        r = begin_with_bytes(self, call, &data, &caller, error);
        if (r > 0)
                radio_sign(self->radio, data, sign_done, caller);
        return r < 0 ? r : 1;
}

static int method_export_key(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        BusRadio *self = userdata;
        BusCaller *caller;
        int r;

        r = bus_answer_later(self->bus, call, &caller, error);
        if (r > 0)
                radio_export_key(self->radio, export_key_done, caller);
        return r < 0 ? r : 1;
}

static int method_import_key(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        BusRadio *self = userdata;
        BusCaller *caller;
        Slice key;
        int r;

        r = begin_with_bytes(self, call, &key, &caller, error);
        if (r > 0)
                radio_import_key(self->radio, key, bus_answer, caller);
        return r < 0 ? r : 1;
}

const sd_bus_vtable bus_radio_tools_vtable[] = {
                SD_BUS_VTABLE_START(0),
                /* They change as time goes by, which is nobody's signal. */
                BUS_PROPERTY("AirtimeBudgetUSec", "t", airtime_budget, 0),
                BUS_PROPERTY("AirtimeUsedUSec", "t", airtime_used, 0),
                BUS_PROPERTY("AirtimeRefill", "d", airtime_refill, 0),
                BUS_PROPERTY("AirtimeNextUSec", "t", airtime_next, 0),
                SD_BUS_METHOD_WITH_ARGS("Advertise", SD_BUS_ARGS("a{sv}", options), SD_BUS_NO_RESULT,
                                        method_advertise, SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_METHOD_WITH_ARGS("Reboot", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method_reboot,
                                        SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_METHOD_WITH_ARGS("FactoryReset", SD_BUS_ARGS("s", confirm), SD_BUS_RESULT("s", token),
                                        method_factory_reset, SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_METHOD_WITH_ARGS("GetStats", SD_BUS_ARGS("s", kind), SD_BUS_RESULT("a{sv}", stats),
                                        method_get_stats, SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_METHOD_WITH_ARGS("GetTelemetry", SD_BUS_NO_ARGS, SD_BUS_RESULT("aa{sv}", values),
                                        method_get_telemetry, SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_METHOD_WITH_ARGS("Sign", SD_BUS_ARGS("ay", data), SD_BUS_RESULT("ay", signature),
                                        method_sign, SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_METHOD_WITH_ARGS("ExportKey", SD_BUS_NO_ARGS, SD_BUS_RESULT("ay", key),
                                        method_export_key,
                                        SD_BUS_VTABLE_UNPRIVILEGED | SD_BUS_VTABLE_SENSITIVE),
                SD_BUS_METHOD_WITH_ARGS("ImportKey", SD_BUS_ARGS("ay", key), SD_BUS_NO_RESULT,
                                        method_import_key,
                                        SD_BUS_VTABLE_UNPRIVILEGED | SD_BUS_VTABLE_SENSITIVE),
                SD_BUS_VTABLE_END,
};
