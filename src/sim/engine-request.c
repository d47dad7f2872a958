/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine-internal.h"

/* Requests to other nodes. Sending any of them forgets the one before,
 * wire reference 7.5. */

#define REQUEST_MAX      (PACKET_PAYLOAD_MAX - 16)
#define PERMISSION_BASE  0x01
#define SELF_TELEMETRY   4
#define REMOTE_TELEMETRY (4 + PUBLIC_KEY_SIZE)
#define PERMISSIONS_ALL  0xFF

static EngineContact *find_recipient(Engine *e, size_t offset) {
        EngineContact *contact = contacts_lookup(e, e->cmd + offset, PUBLIC_KEY_SIZE);

        if (!contact)
                engine_error(e, ERR_NOT_FOUND);
        return contact;
}

static void answer_sent(Engine *e, bool flood, uint32_t tag, uint32_t timeout) {
        e->out[0] = RESP_SENT;
        e->out[1] = flood;
        put_u32(e->out + 2, tag);
        put_u32(e->out + 6, timeout);
        engine_write_out(e, 10);
}

/* Tag and request, encrypted for contact. Answers the app when it fails. */
static bool send_request(Engine *e, EngineContact *contact, Slice request, uint32_t *ret_tag, bool *ret_flood,
                         uint32_t *ret_timeout) {
        uint8_t plain[PACKET_PAYLOAD_MAX];
        AirPacket packet;
        size_t n;

        if (request.size > REQUEST_MAX || !engine_pool_has_room(e)) {
                engine_error(e, ERR_TABLE_FULL);
                return false;
        }

        *ret_tag = engine_clock_unique(e);
        n = put_u32(plain, *ret_tag);
        memcpy(plain + n, request.data, request.size);
        if (air_make_datagram(&packet, PAYLOAD_REQ, contact->key.bytes[0], e->identity.key.bytes[0],
                              contact_secret(e, contact), (Slice){plain, n + request.size}) < 0) {
                engine_error(e, ERR_TABLE_FULL);
                return false;
        }

        *ret_timeout = engine_send_to(e, contact, &packet, ret_flood);
        return true;
}

/* One byte of type, then what makes the packet unlike any other. */
static size_t simple_request(Engine *e, uint8_t type, uint8_t mask, uint8_t ret[9]) {
        memset(ret, 0, 9);
        ret[0] = type;
        ret[1] = mask;
        sim_random_bytes(&e->random, ret + 5, 4);
        return 9;
}

static bool send_anon(Engine *e, EngineContact *contact, Slice plain, bool *ret_flood,
                      uint32_t *ret_timeout) {
        AirPacket packet;

        if (!engine_pool_has_room(e) || air_make_anon(&packet, contact->key.bytes[0], &e->identity.key,
                                                      contact_secret(e, contact), plain) < 0) {
                engine_error(e, ERR_TABLE_FULL);
                return false;
        }

        *ret_timeout = engine_send_to(e, contact, &packet, ret_flood);
        return true;
}

void take_send_login(Engine *e, size_t size) {
        EngineContact *contact = find_recipient(e, 1);
        uint8_t plain[8 + PASSWORD_SIZE_MAX], *p = plain;
        const uint8_t *password = e->cmd + 1 + PUBLIC_KEY_SIZE;
        size_t length = text_length(password, size - 1 - PUBLIC_KEY_SIZE);
        uint32_t timeout;
        bool flood;

        e->cmd[size] = 0;
        if (!contact)
                return;

        p += put_u32(p, engine_clock_unique(e));
        if (contact->type == NODE_ROOM)
                p += put_u32(p, contact->sync_since);
        length = MIN(length, (size_t) PASSWORD_SIZE_MAX);
        memcpy(p, password, length);
        p += length;
        if (!send_anon(e, contact, (Slice){plain, (size_t) (p - plain)}, &flood, &timeout))
                return;

        e->pending = (Pending){.login = get_u32(contact->key.bytes)};
        answer_sent(e, flood, e->pending.login, timeout);
}

