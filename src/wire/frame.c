/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <string.h>

#include "frame-internal.h"
#include "macros.h"

#define CONTACT_MSG_CUT_SIZE 173
#define FREQUENCY_RANGE_SIZE 8

void frame_read_contact(ByteReader *r, uint8_t level, Frame *frame) {
        Slice field;

        reader_copy(r, frame->contact.public_key.bytes, sizeof(frame->contact.public_key.bytes));
        frame->contact.type = reader_u8(r);
        frame->contact.flags = reader_u8(r);
        frame->contact.path = path_from_length(reader_u8(r), level);
        field = reader_slice(r, PATH_SIZE_MAX);
        frame->contact.path.hashes = (Slice){field.data, MIN(field.size, path_size(&frame->contact.path))};
        frame->contact.name = reader_cstr(r, NAME_FIELD_SIZE);
        frame->contact.last_advert = reader_u32le(r);
        frame->contact.lat_e6 = reader_i32le(r);
        frame->contact.lon_e6 = reader_i32le(r);
        frame->contact.lastmod = reader_u32le(r);
}

static void read_self_info(ByteReader *r, Frame *frame) {
        uint8_t telemetry;

        frame->self_info.advert_type = reader_u8(r);
        frame->self_info.tx_power = reader_i8(r);
        frame->self_info.max_tx_power = reader_i8(r);
        reader_copy(r, frame->self_info.public_key.bytes, sizeof(frame->self_info.public_key.bytes));
        frame->self_info.lat_e6 = reader_i32le(r);
        frame->self_info.lon_e6 = reader_i32le(r);
        frame->self_info.multi_acks = reader_u8(r);
        frame->self_info.advert_loc_policy = reader_u8(r);
        telemetry = reader_u8(r);
        frame->self_info.telemetry_base = telemetry & 3;
        frame->self_info.telemetry_loc = telemetry >> 2 & 3;
        frame->self_info.telemetry_env = telemetry >> 4 & 3;
        frame->self_info.manual_add = reader_u8(r);
        frame->self_info.freq_khz = reader_u32le(r);
        frame->self_info.bw_hz = reader_u32le(r);
        frame->self_info.sf = reader_u8(r);
        frame->self_info.cr = reader_u8(r);
        frame->self_info.name = reader_cstr(r, reader_left(r));
}

static void read_snr(ByteReader *r, Frame *frame) {
        frame->message.has_snr = true;
        frame->message.snr_x4 = reader_i8(r);
        reader_skip(r, 2);
}

static void read_message_path(ByteReader *r, uint8_t level, Frame *frame) {
        frame->message.path = path_from_length(reader_u8(r), level);
        frame->message.direct = frame->message.path.length == PATH_LEN_NONE;
}

static void read_text(ByteReader *r, Frame *frame) {
        Slice text;

        frame->message.text_type = reader_u8(r);
        frame->message.timestamp = reader_u32le(r);
        if (frame->kind == FRAME_CONTACT_MESSAGE && frame->message.text_type == TEXT_SIGNED_PLAIN) {
                frame->message.has_author = true;
                reader_copy(r, frame->message.author, sizeof(frame->message.author));
        }

        text = reader_rest(r);
        while (text.size > 0 && text.data[text.size - 1] == '\0')
                text.size--;
        frame->message.text = text;
}

static void read_message(ByteReader *r, uint8_t level, Frame *frame) {
        memset(&frame->message, 0, sizeof(frame->message));

        if (frame->code == RESP_CONTACT_MSG_RECV_V3 || frame->code == RESP_CHANNEL_MSG_RECV_V3 ||
            frame->code == RESP_CHANNEL_DATA_RECV)
                read_snr(r, frame);

        if (frame->kind == FRAME_CONTACT_MESSAGE)
                reader_copy(r, frame->message.sender, sizeof(frame->message.sender));
        else
                frame->message.channel = reader_u8(r);
        read_message_path(r, level, frame);

        if (frame->kind == FRAME_CHANNEL_DATA) {
                frame->message.data_type = reader_u16le(r);
                frame->message.data = reader_slice(r, reader_u8(r));
        } else
                read_text(r, frame);
}

