/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <err.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>
#include <time.h>
#include <unistd.h>

#include "bench-util.h"

uint64_t bench_now(void) {
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t) now.tv_sec * 1000000000u + (uint64_t) now.tv_nsec;
}

static int compare(const void *a, const void *b) {
        uint64_t x = *(const uint64_t *) a, y = *(const uint64_t *) b;

        return x < y ? -1 : x > y;
}

uint64_t bench_quantile(uint64_t *samples, size_t n, double fraction) {
        qsort(samples, n, sizeof(*samples), compare);
        return samples[(size_t) ((double) (n - 1) * fraction)];
}

void bench_print(const char *what, const char *unit, double ours, double floor, double bar) {
        printf("{\"what\":\"%s\",\"unit\":\"%s\",\"ours\":%.3f", what, unit, ours);
        if (!isnan(floor))
                printf(",\"floor\":%.3f", floor);
        if (!isnan(bar))
                printf(",\"bar\":%.3f", bar);
        printf("}\n");
        fflush(stdout);
}

sd_bus *bench_open_bus(void) {
        sd_bus *bus = NULL;
        int r;

        r = sd_bus_open_user(&bus);
        if (r < 0)
                errx(1, "cannot connect to the bus: %s", strerror(-r));
        return bus;
}

static void emit_rounds(int command, unsigned count, size_t padding) {
        sd_bus *bus = bench_open_bus();
        char *text = calloc(1, padding + 1), byte;

        if (!text)
                err(1, "calloc");
        memset(text, 'x', padding);
        while (read(command, &byte, 1) == 1) {
                for (unsigned i = 0; i < count; i++) {
                        int r = sd_bus_emit_signal(bus, BENCH_FLOOR_PATH, BENCH_FLOOR_INTERFACE, "Tick", "ts",
                                                   bench_now(), text);
                        if (r < 0)
                                errx(1, "cannot emit: %s", strerror(-r));
                }
                sd_bus_flush(bus);
        }
        sd_bus_close_unref(bus);
        free(text);
}

void bench_emitter_start(BenchEmitter *emitter, unsigned count, size_t padding) {
        int fds[2];

        if (pipe(fds) < 0)
                err(1, "pipe");
        emitter->pid = fork();
        if (emitter->pid < 0)
                err(1, "fork");
        if (emitter->pid == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                close(fds[1]);
                emit_rounds(fds[0], count, padding);
                _exit(0);
        }
        close(fds[0]);
        emitter->command = fds[1];
}

void bench_emitter_round(BenchEmitter *emitter) {
        if (write(emitter->command, "x", 1) != 1)
                err(1, "write");
}

void bench_emitter_stop(BenchEmitter *emitter) {
        close(emitter->command);
        kill(emitter->pid, SIGTERM); /* a child that came later may hold the pipe as well */
        waitpid(emitter->pid, NULL, 0);
}

static int on_crowd_signal(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return 1;
}

static void join_crowd(sd_event *event, const char *interface, const char *member) {
        sd_bus *bus = bench_open_bus();

        if (sd_bus_match_signal(bus, NULL, NULL, NULL, interface, member, on_crowd_signal, NULL) < 0 ||
            sd_bus_match_signal(bus, NULL, NULL, BENCH_FLOOR_PATH, BENCH_FLOOR_INTERFACE, "Tick",
                                on_crowd_signal, NULL) < 0 ||
            sd_bus_attach_event(bus, event, 0) < 0)
                errx(1, "cannot join the subscribers");
}

void bench_crowd_start(BenchCrowd *crowd, unsigned n, const char *interface, const char *member) {
        sd_event *event = NULL;
        int fds[2];
        char byte;

        if (pipe(fds) < 0)
                err(1, "pipe");
        crowd->pid = fork();
        if (crowd->pid < 0)
                err(1, "fork");
        if (crowd->pid == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                if (sd_event_new(&event) < 0)
                        errx(1, "event");
                for (unsigned i = 0; i < n; i++)
                        join_crowd(event, interface, member);
                if (write(fds[1], "x", 1) != 1)
                        err(1, "write");
                (void) sd_event_loop(event);
                _exit(0);
        }
        close(fds[1]);
        if (read(fds[0], &byte, 1) != 1)
                errx(1, "the subscribers did not come");
        close(fds[0]);
}

void bench_crowd_stop(BenchCrowd *crowd) {
        kill(crowd->pid, SIGTERM);
        waitpid(crowd->pid, NULL, 0);
}
