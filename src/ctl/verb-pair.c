/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>

#include "autobus.h"
#include "command-line.h"
#include "macros.h"
#include "target.h"
#include "text-input.h"
#include "verbs.h"

/* Pairing, with ourselves as the one whom the daemon asks for the PIN. */

#define AGENT_PATH    CTL_ROOT "/agent"
#define AGENT_IFACE   CTL_SERVICE ".PairingAgent"
#define PASSKEY_MAX   999999
#define PASSKEY_CHARS 6

typedef struct Pairing {
        Target target;
        char *daemon; /* its unique name: nobody else is answered */
        bool over;
        ExitCode code; /* of a PIN that could not be had */
        sd_bus_message *reply;
} Pairing;

static ExitCode read_passkey(const char *file, const char *prompt, uint32_t *ret) {
        char *line = NULL;
        uint64_t number = 0;
        ExitCode code;
        bool good;

        code = text_input_line(file, prompt, true, &line);
        if (code != EXIT_CODE_OK)
                return code;

        good = strlen(line) == PASSKEY_CHARS && parse_number(line, PASSKEY_MAX, &number) >= 0;
        explicit_bzero(line, strlen(line));
        g_free(line);
        if (!good)
                return ctl_fail(EXIT_CODE_USAGE, "a PIN has exactly six digits");

        *ret = (uint32_t) number;
        return EXIT_CODE_OK;
}

/* -- being asked ----------------------------------------------------------------- */

static const char *what_was_wrong(const char *reason) {
        if (strcmp(reason, "authentication") == 0)
                return "the radio did not accept that PIN";
        if (strcmp(reason, "key-missing") == 0 || strcmp(reason, "encryption") == 0)
                return "the radio no longer accepts the bond that there was";
        return NULL;
}

static int read_reason(sd_bus_message *call, char **ret) {
        g_autoptr(JsonNode) details = NULL;
        const char *path, *address;
        int r;

        r = sd_bus_message_read(call, "os", &path, &address);
        if (r >= 0)
                r = json_from_message(call, &details);
        if (r < 0)
                return r;

        *ret = g_strdup(JSON_NODE_HOLDS_OBJECT(details) ? json_string(json_node_get_object(details), "Reason")
                                                        : "");
        return 0;
}

static int on_request(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        Pairing *pairing = userdata;
        g_autofree char *prompt = NULL, *reason = NULL;
        uint32_t passkey;
        int r;

        if (g_strcmp0(sd_bus_message_get_sender(call), pairing->daemon) != 0)
                return sd_bus_error_set(error, SD_BUS_ERROR_ACCESS_DENIED, "Only meshcored asks here");
        r = read_reason(call, &reason);
        if (r < 0)
                return r;

        if (what_was_wrong(reason))
                ctl_note("%s", what_was_wrong(reason));
        prompt = g_strdup_printf("PIN of %s, six digits",
                                 objects_radio_id(pairing->target.objects, pairing->target.radio));
        pairing->code = read_passkey(NULL, prompt, &passkey);
        if (pairing->code != EXIT_CODE_OK)
                return sd_bus_error_set(error, CTL_ERROR_PREFIX "Cancelled", "No PIN was given");

        r = sd_bus_reply_method_return(call, "u", passkey);
        explicit_bzero(&passkey, sizeof(passkey));
        return r;
}

/* Whoever has typed it by then is told by the end of Pair. */
static int on_cancel(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        return sd_bus_reply_method_return(call, NULL);
}

