/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <syslog.h>
#include <time.h>

#include "clock.h"
#include "events.h"
#include "log.h"
#include "macros.h"
#include "radio-internal.h"
#include "retention.h"

/* Old messages leave, in small batches with pauses, because a commit blocks the loop. Unread ones stay, and
 * our own that are still on their way. So does all of the last days, by which duplicates and late
 * acknowledgements are recognised. */

#define LOOK_USEC  (60 * USEC_PER_MINUTE)
#define FIRST_USEC (10 * USEC_PER_SEC)
#define PAUSE_USEC (200 * USEC_PER_MSEC)
#define KEEP_USEC  (8 * USEC_PER_DAY) /* windows of 7 days, and a clock that is a little off */
#define BATCH      100
#define BATCH_ROWS 1000

uint64_t retention_first_usec = FIRST_USEC;

struct Retention {
        Manager *manager;
        uint64_t max_age_usec; /* 0: no limit */
        uint64_t max_messages; /* 0: no limit */
        sd_event_source *timer;
        guint radio;   /* whose turn it is */
        uint64_t from; /* how far its history was looked through */
        uint64_t n_deleted;
};

Retention *retention_new(Manager *manager) {
        Retention *self = g_new0(Retention, 1);

        self->manager = manager;
        return self;
}

Retention *retention_free(Retention *self) {
        if (!self)
                return NULL;

        sd_event_source_disable_unref(self->timer);
        return g_free(self), NULL;
}

static bool may_go(const Message *message) {
        if (!message->read)
                return false;

        switch (message->state) {
        case MESSAGE_QUEUED:
        case MESSAGE_SENDING:
                return false;
        case MESSAGE_SENT:
                return message->channel != 0;
        default:
                return true;
        }
}

/* The id above which the newest max_messages are; 0 when there are no more than that. */
static uint64_t find_floor(const Retention *self, Identity *identity) {
        uint64_t id = 0;

        if (self->max_messages == 0 || identity_nth_newest(identity, self->max_messages, &id) < 0)
                return 0;
        return id;
}

/* Returns whether there is more to look at. */
static bool prune_batch(Retention *self, Identity *identity) {
        uint64_t now = clock_realtime_usec(), floor = find_floor(self, identity), next = 0;
        uint64_t before = now - MIN(now, MAX(self->max_age_usec, KEEP_USEC));
        g_autoptr(GArray) ids = g_array_new(false, false, sizeof(uint64_t));
        g_autoptr(GPtrArray) page = NULL;
        const Message *last;
        MessageFilter filter;

        message_filter_init(&filter);
        filter.until_usec = now - MIN(now, KEEP_USEC);
        if (identity_search_messages(identity, &filter, self->from, true, BATCH, BATCH_ROWS, &next, &page) <
                            0 ||
            page->len == 0)
                return false;

        for (guint i = 0; i < page->len; i++) {
                const Message *message = page->pdata[i];
                bool old = self->max_age_usec > 0 && message->timestamp_usec < before;

                if (!old && message->id > floor)
                        continue;
                if (may_go(message))
                        g_array_append_val(ids, message->id);
        }

        self->from = next;
        if (ids->len > 0) {
                int r = identity_delete_messages(identity, (const uint64_t *) (const void *) ids->data,
                                                 ids->len);

                if (r < 0)
                        return false;
                self->n_deleted += (uint64_t) r;
        }

        /* In the order of their reception: behind the first that is young enough there is nothing to do. */
        last = page->pdata[page->len - 1];
        return next > 0 && (last->id <= floor || (self->max_age_usec > 0 && last->timestamp_usec < before));
}

static void end_radio(Retention *self, const Radio *radio) {
        if (self->n_deleted > 0)
                radio_log_event(radio, EVENT_PRUNED, LOG_INFO, 0, "%" PRIu64 " old messages deleted",
                                self->n_deleted);
        self->n_deleted = 0;
        self->from = 0;
        self->radio++;
}

static void arm(Retention *self, uint64_t usec);

static int on_time(sd_event_source *source, uint64_t usec, void *userdata) {
        Retention *self = userdata;
        GPtrArray *radios = manager_radios(self->manager);
        Radio *radio;

        if (self->radio >= radios->len) {
                self->radio = 0;
                self->from = self->n_deleted = 0;
                arm(self, LOOK_USEC);
                return 0;
        }

        radio = radios->pdata[self->radio];
        if (!radio_identity(radio) || !prune_batch(self, radio_identity(radio)))
                end_radio(self, radio);
        arm(self, PAUSE_USEC);
        return 0;
}

static void arm(Retention *self, uint64_t usec) {
        int r;

        self->timer = sd_event_source_disable_unref(self->timer);
        /* Exactness is worth no wake-up. */
        r = sd_event_add_time_relative(manager_event(self->manager), &self->timer, CLOCK_BOOTTIME, usec,
                                       usec / 2, on_time, self);
        if (r < 0)
                (void) log_warning_errno(r, "Cannot arm the timer of the history's limits");
}

void manager_set_retention(Manager *manager, uint64_t max_age_usec, uint64_t max_messages) {
        Retention *self = manager_retention(manager);

        if (self->max_age_usec == max_age_usec && self->max_messages == max_messages)
                return;

        self->max_age_usec = max_age_usec;
        self->max_messages = max_messages;
        self->radio = 0;
        self->from = self->n_deleted = 0;
        self->timer = sd_event_source_disable_unref(self->timer);
        if (max_age_usec > 0 || max_messages > 0)
                arm(self, retention_first_usec);
}
