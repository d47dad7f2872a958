/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What repeaters, rooms and sensors have in common. */

#include "mesh-internal.h"

#define POSTS_MAX     32
#define POST_TEXT_MAX 151

typedef struct Post {
        uint32_t timestamp;
        PublicKey author;
        char text[POST_TEXT_MAX + 1];
} Post;

struct Server {
        char *password, *guest_password, *owner;
        /* The only client that there is: the radio. */
        bool logged_in;
        PublicKey client;
        uint8_t permissions;
        uint32_t last_timestamp;
        uint32_t received, sent, flood_received;
        /* rooms */
        Post posts[POSTS_MAX];
        size_t next_post, n_posts, n_pushed;
        uint32_t sync_since, pending_ack, pushed_timestamp;
        unsigned failures, push_round;
};

static inline uint32_t u32_of(const uint8_t *p) {
        return (uint32_t) p[0] | (uint32_t) p[1] << 8 | (uint32_t) p[2] << 16 | (uint32_t) p[3] << 24;
}

static inline bool knows_radio(const Mesh *mesh, const Server *server) {
        return server->logged_in && key_equal(&server->client, &engine_identity(mesh->engine)->key);
}

/* node-room.c */
/* Tells the client what is new, a little later. */
void room_schedule(Mesh *mesh, Node *node);
void room_store(Mesh *mesh, Node *node, const PublicKey *author, const char *text);
/* data: timestamp, kind, text, zero bytes. */
void room_acknowledge(Mesh *mesh, Node *node, const AirPacket *packet, const uint8_t *data);
/* data: tag, type, since, zero bytes. */
void room_keep_alive(Mesh *mesh, Node *node, const uint8_t *data);
