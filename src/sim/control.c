/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "simulator-internal.h"

#include <string.h>

#include "hex.h"
#include "log.h"

/* The verbs of the control socket. */

#define COUNT_MAX 100000
#define LATE_MSEC 15000

typedef struct Control {
        Simulator *sim;
        JsonObject *in, *out;
        const char *error; /* static */
} Control;

static int refuse(Control *c, const char *error) {
        c->error = error;
        return -EINVAL;
}

static const char *get_text(const Control *c, const char *name) {
        JsonNode *node = json_object_get_member(c->in, name);

        return node && JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == G_TYPE_STRING
                               ? json_node_get_string(node)
                               : NULL;
}

static int64_t get_number(const Control *c, const char *name, int64_t fallback) {
        JsonNode *node = json_object_get_member(c->in, name);

        if (!node || !JSON_NODE_HOLDS_VALUE(node))
                return fallback;
        if (json_node_get_value_type(node) == G_TYPE_DOUBLE)
                return (int64_t) json_node_get_double(node);

        return json_node_get_value_type(node) == G_TYPE_INT64 ? json_node_get_int(node) : fallback;
}

static int64_t get_count(const Control *c) {
        return CLAMP(get_number(c, "count", 1), 0, COUNT_MAX);
}

static bool get_bool(const Control *c, const char *name) {
        JsonNode *node = json_object_get_member(c->in, name);

        return node && JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == G_TYPE_BOOLEAN
                               ? json_node_get_boolean(node)
                               : get_number(c, name, 0) != 0;
}

/* Any frame, from "frame" or "data". */
static int get_bytes(Control *c, const char *name, uint8_t *ret, size_t capacity, size_t *ret_size) {
        const char *text = get_text(c, name);
        int n;

        if (!text)
                return refuse(c, "bytes in hex are missing");
        n = hex_decode(text, strlen(text), ret, capacity);
        if (n < 0)
                return refuse(c, "these are no hex digits, or too many");

        *ret_size = (size_t) n;
        return 0;
}

static int get_node(Control *c, const char *name, Node **ret) {
        const char *text = get_text(c, name);

        *ret = text ? mesh_find_node(c->sim->mesh, text) : NULL;
        return *ret ? 0 : refuse(c, "no such node");
}

/* An index, or the name of a slot. */
static int get_channel(Control *c, const uint8_t **ret_secret) {
        const char *wanted = get_text(c, "channel"), *name;
        int64_t index = get_number(c, "channel", -1);

        if (!wanted && index >= 0 &&
            engine_get_channel(c->sim->engine, (size_t) index, &name, ret_secret) >= 0)
                return 0;

        for (size_t i = 0; wanted && engine_get_channel(c->sim->engine, i, &name, ret_secret) >= 0; i++)
                if (g_str_equal(name, wanted))
                        return 0;

        return refuse(c, "no such channel");
}

/* "{n}" becomes the number of the message, from 1. */
static char *numbered(const char *text, int64_t number) {
        g_autofree char *digits = g_strdup_printf("%" G_GINT64_FORMAT, number);
        g_auto(GStrv) parts = g_strsplit(text, "{n}", -1);

        return g_strjoinv(digits, parts);
}

static int verb_text(Control *c) {
        const char *text = get_text(c, "text");
        Node *node;
        int r;

        r = get_node(c, "from", &node);
        if (r < 0)
                return r;
        if (!text)
                return refuse(c, "text is missing");

        for (int64_t i = 1; i <= get_count(c); i++) {
                g_autofree char *one = numbered(text, i);

                if (mesh_send_text(c->sim->mesh, node, one, (uint32_t) get_number(c, "timestamp", 0),
                                   (uint8_t) get_number(c, "attempt", 0)) < 0)
                        return refuse(c, "the text is too long");
        }

        return 0;
}

/* The node named by "from", or any. */
static Node *sender(Control *c) {
        const char *name = get_text(c, "from") ?: get_text(c, "author");
        Node *node = name ? mesh_find_node(c->sim->mesh, name) : NULL;

        return node ?: mesh_first_node(c->sim->mesh);
}

static int verb_channel_text(Control *c) {
        const char *text = get_text(c, "text"), *author = get_text(c, "author");
        Node *node = sender(c);
        const uint8_t *secret;
        int r;

        r = get_channel(c, &secret);
        if (r < 0)
                return r;
        if (!text || !node)
                return refuse(c, text ? "there is no node" : "text is missing");

        for (int64_t i = 1; i <= get_count(c); i++) {
                g_autofree char *one = numbered(text, i);

                if (mesh_send_channel_text(c->sim->mesh, node, secret, author ?: node_name(node), one,
                                           (uint32_t) get_number(c, "timestamp", 0)) < 0)
                        return refuse(c, "the text is too long");
        }

        return 0;
}

