/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>
#include <syslog.h>

#include "clock.h"
#include "macros.h"
#include "node-internal.h"
#include "sha256.h"

/* What is known of nodes: who we are to them, and their last answers. */

/* A wrong password is answered by silence, as is a login that got lost: the second time we believe it. */
#define SILENCES_MAX     2
#define REFUSED_FOR_USEC (5 * USEC_PER_MINUTE)

void node_wipe(char *secret) {
        if (secret)
                explicit_bzero(secret, strlen(secret));
        g_free(secret);
}

void node_free(void *p) {
        Node *node = p;

        node_wipe(node->password);
        node_answer_unref(node->state.status);
        node_answer_unref(node->state.telemetry);
        g_free(node);
}

Node *nodes_get(Nodes *nodes, const PublicKey *key) {
        Node *node = g_hash_table_lookup(nodes->nodes, key);

        if (!node) {
                node = g_new0(Node, 1);
                node->state.permissions = "none";
                g_hash_table_insert(nodes->nodes, g_memdup2(key, sizeof(*key)), node);
        }
        return node;
}

const NodeState *radio_node_state(Radio *radio, const PublicKey *key) {
        static const NodeState unknown = {.permissions = "none"};
        const Node *node = g_hash_table_lookup(radio->nodes->nodes, key);

        return node ? &node->state : &unknown;
}

static void nodes_notify(Nodes *nodes, const PublicKey *key, NodeChange what) {
        void *userdata;
        const RadioObserver *o = manager_observer(nodes->radio->manager, &userdata);

        if (o && o->node_changed)
                o->node_changed(nodes->radio, key, what, userdata);
}

static void nodes_notify_answer(Nodes *nodes, const PublicKey *key, const NodeAnswer *answer) {
        void *userdata;
        const RadioObserver *o = manager_observer(nodes->radio->manager, &userdata);

        if (o && o->node_answered)
                o->node_answered(nodes->radio, key, answer, userdata);
}

/* -- login ----------------------------------------------------------------- */

static void hash_login(const NodeQuery *query, uint8_t ret[SHA256_SIZE]) {
        const Slice parts[] = {
                        {query->key.bytes, sizeof(query->key.bytes)},
                        {(const uint8_t *) query->text, strlen(query->text)},
        };

        sha256(parts, ELEMENTSOF(parts), ret);
}

bool nodes_refuses_login(Nodes *nodes, const NodeQuery *query, Outcome *ret) {
        const Node *node = g_hash_table_lookup(nodes->nodes, &query->key);
        uint64_t now = clock_boottime_usec();
        uint8_t hash[SHA256_SIZE];

        if (!node || query->insist || node->refused_usec == 0 || now - node->refused_usec > REFUSED_FOR_USEC)
                return false;
        hash_login(query, hash);
        if (memcmp(hash, node->refused, sizeof(hash)) != 0)
                return false;

        (void) outcome_set(
                        ret, OUTCOME_LOGIN_FAILED,
                        "cannot log in: this password was not accepted a moment ago%s; try another one, or "
                        "the same again in %" PRIu64 " s",
                        node->silences > 0 ? " (the node gave no answer, twice)" : "",
                        (node->refused_usec + REFUSED_FOR_USEC - now) / USEC_PER_SEC + 1);
        return true;
}

static void node_log_out(Node *node) {
        node->state.logged_in = false;
        node->state.permissions = "none";
}

static void node_forget_login(Node *node) {
        node_log_out(node);
        node_wipe(g_steal_pointer(&node->password));
}

