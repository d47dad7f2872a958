/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "macros.h"
#include "model-fixture.h"

#define SECTOR 512

static Fixture f;

static void setup(void) {
        fixture_setup(&f);
}

static void teardown(void) {
        fixture_teardown(&f);
}

static Slice slice_of(const char *text) {
        return (Slice){(const uint8_t *) text, strlen(text)};
}

static void append(const char *text, uint64_t at) {
        ck_assert_int_eq(store_spool_append(f.store, &own_key, at, slice_of(text)), 0);
}

typedef struct Import {
        GString *seen;
        const char *fail_at;
} Import;

static int import_one(const PublicKey *identity, uint64_t timestamp_usec, Slice frame, void *userdata) {
        Import *import = userdata;

        ck_assert(key_equal(identity, &own_key));
        g_string_append_printf(import->seen, "%.*s@%" PRIu64 " ", (int) frame.size, (const char *) frame.data,
                               timestamp_usec);
        return import->fail_at && slice_of(import->fail_at).size == frame.size &&
                                               memcmp(import->fail_at, frame.data, frame.size) == 0
                               ? -EIO
                               : 0;
}

#define assert_import(expected, result, fails)                                               \
        do {                                                                                 \
                Import _import = {g_string_new(NULL), fails};                                \
                ck_assert_int_eq(store_spool_import(f.store, import_one, &_import), result); \
                ck_assert_str_eq(_import.seen->str, expected);                               \
                (void) g_string_free(_import.seen, true);                                    \
        } while (false)

START_TEST(order) {
        assert_import("", 0, NULL);
        append("one", 1);
        ck_assert_int_eq(store_check_room(f.store), -EBUSY);
        append("two", 2);
        append("", UINT64_MAX);
        fixture_reopen(&f);
        ck_assert_int_eq(store_check_room(f.store), -EBUSY);
        append("four", 4);
        assert_import("one@1 two@2 ", -EIO, "two");
        assert_import("two@2 @18446744073709551615 four@4 ", -EIO, "four");
        append("five", 5); /* takes a sector before that of "four" */
        fixture_reopen(&f);
        assert_import("four@4 five@5 ", 0, NULL);
        ck_assert_int_eq(store_check_room(f.store), 0);
        assert_import("", 0, NULL);
        fixture_reopen(&f);
        assert_import("", 0, NULL);
}
END_TEST

/* The linker leads every call of ours here. */
int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);
static unsigned n_syncs;
static bool sync_fails;

int __wrap_fdatasync(int fd) {
        n_syncs++;
        if (!sync_fails)
                return __real_fdatasync(fd);
        errno = EIO;
        return -1;
}

/* What was said to be there is on the disk, and nothing was said too early. */
START_TEST(synced) {
        n_syncs = 0;
        append("one", 1);
        ck_assert_uint_eq(n_syncs, 1);
        append("two", 2);
        ck_assert_uint_eq(n_syncs, 2);
        sync_fails = true;
        ck_assert_int_eq(store_spool_append(f.store, &own_key, 3, slice_of("three")), -EIO);
        assert_import("one@1 two@2 ", -EIO, NULL);
        sync_fails = false;
        append("four", 4);
        n_syncs = 0;
        assert_import("four@4 ", 0, NULL);
        ck_assert_uint_eq(n_syncs, 1);

        /* It was written after all; whoever still held it makes this a duplicate. */
        fixture_reopen(&f);
        assert_import("three@3 ", 0, NULL);
}
END_TEST

START_TEST(bounds) {
        uint8_t frame[STORE_SPOOL_FRAME_MAX + 1] = {7};
        unsigned n = 0;

        ck_assert_int_eq(store_spool_append(f.store, &own_key, 1, (Slice){frame, sizeof(frame)}), -EMSGSIZE);
        while (store_spool_append(f.store, &own_key, 1, (Slice){frame, STORE_SPOOL_FRAME_MAX}) >= 0)
                n++;
        ck_assert_uint_eq(n, STORE_SPOOL_FRAMES);
        ck_assert_int_eq(store_spool_append(f.store, &own_key, 1, (Slice){frame, 1}), -ENOSPC);
        fixture_reopen(&f);
        ck_assert_int_eq(store_spool_append(f.store, &own_key, 1, (Slice){frame, 1}), -ENOSPC);
}
END_TEST

static void put_file(const uint8_t *data, size_t size) {
        g_autofree char *path = fixture_path(&f, "spool");

        ck_assert(g_file_set_contents(path, (const char *) data, (gssize) size, NULL));
}

/* The write of the third record stops after any number of bytes: the two before are whole, and
 * it can be written again. */
