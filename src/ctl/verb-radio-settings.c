/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "autobus.h"
#include "command-line.h"
#include "hex.h"
#include "macros.h"
#include "target.h"
#include "terminal.h"
#include "text-input.h"
#include "verb-radio-internal.h"

static ExitCode parse_real(const char *text, const char *what, double *ret) {
        char *end;
        double value = g_ascii_strtod(text, &end);

        if (end == text || *end != '\0')
                return ctl_fail(EXIT_CODE_USAGE, "%s is a number, not: %s", what, text);
        *ret = value;
        return EXIT_CODE_OK;
}

/* "869525000", "869.525MHz", "62.5kHz"; the unit's Hz may be left out. */
static ExitCode parse_hertz(const char *text, const char *what, uint32_t *ret) {
        static const struct {
                const char *unit;
                double factor;
        } units[] = {{"", 1}, {"hz", 1}, {"k", 1e3}, {"khz", 1e3}, {"m", 1e6}, {"mhz", 1e6}};
        char *end;
        double value = g_ascii_strtod(text, &end);

        for (size_t i = 0; end != text && i < ELEMENTSOF(units); i++)
                if (g_ascii_strcasecmp(end, units[i].unit) == 0) {
                        value = value * units[i].factor + 0.5;
                        if (!(value >= 0 && value <= UINT32_MAX))
                                break;
                        *ret = (uint32_t) value;
                        return EXIT_CODE_OK;
                }
        return ctl_fail(EXIT_CODE_USAGE, "%s is in Hz, kHz or MHz, such as 869.525MHz, not: %s", what, text);
}

/* -- name, location, power --------------------------------------------------------- */

static ExitCode run_set_name(const CtlOptions *options, const Args *args) {
        g_auto(Target) target = {};
        ExitCode code = target_open(options, NULL, &target);

        if (code == EXIT_CODE_OK)
                code = target_call(&target, NULL, target.radio, IFACE_RADIO, "SetName", "s",
                                   args_word(args, 0));
        return code;
}

const Verb radio_set_name = {
                .name = "radio set-name",
                .arguments = "NAME",
                .summary = "Set the name that the radio advertises",
                .description = "1 to 31 bytes of UTF-8. Others learn it from the next advert. Prints "
                               "nothing, also\n"
                               "with --json.\n",
                .examples = "  meshcorectl radio set-name 'Anna ⛰'\n",
                .min_words = 1,
                .max_words = 1,
                .run = run_set_name,
};

static ExitCode run_set_location(const CtlOptions *options, const Args *args) {
        g_auto(GStrv) parts = g_strsplit(args_word(args, 0), ",", 2);
        double latitude = 0, longitude = 0;
        g_auto(Target) target = {};
        ExitCode code;

        if (g_strv_length(parts) != 2)
                return ctl_fail(EXIT_CODE_USAGE, "a location is LATITUDE,LONGITUDE, not: %s",
                                args_word(args, 0));
        code = parse_real(parts[0], "a latitude", &latitude);
        if (code == EXIT_CODE_OK)
                code = parse_real(parts[1], "a longitude", &longitude);
        if (code == EXIT_CODE_OK)
                code = target_open(options, NULL, &target);
        if (code == EXIT_CODE_OK)
                code = target_call(&target, NULL, target.radio, IFACE_RADIO, "SetLocation", "dd", latitude,
                                   longitude);
        return code;
}

const Verb radio_set_location = {
                .name = "radio set-location",
                .arguments = "LATITUDE,LONGITUDE",
                .summary = "Set the position of the radio",
                .description = "In degrees; 0,0 is none. \"radio set-other --advert-location\" says whether "
                               "adverts\n"
                               "tell it. Prints nothing, also with --json.\n",
                .examples = "  meshcorectl radio set-location 48.137,11.576\n"
                            "  meshcorectl radio set-location -- -33.857,151.215\n",
                .min_words = 1,
                .max_words = 1,
                .run = run_set_location,
};

