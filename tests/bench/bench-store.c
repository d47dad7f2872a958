/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What the store costs with ever more messages in it, beside floors measured in the same run: a bare SQLite
 * commit of one row, and a bare read of a page. The store stays in the directory, as that of the radio
 * "bench". Usage: bench-store DIRECTORY [MESSAGES] */

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench-util.h"
#include "identity.h"
#include "log.h"
#include "store-internal.h"

#define CONTACTS     1000
#define SMALLEST     1000
#define COMMITS      2000
#define PAGE         100
#define PAGES        200
#define STEP_ROWS    4096 /* of a search, as the daemon does it */
#define BATCH        5000
#define PAGE_BAR     5000.0  /* us */
#define HOLD_BAR     20000.0 /* us */
#define FIRST_SECOND UINT64_C(1700000000)

static const PublicKey own_key = {{0xee}};
static uint64_t channel;

static void print_at(const char *what, uint64_t stored, uint64_t *ours, double fraction, uint64_t *floors,
                     size_t n, double bar) {
        g_autofree char *text = g_strdup_printf("%s, %" PRIu64 " stored, p%g", what, stored, fraction * 100);

        bench_print(text, "us", (double) bench_quantile(ours, n, fraction) / 1e3,
                    floors ? (double) bench_quantile(floors, n, fraction) / 1e3 : (double) NAN, bar);
}

static void check(int r, const char *what) {
        if (r >= 0)
                return;

        (void) fprintf(stderr, "%s: %s\n", what, g_strerror(-r));
        exit(EXIT_FAILURE);
}

static PublicKey peer_key(unsigned i) {
        PublicKey key = {};

        key.bytes[0] = (uint8_t) i;
        key.bytes[1] = (uint8_t) (i >> 8);
        key.bytes[31] = 1;
        return key;
}

/* Half of them from contacts, half on a channel; the newest 1,000 unread. */
static Message *make_message(uint64_t n, bool read) {
        Message *message = message_new();
        const PublicKey peer = peer_key((unsigned) (n * 7919 % CONTACTS));

        message->state = MESSAGE_RECEIVED;
        if (n % 2 == 0) {
                message->has_peer = message->has_peer_key = true;
                message->peer = peer;
                memcpy(message->peer_prefix, peer.bytes, KEY_PREFIX_SIZE);
        } else {
                message->channel = channel;
                g_free(message->author);
                message->author = g_strdup("Somebody");
        }
        g_free(message->text);
        message->text = g_strdup_printf("Message %" PRIu64 " says that the weather on the hill is fine today",
                                        n);
        message->sender_timestamp = (uint32_t) (FIRST_SECOND + n);
        message->timestamp_usec = (FIRST_SECOND + n) * USEC_PER_SEC;
        message->read = read;
        return message;
}

static void fill(Store *store, uint64_t from, uint64_t to) {
        IdentityRecord record;
        uint64_t id;

        check(store_load_identity(store, &own_key, &record), "identity");
        for (uint64_t n = from; n < to; n++) {
                g_autoptr(Message) message = make_message(n, n + 1000 < to);

                if (n % BATCH == 0 || n == from)
                        check(store_begin(store), "begin");
                check(store_add_message(store, record.row, message, store_digest(message), &id), "add");
                if (n % BATCH == BATCH - 1 || n == to - 1)
                        check(store_commit(store), "commit");
        }
}

static void fill_contacts(const char *dir, const PublicKey *own, unsigned n) {
        static const uint8_t secret[CHANNEL_SECRET_SIZE] = {1};
        g_autoptr(Identity) identity = NULL;
        Store *store = NULL;

        check(store_open(dir, &store), "open");
        check(store_set_slot(store, "bench", own), "slot");
        check(identity_load(store, own, &identity), "load");
        check(identity_begin(identity), "begin");
        for (unsigned i = 0; i < n; i++) {
                const PublicKey key = peer_key(i);
                g_autoptr(Contact) contact = contact_new(&key);

                g_free(contact->name);
                contact->name = g_strdup_printf("Contact %u", i);
                check(identity_put_contact(identity, contact), "contact");
        }
        check(identity_set_slot(identity, 0, "Public", secret, CHANNEL_PUBLIC), "channel");
        check(identity_commit(identity), "commit");
        channel = identity_get_slot(identity, 0)->id;
        identity = identity_free(identity);
        (void) store_close(store);
}