START_TEST(torn_anywhere) {
        g_autofree char *path = fixture_path(&f, "spool"), *data = NULL;
        g_autofree uint8_t *torn = g_malloc(65536);
        gsize size;

        append("one", 1);
        append("two", 2);
        append("three", 3);
        fixture_close(&f);
        ck_assert(g_file_get_contents(path, &data, &size, NULL));
        ck_assert_uint_eq(size, 65536);

        for (unsigned at = 0; at <= SECTOR; at++) {
                const bool whole = memcmp(data + 2 * SECTOR + at, (uint8_t[SECTOR]){}, SECTOR - at) == 0;

                memcpy(torn, data, size);
                memset(torn + 2 * SECTOR + at, 0, SECTOR - at);
                put_file(torn, size);
                ck_assert_int_eq(store_open(f.dir, &f.store), 0);
                append("next", 4);
                assert_import(whole ? "one@1 two@2 three@3 next@4 " : "one@1 two@2 next@4 ", 0, NULL);
                f.store = store_close(f.store);
        }
        fixture_open(&f);
}
END_TEST

/* Any bit of a record that rots costs that record and no other. */
START_TEST(rotten_anywhere) {
        g_autofree char *path = fixture_path(&f, "spool"), *data = NULL;
        g_autofree uint8_t *rotten = g_malloc(65536);
        gsize size;

        append("one", 1);
        append("two", 2);
        append("three", 3);
        fixture_close(&f);
        ck_assert(g_file_get_contents(path, &data, &size, NULL));

        for (unsigned at = 0; at < SECTOR; at++) {
                memcpy(rotten, data, size);
                rotten[SECTOR + at] ^= (uint8_t) (1 << (at % 8));
                put_file(rotten, size);
                ck_assert_int_eq(store_open(f.dir, &f.store), 0);
                assert_import("one@1 three@3 ", 0, NULL);
                f.store = store_close(f.store);
        }
        fixture_open(&f);
}
END_TEST

/* Made by a start that stopped half-way. */
START_TEST(short_file) {
        g_autofree char *path = fixture_path(&f, "spool"), *data = NULL;
        struct stat st;
        gsize size;

        append("one", 1);
        fixture_close(&f);
        ck_assert(g_file_get_contents(path, &data, &size, NULL));
        for (gsize cut = 0; cut < size; cut += 700) {
                put_file((const uint8_t *) data, cut);
                fixture_open(&f);
                ck_assert_int_eq(stat(path, &st), 0);
                ck_assert_int_eq(st.st_size, 65536);
                assert_import(cut > SECTOR ? "one@1 " : "", 0, NULL);
                fixture_close(&f);
        }
        ck_assert_int_eq(unlink(path), 0);
        ck_assert_int_eq(mkdir(path, 0700), 0);
        ck_assert_int_eq(store_open(f.dir, &f.store), -EISDIR);
        ck_assert_int_eq(rmdir(path), 0);
        fixture_open(&f);
}
END_TEST

/* Damage that comes after the start is met by the import. */
START_TEST(rot_while_running) {
        g_autofree char *path = fixture_path(&f, "spool");
        _cleanup_close_ int fd = -EBADF;

        append("one", 1);
        append("two", 2);
        fd = open(path, O_WRONLY | O_CLOEXEC);
        ck_assert_int_eq(pwrite(fd, "x", 1, 100), 1);
        assert_import("two@2 ", 0, NULL);
        ck_assert_int_eq(store_check_room(f.store), 0);
}
END_TEST

/* A stop between the import and the emptying offers a frame again; the rule of duplicates
 * takes it for what it is. */
static int import_message(const PublicKey *identity, uint64_t timestamp_usec, Slice frame, void *userdata) {
        g_autoptr(Message) message = text_from(&own_key, "from the spool", 7);
        ReceiveResult result;

        message->timestamp_usec = timestamp_usec;
        return identity_receive(f.identity, message, &result);
}

START_TEST(offered_again) {
        g_autofree char *path = fixture_path(&f, "spool"), *data = NULL;
        g_autoptr(Message) message = NULL;
        gsize size;

        append("frame", UINT64_C(1700000000000000));
        ck_assert(g_file_get_contents(path, &data, &size, NULL));
        ck_assert_int_eq(store_spool_import(f.store, import_message, NULL), 0);
        fixture_close(&f);
        put_file((const uint8_t *) data, size);
        fixture_open(&f);
        ck_assert_int_eq(store_spool_import(f.store, import_message, NULL), 0);
        ck_assert_uint_eq(identity_last_message_id(f.identity), 1);
        message = identity_get_message(f.identity, 1);
        ck_assert_uint_eq(message->duplicates, 1);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("spool");
        TCase *tc = tcase_create("spool");

        tcase_set_timeout(tc, 60);
        tcase_add_checked_fixture(tc, setup, teardown);
        tcase_add_test(tc, order);
        tcase_add_test(tc, synced);
        tcase_add_test(tc, bounds);
        tcase_add_test(tc, torn_anywhere);
        tcase_add_test(tc, rotten_anywhere);
        tcase_add_test(tc, short_file);
        tcase_add_test(tc, rot_while_running);
        tcase_add_test(tc, offered_again);
        suite_add_tcase(suite, tc);
        return fixture_run(suite);
}
