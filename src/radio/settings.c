/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <limits.h>
#include <string.h>

#include "link.h"
#include "macros.h"
#include "settings.h"

#define RADIO_ID_MAX          32
#define HOST_MAX              253 /* RFC 1035, in presentation form */
#define BLE_NAME_MAX          248 /* Bluetooth Core, local name */
#define BACKOFF_CAP_DEFAULT   (60 * USEC_PER_SEC)
#define POLL_INTERVAL_DEFAULT (300 * USEC_PER_SEC)
#define AIRTIME_DEFAULT       5 /* percent */

static const char expect_scheme[] = "expected tcp://HOST[:PORT], serial:/dev/…, serial:auto or ble:ADDRESS";
static const char expect_host[] = "expected a host name or address after tcp://";
static const char expect_brackets[] = "an IPv6 address goes in brackets: tcp://[ADDRESS]:PORT";
static const char expect_port[] = "expected a port from 1 to 65535 after the colon";
static const char expect_path[] = "expected an absolute device path after serial:, or serial:auto";
static const char expect_ble[] = "expected a Bluetooth address, a name or nothing after ble:";

static const char *const transport_names[_TRANSPORT_MAX] = {
                [TRANSPORT_SERIAL] = "serial",
                [TRANSPORT_TCP] = "tcp",
                [TRANSPORT_BLE] = "ble",
};

const char *transport_to_string(Transport transport) {
        if (transport < 0 || transport >= _TRANSPORT_MAX)
                return NULL;
        return transport_names[transport];
}

RadioSettings *radio_settings_new(const char *id) {
        RadioSettings *settings = g_new(RadioSettings, 1);

        *settings = (RadioSettings){
                        .id = g_strdup(id),
                        .transport = _TRANSPORT_INVALID,
                        .serial_lines = _SERIAL_LINES_INVALID,
                        .enabled = true,
                        .set_clock = true,
                        .backoff_cap_usec = BACKOFF_CAP_DEFAULT,
                        .poll_usec = POLL_INTERVAL_DEFAULT,
                        .airtime_percent = AIRTIME_DEFAULT,
        };
        return settings;
}

RadioSettings *radio_settings_free(RadioSettings *settings) {
        if (!settings)
                return NULL;

        g_free(settings->id);
        g_free(settings->address);
        g_free(settings->adapter);
        g_free(settings->pin_file);
        g_free(settings);
        return NULL;
}

static bool text_is_plain(const char *text) {
        if (!g_utf8_validate(text, -1, NULL))
                return false;

        for (const char *p = text; *p; p = g_utf8_next_char(p))
                if (g_unichar_iscntrl(g_utf8_get_char(p)))
                        return false;
        return true;
}

/* Names, IPv4 and, between brackets, IPv6 with an optional zone. Whether a
 * name exists is for the resolver to say. */
static bool host_is_plausible(const char *host, size_t size, bool brackets) {
        if (size == 0 || size > HOST_MAX)
                return false;

        for (size_t i = 0; i < size; i++) {
                char c = host[i];

                if (g_ascii_isalnum(c) || c == '.' || c == '-' || c == '_')
                        continue;
                if (brackets && (c == ':' || c == '%'))
                        continue;
                return false;
        }
        return true;
}

static int parse_port(const char *text, uint16_t *ret) {
        unsigned port = 0;

        if (!*text || strlen(text) > 5)
                return -EINVAL;

        for (const char *p = text; *p; p++) {
                if (!g_ascii_isdigit(*p))
                        return -EINVAL;
                port = port * 10 + (unsigned) (*p - '0');
        }
        if (port == 0 || port > UINT16_MAX)
                return -EINVAL;

        *ret = (uint16_t) port;
        return 0;
}