void take_send_anon(Engine *e, size_t size) {
        EngineContact *contact = contacts_lookup(e, e->cmd + 1, PUBLIC_KEY_SIZE), stranger = {};
        uint8_t plain[4 + FRAME_SIZE_MAX];
        size_t length = size - 1 - PUBLIC_KEY_SIZE;
        uint32_t tag, timeout;
        bool flood;

        if (!contact && e->traits->anon_contacts > 0) {
                memcpy(stranger.key.bytes, e->cmd + 1, PUBLIC_KEY_SIZE);
                stranger.lastmod = engine_clock(e);
                if (contacts_add(e, &stranger))
                        contact = &stranger;
        }
        if (!contact) {
                engine_error(e, e->traits->anon_contacts > 0 ? ERR_TABLE_FULL : ERR_NOT_FOUND);
                return;
        }

        tag = engine_clock_unique(e);
        put_u32(plain, tag);
        memcpy(plain + 4, e->cmd + 1 + PUBLIC_KEY_SIZE, length);
        if (!send_anon(e, contact, (Slice){plain, 4 + length}, &flood, &timeout))
                return;

        e->pending = (Pending){.request = tag};
        answer_sent(e, flood, tag, timeout);
}

void take_send_status(Engine *e, size_t size) {
        EngineContact *contact = find_recipient(e, 1);
        uint8_t request[9];
        uint32_t tag, timeout;
        bool flood;

        if (!contact)
                return;

        if (!send_request(e, contact, (Slice){request, simple_request(e, BINARY_STATUS, 0, request)}, &tag,
                          &flood, &timeout))
                return;

        /* matched by the key, not by the tag */
        e->pending = (Pending){.status = get_u32(contact->key.bytes)};
        answer_sent(e, flood, tag, timeout);
}

void take_send_discovery(Engine *e, size_t size) {
        EngineContact *contact;
        uint8_t request[9], saved;
        uint32_t tag, timeout;
        bool flood, sent;

        if (e->cmd[1] != 0) {
                engine_error(e, ERR_UNSUPPORTED_CMD);
                return;
        }

        contact = find_recipient(e, 2);
        if (!contact)
                return;

        saved = contact->out_path_len;
        contact->out_path_len = PATH_LEN_NONE;
        sent = send_request(e, contact,
                            (Slice){request,
                                    simple_request(e, BINARY_TELEMETRY, (uint8_t) ~PERMISSION_BASE, request)},
                            &tag, &flood, &timeout);
        contact->out_path_len = saved;
        if (!sent)
                return;

        e->pending = (Pending){.discovery = tag};
        answer_sent(e, flood, tag, timeout);
}

static void send_self_telemetry(Engine *e) {
        uint8_t *p = e->out;

        *p++ = PUSH_TELEMETRY_RESPONSE;
        *p++ = 0;
        memcpy(p, e->identity.key.bytes, KEY_PREFIX_SIZE);
        p += KEY_PREFIX_SIZE;
        p += engine_telemetry(e, true, PERMISSIONS_ALL, p, sizeof(e->out) - (size_t) (p - e->out));
        engine_write_out(e, (size_t) (p - e->out));
}

void take_send_telemetry(Engine *e, size_t size) {
        EngineContact *contact;
        uint8_t request[9];
        uint32_t tag, timeout;
        bool flood;

        if (size == SELF_TELEMETRY) {
                send_self_telemetry(e);
                return;
        }
        if (size < REMOTE_TELEMETRY) {
                engine_error(e, ERR_UNSUPPORTED_CMD);
                return;
        }

        contact = find_recipient(e, 4);
        if (!contact)
                return;
        if (!send_request(e, contact, (Slice){request, simple_request(e, BINARY_TELEMETRY, 0, request)}, &tag,
                          &flood, &timeout))
                return;

        e->pending = (Pending){.telemetry = tag};
        answer_sent(e, flood, tag, timeout);
}

void take_send_binary(Engine *e, size_t size) {
        EngineContact *contact = find_recipient(e, 1);
        const uint8_t *request = e->cmd + 1 + PUBLIC_KEY_SIZE;
        uint32_t tag, timeout;
        bool flood;

        if (!contact)
                return;
        if (!send_request(e, contact, (Slice){request, size - 1 - PUBLIC_KEY_SIZE}, &tag, &flood, &timeout))
                return;

        e->pending = (Pending){.request = tag};
        answer_sent(e, flood, tag, timeout);
}

/* 3.1: the table of connections is never filled by servers of today. */
void take_has_connection(Engine *e, size_t size) {
        engine_error(e, ERR_NOT_FOUND);
}

void take_logout(Engine *e, size_t size) {
        engine_ok(e);
}
