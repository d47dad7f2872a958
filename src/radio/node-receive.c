/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "macros.h"
#include "node-internal.h"

/* What came from other nodes, and which job it ends. */

#define LIST_MAX 4096 /* entries, whatever a node claims to have */

void nodes_cli_reply(Nodes *nodes, const Frame *frame) {
        Slice text = frame->message.text;

        for (GList *l = nodes->apart.head; l; l = l->next) {
                Job *job = l->data;
                g_autoptr(NodeAnswer) answer = NULL;
                const Outcome outcome = {};

                if (job->query.operation != NODE_OPERATION_COMMAND || job->state != JOB_ON_AIR ||
                    memcmp(job->query.key.bytes, frame->message.sender, KEY_PREFIX_SIZE) != 0)
                        continue;

                if (text.size >= 3 && text.data[2] == '|') {
                        /* A late one, to an earlier command. */
                        if (memcmp(text.data, job->cli_tag, 2) != 0)
                                return;
                        text.data += 3;
                        text.size -= 3;
                }
                answer = node_answer_new(NODE_OPERATION_COMMAND, false);
                node_record_add_text(answer->record, "Text", text.data, text.size);
                nodes_remember(job, answer);
                job_end(job, &outcome, answer);
                return;
        }
}

/* -- answers ---------------------------------------------------------------------------- */

static bool has_prefix(const Job *job, const uint8_t prefix[KEY_PREFIX_SIZE]) {
        return memcmp(job->query.key.bytes, prefix, KEY_PREFIX_SIZE) == 0;
}

void job_answer(Job *job, NodeAnswer *answer) {
        const Outcome outcome = {};

        if (!answer) {
                job_fail(job, OUTCOME_FAILED, "the node's answer makes no sense");
                return;
        }
        nodes_remember(job, answer);
        job_end(job, &outcome, answer);
        node_answer_unref(answer);
}

static ReplyKind reply_kind(const Job *job) {
        switch (job->query.operation) {
        case NODE_OPERATION_STATUS:
                return REPLY_STATUS;
        case NODE_OPERATION_TELEMETRY:
                return REPLY_TELEMETRY;
        case NODE_OPERATION_MIN_MAX_AVG:
                return REPLY_MMA;
        case NODE_OPERATION_ACCESS_LIST:
                return REPLY_ACCESS_LIST;
        case NODE_OPERATION_NEIGHBOURS:
                return REPLY_NEIGHBOURS;
        case NODE_OPERATION_OWNER:
                return job->query.in_full ? REPLY_OWNER_INFO : REPLY_OWNER;
        case NODE_OPERATION_REGIONS:
                return REPLY_REGIONS;
        case NODE_OPERATION_BASIC:
                return REPLY_BASIC;
        default:
                return REPLY_NONE;
        }
}

static void job_page(Job *job, const Reply *reply) {
        size_t max = job->query.max_count ?: LIST_MAX;

        if (!job->pages)
                job->pages = node_answer_new(NODE_OPERATION_NEIGHBOURS, true);
        node_decode_neighbours(reply, job->pages, max);
        job->offset += (unsigned) reply->n_entries;
        job->retries = 0;

        if (reply->n_entries > 0 && job->offset < reply->neighbours_total && job->pages->list->len < max) {
                job_send(job);
                return;
        }
        node_record_add_uint(job->pages->record, "Total", reply->neighbours_total);
        job_answer(job, g_steal_pointer(&job->pages));
}

static void job_binary(Job *job, Slice data) {
        const FrameContext context = {
                        .level = job->radio->info.level,
                        .node_type = job->type <= NODE_SENSOR ? (NodeType) job->type : NODE_NONE,
                        .request = reply_kind(job),
                        .prefix_length = job->query.prefix_length ?: NODE_PREFIX_LENGTH,
        };
        Reply reply;

        job->timer = sd_event_source_disable_unref(job->timer);
        if (reply_decode(data, &context, &reply) < 0)
                job_answer(job, NULL);
        else if (reply.kind == REPLY_NEIGHBOURS)
                job_page(job, &reply);
        else
                job_answer(job, node_decode_reply(&reply, job->query.operation, job->type));
}

static bool job_takes(const Job *job, const Frame *frame) {
        NodeOperation operation = job->query.operation;

        switch (frame->kind) {
        case FRAME_LOGIN_SUCCESS:
        case FRAME_LOGIN_FAIL:
                return operation == NODE_OPERATION_LOGIN && has_prefix(job, frame->login.prefix);
        case FRAME_STATUS:
                return operation == NODE_OPERATION_STATUS && has_prefix(job, frame->status.prefix);
        case FRAME_TELEMETRY:
                return operation == NODE_OPERATION_TELEMETRY && has_prefix(job, frame->telemetry.prefix);
        case FRAME_PATH_DISCOVERY:
                return operation == NODE_OPERATION_PATH && has_prefix(job, frame->path_discovery.prefix);
        case FRAME_TRACE:
                return operation == NODE_OPERATION_TRACE && frame->trace.auth == job->query.auth &&
                       frame->trace.tag == job_tag(job);
        case FRAME_CONTROL_DATA:
                return operation == NODE_OPERATION_DISCOVER && frame->control.is_discovery &&
                       memcmp(job->tag, frame->control.tag, TAG_SIZE) == 0;
        case FRAME_BINARY:
                return reply_kind(job) == REPLY_NONE && operation != NODE_OPERATION_REQUEST
                                       ? false
                                       : memcmp(job->tag, frame->binary.tag, TAG_SIZE) == 0;
        default:
                return false;
        }
}

/* Before the radio has said that it sent, an answer can only be an older one. */
static bool job_waits_for(const Job *job, const Frame *frame) {
        return job->state == JOB_ON_AIR && job_takes(job, frame);
}

static Job *nodes_find_job(Nodes *nodes, const Frame *frame) {
        if (nodes->slot && job_waits_for(nodes->slot, frame))
                return nodes->slot;
        for (GList *l = nodes->apart.head; l; l = l->next)
                if (job_waits_for(l->data, frame))
                        return l->data;
        return NULL;
}

bool nodes_frame(Nodes *nodes, const Frame *frame) {
        Job *job = nodes_find_job(nodes, frame);

        if (!job)
                return false;

        switch (frame->kind) {
        case FRAME_LOGIN_SUCCESS:
                job_answer(job, node_decode_login(frame, job->type));
                break;
        case FRAME_LOGIN_FAIL:
                nodes_login_failed(job, true);
                job_fail(job, OUTCOME_LOGIN_FAILED, "the node refused the password");
                break;
        case FRAME_STATUS:
                job_answer(job, node_decode_status(frame->status.data, job->type));
                break;
        case FRAME_TELEMETRY:
                job_answer(job, node_decode_telemetry(frame->telemetry.data));
                break;
        case FRAME_PATH_DISCOVERY:
                job_answer(job, node_decode_path(frame));
                break;
        case FRAME_TRACE:
                job_answer(job, node_decode_trace(frame));
                break;
        case FRAME_CONTROL_DATA:
                node_decode_discovered(frame, job->pages);
                return false; /* others may have asked, too */
        default:
                job_binary(job, frame->binary.data);
                break;
        }
        return true;
}
