/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Contact sync: last frame of the dump → all objects announced on the bus,
 * beside as many bare signals of about the same size from another process.
 *
 * Afterwards it stays as the radio: with MESSAGES it hands out so many texts,
 * says "fed" and serves until the daemon leaves. */
#include <err.h>
#include <math.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench-radio.h"
#include "bench-util.h"

#define ANNOUNCEMENT_SIZE 800

typedef struct Sync {
        sd_bus *bus;
        unsigned n_contacts, announced, ticks;
        unsigned messages, handed_out;
        bool drained; /* the last message was handed over, and the daemon asked for more */
        uint64_t dump_ended_at, last_at, floor_begun_at;
} Sync;

static size_t next_message(BenchRadio *radio, uint8_t frame[BENCH_FRAME_MAX], void *userdata) {
        Sync *sync = userdata;
        char text[128];

        if (sync->handed_out == sync->messages) {
                sync->drained = true;
                return 0;
        }

        snprintf(text, sizeof(text), "stored message number %u, of the usual length of a line on the mesh",
                 sync->handed_out);
        sync->handed_out++;
        return bench_radio_text(frame, sync->handed_out % (sync->n_contacts + 1),
                                1700000000 + sync->handed_out, text);
}

static void dump_ends(BenchRadio *radio, void *userdata) {
        Sync *sync = userdata;

        sync->dump_ended_at = bench_now();
}

static int on_added(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Sync *sync = userdata;
        const char *path;

        sync->last_at = bench_now();
        if (sd_bus_message_read(m, "o", &path) < 0)
                errx(1, "bad InterfacesAdded");
        if (strstr(path, "/contact/"))
                sync->announced++;
        return 1;
}

static int on_tick(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Sync *sync = userdata;

        sync->last_at = bench_now();
        if (sync->ticks++ == 0 && sd_bus_message_read(m, "t", &sync->floor_begun_at) < 0)
                errx(1, "bad floor signal");
        return 1;
}

static void process_bus(Sync *sync) {
        int r;

        do {
                r = sd_bus_process(sync->bus, NULL);
                if (r < 0)
                        errx(1, "bus: %s", strerror(-r));
        } while (r > 0);
}

static double measure_floor(Sync *sync, BenchEmitter *emitter) {
        sync->ticks = 0;
        bench_emitter_round(emitter);
        while (sync->ticks < sync->n_contacts) {
                process_bus(sync);
                if (sync->ticks < sync->n_contacts && sd_bus_wait(sync->bus, 20 * 1000000) <= 0)
                        errx(1, "floor: no signal within 20 s");
        }
        return (double) (sync->last_at - sync->floor_begun_at) / 1e6;
}

int main(int argc, char **argv) {
        Sync sync = {.n_contacts = argc > 1 ? (unsigned) strtoul(argv[1], NULL, 10) : 350,
                     .messages = argc > 2 ? (unsigned) strtoul(argv[2], NULL, 10) : 0};
        bool told = false, fed = false, connected = true;
        BenchEmitter emitter;
        BenchRadio *radio;
        double floor;

        bench_emitter_start(&emitter, sync.n_contacts, ANNOUNCEMENT_SIZE);
        sync.bus = bench_open_bus();
        sd_bus_match_signal(sync.bus, NULL, NULL, NULL, "org.freedesktop.DBus.ObjectManager",
                            "InterfacesAdded", on_added, &sync);
        sd_bus_match_signal(sync.bus, NULL, NULL, BENCH_FLOOR_PATH, BENCH_FLOOR_INTERFACE, "Tick", on_tick,
                            &sync);
        (void) measure_floor(&sync, &emitter);
        floor = measure_floor(&sync, &emitter);
        bench_emitter_stop(&emitter);

        radio = bench_radio_new(sync.n_contacts, next_message, dump_ends, &sync);
        printf("port %u\n", bench_radio_port(radio));
        fflush(stdout);
        bench_radio_accept(radio);

        while (connected) {
                struct pollfd p[] = {{.fd = bench_radio_fd(radio), .events = POLLIN},
                                     {.fd = sd_bus_get_fd(sync.bus), .events = POLLIN}};

                process_bus(&sync);
                if (!told && sync.dump_ended_at && sync.announced >= sync.n_contacts) {
                        char what[64];

                        snprintf(what, sizeof(what), "sync of %u contacts, last frame to all objects",
                                 sync.n_contacts);
                        bench_print(what, "ms", (double) (sync.last_at - sync.dump_ended_at) / 1e6, floor,
                                    sync.n_contacts == 350 ? 20 : NAN);
                        told = true;
                }
                if (told && !fed && sync.drained) {
                        printf("fed\n");
                        fflush(stdout);
                        fed = true;
                }
                if (poll(p, 2, -1) < 0)
                        err(1, "poll");
                if (p[0].revents)
                        connected = bench_radio_serve(radio);
        }

        bench_radio_free(radio);
        sd_bus_close_unref(sync.bus);
        return 0;
}
