/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Serial radios that are plugged in and pulled: which port is whose, and who
 * has to hear of it. Ports that the configuration names are opened when they appear. For
 * the others a scout asks who is there, and the port goes to the radio with that
 * key, to a "serial:auto" that has none yet, or becomes a radio of its own. */

#include "radio-internal.h"
#include "serial-ports.h"

Hotplug *hotplug_new(Manager *manager);
Hotplug *hotplug_free(Hotplug *hotplug);

/* Whether a radio that no section names becomes one, with the first 16 digits of its key as its id. Those of
 * former times are added at once. */
void hotplug_set_discover(Hotplug *hotplug, bool discover);
/* The set of radios, or what one of them holds, has changed. */
void hotplug_update(Hotplug *hotplug);

void hotplug_add_radio(Hotplug *hotplug, const Radio *radio);
void hotplug_remove_radio(Hotplug *hotplug, const Radio *radio);

/* Whether it tells of ports that appear, so that nobody has to look. */
bool hotplug_has_events(const Hotplug *hotplug);

/* The port that a "serial:auto" may open now, or NULL. Valid until the next turn of the loop. */
const SerialPort *hotplug_choose_port(Hotplug *hotplug, const Radio *radio);
/* The SerialPorts that look like radios, until the next turn of the loop; NULL where that is not known. */
const GPtrArray *hotplug_ports(const Hotplug *hotplug);
/* Whose port it is: of the radio that has it open, that the configuration gives it to, or whose key answered
 * there (*ret_key, NULL if nobody has answered). */
Radio *hotplug_find_radio(Hotplug *hotplug, const char *device, const PublicKey **ret_key);

/* The radio at this port has told its key. */
void hotplug_learn(Hotplug *hotplug, const char *device, const PublicKey *key);

/* -- lines.c: how the modem lines of a device have to be set ------------------- */

/* other: the opposite of what is thought right, for one try. */
SerialLines lines_choose(Manager *manager, const char *port_id, bool other);
/* This worked. */
void lines_remember(Manager *manager, const char *port_id, bool other);
