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
        RadioBond bond;
        GQueue bond_requests; /* BondRequest */
        GQueue requests;
        GQueue node_requests;
        struct {
                radio_record_t function;
                void *userdata;
        } watches[2]; /* of packets, of frames */
};

typedef struct FakeRequest FakeRequest;

struct FakeRequest {
        char *text;
        PublicKey key;
        int slot;
        radio_done_t done; /* one of these */
        radio_contact_done_t contact_done;
        radio_channel_done_t channel_done;
        radio_card_done_t card_done;
        radio_import_done_t import_done;
        void (*answered)(Radio *radio, FakeRequest *request, const Outcome *outcome, Slice packet);
        void *settings_done; /* of answered, whatever its type is */
        void *userdata;
};

FakeRequest *fake_request_new(Radio *radio, void *userdata, const char *format, ...)
                __attribute__((format(printf, 3, 4)));

typedef struct BondRequest {
        char *text;                  /* verb and PIN */
        radio_pair_done_t pair_done; /* one of these */
        radio_done_t done;
        void *userdata;
} BondRequest;

typedef struct Ping {
        radio_ping_done_t done;
        void *userdata;
} Ping;
