/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>

#include "alias.h"
#include "autobus.h"
#include "macros.h"
#include "objects.h"
#include "pending-list.h"
#include "verbs.h"

/* What the shells' completion offers, one a line, made from the table of verbs and from the
 * daemon if it answers quickly. Foreign names reach a shell only if they consist of
 * [A-Za-z0-9._-] and can mean nothing else; the others are offered as keys (contacts) or slots
 * (channels). */

#define COMPLETE_TIMEOUT_USEC (2 * USEC_PER_SEC)
#define COMPLETE_MESSAGES     50

typedef struct Completion {
        CtlOptions options;
        const Verb *verb;
        unsigned n_words;        /* complete words after the verb */
        const VerbOption *value; /* the word is the value of this option */
        const char *word;        /* what was typed of it */
        bool in_alias;
} Completion;

static void offer(const Completion *c, const char *candidate) {
        if (g_str_has_prefix(candidate, c->word))
                puts(candidate);
}

static bool name_is_plain(const char *name) {
        return *name && *name != '-' &&
               strspn(name, G_CSET_A_2_Z G_CSET_a_2_z "0123456789._-") == strlen(name);
}

static void offer_options(const Completion *c, const VerbOption *options) {
        for (; options && options->name; options++) {
                g_autofree char *text = g_strconcat("--", options->name, NULL);

                offer(c, text);
        }
}

static void offer_verbs(const Completion *c) {
        g_autoptr(GKeyFile) file = NULL;
        g_auto(GStrv) names = NULL;

        for (const Verb *const *v = verbs; *v; v++)
                if (!(*v)->hidden)
                        offer(c, (*v)->name);

        if (alias_load(&file) != EXIT_CODE_OK)
                return;
        names = alias_names(file);
        for (char **name = names; *name; name++)
                if (name_is_plain(*name) && !verb_find(*name))
                        offer(c, *name);
}

static void offer_parts(const Completion *c, const Verb *group) {
        for (const Verb *const *v = group->parts; *v; v++)
                offer(c, verb_part_name(*v));
}

/* Whether the name, typed as a recipient, means this object and nothing else. */
static bool name_means(Objects *objects, const char *radio, const char *name, const char *path) {
        g_autofree char *candidates = NULL;
        const char *found;

        return objects_find_recipient(objects, radio, name, &found, &candidates) > 0 &&
               strcmp(found, path) == 0;
}

static void offer_contacts(const Completion *c, Objects *objects, const char *radio) {
        g_autoptr(GPtrArray) contacts = objects_list(objects, radio, IFACE_CONTACT);

        for (guint i = 0; i < contacts->len; i++) {
                JsonObject *contact = objects_get(objects, contacts->pdata[i], IFACE_CONTACT);
                const char *name = json_string(contact, "Name");

                if (name_is_plain(name) && name_means(objects, radio, name, contacts->pdata[i]))
                        offer(c, name);
                else
                        offer(c, json_string(contact, "Key"));
        }
}

static void offer_recipients(const Completion *c, Objects *objects, const char *radio) {
        g_autoptr(GPtrArray) channels = objects_list(objects, radio, IFACE_CHANNEL);

        offer_contacts(c, objects, radio);
        for (guint i = 0; i < channels->len; i++) {
                const char *name =
                                json_string(objects_get(objects, channels->pdata[i], IFACE_CHANNEL), "Name");

                if (name_is_plain(name) && name_means(objects, radio, name, channels->pdata[i]))
                        offer(c, name);
        }
}

static void offer_channels(const Completion *c, Objects *objects, const char *radio) {
        g_autoptr(GPtrArray) channels = objects_list(objects, radio, IFACE_CHANNEL);

        for (guint i = 0; i < channels->len; i++) {
                JsonObject *channel = objects_get(objects, channels->pdata[i], IFACE_CHANNEL);
                const char *name = json_string(channel, "Name"), *found;
                g_autofree char *candidates = NULL, *slot = NULL;

                if (*name == '#') /* may be left out */
                        name++;
                slot = g_strdup_printf("%" G_GINT64_FORMAT, json_int(channel, "Slot"));
                if (name_is_plain(name) &&
                    objects_find_channel(objects, radio, name, &found, &candidates) > 0 &&
                    strcmp(found, channels->pdata[i]) == 0)
                        offer(c, name);
                else
                        offer(c, slot);
        }
}

/* Numbers of the messages that are announced: unread, or on their way. */
static void offer_messages(const Completion *c, Objects *objects, const char *radio) {
        g_autoptr(GPtrArray) messages = objects_list(objects, radio, IFACE_MESSAGE);

        for (guint i = 0; i < MIN(messages->len, COMPLETE_MESSAGES); i++) {
                g_autofree char *id = NULL;

                id = g_strdup_printf("%" G_GINT64_FORMAT,
                                     json_int(objects_get(objects, messages->pdata[i], IFACE_MESSAGE), "Id"));
                offer(c, id);
        }
}

/* Nobody has checked who these strangers are: keys alone. */
static void offer_pending(const Completion *c, Client *client, const char *radio) {
        _cleanup_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        g_autoptr(JsonArray) pending = NULL;

        if (pending_list_quietly(client, radio, COMPLETE_TIMEOUT_USEC, &error, &pending) < 0)
                return;
        for (guint i = 0; i < json_array_get_length(pending); i++)
                offer(c, json_string(json_array_get_object_element(pending, i), "Key"));
}

