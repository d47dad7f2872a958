/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hex.h"
#include "log.h"
#include "macros.h"
#include "model-fixture.h"
#include "store-internal.h"

const PublicKey own_key = {{0xee, 1, 2, 3}};

/* Receipt of the fixture's messages: after that they count seconds. */
#define T0 (UINT64_C(1700000000) * USEC_PER_SEC)

static void on_contact_added(Identity *i, Contact *c, void *userdata) {
        g_string_append_printf(((Fixture *) userdata)->log, "+contact %s|", c->name);
}

static void on_contact_changed(Identity *i, Contact *c, ContactChange what, void *userdata) {
        g_string_append_printf(((Fixture *) userdata)->log, "~contact %s %x|", c->name, what);
}

static void on_contact_removed(Identity *i, Contact *c, void *userdata) {
        g_string_append_printf(((Fixture *) userdata)->log, "-contact %s|", c->name);
}

static void on_channel_added(Identity *i, Channel *c, void *userdata) {
        g_string_append_printf(((Fixture *) userdata)->log, "+channel %i %s|", c->slot, c->name);
}

static void on_channel_changed(Identity *i, Channel *c, ChannelChange what, void *userdata) {
        g_string_append_printf(((Fixture *) userdata)->log, "~channel %i %s %x|", c->slot, c->name, what);
}

static void on_channel_removed(Identity *i, Channel *c, void *userdata) {
        g_string_append_printf(((Fixture *) userdata)->log, "-channel %i %s|", c->slot, c->name);
}

static void on_message_added(Identity *i, const Message *m, void *userdata) {
        g_string_append_printf(((Fixture *) userdata)->log, "+message %" PRIu64 " %s|", m->id, m->text);
}

static void on_message_changed(Identity *i, const Message *m, MessageChange what, void *userdata) {
        g_string_append_printf(((Fixture *) userdata)->log, "~message %" PRIu64 " %x|", m->id, what);
}

static void on_messages_deleted(Identity *i, const uint64_t *ids, size_t n, void *userdata) {
        for (size_t k = 0; k < n; k++)
                g_string_append_printf(((Fixture *) userdata)->log, "-message %" PRIu64 "|", ids[k]);
}

static void on_history_lost(Identity *i, void *userdata) {
        g_string_append(((Fixture *) userdata)->log, "!history|");
}

static const IdentityObserver observer = {
                .contact_added = on_contact_added,
                .contact_changed = on_contact_changed,
                .contact_removed = on_contact_removed,
                .channel_added = on_channel_added,
                .channel_changed = on_channel_changed,
                .channel_removed = on_channel_removed,
                .message_added = on_message_added,
                .message_changed = on_message_changed,
                .messages_deleted = on_messages_deleted,
                .history_lost = on_history_lost,
};

void fixture_open(Fixture *f) {
        ck_assert_int_eq(store_open(f->dir, &f->store), 0);
        ck_assert_int_eq(identity_load(f->store, &own_key, &f->identity), 0);
        identity_set_observer(f->identity, &observer, f);
}

/* Whatever a test did, no statement of the store may sort, or read a whole table. */
static void assert_indexed(Store *store) {
        for (sqlite3_stmt *s = NULL; (s = sqlite3_next_stmt(store->db, s));) {
                ck_assert_msg(sqlite3_stmt_status(s, SQLITE_STMTSTATUS_SORT, 0) == 0, "this sorts: %s",
                              sqlite3_sql(s));
                ck_assert_msg(sqlite3_stmt_status(s, SQLITE_STMTSTATUS_FULLSCAN_STEP, 0) == 0,
                              "this scans: %s", sqlite3_sql(s));
        }
}

void fixture_close(Fixture *f) {
        if (f->store && f->store->db)
                assert_indexed(f->store);
        f->identity = identity_free(f->identity);
        f->store = store_close(f->store);
}

void fixture_reopen(Fixture *f) {
        fixture_close(f);
        fixture_open(f);
}

