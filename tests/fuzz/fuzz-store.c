/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A state directory as the daemon finds it, of any age and damaged in any way: it is opened, read, searched
 * and written, and whatever was wrong with it, there is a store in the end that keeps what it is given. The
 * first byte says where it begins; then comes the damage. */

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz-store.h"
#include "fuzz.h"
#include "identity.h"
#include "log.h"
#include "macros.h"
#include "pending.h"

#define DAMAGES_MAX 16
#define TRIES_MAX   8 /* damage that the check does not see is believed only when it is met again */

static void check_text(const char *text) {
        FUZZ_ASSERT(text && g_utf8_validate(text, -1, NULL));
}

static void check_message(const Message *message) {
        MessageRepeat repeat;
        size_t offset = 0;

        check_text(message->author);
        check_text(message->text);
        if (message->error)
                check_text(message->error);
        FUZZ_ASSERT(message_kind_to_string(message->kind) && message_state_to_string(message->state));
        fuzz_touch(message->data, message->data_size);
        while (message_next_repeat(message, &offset, &repeat)) {
                FUZZ_ASSERT(repeat.hash_size >= 1 && repeat.hash_size <= 3);
                fuzz_touch(repeat.hashes, repeat.n_hops * repeat.hash_size);
        }
}

/* -- reading ------------------------------------------------------------------------------ */

static void list(Identity *identity, const MessageFilter *filter, bool newer) {
        uint64_t from = 0;

        for (unsigned pages = 0; pages < 8; pages++) {
                g_autoptr(GPtrArray) messages = NULL;

                if (identity_search_messages(identity, filter, from, newer, 2, 3, &from, &messages) < 0)
                        return;
                FUZZ_ASSERT(messages->len <= 2);
                for (guint i = 0; i < messages->len; i++)
                        check_message(messages->pdata[i]);
                if (from == 0)
                        return;
        }
}

static void read_messages(Identity *identity) {
        g_autoptr(GArray) open = NULL, window = NULL;
        PublicKey peer = files_key(2);
        MessageFilter filter;
        size_t n_open;
        uint64_t id;

        message_filter_init(&filter);
        for (unsigned newer = 0; newer < 2; newer++) {
                message_filter_init(&filter);
                list(identity, &filter, newer);
                filter.text = "o";
                filter.unread_only = true;
                list(identity, &filter, newer);
                filter.peer = &peer;
                list(identity, &filter, newer);
                filter.unread_only = false;
                list(identity, &filter, newer);
                filter.peer = NULL;
                filter.channel = 9;
                list(identity, &filter, newer);
                filter.channel = 0;
                filter.direction = 2;
                list(identity, &filter, newer);
        }
        (void) identity_open_messages(identity, &open);
        (void) identity_window(identity, 16, &window, &n_open);
        (void) identity_nth_newest(identity, 1, &id);
        (void) identity_unread(identity);
        (void) identity_find_ack(identity, (const uint8_t[]){1, 2, 3, 4});
        (void) identity_has_token(identity, 0, "token");
        for (id = 1; id < 6; id++) {
                g_autoptr(Message) message = identity_get_message(identity, id);

                if (message)
                        check_message(message);
        }
}

static void take_slot(const char *id, const PublicKey *key, void *userdata) {
        check_text(id);
        fuzz_touch(key->bytes, sizeof(key->bytes));
}

static int take_spooled(const PublicKey *key, uint64_t timestamp_usec, Slice frame, void *userdata) {
        unsigned *n = userdata;

        fuzz_touch(key->bytes, sizeof(key->bytes));
        fuzz_touch(frame.data, frame.size);
        return ++*n < 3 ? 0 : -EIO;
}

static void read_book(Store *store, Identity *identity) {
        g_autofree char *lines = NULL;
        GHashTableIter iter;
        gpointer value;
        PublicKey key;

        g_hash_table_iter_init(&iter, identity_contacts(identity));
        while (g_hash_table_iter_next(&iter, NULL, &value))
                check_text(((const Contact *) value)->name);
        for (unsigned slot = 0; slot < IDENTITY_SLOTS_MAX; slot++) {
                const Channel *channel = identity_get_slot(identity, slot);

                if (channel)
                        check_text(channel->name);
        }
        (void) store_get_slot(store, "sim", &key);
        (void) store_list_slots(store, take_slot, NULL);
        if (store_get_lines(store, "device", &lines) >= 0)
                check_text(lines);
}

/* -- writing ------------------------------------------------------------------------------ */

static int receive(Identity *identity, uint32_t sender_timestamp, uint64_t *ret_id) {
        g_autoptr(Message) message = message_new();
        ReceiveResult result;
        int r;

        message->state = MESSAGE_RECEIVED;
        message->has_peer = true;
        message->timestamp_usec = 7;
        message->sender_timestamp = sender_timestamp;
        g_free(message->text);
        message->text = g_strdup("new");
        r = identity_receive(identity, message, &result);
        if (r >= 0)
                *ret_id = message->id;
        return r;
}

static void write_messages(Identity *identity) {
        const MessageUpdate update = {
                        .set = MESSAGE_CHANGED_STATE | MESSAGE_CHANGED_ATTEMPTS,
                        .state = MESSAGE_SENT,
                        .attempts = 1,
                        .add_attempt = true,
        };
        g_autoptr(Message) message = message_new();
        uint64_t id = 0;

        message->has_peer = message->has_peer_key = true;
        message->peer = files_key(2);
        memcpy(message->peer_prefix, message->peer.bytes, sizeof(message->peer_prefix));
        (void) identity_queue(identity, message, 0, "token");
        (void) receive(identity, 5, &id);
        (void) identity_update_message(identity, 3, &update);
        (void) identity_mark_read(identity, (const uint64_t[]){1, 2, 99}, 3);
        (void) identity_delete_messages(identity, (const uint64_t[]){1, 4}, 2);
        (void) identity_flush(identity);
}

