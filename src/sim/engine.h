/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The companion radio: frames in, frames out, packets in, packets out. It
 * answers as the firmware of MeshCore does (wire reference 3 to 7), down to
 * error codes and stale bytes. It opens nothing, waits for nothing and asks
 * nobody for the time: the caller hands in a clock. The same seed, clock and
 * input give the same output. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "air-packet.h"
#include "sim-crypto.h"

#define ENGINE_CHANNELS_MAX 255
#define ENGINE_CONTACTS_MAX 510
#define ENGINE_TIME_NEVER   UINT64_MAX

typedef enum EngineFirmware {
        ENGINE_FIRMWARE_1_7_4,
        ENGINE_FIRMWARE_1_9_0,
        ENGINE_FIRMWARE_1_14_1,
        ENGINE_FIRMWARE_1_17_1,
        _ENGINE_FIRMWARE_MAX,
        _ENGINE_FIRMWARE_INVALID = -22,
} EngineFirmware;

/* "1.17.1", with or without a leading v. */
EngineFirmware engine_firmware_from_string(const char *text);
/* Longest frame payload of that firmware, wire reference 1.1. */
size_t engine_firmware_frame_max(EngineFirmware firmware);

typedef struct EngineConfig {
        EngineFirmware firmware;
        uint64_t seed; /* of everything random */
        SimIdentity identity;
        const char *name;          /* NULL: the first key bytes, as after a factory reset */
        const char *model;         /* NULL: a generic one */
        size_t queue_size;         /* offline queue, reference 7.1 */
        size_t max_contacts;       /* even, at most 510 */
        size_t max_channels;       /* at most 255 */
        uint32_t epoch;            /* the radio's clock at the start */
        double speed;              /* air time is divided by this */
        bool private_key_disabled; /* a build without commands 23 and 24 */
        bool has_sensors;          /* an environment sensor beside the radio */
} EngineConfig;

typedef struct EngineCallbacks {
        /* A frame for the app. false: the port could not take it, it is lost. */
        bool (*write_frame)(void *userdata, const uint8_t *frame, size_t size);
        /* Whether the port believes that an app listens. */
        bool (*is_connected)(void *userdata);
        /* A packet has left the antenna. */
        void (*transmit)(void *userdata, const uint8_t *raw, size_t size);
        /* The radio restarts; the link goes down. May be NULL. */
        void (*restart)(void *userdata, bool factory_reset);
} EngineCallbacks;

typedef struct Engine Engine;

/* The strings of config are copied. now is any running clock, milliseconds. */
Engine *engine_new(const EngineConfig *config, const EngineCallbacks *callbacks, void *userdata,
                   uint64_t now);
Engine *engine_free(Engine *engine);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Engine, engine_free)

/* Lets time pass: sends what is due. */
void engine_advance(Engine *engine, uint64_t now);
/* When engine_advance() has something to do next; ENGINE_TIME_NEVER if not. */
uint64_t engine_next_time(const Engine *engine);

/* One command; longer ones than the firmware's buffer are cut. */
void engine_command(Engine *engine, const uint8_t *frame, size_t size);

/* One pass of the radio's main loop without a command: the next contact of a
 * running dump. false when none runs. */
bool engine_step(Engine *engine);

/* A packet from the air. snr4 in quarters of a decibel, rssi in dBm. */
void engine_receive(Engine *engine, const uint8_t *raw, size_t size, int snr4, int rssi);

/* Power cycle: what is only in memory is gone. */
void engine_reboot(Engine *engine);

/* Milliseconds on the air of a packet of size bytes with the set parameters. */
uint32_t engine_airtime(const Engine *engine, size_t size);

/* For scenarios, tests and the control socket. */

typedef struct EngineContact {
        PublicKey key;
        char name[NAME_FIELD_SIZE];
        uint8_t type, flags;
        uint8_t out_path_len;
        uint8_t out_path[PATH_SIZE_MAX];
        uint32_t last_advert, lastmod;
        int32_t lat, lon;
        uint32_t sync_since;
        bool has_secret;
        uint8_t secret[SIM_SECRET_SIZE];
} EngineContact;

typedef struct EngineCounters {
        uint64_t commands[256];
        uint64_t queued, popped, evicted, refused; /* of the offline queue */
        uint64_t lost_frames;                      /* too long, or no room in the port */
} EngineCounters;

const SimIdentity *engine_identity(const Engine *engine);
const char *engine_name(const Engine *engine);
uint32_t engine_clock(const Engine *engine);
void engine_set_clock(Engine *engine, uint32_t epoch);
void engine_set_battery(Engine *engine, uint16_t millivolts);
void engine_set_storage(Engine *engine, uint32_t used_kb, uint32_t total_kb);
void engine_set_position(Engine *engine, int32_t lat, int32_t lon);
const EngineCounters *engine_counters(const Engine *engine);
size_t engine_queue_length(const Engine *engine);

/* Adds or replaces. -ENOSPC when the table is full. */
int engine_put_contact(Engine *engine, const EngineContact *contact);
const EngineContact *engine_find_contact(const Engine *engine, const PublicKey *key);
int engine_remove_contact(Engine *engine, const PublicKey *key);
size_t engine_n_contacts(const Engine *engine);
/* NULL after the last one. */
const EngineContact *engine_contact_at(const Engine *engine, size_t index);
/* Keeps a raw advert for export and sharing. */
void engine_put_card(Engine *engine, const PublicKey *key, const uint8_t *raw, size_t size);

/* -ECHRNG when there is no such slot. */
int engine_set_channel(Engine *engine, size_t index, const char *name, const uint8_t secret[16]);
int engine_get_channel(const Engine *engine, size_t index, const char **ret_name, const uint8_t **ret_secret);

/* Any frame, as if a message had come in; announces it. */
void engine_queue_frame(Engine *engine, const uint8_t *frame, size_t size);
/* Any frame, sent at once. */
void engine_push_frame(Engine *engine, const uint8_t *frame, size_t size);
