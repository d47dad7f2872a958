/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "clock.h"
#include "macros.h"
#include "model-fixture.h"
#include "pending.h"
#include "store-internal.h"

static Fixture f;

static void setup(void) {
        fixture_setup(&f);
}

static void teardown(void) {
        fixture_teardown(&f);
}

static void put(const Contact *contact) {
        ck_assert_int_eq(identity_put_contact(f.identity, contact), 0);
}

/* Nothing in memory differs from what a fresh load finds. */
static void assert_durable(void) {
        g_autofree char *before = fixture_dump(f.identity);
        g_autofree char *after = NULL;

        fixture_reopen(&f);
        after = fixture_dump(f.identity);
        ck_assert_str_eq(before, after);
}

START_TEST(contact_lifecycle) {
        g_autoptr(Contact) ann = contact_of(1, "Ann");
        const PublicKey key = ann->key;
        const Contact *kept;

        put(ann);
        assert_told(&f, "+contact Ann|");
        put(ann);
        assert_told(&f, "");

        ann->flags = CONTACT_FLAG_FAVOURITE;
        ann->on_radio = true;
        ann->path_len = 2;
        memcpy(ann->path, "\x10\x20", 2);
        ann->lat_e6 = -52123456;
        ann->lon_e6 = 13000000;
        ann->last_advert = UINT32_MAX;
        ann->lastmod = 77;
        ann->type = 200;
        ann->unread = 99; /* not theirs to say */
        put(ann);
        assert_told(&f, "~contact Ann 27d|");
        kept = identity_get_contact(f.identity, &key);
        ck_assert_uint_eq(kept->unread, 0);
        ck_assert_uint_eq(kept->last_advert, UINT32_MAX);
        assert_durable();

        ck_assert_uint_eq(g_hash_table_size(identity_contacts(f.identity)), 1);
        ck_assert_int_eq(identity_remove_contact(f.identity, &key), 0);
        assert_told(&f, "-contact Ann|");
        ck_assert_int_eq(identity_remove_contact(f.identity, &key), 0);
        assert_told(&f, "");
        ck_assert_ptr_null(identity_get_contact(f.identity, &key));
        assert_durable();
}
END_TEST

START_TEST(contact_prefixes) {
        g_autoptr(Contact) a = contact_of(1, "A");
        g_autoptr(Contact) b = contact_of(1, "B");
        g_autoptr(Contact) c = contact_of(2, "C");
        Contact *found = NULL;

        b->key.bytes[PUBLIC_KEY_SIZE - 1] = 9;
        put(a);
        put(b);
        put(c);
        ck_assert_uint_eq(identity_find_contact_prefix(f.identity, a->key.bytes, 6, &found), 2);
        ck_assert_uint_eq(identity_find_contact_prefix(f.identity, a->key.bytes, 4, &found), 2);
        ck_assert_uint_eq(identity_find_contact_prefix(f.identity, a->key.bytes, 0, &found), 3);
        ck_assert_uint_eq(identity_find_contact_prefix(f.identity, a->key.bytes, 32, &found), 1);
        ck_assert_str_eq(found->name, "A");
        ck_assert_uint_eq(identity_find_contact_prefix(f.identity, c->key.bytes, 6, &found), 1);
        ck_assert_str_eq(found->name, "C");
        ck_assert_uint_eq(identity_find_contact_prefix(f.identity, own_key.bytes, 6, &found), 0);
        ck_assert_uint_eq(identity_find_contact_prefix(f.identity, own_key.bytes, 1, &found), 0);
}
END_TEST

START_TEST(contact_heard) {
        g_autoptr(Contact) ann = contact_of(1, "Ann");
        const PublicKey stranger = key_of(7, 7);

        put(ann);
        (void) g_string_truncate(f.log, 0);

        identity_touch_contact(f.identity, &stranger, 5000);
        ck_assert(!identity_needs_flush(f.identity));
        identity_touch_contact(f.identity, &ann->key, 5000);
        identity_touch_contact(f.identity, &ann->key, 4000); /* never back */
        assert_told(&f, "~contact Ann 80|");
        ck_assert(identity_needs_flush(f.identity));
        ck_assert_int_eq(fixture_sql(&f, "SELECT last_heard_usec FROM contact"), 0);
        ck_assert_int_eq(identity_flush(f.identity), 0);
        ck_assert(!identity_needs_flush(f.identity));
        ck_assert_int_eq(fixture_sql(&f, "SELECT last_heard_usec FROM contact"), 5000);
        ck_assert_int_eq(identity_flush(f.identity), 0);

        /* An advert that says less does not take it back; one that says more needs no write of its own. */
        put(ann);
        ann->last_heard_usec = 6000;
        put(ann);
        assert_told(&f, "~contact Ann 80|");
        ck_assert_int_eq(fixture_sql(&f, "SELECT last_heard_usec FROM contact"), 5000);

        /* A message does not wait for it. */
        receive_text(&f, &ann->key, "hi", 1);
        ck_assert(identity_needs_flush(f.identity));
        ck_assert_int_eq(fixture_sql(&f, "SELECT last_heard_usec FROM contact"), 5000);
        ck_assert_int_eq(identity_flush(f.identity), 0);
        assert_durable();
        ck_assert_uint_eq(identity_get_contact(f.identity, &ann->key)->last_heard_usec, 6000);
}
END_TEST

START_TEST(contact_limit) {
        g_autoptr(Contact) talker = contact_of(1, "talker");
        g_autoptr(Contact) favourite = contact_of(2, "favourite");
        g_autoptr(Contact) radio = contact_of(3, "radio");
        g_autoptr(Contact) old = contact_of(4, "old");
        g_autoptr(Contact) fresh = contact_of(5, "fresh");

        identity_set_contact_limit(f.identity, 5);
        favourite->flags = CONTACT_FLAG_FAVOURITE;
        radio->on_radio = true;
        old->last_heard_usec = 10;
        fresh->last_heard_usec = 20;
        put(talker);
        put(favourite);
        put(radio);
        put(old);
        put(fresh);
        receive_text(&f, &talker->key, "hi", 1);
        (void) g_string_truncate(f.log, 0);

        for (unsigned i = 6; i < 9; i++) {
                static const char *const leaves[] = {"old", "fresh", "n6"};
                g_autofree char *name = g_strdup_printf("n%u", i);
                g_autofree char *expected = g_strdup_printf("-contact %s|+contact %s|", leaves[i - 6], name);
                g_autoptr(Contact) next = contact_of((uint8_t) i, name);

                next->last_heard_usec = 100 + i;
                put(next);
                assert_told(&f, expected);
        }

        /* Only who has written is left beside those that are ours: n8, then the talker. */
        identity_set_contact_limit(f.identity, 3);
        put(old);
        assert_told(&f, "-contact n7|-contact n8|-contact talker|+contact old|");
        assert_durable();

        /* In the end even they leave, favourites last. */
        identity_set_contact_limit(f.identity, 0);
        put(fresh);
        assert_told(&f, "-contact old|-contact radio|-contact favourite|+contact fresh|");
        ck_assert_uint_eq(g_hash_table_size(identity_contacts(f.identity)), 1);
}
END_TEST

