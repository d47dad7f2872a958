/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "server-internal.h"

/* The posts of a room, wire reference 6.13: pushed one by one to a client that
 * is logged in, the next when the one before was acknowledged. */

#define POST_FIRST_DELAY  2000
#define POST_RETRY_DELAY  12000
#define POST_FAILURES_MAX 3

static void push_posts(Mesh *mesh, Node *node, gpointer data);

static void schedule(Mesh *mesh, Node *node, uint32_t delay) {
        mesh_later(mesh, node, delay, push_posts, GUINT_TO_POINTER(++node->server->push_round), NULL);
}

void room_schedule(Mesh *mesh, Node *node) {
        schedule(mesh, node, POST_FIRST_DELAY);
}

void room_store(Mesh *mesh, Node *node, const PublicKey *author, const char *text) {
        Server *server = node->server;
        Post *post = &server->posts[server->next_post];

        server->next_post = (server->next_post + 1) % POSTS_MAX;
        server->n_posts++;
        post->timestamp = node_timestamp(mesh, node);
        post->author = *author;
        g_strlcpy(post->text, text, sizeof(post->text));
        room_schedule(mesh, node);
}

/* The oldest that the client has not got. */
static const Post *next_post(const Server *server) {
        const Post *found = NULL;

        for (size_t i = 0; i < POSTS_MAX; i++) {
                const Post *post = &server->posts[i];

                if (post->timestamp > server->sync_since && !key_equal(&post->author, &server->client) &&
                    (!found || post->timestamp < found->timestamp))
                        found = post;
        }

        return found;
}

static void push_posts(Mesh *mesh, Node *node, gpointer data) {
        Server *server = node->server;
        uint8_t plain[9 + POST_TEXT_MAX], attempt;
        const Post *post = next_post(server);
        ByteWriter writer;

        /* a later timer has taken over */
        if (GPOINTER_TO_UINT(data) != server->push_round)
                return;
        if (server->pending_ack != 0) {
                server->pending_ack = 0;
                server->failures++;
        }
        if (!post || !knows_radio(mesh, server) || server->failures >= POST_FAILURES_MAX)
                return;

        sim_random_bytes(&mesh->random, &attempt, 1);
        writer_init(&writer, plain, sizeof(plain));
        writer_u32le(&writer, post->timestamp);
        writer_u8(&writer, (uint8_t) (TEXT_SIGNED_PLAIN << 2 | (attempt & 3)));
        writer_bytes(&writer, post->author.bytes, 4);
        writer_bytes(&writer, post->text, strlen(post->text));
        server->pending_ack = sim_ack_hash((Slice){plain, writer.size}, &server->client);
        server->pushed_timestamp = post->timestamp;
        server->n_pushed++;
        server->sent++;
        node_send_datagram(mesh, node, PAYLOAD_TXT_MSG, (Slice){plain, writer.size}, !node->knows_path, 0);
        schedule(mesh, node, POST_RETRY_DELAY);
}

void server_on_ack(Mesh *mesh, Node *node, uint32_t ack) {
        Server *server = node->server;

        if (server->pending_ack == 0 || server->pending_ack != ack)
                return;

        server->pending_ack = 0;
        server->failures = 0;
        server->sync_since = server->pushed_timestamp;
        room_schedule(mesh, node);
}

void room_acknowledge(Mesh *mesh, Node *node, const AirPacket *packet, const uint8_t *data) {
        uint32_t ack = sim_ack_hash((Slice){data, 5 + strlen((const char *) data + 5)},
                                    &node->server->client);
        uint8_t payload[4];
        AirPacket reply;
        ByteWriter writer;

        writer_init(&writer, payload, sizeof(payload));
        writer_u32le(&writer, ack);
        if (air_is_flood(packet))
                node_answer(mesh, node, packet, PAYLOAD_ACK, (Slice){payload, sizeof(payload)},
                            NODE_TEXT_DELAY);
        else if (air_make_plain(&reply, PAYLOAD_ACK, (Slice){payload, sizeof(payload)}) == 0)
                node_send(mesh, node, &reply, !node->knows_path, NODE_TEXT_DELAY);
}

static uint8_t count_unsynced(const Server *server) {
        uint8_t count = 0;

        for (size_t i = 0; i < POSTS_MAX; i++)
                count += server->posts[i].timestamp > server->sync_since &&
                         !key_equal(&server->posts[i].author, &server->client);

        return count;
}

/* 6.8: answered by an acknowledgement alone, with the count of waiting posts
 * behind it. */
void room_keep_alive(Mesh *mesh, Node *node, const uint8_t *data) {
        Server *server = node->server;
        uint8_t payload[5];
        AirPacket reply;
        ByteWriter writer;

        if (u32_of(data + 5) > 0)
                server->sync_since = u32_of(data + 5);
        server->pending_ack = 0;
        server->failures = 0;
        writer_init(&writer, payload, sizeof(payload));
        writer_u32le(&writer, sim_ack_hash((Slice){data, 9}, &server->client));
        writer_u8(&writer, count_unsynced(server));
        if (air_make_plain(&reply, PAYLOAD_ACK, (Slice){payload, writer.size}) == 0)
                node_send(mesh, node, &reply, !node->knows_path, 0);
        room_schedule(mesh, node);
}

int mesh_post(Mesh *mesh, Node *room, Node *author, const char *text) {
        if (room->type != NODE_ROOM)
                return -EINVAL;
        if (strlen(text) > POST_TEXT_MAX)
                return -EMSGSIZE;

        room_store(mesh, room, &author->identity.key, text);
        return 0;
}
