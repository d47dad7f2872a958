/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "text-input.h"

#define LINE_MAX_BYTES 4096

static bool hide_typing(struct termios *ret_before) {
        struct termios hidden;

        if (tcgetattr(STDIN_FILENO, ret_before) < 0)
                return false;
        hidden = *ret_before;
        hidden.c_lflag &= ~(tcflag_t) ECHO;
        return tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden) >= 0;
}

static ExitCode read_line(FILE *file, char *line, size_t size) {
        size_t n;

        if (!fgets(line, (int) size, file))
                return ctl_fail(ferror(file) ? EXIT_CODE_FAILED : EXIT_CODE_USAGE,
                                "there is no line to read%s%s", ferror(file) ? ": " : "",
                                ferror(file) ? g_strerror(errno) : "");
        n = strcspn(line, "\r\n");
        if (n == size - 1)
                return ctl_fail(EXIT_CODE_USAGE, "the line is too long");

        line[n] = '\0';
        if (!g_utf8_validate(line, -1, NULL))
                return ctl_fail(EXIT_CODE_USAGE, "the line is not valid UTF-8");
        return EXIT_CODE_OK;
}

ExitCode text_input_line(const char *path, const char *prompt, bool secret, char **ret) {
        bool is_stdin = !path || strcmp(path, "-") == 0, hidden = false;
        char line[LINE_MAX_BYTES];
        struct termios before;
        FILE *file = stdin;
        ExitCode code;

        if (!is_stdin) {
                file = fopen(path, "re");
                if (!file)
                        return ctl_fail(EXIT_CODE_USAGE, "cannot open %s: %s", path, g_strerror(errno));
        } else if (isatty(STDIN_FILENO)) {
                /* Whoever types as soon as the question is there, types unseen. */
                hidden = secret && hide_typing(&before);
                (void) fprintf(stderr, "%s: ", prompt);
        }

        code = read_line(file, line, sizeof(line));
        if (hidden) {
                (void) tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
                (void) fputc('\n', stderr);
        }
        if (!is_stdin)
                (void) fclose(file);
        if (code == EXIT_CODE_OK)
                *ret = g_strdup(line);
        explicit_bzero(line, sizeof(line));
        return code;
}
