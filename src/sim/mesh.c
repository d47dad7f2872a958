/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mesh-internal.h"

static void sent_text_free(SentText *sent) {
        g_free(sent->to);
        g_free(sent->text);
        g_free(sent);
}

static void node_free(Node *node) {
        g_free(node->reply_text);
        (void) server_free(node->server);
        g_free(node);
}

Mesh *mesh_new(Engine *engine, uint64_t seed, double speed, uint64_t now, uint32_t epoch) {
        Mesh *mesh = g_new0(Mesh, 1);

        mesh->engine = engine;
        mesh->random.state = seed ^ UINT64_C(0x6D657368);
        mesh->speed = speed > 0 ? speed : 1.0;
        mesh->now = mesh->start = now;
        mesh->epoch = epoch;
        mesh->nodes = g_ptr_array_new_with_free_func((GDestroyNotify) node_free);
        mesh->sent_texts = g_ptr_array_new_with_free_func((GDestroyNotify) sent_text_free);
        mesh_air_new(mesh);
        return mesh;
}

Mesh *mesh_free(Mesh *mesh) {
        if (!mesh)
                return NULL;

        g_sequence_free(mesh->events);
        g_ptr_array_unref(mesh->nodes);
        g_ptr_array_unref(mesh->sent_texts);
        g_free(mesh);
        return NULL;
}

uint32_t mesh_clock(const Mesh *mesh) {
        return mesh->epoch + (uint32_t) ((mesh->now - mesh->start) / 1000);
}

uint64_t mesh_delay(const Mesh *mesh, uint32_t msec) {
        return (uint64_t) (msec / mesh->speed);
}

void mesh_set_ack_mode(Mesh *mesh, AckMode mode, uint8_t first_attempt, uint32_t late_msec) {
        mesh->ack_mode = mode;
        mesh->ack_first_attempt = first_attempt;
        mesh->ack_late_msec = late_msec;
}

void mesh_set_loss(Mesh *mesh, unsigned percent) {
        mesh->loss = MIN(percent, 100U);
}

const GPtrArray *mesh_sent_texts(const Mesh *mesh) {
        return mesh->sent_texts;
}

Node *mesh_node_at(Mesh *mesh, size_t index) {
        return index < mesh->nodes->len ? g_ptr_array_index(mesh->nodes, index) : NULL;
}

Node *mesh_first_node(Mesh *mesh) {
        return mesh_node_at(mesh, 0);
}

const char *node_name(const Node *node) {
        return node->name;
}

NodeType node_type(const Node *node) {
        return node->type;
}

const PublicKey *node_key(const Node *node) {
        return &node->identity.key;
}

const uint8_t *node_secret(Mesh *mesh, Node *node) {
        const PublicKey *radio = &engine_identity(mesh->engine)->key;

        /* The radio may get another key. */
        if (!key_equal(&node->secret_for, radio)) {
                node->secret_for = *radio;
                sim_shared_secret(&node->identity, radio, node->secret);
        }

        return node->secret;
}

uint32_t node_timestamp(Mesh *mesh, Node *node) {
        node->last_timestamp = MAX(node->last_timestamp + 1, mesh_clock(mesh));
        return node->last_timestamp;
}

Node *mesh_find_node(Mesh *mesh, const char *name) {
        size_t digits = strlen(name);
        bool is_prefix = digits >= 8 && strspn(name, "0123456789abcdefABCDEF") == digits;

        for (guint i = 0; i < mesh->nodes->len; i++) {
                Node *node = g_ptr_array_index(mesh->nodes, i);

                if (g_str_equal(node->name, name))
                        return node;
        }

        for (guint i = 0; i < mesh->nodes->len && is_prefix; i++) {
                Node *node = g_ptr_array_index(mesh->nodes, i);
                KeyText text = key_to_text(&node->identity.key);

                if (g_ascii_strncasecmp(text.text, name, digits) == 0)
                        return node;
        }

        return NULL;
}

static int resolve_via(Mesh *mesh, Node *node, const char *const *via) {
        for (size_t i = 0; via && via[i]; i++) {
                Node *hop = mesh_find_node(mesh, via[i]);

                if (!hop || hop->type != NODE_REPEATER || i >= VIA_MAX)
                        return -ENOENT;
                node->via[node->n_via++] = hop;
        }

        return 0;
}

int mesh_add_node(Mesh *mesh, const NodeConfig *config, Node **ret) {
        Node *node;
        int r;

        if (strlen(config->name) > NAME_SIZE_MAX)
                return -ENAMETOOLONG;
        if (mesh_find_node(mesh, config->name))
                return -EEXIST;

        node = g_new0(Node, 1);
        r = resolve_via(mesh, node, config->via);
        if (r < 0) {
                node_free(node);
                return r;
        }

        node->identity = sim_identity_from_text(config->seed ?: config->name);
        g_strlcpy(node->name, config->name, sizeof(node->name));
        node->type = config->type;
        node->has_position = config->has_position;
        node->lat = config->lat;
        node->lon = config->lon;
        node->snr4 = config->snr4;
        node->rssi = config->rssi;
        node->silent = config->silent;
        node->reply = config->reply;
        node->reply_text = g_strdup(config->reply_text);
        node->advert_interval = config->advert_interval;
        node->next_advert = config->advert_interval > 0
                                            ? mesh->now + mesh_delay(mesh, config->advert_interval * 1000U)
                                            : ENGINE_TIME_NEVER;
        if (config->type != NODE_CHAT)
                node->server = server_new(config);
        g_ptr_array_add(mesh->nodes, node);
        if (ret)
                *ret = node;
        return 0;
}

