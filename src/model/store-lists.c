/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "clock.h"
#include "store-internal.h"

/* Every walk follows one index from the id on, whatever SQLite's planner
 * would think of a table it has no statistics of. Rarely used conditions are
 * looked at row by row, in a column behind the message's own: so that the
 * caller can stop after so many rows and knows where. */
#define MATCHES                                                                                   \
        "(?5 < 0 OR state = ?5) AND (?6 < 0 OR kind = ?6) AND (?7 = 0 OR (state = 7) = (?7 = 1))" \
        " AND (?8 = 0 OR timestamp_usec >= ?8) AND (?9 = 0 OR timestamp_usec < ?9)"               \
        " AND (?10 IS NULL OR instr(lower(text), lower(?10)) > 0)"
#define MATCHES_COLUMN     STORE_MESSAGE_N_COLUMNS /* the one after them */
#define IN_PEER            "peer_prefix = ?2 AND channel = 0 AND (peer IS NULL OR peer = ?3)"
#define IN_CHANNEL         "peer_prefix IS NULL AND channel = ?2"
#define FROM(match, where) "SELECT " STORE_MESSAGE_COLUMNS ", " match " FROM message INDEXED BY " where
#define OLDER              " AND id < ?4 ORDER BY id DESC"
#define NEWER              " AND id > ?4 ORDER BY id ASC"
#define BOTH(match, where) \
        { FROM(match, where) OLDER, FROM(match, where) NEWER }

typedef enum Walk {
        WALK_ALL,
        WALK_OWN,
        WALK_UNREAD,
        WALK_PEER,
        WALK_PEER_UNREAD,
        WALK_CHANNEL,
        WALK_CHANNEL_UNREAD,
        _WALK_MAX,
} Walk;

static const char *const walks[_WALK_MAX][2] = {
                [WALK_ALL] = BOTH(MATCHES, "message_identity WHERE identity = ?1"),
                [WALK_OWN] = BOTH(MATCHES, "message_own WHERE identity = ?1 AND state <> 7"),
                [WALK_UNREAD] = BOTH(MATCHES, "message_unread WHERE identity = ?1 AND read = 0"),
                [WALK_PEER] = BOTH(MATCHES, "message_peer WHERE identity = ?1 AND peer_prefix = ?2"
                                            " AND (peer IS NULL OR peer = ?3)"),
                [WALK_PEER_UNREAD] = BOTH(IN_PEER " AND " MATCHES,
                                          "message_unread WHERE identity = ?1 AND read = 0"),
                [WALK_CHANNEL] = BOTH(MATCHES, "message_channel WHERE channel = ?2 AND channel <> 0"
                                               " AND identity = ?1"),
                [WALK_CHANNEL_UNREAD] = BOTH(IN_CHANNEL " AND " MATCHES,
                                             "message_unread WHERE identity = ?1 AND read = 0"),
};

static Walk choose_walk(const MessageFilter *filter) {
        if (filter->peer)
                return filter->unread_only ? WALK_PEER_UNREAD : WALK_PEER;
        if (filter->channel != 0)
                return filter->unread_only ? WALK_CHANNEL_UNREAD : WALK_CHANNEL;
        if (filter->unread_only)
                return WALK_UNREAD;
        if (filter->direction == 2 || (filter->state >= 0 && filter->state != MESSAGE_RECEIVED))
                return WALK_OWN;
        return WALK_ALL;
}

static void bind_filter(Query *query, int64_t identity, const MessageFilter *filter, uint64_t from) {
        query_bind_int(query, identity);
        if (filter->peer)
                query_bind_blob(query, filter->peer->bytes, KEY_PREFIX_SIZE);
        else
                query_bind_int(query, (int64_t) filter->channel);
        query_bind_key(query, filter->peer);
        query_bind_int(query, (int64_t) MIN(from, (uint64_t) INT64_MAX));
        query_bind_int(query, filter->state);
        query_bind_int(query, filter->kind);
        query_bind_int(query, filter->direction);
        query_bind_int(query, (int64_t) MIN(filter->since_usec, (uint64_t) INT64_MAX));
        query_bind_int(query, (int64_t) MIN(filter->until_usec, (uint64_t) INT64_MAX));
        query_bind_text(query, filter->text);
}

/* How long a walk that may stop goes on, and after how many rows it looks at the clock: from a slow card, or
 * with long texts, a row may take a hundred times of what it usually takes. */
#define WALK_USEC 4000
#define WALK_ROWS 32

int store_list_messages(Store *store, int64_t identity, const MessageFilter *filter, uint64_t from,
                        bool newer, size_t limit, size_t max_rows, uint64_t *ret_next, GPtrArray *to) {
        g_auto(Query) query = query_begin(store, walks[choose_walk(filter)][newer]);
        const uint64_t until = max_rows < SIZE_MAX ? clock_boottime_usec() + WALK_USEC : UINT64_MAX;
        uint64_t next = 0;
        int r = 0;

        if (from == 0 && !newer)
                from = INT64_MAX;
        bind_filter(&query, identity, filter, from);

        for (size_t rows = 0; rows < max_rows && to->len < limit; rows++) {
                if (rows > 0 && rows % WALK_ROWS == 0 && clock_boottime_usec() >= until)
                        break;
                r = query_step(&query);
                if (r <= 0)
                        break;

                next = (uint64_t) query_int(&query, 0);
                if (query_int(&query, MATCHES_COLUMN))
                        g_ptr_array_add(to, store_message_from_row(&query));
        }
        if (r < 0)
                return r;

        /* Without a row there is nothing to go on from. */
        *ret_next = r > 0 ? next : 0;
        return 0;
}