static void read_device_info(ByteReader *r, Frame *frame) {
        uint8_t contacts, channels;
        uint32_t pin;

        memset(&frame->device_info, 0, sizeof(frame->device_info));
        frame->device_info.level = reader_u8(r);
        contacts = reader_u8(r);
        channels = reader_u8(r);
        pin = reader_u32le(r);
        if (frame->device_info.level >= 3) {
                frame->device_info.has_capacities = true;
                frame->device_info.max_contacts = (uint16_t) (contacts * 2);
                frame->device_info.max_channels = channels;
                frame->device_info.ble_pin = pin;
        }

        frame->device_info.build = reader_cstr(r, 12);
        frame->device_info.model = reader_cstr(r, 40);
        frame->device_info.version = reader_cstr(r, 20);
        if (reader_left(r) >= 1) {
                frame->device_info.has_repeat = true;
                frame->device_info.repeat = reader_u8(r);
        }
        if (reader_left(r) >= 1) {
                frame->device_info.has_path_hash_mode = true;
                frame->device_info.path_hash_mode = reader_u8(r);
        }
}

static void read_stats(ByteReader *r, Frame *frame) {
        frame->stats.type = reader_u8(r);

        switch (frame->stats.type) {
        case STATS_CORE:
                frame->stats.core.battery_mv = reader_u16le(r);
                frame->stats.core.uptime_s = reader_u32le(r);
                frame->stats.core.err_flags = reader_u16le(r);
                frame->stats.core.tx_queue_len = reader_u8(r);
                break;
        case STATS_RADIO:
                frame->stats.radio.noise_floor = reader_i16le(r);
                frame->stats.radio.last_rssi = reader_i8(r);
                frame->stats.radio.last_snr_x4 = reader_i8(r);
                frame->stats.radio.tx_air_s = reader_u32le(r);
                frame->stats.radio.rx_air_s = reader_u32le(r);
                break;
        case STATS_PACKETS:
                frame->stats.packets.recv = reader_u32le(r);
                frame->stats.packets.sent = reader_u32le(r);
                frame->stats.packets.flood_tx = reader_u32le(r);
                frame->stats.packets.direct_tx = reader_u32le(r);
                frame->stats.packets.flood_rx = reader_u32le(r);
                frame->stats.packets.direct_rx = reader_u32le(r);
                frame->stats.packets.has_recv_errors = reader_left(r) >= 4;
                frame->stats.packets.recv_errors = frame->stats.packets.has_recv_errors ? reader_u32le(r) : 0;
                break;
        default:
                break;
        }
}

static void read_battery(ByteReader *r, Frame *frame) {
        frame->battery.battery_mv = reader_u16le(r);
        frame->battery.has_storage = reader_left(r) > 0;
        frame->battery.used_kb = frame->battery.has_storage ? reader_u32le(r) : 0;
        frame->battery.total_kb = frame->battery.has_storage ? reader_u32le(r) : 0;
}

static void read_default_scope(ByteReader *r, Frame *frame) {
        memset(&frame->default_scope, 0, sizeof(frame->default_scope));
        if (reader_left(r) == 0)
                return;

        frame->default_scope.is_set = true;
        frame->default_scope.name = reader_cstr(r, SCOPE_NAME_FIELD_SIZE);
        reader_copy(r, frame->default_scope.key, sizeof(frame->default_scope.key));
}

static void read_error(ByteReader *r, Frame *frame) {
        frame->error.has_code = reader_left(r) > 0;
        frame->error.code = frame->error.has_code ? reader_u8(r) : ERR_NONE;
}

static void read_sent(ByteReader *r, Frame *frame) {
        frame->sent.flood = reader_u8(r) != 0;
        reader_copy(r, frame->sent.tag, sizeof(frame->sent.tag));
        frame->sent.est_timeout_ms = reader_u32le(r);
}

static void read_channel_info(ByteReader *r, Frame *frame) {
        frame->channel_info.channel = reader_u8(r);
        frame->channel_info.name = reader_cstr(r, NAME_FIELD_SIZE);
        reader_copy(r, frame->channel_info.secret, sizeof(frame->channel_info.secret));
}

static void read_autoadd(ByteReader *r, Frame *frame) {
        frame->autoadd.flags = reader_u8(r);
        frame->autoadd.has_max_hops = reader_left(r) > 0;
        frame->autoadd.max_hops = frame->autoadd.has_max_hops ? reader_u8(r) : 0;
}

