/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What can be asked of contacts, and the rules for the radio's small table. */

#include <stdlib.h>
#include <string.h>

#include "card.h"
#include "clock.h"
#include "macros.h"
#include "radio-fixture.h"

static Fixture f;

static void teardown(void) {
        fixture_teardown(&f);
}

static void setup(void) {
        fixture_setup(&f, 3);
}

static Contact *book(const PublicKey *key) {
        return identity_get_contact(radio_identity(f.radio), key);
}

static const EngineContact *radio_has(const PublicKey *key) {
        return engine_find_contact(f.peer->engine, key);
}

static void add(unsigned n, const ContactFields *fields, OutcomeCode expected) {
        const PublicKey key = key_of(n);

        radio_add_contact(f.radio, &key, fields, on_contact, &f);
        fixture_await(&f, expected);
}

static const ContactFields ann = {
                .set = CONTACT_FIELD_TYPE | CONTACT_FIELD_NAME | CONTACT_FIELD_LOCATION,
                .type = CONTACT_CHAT,
                .name = "Ann",
                .lat_e6 = 52000001,
                .lon_e6 = -13000002,
};

/* -- add, update, remove ------------------------------------------------------------ */

START_TEST(add_writes_the_whole_record) {
        const PublicKey key = key_of(20);
        const EngineContact *c;

        add(20, &ann, OUTCOME_OK);
        ck_assert(key_equal(&f.done_key, &key));
        ck_assert_uint_eq(peer_count(f.peer, CMD_ADD_UPDATE_CONTACT), 1);
        ck_assert_uint_eq(g_bytes_get_size(f.peer->commands->pdata[0]), 148);
        c = radio_has(&key);
        ck_assert_ptr_nonnull(c);
        ck_assert_str_eq(c->name, "Ann");
        ck_assert_int_eq(c->lat, 52000001);
        ck_assert_int_eq(c->lon, -13000002);
        ck_assert_uint_eq(c->out_path_len, PATH_LEN_NONE);
        ck_assert(book(&key)->on_radio);
        add(20, &ann, OUTCOME_INVALID_ARGUMENTS); /* there already */
}
END_TEST

START_TEST(arguments_are_checked_before_the_radio_hears) {
        const PathHop odd[] = {{1, {1}}, {2, {1, 2}}}, *three = g_new0(PathHop, 22);
        const PublicKey key = key_of(1), unknown = key_of(50);
        ContactFields bad = ann;

        bad.type = 0;
        add(20, &bad, OUTCOME_INVALID_ARGUMENTS);
        bad = ann;
        bad.name = "12345678901234567890123456789012";
        add(20, &bad, OUTCOME_INVALID_ARGUMENTS);
        ck_assert_ptr_nonnull(strstr(f.outcome.message, "1 bytes too long"));
        bad = ann;
        bad.lat_e6 = 90000001;
        add(20, &bad, OUTCOME_INVALID_ARGUMENTS);
        bad = ann;
        bad.set = CONTACT_FIELD_NAME; /* nobody knows the type */
        add(20, &bad, OUTCOME_INVALID_ARGUMENTS);
        radio_add_contact(f.radio, identity_key(radio_identity(f.radio)), &ann, on_contact, &f);
        fixture_await(&f, OUTCOME_INVALID_ARGUMENTS);

        radio_set_contact_path(f.radio, &key, odd, 2, on_contact, &f);
        fixture_await(&f, OUTCOME_INVALID_ARGUMENTS);
        for (unsigned i = 0; i < 22; i++)
                ((PathHop *) three)[i].size = 3;
        radio_set_contact_path(f.radio, &key, three, 22, on_contact, &f); /* 66 bytes */
        fixture_await(&f, OUTCOME_INVALID_ARGUMENTS);
        radio_update_contact(f.radio, &unknown, &(ContactFields){}, on_contact, &f);
        fixture_await(&f, OUTCOME_NOT_FOUND);
        ck_assert_uint_eq(f.peer->commands->len, 0);
        g_free((PathHop *) three);
}
END_TEST