static void write_book(Store *store, Identity *identity) {
        const uint8_t secret[CHANNEL_SECRET_SIZE] = {7};
        PublicKey key = files_key(50);
        g_autoptr(Contact) contact = contact_new(&key);

        (void) identity_put_contact(identity, contact);
        (void) identity_remove_contact(identity, &key);
        (void) identity_set_slot(identity, 3, "#new", secret, CHANNEL_HASHTAG);
        (void) identity_set_contacts_mark(identity, 1, 2);
        (void) store_set_slot(store, "sim", &key);
        (void) store_set_lines(store, "device", "both");
}

static void use_pending(Store *store, const PublicKey *key) {
        g_autoptr(Pending) pending = NULL;
        g_autoptr(Contact) contact = contact_new(key);
        g_autoptr(GPtrArray) all = NULL;

        if (pending_load(store, key, &pending) < 0)
                return;
        all = pending_list(pending);
        for (guint i = 0; i < all->len; i++)
                check_text(((const Contact *) all->pdata[i])->name);
        pending_put(pending, contact);
        (void) pending_flush(pending);
}

static void wait_for(int fd) {
        struct pollfd done = {.fd = fd, .events = POLLIN};
        int r = -1;

        /* The fuzzer's own timer interrupts it. */
        while (fd >= 0 && r < 0) {
                r = poll(&done, 1, 60000);
                FUZZ_ASSERT(r == 1 || (r < 0 && errno == EINTR));
        }
}

static void back_up(Store *store) {
        int fd = memfd_create("backup", MFD_CLOEXEC);

        if (store_backup_start(store, fd) >= 0) {
                wait_for(store_backup_fd(store));
                (void) store_backup_finish(store);
        }
        (void) close(fd);
}

/* Nothing has to work here, and much does not. */
static void use(Store *store, bool with_backup) {
        const PublicKey key = files_key(1);
        g_autoptr(Identity) identity = NULL;
        unsigned n_spooled = 0;

        if (identity_load(store, &key, &identity) < 0)
                return;
        read_book(store, identity);
        read_messages(identity);
        (void) store_spool_import(store, take_spooled, &n_spooled);
        (void) store_check_room(store);
        write_messages(identity);
        write_book(store, identity);
        use_pending(store, &key);
        wait_for(store_check_fd(store));
        (void) store_check_finish(store);
        if (with_backup)
                back_up(store);
}

/* -- what must hold ------------------------------------------------------------------------ */

/* Here it has to: what was wrong was seen, and is out of the way. */
static void check_works(const char *dir) {
        const PublicKey key = files_key(1);
        g_autoptr(Message) message = NULL;
        uint64_t id = 0;

        for (uint32_t round = 0; round < 2; round++) {
                g_autoptr(Store) store = NULL;
                g_autoptr(Identity) identity = NULL;
                int r = -EIO;

                FUZZ_ASSERT(store_open(dir, &store) >= 0);
                for (unsigned tries = 0; tries < TRIES_MAX && r < 0; tries++)
                        r = identity_load(store, &key, &identity);
                FUZZ_ASSERT(r >= 0);
                if (round == 1) {
                        message = identity_get_message(identity, id);
                        FUZZ_ASSERT(message && strcmp(message->text, "new") == 0);
                        return;
                }
                r = -EIO;
                for (unsigned tries = 0; tries < TRIES_MAX && r < 0; tries++)
                        r = receive(identity, 1000, &id);
                FUZZ_ASSERT(r >= 0);
                wait_for(store_check_fd(store));
                if (store_check_finish(store) < 0)
                        FUZZ_ASSERT(receive(identity, 1000, &id) >= 0);
        }
}

static void restore(const char *dir) {
        g_autofree char *path = g_build_filename(dir, "store.db", NULL), *kept = NULL;
        char *other = files_new_directory("fuzz-restore-XXXXXX");
        uint64_t n;

        if (store_restore(other, path, &n, &kept) >= 0)
                check_works(other);
        files_remove(other);
}

static char *read_store(const char *dir, gsize *ret_size) {
        g_autofree char *path = g_build_filename(dir, "store.db", NULL);
        char *data = NULL;

        *ret_size = 0;
        (void) g_file_get_contents(path, &data, ret_size, NULL);
        return data;
}

/* Of a newer version: nothing is touched. */
static void check_untouched(const char *dir, const char *before, gsize size) {
        gsize size_after;
        g_autofree char *after = read_store(dir, &size_after);

        FUZZ_ASSERT(size == size_after && memcmp(before, after, size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        FuzzInput in = {data, size};
        char *dir = files_new_directory("fuzz-store-XXXXXX");
        g_autofree char *before = NULL;
        g_autoptr(Store) store = NULL;
        gsize before_size;
        int r;

        log_set_level(LOG_EMERG);
        files_begin(dir, fuzz_byte(&in));
        for (unsigned i = 0; i < DAMAGES_MAX && in.size > 0; i++)
                files_damage(dir, &in);
        before = read_store(dir, &before_size);
        if (before && size % 4 == 0)
                restore(dir);

        r = store_open(dir, &store);
        FUZZ_ASSERT(r >= 0 || r == -EPROTONOSUPPORT);
        if (r >= 0) {
                use(store, size % 4 == 1);
                store = store_close(store);
                check_works(dir);
        } else
                check_untouched(dir, before, before_size);
        files_remove(dir);
        return 0;
}
