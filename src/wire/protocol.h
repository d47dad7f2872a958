/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The numbers of the companion protocol, wire reference 1 to 6. Names are
 * those of the reference. All integers on the wire are little-endian, but for
 * those inside a telemetry list (lpp.h). */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Wire reference 1.1. */
#define FRAME_SIZE_MAX       176 /* largest payload of a frame, level >= 13 */
#define FRAME_SIZE_MAX_OLD   172 /* the same below level 13 */
#define FRAME_SIZE_ACCEPTED  300 /* what a receiver takes, for future growth */
#define STREAM_HEADER_SIZE   3
#define STREAM_MARKER_APP    '<' /* app to radio */
#define STREAM_MARKER_RADIO  '>' /* radio to app */
#define TCP_PORT_DEFAULT     5000
#define PROTOCOL_LEVEL_KNOWN 13 /* the newest level that this codec knows */

#define TEXT_SIZE_MAX          160 /* of a direct text, and of "name: text" on a channel */
#define TEXT_SIZE_MAX_RETRY    158 /* of a direct text when attempt > 3 */
#define NAME_FIELD_SIZE        32
#define NAME_SIZE_MAX          31
#define SCOPE_NAME_FIELD_SIZE  31
#define SCOPE_NAME_SIZE_MAX    30
#define SECRET_SIZE            16 /* of a channel; also a scope key */
#define PRIVATE_KEY_SIZE       64
#define SIGNATURE_SIZE         64
#define SIGN_TOTAL_MAX         8192
#define PASSWORD_SIZE_MAX      15
#define TAG_SIZE               4 /* request tags and acknowledgements are opaque bytes */
#define PATH_SIZE_MAX          64
#define PATH_LEN_NONE          0xFF /* contact: unknown, flood; received message: came direct */
#define TRACE_HOPS_MAX         64
#define CHANNEL_DATA_SIZE_MAX  165
#define ADVERT_PACKET_SIZE_MIN 98
#define PACKET_PAYLOAD_MAX     184
#define PACKET_SIZE_MAX        255 /* what LoRa carries */
#define PIN_MIN                100000
#define PIN_MAX                999999
#define TX_POWER_MIN           (-9)
#define AUTOADD_HOPS_MAX       64

/* App to radio, wire reference 3. */
typedef enum CommandCode {
        CMD_APP_START = 1,
        CMD_SEND_TXT_MSG = 2,
        CMD_SEND_CHANNEL_TXT_MSG = 3,
        CMD_GET_CONTACTS = 4,
        CMD_GET_DEVICE_TIME = 5,
        CMD_SET_DEVICE_TIME = 6,
        CMD_SEND_SELF_ADVERT = 7,
        CMD_SET_ADVERT_NAME = 8,
        CMD_ADD_UPDATE_CONTACT = 9,
        CMD_SYNC_NEXT_MESSAGE = 10,
        CMD_SET_RADIO_PARAMS = 11,
        CMD_SET_RADIO_TX_POWER = 12,
        CMD_RESET_PATH = 13,
        CMD_SET_ADVERT_LATLON = 14,
        CMD_REMOVE_CONTACT = 15,
        CMD_SHARE_CONTACT = 16,
        CMD_EXPORT_CONTACT = 17,
        CMD_IMPORT_CONTACT = 18,
        CMD_REBOOT = 19,
        CMD_GET_BATT_AND_STORAGE = 20,
        CMD_SET_TUNING_PARAMS = 21,
        CMD_DEVICE_QUERY = 22,
        CMD_EXPORT_PRIVATE_KEY = 23,
        CMD_IMPORT_PRIVATE_KEY = 24,
        CMD_SEND_RAW_DATA = 25,
        CMD_SEND_LOGIN = 26,
        CMD_SEND_STATUS_REQ = 27,
        CMD_HAS_CONNECTION = 28,
        CMD_LOGOUT = 29,
        CMD_GET_CONTACT_BY_KEY = 30,
        CMD_GET_CHANNEL = 31,
        CMD_SET_CHANNEL = 32,
        CMD_SIGN_START = 33,
        CMD_SIGN_DATA = 34,
        CMD_SIGN_FINISH = 35,
        CMD_SEND_TRACE_PATH = 36,
        CMD_SET_DEVICE_PIN = 37,
        CMD_SET_OTHER_PARAMS = 38,
        CMD_SEND_TELEMETRY_REQ = 39,
        CMD_GET_CUSTOM_VARS = 40,
        CMD_SET_CUSTOM_VAR = 41,
        CMD_GET_ADVERT_PATH = 42,
        CMD_GET_TUNING_PARAMS = 43,
        CMD_SEND_BINARY_REQ = 50,
        CMD_FACTORY_RESET = 51,
        CMD_SEND_PATH_DISCOVERY_REQ = 52,
        CMD_SET_FLOOD_SCOPE_KEY = 54,
        CMD_SEND_CONTROL_DATA = 55,
        CMD_GET_STATS = 56,
        CMD_SEND_ANON_REQ = 57,
        CMD_SET_AUTOADD_CONFIG = 58,
        CMD_GET_AUTOADD_CONFIG = 59,
        CMD_GET_ALLOWED_REPEAT_FREQ = 60,
        CMD_SET_PATH_HASH_MODE = 61,
        CMD_SEND_CHANNEL_DATA = 62,
        CMD_SET_DEFAULT_FLOOD_SCOPE = 63,
        CMD_GET_DEFAULT_FLOOD_SCOPE = 64,
        CMD_SEND_RAW_PACKET = 65,
        _CMD_MAX,
        _CMD_INVALID = -22,
} CommandCode;

