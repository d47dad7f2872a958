/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "server-internal.h"

/* Repeaters, rooms and sensors: login, requests, command line. Also
 * what a companion answers to requests: base telemetry, to everybody. */

#define LOGIN_REPLY_SIZE      13
#define PERMISSION_GUEST      0
#define PERMISSION_READ_WRITE 2
#define PERMISSION_ADMIN      3
#define LEVEL_REPEATER        2
#define LEVEL_OTHER           1
#define CLI_DELAY             600
#define NEIGHBOUR_BYTES       130
#define DISCOVER_REQUEST      0x80
#define DISCOVER_RESPONSE     0x90
#define DISCOVER_SPREAD       400
#define BATTERY_MILLIVOLTS    4021
#define NOISE_FLOOR           (-117)
#define FIRMWARE_VERSION      "v1.17.1"
#define FIRMWARE_TITLE        FIRMWARE_VERSION " (Build: 14 Aug 2026)"

Server *server_new(const NodeConfig *config) {
        Server *server = g_new0(Server, 1);

        server->password = g_strdup(config->password ?: "password");
        server->guest_password =
                        g_strdup(config->guest_password ?: (config->type == NODE_ROOM ? "hello" : ""));
        server->owner = g_strdup(config->owner ?: "");
        return server;
}

Server *server_free(Server *server) {
        if (!server)
                return NULL;

        g_free(server->password);
        g_free(server->guest_password);
        g_free(server->owner);
        g_free(server);
        return NULL;
}

/* Permissions of a password, or -EACCES. */
static int check_password(const Node *node, const char *password) {
        const Server *server = node->server;

        if (password[0] == 0 && server->logged_in)
                return server->permissions;
        if (g_str_equal(password, server->password))
                return PERMISSION_ADMIN;
        if (g_str_equal(password, server->guest_password))
                return node->type == NODE_ROOM ? PERMISSION_READ_WRITE : PERMISSION_GUEST;

        return -EACCES;
}

static void on_login(Mesh *mesh, Node *node, const AirPacket *packet, const uint8_t *data) {
        Server *server = node->server;
        bool room = node->type == NODE_ROOM;
        uint8_t reply[LOGIN_REPLY_SIZE] = {};
        ByteWriter writer;
        uint32_t now;
        int permissions;

        permissions = check_password(node, (const char *) data + (room ? 8 : 4));
        /* 6.1: silence for a wrong password and for old timestamps */
        if (permissions < 0 || (knows_radio(mesh, server) && u32_of(data) <= server->last_timestamp))
                return;

        server->logged_in = true;
        server->client = engine_identity(mesh->engine)->key;
        server->permissions = (uint8_t) permissions;
        server->last_timestamp = u32_of(data);
        server->failures = 0;
        server->pending_ack = 0;
        if (room)
                server->sync_since = u32_of(data + 4);
        if (air_is_flood(packet))
                node->knows_path = false;

        now = node_timestamp(mesh, node);
        writer_init(&writer, reply, sizeof(reply));
        writer_u32le(&writer, now);
        writer_u8(&writer, 0);
        writer_u8(&writer, 0);
        writer_u8(&writer, permissions == PERMISSION_ADMIN           ? 1
                           : room && permissions == PERMISSION_GUEST ? 2
                                                                     : 0);
        writer_u8(&writer, (uint8_t) permissions);
        sim_random_bytes(&mesh->random, reply + writer.size, 4);
        reply[12] = node->type == NODE_REPEATER ? LEVEL_REPEATER : LEVEL_OTHER;
        node_answer(mesh, node, packet, PAYLOAD_RESPONSE, (Slice){reply, sizeof(reply)}, NODE_ANSWER_DELAY);
        if (room)
                room_schedule(mesh, node);
}

/* 6.9: only asked directly. data: tag, type, way back. */
static void on_anon_request(Mesh *mesh, Node *node, const AirPacket *packet, const uint8_t *data) {
        uint8_t reply[PACKET_PAYLOAD_MAX - SIM_BLOCK_SIZE - 4];
        g_autofree char *text = NULL;
        ByteWriter writer;

        if (air_is_flood(packet) || !air_path_is_valid(data[5]))
                return;

        writer_init(&writer, reply, sizeof(reply));
        writer_u32le(&writer, u32_of(data));
        writer_u32le(&writer, mesh_clock(mesh));
        switch (data[4]) {
        case ANON_REGIONS:
                text = g_strdup("*");
                break;
        case ANON_OWNER:
                text = g_strdup_printf("%s\n%s", node->name, node->server->owner);
                break;
        case ANON_BASIC:
                writer_u8(&writer, 0);
                break;
        default:
                return;
        }
        if (text)
                writer_bytes(&writer, text, MIN(strlen(text), sizeof(reply) - writer.size));

        /* By the way back that the request names; the air knows only one. */
        node_send_datagram(mesh, node, PAYLOAD_RESPONSE, (Slice){reply, writer.size}, false,
                           NODE_ANSWER_DELAY);
}

