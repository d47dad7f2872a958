/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "macros.h"
#include "node-internal.h"

/* What is asked of the mesh around rather than of one contact: traces (wire reference 6.15) and discoveries
 * (6.16). And what any question takes on air. */

#define TRACE_SIZE_MAX 160 /* bytes of hashes; what fits into a frame of the oldest radios */
#define DISCOVERED_MAX 256 /* nodes, whoever claims to be one */
#define LOGIN_HEAD     8   /* time and since */
#define TRACE_HEAD     9   /* tag, code and flags */
#define DISCOVER_SIZE  10
#define REQUEST_SMALL  13 /* tag, type, parameters */
#define TEXT_HEAD      5
#define PACKET_HEAD    2
#define ANON_EXTRA     (PUBLIC_KEY_SIZE - 1) /* the whole key instead of its hash */

bool node_operation_is_apart(NodeOperation operation) {
        return operation == NODE_OPERATION_COMMAND || node_operation_is_general(operation);
}

size_t job_packet_size(const Job *job) {
        const NodeQuery *query = &job->query;
        const Contact *contact = identity_get_contact(job->radio->identity, &query->key);

        switch (query->operation) {
        case NODE_OPERATION_LOGOUT:
                return 0; /* between us and the radio */
        case NODE_OPERATION_LOGIN:
                return packet_to(contact, LOGIN_HEAD + strlen(query->text)) + ANON_EXTRA;
        case NODE_OPERATION_REGIONS:
        case NODE_OPERATION_BASIC:
        case NODE_OPERATION_OWNER:
                return packet_to(contact, REQUEST_SMALL) + (query->in_full ? 0 : ANON_EXTRA);
        case NODE_OPERATION_COMMAND:
                return packet_to(contact, TEXT_HEAD + strlen(query->text));
        case NODE_OPERATION_REQUEST:
                return packet_to(contact, TAG_SIZE + query->data.size);
        case NODE_OPERATION_PATH:
                return packet_to(NULL, REQUEST_SMALL); /* by flood always */
        case NODE_OPERATION_TRACE:
                return PACKET_HEAD + TRACE_HEAD + query->data.size;
        case NODE_OPERATION_DISCOVER:
                return PACKET_HEAD + DISCOVER_SIZE;
        default:
                return packet_to(contact, REQUEST_SMALL);
        }
}

/* -- asking -------------------------------------------------------------------- */

static OutcomeCode check_trace(const NodeQuery *query, Outcome *ret) {
        size_t hops;

        if (query->data.size == 0)
                return outcome_set(ret, OUTCOME_INVALID_ARGUMENTS,
                                   "the path is empty; it names every hop, there and back");
        if (query->hash_size != 1 && query->hash_size != 2 && query->hash_size != 4 && query->hash_size != 8)
                return outcome_set(ret, OUTCOME_INVALID_ARGUMENTS, "each hop has 1, 2, 4 or 8 bytes, not %u",
                                   query->hash_size);

        hops = query->data.size / query->hash_size;
        if (hops > NODE_TRACE_HOPS_MAX || query->data.size > TRACE_SIZE_MAX)
                return outcome_set(ret, OUTCOME_INVALID_ARGUMENTS,
                                   "the path has %zu hops in %zu bytes; it can have %d in %d", hops,
                                   query->data.size, NODE_TRACE_HOPS_MAX, TRACE_SIZE_MAX);
        return OUTCOME_OK;
}

OutcomeCode mesh_check(const NodeQuery *query, Outcome *ret) {
        if (query->operation == NODE_OPERATION_TRACE)
                return check_trace(query, ret);
        if (query->types == 0)
                return outcome_set(ret, OUTCOME_INVALID_ARGUMENTS, "no kind of node is asked for");
        if (query->collect_usec < NODE_COLLECT_MIN_USEC || query->collect_usec > NODE_COLLECT_MAX_USEC)
                return outcome_set(ret, OUTCOME_INVALID_ARGUMENTS,
                                   "answers can be waited for from %" PRIu64 " to %" PRIu64 " s",
                                   NODE_COLLECT_MIN_USEC / USEC_PER_SEC,
                                   NODE_COLLECT_MAX_USEC / USEC_PER_SEC);
        return OUTCOME_OK;
}

