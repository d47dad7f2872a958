/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Questions to other nodes: who comes next, and that each has exactly one end. */

#include <string.h>

#include "clock.h"
#include "macros.h"
#include "node-api.h"
#include "radio-fixture.h"

#define ASKED_MAX 20

typedef struct Asked {
        unsigned ends;
        OutcomeCode code;
        NodeRequest *request;
} Asked;

static Fixture f;
static Asked asked[ASKED_MAX];

static void setup(void) {
        memset(asked, 0, sizeof(asked));
        fixture_setup(&f, 3);
        radio_timing.node_wait_usec = 30 * USEC_PER_SEC;
}

static void teardown(void) {
        fixture_teardown(&f);
        for (unsigned i = 0; i < ASKED_MAX; i++)
                ck_assert_uint_le(asked[i].ends, 1);
}

static void on_end(Radio *radio, const Outcome *outcome, NodeAnswer *answer, void *userdata) {
        Asked *a = userdata;

        ck_assert((outcome->code == OUTCOME_OK) == (answer != NULL));
        a->ends++;
        a->code = outcome->code;
}

/* Request number n asks for type n, so that the radio's commands tell the order. */
static void ask_of(unsigned n, NodeOperation operation, unsigned contact, const char *client, bool poll) {
        const uint8_t type = (uint8_t) (0x60 + n);
        const NodeQuery query = {
                        .operation = operation,
                        .key = key_of(contact),
                        .text = "ver",
                        .data = {&type, 1},
                        .client = client,
                        .poll = poll,
                        .uid = 1000,
        };

        asked[n].request = radio_request_node(f.radio, &query, on_end, &asked[n]);
        ck_assert_uint_eq(asked[n].ends, 0); /* never from inside the call */
}

static void ask(unsigned n, const char *client, bool poll) {
        ask_of(n, NODE_OPERATION_REQUEST, 1, client, poll);
}

/* To what was sent last. */
static void answer(void) {
        uint8_t frame[10] = {PUSH_BINARY_RESPONSE};

        memcpy(frame + 2, g_bytes_get_data(f.peer->acks->pdata[f.peer->acks->len - 1], NULL), TAG_SIZE);
        peer_push(f.peer, frame, sizeof(frame));
        fixture_settle(&f);
}

static unsigned sent(unsigned i) {
        return peer_command(f.peer, CMD_SEND_BINARY_REQ, i)[33] - 0x60U;
}

static void assert_end(unsigned n, OutcomeCode code) {
        ck_assert_msg(asked[n].ends == 1 && asked[n].code == code, "request %u: %u ends, code %i", n,
                      asked[n].ends, asked[n].code);
}

START_TEST(one_at_a_time_and_in_turn) {
        static const unsigned order[] = {1, 4, 2, 3, 5};

        ask(1, "a", false);
        ask(2, "a", false);
        ask(5, "c", true); /* a poll */
        ask(3, "a", false);
        ask(4, "b", false);
        fixture_settle(&f);
        ck_assert_uint_eq(peer_count(f.peer, CMD_SEND_BINARY_REQ), 1);
        ck_assert_int_eq(node_request_state(asked[1].request), NODE_REQUEST_RUNNING);
        ck_assert_uint_gt(node_request_deadline(asked[1].request), 0);
        ck_assert_int_eq(node_request_state(asked[2].request), NODE_REQUEST_QUEUED);
        for (unsigned i = 0; i < ELEMENTSOF(order); i++) {
                ck_assert_uint_eq(peer_count(f.peer, CMD_SEND_BINARY_REQ), i + 1);
                ck_assert_uint_eq(sent(i), order[i]);
                answer();
                assert_end(order[i], OUTCOME_OK);
        }
}
END_TEST

START_TEST(equal_questions_share) {
        static const uint8_t status[48] = {0xB5, 0x0F};
        uint8_t frame[6 + sizeof(status)] = {PUSH_BINARY_RESPONSE};
        const PublicKey key = key_of(1);

        ask_of(0, NODE_OPERATION_PATH, 2, "c", false);
        ask_of(1, NODE_OPERATION_STATUS, 1, "a", true);
        ask_of(2, NODE_OPERATION_STATUS, 1, "b", false);
        ask_of(3, NODE_OPERATION_STATUS, 1, "b", false);
        fixture_settle(&f);
        node_request_cancel(asked[0].request);
        fixture_settle(&f);
        assert_end(0, OUTCOME_CANCELLED);
        node_request_cancel(asked[2].request); /* the others go on */
        memcpy(frame + 2, g_bytes_get_data(f.peer->acks->pdata[f.peer->acks->len - 1], NULL), TAG_SIZE);
        memcpy(frame + 6, status, sizeof(status));
        peer_push(f.peer, frame, sizeof(frame));
        fixture_settle(&f);
        ck_assert_uint_eq(peer_count(f.peer, CMD_SEND_BINARY_REQ), 1);
        assert_end(1, OUTCOME_OK);
        assert_end(2, OUTCOME_CANCELLED);
        assert_end(3, OUTCOME_OK);
        ck_assert_uint_gt(radio_node_state(f.radio, &key)->status_usec, 0);
}
END_TEST