START_TEST(contact_limit_of_its_own) {
        ck_assert_int_eq(identity_begin(f.identity), 0);
        for (unsigned i = 0; i < 10005; i++) {
                const PublicKey key = {{(uint8_t) i, (uint8_t) (i >> 8), 1}};
                g_autoptr(Contact) contact = contact_new(&key);

                /* Nobody leaves while there is room. */
                ck_assert_int_eq(identity_put_contact(f.identity, contact), 0);
                ck_assert_uint_eq(g_hash_table_size(identity_contacts(f.identity)), MIN(i + 1, 10000U));
        }
        ck_assert_int_eq(identity_commit(f.identity), 0);
        ck_assert_int_eq(fixture_sql(&f, "SELECT count(*) FROM contact"), 10000);
}
END_TEST

START_TEST(contact_batch) {
        g_autoptr(Contact) ann = contact_of(1, "Ann");
        g_autoptr(Contact) bob = contact_of(2, "Bob");
        g_autoptr(Contact) eve = contact_of(3, "Eve");
        g_autoptr(Message) message = text_from(&ann->key, "hi", 1);
        g_autofree char *before = NULL, *after = NULL;
        static const uint8_t secret[CHANNEL_SECRET_SIZE] = {5};
        MessageUpdate update = {};
        ReceiveResult result;
        uint64_t id = 1;

        put(ann);
        put(eve);
        (void) g_string_truncate(f.log, 0);
        before = fixture_dump(f.identity);

        for (unsigned round = 0; round < 2; round++) {
                ann->flags = 1;
                ck_assert_int_eq(identity_begin(f.identity), 0);
                ck_assert_int_eq(identity_begin(f.identity), -EBUSY);
                put(ann);
                put(bob);
                ck_assert_int_eq(identity_remove_contact(f.identity, &eve->key), 0);
                ck_assert_int_eq(identity_set_contacts_mark(f.identity, 100, 2), 0);
                ck_assert_int_eq(identity_set_slot(f.identity, 0, "x", secret, CHANNEL_PRIVATE), 0);
                ck_assert_int_eq(identity_receive(f.identity, message, &result), -EBUSY);
                ck_assert_int_eq(identity_queue(f.identity, message, 0, NULL), -EBUSY);
                ck_assert_int_eq(identity_update_message(f.identity, 1, &update), -EBUSY);
                ck_assert_int_eq(identity_mark_read(f.identity, &id, 1), -EBUSY);
                ck_assert_int_eq(identity_delete_messages(f.identity, &id, 1), -EBUSY);
                ck_assert_uint_eq(message->id, 0);
                assert_told(&f, "");
                if (round == 0) {
                        identity_rollback(f.identity);
                        identity_rollback(f.identity);
                        assert_told(&f, "");
                        after = fixture_dump(f.identity);
                        ck_assert_str_eq(before, after);
                        assert_durable();
                } else {
                        ck_assert_int_eq(identity_commit(f.identity), 0);
                        ck_assert_int_eq(identity_commit(f.identity), 0);
                        assert_told(&f, "~contact Ann 4|+contact Bob|-contact Eve|+channel 0 x|");
                }
        }

        ck_assert_uint_eq(identity_contacts_since(f.identity), 100);
        ck_assert_uint_eq(identity_contacts_radio_count(f.identity), 2);
        assert_durable();
}
END_TEST

START_TEST(channel_lifecycle) {
        static const uint8_t one[CHANNEL_SECRET_SIZE] = {1}, two[CHANNEL_SECRET_SIZE] = {2},
                             zero[CHANNEL_SECRET_SIZE] = {};
        uint64_t id, other;
        size_t n = 9;

        ck_assert_int_eq(identity_set_slot(f.identity, IDENTITY_SLOTS_MAX, "x", one, CHANNEL_PRIVATE),
                         -EINVAL);
        ck_assert_int_eq(identity_set_slot(f.identity, 0, "x", one, _CHANNEL_KIND_MAX), -EINVAL);
        ck_assert_int_eq(identity_set_slot(f.identity, 0, NULL, NULL, CHANNEL_PRIVATE), 0);
        ck_assert_int_eq(identity_set_slot(f.identity, 0, "", zero, CHANNEL_PRIVATE), 0);
        assert_told(&f, "");
        ck_assert_int_eq(identity_set_slot(f.identity, 0, "Public", one, CHANNEL_PUBLIC), 0);
        ck_assert_int_eq(identity_set_slot(f.identity, 0, "Public", one, CHANNEL_PUBLIC), 0);
        ck_assert_int_eq(identity_set_slot(f.identity, 3, "#b", two, CHANNEL_HASHTAG), 0);
        assert_told(&f, "+channel 0 Public|+channel 3 #b|");
        ck_assert_uint_eq(identity_n_slots(f.identity), 2);
        id = identity_get_slot(f.identity, 0)->id;
        ck_assert_uint_ne(id, 0);
        other = identity_get_slot(f.identity, 3)->id;
        ck_assert_ptr_eq(identity_find_channel_name(f.identity, "#b", &n), identity_get_slot(f.identity, 3));
        ck_assert_uint_eq(n, 1);
        ck_assert_ptr_null(identity_find_channel_name(f.identity, "#c", &n));
        ck_assert_uint_eq(n, 0);
        ck_assert_ptr_null(identity_get_slot(f.identity, IDENTITY_SLOTS_MAX));
        assert_durable();
        ck_assert_uint_eq(identity_get_slot(f.identity, 0)->id, id);

        /* A new name is the same channel, another secret is another one. */
        ck_assert_int_eq(identity_set_slot(f.identity, 0, "All", one, CHANNEL_PRIVATE), 0);
        assert_told(&f, "~channel 0 All 3|");
        receive(&f, text_to_channel(id, "Bob", "hi", 1), RECEIVE_NEW);
        assert_told(&f, "+message 1 hi|~channel 0 All 4|");
        ck_assert_int_eq(identity_set_slot(f.identity, 0, "#c", two, CHANNEL_HASHTAG), 0);
        assert_told(&f, "-channel 0 All|-channel 3 #c|+channel 0 #c|");
        ck_assert_ptr_eq(identity_get_slot(f.identity, 0), identity_get_slot(f.identity, 3));
        assert_durable();

        /* The old secret has its messages again. */
        ck_assert_int_eq(identity_get_channel(f.identity, id)->slot, -1);
        ck_assert_int_eq(identity_set_slot(f.identity, 1, "All", one, CHANNEL_PRIVATE), 0);
        assert_told(&f, "+channel 1 All|");
        ck_assert_uint_eq(identity_get_slot(f.identity, 1)->id, id);
        ck_assert_uint_eq(identity_get_slot(f.identity, 1)->unread, 1);

        /* Out of the lower of two slots it goes on in the other; out of both, nothing is left of
         * one that never had a message. */
        ck_assert_int_eq(identity_set_slot(f.identity, 0, "", zero, CHANNEL_PRIVATE), 0);
        assert_told(&f, "-channel 0 #c|+channel 3 #c|");
        ck_assert_int_eq(identity_set_slot(f.identity, 3, NULL, NULL, CHANNEL_PRIVATE), 0);
        assert_told(&f, "-channel 3 #c|");
        ck_assert_ptr_null(identity_get_channel(f.identity, other));
        ck_assert_int_eq(fixture_sql(&f, "SELECT count(*) FROM channel"), 1);
        assert_durable();
}
END_TEST

