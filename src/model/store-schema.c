/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "events.h"
#include "hex.h"
#include "log.h"
#include "store-internal.h"

/* Rows are found by indexes that end, as every index does, in the id, so that
 * a page of any conversation is one walk. The counters of "unread" are kept
 * by triggers: whatever changes a message, they are right, and the start need
 * not count a long history.
 *
 * A message that came from a prefix has a NULL peer. It belongs to every
 * contact with that prefix, so it is part of the conversation as soon as the
 * contact appears; nothing has to be rewritten then. */
static const char step_0[] =
                "CREATE TABLE meta (name TEXT PRIMARY KEY, value ANY) STRICT, WITHOUT ROWID;"
                "INSERT INTO meta VALUES ('history', lower(hex(randomblob(16)))), ('failed-commits', 0);"

                "CREATE TABLE identity ("
                " id INTEGER PRIMARY KEY,"
                " key BLOB NOT NULL UNIQUE,"
                " last_timestamp INTEGER NOT NULL,"
                " contacts_since INTEGER NOT NULL,"
                " contacts_radio_count INTEGER NOT NULL"
                ") STRICT;"

                "CREATE TABLE radio ("
                " slot TEXT PRIMARY KEY,"
                " key BLOB NOT NULL"
                ") STRICT, WITHOUT ROWID;"

                "CREATE TABLE contact ("
                " identity INTEGER NOT NULL,"
                " key BLOB NOT NULL,"
                " type INTEGER NOT NULL,"
                " flags INTEGER NOT NULL,"
                " on_radio INTEGER NOT NULL,"
                " path_len INTEGER NOT NULL,"
                " path BLOB NOT NULL," /* without the zeroes at its end */
                " name TEXT NOT NULL,"
                " lat_e6 INTEGER NOT NULL,"
                " lon_e6 INTEGER NOT NULL,"
                " last_advert INTEGER NOT NULL,"
                " lastmod INTEGER NOT NULL,"
                " last_heard_usec INTEGER NOT NULL,"
                " PRIMARY KEY (identity, key)"
                ") STRICT, WITHOUT ROWID;"

                "CREATE TABLE channel ("
                " id INTEGER PRIMARY KEY,"
                " identity INTEGER NOT NULL,"
                " secret BLOB NOT NULL,"
                " name TEXT NOT NULL,"
                " kind INTEGER NOT NULL,"
                " UNIQUE (identity, secret)"
                ") STRICT;"

                "CREATE TABLE channel_slot ("
                " identity INTEGER NOT NULL,"
                " slot INTEGER NOT NULL,"
                " channel INTEGER NOT NULL,"
                " PRIMARY KEY (identity, slot)"
                ") STRICT, WITHOUT ROWID;"

                "CREATE TABLE message ("
                " id INTEGER PRIMARY KEY AUTOINCREMENT,"
                " identity INTEGER NOT NULL,"
                " kind INTEGER NOT NULL,"
                " state INTEGER NOT NULL,"
                " peer_prefix BLOB,"
                " peer BLOB,"
                " channel INTEGER NOT NULL," /* 0: none */
                " author TEXT NOT NULL,"
                " author_prefix BLOB,"
                " text TEXT NOT NULL,"
                " data BLOB,"
                " data_type INTEGER NOT NULL,"
                " sender_timestamp INTEGER NOT NULL,"
                " timestamp_usec INTEGER NOT NULL,"
                " snr_x4 INTEGER,"
                " path_len INTEGER NOT NULL,"
                " maybe_cut INTEGER NOT NULL,"
                " duplicates INTEGER NOT NULL,"
                " read INTEGER NOT NULL,"
                " attempts INTEGER NOT NULL,"
                " round_trip_usec INTEGER NOT NULL,"
                " uncertain INTEGER NOT NULL,"
                " expires_usec INTEGER NOT NULL,"
                " error TEXT,"
                " digest INTEGER NOT NULL" /* of all that makes two receptions the same message */
                ") STRICT;"
                "CREATE INDEX message_identity ON message (identity);"
                "CREATE INDEX message_peer ON message (identity, peer_prefix) WHERE peer_prefix IS NOT NULL;"
                "CREATE INDEX message_channel ON message (channel) WHERE channel <> 0;"
                "CREATE INDEX message_own ON message (identity) WHERE state <> 7;"
                "CREATE INDEX message_open ON message (identity)"
                " WHERE state < 2 OR (state = 2 AND channel = 0);"
                "CREATE INDEX message_unread ON message (identity) WHERE read = 0;"
                "CREATE INDEX message_unread_in ON message (identity, peer_prefix, channel) WHERE read = 0;"
                "CREATE INDEX message_received ON message (identity, sender_timestamp, maybe_cut, digest)"
                " WHERE state = 7;"

                "CREATE TABLE unread ("
                " identity INTEGER NOT NULL,"
                " peer_prefix BLOB NOT NULL," /* x'': none */
                " peer BLOB NOT NULL,"        /* x'': only the prefix is known */
                " channel INTEGER NOT NULL,"
                " n INTEGER NOT NULL,"
                " PRIMARY KEY (identity, peer_prefix, peer, channel)"
                ") STRICT, WITHOUT ROWID;"
                "CREATE TRIGGER message_added AFTER INSERT ON message WHEN NEW.read = 0 BEGIN"
                " INSERT INTO unread VALUES (NEW.identity, ifnull(NEW.peer_prefix, x''), ifnull(NEW.peer, "
                "x''),"
                "  NEW.channel, 1)"
                "  ON CONFLICT (identity, peer_prefix, peer, channel) DO UPDATE SET n = n + 1;"
                "END;"
                "CREATE TRIGGER message_read AFTER UPDATE OF read ON message WHEN OLD.read = 0 AND NEW.read "
                "<> 0 BEGIN"
                " UPDATE unread SET n = n - 1 WHERE identity = OLD.identity"
                "  AND peer_prefix = ifnull(OLD.peer_prefix, x'') AND peer = ifnull(OLD.peer, x'')"
                "  AND channel = OLD.channel;"
                "END;"
                "CREATE TRIGGER message_unread AFTER UPDATE OF read ON message WHEN OLD.read <> 0 AND "
                "NEW.read = 0 BEGIN"
                " INSERT INTO unread VALUES (NEW.identity, ifnull(NEW.peer_prefix, x''), ifnull(NEW.peer, "
                "x''),"
                "  NEW.channel, 1)"
                "  ON CONFLICT (identity, peer_prefix, peer, channel) DO UPDATE SET n = n + 1;"
                "END;"
                "CREATE TRIGGER message_deleted_unread AFTER DELETE ON message WHEN OLD.read = 0 BEGIN"
                " UPDATE unread SET n = n - 1 WHERE identity = OLD.identity"
                "  AND peer_prefix = ifnull(OLD.peer_prefix, x'') AND peer = ifnull(OLD.peer, x'')"
                "  AND channel = OLD.channel;"
                "END;"
                "CREATE TRIGGER unread_none AFTER UPDATE OF n ON unread WHEN NEW.n <= 0 BEGIN"
                " DELETE FROM unread WHERE identity = NEW.identity AND peer_prefix = NEW.peer_prefix"
                "  AND peer = NEW.peer AND channel = NEW.channel;"
                "END;"

                "CREATE TABLE attempt ("
                " message INTEGER NOT NULL,"
                " number INTEGER NOT NULL,"
                " ack BLOB NOT NULL,"
                " made_usec INTEGER NOT NULL,"
                " PRIMARY KEY (message, number)"
                ") STRICT, WITHOUT ROWID;"
                "CREATE INDEX attempt_ack ON attempt (ack);"
                "CREATE INDEX attempt_made ON attempt (made_usec);"
                "CREATE TRIGGER message_deleted_attempts AFTER DELETE ON message WHEN OLD.state <> 7 BEGIN"
                " DELETE FROM attempt WHERE message = OLD.id;"
                "END;"

                "CREATE TABLE token ("
                " id INTEGER PRIMARY KEY,"
                " identity INTEGER NOT NULL,"
                " uid INTEGER NOT NULL,"
                " token TEXT NOT NULL,"
                " made_usec INTEGER NOT NULL,"
                " message INTEGER NOT NULL,"
                " UNIQUE (identity, uid, token)"
                ") STRICT;"
                "CREATE INDEX token_uid ON token (uid);"
                "CREATE INDEX token_made ON token (made_usec);";

