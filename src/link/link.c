/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "link-internal.h"
#include "log.h"
#include "macros.h"

#define FRAME_SENT_MAX 176 /* wire reference 1.1 */

static const char *const link_end_names[_LINK_END_MAX] = {
                [LINK_END_NOT_PLUGGED] = "not-plugged", [LINK_END_REFUSED] = "refused",
                [LINK_END_UNREACHABLE] = "unreachable", [LINK_END_LOST] = "lost",
                [LINK_END_PROTOCOL] = "protocol",       [LINK_END_NEEDS_PIN] = "needs-pin",
                [LINK_END_ADAPTER_OFF] = "adapter-off",
};

const char *link_end_to_string(LinkEnd end) {
        if (end < 0 || end >= _LINK_END_MAX)
                return NULL;
        return link_end_names[end];
}

void link_init(Link *link, const LinkOps *ops, sd_event *event, const LinkHandler *handler, void *userdata) {
        *link = (Link){
                        .ops = ops,
                        .n_ref = 1,
                        .state = LINK_IDLE,
                        .event = sd_event_ref(event),
                        .handler = *handler,
                        .userdata = userdata,
        };
}

Link *link_ref(Link *link) {
        g_assert(link->n_ref > 0);
        link->n_ref++;
        return link;
}

Link *link_unref(Link *link) {
        if (!link)
                return NULL;

        g_assert(link->n_ref > 0);
        if (--link->n_ref > 0)
                return NULL;

        link->ops->stop(link);
        sd_event_unref(link->event);
        g_free(link->why);
        link->ops->free(link);
        return NULL;
}

int link_open(Link *link) {
        int r;

        if (link->state != LINK_IDLE)
                return -EALREADY;

        r = link->ops->open(link);
        if (r < 0) {
                link->ops->stop(link);
                return r;
        }

        link->state = LINK_OPENING;
        return 0;
}

int link_send(Link *link, const uint8_t *frame, size_t size) {
        if (link->state != LINK_OPEN)
                return -ENOTCONN;
        if (size == 0 || size > FRAME_SENT_MAX)
                return -EMSGSIZE;

        return link->ops->send(link, frame, size);
}

const char *link_why(const Link *link) {
        return link->why ?: "";
}

Link *link_close(Link *link) {
        if (!link)
                return NULL;

        g_assert(link->state != LINK_CLOSED);
        link->state = LINK_CLOSED;
        link->ops->stop(link);
        return link_unref(link);
}

void link_opened(Link *link) {
        g_assert(link->state == LINK_OPENING);
        link->state = LINK_OPEN;
        link->handler.opened(link, link->userdata);
}

void link_received(Link *link, const uint8_t *frame, size_t size) {
        g_assert(link->state == LINK_OPEN);
        link->handler.frame(link, frame, size, link->userdata);
}

void link_ended(Link *link, LinkEnd end, int error, const char *format, ...) {
        va_list ap;

        if (link->state == LINK_ENDED || link->state == LINK_CLOSED)
                return;

        va_start(ap, format);
        g_free(link->why);
        link->why = g_strdup_vprintf(format, ap);
        va_end(ap);

        log_debug("Link ended (%s): %s", link_end_to_string(end), link->why);
        link->ops->stop(link);
        link->state = LINK_ENDED;
        link->handler.closed(link, end, -ABS(error), link->userdata);
}
