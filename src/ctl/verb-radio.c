/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>

#include "autobus.h"
#include "format.h"
#include "objects.h"
#include "progress.h"
#include "verbs.h"
#include "watch.h"

/* Calls a method of the one radio that is meant: the word, --radio, or the only one. */
static ExitCode call_radio(const CtlOptions *options, const Args *args, const char *method,
                           uint64_t timeout_usec, sd_bus_message **ret_reply, char **ret_id) {
        CtlOptions chosen = *options;
        g_autoptr(Objects) objects = NULL;
        g_autoptr(Client) client = NULL;
        const char *radio;
        ExitCode code;

        if (args_count(args) > 0)
                chosen.radio = args_word(args, 0);
        code = client_open(options, &client);
        if (code == EXIT_CODE_OK)
                code = objects_load(client, &objects);
        if (code == EXIT_CODE_OK)
                code = objects_radio(objects, &chosen, &radio);
        if (code == EXIT_CODE_OK)
                code = client_call(client, timeout_usec, ret_reply, radio, IFACE_RADIO, method, NULL);
        if (code == EXIT_CODE_OK && ret_id)
                *ret_id = g_strdup(objects_radio_id(objects, radio));
        return code;
}

/* -- start ------------------------------------------------------------------ */

typedef struct Starter {
        CtlOptions options;
        Client *client;
        Objects *objects;
        char *radio; /* path, once it was told to start */
        Progress progress;
} Starter;

static void starter_clear(Starter *s) {
        g_clear_pointer(&s->radio, g_free);
        s->objects = objects_free(s->objects);
        s->client = client_free(s->client);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Starter, starter_clear)

/* The state that a signal told may be one of before the call. */
static bool is_still(const Starter *s, const char *state) {
        _cleanup_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        g_autofree char *now = NULL;

        return sd_bus_get_property_string(client_bus(s->client), CTL_SERVICE, s->radio, IFACE_RADIO, "State",
                                          &error, &now) < 0 ||
               strcmp(now, state) == 0;
}

static void show_progress(Starter *s, JsonObject *radio) {
        const char *id = json_string(radio, "Id"), *state = json_string(radio, "State");
        int64_t total = json_int(radio, "SyncTotal");

        if (total > 0)
                progress_show(&s->progress, "%s: %s, %" G_GINT64_FORMAT " of %" G_GINT64_FORMAT, id, state,
                              json_int(radio, "SyncDone"), total);
        else
                progress_show(&s->progress, "%s: %s", id, state);
}

static ExitCode tell_failure(JsonObject *radio) {
        const char *id = json_string(radio, "Id"), *reason = json_string(radio, "Reason");
        const char *error = json_string(radio, "LastErrorMessage");
        const char *why = *error ? error : reason_advice(reason);

        if (strcmp(json_string(radio, "State"), "stopped") == 0)
                return ctl_fail(EXIT_CODE_NOT_CONNECTED, "somebody stopped %s", id);
        return ctl_fail(EXIT_CODE_NOT_CONNECTED, "%s is not connected: %s%s%s", id, reason, *why ? ", " : "",
                        why);
}

static void check_radio(Starter *s, Watch *watch) {
        JsonObject *radio = objects_get(s->objects, s->radio, IFACE_RADIO);
        const char *state = radio ? json_string(radio, "State") : "";

        if (strcmp(state, "opening") == 0 || strcmp(state, "syncing") == 0) {
                show_progress(s, radio);
                return;
        }

        progress_end(&s->progress);
        if (!radio)
                watch_end(watch, ctl_fail(EXIT_CODE_NOT_FOUND, "the radio is not configured any more"));
        else if (strcmp(state, "ready") == 0)
                watch_end(watch, EXIT_CODE_OK);
        else if (is_still(s, state))
                watch_end(watch, tell_failure(radio));
}

static ExitCode start_radio(Starter *s) {
        const char *radio;
        ExitCode code;

        code = objects_load(s->client, &s->objects);
        if (code == EXIT_CODE_OK)
                code = objects_radio(s->objects, &s->options, &radio);
        if (code == EXIT_CODE_OK)
                code = client_call(s->client, CALL_DEFAULT, NULL, radio, IFACE_RADIO, "Start", NULL);
        if (code != EXIT_CODE_OK)
                return code;

        s->radio = g_strdup(radio);
        /* As it is after the call: the signals of that are still to come, and change nothing then. */
        s->objects = objects_free(s->objects);
        return objects_load(s->client, &s->objects);
}

