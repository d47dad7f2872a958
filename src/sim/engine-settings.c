/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine-internal.h"

/* Everything that is asked about and set on the radio itself. */

#define TX_POWER_MAX     22
#define PATH_HASH_MODES  3
#define GPS_INTERVAL_MAX 86400
#define MICRODEGREES     1000000

static const uint32_t repeat_freq[] = {433000, 869495, 918000};

void take_device_query(Engine *e, size_t size) {
        uint8_t *p = e->out;

        e->app_level = e->cmd[1];

        *p++ = RESP_DEVICE_INFO;
        *p++ = e->traits->level;
        *p++ = (uint8_t) (e->max_contacts / 2);
        *p++ = (uint8_t) e->max_channels;
        p += put_u32(p, e->prefs.pin);
        memset(p, 0, 12 + 40 + 20);
        g_strlcpy((char *) p, e->traits->build_date, 12);
        p += 12;
        g_strlcpy((char *) p, e->model, 40);
        p += 40;
        g_strlcpy((char *) p, e->traits->name, 20);
        p += 20;
        *p++ = e->prefs.repeat;
        *p++ = e->prefs.path_hash_mode;
        engine_write_out(e, e->traits->device_info_size);
}

void take_app_start(Engine *e, size_t size) {
        size_t name = strlen(e->prefs.name);
        uint8_t *p = e->out;

        e->cmd[size] = 0;
        e->dumping = false;

        *p++ = RESP_SELF_INFO;
        *p++ = NODE_CHAT;
        *p++ = (uint8_t) e->prefs.tx_power;
        *p++ = TX_POWER_MAX;
        memcpy(p, e->identity.key.bytes, PUBLIC_KEY_SIZE);
        p += PUBLIC_KEY_SIZE;
        p += put_u32(p, (uint32_t) (int32_t) (e->prefs.lat * 1000000.0));
        p += put_u32(p, (uint32_t) (int32_t) (e->prefs.lon * 1000000.0));
        *p++ = e->prefs.multi_acks;
        *p++ = e->prefs.advert_loc_policy;
        *p++ = (uint8_t) (e->prefs.telemetry_env << 4 | e->prefs.telemetry_loc << 2 |
                          e->prefs.telemetry_base);
        *p++ = e->prefs.manual_add;
        /* 4.1: through a 32 bit float, so that some values lose 1 kHz */
        p += put_u32(p, (uint32_t) (e->prefs.freq * 1000));
        p += put_u32(p, (uint32_t) (e->prefs.bw * 1000));
        *p++ = e->prefs.sf;
        *p++ = e->prefs.cr;
        memcpy(p, e->prefs.name, name);
        engine_write_out(e, (size_t) (p - e->out) + name);
}

void take_get_time(Engine *e, size_t size) {
        uint8_t reply[5] = {RESP_CURR_TIME};

        put_u32(reply + 1, engine_clock(e));
        engine_write(e, reply, sizeof(reply));
}

void take_set_time(Engine *e, size_t size) {
        uint32_t epoch = get_u32(e->cmd + 1);

        if (epoch < engine_clock(e)) {
                engine_error(e, ERR_ILLEGAL_ARG);
                return;
        }

        engine_set_clock(e, epoch);
        engine_ok(e);
}

void take_set_name(Engine *e, size_t size) {
        size_t name = MIN(size - 1, sizeof(e->prefs.name) - 1);

        memcpy(e->prefs.name, e->cmd + 1, name);
        e->prefs.name[name] = 0;
        engine_ok(e);
}

void take_set_position(Engine *e, size_t size) {
        int32_t lat = (int32_t) get_u32(e->cmd + 1), lon = (int32_t) get_u32(e->cmd + 5);

        if (lat > 90 * MICRODEGREES || lat < -90 * MICRODEGREES || lon > 180 * MICRODEGREES ||
            lon < -180 * MICRODEGREES) {
                engine_error(e, ERR_ILLEGAL_ARG);
                return;
        }

        engine_set_position(e, lat, lon);
        engine_ok(e);
}

static bool may_repeat_at(uint32_t freq) {
        for (size_t i = 0; i < ELEMENTSOF(repeat_freq); i++)
                if (repeat_freq[i] == freq)
                        return true;

        return false;
}

