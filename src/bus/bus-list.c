/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "bus-internal.h"

/* Messages.List. A filter that few messages pass may have to look at a million of
 * them, about 1 µs each. So that nobody else waits for that, the walk is cut into
 * steps, one a turn of the loop, and the call is answered when it is over. */

#define STEP_ROWS 4096
/* The first one is done at once, which is all of a page that every message passes. Many calls may wait in the
 * queue before somebody else's, and all their first steps with them. */
#define FIRST_ROWS (BUS_LIST_MAX + 1)

/* -- arguments -------------------------------------------------------------- */

/* The filter as it came, borrowed from the call. */
typedef struct FilterText {
        const char *peer, *channel, *state, *kind, *direction;
} FilterText;

static int filter_set_peer(BusRadio *self, MessageFilter *filter, const char *text, PublicKey *key,
                           sd_bus_error *error) {
        g_auto(Outcome) outcome = {};
        Recipient found = {};

        filter->peer = key;
        if (text[0] == '/') {
                if (bus_path_parse_contact(self, text, key) >= 0)
                        return 0;
                return bus_error_set(error, OUTCOME_NOT_FOUND, "%s is no contact of this radio", text);
        }
        /* The contact may be gone while its messages are still there. */
        if (key_from_text(text, key) >= 0)
                return 0;

        if (radio_find_recipient(self->radio, text, &found, &outcome) != OUTCOME_OK)
                return bus_error_outcome(error, &outcome);
        if (!found.contact)
                return bus_error_set(error, OUTCOME_NOT_FOUND, "%s is no contact of this radio", text);
        *key = found.contact->key;
        return 0;
}

static int filter_set_channel(BusRadio *self, MessageFilter *filter, const char *text, sd_bus_error *error) {
        Channel *channel = NULL;
        unsigned slot;
        size_t n = 0;

        if (text[0] != '/')
                channel = identity_find_channel_name(self->identity, text, &n);
        else if (bus_path_parse_channel(self, text, &slot) >= 0)
                channel = bus_radio_get_channel(self, slot);

        if (n > 1)
                return bus_error_set(error, OUTCOME_INVALID_ARGUMENTS,
                                     "%zu channels are called %s: use the object path", n, text);
        if (!channel)
                return bus_error_set(error, OUTCOME_NOT_FOUND, "%s is no channel of this radio", text);

        filter->channel = channel->id;
        return 0;
}

static int filter_set_words(MessageFilter *filter, const FilterText *text, sd_bus_error *error) {
        if (text->state) {
                filter->state = message_state_from_string(text->state);
                if (filter->state < 0)
                        return bus_error_set(error, OUTCOME_INVALID_ARGUMENTS, "There is no state %s",
                                             text->state);
        }

        if (text->kind) {
                filter->kind = message_kind_from_string(text->kind);
                if (filter->kind < 0)
                        return bus_error_set(error, OUTCOME_INVALID_ARGUMENTS, "There is no kind %s",
                                             text->kind);
        }

        if (text->direction) {
                if (strcmp(text->direction, "received") == 0)
                        filter->direction = 1;
                else if (strcmp(text->direction, "sent") == 0)
                        filter->direction = 2;
                else
                        return bus_error_set(error, OUTCOME_INVALID_ARGUMENTS,
                                             "Direction is \"%s\" instead of received or sent",
                                             text->direction);
        }

        return 0;
}

static int reply_list(sd_bus_message *call, BusRadio *self, GPtrArray *messages) {
        g_autoptr(sd_bus_message) reply = NULL;
        int r;

        r = sd_bus_message_new_method_return(call, &reply);
        if (r < 0)
                return r;
        r = sd_bus_message_open_container(reply, 'a', "(oa{sv})");

        for (guint i = 0; messages && i < messages->len && r >= 0; i++) {
                const Message *message = messages->pdata[i];
                g_autofree char *path = bus_path_message(self, message->id);

                r = sd_bus_message_open_container(reply, 'r', "oa{sv}");
                if (r >= 0)
                        r = sd_bus_message_append(reply, "o", path);
                if (r >= 0)
                        r = bus_record_append(reply, self, message);
                if (r >= 0)
                        r = sd_bus_message_close_container(reply);
        }

        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        if (r < 0)
                return r;
        return sd_bus_message_send(reply);
}

