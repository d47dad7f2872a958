/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "autobus.h"
#include "command-line.h"
#include "conversation.h"
#include "execute.h"
#include "macros.h"
#include "watch.h"

/* A program for each received message, one at a time and in the order of the ids. Nothing is kept in
 * memory meanwhile: when the program has ended, the next message is asked for. What strangers wrote
 * reaches it on standard input and in the environment, never as an argument. */

#define REPLY_MAX_BYTES   (64 * 1024) /* far more than any radio takes; the daemon says how much that is */
#define REPLIES_PER_SPAN  6
#define REPLIES_SPAN_USEC USEC_PER_MINUTE

typedef struct Replies {
        uint64_t since_usec;
        unsigned n;
} Replies;

typedef struct Handler {
        const CtlOptions *options;
        const char *with, *kind, *remember;
        bool with_channel, reply, began;
        uint64_t count; /* end after so many; 0: never */
        char **command;

        Client *client;
        Objects *objects;
        Watch *watch;
        GHashTable *conversations; /* radio path → conversation that --with meant at first */
        GHashTable *replies;       /* conversation → Replies */
        char *history;
        uint64_t done; /* id of the last message that is behind us */

        JsonObject *message; /* the program runs for it */
        sd_event_source *child;
        pid_t pid;
        int output_fd;
} Handler;

static void handler_clear(Handler *h) {
        if (h->pid > 0)
                program_end(h->pid);
        if (h->output_fd >= 0)
                (void) close(h->output_fd);
        sd_event_source_unref(h->child);
        g_clear_pointer(&h->message, json_object_unref);
        g_clear_pointer(&h->conversations, g_hash_table_unref);
        g_clear_pointer(&h->replies, g_hash_table_unref);
        g_clear_pointer(&h->history, g_free);
        g_clear_pointer(&h->command, g_free);
        h->objects = objects_free(h->objects);
        h->client = client_free(h->client);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Handler, handler_clear)

static void next(Handler *h);

/* -- the place in the history --------------------------------------------------- */

/* "HISTORY ID", as the file of --remember has it. */
static ExitCode recall(Handler *h, const char *history) {
        g_autofree char *text = NULL;
        g_autoptr(GError) error = NULL;
        g_auto(GStrv) words = NULL;

        if (!g_file_get_contents(h->remember, &text, NULL, &error)) {
                if (g_error_matches(error, G_FILE_ERROR, G_FILE_ERROR_NOENT))
                        return EXIT_CODE_OK;
                return ctl_fail(EXIT_CODE_FAILED, "%s", error->message);
        }

        words = g_strsplit(g_strstrip(text), " ", 3);
        if (g_strv_length(words) != 2 || parse_number(words[1], INT64_MAX, &h->done) < 0)
                return ctl_fail(EXIT_CODE_FAILED, "%s is not a file of ours", h->remember);
        if (strcmp(words[0], history) != 0) {
                ctl_note("the daemon began a new history since the last time");
                h->done = 0;
        }
        return EXIT_CODE_OK;
}

static void remember(Handler *h) {
        g_autofree char *text = NULL;
        g_autoptr(GError) error = NULL;

        if (!h->remember)
                return;
        text = g_strdup_printf("%s %" G_GUINT64_FORMAT "\n", h->history, h->done);
        if (!g_file_set_contents_full(h->remember, text, -1, G_FILE_SET_CONTENTS_DURABLE, 0600, &error))
                watch_end(h->watch, ctl_fail(EXIT_CODE_FAILED, "%s", error->message));
}

/* -- answers -------------------------------------------------------------------- */

/* Two robots that answer each other would go on for ever. */
static bool may_reply(Handler *h, const char *conversation) {
        Replies *r = g_hash_table_lookup(h->replies, conversation);
        uint64_t now = (uint64_t) g_get_monotonic_time();

        if (!r) {
                r = g_new0(Replies, 1);
                g_hash_table_insert(h->replies, g_strdup(conversation), r);
        }
        if (now - r->since_usec > REPLIES_SPAN_USEC || r->since_usec == 0)
                *r = (Replies){.since_usec = now};
        return r->n++ < REPLIES_PER_SPAN;
}

