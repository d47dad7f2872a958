/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "protocol.h"
#include "macros.h"

static const char *lookup(const char *const *table, size_t n, unsigned code) {
        return code < n ? table[code] : NULL;
}

const char *command_code_to_string(unsigned code) {
        static const char *const table[] = {
                        [CMD_APP_START] = "APP_START",
                        [CMD_SEND_TXT_MSG] = "SEND_TXT_MSG",
                        [CMD_SEND_CHANNEL_TXT_MSG] = "SEND_CHANNEL_TXT_MSG",
                        [CMD_GET_CONTACTS] = "GET_CONTACTS",
                        [CMD_GET_DEVICE_TIME] = "GET_DEVICE_TIME",
                        [CMD_SET_DEVICE_TIME] = "SET_DEVICE_TIME",
                        [CMD_SEND_SELF_ADVERT] = "SEND_SELF_ADVERT",
                        [CMD_SET_ADVERT_NAME] = "SET_ADVERT_NAME",
                        [CMD_ADD_UPDATE_CONTACT] = "ADD_UPDATE_CONTACT",
                        [CMD_SYNC_NEXT_MESSAGE] = "SYNC_NEXT_MESSAGE",
                        [CMD_SET_RADIO_PARAMS] = "SET_RADIO_PARAMS",
                        [CMD_SET_RADIO_TX_POWER] = "SET_RADIO_TX_POWER",
                        [CMD_RESET_PATH] = "RESET_PATH",
                        [CMD_SET_ADVERT_LATLON] = "SET_ADVERT_LATLON",
                        [CMD_REMOVE_CONTACT] = "REMOVE_CONTACT",
                        [CMD_SHARE_CONTACT] = "SHARE_CONTACT",
                        [CMD_EXPORT_CONTACT] = "EXPORT_CONTACT",
                        [CMD_IMPORT_CONTACT] = "IMPORT_CONTACT",
                        [CMD_REBOOT] = "REBOOT",
                        [CMD_GET_BATT_AND_STORAGE] = "GET_BATT_AND_STORAGE",
                        [CMD_SET_TUNING_PARAMS] = "SET_TUNING_PARAMS",
                        [CMD_DEVICE_QUERY] = "DEVICE_QUERY",
                        [CMD_EXPORT_PRIVATE_KEY] = "EXPORT_PRIVATE_KEY",
                        [CMD_IMPORT_PRIVATE_KEY] = "IMPORT_PRIVATE_KEY",
                        [CMD_SEND_RAW_DATA] = "SEND_RAW_DATA",
                        [CMD_SEND_LOGIN] = "SEND_LOGIN",
                        [CMD_SEND_STATUS_REQ] = "SEND_STATUS_REQ",
                        [CMD_HAS_CONNECTION] = "HAS_CONNECTION",
                        [CMD_LOGOUT] = "LOGOUT",
                        [CMD_GET_CONTACT_BY_KEY] = "GET_CONTACT_BY_KEY",
                        [CMD_GET_CHANNEL] = "GET_CHANNEL",
                        [CMD_SET_CHANNEL] = "SET_CHANNEL",
                        [CMD_SIGN_START] = "SIGN_START",
                        [CMD_SIGN_DATA] = "SIGN_DATA",
                        [CMD_SIGN_FINISH] = "SIGN_FINISH",
                        [CMD_SEND_TRACE_PATH] = "SEND_TRACE_PATH",
                        [CMD_SET_DEVICE_PIN] = "SET_DEVICE_PIN",
                        [CMD_SET_OTHER_PARAMS] = "SET_OTHER_PARAMS",
                        [CMD_SEND_TELEMETRY_REQ] = "SEND_TELEMETRY_REQ",
                        [CMD_GET_CUSTOM_VARS] = "GET_CUSTOM_VARS",
                        [CMD_SET_CUSTOM_VAR] = "SET_CUSTOM_VAR",
                        [CMD_GET_ADVERT_PATH] = "GET_ADVERT_PATH",
                        [CMD_GET_TUNING_PARAMS] = "GET_TUNING_PARAMS",
                        [CMD_SEND_BINARY_REQ] = "SEND_BINARY_REQ",
                        [CMD_FACTORY_RESET] = "FACTORY_RESET",
                        [CMD_SEND_PATH_DISCOVERY_REQ] = "SEND_PATH_DISCOVERY_REQ",
                        [CMD_SET_FLOOD_SCOPE_KEY] = "SET_FLOOD_SCOPE_KEY",
                        [CMD_SEND_CONTROL_DATA] = "SEND_CONTROL_DATA",
                        [CMD_GET_STATS] = "GET_STATS",
                        [CMD_SEND_ANON_REQ] = "SEND_ANON_REQ",
                        [CMD_SET_AUTOADD_CONFIG] = "SET_AUTOADD_CONFIG",
                        [CMD_GET_AUTOADD_CONFIG] = "GET_AUTOADD_CONFIG",
                        [CMD_GET_ALLOWED_REPEAT_FREQ] = "GET_ALLOWED_REPEAT_FREQ",
                        [CMD_SET_PATH_HASH_MODE] = "SET_PATH_HASH_MODE",
                        [CMD_SEND_CHANNEL_DATA] = "SEND_CHANNEL_DATA",
                        [CMD_SET_DEFAULT_FLOOD_SCOPE] = "SET_DEFAULT_FLOOD_SCOPE",
                        [CMD_GET_DEFAULT_FLOOD_SCOPE] = "GET_DEFAULT_FLOOD_SCOPE",
                        [CMD_SEND_RAW_PACKET] = "SEND_RAW_PACKET",
        };

        return lookup(table, ELEMENTSOF(table), code);
}

