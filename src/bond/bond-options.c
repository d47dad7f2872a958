/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>

#include "bond-tool.h"
#include "config.h"
#include "macros.h"
#include "terminal.h"

#define NAME_MAX_SIZE 248 /* Bluetooth Core, local name */

static const char description[] =
                "The PIN may also come from the credential meshcore-bond.pin or meshcored.pin, from the\n"
                "environment variable MESHCORE_BLE_PIN, or be typed at the prompt. On the command\n"
                "line everybody on this computer can see it.\n"
                "\n"
                "Exit status: 0 bond verified or made, 1 no valid bond (--check-only), 2 failed, 3 "
                "Bluetooth\n"
                "adapter, 4 system bus. See meshcore-bond(1).";

typedef struct Raw {
        char *pin, *pin_file, *adapter, **rest;
        gboolean check_only, force_repair, list, scan, forget, json, verbose, version, no_daemon;
} Raw;

static void raw_clear(Raw *raw) {
        g_free(raw->pin);
        g_free(raw->pin_file);
        g_free(raw->adapter);
        g_strfreev(raw->rest);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Raw, raw_clear)

void options_clear(Options *options) {
        g_free(options->target);
        g_free(options->adapter);
        explicit_bzero(&options->passkey, sizeof(options->passkey));
}

static int usage(const char *text) {
        (void) fprintf(stderr, "Error:    %s\n", text);
        return -EXIT_FAILED;
}

static int choose_mode(const Raw *raw, Mode *ret) {
        const struct {
                gboolean given;
                Mode mode;
        } modes[] = {{raw->check_only, MODE_CHECK_ONLY},
                     {raw->force_repair, MODE_FORCE_REPAIR},
                     {raw->list, MODE_LIST},
                     {raw->scan, MODE_SCAN},
                     {raw->forget, MODE_FORGET}};
        unsigned n = 0;

        *ret = MODE_ENSURE;
        for (size_t i = 0; i < ELEMENTSOF(modes); i++)
                if (modes[i].given) {
                        *ret = modes[i].mode;
                        n++;
                }
        if (n > 1)
                return usage("--check-only, --force-repair, --list, --scan and --forget are mutually "
                             "exclusive");
        return 0;
}

/* AA:BB:CC:DD:EE:FF. */
static bool is_address(const char *text) {
        for (size_t i = 0; i < 17; i++)
                if (i % 3 == 2 ? text[i] != ':' : !g_ascii_isxdigit(text[i]))
                        return false;
        return text[17] == '\0';
}

/* /org/bluez/ADAPTER/dev_AA_BB_CC_DD_EE_FF names both. */
static bool take_bluez_path(const char *text, Options *options) {
        static const char prefix[] = "/org/bluez/", device[] = "/dev_";
        const char *slash;
        g_autofree char *address = NULL;

        if (!g_str_has_prefix(text, prefix))
                return false;
        slash = strchr(text + strlen(prefix), '/');
        if (!slash || !g_str_has_prefix(slash, device))
                return false;

        address = g_strdelimit(g_strdup(slash + strlen(device)), "_", ':');
        if (strlen(address) != 17 || !is_address(address))
                return false;

        options->target = g_ascii_strup(address, -1);
        if (!options->adapter)
                options->adapter = g_strndup(text + strlen(prefix), (gsize) (slash - text) - strlen(prefix));
        return true;
}

static int set_target(const Raw *raw, Options *options) {
        const char *text = raw->rest ? raw->rest[0] : NULL;
        bool wanted = options->mode != MODE_LIST && options->mode != MODE_SCAN;

        if (!text)
                return wanted ? usage("Which radio? Give its Bluetooth address or name; --scan shows who is "
                                      "near")
                              : 0;
        if (raw->rest[1])
                return usage("One radio at a time");
        if (!wanted)
                return usage("--list and --scan take no radio");

        if (is_address(text)) {
                options->target = g_ascii_strup(text, -1);
                return 0;
        }
        if (take_bluez_path(text, options))
                return 0;
        /* A mistyped address or path, rather than a name. */
        if (!*text || (*text == '/' && !g_str_has_prefix(text, DAEMON_RADIO_PREFIX)) ||
            strlen(text) > NAME_MAX_SIZE || !g_utf8_validate(text, -1, NULL) ||
            (strchr(text, ':') && strspn(text, "0123456789ABCDEFabcdef:-") == strlen(text))) {
                g_autofree char *valid = g_utf8_make_valid(text, -1), *escaped = terminal_escape(valid);

                (void) fprintf(stderr, "Error:    Invalid MAC address: %s\n", escaped);
                (void) fprintf(stderr, "Expected format: AA:BB:CC:DD:EE:FF, a name, or an object path\n");
                return -EXIT_FAILED;
        }
        options->target = g_strdup(text);
        return 0;
}