static int verb_datagram(Control *c) {
        uint8_t data[CHANNEL_DATA_SIZE_MAX];
        Node *node = sender(c);
        const uint8_t *secret;
        size_t size;
        int r;

        r = get_channel(c, &secret);
        if (r < 0)
                return r;
        r = get_bytes(c, "data", data, sizeof(data), &size);
        if (r < 0)
                return r;
        if (!node)
                return refuse(c, "there is no node");

        (void) mesh_send_datagram(c->sim->mesh, node, secret, (uint16_t) get_number(c, "type", 0xFFFF),
                                  (Slice){data, size});
        return 0;
}

static int verb_post(Control *c) {
        const char *text = get_text(c, "text");
        Node *room, *author;
        int r;

        r = get_node(c, "room", &room);
        if (r >= 0)
                r = get_node(c, "from", &author);
        if (r < 0)
                return r;
        if (!text || mesh_post(c->sim->mesh, room, author, text) < 0)
                return refuse(c, "no text, a text that is too long, or no room");

        return 0;
}

static int verb_raw_queue(Control *c) {
        uint8_t frame[FRAME_SIZE_MAX];
        size_t size;
        int r;

        r = get_bytes(c, "frame", frame, sizeof(frame), &size);
        if (r < 0)
                return r;

        for (int64_t i = 0; i < get_count(c); i++)
                engine_queue_frame(c->sim->engine, frame, size);
        return 0;
}

static int verb_push(Control *c) {
        uint8_t frame[FRAME_SIZE_MAX];
        size_t size;
        int r;

        r = get_bytes(c, "frame", frame, sizeof(frame), &size);
        if (r < 0)
                return r;

        engine_push_frame(c->sim->engine, frame, size);
        return 0;
}

static int verb_receive(Control *c) {
        uint8_t raw[PACKET_SIZE_MAX];
        size_t size;
        int r;

        r = get_bytes(c, "packet", raw, sizeof(raw), &size);
        if (r < 0)
                return r;

        engine_receive(c->sim->engine, raw, size, (int) get_number(c, "snr4", 37),
                       (int) get_number(c, "rssi", -71));
        return 0;
}

static int new_node(Control *c, const char *name, Node **ret) {
        const char *type = get_text(c, "type") ?: "chat", *via[2] = {get_text(c, "via"), NULL};
        NodeConfig config = {
                        .name = name,
                        .type = _NODE_TYPE_INVALID,
                        .seed = get_text(c, "seed"),
                        .via = via[0] ? via : NULL,
                        .snr4 = (int) get_number(c, "snr4", 37),
                        .rssi = (int) get_number(c, "rssi", -71),
                        .reply_text = get_text(c, "reply"),
                        .password = get_text(c, "password"),
                        .guest_password = get_text(c, "guest-password"),
                        .owner = get_text(c, "owner"),
        };

        for (unsigned i = NODE_CHAT; i < _NODE_TYPE_MAX; i++)
                if (g_str_equal(type, node_type_to_string(i)))
                        config.type = (NodeType) i;
        if (config.type < 0)
                return refuse(c, "type is chat, repeater, room or sensor");
        if (config.reply_text)
                config.reply = g_str_equal(config.reply_text, "echo") ? NODE_REPLY_ECHO : NODE_REPLY_TEXT;
        if (mesh_add_node(c->sim->mesh, &config, ret) < 0)
                return refuse(c, "the name is too long or via is no repeater");

        return 0;
}

static int verb_advert(Control *c) {
        const char *name = get_text(c, "name");
        Node *node = name ? mesh_find_node(c->sim->mesh, name) : NULL;
        KeyText key;
        int r;

        if (!name || !name[0])
                return refuse(c, "name is missing");
        if (!node) {
                r = new_node(c, name, &node);
                if (r < 0)
                        return r;
        }

        mesh_send_advert(c->sim->mesh, node);
        key = key_to_text(node_key(node));
        json_object_set_string_member(c->out, "key", key.text);
        return 0;
}

static int verb_add_contacts(Control *c) {
        size_t added = mesh_add_contacts(c->sim->mesh, (size_t) CLAMP(get_number(c, "count", 1), 0, 1000));

        json_object_set_int_member(c->out, "added", (int64_t) added);
        json_object_set_int_member(c->out, "contacts", (int64_t) engine_n_contacts(c->sim->engine));
        return 0;
}

/* Out of the radio's table, as another app may do it. */
static int verb_remove_contact(Control *c) {
        const char *name = get_text(c, "name");
        const EngineContact *contact;
        PublicKey key;

        for (size_t i = 0; name && (contact = engine_contact_at(c->sim->engine, i)); i++) {
                if (strncmp(contact->name, name, sizeof(contact->name)) != 0)
                        continue;
                key = contact->key;
                return engine_remove_contact(c->sim->engine, &key);
        }

        return refuse(c, "no such contact");
}

