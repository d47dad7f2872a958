/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "fuzz.h"
#include "macros.h"
#include "terminal.h"
#include "utf8.h"

/* Whatever comes in, valid UTF-8 goes out; repairing twice changes nothing; a
 * cut keeps it valid; a terminal gets no controls. */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        g_autofree char *text = utf8_repair(data, size);
        g_autofree char *again = utf8_repair(text, strlen(text));
        g_autofree char *shown = terminal_escape(text);

        FUZZ_ASSERT(g_utf8_validate(text, -1, NULL));
        FUZZ_ASSERT(strcmp(text, again) == 0);

        for (size_t limit = 0; limit <= strlen(text) && limit < 64; limit++) {
                size_t cut = utf8_cut(text, limit);

                FUZZ_ASSERT(cut <= limit && limit - cut < 4);
                FUZZ_ASSERT(g_utf8_validate(text, (gssize) cut, NULL));
        }

        FUZZ_ASSERT(g_utf8_validate(shown, -1, NULL));
        for (const char *p = shown; *p; p = g_utf8_next_char(p))
                FUZZ_ASSERT(!g_unichar_iscntrl(g_utf8_get_char(p)));
        return 0;
}
