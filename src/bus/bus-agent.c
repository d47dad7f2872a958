/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "bus-internal.h"
#include "log.h"
#include "utf8.h"

/* Clients that can ask a person for a PIN. The one who called Pair is asked first, then the one who
 * registered last; one that is gone or does not know what it is asked for is passed over. */

#define AGENT_INTERFACE "org.meshcored1.PairingAgent"
#define AGENTS_MAX      4 /* of one uid */
#define PASSKEY_LIMIT   999999

uint64_t bus_agent_usec = 60 * USEC_PER_SEC;

struct BusAgent {
        Bus *bus;
        GList link;
        char *sender, *path; /* sender NULL: without a bus daemon between */
        uid_t uid;
        sd_bus_track *track;
};

/* One radio's, to one agent after the other. */
struct BusQuestion {
        Bus *bus;
        GList link;
        Radio *radio;
        char *address, *why;
        GQueue agents;   /* BusAgent, those to be asked yet */
        BusAgent *agent; /* who is asked; NULL: it is gone */
        sd_bus_slot *slot;
        bool late; /* somebody did not answer in time */
};

static void question_next(BusQuestion *question);

/* -- agents -------------------------------------------------------------------- */

static void agent_free(BusAgent *agent) {
        Bus *bus = agent->bus;

        g_queue_unlink(&bus->agents, &agent->link);
        for (GList *l = bus->questions.head; l; l = l->next) {
                BusQuestion *question = l->data;

                g_queue_remove(&question->agents, agent);
                if (question->agent == agent)
                        question->agent = NULL; /* the bus ends the call */
        }
        sd_bus_track_unref(agent->track);
        g_free(agent->sender);
        g_free(agent->path);
        g_free(agent);
}

static int on_vanished(sd_bus_track *track, void *userdata) {
        BusAgent *agent = userdata;

        log_debug("The pairing agent %s is gone", agent->sender);
        agent_free(agent);
        return 1;
}

static BusAgent *find_agent(Bus *bus, const char *sender, const char *path) {
        for (GList *l = bus->agents.head; l; l = l->next) {
                BusAgent *agent = l->data;

                if (g_strcmp0(agent->sender, sender) == 0 && (!path || strcmp(agent->path, path) == 0))
                        return agent;
        }
        return NULL;
}

static int add_agent(Bus *bus, sd_bus_message *call, const char *path, uid_t uid) {
        const char *sender = sd_bus_message_get_sender(call);
        BusAgent *agent = g_new(BusAgent, 1);
        int r;

        *agent = (BusAgent){
                        .bus = bus,
                        .link = {.data = agent},
                        .sender = g_strdup(sender),
                        .path = g_strdup(path),
                        .uid = uid,
        };
        g_queue_push_head_link(&bus->agents, &agent->link);
        for (GList *l = bus->questions.head; l; l = l->next)
                g_queue_push_head(&((BusQuestion *) l->data)->agents, agent);
        if (!sender)
                return 0;

        r = sd_bus_track_new(bus->conn, &agent->track, on_vanished, agent);
        if (r >= 0)
                r = sd_bus_track_add_sender(agent->track, call);
        if (r < 0)
                agent_free(agent);
        return r;
}

int bus_method_register_agent(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        Bus *bus = userdata;
        const char *path;
        BusAgent *known;
        unsigned n = 0;
        uid_t uid;
        int r;

        r = sd_bus_message_read(call, "o", &path);
        if (r < 0)
                return bus_error_arguments(error, r);
        r = bus_authorize(bus, call, error);
        if (r <= 0)
                return r < 0 ? r : 1;
        r = bus_caller_uid(bus, call, &uid, error);
        if (r < 0)
                return r;

        known = find_agent(bus, sd_bus_message_get_sender(call), path);
        if (known)
                agent_free(known);
        for (GList *l = bus->agents.head; l; l = l->next)
                n += ((BusAgent *) l->data)->uid == uid;
        if (n >= AGENTS_MAX)
                return bus_error_set(error, OUTCOME_IN_PROGRESS, "This user has %i agents already",
                                     AGENTS_MAX);

        r = add_agent(bus, call, path, uid);
        if (r < 0)
                return bus_error_errno(error, r, "Cannot remember the agent");
        r = sd_bus_reply_method_return(call, NULL);
        manager_ask_pins(bus->manager);
        return r;
}

int bus_method_unregister_agent(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        Bus *bus = userdata;
        const char *path;
        BusAgent *agent;
        int r;

        r = sd_bus_message_read(call, "o", &path);
        if (r < 0)
                return bus_error_arguments(error, r);
        r = bus_authorize(bus, call, error);
        if (r <= 0)
                return r < 0 ? r : 1;

        agent = find_agent(bus, sd_bus_message_get_sender(call), path);
        if (!agent)
                return bus_error_set(error, OUTCOME_NOT_FOUND, "There is no such agent of this client");
        agent_free(agent);
        return sd_bus_reply_method_return(call, NULL);
}

/* -- questions ---------------------------------------------------------------------- */

static void question_free(BusQuestion *question) {
        g_queue_unlink(&question->bus->questions, &question->link);
        g_queue_clear(&question->agents);
        sd_bus_slot_unref(question->slot);
        g_free(question->address);
        g_free(question->why);
        g_free(question);
}

static void question_answer(BusQuestion *question, int error, uint32_t passkey) {
        Radio *radio = question->radio;

        question_free(question);
        radio_answer_pin(radio, error, passkey);
}

