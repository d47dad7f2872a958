/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pairing: what bluetoothd answers when it goes wrong, how often a radio is asked, and our agent. */

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ble-fixture.h"

static BleFixture *f;

static void setup(void) {
        f = ble_fixture_new();
}

static void teardown(void) {
        f = ble_fixture_free(f);
}

static void expect_proof(void) {
        ble_expect_open(f);
        ck_assert_int_ge(link_ble_probe(f->link), 0);
        ble_settle(f);
        ble_expect_bond(f, BOND_VERIFIED, BOND_REASON_NONE);
}

/* Begins to open, and lets time go by. */
static void begin(uint64_t usec) {
        f->link = link_close(f->link);
        f->opened = f->closed = 0;
        ck_assert_int_ge(link_new_ble(f->bluez, f->bond, HUT_ADDRESS, &f->options, &ble_handler, f, &f->link),
                         0);
        ck_assert_int_ge(link_open(f->link), 0);
        ble_pass(f, usec);
}

/* What a failed pairing leaves behind: nothing. */
static void expect_clean(void) {
        f->link = link_close(f->link);
        ble_pass(f, 5 * USEC_PER_SEC);
        ck_assert(!f->hut->known && !f->hut->connected);
        ck_assert_ptr_null(fake_agent(f->fake));
        ck_assert_uint_eq(f->hci0->n_discovering, 0);
}

/* -- it works ------------------------------------------------------------------------ */

START_TEST(right_pin) {
        f->hut->legacy = _i == 1;
        f->fake->modern = _i == 2;
        f->fake->no_bonded = _i == 3;
        ble_open_link(f, HUT_ADDRESS);
        expect_proof();
        ck_assert_str_eq(f->states->str, "pairing bonded verified ");
        ck_assert(f->hut->paired && f->hut->trusted && f->hut->key == FAKE_KEY_GOOD);
        ck_assert_uint_eq(f->hut->n_asked, 1);
        ck_assert_uint_eq(fake_count(f->fake, "RegisterAgent"), 1);
        ck_assert_uint_eq(fake_count(f->fake, "RequestDefaultAgent"), 0);
        /* no connection without an agent first: a radio that asks for security must find one */
        ck_assert_uint_eq(fake_count(f->fake, "Connect"), 0);
        ck_assert_uint_eq(fake_count(f->fake, "CancelPairing"), 0);
        ck_assert_uint_eq(f->hci0->n_discovering, 0);
}
END_TEST

START_TEST(leading_zeros) {
        f->hut->pin = f->pin = 42;
        ble_open_link(f, HUT_ADDRESS);
        expect_proof();
}
END_TEST

/* A PIN that somebody offers goes before the one of the configuration. */
START_TEST(offered_pin) {
        f->has_pin = _i == 1;
        f->pin = 111111;
        bond_offer_passkey(f->bond, 123456);
        ble_open_link(f, HUT_ADDRESS);
        expect_proof();
}
END_TEST

START_TEST(already_paired) {
        fake_fail(f->fake, "Pair", FAKE_ERROR("AlreadyExists"), "Already Exists");
        begin(180 * 1000);
        fake_radio_set_connected(f->hut, true, NULL);
        fake_radio_set_paired(f->hut, true);
        ble_pass(f, 100 * 1000);
        fake_radio_set_resolved(f->hut, true);
        ble_run_until(f, 20 * USEC_PER_SEC, f->opened > 0 || f->closed > 0);
        expect_proof();
}
END_TEST

/* The link goes just after the keys were made: it is opened again. */
START_TEST(lost_after_pairing) {
        f->fake->times.resolve = 10 * USEC_PER_SEC;
        begin(USEC_PER_SEC);
        fake_radio_set_connected(f->hut, true, NULL);
        ble_run_until(f, 20 * USEC_PER_SEC, f->hut->paired);
        f->fake->times.resolve = 150 * 1000;
        fake_radio_set_connected(f->hut, false, "org.bluez.Reason.Timeout");
        ble_run_until(f, 60 * USEC_PER_SEC, f->opened > 0 || f->closed > 0);
        expect_proof();
        ck_assert_uint_eq(fake_count(f->fake, "Pair"), 1);
}
END_TEST

/* An entry of a scan long ago says nothing about where the radio is. */
START_TEST(old_entry) {
        f->hut->known = true;
        ble_open_link(f, HUT_ADDRESS);
        expect_proof();
        ck_assert_uint_eq(fake_count(f->fake, "StartDiscovery"), 1);
}
END_TEST

