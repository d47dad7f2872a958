/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdarg.h>
#include <stdlib.h>
#include <syslog.h>

#include "clock.h"
#include "events.h"
#include "hotplug.h"
#include "log.h"
#include "macros.h"
#include "radio-internal.h"
#include "request-internal.h"

/* Design, section 4, TCP: who is thrown out soon after ready, again and again,
 * has lost the radio to another client. */
#define SHORT_LIFE_USEC        (60 * USEC_PER_SEC)
#define SHORT_LIVES_TAKEN_OVER 2
#define TAKEN_OVER_FIRST_USEC  (60 * USEC_PER_SEC)
#define TAKEN_OVER_CAP_USEC    (15 * USEC_PER_MINUTE)
#define PEER_DIGITS            16 /* of a key in the log */

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

static const char *const state_names[_RADIO_STATE_MAX] = {
                [RADIO_STOPPED] = "stopped", [RADIO_WAITING] = "waiting", [RADIO_OPENING] = "opening",
                [RADIO_SYNCING] = "syncing", [RADIO_READY] = "ready",
};

const char *radio_state_to_string(RadioState state) {
        return state >= 0 && state < _RADIO_STATE_MAX ? state_names[state] : NULL;
}

static const char *const reason_names[_REASON_MAX] = {
                [REASON_NONE] = "none",
                [REASON_NOT_PLUGGED] = "not-plugged",
                [REASON_REFUSED] = "refused",
                [REASON_UNREACHABLE] = "unreachable",
                [REASON_LOST] = "lost",
                [REASON_TIMEOUT] = "timeout",
                [REASON_PROTOCOL] = "protocol",
                [REASON_INHIBITED] = "inhibited",
                [REASON_STORAGE_FULL] = "storage-full",
                [REASON_WRONG_RADIO] = "wrong-radio",
                [REASON_DUPLICATE] = "duplicate",
                [REASON_TAKEN_OVER] = "taken-over",
                [REASON_CLOCK_AHEAD] = "clock-ahead",
                [REASON_NEEDS_PIN] = "needs-pin",
                [REASON_ADAPTER_OFF] = "adapter-off",
                [REASON_RESTARTING] = "restarting",
};

const char *radio_reason_to_string(RadioReason reason) {
        return reason >= 0 && reason < _REASON_MAX ? reason_names[reason] : NULL;
}

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

/* -- identity ---------------------------------------------------------------- */

static void radio_flush_now(Radio *radio) {
        if (!radio->identity ||
            (!identity_needs_flush(radio->identity) && !pending_needs_flush(radio->pending)))
                return;

        radio->flushed_usec = clock_boottime_usec();
        if (identity_needs_flush(radio->identity))
                (void) identity_flush(radio->identity);
        if (pending_needs_flush(radio->pending))
                (void) pending_flush(radio->pending);
}

/* An SD card shall not wear out by it, however often the link comes and goes. */
void radio_flush(Radio *radio) {
        if (clock_boottime_usec() - radio->flushed_usec >= radio_timing.flush_usec)
                radio_flush_now(radio);
}

static void radio_unload_identity(Radio *radio) {
        void *userdata;
        const RadioObserver *o = manager_observer(radio->manager, &userdata);

        if (!radio->identity)
                return;

        if (o && o->identity_unloading)
                o->identity_unloading(radio, userdata);
        nodes_unload(radio->nodes);
        delivery_unload(radio->delivery);
        repeats_unload(radio->repeats);
        radio_flush_now(radio);
        radio->pending = pending_free(radio->pending);
        radio->identity = identity_free(radio->identity);
}

