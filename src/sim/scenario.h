/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What a simulation is made of: a key file, described in meshcore-sim(1). */

#include <glib.h>
#include <json-glib/json-glib.h>

#include "engine.h"
#include "mesh.h"
#include "port.h"

typedef struct ScenarioEvent {
        uint64_t at;         /* ms of mesh time */
        bool after_sync;     /* counted from when the first app has emptied the queue */
        JsonObject *command; /* as the control socket takes it */
} ScenarioEvent;

typedef struct Scenario {
        GKeyFile *file;
        GPtrArray *events; /* ScenarioEvent */
} Scenario;

/* One in which nothing is and nothing happens. */
Scenario *scenario_new(void);
/* Path NULL: the small mesh that is built in. Logs what is wrong. */
int scenario_load(const char *path, Scenario **ret);
Scenario *scenario_free(Scenario *scenario);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Scenario, scenario_free)

typedef struct ScenarioOptions {
        EngineFirmware firmware;
        PortKind kind;
        uint64_t seed;
        double speed;
        uint32_t epoch;
        uint64_t now;
} ScenarioOptions;

/* The radio of the scenario. Logs. */
int scenario_make_engine(const Scenario *scenario, const ScenarioOptions *options,
                         const EngineCallbacks *callbacks, void *userdata, Engine **ret);
/* Its channels, and the nodes with what the radio knows about them. Logs. */
int scenario_make_mesh(const Scenario *scenario, const ScenarioOptions *options, Engine *engine, Mesh **ret);
