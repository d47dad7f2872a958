/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "clock.h"
#include "sha256.h"
#include "store-internal.h"

/* -- rows ------------------------------------------------------------------ */

static void read_conversation(Query *query, Message *message) {
        message->has_peer = query_blob(query, 3, message->peer_prefix, KEY_PREFIX_SIZE);
        message->has_peer_key =
                        message->has_peer && query_blob(query, 4, message->peer.bytes, PUBLIC_KEY_SIZE);
        message->channel = (uint64_t) query_int(query, 5);
}

static void read_content(Query *query, Message *message) {
        Slice data;

        g_free(message->author);
        message->author = query_text(query, 6);
        message->has_author_prefix =
                        query_blob(query, 7, message->author_prefix, sizeof(message->author_prefix));
        g_free(message->text);
        message->text = query_text(query, 8);
        if (!query_is_null(query, 9)) {
                data = query_slice(query, 9);
                message->data = data.size > 0 ? g_memdup2(data.data, data.size) : g_malloc0(1);
                message->data_size = data.size;
        }
        message->data_type = (uint16_t) query_int(query, 10);
}

Message *store_message_from_row(Query *query) {
        const int64_t kind = query_int(query, 1), state = query_int(query, 2);
        Message *message = message_new();

        message->id = (uint64_t) query_int(query, 0);
        message->kind = kind >= 0 && kind < _MESSAGE_KIND_MAX ? (MessageKind) kind : MESSAGE_RAW;
        message->state = state >= 0 && state < _MESSAGE_STATE_MAX ? (MessageState) state : MESSAGE_FAILED;
        read_conversation(query, message);
        read_content(query, message);
        message->sender_timestamp = (uint32_t) query_int(query, 11);
        message->timestamp_usec = (uint64_t) query_int(query, 12);
        message->has_snr = !query_is_null(query, 13);
        message->snr_x4 = (int8_t) query_int(query, 13);
        message->path_len = (uint8_t) query_int(query, 14);
        message->maybe_cut = query_int(query, 15) != 0;
        message->duplicates = (uint64_t) query_int(query, 16);
        message->read = query_int(query, 17) != 0;
        message->attempts = (unsigned) query_int(query, 18);
        message->round_trip_usec = (uint64_t) query_int(query, 19);
        message->uncertain = query_int(query, 20) != 0;
        message->expires_usec = (uint64_t) query_int(query, 21);
        if (!query_is_null(query, 22))
                message->error = query_text(query, 22);
        if (!query_is_null(query, 23)) {
                Slice repeats = query_slice(query, 23);

                message->repeats = g_byte_array_new();
                g_byte_array_append(message->repeats, repeats.data, (guint) repeats.size);
        }
        return message;
}

/* -- duplicates ---------------------------------------------------------- */

int64_t store_digest(const Message *message) {
        const uint8_t kind = (uint8_t) message->kind;
        const Slice parts[] = {
                        {&kind, 1},
                        {message->peer_prefix, message->has_peer ? KEY_PREFIX_SIZE : 0},
                        {(const uint8_t *) &message->channel, sizeof(message->channel)},
                        {(const uint8_t *) &message->sender_timestamp, sizeof(message->sender_timestamp)},
                        {(const uint8_t *) &message->data_type, sizeof(message->data_type)},
                        {message->author_prefix,
                         message->has_author_prefix ? sizeof(message->author_prefix) : 0},
                        {(const uint8_t *) message->author, strlen(message->author) + 1},
                        {(const uint8_t *) message->text, strlen(message->text) + 1},
                        {message->data, message->data_size},
        };
        uint8_t digest[SHA256_SIZE];
        int64_t value;

        sha256(parts, ELEMENTSOF(parts), digest);
        memcpy(&value, digest, sizeof(value));
        return value;
}

#define SAME_HEADER                                                                                 \
        "identity = ?1 AND sender_timestamp = ?2 AND state = 7 AND kind = ?3 AND peer_prefix IS ?4" \
        " AND channel = ?5 AND author = ?6 AND author_prefix IS ?7 AND timestamp_usec BETWEEN ?8 AND ?9"

