/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mesh-internal.h"

/* The air: who hears what, and when. */

typedef enum EventKind {
        EVENT_AT_RADIO, /* the radio hears packet */
        EVENT_AT_NODE,  /* node hears packet */
        EVENT_SEND,     /* node starts to send packet */
        EVENT_TASK,
} EventKind;

typedef struct MeshEvent {
        uint64_t due, order;
        EventKind kind;
        Node *node;
        AirPacket packet;
        int snr4, rssi;
        bool flood;
        NodeTask task;
        gpointer data;
        GDestroyNotify free_data;
} MeshEvent;

static void event_free(MeshEvent *event) {
        if (event->free_data)
                event->free_data(event->data);
        g_free(event);
}

static int event_compare(gconstpointer a, gconstpointer b, gpointer userdata) {
        const MeshEvent *x = a, *y = b;

        if (x->due != y->due)
                return x->due < y->due ? -1 : 1;

        return x->order < y->order ? -1 : x->order > y->order;
}

void mesh_air_new(Mesh *mesh) {
        mesh->events = g_sequence_new((GDestroyNotify) event_free);
}

static MeshEvent *schedule(Mesh *mesh, uint64_t due, EventKind kind, Node *node) {
        MeshEvent *event = g_new0(MeshEvent, 1);
        static uint64_t order;

        event->due = due;
        event->order = order++;
        event->kind = kind;
        event->node = node;
        g_sequence_insert_sorted(mesh->events, event, event_compare, NULL);
        return event;
}

void mesh_later(Mesh *mesh, Node *node, uint32_t delay, NodeTask task, gpointer data,
                GDestroyNotify free_data) {
        MeshEvent *event = schedule(mesh, mesh->now + mesh_delay(mesh, delay), EVENT_TASK, node);

        event->task = task;
        event->data = data;
        event->free_data = free_data;
}

void mesh_air_forget(Mesh *mesh, const Node *node) {
        GSequenceIter *i = g_sequence_get_begin_iter(mesh->events);

        while (!g_sequence_iter_is_end(i)) {
                const MeshEvent *event = g_sequence_get(i);
                GSequenceIter *next = g_sequence_iter_next(i);

                if (event->node == node)
                        g_sequence_remove(i);
                i = next;
        }
}

static bool is_lost(Mesh *mesh) {
        return mesh->loss > 0 && sim_random_below(&mesh->random, 100) < mesh->loss;
}

/* engine_airtime() is scaled already. */
static uint64_t airtime(const Mesh *mesh, const AirPacket *packet) {
        return engine_airtime(mesh->engine, air_raw_length(packet));
}

static bool append_hop(AirPacket *packet, const Node *hop) {
        size_t size = air_path_hash_size(packet->path_len), bytes = air_path_bytes(packet->path_len);

        if (bytes + size > PATH_SIZE_MAX)
                return false;

        memcpy(packet->path + bytes, hop->identity.key.bytes, size);
        packet->path_len++;
        return true;
}

static void radio_hears(Mesh *mesh, uint64_t due, const AirPacket *packet, const Node *from) {
        MeshEvent *event;

        if (is_lost(mesh))
                return;

        event = schedule(mesh, due, EVENT_AT_RADIO, NULL);
        event->packet = *packet;
        event->snr4 = from->snr4;
        event->rssi = from->rssi;
}

static void node_hears(Mesh *mesh, uint64_t due, const AirPacket *packet, Node *node) {
        MeshEvent *event = schedule(mesh, due, EVENT_AT_NODE, node);

        event->packet = *packet;
        event->packet.snr4 = (int8_t) CLAMP(node->snr4, INT8_MIN, INT8_MAX);
}

/* Whether a node has anything to do with a packet, so that not everything is
 * carried to everybody. */
static bool concerns(const Node *node, const AirPacket *packet) {
        switch (air_type(packet)) {
        case PAYLOAD_REQ:
        case PAYLOAD_RESPONSE:
        case PAYLOAD_TXT_MSG:
        case PAYLOAD_PATH:
        case PAYLOAD_ANON_REQ:
                return packet->payload[0] == node->identity.key.bytes[0];
        case PAYLOAD_ACK:
        case PAYLOAD_MULTIPART:
        case PAYLOAD_CONTROL:
                return node->server;
        default:
                return false;
        }
}

