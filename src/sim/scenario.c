/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "scenario.h"

#include <string.h>

#include "derive.h"
#include "hex.h"
#include "log.h"
#include "macros.h"

#define GROUP_RADIO       "Radio"
#define PREFIX_NODE       "Node "
#define PREFIX_EVENT      "Event "
#define MAX_CONTACTS      350
#define MAX_CHANNELS      40
#define QUEUE_SIZE_WIFI   256
#define QUEUE_SIZE_SERIAL 16
#define SNR_DEFAULT       9.25
#define RSSI_DEFAULT      (-71)

static const char default_scenario[] = "[Radio]\n"
                                       "Name=Simulated radio\n"
                                       "Channels=Public;#test\n"
                                       "Latitude=52.5200\n"
                                       "Longitude=13.4050\n"
                                       "\n"
                                       "[Node Hilltop]\n"
                                       "Type=repeater\n"
                                       "Owner=run by the club\n"
                                       "Latitude=52.4870\n"
                                       "Longitude=13.2410\n"
                                       "\n"
                                       "[Node Far ridge]\n"
                                       "Type=repeater\n"
                                       "Via=Hilltop\n"
                                       "\n"
                                       "[Node Anna]\n"
                                       "Reply=Got it, thank you!\n"
                                       "Latitude=52.5163\n"
                                       "Longitude=13.3777\n"
                                       "\n"
                                       "[Node Bob]\n"
                                       "Via=Hilltop\n"
                                       "Reply=echo\n"
                                       "\n"
                                       "[Node Town room]\n"
                                       "Type=room\n"
                                       "\n"
                                       "[Node Greenhouse]\n"
                                       "Type=sensor\n"
                                       "\n"
                                       "[Event welcome]\n"
                                       "AfterSync=3\n"
                                       "Do=text\n"
                                       "From=Anna\n"
                                       "Text=Hello! Write to me, I answer.\n"
                                       "\n"
                                       "[Event channel]\n"
                                       "AfterSync=8\n"
                                       "Do=channel-text\n"
                                       "Channel=Public\n"
                                       "From=Bob\n"
                                       "Author=Bob\n"
                                       "Text=Anybody on Public today?\n";

static void event_free(ScenarioEvent *event) {
        json_object_unref(event->command);
        g_free(event);
}

Scenario *scenario_free(Scenario *scenario) {
        if (!scenario)
                return NULL;

        g_key_file_unref(scenario->file);
        g_ptr_array_unref(scenario->events);
        g_free(scenario);
        return NULL;
}

/* Keys of the file are written CamelCase, those of the control socket are
 * lower case with hyphens or underscores as documented there. */
static char *control_name(const char *key) {
        GString *name = g_string_new(NULL);

        for (const char *p = key; *p; p++) {
                if (g_ascii_isupper(*p) && p != key)
                        g_string_append_c(name, '-');
                g_string_append_c(name, g_ascii_tolower(*p));
        }

        return g_string_free(name, FALSE);
}

static void add_member(JsonObject *object, const char *key, const char *value) {
        g_autofree char *name = control_name(key);
        char *end;
        gint64 number = g_ascii_strtoll(value, &end, 10);

        if (*value && *end == 0 && !g_str_equal(name, "text") && !g_str_equal(name, "data"))
                json_object_set_int_member(object, name, number);
        else
                json_object_set_string_member(object, name, value);
}

static int read_event(Scenario *scenario, const char *path, const char *group) {
        g_auto(GStrv) keys = g_key_file_get_keys(scenario->file, group, NULL, NULL);
        ScenarioEvent *event = g_new0(ScenarioEvent, 1);

        event->command = json_object_new();
        g_ptr_array_add(scenario->events, event);
        for (char **key = keys; *key; key++) {
                g_autofree char *value = g_key_file_get_string(scenario->file, group, *key, NULL);

                if (!value)
                        return log_at(LOG_ERR, EINVAL, "%s: [%s] %s: bad text", path, group, *key);
                if (g_str_equal(*key, "At") || g_str_equal(*key, "AfterSync")) {
                        event->at = (uint64_t) (g_ascii_strtod(value, NULL) * 1000);
                        event->after_sync = g_str_equal(*key, "AfterSync");
                } else if (g_str_equal(*key, "Do")) {
                        json_object_set_string_member(event->command, "cmd", value);
                } else {
                        add_member(event->command, *key, value);
                }
        }

        if (!json_object_has_member(event->command, "cmd"))
                return log_at(LOG_ERR, EINVAL, "%s: [%s] has no Do=", path, group);

        return 0;
}

static int read_events(Scenario *scenario, const char *path) {
        g_auto(GStrv) groups = g_key_file_get_groups(scenario->file, NULL);

        for (char **group = groups; *group; group++) {
                if (g_str_has_prefix(*group, PREFIX_EVENT)) {
                        int r = read_event(scenario, path, *group);

                        if (r < 0)
                                return r;
                } else if (!g_str_equal(*group, GROUP_RADIO) && !g_str_has_prefix(*group, PREFIX_NODE)) {
                        return log_at(LOG_ERR, EINVAL, "%s: unknown section [%s]", path, *group);
                }
        }

        return 0;
}

