/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <stdio.h>

#include "command-line.h"
#include "config.h"

static ExitCode run(const CommandLine *line) {
        if (line->version) {
                printf(CTL_NAME " (meshcored) " MESHCORED_VERSION "\n");
                return EXIT_CODE_OK;
        }
        if (line->help) {
                if (line->verb)
                        help_print_verb(line->verb);
                else
                        help_print_overview();
                return EXIT_CODE_OK;
        }
        if (!line->verb)
                return verb_status.run(&line->options, NULL);
        return line->verb->run(&line->options, line->args);
}

int main(int argc, char *argv[]) {
        g_auto(CommandLine) line = {};
        ExitCode code;

        code = command_line_parse(argc, argv, &line);
        if (code == EXIT_CODE_OK)
                code = run(&line);

        /* What a full disk or a closed pipe swallowed was not done. */
        if ((fflush(stdout) != 0 || ferror(stdout)) && code == EXIT_CODE_OK)
                code = ctl_fail(EXIT_CODE_FAILED, "cannot write to standard output: %s", g_strerror(errno));
        return (int) code;
}
