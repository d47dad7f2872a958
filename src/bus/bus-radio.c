/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "bus-internal.h"
#include "log.h"

/* -- properties ----------------------------------------------------------- */

/* A field of RadioInfo, or another expression over the BusRadio self and its info. */
#define INFO_GETTER(name, type, expression)                            \
        BUS_GETTER(name) {                                             \
                const BusRadio *self = userdata;                       \
                const RadioInfo *info = radio_info(self->radio);       \
                                                                       \
                return sd_bus_message_append(reply, type, expression); \
        }

BUS_GETTER(id) {
        const BusRadio *self = userdata;

        return sd_bus_message_append(reply, "s", radio_id(self->radio));
}

BUS_GETTER(transport) {
        const BusRadio *self = userdata;

        return sd_bus_message_append(reply, "s", transport_to_string(radio_settings(self->radio)->transport));
}

BUS_GETTER(address) {
        const BusRadio *self = userdata;
        const RadioSettings *settings = radio_settings(self->radio);
        const char *address = settings->address ?: "";
        g_autofree char *text = NULL;

        if (settings->transport == TRANSPORT_TCP)
                text = g_strdup_printf(strchr(address, ':') ? "[%s]:%u" : "%s:%u", address, settings->port);
        return sd_bus_message_append(reply, "s", bus_text(text ?: address));
}

BUS_GETTER(state) {
        const BusRadio *self = userdata;

        return sd_bus_message_append(reply, "s", radio_state_to_string(radio_state(self->radio)));
}

BUS_GETTER(reason) {
        const BusRadio *self = userdata;

        return sd_bus_message_append(reply, "s", radio_reason_to_string(radio_reason(self->radio)));
}

BUS_GETTER(last_error) {
        const BusRadio *self = userdata;
        OutcomeCode code = radio_last_error(self->radio, NULL);

        return sd_bus_message_append(reply, "s", code == OUTCOME_OK ? "" : bus_error_name(code));
}

BUS_GETTER(last_error_message) {
        const BusRadio *self = userdata;
        const char *message = NULL;

        (void) radio_last_error(self->radio, &message);
        return sd_bus_message_append(reply, "s", bus_text(message ?: ""));
}

BUS_GETTER(public_key) {
        const BusRadio *self = userdata;

        return sd_bus_message_append(reply, "s",
                                     self->identity ? key_to_text(identity_key(self->identity)).text : "");
}

/* Open-circuit voltage of a lithium cell in steps of five per cent, from empty to
 * full. */
static unsigned battery_percent(unsigned millivolts) {
        static const unsigned table[] = {3270, 3610, 3690, 3710, 3730, 3750, 3770, 3790, 3800, 3820, 3840,
                                         3850, 3870, 3910, 3950, 3980, 4020, 4080, 4110, 4150, 4200};

        if (millivolts == 0)
                return UINT8_MAX;
        if (millivolts <= table[0])
                return 0;
        for (unsigned i = 1; i < ELEMENTSOF(table); i++)
                if (millivolts < table[i])
                        return 5 * (i - 1) + 5 * (millivolts - table[i - 1]) / (table[i] - table[i - 1]);
        return 100;
}

INFO_GETTER(name, "s", bus_text(info->name))
INFO_GETTER(model, "s", bus_text(info->model))
INFO_GETTER(firmware, "s", bus_text(info->firmware))
INFO_GETTER(protocol_version, "u", (uint32_t) info->level)
INFO_GETTER(frequency, "u", info->frequency_hz)
INFO_GETTER(bandwidth, "u", info->bandwidth_hz)
INFO_GETTER(spreading_factor, "y", info->spreading_factor)
INFO_GETTER(coding_rate, "y", info->coding_rate)
INFO_GETTER(client_repeat, "b", (int) info->client_repeat)
INFO_GETTER(tx_power, "i", info->tx_power)
INFO_GETTER(max_tx_power, "i", info->max_tx_power)
INFO_GETTER(battery_mv, "q", info->battery_mv)
INFO_GETTER(battery_percent, "y", battery_percent(info->battery_mv))
INFO_GETTER(storage_used, "u", info->storage_used_kb)
INFO_GETTER(storage_total, "u", info->storage_total_kb)
INFO_GETTER(clock_skew, "x", info->clock_skew_usec)
INFO_GETTER(max_text, "u", info->max_text_bytes)
INFO_GETTER(round_trip, "t", info->round_trip_usec)

BUS_GETTER(port) {
        const BusRadio *self = userdata;

        return sd_bus_message_append(reply, "s", bus_text(radio_port(self->radio) ?: ""));
}

