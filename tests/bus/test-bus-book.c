/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What can be asked of contacts and channels: what reaches the radio, and
 * what the caller hears of it. */

#include <check.h>
#include <math.h>
#include <string.h>

#include "bus-fixture.h"

#define KEY_2 "02030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021"

static const char contact_path[] = RADIO_PATH "/contact/" KEY_2;
static const char channel_path[] = RADIO_PATH "/channel/3";

static void ask(Fixture *f, sd_bus_message **ret_reply, const char *path, const char *interface,
                const char *member, const char *types, ...) {
        sd_bus_message *call = fixture_new_call(f, path, interface, member);
        va_list ap;

        va_start(ap, types);
        if (types)
                ck_assert_int_ge(sd_bus_message_appendv(call, types, ap), 0);
        va_end(ap);
        fixture_call_async(f, call, ret_reply);
}

/* The radio was asked for text, and until it is done nobody was answered. */
static void assert_asked(Fixture *f, sd_bus_message *reply, const char *text) {
        ck_assert_msg(!reply, "answered at once: %s", sd_bus_message_get_error(reply)->message);
        ck_assert_ptr_nonnull(fake_radio_request(f->radio));
        ck_assert_str_eq(fake_radio_request(f->radio), text);
}

static void assert_path(sd_bus_message *reply, const char *path) {
        const char *got;

        ck_assert_ptr_nonnull(reply);
        assert_reply_ok(reply);
        ck_assert_int_gt(sd_bus_message_read(reply, "o", &got), 0);
        ck_assert_str_eq(got, path);
}

static void assert_text(sd_bus_message *reply, const char *text) {
        const char *got;

        ck_assert_ptr_nonnull(reply);
        assert_reply_ok(reply);
        ck_assert_int_gt(sd_bus_message_read(reply, "s", &got), 0);
        ck_assert_str_eq(got, text);
}

static void assert_empty(sd_bus_message *reply) {
        ck_assert_ptr_nonnull(reply);
        assert_reply_ok(reply);
        ck_assert_int_gt(sd_bus_message_at_end(reply, true), 0);
}

static void answer(Fixture *f, OutcomeCode code) {
        fake_radio_answer(f->radio, code);
        fixture_run(f);
}

static Fixture *fixture_with_ann(void) {
        Fixture *f = fixture_new();

        fixture_add_contact(f, 2, "Ann");
        fixture_add_channel(f, 3, "secret place", 7);
        fixture_run(f);
        return f;
}

/* -- contacts --------------------------------------------------------------- */

START_TEST(add) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(sd_bus_message) reply = NULL;

        ask(f, &reply, RADIO_PATH, BUS_CONTACTS, "Add", "a{sv}", 8, "Key", "s", KEY_2, "Type", "s", "room",
            "Name", "s", "Ann\x1b[2J", "Flags", "u", 3, "Favourite", "b", true, "Location", "(dd)",
            -48.1371545, 11.5761, "LastAdvertUSec", "t", UINT64_C(1700000000999999), "Path", "aay", 2, 2,
            0xAA, 0xBB, 2, 1, 2);
        assert_asked(f, reply,
                     "add 02030405 type=3 name=Ann\x1b[2J flags=3 favourite=1 path=aabb,0102 "
                     "location=-48137155/11576100 last-advert=1700000000");

        fixture_add_contact(f, 2, "Ann");
        answer(f, OUTCOME_OK);
        assert_path(reply, contact_path);
}
END_TEST

START_TEST(add_by_key_and_number) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(sd_bus_message) reply = NULL;

        ask(f, &reply, RADIO_PATH, BUS_CONTACTS, "Add", "a{sv}", 3, "Key", "s", KEY_2, "Type", "y", 9, "Path",
            "aay", 0);
        assert_asked(f, reply, "add 02030405 type=9 path=");
        answer(f, OUTCOME_TABLE_FULL);
        ck_assert_ptr_nonnull(reply);
        assert_reply_error(reply, "TableFull");
}
END_TEST

/* Removed again before the answer: no path to nowhere. */
START_TEST(add_and_gone) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(sd_bus_message) reply = NULL;

        ask(f, &reply, RADIO_PATH, BUS_CONTACTS, "Add", "a{sv}", 1, "Key", "s", KEY_2);
        assert_asked(f, reply, "add 02030405");
        answer(f, OUTCOME_OK);
        ck_assert_ptr_nonnull(reply);
        assert_reply_error(reply, "NotFound");
}
END_TEST

