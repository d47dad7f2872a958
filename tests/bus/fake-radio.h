/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* radio.h and manager.h without a radio: the tests of the bus say what happens.
 * Texts really go to the identity's store. */

#include "channels-api.h"
#include "contacts-api.h"
#include "manager.h"
#include "monitor-api.h"
#include "node-api.h"

/* Adds a radio; its identity, if any, is told as loaded. */
Radio *fake_radio_add(Manager *manager, const char *id, const PublicKey *key);
void fake_radio_remove(Manager *manager, Radio *radio);

/* One over Bluetooth, without identity. */
Radio *fake_radio_add_ble(Manager *manager, const char *id);
void fake_radio_set_bond(Radio *radio, const char *state, const char *reason, uint64_t verified_usec);
/* "pair 123456", "pair", "verify" or "forget" that has waited longest, or NULL; and its end. */
const char *fake_radio_bond_request(Radio *radio);
void fake_radio_answer_bond(Radio *radio, OutcomeCode code, bool already);

/* NULL: none. The old one is unloaded first. */
void fake_radio_set_identity(Radio *radio, const PublicKey *key);

/* To be changed by the test, which then calls fake_radio_notify(). */
RadioInfo *fake_radio_info(Radio *radio);
void fake_radio_notify(Radio *radio, RadioChange what);
void fake_radio_enter_state(Radio *radio, RadioState state, RadioReason reason);
void fake_radio_set_error(Radio *radio, OutcomeCode code, const char *message);
void fake_radio_hear_advert(Radio *radio, const Contact *contact, bool stored);
void fake_radio_tell_full(Radio *radio);

/* How many pings wait, and the end of the oldest. */
unsigned fake_radio_n_pings(Radio *radio);
void fake_radio_answer_ping(Radio *radio, OutcomeCode code, uint64_t round_trip_usec);

/* Of the oldest request about contacts, channels or automatic adding that waits: what was asked for, in
 * words; NULL when none waits. */
const char *fake_radio_request(Radio *radio);
unsigned fake_radio_n_requests(Radio *radio);
/* Ends it. The test does before what the radio would have done; a contact or channel is
 * looked up by what the request named. card is what an export answers with. */
void fake_radio_answer(Radio *radio, OutcomeCode code);
void fake_radio_answer_card(Radio *radio, const void *packet, size_t size, const char *uri);
/* To be changed by the test, which then calls fake_radio_notify(). */
AutoAdd *fake_radio_auto_add(Radio *radio);

/* Questions to other nodes that wait: how many, the oldest, whether it was cancelled; and what befalls it. A
 * cancelled one is to be answered with OUTCOME_CANCELLED. */
unsigned fake_radio_n_node_requests(Radio *radio);
const NodeQuery *fake_radio_node_query(Radio *radio);
bool fake_radio_node_cancelled(Radio *radio);
void fake_radio_run_node_request(Radio *radio);
void fake_radio_answer_node(Radio *radio, OutcomeCode code, NodeAnswer *answer);
/* Of all nodes; then tell. */
NodeState *fake_radio_node_state(void);
void fake_radio_tell_node(Radio *radio, const PublicKey *key, unsigned what);

/* Whether somebody wants them; and one that is heard. */
bool fake_radio_is_watched(Radio *radio, bool frames);
void fake_radio_tell_record(Radio *radio, bool frames, const char *record);
void fake_radio_tell_unknown(Radio *radio, uint8_t code, const void *data, size_t size);

/* What others sent to whoever listens, and a trace that nobody waits for. */
void fake_radio_hear_data(Radio *radio, bool control, const void *data, size_t size);
void fake_radio_hear_trace(Radio *radio, const NodeAnswer *answer);

/* A text on its way. */
void fake_radio_move_message(Radio *radio, uint64_t id, MessageState state, const char *error);
