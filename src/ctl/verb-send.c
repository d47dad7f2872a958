/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>

#include "autobus.h"
#include "clock.h"
#include "command-line.h"
#include "conversation.h"
#include "macros.h"
#include "terminal.h"
#include "watch.h"

#define STDIN_MAX (64 * 1024) /* far more than any radio takes; the daemon says how much that is */

typedef struct Sender {
        const CtlOptions *options;
        const Args *args;
        Client *client;
        Objects *objects;
        const char *radio; /* path */
        const char *recipient;
        char *text;
        uint64_t expires_usec;
        bool wait_delivered, wait_sent;
        char *path; /* of the message, once it is committed */
} Sender;

static void sender_clear(Sender *s) {
        g_clear_pointer(&s->text, g_free);
        g_clear_pointer(&s->path, g_free);
        s->objects = objects_free(s->objects);
        s->client = client_free(s->client);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Sender, sender_clear)

/* -- the text --------------------------------------------------------------- */

static ExitCode read_stdin(char **ret) {
        g_autofree char *text = g_malloc(STDIN_MAX + 1);
        size_t n = fread(text, 1, STDIN_MAX + 1, stdin);

        if (ferror(stdin))
                return ctl_fail(EXIT_CODE_FAILED, "cannot read standard input: %s", g_strerror(errno));
        if (n > STDIN_MAX)
                return ctl_fail(EXIT_CODE_USAGE, "the text on standard input is far too long");

        /* The end of the last line is not part of the text. */
        if (n > 0 && text[n - 1] == '\n')
                n--;
        if (n > 0 && text[n - 1] == '\r')
                n--;
        if (!g_utf8_validate(text, (gssize) n, NULL)) /* refuses NUL too */
                return ctl_fail(EXIT_CODE_USAGE, "the text on standard input is not valid UTF-8");

        *ret = g_strndup(text, n);
        return EXIT_CODE_OK;
}

static ExitCode read_text(Sender *s, unsigned first) {
        g_autoptr(GString) text = g_string_new(NULL);
        unsigned n = args_count(s->args);

        if (n <= first)
                return ctl_fail(EXIT_CODE_USAGE, "there is no text to send; see: %s send --help", CTL_NAME);
        if (n == first + 1 && strcmp(args_word(s->args, first), "-") == 0)
                return read_stdin(&s->text);

        for (unsigned i = first; i < n; i++)
                g_string_append_printf(text, "%s%s", i > first ? " " : "", args_word(s->args, i));
        s->text = g_string_free(g_steal_pointer(&text), FALSE);
        return EXIT_CODE_OK;
}

/* -- sending ---------------------------------------------------------------- */

static int append_options(sd_bus_message *call, const Sender *s) {
        const char *token = args_get(s->args, "token");
        int r;

        r = sd_bus_message_open_container(call, 'a', "{sv}");
        if (r >= 0 && args_has(s->args, "no-queue"))
                r = sd_bus_message_append(call, "{sv}", "Queue", "b", 0);
        if (r >= 0 && s->expires_usec > 0)
                r = sd_bus_message_append(call, "{sv}", "ExpiresUSec", "t", s->expires_usec);
        if (r >= 0 && token)
                r = sd_bus_message_append(call, "{sv}", "Token", "s", token);
        return r < 0 ? r : sd_bus_message_close_container(call);
}

/* The daemon's words, but for a name that it does not know: those who are there are known here. */
static ExitCode report(const Sender *s, sd_bus_message *call, const sd_bus_error *error, int r) {
        g_autofree char *near = NULL;

        if (client_exit_code(error, r) != EXIT_CODE_NOT_FOUND)
                return client_report(s->client, call, error, r);
        near = objects_suggest(s->objects, s->radio, s->recipient, true, true);
        return ctl_fail(EXIT_CODE_NOT_FOUND, "there is no contact or channel %s%s", s->recipient, near);
}

/* The daemon's own option Wait is not used: it tells the number of the message only at the end, and a
 * restart of the daemon would lose the answer. */
static ExitCode send_text(Sender *s) {
        _cleanup_message_ sd_bus_message *call = NULL, *reply = NULL;
        _cleanup_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        const char *path;
        ExitCode code;
        int r;

        code = client_new_call(s->client, s->radio, IFACE_RADIO, "SendText", &call);
        if (code != EXIT_CODE_OK)
                return code;
        r = sd_bus_message_append(call, "ss", s->recipient, s->text);
        if (r >= 0)
                r = append_options(call, s);
        if (r >= 0)
                r = client_send(s->client, call, CALL_DEFAULT, &error, &reply);
        if (r >= 0)
                r = sd_bus_message_read(reply, "o", &path);
        if (r < 0)
                return report(s, call, &error, r);

        s->path = g_strdup(path);
        return EXIT_CODE_OK;
}