START_TEST(each_user_has_a_limit) {
        for (unsigned i = 0; i < NODE_REQUESTS_PER_UID; i++)
                ask(i, "a", false);
        ask(NODE_REQUESTS_PER_UID, "b", false);
        fixture_settle(&f);
        assert_end(NODE_REQUESTS_PER_UID, OUTCOME_IN_PROGRESS);
        ck_assert_uint_eq(asked[0].ends, 0);
}
END_TEST

/* What needs no slot of the firmware's goes beside it, but a radio is slow on air. */
START_TEST(few_command_lines_at_once) {
        for (unsigned i = 4; i <= 6; i++)
                (void) peer_add_contact(f.peer, i, CONTACT_CHAT, 0, true);
        peer_drop(f.peer);
        fixture_until(&f, radio_state(f.radio) != RADIO_READY);
        fixture_until(&f, radio_state(f.radio) == RADIO_READY);
        for (unsigned i = 1; i <= 6; i++)
                ask_of(i, NODE_OPERATION_COMMAND, i, "a", false);
        fixture_settle(&f);
        ck_assert_uint_eq(peer_count(f.peer, CMD_SEND_TXT_MSG), 4);
        node_request_cancel(asked[1].request);
        fixture_until(&f, peer_count(f.peer, CMD_SEND_TXT_MSG) == 5);
}
END_TEST

START_TEST(answers_are_matched_by_tag) {
        const uint8_t stranger[10] = {PUSH_BINARY_RESPONSE, 0, 0xEE, 0xEE, 0xEE, 0xEE};

        radio_timing.node_wait_usec = 100 * USEC_PER_MSEC;
        ask(1, "a", false);
        fixture_settle(&f);
        peer_push(f.peer, stranger, sizeof(stranger));
        fixture_until(&f, asked[1].ends > 0);
        assert_end(1, OUTCOME_TIMEOUT);
}
END_TEST

static void on_neighbours(Radio *radio, const Outcome *outcome, NodeAnswer *answer, void *userdata) {
        uint64_t *heard = userdata;

        ck_assert_int_eq(outcome->code, OUTCOME_OK);
        ck_assert_uint_eq(answer->list->len, 2);
        for (unsigned i = 0; i < 2; i++)
                heard[i] = node_record_get(answer->list->pdata[i], "LastHeardUSec")->number;
}

/* A node may claim to have heard another one before the epoch. */
START_TEST(neighbours_of_long_ago) {
        const NodeQuery query = {.operation = NODE_OPERATION_NEIGHBOURS, .key = key_of(1)};
        const uint8_t ages[][5] = {{60, 0, 0, 0, 40}, {0xFF, 0xFF, 0xFF, 0xFF, 40}};
        uint8_t frame[6 + 4 + 2 * 13] = {PUSH_BINARY_RESPONSE, [6] = 2, [8] = 2, [10] = 1, [23] = 2};
        uint64_t heard[] = {UINT64_MAX, UINT64_MAX}, now = clock_realtime_usec();

        (void) radio_request_node(f.radio, &query, on_neighbours, heard);
        fixture_settle(&f);
        memcpy(frame + 2, g_bytes_get_data(f.peer->acks->pdata[f.peer->acks->len - 1], NULL), TAG_SIZE);
        memcpy(frame + 10 + 8, ages[0], sizeof(ages[0]));
        memcpy(frame + 23 + 8, ages[1], sizeof(ages[1]));
        peer_push(f.peer, frame, sizeof(frame));
        fixture_until(&f, heard[1] != UINT64_MAX);
        ck_assert_uint_ge(heard[0], now - 60 * USEC_PER_SEC);
        ck_assert_uint_lt(heard[0], now);
        ck_assert_uint_eq(heard[1], 0);
}
END_TEST

static void on_list(Radio *radio, const Outcome *outcome, NodeAnswer *answer, void *userdata) {
        guint *n = userdata;

        ck_assert_int_eq(outcome->code, OUTCOME_OK);
        *n = answer->list->len;
}

