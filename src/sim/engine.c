/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine-internal.h"

#include "hex.h"

const FirmwareTraits firmware_traits[_ENGINE_FIRMWARE_MAX] = {
                [ENGINE_FIRMWARE_1_7_4] =
                                {
                                                .name = "v1.7.4",
                                                .keeps_lastmod = true,
                                                .sf_min = 7,
                                                .freq_min = 300000,
                                                .build_date = "24 Jul 2025",
                                                .level = 7,
                                                .frame_max = FRAME_SIZE_MAX_OLD,
                                                .device_info_size = 80,
                                                .login_size = 13,
                                },
                [ENGINE_FIRMWARE_1_9_0] =
                                {
                                                .name = "v1.9.0",
                                                .sf_min = 7,
                                                .freq_min = 300000,
                                                .build_date = "28 Sep 2025",
                                                .level = 7,
                                                .frame_max = FRAME_SIZE_MAX_OLD,
                                                .device_info_size = 80,
                                                .login_size = 14,
                                                .evicts_channel_texts = true,
                                },
                [ENGINE_FIRMWARE_1_14_1] =
                                {
                                                .name = "v1.14.1",
                                                .checks_keys = true,
                                                .sf_min = 5,
                                                .freq_min = 300000,
                                                .build_date = "20 Mar 2026",
                                                .level = 10,
                                                .frame_max = FRAME_SIZE_MAX_OLD,
                                                .device_info_size = 82,
                                                .login_size = 14,
                                                .evicts_channel_texts = true,
                                                .announces_overflow = true,
                                                .has_auto_add = true,
                                                .has_hop_limit = true,
                                                .has_path_hashes = true,
                                                .has_trace_hashes = true,
                                                .has_receive_errors = true,
                                                .uses_own_clock_for_cli = true,
                                },
                [ENGINE_FIRMWARE_1_17_1] =
                                {
                                                .name = "v1.17.1",
                                                .has_temperature = true,
                                                .checks_keys = true,
                                                .sf_min = 5,
                                                .freq_min = 150000,
                                                .build_date = "14 Aug 2026",
                                                .level = 13,
                                                .frame_max = FRAME_SIZE_MAX,
                                                .device_info_size = 82,
                                                .login_size = 14,
                                                .anon_contacts = 8,
                                                .evicts_channel_texts = true,
                                                .announces_overflow = true,
                                                .has_auto_add = true,
                                                .has_hop_limit = true,
                                                .has_path_hashes = true,
                                                .has_trace_hashes = true,
                                                .has_receive_errors = true,
                                                .uses_own_clock_for_cli = true,
                                                .has_unscoped = true,
                                                .ack_has_tail = true,
                                },
};

EngineFirmware engine_firmware_from_string(const char *text) {
        if (text[0] == 'v')
                text++;

        for (EngineFirmware f = 0; f < _ENGINE_FIRMWARE_MAX; f++)
                if (g_str_equal(text, firmware_traits[f].name + 1))
                        return f;

        return _ENGINE_FIRMWARE_INVALID;
}

size_t engine_firmware_frame_max(EngineFirmware firmware) {
        return firmware_traits[firmware].frame_max;
}

void engine_write(Engine *e, const uint8_t *frame, size_t size) {
        /* 7.3: a frame that does not fit is dropped without a word. */
        if (size > e->traits->frame_max || !e->callbacks.write_frame(e->userdata, frame, size))
                e->counters.lost_frames++;
}

void engine_write_out(Engine *e, size_t size) {
        engine_write(e, e->out, size);
}

void engine_ok(Engine *e) {
        const uint8_t frame[] = {0};

        engine_write(e, frame, sizeof(frame));
}

void engine_error(Engine *e, ErrorCode code) {
        const uint8_t frame[] = {1, (uint8_t) code};

        engine_write(e, frame, sizeof(frame));
}

bool engine_app_listens(Engine *e) {
        return e->callbacks.is_connected(e->userdata);
}

uint32_t engine_clock(const Engine *e) {
        return e->clock_base + (uint32_t) ((e->now - e->clock_set_at) / 1000);
}

void engine_set_clock(Engine *e, uint32_t epoch) {
        e->clock_base = epoch;
        /* Seconds go on at the same beat. */
        e->clock_set_at = e->now - (e->now - e->clock_set_at) % 1000;
}

uint32_t engine_clock_unique(Engine *e) {
        uint32_t now = engine_clock(e);

        /* 6.1: never the same second twice. */
        if (now <= e->clock_unique)
                now = e->clock_unique + 1;

        return e->clock_unique = now;
}