/* Another program changed the record in the meantime, and set a flag that we don't know. */
START_TEST(update_reads_before_it_writes) {
        const PublicKey key = key_of(1);
        const ContactFields favourite = {.set = CONTACT_FIELD_FAVOURITE, .favourite = true};
        EngineContact other = *radio_has(&key);

        other.flags = 0xA0;
        strcpy(other.name, "Renamed \xff");
        ck_assert_int_eq(engine_put_contact(f.peer->engine, &other), 0);
        radio_update_contact(f.radio, &key, &favourite, on_contact, &f);
        fixture_await(&f, OUTCOME_OK);
        ck_assert_uint_eq(radio_has(&key)->flags, 0xA1);
        ck_assert_str_eq(radio_has(&key)->name, "Renamed \xff");
        ck_assert_uint_eq(radio_has(&key)->out_path[0], 0xA1);
        ck_assert_uint_eq(radio_has(&key)->last_advert, 1600000000);
        ck_assert_uint_eq(book(&key)->flags, 0xA1);
}
END_TEST

START_TEST(remove_or_keep_in_the_book) {
        const PublicKey one = key_of(1), two = key_of(2);

        radio_remove_contact(f.radio, &one, false, on_done, &f);
        fixture_await(&f, OUTCOME_OK);
        ck_assert_ptr_null(book(&one));
        ck_assert_ptr_null(radio_has(&one));
        radio_remove_contact(f.radio, &two, true, on_done, &f);
        fixture_await(&f, OUTCOME_OK);
        ck_assert(!book(&two)->on_radio);
        ck_assert(!book(&two)->removed_elsewhere);
        ck_assert_ptr_null(radio_has(&two));
}
END_TEST

START_TEST(requests_end_once_whatever_happens) {
        const PublicKey key = key_of(1);

        f.peer->mute[CMD_GET_CONTACT_BY_KEY] = true;
        radio_update_contact(f.radio, &key, &(ContactFields){}, on_contact, &f);
        fixture_until(&f, peer_count(f.peer, CMD_GET_CONTACT_BY_KEY) == 1);
        peer_drop(f.peer);
        fixture_await(&f, OUTCOME_LINK_LOST);

        fixture_until(&f, radio_state(f.radio) == RADIO_READY);
        radio_share_contact(f.radio, &key, on_done, &f);
        radio_stop(f.radio);
        fixture_await(&f, OUTCOME_NOT_CONNECTED);
        /* The book alone needs no radio. */
        radio_find_contacts(f.radio, "x");
        radio_start(f.radio);
        fixture_until(&f, radio_state(f.radio) == RADIO_READY);
        f.peer->mute[CMD_SHARE_CONTACT] = true;
        radio_share_contact(f.radio, &key, on_done, &f);
        fixture_until(&f, peer_count(f.peer, CMD_SHARE_CONTACT) == 1);
        ck_assert_int_eq(manager_remove_radio(f.manager, "sim"), 0);
        ck_assert(f.done);
        ck_assert_int_eq(f.outcome.code, OUTCOME_CANCELLED);
}
END_TEST

START_TEST(find_gives_all_hits_in_order) {
        ContactFields fields = ann;
        GPtrArray *hits;

        add(20, &fields, OUTCOME_OK);
        fields.name = "ANNE";
        add(21, &fields, OUTCOME_OK);
        hits = radio_find_contacts(f.radio, "Ann");
        ck_assert_uint_eq(hits->len, 2);
        ck_assert_str_eq(((Contact *) hits->pdata[0])->name, "Ann");
        g_ptr_array_unref(hits);
        hits = radio_find_contacts(f.radio, "1014");
        ck_assert_uint_eq(hits->len, 1);
        ck_assert_str_eq(((Contact *) hits->pdata[0])->name, "Ann");
        g_ptr_array_unref(hits);
}
END_TEST