static void assert_refused(Fixture *f, sd_bus_message *reply, const char *words) {
        ck_assert_ptr_nonnull(reply);
        assert_reply_error(reply, "InvalidArguments");
        ck_assert_msg(strstr(sd_bus_message_get_error(reply)->message, words), "\"%s\" says nothing of %s",
                      sd_bus_message_get_error(reply)->message, words);
        ck_assert_uint_eq(fake_radio_n_requests(f->radio), 0);
}

#define REFUSED(words, path, interface, member, ...)                       \
        G_STMT_START {                                                     \
                g_autoptr(sd_bus_message) r_ = NULL;                       \
                                                                           \
                ask(f, &r_, (path), (interface), (member), ##__VA_ARGS__); \
                assert_refused(f, r_, (words));                            \
        }                                                                  \
        G_STMT_END

#define ADD_REFUSED(words, ...) \
        REFUSED(words, RADIO_PATH, BUS_CONTACTS, "Add", "a{sv}", 2, "Key", "s", KEY_2, ##__VA_ARGS__)

START_TEST(add_refuses) {
        g_autoptr(Fixture) f = fixture_new();

        REFUSED("Key is missing", RADIO_PATH, BUS_CONTACTS, "Add", "a{sv}", 0);
        REFUSED("64 hex digits", RADIO_PATH, BUS_CONTACTS, "Add", "a{sv}", 1, "Key", "s", "0203");
        ADD_REFUSED("Unknown key name", "name", "s", "Ann");
        ADD_REFUSED("Key is there twice", "Key", "s", KEY_2);
        ADD_REFUSED("chat, repeater, room, sensor", "Type", "s", "none");
        ADD_REFUSED("Type has type u instead of s", "Type", "u", 1);
        ADD_REFUSED("Flags is 256, above 255", "Flags", "u", 256);
        ADD_REFUSED("-90 to 90", "Location", "(dd)", 90.1, 0.0);
        ADD_REFUSED("-90 to 90", "Location", "(dd)", 0.0, -180.1);
        ADD_REFUSED("-90 to 90", "Location", "(dd)", (double) NAN, 0.0);
        ADD_REFUSED("instead of (dd)", "Location", "ad", 2, 1.0, 2.0);
        ADD_REFUSED("2106", "LastAdvertUSec", "t", UINT64_C(4294967296000000));
        ADD_REFUSED("instead of aay", "Path", "ay", 1, 1);
        ADD_REFUSED("4 bytes instead of 1 to 3", "Path", "aay", 1, 4, 1, 2, 3, 4);
        ADD_REFUSED("0 bytes instead of 1 to 3", "Path", "aay", 1, 0);
}
END_TEST

START_TEST(path_of_too_many_hops) {
        g_autoptr(Fixture) f = fixture_with_ann();

        for (unsigned n = CONTACT_PATH_HOPS_MAX; n <= 1000; n += 1000 - CONTACT_PATH_HOPS_MAX) {
                sd_bus_message *call = fixture_new_call(f, contact_path, BUS_CONTACT, "SetPath");
                g_autoptr(sd_bus_message) reply = NULL;

                ck_assert_int_ge(sd_bus_message_open_container(call, 'a', "ay"), 0);
                for (unsigned i = 0; i < n; i++)
                        ck_assert_int_ge(sd_bus_message_append(call, "ay", 1, i & 0xFF), 0);
                ck_assert_int_ge(sd_bus_message_close_container(call), 0);
                fixture_call_async(f, call, &reply);

                if (n == CONTACT_PATH_HOPS_MAX) {
                        ck_assert_ptr_null(reply);
                        answer(f, OUTCOME_OK);
                        assert_empty(reply);
                } else
                        assert_refused(f, reply, "more than 63 hops");
        }
}
END_TEST

START_TEST(contact_requests) {
        g_autoptr(Fixture) f = fixture_with_ann();
        static const struct {
                const char *member, *asked;
                OutcomeCode code;
                const char *error;
        } cases[] = {
                        {"ResetPath", "reset-path 02030405", OUTCOME_OK, ""},
                        {"ResetPath", "reset-path 02030405", OUTCOME_NOT_FOUND, "NotFound"},
                        {"Share", "share 02030405", OUTCOME_OK, ""},
                        {"Share", "share 02030405", OUTCOME_REJECTED, "Rejected"},
                        {"ExportCard", "export 02030405", OUTCOME_LINK_LOST, "LinkLost"},
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                g_autoptr(sd_bus_message) reply = NULL;

                ask(f, &reply, contact_path, BUS_CONTACT, cases[i].member, NULL);
                assert_asked(f, reply, cases[i].asked);
                answer(f, cases[i].code);
                ck_assert_ptr_nonnull(reply);
                assert_reply_error(reply, cases[i].error);
        }
}
END_TEST

START_TEST(update) {
        g_autoptr(Fixture) f = fixture_with_ann();
        g_autoptr(sd_bus_message) reply = NULL;

        ask(f, &reply, contact_path, BUS_CONTACT, "Update", "a{sv}", 2, "Favourite", "b", false, "Name", "s",
            "");
        assert_asked(f, reply, "update 02030405 name= favourite=0");
        answer(f, OUTCOME_OK);
        assert_empty(reply);

        REFUSED("Nothing", contact_path, BUS_CONTACT, "Update", "a{sv}", 0);
        REFUSED("Unknown key Key", contact_path, BUS_CONTACT, "Update", "a{sv}", 1, "Key", "s", KEY_2);
}
END_TEST

START_TEST(set_path) {
        g_autoptr(Fixture) f = fixture_with_ann();
        g_autoptr(sd_bus_message) reply = NULL, neighbour = NULL;

        ask(f, &reply, contact_path, BUS_CONTACT, "SetPath", "aay", 2, 1, 0xC0, 3, 1, 2, 3);
        assert_asked(f, reply, "set-path 02030405 c0,010203");
        answer(f, OUTCOME_INVALID_ARGUMENTS); /* of mixed lengths */
        ck_assert_ptr_nonnull(reply);
        assert_reply_error(reply, "InvalidArguments");

        ask(f, &neighbour, contact_path, BUS_CONTACT, "SetPath", "aay", 0);
        assert_asked(f, neighbour, "set-path 02030405 ");
        answer(f, OUTCOME_OK);
        assert_empty(neighbour);
}
END_TEST

START_TEST(remove_contact) {
        g_autoptr(Fixture) f = fixture_with_ann();
        g_autoptr(sd_bus_message) keep = NULL, reply = NULL, gone = NULL;
        PublicKey key = test_key(2);

        ask(f, &keep, contact_path, BUS_CONTACT, "Remove", "a{sv}", 1, "Keep", "b", true);
        assert_asked(f, keep, "remove 02030405 keep");
        answer(f, OUTCOME_OK);
        assert_empty(keep);
        REFUSED("Unknown key keep", contact_path, BUS_CONTACT, "Remove", "a{sv}", 1, "keep", "b", true);

        ask(f, &reply, contact_path, BUS_CONTACT, "Remove", "a{sv}", 0);
        assert_asked(f, reply, "remove 02030405");
        ck_assert_int_ge(identity_remove_contact(fixture_identity(f), &key), 0);
        answer(f, OUTCOME_OK);
        assert_empty(reply);
        ask(f, &gone, contact_path, BUS_CONTACT, "Remove", "a{sv}", 0);
        ck_assert_ptr_nonnull(gone);
        assert_reply_error(gone, SD_BUS_ERROR_UNKNOWN_OBJECT);
}
END_TEST

START_TEST(import_contact) {
        g_autoptr(Fixture) f = fixture_with_ann();
        g_autoptr(sd_bus_message) reply = NULL, card = NULL;
        PublicKey key = test_key(2);

        ask(f, &reply, RADIO_PATH, BUS_CONTACTS, "Import", "s", "meshcore://contact/add?public_key=" KEY_2);
        assert_asked(f, reply, "import meshcore://contact/add?public_key=" KEY_2);
        answer(f, OUTCOME_OK);
        assert_path(reply, contact_path);

        REFUSED(BUS_CHANNELS, RADIO_PATH, BUS_CONTACTS, "Import", "s",
                "MeshCore://Channel/add?name=x&secret=00");

        ask(f, &card, RADIO_PATH, BUS_CONTACTS, "ImportCard", "ay", 0);
        assert_asked(f, card, "import-card 0 bytes");
        answer(f, OUTCOME_INVALID_ARGUMENTS);
        ck_assert_ptr_nonnull(card);
        assert_reply_error(card, "InvalidArguments");
        sd_bus_message_unref(g_steal_pointer(&card));

        {
                sd_bus_message *call = fixture_new_call(f, RADIO_PATH, BUS_CONTACTS, "ImportCard");

                ck_assert_int_ge(sd_bus_message_append_array(call, 'y', &key, sizeof(key)), 0);
                fixture_call_async(f, call, &card);
        }
        assert_asked(f, card, "import-card 32 bytes");
        answer(f, OUTCOME_OK);
        assert_path(card, contact_path);
}
END_TEST

START_TEST(export_contact) {
        g_autoptr(Fixture) f = fixture_with_ann();
        g_autoptr(sd_bus_message) link = NULL, card = NULL, bytes = NULL, self = NULL, self_bytes = NULL;
        const void *packet;
        size_t size;

        ask(f, &link, contact_path, BUS_CONTACT, "Export", "a{sv}", 0);
        assert_text(link, "meshcore://contact/add?public_key=" KEY_2);
        ask(f, &card, contact_path, BUS_CONTACT, "Export", "a{sv}", 1, "Form", "s", "card");
        assert_asked(f, card, "export 02030405");
        fake_radio_answer_card(f->radio, "\x11\x22", 2, "meshcore://1122");
        fixture_run(f);
        assert_text(card, "meshcore://1122");
        ask(f, &bytes, contact_path, BUS_CONTACT, "ExportCard", NULL);
        assert_asked(f, bytes, "export 02030405");
        fake_radio_answer_card(f->radio, "\x11\x22", 2, "meshcore://1122");
        fixture_run(f);
        assert_reply_ok(bytes);
        ck_assert_int_gt(sd_bus_message_read_array(bytes, 'y', &packet, &size), 0);
        ck_assert_mem_eq(packet, "\x11\x22", 2);
        ck_assert_uint_eq(size, 2);

        ask(f, &self, RADIO_PATH, BUS_CONTACTS, "ExportSelf", "a{sv}", 1, "Form", "s", "link");
        assert_text(self, "meshcore://contact/add?public_key="
                          "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20");
        ask(f, &self_bytes, RADIO_PATH, BUS_CONTACTS, "ExportSelfCard", NULL);
        assert_asked(f, self_bytes, "export self");
        answer(f, OUTCOME_NOT_CONNECTED);
        assert_reply_error(self_bytes, "NotConnected");

        REFUSED("link or card", contact_path, BUS_CONTACT, "Export", "a{sv}", 1, "Form", "s", "qr");
}
END_TEST

/* -- what was heard ----------------------------------------------------------- */

START_TEST(auto_add_property) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(sd_bus_message) none = fixture_get(f, RADIO_PATH, BUS_CONTACTS, "AutoAdd", "a{sv}");
        g_autoptr(sd_bus_message) some = NULL, missing = NULL;
        uint8_t hops;
        int manual;

        ck_assert(!enter_key(none, "Manual", "b"));

        fixture_clear_signals(f);
        *fake_radio_auto_add(f->radio) = (AutoAdd){
                        .known = AUTO_ADD_MANUAL | AUTO_ADD_MAX_HOPS,
                        .manual = true,
                        .chat = true,
                        .max_hops = 4,
        };
        fake_radio_notify(f->radio, RADIO_CHANGED_AUTO_ADD);
        ck_assert(fixture_has_signal(f, "PropertiesChanged " RADIO_PATH " Contacts AutoAdd"));

        some = fixture_get(f, RADIO_PATH, BUS_CONTACTS, "AutoAdd", "a{sv}");
        ck_assert(enter_key(some, "Manual", "b"));
        ck_assert_int_gt(sd_bus_message_read(some, "b", &manual), 0);
        ck_assert_int_eq(manual, true);
        ck_assert_int_ge(sd_bus_message_exit_container(some), 0);
        ck_assert_int_ge(sd_bus_message_exit_container(some), 0);
        ck_assert_int_gt(sd_bus_message_enter_container(some, 'e', "sv"), 0);
        ck_assert_int_ge(sd_bus_message_skip(some, "s"), 0);
        ck_assert_int_gt(sd_bus_message_read(some, "v", "y", &hops), 0);
        ck_assert_uint_eq(hops, 4);

        missing = fixture_get(f, RADIO_PATH, BUS_CONTACTS, "AutoAdd", "a{sv}");
        ck_assert(!enter_key(missing, "Chat", "b"));
}
END_TEST

START_TEST(set_auto_add) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(sd_bus_message) reply = NULL, other = NULL;

        ask(f, &reply, RADIO_PATH, BUS_CONTACTS, "SetAutoAdd", "a{sv}", 3, "Manual", "b", true, "Chat", "b",
            false, "MaxHops", "y", 64);
        assert_asked(f, reply, "auto-add set=0x43 manual=1 chat=0 overwrite=0 hops=64");
        answer(f, OUTCOME_OK);
        assert_empty(reply);

        ask(f, &other, RADIO_PATH, BUS_CONTACTS, "SetAutoAdd", "a{sv}", 1, "Overwrite", "b", true);
        assert_asked(f, other, "auto-add set=0x20 manual=0 chat=0 overwrite=1 hops=0");
        answer(f, OUTCOME_NOT_SUPPORTED);
        assert_reply_error(other, "NotSupported");

        REFUSED("Nothing", RADIO_PATH, BUS_CONTACTS, "SetAutoAdd", "a{sv}", 0);
        REFUSED("Unknown key manual", RADIO_PATH, BUS_CONTACTS, "SetAutoAdd", "a{sv}", 1, "manual", "b", 1);
        REFUSED("MaxHops has type u instead of y", RADIO_PATH, BUS_CONTACTS, "SetAutoAdd", "a{sv}", 1,
                "MaxHops", "u", 1);
}
END_TEST