static void flood_to(Mesh *mesh, const AirPacket *packet, Node *node) {
        AirPacket copy = *packet;
        uint64_t due = mesh->now;

        for (size_t i = 0; i < node->n_via; i++) {
                if (is_lost(mesh) || !append_hop(&copy, node->via[i]))
                        return;
                due += airtime(mesh, &copy);
        }

        if (!is_lost(mesh))
                node_hears(mesh, due, &copy, node);
}

static void flood_from_radio(Mesh *mesh, const AirPacket *packet) {
        for (guint i = 0; i < mesh->nodes->len; i++) {
                Node *node = g_ptr_array_index(mesh->nodes, i);

                if (concerns(node, packet))
                        flood_to(mesh, packet, node);

                /* The radio hears how its neighbours pass it on. */
                if (node->type == NODE_REPEATER && node->n_via == 0 &&
                    packet->payload[0] != node->identity.key.bytes[0]) {
                        AirPacket copy = *packet;

                        if (!is_lost(mesh) && append_hop(&copy, node))
                                radio_hears(mesh, mesh->now + 2 * airtime(mesh, &copy), &copy, node);
                }
        }
}

static bool hop_matches(const AirPacket *packet, size_t index, const Node *hop) {
        size_t size = air_path_hash_size(packet->path_len);

        return memcmp(packet->path + index * size, hop->identity.key.bytes, size) == 0;
}

static bool path_leads_to(const AirPacket *packet, const Node *node) {
        if (air_path_hops(packet->path_len) != node->n_via)
                return false;

        for (size_t i = 0; i < node->n_via; i++)
                if (!hop_matches(packet, i, node->via[i]))
                        return false;

        return true;
}

/* The first hop takes itself off the path and sends it on; the radio overhears that. */
static void overhear_first_hop(Mesh *mesh, const AirPacket *packet) {
        size_t size = air_path_hash_size(packet->path_len), bytes = air_path_bytes(packet->path_len);

        for (guint i = 0; i < mesh->nodes->len && bytes > 0; i++) {
                const Node *node = g_ptr_array_index(mesh->nodes, i);
                AirPacket copy = *packet;

                if (node->type != NODE_REPEATER || node->n_via > 0 || !hop_matches(packet, 0, node))
                        continue;
                memmove(copy.path, copy.path + size, bytes - size);
                copy.path_len--;
                radio_hears(mesh, mesh->now + airtime(mesh, &copy), &copy, node);
                return;
        }
}

static void direct_from_radio(Mesh *mesh, const AirPacket *packet) {
        AirPacket arrived = *packet;

        arrived.path_len = (uint8_t) (packet->path_len & 0xC0);
        overhear_first_hop(mesh, packet);
        for (guint i = 0; i < mesh->nodes->len; i++) {
                Node *node = g_ptr_array_index(mesh->nodes, i);
                bool lost = false;

                if (!concerns(node, packet) || !path_leads_to(packet, node))
                        continue;
                for (size_t k = 0; k <= node->n_via; k++)
                        lost = lost || is_lost(mesh);
                if (!lost)
                        node_hears(mesh, mesh->now + node->n_via * airtime(mesh, packet), &arrived, node);
        }
}

static Node *find_hop(Mesh *mesh, const uint8_t *hash, size_t size) {
        for (guint i = 0; i < mesh->nodes->len; i++) {
                Node *node = g_ptr_array_index(mesh->nodes, i);

                if (node->type == NODE_REPEATER && memcmp(node->identity.key.bytes, hash, size) == 0)
                        return node;
        }

        return NULL;
}

/* Whether two nodes (NULL: the radio) are in range of one another. */
static bool in_range(const Node *a, const Node *b) {
        if (!a || !b) {
                const Node *node = a ?: b;

                return node && node->n_via == 0;
        }
        if (a->n_via == b->n_via)
                return true;

        return (a->n_via > 0 && a->via[a->n_via - 1] == b) || (b->n_via > 0 && b->via[b->n_via - 1] == a);
}

