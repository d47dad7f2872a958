/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>

#include "format.h"
#include "target.h"
#include "terminal.h"
#include "verb-radio-internal.h"

/* -- show ------------------------------------------------------------------------ */

static void print_fact(const char *name, const char *value) {
        g_autofree char *shown = terminal_escape(value);

        if (*value)
                printf("%-22s %s\n", name, shown);
}

static void print_fact_owned(const char *name, char *value) {
        print_fact(name, value);
        g_free(value);
}

static void print_bool(const char *name, JsonObject *radio, const char *member) {
        if (json_object_has_member(radio, member))
                print_fact(name, json_bool(radio, member) ? "yes" : "no");
}

static char *khz_text(int64_t hz) {
        return hz > 0 ? g_strdup_printf("%g kHz", (double) hz / 1000) : g_strdup("");
}

static char *ranges_text(JsonArray *ranges) {
        GString *text = g_string_new(NULL);

        for (guint i = 0; ranges && i < json_array_get_length(ranges); i++) {
                JsonArray *range = json_array_get_array_element(ranges, i);
                int64_t low = json_array_get_int_element(range, 0);
                int64_t high = json_array_get_int_element(range, 1);

                g_string_append_printf(text, "%s%g", i > 0 ? ", " : "", (double) low / 1e6);
                if (high != low)
                        g_string_append_printf(text, " to %g", (double) high / 1e6);
        }
        if (text->len > 0)
                g_string_append(text, " MHz");
        return g_string_free(text, FALSE);
}

static char *airtime_text(JsonObject *radio) {
        int64_t next = json_int(radio, "AirtimeNextUSec");
        g_autofree char *time = next > 0 ? format_time(next) : NULL;

        return g_strdup_printf("%.1f of %.0f s used, %g %% of the time%s%s",
                               (double) json_int(radio, "AirtimeUsedUSec") / G_USEC_PER_SEC,
                               (double) json_int(radio, "AirtimeBudgetUSec") / G_USEC_PER_SEC,
                               100 * json_double(radio, "AirtimeRefill", 0), time ? ", polls from " : "",
                               time ?: "");
}

static void print_radio(JsonObject *radio) {
        JsonArray *location = json_array(radio, "Location");
        double rx_delay = json_double(radio, "RxDelay", -1);
        double airtime_factor = json_double(radio, "AirtimeFactor", -1);

        print_fact("Name:", json_string(radio, "Name"));
        print_fact("Key:", json_string(radio, "PublicKey"));
        print_fact("State:", json_string(radio, "State"));
        if (location && json_array_get_length(location) == 2)
                print_fact_owned("Location:", format_location(json_array_get_double_element(location, 0),
                                                              json_array_get_double_element(location, 1)));
        print_bool("Location in adverts:", radio, "AdvertLocation");
        print_fact_owned("Frequency:", format_frequency(json_int(radio, "FrequencyHz")));
        print_fact_owned("Bandwidth:", khz_text(json_int(radio, "BandwidthHz")));
        print_fact_owned("Spreading factor:",
                         g_strdup_printf("%" G_GINT64_FORMAT, json_int(radio, "SpreadingFactor")));
        print_fact_owned("Coding rate:",
                         g_strdup_printf("4/%" G_GINT64_FORMAT, json_int(radio, "CodingRate")));
        print_bool("Repeats for others:", radio, "ClientRepeat");
        print_fact_owned("May repeat at:", ranges_text(json_array(radio, "AllowedRepeatFrequencies")));
        print_fact_owned("Transmit power:",
                         g_strdup_printf("%" G_GINT64_FORMAT " of %" G_GINT64_FORMAT " dBm",
                                         json_int(radio, "TxPower"), json_int(radio, "MaxTxPower")));
        if (rx_delay >= 0)
                print_fact_owned("Receive delay:", g_strdup_printf("%g", rx_delay));
        if (airtime_factor >= 0)
                print_fact_owned("Airtime factor:", g_strdup_printf("%g", airtime_factor));
        if (json_int(radio, "AirtimeBudgetUSec") > 0)
                print_fact_owned("Air time budget:", airtime_text(radio));
        if (json_int(radio, "PathHashSize") > 0)
                print_fact_owned("Path hashes:", g_strdup_printf("%" G_GINT64_FORMAT " byte",
                                                                 json_int(radio, "PathHashSize")));
        print_fact("Default flood scope:", json_string(radio, "DefaultFloodScope"));
        print_fact("Telemetry, basic:", json_string(radio, "TelemetryBase"));
        print_fact("Telemetry, location:", json_string(radio, "TelemetryLocation"));
        print_fact("Telemetry, sensors:", json_string(radio, "TelemetryEnvironment"));
        print_bool("Multiple acks:", radio, "MultiAcks");
        if (json_int(radio, "BatteryMillivolts") > 0)
                print_fact_owned("Battery:",
                                 g_strdup_printf("%" G_GINT64_FORMAT " mV, %" G_GINT64_FORMAT " %%",
                                                 json_int(radio, "BatteryMillivolts"),
                                                 json_int(radio, "BatteryPercent")));
        if (json_int(radio, "StorageTotalKB") > 0)
                print_fact_owned("Storage:",
                                 g_strdup_printf("%" G_GINT64_FORMAT " of %" G_GINT64_FORMAT " kB used",
                                                 json_int(radio, "StorageUsedKB"),
                                                 json_int(radio, "StorageTotalKB")));
}

