/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "fuzz-store.h"
#include "fuzz.h"
#include "log.h"
#include "macros.h"
#include "store-internal.h"

#define SECTOR 512

static const char *const names[] = {"store.db", "store.db-wal", "spool", "store.db-shm"};

PublicKey files_key(unsigned n) {
        PublicKey key;

        for (size_t i = 0; i < sizeof(key.bytes); i++)
                key.bytes[i] = (uint8_t) (n + i);
        return key;
}

char *files_new_directory(const char *name) {
        char *dir = g_build_filename(access("/dev/shm", W_OK) >= 0 ? "/dev/shm" : g_get_tmp_dir(), name,
                                     NULL);

        FUZZ_ASSERT(g_mkdtemp(dir));
        return dir;
}

void files_remove(char *path) {
        GDir *dir = g_dir_open(path, 0, NULL);
        const char *name;

        while (dir && (name = g_dir_read_name(dir))) {
                g_autofree char *file = g_build_filename(path, name, NULL);

                (void) g_unlink(file);
        }
        if (dir)
                g_dir_close(dir);
        (void) g_rmdir(path);
        g_free(path);
}

/* -- where it begins ----------------------------------------------------------------- */

#define KEY_1  "x'0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20'"
#define KEY_2  "x'02030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021'"
#define KEY_60 "x'3c3d3e3f404142434445464748494a4b4c4d4e4f505152535455565758595a5b'"

/* In the columns of the first schema, which all have. */
static const char rows[] =
                "INSERT INTO identity VALUES (1, " KEY_1 ", 1700000000, 7, 1);"
                "INSERT INTO radio VALUES ('sim', " KEY_1 ");"
                "INSERT INTO contact (identity, key, type, flags, on_radio, path_len, path, name, lat_e6, "
                "lon_e6,"
                " last_advert, lastmod, last_heard_usec) VALUES"
                " (1, " KEY_2 ", 2, 1, 1, 2, x'a1b2', 'Hill', 47000000, 8000000, "
                "1, 2, 3),"
                " (1, " KEY_60 ", 1, 0, 0, 255, x'', 'Ann', 0, 0, 0, 0, 0);"
                "INSERT INTO channel VALUES (9, 1, x'00112233445566778899aabbccddeeff', '#test', 1);"
                "INSERT INTO channel_slot VALUES (1, 3, 9);"
                "INSERT INTO message (id, identity, kind, state, peer_prefix, peer, channel, author, "
                "author_prefix,"
                " text, data, data_type, sender_timestamp, timestamp_usec, snr_x4, path_len, maybe_cut, "
                "duplicates,"
                " read, attempts, round_trip_usec, uncertain, expires_usec, error, digest) VALUES"
                " (1, 1, 0, 7, x'020304050607', NULL, 0, '', NULL, 'one', NULL, 0, 5, 6, -13, 2, 0, 0, 0, 0, "
                "0, 0,"
                "  0, NULL, 77),"
                " (2, 1, 0, 7, NULL, NULL, 9, 'Bob', NULL, 'two', NULL, 0, 5, 6, NULL, 255, 1, 3, 0, 0, 0, "
                "0, 0,"
                "  NULL, 78),"
                " (3, 1, 0, 1, x'020304050607', " KEY_2 ", 0, '', NULL, 'mine', "
                "NULL, 0,"
                "  8, 9, NULL, 0, 0, 0, 1, 2, 0, 0, 0, NULL, 79),"
                " (4, 1, 3, 4, NULL, NULL, 9, '', NULL, '', x'00ff', 7, 8, 9, NULL, 0, 0, 0, 1, 1, 0, 1, 10,"
                "  'why', 80);"
                "INSERT INTO attempt VALUES (3, 0, x'01020304', 9000000000000000);"
                "INSERT INTO token VALUES (1, 1, 0, 'token', 9000000000000000, 3);";

static void run_sql(const char *dir, const char *sql) {
        g_autofree char *path = g_build_filename(dir, names[0], NULL);
        sqlite3 *db = NULL;

        FUZZ_ASSERT(sqlite3_open(path, &db) == SQLITE_OK);
        FUZZ_ASSERT(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK);
        FUZZ_ASSERT(sqlite3_close(db) == SQLITE_OK);
}

static void make_schema(const char *dir, int version) {
        g_autofree char *path = g_build_filename(dir, names[0], NULL);

        for (int step = 0; step < version; step++) {
                g_autofree char *mark =
                                g_strdup_printf("PRAGMA application_id = %i; PRAGMA user_version = %i",
                                                STORE_APPLICATION_ID, step + 1);

                run_sql(dir, store_schema_steps[step]);
                run_sql(dir, mark);
        }
        run_sql(dir, rows);
}

