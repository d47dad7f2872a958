/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "answer.h"
#include "autobus.h"
#include "command-line.h"
#include "hex.h"
#include "key.h"
#include "verb-radio-internal.h"
#include "when.h"

/* The mesh around a radio: traces, who is in reach, and bytes of one's own. */

#define HOP_SIZE_MAX 8
#define HOPS_MAX     64

typedef struct Hops {
        uint8_t bytes[HOPS_MAX][HOP_SIZE_MAX];
        size_t size, n; /* size: of each; 0: not known yet */
} Hops;

/* -- trace ------------------------------------------------------------------------ */

static ExitCode check_hop_size(Hops *hops, size_t size, const char *word) {
        if (size != 1 && size != 2 && size != 4 && size != 8)
                return ctl_fail(EXIT_CODE_USAGE,
                                "a hop has 2, 4, 8 or 16 hex digits, or is a contact, not: %s", word);
        if (hops->size > 0 && hops->size != size)
                return ctl_fail(EXIT_CODE_USAGE, "all hops have the same number of digits; %s differs", word);
        hops->size = size;
        return EXIT_CODE_OK;
}

/* Digits as they are; of a contact the beginning of its key. */
static ExitCode add_hop(const Target *t, const char *word, Hops *hops) {
        uint8_t bytes[PUBLIC_KEY_SIZE];
        ExitCode code = EXIT_CODE_OK;
        const char *path;
        PublicKey key;
        int size;

        if (hops->n >= HOPS_MAX)
                return ctl_fail(EXIT_CODE_USAGE, "a path has at most %d hops", HOPS_MAX);

        size = hex_decode(word, strlen(word), bytes, HOP_SIZE_MAX);
        if (size > 0)
                code = check_hop_size(hops, (size_t) size, word);
        else {
                code = target_find_contact(t, word, &path);
                if (code == EXIT_CODE_OK &&
                    key_from_text(json_string(objects_get(t->objects, path, IFACE_CONTACT), "Key"), &key) < 0)
                        code = ctl_fail(EXIT_CODE_FAILED, "the daemon tells no key of %s", word);
                if (code == EXIT_CODE_OK && hops->size == 0)
                        hops->size = 1;
        }
        if (code == EXIT_CODE_OK)
                memcpy(hops->bytes[hops->n++], size > 0 ? bytes : key.bytes, hops->size);
        return code;
}

static int append_hops(sd_bus_message *call, const Hops *hops) {
        int r;

        r = sd_bus_message_open_container(call, 'a', "ay");
        for (size_t i = 0; r >= 0 && i < hops->n; i++)
                r = sd_bus_message_append_array(call, 'y', hops->bytes[i], hops->size);
        return r < 0 ? r : sd_bus_message_close_container(call);
}

static ExitCode run_trace(const CtlOptions *options, const Args *args) {
        _cleanup_message_ sd_bus_message *call = NULL;
        uint64_t bytes = 0, auth = 0;
        g_auto(Target) target = {};
        Hops hops = {};
        ExitCode code;
        int r;

        code = args_get_number(args, "bytes", HOP_SIZE_MAX, &bytes);
        if (code == EXIT_CODE_OK)
                code = args_get_number(args, "auth", UINT32_MAX, &auth);
        if (code == EXIT_CODE_OK && args_has(args, "bytes"))
                code = check_hop_size(&hops, bytes, args_get(args, "bytes"));
        if (code == EXIT_CODE_OK)
                code = target_open(options, NULL, &target);
        for (unsigned i = 0; code == EXIT_CODE_OK && i < args_count(args); i++)
                code = add_hop(&target, args_word(args, i), &hops);
        for (size_t i = hops.n; code == EXIT_CODE_OK && args_has(args, "back") && i-- > 1;) {
                if (hops.n >= HOPS_MAX)
                        return ctl_fail(EXIT_CODE_USAGE, "there and back a path has at most %d hops",
                                        HOPS_MAX);
                memcpy(hops.bytes[hops.n++], hops.bytes[i - 1], HOP_SIZE_MAX);
        }
        if (code == EXIT_CODE_OK)
                code = client_new_call(target.client, target.radio, IFACE_MONITOR, "TracePath", &call);
        if (code != EXIT_CODE_OK)
                return code;

        r = append_hops(call, &hops);
        if (r >= 0)
                r = sd_bus_message_append(call, "a{sv}", 1, "AuthCode", "u", (uint32_t) auth);
        return answer_ask(&target, call, r, false);
}