static void on_came(Watch *watch, void *userdata) {
        Starter *s = userdata;
        ExitCode code;

        if (s->radio) {
                watch_end(watch, ctl_fail(EXIT_CODE_UNREACHABLE, "meshcored was restarted"));
                return;
        }
        code = start_radio(s);
        if (code != EXIT_CODE_OK)
                watch_end(watch, code);
        else
                check_radio(s, watch);
}

static void on_signal(Watch *watch, sd_bus_message *signal, void *userdata) {
        Starter *s = userdata;

        if (!s->radio)
                return;
        objects_apply(s->objects, signal);
        if (g_strcmp0(sd_bus_message_get_path(signal), s->radio) == 0)
                check_radio(s, watch);
}

static ExitCode run_start(const CtlOptions *options, const Args *args) {
        static const WatchHandlers handlers = {
                        .came = on_came, .signal = on_signal, .interrupted = EXIT_CODE_NOT_CONNECTED};
        g_auto(Starter) s = {.options = *options, .progress = {.with_output = true}};
        ExitCode code;

        if (!args_has(args, "wait"))
                return call_radio(options, args, "Start", CALL_DEFAULT, NULL, NULL);

        if (args_count(args) > 0)
                s.options.radio = args_word(args, 0);
        code = client_open(options, &s.client);
        if (code == EXIT_CODE_OK)
                code = watch_run(s.client, &handlers, &s);
        progress_end(&s.progress);
        return code;
}

static const VerbOption start_options[] = {
                {"wait", 'w', NULL, "wait until it is ready, or could not be connected", WORD_ANY, NULL},
                {},
};

/* -- stop and ping ------------------------------------------------------------ */

static ExitCode run_stop(const CtlOptions *options, const Args *args) {
        return call_radio(options, args, "Stop", CALL_DEFAULT, NULL, NULL);
}

static ExitCode run_ping(const CtlOptions *options, const Args *args) {
        _cleanup_message_ sd_bus_message *reply = NULL;
        g_autofree char *span = NULL, *id = NULL;
        JsonObject *answer;
        uint64_t usec;
        ExitCode code;

        code = call_radio(options, args, "Ping", CALL_FOREVER, &reply, &id);
        if (code != EXIT_CODE_OK)
                return code;
        if (sd_bus_message_read(reply, "t", &usec) < 0)
                return ctl_fail(EXIT_CODE_FAILED, "the daemon's answer to Ping makes no sense");

        if (options->json) {
                answer = json_object_new();
                json_object_set_string_member(answer, "Radio", id);
                json_object_set_int_member(answer, "RoundTripUSec", (gint64) usec);
                json_print_document(json_node_init_object(json_node_alloc(), answer));
                json_object_unref(answer);
        } else {
                span = g_strdup_printf("%.1f ms", (double) usec / 1000);
                printf("%s answered after %s\n", id, span);
        }
        return EXIT_CODE_OK;
}

static const char start_description[] =
                "Returns without waiting for the outcome, which \"status\" and \"monitor\" tell; with\n"
                "--wait when the radio is ready, or with status 7 when this try to connect it was in vain\n"
                "(the daemon goes on trying). On a terminal it shows how far the reading of contacts and\n"
                "channels is. Prints nothing, also with --json.\n";

static const char start_examples[] = "  meshcorectl start\n"
                                     "  meshcorectl start --wait home\n";

const Verb verb_start = {
                .name = "start",
                .arguments = "[ID]",
                .summary = "Connect a stopped radio, or try a waiting one again at once",
                .description = start_description,
                .examples = start_examples,
                .options = start_options,
                .max_words = 1,
                .word = WORD_RADIO,
                .run = run_start,
};

static const char stop_description[] =
                "It stays stopped until \"start\" or until the daemon starts anew; texts that are queued\n"
                "wait. For a program that needs the radio for a while, \"inhibit\" is better: it gives the\n"
                "radio back by itself. Prints nothing, also with --json.\n";

static const char stop_examples[] = "  meshcorectl stop home\n";

const Verb verb_stop = {
                .name = "stop",
                .arguments = "[ID]",
                .summary = "Disconnect a radio until it is started again",
                .description = stop_description,
                .examples = stop_examples,
                .max_words = 1,
                .word = WORD_RADIO,
                .run = run_stop,
};

const Verb verb_ping = {
                .name = "ping",
                .arguments = "[ID]",
                .summary = "Ask a radio for a sign of life and measure",
                .description = "Nothing goes on air. With --json: {\"Radio\", \"RoundTripUSec\"}.\n",
                .examples = "  meshcorectl ping\n",
                .max_words = 1,
                .word = WORD_RADIO,
                .run = run_ping,
};
