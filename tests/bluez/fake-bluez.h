/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* A bluetoothd of our own, and the radios in its air. It answers as BlueZ 5.66 was seen to answer a
 * MeshCore radio, with the same order and timing of signals, and can be told to fail in any call, to stay
 * silent, and to crash. On a bus of its own inside the program (one client, no other process, so that
 * everything is done when the loop has nothing to do), or on a real one. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

typedef struct FakeBluez FakeBluez;
typedef struct FakeRadio FakeRadio;

typedef struct FakeAdapter {
        FakeBluez *fake;
        char *path, *address;
        bool present, powered, pairable;
        unsigned n_discovering; /* sessions */
        bool monitors;          /* has AdvertisementMonitorManager1 … */
        char *monitor;          /* … and the one that is registered, its root */
} FakeAdapter;

/* What the radio holds for us. */
typedef enum FakeKey {
        FAKE_KEY_NONE,
        FAKE_KEY_GOOD,
        FAKE_KEY_OTHER,
} FakeKey;

struct FakeRadio {
        FakeBluez *fake;
        FakeAdapter *adapter;
        char *path, *address, *name;

        /* the radio itself: to be set at will */
        bool near;    /* advertises and answers */
        bool mute;    /* takes connections, and is silent then */
        bool refuses; /* to pair */
        bool pairs_silently /* falls silent while pairing */, loses_pairing /* drops the link then */;
        bool legacy;       /* pairing: keys before services, and Paired last */
        bool just_works;   /* and asks for no PIN, but whether to pair at all */
        bool compares;     /* or whether both show the same number */
        unsigned n_missed; /* connections that will end before they begin */
        bool open_notify;  /* lets everybody subscribe; what is written is protected all the same */
        bool refuses_notify, refuses_write; /* as without enough security, encrypted or not */
        bool no_uart, no_write_command;
        uint32_t pin;
        FakeKey key;
        uint16_t mtu;
        GByteArray *written; /* by the last write */
        unsigned n_written;

        /* bluetoothd's object of it: change it by the functions below once somebody listens */
        bool known, paired, trusted, connected, resolved, has_services, has_rssi;
        int notify_fd, write_fd; /* our ends */
        sd_event_source *writes;
        sd_bus_message *connecting, *pairing;
        bool auto_pairing; /* by a protected write, or by the radio's wish */
        unsigned n_asked;  /* questions to agents about it */
};

/* How long things take, µs. */
typedef struct FakeTimes {
        uint64_t discover, connect, resolve, absent, drop, retry, wrong_key, mute, pair_silent, leave;
} FakeTimes;

struct FakeBluez {
        sd_event *event;
        FakeTimes times;
        bool modern;         /* BlueZ of today: key-missing, reasons of disconnections */
        bool no_bonded;      /* older than 2022 */
        unsigned odd_notify; /* AcquireNotify answers 1: nothing, 2: text, 3: no socket */
        bool activatable, denied, running;
        char *address; /* of the bus */
        GPtrArray *adapters, *radios;
        GPtrArray *log; /* "Member object arguments" of each call */
        /* What a radio does with a frame; NULL: answers CMD_DEVICE_QUERY. */
        void (*on_write)(FakeRadio *radio, const uint8_t *frame, size_t size, void *userdata);
        /* News for who plays the radio: "subscribed 1" and so on. */
        void (*on_news)(FakeRadio *radio, const char *text, void *userdata);
        void *userdata;
        /* Writes the body of the answer to GetManagedObjects instead of us. */
        void (*objects)(FakeBluez *fake, sd_bus_message *reply);

        /* fake-bluez.c */
        bool real; /* on a bus that is not ours */
        int listener;
        sd_event_source *listening;
        sd_bus *bus;
        sd_bus_slot *filter;
        unsigned generation; /* of bluetoothd: its unique name */
        GPtrArray *steps, *faults, *pending, *agents;
        GPtrArray *sessions; /* of discovery, on a real bus: who began them, and where */
        unsigned n_connections;
};

