/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Shared by bluez.c, bluez-objects.c, bluez-scan.c and bluez-agent.c. */

#include "bluez.h"

G_DEFINE_AUTOPTR_CLEANUP_FUNC(sd_bus_message, sd_bus_message_unref)

#define BLUEZ_NAME "org.bluez"
/* A neighbourhood, or somebody who makes up addresses, must not fill our memory: of devices without a
 * connection or a bond no more are kept. */
#define BLUEZ_OBJECTS_MAX 4096

struct Bluez {
        unsigned n_ref;
        sd_event *event;
        char *address;
        sd_bus *bus;
        char *owner; /* unique name of bluetoothd, or NULL */
        bool ready;
        int error;
        sd_bus_slot *names, *disconnected, *signals, *objects; /* matches, and the question for all objects */
        sd_event_source *deferred;                             /* tells of the end of the connection */
        GHashTable *adapters, *devices, *characteristics;      /* path → object */
        GHashTable *leaving;                                   /* path of a device → slot */
        GPtrArray *watches;
        GPtrArray *sessions; /* Session of bluez-scan.c */
        GPtrArray *agents;   /* BluezAgent */
        uint64_t n_monitors; /* ever made; each has a path of its own */
        sd_bus_slot *agent_object, *agent_call;
        enum { AGENT_OFF, AGENT_REGISTERING, AGENT_ON } agent_state;
};

void bluez_tell_changed(Bluez *bluez, BluezChange what, const char *path);
/* Its object was removed. */
void bluez_device_gone(Bluez *bluez, const char *device);

/* -- bluez-objects.c -- */
void bluez_objects_init(Bluez *bluez);
void bluez_objects_free(Bluez *bluez);
void bluez_objects_clear(Bluez *bluez);
/* Reads a{oa{sa{sv}}}, and tells nobody. */
int bluez_objects_read(Bluez *bluez, sd_bus_message *reply);
/* Reads oa{sa{sv}}; tell: whether watches hear of it. */
int bluez_objects_add(Bluez *bluez, sd_bus_message *m, bool tell);
int bluez_objects_remove(Bluez *bluez, sd_bus_message *m);
int bluez_objects_change(Bluez *bluez, const char *path, sd_bus_message *m);
void bluez_objects_lost_reason(Bluez *bluez, const char *path, const char *reason);

/* -- bluez-scan.c, bluez-agent.c: bluetoothd is gone -- */
void bluez_scans_lost(Bluez *bluez);
void bluez_agents_lost(Bluez *bluez);