static ExitCode run_set_tx_power(const CtlOptions *options, const Args *args) {
        g_auto(Target) target = {};
        ExitCode code;
        int64_t dbm;

        if (!g_ascii_string_to_signed(args_word(args, 0), 10, INT32_MIN, INT32_MAX, &dbm, NULL))
                return ctl_fail(EXIT_CODE_USAGE, "the power is a whole number of dBm, not: %s",
                                args_word(args, 0));
        code = target_open(options, NULL, &target);
        if (code == EXIT_CODE_OK)
                code = target_call(&target, NULL, target.radio, IFACE_RADIO, "SetTxPower", "i", (int) dbm);
        return code;
}

const Verb radio_set_tx_power = {
                .name = "radio set-tx-power",
                .arguments = "DBM",
                .summary = "Set the transmit power",
                .description = "\"radio show\" tells the most that this radio has. Mind the law where you "
                               "are. "
                               "Prints\n"
                               "nothing, also with --json.\n",
                .examples = "  meshcorectl radio set-tx-power 14\n"
                            "  meshcorectl radio set-tx-power -- -3\n",
                .min_words = 1,
                .max_words = 1,
                .run = run_set_tx_power,
};

/* -- groups of values ------------------------------------------------------------------ */

static ExitCode append_params(sd_bus_message *call, const Args *args, int *ret) {
        const char *frequency = args_get(args, "frequency"), *bandwidth = args_get(args, "bandwidth");
        uint64_t spreading = 0, coding = 0;
        uint32_t hz = 0, bandwidth_hz = 0;
        bool repeat = false;
        ExitCode code = EXIT_CODE_OK;
        int r;

        if (frequency)
                code = parse_hertz(frequency, "a frequency", &hz);
        if (code == EXIT_CODE_OK && bandwidth)
                code = parse_hertz(bandwidth, "a bandwidth", &bandwidth_hz);
        if (code == EXIT_CODE_OK)
                code = args_get_number(args, "spreading-factor", UINT8_MAX, &spreading);
        if (code == EXIT_CODE_OK)
                code = args_get_number(args, "coding-rate", UINT8_MAX, &coding);
        if (code == EXIT_CODE_OK && args_has(args, "repeat"))
                code = args_get_bool(args, "repeat", &repeat);
        if (code != EXIT_CODE_OK)
                return code;

        r = sd_bus_message_open_container(call, 'a', "{sv}");
        if (r >= 0 && frequency)
                r = sd_bus_message_append(call, "{sv}", "FrequencyHz", "u", hz);
        if (r >= 0 && bandwidth)
                r = sd_bus_message_append(call, "{sv}", "BandwidthHz", "u", bandwidth_hz);
        if (r >= 0 && args_has(args, "spreading-factor"))
                r = sd_bus_message_append(call, "{sv}", "SpreadingFactor", "y", (int) spreading);
        if (r >= 0 && args_has(args, "coding-rate"))
                r = sd_bus_message_append(call, "{sv}", "CodingRate", "y", (int) coding);
        if (r >= 0 && args_has(args, "repeat"))
                r = sd_bus_message_append(call, "{sv}", "ClientRepeat", "b", (int) repeat);
        *ret = r < 0 ? r : sd_bus_message_close_container(call);
        return EXIT_CODE_OK;
}

static ExitCode append_other(sd_bus_message *call, const Args *args, int *ret) {
        static const struct {
                const char *option, *key;
                bool is_mode;
        } table[] = {
                        {"manual-add", "ManualAdd", false},
                        {"telemetry-base", "TelemetryBase", true},
                        {"telemetry-location", "TelemetryLocation", true},
                        {"telemetry-environment", "TelemetryEnvironment", true},
                        {"advert-location", "AdvertLocation", false},
                        {"multi-acks", "MultiAcks", false},
        };
        ExitCode code;
        int r;

        r = sd_bus_message_open_container(call, 'a', "{sv}");
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(table); i++) {
                bool value;

                if (!args_has(args, table[i].option))
                        continue;
                if (table[i].is_mode) {
                        r = sd_bus_message_append(call, "{sv}", table[i].key, "s",
                                                  args_get(args, table[i].option));
                        continue;
                }
                code = args_get_bool(args, table[i].option, &value);
                if (code != EXIT_CODE_OK)
                        return code;
                r = sd_bus_message_append(call, "{sv}", table[i].key, "b", (int) value);
        }
        *ret = r < 0 ? r : sd_bus_message_close_container(call);
        return EXIT_CODE_OK;
}

