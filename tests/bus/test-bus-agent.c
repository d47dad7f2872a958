/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Clients that are asked for a PIN. */

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "bus-fixture.h"
#include "fake-discover.h"

#define NO_ANSWER 1000000

/* An agent of the client: what it was asked, and what it says. */
typedef struct Agent {
        const char *path;
        sd_bus_slot *slot;
        unsigned n_asked, n_cancelled;
        char *radio, *address, *reason;
        const char *error; /* NULL: the passkey */
        uint32_t passkey;
        sd_bus_message *waiting; /* with silent */
        bool silent;
} Agent;

static Fixture *f;
static Radio *radio;
static Agent first, second;

static int on_request(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        const char *path, *address, *reason;
        Agent *agent = userdata;

        ck_assert_int_gt(sd_bus_message_read(call, "os", &path, &address), 0);
        ck_assert(enter_key(call, "Reason", "s"));
        ck_assert_int_gt(sd_bus_message_read(call, "s", &reason), 0);
        agent->n_asked++;
        g_free(agent->radio);
        agent->radio = g_strdup(path);
        g_free(agent->address);
        agent->address = g_strdup(address);
        g_free(agent->reason);
        agent->reason = g_strdup(reason);
        if (agent->silent) {
                agent->waiting = sd_bus_message_ref(call);
                return 1;
        }
        if (agent->error)
                return sd_bus_reply_method_errorf(call, agent->error, "The test says so");
        return sd_bus_reply_method_return(call, "u", agent->passkey);
}

static int on_cancel(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        Agent *agent = userdata;

        agent->n_cancelled++;
        return 1;
}

