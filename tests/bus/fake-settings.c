/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "fake-radio-internal.h"
#include "hex.h"
#include "settings-api.h"
#include "telemetry.h"

/* settings-api.h and telemetry.h, as fake-requests.c does the others: what the
 * radio tells is made up here. */

static const char *const modes[_TELEMETRY_MODE_MAX] = {"deny", "contact-flags", "allow"};
static const char *const kinds[_RADIO_STATS_KIND_MAX] = {"core", "radio", "packets"};

static int find(const char *const *names, int n, const char *text) {
        for (int i = 0; i < n; i++)
                if (strcmp(names[i], text) == 0)
                        return i;
        return -22;
}

const char *telemetry_mode_to_string(TelemetryMode mode) {
        return mode >= 0 && mode < _TELEMETRY_MODE_MAX ? modes[mode] : NULL;
}

TelemetryMode telemetry_mode_from_string(const char *text) {
        return find(modes, _TELEMETRY_MODE_MAX, text);
}

const char *radio_stats_kind_to_string(RadioStatsKind kind) {
        return kind >= 0 && kind < _RADIO_STATS_KIND_MAX ? kinds[kind] : NULL;
}

RadioStatsKind radio_stats_kind_from_string(const char *text) {
        return find(kinds, _RADIO_STATS_KIND_MAX, text);
}

/* -- settings ------------------------------------------------------------------- */

void radio_set_name(Radio *radio, const char *name, radio_done_t done, void *userdata) {
        fake_request_new(radio, userdata, "set-name %s", name)->done = done;
}

void radio_set_location(Radio *radio, double latitude, double longitude, radio_done_t done, void *userdata) {
        fake_request_new(radio, userdata, "set-location %.6f %.6f", latitude, longitude)->done = done;
}

void radio_set_tx_power(Radio *radio, int dbm, radio_done_t done, void *userdata) {
        fake_request_new(radio, userdata, "set-tx-power %d", dbm)->done = done;
}

void radio_set_path_hash_size(Radio *radio, unsigned size, radio_done_t done, void *userdata) {
        fake_request_new(radio, userdata, "set-path-hash-size %u", size)->done = done;
}

void radio_set_device_pin(Radio *radio, uint32_t pin, radio_done_t done, void *userdata) {
        fake_request_new(radio, userdata, "set-pin %u", pin)->done = done;
}

void radio_set_parameters(Radio *radio, unsigned set, const RadioParameters *values, radio_done_t done,
                          void *userdata) {
        fake_request_new(radio, userdata, "set-parameters set=%#x %u %u %u %u %d", set, values->frequency_hz,
                         values->bandwidth_hz, values->spreading_factor, values->coding_rate,
                         values->client_repeat)
                        ->done = done;
}

void radio_set_other(Radio *radio, unsigned set, const RadioOther *values, radio_done_t done,
                     void *userdata) {
        fake_request_new(radio, userdata, "set-other set=%#x %d %s %s %s %d %d", set, values->manual_add,
                         modes[values->telemetry_base], modes[values->telemetry_location],
                         modes[values->telemetry_environment], values->advert_location, values->multi_acks)
                        ->done = done;
}

void radio_set_tuning(Radio *radio, unsigned set, double rx_delay, double airtime_factor, radio_done_t done,
                      void *userdata) {
        fake_request_new(radio, userdata, "set-tuning set=%#x %.3f %.3f", set, rx_delay, airtime_factor)
                        ->done = done;
}

void radio_set_flood_scope(Radio *radio, const RadioScope *scope, radio_done_t done, void *userdata) {
        fake_request_new(radio, userdata, "set-scope %s key=%02x%s", scope->name,
                         (unsigned) (scope->key ? scope->key[0] : 0), scope->is_default ? " default" : "")
                        ->done = done;
}

void radio_set_variable(Radio *radio, const char *name, const char *value, radio_done_t done,
                        void *userdata) {
        fake_request_new(radio, userdata, "set-variable %s %s", name, value)->done = done;
}

void radio_advertise(Radio *radio, bool flood, radio_done_t done, void *userdata) {
        fake_request_new(radio, userdata, "advertise%s", flood ? " flood" : "")->done = done;
}

void radio_reboot(Radio *radio, radio_done_t done, void *userdata) {
        fake_request_new(radio, userdata, "reboot")->done = done;
}

OutcomeCode radio_prepare_factory_reset(Radio *radio, char **ret_token, Outcome *ret_outcome) {
        if (radio->state != RADIO_READY)
                return outcome_set(ret_outcome, OUTCOME_NOT_CONNECTED, "it is away");

        *ret_token = g_strdup("a-token");
        return OUTCOME_OK;
}