static ExitCode append_tuning(sd_bus_message *call, const Args *args, int *ret) {
        const char *rx_delay = args_get(args, "rx-delay"), *airtime = args_get(args, "airtime-factor");
        double rx_value = 0, airtime_value = 0;
        ExitCode code = EXIT_CODE_OK;
        int r;

        if (rx_delay)
                code = parse_real(rx_delay, "the delay", &rx_value);
        if (code == EXIT_CODE_OK && airtime)
                code = parse_real(airtime, "the factor", &airtime_value);
        if (code != EXIT_CODE_OK)
                return code;

        r = sd_bus_message_open_container(call, 'a', "{sv}");
        if (r >= 0 && rx_delay)
                r = sd_bus_message_append(call, "{sv}", "RxDelay", "d", rx_value);
        if (r >= 0 && airtime)
                r = sd_bus_message_append(call, "{sv}", "AirtimeFactor", "d", airtime_value);
        *ret = r < 0 ? r : sd_bus_message_close_container(call);
        return EXIT_CODE_OK;
}

/* A call of the radio with one a{sv} that append fills from the options. */
static ExitCode set_group(const CtlOptions *options, const Args *args, const Verb *verb, const char *method,
                          ExitCode (*append)(sd_bus_message *, const Args *, int *)) {
        _cleanup_message_ sd_bus_message *call = NULL;
        g_auto(Target) target = {};
        bool any = false;
        ExitCode code;
        int r = 0;

        for (const VerbOption *o = verb->options; o->name; o++)
                any |= args_has(args, o->name);
        if (!any)
                return ctl_fail(EXIT_CODE_USAGE, "nothing is to be changed; see: %s %s --help", CTL_NAME,
                                verb->name);

        code = target_open(options, NULL, &target);
        if (code == EXIT_CODE_OK)
                code = client_new_call(target.client, target.radio, IFACE_RADIO, method, &call);
        if (code == EXIT_CODE_OK)
                code = append(call, args, &r);
        if (code == EXIT_CODE_OK)
                code = target_send(&target, call, r, NULL);
        return code;
}

static ExitCode run_set_params(const CtlOptions *options, const Args *args) {
        return set_group(options, args, &radio_set_params, "SetRadioParameters", append_params);
}

static const VerbOption params_options[] = {
                {"frequency", 'f', "F", "150 to 2500 MHz, in whole kHz", WORD_ANY, NULL},
                {"bandwidth", 'b', "F", "7 to 500 kHz", WORD_CHOICE, "62.5kHz 125kHz 250kHz 500kHz"},
                {"spreading-factor", 's', "N", "5 to 12", WORD_CHOICE, "5 6 7 8 9 10 11 12"},
                {"coding-rate", 'c', "N", "5 to 8, meaning 4/5 to 4/8", WORD_CHOICE, "5 6 7 8"},
                {"repeat", 0, "YES", "also repeat packets of others, where that is allowed", WORD_CHOICE,
                 "yes no"},
                {},
};

const Verb radio_set_params = {
                .name = "radio set-params",
                .arguments = "OPTION…",
                .summary = "Set frequency, bandwidth, spreading factor, coding rate",
                .description = "What is not given stays. Only radios with the same values hear each other. A "
                               "value "
                               "is\n"
                               "in Hz, or has its unit: 869.618MHz, 62.5kHz. Prints nothing, also with "
                               "--json.\n",
                .examples = "  meshcorectl radio set-params -f 869.618MHz -b 62.5kHz -s 8 -c 8\n"
                            "  meshcorectl radio set-params --repeat no\n",
                .options = params_options,
                .run = run_set_params,
};