void take_set_radio(Engine *e, size_t size) {
        uint32_t freq = get_u32(e->cmd + 1), bw = get_u32(e->cmd + 5);
        uint8_t sf = e->cmd[9], cr = e->cmd[10];
        bool repeat = size > 11 && e->traits->level >= 9 && e->cmd[11] != 0;

        if ((repeat && !may_repeat_at(freq)) || freq < e->traits->freq_min || freq > 2500000 ||
            sf < e->traits->sf_min || sf > 12 || cr < 5 || cr > 8 || bw < 7000 || bw > 500000) {
                engine_error(e, ERR_ILLEGAL_ARG);
                return;
        }

        e->prefs.freq = (float) ((float) freq / 1000.0);
        e->prefs.bw = (float) ((float) bw / 1000.0);
        e->prefs.sf = sf;
        e->prefs.cr = cr;
        e->prefs.repeat = repeat;
        engine_ok(e);
}

void take_set_power(Engine *e, size_t size) {
        int8_t power = (int8_t) e->cmd[1];

        /* Before level 10 the byte was unsigned. */
        if (power > TX_POWER_MAX || power < (e->traits->level >= 10 ? TX_POWER_MIN : 0)) {
                engine_error(e, ERR_ILLEGAL_ARG);
                return;
        }

        e->prefs.tx_power = power;
        engine_ok(e);
}

void take_set_tuning(Engine *e, size_t size) {
        e->prefs.rx_delay = (float) get_u32(e->cmd + 1) / 1000.0F;
        e->prefs.airtime_factor = (float) get_u32(e->cmd + 5) / 1000.0F;
        engine_ok(e);
}

void take_get_tuning(Engine *e, size_t size) {
        e->out[0] = RESP_TUNING_PARAMS;
        put_u32(e->out + 1, (uint32_t) (e->prefs.rx_delay * 1000));
        put_u32(e->out + 5, (uint32_t) (e->prefs.airtime_factor * 1000));
        engine_write_out(e, 9);
}

void take_set_other(Engine *e, size_t size) {
        e->prefs.manual_add = e->cmd[1];
        if (size >= 3) {
                e->prefs.telemetry_base = e->cmd[2] & 3;
                e->prefs.telemetry_loc = e->cmd[2] >> 2 & 3;
                e->prefs.telemetry_env = e->cmd[2] >> 4 & 3;
        }
        if (size >= 4)
                e->prefs.advert_loc_policy = e->cmd[3];
        if (size >= 5)
                e->prefs.multi_acks = e->cmd[4];
        engine_ok(e);
}

void take_set_hash_mode(Engine *e, size_t size) {
        if (e->cmd[1] != 0) {
                engine_error(e, ERR_UNSUPPORTED_CMD);
                return;
        }
        if (e->cmd[2] >= PATH_HASH_MODES) {
                engine_error(e, ERR_ILLEGAL_ARG);
                return;
        }

        e->prefs.path_hash_mode = e->cmd[2];
        engine_ok(e);
}

void take_reboot(Engine *e, size_t size) {
        /* The guard word is compared without a look at the length. */
        if (memcmp(e->cmd + 1, "reboot", 6) != 0) {
                engine_error(e, ERR_UNSUPPORTED_CMD);
                return;
        }

        if (e->contacts_dirty != ENGINE_TIME_NEVER)
                contacts_save(e);
        if (e->callbacks.restart)
                e->callbacks.restart(e->userdata, false);
        engine_reboot(e);
}

void take_factory_reset(Engine *e, size_t size) {
        char seed[32];

        if (memcmp(e->cmd + 1, "reset", 5) != 0) {
                engine_error(e, ERR_UNSUPPORTED_CMD);
                return;
        }

        if (e->callbacks.restart)
                e->callbacks.restart(e->userdata, true);

        g_snprintf(seed, sizeof(seed), "reset-%08x", sim_random_below(&e->random, UINT32_MAX));
        e->identity = sim_identity_from_text(seed);
        g_hash_table_remove_all(e->cards);
        e->n_saved_contacts = 0;
        engine_defaults(e);
        engine_reboot(e);
}

void take_get_battery(Engine *e, size_t size) {
        uint8_t reply[11] = {RESP_BATT_AND_STORAGE}, *p = reply + 1;

        p += put_u16(p, e->battery);
        p += put_u32(p, e->storage_used);
        p += put_u32(p, e->storage_total);
        engine_write(e, reply, sizeof(reply));
}

void take_set_pin(Engine *e, size_t size) {
        uint32_t pin = get_u32(e->cmd + 1);

        if (pin != 0 && (pin < 100000 || pin > 999999)) {
                engine_error(e, ERR_ILLEGAL_ARG);
                return;
        }

        e->prefs.pin = pin;
        engine_ok(e);
}

