/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What can be asked of other nodes through a radio: repeaters, rooms and
 * sensors, for the way there of anybody, and of the mesh around: a trace of a path, and who is in reach.
 *
 * The firmware remembers one such request and forgets it with the next (wire reference 7.5), so they wait in
 * one queue for each radio. People come before polls, and of those who wait in the same rank the one who was
 * served longest ago comes first. Equal questions share one transmission. Texts of the command line have no
 * part in this, nor have traces and discoveries; of the first there is one at a time for each node, since
 * their answers carry little of an id.
 *
 * All of them take from the radio's budget of air time, see airtime.h, and fail with RateLimited when their
 * turn comes and nothing is left. */

#include "contacts-api.h"
#include "node-answer.h"
#include "radio.h"

#define NODE_PASSWORD_MAX     15  /* bytes; the radio would cut the rest silently */
#define NODE_COMMAND_MAX      157 /* bytes */
#define NODE_REQUEST_MAX      139 /* bytes, type and parameters */
#define NODE_REQUESTS_PER_UID 16
#define NODE_TRACE_HOPS_MAX   64
#define NODE_TRACE_HASH_MAX   8 /* bytes; 1, 2, 4 or 8 */
#define NODE_COLLECT_MIN_USEC (1 * UINT64_C(1000000))
#define NODE_COLLECT_MAX_USEC (120 * UINT64_C(1000000))

typedef enum NodeRequestState {
        NODE_REQUEST_QUEUED,
        NODE_REQUEST_RUNNING,
        _NODE_REQUEST_STATE_MAX,
} NodeRequestState;

const char *node_request_state_to_string(NodeRequestState state);

typedef struct NodeQuery {
        NodeOperation operation;
        PublicKey key; /* not of NODE_OPERATION_TRACE and _DISCOVER */
        bool poll;     /* nobody sits and waits */
        bool legacy;   /* status, telemetry: by the commands of radios before 1.7.3 */
        bool insist;   /* login: although this password was wrong lately */
        bool in_full;  /* owner: as a logged-in client, with the version of the firmware */
        const char *text;
        Slice data;                              /* NODE_OPERATION_REQUEST; _TRACE: the hashes of all hops */
        uint32_t start_secs_ago, end_secs_ago;   /* NODE_OPERATION_MIN_MAX_AVG, start the earlier */
        uint8_t order, prefix_length, max_count; /* NODE_OPERATION_NEIGHBOURS; max_count 0: all */
        uint8_t hash_size;                       /* NODE_OPERATION_TRACE: bytes each */
        uint32_t auth;                           /* NODE_OPERATION_TRACE: passed on as it is */
        uint8_t types;    /* NODE_OPERATION_DISCOVER: 1 << ContactType of those who shall answer */
        bool prefix_only; /* NODE_OPERATION_DISCOVER: 8 bytes of the keys, which are shorter on air */
        uint32_t since;   /* NODE_OPERATION_DISCOVER: only who changed since, s of their clocks; 0: all */
        uint64_t collect_usec; /* NODE_OPERATION_DISCOVER: how long to wait for answers */

        uint32_t uid;       /* who asks */
        const char *client; /* … by which connection; requests of each get their turn */
        /* The state or the deadline is another one. Optional. */
        void (*changed)(void *userdata);
} NodeQuery;

typedef struct NodeRequest NodeRequest;

/* Runs exactly once, never from inside the call or from node_request_cancel(); the request is gone then.
 * answer is NULL unless it worked. */
typedef void (*node_done_t)(Radio *radio, const Outcome *outcome, NodeAnswer *answer, void *userdata);

/* Copies the query. The uid's seventeenth request at a time fails with InProgress. */
NodeRequest *radio_request_node(Radio *radio, const NodeQuery *query, node_done_t done, void *userdata);
/* Ends with Cancelled at the next turn of the loop; harmless for one that has ended and is not told yet. What
 * is on air cannot be called back. */
void node_request_cancel(NodeRequest *request);
NodeRequestState node_request_state(const NodeRequest *request);
uint64_t node_request_deadline(const NodeRequest *request); /* µs since the epoch; 0: not on air yet */

/* What differs between two states of a node. */
typedef enum NodeChange {
        NODE_CHANGED_LOGIN = 1 << 0,
        NODE_CHANGED_STATUS = 1 << 1,
        NODE_CHANGED_TELEMETRY = 1 << 2,
} NodeChange;

/* What is known of a node since the radio's identity was loaded. */
typedef struct NodeState {
        bool logged_in;
        const char *permissions;        /* "none", "guest", "read-only", "read-write", "admin"; static */
        NodeAnswer *status, *telemetry; /* the last ones; NULL: never */
        uint64_t status_usec, telemetry_usec;
} NodeState;

/* Never NULL. */
const NodeState *radio_node_state(Radio *radio, const PublicKey *key);