/* -- path ------------------------------------------------------------------------------ */

START_TEST(path_set_and_reset) {
        const PathHop path[] = {{2, {0xB1, 0xB2}}, {2, {0xC1, 0xC2}}};
        const PublicKey key = key_of(1);

        radio_set_contact_path(f.radio, &key, path, 2, on_contact, &f);
        fixture_await(&f, OUTCOME_OK);
        ck_assert_uint_eq(radio_has(&key)->out_path_len, 0x42);
        ck_assert_mem_eq(radio_has(&key)->out_path, "\xB1\xB2\xC1\xC2", 4);
        ck_assert_uint_eq(book(&key)->set_path_len, 0x42);
        fixture_restart(&f); /* remembered */
        ck_assert_uint_eq(book(&key)->set_path_len, 0x42);
        fixture_until(&f, radio_state(f.radio) == RADIO_READY);
        ck_assert_uint_eq(book(&key)->set_path_len, 0x42);

        radio_reset_contact_path(f.radio, &key, on_contact, &f);
        fixture_await(&f, OUTCOME_OK);
        ck_assert_uint_eq(radio_has(&key)->out_path_len, PATH_LEN_NONE);
        ck_assert_uint_eq(book(&key)->set_path_len, CONTACT_PATH_UNKNOWN);
}
END_TEST

/* The mesh does not overrule a person, another program does. */
START_TEST(path_found_by_the_mesh_and_by_others) {
        const PathHop path[] = {{1, {0xB1}}};
        const PublicKey key = key_of(1);
        EngineContact other;

        radio_set_contact_path(f.radio, &key, path, 1, on_contact, &f);
        fixture_await(&f, OUTCOME_OK);
        other = *radio_has(&key);
        other.out_path[0] = 0xEE;
        ck_assert_int_eq(engine_put_contact(f.peer->engine, &other), 0);
        peer_push_key(f.peer, PUSH_PATH_UPDATED, &key);
        fixture_until(&f, radio_has(&key)->out_path[0] == 0xB1);
        fixture_settle(&f);
        ck_assert(!book(&key)->path_displaced);

        ck_assert_int_eq(engine_put_contact(f.peer->engine, &other), 0);
        peer_push_key(f.peer, PUSH_ADVERT, &key);
        fixture_settle(&f);
        ck_assert_uint_eq(radio_has(&key)->out_path[0], 0xEE);
        ck_assert_uint_eq(book(&key)->set_path_len, CONTACT_PATH_UNKNOWN);
}
END_TEST

/* -- cards and URIs ---------------------------------------------------------------------- */

START_TEST(own_card_and_uri) {
        g_auto(Outcome) outcome = {};
        g_autofree char *uri = NULL;
        const PublicKey key = key_of(1);
        Card card;

        radio_export_card(f.radio, NULL, on_card, &f);
        fixture_await(&f, OUTCOME_OK);
        ck_assert_int_eq(card_parse(f.done_uri, &card), 0);
        ck_assert_int_eq(card.kind, CARD_ADVERT);
        radio_export_card(f.radio, &key, on_card, &f);
        fixture_await(&f, OUTCOME_NOT_FOUND); /* no advert kept */
        ck_assert_int_eq(radio_contact_uri(f.radio, &key, &uri, &outcome), OUTCOME_OK);
        ck_assert(g_str_has_prefix(uri, "meshcore://contact/add?name=Contact%201&public_key="));
        radio_share_contact(f.radio, &key, on_done, &f);
        fixture_await(&f, OUTCOME_REJECTED);
}
END_TEST