/* What only the address book knows of a contact, and the adverts of nodes that
 * are none. */
static const char step_1[] =
                "ALTER TABLE contact ADD COLUMN removed_elsewhere INTEGER NOT NULL DEFAULT 0;"
                "ALTER TABLE contact ADD COLUMN set_path_len INTEGER NOT NULL DEFAULT 255;"
                "ALTER TABLE contact ADD COLUMN set_path BLOB NOT NULL DEFAULT x'';" /* as path */
                "ALTER TABLE contact ADD COLUMN path_displaced INTEGER NOT NULL DEFAULT 0;"

                "CREATE TABLE pending ("
                " identity INTEGER NOT NULL,"
                " key BLOB NOT NULL,"
                " type INTEGER NOT NULL,"
                " name TEXT NOT NULL,"
                " lat_e6 INTEGER NOT NULL,"
                " lon_e6 INTEGER NOT NULL,"
                " last_advert INTEGER NOT NULL,"
                " last_heard_usec INTEGER NOT NULL,"
                " PRIMARY KEY (identity, key)"
                ") STRICT, WITHOUT ROWID;";

/* Every index that a received message is in is one more page in the log for each of them. What is unread
 * in one conversation is found among all that is unread. Texts that may be cut are rare, and have an index
 * of their own, so that the look for a duplicate takes one place and not two. */