/* -- it does not -------------------------------------------------------------------------- */

START_TEST(wrong_pin) {
        f->pin = 222222;
        ble_open_link(f, HUT_ADDRESS);
        ble_expect_end(f, LINK_END_NEEDS_PIN, BOND_NEEDS_PIN, BOND_REASON_AUTHENTICATION);
        expect_clean();

        /* the same PIN is not tried again, neither at once nor after the pause */
        fake_log_clear(f->fake);
        for (unsigned i = 0; i < 4; i++) {
                ble_open_link(f, HUT_ADDRESS);
                ble_expect_end(f, LINK_END_NEEDS_PIN, BOND_NEEDS_PIN, BOND_REASON_AUTHENTICATION);
                ck_assert_uint_eq(fake_count(f->fake, "Pair"), 0);
                ck_assert_uint_eq(fake_count(f->fake, "Connect"), 0);
                ble_pass(f, 6 * USEC_PER_MINUTE);
        }
        ck_assert_uint_eq(f->hut->n_asked, 1);

        /* another one is */
        f->pin = 123456;
        ble_open_link(f, HUT_ADDRESS);
        expect_proof();
}
END_TEST

START_TEST(no_pin) {
        f->has_pin = false;
        ble_open_link(f, HUT_ADDRESS);
        ble_expect_end(f, LINK_END_NEEDS_PIN, BOND_NEEDS_PIN, BOND_REASON_NO_PIN);
        ck_assert_uint_eq(fake_count(f->fake, "Pair"), 0);
        ck_assert_uint_eq(fake_count(f->fake, "Connect"), 0);
}
END_TEST

START_TEST(refused) {
        f->hut->refuses = true;
        ble_open_link(f, HUT_ADDRESS);
        ble_expect_end(f, LINK_END_REFUSED, BOND_NONE, BOND_REASON_REJECTED);
        expect_clean();
}
END_TEST

/* The radio, or whoever has its address, wants to pair without a PIN: it is us who refuse. */
START_TEST(refused_by_us) {
        f->hut->just_works = _i == 0;
        f->hut->compares = _i == 1;
        ble_open_link(f, HUT_ADDRESS);
        ble_expect_end(f, LINK_END_REFUSED, BOND_NONE, BOND_REASON_REJECTED);
        ck_assert_msg(strstr(f->why, "without its PIN"), "%s", f->why);
        ck_assert_uint_eq(f->hut->n_asked, 1);
        ck_assert(!f->hut->paired);
        expect_clean();
}
END_TEST

/* The connection ends before it begins: one inside Pair is all that bluetoothd tries, so the next ones are
 * made by Connect, and the radio is paired over the one that lasts. */
START_TEST(missed) {
        static const struct {
                unsigned tries, n_missed, n_connects;
                bool works;
        } cases[] = {{0, 1, 1, true}, {0, 2, 1, false}, {5, 4, 4, true}, {5, 5, 4, false}};

        f->options.tries = cases[_i].tries;
        f->hut->n_missed = cases[_i].n_missed;
        ble_open_link(f, HUT_ADDRESS);
        ck_assert_uint_eq(fake_count(f->fake, "Connect"), cases[_i].n_connects);
        ck_assert_uint_eq(fake_count(f->fake, "RegisterAgent"), 1);
        ck_assert_uint_eq(fake_count(f->fake, "Pair"), cases[_i].works ? 2 : 1);
        if (cases[_i].works) {
                expect_proof();
                ck_assert_str_eq(f->states->str, "pairing bonded verified ");
                ck_assert_uint_eq(f->hut->n_asked, 1);
                f->link = link_close(f->link);
                ble_pass(f, 5 * USEC_PER_SEC);
                ck_assert(f->hut->paired && !f->hut->connected);
        } else {
                ble_expect_end(f, LINK_END_UNREACHABLE, BOND_NONE, BOND_REASON_UNREACHABLE);
                expect_clean();
        }
}
END_TEST

/* Over a connection that Pair did not find it goes wrong as over any other. */
START_TEST(missed_and_wrong) {
        f->hut->n_missed = 1;
        f->pin = 222222;
        ble_open_link(f, HUT_ADDRESS);
        ble_expect_end(f, LINK_END_NEEDS_PIN, BOND_NEEDS_PIN, BOND_REASON_AUTHENTICATION);
        ck_assert_uint_eq(f->hut->n_asked, 1);
        expect_clean();
}
END_TEST