/* A node may claim to know as many as can be counted, and go on and on. */
START_TEST(endless_neighbours) {
        enum { ENTRIES = 12 };
        const NodeQuery query = {.operation = NODE_OPERATION_NEIGHBOURS, .key = key_of(1)};
        uint8_t frame[6 + 4 + ENTRIES * 13] = {PUSH_BINARY_RESPONSE, [6] = 0xFF, [7] = 0xFF, [8] = ENTRIES};
        unsigned pages = 0;
        guint n = 0;

        (void) radio_request_node(f.radio, &query, on_list, &n);
        while (n == 0) {
                fixture_until(&f, f.peer->acks->len > pages);
                memcpy(frame + 2, g_bytes_get_data(f.peer->acks->pdata[pages++], NULL), TAG_SIZE);
                for (unsigned i = 0; i < ENTRIES; i++)
                        memcpy(frame + 10 + i * 13, &pages, sizeof(pages));
                peer_push(f.peer, frame, sizeof(frame));
                fixture_until(&f, n > 0 || f.peer->acks->len > pages);
        }
        ck_assert_uint_eq(n, 4096);
        ck_assert_uint_eq(pages, (4096 + ENTRIES - 1) / ENTRIES);
}
END_TEST

START_TEST(lost_link_ends_all) {
        ask(1, "a", false);
        ask(2, "a", true);
        ask_of(3, NODE_OPERATION_COMMAND, 2, "a", false);
        fixture_settle(&f);
        peer_drop(f.peer);
        fixture_until(&f, asked[1].ends + asked[2].ends + asked[3].ends == 3);
        for (unsigned i = 1; i <= 3; i++)
                assert_end(i, OUTCOME_LINK_LOST);
        ask(4, "a", false);
        fixture_until(&f, asked[4].ends == 1);
        ck_assert(asked[4].code == OUTCOME_NOT_CONNECTED || asked[4].code == OUTCOME_NOT_READY);
}
END_TEST

START_TEST(old_radios_have_other_commands) {
        const PublicKey one = key_of(1), two = key_of(2);
        uint8_t frame[8 + 48] = {PUSH_STATUS_RESPONSE};

        f.peer->refuse[CMD_SEND_BINARY_REQ] = ERR_UNSUPPORTED_CMD;
        ask_of(1, NODE_OPERATION_STATUS, 1, "a", false);
        fixture_settle(&f);
        ck_assert_uint_eq(peer_count(f.peer, CMD_SEND_STATUS_REQ), 1);
        memcpy(frame + 2, two.bytes, KEY_PREFIX_SIZE); /* another node's */
        peer_push(f.peer, frame, sizeof(frame));
        fixture_settle(&f);
        ck_assert_uint_eq(asked[1].ends, 0);
        memcpy(frame + 2, one.bytes, KEY_PREFIX_SIZE);
        peer_push(f.peer, frame, sizeof(frame));
        fixture_settle(&f);
        assert_end(1, OUTCOME_OK);
        ask(2, "a", false);
        fixture_settle(&f);
        assert_end(2, OUTCOME_NOT_SUPPORTED);
}
END_TEST

START_TEST(busy_radio_is_asked_again) {
        f.peer->refuse[CMD_SEND_BINARY_REQ] = ERR_TABLE_FULL;
        ask(1, "a", false);
        fixture_until(&f, peer_count(f.peer, CMD_SEND_BINARY_REQ) == 2);
        f.peer->refuse[CMD_SEND_BINARY_REQ] = 0;
        fixture_settle(&f);
        answer();
        assert_end(1, OUTCOME_OK);
}
END_TEST

/* Also when the link goes while the contact has another path. */
START_TEST(lent_path_comes_back) {
        const PublicKey key = key_of(9);

        (void) peer_add_contact(f.peer, 9, CONTACT_REPEATER, 0, false);
        peer_push_key(f.peer, PUSH_ADVERT, &key);
        fixture_settle(&f);
        ask_of(1, NODE_OPERATION_BASIC, 9, "a", false);
        fixture_settle(&f);
        ck_assert_uint_eq(peer_count(f.peer, CMD_SEND_ANON_REQ), 1);
        ck_assert_uint_eq(engine_find_contact(f.peer->engine, &key)->out_path_len, 0);
        node_request_cancel(asked[1].request);
        fixture_settle(&f);
        assert_end(1, OUTCOME_CANCELLED);
        ck_assert_uint_eq(engine_find_contact(f.peer->engine, &key)->out_path_len, PATH_LEN_NONE);

        ask_of(2, NODE_OPERATION_BASIC, 9, "a", false);
        fixture_settle(&f);
        ck_assert_uint_eq(engine_find_contact(f.peer->engine, &key)->out_path_len, 0);
        peer_drop(f.peer);
        fixture_until(&f, radio_state(f.radio) != RADIO_READY);
        fixture_until(&f, radio_state(f.radio) == RADIO_READY);
        fixture_settle(&f);
        assert_end(2, OUTCOME_LINK_LOST);
        ck_assert_uint_eq(engine_find_contact(f.peer->engine, &key)->out_path_len, PATH_LEN_NONE);
        ck_assert_uint_eq(identity_get_contact(radio_identity(f.radio), &key)->path_len,
                          CONTACT_PATH_UNKNOWN);
}
END_TEST