static void other_card(const char *name, char **ret_uri) {
        Peer *other = peer_new(f.event, name, 10);
        Fixture g = f;

        /* Asked from another radio for its own card. */
        g.radio = fixture_add_radio(&f, "other", other);
        fixture_until(&f, radio_state(g.radio) == RADIO_READY);
        radio_export_card(g.radio, NULL, on_card, &f);
        fixture_await(&f, OUTCOME_OK);
        *ret_uri = g_strdup(f.done_uri);
        ck_assert_int_eq(manager_remove_radio(f.manager, "other"), 0);
        peer_free(other);
}

START_TEST(import_of_a_card) {
        g_autofree char *uri = NULL;

        other_card("Stranger", &uri);
        radio_import_uri(f.radio, uri, on_import, &f);
        fixture_await(&f, OUTCOME_OK);
        ck_assert_str_eq(book(&f.done_key)->name, "Stranger");
        ck_assert_ptr_nonnull(radio_has(&f.done_key));
        radio_import_uri(f.radio, uri, on_import, &f); /* no news is fine */
        fixture_await(&f, OUTCOME_OK);
}
END_TEST

START_TEST(import_with_manual_adding) {
        const AutoAdd manual = {.manual = true};
        g_autofree char *uri = NULL;

        other_card("Stranger", &uri);
        radio_set_auto_add(f.radio, AUTO_ADD_MANUAL, &manual, on_done, &f);
        fixture_await(&f, OUTCOME_OK);
        radio_import_uri(f.radio, uri, on_import, &f);
        fixture_await(&f, OUTCOME_OK);
        ck_assert_ptr_nonnull(radio_has(&f.done_key));
        ck_assert_uint_eq(pending_count(radio_pending(f.radio)), 0);
}
END_TEST

START_TEST(import_that_adds_nothing) {
        g_autofree char *uri = NULL;

        other_card("Stranger", &uri);
        uri[strlen(uri) - 1] = uri[strlen(uri) - 1] == '0' ? '1' : '0'; /* not signed like this */
        radio_import_uri(f.radio, uri, on_import, &f);
        fixture_await(&f, OUTCOME_REJECTED);
        radio_import_uri(f.radio, "meshcore://nonsense", on_import, &f);
        fixture_await(&f, OUTCOME_INVALID_ARGUMENTS);
}
END_TEST

START_TEST(import_of_forms) {
        radio_import_uri(f.radio,
                         "meshcore://contact/add?name=Eve%20B&public_key="
                         "2102030405060708091011121314151617181920212223242526272829303132&type=1",
                         on_import, &f);
        fixture_await(&f, OUTCOME_OK);
        ck_assert_str_eq(radio_has(&f.done_key)->name, "Eve B");
        radio_import_uri(f.radio, "meshcore://channel/add?name=Club&secret=000102030405060708090a0b0c0d0e0f",
                         on_import, &f);
        fixture_await(&f, OUTCOME_OK);
        ck_assert_int_eq(f.done_slot, 1); /* behind Public */
        radio_import_uri(f.radio, "meshcore://channel/add?name=Club&secret=000102030405060708090a0b0c0d0e0f",
                         on_import, &f);
        fixture_await(&f, OUTCOME_OK);
        ck_assert_int_eq(f.done_slot, 1);
}
END_TEST

/* -- automatic adding, pending ---------------------------------------------------------- */