void take_get_variables(Engine *e, size_t size) {
        int n;

        e->out[0] = RESP_CUSTOM_VARS;
        n = g_snprintf((char *) e->out + 1, sizeof(e->out) - 1, "gps:%d,gps_interval:%" G_GUINT32_FORMAT,
                       e->prefs.gps, e->prefs.gps_interval);
        engine_write_out(e, 1 + (size_t) n);
}

void take_set_variable(Engine *e, size_t size) {
        char *name = (char *) e->cmd + 1, *value;

        e->cmd[size] = 0;
        value = strchr(name, ':');
        if (!value) {
                engine_error(e, ERR_ILLEGAL_ARG);
                return;
        }

        /* The firmware splits the text where it lies. */
        *value++ = 0;
        if (g_str_equal(name, "gps")) {
                e->prefs.gps = value[0] == '1';
        } else if (g_str_equal(name, "gps_interval")) {
                e->prefs.gps_interval =
                                (uint32_t) MIN(g_ascii_strtoull(value, NULL, 10), (guint64) GPS_INTERVAL_MAX);
        } else {
                engine_error(e, ERR_ILLEGAL_ARG);
                return;
        }

        engine_ok(e);
}

void take_set_scope(Engine *e, size_t size) {
        if (e->cmd[1] == 1 && e->traits->has_unscoped) {
                e->unscoped = true;
                engine_ok(e);
                return;
        }
        if (e->cmd[1] != 0) {
                engine_error(e, ERR_UNSUPPORTED_CMD);
                return;
        }

        if (size >= 2 + SECRET_SIZE)
                memcpy(e->scope_override, e->cmd + 2, SECRET_SIZE);
        else
                memset(e->scope_override, 0, SECRET_SIZE);
        e->unscoped = false;
        engine_ok(e);
}

void take_set_default_scope(Engine *e, size_t size) {
        size_t name;

        if (size < 1 + SCOPE_NAME_FIELD_SIZE + SECRET_SIZE) {
                memset(e->prefs.scope_name, 0, sizeof(e->prefs.scope_name));
                memset(e->prefs.scope_key, 0, sizeof(e->prefs.scope_key));
                engine_ok(e);
                return;
        }

        name = text_length(e->cmd + 1, SCOPE_NAME_FIELD_SIZE);
        if (name == 0 || name >= SCOPE_NAME_FIELD_SIZE) {
                engine_error(e, ERR_ILLEGAL_ARG);
                return;
        }

        memcpy(e->prefs.scope_name, e->cmd + 1, name + 1);
        memcpy(e->prefs.scope_key, e->cmd + 1 + SCOPE_NAME_FIELD_SIZE, SECRET_SIZE);
        engine_ok(e);
}

void take_get_default_scope(Engine *e, size_t size) {
        e->out[0] = RESP_DEFAULT_FLOOD_SCOPE;
        if (e->prefs.scope_name[0] == 0) {
                engine_write_out(e, 1);
                return;
        }

        memcpy(e->out + 1, e->prefs.scope_name, SCOPE_NAME_FIELD_SIZE);
        memcpy(e->out + 1 + SCOPE_NAME_FIELD_SIZE, e->prefs.scope_key, SECRET_SIZE);
        engine_write_out(e, 1 + SCOPE_NAME_FIELD_SIZE + SECRET_SIZE);
}

void take_set_auto_add(Engine *e, size_t size) {
        e->prefs.auto_add = e->cmd[1];
        if (size >= 3 && e->traits->has_hop_limit)
                e->prefs.auto_add_hops = MIN(e->cmd[2], AUTOADD_HOPS_MAX);
        engine_ok(e);
}

void take_get_auto_add(Engine *e, size_t size) {
        e->out[0] = RESP_AUTOADD_CONFIG;
        e->out[1] = e->prefs.auto_add;
        e->out[2] = e->prefs.auto_add_hops;
        engine_write_out(e, e->traits->has_hop_limit ? 3 : 2);
}

void take_get_repeat_freq(Engine *e, size_t size) {
        uint8_t *p = e->out;

        *p++ = RESP_ALLOWED_REPEAT_FREQ;
        for (size_t i = 0; i < ELEMENTSOF(repeat_freq); i++) {
                p += put_u32(p, repeat_freq[i]);
                p += put_u32(p, repeat_freq[i]);
        }
        engine_write_out(e, (size_t) (p - e->out));
}
