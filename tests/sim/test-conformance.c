/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <check.h>
#include <stdlib.h>

#include "macros.h"
#include "session.h"

/* What the firmware answered in the recordings, the engine answers.
 *
 * Always allowed to differ: times by two seconds, signatures and timestamps of
 * own cards, counters and storage figures, the round trip by 5 ms. */

#define NEWEST ENGINE_FIRMWARE_1_17_1
#define ALICE  "session_start,pushes_between_command_and_reply_wifi"

static const SessionSpec sessions[] = {
                {.name = "session_start", .kind = PORT_WIFI, .firmware = NEWEST},
                {.name = "contacts_345_wifi_commands_during_sync", .kind = PORT_WIFI, .firmware = NEWEST},
                {.name = "contacts_sync_app_start_cancels", .kind = PORT_WIFI, .firmware = NEWEST},
                {.name = "session_start_usb", .kind = PORT_SERIAL, .firmware = NEWEST},
                {.name = "contacts_0", .kind = PORT_SERIAL, .firmware = NEWEST},
                {.name = "contacts_1", .kind = PORT_SERIAL, .firmware = NEWEST},
                {.name = "contacts_50", .kind = PORT_SERIAL, .firmware = NEWEST},
                {.name = "contacts_350", .kind = PORT_SERIAL, .firmware = NEWEST},
                {.name = "contacts_350_commands_during_sync", .kind = PORT_SERIAL, .firmware = NEWEST},
                {.name = "contact_edit_export_import_share",
                 .kind = PORT_WIFI,
                 .firmware = NEWEST,
                 .contacts = ALICE,
                 .flags = SESSION_RECRYPT},
                {.name = "contact_table_full",
                 .kind = PORT_SERIAL,
                 .firmware = NEWEST,
                 .flags = SESSION_FULL},
                {.name = "auto_add_and_manual_add",
                 .kind = PORT_SERIAL,
                 .firmware = NEWEST,
                 .flags = SESSION_EMPTY},
                {.name = "config", .kind = PORT_WIFI, .firmware = NEWEST, .contacts = ALICE},
                {.name = "stats", .kind = PORT_WIFI, .firmware = NEWEST, .contacts = ALICE},
                {.name = "signing", .kind = PORT_WIFI, .firmware = NEWEST, .contacts = ALICE},
                {.name = "error_replies_unknown_command",
                 .kind = PORT_WIFI,
                 .firmware = NEWEST,
                 .contacts = ALICE},
                {.name = "wire_wifi", .kind = PORT_WIFI, .firmware = NEWEST, .contacts = ALICE},
                {.name = "wire_serial", .kind = PORT_SERIAL, .firmware = NEWEST, .flags = SESSION_RESTARTS},
                {.name = "private_key", .kind = PORT_SERIAL, .firmware = NEWEST},
                {.name = "private_key_disabled", .kind = PORT_SERIAL, .firmware = NEWEST},
                {.name = "channel_msgs",
                 .kind = PORT_WIFI,
                 .firmware = NEWEST,
                 .contacts = ALICE,
                 .flags = SESSION_RECRYPT},
                {.name = "dm_send_ack",
                 .kind = PORT_WIFI,
                 .firmware = NEWEST,
                 .contacts = ALICE,
                 .flags = SESSION_RECRYPT},
                {.name = "dm_retry_failure",
                 .kind = PORT_WIFI,
                 .firmware = NEWEST,
                 .contacts = ALICE,
                 .paths = "a4ca8e5542c9=00",
                 .flags = SESSION_RECRYPT},
                {.name = "dm_over_repeater_real_airtime",
                 .kind = PORT_WIFI,
                 .firmware = NEWEST,
                 .contacts = ALICE,
                 .speed = 1,
                 .flags = SESSION_RECRYPT},
                {.name = "repeater_login_status_telemetry_neighbours",
                 .kind = PORT_WIFI,
                 .firmware = NEWEST,
                 .contacts = ALICE,
                 .flags = SESSION_RECRYPT},
                {.name = "room_login_posts",
                 .kind = PORT_WIFI,
                 .firmware = NEWEST,
                 .contacts = ALICE,
                 .flags = SESSION_RECRYPT},
                {.name = "trace_and_path_discovery",
                 .kind = PORT_WIFI,
                 .firmware = NEWEST,
                 .contacts = "trace_and_path_discovery,session_start",
                 .flags = SESSION_RECRYPT,
                 .paths = "a4ca8e5542c9=ff"},
                {.name = "reboot", .kind = PORT_SERIAL, .firmware = NEWEST},
                {.name = "factory_reset", .kind = PORT_SERIAL, .firmware = NEWEST, .flags = SESSION_NEW_KEY},
                {.name = "factory_reset_wifi",
                 .kind = PORT_WIFI,
                 .firmware = NEWEST,
                 .flags = SESSION_NEW_KEY},
                {.name = "offline_queue_drain", .kind = PORT_WIFI, .firmware = NEWEST},
                {.name = "offline_queue_drain_mixed_version",
                 .kind = PORT_WIFI,
                 .firmware = NEWEST,
                 .contacts = "reboot",
                 .flags = SESSION_RECRYPT},
                {.name = "offline_queue_overflow", .kind = PORT_SERIAL, .firmware = NEWEST},
                {.name = "reconnect_with_waiting_messages_wifi", .kind = PORT_WIFI, .firmware = NEWEST},
                {.name = "second_client_takes_over_wifi",
                 .kind = PORT_WIFI,
                 .firmware = NEWEST,
                 .contacts = ALICE,
                 .flags = SESSION_RECRYPT},
                {.name = "pushes_between_command_and_reply_serial",
                 .kind = PORT_SERIAL,
                 .firmware = NEWEST,
                 .flags = SESSION_RECRYPT | SESSION_NO_STALE,
                 .paths = "1227b8d1928d=ff"},
                {.name = "pushes_between_command_and_reply_wifi",
                 .kind = PORT_WIFI,
                 .firmware = NEWEST,
                 .flags = SESSION_RECRYPT | SESSION_NO_STALE},
                {.name = "older_firmware_1.9.0",
                 .kind = PORT_SERIAL,
                 .firmware = ENGINE_FIRMWARE_1_9_0,
                 .flags = SESSION_EMPTY},
                {.name = "python_client_session",
                 .kind = PORT_WIFI,
                 .firmware = NEWEST,
                 .flags = SESSION_EMPTY},
};

START_TEST(conforms) {
        ck_assert_uint_gt(session_run(&sessions[_i]), 0);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("conformance");
        TCase *tcase = tcase_create("sessions");
        SRunner *runner;
        int failed;

        tcase_add_loop_test(tcase, conforms, 0, ELEMENTSOF(sessions));
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
