/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The inside of the store, and what it offers to the identities: records in and out, never SQL.
 * Functions return a negative errno that is logged already; -EUCLEAN stands for damage. */

#include <sqlite3.h>

#include "channel.h"
#include "contact.h"
#include "identity.h"
#include "macros.h"
#include "message.h"
#include "store.h"

/* Somebody who keeps in memory what the store holds. */
typedef struct StoreClient {
        void (*history_lost)(void *userdata); /* a new, empty file is in place */
        void *userdata;
} StoreClient;

typedef struct Spool {
        int fd;
        uint64_t next_sequence;
        unsigned n_used;
        bool used[STORE_SPOOL_FRAMES];
} Spool;

typedef struct StoreCheck StoreCheck;
typedef struct StoreBackup StoreBackup;

#define STORE_ROOM_BYTES (1024 * 1024) /* at least, before each pop: design, section 4, Receive */

struct Store {
        char *dir;
        char *path;
        int dir_fd; /* locked as long as we live */

        sqlite3 *db;            /* NULL while no file could be opened */
        GHashTable *statements; /* static SQL → sqlite3_stmt */
        unsigned n_queries;     /* statements in use */
        bool in_transaction;
        bool commit_failed; /* in the transaction that is to be rolled back */
        bool opening;
        bool damaged;          /* seen, not set aside yet */
        bool damage_confirmed; /* the whole file was read through */
        unsigned n_doubts;     /* damage seen of which nothing was found */
        bool history_pending;  /* set aside, but the clients do not know yet: no new file could be made */
        int last_error;        /* logged already; again only after something else */

        char history_id[33];
        uint64_t last_id;        /* the highest message id that is known to have existed */
        uint64_t last_id_before; /* the transaction */
        GPtrArray *clients;
        StoreCheck *check;
        StoreBackup *backup;
        Spool spool;
};

void store_add_client(Store *store, StoreClient *client);
void store_remove_client(Store *store, StoreClient *client);

/* -- store.c: the file --------------------------------------------------- */

/* Makes sure that there is an open file: tries again what failed before. */
int store_ensure_open(Store *store);

/* Sets a damaged file aside if that is possible now: no transaction, no statement in use. */
void store_settle(Store *store);

/* -- store-schema.c ------------------------------------------------------ */

#define STORE_APPLICATION_ID 0x4d434431 /* "MCD1" */

/* Step n leads from user_version n to n + 1. */
extern const char *const store_schema_steps[];
extern const int store_schema_version;

/* -EPROTONOSUPPORT for a newer one. Changes nothing. */
int store_schema_check_version(Store *store);
/* Brings an open file to our version. */
int store_schema_migrate(Store *store);
/* In a new file: message ids go on above those that are known to have existed. */
int store_schema_seed(Store *store);
/* A part of the history is gone. */
int store_schema_renew_history(Store *store);
/* Reads the schema, the history id and the last row. -EUCLEAN when one of them is not as it must be. */
int store_schema_verify(Store *store);

/* -- store-check.c: the whole file, in a thread --------------------------- */

void store_check_start(Store *store);
/* Ends and forgets it. Returns false when it had not come to a result. */
bool store_check_stop(Store *store);
/* At once, while the store is closed: 0, -EUCLEAN, or what kept it from reading. */
int store_check_now(Store *store);
/* Whether any of the file can be read at all. */
bool store_check_readable(Store *store);

/* -- store-log.c: what SQLite would pass over ------------------------------ */

/* Copies a log that is damaged in the middle, of which SQLite uses only what is before. Returns 1 when it
 * did, 0 when nothing is wrong, or a negative errno, not logged. */
int store_log_keep_damaged(int dir, const char *log, const char *copy);

/* -- store-spool.c -------------------------------------------------------- */

int store_spool_open(Store *store);
void store_spool_close(Store *store);

/* -- store-sql.c ----------------------------------------------------------- */

