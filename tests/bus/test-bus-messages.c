/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Messages as signals, objects and pages. */

#include <check.h>
#include <math.h>
#include <string.h>

#include "bus-fixture.h"
#include "clock.h"

#define PROPERTIES "org.freedesktop.DBus.Properties"

static char *message_path(uint64_t id) {
        return g_strdup_printf(RADIO_PATH "/message/%" PRIu64, id);
}

static char *contact_path(uint8_t first) {
        PublicKey key = test_key(first);

        return g_strdup_printf(RADIO_PATH "/contact/%s", key_to_text(&key).text);
}

/* Bytes as digits, and lists of lists of them in brackets. */
static void dump_bytes(sd_bus_message *m, const char *type, GString *text) {
        if (strcmp(type, "ay") == 0) {
                const uint8_t *data;
                size_t size;

                ck_assert_int_ge(sd_bus_message_read_array(m, 'y', (const void **) &data, &size), 0);
                for (size_t i = 0; i < size; i++)
                        g_string_append_printf(text, "%02x", data[i]);
                return;
        }

        ck_assert(g_str_has_prefix(type, "aa"));
        ck_assert_int_ge(sd_bus_message_enter_container(m, 'a', type + 1), 0);
        g_string_append_c(text, '[');
        while (sd_bus_message_at_end(m, false) == 0) {
                dump_bytes(m, type + 1, text);
                g_string_append_c(text, ' ');
        }
        g_string_append_c(text, ']');
        ck_assert_int_ge(sd_bus_message_exit_container(m), 0);
}

/* An a{sv} as text, one key a line, in its order. */
static char *dump_record(sd_bus_message *m) {
        GString *text = g_string_new(NULL);
        const char *key, *type;

        ck_assert_int_gt(sd_bus_message_enter_container(m, 'a', "{sv}"), 0);
        while (sd_bus_message_enter_container(m, 'e', "sv") > 0) {
                union {
                        const char *s;
                        uint64_t t;
                        double d;
                        uint32_t u;
                        uint16_t q;
                        uint8_t y;
                } v;

                ck_assert_int_gt(sd_bus_message_read(m, "s", &key), 0);
                ck_assert_int_gt(sd_bus_message_peek_type(m, NULL, &type), 0);
                g_string_append_printf(text, "%s %s ", key, type);
                ck_assert_int_gt(sd_bus_message_enter_container(m, 'v', type), 0);
                switch (type[0]) {
                case 's':
                case 'o':
                        ck_assert_int_gt(sd_bus_message_read_basic(m, type[0], &v), 0);
                        g_string_append(text, v.s);
                        break;
                case 't':
                        ck_assert_int_gt(sd_bus_message_read_basic(m, 't', &v), 0);
                        g_string_append_printf(text, "%" PRIu64, v.t);
                        break;
                case 'd':
                        ck_assert_int_gt(sd_bus_message_read_basic(m, 'd', &v), 0);
                        g_string_append_printf(text, "%.2f", v.d);
                        break;
                case 'u':
                case 'b':
                        ck_assert_int_gt(sd_bus_message_read_basic(m, type[0], &v), 0);
                        g_string_append_printf(text, "%u", v.u);
                        break;
                case 'q':
                        ck_assert_int_gt(sd_bus_message_read_basic(m, 'q', &v), 0);
                        g_string_append_printf(text, "%u", v.q);
                        break;
                case 'y':
                        ck_assert_int_gt(sd_bus_message_read_basic(m, 'y', &v), 0);
                        g_string_append_printf(text, "%u", v.y);
                        break;
                case 'a':
                        dump_bytes(m, type, text);
                        break;
                default:
                        ck_abort_msg("%s", type);
                }
                ck_assert_int_ge(sd_bus_message_exit_container(m), 0);
                ck_assert_int_ge(sd_bus_message_exit_container(m), 0);
                g_string_append_c(text, '\n');
        }
        ck_assert_int_ge(sd_bus_message_exit_container(m), 0);
        return g_string_free(text, false);
}

static sd_bus_message *find_signal(Fixture *f, const char *member) {
        fixture_run(f);
        for (guint i = 0; i < f->signals->len; i++)
                if (strcmp(sd_bus_message_get_member(f->signals->pdata[i]), member) == 0)
                        return f->signals->pdata[i];
        ck_abort_msg("no signal %s", member);
}

