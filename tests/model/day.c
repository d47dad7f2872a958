/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "day.h"
#include "pending.h"

static int do_put_contact(Fixture *f) {
        g_autoptr(Contact) contact = contact_of(1, "Ann");

        contact->last_advert = 5;
        return identity_put_contact(f->identity, contact);
}

static int receive_one(Fixture *f, const char *text, uint32_t timestamp) {
        const PublicKey ann = key_of(1, 1);
        g_autoptr(Message) message = text_from(&ann, text, timestamp);
        ReceiveResult result;
        int r;

        r = identity_receive(f->identity, message, &result);
        if (r < 0)
                ck_assert_uint_eq(message->id, 0);
        return r;
}

static int do_receive(Fixture *f) {
        return receive_one(f, "hello", 1);
}

static int do_receive_more(Fixture *f) {
        g_autofree char *text = g_strnfill(9000, 'x'); /* overflow pages */

        return receive_one(f, text, 2);
}

static int do_receive_again(Fixture *f) {
        return receive_one(f, "hello", 1);
}

static int do_queue(Fixture *f) {
        const PublicKey ann = key_of(1, 1);
        g_autoptr(Message) message = text_from(&ann, "answer", 0);
        int r;

        r = identity_queue(f->identity, message, 1000, "token");
        if (r < 0) {
                ck_assert_uint_eq(message->id, 0);
                ck_assert(!message->read);
        }
        return MIN(r, 0);
}

static int do_update(Fixture *f) {
        const MessageUpdate update = {
                        .set = MESSAGE_CHANGED_STATE | MESSAGE_CHANGED_SENDER_TIMESTAMP |
                               MESSAGE_CHANGED_ATTEMPTS,
                        .state = MESSAGE_SENDING,
                        .sender_timestamp = 1700000000,
                        .attempts = 1,
                        .add_attempt = true,
                        .expected_ack = {1, 2, 3, 4},
        };

        return identity_update_message(f->identity, identity_last_message_id(f->identity), &update);
}

static int do_slot(Fixture *f) {
        static const uint8_t secret[CHANNEL_SECRET_SIZE] = {1};

        return identity_set_slot(f->identity, 0, "Public", secret, CHANNEL_PUBLIC);
}

static int do_other_slot(Fixture *f) {
        static const uint8_t secret[CHANNEL_SECRET_SIZE] = {2};

        return identity_set_slot(f->identity, 0, "other", secret, CHANNEL_PRIVATE);
}

static int do_batch(Fixture *f) {
        const PublicKey ann = key_of(1, 1);
        int r;

        r = identity_begin(f->identity);
        if (r < 0)
                return r;

        for (unsigned i = 2; i < 30; i++) {
                g_autoptr(Contact) contact = contact_of((uint8_t) i, "somebody");

                (void) identity_put_contact(f->identity, contact);
        }
        (void) identity_remove_contact(f->identity, &ann);
        (void) identity_set_contacts_mark(f->identity, 99, 28);
        return identity_commit(f->identity);
}

static int do_mark_read(Fixture *f) {
        const uint64_t ids[] = {1, 2};
        const int r = identity_mark_read(f->identity, ids, 2);

        return MIN(r, 0);
}

int day_flush(Fixture *f) {
        const PublicKey key = key_of(2, 2);

        identity_touch_contact(f->identity, &key, 77);
        return identity_flush(f->identity);
}

static int do_delete(Fixture *f) {
        const uint64_t id = 1;
        const int r = identity_delete_messages(f->identity, &id, 1);

        return MIN(r, 0);
}

static int do_radio(Fixture *f) {
        return store_set_slot(f->store, "sim", &own_key);
}

static int do_rename_slot(Fixture *f) {
        static const uint8_t secret[CHANNEL_SECRET_SIZE] = {2};

        return identity_set_slot(f->identity, 0, "renamed", secret, CHANNEL_PRIVATE);
}

static int do_receive_in_channel(Fixture *f) {
        const uint64_t channel = identity_get_slot(f->identity, 0)->id;
        g_autoptr(Message) message = text_to_channel(channel, "Eve", "to all", 3);
        ReceiveResult result;

        return identity_receive(f->identity, message, &result);
}

