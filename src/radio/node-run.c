/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "clock.h"
#include "contact-internal.h"
#include "macros.h"
#include "node-internal.h"

/* One job from its command to the node's answer. */

#define MARGIN_NUM   5 /* 5/4 of the radio's estimate, wire reference 7.5 */
#define MARGIN_DEN   4
#define BUSY_TRIES   10
#define PAGE_TRIES   2
#define PAGE_COUNT   40 /* more than fit into one answer */
#define LEVEL_BINARY 7  /* SEND_BINARY_REQ */

const char *job_what(const Job *job) {
        static const char *const texts[_NODE_OPERATION_MAX] = {
                        [NODE_OPERATION_LOGIN] = "cannot log in",
                        [NODE_OPERATION_LOGOUT] = "cannot log out",
                        [NODE_OPERATION_STATUS] = "cannot get the status",
                        [NODE_OPERATION_TELEMETRY] = "cannot get the telemetry",
                        [NODE_OPERATION_MIN_MAX_AVG] = "cannot get the minima and maxima",
                        [NODE_OPERATION_ACCESS_LIST] = "cannot get the access list",
                        [NODE_OPERATION_NEIGHBOURS] = "cannot get the neighbours",
                        [NODE_OPERATION_OWNER] = "cannot get the owner",
                        [NODE_OPERATION_REGIONS] = "cannot get the regions",
                        [NODE_OPERATION_BASIC] = "cannot get the basic information",
                        [NODE_OPERATION_COMMAND] = "cannot run the command",
                        [NODE_OPERATION_REQUEST] = "the request failed",
                        [NODE_OPERATION_PATH] = "cannot find the path",
                        [NODE_OPERATION_TRACE] = "cannot trace the path",
                        [NODE_OPERATION_DISCOVER] = "cannot look for nodes",
        };

        return texts[job->query.operation];
}

/* -- before it is queued --------------------------------------------------------- */

static OutcomeCode check_size(const char *what, size_t size, size_t min, size_t max, Outcome *ret) {
        if (size >= min && size <= max)
                return OUTCOME_OK;
        return outcome_set(ret, OUTCOME_INVALID_ARGUMENTS, "%s has %zu bytes instead of %zu to %zu", what,
                           size, min, max);
}

OutcomeCode job_check(Radio *radio, const NodeQuery *query, Outcome *ret) {
        if (node_operation_is_general(query->operation))
                return mesh_check(query, ret);
        if (!identity_get_contact(radio->identity, &query->key))
                return outcome_set(ret, OUTCOME_NOT_FOUND, "there is no such contact");

        switch (query->operation) {
        case NODE_OPERATION_LOGIN:
                return check_size("the password", strlen(query->text), 0, NODE_PASSWORD_MAX, ret);
        case NODE_OPERATION_COMMAND:
                return check_size("the command", strlen(query->text), 1, NODE_COMMAND_MAX, ret);
        case NODE_OPERATION_REQUEST:
                return check_size("the request", query->data.size, 1, NODE_REQUEST_MAX, ret);
        case NODE_OPERATION_MIN_MAX_AVG:
                if (query->start_secs_ago <= query->end_secs_ago)
                        return outcome_set(ret, OUTCOME_INVALID_ARGUMENTS,
                                           "the span must begin before it ends");
                return OUTCOME_OK;
        case NODE_OPERATION_NEIGHBOURS:
                if (query->order >= _NEIGHBOUR_ORDER_MAX || query->prefix_length > PUBLIC_KEY_SIZE)
                        return outcome_set(
                                        ret, OUTCOME_INVALID_ARGUMENTS,
                                        "the prefix has at most %d bytes, and the order is newest, oldest, "
                                        "strongest or weakest",
                                        PUBLIC_KEY_SIZE);
                return OUTCOME_OK;
        default:
                return OUTCOME_OK;
        }
}

/* -- commands ---------------------------------------------------------------------- */

static void job_fail_timeout(Job *job, const char *why) {
        job_fail(job, OUTCOME_TIMEOUT, "%s", why);
}

static int on_pause_over(sd_event_source *source, uint64_t usec, void *userdata) {
        Job *job = userdata;

        job->timer = sd_event_source_disable_unref(job->timer);
        job_send(job);
        return 0;
}

static void job_arm(Job *job, uint64_t usec, sd_event_time_handler_t handler) {
        int r;

        job->timer = sd_event_source_disable_unref(job->timer);
        r = sd_event_add_time_relative(manager_event(job->radio->manager), &job->timer, CLOCK_BOOTTIME, usec,
                                       0, handler, job);
        if (r < 0)
                job_fail(job, OUTCOME_FAILED, "%s", g_strerror(-r));
}