static void hear(Fixture *f, uint8_t first, const char *name, uint64_t usec) {
        g_autoptr(Contact) contact = test_contact(first, name);

        contact->last_heard_usec = usec;
        pending_put(radio_pending(f->radio), contact);
}

START_TEST(pending) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(sd_bus_message) list = NULL, gone = NULL, again = NULL;
        const char *text;
        uint64_t usec;

        fixture_clear_signals(f);
        hear(f, 2, "", 1000);
        hear(f, 3, "Bob", 2000);
        fixture_run(f);
        ck_assert_uint_eq(fixture_count_signals(f, "PropertiesChanged " RADIO_PATH " Contacts Pending"), 1);
        ck_assert_uint_eq(fixture_get_number(f, RADIO_PATH, BUS_CONTACTS, "Pending", "u"), 2);

        /* Heard again: one more is not there. */
        fixture_clear_signals(f);
        hear(f, 2, "", 1500);
        fixture_run(f);
        ck_assert_uint_eq(fixture_count_signals(f, "PropertiesChanged"), 0);

        list = fixture_call(f, RADIO_PATH, BUS_CONTACTS, "ListPending", NULL);
        assert_reply_ok(list);
        ck_assert_int_gt(sd_bus_message_enter_container(list, 'a', "a{sv}"), 0);
        ck_assert(enter_key(list, "Name", "s"));
        ck_assert_int_gt(sd_bus_message_read(list, "s", &text), 0);
        ck_assert_str_eq(text, "Bob");
        ck_assert_int_ge(sd_bus_message_exit_container(list), 0);
        ck_assert_int_ge(sd_bus_message_exit_container(list), 0);
        ck_assert_int_ge(sd_bus_message_skip(list, "{sv}"), 0); /* LastAdvertUSec */
        ck_assert_int_ge(sd_bus_message_skip(list, "{sv}"), 0); /* LastHeardUSec */
        ck_assert_int_ge(sd_bus_message_exit_container(list), 0);
        ck_assert(enter_key(list, "LastHeardUSec", "t"));
        ck_assert_int_gt(sd_bus_message_read(list, "t", &usec), 0);
        ck_assert_uint_eq(usec, 1500);

        fixture_clear_signals(f);
        gone = fixture_call(f, RADIO_PATH, BUS_CONTACTS, "DismissPending", "s", KEY_2);
        assert_empty(gone);
        ck_assert(fixture_has_signal(f, "PendingRemoved " RADIO_PATH));
        ck_assert_uint_eq(fixture_get_number(f, RADIO_PATH, BUS_CONTACTS, "Pending", "u"), 1);
        again = fixture_call(f, RADIO_PATH, BUS_CONTACTS, "DismissPending", "s", KEY_2);
        assert_reply_error(again, "NotFound");
        REFUSED("64 hex digits", RADIO_PATH, BUS_CONTACTS, "DismissPending", "s", "Bob");
}
END_TEST