static guint signal_index(GPtrArray *texts, const char *text) {
        for (guint i = 0; i < texts->len; i++)
                if (g_str_has_prefix(texts->pdata[i], text))
                        return i;
        ck_abort_msg("no signal %s", text);
}

START_TEST(received_comes_first) {
        g_autoptr(Fixture) f = fixture_new();
        g_autofree char *path = NULL, *ann = contact_path(2), *added = NULL;
        g_autofree char *record = NULL, *properties = NULL;
        g_autoptr(sd_bus_message) all = NULL;
        g_autoptr(GPtrArray) texts = NULL;
        const char *conversation, *object;
        sd_bus_message *m;

        fixture_add_contact(f, 2, "Ann");
        fixture_clear_signals(f);
        path = message_path(fixture_receive(f, 2, "Grüße ✓"));
        texts = fixture_signals(f);
        added = g_strdup_printf("InterfacesAdded %s Message", path);

        ck_assert_str_eq(texts->pdata[0], "Received " RADIO_PATH);
        ck_assert_uint_gt(signal_index(texts, added), 0);
        ck_assert_uint_gt(signal_index(texts, "PropertiesChanged " RADIO_PATH " Messages LastId,Unread"), 0);

        m = f->signals->pdata[0];
        ck_assert_int_ge(sd_bus_message_rewind(m, true), 0);
        ck_assert_int_gt(sd_bus_message_read(m, "oo", &conversation, &object), 0);
        ck_assert_str_eq(conversation, ann);
        ck_assert_str_eq(object, path);

        /* The record is the object. */
        record = dump_record(m);
        all = fixture_call(f, path, PROPERTIES, "GetAll", "s", BUS_MESSAGE);
        assert_reply_ok(all);
        properties = dump_record(all);
        ck_assert_str_eq(record, properties);
        ck_assert_ptr_nonnull(strstr(record, "Text s Grüße ✓\n"));
        ck_assert_ptr_nonnull(strstr(record, "Snr d -3.25\n"));
        ck_assert_ptr_nonnull(strstr(record, "Hops y 2\n"));
        ck_assert_ptr_nonnull(strstr(record, "PeerPrefix s 020304050607\n"));
        ck_assert_ptr_nonnull(strstr(record, "State s received\n"));
}
END_TEST

/* Who passed a text on: told as it comes, and the same in the object and in the list, before anything is
 * written. */
START_TEST(repeats) {
        g_autoptr(Fixture) f = fixture_new();
        const MessageRepeat one = {2, 1, (const uint8_t *) "\xa1\xb2"}, two = {1, 3, (const uint8_t *) "abc"};
        g_autofree char *path = NULL, *record = NULL, *changed = NULL, *listed = NULL;
        g_autoptr(Message) message = message_new();
        g_autoptr(sd_bus_message) all = NULL, list = NULL;

        fixture_add_channel(f, 3, "#test", 7);
        message->channel = identity_get_slot(fixture_identity(f), 3)->id;
        ck_assert_int_eq(identity_queue(fixture_identity(f), message, 0, NULL), 0);
        path = message_path(message->id);
        fixture_run(f);
        fixture_clear_signals(f);

        ck_assert_int_eq(identity_add_repeat(fixture_identity(f), message->id, &one), 1);
        ck_assert_int_eq(identity_add_repeat(fixture_identity(f), message->id, &one), 0);
        ck_assert_int_eq(identity_add_repeat(fixture_identity(f), message->id, &two), 1);
        ck_assert_int_eq(identity_add_repeat(fixture_identity(f), message->id + 1, &two), -ENOENT);
        fixture_run(f);
        changed = g_strdup_printf("PropertiesChanged %s Message Repeats", path);
        ck_assert_uint_eq(fixture_count_signals(f, changed), 1);
        ck_assert_uint_eq(fixture_signals(f)->len, 1);

        all = fixture_call(f, path, PROPERTIES, "GetAll", "s", BUS_MESSAGE);
        record = dump_record(all);
        ck_assert_ptr_nonnull(strstr(record, "Repeats aaay [[a1 b2 ] [616263 ] ]\n"));

        list = fixture_call(f, RADIO_PATH, BUS_MESSAGES, "List", "a{sv}tua{sv}", 0, (uint64_t) 0, 10, 0);
        ck_assert_int_gt(sd_bus_message_enter_container(list, 'a', "(oa{sv})"), 0);
        ck_assert_int_gt(sd_bus_message_enter_container(list, 'r', "oa{sv}"), 0);
        ck_assert_int_gt(sd_bus_message_skip(list, "o"), 0);
        listed = dump_record(list);
        ck_assert_str_eq(listed, record);
}
END_TEST

