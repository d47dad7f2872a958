/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "autobus.h"
#include "command-line.h"
#include "conversation.h"
#include "format.h"
#include "macros.h"
#include "table.h"
#include "terminal.h"
#include "watch.h"
#include "when.h"

#define LIMIT_DEFAULT 20
#define TEXT_COLUMNS  20 /* less is not worth a table */
#define LIMIT_MAX     1000000

typedef struct Reader {
        const CtlOptions *options;
        Client *client;
        Objects *objects;
        const char *with;                            /* --with or --channel */
        bool with_channel, mark_read, follow, newer; /* newer: --after, 0 is the beginning */
        uint64_t limit, before, after;
        HistoryFilter filter; /* but for the conversation */

        GHashTable *peers;     /* radio path → path of the contact that --with meant at first */
        GHashTable *seen;      /* radio path → uint64_t: all up to this id were shown */
        GHashTable *histories; /* radio path → HistoryId */
        bool began;
} Reader;

static void reader_clear(Reader *r) {
        g_clear_pointer(&r->peers, g_hash_table_unref);
        g_clear_pointer(&r->seen, g_hash_table_unref);
        g_clear_pointer(&r->histories, g_hash_table_unref);
        r->objects = objects_free(r->objects);
        r->client = client_free(r->client);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Reader, reader_clear)

/* -- printing --------------------------------------------------------------- */

static void print_line(JsonObject *message, bool several) {
        g_autofree char *time = format_time(json_int(message, "TimestampUSec"));
        g_autofree char *line = message_line(message), *shown = terminal_escape(line);
        g_autofree char *radio = terminal_escape(json_string(message, "Radio"));

        printf("%s  %" G_GINT64_FORMAT "  %s%s%s\n", time, json_int(message, "Id"), several ? radio : "",
               several ? "  " : "", shown);
        (void) fflush(stdout);
}

static void print_table(JsonArray *messages, bool several) {
        static const char *const headers[] = {">ID", "TIME", "RADIO", "WITH", "FROM", "STATE", "TEXT", NULL};
        g_autoptr(Table) table = table_new(headers);

        for (guint i = 0; i < json_array_get_length(messages); i++) {
                JsonObject *message = json_array_get_object_element(messages, i);
                g_autofree char *time = format_time(json_int(message, "TimestampUSec"));
                g_autofree char *with = message_with(message), *from = message_from(message);
                g_autofree char *state = message_state(message), *body = message_body(message);

                table_add_format(table, "%" G_GINT64_FORMAT, json_int(message, "Id"));
                table_add(table, time);
                table_add(table, several ? json_string(message, "Radio") : NULL);
                table_add(table, with);
                table_add(table, from);
                table_add(table, state);
                table_add(table, body);
        }
        /* Where a table has no place for the texts, lines do. */
        if (!table_hides_last(table, TEXT_COLUMNS)) {
                table_print_or(table, "there are no such messages");
                return;
        }
        for (guint i = 0; i < json_array_get_length(messages); i++)
                print_line(json_array_get_object_element(messages, i), several);
}

static void print_messages(const Reader *reader, JsonArray *messages, bool several) {
        if (!reader->follow && reader->options->json) {
                json_print_document(json_node_init_array(json_node_alloc(), messages));
                return;
        }
        if (!reader->follow) {
                print_table(messages, several);
                return;
        }

        for (guint i = 0; i < json_array_get_length(messages); i++) {
                JsonObject *message = json_array_get_object_element(messages, i);

                if (reader->options->json)
                        json_print_line(json_object_ref(message));
                else
                        print_line(message, several);
        }
}

/* -- reading ---------------------------------------------------------------- */

/* What to ask one radio for. Returns 1, 0 when the conversation is not there, or has told why not. A contact
 * stays the one it was: others may take the name while it is followed, and it may take another. */
