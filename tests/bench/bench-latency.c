/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Last byte of a message frame on TCP → Received at a subscriber, beside one bare signal between two
 * processes on the same bus, and beside a bare program that commits a row and sends a signal; the samples
 * alternate.
 *
 * With RADIOS the messages come from each of so many in turn, with SUBSCRIBERS so many listen to them and to
 * the bare signal. Says "ready" when all is still, before the first message. */
#include <err.h>
#include <math.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench-radio.h"
#include "bench-util.h"

#define WARM_UP  100
#define CONTACTS 10

typedef struct Latency {
        sd_bus *bus;
        BenchRadio **radios, *radio; /* whose turn it is */
        struct pollfd *polls;
        unsigned n_radios, sent;
        bool waiting;  /* hand the next message out */
        bool has_sent; /* and it is on its way */
        uint64_t sent_at, arrived_at;
} Latency;

static size_t next_message(BenchRadio *radio, uint8_t frame[BENCH_FRAME_MAX], void *userdata) {
        Latency *latency = userdata;
        char text[64];
        size_t size;

        if (!latency->waiting || radio != latency->radio)
                return 0;

        snprintf(text, sizeof(text), "message number %u of the bench", latency->sent);
        size = bench_radio_text(frame, latency->sent % CONTACTS, 1700000000 + latency->sent, text);
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

/* What the others may want, without waiting for it. */
static void serve_others(Latency *latency, int timeout, bool *ret_any) {
        struct pollfd *p = latency->polls;

        for (unsigned i = 0; i < latency->n_radios; i++)
                p[i] = (struct pollfd){.fd = bench_radio_fd(latency->radios[i]), .events = POLLIN};
        *ret_any = poll(p, latency->n_radios, timeout) > 0;
        for (unsigned i = 0; i < latency->n_radios; i++)
                if (p[i].revents && !bench_radio_serve(latency->radios[i]))
                        errx(1, "the daemon has closed a link");
}

static uint64_t measure_message(Latency *latency) {
        uint64_t result;
        bool any;

        latency->radio = latency->radios[latency->sent % latency->n_radios];
        latency->waiting = true;
        latency->has_sent = false;
        bench_radio_send(latency->radio, (const uint8_t[]){0x83}, 1);
        while (!latency->has_sent)
                serve(latency);
        wait_arrival(latency);
        result = latency->arrived_at - latency->sent_at;

        serve_drain(latency);
        if (latency->n_radios > 1)
                serve_others(latency, 0, &any);
        return result;
}

static uint64_t measure_floor(Latency *latency, BenchEmitter *emitter) {
        bench_emitter_round(emitter);
        wait_arrival(latency);
        return latency->arrived_at - latency->sent_at;
}

static uint64_t measure_path(Latency *latency, BenchPath *path) {
        bench_path_send(path);
        wait_arrival(latency);
        return latency->arrived_at - latency->sent_at;
}

static bool all_drained(const Latency *latency) {
        for (unsigned i = 0; i < latency->n_radios; i++)
                if (bench_radio_count(latency->radios[i], 10) == 0)
                        return false;
        return true;
}

/* The first drain comes after the sync; what the daemon asks later than that is ours. */
static void wait_ready(Latency *latency) {
        bool any = true;

        while (!all_drained(latency))
                serve_others(latency, 20000, &any);
        while (any)
                serve_others(latency, 500, &any);
        printf("ready\n");
        fflush(stdout);
}

static void make_radios(Latency *latency) {
        latency->radios = calloc(latency->n_radios, sizeof(*latency->radios));
        latency->polls = calloc(latency->n_radios, sizeof(*latency->polls));
        if (!latency->radios || !latency->polls)
                err(1, "calloc");
        for (unsigned i = 0; i < latency->n_radios; i++) {
                latency->radios[i] = bench_radio_new(CONTACTS, next_message, NULL, latency);
                bench_radio_set_name(latency->radios[i], 0x42 + i);
        }
        printf("port");
        for (unsigned i = 0; i < latency->n_radios; i++)
                printf(" %u", bench_radio_port(latency->radios[i]));
        printf("\n");
        fflush(stdout);
        for (unsigned i = 0; i < latency->n_radios; i++)
                bench_radio_accept(latency->radios[i]);
}

static void print_row(const char *what, const char *quantile, double fraction, uint64_t *ours,
                      uint64_t *floors, size_t n) {
        char text[128];

        snprintf(text, sizeof(text), "%s, %s", what, quantile);
        bench_print(text, "us", (double) bench_quantile(ours, n, fraction) / 1e3,
                    (double) bench_quantile(floors, n, fraction) / 1e3, NAN);
}

int main(int argc, char **argv) {
        size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : 5000;
        unsigned subscribers = argc > 3 ? (unsigned) strtoul(argv[3], NULL, 10) : 1;
        uint64_t *ours = calloc(n, sizeof(*ours)), *floors = calloc(n, sizeof(*floors)),
                 *paths = calloc(n, sizeof(*paths));
        Latency latency = {.n_radios = argc > 2 ? (unsigned) strtoul(argv[2], NULL, 10) : 1};
        BenchEmitter emitter;
        BenchCrowd crowd;
        BenchPath path;
        char what[64] = "frame to Received", database[512];

        if (n == 0 || latency.n_radios == 0 || subscribers == 0 || !ours || !floors || !paths)
                errx(1, "usage: %s [SAMPLES [RADIOS [SUBSCRIBERS]]]", argv[0]);
        if (latency.n_radios > 1)
                snprintf(what, sizeof(what), "frame to Received, %u radios", latency.n_radios);
        if (subscribers > 1)
                snprintf(what, sizeof(what), "frame to Received, %u subscribers", subscribers);
        snprintf(database, sizeof(database), "%s/bench-path-%i.db", getenv("TMPDIR") ?: "/tmp",
                 (int) getpid());

        bench_emitter_start(&emitter, 1, 0);
        bench_path_start(&path, database);
        bench_crowd_start(&crowd, subscribers - 1, "org.meshcored1.Messages", "Received");
        latency.bus = bench_open_bus();
        sd_bus_match_signal(latency.bus, NULL, NULL, NULL, "org.meshcored1.Messages", "Received", on_signal,
                            &latency);
        sd_bus_match_signal(latency.bus, NULL, NULL, BENCH_FLOOR_PATH, BENCH_FLOOR_INTERFACE, NULL, on_floor,
                            &latency);
        make_radios(&latency);
        wait_ready(&latency);

        for (size_t i = 0; i < WARM_UP; i++) {
                (void) measure_floor(&latency, &emitter);
                (void) measure_path(&latency, &path);
                (void) measure_message(&latency);
        }
        for (size_t i = 0; i < n; i++) {
                floors[i] = measure_floor(&latency, &emitter);
                paths[i] = measure_path(&latency, &path);
                ours[i] = measure_message(&latency);
        }

        print_row(what, "p50", 0.5, ours, floors, n);
        print_row(what, "p99", 0.99, ours, floors, n);
        if (latency.n_radios == 1 && subscribers == 1)
                print_row("frame to Received, beside a bare TCP, commit, signal", "p50", 0.5, ours, paths, n);

        bench_emitter_stop(&emitter);
        bench_path_stop(&path);
        bench_crowd_stop(&crowd);
        for (unsigned i = 0; i < latency.n_radios; i++)
                bench_radio_free(latency.radios[i]);
        free(latency.radios);
        free(latency.polls);
        sd_bus_close_unref(latency.bus);
        free(ours);
        free(floors);
        free(paths);
        return 0;
}
