/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <string.h>

#include "model-fixture.h"

START_TEST(contact_names) {
        ck_assert_str_eq(contact_type_to_string(CONTACT_NONE), "none");
        ck_assert_str_eq(contact_type_to_string(CONTACT_CHAT), "chat");
        ck_assert_str_eq(contact_type_to_string(CONTACT_REPEATER), "repeater");
        ck_assert_str_eq(contact_type_to_string(CONTACT_ROOM), "room");
        ck_assert_str_eq(contact_type_to_string(CONTACT_SENSOR), "sensor");
        ck_assert_str_eq(contact_type_to_string(5), "unknown");
        ck_assert_str_eq(contact_type_to_string(255), "unknown");
}
END_TEST

START_TEST(contact_differences) {
        g_autoptr(Contact) a = contact_of(1, "Ann");
        g_autoptr(Contact) b = contact_copy(a);

        ck_assert_ptr_ne(a->name, b->name);
        ck_assert_int_eq(contact_compare(a, b), 0);

#define DIFFERS(change, bit)                                  \
        do {                                                  \
                g_autoptr(Contact) c = contact_copy(a);       \
                change;                                       \
                ck_assert_int_eq(contact_compare(a, c), bit); \
        } while (false)
        DIFFERS(c->type = 9, CONTACT_CHANGED_TYPE);
        DIFFERS(c->name[0] = 'E', CONTACT_CHANGED_NAME);
        DIFFERS(c->flags = 1, CONTACT_CHANGED_FLAGS);
        DIFFERS(c->on_radio = true, CONTACT_CHANGED_ON_RADIO);
        DIFFERS(c->path_len = 0, CONTACT_CHANGED_PATH);
        DIFFERS(c->path[63] = 1, CONTACT_CHANGED_PATH);
        DIFFERS(c->lat_e6 = 1, CONTACT_CHANGED_LOCATION);
        DIFFERS(c->lon_e6 = 1, CONTACT_CHANGED_LOCATION);
        DIFFERS(c->last_advert = 1, CONTACT_CHANGED_LAST_ADVERT);
        DIFFERS(c->lastmod = 1, CONTACT_CHANGED_LASTMOD);
        DIFFERS(c->last_heard_usec = 1, CONTACT_CHANGED_LAST_HEARD);
        DIFFERS(c->unread = 1, CONTACT_CHANGED_UNREAD);
#undef DIFFERS
        ck_assert_ptr_null(contact_free(NULL));
}
END_TEST

START_TEST(channel_differences) {
        static const uint8_t secret[CHANNEL_SECRET_SIZE] = {1, 2, 3};
        g_autoptr(Channel) a = channel_new(secret);
        g_autoptr(Channel) b = channel_copy(a);

        ck_assert_int_eq(a->slot, -1);
        ck_assert_mem_eq(b->secret, secret, sizeof(secret));
        ck_assert_int_eq(channel_compare(a, b), 0);
        b->slot = 2;
        b->unread = 3;
        b->kind = CHANNEL_PUBLIC;
        g_free(b->name);
        b->name = g_strdup("x");
        ck_assert_int_eq(channel_compare(a, b), CHANNEL_CHANGED_NAME | CHANNEL_CHANGED_KIND |
                                                                CHANNEL_CHANGED_UNREAD |
                                                                CHANNEL_CHANGED_SLOT);
        ck_assert_ptr_null(channel_free(NULL));

        ck_assert_str_eq(channel_kind_to_string(CHANNEL_PUBLIC), "public");
        ck_assert_str_eq(channel_kind_to_string(CHANNEL_HASHTAG), "hashtag");
        ck_assert_str_eq(channel_kind_to_string(CHANNEL_PRIVATE), "private");
        ck_assert_ptr_null(channel_kind_to_string(_CHANNEL_KIND_MAX));
        ck_assert_ptr_null(channel_kind_to_string(_CHANNEL_KIND_INVALID));
}
END_TEST

START_TEST(message_names) {
        for (MessageKind kind = 0; kind < _MESSAGE_KIND_MAX; kind++)
                ck_assert_int_eq(message_kind_from_string(message_kind_to_string(kind)), kind);
        for (MessageState state = 0; state < _MESSAGE_STATE_MAX; state++)
                ck_assert_int_eq(message_state_from_string(message_state_to_string(state)), state);

        ck_assert_str_eq(message_kind_to_string(MESSAGE_POST), "post");
        ck_assert_str_eq(message_state_to_string(MESSAGE_EXPIRED), "expired");
        ck_assert_int_eq(message_kind_from_string("none"), -EINVAL);
        ck_assert_int_eq(message_state_from_string(""), -EINVAL);
        ck_assert_ptr_null(message_kind_to_string(_MESSAGE_KIND_MAX));
        ck_assert_ptr_null(message_kind_to_string(_MESSAGE_KIND_INVALID));
        ck_assert_ptr_null(message_state_to_string(_MESSAGE_STATE_MAX));
        ck_assert_ptr_null(message_state_to_string(_MESSAGE_STATE_INVALID));
}
END_TEST

