/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <syslog.h>
#include <unistd.h>

#include "clock.h"
#include "hotplug.h"
#include "macros.h"
#include "radio-internal.h"
#include "request-internal.h"

#define SHORT_LIFE_USEC (60 * USEC_PER_SEC)

/* From a state to a link, and from what comes over the link to who takes it. */

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

void radio_open_link(Radio *radio) {
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

void radio_drop_link(Radio *radio) {
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
