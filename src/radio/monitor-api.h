/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What a radio hears, and what daemon and radio say to each other, for who looks on. Nothing is prepared for
 * it while nobody does. */

#include <glib.h>

#include "radio.h"

/* One record as the interface Monitor documents it: a JSON object in UTF-8 that lacks its last brace, so that
 * whoever passes it on can add to it. Borrowed. */
typedef void (*radio_record_t)(Radio *radio, const GString *record, void *userdata);

/* Called for every packet that the radio hears, and for every frame in both directions, secrets blanked.
 * There is one function of each kind; NULL: no more. */
void radio_watch_packets(Radio *radio, radio_record_t function, void *userdata);
void radio_watch_frames(Radio *radio, radio_record_t function, void *userdata);
