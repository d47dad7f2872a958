/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mesh-internal.h"

/* What a node does with a packet of the radio. */

#define TEXT_HEAD_SIZE 5

void node_send_datagram(Mesh *mesh, Node *node, PayloadType type, Slice plain, bool flood, uint32_t delay) {
        AirPacket packet;

        if (air_make_datagram(&packet, type, engine_identity(mesh->engine)->key.bytes[0],
                              node->identity.key.bytes[0], node_secret(mesh, node), plain) == 0)
                node_send(mesh, node, &packet, flood, delay);
}

void node_answer(Mesh *mesh, Node *node, const AirPacket *packet, PayloadType type, Slice plain,
                 uint32_t delay) {
        AirPacket answer;

        if (!air_is_flood(packet)) {
                node_send_datagram(mesh, node, type, plain, !node->knows_path, delay);
                return;
        }

        if (air_make_path(&answer, engine_identity(mesh->engine)->key.bytes[0], node->identity.key.bytes[0],
                          node_secret(mesh, node), packet->path, packet->path_len, (uint8_t) type, plain,
                          &mesh->random) == 0)
                node_send(mesh, node, &answer, true, delay);
}

static bool may_acknowledge(const Mesh *mesh, const Node *node, uint8_t attempt) {
        return !node->silent && mesh->ack_mode != ACK_MODE_NONE && attempt >= mesh->ack_first_attempt;
}

static void acknowledge(Mesh *mesh, Node *node, const AirPacket *packet, Slice message, uint8_t tail) {
        uint32_t ack = sim_ack_hash(message, &engine_identity(mesh->engine)->key), delay = NODE_TEXT_DELAY;
        uint8_t payload[6];
        AirPacket reply;

        for (size_t i = 0; i < 4; i++)
                payload[i] = (uint8_t) (ack >> (8 * i));
        payload[4] = tail;
        sim_random_bytes(&mesh->random, payload + 5, 1);

        if (mesh->ack_mode == ACK_MODE_LATE)
                delay = mesh->ack_late_msec;
        if (air_is_flood(packet)) {
                node_answer(mesh, node, packet, PAYLOAD_ACK, (Slice){payload, sizeof(payload)}, delay);
                return;
        }
        if (air_make_plain(&reply, PAYLOAD_ACK, (Slice){payload, sizeof(payload)}) == 0)
                node_send(mesh, node, &reply, !node->knows_path, delay);
}

static void send_reply(Mesh *mesh, Node *node, gpointer data) {
        (void) mesh_send_text(mesh, node, data, 0, 0);
}

static void reply_to(Mesh *mesh, Node *node, const char *text) {
        const char *reply = node->reply == NODE_REPLY_TEXT ? node->reply_text : text;

        if (node->reply != NODE_REPLY_NONE && reply && reply[0] != 0)
                mesh_later(mesh, node, NODE_REPLY_DELAY, send_reply, g_strdup(reply), g_free);
}

/* data is followed by zero bytes. */
static void on_text(Mesh *mesh, Node *node, const AirPacket *packet, const uint8_t *data, size_t size) {
        const char *text = (const char *) data + TEXT_HEAD_SIZE;
        size_t length = strlen(text);
        uint8_t tail = data[TEXT_HEAD_SIZE + length + 1], attempt = tail > 3 ? tail : data[4] & 3;

        if (node->server) {
                server_on_text(mesh, node, packet, data, size);
                return;
        }
        if (data[4] >> 2 != TEXT_PLAIN || !may_acknowledge(mesh, node, attempt))
                return;

        acknowledge(mesh, node, packet, (Slice){data, TEXT_HEAD_SIZE + length}, tail);
        reply_to(mesh, node, text);
}

static void on_path(Mesh *mesh, Node *node, const uint8_t *data, size_t size) {
        size_t head = 1 + air_path_bytes(data[0]);

        if (!air_path_is_valid(data[0]) || head >= size)
                return;

        node->knows_path = true;
        if ((data[head] & 0x0F) == PAYLOAD_ACK && size >= head + 5 && node->server)
                server_on_ack(mesh, node,
                              (uint32_t) data[head + 1] | (uint32_t) data[head + 2] << 8 |
                                              (uint32_t) data[head + 3] << 16 |
                                              (uint32_t) data[head + 4] << 24);
}

static void on_datagram(Mesh *mesh, Node *node, const AirPacket *packet) {
        uint8_t data[PACKET_PAYLOAD_MAX + 4] = {};
        size_t size;

        if (packet->payload[1] != engine_identity(mesh->engine)->key.bytes[0])
                return;
        size = sim_decrypt(node_secret(mesh, node), (Slice){packet->payload + 2, packet->payload_len - 2},
                           data);
        if (size < TEXT_HEAD_SIZE)
                return;

        switch (air_type(packet)) {
        case PAYLOAD_TXT_MSG:
                on_text(mesh, node, packet, data, size);
                break;
        case PAYLOAD_PATH:
                on_path(mesh, node, data, size);
                break;
        case PAYLOAD_REQ:
                server_on_request(mesh, node, packet, data, size);
                break;
        default:
                break;
        }
}

/* The same packet counts once, however often it comes. */
static bool is_repeated(Node *node, const AirPacket *packet) {
        uint8_t hash[AIR_HASH_SIZE];

        air_hash(packet, hash);
        for (size_t i = 0; i < NODE_SEEN_SIZE; i++)
                if (memcmp(node->seen[i], hash, sizeof(hash)) == 0)
                        return true;

        memcpy(node->seen[node->next_seen], hash, sizeof(hash));
        node->next_seen = (node->next_seen + 1) % NODE_SEEN_SIZE;
        return false;
}

void node_receive(Mesh *mesh, Node *node, const AirPacket *packet) {
        if (is_repeated(node, packet))
                return;

        switch (air_type(packet)) {
        case PAYLOAD_TXT_MSG:
        case PAYLOAD_PATH:
        case PAYLOAD_REQ:
                on_datagram(mesh, node, packet);
                break;
        case PAYLOAD_ANON_REQ:
                if (node->server && packet->payload_len > 1 + PUBLIC_KEY_SIZE + SIM_MAC_SIZE)
                        server_on_anon(mesh, node, packet);
                break;
        case PAYLOAD_ACK:
                if (node->server && packet->payload_len >= 4)
                        server_on_ack(mesh, node,
                                      (uint32_t) packet->payload[0] | (uint32_t) packet->payload[1] << 8 |
                                                      (uint32_t) packet->payload[2] << 16 |
                                                      (uint32_t) packet->payload[3] << 24);
                break;
        case PAYLOAD_CONTROL:
                if (node->server)
                        server_on_control(mesh, node, packet);
                break;
        default:
                break;
        }
}