static int make_filter(const Reader *reader, const char *radio, HistoryFilter *ret, ExitCode *ret_code) {
        g_autofree char *candidates = NULL;
        HistoryFilter filter = reader->filter;
        int r = 1;

        if (reader->with)
                filter.conversation = g_hash_table_lookup(reader->peers, radio);
        if (reader->with && !filter.conversation) {
                r = conversation_find(reader->objects, radio, reader->with, reader->with_channel, &filter,
                                      &candidates);
                if (r > 0 && !filter.is_channel) {
                        g_hash_table_insert(reader->peers, g_strdup(radio), g_strdup(filter.conversation));
                        filter.conversation = g_hash_table_lookup(reader->peers, radio);
                }
        }
        if (r < 0)
                *ret_code = ctl_fail(EXIT_CODE_USAGE, "%s can be any of these: %s", reader->with, candidates);
        else
                *ret = filter;
        return r;
}

static int compare_ids(gconstpointer a, gconstpointer b) {
        int64_t ia = json_int(*(JsonObject *const *) a, "Id"), ib = json_int(*(JsonObject *const *) b, "Id");

        return ia < ib ? -1 : ia > ib;
}

/* The messages of all radios as one list by id, no more than the limit. */
static JsonArray *merge_lists(const Reader *reader, GPtrArray *lists) {
        g_autoptr(GPtrArray) all = g_ptr_array_new();
        JsonArray *merged = json_array_new();
        guint begin = 0, end;

        for (guint i = 0; i < lists->len; i++)
                for (guint j = 0; j < json_array_get_length(lists->pdata[i]); j++)
                        g_ptr_array_add(all, json_array_get_object_element(lists->pdata[i], j));
        g_ptr_array_sort(all, compare_ids);

        end = all->len;
        if (end > reader->limit && reader->newer)
                end = (guint) reader->limit;
        else if (end > reader->limit)
                begin = end - (guint) reader->limit;
        for (guint i = begin; i < end; i++)
                json_array_add_object_element(merged, json_object_ref(all->pdata[i]));
        return merged;
}

static ExitCode mark_read(const Reader *reader, GPtrArray *radios, JsonArray *messages) {
        for (guint i = 0; i < radios->len; i++) {
                g_autoptr(JsonArray) mine = json_array_new();
                _cleanup_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
                const char *id = objects_radio_id(reader->objects, radios->pdata[i]);
                int r;

                for (guint j = 0; j < json_array_get_length(messages); j++) {
                        JsonObject *message = json_array_get_object_element(messages, j);

                        if (strcmp(json_string(message, "Radio"), id) == 0)
                                json_array_add_object_element(mine, json_object_ref(message));
                }
                r = history_mark_read(reader->client, radios->pdata[i], mine, &error);
                if (r < 0)
                        return client_report(reader->client, NULL, &error, r);
        }
        return EXIT_CODE_OK;
}

static uint64_t last_id(const Reader *reader, const char *radio) {
        return (uint64_t) json_int(objects_get(reader->objects, radio, IFACE_MESSAGES), "LastId");
}

/* A radio that turns up later begins with what comes from then on. */
static uint64_t *seen_of(Reader *reader, const char *radio) {
        uint64_t *seen = g_hash_table_lookup(reader->seen, radio);

        if (!seen) {
                seen = g_new0(uint64_t, 1);
                *seen = last_id(reader, radio);
                g_hash_table_insert(reader->seen, g_strdup(radio), seen);
        }
        return seen;
}

static void raise_seen(Reader *reader, const char *radio, JsonArray *messages) {
        uint64_t *seen = seen_of(reader, radio);
        guint n = json_array_get_length(messages);

        if (n > 0)
                *seen = MAX(*seen, (uint64_t) json_int(json_array_get_object_element(messages, n - 1), "Id"));
}

/* The list that the options ask for, printed. */
static ExitCode show(Reader *reader, GPtrArray *radios) {
        g_autoptr(GPtrArray) lists = g_ptr_array_new_with_free_func((GDestroyNotify) json_array_unref);
        g_autoptr(JsonArray) messages = NULL;
        bool found = !reader->with;

        for (guint i = 0; i < radios->len; i++) {
                _cleanup_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
                HistoryFilter filter;
                JsonArray *list;
                ExitCode code = EXIT_CODE_OK;
                int r;

                r = make_filter(reader, radios->pdata[i], &filter, &code);
                if (r < 0)
                        return code;
                if (r == 0)
                        continue;
                found = true;
                r = history_list(reader->client, reader->objects, radios->pdata[i], &filter,
                                 reader->newer ? reader->after : reader->before, reader->newer, reader->limit,
                                 &error, &list);
                if (r < 0)
                        return client_report(reader->client, NULL, &error, r);
                g_ptr_array_add(lists, list);
                raise_seen(reader, radios->pdata[i], list);
        }
        if (!found)
                return ctl_fail(EXIT_CODE_NOT_FOUND, "there is no %s %s",
                                reader->with_channel ? "channel" : "contact or channel", reader->with);

        messages = merge_lists(reader, lists);
        print_messages(reader, messages, radios->len > 1);
        return reader->mark_read ? mark_read(reader, radios, messages) : EXIT_CODE_OK;
}

