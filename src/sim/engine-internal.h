/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>
#include <string.h>

#include "engine.h"
#include "macros.h"

#define CMD_BUFFER_SIZE           (FRAME_SIZE_MAX + 1)
#define ACK_SLOTS                 8
#define ADVERT_PATHS              16
#define POOL_SIZE                 16
#define SEEN_SIZE                 128
#define CHANNEL_SECRET_MAX        32
#define CONTACTS_WRITE_DELAY_MSEC 5000

/* What tells the releases apart. */
typedef struct FirmwareTraits {
        const char *name, *build_date;
        uint8_t level;
        size_t frame_max;
        size_t device_info_size;
        size_t login_size;
        size_t anon_contacts; /* slots before the table, for strangers */
        bool evicts_channel_texts;
        bool announces_overflow; /* NEW_ADVERT and CONTACTS_FULL when the table is full */
        bool has_auto_add;
        bool has_hop_limit;
        bool has_path_hashes;  /* path lengths are encoded */
        bool has_trace_hashes; /* trace hash sizes */
        bool has_receive_errors;
        bool uses_own_clock_for_cli;
        bool has_unscoped;
        bool ack_has_tail;    /* two bytes after an acknowledgement */
        bool keeps_lastmod;   /* command 9 has no time of its own */
        bool has_temperature; /* of the processor, in telemetry */
        bool checks_keys;     /* of command 24 */
        uint8_t sf_min;
        uint32_t freq_min; /* kHz */
} FirmwareTraits;

extern const FirmwareTraits firmware_traits[_ENGINE_FIRMWARE_MAX];

typedef struct QueuedFrame {
        uint8_t data[FRAME_SIZE_MAX];
        size_t size;
} QueuedFrame;

typedef struct EngineChannel {
        char name[NAME_FIELD_SIZE];
        uint8_t secret[CHANNEL_SECRET_MAX];
        uint8_t hash;
} EngineChannel;

typedef struct ExpectedAck {
        uint32_t ack;
        uint64_t sent;
        PublicKey contact;
} ExpectedAck;

typedef struct AdvertPath {
        uint8_t prefix[7];
        uint8_t path_len;
        uint8_t path[PATH_SIZE_MAX];
        uint32_t received;
} AdvertPath;

typedef struct Outgoing {
        AirPacket packet;
        uint8_t priority;
        uint64_t due;
} Outgoing;

/* Survives a reboot. */
typedef struct Preferences {
        char name[NAME_FIELD_SIZE];
        double lat, lon;
        float freq, bw; /* MHz, kHz */
        uint8_t sf, cr;
        int8_t tx_power;
        uint8_t multi_acks, advert_loc_policy;
        uint8_t telemetry_base, telemetry_loc, telemetry_env;
        uint8_t manual_add;
        float rx_delay, airtime_factor;
        uint32_t pin;
        bool repeat;
        uint8_t path_hash_mode;
        uint8_t auto_add, auto_add_hops;
        char scope_name[31];
        uint8_t scope_key[16];
        bool gps;
        uint32_t gps_interval;
} Preferences;

/* One request to the mesh at a time, whatever its kind, reference 7.5. */
typedef struct Pending {
        uint32_t login, status, telemetry, discovery, request;
} Pending;

struct Engine {
        EngineFirmware firmware;
        const FirmwareTraits *traits;
        EngineCallbacks callbacks;
        void *userdata;
        SimRandom random;
        SimIdentity identity;
        char *model;
        double speed;
        bool private_key_disabled, has_sensors;

        uint64_t now, boot_time;
        uint64_t clock_set_at;
        uint32_t clock_base, clock_unique;

        uint8_t cmd[CMD_BUFFER_SIZE];
        uint8_t out[CMD_BUFFER_SIZE];
        uint8_t app_level;

        Preferences prefs;
        uint16_t battery;
        uint32_t storage_used, storage_total;

        EngineContact *contacts; /* anonymous slots first */
        size_t n_contacts, max_contacts;
        EngineContact *saved_contacts; /* what flash holds */
        size_t n_saved_contacts;
        uint64_t contacts_dirty; /* when they are written; ENGINE_TIME_NEVER: clean */
        GHashTable *cards;       /* PublicKey → GBytes */
        AdvertPath advert_paths[ADVERT_PATHS];

        bool dumping;
        size_t dump_index;
        uint32_t dump_since, dump_lastmod;