static void bind_header(Query *query, int64_t identity, const Message *message) {
        const uint64_t at = message->timestamp_usec;

        query_bind_int(query, identity);
        query_bind_int(query, message->sender_timestamp);
        query_bind_int(query, message->kind);
        query_bind_blob(query, message->has_peer ? message->peer_prefix : NULL, KEY_PREFIX_SIZE);
        query_bind_int(query, (int64_t) message->channel);
        query_bind_text(query, message->author);
        query_bind_blob(query, message->has_author_prefix ? message->author_prefix : NULL,
                        sizeof(message->author_prefix));
        /* To both sides: the host's clock may have been set back meanwhile. */
        query_bind_int(query,
                       at > STORE_DUPLICATE_WINDOW_USEC ? (int64_t) (at - STORE_DUPLICATE_WINDOW_USEC) : 0);
        query_bind_int(query, (int64_t) (at + STORE_DUPLICATE_WINDOW_USEC));
}

static int step_to_id(Query *query, uint64_t *ret) {
        int r;

        r = query_step(query);
        if (r > 0)
                *ret = (uint64_t) query_int(query, 0);

        return r;
}

static int find_exact(Store *store, int64_t identity, const Message *message, int64_t digest, uint64_t *ret) {
        g_auto(Query) query =
                        query_begin(store, "SELECT id FROM message INDEXED BY message_received"
                                           " WHERE " SAME_HEADER " AND digest = ?10"
                                           " AND text = ?11 AND data IS ?12 AND data_type = ?13 LIMIT 1");

        bind_header(&query, identity, message);
        query_bind_int(&query, digest);
        query_bind_text(&query, message->text);
        query_bind_blob(&query, message->data, message->data_size);
        query_bind_int(&query, message->data_type);
        return step_to_id(&query, ret);
}

/* An earlier one that may have lost its end, and of which this is the whole. */
static int find_cut(Store *store, int64_t identity, const Message *message, uint64_t *ret) {
        g_auto(Query) query = query_begin(store, "SELECT id FROM message INDEXED BY message_cut"
                                                 " WHERE " SAME_HEADER " AND maybe_cut = 1 AND text <> ''"
                                                 " AND substr(?10, 1, length(text)) = text LIMIT 1");

        bind_header(&query, identity, message);
        query_bind_text(&query, message->text);
        return step_to_id(&query, ret);
}

/* The other way round. */
static int find_whole(Store *store, int64_t identity, const Message *message, uint64_t *ret) {
        g_auto(Query) query = query_begin(store, "SELECT id FROM message INDEXED BY message_received"
                                                 " WHERE " SAME_HEADER
                                                 " AND substr(text, 1, length(?10)) = ?10 LIMIT 1");

        bind_header(&query, identity, message);
        query_bind_text(&query, message->text);
        return step_to_id(&query, ret);
}

int store_find_duplicate(Store *store, int64_t identity, const Message *message, int64_t digest,
                         uint64_t *ret) {
        const bool has_text = message->kind <= MESSAGE_POST && message->text[0] != '\0';
        int r;

        r = find_exact(store, identity, message, digest, ret);
        if (r == 0 && has_text)
                r = find_cut(store, identity, message, ret);
        if (r == 0 && has_text && message->maybe_cut)
                r = find_whole(store, identity, message, ret);

        return r;
}

int store_count_duplicate(Store *store, uint64_t id) {
        g_auto(Query) query =
                        query_begin(store, "UPDATE message SET duplicates = duplicates + 1 WHERE id = ?");

        query_bind_int(&query, (int64_t) id);
        return query_run(&query);
}

/* -- one message ----------------------------------------------------------- */

/* Brings the counters up to this message, the newest one. */
static int count_unread(Store *store, uint64_t id) {
        g_auto(Query) add = query_begin(store, "INSERT INTO unread SELECT identity, ifnull(peer_prefix, x''),"
                                               " ifnull(peer, x''), channel, 1 FROM message WHERE read = 0"
                                               " AND id > (SELECT value FROM meta WHERE name = 'counted')"
                                               " ON CONFLICT (identity, peer_prefix, peer, channel)"
                                               " DO UPDATE SET n = n + 1");
        g_auto(Query) mark = query_begin(store, "UPDATE meta SET value = ? WHERE name = 'counted'");
        int r;

        r = query_run(&add);
        if (r < 0)
                return r;

        query_bind_int(&mark, (int64_t) id);
        return query_run(&mark);
}