static void send_reply(Handler *h, const char *text) {
        const char *peer = json_string(h->message, "Peer"), *channel = json_string(h->message, "Channel");
        const char *conversation = strcmp(peer, "/") != 0 ? peer : channel;
        int64_t id = json_int(h->message, "Id");
        _cleanup_message_ sd_bus_message *call = NULL;
        _cleanup_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        g_autofree char *token = NULL;
        int r;

        if (strcmp(conversation, "/") == 0) {
                ctl_note("message %" G_GINT64_FORMAT " comes from nobody we know, and is not answered", id);
                return;
        }
        if (!may_reply(h, conversation)) {
                ctl_note("message %" G_GINT64_FORMAT " is not answered: more than %d answers in a minute", id,
                         REPLIES_PER_SPAN);
                return;
        }

        /* A message that is handled again after a crash is not answered twice. */
        token = g_strdup_printf("on-message-%s-%" G_GINT64_FORMAT, h->history, id);
        if (client_new_call(h->client, objects_radio_of(h->objects, conversation), IFACE_RADIO, "SendText",
                            &call) != EXIT_CODE_OK)
                return;
        r = sd_bus_message_append(call, "ssa{sv}", conversation, text, 1, "Token", "s", token);
        if (r >= 0)
                r = client_send(h->client, call, CALL_DEFAULT, &error, NULL);
        if (r < 0)
                (void) client_report(h->client, call, &error, r);
}

static void read_reply(Handler *h) {
        g_autofree char *text = NULL;
        size_t n;

        if (memory_file_read(h->output_fd, REPLY_MAX_BYTES, &text, &n) < 0)
                return;
        while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r'))
                text[--n] = '\0';
        if (n == 0)
                return;
        if (!g_utf8_validate(text, (gssize) n, NULL))
                ctl_note("what the command printed is not valid UTF-8, and is not sent");
        else
                send_reply(h, text);
}

/* -- running -------------------------------------------------------------------- */

static int on_exit_of_child(sd_event_source *source, const siginfo_t *info, void *userdata) {
        Handler *h = userdata;
        uint64_t id = (uint64_t) json_int(h->message, "Id");
        int status = info->si_code == CLD_EXITED ? info->si_status : 128 + info->si_status;

        h->pid = 0;
        h->child = sd_event_source_unref(h->child);
        if (status != 0)
                ctl_note("the command ended with status %d for message %" G_GUINT64_FORMAT, status, id);
        else if (h->reply)
                read_reply(h);
        if (h->output_fd >= 0)
                (void) close(h->output_fd);
        h->output_fd = -1;
        g_clear_pointer(&h->message, json_object_unref);

        h->done = id;
        remember(h);
        if (h->count > 0 && --h->count == 0)
                watch_end(h->watch, EXIT_CODE_OK);
        else
                next(h);
        return 0;
}

static char *peer_key(Handler *h, JsonObject *message) {
        JsonObject *contact = objects_get(h->objects, json_string(message, "Peer"), IFACE_CONTACT);
        const char *post = json_string(message, "AuthorKeyPrefix");

        if (*post)
                return g_strdup(post);
        return g_strdup(contact ? json_string(contact, "Key") : json_string(message, "PeerPrefix"));
}

static char **message_environment(Handler *h, JsonObject *message) {
        g_autofree char *from = message_from(message), *key = peer_key(h, message);
        g_autoptr(GPtrArray) env = g_ptr_array_new();

        g_ptr_array_add(env, g_strdup_printf("MESHCORE_ID=%" G_GINT64_FORMAT, json_int(message, "Id")));
        g_ptr_array_add(env, g_strdup_printf("MESHCORE_TIME=%" G_GINT64_FORMAT,
                                             json_int(message, "TimestampUSec") / (int64_t) USEC_PER_SEC));
        g_ptr_array_add(env, g_strconcat("MESHCORE_RADIO=", json_string(message, "Radio"), NULL));
        g_ptr_array_add(env, g_strconcat("MESHCORE_KIND=", json_string(message, "Kind"), NULL));
        g_ptr_array_add(env, g_strconcat("MESHCORE_FROM=", from, NULL));
        g_ptr_array_add(env, g_strconcat("MESHCORE_KEY=", key, NULL));
        g_ptr_array_add(env, g_strconcat("MESHCORE_CHANNEL=", json_string(message, "ChannelName"), NULL));
        g_ptr_array_add(env, NULL);
        return (char **) g_ptr_array_free(g_steal_pointer(&env), FALSE);
}

