/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <string.h>

#include "macros.h"
#include "mesh.h"

#define VIA_MAX           8
#define SENT_TEXTS_MAX    10000
#define NODE_SEEN_SIZE    16
#define NODE_TEXT_DELAY   200 /* ms, the firmware's delays before it answers */
#define NODE_ANSWER_DELAY 300
#define NODE_REPLY_DELAY  1500

typedef struct Server Server;

struct Node {
        SimIdentity identity;
        char name[NAME_FIELD_SIZE];
        NodeType type;
        Node *via[VIA_MAX]; /* nearest to the radio first */
        size_t n_via;
        bool has_position;
        int32_t lat, lon;
        int snr4, rssi;
        bool silent;
        NodeReply reply;
        char *reply_text;
        uint32_t last_timestamp;
        bool knows_path; /* to the radio */
        uint64_t next_advert;
        uint64_t busy_until; /* with sending */
        uint32_t advert_interval;
        PublicKey secret_for; /* whose shared secret is cached */
        uint8_t secret[SIM_SECRET_SIZE];
        uint8_t seen[NODE_SEEN_SIZE][AIR_HASH_SIZE];
        size_t next_seen;
        Server *server; /* NULL for chat nodes */
};

struct Mesh {
        Engine *engine;
        SimRandom random;
        double speed;
        uint64_t now, start;
        uint32_t epoch;
        GPtrArray *nodes;  /* Node */
        GSequence *events; /* MeshEvent */
        GPtrArray *sent_texts;
        AckMode ack_mode;
        uint8_t ack_first_attempt;
        uint32_t ack_late_msec;
        unsigned loss;
};

/* mesh.c */
const uint8_t *node_secret(Mesh *mesh, Node *node);
uint32_t node_timestamp(Mesh *mesh, Node *node);
/* Scaled like air time. */
uint64_t mesh_delay(const Mesh *mesh, uint32_t msec);

/* mesh-air.c */
typedef void (*NodeTask)(Mesh *mesh, Node *node, gpointer data);
void mesh_later(Mesh *mesh, Node *node, uint32_t delay, NodeTask task, gpointer data,
                GDestroyNotify free_data);
void mesh_air_new(Mesh *mesh);
void mesh_air_forget(Mesh *mesh, const Node *node);
/* Sends by flood, or by the known way when flood is not wanted. */
void node_send(Mesh *mesh, Node *node, AirPacket *packet, bool flood, uint32_t delay);

/* node.c */
void node_receive(Mesh *mesh, Node *node, const AirPacket *packet);
void node_send_datagram(Mesh *mesh, Node *node, PayloadType type, Slice plain, bool flood, uint32_t delay);
/* An answer to packet: with the way back inside if it came by flood. */
void node_answer(Mesh *mesh, Node *node, const AirPacket *packet, PayloadType type, Slice plain,
                 uint32_t delay);

/* node-server.c */
Server *server_new(const NodeConfig *config);
Server *server_free(Server *server);
void server_on_anon(Mesh *mesh, Node *node, const AirPacket *packet);
void server_on_request(Mesh *mesh, Node *node, const AirPacket *packet, const uint8_t *data, size_t size);
void server_on_text(Mesh *mesh, Node *node, const AirPacket *packet, const uint8_t *data, size_t size);
void server_on_ack(Mesh *mesh, Node *node, uint32_t ack);
void server_on_control(Mesh *mesh, Node *node, const AirPacket *packet);
