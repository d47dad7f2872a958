/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bus-internal.h"
#include "log.h"

/* -- properties ----------------------------------------------------------- */

BUS_GETTER(bond_state) {
        const BusRadio *self = userdata;
        RadioBond bond = {.state = "none"};

        (void) radio_bond(self->radio, &bond);
        return sd_bus_message_append(reply, "s", bond.state);
}

BUS_GETTER(reason) {
        const BusRadio *self = userdata;
        RadioBond bond = {.reason = "none"};

        (void) radio_bond(self->radio, &bond);
        return sd_bus_message_append(reply, "s", bond.reason);
}

BUS_GETTER(last_verified) {
        const BusRadio *self = userdata;
        RadioBond bond = {};

        (void) radio_bond(self->radio, &bond);
        return sd_bus_message_append(reply, "t", bond.last_verified_usec);
}

/* -- methods -------------------------------------------------------------- */

static void reply_text(sd_bus_message *call, const char *text) {
        int r = text ? sd_bus_reply_method_return(call, "s", text) : sd_bus_reply_method_return(call, NULL);

        if (r < 0)
                (void) log_debug_errno(r, "Cannot answer a caller, ignoring");
}

static void pair_done(Radio *radio, const Outcome *outcome, bool already, void *userdata) {
        g_autoptr(BusCaller) caller = userdata;
        sd_bus_message *call = bus_caller_call(caller);

        if (!call)
                return;
        if (outcome->code != OUTCOME_OK)
                bus_reply_outcome(call, outcome);
        else
                reply_text(call, already ? "already-bonded" : "bonded");
}

static int method_pair(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        BusRadio *self = userdata;
        const char *passkey = NULL;
        const BusOption options[] = {{"Passkey", "s", &passkey}};
        BusCaller *caller;
        int r;

        r = bus_authorize(self->bus, call, error);
        if (r <= 0)
                return r < 0 ? r : 1;
        r = bus_read_options(call, options, ELEMENTSOF(options), error);
        if (r < 0)
                return r;

        r = bus_caller_new(self->bus, call, &caller, error);
        if (r < 0)
                return r;

        g_free(self->pair_caller);
        self->pair_caller = g_strdup(sd_bus_message_get_sender(call));
        if (!passkey)
                bus_agents_prefer(self);
        radio_pair(self->radio, passkey, pair_done, caller);
        return 1; /* answered later */
}

static void verify_done(Radio *radio, const Outcome *outcome, void *userdata) {
        g_autoptr(BusCaller) caller = userdata;
        sd_bus_message *call = bus_caller_call(caller);
        RadioBond bond;

        if (!call)
                return;
        if (outcome->code != OUTCOME_OK || !radio_bond(radio, &bond))
                bus_reply_outcome(call, outcome);
        else
                reply_text(call, bond.state);
}

static void forget_done(Radio *radio, const Outcome *outcome, void *userdata) {
        g_autoptr(BusCaller) caller = userdata;
        sd_bus_message *call = bus_caller_call(caller);

        if (!call)
                return;
        if (outcome->code != OUTCOME_OK)
                bus_reply_outcome(call, outcome);
        else
                reply_text(call, NULL);
}

typedef void (*ask_t)(Radio *radio, radio_done_t done, void *userdata);

static int ask(sd_bus_message *call, BusRadio *self, ask_t function, radio_done_t done, sd_bus_error *error) {
        BusCaller *caller;
        int r;

        r = bus_authorize(self->bus, call, error);
        if (r <= 0)
                return r < 0 ? r : 1;
        r = bus_caller_new(self->bus, call, &caller, error);
        if (r < 0)
                return r;

        function(self->radio, done, caller);
        return 1; /* answered later */
}

static int method_verify(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        return ask(call, userdata, radio_verify_bond, verify_done, error);
}

static int method_forget(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        return ask(call, userdata, radio_forget_bond, forget_done, error);
}

#define CHANGES(name, type, getter) BUS_PROPERTY(name, type, getter, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE)

const sd_bus_vtable bus_pairing_vtable[] = {
                SD_BUS_VTABLE_START(0),
                CHANGES("BondState", "s", bond_state),
                CHANGES("Reason", "s", reason),
                CHANGES("LastVerifiedUSec", "t", last_verified),
                SD_BUS_METHOD_WITH_ARGS("Pair", SD_BUS_ARGS("a{sv}", options), SD_BUS_RESULT("s", result),
                                        method_pair, SD_BUS_VTABLE_UNPRIVILEGED | SD_BUS_VTABLE_SENSITIVE),
                SD_BUS_METHOD_WITH_ARGS("Verify", SD_BUS_NO_ARGS, SD_BUS_RESULT("s", state), method_verify,
                                        SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_METHOD_WITH_ARGS("Forget", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method_forget,
                                        SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_VTABLE_END,
};
