/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* meshcore-bond: what its files share. */

#include <stdbool.h>
#include <stdint.h>

#include "link.h"

/* meshcore-bond(1), Exit status. */
typedef enum Exit {
        EXIT_GOOD = 0,
        EXIT_NO_BOND = 1, /* --check-only: none, or one that is no good */
        EXIT_FAILED = 2,  /* pairing, not found, no connection, arguments */
        EXIT_ADAPTER = 3, /* none, no power, no bluetoothd */
        EXIT_BUS = 4,     /* no system bus */
} Exit;

#define DAEMON_RADIO_PREFIX "/org/meshcored1/radio/"

typedef enum Mode {
        MODE_ENSURE, /* check, pair if need be */
        MODE_CHECK_ONLY,
        MODE_FORCE_REPAIR,
        MODE_LIST,
        MODE_SCAN,
        MODE_FORGET,
} Mode;

typedef struct Options {
        Mode mode;
        char *target; /* address in capitals, name, or path of a daemon's radio; NULL with MODE_LIST and
                         MODE_SCAN */
        char *adapter;
        bool has_passkey;
        uint32_t passkey;
        bool json, verbose, no_daemon;
} Options;

void options_clear(Options *options);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Options, options_clear)

/* Returns > 0 to go on, 0 when all was said (--help), or an Exit as a negative number. */
int options_parse(int argc, char **argv, Options *ret);

/* -- bond-pin.c -- */
/* From --pin, a file ("-": standard input), a credential or the environment: -ENOENT without one. Says what
 * is wrong with one that is there. */
int pin_find(const char *pin, const char *file, uint32_t *ret);
/* Asks on the terminal, without echo. -ENOENT where there is none, -ECANCELED for an end of input. */
int pin_ask(uint32_t *ret);

/* -- bond-print.c: "Label:    value", or one JSON object at the end -- */
void print_init(const Options *options);
void print_line(const char *label, const char *format, ...) __attribute__((format(printf, 2, 3)));
void print_verbose(const char *format, ...) __attribute__((format(printf, 1, 2)));
void print_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* What the JSON object is to hold. */
void print_fact(const char *name, const char *value);
/* One radio of a list. */
void print_radio(const BluezDevice *device, const BluezAdapter *adapter);
/* The end; text with exit codes 0 and 1, else an error was printed. reason: see bond.h. */
int print_result(Exit code, BondState state, BondReason reason, const char *text);

/* -- bond-daemon.c -- */
/* Whether a running meshcored has the radio, and then what came of it. Returns > 0 with *ret_exit, or 0. */
int daemon_try(const Options *options, Exit *ret_exit);

/* -- bond-kernel.c -- */
/* Ends the link with the device at once, without bluetoothd's delay, where we have the right to. Returns 0
 * when the kernel was asked, or a negative errno. */
int kernel_disconnect(const BluezDevice *device);

/* -- bond-run.c, bond-list.c -- */
Exit run_bond(sd_event *event, Bluez *bluez, const Options *options);
Exit run_list(sd_event *event, Bluez *bluez, const Options *options);
Exit run_forget(sd_event *event, Bluez *bluez, const Options *options);
/* Header lines, once bluetoothd's objects are there. */
void print_adapter(const BluezAdapter *adapter, bool changes);
