/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <syslog.h>

#include "clock.h"
#include "macros.h"
#include "radio-internal.h"

/* Ends of a link that can wait: a stop, the port handed over, the machine that goes to sleep, the end of the
 * daemon. A message that the radio was asked for exists nowhere else once it is on its way, and of a text
 * that it was just given only its answer tells whether it went out. */

/* Who wants to stop waits so long for what is on its way. */
#define FINISH_USEC (1 * USEC_PER_SEC)

static bool nothing_on_its_way(const Radio *radio) {
        return receive_is_finished(radio->receive) && delivery_is_finished(radio->delivery);
}

bool radio_is_finished(const Radio *radio) {
        return radio->gave_up || nothing_on_its_way(radio);
}

static int on_finish(sd_event_source *source, uint64_t usec, void *userdata) {
        Radio *radio = userdata;

        radio->gave_up = !nothing_on_its_way(radio);
        if (radio->gave_up)
                radio_log(radio, LOG_DEBUG, 0, "no answer about the message that is on its way, not waiting");
        radio_finished(radio);
        return 0;
}

bool radio_finish(Radio *radio) {
        int r;

        if (!radio->finish) {
                r = sd_event_add_time_relative(manager_event(radio->manager), &radio->finish, CLOCK_BOOTTIME,
                                               nothing_on_its_way(radio) ? 0 : FINISH_USEC, USEC_PER_MSEC,
                                               on_finish, radio);
                if (r < 0) {
                        radio_log(radio, LOG_WARNING, r, "cannot wait for the message that is on its way");
                        return true;
                }
        }
        return radio_is_finished(radio);
}

void radio_check_finished(Radio *radio) {
        if (radio->finish && nothing_on_its_way(radio))
                (void) sd_event_source_set_time_relative(radio->finish, 0);
}

void radio_go_on(Radio *radio) {
        if (!radio->finish || radio->stopping || radio->suspending || manager_is_settling(radio->manager))
                return;

        radio->finish = sd_event_source_disable_unref(radio->finish);
        radio->gave_up = false;
        receive_go_on(radio->receive);
        delivery_wake(radio->delivery);
}

/* -- stop ---------------------------------------------------------------------------- */

static void radio_stop_now(Radio *radio) {
        bool restart = radio->start_again;

        radio->stopping = radio->suspending = false;
        radio_enter_state(radio, RADIO_STOPPED, REASON_NONE);
        radio->start_again = false;
        radio_go_on(radio);
        if (restart)
                radio_start(radio);
}

static void stop_when_finished(Radio *radio, bool start_again) {
        radio->start_again = start_again;
        radio->stopping = !radio_finish(radio);
        if (!radio->stopping)
                radio_stop_now(radio);
}

void radio_stop(Radio *radio) {
        stop_when_finished(radio, false);
}

void radio_restart(Radio *radio) {
        if (radio->state > RADIO_WAITING)
                stop_when_finished(radio, true);
        else
                radio_start(radio);
}

/* -- the port handed over ------------------------------------------------------------ */

static void radio_suspend_now(Radio *radio) {
        radio->suspending = false;
        radio_enter_state(radio, RADIO_WAITING, REASON_INHIBITED);
        radio_go_on(radio);
}

void radio_suspend(Radio *radio) {
        if (radio_is_suspended(radio))
                return;

        radio->suspending = !radio_finish(radio);
        if (!radio->suspending)
                radio_suspend_now(radio);
}

bool radio_is_suspended(const Radio *radio) {
        return radio->state == RADIO_STOPPED ||
               (radio->state == RADIO_WAITING && radio->reason == REASON_INHIBITED);
}

void radio_resume(Radio *radio) {
        if (radio->suspending) {
                radio->suspending = false;
                radio_go_on(radio);
        } else if (radio->state == RADIO_WAITING && radio->reason == REASON_INHIBITED)
                radio_start(radio);
}

void radio_finished(Radio *radio) {
        if (radio->stopping)
                radio_stop_now(radio);
        else if (radio->suspending)
                radio_suspend_now(radio);
        manager_check_settled(radio->manager);
}