typedef struct Files {
        char *data[ELEMENTSOF(names)];
        gsize size[ELEMENTSOF(names)];
} Files;

static void keep(const char *dir, Files *files) {
        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                g_autofree char *path = g_build_filename(dir, names[i], NULL);

                (void) g_file_get_contents(path, &files->data[i], &files->size[i], NULL);
        }
}

/* The log and the spool have something in them. */
static void make_killed(const char *dir, Files *files) {
        const PublicKey key = files_key(1), new = files_key(40);
        g_autoptr(Contact) contact = contact_new(&new);
        Identity *identity;
        Store *store;

        make_schema(dir, store_schema_version);
        FUZZ_ASSERT(store_open(dir, &store) >= 0);
        FUZZ_ASSERT(identity_load(store, &key, &identity) >= 0);
        FUZZ_ASSERT(identity_put_contact(identity, contact) >= 0);
        FUZZ_ASSERT(store_spool_append(store, &key, 5, (Slice){(const uint8_t *) "frame", 5}) >= 0);
        FUZZ_ASSERT(store_spool_append(store, &new, 6, (Slice){(const uint8_t *) "other", 5}) >= 0);
        keep(dir, files);
        identity_free(identity);
        store_close(store);
}

static Files *beginnings(size_t *ret_n) {
        static Files *all;
        static size_t n;

        if (!all) {
                log_set_level(LOG_EMERG);
                n = (size_t) store_schema_version + 2;
                all = g_new0(Files, n);
                for (size_t i = 1; i < n; i++) {
                        char *dir = files_new_directory("fuzz-store-XXXXXX");

                        if (i == 1)
                                make_killed(dir, &all[i]);
                        else {
                                make_schema(dir, (int) i - 1);
                                keep(dir, &all[i]);
                        }
                        files_remove(dir);
                }
        }
        *ret_n = n;
        return all;
}

void files_begin(const char *dir, unsigned which) {
        size_t n;
        const Files *files = beginnings(&n);

        files += which % n;
        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                g_autofree char *path = g_build_filename(dir, names[i], NULL);

                if (files->data[i])
                        FUZZ_ASSERT(g_file_set_contents(path, files->data[i], (gssize) files->size[i], NULL));
        }
}

/* -- on the disk -------------------------------------------------------------------------- */

static uint32_t crc32_of(const uint8_t *data, size_t size) {
        uint32_t crc = UINT32_MAX;

        for (size_t i = 0; i < size; i++) {
                crc ^= data[i];
                for (unsigned bit = 0; bit < 8; bit++)
                        crc = (crc >> 1) ^ (crc & 1 ? 0xedb88320U : 0);
        }
        return GUINT32_TO_LE(~crc);
}

/* As somebody who knows the checksum. */
static void sign_sector(uint8_t *data, size_t size, size_t at) {
        uint8_t *sector = data + at / SECTOR * SECTOR;
        uint32_t crc;

        if (at / SECTOR * SECTOR + SECTOR > size)
                return;
        crc = crc32_of(sector, SECTOR - 4);
        memcpy(sector + SECTOR - 4, &crc, 4);
}

static void damage_file(const char *dir, unsigned how, FuzzInput *in) {
        const char *name = names[fuzz_choice(in, ELEMENTSOF(names))];
        g_autofree char *path = g_build_filename(dir, name, NULL), *old = NULL;
        g_autofree uint8_t *data = NULL;
        const uint8_t *bytes;
        size_t at, n, old_size;
        gsize size = 0;

        if (how == 0) {
                (void) unlink(path);
                return;
        }
        (void) g_file_get_contents(path, &old, &size, NULL);
        old_size = size;
        at = fuzz_number(in, 3) % (size + 1);
        bytes = fuzz_bytes(in, fuzz_byte(in), &n);
        data = g_malloc0(size + n + 1);
        if (size > 0)
                memcpy(data, old, size);
        switch (how) {
        case 1: /* cut, and something else behind that */
        case 2: /* longer */
                size = how == 1 ? at : size;
                memcpy(data + size, bytes, n);
                size += n;
                break;
        case 3: /* another page, as by a lost write */
                at = at / 4096 * 4096;
                if (n > 0 && at + 4096 <= size && bytes[0] * 4096u + 4096u <= size)
                        memmove(data + at, old + bytes[0] * 4096u, 4096);
                break;
        default:
                memcpy(data + at, bytes, n);
                size = MAX(size, at + n);
        }
        if (strcmp(name, "spool") == 0 && how == 5)
                sign_sector(data, size, at);
        if (size == old_size && old_size > 0 && memcmp(data, old, size) == 0)
                return;
        FUZZ_ASSERT(g_file_set_contents(path, (const char *) data, (gssize) size, NULL));
}