START_TEST(pending_without_identity) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(sd_bus_message) list = NULL, gone = NULL;

        hear(f, 2, "", 1000);
        fake_radio_set_identity(f->radio, NULL);
        ck_assert_uint_eq(fixture_get_number(f, RADIO_PATH, BUS_CONTACTS, "Pending", "u"), 0);
        list = fixture_call(f, RADIO_PATH, BUS_CONTACTS, "ListPending", NULL);
        assert_reply_ok(list);
        gone = fixture_call(f, RADIO_PATH, BUS_CONTACTS, "DismissPending", "s", KEY_2);
        assert_reply_error(gone, "NotFound");
}
END_TEST

/* -- channels ----------------------------------------------------------------- */

static void set_channel(Fixture *f, sd_bus_message **ret_reply, unsigned slot, const char *name,
                        uint8_t secret, size_t size, const char *source) {
        sd_bus_message *call = fixture_new_call(f, RADIO_PATH, BUS_CHANNELS, "Set");
        uint8_t bytes[64];

        memset(bytes, secret, sizeof(bytes));
        ck_assert_int_ge(sd_bus_message_append(call, "ys", slot, name), 0);
        ck_assert_int_ge(sd_bus_message_append_array(call, 'y', bytes, size), 0);
        if (source)
                ck_assert_int_ge(sd_bus_message_append(call, "a{sv}", 1, "Source", "s", source), 0);
        else
                ck_assert_int_ge(sd_bus_message_append(call, "a{sv}", 0), 0);
        fixture_call_async(f, call, ret_reply);
}

