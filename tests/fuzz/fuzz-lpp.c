/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fuzz.h"
#include "lpp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        LppReader reader;
        LppItem item;
        size_t last = 0;

        lpp_init(&reader, (Slice){data, size});
        while (lpp_next(&reader, &item)) {
                FUZZ_ASSERT(reader.offset > last && reader.offset <= size);
                FUZZ_ASSERT(item.channel != 0 && lpp_type_to_string(item.type));
                FUZZ_ASSERT(item.n_values <= LPP_VALUES_MAX);
                for (size_t i = 0; i < item.n_values; i++)
                        FUZZ_ASSERT(item.scales[i] > 0);
                fuzz_touch(item.raw.data, item.raw.size);
                last = reader.offset;
        }
        FUZZ_ASSERT(reader.end != LPP_END_DATA || reader.offset == size);
        return 0;
}
