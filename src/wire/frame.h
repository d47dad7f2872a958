/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Every frame that a radio sends, as one tagged union, wire reference 4. Text
 * and bytes are borrowed from the frame; text is as the radio sent it, cut at
 * the first NUL but not checked: utf8_repair() before it goes on. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"
#include "key.h"
#include "packet.h"
#include "path.h"
#include "protocol.h"
#include "reply.h"
#include "status.h"

typedef enum FrameKind {
        FRAME_EMPTY,   /* no bytes; to be ignored */
        FRAME_UNKNOWN, /* a code of later firmware; frame.rest */
        /* answers */
        FRAME_OK,
        FRAME_ERROR,           /* frame.error */
        FRAME_CONTACTS_START,  /* frame.contacts_start */
        FRAME_CONTACT,         /* frame.contact */
        FRAME_END_OF_CONTACTS, /* frame.end_of_contacts */
        FRAME_SELF_INFO,       /* frame.self_info */
        FRAME_SENT,            /* frame.sent */
        FRAME_CONTACT_MESSAGE, /* frame.message; codes 7 and 16 */
        FRAME_CHANNEL_MESSAGE, /* frame.message; codes 8 and 17 */
        FRAME_CHANNEL_DATA,    /* frame.message; code 27 */
        FRAME_CURRENT_TIME,    /* frame.current_time */
        FRAME_NO_MORE_MESSAGES,
        FRAME_EXPORTED_CONTACT, /* frame.exported_contact */
        FRAME_BATTERY,          /* frame.battery */
        FRAME_DEVICE_INFO,      /* frame.device_info */
        FRAME_PRIVATE_KEY,      /* frame.private_key */
        FRAME_DISABLED,
        FRAME_CHANNEL_INFO,        /* frame.channel_info */
        FRAME_SIGN_START,          /* frame.sign_start */
        FRAME_SIGNATURE,           /* frame.signature */
        FRAME_CUSTOM_VARS,         /* frame.custom_vars */
        FRAME_ADVERT_PATH,         /* frame.advert_path */
        FRAME_TUNING,              /* frame.tuning */
        FRAME_STATS,               /* frame.stats */
        FRAME_AUTOADD,             /* frame.autoadd */
        FRAME_ALLOWED_FREQUENCIES, /* frame.allowed_frequencies */
        FRAME_DEFAULT_SCOPE,       /* frame.default_scope */
        /* pushes */
        FRAME_ADVERT,         /* frame.public_key */
        FRAME_PATH_UPDATED,   /* frame.public_key */
        FRAME_SEND_CONFIRMED, /* frame.send_confirmed */
        FRAME_MESSAGE_WAITING,
        FRAME_RAW_DATA,        /* frame.raw_data */
        FRAME_LOGIN_SUCCESS,   /* frame.login */
        FRAME_LOGIN_FAIL,      /* frame.login.prefix */
        FRAME_STATUS,          /* frame.status */
        FRAME_RX_LOG,          /* frame.rx_log */
        FRAME_TRACE,           /* frame.trace */
        FRAME_NEW_ADVERT,      /* frame.contact: heard, not stored in the radio */
        FRAME_TELEMETRY,       /* frame.telemetry */
        FRAME_BINARY,          /* frame.binary */
        FRAME_PATH_DISCOVERY,  /* frame.path_discovery */
        FRAME_CONTROL_DATA,    /* frame.control */
        FRAME_CONTACT_DELETED, /* frame.public_key */
        FRAME_CONTACTS_FULL,
        _FRAME_KIND_MAX,
        _FRAME_KIND_INVALID = -22,
} FrameKind;