/* One use of a prepared statement. Latches like a reader of bytes: after the
 * first error nothing more happens and every step returns it. */
typedef struct Query {
        Store *store; /* NULL: there was no file to ask */
        sqlite3_stmt *stmt;
        int n_bound;
        int error;
} Query;

/* sql must be a literal: its address finds the prepared statement again. */
Query query_begin(Store *store, const char *sql);
void query_end(Query *query);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Query, query_end)

/* Parameters in order. */
void query_bind_int(Query *query, int64_t value);
void query_bind_text(Query *query, const char *text);              /* NULL: NULL; borrowed */
void query_bind_blob(Query *query, const void *data, size_t size); /* data NULL: NULL; borrowed */
void query_bind_key(Query *query, const PublicKey *key);           /* NULL: NULL; borrowed */

/* 1: a row, 0: done, negative errno. */
int query_step(Query *query);
/* Steps to the end; 0 or negative errno. */
int query_run(Query *query);

int64_t query_int(Query *query, int column);
/* Repaired UTF-8, never NULL. */
char *query_text(Query *query, int column);
bool query_is_null(Query *query, int column);
/* False, and nothing written, when it has not exactly this size. */
bool query_blob(Query *query, int column, void *ret, size_t size);
Slice query_slice(Query *query, int column); /* valid until the next step */

/* What SQLite says of the last failure on db, as a negative errno. */
int store_map_error(sqlite3 *db, int rc);
/* The same for our own connection: logs it, and marks damage. */
int store_fail(Store *store, int rc, const char *what);
/* A result that makes no sense: damage. */
int store_fail_damaged(Store *store, const char *what);

/* SQL without parameters and results. */
int store_exec(Store *store, const char *sql);
void store_drop_statements(Store *store);

/* A transaction of the whole store: -EBUSY when there is one. After a failed commit
 * store_rollback() is still due. A rollback can set a damaged file aside, and clients hear of it
 * then: undo your memory before. */
int store_begin(Store *store);
int store_commit(Store *store);
void store_rollback(Store *store);

/* -- store-contacts.c: identities, contacts, channels, slots ---------------- */

typedef struct IdentityRecord {
        int64_t row;
        uint32_t last_timestamp;
        uint32_t contacts_since;
        uint32_t contacts_radio_count;
} IdentityRecord;

/* -ENOENT when it is not there. */
int store_load_identity(Store *store, const PublicKey *key, IdentityRecord *ret);
/* row is set. */
int store_add_identity(Store *store, const PublicKey *key, IdentityRecord *record);
int store_save_identity(Store *store, const IdentityRecord *record);

typedef void (*store_contact_t)(Contact *contact, void *userdata); /* takes it */
int store_load_contacts(Store *store, int64_t identity, store_contact_t take, void *userdata);
int store_save_contact(Store *store, int64_t identity, const Contact *contact);
int store_save_heard(Store *store, int64_t identity, const Contact *contact);
int store_delete_contact(Store *store, int64_t identity, const PublicKey *key);

int store_load_pending(Store *store, int64_t identity, store_contact_t take, void *userdata);
int store_save_pending(Store *store, int64_t identity, const Contact *contact);
int store_delete_pending(Store *store, int64_t identity, const PublicKey *key);

typedef void (*store_channel_t)(Channel *channel, void *userdata); /* takes it */
int store_load_channels(Store *store, int64_t identity, store_channel_t take, void *userdata);
int store_save_channel(Store *store, int64_t identity, const Channel *channel);
int store_delete_channel(Store *store, uint64_t id);

typedef void (*store_slot_t)(unsigned slot, uint64_t channel, void *userdata);
int store_load_slots(Store *store, int64_t identity, store_slot_t take, void *userdata);
/* channel 0: empty */
int store_save_slot(Store *store, int64_t identity, unsigned slot, uint64_t channel);

/* -- store-messages.c -------------------------------------------------------- */