void fixture_setup(Fixture *f) {
        GError *error = NULL;

        *f = (Fixture){
                        .dir = g_dir_make_tmp("meshcored-model-XXXXXX", &error),
                        .log = g_string_new(NULL),
        };
        ck_assert_ptr_nonnull(f->dir);
        fixture_open(f);
}

void fixture_teardown(Fixture *f) {
        g_autoptr(GDir) dir = NULL;
        const char *name;

        fixture_close(f);
        dir = g_dir_open(f->dir, 0, NULL);
        while (dir && (name = g_dir_read_name(dir))) {
                g_autofree char *path = fixture_path(f, name);

                (void) unlink(path);
        }
        (void) rmdir(f->dir);
        g_free(f->dir);
        (void) g_string_free(f->log, true);
}

char *fixture_told(Fixture *f) {
        char *told = g_strdup(f->log->str);

        (void) g_string_truncate(f->log, 0);
        return told;
}

char *fixture_path(Fixture *f, const char *name) {
        return g_build_filename(f->dir, name, NULL);
}

unsigned fixture_count_files(Fixture *f, const char *prefix) {
        g_autoptr(GDir) dir = g_dir_open(f->dir, 0, NULL);
        const char *name;
        unsigned n = 0;

        while ((name = g_dir_read_name(dir)))
                n += g_str_has_prefix(name, prefix);
        return n;
}

unsigned fixture_count_damaged(Fixture *f) {
        g_autoptr(GDir) dir = g_dir_open(f->dir, 0, NULL);
        const char *name;
        unsigned n = 0;

        while ((name = g_dir_read_name(dir)))
                n += g_str_has_prefix(name, "store.db.damaged-") && !g_str_has_suffix(name, "-wal") &&
                     !g_str_has_suffix(name, "-shm") && !g_str_has_suffix(name, "-journal");
        return n;
}

