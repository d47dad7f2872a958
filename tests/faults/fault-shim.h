/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The parts of the shim, see fault-shim.c. */

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define EXPORTED __attribute__((visibility("default")))
#define FDS_MAX  1024

/* The next definition of the function that stands around it, with the same type. */
#define NEXT(name)                     \
        static __typeof__(name) *next; \
        if (!next)                     \
        *(void **) &next = dlsym(RTLD_NEXT, #name)

/* Everything below is called with it, but where it says so. */
extern pthread_mutex_t fault_lock;

/* -- fault-shim.c: which call meets the fault ------------------------------ */

/* What a kind counts. */
typedef enum Counts { COUNTS_ALL, COUNTS_CHANGE, COUNTS_WRITE, COUNTS_SYNC, COUNTS_READ } Counts;

bool fault_is(const char *kind);
/* Counts a call that is about to be made. Returns whether the fault is for it; a kill does not return. */
bool fault_meets(Counts what, const char *class, const char *call, const char *about);
/* Whether it was for the last call that was counted, or still is for all. */
bool fault_holds(void);
bool fault_lasts(void);
int64_t fault_value(void);
_Noreturn void fault_die(void);
/* A line of the trace that is no place for a fault. Without the lock. */
void fault_trace(const char *class, const char *call);
/* To a descriptor of ours, with no regard to faults. Without the lock. */
void fault_put(int fd, const void *data, size_t size);
int fault_open_output(const char *variable);

/* -- fault-time.c ----------------------------------------------------------- */

void fault_time_move(int64_t boottime, int64_t realtime); /* seconds */
void fault_time_forget(int fd);

/* -- fault-state.c: the state directory --------------------------------------- */

/* All without the lock. */
void fault_state_set_up(void);
void fault_state_forget(int fd);
bool fault_state_has(int fd);
ssize_t fault_state_write(int fd, const void *data, size_t size);
