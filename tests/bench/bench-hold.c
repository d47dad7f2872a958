/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How long others wait while somebody searches the whole history for what is not in it: the latency of a
 * cheap call, without and with so many searches under way. */
#include <err.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench-util.h"

#define SERVICE     "org.meshcored1"
#define RADIO       "/org/meshcored1/radio/bench"
#define MESSAGES    "org.meshcored1.Messages"
#define QUIET_CALLS 1000
#define CALLS_MAX   1000000
#define LIMIT_USEC  (UINT64_C(600) * 1000000)
#define BAR         20000.0 /* us */

static unsigned running;

static int on_found(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        if (sd_bus_message_is_method_error(reply, NULL))
                errx(1, "List: %s", sd_bus_message_get_error(reply)->message);
        running--;
        return 1;
}

static void search(sd_bus *bus) {
        int r;

        r = sd_bus_call_method_async(bus, NULL, SERVICE, RADIO, MESSAGES, "List", on_found, NULL,
                                     "a{sv}tua{sv}", 1, "Text", "s", "that is nowhere", UINT64_C(0), 100u, 0);
        if (r < 0)
                errx(1, "cannot search: %s", strerror(-r));
        running++;
}

static uint64_t call(sd_bus *bus) {
        sd_bus_error error = SD_BUS_ERROR_NULL;
        uint64_t begun = bench_now(), last;

        if (sd_bus_get_property_trivial(bus, SERVICE, RADIO, MESSAGES, "LastId", &error, 't', &last) < 0)
                errx(1, "LastId: %s", error.message);
        return bench_now() - begun;
}

int main(int argc, char **argv) {
        unsigned searches = argc > 1 ? (unsigned) strtoul(argv[1], NULL, 10) : 1;
        static uint64_t quiet[QUIET_CALLS], busy[CALLS_MAX];
        sd_bus *searcher = bench_open_bus(), *caller = bench_open_bus();
        uint64_t begun, took;
        char what[96];
        size_t n = 0;

        sd_bus_set_method_call_timeout(searcher, LIMIT_USEC);
        for (size_t i = 0; i < QUIET_CALLS; i++)
                quiet[i] = call(caller);

        begun = bench_now();
        for (unsigned i = 0; i < searches; i++)
                search(searcher);
        sd_bus_flush(searcher);
        while (running > 0 && n < CALLS_MAX) {
                int r;

                busy[n++] = call(caller);
                do {
                        r = sd_bus_process(searcher, NULL);
                        if (r < 0)
                                errx(1, "bus: %s", strerror(-r));
                } while (r > 0);
        }
        took = bench_now() - begun;

        snprintf(what, sizeof(what), "a call while %u searches run, p99", searches);
        bench_print(what, "us", (double) bench_quantile(busy, n, 0.99) / 1e3,
                    (double) bench_quantile(quiet, QUIET_CALLS, 0.99) / 1e3, BAR);
        snprintf(what, sizeof(what), "a call while %u searches run, longest", searches);
        bench_print(what, "us", (double) bench_quantile(busy, n, 1) / 1e3,
                    (double) bench_quantile(quiet, QUIET_CALLS, 1) / 1e3, BAR);
        snprintf(what, sizeof(what), "until all of %u searches are answered", searches);
        bench_print(what, "ms", (double) took / 1e6, (double) NAN, (double) NAN);

        sd_bus_close_unref(searcher);
        sd_bus_close_unref(caller);
        return 0;
}
