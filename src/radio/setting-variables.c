/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Custom variables: what a board's sensors can be told, "gps" among them. */

#include <string.h>

#include "setting-internal.h"
#include "utf8.h"

#define VARIABLES_LEVEL 5

typedef struct VariablesRequest {
        Request request;
        GArray *variables; /* RadioVariable */
        radio_variables_done_t done;
        void *userdata;
} VariablesRequest;

static void variable_clear(gpointer data) {
        RadioVariable *variable = data;

        g_free(variable->name);
        g_free(variable->value);
}

static void variables_answer(Request *request, const Frame *frame) {
        VariablesRequest *v = (VariablesRequest *) request;
        Slice list = frame->custom_vars.list, name, value;

        while (custom_vars_next(&list, &name, &value)) {
                RadioVariable variable = {utf8_repair(name.data, name.size),
                                          utf8_repair(value.data, value.size)};

                g_array_append_val(v->variables, variable);
        }
        request_succeed(request);
}

static void variables_start(Request *request, const Frame *frame) {
        Command command;

        if (request->radio->info.level < VARIABLES_LEVEL) {
                request_fail(request, OUTCOME_NOT_SUPPORTED, "that takes firmware 1.6 or newer");
                return;
        }

        (void) command_get_custom_vars(&command);
        request_call(request, &command, variables_answer);
}

static void variables_done(Request *request, const Outcome *outcome) {
        VariablesRequest *v = (VariablesRequest *) request;

        v->done(request->radio, outcome, (const RadioVariable *) (void *) v->variables->data,
                v->variables->len, v->userdata);
        g_array_unref(v->variables);
        g_free(v);
}

static const RequestKind get_kind = {
                .what = "cannot read the custom variables",
                .start = variables_start,
                .done = variables_done,
};

void radio_get_variables(Radio *radio, radio_variables_done_t done, void *userdata) {
        VariablesRequest *v = g_new0(VariablesRequest, 1);

        v->variables = g_array_new(false, false, sizeof(RadioVariable));
        g_array_set_clear_func(v->variables, variable_clear);
        v->done = done;
        v->userdata = userdata;
        request_submit(radio, &v->request, &get_kind);
}

/* -- set ------------------------------------------------------------------------------ */

static const RequestKind set_kind = {
                .what = "cannot set the custom variable",
                .start = setting_start,
                .done = setting_done,
};

void radio_set_variable(Radio *radio, const char *name, const char *value, radio_done_t done,
                        void *userdata) {
        Setting *s = setting_new(sizeof(Setting), done, userdata);
        g_auto(Outcome) outcome = {};

        s->level = VARIABLES_LEVEL;
        s->release = "1.6";
        if (strlen(name) + strlen(value) > RADIO_VARIABLE_MAX)
                (void) outcome_set(&outcome, OUTCOME_INVALID_ARGUMENTS,
                                   "name and value together have at most %d bytes", RADIO_VARIABLE_MAX);
        else if (command_set_custom_var(&s->command, name, value) < 0)
                (void) outcome_set(
                                &outcome, OUTCOME_INVALID_ARGUMENTS,
                                "a variable has a name without ':', and a value; both with at least 1 byte");
        setting_submit(radio, s, &set_kind, &outcome);
}
