/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>

#include "autobus.h"
#include "format.h"
#include "objects.h"
#include "verbs.h"

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

static ExitCode run_start(const CtlOptions *options, const Args *args) {
        return call_radio(options, args, "Start", CALL_DEFAULT, NULL, NULL);
}

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
                "Returns without waiting for the outcome; \"status\" and \"monitor\" tell it.\n"
                "Prints nothing, also with --json.\n";

static const char start_examples[] = "  meshcorectl start\n"
                                     "  meshcorectl start home\n";

const Verb verb_start = {
                .name = "start",
                .arguments = "[ID]",
                .summary = "Connect a stopped radio, or try a waiting one again at once",
                .description = start_description,
                .examples = start_examples,
                .max_words = 1,
                .word = WORD_RADIO,
                .run = run_start,
};

static const char stop_description[] =
                "For when another program needs the radio. It stays stopped until \"start\" or until the\n"
                "daemon starts anew; texts that are queued wait. Prints nothing, also with --json.\n";

static const char stop_examples[] =
                "  meshcorectl stop home && my-flasher /dev/ttyACM0; meshcorectl start home\n";

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
