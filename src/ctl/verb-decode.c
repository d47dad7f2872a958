/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "decode.h"
#include "verbs.h"

/* decode reads its own options; --json may have been given before the verb too. */
static ExitCode run_decode(const CtlOptions *options, const Args *args) {
        g_autoptr(GPtrArray) argv = g_ptr_array_new();

        g_ptr_array_add(argv, (char *) "decode");
        if (options->json)
                g_ptr_array_add(argv, (char *) "--json");
        for (unsigned i = 0; i < args_count(args); i++)
                g_ptr_array_add(argv, (char *) args_word(args, i));
        g_ptr_array_add(argv, NULL);

        return (ExitCode) decode_main((int) argv->len - 1, (char **) argv->pdata);
}

/* For the help and completion; decode_main() reads them. */
static const VerbOption decode_options[] = {
                {"json", 0, NULL, "one JSON object a line: code, name and fields, or error", WORD_ANY, NULL},
                {"stream", 0, NULL, "HEX are bytes of serial or TCP, with headers, cut anywhere", WORD_ANY,
                 NULL},
                {"request", 0, "KIND", "which question a BINARY_RESPONSE answers; none: show its bytes",
                 WORD_CHOICE, "status telemetry mma acl neighbours owner-info regions owner basic none"},
                {"node-type", 0, "TYPE", "which kind of node a status is of", WORD_CHOICE,
                 "repeater room sensor chat"},
                {"prefix-length", 0, "N", "bytes of each key in an answer to neighbours", WORD_ANY, NULL},
                {"level", 0, "N", "protocol level of the radio; default: the newest", WORD_ANY, NULL},
                {},
};

static const char decode_description[] =
                "Each HEX is one frame as the radio sends it, without the header of serial or TCP.\n"
                "Blanks and colons between the digits do not matter; - reads frames from standard\n"
                "input, one a line.\n"
                "\n"
                "A radio tells neither which question a BINARY_RESPONSE answers nor what kind of\n"
                "node a status is of. Say it with --request and --node-type; otherwise the best\n"
                "guess is shown. Pieces of a --stream are from the radio (>) or from the app (<).\n"
                "\n"
                "Exit status 1 when a frame could not be decoded.\n";

static const char decode_examples[] =
                "  meshcorectl decode 0a 83\n"
                "  meshcorectl decode --json 0c400f1903000078050000\n"
                "  meshcorectl decode --request acl 8c00ae4a120b21995f5c9e12030000000000\n"
                "  meshcorectl decode --stream 3e010083 3e01000a\n"
                "  meshcorectl decode --json - <frames.txt\n";

const Verb verb_decode = {
                .name = "decode",
                .arguments = "[OPTION…] HEX…",
                .summary = "Explain frames of the companion protocol, without a daemon",
                .description = decode_description,
                .options = decode_options,
                .examples = decode_examples,
                .max_words = UINT_MAX,
                .own_options = true,
                .run = run_decode,
};
