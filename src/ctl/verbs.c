/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>

#include "verbs.h"

/* The order is that of the help. */
/* clang-format off */
const Verb *const verbs[] = {
                &verb_status,
                &verb_radios,
                &verb_contacts,
                &verb_channels,
                &verb_messages,
                &verb_message,
                &verb_send,
                &verb_chat,
                &verb_monitor,
                &verb_contact,
                &verb_pending,
                &verb_auto_add,
                &verb_channel,
                &verb_node,
                &verb_console,
                &verb_radio,
                &verb_start,
                &verb_stop,
                &verb_ping,
                &verb_discover,
                &verb_pair,
                &verb_bond,
                &verb_rx_log,
                &verb_capture,
                &verb_inhibit,
                &verb_backup,
                &verb_export,
                &verb_on_message,
                &verb_apply_to,
                &verb_script,
                &verb_alias,
                &verb_doctor,
                &verb_decode,
                &verb_help,
                &verb_complete,
                NULL,
};
/* clang-format on */

const Verb *verb_find(const char *name) {
        for (const Verb *const *v = verbs; *v; v++)
                if (strcmp((*v)->name, name) == 0)
                        return *v;
        return NULL;
}

const char *verb_part_name(const Verb *part) {
        return strchr(part->name, ' ') + 1;
}

const Verb *verb_find_part(const Verb *group, const char *word) {
        for (const Verb *const *v = group->parts; *v; v++)
                if (strcmp(verb_part_name(*v), word) == 0)
                        return *v;
        return NULL;
}

static void print_options(const VerbOption *options) {
        for (; options->name; options++) {
                g_autofree char *left = NULL;
                char letter[] = {'-', options->letter, ',', ' ', '\0'};

                left = g_strdup_printf("%s--%s%s%s", options->letter ? letter : "    ", options->name,
                                       options->argument ? " " : "", options->argument ?: "");
                printf("  %-26s %s\n", left, options->help);
        }
}

void help_print_overview(void) {
        printf("Usage: %s [OPTION…] VERB [WORD…]\n\n"
               "Talks to meshcored, the daemon that owns your MeshCore radios.\n\nVerbs:\n",
               CTL_NAME);
        for (const Verb *const *v = verbs; *v; v++)
                if (!(*v)->hidden)
                        printf("  %-11s %s\n", (*v)->name, (*v)->summary);
        printf("\nOptions (before or after the verb):\n");
        print_options(global_options);
        printf("\nExit status: 0 done, 1 failed, 2 wrong usage, 3 daemon not reachable, 4 not found,\n"
               "5 refused, 6 not delivered or no answer in time, 7 radio not connected.\n\n"
               "\"%s VERB --help\" explains a verb with examples; %s(1) is the manual.\n",
               CTL_NAME, CTL_NAME);
}

static void print_parts(const Verb *group) {
        printf("Usage: %s %s [WORD…]\n\n%s.\n", CTL_NAME, group->name, group->summary);
        if (group->description)
                printf("\n%s", group->description);
        printf("\nIts verbs, the first of which runs without a word:\n");
        for (const Verb *const *v = group->parts; *v; v++)
                printf("  %-20s %s\n", (*v)->name, (*v)->summary);
        if (group->examples)
                printf("\nExamples:\n%s", group->examples);
        printf("\n\"%s %s WORD --help\" explains one of them.\n", CTL_NAME, group->name);
}

void help_print_verb(const Verb *verb) {
        if (verb->parts) {
                print_parts(verb);
                return;
        }

        printf("Usage: %s %s%s%s\n\n%s.\n", CTL_NAME, verb->name, *verb->arguments ? " " : "",
               verb->arguments, verb->summary);
        if (verb->description)
                printf("\n%s", verb->description);
        if (verb->options) {
                printf("\nOptions:\n");
                print_options(verb->options);
        }
        if (verb->examples)
                printf("\nExamples:\n%s", verb->examples);
        if (!verb->own_options) {
                printf("\nOptions of all verbs:\n");
                print_options(global_options);
        }
}

static ExitCode run_help(const CtlOptions *options, const Args *args) {
        const Verb *verb;

        if (args_count(args) == 0) {
                help_print_overview();
                return EXIT_CODE_OK;
        }

        verb = verb_find(args_word(args, 0));
        if (!verb || verb->hidden)
                return ctl_fail(EXIT_CODE_USAGE, "there is no verb %s; see: %s help", args_word(args, 0),
                                CTL_NAME);
        if (args_count(args) > 1) {
                verb = verb->parts ? verb_find_part(verb, args_word(args, 1)) : NULL;
                if (!verb)
                        return ctl_fail(EXIT_CODE_USAGE, "there is no verb %s %s; see: %s help %s",
                                        args_word(args, 0), args_word(args, 1), CTL_NAME, args_word(args, 0));
        }
        help_print_verb(verb);
        return EXIT_CODE_OK;
}

const Verb verb_help = {
                .name = "help",
                .arguments = "[VERB [WORD]]",
                .summary = "Explain the tool, or one verb",
                .examples = "  meshcorectl help send\n"
                            "  meshcorectl help contact add\n",
                .max_words = 2,
                .word = WORD_VERB,
                .run = run_help,
};
