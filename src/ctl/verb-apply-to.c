/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "command-line.h"
#include "contact-filter.h"
#include "execute.h"
#include "format.h"
#include "macros.h"
#include "table.h"
#include "target.h"
#include "terminal.h"
#include "verb-node.h"
#include "when.h"

/* One command for many contacts, each time in a process of its own. Contacts go into it by their keys. */

#define OUTPUT_MAX (16 * 1024 * 1024)

typedef struct Choice {
        const char *pattern;
        char **types;
        uint64_t heard_usec, unheard_usec, max_hops;
        bool has_max_hops, direct, flood, favourite, unread, logged_in;
} Choice;

static void choice_clear(Choice *c) {
        g_clear_pointer(&c->types, g_strfreev);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Choice, choice_clear)

/* -- choosing ----------------------------------------------------------------- */

static bool way_fits(const Choice *c, JsonObject *contact) {
        JsonArray *path = json_array(contact, "Path");
        guint hops = path ? json_array_get_length(path) : 0;
        bool known = json_bool(contact, "PathKnown");

        if (c->flood)
                return !known;
        if (c->direct && (!known || hops > 0))
                return false;
        return !c->has_max_hops || (known && hops <= c->max_hops);
}

static bool fits(const Choice *c, Objects *objects, const char *path) {
        JsonObject *contact = objects_get(objects, path, IFACE_CONTACT);
        uint64_t heard = (uint64_t) json_int(contact, "LastHeardUSec");

        if (c->types && !g_strv_contains((const char *const *) c->types, json_string(contact, "Type")))
                return false;
        if (c->pattern && !contact_fits(contact, c->pattern))
                return false;
        if ((c->heard_usec > 0 && heard < c->heard_usec) || (c->unheard_usec > 0 && heard >= c->unheard_usec))
                return false;
        if ((c->favourite && !json_bool(contact, "Favourite")) ||
            (c->unread && json_int(contact, "Unread") == 0))
                return false;
        if (c->logged_in && !json_bool(objects_get(objects, path, IFACE_NODE), "LoggedIn"))
                return false;
        return way_fits(c, contact);
}

static ExitCode read_choice(const Args *args, Choice *c) {
        static const char *const types[] = {"chat", "repeater", "room", "sensor", NULL};
        const char *text = args_get(args, "type");
        ExitCode code;

        c->pattern = args_get(args, "name");
        c->types = text ? g_strsplit(text, ",", -1) : NULL;
        for (char **type = c->types; type && *type; type++)
                if (!g_strv_contains(types, *type))
                        return ctl_fail(EXIT_CODE_USAGE,
                                        "--type takes chat, repeater, room and sensor, separated by commas, "
                                        "not: %s",
                                        *type);

        c->direct = args_has(args, "direct");
        c->flood = args_has(args, "flood");
        c->has_max_hops = args_has(args, "max-hops");
        if (c->direct + c->flood + c->has_max_hops > 1)
                return ctl_fail(EXIT_CODE_USAGE, "--direct, --flood and --max-hops exclude one another");
        c->favourite = args_has(args, "favourite");
        c->unread = args_has(args, "unread");
        c->logged_in = args_has(args, "logged-in");

        code = args_get_number(args, "max-hops", UINT8_MAX, &c->max_hops);
        if (code == EXIT_CODE_OK)
                code = args_get_when(args, "heard", &c->heard_usec);
        if (code == EXIT_CODE_OK)
                code = args_get_when(args, "not-heard", &c->unheard_usec);
        return code;
}

/* Copies of the contacts, with Path and Radio; nobody else has a connection when it returns. */
static ExitCode choose(const CtlOptions *options, const Choice *choice, JsonArray **ret) {
        g_autoptr(JsonArray) chosen = json_array_new();
        g_auto(Target) target = {};
        g_autoptr(GPtrArray) contacts = NULL;
        ExitCode code;

        code = target_open(options, NULL, &target);
        if (code != EXIT_CODE_OK)
                return code;

        contacts = objects_list(target.objects, target.radio, IFACE_CONTACT);
        for (guint i = 0; i < contacts->len; i++)
                if (fits(choice, target.objects, contacts->pdata[i]))
                        json_array_add_object_element(
                                        chosen,
                                        objects_to_json(target.objects, contacts->pdata[i], IFACE_CONTACT));

        *ret = g_steal_pointer(&chosen);
        return EXIT_CODE_OK;
}

/* -- applying ----------------------------------------------------------------- */