/* Radio to app, wire reference 4.1: answers, all below 0x80. */
typedef enum ResponseCode {
        RESP_OK = 0,
        RESP_ERR = 1,
        RESP_CONTACTS_START = 2,
        RESP_CONTACT = 3,
        RESP_END_OF_CONTACTS = 4,
        RESP_SELF_INFO = 5,
        RESP_SENT = 6,
        RESP_CONTACT_MSG_RECV = 7,
        RESP_CHANNEL_MSG_RECV = 8,
        RESP_CURR_TIME = 9,
        RESP_NO_MORE_MESSAGES = 10,
        RESP_EXPORT_CONTACT = 11,
        RESP_BATT_AND_STORAGE = 12,
        RESP_DEVICE_INFO = 13,
        RESP_PRIVATE_KEY = 14,
        RESP_DISABLED = 15,
        RESP_CONTACT_MSG_RECV_V3 = 16,
        RESP_CHANNEL_MSG_RECV_V3 = 17,
        RESP_CHANNEL_INFO = 18,
        RESP_SIGN_START = 19,
        RESP_SIGNATURE = 20,
        RESP_CUSTOM_VARS = 21,
        RESP_ADVERT_PATH = 22,
        RESP_TUNING_PARAMS = 23,
        RESP_STATS = 24,
        RESP_AUTOADD_CONFIG = 25,
        RESP_ALLOWED_REPEAT_FREQ = 26,
        RESP_CHANNEL_DATA_RECV = 27,
        RESP_DEFAULT_FLOOD_SCOPE = 28,
} ResponseCode;

/* Wire reference 4.2: frames that nobody asked for, from 0x80. */
typedef enum PushCode {
        PUSH_ADVERT = 0x80,
        PUSH_PATH_UPDATED = 0x81,
        PUSH_SEND_CONFIRMED = 0x82,
        PUSH_MSG_WAITING = 0x83,
        PUSH_RAW_DATA = 0x84,
        PUSH_LOGIN_SUCCESS = 0x85,
        PUSH_LOGIN_FAIL = 0x86,
        PUSH_STATUS_RESPONSE = 0x87,
        PUSH_LOG_RX_DATA = 0x88,
        PUSH_TRACE_DATA = 0x89,
        PUSH_NEW_ADVERT = 0x8A,
        PUSH_TELEMETRY_RESPONSE = 0x8B,
        PUSH_BINARY_RESPONSE = 0x8C,
        PUSH_PATH_DISCOVERY_RESPONSE = 0x8D,
        PUSH_CONTROL_DATA = 0x8E,
        PUSH_CONTACT_DELETED = 0x8F,
        PUSH_CONTACTS_FULL = 0x90,
} PushCode;

#define PUSH_FIRST 0x80