/* Somebody leaves so that another has room. */
static int do_crowd(Fixture *f) {
        g_autoptr(Contact) contact = contact_of(50, "newcomer");
        int r;

        identity_set_contact_limit(f->identity, g_hash_table_size(identity_contacts(f->identity)));
        r = identity_put_contact(f->identity, contact);
        identity_set_contact_limit(f->identity, 10000);
        return r;
}

static int do_repeat(Fixture *f) {
        const MessageRepeat repeat = {.n_hops = 1, .hash_size = 1, .hashes = (const uint8_t[]){7}};
        const int r = identity_add_repeat(f->identity, identity_last_message_id(f->identity), &repeat);

        return r < 0 ? r : identity_flush(f->identity);
}

static int do_pending(Fixture *f) {
        g_autoptr(Contact) stays = contact_of(60, "stays"), leaves = contact_of(61, "leaves");
        g_autoptr(Pending) pending = NULL;
        int r;

        r = pending_load(f->store, &own_key, &pending);
        if (r < 0)
                return r;

        pending_put(pending, stays);
        pending_put(pending, leaves);
        r = pending_flush(pending);
        if (r < 0) {
                ck_assert(pending_needs_flush(pending));
                return r;
        }
        (void) pending_remove(pending, &leaves->key);
        r = pending_flush(pending);
        ck_assert(pending_needs_flush(pending) == (r < 0));
        return r;
}

static int do_lines(Fixture *f) {
        const int r = store_set_lines(f->store, "1:2:3", NULL);

        return r < 0 ? r : store_set_lines(f->store, "1:2:3", "other");
}

static int do_look(Fixture *f) {
        g_autoptr(GArray) open = NULL, window = NULL;
        size_t n_open;
        uint64_t id;
        int r;

        r = identity_open_messages(f->identity, &open);
        if (r >= 0)
                r = identity_window(f->identity, 10, &window, &n_open);
        if (r >= 0)
                r = identity_nth_newest(f->identity, 1, &id);
        return r;
}

const DayStep day_steps[] = {
                {"put contact", do_put_contact},
                {"receive", do_receive},
                {"receive more", do_receive_more},
                {"receive again", do_receive_again},
                {"queue", do_queue},
                {"update", do_update},
                {"slot", do_slot},
                {"other slot", do_other_slot},
                {"batch", do_batch},
                {"mark read", do_mark_read},
                {"flush", day_flush},
                {"delete", do_delete},
                {"radio", do_radio},
                {"rename slot", do_rename_slot},
                {"receive in channel", do_receive_in_channel},
                {"crowd", do_crowd},
                {"repeat", do_repeat},
                {"pending", do_pending},
                {"lines", do_lines},
                {"look", do_look},
                {},
};

void day_work(Fixture *f) {
        for (const DayStep *step = day_steps; step->run; step++)
                ck_assert_msg(step->run(f) == 0, "%s fails", step->name);
}

void day_assert_done(Fixture *f) {
        ck_assert_int_eq(fixture_sql(f, "SELECT count(*) FROM message"), 3);
        ck_assert_int_eq(fixture_sql(f, "SELECT count(*) FROM token"), 1);
        ck_assert_int_eq(fixture_sql(f, "SELECT count(*) FROM attempt"), 1);
        ck_assert_int_eq(fixture_sql(f, "SELECT count(*) FROM message WHERE repeats IS NOT NULL"), 1);
        ck_assert_int_eq(fixture_sql(f, "SELECT count(*) FROM pending"), 1);
        ck_assert_int_eq(fixture_sql(f, "SELECT count(*) FROM meta WHERE name = 'lines:1:2:3'"), 1);
}

void day_assert_same(const char *a, const char *b) {
        size_t at = 0;

        while (a[at] != '\0' && a[at] == b[at])
                at++;
        if (a[at] == b[at])
                return;
        while (at > 0 && a[at - 1] != '\n')
                at--;
        ck_abort_msg("one says: %.300s; the other: %.300s", a + at, b + at);
}
