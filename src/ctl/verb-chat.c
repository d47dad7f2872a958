/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "chat.h"
#include "command-line.h"
#include "verbs.h"

#define LIMIT_DEFAULT 20
#define LIMIT_MAX     100000

static ExitCode run_chat(const CtlOptions *options, const Args *args) {
        g_auto(Chat) chat = {
                        .options = options,
                        .wanted = args_word(args, 0),
                        .keep_unread = args_has(args, "keep-unread"),
                        .limit = LIMIT_DEFAULT,
        };
        ExitCode code;

        code = args_get_number(args, "limit", LIMIT_MAX, &chat.limit);
        return code == EXIT_CODE_OK ? chat_run(&chat) : code;
}

static const VerbOption chat_options[] = {
                {"limit", 'n', "N", "show the last N messages at the beginning (20)", WORD_ANY, NULL},
                {"keep-unread", 'k', NULL, "don't mark what is shown as read", WORD_ANY, NULL},
                {},
};

static const char chat_description[] =
                "RECIPIENT is as for \"send\". Without one, everything that comes is shown, until /to\n"
                "chooses somebody.\n"
                "\n"
                "On a terminal there is a line to edit, with the keys of readline(3); Return sends it.\n"
                "Before each message of our own stands what became of it, which changes by itself:\n"
                "  ·  it waits    →  it goes out    ✓  sent, with ? if nobody knows\n"
                "  ✓✓ delivered   ✗  failed         !  expired    -  cancelled\n"
                "(. > * ** x ! - where the locale is not UTF-8). A mark that is out of reach comes as a\n"
                "line of its own. Ctrl-C empties the line, or ends when it is empty; Ctrl-D ends.\n"
                "\n"
                "Commands:\n" CHAT_COMMANDS "\n"
                "Without a terminal each line of standard input is a text or a command, messages are\n"
                "printed as by \"messages --follow\" and again with each new state, and it ends with the\n"
                "input. While the daemon is away the input waits. It ends with an exit status\n"
                "other than 0 if a text was refused.\n"
                "\n"
                "With --json: the same, with one object as in \"messages --json\" a line; what is no\n"
                "message goes to standard error.\n";

static const char chat_examples[] =
                "  meshcorectl chat Alice\n"
                "  meshcorectl chat '#test' --limit 100\n"
                "  mkfifo lines && meshcorectl chat Alice --json < lines | ./my-bot > lines\n";

const Verb verb_chat = {
                .name = "chat",
                .arguments = "[RECIPIENT]",
                .summary = "Talk to somebody, with history and delivery marks",
                .description = chat_description,
                .examples = chat_examples,
                .options = chat_options,
                .max_words = 1,
                .word = WORD_RECIPIENT,
                .run = run_chat,
};