const char *frame_code_to_string(unsigned code) {
        static const char *const responses[] = {
                        [RESP_OK] = "OK",
                        [RESP_ERR] = "ERR",
                        [RESP_CONTACTS_START] = "CONTACTS_START",
                        [RESP_CONTACT] = "CONTACT",
                        [RESP_END_OF_CONTACTS] = "END_OF_CONTACTS",
                        [RESP_SELF_INFO] = "SELF_INFO",
                        [RESP_SENT] = "SENT",
                        [RESP_CONTACT_MSG_RECV] = "CONTACT_MSG_RECV",
                        [RESP_CHANNEL_MSG_RECV] = "CHANNEL_MSG_RECV",
                        [RESP_CURR_TIME] = "CURR_TIME",
                        [RESP_NO_MORE_MESSAGES] = "NO_MORE_MESSAGES",
                        [RESP_EXPORT_CONTACT] = "EXPORT_CONTACT",
                        [RESP_BATT_AND_STORAGE] = "BATT_AND_STORAGE",
                        [RESP_DEVICE_INFO] = "DEVICE_INFO",
                        [RESP_PRIVATE_KEY] = "PRIVATE_KEY",
                        [RESP_DISABLED] = "DISABLED",
                        [RESP_CONTACT_MSG_RECV_V3] = "CONTACT_MSG_RECV_V3",
                        [RESP_CHANNEL_MSG_RECV_V3] = "CHANNEL_MSG_RECV_V3",
                        [RESP_CHANNEL_INFO] = "CHANNEL_INFO",
                        [RESP_SIGN_START] = "SIGN_START",
                        [RESP_SIGNATURE] = "SIGNATURE",
                        [RESP_CUSTOM_VARS] = "CUSTOM_VARS",
                        [RESP_ADVERT_PATH] = "ADVERT_PATH",
                        [RESP_TUNING_PARAMS] = "TUNING_PARAMS",
                        [RESP_STATS] = "STATS",
                        [RESP_AUTOADD_CONFIG] = "AUTOADD_CONFIG",
                        [RESP_ALLOWED_REPEAT_FREQ] = "ALLOWED_REPEAT_FREQ",
                        [RESP_CHANNEL_DATA_RECV] = "CHANNEL_DATA_RECV",
                        [RESP_DEFAULT_FLOOD_SCOPE] = "DEFAULT_FLOOD_SCOPE",
        };
        static const char *const pushes[] = {
                        [PUSH_ADVERT - PUSH_FIRST] = "ADVERT",
                        [PUSH_PATH_UPDATED - PUSH_FIRST] = "PATH_UPDATED",
                        [PUSH_SEND_CONFIRMED - PUSH_FIRST] = "SEND_CONFIRMED",
                        [PUSH_MSG_WAITING - PUSH_FIRST] = "MSG_WAITING",
                        [PUSH_RAW_DATA - PUSH_FIRST] = "RAW_DATA",
                        [PUSH_LOGIN_SUCCESS - PUSH_FIRST] = "LOGIN_SUCCESS",
                        [PUSH_LOGIN_FAIL - PUSH_FIRST] = "LOGIN_FAIL",
                        [PUSH_STATUS_RESPONSE - PUSH_FIRST] = "STATUS_RESPONSE",
                        [PUSH_LOG_RX_DATA - PUSH_FIRST] = "LOG_RX_DATA",
                        [PUSH_TRACE_DATA - PUSH_FIRST] = "TRACE_DATA",
                        [PUSH_NEW_ADVERT - PUSH_FIRST] = "NEW_ADVERT",
                        [PUSH_TELEMETRY_RESPONSE - PUSH_FIRST] = "TELEMETRY_RESPONSE",
                        [PUSH_BINARY_RESPONSE - PUSH_FIRST] = "BINARY_RESPONSE",
                        [PUSH_PATH_DISCOVERY_RESPONSE - PUSH_FIRST] = "PATH_DISCOVERY_RESPONSE",
                        [PUSH_CONTROL_DATA - PUSH_FIRST] = "CONTROL_DATA",
                        [PUSH_CONTACT_DELETED - PUSH_FIRST] = "CONTACT_DELETED",
                        [PUSH_CONTACTS_FULL - PUSH_FIRST] = "CONTACTS_FULL",
        };

        if (code >= PUSH_FIRST)
                return lookup(pushes, ELEMENTSOF(pushes), code - PUSH_FIRST);
        return lookup(responses, ELEMENTSOF(responses), code);
}