/* SNR values are x 4 everywhere, signal strength is dBm. */
typedef struct Frame {
        FrameKind kind;
        uint8_t code; /* the first byte; 0 for FRAME_EMPTY */
        union {
                Slice rest; /* FRAME_UNKNOWN: all after the code */

                struct {
                        bool has_code; /* not on firmware <= 1.3.0 */
                        uint8_t code;  /* ErrorCode, or one of later firmware; ERR_NONE when not told */
                } error;

                struct {
                        uint32_t count; /* of all contacts, also when filtered by since */
                } contacts_start;

                struct {
                        PublicKey public_key;
                        uint8_t type, flags;
                        Path path;            /* not known: flood */
                        Slice name;           /* at most 31 bytes, may be cut in a character */
                        uint32_t last_advert; /* the contact's clock, s */
                        int32_t lat_e6, lon_e6;
                        uint32_t lastmod; /* the radio's clock, s */
                } contact;

                struct {
                        uint32_t most_recent_lastmod; /* 0: no contact was sent; not for the next since */
                } end_of_contacts;

                struct {
                        uint8_t advert_type;
                        int8_t tx_power, max_tx_power; /* dBm */
                        PublicKey public_key;
                        int32_t lat_e6, lon_e6;
                        uint8_t multi_acks, advert_loc_policy;
                        uint8_t telemetry_base, telemetry_loc, telemetry_env; /* 0 deny, 1 flags, 2 all */
                        uint8_t manual_add;
                        uint32_t freq_khz; /* may read back 1 low */
                        uint32_t bw_hz;
                        uint8_t sf, cr;
                        Slice name;
                } self_info;

                struct {
                        bool flood;            /* else direct */
                        uint8_t tag[TAG_SIZE]; /* expected acknowledgement or request tag; opaque */
                        uint32_t est_timeout_ms;
                } sent;

                struct {
                        bool has_snr; /* not in codes 7 and 8 */
                        int8_t snr_x4;
                        uint8_t sender[KEY_PREFIX_SIZE]; /* FRAME_CONTACT_MESSAGE */
                        uint8_t channel;                 /* the other two; 0xFF: the radio does not know */
                        bool direct;                     /* came without a flood; path then is not known */
                        Path path;                       /* length and counts, never hashes */
                        uint8_t text_type;               /* TextType, or one of later firmware */
                        uint32_t timestamp; /* the sender's clock, s; not of FRAME_CHANNEL_DATA */
                        bool has_author;    /* TEXT_SIGNED_PLAIN */
                        uint8_t author[4];  /* start of the author's key */
                        Slice text;         /* no trailing NULs; on a channel "name: text" */
                        uint16_t data_type; /* FRAME_CHANNEL_DATA */
                        Slice data;         /* FRAME_CHANNEL_DATA */
                } message;

                struct {
                        uint32_t time; /* epoch s */
                } current_time;

                struct {
                        Slice packet; /* raw advert, for card.h and CMD_IMPORT_CONTACT */
                } exported_contact;

                struct {
                        uint16_t battery_mv;
                        bool has_storage; /* >= 1.7.1 */
                        uint32_t used_kb, total_kb;
                } battery;

                struct {
                        uint8_t level;
                        bool has_capacities; /* level >= 3; the next three */
                        uint16_t max_contacts;
                        uint8_t max_channels;
                        uint32_t ble_pin; /* 0: build default or random */
                        Slice build, model, version;
                        bool has_repeat; /* level >= 9 */
                        uint8_t repeat;
                        bool has_path_hash_mode; /* level >= 10 */
                        uint8_t path_hash_mode;
                } device_info;

                struct {
                        const uint8_t *key; /* PRIVATE_KEY_SIZE bytes, borrowed: not copied around */
                } private_key;

                struct {
                        uint8_t channel;
                        Slice name; /* empty, with a zero secret: an unused slot */
                        uint8_t secret[SECRET_SIZE];
                } channel_info;

                struct {
                        uint32_t max_size;
                } sign_start;

                struct {
                        const uint8_t *bytes; /* SIGNATURE_SIZE, borrowed */
                } signature;

                struct {
                        Slice list; /* "k:v,k:v", for custom_vars_next() */
                } custom_vars;

                struct {
                        uint32_t recv_time; /* the radio's clock, s */
                        Path path;
                } advert_path;

                struct {
                        uint32_t rx_delay_x1000, airtime_factor_x1000;
                } tuning;

                struct {
                        uint8_t type; /* StatsType; with another number nothing below is valid */
                        union {
                                struct {
                                        uint16_t battery_mv;
                                        uint32_t uptime_s;
                                        uint16_t err_flags; /* 1 pool full, 2 CAD timeout, 4 RX start timeout
                                                             */
                                        uint8_t tx_queue_len;
                                } core;
                                struct {
                                        int16_t noise_floor;
                                        int8_t last_rssi, last_snr_x4;
                                        uint32_t tx_air_s, rx_air_s;
                                } radio;
                                struct {
                                        uint32_t recv, sent, flood_tx, direct_tx, flood_rx, direct_rx;
                                        bool has_recv_errors; /* >= 1.13.0 */
                                        uint32_t recv_errors;
                                } packets;
                        };
                } stats;

                struct {
                        uint8_t flags;
                        bool has_max_hops; /* >= 1.14.0 */
                        uint8_t max_hops;
                } autoadd;

                struct {
                        size_t n_ranges;
                        Slice ranges; /* for frequency_range_get() */
                } allowed_frequencies;

                struct {
                        bool is_set;
                        Slice name;
                        uint8_t key[SECRET_SIZE];
                } default_scope;

                PublicKey public_key; /* FRAME_ADVERT, FRAME_PATH_UPDATED, FRAME_CONTACT_DELETED */

                struct {
                        uint8_t ack[TAG_SIZE];
                        bool has_round_trip;
                        uint32_t round_trip_ms;
                } send_confirmed;

                struct {
                        int8_t snr_x4, rssi;
                        Slice payload;
                } raw_data;

                struct {
                        uint8_t permissions; /* 1 admin, 0 not; room: 2 guest */
                        uint8_t prefix[KEY_PREFIX_SIZE];
                        bool has_server_time; /* >= 1.7.0 */
                        uint32_t server_time;
                        bool has_acl; /* >= 1.7.3 */
                        uint8_t acl;
                        bool has_ver_level; /* >= 1.9.0 */
                        uint8_t ver_level;
                } login;

                struct {
                        uint8_t prefix[KEY_PREFIX_SIZE];
                        Slice data; /* with padding */
                        Status values;
                } status;

                struct {
                        int8_t snr_x4, rssi;
                        Slice data;      /* the packet as heard */
                        bool has_packet; /* it could be parsed */
                        Packet packet;
                } rx_log;

                struct {
                        uint8_t flags;
                        uint32_t tag, auth;
                        uint8_t hash_size; /* 1, 2, 4 or 8 */
                        size_t n_hops;
                        Slice hashes, snrs;  /* for trace_hop() */
                        int8_t final_snr_x4; /* here */
                } trace;

                struct {
                        uint8_t prefix[KEY_PREFIX_SIZE];
                        Slice data; /* with padding, for lpp_init() */
                } telemetry;

                struct {
                        uint8_t tag[TAG_SIZE];
                        Slice data; /* with padding, for reply_decode() */
                } binary;

                struct {
                        uint8_t prefix[KEY_PREFIX_SIZE];
                        Path out, in;
                } path_discovery;

                struct {
                        int8_t snr_x4, rssi;
                        uint8_t path_length; /* the byte */
                        Slice payload;       /* empty only when the sender is broken */
                        bool is_discovery;   /* an answer to command_discover_nodes(): the rest is valid */
                        uint8_t node_type;
                        int8_t snr_in_x4; /* at the responder */
                        uint8_t tag[TAG_SIZE];
                        Slice key; /* 8 or 32 bytes */
                } control;
        };
} Frame;

