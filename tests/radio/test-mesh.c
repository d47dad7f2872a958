/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The mesh around: traces, discoveries, bytes of one's own; and the budget of air time that all of it shares.
 */

#include <string.h>

#include "clock.h"
#include "macros.h"
#include "mesh-api.h"
#include "node-api.h"
#include "radio-fixture.h"
#include "settings-api.h"

#define AUTH 0x0A0B0C0D

static Fixture f;
static unsigned ends;
static OutcomeCode code;
static NodeAnswer *answer;

static void setup(void) {
        fixture_setup(&f, 3);
        radio_timing.node_wait_usec = 30 * USEC_PER_SEC;
        ends = 0;
}

static void teardown(void) {
        answer = node_answer_unref(answer);
        fixture_teardown(&f);
}

static void on_end(Radio *radio, const Outcome *outcome, NodeAnswer *came, void *userdata) {
        ends++;
        code = outcome->code;
        node_answer_unref(answer);
        answer = came ? node_answer_ref(came) : NULL;
        outcome_clear(&f.outcome);
        (void) outcome_set(&f.outcome, outcome->code, "%s", outcome->message ?: "");
}

static void ask(const NodeQuery *query) {
        (void) radio_request_node(f.radio, query, on_end, NULL);
        fixture_settle(&f);
}

static void trace(const void *hashes, size_t size, uint8_t hash_size) {
        ask(&(NodeQuery){.operation = NODE_OPERATION_TRACE,
                         .data = {hashes, size},
                         .hash_size = hash_size,
                         .auth = AUTH});
}

static double number(unsigned row, const char *name) {
        const NodeValue *value = node_record_get(answer->list->pdata[row], name);

        ck_assert_ptr_nonnull(value);
        return value->kind == NODE_VALUE_INT ? value->integer : value->real;
}

static void push_trace(const uint8_t *command, uint8_t xor_tag, uint8_t xor_auth) {
        uint8_t frame[] = {PUSH_TRACE_DATA,
                           0,
                           4,
                           1,
                           0,
                           0,
                           0,
                           0,
                           0,
                           0,
                           0,
                           0,
                           0x11,
                           0x22,
                           0x33,
                           0x44,
                           20,
                           0xFC,
                           8};

        memcpy(frame + 4, command + 1, 8);
        frame[4] ^= xor_tag;
        frame[8] ^= xor_auth;
        peer_push(f.peer, frame, sizeof(frame));
        fixture_settle(&f);
}

START_TEST(trace_is_matched_by_tag_and_code) {
        const uint8_t hashes[] = {0x11, 0x22, 0x33, 0x44}, auth[] = {0x0D, 0x0C, 0x0B, 0x0A};
        const uint8_t *command;

        trace(hashes, sizeof(hashes), 2);
        ck_assert_uint_eq(peer_count(f.peer, CMD_SEND_TRACE_PATH), 1);
        command = peer_command(f.peer, CMD_SEND_TRACE_PATH, 0);
        ck_assert_mem_eq(command + 5, auth, sizeof(auth));
        ck_assert_uint_eq(command[9], 1); /* hashes of two bytes */
        ck_assert_mem_eq(command + 10, hashes, sizeof(hashes));
        push_trace(command, 1, 0);
        push_trace(command, 0, 1);
        ck_assert_uint_eq(ends, 0);
        push_trace(command, 0, 0);
        ck_assert_uint_eq(ends, 1);
        ck_assert_int_eq(code, OUTCOME_OK);
        ck_assert_uint_eq(answer->list->len, 3);
        ck_assert_double_eq(number(0, "Snr"), 5);
        ck_assert_double_eq(number(1, "Snr"), -1);
        ck_assert_double_eq(number(2, "Snr"), 2); /* here */
        ck_assert_ptr_null(node_record_get(answer->list->pdata[2], "Hash"));
}
END_TEST