/* The command with the key in place of {}, or behind the verb. */
static GPtrArray *make_words(const Args *args, const char *key) {
        const Verb *verb = verb_find(args_word(args, 0));
        unsigned behind = verb && verb->parts ? 2 : 1, n = args_count(args);
        GPtrArray *words = g_ptr_array_new();
        bool placed = false;

        for (unsigned i = 0; i < n; i++) {
                bool here = strcmp(args_word(args, i), "{}") == 0;

                g_ptr_array_add(words, (char *) (here ? key : args_word(args, i)));
                placed |= here;
        }
        if (!placed)
                g_ptr_array_insert(words, (int) MIN(behind, n), (char *) key);
        g_ptr_array_add(words, NULL);
        return words;
}

static JsonNode *parse_output(const char *text, gsize n) {
        g_autoptr(JsonParser) parser = json_parser_new();
        JsonNode *root;

        if (n == 0)
                return json_node_new(JSON_NODE_NULL);
        if (!json_parser_load_from_data(parser, text, (gssize) n, NULL))
                return json_node_init_string(json_node_alloc(), text);
        root = json_parser_get_root(parser);
        return root ? json_node_copy(root) : json_node_new(JSON_NODE_NULL);
}

static ExitCode apply_json(const CtlOptions *options, JsonObject *contact, char *const words[]) {
        g_autoptr(JsonObject) line = json_object_new();
        _cleanup_close_ int fd = -EBADF;
        g_autofree char *output = NULL;
        ExitCode code;
        size_t n;

        fd = memory_file("output", NULL, 0);
        if (fd < 0)
                return ctl_fail(EXIT_CODE_FAILED, "cannot keep the output: %s", g_strerror(-fd));
        code = execute_apart(words, options, -1, fd);
        if (memory_file_read(fd, OUTPUT_MAX, &output, &n) < 0)
                n = 0;

        json_object_set_string_member(line, "Radio", json_string(contact, "Radio"));
        json_object_set_string_member(line, "Key", json_string(contact, "Key"));
        json_object_set_string_member(line, "Name", json_string(contact, "Name"));
        json_object_set_int_member(line, "Status", code);
        json_object_set_member(line, "Output", parse_output(output, n));
        json_print_line(g_steal_pointer(&line));
        return code;
}

static ExitCode apply_plain(const CtlOptions *options, JsonObject *contact, char *const words[]) {
        g_autofree char *name = terminal_escape(json_string(contact, "Name"));

        printf("%s (%.12s):\n", name, json_string(contact, "Key"));
        return execute_apart(words, options, -1, -1);
}

static ExitCode apply(const CtlOptions *options, const Args *args, JsonArray *contacts, uint64_t pause) {
        guint n = json_array_get_length(contacts), failed = 0;
        ExitCode code, first = EXIT_CODE_OK;

        for (guint i = 0; i < n; i++) {
                JsonObject *contact = json_array_get_object_element(contacts, i);
                g_autoptr(GPtrArray) words = make_words(args, json_string(contact, "Key"));

                if (i > 0 && pause > 0)
                        g_usleep(pause);
                if (isatty(STDERR_FILENO))
                        ctl_note("%u of %u", i + 1, n);
                code = (options->json ? apply_json : apply_plain)(options, contact, (char **) words->pdata);
                failed += code != EXIT_CODE_OK;
                if (first == EXIT_CODE_OK)
                        first = code;
                /* It would be the same for all others. */
                if (code == EXIT_CODE_UNREACHABLE)
                        return code;
        }
        if (failed > 0)
                ctl_note("it failed for %u of %u contacts", failed, n);
        return first;
}

static void print_chosen(const CtlOptions *options, JsonArray *contacts) {
        static const char *const headers[] = {"NAME", "TYPE", "KEY", "LAST HEARD", NULL};
        g_autoptr(Table) table = NULL;

        if (options->json) {
                json_print_document(json_node_init_array(json_node_alloc(), contacts));
                return;
        }

        table = table_new(headers);
        for (guint i = 0; i < json_array_get_length(contacts); i++) {
                JsonObject *contact = json_array_get_object_element(contacts, i);
                g_autofree char *heard = format_time(json_int(contact, "LastHeardUSec"));

                table_add(table, json_string(contact, "Name"));
                table_add(table, json_string(contact, "Type"));
                table_add(table, json_string(contact, "Key"));
                table_add(table, heard);
        }
        table_print(table);
}

