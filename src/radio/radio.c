/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdarg.h>
#include <syslog.h>

#include "clock.h"
#include "events.h"
#include "hotplug.h"
#include "log.h"
#include "macros.h"
#include "radio-internal.h"
#include "request-internal.h"

#define TAKEN_OVER_FIRST_USEC (60 * USEC_PER_SEC)
#define TAKEN_OVER_CAP_USEC   (15 * USEC_PER_MINUTE)
#define PEER_DIGITS           16 /* of a key in the log */

#define OPENING_MAX_USEC (15 * USEC_PER_MINUTE)

RadioTiming radio_timing = {
                .session =
                                {
                                                .command_usec = 5 * USEC_PER_SEC,
                                                .slow_usec = 20 * USEC_PER_SEC,
                                                .item_usec = 5 * USEC_PER_SEC,
                                                .probe_usec = 2 * USEC_PER_SEC,
                                                .probes = 3,
                                },
                .backoff_first_usec = USEC_PER_SEC,
                .store_retry_usec = 10 * USEC_PER_SEC,
                .import_usec = 5 * USEC_PER_SEC,
                .flush_usec = 60 * USEC_PER_SEC,
                .sent_wait_usec = 2 * USEC_PER_SEC,
                .resume_wait_usec = 8 * USEC_PER_SEC,
                .busy_wait_usec = USEC_PER_SEC,
                .flood_advert_usec = 5 * USEC_PER_MINUTE,
                .node_wait_usec = 4 * USEC_PER_SEC,
                .room_silence_usec = 6 * 60 * USEC_PER_MINUTE,
};

/* -- getters --------------------------------------------------------------- */

const char *radio_id(const Radio *radio) {
        return radio->settings->id;
}

const RadioSettings *radio_settings(const Radio *radio) {
        return radio->settings;
}

const RadioInfo *radio_info(const Radio *radio) {
        return &radio->info;
}

RadioState radio_state(const Radio *radio) {
        return radio->state;
}

RadioReason radio_reason(const Radio *radio) {
        return radio->reason;
}

const char *radio_port(const Radio *radio) {
        return radio->settings->transport == TRANSPORT_SERIAL ? radio->device : NULL;
}

void radio_sync_progress(const Radio *radio, unsigned *ret_done, unsigned *ret_total) {
        sync_progress(radio->sync, ret_done, ret_total);
}

OutcomeCode radio_last_error(const Radio *radio, const char **ret_message) {
        if (ret_message)
                *ret_message = radio->last_error_message ?: "";
        return radio->last_error;
}

unsigned radio_attempts(const Radio *radio) {
        return radio->attempts;
}

Identity *radio_identity(Radio *radio) {
        return radio->identity;
}

Pending *radio_pending(Radio *radio) {
        return radio->pending;
}

void radio_release_slot(Radio *radio) {
        radio->changing_slot = -1;
        delivery_wake(radio->delivery);
}

/* -- telling ----------------------------------------------------------------- */

void radio_log_full(const Radio *radio, const RadioLog *what, int level, int error, const char *file,
                    int line, const char *format, ...) {
        LogContext context = {.radio = radio_id(radio), .topic = what->topic ?: "radio", .id = what->event};
        g_autofree char *text = NULL;
        KeyText peer;
        va_list ap;

        if (level > log_get_level())
                return;

        va_start(ap, format);
        text = g_strdup_vprintf(format, ap);
        va_end(ap);
        if (what->peer) {
                peer = key_to_text(what->peer);
                peer.text[PEER_DIGITS] = '\0';
                context.peer = peer.text;
        }
        (void) log_full(&context, level, error, file, line, "%s", text);
}

void radio_notify(Radio *radio, RadioChange what) {
        void *userdata;
        const RadioObserver *o = manager_observer(radio->manager, &userdata);

        if (o && o->changed && what != 0)
                o->changed(radio, what, userdata);
}

static void radio_notify_state(Radio *radio, RadioState from) {
        void *userdata;
        const RadioObserver *o = manager_observer(radio->manager, &userdata);

        radio_notify(radio, RADIO_CHANGED_STATE);
        if (o && o->state_changed)
                o->state_changed(radio, from, radio->state, radio->reason, userdata);
}

/* -- states ---------------------------------------------------------------------- */

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata) {
        radio_enter_state(userdata, RADIO_OPENING, REASON_NONE);
        return 0;
}

