/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "command-line.h"
#include "execute.h"
#include "macros.h"

/* Command lines out of a file. Each runs in a process of its own, so that one that follows or waits
 * cannot take signals or terminal settings away from the next. */

#define LINE_MAX_BYTES (64 * 1024)

typedef struct Script {
        const CtlOptions *options;
        const char *name; /* for people */
        FILE *file;
        int stdin_fd; /* of the commands, or negative for ours */
        unsigned line;
} Script;

static void script_clear(Script *s) {
        if (s->file)
                (void) fclose(s->file);
        if (s->stdin_fd >= 0)
                (void) close(s->stdin_fd);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Script, script_clear)

static ExitCode script_fail(const Script *s, const char *why) {
        return ctl_fail(EXIT_CODE_USAGE, "%s:%u: %s", s->name, s->line, why);
}

static ExitCode run_sleep(const Script *s, char *const words[]) {
        uint64_t usec;

        if (!words[1] || words[2] || parse_duration(words[1], &usec) < 0)
                return script_fail(s, "sleep takes a duration such as 5s or 15min");
        (void) fflush(stdout);
        g_usleep(usec);
        return EXIT_CODE_OK;
}

static ExitCode run_words(const Script *s, char *const words[]) {
        /* As it stands in examples. */
        if (strcmp(words[0], CTL_NAME) == 0)
                words++;
        if (words[0] && strcmp(words[0], "sleep") == 0)
                return run_sleep(s, words);
        return execute_apart(words, s->options, s->stdin_fd, -1);
}

static ExitCode run_line(const Script *s, const char *text) {
        g_autoptr(GError) error = NULL;
        g_auto(GStrv) words = NULL;
        g_autofree char *where = NULL;
        ExitCode code;

        if (!g_shell_parse_argv(text, NULL, &words, &error)) {
                if (g_error_matches(error, G_SHELL_ERROR, G_SHELL_ERROR_EMPTY_STRING))
                        return EXIT_CODE_OK;
                return script_fail(s, error->message);
        }

        code = run_words(s, words);
        if (code != EXIT_CODE_OK)
                ctl_note("%s:%u: the command ended with status %d", s->name, s->line, (int) code);
        return code;
}

static ExitCode open_script(Script *s) {
        if (strcmp(s->name, "-") == 0) {
                int fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);

                s->name = "standard input";
                /* A stream of its own: its buffer holds lines that no command may read as its input. */
                s->file = fd < 0 ? NULL : fdopen(fd, "r");
                s->stdin_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
                if (!s->file || s->stdin_fd < 0)
                        return ctl_fail(EXIT_CODE_FAILED, "cannot read standard input: %s",
                                        g_strerror(errno));
                return EXIT_CODE_OK;
        }

        s->file = fopen(s->name, "re");
        if (!s->file)
                return ctl_fail(EXIT_CODE_NOT_FOUND, "cannot read %s: %s", s->name, g_strerror(errno));
        return EXIT_CODE_OK;
}

static ExitCode run_script(const CtlOptions *options, const Args *args) {
        g_auto(Script) script = {.options = options, .name = args_word(args, 0), .stdin_fd = -1};
        g_autofree char *text = g_malloc(LINE_MAX_BYTES);
        ExitCode code, first = EXIT_CODE_OK;

        code = open_script(&script);
        if (code != EXIT_CODE_OK)
                return code;

        while (fgets(text, LINE_MAX_BYTES, script.file)) {
                size_t n = strlen(text);

                script.line++;
                if (n + 1 == LINE_MAX_BYTES && text[n - 1] != '\n')
                        return script_fail(&script, "the line is too long");
                code = run_line(&script, text);
                if (first == EXIT_CODE_OK)
                        first = code;
                if (code != EXIT_CODE_OK && !args_has(args, "keep-going"))
                        return code;
        }
        if (ferror(script.file))
                return ctl_fail(EXIT_CODE_FAILED, "cannot read %s: %s", script.name, g_strerror(errno));
        return first;
}

static const VerbOption script_options[] = {
                {"keep-going", 'k', NULL, "go on after a command that failed", WORD_ANY, NULL},
                {},
};

const Verb verb_script = {
                .name = "script",
                .arguments = "FILE | -",
                .summary = "Run the commands in a file, or on standard input",
                .description = "One command line on each line, with or without the word meshcorectl in "
                               "front. "
                               "Words are\n"
                               "quoted as in a shell; nothing is expanded, and # begins a comment. Global "
                               "options of\n"
                               "the script hold for every line. \"sleep 5s\" waits.\n"
                               "\n"
                               "It ends at the first command that fails, with its exit status, unless there "
                               "is\n"
                               "--keep-going; then with that of the first that failed. A file that begins "
                               "with\n"
                               "\"#!/usr/bin/meshcorectl script\" and is executable is a program.\n",
                .examples = "  meshcorectl script evening.txt\n"
                            "  printf 'contacts\\nsend Alice \"Good night\"\\n' | meshcorectl script -\n",
                .options = script_options,
                .min_words = 1,
                .max_words = 1,
                .word = WORD_FILE,
                .run = run_script,
};
