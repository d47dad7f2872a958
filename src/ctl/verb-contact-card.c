/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "autobus.h"
#include "target.h"
#include "text-input.h"
#include "verb-contact-internal.h"

/* -- share -------------------------------------------------------------------------- */

static ExitCode run_share(const CtlOptions *options, const Args *args) {
        g_auto(Target) target = {};
        const char *path;
        ExitCode code;

        code = target_open_contact(options, args_word(args, 0), &target, &path);
        return code == EXIT_CODE_OK ? target_call(&target, NULL, path, IFACE_CONTACT, "Share", NULL) : code;
}

const Verb contact_share = {
                .name = "contact share",
                .arguments = "CONTACT",
                .summary = "Send the last advert of a contact to our neighbours",
                .description = "So that they can add it. It goes one hop far. Prints nothing, also with "
                               "--json.\n",
                .examples = "  meshcorectl contact share Alice\n",
                .min_words = 1,
                .max_words = 1,
                .word = WORD_CONTACT,
                .run = run_share,
};

/* -- export ------------------------------------------------------------------------- */

static ExitCode run_export(const CtlOptions *options, const Args *args) {
        const char *form = args_has(args, "card") ? "card" : "link", *uri, *path;
        _cleanup_message_ sd_bus_message *reply = NULL;
        g_auto(Target) target = {};
        ExitCode code;

        if (args_count(args) == 0) {
                code = target_open(options, NULL, &target);
                if (code == EXIT_CODE_OK)
                        code = target_call(&target, &reply, target.radio, IFACE_CONTACTS, "ExportSelf",
                                           "a{sv}", 1, "Form", "s", form);
        } else {
                code = target_open_contact(options, args_word(args, 0), &target, &path);
                if (code == EXIT_CODE_OK)
                        code = target_call(&target, &reply, path, IFACE_CONTACT, "Export", "a{sv}", 1, "Form",
                                           "s", form);
        }
        if (code != EXIT_CODE_OK)
                return code;

        if (sd_bus_message_read(reply, "s", &uri) < 0)
                return ctl_fail(EXIT_CODE_FAILED, "the daemon's answer to Export makes no sense");
        target_print_text(&target, "Uri", uri);
        return EXIT_CODE_OK;
}

static const VerbOption export_options[] = {
                {"card", 'c', NULL, "the signed card; the radio must be connected", WORD_ANY, NULL},
                {},
};

const Verb contact_export = {
                .name = "contact export",
                .arguments = "[CONTACT] [--card]",
                .summary = "Print the URI of a contact, or of the radio itself",
                .description = "From the URI others can add the contact, for example out of a QR code. "
                               "Without\n"
                               "--card it is meshcore://contact/add?…, which is not signed. The card is\n"
                               "meshcore:// and the hex digits of the last advert, with its signature.\n"
                               "\n"
                               "With --json: {\"Uri\"}.\n",
                .examples = "  meshcorectl contact export | qrencode -t utf8\n"
                            "  meshcorectl contact export Alice --card\n",
                .options = export_options,
                .max_words = 1,
                .word = WORD_CONTACT,
                .run = run_export,
};

/* -- import ------------------------------------------------------------------------- */

static ExitCode run_import(const CtlOptions *options, const Args *args) {
        const char *word = args_word(args, 0), *path;
        _cleanup_message_ sd_bus_message *reply = NULL;
        g_autofree char *uri = NULL;
        g_auto(Target) target = {};
        ExitCode code;

        if (strcmp(word, "-") != 0)
                uri = g_strdup(word);
        else {
                code = text_input_line(NULL, "URI of the contact", false, &uri);
                if (code != EXIT_CODE_OK)
                        return code;
        }

        code = target_open(options, NULL, &target);
        if (code == EXIT_CODE_OK)
                code = target_call(&target, &reply, target.radio, IFACE_CONTACTS, "Import", "s", uri);
        if (code != EXIT_CODE_OK)
                return code;

        if (sd_bus_message_read(reply, "o", &path) < 0)
                return ctl_fail(EXIT_CODE_FAILED, "the daemon's answer to Import makes no sense");
        return target_print(&target, path, IFACE_CONTACT, "Key");
}

const Verb contact_import = {
                .name = "contact import",
                .arguments = "URI | -",
                .summary = "Add a contact from its URI",
                .description = "Both forms that \"contact export\" prints. With - the URI is read from "
                               "standard\n"
                               "input. Prints the key; with --json: one object as in \"contacts --json\".\n"
                               "Channels have a URI too: see \"channel import\".\n",
                .examples = "  meshcorectl contact import "
                            "'meshcore://contact/add?name=Bob&public_key=…&type=1'\n"
                            "  zbarimg -q --raw card.png | meshcorectl contact import -\n",
                .min_words = 1,
                .max_words = 1,
                .run = run_import,
};