static void radio_arm_retry(Radio *radio) {
        uint64_t delay = backoff_next(&radio->backoff);

        if (radio->reason == REASON_TAKEN_OVER) {
                delay = TAKEN_OVER_FIRST_USEC << MIN(radio->short_lives - SHORT_LIVES_TAKEN_OVER, 4u);
                delay = MIN(delay, TAKEN_OVER_CAP_USEC);
        }
        /* An event will tell when it is there; who takes it in between is not worth a wake-up. */
        if ((radio->reason == REASON_NOT_PLUGGED && radio->settings->transport == TRANSPORT_SERIAL &&
             hotplug_has_events(manager_hotplug(radio->manager))) ||
            radio_waits_for_adapter(radio))
                delay = MAX(delay, radio->settings->backoff_cap_usec);
        if (radio->retry_now)
                delay = 0;
        radio->retry_now = false;

        if (sd_event_add_time_relative(manager_event(radio->manager), &radio->retry, CLOCK_BOOTTIME, delay, 0,
                                       on_retry, radio) < 0)
                radio_log(radio, LOG_ERR, 0, "cannot arm the retry timer; use Start to try again");
        else
                radio_log(radio, LOG_DEBUG, 0, "next try in %.1f s", (double) delay / USEC_PER_SEC);
}

void radio_enter_state(Radio *radio, RadioState next, RadioReason reason) {
        RadioState from = radio->state;

        if (from == next && radio->reason == reason)
                return;

        radio_log(radio, LOG_DEBUG, 0, "%s -> %s (%s)", radio_state_to_string(from),
                  radio_state_to_string(next), radio_reason_to_string(reason));
        radio->state = next;
        radio->reason = reason;
        radio->entered_usec = clock_boottime_usec();
        radio->retry = sd_event_source_disable_unref(radio->retry);
        if (from == RADIO_READY)
                radio->attempts = 0;

        switch (next) {
        case RADIO_STOPPED:
                radio_drop_link(radio);
                break;
        case RADIO_WAITING:
                radio_drop_link(radio);
                if (reason != REASON_INHIBITED)
                        radio_arm_retry(radio);
                break;
        case RADIO_OPENING:
                radio_open_link(radio);
                break;
        case RADIO_SYNCING:
                /* A full disk interrupts the drain only: the session goes on where it is. */
                if (reason != REASON_STORAGE_FULL)
                        sync_start(radio->sync);
                break;
        case RADIO_READY:
                backoff_reset(&radio->backoff);
                if (radio->settings->transport == TRANSPORT_SERIAL && radio->settings->serial_lines < 0) {
                        lines_remember(radio->manager, radio->port_id, radio->other_lines);
                        radio->other_lines = radio->lines_tried = false;
                }
                if (radio->ready_usec == 0) /* not again after a full disk */
                        radio->ready_usec = clock_boottime_usec();
                radio->last_error = OUTCOME_OK;
                g_clear_pointer(&radio->last_error_message, g_free);
                radio_log_event(radio, EVENT_RADIO_READY, LOG_INFO, 0, "ready, %u contacts in the radio",
                                radio->identity ? identity_contacts_radio_count(radio->identity) : 0);
                if (reason == REASON_CLOCK_AHEAD)
                        radio_log_event(radio, EVENT_CLOCK_AHEAD, LOG_WARNING, 0,
                                        "the radio's clock is %" PRIi64 " s ahead of ours",
                                        radio->info.clock_skew_usec / (int64_t) USEC_PER_SEC);
                delivery_start(radio->delivery);
                nodes_start(radio->nodes);
                break;
        default:
                g_assert_not_reached();
        }

        radio_notify_state(radio, from);
        radio_update_bond(radio);
}

void radio_set_reason(Radio *radio, RadioReason reason) {
        if (radio->reason == reason)
                return;

        radio->reason = reason;
        radio_notify_state(radio, radio->state);
}

/* Which of the events an administrator may wait for this is. Without a default, so that the compiler asks
 * about each new reason. */
static const char *failure_event(const Radio *radio, RadioReason reason) {
        switch (reason) {
        case REASON_NEEDS_PIN:
                return EVENT_NEEDS_PIN;
        case REASON_DUPLICATE:
                return EVENT_DUPLICATE;
        case REASON_WRONG_RADIO:
                return EVENT_WRONG_RADIO;
        case REASON_TAKEN_OVER:
                return EVENT_TAKEN_OVER;
        case REASON_STORAGE_FULL:
                return EVENT_STORAGE_FULL;
        case REASON_RESTARTING:
        case REASON_INHIBITED:   /* tells of itself */
        case REASON_CLOCK_AHEAD: /* … is ready */
        case REASON_NONE:
        case _REASON_MAX:
        case _REASON_INVALID:
                return NULL;
        case REASON_NOT_PLUGGED:
        case REASON_REFUSED:
        case REASON_UNREACHABLE:
        case REASON_LOST:
        case REASON_TIMEOUT:
        case REASON_PROTOCOL:
        case REASON_ADAPTER_OFF:
                break;
        }
        return radio->ready_usec > 0 ? EVENT_RADIO_LOST : NULL;
}

