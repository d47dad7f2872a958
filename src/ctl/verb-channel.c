/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>

#include "answer.h"
#include "autobus.h"
#include "command-line.h"
#include "hex.h"
#include "target.h"
#include "text-input.h"
#include "verbs.h"

#define SECRET_SIZE 16
#define SLOT_FREE   UINT8_MAX
#define SLOT_MAX    254

/* -- list ------------------------------------------------------------------- */

static ExitCode run_list(const CtlOptions *options, const Args *args) {
        return verb_channels.run(options, args);
}

static const Verb channel_list = {
                .name = "channel list",
                .arguments = "",
                .summary = "List the channels, as \"channels\" does",
                .description = "See: meshcorectl channels --help\n",
                .examples = "  meshcorectl channel list\n",
                .run = run_list,
};

/* -- set, add --------------------------------------------------------------- */

typedef struct Wanted {
        uint8_t slot;
        const char *name;
        const char *source; /* NULL: the secret counts */
        uint8_t secret[SECRET_SIZE];
} Wanted;

static void wanted_clear(Wanted *w) {
        explicit_bzero(w->secret, sizeof(w->secret));
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Wanted, wanted_clear)

static ExitCode read_secret(const char *path, uint8_t *secret) {
        char *line = NULL;
        ExitCode code;
        int r;

        code = text_input_line(path, "Secret of the channel, 32 hex digits", true, &line);
        if (code != EXIT_CODE_OK)
                return code;

        r = hex_decode(line, strlen(line), secret, SECRET_SIZE);
        explicit_bzero(line, strlen(line));
        g_free(line);
        return r == SECRET_SIZE ? EXIT_CODE_OK
                                : ctl_fail(EXIT_CODE_USAGE, "the secret of a channel has %i hex digits",
                                           2 * SECRET_SIZE);
}

static ExitCode read_source(const Args *args, Wanted *w) {
        static const char *const sources[] = {"hashtag", "public", "random"};
        const char *file = args_get(args, "secret-file");
        unsigned n = file ? 1 : 0;

        for (size_t i = 0; i < G_N_ELEMENTS(sources); i++)
                if (args_has(args, sources[i])) {
                        w->source = sources[i];
                        n++;
                }
        if (n > 1)
                return ctl_fail(EXIT_CODE_USAGE,
                                "--secret-file, --hashtag, --public and --random exclude one another");

        if (file)
                return read_secret(file, w->secret);
        if (!w->source && w->name[0] == '#')
                w->source = "hashtag";
        if (!w->source)
                return ctl_fail(EXIT_CODE_USAGE, "say where the secret comes from: --secret-file, --public "
                                                 "or --random (a name "
                                                 "that begins with # tells it itself)");
        if (!*w->name && strcmp(w->source, "public") != 0)
                return ctl_fail(EXIT_CODE_USAGE, "the channel needs a name");
        return EXIT_CODE_OK;
}

static int append_channel(sd_bus_message *call, const Wanted *w) {
        int r;

        r = sd_bus_message_append(call, "ys", (int) w->slot, w->name);
        if (r >= 0)
                r = sd_bus_message_append_array(call, 'y', w->secret, w->source ? 0 : sizeof(w->secret));
        if (r >= 0 && w->source)
                return sd_bus_message_append(call, "a{sv}", 1, "Source", "s", w->source);
        return r < 0 ? r : sd_bus_message_append(call, "a{sv}", 0);
}

static ExitCode set_channel(const CtlOptions *options, const Args *args, Wanted *w) {
        _cleanup_message_ sd_bus_message *call = NULL, *reply = NULL;
        g_auto(Target) target = {};
        const char *path;
        ExitCode code;

        code = read_source(args, w);
        if (code == EXIT_CODE_OK)
                code = target_open(options, NULL, &target);
        if (code == EXIT_CODE_OK)
                code = client_new_call(target.client, target.radio, IFACE_CHANNELS, "Set", &call);
        if (code != EXIT_CODE_OK)
                return code;

        (void) sd_bus_message_sensitive(call);
        code = target_send(&target, call, append_channel(call, w), &reply);
        if (code != EXIT_CODE_OK)
                return code;
        if (sd_bus_message_read(reply, "o", &path) < 0)
                return ctl_fail(EXIT_CODE_FAILED, "the daemon's answer to Set makes no sense");
        return target_print(&target, path, IFACE_CHANNEL, "Slot");
}

static ExitCode run_add(const CtlOptions *options, const Args *args) {
        g_auto(Wanted) w = {.slot = SLOT_FREE, .name = args_word(args, 0) ?: ""};

        return set_channel(options, args, &w);
}

static ExitCode run_set(const CtlOptions *options, const Args *args) {
        g_auto(Wanted) w = {.name = args_word(args, 1) ?: ""};
        uint64_t slot;

        if (parse_number(args_word(args, 0), SLOT_MAX, &slot) < 0)
                return ctl_fail(EXIT_CODE_USAGE, "a slot is a number up to %i, not: %s", SLOT_MAX,
                                args_word(args, 0));
        w.slot = (uint8_t) slot;
        return set_channel(options, args, &w);
}

