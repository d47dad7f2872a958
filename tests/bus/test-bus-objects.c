/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Objects come, change and go. */

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bus-fixture.h"

#define OBJECT_MANAGER "org.freedesktop.DBus.ObjectManager"

static char *contact_path(uint8_t first) {
        PublicKey key = test_key(first);

        return g_strdup_printf(RADIO_PATH "/contact/%s", key_to_text(&key).text);
}

/* path → number of properties below our interfaces */
static GHashTable *managed_objects(Fixture *f) {
        GHashTable *objects = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        g_autoptr(sd_bus_message) reply =
                        fixture_call(f, BUS_ROOT, OBJECT_MANAGER, "GetManagedObjects", NULL);
        const char *path, *name;

        assert_reply_ok(reply);
        ck_assert_int_gt(sd_bus_message_enter_container(reply, 'a', "{oa{sa{sv}}}"), 0);
        while (sd_bus_message_enter_container(reply, 'e', "oa{sa{sv}}") > 0) {
                int n = 0;

                ck_assert_int_gt(sd_bus_message_read(reply, "o", &path), 0);
                ck_assert_int_gt(sd_bus_message_enter_container(reply, 'a', "{sa{sv}}"), 0);
                while (sd_bus_message_enter_container(reply, 'e', "sa{sv}") > 0) {
                        ck_assert_int_gt(sd_bus_message_read(reply, "s", &name), 0);
                        n += g_str_has_prefix(name, "org.meshcored1.");
                        ck_assert_int_ge(sd_bus_message_skip(reply, "a{sv}"), 0);
                        ck_assert_int_ge(sd_bus_message_exit_container(reply), 0);
                }
                ck_assert_int_ge(sd_bus_message_exit_container(reply), 0);
                ck_assert_int_ge(sd_bus_message_exit_container(reply), 0);
                ck_assert(g_hash_table_insert(objects, g_strdup(path), GINT_TO_POINTER(n)));
        }
        return objects;
}

static int interfaces_of(GHashTable *objects, const char *path) {
        return GPOINTER_TO_INT(g_hash_table_lookup(objects, path));
}

START_TEST(tree) {
        g_autoptr(Fixture) f = fixture_new();
        g_autofree char *ann = contact_path(2), *message = NULL;
        g_autoptr(GHashTable) objects = NULL;

        fixture_add_contact(f, 2, "Ann");
        fixture_add_channel(f, 3, "#test", 7);
        message = g_strdup_printf(RADIO_PATH "/message/%" PRIu64, fixture_receive(f, 2, "hi"));
        fixture_run(f);

        objects = managed_objects(f);
        ck_assert_uint_eq(g_hash_table_size(objects), 4);
        ck_assert_int_eq(interfaces_of(objects, RADIO_PATH), 5);
        ck_assert_int_eq(interfaces_of(objects, ann), 1);
        ck_assert_int_eq(interfaces_of(objects, RADIO_PATH "/channel/3"), 1);
        ck_assert_int_eq(interfaces_of(objects, message), 1);
}
END_TEST

START_TEST(version) {
        g_autoptr(Fixture) f = fixture_new();
        g_autofree char *text = fixture_get_string(f, BUS_ROOT, BUS_MANAGER, "Version");

        ck_assert(g_ascii_isdigit(text[0]));
}
END_TEST

START_TEST(radio_without_identity) {
        g_autoptr(Fixture) f = fixture_new();
        g_autofree char *key = NULL;
        g_autoptr(GHashTable) objects = NULL;
        static const char *const fresh = "/org/meshcored1/radio/_32nd";

        fixture_clear_signals(f);
        (void) fake_radio_add(f->manager, "2nd", NULL);
        ck_assert_uint_eq(fixture_count_signals(f, "InterfacesAdded /org/meshcored1/radio/_32nd "), 1);

        objects = managed_objects(f);
        ck_assert_int_eq(interfaces_of(objects, fresh), 5);
        key = fixture_get_string(f, fresh, BUS_RADIO, "PublicKey");
        ck_assert_str_eq(key, "");
        ck_assert_uint_eq(fixture_get_number(f, fresh, BUS_CONTACTS, "Count", "u"), 0);
        ck_assert_uint_eq(fixture_get_number(f, fresh, BUS_MESSAGES, "LastId", "t"), 0);
        ck_assert_uint_eq(fixture_get_number(f, fresh, BUS_MESSAGES, "Unread", "u"), 0);
}
END_TEST