static const sd_bus_vtable agent_vtable[] = {
                SD_BUS_VTABLE_START(0),
                SD_BUS_METHOD("RequestPasskey", "osa{sv}", "u", on_request,
                              SD_BUS_VTABLE_UNPRIVILEGED | SD_BUS_VTABLE_SENSITIVE),
                SD_BUS_METHOD("Cancel", "", "", on_cancel, SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_VTABLE_END,
};

static ExitCode become_agent(Pairing *pairing) {
        Client *client = pairing->target.client;
        sd_bus_creds *creds = NULL;
        const char *daemon;
        int r;

        r = sd_bus_get_name_creds(client_bus(client), CTL_SERVICE, SD_BUS_CREDS_UNIQUE_NAME, &creds);
        if (r >= 0)
                r = sd_bus_creds_get_unique_name(creds, &daemon);
        if (r >= 0)
                pairing->daemon = g_strdup(daemon);
        sd_bus_creds_unref(creds);
        if (r >= 0)
                r = sd_bus_add_object_vtable(client_bus(client), NULL, AGENT_PATH, AGENT_IFACE, agent_vtable,
                                             pairing);
        if (r < 0)
                return ctl_fail(EXIT_CODE_FAILED, "cannot be asked for a PIN: %s", g_strerror(-r));

        return client_call(client, CALL_DEFAULT, NULL, CTL_ROOT, IFACE_MANAGER, "RegisterAgent", "o",
                           AGENT_PATH);
}

/* -- pairing ------------------------------------------------------------------------ */

static int on_paired(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        Pairing *pairing = userdata;

        pairing->reply = sd_bus_message_ref(reply);
        pairing->over = true;
        return 0;
}

static int append_options(sd_bus_message *call, const uint32_t *passkey) {
        char text[PASSKEY_CHARS + 1];
        int r;

        if (!passkey)
                return sd_bus_message_append(call, "a{sv}", 0);

        (void) sd_bus_message_sensitive(call);
        (void) g_snprintf(text, sizeof(text), "%06" G_GUINT32_FORMAT, *passkey);
        r = sd_bus_message_append(call, "a{sv}", 1, "Passkey", "s", text);
        explicit_bzero(text, sizeof(text));
        return r;
}

static ExitCode pair(Pairing *pairing, const uint32_t *passkey) {
        sd_bus *bus = client_bus(pairing->target.client);
        _cleanup_message_ sd_bus_message *call = NULL;
        const sd_bus_error *error;
        ExitCode code;
        int r;

        code = client_new_call(pairing->target.client, pairing->target.radio, IFACE_PAIRING, "Pair", &call);
        if (code != EXIT_CODE_OK)
                return code;
        r = append_options(call, passkey);
        if (r >= 0)
                r = sd_bus_call_async(bus, NULL, call, on_paired, pairing, CALL_FOREVER);
        while (r >= 0 && !pairing->over) {
                r = sd_bus_process(bus, NULL);
                if (r == 0)
                        r = sd_bus_wait(bus, UINT64_MAX);
        }
        if (r < 0)
                return ctl_fail(EXIT_CODE_UNREACHABLE, "the connection to the bus ended: %s", g_strerror(-r));

        error = sd_bus_message_get_error(pairing->reply);
        /* That it was not given was told already. */
        if (error && pairing->code != EXIT_CODE_OK)
                return pairing->code;
        if (error)
                return client_report(pairing->target.client, call, error, -sd_bus_error_get_errno(error));
        return EXIT_CODE_OK;
}

static ExitCode pair_and_tell(Pairing *pairing, const CtlOptions *options, const char *file) {
        const char *result;
        uint32_t passkey = 0;
        ExitCode code;

        if (file)
                code = read_passkey(file, "PIN, six digits", &passkey);
        else
                code = become_agent(pairing);
        if (code == EXIT_CODE_OK)
                code = pair(pairing, file ? &passkey : NULL);
        explicit_bzero(&passkey, sizeof(passkey));
        if (code != EXIT_CODE_OK)
                return code;

        if (sd_bus_message_read(pairing->reply, "s", &result) < 0)
                return ctl_fail(EXIT_CODE_FAILED, "the daemon's answer to Pair makes no sense");
        target_print_text(&pairing->target, "Result", result);
        return EXIT_CODE_OK;
}

static ExitCode run_pair(const CtlOptions *options, const Args *args) {
        CtlOptions chosen = *options;
        Pairing pairing = {};
        ExitCode code;

        if (args_count(args) > 0)
                chosen.radio = args_word(args, 0);
        code = target_open(&chosen, NULL, &pairing.target);
        if (code == EXIT_CODE_OK)
                code = target_check_pairing(&pairing.target);
        if (code == EXIT_CODE_OK)
                code = pair_and_tell(&pairing, options, args_get(args, "pin-file"));
        sd_bus_message_unref(pairing.reply);
        g_free(pairing.daemon);
        target_clear(&pairing.target);
        return code;
}

static const VerbOption pair_options[] = {
                {"pin-file", 'f', "FILE", "read the PIN from the first line of this file", WORD_ANY, NULL},
                {},
};

const Verb verb_pair = {
                .name = "pair",
                .arguments = "[ID]",
                .summary = "Pair a radio over Bluetooth with its PIN",
                .description = "The PIN of the configuration is used where there is one; otherwise it is "
                               "asked for, and\n"
                               "typed unseen, or read from standard input. The radio shows it, or it is "
                               "123456. The\n"
                               "command ends when the radio has answered over the protected link and prints "
                               "\"bonded\", or\n"
                               "\"already-bonded\" when there was nothing to do. Takes the right to "
                               "administer.\n"
                               "\n"
                               "With --json: {\"Result\"}.\n",
                .examples = "  meshcorectl pair\n"
                            "  meshcorectl pair hut --pin-file pin.txt\n",
                .options = pair_options,
                .max_words = 1,
                .word = WORD_RADIO,
                .run = run_pair,
};