void nodes_login_failed(Job *job, bool answered) {
        Nodes *nodes = job->radio->nodes;
        Node *node = nodes_get(nodes, &job->query.key);
        uint8_t hash[SHA256_SIZE];

        hash_login(&job->query, hash);
        if (memcmp(hash, node->refused, sizeof(hash)) != 0)
                node->silences = 0;
        memcpy(node->refused, hash, sizeof(hash));
        node->silences = answered ? 0 : node->silences + 1;
        if (!answered && node->silences < SILENCES_MAX)
                return;

        node->refused_usec = clock_boottime_usec();
        radio_log_about(job->radio, LOG_NOTICE, 0, &job->query.key, "nodes",
                        "node %.16s… does not let us in with the password given",
                        key_to_text(&job->query.key).text);
        if (g_strcmp0(node->password, job->query.text) == 0) {
                /* One that has worked is not wrong because the node is out of reach. */
                if (answered)
                        node_forget_login(node);
                else
                        node_log_out(node);
                nodes_notify(nodes, &job->query.key, NODE_CHANGED_LOGIN);
        }
}

static void node_heard(Node *node) {
        node->resume_usec = clock_boottime_usec() + radio_timing.room_silence_usec;
}

static void remember_login(Job *job, Node *node, const NodeAnswer *answer) {
        static const char *const known[] = {"guest", "read-only", "read-write", "admin"};
        const NodeValue *permissions = node_record_get(answer->record, "Permissions");
        const NodeValue *level = node_record_get(answer->record, "FeatureLevel");

        node->state.logged_in = true;
        for (size_t i = 0; i < ELEMENTSOF(known); i++)
                if (g_str_equal(permissions->text, known[i]))
                        node->state.permissions = known[i];
        node->feature_level = level ? (uint8_t) level->number : 0;
        node->refused_usec = 0;
        node->silences = 0;
        node_heard(node);
        if (g_strcmp0(node->password, job->query.text) != 0) {
                node_wipe(node->password);
                node->password = g_strdup(job->query.text);
        }
}

/* -- answers ------------------------------------------------------------------ */

static void remember(NodeAnswer **last, uint64_t *usec, NodeAnswer *answer) {
        node_answer_unref(*last);
        *last = node_answer_ref(answer);
        *usec = clock_realtime_usec();
}

void nodes_remember(Job *job, NodeAnswer *answer) {
        Nodes *nodes = job->radio->nodes;
        Node *node;

        switch (answer->operation) {
        case NODE_OPERATION_LOGIN:
                remember_login(job, nodes_get(nodes, &job->query.key), answer);
                nodes_watch_rooms(nodes);
                nodes_notify(nodes, &job->query.key, NODE_CHANGED_LOGIN);
                break;
        case NODE_OPERATION_LOGOUT:
                node_forget_login(nodes_get(nodes, &job->query.key));
                nodes_notify(nodes, &job->query.key, NODE_CHANGED_LOGIN);
                break;
        case NODE_OPERATION_STATUS:
                node = nodes_get(nodes, &job->query.key);
                remember(&node->state.status, &node->state.status_usec, answer);
                nodes_notify(nodes, &job->query.key, NODE_CHANGED_STATUS);
                break;
        case NODE_OPERATION_TELEMETRY:
                node = nodes_get(nodes, &job->query.key);
                remember(&node->state.telemetry, &node->state.telemetry_usec, answer);
                nodes_notify(nodes, &job->query.key, NODE_CHANGED_TELEMETRY);
                break;
        default:
                break;
        }
        nodes_notify_answer(nodes, &job->query.key, answer);
}

/* -- rooms --------------------------------------------------------------------- */

static void node_log_in_again(Nodes *nodes, const PublicKey *key);

/* There is no air for it now. */
static void node_put_off(Nodes *nodes, Node *node) {
        uint64_t wait = governor_wait(nodes->radio, AIRTIME_POLL, packet_to(NULL, NODE_PASSWORD_MAX));

        node->resume_usec = clock_boottime_usec() + MAX(wait, USEC_PER_MINUTE);
        nodes_watch_rooms(nodes);
}