static const VerbOption trace_options[] = {
                {"back", 'b', NULL, "go back the same way", WORD_ANY, NULL},
                {"bytes", 0, "N", "of each contact's key: 1 (the default), 2, 4 or 8", WORD_CHOICE,
                 "1 2 4 8"},
                {"auth", 0, "NUMBER", "pass this code on (default: 0)", WORD_ANY, NULL},
                {},
};

const Verb radio_trace = {
                .name = "radio trace",
                .arguments = "HOP…",
                .summary = "Send a packet along a path, and show how well each node heard it",
                .description = "A HOP is a contact, or the first 2, 4, 8 or 16 hex digits of its key, all "
                               "of\n"
                               "one length. The path names every node that is to pass the packet on, also "
                               "on\n"
                               "the way back: the last one has to be in reach. --back adds that way.\n"
                               "\n"
                               "Prints a line for each hop, and one for this radio. With --json: what\n"
                               "TracePath of org.meshcored1.Monitor returns.\n",
                .examples = "  meshcorectl radio trace Hilltop\n"
                            "  meshcorectl radio trace --back Hilltop Ridge\n"
                            "  meshcorectl radio trace a1b2 c3d4 a1b2\n",
                .options = trace_options,
                .min_words = 1,
                .max_words = HOPS_MAX,
                .word = WORD_CONTACT,
                .run = run_trace,
};

/* -- discover ----------------------------------------------------------------------- */

static int append_types(sd_bus_message *call, const char *types) {
        g_auto(GStrv) words = g_strsplit(types, ",", -1);
        int r;

        r = sd_bus_message_open_container(call, 'e', "sv");
        if (r >= 0)
                r = sd_bus_message_append_basic(call, 's', "Types");
        if (r >= 0)
                r = sd_bus_message_open_container(call, 'v', "as");
        if (r >= 0)
                r = sd_bus_message_append_strv(call, words);
        for (unsigned i = 0; r >= 0 && i < 2; i++)
                r = sd_bus_message_close_container(call);
        return r;
}

static ExitCode run_discover(const CtlOptions *options, const Args *args) {
        _cleanup_message_ sd_bus_message *call = NULL;
        g_auto(Target) target = {};
        uint64_t usec = 0;
        ExitCode code;
        int r;

        if (args_has(args, "wait") && parse_duration(args_get(args, "wait"), &usec) < 0)
                return ctl_fail(EXIT_CODE_USAGE, "--wait takes a time such as 30s");
        code = target_open(options, NULL, &target);
        if (code == EXIT_CODE_OK)
                code = client_new_call(target.client, target.radio, IFACE_MONITOR, "DiscoverNodes", &call);
        if (code != EXIT_CODE_OK)
                return code;

        r = sd_bus_message_open_container(call, 'a', "{sv}");
        if (r >= 0 && args_has(args, "types"))
                r = append_types(call, args_get(args, "types"));
        if (r >= 0 && args_has(args, "wait"))
                r = sd_bus_message_append(call, "{sv}", "WaitUSec", "t", usec);
        if (r >= 0 && args_has(args, "short"))
                r = sd_bus_message_append(call, "{sv}", "PrefixOnly", "b", 1);
        if (r >= 0)
                r = sd_bus_message_close_container(call);
        return answer_ask(&target, call, r, false);
}

static const VerbOption discover_options[] = {
                {"types", 't', "TYPE,…", "ask these: chat, repeater, room, sensor", WORD_CHOICE,
                 "chat repeater room sensor"},
                {"wait", 'w', "TIME", "collect answers so long (default: 15s)", WORD_ANY, NULL},
                {"short", 0, NULL, "let them send 8 bytes of their keys only", WORD_ANY, NULL},
                {},
};

const Verb radio_discover = {
                .name = "radio discover",
                .arguments = "",
                .summary = "Ask which nodes are in direct reach",
                .description = "Repeaters, rooms and sensors are asked unless --types says otherwise, and\n"
                               "answer after a while of their own choice; repeaters do so four times in two\n"
                               "minutes at most. SnrThere is how well the node heard us.\n"
                               "\n"
                               "With --json: what DiscoverNodes of org.meshcored1.Monitor returns.\n",
                .examples = "  meshcorectl radio discover\n"
                            "  meshcorectl radio discover --types repeater --wait 30s --json\n",
                .options = discover_options,
                .run = run_discover,
};