START_TEST(radio_properties) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(sd_bus_message) location = fixture_get(f, RADIO_PATH, BUS_RADIO, "Location", "(dd)");
        g_autoptr(sd_bus_message) skew = fixture_get(f, RADIO_PATH, BUS_RADIO, "ClockSkewUSec", "x");
        g_autofree char *address = fixture_get_string(f, RADIO_PATH, BUS_RADIO, "Address");
        g_autofree char *state = fixture_get_string(f, RADIO_PATH, BUS_RADIO, "State");
        g_autofree char *history = fixture_get_string(f, RADIO_PATH, BUS_MESSAGES, "HistoryId");
        double lat, lon;
        int64_t usec;

        ck_assert_int_gt(sd_bus_message_read(location, "(dd)", &lat, &lon), 0);
        ck_assert_double_eq_tol(lat, 48.137154, 1e-9);
        ck_assert_double_eq_tol(lon, -11.576124, 1e-9);
        ck_assert_int_gt(sd_bus_message_read(skew, "x", &usec), 0);
        ck_assert_int_eq(usec, -2500000);
        ck_assert_str_eq(address, "[::1]:5000");
        ck_assert_str_eq(state, "stopped");
        ck_assert_str_eq(history, store_history_id(f->store));
        ck_assert_uint_eq(fixture_get_number(f, RADIO_PATH, BUS_RADIO, "FrequencyHz", "u"), 869618000);
        ck_assert_uint_eq(fixture_get_number(f, RADIO_PATH, BUS_RADIO, "BatteryMillivolts", "q"), 3850);
        ck_assert_uint_eq(fixture_get_number(f, RADIO_PATH, BUS_CONTACTS, "Capacity", "u"), 350);
        ck_assert_uint_eq(fixture_get_number(f, RADIO_PATH, BUS_CHANNELS, "Capacity", "u"), 40);
}
END_TEST

START_TEST(battery_percent) {
        static const struct {
                uint16_t millivolts;
                uint8_t percent;
        } cases[] = {{0, 255},   {1, 0},     {3270, 0},  {3440, 2},   {3610, 5},
                     {3840, 50}, {3845, 52}, {4199, 99}, {4200, 100}, {65535, 100}};
        g_autoptr(Fixture) f = fixture_new();

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                fake_radio_info(f->radio)->battery_mv = cases[i].millivolts;
                ck_assert_uint_eq(fixture_get_number(f, RADIO_PATH, BUS_RADIO, "BatteryPercent", "y"),
                                  cases[i].percent);
        }
}
END_TEST

START_TEST(changes_are_coalesced) {
        g_autoptr(Fixture) f = fixture_new();

        fixture_clear_signals(f);
        fake_radio_notify(f->radio, RADIO_CHANGED_BATTERY);
        fake_radio_notify(f->radio, RADIO_CHANGED_POWER | RADIO_CHANGED_BATTERY);
        fake_radio_notify(f->radio, RADIO_CHANGED_LOCATION);
        ck_assert_uint_eq(fixture_count_signals(f, "PropertiesChanged"), 1);
        ck_assert(fixture_has_signal(f, "PropertiesChanged " RADIO_PATH
                                        " Radio BatteryMillivolts,BatteryPercent,Location,MaxTxPower,"
                                        "TxPower"));

        fixture_clear_signals(f);
        fake_radio_notify(f->radio, RADIO_CHANGED_DEVICE);
        ck_assert(fixture_has_signal(f, "PropertiesChanged " RADIO_PATH
                                        " Radio Firmware,MaxTextBytes,Model,ProtocolVersion"));
        ck_assert(fixture_has_signal(f, "PropertiesChanged " RADIO_PATH " Contacts Capacity"));
        ck_assert(fixture_has_signal(f, "PropertiesChanged " RADIO_PATH " Channels Capacity"));
}
END_TEST

