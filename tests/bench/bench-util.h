/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-bus.h>

/* CLOCK_MONOTONIC, ns. */
uint64_t bench_now(void);

/* The given fraction (0 to 1) of the sorted samples; sorts them. */
uint64_t bench_quantile(uint64_t *samples, size_t n, double fraction);

/* One line of JSON for tests/bench/run: what was measured, ours and the floor in the same unit. */
void bench_print(const char *what, const char *unit, double ours, double floor, double bar);

/* The session bus; exits on failure. */
sd_bus *bench_open_bus(void);

/* A second process that emits bare signals when told: the floor. */
typedef struct BenchEmitter {
        pid_t pid;
        int command; /* write one byte: one round of signals */
} BenchEmitter;

#define BENCH_FLOOR_PATH      "/bench"
#define BENCH_FLOOR_INTERFACE "bench.Floor"

/* Each round are count signals with the send time (t) and a string of padding bytes (s). */
void bench_emitter_start(BenchEmitter *emitter, unsigned count, size_t padding);
void bench_emitter_round(BenchEmitter *emitter);
void bench_emitter_stop(BenchEmitter *emitter);