static const sd_bus_vtable vtable[] = {
                SD_BUS_VTABLE_START(0),
                SD_BUS_METHOD("RequestPasskey", "osa{sv}", "u", on_request, SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_METHOD("Cancel", "", "", on_cancel, SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_VTABLE_END,
};

static sd_bus_message *call_manager(const char *member, const char *path) {
        return fixture_call(f, BUS_ROOT, BUS_MANAGER, member, "o", path);
}

static void agent_add(Agent *agent, const char *path, uint32_t passkey) {
        g_autoptr(sd_bus_message) reply = NULL;

        *agent = (Agent){.path = path, .passkey = passkey};
        ck_assert_int_ge(sd_bus_add_object_vtable(f->client, &agent->slot, path,
                                                  "org.meshcored1.PairingAgent", vtable, agent),
                         0);
        reply = call_manager("RegisterAgent", path);
        assert_reply_ok(reply);
}

static void agent_clear(Agent *agent) {
        sd_bus_slot_unref(agent->slot);
        sd_bus_message_unref(agent->waiting);
        g_free(agent->radio);
        g_free(agent->address);
        g_free(agent->reason);
        *agent = (Agent){};
}

static void setup(void) {
        f = fixture_new();
        radio = fake_radio_add_ble(f->manager, "ble");
        fixture_run(f);
}

static void teardown(void) {
        agent_clear(&first);
        agent_clear(&second);
        f = fixture_free(f);
}

START_TEST(asks_the_last_one) {
        ck_assert(!fake_pin_ask(radio, "no-pin"));
        agent_add(&first, "/one", 111111);
        ck_assert_uint_eq(fake_pin_rounds(), 1);
        agent_add(&second, "/two", 22);
        ck_assert_uint_eq(fake_pin_rounds(), 2);

        ck_assert(fake_pin_ask(radio, "no-pin"));
        ck_assert_int_eq(fake_pin_answer(), NO_ANSWER);
        fixture_run(f);
        ck_assert_int_eq(fake_pin_answer(), 22);
        ck_assert_uint_eq(first.n_asked, 0);
        ck_assert_str_eq(second.radio, "/org/meshcored1/radio/ble");
        ck_assert_str_eq(second.address, "C0:00:00:00:22:01");
        ck_assert_str_eq(second.reason, "no-pin");
}
END_TEST

/* Who fails is passed over; who says no has the last word. */
START_TEST(passes_over) {
        agent_add(&first, "/one", 111111);
        agent_add(&second, "/two", 0);
        second.error = "org.example.Error.Broken";
        ck_assert(fake_pin_ask(radio, "authentication"));
        fixture_run(f);
        ck_assert_uint_eq(second.n_asked, 1);
        ck_assert_int_eq(fake_pin_answer(), 111111);

        second.error = NULL;
        second.passkey = 1000000;
        ck_assert(fake_pin_ask(radio, "authentication"));
        fixture_run(f);
        ck_assert_int_eq(fake_pin_answer(), 111111);

        second.error = "org.meshcored1.Error.Cancelled";
        ck_assert(fake_pin_ask(radio, "authentication"));
        fixture_run(f);
        ck_assert_int_eq(fake_pin_answer(), -ECANCELED);
        ck_assert_uint_eq(first.n_asked, 2);

        first.error = second.error = "org.example.Error.Broken";
        ck_assert(fake_pin_ask(radio, "authentication"));
        fixture_run(f);
        ck_assert_int_eq(fake_pin_answer(), -ENOENT);
}
END_TEST

START_TEST(not_for_ever) {
        agent_add(&first, "/one", 0);
        first.silent = true;
        bus_agent_usec = 20 * USEC_PER_MSEC;
        ck_assert(fake_pin_ask(radio, "no-pin"));
        while (fake_pin_answer() == NO_ANSWER)
                ck_assert_int_ge(sd_event_run(f->event, UINT64_MAX), 0);
        bus_agent_usec = 60 * USEC_PER_SEC;
        fixture_run(f);
        ck_assert_int_eq(fake_pin_answer(), -ETIMEDOUT);
        ck_assert_uint_eq(first.n_cancelled, 1);
}
END_TEST

START_TEST(cancelled) {
        agent_add(&first, "/one", 0);
        first.silent = true;
        ck_assert(fake_pin_ask(radio, "no-pin"));
        fixture_run(f);
        fake_pin_cancel(radio);
        fixture_run(f);
        ck_assert_uint_eq(first.n_cancelled, 1);

        /* Too late. */
        ck_assert_int_ge(sd_bus_reply_method_return(first.waiting, "u", 5), 0);
        fixture_run(f);
        ck_assert_int_eq(fake_pin_answer(), NO_ANSWER);
}
END_TEST

/* Who comes while somebody is asked is the next one. */
START_TEST(comes_meanwhile) {
        agent_add(&first, "/one", 0);
        first.silent = true;
        ck_assert(fake_pin_ask(radio, "no-pin"));
        fixture_run(f);
        agent_add(&second, "/two", 222222);
        ck_assert_int_ge(sd_bus_reply_method_errorf(first.waiting, "org.example.Error.Broken", "No"), 0);
        fixture_run(f);
        ck_assert_uint_eq(second.n_asked, 1);
        ck_assert_int_eq(fake_pin_answer(), 222222);
}
END_TEST

START_TEST(connection_goes) {
        agent_add(&first, "/one", 0);
        first.silent = true;
        ck_assert(fake_pin_ask(radio, "no-pin"));
        fixture_run(f);
        bus_detach(f->bus);
        ck_assert_int_eq(fake_pin_answer(), -ENOENT);
        ck_assert(!fake_pin_ask(radio, "no-pin"));
}
END_TEST

START_TEST(registration) {
        static const char *const paths[] = {"/b", "/c", "/d", "/e"};
        g_autoptr(sd_bus_message) none = call_manager("UnregisterAgent", "/one"), gone = NULL, again = NULL;

        assert_reply_error(none, "NotFound");
        agent_add(&first, "/one", 111111);
        again = call_manager("RegisterAgent", "/one"); /* the same one */
        assert_reply_ok(again);
        for (size_t i = 0; i < ELEMENTSOF(paths); i++) {
                g_autoptr(sd_bus_message) more = call_manager("RegisterAgent", paths[i]);

                ck_assert_str_eq(reply_error(more), i < 3 ? "" : "InProgress");
        }
        for (size_t i = 0; i < 3; i++) {
                g_autoptr(sd_bus_message) less = call_manager("UnregisterAgent", paths[i]);

                assert_reply_ok(less);
        }
        ck_assert(fake_pin_ask(radio, "no-pin"));
        fixture_run(f);
        ck_assert_int_eq(fake_pin_answer(), 111111);
        gone = call_manager("UnregisterAgent", "/one");
        assert_reply_ok(gone);
        ck_assert(!fake_pin_ask(radio, "no-pin"));
}
END_TEST

int main(void) {
        Suite *suite = suite_create("bus-agent");
        TCase *tcase = tcase_create("all");
        SRunner *runner;
        int failed;

        tcase_add_checked_fixture(tcase, setup, teardown);
        tcase_add_test(tcase, asks_the_last_one);
        tcase_add_test(tcase, passes_over);
        tcase_add_test(tcase, not_for_ever);
        tcase_add_test(tcase, cancelled);
        tcase_add_test(tcase, comes_meanwhile);
        tcase_add_test(tcase, connection_goes);
        tcase_add_test(tcase, registration);
        suite_add_tcase(suite, tcase);

        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