START_TEST(channel_set) {
        static const struct {
                unsigned slot;
                const char *name;
                uint8_t secret;
                size_t size;
                const char *source, *asked;
        } cases[] = {
                        {3, "place", 7, 16, NULL, "set-channel 3 place given 07"},
                        {3, "place", 0, 0, "random", "set-channel 3 place random 00"},
                        {255, "#x", 0, 0, "hashtag", "set-channel -1 #x derived 00"},
                        {3, "", 0, 0, "public", "set-channel 3 (null) public 00"},
                        {3, "Ours", 0, 0, "public", "set-channel 3 Ours public 00"},
        };
        g_autoptr(Fixture) f = fixture_with_ann();

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                g_autoptr(sd_bus_message) reply = NULL;

                set_channel(f, &reply, cases[i].slot, cases[i].name, cases[i].secret, cases[i].size,
                            cases[i].source);
                assert_asked(f, reply, cases[i].asked);
                answer(f, OUTCOME_OK);
                assert_path(reply, channel_path);
        }
}
END_TEST

START_TEST(channel_set_refuses) {
        static const struct {
                uint8_t secret;
                size_t size;
                const char *source, *words;
        } cases[] = {
                        {7, 15, NULL, "15 bytes instead of 16"},   {7, 32, NULL, "32 bytes instead of 16"},
                        {0, 0, NULL, "hashtag, public or random"}, {7, 16, "random", "not both"},
                        {0, 0, "Random", "instead of hashtag"},
        };
        g_autoptr(Fixture) f = fixture_with_ann();

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                g_autoptr(sd_bus_message) reply = NULL;

                set_channel(f, &reply, 3, "x", cases[i].secret, cases[i].size, cases[i].source);
                assert_refused(f, reply, cases[i].words);
        }
        REFUSED("Unknown key source", RADIO_PATH, BUS_CHANNELS, "Set", "ysaya{sv}", 3, "x", 0, 1, "source",
                "s", "random");
}
END_TEST