/* Wire reference 5. A radio may send others. */
typedef enum ErrorCode {
        ERR_NONE = 0, /* not told: firmware <= 1.3.0 */
        ERR_UNSUPPORTED_CMD = 1,
        ERR_NOT_FOUND = 2,
        ERR_TABLE_FULL = 3,
        ERR_BAD_STATE = 4,
        ERR_FILE_IO_ERROR = 5,
        ERR_ILLEGAL_ARG = 6,
} ErrorCode;

/* Wire reference 6.2. */
typedef enum NodeType {
        NODE_NONE = 0,
        NODE_CHAT = 1,
        NODE_REPEATER = 2,
        NODE_ROOM = 3,
        NODE_SENSOR = 4,
        _NODE_TYPE_MAX,
        _NODE_TYPE_INVALID = -22,
} NodeType;

/* Wire reference 6.6. */
typedef enum TextType {
        TEXT_PLAIN = 0,
        TEXT_CLI_DATA = 1,
        TEXT_SIGNED_PLAIN = 2, /* received only: a room's post */
} TextType;

/* Wire reference 6.11. */
typedef enum RouteType {
        ROUTE_TRANSPORT_FLOOD = 0,
        ROUTE_FLOOD = 1,
        ROUTE_DIRECT = 2,
        ROUTE_TRANSPORT_DIRECT = 3,
} RouteType;

typedef enum PayloadType {
        PAYLOAD_REQ = 0,
        PAYLOAD_RESPONSE = 1,
        PAYLOAD_TXT_MSG = 2,
        PAYLOAD_ACK = 3,
        PAYLOAD_ADVERT = 4,
        PAYLOAD_GRP_TXT = 5,
        PAYLOAD_GRP_DATA = 6,
        PAYLOAD_ANON_REQ = 7,
        PAYLOAD_PATH = 8,
        PAYLOAD_TRACE = 9,
        PAYLOAD_MULTIPART = 10,
        PAYLOAD_CONTROL = 11,
        PAYLOAD_RAW_CUSTOM = 15,
} PayloadType;

typedef enum StatsType {
        STATS_CORE = 0,
        STATS_RADIO = 1,
        STATS_PACKETS = 2,
} StatsType;

/* Wire reference 6.8: requests to a server that knows us. */
typedef enum BinaryRequestType {
        BINARY_STATUS = 1,
        BINARY_KEEP_ALIVE = 2,
        BINARY_TELEMETRY = 3,
        BINARY_MMA = 4,
        BINARY_ACCESS_LIST = 5,
        BINARY_NEIGHBOURS = 6,
        BINARY_OWNER_INFO = 7,
} BinaryRequestType;

/* Wire reference 6.9: requests to any server, without login. */
typedef enum AnonRequestType {
        ANON_REGIONS = 1,
        ANON_OWNER = 2,
        ANON_BASIC = 3,
} AnonRequestType;

typedef enum NeighbourOrder {
        NEIGHBOURS_NEWEST_FIRST = 0,
        NEIGHBOURS_OLDEST_FIRST = 1,
        NEIGHBOURS_STRONGEST_FIRST = 2,
        NEIGHBOURS_WEAKEST_FIRST = 3,
        _NEIGHBOUR_ORDER_MAX,
} NeighbourOrder;

/* Largest frame payload that a radio of this level takes and sends; 0 (level
 * not known yet) counts as old. */
static inline size_t frame_size_max(uint8_t level) {
        return level >= PROTOCOL_LEVEL_KNOWN ? FRAME_SIZE_MAX : FRAME_SIZE_MAX_OLD;
}

/* "SEND_TXT_MSG"; NULL for a code that means nothing. */
const char *command_code_to_string(unsigned code);
/* Of an answer or a push, "CONTACT", "MSG_WAITING"; NULL when unknown. */
const char *frame_code_to_string(unsigned code);
/* "not found"; "unknown error" for a code of later firmware. */
const char *error_code_to_string(unsigned code);
/* "transport-flood", "flood", "direct", "transport-direct". */
const char *route_type_to_string(unsigned route);
/* "advert"; "unknown" for the free ones. */
const char *payload_type_to_string(unsigned type);
/* "none", "chat", "repeater", "room", "sensor"; "unknown" otherwise. */
const char *node_type_to_string(unsigned type);
