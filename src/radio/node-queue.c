/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdarg.h>
#include <string.h>

#include "macros.h"
#include "node-internal.h"

/* Who comes next, and who is told what. */

#define APART_MAX 4 /* command lines, traces and the like at once */

void nodes_wake(Nodes *nodes) {
        (void) sd_event_source_set_enabled(nodes->wakeup, SD_EVENT_ONESHOT);
}

/* -- ending ------------------------------------------------------------------ */

static void request_tell(NodeRequest *request, const Outcome *outcome, NodeAnswer *answer) {
        request->done(request->radio, outcome, answer, request->userdata);
        outcome_clear(&request->outcome);
        g_free(request->client);
        g_free(request);
}

/* To be told at the next turn; takes the outcome. */
static void request_set_ended(NodeRequest *request, Outcome *outcome) {
        Nodes *nodes = request->radio->nodes;

        request->job = NULL;
        request->outcome = *outcome;
        *outcome = (Outcome){};
        g_queue_push_tail_link(&nodes->ended, &request->link);
        nodes_wake(nodes);
}

static void job_tell(Job *job, const Outcome *outcome, NodeAnswer *answer) {
        GList *link;

        while ((link = g_queue_pop_head_link(&job->requests)))
                request_tell(link->data, outcome, answer);
}

void job_free(Job *job) {
        Nodes *nodes = job->radio->nodes;

        if (job->state == JOB_QUEUED)
                g_queue_unlink(&nodes->waiting[job->query.poll], &job->link);
        else if (node_operation_is_apart(job->query.operation))
                g_queue_unlink(&nodes->apart, &job->link);
        else
                nodes->slot = NULL;

        sd_event_source_disable_unref(job->timer);
        node_answer_unref(job->pages);
        node_wipe((char *) job->query.text);
        g_free((void *) job->query.data.data);
        g_free(job);
        nodes_wake(nodes);
}

void job_tidy(Job *job) {
        job->timer = sd_event_source_disable_unref(job->timer);
        if (job->path_lent)
                job_restore(job);
        else
                job_free(job);
}

void job_end(Job *job, const Outcome *outcome, NodeAnswer *answer) {
        /* Whoever does that will call back. */
        bool stays = job->state == JOB_SWAPPING || job->calling;

        job->timer = sd_event_source_disable_unref(job->timer);
        if (!stays && job->state != JOB_QUEUED)
                job->state = JOB_ENDING;
        job_tell(job, outcome, answer);
        if (!stays)
                job_tidy(job);
}

void job_fail(Job *job, OutcomeCode code, const char *format, ...) {
        g_auto(Outcome) outcome = {};
        g_autofree char *text = NULL;
        va_list ap;

        va_start(ap, format);
        text = g_strdup_vprintf(format, ap);
        va_end(ap);

        (void) outcome_set(&outcome, code, "%s: %s", job_what(job), text);
        job_end(job, &outcome, NULL);
}

void node_request_cancel(NodeRequest *request) {
        g_auto(Outcome) outcome = {};
        Job *job = request->job;

        if (!job)
                return;

        (void) outcome_set(&outcome, OUTCOME_CANCELLED, "%s: cancelled", job_what(job));
        g_queue_unlink(&job->requests, &request->link);
        request_set_ended(request, &outcome);
        if (job->requests.length > 0)
                return;

        /* A command that waits for the radio's answer is let end by itself. */
        if (job->state == JOB_QUEUED || job->state == JOB_ON_AIR || job->state == JOB_PAUSING)
                job_tidy(job);
}

/* -- going on ---------------------------------------------------------------- */

void job_changed(Job *job) {
        for (GList *l = job->requests.head; l; l = l->next) {
                NodeRequest *request = l->data;

                if (request->changed)
                        request->changed(request->userdata);
        }
}

static bool job_may_start(Nodes *nodes, const Job *job) {
        if (!node_operation_is_apart(job->query.operation))
                return !nodes->slot;
        if (nodes->apart.length >= APART_MAX)
                return false;
        if (job->query.operation != NODE_OPERATION_COMMAND)
                return true;

        for (GList *l = nodes->apart.head; l; l = l->next)
                if (key_equal(&((Job *) l->data)->query.key, &job->query.key))
                        return false;
        return true;
}

static const char *job_client(const Job *job) {
        return ((NodeRequest *) g_queue_peek_head((GQueue *) &job->requests))->client;
}

static uint64_t job_served(Nodes *nodes, const Job *job) {
        const uint64_t *served = g_hash_table_lookup(nodes->served, job_client(job));

        return served ? *served : 0;
}

static Job *nodes_pick(Nodes *nodes) {
        for (size_t i = 0; i < ELEMENTSOF(nodes->waiting); i++) {
                Job *best = NULL;

                for (GList *l = nodes->waiting[i].head; l; l = l->next) {
                        Job *job = l->data;

                        if (job_may_start(nodes, job) &&
                            (!best || job_served(nodes, job) < job_served(nodes, best)))
                                best = job;
                }
                if (best)
                        return best;
        }
        return NULL;
}