static int read_filter(sd_bus_message *call, MessageFilter *filter, FilterText *text, sd_bus_error *error) {
        int unread = false;
        const BusOption keys[] = {
                        {"Peer", "so", &text->peer},
                        {"Channel", "so", &text->channel},
                        {"State", "s", &text->state},
                        {"Kind", "s", &text->kind},
                        {"Direction", "s", &text->direction},
                        {"Unread", "b", &unread},
                        {"SinceUSec", "t", &filter->since_usec},
                        {"UntilUSec", "t", &filter->until_usec},
                        {"Text", "s", &filter->text},
        };
        int r;

        r = bus_read_options(call, keys, ELEMENTSOF(keys), error);
        if (r < 0)
                return r;
        filter->unread_only = unread;
        return filter_set_words(filter, text, error);
}

static int read_page(sd_bus_message *call, uint64_t *ret_from, uint32_t *ret_limit, bool *ret_newer,
                     sd_bus_error *error) {
        const char *order = "older";
        const BusOption options[] = {{"Order", "s", &order}};
        int r;

        r = sd_bus_message_read(call, "tu", ret_from, ret_limit);
        if (r < 0)
                return bus_error_arguments(error, r);
        r = bus_read_options(call, options, ELEMENTSOF(options), error);
        if (r < 0)
                return r;

        if (*ret_limit == 0)
                return bus_error_set(error, OUTCOME_INVALID_ARGUMENTS, "The limit is 0");
        if (strcmp(order, "older") != 0 && strcmp(order, "newer") != 0)
                return bus_error_set(error, OUTCOME_INVALID_ARGUMENTS,
                                     "Order is \"%s\" instead of older or newer", order);
        *ret_newer = strcmp(order, "newer") == 0;
        return 0;
}

/* -- the walk ----------------------------------------------------------------- */

struct BusList {
        BusRadio *self;
        GList link;
        BusCaller *caller;
        sd_event_source *step;
        MessageFilter filter;
        PublicKey peer;
        char *text;
        uint64_t from;
        bool newer;
        size_t limit;
        GPtrArray *found;
};

static void list_free(BusList *list) {
        g_queue_unlink(&list->self->lists, &list->link);
        sd_event_source_disable_unref(list->step);
        bus_caller_free(list->caller);
        g_ptr_array_unref(list->found);
        g_free(list->text);
        g_free(list);
}

static void list_refuse(BusList *list, OutcomeCode code, const char *why) {
        g_auto(Outcome) outcome = {};

        if (bus_caller_call(list->caller)) {
                (void) outcome_set(&outcome, code, "%s", why);
                bus_reply_outcome(bus_caller_call(list->caller), &outcome);
        }
        list_free(list);
}

void bus_lists_drop(BusRadio *self) {
        BusList *list;

        while ((list = g_queue_peek_head(&self->lists)))
                list_refuse(list, OUTCOME_CANCELLED, "The messages went away while they were read");
}

/* Returns whether there is more to look at. */
static int walk(Identity *identity, const MessageFilter *filter, bool newer, size_t limit, size_t max_rows,
                uint64_t *from, GPtrArray **ret) {
        uint64_t next;
        int r;

        r = identity_search_messages(identity, filter, *from, newer, limit, max_rows, &next, ret);
        if (r < 0)
                return r;
        *from = next;
        return next != 0 && (*ret)->len < limit;
}