static void read_allowed_frequencies(ByteReader *r, Frame *frame) {
        frame->allowed_frequencies.n_ranges = reader_left(r) / FREQUENCY_RANGE_SIZE;
        frame->allowed_frequencies.ranges =
                        reader_slice(r, frame->allowed_frequencies.n_ranges * FREQUENCY_RANGE_SIZE);
}

static FrameKind response_kind(uint8_t code) {
        static const FrameKind kinds[] = {
                        [RESP_OK] = FRAME_OK,
                        [RESP_ERR] = FRAME_ERROR,
                        [RESP_CONTACTS_START] = FRAME_CONTACTS_START,
                        [RESP_CONTACT] = FRAME_CONTACT,
                        [RESP_END_OF_CONTACTS] = FRAME_END_OF_CONTACTS,
                        [RESP_SELF_INFO] = FRAME_SELF_INFO,
                        [RESP_SENT] = FRAME_SENT,
                        [RESP_CONTACT_MSG_RECV] = FRAME_CONTACT_MESSAGE,
                        [RESP_CHANNEL_MSG_RECV] = FRAME_CHANNEL_MESSAGE,
                        [RESP_CURR_TIME] = FRAME_CURRENT_TIME,
                        [RESP_NO_MORE_MESSAGES] = FRAME_NO_MORE_MESSAGES,
                        [RESP_EXPORT_CONTACT] = FRAME_EXPORTED_CONTACT,
                        [RESP_BATT_AND_STORAGE] = FRAME_BATTERY,
                        [RESP_DEVICE_INFO] = FRAME_DEVICE_INFO,
                        [RESP_PRIVATE_KEY] = FRAME_PRIVATE_KEY,
                        [RESP_DISABLED] = FRAME_DISABLED,
                        [RESP_CONTACT_MSG_RECV_V3] = FRAME_CONTACT_MESSAGE,
                        [RESP_CHANNEL_MSG_RECV_V3] = FRAME_CHANNEL_MESSAGE,
                        [RESP_CHANNEL_INFO] = FRAME_CHANNEL_INFO,
                        [RESP_SIGN_START] = FRAME_SIGN_START,
                        [RESP_SIGNATURE] = FRAME_SIGNATURE,
                        [RESP_CUSTOM_VARS] = FRAME_CUSTOM_VARS,
                        [RESP_ADVERT_PATH] = FRAME_ADVERT_PATH,
                        [RESP_TUNING_PARAMS] = FRAME_TUNING,
                        [RESP_STATS] = FRAME_STATS,
                        [RESP_AUTOADD_CONFIG] = FRAME_AUTOADD,
                        [RESP_ALLOWED_REPEAT_FREQ] = FRAME_ALLOWED_FREQUENCIES,
                        [RESP_CHANNEL_DATA_RECV] = FRAME_CHANNEL_DATA,
                        [RESP_DEFAULT_FLOOD_SCOPE] = FRAME_DEFAULT_SCOPE,
        };

        return code < ELEMENTSOF(kinds) ? kinds[code] : FRAME_UNKNOWN;
}