static int set_tcp(RadioSettings *settings, const char *value, const char **ret_why) {
        bool brackets = value[0] == '[';
        uint16_t port = TCP_PORT_DEFAULT;
        const char *host, *rest;
        size_t size;

        if (brackets) {
                host = value + 1;
                size = strcspn(host, "]");
                if (host[size] != ']') {
                        *ret_why = expect_brackets;
                        return -EINVAL;
                }
                rest = host + size + 1;
        } else {
                host = value;
                size = strcspn(host, ":");
                rest = host + size;
                if (rest[0] == ':' && strchr(rest + 1, ':')) {
                        *ret_why = expect_brackets;
                        return -EINVAL;
                }
        }

        if (!host_is_plausible(host, size, brackets)) {
                *ret_why = expect_host;
                return -EINVAL;
        }
        if (rest[0] != '\0' && (rest[0] != ':' || parse_port(rest + 1, &port) < 0)) {
                *ret_why = expect_port;
                return -EINVAL;
        }

        g_free(settings->address);
        settings->address = g_strndup(host, size);
        settings->transport = TRANSPORT_TCP;
        settings->port = port;
        return 0;
}

static void set_address(RadioSettings *settings, Transport transport, const char *address) {
        g_free(settings->address);
        settings->address = g_strdup(address);
        settings->transport = transport;
        settings->port = 0;
}

int radio_settings_set_transport(RadioSettings *settings, const char *value, const char **ret_why) {
        const char *rest;

        if (g_str_has_prefix(value, "tcp://"))
                return set_tcp(settings, value + strlen("tcp://"), ret_why);

        if (g_str_has_prefix(value, "serial:")) {
                rest = value + strlen("serial:");
                if (strcmp(rest, "auto") != 0 &&
                    (rest[0] != '/' || strlen(rest) >= PATH_MAX || !text_is_plain(rest))) {
                        *ret_why = expect_path;
                        return -EINVAL;
                }
                set_address(settings, TRANSPORT_SERIAL, rest);
                return 0;
        }

        if (g_str_has_prefix(value, "ble:")) {
                rest = value + strlen("ble:");
                if (strlen(rest) > BLE_NAME_MAX || !text_is_plain(rest)) {
                        *ret_why = expect_ble;
                        return -EINVAL;
                }
                set_address(settings, TRANSPORT_BLE, rest);
                return 0;
        }

        *ret_why = expect_scheme;
        return -EINVAL;
}

int radio_settings_set_serial_lines(RadioSettings *settings, const char *value) {
        static const SerialLines allowed[] = {SERIAL_LINES_ON, SERIAL_LINES_OFF, SERIAL_LINES_KEEP};

        if (strcmp(value, "auto") == 0) {
                settings->serial_lines = _SERIAL_LINES_INVALID;
                return 0;
        }
        for (size_t i = 0; i < ELEMENTSOF(allowed); i++)
                if (strcmp(value, serial_lines_to_string(allowed[i])) == 0) {
                        settings->serial_lines = (int) allowed[i];
                        return 0;
                }
        return -EINVAL;
}

bool radio_settings_equal(const RadioSettings *a, const RadioSettings *b) {
        return g_strcmp0(a->id, b->id) == 0 && a->transport == b->transport &&
               g_strcmp0(a->address, b->address) == 0 && a->port == b->port &&
               g_strcmp0(a->adapter, b->adapter) == 0 && g_strcmp0(a->pin_file, b->pin_file) == 0 &&
               a->has_public_key == b->has_public_key &&
               (!a->has_public_key || key_equal(&a->public_key, &b->public_key)) &&
               a->serial_lines == b->serial_lines && a->enabled == b->enabled &&
               a->trust_clock == b->trust_clock && a->set_clock == b->set_clock &&
               a->backoff_cap_usec == b->backoff_cap_usec && a->poll_usec == b->poll_usec &&
               a->airtime_percent == b->airtime_percent;
}

bool radio_id_is_valid(const char *id) {
        size_t size = strnlen(id, RADIO_ID_MAX + 1);

        if (size == 0 || size > RADIO_ID_MAX)
                return false;

        for (const char *p = id; *p; p++)
                if (!g_ascii_isalnum(*p) && *p != '_' && *p != '-')
                        return false;
        return true;
}
