/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine-internal.h"

/* The radio's own key: private key out and in, signatures. */

static void disabled(Engine *e) {
        const uint8_t frame[] = {RESP_DISABLED};

        engine_write(e, frame, sizeof(frame));
}

void take_export_key(Engine *e, size_t size) {
        uint8_t reply[1 + PRIVATE_KEY_SIZE] = {RESP_PRIVATE_KEY};

        if (e->private_key_disabled) {
                disabled(e);
                return;
        }

        memcpy(reply + 1, e->identity.private_key, PRIVATE_KEY_SIZE);
        engine_write(e, reply, sizeof(reply));
}

void take_import_key(Engine *e, size_t size) {
        if (e->private_key_disabled) {
                disabled(e);
                return;
        }

        if (sim_identity_from_private(e->cmd + 1, e->traits->checks_keys, &e->identity) < 0) {
                engine_error(e, ERR_ILLEGAL_ARG);
                return;
        }

        engine_ok(e);
        /* What was not yet written is lost with the reload, 3.1. */
        contacts_load(e);
}

void take_sign_start(Engine *e, size_t size) {
        e->out[0] = RESP_SIGN_START;
        e->out[1] = 0;
        put_u32(e->out + 2, SIGN_TOTAL_MAX);
        engine_write_out(e, 6);

        g_free(e->sign_data);
        e->sign_data = g_malloc(SIGN_TOTAL_MAX);
        e->sign_size = 0;
}

void take_sign_data(Engine *e, size_t size) {
        if (!e->sign_data) {
                engine_error(e, ERR_BAD_STATE);
                return;
        }
        if (e->sign_size + size - 1 > SIGN_TOTAL_MAX) {
                engine_error(e, ERR_TABLE_FULL);
                return;
        }

        memcpy(e->sign_data + e->sign_size, e->cmd + 1, size - 1);
        e->sign_size += size - 1;
        engine_ok(e);
}

void take_sign_finish(Engine *e, size_t size) {
        if (!e->sign_data) {
                engine_error(e, ERR_BAD_STATE);
                return;
        }

        sim_sign(&e->identity, (Slice){e->sign_data, e->sign_size}, e->out + 1);
        e->sign_data = (g_free(e->sign_data), NULL);
        e->out[0] = RESP_SIGNATURE;
        engine_write_out(e, 1 + SIGNATURE_SIZE);
}