/* hints may be NULL; used are level and node_type. Returns 0, or -EBADMSG for
 * a frame that is cut or cannot be: *ret then has only kind and code. Bytes
 * after the last known field are ignored, since firmware adds fields there. */
int frame_decode(const uint8_t *data, size_t size, const FrameContext *hints, Frame *ret);

/* A frame that nobody asked for: code from 0x80. An answer is every other,
 * but for self telemetry and the traps of reference 2.5. */
static inline bool frame_is_push(const Frame *frame) {
        return frame->code >= PUSH_FIRST;
}

/* May stand as the answer to CMD_SYNC_NEXT_MESSAGE: a message or a datagram. */
bool frame_is_message(const Frame *frame);

/* A V3 direct message of 173 bytes: an ESP32 cuts at its MTU there, reference 7.3. */
bool frame_maybe_cut(const uint8_t *data, size_t size);

/* Takes the next pair off list, split at the first colon (without one the
 * value is empty). False at the end. */
bool custom_vars_next(Slice *list, Slice *ret_name, Slice *ret_value);

/* i < n_ranges. */
void frequency_range_get(const Frame *frame, size_t i, uint32_t *ret_low_khz, uint32_t *ret_high_khz);

/* i < n_hops; *ret_hash is borrowed. */
void trace_hop(const Frame *frame, size_t i, Slice *ret_hash, int8_t *ret_snr_x4);