START_TEST(channel_import_export_clear) {
        g_autoptr(Fixture) f = fixture_with_ann();
        g_autoptr(sd_bus_message) import = NULL, export = NULL, clear = NULL, name = NULL;

        ask(f, &import, RADIO_PATH, BUS_CHANNELS, "Import", "s", "meshcore://channel/add?secret=07");
        assert_asked(f, import, "import meshcore://channel/add?secret=07");
        answer(f, OUTCOME_OK);
        assert_path(import, channel_path);
        REFUSED(BUS_CONTACTS, RADIO_PATH, BUS_CHANNELS, "Import", "s", "meshcore://1122");

        ask(f, &export, channel_path, BUS_CHANNEL, "Export", NULL);
        assert_text(export, "meshcore://channel/add?secret=07");

        ask(f, &clear, channel_path, BUS_CHANNEL, "Clear", NULL);
        assert_asked(f, clear, "clear-channel 3");
        answer(f, OUTCOME_OK);
        assert_empty(clear);

        fixture_add_channel(f, 3, "line\nbreak", 7);
        ask(f, &name, channel_path, BUS_CHANNEL, "Export", NULL);
        assert_reply_error(name, "NotSupported");
}
END_TEST

/* -- callers ------------------------------------------------------------------- */

START_TEST(callers_are_counted) {
        g_autoptr(Fixture) f = fixture_with_ann();
        sd_bus_message *replies[BUS_CALLERS_MAX + 1] = {};

        for (size_t i = 0; i < ELEMENTSOF(replies); i++)
                ask(f, &replies[i], contact_path, BUS_CONTACT, i % 2 ? "Share" : "ResetPath", NULL);
        ck_assert_uint_eq(fake_radio_n_requests(f->radio), BUS_CALLERS_MAX);
        ck_assert_ptr_nonnull(replies[BUS_CALLERS_MAX]);
        assert_reply_error(replies[BUS_CALLERS_MAX], "InProgress");

        /* One is answered, and there is room again. */
        answer(f, OUTCOME_OK);
        assert_empty(replies[0]);
        sd_bus_message_unref(replies[BUS_CALLERS_MAX]);
        ask(f, &replies[BUS_CALLERS_MAX], contact_path, BUS_CONTACT, "Share", NULL);
        ck_assert_ptr_null(replies[BUS_CALLERS_MAX]);

        while (fake_radio_n_requests(f->radio) > 0)
                answer(f, OUTCOME_OK);
        for (size_t i = 0; i < ELEMENTSOF(replies); i++) {
                assert_empty(replies[i]);
                sd_bus_message_unref(replies[i]);
        }
}
END_TEST