/* Told once, and not for each contact. */
static ExitCode check_command(const Args *args) {
        const Verb *verb;

        if (args_count(args) == 0)
                return ctl_fail(EXIT_CODE_USAGE, "there is no command to apply; see: %s apply-to --help",
                                CTL_NAME);
        verb = verb_find(args_word(args, 0));
        if (verb && verb->parts && (args_count(args) < 2 || !verb_find_part(verb, args_word(args, 1))))
                return ctl_fail(EXIT_CODE_USAGE, "what of %s shall be applied? See: %s help %s", verb->name,
                                CTL_NAME, verb->name);
        return EXIT_CODE_OK;
}

/* Nobody removes all contacts because an option was forgotten. */
static ExitCode check_filter(const Args *args) {
        static const char *const filters[] = {"type",  "name",     "heard",     "not-heard", "direct",
                                              "flood", "max-hops", "favourite", "unread",    "logged-in"};

        for (size_t i = 0; i < ELEMENTSOF(filters); i++)
                if (args_has(args, filters[i]))
                        return EXIT_CODE_OK;
        return ctl_fail(EXIT_CODE_USAGE, "say which contacts; for all of them: --name '*'");
}

static ExitCode run_apply_to(const CtlOptions *options, const Args *args) {
        const char *pause_text = args_get(args, "pause");
        bool dry_run = args_has(args, "dry-run");
        g_autoptr(JsonArray) contacts = NULL;
        g_auto(Choice) choice = {};
        uint64_t pause = 0;
        ExitCode code;

        code = dry_run ? EXIT_CODE_OK : check_command(args);
        if (code == EXIT_CODE_OK)
                code = check_filter(args);
        if (code != EXIT_CODE_OK)
                return code;
        if (pause_text && parse_duration(pause_text, &pause) < 0)
                return ctl_fail(EXIT_CODE_USAGE, "--pause takes a duration such as 5s or 1min, not: %s",
                                pause_text);
        code = read_choice(args, &choice);
        if (code == EXIT_CODE_OK)
                code = choose(options, &choice, &contacts);
        if (code != EXIT_CODE_OK)
                return code;

        if (dry_run) {
                print_chosen(options, contacts);
                return EXIT_CODE_OK;
        }
        if (json_array_get_length(contacts) == 0)
                return ctl_fail(EXIT_CODE_NOT_FOUND, "no contact fits");
        return apply(options, args, contacts, pause);
}

static const VerbOption apply_options[] = {
                {"type", 't', "TYPE", "only these: chat, repeater, room, sensor, separated by commas",
                 WORD_CHOICE, "chat repeater room sensor"},
                {"name", 'n', "PATTERN", "only those that \"contacts PATTERN\" lists", WORD_CONTACT, NULL},
                {"heard", 0, "TIME", "only those heard since then: 2h (ago), 1d, yesterday, 2026-03-01",
                 WORD_ANY, NULL},
                {"not-heard", 0, "TIME", "only those not heard since then", WORD_ANY, NULL},
                {"direct", 0, NULL, "only those that are reached without a repeater", WORD_ANY, NULL},
                {"flood", 0, NULL, "only those that no path is known to", WORD_ANY, NULL},
                {"max-hops", 0, "N", "only those with a known path of at most N repeaters", WORD_ANY, NULL},
                {"favourite", 0, NULL, "only favourites", WORD_ANY, NULL},
                {"unread", 'u', NULL, "only those with unread messages", WORD_ANY, NULL},
                {"logged-in", 0, NULL, "only nodes that we are logged in to", WORD_ANY, NULL},
                {"pause", 0, "DURATION", "wait so long between two, to leave the air to others", WORD_ANY,
                 NULL},
                {"dry-run", 0, NULL, "only list whom it would be applied to", WORD_ANY, NULL},
                {},
};

const Verb verb_apply_to = {
                .name = "apply-to",
                .arguments = "[OPTION…] -- VERB [WORD…]",
                .summary = "Run a command for all contacts that fit",
                .description = "All options must fit; there must be one. The key of each contact stands in "
                               "place of the word {}, or "
                               "behind\n"
                               "the verb when there is none. A failure does not keep the others from their "
                               "turn; "
                               "the\n"
                               "exit status is that of the first.\n"
                               "\n"
                               "With --json: one line for each, with Radio, Key, Name, Status (the exit "
                               "status) "
                               "and\n"
                               "Output (what the command printed).\n",
                .examples = "  meshcorectl apply-to --type repeater --heard 1d -- node status\n"
                            "  meshcorectl apply-to --not-heard 30d --dry-run\n"
                            "  meshcorectl apply-to --type repeater --pause 30s -- node command {} clock "
                            "sync\n"
                            "  meshcorectl apply-to --name 'Team *' -- send {} We meet at 12\n",
                .options = apply_options,
                .max_words = UINT_MAX,
                .word = WORD_VERB,
                .run = run_apply_to,
};
