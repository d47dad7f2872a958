/* SPDX-License-Identifier: GPL-3.0-or-later */

/* From a frame to the text and the JSON of meshcorectl decode. The first byte is the
 * request, the second the protocol level. */

#include <string.h>

#include "decode-internal.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        g_autoptr(JsonObject) record = NULL;
        g_autoptr(JsonNode) node = NULL;
        g_autofree char *text = NULL, *json = NULL;
        FrameContext context;

        if (size < 2)
                return 0;

        context = (FrameContext){.request = (ReplyKind) (data[0] % _REPLY_KIND_MAX), .level = data[1]};
        record = decode_record(data + 2, size - 2, &context, true);
        text = decode_record_to_text(record);
        node = json_node_new(JSON_NODE_OBJECT);
        json_node_set_object(node, record);
        json = json_to_string(node, FALSE);

        /* Valid, and nothing that moves a cursor or forges a line of JSON. */
        FUZZ_ASSERT(g_utf8_validate(text, -1, NULL) && g_utf8_validate(json, -1, NULL));
        FUZZ_ASSERT(!strchr(text, '\x1b') && !strchr(json, '\n') && !strchr(json, '\x1b'));
        return 0;
}
