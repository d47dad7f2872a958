/* SPDX-License-Identifier: GPL-3.0-or-later */

/* With a real dbus-daemon between: the name, its loss, and callers that vanish. */

#include <check.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "bus-fixture.h"

#define WAIT_USEC (20 * USEC_PER_SEC)

/* fixture_new() has the pair; here client and server meet at a bus. */
typedef struct Meeting {
        Fixture *f;
        char *address, *socket;
        pid_t bus_pid;
        unsigned ready;
} Meeting;

static const char configuration[] = "<busconfig><type>session</type><listen>unix:path=%s</listen>"
                                    "<policy context='default'><allow send_destination='*' eavesdrop='true'/>"
                                    "<allow eavesdrop='true'/><allow own='*'/></policy></busconfig>";

static void start_bus(Meeting *m) {
        g_autofree char *path = g_build_filename(m->f->dir, "bus.conf", NULL);
        g_autofree char *text = g_strdup_printf(configuration, m->socket);
        g_autofree char *option = g_strdup_printf("--config-file=%s", path);
        char *argv[] = {(char *) "dbus-daemon",
                        (char *) "--nofork",
                        (char *) "--nopidfile",
                        (char *) "--print-address=1",
                        option,
                        NULL};
        g_autoptr(GError) error = NULL;
        char line[256];
        int out;

        (void) g_unlink(m->socket);
        ck_assert(g_file_set_contents(path, text, -1, NULL));
        ck_assert_msg(g_spawn_async_with_pipes(NULL, argv, NULL,
                                               G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD |
                                                               G_SPAWN_STDERR_TO_DEV_NULL,
                                               NULL, NULL, &m->bus_pid, NULL, &out, NULL, &error),
                      "%s", error ? error->message : "");
        /* It listens once it has told its address. */
        ck_assert_int_gt(read(out, line, sizeof(line)), 0);
        close(out);
}

static void stop_bus(Meeting *m) {
        ck_assert_int_eq(kill(m->bus_pid, SIGKILL), 0);
        ck_assert_int_eq(waitpid(m->bus_pid, NULL, 0), m->bus_pid);
        m->bus_pid = 0;
}

static void on_ready(Bus *bus, void *userdata) {
        Meeting *m = userdata;

        ck_assert(bus_is_ready(bus));
        m->ready++;
}

static int on_late(sd_event_source *source, uint64_t usec, void *userdata) {
        bool *late = userdata;

        *late = true;
        return 0;
}

