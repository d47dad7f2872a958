/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "alias.h"
#include "command-line.h"
#include "elsewhere.h"
#include "macros.h"
#include "suggest.h"

struct Args {
        GHashTable *options; /* long name → value, "" when it takes none */
        char **words;        /* borrowed */
        unsigned n_words;
        const VerbOption *known; /* of the verb */
};

const VerbOption global_options[] = {
                {"session", 0, NULL, "talk to a daemon on your own session bus", WORD_ANY, NULL},
                {"system", 0, NULL, "talk to the daemon on the system bus (the default)", WORD_ANY, NULL},
                {"json", 'j', NULL, "print JSON for programs instead of tables", WORD_ANY, NULL},
                {"radio", 'r', "ID", "only this radio; needed by some verbs when there are several",
                 WORD_RADIO, NULL},
                {"help", 'h', NULL, "explain the verb, with examples", WORD_ANY, NULL},
                {"version", 0, NULL, "print the version and end", WORD_ANY, NULL},
                {},
};

static Args *args_new(const VerbOption *known) {
        Args *args = g_new0(Args, 1);

        args->options = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        args->known = known;
        return args;
}

static void args_free(Args *args) {
        if (!args)
                return;

        g_hash_table_unref(args->options);
        g_free(args);
}

bool args_has(const Args *args, const char *option) {
        return g_hash_table_contains(args->options, option);
}

const char *args_get(const Args *args, const char *option) {
        return g_hash_table_lookup(args->options, option);
}

unsigned args_count(const Args *args) {
        return args->n_words;
}

const char *args_word(const Args *args, unsigned i) {
        return i < args->n_words ? args->words[i] : NULL;
}

/* -- reading ---------------------------------------------------------------- */

static const VerbOption *find_letter(const VerbOption *options, char letter) {
        for (; options && options->name; options++)
                if (options->letter == letter)
                        return options;
        return NULL;
}

/* GLib gives the option as it was written: "--limit" or "-n". */
static gboolean option_seen(const char *name, const char *value, gpointer userdata, GError **error) {
        Args *args = userdata;
        const VerbOption *o;

        if (g_str_has_prefix(name, "--")) {
                g_hash_table_insert(args->options, g_strdup(name + 2), g_strdup(value ?: ""));
                return TRUE;
        }

        o = find_letter(global_options, name[1]) ?: find_letter(args->known, name[1]);
        g_hash_table_insert(args->options, g_strdup(o->name), g_strdup(value ?: ""));
        return TRUE;
}

static void add_entries(GArray *entries, const VerbOption *options) {
        for (; options && options->name; options++) {
                GOptionEntry entry = {
                                .long_name = options->name,
                                .short_name = options->letter,
                                /* FILENAME: bytes as they were typed, whatever the locale */
                                .flags = options->argument ? G_OPTION_FLAG_FILENAME : G_OPTION_FLAG_NO_ARG,
                                .arg = G_OPTION_ARG_CALLBACK,
                                .arg_data = (gpointer) option_seen,
                };

                g_array_append_val(entries, entry);
        }
}

/* Reads options out of argv, which keeps the other words. Strict: only those before the first word. */
static ExitCode read_options(int *argc, char ***argv, Args *args, bool strict, const Verb *verb) {
        g_autoptr(GOptionContext) context = g_option_context_new(NULL);
        g_autoptr(GArray) entries = g_array_new(TRUE, TRUE, sizeof(GOptionEntry));
        g_autoptr(GError) error = NULL;
        GOptionGroup *group = g_option_group_new("main", "", "", args, NULL);

        add_entries(entries, global_options);
        add_entries(entries, args->known);
        g_option_group_add_entries(group, &g_array_index(entries, GOptionEntry, 0));
        g_option_context_set_main_group(context, group);
        g_option_context_set_help_enabled(context, FALSE);
        g_option_context_set_strict_posix(context, strict);

        if (!g_option_context_parse(context, argc, argv, &error)) {
                bool dash = verb && verb->max_words > 0 &&
                            g_error_matches(error, G_OPTION_ERROR, G_OPTION_ERROR_UNKNOWN_OPTION);

                return ctl_fail(EXIT_CODE_USAGE, "%s%s; see: %s %s%s--help", error->message,
                                dash ? " (a word that begins with a dash needs -- before it)" : "", CTL_NAME,
                                verb ? verb->name : "", verb ? " " : "");
        }
        return EXIT_CODE_OK;
}

