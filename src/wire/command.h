/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* One encoder for every command of wire reference 3. Each fills *ret with a
 * whole frame payload (no stream header) and returns 0, -EINVAL for an argument
 * that the radio would refuse or misunderstand, or -EMSGSIZE for one too long.
 * On failure *ret is untouched. Commands are sent at full length always, because some
 * are read without a length check (reference 3).
 *
 * Texts are NUL-terminated UTF-8. Nothing is cut silently, except the name of
 * a contact, which is not ours to refuse. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"
#include "key.h"
#include "path.h"
#include "protocol.h"

typedef struct Command {
        uint8_t data[FRAME_SIZE_MAX];
        size_t size;
} Command;

static inline uint8_t command_code(const Command *command) {
        return command->data[0];
}

/* -EMSGSIZE when a radio of this level cannot take the frame (172 bytes below
 * level 13); 0 otherwise. */
int command_check_size(const Command *command, uint8_t level);

/* -- session -- */
int command_device_query(Command *ret, uint8_t app_level); /* >= 3 for codes 16 and 17 */
int command_app_start(Command *ret, const char *app_name); /* only logged by the radio */
int command_get_device_time(Command *ret);
int command_set_device_time(Command *ret, uint32_t epoch); /* ERR 6: the radio is ahead */
int command_get_batt_and_storage(Command *ret);
int command_reboot(Command *ret);        /* no answer */
int command_factory_reset(Command *ret); /* no answer */
int command_get_stats(Command *ret, StatsType type);

/* -- messages -- */
/* type TEXT_PLAIN or TEXT_CLI_DATA; 1 to 160 bytes of text, 158 when attempt > 3. An all-zero prefix is
 * refused: it would match an unused slot. */
int command_send_text(Command *ret, TextType type, uint8_t attempt, uint32_t timestamp,
                      const uint8_t prefix[KEY_PREFIX_SIZE], const char *text);
/* 1 to 160 bytes; the radio cuts at 160 minus its own name and ": ". */
int command_send_channel_text(Command *ret, uint8_t channel, uint32_t timestamp, const char *text);
/* path->length PATH_LEN_NONE: flood. type not 0. At most CHANNEL_DATA_SIZE_MAX bytes, empty allowed. */
int command_send_channel_data(Command *ret, uint8_t channel, const Path *path, uint16_t type, Slice data);
int command_sync_next_message(Command *ret);
/* Direct, through one-byte hashes; at least 4 bytes of data. */
int command_send_raw_data(Command *ret, Slice path, Slice data);
/* A whole mesh packet; priority 0 is the highest. Level 13. */
int command_send_raw_packet(Command *ret, uint8_t priority, Slice packet);
/* The first byte of data has bit 7 set (reference 6.16). */
int command_send_control_data(Command *ret, Slice data);
/* filter: one bit per node type, 1 << NODE_…; since may be NULL. */
int command_discover_nodes(Command *ret, bool prefix_only, uint8_t filter, uint32_t tag,
                           const uint32_t *since);

/* -- contacts -- */
int command_get_contacts(Command *ret);
int command_get_contacts_since(Command *ret, uint32_t lastmod); /* strictly newer ones */
int command_get_contact_by_key(Command *ret, const PublicKey *key);

typedef struct ContactRecord {
        PublicKey key;
        uint8_t type;  /* not NODE_NONE */
        uint8_t flags; /* reference 6.3 */
        uint8_t path_len;
        uint8_t path[PATH_SIZE_MAX]; /* path_size() bytes of it are sent, the rest is zero */
        const char *name;            /* cut to 31 bytes between characters */
        uint32_t last_advert;
        int32_t lat_e6, lon_e6;
        bool has_lastmod; /* default: the radio's now */
        uint32_t lastmod;
} ContactRecord;

int command_add_update_contact(Command *ret, const ContactRecord *contact);
int command_remove_contact(Command *ret, const PublicKey *key);
int command_reset_path(Command *ret, const PublicKey *key);
int command_share_contact(Command *ret, const PublicKey *key);
int command_export_contact(Command *ret, const PublicKey *key); /* NULL: ourselves */
int command_import_contact(Command *ret, Slice advert_packet);  /* -EINVAL: not an advert */
int command_get_advert_path(Command *ret, const PublicKey *key);

/* -- channels -- */
int command_get_channel(Command *ret, uint8_t channel);
/* name at most 31 bytes; "" and a zero secret delete the slot. */
int command_set_channel(Command *ret, uint8_t channel, const char *name, const uint8_t secret[SECRET_SIZE]);

/* -- the radio itself -- */
int command_send_self_advert(Command *ret, bool flood);
int command_set_advert_name(Command *ret, const char *name); /* 1 to 31 bytes */
/* |lat| <= 90e6, |lon| <= 180e6; altitude may be NULL, the radio ignores it. */
int command_set_advert_latlon(Command *ret, int32_t lat_e6, int32_t lon_e6, const int32_t *altitude);