/* On a bus inside the program; fake->address is for the client. bluetoothd runs, without adapters. */
FakeBluez *fake_bluez_new(sd_event *event);
/* On the bus with this address, as org.bluez. */
FakeBluez *fake_bluez_new_on_bus(sd_event *event, const char *address);
FakeBluez *fake_bluez_free(FakeBluez *fake);

FakeAdapter *fake_adapter_add(FakeBluez *fake, const char *name, const char *address);
void fake_adapter_set_powered(FakeAdapter *adapter, bool powered);
/* The controller can't. */
void fake_adapter_release_monitor(FakeAdapter *adapter);
/* Pulled out, or put back. */
void fake_adapter_set_present(FakeAdapter *adapter, bool present);

/* Near, unknown to bluetoothd, PIN 123456, MTU 176. */
FakeRadio *fake_radio_add(FakeAdapter *adapter, const char *address, const char *name);
/* As after a pairing with it, some time ago. */
void fake_radio_bond(FakeRadio *radio);
/* Announces it as discovered. */
void fake_radio_discover(FakeRadio *radio);
void fake_radio_set_connected(FakeRadio *radio, bool connected, const char *reason);
void fake_radio_set_resolved(FakeRadio *radio, bool resolved);
void fake_radio_set_paired(FakeRadio *radio, bool paired);
/* The device object goes, with all below it. */
void fake_radio_remove(FakeRadio *radio);
/* The descriptor of the notifications ends, and nothing else does. */
void fake_radio_end_notify(FakeRadio *radio);
/* The same for writes. */
void fake_radio_end_write(FakeRadio *radio);
/* Whether the client has closed its end of it. */
bool fake_radio_is_given_back(FakeRadio *radio);
void fake_radio_notify(FakeRadio *radio, const void *frame, size_t size);
/* The radio asks for security: bluetoothd asks the default agent. */
void fake_radio_request_security(FakeRadio *radio);

/* Somebody else calls CancelPairing. */
void fake_radio_cancel_pairing(FakeRadio *radio);

/* From now on the call (a member's name; "Set:Powered" for a property) … */
void fake_fail(FakeBluez *fake, const char *member, const char *error, const char *text);
void fake_silence(FakeBluez *fake, const char *member);
void fake_crash_in(FakeBluez *fake, const char *member);
/* … takes so long before it begins. */
void fake_delay(FakeBluez *fake, const char *member, uint64_t usec);
void fake_heal(FakeBluez *fake, const char *member);

/* bluetoothd dies, and is started. */
void fake_crash(FakeBluez *fake);
void fake_start(FakeBluez *fake);
/* The bus dies; with back it can be connected to again at once. */
void fake_bus_drop(FakeBluez *fake, bool back);

/* Any signal of bluetoothd's, in the notation of sd_bus_message_append(). */
void fake_signal(FakeBluez *fake, const char *path, const char *interface, const char *member,
                 const char *types, ...);
sd_bus_message *fake_signal_new(FakeBluez *fake, const char *path, const char *interface, const char *member);
/* Takes the message. */
void fake_signal_send(FakeBluez *fake, sd_bus_message *signal);
/* A signal of somebody else's who is no bluetoothd. */
void fake_signal_send_as(FakeBluez *fake, const char *sender, sd_bus_message *signal);
/* A call of somebody to the client; takes it. Only on a bus inside the program. */
void fake_call_as(FakeBluez *fake, const char *sender, sd_bus_message *call, sd_bus_message_handler_t done,
                  void *userdata);
/* The agent that the client registered: its path, or NULL. */
const char *fake_agent(FakeBluez *fake);

/* How often this member was called. */
unsigned fake_count(const FakeBluez *fake, const char *member);
/* Whether anything was called that changes something: adapter, devices, bonds, discovery, agents. */
const char *fake_first_change(const FakeBluez *fake);
void fake_log_clear(FakeBluez *fake);

/* Who the client is on a bus inside the program. */
#define FAKE_CLIENT ":1.100"

#define FAKE_ERROR(name) "org.bluez.Error." name