static ExitCode check_utf8(const Args *args) {
        GHashTableIter iter;
        gpointer name, value;

        g_hash_table_iter_init(&iter, args->options);
        while (g_hash_table_iter_next(&iter, &name, &value))
                if (!g_utf8_validate(value, -1, NULL))
                        return ctl_fail(EXIT_CODE_USAGE, "the value of --%s is not valid UTF-8",
                                        (const char *) name);
        for (unsigned i = 0; i < args->n_words; i++)
                if (!g_utf8_validate(args->words[i], -1, NULL))
                        return ctl_fail(EXIT_CODE_USAGE, "word %u after the verb is not valid UTF-8", i + 1);
        return EXIT_CODE_OK;
}

static ExitCode take_globals(CommandLine *line, const Args *args) {
        if (args_has(args, "session") && args_has(args, "system"))
                return ctl_fail(EXIT_CODE_USAGE, "--session and --system exclude one another");

        if (args_has(args, "session"))
                line->options.bus = BUS_SESSION;
        if (args_has(args, "system"))
                line->options.bus = BUS_SYSTEM;
        line->options.json |= args_has(args, "json");
        line->help |= args_has(args, "help");
        line->version |= args_has(args, "version");
        if (args_has(args, "radio"))
                line->options.radio = g_intern_string(args_get(args, "radio"));
        return EXIT_CODE_OK;
}

static ExitCode check_words(const Verb *verb, const Args *args) {
        if (args->n_words < verb->min_words)
                return ctl_fail(EXIT_CODE_USAGE, "usage: %s %s %s; see: %s %s --help", CTL_NAME, verb->name,
                                verb->arguments, CTL_NAME, verb->name);
        if (args->n_words > verb->max_words)
                return ctl_fail(EXIT_CODE_USAGE, "too many words for %s: %s; see: %s %s --help", verb->name,
                                args->words[verb->max_words], CTL_NAME, verb->name);
        return EXIT_CODE_OK;
}

static unsigned count_separators(int argc, char *argv[]) {
        unsigned n = 0;

        for (int i = 1; i < argc; i++)
                n += strcmp(argv[i], "--") == 0;
        return n;
}

/* The "--" that protects words which look like options; GLib takes it away in some cases only. */
static void remove_separator(int *argc, char *argv[]) {
        int i = 1;

        while (strcmp(argv[i], "--") != 0)
                i++;
        memmove(argv + i, argv + i + 1, sizeof(char *) * (size_t) (*argc - i)); /* with the NULL */
        (*argc)--;
}

static ExitCode read_verb_words(CommandLine *line, int argc, char *argv[]) {
        Args *args = line->args;
        ExitCode code;

        if (line->verb->own_options) {
                if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0))
                        line->help = true;
        } else {
                unsigned separators = count_separators(argc, argv);

                code = read_options(&argc, &argv, args, false, line->verb);
                if (code != EXIT_CODE_OK)
                        return code;
                if (separators > 0 && count_separators(argc, argv) == separators)
                        remove_separator(&argc, argv);
        }

        args->words = argv + 1;
        args->n_words = (unsigned) argc - 1;
        code = take_globals(line, args);
        if (code != EXIT_CODE_OK || line->help || line->version)
                return code;

        code = check_utf8(args);
        return code == EXIT_CODE_OK ? check_words(line->verb, args) : code;
}

/* Options that stand before the next word, all global. */
static ExitCode read_globals(CommandLine *line, int *argc, char ***argv) {
        Args *globals = args_new(NULL);
        ExitCode code;

        code = read_options(argc, argv, globals, true, line->verb);
        if (code == EXIT_CODE_OK)
                code = take_globals(line, globals);
        if (code == EXIT_CODE_OK)
                code = check_utf8(globals);
        args_free(globals);
        return code;
}