START_TEST(link_lost) {
        f->hut->loses_pairing = true;
        ble_open_link(f, HUT_ADDRESS);
        ble_expect_end(f, LINK_END_LOST, BOND_NONE, BOND_REASON_LINK_LOST);
        expect_clean();
}
END_TEST

START_TEST(silent) {
        f->hut->pairs_silently = true;
        ble_open_link(f, HUT_ADDRESS);
        ble_expect_end(f, LINK_END_UNREACHABLE, BOND_NONE, BOND_REASON_TIMEOUT);
        expect_clean();
}
END_TEST

/* Every error that Pair was ever seen to give. */
START_TEST(errors_of_pair) {
        static const struct {
                const char *name, *text;
                LinkEnd end;
                BondState state;
                BondReason reason;
        } cases[] = {
                        {FAKE_ERROR("AuthenticationFailed"), "Authentication Failed", LINK_END_REFUSED,
                         BOND_NONE, BOND_REASON_REJECTED},
                        {FAKE_ERROR("AuthenticationRejected"), "Authentication Rejected", LINK_END_REFUSED,
                         BOND_NONE, BOND_REASON_REJECTED},
                        {FAKE_ERROR("AuthenticationTimeout"), "Authentication Timeout", LINK_END_UNREACHABLE,
                         BOND_NONE, BOND_REASON_TIMEOUT},
                        {FAKE_ERROR("ConnectionAttemptFailed"), "Page Timeout", LINK_END_UNREACHABLE,
                         BOND_NONE, BOND_REASON_UNREACHABLE},
                        {FAKE_ERROR("Failed"), "le-connection-abort-by-local", LINK_END_UNREACHABLE,
                         BOND_NONE, BOND_REASON_UNREACHABLE},
                        {FAKE_ERROR("Failed"), "No agent", LINK_END_UNREACHABLE, BOND_NONE,
                         BOND_REASON_STACK},
                        {FAKE_ERROR("InvalidArguments"), "Invalid arguments", LINK_END_UNREACHABLE, BOND_NONE,
                         BOND_REASON_STACK},
                        {"org.freedesktop.DBus.Error.UnknownObject", "gone", LINK_END_UNREACHABLE, BOND_NONE,
                         BOND_REASON_NOT_FOUND},
                        {"com.example.Weird", "", LINK_END_UNREACHABLE, BOND_NONE, BOND_REASON_STACK},
        };

        fake_fail(f->fake, "Pair", cases[_i].name, cases[_i].text);
        ble_open_link(f, HUT_ADDRESS);
        ble_expect_end(f, cases[_i].end, cases[_i].state, cases[_i].reason);
        ck_assert_uint_eq(f->hut->n_asked, 0);
        expect_clean();
}
END_TEST

/* By CancelPairing of somebody else: the link stays, so it was nobody's loss. */
START_TEST(cancelled_by_somebody) {
        f->hut->pairs_silently = true;
        begin(USEC_PER_SEC);
        ck_assert_ptr_nonnull(f->hut->pairing);
        ck_assert(f->hut->connected);
        fake_fail(f->fake, "CancelPairing", FAKE_ERROR("DoesNotExist"), "Does Not Exist");
        fake_radio_cancel_pairing(f->hut);
        ble_settle(f);
        ble_expect_end(f, LINK_END_REFUSED, BOND_NONE, BOND_REASON_CANCELLED);
        fake_heal(f->fake, "CancelPairing");
        f->link = link_close(f->link);
        ble_pass(f, 5 * USEC_PER_SEC);

        /* whose wish it was: there is a PIN, and it is left at that for a while */
        f->hut->pairs_silently = false;
        fake_log_clear(f->fake);
        ble_open_link(f, HUT_ADDRESS);
        ble_expect_end(f, LINK_END_REFUSED, BOND_NONE, BOND_REASON_CANCELLED);
        ck_assert_ptr_null(fake_first_change(f->fake));
        ble_pass(f, 9 * USEC_PER_MINUTE);
        ble_open_link(f, HUT_ADDRESS);
        ble_expect_end(f, LINK_END_REFUSED, BOND_NONE, BOND_REASON_CANCELLED);
        ck_assert_uint_eq(fake_count(f->fake, "Pair"), 0);

        /* or until somebody wants it after all */
        if (_i == 0)
                ble_pass(f, 2 * USEC_PER_MINUTE);
        else if (_i == 1)
                bond_go_on(f->bond);
        else
                bond_offer_passkey(f->bond, 123456);
        ble_open_link(f, HUT_ADDRESS);
        expect_proof();
}
END_TEST