static const VerbOption set_options[] = {
                {"secret-file", 's', "FILE",
                 "32 hex digits are in this file; -: read them from standard input", WORD_ANY, NULL},
                {"hashtag", 0, NULL, "the secret follows from the name, which begins with #", WORD_ANY, NULL},
                {"public", 'p', NULL, "the well-known public channel; the name may be left out", WORD_ANY,
                 NULL},
                {"random", 0, NULL, "a new private channel; \"channel export\" tells others", WORD_ANY, NULL},
                {},
};

#define ABOUT_SECRETS                                                                                 \
        "A name that begins with # is a hashtag channel unless something else is said. A secret is\n" \
        "never a word of the command line, where every user could read it.\n"

static const Verb channel_add = {
                .name = "channel add",
                .arguments = "[NAME] [OPTION…]",
                .summary = "Put a channel into the first free slot",
                .description = ABOUT_SECRETS
                "\n"
                "Prints the slot; with --json: one object as in \"channels --json\".\n",
                .examples = "  meshcorectl channel add '#test'\n"
                            "  meshcorectl channel add --public\n"
                            "  meshcorectl channel add Family --random\n"
                            "  pass show mesh/family | meshcorectl channel add Family --secret-file -\n",
                .options = set_options,
                .max_words = 1,
                .run = run_add,
};

static const Verb channel_set = {
                .name = "channel set",
                .arguments = "SLOT [NAME] [OPTION…]",
                .summary = "Put a channel into a slot, also one that holds another",
                .description = ABOUT_SECRETS
                "The messages of the channel that leaves stay, and come back with its secret.\n"
                "\n"
                "Prints the slot; with --json: one object as in \"channels --json\".\n",
                .examples = "  meshcorectl channel set 2 '#test'\n"
                            "  meshcorectl channel set 3 Family --secret-file family.key\n",
                .options = set_options,
                .min_words = 1,
                .max_words = 2,
                .run = run_set,
};

/* -- clear ------------------------------------------------------------------ */

static ExitCode run_clear(const CtlOptions *options, const Args *args) {
        g_auto(Target) target = {};
        const char *path;
        ExitCode code;

        code = target_open_channel(options, args_word(args, 0), &target, &path);
        return code == EXIT_CODE_OK ? target_call(&target, NULL, path, IFACE_CHANNEL, "Clear", NULL) : code;
}

static const Verb channel_clear = {
                .name = "channel clear",
                .arguments = "CHANNEL",
                .summary = "Take a channel out of its slot",
                .description = "Its messages stay, and come back with the secret. Prints nothing, also with "
                               "--json.\n",
                .examples = "  meshcorectl channel clear test\n"
                            "  meshcorectl channel clear 2\n",
                .min_words = 1,
                .max_words = 1,
                .word = WORD_CHANNEL,
                .run = run_clear,
};

/* -- export, secret, import --------------------------------------------------- */

static ExitCode run_export(const CtlOptions *options, const Args *args) {
        _cleanup_message_ sd_bus_message *reply = NULL;
        g_auto(Target) target = {};
        const char *path, *uri;
        ExitCode code;

        code = target_open_channel(options, args_word(args, 0), &target, &path);
        if (code == EXIT_CODE_OK)
                code = target_call(&target, &reply, path, IFACE_CHANNEL, "Export", NULL);
        if (code != EXIT_CODE_OK)
                return code;
        if (sd_bus_message_read(reply, "s", &uri) < 0)
                return ctl_fail(EXIT_CODE_FAILED, "the daemon's answer to Export makes no sense");
        target_print_text(&target, "Uri", uri);
        return EXIT_CODE_OK;
}

static const Verb channel_export = {
                .name = "channel export",
                .arguments = "CHANNEL",
                .summary = "Print the URI of a channel, which contains its secret",
                .description = "Who has it can read and write on the channel. Needs the right to "
                               "administer.\n"
                               "\n"
                               "With --json: {\"Uri\"}.\n",
                .examples = "  meshcorectl channel export Family | qrencode -t utf8\n",
                .min_words = 1,
                .max_words = 1,
                .word = WORD_CHANNEL,
                .run = run_export,
};

static ExitCode run_secret(const CtlOptions *options, const Args *args) {
        _cleanup_message_ sd_bus_message *reply = NULL;
        g_autofree char *digits = NULL;
        g_auto(Target) target = {};
        const char *path;
        const void *secret;
        ExitCode code;
        size_t size;

        code = target_open_channel(options, args_word(args, 0), &target, &path);
        if (code == EXIT_CODE_OK)
                code = target_call(&target, &reply, path, IFACE_CHANNEL, "GetSecret", NULL);
        if (code != EXIT_CODE_OK)
                return code;
        if (sd_bus_message_read_array(reply, 'y', &secret, &size) < 0)
                return ctl_fail(EXIT_CODE_FAILED, "the daemon's answer to GetSecret makes no sense");
        digits = hex_dup(secret, size);
        target_print_text(&target, "Secret", digits);
        return EXIT_CODE_OK;
}