int64_t fixture_sql(Fixture *f, const char *sql) {
        g_autofree char *path = fixture_path(f, "store.db");
        sqlite3_stmt *stmt = NULL;
        sqlite3 *db = NULL;
        int64_t value = 0;

        ck_assert_int_eq(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
        ck_assert_int_eq(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
        if (sqlite3_step(stmt) == SQLITE_ROW)
                value = sqlite3_column_int64(stmt, 0);
        ck_assert_int_eq(sqlite3_finalize(stmt), SQLITE_OK);
        ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
        return value;
}

PublicKey key_of(uint8_t n, uint8_t last) {
        PublicKey key;

        memset(key.bytes, n, sizeof(key.bytes));
        key.bytes[PUBLIC_KEY_SIZE - 1] = last;
        return key;
}

Contact *contact_of(uint8_t n, const char *name) {
        const PublicKey key = key_of(n, n);
        Contact *contact = contact_new(&key);

        g_free(contact->name);
        contact->name = g_strdup(name);
        contact->type = CONTACT_CHAT;
        return contact;
}

Message *text_from(const PublicKey *peer, const char *text, uint32_t timestamp) {
        Message *message = message_new();

        message->has_peer = true;
        memcpy(message->peer_prefix, peer->bytes, KEY_PREFIX_SIZE);
        g_free(message->text);
        message->text = g_strdup(text);
        message->sender_timestamp = timestamp;
        message->timestamp_usec = T0 + timestamp * USEC_PER_SEC;
        return message;
}

Message *text_to_channel(uint64_t channel, const char *author, const char *text, uint32_t timestamp) {
        Message *message = message_new();

        message->channel = channel;
        g_free(message->author);
        message->author = g_strdup(author);
        g_free(message->text);
        message->text = g_strdup(text);
        message->sender_timestamp = timestamp;
        message->timestamp_usec = T0 + timestamp * USEC_PER_SEC;
        return message;
}

uint64_t receive(Fixture *f, Message *message, ReceiveResult expected) {
        ReceiveResult result = RECEIVE_DUPLICATE;
        uint64_t id;

        ck_assert_int_eq(identity_receive(f->identity, message, &result), 0);
        ck_assert_int_eq(result, expected);
        id = message->id;
        ck_assert_uint_gt(id, 0);
        (void) message_free(message);
        return id;
}

uint64_t receive_text(Fixture *f, const PublicKey *peer, const char *text, uint32_t timestamp) {
        return receive(f, text_from(peer, text, timestamp), RECEIVE_NEW);
}

static int compare_strings(gconstpointer a, gconstpointer b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

static void append_sorted(GString *to, GPtrArray *lines) {
        g_ptr_array_sort(lines, compare_strings);
        for (guint i = 0; i < lines->len; i++)
                g_string_append_printf(to, "%s\n", (char *) lines->pdata[i]);
        g_ptr_array_unref(lines);
}

static void dump_contacts(Identity *identity, GString *to) {
        GPtrArray *lines = g_ptr_array_new_with_free_func(g_free);
        GHashTableIter iter;
        gpointer value;

        g_hash_table_iter_init(&iter, identity_contacts(identity));
        while (g_hash_table_iter_next(&iter, NULL, &value)) {
                const Contact *c = value;
                const KeyText key = key_to_text(&c->key);
                g_autofree char *path = hex_dup(c->path, sizeof(c->path));

                g_ptr_array_add(lines,
                                g_strdup_printf("contact %s %s %u %u %i %u %s %i %i %u %u %" PRIu64
                                                " %" PRIu64,
                                                key.text, c->name, c->type, c->flags, c->on_radio,
                                                c->path_len, path, c->lat_e6, c->lon_e6, c->last_advert,
                                                c->lastmod, c->last_heard_usec, c->unread));
        }
        append_sorted(to, lines);
}

static void dump_message(const Message *m, GString *to) {
        g_autofree char *data = hex_dup(m->data, m->data_size);
        const KeyText key = m->has_peer_key ? key_to_text(&m->peer) : (KeyText){};

        g_string_append_printf(to,
                               "message %" PRIu64 " %s %s %i %s %" PRIu64 " %s %s %s %u %u %i %i %u %" PRIu64
                               " %i %u %" PRIu64 " %i %s\n",
                               m->id, message_kind_to_string(m->kind), message_state_to_string(m->state),
                               m->has_peer, key.text, m->channel, m->author, m->text, data, m->data_type,
                               m->sender_timestamp, m->has_snr, m->snr_x4, m->path_len, m->duplicates,
                               m->read, m->attempts, m->round_trip_usec, m->uncertain, m->error ?: "-");
}

char *fixture_dump(Identity *identity) {
        GString *to = g_string_new(NULL);
        g_autoptr(GPtrArray) messages = NULL;
        MessageFilter filter;

        g_string_append_printf(to, "identity %u %u %u %" PRIu64 " %" PRIu64 "\n",
                               identity_contacts_since(identity), identity_contacts_radio_count(identity),
                               identity_last_timestamp(identity), identity_unread(identity),
                               identity_last_message_id(identity));
        dump_contacts(identity, to);
        for (unsigned slot = 0; slot < IDENTITY_SLOTS_MAX; slot++) {
                const Channel *c = identity_get_slot(identity, slot);

                if (c)
                        g_string_append_printf(to, "slot %u: %" PRIu64 " %i %s %s %" PRIu64 "\n", slot, c->id,
                                               c->slot, c->name, channel_kind_to_string(c->kind), c->unread);
        }

        message_filter_init(&filter);
        ck_assert_int_eq(identity_list_messages(identity, &filter, 0, true, G_MAXINT, &messages), 0);
        for (guint i = 0; i < messages->len; i++)
                dump_message(messages->pdata[i], to);
        return g_string_free(to, false);
}

int fixture_run(Suite *suite) {
        SRunner *runner = srunner_create(suite);
        int failed;

        /* Hundreds of stores are made; their syncs are not what is tested here. */
        if (access("/dev/shm", W_OK) == 0)
                (void) setenv("TMPDIR", "/dev/shm", 0);

        /* Faults are what these tests are about; the log is full of them. */
        if (!getenv("MESHCORED_TEST_LOG"))
                log_set_level(LOG_EMERG);
        srunner_run_all(runner, CK_ENV);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
