/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fuzz.h"
#include "status.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        for (NodeType type = 0; type < _NODE_TYPE_MAX; type++) {
                Status status;
                int r = status_decode((Slice){data, size}, type, &status);

                FUZZ_ASSERT((r == 0) == (size >= STATUS_SIZE_MIN));
                if (r == 0)
                        FUZZ_ASSERT(status_layout_to_string(status.layout));
        }
        return 0;
}
