/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fake-discover.h"

/* As the real ones, several at a time; what the test sees is the oldest. */

struct Discovery {
        GList link;
        DiscoverOptions options;
        char *name, *adapter;
        discovery_done_t done;
        void *userdata;
};

static GQueue discoveries;

int discovery_new(Manager *manager, const DiscoverOptions *options, discovery_done_t done, void *userdata,
                  Discovery **ret) {
        Discovery *discovery = g_new(Discovery, 1);

        *discovery = (Discovery){
                        .link = {.data = discovery},
                        .options = *options,
                        .name = g_strdup(options->name),
                        .adapter = g_strdup(options->adapter),
                        .done = done,
                        .userdata = userdata,
        };
        discovery->options.name = discovery->name;
        discovery->options.adapter = discovery->adapter;
        g_queue_push_tail_link(&discoveries, &discovery->link);
        *ret = discovery;
        return 0;
}

Discovery *discovery_free(Discovery *discovery) {
        if (!discovery)
                return NULL;

        g_queue_unlink(&discoveries, &discovery->link);
        g_free(discovery->name);
        g_free(discovery->adapter);
        g_free(discovery);
        return NULL;
}

const DiscoverOptions *fake_discovery(void) {
        const Discovery *discovery = g_queue_peek_head(&discoveries);

        return discovery ? &discovery->options : NULL;
}

void fake_discovery_answer(OutcomeCode code, const GPtrArray *found) {
        const Discovery *discovery = g_queue_peek_head(&discoveries);
        g_auto(Outcome) outcome = {};

        if (code != OUTCOME_OK)
                (void) outcome_set(&outcome, code, "The test says so");
        discovery->done(&outcome, code == OUTCOME_OK ? found : NULL, discovery->userdata);
}

typedef struct Forget {
        char *address;
        forget_done_t done;
        void *userdata;
} Forget;

static GQueue forgets;

void manager_forget_bond(Manager *manager, const char *address, forget_done_t done, void *userdata) {
        Forget *forget = g_new(Forget, 1);

        *forget = (Forget){.address = g_strdup(address), .done = done, .userdata = userdata};
        g_queue_push_tail(&forgets, forget);
}

const char *fake_forget(void) {
        const Forget *forget = g_queue_peek_head(&forgets);

        return forget ? forget->address : NULL;
}

void fake_forget_answer(OutcomeCode code) {
        g_autofree Forget *forget = g_queue_pop_head(&forgets);
        g_auto(Outcome) outcome = {};

        if (code != OUTCOME_OK)
                (void) outcome_set(&outcome, code, "The test says so");
        g_free(forget->address);
        forget->done(&outcome, forget->userdata);
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