START_TEST(bad_paths_never_reach_the_radio) {
        static const uint8_t hashes[165];
        static const struct {
                size_t size;
                uint8_t hash_size;
        } bad[] = {{0, 1}, {6, 3}, {4, 0}, {65, 1}, {164, 4}};

        for (unsigned i = 0; i < ELEMENTSOF(bad); i++) {
                trace(hashes, bad[i].size, bad[i].hash_size);
                ck_assert_uint_eq(ends, i + 1);
                ck_assert_int_eq(code, OUTCOME_INVALID_ARGUMENTS);
                ck_assert(!strstr(f.outcome.message, "empty") == (bad[i].size > 0));
        }
        ck_assert_uint_eq(peer_count(f.peer, CMD_SEND_TRACE_PATH), 0);
        trace(hashes, 160, 8);
        ck_assert_uint_eq(peer_count(f.peer, CMD_SEND_TRACE_PATH), 1);
}
END_TEST

static void push_discovered(const uint8_t *command, uint8_t first, uint8_t xor_tag) {
        uint8_t frame[] = {PUSH_CONTROL_DATA, 28, 0xB9, 0, 0x92, 30, 0, 0, 0, 0, first, 2, 3, 4, 5, 6, 7, 8};

        memcpy(frame + 6, command + 3, 4);
        frame[6] ^= xor_tag;
        peer_push(f.peer, frame, sizeof(frame));
        fixture_settle(&f);
}

START_TEST(discovery_collects) {
        const uint8_t type = 0x60;
        const uint8_t *command;

        /* the firmware's one slot is taken by another question, which is none of our business */
        (void) radio_request_node(f.radio,
                                  &(NodeQuery){.operation = NODE_OPERATION_REQUEST,
                                               .key = key_of(1),
                                               .data = {&type, 1}},
                                  on_end, NULL);
        ask(&(NodeQuery){.operation = NODE_OPERATION_DISCOVER,
                         .types = 1 << CONTACT_REPEATER,
                         .prefix_only = true,
                         .collect_usec = NODE_COLLECT_MIN_USEC});
        ck_assert_uint_eq(peer_count(f.peer, CMD_SEND_CONTROL_DATA), 1);
        command = peer_command(f.peer, CMD_SEND_CONTROL_DATA, 0);
        ck_assert_uint_eq(command[1], 0x81);
        ck_assert_uint_eq(command[2], 1 << CONTACT_REPEATER);
        push_discovered(command, 1, 0);
        push_discovered(command, 1, 0); /* over another way */
        push_discovered(command, 7, 1); /* somebody else's question */
        push_discovered(command, 9, 0);
        ck_assert_uint_eq(ends, 0);
        fixture_until(&f, ends == 1);
        ck_assert_int_eq(code, OUTCOME_OK);
        ck_assert_uint_eq(answer->list->len, 2);
        ck_assert_double_eq(number(0, "Snr"), 7);
        ck_assert_double_eq(number(0, "SnrThere"), 7.5);
        ck_assert_double_eq(number(0, "Rssi"), -71);
        ck_assert_str_eq(node_record_get(answer->list->pdata[0], "Type")->text, "repeater");
        ck_assert_uint_eq(peer_count(f.peer, CMD_SEND_BINARY_REQ), 1);
}
END_TEST

/* Whoever claims to be there, and however many. */
START_TEST(discovery_has_an_end) {
        uint8_t frame[] = {PUSH_CONTROL_DATA, 28, 0xB9, 0, 0x92, 30, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8};

        ask(&(NodeQuery){.operation = NODE_OPERATION_DISCOVER,
                         .types = 1 << CONTACT_REPEATER,
                         .prefix_only = true,
                         .collect_usec = NODE_COLLECT_MIN_USEC});
        memcpy(frame + 6, peer_command(f.peer, CMD_SEND_CONTROL_DATA, 0) + 3, 4);
        for (unsigned n = 0; n < 300; n++) {
                frame[10] = (uint8_t) n;
                frame[11] = (uint8_t) (n >> 8);
                peer_push(f.peer, frame, sizeof(frame));
                if (n % 50 == 0)
                        fixture_settle(&f);
        }
        fixture_until(&f, ends == 1);
        ck_assert_uint_eq(answer->list->len, 256);
}
END_TEST