static bool decode_response(ByteReader *r, const FrameContext *hints, Frame *frame) {
        frame->kind = response_kind(frame->code);

        switch (frame->kind) {
        case FRAME_ERROR:
                read_error(r, frame);
                break;
        case FRAME_CONTACTS_START:
                frame->contacts_start.count = reader_u32le(r);
                break;
        case FRAME_CONTACT:
                frame_read_contact(r, hints->level, frame);
                break;
        case FRAME_END_OF_CONTACTS:
                frame->end_of_contacts.most_recent_lastmod = reader_u32le(r);
                break;
        case FRAME_SELF_INFO:
                read_self_info(r, frame);
                break;
        case FRAME_SENT:
                read_sent(r, frame);
                break;
        case FRAME_CONTACT_MESSAGE:
        case FRAME_CHANNEL_MESSAGE:
        case FRAME_CHANNEL_DATA:
                read_message(r, hints->level, frame);
                break;
        case FRAME_CURRENT_TIME:
                frame->current_time.time = reader_u32le(r);
                break;
        case FRAME_EXPORTED_CONTACT:
                frame->exported_contact.packet = reader_rest(r);
                break;
        case FRAME_BATTERY:
                read_battery(r, frame);
                break;
        case FRAME_DEVICE_INFO:
                read_device_info(r, frame);
                break;
        case FRAME_PRIVATE_KEY:
                frame->private_key.key = reader_slice(r, PRIVATE_KEY_SIZE).data;
                break;
        case FRAME_CHANNEL_INFO:
                read_channel_info(r, frame);
                break;
        case FRAME_SIGN_START:
                reader_skip(r, 1);
                frame->sign_start.max_size = reader_u32le(r);
                break;
        case FRAME_SIGNATURE:
                frame->signature.bytes = reader_slice(r, SIGNATURE_SIZE).data;
                break;
        case FRAME_CUSTOM_VARS:
                frame->custom_vars.list = reader_rest(r);
                break;
        case FRAME_ADVERT_PATH:
                frame->advert_path.recv_time = reader_u32le(r);
                return path_read(r, hints->level, &frame->advert_path.path) >= 0;
        case FRAME_TUNING:
                frame->tuning.rx_delay_x1000 = reader_u32le(r);
                frame->tuning.airtime_factor_x1000 = reader_u32le(r);
                break;
        case FRAME_STATS:
                read_stats(r, frame);
                break;
        case FRAME_AUTOADD:
                read_autoadd(r, frame);
                break;
        case FRAME_ALLOWED_FREQUENCIES:
                read_allowed_frequencies(r, frame);
                break;
        case FRAME_DEFAULT_SCOPE:
                read_default_scope(r, frame);
                break;
        case FRAME_UNKNOWN:
                frame->rest = reader_rest(r);
                break;
        default: /* the code is all there is */
                break;
        }

        return true;
}

int frame_decode(const uint8_t *data, size_t size, const FrameContext *hints, Frame *ret) {
        static const FrameContext nothing;
        ByteReader r;
        bool possible;

        ret->code = 0;
        if (size == 0) {
                ret->kind = FRAME_EMPTY;
                return 0;
        }

        hints = hints ?: &nothing;
        reader_init(&r, data, size);
        ret->code = reader_u8(&r);
        if (ret->code >= PUSH_FIRST)
                possible = frame_decode_push(&r, hints, ret);
        else
                possible = decode_response(&r, hints, ret);

        return possible && !r.overrun ? 0 : -EBADMSG;
}

bool frame_is_message(const Frame *frame) {
        return frame->kind == FRAME_CONTACT_MESSAGE || frame->kind == FRAME_CHANNEL_MESSAGE ||
               frame->kind == FRAME_CHANNEL_DATA;
}

bool frame_maybe_cut(const uint8_t *data, size_t size) {
        return size == CONTACT_MSG_CUT_SIZE && data[0] == RESP_CONTACT_MSG_RECV_V3;
}

bool custom_vars_next(Slice *list, Slice *ret_name, Slice *ret_value) {
        const uint8_t *comma, *colon;
        Slice pair;

        if (list->size == 0)
                return false;

        comma = memchr(list->data, ',', list->size);
        pair = (Slice){list->data, comma ? (size_t) (comma - list->data) : list->size};
        list->data += pair.size + (comma ? 1 : 0);
        list->size -= pair.size + (comma ? 1 : 0);

        colon = pair.size > 0 ? memchr(pair.data, ':', pair.size) : NULL;
        if (colon) {
                *ret_name = (Slice){pair.data, (size_t) (colon - pair.data)};
                *ret_value = (Slice){colon + 1, pair.size - ret_name->size - 1};
        } else {
                *ret_name = pair;
                *ret_value = (Slice){};
        }
        return true;
}

void frequency_range_get(const Frame *frame, size_t i, uint32_t *ret_low_khz, uint32_t *ret_high_khz) {
        ByteReader r;

        reader_init(&r, frame->allowed_frequencies.ranges.data, frame->allowed_frequencies.ranges.size);
        reader_skip(&r, i * FREQUENCY_RANGE_SIZE);
        *ret_low_khz = reader_u32le(&r);
        *ret_high_khz = reader_u32le(&r);
}