int store_add_message(Store *store, int64_t identity, const Message *message, int64_t digest,
                      uint64_t *ret_id) {
        g_auto(Query) query = query_begin(
                        store,
                        "INSERT INTO message (id, identity, digest, kind, state, peer_prefix, peer, channel, "
                        "author,"
                        " author_prefix, text, data, data_type, sender_timestamp, timestamp_usec, snr_x4,"
                        " path_len, maybe_cut, duplicates, read, attempts, round_trip_usec, uncertain,"
                        " expires_usec, error)"
                        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,"
                        " ?)");
        const uint64_t id = store->last_id + 1;
        int r;

        query_bind_int(&query, (int64_t) id);
        query_bind_int(&query, identity);
        query_bind_int(&query, digest);
        query_bind_int(&query, message->kind);
        query_bind_int(&query, message->state);
        query_bind_blob(&query, message->has_peer ? message->peer_prefix : NULL, KEY_PREFIX_SIZE);
        query_bind_key(&query, message->has_peer && message->has_peer_key ? &message->peer : NULL);
        query_bind_int(&query, (int64_t) message->channel);
        query_bind_text(&query, message->author);
        query_bind_blob(&query, message->has_author_prefix ? message->author_prefix : NULL,
                        sizeof(message->author_prefix));
        query_bind_text(&query, message->text);
        query_bind_blob(&query, message->data, message->data_size);
        query_bind_int(&query, message->data_type);
        query_bind_int(&query, message->sender_timestamp);
        query_bind_int(&query, (int64_t) message->timestamp_usec);
        if (message->has_snr)
                query_bind_int(&query, message->snr_x4);
        else
                query_bind_text(&query, NULL);
        query_bind_int(&query, message->path_len);
        query_bind_int(&query, message->maybe_cut);
        query_bind_int(&query, (int64_t) message->duplicates);
        query_bind_int(&query, message->read);
        query_bind_int(&query, message->attempts);
        query_bind_int(&query, (int64_t) message->round_trip_usec);
        query_bind_int(&query, message->uncertain);
        query_bind_int(&query, (int64_t) message->expires_usec);
        query_bind_text(&query, message->error);
        r = query_run(&query);
        if (r < 0)
                return r;

        store->last_id = *ret_id = id;
        return id % STORE_COUNT_EVERY == 0 ? count_unread(store, id) : 0;
}

int store_get_message(Store *store, int64_t identity, uint64_t id, Message **ret) {
        g_auto(Query) query = query_begin(store, "SELECT " STORE_MESSAGE_COLUMNS
                                                 " FROM message WHERE id = ? AND identity = ?");
        int r;

        query_bind_int(&query, (int64_t) id);
        query_bind_int(&query, identity);
        r = query_step(&query);
        if (r > 0)
                *ret = store_message_from_row(&query);

        return r;
}

int store_save_message(Store *store, const Message *message) {
        g_auto(Query) query =
                        query_begin(store, "UPDATE message SET state = ?, sender_timestamp = ?, read = ?,"
                                           " attempts = ?, round_trip_usec = ?, uncertain = ?, error = ?"
                                           " WHERE id = ?");

        query_bind_int(&query, message->state);
        query_bind_int(&query, message->sender_timestamp);
        query_bind_int(&query, message->read);
        query_bind_int(&query, message->attempts);
        query_bind_int(&query, (int64_t) message->round_trip_usec);
        query_bind_int(&query, message->uncertain);
        query_bind_text(&query, message->error);
        query_bind_int(&query, (int64_t) message->id);
        return query_run(&query);
}

int store_save_repeats(Store *store, uint64_t id, const GByteArray *repeats) {
        g_auto(Query) query = query_begin(store, "UPDATE message SET repeats = ? WHERE id = ?");

        query_bind_blob(&query, repeats->data, repeats->len);
        query_bind_int(&query, (int64_t) id);
        return query_run(&query);
}

int store_delete_message(Store *store, uint64_t id) {
        g_auto(Query) query = query_begin(store, "DELETE FROM message WHERE id = ?");

        query_bind_int(&query, (int64_t) id);
        return query_run(&query);
}