uint32_t job_tag(const Job *job) {
        return (uint32_t) job->tag[0] | (uint32_t) job->tag[1] << 8 | (uint32_t) job->tag[2] << 16 |
               (uint32_t) job->tag[3] << 24;
}

static uint8_t log2_of(unsigned size) {
        return size == 8 ? 3 : size == 4 ? 2 : size == 2 ? 1 : 0;
}

int mesh_command(Job *job, Command *ret) {
        const NodeQuery *query = &job->query;
        uint32_t tag = g_random_int();

        for (unsigned i = 0; i < TAG_SIZE; i++)
                job->tag[i] = (uint8_t) (tag >> (8 * i));
        if (query->operation == NODE_OPERATION_TRACE)
                return command_send_trace_path(ret, tag, query->auth, log2_of(query->hash_size), query->data);

        if (!job->pages)
                job->pages = node_answer_new(NODE_OPERATION_DISCOVER, true);
        return command_discover_nodes(ret, query->prefix_only, query->types, tag,
                                      query->since > 0 ? &query->since : NULL);
}

/* -- answers ------------------------------------------------------------------- */

NodeAnswer *node_decode_trace(const Frame *frame) {
        NodeAnswer *answer = node_answer_new(NODE_OPERATION_TRACE, true);
        Slice hash;
        int8_t snr;

        for (size_t i = 0; i < frame->trace.n_hops; i++) {
                NodeRecord *record = node_answer_add(answer);

                trace_hop(frame, i, &hash, &snr);
                node_record_add_bytes(record, "Hash", NODE_VALUE_KEY, hash.data, hash.size);
                node_record_add_double(record, "Snr", snr / 4.0);
        }
        node_record_add_double(node_answer_add(answer), "Snr", frame->trace.final_snr_x4 / 4.0);
        return answer;
}

static bool answer_has_key(const NodeAnswer *answer, Slice key) {
        for (guint i = 0; i < answer->list->len; i++) {
                const NodeValue *value = node_record_get(answer->list->pdata[i], "Key");
                size_t size;
                const void *bytes = g_bytes_get_data(value->bytes, &size);

                if (memcmp(bytes, key.data, MIN(size, key.size)) == 0)
                        return true;
        }
        return false;
}

void node_decode_discovered(const Frame *frame, NodeAnswer *answer) {
        NodeRecord *record;

        if (answer->list->len >= DISCOVERED_MAX || answer_has_key(answer, frame->control.key))
                return;

        record = node_answer_add(answer);
        node_record_add_bytes(record, "Key", NODE_VALUE_KEY, frame->control.key.data,
                              frame->control.key.size);
        node_record_add_text(record, "Type", contact_type_to_string(frame->control.node_type),
                             strlen(contact_type_to_string(frame->control.node_type)));
        node_record_add_double(record, "Snr", frame->control.snr_x4 / 4.0);
        node_record_add_double(record, "SnrThere", frame->control.snr_in_x4 / 4.0);
        node_record_add_int(record, "Rssi", frame->control.rssi);
}

/* -- what nobody asked for ---------------------------------------------------------- */

static void tell_data(Radio *radio, const HeardData *data) {
        void *userdata;
        const RadioObserver *o = manager_observer(radio->manager, &userdata);

        if (o && o->data_heard)
                o->data_heard(radio, data, userdata);
}

static void tell_trace(Radio *radio, const Frame *frame) {
        void *userdata;
        const RadioObserver *o = manager_observer(radio->manager, &userdata);
        g_autoptr(NodeAnswer) answer = NULL;

        if (!o || !o->trace_heard)
                return;
        answer = node_decode_trace(frame);
        o->trace_heard(radio, answer, userdata);
}

void nodes_tell_heard(Nodes *nodes, const Frame *frame) {
        switch (frame->kind) {
        case FRAME_RAW_DATA:
                tell_data(nodes->radio, &(HeardData){.snr = frame->raw_data.snr_x4 / 4.0,
                                                     .rssi = frame->raw_data.rssi,
                                                     .bytes = frame->raw_data.payload});
                break;
        case FRAME_CONTROL_DATA:
                tell_data(nodes->radio, &(HeardData){.control = true,
                                                     .snr = frame->control.snr_x4 / 4.0,
                                                     .rssi = frame->control.rssi,
                                                     .bytes = frame->control.payload});
                break;
        case FRAME_TRACE:
                tell_trace(nodes->radio, frame);
                break;
        default:
                break;
        }
}