/* What a radio holds that was never set up. */
void engine_defaults(Engine *e) {
        static const uint8_t public_secret[16] = {0x8b, 0x33, 0x87, 0xe9, 0xc5, 0xcd, 0xea, 0x6a,
                                                  0xc9, 0xe5, 0xed, 0xba, 0xa1, 0x15, 0xcd, 0x72};

        e->prefs = (Preferences){
                        .freq = 869.618F,
                        .bw = 62.5F,
                        .sf = 8,
                        .cr = 5,
                        .tx_power = 22,
                        .airtime_factor = 1.0F,
        };
        for (size_t i = 0; i < 4; i++)
                g_snprintf(e->prefs.name + 2 * i, 3, "%02X", e->identity.key.bytes[i]);

        memset(e->channels, 0, e->max_channels * sizeof(*e->channels));
        (void) engine_set_channel(e, 0, "Public", public_secret);
}

static void clear_memory(Engine *e) {
        e->app_level = 0;
        e->dumping = false;
        e->n_queue = 0;
        memset(e->acks, 0, sizeof(e->acks));
        e->next_ack = 0;
        e->pending = (Pending){};
        memset(e->advert_paths, 0, sizeof(e->advert_paths));
        memset(e->scope_override, 0, sizeof(e->scope_override));
        e->unscoped = false;
        e->sign_data = (g_free(e->sign_data), NULL);
        memset(e->cmd, 0, sizeof(e->cmd));
        memset(e->out, 0, sizeof(e->out));
        engine_air_reset(e);
        e->boot_time = e->now;
        e->clock_unique = 0;
}

Engine *engine_new(const EngineConfig *config, const EngineCallbacks *callbacks, void *userdata,
                   uint64_t now) {
        Engine *e = g_new0(Engine, 1);

        sim_crypto_init();
        e->firmware = config->firmware;
        e->traits = &firmware_traits[config->firmware];
        e->callbacks = *callbacks;
        e->userdata = userdata;
        e->random.state = config->seed;
        e->identity = config->identity;
        e->model = g_strdup(config->model ?: "Native Sim");
        e->speed = config->speed > 0 ? config->speed : 1.0;
        e->private_key_disabled = config->private_key_disabled;
        e->has_sensors = config->has_sensors;
        e->now = now;
        e->battery = 4021;
        e->storage_total = 1344;
        e->queue_size = config->queue_size;
        e->queue = g_new0(QueuedFrame, MAX(e->queue_size, 1U));
        e->max_contacts = MIN(config->max_contacts, (size_t) ENGINE_CONTACTS_MAX);
        e->contacts = g_new0(EngineContact, e->max_contacts + e->traits->anon_contacts);
        e->saved_contacts = g_new0(EngineContact, e->max_contacts);
        e->contacts_dirty = ENGINE_TIME_NEVER;
        e->n_contacts = e->traits->anon_contacts;
        e->max_channels = MIN(config->max_channels, (size_t) ENGINE_CHANNELS_MAX);
        e->channels = g_new0(EngineChannel, MAX(e->max_channels, 1U));
        e->cards = g_hash_table_new_full(key_hash_func, key_equal_func, g_free,
                                         (GDestroyNotify) g_bytes_unref);
        e->outgoing = g_array_new(FALSE, FALSE, sizeof(Outgoing));

        engine_defaults(e);
        if (config->name)
                g_strlcpy(e->prefs.name, config->name, sizeof(e->prefs.name));
        clear_memory(e);
        engine_set_clock(e, config->epoch);
        return e;
}

Engine *engine_free(Engine *e) {
        if (!e)
                return NULL;

        g_array_unref(e->outgoing);
        g_hash_table_unref(e->cards);
        g_free(e->channels);
        g_free(e->contacts);
        g_free(e->saved_contacts);
        g_free(e->queue);
        g_free(e->sign_data);
        g_free(e->model);
        g_free(e);
        return NULL;
}

void engine_reboot(Engine *e) {
        uint32_t newest = 0;

        clear_memory(e);
        e->contacts_dirty = ENGINE_TIME_NEVER;
        contacts_load(e);

        /* 6.1: a clock without a battery starts at the newest contact. */
        for (size_t i = e->traits->anon_contacts; i < e->n_contacts; i++)
                newest = MAX(newest, e->contacts[i].lastmod);
        if (newest != 0)
                engine_set_clock(e, newest + 1);
}

typedef struct Command {
        CommandHandler handle;
        uint8_t min_size; /* 0 and 1: not checked, stale bytes are read */
        EngineFirmware since;
} Command;

/* Minimum lengths: table of wire reference 3. What is shorter is unknown to
 * the firmware, error 1. */