Scenario *scenario_new(void) {
        Scenario *scenario = g_new0(Scenario, 1);

        scenario->file = g_key_file_new();
        scenario->events = g_ptr_array_new_with_free_func((GDestroyNotify) event_free);
        return scenario;
}

int scenario_load(const char *path, Scenario **ret) {
        g_autoptr(Scenario) scenario = scenario_new();
        g_autoptr(GError) error = NULL;
        int r;

        if (path)
                g_key_file_load_from_file(scenario->file, path, G_KEY_FILE_NONE, &error);
        else
                g_key_file_load_from_data(scenario->file, default_scenario, SIZE_MAX, G_KEY_FILE_NONE,
                                          &error);
        if (error)
                return log_at(LOG_ERR, EINVAL, "%s: %s", path, error->message);

        r = read_events(scenario, path);
        if (r < 0)
                return r;

        *ret = g_steal_pointer(&scenario);
        return 0;
}

static char *get_text(const Scenario *scenario, const char *group, const char *key) {
        return g_key_file_get_string(scenario->file, group, key, NULL);
}

static size_t get_size(const Scenario *scenario, const char *group, const char *key, size_t fallback) {
        g_autofree char *value = get_text(scenario, group, key);

        return value ? (size_t) g_ascii_strtoull(value, NULL, 0) : fallback;
}

static double get_number(const Scenario *scenario, const char *group, const char *key, double fallback) {
        g_autofree char *value = get_text(scenario, group, key);

        return value ? g_ascii_strtod(value, NULL) : fallback;
}

static bool get_bool(const Scenario *scenario, const char *group, const char *key, bool fallback) {
        return g_key_file_has_key(scenario->file, group, key, NULL)
                               ? g_key_file_get_boolean(scenario->file, group, key, NULL)
                               : fallback;
}

static int32_t get_degrees(const Scenario *scenario, const char *group, const char *key) {
        double degrees = get_number(scenario, group, key, 0) * 1e6;

        return (int32_t) (degrees < 0 ? degrees - 0.5 : degrees + 0.5);
}

static int read_identity(const Scenario *scenario, SimIdentity *ret) {
        g_autofree char *private_key = get_text(scenario, GROUP_RADIO, "PrivateKey");
        g_autofree char *seed = get_text(scenario, GROUP_RADIO, "Seed");
        uint8_t bytes[PRIVATE_KEY_SIZE];

        if (!private_key) {
                *ret = sim_identity_from_text(seed ?: "radio");
                return 0;
        }

        if (hex_decode(private_key, strlen(private_key), bytes, sizeof(bytes)) != sizeof(bytes) ||
            sim_identity_from_private(bytes, true, ret) < 0)
                return log_at(LOG_ERR, EINVAL, "PrivateKey= is no private key of 128 hex digits");

        return 0;
}

int scenario_make_engine(const Scenario *scenario, const ScenarioOptions *options,
                         const EngineCallbacks *callbacks, void *userdata, Engine **ret) {
        g_autofree char *name = get_text(scenario, GROUP_RADIO, "Name");
        g_autofree char *model = get_text(scenario, GROUP_RADIO, "Model");
        EngineConfig config = {
                        .firmware = options->firmware,
                        .seed = options->seed,
                        .name = name,
                        .model = model,
                        .speed = options->speed,
                        .epoch = (uint32_t) get_size(scenario, GROUP_RADIO, "Clock", options->epoch),
                        .has_sensors = get_bool(scenario, GROUP_RADIO, "Sensors", true),
                        .private_key_disabled = get_bool(scenario, GROUP_RADIO, "PrivateKeyDisabled", false),
        };
        int r;

        r = read_identity(scenario, &config.identity);
        if (r < 0)
                return r;

        config.queue_size = get_size(scenario, GROUP_RADIO, "QueueSize",
                                     options->kind == PORT_WIFI ? QUEUE_SIZE_WIFI : QUEUE_SIZE_SERIAL);
        config.max_contacts = get_size(scenario, GROUP_RADIO, "MaxContacts", MAX_CONTACTS);
        config.max_channels = get_size(scenario, GROUP_RADIO, "MaxChannels", MAX_CHANNELS);
        if (config.max_contacts > ENGINE_CONTACTS_MAX || config.max_channels > ENGINE_CHANNELS_MAX)
                return log_at(LOG_ERR, ERANGE, "MaxContacts= is at most %d, MaxChannels= at most %d",
                              ENGINE_CONTACTS_MAX, ENGINE_CHANNELS_MAX);

        *ret = engine_new(&config, callbacks, userdata, options->now);
        engine_set_battery(*ret, (uint16_t) get_size(scenario, GROUP_RADIO, "Battery", 4021));
        engine_set_position(*ret, get_degrees(scenario, GROUP_RADIO, "Latitude"),
                            get_degrees(scenario, GROUP_RADIO, "Longitude"));
        return 0;
}

