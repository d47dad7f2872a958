/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* A companion radio over TCP for measurements: it answers at once and says
 * exactly what the bench wants. For behaviour there is meshcore-sim. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BENCH_FRAME_MAX 176

typedef struct BenchRadio BenchRadio;

/* Called for each SYNC_NEXT_MESSAGE. Fills frame and returns its size, or 0
 * for "no more messages". */
typedef size_t (*bench_next_message_t)(BenchRadio *radio, uint8_t frame[BENCH_FRAME_MAX], void *userdata);

/* Called with t0 right before the last bytes of a contact dump leave. */
typedef void (*bench_dump_ends_t)(BenchRadio *radio, void *userdata);

BenchRadio *bench_radio_new(unsigned n_contacts, bench_next_message_t next, bench_dump_ends_t dump_ends,
                            void *userdata);
BenchRadio *bench_radio_free(BenchRadio *radio);

/* Of its key; 0x42 if never called. Two of them on one daemon must not have the same. */
void bench_radio_set_name(BenchRadio *radio, unsigned name);

unsigned bench_radio_port(const BenchRadio *radio);
/* Blocks until the daemon has connected. */
void bench_radio_accept(BenchRadio *radio);
int bench_radio_fd(const BenchRadio *radio);

/* Waits for bytes and answers all complete commands; false when the daemon
 * has closed the link. */
bool bench_radio_serve(BenchRadio *radio);

/* How many commands of this code were served. */
unsigned bench_radio_count(const BenchRadio *radio, uint8_t code);

void bench_radio_send(BenchRadio *radio, const uint8_t *frame, size_t size);

/* Lays out a direct text of contact number sender, wire reference 4.1 (16). */
size_t bench_radio_text(uint8_t frame[BENCH_FRAME_MAX], unsigned sender, uint32_t timestamp,
                        const char *text);
