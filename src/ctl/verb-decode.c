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

const Verb verb_decode = {
                .name = "decode",
                .arguments = "[--json] HEX…",
                .summary = "Explain frames of the companion protocol, without a daemon",
                .description = "Each HEX is one frame as the radio sends it, without the framing of the "
                               "serial line.\n"
                               "Exit status 1 when one of them could not be decoded.\n",
                .examples = "  meshcorectl decode 0a\n"
                            "  meshcorectl decode --json 0a 83\n",
                .max_words = UINT_MAX,
                .own_options = true,
                .run = run_decode,
};