START_TEST(state_changed) {
        g_autoptr(Fixture) f = fixture_new();
        const char *old, *new, *reason, *text;
        sd_bus_message *m;

        fixture_clear_signals(f);
        fake_radio_set_error(f->radio, OUTCOME_TIMEOUT, "no answer");
        fake_radio_enter_state(f->radio, RADIO_WAITING, REASON_REFUSED);
        fixture_run(f);

        m = f->signals->pdata[0];
        ck_assert_str_eq(sd_bus_message_get_member(m), "StateChanged");
        ck_assert_int_gt(sd_bus_message_read(m, "sss", &old, &new, &reason), 0);
        ck_assert_str_eq(old, "stopped");
        ck_assert_str_eq(new, "waiting");
        ck_assert_str_eq(reason, "refused");
        ck_assert(enter_key(m, "Error", "s"));
        ck_assert_int_gt(sd_bus_message_read(m, "s", &text), 0);
        ck_assert_str_eq(text, "org.meshcored1.Error.Timeout");
        ck_assert(fixture_has_signal(f, "PropertiesChanged " RADIO_PATH
                                        " Radio LastError,LastErrorMessage,Port,Reason,State"));
}
END_TEST

START_TEST(contact_comes_changes_goes) {
        g_autoptr(Fixture) f = fixture_new();
        g_autofree char *path = contact_path(2), *added = NULL, *removed = NULL, *changed = NULL,
                        *name = NULL;
        g_autoptr(Contact) contact = test_contact(2, "Ann");
        g_autoptr(sd_bus_message) gone = NULL;

        fixture_clear_signals(f);
        ck_assert_int_ge(identity_put_contact(fixture_identity(f), contact), 0);
        added = g_strdup_printf("InterfacesAdded %s Contact", path);
        ck_assert(fixture_has_signal(f, added));
        ck_assert(fixture_has_signal(f, "PropertiesChanged " RADIO_PATH " Contacts Count,OnRadio"));
        ck_assert_uint_eq(fixture_get_number(f, RADIO_PATH, BUS_CONTACTS, "OnRadio", "u"), 1);

        fixture_clear_signals(f);
        g_free(contact->name);
        contact->name = g_strdup("Änn ✓");
        contact->flags = CONTACT_FLAG_FAVOURITE;
        ck_assert_int_ge(identity_put_contact(fixture_identity(f), contact), 0);
        contact->lat_e6 = 1000000;
        ck_assert_int_ge(identity_put_contact(fixture_identity(f), contact), 0);
        changed = g_strdup_printf("PropertiesChanged %s Contact Favourite,Flags,Location,Name", path);
        ck_assert(fixture_has_signal(f, changed));
        ck_assert_uint_eq(fixture_count_signals(f, "PropertiesChanged"), 1);
        name = fixture_get_string(f, path, BUS_CONTACT, "Name");
        ck_assert_str_eq(name, "Änn ✓");
        ck_assert_uint_eq(fixture_get_number(f, path, BUS_CONTACT, "Favourite", "b"), 1);

        /* What was queued for it goes with it. */
        fixture_clear_signals(f);
        contact->flags = 0;
        ck_assert_int_ge(identity_put_contact(fixture_identity(f), contact), 0);
        ck_assert_int_ge(identity_remove_contact(fixture_identity(f), &contact->key), 0);
        removed = g_strdup_printf("InterfacesRemoved %s Contact", path);
        ck_assert(fixture_has_signal(f, removed));
        ck_assert_uint_eq(fixture_count_signals(f, "PropertiesChanged " RADIO_PATH "/contact"), 0);

        gone = fixture_call(f, path, "org.freedesktop.DBus.Properties", "GetAll", "s", BUS_CONTACT);
        assert_reply_error(gone, SD_BUS_ERROR_UNKNOWN_OBJECT);
}
END_TEST