static uint64_t duplicate_of(Message *message, ReceiveResult expected) {
        uint64_t id = receive(&f, message, expected);
        g_autofree char *told = fixture_told(&f);

        ck_assert_int_eq(told[0] != '\0', expected == RECEIVE_NEW);
        return id;
}

START_TEST(duplicates) {
        const PublicKey ann = key_of(1, 1), bob = key_of(2, 2);
        g_autoptr(Message) first = text_from(&ann, "hello", 10);
        g_autoptr(Message) stored = NULL;
        uint64_t id;
        Message *m;

        id = duplicate_of(message_copy(first), RECEIVE_NEW);
        ck_assert_uint_eq(duplicate_of(message_copy(first), RECEIVE_DUPLICATE), id);

        /* Heard another way, a week later almost: the same. */
        m = message_copy(first);
        m->timestamp_usec += 7 * USEC_PER_DAY;
        m->path_len = 3;
        m->has_snr = true;
        ck_assert_uint_eq(duplicate_of(m, RECEIVE_DUPLICATE), id);
        m = message_copy(first);
        m->timestamp_usec -= 7 * USEC_PER_DAY; /* our clock was set back */
        ck_assert_uint_eq(duplicate_of(m, RECEIVE_DUPLICATE), id);

        stored = identity_get_message(f.identity, id);
        ck_assert_uint_eq(stored->duplicates, 3);

        m = message_copy(first);
        m->timestamp_usec += 7 * USEC_PER_DAY + 1;
        duplicate_of(m, RECEIVE_NEW);

        /* Anything else that differs makes it another one. */
        m = message_copy(first);
        m->sender_timestamp++;
        duplicate_of(m, RECEIVE_NEW);
        m = message_copy(first);
        memcpy(m->peer_prefix, bob.bytes, KEY_PREFIX_SIZE);
        duplicate_of(m, RECEIVE_NEW);
        m = message_copy(first);
        m->kind = MESSAGE_COMMAND;
        duplicate_of(m, RECEIVE_NEW);
        m = message_copy(first);
        m->text[0] = 'H';
        duplicate_of(m, RECEIVE_NEW);
        m = message_copy(first);
        m->has_author_prefix = true;
        duplicate_of(m, RECEIVE_NEW);
        m = message_copy(first);
        m->has_author_prefix = true;
        m->author_prefix[3] = 1;
        duplicate_of(m, RECEIVE_NEW);

        duplicate_of(text_to_channel(5, "Bob", "hello", 10), RECEIVE_NEW);
        duplicate_of(text_to_channel(5, "Bob", "hello", 10), RECEIVE_DUPLICATE);
        duplicate_of(text_to_channel(6, "Bob", "hello", 10), RECEIVE_NEW);
        duplicate_of(text_to_channel(5, "Eve", "hello", 10), RECEIVE_NEW);
}
END_TEST

START_TEST(duplicates_cut) {
        const PublicKey ann = key_of(1, 1);
        Message *m;
        uint64_t id;

        /* The cut one first. */
        m = text_from(&ann, "a long tex", 10);
        m->maybe_cut = true;
        id = duplicate_of(m, RECEIVE_NEW);
        ck_assert_uint_eq(duplicate_of(text_from(&ann, "a long text", 10), RECEIVE_DUPLICATE), id);
        duplicate_of(text_from(&ann, "a long", 10), RECEIVE_NEW);
        duplicate_of(text_from(&ann, "a long text", 11), RECEIVE_NEW);

        /* The whole one first. */
        id = duplicate_of(text_from(&ann, "größe", 20), RECEIVE_NEW);
        m = text_from(&ann, "grö", 20);
        m->maybe_cut = true;
        ck_assert_uint_eq(duplicate_of(m, RECEIVE_DUPLICATE), id);
        m = text_from(&ann, "gro", 20);
        m->maybe_cut = true;
        duplicate_of(m, RECEIVE_NEW);

        /* Neither is cut: a prefix is another text. And nothing is not the beginning of all. */
        duplicate_of(text_from(&ann, "x", 30), RECEIVE_NEW);
        duplicate_of(text_from(&ann, "xy", 30), RECEIVE_NEW);
        m = text_from(&ann, "", 30);
        m->maybe_cut = true;
        duplicate_of(m, RECEIVE_NEW);
        duplicate_of(text_from(&ann, "z", 30), RECEIVE_NEW);
}
END_TEST

static Message *cut(Message *message) {
        message->maybe_cut = true;
        return message;
}

static Message *post_by(const PublicKey *room, uint8_t author, const char *text) {
        Message *message = text_from(room, text, 30);

        message->kind = MESSAGE_POST;
        message->has_author_prefix = true;
        memset(message->author_prefix, author, sizeof(message->author_prefix));
        return message;
}

/* Beginning and time alone make no duplicate. */
START_TEST(duplicates_cut_of_others) {
        const PublicKey ann = key_of(1, 1), bob = key_of(2, 2);
        Message *command = text_from(&ann, "a long text", 10);

        duplicate_of(cut(text_from(&ann, "a long tex", 10)), RECEIVE_NEW);
        duplicate_of(text_from(&bob, "a long text", 10), RECEIVE_NEW);
        command->kind = MESSAGE_COMMAND;
        duplicate_of(command, RECEIVE_NEW);
        duplicate_of(text_from(&ann, "a long text", 10), RECEIVE_DUPLICATE);

        duplicate_of(cut(text_to_channel(5, "Carl", "to a channe", 20)), RECEIVE_NEW);
        duplicate_of(text_to_channel(6, "Carl", "to a channel", 20), RECEIVE_NEW);
        duplicate_of(text_to_channel(5, "Dora", "to a channel", 20), RECEIVE_NEW);
        duplicate_of(text_to_channel(5, "Carl", "to a channel", 20), RECEIVE_DUPLICATE);

        duplicate_of(cut(post_by(&ann, 1, "a pos")), RECEIVE_NEW);
        duplicate_of(post_by(&ann, 2, "a post"), RECEIVE_NEW);
        duplicate_of(post_by(&ann, 1, "a post"), RECEIVE_DUPLICATE);
}
END_TEST