typedef struct RadioParams {
        uint32_t freq_khz; /* 150000 to 2500000 */
        uint32_t bw_hz;    /* 7000 to 500000; hertz, not kHz */
        uint8_t sf;        /* 5 to 12 */
        uint8_t cr;        /* 5 to 8 */
        bool has_repeat;   /* level >= 9: always give it, absent turns it off */
        bool repeat;
} RadioParams;

int command_set_radio_params(Command *ret, const RadioParams *params);
int command_set_radio_tx_power(Command *ret, int dbm, int max_dbm); /* TX_POWER_MIN to max_dbm (SELF_INFO) */
/* Thousandths: rx_delay 0 to 20000, airtime_factor 0 to 9000. */
int command_set_tuning_params(Command *ret, uint32_t rx_delay_x1000, uint32_t airtime_factor_x1000);
int command_get_tuning_params(Command *ret);
int command_set_device_pin(Command *ret, uint32_t pin); /* 0, or six digits; from the next boot on */

typedef struct OtherParams {
        bool manual_add;
        /* Each of these may be left out only when all after it are left out. */
        bool has_telemetry;
        uint8_t telemetry_base, telemetry_loc, telemetry_env; /* 0 deny, 1 by contact flags, 2 allow */
        bool has_advert_loc_policy;
        uint8_t advert_loc_policy;
        bool has_multi_acks;
        uint8_t multi_acks;
} OtherParams;

int command_set_other_params(Command *ret, const OtherParams *params);
int command_get_custom_vars(Command *ret);
int command_set_custom_var(Command *ret, const char *name, const char *value);
/* max_hops -1: leave it out (level < 10). */
int command_set_autoadd_config(Command *ret, uint8_t flags, int max_hops);
int command_get_autoadd_config(Command *ret);
int command_get_allowed_repeat_freq(Command *ret);
int command_set_path_hash_mode(Command *ret, uint8_t mode); /* 0 to 2 */
int command_set_flood_scope_key(Command *ret, const uint8_t key[SECRET_SIZE]);
int command_clear_flood_scope(Command *ret);
int command_force_unscoped(Command *ret); /* level >= 12 */
/* name 1 to 30 bytes. */
int command_set_default_flood_scope(Command *ret, const char *name, const uint8_t key[SECRET_SIZE]);
int command_clear_default_flood_scope(Command *ret);
int command_get_default_flood_scope(Command *ret);

/* -- keys -- */
int command_export_private_key(Command *ret);
int command_import_private_key(Command *ret, const uint8_t key[PRIVATE_KEY_SIZE]); /* expanded Ed25519 */
int command_sign_start(Command *ret);
int command_sign_data(Command *ret, Slice data); /* 1 to 175 bytes, see command_check_size() */
int command_sign_finish(Command *ret);

/* -- requests to other nodes; one at a time, reference 7.5 -- */
int command_send_login(Command *ret, const PublicKey *key, const char *password); /* "" or up to 15 bytes */
int command_logout(Command *ret, const PublicKey *key);
int command_has_connection(Command *ret, const PublicKey *key);
int command_send_status_req(Command *ret, const PublicKey *key);
int command_get_self_telemetry(Command *ret); /* answered by a push */
int command_send_telemetry_req(Command *ret, const PublicKey *key);
int command_send_path_discovery_req(Command *ret, const PublicKey *key);
/* path: hashes of 1 << hash_size_log2 bytes, there and back; 1 to 64 of them. */
int command_send_trace_path(Command *ret, uint32_t tag, uint32_t auth, uint8_t hash_size_log2, Slice path);

int command_send_binary_req(Command *ret, const PublicKey *key, uint8_t type, Slice params);
int command_request_keep_alive(Command *ret, const PublicKey *key, uint32_t since);
/* permission_mask: the kinds wanted (base, location, environment: bits 0 to 2), 0xFF everything. */
int command_request_telemetry(Command *ret, const PublicKey *key, uint8_t permission_mask, uint32_t random);
/* Both in seconds before now, start the earlier. */
int command_request_mma(Command *ret, const PublicKey *key, uint32_t start_secs_ago, uint32_t end_secs_ago);
int command_request_access_list(Command *ret, const PublicKey *key);

typedef struct NeighboursQuery {
        uint8_t count;
        uint16_t offset;
        NeighbourOrder order;
        uint8_t prefix_length; /* 1 to 32 */
        uint32_t random;       /* makes the request unique on air */
} NeighboursQuery;

int command_request_neighbours(Command *ret, const PublicKey *key, const NeighboursQuery *query);
/* out_path: our way to the server; it is sent turned round, as the way back.
 * -EINVAL when it is not known, since servers answer direct requests only. */
int command_send_anon_req(Command *ret, const PublicKey *key, AnonRequestType type, const Path *out_path);
