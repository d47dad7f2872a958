/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "chat.h"
#include "command-line.h"
#include "format.h"

#define HISTORY_DEFAULT 20
#define HISTORY_MAX     100000

static void command_to(Chat *c, const char *words) {
        ExitCode code;

        if (!*words) {
                chat_say(c, "who is meant? /to RECIPIENT");
                return;
        }
        screen_suspend(c->screen);
        code = chat_choose(c, words);
        screen_resume(c->screen);
        if (code == EXIT_CODE_OK)
                chat_show_history(c, c->limit);
}

static void command_history(Chat *c, const char *words) {
        uint64_t n = HISTORY_DEFAULT;

        if (*words && parse_number(words, HISTORY_MAX, &n) < 0)
                chat_say(c, "/history takes a number up to %i", HISTORY_MAX);
        else
                chat_show_history(c, n);
}

static void list(Chat *c, const char *interface, const char *folded) {
        g_autoptr(GPtrArray) paths = objects_list(c->objects, c->radio, interface);

        for (guint i = 0; i < paths->len; i++) {
                JsonObject *object = objects_get(c->objects, paths->pdata[i], interface);
                g_autofree char *name = g_utf8_casefold(json_string(object, "Name"), -1);

                if (!strstr(name, folded))
                        continue;
                if (strcmp(interface, IFACE_CHANNEL) == 0)
                        chat_say(c, "%s (%s channel)", json_string(object, "Name"),
                                 json_string(object, "Kind"));
                else
                        chat_say(c, "%s (%s, %.12s)", json_string(object, "Name"),
                                 json_string(object, "Type"), json_string(object, "Key"));
        }
}

static void command_who(Chat *c, const char *words) {
        g_autofree char *folded = g_utf8_casefold(words, -1);

        list(c, IFACE_CHANNEL, folded);
        list(c, IFACE_CONTACT, folded);
}

static void command_info(Chat *c, const char *words) {
        g_autofree char *heard = NULL;
        JsonObject *object;
        JsonArray *path;

        if (!c->conversation) {
                chat_say(c, "nobody is chosen: /to RECIPIENT");
                return;
        }
        object = objects_get(c->objects, c->conversation, c->is_channel ? IFACE_CHANNEL : IFACE_CONTACT);
        if (c->is_channel) {
                chat_say(c, "%s, %s channel in slot %" G_GINT64_FORMAT, json_string(object, "Name"),
                         json_string(object, "Kind"), json_int(object, "Slot"));
                return;
        }

        heard = format_time(json_int(object, "LastHeardUSec"));
        path = json_array(object, "Path");
        chat_say(c, "%s, %s, key %s", json_string(object, "Name"), json_string(object, "Type"),
                 json_string(object, "Key"));
        if (!json_bool(object, "PathKnown"))
                chat_say(c, "no path is known: texts go by flood");
        else
                chat_say(c, "%u hops away", path ? json_array_get_length(path) : 0);
        if (*heard)
                chat_say(c, "last heard %s", heard);
}

/* -- messages --------------------------------------------------------------------- */

static uint64_t id_of(const char *path) {
        return g_ascii_strtoull(strrchr(path, '/') + 1, NULL, 10);
}

/* The last of ours that is in one of the states. */
static const char *find_last(Chat *c, const char *const *states) {
        const char *last = NULL;
        gpointer path, state;
        GHashTableIter iter;

        g_hash_table_iter_init(&iter, c->states);
        while (g_hash_table_iter_next(&iter, &path, &state))
                if (g_strv_contains(states, state) && (!last || id_of(path) > id_of(last)))
                        last = path;
        return last;
}

static void act_on_message(Chat *c, const char *words, const char *const *states, const char *member,
                           const char *nothing) {
        g_autofree char *path = NULL;
        uint64_t id;

        if (!*words)
                path = g_strdup(find_last(c, states));
        else if (parse_number(words, INT64_MAX, &id) >= 0)
                path = g_strdup_printf("%s/message/%" G_GUINT64_FORMAT, c->radio, id);
        if (!path)
                chat_say(c, "%s", *words ? "a message is named by its number" : nothing);
        else
                (void) chat_call_message(c, path, member);
}

static void command_resend(Chat *c, const char *words) {
        static const char *const states[] = {"failed", "expired", "cancelled", NULL};

        act_on_message(c, words, states, "Resend", "none of the messages shown here failed");
}

static void command_cancel(Chat *c, const char *words) {
        static const char *const states[] = {"queued", "sending", "sent", "sent?", NULL};

        act_on_message(c, words, states, "Cancel", "none of the messages shown here is on its way");
}

/* -- the table ---------------------------------------------------------------------- */

static void command_help(Chat *c, const char *words) {
        g_auto(GStrv) lines = g_strsplit(CHAT_COMMANDS, "\n", -1);

        for (char **line = lines; **line; line++)
                chat_say(c, "%s", g_strstrip(*line));
}

static void command_quit(Chat *c, const char *words) {
        chat_end(c);
}

void chat_command(Chat *c, const char *line) {
        static const struct {
                const char *name;
                void (*run)(Chat *c, const char *words);
        } table[] = {
                        {"to", command_to},     {"history", command_history}, {"who", command_who},
                        {"info", command_info}, {"resend", command_resend},   {"cancel", command_cancel},
                        {"help", command_help}, {"quit", command_quit},
        };
        size_t n = strcspn(line + 1, " ");
        g_autofree char *name = g_strndup(line + 1, n), *words = g_strstrip(g_strdup(line + 1 + n));

        for (size_t i = 0; i < G_N_ELEMENTS(table); i++)
                if (strcmp(table[i].name, name) == 0) {
                        table[i].run(c, words);
                        return;
                }
        chat_say(c, "there is no command /%s; /help lists them, and //%s… is a text", name, name);
}
