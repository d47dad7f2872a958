/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <systemd/sd-event.h>

#include "manager.h"

/* Tells systemd that we are alive: from the loop, so only while it turns, and only while every radio
 * has something to wait for. Does nothing when no watchdog is wanted; *ret is NULL then. */
int watchdog_new(sd_event *event, Manager *manager, sd_event_source **ret);
