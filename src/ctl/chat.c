/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <langinfo.h>
#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "autobus.h"
#include "chat.h"
#include "conversation.h"
#include "format.h"

void chat_say(Chat *c, const char *format, ...) {
        g_autofree char *text = NULL, *line = NULL;
        va_list ap;

        va_start(ap, format);
        text = g_strdup_vprintf(format, ap);
        va_end(ap);

        line = g_strconcat("* ", text, NULL);
        if (c->options->json)
                ctl_note("%s", text);
        else
                screen_print(c->screen, line);
}

/* What goes wrong with a call, in words. A stream ends with the last of these codes. */
static void report(Chat *c, sd_bus_message *call, const sd_bus_error *error, int r) {
        screen_suspend(c->screen);
        c->code = client_report(c->client, call, error, r);
        screen_resume(c->screen);
}

/* -- showing ------------------------------------------------------------------- */

static const char *mark_of(const Chat *c, const char *state) {
        static const struct {
                const char *state, *mark, *plain;
        } marks[] = {
                        {"queued", "· ", ". "},    {"sending", "→ ", "> "},   {"sent", "✓ ", "* "},
                        {"sent?", "✓?", "*?"},     {"delivered", "✓✓", "**"}, {"failed", "✗ ", "x "},
                        {"cancelled", "- ", "- "}, {"expired", "! ", "! "},
        };
        size_t n = strcspn(state, ",");

        /* "sent, 2 repeats" was sent. */
        for (size_t i = 0; i < G_N_ELEMENTS(marks); i++)
                if (strlen(marks[i].state) == n && strncmp(state, marks[i].state, n) == 0)
                        return c->utf8 ? marks[i].mark : marks[i].plain;
        return g_str_has_suffix(state, "?") ? "? " : "  ";
}

/* Without what the mark or the prompt says already. */
static char *body_of(const Chat *c, JsonObject *message) {
        g_autofree char *with = message_with(message), *from = message_from(message);
        g_autofree char *body = message_body(message);

        if (c->conversation || strcmp(with, from) == 0)
                return g_strdup_printf("%s: %s", from, body);
        return g_strdup_printf("%s%s%s: %s", from, message_is_own(message) ? " to " : " on ", with, body);
}

static void print_day(Chat *c, const char *time) {
        g_autofree char *day = g_strndup(time, strcspn(time, " "));
        g_autofree char *line = NULL;

        if (g_strcmp0(day, c->day) == 0)
                return;
        line = g_strdup_printf("--- %s ---", day);
        screen_print(c->screen, line);
        g_free(c->day);
        c->day = g_steal_pointer(&day);
}

static void print_message(Chat *c, JsonObject *message) {
        g_autofree char *time = format_time(json_int(message, "TimestampUSec"));
        uint64_t id = (uint64_t) json_int(message, "Id");
        g_autofree char *text = NULL, *line = NULL, *state = NULL, *clock = NULL;

        if (c->options->json) {
                json_print_line(json_object_ref(message));
                return;
        }
        if (!screen_is_terminal(c->screen)) {
                text = message_line(message);
                line = g_strdup_printf("%s  %" G_GUINT64_FORMAT "  %s", time, id, text);
                screen_print(c->screen, line);
                return;
        }

        print_day(c, time);
        text = body_of(c, message);
        line = g_strconcat(" ", text, NULL);
        state = message_is_own(message) ? message_state(message) : g_strdup("");
        clock = g_strconcat(strchr(time, ' ') ? strchr(time, ' ') + 1 : "", " ", NULL);
        screen_print_marked(c->screen, id, clock, mark_of(c, state), line);
}

/* Why an own message came to nothing; a stream has it in the message. */
static void tell_error(Chat *c, JsonObject *message) {
        g_autofree char *state = message_state(message);

        if (screen_is_terminal(c->screen) && *json_string(message, "Error"))
                chat_say(c, "message %" G_GINT64_FORMAT " %s: %s", json_int(message, "Id"), state,
                         json_string(message, "Error"));
}

/* live: not out of the history. */
static void show(Chat *c, JsonArray *messages, bool live) {
        for (guint i = 0; i < json_array_get_length(messages); i++) {
                JsonObject *message = json_array_get_object_element(messages, i);

                print_message(c, message);
                if (!message_is_own(message))
                        continue;
                if (live)
                        tell_error(c, message);
                g_hash_table_insert(c->states, g_strdup(json_string(message, "Path")),
                                    message_state(message));
        }
}

