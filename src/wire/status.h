/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The status of a repeater, room server or sensor, wire reference 6.7. */

#include <stdbool.h>
#include <stdint.h>

#include "bytes.h"
#include "protocol.h"

#define STATUS_SIZE_MIN 48

typedef enum StatusLayout {
        STATUS_REPEATER,     /* rx_airtime and recv_errors */
        STATUS_REPEATER_OLD, /* without recv_errors, or they are 0: the padding hides which (>= 1.8) */
        STATUS_ROOM,         /* posts */
        STATUS_BASIC,        /* only what all have (< 1.8) */
        _STATUS_LAYOUT_MAX,
        _STATUS_LAYOUT_INVALID = -22,
} StatusLayout;

/* "repeater", "repeater_old", "room", "basic". */
const char *status_layout_to_string(StatusLayout layout);

typedef struct Status {
        StatusLayout layout;
        uint16_t battery_mv;
        uint16_t tx_queue_len;
        int16_t noise_floor; /* dBm */
        int16_t last_rssi;   /* dBm */
        uint32_t packets_recv, packets_sent;
        uint32_t tx_airtime_s, uptime_s;
        uint32_t sent_flood, sent_direct;
        uint32_t recv_flood, recv_direct;
        uint16_t err_flags;
        int16_t last_snr_x4;
        uint16_t direct_dups, flood_dups;
        uint32_t rx_airtime_s; /* STATUS_REPEATER, STATUS_REPEATER_OLD */
        uint32_t recv_errors;  /* STATUS_REPEATER */
        uint16_t posts_stored; /* STATUS_ROOM */
        uint16_t posts_pushed; /* STATUS_ROOM */
} Status;

/* data with its padding. node_type is the sender's, from its contact;
 * NODE_NONE when unknown: then the numbers must tell (receive errors or a
 * possible receive airtime: a repeater). Returns 0, or -EBADMSG when short. */
int status_decode(Slice data, NodeType node_type, Status *ret);