static void logged_in_again(Radio *radio, const Outcome *outcome, NodeAnswer *answer, void *userdata) {
        g_autofree PublicKey *key = userdata;
        Node *node = g_hash_table_lookup(radio->nodes->nodes, key);

        if (outcome->code == OUTCOME_RATE_LIMITED && node)
                node_put_off(radio->nodes, node);
        else if (outcome->code == OUTCOME_OK)
                radio_log_about(radio, LOG_DEBUG, 0, key, "nodes", "logged in to room %.16s… again",
                                key_to_text(key).text);
        else if (outcome->code == OUTCOME_TIMEOUT && radio->nodes->started && node && node->password &&
                 node->silences < SILENCES_MAX)
                node_log_in_again(radio->nodes, key);
        else
                radio_log_about(radio, LOG_INFO, 0, key, "nodes", "not logged in to room %.16s… again: %s",
                                key_to_text(key).text, outcome->message);
}

static void node_log_in_again(Nodes *nodes, const PublicKey *key) {
        const Node *node = nodes_get(nodes, key);
        const NodeQuery query = {
                        .operation = NODE_OPERATION_LOGIN,
                        .key = *key,
                        .poll = true,
                        .insist = true, /* it has worked */
                        .text = node->password,
                        .uid = UINT32_MAX, /* nobody's, so that it counts for nobody */
        };

        (void) radio_request_node(nodes->radio, &query, logged_in_again, g_memdup2(key, sizeof(*key)));
}

/* Whose posts are wanted. */
static bool node_is_watched(Nodes *nodes, const PublicKey *key, const Node *node) {
        const Contact *contact = identity_get_contact(nodes->radio->identity, key);

        return contact && contact->type == CONTACT_ROOM && node->password;
}

/* Logs in to all rooms, or to those that have been silent for too long. */
static void resume_rooms(Nodes *nodes, bool all) {
        uint64_t now = clock_boottime_usec();
        GHashTableIter iter;
        const PublicKey *key;
        Node *node;

        g_hash_table_iter_init(&iter, nodes->nodes);
        while (g_hash_table_iter_next(&iter, (void **) &key, (void **) &node))
                if (node_is_watched(nodes, key, node) && (all || node->resume_usec <= now)) {
                        node_heard(node); /* the next time, whatever comes of this */
                        node_log_in_again(nodes, key);
                }
        nodes_watch_rooms(nodes);
}

/* Wire reference 6.13: only a login makes a room send its posts again. The radio tells it which ones it has
 * already. */
void nodes_resume(Nodes *nodes) {
        resume_rooms(nodes, true);
}

/* A room that restarted, or gave up on us after three posts without an acknowledgement, says nothing until
 * it hears of us. One without posts cannot be told from it. */
static int on_silence(sd_event_source *source, uint64_t usec, void *userdata) {
        resume_rooms(userdata, false);
        return 0;
}

void nodes_watch_rooms(Nodes *nodes) {
        uint64_t next = UINT64_MAX;
        GHashTableIter iter;
        const PublicKey *key;
        const Node *node;

        nodes->silence = sd_event_source_disable_unref(nodes->silence);
        if (!nodes->started)
                return;

        g_hash_table_iter_init(&iter, nodes->nodes);
        while (g_hash_table_iter_next(&iter, (void **) &key, (void **) &node))
                if (node_is_watched(nodes, key, node))
                        next = MIN(next, node->resume_usec);
        if (next < UINT64_MAX &&
            sd_event_add_time(manager_event(nodes->radio->manager), &nodes->silence, CLOCK_BOOTTIME, next,
                              radio_timing.room_silence_usec / 100, on_silence, nodes) < 0)
                radio_log(nodes->radio, LOG_ERR, 0, "cannot watch for rooms that have fallen silent");
}

void nodes_post(Nodes *nodes, const uint8_t prefix[KEY_PREFIX_SIZE]) {
        GHashTableIter iter;
        const PublicKey *key;
        Node *node;

        g_hash_table_iter_init(&iter, nodes->nodes);
        while (g_hash_table_iter_next(&iter, (void **) &key, (void **) &node))
                if (memcmp(key->bytes, prefix, KEY_PREFIX_SIZE) == 0)
                        node_heard(node);
}