/* -- following -------------------------------------------------------------- */

static bool radio_is_meant(const Reader *reader, const char *radio) {
        return !reader->options->radio ||
               strcmp(objects_radio_id(reader->objects, radio), reader->options->radio) == 0;
}

/* Shows what is newer than the last message shown, at least up to the id that is known to be there. An absent
 * daemon is no failure here: it is waited for, and this runs again. */
static void catch_up(Reader *reader, Watch *watch, const char *radio, uint64_t known) {
        g_autoptr(GPtrArray) radios = objects_list(reader->objects, NULL, IFACE_RADIO);
        _cleanup_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        uint64_t *seen = seen_of(reader, radio);
        g_autoptr(JsonArray) messages = NULL;
        ExitCode code = EXIT_CODE_OK;
        HistoryFilter filter;
        int r;

        r = make_filter(reader, radio, &filter, &code);
        if (r < 0) {
                watch_end(watch, code);
                return;
        }
        if (r == 0)
                return;

        do {
                g_clear_pointer(&messages, json_array_unref);
                r = history_list(reader->client, reader->objects, radio, &filter, *seen, true, HISTORY_PAGE,
                                 &error, &messages);
                if (r < 0)
                        break;
                print_messages(reader, messages, radios->len > 1 && !reader->options->radio);
                raise_seen(reader, radio, messages);
                if (reader->mark_read)
                        r = history_mark_read(reader->client, radio, messages, &error);
        } while (r >= 0 && json_array_get_length(messages) == HISTORY_PAGE);
        if (r >= 0)
                *seen = MAX(*seen, known);
        if (r < 0 && !client_error_is_absence(&error, r))
                watch_end(watch, client_report(reader->client, NULL, &error, r));
}

/* Another history: its ids begin anew. */
static void check_history(Reader *reader, const char *radio) {
        const char *now = json_string(objects_get(reader->objects, radio, IFACE_MESSAGES), "HistoryId");
        const char *before = g_hash_table_lookup(reader->histories, radio);

        if (before && strcmp(before, now) != 0) {
                ctl_note("the daemon set a damaged store aside and began a new history");
                *seen_of(reader, radio) = 0;
        }
        g_hash_table_insert(reader->histories, g_strdup(radio), g_strdup(now));
}

/* The first list, and the mark from which following goes on. */
static void begin(Reader *reader, Watch *watch) {
        g_autoptr(GPtrArray) radios = NULL;
        ExitCode code;

        code = objects_radios(reader->objects, reader->options, &radios);
        if (code == EXIT_CODE_OK && !reader->newer)
                code = show(reader, radios);
        if (code != EXIT_CODE_OK) {
                watch_end(watch, code);
                return;
        }

        for (guint i = 0; reader->newer && i < radios->len; i++)
                *seen_of(reader, radios->pdata[i]) = reader->after;
        reader->began = true;
}

static void on_came(Watch *watch, void *userdata) {
        _cleanup_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        g_autoptr(GPtrArray) radios = NULL;
        Reader *reader = userdata;
        Objects *objects;
        int r;

        r = objects_load_quietly(reader->client, CALL_DEFAULT, &error, &objects);
        if (r < 0) {
                if (!client_error_is_absence(&error, r))
                        watch_end(watch, client_report(reader->client, NULL, &error, r));
                return;
        }
        objects_free(reader->objects);
        reader->objects = objects;

        if (!reader->began)
                begin(reader, watch);
        radios = objects_list(objects, NULL, IFACE_MESSAGES);
        for (guint i = 0; reader->began && i < radios->len; i++)
                if (radio_is_meant(reader, radios->pdata[i])) {
                        check_history(reader, radios->pdata[i]);
                        catch_up(reader, watch, radios->pdata[i], last_id(reader, radios->pdata[i]));
                }
}

