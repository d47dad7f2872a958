/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* All radios of the daemon, and the store behind them. */

#include <systemd/sd-event.h>

#include "radio.h"
#include "store.h"

typedef struct Manager Manager;

/* The store stays the caller's and must outlive the manager. */
int manager_new(sd_event *event, Store *store, Manager **ret);
/* Stops everything; open requests complete with OUTCOME_CANCELLED first. */
Manager *manager_free(Manager *manager);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Manager, manager_free)

/* One observer of all radios. */
void manager_set_observer(Manager *manager, const RadioObserver *observer, void *userdata);

/* Takes the settings. Loads what the store knows of the slot and, if enabled, begins
 * to connect at the next turn of the loop. -EEXIST for a known id. */
int manager_add_radio(Manager *manager, RadioSettings *settings, Radio **ret);
int manager_remove_radio(Manager *manager, const char *id);

/* Applies a whole new set (a reload): adds, removes, and restarts only
 * those whose settings differ. Takes ownership of the array and its RadioSettings. */
int manager_apply(Manager *manager, GPtrArray *settings);

/* Whether a radio on a known USB id that no section names is taken up by itself, and those of former times
 * with it. Goes with manager_apply(), after it. */
void manager_set_discover(Manager *manager, bool discover);

/* Before the end, or a reload: from here on no radio is asked for a message, or given one. Calls settled once
 * nothing is on its way that would be lost, perhaps at once, at the latest after a second. A second call
 * takes the place of the first. */
typedef void (*manager_settled_t)(Manager *manager, void *userdata);
void manager_settle(Manager *manager, manager_settled_t settled, void *userdata);
/* As before. */
void manager_resume(Manager *manager);

/* In order of addition. */
GPtrArray *manager_radios(Manager *manager);
Radio *manager_get_radio(Manager *manager, const char *id);
/* Hands the port of a radio over: it waits, with the reason inhibited, until as many manager_release()
 * follow. Also for an id that is not there yet, or is reconfigured in between. What is on its way comes
 * first: the port is closed as soon as manager_is_handed_over(), perhaps at once, at the latest after a
 * second. */
void manager_inhibit(Manager *manager, const char *id);
void manager_release(Manager *manager, const char *id);
/* The same for all radios while the machine sleeps. */
void manager_set_asleep(Manager *manager, bool asleep);
/* Whether the port of this radio is free, or of all radios where id is NULL. It changes with the state of a
 * radio, or when one goes. */
bool manager_is_handed_over(Manager *manager, const char *id);

/* Deletes messages that are older, or more for one radio than that; 0: no limit. */
void manager_set_retention(Manager *manager, uint64_t max_age_usec, uint64_t max_messages);

/* Who can ask a person for the PIN of a radio: one that must be paired, and for which the configuration has
 * none, or one that the radio does not accept. */
typedef struct PinAsker {
        /* why: a BondReason in words. Whether anybody is asked: then radio_answer_pin() follows, unless
         * cancel comes first. */
        bool (*ask)(Radio *radio, const char *address, const char *why, void *userdata);
        /* It is no longer wanted. */
        void (*cancel)(Radio *radio, void *userdata);
} PinAsker;
void manager_set_pin_asker(Manager *manager, const PinAsker *asker, void *userdata);
/* Somebody new can be asked: all radios that wait for a PIN do. */
void manager_ask_pins(Manager *manager);
/* error: 0 with a passkey of at most 999999, -ECANCELED when the person said no, -ETIMEDOUT, or -ENOENT when
 * nobody was there to be asked. */
void radio_answer_pin(Radio *radio, int error, uint32_t passkey);

/* The id of a radio that nothing moves any more, which is a defect of ours; NULL when all is well. */
const char *manager_find_stuck(Manager *manager);
Store *manager_store(Manager *manager);
sd_event *manager_event(Manager *manager);
