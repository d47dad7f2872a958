/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "frame-internal.h"
#include "macros.h"

#define CONTROL_TYPE_MASK      0xF0
#define CONTROL_DISCOVER_REPLY 0x90

static void read_public_key(ByteReader *r, Frame *frame) {
        reader_copy(r, frame->public_key.bytes, sizeof(frame->public_key.bytes));
}

/* A reserved zero and six bytes of a key, as most pushes about a node begin. */
static void read_prefix(ByteReader *r, uint8_t ret[KEY_PREFIX_SIZE]) {
        reader_skip(r, 1);
        reader_copy(r, ret, KEY_PREFIX_SIZE);
}

static void read_send_confirmed(ByteReader *r, Frame *frame) {
        reader_copy(r, frame->send_confirmed.ack, sizeof(frame->send_confirmed.ack));
        frame->send_confirmed.has_round_trip = reader_left(r) >= 4;
        frame->send_confirmed.round_trip_ms = frame->send_confirmed.has_round_trip ? reader_u32le(r) : 0;
}

static void read_login(ByteReader *r, Frame *frame) {
        memset(&frame->login, 0, sizeof(frame->login));
        if (frame->kind == FRAME_LOGIN_FAIL) {
                read_prefix(r, frame->login.prefix);
                return;
        }

        frame->login.permissions = reader_u8(r);
        reader_copy(r, frame->login.prefix, sizeof(frame->login.prefix));
        if (reader_left(r) >= 4) {
                frame->login.has_server_time = true;
                frame->login.server_time = reader_u32le(r);
                frame->login.has_acl = reader_left(r) > 0;
                frame->login.acl = frame->login.has_acl ? reader_u8(r) : 0;
                frame->login.has_ver_level = reader_left(r) > 0;
                frame->login.ver_level = frame->login.has_ver_level ? reader_u8(r) : 0;
        }
}

static bool read_status(ByteReader *r, const FrameContext *hints, Frame *frame) {
        read_prefix(r, frame->status.prefix);
        frame->status.data = reader_rest(r);
        return status_decode(frame->status.data, hints->node_type, &frame->status.values) >= 0;
}

static void read_rx_log(ByteReader *r, Frame *frame) {
        frame->rx_log.snr_x4 = reader_i8(r);
        frame->rx_log.rssi = reader_i8(r);
        frame->rx_log.data = reader_rest(r);
        frame->rx_log.has_packet = packet_decode(frame->rx_log.data, &frame->rx_log.packet) >= 0;
}

static void read_trace(ByteReader *r, Frame *frame) {
        uint8_t path_size, shift;

        reader_skip(r, 1);
        path_size = reader_u8(r);
        frame->trace.flags = reader_u8(r);
        shift = frame->trace.flags & 3;
        frame->trace.tag = reader_u32le(r);
        frame->trace.auth = reader_u32le(r);
        frame->trace.hash_size = (uint8_t) (1U << shift);
        frame->trace.n_hops = path_size >> shift;
        frame->trace.hashes = reader_slice(r, path_size);
        frame->trace.snrs = reader_slice(r, frame->trace.n_hops);
        frame->trace.final_snr_x4 = reader_i8(r);
}

static bool read_path_discovery(ByteReader *r, const FrameContext *hints, Frame *frame) {
        read_prefix(r, frame->path_discovery.prefix);
        return path_read(r, hints->level, &frame->path_discovery.out) >= 0 &&
               path_read(r, hints->level, &frame->path_discovery.in) >= 0;
}

/* Reference 6.16. */
static void read_discovery(Frame *frame) {
        ByteReader r;

        frame->control.is_discovery = false;
        reader_init(&r, frame->control.payload.data, frame->control.payload.size);
        frame->control.node_type = reader_u8(&r);
        if ((frame->control.node_type & CONTROL_TYPE_MASK) != CONTROL_DISCOVER_REPLY)
                return;

        frame->control.node_type &= (uint8_t) ~CONTROL_TYPE_MASK;
        frame->control.snr_in_x4 = reader_i8(&r);
        reader_copy(&r, frame->control.tag, sizeof(frame->control.tag));
        frame->control.key = reader_rest(&r);
        frame->control.is_discovery = !r.overrun && (frame->control.key.size == 8 ||
                                                     frame->control.key.size == PUBLIC_KEY_SIZE);
}

static void read_control(ByteReader *r, Frame *frame) {
        frame->control.snr_x4 = reader_i8(r);
        frame->control.rssi = reader_i8(r);
        frame->control.path_length = reader_u8(r);
        frame->control.payload = reader_rest(r);
        read_discovery(frame);
}