static void offer_objects(const Completion *c, WordKind kind) {
        _cleanup_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        g_autoptr(GPtrArray) radios = NULL;
        g_autoptr(Objects) objects = NULL;
        g_autoptr(Client) client = NULL;

        if (client_open(&c->options, &client) != EXIT_CODE_OK)
                return;
        client_set_autostart(client, false);
        if (objects_load_quietly(client, COMPLETE_TIMEOUT_USEC, &error, &objects) < 0)
                return;

        radios = objects_list(objects, NULL, IFACE_RADIO);
        for (guint i = 0; i < radios->len; i++) {
                const char *radio = radios->pdata[i], *id = objects_radio_id(objects, radio);

                if (kind == WORD_RADIO) {
                        if (name_is_plain(id))
                                offer(c, id);
                        continue;
                }
                if (c->options.radio && strcmp(c->options.radio, id) != 0)
                        continue;
                if (kind == WORD_RECIPIENT)
                        offer_recipients(c, objects, radio);
                else if (kind == WORD_CONTACT)
                        offer_contacts(c, objects, radio);
                else if (kind == WORD_PENDING)
                        offer_pending(c, client, radio);
                else if (kind == WORD_CHANNEL)
                        offer_channels(c, objects, radio);
                else
                        offer_messages(c, objects, radio);
        }
}

static void offer_kind(const Completion *c, WordKind kind, const char *choices) {
        g_auto(GStrv) list = NULL;

        switch (kind) {
        case WORD_ANY:
                return;
        case WORD_VERB:
                offer_verbs(c);
                return;
        case WORD_FILE:
                puts(":file"); /* the shell knows them better */
                return;
        case WORD_COMMAND:
                puts(":command");
                return;
        case WORD_CHOICE:
                list = g_strsplit(choices, " ", -1);
                for (char **p = list; *p; p++)
                        offer(c, *p);
                return;
        default:
                offer_objects(c, kind);
        }
}

/* -- the words so far ------------------------------------------------------- */

static const VerbOption *find_option(const VerbOption *options, const char *word) {
        for (; options && options->name; options++)
                if ((word[0] == '-' && word[1] == '-' && strcmp(word + 2, options->name) == 0) ||
                    (word[0] == '-' && word[1] && word[1] == options->letter && !word[2]))
                        return options;
        return NULL;
}

static void take_option_value(Completion *c, const VerbOption *option, const char *value) {
        if (strcmp(option->name, "radio") == 0)
                c->options.radio = value;
}

static void take_word(Completion *c, const char *word);

/* A verb, or the words of an alias. */
static void take_verb(Completion *c, const char *word) {
        g_auto(GStrv) words = NULL;

        c->verb = verb_find(word);
        if (c->verb || c->in_alias || alias_find(word, &words) != EXIT_CODE_OK || !words)
                return;
        c->in_alias = true;
        for (char **w = words; *w; w++)
                take_word(c, g_intern_string(*w));
}

/* bash hands "--radio=x" over as three words. */
static void take_word(Completion *c, const char *word) {
        const VerbOption *option;

        if (c->value) {
                if (strcmp(word, "=") == 0)
                        return;
                take_option_value(c, c->value, word);
                c->value = NULL;
                return;
        }
        if (word[0] == '-' && word[1]) {
                option = find_option(global_options, word)
                                         ?: find_option(c->verb ? c->verb->options : NULL, word);
                if (option && option->argument)
                        c->value = option;
                if (strcmp(word, "--session") == 0)
                        c->options.bus = BUS_SESSION;
                if (strcmp(word, "--system") == 0)
                        c->options.bus = BUS_SYSTEM;
                return;
        }
        if (!c->verb)
                take_verb(c, word);
        else if (c->verb == &verb_apply_to && verb_find(word)) /* what it applies */
                c->verb = verb_find(word);
        else if (c->verb->parts)
                c->verb = verb_find_part(c->verb, word) ?: c->verb;
        else
                c->n_words++;
}

static ExitCode run_complete(const CtlOptions *options, const Args *args) {
        Completion c = {.options = *options, .word = ""};
        unsigned n = args_count(args), first = n > 0 && strcmp(args_word(args, 0), "--") == 0;

        for (unsigned i = first; i + 1 < n; i++)
                take_word(&c, args_word(args, i));
        if (n > first)
                c.word = args_word(args, n - 1);
        if (c.value && strcmp(c.word, "=") == 0)
                c.word = "";

        if (c.value && g_strcmp0(c.value->argument, "FILE") == 0)
                offer_kind(&c, WORD_FILE, NULL);
        else if (c.value)
                offer_kind(&c, c.value->kind, c.value->choices);
        else if (c.word[0] == '-') {
                offer_options(&c, c.verb ? c.verb->options : NULL);
                offer_options(&c, global_options);
        } else if (!c.verb)
                offer_verbs(&c);
        else if (c.verb->parts)
                offer_parts(&c, c.verb);
        else if (c.n_words == 0)
                offer_kind(&c, c.verb->word, NULL);
        else if (c.verb == &verb_inhibit && c.n_words == 1)
                offer_kind(&c, WORD_COMMAND, NULL);
        else if (c.verb == &verb_on_message || c.verb == &verb_inhibit)
                offer_kind(&c, WORD_FILE, NULL);
        return EXIT_CODE_OK;
}

const Verb verb_complete = {
                .name = "complete",
                .arguments = "-- WORD…",
                .summary = "List what can stand in place of the last word",
                .description = "For the completion of shells.\n",
                .max_words = UINT_MAX,
                .hidden = true,
                .own_options = true,
                .run = run_complete,
};