static int message_input(const Handler *h, JsonObject *message) {
        g_autoptr(JsonNode) node = NULL;
        g_autofree char *text = NULL, *line = NULL;

        if (h->options->json) {
                node = json_node_init_object(json_node_alloc(), message);
                text = json_to_text(node, false);
        } else
                text = g_strdup(json_string(message, *json_string(message, "Data") ? "Data" : "Text"));
        line = g_strconcat(text, "\n", NULL);
        return memory_file("message", line, strlen(line));
}

static int start_command(Handler *h, JsonObject *message) {
        g_auto(GStrv) env = message_environment(h, message);
        _cleanup_close_ int input_fd = -EBADF;
        int r;

        input_fd = message_input(h, message);
        if (input_fd < 0)
                return input_fd;
        if (h->reply) {
                h->output_fd = memory_file("answer", NULL, 0);
                if (h->output_fd < 0)
                        return h->output_fd;
        }

        r = program_start(h->command, env, input_fd, h->output_fd, &h->pid);
        if (r < 0)
                return r;
        r = sd_event_add_child(watch_event(h->watch), &h->child, h->pid, WEXITED, on_exit_of_child, h);
        if (r >= 0)
                h->message = json_object_ref(message);
        return r;
}

/* -- choosing ------------------------------------------------------------------- */

static bool is_wanted(const Handler *h, JsonObject *message) {
        const char *kind = json_string(message, "Kind");

        return h->kind || strcmp(kind, "text") == 0 || strcmp(kind, "post") == 0;
}

/* As in "messages": a contact stays the one it was at first. */
static bool make_filter(Handler *h, const char *radio, HistoryFilter *ret) {
        g_autofree char *candidates = NULL;
        const char *known = g_hash_table_lookup(h->conversations, radio);
        int r;

        *ret = (HistoryFilter){.kind = h->kind, .direction = "received"};
        if (!h->with)
                return true;
        if (!known) {
                r = conversation_find(h->objects, radio, h->with, h->with_channel, ret, &candidates);
                if (r < 0)
                        watch_end(h->watch, ctl_fail(EXIT_CODE_USAGE, "%s can be any of these: %s", h->with,
                                                     candidates));
                if (r <= 0)
                        return false;
                g_hash_table_insert(h->conversations, g_strdup(radio), g_strdup(ret->conversation));
                known = g_hash_table_lookup(h->conversations, radio);
        }
        ret->conversation = known;
        ret->is_channel = objects_get(h->objects, known, IFACE_CHANNEL) != NULL;
        return true;
}

/* The oldest that is not behind us, of all radios. NULL when there is none or the daemon is away. */
static JsonObject *find_next(Handler *h, const char *radio, uint64_t after) {
        _cleanup_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        HistoryFilter filter;

        if (!make_filter(h, radio, &filter))
                return NULL;
        for (;;) {
                g_autoptr(JsonArray) page = NULL;
                guint n;
                int r;

                r = history_list(h->client, h->objects, radio, &filter, after, true, 20, &error, &page);
                if (r < 0) {
                        if (!client_error_is_absence(&error, r))
                                watch_end(h->watch, client_report(h->client, NULL, &error, r));
                        return NULL;
                }
                n = json_array_get_length(page);
                for (guint i = 0; i < n; i++) {
                        JsonObject *message = json_array_get_object_element(page, i);

                        after = (uint64_t) json_int(message, "Id");
                        if (is_wanted(h, message))
                                return json_object_ref(message);
                }
                if (n < 20)
                        return NULL;
        }
}