static const Command commands[] = {
                [CMD_APP_START] = {take_app_start, 8, ENGINE_FIRMWARE_1_7_4},
                [CMD_SEND_TXT_MSG] = {take_send_text, 14, ENGINE_FIRMWARE_1_7_4},
                [CMD_SEND_CHANNEL_TXT_MSG] = {take_send_channel_text, 1, ENGINE_FIRMWARE_1_7_4},
                [CMD_GET_CONTACTS] = {take_get_contacts, 1, ENGINE_FIRMWARE_1_7_4},
                [CMD_GET_DEVICE_TIME] = {take_get_time, 1, ENGINE_FIRMWARE_1_7_4},
                [CMD_SET_DEVICE_TIME] = {take_set_time, 5, ENGINE_FIRMWARE_1_7_4},
                [CMD_SEND_SELF_ADVERT] = {take_send_advert, 1, ENGINE_FIRMWARE_1_7_4},
                [CMD_SET_ADVERT_NAME] = {take_set_name, 2, ENGINE_FIRMWARE_1_7_4},
                [CMD_ADD_UPDATE_CONTACT] = {take_put_contact, 36, ENGINE_FIRMWARE_1_7_4},
                [CMD_SYNC_NEXT_MESSAGE] = {take_next_message, 1, ENGINE_FIRMWARE_1_7_4},
                [CMD_SET_RADIO_PARAMS] = {take_set_radio, 1, ENGINE_FIRMWARE_1_7_4},
                [CMD_SET_RADIO_TX_POWER] = {take_set_power, 1, ENGINE_FIRMWARE_1_7_4},
                [CMD_RESET_PATH] = {take_reset_path, 33, ENGINE_FIRMWARE_1_7_4},
                [CMD_SET_ADVERT_LATLON] = {take_set_position, 9, ENGINE_FIRMWARE_1_7_4},
                [CMD_REMOVE_CONTACT] = {take_remove_contact, 1, ENGINE_FIRMWARE_1_7_4},
                [CMD_SHARE_CONTACT] = {take_share_contact, 1, ENGINE_FIRMWARE_1_7_4},
                [CMD_EXPORT_CONTACT] = {take_export_contact, 1, ENGINE_FIRMWARE_1_7_4},
                [CMD_IMPORT_CONTACT] = {take_import_contact, 99, ENGINE_FIRMWARE_1_7_4},
                [CMD_REBOOT] = {take_reboot, 1, ENGINE_FIRMWARE_1_7_4},
                [CMD_GET_BATT_AND_STORAGE] = {take_get_battery, 1, ENGINE_FIRMWARE_1_7_4},
                [CMD_SET_TUNING_PARAMS] = {take_set_tuning, 1, ENGINE_FIRMWARE_1_7_4},
                [CMD_DEVICE_QUERY] = {take_device_query, 2, ENGINE_FIRMWARE_1_7_4},
                [CMD_EXPORT_PRIVATE_KEY] = {take_export_key, 1, ENGINE_FIRMWARE_1_7_4},
                [CMD_IMPORT_PRIVATE_KEY] = {take_import_key, 65, ENGINE_FIRMWARE_1_7_4},
                [CMD_SEND_RAW_DATA] = {take_send_raw, 6, ENGINE_FIRMWARE_1_7_4},
                [CMD_SEND_LOGIN] = {take_send_login, 33, ENGINE_FIRMWARE_1_7_4},
                [CMD_SEND_STATUS_REQ] = {take_send_status, 33, ENGINE_FIRMWARE_1_7_4},
                [CMD_HAS_CONNECTION] = {take_has_connection, 33, ENGINE_FIRMWARE_1_7_4},
                [CMD_LOGOUT] = {take_logout, 33, ENGINE_FIRMWARE_1_7_4},
                [CMD_GET_CONTACT_BY_KEY] = {take_get_contact, 1, ENGINE_FIRMWARE_1_7_4},
                [CMD_GET_CHANNEL] = {take_get_channel, 2, ENGINE_FIRMWARE_1_7_4},
                [CMD_SET_CHANNEL] = {take_set_channel, 50, ENGINE_FIRMWARE_1_7_4},
                [CMD_SIGN_START] = {take_sign_start, 1, ENGINE_FIRMWARE_1_7_4},
                [CMD_SIGN_DATA] = {take_sign_data, 2, ENGINE_FIRMWARE_1_7_4},
                [CMD_SIGN_FINISH] = {take_sign_finish, 1, ENGINE_FIRMWARE_1_7_4},
                [CMD_SEND_TRACE_PATH] = {take_send_trace, 11, ENGINE_FIRMWARE_1_7_4},
                [CMD_SET_DEVICE_PIN] = {take_set_pin, 5, ENGINE_FIRMWARE_1_7_4},
                [CMD_SET_OTHER_PARAMS] = {take_set_other, 1, ENGINE_FIRMWARE_1_7_4},
                [CMD_SEND_TELEMETRY_REQ] = {take_send_telemetry, 4, ENGINE_FIRMWARE_1_7_4},
                [CMD_GET_CUSTOM_VARS] = {take_get_variables, 1, ENGINE_FIRMWARE_1_7_4},
                [CMD_SET_CUSTOM_VAR] = {take_set_variable, 4, ENGINE_FIRMWARE_1_7_4},
                [CMD_GET_ADVERT_PATH] = {take_get_advert_path, 34, ENGINE_FIRMWARE_1_7_4},
                [CMD_GET_TUNING_PARAMS] = {take_get_tuning, 1, ENGINE_FIRMWARE_1_7_4},
                [CMD_SEND_BINARY_REQ] = {take_send_binary, 34, ENGINE_FIRMWARE_1_7_4},
                [CMD_FACTORY_RESET] = {take_factory_reset, 1, ENGINE_FIRMWARE_1_7_4},
                [CMD_SEND_PATH_DISCOVERY_REQ] = {take_send_discovery, 34, ENGINE_FIRMWARE_1_9_0},
                [CMD_SET_FLOOD_SCOPE_KEY] = {take_set_scope, 2, ENGINE_FIRMWARE_1_14_1},
                [CMD_SEND_CONTROL_DATA] = {take_send_control, 2, ENGINE_FIRMWARE_1_14_1},
                [CMD_GET_STATS] = {take_get_stats, 2, ENGINE_FIRMWARE_1_14_1},
                [CMD_SEND_ANON_REQ] = {take_send_anon, 34, ENGINE_FIRMWARE_1_14_1},
                [CMD_SET_AUTOADD_CONFIG] = {take_set_auto_add, 1, ENGINE_FIRMWARE_1_14_1},
                [CMD_GET_AUTOADD_CONFIG] = {take_get_auto_add, 1, ENGINE_FIRMWARE_1_14_1},
                [CMD_GET_ALLOWED_REPEAT_FREQ] = {take_get_repeat_freq, 1, ENGINE_FIRMWARE_1_14_1},
                [CMD_SET_PATH_HASH_MODE] = {take_set_hash_mode, 3, ENGINE_FIRMWARE_1_14_1},
                [CMD_SEND_CHANNEL_DATA] = {take_send_channel_data, 1, ENGINE_FIRMWARE_1_17_1},
                [CMD_SET_DEFAULT_FLOOD_SCOPE] = {take_set_default_scope, 1, ENGINE_FIRMWARE_1_17_1},
                [CMD_GET_DEFAULT_FLOOD_SCOPE] = {take_get_default_scope, 1, ENGINE_FIRMWARE_1_17_1},
                [CMD_SEND_RAW_PACKET] = {take_send_packet, 4, ENGINE_FIRMWARE_1_17_1},
};