static const Verb channel_secret = {
                .name = "channel secret",
                .arguments = "CHANNEL",
                .summary = "Print the secret of a channel",
                .description = "32 hex digits. Needs the right to administer. With --json: {\"Secret\"}.\n",
                .examples = "  meshcorectl channel secret Family > family.key\n",
                .min_words = 1,
                .max_words = 1,
                .word = WORD_CHANNEL,
                .run = run_secret,
};

static ExitCode run_import(const CtlOptions *options, const Args *args) {
        _cleanup_message_ sd_bus_message *call = NULL, *reply = NULL;
        g_auto(Target) target = {};
        const char *path;
        ExitCode code;
        char *uri;
        int r;

        code = target_open(options, NULL, &target);
        if (code == EXIT_CODE_OK)
                code = client_new_call(target.client, target.radio, IFACE_CHANNELS, "Import", &call);
        if (code == EXIT_CODE_OK)
                code = text_input_line(args_get(args, "file"), "URI of the channel", true, &uri);
        if (code != EXIT_CODE_OK)
                return code;

        (void) sd_bus_message_sensitive(call);
        r = sd_bus_message_append(call, "s", uri);
        explicit_bzero(uri, strlen(uri));
        g_free(uri);
        code = target_send(&target, call, r, &reply);
        if (code != EXIT_CODE_OK)
                return code;
        if (sd_bus_message_read(reply, "o", &path) < 0)
                return ctl_fail(EXIT_CODE_FAILED, "the daemon's answer to Import makes no sense");
        return target_print(&target, path, IFACE_CHANNEL, "Slot");
}

static const VerbOption import_options[] = {
                {"file", 'f', "FILE", "read the URI from this file", WORD_ANY, NULL},
                {},
};

static const Verb channel_import = {
                .name = "channel import",
                .arguments = "[--file FILE]",
                .summary = "Add a channel from its URI, read from standard input",
                .description = "The URI contains the secret, so it is no word of the command line, where "
                               "every\n"
                               "user could read it. On a terminal it is asked for. The channel goes into the "
                               "first\n"
                               "free slot; one that the radio has already stays where it is.\n"
                               "\n"
                               "Prints the slot; with --json: one object as in \"channels --json\".\n",
                .examples = "  zbarimg -q --raw channel.png | meshcorectl channel import\n",
                .options = import_options,
                .run = run_import,
};

/* -- datagrams ---------------------------------------------------------------------- */

static ExitCode run_send_data(const CtlOptions *options, const Args *args) {
        _cleanup_message_ sd_bus_message *call = NULL, *reply = NULL;
        const char *path, *digits = args_word(args, 2);
        guint64 type;
        g_auto(Target) target = {};
        ExitCode code;
        int r;

        if (!g_ascii_string_to_unsigned(args_word(args, 1), 16, 1, UINT16_MAX, &type, NULL))
                return ctl_fail(EXIT_CODE_USAGE, "TYPE is 1 to ffff in hex digits, not: %s",
                                args_word(args, 1));
        code = target_open_channel(options, args_word(args, 0), &target, &path);
        if (code == EXIT_CODE_OK)
                code = client_new_call(target.client, path, IFACE_CHANNEL, "SendData", &call);
        if (code != EXIT_CODE_OK)
                return code;

        r = sd_bus_message_append(call, "q", (uint16_t) type);
        if (r >= 0)
                r = answer_append_hex(call, digits);
        if (r == -EINVAL)
                return ctl_fail(EXIT_CODE_USAGE, "%s is not made of pairs of hex digits", digits);
        if (r >= 0)
                r = sd_bus_message_append(call, "a{sv}", 0);
        code = target_send(&target, call, r, &reply);
        if (code != EXIT_CODE_OK)
                return code;
        if (sd_bus_message_read(reply, "o", &path) < 0)
                return ctl_fail(EXIT_CODE_FAILED, "the daemon's answer to SendData makes no sense");
        target_print_text(&target, "Path", path);
        return EXIT_CODE_OK;
}

static const Verb channel_send_data = {
                .name = "channel send-data",
                .arguments = "CHANNEL TYPE HEX",
                .summary = "Send a datagram on a channel",
                .description = "For programs. TYPE is hex digits: 0100 to feff are registered for\n"
                               "applications, ff00 to fffe are for trials. At most 165 bytes. Takes "
                               "firmware\n"
                               "1.15. \"messages\" lists it as it does texts.\n"
                               "\n"
                               "Prints the path of the message; with --json: {\"Path\"}.\n",
                .examples = "  meshcorectl channel send-data '#test' ff01 00112233\n",
                .min_words = 3,
                .max_words = 3,
                .word = WORD_CHANNEL,
                .run = run_send_data,
};

static const Verb *const parts[] = {&channel_list,   &channel_add,       &channel_set,
                                    &channel_clear,  &channel_export,    &channel_import,
                                    &channel_secret, &channel_send_data, NULL};

const Verb verb_channel = {
                .name = "channel",
                .summary = "Set, clear, share and import channels",
                .description = "CHANNEL is the slot, the exact name, or the name without its leading #.\n",
                .examples = "  meshcorectl channel add '#test'\n"
                            "  meshcorectl channel export test\n",
                .parts = parts,
};