/* The caller's connection ends; the radio's answer then reaches nobody. */
START_TEST(connection_goes) {
        g_autoptr(Fixture) f = fixture_with_ann();
        g_autoptr(sd_bus_message) reply = NULL;

        ask(f, &reply, contact_path, BUS_CONTACT, "Share", NULL);
        assert_asked(f, reply, "share 02030405");
        bus_detach(f->bus);
        fixture_run(f);
        fixture_reconnect(f);
        answer(f, OUTCOME_OK);
        ck_assert_uint_eq(fake_radio_n_requests(f->radio), 0);
}
END_TEST

START_TEST(radio_goes) {
        g_autoptr(Fixture) f = fixture_with_ann();
        g_autoptr(sd_bus_message) reply = NULL;

        set_channel(f, &reply, 3, "x", 7, 16, NULL);
        ck_assert_ptr_null(reply);
        fake_radio_remove(f->manager, f->radio);
        f->radio = NULL;
        fixture_run(f);
        ck_assert_ptr_nonnull(reply);
        assert_reply_error(reply, "Cancelled");
}
END_TEST

int main(void) {
        Suite *suite = suite_create("bus-book");
        TCase *tcase = tcase_create("all");
        SRunner *runner;
        int failed;

        tcase_set_timeout(tcase, 30);
        tcase_add_test(tcase, add);
        tcase_add_test(tcase, add_by_key_and_number);
        tcase_add_test(tcase, add_and_gone);
        tcase_add_test(tcase, add_refuses);
        tcase_add_test(tcase, path_of_too_many_hops);
        tcase_add_test(tcase, contact_requests);
        tcase_add_test(tcase, update);
        tcase_add_test(tcase, set_path);
        tcase_add_test(tcase, remove_contact);
        tcase_add_test(tcase, import_contact);
        tcase_add_test(tcase, export_contact);
        tcase_add_test(tcase, auto_add_property);
        tcase_add_test(tcase, set_auto_add);
        tcase_add_test(tcase, pending);
        tcase_add_test(tcase, pending_without_identity);
        tcase_add_test(tcase, channel_set);
        tcase_add_test(tcase, channel_set_refuses);
        tcase_add_test(tcase, channel_import_export_clear);
        tcase_add_test(tcase, callers_are_counted);
        tcase_add_test(tcase, connection_goes);
        tcase_add_test(tcase, radio_goes);
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed > 0;
}
