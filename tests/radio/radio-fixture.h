/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* A manager with a store in a directory of its own, and radios that it
 * connects to over loopback TCP: the simulator's engine without a mesh, so that
 * nothing is acknowledged, advertised or lost but by the test. */

#include <check.h>

#include "channels-api.h"
#include "contacts-api.h"
#include "engine.h"
#include "framer.h"
#include "manager.h"
#include "radio-internal.h"

typedef struct Peer Peer;

/* Before the radio sees the command. Returns whether it may see it. */
typedef bool (*peer_command_t)(Peer *peer, const uint8_t *frame, size_t size, void *userdata);

/* Before the radio sends these bytes, one frame with its header. Returns whether they may go. */
typedef bool (*peer_write_t)(Peer *peer, const uint8_t *bytes, size_t size, void *userdata);

struct Peer {
        sd_event *event;
        SimIdentity identity;
        Engine *engine;
        Framer framer;
        int listener, fd;
        uint32_t address; /* of the loopback net, in host order; 0: the usual one */
        uint16_t port;
        sd_event_source *listen_source, *source;
        uint64_t now_ms;
        GPtrArray *commands; /* GBytes, all that came */
        GPtrArray *acks;     /* GBytes of 4, as each SENT told */
        uint8_t refuse[256]; /* answer this command with this error */
        bool mute[256];      /* … or not at all */
        bool no_estimate;    /* keep the engine's estimate in SENT, else it is 10 ms */
        unsigned connections;
        peer_command_t on_command;
        peer_write_t on_write;
        void *userdata;
};

typedef struct Fixture {
        sd_event *event;
        char *dir;
        Store *store;
        Manager *manager;
        Radio *radio;    /* connects to … */
        Peer *peer;      /* … this one */
        GString *log;    /* states and what observers heard */
        Outcome outcome; /* of the last request */
        bool done;
        PublicKey done_key; /* of the contact it gave; zero: none */
        int done_slot;      /* of the channel; -1 */
        char *done_uri;
} Fixture;

/* Short timing, a directory, a store and a manager; no radio. */
void fixture_begin(Fixture *f);
/* The same with a radio that has these contacts, and is ready. */
void fixture_setup(Fixture *f, unsigned n_contacts);
void fixture_teardown(Fixture *f);
/* The daemon ends, orderly, and starts again with the same store. */
void fixture_restart(Fixture *f);
void fixture_start_manager(Fixture *f);
Radio *fixture_add_radio(Fixture *f, const char *id, Peer *peer);

/* Of all that peer_new() makes from then on. */
extern EngineFirmware peer_firmware;

Peer *peer_new(sd_event *event, const char *name, size_t max_contacts);
Peer *peer_new_with(sd_event *event, const EngineConfig *config);
Peer *peer_free(Peer *peer);
/* At this port of the loopback; 0: any. */
void peer_listen(Peer *peer, uint16_t port);
void peer_drop(Peer *peer);
/* A frame of the radio, as if its engine had written it. */
void peer_send(Peer *peer, const uint8_t *frame, size_t size);
PublicKey peer_add_contact(Peer *peer, unsigned n, uint8_t type, uint8_t flags, bool with_path);
void peer_push(Peer *peer, const void *frame, size_t size);
void peer_push_key(Peer *peer, uint8_t code, const PublicKey *key);
void peer_confirm(Peer *peer, guint n_ack);
/* A direct text or channel text in the radio's queue. */
void peer_queue_text(Peer *peer, const PublicKey *from, uint32_t timestamp, const char *text);
void peer_queue_channel_text(Peer *peer, uint8_t slot, uint32_t timestamp, const char *text);
/* How many of this command came, and the n-th of them (from 0). */
unsigned peer_count(const Peer *peer, uint8_t code);
const uint8_t *peer_command(const Peer *peer, uint8_t code, unsigned n);
void peer_forget(Peer *peer);

PublicKey key_of(unsigned n);
uint64_t fixture_send(Fixture *f, const PublicKey *to, const char *text);
uint64_t fixture_send_channel(Fixture *f, unsigned slot, const char *text);
MessageState fixture_state(Fixture *f, uint64_t id);
Message *fixture_message(Fixture *f, uint64_t id);

void fixture_turn(Fixture *f);
/* Turns until everybody is silent for some milliseconds. */
void fixture_settle(Fixture *f);
#define fixture_until(f, condition)      \
        do {                             \
                while (!(condition))     \
                        fixture_turn(f); \
        } while (false)

/* The completions write to the fixture; then fixture_await(). */
void on_done(Radio *radio, const Outcome *outcome, void *userdata);
void on_contact(Radio *radio, const Outcome *outcome, Contact *contact, void *userdata);
void on_channel(Radio *radio, const Outcome *outcome, Channel *channel, void *userdata);
void on_import(Radio *radio, const Outcome *outcome, Contact *contact, Channel *channel, void *userdata);
void on_card(Radio *radio, const Outcome *outcome, Slice packet, const char *uri, void *userdata);
void fixture_await(Fixture *f, OutcomeCode expected);

int fixture_run(Suite *suite);