int radio_load_identity(Radio *radio, const PublicKey *key) {
        void *userdata;
        const RadioObserver *o = manager_observer(radio->manager, &userdata);
        g_autoptr(Identity) identity = NULL;
        g_autoptr(Pending) pending = NULL;
        bool had = radio->identity;
        PublicKey old = {};
        Radio *holder;
        int r;

        if (had) {
                old = *identity_key(radio->identity);
                if (key_equal(&old, key))
                        return 0;
        }

        /* A radio that was moved to another slot takes its history along. */
        holder = manager_find_identity(radio->manager, key, radio);
        if (holder) {
                radio_unload_identity(holder);
                radio_notify(holder, RADIO_CHANGED_IDENTITY);
        }

        r = identity_load(manager_store(radio->manager), key, &identity);
        if (r < 0)
                return r;
        r = pending_load(manager_store(radio->manager), key, &pending);
        if (r < 0)
                return r;
        r = store_set_slot(manager_store(radio->manager), radio_id(radio), key);
        if (r < 0)
                return r;

        radio_unload_identity(radio);
        radio->identity = g_steal_pointer(&identity);
        radio->pending = g_steal_pointer(&pending);
        delivery_load(radio->delivery);
        nodes_load(radio->nodes);

        if (o && o->identity_loaded)
                o->identity_loaded(radio, userdata);
        radio_notify(radio, RADIO_CHANGED_IDENTITY);
        if (had) {
                radio_log_event(radio, EVENT_IDENTITY_CHANGED, LOG_WARNING, 0,
                                "another radio answers here: its key is %.16s…, it was %.16s…; "
                                "messages that wait for the old one are held",
                                key_to_text(key).text, key_to_text(&old).text);
                if (o && o->identity_changed)
                        o->identity_changed(radio, &old, key, userdata);
        }

        return 0;
}

/* -- link ---------------------------------------------------------------------- */

static int session_send(const uint8_t *frame, size_t size, void *userdata) {
        Radio *radio = userdata;

        if (radio->frame_watch.function)
                monitor_frame(radio, true, frame, size);
        return link_send(radio->link, frame, size);
}

static void session_unsolicited(Session *session, const Frame *frame, Slice raw, void *userdata) {
        Radio *radio = userdata;

        if (raw_is_message(raw))
                receive_frame(radio->receive, frame, raw);
        else if (!frame)
                radio_log(radio, LOG_DEBUG, 0, "ignoring an unreadable frame, code %u, %zu bytes",
                          (unsigned) (raw.size > 0 ? raw.data[0] : 0), raw.size);
        else if (frame->kind == FRAME_MESSAGE_WAITING)
                receive_drain(radio->receive);
        else if (frame->kind == FRAME_SEND_CONFIRMED)
                delivery_confirmed(radio->delivery, frame->send_confirmed.ack,
                                   frame->send_confirmed.round_trip_ms);
        else if (frame->kind == FRAME_RX_LOG) {
                if (frame->rx_log.has_packet)
                        repeats_packet(radio->repeats, &frame->rx_log.packet);
                monitor_packet(radio, frame);
        } else if (frame->kind == FRAME_UNKNOWN)
                monitor_unknown_frame(radio, frame);
        else if (!nodes_frame(radio->nodes, frame)) {
                nodes_tell_heard(radio->nodes, frame);
                fresh_frame(radio->fresh, frame);
        }
}

static void session_dead(Session *session, void *userdata) {
        Radio *radio = userdata;

        /* Some boards need DTR to speak, others are held in reset by it: once the other way. */
        if (radio->settings->transport == TRANSPORT_SERIAL && radio->settings->serial_lines < 0 &&
            session_n_received(session) == 0) {
                radio->other_lines = radio->retry_now = !radio->lines_tried;
                radio->lines_tried = true;
        }
        radio_fail(radio, REASON_TIMEOUT, OUTCOME_TIMEOUT,
                   session_n_received(session) > 0 ? "the radio stopped answering"
                                                   : "something accepts the connection but does not answer "
                                                     "like a MeshCore radio");
}

static const SessionHandler session_handler = {
                .send = session_send,
                .unsolicited = session_unsolicited,
                .dead = session_dead,
};