/* -- attempts -------------------------------------------------------------- */

/* Those of messages on their way count whatever the clock says: on a machine that begins without one, it
 * jumps over years. */
static int forget_attempts(Store *store, uint64_t now) {
        g_auto(Query) query = query_begin(store, "DELETE FROM attempt WHERE made_usec < ? AND NOT EXISTS"
                                                 " (SELECT 1 FROM message WHERE id = attempt.message"
                                                 " AND state < 3)");

        query_bind_int(&query, now > STORE_ACK_WINDOW_USEC ? (int64_t) (now - STORE_ACK_WINDOW_USEC) : 0);
        return query_run(&query);
}

int store_add_attempt(Store *store, uint64_t message, unsigned number, const uint8_t ack[4]) {
        g_auto(Query) query = {};
        const uint64_t now = clock_realtime_usec();
        int r;

        r = forget_attempts(store, now);
        if (r < 0)
                return r;

        query = query_begin(store, "INSERT OR REPLACE INTO attempt (message, number, ack, made_usec)"
                                   " VALUES (?, ?, ?, ?)");
        query_bind_int(&query, (int64_t) message);
        query_bind_int(&query, number);
        query_bind_blob(&query, ack, 4);
        query_bind_int(&query, (int64_t) now);
        return query_run(&query);
}

int store_find_attempt(Store *store, int64_t identity, const uint8_t ack[4], uint64_t *ret) {
        g_auto(Query) query = query_begin(store, "SELECT a.message FROM attempt AS a JOIN message AS m"
                                                 " ON m.id = a.message WHERE a.ack = ?"
                                                 " AND (a.made_usec >= ? OR m.state < 3)"
                                                 " AND m.identity = ? ORDER BY a.message DESC LIMIT 1");
        const uint64_t now = clock_realtime_usec();

        query_bind_blob(&query, ack, 4);
        query_bind_int(&query, now > STORE_ACK_WINDOW_USEC ? (int64_t) (now - STORE_ACK_WINDOW_USEC) : 0);
        query_bind_int(&query, identity);
        return step_to_id(&query, ret);
}

/* -- tokens ---------------------------------------------------------------- */

static uint64_t token_horizon(uint64_t now) {
        return now > STORE_TOKEN_WINDOW_USEC ? now - STORE_TOKEN_WINDOW_USEC : 0;
}

int store_find_token(Store *store, int64_t identity, uint32_t uid, const char *token, uint64_t now,
                     uint64_t *ret) {
        g_auto(Query) query = query_begin(store, "SELECT message FROM token WHERE identity = ? AND uid = ?"
                                                 " AND token = ? AND made_usec > ?");

        query_bind_int(&query, identity);
        query_bind_int(&query, uid);
        query_bind_text(&query, token);
        query_bind_int(&query, (int64_t) token_horizon(now));
        return step_to_id(&query, ret);
}

static int forget_tokens(Store *store, uint32_t uid, uint64_t now) {
        g_auto(Query) old = query_begin(store, "DELETE FROM token WHERE made_usec <= ?");
        g_auto(Query) many =
                        query_begin(store, "DELETE FROM token WHERE id IN (SELECT id FROM token WHERE uid = ?"
                                           " ORDER BY id DESC LIMIT -1 OFFSET ?)");
        int r;

        query_bind_int(&old, (int64_t) token_horizon(now));
        r = query_run(&old);
        if (r < 0)
                return r;

        query_bind_int(&many, uid);
        query_bind_int(&many, IDENTITY_TOKENS_PER_UID - 1);
        return query_run(&many);
}

int store_add_token(Store *store, int64_t identity, uint32_t uid, const char *token, uint64_t now,
                    uint64_t message) {
        g_auto(Query) query = {};
        int r;

        r = forget_tokens(store, uid, now);
        if (r < 0)
                return r;

        query = query_begin(store, "INSERT OR REPLACE INTO token (identity, uid, token, made_usec, message)"
                                   " VALUES (?, ?, ?, ?, ?)");
        query_bind_int(&query, identity);
        query_bind_int(&query, uid);
        query_bind_text(&query, token);
        query_bind_int(&query, (int64_t) now);
        query_bind_int(&query, (int64_t) message);
        return query_run(&query);
}