START_TEST(conversations) {
        g_autoptr(Fixture) f = fixture_new();
        const char *conversation;

        fixture_add_channel(f, 3, "#test", 7);
        fixture_clear_signals(f);
        (void) fixture_receive_channel(f, 3, "Bob", "to all");
        ck_assert_int_gt(sd_bus_message_read(find_signal(f, "Received"), "o", &conversation), 0);
        ck_assert_str_eq(conversation, RADIO_PATH "/channel/3");
        ck_assert(fixture_has_signal(f, "PropertiesChanged " RADIO_PATH "/channel/3 Channel Unread"));
        ck_assert_uint_eq(fixture_get_number(f, RADIO_PATH "/channel/3", BUS_CHANNEL, "Unread", "u"), 1);

        fixture_clear_signals(f);
        (void) fixture_receive(f, 0, "a stranger's");
        ck_assert_int_gt(sd_bus_message_read(find_signal(f, "Received"), "o", &conversation), 0);
        ck_assert_str_eq(conversation, "/");
}
END_TEST

START_TEST(channel_leaves_its_slot) {
        g_autoptr(Fixture) f = fixture_new();
        g_autofree char *path = NULL, *before = NULL, *after = NULL;

        fixture_add_channel(f, 3, "#test", 7);
        path = message_path(fixture_receive_channel(f, 3, "Bob", "to all"));
        before = fixture_get_string(f, path, BUS_MESSAGE, "Channel");
        ck_assert_str_eq(before, RADIO_PATH "/channel/3");

        fixture_add_channel(f, 3, "other", 8);
        after = fixture_get_string(f, path, BUS_MESSAGE, "Channel");
        ck_assert_str_eq(after, "/");
}
END_TEST

START_TEST(data_and_unknown_values) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(Message) message = message_new();
        g_autoptr(sd_bus_message) all = NULL, snr = NULL;
        g_autofree char *path = NULL, *record = NULL;
        ReceiveResult result;
        double d;

        message->kind = MESSAGE_DATA;
        message->state = MESSAGE_RECEIVED;
        message->timestamp_usec = clock_realtime_usec();
        message->path_len = MESSAGE_PATH_DIRECT;
        fixture_add_channel(f, 3, "#test", 7);
        message->channel = identity_get_slot(fixture_identity(f), 3)->id;
        message->data = g_memdup2("\x00\xff", 2);
        message->data_size = 2;
        message->data_type = 0xFF01;
        ck_assert_int_ge(identity_receive(fixture_identity(f), message, &result), 0);

        path = message_path(message->id);
        all = fixture_call(f, path, PROPERTIES, "GetAll", "s", BUS_MESSAGE);
        record = dump_record(all);
        ck_assert_ptr_nonnull(strstr(record, "Kind s data\n"));
        ck_assert_ptr_nonnull(strstr(record, "Data ay 00ff\n"));
        ck_assert_ptr_nonnull(strstr(record, "DataType q 65281\n"));
        ck_assert_ptr_nonnull(strstr(record, "Hops y 255\n"));
        ck_assert_ptr_nonnull(strstr(record, "Text s \n"));
        snr = fixture_get(f, path, BUS_MESSAGE, "Snr", "d");
        ck_assert_int_gt(sd_bus_message_read(snr, "d", &d), 0);
        ck_assert(isnan(d));
}
END_TEST

