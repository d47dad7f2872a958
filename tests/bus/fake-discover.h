/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* discover.h without ports and adapters, and the questions for a PIN of manager.h. */

#include "discover.h"

/* What is looked for now; NULL: nothing. */
const DiscoverOptions *fake_discovery(void);
void fake_discovery_answer(OutcomeCode code, const GPtrArray *found);
/* The address whose bond is to be forgotten; NULL: none. */
const char *fake_forget(void);
void fake_forget_answer(OutcomeCode code);

/* Asks as a radio without a PIN does. */
bool fake_pin_ask(Radio *radio, const char *why);
void fake_pin_cancel(Radio *radio);
/* The last answer: a PIN, or a negative errno; 1000000 while there is none. Forgotten by the next question.
 */
int fake_pin_answer(void);
/* How often radios were told that somebody new can be asked. */
unsigned fake_pin_rounds(void);