static void answer_login(unsigned contact) {
        const PublicKey key = key_of(contact);
        uint8_t frame[14] = {PUSH_LOGIN_SUCCESS, 1};

        memcpy(frame + 2, key.bytes, KEY_PREFIX_SIZE);
        frame[12] = 3;
        peer_push(f.peer, frame, sizeof(frame));
        fixture_settle(&f);
}

/* A room forgets its clients; nobody tells it from one without posts. */
START_TEST(silent_room_is_logged_in_to_again) {
        const PublicKey key = key_of(9);
        unsigned before;

        radio_timing.room_silence_usec = 100 * USEC_PER_MSEC;
        (void) peer_add_contact(f.peer, 9, CONTACT_ROOM, 0, true);
        peer_push_key(f.peer, PUSH_ADVERT, &key);
        fixture_settle(&f);
        ask_of(1, NODE_OPERATION_LOGIN, 9, "a", false);
        fixture_settle(&f);
        answer_login(9);
        assert_end(1, OUTCOME_OK);
        fixture_until(&f, peer_count(f.peer, CMD_SEND_LOGIN) == 2);
        ck_assert_mem_eq(peer_command(f.peer, CMD_SEND_LOGIN, 1) + 1 + PUBLIC_KEY_SIZE, "ver", 3);
        fixture_settle(&f);
        answer_login(9);
        ck_assert(radio_node_state(f.radio, &key)->logged_in);

        /* Out of reach for a while is not the end of it, as the password has worked. */
        radio_timing.node_wait_usec = 10 * USEC_PER_MSEC;
        fixture_until(&f, !radio_node_state(f.radio, &key)->logged_in);
        before = peer_count(f.peer, CMD_SEND_LOGIN);
        ck_assert_uint_ge(before, 4);
        fixture_until(&f, peer_count(f.peer, CMD_SEND_LOGIN) > before + 1);

        /* Nor is a budget that is used up. */
        f.radio->airtime = (Airtime){.used_usec = UINT64_C(10) * AIRTIME_WINDOW_USEC,
                                     .updated_usec = clock_boottime_usec()};
        fixture_settle(&f);
        before = peer_count(f.peer, CMD_SEND_LOGIN);
        for (unsigned i = 0; i < 20; i++)
                fixture_settle(&f);
        ck_assert_uint_eq(peer_count(f.peer, CMD_SEND_LOGIN), before);
}
END_TEST

/* The daemon is killed while the radio has another path: as the store has it then. */
START_TEST(lent_path_comes_back_after_a_kill) {
        const PublicKey key = key_of(9);
        g_autoptr(Contact) contact = NULL;

        (void) peer_add_contact(f.peer, 9, CONTACT_REPEATER, 0, false);
        peer_push_key(f.peer, PUSH_ADVERT, &key);
        fixture_settle(&f);
        ask_of(1, NODE_OPERATION_BASIC, 9, "a", false);
        fixture_settle(&f);
        ck_assert_uint_eq(engine_find_contact(f.peer->engine, &key)->out_path_len, 0);
        contact = contact_copy(identity_get_contact(radio_identity(f.radio), &key));
        ck_assert(contact->path_lent);

        fixture_restart(&f);
        fixture_until(&f, radio_state(f.radio) == RADIO_READY);
        fixture_settle(&f);
        ck_assert_uint_eq(engine_find_contact(f.peer->engine, &key)->out_path_len, PATH_LEN_NONE);
        ck_assert_uint_eq(identity_get_contact(radio_identity(f.radio), &key)->path_len,
                          CONTACT_PATH_UNKNOWN);
        ck_assert(!identity_get_contact(radio_identity(f.radio), &key)->path_lent);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("radio-nodes");
        TCase *tcase = tcase_create("all");

        tcase_add_checked_fixture(tcase, setup, teardown);
        tcase_add_test(tcase, one_at_a_time_and_in_turn);
        tcase_add_test(tcase, equal_questions_share);
        tcase_add_test(tcase, each_user_has_a_limit);
        tcase_add_test(tcase, few_command_lines_at_once);
        tcase_add_test(tcase, answers_are_matched_by_tag);
        tcase_add_test(tcase, neighbours_of_long_ago);
        tcase_add_test(tcase, endless_neighbours);
        tcase_add_test(tcase, lost_link_ends_all);
        tcase_add_test(tcase, old_radios_have_other_commands);
        tcase_add_test(tcase, busy_radio_is_asked_again);
        tcase_add_test(tcase, lent_path_comes_back);
        tcase_add_test(tcase, lent_path_comes_back_after_a_kill);
        tcase_add_test(tcase, silent_room_is_logged_in_to_again);
        suite_add_tcase(suite, tcase);
        return fixture_run(suite);
}
