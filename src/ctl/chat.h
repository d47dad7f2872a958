/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* A conversation: with one contact, on one channel, or everything that comes
 * in until somebody is chosen. */

#include "chat-screen.h"
#include "history.h"
#include "watch.h"

typedef struct Chat {
        const CtlOptions *options;
        const char *wanted; /* the recipient of the command line; NULL: none */
        bool keep_unread;
        uint64_t limit; /* of the history at the beginning */

        Client *client;
        Objects *objects;
        Watch *watch;
        Screen *screen;
        char *radio;        /* path; NULL before the daemon was there */
        char *conversation; /* path; NULL: everything */
        char *name;         /* of the conversation as it was chosen; "" for everything */
        char *channel;      /* its name when it was chosen */
        bool is_channel, here, utf8;
        uint64_t seen;      /* all up to this id were shown */
        char *history;      /* HistoryId */
        char *day;          /* of the last line on a terminal */
        GHashTable *states; /* path of an own message that was shown → state, "?" added when uncertain */
        ExitCode code;      /* the last failure of a stream */
} Chat;

/* options, wanted, keep_unread and limit are set. */
ExitCode chat_run(Chat *chat);
void chat_clear(Chat *chat);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Chat, chat_clear)

/* Ends it, without being a failure of its own. */
void chat_end(Chat *chat);
/* Chooses whom to talk to. */
ExitCode chat_choose(Chat *chat, const char *name);
/* Shows the last messages of the conversation. */
void chat_show_history(Chat *chat, uint64_t limit);
/* A line of our own, not of a message; "* " is put before it. */
void chat_say(Chat *chat, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Calls a method of a message; says what goes wrong. */
bool chat_call_message(Chat *chat, const char *path, const char *member);

/* A line that begins with '/'. */
void chat_command(Chat *chat, const char *line);
/* The help of the commands, for the help of the verb too. */
#define CHAT_COMMANDS                                                                              \
        "  /to RECIPIENT     talk to somebody else, or on a channel\n"                             \
        "  /history [N]      show the last N messages again (20)\n"                                \
        "  /who [TEXT]       list channels and contacts, all or those whose name has TEXT in it\n" \
        "  /info             tell about the one you talk to\n"                                     \
        "  /resend [ID]      send a message once more; without ID the last that failed\n"          \
        "  /cancel [ID]      take a message back; without ID the last that is on its way\n"        \
        "  /help             list the commands\n"                                                  \
        "  /quit             end, as Ctrl-D does\n"                                                \
        "  //TEXT            send a text that begins with /\n"