static ExitCode run_set_other(const CtlOptions *options, const Args *args) {
        return set_group(options, args, &radio_set_other, "SetOther", append_other);
}

static const char modes[] = "deny contact-flags allow";

static const VerbOption other_options[] = {
                {"manual-add", 0, "YES", "the radio stores no contact by itself", WORD_CHOICE, "yes no"},
                {"telemetry-base", 0, "MODE", "who may read the battery", WORD_CHOICE, modes},
                {"telemetry-location", 0, "MODE", "who may read the position", WORD_CHOICE, modes},
                {"telemetry-environment", 0, "MODE", "who may read the sensors", WORD_CHOICE, modes},
                {"advert-location", 0, "YES", "adverts tell the position", WORD_CHOICE, "yes no"},
                {"multi-acks", 0, "YES", "direct acknowledgements are sent more than once", WORD_CHOICE,
                 "yes no"},
                {},
};

const Verb radio_set_other = {
                .name = "radio set-other",
                .arguments = "OPTION…",
                .summary = "Set who may read telemetry, and what adverts and acks do",
                .description = "What is not given stays. MODE is deny (nobody), contact-flags (whom the "
                               "flags of "
                               "the\n"
                               "contact allow it) or allow (everybody). Prints nothing, also with --json.\n",
                .examples = "  meshcorectl radio set-other --telemetry-base allow --telemetry-location deny\n"
                            "  meshcorectl radio set-other --advert-location no\n",
                .options = other_options,
                .run = run_set_other,
};

static ExitCode run_set_tuning(const CtlOptions *options, const Args *args) {
        return set_group(options, args, &radio_set_tuning, "SetTuning", append_tuning);
}

static const VerbOption tuning_options[] = {
                {"rx-delay", 0, "X", "0 to 20; 0: none", WORD_ANY, NULL},
                {"airtime-factor", 0, "X", "silence after sending, 0 to 9 times the time it took", WORD_ANY,
                 NULL},
                {},
};

const Verb radio_set_tuning = {
                .name = "radio set-tuning",
                .arguments = "OPTION…",
                .summary = "Set the receive delay and the airtime factor",
                .description = "What is not given stays. Prints nothing, also with --json.\n",
                .examples = "  meshcorectl radio set-tuning --airtime-factor 1.5\n",
                .options = tuning_options,
                .run = run_set_tuning,
};

/* -- paths and floods -------------------------------------------------------------------- */

static ExitCode run_path_hash(const CtlOptions *options, const Args *args) {
        g_auto(Target) target = {};
        uint64_t size;
        ExitCode code;

        if (parse_number(args_word(args, 0), UINT8_MAX, &size) < 0)
                return ctl_fail(EXIT_CODE_USAGE, "a hash has 1 to 3 bytes, not: %s", args_word(args, 0));
        code = target_open(options, NULL, &target);
        if (code == EXIT_CODE_OK)
                code = target_call(&target, NULL, target.radio, IFACE_RADIO, "SetPathHashSize", "y",
                                   (int) size);
        return code;
}

const Verb radio_path_hash = {
                .name = "radio path-hash",
                .arguments = "BYTES",
                .summary = "Set how many bytes mark a hop in our paths, 1 to 3",
                .description = "More are clearer in a big mesh, and leave room for fewer hops; repeaters "
                               "with old\n"
                               "firmware pass on only what has 1. Prints nothing, also with --json.\n",
                .examples = "  meshcorectl radio path-hash 2\n",
                .min_words = 1,
                .max_words = 1,
                .run = run_path_hash,
};