START_TEST(discovery_has_a_range) {
        ask(&(NodeQuery){.operation = NODE_OPERATION_DISCOVER, .types = 4, .collect_usec = 1});
        ck_assert_int_eq(code, OUTCOME_INVALID_ARGUMENTS);
        ask(&(NodeQuery){.operation = NODE_OPERATION_DISCOVER, .collect_usec = NODE_COLLECT_MIN_USEC});
        ck_assert_int_eq(code, OUTCOME_INVALID_ARGUMENTS);
        ck_assert_uint_eq(peer_count(f.peer, CMD_SEND_CONTROL_DATA), 0);
}
END_TEST

/* -- bytes of one's own ------------------------------------------------------------ */

START_TEST(bytes_go_as_they_are) {
        static const uint8_t raw[] = {0x19, 2, 0xA1, 0xB2, 'd', 'a', 't', 'a'};
        static const uint8_t packet[] = {0x3E, 0x00, 1, 2, 3, 4};
        const PathHop path[] = {{1, {0xA1}}, {1, {0xB2}}}, wide[] = {{2, {0xA1, 1}}};
        const Slice data = {(const uint8_t *) "data", 4};

        radio_send_raw(f.radio, path, 2, data, on_done, &f);
        fixture_await(&f, OUTCOME_OK);
        ck_assert_mem_eq(peer_command(f.peer, CMD_SEND_RAW_DATA, 0), raw, sizeof(raw));
        radio_send_raw(f.radio, wide, 1, data, on_done, &f);
        fixture_await(&f, OUTCOME_INVALID_ARGUMENTS);
        radio_send_raw(f.radio, NULL, 0, (Slice){data.data, 3}, on_done, &f);
        fixture_await(&f, OUTCOME_INVALID_ARGUMENTS);
        radio_send_control(f.radio, data, on_done, &f); /* 0x64 */
        fixture_await(&f, OUTCOME_INVALID_ARGUMENTS);
        radio_send_control(f.radio, (Slice){(const uint8_t *) "\x90xyz", 4}, on_done, &f);
        fixture_await(&f, OUTCOME_OK);
        radio_send_packet(f.radio, 1, (Slice){packet, sizeof(packet)}, on_done, &f);
        fixture_await(&f, OUTCOME_OK);
        ck_assert_mem_eq(peer_command(f.peer, CMD_SEND_RAW_PACKET, 0) + 2, packet, sizeof(packet));
        radio_send_packet(f.radio, 1, (Slice){packet, 1}, on_done, &f);
        fixture_await(&f, OUTCOME_INVALID_ARGUMENTS);
        ck_assert_uint_eq(peer_count(f.peer, CMD_SEND_RAW_DATA), 1);
        ck_assert_uint_eq(peer_count(f.peer, CMD_SEND_CONTROL_DATA), 1);
}
END_TEST

/* -- the budget ----------------------------------------------------------------------- */

static void use_up(double part) {
        RadioAirtime airtime;

        radio_airtime(f.radio, &airtime);
        f.radio->airtime = (Airtime){.used_usec = (uint64_t) ((double) airtime.budget_usec * part),
                                     .updated_usec = clock_boottime_usec()};
}

static void request(bool poll) {
        const uint8_t type = 0x60;

        ask(&(NodeQuery){.operation = NODE_OPERATION_REQUEST,
                         .key = key_of(1),
                         .data = {&type, 1},
                         .poll = poll});
}

START_TEST(polls_leave_air_to_people) {
        RadioAirtime airtime;

        radio_airtime(f.radio, &airtime);
        ck_assert_uint_eq(airtime.budget_usec, 180 * USEC_PER_SEC); /* five percent of an hour */
        ck_assert_uint_eq(airtime.used_usec, 0);
        ck_assert_uint_eq(airtime.next_usec, 0);

        use_up(0.8);
        radio_airtime(f.radio, &airtime);
        ck_assert_uint_gt(airtime.next_usec, clock_realtime_usec());
        request(true);
        ck_assert_int_eq(code, OUTCOME_RATE_LIMITED);
        ck_assert_ptr_nonnull(strstr(f.outcome.message, "try again in"));
        ck_assert_uint_eq(peer_count(f.peer, CMD_SEND_BINARY_REQ), 0);
        request(false);
        ck_assert_uint_eq(ends, 1);
        ck_assert_uint_eq(peer_count(f.peer, CMD_SEND_BINARY_REQ), 1);
}
END_TEST

