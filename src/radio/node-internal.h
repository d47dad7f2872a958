/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The queue of what is asked of other nodes. A job is what goes on air, a
 * request what somebody waits for; equal requests share a job. */

#include "node-api.h"
#include "radio-internal.h"
#include "reply.h"

typedef enum JobState {
        JOB_QUEUED,
        JOB_SWAPPING,  /* the contact is put into the radio */
        JOB_CALLING,   /* a command waits for the radio's answer */
        JOB_ON_AIR,    /* sent; the node has until the deadline */
        JOB_PAUSING,   /* the radio has no packet free */
        JOB_ENDING,    /* those who waited are being told */
        JOB_RESTORING, /* told; gives the contact its path back */
} JobState;

typedef struct Job Job;
typedef void (*job_step_t)(Job *job, const Frame *frame);

struct Job {
        Radio *radio;
        GList link; /* in waiting, in apart, or none for the one that has the slot */
        JobState state;
        NodeQuery query; /* text and data are its own */
        GQueue requests; /* NodeRequest; empty: given up */
        unsigned type;   /* of the contact */
        job_step_t step;
        bool calling, take_errors;
        unsigned busy, retries;
        sd_event_source *timer;
        uint64_t deadline_usec; /* CLOCK_REALTIME */

        size_t spent; /* size of the packet on air, taken off the budget */
        uint8_t tag[TAG_SIZE];
        char cli_tag[3];
        NodeAnswer *pages; /* of answers that come in parts */
        unsigned offset;
        bool path_lent; /* the contact has another path in the radio for the time being */
};

struct NodeRequest {
        Radio *radio;
        Job *job; /* NULL: ended, only to be told */
        GList link;
        uint32_t uid;
        bool poll;
        char *client;
        void (*changed)(void *userdata);
        node_done_t done;
        void *userdata;
        Outcome outcome;
};

typedef struct Node {
        NodeState state; /* first */
        uint8_t feature_level;
        char *password;      /* that worked, for resuming; memory only */
        uint8_t refused[32]; /* hash of one that did not */
        unsigned silences;
        uint64_t refused_usec; /* boot time; 0: none */
        uint64_t resume_usec;  /* boot time of the next login by ourselves, of a room */
} Node;

struct Nodes {
        Radio *radio;
        bool started;
        GQueue waiting[2]; /* Job, of people and of polls */
        Job *slot;
        GQueue apart;       /* Job: those that the firmware does not count as requests */
        GQueue ended;       /* NodeRequest */
        GHashTable *served; /* client → when, as a number that only grows */
        uint64_t n_served;
        GHashTable *nodes; /* PublicKey → Node */
        GHashTable *lent;  /* PublicKey: contacts whose path is to be given back at the next start */
        uint32_t last_timestamp;
        unsigned last_tag;
        sd_event_source *silence; /* a room has said nothing for long */
        sd_event_source *wakeup;
};

/* -- node-queue.c -- */
void nodes_wake(Nodes *nodes);
/* Tells all who wait for it, then ends the job, or lets it tidy up. */
void job_end(Job *job, const Outcome *outcome, NodeAnswer *answer);
void job_fail(Job *job, OutcomeCode code, const char *format, ...) __attribute__((format(printf, 3, 4)));
void job_changed(Job *job);
/* Nobody waits for it any more. */
void job_tidy(Job *job);
/* Leaves the queue, and is gone. */
void job_free(Job *job);

/* -- node-run.c -- */
#define NODE_PREFIX_LENGTH 8 /* of neighbours, unless somebody wants another one */

void job_start(Job *job);
/* What it asks, from the beginning or for the next part. */
void job_send(Job *job);
/* Sends the command, or ends the job; r: of the encoder. */
void job_call_or_fail(Job *job, int r, const Command *command, job_step_t step);
/* Returns 0 or a negative errno. */
int job_call(Job *job, const Command *command, job_step_t step);
/* The step after what goes on air. */
void job_sent(Job *job, const Frame *frame);
/* Has no part in the firmware's single slot. */
bool node_operation_is_apart(NodeOperation operation);
/* Bytes on air of what it sends next; 0: nothing. */
size_t job_packet_size(const Job *job);
OutcomeCode job_check(Radio *radio, const NodeQuery *query, Outcome *ret_outcome);
const char *job_what(const Job *job);

/* -- node-path.c -- */
bool job_is_anonymous(const Job *job);
void job_send_anonymous(Job *job);
/* Gives the path back, then frees the job. */
void job_restore(Job *job);
/* … at the next start. */
void job_restore_later(Job *job);

/* -- node-mesh.c: traces and discoveries -- */
OutcomeCode mesh_check(const NodeQuery *query, Outcome *ret_outcome);
int mesh_command(Job *job, Command *ret);
uint32_t job_tag(const Job *job);

/* -- node-receive.c -- */
/* Ends the job with the answer, which it takes; NULL: it made no sense. */
void job_answer(Job *job, NodeAnswer *answer);

/* -- node-state.c -- */
Node *nodes_get(Nodes *nodes, const PublicKey *key); /* made when there is none */
void node_free(void *node);
void nodes_remember(Job *job, NodeAnswer *answer);
/* Login with this password would be in vain. */
bool nodes_refuses_login(Nodes *nodes, const NodeQuery *query, Outcome *ret_outcome);
/* answered: the node said no, else it said nothing. */
void nodes_login_failed(Job *job, bool answered);
/* Logs in again where posts are to come. */
void nodes_resume(Nodes *nodes);
/* Sees to it that this also happens to rooms that have fallen silent. */
void nodes_watch_rooms(Nodes *nodes);
void node_wipe(char *secret);

/* -- node-decode.c: NULL when the bytes are no such answer -- */
const char *node_permissions_to_string(uint8_t acl);
NodeAnswer *node_decode_login(const Frame *frame, unsigned type);
NodeAnswer *node_decode_status(Slice data, unsigned type);
NodeAnswer *node_decode_telemetry(Slice data);
NodeAnswer *node_decode_reply(const Reply *reply, NodeOperation operation, unsigned type);
/* Adds a page to the list, up to max entries. */
void node_decode_neighbours(const Reply *reply, NodeAnswer *answer, size_t max);
NodeAnswer *node_decode_path(const Frame *frame);
NodeAnswer *node_decode_trace(const Frame *frame);
/* Adds a node that answered, unless it is there already. */
void node_decode_discovered(const Frame *frame, NodeAnswer *answer);