START_TEST(contact_path_property) {
        static const struct {
                uint8_t path_len;
                unsigned known, hops, size;
        } cases[] = {
                        {CONTACT_PATH_UNKNOWN, 0, 0, 0},
                        {0, 1, 0, 0},
                        {3, 1, 3, 1},
                        {0x42, 1, 2, 2},
                        {0x83, 1, 3, 3},
                        {0xC1, 0, 0, 0},
                        {0xBF, 0, 0, 0},
                        {0x60, 1, 32, 2},
                        {0x61, 0, 0, 0},
        };
        g_autoptr(Fixture) f = fixture_new();
        g_autofree char *path = contact_path(2);

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                g_autoptr(Contact) contact = test_contact(2, "Ann");
                g_autoptr(sd_bus_message) reply = NULL;
                const void *hop;
                size_t size;
                unsigned n = 0;

                contact->path_len = cases[i].path_len;
                for (unsigned k = 0; k < sizeof(contact->path); k++)
                        contact->path[k] = (uint8_t) (k + 1);
                ck_assert_int_ge(identity_put_contact(fixture_identity(f), contact), 0);

                ck_assert_uint_eq(fixture_get_number(f, path, BUS_CONTACT, "PathKnown", "b"), cases[i].known);
                reply = fixture_get(f, path, BUS_CONTACT, "Path", "aay");
                ck_assert_int_gt(sd_bus_message_enter_container(reply, 'a', "ay"), 0);
                while (sd_bus_message_read_array(reply, 'y', &hop, &size) > 0) {
                        ck_assert_uint_eq(size, cases[i].size);
                        ck_assert_uint_eq(*(const uint8_t *) hop, n * cases[i].size + 1);
                        n++;
                }
                ck_assert_uint_eq(n, cases[i].hops);
        }
}
END_TEST

START_TEST(find_contacts) {
        g_autoptr(Fixture) f = fixture_new();
        static const struct {
                const char *text;
                unsigned n;
                const char *error;
        } cases[] = {{"Ann", 2, ""},  {"ann", 0, ""},    {"0203", 1, ""},
                     {"0a0B", 1, ""}, {"nobody", 0, ""}, {"", 0, "InvalidArguments"},
                     {"02", 2, ""}};

        fixture_add_contact(f, 2, "Ann");
        fixture_add_contact(f, 10, "Ann");
        fixture_add_contact(f, 20, "02");

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                g_autoptr(sd_bus_message) reply =
                                fixture_call(f, RADIO_PATH, BUS_CONTACTS, "Find", "s", cases[i].text);
                g_autofree char *named = contact_path(20);
                const char *path;
                unsigned n = 0;

                assert_reply_error(reply, cases[i].error);
                if (cases[i].error[0])
                        continue;
                ck_assert_int_gt(sd_bus_message_enter_container(reply, 'a', "o"), 0);
                while (sd_bus_message_read(reply, "o", &path) > 0) {
                        if (n == 0 && strcmp(cases[i].text, "02") == 0)
                                ck_assert_str_eq(path, named);
                        n++;
                }
                ck_assert_uint_eq(n, cases[i].n);
        }
}
END_TEST

START_TEST(adverts) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(Contact) contact = test_contact(9, "Stranger");
        const char *key, *name;
        sd_bus_message *m;

        fixture_clear_signals(f);
        fake_radio_hear_advert(f->radio, contact, false);
        fake_radio_tell_full(f->radio);
        fixture_run(f);
        ck_assert(fixture_has_signal(f, "AdvertHeard " RADIO_PATH));
        ck_assert(fixture_has_signal(f, "Full " RADIO_PATH));

        m = f->signals->pdata[0];
        ck_assert_int_gt(sd_bus_message_read(m, "s", &key), 0);
        ck_assert_str_eq(key, key_to_text(&contact->key).text);
        ck_assert(enter_key(m, "Name", "s"));
        ck_assert_int_gt(sd_bus_message_read(m, "s", &name), 0);
        ck_assert_str_eq(name, "Stranger");
}
END_TEST

