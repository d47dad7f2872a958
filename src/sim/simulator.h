/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* A virtual radio with its mesh on a line: what meshcore-sim runs. */

#include <glib.h>
#include <json-glib/json-glib.h>
#include <stdbool.h>
#include <systemd/sd-event.h>

#include "port.h"
#include "scenario.h"

typedef struct Simulator Simulator;

typedef struct SimulatorConfig {
        const char *tcp;    /* ADDRESS:PORT */
        const char *pty;    /* or the symbolic link */
        const char *serial; /* or a port or socket that is there */
        const char *vradio; /* or the socket of the lab's Bluetooth controller */
        unsigned radio;     /* which one of the controller's */
        PortKind ble;       /* then PORT_BLE_ESP32 or PORT_BLE_NRF52 */
        EngineFirmware firmware;
        const char *scenario; /* NULL: built in */
        const char *replay;   /* a recording instead of the scenario, or NULL */
        uint64_t seed;
        double speed;
        bool verbose;
} SimulatorConfig;

/* Logs what is wrong. */
int simulator_new(sd_event *event, const SimulatorConfig *config, Simulator **ret);
Simulator *simulator_free(Simulator *sim);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Simulator, simulator_free)

/* Where apps find it. */
const char *simulator_name(const Simulator *sim);

/* One command of the control socket. Returns the answer, a new object; never
 * NULL. Safe against anything that a command may hold. */
JsonObject *simulator_control(Simulator *sim, JsonObject *command);
