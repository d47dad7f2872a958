/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "macros.h"
#include "replay.h"
#include "sim-link.h"
#include "simulator.h"

typedef struct OutFrame {
        uint64_t end; /* count of bytes since the client came */
        uint8_t data[FRAME_SIZE_MAX];
        size_t size;
} OutFrame;

/* What a frame may end in. */
typedef enum SimFault {
        SIM_FAULT_DROP,
        SIM_FAULT_STALL,
        SIM_FAULT_REBOOT,
        SIM_FAULT_GARBAGE, /* before the next frame */
        _SIM_FAULT_MAX,
} SimFault;

struct Simulator {
        sd_event *event;
        sd_event_source *timer, *delay_timer, *restart_timer;
        SimLink *link;
        Port *port;
        Engine *engine;
        Mesh *mesh;
        Scenario *scenario;
        Transcript *transcript;
        Replay *replay;
        bool verbose;

        uint64_t start; /* µs */
        bool synced;
        uint64_t synced_at; /* ms */
        GArray *fired;      /* bool for each event of the scenario */
        bool in_pump;

        /* Faults. */
        bool muted[256], mute_executes, mute_reply;
        bool restarting;
        int64_t drop_after; /* frames; -1: never */
        size_t drop_bytes;  /* of the last of these, with its header, that still go; SIZE_MAX: all */
        SimFault drop_how;
        bool reboot_due;
        uint32_t delay; /* ms for each frame */
        uint32_t pause; /* ms between frames that the radio makes by itself */
        bool frames;    /* the line carries frames, not bytes */
        bool delaying;

        GQueue in_flight;     /* OutFrame: messages and acknowledgements that the kernel has not taken */
        GPtrArray *popped;    /* GBytes: messages handed over completely */
        GPtrArray *confirmed; /* GBytes: acknowledgements handed over completely */
        GArray *ends;         /* unsigned: how many messages had been handed over at the end of each link */
        uint64_t connections, frames_sent;
};

void simulator_reboot(Simulator *sim);
uint64_t simulator_now(const Simulator *sim);
/* Lets engine and mesh act, and the line carry what comes of it. */
void simulator_run(Simulator *sim);
bool simulator_is_message(uint8_t code);