START_TEST(auto_add_keeps_what_it_was_not_asked_to_change) {
        const AutoAdd values = {.manual = true, .room = true, .max_hops = 4};
        static const uint8_t others[] = {CMD_SET_OTHER_PARAMS, 0, 0x15, 1, 1};
        const uint8_t *command;

        /* As another program left it. */
        engine_command(f.peer->engine, others, sizeof(others));
        radio_set_auto_add(f.radio, AUTO_ADD_MANUAL | AUTO_ADD_ROOM | AUTO_ADD_MAX_HOPS, &values, on_done,
                           &f);
        fixture_await(&f, OUTCOME_OK);
        command = peer_command(f.peer, CMD_SET_OTHER_PARAMS, 0);
        ck_assert_mem_eq(command, "\x26\x01\x15\x01\x01", 5);
        ck_assert(radio_auto_add(f.radio)->manual);
        ck_assert(radio_auto_add(f.radio)->room);
        ck_assert_uint_eq(radio_auto_add(f.radio)->max_hops, 4);

        radio_set_auto_add(f.radio, AUTO_ADD_OVERWRITE, &(AutoAdd){.overwrite = true}, on_done, &f);
        fixture_await(&f, OUTCOME_OK);
        ck_assert_uint_eq(peer_count(f.peer, CMD_SET_OTHER_PARAMS), 1);
        ck_assert_mem_eq(peer_command(f.peer, CMD_SET_AUTOADD_CONFIG, 1), "\x3a\x09\x04", 3);
        radio_set_auto_add(f.radio, AUTO_ADD_MAX_HOPS, &(AutoAdd){.max_hops = 65}, on_done, &f);
        fixture_await(&f, OUTCOME_INVALID_ARGUMENTS);

        fixture_restart(&f);
        fixture_until(&f, radio_state(f.radio) == RADIO_READY);
        ck_assert(radio_auto_add(f.radio)->manual && radio_auto_add(f.radio)->overwrite);
}
END_TEST

static void push_new_advert(unsigned n, const char *name) {
        const PublicKey key = key_of(n);
        uint8_t frame[148] = {PUSH_NEW_ADVERT};

        memcpy(frame + 1, key.bytes, sizeof(key.bytes));
        frame[33] = CONTACT_CHAT;
        frame[35] = PATH_LEN_NONE;
        memcpy(frame + 100, name, strlen(name));
        peer_push(f.peer, frame, sizeof(frame));
}

START_TEST(pending_is_no_contact) {
        const PublicKey key = key_of(30);
        GPtrArray *list;

        push_new_advert(30, "Heard");
        fixture_settle(&f);
        ck_assert_str_eq(f.log->str, "advert:Heard/0|");
        ck_assert_ptr_null(book(&key));
        ck_assert_uint_eq(pending_count(radio_pending(f.radio)), 1);
        fixture_restart(&f);
        ck_assert_uint_eq(pending_count(radio_pending(f.radio)), 1);
        fixture_until(&f, radio_state(f.radio) == RADIO_READY);
        push_new_advert(31, "Later");
        fixture_settle(&f);
        list = pending_list(radio_pending(f.radio));
        ck_assert_str_eq(((Contact *) list->pdata[0])->name, "Later");
        g_ptr_array_unref(list);

        add(30, &(ContactFields){}, OUTCOME_OK); /* type and name are known from the advert */
        ck_assert_str_eq(radio_has(&key)->name, "Heard");
        ck_assert_uint_eq(pending_count(radio_pending(f.radio)), 1);
}
END_TEST

START_TEST(pending_has_a_limit) {
        const PublicKey first = key_of(100);

        for (unsigned n = 100; n < 100 + PENDING_MAX + 1; n++) {
                const PublicKey key = key_of(n);
                g_autoptr(Contact) contact = contact_new(&key);

                contact->last_heard_usec = n;
                pending_put(radio_pending(f.radio), contact);
        }
        ck_assert_uint_eq(pending_count(radio_pending(f.radio)), PENDING_MAX);
        ck_assert_ptr_null(pending_get(radio_pending(f.radio), &first));
}
END_TEST

/* -- the radio's table is a cache --------------------------------------------------------- */