static void job_refused(Job *job, unsigned error) {
        NodeOperation operation = job->query.operation;
        g_auto(Outcome) outcome = {};

        governor_give_back(job->radio, job->spent);
        job->spent = 0;
        if (error == ERR_TABLE_FULL && ++job->busy < BUSY_TRIES) {
                job->state = JOB_PAUSING;
                job_arm(job, radio_timing.busy_wait_usec, on_pause_over);
                return;
        }
        if (error == ERR_UNSUPPORTED_CMD && !job->query.legacy &&
            (operation == NODE_OPERATION_STATUS || operation == NODE_OPERATION_TELEMETRY)) {
                job->query.legacy = true;
                job_send(job);
                return;
        }
        if (error == ERR_NOT_FOUND && !node_operation_is_general(operation)) {
                (void) book_note_removed(job->radio, &job->query.key);
                job_fail(job, OUTCOME_NOT_FOUND, "%s", REMOVED_ELSEWHERE);
                return;
        }

        (void) outcome_set_firmware(&outcome, error, job_what(job));
        job_end(job, &outcome, NULL);
}

static void job_reply(Session *session, const SessionReply *reply, void *userdata) {
        Job *job = userdata;
        bool take_errors = job->take_errors;

        job->calling = job->take_errors = false;
        if (job->state == JOB_RESTORING && reply->result != SESSION_REPLY) {
                job_restore_later(job);
                return;
        }
        if (job->state != JOB_RESTORING && job->requests.length == 0) {
                /* Given up meanwhile. */
                job_tidy(job);
                return;
        }

        switch (reply->result) {
        case SESSION_REPLY:
                if (reply->frame->code == RESP_ERR && !take_errors)
                        job_refused(job, reply->frame->error.code);
                else
                        job->step(job, reply->frame);
                break;
        case SESSION_MALFORMED:
                job_fail(job, OUTCOME_FAILED, "the radio's answer makes no sense");
                break;
        case SESSION_TIMEOUT:
                job_fail_timeout(job, "the radio itself did not answer");
                break;
        case SESSION_CLOSED:
                if (job->radio->state == RADIO_STOPPED)
                        job_fail(job, OUTCOME_CANCELLED, "the radio was stopped");
                else
                        job_fail(job, OUTCOME_LINK_LOST, "the link to the radio was lost");
                break;
        }
}

int job_call(Job *job, const Command *command, job_step_t step) {
        int r;

        job->step = step;
        if (!job->radio->session)
                return -ENOTCONN;
        r = session_call(job->radio->session, command, job->query.poll ? SESSION_BACKGROUND : SESSION_PERSON,
                         job_reply, job);
        job->calling = r >= 0;
        return r;
}

/* r: of the encoder. */
void job_call_or_fail(Job *job, int r, const Command *command, job_step_t step) {
        g_auto(Outcome) outcome = {};

        if (r >= 0)
                r = command_check_size(command, job->radio->info.level);
        if (r >= 0) {
                job->state = JOB_CALLING;
                r = job_call(job, command, step);
        }
        if (r >= 0 && step == job_sent) {
                job->spent = job_packet_size(job);
                governor_spend(job->radio, job->spent);
        }
        if (r < 0) {
                (void) outcome_set_errno(&outcome, r, job_what(job));
                job_end(job, &outcome, NULL);
        }
}

/* -- on air ------------------------------------------------------------------------ */

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata) {
        Job *job = userdata;

        job->timer = sd_event_source_disable_unref(job->timer);
        switch (job->query.operation) {
        case NODE_OPERATION_LOGIN:
                nodes_login_failed(job, false);
                job_fail_timeout(job, "no answer in time: the node is out of reach, or the password is "
                                      "wrong, which "
                                      "nodes answer by silence");
                break;
        case NODE_OPERATION_NEIGHBOURS:
                if (++job->retries < PAGE_TRIES)
                        job_send(job);
                else
                        job_fail_timeout(job, "no answer in time to one of the pages");
                break;
        case NODE_OPERATION_TRACE:
                job_fail_timeout(job, "nothing came back: a hop is out of reach of the one before it, or the "
                                      "last one of us");
                break;
        case NODE_OPERATION_DISCOVER:
                job_answer(job, g_steal_pointer(&job->pages));
                break;
        case NODE_OPERATION_COMMAND:
                job_fail_timeout(job,
                                 "no answer in time; some commands have none, and without being logged in as "
                                 "admin there is never one");
                break;
        default:
                job_fail_timeout(job,
                                 "no answer in time; the node is out of reach, or does not answer this to "
                                 "somebody with our rights");
                break;
        }
        return 0;
}

static void job_await(Job *job, uint64_t wait) {
        job->state = JOB_ON_AIR;
        job->deadline_usec = clock_realtime_usec() + wait;
        job_changed(job);
        job_arm(job, wait, on_deadline);
}

void job_sent(Job *job, const Frame *frame) {
        uint64_t wait;

        if (frame->kind == FRAME_OK && job->query.operation == NODE_OPERATION_LOGOUT) {
                g_autoptr(NodeAnswer) answer = node_answer_new(NODE_OPERATION_LOGOUT, false);
                const Outcome outcome = {};

                nodes_remember(job, answer);
                job_end(job, &outcome, answer);
                return;
        }
        if (frame->kind == FRAME_OK && job->query.operation == NODE_OPERATION_DISCOVER) {
                job_await(job, job->query.collect_usec);
                return;
        }
        if (frame->kind != FRAME_SENT) {
                job_fail(job, OUTCOME_FAILED, "the radio's answer makes no sense");
                return;
        }

        memcpy(job->tag, frame->sent.tag, TAG_SIZE);
        wait = (uint64_t) frame->sent.est_timeout_ms * USEC_PER_MSEC * MARGIN_NUM / MARGIN_DEN;
        /* The estimate of a text is for an acknowledgement; an answer is another text. */
        if (job->query.operation == NODE_OPERATION_COMMAND)
                wait *= 2;
        job_await(job, MAX(wait, radio_timing.node_wait_usec));
}