        EngineChannel *channels;
        size_t max_channels;

        QueuedFrame *queue;
        size_t n_queue, queue_size;

        ExpectedAck acks[ACK_SLOTS];
        size_t next_ack;
        Pending pending;

        uint8_t scope_override[16];
        bool unscoped;

        uint8_t *sign_data;
        size_t sign_size;

        GArray *outgoing; /* Outgoing */
        bool transmitting;
        Outgoing current;
        uint64_t transmit_end;
        uint64_t next_transmit;
        double budget; /* ms of air time that the duty cycle allows */
        uint64_t budget_updated;

        uint8_t seen[SEEN_SIZE][AIR_HASH_SIZE];
        size_t next_seen;
        AirPacket loopback;
        bool has_loopback;

        uint16_t error_flags;
        uint32_t n_received, n_sent, n_sent_flood, n_sent_direct, n_received_flood, n_received_direct;
        double tx_air, rx_air; /* ms */
        int last_snr4, last_rssi;

        EngineCounters counters;
};

/* engine.c */
void engine_write(Engine *e, const uint8_t *frame, size_t size);
void engine_write_out(Engine *e, size_t size);
void engine_ok(Engine *e);
void engine_error(Engine *e, ErrorCode code);
bool engine_app_listens(Engine *e);
uint32_t engine_clock_unique(Engine *e);
void engine_defaults(Engine *e);

/* engine-air.c */
bool engine_pool_has_room(Engine *e);
bool engine_was_seen(const Engine *e, const AirPacket *packet);
void engine_mark_seen(Engine *e, const AirPacket *packet);
void engine_forget_seen(Engine *e, const AirPacket *packet);
void engine_send_flood(Engine *e, AirPacket *packet, const uint8_t *scope, uint32_t delay);
/* By the override, the default scope or none. */
void engine_send_flood_scoped(Engine *e, AirPacket *packet, uint32_t delay);
void engine_send_direct(Engine *e, AirPacket *packet, const uint8_t *path, uint8_t path_len, uint32_t delay);
void engine_send_zero_hop(Engine *e, AirPacket *packet, const uint16_t *codes);
void engine_send_packet(Engine *e, const AirPacket *packet, uint8_t priority, uint32_t delay);
/* To a contact, by its path or by flood. Returns the estimated time limit. */
uint32_t engine_send_to(Engine *e, const EngineContact *contact, AirPacket *packet, bool *ret_flood);
uint32_t engine_direct_timeout(const Engine *e, uint32_t airtime, size_t hops);
void engine_air_reset(Engine *e);

/* engine-receive.c */
void engine_process(Engine *e, AirPacket *packet);
void engine_on_advert(Engine *e, const AirPacket *packet);
/* engine-answer.c: what other nodes answered. */
void engine_on_response(Engine *e, EngineContact *from, const uint8_t *data, size_t size);
bool engine_on_path(Engine *e, EngineContact *from, const AirPacket *packet, const uint8_t *data,
                    size_t size);
bool engine_on_ack(Engine *e, uint32_t ack, PublicKey *ret_contact);
void engine_on_trace(Engine *e, const AirPacket *packet);
size_t engine_answer_request(Engine *e, const EngineContact *from, uint32_t tag, Slice request,
                             uint8_t ret[PACKET_PAYLOAD_MAX]);
size_t engine_telemetry(const Engine *e, bool own, uint8_t permissions, uint8_t *ret, size_t capacity);

/* engine-contacts.c */
EngineContact *contacts_lookup(Engine *e, const uint8_t *key, size_t size);
EngineContact *contacts_allocate(Engine *e, bool transient);
bool contacts_add(Engine *e, const EngineContact *contact);
bool contacts_remove(Engine *e, const uint8_t *key);
void contacts_changed(Engine *e);
void contacts_save(Engine *e);
void contacts_load(Engine *e);
void contacts_write_record(Engine *e, uint8_t code, const EngineContact *contact);
const uint8_t *contact_secret(Engine *e, EngineContact *contact);

/* engine-channels.c */
int channels_find(const Engine *e, const uint8_t secret[CHANNEL_SECRET_MAX]);

/* engine-queue.c */
void queue_add(Engine *e, const uint8_t *frame, size_t size);
void queue_announce(Engine *e);
void queue_text(Engine *e, const EngineContact *from, uint8_t txt_type, const AirPacket *packet,
                uint32_t timestamp, Slice extra, Slice text);