static void print_id(const Sender *s, JsonObject *message) {
        if (!s->options->json)
                printf("%" G_GINT64_FORMAT "\n", json_int(message, "Id"));
        (void) fflush(stdout);
}

static ExitCode send_only(Sender *s) {
        _cleanup_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        g_autoptr(JsonObject) message = NULL;
        ExitCode code;
        int r;

        code = send_text(s);
        if (code != EXIT_CODE_OK)
                return code;
        r = history_get(s->client, s->objects, s->path, &error, &message);
        if (r < 0)
                return client_report(s->client, NULL, &error, r);

        print_id(s, message);
        if (s->options->json)
                json_print_document(json_node_init_object(json_node_alloc(), message));
        return EXIT_CODE_OK;
}

/* -- waiting ---------------------------------------------------------------- */

typedef enum Progress {
        PROGRESS_OPEN,
        PROGRESS_GOOD,
        PROGRESS_BAD,
} Progress;

static Progress progress_of(const Sender *s, JsonObject *message) {
        const char *state = json_string(message, "State");
        bool direct = *json_string(message, "PeerPrefix") || strcmp(json_string(message, "Peer"), "/") != 0;

        if (strcmp(state, "delivered") == 0)
                return PROGRESS_GOOD;
        if (strcmp(state, "sent") == 0 && s->wait_delivered)
                return direct ? PROGRESS_OPEN : PROGRESS_BAD;
        if (strcmp(state, "sent") == 0)
                return PROGRESS_GOOD;
        return strcmp(state, "queued") == 0 || strcmp(state, "sending") == 0 ? PROGRESS_OPEN : PROGRESS_BAD;
}

static void finish(const Sender *s, Watch *watch, JsonObject *message, Progress progress) {
        g_autofree char *state = message_state(message), *shown = terminal_escape(state);
        const char *why = json_string(message, "Error");
        ExitCode code = EXIT_CODE_OK;

        if (s->options->json)
                json_print_document(json_node_init_object(json_node_alloc(), message));
        else
                puts(shown);
        if (progress == PROGRESS_BAD)
                code = ctl_fail(EXIT_CODE_NOT_DELIVERED,
                                "message %" G_GINT64_FORMAT " was not delivered: %s%s%s",
                                json_int(message, "Id"), state, *why ? ": " : "", why);
        watch_end(watch, code);
}

static void check_progress(Sender *s, Watch *watch, bool first) {
        _cleanup_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        g_autoptr(JsonObject) message = NULL;
        Progress progress;
        int r;

        r = history_get(s->client, s->objects, s->path, &error, &message);
        if (r < 0) {
                if (!client_error_is_absence(&error, r))
                        watch_end(watch, client_report(s->client, NULL, &error, r));
                return;
        }

        if (first)
                print_id(s, message);
        progress = progress_of(s, message);
        if (progress != PROGRESS_OPEN)
                finish(s, watch, message, progress);
}

static void on_came(Watch *watch, void *userdata) {
        Sender *s = userdata;
        bool first = !s->path;
        ExitCode code;

        /* Subscribed now, so no change of state can slip through. */
        if (first) {
                code = send_text(s);
                if (code != EXIT_CODE_OK) {
                        watch_end(watch, code);
                        return;
                }
        }
        check_progress(s, watch, first);
}

static void on_signal(Watch *watch, sd_bus_message *signal, void *userdata) {
        Sender *s = userdata;
        const char *path;

        if (sd_bus_message_is_signal(signal, IFACE_MESSAGES, "Changed") > 0 &&
            sd_bus_message_read(signal, "o", &path) > 0 && s->path && strcmp(path, s->path) == 0)
                check_progress(s, watch, false);
}

/* -- the verb --------------------------------------------------------------- */

static ExitCode read_options(Sender *s) {
        const char *wait = args_get(s->args, "wait"), *expires = args_get(s->args, "expires");
        uint64_t duration;

        if (wait) {
                s->wait_sent = strcmp(wait, "sent") == 0;
                s->wait_delivered = strcmp(wait, "delivered") == 0;
                if (!s->wait_sent && !s->wait_delivered)
                        return ctl_fail(EXIT_CODE_USAGE, "--wait takes sent or delivered, not: %s", wait);
        }
        if (expires) {
                if (parse_duration(expires, &duration) < 0)
                        return ctl_fail(EXIT_CODE_USAGE,
                                        "--expires takes a duration such as 90s, 15min or 2h, not: %s",
                                        expires);
                s->expires_usec = clock_realtime_usec() + duration;
        }
        return EXIT_CODE_OK;
}

