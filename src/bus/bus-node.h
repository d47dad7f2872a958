/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The Node interface of contacts that are repeaters, rooms or sensors, and the
 * Request objects. Private to this room. */

#include "bus-internal.h"
#include "node-api.h"

#define BUS_REQUESTS_PATH BUS_ROOT "/request"

typedef struct BusRequest BusRequest;

bool bus_contact_is_node(const Contact *contact);

/* -- bus-request.c -- */

/* The rest of a handler: authorises call and asks. The caller is answered by bus_reply_node(). key,
 * operation and what belongs to it are set in query. */
int bus_request_begin(BusRadio *radio, sd_bus_message *call, NodeQuery *query, const char *token,
                      sd_bus_error *error);

/* -- bus-node-answer.c -- */

/* The reply to call that its operation has. radio may be NULL. */
void bus_reply_node(sd_bus_message *call, const BusRadio *radio, const NodeAnswer *answer);
/* NULL: empty. */
int bus_append_node_record(sd_bus_message *m, const BusRadio *radio, const NodeAnswer *answer);
int bus_append_node_list(sd_bus_message *m, const BusRadio *radio, const NodeAnswer *answer);
int bus_append_hops(sd_bus_message *m, const PathHop *hops, size_t n);
/* Of a signal: the record, and the list under List. */
int bus_append_node_result(sd_bus_message *m, const BusRadio *radio, const NodeAnswer *answer);