START_TEST(window_of_256) {
        g_autoptr(Fixture) f = fixture_new();
        g_autofree char *first = NULL, *last = NULL, *back = NULL, *text = NULL;
        g_autoptr(sd_bus_message) read = NULL;
        uint64_t ids[BUS_WINDOW_MAX + 10];

        fixture_add_contact(f, 2, "Ann");
        fixture_clear_signals(f);
        for (size_t i = 0; i < ELEMENTSOF(ids); i++) {
                g_autofree char *body = g_strdup_printf("message %zu", i);

                ids[i] = fixture_receive(f, 2, body);
                fixture_run(f);
        }
        ck_assert_uint_eq(fixture_count_signals(f, "Received"), ELEMENTSOF(ids));
        ck_assert_uint_eq(fixture_count_signals(f, "InterfacesAdded"), ELEMENTSOF(ids));
        ck_assert_uint_eq(fixture_count_signals(f, "InterfacesRemoved"), 10);
        ck_assert_uint_eq(fixture_count_signals(f, "Deleted"), 0);
        first = g_strdup_printf("InterfacesRemoved " RADIO_PATH "/message/%" PRIu64 " Message", ids[0]);
        ck_assert(fixture_has_signal(f, first));

        /* Out of the window, and there all the same. */
        last = message_path(ids[0]);
        text = fixture_get_string(f, last, BUS_MESSAGE, "Text");
        ck_assert_str_eq(text, "message 0");

        /* When one of the window is read, the next older one comes back. */
        fixture_clear_signals(f);
        g_free(last);
        last = message_path(ids[ELEMENTSOF(ids) - 1]);
        read = fixture_call(f, last, BUS_MESSAGE, "MarkRead", NULL);
        assert_reply_ok(read);
        back = g_strdup_printf("InterfacesAdded " RADIO_PATH "/message/%" PRIu64 " Message", ids[9]);
        ck_assert(fixture_has_signal(f, back));
        ck_assert_uint_eq(fixture_count_signals(f, "InterfacesAdded"), 1);
        ck_assert_uint_eq(fixture_count_signals(f, "InterfacesRemoved"), 1);
        ck_assert_uint_eq(fixture_get_number(f, RADIO_PATH, BUS_MESSAGES, "Unread", "u"),
                          ELEMENTSOF(ids) - 1);
}
END_TEST

/* However many come while one of ours waits, it stays; also when they come in one turn of the loop. */
START_TEST(window_keeps_open) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(Message) own = message_new();
        g_autoptr(sd_bus_message) read = NULL;
        g_autoptr(GHashTable) told = g_hash_table_new(g_str_hash, g_str_equal);
        g_autoptr(GPtrArray) signals = NULL;
        g_autofree char *last = NULL;
        uint64_t ids[BUS_WINDOW_MAX + 60];

        fixture_add_contact(f, 2, "Ann");
        own->channel = 99;
        ck_assert_int_ge(identity_queue(fixture_identity(f), own, 1000, NULL), 0);
        fixture_run(f);
        fixture_clear_signals(f);
        for (size_t i = 0; i < ELEMENTSOF(ids); i++) {
                g_autofree char *body = g_strdup_printf("message %zu", i);

                ids[i] = fixture_receive(f, 2, body);
                if (i % 50 == 0)
                        fixture_run(f);
        }
        signals = fixture_signals(f);
        for (guint i = 0; i < signals->len; i++)
                g_hash_table_add(told, signals->pdata[i]);

        for (uint64_t id = own->id; id <= ids[ELEMENTSOF(ids) - 1]; id++) {
                g_autofree char *path = message_path(id);
                g_autofree char *added = g_strdup_printf("InterfacesAdded %s Message", path);
                g_autofree char *removed = g_strdup_printf("InterfacesRemoved %s Message", path);
                const bool early = id > own->id && id <= ids[60];

                /* The window holds one less of them than it could. */
                ck_assert_int_eq(g_hash_table_contains(told, added), id != own->id);
                ck_assert_int_eq(g_hash_table_contains(told, removed), early);
        }

        /* As a look into the store would have it. */
        fixture_clear_signals(f);
        last = message_path(ids[ELEMENTSOF(ids) - 1]);
        read = fixture_call(f, last, BUS_MESSAGE, "MarkRead", NULL);
        assert_reply_ok(read);
        ck_assert_uint_eq(fixture_count_signals(f, "InterfacesAdded"), 1);
        ck_assert_uint_eq(fixture_count_signals(f, "InterfacesRemoved"), 1);
}
END_TEST

/* -- List -------------------------------------------------------------------- */

/* The texts of a page, joined; the reply is freed. */
static char *page_texts(sd_bus_message *reply) {
        g_autoptr(GString) texts = g_string_new(NULL);
        const char *path;

        assert_reply_ok(reply);
        ck_assert_int_gt(sd_bus_message_enter_container(reply, 'a', "(oa{sv})"), 0);
        while (sd_bus_message_enter_container(reply, 'r', "oa{sv}") > 0) {
                g_autofree char *record = NULL, *text = NULL;
                const char *at;

                ck_assert_int_gt(sd_bus_message_read(reply, "o", &path), 0);
                record = dump_record(reply);
                ck_assert_int_ge(sd_bus_message_exit_container(reply), 0);
                at = strstr(record, "Text s ") + strlen("Text s ");
                text = g_strndup(at, strcspn(at, "\n"));
                g_string_append_printf(texts, "%s%s", texts->len > 0 ? " " : "", text);
        }
        sd_bus_message_unref(reply);
        return g_strdup(texts->str);
}