/* An own message that is on the screen got another state. */
static void show_state(Chat *c, const char *path) {
        _cleanup_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        const char *before = g_hash_table_lookup(c->states, path);
        g_autoptr(JsonObject) message = NULL;
        g_autofree char *state = NULL;

        /* Gone, or the daemon is: then it is asked again when it is back. */
        if (!before || history_get(c->client, c->objects, path, &error, &message) < 0)
                return;
        state = message_state(message);
        if (strcmp(state, before) == 0)
                return;

        g_hash_table_insert(c->states, g_strdup(path), g_strdup(state));
        if (!screen_is_terminal(c->screen))
                print_message(c, message);
        else if (!screen_mark(c->screen, (uint64_t) json_int(message, "Id"), mark_of(c, state))) {
                g_autofree char *text = message_body(message);

                chat_say(c, "%s: %s", state, text);
        }
        tell_error(c, message);
}

/* -- reading ------------------------------------------------------------------- */

static HistoryFilter filter_of(const Chat *c) {
        return (HistoryFilter){.conversation = c->conversation, .is_channel = c->is_channel};
}

/* Messages in order of their ids. Silent when the daemon is away: this runs again when it is back. */
static JsonArray *fetch(Chat *c, uint64_t from, bool newer, uint64_t limit) {
        _cleanup_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        HistoryFilter filter = filter_of(c);
        JsonArray *messages;
        int r;

        r = history_list(c->client, c->objects, c->radio, &filter, from, newer, limit, &error, &messages);
        if (r >= 0)
                return messages;
        if (!client_error_is_absence(&error, r))
                report(c, NULL, &error, r);
        return NULL;
}

static void note_read(Chat *c, JsonArray *messages) {
        _cleanup_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        /* What goes by while nobody is chosen was not meant to be read here. */
        if (c->keep_unread || !c->conversation)
                return;
        r = history_mark_read(c->client, c->radio, messages, &error);
        if (r < 0 && !client_error_is_absence(&error, r))
                report(c, NULL, &error, r);
}

static uint64_t last_id(const Chat *c) {
        return (uint64_t) json_int(objects_get(c->objects, c->radio, IFACE_MESSAGES), "LastId");
}

void chat_show_history(Chat *c, uint64_t limit) {
        uint64_t known = last_id(c);
        g_autoptr(JsonArray) messages = limit > 0 ? fetch(c, 0, false, limit) : NULL;
        guint n = messages ? json_array_get_length(messages) : 0;

        if (n > 0) {
                show(c, messages, false);
                note_read(c, messages);
                c->seen = MAX(c->seen,
                              (uint64_t) json_int(json_array_get_object_element(messages, n - 1), "Id"));
        }
        c->seen = MAX(c->seen, known);
}

/* Shows what is newer than the last one shown, at least up to the id that is known to be there. */
static void catch_up(Chat *c, uint64_t known) {
        guint n;

        do {
                g_autoptr(JsonArray) messages = fetch(c, c->seen, true, HISTORY_PAGE);

                if (!messages)
                        return;
                n = json_array_get_length(messages);
                show(c, messages, true);
                note_read(c, messages);
                if (n > 0)
                        c->seen = (uint64_t) json_int(json_array_get_object_element(messages, n - 1), "Id");
        } while (n == HISTORY_PAGE);
        c->seen = MAX(c->seen, known);
}

/* -- whom to talk to ----------------------------------------------------------- */

static void show_prompt(Chat *c) {
        g_autofree char *prompt = g_strconcat(c->name, "> ", NULL);

        screen_set_prompt(c->screen, prompt);
}

ExitCode chat_choose(Chat *c, const char *name) {
        g_autofree char *candidates = NULL;
        HistoryFilter found = {};
        JsonObject *properties;
        int r;

        r = conversation_find(c->objects, c->radio, name, false, &found, &candidates);
        if (r < 0)
                return ctl_fail(EXIT_CODE_USAGE, "%s can be any of these: %s", name, candidates);
        if (r == 0 || found.conversation[0] != '/') {
                g_autofree char *near = objects_suggest(c->objects, c->radio, name, true, true);

                return ctl_fail(EXIT_CODE_NOT_FOUND, "there is no contact or channel %s%s", name, near);
        }

        properties = objects_get(c->objects, found.conversation,
                                 found.is_channel ? IFACE_CHANNEL : IFACE_CONTACT);
        g_free(c->conversation);
        c->conversation = g_strdup(found.conversation);
        c->is_channel = found.is_channel;
        g_free(c->name);
        c->name = g_strdup(*json_string(properties, "Name") ? json_string(properties, "Name") : name);
        g_free(c->channel);
        c->channel = g_strdup(json_string(properties, "Name"));
        show_prompt(c);
        return EXIT_CODE_OK;
}

/* A slot that holds another channel now must not get what was meant for the one before. */
static void check_choice(Chat *c) {
        JsonObject *properties;

        if (!c->conversation)
                return;
        properties = objects_get(c->objects, c->conversation, c->is_channel ? IFACE_CHANNEL : IFACE_CONTACT);
        if (properties && (!c->is_channel || strcmp(json_string(properties, "Name"), c->channel) == 0))
                return;

        chat_say(c, "%s is not there any more: /to RECIPIENT chooses somebody else", c->name);
        g_clear_pointer(&c->conversation, g_free);
        g_free(c->name);
        c->name = g_strdup("");
        show_prompt(c);
}

