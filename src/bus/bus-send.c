/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "bus-internal.h"

/* SendText of a radio, a contact and a channel. */

static BusWait wait_from_string(const char *text) {
        static const char *const names[_BUS_WAIT_MAX] = {
                        [BUS_WAIT_QUEUED] = "queued",
                        [BUS_WAIT_SENT] = "sent",
                        [BUS_WAIT_DELIVERED] = "delivered",
        };

        for (BusWait wait = 0; wait < _BUS_WAIT_MAX; wait++)
                if (strcmp(names[wait], text) == 0)
                        return wait;
        return _BUS_WAIT_INVALID;
}

int bus_send_begin(Bus *bus, BusSend *ret, sd_bus_message *call, sd_bus_error *error) {
        const char *wait_text = "queued", *token = NULL;
        uint64_t expires_usec = 0;
        int queue = true;
        const BusOption options[] = {
                        {"Queue", "b", &queue},
                        {"ExpiresUSec", "t", &expires_usec},
                        {"Wait", "s", &wait_text},
                        {"Token", "s", &token},
        };
        BusWait wait;
        uid_t uid;
        int r;

        r = bus_read_options(call, options, ELEMENTSOF(options), error);
        if (r < 0)
                return r;

        wait = wait_from_string(wait_text);
        if (wait < 0)
                return bus_error_set(error, OUTCOME_INVALID_ARGUMENTS,
                                     "Wait is \"%s\" instead of queued, sent or delivered", wait_text);
        if (token && (!*token || strlen(token) > IDENTITY_TOKEN_MAX))
                return bus_error_set(error, OUTCOME_INVALID_ARGUMENTS, "Token must have 1 to %i bytes",
                                     IDENTITY_TOKEN_MAX);

        r = bus_caller_uid(bus, call, &uid, error);
        if (r < 0)
                return r;
        r = bus_authorize(bus, call, error);
        if (r <= 0)
                return r;

        *ret = (BusSend){
                        .options =
                                        {
                                                        .queue = queue,
                                                        .expires_usec = expires_usec,
                                                        .uid = uid,
                                                        .token = token,
                                        },
                        .wait = wait,
        };
        return 1;
}

int bus_send_finish(const BusSend *send, BusRadio *self, const Recipient *to, sd_bus_message *call,
                    sd_bus_error *error) {
        Radio *radio = self->radio;
        OutcomeCode code;
        g_autoptr(BusCaller) caller = NULL;
        g_autoptr(Message) message = NULL;
        g_auto(Outcome) outcome = {};
        g_autofree char *path = NULL;
        uint64_t id;
        int r;

        if (to->channel && send->wait == BUS_WAIT_DELIVERED)
                return bus_error_set(error, OUTCOME_INVALID_ARGUMENTS,
                                     "Nobody acknowledges a channel text: wait for sent");

        /* Refused before anything is sent, or the caller would send it twice. */
        if (send->wait != BUS_WAIT_QUEUED) {
                r = bus_caller_new(self->bus, call, &caller, error);
                if (r < 0)
                        return r;
        }

        code = send->text ? radio_send_text(radio, to, send->text, &send->options, &id, &outcome)
                          : radio_send_data(radio, to->channel, send->data_type, send->data, &send->options,
                                            &id, &outcome);
        if (code != OUTCOME_OK)
                return bus_error_outcome(error, &outcome);

        if (caller)
                message = identity_get_message(self->identity, id);
        if (message) {
                bus_caller_wait(g_steal_pointer(&caller), self, message, send->wait);
                return 1;
        }

        /* Also for a token whose message was deleted since. */
        path = bus_path_message(self, id);
        return sd_bus_reply_method_return(call, "o", path);
}

int bus_send_text(BusRadio *self, const Recipient *to, sd_bus_message *call, sd_bus_error *error) {
        const char *text;
        BusSend send;
        int r;

        r = sd_bus_message_read(call, "s", &text);
        if (r < 0)
                return bus_error_arguments(error, r);
        r = bus_send_begin(self->bus, &send, call, error);
        if (r <= 0)
                return r < 0 ? r : 1;

        send.text = text;
        return bus_send_finish(&send, self, to, call, error);
}
