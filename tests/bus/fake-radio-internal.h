/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "fake-radio.h"

struct Manager {
        sd_event *event;
        Store *store;
        GPtrArray *radios;
        const RadioObserver *observer;
        void *userdata;
};

struct Radio {
        Manager *manager;
        RadioSettings *settings;
        RadioInfo info;
        AutoAdd auto_add;
        RadioState state;
        RadioReason reason;
        OutcomeCode error;
        char *error_message;
        unsigned attempts;
        Identity *identity;
        Pending *pending;
        GQueue pings;
        GQueue requests;
        GQueue node_requests;
};

typedef struct Ping {
        radio_ping_done_t done;
        void *userdata;
} Ping;