/* What somebody does on purpose is worth a notice; what waits for somebody, or is amiss, a warning. */
static int failure_level(RadioReason reason) {
        switch (reason) {
        case REASON_RESTARTING:
        case REASON_NOT_PLUGGED:
        case REASON_ADAPTER_OFF:
                return LOG_NOTICE;
        case REASON_STORAGE_FULL:
                return LOG_ERR;
        default:
                return LOG_WARNING;
        }
}

void radio_fail(Radio *radio, RadioReason reason, OutcomeCode code, const char *format, ...) {
        g_autofree char *text = NULL;
        va_list ap;

        va_start(ap, format);
        text = g_strdup_vprintf(format, ap);
        va_end(ap);

        if (radio->state == RADIO_STOPPED || radio->reason == REASON_INHIBITED)
                return;

        /* Once at full voice; the same again and again only for who wants to debug. */
        radio_log_event(radio, failure_event(radio, reason),
                        g_strcmp0(text, radio->last_error_message) == 0 ? LOG_DEBUG : failure_level(reason),
                        0, "%s", text);

        radio->last_error = code;
        g_free(radio->last_error_message);
        radio->last_error_message = g_steal_pointer(&text);
        radio_enter_state(radio, RADIO_WAITING, reason);
}

bool radio_is_stuck(const Radio *radio) {
        switch (radio->state) {
        case RADIO_WAITING:
                return !radio->retry && radio->reason != REASON_INHIBITED;
        case RADIO_OPENING:
                /* Every link has limits of its own, far below this. */
                return (!radio->link && !radio->failure) ||
                       clock_boottime_usec() - radio->entered_usec > OPENING_MAX_USEC;
        case RADIO_SYNCING:
        case RADIO_READY:
                return !radio->link || !radio->session;
        default:
                return false;
        }
}

void radio_start(Radio *radio) {
        radio->start_again = radio->stopping;
        if (radio->state > RADIO_WAITING)
                return;
        if (manager_is_inhibited(radio->manager, radio_id(radio))) {
                radio_enter_state(radio, RADIO_WAITING, REASON_INHIBITED);
                return;
        }

        backoff_reset(&radio->backoff);
        radio->other_lines = radio->lines_tried = false;
        radio_enter_state(radio, RADIO_OPENING, REASON_NONE);
}

/* -- life -------------------------------------------------------------------------- */

Radio *radio_new(Manager *manager, RadioSettings *settings) {
        Radio *radio = g_new0(Radio, 1);

        radio->manager = manager;
        radio->settings = settings;
        radio->state = RADIO_STOPPED;
        backoff_init(&radio->backoff, radio_timing.backoff_first_usec, settings->backoff_cap_usec);
        radio->info = (RadioInfo){
                        .name = g_strdup(""),
                        .model = g_strdup(""),
                        .firmware = g_strdup(""),
                        .build = g_strdup(""),
        };
        radio->sync = sync_new(radio);
        radio->fresh = fresh_new(radio);
        radio->receive = receive_new(radio);
        radio->delivery = delivery_new(radio);
        radio->requests = requests_new(radio);
        radio->repeats = repeats_new(radio);
        radio->nodes = nodes_new(radio);
        radio->changing_slot = -1;
        radio_init_bond(radio);

        return radio;
}

Radio *radio_free(Radio *radio) {
        if (!radio)
                return NULL;

        radio->retry = sd_event_source_disable_unref(radio->retry);
        radio->first_start = sd_event_source_disable_unref(radio->first_start);
        radio_drop_link(radio);
        radio->finish = sd_event_source_disable_unref(radio->finish);
        radio_free_bond(radio);
        radio_cancel_pings(radio);
        radio->requests = requests_free(radio->requests);
        receive_give_up(radio->receive);
        radio_unload_identity(radio);
        radio->nodes = nodes_free(radio->nodes);
        sync_free(radio->sync);
        fresh_free(radio->fresh);
        receive_free(radio->receive);
        delivery_free(radio->delivery);
        repeats_free(radio->repeats);
        radio_settings_free(radio->settings);
        g_free(radio->info.name);
        g_free(radio->info.model);
        g_free(radio->info.firmware);
        g_free(radio->info.build);
        g_free(radio->info.default_scope);
        g_free(radio->last_error_message);
        g_free(radio->device);
        g_free(radio->port_id);

        return g_free(radio), NULL;
}
