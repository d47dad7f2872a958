/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Last byte of a message frame on TCP → Received at a subscriber, beside one
 * bare signal between two processes on the same bus; the samples alternate. */
#include <err.h>
#include <math.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench-radio.h"
#include "bench-util.h"

#define WARM_UP 100

typedef struct Latency {
        sd_bus *bus;
        BenchRadio *radio;
        unsigned wanted, sent;
        bool waiting;  /* hand the next message out */
        bool has_sent; /* and it is on its way */
        uint64_t sent_at, arrived_at;
} Latency;

static size_t next_message(BenchRadio *radio, uint8_t frame[BENCH_FRAME_MAX], void *userdata) {
        Latency *latency = userdata;
        char text[64];
        size_t size;

        if (!latency->waiting)
                return 0;

        snprintf(text, sizeof(text), "message number %u of the bench", latency->sent);
        size = bench_radio_text(frame, latency->sent % 10, 1700000000 + latency->sent, text);
        latency->sent++;
        latency->waiting = false;
        latency->has_sent = true;
        latency->sent_at = bench_now();
        return size;
}

static int on_signal(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Latency *latency = userdata;

        latency->arrived_at = bench_now();
        return 1;
}

static int on_floor(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Latency *latency = userdata;
        uint64_t sent_at;

        latency->arrived_at = bench_now();
        if (sd_bus_message_read(m, "t", &sent_at) < 0)
                errx(1, "bad floor signal");
        latency->sent_at = sent_at;
        return 1;
}

/* Until a signal has arrived. Nothing else is served meanwhile. */
static void wait_arrival(Latency *latency) {
        latency->arrived_at = 0;
        while (latency->arrived_at == 0) {
                int r = sd_bus_process(latency->bus, NULL);

                if (r < 0)
                        errx(1, "bus: %s", strerror(-r));
                if (r == 0 && sd_bus_wait(latency->bus, 20 * 1000000) <= 0)
                        errx(1, "no signal within 20 s");
        }
}

static void serve(Latency *latency) {
        if (!bench_radio_serve(latency->radio))
                errx(1, "the daemon has closed the link");
}

/* Until the radio has told "no more messages" after everything sent so far. */
static void serve_drain(Latency *latency) {
        unsigned before = bench_radio_count(latency->radio, 10);

        while (bench_radio_count(latency->radio, 10) == before)
                serve(latency);
}

static uint64_t measure_message(Latency *latency) {
        latency->waiting = true;
        latency->has_sent = false;
        bench_radio_send(latency->radio, (const uint8_t[]){0x83}, 1);
        while (!latency->has_sent)
                serve(latency);
        wait_arrival(latency);
        uint64_t result = latency->arrived_at - latency->sent_at;

        serve_drain(latency);
        return result;
}

static uint64_t measure_floor(Latency *latency, BenchEmitter *emitter) {
        bench_emitter_round(emitter);
        wait_arrival(latency);
        return latency->arrived_at - latency->sent_at;
}

/* The first drain comes after the sync; what the daemon asks later than that is ours. */
static void wait_ready(Latency *latency) {
        while (bench_radio_count(latency->radio, 10) == 0)
                serve(latency);
        for (;;) {
                struct pollfd p = {.fd = bench_radio_fd(latency->radio), .events = POLLIN};

                if (poll(&p, 1, 500) <= 0)
                        return;
                serve(latency);
        }
}

int main(int argc, char **argv) {
        size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : 5000;
        uint64_t *ours = calloc(n, sizeof(*ours)), *floors = calloc(n, sizeof(*floors));
        Latency latency = {0};
        BenchEmitter emitter;

        if (n == 0 || !ours || !floors)
                errx(1, "usage: %s [SAMPLES]", argv[0]);

        bench_emitter_start(&emitter, 1, 0);
        latency.bus = bench_open_bus();
        sd_bus_match_signal(latency.bus, NULL, NULL, NULL, "org.meshcored1.Messages", "Received", on_signal,
                            &latency);
        sd_bus_match_signal(latency.bus, NULL, NULL, BENCH_FLOOR_PATH, BENCH_FLOOR_INTERFACE, "Tick",
                            on_floor, &latency);
        latency.radio = bench_radio_new(10, next_message, NULL, &latency);
        printf("port %u\n", bench_radio_port(latency.radio));
        fflush(stdout);
        bench_radio_accept(latency.radio);
        wait_ready(&latency);

        for (size_t i = 0; i < WARM_UP; i++) {
                (void) measure_floor(&latency, &emitter);
                (void) measure_message(&latency);
        }
        for (size_t i = 0; i < n; i++) {
                floors[i] = measure_floor(&latency, &emitter);
                ours[i] = measure_message(&latency);
        }

        bench_print("frame to Received, p50", "us", (double) bench_quantile(ours, n, 0.5) / 1e3,
                    (double) bench_quantile(floors, n, 0.5) / 1e3, NAN);
        bench_print("frame to Received, p99", "us", (double) bench_quantile(ours, n, 0.99) / 1e3,
                    (double) bench_quantile(floors, n, 0.99) / 1e3, NAN);

        bench_emitter_stop(&emitter);
        bench_radio_free(latency.radio);
        sd_bus_close_unref(latency.bus);
        free(ours);
        free(floors);
        return 0;
}
