/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "scout.h"

#include "hotplug.h"
#include "log.h"
#include "macros.h"
#include "protocol.h"
#include "radio-internal.h"

/* What does not answer may be no radio at all, and somebody else may want the
 * port. A board that is reset comes back as a new device. */
#define AGAIN_FIRST_USEC USEC_PER_MINUTE
#define AGAIN_CAP_USEC   (15 * USEC_PER_MINUTE)

struct Scout {
        Manager *manager;
        char *device, *port_id;
        scout_told_t told;
        void *userdata;

        sd_event_source *timer;
        Backoff backoff;
        bool again;     /* the first round is over */
        bool try_other; /* the modem lines the other way, once in a round */
        Link *link;
        Session *session;
};

static void scout_close(Scout *scout) {
        scout->session = session_free(scout->session);
        scout->link = link_close(scout->link);
}

static void scout_arm(Scout *scout, uint64_t delay) {
        (void) sd_event_source_set_time_relative(scout->timer, delay);
        (void) sd_event_source_set_enabled(scout->timer, SD_EVENT_ONESHOT);
}

/* The round ends without an answer. */
static void scout_give_up(Scout *scout, const char *why) {
        bool first = !scout->again;

        scout_close(scout);
        scout->again = true;
        scout->try_other = false;
        scout_arm(scout, backoff_next(&scout->backoff));
        if (first) {
                log_info("%s may be a radio, but %s; it is asked again from time to time", scout->device,
                         why);
                scout->told(scout, NULL, scout->userdata);
        }
}

static void scout_learn(Scout *scout, const PublicKey *key) {
        lines_remember(scout->manager, scout->port_id, scout->try_other);
        (void) sd_event_source_set_enabled(scout->timer, SD_EVENT_OFF);
        scout_close(scout);
        scout->told(scout, key, scout->userdata);
}

/* -- session ------------------------------------------------------------------- */

static void self_reply(Session *session, const SessionReply *reply, void *userdata) {
        Scout *scout = userdata;
        PublicKey key;

        if (reply->result == SESSION_CLOSED)
                return;
        if (reply->result != SESSION_REPLY || reply->frame->kind != FRAME_SELF_INFO) {
                scout_give_up(scout, "it does not tell its key");
                return;
        }

        key = reply->frame->self_info.public_key;
        scout_learn(scout, &key);
}

static void device_reply(Session *session, const SessionReply *reply, void *userdata) {
        Scout *scout = userdata;
        Command command;

        /* Whatever the answer was, an error left by a former client included: somebody is there. */
        if (reply->result == SESSION_CLOSED)
                return;
        (void) command_app_start(&command, APP_NAME);
        if (session_call(session, &command, SESSION_BACKGROUND, self_reply, scout) < 0)
                scout_give_up(scout, "it cannot be asked");
}

static int session_send(const uint8_t *frame, size_t size, void *userdata) {
        Scout *scout = userdata;

        return link_send(scout->link, frame, size);
}

/* What comes unasked is the radio's queue telling of itself: it stays there. */
static void session_unsolicited(Session *session, const Frame *frame, Slice raw, void *userdata) {
}

static void session_dead(Session *session, void *userdata) {
        Scout *scout = userdata;

        if (session_n_received(session) == 0 && !scout->try_other) {
                scout_close(scout);
                scout->try_other = true;
                scout_arm(scout, 0);
        } else
                scout_give_up(scout, "nothing answers like one");
}

static const SessionHandler session_handler = {
                .send = session_send,
                .unsolicited = session_unsolicited,
                .dead = session_dead,
};

/* -- link ---------------------------------------------------------------------- */

static void link_opened(Link *link, void *userdata) {
        Scout *scout = userdata;
        Command command;
        int r;

        r = session_new(manager_event(scout->manager), &session_handler, scout, &radio_timing.session,
                        &scout->session);
        if (r >= 0) {
                (void) command_device_query(&command, PROTOCOL_LEVEL_KNOWN);
                r = session_call(scout->session, &command, SESSION_BACKGROUND, device_reply, scout);
        }
        if (r < 0)
                scout_give_up(scout, "it cannot be asked");
}

static void link_frame(Link *link, const uint8_t *frame, size_t size, void *userdata) {
        Scout *scout = userdata;

        if (scout->session)
                session_input(scout->session, frame, size);
}

static void link_closed(Link *link, LinkEnd end, int error, void *userdata) {
        g_autofree char *why = g_strdup(link_why(link));

        scout_give_up(userdata, why);
}

static const LinkHandler link_handler = {
                .opened = link_opened,
                .frame = link_frame,
                .closed = link_closed,
};

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        Scout *scout = userdata;
        int r;

        r = link_new_serial(manager_event(scout->manager), scout->device,
                            lines_choose(scout->manager, scout->port_id, scout->try_other), &link_handler,
                            scout, &scout->link);
        if (r >= 0)
                r = link_open(scout->link);
        if (r < 0)
                scout_give_up(scout, g_strerror(-r));
        return 0;
}

/* -- life ------------------------------------------------------------------------ */

int scout_new(Manager *manager, const SerialPort *port, scout_told_t told, void *userdata, Scout **ret) {
        Scout *scout = g_new0(Scout, 1);
        int r;

        *scout = (Scout){
                        .manager = manager,
                        .device = g_strdup(port->device),
                        .port_id = g_strdup(port->id),
                        .told = told,
                        .userdata = userdata,
        };
        backoff_init(&scout->backoff, AGAIN_FIRST_USEC, AGAIN_CAP_USEC);
        r = sd_event_add_time_relative(manager_event(manager), &scout->timer, CLOCK_BOOTTIME, 0, 0, on_timer,
                                       scout);
        if (r < 0) {
                scout_free(scout);
                return r;
        }

        *ret = scout;
        return 0;
}

Scout *scout_free(Scout *scout) {
        if (!scout)
                return NULL;

        scout_close(scout);
        sd_event_source_disable_unref(scout->timer);
        g_free(scout->device);
        g_free(scout->port_id);
        return g_free(scout), NULL;
}

const char *scout_device(const Scout *scout) {
        return scout->device;
}

bool scout_is_first_round(const Scout *scout) {
        return !scout->again;
}
