/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "terminal.h"
#include "verb-node.h"

/* The command line of a node, a line at a time. */

#define LINE_MAX_BYTES 256 /* more than any node takes */

/* Its end must not be taken for a command of its own. */
static ExitCode check_line(const char *line) {
        size_t n = strlen(line);
        int c = 0;

        if (n + 1 == LINE_MAX_BYTES && line[n - 1] != '\n') {
                while (c != EOF && c != '\n')
                        c = getc(stdin);
                return ctl_fail(EXIT_CODE_USAGE, "the line is too long");
        }
        return g_utf8_validate(line, -1, NULL) ? EXIT_CODE_OK
                                               : ctl_fail(EXIT_CODE_USAGE, "the line is not valid UTF-8");
}

static ExitCode run_console(const CtlOptions *options, const Args *args) {
        bool terminal = isatty(STDIN_FILENO);
        g_autofree char *name = NULL;
        ExitCode code, last = EXIT_CODE_OK;
        g_auto(Target) target = {};
        const char *path;
        char line[LINE_MAX_BYTES];

        code = target_open_contact(options, args_word(args, 0), &target, &path);
        if (code != EXIT_CODE_OK)
                return code;
        if (!objects_get(target.objects, path, IFACE_NODE))
                return ctl_fail(EXIT_CODE_USAGE, "%s has no command line", args_word(args, 0));
        name = terminal_escape(json_string(objects_get(target.objects, path, IFACE_CONTACT), "Name"));

        for (;;) {
                if (terminal)
                        printf("%s> ", name);
                fflush(stdout);
                if (!fgets(line, sizeof(line), stdin))
                        break;

                code = check_line(line);
                if (code != EXIT_CODE_OK) {
                        last = code;
                        continue;
                }
                line[strcspn(line, "\r\n")] = 0;
                if (terminal && (strcmp(line, "quit") == 0 || strcmp(line, "exit") == 0))
                        break;
                if (*line == 0)
                        continue;
                /* Told already; the next command may well go through. */
                last = node_run_line(&target, path, line);
                if (last == EXIT_CODE_UNREACHABLE)
                        break;
        }
        if (terminal)
                putchar('\n');
        explicit_bzero(line, sizeof(line));
        return terminal ? EXIT_CODE_OK : last;
}

const Verb verb_console = {
                .name = "console",
                .arguments = "NODE",
                .summary = "Type commands for a repeater, room or sensor",
                .description = "Log in as admin first, with \"node login\". Every line is sent and its "
                               "answer "
                               "awaited; quit,\n"
                               "exit or the end of input ends it. From a file or pipe it runs line by line, "
                               "and the exit\n"
                               "status is that of the last one. With --json: {\"Answer\"} for each.\n",
                .examples = "  meshcorectl console Hilltop\n"
                            "  meshcorectl console Hilltop < setup.txt\n",
                .min_words = 1,
                .max_words = 1,
                .word = WORD_CONTACT,
                .run = run_console,
};