BUS_GETTER(sync_done) {
        const BusRadio *self = userdata;
        unsigned done, total;

        radio_sync_progress(self->radio, &done, &total);
        return sd_bus_message_append(reply, "u", done);
}

BUS_GETTER(sync_total) {
        const BusRadio *self = userdata;
        unsigned done, total;

        radio_sync_progress(self->radio, &done, &total);
        return sd_bus_message_append(reply, "u", total);
}

BUS_GETTER(location) {
        const BusRadio *self = userdata;
        const RadioInfo *info = radio_info(self->radio);

        return sd_bus_message_append(reply, "(dd)", info->lat_e6 / 1e6, info->lon_e6 / 1e6);
}

/* -- changes and signals -------------------------------------------------- */

void bus_queue_radio(BusRadio *self, RadioChange what) {
        static const struct {
                RadioChange what;
                const char *interface, *property;
        } table[] = {
                        {RADIO_CHANGED_STATE, BUS_RADIO, "State"},
                        {RADIO_CHANGED_STATE, BUS_RADIO, "Reason"},
                        {RADIO_CHANGED_STATE, BUS_RADIO, "LastError"},
                        {RADIO_CHANGED_STATE, BUS_RADIO, "LastErrorMessage"},
                        {RADIO_CHANGED_STATE, BUS_RADIO, "Port"},
                        {RADIO_CHANGED_IDENTITY, BUS_RADIO, "PublicKey"},
                        {RADIO_CHANGED_NAME, BUS_RADIO, "Name"},
                        {RADIO_CHANGED_DEVICE, BUS_RADIO, "Model"},
                        {RADIO_CHANGED_DEVICE, BUS_RADIO, "Firmware"},
                        {RADIO_CHANGED_DEVICE, BUS_RADIO, "ProtocolVersion"},
                        {RADIO_CHANGED_DEVICE, BUS_RADIO, "MaxTextBytes"},
                        {RADIO_CHANGED_ROUND_TRIP, BUS_RADIO, "RoundTripUSec"},
                        {RADIO_CHANGED_DEVICE, BUS_CONTACTS, "Capacity"},
                        {RADIO_CHANGED_DEVICE, BUS_CHANNELS, "Capacity"},
                        {RADIO_CHANGED_PARAMETERS, BUS_RADIO, "FrequencyHz"},
                        {RADIO_CHANGED_PARAMETERS, BUS_RADIO, "BandwidthHz"},
                        {RADIO_CHANGED_PARAMETERS, BUS_RADIO, "SpreadingFactor"},
                        {RADIO_CHANGED_PARAMETERS, BUS_RADIO, "CodingRate"},
                        {RADIO_CHANGED_PARAMETERS, BUS_RADIO, "ClientRepeat"},
                        {RADIO_CHANGED_POWER, BUS_RADIO, "TxPower"},
                        {RADIO_CHANGED_POWER, BUS_RADIO, "MaxTxPower"},
                        {RADIO_CHANGED_LOCATION, BUS_RADIO, "Location"},
                        {RADIO_CHANGED_BATTERY, BUS_RADIO, "BatteryMillivolts"},
                        {RADIO_CHANGED_BATTERY, BUS_RADIO, "BatteryPercent"},
                        {RADIO_CHANGED_STORAGE, BUS_RADIO, "StorageUsedKB"},
                        {RADIO_CHANGED_STORAGE, BUS_RADIO, "StorageTotalKB"},
                        {RADIO_CHANGED_CLOCK, BUS_RADIO, "ClockSkewUSec"},
                        {RADIO_CHANGED_AUTO_ADD, BUS_CONTACTS, "AutoAdd"},
                        {RADIO_CHANGED_OTHER, BUS_RADIO, "TelemetryBase"},
                        {RADIO_CHANGED_OTHER, BUS_RADIO, "TelemetryLocation"},
                        {RADIO_CHANGED_OTHER, BUS_RADIO, "TelemetryEnvironment"},
                        {RADIO_CHANGED_OTHER, BUS_RADIO, "AdvertLocation"},
                        {RADIO_CHANGED_OTHER, BUS_RADIO, "MultiAcks"},
                        {RADIO_CHANGED_PATH_HASH, BUS_RADIO, "PathHashSize"},
                        {RADIO_CHANGED_TUNING, BUS_RADIO, "RxDelay"},
                        {RADIO_CHANGED_TUNING, BUS_RADIO, "AirtimeFactor"},
                        {RADIO_CHANGED_SCOPE, BUS_RADIO, "DefaultFloodScope"},
                        {RADIO_CHANGED_REPEAT, BUS_RADIO, "AllowedRepeatFrequencies"},
                        {RADIO_CHANGED_SYNC, BUS_RADIO, "SyncDone"},
                        {RADIO_CHANGED_SYNC, BUS_RADIO, "SyncTotal"},
                        {RADIO_CHANGED_BOND, BUS_PAIRING, "BondState"},
                        {RADIO_CHANGED_BOND, BUS_PAIRING, "Reason"},
                        {RADIO_CHANGED_BOND, BUS_PAIRING, "LastVerifiedUSec"},
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++)
                if (what & table[i].what)
                        bus_queue_changed(self->bus, self->path, table[i].interface, table[i].property);

        /* The radio's name goes out with every channel text. */
        if (what & (RADIO_CHANGED_NAME | RADIO_CHANGED_DEVICE))
                for (unsigned slot = 0; slot < IDENTITY_SLOTS_MAX; slot++) {
                        Channel *channel = bus_radio_get_channel(self, slot);
                        g_autofree char *path = NULL;

                        if (!channel)
                                continue;
                        path = bus_path_channel(self, channel);
                        bus_queue_changed(self->bus, path, BUS_CHANNEL, "MaxTextBytes");
                }
}