static Message *data_of(MessageKind kind, const char *data, uint16_t type) {
        Message *message = text_to_channel(kind == MESSAGE_DATA ? 5 : 0, "", "", 0);

        message->kind = kind;
        message->data = g_memdup2(data, strlen(data));
        message->data_size = strlen(data);
        message->data_type = type;
        return message;
}

START_TEST(duplicates_data) {
        duplicate_of(data_of(MESSAGE_DATA, "abc", 1), RECEIVE_NEW);
        duplicate_of(data_of(MESSAGE_DATA, "abc", 1), RECEIVE_DUPLICATE);
        duplicate_of(data_of(MESSAGE_DATA, "abc", 2), RECEIVE_NEW);
        duplicate_of(data_of(MESSAGE_DATA, "abd", 1), RECEIVE_NEW);
        duplicate_of(data_of(MESSAGE_RAW, "abc", 0), RECEIVE_NEW);
        duplicate_of(data_of(MESSAGE_RAW, "abc", 0), RECEIVE_DUPLICATE);
        duplicate_of(data_of(MESSAGE_RAW, "abcd", 0), RECEIVE_NEW);
        assert_durable();
}
END_TEST

START_TEST(duplicates_per_identity) {
        const PublicKey ann = key_of(1, 1), other_key = key_of(9, 9);
        g_autoptr(Message) message = text_from(&ann, "hello", 10);
        g_autoptr(Identity) other = NULL;
        ReceiveResult result = RECEIVE_DUPLICATE;
        uint64_t id;

        id = receive_text(&f, &ann, "hello", 10);
        ck_assert_int_eq(identity_load(f.store, &other_key, &other), 0);
        ck_assert_int_eq(identity_receive(other, message, &result), 0);
        ck_assert_int_eq(result, RECEIVE_NEW);
        ck_assert_uint_gt(message->id, id);
        ck_assert_ptr_null(identity_get_message(f.identity, message->id));
        ck_assert_ptr_null(identity_get_message(other, id));
        ck_assert_uint_eq(identity_last_message_id(f.identity), id);

        /* One writer at a time, whoever it is. */
        ck_assert_int_eq(identity_begin(other), 0);
        (void) message_free(g_steal_pointer(&message));
        message = text_from(&ann, "later", 11);
        ck_assert_int_eq(identity_receive(f.identity, message, &result), -EBUSY);
        ck_assert_int_eq(identity_commit(other), 0);
        ck_assert_int_eq(identity_receive(f.identity, message, &result), 0);
}
END_TEST

START_TEST(unread_counts) {
        g_autoptr(Contact) ann = contact_of(1, "Ann"), twin = contact_of(1, "twin");
        uint64_t ids[3];
        MessageUpdate unread = {.set = MESSAGE_CHANGED_READ, .read = false};
        const Contact *c;

        twin->key.bytes[PUBLIC_KEY_SIZE - 1] = 9;

        /* From a prefix, before anybody knows who it is. */
        ids[0] = receive_text(&f, &ann->key, "one", 1);
        assert_told(&f, "+message 1 one|");
        put(ann);
        c = identity_get_contact(f.identity, &ann->key);
        ck_assert_uint_eq(c->unread, 1);
        ids[1] = receive_text(&f, &ann->key, "two", 2);
        assert_told(&f, "+contact Ann|+message 2 two|~contact Ann 100|");
        ck_assert_uint_eq(c->unread, 2);
        ck_assert_uint_eq(identity_unread(f.identity), 2);

        /* The twin shares what came before it was known who wrote; not what was Ann's. */
        put(twin);
        ck_assert_uint_eq(identity_get_contact(f.identity, &twin->key)->unread, 1);
        ids[2] = receive_text(&f, &ann->key, "three", 3);
        ck_assert_uint_eq(c->unread, 3);
        ck_assert_uint_eq(identity_get_contact(f.identity, &twin->key)->unread, 2);
        ck_assert_uint_eq(identity_unread(f.identity), 3);
        assert_durable();
        (void) g_string_truncate(f.log, 0);

        ck_assert_int_eq(identity_mark_read(f.identity, ids, 2), 2);
        assert_told(&f, "~message 1 2|~contact twin 100|~contact Ann 100|~message 2 2|");
        c = identity_get_contact(f.identity, &ann->key);
        ck_assert_uint_eq(c->unread, 1);
        ck_assert_int_eq(identity_mark_read(f.identity, ids, 2), 0);
        ck_assert_int_eq(identity_mark_read(f.identity, (uint64_t[]){12345}, 1), 0);
        assert_told(&f, "");
        assert_durable();

        ck_assert_int_eq(identity_update_message(f.identity, ids[1], &unread), 0);
        ck_assert_uint_eq(identity_unread(f.identity), 2);
        ck_assert_int_eq(identity_delete_messages(f.identity, ids, 3), 3);
        ck_assert_uint_eq(identity_unread(f.identity), 0);
        ck_assert_int_eq(fixture_sql(&f, "SELECT count(*) FROM unread"), 0);
        ck_assert_int_eq(identity_delete_messages(f.identity, ids, 3), 0);
        fixture_reopen(&f);
        ck_assert_uint_eq(identity_unread(f.identity), 0);
        ck_assert_uint_eq(receive_text(&f, &ann->key, "four", 4), ids[2] + 1); /* never an id twice */
}
END_TEST

static uint64_t count_rows(void) {
        return (uint64_t) fixture_sql(&f, "SELECT count(*) FROM message WHERE read = 0");
}

