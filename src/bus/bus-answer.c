/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "bus-internal.h"
#include "log.h"

/* Calls that are answered when the radio has done what they ask for. */

int bus_answer_later(Bus *bus, sd_bus_message *call, BusCaller **ret, sd_bus_error *error) {
        int r;

        r = bus_authorize(bus, call, error);
        if (r <= 0)
                return r;
        r = bus_caller_new(bus, call, ret, error);
        if (r < 0)
                return r;
        return 1;
}

int bus_answer_later_read(Bus *bus, sd_bus_message *call, BusCaller **ret, sd_bus_error *error,
                          const char *types, ...) {
        va_list ap;
        int r;

        va_start(ap, types);
        r = sd_bus_message_readv(call, types, ap);
        va_end(ap);
        return r < 0 ? bus_error_arguments(error, r) : bus_answer_later(bus, call, ret, error);
}

static void log_unanswered(int r) {
        if (r < 0)
                (void) log_debug_errno(r, "Cannot answer a caller, ignoring");
}

/* The call, if there is somebody to hear that it worked. */
static sd_bus_message *answer_begin(BusCaller *caller, const Outcome *outcome) {
        sd_bus_message *call = bus_caller_call(caller);

        if (call && outcome->code != OUTCOME_OK) {
                bus_reply_outcome(call, outcome);
                return NULL;
        }
        return call;
}

int bus_answer_new(BusCaller *caller, const Outcome *outcome, sd_bus_message **ret) {
        sd_bus_message *call = answer_begin(caller, outcome);
        int r;

        if (!call)
                return 0;

        r = sd_bus_message_new_method_return(call, ret);
        if (r < 0) {
                log_unanswered(r);
                return r;
        }
        return 1;
}

void bus_answer_send(sd_bus_message *reply, int r) {
        if (r >= 0)
                r = sd_bus_message_send(reply);
        log_unanswered(r);
}

static void answer_path(BusCaller *caller, sd_bus_message *call, const char *path) {
        log_unanswered(sd_bus_reply_method_return(call, "o", path));
}

void bus_answer(Radio *radio, const Outcome *outcome, void *userdata) {
        g_autoptr(BusCaller) caller = userdata;
        sd_bus_message *call = answer_begin(caller, outcome);

        if (call)
                log_unanswered(sd_bus_reply_method_return(call, NULL));
}

void bus_answer_changed(Radio *radio, const Outcome *outcome, Contact *contact, void *userdata) {
        bus_answer(radio, outcome, userdata);
}

void bus_answer_import(Radio *radio, const Outcome *outcome, Contact *contact, Channel *channel,
                       void *userdata) {
        g_autoptr(BusCaller) caller = userdata;
        sd_bus_message *call = answer_begin(caller, outcome);
        g_autofree char *path = NULL;
        BusRadio *self;

        if (!call)
                return;
        if (!contact && !channel) {
                g_auto(Outcome) gone = {};

                (void) outcome_set(&gone, OUTCOME_NOT_FOUND, "It was removed again meanwhile");
                bus_reply_outcome(call, &gone);
                return;
        }

        self = bus_find_radio(bus_caller_bus(caller), radio);
        path = contact ? bus_path_contact(self, &contact->key) : bus_path_channel(self, channel);
        answer_path(caller, call, path);
}

void bus_answer_contact(Radio *radio, const Outcome *outcome, Contact *contact, void *userdata) {
        bus_answer_import(radio, outcome, contact, NULL, userdata);
}

void bus_answer_channel(Radio *radio, const Outcome *outcome, Channel *channel, void *userdata) {
        bus_answer_import(radio, outcome, NULL, channel, userdata);
}

void bus_answer_uri(Radio *radio, const Outcome *outcome, Slice packet, const char *uri, void *userdata) {
        g_autoptr(BusCaller) caller = userdata;
        sd_bus_message *call = answer_begin(caller, outcome);

        if (call)
                log_unanswered(sd_bus_reply_method_return(call, "s", bus_text(uri)));
}

void bus_answer_card(Radio *radio, const Outcome *outcome, Slice packet, const char *uri, void *userdata) {
        g_autoptr(BusCaller) caller = userdata;
        sd_bus_message *call = answer_begin(caller, outcome);
        g_autoptr(sd_bus_message) reply = NULL;
        int r;

        if (!call)
                return;

        r = sd_bus_message_new_method_return(call, &reply);
        if (r >= 0)
                r = sd_bus_message_append_array(reply, 'y', packet.data, packet.size);
        if (r >= 0)
                r = sd_bus_message_send(reply);
        log_unanswered(r);
}

/* -- export ----------------------------------------------------------------- */

int bus_export_contact(BusRadio *self, const PublicKey *key, sd_bus_message *call, sd_bus_error *error) {
        const char *form = "link";
        const BusOption options[] = {{"Form", "s", &form}};
        g_auto(Outcome) outcome = {};
        g_autofree char *uri = NULL;
        BusCaller *caller;
        int r;

        r = bus_read_options(call, options, ELEMENTSOF(options), error);
        if (r < 0)
                return r;

        if (strcmp(form, "card") == 0) {
                r = bus_answer_later(self->bus, call, &caller, error);
                if (r <= 0)
                        return r < 0 ? r : 1;
                radio_export_card(self->radio, key, bus_answer_uri, caller);
                return 1;
        }
        if (strcmp(form, "link") != 0)
                return bus_error_set(error, OUTCOME_INVALID_ARGUMENTS,
                                     "Form is \"%s\" instead of link or card", form);

        r = bus_authorize(self->bus, call, error);
        if (r <= 0)
                return r < 0 ? r : 1;
        if (radio_contact_uri(self->radio, key, &uri, &outcome) != OUTCOME_OK)
                return bus_error_outcome(error, &outcome);
        return sd_bus_reply_method_return(call, "s", bus_text(uri));
}

int bus_export_card(BusRadio *self, const PublicKey *key, sd_bus_message *call, sd_bus_error *error) {
        BusCaller *caller;
        int r;

        r = bus_answer_later(self->bus, call, &caller, error);
        if (r > 0)
                radio_export_card(self->radio, key, bus_answer_card, caller);
        return r < 0 ? r : 1;
}