/* Closed by us: bluetoothd is told, and what was half made goes. */
START_TEST(closed_while_pairing) {
        f->hut->pairs_silently = true;
        begin(USEC_PER_SEC);
        ck_assert_ptr_nonnull(f->hut->pairing);
        expect_clean();
        ble_expect_bond(f, BOND_NONE, BOND_REASON_NONE);
        ck_assert_uint_eq(fake_count(f->fake, "CancelPairing"), 1);
        ck_assert_ptr_null(f->hut->pairing);
}
END_TEST

/* With nothing to cancel, CancelPairing costs the bond: never once the pairing is over. */
START_TEST(closed_after_pairing) {
        f->fake->times.resolve = USEC_PER_SEC;
        begin(USEC_PER_SEC);
        ble_run_until(f, 20 * USEC_PER_SEC, f->hut->paired);
        f->link = link_close(f->link);
        ble_pass(f, 5 * USEC_PER_SEC);
        ck_assert_uint_eq(fake_count(f->fake, "CancelPairing"), 0);
        ck_assert(f->hut->known && f->hut->paired && f->hut->key == FAKE_KEY_GOOD);
}
END_TEST

/* A connection that was there before stays although the pairing fails. */
START_TEST(borrowed_connection) {
        f->hut->known = f->hut->connected = true;
        f->hut->refuses = true;
        f->fake->times.drop = 1000 * USEC_PER_SEC;
        ble_open_link(f, HUT_ADDRESS);
        ble_expect_end(f, LINK_END_REFUSED, BOND_NONE, BOND_REASON_REJECTED);
        f->link = link_close(f->link);
        ble_pass(f, 5 * USEC_PER_SEC);
        ck_assert(f->hut->known && f->hut->connected);
        ck_assert_uint_eq(fake_count(f->fake, "Disconnect"), 0);
        ck_assert_uint_eq(fake_count(f->fake, "RemoveDevice"), 0);
}
END_TEST

/* -- the agent ---------------------------------------------------------------------------- */

typedef struct Answer {
        bool there;
        char *error;
        uint32_t passkey;
        char *text;
} Answer;

static int on_answer(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        Answer *answer = userdata;
        const sd_bus_error *e = sd_bus_message_get_error(reply);
        const char *text = NULL;

        answer->there = true;
        answer->error = g_strdup(e ? e->name : "");
        if (!e && sd_bus_message_has_signature(reply, "u"))
                ck_assert_int_ge(sd_bus_message_read(reply, "u", &answer->passkey), 0);
        if (!e && sd_bus_message_has_signature(reply, "s"))
                ck_assert_int_ge(sd_bus_message_read(reply, "s", &text), 0);
        answer->text = g_strdup(text);
        return 0;
}

/* A call to the agent in bluetoothd's name, or another one's. */
static Answer ask(const char *sender, const char *member, const char *types, ...) {
        Answer answer = {};
        sd_bus_message *m = NULL;
        va_list ap;
        int r;

        r = sd_bus_message_new_method_call(f->fake->bus, &m, FAKE_CLIENT, "/org/meshcored1/agent",
                                           "org.bluez.Agent1", member);
        ck_assert_int_ge(r, 0);
        va_start(ap, types);
        ck_assert_int_ge(sd_bus_message_appendv(m, types, ap), 0);
        va_end(ap);
        fake_call_as(f->fake, sender, m, on_answer, &answer);
        ble_settle(f);
        ck_assert(answer.there);
        return answer;
}

static void expect_error(Answer answer, const char *error) {
        ck_assert_str_eq(answer.error, error);
        g_free(answer.error);
        g_free(answer.text);
}

#define REJECTED FAKE_ERROR("Rejected")

