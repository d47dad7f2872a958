/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "client.h"
#include "json-out.h"

/* The records of Contacts.ListPending of one radio, the one heard last first. Silent; a negative errno. */
int pending_list_quietly(Client *client, const char *radio, uint64_t timeout_usec, sd_bus_error *error,
                         JsonArray **ret);