static int set_pin(const Raw *raw, Options *options) {
        int r;

        if (raw->pin && raw->pin_file)
                return usage("--pin and --pin-file are mutually exclusive");
        if (options->mode != MODE_ENSURE && options->mode != MODE_FORCE_REPAIR)
                return 0;

        r = pin_find(raw->pin, raw->pin_file, &options->passkey);
        options->has_passkey = r >= 0;
        return r < 0 && r != -ENOENT ? -EXIT_FAILED : 0;
}

int options_parse(int argc, char **argv, Options *ret) {
        g_auto(Raw) raw = {};
        const GOptionEntry entries[] = {
                        {"pin", 0, 0, G_OPTION_ARG_STRING, &raw.pin, "The PIN that the radio shows", "PIN"},
                        {"pin-file", 0, 0, G_OPTION_ARG_FILENAME, &raw.pin_file,
                         "Read the PIN from this file; -: standard input", "FILE"},
                        {"check-only", 0, 0, G_OPTION_ARG_NONE, &raw.check_only,
                         "Prove the bond, and change nothing", NULL},
                        {"force-repair", 0, 0, G_OPTION_ARG_NONE, &raw.force_repair,
                         "Forget the bond, and pair anew", NULL},
                        {"forget", 0, 0, G_OPTION_ARG_NONE, &raw.forget, "Forget the bond", NULL},
                        {"list", 0, 0, G_OPTION_ARG_NONE, &raw.list, "Show the radios with a bond", NULL},
                        {"scan", 0, 0, G_OPTION_ARG_NONE, &raw.scan, "Show the radios that are near", NULL},
                        {"adapter", 0, 0, G_OPTION_ARG_STRING, &raw.adapter,
                         "Use this Bluetooth adapter: hci0, or its address", "ADAPTER"},
                        {"no-daemon", 0, 0, G_OPTION_ARG_NONE, &raw.no_daemon,
                         "Leave a running meshcored out of it", NULL},
                        {"json", 0, 0, G_OPTION_ARG_NONE, &raw.json, "Print a JSON object", NULL},
                        {"verbose", 0, 0, G_OPTION_ARG_NONE, &raw.verbose, "Say more", NULL},
                        {"version", 0, 0, G_OPTION_ARG_NONE, &raw.version, "Show the version", NULL},
                        {G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_STRING_ARRAY, &raw.rest, NULL,
                         "ADDRESS|NAME|PATH"},
                        G_OPTION_ENTRY_NULL,
        };
        g_autoptr(GOptionContext) context = g_option_context_new(NULL);
        g_autoptr(GError) error = NULL;
        g_auto(Options) options = {};
        int r;

        g_option_context_set_summary(context, "Sees to the Bluetooth bond with a MeshCore radio.");
        g_option_context_set_description(context, description);
        g_option_context_add_main_entries(context, entries, NULL);
        if (!g_option_context_parse(context, &argc, &argv, &error))
                return usage(error->message);
        if (raw.version) {
                (void) puts("meshcore-bond v" MESHCORED_VERSION);
                return 0;
        }

        options.json = raw.json;
        options.verbose = raw.verbose;
        options.no_daemon = raw.no_daemon;
        options.adapter = g_steal_pointer(&raw.adapter);
        r = choose_mode(&raw, &options.mode);
        if (r >= 0)
                r = set_target(&raw, &options);
        if (r >= 0)
                r = set_pin(&raw, &options);
        if (r < 0)
                return r;

        *ret = options;
        options = (Options){};
        return 1;
}