/* The id of the message that a Received signal brings; 0 for anything else. */
static uint64_t received_id(sd_bus_message *signal) {
        g_autoptr(JsonNode) record = NULL;

        if (sd_bus_message_is_signal(signal, IFACE_MESSAGES, "Received") <= 0 ||
            sd_bus_message_has_signature(signal, "ooa{sv}") <= 0 || sd_bus_message_skip(signal, "oo") < 0 ||
            json_from_message(signal, &record) < 0)
                return 0;
        return (uint64_t) json_int(json_node_get_object(record), "Id");
}

/* Any sign of a newer message leads to asking for all newer ones: so the order is always that
 * of the ids, and it doesn't matter which signals came. */
static void on_signal(Watch *watch, sd_bus_message *signal, void *userdata) {
        const char *radio = sd_bus_message_get_path(signal);
        Reader *reader = userdata;
        uint64_t known;

        if (!reader->began)
                return;
        objects_apply(reader->objects, signal);
        if (!objects_get(reader->objects, radio, IFACE_MESSAGES) || !radio_is_meant(reader, radio))
                return;

        known = MAX(last_id(reader, radio), received_id(signal));
        if (known > *seen_of(reader, radio))
                catch_up(reader, watch, radio, known);
}

/* -- the verb --------------------------------------------------------------- */

#define STATES "queued sending sent delivered failed cancelled expired received"
#define KINDS  "text command post data raw"

/* One of the words in choices. */
static ExitCode read_choice(const Args *args, const char *option, const char *choices, const char **ret) {
        g_auto(GStrv) list = g_strsplit(choices, " ", -1);
        const char *value = args_get(args, option);

        if (value && !g_strv_contains((const char *const *) list, value))
                return ctl_fail(EXIT_CODE_USAGE, "--%s is none of %s: %s", option, choices, value);
        *ret = value;
        return EXIT_CODE_OK;
}

static ExitCode read_filter(Reader *reader, const Args *args) {
        HistoryFilter *f = &reader->filter;
        ExitCode code;

        f->unread = args_has(args, "unread");
        f->text = args_get(args, "text");
        code = read_choice(args, "state", STATES, &f->state);
        if (code == EXIT_CODE_OK)
                code = read_choice(args, "kind", KINDS, &f->kind);
        if (code == EXIT_CODE_OK)
                code = read_choice(args, "direction", "received sent", &f->direction);
        if (code == EXIT_CODE_OK)
                code = args_get_when(args, "since", &f->since_usec);
        if (code == EXIT_CODE_OK)
                code = args_get_when(args, "until", &f->until_usec);
        if (code != EXIT_CODE_OK)
                return code;

        /* Both change while one waits: what was left out would have to be shown later, out of order. */
        if (reader->follow && (f->state || f->until_usec > 0))
                return ctl_fail(EXIT_CODE_USAGE, "--follow goes with neither --state nor --until");
        return EXIT_CODE_OK;
}

static ExitCode read_arguments(Reader *reader, const CtlOptions *options, const Args *args) {
        ExitCode code;

        reader->options = options;
        reader->with_channel = args_has(args, "channel");
        reader->with = args_get(args, reader->with_channel ? "channel" : "with");
        reader->mark_read = args_has(args, "mark-read");
        reader->follow = args_has(args, "follow");
        reader->newer = args_has(args, "after");
        reader->limit = LIMIT_DEFAULT;

        if (args_has(args, "with") && reader->with_channel)
                return ctl_fail(EXIT_CODE_USAGE, "--with and --channel exclude one another");
        if (args_has(args, "before") && (reader->newer || reader->follow))
                return ctl_fail(EXIT_CODE_USAGE, "--before goes with neither --after nor --follow");

        code = read_filter(reader, args);
        if (code == EXIT_CODE_OK)
                code = args_get_number(args, "limit", LIMIT_MAX, &reader->limit);
        if (code == EXIT_CODE_OK)
                code = args_get_number(args, "before", INT64_MAX, &reader->before);
        if (code == EXIT_CODE_OK)
                code = args_get_number(args, "after", INT64_MAX, &reader->after);
        return code;
}