static int collect_ids(Query *query, GArray *to) {
        int r;

        while ((r = query_step(query)) > 0) {
                uint64_t id = (uint64_t) query_int(query, 0);

                g_array_append_val(to, id);
        }

        return r;
}

int store_list_open(Store *store, int64_t identity, size_t limit, GArray *to) {
        g_auto(Query) query =
                        query_begin(store, "SELECT id FROM message INDEXED BY message_open WHERE identity = ?"
                                           " AND (state < 2 OR (state = 2 AND channel = 0))"
                                           " ORDER BY id ASC LIMIT ?");

        query_bind_int(&query, identity);
        query_bind_int(&query, (int64_t) MIN(limit, (size_t) G_MAXINT32));
        return collect_ids(&query, to);
}

int store_list_unread(Store *store, int64_t identity, size_t limit, GArray *to) {
        g_auto(Query) query = query_begin(store, "SELECT id FROM message INDEXED BY message_unread"
                                                 " WHERE identity = ? AND read = 0 ORDER BY id DESC LIMIT ?");

        query_bind_int(&query, identity);
        query_bind_int(&query, (int64_t) MIN(limit, (size_t) G_MAXINT32));
        return collect_ids(&query, to);
}

int store_last_message(Store *store, int64_t identity, uint64_t *ret) {
        g_auto(Query) query = query_begin(store, "SELECT id FROM message INDEXED BY message_identity"
                                                 " WHERE identity = ? ORDER BY id DESC LIMIT 1");
        int r;

        query_bind_int(&query, identity);
        r = query_step(&query);
        if (r < 0)
                return r;

        *ret = r > 0 ? (uint64_t) query_int(&query, 0) : 0;
        return 0;
}

int store_nth_newest(Store *store, int64_t identity, uint64_t n, uint64_t *ret) {
        g_auto(Query) query = query_begin(store, "SELECT id FROM message INDEXED BY message_identity"
                                                 " WHERE identity = ? ORDER BY id DESC LIMIT 1 OFFSET ?");
        int r;

        query_bind_int(&query, identity);
        query_bind_int(&query, (int64_t) MIN(n, (uint64_t) INT64_MAX));
        r = query_step(&query);
        if (r < 0)
                return r;

        *ret = r > 0 ? (uint64_t) query_int(&query, 0) : 0;
        return 0;
}

int store_has_peer_messages(Store *store, int64_t identity, const PublicKey *peer) {
        g_auto(Query) query =
                        query_begin(store, "SELECT 1 FROM message INDEXED BY message_peer WHERE identity = ?"
                                           " AND peer_prefix = ? AND (peer IS NULL OR peer = ?) LIMIT 1");

        query_bind_int(&query, identity);
        query_bind_blob(&query, peer->bytes, KEY_PREFIX_SIZE);
        query_bind_key(&query, peer);
        return query_step(&query);
}

int store_has_channel_messages(Store *store, uint64_t channel) {
        g_auto(Query) query = query_begin(store, "SELECT 1 FROM message INDEXED BY message_channel"
                                                 " WHERE channel = ? AND channel <> 0 LIMIT 1");

        query_bind_int(&query, (int64_t) channel);
        return query_step(&query);
}

/* Unread messages of identity ?1 that the counters do not know yet. */
#define UNCOUNTED "identity = ?1 AND read = 0 AND id > (SELECT value FROM meta WHERE name = 'counted')"

int store_count_peer_unread(Store *store, int64_t identity, const PublicKey *peer, uint64_t *ret) {
        g_auto(Query) query = query_begin(
                        store, "SELECT (SELECT ifnull(sum(n), 0) FROM unread WHERE identity = ?1"
                               " AND peer_prefix = ?2 AND peer IN (x'', ?3))"
                               " + (SELECT count(*) FROM message INDEXED BY message_unread WHERE " UNCOUNTED
                               " AND peer_prefix = ?2 AND (peer IS NULL OR peer = ?3))");
        int r;

        query_bind_int(&query, identity);
        query_bind_blob(&query, peer->bytes, KEY_PREFIX_SIZE);
        query_bind_key(&query, peer);
        r = query_step(&query);
        if (r < 0)
                return r;

        *ret = (uint64_t) query_int(&query, 0);
        return 0;
}

int store_load_unread(Store *store, int64_t identity, store_unread_t take, void *userdata) {
        g_auto(Query) query = query_begin(
                        store,
                        "SELECT peer_prefix, peer, channel, n FROM unread WHERE identity = ?1 UNION ALL"
                        " SELECT ifnull(peer_prefix, x''), ifnull(peer, x''), channel, 1"
                        " FROM message INDEXED BY message_unread WHERE " UNCOUNTED);
        int r;

        query_bind_int(&query, identity);
        while ((r = query_step(&query)) > 0) {
                uint8_t prefix[KEY_PREFIX_SIZE] = {};
                const bool has_prefix = query_blob(&query, 0, prefix, sizeof(prefix));
                PublicKey key;
                const bool has_key = query_blob(&query, 1, key.bytes, PUBLIC_KEY_SIZE);
                const int64_t n = query_int(&query, 3);

                take(has_prefix ? prefix : NULL, has_key ? &key : NULL, (uint64_t) query_int(&query, 2),
                     n > 0 ? (uint64_t) n : 0, userdata);
        }

        return r;
}