static ExitCode read_scope_key(const char *path, uint8_t *key) {
        g_autofree char *line = NULL;
        ExitCode code;
        int r;

        code = text_input_line(path, "Key of the region, 32 hex digits", true, &line);
        if (code != EXIT_CODE_OK)
                return code;

        r = strlen(line) == 32 ? hex_decode(line, 32, key, 16) : -EINVAL;
        explicit_bzero(line, strlen(line));
        return r < 0 ? ctl_fail(EXIT_CODE_USAGE, "a key has 32 hex digits") : EXIT_CODE_OK;
}

static ExitCode set_scope(const Target *target, const char *name, const Args *args) {
        _cleanup_message_ sd_bus_message *call = NULL;
        bool with_key = args_has(args, "key-file");
        uint8_t key[16];
        ExitCode code;
        int r;

        if (with_key) {
                code = read_scope_key(args_get(args, "key-file"), key);
                if (code != EXIT_CODE_OK)
                        return code;
        }
        code = client_new_call(target->client, target->radio, IFACE_RADIO, "SetFloodScope", &call);
        if (code != EXIT_CODE_OK)
                return code;

        r = sd_bus_message_sensitive(call);
        if (r >= 0)
                r = sd_bus_message_append(call, "s", name);
        if (r >= 0)
                r = sd_bus_message_open_container(call, 'a', "{sv}");
        if (r >= 0 && args_has(args, "default"))
                r = sd_bus_message_append(call, "{sv}", "Default", "b", true);
        if (r >= 0 && with_key) {
                r = sd_bus_message_open_container(call, 'e', "sv");
                if (r >= 0)
                        r = sd_bus_message_append_basic(call, 's', "Key");
                if (r >= 0)
                        r = sd_bus_message_open_container(call, 'v', "ay");
                if (r >= 0)
                        r = sd_bus_message_append_array(call, 'y', key, sizeof(key));
                for (unsigned i = 0; r >= 0 && i < 2; i++)
                        r = sd_bus_message_close_container(call);
                explicit_bzero(key, sizeof(key));
        }
        if (r >= 0)
                r = sd_bus_message_close_container(call);
        return target_send(target, call, r, NULL);
}

static ExitCode run_scope(const CtlOptions *options, const Args *args) {
        g_autoptr(JsonObject) radio = NULL;
        g_auto(Target) target = {};
        const char *name = NULL;
        ExitCode code;

        if (args_count(args) > 0)
                name = args_word(args, 0);
        if (args_has(args, "reset") || args_has(args, "unscoped")) {
                if (name || (args_has(args, "reset") && args_has(args, "unscoped")))
                        return ctl_fail(EXIT_CODE_USAGE, "either a region, or --reset, or --unscoped");
                name = args_has(args, "reset") ? "" : "*";
        }

        code = target_open(options, NULL, &target);
        if (code != EXIT_CODE_OK)
                return code;
        if (name)
                return set_scope(&target, name, args);

        code = target_get(&target, target.radio, IFACE_RADIO, &radio);
        if (code == EXIT_CODE_OK)
                target_print_text(&target, "DefaultFloodScope", json_string(radio, "DefaultFloodScope"));
        return code;
}

static const VerbOption scope_options[] = {
                {"default", 'd', NULL, "change the default, which is kept, not the override", WORD_ANY, NULL},
                {"reset", 0, NULL, "no override any more; with --default: none", WORD_ANY, NULL},
                {"unscoped", 0, NULL, "floods without a region, whatever the default is", WORD_ANY, NULL},
                {"key-file", 'k', "FILE", "the region's key, 32 hex digits; -: standard input", WORD_ANY,
                 NULL},
                {},
};

const Verb radio_scope = {
                .name = "radio scope",
                .arguments = "[REGION]",
                .summary = "Show or set the region in whose name floods go out",
                .description = "Without a word and option: shows the default. With a region: until the radio "
                               "restarts,\n"
                               "or with --default for good. The key follows from the name unless it is "
                               "given.\n"
                               "\n"
                               "With --json, to show: {\"DefaultFloodScope\"}.\n",
                .examples = "  meshcorectl radio scope --default bergen\n"
                            "  meshcorectl radio scope --unscoped\n"
                            "  meshcorectl radio scope --reset\n",
                .options = scope_options,
                .max_words = 1,
                .run = run_scope,
};