static int verb_link(Control *c) {
        const char *action = get_text(c, "action") ?: "";

        if (g_str_equal(action, "drop"))
                sim_link_drop(c->sim->link);
        else if (g_str_equal(action, "stall"))
                sim_link_stall(c->sim->link, true);
        else if (g_str_equal(action, "resume"))
                sim_link_stall(c->sim->link, false);
        else if (g_str_equal(action, "refuse"))
                sim_link_refuse(c->sim->link, true);
        else if (g_str_equal(action, "accept"))
                sim_link_refuse(c->sim->link, false);
        else
                return refuse(c, "action is drop, stall, resume, refuse or accept");

        return 0;
}

static int verb_drop_after(Control *c) {
        static const char *const names[_SIM_FAULT_MAX] = {"drop", "stall", "reboot", "garbage"};
        int64_t frames = get_number(c, "frames", -1), bytes = get_number(c, "bytes", -1);
        const char *action = get_text(c, "action") ?: "drop";

        for (int i = 0; i < _SIM_FAULT_MAX; i++)
                if (g_str_equal(action, names[i])) {
                        c->sim->drop_after = frames > 0 ? frames : -1;
                        c->sim->drop_bytes = bytes >= 0 ? (size_t) bytes : SIZE_MAX;
                        c->sim->drop_how = (SimFault) i;
                        return 0;
                }

        return refuse(c, "action is drop, stall, reboot or garbage");
}

static int verb_mute(Control *c) {
        JsonNode *node = json_object_get_member(c->in, "codes");
        JsonArray *codes = node && JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : NULL;

        if (!codes)
                return refuse(c, "codes is a list of command codes");

        memset(c->sim->muted, 0, sizeof(c->sim->muted));
        c->sim->mute_executes = get_bool(c, "execute");
        for (guint i = 0; i < json_array_get_length(codes); i++) {
                JsonNode *code = json_array_get_element(codes, i);
                int64_t number = JSON_NODE_HOLDS_VALUE(code) ? json_node_get_int(code) : -1;

                if (number < 0 || number > UINT8_MAX)
                        return refuse(c, "a code is a number from 0 to 255");
                c->sim->muted[number] = true;
        }

        return 0;
}

static int verb_reboot(Control *c) {
        simulator_reboot(c->sim);
        return 0;
}

static int verb_clock(Control *c) {
        int64_t set = get_number(c, "set", -1);

        if (set >= 0)
                engine_set_clock(c->sim->engine, (uint32_t) set);
        json_object_set_int_member(c->out, "clock", engine_clock(c->sim->engine));
        return 0;
}

static int verb_ack(Control *c) {
        static const char *const names[] = {"all", "none", "late"};
        const char *mode = get_text(c, "mode") ?: "all";

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                if (g_str_equal(mode, names[i])) {
                        mesh_set_ack_mode(c->sim->mesh, (AckMode) i, (uint8_t) get_number(c, "attempt", 0),
                                          (uint32_t) get_number(c, "ms", LATE_MSEC));
                        return 0;
                }

        return refuse(c, "mode is all, none or late");
}

static int verb_loss(Control *c) {
        mesh_set_loss(c->sim->mesh, (unsigned) CLAMP(get_number(c, "percent", 0), 0, 100));
        return 0;
}

static int verb_delay(Control *c) {
        c->sim->delay = (uint32_t) CLAMP(get_number(c, "ms", 0), 0, 600000);
        return 0;
}

static int verb_battery(Control *c) {
        engine_set_battery(c->sim->engine, (uint16_t) get_number(c, "millivolts", 4021));
        return 0;
}

static JsonArray *sent_texts(const Simulator *sim) {
        const GPtrArray *sent = mesh_sent_texts(sim->mesh);
        JsonArray *array = json_array_new();

        for (guint i = 0; i < sent->len; i++) {
                const SentText *text = g_ptr_array_index(sent, i);
                g_autofree char *valid = g_utf8_make_valid(text->text, -1),
                                *to = g_utf8_make_valid(text->to, -1);
                JsonObject *object = json_object_new();

                json_object_set_string_member(object, "to", to);
                json_object_set_string_member(object, "text", valid);
                json_object_set_int_member(object, "timestamp", text->timestamp);
                json_object_set_int_member(object, "attempt", text->attempt);
                json_object_set_boolean_member(object, "flood", text->flood);
                json_object_set_boolean_member(object, "channel", text->channel);
                json_array_add_object_element(array, object);
        }

        return array;
}

