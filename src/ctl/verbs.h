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
        WORD_FILE,
        WORD_COMMAND, /* a program of this computer */
        WORD_CHOICE,  /* of VerbOption.choices */
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

extern const Verb verb_alias;
extern const Verb verb_apply_to;
extern const Verb verb_auto_add;
extern const Verb verb_backup;
extern const Verb verb_bond;
extern const Verb verb_capture;
extern const Verb verb_channel;
extern const Verb verb_channels;
extern const Verb verb_chat;
extern const Verb verb_complete;
extern const Verb verb_console;
extern const Verb verb_contact;
extern const Verb verb_contacts;
extern const Verb verb_decode;
extern const Verb verb_discover;
extern const Verb verb_doctor;
extern const Verb verb_export;
extern const Verb verb_help;
extern const Verb verb_inhibit;
extern const Verb verb_message;
extern const Verb verb_messages;
extern const Verb verb_monitor;
extern const Verb verb_node;
extern const Verb verb_on_message;
extern const Verb verb_pair;
extern const Verb verb_pending;
extern const Verb verb_ping;
extern const Verb verb_radio;
extern const Verb verb_radios;
extern const Verb verb_rx_log;
extern const Verb verb_script;
extern const Verb verb_send;
extern const Verb verb_start;
extern const Verb verb_status;
extern const Verb verb_stop;

const Verb *verb_find(const char *name);
/* The part of a group with this second word. */
const Verb *verb_find_part(const Verb *group, const char *word);
/* The second word of a part. */
const char *verb_part_name(const Verb *part);

/* Standard output. */
void help_print_overview(void);
void help_print_verb(const Verb *verb);