#define LIST(f, ...) fixture_call(f, RADIO_PATH, BUS_MESSAGES, "List", __VA_ARGS__)
#define assert_page(reply, expected)                         \
        do {                                                 \
                g_autofree char *texts_ = page_texts(reply); \
                                                             \
                ck_assert_str_eq(texts_, expected);          \
        } while (0)

static int on_list_reply(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        *(sd_bus_message **) userdata = sd_bus_message_ref(m);
        return 0;
}

static void receive_hay(Fixture *f, size_t from, size_t to) {
        for (size_t i = from; i < to; i++) {
                g_autofree char *text = g_strdup_printf("hay %zu", i);

                (void) fixture_receive(f, 2, text);
        }
        fixture_run(f);
}

/* Calls the search and lets the loop run until it has begun and is not over. */
static void begin_search(Fixture *f, sd_bus_message **reply) {
        sd_bus_message *call = fixture_new_call(f, RADIO_PATH, BUS_MESSAGES, "List");

        ck_assert_int_ge(sd_bus_message_append(call, "a{sv}tua{sv}", 1, "Text", "s", "nowhere", (uint64_t) 0,
                                               10, 0),
                         0);
        ck_assert_int_ge(sd_bus_call_async(f->client, NULL, call, on_list_reply, reply, 0), 0);
        sd_bus_message_unref(call);
        while (((BusRadio *) f->bus->radios->pdata[0])->lists.length == 0)
                ck_assert_int_gt(sd_event_run(f->event, 1000000), 0);
}

/* More rows than one step looks at, and of them only the farthest passes the filter. */
START_TEST(long_search) {
        g_autoptr(Fixture) f = fixture_new();
        sd_bus_message *reply = NULL;

        /* The first step is short: many of them may stand before a call of somebody else. */
        fixture_add_contact(f, 2, "Ann");
        (void) fixture_receive(f, 2, "needle");
        receive_hay(f, 0, 1000);
        begin_search(f, &reply);
        fixture_run(f);
        ck_assert_ptr_nonnull(reply);
        assert_page(g_steal_pointer(&reply), "");

        receive_hay(f, 1000, 10000);
        assert_page(LIST(f, "a{sv}tua{sv}", 1, "Text", "s", "needle", (uint64_t) 0, 10, 0), "needle");
        assert_page(LIST(f, "a{sv}tua{sv}", 1, "Text", "s", "nowhere", (uint64_t) 0, 10, 0), "");

        /* The messages go in the middle: the caller still gets one answer. */
        begin_search(f, &reply);
        bus_lists_drop(f->bus->radios->pdata[0]);
        fixture_run(f);
        ck_assert_ptr_nonnull(reply);
        assert_reply_error(reply, "Cancelled");
        sd_bus_message_unref(reply);
}
END_TEST

START_TEST(pages) {
        g_autoptr(Fixture) f = fixture_new();
        uint64_t ids[5];

        fixture_add_contact(f, 2, "Ann");
        for (size_t i = 0; i < ELEMENTSOF(ids); i++) {
                g_autofree char *text = g_strdup_printf("m%zu", i);

                ids[i] = fixture_receive(f, 2, text);
        }

        assert_page(LIST(f, "a{sv}tua{sv}", 0, (uint64_t) 0, 10, 0), "m4 m3 m2 m1 m0");
        assert_page(LIST(f, "a{sv}tua{sv}", 0, (uint64_t) 0, 2, 0), "m4 m3");
        assert_page(LIST(f, "a{sv}tua{sv}", 0, ids[3], 2, 0), "m2 m1");
        assert_page(LIST(f, "a{sv}tua{sv}", 0, ids[0], 2, 0), "");
        assert_page(LIST(f, "a{sv}tua{sv}", 0, (uint64_t) 0, 2, 1, "Order", "s", "newer"), "m0 m1");
        assert_page(LIST(f, "a{sv}tua{sv}", 0, ids[1], 2, 1, "Order", "s", "newer"), "m2 m3");
        assert_page(LIST(f, "a{sv}tua{sv}", 0, ids[1], UINT32_MAX, 1, "Order", "s", "newer"), "m2 m3 m4");
}
END_TEST