static void link_opened(Link *link, void *userdata) {
        Radio *radio = userdata;
        int r;

        radio->n_links++;
        r = session_new(manager_event(radio->manager), &session_handler, radio, &radio_timing.session,
                        &radio->session);
        if (r < 0) {
                radio_fail(radio, REASON_LOST, OUTCOME_FAILED, "cannot begin a session: %s", g_strerror(-r));
                return;
        }

        radio_enter_state(radio, RADIO_SYNCING, REASON_NONE);
}

static void link_frame(Link *link, const uint8_t *frame, size_t size, void *userdata) {
        Radio *radio = userdata;

        if (radio->frame_watch.function)
                monitor_frame(radio, false, frame, size);
        if (radio->session)
                session_input(radio->session, frame, size);
}

static void link_closed(Link *link, LinkEnd end, int error, void *userdata) {
        static const struct {
                RadioReason reason;
                OutcomeCode code;
                const char *text;
        } ends[_LINK_END_MAX] = {
                        [LINK_END_NOT_PLUGGED] = {REASON_NOT_PLUGGED, OUTCOME_NOT_CONNECTED,
                                                  "the radio is not plugged in"},
                        [LINK_END_REFUSED] = {REASON_REFUSED, OUTCOME_NOT_CONNECTED,
                                              "the connection was refused"},
                        [LINK_END_UNREACHABLE] = {REASON_UNREACHABLE, OUTCOME_NOT_CONNECTED,
                                                  "the radio cannot be reached"},
                        [LINK_END_LOST] = {REASON_LOST, OUTCOME_LINK_LOST, "the link was lost"},
                        [LINK_END_PROTOCOL] = {REASON_PROTOCOL, OUTCOME_LINK_LOST,
                                               "the radio sent what is no frame"},
                        [LINK_END_NEEDS_PIN] = {REASON_NEEDS_PIN, OUTCOME_NOT_CONNECTED,
                                                "the radio must be paired"},
                        [LINK_END_ADAPTER_OFF] = {REASON_ADAPTER_OFF, OUTCOME_NOT_CONNECTED,
                                                  "Bluetooth is switched off"},
        };
        Radio *radio = userdata;
        RadioReason reason = ends[end].reason;
        const char *why;

        if (radio->restarting) {
                radio_fail(radio, REASON_RESTARTING, OUTCOME_LINK_LOST,
                           "the radio restarts, as it was told to");
                return;
        }

        if (end == LINK_END_LOST && radio->ready_usec > 0) {
                if (clock_boottime_usec() - radio->ready_usec < SHORT_LIFE_USEC)
                        radio->short_lives++;
                else
                        radio->short_lives = 0;
                if (radio->settings->transport == TRANSPORT_TCP &&
                    radio->short_lives >= SHORT_LIVES_TAKEN_OVER) {
                        radio_fail(radio, REASON_TAKEN_OVER, OUTCOME_LINK_LOST,
                                   "the radio closes the connection soon after each start: another program "
                                   "or "
                                   "phone is using it; close that one, or wait");
                        return;
                }
        }

        /* The kernel hangs up a port before its node goes. */
        if (end == LINK_END_LOST && radio->settings->transport == TRANSPORT_SERIAL &&
            access(radio->settings->address[0] == '/' ? radio->settings->address : radio->device, F_OK) < 0)
                reason = REASON_NOT_PLUGGED;

        /* Who does not even let us in was not taken over but restarted. */
        if (end == LINK_END_REFUSED || end == LINK_END_UNREACHABLE)
                radio->short_lives = 0;

        why = link_why(link);
        radio_fail(radio, reason, ends[end].code, "%s%s%s", ends[end].text, *why ? ": " : "", why);
}

static const LinkHandler link_handler = {
                .opened = link_opened,
                .frame = link_frame,
                .closed = link_closed,
};