START_TEST(message_openness) {
        ck_assert(message_state_is_open(MESSAGE_QUEUED, false));
        ck_assert(message_state_is_open(MESSAGE_SENDING, true));
        ck_assert(message_state_is_open(MESSAGE_SENT, false));
        ck_assert(!message_state_is_open(MESSAGE_SENT, true));
        for (MessageState state = MESSAGE_DELIVERED; state < _MESSAGE_STATE_MAX; state++)
                ck_assert(!message_state_is_open(state, false) && !message_state_is_open(state, true));
}
END_TEST

START_TEST(message_copies) {
        g_autoptr(Message) a = message_new();
        g_autoptr(Message) b = NULL;

        a->data = g_memdup2("xyz", 3);
        a->data_size = 3;
        a->error = g_strdup("no");
        b = message_copy(a);
        ck_assert_mem_eq(b->data, "xyz", 3);
        ck_assert_ptr_ne(a->data, b->data);
        ck_assert_str_eq(b->error, "no");
        ck_assert_str_eq(b->text, "");
        ck_assert_ptr_null(message_free(NULL));
}
END_TEST

static bool add_repeat(Message *m, size_t n_hops, size_t hash_size, const char *hashes) {
        return message_add_repeat(m, &(MessageRepeat){n_hops, hash_size, (const uint8_t *) hashes});
}

START_TEST(message_repeats) {
        static const char many[MESSAGE_REPEAT_SIZE_MAX + 1] = "";
        g_autoptr(Message) a = message_new();
        g_autoptr(Message) b = NULL;
        MessageRepeat repeat;
        size_t offset = 0;

        ck_assert(!message_next_repeat(a, &offset, &repeat));
        ck_assert(add_repeat(a, 2, 1, "ab"));
        b = message_copy(a);
        ck_assert(!add_repeat(a, 2, 1, "ab"));
        ck_assert(add_repeat(a, 1, 2, "ab"));
        ck_assert(add_repeat(a, MESSAGE_REPEAT_SIZE_MAX, 1, many));
        ck_assert(!add_repeat(a, MESSAGE_REPEAT_SIZE_MAX + 1, 1, many));
        ck_assert(!add_repeat(a, 0, 1, ""));
        ck_assert(!add_repeat(a, 1, 0, ""));
        ck_assert(!add_repeat(a, 1, 4, "abcd"));

        /* The copy is of then. */
        ck_assert(message_next_repeat(b, &offset, &repeat));
        ck_assert_uint_eq(repeat.n_hops, 2);
        ck_assert_uint_eq(repeat.hash_size, 1);
        ck_assert_mem_eq(repeat.hashes, "ab", 2);
        ck_assert(!message_next_repeat(b, &offset, &repeat));

        for (offset = 0; message_next_repeat(a, &offset, &repeat);)
                ;
        ck_assert_uint_eq(offset, 4 + 4 + 2 + MESSAGE_REPEAT_SIZE_MAX);
}
END_TEST

/* What a damaged store may hold ends, and is never read beyond its end. */
START_TEST(message_damaged_repeats) {
        for (unsigned first = 0; first < 256; first++)
                for (guint size = 0; size < 12; size++) {
                        g_autoptr(Message) m = message_new();
                        uint8_t bytes[12];
                        MessageRepeat repeat;
                        size_t offset = 0, n = 0;

                        memset(bytes, (int) first, sizeof(bytes));
                        m->repeats = g_byte_array_new();
                        g_byte_array_append(m->repeats, bytes, size);
                        for (; message_next_repeat(m, &offset, &repeat); n++) {
                                ck_assert_uint_le(repeat.n_hops * repeat.hash_size, size);
                                ck_assert(repeat.n_hops > 0 && repeat.hash_size > 0 && repeat.hash_size <= 3);
                        }
                        ck_assert_uint_le(offset, size);
                        ck_assert_uint_le(n, size / 2);

                        ck_assert(add_repeat(m, 3, 3, "ninebytes"));
                        ck_assert(!add_repeat(m, 3, 3, "ninebytes"));
                }
}
END_TEST

int main(void) {
        Suite *suite = suite_create("types");
        TCase *tc = tcase_create("types");

        tcase_add_test(tc, contact_names);
        tcase_add_test(tc, contact_differences);
        tcase_add_test(tc, channel_differences);
        tcase_add_test(tc, message_names);
        tcase_add_test(tc, message_openness);
        tcase_add_test(tc, message_copies);
        tcase_add_test(tc, message_repeats);
        tcase_add_test(tc, message_damaged_repeats);
        suite_add_tcase(suite, tc);
        return fixture_run(suite);
}