static int verb_stats(Control *c) {
        const EngineCounters *counters = engine_counters(c->sim->engine);
        JsonObject *commands = json_object_new();

        for (unsigned i = 0; i < ELEMENTSOF(counters->commands); i++) {
                char name[4];

                if (counters->commands[i] == 0)
                        continue;
                (void) g_snprintf(name, sizeof(name), "%u", i);
                json_object_set_int_member(commands, name, (int64_t) counters->commands[i]);
        }

        json_object_set_object_member(c->out, "commands", commands);
        json_object_set_int_member(c->out, "queued", (int64_t) counters->queued);
        json_object_set_int_member(c->out, "popped", (int64_t) counters->popped);
        json_object_set_int_member(c->out, "evicted", (int64_t) counters->evicted);
        json_object_set_int_member(c->out, "refused", (int64_t) counters->refused);
        json_object_set_int_member(c->out, "waiting", (int64_t) engine_queue_length(c->sim->engine));
        json_object_set_int_member(c->out, "lost_frames", (int64_t) counters->lost_frames);
        json_object_set_int_member(c->out, "frames", (int64_t) c->sim->frames_sent);
        json_object_set_int_member(c->out, "contacts", (int64_t) engine_n_contacts(c->sim->engine));
        json_object_set_int_member(c->out, "connections", (int64_t) c->sim->connections);
        json_object_set_boolean_member(c->out, "connected", sim_link_has_client(c->sim->link));
        json_object_set_array_member(c->out, "sent_texts", sent_texts(c->sim));
        return 0;
}

static JsonArray *frames_from(const GPtrArray *list, int64_t from) {
        JsonArray *frames = json_array_new();

        for (guint i = (guint) CLAMP(from, 0, (int64_t) list->len); i < list->len; i++) {
                gsize size;
                const uint8_t *data = g_bytes_get_data(g_ptr_array_index(list, i), &size);
                g_autofree char *hex = hex_dup(data, size);

                json_array_add_string_element(frames, hex);
        }

        return frames;
}

/* What the app got of the offline queue, in order, and what it had got each time the link ended. */
static int verb_popped(Control *c) {
        JsonArray *ends = json_array_new();

        for (guint i = 0; i < c->sim->ends->len; i++)
                json_array_add_int_element(ends, g_array_index(c->sim->ends, guint, i));

        json_object_set_array_member(c->out, "frames", frames_from(c->sim->popped, get_number(c, "from", 0)));
        json_object_set_int_member(c->out, "total", c->sim->popped->len);
        json_object_set_array_member(c->out, "ends", ends);
        return 0;
}

static int verb_confirmed(Control *c) {
        json_object_set_array_member(c->out, "frames",
                                     frames_from(c->sim->confirmed, get_number(c, "from", 0)));
        return 0;
}

static int verb_nodes(Control *c) {
        JsonArray *nodes = json_array_new();
        Node *node;

        for (size_t i = 0; (node = mesh_node_at(c->sim->mesh, i)); i++) {
                JsonObject *object = json_object_new();
                KeyText key = key_to_text(node_key(node));

                json_object_set_string_member(object, "name", node_name(node));
                json_object_set_string_member(object, "type", node_type_to_string(node_type(node)));
                json_object_set_string_member(object, "key", key.text);
                json_array_add_object_element(nodes, object);
        }

        json_object_set_array_member(c->out, "nodes", nodes);
        return 0;
}

static int verb_quit(Control *c) {
        return sd_event_exit(c->sim->event, 0);
}

static const struct {
        const char *name;
        int (*run)(Control *c);
} verbs[] = {
                {"text", verb_text},
                {"channel-text", verb_channel_text},
                {"datagram", verb_datagram},
                {"post", verb_post},
                {"raw-queue", verb_raw_queue},
                {"push", verb_push},
                {"receive", verb_receive},
                {"advert", verb_advert},
                {"add-contacts", verb_add_contacts},
                {"remove-contact", verb_remove_contact},
                {"link", verb_link},
                {"drop-after", verb_drop_after},
                {"mute", verb_mute},
                {"reboot", verb_reboot},
                {"clock", verb_clock},
                {"ack", verb_ack},
                {"loss", verb_loss},
                {"delay", verb_delay},
                {"battery", verb_battery},
                {"stats", verb_stats},
                {"popped", verb_popped},
                {"confirmed", verb_confirmed},
                {"nodes", verb_nodes},
                {"quit", verb_quit},
};

JsonObject *simulator_control(Simulator *sim, JsonObject *command) {
        Control c = {.sim = sim, .in = command, .out = json_object_new()};
        const char *name = get_text(&c, "cmd");
        int r = -EINVAL;

        c.error = "no such command";
        for (size_t i = 0; name && i < ELEMENTSOF(verbs); i++)
                if (g_str_equal(verbs[i].name, name)) {
                        r = verbs[i].run(&c);
                        break;
                }

        json_object_set_boolean_member(c.out, "ok", r >= 0);
        if (r < 0)
                json_object_set_string_member(c.out, "error", c.error);
        simulator_run(sim);
        return c.out;
}
