/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine-internal.h"

#define SET_CHANNEL_256_BIT (2 + NAME_FIELD_SIZE + 32)

int channels_find(const Engine *e, const uint8_t secret[CHANNEL_SECRET_MAX]) {
        for (size_t i = 0; i < e->max_channels; i++)
                if (memcmp(e->channels[i].secret, secret, CHANNEL_SECRET_MAX) == 0)
                        return (int) i;

        return -1;
}

void take_get_channel(Engine *e, size_t size) {
        const EngineChannel *channel;

        if (e->cmd[1] >= e->max_channels) {
                engine_error(e, ERR_NOT_FOUND);
                return;
        }

        channel = &e->channels[e->cmd[1]];
        e->out[0] = RESP_CHANNEL_INFO;
        e->out[1] = e->cmd[1];
        /* Only as far as the NUL: what the buffer held before goes out too. */
        memcpy(e->out + 2, channel->name, strlen(channel->name) + 1);
        memcpy(e->out + 2 + NAME_FIELD_SIZE, channel->secret, SECRET_SIZE);
        engine_write_out(e, 2 + NAME_FIELD_SIZE + SECRET_SIZE);
}

static void set_channel(EngineChannel *channel, const uint8_t *name, const uint8_t *secret) {
        size_t size = text_length(name, NAME_FIELD_SIZE - 1);

        *channel = (EngineChannel){};
        memcpy(channel->name, name, size);
        memcpy(channel->secret, secret, SECRET_SIZE);
        channel->hash = sim_channel_hash(channel->secret);
}

void take_set_channel(Engine *e, size_t size) {
        if (size >= SET_CHANNEL_256_BIT) {
                engine_error(e, ERR_UNSUPPORTED_CMD);
                return;
        }
        if (e->cmd[1] >= e->max_channels) {
                engine_error(e, ERR_NOT_FOUND);
                return;
        }

        set_channel(&e->channels[e->cmd[1]], e->cmd + 2, e->cmd + 2 + NAME_FIELD_SIZE);
        engine_ok(e);
}

int engine_set_channel(Engine *e, size_t index, const char *name, const uint8_t secret[SECRET_SIZE]) {
        uint8_t field[NAME_FIELD_SIZE] = {};

        if (index >= e->max_channels)
                return -ECHRNG;

        g_strlcpy((char *) field, name, sizeof(field));
        set_channel(&e->channels[index], field, secret);
        return 0;
}

int engine_get_channel(const Engine *e, size_t index, const char **ret_name, const uint8_t **ret_secret) {
        if (index >= e->max_channels)
                return -ECHRNG;

        *ret_name = e->channels[index].name;
        *ret_secret = e->channels[index].secret;
        return 0;
}