/* A bus that takes nothing any more: what nobody will miss is left out. */
START_TEST(adverts_stop_when_the_bus_is_stuck) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(Contact) contact = test_contact(9, "Stranger");
        uint64_t queued = 0;

        for (unsigned n = 0; n < 20000; n++)
                fake_radio_hear_advert(f->radio, contact, false);
        ck_assert_int_ge(sd_bus_get_n_queued_write(f->server, &queued), 0);
        ck_assert_uint_gt(queued, 1000);
        ck_assert_uint_lt(queued, 5000);
        fixture_run(f);
        ck_assert_int_ge(sd_bus_get_n_queued_write(f->server, &queued), 0);
        ck_assert_uint_eq(queued, 0);
}
END_TEST

START_TEST(handed_over_so_often) {
        g_autoptr(Fixture) f = fixture_new();
        sd_bus_message *replies[17];

        for (unsigned n = 0; n < ELEMENTSOF(replies); n++) {
                replies[n] = fixture_call(f, RADIO_PATH, BUS_RADIO, "Inhibit", "s", "test");
                ck_assert_str_eq(reply_error(replies[n]), n < 16 ? "" : "InProgress");
        }
        for (unsigned n = 0; n < ELEMENTSOF(replies); n++)
                sd_bus_message_unref(replies[n]);
        fixture_run(f);
}
END_TEST

START_TEST(channels) {
        g_autoptr(Fixture) f = fixture_new();
        g_autofree char *name = NULL, *kind = NULL;
        g_autoptr(sd_bus_message) secret = NULL, gone = NULL;
        const uint8_t *bytes;
        size_t size;

        fixture_clear_signals(f);
        fixture_add_channel(f, 3, "secret place", 7);
        ck_assert(fixture_has_signal(f, "InterfacesAdded " RADIO_PATH "/channel/3 Channel"));
        name = fixture_get_string(f, RADIO_PATH "/channel/3", BUS_CHANNEL, "Name");
        ck_assert_str_eq(name, "secret place");
        kind = fixture_get_string(f, RADIO_PATH "/channel/3", BUS_CHANNEL, "Kind");
        ck_assert_str_eq(kind, "private");
        ck_assert_uint_eq(fixture_get_number(f, RADIO_PATH "/channel/3", BUS_CHANNEL, "Slot", "y"), 3);
        ck_assert_uint_eq(fixture_get_number(f, RADIO_PATH "/channel/3", BUS_CHANNEL, "MaxTextBytes", "u"),
                          160 - strlen("Tester: "));

        secret = fixture_call(f, RADIO_PATH "/channel/3", BUS_CHANNEL, "GetSecret", NULL);
        assert_reply_ok(secret);
        ck_assert_int_gt(sd_bus_message_read_array(secret, 'y', (const void **) &bytes, &size), 0);
        ck_assert_uint_eq(size, CHANNEL_SECRET_SIZE);
        for (size_t i = 0; i < size; i++)
                ck_assert_uint_eq(bytes[i], 7);

        fixture_clear_signals(f);
        fixture_add_channel(f, 3, "renamed", 7);
        ck_assert(fixture_has_signal(f, "PropertiesChanged " RADIO_PATH "/channel/3 Channel Name"));
        ck_assert_uint_eq(fixture_count_signals(f, "Interfaces"), 0);

        /* Another name of the radio leaves less, or more, room for the text. */
        fixture_clear_signals(f);
        fake_radio_notify(f->radio, RADIO_CHANGED_NAME);
        ck_assert(fixture_has_signal(f, "PropertiesChanged " RADIO_PATH "/channel/3 Channel MaxTextBytes"));

        /* Another secret is another channel. */
        fixture_clear_signals(f);
        fixture_add_channel(f, 3, "other", 8);
        ck_assert(fixture_has_signal(f, "InterfacesRemoved " RADIO_PATH "/channel/3 Channel"));
        ck_assert(fixture_has_signal(f, "InterfacesAdded " RADIO_PATH "/channel/3 Channel"));

        ck_assert_int_ge(identity_set_slot(fixture_identity(f), 3, "", NULL, CHANNEL_PRIVATE), 0);
        gone = fixture_call(f, RADIO_PATH "/channel/3", BUS_CHANNEL, "GetSecret", NULL);
        assert_reply_error(gone, SD_BUS_ERROR_UNKNOWN_OBJECT);
}
END_TEST