START_TEST(nothing_left_for_requests) {
        use_up(1.01);
        request(false);
        ck_assert_int_eq(code, OUTCOME_RATE_LIMITED);
        radio_advertise(f.radio, false, on_done, &f);
        fixture_await(&f, OUTCOME_RATE_LIMITED);
        radio_send_control(f.radio, (Slice){(const uint8_t *) "\x90xyz", 4}, on_done, &f);
        fixture_await(&f, OUTCOME_RATE_LIMITED);
        ck_assert_uint_eq(f.peer->commands->len, 0);
}
END_TEST

/* What all of it costs is counted, but for what the radio did not take. */
START_TEST(each_costs) {
        uint64_t before = 0;
        RadioAirtime airtime;

        use_up(0);
        f.peer->refuse[CMD_SEND_BINARY_REQ] = ERR_ILLEGAL_ARG;
        request(false);
        ck_assert_uint_eq(ends, 1);
        radio_airtime(f.radio, &airtime);
        ck_assert_uint_eq(airtime.used_usec, 0);
        f.peer->refuse[CMD_SEND_BINARY_REQ] = 0;

        for (unsigned i = 0; i < 3; i++) {
                if (i == 0)
                        request(false);
                else if (i == 1)
                        ask(&(NodeQuery){.operation = NODE_OPERATION_DISCOVER,
                                         .types = 4,
                                         .collect_usec = NODE_COLLECT_MIN_USEC});
                else {
                        radio_advertise(f.radio, true, on_done, &f);
                        fixture_await(&f, OUTCOME_OK);
                }
                radio_airtime(f.radio, &airtime);
                ck_assert_uint_gt(airtime.used_usec, before + 50 * USEC_PER_MSEC);
                before = airtime.used_usec;
        }
}
END_TEST

START_TEST(texts_are_never_held_up) {
        const PublicKey key = key_of(1);
        uint64_t id;

        use_up(2);
        radio_timing.sent_wait_usec = 20 * USEC_PER_MSEC;
        id = fixture_send(&f, &key, "hello");
        fixture_until(&f, peer_count(f.peer, CMD_SEND_TXT_MSG) == 1);
        for (unsigned i = 0; i < 5; i++)
                fixture_settle(&f);
        ck_assert_uint_eq(peer_count(f.peer, CMD_SEND_TXT_MSG), 1); /* its repetition waits */
        ck_assert_int_eq(fixture_state(&f, id), MESSAGE_SENT);

        use_up(0.9999999);
        fixture_send(&f, &key, "and another one");
        fixture_until(&f, peer_count(f.peer, CMD_SEND_TXT_MSG) == 3); /* and its repetition */
        ck_assert_uint_eq(peer_command(f.peer, CMD_SEND_TXT_MSG, 2)[2], 1);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("radio-mesh");
        TCase *tcase = tcase_create("all");

        tcase_add_checked_fixture(tcase, setup, teardown);
        tcase_add_test(tcase, trace_is_matched_by_tag_and_code);
        tcase_add_test(tcase, bad_paths_never_reach_the_radio);
        tcase_add_test(tcase, discovery_collects);
        tcase_add_test(tcase, discovery_has_an_end);
        tcase_add_test(tcase, discovery_has_a_range);
        tcase_add_test(tcase, bytes_go_as_they_are);
        tcase_add_test(tcase, polls_leave_air_to_people);
        tcase_add_test(tcase, nothing_left_for_requests);
        tcase_add_test(tcase, each_costs);
        tcase_add_test(tcase, texts_are_never_held_up);
        suite_add_tcase(suite, tcase);
        return fixture_run(suite);
}