/* What is unread is counted in steps of so many messages; nobody may see that. */
START_TEST(unread_counts_in_steps) {
        g_autoptr(Contact) ann = contact_of(1, "Ann"), bob = contact_of(2, "Bob");
        const MessageUpdate unread = {.set = MESSAGE_CHANGED_READ, .read = false};
        uint64_t ids[2 * STORE_COUNT_EVERY + 50];
        const size_t n = ELEMENTSOF(ids);

        put(ann);
        put(bob);
        for (size_t i = 0; i < n; i++)
                ids[i] = receive_text(&f, i % 3 ? &ann->key : &bob->key, "text", (uint32_t) i + 1);
        ck_assert_int_eq(fixture_sql(&f, "SELECT value FROM meta WHERE name = 'counted'"),
                         2 * STORE_COUNT_EVERY);
        ck_assert_int_eq(fixture_sql(&f, "SELECT sum(n) FROM unread"), 2 * STORE_COUNT_EVERY);
        ck_assert_uint_eq(identity_unread(f.identity), n);
        assert_durable();

        /* Some of those that are counted, and some of the others, there and back and away. */
        for (size_t i = 0; i < n; i += 5)
                ck_assert_int_eq(identity_mark_read(f.identity, &ids[i], 1), 1);
        ck_assert_uint_eq(identity_unread(f.identity), count_rows());
        assert_durable();
        for (size_t i = 0; i < n; i += 10)
                ck_assert_int_eq(identity_update_message(f.identity, ids[i], &unread), 0);
        for (size_t i = 1; i < n; i += 7)
                ck_assert_int_eq(identity_delete_messages(f.identity, &ids[i], 1), 1);
        ck_assert_uint_eq(identity_unread(f.identity), count_rows());
        assert_durable();

        /* A contact that comes later is told the same. */
        ck_assert_int_eq(identity_remove_contact(f.identity, &ann->key), 0);
        put(ann);
        ck_assert_uint_eq(identity_get_contact(f.identity, &ann->key)->unread +
                                          identity_get_contact(f.identity, &bob->key)->unread,
                          count_rows());
        assert_durable();

        ck_assert_int_ge(identity_delete_messages(f.identity, ids, n), 1);
        fixture_reopen(&f);
        ck_assert_uint_eq(identity_unread(f.identity), 0);
        ck_assert_uint_eq(receive_text(&f, &ann->key, "again", 10000), ids[n - 1] + 1);
}
END_TEST

START_TEST(peers) {
        g_autoptr(Contact) ann = contact_of(1, "Ann"), twin = contact_of(1, "twin");
        g_autoptr(Message) before = NULL, after = NULL, ambiguous = NULL;
        g_autoptr(GPtrArray) list = NULL;
        MessageFilter filter;
        uint64_t first, second;

        twin->key.bytes[PUBLIC_KEY_SIZE - 1] = 9;
        first = receive_text(&f, &ann->key, "one", 1);
        before = identity_get_message(f.identity, first);
        ck_assert(before->has_peer && !before->has_peer_key);

        put(ann);
        after = identity_get_message(f.identity, first);
        ck_assert(after->has_peer_key && key_equal(&after->peer, &ann->key));
        second = receive_text(&f, &ann->key, "two", 2);
        ck_assert_int_eq(fixture_sql(&f, "SELECT peer IS NOT NULL FROM message WHERE id = 2"), 1);

        put(twin);
        ambiguous = identity_get_message(f.identity, first);
        ck_assert(!ambiguous->has_peer_key);

        message_filter_init(&filter);
        filter.peer = &twin->key;
        ck_assert_int_eq(identity_list_messages(f.identity, &filter, 0, false, 10, &list), 0);
        ck_assert_uint_eq(list->len, 1);
        ck_assert_uint_eq(((Message *) list->pdata[0])->id, first);
        g_clear_pointer(&list, g_ptr_array_unref);
        filter.peer = &ann->key;
        ck_assert_int_eq(identity_list_messages(f.identity, &filter, 0, false, 10, &list), 0);
        ck_assert_uint_eq(list->len, 2);
        ck_assert_uint_eq(((Message *) list->pdata[0])->id, second);
}
END_TEST

static uint64_t queue(const PublicKey *peer, const char *text, uint32_t uid, const char *token,
                      int expected) {
        g_autoptr(Message) message = text_from(peer, text, 0);

        ck_assert_int_eq(identity_queue(f.identity, message, uid, token), expected);
        return message->id;
}

START_TEST(tokens) {
        const PublicKey ann = key_of(1, 1);
        g_autoptr(Message) late = text_from(&ann, "again", 24 * 3600);
        g_autoptr(Message) stored = NULL;
        g_autofree char *long_token = g_strnfill(IDENTITY_TOKEN_MAX + 1, 'x');
        uint64_t id;

        id = queue(&ann, "hi", 1000, "t", 0);
        assert_told(&f, "+message 1 hi|");
        ck_assert_uint_eq(queue(&ann, "other", 1000, "t", 1), id);
        assert_told(&f, "");
        ck_assert_uint_ne(queue(&ann, "hi", 1001, "t", 0), id);
        ck_assert_uint_ne(queue(&ann, "hi", 1000, "u", 0), id);
        ck_assert_uint_ne(queue(&ann, "hi", 1000, NULL, 0), id);
        (void) queue(&ann, "hi", 1000, "", -EINVAL);
        (void) queue(&ann, "hi", 1000, long_token, -EINVAL);
        fixture_reopen(&f);
        ck_assert_uint_eq(queue(&ann, "hi", 1000, "t", 1), id);

        stored = identity_get_message(f.identity, id);
        ck_assert(stored->read);
        ck_assert_int_eq(stored->state, MESSAGE_QUEUED);
        ck_assert_uint_eq(identity_unread(f.identity), 0);

        /* A day later it is a new one, and what is older is gone. */
        ck_assert_int_eq(identity_queue(f.identity, late, 1000, "t"), 0);
        ck_assert_uint_ne(late->id, id);
        ck_assert_int_eq(fixture_sql(&f, "SELECT count(*) FROM token"), 1);
}
END_TEST

START_TEST(tokens_bounded) {
        const PublicKey ann = key_of(1, 1);

        fixture_sql(&f, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1100)"
                        " INSERT INTO token (identity, uid, token, made_usec, message)"
                        " SELECT 1, 1000, 'k' || i, 1700000000000000, i FROM n");
        (void) queue(&ann, "hi", 1001, "x", 0);
        (void) queue(&ann, "hi", 1000, "x", 0);
        ck_assert_int_eq(fixture_sql(&f, "SELECT count(*) FROM token WHERE uid = 1000"),
                         IDENTITY_TOKENS_PER_UID);
        ck_assert_int_eq(fixture_sql(&f, "SELECT count(*) FROM token WHERE uid = 1001"), 1);
        ck_assert_int_eq(fixture_sql(&f, "SELECT count(*) FROM token WHERE token = 'k1100'"), 1);
        ck_assert_int_eq(fixture_sql(&f, "SELECT count(*) FROM token WHERE token = 'k1'"), 0);
}
END_TEST