static int on_open_failure(sd_event_source *source, void *userdata) {
        Radio *radio = userdata;

        radio->failure = sd_event_source_disable_unref(radio->failure);
        if (radio->settings->transport == TRANSPORT_SERIAL && !radio->device) {
                radio_fail(radio, REASON_NOT_PLUGGED, OUTCOME_NOT_CONNECTED,
                           "no MeshCore radio that is not in use is plugged in; one that is not recognised "
                           "has to be named, as in serial:/dev/serial/by-id/…");
                return 0;
        }
        radio_fail(radio, REASON_UNREACHABLE, OUTCOME_FAILED,
                   "cannot open %s:%s: the system is short of something; the log says more",
                   transport_to_string(radio->settings->transport), radio->settings->address);
        return 0;
}

/* Sets device and port_id; without a device there is none to open. */
static int radio_find_port(Radio *radio) {
        const char *path = radio->settings->address;
        const SerialPort *port = NULL;
        g_autoptr(SerialPort) named = NULL;

        g_clear_pointer(&radio->device, g_free);
        g_clear_pointer(&radio->port_id, g_free);

        if (path[0] == '/') {
                if (serial_port_identify(path, &named) >= 0)
                        port = named;
        } else {
                port = hotplug_choose_port(manager_hotplug(radio->manager), radio);
                if (!port)
                        return -ENODEV;
        }

        /* udev does not know a pseudo terminal. */
        radio->device = port ? g_strdup(port->device) : realpath(path, NULL) ?: g_strdup(path);
        radio->port_id = g_strdup(port ? port->id : "");
        return 0;
}

static int radio_new_serial(Radio *radio) {
        const char *path = radio->settings->address;
        int lines = radio->settings->serial_lines;
        int r;

        r = radio_find_port(radio);
        if (r < 0)
                return r;
        if (lines < 0)
                lines = (int) lines_choose(radio->manager, radio->port_id, radio->other_lines);

        return link_new_serial(manager_event(radio->manager), path[0] == '/' ? path : radio->device,
                               (SerialLines) lines, &link_handler, radio, &radio->link);
}

static int radio_new_link(Radio *radio) {
        sd_event *event = manager_event(radio->manager);

        switch (radio->settings->transport) {
        case TRANSPORT_TCP:
                return link_new_tcp(event, radio->settings->address, radio->settings->port, &link_handler,
                                    radio, &radio->link);
        case TRANSPORT_SERIAL:
                return radio_new_serial(radio);
        case TRANSPORT_BLE:
                if (!manager_bluez(radio->manager))
                        return -ENOTCONN;
                return link_new_ble(manager_bluez(radio->manager), radio->bond, radio->settings->address,
                                    &(BleOptions){.adapter = radio->settings->adapter}, &link_handler, radio,
                                    &radio->link);
        default:
                return -EOPNOTSUPP;
        }
}

static void radio_open_link(Radio *radio) {
        int r;

        radio->attempts++;
        r = radio_new_link(radio);
        if (r >= 0)
                r = link_open(radio->link);
        if (r < 0) {
                radio_log(radio, LOG_DEBUG, r, "cannot open the link");
                (void) sd_event_add_defer(manager_event(radio->manager), &radio->failure, on_open_failure,
                                          radio);
        }
}

static void radio_drop_link(Radio *radio) {
        Session *session = g_steal_pointer(&radio->session);

        radio->failure = sd_event_source_disable_unref(radio->failure);
        if (radio->link && radio->bond && *link_ble_address(radio->link)) {
                g_free(radio->ble_address);
                radio->ble_address = g_strdup(link_ble_address(radio->link));
        }
        radio->link = link_close(radio->link);
        radio->identity_confirmed = false;
        radio->ready_usec = 0;

        /* Open calls end first, so that each of these hears of its own. */
        (void) session_free(session);
        sync_stop(radio->sync);
        fresh_stop(radio->fresh);
        receive_stop(radio->receive);
        delivery_stop(radio->delivery);
        requests_stop(radio->requests);
        nodes_stop(radio->nodes);
        radio->changing_slot = -1;
        radio_flush(radio);
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