#define UNREAD_OF_OLD                                                             \
        " identity = OLD.identity AND peer_prefix = ifnull(OLD.peer_prefix, x'')" \
        " AND peer = ifnull(OLD.peer, x'') AND channel = OLD.channel"
#define LESS_UNREAD                                            \
        " UPDATE unread SET n = n - 1 WHERE" UNREAD_OF_OLD ";" \
        " DELETE FROM unread WHERE" UNREAD_OF_OLD " AND n <= 0;"
static const char step_2[] =
                "DROP INDEX message_unread_in;"
                "DROP INDEX message_received;"
                "CREATE INDEX message_received ON message (identity, sender_timestamp, digest)"
                " WHERE state = 7;"
                "CREATE INDEX message_cut ON message (identity, sender_timestamp)"
                " WHERE state = 7 AND maybe_cut = 1;"

                /* store_add_message() counts what it adds: a statement that fires a trigger copies every page
                 * that it changes, in order to undo half of itself. */
                "DROP TRIGGER message_added;"
                "DROP TRIGGER unread_none;"
                "DROP TRIGGER message_read;"
                "DROP TRIGGER message_deleted_unread;"
                "CREATE TRIGGER message_read AFTER UPDATE OF read ON message WHEN OLD.read = 0 AND NEW.read "
                "<> 0 BEGIN" LESS_UNREAD "END;"
                "CREATE TRIGGER message_deleted_unread AFTER DELETE ON message WHEN OLD.read = 0 "
                "BEGIN" LESS_UNREAD "END;";

static const char step_3[] = "ALTER TABLE message ADD COLUMN repeats BLOB;"; /* NULL: none */

static const char step_4[] = "ALTER TABLE contact ADD COLUMN path_lent INTEGER NOT NULL DEFAULT 0;";

/* Two pages less in the log for each received message.
 *
 * AUTOINCREMENT writes the last id with every message. The id is given by store_add_message() now, above all
 * that are there, and the last one is noted only when it is deleted: no id is used twice all the same. The
 * keyword is taken out of the text of the table as SQLite's documentation of ALTER TABLE says for a change
 * that leaves the rows as they are; a new table would be a copy of the whole history.
 *
 * The counters of "unread" are those of the messages up to the id 'counted'; what came after it is counted by
 * its rows, at most STORE_COUNT_EVERY of them. */
#define COUNTED "(SELECT value FROM meta WHERE name = 'counted')"
static const char step_5[] =
                "INSERT INTO meta SELECT 'last-id', max(ifnull((SELECT max(id) FROM message), 0),"
                " ifnull((SELECT max(seq) FROM sqlite_sequence WHERE name = 'message'), 0));"
                "INSERT INTO meta SELECT 'counted', value FROM meta WHERE name = 'last-id';"
                "PRAGMA writable_schema = ON;"
                "UPDATE sqlite_schema SET sql = replace(sql, ' AUTOINCREMENT', '')"
                " WHERE type = 'table' AND name = 'message';"
                "PRAGMA writable_schema = RESET;"

                "CREATE TRIGGER message_deleted_last AFTER DELETE ON message"
                " WHEN NOT EXISTS (SELECT 1 FROM message WHERE id > OLD.id) BEGIN"
                " UPDATE meta SET value = max(value, OLD.id) WHERE name = 'last-id';"
                "END;"
                "DROP TRIGGER message_read;"
                "DROP TRIGGER message_unread;"
                "DROP TRIGGER message_deleted_unread;"
                "CREATE TRIGGER message_read AFTER UPDATE OF read ON message WHEN OLD.read = 0"
                " AND NEW.read <> 0 AND OLD.id <= " COUNTED " BEGIN" LESS_UNREAD "END;"
                "CREATE TRIGGER message_unread AFTER UPDATE OF read ON message WHEN OLD.read <> 0"
                " AND NEW.read = 0 AND OLD.id <= " COUNTED " BEGIN"
                " INSERT INTO unread VALUES (NEW.identity, ifnull(NEW.peer_prefix, x''),"
                "  ifnull(NEW.peer, x''), NEW.channel, 1)"
                "  ON CONFLICT (identity, peer_prefix, peer, channel) DO UPDATE SET n = n + 1;"
                "END;"
                "CREATE TRIGGER message_deleted_unread AFTER DELETE ON message WHEN OLD.read = 0"
                " AND OLD.id <= " COUNTED " BEGIN" LESS_UNREAD "END;";