START_TEST(updates) {
        const PublicKey ann = key_of(1, 1);
        static const uint8_t ack[2][4] = {{1, 2, 3, 4}, {5, 6, 7, 8}};
        g_autoptr(Message) stored = NULL;
        g_autoptr(GArray) open = NULL;
        MessageUpdate update = {
                        .set = MESSAGE_CHANGED_STATE | MESSAGE_CHANGED_SENDER_TIMESTAMP |
                               MESSAGE_CHANGED_ATTEMPTS,
                        .state = MESSAGE_SENDING,
                        .sender_timestamp = 1000,
                        .attempts = 1,
                        .add_attempt = true,
                        .expected_ack = {1, 2, 3, 4},
        };
        uint64_t id, newer;

        ck_assert_int_eq(identity_update_message(f.identity, 5, &update), -ENOENT);
        ck_assert_uint_eq(identity_last_timestamp(f.identity), 0);
        id = queue(&ann, "hi", 0, NULL, 0);
        (void) g_string_truncate(f.log, 0);

        ck_assert_int_eq(identity_update_message(f.identity, id, &update), 0);
        assert_told(&f, "~message 1 d|");
        ck_assert_uint_eq(identity_last_timestamp(f.identity), 1000);
        ck_assert_uint_eq(identity_find_ack(f.identity, ack[0]), id);
        ck_assert_uint_eq(identity_find_ack(f.identity, ack[1]), 0);
        ck_assert_int_eq(identity_update_message(f.identity, id, &update), 0);
        assert_told(&f, ""); /* nothing new to say */

        update.attempts = 2;
        memcpy(update.expected_ack, ack[1], 4);
        ck_assert_int_eq(identity_update_message(f.identity, id, &update), 0);
        ck_assert_uint_eq(identity_find_ack(f.identity, ack[0]), id);
        ck_assert_uint_eq(identity_find_ack(f.identity, ack[1]), id);
        assert_durable();
        (void) g_string_truncate(f.log, 0);

        update = (MessageUpdate){
                        .set = MESSAGE_CHANGED_STATE | MESSAGE_CHANGED_ROUND_TRIP |
                               MESSAGE_CHANGED_UNCERTAIN | MESSAGE_CHANGED_ERROR,
                        .state = MESSAGE_FAILED,
                        .round_trip_usec = 5,
                        .uncertain = true,
                        .error = "nobody answered",
        };
        ck_assert_int_eq(identity_update_message(f.identity, id, &update), 0);
        assert_told(&f, "~message 1 71|");
        stored = identity_get_message(f.identity, id);
        ck_assert_str_eq(stored->error, "nobody answered");
        ck_assert(stored->uncertain);
        ck_assert_uint_eq(stored->attempts, 2);
        update.error = NULL;
        ck_assert_int_eq(identity_update_message(f.identity, id, &update), 0);
        assert_told(&f, "~message 1 40|");

        /* The newest of two that expect the same, and only for a week, unless it is on its way. */
        newer = queue(&ann, "ho", 0, NULL, 0);
        update = (MessageUpdate){.set = MESSAGE_CHANGED_STATE,
                                 .state = MESSAGE_SENT,
                                 .attempts = 1,
                                 .add_attempt = true,
                                 .expected_ack = {1, 2, 3, 4}};
        ck_assert_int_eq(identity_update_message(f.identity, newer, &update), 0);
        ck_assert_uint_eq(identity_find_ack(f.identity, ack[0]), newer);
        fixture_sql(&f, "UPDATE attempt SET made_usec = made_usec - 7 * 86400000000 - 1000000");
        ck_assert_uint_eq(identity_find_ack(f.identity, ack[0]), newer);
        ck_assert_uint_eq(identity_find_ack(f.identity, ack[1]), 0);
        update.attempts = 2;
        ck_assert_int_eq(identity_update_message(f.identity, newer, &update), 0);
        ck_assert_int_eq(fixture_sql(&f, "SELECT count(*) FROM attempt"), 2);

        ck_assert_int_eq(identity_open_messages(f.identity, &open), 0);
        ck_assert_uint_eq(open->len, 1);
        ck_assert_uint_eq(g_array_index(open, uint64_t, 0), newer);

        /* Open ones stay, with all that was to be deleted beside them. */
        ck_assert_int_eq(identity_delete_messages(f.identity, (uint64_t[]){id, newer}, 2), -EBUSY);
        ck_assert_ptr_nonnull((stored = (message_free(stored), identity_get_message(f.identity, id))));
        update = (MessageUpdate){.set = MESSAGE_CHANGED_STATE, .state = MESSAGE_DELIVERED};
        ck_assert_int_eq(identity_update_message(f.identity, newer, &update), 0);
        ck_assert_int_eq(identity_delete_messages(f.identity, (uint64_t[]){id, newer}, 2), 2);
        ck_assert_int_eq(fixture_sql(&f, "SELECT count(*) FROM attempt"), 0);
        ck_assert_uint_eq(identity_last_timestamp(f.identity), 1000);
}
END_TEST

static char *ids_of(MessageFilter *filter, uint64_t from, bool newer, size_t limit) {
        g_autoptr(GPtrArray) list = NULL;
        GString *ids = g_string_new(NULL);

        ck_assert_int_eq(identity_list_messages(f.identity, filter, from, newer, limit, &list), 0);
        for (guint i = 0; i < list->len; i++)
                g_string_append_printf(ids, "%" PRIu64 " ", ((Message *) list->pdata[i])->id);
        return g_string_free(ids, false);
}

#define assert_list(expected, from, newer, limit, ...)       \
        do {                                                 \
                MessageFilter _filter;                       \
                g_autofree char *_ids = NULL;                \
                message_filter_init(&_filter);               \
                __VA_ARGS__;                                 \
                _ids = ids_of(&_filter, from, newer, limit); \
                ck_assert_str_eq(_ids, expected);            \
        } while (false)

