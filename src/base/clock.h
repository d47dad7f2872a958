/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* CLOCK_REALTIME, µs since the epoch. */
uint64_t clock_realtime_usec(void);

/* CLOCK_BOOTTIME, µs: goes on through suspend, never jumps. */
uint64_t clock_boottime_usec(void);

/* Whether the kernel says that CLOCK_REALTIME follows a time source. */
bool clock_is_synchronised(void);