/* -- bytes ----------------------------------------------------------------------------- */

/* The last word is the bytes; r is how putting together what goes before went. */
static ExitCode send_bytes(const Target *target, sd_bus_message *call, int r, const char *digits) {
        if (r >= 0)
                r = answer_append_hex(call, digits);
        if (r == -EINVAL)
                return ctl_fail(EXIT_CODE_USAGE, "%s is not made of pairs of hex digits", digits);
        return target_send(target, call, r, NULL);
}

static ExitCode run_send_raw(const CtlOptions *options, const Args *args) {
        unsigned last = args_count(args) - 1;
        _cleanup_message_ sd_bus_message *call = NULL;
        g_auto(Target) target = {};
        Hops hops = {.size = 1};
        ExitCode code;

        code = target_open(options, NULL, &target);
        for (unsigned i = 0; code == EXIT_CODE_OK && i < last; i++)
                code = add_hop(&target, args_word(args, i), &hops);
        if (code == EXIT_CODE_OK)
                code = client_new_call(target.client, target.radio, IFACE_MONITOR, "SendRaw", &call);
        if (code != EXIT_CODE_OK)
                return code;
        return send_bytes(&target, call, append_hops(call, &hops), args_word(args, last));
}

const Verb radio_send_raw = {
                .name = "radio send-raw",
                .arguments = "[HOP…] HEX",
                .summary = "Send bytes without any form to a node",
                .description = "A HOP is a contact or the first 2 hex digits of its key, nearest to us "
                               "first;\n"
                               "without one the bytes are for who is in reach. At least 4 bytes. Needs the\n"
                               "right to administer. Prints nothing, also with --json.\n",
                .examples = "  meshcorectl radio send-raw Hilltop 00112233\n",
                .min_words = 1,
                .max_words = HOPS_MAX,
                .word = WORD_CONTACT,
                .run = run_send_raw,
};

static ExitCode run_send_control(const CtlOptions *options, const Args *args) {
        _cleanup_message_ sd_bus_message *call = NULL;
        g_auto(Target) target = {};
        ExitCode code;

        code = target_open(options, NULL, &target);
        if (code == EXIT_CODE_OK)
                code = client_new_call(target.client, target.radio, IFACE_MONITOR, "SendControl", &call);
        return code == EXIT_CODE_OK ? send_bytes(&target, call, 0, args_word(args, 0)) : code;
}

const Verb radio_send_control = {
                .name = "radio send-control",
                .arguments = "HEX",
                .summary = "Send control data to who is in reach",
                .description = "The first byte is 80 to ff. \"radio discover\" sends the one kind that is "
                               "known\n"
                               "so far. Needs the right to administer. Prints nothing, also with --json.\n",
                .examples = "  meshcorectl radio send-control 800401efcdab\n",
                .min_words = 1,
                .max_words = 1,
                .run = run_send_control,
};

static ExitCode run_send_packet(const CtlOptions *options, const Args *args) {
        _cleanup_message_ sd_bus_message *call = NULL;
        g_auto(Target) target = {};
        uint64_t priority = 0;
        ExitCode code;

        code = args_get_number(args, "priority", UINT8_MAX, &priority);
        if (code == EXIT_CODE_OK)
                code = target_open(options, NULL, &target);
        if (code == EXIT_CODE_OK)
                code = client_new_call(target.client, target.radio, IFACE_MONITOR, "SendPacket", &call);
        if (code != EXIT_CODE_OK)
                return code;
        return send_bytes(&target, call, sd_bus_message_append(call, "y", (uint8_t) priority),
                          args_word(args, 0));
}

static const VerbOption packet_options[] = {
                {"priority", 'p', "N", "0 (the default) is the highest", WORD_ANY, NULL},
                {},
};

const Verb radio_send_packet = {
                .name = "radio send-packet",
                .arguments = "HEX",
                .summary = "Send a whole packet of the mesh",
                .description = "Header first, as it is to go on air. Takes firmware 1.16 and the right to\n"
                               "administer. Prints nothing, also with --json.\n",
                .examples = "  meshcorectl radio send-packet 3e0072617720696e\n",
                .options = packet_options,
                .min_words = 1,
                .max_words = 1,
                .run = run_send_packet,
};