START_TEST(filters) {
        g_autoptr(Fixture) f = fixture_new();
        g_autofree char *ann = contact_path(2);
        PublicKey key = test_key(2);
        g_autoptr(Channel) unused = NULL;
        g_autoptr(sd_bus_message) sent = NULL;

        fixture_add_contact(f, 2, "Ann");
        fixture_add_contact(f, 3, "Bob");
        fixture_add_channel(f, 3, "#test", 7);
        (void) fixture_receive(f, 2, "one");
        (void) fixture_receive(f, 3, "two");
        (void) fixture_receive_channel(f, 3, "Cid", "three");
        sent = fixture_call(f, RADIO_PATH, BUS_RADIO, "SendText", "ssa{sv}", "Ann", "four", 0);
        assert_reply_ok(sent);

#define FILTER(key, type, value) LIST(f, "a{sv}tua{sv}", 1, key, type, value, (uint64_t) 0, 10, 0)
        assert_page(FILTER("Peer", "s", "Ann"), "four one");
        assert_page(FILTER("Peer", "o", ann), "four one");
        assert_page(FILTER("Peer", "s", ann), "four one");
        assert_page(FILTER("Peer", "s", key_to_text(&key).text), "four one");
        assert_page(FILTER("Channel", "s", "#test"), "three");
        assert_page(FILTER("Channel", "o", RADIO_PATH "/channel/3"), "three");
        assert_page(FILTER("State", "s", "queued"), "four");
        assert_page(FILTER("Kind", "s", "text"), "four three two one");
        assert_page(FILTER("Kind", "s", "raw"), "");
        assert_page(FILTER("Direction", "s", "sent"), "four");
        assert_page(FILTER("Direction", "s", "received"), "three two one");
        assert_page(FILTER("Unread", "b", true), "three two one");
        assert_page(FILTER("Text", "s", "HR"), "three");
        assert_page(FILTER("UntilUSec", "t", (uint64_t) 1), "");
        assert_page(FILTER("SinceUSec", "t", (uint64_t) 1), "four three two one");

        static const struct {
                const char *key, *type, *value, *error;
        } wrong[] = {
                        {"peer", "s", "Ann", "InvalidArguments"},
                        {"Peer", "s", "Eve", "NotFound"},
                        {"Peer", "s", "#test", "NotFound"},
                        {"Peer", "o", "/", "NotFound"},
                        {"Channel", "s", "Ann", "NotFound"},
                        {"Channel", "o", RADIO_PATH, "NotFound"},
                        {"State", "s", "lost", "InvalidArguments"},
                        {"Kind", "s", "song", "InvalidArguments"},
                        {"Direction", "s", "up", "InvalidArguments"},
                        {"Unread", "s", "yes", "InvalidArguments"},
        };
        for (size_t i = 0; i < ELEMENTSOF(wrong); i++) {
                g_autoptr(sd_bus_message) reply = FILTER(wrong[i].key, wrong[i].type, wrong[i].value);

                assert_reply_error(reply, wrong[i].error);
        }
}
END_TEST

START_TEST(list_arguments) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(sd_bus_message) none = LIST(f, "a{sv}tua{sv}", 0, (uint64_t) 0, 0, 0);
        g_autoptr(sd_bus_message) order =
                        LIST(f, "a{sv}tua{sv}", 0, (uint64_t) 0, 1, 1, "Order", "s", "random");
        g_autoptr(sd_bus_message) unknown =
                        LIST(f, "a{sv}tua{sv}", 0, (uint64_t) 0, 1, 1, "order", "s", "newer");

        assert_reply_error(none, "InvalidArguments");
        assert_reply_error(order, "InvalidArguments");
        assert_reply_error(unknown, "InvalidArguments");
        ck_assert_ptr_nonnull(strstr(sd_bus_message_get_error(unknown)->message, "order"));
}
END_TEST

START_TEST(list_is_capped) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(sd_bus_message) reply = NULL;
        unsigned n = 0;

        fixture_add_contact(f, 2, "Ann");
        for (unsigned i = 0; i < BUS_LIST_MAX + 1; i++)
                (void) fixture_receive(f, 2, "m");

        reply = LIST(f, "a{sv}tua{sv}", 0, (uint64_t) 0, 10000, 0);
        assert_reply_ok(reply);
        ck_assert_int_gt(sd_bus_message_enter_container(reply, 'a', "(oa{sv})"), 0);
        while (sd_bus_message_skip(reply, "(oa{sv})") > 0)
                n++;
        ck_assert_uint_eq(n, BUS_LIST_MAX);
}
END_TEST