#define STORE_ID_MAX      (INT64_C(1) << 62) /* far from where the next one would be none */
#define STORE_COUNT_EVERY 128                /* messages, until they are in the counters of "unread" */

#define STORE_DUPLICATE_WINDOW_USEC (7 * USEC_PER_DAY)
#define STORE_ACK_WINDOW_USEC       (7 * USEC_PER_DAY)
#define STORE_TOKEN_WINDOW_USEC     (1 * USEC_PER_DAY)

/* Of everything that makes two receptions the same message. */
int64_t store_digest(const Message *message);

/* The earlier one of the same kind (design, section 4, Duplicates): 1 and its id, or 0. */
int store_find_duplicate(Store *store, int64_t identity, const Message *message, int64_t digest,
                         uint64_t *ret);
int store_count_duplicate(Store *store, uint64_t id);

int store_add_message(Store *store, int64_t identity, const Message *message, int64_t digest,
                      uint64_t *ret_id);
/* 1 and the message, or 0. */
int store_get_message(Store *store, int64_t identity, uint64_t id, Message **ret);
/* What may change of it. */
int store_save_message(Store *store, const Message *message);
/* Of an own channel text; a message that is gone is passed over. */
int store_save_repeats(Store *store, uint64_t id, const GByteArray *repeats);
int store_delete_message(Store *store, uint64_t id);

int store_add_attempt(Store *store, uint64_t message, unsigned number, const uint8_t ack[4]);
int store_find_attempt(Store *store, int64_t identity, const uint8_t ack[4], uint64_t *ret); /* 1 or 0 */

int store_find_token(Store *store, int64_t identity, uint32_t uid, const char *token, uint64_t now,
                     uint64_t *ret); /* 1 or 0 */
int store_add_token(Store *store, int64_t identity, uint32_t uid, const char *token, uint64_t now,
                    uint64_t message);

/* -- store-lists.c ------------------------------------------------------------ */

/* At most limit messages out of max_rows rows, or fewer of them if they take more than a few milliseconds,
 * unless max_rows is SIZE_MAX; *ret_next is the last one looked at, or 0 at the end. */
int store_list_messages(Store *store, int64_t identity, const MessageFilter *filter, uint64_t from,
                        bool newer, size_t limit, size_t max_rows, uint64_t *ret_next, GPtrArray *to);
int store_list_open(Store *store, int64_t identity, size_t limit, GArray *to);   /* oldest first */
int store_list_unread(Store *store, int64_t identity, size_t limit, GArray *to); /* newest first */
int store_nth_newest(Store *store, int64_t identity, uint64_t n, uint64_t *ret); /* 0: none */
int store_last_message(Store *store, int64_t identity, uint64_t *ret);           /* 0: none */

/* 1 or 0. */
int store_has_peer_messages(Store *store, int64_t identity, const PublicKey *peer);
int store_has_channel_messages(Store *store, uint64_t channel);

int store_count_peer_unread(Store *store, int64_t identity, const PublicKey *peer, uint64_t *ret);
/* Any number of calls for a conversation with something unread, whose sum it is; peer NULL: only the prefix
 * is known. */
typedef void (*store_unread_t)(const uint8_t *prefix, const PublicKey *peer, uint64_t channel, uint64_t n,
                               void *userdata);
int store_load_unread(Store *store, int64_t identity, store_unread_t take, void *userdata);

/* Reads a row of STORE_MESSAGE_COLUMNS. */
#define STORE_MESSAGE_COLUMNS                                                                         \
        "id, kind, state, peer_prefix, peer, channel, author, author_prefix, text, data, data_type, " \
        "sender_timestamp, timestamp_usec, snr_x4, path_len, maybe_cut, duplicates, read, attempts, " \
        "round_trip_usec, uncertain, expires_usec, error, repeats"
#define STORE_MESSAGE_N_COLUMNS 24
Message *store_message_from_row(Query *query);