static sqlite3_stmt *open_bare(const char *dir, sqlite3 **ret) {
        g_autofree char *path = g_build_filename(dir, "bare.db", NULL);
        sqlite3_stmt *insert = NULL;

        (void) unlink(path);
        if (sqlite3_open(path, ret) != SQLITE_OK ||
            sqlite3_exec(*ret,
                         "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                         "CREATE TABLE m (id INTEGER PRIMARY KEY, text TEXT)",
                         NULL, NULL, NULL) != SQLITE_OK ||
            sqlite3_prepare_v2(*ret, "INSERT INTO m (text) VALUES (?)", -1, &insert, NULL) != SQLITE_OK)
                check(-EIO, sqlite3_errmsg(*ret));
        return insert;
}

static uint64_t commit_bare(sqlite3_stmt *insert) {
        const uint64_t start = bench_now();

        (void) sqlite3_bind_text(insert, 1, "Message 1 says that the weather on the hill is fine", -1,
                                 SQLITE_STATIC);
        if (sqlite3_step(insert) != SQLITE_DONE)
                check(-EIO, "a bare commit");
        (void) sqlite3_reset(insert);
        return bench_now() - start;
}

static void bench_receive(const char *dir, Identity *identity, uint64_t stored) {
        g_autofree uint64_t *ours = g_new(uint64_t, COMMITS), *floors = g_new(uint64_t, COMMITS);
        sqlite3 *db = NULL;
        sqlite3_stmt *insert = open_bare(dir, &db);

        for (size_t i = 0; i < COMMITS; i++) {
                g_autoptr(Message) message = make_message(stored + i, false);
                ReceiveResult result;
                uint64_t start;

                floors[i] = commit_bare(insert);
                start = bench_now();
                check(identity_receive(identity, message, &result), "receive");
                ours[i] = bench_now() - start;
        }
        (void) sqlite3_finalize(insert);
        (void) sqlite3_close(db);
        print_at("insert", stored, ours, 0.5, floors, COMMITS, (double) NAN);
        print_at("insert", stored, ours, 0.99, floors, COMMITS, (double) NAN);
}

/* The same rows, and no more than reading them. */
static uint64_t page_bare(sqlite3_stmt *page, uint64_t from) {
        const uint64_t start = bench_now();

        (void) sqlite3_bind_int64(page, 1, (int64_t) from);
        while (sqlite3_step(page) == SQLITE_ROW)
                for (int i = 0; i < sqlite3_column_count(page); i++)
                        (void) sqlite3_column_blob(page, i);
        (void) sqlite3_reset(page);
        return bench_now() - start;
}

static void bench_page(Store *store, Identity *identity, const char *what, const MessageFilter *filter,
                       uint64_t stored) {
        g_autofree uint64_t *ours = g_new(uint64_t, PAGES), *floors = g_new(uint64_t, PAGES);
        g_autofree char *text = g_strdup_printf("page of %i, %s", PAGE, what);
        const uint64_t last = identity_last_message_id(identity);
        sqlite3_stmt *page = NULL;

        if (sqlite3_prepare_v2(store->db, "SELECT * FROM message WHERE id > ? ORDER BY id LIMIT 100", -1,
                               &page, NULL) != SQLITE_OK)
                check(-EIO, sqlite3_errmsg(store->db));
        for (size_t i = 0; i < PAGES; i++) {
                g_autoptr(GPtrArray) list = NULL;
                const uint64_t from = i == 0 ? 0 : last * i / PAGES;
                uint64_t start;

                floors[i] = page_bare(page, (from + last / 2) % last);
                start = bench_now();
                check(identity_list_messages(identity, filter, from, i % 2 == 1, PAGE, &list), "list");
                ours[i] = bench_now() - start;
        }
        (void) sqlite3_finalize(page);
        print_at(text, stored, ours, 0.5, floors, PAGES, PAGE_BAR);
}

static void bench_pages(Store *store, Identity *identity, uint64_t stored) {
        const PublicKey peer = peer_key(0);
        MessageFilter filter;

        message_filter_init(&filter);
        bench_page(store, identity, "all", &filter, stored);
        filter.unread_only = true;
        bench_page(store, identity, "unread", &filter, stored);
        filter.peer = &peer;
        bench_page(store, identity, "one contact, unread", &filter, stored);
        filter.unread_only = false;
        bench_page(store, identity, "one contact", &filter, stored);
        filter.peer = NULL;
        filter.channel = channel;
        bench_page(store, identity, "one channel", &filter, stored);
}