static void nodes_start_job(Nodes *nodes, Job *job) {
        g_auto(Outcome) outcome = {};

        if (governor_check(nodes->radio, job->query.poll ? AIRTIME_POLL : AIRTIME_PERSON,
                           job_packet_size(job), &outcome) != OUTCOME_OK) {
                job_fail(job, outcome.code, "%s", outcome.message);
                return;
        }

        nodes->n_served++;
        g_hash_table_replace(nodes->served, g_strdup(job_client(job)),
                             g_memdup2(&nodes->n_served, sizeof(nodes->n_served)));
        g_queue_unlink(&nodes->waiting[job->query.poll], &job->link);
        if (node_operation_is_apart(job->query.operation))
                g_queue_push_tail_link(&nodes->apart, &job->link);
        else
                nodes->slot = job;

        job->state = JOB_CALLING;
        job_changed(job);
        job_start(job);
}

/* What a lost link kept from being tidied up. */
static void nodes_return_paths(Nodes *nodes) {
        GHashTableIter iter;
        const PublicKey *key;
        Job *job;

        g_hash_table_iter_init(&iter, nodes->lent);
        if (!nodes->started || nodes->slot || !g_hash_table_iter_next(&iter, (void **) &key, NULL))
                return;

        job = g_new0(Job, 1);
        job->radio = nodes->radio;
        job->query = (NodeQuery){.operation = NODE_OPERATION_BASIC, .key = *key, .poll = true};
        job->path_lent = true;
        g_hash_table_iter_remove(&iter);
        nodes->slot = job;
        job_restore(job);
}

static int on_wakeup(sd_event_source *source, void *userdata) {
        Nodes *nodes = userdata;
        GList *link;
        Job *job;

        while ((link = g_queue_pop_head_link(&nodes->ended))) {
                NodeRequest *request = link->data;

                request_tell(request, &request->outcome, NULL);
        }

        nodes_return_paths(nodes);
        while (nodes->started && (job = nodes_pick(nodes)))
                nodes_start_job(nodes, job);
        if (nodes->waiting[0].length + nodes->waiting[1].length == 0)
                g_hash_table_remove_all(nodes->served);
        return 0;
}

/* -- asking ------------------------------------------------------------------ */

static bool operation_is_shared(NodeOperation operation) {
        switch (operation) {
        case NODE_OPERATION_LOGIN:
        case NODE_OPERATION_LOGOUT:
        case NODE_OPERATION_COMMAND:
        case NODE_OPERATION_REQUEST:
        case NODE_OPERATION_TRACE:
                return false;
        default:
                return true;
        }
}

static bool query_equal(const NodeQuery *a, const NodeQuery *b) {
        return a->operation == b->operation && key_equal(&a->key, &b->key) && a->legacy == b->legacy &&
               a->in_full == b->in_full && a->start_secs_ago == b->start_secs_ago &&
               a->end_secs_ago == b->end_secs_ago && a->order == b->order &&
               a->prefix_length == b->prefix_length && a->max_count == b->max_count && a->types == b->types &&
               a->prefix_only == b->prefix_only && a->since == b->since && a->collect_usec == b->collect_usec;
}

static Job *nodes_find_equal(Nodes *nodes, const NodeQuery *query) {
        Job *job = nodes->slot;

        if (!operation_is_shared(query->operation))
                return NULL;
        if (job && job->requests.length > 0 && query_equal(&job->query, query))
                return job;
        for (GList *l = nodes->apart.head; l; l = l->next) {
                job = l->data;
                if (job->requests.length > 0 && query_equal(&job->query, query))
                        return job;
        }

        for (size_t i = 0; i < ELEMENTSOF(nodes->waiting); i++)
                for (GList *l = nodes->waiting[i].head; l; l = l->next) {
                        job = l->data;
                        if (query_equal(&job->query, query))
                                return job;
                }
        return NULL;
}

static Job *job_new(Radio *radio, const NodeQuery *query) {
        Job *job = g_new0(Job, 1);

        job->radio = radio;
        job->link.data = job;
        job->query = *query;
        job->query.text = g_strdup(query->text);
        job->query.data.data = g_memdup2(query->data.data, query->data.size);
        g_queue_push_tail_link(&radio->nodes->waiting[query->poll], &job->link);
        return job;
}

static unsigned count_queue(const GQueue *queue, uint32_t uid) {
        unsigned n = 0;

        for (GList *l = queue->head; l; l = l->next)
                n += ((NodeRequest *) l->data)->uid == uid;
        return n;
}

static unsigned nodes_count(Nodes *nodes, uint32_t uid) {
        unsigned n = nodes->slot ? count_queue(&nodes->slot->requests, uid) : 0;

        for (GList *l = nodes->apart.head; l; l = l->next)
                n += count_queue(&((Job *) l->data)->requests, uid);
        for (size_t i = 0; i < ELEMENTSOF(nodes->waiting); i++)
                for (GList *l = nodes->waiting[i].head; l; l = l->next)
                        n += count_queue(&((Job *) l->data)->requests, uid);
        return n;
}

