/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* A request that writes one setting: one command, perhaps after a question
 * what the radio has, and a question what it has now. */

#include "request-internal.h"
#include "settings-api.h"

/* What is asked for after the command. */
enum {
        READ_SELF = 1 << 0,   /* SELF_INFO */
        READ_DEVICE = 1 << 1, /* DEVICE_INFO */
        READ_TUNING = 1 << 2,
        READ_SCOPE = 1 << 3, /* the default flood scope */
};

/* The first member of what the settings make of it. */
typedef struct Setting {
        Request request;
        Command command;
        uint8_t level;         /* the lowest that has the command */
        const char *release;   /* of the firmware with that level */
        unsigned read_back;    /* READ_… */
        void (*ended)(void *); /* before it is freed; or NULL */
        radio_done_t done;
        void *userdata;
} Setting;

/* size is that of the whole. */
void *setting_new(size_t size, radio_done_t done, void *userdata);
/* With another outcome than OK it ends so at once. */
void setting_submit(Radio *radio, Setting *setting, const RequestKind *kind, Outcome *outcome);

/* The start of a kind whose command is ready. */
void setting_start(Request *request, const Frame *frame);
/* Of others, for the first thing: ends it, and returns false, when the firmware is too old. */
bool setting_check_level(Setting *setting);
/* Sends the command, reads back and succeeds: the last thing a step does. */
void setting_write(Setting *setting);
void setting_done(Request *request, const Outcome *outcome);

/* The value that was written, of one that went through a 32-bit float of thousandths on its way back: some
 * lose 1 (wire reference 4.1), and would lose another each time they are written again. */
uint32_t setting_from_float(uint32_t read);

/* To the nearest whole number; the caller knows that it fits. */
static inline int32_t setting_round(double value) {
        return (int32_t) (value + (value < 0 ? -0.5 : 0.5));
}
