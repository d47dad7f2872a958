/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine-internal.h"

/* Messages that wait for an app, wire reference 7.1 and 7.2. */

#define LEVEL_V3          3
#define CHANNEL_DATA_HEAD 9

static bool is_channel_frame(const QueuedFrame *frame) {
        return frame->data[0] == RESP_CHANNEL_MSG_RECV || frame->data[0] == RESP_CHANNEL_MSG_RECV_V3 ||
               frame->data[0] == RESP_CHANNEL_DATA_RECV;
}

static void remove_frame(Engine *e, size_t index) {
        memmove(&e->queue[index], &e->queue[index + 1], (e->n_queue - index - 1) * sizeof(*e->queue));
        e->n_queue--;
}

static bool make_room(Engine *e) {
        if (e->n_queue < e->queue_size)
                return true;
        if (!e->traits->evicts_channel_texts)
                return false;

        for (size_t i = 0; i < e->n_queue; i++)
                if (is_channel_frame(&e->queue[i])) {
                        remove_frame(e, i);
                        e->counters.evicted++;
                        return true;
                }

        return false;
}

void queue_add(Engine *e, const uint8_t *frame, size_t size) {
        QueuedFrame *queued;

        if (!make_room(e)) {
                e->counters.refused++;
                return;
        }

        queued = &e->queue[e->n_queue++];
        queued->size = MIN(size, sizeof(queued->data));
        memcpy(queued->data, frame, queued->size);
        e->counters.queued++;
}

/* Also when the message was dropped just now, 4.2. */
void queue_announce(Engine *e) {
        const uint8_t push[] = {PUSH_MSG_WAITING};

        if (engine_app_listens(e))
                engine_write(e, push, sizeof(push));
}

void take_next_message(Engine *e, size_t size) {
        size_t length;

        if (e->n_queue == 0) {
                e->out[0] = RESP_NO_MORE_MESSAGES;
                engine_write_out(e, 1);
                return;
        }

        length = e->queue[0].size;
        memcpy(e->out, e->queue[0].data, length);
        remove_frame(e, 0);
        e->counters.popped++;
        engine_write_out(e, length);
}

static uint8_t *begin_frame(Engine *e, uint8_t code, uint8_t code_v3, const AirPacket *packet) {
        uint8_t *p = e->out;

        if (e->app_level < LEVEL_V3 && code != 0) {
                *p++ = code;
                return p;
        }

        *p++ = code_v3;
        *p++ = (uint8_t) packet->snr4;
        *p++ = 0;
        *p++ = 0;
        return p;
}

static uint8_t path_of(const AirPacket *packet) {
        return air_is_flood(packet) ? packet->path_len : PATH_LEN_NONE;
}

static void finish_frame(Engine *e, uint8_t *p, Slice text) {
        size_t room = e->traits->frame_max - (size_t) (p - e->out), size = MIN(text.size, room);

        if (size > 0)
                memcpy(p, text.data, size);
        queue_add(e, e->out, (size_t) (p - e->out) + size);
        queue_announce(e);
}

void queue_text(Engine *e, const EngineContact *from, uint8_t txt_type, const AirPacket *packet,
                uint32_t timestamp, Slice extra, Slice text) {
        uint8_t *p = begin_frame(e, RESP_CONTACT_MSG_RECV, RESP_CONTACT_MSG_RECV_V3, packet);

        memcpy(p, from->key.bytes, KEY_PREFIX_SIZE);
        p += KEY_PREFIX_SIZE;
        *p++ = path_of(packet);
        *p++ = txt_type;
        p += put_u32(p, timestamp);
        if (extra.size > 0) {
                memcpy(p, extra.data, extra.size);
                p += extra.size;
        }
        finish_frame(e, p, text);
}

void queue_channel_text(Engine *e, int channel, const AirPacket *packet, uint32_t timestamp, Slice text) {
        uint8_t *p = begin_frame(e, RESP_CHANNEL_MSG_RECV, RESP_CHANNEL_MSG_RECV_V3, packet);

        *p++ = (uint8_t) channel;
        *p++ = path_of(packet);
        *p++ = TEXT_PLAIN;
        p += put_u32(p, timestamp);
        finish_frame(e, p, text);
}

void queue_channel_data(Engine *e, int channel, const AirPacket *packet, uint16_t type, Slice data) {
        uint8_t *p;

        if (data.size > e->traits->frame_max - CHANNEL_DATA_HEAD)
                return;

        p = begin_frame(e, 0, RESP_CHANNEL_DATA_RECV, packet);
        *p++ = (uint8_t) channel;
        *p++ = path_of(packet);
        p += put_u16(p, type);
        *p++ = (uint8_t) data.size;
        finish_frame(e, p, data);
}

void engine_queue_frame(Engine *e, const uint8_t *frame, size_t size) {
        queue_add(e, frame, size);
        queue_announce(e);
}