/* "Public", "#name", or "name=32 hex digits". */
static int add_channel(Engine *engine, size_t index, const char *text) {
        const char *equals = strrchr(text, '=');
        uint8_t secret[SECRET_SIZE];
        g_autofree char *name = equals ? g_strndup(text, (gsize) (equals - text)) : g_strdup(text);

        if (equals) {
                if (hex_decode(equals + 1, strlen(equals + 1), secret, sizeof(secret)) != sizeof(secret))
                        return log_at(LOG_ERR, EINVAL, "Channels=: %s: the secret has 32 hex digits", name);
        } else if (text[0] == '#') {
                if (derive_hashtag_secret(text, secret) < 0)
                        return log_at(LOG_ERR, EINVAL, "Channels=: %s is no hashtag", text);
        } else if (g_str_equal(text, "Public")) {
                (void) hex_decode("8b3387e9c5cdea6ac9e5edbaa115cd72", 32, secret, sizeof(secret));
        } else {
                return log_at(LOG_ERR, EINVAL, "Channels=: %s needs =SECRET", text);
        }

        if (engine_set_channel(engine, index, name, secret) < 0)
                return log_at(LOG_ERR, ECHRNG, "Channels=: more than MaxChannels=");

        return 0;
}

static int add_channels(const Scenario *scenario, Engine *engine) {
        g_auto(GStrv) channels =
                        g_key_file_get_string_list(scenario->file, GROUP_RADIO, "Channels", NULL, NULL);

        for (size_t i = 0; channels && channels[i]; i++) {
                int r = add_channel(engine, i, channels[i]);

                if (r < 0)
                        return r;
        }

        return 0;
}

static NodeType type_from_string(const char *text) {
        for (unsigned type = NODE_CHAT; type < _NODE_TYPE_MAX; type++)
                if (g_str_equal(text, node_type_to_string(type)))
                        return (NodeType) type;

        return _NODE_TYPE_INVALID;
}

static int add_node(const Scenario *scenario, Mesh *mesh, const char *group) {
        g_autofree char *type = get_text(scenario, group, "Type"), *seed = get_text(scenario, group, "Seed");
        g_autofree char *reply = get_text(scenario, group, "Reply"),
                        *owner = get_text(scenario, group, "Owner");
        g_autofree char *password = get_text(scenario, group, "Password");
        g_autofree char *guest = get_text(scenario, group, "GuestPassword");
        g_auto(GStrv) via = g_key_file_get_string_list(scenario->file, group, "Via", NULL, NULL);
        NodeConfig config = {
                        .name = group + strlen(PREFIX_NODE),
                        .seed = seed,
                        .type = type ? type_from_string(type) : NODE_CHAT,
                        .via = (const char *const *) via,
                        .has_position = g_key_file_has_key(scenario->file, group, "Latitude", NULL),
                        .lat = get_degrees(scenario, group, "Latitude"),
                        .lon = get_degrees(scenario, group, "Longitude"),
                        .snr4 = (int) (get_number(scenario, group, "SNR", SNR_DEFAULT) * 4),
                        .rssi = (int) get_number(scenario, group, "RSSI", RSSI_DEFAULT),
                        .silent = !get_bool(scenario, group, "Ack", true),
                        .password = password,
                        .guest_password = guest,
                        .owner = owner,
                        .advert_interval = (uint32_t) get_size(scenario, group, "Advert", 0),
        };
        Node *node;
        int r;

        if (config.type < 0)
                return log_at(LOG_ERR, EINVAL, "[%s] Type=%s: not chat, repeater, room or sensor", group,
                              type);
        if (reply) {
                config.reply = g_str_equal(reply, "echo") ? NODE_REPLY_ECHO : NODE_REPLY_TEXT;
                config.reply_text = reply;
        }

        r = mesh_add_node(mesh, &config, &node);
        if (r == -ENOENT)
                return log_at(LOG_ERR, r, "[%s] Via= names no repeater of a section above", group);
        if (r < 0)
                return log_at(LOG_ERR, r, "[%s] cannot be added", group);

        if (get_bool(scenario, group, "Known", true) &&
            mesh_make_known(mesh, node, get_bool(scenario, group, "PathKnown", false)) < 0)
                return log_at(LOG_ERR, ENOSPC, "[%s] does not fit into the contact table", group);

        return 0;
}

int scenario_make_mesh(const Scenario *scenario, const ScenarioOptions *options, Engine *engine, Mesh **ret) {
        g_autoptr(Mesh) mesh = mesh_new(engine, options->seed, options->speed, options->now, options->epoch);
        g_auto(GStrv) groups = g_key_file_get_groups(scenario->file, NULL);
        size_t more = get_size(scenario, GROUP_RADIO, "Contacts", 0);
        int r;

        r = add_channels(scenario, engine);
        if (r < 0)
                return r;

        for (char **group = groups; *group; group++) {
                if (!g_str_has_prefix(*group, PREFIX_NODE))
                        continue;
                r = add_node(scenario, mesh, *group);
                if (r < 0)
                        return r;
        }

        if (mesh_add_contacts(mesh, more) < more)
                return log_at(LOG_ERR, ENOSPC, "Contacts=%zu do not fit into the contact table", more);

        *ret = g_steal_pointer(&mesh);
        return 0;
}
