/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "format.h"
#include "stream.h"
#include "terminal.h"
#include "verbs.h"

/* -- what a packet says ------------------------------------------------------- */

/* The hashes of a list, with commas. */
static void add_path(GString *out, JsonArray *path) {
        for (guint i = 0; path && i < json_array_get_length(path); i++)
                g_string_append_printf(out, "%s%s", i > 0 ? "," : "", json_array_get_string_element(path, i));
}

static void add_advert(GString *out, JsonObject *advert) {
        JsonArray *location = json_array(advert, "Location");

        g_string_append_printf(out, "%s %s (%.16s…)", json_string(advert, "Type"),
                               json_string(advert, "Name"), json_string(advert, "Key"));
        if (location && json_array_get_length(location) == 2)
                g_string_append_printf(out, " at %.5f, %.5f", json_array_get_double_element(location, 0),
                                       json_array_get_double_element(location, 1));
        if (!json_bool(advert, "Verified"))
                g_string_append(out, ", not signed by this key");
}

static void add_channel(GString *out, JsonObject *channel) {
        if (json_object_has_member(channel, "Data"))
                g_string_append_printf(out, "[%s] data of type %" PRIi64 ", %zu bytes",
                                       json_string(channel, "Name"), json_int(channel, "DataType"),
                                       strlen(json_string(channel, "Data")) / 2);
        else
                g_string_append_printf(out, "[%s] %s: %s", json_string(channel, "Name"),
                                       json_string(channel, "Author"), json_string(channel, "Text"));
}

static void add_trace(GString *out, JsonObject *trace) {
        JsonArray *snrs = json_array(trace, "Snrs");

        g_string_append_printf(out, "tag %" PRIi64 " along ", json_int(trace, "Tag"));
        add_path(out, json_array(trace, "Path"));
        for (guint i = 0; snrs && i < json_array_get_length(snrs); i++)
                g_string_append_printf(out, "%s%g", i > 0 ? ", " : ", heard at ",
                                       json_array_get_double_element(snrs, i));
        if (snrs && json_array_get_length(snrs) > 0)
                g_string_append(out, " dB");
}

/* Who sends to whom, as far as it is told. */
static void add_address(GString *out, JsonObject *record) {
        const char *to = json_string(record, "Destination"), *from = json_string(record, "Source");
        const char *key = json_string(record, "SenderKey");

        if (*key)
                g_string_append_printf(out, "%.16s… to %s", key, to);
        else if (*to)
                g_string_append_printf(out, "%s to %s", from, to);
        else if (*json_string(record, "Ack"))
                g_string_append(out, json_string(record, "Ack"));
        else if (*json_string(record, "ChannelHash"))
                g_string_append_printf(out, "channel %s, which the radio does not have",
                                       json_string(record, "ChannelHash"));
        else
                g_string_append_printf(out, "%zu bytes", strlen(json_string(record, "Payload")) / 2);
}

static char *content_of(JsonObject *record) {
        GString *out = g_string_new(NULL);

        if (json_object(record, "Advert"))
                add_advert(out, json_object(record, "Advert"));
        else if (json_object(record, "Channel"))
                add_channel(out, json_object(record, "Channel"));
        else if (json_object(record, "Trace"))
                add_trace(out, json_object(record, "Trace"));
        else
                add_address(out, record);
        return g_string_free(out, false);
}

/* -- the verb ----------------------------------------------------------------- */

static ExitCode print_packet(JsonObject *record, const char *text, void *userdata) {
        const CtlOptions *options = userdata;
        g_autofree char *time = NULL, *content = NULL, *shown = NULL;
        g_autoptr(GString) path = NULL;
        bool is_packet = *json_string(record, "Type");

        if (options->json) {
                puts(text);
                (void) fflush(stdout);
                return EXIT_CODE_OK;
        }

        time = format_time(json_int(record, "TimeUSec"));
        path = g_string_new(NULL);
        add_path(path, json_array(record, "Path"));
        content = is_packet ? content_of(record)
                            : g_strdup_printf("no packet of the mesh, %zu bytes",
                                              strlen(json_string(record, "Packet")) / 2);
        shown = terminal_escape(content);
        printf("%s  %6.2f dB  %4" PRIi64 " dBm  %-16s  %-17s  %-8s  %s\n", time,
               json_double(record, "Snr", 0), json_int(record, "Rssi"), json_string(record, "Route"),
               json_string(record, "Type"), path->str, shown);
        (void) fflush(stdout);
        return EXIT_CODE_OK;
}

/* From here on nothing is missed. */
static ExitCode print_headers(const Target *target, void *userdata) {
        const CtlOptions *options = userdata;

        if (!options->json)
                printf("%-19s  %9s  %8s  %-16s  %-17s  %-8s  %s\n", "TIME", "SNR", "RSSI", "ROUTE", "TYPE",
                       "PATH", "CONTENT");
        (void) fflush(stdout);
        return EXIT_CODE_OK;
}

static ExitCode run_rx_log(const CtlOptions *options, const Args *args) {
        static const StreamHandlers handlers = {.opened = print_headers, .record = print_packet};
        g_auto(Target) target = {};
        ExitCode code = target_open(options, NULL, &target);

        return code == EXIT_CODE_OK ? stream_run(&target, "OpenRxLog", args, &handlers, (void *) options)
                                    : code;
}

static const VerbOption rx_log_options[] = {
                STREAM_OPTIONS,
                {},
};

static const char rx_log_description[] =
                "Also those that are not for it, from now on and until Ctrl-C. PATH is who passed a flood\n"
                "on, or who still shall pass a direct packet on, each as the first bytes of a key. Adverts\n"
                "are shown in full, texts where the radio has the channel.\n"
                "\n"
                "With --json: one object a line, the record of the D-Bus method OpenRxLog, which\n"
                "org.meshcored1.Monitor(5) describes: TimeUSec, Snr, Rssi, Packet and, as far as the packet\n"
                "tells, Route, Type, Hash, TransportCodes, Path, Payload, Destination, Source, SenderKey,\n"
                "ChannelHash, Ack, Advert, Trace, Channel; Lost: so many are missing before this one.\n";

const Verb verb_rx_log = {
                .name = "rx-log",
                .arguments = "[--count N] [--duration TIME]",
                .summary = "Show every packet that the radio hears, live",
                .description = rx_log_description,
                .examples = "  meshcorectl rx-log\n"
                            "  meshcorectl rx-log --json --duration 1h | jq -r "
                            "'select(.Advert).Advert.Name'\n",
                .options = rx_log_options,
                .run = run_rx_log,
};
