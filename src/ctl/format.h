/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Values as people read them. All return allocated text. */

#include <glib.h>
#include <stdint.h>

/* µs since the epoch as local "2026-03-01 12:34:56"; "" for 0. */
char *format_time(int64_t usec);

/* A span such as "850 ms", "2.5 s", "4 min", "3 h", "12 d". */
char *format_span(int64_t usec);

/* Degrees; "" for (0, 0), which is how "none" is told. */
char *format_location(double latitude, double longitude);

/* "869.525 MHz" */
char *format_frequency(int64_t hz);