void server_on_anon(Mesh *mesh, Node *node, const AirPacket *packet) {
        size_t head = 1 + PUBLIC_KEY_SIZE;
        uint8_t data[PACKET_PAYLOAD_MAX + 16] = {}, secret[SIM_SECRET_SIZE];
        PublicKey sender;
        size_t size;

        memcpy(sender.bytes, packet->payload + 1, PUBLIC_KEY_SIZE);
        sim_shared_secret(&node->identity, &sender, secret);
        size = sim_decrypt(secret, (Slice){packet->payload + head, packet->payload_len - head}, data);
        if (size < 8)
                return;

        node->server->received++;
        /* A repeater tells a login from a request by what no password begins with. */
        if (node->type == NODE_REPEATER && data[4] > 0 && data[4] < ' ')
                on_anon_request(mesh, node, packet, data);
        else
                on_login(mesh, node, packet, data);
}

static size_t put_status(const Mesh *mesh, const Node *node, ByteWriter *w) {
        const Server *server = node->server;

        writer_u16le(w, BATTERY_MILLIVOLTS);
        writer_u16le(w, 0);
        writer_u16le(w, (uint16_t) (int16_t) NOISE_FLOOR);
        writer_u16le(w, (uint16_t) (int16_t) node->rssi);
        writer_u32le(w, server->received);
        writer_u32le(w, server->sent);
        writer_u32le(w, server->sent / 2);
        writer_u32le(w, (uint32_t) ((mesh->now - mesh->start) / 1000));
        writer_u32le(w, server->sent / 3);
        writer_u32le(w, server->sent - server->sent / 3);
        writer_u32le(w, server->flood_received);
        writer_u32le(w, server->received - server->flood_received);
        writer_u16le(w, 0);
        writer_u16le(w, (uint16_t) (int16_t) node->snr4);
        writer_u16le(w, 0);
        writer_u16le(w, 0);
        if (node->type == NODE_ROOM) {
                writer_u16le(w, (uint16_t) server->n_posts);
                writer_u16le(w, (uint16_t) server->n_pushed);
        } else {
                writer_u32le(w, server->received / 2);
                writer_u32le(w, 0);
        }

        return w->size;
}

static void lpp(ByteWriter *w, uint8_t channel, uint8_t type, uint32_t value, size_t size) {
        writer_u8(w, channel);
        writer_u8(w, type);
        writer_ube(w, value, size);
}

/* 6.5; guests see only what the node itself is. */
static void put_telemetry(const Node *node, uint8_t mask, bool guest, ByteWriter *w) {
        lpp(w, 1, 116, BATTERY_MILLIVOLTS / 10, 2);
        if (!(mask & 0x02) && !guest && node->has_position) {
                writer_u8(w, 1);
                writer_u8(w, 136);
                writer_ube(w, (uint32_t) (node->lat / 100), 3);
                writer_ube(w, (uint32_t) (node->lon / 100), 3);
                writer_ube(w, 0, 3);
        }
        if (!(mask & 0x04) && !guest) {
                lpp(w, 2, 103, 214, 2);
                lpp(w, 2, 104, 97, 1);
                lpp(w, 2, 115, 10132, 2);
        }
        if (node->type != NODE_SENSOR)
                lpp(w, 1, 103, 310, 2);
}

/* 6.8: humidity in two bytes, times ten. */
static void put_series(const Mesh *mesh, ByteWriter *w) {
        static const uint32_t temperature[] = {187, 243, 214}, humidity[] = {431, 560, 485};

        writer_u32le(w, mesh_clock(mesh));
        writer_u8(w, 2);
        writer_u8(w, 103);
        for (size_t i = 0; i < 3; i++)
                writer_ube(w, temperature[i], 2);
        writer_u8(w, 2);
        writer_u8(w, 104);
        for (size_t i = 0; i < 3; i++)
                writer_ube(w, humidity[i], 2);
}

typedef struct Neighbour {
        const Node *node;
        uint32_t seconds_ago;
} Neighbour;

static int compare_neighbours(gconstpointer a, gconstpointer b, gpointer order) {
        const Neighbour *x = a, *y = b;

        switch (GPOINTER_TO_UINT(order)) {
        case NEIGHBOURS_NEWEST_FIRST:
                return x->seconds_ago < y->seconds_ago ? -1 : x->seconds_ago > y->seconds_ago;
        case NEIGHBOURS_OLDEST_FIRST:
                return x->seconds_ago > y->seconds_ago ? -1 : x->seconds_ago < y->seconds_ago;
        case NEIGHBOURS_STRONGEST_FIRST:
                return y->node->snr4 - x->node->snr4;
        default:
                return x->node->snr4 - y->node->snr4;
        }
}