static char *suggest_verb(const char *name) {
        g_autoptr(GPtrArray) names = g_ptr_array_new();

        /* Part of a group, without the group. */
        for (const Verb *const *v = verbs; *v; v++)
                if ((*v)->parts && verb_find_part(*v, name))
                        return g_strdup_printf("; did you mean %s?", verb_find_part(*v, name)->name);
        for (const Verb *const *v = verbs; *v; v++)
                if (!(*v)->hidden)
                        g_ptr_array_add(names, (char *) (*v)->name);
        g_ptr_array_add(names, NULL);
        return suggest(name, (const char *const *) names->pdata, "; see: " CTL_NAME " help");
}

static char *suggest_part(const Verb *group, const char *name) {
        g_autoptr(GPtrArray) names = g_ptr_array_new();
        g_autofree char *see = NULL;

        for (const Verb *const *v = group->parts; *v; v++)
                g_ptr_array_add(names, (char *) verb_part_name(*v));
        g_ptr_array_add(names, NULL);
        see = g_strdup_printf("; see: %s help %s", CTL_NAME, group->name);
        return suggest(name, (const char *const *) names->pdata, see);
}

/* The second word of a group; with --help before it the group itself stays. */
static ExitCode choose_part(CommandLine *line, int *argc, char ***argv) {
        const Verb *group = line->verb;
        ExitCode code;

        code = read_globals(line, argc, argv);
        if (code != EXIT_CODE_OK || line->help || line->version)
                return code;

        if (*argc <= 1) {
                line->verb = group->parts[0];
                return EXIT_CODE_OK;
        }

        line->verb = verb_find_part(group, (*argv)[1]);
        if (!line->verb) {
                g_autofree char *near = suggest_part(group, (*argv)[1]);

                return ctl_fail(EXIT_CODE_USAGE, "there is no verb %s %s%s", group->name, (*argv)[1], near);
        }
        (*argc)--;
        (*argv)++;
        return EXIT_CODE_OK;
}

static ExitCode fail_unknown_verb(const char *name) {
        const char *here = verb_elsewhere(name);
        g_autofree char *near = NULL;

        if (here)
                return ctl_fail(EXIT_CODE_USAGE, "%s of meshcore-cli is called differently here: %s %s", name,
                                CTL_NAME, here);
        near = suggest_verb(name);
        return ctl_fail(EXIT_CODE_USAGE, "there is no verb %s%s", name, near);
}

/* Puts what the alias argv[1] stands for in its place, with its global options taken out. */
static ExitCode expand_alias(CommandLine *line, int *argc, char ***argv) {
        g_auto(GStrv) words = NULL;
        guint n;
        char **expanded;
        ExitCode code;

        code = alias_find((*argv)[1], &words);
        if (code != EXIT_CODE_OK)
                return code;
        if (!words)
                return fail_unknown_verb((*argv)[1]);

        n = g_strv_length(words);
        expanded = g_new0(char *, n + (guint) *argc);
        expanded[0] = (*argv)[0];
        memcpy(expanded + 1, words, n * sizeof(char *));
        memcpy(expanded + 1 + n, *argv + 2, (size_t) (*argc - 2) * sizeof(char *));

        /* The array and the words live as long as the line that borrows from them. */
        line->storage = expanded;
        line->words = g_steal_pointer(&words);
        *argc += (int) n - 1;
        *argv = expanded;
        return read_globals(line, argc, argv);
}

static ExitCode choose_verb(CommandLine *line, int *argc, char ***argv) {
        ExitCode code;

        if (*argc <= 1)
                return EXIT_CODE_OK;

        line->verb = verb_find((*argv)[1]);
        if (!line->verb) {
                code = expand_alias(line, argc, argv);
                if (code != EXIT_CODE_OK || *argc <= 1)
                        return code;
                line->verb = verb_find((*argv)[1]);
        }
        if (!line->verb)
                return fail_unknown_verb((*argv)[1]);

        (*argc)--;
        (*argv)++;
        return EXIT_CODE_OK;
}

