/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What other nodes answered to SEND_BINARY_REQ and SEND_ANON_REQ, wire
 * reference 6.8 and 6.9. The frame does not tell which question it answers:
 * whoever asked knows it by the tag. Answers end in 0 to 15 zero bytes of
 * padding. */

#include <stdbool.h>
#include <stdint.h>

#include "bytes.h"
#include "lpp.h"
#include "protocol.h"
#include "status.h"

typedef enum ReplyKind {
        REPLY_NONE, /* not known what was asked: data stays as it is */
        REPLY_STATUS,
        REPLY_TELEMETRY,
        REPLY_MMA,
        REPLY_ACCESS_LIST,
        REPLY_NEIGHBOURS,
        REPLY_OWNER_INFO, /* BINARY_OWNER_INFO */
        REPLY_REGIONS,    /* ANON_REGIONS */
        REPLY_OWNER,      /* ANON_OWNER */
        REPLY_BASIC,      /* ANON_BASIC */
        _REPLY_KIND_MAX,
        _REPLY_KIND_INVALID = -22,
} ReplyKind;

/* "status", "telemetry", "mma", "acl", "neighbours", "owner-info", "regions", "owner",
 * "basic", "none". */
const char *reply_kind_to_string(ReplyKind kind);
ReplyKind reply_kind_from_string(const char *s);

/* What the caller knows and the bytes do not say. Zero: nothing known. */
typedef struct FrameContext {
        uint8_t level;         /* of the radio's protocol; 0: the newest */
        NodeType node_type;    /* of the node that answered */
        ReplyKind request;     /* what it was asked */
        uint8_t prefix_length; /* of the keys asked for with BINARY_NEIGHBOURS; 0: find out */
} FrameContext;

#define REPLY_ENTRIES_MAX 48

typedef struct MmaSeries {
        uint8_t channel, type; /* LppType, but in the sensor's own scale */
        int64_t min, max, avg; /* divide by scale */
        uint32_t scale;
} MmaSeries;

typedef struct AccessEntry {
        Slice prefix;        /* 6 bytes */
        uint8_t permissions; /* low 2 bits: 0 guest, 1 read-only, 2 read-write, 3 admin */
} AccessEntry;

typedef struct NeighbourEntry {
        Slice prefix;
        uint32_t secs_ago;
        int8_t snr_x4;
} NeighbourEntry;

typedef struct Reply {
        ReplyKind kind;
        Slice data;     /* all of it, padding included */
        size_t padding; /* zero bytes at the end that belong to no value */

        bool has_server_time; /* REPLY_MMA, REPLY_REGIONS, REPLY_OWNER, REPLY_BASIC */
        uint32_t server_time;

        /* REPLY_TELEMETRY: the items, for lpp_init(); complete unless lpp_end is LPP_END_UNKNOWN.
         * REPLY_REGIONS "*,name,name", REPLY_OWNER "name\nowner",
         * REPLY_OWNER_INFO "version\nname\nowner": the text without padding.
         * REPLY_BASIC: the features byte. */
        Slice body;
        LppEnd lpp_end;

        uint8_t features; /* REPLY_BASIC: bit 0 bridge UART, bits 0 and 1 ESP-NOW bridge, bit 7 not forwarding
                           */

        uint16_t neighbours_total;    /* REPLY_NEIGHBOURS */
        uint16_t neighbours_returned; /* as claimed; n_entries are there */

        size_t n_entries;
        union {
                Status status;
                MmaSeries series[REPLY_ENTRIES_MAX];
                AccessEntry access[REPLY_ENTRIES_MAX];
                NeighbourEntry neighbours[REPLY_ENTRIES_MAX];
        };
} Reply;

/* Decodes data as context->request says; REPLY_NONE for NULL. Slices borrow
 * from data. Returns 0, or -EBADMSG when it cannot be an answer of that kind. */
int reply_decode(Slice data, const FrameContext *context, Reply *ret);

/* For a person who looks at a single frame: which kind data most probably is.
 * REPLY_NONE when nothing fits well. Never for a program that knows what it
 * asked. */
ReplyKind reply_guess(Slice data);

/* The zero bytes at the end of data, at most 15: what AES blocks can add. */
size_t reply_padding(Slice data);