const char *error_code_to_string(unsigned code) {
        static const char *const table[] = {
                        [ERR_NONE] = "no reason given",         [ERR_UNSUPPORTED_CMD] = "unsupported command",
                        [ERR_NOT_FOUND] = "not found",          [ERR_TABLE_FULL] = "table full",
                        [ERR_BAD_STATE] = "bad state",          [ERR_FILE_IO_ERROR] = "file I/O error",
                        [ERR_ILLEGAL_ARG] = "illegal argument",
        };

        return lookup(table, ELEMENTSOF(table), code) ?: "unknown error";
}

const char *route_type_to_string(unsigned route) {
        static const char *const table[] = {
                        [ROUTE_TRANSPORT_FLOOD] = "transport-flood",
                        [ROUTE_FLOOD] = "flood",
                        [ROUTE_DIRECT] = "direct",
                        [ROUTE_TRANSPORT_DIRECT] = "transport-direct",
        };

        return lookup(table, ELEMENTSOF(table), route) ?: "unknown";
}

const char *payload_type_to_string(unsigned type) {
        static const char *const table[] = {
                        [PAYLOAD_REQ] = "request",
                        [PAYLOAD_RESPONSE] = "response",
                        [PAYLOAD_TXT_MSG] = "text",
                        [PAYLOAD_ACK] = "ack",
                        [PAYLOAD_ADVERT] = "advert",
                        [PAYLOAD_GRP_TXT] = "channel-text",
                        [PAYLOAD_GRP_DATA] = "channel-data",
                        [PAYLOAD_ANON_REQ] = "anonymous-request",
                        [PAYLOAD_PATH] = "path",
                        [PAYLOAD_TRACE] = "trace",
                        [PAYLOAD_MULTIPART] = "multipart",
                        [PAYLOAD_CONTROL] = "control",
                        [PAYLOAD_RAW_CUSTOM] = "raw",
        };

        return lookup(table, ELEMENTSOF(table), type) ?: "unknown";
}

const char *node_type_to_string(unsigned type) {
        static const char *const table[_NODE_TYPE_MAX] = {
                        [NODE_NONE] = "none", [NODE_CHAT] = "chat",     [NODE_REPEATER] = "repeater",
                        [NODE_ROOM] = "room", [NODE_SENSOR] = "sensor",
        };

        return lookup(table, ELEMENTSOF(table), type) ?: "unknown";
}