static void tell_cancel(BusQuestion *question) {
        g_autoptr(sd_bus_message) m = NULL;
        int r;

        if (!question->agent)
                return;

        r = sd_bus_message_new_method_call(question->bus->conn, &m, question->agent->sender,
                                           question->agent->path, AGENT_INTERFACE, "Cancel");
        if (r >= 0)
                r = sd_bus_message_set_expect_reply(m, false);
        if (r >= 0)
                r = sd_bus_send(question->bus->conn, m, NULL);
        if (r < 0)
                (void) log_debug_errno(r, "Cannot tell an agent that its answer is not wanted, ignoring");
}

static int on_passkey(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        BusQuestion *question = userdata;
        const sd_bus_error *e = sd_bus_message_get_error(reply);
        uint32_t passkey = 0;

        question->slot = sd_bus_slot_unref(question->slot);
        if (e) {
                log_debug("A pairing agent answers %s: %s", e->name, e->message ?: "");
                if (sd_bus_error_has_name(e, bus_error_name(OUTCOME_CANCELLED))) {
                        question_answer(question, -ECANCELED, 0);
                        return 0;
                }
                if (sd_bus_error_has_name(e, SD_BUS_ERROR_NO_REPLY)) {
                        question->late = question->agent;
                        tell_cancel(question);
                }
                question_next(question);
                return 0;
        }

        (void) sd_bus_message_sensitive(reply);
        if (sd_bus_message_read(reply, "u", &passkey) < 0 || passkey > PASSKEY_LIMIT) {
                log_debug("A pairing agent answers with what is no PIN");
                question_next(question);
        } else
                question_answer(question, 0, passkey);
        explicit_bzero(&passkey, sizeof(passkey));
        return 0;
}

static int append_question(sd_bus_message *m, BusQuestion *question) {
        g_autofree char *path = bus_path_radio(radio_id(question->radio));
        int r;

        r = sd_bus_message_append(m, "os", path, bus_text(question->address));
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "{sv}");
        if (r >= 0)
                r = bus_append_entry(m, "Id", "s", radio_id(question->radio));
        if (r >= 0)
                r = bus_append_entry(m, "Name", "s", bus_text(radio_info(question->radio)->name));
        if (r >= 0)
                r = bus_append_entry(m, "Reason", "s", question->why);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r;
}

static int question_ask(BusQuestion *question, BusAgent *agent) {
        sd_bus *conn = question->bus->conn;
        g_autoptr(sd_bus_message) m = NULL;
        int r;

        r = sd_bus_message_new_method_call(conn, &m, agent->sender, agent->path, AGENT_INTERFACE,
                                           "RequestPasskey");
        if (r >= 0)
                r = append_question(m, question);
        if (r >= 0)
                r = sd_bus_message_set_auto_start(m, false);
        if (r >= 0)
                r = sd_bus_call_async(conn, &question->slot, m, on_passkey, question, bus_agent_usec);
        return r;
}

/* Answers when nobody is left, but never before it has asked anybody. */
static void question_next(BusQuestion *question) {
        while ((question->agent = g_queue_pop_head(&question->agents))) {
                int r = question_ask(question, question->agent);

                if (r >= 0)
                        return;
                (void) log_debug_errno(r, "Cannot ask a pairing agent, ignoring it");
        }
        question_answer(question, question->late ? -ETIMEDOUT : -ENOENT, 0);
}

/* -- the radio's side -------------------------------------------------------------------- */

static bool ask(Radio *radio, const char *address, const char *why, void *userdata) {
        Bus *bus = userdata;
        BusRadio *self = bus_find_radio(bus, radio);
        BusAgent *first;
        BusQuestion *question;

        if (!self || !bus_can_emit(bus) || bus->agents.length == 0)
                return false;

        question = g_new(BusQuestion, 1);
        *question = (BusQuestion){
                        .bus = bus,
                        .link = {.data = question},
                        .radio = radio,
                        .address = utf8_repair(address, strlen(address)),
                        .why = g_strdup(why),
        };
        g_queue_push_tail_link(&bus->questions, &question->link);

        for (GList *l = bus->agents.head; l; l = l->next)
                g_queue_push_tail(&question->agents, l->data);
        first = self->pair_caller ? find_agent(bus, self->pair_caller, NULL) : NULL;
        if (first) {
                g_queue_remove(&question->agents, first);
                g_queue_push_head(&question->agents, first);
        }

        /* Sending fails when the connection does: then that is the end of everything here. */
        question->agent = g_queue_pop_head(&question->agents);
        if (question_ask(question, question->agent) < 0) {
                question_free(question);
                return false;
        }
        return true;
}

static BusQuestion *find_question(Bus *bus, Radio *radio) {
        for (GList *l = bus->questions.head; l; l = l->next)
                if (((BusQuestion *) l->data)->radio == radio)
                        return l->data;
        return NULL;
}

static void cancel(Radio *radio, void *userdata) {
        BusQuestion *question = find_question(userdata, radio);

        if (!question)
                return;
        tell_cancel(question);
        question_free(question);
}

void bus_agents_prefer(BusRadio *self) {
        BusQuestion *question = find_question(self->bus, self->radio);
        BusAgent *agent = find_agent(self->bus, self->pair_caller, NULL);

        if (!question || !agent ||
            (question->agent && g_strcmp0(question->agent->sender, self->pair_caller) == 0))
                return;

        tell_cancel(question);
        question->slot = sd_bus_slot_unref(question->slot);
        g_queue_remove(&question->agents, agent);
        g_queue_push_head(&question->agents, agent);
        question_next(question);
}

const PinAsker bus_pin_asker = {.ask = ask, .cancel = cancel};

void bus_agents_detach(Bus *bus) {
        BusQuestion *question;
        BusAgent *agent;

        while ((question = g_queue_peek_head(&bus->questions)))
                question_answer(question, -ENOENT, 0);
        while ((agent = g_queue_peek_head(&bus->agents)))
                agent_free(agent);
}