/* Ten places: a favourite, a room, eight chat contacts; and one more in the book only. */
static void setup_full(void) {
        const PublicKey out = key_of(9);
        uint64_t now = clock_realtime_usec();

        fixture_setup(&f, 0);
        (void) peer_add_contact(f.peer, 1, CONTACT_CHAT, CONTACT_FLAG_FAVOURITE, true);
        (void) peer_add_contact(f.peer, 2, CONTACT_ROOM, 0, true);
        for (unsigned n = 3; n <= 10; n++)
                (void) peer_add_contact(f.peer, n, CONTACT_CHAT, 0, true);
        fixture_restart(&f);
        fixture_until(&f, radio_state(f.radio) == RADIO_READY);
        radio_remove_contact(f.radio, &out, true, on_done, &f);
        fixture_await(&f, OUTCOME_OK);
        (void) peer_add_contact(f.peer, 11, CONTACT_CHAT, 0, true);
        fixture_restart(&f);
        fixture_until(&f, radio_state(f.radio) == RADIO_READY);
        ck_assert_uint_eq(engine_n_contacts(f.peer->engine), 10);

        /* The favourite and the room were silent for longest, then 3, then 4 … */
        for (unsigned n = 1; n <= 11; n++) {
                const PublicKey key = key_of(n);

                identity_touch_contact(radio_identity(f.radio), &key, now - (100 - n) * USEC_PER_SEC);
        }
        fixture_settle(&f);
        peer_forget(f.peer);
}

START_TEST(swap_in_for_a_send) {
        const PublicKey out = key_of(9), favourite = key_of(1), room = key_of(2), third = key_of(3),
                        fourth = key_of(4);
        uint64_t waiting, id;

        waiting = fixture_send(&f, &third, "unconfirmed");
        fixture_until(&f, fixture_state(&f, waiting) == MESSAGE_SENT);
        id = fixture_send(&f, &out, "hello");
        fixture_until(&f, fixture_state(&f, id) == MESSAGE_SENT);
        ck_assert_ptr_nonnull(radio_has(&out));
        ck_assert_ptr_nonnull(radio_has(&favourite));
        ck_assert_ptr_nonnull(radio_has(&room));
        ck_assert_ptr_nonnull(radio_has(&third));
        ck_assert_ptr_null(radio_has(&fourth)); /* the least recently heard of the rest */
        ck_assert(!book(&fourth)->on_radio);
        ck_assert(!book(&fourth)->removed_elsewhere);
        ck_assert(book(&out)->on_radio);
        ck_assert_uint_eq(radio_has(&out)->out_path[0], 0xA1); /* its path came along */
        ck_assert_uint_eq(peer_count(f.peer, CMD_REMOVE_CONTACT), 1);
        ck_assert_uint_eq(engine_n_contacts(f.peer->engine), 10);
}
END_TEST

START_TEST(swap_in_finds_nobody_to_go) {
        const ContactFields favourite = {.set = CONTACT_FIELD_FAVOURITE, .favourite = true};
        const PublicKey out = key_of(9);
        g_autoptr(Message) m = NULL;
        uint64_t id;

        for (unsigned n = 3; n <= 11; n++) {
                const PublicKey key = key_of(n);

                if (n == 9)
                        continue;
                radio_update_contact(f.radio, &key, &favourite, on_contact, &f);
                fixture_await(&f, OUTCOME_OK);
        }
        id = fixture_send(&f, &out, "hello");
        fixture_until(&f, fixture_state(&f, id) == MESSAGE_FAILED);
        m = fixture_message(&f, id);
        ck_assert_ptr_nonnull(strstr(m->error, "is full"));
        ck_assert_uint_eq(peer_count(f.peer, CMD_REMOVE_CONTACT), 0);
        add(40, &ann, OUTCOME_TABLE_FULL);
}
END_TEST