void bus_emit_state_changed(BusRadio *self, RadioState from, RadioState to, RadioReason reason) {
        sd_bus_message *signal = bus_signal_new(self->bus, self->path, BUS_RADIO, "StateChanged");
        const char *message = NULL;
        OutcomeCode code = radio_last_error(self->radio, &message);
        int r;

        if (!signal)
                return;

        r = sd_bus_message_append(signal, "sss", radio_state_to_string(from), radio_state_to_string(to),
                                  radio_reason_to_string(reason));
        if (r >= 0)
                r = sd_bus_message_open_container(signal, 'a', "{sv}");
        if (r >= 0)
                r = bus_append_entry(signal, "Attempts", "u", radio_attempts(self->radio));
        if (r >= 0 && code != OUTCOME_OK)
                r = bus_append_entry(signal, "Error", "s", bus_error_name(code));
        if (r >= 0 && code != OUTCOME_OK)
                r = bus_append_entry(signal, "Message", "s", bus_text(message ?: ""));
        if (r >= 0)
                r = sd_bus_message_close_container(signal);
        bus_signal_send(self->bus, signal, r);
}

void bus_emit_identity_changed(BusRadio *self, const PublicKey *from, const PublicKey *to) {
        sd_bus_message *signal = bus_signal_new(self->bus, self->path, BUS_RADIO, "IdentityChanged");
        KeyText from_text = {}, to_text = {};

        if (!signal)
                return;

        if (from)
                from_text = key_to_text(from);
        if (to)
                to_text = key_to_text(to);
        bus_signal_send(self->bus, signal, sd_bus_message_append(signal, "ss", from_text.text, to_text.text));
}

/* -- methods -------------------------------------------------------------- */

static int method_start(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        BusRadio *self = userdata;
        int r;

        r = bus_authorize(self->bus, call, error);
        if (r <= 0)
                return r < 0 ? r : 1;

        radio_start(self->radio);
        return sd_bus_reply_method_return(call, NULL);
}

static int method_stop(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        BusRadio *self = userdata;
        int r;

        r = bus_authorize(self->bus, call, error);
        if (r <= 0)
                return r < 0 ? r : 1;

        radio_stop(self->radio);
        return sd_bus_reply_method_return(call, NULL);
}

static void ping_done(Radio *radio, const Outcome *outcome, uint64_t round_trip_usec, void *userdata) {
        g_autoptr(BusCaller) caller = userdata;
        sd_bus_message *call = bus_caller_call(caller);
        int r;

        if (!call)
                return;

        if (outcome->code != OUTCOME_OK) {
                bus_reply_outcome(call, outcome);
                return;
        }

        r = sd_bus_reply_method_return(call, "t", round_trip_usec);
        if (r < 0)
                (void) log_debug_errno(r, "Cannot answer a caller, ignoring");
}

static int method_ping(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        BusRadio *self = userdata;
        BusCaller *caller;
        int r;

        r = bus_authorize(self->bus, call, error);
        if (r <= 0)
                return r < 0 ? r : 1;

        r = bus_caller_new(self->bus, call, &caller, error);
        if (r < 0)
                return r;

        radio_ping(self->radio, ping_done, caller);
        return 1; /* answered later */
}