/* -- reading and deleting ------------------------------------------------------ */

START_TEST(mark_and_delete) {
        g_autoptr(Fixture) f = fixture_new();
        g_autofree char *one = NULL, *two = NULL, *changed = NULL, *withdrawn = NULL;
        g_autoptr(sd_bus_message) marked = NULL, deleted = NULL, gone = NULL, again = NULL, foreign = NULL;
        const char *path;

        fixture_add_contact(f, 2, "Ann");
        one = message_path(fixture_receive(f, 2, "one"));
        two = message_path(fixture_receive(f, 2, "two"));

        fixture_clear_signals(f);
        marked = fixture_call(f, RADIO_PATH, BUS_MESSAGES, "MarkRead", "ao", 2, one, two);
        assert_reply_ok(marked);
        changed = g_strdup_printf("PropertiesChanged %s Message Read", one);
        withdrawn = g_strdup_printf("InterfacesRemoved %s Message", one);
        ck_assert(fixture_has_signal(f, changed));
        ck_assert(fixture_has_signal(f, withdrawn));
        ck_assert_uint_eq(fixture_count_signals(f, "Deleted"), 0);
        ck_assert_uint_eq(fixture_get_number(f, one, BUS_MESSAGE, "Read", "b"), 1);
        ck_assert_uint_eq(fixture_get_number(f, RADIO_PATH, BUS_MESSAGES, "Unread", "u"), 0);

        fixture_clear_signals(f);
        deleted = fixture_call(f, one, BUS_MESSAGE, "Delete", NULL);
        assert_reply_ok(deleted);
        ck_assert_int_gt(sd_bus_message_enter_container(find_signal(f, "Deleted"), 'a', "o"), 0);
        ck_assert_int_gt(sd_bus_message_read(find_signal(f, "Deleted"), "o", &path), 0);
        ck_assert_str_eq(path, one);
        gone = fixture_call(f, one, BUS_MESSAGE, "MarkRead", NULL);
        assert_reply_error(gone, SD_BUS_ERROR_UNKNOWN_OBJECT);

        again = fixture_call(f, RADIO_PATH, BUS_MESSAGES, "Delete", "ao", 2, one, two);
        assert_reply_ok(again);
        foreign = fixture_call(f, RADIO_PATH, BUS_MESSAGES, "Delete", "ao", 1, RADIO_PATH "/message/01");
        assert_reply_error(foreign, "InvalidArguments");
}
END_TEST

START_TEST(too_many_at_once) {
        g_autoptr(Fixture) f = fixture_new();
        sd_bus_message *call = fixture_new_call(f, RADIO_PATH, BUS_MESSAGES, "MarkRead");
        g_autoptr(sd_bus_message) reply = NULL;

        ck_assert_int_ge(sd_bus_message_open_container(call, 'a', "o"), 0);
        for (unsigned i = 0; i < BUS_BATCH_MAX + 1; i++)
                ck_assert_int_ge(sd_bus_message_append(call, "o", RADIO_PATH "/message/1"), 0);
        ck_assert_int_ge(sd_bus_message_close_container(call), 0);
        fixture_call_async(f, call, &reply);
        assert_reply_error(reply, "InvalidArguments");
}
END_TEST

int main(void) {
        Suite *suite = suite_create("bus-messages");
        TCase *tcase = tcase_create("all");
        SRunner *runner;
        int failed;

        tcase_set_timeout(tcase, 30);
        tcase_add_test(tcase, received_comes_first);
        tcase_add_test(tcase, repeats);
        tcase_add_test(tcase, conversations);
        tcase_add_test(tcase, channel_leaves_its_slot);
        tcase_add_test(tcase, data_and_unknown_values);
        tcase_add_test(tcase, window_of_256);
        tcase_add_test(tcase, window_keeps_open);
        tcase_add_test(tcase, pages);
        tcase_add_test(tcase, filters);
        tcase_add_test(tcase, list_arguments);
        tcase_add_test(tcase, list_is_capped);
        tcase_add_test(tcase, long_search);
        tcase_add_test(tcase, mark_and_delete);
        tcase_add_test(tcase, too_many_at_once);
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed > 0;
}