static ExitCode run_show(const CtlOptions *options, const Args *args) {
        CtlOptions chosen = *options;
        g_autoptr(JsonObject) radio = NULL;
        g_auto(Target) target = {};
        ExitCode code;

        if (args_count(args) > 0)
                chosen.radio = args_word(args, 0);
        code = target_open(&chosen, NULL, &target);
        if (code != EXIT_CODE_OK)
                return code;
        if (options->json)
                return target_print(&target, target.radio, IFACE_RADIO, NULL);

        code = target_get(&target, target.radio, IFACE_RADIO, &radio);
        if (code == EXIT_CODE_OK)
                print_radio(radio);
        return code;
}

static const Verb radio_show = {
                .name = "radio show",
                .arguments = "[ID]",
                .summary = "Show all settings of a radio",
                .description = "What its firmware does not tell is left out.\n"
                               "\n"
                               "With --json: an object with Path, Radio, and every property of\n"
                               "org.meshcored1.Radio.\n",
                .examples = "  meshcorectl radio show\n"
                            "  meshcorectl radio show home --json | jq .FrequencyHz\n",
                .max_words = 1,
                .word = WORD_RADIO,
                .run = run_show,
};

static const Verb *const parts[] = {
                &radio_show,          &radio_set_name,
                &radio_set_location,  &radio_advertise,
                &radio_set_params,    &radio_set_tx_power,
                &radio_set_tuning,    &radio_path_hash,
                &radio_scope,         &radio_set_other,
                &radio_vars,          &radio_stats,
                &radio_trace,         &radio_discover,
                &radio_send_raw,      &radio_send_control,
                &radio_send_packet,   &radio_telemetry,
                &radio_time_sync,     &radio_reboot,
                &radio_pin,           &radio_sign,
                &radio_export_key,    &radio_import_key,
                &radio_factory_reset, NULL,
};

const Verb verb_radio = {
                .name = "radio",
                .summary = "Show and change the settings of a radio, restart it, keys",
                .description = "These act on the only radio, or on the one that --radio names. Out of range "
                               "values "
                               "are\n"
                               "refused with the range. Changes are in the radio when the command ends.\n",
                .examples = "  meshcorectl radio show\n"
                            "  meshcorectl radio set-params --frequency 869.618MHz --bandwidth 62.5kHz\n"
                            "  meshcorectl radio advertise\n",
                .parts = parts,
};