START_TEST(removal_by_another_program_is_respected) {
        const PublicKey key = key_of(5);
        g_autoptr(Message) m = NULL;
        uint64_t id;

        peer_drop(f.peer);
        ck_assert_int_eq(engine_remove_contact(f.peer->engine, &key), 0);
        fixture_until(&f, radio_state(f.radio) != RADIO_READY);
        fixture_until(&f, radio_state(f.radio) == RADIO_READY);
        ck_assert(book(&key)->removed_elsewhere);
        fixture_restart(&f);
        fixture_until(&f, radio_state(f.radio) == RADIO_READY);
        peer_forget(f.peer);
        id = fixture_send(&f, &key, "hello");
        fixture_until(&f, fixture_state(&f, id) == MESSAGE_FAILED);
        ck_assert_uint_eq(peer_count(f.peer, CMD_ADD_UPDATE_CONTACT), 0);
        ck_assert_uint_eq(peer_count(f.peer, CMD_SEND_TXT_MSG), 0);
        m = fixture_message(&f, id);
        ck_assert_ptr_nonnull(strstr(m->error, "add it again"));

        add(5, &(ContactFields){}, OUTCOME_OK);
        ck_assert(!book(&key)->removed_elsewhere);
        id = fixture_send(&f, &key, "hello");
        fixture_until(&f, fixture_state(&f, id) == MESSAGE_SENT);
}
END_TEST

START_TEST(eviction_by_the_radio_is_no_removal) {
        const PublicKey key = key_of(5);
        uint64_t id;

        ck_assert_int_eq(engine_remove_contact(f.peer->engine, &key), 0);
        peer_push_key(f.peer, PUSH_CONTACT_DELETED, &key);
        fixture_until(&f, !book(&key)->on_radio);
        fixture_restart(&f);
        fixture_until(&f, radio_state(f.radio) == RADIO_READY);
        ck_assert(!book(&key)->removed_elsewhere);
        id = fixture_send(&f, &key, "hello");
        fixture_until(&f, fixture_state(&f, id) == MESSAGE_SENT);
        ck_assert_ptr_nonnull(radio_has(&key));
        peer_push(f.peer, (const uint8_t[]){PUSH_CONTACTS_FULL}, 1);
        fixture_until(&f, strstr(f.log->str, "full|"));
}
END_TEST

/* -- older firmware ----------------------------------------------------------------------- */

static void setup_old(void) {
        peer_firmware = ENGINE_FIRMWARE_1_9_0;
        fixture_setup(&f, 3);
}

START_TEST(older_firmware_is_asked_for_what_it_has) {
        const PathHop two[] = {{2, {0xB1, 0xB2}}}, one[] = {{1, {0xB1}}};
        const PublicKey key = key_of(1);

        radio_set_contact_path(f.radio, &key, two, 1, on_contact, &f);
        fixture_await(&f, OUTCOME_NOT_SUPPORTED);
        ck_assert_uint_eq(peer_count(f.peer, CMD_ADD_UPDATE_CONTACT), 0);
        radio_set_contact_path(f.radio, &key, one, 1, on_contact, &f);
        fixture_await(&f, OUTCOME_OK);
        ck_assert_uint_eq(radio_has(&key)->out_path[0], 0xB1);

        radio_set_auto_add(f.radio, AUTO_ADD_ROOM, &(AutoAdd){.room = true}, on_done, &f);
        fixture_await(&f, OUTCOME_NOT_SUPPORTED);
        radio_set_auto_add(f.radio, AUTO_ADD_MANUAL, &(AutoAdd){.manual = true}, on_done, &f);
        fixture_await(&f, OUTCOME_OK);
        ck_assert_uint_eq(peer_count(f.peer, CMD_GET_AUTOADD_CONFIG), 0);
        ck_assert_uint_eq(radio_auto_add(f.radio)->known, AUTO_ADD_MANUAL);
}
END_TEST

/* -- many at once ------------------------------------------------------------------------- */

static unsigned n_ok, n_busy;

static void count_outcome(Radio *radio, const Outcome *outcome, Contact *contact, void *userdata) {
        n_ok += outcome->code == OUTCOME_OK;
        n_busy += outcome->code == OUTCOME_IN_PROGRESS;
}