void queue_channel_text(Engine *e, int channel, const AirPacket *packet, uint32_t timestamp, Slice text);
void queue_channel_data(Engine *e, int channel, const AirPacket *packet, uint16_t type, Slice data);

/* Command handlers; size is that of the frame in e->cmd. */
typedef void (*CommandHandler)(Engine *e, size_t size);

void take_device_query(Engine *e, size_t size);
void take_app_start(Engine *e, size_t size);
void take_send_text(Engine *e, size_t size);
void take_send_channel_text(Engine *e, size_t size);
void take_send_channel_data(Engine *e, size_t size);
void take_get_contacts(Engine *e, size_t size);
void take_get_time(Engine *e, size_t size);
void take_set_time(Engine *e, size_t size);
void take_send_advert(Engine *e, size_t size);
void take_set_name(Engine *e, size_t size);
void take_put_contact(Engine *e, size_t size);
void take_next_message(Engine *e, size_t size);
void take_set_radio(Engine *e, size_t size);
void take_set_power(Engine *e, size_t size);
void take_reset_path(Engine *e, size_t size);
void take_set_position(Engine *e, size_t size);
void take_remove_contact(Engine *e, size_t size);
void take_share_contact(Engine *e, size_t size);
void take_export_contact(Engine *e, size_t size);
void take_import_contact(Engine *e, size_t size);
void take_reboot(Engine *e, size_t size);
void take_get_battery(Engine *e, size_t size);
void take_set_tuning(Engine *e, size_t size);
void take_export_key(Engine *e, size_t size);
void take_import_key(Engine *e, size_t size);
void take_send_raw(Engine *e, size_t size);
void take_send_login(Engine *e, size_t size);
void take_send_status(Engine *e, size_t size);
void take_has_connection(Engine *e, size_t size);
void take_logout(Engine *e, size_t size);
void take_get_contact(Engine *e, size_t size);
void take_get_channel(Engine *e, size_t size);
void take_set_channel(Engine *e, size_t size);
void take_sign_start(Engine *e, size_t size);
void take_sign_data(Engine *e, size_t size);
void take_sign_finish(Engine *e, size_t size);
void take_send_trace(Engine *e, size_t size);
void take_set_pin(Engine *e, size_t size);
void take_set_other(Engine *e, size_t size);
void take_send_telemetry(Engine *e, size_t size);
void take_get_variables(Engine *e, size_t size);
void take_set_variable(Engine *e, size_t size);
void take_get_advert_path(Engine *e, size_t size);
void take_get_tuning(Engine *e, size_t size);
void take_send_binary(Engine *e, size_t size);
void take_factory_reset(Engine *e, size_t size);
void take_send_discovery(Engine *e, size_t size);
void take_set_scope(Engine *e, size_t size);
void take_send_control(Engine *e, size_t size);
void take_get_stats(Engine *e, size_t size);
void take_send_anon(Engine *e, size_t size);
void take_set_auto_add(Engine *e, size_t size);
void take_get_auto_add(Engine *e, size_t size);
void take_get_repeat_freq(Engine *e, size_t size);
void take_set_hash_mode(Engine *e, size_t size);
void take_set_default_scope(Engine *e, size_t size);
void take_get_default_scope(Engine *e, size_t size);
void take_send_packet(Engine *e, size_t size);

/* Numbers in frames, little-endian, unaligned. */
static inline uint32_t get_u32(const uint8_t *p) {
        return (uint32_t) p[0] | (uint32_t) p[1] << 8 | (uint32_t) p[2] << 16 | (uint32_t) p[3] << 24;
}

static inline uint16_t get_u16(const uint8_t *p) {
        return (uint16_t) (p[0] | p[1] << 8);
}

static inline size_t put_u32(uint8_t *p, uint32_t v) {
        for (size_t i = 0; i < 4; i++)
                p[i] = (uint8_t) (v >> (8 * i));

        return 4;
}

static inline size_t put_u16(uint8_t *p, uint16_t v) {
        p[0] = (uint8_t) v;
        p[1] = (uint8_t) (v >> 8);
        return 2;
}

/* As the C library's strnlen(), over bytes. */
static inline size_t text_length(const uint8_t *p, size_t limit) {
        const uint8_t *end = memchr(p, 0, limit);

        return end ? (size_t) (end - p) : limit;
}