static int find_path(BusRadio *self, const char *path, Recipient *ret, sd_bus_error *error) {
        Recipient to = {};
        PublicKey key;
        unsigned slot;

        if (self->identity && bus_path_parse_contact(self, path, &key) >= 0)
                to.contact = identity_get_contact(self->identity, &key);
        else if (bus_path_parse_channel(self, path, &slot) >= 0)
                to.channel = bus_radio_get_channel(self, slot);
        if (!to.contact && !to.channel)
                return bus_error_set(error, OUTCOME_NOT_FOUND, "%s is no contact or channel of this radio",
                                     path);

        *ret = to;
        return 0;
}

static int method_inhibit(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        BusRadio *self = userdata;
        const char *why;
        int r;

        r = sd_bus_message_read(call, "s", &why);
        if (r < 0)
                return bus_error_arguments(error, r);
        r = bus_authorize(self->bus, call, error);
        if (r <= 0)
                return r < 0 ? r : 1;

        return bus_inhibit(self, call, why, error);
}

static int method_send_text(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        BusRadio *self = userdata;
        g_auto(Outcome) outcome = {};
        const char *recipient, *text;
        Recipient to = {};
        BusSend send;
        int r;

        r = sd_bus_message_read(call, "ss", &recipient, &text);
        if (r < 0)
                return bus_error_arguments(error, r);
        r = bus_send_begin(self->bus, &send, call, error);
        if (r <= 0)
                return r < 0 ? r : 1;

        if (recipient[0] == '/') {
                r = find_path(self, recipient, &to, error);
                if (r < 0)
                        return r;
        } else if (radio_find_recipient(self->radio, recipient, &to, &outcome) != OUTCOME_OK)
                return bus_error_outcome(error, &outcome);

        send.text = text;
        return bus_send_finish(&send, self, &to, call, error);
}

#define CHANGES(name, type, getter) BUS_PROPERTY(name, type, getter, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE)

const sd_bus_vtable bus_radio_vtable[] = {
                SD_BUS_VTABLE_START(0),
                BUS_PROPERTY("Id", "s", id, SD_BUS_VTABLE_PROPERTY_CONST),
                CHANGES("Transport", "s", transport),
                CHANGES("Address", "s", address),
                CHANGES("Port", "s", port),
                CHANGES("State", "s", state),
                CHANGES("Reason", "s", reason),
                CHANGES("LastError", "s", last_error),
                CHANGES("LastErrorMessage", "s", last_error_message),
                CHANGES("SyncDone", "u", sync_done),
                CHANGES("SyncTotal", "u", sync_total),
                CHANGES("PublicKey", "s", public_key),
                CHANGES("Name", "s", name),
                CHANGES("Model", "s", model),
                CHANGES("Firmware", "s", firmware),
                CHANGES("ProtocolVersion", "u", protocol_version),
                CHANGES("FrequencyHz", "u", frequency),
                CHANGES("BandwidthHz", "u", bandwidth),
                CHANGES("SpreadingFactor", "y", spreading_factor),
                CHANGES("CodingRate", "y", coding_rate),
                CHANGES("ClientRepeat", "b", client_repeat),
                CHANGES("TxPower", "i", tx_power),
                CHANGES("MaxTxPower", "i", max_tx_power),
                CHANGES("Location", "(dd)", location),
                CHANGES("BatteryMillivolts", "q", battery_mv),
                CHANGES("BatteryPercent", "y", battery_percent),
                CHANGES("StorageUsedKB", "u", storage_used),
                CHANGES("StorageTotalKB", "u", storage_total),
                CHANGES("ClockSkewUSec", "x", clock_skew),
                CHANGES("MaxTextBytes", "u", max_text),
                CHANGES("RoundTripUSec", "t", round_trip),
                SD_BUS_METHOD_WITH_ARGS("Start", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method_start,
                                        SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_METHOD_WITH_ARGS("Stop", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method_stop,
                                        SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_METHOD_WITH_ARGS("Ping", SD_BUS_NO_ARGS, SD_BUS_RESULT("t", round_trip), method_ping,
                                        SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_METHOD_WITH_ARGS("Inhibit", SD_BUS_ARGS("s", why), SD_BUS_RESULT("h", fd),
                                        method_inhibit, SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_METHOD_WITH_ARGS("SendText", SD_BUS_ARGS("s", recipient, "s", text, "a{sv}", options),
                                        SD_BUS_RESULT("o", message), method_send_text,
                                        SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_SIGNAL_WITH_ARGS("StateChanged",
                                        SD_BUS_ARGS("s", old, "s", new, "s", reason, "a{sv}", details), 0),
                SD_BUS_SIGNAL_WITH_ARGS("IdentityChanged", SD_BUS_ARGS("s", old, "s", new), 0),
                SD_BUS_VTABLE_END,
};
