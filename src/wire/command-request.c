/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Commands that ask another node something; the answer comes later, as a push. */

#include "command-internal.h"
#include "macros.h"

int command_send_login(Command *ret, const PublicKey *key, const char *password) {
        size_t size = strlen(password);
        Draft draft;

        if (size > PASSWORD_SIZE_MAX)
                return -EMSGSIZE;

        draft_begin(&draft, CMD_SEND_LOGIN);
        writer_bytes(&draft.w, key->bytes, sizeof(key->bytes));
        writer_bytes(&draft.w, password, size);
        return draft_finish(&draft, ret);
}

int command_logout(Command *ret, const PublicKey *key) {
        return command_key(ret, CMD_LOGOUT, 0, key);
}

int command_has_connection(Command *ret, const PublicKey *key) {
        return command_key(ret, CMD_HAS_CONNECTION, 0, key);
}

int command_send_status_req(Command *ret, const PublicKey *key) {
        return command_key(ret, CMD_SEND_STATUS_REQ, 0, key);
}

int command_get_self_telemetry(Command *ret) {
        Draft draft;

        draft_begin(&draft, CMD_SEND_TELEMETRY_REQ);
        writer_zeroes(&draft.w, 3);
        return draft_finish(&draft, ret);
}

int command_send_telemetry_req(Command *ret, const PublicKey *key) {
        return command_key(ret, CMD_SEND_TELEMETRY_REQ, 3, key);
}

int command_send_path_discovery_req(Command *ret, const PublicKey *key) {
        return command_key(ret, CMD_SEND_PATH_DISCOVERY_REQ, 1, key);
}

int command_send_trace_path(Command *ret, uint32_t tag, uint32_t auth, uint8_t hash_size_log2, Slice path) {
        size_t hash_size;
        Draft draft;

        if (hash_size_log2 > 3)
                return -EINVAL;

        hash_size = (size_t) 1 << hash_size_log2;
        if (path.size == 0 || path.size % hash_size != 0 || path.size / hash_size > TRACE_HOPS_MAX)
                return -EINVAL;

        draft_begin(&draft, CMD_SEND_TRACE_PATH);
        writer_u32le(&draft.w, tag);
        writer_u32le(&draft.w, auth);
        writer_u8(&draft.w, hash_size_log2);
        draft_slice(&draft, path);
        return draft_finish(&draft, ret);
}

int command_send_binary_req(Command *ret, const PublicKey *key, uint8_t type, Slice params) {
        Draft draft;

        draft_begin(&draft, CMD_SEND_BINARY_REQ);
        writer_bytes(&draft.w, key->bytes, sizeof(key->bytes));
        writer_u8(&draft.w, type);
        draft_slice(&draft, params);
        return draft_finish(&draft, ret);
}

/* The parameters of a request; the longest are those of BINARY_NEIGHBOURS and BINARY_MMA. */
typedef struct Params {
        uint8_t data[16];
        ByteWriter w;
} Params;

static void params_begin(Params *params) {
        writer_init(&params->w, params->data, sizeof(params->data));
}

static int params_send(const Params *params, Command *ret, const PublicKey *key, BinaryRequestType type) {
        return command_send_binary_req(ret, key, (uint8_t) type, (Slice){params->data, params->w.size});
}

int command_request_keep_alive(Command *ret, const PublicKey *key, uint32_t since) {
        Params params;

        params_begin(&params);
        writer_u32le(&params.w, since);
        return params_send(&params, ret, key, BINARY_KEEP_ALIVE);
}

int command_request_telemetry(Command *ret, const PublicKey *key, uint8_t permission_mask, uint32_t random) {
        Params params;

        params_begin(&params);
        writer_u8(&params.w, (uint8_t) ~permission_mask);
        writer_zeroes(&params.w, 3);
        writer_u32le(&params.w, random);
        return params_send(&params, ret, key, BINARY_TELEMETRY);
}

int command_request_mma(Command *ret, const PublicKey *key, uint32_t start_secs_ago, uint32_t end_secs_ago) {
        Params params;

        if (start_secs_ago < end_secs_ago)
                return -EINVAL;

        params_begin(&params);
        writer_u32le(&params.w, start_secs_ago);
        writer_u32le(&params.w, end_secs_ago);
        writer_zeroes(&params.w, 2);
        return params_send(&params, ret, key, BINARY_MMA);
}

int command_request_access_list(Command *ret, const PublicKey *key) {
        Params params;

        params_begin(&params);
        writer_zeroes(&params.w, 2);
        return params_send(&params, ret, key, BINARY_ACCESS_LIST);
}

int command_request_neighbours(Command *ret, const PublicKey *key, const NeighboursQuery *query) {
        Params params;

        if (query->count == 0 || query->order < 0 || query->order >= _NEIGHBOUR_ORDER_MAX ||
            query->prefix_length < 1 || query->prefix_length > PUBLIC_KEY_SIZE)
                return -EINVAL;

        params_begin(&params);
        writer_u8(&params.w, 0); /* version of the request */
        writer_u8(&params.w, query->count);
        writer_u16le(&params.w, query->offset);
        writer_u8(&params.w, (uint8_t) query->order);
        writer_u8(&params.w, query->prefix_length);
        writer_u32le(&params.w, query->random);
        return params_send(&params, ret, key, BINARY_NEIGHBOURS);
}

int command_send_anon_req(Command *ret, const PublicKey *key, AnonRequestType type, const Path *out_path) {
        uint8_t way_back[PATH_SIZE_MAX];
        Draft draft;

        if (type < ANON_REGIONS || type > ANON_BASIC || !out_path->known ||
            out_path->hashes.size != path_size(out_path))
                return -EINVAL;

        path_reverse(out_path, way_back);

        draft_begin(&draft, CMD_SEND_ANON_REQ);
        writer_bytes(&draft.w, key->bytes, sizeof(key->bytes));
        writer_u8(&draft.w, (uint8_t) type);
        writer_u8(&draft.w, out_path->length);
        writer_bytes(&draft.w, way_back, path_size(out_path));
        return draft_finish(&draft, ret);
}