/* The worst that a client can ask for: every row is looked at, step by step. */
static void bench_search(Identity *identity, uint64_t stored) {
        g_autofree char *whole = g_strdup_printf("search of what is nowhere, %" PRIu64 " stored", stored);
        g_autofree char *hold = g_strdup_printf("the longest step of that, %" PRIu64 " stored", stored);
        const uint64_t start = bench_now();
        uint64_t next = 0, longest = 0;
        MessageFilter filter;

        message_filter_init(&filter);
        filter.text = "nowhere";
        do {
                g_autoptr(GPtrArray) list = NULL;
                const uint64_t begun = bench_now();

                check(identity_search_messages(identity, &filter, next, false, PAGE, STEP_ROWS, &next, &list),
                      "search");
                longest = MAX(longest, bench_now() - begun);
        } while (next != 0);
        bench_print(whole, "ms", (double) (bench_now() - start) / 1e6, (double) NAN, (double) NAN);
        bench_print(hold, "us", (double) longest / 1e3, (double) NAN, HOLD_BAR);
}

static double resident(const char *name) {
        g_autofree char *status = NULL;
        const char *at;

        if (!g_file_get_contents("/proc/self/status", &status, NULL, NULL))
                return (double) NAN;
        at = strstr(status, name);
        return at ? strtod(at + strlen(name), NULL) / 1024 : (double) NAN;
}

/* In a process of its own, whose memory is that of a start. */
static void bench_start(const char *dir, uint64_t stored) {
        g_autofree char *time = g_strdup_printf("open, load and window, %" PRIu64 " stored", stored);
        g_autofree char *memory = g_strdup_printf("memory for that, %" PRIu64 " stored", stored);
        g_autoptr(GArray) window = NULL;
        g_autoptr(Identity) identity = NULL;
        const double before = resident("RssAnon:");
        const uint64_t start = bench_now();
        Store *store = NULL;
        size_t n_open;

        check(store_open(dir, &store), "open");
        check(identity_load(store, &own_key, &identity), "load");
        check(identity_window(identity, 256, &window, &n_open), "window");
        bench_print(time, "ms", (double) (bench_now() - start) / 1e6, (double) NAN, (double) NAN);
        bench_print(memory, "MiB", resident("RssAnon:") - before, (double) NAN, (double) NAN);
        identity = identity_free(identity);
        (void) store_close(store);
}

static void run_start(const char *self, const char *dir, uint64_t stored) {
        g_autofree char *count = g_strdup_printf("%" PRIu64, stored);
        const char *argv[] = {self, "--start", dir, count, NULL};
        int status = 0;

        if (!g_spawn_sync(NULL, (char **) argv, NULL, G_SPAWN_CHILD_INHERITS_STDIN, NULL, NULL, NULL, NULL,
                          &status, NULL) ||
            status != 0)
                check(-EIO, "start");
}

/* All that is measured with so many messages; a few thousand more are there afterwards. */
static void bench_size(const char *self, const char *dir, uint64_t stored) {
        g_autoptr(Identity) identity = NULL;
        Store *store = NULL;

        run_start(self, dir, stored);
        check(store_open(dir, &store), "open");
        check(identity_load(store, &own_key, &identity), "load");
        bench_receive(dir, identity, stored);
        bench_pages(store, identity, stored);
        bench_search(identity, stored);
        identity = identity_free(identity);
        (void) store_close(store);
}

int main(int argc, char *argv[]) {
        uint64_t messages, n = 0;

        log_set_level(LOG_WARNING);
        if (argc == 4 && strcmp(argv[1], "--start") == 0) {
                bench_start(argv[2], g_ascii_strtoull(argv[3], NULL, 10));
                return EXIT_SUCCESS;
        }
        if (argc == 4 && strcmp(argv[1], "--contacts") == 0) {
                PublicKey own;

                memset(own.bytes, 0x42, sizeof(own.bytes)); /* bench-radio's */
                fill_contacts(argv[2], &own, (unsigned) g_ascii_strtoull(argv[3], NULL, 10));
                return EXIT_SUCCESS;
        }
        if (argc < 2) {
                (void) fprintf(stderr, "usage: %s DIRECTORY [MESSAGES]\n", argv[0]);
                return EXIT_FAILURE;
        }

        messages = argc > 2 ? g_ascii_strtoull(argv[2], NULL, 10) : 1000000;
        fill_contacts(argv[1], &own_key, CONTACTS);
        for (uint64_t size = SMALLEST; size <= messages; size *= 10) {
                Store *store = NULL;

                check(store_open(argv[1], &store), "open");
                fill(store, n, size);
                (void) store_close(store);
                n = size + COMMITS;
                bench_size(argv[0], argv[1], size);
        }
        return EXIT_SUCCESS;
}