/* -- sending -------------------------------------------------------------------- */

/* Returns whether the text is out of our hands: sent, or refused in words. */
static bool send_text(Chat *c, const char *text) {
        _cleanup_message_ sd_bus_message *call = NULL, *reply = NULL;
        _cleanup_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        if (!c->conversation) {
                chat_say(c, "nobody is chosen: /to RECIPIENT");
                c->code = EXIT_CODE_USAGE;
                return !screen_is_terminal(c->screen);
        }
        if (!c->here) {
                if (screen_is_terminal(c->screen))
                        chat_say(c, "meshcored is away, so nothing was sent");
                return false;
        }

        r = client_new_call(c->client, c->conversation, c->is_channel ? IFACE_CHANNEL : IFACE_CONTACT,
                            "SendText", &call) == EXIT_CODE_OK
                            ? 0
                            : -ENOMEM;
        if (r >= 0)
                r = sd_bus_message_append(call, "sa{sv}", text, 0);
        if (r >= 0)
                r = client_send(c->client, call, CALL_DEFAULT, &error, &reply);
        if (r >= 0)
                return true; /* the daemon tells of the message itself, as of those of other programs */

        /* The text may have been stored before the daemon went: a person looks, and a stream hears of it. */
        report(c, call, &error, r);
        return !screen_is_terminal(c->screen);
}

bool chat_call_message(Chat *c, const char *path, const char *member) {
        _cleanup_message_ sd_bus_message *call = NULL, *reply = NULL;
        _cleanup_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        if (client_new_call(c->client, path, IFACE_MESSAGE, member, &call) != EXIT_CODE_OK)
                return false;
        r = client_send(c->client, call, CALL_DEFAULT, &error, &reply);
        if (r < 0)
                report(c, call, &error, r);
        return r >= 0;
}

void chat_end(Chat *c) {
        /* What was sent is shown, too. */
        if (c->here)
                catch_up(c, 0);
        if (screen_is_terminal(c->screen))
                watch_end(c->watch, EXIT_CODE_OK);
        else
                watch_end(c->watch, c->code != EXIT_CODE_OK ? c->code : screen_code(c->screen));
}

static bool on_line(const char *line, void *userdata) {
        Chat *c = userdata;

        if (!line) {
                chat_end(c);
                return true;
        }
        if (line[0] == '/' && line[1] != '/') {
                chat_command(c, line);
                return true;
        }
        return send_text(c, line[0] == '/' ? line + 1 : line);
}

/* -- the daemon ------------------------------------------------------------------ */

/* The first time that it is there. */
static ExitCode begin(Chat *c) {
        const char *radio = NULL;
        ExitCode code;
        int r;

        if (c->wanted && c->wanted[0] == '/')
                radio = objects_radio_of(c->objects, c->wanted);
        if (!radio) {
                code = objects_radio(c->objects, c->options, &radio);
                if (code != EXIT_CODE_OK)
                        return code;
        }
        c->radio = g_strdup(radio);
        c->history = g_strdup(json_string(objects_get(c->objects, radio, IFACE_MESSAGES), "HistoryId"));

        if (c->wanted) {
                code = chat_choose(c, c->wanted);
                if (code != EXIT_CODE_OK)
                        return code;
        }
        r = screen_attach(c->screen, watch_event(c->watch));
        if (r < 0)
                return ctl_fail(EXIT_CODE_FAILED, "cannot read standard input: %s", g_strerror(-r));

        chat_show_history(c, c->limit);
        if (screen_is_terminal(c->screen))
                chat_say(c, "%s: /help lists the commands, Ctrl-D ends",
                         c->wanted ? c->name
                                   : "/to RECIPIENT chooses "
                                     "whom to talk to");
        show_prompt(c);
        return EXIT_CODE_OK;
}

/* Back again: what came meanwhile, and what became of ours. */
static void go_on(Chat *c) {
        const char *history = json_string(objects_get(c->objects, c->radio, IFACE_MESSAGES), "HistoryId");
        g_autoptr(GPtrArray) paths = g_ptr_array_new_with_free_func(g_free);
        GHashTableIter iter;
        gpointer path;

        chat_say(c, "meshcored is back");
        if (*history && strcmp(history, c->history) != 0) {
                chat_say(c, "the daemon set a damaged store aside and began a new history");
                g_free(c->history);
                c->history = g_strdup(history);
                g_hash_table_remove_all(c->states);
                c->seen = 0;
        }

        g_hash_table_iter_init(&iter, c->states);
        while (g_hash_table_iter_next(&iter, &path, NULL))
                g_ptr_array_add(paths, g_strdup(path));
        for (guint i = 0; i < paths->len; i++)
                show_state(c, paths->pdata[i]);
        check_choice(c);
        catch_up(c, last_id(c));
}