static void next(Handler *h) {
        g_autoptr(GPtrArray) radios = NULL;
        g_autoptr(JsonObject) first = NULL;
        int r;

        if (h->pid > 0 || !h->began)
                return;

        radios = objects_list(h->objects, NULL, IFACE_MESSAGES);
        for (guint i = 0; i < radios->len; i++) {
                g_autoptr(JsonObject) message = NULL;

                if (h->options->radio &&
                    strcmp(objects_radio_id(h->objects, radios->pdata[i]), h->options->radio) != 0)
                        continue;
                message = find_next(h, radios->pdata[i], h->done);
                if (message && (!first || json_int(message, "Id") < json_int(first, "Id"))) {
                        g_clear_pointer(&first, json_object_unref);
                        first = g_steal_pointer(&message);
                }
        }
        /* What could not be noted, for one, would be handled again the next time. */
        if (!first || watch_has_ended(h->watch))
                return;

        r = start_command(h, first);
        if (r < 0)
                watch_end(h->watch,
                          ctl_fail(EXIT_CODE_FAILED, "cannot start %s: %s", h->command[0], g_strerror(-r)));
}

/* -- following ------------------------------------------------------------------ */

/* Where to begin: after what was remembered or named, or with what comes from now on. */
static ExitCode begin(Handler *h, bool given) {
        g_autoptr(GPtrArray) radios = NULL;
        HistoryFilter filter;
        bool found = !h->with;
        uint64_t last = 0;
        ExitCode code;

        code = objects_radios(h->objects, h->options, &radios);
        if (code != EXIT_CODE_OK)
                return code;
        for (guint i = 0; i < radios->len; i++) {
                JsonObject *messages = objects_get(h->objects, radios->pdata[i], IFACE_MESSAGES);

                last = MAX(last, (uint64_t) json_int(messages, "LastId"));
                found |= h->with && make_filter(h, radios->pdata[i], &filter);
        }
        if (!found)
                return ctl_fail(EXIT_CODE_NOT_FOUND, "there is no %s %s",
                                h->with_channel ? "channel" : "contact or channel", h->with);

        if (!given)
                h->done = last;
        if (h->remember)
                code = recall(h, h->history);
        h->began = code == EXIT_CODE_OK;
        return code;
}

static void take_history(Handler *h) {
        g_autoptr(GPtrArray) radios = objects_list(h->objects, NULL, IFACE_MESSAGES);
        const char *now = "";

        /* One store has all radios. */
        if (radios->len > 0)
                now = json_string(objects_get(h->objects, radios->pdata[0], IFACE_MESSAGES), "HistoryId");
        if (h->history && *h->history && *now && strcmp(h->history, now) != 0) {
                ctl_note("the daemon set a damaged store aside and began a new history");
                h->done = 0;
        }
        if (!h->history || *now) {
                g_free(h->history);
                h->history = g_strdup(now);
        }
}

static void on_came(Watch *watch, void *userdata) {
        _cleanup_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        Handler *h = userdata;
        Objects *objects;
        ExitCode code;
        int r;

        h->watch = watch;
        r = objects_load_quietly(h->client, CALL_DEFAULT, &error, &objects);
        if (r < 0) {
                if (!client_error_is_absence(&error, r))
                        watch_end(watch, client_report(h->client, NULL, &error, r));
                return;
        }
        objects_free(h->objects);
        h->objects = objects;

        take_history(h);
        if (!h->began) {
                code = begin(h, h->done != UINT64_MAX);
                if (code != EXIT_CODE_OK)
                        watch_end(watch, code);
        }
        next(h);
}

static void on_signal(Watch *watch, sd_bus_message *signal, void *userdata) {
        Handler *h = userdata;

        if (!h->objects)
                return;
        objects_apply(h->objects, signal);
        if (sd_bus_message_is_signal(signal, IFACE_MESSAGES, "Received") > 0)
                next(h);
}

/* -- the verb ------------------------------------------------------------------- */