static int on_step(sd_event_source *source, void *userdata) {
        BusList *list = userdata;
        g_autoptr(GPtrArray) page = NULL;
        int r;

        if (!bus_caller_call(list->caller)) {
                list_free(list); /* nobody waits for it any more */
                return 0;
        }

        r = walk(list->self->identity, &list->filter, list->newer, list->limit - list->found->len, STEP_ROWS,
                 &list->from, &page);
        if (r < 0) {
                list_refuse(list, OUTCOME_FAILED, "Cannot read the messages");
                return 0;
        }

        g_ptr_array_extend_and_steal(list->found, g_steal_pointer(&page));
        if (r > 0)
                return 0;

        r = reply_list(bus_caller_call(list->caller), list->self, list->found);
        if (r < 0)
                list_refuse(list, OUTCOME_FAILED, "Cannot answer with these messages");
        else
                list_free(list);
        return 0;
}

/* Takes found. The filter's borrowed parts live in the call, which may go with its caller. */
static int go_on_later(BusRadio *self, sd_bus_message *call, const MessageFilter *filter, uint64_t from,
                       bool newer, size_t limit, GPtrArray *found, sd_bus_error *error) {
        g_autoptr(BusCaller) caller = NULL;
        g_autoptr(GPtrArray) kept = found;
        BusList *list;
        int r;

        r = bus_caller_new(self->bus, call, &caller, error);
        if (r < 0)
                return r;

        list = g_new0(BusList, 1);
        list->self = self;
        list->link.data = list;
        list->caller = g_steal_pointer(&caller);
        list->filter = *filter;
        if (filter->peer) {
                list->peer = *filter->peer;
                list->filter.peer = &list->peer;
        }
        list->text = g_strdup(filter->text);
        list->filter.text = list->text;
        list->from = from;
        list->newer = newer;
        list->limit = limit;
        list->found = g_steal_pointer(&kept);
        g_queue_push_tail_link(&self->lists, &list->link);

        r = sd_event_add_defer(self->bus->event, &list->step, on_step, list);
        if (r >= 0)
                /* After what comes from the radio and from other clients. */
                r = sd_event_source_set_priority(list->step, SD_EVENT_PRIORITY_IDLE);
        if (r >= 0)
                r = sd_event_source_set_enabled(list->step, SD_EVENT_ON);
        if (r < 0) {
                list_free(list);
                return bus_error_errno(error, r, "Cannot read the messages");
        }

        return 1;
}

/* -- the method ---------------------------------------------------------------- */

int bus_method_list(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        BusRadio *self = userdata;
        g_autoptr(GPtrArray) messages = NULL;
        FilterText text = {};
        MessageFilter filter;
        PublicKey peer;
        uint64_t from;
        uint32_t limit;
        bool newer = false;
        int r;

        message_filter_init(&filter);
        r = read_filter(call, &filter, &text, error);
        if (r < 0)
                return r;
        r = read_page(call, &from, &limit, &newer, error);
        if (r < 0)
                return r;
        r = bus_authorize(self->bus, call, error);
        if (r <= 0)
                return r < 0 ? r : 1;

        if (!self->identity) {
                if (text.peer || text.channel)
                        return bus_error_set(error, OUTCOME_NOT_FOUND, "The radio is not known yet");
                return reply_list(call, self, NULL);
        }

        if (text.peer) {
                r = filter_set_peer(self, &filter, text.peer, &peer, error);
                if (r < 0)
                        return r;
        }
        if (text.channel) {
                r = filter_set_channel(self, &filter, text.channel, error);
                if (r < 0)
                        return r;
        }

        limit = MIN(limit, BUS_LIST_MAX);
        r = walk(self->identity, &filter, newer, limit, FIRST_ROWS, &from, &messages);
        if (r < 0)
                return bus_error_errno(error, r, "Cannot read the messages");
        if (r > 0)
                return go_on_later(self, call, &filter, from, newer, limit, g_steal_pointer(&messages),
                                   error);
        return reply_list(call, self, messages);
}
