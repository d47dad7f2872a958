/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fake-discover.h"

struct Discovery {
        DiscoverOptions options;
        char *name, *adapter;
        discovery_done_t done;
        void *userdata;
};

static Discovery *current;
static char *forget_address;
static forget_done_t forget_done;
static void *forget_userdata;

int discovery_new(Manager *manager, const DiscoverOptions *options, discovery_done_t done, void *userdata,
                  Discovery **ret) {
        Discovery *discovery = g_new(Discovery, 1);

        *discovery = (Discovery){
                        .options = *options,
                        .name = g_strdup(options->name),
                        .adapter = g_strdup(options->adapter),
                        .done = done,
                        .userdata = userdata,
        };
        discovery->options.name = discovery->name;
        discovery->options.adapter = discovery->adapter;
        g_assert(!current);
        *ret = current = discovery;
        return 0;
}

Discovery *discovery_free(Discovery *discovery) {
        if (!discovery)
                return NULL;

        current = NULL;
        g_free(discovery->name);
        g_free(discovery->adapter);
        g_free(discovery);
        return NULL;
}

const DiscoverOptions *fake_discovery(void) {
        return current ? &current->options : NULL;
}

void fake_discovery_answer(OutcomeCode code, const GPtrArray *found) {
        g_auto(Outcome) outcome = {};

        if (code != OUTCOME_OK)
                (void) outcome_set(&outcome, code, "The test says so");
        current->done(&outcome, code == OUTCOME_OK ? found : NULL, current->userdata);
}

void manager_forget_bond(Manager *manager, const char *address, forget_done_t done, void *userdata) {
        g_assert(!forget_address);
        forget_address = g_strdup(address);
        forget_done = done;
        forget_userdata = userdata;
}

const char *fake_forget(void) {
        return forget_address;
}

void fake_forget_answer(OutcomeCode code) {
        g_auto(Outcome) outcome = {};

        if (code != OUTCOME_OK)
                (void) outcome_set(&outcome, code, "The test says so");
        g_clear_pointer(&forget_address, g_free);
        forget_done(&outcome, forget_userdata);
}

/* -- questions for a PIN -------------------------------------------------------- */

static const PinAsker *pin_asker;
static void *pin_userdata;
static int pin_answer;
static unsigned pin_rounds;

void manager_set_pin_asker(Manager *manager, const PinAsker *asker, void *userdata) {
        pin_asker = asker;
        pin_userdata = userdata;
        pin_rounds = 0;
}

void manager_ask_pins(Manager *manager) {
        pin_rounds++;
}

void radio_answer_pin(Radio *radio, int error, uint32_t passkey) {
        pin_answer = error < 0 ? error : (int) passkey;
}

bool fake_pin_ask(Radio *radio, const char *why) {
        pin_answer = 1000000;
        return pin_asker->ask(radio, "C0:00:00:00:22:01", why, pin_userdata);
}

void fake_pin_cancel(Radio *radio) {
        pin_asker->cancel(radio, pin_userdata);
}

int fake_pin_answer(void) {
        return pin_answer;
}

unsigned fake_pin_rounds(void) {
        return pin_rounds;
}