START_TEST(lists) {
        const PublicKey ann = key_of(1, 1), bob = key_of(2, 2);
        static const uint8_t secret[CHANNEL_SECRET_SIZE] = {1};
        g_autoptr(GArray) window = NULL;
        size_t n_open;
        uint64_t channel;

        ck_assert_int_eq(identity_set_slot(f.identity, 0, "x", secret, CHANNEL_PRIVATE), 0);
        channel = identity_get_slot(f.identity, 0)->id;
        receive_text(&f, &ann, "One 100% sure_", 1);                           /* 1 */
        receive_text(&f, &bob, "two", 2);                                      /* 2 */
        receive(&f, text_to_channel(channel, "Eve", "three", 3), RECEIVE_NEW); /* 3 */
        receive(&f, text_to_channel(channel, "Eve", "FOUR", 4), RECEIVE_NEW);  /* 4 */
        (void) queue(&ann, "five", 0, NULL, 0);                                /* 5 */
        receive_text(&f, &ann, "six", 6);                                      /* 6 */
        ck_assert_int_eq(identity_mark_read(f.identity, (uint64_t[]){1, 4}, 2), 2);

        assert_list("6 5 4 3 2 1 ", 0, false, 10);
        assert_list("1 2 3 4 5 6 ", 0, true, 10);
        assert_list("3 2 ", 4, false, 2);
        assert_list("5 6 ", 4, true, 10);
        assert_list("", 1, false, 10);
        assert_list("", 6, true, 10);
        assert_list("", 0, true, 0);
        assert_list("6 5 ", UINT64_MAX, false, 2);
        assert_list("", UINT64_MAX, true, 2);
        assert_list("6 5 1 ", 0, false, 10, _filter.peer = &ann);
        assert_list("6 ", 0, false, 10, _filter.peer = &ann; _filter.unread_only = true);
        assert_list("4 3 ", 0, false, 10, _filter.channel = channel);
        assert_list("3 ", 0, false, 10, _filter.channel = channel; _filter.unread_only = true);
        assert_list("", 0, false, 10, _filter.channel = channel; _filter.peer = &ann);
        assert_list("2 3 6 ", 0, true, 10, _filter.unread_only = true);
        assert_list("5 ", 0, true, 10, _filter.state = MESSAGE_QUEUED);
        assert_list("5 ", 0, true, 10, _filter.direction = 2);
        assert_list("1 2 3 4 6 ", 0, true, 10, _filter.direction = 1);
        assert_list("", 0, true, 10, _filter.direction = 1; _filter.state = MESSAGE_QUEUED);
        assert_list("1 2 3 4 6 ", 0, true, 10, _filter.state = MESSAGE_RECEIVED);
        assert_list("", 0, true, 10, _filter.kind = MESSAGE_DATA);
        assert_list("1 2 3 4 5 6 ", 0, true, 10, _filter.kind = MESSAGE_TEXT);
        assert_list("4 5 ", 3, true, 2, _filter.text = "f");
        assert_list("4 ", 0, true, 10, _filter.text = "our");
        assert_list("1 ", 0, true, 10, _filter.text = "0% S");
        assert_list("", 0, true, 10, _filter.text = "%sure'; DROP TABLE message; --");
        assert_list("1 ", 0, true, 10, _filter.text = "_");
        assert_list("2 3 ", 0, true, 10, _filter.since_usec = UINT64_C(1700000002000000);
                    _filter.until_usec = UINT64_C(1700000004000000));

        /* A filter that little passes, in steps. */
        {
                g_autoptr(GPtrArray) found = NULL;
                MessageFilter filter;
                uint64_t next = 0;

                message_filter_init(&filter);
                filter.text = "two";
                ck_assert_int_eq(
                                identity_search_messages(f.identity, &filter, 0, false, 10, 3, &next, &found),
                                0);
                ck_assert_uint_eq(found->len, 0);
                ck_assert_uint_eq(next, 4);
                g_clear_pointer(&found, g_ptr_array_unref);
                ck_assert_int_eq(identity_search_messages(f.identity, &filter, next, false, 1, 3, &next,
                                                          &found),
                                 0);
                ck_assert_uint_eq(found->len, 1);
                ck_assert_uint_eq(next, 2);
                g_clear_pointer(&found, g_ptr_array_unref);
                ck_assert_int_eq(identity_search_messages(f.identity, &filter, next, false, 1, 3, &next,
                                                          &found),
                                 0);
                ck_assert_uint_eq(found->len, 0);
                ck_assert_uint_eq(next, 0);
        }

        ck_assert_int_eq(identity_window(f.identity, 3, &window, &n_open), 0);
        ck_assert_uint_eq(window->len, 3);
        ck_assert_uint_eq(n_open, 1);
        ck_assert_uint_eq(g_array_index(window, uint64_t, 0), 5);
        ck_assert_uint_eq(g_array_index(window, uint64_t, 1), 6);
        ck_assert_uint_eq(g_array_index(window, uint64_t, 2), 3);
        g_clear_pointer(&window, g_array_unref);
        ck_assert_int_eq(identity_window(f.identity, 1, &window, &n_open), 0);
        ck_assert_uint_eq(window->len, 1);
        ck_assert_uint_eq(n_open, 1);
        ck_assert_uint_eq(identity_last_message_id(f.identity), 6);
        assert_durable();
}
END_TEST

/* However few rows: a walk that takes its time is interrupted, and finds everything once. */
START_TEST(slow_walks) {
        const PublicKey ann = key_of(1, 1);
        g_autofree char *text = g_strnfill(60000, 'y');
        uint64_t next = 0, first;
        unsigned n_found = 0, n_calls = 0;
        MessageFilter filter;

        first = receive_text(&f, &ann, "here it is", 1);
        for (uint32_t i = 2; i < 500; i++)
                receive_text(&f, &ann, text, i);
        message_filter_init(&filter);
        filter.text = "IT IS";
        do {
                g_autoptr(GPtrArray) found = NULL;

                ck_assert_int_eq(identity_search_messages(f.identity, &filter, next, false, 10, 100000, &next,
                                                          &found),
                                 0);
                for (guint i = 0; i < found->len; i++)
                        ck_assert_uint_eq(((Message *) found->pdata[i])->id, first);
                n_found += found->len;
                n_calls++;
        } while (next != 0);
        ck_assert_uint_eq(n_found, 1);
        ck_assert_uint_ge(n_calls, 2);
}
END_TEST

START_TEST(channels_of_one_name) {
        static const uint8_t one[CHANNEL_SECRET_SIZE] = {1}, two[CHANNEL_SECRET_SIZE] = {2};
        size_t n;

        ck_assert_int_eq(identity_set_slot(f.identity, 3, "x", one, CHANNEL_PRIVATE), 0);
        ck_assert_int_eq(identity_set_slot(f.identity, 2, "x", two, CHANNEL_PRIVATE), 0);
        ck_assert_int_eq(identity_find_channel_name(f.identity, "x", &n)->slot, 2);
        ck_assert_uint_eq(n, 2);
        ck_assert_ptr_nonnull(identity_find_channel_name(f.identity, "x", NULL));
        ck_assert_int_eq(identity_set_slot(f.identity, 2, "x", two, (ChannelKind) -1), -EINVAL);
        ck_assert_int_eq(identity_set_slot(f.identity, 2, "x", two, _CHANNEL_KIND_MAX), -EINVAL);
        ck_assert_int_eq(identity_set_slot(f.identity, 2, NULL, two, CHANNEL_PUBLIC), 0);
        ck_assert_int_eq(identity_set_slot(f.identity, 2, NULL, two, CHANNEL_PUBLIC), 0);
        ck_assert_str_eq(identity_get_slot(f.identity, 2)->name, "");
        ck_assert_int_eq(identity_set_slot(f.identity, 2, NULL, two, CHANNEL_PRIVATE), 0);
        ck_assert_int_eq(identity_get_slot(f.identity, 2)->kind, CHANNEL_PRIVATE);
        /* a secret of zeroes with a name is a channel, without one it is an empty slot */
        ck_assert_int_eq(identity_set_slot(f.identity, 3, "zero", (uint8_t[CHANNEL_SECRET_SIZE]){},
                                           CHANNEL_PRIVATE),
                         0);
        ck_assert_str_eq(identity_get_slot(f.identity, 3)->name, "zero");
        ck_assert_int_eq(identity_set_slot(f.identity, 3, NULL, (uint8_t[CHANNEL_SECRET_SIZE]){},
                                           CHANNEL_PRIVATE),
                         0);
        ck_assert_ptr_null(identity_get_slot(f.identity, 3));
        assert_durable();
}
END_TEST