const char *const store_schema_steps[] = {
                step_0, step_1, step_2, step_3, step_4, step_5,
};

const int store_schema_version = ELEMENTSOF(store_schema_steps);

static int get_version(Store *store, int *ret) {
        g_auto(Query) query = query_begin(store, "PRAGMA user_version");
        int r;

        r = query_step(&query);
        if (r < 0)
                return r;

        *ret = (int) query_int(&query, 0);
        return 0;
}

static int migrate_step(Store *store, int from) {
        g_autofree char *mark = g_strdup_printf("PRAGMA application_id = %i; PRAGMA user_version = %i;",
                                                STORE_APPLICATION_ID, from + 1);
        int r;

        r = store_begin(store);
        if (r < 0)
                return r;

        /* A step may change the text of the schema; nobody else's SQL runs here. */
        (void) sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 0, NULL);
        r = store_exec(store, store_schema_steps[from]);
        (void) sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
        if (r >= 0)
                r = store_exec(store, mark);
        if (r >= 0)
                r = store_commit(store);
        if (r < 0)
                store_rollback(store);

        return r;
}

int store_schema_check_version(Store *store) {
        int version = 0, r;

        r = get_version(store, &version);
        if (r < 0)
                return r;
        if (version > store_schema_version) {
                (void) log_full(&(LogContext){.topic = "store", .id = EVENT_STORE_NEWER}, LOG_ERR, 0,
                                __FILE__, __LINE__,
                                "Store %s was made by a newer version of meshcored (its schema is %i, ours "
                                "%i); "
                                "it is left as it is",
                                store->path, version, store_schema_version);
                return -EPROTONOSUPPORT;
        }
        if (version < 0)
                return store_fail_damaged(store, "the schema version makes no sense");

        return 0;
}

int store_schema_migrate(Store *store) {
        int version = 0, r;

        r = get_version(store, &version);
        if (r < 0)
                return r;

        for (; version < store_schema_version; version++) {
                r = migrate_step(store, version);
                if (r < 0)
                        return r;
                log_debug("Store %s: schema %i", store->path, version + 1);
        }

        return 0;
}

static int verify_history(Store *store) {
        g_auto(Query) query = query_begin(store, "SELECT value FROM meta WHERE name = 'history'");
        g_autofree char *id = NULL;
        uint8_t bytes[16];
        int r;

        r = query_step(&query);
        if (r < 0)
                return r;
        if (r == 0)
                return store_fail_damaged(store, "the history has no id");

        id = query_text(&query, 0);
        if (strlen(id) != 32 || hex_decode(id, 32, bytes, sizeof(bytes)) < 0)
                return store_fail_damaged(store, "the id of the history makes no sense");

        memcpy(store->history_id, id, sizeof(store->history_id));
        return 0;
}

static int verify_last_row(Store *store) {
        g_auto(Query) query = query_begin(store, "SELECT " STORE_MESSAGE_COLUMNS
                                                 " FROM message ORDER BY id DESC LIMIT 1");
        g_autoptr(Message) message = NULL;
        int r;

        r = query_step(&query);
        if (r <= 0)
                return r;

        message = store_message_from_row(&query);
        return 0;
}

static int verify_last_id(Store *store) {
        g_auto(Query) query = query_begin(store, "SELECT max(ifnull((SELECT max(id) FROM message), 0),"
                                                 " (SELECT CAST(value AS INTEGER) FROM meta"
                                                 "  WHERE name = 'last-id'))");
        int64_t last;
        int r;

        r = query_step(&query);
        if (r < 0)
                return r;

        last = query_int(&query, 0);
        if (query_is_null(&query, 0) || last > STORE_ID_MAX)
                return store_fail_damaged(store, "the last id of a message makes no sense");

        store->last_id = MAX(store->last_id, (uint64_t) last);
        return 0;
}

int store_schema_seed(Store *store) {
        g_auto(Query) query = {};

        if (store->last_id == 0)
                return 0;

        query = query_begin(store, "UPDATE meta SET value = max(value, ?) WHERE name = 'last-id'");
        query_bind_int(&query, (int64_t) store->last_id);
        return query_run(&query);
}

int store_schema_renew_history(Store *store) {
        int r;

        r = store_exec(store,
                       "UPDATE meta SET value = lower(hex(randomblob(16))) WHERE name = 'history';"
                       "PRAGMA wal_checkpoint(TRUNCATE);"); /* the bad frames must not be found again */
        return r < 0 ? r : verify_history(store);
}

int store_schema_verify(Store *store) {
        int r;

        r = verify_history(store);
        if (r >= 0)
                r = verify_last_row(store);
        if (r >= 0)
                r = verify_last_id(store);

        return r;
}
