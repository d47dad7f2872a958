/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* One target a program: with libFuzzer (-Dfuzzers=true, clang), or with
 * fuzz-driver.c, which runs it over the corpus as a unit test. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A property that does not hold; aborts in every build. */
#define FUZZ_ASSERT(condition)            \
        do {                              \
                if (!(condition))         \
                        __builtin_trap(); \
        } while (0)

/* Reads all bytes, so that a sanitizer sees those that do not exist. */
static inline void fuzz_touch(const void *data, size_t size) {
        const uint8_t *p = (const uint8_t *) data;
        volatile uint8_t sum = 0;

        for (size_t i = 0; i < size; i++)
                sum = (uint8_t) (sum ^ p[i]);
        (void) sum;
}