static FrameKind push_kind(uint8_t code) {
        static const FrameKind kinds[] = {
                        [PUSH_ADVERT - PUSH_FIRST] = FRAME_ADVERT,
                        [PUSH_PATH_UPDATED - PUSH_FIRST] = FRAME_PATH_UPDATED,
                        [PUSH_SEND_CONFIRMED - PUSH_FIRST] = FRAME_SEND_CONFIRMED,
                        [PUSH_MSG_WAITING - PUSH_FIRST] = FRAME_MESSAGE_WAITING,
                        [PUSH_RAW_DATA - PUSH_FIRST] = FRAME_RAW_DATA,
                        [PUSH_LOGIN_SUCCESS - PUSH_FIRST] = FRAME_LOGIN_SUCCESS,
                        [PUSH_LOGIN_FAIL - PUSH_FIRST] = FRAME_LOGIN_FAIL,
                        [PUSH_STATUS_RESPONSE - PUSH_FIRST] = FRAME_STATUS,
                        [PUSH_LOG_RX_DATA - PUSH_FIRST] = FRAME_RX_LOG,
                        [PUSH_TRACE_DATA - PUSH_FIRST] = FRAME_TRACE,
                        [PUSH_NEW_ADVERT - PUSH_FIRST] = FRAME_NEW_ADVERT,
                        [PUSH_TELEMETRY_RESPONSE - PUSH_FIRST] = FRAME_TELEMETRY,
                        [PUSH_BINARY_RESPONSE - PUSH_FIRST] = FRAME_BINARY,
                        [PUSH_PATH_DISCOVERY_RESPONSE - PUSH_FIRST] = FRAME_PATH_DISCOVERY,
                        [PUSH_CONTROL_DATA - PUSH_FIRST] = FRAME_CONTROL_DATA,
                        [PUSH_CONTACT_DELETED - PUSH_FIRST] = FRAME_CONTACT_DELETED,
                        [PUSH_CONTACTS_FULL - PUSH_FIRST] = FRAME_CONTACTS_FULL,
        };
        size_t i = code - PUSH_FIRST;

        return i < ELEMENTSOF(kinds) ? kinds[i] : FRAME_UNKNOWN;
}

bool frame_decode_push(ByteReader *r, const FrameContext *hints, Frame *frame) {
        frame->kind = push_kind(frame->code);

        switch (frame->kind) {
        case FRAME_ADVERT:
        case FRAME_PATH_UPDATED:
        case FRAME_CONTACT_DELETED:
                read_public_key(r, frame);
                break;
        case FRAME_SEND_CONFIRMED:
                read_send_confirmed(r, frame);
                break;
        case FRAME_RAW_DATA:
                frame->raw_data.snr_x4 = reader_i8(r);
                frame->raw_data.rssi = reader_i8(r);
                reader_skip(r, 1);
                frame->raw_data.payload = reader_rest(r);
                break;
        case FRAME_LOGIN_SUCCESS:
        case FRAME_LOGIN_FAIL:
                read_login(r, frame);
                break;
        case FRAME_STATUS:
                return read_status(r, hints, frame);
        case FRAME_RX_LOG:
                read_rx_log(r, frame);
                break;
        case FRAME_TRACE:
                read_trace(r, frame);
                break;
        case FRAME_NEW_ADVERT:
                frame_read_contact(r, hints->level, frame);
                break;
        case FRAME_TELEMETRY:
                read_prefix(r, frame->telemetry.prefix);
                frame->telemetry.data = reader_rest(r);
                break;
        case FRAME_BINARY:
                reader_skip(r, 1);
                reader_copy(r, frame->binary.tag, sizeof(frame->binary.tag));
                frame->binary.data = reader_rest(r);
                break;
        case FRAME_PATH_DISCOVERY:
                return read_path_discovery(r, hints, frame);
        case FRAME_CONTROL_DATA:
                read_control(r, frame);
                break;
        case FRAME_UNKNOWN:
                frame->rest = reader_rest(r);
                break;
        default: /* the code is all there is */
                break;
        }

        return true;
}

void trace_hop(const Frame *frame, size_t i, Slice *ret_hash, int8_t *ret_snr_x4) {
        size_t size = frame->trace.hash_size;

        *ret_hash = (Slice){frame->trace.hashes.data + i * size, size};
        *ret_snr_x4 = (int8_t) frame->trace.snrs.data[i];
}