/* -- in the tables ------------------------------------------------------------------------- */

static const char *const columns[] = {
                "meta.value",
                "identity.key",
                "identity.id",
                "identity.last_timestamp",
                "identity.contacts_since",
                "radio.slot",
                "radio.key",
                "contact.key",
                "contact.type",
                "contact.flags",
                "contact.on_radio",
                "contact.path_len",
                "contact.path",
                "contact.name",
                "contact.lat_e6",
                "contact.last_advert",
                "contact.last_heard_usec",
                "contact.set_path_len",
                "contact.set_path",
                "contact.identity",
                "channel.id",
                "channel.secret",
                "channel.name",
                "channel.kind",
                "channel_slot.slot",
                "channel_slot.channel",
                "message.id",
                "message.kind",
                "message.state",
                "message.peer_prefix",
                "message.peer",
                "message.channel",
                "message.author",
                "message.author_prefix",
                "message.text",
                "message.data",
                "message.data_type",
                "message.sender_timestamp",
                "message.timestamp_usec",
                "message.snr_x4",
                "message.path_len",
                "message.maybe_cut",
                "message.duplicates",
                "message.read",
                "message.attempts",
                "message.round_trip_usec",
                "message.uncertain",
                "message.expires_usec",
                "message.error",
                "message.digest",
                "message.repeats",
                "attempt.message",
                "attempt.number",
                "attempt.ack",
                "attempt.made_usec",
                "token.token",
                "token.made_usec",
                "token.message",
                "unread.n",
                "unread.peer_prefix",
                "unread.peer",
                "unread.channel",
                "pending.key",
                "pending.name",
                "sqlite_sequence.seq",
                "meta.name",
                "identity.contacts_radio_count",
                "message.identity",
};

static void bind_value(sqlite3_stmt *stmt, FuzzInput *in) {
        static const int64_t numbers[] = {0,   1,         -1,        127,       255,
                                          256, INT32_MAX, INT64_MAX, INT64_MIN, UINT32_MAX};
        const unsigned kind = fuzz_byte(in);
        const uint8_t *bytes;
        size_t n;

        switch (kind % 6) {
        case 0:
                (void) sqlite3_bind_int64(stmt, 1, numbers[kind / 6 % ELEMENTSOF(numbers)]);
                break;
        case 1:
                (void) sqlite3_bind_int64(stmt, 1, (int64_t) fuzz_number(in, 8));
                break;
        case 2:
                bytes = fuzz_bytes(in, kind / 6, &n);
                (void) sqlite3_bind_text(stmt, 1, (const char *) bytes, (int) n, SQLITE_TRANSIENT);
                break;
        case 3:
                bytes = fuzz_bytes(in, kind / 6, &n);
                (void) sqlite3_bind_blob(stmt, 1, bytes, (int) n, SQLITE_TRANSIENT);
                break;
        case 4:
                (void) sqlite3_bind_zeroblob(stmt, 1, (int) (kind * fuzz_byte(in)));
                break;
        default:
                (void) sqlite3_bind_null(stmt, 1);
        }
}

/* What SQLite refuses is not done. */
static void damage_rows(const char *dir, FuzzInput *in) {
        g_autofree char *path = g_build_filename(dir, names[0], NULL), *sql = NULL;
        g_auto(GStrv) column = g_strsplit(columns[fuzz_choice(in, ELEMENTSOF(columns))], ".", 2);
        sqlite3_stmt *stmt = NULL;
        sqlite3 *db = NULL;

        sql = g_strdup_printf("UPDATE OR IGNORE %s SET %s = ?", column[0], column[1]);
        if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK &&
            sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK) {
                bind_value(stmt, in);
                (void) sqlite3_step(stmt);
        }
        (void) sqlite3_finalize(stmt);
        (void) sqlite3_close(db);
}

void files_damage(const char *dir, FuzzInput *in) {
        const unsigned how = fuzz_choice(in, 10);

        if (how < 6)
                damage_file(dir, how, in);
        else
                damage_rows(dir, in);
}