static ExitCode run_messages(const CtlOptions *options, const Args *args) {
        static const WatchHandlers handlers = {.came = on_came, .signal = on_signal};
        g_autoptr(GPtrArray) radios = NULL;
        g_auto(Reader) reader = {};
        ExitCode code;

        code = read_arguments(&reader, options, args);
        if (code == EXIT_CODE_OK)
                code = client_open(options, &reader.client);
        if (code != EXIT_CODE_OK)
                return code;

        reader.peers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        reader.seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        reader.histories = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        if (reader.follow)
                return watch_run(reader.client, &handlers, &reader);

        code = objects_load(reader.client, &reader.objects);
        if (code == EXIT_CODE_OK)
                code = objects_radios(reader.objects, options, &radios);
        return code == EXIT_CODE_OK ? show(&reader, radios) : code;
}

static const VerbOption message_options[] = {
                {"with", 'w', "RECIPIENT", "only with this contact or on this channel", WORD_RECIPIENT, NULL},
                {"channel", 'c', "CHANNEL", "only on this channel: name or slot", WORD_CHANNEL, NULL},
                {"unread", 'u', NULL, "only received ones that are not marked as read", WORD_ANY, NULL},
                {"state", 's', "STATE", "only in this state: " STATES, WORD_CHOICE, STATES},
                {"kind", 'k', "KIND", "only of this kind: " KINDS, WORD_CHOICE, KINDS},
                {"direction", 'd', "WAY", "only received ones, or only sent ones", WORD_CHOICE,
                 "received sent"},
                {"since", 0, "TIME", "only from then on: 2h (ago), today, yesterday, 12:30, 2026-03-01",
                 WORD_ANY, NULL},
                {"until", 0, "TIME", "only before then", WORD_ANY, NULL},
                {"text", 't', "TEXT", "only with this in the text, in upper or lower case", WORD_ANY, NULL},
                {"limit", 'n', "N", "at most the N newest (20); with --after the N oldest", WORD_ANY, NULL},
                {"before", 0, "ID", "only older than this message", WORD_ANY, NULL},
                {"after", 0, "ID", "only newer than this message; 0: from the beginning", WORD_ANY, NULL},
                {"follow", 'f', NULL, "go on and show what comes, until Ctrl-C", WORD_ANY, NULL},
                {"mark-read", 0, NULL, "mark what is shown as read", WORD_ANY, NULL},
                {},
};

static const char messages_description[] =
                "The newest last. On a terminal the table is cut at its width; \"message ID\" shows all.\n"
                "RECIPIENT is as for \"send\". The state of a received message is read or "
                "unread; of our own queued, sending, sent, delivered,\n"
                "failed, cancelled or expired, with a ? when nobody knows if it went on air.\n"
                "\n"
                "--follow survives a restart of the daemon: it waits, and goes on after the last\n"
                "message that it showed, so that nothing is missed and nothing shown twice. With\n"
                "--after it begins behind a message that a script remembers, without --limit.\n"
                "\n"
                "With --json: an array of objects; with --follow one object a line. Each has Path,\n"
                "Radio, PeerName, ChannelName and every property of org.meshcored1.Message.\n";

static const char messages_examples[] = "  meshcorectl messages\n"
                                        "  meshcorectl messages --with Alice --limit 50\n"
                                        "  meshcorectl messages --channel test --follow\n"
                                        "  meshcorectl messages --unread --mark-read\n"
                                        "  meshcorectl messages --state failed --since yesterday\n"
                                        "  meshcorectl messages --text 'meet me' --limit 5\n"
                                        "  meshcorectl messages --follow --json --after 1234 | ./my-bot\n";

const Verb verb_messages = {
                .name = "messages",
                .arguments = "[OPTION…]",
                .summary = "Read messages, received and sent",
                .description = messages_description,
                .examples = messages_examples,
                .options = message_options,
                .run = run_messages,
};