/* -- PIN and variables ----------------------------------------------------------------------- */

static ExitCode run_pin(const CtlOptions *options, const Args *args) {
        g_autofree char *line = NULL;
        g_auto(Target) target = {};
        uint64_t pin;
        ExitCode code;
        int r;

        code = text_input_line(args_get(args, "pin-file"), "New PIN, six digits", true, &line);
        if (code != EXIT_CODE_OK)
                return code;
        r = parse_number(line, UINT32_MAX, &pin);
        explicit_bzero(line, strlen(line));
        if (r < 0)
                return ctl_fail(EXIT_CODE_USAGE, "a PIN has six digits, or is 0 for the one of the firmware");

        code = target_open(options, NULL, &target);
        if (code == EXIT_CODE_OK)
                code = target_call(&target, NULL, target.radio, IFACE_RADIO, "SetDevicePin", "u",
                                   (uint32_t) pin);
        return code;
}

static const VerbOption pin_options[] = {
                {"pin-file", 'f', "FILE", "read it from the first line of this file", WORD_ANY, NULL},
                {},
};

const Verb radio_pin = {
                .name = "radio pin",
                .arguments = "",
                .summary = "Set the PIN for pairing over Bluetooth",
                .description = "Read from standard input; on a terminal it is typed unseen. In effect from "
                               "the "
                               "next\n"
                               "start of the radio. 0: that of the firmware, or a random one on the display. "
                               "Takes "
                               "the\n"
                               "right to administer. Prints nothing, also with --json.\n",
                .examples = "  meshcorectl radio pin\n"
                            "  meshcorectl radio pin < pin.txt && meshcorectl radio reboot\n",
                .options = pin_options,
                .run = run_pin,
};

static ExitCode run_vars(const CtlOptions *options, const Args *args) {
        _cleanup_message_ sd_bus_message *reply = NULL;
        g_autoptr(JsonNode) node = NULL;
        g_autoptr(GList) names = NULL;
        g_auto(Target) target = {};
        ExitCode code;

        if (args_count(args) == 1)
                return ctl_fail(EXIT_CODE_USAGE, "a variable is set by its name and a value");
        code = target_open(options, NULL, &target);
        if (code != EXIT_CODE_OK)
                return code;
        if (args_count(args) == 2)
                return target_call(&target, NULL, target.radio, IFACE_RADIO, "SetVariable", "ss",
                                   args_word(args, 0), args_word(args, 1));

        code = target_call(&target, &reply, target.radio, IFACE_RADIO, "GetVariables", NULL);
        if (code != EXIT_CODE_OK)
                return code;
        if (json_from_message(reply, &node) < 0 || !JSON_NODE_HOLDS_OBJECT(node))
                return ctl_fail(EXIT_CODE_FAILED, "the daemon's answer to GetVariables makes no sense");
        if (options->json) {
                json_print_document(g_steal_pointer(&node));
                return EXIT_CODE_OK;
        }

        names = json_object_get_members(json_node_get_object(node));
        for (GList *l = names; l; l = l->next) {
                g_autofree char *name = terminal_escape(l->data), *value = NULL;

                value = terminal_escape(json_string(json_node_get_object(node), l->data));
                printf("%s=%s\n", name, value);
        }
        return EXIT_CODE_OK;
}

const Verb radio_vars = {
                .name = "radio vars",
                .arguments = "[NAME VALUE]",
                .summary = "List the custom variables of the board, or set one",
                .description = "Which there are depends on the board; gps and gps_interval are common.\n"
                               "\n"
                               "With --json, to list: an object of names and values.\n",
                .examples = "  meshcorectl radio vars\n"
                            "  meshcorectl radio vars gps 1\n",
                .max_words = 2,
                .run = run_vars,
};