/* Only bluetoothd, only about the radio that is being paired, and never by another way than the PIN. */
START_TEST(agent_answers) {
        Answer answer;

        f->hut->pairs_silently = true;
        begin(USEC_PER_SEC);
        ck_assert_str_eq(fake_agent(f->fake), "/org/meshcored1/agent");

        expect_error(ask(":1.66", "RequestPasskey", "o", HUT), "org.freedesktop.DBus.Error.AccessDenied");
        expect_error(ask(":1.66", "RequestPinCode", "o", HUT), "org.freedesktop.DBus.Error.AccessDenied");
        expect_error(ask(":1.1", "RequestPasskey", "o", HUT "x"), REJECTED);
        expect_error(ask(":1.1", "RequestPasskey", "o", "/org/bluez/hci0/dev_00_00_00_00_00_00"), REJECTED);
        expect_error(ask(":1.1", "RequestPinCode", "o", "/org/bluez/hci0"), REJECTED);
        expect_error(ask(":1.1", "RequestConfirmation", "ou", HUT, 123456), REJECTED);
        expect_error(ask(":1.1", "RequestAuthorization", "o", HUT), REJECTED);
        expect_error(ask(":1.1", "AuthorizeService", "os", "/org/bluez/hci0/dev_00", "180a"), REJECTED);
        expect_error(ask(":1.1", "DisplayPinCode", "os", "/org/bluez/hci0/dev_00", "123456"), REJECTED);
        expect_error(ask(":1.1", "DisplayPasskey", "ouq", HUT, 123456, 0), "");
        expect_error(ask(":1.1", "Cancel", ""), "");
        expect_error(ask(":1.1", "Release", ""), "");

        answer = ask(":1.1", _i == 0 ? "RequestPasskey" : "RequestPinCode", "o", HUT);
        ck_assert_str_eq(answer.error, "");
        if (_i == 0)
                ck_assert_uint_eq(answer.passkey, 123456);
        else
                ck_assert_str_eq(answer.text, "123456");
        expect_error(answer, "");
        /* one exchange: who asks again has not accepted it */
        expect_error(ask(":1.1", "RequestPasskey", "o", HUT), REJECTED);
}
END_TEST

START_TEST(pin_code_has_six_digits) {
        Answer answer;

        f->pin = 42;
        f->hut->pairs_silently = true;
        begin(USEC_PER_SEC);
        answer = ask(":1.1", "RequestPinCode", "o", HUT);
        ck_assert_str_eq(answer.text, "000042");
        expect_error(answer, "");
}
END_TEST

/* Both sides begin at the same moment: the radio asks for security while we pair. */
START_TEST(both_sides_begin) {
        begin(180 * 1000);
        ck_assert_uint_eq(fake_count(f->fake, "Pair"), 1);
        fake_radio_request_security(f->hut);
        ble_run_until(f, 30 * USEC_PER_SEC, f->opened > 0 || f->closed > 0);
        fake_radio_request_security(f->hut);
        ble_pass(f, USEC_PER_SEC);
        expect_proof();
        ck_assert_uint_eq(f->hut->n_asked, 1);
        ck_assert_uint_eq(fake_count(f->fake, "Pair"), 1);
}
END_TEST

/* The bond went on both sides while the link was open, and the radio wants a new one: a person decides. */
START_TEST(no_pairing_in_steady_state) {
        ble_open_link(f, HUT_ADDRESS);
        expect_proof();
        ble_pass(f, USEC_PER_SEC);
        f->hut->paired = false;
        f->hut->key = FAKE_KEY_NONE;
        fake_log_clear(f->fake);
        f->hut->n_asked = 0;
        fake_radio_request_security(f->hut);
        ble_pass(f, 5 * USEC_PER_SEC);
        ck_assert_uint_eq(fake_count(f->fake, "Pair"), 0);
        ck_assert(!f->hut->paired);
        ck_assert_int_eq(f->hut->key, FAKE_KEY_NONE);
}
END_TEST

/* Another agent of ours is registered already (a restart, seen late). */
START_TEST(agent_exists) {
        fake_fail(f->fake, "RegisterAgent", FAKE_ERROR("AlreadyExists"), "Already Exists");
        f->hut->pairs_silently = true;
        begin(USEC_PER_SEC);
        ck_assert_ptr_nonnull(f->hut->pairing);
}
END_TEST

START_TEST(no_agent) {
        fake_fail(f->fake, "RegisterAgent", FAKE_ERROR("Failed"), "Too many");
        ble_open_link(f, HUT_ADDRESS);
        ck_assert_uint_eq(f->closed, 1);
        ck_assert_int_eq(bond_reason(f->bond), BOND_REASON_STACK);
        ck_assert_uint_eq(fake_count(f->fake, "Pair"), 0);
}
END_TEST

/* -- replacing a bond ------------------------------------------------------------------------- */

