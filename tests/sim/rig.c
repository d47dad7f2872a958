/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "rig.h"

#include <check.h>
#include <string.h>

#include "hex.h"
#include "macros.h"

static bool on_write(void *userdata, const uint8_t *frame, size_t size) {
        Rig *rig = userdata;

        if (rig->connected)
                g_ptr_array_add(rig->frames, g_bytes_new(frame, size));
        return rig->connected;
}

static bool on_is_connected(void *userdata) {
        return ((Rig *) userdata)->connected;
}

static void on_transmit(void *userdata, const uint8_t *raw, size_t size) {
        g_ptr_array_add(((Rig *) userdata)->packets, g_bytes_new(raw, size));
}

static void on_restart(void *userdata, bool factory_reset) {
        ((Rig *) userdata)->restarts++;
}

Rig *rig_new(EngineFirmware firmware, size_t queue_size, size_t max_contacts) {
        static const EngineCallbacks callbacks = {
                        .write_frame = on_write,
                        .is_connected = on_is_connected,
                        .transmit = on_transmit,
                        .restart = on_restart,
        };
        EngineConfig config = {
                        .firmware = firmware,
                        .seed = 1,
                        .identity = sim_identity_from_text("rig"),
                        .name = "Rig",
                        .queue_size = queue_size,
                        .max_contacts = max_contacts,
                        .max_channels = 8,
                        .epoch = 1700000000,
                        .speed = 1,
        };
        Rig *rig = g_new0(Rig, 1);

        rig->frames = g_ptr_array_new_with_free_func((GDestroyNotify) g_bytes_unref);
        rig->packets = g_ptr_array_new_with_free_func((GDestroyNotify) g_bytes_unref);
        rig->connected = true;
        rig->engine = engine_new(&config, &callbacks, rig, 0);
        return rig;
}

Rig *rig_free(Rig *rig) {
        if (!rig)
                return NULL;

        engine_free(rig->engine);
        g_ptr_array_unref(rig->frames);
        g_ptr_array_unref(rig->packets);
        g_free(rig);
        return NULL;
}

static const uint8_t *frame_at(Rig *rig, size_t index, size_t *ret_size) {
        *ret_size = 0;
        return index < rig->frames->len ? g_bytes_get_data(g_ptr_array_index(rig->frames, index), ret_size)
                                        : NULL;
}

int rig_command(Rig *rig, const char *hex) {
        uint8_t frame[512];
        const uint8_t *answer;
        size_t size;
        int n = hex_decode(hex, strlen(hex), frame, sizeof(frame));

        ck_assert_int_ge(n, 0);
        g_ptr_array_set_size(rig->frames, 0);
        engine_command(rig->engine, frame, (size_t) n);
        answer = frame_at(rig, 0, &size);
        return answer ? answer[0] : -1;
}

int rig_error(Rig *rig, const char *hex) {
        const uint8_t *answer;
        size_t size;

        ck_assert_int_eq(rig_command(rig, hex), RESP_ERR);
        answer = frame_at(rig, 0, &size);
        return answer && size == 2 ? answer[1] : -1;
}

const char *rig_frame(Rig *rig, size_t index) {
        static char hex[2 * FRAME_SIZE_MAX + 1];
        size_t size;
        const uint8_t *frame = frame_at(rig, index, &size);

        hex[0] = 0;
        if (frame)
                hex_encode(frame, size, hex);
        return hex;
}

SimIdentity rig_add_contact(Rig *rig, const char *seed, uint8_t path_len) {
        SimIdentity identity = sim_identity_from_text(seed);
        EngineContact contact = {
                        .key = identity.key,
                        .type = NODE_CHAT,
                        .out_path_len = path_len,
                        .lastmod = 1600000000,
        };

        g_strlcpy(contact.name, seed, sizeof(contact.name));
        ck_assert_int_eq(engine_put_contact(rig->engine, &contact), 0);
        return identity;
}

char *rig_text_command(const SimIdentity *to, uint32_t timestamp, const char *text) {
        uint8_t frame[FRAME_SIZE_MAX];
        ByteWriter w;

        writer_init(&w, frame, sizeof(frame));
        writer_u8(&w, CMD_SEND_TXT_MSG);
        writer_u8(&w, TEXT_PLAIN);
        writer_u8(&w, 0);
        writer_u32le(&w, timestamp);
        writer_bytes(&w, to->key.bytes, KEY_PREFIX_SIZE);
        writer_bytes(&w, text, strlen(text));
        return hex_dup(frame, w.size);
}