static void put_neighbours(Mesh *mesh, const Node *node, Slice request, ByteWriter *w) {
        g_autoptr(GArray) list = g_array_new(FALSE, FALSE, sizeof(Neighbour));
        size_t count = request.data[2], offset = (size_t) (request.data[3] | request.data[4] << 8);
        size_t prefix = MIN(request.data[6], PUBLIC_KEY_SIZE), returned = 0, used = 0, at;

        /* Repeaters hear repeaters. */
        for (guint i = 0; i < mesh->nodes->len; i++) {
                const Node *other = g_ptr_array_index(mesh->nodes, i);
                Neighbour neighbour = {other, 60 + 97 * i};

                if (other != node && other->type == NODE_REPEATER)
                        g_array_append_val(list, neighbour);
        }
        g_array_sort_with_data(list, compare_neighbours, GUINT_TO_POINTER((guint) request.data[5]));

        writer_u16le(w, (uint16_t) list->len);
        at = w->size;
        writer_u16le(w, 0);
        for (size_t i = offset; i < list->len && returned < count; i++, returned++) {
                const Neighbour *neighbour = &g_array_index(list, Neighbour, i);

                if (used + prefix + 5 > NEIGHBOUR_BYTES)
                        break;
                used += prefix + 5;
                writer_bytes(w, neighbour->node->identity.key.bytes, prefix);
                writer_u32le(w, neighbour->seconds_ago);
                writer_u8(w, (uint8_t) (int8_t) neighbour->node->snr4);
        }
        w->data[at] = (uint8_t) returned;
}

/* data: tag, type, parameters. Returns whether there is an answer. */
static bool answer_server_request(Mesh *mesh, const Node *node, Slice request, ByteWriter *w) {
        const Server *server = node->server;
        bool admin = server->permissions == PERMISSION_ADMIN;
        g_autofree char *text = NULL;

        switch (request.data[0]) {
        case BINARY_STATUS:
                if (node->type == NODE_SENSOR)
                        return false;
                (void) put_status(mesh, node, w);
                return true;
        case BINARY_TELEMETRY:
                put_telemetry(node, request.data[1],
                              node->type != NODE_SENSOR && server->permissions == PERMISSION_GUEST, w);
                return true;
        case BINARY_MMA:
                if (node->type != NODE_SENSOR || server->permissions == PERMISSION_GUEST)
                        return false;
                put_series(mesh, w);
                return true;
        case BINARY_ACCESS_LIST:
                if (!admin || request.data[1] != 0 || request.data[2] != 0)
                        return false;
                writer_bytes(w, server->client.bytes, KEY_PREFIX_SIZE);
                writer_u8(w, server->permissions);
                return true;
        case BINARY_NEIGHBOURS:
                if (node->type != NODE_REPEATER || request.data[1] != 0)
                        return false;
                put_neighbours(mesh, node, request, w);
                return true;
        case BINARY_OWNER_INFO:
                if (node->type != NODE_REPEATER)
                        return false;
                text = g_strdup_printf(FIRMWARE_VERSION "\n%s\n%s", node->name, server->owner);
                writer_bytes(w, text, strlen(text));
                return true;
        default:
                return false;
        }
}

/* data is followed by zero bytes. */
void server_on_request(Mesh *mesh, Node *node, const AirPacket *packet, const uint8_t *data, size_t size) {
        uint8_t reply[PACKET_PAYLOAD_MAX - SIM_BLOCK_SIZE - 4];
        uint32_t tag = u32_of(data);
        ByteWriter writer;

        writer_init(&writer, reply, sizeof(reply));
        writer_u32le(&writer, tag);
        if (!node->server) {
                if (data[4] != BINARY_TELEMETRY)
                        return;
                put_telemetry(node, data[5], false, &writer);
        } else {
                node->server->received++;
                node->server->flood_received += air_is_flood(packet);
                if (!knows_radio(mesh, node->server) || tag <= node->server->last_timestamp)
                        return;
                node->server->last_timestamp = tag;
                if (node->type == NODE_ROOM && data[4] == BINARY_KEEP_ALIVE && !air_is_flood(packet)) {
                        room_keep_alive(mesh, node, data);
                        return;
                }
                if (!answer_server_request(mesh, node, (Slice){data + 4, size - 4}, &writer))
                        return;
                node->server->sent++;
        }

        node_answer(mesh, node, packet, PAYLOAD_RESPONSE, (Slice){reply, writer.size}, NODE_ANSWER_DELAY);
}