START_TEST(no_secret_in_properties) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(sd_bus_message) reply = NULL;
        const char *name;

        fixture_add_channel(f, 3, "secret place", 7);
        reply = fixture_call(f, RADIO_PATH "/channel/3", "org.freedesktop.DBus.Properties", "GetAll", "s",
                             BUS_CHANNEL);
        assert_reply_ok(reply);
        ck_assert_int_gt(sd_bus_message_enter_container(reply, 'a', "{sv}"), 0);
        while (sd_bus_message_enter_container(reply, 'e', "sv") > 0) {
                const char *type;

                ck_assert_int_gt(sd_bus_message_read(reply, "s", &name), 0);
                ck_assert_int_gt(sd_bus_message_peek_type(reply, NULL, &type), 0);
                ck_assert_str_ne(type, "ay");
                ck_assert_int_ge(sd_bus_message_skip(reply, "v"), 0);
                ck_assert_int_ge(sd_bus_message_exit_container(reply), 0);
        }
}
END_TEST

START_TEST(another_identity) {
        g_autoptr(Fixture) f = fixture_new();
        g_autofree char *ann = contact_path(2), *removed = NULL, *added = NULL, *key_text = NULL;
        g_autofree char *message = NULL, *withdrawn = NULL;
        PublicKey other = test_key(0x80), own = test_key(1);
        g_autoptr(GHashTable) objects = NULL;

        fixture_add_contact(f, 2, "Ann");
        fixture_add_channel(f, 0, "Public", 7);
        message = g_strdup_printf(RADIO_PATH "/message/%" PRIu64, fixture_receive(f, 2, "hi"));

        fixture_clear_signals(f);
        fake_radio_set_identity(f->radio, &other);
        removed = g_strdup_printf("InterfacesRemoved %s Contact", ann);
        withdrawn = g_strdup_printf("InterfacesRemoved %s Message", message);
        ck_assert(fixture_has_signal(f, removed));
        ck_assert(fixture_has_signal(f, withdrawn));
        ck_assert(fixture_has_signal(f, "InterfacesRemoved " RADIO_PATH "/channel/0 Channel"));
        ck_assert(fixture_has_signal(f, "IdentityChanged " RADIO_PATH));
        ck_assert_uint_eq(fixture_count_signals(f, "Deleted"), 0);
        key_text = fixture_get_string(f, RADIO_PATH, BUS_RADIO, "PublicKey");
        ck_assert_str_eq(key_text, key_to_text(&other).text);
        objects = managed_objects(f);
        ck_assert_uint_eq(g_hash_table_size(objects), 1);

        /* Nothing was lost. */
        fixture_clear_signals(f);
        fake_radio_set_identity(f->radio, &own);
        added = g_strdup_printf("InterfacesAdded %s Contact", ann);
        ck_assert(fixture_has_signal(f, added));
        ck_assert(fixture_has_signal(f, "InterfacesAdded " RADIO_PATH "/channel/0 Channel"));
        g_hash_table_unref(g_steal_pointer(&objects));
        objects = managed_objects(f);
        ck_assert_int_eq(interfaces_of(objects, message), 1);
}
END_TEST

