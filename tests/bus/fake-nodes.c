/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fake-radio-internal.h"
#include "node-api.h"

/* node-api.h: questions wait until the test answers. */

struct NodeRequest {
        Radio *radio;
        NodeQuery query;
        char *text;
        uint8_t *data;
        node_done_t done;
        void *userdata;
        bool cancelled, running;
};

static NodeState state = {.permissions = "none"};

static void request_free(NodeRequest *request) {
        g_free(request->text);
        g_free(request->data);
        g_free(request);
}

NodeRequest *radio_request_node(Radio *radio, const NodeQuery *query, node_done_t done, void *userdata) {
        NodeRequest *request = g_new0(NodeRequest, 1);

        *request = (NodeRequest){
                        .radio = radio,
                        .query = *query,
                        .text = g_strdup(query->text),
                        .data = g_memdup2(query->data.data, query->data.size),
                        .done = done,
                        .userdata = userdata,
        };
        g_queue_push_tail(&radio->node_requests, request);
        return request;
}

void node_request_cancel(NodeRequest *request) {
        request->cancelled = true;
}

NodeRequestState node_request_state(const NodeRequest *request) {
        return request->running ? NODE_REQUEST_RUNNING : NODE_REQUEST_QUEUED;
}

uint64_t node_request_deadline(const NodeRequest *request) {
        return request->running ? 1234567 : 0;
}

const NodeState *radio_node_state(Radio *radio, const PublicKey *key) {
        return &state;
}

NodeState *fake_radio_node_state(void) {
        return &state;
}

unsigned fake_radio_n_node_requests(Radio *radio) {
        return g_queue_get_length(&radio->node_requests);
}

const NodeQuery *fake_radio_node_query(Radio *radio) {
        NodeRequest *request = g_queue_peek_head(&radio->node_requests);

        request->query.text = request->text;
        request->query.data.data = request->data;
        return &request->query;
}

bool fake_radio_node_cancelled(Radio *radio) {
        NodeRequest *request = g_queue_peek_head(&radio->node_requests);

        return request->cancelled;
}

void fake_radio_run_node_request(Radio *radio) {
        NodeRequest *request = g_queue_peek_head(&radio->node_requests);

        request->running = true;
        request->query.changed(request->userdata);
}

void fake_radio_answer_node(Radio *radio, OutcomeCode code, NodeAnswer *answer) {
        NodeRequest *request = g_queue_pop_head(&radio->node_requests);
        g_auto(Outcome) outcome = {};

        if (code != OUTCOME_OK)
                (void) outcome_set(&outcome, code, "as the test says");
        else if (radio->manager->observer && radio->manager->observer->node_answered)
                radio->manager->observer->node_answered(radio, &request->query.key, answer,
                                                        radio->manager->userdata);
        request->done(radio, &outcome, answer, request->userdata);
        request_free(request);
}

void fake_radio_tell_node(Radio *radio, const PublicKey *key, unsigned what) {
        radio->manager->observer->node_changed(radio, key, what, radio->manager->userdata);
}