/* 6.15: every listed node notes how it heard the packet. */
static void trace_from_radio(Mesh *mesh, const AirPacket *packet) {
        size_t size = (size_t) 1 << (packet->payload[8] & 3), offset = 9;
        AirPacket copy = *packet;
        uint64_t due = mesh->now;
        const Node *last = NULL;

        for (; offset + size <= packet->payload_len; offset += size) {
                Node *hop = find_hop(mesh, packet->payload + offset, size);

                if (!hop || !in_range(last, hop) || is_lost(mesh) || copy.path_len >= PATH_SIZE_MAX - 1)
                        return;
                copy.path[copy.path_len++] = (uint8_t) (int8_t) hop->snr4;
                due += airtime(mesh, &copy);
                last = hop;
                /* What a neighbour sends on, the radio hears, and so it hears the end. */
                if (hop->n_via == 0)
                        radio_hears(mesh, due, &copy, hop);
        }
}

static void note_text(Mesh *mesh, const AirPacket *packet) {
        uint8_t data[PACKET_PAYLOAD_MAX + 2] = {}, secret[SIM_SECRET_SIZE];
        Slice sealed = {packet->payload + 2, packet->payload_len - 2};
        const EngineContact *contact;
        SentText *sent;
        size_t size;

        for (size_t i = 0; (contact = engine_contact_at(mesh->engine, i)); i++) {
                if (contact->key.bytes[0] != packet->payload[0])
                        continue;
                sim_shared_secret(engine_identity(mesh->engine), &contact->key, secret);
                size = sim_decrypt(secret, sealed, data);
                if (size < 5)
                        continue;

                sent = g_new0(SentText, 1);
                sent->to = g_strndup(contact->name, sizeof(contact->name));
                sent->text = g_strndup((char *) data + 5, size - 5);
                sent->timestamp = (uint32_t) data[0] | (uint32_t) data[1] << 8 | (uint32_t) data[2] << 16 |
                                  (uint32_t) data[3] << 24;
                sent->attempt = data[4] & 3;
                size = strlen(sent->text) + 6;
                if (data[size] > 3 && size < sizeof(data))
                        sent->attempt = data[size];
                sent->flood = air_is_flood(packet);
                g_ptr_array_add(mesh->sent_texts, sent);
                return;
        }
}

static void note_channel_text(Mesh *mesh, const AirPacket *packet) {
        uint8_t data[PACKET_PAYLOAD_MAX + 2] = {}, secret[SIM_SECRET_SIZE] = {};
        Slice sealed = {packet->payload + 1, packet->payload_len - 1};
        const uint8_t *channel;
        const char *name;

        for (size_t i = 0; engine_get_channel(mesh->engine, i, &name, &channel) == 0; i++) {
                SentText *sent;
                size_t size;

                if (sim_channel_hash(channel) != packet->payload[0])
                        continue;
                memcpy(secret, channel, SECRET_SIZE);
                size = sim_decrypt(secret, sealed, data);
                if (size < 5)
                        continue;

                sent = g_new0(SentText, 1);
                sent->to = g_strdup(name);
                sent->text = g_strndup((char *) data + 5, size - 5);
                sent->timestamp = (uint32_t) data[0] | (uint32_t) data[1] << 8 | (uint32_t) data[2] << 16 |
                                  (uint32_t) data[3] << 24;
                sent->flood = air_is_flood(packet);
                sent->channel = true;
                g_ptr_array_add(mesh->sent_texts, sent);
                return;
        }
}

void mesh_transmit(Mesh *mesh, const uint8_t *raw, size_t size) {
        AirPacket packet;

        if (air_parse(raw, size, &packet) < 0 || packet.payload_len < 3)
                return;

        if (air_type(&packet) == PAYLOAD_TXT_MSG)
                note_text(mesh, &packet);
        else if (air_type(&packet) == PAYLOAD_GRP_TXT)
                note_channel_text(mesh, &packet);
        if (mesh->sent_texts->len > SENT_TEXTS_MAX)
                g_ptr_array_remove_index(mesh->sent_texts, 0);

        if (air_is_flood(&packet))
                flood_from_radio(mesh, &packet);
        else if (air_type(&packet) == PAYLOAD_TRACE && packet.payload_len > 9)
                trace_from_radio(mesh, &packet);
        else
                direct_from_radio(mesh, &packet);
}