void engine_command(Engine *e, const uint8_t *frame, size_t size) {
        const Command *command;

        /* Empty frames never reach the command handler, 1.1. */
        if (size == 0)
                return;

        engine_advance(e, e->now);
        size = MIN(size, e->traits->frame_max);
        memcpy(e->cmd, frame, size);
        e->counters.commands[frame[0]]++;

        command = frame[0] < ELEMENTSOF(commands) ? &commands[frame[0]] : NULL;
        if (!command || !command->handle || e->firmware < command->since || size < command->min_size)
                engine_error(e, ERR_UNSUPPORTED_CMD);
        else
                command->handle(e, size);
}

void engine_push_frame(Engine *e, const uint8_t *frame, size_t size) {
        engine_write(e, frame, size);
}

const SimIdentity *engine_identity(const Engine *e) {
        return &e->identity;
}

const char *engine_name(const Engine *e) {
        return e->prefs.name;
}

void engine_set_battery(Engine *e, uint16_t millivolts) {
        e->battery = millivolts;
}

void engine_set_storage(Engine *e, uint32_t used_kb, uint32_t total_kb) {
        e->storage_used = used_kb;
        e->storage_total = total_kb;
}

void engine_set_position(Engine *e, int32_t lat, int32_t lon) {
        e->prefs.lat = lat / 1e6;
        e->prefs.lon = lon / 1e6;
}

const EngineCounters *engine_counters(const Engine *e) {
        return &e->counters;
}

size_t engine_queue_length(const Engine *e) {
        return e->n_queue;
}