ExitCode command_line_parse(int argc, char *argv[], CommandLine *ret) {
        g_auto(CommandLine) line = {.options = ret->options};
        ExitCode code;

        code = read_globals(&line, &argc, &argv);
        if (code == EXIT_CODE_OK)
                code = choose_verb(&line, &argc, &argv);
        if (code != EXIT_CODE_OK)
                return code;

        if (line.verb && line.verb->parts) {
                code = choose_part(&line, &argc, &argv);
                if (code != EXIT_CODE_OK)
                        return code;
        }
        if (line.verb && !line.verb->parts) {
                line.args = args_new(line.verb->options);
                code = read_verb_words(&line, argc, argv);
                if (code != EXIT_CODE_OK)
                        return code;
        }

        *ret = line;
        line = (CommandLine){};
        return EXIT_CODE_OK;
}

void command_line_done(CommandLine *line) {
        args_free(line->args);
        line->args = NULL;
        g_clear_pointer(&line->storage, g_free);
        g_clear_pointer(&line->words, g_strfreev);
}

/* -- values ----------------------------------------------------------------- */

int parse_number(const char *text, uint64_t max, uint64_t *ret) {
        guint64 v;

        if (!g_ascii_isdigit(*text) || !g_ascii_string_to_unsigned(text, 10, 0, max, &v, NULL))
                return -EINVAL;

        *ret = v;
        return 0;
}

ExitCode args_get_number(const Args *args, const char *option, uint64_t max, uint64_t *ret) {
        const char *text = args_get(args, option);

        if (!text || parse_number(text, max, ret) >= 0)
                return EXIT_CODE_OK;
        return ctl_fail(EXIT_CODE_USAGE, "--%s takes a whole number up to %" G_GUINT64_FORMAT ", not: %s",
                        option, max, text);
}

ExitCode args_get_bool(const Args *args, const char *option, bool *ret) {
        static const struct {
                const char *text;
                bool value;
        } words[] = {{"yes", true}, {"no", false},  {"true", true}, {"false", false},
                     {"on", true},  {"off", false}, {"1", true},    {"0", false}};
        const char *text = args_get(args, option);

        if (!text)
                return EXIT_CODE_OK;
        for (size_t i = 0; i < ELEMENTSOF(words); i++)
                if (strcmp(words[i].text, text) == 0) {
                        *ret = words[i].value;
                        return EXIT_CODE_OK;
                }
        return ctl_fail(EXIT_CODE_USAGE, "--%s takes yes or no, not: %s", option, text);
}

static uint64_t unit_usec(const char *unit, size_t n) {
        static const struct {
                const char *name;
                uint64_t usec;
        } units[] = {
                        {"", USEC_PER_SEC},     {"s", USEC_PER_SEC},      {"sec", USEC_PER_SEC},
                        {"m", USEC_PER_MINUTE}, {"min", USEC_PER_MINUTE}, {"h", 60 * USEC_PER_MINUTE},
                        {"d", USEC_PER_DAY},
        };

        for (size_t i = 0; i < ELEMENTSOF(units); i++)
                if (strlen(units[i].name) == n && strncmp(units[i].name, unit, n) == 0)
                        return units[i].usec;
        return 0;
}

int parse_duration(const char *text, uint64_t *ret_usec) {
        const uint64_t most = 3650 * USEC_PER_DAY;
        uint64_t sum = 0;

        while (*text) {
                uint64_t number = 0, unit;
                size_t n;

                if (!g_ascii_isdigit(*text))
                        return -EINVAL;
                for (; g_ascii_isdigit(*text); text++)
                        if ((number = number * 10 + (uint64_t) (*text - '0')) > most)
                                return -EINVAL;
                for (n = 0; g_ascii_isalpha(text[n]);)
                        n++;
                unit = unit_usec(text, n);
                if (unit == 0 || number > (most - sum) / unit)
                        return -EINVAL;
                sum += number * unit;
                text += n;
        }
        if (sum == 0)
                return -EINVAL;

        *ret_usec = sum;
        return 0;
}