/* -- the command line of a node ------------------------------------------------------- */

/* Wire reference 6.6: servers repeat two characters before a bar. */
static void send_command(Job *job) {
        static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
        Nodes *nodes = job->radio->nodes;
        g_autofree char *text = NULL;
        Command command;
        unsigned n;
        int r;

        n = nodes->last_tag++ % (36 * 36);
        job->cli_tag[0] = digits[n / 36];
        job->cli_tag[1] = digits[n % 36];
        text = strlen(job->query.text) >= 2 ? g_strdup_printf("%s|%s", job->cli_tag, job->query.text)
                                            : g_strdup(job->query.text);
        nodes->last_timestamp = MAX(radio_clock(job->radio), nodes->last_timestamp + 1);
        r = command_send_text(&command, TEXT_CLI_DATA, 0, nodes->last_timestamp, job->query.key.bytes, text);
        node_wipe(g_steal_pointer(&text));
        job_call_or_fail(job, r, &command, job_sent);
        explicit_bzero(&command, sizeof(command));
}

/* -- sending --------------------------------------------------------------------------- */

void job_send(Job *job) {
        const PublicKey *key = &job->query.key;
        bool legacy = job->query.legacy ||
                      (job->radio->info.level > 0 && job->radio->info.level < LEVEL_BINARY);
        NeighboursQuery neighbours = {
                        .count = PAGE_COUNT,
                        .offset = (uint16_t) job->offset,
                        .order = (NeighbourOrder) job->query.order,
                        .prefix_length = job->query.prefix_length ?: NODE_PREFIX_LENGTH,
                        .random = g_random_int(),
        };
        Command command;
        int r;

        if (job->query.operation == NODE_OPERATION_COMMAND) {
                send_command(job);
                return;
        }
        if (job_is_anonymous(job)) {
                job_send_anonymous(job);
                return;
        }

        switch (job->query.operation) {
        case NODE_OPERATION_LOGIN:
                r = command_send_login(&command, key, job->query.text);
                break;
        case NODE_OPERATION_LOGOUT:
                r = command_logout(&command, key);
                break;
        case NODE_OPERATION_STATUS:
                r = legacy ? command_send_status_req(&command, key)
                           : command_send_binary_req(&command, key, BINARY_STATUS, (Slice){});
                break;
        case NODE_OPERATION_TELEMETRY:
                r = legacy ? command_send_telemetry_req(&command, key)
                           : command_request_telemetry(&command, key, 0xFF, g_random_int());
                break;
        case NODE_OPERATION_MIN_MAX_AVG:
                r = command_request_mma(&command, key, job->query.start_secs_ago, job->query.end_secs_ago);
                break;
        case NODE_OPERATION_ACCESS_LIST:
                r = command_request_access_list(&command, key);
                break;
        case NODE_OPERATION_NEIGHBOURS:
                r = command_request_neighbours(&command, key, &neighbours);
                break;
        case NODE_OPERATION_OWNER:
                r = command_send_binary_req(&command, key, BINARY_OWNER_INFO, (Slice){});
                break;
        case NODE_OPERATION_REQUEST:
                r = command_send_binary_req(&command, key, job->query.data.data[0],
                                            (Slice){job->query.data.data + 1, job->query.data.size - 1});
                break;
        case NODE_OPERATION_PATH:
                r = command_send_path_discovery_req(&command, key);
                break;
        case NODE_OPERATION_TRACE:
        case NODE_OPERATION_DISCOVER:
                r = mesh_command(job, &command);
                break;
        default:
                g_assert_not_reached();
        }

        job_call_or_fail(job, r, &command, job_sent);
        explicit_bzero(&command, sizeof(command)); /* a password may be in it */
}

static void swapped_in(Radio *radio, const Outcome *outcome, void *userdata) {
        Job *job = userdata;

        job->state = JOB_CALLING;
        if (job->requests.length == 0)
                job_tidy(job);
        else if (outcome->code != OUTCOME_OK)
                job_end(job, outcome, NULL);
        else
                job_send(job);
}

void job_start(Job *job) {
        const Contact *contact = identity_get_contact(job->radio->identity, &job->query.key);

        if (node_operation_is_general(job->query.operation)) {
                job_send(job);
                return;
        }
        if (!contact) {
                job_fail(job, OUTCOME_NOT_FOUND, "the contact was removed meanwhile");
                return;
        }

        job->type = contact->type;
        if (contact->on_radio) {
                job_send(job);
                return;
        }
        job->state = JOB_SWAPPING;
        contact_swap_in(job->radio, &job->query.key, swapped_in, job);
}
