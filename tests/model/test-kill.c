/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "macros.h"
#include "model-fixture.h"

/* A receiver is killed at random moments, again and again, in one directory.
 * Each id that it told of after the commit must be there, and each text once. */

#define KILLS 50

static Fixture f;

static void setup(void) {
        fixture_setup(&f);
}

static void teardown(void) {
        fixture_teardown(&f);
}

/* Without assertions: check writes them to a pipe that it shares with its children, and a kill in
 * the middle of that would be taken for a failure. */
static int receive_until_killed(unsigned round, int out) {
        const PublicKey peer = key_of(1, 1);
        Identity *identity = NULL;
        Store *store = NULL;

        if (store_open(f.dir, &store) < 0 || identity_load(store, &own_key, &identity) < 0)
                return EXIT_FAILURE;

        for (unsigned n = 0;; n++) {
                g_autofree char *text = g_strdup_printf("%u-%u", round, n);
                g_autoptr(Message) message = text_from(&peer, text, round * 100000 + n);
                ReceiveResult result;
                uint64_t told[2];

                if (identity_receive(identity, message, &result) < 0 || result != RECEIVE_NEW)
                        return EXIT_FAILURE;
                if (n % 3 == 2 && identity_mark_read(identity, &message->id, 1) != 1)
                        return EXIT_FAILURE;
                told[0] = message->id;
                told[1] = n;
                if (write(out, told, sizeof(told)) != sizeof(told))
                        return EXIT_FAILURE;
        }
}

/* Lets a child live for some messages and a random while; what it told is added. */
static void run_round(unsigned round, GHashTable *told) {
        int fds[2], status;
        uint64_t record[2];
        pid_t pid;

        ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
        pid = fork();
        ck_assert_int_ge(pid, 0);
        if (pid == 0) {
                (void) close(fds[0]);
                _exit(receive_until_killed(round, fds[1]));
        }
        (void) close(fds[1]);

        /* Sometimes it dies while it opens the store. */
        if (round % 5 != 0) {
                struct pollfd alive = {.fd = fds[0], .events = POLLIN};

                ck_assert_int_eq(poll(&alive, 1, 20000), 1);
        }
        (void) usleep((useconds_t) g_random_int_range(0, 20000));
        ck_assert_int_eq(kill(pid, SIGKILL), 0);
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);

        while (read(fds[0], record, sizeof(record)) == sizeof(record))
                g_hash_table_insert(told, g_memdup2(&record[0], sizeof(record[0])),
                                    g_strdup_printf("%u-%" PRIu64, round, record[1]));
        (void) close(fds[0]);
}

static void assert_all_there(GHashTable *told) {
        g_autoptr(GHashTable) texts = g_hash_table_new(g_str_hash, g_str_equal);
        g_autoptr(GPtrArray) list = NULL;
        MessageFilter filter;
        uint64_t unread = 0;
        guint found = 0;

        message_filter_init(&filter);
        ck_assert_int_eq(identity_list_messages(f.identity, &filter, 0, true, G_MAXINT, &list), 0);
        for (guint i = 0; i < list->len; i++) {
                const Message *message = list->pdata[i];
                const char *text = g_hash_table_lookup(told, &message->id);

                ck_assert_msg(g_hash_table_add(texts, message->text), "%s is there twice", message->text);
                unread += !message->read;
                if (text) {
                        ck_assert_str_eq(text, message->text);
                        found++;
                }
        }
        ck_assert_uint_eq(found, g_hash_table_size(told));
        ck_assert_uint_eq(identity_unread(f.identity), unread);
}

START_TEST(killed_while_receiving) {
        g_autoptr(GHashTable) told = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);

        for (unsigned round = 0; round < KILLS; round++) {
                fixture_close(&f);
                run_round(round, told);
                fixture_open(&f);
                assert_all_there(told);
        }
        ck_assert_uint_gt(g_hash_table_size(told), KILLS);
        ck_assert_uint_eq(fixture_count_files(&f, "store.db.damaged"), 0);
        ck_assert_int_eq(fixture_sql(&f, "SELECT count(*) FROM pragma_integrity_check"
                                         " WHERE integrity_check <> 'ok'"),
                         0);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("kill");
        TCase *tc = tcase_create("kill");

        tcase_set_timeout(tc, 60);
        tcase_add_checked_fixture(tc, setup, teardown);
        tcase_add_test(tc, killed_while_receiving);
        suite_add_tcase(suite, tc);
        return fixture_run(suite);
}
