/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The one table of verbs: dispatch, help and completion are made from it. */

#include "ctl.h"

/* What can stand in some place of the command line, for completion. */
typedef enum WordKind {
        WORD_ANY, /* nothing to offer */
        WORD_RECIPIENT,
        WORD_CHANNEL,
        WORD_RADIO,
        WORD_MESSAGE,
        WORD_VERB,
        WORD_CHOICE, /* of VerbOption.choices */
} WordKind;

typedef struct VerbOption {
        const char *name;     /* without the dashes */
        char letter;          /* or 0 */
        const char *argument; /* how it is called in the help; NULL: takes none */
        const char *help;
        WordKind kind;
        const char *choices; /* separated by spaces */
} VerbOption;

typedef struct Verb {
        const char *name;
        const char *arguments; /* for the usage line, "" when none */
        const char *summary;   /* one line */
        const char *description;
        const char *examples;
        const VerbOption *options; /* ends with an empty one; NULL: none */
        unsigned min_words, max_words;
        WordKind word; /* what the first word is */
        bool hidden;
        bool own_options; /* parses its options itself: all words go to it unread */
        ExitCode (*run)(const CtlOptions *options, const Args *args);
} Verb;

/* Ends with NULL. */
extern const Verb *const verbs[];
extern const VerbOption global_options[];

extern const Verb verb_channels, verb_complete, verb_contacts, verb_decode, verb_help, verb_message,
                verb_messages, verb_monitor, verb_ping, verb_radios, verb_send, verb_start, verb_status,
                verb_stop;

const Verb *verb_find(const char *name);

/* Standard output. */
void help_print_overview(void);
void help_print_verb(const Verb *verb);