/* Answers of the command line; NULL for silence. */
static char *run_cli(Mesh *mesh, Node *node, const char *command) {
        if (g_str_equal(command, "ver"))
                return g_strdup(FIRMWARE_TITLE);
        if (g_str_equal(command, "clock")) {
                g_autoptr(GDateTime) now = g_date_time_new_from_unix_utc(mesh_clock(mesh));

                return g_date_time_format(now, "%H:%M - %-d/%-m/%Y UTC");
        }
        if (g_str_equal(command, "advert")) {
                mesh_send_advert(mesh, node);
                return g_strdup("OK - Advert sent");
        }
        if (g_str_equal(command, "get name"))
                return g_strdup_printf("> %s", node->name);
        if (g_str_equal(command, "get role"))
                return g_strdup_printf("> %s", node->type == NODE_REPEATER ? "repeater" : "room_server");
        if (g_str_equal(command, "get radio"))
                return g_strdup("> 869.6179809,62.5,8,5");
        if (g_str_equal(command, "get owner.info"))
                return g_strdup_printf("> %s", node->server->owner);
        if (g_str_has_prefix(command, "set name ") && command[9] != 0) {
                g_strlcpy(node->name, command + 9, sizeof(node->name));
                return g_strdup("OK");
        }
        if (g_str_has_prefix(command, "password ") && command[9] != 0) {
                g_free(node->server->password);
                node->server->password = g_strdup(command + 9);
                return g_strdup_printf("password now: %s", command + 9);
        }
        if (g_str_equal(command, "reboot"))
                return NULL;
        if (g_str_has_prefix(command, "get "))
                return g_strdup_printf("??: %s", command + 4);
        if (g_str_has_prefix(command, "set "))
                return g_strdup_printf("unknown config: %s", command + 4);

        return g_strdup("Unknown command");
}

static void on_cli(Mesh *mesh, Node *node, const AirPacket *packet, const char *command) {
        uint8_t plain[5 + TEXT_SIZE_MAX];
        g_autofree char *answer = NULL;
        bool has_id = strlen(command) > 4 && command[2] == '|';
        ByteWriter writer;

        /* 6.6: what the sender put in front is put in front of the answer */
        answer = run_cli(mesh, node, has_id ? command + 3 : command);
        if (!answer)
                return;

        writer_init(&writer, plain, sizeof(plain));
        writer_u32le(&writer, node_timestamp(mesh, node));
        writer_u8(&writer, TEXT_CLI_DATA << 2);
        if (has_id)
                writer_bytes(&writer, command, 3);
        writer_bytes(&writer, answer, MIN(strlen(answer), TEXT_SIZE_MAX - 3U));
        node->server->sent++;
        node_send_datagram(mesh, node, PAYLOAD_TXT_MSG, (Slice){plain, writer.size}, !node->knows_path,
                           CLI_DELAY);
}

/* data: timestamp, kind, text, zero bytes. */
void server_on_text(Mesh *mesh, Node *node, const AirPacket *packet, const uint8_t *data, size_t size) {
        Server *server = node->server;
        uint32_t timestamp = u32_of(data);
        bool repeated = timestamp == server->last_timestamp;
        const char *text = (const char *) data + 5;

        server->received++;
        if (!knows_radio(mesh, server) || timestamp < server->last_timestamp)
                return;

        server->last_timestamp = timestamp;
        server->failures = 0;
        if (data[4] >> 2 == TEXT_CLI_DATA) {
                if (server->permissions == PERMISSION_ADMIN && !repeated)
                        on_cli(mesh, node, packet, text);
        } else if (data[4] >> 2 == TEXT_PLAIN && node->type == NODE_ROOM &&
                   server->permissions != PERMISSION_GUEST) {
                if (!repeated)
                        room_store(mesh, node, &server->client, text);
                room_acknowledge(mesh, node, packet, data);
        }
}

void server_on_control(Mesh *mesh, Node *node, const AirPacket *packet) {
        bool prefix_only = packet->payload[0] & 1;
        uint8_t reply[6 + PUBLIC_KEY_SIZE];
        ByteWriter writer;
        AirPacket answer;

        if ((packet->payload[0] & 0xF0) != DISCOVER_REQUEST || packet->payload_len < 6 ||
            node->type == NODE_ROOM || !(packet->payload[1] & 1U << node->type))
                return;

        writer_init(&writer, reply, sizeof(reply));
        writer_u8(&writer, (uint8_t) (DISCOVER_RESPONSE | node->type));
        writer_u8(&writer, (uint8_t) packet->snr4);
        writer_bytes(&writer, packet->payload + 2, 4);
        writer_bytes(&writer, node->identity.key.bytes, prefix_only ? 8 : PUBLIC_KEY_SIZE);
        if (air_make_plain(&answer, PAYLOAD_CONTROL, (Slice){reply, writer.size}) == 0)
                node_send(mesh, node, &answer, false, 100 + sim_random_below(&mesh->random, DISCOVER_SPREAD));
}