/* The radio and what it calls the recipient. */
static ExitCode find_recipient(Sender *s, const char *name, bool is_channel) {
        g_autofree char *candidates = NULL;
        HistoryFilter found = {};
        int r;

        s->recipient = name;
        if (name[0] == '/' && objects_radio_of(s->objects, name))
                s->radio = objects_radio_of(s->objects, name);
        else {
                ExitCode code = objects_radio(s->objects, s->options, &s->radio);

                if (code != EXIT_CODE_OK)
                        return code;
        }
        /* Names are the daemon's to resolve, but for what it doesn't know: slots and added or left out '#'.
         */
        if (!is_channel && !s->wait_delivered && name[0] != '#')
                return EXIT_CODE_OK;

        r = conversation_find(s->objects, s->radio, name, is_channel, &found, &candidates);
        if (r > 0 && found.is_channel && s->wait_delivered)
                return ctl_fail(EXIT_CODE_USAGE,
                                "nobody acknowledges a text on a channel: --wait sent is the most there is");
        if (r < 0)
                return ctl_fail(EXIT_CODE_USAGE, "%s can be any of these: %s", name, candidates);
        if (r == 0 && is_channel) {
                g_autofree char *near = objects_suggest(s->objects, s->radio, name, false, true);

                return ctl_fail(EXIT_CODE_NOT_FOUND, "there is no channel %s%s", name, near);
        }
        if (r > 0 && found.is_channel)
                s->recipient = found.conversation;
        return EXIT_CODE_OK;
}

static ExitCode run_send(const CtlOptions *options, const Args *args) {
        static const WatchHandlers handlers = {
                        .came = on_came, .signal = on_signal, .interrupted = EXIT_CODE_NOT_DELIVERED};
        g_auto(Sender) s = {.options = options, .args = args};
        const char *channel = args_get(args, "channel");
        ExitCode code;

        code = read_options(&s);
        if (code == EXIT_CODE_OK)
                code = read_text(&s, channel ? 0 : 1);
        if (code == EXIT_CODE_OK)
                code = client_open(options, &s.client);
        if (code == EXIT_CODE_OK)
                code = objects_load(s.client, &s.objects);
        if (code == EXIT_CODE_OK)
                code = find_recipient(&s, channel ?: args_word(args, 0), channel != NULL);
        if (code != EXIT_CODE_OK)
                return code;

        if (s.wait_sent || s.wait_delivered)
                return watch_run(s.client, &handlers, &s);
        return send_only(&s);
}

static const VerbOption send_options[] = {
                {"channel", 'c', "CHANNEL", "to this channel (name or slot); all words are text then",
                 WORD_CHANNEL, NULL},
                {"wait", 'w', "STATE", "wait until it is sent or delivered, and print the state", WORD_CHOICE,
                 "sent delivered"},
                {"no-queue", 0, NULL, "fail at once unless the radio is connected and ready", WORD_ANY, NULL},
                {"expires", 0, "DURATION", "don't begin to send later than this: 90s, 15min, 2h, 1d",
                 WORD_ANY, NULL},
                {"token", 0, "TEXT", "the same token within 24 hours sends only once", WORD_ANY, NULL},
                {},
};

static const char send_description[] =
                "RECIPIENT is an object path, a key of 64 hex digits, the exact name of a contact or\n"
                "channel, # and the name of a channel, or the first digits of a key, at least 8. What\n"
                "fits more than one is refused. Anybody can take any name: scripts use keys.\n"
                "\n"
                "The words of TEXT are joined by single spaces. With - the text is read from standard\n"
                "input, as one message: the end of its last line is dropped, other line breaks are\n"
                "sent as they are. A word that begins with a dash needs -- before it. A text that is\n"
                "too long is refused, and the error says by how many bytes.\n"
                "\n"
                "The message is safely stored when the command returns, and goes out as soon as the\n"
                "radio can; its number is printed. With --wait the final state follows on a second\n"
                "line, and the exit status is 6 when it is not the one that was waited for. Ctrl-C\n"
                "ends the waiting, not the message. On a channel nobody acknowledges: there\n"
                "\"--wait delivered\" is refused.\n"
                "\n"
                "With --json: one object as in \"messages --json\", with --wait as it is in the end.\n";

static const char send_examples[] = "  meshcorectl send Alice Are you there?\n"
                                    "  meshcorectl send --channel test Hello everybody\n"
                                    "  meshcorectl send '#test' Hello everybody\n"
                                    "  uptime | meshcorectl send --wait delivered --expires 15min Alice -\n"
                                    "  meshcorectl send 3f5a09c1 -- -40 degrees\n"
                                    "  meshcorectl send --token backup-2026-03-01 Alice The backup is done\n";

const Verb verb_send = {
                .name = "send",
                .arguments = "RECIPIENT TEXT… | RECIPIENT - | --channel CHANNEL TEXT…",
                .summary = "Send a text to a contact or a channel",
                .description = send_description,
                .examples = send_examples,
                .options = send_options,
                .min_words = 1,
                .max_words = UINT_MAX,
                .word = WORD_RECIPIENT,
                .run = run_send,
};