/* What changes nothing is not told, and what asks for too much gets what there is. */
START_TEST(small_updates) {
        const PublicKey ann = key_of(1, 1);
        const uint64_t id = receive_text(&f, &ann, "hi", 7);
        static const uint8_t ack[4] = {9, 9, 9, 9};
        MessageUpdate update = {.set = MESSAGE_CHANGED_READ};
        uint64_t found = 99;

        (void) g_string_truncate(f.log, 0);
        ck_assert_int_eq(identity_update_message(f.identity, id, &update), 0);
        assert_told(&f, "");
        /* the time of another's message is none of ours */
        update = (MessageUpdate){.set = MESSAGE_CHANGED_SENDER_TIMESTAMP, .sender_timestamp = 5000};
        ck_assert_int_eq(identity_update_message(f.identity, id, &update), 0);
        ck_assert_uint_eq(identity_last_timestamp(f.identity), 0);
        update = (MessageUpdate){.add_attempt = true, .expected_ack = {9, 9, 9, 9}};
        ck_assert_int_eq(identity_update_message(f.identity, id, &update), 0);
        ck_assert_uint_eq(identity_find_ack(f.identity, ack), id);
        ck_assert_int_eq(identity_nth_newest(f.identity, UINT64_MAX, &found), 0);
        ck_assert_uint_eq(found, 0);
}
END_TEST

static void count_left(Pending *pending, const Contact *contact, void *userdata) {
        (*(unsigned *) userdata)++;
}

START_TEST(pending_order) {
        static const PendingObserver deaf, half = {.left = count_left};
        g_autoptr(Contact) a = contact_of(1, "a"), b = contact_of(2, "b");
        g_autoptr(Pending) pending = NULL;
        g_autoptr(GPtrArray) list = NULL;
        unsigned left = 0;

        ck_assert_int_eq(pending_load(f.store, &own_key, &pending), 0);
        pending_set_observer(pending, &deaf, NULL);
        pending_put(pending, b);
        pending_put(pending, a);
        list = pending_list(pending);
        ck_assert_str_eq(((Contact *) list->pdata[0])->name, "a"); /* heard at the same time: by key */
        ck_assert(pending_remove(pending, &a->key));
        pending_set_observer(pending, &half, &left);
        pending_put(pending, a);
        ck_assert(pending_remove(pending, &a->key));
        ck_assert(!pending_remove(pending, &a->key));
        ck_assert_uint_eq(left, 1);
}
END_TEST

START_TEST(everything_survives) {
        g_autoptr(Message) message = message_new();
        g_autoptr(Message) stored = NULL;
        ReceiveResult result;

        message->kind = MESSAGE_POST;
        message->has_peer = message->has_peer_key = true;
        message->peer = key_of(3, 4);
        memcpy(message->peer_prefix, message->peer.bytes, KEY_PREFIX_SIZE);
        g_free(message->author);
        message->author = g_strdup("Zoë");
        message->has_author_prefix = true;
        memcpy(message->author_prefix, "abcd", 4);
        g_free(message->text);
        message->text = g_strdup("näh\n\x01");
        message->data = g_memdup2("\0\xff", 2);
        message->data_size = 2;
        message->data_type = UINT16_MAX;
        message->sender_timestamp = UINT32_MAX;
        message->timestamp_usec = UINT64_C(1700000000123456);
        message->has_snr = true;
        message->snr_x4 = -128;
        message->path_len = 7;
        message->maybe_cut = true;
        message->expires_usec = 17;
        ck_assert_int_eq(identity_receive(f.identity, message, &result), 0);
        fixture_reopen(&f);

        stored = identity_get_message(f.identity, message->id);
        ck_assert_int_eq(stored->kind, MESSAGE_POST);
        ck_assert_int_eq(stored->state, MESSAGE_RECEIVED);
        ck_assert(stored->has_peer && stored->has_peer_key && key_equal(&stored->peer, &message->peer));
        ck_assert_mem_eq(stored->peer_prefix, message->peer_prefix, KEY_PREFIX_SIZE);
        ck_assert_str_eq(stored->author, message->author);
        ck_assert(stored->has_author_prefix);
        ck_assert_mem_eq(stored->author_prefix, "abcd", 4);
        ck_assert_str_eq(stored->text, message->text);
        ck_assert_uint_eq(stored->data_size, 2);
        ck_assert_mem_eq(stored->data, "\0\xff", 2);
        ck_assert_uint_eq(stored->data_type, UINT16_MAX);
        ck_assert_uint_eq(stored->sender_timestamp, UINT32_MAX);
        ck_assert_uint_eq(stored->timestamp_usec, message->timestamp_usec);
        ck_assert(stored->has_snr && stored->maybe_cut && !stored->read);
        ck_assert_int_eq(stored->snr_x4, -128);
        ck_assert_uint_eq(stored->path_len, 7);
        ck_assert_uint_eq(stored->expires_usec, 17);
        ck_assert_ptr_null(stored->error);
        ck_assert(key_equal(identity_key(f.identity), &own_key));
        ck_assert_ptr_eq(identity_store(f.identity), f.store);
        ck_assert_ptr_null(identity_free(NULL));
}
END_TEST

int main(void) {
        Suite *suite = suite_create("identity");
        TCase *tc = tcase_create("identity");

        tcase_add_checked_fixture(tc, setup, teardown);
        tcase_add_test(tc, contact_lifecycle);
        tcase_add_test(tc, contact_prefixes);
        tcase_add_test(tc, contact_heard);
        tcase_add_test(tc, contact_limit);
        tcase_add_test(tc, contact_limit_of_its_own);
        tcase_add_test(tc, contact_batch);
        tcase_add_test(tc, channel_lifecycle);
        tcase_add_test(tc, duplicates);
        tcase_add_test(tc, duplicates_cut);
        tcase_add_test(tc, duplicates_cut_of_others);
        tcase_add_test(tc, duplicates_data);
        tcase_add_test(tc, duplicates_per_identity);
        tcase_add_test(tc, unread_counts);
        tcase_add_test(tc, unread_counts_in_steps);
        tcase_add_test(tc, peers);
        tcase_add_test(tc, tokens);
        tcase_add_test(tc, tokens_bounded);
        tcase_add_test(tc, updates);
        tcase_add_test(tc, lists);
        tcase_add_test(tc, slow_walks);
        tcase_add_test(tc, channels_of_one_name);
        tcase_add_test(tc, small_updates);
        tcase_add_test(tc, pending_order);
        tcase_add_test(tc, everything_survives);
        suite_add_tcase(suite, tc);
        return fixture_run(suite);
}