void mesh_remove_node(Mesh *mesh, Node *node) {
        mesh_air_forget(mesh, node);
        for (guint i = 0; i < mesh->nodes->len; i++) {
                Node *other = g_ptr_array_index(mesh->nodes, i);

                for (size_t k = 0; k < other->n_via; k++)
                        if (other->via[k] == node)
                                other->n_via = k;
        }
        g_ptr_array_remove(mesh->nodes, node);
}

static void make_advert(Mesh *mesh, Node *node, AirPacket *ret) {
        int32_t position[2] = {node->lat, node->lon};

        air_make_advert(ret, &node->identity, node_timestamp(mesh, node), (uint8_t) node->type, node->name,
                        node->has_position ? position : NULL);
}

int mesh_make_known(Mesh *mesh, Node *node, bool with_path) {
        EngineContact contact = {
                        .key = node->identity.key,
                        .type = (uint8_t) node->type,
                        .out_path_len = PATH_LEN_NONE,
                        .lat = node->lat,
                        .lon = node->lon,
                        .lastmod = engine_clock(mesh->engine),
        };
        uint8_t raw[PACKET_SIZE_MAX];
        AirPacket advert;
        int r;

        make_advert(mesh, node, &advert);
        air_set_route(&advert, ROUTE_FLOOD);
        contact.last_advert = node->last_timestamp;
        g_strlcpy(contact.name, node->name, sizeof(contact.name));
        if (with_path) {
                contact.out_path_len = (uint8_t) node->n_via;
                for (size_t i = 0; i < node->n_via; i++)
                        contact.out_path[i] = node->via[i]->identity.key.bytes[0];
                node->knows_path = true;
        }

        r = engine_put_contact(mesh->engine, &contact);
        if (r < 0)
                return r;

        engine_put_card(mesh->engine, &node->identity.key, raw, air_format(&advert, raw));
        return 0;
}

void mesh_send_advert(Mesh *mesh, Node *node) {
        AirPacket packet;

        make_advert(mesh, node, &packet);
        node_send(mesh, node, &packet, true, 0);
}

int mesh_send_text(Mesh *mesh, Node *node, const char *text, uint32_t timestamp, uint8_t attempt) {
        uint8_t plain[5 + TEXT_SIZE_MAX];
        ByteWriter writer;

        writer_init(&writer, plain, sizeof(plain));
        writer_u32le(&writer, timestamp != 0 ? timestamp : node_timestamp(mesh, node));
        writer_u8(&writer, attempt & 3);
        writer_bytes(&writer, text, strlen(text));
        if (writer.overrun)
                return -EMSGSIZE;

        node_send_datagram(mesh, node, PAYLOAD_TXT_MSG, (Slice){plain, writer.size}, !node->knows_path, 0);
        return 0;
}

static int send_group(Mesh *mesh, Node *node, PayloadType type, const uint8_t secret[16],
                      const ByteWriter *plain) {
        uint8_t key[SIM_SECRET_SIZE] = {};
        AirPacket packet;
        int r;

        if (plain->overrun)
                return -EMSGSIZE;

        memcpy(key, secret, SECRET_SIZE);
        r = air_make_group(&packet, type, key, (Slice){plain->data, plain->size});
        if (r < 0)
                return r;

        node_send(mesh, node, &packet, true, 0);
        return 0;
}

int mesh_send_channel_text(Mesh *mesh, Node *node, const uint8_t secret[16], const char *author,
                           const char *text, uint32_t timestamp) {
        uint8_t plain[5 + TEXT_SIZE_MAX];
        ByteWriter writer;

        writer_init(&writer, plain, sizeof(plain));
        writer_u32le(&writer, timestamp != 0 ? timestamp : node_timestamp(mesh, node));
        writer_u8(&writer, 0);
        writer_bytes(&writer, author, strlen(author));
        writer_bytes(&writer, ": ", 2);
        writer_bytes(&writer, text, strlen(text));
        return send_group(mesh, node, PAYLOAD_GRP_TXT, secret, &writer);
}

int mesh_send_datagram(Mesh *mesh, Node *node, const uint8_t secret[16], uint16_t type, Slice data) {
        uint8_t plain[PACKET_PAYLOAD_MAX];
        ByteWriter writer;

        if (data.size > CHANNEL_DATA_SIZE_MAX)
                return -EMSGSIZE;

        writer_init(&writer, plain, sizeof(plain));
        writer_u16le(&writer, type);
        writer_u8(&writer, (uint8_t) data.size);
        writer_bytes(&writer, data.data, data.size);
        return send_group(mesh, node, PAYLOAD_GRP_DATA, secret, &writer);
}

size_t mesh_add_contacts(Mesh *mesh, size_t count) {
        size_t added = 0;

        for (size_t number = 1; added < count; number++) {
                g_autofree char *name = g_strdup_printf("Contact %zu", number);
                NodeConfig config = {
                                .name = name,
                                .type = NODE_CHAT,
                                .snr4 = 20 + (int) (number % 20),
                                .rssi = -60 - (int) (number % 40),
                };
                Node *node;

                if (mesh_add_node(mesh, &config, &node) < 0)
                        continue;
                if (mesh_make_known(mesh, node, false) < 0) {
                        mesh_remove_node(mesh, node);
                        break;
                }
                added++;
        }

        return added;
}