static void on_came(Watch *watch, void *userdata) {
        _cleanup_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        Chat *c = userdata;
        Objects *objects;
        ExitCode code;
        int r;

        c->watch = watch;
        r = objects_load_quietly(c->client, CALL_DEFAULT, &error, &objects);
        if (r < 0) {
                if (!client_error_is_absence(&error, r))
                        watch_end(watch, client_report(c->client, NULL, &error, r));
                return;
        }
        objects_free(c->objects);
        c->objects = objects;
        c->here = true;

        if (c->radio)
                go_on(c);
        else {
                code = begin(c);
                if (code != EXIT_CODE_OK) {
                        watch_end(watch, code);
                        return;
                }
        }
        screen_set_reading(c->screen, true);
}

static void on_went(Watch *watch, void *userdata) {
        Chat *c = userdata;

        c->here = false;
        screen_set_reading(c->screen, false);
        chat_say(c, "meshcored went away; waiting for it to come back");
}

static void on_received(Chat *c, sd_bus_message *signal) {
        g_autoptr(JsonObject) message = NULL;
        g_autoptr(JsonNode) record = NULL;
        const char *conversation, *path;
        g_autofree char *line = NULL;

        if (sd_bus_message_has_signature(signal, "ooa{sv}") <= 0 ||
            sd_bus_message_read(signal, "oo", &conversation, &path) < 0 ||
            json_from_message(signal, &record) < 0)
                return;
        if (!c->conversation || strcmp(conversation, c->conversation) == 0) {
                catch_up(c, (uint64_t) json_int(json_node_get_object(record), "Id"));
                return;
        }

        message = history_message(c->objects, path, json_node_get_object(record));
        line = message_line(message);
        if (!c->options->json)
                chat_say(c, "elsewhere: %s", line);
}

static void on_state_changed(Chat *c, sd_bus_message *signal) {
        const char *old, *new, *reason;
        bool has_reason;

        if (sd_bus_message_read(signal, "sss", &old, &new, &reason) < 0)
                return;
        has_reason = strcmp(reason, "none") != 0;
        chat_say(c, "radio %s is %s%s%s%s", objects_radio_id(c->objects, c->radio), new,
                 has_reason ? " (" : "", has_reason ? reason : "", has_reason ? ")" : "");
}

static void on_signal(Watch *watch, sd_bus_message *signal, void *userdata) {
        Chat *c = userdata;
        const char *path;

        if (!c->radio)
                return;
        objects_apply(c->objects, signal);
        check_choice(c);
        if (strcmp(sd_bus_message_get_path(signal), c->radio) != 0)
                return;

        (void) sd_bus_message_rewind(signal, true);
        if (sd_bus_message_is_signal(signal, IFACE_MESSAGES, "Received") > 0)
                on_received(c, signal);
        else if (sd_bus_message_is_signal(signal, IFACE_RADIO, "StateChanged") > 0)
                on_state_changed(c, signal);
        else if (sd_bus_message_is_signal(signal, IFACE_MESSAGES, "Changed") > 0 &&
                 sd_bus_message_read(signal, "o", &path) > 0)
                show_state(c, path);

        if (last_id(c) > c->seen)
                catch_up(c, last_id(c));
}

/* Ctrl-C first takes back what was typed. */
static bool on_interrupt(Watch *watch, void *userdata) {
        Chat *c = userdata;

        return screen_discard_input(c->screen);
}

/* -- life ------------------------------------------------------------------------ */

ExitCode chat_run(Chat *c) {
        static const WatchHandlers handlers = {
                        .came = on_came,
                        .signal = on_signal,
                        .went = on_went,
                        .interrupt = on_interrupt,
        };
        ExitCode code;

        (void) setlocale(LC_CTYPE, ""); /* for what is typed, and for the marks */
        c->utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
        c->name = g_strdup("");
        c->states = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        c->screen = screen_new(c->options->json, on_line, c);

        code = client_open(c->options, &c->client);
        return code == EXIT_CODE_OK ? watch_run(c->client, &handlers, c) : code;
}

void chat_clear(Chat *c) {
        c->screen = screen_free(c->screen);
        c->objects = objects_free(c->objects);
        c->client = client_free(c->client);
        g_clear_pointer(&c->states, g_hash_table_unref);
        g_clear_pointer(&c->radio, g_free);
        g_clear_pointer(&c->conversation, g_free);
        g_clear_pointer(&c->name, g_free);
        g_clear_pointer(&c->channel, g_free);
        g_clear_pointer(&c->history, g_free);
        g_clear_pointer(&c->day, g_free);
}