static OutcomeCode nodes_check(Nodes *nodes, const NodeQuery *query, Outcome *ret) {
        Radio *radio = nodes->radio;

        if (radio->state != RADIO_READY || !nodes->started)
                return outcome_set(ret,
                                   radio->state == RADIO_SYNCING ? OUTCOME_NOT_READY : OUTCOME_NOT_CONNECTED,
                                   "radio %s is %s (%s)", radio_id(radio),
                                   radio_state_to_string(radio->state),
                                   radio_reason_to_string(radio->reason));
        if (job_check(radio, query, ret) != OUTCOME_OK)
                return ret->code;
        if (nodes_count(nodes, query->uid) >= NODE_REQUESTS_PER_UID)
                return outcome_set(ret, OUTCOME_IN_PROGRESS,
                                   "%d requests of this user wait for answers of the mesh already; wait for "
                                   "one of them, or cancel it",
                                   NODE_REQUESTS_PER_UID);
        if (query->operation == NODE_OPERATION_LOGIN && nodes_refuses_login(nodes, query, ret))
                return ret->code;
        return OUTCOME_OK;
}

NodeRequest *radio_request_node(Radio *radio, const NodeQuery *query, node_done_t done, void *userdata) {
        Nodes *nodes = radio->nodes;
        NodeRequest *request = g_new0(NodeRequest, 1);
        g_auto(Outcome) outcome = {};
        Job *job;

        *request = (NodeRequest){
                        .radio = radio,
                        .link = {.data = request},
                        .uid = query->uid,
                        .client = g_strdup(query->client ?: ""),
                        .changed = query->changed,
                        .done = done,
                        .userdata = userdata,
        };
        if (nodes_check(nodes, query, &outcome) != OUTCOME_OK) {
                request_set_ended(request, &outcome);
                return request;
        }

        job = nodes_find_equal(nodes, query) ?: job_new(radio, query);
        if (job->state == JOB_QUEUED && job->query.poll && !query->poll) {
                g_queue_unlink(&nodes->waiting[true], &job->link);
                g_queue_push_tail_link(&nodes->waiting[false], &job->link);
                job->query.poll = false;
        }
        request->job = job;
        g_queue_push_tail_link(&job->requests, &request->link);
        nodes_wake(nodes);
        return request;
}

NodeRequestState node_request_state(const NodeRequest *request) {
        return request->job && request->job->state != JOB_QUEUED ? NODE_REQUEST_RUNNING : NODE_REQUEST_QUEUED;
}

uint64_t node_request_deadline(const NodeRequest *request) {
        return request->job ? request->job->deadline_usec : 0;
}

/* -- life --------------------------------------------------------------------- */

void nodes_start(Nodes *nodes) {
        if (nodes->started)
                return;

        nodes->started = true;
        nodes_resume(nodes);
        nodes_wake(nodes);
}

static void job_end_closed(Job *job) {
        if (job->radio->state == RADIO_STOPPED)
                job_fail(job, OUTCOME_CANCELLED, "the radio was stopped");
        else
                job_fail(job, OUTCOME_LINK_LOST, "the link to the radio was lost");
}

void nodes_stop(Nodes *nodes) {
        Job *job;

        nodes->started = false;
        nodes->silence = sd_event_source_disable_unref(nodes->silence);
        if (nodes->slot)
                job_end_closed(nodes->slot);
        for (GList *l = nodes->apart.head, *next; l; l = next) {
                next = l->next;
                job_end_closed(l->data);
        }
        for (size_t i = 0; i < ELEMENTSOF(nodes->waiting); i++)
                while ((job = g_queue_peek_head(&nodes->waiting[i])))
                        job_end_closed(job);
}

Nodes *nodes_new(Radio *radio) {
        Nodes *nodes = g_new0(Nodes, 1);

        nodes->radio = radio;
        g_queue_init(&nodes->waiting[0]);
        g_queue_init(&nodes->waiting[1]);
        g_queue_init(&nodes->apart);
        g_queue_init(&nodes->ended);
        nodes->served = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        nodes->nodes = g_hash_table_new_full(key_hash_func, key_equal_func, g_free, node_free);
        nodes->lent = g_hash_table_new_full(key_hash_func, key_equal_func, g_free, NULL);
        nodes->last_tag = g_random_int();
        if (sd_event_add_defer(manager_event(radio->manager), &nodes->wakeup, on_wakeup, nodes) < 0)
                g_error("cannot create an event source");
        (void) sd_event_source_set_enabled(nodes->wakeup, SD_EVENT_OFF);
        return nodes;
}

void nodes_unload(Nodes *nodes) {
        nodes_stop(nodes);
        g_hash_table_remove_all(nodes->nodes);
        g_hash_table_remove_all(nodes->lent);
}

Nodes *nodes_free(Nodes *nodes) {
        if (!nodes)
                return NULL;

        nodes_stop(nodes);
        (void) on_wakeup(nodes->wakeup, nodes);
        sd_event_source_disable_unref(nodes->wakeup);
        g_hash_table_unref(nodes->served);
        g_hash_table_unref(nodes->nodes);
        g_hash_table_unref(nodes->lent);
        return g_free(nodes), NULL;
}