#define wait_until(m, condition)                                                                     \
        do {                                                                                         \
                sd_event_source *limit_ = NULL;                                                      \
                bool late_ = false;                                                                  \
                                                                                                     \
                ck_assert_int_ge(sd_event_add_time_relative((m)->f->event, &limit_, CLOCK_MONOTONIC, \
                                                            WAIT_USEC, 0, on_late, &late_),          \
                                 0);                                                                 \
                while (!(condition)) {                                                               \
                        ck_assert_msg(!late_, "never: " #condition);                                 \
                        ck_assert_int_ge(sd_event_run((m)->f->event, UINT64_MAX), 0);                \
                }                                                                                    \
                sd_event_source_disable_unref(limit_);                                               \
        } while (0)

static int on_signal(sd_bus_message *signal, void *userdata, sd_bus_error *error) {
        g_ptr_array_add(userdata, sd_bus_message_ref(signal));
        return 0;
}

static bool seen(const Meeting *m, const char *member) {
        for (guint i = 0; i < m->f->signals->len; i++)
                if (strcmp(sd_bus_message_get_member(m->f->signals->pdata[i]), member) == 0)
                        return true;
        return false;
}

/* Another client, which hears all that our interfaces say. */
static sd_bus *new_client(Meeting *m) {
        sd_bus *bus;

        ck_assert_int_ge(sd_bus_new(&bus), 0);
        ck_assert_int_ge(sd_bus_set_address(bus, m->address), 0);
        ck_assert_int_ge(sd_bus_set_bus_client(bus, true), 0);
        ck_assert_int_ge(sd_bus_start(bus), 0);
        ck_assert_int_ge(sd_bus_add_match(bus, NULL, "type='signal',path_namespace='" BUS_ROOT "'", on_signal,
                                          m->f->signals),
                         0);
        ck_assert_int_ge(sd_bus_attach_event(bus, m->f->event, SD_EVENT_PRIORITY_NORMAL), 0);
        return bus;
}

static void meeting_begin(Meeting *m) {
        *m = (Meeting){.f = fixture_new()};
        m->socket = g_build_filename(m->f->dir, "bus", NULL);
        m->address = g_strdup_printf("unix:path=%s", m->socket);
        ck_assert_int_eq(setenv("DBUS_SESSION_BUS_ADDRESS", m->address, true), 0);
        fixture_add_contact(m->f, 2, "Ann");

        /* The pair was only for the store and the radio. */
        m->f->bus = bus_free(m->f->bus);
        m->f->server = sd_bus_close_unref(m->f->server);
        m->f->client = sd_bus_close_unref(m->f->client);
        fixture_clear_signals(m->f);
}

static void meeting_connect(Meeting *m) {
        m->f->bus = bus_new(m->f->event, m->f->manager, BUS_SESSION);
        bus_set_ready(m->f->bus, on_ready, m);
}

static void meeting_end(Meeting *m) {
        m->f->bus = bus_free(m->f->bus);
        if (m->bus_pid > 0)
                stop_bus(m);
        (void) g_unlink(m->socket);
        fixture_free(m->f);
        g_free(m->address);
        g_free(m->socket);
}

static void send_call(Meeting *m, sd_bus *client, const char *member, const char *wait,
                      sd_bus_message_handler_t handler, void *userdata) {
        sd_bus_message *call;

        ck_assert_int_ge(sd_bus_message_new_method_call(client, &call, BUS_NAME, RADIO_PATH, BUS_RADIO,
                                                        member),
                         0);
        if (wait)
                ck_assert_int_ge(sd_bus_message_append(call, "ssa{sv}", "Ann", "x", 1, "Wait", "s", wait), 0);
        ck_assert_int_ge(sd_bus_call_async(client, NULL, call, handler, userdata, 0), 0);
        sd_bus_message_unref(call);
}

static int on_reply(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        sd_bus_message **ret = userdata;

        *ret = sd_bus_message_ref(reply);
        return 0;
}

START_TEST(waits_for_the_bus_and_survives_it) {
        sd_bus *client;
        Meeting m;

        meeting_begin(&m);
        meeting_connect(&m); /* there is none yet */
        fixture_run(m.f);
        ck_assert(!bus_is_ready(m.f->bus));

        start_bus(&m);
        wait_until(&m, m.ready == 1);
        client = new_client(&m);
        (void) fixture_receive(m.f, 2, "one");
        wait_until(&m, seen(&m, "Received"));

        client = sd_bus_close_unref(client);
        g_ptr_array_set_size(m.f->signals, 0);
        stop_bus(&m);
        wait_until(&m, !bus_is_ready(m.f->bus));
        (void) fixture_receive(m.f, 2, "two");
        start_bus(&m);
        wait_until(&m, m.ready == 2);

        client = new_client(&m);
        (void) fixture_receive(m.f, 2, "three");
        wait_until(&m, seen(&m, "InterfacesAdded"));
        sd_bus_close_unref(client);
        meeting_end(&m);
}
END_TEST

/* Whoever comes second waits, and nothing of it is heard. */
START_TEST(somebody_has_the_name) {
        g_autoptr(sd_bus_message) pong = NULL;
        sd_bus *first, *client;
        Meeting m;

        meeting_begin(&m);
        start_bus(&m);
        first = new_client(&m);
        ck_assert_int_ge(sd_bus_request_name(first, BUS_NAME, 0), 0);

        client = new_client(&m);
        meeting_connect(&m);
        wait_until(&m, m.f->bus->told_waiting);
        (void) fixture_receive(m.f, 2, "not for everybody");
        fake_radio_enter_state(m.f->radio, RADIO_READY, REASON_NONE);
        fixture_run(m.f);
        ck_assert(!bus_is_ready(m.f->bus));

        ck_assert_int_ge(sd_bus_release_name(first, BUS_NAME), 0);
        wait_until(&m, m.ready == 1);

        /* Signals are in order: had there been one before, it would be here by the reply. */
        send_call(&m, client, "Ping", NULL, on_reply, &pong);
        wait_until(&m, fake_radio_n_pings(m.f->radio) == 1);
        fake_radio_answer_ping(m.f->radio, OUTCOME_OK, 1);
        wait_until(&m, pong);
        assert_reply_ok(pong);
        ck_assert_uint_eq(m.f->signals->len, 0);

        sd_bus_close_unref(first);
        sd_bus_close_unref(client);
        meeting_end(&m);
}
END_TEST

/* The name is still ours when the connection ends. */
START_TEST(stop_keeps_the_name) {
        sd_bus *client;
        Meeting m;

        meeting_begin(&m);
        start_bus(&m);
        client = new_client(&m);
        ck_assert_int_ge(sd_bus_match_signal(client, NULL, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                             "org.freedesktop.DBus", "NameOwnerChanged", on_signal,
                                             m.f->signals),
                         0);
        meeting_connect(&m);
        wait_until(&m, m.ready == 1);
        wait_until(&m, seen(&m, "NameOwnerChanged"));
        g_ptr_array_set_size(m.f->signals, 0);

        m.f->bus = bus_free(m.f->bus);
        (void) fixture_receive(m.f, 2, "late");
        wait_until(&m, m.f->signals->len >= 2);
        for (guint i = 0; i < m.f->signals->len; i++)
                ck_assert_str_eq(sd_bus_message_get_member(m.f->signals->pdata[i]), "NameOwnerChanged");

        sd_bus_close_unref(client);
        meeting_end(&m);
}
END_TEST

START_TEST(vanished_callers) {
        g_autoptr(sd_bus_message) reply = NULL, pong = NULL, ignored = NULL;
        sd_bus *client, *other;
        Meeting m;

        meeting_begin(&m);
        start_bus(&m);
        meeting_connect(&m);
        wait_until(&m, m.ready == 1);

        client = new_client(&m);
        other = new_client(&m);
        send_call(&m, client, "SendText", "delivered", on_reply, &ignored);
        send_call(&m, client, "Ping", NULL, on_reply, &ignored);
        wait_until(&m, g_queue_get_length(&m.f->bus->callers) == 2);
        send_call(&m, other, "SendText", "delivered", on_reply, &reply);
        wait_until(&m, g_queue_get_length(&m.f->bus->callers) == 3);

        /* The one that waits for a message ends; the ping still counts, the radio has it. */
        client = sd_bus_close_unref(client);
        wait_until(&m, g_queue_get_length(&m.f->bus->callers) == 2);
        fake_radio_answer_ping(m.f->radio, OUTCOME_OK, 1);
        ck_assert_uint_eq(g_queue_get_length(&m.f->bus->callers), 1);

        fake_radio_move_message(m.f->radio, identity_last_message_id(fixture_identity(m.f)),
                                MESSAGE_DELIVERED, NULL);
        wait_until(&m, reply);
        assert_reply_ok(reply);

        sd_bus_close_unref(other);
        meeting_end(&m);
}
END_TEST

static void ping(Meeting *m, sd_bus *client) {
        g_autoptr(sd_bus_message) reply = NULL;

        send_call(m, client, "Ping", NULL, on_reply, &reply);
        wait_until(m, g_queue_get_length(&m->f->bus->callers) == 1);
        fake_radio_answer_ping(m->f->radio, OUTCOME_OK, 1);
        wait_until(m, reply);
        assert_reply_ok(reply);
}

/* Who came and went costs nothing for good. */
START_TEST(many_callers) {
        sd_bus *faithful;
        Meeting m;

        meeting_begin(&m);
        start_bus(&m);
        meeting_connect(&m);
        wait_until(&m, m.ready == 1);

        faithful = new_client(&m);
        ping(&m, faithful);
        for (unsigned i = 0; i < 300; i++) {
                sd_bus *client = new_client(&m);

                ping(&m, client);
                ck_assert_uint_ge(g_hash_table_size(m.f->bus->uids), 1);
                ck_assert_uint_le(g_hash_table_size(m.f->bus->uids), 256);
                sd_bus_close_unref(client);
        }
        ping(&m, faithful);

        sd_bus_close_unref(faithful);
        meeting_end(&m);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("bus-daemon");
        TCase *tcase = tcase_create("all");
        SRunner *runner;
        int failed;

        tcase_set_timeout(tcase, 60);
        tcase_add_test(tcase, waits_for_the_bus_and_survives_it);
        tcase_add_test(tcase, somebody_has_the_name);
        tcase_add_test(tcase, stop_keeps_the_name);
        tcase_add_test(tcase, vanished_callers);
        tcase_add_test(tcase, many_callers);
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed > 0;
}
