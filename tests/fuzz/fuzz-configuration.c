/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "configuration.h"
#include "fuzz.h"
#include "macros.h"
#include "settings.h"

/* Any file can be read, every radio that comes out can run, and every message
 * is text for a log line. */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        g_autoptr(Configuration) config = configuration_new();

        /* Twice: as a file, and again as a drop-in over it. */
        configuration_parse(config, "fuzz.conf", (const char *) data, size);
        configuration_parse(config, "fuzz.conf.d/a.conf", (const char *) data, size / 2);
        configuration_finish(config);

        FUZZ_ASSERT(config->radios->len <= CONFIGURATION_RADIOS_MAX);
        for (guint i = 0; i < config->radios->len; i++) {
                const RadioSettings *radio = config->radios->pdata[i];

                FUZZ_ASSERT(radio_id_is_valid(radio->id));
                FUZZ_ASSERT(radio->transport >= 0 && radio->transport < _TRANSPORT_MAX);
                FUZZ_ASSERT(radio->address && (radio->address[0] || radio->transport == TRANSPORT_BLE));
                FUZZ_ASSERT(g_utf8_validate(radio->address, -1, NULL));
                FUZZ_ASSERT(radio->transport != TRANSPORT_TCP || radio->port > 0);
                FUZZ_ASSERT(radio->backoff_cap_usec >= USEC_PER_SEC);
                FUZZ_ASSERT(radio->poll_usec >= 10 * USEC_PER_SEC);
        }

        FUZZ_ASSERT(config->problems->len <= CONFIGURATION_PROBLEMS_MAX);
        for (guint i = 0; i < config->problems->len; i++) {
                const ConfigurationProblem *problem = config->problems->pdata[i];

                FUZZ_ASSERT(g_utf8_validate(problem->text, -1, NULL));
                for (const char *p = problem->text; *p; p = g_utf8_next_char(p))
                        FUZZ_ASSERT(!g_unichar_iscntrl(g_utf8_get_char(p)));
        }
        return 0;
}
