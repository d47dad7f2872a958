/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The nodes around the radio, and the air between. Nodes have real keys and
 * send real packets; the air has a delay and a loss but no collisions. As the
 * engine, the mesh opens nothing and is handed the time. */

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine.h"

typedef struct Mesh Mesh;
typedef struct Node Node;

typedef enum NodeReply {
        NODE_REPLY_NONE,
        NODE_REPLY_ECHO, /* sends the text back */
        NODE_REPLY_TEXT, /* answers with a fixed one */
        _NODE_REPLY_MAX,
} NodeReply;

typedef struct NodeConfig {
        const char *name; /* at most 31 bytes */
        const char *seed; /* of its key; NULL: the name */
        NodeType type;
        const char *const *via; /* repeaters on the way, nearest to the radio first; may be NULL */
        bool has_position;
        int32_t lat, lon; /* × 1e6 */
        int snr4, rssi;   /* as heard by whoever is next on the way to the radio */
        bool silent;      /* never acknowledges */
        NodeReply reply;
        const char *reply_text;
        const char *password, *guest_password; /* servers; NULL: none */
        const char *owner;                     /* servers */
        uint32_t advert_interval;              /* seconds, 0: only when told */
} NodeConfig;

typedef enum AckMode {
        ACK_MODE_ALL,
        ACK_MODE_NONE,
        ACK_MODE_LATE,
        _ACK_MODE_MAX,
        _ACK_MODE_INVALID = -22,
} AckMode;

/* What the radio sent as a text, in the order of its transmissions. */
typedef struct SentText {
        char *to; /* name of the contact, or of the channel */
        char *text;
        uint32_t timestamp;
        uint8_t attempt;
        bool flood;
        bool channel;
} SentText;

/* The engine is borrowed and must be given to mesh_transmit() and so on. */
Mesh *mesh_new(Engine *engine, uint64_t seed, double speed, uint64_t now, uint32_t epoch);
Mesh *mesh_free(Mesh *mesh);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Mesh, mesh_free)

/* The engine's callback: a packet left the radio. */
void mesh_transmit(Mesh *mesh, const uint8_t *raw, size_t size);

/* Delivers the next thing that is due. Returns false when there is none, so
 * that the radio can hand on what came of one before the next. */
bool mesh_step(Mesh *mesh, uint64_t now);
uint64_t mesh_next_time(const Mesh *mesh);

/* Returns 0, -EEXIST for a name that is taken, -ENOENT for an unknown
 * repeater on the way, -ENAMETOOLONG. */
int mesh_add_node(Mesh *mesh, const NodeConfig *config, Node **ret);
/* By name, or by the first hex digits of the key. NULL if there is none. */
Node *mesh_find_node(Mesh *mesh, const char *name);
/* NULL after the last one. */
Node *mesh_node_at(Mesh *mesh, size_t index);
Node *mesh_first_node(Mesh *mesh);
/* Chat nodes named "Contact 1" and so on, known to the radio. Returns how many
 * found room in its table. */
size_t mesh_add_contacts(Mesh *mesh, size_t count);
void mesh_remove_node(Mesh *mesh, Node *node);

const char *node_name(const Node *node);
NodeType node_type(const Node *node);
const PublicKey *node_key(const Node *node);
/* How the radio would hold it: with its card, and the way to it when with_path. */
int mesh_make_known(Mesh *mesh, Node *node, bool with_path);

/* Things that nodes do by themselves. timestamp 0: their clock. Return 0, or
 * -EMSGSIZE for what does not fit into a packet. */
int mesh_send_text(Mesh *mesh, Node *node, const char *text, uint32_t timestamp, uint8_t attempt);
int mesh_send_channel_text(Mesh *mesh, Node *node, const uint8_t secret[16], const char *author,
                           const char *text, uint32_t timestamp);
int mesh_send_datagram(Mesh *mesh, Node *node, const uint8_t secret[16], uint16_t type, Slice data);
void mesh_send_advert(Mesh *mesh, Node *node);
/* A post of somebody in a room; goes to the radio once it is logged in. */
int mesh_post(Mesh *mesh, Node *room, Node *author, const char *text);

void mesh_set_ack_mode(Mesh *mesh, AckMode mode, uint8_t first_attempt, uint32_t late_msec);
void mesh_set_loss(Mesh *mesh, unsigned percent);
uint32_t mesh_clock(const Mesh *mesh);

/* SentText, newest last; at most the last 10000. */
const GPtrArray *mesh_sent_texts(const Mesh *mesh);