/* A packet of a node on its way to the radio, starting now. */
static void carry_to_radio(Mesh *mesh, Node *node, const AirPacket *packet, bool flood) {
        const Node *last = node->n_via > 0 ? node->via[0] : node;
        AirPacket copy = *packet;
        uint64_t due;

        if (flood) {
                air_set_route(&copy, ROUTE_FLOOD);
                copy.path_len &= 0xC0;
        } else {
                air_set_route(&copy, ROUTE_DIRECT);
                copy.path_len = 0;
        }

        due = mesh->now + airtime(mesh, &copy);
        for (size_t i = node->n_via; i > 0; i--) {
                if (is_lost(mesh) || (flood && !append_hop(&copy, node->via[i - 1])))
                        return;
                due += airtime(mesh, &copy);
        }

        radio_hears(mesh, due, &copy, last);
}

void node_send(Mesh *mesh, Node *node, AirPacket *packet, bool flood, uint32_t delay) {
        uint64_t due = MAX(mesh->now + mesh_delay(mesh, delay), node->busy_until);
        MeshEvent *event = schedule(mesh, due, EVENT_SEND, node);

        /* One after the other, with room for the answer of the radio between:
         * it has places for 16 packets only. */
        node->busy_until = due + airtime(mesh, packet) * 3 / 2 + 2;
        event->packet = *packet;
        event->flood = flood;
}

static void run(Mesh *mesh, MeshEvent *event) {
        uint8_t raw[PACKET_SIZE_MAX];

        switch (event->kind) {
        case EVENT_AT_RADIO:
                engine_receive(mesh->engine, raw, air_format(&event->packet, raw), event->snr4, event->rssi);
                break;
        case EVENT_AT_NODE:
                node_receive(mesh, event->node, &event->packet);
                break;
        case EVENT_SEND:
                carry_to_radio(mesh, event->node, &event->packet, event->flood);
                break;
        case EVENT_TASK:
                event->task(mesh, event->node, event->data);
                break;
        default:
                g_assert_not_reached();
        }
}

static uint64_t next_advert(const Mesh *mesh, Node **ret) {
        uint64_t due = ENGINE_TIME_NEVER;

        for (guint i = 0; i < mesh->nodes->len; i++) {
                Node *node = g_ptr_array_index(mesh->nodes, i);

                if (node->next_advert < due) {
                        due = node->next_advert;
                        *ret = node;
                }
        }

        return due;
}

static uint64_t next_event(const Mesh *mesh) {
        GSequenceIter *first = g_sequence_get_begin_iter(mesh->events);

        return g_sequence_iter_is_end(first) ? ENGINE_TIME_NEVER : ((MeshEvent *) g_sequence_get(first))->due;
}

uint64_t mesh_next_time(const Mesh *mesh) {
        Node *node;

        return MIN(next_event(mesh), next_advert(mesh, &node));
}

bool mesh_step(Mesh *mesh, uint64_t now) {
        uint64_t event_due = next_event(mesh), advert_due;
        GSequenceIter *first;
        MeshEvent *event;
        Node *node = NULL;

        advert_due = next_advert(mesh, &node);
        if (MIN(event_due, advert_due) > now) {
                mesh->now = MAX(mesh->now, now);
                return false;
        }

        mesh->now = MAX(mesh->now, MIN(event_due, advert_due));
        engine_advance(mesh->engine, mesh->now);
        if (advert_due < event_due) {
                node->next_advert = mesh->now + MAX(mesh_delay(mesh, node->advert_interval * 1000U), 1U);
                mesh_send_advert(mesh, node);
                return true;
        }

        /* Taken out first: running it may add others, or forget some. The
         * engine may just have sent something that comes before it. */
        first = g_sequence_get_begin_iter(mesh->events);
        event = g_memdup2(g_sequence_get(first), sizeof(*event));
        ((MeshEvent *) g_sequence_get(first))->free_data = NULL;
        g_sequence_remove(first);
        run(mesh, event);
        event_free(event);
        return true;
}
