/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Cards and URIs: what was read is printed, and reads the same. */

#include <stdlib.h>
#include <string.h>

#include "card.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        char *text = malloc(size + 1), printed[CARD_URI_SIZE_MAX];
        Card card, again;
        int r;

        if (size > 0)
                memcpy(text, data, size);
        text[size] = '\0';
        r = card_parse(text, &card);
        free(text);
        if (r < 0)
                return 0;

        r = card_print(&card, printed, sizeof(printed));
        FUZZ_ASSERT(r > 0 && (size_t) r == strlen(printed));
        FUZZ_ASSERT(card_parse(printed, &again) == 0);
        FUZZ_ASSERT(again.kind == card.kind && again.packet_size == card.packet_size &&
                    again.type == card.type);
        FUZZ_ASSERT(memcmp(again.packet, card.packet, sizeof(card.packet)) == 0);
        FUZZ_ASSERT(strcmp(again.name, card.name) == 0 && strcmp(again.region_scope, card.region_scope) == 0);
        return 0;
}
