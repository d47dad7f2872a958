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

/* One line of JSON for tests/bench/run: what was measured, ours, the floor and the bar in the same unit, or
 * NAN for what there is not. */
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

/* So many connections in a process of their own, which take this signal and do nothing with it. */
typedef struct BenchCrowd {
        pid_t pid;
} BenchCrowd;

void bench_crowd_start(BenchCrowd *crowd, unsigned n, const char *interface, const char *member);
void bench_crowd_stop(BenchCrowd *crowd);

/* A process that does no more than it must: for each frame on TCP one SQLite commit of one row, then one
 * signal "Path" like those of the emitter, as large as a record. */
typedef struct BenchPath {
        pid_t pid;
        int fd;
} BenchPath;

void bench_path_start(BenchPath *path, const char *database);
void bench_path_send(BenchPath *path);
void bench_path_stop(BenchPath *path);