START_TEST(radio_goes) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(sd_bus_message) ping = NULL, gone = NULL;
        sd_bus_message *call;

        fixture_add_contact(f, 2, "Ann");
        call = fixture_new_call(f, RADIO_PATH, BUS_RADIO, "Ping");
        fixture_call_async(f, call, &ping);
        ck_assert_ptr_null(ping);

        fixture_clear_signals(f);
        fake_radio_remove(f->manager, f->radio);
        f->radio = NULL;
        ck_assert_uint_eq(fixture_count_signals(f, "InterfacesRemoved " RADIO_PATH "/contact/"), 1);
        ck_assert_uint_eq(fixture_count_signals(f, "InterfacesRemoved " RADIO_PATH " Radio"), 1);
        ck_assert_ptr_nonnull(ping);
        assert_reply_error(ping, "Cancelled");
        gone = fixture_call(f, RADIO_PATH, BUS_RADIO, "Ping", NULL);
        assert_reply_error(gone, SD_BUS_ERROR_UNKNOWN_OBJECT);
}
END_TEST

/* Without the name no signal leaves, and the objects are there all the same. */
START_TEST(silent_without_name) {
        g_autoptr(Fixture) f = fixture_new();
        g_autofree char *ann = contact_path(2);
        g_autoptr(Contact) stranger = test_contact(9, "Stranger");
        g_autoptr(GHashTable) objects = NULL;

        fixture_clear_signals(f);
        f->bus->owned = false;
        fixture_add_contact(f, 2, "Ann");
        fixture_add_channel(f, 3, "#test", 7);
        (void) fixture_receive(f, 2, "hi");
        fake_radio_enter_state(f->radio, RADIO_READY, REASON_NONE);
        fake_radio_hear_advert(f->radio, stranger, false);
        fixture_run(f);
        ck_assert_uint_eq(f->signals->len, 0);

        objects = managed_objects(f);
        ck_assert_int_eq(interfaces_of(objects, ann), 1);
        ck_assert_uint_eq(g_hash_table_size(objects), 4);
}
END_TEST

/* Another connection has everything that happened while there was none. */
START_TEST(new_connection) {
        g_autoptr(Fixture) f = fixture_new();
        g_autofree char *bob = contact_path(3);
        g_autoptr(GHashTable) before = NULL, after = NULL;

        fixture_add_contact(f, 2, "Ann");
        (void) fixture_receive(f, 2, "before");
        fixture_run(f);
        before = managed_objects(f);
        ck_assert_uint_eq(g_hash_table_size(before), 3);

        bus_detach(f->bus);
        fixture_run(f);
        fixture_add_contact(f, 3, "Bob");
        (void) fixture_receive(f, 3, "between");
        fake_radio_enter_state(f->radio, RADIO_READY, REASON_NONE);
        fixture_run(f);

        fixture_reconnect(f);
        after = managed_objects(f);
        ck_assert_uint_eq(g_hash_table_size(after), 5);
        ck_assert_int_eq(interfaces_of(after, bob), 1);

        fixture_clear_signals(f);
        (void) fixture_receive(f, 3, "after");
        ck_assert(fixture_has_signal(f, "Received " RADIO_PATH));
        ck_assert_uint_eq(fixture_count_signals(f, "InterfacesAdded"), 1);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("bus-objects");
        TCase *tcase = tcase_create("all");
        SRunner *runner;
        int failed;

        tcase_set_timeout(tcase, 30);
        tcase_add_test(tcase, tree);
        tcase_add_test(tcase, version);
        tcase_add_test(tcase, radio_without_identity);
        tcase_add_test(tcase, radio_properties);
        tcase_add_test(tcase, battery_percent);
        tcase_add_test(tcase, changes_are_coalesced);
        tcase_add_test(tcase, state_changed);
        tcase_add_test(tcase, contact_comes_changes_goes);
        tcase_add_test(tcase, contact_path_property);
        tcase_add_test(tcase, find_contacts);
        tcase_add_test(tcase, adverts);
        tcase_add_test(tcase, adverts_stop_when_the_bus_is_stuck);
        tcase_add_test(tcase, handed_over_so_often);
        tcase_add_test(tcase, channels);
        tcase_add_test(tcase, no_secret_in_properties);
        tcase_add_test(tcase, another_identity);
        tcase_add_test(tcase, radio_goes);
        tcase_add_test(tcase, silent_without_name);
        tcase_add_test(tcase, new_connection);
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed > 0;
}
