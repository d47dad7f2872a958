/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The one table of verbs: dispatch, help and completion are made from it. */

#include "ctl.h"

/* What can stand in some place of the command line, for completion. */
typedef enum WordKind {
        WORD_ANY, /* nothing to offer */
        WORD_RECIPIENT,
        WORD_CONTACT,
        WORD_PENDING,
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

typedef struct Verb Verb;

struct Verb {
        const char *name;      /* of a part of a group both words: "contact add" */
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
        /* A group: what its second word may be, ends with NULL; the first is what runs without. It has
         * neither options nor run. */
        const Verb *const *parts;
};

/* Ends with NULL. */
extern const Verb *const verbs[];
extern const VerbOption global_options[];

extern const Verb verb_auto_add, verb_bond, verb_discover, verb_channel, verb_channels, verb_chat,
                verb_complete, verb_contact, verb_contacts, verb_console, verb_node, verb_backup, verb_decode,
                verb_doctor, verb_export, verb_help, verb_message, verb_messages, verb_monitor, verb_pending,
                verb_ping, verb_radio, verb_radios, verb_send, verb_start, verb_status, verb_stop;

const Verb *verb_find(const char *name);
/* The part of a group with this second word. */
const Verb *verb_find_part(const Verb *group, const char *word);
/* The second word of a part. */
const char *verb_part_name(const Verb *part);

/* Standard output. */
void help_print_overview(void);
void help_print_verb(const Verb *verb);
