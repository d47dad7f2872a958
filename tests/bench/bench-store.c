/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What the store costs, beside the floor measured in the same run: a bare
 * SQLite commit of one row. Usage: bench-store [DIRECTORY [MESSAGES]] */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "identity.h"
#include "log.h"
#include "store-internal.h"

#define CONTACTS     1000
#define SMALL        100000
#define COMMITS      2000
#define PAGE         100
#define PAGES        200
#define BATCH        5000
#define FIRST_SECOND UINT64_C(1700000000)

static const PublicKey own_key = {{0xee}};
static uint64_t channel;

static uint64_t now_nsec(void) {
        struct timespec ts;

        (void) clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t) ts.tv_sec * 1000000000U + (uint64_t) ts.tv_nsec;
}

static int compare_u64(const void *a, const void *b) {
        const uint64_t x = *(const uint64_t *) a, y = *(const uint64_t *) b;

        return x < y ? -1 : x > y;
}

static void report(const char *what, uint64_t *nsec, size_t n) {
        qsort(nsec, n, sizeof(*nsec), compare_u64);
        printf("%-44s p50 %9.1f us   p99 %9.1f us   max %9.1f us\n", what, (double) nsec[n / 2] / 1e3,
               (double) nsec[n * 99 / 100] / 1e3, (double) nsec[n - 1] / 1e3);
        (void) fflush(stdout);
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

static void fill_contacts(const char *dir) {
        static const uint8_t secret[CHANNEL_SECRET_SIZE] = {1};
        g_autoptr(Identity) identity = NULL;
        Store *store = NULL;

        check(store_open(dir, &store), "open");
        check(identity_load(store, &own_key, &identity), "load");
        check(identity_begin(identity), "begin");
        for (unsigned i = 0; i < CONTACTS; i++) {
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

static void bench_bare(const char *dir) {
        g_autofree char *path = g_build_filename(dir, "bare.db", NULL);
        g_autofree uint64_t *nsec = g_new(uint64_t, COMMITS);
        sqlite3_stmt *insert = NULL;
        sqlite3 *db = NULL;

        if (sqlite3_open(path, &db) != SQLITE_OK ||
            sqlite3_exec(db,
                         "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                         "CREATE TABLE m (id INTEGER PRIMARY KEY, text TEXT)",
                         NULL, NULL, NULL) != SQLITE_OK ||
            sqlite3_prepare_v2(db, "INSERT INTO m (text) VALUES (?)", -1, &insert, NULL) != SQLITE_OK)
                check(-EIO, sqlite3_errmsg(db));

        for (size_t i = 0; i < COMMITS; i++) {
                const uint64_t start = now_nsec();

                (void) sqlite3_bind_text(insert, 1, "Message 1 says that the weather on the hill is fine", -1,
                                         SQLITE_STATIC);
                if (sqlite3_step(insert) != SQLITE_DONE)
                        check(-EIO, sqlite3_errmsg(db));
                (void) sqlite3_reset(insert);
                nsec[i] = now_nsec() - start;
        }
        (void) sqlite3_finalize(insert);
        (void) sqlite3_close(db);
        report("floor: bare SQLite commit of one row", nsec, COMMITS);
}

static void bench_receive(Identity *identity, uint64_t from) {
        g_autofree uint64_t *nsec = g_new(uint64_t, COMMITS);

        for (size_t i = 0; i < COMMITS; i++) {
                g_autoptr(Message) message = make_message(from + i, false);
                ReceiveResult result;
                uint64_t start;

                start = now_nsec();
                check(identity_receive(identity, message, &result), "receive");
                nsec[i] = now_nsec() - start;
        }
        report("identity_receive(), committed", nsec, COMMITS);
}

static void bench_pages(Identity *identity, const char *what, const MessageFilter *filter, uint64_t last,
                        size_t pages) {
        g_autofree uint64_t *nsec = g_new(uint64_t, pages);
        g_autofree char *line = NULL;
        size_t n = 0;

        for (size_t i = 0; i < pages; i++) {
                g_autoptr(GPtrArray) list = NULL;
                const uint64_t from = i == 0 ? 0 : last * i / pages;
                uint64_t start;

                start = now_nsec();
                check(identity_list_messages(identity, filter, from, i % 2 == 1, PAGE, &list), "list");
                nsec[i] = now_nsec() - start;
                n += list->len;
        }
        line = g_strdup_printf("page of %i, %s (%zu rows)", PAGE, what, n / pages);
        report(line, nsec, pages);
}

static void bench_page(Identity *identity, const char *what, const MessageFilter *filter, uint64_t last) {
        bench_pages(identity, what, filter, last, PAGES);
}

static void bench_window(Identity *identity) {
        g_autofree uint64_t *nsec = g_new(uint64_t, PAGES);

        for (size_t i = 0; i < PAGES; i++) {
                g_autoptr(GArray) ids = NULL;
                size_t n_open;
                const uint64_t start = now_nsec();

                check(identity_window(identity, 256, &ids, &n_open), "window");
                nsec[i] = now_nsec() - start;
        }
        report("window of 256", nsec, PAGES);
}

static void print_memory(const char *when) {
        static const char *const names[] = {"VmRSS:", "RssAnon:"};
        g_autofree char *status = NULL;

        if (!g_file_get_contents("/proc/self/status", &status, NULL, NULL))
                return;

        printf("%-44s", when);
        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                const char *at = strstr(status, names[i]);

                if (at)
                        printf(" %s %.1f MiB  ", names[i], strtod(at + strlen(names[i]), NULL) / 1024);
        }
        printf("\n");
        (void) fflush(stdout);
}

/* In a process of its own, whose memory is that of a start. */
static void bench_start(const char *dir, uint64_t messages) {
        g_autoptr(GArray) window = NULL;
        g_autoptr(Identity) identity = NULL;
        g_autofree char *when = g_strdup_printf("after a start with %" PRIu64 " messages", messages);
        Store *store = NULL;
        uint64_t start;
        size_t n_open;

        print_memory("before");
        start = now_nsec();
        check(store_open(dir, &store), "open");
        check(identity_load(store, &own_key, &identity), "load");
        check(identity_window(identity, 256, &window, &n_open), "window");
        printf("%-44s %9.2f ms\n", "open, load, window", (double) (now_nsec() - start) / 1e6);
        print_memory(when);
        for (unsigned i = 0; i < 200; i++) {
                g_autoptr(GPtrArray) list = NULL;
                MessageFilter filter;

                message_filter_init(&filter);
                check(identity_list_messages(identity, &filter, 1 + i * messages / 200, true, PAGE, &list),
                      "list");
        }
        print_memory("after 200 pages of it were read");
        identity = identity_free(identity);
        (void) store_close(store);
}

static void run_start(const char *self, const char *dir, uint64_t messages) {
        g_autofree char *count = g_strdup_printf("%" PRIu64, messages);
        const char *argv[] = {self, "--start", dir, count, NULL};
        int status = 0;

        if (!g_spawn_sync(NULL, (char **) argv, NULL, G_SPAWN_CHILD_INHERITS_STDIN, NULL, NULL, NULL, NULL,
                          &status, NULL) ||
            status != 0)
                check(-EIO, "start");
}

static void bench_lists(Identity *identity) {
        const uint64_t last = identity_last_message_id(identity);
        const PublicKey peer = peer_key(0);
        MessageFilter filter;

        message_filter_init(&filter);
        bench_page(identity, "all", &filter, last);
        filter.peer = &peer;
        bench_page(identity, "one contact", &filter, last);
        filter.unread_only = true;
        bench_page(identity, "one contact, unread", &filter, last);
        filter.peer = NULL;
        bench_page(identity, "unread", &filter, last);
        filter.channel = channel;
        bench_page(identity, "one channel, unread", &filter, last);
        filter.unread_only = false;
        bench_page(identity, "one channel", &filter, last);
        bench_window(identity);

        /* The worst that a client can ask for: every row is looked at. */
        message_filter_init(&filter);
        filter.text = "nowhere";
        bench_pages(identity, "a text that is nowhere", &filter, last, 1);
}

static void remove_all(const char *dir) {
        g_autoptr(GDir) entries = g_dir_open(dir, 0, NULL);
        const char *name;

        while (entries && (name = g_dir_read_name(entries))) {
                g_autofree char *path = g_build_filename(dir, name, NULL);

                (void) unlink(path);
        }
        (void) rmdir(dir);
}

int main(int argc, char *argv[]) {
        g_autofree char *dir = NULL;
        g_autoptr(Identity) identity = NULL;
        uint64_t messages;
        Store *store = NULL;

        log_set_level(LOG_WARNING);
        if (argc == 4 && strcmp(argv[1], "--start") == 0) {
                bench_start(argv[2], g_ascii_strtoull(argv[3], NULL, 10));
                return EXIT_SUCCESS;
        }

        dir = g_build_filename(argc > 1 ? argv[1] : g_get_tmp_dir(), "bench-store-XXXXXX", NULL);
        messages = argc > 2 ? MAX(g_ascii_strtoull(argv[2], NULL, 10), SMALL) : 1000000;
        if (!g_mkdtemp(dir))
                check(-errno, dir);

        bench_bare(dir);
        fill_contacts(dir);
        check(store_open(dir, &store), "open");
        fill(store, 0, SMALL);
        store = store_close(store);
        run_start(argv[0], dir, SMALL);

        check(store_open(dir, &store), "open");
        fill(store, SMALL, messages);
        store = store_close(store);
        run_start(argv[0], dir, messages);

        check(store_open(dir, &store), "open");
        check(identity_load(store, &own_key, &identity), "load");
        bench_receive(identity, messages);
        bench_lists(identity);
        identity = identity_free(identity);
        (void) store_close(store);
        remove_all(dir);
        return EXIT_SUCCESS;
}