void radio_factory_reset(Radio *radio, const char *token, radio_done_t done, void *userdata) {
        fake_request_new(radio, userdata, "factory-reset %s", token)->done = done;
}

void radio_import_key(Radio *radio, Slice key, radio_done_t done, void *userdata) {
        fake_request_new(radio, userdata, "import-key %zu bytes", key.size)->done = done;
}

/* -- what tells something ------------------------------------------------------------ */

static void clock_answered(Radio *radio, FakeRequest *request, const Outcome *outcome, Slice packet) {
        ((radio_sync_time_done_t) request->settings_done)(radio, outcome, packet.size == 0,
                                                          request->userdata);
}

void radio_sync_time(Radio *radio, radio_sync_time_done_t done, void *userdata) {
        FakeRequest *request = fake_request_new(radio, userdata, "sync-time");

        request->settings_done = (void *) done;
        request->answered = clock_answered;
}

static void variables_answered(Radio *radio, FakeRequest *request, const Outcome *outcome, Slice packet) {
        static const RadioVariable variables[] = {{(char *) "gps", (char *) "1"},
                                                  {(char *) "gps_interval", (char *) "300"}};

        ((radio_variables_done_t) request->settings_done)(
                        radio, outcome, variables, outcome->code == OUTCOME_OK ? 2 : 0, request->userdata);
}

void radio_get_variables(Radio *radio, radio_variables_done_t done, void *userdata) {
        FakeRequest *request = fake_request_new(radio, userdata, "get-variables");

        request->settings_done = (void *) done;
        request->answered = variables_answered;
}

static void stats_answered(Radio *radio, FakeRequest *request, const Outcome *outcome, Slice packet) {
        RadioStats stats = {.kind = (RadioStatsKind) request->slot};

        switch (stats.kind) {
        case RADIO_STATS_CORE:
                stats.core.battery_mv = 4021;
                stats.core.uptime_s = 119;
                stats.core.errors = 5;
                stats.core.queue_length = 2;
                break;
        case RADIO_STATS_RADIO:
                stats.radio.noise_floor = -117;
                stats.radio.last_rssi = -70;
                stats.radio.last_snr = 7.5;
                stats.radio.tx_air_s = 3;
                stats.radio.rx_air_s = 4;
                break;
        default:
                stats.packets.received = 92;
                stats.packets.received_direct = 60;
                stats.packets.has_errors = packet.size > 0;
                stats.packets.errors = 1;
                break;
        }
        ((radio_stats_done_t) request->settings_done)(radio, outcome, &stats, request->userdata);
}

void radio_get_stats(Radio *radio, RadioStatsKind kind, radio_stats_done_t done, void *userdata) {
        FakeRequest *request = fake_request_new(radio, userdata, "get-stats %s", kinds[kind]);

        request->slot = kind;
        request->settings_done = (void *) done;
        request->answered = stats_answered;
}

static void telemetry_answered(Radio *radio, FakeRequest *request, const Outcome *outcome, Slice packet) {
        static const uint8_t unread[] = {1, 2};
        static const TelemetryValue values[] = {
                        {.channel = 1, .type = 116, .quantity = "voltage", .unit = "V", .value = 4.02},
                        {.channel = 1,
                         .type = 136,
                         .quantity = "gps",
                         .component = "latitude",
                         .unit = "°",
                         .value = -48.5},
                        {.channel = 3, .type = 99, .unit = "", .data = {unread, sizeof(unread)}},
        };

        ((radio_telemetry_done_t) request->settings_done)(
                        radio, outcome, values, outcome->code == OUTCOME_OK ? 3 : 0, request->userdata);
}

void radio_get_telemetry(Radio *radio, radio_telemetry_done_t done, void *userdata) {
        FakeRequest *request = fake_request_new(radio, userdata, "get-telemetry");

        request->settings_done = (void *) done;
        request->answered = telemetry_answered;
}

/* -- keys -------------------------------------------------------------------------------- */

static void bytes_answered(Radio *radio, FakeRequest *request, const Outcome *outcome, Slice packet) {
        ((radio_bytes_done_t) request->settings_done)(radio, outcome, packet, request->userdata);
}

void radio_sign(Radio *radio, Slice data, radio_bytes_done_t done, void *userdata) {
        FakeRequest *request = fake_request_new(radio, userdata, "sign %zu bytes", data.size);

        request->settings_done = (void *) done;
        request->answered = bytes_answered;
}

void radio_export_key(Radio *radio, radio_bytes_done_t done, void *userdata) {
        FakeRequest *request = fake_request_new(radio, userdata, "export-key");

        request->settings_done = (void *) done;
        request->answered = bytes_answered;
}