/* Each reads the record, changes one thing and writes all of it. */
START_TEST(requests_do_not_undo_each_other) {
        const ContactFields favourite = {.set = CONTACT_FIELD_FAVOURITE, .favourite = true};
        const ContactFields name = {.set = CONTACT_FIELD_NAME, .name = "Both"};
        const PublicKey key = key_of(1);

        radio_update_contact(f.radio, &key, &favourite, count_outcome, NULL);
        radio_update_contact(f.radio, &key, &name, count_outcome, NULL);
        fixture_until(&f, n_ok == 2);
        ck_assert_str_eq(radio_has(&key)->name, "Both");
        ck_assert_uint_eq(radio_has(&key)->flags, CONTACT_FLAG_FAVOURITE);

        for (unsigned n = 0; n < 100; n++)
                radio_update_contact(f.radio, &key, &name, count_outcome, NULL);
        ck_assert_uint_eq(n_ok + n_busy, 2);
        fixture_until(&f, n_ok + n_busy == 102);
        ck_assert_uint_eq(n_busy, 100 - 64);
}
END_TEST

static bool swallow(Peer *peer, const uint8_t *frame, size_t size, void *userdata) {
        return frame[0] != CMD_GET_CONTACT_BY_KEY;
}

/* A thousand nodes may advertise while the radio tells of one. */
START_TEST(changes_at_once_have_a_limit) {
        static const uint8_t error[] = {RESP_ERR, ERR_NOT_FOUND};

        f.peer->on_command = swallow;
        for (unsigned n = 1; n <= 1000; n++) {
                const PublicKey key = {{0xAD, (uint8_t) n, (uint8_t) (n >> 8)}};

                peer_push_key(f.peer, PUSH_ADVERT, &key);
                if (n % 50 == 0)
                        fixture_settle(&f);
        }
        ck_assert_uint_eq(peer_count(f.peer, CMD_GET_CONTACT_BY_KEY), 1);
        f.peer->on_command = NULL;
        peer_push(f.peer, error, sizeof(error));
        fixture_settle(&f);
        ck_assert_uint_eq(peer_count(f.peer, CMD_GET_CONTACT_BY_KEY), 1 + 256);
}
END_TEST

int main(void) {
        Suite *s = suite_create("contacts");
        TCase *tc = tcase_create("requests"), *full = tcase_create("table"), *old = tcase_create("old");

        tcase_add_checked_fixture(tc, setup, teardown);
        tcase_add_test(tc, add_writes_the_whole_record);
        tcase_add_test(tc, arguments_are_checked_before_the_radio_hears);
        tcase_add_test(tc, update_reads_before_it_writes);
        tcase_add_test(tc, remove_or_keep_in_the_book);
        tcase_add_test(tc, requests_end_once_whatever_happens);
        tcase_add_test(tc, find_gives_all_hits_in_order);
        tcase_add_test(tc, path_set_and_reset);
        tcase_add_test(tc, path_found_by_the_mesh_and_by_others);
        tcase_add_test(tc, own_card_and_uri);
        tcase_add_test(tc, import_of_a_card);
        tcase_add_test(tc, import_with_manual_adding);
        tcase_add_test(tc, import_that_adds_nothing);
        tcase_add_test(tc, import_of_forms);
        tcase_add_test(tc, auto_add_keeps_what_it_was_not_asked_to_change);
        tcase_add_test(tc, pending_is_no_contact);
        tcase_add_test(tc, pending_has_a_limit);
        tcase_add_test(tc, requests_do_not_undo_each_other);
        suite_add_tcase(s, tc);

        tcase_add_checked_fixture(full, setup_full, teardown);
        tcase_add_test(full, swap_in_for_a_send);
        tcase_add_test(full, swap_in_finds_nobody_to_go);
        tcase_add_test(full, removal_by_another_program_is_respected);
        tcase_add_test(full, eviction_by_the_radio_is_no_removal);
        suite_add_tcase(s, full);

        tcase_add_checked_fixture(old, setup_old, teardown);
        tcase_add_test(old, older_firmware_is_asked_for_what_it_has);
        tcase_add_test(tc, changes_at_once_have_a_limit);
        suite_add_tcase(s, old);
        return fixture_run(s);
}