/* Asked for: the bond goes first, whatever it is worth. */
START_TEST(repair) {
        fake_radio_bond(f->hut);
        f->hut->key = _i == 0 ? FAKE_KEY_GOOD : FAKE_KEY_NONE;
        f->hut->connected = f->hut->resolved = _i == 2;
        f->options.repair = true;
        ble_open_link(f, HUT_ADDRESS);
        expect_proof();
        ck_assert_uint_eq(fake_count(f->fake, "RemoveDevice"), 1);
        ck_assert_uint_eq(fake_count(f->fake, "Pair"), 1);
}
END_TEST

START_TEST(repair_of_none) {
        f->options.repair = true;
        ble_open_link(f, HUT_ADDRESS);
        expect_proof();
        ck_assert_uint_eq(fake_count(f->fake, "RemoveDevice"), 0);
}
END_TEST

/* A new bond that is refused at once is not replaced a second time. */
START_TEST(repaired_once_only) {
        fake_radio_bond(f->hut);
        f->hut->refuses_notify = true;
        ble_open_link(f, HUT_ADDRESS);
        ble_expect_end(f, LINK_END_NEEDS_PIN, BOND_STALE, BOND_REASON_ENCRYPTION);
        ck_assert_uint_eq(fake_count(f->fake, "RemoveDevice"), 1);
        ck_assert_uint_eq(fake_count(f->fake, "Pair"), 1);

        /* and is left in peace for a while */
        fake_log_clear(f->fake);
        f->has_pin = false;
        ble_open_link(f, HUT_ADDRESS);
        ble_expect_end(f, LINK_END_NEEDS_PIN, BOND_STALE, BOND_REASON_ENCRYPTION);
        ck_assert_uint_eq(f->fake->log->len, 0);
}
END_TEST

/* The removal fails, or takes for ever: an end, and no loop. */
START_TEST(removal_fails) {
        fake_radio_bond(f->hut);
        f->hut->key = FAKE_KEY_NONE;
        if (_i == 0)
                fake_fail(f->fake, "RemoveDevice", FAKE_ERROR("Failed"), "Failed");
        else
                fake_silence(f->fake, "RemoveDevice");
        ble_open_link(f, HUT_ADDRESS);
        ck_assert_uint_eq(f->closed, 1);
        ck_assert_uint_le(fake_count(f->fake, "RemoveDevice"), 1);
        ck_assert_uint_eq(fake_count(f->fake, "Pair"), 0);
        ck_assert_uint_le(fake_count(f->fake, "Connect"), 6);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("ble-pair");
        TCase *tcase = tcase_create("pair");
        SRunner *runner;
        int failed;

        tcase_add_checked_fixture(tcase, setup, teardown);
        tcase_add_loop_test(tcase, right_pin, 0, 4);
        tcase_add_test(tcase, leading_zeros);
        tcase_add_loop_test(tcase, offered_pin, 0, 2);
        tcase_add_test(tcase, already_paired);
        tcase_add_test(tcase, lost_after_pairing);
        tcase_add_test(tcase, old_entry);
        tcase_add_test(tcase, wrong_pin);
        tcase_add_test(tcase, no_pin);
        tcase_add_test(tcase, refused);
        tcase_add_loop_test(tcase, refused_by_us, 0, 2);
        tcase_add_loop_test(tcase, missed, 0, 4);
        tcase_add_test(tcase, missed_and_wrong);
        tcase_add_test(tcase, link_lost);
        tcase_add_test(tcase, silent);
        tcase_add_loop_test(tcase, errors_of_pair, 0, 9);
        tcase_add_loop_test(tcase, cancelled_by_somebody, 0, 3);
        tcase_add_test(tcase, closed_while_pairing);
        tcase_add_test(tcase, closed_after_pairing);
        tcase_add_test(tcase, borrowed_connection);
        tcase_add_loop_test(tcase, agent_answers, 0, 2);
        tcase_add_test(tcase, pin_code_has_six_digits);
        tcase_add_test(tcase, both_sides_begin);
        tcase_add_test(tcase, no_pairing_in_steady_state);
        tcase_add_test(tcase, agent_exists);
        tcase_add_test(tcase, no_agent);
        tcase_add_loop_test(tcase, repair, 0, 3);
        tcase_add_test(tcase, repair_of_none);
        tcase_add_test(tcase, repaired_once_only);
        tcase_add_loop_test(tcase, removal_fails, 0, 2);
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