static ExitCode read_arguments(Handler *h, const CtlOptions *options, const Args *args) {
        g_autofree char *program = g_find_program_in_path(args_word(args, 0));
        unsigned n = args_count(args);

        if (!program)
                return ctl_fail(EXIT_CODE_USAGE, "there is no program %s", args_word(args, 0));
        if (args_has(args, "with") && args_has(args, "channel"))
                return ctl_fail(EXIT_CODE_USAGE, "--with and --channel exclude one another");

        h->options = options;
        h->with_channel = args_has(args, "channel");
        h->with = args_get(args, h->with_channel ? "channel" : "with");
        h->kind = args_get(args, "kind");
        h->remember = args_get(args, "remember");
        h->reply = args_has(args, "reply");
        h->done = UINT64_MAX;
        h->command = g_new0(char *, n + 1);
        for (unsigned i = 0; i < n; i++)
                h->command[i] = (char *) args_word(args, i);
        return EXIT_CODE_OK;
}

static ExitCode run_on_message(const CtlOptions *options, const Args *args) {
        static const WatchHandlers handlers = {.came = on_came, .signal = on_signal};
        g_auto(Handler) handler = {.output_fd = -1};
        ExitCode code;
        sigset_t set;

        code = read_arguments(&handler, options, args);
        if (code == EXIT_CODE_OK)
                code = args_get_number(args, "after", INT64_MAX, &handler.done);
        if (code == EXIT_CODE_OK)
                code = args_get_number(args, "count", UINT32_MAX, &handler.count);
        if (code == EXIT_CODE_OK)
                code = client_open(options, &handler.client);
        if (code != EXIT_CODE_OK)
                return code;

        (void) sigemptyset(&set);
        (void) sigaddset(&set, SIGCHLD);
        (void) sigprocmask(SIG_BLOCK, &set, NULL);
        handler.conversations = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        handler.replies = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        return watch_run(handler.client, &handlers, &handler);
}

static const VerbOption on_message_options[] = {
                {"with", 'w', "RECIPIENT", "only from this contact or on this channel", WORD_RECIPIENT, NULL},
                {"channel", 'c', "CHANNEL", "only on this channel: name or slot", WORD_CHANNEL, NULL},
                {"kind", 'k', "KIND", "only of this kind, instead of text and post", WORD_CHOICE,
                 "text command post data raw"},
                {"reply", 0, NULL, "send what the command prints as the answer", WORD_ANY, NULL},
                {"after", 0, "ID", "begin after this message, 0 with the oldest; else with what comes",
                 WORD_ANY, NULL},
                {"remember", 0, "FILE",
                 "begin after the last message that FILE remembers, and note each one in it", WORD_ANY, NULL},
                {"count", 'n', "N", "end after N messages", WORD_ANY, NULL},
                {},
};

const Verb verb_on_message = {
                .name = "on-message",
                .arguments = "[OPTION…] -- COMMAND [WORD…]",
                .summary = "Run a program for each message that comes",
                .description = "The text is on the standard input of COMMAND, or with --json the whole "
                               "message "
                               "as one\n"
                               "line. Its environment has MESHCORE_FROM (a name that anybody may take), "
                               "MESHCORE_KEY\n"
                               "(empty on a channel), MESHCORE_CHANNEL (empty for a direct message), "
                               "MESHCORE_ID,\n"
                               "MESHCORE_RADIO, MESHCORE_KIND and MESHCORE_TIME (seconds since the epoch). "
                               "Nothing of it\n"
                               "is ever put into the command: keep it so, quote it, and never give it to "
                               "eval.\n"
                               "\n"
                               "One runs at a time, in the order of the messages. One that fails is told and "
                               "not\n"
                               "repeated. With --remember none is missed, whatever is restarted; the one "
                               "that "
                               "was being\n"
                               "handled then is handled again, but not answered again. No conversation gets "
                               "more than\n"
                               "six answers a minute.\n",
                .examples = "  meshcorectl on-message -- sh -c 'notify-send \"$MESHCORE_FROM\" \"$(cat)\"'\n"
                            "  meshcorectl on-message --with Alice --reply -- ./answer\n"
                            "  meshcorectl on-message --channel test --json --remember ~/.test -- ./archive\n"
                            "  meshcorectl on-message --count 1 -- cat\n",
                .options = on_message_options,
                .min_words = 1,
                .max_words = UINT_MAX,
                .word = WORD_COMMAND,
                .run = run_on_message,
};
